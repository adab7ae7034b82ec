/*
 * One pass adds obligations up into ordered pairs; nets are read off the pairs, and each method makes its payments from both.
 *
 *   obligations --fold--> pairs (ascending by kind, debtor, creditor; amounts > 0) --> nets --method--> payments, left
 *
 * Invariants, checked on every run: nets of a kind sum to zero; for every participant and kind, payments received less
 * payments made, and what is left to it less what is left from it, equal the net; what is left of a pair is between 0 and
 * the pair. Sums are taken in 128 bits, so that only a result out of range is refused.
 */
#include "clearing/netting/netting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/netting/setoff.h"

static const char *const names[SQ_NETTING_METHODS + 1] = {
    [SQ_NET_BILATERAL] = "bilateral", [SQ_NET_HUB] = "hub",     [SQ_NET_CYCLES] = "cycles",
    [SQ_NET_FUNDS] = "funds",         [SQ_NET_GROSS] = "gross",
};

const char *sq_netting_name(uint32_t method)
{
    return method <= SQ_NETTING_METHODS ? names[method] : NULL;
}

uint32_t sq_netting_find(const char *name)
{
    for (uint32_t m = 1; m <= SQ_NETTING_METHODS; m++)
        if (strcmp(names[m], name) == 0)
            return m;
    return 0;
}

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

/* Ascending, each ordered pair once; pairs that come to nothing are dropped. Returns how many are left. */
static size_t add_up(struct sq_obligation *o, size_t count, int *overflow)
{
    size_t pairs = 0, sorted = 1;
    while (sorted < count && by_kind_and_pair(&o[sorted - 1], &o[sorted]) <= 0)
        sorted++;
    if (sorted < count)
        qsort(o, count, sizeof *o, by_kind_and_pair);
    for (size_t i = 0; i < count;) {
        __int128 sum = 0;
        size_t first = i;
        while (i < count && by_kind_and_pair(&o[first], &o[i]) == 0)
            sum += o[i++].amount_fen;
        *overflow |= sum > INT64_MAX || sum < -INT64_MAX;
        if (sum == 0)
            continue;
        o[pairs] = o[first];
        o[pairs++].amount_fen = (int64_t)sum;
    }
    return pairs;
}

/* Ordered pairs with what the first owes the second, all > 0. */
static size_t fold_pairs(struct sq_obligation *o, size_t count, int *overflow)
{
    int turned = 0;
    count = add_up(o, count, overflow);
    for (size_t i = 0; !*overflow && i < count; i++) /* a sum that left int64 is cut off, and may have no negative */
        if (o[i].amount_fen < 0) {
            o[i] = (struct sq_obligation){o[i].creditor, o[i].debtor, o[i].kind, -o[i].amount_fen};
            turned = 1;
        }
    return turned ? add_up(o, count, overflow) : count;
}

static size_t cell(uint32_t participant, uint32_t kind)
{
    return (size_t)participant * SQ_KIND_COUNT + kind - 1;
}

