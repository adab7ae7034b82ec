/*
 * A region has not paid for a window that is final: who bears what.
 *
 * The payments stand as they were agreed; those that the region was to make are made by others instead, and the value in which its default
 * is agreed on says by whom, as a pure function of the unpaid window's value and the charter:
 *
 *   1. the region's guarantee fund, where the charter has that rule, as far as it reaches: payments in the order of the value
 *   2. of what is left of a payment into the settlement account, the survivors, in proportion to what the region owed each of them in
 *      that kind and window; fractions of a fen are dropped, and the fen so left over are paid one each by the first of them in the order of codes
 *   3. what is left of a payment to another region is that region's loss
 *
 * Invariants: what is paid instead of a payment into the settlement account adds up to it, to the fen; nobody pays who was owed nothing.
 */
#include <stdlib.h>

#include "clearing/settlement/internal.h"

static const struct sq_window *final_window(const struct sq_settlement *s, uint64_t window)
{
    return window >= 1 && window <= s->window_count && s->windows[window - 1]->decided.data != NULL
               ? s->windows[window - 1]
               : NULL;
}

int sq_settlement_defaulted(const struct sq_settlement *s, uint32_t node, uint64_t window)
{
    for (uint32_t i = 0; i < s->defaults.count; i++) {
        const struct sq_default *d = SQ_ROW(&s->defaults, struct sq_default, i);
        if (d->node == node && d->window == window)
            return 1;
    }
    return 0;
}

int sq_loss_possible(const struct sq_settlement *s, uint32_t node, uint64_t window)
{
    const struct sq_window *w = final_window(s, window);
    Sanquan__V1__Settlement *v = w != NULL ? sq_settlement_open(sq_bytes_of(w->decided.data, w->decided.size)) : NULL;
    int pays = 0;
    for (size_t i = 0; v != NULL && i < v->n_payments; i++)
        pays |= strcmp(v->payments[i]->payer, s->codes[node]) == 0;
    if (v != NULL)
        sanquan__v1__settlement__free_unpacked(v, NULL);
    return pays && !sq_settlement_defaulted(s, node, window);
}

/* ---- one payment that is not made ---- */

static sq_status add(struct sq_losses *l, uint32_t kind, uint32_t payer, const char *payee, int64_t fen,
                     struct sq_error *err)
{
    if (fen == 0)
        return SQ_OK;
    struct sq_loss *row = sq_table_add(&l->rows, NULL);
    if (row == NULL)
        return sq_fail(err, SQ_E_NOMEM, "losses");
    row->kind = kind;
    row->payer = payer;
    memcpy(row->payee, payee, strlen(payee) < sizeof row->payee ? strlen(payee) : sizeof row->payee - 1);
    row->amount_fen = fen;
    return SQ_OK;
}

/* What the region owed each other one in the kind, by node number; returns the sum. */
static __int128 owed_to(const struct sq_settlement *s, const Sanquan__V1__Settlement *v, uint32_t node, uint32_t kind,
                        int64_t *weight)
{
    __int128 sum = 0;
    memset(weight, 0, s->n * sizeof *weight);
    for (size_t i = 0; i < v->n_pairs; i++) {
        uint32_t creditor = sq_code_find(s, v->pairs[i]->creditor);
        if (strcmp(v->pairs[i]->debtor, s->codes[node]) != 0 || creditor == SQ_ROW_NONE ||
            v->pairs[i]->total_fen[kind - 1] <= 0)
            continue;
        weight[creditor] = v->pairs[i]->total_fen[kind - 1];
        sum += weight[creditor];
    }
    return sum;
}

static sq_status share(const struct sq_settlement *s, const Sanquan__V1__Settlement *v, uint32_t node, uint32_t kind,
                       int64_t fen, struct sq_losses *l, struct sq_error *err)
{
    int64_t *weight = malloc(s->n * sizeof *weight), left = fen;
    if (weight == NULL)
        return sq_fail(err, SQ_E_NOMEM, "losses");
    __int128 sum = owed_to(s, v, node, kind, weight);
    sq_status st = SQ_OK;
    for (uint32_t i = 0; sum != 0 && i < s->n; i++)
        left -= (int64_t)(fen * (__int128)weight[i] / sum);
    for (uint32_t i = 0; sum != 0 && st == SQ_OK && i < s->n; i++) {
        int64_t part = (int64_t)(fen * (__int128)weight[i] / sum);
        if (weight[i] != 0 && left > 0) {
            part++;
            left--;
        }
        st = add(l, kind, i, "hub", part, err);
    }
    free(weight);
    return st;
}

