/*
 * Windows that hold everything that moves money at once: what providers get and what budgets pay for, line by line, tie to what is settled.
 *
 * Shanghai (node 0) issues; Shandong (1) bears a third of what its providers redeem, under an agreement; Guangdong (2) has none.
 */
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
#include "proto/sanquan.pb-c.h"
#include "tests/support/deals.h"

enum { SH, SD, GD, NODES };

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people a, b, h,
        g;                  /* a, b at Shandong, h at Shanghai, g at Guangdong; on vouchers of Shanghai's programme 1 */
    struct desk_people own; /* at Shandong, on a voucher of Shandong's */
    struct sq_keys *evaluator;
};

/* ---- the story ---- */

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    s->d = desk_new_in(s->dir, "tally", NODES);
    deals_publish(s->d);
    s->evaluator = deals_evaluator(s->d);
    desk_people(s->d, SD, SH, 0, &s->a);
    desk_people(s->d, SD, SH, 3, &s->b);
    desk_people(s->d, SH, SH, 6, &s->h);
    desk_people(s->d, GD, SH, 9, &s->g);
    desk_people(s->d, SD, SD, 12, &s->own);
    desk_run(s->d);
    deals_agree(s->d);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    struct desk_people *all[] = {&s->a, &s->b, &s->h, &s->g, &s->own};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        desk_people_free(all[i]);
    sq_secret_free(s->evaluator);
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

/* Everything that moves money, in one window. */
static void first_window(struct story *s)
{
    const struct desk_people b = deals_also(s->d, &s->a, &s->b), h = deals_also(s->d, &s->a, &s->h),
                             g = deals_also(s->d, &s->a, &s->g), own = deals_also(s->d, &s->a, &s->own);
    deals_prefund(s->d, &s->h, 5000);
    deals_redeem(s->d, &s->a, 1, 100001);
    deals_redeem(s->d, &s->a, 2, 2003);
    deals_redeem(s->d, &s->a, 3, 707);
    deals_redeem(s->d, &b, 11, 30007);
    deals_redeem(s->d, &h, 21, 4001);
    deals_redeem(s->d, &h, 22, 1009);
    deals_redeem(s->d, &g, 31, 9013);
    deals_return(s->d, &s->a, 3, 200);
    deals_reserve_and_commit(s->d, &s->a, 4, 50000, 49999);
    deals_cancel_invoice(s->d, &s->a, 2, 2003);
    deals_bundle(s->d, &s->own, &own, 61, 811, 1213);
    deals_take_back_by_case(s->d, &s->a, 1, 1, 1000);
    deals_take_back_by_case(s->d, &h, 2, 22, 1009);
    deals_fail(s->d, s->evaluator, s->a.voucher);
    desk_settle(s->d, 0);
}

/* The sums of the agreement go on. */
static void second_window(struct story *s)
{
    deals_redeem(s->d, &s->b, 41, 12346);
    deals_redeem(s->d, &s->b, 42, 1);
    deals_redeem(s->d, &s->h, 51, 300);
    deals_redeem(s->d, &s->h, 52, 1800);
    deals_take_back_by_case(s->d, &s->b, 3, 41, 45);
    desk_settle(s->d, 0);
}

/* ---- what comes of it ---- */

struct book { /* of one node */
    struct sq_timeline *timeline;
    struct sq_history *history;
    struct sq_query *query;
};

static struct book open_book(const struct story *s, uint32_t node)
{
    struct book b;
    uint64_t left;
    struct sq_error err = {0};
    if (sq_timeline_new(s->d->ledger[node], NULL, NULL, &b.timeline, &err) != SQ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sq_history_open(s->d->rig->node[node].ledger, s->d->ledger[node], 0, &b.history, NULL), SQ_OK);
    assert_int_equal(sq_history_follow(b.history, UINT64_MAX, &left, NULL), SQ_OK);
    assert_int_equal(sq_history_settle(b.history, NULL), SQ_OK);
    assert_int_equal(sq_query_new(b.history, s->d->ledger[node], &b.query, NULL), SQ_OK);
    return b;
}

static void close_book(struct book *b)
{
    sq_query_free(b->query);
    sq_history_close(b->history);
    sq_timeline_free(b->timeline);
}

