/*
 * What programmes ask of parties, contracts, claims and days: each rule accepts, refuses, and is tried at its edge, to the fen or the day.
 * A refusal changes nothing: the voucher's spent amount is read after each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "tests/support/story.h"

/* ---- amounts ---- */

static void the_subsidy_is_the_rate_times_the_base_rounded_down_to_the_fen(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.rate_bp = 3333;
    begin_programme(s, &p);
    /* 33.33 % of 100.01 yuan is 3333.3333 fen */
    assert_int_equal(CLAIM(.amount_fen = 3333, .base_fen = 10001), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 3334, .base_fen = 10001), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.amount_fen = 3334, .base_fen = 10003), SQ_R_RATE_EXCEEDED); /* 3333.9999 */
    assert_int_equal(CLAIM(.amount_fen = 3334, .base_fen = 10004), SQ_OK);              /* 3334.3332 */
}

static void a_base_below_the_minimum_is_refused(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.min_claim_fen = 10 * WAN; /* Qingdao: 10 万 */
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.base_fen = 10 * WAN - 1), SQ_R_BELOW_MINIMUM);
    assert_int_equal(CLAIM(.base_fen = 10 * WAN), SQ_OK);
}

static void the_first_tier_that_holds_gives_rate_and_cap_and_the_programme_the_rest(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition startup, domestic;
    Sanquan__V1__Condition *conditions[] = {&startup.c, &domestic.c};
    Sanquan__V1__Tier tiers[2], *list[] = {&tiers[0], &tiers[1]};
    claims_condition(&startup, 1, HOLDER, SQ_ATTR(STANDING), IN, (int64_t[]){1, 1}, 1);
    claims_condition(&domestic, 2, CLAIM, SQ_ATTR(HARDWARE), IN, (int64_t[]){1, 1}, 1);
    sanquan__v1__tier__init(&tiers[0]);
    sanquan__v1__tier__init(&tiers[1]);
    tiers[0].group = 1;
    tiers[0].rate_bp = 6000; /* Shenzhen: 60 % for start-ups, at most 500 yuan an item here */
    tiers[0].cap_claim_fen = 50000;
    tiers[1].group = 2;
    tiers[1].rate_bp = 4000;
    plain(&p, 1);
    p.conditions = conditions;
    p.n_conditions = 2;
    p.tiers = list;
    p.n_tiers = 2;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 300, .base_fen = 1000), SQ_OK); /* 30 % of 10 yuan */
    assert_int_equal(CLAIM(.amount_fen = 301, .base_fen = 1000), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.amount_fen = 400, .base_fen = 1000, .fact = {{SQ_ATTR(HARDWARE), 1}}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 401, .base_fen = 1000, .fact = {{SQ_ATTR(HARDWARE), 1}}), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.amount_fen = 301, .base_fen = 1000, .fact = {{SQ_ATTR(HARDWARE), 2}}), SQ_R_RATE_EXCEEDED);
    assert_int_equal(claims_state(s->w, SH, ISSUER, 310000, WORLD_HOLDER, SQ_ATTR(STANDING), 1, 20260801, 20260831),
                     SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 600, .base_fen = 1000, .service_day = 20260801), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 600, .base_fen = 1000, .service_day = 20260831), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 600, .base_fen = 1000, .service_day = 20260901), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.amount_fen = 50000, .base_fen = 100000, .service_day = 20260815), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 50001, .base_fen = 100000, .service_day = 20260815), SQ_R_CAP_CLAIM);
}

static void of_several_tiers_the_highest_can_be_chosen(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition project;
    Sanquan__V1__Condition *conditions[] = {&project.c};
    Sanquan__V1__Tier tiers[2], *list[] = {&tiers[0], &tiers[1]};
    claims_condition(&project, 1, VOUCHER, SQ_ATTR(LEVEL), IN, (int64_t[]){1, 2}, 1);
    sanquan__v1__tier__init(&tiers[0]);
    sanquan__v1__tier__init(&tiers[1]);
    tiers[0].rate_bp = 5000; /* Langfang: 50 % for use, 60 % for project leads, the higher one only */
    tiers[1].group = 1;
    tiers[1].rate_bp = 6000;
    plain(&p, 1);
    p.rate_bp = 0;
    p.conditions = conditions;
    p.n_conditions = 1;
    p.tiers = list;
    p.n_tiers = 2;
    p.tier_choice = 1;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 501, .base_fen = 1000), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.amount_fen = 500, .base_fen = 1000), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .fact = {{SQ_ATTR(LEVEL), 2}}}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 600, .base_fen = 1000), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 601, .base_fen = 1000), SQ_R_RATE_EXCEEDED);
}

