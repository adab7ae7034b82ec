/*
 * Applications and who gets a voucher, against a second opinion (tests/model/policy_applications.c): random programmes with every order of
 * allocation and of rivals, applications, assessments and rounds; every answer, code, sum and voucher must be the same.
 *
 *     POLICY_ROUNDS=100000 build/release/tests/unit/allocation_model_test     as many as asked for
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "tests/model/policy.h"
#include "tests/support/rules.h"

#define ISSUER "issuer:310000"
enum { HOLDERS = 3, STEPS = 50, OPEN_MAX = 12 };

struct round {
    struct dice dice;
    struct world *w;
    struct pm *m;
    struct rules rules;
    char holder[HOLDERS][19];
    uint64_t seed, applications, vouchers, by_code[256];
    size_t open;
};

static uint32_t below(struct round *r, uint32_t n)
{
    return dice_below(&r->dice, n);
}
static int one_in(struct round *r, uint32_t n)
{
    return below(r, n) == 0;
}
static uint32_t today(const struct round *r)
{
    return sq_day_of_ms(r->w->now_ms);
}

static void differ(const struct round *r, const char *what, unsigned engine, unsigned model)
{
    if (engine != model)
        fail_msg("seed %" PRIu64 ": %s: the engine says %s, the model %s", r->seed, what, sq_status_name(engine),
                 sq_status_name(model));
}

/* ---- what is asked for ---- */

static void fill_facts(struct round *r, Sanquan__V1__FactSet *set, struct pm_fact *out)
{
    static const uint32_t attributes[] = {SQ_ATTR(LEVEL), SQ_ATTR(GRADE),
                                          SQ_ATTR(SCORE)}; /* the office's word counts */
    for (size_t i = 0; i < 3; i++)
        if (one_in(r, 2)) {
            set->attribute[set->n_attribute] = attributes[i];
            set->value[set->n_attribute++] = 1 + below(r, 3);
        }
    set->n_value = set->n_attribute;
    for (size_t i = 0; i < set->n_attribute; i++)
        out[i] = (struct pm_fact){set->attribute[i], set->value[i]};
}

static void apply(struct round *r)
{
    char name[48];
    uint32_t attribute[3], holder = below(r, HOLDERS);
    int64_t value[3];
    uint8_t contract[16] = {one_in(r, 3) ? 0 : (uint8_t)(1 + below(r, 5))};
    Sanquan__V1__FactSet set;
    Sanquan__V1__Apply m;
    struct pm_application a = {.asked = one_in(r, 30) ? 0 : 50 * (1 + below(r, 20)), .side = 1 + below(r, 2)};
    if (r->open == OPEN_MAX)
        return;
    sanquan__v1__fact_set__init(&set);
    set.attribute = attribute;
    set.value = value;
    fill_facts(r, &set, a.g.fact);
    a.g.contract_number = contract[0];
    a.g.contract = one_in(r, 2) ? 200 + below(r, 3000) : 0;
    a.g.contract_day = one_in(r, 2) ? today(r) : 0;
    a.g.contract_from = one_in(r, 2) ? today(r) : 0;
    a.g.contract_until = a.g.contract_from != 0 || one_in(r, 30) ? sq_day_add(today(r), (int32_t)below(r, 60)) : 0;
    a.g.documents = one_in(r, 4) ? below(r, 4) : 3;
    sanquan__v1__apply__init(&m);
    m.issuer = 310000;
    m.programme = 1;
    m.asked_fen = a.asked;
    m.side = a.side = one_in(r, 40) ? 3 : a.side;
    m.contract = (ProtobufCBinaryData){contract[0] != 0 ? 16 : 0, contract};
    m.contract_fen = a.g.contract;
    m.contract_day = a.g.contract_day;
    m.contract_from_day = a.g.contract_from;
    m.contract_until_day = a.g.contract_until;
    m.documents = a.g.documents;
    m.facts = set.n_attribute != 0 ? &set : NULL;
    snprintf(name, sizeof name, "holder:%s", r->holder[holder]);
    unsigned status = world_say(r->w, 0, name, SANQUAN__V1__MESSAGE_TYPE__APPLY, &m.base);
    differ(r, "application", status, pm_apply(r->m, 1, r->holder[holder], &a));
    r->by_code[status]++;
    if (status != SQ_OK)
        return;
    assert_true(r->w->answer.number == ++r->applications);
    r->open++;
}

static void assess(struct round *r)
{
    uint64_t application = 1 + below(r, (uint32_t)r->applications + 1);
    int64_t approved = one_in(r, 2) ? 0 : 100 + below(r, 2000);
    uint32_t score = below(r, 4), grade = below(r, 4);
    uint8_t verdict = one_in(r, 4) ? 2 : 1;
    Sanquan__V1__Assess m;
    sanquan__v1__assess__init(&m);
    m.issuer = 310000;
    m.programme = 1;
    m.n_application = m.n_approved_fen = m.n_score = m.n_grade = 1;
    m.application = &application;
    m.approved_fen = &approved;
    m.score = &score;
    m.grade = &grade;
    m.verdict = (ProtobufCBinaryData){1, &verdict};
    unsigned status = world_say(r->w, 0, ISSUER, SANQUAN__V1__MESSAGE_TYPE__ASSESS, &m.base);
    differ(r, "assessment", status, pm_assess(r->m, 1, application, approved, score, grade, verdict));
}

