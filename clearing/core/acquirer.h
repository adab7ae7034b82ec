/*
 * What the parts of the acquirer's side share: redeem.c (batches), bundle.c (rows that go together), asking.c (what they ask of other
 * nodes), reversal.c (returns that an invoice's home asks for).
 */
#ifndef SQ_ACQUIRER_H
#define SQ_ACQUIRER_H

#include "clearing/core/issuer.h"

/* A batch at its acquirer that waits for invoice homes or issuers. */
enum sq_row_stage {
    SQ_ROW_REGISTERING = 1,
    SQ_ROW_CLEARING,
    SQ_ROW_DONE,
    /* of parts of bundles: bundle.c */
    SQ_ROW_NEW,
    SQ_ROW_READY,
    SQ_ROW_RESERVING,
    SQ_ROW_HELD,
    SQ_ROW_COMMITTING,
    SQ_ROW_RELEASING
};
struct sq_waiting {
    uint64_t id;       /* of the provider's message; 0: nobody waits for an answer */
    uint64_t seq;      /* of its journal entry; names the batch to peers */
    uint64_t until_ms; /* when its bundles that are not decided yet run out of time; 0: it has none */
    uint32_t party, rows;
    uint32_t left; /* rows that the provider has no answer about */
    uint32_t open; /* rows that others still have something to say about */
    uint32_t body_size;
    int64_t amount_fen; /* accepted so far */
    uint64_t accepted, received_ms;
    uint8_t *body; /* canonical Batch; the columns lie behind it, see waiting.c */
    uint8_t *stage, *code, *claims,
        *invoice; /* code of a row that is not done: 0, or what it was refused with while others are asked */
};
/* Does the provider's answer for this row stand? */
static inline int sq_row_decided(const struct sq_waiting *w, size_t i)
{
    return w->stage[i] == SQ_ROW_DONE || w->code[i] != SQ_OK;
}

/* ---- waiting.c ---- */
/* Room for `r` rows at no stage yet; NULL when memory is out. Valid until the next is added or removed. */
struct sq_waiting *sq_waiting_add(struct sq_step *s, sq_bytes body, const struct sq_rows *r);
struct sq_waiting *sq_waiting_find(struct sq_core *core, uint64_t seq);
void sq_waiting_remove(struct sq_core *core, struct sq_waiting *w);
void sq_waiting_free(struct sq_waiting *w);
SQ_MUST_CHECK sq_status sq_waiting_rows(struct sq_step *s, const struct sq_waiting *w, const Sanquan__V1__Batch **batch,
                                        struct sq_rows *rows);
/* Has this provider a claim on this invoice that is not decided yet? */
int sq_waiting_claims(const struct sq_core *core, uint32_t provider, const uint8_t invoice[static SQ_INVOICE_CELL]);
/* The batch whose bundles run out of time next; NULL: none has any. Sets core->bundles_next_ms. */
struct sq_waiting *sq_waiting_next(struct sq_core *core);
void sq_waiting_dump(const struct sq_core *core, struct sq_dump *d);
SQ_MUST_CHECK sq_status sq_waiting_undump(struct sq_core *core, struct sq_reader *r, struct sq_error *err);

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

/* Kind of the row's programme, which is known here; from 1. */
static inline uint32_t sq_row_kind(const struct sq_core *core, const struct sq_rows *r, size_t i)
{
    return sq_programme_at(core, sq_programme_of_voucher(core, r->voucher[i]))->kind;
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

/* The provider's answer for this row is `code`. Where others are still to be told, the row stays at its stage. */
void sq_row_answer(struct sq_core *core, struct sq_waiting *w, const struct sq_rows *r, size_t i, unsigned code);
/* Nobody has anything more to say about this row. */
void sq_row_close(struct sq_waiting *w, size_t i);
/* What was decided of these rows here becomes a step of this node's own link. */
sq_status sq_owe_local(struct sq_step *s, const struct sq_decision *d, uint64_t batch, const uint32_t *row,
                       const uint8_t *code, size_t n);
/* The provider is answered when all rows are decided; the batch is forgotten when nobody is asked any more. */
sq_status sq_answer_if_done(struct sq_step *s, struct sq_waiting *w);

/* Rows that wait for this answer of their issuer have it: the codes are those of m->row. `before`: as of sq_bundles_begin. */
sq_status sq_rows_decided(struct sq_step *s, struct sq_waiting *w, const Sanquan__V1__Batch *batch,
                          const struct sq_rows *r, const Sanquan__V1__Decided *m, const uint8_t *before);

/* ---- broken.c ---- */
/* A decision in form that does not continue its link, with its bytes: kept until a statement of the link has been taken. */
sq_status sq_broken_keep(struct sq_step *s, uint32_t from, const Sanquan__V1__Decided *m, sq_bytes body);

/* ---- bundle.c ---- */
/* At the begin of a step about a waiting batch: which rows are decided before it. *before is NULL when it has no bundles. */
sq_status sq_bundles_begin(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, uint8_t **before);
/* The outcome of the step lists what it has decided. */
sq_status sq_bundles_list(struct sq_step *s, const struct sq_waiting *w, const uint8_t *before);
/* After a batch has come, or something was heard about it: takes every bundle as far as it goes now. */
sq_status sq_bundles_go_on(struct sq_step *s, struct sq_waiting *w, const Sanquan__V1__Batch *batch,
                           const struct sq_rows *r);
/* May bundles of this batch begin now? 0 or a refusal. */
unsigned sq_part_check(const struct sq_step *s, const Sanquan__V1__Batch *batch);
/* Which verb must a decision about this row have asked for? 0 for a row by itself; SQ_ROW_NONE: none is expected. */
uint32_t sq_part_asked(const struct sq_waiting *w, size_t i);
/* The issuer has decided what it was asked for: 1 when the home of the invoice must hear that it is free. */
int sq_part_decided(struct sq_core *core, struct sq_waiting *w, const struct sq_rows *r, size_t i, unsigned code);

/* ---- asking.c ---- */
/* Its number at its issuer. */
uint64_t sq_part_number(const struct sq_waiting *w, uint32_t row);
/* Rows to their invoices' home, or to their issuer. */
sq_status sq_send_register(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, uint32_t node,
                           uint32_t *row, size_t n);
/* part_verb: what is asked for parts of bundles; 0: rows by themselves, as the provider has written them. */
sq_status sq_send_clear(struct sq_step *s, const struct sq_waiting *w, const Sanquan__V1__Batch *batch, uint32_t node,
                        uint8_t part_verb, uint32_t *row, size_t n);
/* The homes of their invoices hear how these rows have ended. */
sq_status sq_give_back(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, const uint32_t *row,
                       size_t n);

#endif
