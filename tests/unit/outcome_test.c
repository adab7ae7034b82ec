/*
 * Payment by outcome: stages set free by grades and measured changes, what is taken back and by whom it is owed, money in advance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "tests/support/pact.h"

#define TODAY 20260921u

struct stages {
    Sanquan__V1__Stage s[4], *list[4];
    Sanquan__V1__Verdict v[4], *verdicts[4];
};

static void stage(Sanquan__V1__Programme *p, struct stages *k, uint32_t share_bp, uint32_t trigger, uint32_t metric,
                  uint32_t better, uint32_t change_bp, uint32_t after_months)
{
    size_t i = p->n_stages++;
    sanquan__v1__stage__init(&k->s[i]);
    k->s[i].share_bp = share_bp;
    k->s[i].trigger = trigger;
    k->s[i].metric = metric;
    k->s[i].better = better;
    k->s[i].change_bp = change_bp;
    k->s[i].after_months = after_months;
    k->list[i] = &k->s[i];
    p->stages = k->list;
    p->evaluators = trigger != 1 ? 1003 : p->evaluators;
}

static void verdict(Sanquan__V1__Programme *p, struct stages *k, uint32_t grade, uint32_t action, uint32_t back_bp)
{
    size_t i = p->n_verdicts++;
    sanquan__v1__verdict__init(&k->v[i]);
    k->v[i].grade = grade;
    k->v[i].action = action;
    k->v[i].back_bp = back_bp;
    k->verdicts[i] = &k->v[i];
    p->verdicts = k->verdicts;
}

static void evaluator(char name[48])
{
    char code[19];
    claims_code(code, 310101, 77);
    snprintf(name, 48, "evaluator:%s", code);
}

/* An evaluator at Shanghai, on list 1003 from 2026-09-01 on. */
static void begin_evaluator(struct story *s)
{
    char name[48];
    evaluator(name);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    assert_int_equal(claims_state(s->w, SH, ISSUER, 310000, name + 10, 1003, 1, 20260901, 0), SQ_OK);
}

static unsigned measure(struct story *s, uint32_t number, uint32_t grade, uint32_t metric, int64_t value, uint32_t day)
{
    char name[48];
    uint8_t evidence[16] = {1};
    Sanquan__V1__Measure m;
    sanquan__v1__measure__init(&m);
    evaluator(name);
    m.voucher = s->voucher;
    m.stage = number;
    m.grade = grade;
    m.metric = metric;
    m.value = value;
    m.day = day;
    m.evidence = (ProtobufCBinaryData){16, evidence};
    return world_say(s->w, SH, name, SANQUAN__V1__MESSAGE_TYPE__MEASURE, &m.base);
}

static struct sq_voucher_view view(const struct story *s)
{
    struct sq_voucher_view v;
    assert_int_equal(sq_core_voucher(s->w->core[SH], s->voucher, &v), SQ_OK);
    return v;
}

/* Shandong: 75 万 on selection, 75 万 more when excellent, nothing more when good, all back when it fails. */
static void shandong(Sanquan__V1__Programme *p, struct stages *k)
{
    plain(p, 1);
    p->rate_bp = 10000;
    p->pool_fen = 1000 * WAN;
    stage(p, k, 5000, 1, 0, 0, 0, 0);
    stage(p, k, 5000, 2, 0, 0, 0, 0);
    verdict(p, k, 1, 1, 0);
    verdict(p, k, 2, 2, 0);
    verdict(p, k, 3, 3, 10000);
}

static void an_excellent_grade_sets_the_second_half_free_to_the_fen(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct stages k;
    shandong(&p, &k);
    assert_int_equal(publish(s, &p), SQ_OK);
    begin_evaluator(s);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 150 * WAN + 1}), SQ_OK);
    assert_true(view(s).free_fen == 75 * WAN); /* half of an odd fen is none */
    assert_int_equal(CLAIM(.amount_fen = 75 * WAN + 1), SQ_R_STAGE_NOT_FREE);
    assert_int_equal(CLAIM(.amount_fen = 75 * WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_STAGE_NOT_FREE);
    assert_int_equal(measure(s, 2, 4, 0, 0, TODAY), SQ_R_STAGE);        /* no verdict on such a grade */
    assert_int_equal(measure(s, 1, 1, 0, 0, TODAY), SQ_R_STAGE);        /* free from the grant on */
    assert_int_equal(measure(s, 3, 1, 0, 0, TODAY), SQ_R_STAGE);        /* there are two */
    assert_int_equal(measure(s, 2, 1, 0, 0, TODAY + 1), SQ_R_FACT);     /* tomorrow */
    assert_int_equal(measure(s, 2, 1, 0, 0, 20260831), SQ_R_EVALUATOR); /* not accredited then */
    assert_true(view(s).free_fen == 75 * WAN);
    assert_int_equal(measure(s, 2, 1, 0, 0, TODAY), SQ_OK);
    assert_true(view(s).free_fen == 150 * WAN + 1 && view(s).stages_free == 3);
    assert_int_equal(CLAIM(.amount_fen = 75 * WAN + 1), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_VOUCHER_OVERDRAWN);
    assert_int_equal(measure(s, 2, 1, 0, 0, TODAY), SQ_R_STAGE);
}

