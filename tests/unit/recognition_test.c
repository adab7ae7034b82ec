/*
 * Agreements between regions: when one is in force, what it lets through, and who bears which part.
 *
 * The vouchers are Shanghai's (node 0), the provider is at Shandong's node (1) and registered in Guangdong.
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
#include "tests/support/random.h"

static void mandate(struct story *s)
{
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, 1000000 * WAN), SQ_OK);
}

static void at(struct story *s, uint64_t ms)
{
    s->w->now_ms = ms;
    mandate(s); /* they last for a day */
}

/* The programme, a voucher under it, and a mandate for the provider at Shandong's node. */
static void begin_abroad(struct story *s, Sanquan__V1__Programme *p)
{
    char name[48];
    begin_programme(s, p);
    world_run(s->w);
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, SD, name), SQ_OK);
    world_run(s->w);
    mandate(s);
}

/* What Shanghai owes Shandong (kind 1); both nodes have the same link, sums of agreements included. */
static int64_t owed(struct story *s)
{
    struct sq_link_view here, there;
    struct sq_recognition_view a, b;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SH, SD, &here);
    sq_settlement_link(sq_core_settlement(s->w->core[SD]), SH, SD, &there);
    assert_memory_equal(&here.last, &there.last, sizeof here.last);
    for (uint32_t i = 0; i < sq_core_recognition_count(s->w->core[SH]); i++) {
        sq_core_recognition(s->w->core[SH], i, &a);
        for (uint32_t k = 0; k < sq_core_recognition_count(s->w->core[SD]); k++) {
            sq_core_recognition(s->w->core[SD], k, &b);
            if (a.version == b.version)
                assert_memory_equal(&a.side[0], &b.side[1], sizeof a.side[0]);
        }
    }
    return here.last.total_fen[0];
}

/* One row of the provider at Shandong; sees to it that money moved exactly when it was accepted. */
static unsigned abroad(struct story *s, struct claims_row row)
{
    uint8_t code = 255;
    row.voucher = s->voucher;
    row.invoice = row.verb == SANQUAN__V1__VERB__RESERVE ? 0 : row.invoice != 0 ? row.invoice : ++s->invoice;
    row.base_fen = row.base_fen != 0 ? row.base_fen : 100 * WAN;
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, &code), SQ_OK);
    world_run(s->w);
    if (s->w->answer.code_count != 0)
        code = s->w->answer.code[0];
    else
        code = SQ_OK;
    if (code == SQ_OK && row.verb != SANQUAN__V1__VERB__RESERVE && row.verb != SANQUAN__V1__VERB__RELEASE)
        s->spent += row.verb == SANQUAN__V1__VERB__RETURN ? -row.amount_fen : row.amount_fen;
    assert_int_equal(spent(s), s->spent);
    (void)owed(s);
    return code;
}

#define ABROAD(...) abroad(s, (struct claims_row){__VA_ARGS__})

/* Only under an agreement does the programme pay providers of other regions. */
static void begin_recognised(struct story *s, uint32_t rate_bp)
{
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.rate_bp = rate_bp;
    p.recognition = 1;
    begin_abroad(s, &p);
}

/* Of the newest item, so much comes back, and its base stays claimed. */
static unsigned give_back(struct story *s, int64_t fen)
{
    return ABROAD(.amount_fen = fen, .base_fen = 0, .total_fen = 100 * WAN, .invoice = s->invoice,
                  .verb = SANQUAN__V1__VERB__RETURN);
}

