/* What programmes count: caps and limits of every scope and period, for whom, and what moves them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "tests/support/limits.h"

static void caps_of_claim_year_and_life_are_exact(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.cap_claim_fen = 250 * YUAN;
    p.cap_year_fen = 400 * YUAN;
    p.cap_total_fen = 600 * YUAN;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 250 * YUAN + 1), SQ_R_CAP_CLAIM);
    assert_int_equal(CLAIM(.amount_fen = 250 * YUAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 150 * YUAN + 1), SQ_R_CAP_YEAR); /* 400 - 250 = 150 */
    assert_int_equal(CLAIM(.amount_fen = 150 * YUAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 200 * YUAN + 1, .service_day = 20251231),
                     SQ_R_CAP_TOTAL); /* 600 - 400 = 200 */
    assert_int_equal(CLAIM(.amount_fen = 200 * YUAN, .service_day = 20251231), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service_day = 20251231), SQ_R_CAP_TOTAL);
}

static void a_soft_limit_needs_an_override_and_the_hard_one_stands(void **state)
{
    struct story *s = *state;
    begin_limited(s, SCOPE(HOLDER), FEN, REDEEMED, YEAR, 10 * WAN,
                  20 * WAN); /* Shenzhen: 100 as a rule, 200 hard; here a tenth */
    assert_int_equal(CLAIM(.amount_fen = 10 * WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_LIMIT_SOFT);
    char holder[19], approver[] = "deputy head Wang", reason[] = "base-model maker";
    strcpy(holder, WORLD_HOLDER);
    Sanquan__V1__Override m;
    sanquan__v1__override__init(&m);
    m.issuer = 310000;
    m.programme = 1;
    m.holder = holder;
    m.refusal = SQ_R_LIMIT_SOFT;
    m.limit = 1;
    m.ceiling = 15 * WAN;
    m.until_day = 20260930;
    m.approver = approver;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base),
                     SQ_R_OVERRIDE); /* no reason */
    m.reason = reason;
    m.limit = 2;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base),
                     SQ_R_OVERRIDE); /* no such limit */
    m.limit = 1;
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_LIMIT_SOFT);
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 5 * WAN + 1), SQ_R_LIMIT_SOFT); /* over the ceiling */
    assert_int_equal(CLAIM(.amount_fen = 5 * WAN), SQ_OK);
    m.ceiling = 0;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 5 * WAN + 1), SQ_R_LIMIT);
    assert_int_equal(CLAIM(.amount_fen = 5 * WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 10 * WAN, .service_day = 20251231), SQ_OK); /* another year */
    assert_int_equal(CLAIM(.amount_fen = 1, .service_day = 20251231), SQ_OK);
    s->w->now_ms = sq_day_end_ms(20260930);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, s->voucher, 1000 * WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service_day = 20251231), SQ_R_LIMIT_SOFT);
}

static void what_is_claimed_and_what_is_redeemed_have_limits_of_their_own(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct limits k;
    plain(&p, 1);
    limit(&p, &k, SCOPE(HOLDER), FEN, GRANTED, YEAR, 0,
          200 * WAN); /* Beijing: 200 万 a year, claimed and redeemed each */
    limit(&p, &k, SCOPE(HOLDER), FEN, REDEEMED, YEAR, 0, 200 * WAN);
    assert_int_equal(publish(s, &p), SQ_OK);
    const uint32_t until = 20271231;
    uint64_t voucher[3];
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 200 * WAN + 1, .until_day = until}), SQ_R_LIMIT);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 150 * WAN, .until_day = until}), SQ_OK);
    voucher[0] = s->voucher;
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 50 * WAN + 1, .until_day = until}), SQ_R_LIMIT);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 50 * WAN, .until_day = until}), SQ_OK);
    voucher[1] = s->voucher;
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 1, .until_day = until}), SQ_R_LIMIT);
    s->w->now_ms = sq_day_end_ms(20261231);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 200 * WAN, .until_day = until}),
                     SQ_OK); /* claimed next year */
    voucher[2] = s->voucher;
    for (unsigned i = 0; i < 2; i++) { /* 150 and 50 redeemed for 2026 */
        assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, voucher[i], 1000 * WAN), SQ_OK);
        s->voucher = voucher[i];
        s->spent = 0;
        assert_int_equal(
            CLAIM(.amount_fen = i == 0 ? 150 * WAN : 50 * WAN, .base_fen = 1000 * WAN, .service_day = 20261231), SQ_OK);
    }
    s->voucher = voucher[2];
    s->spent = 0;
    assert_int_equal(CLAIM(.amount_fen = 1, .service_day = 20261231), SQ_R_LIMIT);
    p.version = 2;
    p.until_day = until;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service_day = 20270101), SQ_OK);
}

