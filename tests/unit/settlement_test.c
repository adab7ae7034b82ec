/* Windows from the cut to the bank's word, among honest nodes of which some are late or down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/trading.h"

#define SH    0u /* 310000, owes kind 1 */
#define SD    1u /* 370000, owes kind 2 */
#define GD    2u /* 440000, owes kind 3 */
#define CQ    3u /* 500000, owes kind 1 */
#define NODES 4u

static int begin(void **state)
{
    *state = trading_new(NODES, SQ_NET_HUB);
    return 0;
}

static int end(void **state)
{
    trading_free(*state);
    return 0;
}

static enum sq_window_state state_of(const struct trading *t, uint32_t node, uint64_t window)
{
    return trading_window(t, node, window).state;
}

static struct sq_dump side_dump(const struct trading *t, uint32_t node)
{
    struct sq_dump d = {0};
    sq_settlement_dump(trading_side(t, node), &d);
    return d;
}

static void side_is(const struct trading *t, uint32_t node, struct sq_dump *before)
{
    struct sq_dump now = side_dump(t, node);
    assert_int_equal(now.size, before->size);
    assert_memory_equal(now.bytes, before->bytes, now.size);
    sq_dump_free(&now);
    sq_dump_free(before);
}

/* ---- cutting ---- */

static void payment_is(const Sanquan__V1__Payment *p, uint32_t kind, const char *payer, const char *payee, int64_t fen)
{
    assert_int_equal(p->kind, kind);
    assert_string_equal(p->payer, payer);
    assert_string_equal(p->payee, payee);
    assert_true(p->amount_fen == fen);
}

static void a_cut_ends_in_the_same_certified_settlement_everywhere(void **state)
{
    struct trading *t = *state;
    trading_redeem(t, SD, SH, 3000); /* Shanghai owes Shandong */
    trading_redeem(t, SD, SH, 500);
    trading_redeem(t, CQ, SH, 20);
    trading_redeem(t, SH, CQ, 120);
    trading_redeem(t, GD, SD, 77);
    trading_redeem(t, GD, GD, 999); /* at home: no debt between regions */
    world_run(t->w);
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, GD, 1);
    assert_true(s->window == 1 && s->method == SQ_NET_HUB);
    assert_int_equal(s->n_pairs, 4);
    const Sanquan__V1__Pair *p = trading_pair(t, s, SH, SD);
    assert_true(p->first == 1 && p->last == 2 && p->count == 2 && p->total_fen[0] == 3500 && p->total_fen[1] == 0);
    assert_int_equal(s->n_payments, 5);
    payment_is(s->payments[0], 1, "310000", "hub", 3400);
    payment_is(s->payments[1], 1, "500000", "hub", 100);
    payment_is(s->payments[2], 1, "hub", "370000", 3500);
    payment_is(s->payments[3], 2, "370000", "hub", 77);
    payment_is(s->payments[4], 2, "hub", "440000", 77);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    struct sq_link_view home;
    sq_settlement_link(trading_side(t, GD), GD, GD, &home);
    assert_true(home.settled_number == 1 && home.last.count == 0 && home.last.total_fen[2] == 0);
    for (uint32_t i = 0; i < NODES; i++) {
        assert_true(sq_settlement_open_window(trading_side(t, i)) == 2);
        assert_int_equal(state_of(t, i, 2), SQ_WINDOW_OPEN);
    }
}

static void an_empty_window_closes_with_nothing_in_it(void **state)
{
    struct trading *t = *state;
    assert_int_equal(trading_cut(t, GD, 1), SQ_OK);
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, SH, 1);
    assert_true(s->n_pairs == 0 && s->n_nets == 0 && s->n_payments == 0);
    sanquan__v1__settlement__free_unpacked(s, NULL);
}

