/* What is held and then spent or let go, and what is given back: to the fen, once, and only by who has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/redeemer.h"

static void a_reservation_is_committed_in_part_and_the_rest_is_free_again(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    row.verb = SANQUAN__V1__VERB__RESERVE;
    row.reservation = 77;
    row.invoice = NULL;
    assert_int_equal(redeem(s, &row), SQ_OK);
    assert_int_equal(reserved(s), 30000);
    pool_is(s, 30000, 0);
    assert_int_equal(redeem(s, &row), SQ_R_RESERVATION_EXISTS);
    row = good(s);
    row.verb = SANQUAN__V1__VERB__COMMIT;
    row.reservation = 77;
    row.amount_fen = 30001;
    row.base_fen = row.total_fen = 1000000;
    assert_int_equal(redeem(s, &row), SQ_R_RESERVATION_EXCEEDED);
    assert_int_equal(reserved(s), 30000);
    row.amount_fen = 20000;
    assert_int_equal(redeem(s, &row), SQ_OK);
    assert_int_equal(reserved(s), 0);
    assert_int_equal(spent(s), 20000);
    pool_is(s, 0, 20000);
    assert_int_equal(redeem(s, &row), SQ_R_INVOICE_OVERDRAWN * (row.base_fen * 2 > row.total_fen));
}

static void a_commit_that_is_refused_leaves_the_reservation_as_it_was(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    row.verb = SANQUAN__V1__VERB__RESERVE;
    row.reservation = 8;
    assert_int_equal(redeem(s, &row), SQ_OK);
    row.verb = SANQUAN__V1__VERB__COMMIT;
    row.base_fen = 10; /* 30 % of ten fen */
    assert_int_equal(redeem(s, &row), SQ_R_RATE_EXCEEDED);
    assert_int_equal(reserved(s), 30000);
    assert_int_equal(spent(s), 0);
    row = good(s);
    row.verb = SANQUAN__V1__VERB__COMMIT;
    row.reservation = 8;
    assert_int_equal(redeem(s, &row), SQ_OK);
}

static void a_reservation_ends_by_itself_at_its_time(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    row.verb = SANQUAN__V1__VERB__RESERVE;
    row.reservation = 1;
    assert_int_equal(redeem(s, &row), SQ_OK);
    uint64_t ends = s->w->now_ms + 3600000u;
    s->w->now_ms = ends; /* the last moment still holds */
    struct world_row other = good(s);
    other.invoice = "26312000000000000002";
    assert_int_equal(redeem(s, &other), SQ_OK);
    assert_int_equal(reserved(s), 30000);
    s->w->now_ms = ends + 1;
    other.invoice = "26312000000000000003";
    assert_int_equal(redeem(s, &other), SQ_OK);
    assert_int_equal(reserved(s), 0);
    row.verb = SANQUAN__V1__VERB__COMMIT;
    assert_int_equal(redeem(s, &row), SQ_R_RESERVATION_UNKNOWN);
}

static void what_was_spent_can_be_returned_once(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    assert_int_equal(redeem(s, &row), SQ_OK);
    row.verb = SANQUAN__V1__VERB__RETURN;
    row.amount_fen = 10000;
    row.base_fen = 40000;
    assert_int_equal(redeem(s, &row), SQ_OK);
    assert_int_equal(s->w->answer.amount_fen, -10000);
    assert_int_equal(spent(s), 20000);
    row.amount_fen = 20001;
    assert_int_equal(redeem(s, &row), SQ_R_RETURN_EXCEEDS);
    row.amount_fen = 20000;
    row.base_fen = 60000;
    assert_int_equal(redeem(s, &row), SQ_OK);
    assert_int_equal(spent(s), 0);
    pool_is(s, 0, 0);
    row = good(s);
    assert_int_equal(redeem(s, &row), SQ_OK); /* the invoice is free again */
}

