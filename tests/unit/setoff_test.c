/*
 * Set-off against answers that were published, against every possible flow of small sets, and against a slow model (setoff_model.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clearing/base/hash.h"
#include "clearing/netting/netting.h"
#include "tests/support/random.h"
#include "tests/support/setoff_model.h"

static struct sq_net_result net_of(enum sq_netting_method method, const struct sq_obligation *o, size_t count,
                                   uint32_t n, const int64_t *funds)
{
    struct sq_net_result r = {0};
    struct sq_error err = {0};
    sq_status st = funds != NULL ? sq_net_funded(o, count, n, funds, &r, &err) : sq_net(method, o, count, n, &r, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(st, SQ_OK);
    return r;
}

/* ---- published answers ---- */

#define A 0
#define B 1
#define C 2
#define D 3
#define E 4

static const struct sq_obligation three_firms[] = {{A, B, 1, 100}, {B, C, 1, 80}, {C, A, 1, 70}};
static const struct sq_obligation seven_debts[] = {{A, B, 1, 100}, {B, E, 1, 70}, {E, A, 1, 100}, {C, D, 1, 100},
                                                   {D, E, 1, 100}, {E, C, 1, 70}, {B, C, 1, 100}};

static void three_firms_that_owe_100_80_and_70_set_off_210_and_40_stays(void **state)
{
    (void)state;
    struct sq_net_result r = net_of(SQ_NET_CYCLES, three_firms, 3, 3, NULL);
    assert_int_equal(r.gross_fen[0], 250);
    assert_int_equal(r.cleared_fen[0], 210);
    assert_int_equal(r.money_fen[0], 40);
    assert_int_equal(r.payment_count, 2);
    const struct sq_payment expected[2] = {{1, A, B, 30}, {1, B, C, 10}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(r.payments[i].payer, expected[i].payer);
        assert_int_equal(r.payments[i].payee, expected[i].payee);
        assert_int_equal(r.payments[i].amount_fen, expected[i].amount_fen);
    }
    sq_net_result_free(&r);
}

static void seven_debts_between_five_clear_570_of_640(void **state)
{
    (void)state;
    struct sq_net_result r = net_of(SQ_NET_CYCLES, seven_debts, 7, 5, NULL);
    assert_int_equal(r.gross_fen[0], 640);
    assert_int_equal(r.cleared_fen[0], 570);
    assert_int_equal(r.money_fen[0], 70);
    sq_net_result_free(&r);
}