static void only_the_open_window_can_be_cut(void **state)
{
    struct trading *t = *state;
    static const uint64_t wrong[] = {0, 2, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sq_dump before = side_dump(t, SH);
        assert_int_equal(trading_cut(t, SH, wrong[i]), SQ_R_WINDOW_STATE);
        side_is(t, SH, &before);
    }
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    struct sq_dump before = side_dump(t, SH);
    assert_int_equal(trading_cut(t, SH, 1), SQ_R_WINDOW_STATE);
    side_is(t, SH, &before);
    struct sq_window_view v;
    assert_int_equal(sq_settlement_window(trading_side(t, SH), 0, &v, NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_settlement_window(trading_side(t, SH), 3, &v, NULL), SQ_E_NOT_FOUND);
}

static void a_peer_s_statement_cuts_this_node_s_window_too(void **state)
{
    struct trading *t = *state;
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    assert_int_equal(state_of(t, SD, 1), SQ_WINDOW_OPEN);
    assert_null(trading_message(t, SD, GD, SANQUAN__V1__MESSAGE_TYPE__STATEMENT));
    while (trading_message(t, SH, SD, SANQUAN__V1__MESSAGE_TYPE__STATEMENT) != NULL)
        assert_int_equal(world_deliver(t->w, SH, SD), 1);
    assert_int_equal(state_of(t, SD, 1), SQ_WINDOW_CUT);
    assert_int_equal(state_of(t, SD, 2), SQ_WINDOW_OPEN);
    assert_non_null(trading_message(t, SD, GD, SANQUAN__V1__MESSAGE_TYPE__STATEMENT));
    assert_int_equal(state_of(t, GD, 1), SQ_WINDOW_OPEN);
}

static void a_cut_while_the_window_before_is_being_decided_waits_for_finality(void **state)
{
    struct trading *t = *state;
    trading_redeem(t, SD, SH, 100);
    world_run(t->w);
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    trading_redeem(t, SD, SH, 1);
    assert_int_equal(trading_cut(t, SH, 2), SQ_OK);
    assert_true(sq_settlement_open_window(trading_side(t, SH)) == 2);
    assert_int_equal(state_of(t, SH, 2), SQ_WINDOW_OPEN);
    trading_finish(t, 2);
    trading_agree(t, 1);
    trading_agree(t, 2);
    Sanquan__V1__Settlement *first = trading_settlement(t, SD, 1), *second = trading_settlement(t, SD, 2);
    assert_true(trading_pair(t, first, SH, SD)->last == 1 && trading_pair(t, second, SH, SD)->first == 2);
    assert_true(trading_pair(t, second, SH, SD)->total_fen[0] == 1);
    sanquan__v1__settlement__free_unpacked(first, NULL);
    sanquan__v1__settlement__free_unpacked(second, NULL);
}

static void what_is_decided_after_the_cut_is_in_the_next_window(void **state)
{
    struct trading *t = *state;
    trading_redeem(t, SD, SH, 100);
    world_run(t->w);
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    trading_redeem(t, SD, SH, 7);
    trading_finish(t, 1);
    struct sq_link_view owes, owed;
    sq_settlement_link(trading_side(t, SH), SH, SD, &owes);
    sq_settlement_link(trading_side(t, SD), SH, SD, &owed);
    assert_memory_equal(&owes, &owed, sizeof owes);
    assert_true(owes.settled_number == 1 && owes.last.number == 2 && owes.last.count == 1 &&
                owes.last.total_fen[0] == 7);
}

/* ---- late and down ---- */

static void without_all_statements_a_node_waits_and_then_goes_on_without_them(void **state)
{
    struct trading *t = *state;
    trading_redeem(t, SD, SH, 100);
    trading_redeem(t, SH, SD, 40);
    trading_redeem(t, GD, SH, 5);
    world_run(t->w);
    t->w->down = 1u << SD;
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    world_run(t->w);
    t->w->now_ms += SQ_STATEMENTS_LATE_MS - 1;
    world_run(t->w);
    assert_int_equal(state_of(t, SH, 1), SQ_WINDOW_CUT);
    assert_null(trading_message(t, SH, SD, SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT));
    t->w->now_ms += 1;
    world_run(t->w);
    assert_non_null(trading_message(t, SH, SD, SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT));
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, GD, 1);
    assert_int_equal(s->n_pairs, 1); /* only what both sides have stated */
    assert_true(trading_pair(t, s, SH, GD)->total_fen[0] == 5);
    sanquan__v1__settlement__free_unpacked(s, NULL);
}

static void a_node_that_was_down_at_the_cut_finds_its_items_in_the_next_window(void **state)
{
    struct trading *t = *state;
    trading_redeem(t, SD, CQ, 100);
    trading_redeem(t, CQ, SD, 40);
    trading_redeem(t, SD, SH, 9);
    world_run(t->w);
    t->w->down = 1u << CQ;
    assert_int_equal(trading_cut(t, SD, 1), SQ_OK);
    trading_finish(t, 1);
    t->w->down = 0;
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, CQ, 1);
    assert_true(trading_pair(t, s, SH, SD) != NULL && trading_pair(t, s, CQ, SD) == NULL &&
                trading_pair(t, s, SD, CQ) == NULL);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    trading_redeem(t, SD, CQ, 11);
    world_run(t->w);
    assert_int_equal(trading_cut(t, CQ, 2), SQ_OK);
    trading_finish(t, 2);
    trading_agree(t, 2);
    s = trading_settlement(t, SH, 2);
    const Sanquan__V1__Pair *owes = trading_pair(t, s, CQ, SD), *owed = trading_pair(t, s, SD, CQ);
    assert_true(owes->first == 1 && owes->last == 2 && owes->total_fen[0] == 111);
    assert_true(owed->first == 1 && owed->last == 1 && owed->total_fen[1] == 40);
    sanquan__v1__settlement__free_unpacked(s, NULL);
}

