/*
 * Why a decision came out as it did: every rule with its numbers, from the same walk that decides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/policy/explain.h"
#include "tests/support/story.h"

static const struct sq_reason *reason(const struct sq_explain *x, unsigned status)
{
    for (size_t i = 0; i < x->count; i++)
        if (x->reason[i].status == status)
            return &x->reason[i];
    fail_msg("no reason of %s", sq_status_name(status));
    return NULL;
}

static void numbers_are(const struct sq_explain *x, unsigned status, int passed, int64_t cap, int64_t used,
                        int64_t left)
{
    const struct sq_reason *r = reason(x, status);
    assert_int_equal(r->passed, passed);
    assert_int_equal(r->is_amount, 1);
    assert_true(r->cap == cap && r->used == used && r->left == left);
}

/* The next batch of this node is watched; row 0. */
static void watch(struct story *s, struct sq_explain *x)
{
    memset(x, 0, sizeof *x);
    sq_core_watch(s->w->core[SH], SH, sq_core_seq(s->w->core[SH]) + 1, 0, x);
}

static void programme_of_numbers(Sanquan__V1__Programme *p)
{
    plain(p, 1);
    p->pool_fen = 5000;
    p->cap_claim_fen = 2500;
    p->cap_year_fen = 3000;
    p->cap_total_fen = 4000;
}

static void an_accepted_row_shows_every_number_that_was_looked_at(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct sq_explain x;
    programme_of_numbers(&p);
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 1000, .base_fen = 10000), SQ_OK);
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 500, .base_fen = 2000), SQ_OK);
    assert_true(x.decided);
    assert_int_equal(x.status, SQ_OK);
    assert_true(x.issuer == 310000 && x.number == 1 && x.version == 1 && x.rate_bp == 3000);
    assert_true(x.amount_fen == 500 && x.base_fen == 2000 && x.entitled_fen == 600);
    numbers_are(&x, SQ_R_RATE_EXCEEDED, 1, 600, 0, 600);
    numbers_are(&x, SQ_R_CAP_CLAIM, 1, 2500, 0, 2500);
    numbers_are(&x, SQ_R_CAP_YEAR, 1, 3000, 1000, 2000);
    numbers_are(&x, SQ_R_CAP_TOTAL, 1, 4000, 1000, 3000);
    numbers_are(&x, SQ_R_POOL_EXHAUSTED, 1, 5000, 1000, 4000);
    numbers_are(&x, SQ_R_VOUCHER_OVERDRAWN, 1, 1000 * WAN, 1000, 1000 * WAN - 1000);
    assert_int_equal(x.payable_fen, 600);
    assert_int_equal(reason(&x, SQ_R_VOUCHER_EXPIRED)->passed, 1);
}

static void a_refused_row_shows_the_rule_that_decided_and_the_others_too(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct sq_explain x;
    programme_of_numbers(&p);
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 2500, .base_fen = 10000), SQ_OK);
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 2000, .base_fen = 10000), SQ_R_CAP_YEAR);
    assert_int_equal(x.status, SQ_R_CAP_YEAR); /* the first that refuses */
    numbers_are(&x, SQ_R_CAP_YEAR, 0, 3000, 2500, 500);
    numbers_are(&x, SQ_R_CAP_TOTAL, 0, 4000, 2500, 1500); /* and what would have refused after it */
    numbers_are(&x, SQ_R_POOL_EXHAUSTED, 1, 5000, 2500, 2500);
    assert_int_equal(x.payable_fen, 500);
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 500, .base_fen = 10000), SQ_OK); /* what was called payable is paid, */
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 1, .base_fen = 10000), SQ_R_CAP_YEAR); /* and not a fen more */
    assert_int_equal(x.payable_fen, 0);
}

static void what_is_refused_before_the_rules_has_that_as_its_reason(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct sq_explain x;
    programme_of_numbers(&p);
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 100, .base_fen = 1000, .invoice = 77), SQ_OK);
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 100, .base_fen = 1000, .invoice = 77), SQ_R_INVOICE_OVERDRAWN);
    assert_true(x.decided && x.count == 1 && x.reason[0].status == SQ_R_INVOICE_OVERDRAWN && !x.reason[0].passed);
    numbers_are(&x, SQ_R_INVOICE_OVERDRAWN, 0, 1000, 1000, 0); /* all 10.00 of the invoice's total are claimed */
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 100, .base_fen = 1000, .total_fen = 2000, .invoice = 77), SQ_R_INVOICE_TOTAL);
    assert_int_equal(reason(&x, SQ_R_INVOICE_TOTAL)->passed, 0); /* beside what the register says, the refusal itself */
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 100, .base_fen = 400, .total_fen = 1000, .invoice = 78), SQ_OK);
    numbers_are(&x, SQ_R_INVOICE_OVERDRAWN, 1, 1000, 0, 1000);
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 100, .base_fen = 600, .total_fen = 1000, .invoice = 78), SQ_OK);
    numbers_are(&x, SQ_R_INVOICE_OVERDRAWN, 1, 1000, 400, 600); /* 10.00 - 4.00 */
    watch(s, &x);
    assert_int_equal(CLAIM(.amount_fen = 100, .voucher = s->voucher + 1), SQ_R_UNKNOWN_VOUCHER);
    assert_int_equal(reason(&x, SQ_R_UNKNOWN_VOUCHER)->passed, 0);
}