static void a_grade_gives_a_lump_sum_whatever_the_base(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition grade[2];
    Sanquan__V1__Condition *conditions[] = {&grade[0].c, &grade[1].c};
    Sanquan__V1__Tier tiers[2], *list[] = {&tiers[0], &tiers[1]};
    static const int64_t lump[2] = {100 * WAN, 75 * WAN}; /* Shandong: 100 and 75 万 */
    plain(&p, 1);
    p.rate_bp = 0;
    for (uint32_t i = 0; i < 2; i++) {
        claims_condition(&grade[i], i + 1, VOUCHER, SQ_ATTR(GRADE), IN, (int64_t[]){i + 1, i + 1}, 1);
        sanquan__v1__tier__init(&tiers[i]);
        tiers[i].group = i + 1;
        tiers[i].lump_fen = lump[i];
    }
    p.conditions = conditions;
    p.tiers = list;
    p.n_conditions = p.n_tiers = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 75 * WAN + 1, .fact = {{SQ_ATTR(GRADE), 2}}}),
                     SQ_R_RATE_EXCEEDED);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 75 * WAN, .fact = {{SQ_ATTR(GRADE), 2}}}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 75 * WAN, .base_fen = 1, .total_fen = 75 * WAN), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 100 * WAN, .fact = {{SQ_ATTR(GRADE), 1}}}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 100 * WAN, .base_fen = 1, .total_fen = 100 * WAN), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 1, .fact = {{SQ_ATTR(GRADE), 3}}}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_NO_TIER);
}

static void a_face_is_at_most_the_rate_times_what_was_contracted_or_approved(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.rate_bp = 2000; /* Beijing: 20 % of the contract */
    p.base_kind = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 20 * WAN + 1, .contract_fen = 100 * WAN}),
                     SQ_R_RATE_EXCEEDED);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 20 * WAN, .contract_fen = 100 * WAN}), SQ_OK);
    plain(&p, 2);
    p.rate_bp = 5000; /* Shanghai: 50 % of what was approved of it */
    p.base_kind = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(
        grant(s, 2,
              &(struct claims_grant){.face_fen = 40 * WAN + 1, .contract_fen = 100 * WAN, .approved_fen = 80 * WAN}),
        SQ_R_RATE_EXCEEDED);
    assert_int_equal(
        grant(s, 2, &(struct claims_grant){.face_fen = 40 * WAN, .contract_fen = 100 * WAN, .approved_fen = 80 * WAN}),
        SQ_OK);
}

/* ---- days ---- */

static void a_window_opens_with_its_first_day_and_closes_at_its_minute(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    Sanquan__V1__ClaimWindow grants, *list[] = {&grants};
    sanquan__v1__claim_window__init(&grants);
    grants.step = 1;
    grants.from_day = 20260417; /* Qingdao: 04-17 to 05-15 17:00, every year */
    grants.until_day = 20260515;
    grants.closes_minute = 17 * 60;
    grants.every_months = 12;
    plain(&p, 1);
    p.windows = list;
    p.n_windows = 1;
    p.until_day = 20291231;
    assert_int_equal(publish(s, &p), SQ_OK);
    const struct claims_grant g = {.face_fen = WAN, .until_day = 20291231};
    assert_int_equal(grant(s, 1, &g), SQ_R_WINDOW_CLOSED); /* it is September */
    uint64_t opens = sq_day_end_ms(20270416), closes = sq_day_end_ms(20270514) + 17 * 3600000u;
    s->w->now_ms = opens - 1;
    assert_int_equal(grant(s, 1, &g), SQ_R_WINDOW_CLOSED);
    s->w->now_ms = opens;
    assert_int_equal(grant(s, 1, &g), SQ_OK);
    s->w->now_ms = closes - 1;
    assert_int_equal(grant(s, 1, &g), SQ_OK);
    s->w->now_ms = closes;
    assert_int_equal(grant(s, 1, &g), SQ_R_WINDOW_CLOSED);
    assert_int_equal(CLAIM(.service_day = 20270101), SQ_OK); /* redemptions have no window of their own */
}