static void each_method_tells_what_it_clears_what_money_it_needs_and_how_often_it_pays(void **state)
{
    (void)state;
    int64_t funds[3 * SQ_KIND_COUNT] = {0};
    funds[A * SQ_KIND_COUNT] = 13;
    const struct {
        enum sq_netting_method method;
        int64_t cleared, money, left;
        size_t payments;
    } rows[] = {
        {SQ_NET_GROSS, 0, 250, 0, 3},   {SQ_NET_BILATERAL, 0, 250, 0, 3}, {SQ_NET_HUB, 220, 30, 0, 3},
        {SQ_NET_CYCLES, 210, 40, 0, 2}, {SQ_NET_FUNDS, 220, 13, 17, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sq_net_result r =
            net_of(rows[i].method, three_firms, 3, 3, rows[i].method == SQ_NET_FUNDS ? funds : NULL);
        print_message("# %s\n", sq_netting_name(rows[i].method));
        assert_int_equal(r.gross_fen[0], 250);
        assert_int_equal(r.cleared_fen[0], rows[i].cleared);
        assert_int_equal(r.money_fen[0], rows[i].money);
        assert_int_equal(r.left_fen[0], rows[i].left);
        assert_int_equal(r.payment_count, rows[i].payments);
        sq_net_result_free(&r);
    }
}

static void debts_both_ways_may_serve_a_longer_cycle_than_their_own(void **state)
{
    (void)state;
    /* Setting A and B off against each other first would clear 2 x 5; round A, C, B it is 3 x 5. */
    const struct sq_obligation o[] = {{A, B, 1, 5}, {B, A, 1, 5}, {A, C, 1, 5}, {C, B, 1, 5}};
    struct sq_net_result r = net_of(SQ_NET_CYCLES, o, 4, 3, NULL);
    assert_int_equal(r.cleared_fen[0], 15);
    assert_int_equal(r.payment_count, 1);
    assert_true(r.payments[0].payer == A && r.payments[0].payee == B && r.payments[0].amount_fen == 5);
    sq_net_result_free(&r);
}

static void money_is_used_only_where_it_clears_more_and_never_more_than_there_is(void **state)
{
    (void)state;
    const struct sq_obligation chain[] = {{A, B, 1, 10}, {B, C, 1, 10}, {C, D, 1, 10}};
    int64_t funds[4 * SQ_KIND_COUNT] = {0};
    funds[A * SQ_KIND_COUNT] = 4;
    funds[C * SQ_KIND_COUNT] = 100;
    struct sq_net_result r = net_of(SQ_NET_FUNDS, chain, 3, 4, funds);
    assert_int_equal(r.left_fen[0], 12); /* A's 4 go down the whole chain, C pays the rest of its 10 itself */
    assert_int_equal(r.money_fen[0], 10);
    assert_int_equal(r.cleared_fen[0], 8);
    assert_int_equal(r.left_count, 2);
    sq_net_result_free(&r);
}

/* ---- what must hold for every answer ---- */

static int still_cycles(uint32_t n, int64_t left[SETOFF_NODES_MAX][SETOFF_NODES_MAX])
{
    uint32_t gone = 0, count = 0;
    for (int found = 1; found;) { /* take away who owes nothing to those that are there */
        found = 0;
        for (uint32_t u = 0; u < n; u++) {
            int owes = 0;
            for (uint32_t v = 0; v < n; v++)
                owes |= !(gone & 1u << v) && left[u][v] > 0;
            if (!(gone & 1u << u) && !owes) {
                gone |= 1u << u;
                count++;
                found = 1;
            }
        }
    }
    return count != n;
}

static size_t list(const struct setoff_set *s, struct sq_obligation *o)
{
    size_t count = 0;
    for (uint32_t u = 0; u < s->n; u++)
        for (uint32_t v = 0; v < s->n; v++)
            if (s->owed[u][v] != 0)
                o[count++] = (struct sq_obligation){u, v, 3, s->owed[u][v]};
    return count;
}

static void check_answer(const struct setoff_set *s, const struct sq_net_result *r, int with_funds,
                         const struct setoff_answer *best)
{
    int64_t left[SETOFF_NODES_MAX][SETOFF_NODES_MAX] = {{0}}, owed_net[SETOFF_NODES_MAX] = {0},
            given[SETOFF_NODES_MAX] = {0}, total = 0, stays = 0;
    for (size_t i = 0; with_funds && i < r->left_count; i++)
        left[r->left[i].debtor][r->left[i].creditor] += r->left[i].amount_fen;
    for (size_t i = 0; i < r->payment_count; i++) {
        const struct sq_payment *p = &r->payments[i];
        assert_true(p->amount_fen > 0 && p->kind == 3);
        if (!with_funds)
            left[p->payer][p->payee] += p->amount_fen;
        else if (p->payer != SQ_HUB)
            given[p->payer] += p->amount_fen;
        else
            given[p->payee] -= p->amount_fen;
    }
    for (uint32_t u = 0; u < s->n; u++)
        for (uint32_t v = 0; v < s->n; v++) {
            assert_true(left[u][v] >= 0 &&
                        left[u][v] <= s->owed[u][v]); /* no debt below zero, none that was not there */
            owed_net[u] -= s->owed[u][v] - left[u][v];
            owed_net[v] += s->owed[u][v] - left[u][v];
            total += s->owed[u][v];
            stays += left[u][v];
        }
    for (uint32_t u = 0; u < s->n; u++) {
        assert_int_equal(given[u], -owed_net[u]); /* in equals out: what is discharged is paid for, or cancels */
        assert_true(!with_funds || given[u] <= s->funds[u]);
    }
    assert_false(still_cycles(s->n, left));
    assert_int_equal(total - stays, best->discharged);
    assert_int_equal(with_funds ? r->money_fen[2] : 0, best->money);
}

static void check_set(const struct setoff_set *s)
{
    struct sq_obligation o[SETOFF_NODES_MAX * SETOFF_NODES_MAX];
    int64_t funds[SETOFF_NODES_MAX * SQ_KIND_COUNT] = {0};
    size_t count = list(s, o);
    struct setoff_set poor = *s;
    for (uint32_t u = 0; u < s->n; u++)
        funds[u * SQ_KIND_COUNT + 2] = s->funds[u];
    memset(poor.funds, 0, sizeof poor.funds);
    struct setoff_answer best = setoff_model(&poor);
    struct sq_net_result r = net_of(SQ_NET_CYCLES, o, count, s->n, NULL);
    check_answer(&poor, &r, 0, &best);
    sq_net_result_free(&r);
    best = setoff_model(s);
    r = net_of(SQ_NET_FUNDS, o, count, s->n, funds);
    check_answer(s, &r, 1, &best);
    sq_net_result_free(&r);
}

/* SETS=1000000 in the environment tries more of them. */
static void random_sets_are_set_off_as_the_slow_model_does(void **state)
{
    (void)state;
    const char *wish = getenv("SETS");
    uint64_t sets = wish != NULL ? strtoull(wish, NULL, 10) : 20000;
    struct dice dice = {5};
    for (uint64_t i = 0; i < sets; i++) {
        struct setoff_set s = {.n = 2 + dice_below(&dice, i % 16 == 0 ? SETOFF_NODES_MAX - 1 : 5)};
        uint32_t density = 1 + dice_below(&dice, 100), most = 1 + dice_below(&dice, i % 2 ? 5 : 1000000);
        for (uint32_t u = 0; u < s.n; u++) {
            s.funds[u] = dice_below(&dice, 3) == 0 ? 0 : dice_below(&dice, most * 2);
            for (uint32_t v = 0; v < s.n; v++)
                s.owed[u][v] = u != v && dice_below(&dice, 100) < density ? 1 + dice_below(&dice, most) : 0;
        }
        check_set(&s);
    }
}

/* ---- every possible flow of three participants ---- */

static const uint32_t pair_from[6] = {0, 0, 1, 1, 2, 2}, pair_to[6] = {1, 2, 0, 2, 0, 1};

static void digits(uint32_t number, uint32_t base, int64_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++, number /= base)
        out[i] = number % base;
}