static void tiers_conditions_and_limits_say_which_they_are(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct sq_explain x;
    struct claims_condition day, hardware;
    Sanquan__V1__Condition *conditions[] = {&day.c, &hardware.c};
    Sanquan__V1__Tier tier, *tiers[] = {&tier};
    Sanquan__V1__Limit limit, *limits[] = {&limit};
    claims_condition(&day, 0, CLAIM, SQ_ATTR(CHANNEL), IN, (int64_t[]){5, 9}, 1);
    claims_condition(&hardware, 1, CLAIM, SQ_ATTR(HARDWARE), IN, (int64_t[]){1, 1}, 1);
    sanquan__v1__tier__init(&tier);
    tier.group = 1;
    tier.rate_bp = 5000;
    sanquan__v1__limit__init(&limit);
    limit.number = 42;
    limit.scope = SANQUAN__V1__SCOPE__SCOPE_SERVICE;
    limit.unit = SANQUAN__V1__UNIT__UNIT_COUNT;
    limit.step = 2;
    limit.hard = 1;
    plain(&p, 1);
    p.conditions = conditions;
    p.n_conditions = 2;
    p.tiers = tiers;
    p.limits = limits;
    p.n_tiers = p.n_limits = 1;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.service = 3, .fact = {{SQ_ATTR(HARDWARE), 1}, {SQ_ATTR(CHANNEL), 7}}), SQ_OK);
    watch(s, &x);
    assert_int_equal(CLAIM(.service = 3, .fact = {{SQ_ATTR(HARDWARE), 1}, {SQ_ATTR(CHANNEL), 4}}), SQ_R_CHANNEL);
    const struct sq_reason *r = reason(&x, SQ_R_CHANNEL);
    assert_true(r->index == 0 && r->used == 4 && !r->passed);
    assert_true(x.tier == 1 && x.rate_bp == 5000);
    r = reason(&x, SQ_R_LIMIT);
    assert_true(r->index == 42 && r->unit == SANQUAN__V1__UNIT__UNIT_COUNT && r->cap == 1 && r->used == 1 &&
                r->left == 0 && !r->passed);
    assert_int_equal(x.status, SQ_R_CHANNEL);
}

static void a_row_decided_for_another_node_is_explained_at_its_issuer(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct sq_explain at_issuer = {0}, at_acquirer = {0};
    char name[48];
    programme_of_numbers(&p);
    begin_programme(s, &p);
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, 1, name), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, WAN), SQ_OK);
    world_run(s->w);
    uint64_t batch = sq_core_seq(s->w->core[1]) + 1;
    sq_core_watch(s->w->core[SH], 1, batch, 1, &at_issuer);
    sq_core_watch(s->w->core[1], 1, batch, 1, &at_acquirer);
    struct claims_row rows[2] = {{.voucher = s->voucher, .amount_fen = 2000, .base_fen = 10000, .invoice = 1},
                                 {.voucher = s->voucher, .amount_fen = 2000, .base_fen = 10000, .invoice = 2}};
    assert_int_equal(claims_batch(s->w, 1, WORLD_OTHER, rows, 2, NULL), SQ_OK);
    world_run(s->w);
    assert_int_equal(s->w->answer.code[1], SQ_R_CAP_YEAR);
    assert_true(at_issuer.decided && at_issuer.status == SQ_R_CAP_YEAR);
    numbers_are(&at_issuer, SQ_R_CAP_YEAR, 0, 3000, 2000, 1000); /* the row before it counts */
    assert_true(at_acquirer.decided && at_acquirer.status == SQ_R_CAP_YEAR && at_acquirer.count == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(an_accepted_row_shows_every_number_that_was_looked_at),
        STORY(a_refused_row_shows_the_rule_that_decided_and_the_others_too),
        STORY(what_is_refused_before_the_rules_has_that_as_its_reason),
        STORY(tiers_conditions_and_limits_say_which_they_are),
        STORY(a_row_decided_for_another_node_is_explained_at_its_issuer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
