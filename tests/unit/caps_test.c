/* Net debit caps: who sets one, that it is enforced item by item, and what gives room back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/debts.h"
#include "tests/support/random.h"

#define SH 0u
#define SD 1u
#define GD 2u

static int begin(void **state)
{
    *state = debts_new(4, SQ_NET_HUB);
    return 0;
}

static int end(void **state)
{
    debts_free(*state);
    return 0;
}

static struct sq_cap_view cap_at(const struct debts *d, uint32_t node, uint32_t debtor, uint32_t creditor)
{
    struct sq_cap_view v;
    sq_settlement_cap(sq_core_settlement(d->w->core[node]), debtor, creditor, &v);
    return v;
}

/* An operator of Shandong sets what Shanghai may come to owe it. */
static unsigned say_limit(struct debts *d, const char *person, uint32_t role, int64_t cap_fen, uint32_t alarm_bp,
                          uint32_t lift)
{
    char name[48], debtor[] = "310000";
    Sanquan__V1__DebitCap m;
    sanquan__v1__debit_cap__init(&m);
    snprintf(name, sizeof name, "operator:370000/%s", person);
    m.debtor = debtor;
    m.cap_fen = cap_fen;
    m.alarm_bp = alarm_bp;
    m.lift = lift;
    m.role = role;
    unsigned status = world_say(d->w, SD, name, SANQUAN__V1__MESSAGE_TYPE__DEBIT_CAP, &m.base);
    world_run(d->w);
    return status;
}

static void set_cap(struct debts *d, int64_t cap_fen)
{
    assert_int_equal(say_limit(d, "li", 1, cap_fen, 8000, 0), SQ_OK);
    assert_int_equal(say_limit(d, "zhang", 2, cap_fen, 8000, 0), SQ_OK);
}

static void a_cap_needs_two_people_who_say_the_same(void **state)
{
    struct debts *d = *state;
    assert_int_equal(say_limit(d, "zhang", 2, 1000, 8000, 0), SQ_R_NOT_ENTERED);
    assert_int_equal(say_limit(d, "li", 1, -1, 8000, 0), SQ_R_DEBIT_CAP_TERMS);
    assert_int_equal(say_limit(d, "li", 1, 1000, 10001, 0), SQ_R_DEBIT_CAP_TERMS);
    assert_int_equal(say_limit(d, "li", 1, 1000, 0, 1), SQ_R_DEBIT_CAP_TERMS);
    assert_int_equal(say_limit(d, "li", 3, 1000, 8000, 0), SQ_R_DEBIT_CAP_TERMS);
    assert_int_equal(say_limit(d, "li", 1, 1000, 8000, 0), SQ_OK);
    assert_int_equal(say_limit(d, "li", 2, 1000, 8000, 0), SQ_R_SAME_PERSON);
    assert_int_equal(say_limit(d, "zhang", 2, 1001, 8000, 0), SQ_R_NOT_ENTERED);
    assert_false(cap_at(d, SD, SH, SD).set);
    assert_true(cap_at(d, SD, SH, SD).waiting_for_checker);
    assert_int_equal(debts_owe(d, SH, SD, 5000), SQ_OK); /* nothing is in force yet */
    assert_int_equal(say_limit(d, "zhang", 2, 1000, 8000, 0), SQ_OK);
    for (uint32_t node = SH; node <= SD; node++)
        assert_true(cap_at(d, node, SH, SD).set && cap_at(d, node, SH, SD).cap_fen == 1000);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_R_NET_DEBIT_CAP);
    assert_int_equal(say_limit(d, "li", 1, 0, 0, 1), SQ_OK);
    assert_int_equal(say_limit(d, "zhang", 2, 0, 0, 1), SQ_OK);
    assert_false(cap_at(d, SH, SH, SD).set);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_OK);
}

/* A voucher of Shanghai's, on which Shandong's provider may draw. */
static uint64_t voucher_of_shanghai(struct debts *d)
{
    uint64_t voucher = world_voucher(d->w, SH, 310000, 1, d->holder[SH], 100000);
    assert_int_equal(world_mandate(d->w, SH, d->holder[SH], d->provider[SD], voucher, 100000), SQ_OK);
    return voucher;
}

