/*
 * Who gets a voucher when many ask, who gets one without asking, who is paid and who bears it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "clearing/policy/programme.h"
#include "tests/support/story.h"

#define APPLICANTS 5u

struct asks {
    char code[APPLICANTS][19];
};

static void enrol_applicants(struct story *s, struct asks *a)
{
    for (uint32_t i = 0; i < APPLICANTS; i++) {
        char name[48];
        claims_code(a->code[i], 310115, i + 1);
        snprintf(name, sizeof name, "holder:%s", a->code[i]);
        assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    }
}

static unsigned apply(struct story *s, const char *code, uint32_t number, int64_t asked, uint32_t side,
                      uint8_t contract)
{
    char name[48];
    uint8_t digest[16] = {contract};
    Sanquan__V1__Apply m;
    sanquan__v1__apply__init(&m);
    snprintf(name, sizeof name, "holder:%s", code);
    m.issuer = 310000;
    m.programme = number;
    m.asked_fen = asked;
    m.side = side;
    if (contract != 0)
        m.contract = (ProtobufCBinaryData){16, digest};
    return world_say(s->w, SH, name, SANQUAN__V1__MESSAGE_TYPE__APPLY, &m.base);
}

/* Expected: codes of the open applications in the order of their numbers, then granted sums by applicant. */
static void allocate(struct story *s, uint32_t number, int64_t budget, uint32_t assessed, const unsigned *code,
                     size_t count, int64_t granted)
{
    Sanquan__V1__Allocate m;
    sanquan__v1__allocate__init(&m);
    m.issuer = 310000;
    m.programme = number;
    m.budget_fen = budget;
    m.until_day = 20261231;
    m.assessed = assessed;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__ALLOCATE, &m.base), SQ_OK);
    for (size_t i = 0; i < count; i++) {
        unsigned got = s->w->answer.code_count != 0 ? s->w->answer.code[i] : 0;
        if (got != code[i])
            print_error("application %zu: %s, expected %s\n", i, sq_status_name(got), sq_status_name(code[i]));
        assert_int_equal(got, code[i]);
    }
    assert_true(s->w->answer.code_count == 0 || s->w->answer.code_count == count);
    assert_true(s->w->answer.amount_fen == granted);
}

static int64_t face(struct story *s, uint64_t voucher)
{
    struct sq_voucher_view v;
    return sq_core_voucher(s->w->core[SH], voucher, &v) == SQ_OK ? v.face_fen : -1;
}

#define VOUCHER(programme, serial) ((3100000000ull + (programme)) * 1000000000u + (serial))

static void the_first_come_are_served_while_the_pool_lasts(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct asks a;
    enrol_applicants(s, &a);
    plain(&p, 1);
    p.pool_fen = 1000;
    p.pool_at = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(apply(s, a.code[0], 1, 0, 1, 0), SQ_R_AMOUNT);
    assert_int_equal(apply(s, a.code[0], 1, 500, 3, 0), SQ_R_APPLICATION);
    assert_int_equal(apply(s, a.code[0], 2, 500, 1, 0), SQ_R_UNKNOWN_PROGRAMME);
    static const int64_t asked[APPLICANTS] = {500, 300, 201, 200, 1};
    for (uint32_t i = 0; i < APPLICANTS; i++) {
        assert_int_equal(apply(s, a.code[i], 1, asked[i], 1, 0), SQ_OK);
        assert_int_equal(s->w->answer.number, i + 1);
    }
    const unsigned code[APPLICANTS] = {0, 0, SQ_R_POOL_EXHAUSTED, 0, SQ_R_POOL_EXHAUSTED};
    allocate(s, 1, 0, 0, code, APPLICANTS, 1000);
    assert_true(face(s, VOUCHER(1, 1)) == 500 && face(s, VOUCHER(1, 2)) == 300 && face(s, VOUCHER(1, 3)) == 200 &&
                face(s, VOUCHER(1, 4)) == -1);
}

