/* What a window leaves to be paid is in the next: where each debtor's funds bound it, and where a window is closed for some kinds only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/debts.h"
#include "tests/support/trading.h"

#define SH 0u
#define SD 1u
#define GD 2u

struct expected {
    const char *payer, *payee;
    int64_t fen;
};

static void are(Sanquan__V1__Payment **got, size_t got_count, const struct expected *want, size_t count)
{
    assert_int_equal(got_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(got[i]->payer, want[i].payer);
        assert_string_equal(got[i]->payee, want[i].payee);
        assert_int_equal(got[i]->amount_fen, want[i].fen);
    }
}

static void ends_with(const struct debts *d, uint64_t window, const struct expected *paid, size_t paid_count,
                      const struct expected *left, size_t left_count)
{
    debts_final_everywhere(d, window);
    Sanquan__V1__Settlement *v = debts_value(d, SH, window);
    are(v->payments, v->n_payments, paid, paid_count);
    are(v->left, v->n_left, left, left_count);
    sanquan__v1__settlement__free_unpacked(v, NULL);
}

static unsigned pay_in(struct debts *d, int64_t fen)
{
    Sanquan__V1__Account m;
    char reference[] = "CN-1";
    sanquan__v1__account__init(&m);
    m.kind = 1;
    m.amount_fen = fen;
    m.reference = reference;
    m.role = 1;
    unsigned status = world_say(d->w, SH, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__ACCOUNT, &m.base);
    m.role = 2;
    return status != SQ_OK ? status
                           : world_say(d->w, SH, "operator:310000/zhang", SANQUAN__V1__MESSAGE_TYPE__ACCOUNT, &m.base);
}

static unsigned settle_own(struct debts *d, uint64_t window, const struct expected *paid)
{
    char payer[8], payee[8];
    Sanquan__V1__Payment p, *list[1] = {&p};
    Sanquan__V1__Confirm m;
    sanquan__v1__payment__init(&p);
    sanquan__v1__confirm__init(&m);
    strcpy(payer, paid->payer);
    strcpy(payee, paid->payee);
    p.kind = 1;
    p.payer = payer;
    p.payee = payee;
    p.amount_fen = paid->fen;
    m.window = window;
    m.role = 1;
    m.payments = list;
    m.n_payments = 1;
    unsigned status = world_say(d->w, SH, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base);
    m.role = 2;
    return status != SQ_OK ? status
                           : world_say(d->w, SH, "operator:310000/zhang", SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base);
}

static void what_funds_do_not_discharge_is_in_the_next_window(void **state)
{
    (void)state;
    struct debts *d = debts_new(3, SQ_NET_FUNDS);
    assert_int_equal(debts_owe(d, SH, SD, 100), SQ_OK);
    assert_int_equal(debts_owe(d, SD, GD, 80), SQ_OK);
    assert_int_equal(debts_owe(d, GD, SH, 70), SQ_OK);
    debts_cut(d, SD); /* nobody has anything: only the ring of 70 is set off */
    const struct expected left[] = {{"310000", "370000", 30}, {"370000", "440000", 10}};
    ends_with(d, 1, NULL, 0, left, 2);
    assert_int_equal(pay_in(d, 20), SQ_OK);
    debts_cut(d, GD); /* nothing new was owed; Shanghai's 20 go round */
    const struct expected paid[] = {{"310000", "hub", 20}, {"hub", "370000", 10}, {"hub", "440000", 10}},
                          rest[] = {{"310000", "370000", 10}};
    ends_with(d, 2, paid, 3, rest, 1);
    Sanquan__V1__Settlement *v = debts_value(d, GD, 2);
    assert_int_equal(v->n_pairs, 2);
    assert_true(v->pairs[0]->total_fen[0] == 30 && v->pairs[0]->carried_fen[0] == 30 && v->pairs[0]->count == 0 &&
                v->pairs[0]->last + 1 == v->pairs[0]->first);
    assert_true(v->n_funds == 1 && v->funds[0]->net_fen == 20);
    assert_string_equal(v->funds[0]->node, "310000");
    sanquan__v1__settlement__free_unpacked(v, NULL);
    /* What is committed to a window is no fund of the next. */
    assert_int_equal(debts_owe(d, SH, SD, 5), SQ_OK);
    debts_cut(d, SH);
    const struct expected more[] = {{"310000", "370000", 15}};
    ends_with(d, 3, NULL, 0, more, 1);
    v = debts_value(d, SD, 3);
    assert_true(v->pairs[0]->total_fen[0] == 15 && v->pairs[0]->carried_fen[0] == 10 && v->pairs[0]->count == 1);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    assert_int_equal(settle_own(d, 2, &paid[0]), SQ_OK);
    assert_int_equal(pay_in(d, 500), SQ_OK);
    debts_cut(d, SH);
    const struct expected all[] = {{"310000", "hub", 15}, {"hub", "370000", 15}};
    ends_with(d, 4, all, 2, NULL, 0);
    debts_cut(d, SH);
    v = debts_value(d, SH, 5);
    assert_int_equal(v->n_pairs, 0);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    debts_free(d);
}

