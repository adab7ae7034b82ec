/*
 * Obligations are added up by debtor and creditor (their gross), then by pair, from which nets and payments are read off in a
 * fixed order.
 *
 * Invariants, checked on every run: nets of a kind sum to zero; for every participant and kind, payments received less
 * payments made equal the net. Both are int64 sums taken in 128 bits, so that only a result out of range is refused.
 */
#include "clearing/netting/netting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- adding up ---- */

static int by_kind_and_pair(const void *a, const void *b)
{
    const struct sq_obligation *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->debtor != y->debtor)
        return x->debtor < y->debtor ? -1 : 1;
    return x->creditor < y->creditor ? -1 : x->creditor > y->creditor;
}

/* Obligations of one debtor to one creditor are added up; ascending by kind, debtor, creditor. Returns how many are left. */
static size_t fold(struct sq_obligation *o, size_t count, int *overflow)
{
    size_t folded = 0;
    qsort(o, count, sizeof *o, by_kind_and_pair);
    for (size_t i = 0; i < count;) {
        __int128 sum = 0;
        size_t first = i;
        while (i < count && by_kind_and_pair(&o[first], &o[i]) == 0)
            sum += o[i++].amount_fen;
        *overflow |= sum > INT64_MAX || sum < -INT64_MAX;
        o[folded] = o[first];
        o[folded++].amount_fen = (int64_t)sum;
    }
    return folded;
}

/* Each pair once, named by its smaller participant first: a positive sum is owed by the first to the second. */
static size_t fold_pairs(struct sq_obligation *o, size_t count, int *overflow)
{
    for (size_t i = 0; i < count; i++)
        if (o[i].debtor > o[i].creditor) {
            uint32_t swap = o[i].debtor;
            o[i].debtor = o[i].creditor;
            o[i].creditor = swap;
            o[i].amount_fen = -o[i].amount_fen; /* never INT64_MIN: refused before */
        }
    return fold(o, count, overflow);
}

static void add_gross(const struct sq_obligation *o, size_t count, int64_t gross_fen[static SQ_KIND_COUNT], int *overflow)
{
    for (size_t i = 0; i < count; i++) {
        int64_t owed = o[i].amount_fen < 0 ? -o[i].amount_fen : o[i].amount_fen;
        *overflow |= __builtin_add_overflow(gross_fen[o[i].kind - 1], owed, &gross_fen[o[i].kind - 1]);
    }
}

static sq_status add_nets(const struct sq_obligation *pair, size_t count, struct sq_net_result *r, struct sq_error *err)
{
    for (size_t i = 0; i < count; i++) {
        int64_t *debtor = &r->net_fen[(size_t)pair[i].debtor * SQ_KIND_COUNT + pair[i].kind - 1];
        int64_t *creditor = &r->net_fen[(size_t)pair[i].creditor * SQ_KIND_COUNT + pair[i].kind - 1];
        if (__builtin_sub_overflow(*debtor, pair[i].amount_fen, debtor) || __builtin_add_overflow(*creditor, pair[i].amount_fen, creditor))
            return sq_fail(err, SQ_E_OVERFLOW, "kind %u: a position leaves int64 fen", pair[i].kind);
    }
    return SQ_OK;
}

/* ---- payments ---- */

static int by_kind_payer_payee(const void *a, const void *b)
{
    const struct sq_payment *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->payer != y->payer)
        return x->payer < y->payer ? -1 : 1;
    return x->payee < y->payee ? -1 : x->payee > y->payee;
}

static void pay(struct sq_net_result *r, uint32_t kind, uint32_t payer, uint32_t payee, int64_t fen)
{
    if (fen < 0) {
        pay(r, kind, payee, payer, -fen);
        return;
    }
    if (fen == 0)
        return;
    r->payments[r->payment_count++] = (struct sq_payment){kind, payer, payee, fen};
}

static void pay_bilateral(const struct sq_obligation *pair, size_t count, struct sq_net_result *r)
{
    for (size_t i = 0; i < count; i++)
        pay(r, pair[i].kind, pair[i].debtor, pair[i].creditor, pair[i].amount_fen);
}

static void pay_hub(struct sq_net_result *r)
{
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
        for (uint32_t p = 0; p < r->participant_count; p++)
            pay(r, kind, SQ_HUB, p, r->net_fen[(size_t)p * SQ_KIND_COUNT + kind - 1]);
}

