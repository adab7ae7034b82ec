/*
 * What programmes ask of the parties themselves: where they are, what they are, who they belong to, and what they have done.
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

#define TODAY 20260921u

/* A programme with one condition. */
static void with_condition(Sanquan__V1__Programme *p, uint32_t number, struct claims_condition *k,
                           Sanquan__V1__Condition *list[1])
{
    plain(p, number);
    list[0] = &k->c;
    p->conditions = list;
    p->n_conditions = 1;
}

static unsigned state(struct story *s, const char *org, uint32_t attribute, int64_t value, uint32_t from,
                      uint32_t until)
{
    return claims_state(s->w, SH, ISSUER, 310000, org, attribute, value, from, until);
}

static void a_holder_is_registered_in_the_region(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    struct claims_condition k;
    Sanquan__V1__Condition *list[1];
    claims_condition(&k, 0, HOLDER, SQ_ATTR(REGION), IN, (int64_t[]){370100, 370198}, 1);
    with_condition(&p, 1, &k, list);
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN}),
                     SQ_R_HOLDER_REGION); /* the holder's code says 370199 */
    k.high[0] = 370199;
    p.version = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
    /* It moves away: what is stated counts before the code, from the day on which it is so. */
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(REGION), 310115, 20260901, 0), SQ_OK);
    assert_int_equal(CLAIM(.service_day = 20260901), SQ_R_HOLDER_REGION);
    assert_int_equal(CLAIM(.service_day = 20260831), SQ_OK);
}

static void tax_domicile_and_zone_are_asked_by_themselves(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    struct claims_condition tax, zone;
    Sanquan__V1__Condition *list[] = {&tax.c, &zone.c};
    claims_condition(&tax, 0, HOLDER, SQ_ATTR(TAX_REGION), IN, (int64_t[]){310115, 310115}, 1); /* Pudong */
    claims_condition(&zone, 0, HOLDER, SQ_ATTR(ZONE), IN, (int64_t[]){7, 7}, 1);                /* a town in it */
    plain(&p, 1);
    p.conditions = list;
    p.n_conditions = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    const struct claims_grant g = {.face_fen = WAN};
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_REGION);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(TAX_REGION), 310115, 20260101, 0), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_REGION);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(ZONE), 6, 20260101, 0), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_REGION);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(ZONE), 7, 20260101, 0), SQ_OK); /* in two at once */
    assert_int_equal(grant(s, 1, &g), SQ_OK);
}

static void sector_entity_and_size_are_facts_with_days(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    struct claims_condition sector, entity;
    Sanquan__V1__Condition *list[] = {&sector.c, &entity.c};
    claims_condition(&sector, 0, HOLDER, SQ_ATTR(SECTOR), IN, (int64_t[]){1300, 4399, 6500, 6599},
                     2);                                                                   /* manufacturing, software */
    claims_condition(&entity, 0, HOLDER, SQ_ATTR(ENTITY), IN, (int64_t[]){1, 1, 5, 5}, 2); /* Langfang: makers, too */
    plain(&p, 1);
    p.conditions = list;
    p.n_conditions = 2;
    assert_int_equal(publish(s, &p), SQ_OK);
    const struct claims_grant g = {.face_fen = WAN};
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_SECTOR);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(SECTOR), 6499, 20250101, 0), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_SECTOR);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(SECTOR), 6500, 20260901, 0),
                     SQ_OK); /* ends the other on the day before */
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(ENTITY), 2, 20250101, 0), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_CONDITION);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(ENTITY), 5, 20250101, 0), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_OK);
    assert_int_equal(CLAIM(.service_day = 20260831), SQ_R_HOLDER_SECTOR);
    assert_int_equal(CLAIM(.service_day = 20260901), SQ_OK);
}

static void an_issuers_own_statement_hides_the_nodes_and_is_not_seen_by_others(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    struct claims_condition k;
    Sanquan__V1__Condition *list[1];
    claims_condition(&k, 0, HOLDER, SQ_ATTR(SIZE), IN, (int64_t[]){1, 2}, 1);
    with_condition(&p, 1, &k, list);
    assert_int_equal(publish(s, &p), SQ_OK);
    const struct claims_grant g = {.face_fen = WAN};
    assert_int_equal(claims_state(s->w, SH, OPERATOR, 0, WORLD_HOLDER, SQ_ATTR(SIZE), 2, 20260101, 0), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_OK);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(SIZE), 3, 20260101, 0), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_CONDITION);
    assert_int_equal(claims_state(s->w, SH, ISSUER, 440300, WORLD_HOLDER, SQ_ATTR(SIZE), 1, 20260101, 0),
                     SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(claims_state(s->w, SH, ISSUER, 0, WORLD_HOLDER, SQ_ATTR(SIZE), 1, 20260101, 0),
                     SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(claims_state(s->w, SH, OPERATOR, 310000, WORLD_HOLDER, SQ_ATTR(SIZE), 1, 20260101, 0),
                     SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(SIZE), 1, 20260201, 20260131), SQ_R_FACT);
    assert_int_equal(state(s, WORLD_HOLDER, SQ_ATTR(SERVICE), 1, 20260101, 0), SQ_R_FACT);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_CONDITION); /* none of the refused statements counts */
}

