/*
 * Every order in which a few requests between two regions can happen, with up to two faults (tests/support/scope.h). Every entry of
 * every order is decided by the second opinion too; at every end both sides agree, and everything has been answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/scope.h"

#define SH          0u                     /* 310000 */
#define SD          1u                     /* 370000 */
#define AT_SH       "26312000000000000001" /* invoices, with the region that keeps their register */
#define AT_SD       "26372000000000000001"
#define OTHER_AT_SH "26312000000000000002"
#define OTHER_AT_SD "26372000000000000002"

struct shop {
    struct scope *s;
    struct world *w;
    uint64_t voucher[2]; /* of Shanghai, of Shandong: 100 fen each */
};

static void enrol(struct world *w, uint32_t node, const char *role, const char *code)
{
    char name[48];
    snprintf(name, sizeof name, "%s:%s", role, code);
    assert_int_equal(world_enrol(w, node, name), SQ_OK);
}

/* A provider on each side, a voucher of each region that both may redeem. */
static int begin(void **state)
{
    static const uint32_t issuer[2] = {310000, 370000};
    struct shop *shop = calloc(1, sizeof *shop);
    shop->s = scope_new();
    shop->w = scope_world(shop->s);
    enrol(shop->w, SH, "provider", WORLD_PROVIDER);
    enrol(shop->w, SD, "provider", WORLD_OTHER);
    for (uint32_t i = 0; i < 2; i++) {
        char name[32];
        Sanquan__V1__Programme p;
        world_programme_init(&p, issuer[i], 1);
        p.kind = i + 1;
        p.pool_fen = 150;
        snprintf(name, sizeof name, "issuer:%u", issuer[i]);
        enrol(shop->w, i, "holder", WORLD_HOLDER);
        assert_int_equal(world_say(shop->w, i, name, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
        shop->voucher[i] = world_voucher(shop->w, i, issuer[i], 1, WORLD_HOLDER, 100);
        assert_true(shop->voucher[i] != 0);
        assert_int_equal(world_mandate(shop->w, i, WORLD_HOLDER, WORLD_PROVIDER, shop->voucher[i], 10000), SQ_OK);
        assert_int_equal(world_mandate(shop->w, i, WORLD_HOLDER, WORLD_OTHER, shop->voucher[i], 10000), SQ_OK);
    }
    world_run(shop->w);
    scope_hold(shop->s);
    *state = shop;
    return 0;
}

static int end(void **state)
{
    struct shop *shop = *state;
    scope_free(shop->s);
    free(shop);
    return 0;
}

/* A bundle as a request: a part on the voucher of each region, the second of a fen more. */
static void ask_both(struct shop *shop, uint32_t node, int64_t fen, const char *invoice, const char *other)
{
    struct world_row row[2];
    for (uint32_t of = 0; of < 2; of++)
        row[of] = (struct world_row){.voucher = shop->voucher[of],
                                     .amount_fen = fen + of,
                                     .base_fen = 250,
                                     .total_fen = 1000,
                                     .invoice = of == SH ? invoice : other,
                                     .service = 1,
                                     .service_day = 20260920,
                                     .bundle = 1};
    world_batch(shop->w, node, node == SH ? WORLD_PROVIDER : WORLD_OTHER, row, 2);
}

/* One row as a request: a redemption, or another verb. */
static void ask(struct shop *shop, uint32_t node, uint32_t of, int64_t fen, const char *invoice, uint8_t verb,
                uint64_t reservation)
{
    struct world_row row = {.voucher = shop->voucher[of],
                            .amount_fen = fen,
                            .base_fen = fen * 4,
                            .total_fen = 1000,
                            .invoice = invoice,
                            .service = 1,
                            .service_day = 20260920,
                            .verb = verb,
                            .reservation = reservation};
    world_batch(shop->w, node, node == SH ? WORLD_PROVIDER : WORLD_OTHER, &row, 1);
}

static void cut(struct shop *shop, uint32_t node)
{
    Sanquan__V1__WindowCut m;
    sanquan__v1__window_cut__init(&m);
    m.window = 1;
    world_say(shop->w, node, node == SH ? "operator:310000/li" : "operator:370000/li",
              SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base);
}

/* All orders with so many faults. */
static struct scope_report search_with(struct shop *shop, const char *story, unsigned faults, unsigned kinds)
{
    struct scope_report r;
    scope_search(shop->s, faults, kinds, &r);
    if (r.failure[0] != '\0')
        fail_msg("%s: %s", story, r.failure);
    print_message("# note: %s, up to %u faults: %" PRIu64 " states, %" PRIu64 " steps between them, %" PRIu64
                  " ends, %" PRIu64 " histories\n",
                  story, faults, r.states, r.steps, r.ends, r.histories[0] + r.histories[1]);
    return r;
}

/* All orders with no, one, ... faults; what was accepted in the end is between these two. */
static void search(struct shop *shop, const char *story, unsigned faults, int64_t least_fen, int64_t most_fen)
{
    for (unsigned k = 0; k <= faults; k++) {
        struct scope_report r = search_with(shop, story, k, SCOPE_LOSE | SCOPE_DOUBLE | SCOPE_CRASH);
        assert_int_equal(r.least_fen, least_fen);
        assert_int_equal(r.most_fen, most_fen);
    }
}

/* The same, and time may run out at any moment; what was accepted in the end is one of these sums, and each of them comes about. */
static void search_bundles(struct shop *shop, const char *story, unsigned faults, const int64_t *sums, size_t count)
{
    struct scope_report r = search_with(shop, story, faults, SCOPE_LOSE | SCOPE_DOUBLE | SCOPE_CRASH | SCOPE_TIME);
    assert_int_equal(r.sums, count);
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < r.sums && r.sum_fen[k] != sums[i])
            k++;
        if (k == r.sums)
            fail_msg("%s: no end with %" PRId64 " fen", story, sums[i]);
    }
}

