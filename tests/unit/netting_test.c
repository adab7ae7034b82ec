/* Netting against hand-made answers, all orders of a set, and a model that is nothing but a matrix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/netting/netting.h"
#include "tests/support/random.h"

#define A           0u
#define B           1u
#define C           2u
#define D           3u
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const enum sq_netting_method methods[] = {SQ_NET_HUB, SQ_NET_BILATERAL};

static struct sq_net_result net(enum sq_netting_method method, const struct sq_obligation *o, size_t count,
                                uint32_t participants)
{
    struct sq_net_result r;
    struct sq_error err = {0};
    if (sq_net(method, o, count, participants, &r, &err) != SQ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(r.participant_count, participants);
    return r;
}

static int same_payment(const struct sq_payment *a, const struct sq_payment *b)
{
    return a->kind == b->kind && a->payer == b->payer && a->payee == b->payee && a->amount_fen == b->amount_fen;
}

static void payments_are(const struct sq_net_result *r, const struct sq_payment *expected, size_t count)
{
    assert_int_equal(r->payment_count, count);
    for (size_t i = 0; i < count; i++)
        if (!same_payment(&r->payments[i], &expected[i]))
            fail_msg("payment %zu: kind %u, %u pays %u %" PRId64 " fen", i, r->payments[i].kind, r->payments[i].payer,
                     r->payments[i].payee, r->payments[i].amount_fen);
}

static int64_t net_of(const struct sq_net_result *r, uint32_t participant, uint32_t kind)
{
    return r->net_fen[(size_t)participant * SQ_KIND_COUNT + kind - 1];
}

/* ---- by hand ---- */

/* A owes B 100.03, B owes C 80.00, C owes A 70.01 of kind 1; of kind 3 A and B owe each other; D takes no part. */
static const struct sq_obligation ring[] = {
    {A, B, 1, 10003}, {B, C, 1, 8000}, {C, A, 1, 7001}, {A, B, 3, 500}, {B, A, 3, 499},
};

static void a_ring_through_the_hub_pays_only_the_differences(void **state)
{
    (void)state;
    struct sq_net_result r = net(SQ_NET_HUB, ring, COUNT(ring), 4);
    static const struct sq_payment expected[] = {
        {1, A, SQ_HUB, 3002}, {1, SQ_HUB, B, 2003}, {1, SQ_HUB, C, 999}, {3, A, SQ_HUB, 1}, {3, SQ_HUB, B, 1},
    };
    payments_are(&r, expected, COUNT(expected));
    assert_true(net_of(&r, A, 1) == -3002 && net_of(&r, B, 1) == 2003 && net_of(&r, C, 1) == 999 &&
                net_of(&r, D, 1) == 0);
    assert_true(net_of(&r, A, 3) == -1 && net_of(&r, B, 3) == 1);
    assert_true(r.paid_fen[0] == 3002 + 2003 + 999 && r.paid_fen[2] == 2 && r.paid_fen[1] == 0);
    sq_net_result_free(&r);
    assert_null(r.payments);
}

static void bilaterally_each_pair_pays_its_own_difference(void **state)
{
    (void)state;
    struct sq_net_result r = net(SQ_NET_BILATERAL, ring, COUNT(ring), 4);
    static const struct sq_payment expected[] = {{1, A, B, 10003}, {1, B, C, 8000}, {1, C, A, 7001}, {3, A, B, 1}};
    payments_are(&r, expected, COUNT(expected));
    assert_true(net_of(&r, A, 1) == -3002 && net_of(&r, B, 1) == 2003 && net_of(&r, C, 1) == 999);
    assert_true(r.paid_fen[0] == 10003 + 8000 + 7001 && r.paid_fen[2] == 1);
    sq_net_result_free(&r);
}