static void the_earlier_day_and_then_the_smaller_amount_come_first(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct asks a;
    enrol_applicants(s, &a);
    plain(&p, 1);
    p.allocation = 1; /* 补早补小 */
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(apply(s, a.code[0], 1, 600, 1, 0), SQ_OK);
    assert_int_equal(apply(s, a.code[1], 1, 400, 1, 0), SQ_OK);
    s->w->now_ms = sq_day_end_ms(sq_day_of_ms(s->w->now_ms));
    assert_int_equal(apply(s, a.code[2], 1, 10, 1, 0), SQ_OK); /* smaller, but a day later */
    assert_int_equal(apply(s, a.code[3], 1, 5, 1, 0), SQ_OK);
    const unsigned code[] = {SQ_R_POOL_EXHAUSTED, 0, SQ_R_POOL_EXHAUSTED, 0};
    allocate(s, 1, 405, 0, code, 4, 405); /* 400, then 600 does not fit, then 5, then 10 does not */
    assert_true(face(s, VOUCHER(1, 1)) == 400 && face(s, VOUCHER(1, 2)) == 5);
}

static void assess(struct story *s, uint32_t number, uint64_t application, uint32_t score, uint32_t grade,
                   uint8_t verdict, unsigned expected)
{
    int64_t approved = 0;
    Sanquan__V1__Assess m;
    sanquan__v1__assess__init(&m);
    m.issuer = 310000;
    m.programme = number;
    m.n_application = m.n_approved_fen = m.n_score = m.n_grade = 1;
    m.application = &application;
    m.approved_fen = &approved;
    m.score = &score;
    m.grade = &grade;
    m.verdict = (ProtobufCBinaryData){1, &verdict};
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__ASSESS, &m.base), expected);
}

static void the_higher_score_comes_first_and_who_is_found_unfit_gets_nothing(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct asks a;
    enrol_applicants(s, &a);
    plain(&p, 1);
    p.allocation = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(apply(s, a.code[i], 1, 100, 1, 0), SQ_OK);
    assess(s, 1, 1, 60, 0, 1, SQ_OK);
    assess(s, 1, 2, 90, 0, 1, SQ_OK);
    assess(s, 1, 3, 95, 0, 2, SQ_OK);
    assess(s, 1, 9, 95, 0, 1, SQ_R_APPLICATION);
    const unsigned first[] = {SQ_R_POOL_EXHAUSTED, 0};
    allocate(s, 1, 100, 1, first, 2, 100);       /* only those assessed as eligible: 1 and 2 */
    assess(s, 1, 2, 10, 0, 1, SQ_R_APPLICATION); /* closed */
    const unsigned second[] = {SQ_R_ASSESSED_OUT, 0};
    allocate(s, 1, 100, 0, second, 2, 100); /* 3 and 4 */
}

static void pro_rata_gives_each_its_share_rounded_down(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct asks a;
    enrol_applicants(s, &a);
    plain(&p, 1);
    p.allocation = 3;
    assert_int_equal(publish(s, &p), SQ_OK);
    static const int64_t asked[] = {100, 200, 400};
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(apply(s, a.code[i], 1, asked[i], 1, 0), SQ_OK);
    const unsigned code[] = {0, 0, 0};
    /* 700 are asked, 500 are there: 71.42, 142.85, 285.71 */
    allocate(s, 1, 500, 0, code, 3, 71 + 142 + 285);
    assert_true(face(s, VOUCHER(1, 1)) == 71 && face(s, VOUCHER(1, 2)) == 142 && face(s, VOUCHER(1, 3)) == 285);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(apply(s, a.code[i], 1, asked[i], 1, 0), SQ_OK);
    allocate(s, 1, 700, 0, code, 3, 700); /* it is not short: what was asked */
}

static void of_rivals_for_one_contract_the_programme_says_who_comes_first(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct asks a;
    enrol_applicants(s, &a);
    for (uint32_t rivals = 0; rivals < 3; rivals++) {
        plain(&p, rivals + 1);
        p.rivals = rivals; /* 0 the first, 1 the supplier (Qingyang), 2 the buyer */
        assert_int_equal(publish(s, &p), SQ_OK);
        assert_int_equal(apply(s, a.code[0], rivals + 1, 100, 1, 7), SQ_OK);
        assert_int_equal(apply(s, a.code[1], rivals + 1, 200, 2, 7), SQ_OK);
        assert_int_equal(apply(s, a.code[2], rivals + 1, 400, 1, 8), SQ_OK); /* another contract */
        const unsigned code[] = {rivals == 1 ? SQ_R_RIVAL : 0, rivals == 1 ? 0 : SQ_R_RIVAL, 0};
        allocate(s, rivals + 1, 0, 0, code, 3, rivals == 1 ? 600 : 500);
    }
}