static void it_is_in_force_when_both_have_said_the_same_and_not_before(void **state)
{
    struct story *s = *state;
    struct terms t;
    struct sq_recognition_view v;
    begin_recognised(s, 10000);
    assert_int_equal(CLAIM(.amount_fen = 10), SQ_OK); /* at home nobody asks for one */
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT);
    terms(&t, 1);
    assert_int_equal(say(s, SH, &t), SQ_OK);
    world_run(s->w);
    sq_core_recognition(s->w->core[SD], 0, &v);
    assert_true(v.other == SH && v.version == 1 && !v.said_here && !v.in_force && v.state == SQ_RECOGNITION_SAID_THERE);
    sq_core_recognition(s->w->core[SH], 0, &v);
    assert_true(v.state == SQ_RECOGNITION_SAID_HERE);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT);
    t.m.rate_ceiling_bp = 1; /* something else */
    assert_int_equal(say(s, SD, &t), SQ_OK);
    world_run(s->w);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT);
    terms(&t, 1);
    assert_int_equal(say(s, SD, &t), SQ_R_AGREEMENT); /* what was said stays said */
    sq_core_recognition(s->w->core[SH], 0, &v);
    assert_true(v.state == SQ_RECOGNITION_DIFFERS);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT);
    terms(&t, 2);
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_OK);
    sq_core_recognition(s->w->core[SH], 1, &v);
    assert_true(v.other == SD && v.version == 2 && v.said_here && v.in_force && v.side[0].gross_fen == 10 &&
                v.state == SQ_RECOGNITION_APPLIES);
}

static void statements_that_cross_on_the_way_are_in_force_at_both_ends(void **state)
{
    struct story *s = *state;
    struct terms t;
    begin_recognised(s, 10000);
    terms(&t, 1);
    assert_int_equal(say(s, SH, &t), SQ_OK);
    assert_int_equal(say(s, SD, &t), SQ_OK);
    world_run(s->w);
    for (uint32_t n = 0; n < 2; n++) {
        struct sq_recognition_view v;
        assert_int_equal(sq_core_recognition_count(s->w->core[n]), 1);
        sq_core_recognition(s->w->core[n], 0, &v);
        assert_true(v.in_force);
    }
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_OK);
}

static void terms_out_of_range_are_refused(void **state)
{
    struct story *s = *state;
    struct terms t;
    for (int wrong = 0; wrong < 14; wrong++) {
        static char unknown[] = "999999", here[] = "310000";
        terms(&t, wrong == 0 ? 2 : 1);
        t.side[0].borne_bp = wrong == 1 ? 10001 : 0;
        t.side[1].exposure_fen = wrong == 2 ? -1 : 0;
        t.side[1].node = wrong == 3 ? unknown : wrong == 4 ? here : t.side[1].node;
        t.m.n_sides = wrong == 5 ? 1 : 2;
        t.m.n_kinds = wrong == 6 ? 0 : wrong == 7 ? 2 : 1;
        t.kinds[1] = 1; /* not ascending */
        t.kinds[0] = wrong == 8 ? SQ_KIND_COUNT + 1 : 1;
        t.m.rate_ceiling_bp = wrong == 9 ? 10001 : 0;
        t.m.until_day = wrong == 10 ? 20251231 : 20261231;
        t.m.from_day = wrong == 11 ? 20260230 : t.m.from_day;
        t.side[0].n_relaxed = wrong == 12 ? 1 : wrong == 13 ? 2 : 0;
        t.relaxed[0][0] = wrong == 12 ? SQ_ATTR(HARDWARE) : SQ_ATTR(CHANNEL);
        t.relaxed[0][1] = SQ_ATTR(REGION);
        assert_int_equal(say(s, SH, &t), wrong == 3 ? SQ_R_UNKNOWN_NODE : SQ_R_AGREEMENT);
        assert_int_equal(sq_core_recognition_count(s->w->core[SH]), 0);
    }
    terms(&t, 1);
    assert_int_equal(say(s, SH, &t), SQ_OK);
}