static void kinds_never_set_each_other_off(void **state)
{
    (void)state;
    static const struct sq_obligation o[] = {{A, B, 1, 700}, {B, A, 2, 700}};
    static const struct sq_payment hub[] = {
        {1, A, SQ_HUB, 700}, {1, SQ_HUB, B, 700}, {2, B, SQ_HUB, 700}, {2, SQ_HUB, A, 700}};
    static const struct sq_payment bilateral[] = {{1, A, B, 700}, {2, B, A, 700}};
    struct sq_net_result r = net(SQ_NET_HUB, o, COUNT(o), 2);
    payments_are(&r, hub, COUNT(hub));
    sq_net_result_free(&r);
    r = net(SQ_NET_BILATERAL, o, COUNT(o), 2);
    payments_are(&r, bilateral, COUNT(bilateral));
    sq_net_result_free(&r);
}

static void a_negative_amount_is_owed_the_other_way(void **state)
{
    (void)state;
    static const struct sq_obligation o[] = {{A, B, 1, -40}, {C, B, 1, 5}, {B, C, 1, 5}};
    static const struct sq_payment expected[] = {{1, B, A, 40}};
    struct sq_net_result r = net(SQ_NET_BILATERAL, o, COUNT(o), 3);
    payments_are(&r, expected, COUNT(expected)); /* and B and C are even, so neither pays */
    assert_true(net_of(&r, A, 1) == 40 && net_of(&r, B, 1) == -40 && net_of(&r, C, 1) == 0);
    sq_net_result_free(&r);
}

static void gross_is_what_was_owed_before_anything_was_set_off(void **state)
{
    (void)state;
    static const struct sq_obligation o[] = {
        {A, B, 1, 300}, {A, B, 1, 200}, {B, A, 1, 450}, {B, C, 1, 7}, {C, B, 2, 7}};
    for (size_t m = 0; m < COUNT(methods); m++) {
        struct sq_net_result r = net(methods[m], o, COUNT(o), 3);
        assert_true(r.gross_fen[0] == 500 + 450 + 7);
        assert_true(r.gross_fen[1] == 7);
        assert_true(r.gross_fen[2] == 0);
        sq_net_result_free(&r);
    }
}

static void nothing_owed_is_nothing_paid(void **state)
{
    (void)state;
    static const struct sq_obligation even[] = {{A, B, 7, 1}, {B, A, 7, 1}, {A, C, 2, 0}};
    for (size_t m = 0; m < COUNT(methods); m++)
        for (size_t count = 0; count <= COUNT(even); count += COUNT(even)) {
            struct sq_net_result r = net(methods[m], even, count, 3);
            assert_int_equal(r.payment_count, 0);
            for (size_t i = 0; i < 3 * SQ_KIND_COUNT; i++)
                assert_true(r.net_fen[i] == 0);
            sq_net_result_free(&r);
        }
    struct sq_net_result nobody = net(SQ_NET_HUB, NULL, 0, 0);
    assert_int_equal(nobody.payment_count, 0);
    sq_net_result_free(&nobody);
}

/* ---- order ---- */

static int equal(const struct sq_net_result *a, const struct sq_net_result *b)
{
    int same = a->payment_count == b->payment_count && memcmp(a->gross_fen, b->gross_fen, sizeof a->gross_fen) == 0 &&
               memcmp(a->paid_fen, b->paid_fen, sizeof a->paid_fen) == 0 &&
               memcmp(a->net_fen, b->net_fen, (size_t)a->participant_count * SQ_KIND_COUNT * sizeof *a->net_fen) == 0;
    for (size_t i = 0; same && i < a->payment_count; i++)
        same = same_payment(&a->payments[i], &b->payments[i]);
    return same;
}

/* Heap's algorithm: every order of o[0..n-1], one exchange apart. */
static void try_orders(enum sq_netting_method method, struct sq_obligation *o, size_t n, size_t count,
                       const struct sq_net_result *first, unsigned *tried)
{
    if (n == 1) {
        struct sq_net_result r = net(method, o, count, 4);
        assert_true(equal(&r, first));
        sq_net_result_free(&r);
        ++*tried;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        try_orders(method, o, n - 1, count, first, tried);
        size_t other = n % 2 == 0 ? i : 0;
        struct sq_obligation swap = o[other];
        o[other] = o[n - 1];
        o[n - 1] = swap;
    }
}

