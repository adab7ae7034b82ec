/* Rows of a file of grants: what a voucher is granted on. For `sanquan grant` and `sanquan programme try`. */
#ifndef SQ_VOUCHER_ROW_H
#define SQ_VOUCHER_ROW_H

#include "ops/cli/contract.h"
#include "ops/cli/declared.h"

struct sq_voucher_row {
    char holder[19];
    uint8_t contract[SQ_CONTRACT_BYTES];                 /* its mark; zeros: none is named */
    int64_t face_fen, contract_fen, approved_fen, quota; /* 0: not said */
    uint32_t until_day, contract_day, contract_from_day, contract_until_day, documents;
};

extern const struct sq_column SQ_VOUCHER_COLUMNS[];
extern const unsigned SQ_VOUCHER_COLUMN_COUNT;

/*
 * The columns, as those of a sheet of one's own; whole 0: all but the holder may be left out. Room for SQ_VOUCHER_COLUMN_COUNT.
 */
void sq_voucher_columns(struct sq_column *out, int whole);

/* What is wrong with the row is reported, and c->bad set. */
void sq_voucher_read(struct sq_cells *c, int whole, struct sq_voucher_row *out, struct sq_declared_facts *facts);

#endif
