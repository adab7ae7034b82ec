/* A debtor whose stream goes wrong, over real ledgers: the creditor takes its statement by two people, and the audit follows that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/core/state.h"
#include "clearing/settlement/internal.h"
#include "ops/common/audit.h"
#include "tests/support/desk.h"

#define SH 0u
#define GD 2u

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people p; /* at Guangdong, with a voucher of Shanghai's */
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    s->d = desk_new_in(s->dir, "break", 3);
    desk_people(s->d, GD, SH, 2, &s->p);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    desk_people_free(&s->p);
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

static unsigned act(struct story *s, const struct sq_keys *person, uint32_t action, const char *note)
{
    char text[64], debtor[7], creditor[7];
    Sanquan__V1__Break m;
    sanquan__v1__break__init(&m);
    snprintf(text, sizeof text, "%s", note);
    memcpy(debtor, s->d->rig->node[SH].code, 7);
    memcpy(creditor, s->d->rig->node[GD].code, 7);
    m.debtor = debtor;
    m.creditor = creditor;
    m.action = action;
    m.note = text;
    return desk_say(s->d, GD, person, SANQUAN__V1__MESSAGE_TYPE__BREAK, &m.base);
}

static sq_status audit(const struct story *s, uint32_t node, struct sq_audit_report *r, struct sq_error *err)
{
    struct sq_audit_options o = {.path = s->d->rig->node[node].ledger, .directory = s->d->rig->directory, .threads = 2};
    struct sq_audit *a;
    memset(r, 0, sizeof *r);
    sq_status st = sq_audit_open(&o, &a, err);
    if (st != SQ_OK)
        return st;
    st = sq_audit_run(a, r, err);
    sq_audit_free(a);
    return st;
}

static uint64_t settled_number(const struct story *s)
{
    struct sq_link_view v;
    sq_settlement_link(sq_core_settlement(s->d->core[GD]), SH, GD, &v);
    return v.settled_number;
}

static void an_adjusted_break_passes_the_creditors_audit_and_not_the_debtors(void **state)
{
    struct story *s = *state;
    struct sq_audit_report r;
    struct sq_error err = {0};
    const int64_t fen[] = {20000};
    const struct rig_node *gd = &s->d->rig->node[GD];
    assert_int_equal(desk_redeem(s->d, &s->p, 1, fen, 1), SQ_OK);
    desk_run(s->d);
    s->d->core[SH]->settlement->owes[GD].now.hash[3] ^= 1; /* Shanghai's memory fails it */
    desk_redeem(s->d, &s->p, 2, fen, 1);
    desk_run(s->d);
    desk_settle(s->d, 0);
    assert_int_equal(settled_number(s), 0);
    assert_int_equal(sq_settlement_break_count(sq_core_settlement(s->d->core[GD])), 1);
    const struct sq_break *b = sq_settlement_break(sq_core_settlement(s->d->core[GD]), 0);
    assert_true(b->state == SQ_BREAK_FOUND && b->number == 2 && b->entry[0].present && !b->entry[1].present);
    assert_int_equal(act(s, gd->maker, SQ_BREAK_TAKE, ""), SQ_OK);
    assert_int_equal(act(s, gd->maker, SQ_BREAK_ADOPT, "Shanghai's memory failed; we have the delivery record"), SQ_OK);
    assert_int_equal(act(s, gd->checker, SQ_BREAK_AGREE, ""), SQ_OK);
    desk_settle(s->d, 0);
    assert_int_equal(settled_number(s), 2);
    assert_int_equal(desk_redeem(s->d, &s->p, 3, fen, 1), SQ_OK);
    desk_run(s->d);
    desk_settle(s->d, 0);
    assert_int_equal(settled_number(s), 3);
    desk_close(s->d);
    if (audit(s, GD, &r, &err) != SQ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(r.settlements, 3);
    assert_int_equal(audit(s, SH, &r, &err), SQ_E_VERIFY); /* its journal makes another stream than it has sent */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_adjusted_break_passes_the_creditors_audit_and_not_the_debtors, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