/* Twelve windows; then one peer's backlog after the other, as connections happen to come back. */
static void a_node_that_was_down_for_many_windows_catches_up(void **state)
{
    struct trading *t = *state;
    for (uint64_t window = 1; window <= 12; window++) {
        trading_redeem(t, SD, SH, (int64_t)window);
        t->w->down = 0;
        if (window > 1)
            t->w->down = 1u << CQ;
        world_run(t->w);
        assert_int_equal(trading_cut(t, SH, window), SQ_OK);
        trading_finish(t, window);
    }
    assert_true(sq_settlement_open_window(trading_side(t, CQ)) == 2);
    t->w->down = 0;
    for (uint32_t from = 0; from < CQ; from++)
        while (world_deliver(t->w, from, CQ))
            ;
    trading_finish(t, 12);
    for (uint64_t window = 1; window <= 12; window++)
        trading_agree(t, window);
    trading_redeem(t, CQ, SH, 5);
    world_run(t->w);
    assert_int_equal(trading_cut(t, CQ, 13), SQ_OK);
    trading_finish(t, 13);
    trading_agree(t, 13);
}

static void a_silent_proposer_costs_a_round_and_not_the_window(void **state)
{
    struct trading *t = *state;
    trading_redeem(t, GD, SH, 5);
    world_run(t->w);
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    for (uint32_t from = 0; from < NODES;
         from++) /* all statements and counterstatements are there, then the first proposer goes down */
        for (uint32_t to = 0; to < NODES; to++)
            while (trading_message(t, from, to, SANQUAN__V1__MESSAGE_TYPE__STATEMENT) != NULL)
                assert_int_equal(world_deliver(t->w, from, to), 1);
    t->w->down = 1u << SD; /* window 1 begins with node 1 */
    trading_finish(t, 1);
    trading_agree(t, 1);
    assert_true(trading_window(t, SH, 1).round >= 1);
}

static void too_few_nodes_decide_nothing_until_one_is_back(void **state)
{
    struct trading *t = *state;
    trading_redeem(t, GD, SH, 5);
    world_run(t->w);
    t->w->down = 1u << CQ | 1u << SD;
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    for (int i = 0; i < 600; i++) {
        t->w->now_ms += 1000;
        world_run(t->w);
    }
    assert_true(state_of(t, SH, 1) < SQ_WINDOW_FINAL && state_of(t, GD, 1) < SQ_WINDOW_FINAL);
    t->w->down = 1u << CQ;
    trading_finish(t, 1);
    trading_agree(t, 1);
}

/* ---- confirmation ---- */

static void settle_one(struct trading *t)
{
    trading_redeem(t, SD, SH, 3000);
    trading_redeem(t, SH, SD, 500);
    world_run(t->w);
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    trading_finish(t, 1);
}

static void payments_are_confirmed_by_a_maker_and_a_checker(void **state)
{
    struct trading *t = *state;
    settle_one(t);
    assert_int_equal(trading_confirm(t, SH, 1, "zhang", 2, NULL, 0), SQ_R_WINDOW_STATE); /* nothing to check yet */
    assert_int_equal(trading_confirm(t, SH, 1, "li", 1, NULL, 0), SQ_OK);
    assert_int_equal(state_of(t, SH, 1), SQ_WINDOW_INSTRUCTED);
    assert_int_equal(trading_confirm(t, SH, 1, "zhang", 1, NULL, 0), SQ_R_WINDOW_STATE); /* nothing to make any more */
    t->w->now_ms += 5000;
    assert_int_equal(trading_confirm(t, SH, 1, "zhang", 2, NULL, 0), SQ_OK);
    assert_int_equal(state_of(t, SH, 1), SQ_WINDOW_SETTLED);
    assert_true(trading_window(t, SH, 1).settled_ms == t->w->now_ms);
    assert_int_equal(trading_confirm(t, SH, 1, "zhang", 2, NULL, 0), SQ_R_WINDOW_STATE);
    assert_int_equal(state_of(t, SD, 1), SQ_WINDOW_FINAL); /* each node confirms for itself */
}

static void the_maker_cannot_be_the_checker(void **state)
{
    struct trading *t = *state;
    settle_one(t);
    assert_int_equal(trading_confirm(t, SD, 1, "li", 1, NULL, 0), SQ_OK);
    struct sq_dump before = side_dump(t, SD);
    assert_int_equal(trading_confirm(t, SD, 1, "li", 2, NULL, 0), SQ_R_SAME_PERSON);
    side_is(t, SD, &before);
    assert_int_equal(trading_confirm(t, SD, 1, "zhang", 2, NULL, 0), SQ_OK);
}