static struct setoff_answer best_of_all(const struct setoff_set *s, const int64_t *owed)
{
    struct setoff_answer best = {-1, 0};
    for (uint32_t f = 0; f < 729; f++) {
        int64_t flow[6], more[3] = {0};
        struct setoff_answer a = {0};
        int goes = 1;
        digits(f, 3, flow, 6);
        for (size_t i = 0; i < 6; i++) {
            goes &= flow[i] <= owed[i];
            more[pair_from[i]] += flow[i];
            more[pair_to[i]] -= flow[i];
            a.discharged += flow[i];
        }
        for (size_t u = 0; u < 3; u++) {
            goes &= more[u] <= s->funds[u];
            a.money += more[u] > 0 ? more[u] : 0;
        }
        if (goes && (a.discharged > best.discharged || (a.discharged == best.discharged && a.money < best.money)))
            best = a;
    }
    return best;
}

static void nothing_better_exists_for_any_debts_of_up_to_two_between_three(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 729; c++)
        for (uint32_t b = 0; b < 27; b++) {
            struct setoff_set s = {.n = 3};
            int64_t owed[6];
            digits(c, 3, owed, 6);
            digits(b, 3, s.funds, 3);
            for (size_t i = 0; i < 6; i++)
                s.owed[pair_from[i]][pair_to[i]] = owed[i];
            struct setoff_answer best = best_of_all(&s, owed), slow = setoff_model(&s);
            assert_int_equal(slow.discharged, best.discharged);
            assert_int_equal(slow.money, best.money);
            check_set(&s);
        }
}

/* ---- large sets ---- */

struct large {
    uint32_t n;
    size_t count;
    struct sq_obligation *o;
};

