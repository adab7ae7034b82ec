/* Rows of a provider's file as they go into a Batch message. Pure: used by `sanquan submit` and its tests. */
#ifndef SQ_BATCH_H
#define SQ_BATCH_H

#include "ops/cli/sheet.h"
#include "proto/sanquan.pb-c.h"
#include "proto/wire.h"

#define SQ_INVOICE_BYTES 10 /* 20 digits, two a byte */
#define SQ_EVIDENCE_BYTES 16

struct sq_item {
    uint64_t line, voucher, reservation, reserve_until_ms;
    int64_t amount_fen, base_fen, total_fen;
    sq_bytes raw;              /* the row in the file */
    uint32_t service, scenario, service_day;
    uint8_t invoice[SQ_INVOICE_BYTES], evidence[SQ_EVIDENCE_BYTES], verb;
};

extern const struct sq_column SQ_BATCH_COLUMNS[];
extern const unsigned SQ_BATCH_COLUMN_COUNT;

/* 1, or 0 after reporting what is wrong. Only what no state of any node could make right is refused here. */
int sq_item_read(const struct sq_sheet *sheet, const struct sq_row *row, struct sq_problems *problems, struct sq_item *out);

/* May this item go into a batch whose reservations end at `until_ms` (0: none so far)? */
int sq_item_fits(const struct sq_item *item, uint64_t until_ms);

/*
 * The canonical Batch of these items, rows ascending by invoice and, with one invoice, in file order; malloc'd.
 * order[row] is the index of the item in that row.
 */
void sq_batch_pack(const struct sq_item *items, uint32_t count, uint32_t *order, uint8_t **body, size_t *size);

#endif
