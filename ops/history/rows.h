/*
 * The rows of one journal entry, as columns where they lie in its bytes.
 *
 * Nothing is unpacked: a batch of 8,192 redemptions is opened in a fraction of a microsecond, and one row of it read for as
 * little. Only entries that the core accepted have rows.
 */
#ifndef SQ_ROWS_H
#define SQ_ROWS_H

#include "clearing/ledger/ledger.h"
#include "proto/sanquan.pb-c.h"
#include "proto/wire.h"

/* Unregister.end */
enum sq_claim_end { SQ_CLAIM_REFUSED = 1, SQ_CLAIM_RETURNED, SQ_CLAIM_KEPT };

struct sq_rows_of_entry {
    uint64_t seq, now_ms;
    uint32_t
        type; /* MessageType: BATCH (also for the returns of a REVERSE or REVERSED), CLEAR, REGISTER, UNREGISTER, REGISTERED, DECIDED (also for a TICK that ended the time of bundles), GRANT, MANDATE or REVOKE */
    uint32_t count;
    char sender[SQ_NAME_SIZE_MAX + 1]; /* of the message */
    char provider[19];                 /* USCC; BATCH, CLEAR, REGISTER, UNREGISTER and MANDATE */
    uint64_t batch;         /* CLEAR, REGISTER, REGISTERED, DECIDED: the acquirer's sequence number of the batch */
    uint64_t link;          /* DECIDED: number in the link stream; 0: no obligation came of it */
    uint64_t first_voucher; /* GRANT: row i is voucher first_voucher + i */
    sq_bytes body;          /* the message */
    /* Columns, little-endian cells; NULL: not there. */
    const uint8_t *voucher, *amount, *base, *invoice, *total, *service, *scenario, *day, *verb;
    const uint8_t *reservation, *bundle;
    const uint8_t *until;  /* MANDATE: last moment, Unix ms; GRANT has `day` */
    const uint8_t *row;    /* CLEAR, REGISTER, REGISTERED, DECIDED: row of the batch */
    const uint8_t *holder; /* GRANT: index of its holder */
    const uint8_t *end;    /* UNREGISTER: a byte a row, enum sq_claim_end */
    const uint8_t *code;   /* a byte a row; NULL: all 0 */
};

/* 1: the entry has rows. */
int sq_rows_open(const struct sq_entry *e, struct sq_rows_of_entry *out);

static inline uint64_t sq_cell64(const uint8_t *column, uint32_t row)
{
    uint64_t v;
    memcpy(&v, column + 8 * (size_t)row, sizeof v);
    return le64toh(v);
}

static inline uint32_t sq_cell32(const uint8_t *column, uint32_t row)
{
    uint32_t v;
    memcpy(&v, column + 4 * (size_t)row, sizeof v);
    return le32toh(v);
}

static inline uint64_t sq_row_voucher(const struct sq_rows_of_entry *r, uint32_t row)
{
    return r->voucher != NULL ? sq_cell64(r->voucher, row) : r->first_voucher + row;
}

static inline uint8_t sq_row_code(const struct sq_rows_of_entry *r, uint32_t row)
{
    return r->code != NULL ? r->code[row] : 0;
}

/* Of a claim to give back, the amount is negative in the message; here it is not. */
int64_t sq_row_amount_fen(const struct sq_rows_of_entry *r, uint32_t row);
uint8_t sq_row_verb_of(const struct sq_rows_of_entry *r, uint32_t row);

/* What an accepted row moved: positive spent, negative given back, 0 for reservations. BATCH and CLEAR only. */
int64_t sq_row_moved_fen(const struct sq_rows_of_entry *r, uint32_t row);

/* GRANT: the USCC of holder `index`; 0 when there is none. */
int sq_rows_holder(const struct sq_rows_of_entry *r, uint32_t index, char out[static 19]);

/* A voucher number's parts. */
static inline uint32_t sq_voucher_issuer(uint64_t voucher)
{
    return (uint32_t)(voucher / 10000000000000u);
}
static inline uint32_t sq_voucher_programme(uint64_t voucher)
{
    return (uint32_t)(voucher / 1000000000u % 10000u);
}

#endif