static void a_grant_of_many_is_taken_back_whole_when_one_does_not_fit(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct limits k;
    plain(&p, 1);
    limit(&p, &k, SCOPE(PROGRAMME), COUNT, GRANTED, YEAR, 0, 3); /* Shandong: so many projects a year */
    assert_int_equal(publish(s, &p), SQ_OK);
    char code[19], *holders[] = {code};
    int64_t face[4] = {1, 2, 3, 4};
    uint32_t holder[4] = {0}, until[4] = {20261231, 20261231, 20261231, 20261231};
    strcpy(code, WORLD_HOLDER);
    Sanquan__V1__Grant m;
    sanquan__v1__grant__init(&m);
    m.issuer = 310000;
    m.programme = 1;
    m.first_serial = 1;
    m.face_fen = face;
    m.holder = holder;
    m.until_day = until;
    m.holders = holders;
    m.n_holders = 1;
    m.n_face_fen = m.n_holder = m.n_until_day = 4;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base), SQ_R_LIMIT);
    struct sq_programme_view v;
    sq_core_programme(s->w->core[SH], 0, &v);
    assert_int_equal(v.granted_fen, 0);
    assert_int_equal(v.voucher_count, 0);
    m.n_face_fen = m.n_holder = m.n_until_day = 3;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base), SQ_OK);
    sq_core_programme(s->w->core[SH], 0, &v);
    assert_int_equal(v.granted_fen, 6);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 1}), SQ_R_LIMIT);
}

static void scopes_and_periods_each_count_for_themselves(void **state)
{
    static const struct {
        uint32_t scope, period;
        struct claims_row other; /* counts for another subject or period than 2026-09-01, service 1, scenario 1 */
    } cases[] = {
        {SCOPE(PROGRAMME), YEAR, {.service = 1, .scenario = 1, .service_day = 20251231}},
        {SCOPE(PROGRAMME), QUARTER, {.service = 1, .scenario = 1, .service_day = 20260630}},
        {SCOPE(PROGRAMME), MONTH, {.service = 1, .scenario = 1, .service_day = 20260831}},
        {SCOPE(SERVICE), 0, {.service = 2, .scenario = 1}},
        {SCOPE(SCENARIO), 0, {.service = 1, .scenario = 2}},
        {SCOPE(SCENARIO), 0, {.service = 1}}, /* without a scenario nothing is counted */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct story *s = *state;
        Sanquan__V1__Programme p;
        struct limits k;
        plain(&p, (uint32_t)i + 1);
        limit(&p, &k, cases[i].scope, FEN, REDEEMED, cases[i].period, 0, 1000);
        begin_programme(s, &p);
        assert_int_equal(CLAIM(.amount_fen = 999, .service = 1, .scenario = 1), SQ_OK);
        assert_int_equal(CLAIM(.amount_fen = 2, .service = 1, .scenario = 1), SQ_R_LIMIT);
        assert_int_equal(CLAIM(.amount_fen = 1, .service = 1, .scenario = 1), SQ_OK);
        assert_int_equal(CLAIM(.amount_fen = 1, .service = 1, .scenario = 1), SQ_R_LIMIT);
        struct claims_row other = cases[i].other;
        other.amount_fen = 1000;
        assert_int_equal(claim(s, other), SQ_OK);
    }
}