/* ---- a round ---- */

static void compare_vouchers(struct round *r, uint64_t count)
{
    struct sq_programme_view p;
    sq_core_programme(r->w->core[0], 0, &p);
    assert_int_equal(p.voucher_count, r->vouchers + count);
    for (uint64_t n = r->vouchers + 1; n <= r->vouchers + count; n++) {
        struct sq_voucher_view v;
        assert_int_equal(sq_core_voucher(r->w->core[0], 3100000001u * 1000000000ull + n, &v), SQ_OK);
        assert_true(v.spent_fen == pm_spent(r->m, v.number)); /* it is there too, and nothing was paid */
    }
    r->vouchers += count;
}

static void allocate(struct round *r)
{
    uint8_t code[64] = {0};
    int64_t granted;
    uint64_t count = 0;
    Sanquan__V1__Allocate m;
    sanquan__v1__allocate__init(&m);
    m.issuer = 310000;
    m.programme = 1;
    m.budget_fen = one_in(r, 2) ? 0 : 100 + below(r, 3000);
    m.until_day = sq_day_add(today(r), (int32_t)below(r, 150));
    m.assessed = below(r, 2);
    unsigned status = world_say(r->w, 0, ISSUER, SANQUAN__V1__MESSAGE_TYPE__ALLOCATE, &m.base);
    size_t n = pm_allocate(r->m, 1, m.budget_fen, m.until_day, (int)m.assessed, code, &granted);
    differ(r, "allocation", status, n == 0 ? SQ_R_APPLICATION : SQ_OK);
    if (status != SQ_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        differ(r, "a code", i < r->w->answer.code_count ? r->w->answer.code[i] : SQ_OK, code[i]);
        count += code[i] == SQ_OK;
        r->by_code[code[i]]++;
    }
    if (r->w->answer.count != count || r->w->answer.amount_fen != granted)
        fail_msg("seed %" PRIu64 ": %" PRIu64 " granted, %" PRId64 " fen; the model has %" PRIu64 " and %" PRId64,
                 r->seed, r->w->answer.count, r->w->answer.amount_fen, count, granted);
    compare_vouchers(r, count);
    r->open -= n;
}

static void one_round(uint64_t seed, uint64_t by_code[256])
{
    struct round r = {.seed = seed};
    char name[48];
    r.dice.state = seed * 0xd1342543de82ef95u;
    r.dice.state = dice_u64(&r.dice);
    r.w = world_new(1, SQ_NET_HUB);
    r.m = pm_new();
    pm_at(r.m, r.w->now_ms);
    for (uint32_t i = 0; i < HOLDERS; i++) {
        claims_code(r.holder[i], 310101, i + 1);
        snprintf(name, sizeof name, "holder:%s", r.holder[i]);
        assert_int_equal(world_enrol(r.w, 0, name), SQ_OK);
    }
    rules_roll(&r.dice, &r.rules, 1, 1);
    r.rules.p.allocation = dice_below(&r.dice, 4);
    r.rules.p.rivals = dice_below(&r.dice, 3);
    r.rules.p.n_relations = 0; /* the one programme there is */
    if (world_say(r.w, 0, ISSUER, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &r.rules.p.base) != SQ_OK)
        fail_msg("seed %" PRIu64 ": %s", seed, r.w->answer.detail);
    pm_programme(r.m, &r.rules.p);
    for (int i = 0; i < STEPS; i++) {
        uint32_t what = below(&r, 20);
        if (what < 11)
            apply(&r);
        else if (what < 16)
            assess(&r);
        else if (what < 18)
            allocate(&r);
        else
            pm_at(r.m, r.w->now_ms += (uint64_t)below(&r, 12) * 43200000u);
    }
    for (int i = 0; i < 256; i++)
        by_code[i] += r.by_code[i];
    pm_free(r.m);
    world_free(r.w);
}

static void engine_and_model_give_the_same_vouchers(void **state)
{
    const char *wanted = getenv("POLICY_ROUNDS");
    uint64_t rounds = wanted != NULL ? strtoull(wanted, NULL, 10) : 3000, by_code[256] = {0};
    static const unsigned met[] = {SQ_OK,
                                   SQ_R_ASSESSED_OUT,
                                   SQ_R_RIVAL,
                                   SQ_R_POOL_EXHAUSTED,
                                   SQ_R_AMOUNT,
                                   SQ_R_APPLICATION,
                                   SQ_R_WINDOW_CLOSED,
                                   SQ_R_CONTRACT_TERMS,
                                   SQ_R_DOCUMENTS,
                                   SQ_R_CONTRACT_TAKEN,
                                   SQ_R_LIMIT,
                                   SQ_R_VALIDITY,
                                   SQ_R_VOUCHER_CONDITION};
    (void)state;
    for (uint64_t seed = 1; seed <= rounds; seed++)
        one_round(seed, by_code);
    for (size_t i = 0; i < sizeof met / sizeof *met; i++)
        if (by_code[met[i]] == 0)
            fail_msg("no application ended as %s", sq_status_name(met[i]));
    print_message("# note: %" PRIu64 " rounds\n", rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(engine_and_model_give_the_same_vouchers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