static void every_order_of_a_set_gives_the_same_result(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT(methods); m++) {
        struct sq_obligation o[] = {
            {A, B, 1, 500}, {B, A, 1, 700},           {A, B, 1, -30}, {C, A, 1, 41},
            {B, C, 2, 9},   {D, C, 1, INT64_MAX / 4}, {C, D, 1, 5},
        };
        unsigned tried = 0;
        struct sq_net_result first = net(methods[m], o, COUNT(o), 4);
        try_orders(methods[m], o, COUNT(o), COUNT(o), &first, &tried);
        assert_int_equal(tried, 5040);
        sq_net_result_free(&first);
    }
}

/* ---- the model ---- */

#define MODEL_MAX 400u

struct model { /* who owes whom how much, and nothing clever */
    uint32_t n;
    int64_t (*owes)[MODEL_MAX][MODEL_MAX]; /* [kind - 1][debtor][creditor] */
};

static int64_t difference(const struct model *m, uint32_t kind, uint32_t debtor, uint32_t creditor)
{
    return m->owes[kind - 1][debtor][creditor] - m->owes[kind - 1][creditor][debtor];
}

static int64_t position(const struct model *m, uint32_t kind, uint32_t who)
{
    int64_t sum = 0;
    for (uint32_t other = 0; other < m->n; other++)
        sum += difference(m, kind, other, who);
    return sum;
}

static void expect_payment(const struct sq_net_result *r, size_t *at, uint32_t kind, uint32_t payer, uint32_t payee,
                           int64_t fen)
{
    if (fen <= 0)
        return;
    const struct sq_payment expected = {kind, payer, payee, fen};
    assert_true(*at < r->payment_count);
    assert_true(same_payment(&r->payments[*at], &expected));
    ++*at;
}

static void result_is(const struct sq_net_result *r, enum sq_netting_method method, const struct model *m)
{
    size_t at = 0;
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++) {
        int64_t sum = 0;
        for (uint32_t p = 0; p < m->n; p++) {
            assert_true(net_of(r, p, kind) == position(m, kind, p));
            sum += net_of(r, p, kind);
        }
        assert_true(sum == 0);
        for (uint32_t p = 0; p < m->n; p++) {
            for (uint32_t q = 0; method == SQ_NET_BILATERAL && q < m->n; q++)
                expect_payment(r, &at, kind, p, q, difference(m, kind, p, q));
            if (method == SQ_NET_HUB)
                expect_payment(r, &at, kind, p, SQ_HUB, -position(m, kind, p));
        }
        for (uint32_t p = 0; method == SQ_NET_HUB && p < m->n; p++)
            expect_payment(r, &at, kind, SQ_HUB, p, position(m, kind, p));
    }
    assert_int_equal(at, r->payment_count);
}

/* Of the payments alone: what each pays less what it is paid is what it owed on balance; the hub keeps nothing. */
static void payments_discharge_the_nets(const struct sq_net_result *r)
{
    int64_t *left = malloc(((size_t)r->participant_count + 1) * SQ_KIND_COUNT * sizeof *left),
            paid[SQ_KIND_COUNT] = {0};
    uint32_t hub = r->participant_count;
    memset(left, 0, ((size_t)hub + 1) * SQ_KIND_COUNT * sizeof *left);
    memcpy(left, r->net_fen, (size_t)hub * SQ_KIND_COUNT * sizeof *left);
    for (size_t i = 0; i < r->payment_count; i++) {
        const struct sq_payment *p = &r->payments[i];
        assert_true(p->amount_fen > 0 && p->payer != p->payee);
        left[(size_t)(p->payer == SQ_HUB ? hub : p->payer) * SQ_KIND_COUNT + p->kind - 1] += p->amount_fen;
        left[(size_t)(p->payee == SQ_HUB ? hub : p->payee) * SQ_KIND_COUNT + p->kind - 1] -= p->amount_fen;
        paid[p->kind - 1] += p->amount_fen;
    }
    for (size_t i = 0; i < ((size_t)hub + 1) * SQ_KIND_COUNT; i++)
        assert_true(left[i] == 0);
    assert_memory_equal(paid, r->paid_fen, sizeof paid);
    free(left);
}