static void a_limit_keeps_its_meaning_and_counts_only_days_to_come_when_it_is_new(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct limits k;
    plain(&p, 1);
    begin_programme(s, &p);
    p.version = 2;
    p.from_day = 20260901;
    limit(&p, &k, SCOPE(HOLDER), FEN, REDEEMED, YEAR, 0, 1000);
    assert_int_equal(publish(s, &p), SQ_R_PROGRAMME_TERMS); /* what was redeemed this month is not counted */
    p.from_day = 20260922;
    assert_int_equal(publish(s, &p), SQ_OK);
    p.version = 3;
    k.l[0].hard = 2000;
    assert_int_equal(publish(s, &p), SQ_OK);
    p.version = 4;
    k.l[0].period = 0;
    assert_int_equal(publish(s, &p), SQ_R_PROGRAMME_TERMS);
    k.l[0].number = 2; /* another limit may mean something else */
    assert_int_equal(publish(s, &p), SQ_OK);
}

static void a_voucher_has_sub_limits_by_service(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct limits k;
    struct claims_condition tune;
    Sanquan__V1__Condition *conditions[] = {&tune.c};
    claims_condition(&tune, 1, CLAIM, SQ_ATTR(SERVICE), IN, (int64_t[]){8, 8}, 1);
    plain(&p, 1);
    p.conditions = conditions;
    p.n_conditions = 1;
    limit(&p, &k, SCOPE(VOUCHER), FEN, REDEEMED, 0, 0, 3 * WAN); /* of 10 万, 3 万 for fine-tuning */
    k.l[0].group = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 10 * WAN}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 3 * WAN, .service = 8), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service = 8), SQ_R_LIMIT);
    assert_int_equal(CLAIM(.amount_fen = 7 * WAN, .service = 13), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service = 13), SQ_R_VOUCHER_OVERDRAWN);
    uint64_t first = s->voucher;
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 10 * WAN}), SQ_OK);
    assert_true(s->voucher != first);
    assert_int_equal(CLAIM(.amount_fen = 3 * WAN, .service = 8), SQ_OK); /* another voucher, another count */
}

static void a_group_under_one_control_shares_a_limit(void **state)
{
    struct story *s = *state;
    char name[48], root[19];
    claims_code(root, 310199, 9);
    snprintf(name, sizeof name, "holder:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    begin_limited(s, SCOPE(GROUP), FEN, REDEEMED, 0, 0, 1000); /* Qingyang: no splitting of firm or plant */
    uint64_t first = s->voucher,
             second = claims_grant(s->w, SH, 310000, 1, WORLD_OTHER, &(struct claims_grant){.face_fen = WAN}, NULL);
    assert_int_equal(world_mandate(s->w, SH, WORLD_OTHER, WORLD_PROVIDER, second, WAN), SQ_OK);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, root, WORLD_HOLDER, 1, 20260101, 20260831), SQ_OK);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, root, WORLD_OTHER, 1, 20260101, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 600, .service_day = 20260801), SQ_OK);
    s->voucher = second;
    s->spent = 0;
    assert_int_equal(CLAIM(.amount_fen = 401, .service_day = 20260801), SQ_R_LIMIT);
    assert_int_equal(CLAIM(.amount_fen = 400, .service_day = 20260801), SQ_OK);
    uint64_t invoice = s->invoice;
    s->voucher = first;
    s->spent = 600;
    assert_int_equal(CLAIM(.amount_fen = 1, .service_day = 20260801), SQ_R_LIMIT);
    assert_int_equal(CLAIM(.amount_fen = 1000, .service_day = 20260901),
                     SQ_OK); /* sold on 08-31: it counts for itself */
    assert_int_equal(claims_edge(s->w, SH, ISSUER, root, WORLD_OTHER, 1, 20270101, 0),
                     SQ_OK); /* what was counted is given back where it was */
    s->voucher = second;
    s->spent = 400;
    assert_int_equal(give_back(s, invoice, 400, 100 * WAN, 20260801), SQ_OK);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, root, WORLD_OTHER, 1, 20260101, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 400, .service_day = 20260801), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service_day = 20260801), SQ_R_LIMIT);
}