static void a_good_grade_pays_nothing_more(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct stages k;
    shandong(&p, &k);
    assert_int_equal(publish(s, &p), SQ_OK);
    begin_evaluator(s);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 150 * WAN}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 50 * WAN), SQ_OK);
    assert_int_equal(measure(s, 2, 2, 0, 0, TODAY), SQ_OK);
    assert_int_equal(measure(s, 2, 1, 0, 0, TODAY), SQ_R_STAGE); /* it is over */
    assert_int_equal(CLAIM(.amount_fen = 25 * WAN + 1), SQ_R_STAGE_NOT_FREE);
    assert_int_equal(CLAIM(.amount_fen = 25 * WAN), SQ_OK); /* what was free stays so */
}

static int64_t owed(struct story *s, uint32_t creditor)
{
    struct sq_link_view at_debtor, at_creditor;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SH, creditor, &at_debtor);
    sq_settlement_link(sq_core_settlement(s->w->core[creditor]), SH, creditor, &at_creditor);
    assert_memory_equal(&at_debtor.last, &at_creditor.last, sizeof at_debtor.last);
    return at_debtor.last.total_fen[0];
}

static void a_failed_project_gives_back_all_across_regions(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct stages k;
    struct sq_programme_view v;
    char name[48];
    shandong(&p, &k);
    assert_int_equal(publish(s, &p), SQ_OK);
    world_run(s->w);
    begin_evaluator(s);
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER); /* a provider of Shandong */
    assert_int_equal(world_enrol(s->w, SD, name), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 150 * WAN}), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, 100 * WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 30 * WAN), SQ_OK);
    struct claims_row row = {.voucher = s->voucher, .amount_fen = 45 * WAN, .base_fen = 45 * WAN, .invoice = 500};
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, NULL), SQ_OK);
    world_run(s->w);
    assert_int_equal(s->w->answer.code_count, 0);
    s->spent += 45 * WAN;
    assert_int_equal(spent(s), 75 * WAN);
    assert_true(owed(s, SD) == 45 * WAN);
    assert_int_equal(measure(s, 2, 3, 0, 0, TODAY), SQ_OK);
    assert_true(s->w->answer.amount_fen == -75 * WAN);
    world_run(s->w);
    if (s->w->peer_status != SQ_OK)
        fail_msg("%s", sq_status_name(s->w->peer_status));
    assert_true(owed(s, SD) == 0); /* the region that paid it out owes it back, in the window that is open */
    struct sq_link_view local;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SH, SH, &local);
    assert_true(local.last.total_fen[0] == 0);
    sq_core_programme(s->w->core[SH], 0, &v);
    assert_true(v.spent_fen == 0 && v.reserved_fen == 0);
    s->spent = 0;
    assert_true(view(s).back_fen == 75 * WAN && view(s).state == SQ_VOUCHER_REVOKED);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_VOUCHER_REVOKED);
    row.verb = SANQUAN__V1__VERB__RETURN; /* and nobody can give back what was taken back */
    row.amount_fen = row.base_fen = 1;
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, NULL), SQ_OK);
    world_run(s->w);
    assert_int_equal(s->w->answer.code[0], SQ_R_RETURN_EXCEEDS);
}