static void model_clear(struct model *m)
{
    for (uint32_t kind = 0; kind < SQ_KIND_COUNT; kind++)
        for (uint32_t d = 0; d < m->n; d++)
            memset(m->owes[kind][d], 0, m->n * sizeof m->owes[kind][d][0]);
}

static struct model model_new(void)
{
    struct model m = {MODEL_MAX, calloc(SQ_KIND_COUNT, sizeof *m.owes)};
    assert_non_null(m.owes);
    return m;
}

/* SETS=1000000 in the environment tries more of them. Every two-thousandth is between up to 400. */
static void random_sets_net_as_the_model_does(void **state)
{
    (void)state;
    const char *wish = getenv("SETS");
    unsigned long sets = wish != NULL ? strtoul(wish, NULL, 10) : 100000;
    struct model m = model_new();
    struct dice d = {20260921};
    for (unsigned long run = 0; run < sets; run++) {
        struct sq_obligation o[2000];
        int many = run % 2000 == 0;
        size_t count = dice_below(&d, many ? COUNT(o) + 1 : 25);
        uint32_t kinds = 1 + dice_below(&d, SQ_KIND_COUNT), large = !many && run % 3 == 0;
        m.n = 2 + dice_below(&d, many ? MODEL_MAX - 1 : 5);
        model_clear(&m);
        for (size_t i = 0; i < count; i++) {
            uint32_t debtor = dice_below(&d, m.n), creditor = (debtor + 1 + dice_below(&d, m.n - 1)) % m.n;
            int64_t fen = (int64_t)(large ? dice_u64(&d) >> 8 : dice_below(&d, 20)) - (large ? INT64_MAX >> 8 : 5);
            o[i] = (struct sq_obligation){debtor, creditor, 1 + dice_below(&d, kinds), fen};
            m.owes[o[i].kind - 1][debtor][creditor] += fen;
        }
        for (size_t k = 0; k < COUNT(methods); k++) {
            struct sq_net_result r = net(methods[k], o, count, m.n);
            result_is(&r, methods[k], &m);
            payments_discharge_the_nets(&r);
            sq_net_result_free(&r);
        }
    }
    free(m.owes);
}

static void four_hundred_participants_who_all_owe_each_other_net_as_the_model_does(void **state)
{
    (void)state;
    struct model m = model_new();
    struct dice d = {400};
    size_t count = 0;
    struct sq_obligation *o = malloc((size_t)SQ_KIND_COUNT * MODEL_MAX * MODEL_MAX * sizeof *o);
    assert_non_null(o);
    for (uint32_t kind = 1; kind <= 3; kind++)
        for (uint32_t debtor = 0; debtor < m.n; debtor++)
            for (uint32_t creditor = 0; creditor < m.n; creditor++) {
                if (debtor == creditor)
                    continue;
                int64_t fen = (int64_t)dice_below(&d, 1000000000);
                o[count++] = (struct sq_obligation){debtor, creditor, kind, fen};
                m.owes[kind - 1][debtor][creditor] = fen;
            }
    for (size_t k = 0; k < COUNT(methods); k++) {
        struct sq_net_result r = net(methods[k], o, count, m.n);
        result_is(&r, methods[k], &m);
        payments_discharge_the_nets(&r);
        sq_net_result_free(&r);
    }
    free(o);
    free(m.owes);
}

/* ---- refusals ---- */

