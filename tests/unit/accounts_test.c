/* The settlement account of a region: paid in by two people, committed by finality, moved by settlement; and a charter with prefunding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/debts.h"

#define SH 0u
#define SD 1u
#define GD 2u

static int begin(void **state)
{
    *state = debts_new_with(4, SQ_NET_HUB, &(struct world_charter){.prefunded = 1});
    return 0;
}

static int end(void **state)
{
    debts_free(*state);
    return 0;
}

static struct sq_account_view account(const struct debts *d, uint32_t node)
{
    struct sq_account_view v;
    sq_settlement_account(sq_core_settlement(d->w->core[node]), &v);
    return v;
}

static unsigned enter(struct debts *d, const char *person, uint32_t role, uint32_t kind, int64_t fen,
                      const char *reference)
{
    char name[48], text[80];
    Sanquan__V1__Account m;
    sanquan__v1__account__init(&m);
    snprintf(name, sizeof name, "operator:310000/%s", person);
    snprintf(text, sizeof text, "%s", reference);
    m.kind = kind;
    m.amount_fen = fen;
    m.reference = text;
    m.role = role;
    return world_say(d->w, SH, name, SANQUAN__V1__MESSAGE_TYPE__ACCOUNT, &m.base);
}

static unsigned pay(struct debts *d, int64_t fen)
{
    unsigned status = enter(d, "li", 1, 1, fen, "CN-1");
    return status != SQ_OK ? status : enter(d, "zhang", 2, 1, fen, "CN-1");
}

static unsigned confirm(struct debts *d, uint64_t window, char *payer, char *payee, int64_t fen)
{
    Sanquan__V1__Payment p, *list[1] = {&p};
    Sanquan__V1__Confirm m;
    sanquan__v1__payment__init(&p);
    sanquan__v1__confirm__init(&m);
    p.kind = 1;
    p.payer = payer;
    p.payee = payee;
    p.amount_fen = fen;
    m.window = window;
    m.payments = list;
    m.n_payments = 1;
    m.role = 1;
    unsigned status = world_say(d->w, SH, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base);
    m.role = 2;
    return status != SQ_OK ? status
                           : world_say(d->w, SH, "operator:310000/zhang", SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base);
}

static void money_is_paid_in_by_two_people_who_say_the_same(void **state)
{
    struct debts *d = *state;
    char longest[66];
    memset(longest, 'x', 64);
    longest[64] = '\0';
    assert_int_equal(enter(d, "zhang", 2, 1, 500, "CN-1"), SQ_R_NOT_ENTERED);
    assert_int_equal(enter(d, "li", 1, 0, 500, "CN-1"), SQ_R_ACCOUNT);
    assert_int_equal(enter(d, "li", 1, 8, 500, "CN-1"), SQ_R_ACCOUNT);
    assert_int_equal(enter(d, "li", 1, 1, 0, "CN-1"), SQ_R_ACCOUNT);
    assert_int_equal(enter(d, "li", 1, 1, INT64_MIN, "CN-1"), SQ_R_ACCOUNT);
    assert_int_equal(enter(d, "li", 3, 1, 500, "CN-1"), SQ_R_ACCOUNT);
    assert_int_equal(enter(d, "li", 1, 1, 500, ""), SQ_R_NOTE);
    assert_int_equal(enter(d, "li", 1, 1, 500, longest), SQ_R_NOTE);
    assert_int_equal(enter(d, "li", 1, 1, 500, "CN-1"), SQ_OK);
    assert_int_equal(enter(d, "li", 2, 1, 500, "CN-1"), SQ_R_SAME_PERSON);
    assert_int_equal(enter(d, "zhang", 2, 1, 501, "CN-1"), SQ_R_NOT_ENTERED);
    assert_int_equal(enter(d, "zhang", 2, 2, 500, "CN-1"), SQ_R_NOT_ENTERED);
    assert_int_equal(enter(d, "zhang", 2, 1, 500, "CN-2"), SQ_R_NOT_ENTERED);
    assert_int_equal(account(d, SH).balance_fen[0], 0);
    assert_true(account(d, SH).waiting_for_checker);
    assert_int_equal(enter(d, "zhang", 2, 1, 500, "CN-1"), SQ_OK);
    assert_int_equal(account(d, SH).balance_fen[0], 500);
    assert_int_equal(enter(d, "zhang", 2, 1, 500, "CN-1"), SQ_R_NOT_ENTERED); /* once */
    assert_int_equal(pay(d, -501), SQ_R_ACCOUNT);
    assert_int_equal(pay(d, -200), SQ_OK);
    assert_int_equal(account(d, SH).balance_fen[0], 300);
}