static void a_provider_is_on_a_list_and_large_enough(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    struct claims_condition member, pflops;
    Sanquan__V1__Condition *list[] = {&member.c, &pflops.c};
    claims_condition(&member, 0, PROVIDER, 1001, IN, (int64_t[]){1, 1}, 1);
    claims_condition(&pflops, 0, PROVIDER, SQ_ATTR(PFLOPS), IN, (int64_t[]){100, INT64_MAX},
                     1); /* Henan: 100 PFLOPS or more */
    plain(&p, 1);
    p.conditions = list;
    p.n_conditions = 2;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_PROVIDER_LIST);
    assert_int_equal(state(s, WORLD_PROVIDER, 1001, 1, 20260801, 20260901), SQ_OK);
    assert_int_equal(state(s, WORLD_PROVIDER, SQ_ATTR(PFLOPS), 99, 20260101, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_PROVIDER_CONDITION);
    assert_int_equal(state(s, WORLD_PROVIDER, SQ_ATTR(PFLOPS), 100, 20260101, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
    assert_int_equal(CLAIM(.service_day = 20260902), SQ_R_PROVIDER_LIST);
    assert_int_equal(CLAIM(.service_day = 20260731), SQ_R_PROVIDER_LIST);
}

static void a_provider_is_registered_in_the_region_and_its_node_is_honoured(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    struct claims_condition k;
    Sanquan__V1__Condition *list[1];
    uint32_t other[1] = {370000}, own[1] = {310000};
    claims_condition(&k, 0, PROVIDER, SQ_ATTR(REGION), IN, (int64_t[]){310000, 319999}, 1);
    with_condition(&p, 1, &k, list);
    p.n_provider_regions = 1;
    p.provider_regions = own;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
    assert_int_equal(state(s, WORLD_PROVIDER, SQ_ATTR(REGION), 320500, 20260101, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_PROVIDER_REGION);
    plain(&p, 2);
    p.n_provider_regions = 1;
    p.provider_regions = other;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_PROVIDER_REGION);
}

static void an_organisation_does_not_sell_to_itself(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    char name[48];
    plain(&p, 1);
    begin_programme(s, &p);
    snprintf(name, sizeof name, "provider:%s", WORLD_HOLDER);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_HOLDER, s->voucher, WAN), SQ_OK);
    struct claims_row row = {.voucher = s->voucher, .amount_fen = 1, .base_fen = 100, .invoice = 900};
    assert_int_equal(claims_row(s->w, SH, WORLD_HOLDER, &row), SQ_R_SELF_USE);
    assert_int_equal(spent(s), 0);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
}

/* holder <- A -> B <- C -> provider, an edge at a time */
static void related_parties_are_found_over_as_many_edges_as_the_programme_says(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    char a[19], b[19], c[19];
    claims_code(a, 310199, 1);
    claims_code(b, 310199, 2);
    claims_code(c, 310199, 3);
    plain(&p, 1);
    p.related_hops = 3;
    begin_programme(s, &p);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, a, WORLD_HOLDER, 1, 20260101, 0), SQ_OK);
    assert_int_equal(claims_edge(s->w, SH, OPERATOR, a, b, 1, 20260101, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, c, b, 2, 20260101, 0), SQ_OK);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, c, WORLD_PROVIDER, 1, 20260101, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK); /* four edges */
    p.version = 2;
    p.related_hops = 4;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_RELATED_PARTY);
    assert_int_equal(CLAIM(.service_day = 20251231), SQ_OK);                             /* before they were */
    assert_int_equal(claims_edge(s->w, SH, ISSUER, a, b, 1, 20260101, 20260831), SQ_OK); /* sold */
    assert_int_equal(CLAIM(.service_day = 20260901), SQ_OK);
    assert_int_equal(CLAIM(.service_day = 20260831), SQ_R_RELATED_PARTY);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, WORLD_PROVIDER, WORLD_HOLDER, 2, 20260901, 20260901), SQ_OK);
    assert_int_equal(CLAIM(.service_day = 20260901), SQ_R_RELATED_PARTY);
    assert_int_equal(CLAIM(.service_day = 20260902), SQ_OK);
    assert_int_equal(claims_edge(s->w, SH, ISSUER, a, a, 1, 20260101, 0), SQ_R_ORDER);
}