static void an_allocation_follows_grades_windows_quotas_and_conditions(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct asks a;
    struct claims_condition grade;
    Sanquan__V1__Condition *conditions[] = {&grade.c};
    Sanquan__V1__Tier tier, *tiers[] = {&tier};
    Sanquan__V1__Limit quota, *limits[] = {&quota};
    enrol_applicants(s, &a);
    claims_condition(&grade, 1, VOUCHER, SQ_ATTR(GRADE), IN, (int64_t[]){1, 1}, 1);
    sanquan__v1__tier__init(&tier);
    tier.group = 1;
    tier.lump_fen = 100 * WAN;
    sanquan__v1__limit__init(&quota);
    quota.number = 1;
    quota.scope = SANQUAN__V1__SCOPE__SCOPE_PROGRAMME;
    quota.unit = SANQUAN__V1__UNIT__UNIT_COUNT;
    quota.step = 1;
    quota.period = 1;
    quota.hard = 2;
    plain(&p, 1);
    p.rate_bp = 0;
    p.conditions = conditions;
    p.tiers = tiers;
    p.limits = limits;
    p.n_conditions = p.n_tiers = p.n_limits = 1;
    p.allocation = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(apply(s, a.code[i], 1, 500 * WAN, 1, 0), SQ_OK);
    for (uint32_t i = 0; i < 4; i++)
        assess(s, 1, i + 1, 50 + i, i == 1 ? 2 : 1, 1, SQ_OK);
    /* By score 4, 3, 2, 1. Grade 1 is worth 100 万 whatever was asked; 2 has no tier; the quota of two is used up by 4 and 3. */
    const unsigned code[] = {SQ_R_LIMIT, SQ_R_LIMIT, 0, 0};
    allocate(s, 1, 0, 1, code, 4, 200 * WAN);
}

/* ---- without asking ---- */

static unsigned consent(struct story *s, uint32_t number)
{
    char name[48], provider[19];
    Sanquan__V1__Consent m;
    sanquan__v1__consent__init(&m);
    snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
    strcpy(provider, WORLD_PROVIDER);
    m.issuer = 310000;
    m.programme = number;
    m.provider = provider;
    m.limit_fen = WAN;
    m.until_ms = s->w->now_ms + 86400000u;
    m.until_day = 20261231;
    return world_say(s->w, SH, name, SANQUAN__V1__MESSAGE_TYPE__CONSENT, &m.base);
}

static void one_consent_and_the_rules_grant_at_the_first_use(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition size;
    Sanquan__V1__Condition *conditions[] = {&size.c};
    struct sq_programme_view v;
    claims_condition(&size, 0, HOLDER, SQ_ATTR(SIZE), IN, (int64_t[]){1, 2}, 1);
    plain(&p, 1);
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(consent(s, 1), SQ_R_NOT_OFFERED);
    plain(&p, 2);
    p.auto_face_fen = 600;
    p.pool_fen = 1000;
    p.pool_at = 1;
    p.conditions = conditions;
    p.n_conditions = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(consent(s, 2), SQ_OK);
    s->voucher = s->w->answer.number;
    assert_true(s->voucher == VOUCHER(2, 1));
    assert_int_equal(consent(s, 2), SQ_R_NOT_OFFERED); /* one at a time */
    sq_core_programme(s->w->core[SH], 1, &v);
    assert_true(v.granted_fen == 0 && v.reserved_fen == 0); /* consent alone promises nothing */
    assert_int_equal(CLAIM(.amount_fen = 100), SQ_R_HOLDER_CONDITION);
    assert_int_equal(face(s, s->voucher), 0);
    assert_int_equal(claims_state(s->w, SH, ISSUER, 310000, WORLD_HOLDER, SQ_ATTR(SIZE), 1, 20260101, 0), SQ_OK);
    assert_int_equal(claims_sanction(s->w, SH, ISSUER, WORLD_HOLDER, 1, 1, 20260901, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 100), SQ_R_HOLDER_SANCTIONED); /* the credit check */
    assert_int_equal(claims_sanction(s->w, SH, ISSUER, WORLD_HOLDER, 1, 1, 20260901, 20260901), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 601), SQ_R_VOUCHER_OVERDRAWN);
    assert_int_equal(face(s, s->voucher), 0);
    assert_int_equal(CLAIM(.amount_fen = 100), SQ_OK); /* granted and used in one step */
    sq_core_programme(s->w->core[SH], 1, &v);
    assert_true(v.granted_fen == 600 && v.reserved_fen == 500 && v.spent_fen == 100);
    assert_int_equal(CLAIM(.amount_fen = 500), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_VOUCHER_OVERDRAWN);
}