static void is_refused(const struct sq_obligation *o, size_t count, uint32_t participants, sq_status why)
{
    for (size_t m = 0; m < COUNT(methods); m++) {
        struct sq_net_result r, before;
        struct sq_error err = {0};
        struct sq_obligation copy[4];
        memset(&r, 0x5a, sizeof r);
        memcpy(&before, &r, sizeof r);
        memcpy(copy, o, count * sizeof *o);
        assert_int_equal(sq_net(methods[m], o, count, participants, &r, &err), why);
        assert_int_equal(err.status, why);
        assert_memory_equal(&r, &before, sizeof r); /* nothing was handed out */
        assert_memory_equal(copy, o, count * sizeof *o);
    }
}

static void a_sum_that_leaves_64_bits_is_refused(void **state)
{
    (void)state;
    static const struct sq_obligation of_a_pair[] = {{A, B, 1, INT64_MAX}, {A, B, 1, 1}};
    static const struct sq_obligation of_a_pair_backwards[] = {{B, A, 1, -INT64_MAX}, {A, B, 1, 1}};
    static const struct sq_obligation of_a_debtor[] = {{A, B, 1, INT64_MAX}, {A, C, 1, 1}};
    static const struct sq_obligation of_a_creditor[] = {{B, A, 4, INT64_MAX}, {C, A, 4, 1}};
    is_refused(of_a_pair, COUNT(of_a_pair), 3, SQ_E_OVERFLOW);
    is_refused(of_a_pair_backwards, COUNT(of_a_pair_backwards), 3, SQ_E_OVERFLOW);
    is_refused(of_a_debtor, COUNT(of_a_debtor), 3, SQ_E_OVERFLOW);
    is_refused(of_a_creditor, COUNT(of_a_creditor), 3, SQ_E_OVERFLOW);
}

static void the_largest_sums_that_fit_are_netted(void **state)
{
    (void)state;
    /* On the way the pair's sum is far outside 64 bits; at its end it is not. */
    static const struct sq_obligation o[] = {
        {A, B, 1, INT64_MAX}, {A, B, 1, INT64_MAX}, {A, B, 1, -INT64_MAX}, {C, B, 2, INT64_MAX}};
    static const struct sq_payment expected[] = {{1, A, B, INT64_MAX}, {2, C, B, INT64_MAX}};
    struct sq_net_result r = net(SQ_NET_BILATERAL, o, COUNT(o), 3);
    payments_are(&r, expected, COUNT(expected));
    sq_net_result_free(&r);
}

static void an_obligation_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct sq_obligation wrong[][1] = {
        {{A, A, 1, 5}},         {{A, C, 1, 5}},      {{C, A, 1, 5}}, {{A, B, 0, 5}}, {{A, B, SQ_KIND_COUNT + 1, 5}},
        {{A, B, 1, INT64_MIN}}, {{SQ_HUB, A, 1, 5}},
    };
    for (size_t i = 0; i < COUNT(wrong); i++)
        is_refused(wrong[i], 1, 2, SQ_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_through_the_hub_pays_only_the_differences),
        cmocka_unit_test(bilaterally_each_pair_pays_its_own_difference),
        cmocka_unit_test(kinds_never_set_each_other_off),
        cmocka_unit_test(a_negative_amount_is_owed_the_other_way),
        cmocka_unit_test(gross_is_what_was_owed_before_anything_was_set_off),
        cmocka_unit_test(nothing_owed_is_nothing_paid),
        cmocka_unit_test(every_order_of_a_set_gives_the_same_result),
        cmocka_unit_test(random_sets_net_as_the_model_does),
        cmocka_unit_test(four_hundred_participants_who_all_owe_each_other_net_as_the_model_does),
        cmocka_unit_test(a_sum_that_leaves_64_bits_is_refused),
        cmocka_unit_test(the_largest_sums_that_fit_are_netted),
        cmocka_unit_test(an_obligation_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