static void items_go_up_to_the_cap_and_a_refused_one_moves_nothing(void **state)
{
    struct debts *d = *state;
    set_cap(d, 1000);
    assert_int_equal(debts_owe(d, SH, SD, 600), SQ_OK);
    assert_int_equal(debts_owe(d, SH, SD, 401), SQ_R_NET_DEBIT_CAP);
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 600);
    assert_int_equal(debts_owe(d, SH, SD, 400), SQ_OK);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_R_NET_DEBIT_CAP);
    assert_int_equal(debts_owe(d, SH, GD, 5000), SQ_OK); /* others are not meant */
    assert_int_equal(debts_owe(d, SH, SH, 5000), SQ_OK);
}

static void a_batch_is_cut_exactly_where_the_cap_is_reached(void **state)
{
    struct debts *d = *state;
    struct world_row rows[4];
    static const char *const invoices[4] = {"26312999000000000001", "26312999000000000002", "26312999000000000003",
                                            "26312999000000000004"};
    set_cap(d, 1000);
    uint64_t voucher = voucher_of_shanghai(d);
    for (size_t i = 0; i < 4; i++)
        rows[i] = (struct world_row){.voucher = voucher,
                                     .amount_fen = 300,
                                     .base_fen = 300,
                                     .total_fen = 300,
                                     .invoice = invoices[i],
                                     .service_day = 20260901};
    rows[3].amount_fen = 100;
    assert_int_equal(world_batch(d->w, SD, d->provider[SD], rows, 4), SQ_OK);
    world_run(d->w);
    assert_int_equal(d->w->answer.code_count, 0); /* 300, 300, 300, 100: all of it fits, to the fen */
    rows[0].invoice = "26312999000000000005";
    rows[1].invoice = "26312999000000000006";
    assert_int_equal(debts_owe(d, SD, SH, 450), SQ_OK); /* owed back: room for 450 */
    assert_int_equal(world_batch(d->w, SD, d->provider[SD], rows, 2), SQ_OK);
    world_run(d->w);
    const uint8_t expected[2] = {0, SQ_R_NET_DEBIT_CAP};
    assert_memory_equal(d->w->answer.code, expected, 2);
}

static void settlement_gives_the_room_back(void **state)
{
    struct debts *d = *state;
    set_cap(d, 1000);
    assert_int_equal(debts_owe(d, SH, SD, 1000), SQ_OK);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_R_NET_DEBIT_CAP);
    debts_cut(d, GD);
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 0);
    assert_int_equal(debts_owe(d, SH, SD, 1000), SQ_OK);
}

static unsigned one(struct debts *d, const struct world_row *row)
{
    unsigned status = world_batch(d->w, SD, d->provider[SD], row, 1);
    world_run(d->w);
    if (status == SQ_OK)
        status = d->w->answer.status;
    return status == SQ_OK && d->w->answer.code_count != 0 ? d->w->answer.code[0] : status;
}

/* 700 of such a voucher are held, under reservation 1; the row, to be changed for what comes of it. */
static struct world_row reserve_700(struct debts *d)
{
    struct world_row row = {.voucher = voucher_of_shanghai(d),
                            .amount_fen = 700,
                            .base_fen = 700,
                            .total_fen = 700,
                            .service_day = 20260901,
                            .verb = SANQUAN__V1__VERB__RESERVE,
                            .reservation = 1};
    assert_int_equal(one(d, &row), SQ_OK);
    return row;
}

static void reservations_take_room_and_give_it_back_when_they_are_released_end_or_are_spent(void **state)
{
    struct debts *d = *state;
    set_cap(d, 1000);
    struct world_row row = reserve_700(d);
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 700);
    row.reservation = 2;
    assert_int_equal(one(d, &row), SQ_R_NET_DEBIT_CAP);
    row.amount_fen = 300;
    assert_int_equal(one(d, &row), SQ_OK);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_R_NET_DEBIT_CAP);
    row.verb = SANQUAN__V1__VERB__RELEASE; /* aborted */
    assert_int_equal(one(d, &row), SQ_OK);
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 700);
    row.verb = SANQUAN__V1__VERB__COMMIT;
    row.reservation = 1;
    row.amount_fen = 650;
    row.invoice = "26312999000000000001";
    assert_int_equal(one(d, &row), SQ_OK); /* what it held is its own to spend */
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 650);
    row.verb = SANQUAN__V1__VERB__RESERVE;
    row.reservation = 3;
    row.amount_fen = 350;
    row.invoice = NULL;
    assert_int_equal(one(d, &row), SQ_OK);
    d->w->now_ms += 2u * 3600000u; /* it ends by itself */
    assert_int_equal(debts_owe(d, SH, SD, 350), SQ_OK);
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 1000);
    row.verb = SANQUAN__V1__VERB__RETURN;
    row.amount_fen = 650;
    row.invoice = "26312999000000000001";
    row.reservation = 0;
    assert_int_equal(one(d, &row), SQ_OK);
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 350);
}