static void what_another_region_bore_itself_it_does_not_give_back(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct stages k;
    struct terms t;
    char name[48];
    shandong(&p, &k);
    k.v[2].back_bp = 5000;
    assert_int_equal(publish(s, &p), SQ_OK);
    world_run(s->w);
    begin_evaluator(s);
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, SD, name), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 150 * WAN}), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, 100 * WAN), SQ_OK);
    terms(&t, 1);
    t.side[0].borne_bp = 2000;
    agree(s, &t);
    struct claims_row row = {.voucher = s->voucher, .amount_fen = 1003, .base_fen = 1003, .invoice = 500};
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, NULL), SQ_OK);
    world_run(s->w);
    assert_true(owed(s, SD) == 803); /* 1003 less floor(200.6) */
    assert_int_equal(measure(s, 2, 3, 0, 0, TODAY), SQ_OK);
    world_run(s->w);
    assert_int_equal(s->w->peer_status, SQ_OK);
    assert_true(s->w->answer.amount_fen == -502 && owed(s, SD) == 401); /* 501 are left; less floor(100.2) */
}

static void a_part_is_taken_back_provider_by_provider_and_the_parts_make_the_whole(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct stages k;
    char name[48];
    shandong(&p, &k);
    k.v[2].back_bp = 3333;
    assert_int_equal(publish(s, &p), SQ_OK);
    world_run(s->w);
    begin_evaluator(s);
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, SD, name), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 1000}), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 100), SQ_OK);
    struct claims_row row = {.voucher = s->voucher, .amount_fen = 1, .base_fen = 45 * WAN, .invoice = 500};
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, NULL), SQ_OK);
    world_run(s->w);
    s->spent += 1;
    /* 33.33 % of 101 is 33.66, rounded up 34. By name: 91310199... was paid 100: floor(100 * 34 / 101) = 33; 91440199... the rest, 1. */
    assert_int_equal(measure(s, 2, 3, 0, 0, TODAY), SQ_OK);
    world_run(s->w);
    assert_true(view(s).back_fen == 34 && view(s).spent_fen == 67);
    assert_true(owed(s, SD) == 0);
    struct sq_link_view local;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SH, SH, &local);
    assert_true(local.last.total_fen[0] == 67);
}

static void a_metric_counts_against_its_baseline_and_a_bonus_follows_if_it_still_holds(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct stages k;
    plain(&p, 1);
    p.rate_bp = 10000;
    stage(&p, &k, 4000, 1, 0, 0, 0, 0);
    stage(&p, &k, 5000, 3, 7, 1, 2000, 0); /* cost falls by a fifth */
    stage(&p, &k, 1000, 3, 7, 1, 2000, 6); /* and still does half a year later */
    assert_int_equal(publish(s, &p), SQ_OK);
    begin_evaluator(s);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 1000, .until_day = 20271231}), SQ_OK);
    assert_int_equal(measure(s, 2, 0, 7, 800, TODAY), SQ_R_BASELINE); /* against what? */
    assert_int_equal(measure(s, 0, 0, 7, 1000, TODAY), SQ_OK);
    assert_int_equal(measure(s, 0, 0, 7, 2000, TODAY), SQ_R_BASELINE); /* once */
    assert_int_equal(measure(s, 2, 0, 8, 700, TODAY), SQ_R_STAGE);     /* another metric */
    assert_int_equal(measure(s, 2, 0, 7, 801, TODAY), SQ_R_NOT_REACHED);
    assert_true(view(s).free_fen == 400);
    assert_int_equal(measure(s, 3, 0, 7, 700, TODAY), SQ_R_STAGE); /* after the second */
    assert_int_equal(measure(s, 2, 0, 7, 800, TODAY), SQ_OK);
    assert_true(view(s).free_fen == 900);
    s->w->now_ms = sq_day_end_ms(20270321);
    assert_int_equal(measure(s, 3, 0, 7, 800, 20270320), SQ_R_STAGE); /* a day too early */
    assert_int_equal(measure(s, 3, 0, 7, 801, 20270321), SQ_R_NOT_REACHED);
    assert_int_equal(measure(s, 3, 0, 7, 800, 20270321), SQ_OK);
    assert_true(view(s).free_fen == 1000);
}

static void stages_and_reservations_stay_within_what_is_free(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct stages k;
    shandong(&p, &k);
    assert_int_equal(publish(s, &p), SQ_OK);
    begin_evaluator(s);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 1000}), SQ_OK);
    struct claims_row hold = {.voucher = s->voucher,
                              .amount_fen = 300,
                              .base_fen = 1000,
                              .verb = SANQUAN__V1__VERB__RESERVE,
                              .reservation = 1};
    assert_int_equal(claims_row(s->w, SH, WORLD_PROVIDER, &hold), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 201), SQ_R_STAGE_NOT_FREE);
    assert_int_equal(CLAIM(.amount_fen = 200), SQ_OK);
    hold.verb = SANQUAN__V1__VERB__COMMIT;
    hold.invoice = 901;
    assert_int_equal(claims_row(s->w, SH, WORLD_PROVIDER, &hold), SQ_OK);
    s->spent += 300;
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_STAGE_NOT_FREE);
}