static void two_people_say_it_with_the_same_values(void **state)
{
    struct story *s = *state;
    struct terms t;
    struct sq_recognition_view v;
    terms(&t, 1);
    assert_int_equal(say_as(s, SH, "li", 2, &t), SQ_R_NOT_ENTERED);
    assert_int_equal(say_as(s, SH, "li", 3, &t), SQ_R_AGREEMENT);
    assert_int_equal(sq_core_recognition_count(s->w->core[SH]), 0); /* nothing is kept of what was refused */
    assert_int_equal(say_as(s, SH, "li", 1, &t), SQ_OK);
    assert_int_equal(say_as(s, SH, "li", 2, &t), SQ_R_SAME_PERSON);
    t.m.rate_ceiling_bp = 1;
    assert_int_equal(say_as(s, SH, "zhang", 2, &t), SQ_R_NOT_ENTERED);
    sq_core_recognition(s->w->core[SH], 0, &v);
    assert_true(v.waiting_for_checker && !v.said_here && v.state == SQ_RECOGNITION_ENTERED);
    world_run(s->w);
    assert_int_equal(sq_core_recognition_count(s->w->core[SD]), 0); /* nobody was told */
    assert_int_equal(say_as(s, SH, "zhang", 1, &t), SQ_OK);         /* entered anew */
    assert_int_equal(say_as(s, SH, "li", 2, &t), SQ_OK);
    sq_core_recognition(s->w->core[SH], 0, &v);
    assert_true(!v.waiting_for_checker && v.said_here && v.rate_ceiling_bp == 1);
    world_run(s->w);
    sq_core_recognition(s->w->core[SD], 0, &v);
    assert_true(v.said_there && v.rate_ceiling_bp == 1);
}

static enum sq_recognition_state state_of_version(struct story *s, uint32_t version)
{
    struct sq_recognition_view v = {0};
    for (uint32_t i = 0; v.version != version; i++)
        sq_core_recognition(s->w->core[SH], i, &v);
    return v.state;
}

static void it_holds_for_its_kinds_and_days_and_the_next_one_replaces_it(void **state)
{
    struct story *s = *state;
    struct terms t;
    begin_recognised(s, 10000);
    terms(&t, 1);
    t.kinds[0] = 2;
    t.kinds[1] = 3;
    t.m.n_kinds = 2;
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT); /* of other kinds */
    terms(&t, 2);
    t.m.from_day = 20260922;
    t.m.until_day = 20260923;
    agree(s, &t);
    at(s, sq_day_end_ms(20260921) - 1);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT);
    assert_int_equal(state_of_version(s, 1), SQ_RECOGNITION_APPLIES);
    assert_int_equal(state_of_version(s, 2), SQ_RECOGNITION_TO_COME);
    at(s, sq_day_end_ms(20260921));
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_OK);
    at(s, sq_day_end_ms(20260923) - 1);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_OK);
    at(s, sq_day_end_ms(20260923));
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT);
    assert_int_equal(state_of_version(s, 1), SQ_RECOGNITION_REPLACED);
    assert_int_equal(state_of_version(s, 2), SQ_RECOGNITION_OVER);
    terms(&t, 3);
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_OK);
    terms(&t, 4); /* the end of it */
    t.m.from_day = t.m.until_day = 20260924;
    agree(s, &t);
    at(s, sq_day_end_ms(20260924));
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_NO_AGREEMENT);
}

static void its_rate_holds_beside_the_programmes(void **state)
{
    struct story *s = *state;
    struct terms t;
    begin_recognised(s, 5000);
    terms(&t, 1);
    t.m.rate_ceiling_bp = 3333;
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 334, .base_fen = 1001), SQ_R_AGREEMENT_RATE); /* 33.33 % of 1001 is 333.6 */
    assert_int_equal(ABROAD(.amount_fen = 333, .base_fen = 1001), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 500, .base_fen = 1001), SQ_OK);
}

static void what_one_region_may_owe_is_net_and_holds_reservations_too(void **state)
{
    struct story *s = *state;
    struct terms t;
    begin_recognised(s, 10000);
    terms(&t, 1);
    t.side[0].exposure_fen = 1000;
    t.side[1].exposure_fen = 1; /* of Shandong's vouchers */
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 600), SQ_OK);
    assert_int_equal(ABROAD(.amount_fen = 401), SQ_R_AGREEMENT_EXPOSURE);
    assert_int_equal(ABROAD(.amount_fen = 300, .verb = SANQUAN__V1__VERB__RESERVE, .reservation = 1), SQ_OK);
    assert_int_equal(ABROAD(.amount_fen = 101), SQ_R_AGREEMENT_EXPOSURE);
    assert_int_equal(ABROAD(.amount_fen = 100), SQ_OK);
    assert_int_equal(ABROAD(.amount_fen = 300, .verb = SANQUAN__V1__VERB__RELEASE, .reservation = 1), SQ_OK);
    assert_int_equal(ABROAD(.amount_fen = 301), SQ_R_AGREEMENT_EXPOSURE);
    assert_int_equal(ABROAD(.amount_fen = 300), SQ_OK);
    struct claims_row two[2] = {{.voucher = s->voucher, .amount_fen = 1, .base_fen = 1, .invoice = 801},
                                {.voucher = s->voucher, .amount_fen = 1, .base_fen = 1, .invoice = 802}};
    assert_int_equal(give_back(s, 1), SQ_OK);
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, two, 2, NULL), SQ_OK); /* each fits, both do not */
    world_run(s->w);
    assert_true(s->w->answer.count == 1 && s->w->answer.amount_fen == 1);
    s->spent++;
    assert_true(owed(s) == 1000);
    assert_int_equal(CLAIM(.amount_fen = 5000), SQ_OK);
}