/* ---- all of a window ---- */

sq_status sq_losses_of(const struct sq_settlement *s, uint32_t node, uint64_t window, struct sq_losses *l,
                       struct sq_error *err)
{
    const struct sq_window *w = final_window(s, window);
    Sanquan__V1__Settlement *v = w != NULL ? sq_settlement_open(sq_bytes_of(w->decided.data, w->decided.size)) : NULL;
    int64_t fund = s->charter.loss_rule == SQ_LOSS_FUND ? s->regions[node].guarantee_fen - l->fund_used[node] : 0;
    sq_status st = SQ_OK;
    if (v == NULL)
        return sq_fail(err, SQ_E_NOMEM, "losses of window %" PRIu64, window);
    for (size_t i = 0; st == SQ_OK && i < v->n_payments; i++) {
        const Sanquan__V1__Payment *p = v->payments[i];
        if (strcmp(p->payer, s->codes[node]) != 0)
            continue;
        int64_t from_fund = fund < p->amount_fen ? fund : p->amount_fen;
        fund -= from_fund;
        l->fund_used[node] += from_fund;
        st = add(l, p->kind, SQ_FUND_OF + node, p->payee, from_fund, err);
        if (st == SQ_OK && strcmp(p->payee, "hub") == 0)
            st = share(s, v, node, p->kind, p->amount_fen - from_fund, l, err);
    }
    sanquan__v1__settlement__free_unpacked(v, NULL);
    return st;
}

sq_status sq_losses_new(const struct sq_settlement *s, struct sq_losses *l, struct sq_error *err)
{
    *l = (struct sq_losses){.rows = SQ_TABLE_OF(struct sq_loss), .fund_used = calloc(s->n + 1u, sizeof(int64_t))};
    return l->fund_used != NULL ? SQ_OK : sq_fail(err, SQ_E_NOMEM, "losses");
}

void sq_losses_free(struct sq_losses *l)
{
    sq_table_free(&l->rows);
    free(l->fund_used);
}

/* At the region's own node: the window will not be paid from here, so nothing of it is committed any more. */
static sq_status give_up(struct sq_settlement *s, struct sq_window *w, struct sq_error *err)
{
    Sanquan__V1__Settlement *v = sq_settlement_open(sq_bytes_of(w->decided.data, w->decided.size));
    if (v == NULL)
        return sq_fail(err, SQ_E_NOMEM, "settlement of window %" PRIu64, w->number);
    for (size_t i = 0; i < v->n_payments; i++)
        sq_account_move(s, v->payments[i], SQ_ACCOUNT_DROP);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    w->state = SQ_WINDOW_DEFAULTED;
    return SQ_OK;
}

/* The value that says so is final. */
sq_status sq_default_apply(struct sq_settlement *s, const struct sq_change *c, uint64_t declared, struct sq_error *err)
{
    struct sq_losses l;
    struct sq_default *d;
    sq_status st = sq_losses_new(s, &l, err);
    if (st == SQ_OK)
        st = sq_losses_of(s, c->node, c->unpaid, &l, err);
    if (st == SQ_OK && (d = sq_table_add(&s->defaults, NULL)) == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "default of %s", s->codes[c->node]);
    if (st == SQ_OK) {
        d->window = c->unpaid;
        d->declared = declared;
        d->node = c->node;
        s->regions[c->node].guarantee_fen -= l.fund_used[c->node];
        if (c->node == s->self && s->windows[c->unpaid - 1]->state != SQ_WINDOW_SETTLED)
            st = give_up(s, s->windows[c->unpaid - 1], err);
    }
    sq_losses_free(&l);
    return st;
}