static void a_window_that_is_not_final_has_nothing_to_confirm(void **state)
{
    struct trading *t = *state;
    settle_one(t);
    Sanquan__V1__Confirm m;
    static const uint64_t wrong[] = {0, 2, 3, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (uint32_t role = 0; role <= 3; role++) {
            struct sq_dump before = side_dump(t, SH);
            sanquan__v1__confirm__init(&m);
            m.window = wrong[i];
            m.role = role;
            assert_int_equal(world_say(t->w, SH, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base),
                             SQ_R_WINDOW_STATE);
            side_is(t, SH, &before);
        }
}

/* Everything that can be a fen, a name or a line off; number 0 is right. */
static unsigned confirm_with(struct trading *t, const char *who, uint32_t role, unsigned fault)
{
    Sanquan__V1__Payment p[3], *list[3] = {&p[0], &p[1], &p[2]};
    static char sh[] = "310000", sd[] = "370000", gd[] = "440000", hub[] = "hub";
    size_t count = 2;
    for (size_t i = 0; i < 3; i++)
        sanquan__v1__payment__init(&p[i]);
    p[0].kind = 1, p[0].payer = sh, p[0].payee = hub, p[0].amount_fen = 3000;
    p[1].kind = 2, p[1].payer = hub, p[1].payee = sh, p[1].amount_fen = 500;
    p[2] = p[1];
    switch (fault) {
    case 1:
        p[0].amount_fen = 2999;
        break;
    case 2:
        p[0].amount_fen = 3001;
        break;
    case 3:
        p[1].kind = 3;
        break;
    case 4:
        p[0].payer = sd;
        break;
    case 5:
        p[1].payee = gd;
        break;
    case 6:
        count = 1;
        break;
    case 7:
        count = 3;
        break;
    case 8:
        count = 0;
        break;
    case 9:
        list[0] = &p[1], list[1] = &p[0];
        break;
    default:
        break;
    }
    return trading_confirm(t, SH, 1, who, role, list, count);
}

static void a_fen_off_is_a_break_until_the_right_payments_come(void **state)
{
    struct trading *t = *state;
    settle_one(t);
    for (unsigned fault = 1; fault <= 9; fault++) {
        assert_int_equal(confirm_with(t, "li", 1, fault), SQ_R_CONFIRM_DIFFERS);
        assert_int_equal(state_of(t, SH, 1), SQ_WINDOW_BREAK);
        assert_int_equal(confirm_with(t, "zhang", 2, 0), SQ_R_WINDOW_STATE); /* a break has no checker */
        assert_int_equal(confirm_with(t, "li", 1, 0), SQ_OK);
        assert_int_equal(state_of(t, SH, 1), SQ_WINDOW_INSTRUCTED);
        assert_int_equal(confirm_with(t, "zhang", 2, fault), SQ_R_CONFIRM_DIFFERS); /* the checker finds it too */
        assert_int_equal(state_of(t, SH, 1), SQ_WINDOW_BREAK);
    }
    assert_int_equal(confirm_with(t, "zhang", 1, 0), SQ_OK);
    assert_int_equal(confirm_with(t, "zhang", 2, 0), SQ_R_SAME_PERSON);
    assert_int_equal(confirm_with(t, "li", 2, 0), SQ_OK);
    assert_int_equal(state_of(t, SH, 1), SQ_WINDOW_SETTLED);
}

static void a_node_with_nothing_to_pay_confirms_that(void **state)
{
    struct trading *t = *state;
    settle_one(t);
    assert_int_equal(trading_confirm(t, CQ, 1, "li", 1, NULL, 0), SQ_OK);
    assert_int_equal(trading_confirm(t, CQ, 1, "zhang", 2, NULL, 0), SQ_OK);
    assert_int_equal(state_of(t, CQ, 1), SQ_WINDOW_SETTLED);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(a_cut_ends_in_the_same_certified_settlement_everywhere),
        STORY(an_empty_window_closes_with_nothing_in_it),
        STORY(only_the_open_window_can_be_cut),
        STORY(a_peer_s_statement_cuts_this_node_s_window_too),
        STORY(a_cut_while_the_window_before_is_being_decided_waits_for_finality),
        STORY(what_is_decided_after_the_cut_is_in_the_next_window),
        STORY(without_all_statements_a_node_waits_and_then_goes_on_without_them),
        STORY(a_node_that_was_down_at_the_cut_finds_its_items_in_the_next_window),
        STORY(a_node_that_was_down_for_many_windows_catches_up),
        STORY(a_silent_proposer_costs_a_round_and_not_the_window),
        STORY(too_few_nodes_decide_nothing_until_one_is_back),
        STORY(payments_are_confirmed_by_a_maker_and_a_checker),
        STORY(the_maker_cannot_be_the_checker),
        STORY(a_window_that_is_not_final_has_nothing_to_confirm),
        STORY(a_fen_off_is_a_break_until_the_right_payments_come),
        STORY(a_node_with_nothing_to_pay_confirms_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
