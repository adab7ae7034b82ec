/*
 * What the parts of the acquirer's side share: redeem.c (batches), asking.c (what they ask of other nodes), reversal.c (returns that
 * an invoice's home asks for).
 */
#ifndef SQ_ACQUIRER_H
#define SQ_ACQUIRER_H

#include "clearing/core/state.h"

/* Home node of the row's invoice; this node where it has none. */
static inline uint32_t sq_row_home(const struct sq_core *core, const struct sq_rows *r, size_t i)
{
    struct sq_invoice_key key;
    uint8_t verb = sq_row_verb(r, i);
    if ((!sq_verb_claims(verb) && verb != SANQUAN__V1__VERB__RETURN) ||
        !sq_invoice_key_of(r->invoice + i * SQ_INVOICE_CELL, &key))
        return core->self; /* no invoice, no home */
    return sq_node_of_invoice(core, &key);
}

/* Node of the row's issuer; SQ_ROW_NONE. */
static inline uint32_t sq_row_issuer(const struct sq_core *core, const struct sq_rows *r, size_t i)
{
    uint64_t issuer = r->voucher[i] / SQ_SERIAL_RADIX / SQ_PROGRAMME_RADIX;
    return issuer > 999999 ? SQ_ROW_NONE : sq_node_of_issuer(core, (uint32_t)issuer);
}

/* What the row moves when it is accepted: spent positive, given back negative. */
static inline int64_t sq_row_moves(const struct sq_rows *r, size_t i)
{
    switch (sq_row_verb(r, i)) {
    case SANQUAN__V1__VERB__REDEEM:
    case SANQUAN__V1__VERB__COMMIT:
        return r->amount_fen[i];
    case SANQUAN__V1__VERB__RETURN:
        return -r->amount_fen[i];
    default:
        return 0;
    }
}

/* How a row that is done has ended for the register of invoices. */
static inline enum sq_row_end sq_row_end_of(const struct sq_waiting *w, const struct sq_rows *r, uint32_t row)
{
    uint8_t verb = sq_row_verb(r, row);
    if (verb == SANQUAN__V1__VERB__RETURN)
        return w->code[row] == SQ_OK ? SQ_END_RETURN_ACCEPTED : SQ_END_RETURN_REFUSED;
    return sq_verb_claims(verb) && w->code[row] != SQ_OK ? SQ_END_CLAIM_REFUSED : SQ_END_NONE;
}

/* ---- redeem.c ---- */
/* Rows of RETURN that the home of their invoice asks for, on this provider of this node; it holds them already. */
sq_status sq_returns_begin(struct sq_step *s, uint32_t provider, const Sanquan__V1__Batch *batch,
                           const struct sq_rows *r);

/* ---- asking.c ---- */
/* Rows to their invoices' home, or to their issuer. */
sq_status sq_send_register(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, uint32_t node,
                           uint32_t *row, size_t n);
sq_status sq_send_clear(struct sq_step *s, const struct sq_waiting *w, const Sanquan__V1__Batch *batch, uint32_t node,
                        uint32_t *row, size_t n);
/* The homes of their invoices hear how these rows have ended. */
sq_status sq_give_back(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, const uint32_t *row,
                       size_t n);

#endif