static sq_status add_nets(const struct sq_obligation *pair, size_t count, struct sq_net_result *r, struct sq_error *err)
{
    size_t cells = (size_t)r->participant_count * SQ_KIND_COUNT;
    __int128 *sum = calloc(cells + 1, sizeof *sum);
    sq_status st = SQ_OK;
    if (sum == NULL)
        return sq_fail(err, SQ_E_NOMEM, "nets of %u participants", r->participant_count);
    for (size_t i = 0; st == SQ_OK && i < count; i++) {
        sum[cell(pair[i].debtor, pair[i].kind)] -= pair[i].amount_fen;
        sum[cell(pair[i].creditor, pair[i].kind)] += pair[i].amount_fen;
        if (__builtin_add_overflow(r->gross_fen[pair[i].kind - 1], pair[i].amount_fen, &r->gross_fen[pair[i].kind - 1]))
            st = sq_fail(err, SQ_E_OVERFLOW, "kind %u: the sum of obligations leaves int64 fen", pair[i].kind);
    }
    for (size_t i = 0; st == SQ_OK && i < cells; i++) {
        if (sum[i] > INT64_MAX || sum[i] < -INT64_MAX)
            st = sq_fail(err, SQ_E_OVERFLOW, "kind %zu: a position leaves int64 fen", i % SQ_KIND_COUNT + 1);
        r->net_fen[i] = (int64_t)sum[i];
    }
    free(sum);
    return st;
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

static void pay_gross(const struct sq_obligation *pair, size_t count, struct sq_net_result *r)
{
    for (size_t i = 0; i < count; i++)
        pay(r, pair[i].kind, pair[i].debtor, pair[i].creditor, pair[i].amount_fen);
}

static void pay_bilateral(const struct sq_obligation *pair, size_t count, struct sq_net_result *r)
{
    for (size_t i = 0; i < count; i++) {
        const struct sq_obligation back = {pair[i].creditor, pair[i].debtor, pair[i].kind, 0};
        const struct sq_obligation *other = bsearch(&back, pair, count, sizeof *pair, by_kind_and_pair);
        int64_t owed_back = other != NULL ? other->amount_fen : 0;
        if (pair[i].amount_fen > owed_back)
            pay(r, pair[i].kind, pair[i].debtor, pair[i].creditor, pair[i].amount_fen - owed_back);
    }
}

static void pay_hub(struct sq_net_result *r, const int64_t *net_fen)
{
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
        for (uint32_t p = 0; p < r->participant_count; p++)
            pay(r, kind, SQ_HUB, p, net_fen[cell(p, kind)]);
}

/* What stays of each pair, kind by kind. */
static sq_status set_off(const struct sq_obligation *pair, size_t count, const struct sq_net_result *r,
                         const int64_t *funds_fen, int64_t *left_fen, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (size_t i = 0, end; st == SQ_OK && i < count; i = end) {
        uint32_t kind = pair[i].kind;
        for (end = i; end < count && pair[end].kind == kind; end++)
            ;
        st = sq_setoff(pair + i, end - i, r->participant_count, r->net_fen + kind - 1,
                       funds_fen != NULL ? funds_fen + kind - 1 : NULL, SQ_KIND_COUNT, left_fen + i, err);
    }
    return st;
}

static sq_status pay_cycles(const struct sq_obligation *pair, size_t count, struct sq_net_result *r,
                            struct sq_error *err)
{
    int64_t *left_fen = malloc((count + 1) * sizeof *left_fen);
    sq_status st = left_fen != NULL ? set_off(pair, count, r, NULL, left_fen, err)
                                    : sq_fail(err, SQ_E_NOMEM, "set-off of %zu pairs", count);
    for (size_t i = 0; st == SQ_OK && i < count; i++) {
        SQ_ASSERT(left_fen[i] >= 0 && left_fen[i] <= pair[i].amount_fen);
        pay(r, pair[i].kind, pair[i].debtor, pair[i].creditor, left_fen[i]);
    }
    free(left_fen);
    return st;
}

/* Set off, then pay through the hub what goes with it; what stays is left. */
static sq_status pay_funds(const struct sq_obligation *pair, size_t count, struct sq_net_result *r,
                           const int64_t *funds_fen, struct sq_error *err)
{
    size_t cells = (size_t)r->participant_count * SQ_KIND_COUNT;
    int64_t *left_fen = calloc(count + 1, sizeof *left_fen), *net_fen = calloc(cells + 1, sizeof *net_fen);
    r->left = malloc((count + 1) * sizeof *r->left);
    sq_status st = left_fen != NULL && net_fen != NULL && r->left != NULL
                       ? set_off(pair, count, r, funds_fen, left_fen, err)
                       : sq_fail(err, SQ_E_NOMEM, "set-off of %zu pairs", count);
    if (st == SQ_OK && cells != 0)
        memcpy(net_fen, r->net_fen, cells * sizeof *net_fen);
    for (size_t i = 0; st == SQ_OK && i < count; i++) {
        SQ_ASSERT(left_fen[i] >= 0 && left_fen[i] <= pair[i].amount_fen);
        net_fen[cell(pair[i].debtor, pair[i].kind)] += left_fen[i];
        net_fen[cell(pair[i].creditor, pair[i].kind)] -= left_fen[i];
        if (left_fen[i] != 0)
            r->left[r->left_count++] =
                (struct sq_obligation){pair[i].debtor, pair[i].creditor, pair[i].kind, left_fen[i]};
    }
    for (size_t i = 0; st == SQ_OK && i < cells; i++)
        SQ_ASSERT(net_fen[i] >= 0 ||
                  (funds_fen != NULL && net_fen[i] + funds_fen[i] >= 0)); /* nobody pays more than it has */
    if (st == SQ_OK)
        pay_hub(r, net_fen);
    free(left_fen);
    free(net_fen);
    return st;
}

/* ---- sums, and our own reasoning checked at every run: nothing is made, nothing is lost ---- */

static sq_status add_sums(struct sq_net_result *r, struct sq_error *err)
{
    for (size_t i = 0; i < r->payment_count; i++) {
        const struct sq_payment *p = &r->payments[i];
        if (__builtin_add_overflow(r->paid_fen[p->kind - 1], p->amount_fen, &r->paid_fen[p->kind - 1]))
            return sq_fail(err, SQ_E_OVERFLOW, "kind %u: payments leave int64 fen", p->kind);
        if (p->payer != SQ_HUB)
            r->money_fen[p->kind - 1] += p->amount_fen; /* at most paid_fen */
    }
    for (size_t i = 0; i < r->left_count; i++)
        r->left_fen[r->left[i].kind - 1] += r->left[i].amount_fen; /* at most gross_fen */
    for (size_t k = 0; k < SQ_KIND_COUNT; k++) {
        r->cleared_fen[k] = r->gross_fen[k] - r->money_fen[k] - r->left_fen[k];
        SQ_ASSERT(r->cleared_fen[k] >= 0);
    }
    return SQ_OK;
}

static sq_status check(const struct sq_net_result *r, struct sq_error *err)
{
    size_t cells = (size_t)r->participant_count * SQ_KIND_COUNT;
    __int128 *rest = malloc((cells + 1) * sizeof *rest), sum[SQ_KIND_COUNT] = {0};
    if (rest == NULL)
        return sq_fail(err, SQ_E_NOMEM, "check of %u participants", r->participant_count);
    for (size_t i = 0; i < cells; i++)
        sum[i % SQ_KIND_COUNT] += rest[i] = r->net_fen[i];
    for (size_t i = 0; i < r->payment_count; i++) {
        const struct sq_payment *p = &r->payments[i];
        SQ_ASSERT(p->amount_fen > 0);
        if (p->payer != SQ_HUB)
            rest[cell(p->payer, p->kind)] += p->amount_fen;
        if (p->payee != SQ_HUB)
            rest[cell(p->payee, p->kind)] -= p->amount_fen;
    }
    for (size_t i = 0; i < r->left_count; i++) {
        rest[cell(r->left[i].debtor, r->left[i].kind)] += r->left[i].amount_fen;
        rest[cell(r->left[i].creditor, r->left[i].kind)] -= r->left[i].amount_fen;
    }
    for (size_t i = 0; i < cells; i++)
        SQ_ASSERT(rest[i] == 0);
    for (size_t i = 0; i < SQ_KIND_COUNT; i++)
        SQ_ASSERT(sum[i] == 0);
    free(rest);
    return SQ_OK;
}

/* ---- all of it ---- */

static sq_status check_input(const struct sq_obligation *o, size_t count, uint32_t participants,
                             const int64_t *funds_fen, struct sq_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (o[i].debtor >= participants || o[i].creditor >= participants || o[i].debtor == o[i].creditor ||
            o[i].kind < 1 || o[i].kind > SQ_KIND_COUNT || o[i].amount_fen == INT64_MIN)
            return sq_fail(err, SQ_E_FORMAT, "obligation %zu: %u owes %u, kind %u, %" PRId64 " fen", i, o[i].debtor,
                           o[i].creditor, o[i].kind, o[i].amount_fen);
    for (size_t i = 0; funds_fen != NULL && i < (size_t)participants * SQ_KIND_COUNT; i++)
        if (funds_fen[i] < 0)
            return sq_fail(err, SQ_E_FORMAT, "participant %zu has %" PRId64 " fen of kind %zu", i / SQ_KIND_COUNT,
                           funds_fen[i], i % SQ_KIND_COUNT + 1);
    return SQ_OK;
}

static sq_status net_pairs(enum sq_netting_method method, const struct sq_obligation *pair, size_t count,
                           const int64_t *funds_fen, struct sq_net_result *r, struct sq_error *err)
{
    size_t cells = (size_t)r->participant_count * SQ_KIND_COUNT;
    r->net_fen = calloc(cells + 1, sizeof *r->net_fen);
    r->payments = malloc(((count > cells ? count : cells) + 1) * sizeof *r->payments);
    if (r->net_fen == NULL || r->payments == NULL)
        return sq_fail(err, SQ_E_NOMEM, "netting of %u participants", r->participant_count);
    sq_status st = add_nets(pair, count, r, err);
    if (st != SQ_OK)
        return st;
    switch (method) {
    case SQ_NET_GROSS:
        pay_gross(pair, count, r);
        break;
    case SQ_NET_BILATERAL:
        pay_bilateral(pair, count, r);
        break;
    case SQ_NET_HUB:
        pay_hub(r, r->net_fen);
        break;
    case SQ_NET_CYCLES:
        st = pay_cycles(pair, count, r, err);
        break;
    case SQ_NET_FUNDS:
        st = pay_funds(pair, count, r, funds_fen, err);
        break;
    }
    qsort(r->payments, r->payment_count, sizeof *r->payments, by_kind_payer_payee);
    if (st == SQ_OK)
        st = add_sums(r, err);
    return st == SQ_OK ? check(r, err) : st;
}

static sq_status net(enum sq_netting_method method, const struct sq_obligation *obligations, size_t count,
                     uint32_t participant_count, const int64_t *funds_fen, struct sq_net_result *out,
                     struct sq_error *err)
{
    struct sq_net_result r = {.participant_count = participant_count};
    int overflow = 0;
    sq_status st = sq_netting_name(method) != NULL ? check_input(obligations, count, participant_count, funds_fen, err)
                                                   : sq_fail(err, SQ_E_FORMAT, "netting method %u", (unsigned)method);
    if (st != SQ_OK)
        return st;
    struct sq_obligation *pair = malloc((count + 1) * sizeof *pair);
    if (pair == NULL)
        return sq_fail(err, SQ_E_NOMEM, "netting of %zu obligations", count);
    if (count != 0)
        memcpy(pair, obligations, count * sizeof *pair);
    size_t pairs = fold_pairs(pair, count, &overflow);
    st = overflow ? sq_fail(err, SQ_E_OVERFLOW, "a pair's sum leaves int64 fen")
                  : net_pairs(method, pair, pairs, funds_fen, &r, err);
    free(pair);
    if (st != SQ_OK)
        sq_net_result_free(&r);
    else
        *out = r;
    return st;
}

sq_status sq_net(enum sq_netting_method method, const struct sq_obligation *obligations, size_t count,
                 uint32_t participant_count, struct sq_net_result *out, struct sq_error *err)
{
    return net(method, obligations, count, participant_count, NULL, out, err);
}

sq_status sq_net_funded(const struct sq_obligation *obligations, size_t count, uint32_t participant_count,
                        const int64_t *funds_fen, struct sq_net_result *out, struct sq_error *err)
{
    return net(SQ_NET_FUNDS, obligations, count, participant_count, funds_fen, out, err);
}

void sq_net_result_free(struct sq_net_result *r)
{
    if (r == NULL)
        return;
    free(r->net_fen);
    free(r->payments);
    free(r->left);
    *r = (struct sq_net_result){0};
}