static struct large large_set(uint64_t seed)
{
    struct dice dice = {seed};
    struct large l = {.n = 2 + dice_below(&dice, 399)};
    uint32_t density = 1 + dice_below(&dice, 100), shift = dice_below(&dice, 30);
    l.o = malloc((size_t)l.n * l.n * sizeof *l.o);
    assert_non_null(l.o);
    for (uint32_t d = 0; d < l.n; d++)
        for (uint32_t c = 0; c < l.n; c++)
            if (d != c && dice_below(&dice, 100) < density)
                l.o[l.count++] = (struct sq_obligation){
                    d, c, 1, 1 + (int64_t)((dice_u64(&dice) >> 28) >> dice_below(&dice, shift + 1))};
    return l;
}

/* Is there any cycle in what could still be changed that would leave less owed? Distances settle exactly when there is none. */
static int could_be_better(const struct large *l, const int64_t *left)
{
    int64_t *distance = calloc(l->n, sizeof *distance);
    int changed = 1;
    for (uint32_t round = 0; changed && round <= l->n; round++) {
        changed = 0;
        for (size_t i = 0; i < l->count; i++) {
            const struct sq_obligation *o = &l->o[i];
            if (left[i] < o->amount_fen && distance[o->debtor] + 1 < distance[o->creditor]) {
                distance[o->creditor] = distance[o->debtor] + 1;
                changed = 1;
            }
            if (left[i] > 0 && distance[o->creditor] - 1 < distance[o->debtor]) {
                distance[o->debtor] = distance[o->creditor] - 1;
                changed = 1;
            }
        }
    }
    free(distance);
    return changed;
}

static void sets_of_up_to_400_keep_their_nets_and_cannot_be_set_off_further(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct large l = large_set(seed);
        struct sq_net_result r = net_of(SQ_NET_CYCLES, l.o, l.count, l.n, NULL);
        int64_t *left = calloc(l.count + 1, sizeof *left), *net = calloc(l.n, sizeof *net);
        size_t at = 0;
        for (size_t i = 0; i < l.count; i++) { /* payments and obligations ascend by the same pair */
            if (at < r.payment_count && r.payments[at].payer == l.o[i].debtor &&
                r.payments[at].payee == l.o[i].creditor)
                left[i] = r.payments[at++].amount_fen;
            assert_true(left[i] <= l.o[i].amount_fen);
            net[l.o[i].debtor] -= l.o[i].amount_fen - left[i];
            net[l.o[i].creditor] += l.o[i].amount_fen - left[i];
        }
        assert_int_equal(at, r.payment_count);
        for (uint32_t v = 0; v < l.n; v++)
            assert_int_equal(net[v], 0);
        assert_false(could_be_better(&l, left));
        sq_net_result_free(&r);
        free(left);
        free(net);
        free(l.o);
    }
}

/* ---- determinism, limits ---- */

static void add_row(uint8_t hash[static SQ_HASH_SIZE], uint64_t a, uint64_t b, uint64_t c, int64_t fen)
{
    uint8_t row[4 * 8];
    const struct sq_sha256_part parts[] = {{hash, SQ_HASH_SIZE}, {row, sizeof row}};
    sq_put_be64(row, a);
    sq_put_be64(row + 8, b);
    sq_put_be64(row + 16, c);
    sq_put_be64(row + 24, (uint64_t)fen);
    sq_sha256_parts(parts, 2, hash);
}

static void fingerprint(const struct sq_net_result *r, uint8_t hash[static SQ_HASH_SIZE])
{
    memset(hash, 0, SQ_HASH_SIZE);
    for (size_t i = 0; i < (size_t)r->participant_count * SQ_KIND_COUNT; i++)
        add_row(hash, 1, i, 0, r->net_fen[i]);
    for (size_t i = 0; i < r->payment_count; i++)
        add_row(hash, 2 + r->payments[i].kind, r->payments[i].payer, r->payments[i].payee, r->payments[i].amount_fen);
    for (size_t i = 0; i < r->left_count; i++)
        add_row(hash, 12 + r->left[i].kind, r->left[i].debtor, r->left[i].creditor, r->left[i].amount_fen);
}

