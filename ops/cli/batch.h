/* Rows of a provider's file as they go into a Batch message. Pure: used by `sanquan submit` and its tests. */
#ifndef SQ_BATCH_H
#define SQ_BATCH_H

#include "ops/cli/declared.h"
#include "proto/wire.h"

#define SQ_INVOICE_BYTES  10 /* 20 digits, two a byte */
#define SQ_EVIDENCE_BYTES 16

struct sq_item {
    uint64_t line, voucher, reservation, reserve_until_ms;
    uint64_t bundle; /* in the file; 0: a row by itself; SQ_BUNDLE_UNKNOWN: it could not be read */
    int64_t amount_fen, base_fen, total_fen, quantity;
    sq_bytes raw; /* the row in the file */
    uint32_t service, scenario, service_day, documents;
    struct sq_declared_facts facts;
    uint8_t invoice[SQ_INVOICE_BYTES], evidence[SQ_EVIDENCE_BYTES], verb, payee;
};

#define SQ_BUNDLE_UNKNOWN UINT64_MAX

extern const struct sq_column SQ_BATCH_COLUMNS[];
extern const unsigned SQ_BATCH_COLUMN_COUNT;

/* 1, or 0 after reporting what is wrong; the bundle is set all the same. Only what no state of any node could make right is refused here. */
int sq_item_read(const struct sq_sheet *sheet, const struct sq_row *row, struct sq_problems *problems,
                 struct sq_item *out);

/* What the items of one batch have in common: the end of their reservations, and the few sets of facts that they declare. */
struct sq_batch_room {
    uint64_t reserve_until_ms;
    struct sq_fact_table facts;
};
#define SQ_BATCH_FACT_SETS 64u
void sq_batch_room_begin(struct sq_batch_room *r);
/* 1 and room is taken; 0 when it must go into another batch. */
int sq_batch_room_take(struct sq_batch_room *r, const struct sq_item *item);
void sq_batch_room_end(struct sq_batch_room *r);

/*
 * The canonical Batch of these items, rows ascending by invoice and, with one invoice, in file order; malloc'd.
 * order[row] is the index of the item in that row. Bundles, whose items follow each other, are numbered from 1 in the batch.
 */
void sq_batch_pack(const struct sq_item *items, uint32_t count, uint32_t *order, uint8_t **body, size_t *size);

#endif