static void location_rules_are_relaxed_for_the_others_providers_only(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct claims_condition k[3];
    Sanquan__V1__Condition *conditions[] = {&k[0].c, &k[1].c, &k[2].c};
    struct terms t;
    uint32_t regions[] = {310000};
    plain(&p, 1); /* providers of Shanghai's node, registered in Shanghai, on list 1001, orders through channel 5 */
    claims_condition(&k[0], 0, PROVIDER, SQ_ATTR(REGION), IN, (int64_t[]){310000, 319999}, 1);
    claims_condition(&k[1], 0, PROVIDER, 1001, IN, (int64_t[]){1, 1}, 1);
    claims_condition(&k[2], 0, CLAIM, SQ_ATTR(CHANNEL), IN, (int64_t[]){5, 5}, 1);
    p.conditions = conditions;
    p.n_conditions = 3;
    p.provider_regions = regions;
    p.n_provider_regions = 1;
    begin_abroad(s, &p);
    static const struct {
        uint32_t n, relaxed[3];
        unsigned code;
    } step[] = {{0, {0, 0, 0}, SQ_R_PROVIDER_REGION},
                {2, {SQ_ATTR(REGION), SQ_ATTR(CHANNEL), 0}, SQ_R_PROVIDER_LIST},
                {2, {SQ_ATTR(REGION), SQ_ATTR_LISTS, 0}, SQ_R_CHANNEL},
                {3, {SQ_ATTR(REGION), SQ_ATTR(CHANNEL), SQ_ATTR_LISTS}, SQ_OK}};
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_PROVIDER_REGION);
    for (uint32_t i = 0; i < 4; i++) {
        terms(&t, i + 1);
        t.side[0].n_relaxed = step[i].n;
        memcpy(t.relaxed[0], step[i].relaxed, sizeof step[i].relaxed);
        agree(s, &t);
        assert_int_equal(ABROAD(.amount_fen = 10), step[i].code);
        assert_int_equal(CLAIM(.amount_fen = 10), SQ_R_PROVIDER_LIST); /* Shanghai's own provider is asked as before */
    }
    terms(&t, 5); /* what Shandong asks of Shanghai's providers does not matter here */
    t.side[1].n_relaxed = 3;
    memcpy(t.relaxed[1], step[3].relaxed, sizeof step[3].relaxed);
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 10), SQ_R_PROVIDER_REGION);
}

static void shares_add_up_to_the_fen_however_claims_are_cut(void **state)
{
    struct story *s = *state;
    struct terms t;
    struct dice dice = {26};
    struct sq_recognition_view v;
    begin_recognised(s, 10000);
    terms(&t, 1);
    t.side[0].borne_bp = 3333;
    t.side[1].borne_bp = 9999; /* of Shandong's vouchers */
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 2), SQ_OK); /* 0.67 fen: nothing */
    assert_true(owed(s) == 2);
    assert_int_equal(ABROAD(.amount_fen = 2), SQ_OK); /* 1.33 of 4 */
    assert_true(owed(s) == 3);
    int64_t gross = 4;
    for (int i = 0; i < 200; i++) {
        int64_t amount = 1 + (int64_t)dice_below(&dice, 97);
        int back = i % 3 == 2;
        if (back) {
            amount = 1;
            assert_int_equal(give_back(s, 1), SQ_OK);
        } else {
            assert_int_equal(ABROAD(.amount_fen = amount), SQ_OK);
        }
        gross += back ? -amount : amount;
        assert_true(owed(s) == gross - gross * 3333 / 10000);
    }
    sq_core_recognition(s->w->core[SD], 0, &v);
    assert_true(v.side[1].gross_fen == gross && v.side[1].borne_fen == gross * 3333 / 10000 &&
                v.side[0].gross_fen == 0);
    assert_true(v.side[1].borne_bp == 3333 && v.side[0].borne_bp == 9999);
}