static void quarterly_windows_come_again_and_may_reach_over_the_end_of_a_month(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    Sanquan__V1__ClaimWindow w, *list[] = {&w};
    sanquan__v1__claim_window__init(&w);
    w.step = 2;
    w.from_day = 20250930; /* to 10-12 17:00, every quarter */
    w.until_day = 20251012;
    w.closes_minute = 17 * 60;
    w.every_months = 3;
    plain(&p, 1);
    p.windows = list;
    p.n_windows = 1;
    p.until_day = 20271231;
    begin_programme(s, &p);
    static const struct {
        uint32_t day, minute;
        unsigned code;
    } cases[] = {
        {20260929, 1439, SQ_R_WINDOW_CLOSED},
        {20260930, 0, SQ_OK},
        {20261001, 0, SQ_OK},
        {20261012, 1019, SQ_OK},
        {20261012, 1020, SQ_R_WINDOW_CLOSED},
        {20261013, 0, SQ_R_WINDOW_CLOSED},
        {20261229, 1439, SQ_R_WINDOW_CLOSED},
        {20261230, 0, SQ_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s->w->now_ms = sq_day_end_ms(sq_day_add(cases[i].day, -1)) + cases[i].minute * 60000u;
        assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, s->voucher, 1000 * WAN), SQ_OK);
        assert_int_equal(CLAIM(.service_day = 20260901), cases[i].code);
    }
}

static void a_claim_is_judged_by_the_version_in_force_on_its_service_day(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.until_day = 20260630;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 300, .base_fen = 1000, .service_day = 20260630), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 300, .base_fen = 1000, .service_day = 20260701), SQ_R_SERVICE_DAY);
    p.version = 2;
    p.from_day = 20260701;
    p.until_day = 20270630;
    p.rate_bp = 2000;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 300, .base_fen = 1000, .service_day = 20260630),
                     SQ_OK); /* the old rate on old days */
    assert_int_equal(CLAIM(.amount_fen = 200, .base_fen = 1000, .service_day = 20260701), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 201, .base_fen = 1000, .service_day = 20260701), SQ_R_RATE_EXCEEDED);
    p.version = 3; /* corrects days of both */
    p.from_day = 20260601;
    p.until_day = 20260731;
    p.rate_bp = 1000;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 300, .base_fen = 1000, .service_day = 20260531), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 101, .base_fen = 1000, .service_day = 20260601), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.amount_fen = 200, .base_fen = 1000, .service_day = 20260801), SQ_OK);
    p.version = 5;
    assert_int_equal(publish(s, &p), SQ_R_PROGRAMME_VERSION);
}

static void a_voucher_is_valid_for_its_days_and_no_longer_than_the_programme_allows(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.validity_days = 30; /* granted on 2026-09-21: until 2026-10-21 */
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .until_day = 20261022}), SQ_R_VALIDITY);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .until_day = 20261021}), SQ_OK);
    s->w->now_ms = sq_day_end_ms(20261021) - 1;
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, s->voucher, WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 5), SQ_OK);
    s->w->now_ms++;
    assert_int_equal(CLAIM(.amount_fen = 5), SQ_R_VOUCHER_EXPIRED);
}

static void a_contract_is_signed_in_time_and_not_too_long(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition day, term;
    Sanquan__V1__Condition *conditions[] = {&day.c, &term.c};
    claims_condition(&day, 0, VOUCHER, SQ_ATTR(CONTRACT_DAY), IN, (int64_t[]){20230901, INT64_MAX}, 1); /* Beijing */
    claims_condition(&term, 0, VOUCHER, SQ_ATTR(CONTRACT_DAYS), IN, (int64_t[]){1, 365}, 1);
    plain(&p, 1);
    p.conditions = conditions;
    p.n_conditions = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    struct claims_grant g = {
        .face_fen = WAN, .contract_day = 20230901, .contract_from_day = 20260101, .contract_until_day = 20261231};
    assert_int_equal(grant(s, 1, &g), SQ_OK); /* 365 days, both ends counted */
    g.contract_until_day = 20270101;
    assert_int_equal(grant(s, 1, &g), SQ_R_CONTRACT_TERMS);
    g.contract_until_day = 20261231;
    g.contract_day = 20230831;
    assert_int_equal(grant(s, 1, &g), SQ_R_CONTRACT_TERMS);
    g.contract_day = 0; /* not stated */
    assert_int_equal(grant(s, 1, &g), SQ_R_CONTRACT_TERMS);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
}

static void support_lasts_no_longer_than_its_months(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.support_months = 12; /* Shanghai: no longer than a year */
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.service_day = 20250915), SQ_OK);
    assert_int_equal(CLAIM(.service_day = 20260914), SQ_OK);
    assert_int_equal(CLAIM(.service_day = 20260915), SQ_R_SUPPORT_PERIOD);
    assert_int_equal(CLAIM(.service_day = 20250914),
                     SQ_R_SUPPORT_PERIOD); /* an earlier day would make it longer, too */
    assert_int_equal(CLAIM(.service_day = 20250915), SQ_OK);
}

/* ---- claims ---- */

