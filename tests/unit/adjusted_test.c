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
#include "ops/cli/tally.h"
#include "ops/common/audit.h"
#include "ops/history/query.h"
#include "peers/message.h"
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

/* Two people of Guangdong take what Shanghai states next, and it settles. */
static void adjust(struct story *s)
{
    const struct rig_node *gd = &s->d->rig->node[GD];
    desk_settle(s->d, 0);
    assert_int_equal(act(s, gd->maker, SQ_BREAK_TAKE, ""), SQ_OK);
    assert_int_equal(act(s, gd->maker, SQ_BREAK_ADOPT, "Shanghai's memory failed; we have the delivery record"), SQ_OK);
    assert_int_equal(act(s, gd->checker, SQ_BREAK_AGREE, ""), SQ_OK);
    desk_settle(s->d, 0);
}

static struct sq_core_totals totals(const struct story *s)
{
    struct sq_core_totals t;
    sq_core_totals(s->d->core[GD], &t);
    return t;
}

static sq_status keep_last(void *ctx, const struct sq_item *item, struct sq_error *err)
{
    (void)err;
    *(struct sq_item *)ctx = *item;
    return SQ_OK;
}

/* The newest item of Guangdong's provider, as Guangdong's history has it; tally: what is paid for that window, which must tie. */
static struct sq_item newest_and_tally(const struct story *s, uint64_t window, struct sq_tally *tally)
{
    struct sq_history *h;
    struct sq_query *q;
    struct sq_filter f = {0};
    struct sq_item item = {0};
    struct sq_error err = {0};
    struct sq_timeline *t;
    uint64_t left = 1;
    assert_int_equal(sq_history_open(s->d->rig->node[GD].ledger, s->d->ledger[GD], 1000, &h, &err), SQ_OK);
    while (left != 0)
        assert_int_equal(sq_history_follow(h, 7, &left, &err), SQ_OK);
    assert_int_equal(sq_history_settle(h, &err), SQ_OK);
    assert_int_equal(sq_query_new(h, s->d->ledger[GD], &q, &err), SQ_OK);
    if (sq_query_scan(q, &f, keep_last, &item, &err) != SQ_OK)
        fail_msg("%s", err.text);
    if (window != 0) {
        if (sq_timeline_new(s->d->ledger[GD], NULL, NULL, &t, &err) != SQ_OK ||
            sq_tally_payouts(q, t, window, tally, &err) != SQ_OK)
            fail_msg("%s", err.text);
        sq_timeline_free(t);
    }
    sq_query_free(q);
    sq_history_close(h);
    return item;
}

static struct sq_item newest(const struct story *s)
{
    return newest_and_tally(s, 0, NULL);
}

static void rows_whose_decision_came_on_a_broken_link_end_as_it_said_when_the_break_is_adjusted(void **state)
{
    struct story *s = *state;
    struct sq_audit_report r;
    struct sq_error err = {0};
    const int64_t fen[] = {20000}, too_much[] = {900000000000};
    assert_int_equal(desk_redeem(s->d, &s->p, 1, fen, 1), SQ_OK);
    s->d->core[SH]->settlement->owes[GD].now.hash[3] ^= 1;
    assert_int_equal(desk_redeem(s->d, &s->p, 2, fen, 1), 9999); /* no answer */
    assert_int_equal(desk_redeem(s->d, &s->p, 3, fen, 1), 9999);
    assert_int_equal(desk_redeem(s->d, &s->p, 4, too_much, 1), SQ_OK); /* no money moves, so no link is broken */
    assert_int_equal(s->d->code[0], SQ_R_CAP_CLAIM);
    assert_true(totals(s).batches_waiting == 2 && totals(s).items_accepted == 1);
    desk_settle(s->d, 0);
    assert_int_equal(desk_time(s->d, GD), 0); /* people have not said what is owed */
    assert_true(totals(s).batches_waiting == 2 && newest(s).state == SQ_ITEM_REFUSED);
    adjust(s);
    s->d->status = 9999;
    assert_int_equal(desk_time(s->d, GD), 2);
    assert_true(s->d->status == SQ_OK && s->d->code[0] == 0); /* the provider is told */
    assert_true(totals(s).batches_waiting == 0 && totals(s).items_accepted == 3);
    assert_int_equal(desk_time(s->d, GD), 0);
    desk_run(s->d);
    assert_int_equal(settled_number(s), 3);
    assert_int_equal(desk_redeem(s->d, &s->p, 3, fen, 1), SQ_OK); /* the invoice stays claimed */
    assert_int_equal(s->d->code[0], SQ_R_INVOICE_OVERDRAWN);
    desk_close(s->d);
    if (audit(s, GD, &r, &err) != SQ_OK)
        fail_msg("%s", err.text);
}