static void what_is_returned_under_a_later_version_is_shared_by_the_later_one(void **state)
{
    struct story *s = *state;
    struct terms t;
    begin_recognised(s, 10000);
    terms(&t, 1);
    t.side[0].borne_bp = 2000;
    agree(s, &t);
    assert_int_equal(ABROAD(.amount_fen = 1001), SQ_OK);
    assert_true(owed(s) == 801); /* less floor(200.2) */
    terms(&t, 2);
    t.side[0].borne_bp = 5000;
    agree(s, &t);
    assert_int_equal(give_back(s, 101), SQ_OK);
    assert_true(owed(s) == 801 - 50); /* of -101 it bears floor(-50.5) = -51, so -50 are Shanghai's */
    assert_int_equal(ABROAD(.amount_fen = 101), SQ_OK);
    assert_true(owed(s) == 801); /* the sum is nothing again, and so is the share */
}

static void a_debtor_that_takes_off_too_much_is_not_believed(void **state)
{
    struct story *s = *state;
    struct terms t;
    begin_recognised(s, 10000);
    terms(&t, 1);
    t.side[0].borne_bp = 2000;
    agree(s, &t);
    struct claims_row row = {.voucher = s->voucher, .amount_fen = 1000, .base_fen = 1000, .invoice = 700};
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, NULL), SQ_OK);
    while (s->w->first[SH][SD] == NULL || s->w->first[SH][SD]->type != SANQUAN__V1__MESSAGE_TYPE__DECIDED)
        assert_true(world_deliver(s->w, SD, SH) || world_deliver(s->w, SH, SD));
    struct world_message *m = s->w->first[SH][SD];
    Sanquan__V1__Decided *decided = sanquan__v1__decided__unpack(NULL, m->size, m->body);
    assert_true(decided != NULL && decided->link->borne_fen[0] == 200 && decided->link->total_fen[0] == 800);
    decided->link->borne_fen[0] = 201;
    decided->link->total_fen[0] = 799;
    free(m->body);
    m->size = sanquan__v1__decided__get_packed_size(decided);
    m->body = malloc(m->size);
    sanquan__v1__decided__pack(decided, m->body);
    sanquan__v1__decided__free_unpacked(decided, NULL);
    assert_true(world_deliver(s->w, SH, SD));
    assert_int_equal(s->w->peer_status, SQ_R_LINK_BROKEN);
    struct sq_link_view there;
    struct sq_recognition_view v;
    sq_settlement_link(sq_core_settlement(s->w->core[SD]), SH, SD, &there);
    sq_core_recognition(s->w->core[SD], 0, &v);
    assert_true(there.last.number == 0 && v.side[1].gross_fen == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(it_is_in_force_when_both_have_said_the_same_and_not_before),
        STORY(statements_that_cross_on_the_way_are_in_force_at_both_ends),
        STORY(terms_out_of_range_are_refused),
        STORY(two_people_say_it_with_the_same_values),
        STORY(it_holds_for_its_kinds_and_days_and_the_next_one_replaces_it),
        STORY(its_rate_holds_beside_the_programmes),
        STORY(what_one_region_may_owe_is_net_and_holds_reservations_too),
        STORY(location_rules_are_relaxed_for_the_others_providers_only),
        STORY(shares_add_up_to_the_fen_however_claims_are_cut),
        STORY(what_is_returned_under_a_later_version_is_shared_by_the_later_one),
        STORY(a_debtor_that_takes_off_too_much_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