static void a_commit_that_the_cap_refuses_leaves_its_reservation_as_it_was(void **state)
{
    struct debts *d = *state;
    struct world_row row = reserve_700(d);
    set_cap(d, 100); /* lowered below what is used */
    row.verb = SANQUAN__V1__VERB__COMMIT;
    row.invoice = "26312999000000000001";
    assert_int_equal(one(d, &row), SQ_R_NET_DEBIT_CAP);
    assert_int_equal(cap_at(d, SH, SH, SD).used_fen, 700);
    set_cap(d, 700);
    assert_int_equal(one(d, &row), SQ_OK);
}

static void the_alarm_is_shown_from_its_share_of_the_cap_on_both_sides(void **state)
{
    struct debts *d = *state;
    set_cap(d, 1000);
    assert_int_equal(debts_owe(d, SH, SD, 799), SQ_OK);
    for (uint32_t node = SH; node <= SD; node++)
        assert_false(cap_at(d, node, SH, SD).alarm);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_OK);
    for (uint32_t node = SH; node <= SD; node++)
        assert_true(cap_at(d, node, SH, SD).alarm);
}

/* A model that keeps nothing but lists of amounts. */
static void random_business_never_goes_beyond_the_cap_and_is_refused_only_there(void **state)
{
    struct debts *d = *state;
    struct dice dice = {6};
    int64_t owes = 0, back = 0;
    set_cap(d, 5000);
    for (int i = 0; i < 400; i++) {
        int64_t fen = 1 + dice_below(&dice, 1500);
        switch (dice_below(&dice, 5)) {
        case 0:
            assert_int_equal(debts_owe(d, SD, SH, fen), SQ_OK);
            back += fen;
            break;
        case 1:
            if (dice_below(&dice, 10) == 0) {
                debts_cut(d, SH);
                owes = back = 0;
            }
            break;
        default: {
            int fits = owes + fen - back <= 5000;
            assert_int_equal(debts_owe(d, SH, SD, fen), fits ? SQ_OK : SQ_R_NET_DEBIT_CAP);
            owes += fits ? fen : 0;
        }
        }
        assert_int_equal(cap_at(d, SH, SH, SD).used_fen, owes > back ? owes - back : 0);
        assert_int_equal(cap_at(d, SD, SH, SD).used_fen, owes > back ? owes - back : 0);
    }
}

static void caps_and_what_is_held_are_read_back_from_a_dump(void **state)
{
    struct debts *d = *state;
    struct sq_dump dump = {0};
    struct sq_core *copy;
    struct sq_error err = {0};
    set_cap(d, 1000);
    (void)reserve_700(d);
    sq_core_dump(d->w->core[SH], &dump);
    sq_core_dump_done(d->w->core[SH]);
    assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
    assert_int_equal(sq_core_undump(copy, sq_bytes_of(dump.bytes, dump.size), &err), SQ_OK);
    sq_core_free(d->w->core[SH]);
    d->w->core[SH] = copy;
    sq_dump_free(&dump);
    assert_int_equal(debts_owe(d, SH, SD, 301), SQ_R_NET_DEBIT_CAP);
    assert_int_equal(debts_owe(d, SH, SD, 300), SQ_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(a_cap_needs_two_people_who_say_the_same),
        STORY(items_go_up_to_the_cap_and_a_refused_one_moves_nothing),
        STORY(a_batch_is_cut_exactly_where_the_cap_is_reached),
        STORY(settlement_gives_the_room_back),
        STORY(reservations_take_room_and_give_it_back_when_they_are_released_end_or_are_spent),
        STORY(a_commit_that_the_cap_refuses_leaves_its_reservation_as_it_was),
        STORY(the_alarm_is_shown_from_its_share_of_the_cap_on_both_sides),
        STORY(random_business_never_goes_beyond_the_cap_and_is_refused_only_there),
        STORY(caps_and_what_is_held_are_read_back_from_a_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
