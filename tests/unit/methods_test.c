/* A network whose charter names a netting method settles by it, and all nodes hold the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tests/support/debts.h"

#define SH 0u
#define SD 1u
#define GD 2u

struct expected {
    const char *payer, *payee;
    int64_t fen;
};

static void a_ring_of_debts_is_paid_as(enum sq_netting_method method, const struct expected *payments, size_t count)
{
    struct debts *d = debts_new(3, method);
    assert_int_equal(debts_owe(d, SH, SD, 100), SQ_OK);
    assert_int_equal(debts_owe(d, SD, GD, 80), SQ_OK);
    assert_int_equal(debts_owe(d, GD, SH, 70), SQ_OK);
    debts_cut(d, SD);
    debts_final_everywhere(d, 1);
    Sanquan__V1__Settlement *v = debts_value(d, SH, 1);
    assert_int_equal(v->method, method);
    assert_int_equal(v->n_pairs, 3);
    assert_int_equal(v->n_payments, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(v->payments[i]->payer, payments[i].payer);
        assert_string_equal(v->payments[i]->payee, payments[i].payee);
        assert_int_equal(v->payments[i]->amount_fen, payments[i].fen);
    }
    sanquan__v1__settlement__free_unpacked(v, NULL);
    debts_free(d);
}

static void gross_pays_every_debt_whole(void **state)
{
    (void)state;
    const struct expected p[] = {{"310000", "370000", 100}, {"370000", "440000", 80}, {"440000", "310000", 70}};
    a_ring_of_debts_is_paid_as(SQ_NET_GROSS, p, 3);
}

static void bilaterally_a_ring_offsets_nothing(void **state)
{
    (void)state;
    const struct expected p[] = {{"310000", "370000", 100}, {"370000", "440000", 80}, {"440000", "310000", 70}};
    a_ring_of_debts_is_paid_as(SQ_NET_BILATERAL, p, 3);
}

static void through_the_hub_each_pays_or_gets_its_net(void **state)
{
    (void)state;
    const struct expected p[] = {{"310000", "hub", 30}, {"hub", "370000", 20}, {"hub", "440000", 10}};
    a_ring_of_debts_is_paid_as(SQ_NET_HUB, p, 3);
}

static void cycles_leave_what_no_cycle_can_take(void **state)
{
    (void)state;
    const struct expected p[] = {{"310000", "370000", 30}, {"370000", "440000", 10}};
    a_ring_of_debts_is_paid_as(SQ_NET_CYCLES, p, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gross_pays_every_debt_whole),
        cmocka_unit_test(bilaterally_a_ring_offsets_nothing),
        cmocka_unit_test(through_the_hub_each_pays_or_gets_its_net),
        cmocka_unit_test(cycles_leave_what_no_cycle_can_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
