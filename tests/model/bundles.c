/*
 * Bundles: rows that are spent together or not at all.
 *
 * After everything that is heard about a batch its bundles are looked at again, from the first row to the last: own parts that can be held are
 * held; then each bundle is broken, complete, or waits, by what its rows are at then. From its end on it only waits for the tick that says
 * that it is over.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/internal.h"

int model_has_bundles(const struct m_batch *b)
{
    return b->rows->n_bundle != 0;
}

static int is_own(const struct model *m, const struct m_batch *b, size_t i)
{
    struct m_row r = model_row(b->rows, i);
    return model_is_here(m, model_issuer_of(m, &r));
}

/* What the rows of one bundle are at. */
struct look {
    int refused, all_held, undecided;
};

static struct look look_at(const struct m_batch *b, uint32_t bundle)
{
    struct look l = {0, 1, 0};
    for (size_t i = 0; i < b->rows->n_voucher; i++) {
        if (b->rows->bundle[i] != bundle)
            continue;
        l.refused |= b->code[i] != 0;
        l.all_held &= b->stage[i] == M_HELD;
        l.undecided |= !b->told[i] && b->stage[i] != M_COMMITTING;
    }
    return l;
}

/* This node's issuers do as they are asked about row i; returns the refusal. */
static uint32_t do_here(struct model *m, struct m_batch *b, size_t i, uint8_t verb)
{
    struct m_row r = model_row(b->rows, i);
    struct m_asker asker = {b->provider, m->self, b->received_ms, b->rows->reserve_until_ms};
    r.verb = verb;
    r.reservation = PART_NUMBERS + b->seq * 8192 + i;
    m->totals.items_decided++;
    return model_decide(m, &r, &asker);
}

static void hold_own(struct model *m, struct m_batch *b)
{
    for (size_t i = 0; i < b->rows->n_voucher; i++) {
        if (b->rows->bundle[i] == 0 || b->stage[i] != M_REGISTERED || !is_own(m, b, i) ||
            look_at(b, b->rows->bundle[i]).refused)
            continue;
        uint32_t refused = do_here(m, b, i, SANQUAN__V1__VERB__RESERVE);
        b->stage[i] = refused == 0 ? M_HELD : M_DONE;
        if (refused == 0)
            continue;
        model_row_told(m, b, i, refused);
        model_claim_ended(m, b, i);
    }
}

static void give_up(struct model *m, struct m_batch *b, size_t i, uint32_t code)
{
    int stage = b->stage[i];
    if (!b->told[i])
        model_row_told(m, b, i, code);
    if (stage == M_REGISTERED || stage == M_HELD)
        model_claim_ended(m, b, i);
    if (stage == M_HELD && is_own(m, b, i) && do_here(m, b, i, SANQUAN__V1__VERB__RELEASE) != 0)
        abort(); /* it was held here */
    if (stage == M_HELD && !is_own(m, b, i))
        b->stage[i] = M_RELEASING;
    else if (stage == M_REGISTERED || stage == M_HELD || stage == M_UNSENT)
        b->stage[i] = M_DONE;
}

/* What was spent here is one step of this node's debts to itself. */
static void own_step(struct model *m, const struct m_batch *b, const uint8_t *spent)
{
    size_t n = 0;
    struct model_step step;
    uint32_t *row = malloc(4 * b->rows->n_voucher + 4);
    Sanquan__V1__Batch some = *b->rows;
    SQ_ASSERT(row != NULL);
    some.voucher = malloc(8 * b->rows->n_voucher + 8);
    some.amount_fen = malloc(8 * b->rows->n_voucher + 8);
    some.verb = (ProtobufCBinaryData){0, NULL};
    some.n_bundle = 0;
    SQ_ASSERT(some.voucher != NULL && some.amount_fen != NULL);
    for (uint32_t i = 0; i < b->rows->n_voucher; i++)
        if (spent[i]) {
            some.voucher[n] = b->rows->voucher[i];
            some.amount_fen[n] = b->rows->amount_fen[i];
            row[n++] = i;
        }
    uint8_t *code = calloc(n + 1, 1);
    SQ_ASSERT(code != NULL);
    model_add_step(m, m->self, m->self, b->seq, row, code, n, &some, &step);
    free(code);
    free(some.voucher);
    free(some.amount_fen);
    free(row);
}

void model_bundles_go_on(struct model *m, struct m_batch *b, int is_over)
{
    size_t n = b->rows->n_voucher;
    int late = m->now_ms >= b->rows->reserve_until_ms;
    if (!model_has_bundles(b))
        return;
    if (!late)
        hold_own(m, b);
    struct look *look = calloc(n + 1, sizeof *look); /* all are looked at before any of them moves */
    uint8_t *spent = calloc(n + 1, 1);
    SQ_ASSERT(look != NULL && spent != NULL);
    for (size_t i = 0; i < n; i++)
        look[i] = look_at(b, b->rows->bundle[i]);
    for (size_t i = 0; i < n; i++) {
        if (b->rows->bundle[i] == 0 || b->stage[i] == M_DONE)
            continue;
        if (look[i].refused || (is_over && look[i].undecided)) {
            give_up(m, b, i, look[i].refused ? SQ_R_BUNDLE : SQ_R_EXPIRED);
        } else if (late) {
            continue; /* a tick is to come */
        } else if (look[i].all_held && !is_own(m, b, i)) {
            b->stage[i] = M_COMMITTING;
        } else if (look[i].all_held) {
            if (do_here(m, b, i, SANQUAN__V1__VERB__COMMIT) != 0)
                abort(); /* it was held here */
            b->stage[i] = M_DONE;
            model_row_told(m, b, i, 0);
            spent[i] = 1;
        } else if (b->stage[i] == M_REGISTERED) {
            b->stage[i] = M_RESERVING;
        }
    }
    own_step(m, b, spent);
    free(look);
    free(spent);
}

void model_bundles_list(struct m_verdict *v, const struct m_batch *b, const uint8_t *told)
{
    if (!model_has_bundles(b))
        return;
    free(v->code);
    v->code = calloc(b->rows->n_voucher + 1, 1);
    v->row = calloc(b->rows->n_voucher + 1, 4);
    SQ_ASSERT(v->code != NULL && v->row != NULL);
    v->code_count = 0;
    for (uint32_t i = 0; i < b->rows->n_voucher; i++)
        if (b->told[i] && !told[i]) {
            v->row[v->code_count] = i;
            v->code[v->code_count++] = b->code[i];
        }
}

void model_on_bundles_due(struct model *m, uint64_t batch, struct m_verdict *v)
{
    struct m_batch *b = model_batch_at(m, batch);
    if (b == NULL || m->now_ms < b->rows->reserve_until_ms) {
        model_wrong(v, "the bundles of batch %" PRIu64 " are not due", batch);
        return;
    }
    uint8_t *told = malloc(b->rows->n_voucher + 1);
    SQ_ASSERT(told != NULL);
    memcpy(told, b->told, b->rows->n_voucher);
    model_bundles_go_on(m, b, 1);
    model_bundles_list(v, b, told);
    free(told);
    model_answer(m, b, v);
}