static void the_history_knows_the_window_of_such_rows_and_they_are_paid_for_once(void **state)
{
    struct story *s = *state;
    const int64_t fen[] = {20000};
    assert_int_equal(desk_redeem(s->d, &s->p, 1, fen, 1), SQ_OK);
    s->d->core[SH]->settlement->owes[GD].now.hash[3] ^= 1;
    assert_int_equal(desk_redeem(s->d, &s->p, 2, fen, 1), 9999);
    assert_int_equal(newest(s).state, SQ_ITEM_WAITING);
    adjust(s);
    assert_int_equal(desk_time(s->d, GD), 1);
    struct sq_tally paid;
    struct sq_item item = newest_and_tally(s, 2, &paid);
    int64_t rows = 0, sum = 0;
    for (size_t i = 0; i < paid.count; i++) {
        rows += paid.lines[i].what == SQ_TALLY_ROW ? paid.lines[i].fen : 0;
        sum += paid.lines[i].fen;
    }
    assert_true(rows == 40000 && sum == 40000); /* both redemptions, and nothing beside them is left */
    sq_tally_free(&paid);
    assert_true(item.state == SQ_ITEM_ACCEPTED && item.amount_fen == 20000 && item.link == 2 && item.window == 2 &&
                item.is_final && item.decided_seq == s->d->seq);
}

static void a_decision_that_no_statement_covers_is_refused_and_its_invoice_is_free_again(void **state)
{
    struct story *s = *state;
    struct sq_audit_report r;
    struct sq_error err = {0};
    const int64_t fen[] = {20000};
    struct sq_fold *now = &s->d->core[SH]->settlement->owes[GD].now;
    assert_int_equal(desk_redeem(s->d, &s->p, 1, fen, 1), SQ_OK);
    now->number += 5; /* what it decides now has number 7, and it will state that it has come to 2 */
    assert_int_equal(desk_redeem(s->d, &s->p, 2, fen, 1), 9999);
    now->number -= 5;
    adjust(s);
    s->d->status = 9999;
    assert_int_equal(desk_time(s->d, GD), 1);
    assert_true(s->d->status == SQ_OK && s->d->code[0] == SQ_R_LINK_BROKEN);
    assert_true(totals(s).batches_waiting == 0 && totals(s).items_accepted == 1 && newest(s).code == SQ_R_LINK_BROKEN);
    desk_run(s->d);
    assert_int_equal(desk_redeem(s->d, &s->p, 2, fen, 1), SQ_OK);
    assert_int_equal(s->d->code[0], SQ_OK);
    desk_close(s->d);
    if (audit(s, GD, &r, &err) != SQ_OK)
        fail_msg("%s", err.text);
}

static void what_is_kept_of_a_broken_link_is_read_back_from_a_dump(void **state)
{
    struct story *s = *state;
    const int64_t fen[] = {20000};
    struct sq_core *again;
    struct sq_dump one = {0}, two = {0};
    assert_int_equal(desk_redeem(s->d, &s->p, 1, fen, 1), SQ_OK);
    s->d->core[SH]->settlement->owes[GD].now.hash[3] ^= 1;
    assert_int_equal(desk_redeem(s->d, &s->p, 2, fen, 1), 9999);
    sq_core_dump(s->d->core[GD], &one);
    assert_int_equal(sq_core_new(&again, NULL), SQ_OK);
    assert_int_equal(sq_core_undump(again, sq_bytes_of(one.bytes, one.size), NULL), SQ_OK);
    sq_core_dump(again, &two);
    assert_true(one.size == two.size && memcmp(one.bytes, two.bytes, one.size) == 0 && again->broken.count == 1);
    sq_dump_free(&one);
    sq_dump_free(&two);
    sq_core_free(s->d->core[GD]);
    sq_core_set_key_check(again, sq_ed25519_key_ok);
    sq_core_set_signature_check(again, sq_message_signed_by);
    s->d->core[GD] = again;
    adjust(s);
    assert_int_equal(desk_time(s->d, GD), 1);
    assert_int_equal(totals(s).items_accepted, 2);
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
        cmocka_unit_test_setup_teardown(
            rows_whose_decision_came_on_a_broken_link_end_as_it_said_when_the_break_is_adjusted, begin, end),
        cmocka_unit_test_setup_teardown(the_history_knows_the_window_of_such_rows_and_they_are_paid_for_once, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_decision_that_no_statement_covers_is_refused_and_its_invoice_is_free_again,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_is_kept_of_a_broken_link_is_read_back_from_a_dump, begin, end),
        cmocka_unit_test_setup_teardown(an_adjusted_break_passes_the_creditors_audit_and_not_the_debtors, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