static void the_same_set_in_any_order_and_in_parts_gives_the_same_bytes(void **state)
{
    (void)state;
    struct large l = large_set(7);
    int64_t *funds = calloc((size_t)l.n * SQ_KIND_COUNT, sizeof *funds);
    struct sq_obligation *mixed = malloc(l.count * 2 * sizeof *mixed);
    struct dice dice = {11};
    for (uint32_t v = 0; v < l.n; v++)
        funds[v * SQ_KIND_COUNT] = dice_below(&dice, 1u << 20);
    for (size_t i = 0; i < l.count; i++) { /* each in two parts, either of which may be negative */
        int64_t part = (int64_t)(dice_u64(&dice) % 1000000u) - 500000;
        mixed[2 * i] = mixed[2 * i + 1] = l.o[i];
        mixed[2 * i].amount_fen -= part;
        mixed[2 * i + 1].amount_fen = part;
    }
    for (size_t i = l.count * 2; i > 1; i--) {
        size_t k = dice_below(&dice, (uint32_t)i);
        struct sq_obligation swap = mixed[i - 1];
        mixed[i - 1] = mixed[k];
        mixed[k] = swap;
    }
    for (uint32_t method = 1; method <= SQ_NETTING_METHODS; method++) {
        uint8_t one[SQ_HASH_SIZE], two[SQ_HASH_SIZE];
        const int64_t *with = method == SQ_NET_FUNDS ? funds : NULL;
        struct sq_net_result r = net_of((enum sq_netting_method)method, l.o, l.count, l.n, with);
        fingerprint(&r, one);
        sq_net_result_free(&r);
        r = net_of((enum sq_netting_method)method, mixed, l.count * 2, l.n, with);
        fingerprint(&r, two);
        sq_net_result_free(&r);
        assert_memory_equal(one, two, SQ_HASH_SIZE);
    }
    free(mixed);
    free(funds);
    free(l.o);
}

/* Which of several best answers is given is part of the method: nodes of two versions must agree. */
static void the_choice_between_equal_answers_stays_what_it_is(void **state)
{
    (void)state;
    static const char *const expected[SQ_NETTING_METHODS + 1] = {
        "", "e3b720994b18d1f0", "091e41018266fd5c", "415d40e6a2e6dc5a", "d95e6330148e27bf", "5800b4a8fb4e5c1a"};
    struct sq_obligation o[40 * 40];
    int64_t funds[40 * SQ_KIND_COUNT] = {0};
    struct dice dice = {3};
    size_t count = 0;
    for (uint32_t d = 0; d < 40; d++) {
        funds[d * SQ_KIND_COUNT + 1] = dice_below(&dice, 6);
        for (uint32_t c = 0; c < 40; c++)
            if (d != c && dice_below(&dice, 3) == 0)
                o[count++] = (struct sq_obligation){d, c, 2, 1 + dice_below(&dice, 4)};
    }
    for (uint32_t method = 1; method <= SQ_NETTING_METHODS; method++) {
        uint8_t hash[SQ_HASH_SIZE];
        char text[17];
        struct sq_net_result r =
            net_of((enum sq_netting_method)method, o, count, 40, method == SQ_NET_FUNDS ? funds : NULL);
        fingerprint(&r, hash);
        sq_net_result_free(&r);
        for (size_t i = 0; i < 8; i++)
            snprintf(text + 2 * i, 3, "%02x", hash[i]);
        assert_string_equal(text, expected[method]);
    }
}

static void amounts_go_to_the_edge_of_int64_and_no_further(void **state)
{
    (void)state;
    const int64_t most = INT64_MAX / 3;
    const struct sq_obligation o[] = {{A, B, 1, most}, {B, C, 1, most - 1}, {C, A, 1, most - 2}, {A, C, 1, 5}};
    struct sq_error err = {0};
    struct sq_net_result r = {0}, before;
    for (uint32_t method = 1; method <= SQ_NETTING_METHODS; method++) {
        assert_int_equal(sq_net((enum sq_netting_method)method, o, 3, 3, &r, &err), SQ_OK);
        sq_net_result_free(&r);
        before = r;
        assert_int_equal(sq_net((enum sq_netting_method)method, o, 4, 3, &r, &err), SQ_E_OVERFLOW);
        assert_memory_equal(&before, &r, sizeof r); /* a refusal gives nothing */
    }
}