static void rows_of_one_batch_see_the_voucher_that_the_first_of_them_granted(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.auto_face_fen = 1000;
    p.pool_fen = 1000;
    p.pool_at = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(consent(s, 1), SQ_OK);
    s->voucher = s->w->answer.number;
    struct claims_row rows[3];
    uint8_t code[3];
    for (unsigned i = 0; i < 3; i++)
        rows[i] = (struct claims_row){.voucher = s->voucher, .amount_fen = 400, .base_fen = 10000, .invoice = 50 + i};
    assert_int_equal(claims_batch(s->w, SH, WORLD_PROVIDER, rows, 3, code), SQ_OK);
    const uint8_t expected[] = {0, 0, SQ_R_VOUCHER_OVERDRAWN};
    assert_memory_equal(code, expected, 3);
    assert_int_equal(spent(s), 800);
}

/* ---- money ---- */

static void the_programme_says_who_is_paid_or_lets_the_row_say_it(void **state)
{
    static const struct {
        uint32_t programme_pays;
        uint8_t row;
        unsigned code;
    } cases[] = {
        {0, 0, SQ_OK}, {0, 1, SQ_OK},      {0, 2, SQ_R_PAYEE}, {1, 1, SQ_OK}, {1, 2, SQ_R_PAYEE}, {2, 0, SQ_OK},
        {2, 2, SQ_OK}, {2, 1, SQ_R_PAYEE}, {3, 1, SQ_OK},      {3, 2, SQ_OK}, {3, 0, SQ_R_PAYEE}, {3, 9, SQ_R_PAYEE},
    };
    struct story *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Sanquan__V1__Programme p;
        plain(&p, (uint32_t)i + 1);
        p.payee = cases[i].programme_pays;
        begin_programme(s, &p);
        assert_int_equal(CLAIM(.payee = cases[i].row), cases[i].code);
    }
}

static void funders_bear_their_shares_to_the_fen_and_the_first_what_is_left(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    Sanquan__V1__Funder f[3], *funders[] = {&f[0], &f[1], &f[2]};
    static const uint32_t code[] = {410000, 410100, 410102}, share[] = {5000, 3333, 1667};
    for (unsigned i = 0; i < 3; i++) {
        sanquan__v1__funder__init(&f[i]);
        f[i].code = code[i];
        f[i].share_bp = share[i];
    }
    plain(&p, 1);
    p.funders = funders;
    p.n_funders = 3;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 101), SQ_OK);
    struct sq_funder_view v;
    /* 33.33 % of 101 is 33.66, 16.67 % is 16.84: 33 and 16, the first bears 52. */
    static const int64_t borne[] = {52, 33, 16};
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(sq_core_funder(s->w->core[SH], 0, i, &v), SQ_OK);
        assert_true(v.code == code[i] && v.share_bp == share[i] && v.borne_fen == borne[i]);
    }
    assert_int_equal(sq_core_funder(s->w->core[SH], 0, 3, &v), SQ_E_NOT_FOUND);
    for (unsigned i = 0; i < 99;
         i++) /* however it was cut into claims, each is within a fen of its share of the whole */
        assert_int_equal(CLAIM(.amount_fen = 101), SQ_OK);
    static const int64_t later[] = {5051, 3366, 1683}; /* of 10100: 3366.33 and 1683.67 */
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(sq_core_funder(s->w->core[SH], 0, i, &v), SQ_OK);
        assert_true(v.borne_fen == later[i]);
    }
    f[0].share_bp = 4999;
    p.version = 2;
    assert_int_equal(publish(s, &p), SQ_R_PROGRAMME_TERMS); /* they do not make 100 % */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(the_first_come_are_served_while_the_pool_lasts),
        STORY(the_earlier_day_and_then_the_smaller_amount_come_first),
        STORY(the_higher_score_comes_first_and_who_is_found_unfit_gets_nothing),
        STORY(pro_rata_gives_each_its_share_rounded_down),
        STORY(of_rivals_for_one_contract_the_programme_says_who_comes_first),
        STORY(an_allocation_follows_grades_windows_quotas_and_conditions),
        STORY(one_consent_and_the_rules_grant_at_the_first_use),
        STORY(rows_of_one_batch_see_the_voucher_that_the_first_of_them_granted),
        STORY(the_programme_says_who_is_paid_or_lets_the_row_say_it),
        STORY(funders_bear_their_shares_to_the_fen_and_the_first_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