static void terms_of_stages_are_checked(void **state)
{
    struct story *s = *state;
    static const struct {
        uint32_t share2, trigger2, evaluators, grade2, back3;
    } wrong[] = {{4999, 2, 1003, 2, 10000}, {5000, 4, 1003, 2, 10000}, {5000, 2, 0, 2, 10000},
                 {5000, 2, 1003, 1, 10000}, {5000, 2, 1003, 2, 0},     {5000, 1, 1003, 2, 10000}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Sanquan__V1__Programme p;
        struct stages k;
        shandong(&p, &k);
        k.s[1].share_bp = wrong[i].share2;
        k.s[1].trigger = wrong[i].trigger2;
        p.evaluators = wrong[i].evaluators;
        k.v[1].grade = wrong[i].grade2;
        k.v[2].back_bp = wrong[i].back3;
        assert_int_equal(publish(s, &p), SQ_R_PROGRAMME_TERMS);
    }
}

static unsigned prefund(struct story *s, uint32_t number, const char *provider, int64_t amount)
{
    char code[19];
    Sanquan__V1__Prefund m;
    sanquan__v1__prefund__init(&m);
    strcpy(code, provider);
    m.issuer = 310000;
    m.programme = number;
    m.provider = code;
    m.amount_fen = amount;
    return world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__PREFUND, &m.base);
}

static void money_in_advance_is_used_up_first(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct sq_prefund_view v;
    plain(&p, 1);
    begin_programme(s, &p);
    uint32_t provider = sq_core_party_find(s->w->core[SH], "provider:91310199TXXXXX0015");
    assert_int_equal(CLAIM(.amount_fen = 70), SQ_OK); /* before there was any */
    assert_int_equal(sq_core_prefund(s->w->core[SH], 0, provider, &v), SQ_E_NOT_FOUND);
    assert_int_equal(prefund(s, 1, WORLD_OTHER, 100), SQ_R_PREFUND);
    assert_int_equal(prefund(s, 1, WORLD_PROVIDER, -1), SQ_R_PREFUND);
    assert_int_equal(prefund(s, 1, WORLD_PROVIDER, 100), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 60), SQ_OK);
    assert_int_equal(sq_core_prefund(s->w->core[SH], 0, provider, &v), SQ_OK);
    assert_true(v.advanced_fen == 100 && v.drawn_fen == 60);
    assert_int_equal(prefund(s, 1, WORLD_PROVIDER, -41), SQ_R_PREFUND);
    assert_int_equal(CLAIM(.amount_fen = 60), SQ_OK);
    assert_int_equal(sq_core_prefund(s->w->core[SH], 0, provider, &v), SQ_OK);
    assert_true(v.drawn_fen == 100); /* the other 20 are paid */
    struct claims_row row = {.voucher = s->voucher,
                             .amount_fen = 30,
                             .base_fen = 0,
                             .total_fen = 100 * WAN,
                             .invoice = s->invoice,
                             .verb = SANQUAN__V1__VERB__RETURN};
    assert_int_equal(claims_row(s->w, SH, WORLD_PROVIDER, &row), SQ_OK);
    assert_int_equal(sq_core_prefund(s->w->core[SH], 0, provider, &v), SQ_OK);
    assert_true(v.drawn_fen == 90);
    assert_int_equal(prefund(s, 1, WORLD_PROVIDER, -10), SQ_OK);
    assert_int_equal(prefund(s, 1, WORLD_PROVIDER, -1), SQ_R_PREFUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(an_excellent_grade_sets_the_second_half_free_to_the_fen),
        STORY(a_good_grade_pays_nothing_more),
        STORY(a_failed_project_gives_back_all_across_regions),
        STORY(what_another_region_bore_itself_it_does_not_give_back),
        STORY(a_part_is_taken_back_provider_by_provider_and_the_parts_make_the_whole),
        STORY(a_metric_counts_against_its_baseline_and_a_bonus_follows_if_it_still_holds),
        STORY(stages_and_reservations_stay_within_what_is_free),
        STORY(terms_of_stages_are_checked),
        STORY(money_in_advance_is_used_up_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