static void a_sanction_stops_grants_or_everything_while_it_is_in_force(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    begin_programme(s, &p);
    const struct claims_grant g = {.face_fen = WAN};
    assert_int_equal(claims_sanction(s->w, SH, OPERATOR, WORLD_HOLDER, 1, 1, TODAY, TODAY), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_SANCTIONED);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK); /* effect 1 leaves what was granted */
    assert_int_equal(claims_sanction(s->w, SH, OPERATOR, WORLD_HOLDER, 1, 2, TODAY, TODAY), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_HOLDER_SANCTIONED);
    s->w->now_ms = sq_day_end_ms(TODAY);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, s->voucher, WAN), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_OK);
    assert_int_equal(claims_sanction(s->w, SH, ISSUER, WORLD_PROVIDER, 4, 2, TODAY + 1, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_PROVIDER_SANCTIONED);
    assert_int_equal(claims_sanction(s->w, SH, ISSUER, WORLD_PROVIDER, 4, 1, TODAY + 1, 0),
                     SQ_OK); /* the same again replaces it */
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
}

static void a_programme_looks_back_at_sanctions_of_the_causes_it_names(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    uint32_t causes[1] = {1};
    plain(&p, 1);
    p.sanction_months = 36; /* Beijing: three years, from 2023-09-21 on */
    p.sanction_causes = causes;
    p.n_sanction_causes = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    const struct claims_grant g = {.face_fen = WAN};
    assert_int_equal(claims_sanction(s->w, SH, OPERATOR, WORLD_HOLDER, 3, 1, 20230101, 20260101), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_OK); /* another cause */
    assert_int_equal(claims_sanction(s->w, SH, OPERATOR, WORLD_HOLDER, 1, 1, 20230101, 20230921), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_R_HOLDER_SANCTIONED);
    assert_int_equal(claims_sanction(s->w, SH, OPERATOR, WORLD_HOLDER, 1, 1, 20230101, 20230920), SQ_OK);
    assert_int_equal(grant(s, 1, &g), SQ_OK);
}

static void a_sanction_is_known_at_every_node_and_only_from_who_may_say_so(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    begin_programme(s, &p);
    assert_int_equal(claims_sanction(s->w, 1, "operator:370000/li", WORLD_HOLDER, 2, 2, TODAY, 0), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK); /* it has not arrived yet */
    world_run(s->w);
    assert_int_equal(s->w->peer_status, SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_HOLDER_SANCTIONED);
    assert_int_equal(claims_sanction(s->w, SH, "operator:370000/li", WORLD_HOLDER, 2, 2, TODAY, TODAY),
                     SQ_R_NOT_PERMITTED);
    assert_int_equal(claims_sanction(s->w, SH, OPERATOR, "12370199TXXXXX1320", 2, 2, TODAY, 0), SQ_R_BAD_USCC);
    assert_int_equal(claims_sanction(s->w, SH, OPERATOR, WORLD_HOLDER, 33, 2, TODAY, 0), SQ_R_FACT);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_HOLDER_SANCTIONED);
}

static void a_voucher_stays_with_its_holder(void **test_state)
{
    struct story *s = *test_state;
    Sanquan__V1__Programme p;
    char name[48];
    plain(&p, 1);
    begin_programme(s, &p);
    snprintf(name, sizeof name, "holder:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_OTHER, WORLD_PROVIDER, s->voucher, WAN), SQ_R_NOT_YOUR_VOUCHER);
    struct sq_voucher_view v;
    assert_int_equal(sq_core_voucher(s->w->core[SH], s->voucher, &v), SQ_OK);
    assert_string_equal(v.holder, "holder:12370199TXXXXX132Y");
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(a_holder_is_registered_in_the_region),
        STORY(tax_domicile_and_zone_are_asked_by_themselves),
        STORY(sector_entity_and_size_are_facts_with_days),
        STORY(an_issuers_own_statement_hides_the_nodes_and_is_not_seen_by_others),
        STORY(a_provider_is_on_a_list_and_large_enough),
        STORY(a_provider_is_registered_in_the_region_and_its_node_is_honoured),
        STORY(an_organisation_does_not_sell_to_itself),
        STORY(related_parties_are_found_over_as_many_edges_as_the_programme_says),
        STORY(a_sanction_stops_grants_or_everything_while_it_is_in_force),
        STORY(a_programme_looks_back_at_sanctions_of_the_causes_it_names),
        STORY(a_sanction_is_known_at_every_node_and_only_from_who_may_say_so),
        STORY(a_voucher_stays_with_its_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