static void a_return_never_takes_from_what_is_only_reserved(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    row.service_day = 20260101;
    assert_int_equal(redeem(s, &row), SQ_OK);
    Sanquan__V1__Programme p;
    world_programme_init(&p, 310000, 1);
    p.version = 2;
    p.from_day = 20250101;
    assert_int_equal(world_say(s->w, SH, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
    row = good(s);
    row.verb = SANQUAN__V1__VERB__RESERVE;
    row.reservation = 5;
    row.service_day = 20251231; /* another year */
    row.invoice = NULL;
    assert_int_equal(redeem(s, &row), SQ_OK);
    row = good(s);
    row.verb = SANQUAN__V1__VERB__RETURN;
    row.service_day = 20251231;
    assert_int_equal(redeem(s, &row), SQ_R_RETURN_EXCEEDS); /* nothing was spent in that year */
    row.verb = SANQUAN__V1__VERB__RELEASE;
    row.reservation = 5;
    assert_int_equal(redeem(s, &row), SQ_OK);
    assert_int_equal(reserved(s), 0);
    assert_int_equal(spent(s), 30000);
}

/* Spent at Shanghai on an invoice of Guangdong; then two returns of all of it are under way at once. */
static void of_two_returns_under_way_only_one_gets_the_money(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    row.invoice = "26442000000000000001";
    redeem(s, &row);
    world_run(s->w);
    row.invoice =
        "26442000000000000002"; /* as much again on another invoice: the voucher alone would allow both returns */
    redeem(s, &row);
    world_run(s->w);
    assert_int_equal(spent(s), 60000);
    row.invoice = "26442000000000000001";
    row.verb = SANQUAN__V1__VERB__RETURN;
    redeem(s, &row);
    redeem(s, &row);
    world_run(s->w);
    assert_int_equal(spent(s), 30000);
    redeem(s, &row);
    world_run(s->w);
    assert_int_equal(spent(s), 30000);
    row.invoice = "26442000000000000002";
    redeem(s, &row);
    world_run(s->w);
    assert_int_equal(spent(s), 0);
}

/* A claim that is under way may still be refused: what it asks for is no money to return, not even within its own batch. */
static void what_is_not_decided_yet_cannot_be_returned(void **state)
{
    struct story *s = *state;
    struct world_row rows[2] = {good(s), good(s)}, back = good(s);
    rows[0].invoice = rows[1].invoice = back.invoice = "26442000000000000001";
    rows[0].total_fen = rows[1].total_fen = back.total_fen = 200000;
    rows[1].verb = back.verb = SANQUAN__V1__VERB__RETURN;
    redeem(s, &back);
    world_run(s->w);
    world_batch(s->w, SH, WORLD_PROVIDER, rows, 2);
    redeem(s, &back); /* the home has not even heard of it */
    world_run(s->w);
    assert_int_equal(spent(s), 30000);
    redeem(s, &back);
    world_run(s->w);
    assert_int_equal(spent(s), 0);
}

static void a_node_gives_back_only_what_it_has_claimed_itself(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s), again = good(s);
    assert_int_equal(redeem(s, &row), SQ_OK);
    char provider[19];
    uint8_t cell[10] = {0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 0, 0x01},
            end_code = 1; /* the claim was refused by its issuer */
    Sanquan__V1__Unregister m;
    sanquan__v1__unregister__init(&m);
    strcpy(provider, WORLD_PROVIDER);
    m.provider = provider;
    m.invoice = (ProtobufCBinaryData){10, cell};
    m.end = (ProtobufCBinaryData){1, &end_code};
    m.n_voucher = m.n_amount_fen = m.n_base_fen = 1;
    m.voucher = &row.voucher;
    m.amount_fen = &row.amount_fen;
    m.base_fen = &row.base_fen;
    assert_int_equal(world_say(s->w, SH, "node:440000", SANQUAN__V1__MESSAGE_TYPE__UNREGISTER, &m.base), 0);
    assert_int_equal(s->w->peer_status, SQ_OK);
    assert_int_equal(redeem(s, &again), SQ_R_INVOICE_OVERDRAWN); /* still claimed, whole */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(a_reservation_is_committed_in_part_and_the_rest_is_free_again),
        STORY(a_commit_that_is_refused_leaves_the_reservation_as_it_was),
        STORY(a_reservation_ends_by_itself_at_its_time),
        STORY(what_was_spent_can_be_returned_once),
        STORY(a_return_never_takes_from_what_is_only_reserved),
        STORY(of_two_returns_under_way_only_one_gets_the_money),
        STORY(what_is_not_decided_yet_cannot_be_returned),
        STORY(a_node_gives_back_only_what_it_has_claimed_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