/* Our own reasoning, checked at every run: nothing is made, nothing is lost. */
static sq_status check(const struct sq_net_result *r, struct sq_error *err)
{
    size_t cells = (size_t)r->participant_count * SQ_KIND_COUNT;
    int64_t *left = malloc((cells + 1) * sizeof *left);
    __int128 sum[SQ_KIND_COUNT] = {0};
    if (left == NULL)
        return sq_fail(err, SQ_E_NOMEM, "check of %u participants", r->participant_count);
    memcpy(left, r->net_fen, cells * sizeof *left);
    for (size_t i = 0; i < cells; i++)
        sum[i % SQ_KIND_COUNT] += left[i];
    for (size_t i = 0; i < r->payment_count; i++) {
        const struct sq_payment *p = &r->payments[i];
        SQ_ASSERT(p->amount_fen > 0);
        if (p->payer != SQ_HUB)
            left[(size_t)p->payer * SQ_KIND_COUNT + p->kind - 1] += p->amount_fen;
        if (p->payee != SQ_HUB)
            left[(size_t)p->payee * SQ_KIND_COUNT + p->kind - 1] -= p->amount_fen;
    }
    for (size_t i = 0; i < cells; i++)
        SQ_ASSERT(left[i] == 0);
    for (size_t i = 0; i < SQ_KIND_COUNT; i++)
        SQ_ASSERT(sum[i] == 0);
    free(left);
    return SQ_OK;
}

/* ---- all of it ---- */

static sq_status check_input(const struct sq_obligation *o, size_t count, uint32_t participants, struct sq_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (o[i].debtor >= participants || o[i].creditor >= participants || o[i].debtor == o[i].creditor ||
            o[i].kind < 1 || o[i].kind > SQ_KIND_COUNT || o[i].amount_fen == INT64_MIN)
            return sq_fail(err, SQ_E_FORMAT, "obligation %zu: %u owes %u, kind %u, %" PRId64 " fen", i, o[i].debtor,
                           o[i].creditor, o[i].kind, o[i].amount_fen);
    return SQ_OK;
}

static sq_status net_pairs(enum sq_netting_method method, struct sq_obligation *pair, size_t count, struct sq_net_result *r,
                           struct sq_error *err)
{
    size_t most = method == SQ_NET_BILATERAL ? count : (size_t)r->participant_count * SQ_KIND_COUNT;
    r->net_fen = calloc((size_t)r->participant_count * SQ_KIND_COUNT + 1, sizeof *r->net_fen);
    r->payments = malloc((most + 1) * sizeof *r->payments);
    if (r->net_fen == NULL || r->payments == NULL)
        return sq_fail(err, SQ_E_NOMEM, "netting of %u participants", r->participant_count);
    sq_status st = add_nets(pair, count, r, err);
    if (st != SQ_OK)
        return st;
    switch (method) {
    case SQ_NET_BILATERAL:
        pay_bilateral(pair, count, r);
        break;
    case SQ_NET_HUB:
        pay_hub(r);
        break;
    }
    qsort(r->payments, r->payment_count, sizeof *r->payments, by_kind_payer_payee);
    for (size_t i = 0; i < r->payment_count; i++)
        if (__builtin_add_overflow(r->paid_fen[r->payments[i].kind - 1], r->payments[i].amount_fen, &r->paid_fen[r->payments[i].kind - 1]))
            return sq_fail(err, SQ_E_OVERFLOW, "kind %u: payments leave int64 fen", r->payments[i].kind);
    return check(r, err);
}

sq_status sq_net(enum sq_netting_method method, const struct sq_obligation *obligations, size_t count, uint32_t participant_count,
                 struct sq_net_result *out, struct sq_error *err)
{
    struct sq_net_result r = {.participant_count = participant_count};
    int overflow = 0;
    sq_status st = check_input(obligations, count, participant_count, err);
    if (st != SQ_OK)
        return st;
    struct sq_obligation *pair = malloc((count + 1) * sizeof *pair);
    if (pair == NULL)
        return sq_fail(err, SQ_E_NOMEM, "netting of %zu obligations", count);
    if (count != 0)
        memcpy(pair, obligations, count * sizeof *pair);
    size_t pairs = fold(pair, count, &overflow);
    if (!overflow)
        add_gross(pair, pairs, r.gross_fen, &overflow);
    if (!overflow)
        pairs = fold_pairs(pair, pairs, &overflow);
    st = overflow ? sq_fail(err, SQ_E_OVERFLOW, "a sum of obligations leaves int64 fen") : net_pairs(method, pair, pairs, &r, err);
    free(pair);
    if (st != SQ_OK)
        sq_net_result_free(&r);
    else
        *out = r;
    return st;
}

void sq_net_result_free(struct sq_net_result *r)
{
    if (r == NULL)
        return;
    free(r->net_fen);
    free(r->payments);
    *r = (struct sq_net_result){0};
}