static void reservations_and_returns_move_limits_by_exactly_what_was_counted(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct limits k;
    plain(&p, 1);
    limit(&p, &k, SCOPE(SERVICE), FEN, REDEEMED, YEAR, 0, 1000);
    limit(&p, &k, SCOPE(HOLDER), COUNT, REDEEMED, 0, 0, 3);
    begin_programme(s, &p);
    struct claims_row hold = {.voucher = s->voucher,
                              .amount_fen = 700,
                              .base_fen = 10000,
                              .service = 5,
                              .verb = SANQUAN__V1__VERB__RESERVE,
                              .reservation = 1};
    assert_int_equal(claims_row(s->w, SH, WORLD_PROVIDER, &hold), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 301, .service = 5), SQ_R_LIMIT);
    assert_int_equal(CLAIM(.amount_fen = 300, .service = 5), SQ_OK);
    uint64_t invoice = s->invoice;
    hold.verb = SANQUAN__V1__VERB__COMMIT;
    hold.invoice = 800;
    hold.amount_fen = 500;
    assert_int_equal(claims_row(s->w, SH, WORLD_PROVIDER, &hold), SQ_OK);
    s->spent += 500;
    assert_int_equal(CLAIM(.amount_fen = 201, .service = 5), SQ_R_LIMIT); /* 1000 - 300 - 500 */
    assert_int_equal(CLAIM(.amount_fen = 200, .service = 5), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service = 6), SQ_R_LIMIT); /* three items */
    assert_int_equal(give_back(s, invoice, 100, 100, 20260901), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .service = 5), SQ_R_LIMIT); /* some of the item is still there */
    assert_int_equal(give_back(s, invoice, 200, 0, 20251231), SQ_OK);   /* whatever day the return names */
    assert_int_equal(give_back(s, invoice, 1, 0, 20260901), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(CLAIM(.amount_fen = 301, .service = 5), SQ_R_LIMIT);
    assert_int_equal(CLAIM(.amount_fen = 300, .service = 5), SQ_OK);
}

static void a_batch_fits_singly_but_not_together(void **state)
{
    struct story *s = *state;
    begin_limited(s, SCOPE(PROGRAMME), FEN, REDEEMED, 0, 0, 1000);
    struct claims_row rows[4];
    uint8_t code[4];
    for (unsigned i = 0; i < 4; i++)
        rows[i] = (struct claims_row){.voucher = s->voucher, .amount_fen = 400, .base_fen = 10000, .invoice = 700 + i};
    rows[3].amount_fen = 200;
    assert_int_equal(claims_batch(s->w, SH, WORLD_PROVIDER, rows, 4, code), SQ_OK);
    const uint8_t expected[4] = {0, 0, SQ_R_LIMIT, 0};
    assert_memory_equal(code, expected, 4);
    assert_int_equal(spent(s), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(caps_of_claim_year_and_life_are_exact),
        STORY(a_soft_limit_needs_an_override_and_the_hard_one_stands),
        STORY(what_is_claimed_and_what_is_redeemed_have_limits_of_their_own),
        STORY(a_grant_of_many_is_taken_back_whole_when_one_does_not_fit),
        STORY(scopes_and_periods_each_count_for_themselves),
        STORY(a_limit_keeps_its_meaning_and_counts_only_days_to_come_when_it_is_new),
        STORY(a_voucher_has_sub_limits_by_service),
        STORY(a_group_under_one_control_shares_a_limit),
        STORY(reservations_and_returns_move_limits_by_exactly_what_was_counted),
        STORY(a_batch_fits_singly_but_not_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