static void a_snapshot_keeps_what_is_carried(void **state)
{
    (void)state;
    struct debts *d = debts_new(3, SQ_NET_FUNDS);
    debts_owe(d, SH, SD, 100);
    debts_cut(d, SD);
    struct sq_dump dump = {0};
    struct sq_core *again;
    struct sq_error err = {0};
    sq_core_dump(d->w->core[SH], &dump);
    sq_core_dump_done(d->w->core[SH]);
    assert_int_equal(sq_core_new(&again, &err), SQ_OK);
    assert_int_equal(sq_core_undump(again, sq_bytes_of(dump.bytes, dump.size), &err), SQ_OK);
    sq_core_free(d->w->core[SH]);
    d->w->core[SH] = again;
    debts_cut(d, SD);
    const struct expected left[] = {{"310000", "370000", 100}};
    ends_with(d, 2, NULL, 0, left, 1);
    sq_dump_free(&dump);
    debts_free(d);
}

/* ---- kinds ---- */

static unsigned cut_for(struct trading *t, uint32_t node, uint64_t window, uint32_t kinds)
{
    static const char *const people[] = {"operator:310000/li", "operator:370000/li", "operator:440000/li"};
    Sanquan__V1__WindowCut m;
    sanquan__v1__window_cut__init(&m);
    m.window = window;
    m.kinds = kinds;
    return world_say(t->w, node, people[node], SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base);
}

static void a_window_may_be_closed_for_some_kinds_and_the_others_wait(void **state)
{
    (void)state;
    struct trading *t = trading_new(3, SQ_NET_HUB);
    uint32_t of_sh = trading_kind(SH), of_sd = trading_kind(SD);
    assert_int_not_equal(of_sh, of_sd);
    trading_redeem(t, GD, SH, 30);
    trading_redeem(t, SH, SD, 50);
    world_run(t->w);
    assert_int_equal(cut_for(t, SH, 1, 1u), SQ_R_COLUMNS); /* there is no kind 0 */
    assert_int_equal(cut_for(t, SH, 1, 1u << 8), SQ_R_COLUMNS);
    assert_int_equal(sq_settlement_open_window(trading_side(t, SH)), 1);
    assert_int_equal(cut_for(t, SH, 1, 1u << of_sh), SQ_OK);
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *v = trading_settlement(t, GD, 1);
    assert_int_equal(v->kinds, 1u << of_sh);
    assert_int_equal(v->n_pairs, 2);
    const struct expected paid[] = {{"310000", "hub", 30}, {"hub", "440000", 30}}, left[] = {{"370000", "310000", 50}};
    are(v->payments, v->n_payments, paid, 2);
    are(v->left, v->n_left, left, 1);
    assert_int_equal(v->left[0]->kind, of_sd);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    trading_redeem(t, SH, SD, 7);
    world_run(t->w);
    assert_int_equal(trading_cut(t, SD, 2), SQ_OK); /* of all kinds */
    trading_finish(t, 2);
    trading_agree(t, 2);
    v = trading_settlement(t, SH, 2);
    const struct expected rest[] = {{"370000", "hub", 57}, {"hub", "310000", 57}};
    are(v->payments, v->n_payments, rest, 2);
    assert_true(v->kinds == 0 && v->n_left == 0 && v->n_pairs == 1);
    assert_true(v->pairs[0]->carried_fen[of_sd - 1] == 50 && v->pairs[0]->count == 1);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    trading_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_funds_do_not_discharge_is_in_the_next_window),
        cmocka_unit_test(a_snapshot_keeps_what_is_carried),
        cmocka_unit_test(a_window_may_be_closed_for_some_kinds_and_the_others_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