static void services_are_listed_or_excluded(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition c;
    Sanquan__V1__Condition *conditions[] = {&c.c};
    uint32_t services[] = {2, 4};
    plain(&p, 1);
    p.services = services; /* Shanghai: API or private deployment */
    p.n_services = 2;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.service = 2), SQ_OK);
    assert_int_equal(CLAIM(.service = 4), SQ_OK);
    assert_int_equal(CLAIM(.service = 3), SQ_R_SERVICE);
    claims_condition(&c, 0, CLAIM, SQ_ATTR(SERVICE), NOT_IN, (int64_t[]){20, 22},
                     1); /* Beijing: no storage, network, security */
    plain(&p, 2);
    p.conditions = conditions;
    p.n_conditions = 1;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.service = 19), SQ_OK);
    assert_int_equal(CLAIM(.service = 20), SQ_R_SERVICE);
    assert_int_equal(CLAIM(.service = 22), SQ_R_SERVICE);
    assert_int_equal(CLAIM(.service = 23), SQ_OK);
}

static void orders_go_through_a_named_channel(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition c;
    Sanquan__V1__Condition *conditions[] = {&c.c};
    claims_condition(&c, 0, CLAIM, SQ_ATTR(CHANNEL), IN, (int64_t[]){31, 31, 40, 41}, 2);
    plain(&p, 1);
    p.conditions = conditions;
    p.n_conditions = 1;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(CHANNEL), 31}}), SQ_OK);
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(CHANNEL), 41}}), SQ_OK);
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(CHANNEL), 42}}), SQ_R_CHANNEL);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_CHANNEL); /* none is declared */
}

static void a_model_has_a_filing_number_that_is_known_of_its_provider(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition c;
    Sanquan__V1__Condition *conditions[] = {&c.c};
    claims_condition(&c, 0, CLAIM, SQ_ATTR(FILING), OF_PROVIDER, NULL, 0);
    plain(&p, 1);
    p.conditions = conditions;
    p.n_conditions = 1;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(FILING), 2025001}}), SQ_R_FILING);
    assert_int_equal(claims_state(s->w, SH, OPERATOR, 0, WORLD_PROVIDER, SQ_ATTR(FILING), 2025001, 20260101, 0), SQ_OK);
    assert_int_equal(claims_state(s->w, SH, OPERATOR, 0, WORLD_PROVIDER, SQ_ATTR(FILING), 2025002, 20260601, 20260831),
                     SQ_OK);
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(FILING), 2025001}}), SQ_OK); /* several models may be filed at once */
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(FILING), 2025002}}), SQ_R_FILING);
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(FILING), 2025002}}, .service_day = 20260831), SQ_OK);
    assert_int_equal(CLAIM(.fact = {{SQ_ATTR(FILING), 2025003}}), SQ_R_FILING);
}

static void documents_are_all_there(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    uint32_t at_grant[] = {1, 7}, at_redemption[] = {2, 4, 32};
    plain(&p, 1);
    p.grant_documents = at_grant;
    p.n_grant_documents = 2;
    p.redeem_documents = at_redemption;
    p.n_redeem_documents = 3;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .documents = 1u << 6}), SQ_R_DOCUMENTS);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .documents = 1u << 6 | 1u}), SQ_OK);
    assert_int_equal(CLAIM(.documents = 1u << 1 | 1u << 3), SQ_R_DOCUMENTS);
    assert_int_equal(CLAIM(.documents = 1u << 1 | 1u << 3 | 1u << 31), SQ_OK);
    assert_int_equal(CLAIM(.documents = ~0u), SQ_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(the_subsidy_is_the_rate_times_the_base_rounded_down_to_the_fen),
        STORY(a_base_below_the_minimum_is_refused),
        STORY(the_first_tier_that_holds_gives_rate_and_cap_and_the_programme_the_rest),
        STORY(of_several_tiers_the_highest_can_be_chosen),
        STORY(a_grade_gives_a_lump_sum_whatever_the_base),
        STORY(a_face_is_at_most_the_rate_times_what_was_contracted_or_approved),
        STORY(a_window_opens_with_its_first_day_and_closes_at_its_minute),
        STORY(quarterly_windows_come_again_and_may_reach_over_the_end_of_a_month),
        STORY(a_claim_is_judged_by_the_version_in_force_on_its_service_day),
        STORY(a_voucher_is_valid_for_its_days_and_no_longer_than_the_programme_allows),
        STORY(a_contract_is_signed_in_time_and_not_too_long),
        STORY(support_lasts_no_longer_than_its_months),
        STORY(services_are_listed_or_excluded),
        STORY(orders_go_through_a_named_channel),
        STORY(a_model_has_a_filing_number_that_is_known_of_its_provider),
        STORY(documents_are_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
