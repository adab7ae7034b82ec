/* What proves that a node lies: two statements of one node for one window: kept over a real ledger, listed, and in the audit's report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/common/audit.h"
#include "tests/support/desk.h"

#define SH 0u
#define SD 1u

struct story {
    char dir[64];
    struct desk *d;
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    s->d = desk_new_in(s->dir, "evidence", 3);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

/* Shandong to Shanghai: it owes Shanghai this, or, without a sum, that it owes nobody anything. */
static void state_sum(struct story *s, uint64_t window, int64_t fen)
{
    char sh[] = "310000";
    uint8_t hash[32] = {7};
    int64_t totals[SQ_KIND_COUNT] = {fen};
    Sanquan__V1__StatementRow row, *rows[1] = {&row};
    Sanquan__V1__Statement m;
    sanquan__v1__statement__init(&m);
    sanquan__v1__statement_row__init(&row);
    row.peer = sh;
    row.first = row.last = row.count = 1;
    row.hash = (ProtobufCBinaryData){sizeof hash, hash};
    row.total_fen = totals;
    row.n_total_fen = SQ_KIND_COUNT;
    m.window = window;
    m.rows = rows;
    m.n_rows = fen != 0;
    (void)desk_say(s->d, SH, s->d->rig->node[SD].keys, SANQUAN__V1__MESSAGE_TYPE__STATEMENT, &m.base);
}

static void vote(struct story *s, uint8_t value)
{
    uint8_t hash[32] = {value};
    Sanquan__V1__Vote m;
    sanquan__v1__vote__init(&m);
    m.window = 1;
    m.round = 2;
    m.step = 1;
    m.value = (ProtobufCBinaryData){sizeof hash, hash};
    (void)desk_say(s->d, SH, s->d->rig->node[SD].keys, SANQUAN__V1__MESSAGE_TYPE__VOTE, &m.base);
}

static void audit(struct story *s, struct sq_audit_report *r)
{
    struct sq_audit_options o = {
        .path = s->d->rig->node[SH].ledger, .directory = s->d->rig->directory, .threads = 2, .map_size = DESK_MAP_SIZE};
    struct sq_error err = {0};
    struct sq_audit *a;
    desk_close(s->d);
    assert_int_equal(sq_audit_open(&o, &a, &err), SQ_OK);
    if (sq_audit_run(a, r, &err) != SQ_OK)
        fail_msg("%s", err.text);
    sq_audit_free(a);
}

static void one_who_says_one_thing_is_in_no_list(void **state)
{
    struct story *s = *state;
    struct sq_audit_report r;
    struct sq_evidence e;
    state_sum(s, 1, 100);
    state_sum(s, 1, 100); /* the same again, in another envelope */
    state_sum(s, 2, 300); /* another window */
    vote(s, 1);
    vote(s, 1);
    assert_int_equal(sq_evidence_list(s->d->core[SH], 0, &e, 1), 0);
    audit(s, &r);
    assert_int_equal(r.evidence, 0);
}

static void two_statements_and_two_votes_are_listed_with_where_they_are(void **state)
{
    struct story *s = *state;
    struct sq_audit_report r;
    struct sq_evidence e[3];
    state_sum(s, 1, 100);
    uint64_t first = s->d->seq;
    state_sum(s, 1, 99);
    uint64_t second = s->d->seq;
    state_sum(s, 1, 0); /* one proof is enough */
    vote(s, 1);
    vote(s, 2);
    assert_int_equal(sq_evidence_list(s->d->core[SH], 1, e, 3), 2);
    assert_int_equal(sq_evidence_list(s->d->core[SH], 2, e, 3), 0);
    assert_int_equal(sq_evidence_list(s->d->core[SH], 0, e, 1), 2);
    assert_string_equal(e[0].what, "statement");
    assert_true(e[0].window == 1 && e[0].entry[0] == first && e[0].entry[1] == second);
    assert_memory_not_equal(e[0].hash[0], e[0].hash[1], 32);
    audit(s, &r);
    assert_int_equal(r.evidence, 2);
    assert_string_equal(r.shown[0].node, "370000");
    assert_string_equal(r.shown[0].what, "statement");
    assert_string_equal(r.shown[1].what, "prevote");
    assert_true(r.shown[0].entry[1] == second && r.shown[1].round == 2 && r.shown[1].hash[0][0] == 1 &&
                r.shown[1].hash[1][0] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_who_says_one_thing_is_in_no_list, begin, end),
        cmocka_unit_test_setup_teardown(two_statements_and_two_votes_are_listed_with_where_they_are, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