static struct sq_tally payouts(const struct book *b, uint64_t window)
{
    struct sq_tally t;
    struct sq_error err = {0};
    if (sq_tally_payouts(b->query, b->timeline, window, &t, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return t;
}

static struct sq_tally budget(const struct book *b, uint64_t window)
{
    struct sq_tally t;
    struct sq_error err = {0};
    if (sq_tally_budget(b->query, b->timeline, window, 310000, 1, &t, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return t;
}

/* Lines of this sort that a provider ("" for any) is concerned by; *fen: their sum. */
static size_t count(const struct sq_tally *t, enum sq_tally_what what, uint8_t verb, const struct desk_people *p,
                    int64_t *fen)
{
    size_t n = 0;
    *fen = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct sq_tally_line *l = &t->lines[i];
        if (l->what != what || (verb != 0 && l->verb != verb) ||
            (p != NULL && strcmp(l->provider, strchr(p->provider->name, ':') + 1) != 0))
            continue;
        n++;
        *fen += l->fen;
    }
    return n;
}

static int64_t sum(const struct sq_tally *t)
{
    int64_t fen = 0;
    for (size_t i = 0; i < t->count; i++)
        fen += t->lines[i].fen;
    return fen;
}

/* What Shanghai owes the node by the settlement. */
static int64_t settled(const struct story *s, uint64_t window, uint32_t creditor)
{
    struct sq_window_view v;
    int64_t fen = 0;
    assert_int_equal(sq_settlement_window(sq_core_settlement(s->d->core[SH]), window, &v, NULL), SQ_OK);
    Sanquan__V1__Settlement *m = sanquan__v1__settlement__unpack(NULL, v.value.size, v.value.data);
    for (size_t i = 0; i < m->n_pairs; i++)
        if (strcmp(m->pairs[i]->creditor, s->d->rig->node[creditor].code) == 0)
            fen += m->pairs[i]->total_fen[0];
    sanquan__v1__settlement__free_unpacked(m, NULL);
    return fen;
}

static void every_kind_of_line_is_there_and_all_together_are_what_is_settled(void **state)
{
    struct story *s = *state;
    struct sq_voucher_view v;
    int64_t fen, taken = 0;
    first_window(s);
    struct book sh = open_book(s, SH), sd = open_book(s, SD), gd = open_book(s, GD);
    struct sq_tally at_sh = payouts(&sh, 1), at_sd = payouts(&sd, 1), at_gd = payouts(&gd, 1);
    assert_true(sum(&at_sd) == settled(s, 1, SD) + 811 && sum(&at_gd) == settled(s, 1, GD)); /* 811: within Shandong */

    assert_int_equal(count(&at_sd, SQ_TALLY_ROW, SANQUAN__V1__VERB__REDEEM, &s->a, &fen), 3);
    assert_int_equal(fen, 100001 + 2003 + 707);
    assert_int_equal(count(&at_sd, SQ_TALLY_ROW, SANQUAN__V1__VERB__COMMIT, &s->a, &fen), 1);
    assert_int_equal(fen, 49999);
    assert_int_equal(count(&at_sd, SQ_TALLY_ROW, SANQUAN__V1__VERB__RETURN, &s->a, &fen),
                     2); /* its own, and the credit note's */
    assert_int_equal(fen, -200 - 2003);
    assert_int_equal(count(&at_sd, SQ_TALLY_ROW, 0, &s->own, &fen), 2); /* a bundle: at home and abroad */
    assert_int_equal(fen, 811 + 1213);
    assert_int_equal(count(&at_sd, SQ_TALLY_CLAWBACK, 0, &s->own, &fen), 1);
    taken += fen;
    assert_int_equal(count(&at_sd, SQ_TALLY_CLAWBACK, 0, &s->a, &fen), 2); /* the case, and the measurement */
    taken += fen;
    assert_int_equal(count(&at_sd, SQ_TALLY_CLAWBACK, 0, &s->b, &fen), 1);
    taken += fen;
    assert_int_equal(count(&at_gd, SQ_TALLY_CLAWBACK, 0, &s->g, &fen), 1);
    taken += fen;
    assert_int_equal(count(&at_sh, SQ_TALLY_CLAWBACK, 0, &s->h, &fen), 2);
    taken += fen;
    /* of what was spent less 2203 returned and 2009 by cases, 40 %, rounded up, came back */
    const int64_t spent = 100001 + 2003 + 707 + 49999 + 30007 + 4001 + 1009 + 9013 + 1213 - 2203;
    assert_int_equal(-taken, 2009 + (4 * (spent - 2009) + 9) / 10);
    assert_int_equal(sq_core_voucher(s->d->core[SH], s->a.voucher, &v), SQ_OK);
    assert_int_equal(v.spent_fen, spent + taken);

    /* Shandong bears its part of what went there, and nobody else does */
    assert_true(count(&at_sd, SQ_TALLY_BORNE, 0, NULL, &fen) >= 6);
    assert_int_equal(count(&at_gd, SQ_TALLY_BORNE, 0, NULL, &taken) + count(&at_sh, SQ_TALLY_BORNE, 0, NULL, &taken),
                     0);
    struct sq_recognition_view r;
    sq_core_recognition(s->d->core[SH], 0, &r);
    assert_true(r.side[0].borne_fen != 0 && fen == -r.side[0].borne_fen);

    /* h has 5000 in advance: 5010 redeemed, 1009 of them taken back by the case, so 4001 were paid by it */
    assert_int_equal(count(&at_sh, SQ_TALLY_ADVANCE, 0, &s->h, &fen), 2);
    assert_int_equal(fen, 0);
    assert_true(at_sh.lines[at_sh.count - 1].of_region && at_sh.lines[at_sh.count - 1].fen == 4001);

    sq_tally_free(&at_sh);
    sq_tally_free(&at_sd);
    sq_tally_free(&at_gd);
    close_book(&sh);
    close_book(&sd);
    close_book(&gd);
}

/*
 * The other side of the link has this line too. Rows are of the acquirer's batch on both sides, and a part of a bundle was asked of the issuer as a
 * COMMIT; what takes back has an entry of each ledger.
 */
static uint8_t asked(uint8_t verb)
{
    return verb == SANQUAN__V1__VERB__COMMIT ? (uint8_t)SANQUAN__V1__VERB__REDEEM : verb;
}

static int has_line(const struct sq_tally *t, const struct sq_tally_line *wanted, unsigned char *used)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct sq_tally_line *l = &t->lines[i];
        int same_row = l->entry == wanted->entry && l->row == wanted->row;
        if (used[i] || l->what != wanted->what || asked(l->verb) != asked(wanted->verb) || l->fen != wanted->fen ||
            l->link != wanted->link || l->voucher != wanted->voucher || l->kind != wanted->kind ||
            strcmp(l->provider, wanted->provider) != 0 || strcmp(l->invoice, wanted->invoice) != 0 ||
            (l->invoice[0] != '\0' && !same_row))
            continue;
        used[i] = 1;
        return 1;
    }
    return 0;
}

static void both_sides_of_a_link_have_the_same_lines_one_by_one(void **state)
{
    struct story *s = *state;
    first_window(s);
    second_window(s);
    struct book sh = open_book(s, SH), sd = open_book(s, SD);
    for (uint64_t window = 1; window <= 2; window++) {
        struct sq_tally paid = payouts(&sd, window), spent = budget(&sh, window);
        unsigned char *used = calloc(spent.count, 1);
        size_t abroad = 0;
        for (size_t i = 0; i < paid.count; i++) {
            assert_true(paid.lines[i].issuer == SD || has_line(&spent, &paid.lines[i], used));
            abroad += paid.lines[i].issuer == SH;
        }
        for (size_t i = 0; i < spent.count; i++)
            abroad -= spent.lines[i].acquirer == SD;
        assert_int_equal(abroad, 0);
        /* what is borne is of a row or clawback that stands just before it at the same place */
        for (size_t i = 0; i < spent.count; i++)
            assert_true(spent.lines[i].what != SQ_TALLY_BORNE || (i != 0 && spent.lines[i - 1].what != SQ_TALLY_BORNE &&
                                                                  spent.lines[i - 1].entry == spent.lines[i].entry &&
                                                                  spent.lines[i - 1].row == spent.lines[i].row &&
                                                                  spent.lines[i - 1].link == spent.lines[i].link));
        free(used);
        sq_tally_free(&paid);
        sq_tally_free(&spent);
    }
    close_book(&sh);
    close_book(&sd);
}

static void a_budget_goes_on_where_the_window_before_ended(void **state)
{
    struct story *s = *state;
    struct sq_programme_view p = {0};
    struct sq_recognition_view r = {0};
    int64_t unused = 0;
    first_window(s);
    second_window(s);
    struct book sh = open_book(s, SH);
    struct sq_tally first = budget(&sh, 1), second = budget(&sh, 2);
    assert_true(first.opening_fen == DEALS_POOL_FEN && first.closing_fen == DEALS_POOL_FEN - sum(&first));
    assert_true(second.opening_fen == first.closing_fen && second.closing_fen == first.closing_fen - sum(&second));
    assert_int_equal(count(&second, SQ_TALLY_CLAWBACK, 0, &s->b, &unused), 1);
    assert_int_equal(unused, -45);
    /* what it has paid for is what the programme has spent, less what Shandong has borne */
    for (uint32_t i = 0; i < sq_core_programme_count(s->d->core[SH]); i++) {
        sq_core_programme(s->d->core[SH], i, &p);
        if (p.issuer == 310000 && p.number == 1)
            break;
    }
    sq_core_recognition(s->d->core[SH], 0, &r);
    assert_true(DEALS_POOL_FEN - second.closing_fen == p.spent_fen - r.side[0].borne_fen);
    sq_tally_free(&first);
    sq_tally_free(&second);
    close_book(&sh);
}

static void money_in_advance_is_not_paid_twice(void **state)
{
    struct story *s = *state;
    int64_t provider = 0, region = 0;
    first_window(s);
    second_window(s);
    struct book sh = open_book(s, SH);
    struct sq_tally t = payouts(&sh, 2);
    for (size_t i = 0; i < t.count; i++)
        *(t.lines[i].of_region ? &region : &provider) += t.lines[i].fen;
    assert_true(region == 999 && provider == 2100 - 999); /* of 5000, 4001 were drawn before */
    sq_tally_free(&t);
    close_book(&sh);
}

static void a_window_that_is_open_and_a_programme_of_another_node_have_no_lines(void **state)
{
    struct story *s = *state;
    struct sq_tally t;
    deals_redeem(s->d, &s->a, 1, 700);
    struct book sd = open_book(s, SD);
    assert_int_equal(sq_tally_payouts(sd.query, sd.timeline, 1, &t, NULL), SQ_R_WINDOW_STATE);
    assert_int_equal(sq_tally_payouts(sd.query, sd.timeline, 2, &t, NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_tally_budget(sd.query, sd.timeline, 1, 310000, 1, &t, NULL), SQ_E_NOT_FOUND);
    assert_true(t.lines == NULL && t.count == 0);
    close_book(&sd);
}

static void the_audit_of_every_node_passes_over_all_of_it(void **state)
{
    struct story *s = *state;
    first_window(s);
    second_window(s);
    desk_close(s->d);
    for (uint32_t node = 0; node < NODES; node++) {
        struct sq_audit_options o = {
            .path = s->d->rig->node[node].ledger, .directory = s->d->rig->directory, .threads = 2};
        struct sq_audit_report r = {0};
        struct sq_error err = {0};
        struct sq_audit *a;
        assert_int_equal(sq_audit_open(&o, &a, &err), SQ_OK);
        if (sq_audit_run(a, &r, &err) != SQ_OK)
            fail_msg("node %u: %s", node, err.text);
        assert_int_equal(r.settlements, 2);
        sq_audit_free(a);
    }
}

/* ---- a break ---- */

static void act(struct story *s, const struct sq_keys *person, uint32_t action, const char *note)
{
    char text[64];
    Sanquan__V1__Break m;
    sanquan__v1__break__init(&m);
    snprintf(text, sizeof text, "%s", note);
    m.debtor = s->d->rig->node[SH].code;
    m.creditor = s->d->rig->node[GD].code;
    m.action = action;
    m.note = text;
    assert_int_equal(desk_say(s->d, GD, person, SANQUAN__V1__MESSAGE_TYPE__BREAK, &m.base), SQ_OK);
}

static void what_a_taken_statement_says_beyond_the_rows_is_a_line_of_the_region(void **state)
{
    struct story *s = *state;
    const struct rig_node *gd = &s->d->rig->node[GD];
    const int64_t fen[] = {20000};
    deals_redeem(s->d, &s->g, 1, 300);
    s->d->core[SH]->settlement->owes[GD].now.hash[3] ^= 1; /* Shanghai's memory fails it */
    (void)desk_redeem(s->d, &s->g, 2, fen, 1);
    desk_settle(s->d, 0); /* they differ: the link goes on to the next window */
    act(s, gd->maker, SQ_BREAK_TAKE, "");
    act(s, gd->maker, SQ_BREAK_ADOPT, "we have the delivery record");
    act(s, gd->checker, SQ_BREAK_AGREE, "");
    desk_settle(s->d, 0);
    assert_int_equal(settled(s, 2, GD), 20300);
    struct book b = open_book(s, GD);
    struct sq_tally t = payouts(&b, 2);
    assert_int_equal(t.count, 2);
    assert_true(t.lines[0].what == SQ_TALLY_ROW && t.lines[0].fen == 300 && !t.lines[0].of_region);
    assert_true(t.lines[1].what == SQ_TALLY_ADJUSTED && t.lines[1].fen == 20000 && t.lines[1].of_region);
    sq_tally_free(&t);
    t = payouts(&b, 1);
    assert_int_equal(t.count, 0);
    sq_tally_free(&t);
    close_book(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(every_kind_of_line_is_there_and_all_together_are_what_is_settled),
        STORY(both_sides_of_a_link_have_the_same_lines_one_by_one),
        STORY(a_budget_goes_on_where_the_window_before_ended),
        STORY(money_in_advance_is_not_paid_twice),
        STORY(the_audit_of_every_node_passes_over_all_of_it),
        STORY(a_window_that_is_open_and_a_programme_of_another_node_have_no_lines),
        STORY(what_a_taken_statement_says_beyond_the_rows_is_a_line_of_the_region),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
