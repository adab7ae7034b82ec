/* Programme files: what is read out of them, and that each mistake is told with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/common/programme_yaml.h"

static const char good[] = "issuer: \"310000\"\n"
                           "number: 1\n"
                           "version: 2\n"
                           "kind: compute\n"
                           "title: 智能算力券\n"
                           "from: 2025-07-28\n"
                           "until: 2026-12-31\n"
                           "rate: 12.5%\n"
                           "base: approved\n"
                           "pool: 6亿\n"
                           "cap_claim: 500万\n"
                           "cap_year: 1.25亿\n"
                           "min_claim: 1234.56\n"
                           "services: [rent, 30, api]\n"
                           "provider_regions: [\"320000\", \"310000\"]\n"
                           "stacking: additive\n"
                           "stack_limit: 100%\n";

struct read {
    struct sq_arena arena;
    struct sq_error err;
    Sanquan__V1__Programme *m;
};

static sq_status read_text(struct read *r, const char *text)
{
    char path[] = "/tmp/programme-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    sq_arena_reset(&r->arena);
    r->m = NULL;
    sq_status st = sq_programme_read(path, &r->arena, &r->m, &r->err);
    unlink(path);
    return st;
}

static int begin(void **state)
{
    struct read *r = calloc(1, sizeof *r);
    *state = r;
    return sq_arena_init(&r->arena, 1u << 20, &r->err);
}

static int end(void **state)
{
    struct read *r = *state;
    sq_arena_free(&r->arena);
    free(r);
    return 0;
}

static void amounts_shares_days_and_words_become_the_message(void **state)
{
    struct read *r = *state;
    sq_status st = read_text(r, good);
    if (st != SQ_OK)
        print_error("%s\n", r->err.text);
    assert_int_equal(st, SQ_OK);
    const Sanquan__V1__Programme *m = r->m;
    assert_int_equal(m->issuer, 310000);
    assert_int_equal(m->version, 2);
    assert_int_equal(m->kind, 1);
    assert_string_equal(m->title, "智能算力券");
    assert_int_equal(m->from_day, 20250728);
    assert_int_equal(m->until_day, 20261231);
    assert_int_equal(m->rate_bp, 1250);
    assert_int_equal(m->base_kind, 2);
    assert_int_equal(m->pool_fen, 60000000000);
    assert_int_equal(m->cap_claim_fen, 500000000);
    assert_int_equal(m->cap_year_fen, 12500000000);
    assert_int_equal(m->cap_total_fen, 0);
    assert_int_equal(m->min_claim_fen, 123456);
    const uint32_t services[] = {1, 2, 30}, regions[] = {310000, 320000};
    assert_int_equal(m->n_services, 3);
    assert_memory_equal(m->services, services, sizeof services);
    assert_int_equal(m->n_provider_regions, 2);
    assert_memory_equal(m->provider_regions, regions, sizeof regions);
    assert_int_equal(m->stacking, 1);
    assert_int_equal(m->stack_limit_bp, 10000);
}

static void each_mistake_is_told_with_its_line(void **state)
{
    struct read *r = *state;
    static const struct {
        const char *from, *to, *told;
    } cases[] = {
        {"rate: 12.5%", "rate: 12.5", ":8: rate: '12.5' is not a share"},
        {"rate: 12.5%", "rate: 101%", ":8: rate: "},
        {"rate: 12.5%", "rate: 12.345%", ":8: rate: "},
        {"rate: 12.5%", "rate: 0%", ":8: rate: '0%' is not a share"},
        {"rate: 12.5%\n", "", ":1: rate: is not 0.01% to 100%, and there are no tiers"},
        {"pool: 6亿", "pool: 6e8", ":10: pool: '6e8' is not an amount"},
        {"pool: 6亿", "pool: 0", ":10: pool: is zero; leave it out"},
        {"pool: 6亿", "pool: 99999999999999亿", ":10: pool: "},
        {"min_claim: 1234.56", "min_claim: 0.001", ":13: min_claim: "},
        {"min_claim: 1234.56", "min_claim: -5", ":13: min_claim: "},
        {"from: 2025-07-28", "from: 2025-02-30", ":6: from: is no day of the calendar"},
        {"from: 2025-07-28", "from: 28.7.2025", ":6: from: '28.7.2025' is not a day"},
        {"until: 2026-12-31", "until: 2025-07-27", ":7: until: "},
        {"kind: compute", "kind: computer", ":4: kind: 'computer' is none of: compute model corpus"},
        {"kind: compute", "kind: 8", ":4: kind: is not 1 to 7"},
        {"services: [rent, 30, api]", "services: [rent, 1]", ":14: services: 1 is there twice"},
        {"provider_regions", "provider_region", ":15: Unexpected key: provider_region"},
        {"stack_limit: 100%\n", "", ":1: stack_limit: goes with additive stacking"},
        {"title: 智能算力券\n", "", "Missing required mapping field: title"},
        {"issuer: \"310000\"", "issuer: \"3100\"", ":1: issuer: is not a six-digit code"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        const char *at = strstr(good, cases[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, cases[i].to, at + strlen(cases[i].from));
        assert_int_equal(read_text(r, text), SQ_E_CONFIG);
        assert_null(r->m);
        if (strstr(r->err.text, cases[i].told) == NULL)
            print_error("case %zu: %s\n", i, r->err.text);
        assert_non_null(strstr(r->err.text, cases[i].told));
    }
}

static const char ruled[] =
    "issuer: \"310000\"\n"
    "number: 1\n"
    "version: 1\n"
    "kind: corpus\n"
    "title: t\n"
    "from: 2026-01-01\n"
    "until: 2026-12-31\n"
    "base: paid\n"
    "conditions:\n"
    "  - {of: holder, what: region, in: [\"440300\", \"310000\"]}\n"
    "  - {of: holder, what: sector, in: [\"64\", \"651\"], at: grant}\n"
    "  - {of: provider, what: \"1001\"}\n"
    "  - {of: voucher, what: contract_day, in: [\"2023-09-01..\"]}\n"
    "  - {of: claim, what: service, not_in: [storage, security]}\n"
    "  - {of: claim, what: filing, known_of: provider}\n"
    "tiers:\n"
    "  - {rate: 60%, cap_claim: 5, when: [{of: holder, what: standing, in: [startup]}]}\n"
    "  - lump: 100万\n"
    "    when:\n"
    "      - {of: voucher, what: grade, in: [\"1..2\"]}\n"
    "      - {of: holder, what: size, in: [small]}\n"
    "tier_choice: highest\n"
    "windows:\n"
    "  - {step: grant, from: 2026-04-17, until: 2026-05-15, closes: \"17:00\", every_months: 12}\n"
    "validity_days: 365\n"
    "support_months: 12\n"
    "grant_documents: [licence, contract]\n"
    "redeem_documents: [invoice]\n"
    "sanction_months: 36\n"
    "sanction_causes: [dishonest]\n"
    "related_hops: 2\n"
    "limits:\n"
    "  - {scope: holder, of: redeemed, period: year, soft: 100万, hard: 200万}\n"
    "  - {id: 9, scope: voucher, of: redeemed, counts: quantity, hard: 600, when: [{of: claim, what: service, in: "
    "[finetune]}]}\n"
    "relations:\n"
    "  - {programme: 310000/2, together: excludes, state: redeemed}\n"
    "  - {programme: 310000/3, together: share, limit: 50%}\n"
    "unit: card_minutes\n"
    "unit_price: 1.20\n"
    "unit_size: 60\n"
    "unique_contract: issuer\n"
    "unique_service: yes\n"
    "pool: 1亿\n"
    "pool_at: grant\n"
    "waivable: [HOLDER_REGION, CAP_CLAIM]\n"
    "payee: either\n"
    "funders: [{code: \"310000\", share: 33.34%}, {code: \"310115\", share: 66.66%}]\n"
    "allocation: pro_rata\n"
    "rivals: supplier\n"
    "stages:\n"
    "  - {share: 50%}\n"
    "  - {share: 30%, trigger: grade}\n"
    "  - {share: 20%, trigger: metric, metric: 7, better: more, change: 150%, after_months: 6}\n"
    "verdicts: [{grade: 1, action: release}, {grade: 3, action: take_back, back: 33.3%}]\n"
    "evaluators: 1003\n"
    "recognition: agreement\n";

static void condition_is(const Sanquan__V1__Condition *c, uint32_t group, uint32_t subject, uint32_t attribute,
                         uint32_t test, uint32_t step, size_t ranges, int64_t low, int64_t high)
{
    assert_int_equal(c->group, group);
    assert_int_equal(c->subject, subject);
    assert_int_equal(c->attribute, attribute);
    assert_int_equal(c->test, test);
    assert_int_equal(c->step, step);
    assert_int_equal(c->n_low, ranges);
    if (ranges != 0) {
        assert_true(c->low[0] == low);
        assert_true(c->high[ranges - 1] == high);
    }
}

static void conditions_tiers_and_windows_become_groups_of_the_message(void **state)
{
    struct read *r = *state;
    sq_status st = read_text(r, ruled);
    if (st != SQ_OK)
        print_error("%s\n", r->err.text);
    assert_int_equal(st, SQ_OK);
    const Sanquan__V1__Programme *m = r->m;
    assert_int_equal(m->n_conditions, 10);
    condition_is(m->conditions[0], 0, 1, 1, 1, 0, 2, 310000, 440399);
    assert_true(m->conditions[0]->high[0] == 319999 && m->conditions[0]->low[1] == 440300);
    condition_is(m->conditions[1], 0, 1, 3, 1, 1, 2, 6400, 6519);
    condition_is(m->conditions[2], 0, 2, 1001, 1, 0, 1, 1, 1);
    condition_is(m->conditions[3], 0, 3, 23, 1, 0, 1, 20230901, INT64_MAX);
    condition_is(m->conditions[4], 0, 4, 20, 2, 0, 2, 20, 22);
    condition_is(m->conditions[5], 0, 4, 13, 3, 0, 0, 0, 0);
    condition_is(m->conditions[6], 1, 1, 6, 1, 0, 1, 1, 1);
    condition_is(m->conditions[7], 2, 3, 15, 1, 0, 1, 1, 2);
    condition_is(m->conditions[8], 2, 1, 5, 1, 0, 1, 2, 2);
    assert_int_equal(m->n_tiers, 2);
    assert_int_equal(m->tiers[0]->rate_bp, 6000);
    assert_int_equal(m->tiers[0]->cap_claim_fen, 500);
    assert_int_equal(m->tiers[1]->lump_fen, 100000000);
    assert_int_equal(m->tiers[1]->group, 2);
    assert_int_equal(m->tier_choice, 1);
    assert_int_equal(m->windows[0]->closes_minute, 1020);
    assert_int_equal(m->windows[0]->every_months, 12);
    assert_int_equal(m->grant_documents[1], 7);
    assert_int_equal(m->sanction_causes[0], 1);
    assert_int_equal(m->related_hops, 2);
    assert_int_equal(m->rate_bp, 0);
    condition_is(m->conditions[9], 3, 4, 20, 1, 0, 1, 8, 8);
    assert_int_equal(m->n_limits, 2);
    const Sanquan__V1__Limit *l = m->limits[0];
    assert_true(l->number == 1 && l->scope == 4 && l->unit == 1 && l->step == 2 && l->period == 1 && l->group == 0);
    assert_true(l->soft == 100000000 && l->hard == 200000000);
    l = m->limits[1];
    assert_true(l->number == 9 && l->scope == 2 && l->unit == 4 && l->step == 2 && l->period == 0 && l->group == 3 &&
                l->hard == 600);
    const Sanquan__V1__Relation *x = m->relations[0];
    assert_true(x->issuer == 310000 && x->number == 2 && x->together == 1 && x->state == 2 && x->scope == 4 &&
                x->limit_bp == 0);
    x = m->relations[1];
    assert_true(x->number == 3 && x->together == 4 && x->state == 0 && x->scope == 3 && x->limit_bp == 5000);
    assert_true(m->unit == 1 && m->unit_price_fen == 120 && m->unit_size == 60);
    assert_true(m->unique_contract == 2 && m->unique_service == 1 && m->recognition == 1 && m->pool_at == 1 &&
                m->pool_fen == 10000000000);
    assert_true(m->payee == 3 && m->allocation == 3 && m->rivals == 1);
    assert_int_equal(m->n_stages, 3);
    assert_true(m->stages[0]->share_bp == 5000 && m->stages[0]->trigger == 1 && m->stages[1]->trigger == 2);
    assert_true(m->stages[2]->trigger == 3 && m->stages[2]->metric == 7 && m->stages[2]->better == 2 &&
                m->stages[2]->change_bp == 15000 && m->stages[2]->after_months == 6);
    assert_true(m->n_verdicts == 2 && m->verdicts[1]->grade == 3 && m->verdicts[1]->action == 3 &&
                m->verdicts[1]->back_bp == 3330 && m->evaluators == 1003);
    assert_int_equal(m->n_funders, 2);
    assert_true(m->funders[1]->code == 310115 && m->funders[1]->share_bp == 6666 && m->funders[0]->share_bp == 3334);
    assert_int_equal(m->n_waivable, 2);
    assert_true(m->waivable[0] == SQ_R_CAP_CLAIM && m->waivable[1] == SQ_R_HOLDER_REGION);
}

static void mistakes_in_lists_are_told_with_their_own_line(void **state)
{
    struct read *r = *state;
    static const struct {
        const char *from, *to, *told;
    } cases[] = {
        {"what: region, in", "what: religion, in", ":10: conditions[0].what: 'religion' is none of: region"},
        {"\"440300\"", "\"4403\"", ":10: conditions[0].in: '4403' is not a value"},
        {"\"440300\"", "\"310115\"", ":10: conditions[0].in: two of the values overlap"},
        {"of: claim, what: service", "of: provider, what: service",
         ":14: conditions[4].what: is none that this subject can have"},
        {"\"2023-09-01..\"", "\"2023-09-01..2023-01-01\"", ":13: conditions[3].in: "},
        {"known_of: provider", "known_of: provider, in: [\"1\"]", ":15: conditions[5]: has not exactly one"},
        {"known_of: provider", "known_of: claim", ":15: conditions[5].known_of: is neither holder nor provider"},
        {"{of: provider, what: \"1001\"}", "{of: provider, what: \"1001\", at: grant}", ":12: conditions[2].at: "},
        {"lump: 100万", "cap_claim: 1", ":18: tiers[1].rate: "},
        {"in: [small]", "in: [tiny]", ":21: tiers[1].when[1].in: 'tiny'"},
        {"closes: \"17:00\"", "closes: \"24:00\"", ":24: windows[0].closes: '24:00' is not a time"},
        {"every_months: 12", "every_months: 0", NULL},
        {"2026-05-15", "2027-05-15", ":24: windows[0].every_months: "},
        {"related_hops: 2", "related_hops: 9", ":31: related_hops: is over 8"},
        {"of: redeemed, period: year", "of: reserved, period: year",
         ":33: limits[0].of: 'reserved' is none of: granted redeemed"},
        {"soft: 100万, hard: 200万", "soft: 200万, hard: 100万", ":33: limits[0].hard: neither soft nor hard is there"},
        {"id: 9,", "id: 1,", ":34: limits[1].id: is not 1 to 255, or not ascending"},
        {"scope: voucher, of: redeemed", "scope: voucher, of: granted",
         ":34: limits[1].scope: is no scope, or none that a grant knows"},
        {"unit: card_minutes\n", "", ":34: limits[1].counts: is no unit of such a limit"},
        {"310000/3", "310000-3", ":37: relations[1].programme: '310000-3' is no programme"},
        {"310000/2", "310000/1", ":36: relations[0]"},
        {"share, limit: 50%", "share", ":37: relations[1]"},
        {"[HOLDER_REGION, CAP_CLAIM]", "[POOL_EXHAUSTED]", ":45: waivable: names a refusal that no office can lift"},
        {"share: 20%, trigger: metric", "share: 20%, trigger: luck", ":53: stages[2].trigger: 'luck' is none of"},
        {"{share: 50%}", "{share: 51%}", ":51: stages: do not make 100% together"},
        {"evaluators: 1003\n", "evaluators: 1003\nauto_face: 5万\n", ":51: stages: do not go with a face"},
        {"evaluators: 1003", "evaluators: 3", ":55: evaluators: is no list"},
        {"33.34%", "33.33%", ":47: funders: do not make 100% together"},
        {"code: \"310115\"", "code: \"310000\"", ":47: funders[1].code: is there twice"},
        {"allocation: pro_rata", "allocation: lots", ":48: allocation: 'lots' is none of"},
        {"[HOLDER_REGION, CAP_CLAIM]", "[GOODWILL]", ":45: waivable: 'GOODWILL' is not a whole number"},
        {"[licence, contract]", "[licence, photo]", ":27: grant_documents: 'photo' is none of"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4096];
        const char *at = strstr(ruled, cases[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - ruled), ruled, cases[i].to, at + strlen(cases[i].from));
        assert_int_equal(read_text(r, text), cases[i].told == NULL ? SQ_OK : SQ_E_CONFIG);
        if (cases[i].told != NULL && strstr(r->err.text, cases[i].told) == NULL)
            print_error("case %zu: %s\n", i, r->err.text);
        assert_true(cases[i].told == NULL || strstr(r->err.text, cases[i].told) != NULL);
    }
}

static void service_codes_and_names_are_each_other(void **state)
{
    (void)state;
    assert_int_equal(sq_service_code("finetune"), 8);
    assert_string_equal(sq_service_name(8), "finetune");
    assert_int_equal(sq_service_code("no such"), 0);
    assert_null(sq_service_name(9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(amounts_shares_days_and_words_become_the_message, begin, end),
        cmocka_unit_test_setup_teardown(each_mistake_is_told_with_its_line, begin, end),
        cmocka_unit_test_setup_teardown(conditions_tiers_and_windows_become_groups_of_the_message, begin, end),
        cmocka_unit_test_setup_teardown(mistakes_in_lists_are_told_with_their_own_line, begin, end),
        cmocka_unit_test(service_codes_and_names_are_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