static void a_voucher_that_two_regions_overdraw(void **state)
{
    struct shop *shop = *state;
    ask(shop, SH, SD, 70, AT_SD, 0, 0);
    ask(shop, SD, SD, 60, AT_SH, 0, 0);
    search(shop, "overdraw", 3, 60, 70);
}

static void a_voucher_that_is_redeemed_four_times(void **state)
{
    struct shop *shop = *state;
    ask(shop, SH, SD, 20, AT_SD, 0, 0);
    ask(shop, SD, SD, 30, AT_SH, 0, 0);
    ask(shop, SH, SD, 40, OTHER_AT_SH, 0, 0);
    ask(shop, SD, SD, 30, OTHER_AT_SD, 0, 0);
    search(shop, "four times", 2, 80, 100);
}

static void an_invoice_under_the_vouchers_of_two_regions(void **state)
{
    struct shop *shop = *state;
    ask(shop, SH, SD, 70, AT_SD, 0, 0);
    ask(shop, SH, SH, 60, AT_SD, 0, 0);
    search(shop, "one invoice twice", 3, 70, 70);
}

static void a_redemption_that_is_returned_twice(void **state)
{
    struct shop *shop = *state;
    ask(shop, SH, SD, 70, AT_SD, 0, 0);
    ask(shop, SH, SD, 50, AT_SD, SANQUAN__V1__VERB__RETURN, 0);
    ask(shop, SH, SD, 50, AT_SD, SANQUAN__V1__VERB__RETURN, 0);
    search(shop, "returned twice", 3, 20, 70);
}

static void a_reservation_that_is_committed_and_released(void **state)
{
    struct shop *shop = *state;
    ask(shop, SH, SD, 70, NULL, SANQUAN__V1__VERB__RESERVE, 1);
    ask(shop, SD, SD, 60, AT_SD, 0, 0);
    ask(shop, SH, SD, 50, AT_SH, SANQUAN__V1__VERB__COMMIT, 1);
    ask(shop, SH, SD, 0, NULL, SANQUAN__V1__VERB__RELEASE, 1);
    search(shop, "reservation", 2, 50, 60);
}

/* No end shows one part of a bundle without the other: 40 and 41 fen, or neither. */
static void a_bundle_of_both_regions_is_spent_whole_or_not_at_all(void **state)
{
    struct shop *shop = *state;
    ask_both(shop, SH, 40, AT_SH, AT_SD);
    search(shop, "bundle in time", 3, 81, 81);
    search_bundles(shop, "bundle", 4, (const int64_t[]){0, 81}, 2);
}

static void a_bundle_and_a_redemption_that_do_not_both_fit(void **state)
{
    struct shop *shop = *state;
    ask_both(shop, SH, 50, AT_SH, OTHER_AT_SH); /* 50 and 51 */
    ask(shop, SD, SD, 60, AT_SD, 0, 0);
    search_bundles(shop, "bundle or redemption", 3, (const int64_t[]){0, 60, 101}, 3);
}

static void two_bundles_that_do_not_both_fit(void **state)
{
    struct shop *shop = *state;
    ask_both(shop, SH, 60, AT_SH, AT_SD);             /* 60 and 61 */
    ask_both(shop, SD, 50, OTHER_AT_SH, OTHER_AT_SD); /* 50 and 51 */
    search_bundles(shop, "two bundles", 2, (const int64_t[]){0, 101, 121}, 3);
}

static void a_window_that_is_cut_while_redemptions_are_on_their_way(void **state)
{
    struct shop *shop = *state;
    ask(shop, SH, SD, 70, AT_SH, 0, 0);
    cut(shop, SH);
    search(shop, "cut", 2, 70, 70);
}

static void a_window_that_both_cut(void **state)
{
    struct shop *shop = *state;
    ask(shop, SH, SD, 30, AT_SH, 0, 0);
    cut(shop, SH);
    cut(shop, SD);
    search(shop, "cut by both", 1, 30, 30);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_voucher_that_two_regions_overdraw),
        STORY(a_voucher_that_is_redeemed_four_times),
        STORY(an_invoice_under_the_vouchers_of_two_regions),
        STORY(a_redemption_that_is_returned_twice),
        STORY(a_reservation_that_is_committed_and_released),
        STORY(a_bundle_of_both_regions_is_spent_whole_or_not_at_all),
        STORY(a_bundle_and_a_redemption_that_do_not_both_fit),
        STORY(two_bundles_that_do_not_both_fit),
        STORY(a_window_that_is_cut_while_redemptions_are_on_their_way),
        STORY(a_window_that_both_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