static void with_prefunding_a_region_owes_all_others_together_no_more_than_it_has(void **state)
{
    struct debts *d = *state;
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_R_NOT_PREFUNDED);
    assert_int_equal(pay(d, 1000), SQ_OK);
    assert_int_equal(debts_owe(d, SH, SD, 600), SQ_OK);
    assert_int_equal(debts_owe(d, SH, GD, 401), SQ_R_NOT_PREFUNDED);
    assert_int_equal(debts_owe(d, SH, GD, 400), SQ_OK);
    assert_int_equal(debts_owe(d, SH, SH, 5000), SQ_OK); /* its own business needs no account */
    assert_int_equal(account(d, SH).owed_fen[0], 1000);
    assert_int_equal(pay(d, -1), SQ_R_ACCOUNT); /* all of it is needed */
    assert_int_equal(debts_owe(d, SD, SH, 1), SQ_R_NOT_PREFUNDED);
}

static void finality_commits_and_settlement_moves_the_money(void **state)
{
    struct debts *d = *state;
    char sh[] = "310000", hub[] = "hub";
    assert_int_equal(pay(d, 1000), SQ_OK);
    assert_int_equal(debts_owe(d, SH, SD, 700), SQ_OK);
    debts_cut(d, SH);
    assert_int_equal(account(d, SH).committed_fen[0], 700);
    assert_int_equal(account(d, SH).owed_fen[0], 0);
    assert_int_equal(debts_owe(d, SH, SD, 301), SQ_R_NOT_PREFUNDED); /* the 700 are spoken for */
    assert_int_equal(debts_owe(d, SH, SD, 300), SQ_OK);
    assert_int_equal(pay(d, -1), SQ_R_ACCOUNT);
    assert_int_equal(confirm(d, 1, sh, hub, 699), SQ_R_CONFIRM_DIFFERS);
    assert_int_equal(account(d, SH).balance_fen[0], 1000);
    assert_int_equal(confirm(d, 1, sh, hub, 700), SQ_OK);
    struct sq_account_view v = account(d, SH);
    assert_true(v.balance_fen[0] == 300 && v.committed_fen[0] == 0 && v.owed_fen[0] == 300);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_R_NOT_PREFUNDED);
}

static void what_a_region_receives_is_its_own_when_it_is_settled(void **state)
{
    (void)state;
    char sh[] = "310000", hub[] = "hub";
    struct debts *d = debts_new(4, SQ_NET_HUB); /* no prefunding: the account bounds nothing */
    assert_int_equal(debts_owe(d, SD, SH, 250), SQ_OK);
    debts_cut(d, SH);
    assert_int_equal(account(d, SH).balance_fen[0], 0);
    assert_int_equal(confirm(d, 1, hub, sh, 250), SQ_OK);
    assert_int_equal(account(d, SH).balance_fen[0], 250);
    assert_int_equal(debts_owe(d, SH, SD, 9999), SQ_OK);
    debts_free(d);
}

static void accounts_are_read_back_from_a_dump(void **state)
{
    struct debts *d = *state;
    struct sq_dump dump = {0};
    struct sq_core *copy;
    struct sq_error err = {0};
    assert_int_equal(pay(d, 1000), SQ_OK);
    assert_int_equal(enter(d, "li", 1, 2, 70, "CN-9"), SQ_OK);
    sq_core_dump(d->w->core[SH], &dump);
    sq_core_dump_done(d->w->core[SH]);
    assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
    assert_int_equal(sq_core_undump(copy, sq_bytes_of(dump.bytes, dump.size), &err), SQ_OK);
    sq_core_free(d->w->core[SH]);
    d->w->core[SH] = copy;
    sq_dump_free(&dump);
    assert_int_equal(enter(d, "zhang", 2, 2, 70, "CN-9"), SQ_OK);
    assert_int_equal(account(d, SH).balance_fen[0], 1000);
    assert_int_equal(account(d, SH).balance_fen[1], 70);
    assert_int_equal(debts_owe(d, SH, SD, 1001), SQ_R_NOT_PREFUNDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(money_is_paid_in_by_two_people_who_say_the_same),
        STORY(with_prefunding_a_region_owes_all_others_together_no_more_than_it_has),
        STORY(finality_commits_and_settlement_moves_the_money),
        cmocka_unit_test(what_a_region_receives_is_its_own_when_it_is_settled),
        STORY(accounts_are_read_back_from_a_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
