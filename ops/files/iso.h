/*
 * A settlement as banks take it, and what they answer: ISO 20022.
 *
 *   pacs.029.001.02  MultilateralSettlementRequest: the net of each participant, a request a kind
 *   pacs.009.001.08  FinancialInstitutionCreditTransfer: each payment
 *   camt.054.001.08  BankToCustomerDebitCreditNotification, read: what the bank has moved
 *   camt.053.001.08  BankToCustomerStatement: one account's entries and balances (a provider's payout, a programme's budget)
 *
 * Each payment has one reference, made of the window and the payment alone, so that what comes back is matched to the fen:
 *     SQ-<window>-<kind>-<payer>-<payee>[-L]      nodes by their codes, H the settlement account, F<code> a guarantee fund; L: paid for another
 *
 * Participants are named by BIC where they have one, else as OrgId/Othr with their GB/T 2260 code. Amounts are yuan with two decimals.
 * The same settlement gives the same bytes: times are those of the settlement.
 */
#ifndef SQ_ISO_H
#define SQ_ISO_H

#include "ops/files/xml.h"
#include "proto/wire.h"

#define SQ_ISO_REFERENCE_SIZE 36u

struct sq_iso_party {    /* what a bank must know of a participant */
    char code[8];        /* node, or "hub" */
    const char *name;    /* at most 140 bytes */
    const char *account; /* 1 to 34 of what is in an account number; NULL: unknown */
    const char *bic;     /* 8 or 11; NULL: none */
};

struct sq_iso_payment {
    uint32_t kind;
    char payer[12], payee[12]; /* "310000", "hub", "fund:310000" */
    int64_t amount_fen;
    int loss;      /* made instead of another's */
    unsigned line; /* read: where it stands in the file */
};

struct sq_iso_window {
    uint64_t window, final_ms;
    const char *hash; /* of the settlement, hexadecimal */
    const struct sq_iso_payment *payments;
    size_t payment_count;
    const struct sq_iso_party *parties;
    size_t party_count;
};

void sq_iso_reference(uint64_t window, const struct sq_iso_payment *p, char out[static SQ_ISO_REFERENCE_SIZE]);
/* Fills all but the amount. 0: it is none of ours. */
int sq_iso_reference_read(const char *text, uint64_t *window, struct sq_iso_payment *p);

/* Is this an account number (digits, letters, spaces no, 1 to 34), a BIC? */
int sq_iso_account_ok(const char *text);
int sq_iso_bic_ok(const char *text);

/*
 * *bytes is malloc'd. Errors: SQ_E_FORMAT (no payment at all; a text too long), SQ_E_OVERFLOW (an amount of more than 18 digits), SQ_E_NOMEM.
 */
SQ_MUST_CHECK sq_status sq_iso_pacs029(const struct sq_iso_window *w, uint8_t **bytes, size_t *size,
                                       struct sq_error *err);
/* Payments of `code` as payer, or all when it is NULL. */
SQ_MUST_CHECK sq_status sq_iso_pacs009(const struct sq_iso_window *w, const char *code, uint8_t **bytes, size_t *size,
                                       struct sq_error *err);

/* ---- what the bank says ---- */

struct sq_iso_told {
    struct sq_iso_payment
        *payments; /* of the window, booked; ascending by kind, payer, payee, amount; free with sq_iso_told_free */
    size_t count;
    size_t others;  /* entries that are none of this window's: passed over */
    size_t pending; /* of this window, and not booked yet: passed over */
};

/*
 * A camt.054 about the account of `code`. Only booked entries in CNY count, each once, with the direction that fits.
 * Errors: SQ_E_FORMAT with path, line, element, value and reason; nothing is told then.
 */
SQ_MUST_CHECK sq_status sq_iso_camt054(sq_bytes bytes, const char *path, uint64_t window, const char *code,
                                       struct sq_iso_told *out, struct sq_error *err);
void sq_iso_told_free(struct sq_iso_told *t);

/* ---- statements ---- */

struct sq_iso_entry {
    char reference[SQ_ISO_REFERENCE_SIZE];  /* unique in the statement */
    char end_to_end[SQ_ISO_REFERENCE_SIZE]; /* "": there is none, which is written NOTPROVIDED */
    const char *what;                       /* "REDEEM", ...: proprietary transaction code */
    const char *text;                       /* remittance text, at most 140 bytes; NULL: none */
    int64_t amount_fen;                     /* negative: a debit */
    uint32_t day;                           /* booked, yyyymmdd */
};

struct sq_iso_statement {
    char id[SQ_ISO_REFERENCE_SIZE];
    const char *account, *owner; /* account: at most 34 bytes */
    int64_t opening_fen;
    uint32_t from_day, to_day;
    const struct sq_iso_entry *entries;
    size_t count;
};

SQ_MUST_CHECK sq_status sq_iso_camt053(const char *message_id, uint64_t at_ms,
                                       const struct sq_iso_statement *statements, size_t count, uint8_t **bytes,
                                       size_t *size, struct sq_error *err);

#endif
