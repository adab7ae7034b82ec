/* What only a replay shows: each window from its cut to its settlement, a node's own business in it, messages refused as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/common/timeline.h"
#include "ops/history/query.h"
#include "proto/sanquan.pb-c.h"
#include "tests/support/desk.h"

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people home, away,
        guest; /* Shanghai's on its own voucher, Shanghai's on Guangdong's, Guangdong's on Shanghai's */
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    const int64_t some[] = {100, 20000, 3000000}, too_much[] = {500, 60000000};
    s->d = desk_new_in(s->dir, "timeline", 3);
    desk_people(s->d, 0, 0, 0, &s->home);
    desk_people(s->d, 0, 2, 1, &s->away);
    desk_people(s->d, 2, 0, 2, &s->guest);
    assert_int_equal(desk_redeem(s->d, &s->home, 1, some, 3), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->away, 11, too_much, 2), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->guest, 21, some, 2), SQ_OK);
    desk_settle(s->d, 1);
    assert_int_equal(desk_redeem(s->d, &s->away, 31, some, 3), SQ_OK);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    desk_people_free(&s->home);
    desk_people_free(&s->away);
    desk_people_free(&s->guest);
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

static struct sq_timeline *follow(const struct story *s, uint32_t node)
{
    struct sq_timeline *t = NULL;
    struct sq_error err = {0};
    if (sq_timeline_new(s->d->ledger[node], NULL, NULL, &t, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return t;
}

static void a_window_is_followed_from_cut_to_settled(void **state)
{
    struct story *s = *state;
    struct sq_timeline *t = follow(s, 0);
    struct sq_timeline_window w;
    assert_int_equal(sq_timeline_window(t, 1, &w, NULL), SQ_OK);
    assert_int_equal(w.state, SQ_WINDOW_SETTLED);
    assert_true(w.cut.seq < w.final.seq && w.final.seq < w.instructed.seq && w.instructed.seq < w.settled.seq &&
                w.broke.seq == 0);
    assert_true(w.cut.at_ms <= w.final.at_ms && w.final.at_ms <= w.instructed.at_ms &&
                w.instructed.at_ms <= w.settled.at_ms && w.cut.at_ms != 0);
    assert_true(w.local_count == 3 && w.local_fen[0] == 3020100);
    assert_int_equal(sq_timeline_window(t, 2, &w, NULL), SQ_OK);
    assert_int_equal(w.state, SQ_WINDOW_OPEN);
    assert_true(w.cut.seq == 0 && w.local_count == 0);
    assert_int_equal(sq_timeline_window(t, 3, &w, NULL), SQ_E_NOT_FOUND);
    sq_timeline_free(t);
}

/* Items know their window from the journal's bytes alone; the sums of the settlement must come out of them. */
static void items_of_a_window_add_up_to_its_settlement(void **state)
{
    struct story *s = *state;
    struct sq_window_view v;
    assert_int_equal(sq_settlement_window(sq_core_settlement(s->d->core[0]), 1, &v, NULL), SQ_OK);
    Sanquan__V1__Settlement *m = sanquan__v1__settlement__unpack(NULL, v.value.size, v.value.data);
    for (uint32_t node = 0; node < 3; node += 2) {
        struct sq_timeline *t = follow(s, node);
        struct sq_history *history;
        struct sq_query *query;
        struct sq_query_sums sums;
        struct sq_timeline_window w;
        const struct sq_filter first = {.window = 1};
        uint64_t left;
        int64_t pairs = 0, local = 0;
        for (size_t i = 0; i < m->n_pairs; i++)
            for (size_t k = 0; k < SQ_KIND_COUNT; k++)
                if (strcmp(m->pairs[i]->debtor, s->d->rig->node[node].code) == 0 ||
                    strcmp(m->pairs[i]->creditor, s->d->rig->node[node].code) == 0)
                    pairs += m->pairs[i]->total_fen[k];
        assert_int_equal(sq_timeline_window(t, 1, &w, NULL), SQ_OK);
        for (size_t k = 0; k < SQ_KIND_COUNT; k++)
            local += w.local_fen[k];
        assert_int_equal(sq_history_open(s->d->rig->node[node].ledger, s->d->ledger[node], 0, &history, NULL), SQ_OK);
        assert_int_equal(sq_history_follow(history, UINT64_MAX, &left, NULL), SQ_OK);
        assert_int_equal(sq_history_settle(history, NULL), SQ_OK);
        assert_int_equal(sq_query_new(history, s->d->ledger[node], &query, NULL), SQ_OK);
        assert_int_equal(sq_query_sum(query, &first, &sums, NULL), SQ_OK);
        assert_true(pairs > 0 && sums.amount_fen[SQ_ITEM_ACCEPTED] == pairs + local);
        sq_query_free(query);
        sq_history_close(history);
        sq_timeline_free(t);
    }
    sanquan__v1__settlement__free_unpacked(m, NULL);
}

static void messages_refused_as_a_whole_are_counted_by_reason(void **state)
{
    struct story *s = *state;
    struct sq_timeline_refused before, after;
    Sanquan__V1__Mandate m;
    uint64_t voucher = s->home.voucher, until = 1;
    int64_t limit = 1;
    sanquan__v1__mandate__init(&m);
    m.provider = strchr(s->home.provider->name, ':') + 1;
    m.n_voucher = m.n_limit_fen = m.n_until_ms = 1;
    m.voucher = &voucher;
    m.limit_fen = &limit;
    m.until_ms = &until;
    struct sq_timeline *t = follow(s, 0);
    sq_timeline_refused(t, &before);
    sq_timeline_free(t);
    unsigned status =
        desk_say(s->d, 0, s->guest.holder, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base); /* another holder's voucher */
    assert_true(status >= 100 && status < 256);
    t = follow(s, 0);
    sq_timeline_refused(t, &after);
    sq_timeline_free(t);
    assert_int_equal(after.journalled[status], before.journalled[status] + 1);
    after.journalled[status]--;
    assert_memory_equal(&after, &before, sizeof after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_window_is_followed_from_cut_to_settled, begin, end),
        cmocka_unit_test_setup_teardown(items_of_a_window_add_up_to_its_settlement, begin, end),
        cmocka_unit_test_setup_teardown(messages_refused_as_a_whole_are_counted_by_reason, begin, end),
    };
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
