/*
 * The register of invoices whose home is this node: how much of each has been claimed, by which programmes.
 *
 *   - A programme's bases on one invoice never add up to more than the invoice's total: the same invoice cannot be
 *     claimed twice, and can be shared among vouchers of one programme.
 *   - Subsidies never add up to more than the total, whatever the issuers' rules allow: sums stay in range for any peer's numbers.
 *   - Two programmes may claim one invoice only when both stack (additive), and then all their subsidies together stay
 *     within the smallest of their limits. A programme is held to every class under which it has claimed.
 *   - An invoice has one seller and one total, those of its first claim; when all of it has been given back, of the next. A credit
 *     note says the total for good, whoever claims.
 *
 * Rows are kept in invoice order, because a provider's invoices ascend: a batch walks the register once from left to right.
 */
#ifndef SQ_INVOICE_H
#define SQ_INVOICE_H

#include "clearing/core/register.h"
#include "proto/status.h"

#define SQ_INVOICE_CELL 10 /* bytes of an invoice in a column: 20 decimal digits, two a byte */

/* 0 when a digit is not decimal, or all are zero. */
int sq_invoice_key_of(const uint8_t cell[static SQ_INVOICE_CELL], struct sq_invoice_key *out);

/*
 * First two digits of the province in the number (31 for Shanghai), or 0 when the number names none we know.
 * 数电票: digits 3-4, where 91 to 95 are Dalian, Ningbo, Xiamen, Qingdao and Shenzhen (as their provinces);
 * 12-digit 发票代码 (begins with 0 or 1): digits 2-3; 10-digit 发票代码 (padded with 00): digits 3-4.
 */
uint32_t sq_invoice_province(const struct sq_invoice_key *key);

struct sq_invoices {
    struct sq_register rows;
    struct sq_table others; /* struct other: second and further programmes on an invoice */
};

void sq_invoices_init(struct sq_invoices *r);
void sq_invoices_free(struct sq_invoices *r);

/* Where the last look-up ended: the next, larger key starts there. Zeroed for each batch. */
struct sq_invoice_cursor {
    struct sq_place place;
};

struct sq_invoice_claim {
    struct sq_invoice_key key;
    uint32_t programme; /* number in the core's table */
    uint32_t seller;    /* party number */
    int64_t total_fen, base_fen, amount_fen;
    uint32_t stack_limit_bp; /* 0: exclusive */
    uint32_t acquirer;       /* node that speaks for the seller: only it can give the claim back */
};

/* May this claim be added? 0 or SQ_R_INVOICE_*. Leaves the cursor where sq_invoice_add wants it. */
unsigned sq_invoice_check(const struct sq_invoices *r, const struct sq_invoice_claim *c,
                          struct sq_invoice_cursor *cursor);

/* Add a claim that sq_invoice_check has just allowed, nothing in between. SQ_E_NOMEM: the register is of no more use. */
SQ_MUST_CHECK sq_status sq_invoice_add(struct sq_invoices *r, const struct sq_invoice_claim *c,
                                       struct sq_invoice_cursor *cursor);

/* Could this much be given back, beside what is being returned already? 0 or SQ_R_RETURN_EXCEEDS. */
unsigned sq_invoice_check_return(const struct sq_invoices *r, const struct sq_invoice_claim *c);

/*
 * The same, and hold it until its issuer has decided: two returns under way cannot both have the same money. It stays claimed
 * meanwhile. sq_invoice_end_return ends the hold; when the return was accepted, sq_invoice_subtract goes with it.
 * 0, SQ_R_RETURN_EXCEEDS or SQ_E_NOMEM.
 */
unsigned sq_invoice_begin_return(struct sq_invoices *r, const struct sq_invoice_claim *c);
void sq_invoice_end_return(struct sq_invoices *r, const struct sq_invoice_claim *c);

/* Give back base and amount, as far as they are registered; an unknown invoice is left alone. SQ_E_NOMEM as above. */
SQ_MUST_CHECK sq_status sq_invoice_subtract(struct sq_invoices *r, const struct sq_invoice_claim *c);

/* What a programme has on an invoice, less what is being returned. */
struct sq_invoice_part {
    int64_t base_fen, amount_fen;
    uint32_t programme, padding;
};
struct sq_invoice_state {
    int known;
    uint32_t seller, acquirer;
    uint32_t limit_bp; /* of the total, for all amounts together */
    int64_t total_fen;
    size_t parts; /* how many there are; the first `max` of them are in the array */
};
void sq_invoice_look(const struct sq_invoices *r, const struct sq_invoice_key *key, struct sq_invoice_state *out,
                     struct sq_invoice_part *part, size_t max);

/* From now on this is its total, also before anybody has claimed it. SQ_E_NOMEM as above. */
SQ_MUST_CHECK sq_status sq_invoice_fix(struct sq_invoices *r, const struct sq_invoice_key *key, int64_t total_fen);

/* Sum of amounts registered by all programmes, -1 when the invoice is unknown. */
int64_t sq_invoice_claimed(const struct sq_invoices *r, const struct sq_invoice_key *key);

/* The base that the claim's programme has registered on its invoice, and the total that bounds it: the first claim's, or this one's. */
int64_t sq_invoice_base_used(const struct sq_invoices *r, const struct sq_invoice_claim *c, int64_t *total_fen);

/* A dump that borrows ends with sq_invoices_dump_done. */
void sq_invoices_dump(struct sq_invoices *r, struct sq_dump *d);
void sq_invoices_dump_done(struct sq_invoices *r);
SQ_MUST_CHECK sq_status sq_invoices_undump(struct sq_invoices *r, struct sq_reader *in, struct sq_error *err);

#endif