static void what_is_no_obligation_is_refused(void **state)
{
    (void)state;
    const struct sq_obligation wrong[] = {
        {A, A, 1, 1}, {A, 3, 1, 1}, {3, A, 1, 1}, {A, B, 0, 1}, {A, B, SQ_KIND_COUNT + 1, 1}, {A, B, 1, INT64_MIN}};
    struct sq_error err = {0};
    struct sq_net_result r = {0}, before = r;
    int64_t funds[3 * SQ_KIND_COUNT] = {[4] = -1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sq_net(SQ_NET_CYCLES, &wrong[i], 1, 3, &r, &err), SQ_E_FORMAT);
    assert_int_equal(sq_net_funded(three_firms, 3, 3, funds, &r, &err), SQ_E_FORMAT);
    assert_int_equal(sq_net((enum sq_netting_method)(SQ_NETTING_METHODS + 1), three_firms, 3, 3, &r, &err),
                     SQ_E_FORMAT);
    assert_memory_equal(&before, &r, sizeof r);
}

static void a_negative_obligation_is_one_the_other_way(void **state)
{
    (void)state;
    const struct sq_obligation negative[] = {{A, B, 1, -30}, {C, A, 1, 50}}, plain[] = {{B, A, 1, 30}, {C, A, 1, 50}};
    for (uint32_t method = 1; method <= SQ_NETTING_METHODS; method++) {
        uint8_t one[SQ_HASH_SIZE], two[SQ_HASH_SIZE];
        struct sq_net_result r = net_of((enum sq_netting_method)method, negative, 2, 3, NULL);
        assert_int_equal(r.gross_fen[0], 80);
        fingerprint(&r, one);
        sq_net_result_free(&r);
        r = net_of((enum sq_netting_method)method, plain, 2, 3, NULL);
        fingerprint(&r, two);
        sq_net_result_free(&r);
        assert_memory_equal(one, two, SQ_HASH_SIZE);
    }
}

static void an_empty_set_nets_to_nothing(void **state)
{
    (void)state;
    for (uint32_t method = 1; method <= SQ_NETTING_METHODS; method++)
        for (uint32_t n = 0; n < 3; n++) {
            struct sq_net_result r = net_of((enum sq_netting_method)method, NULL, 0, n, NULL);
            assert_int_equal(r.payment_count + r.left_count, 0);
            sq_net_result_free(&r);
        }
}

static void a_method_is_found_by_its_name(void **state)
{
    (void)state;
    for (uint32_t method = 1; method <= SQ_NETTING_METHODS; method++)
        assert_int_equal(sq_netting_find(sq_netting_name(method)), method);
    assert_int_equal(sq_netting_find("cycle"), 0);
    assert_null(sq_netting_name(0));
    assert_null(sq_netting_name(SQ_NETTING_METHODS + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_firms_that_owe_100_80_and_70_set_off_210_and_40_stays),
        cmocka_unit_test(seven_debts_between_five_clear_570_of_640),
        cmocka_unit_test(each_method_tells_what_it_clears_what_money_it_needs_and_how_often_it_pays),
        cmocka_unit_test(debts_both_ways_may_serve_a_longer_cycle_than_their_own),
        cmocka_unit_test(money_is_used_only_where_it_clears_more_and_never_more_than_there_is),
        cmocka_unit_test(random_sets_are_set_off_as_the_slow_model_does),
        cmocka_unit_test(nothing_better_exists_for_any_debts_of_up_to_two_between_three),
        cmocka_unit_test(sets_of_up_to_400_keep_their_nets_and_cannot_be_set_off_further),
        cmocka_unit_test(the_same_set_in_any_order_and_in_parts_gives_the_same_bytes),
        cmocka_unit_test(the_choice_between_equal_answers_stays_what_it_is),
        cmocka_unit_test(amounts_go_to_the_edge_of_int64_and_no_further),
        cmocka_unit_test(what_is_no_obligation_is_refused),
        cmocka_unit_test(a_negative_obligation_is_one_the_other_way),
        cmocka_unit_test(an_empty_set_nets_to_nothing),
        cmocka_unit_test(a_method_is_found_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
