/* What programmes count beside limits: contracts, quotas, pools, deliveries, other programmes; and what an office lifts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "tests/support/limits.h"

static void a_contract_has_one_voucher_within_programme_issuer_or_node(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    for (uint32_t number = 1; number <= 3; number++) {
        plain(&p, number);
        p.unique_contract = number; /* 1 this programme, 2 the issuer's, 3 the node's */
        assert_int_equal(publish(s, &p), SQ_OK);
    }
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN}), SQ_R_CONTRACT_TERMS); /* which one? */
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .contract = 1}), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .contract = 1}), SQ_R_CONTRACT_TAKEN);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = WAN, .contract = 1}), SQ_R_CONTRACT_TAKEN);
    assert_int_equal(grant(s, 3, &(struct claims_grant){.face_fen = WAN, .contract = 1}), SQ_R_CONTRACT_TAKEN);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = WAN, .contract = 2}), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .contract = 2}),
                     SQ_OK); /* 1 asks about itself only */
    Sanquan__V1__Revoke m;
    sanquan__v1__revoke__init(&m);
    m.n_voucher = 1;
    m.voucher = &s->voucher;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__REVOKE, &m.base), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .contract = 2}), SQ_OK); /* revoked unused */
}

static void bases_stay_within_the_contract_and_quantities_within_the_quota(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct limits k;
    plain(&p, 1);
    p.base_kind = 1;
    p.unit = 1;
    p.unit_price_fen = 120; /* 1.20 yuan for 60 minutes of a card */
    p.unit_size = 60;
    limit(&p, &k, SCOPE(CONTRACT), FEN, REDEEMED, 0, 0, 2000);
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(
        grant(s, 1, &(struct claims_grant){.face_fen = 3000, .contract_fen = 10000, .contract = 1, .quota = 4500}),
        SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 10, .base_fen = 5001, .quantity = 2500),
                     SQ_R_METERED); /* 2500 / 60 * 120 = 5000 */
    assert_int_equal(CLAIM(.amount_fen = 10, .base_fen = 5000, .quantity = 2500), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 10, .base_fen = 1000, .quantity = 2001), SQ_R_QUOTA); /* 4500 - 2500 = 2000 */
    assert_int_equal(CLAIM(.amount_fen = 10, .base_fen = 4000, .quantity = 2000), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 10, .base_fen = 100, .quantity = 50), SQ_R_QUOTA);
    /* 20 fen of the 2000 for the contract are used now. */
    p.version = 2;
    p.unit = 0;
    p.unit_price_fen = p.unit_size = 0;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 3000, .contract_fen = 10000, .contract = 1}),
                     SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1980, .base_fen = 9999), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .base_fen = 10), SQ_R_CONTRACT_BASE); /* one fen of base is left */
    assert_int_equal(give_back(s, s->invoice - 1, 1980, 9999, 20260901), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1981, .base_fen = 10000),
                     SQ_R_LIMIT); /* two vouchers, one contract: 20 + 1980 */
    assert_int_equal(CLAIM(.amount_fen = 1980, .base_fen = 10000), SQ_OK);
}

static void a_pool_is_taken_up_by_redemptions_or_by_grants_until_they_end(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    struct sq_programme_view v;
    plain(&p, 1);
    p.pool_fen = 1000;
    begin_programme(s, &p); /* a face of far more than the pool: first come, first served */
    assert_int_equal(CLAIM(.amount_fen = 1001), SQ_R_POOL_EXHAUSTED);
    assert_int_equal(CLAIM(.amount_fen = 1000), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_POOL_EXHAUSTED);
    plain(&p, 2);
    p.pool_fen = 1000;
    p.pool_at = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = 1001}), SQ_R_POOL_EXHAUSTED);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = 600, .until_day = 20260925}), SQ_OK);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = 401}), SQ_R_POOL_EXHAUSTED);
    assert_int_equal(CLAIM(.amount_fen = 250), SQ_OK);
    sq_core_programme(s->w->core[SH], 1, &v);
    assert_true(v.reserved_fen == 350 && v.spent_fen == 250);
    uint64_t ended = s->voucher, invoice = s->invoice;
    s->w->now_ms = sq_day_end_ms(20260925); /* 350 come back */
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = 751}), SQ_R_POOL_EXHAUSTED);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = 750}), SQ_OK);
    sq_core_programme(s->w->core[SH], 1, &v);
    assert_true(v.reserved_fen == 750 && v.spent_fen == 250);
    assert_int_equal(CLAIM(.amount_fen = 750), SQ_OK);
    s->voucher = ended;
    s->spent = 250;
    assert_int_equal(give_back(s, invoice, 50, 0, 20260901), SQ_OK); /* its voucher is over: to the pool */
    sq_core_programme(s->w->core[SH], 1, &v);
    assert_true(v.reserved_fen == 0 && v.spent_fen == 950);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = 50}), SQ_OK);
    Sanquan__V1__Revoke m;
    sanquan__v1__revoke__init(&m);
    m.n_voucher = 1;
    m.voucher = &s->voucher;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__REVOKE, &m.base), SQ_OK);
    sq_core_programme(s->w->core[SH], 1, &v);
    assert_true(v.reserved_fen == 0 && v.spent_fen == 950);
}

static void a_delivery_is_claimed_from_one_voucher(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    p.unique_service = 1; /* Qingyang: supplier and demander may not both claim */
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_DOCUMENTS);
    assert_int_equal(CLAIM(.amount_fen = 1, .evidence = 1), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .evidence = 1), SQ_OK); /* the rest of the same delivery */
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .evidence = 1), SQ_R_SERVICE_TAKEN);
    assert_int_equal(CLAIM(.amount_fen = 1, .evidence = 2), SQ_OK);
}

static void relate(Sanquan__V1__Programme *p, Sanquan__V1__Relation *r, Sanquan__V1__Relation **list, uint32_t number,
                   uint32_t together, uint32_t state, uint32_t scope, uint32_t limit_bp)
{
    sanquan__v1__relation__init(r);
    r->issuer = 310000;
    r->number = number;
    r->together = together;
    r->state = state;
    r->scope = scope;
    r->limit_bp = limit_bp;
    *list = r;
    p->relations = list;
    p->n_relations = 1;
}

static void programmes_exclude_or_require_each_other(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    Sanquan__V1__Relation r, *list[1];
    plain(&p, 1);
    assert_int_equal(publish(s, &p), SQ_OK);
    plain(&p, 2);
    relate(&p, &r, list, 1, 1, GRANTED, SCOPE(HOLDER), 0); /* excludes */
    assert_int_equal(publish(s, &p), SQ_OK);
    plain(&p, 3);
    relate(&p, &r, list, 1, 2, REDEEMED, SCOPE(HOLDER), 0); /* fine-tuning only after a base model was bought */
    assert_int_equal(publish(s, &p), SQ_OK);
    plain(&p, 4);
    relate(&p, &r, list, 1, 2, GRANTED, SCOPE(CONTRACT), 0); /* on the same contract */
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = WAN}), SQ_OK);
    uint64_t exclusive = s->voucher;
    assert_int_equal(grant(s, 4, &(struct claims_grant){.face_fen = WAN, .contract = 7}), SQ_R_REQUIRED);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN, .contract = 7}), SQ_OK);
    uint64_t base = s->voucher;
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = WAN}), SQ_R_EXCLUDED);
    assert_int_equal(grant(s, 4, &(struct claims_grant){.face_fen = WAN, .contract = 8}), SQ_R_REQUIRED);
    assert_int_equal(grant(s, 4, &(struct claims_grant){.face_fen = WAN, .contract = 7}), SQ_OK);
    s->voucher = exclusive;
    s->spent = 0;
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_EXCLUDED);
    assert_int_equal(grant(s, 3, &(struct claims_grant){.face_fen = WAN}), SQ_OK); /* asks when something is redeemed */
    uint64_t tuning = s->voucher;
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_R_REQUIRED);
    s->voucher = base;
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
    s->voucher = tuning;
    s->spent = 0;
    assert_int_equal(CLAIM(.amount_fen = 1), SQ_OK);
}

static void on_one_contract_two_pay_the_higher_or_a_share_at_most(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    Sanquan__V1__Relation r, *list[1];
    plain(&p, 1); /* 30 % */
    p.base_kind = 3;
    p.stacking = 1;
    p.stack_limit_bp = 10000;
    assert_int_equal(publish(s, &p), SQ_OK);
    plain(&p, 2);
    p.base_kind = 3;
    p.stacking = 1;
    p.stack_limit_bp = 10000;
    p.rate_bp = 4000;
    relate(&p, &r, list, 1, 3, 0, SCOPE(CONTRACT), 0); /* the higher of the two */
    assert_int_equal(publish(s, &p), SQ_OK);
    plain(&p, 3);
    p.base_kind = 3;
    p.stacking = 1;
    p.stack_limit_bp = 10000;
    p.rate_bp = 9000;
    relate(&p, &r, list, 1, 4, 0, SCOPE(CONTRACT), 5000); /* half of the contract */
    assert_int_equal(publish(s, &p), SQ_OK);
    const struct claims_grant g = {.face_fen = WAN, .contract = 1, .contract_fen = 100000};
    assert_int_equal(grant(s, 1, &g), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 3000, .base_fen = 10000), SQ_OK);
    assert_int_equal(grant(s, 2, &g), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1001, .base_fen = 10000), SQ_R_HIGHER_ONLY); /* 40 % of 10000, less 3000 */
    assert_int_equal(CLAIM(.amount_fen = 1000, .base_fen = 10000), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 2001, .base_fen = 5000), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.amount_fen = 2000, .base_fen = 5000), SQ_OK); /* 40 % of 15000 is 6000 */
    assert_int_equal(grant(s, 3, &g), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 47001, .base_fen = 90000), SQ_R_SHARE_LIMIT); /* 50000 - 3000 of programme 1 */
    assert_int_equal(CLAIM(.amount_fen = 47000, .base_fen = 90000), SQ_OK);
    assert_int_equal(grant(s, 2, &(struct claims_grant){.face_fen = WAN}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .base_fen = 90000), SQ_R_CONTRACT_TERMS); /* which contract? */
}

static void a_waivable_refusal_is_lifted_for_one_voucher_or_all_of_a_holder(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    uint32_t waivable[] = {SQ_R_CAP_CLAIM, SQ_R_HOLDER_REGION};
    struct claims_condition region;
    Sanquan__V1__Condition *conditions[] = {&region.c};
    claims_condition(&region, 0, HOLDER, SQ_ATTR(REGION), IN, (int64_t[]){330000, 339999}, 1);
    plain(&p, 1);
    p.cap_claim_fen = 100;
    p.waivable = waivable;
    p.n_waivable = 2;
    p.conditions = conditions;
    p.n_conditions = 1;
    assert_int_equal(publish(s, &p), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN}), SQ_R_HOLDER_REGION);
    char holder[19], approver[] = "office", reason[] = "decided case by case";
    strcpy(holder, WORLD_HOLDER);
    Sanquan__V1__Override m;
    sanquan__v1__override__init(&m);
    m.issuer = 310000;
    m.programme = 1;
    m.holder = holder;
    m.refusal = SQ_R_HOLDER_REGION;
    m.until_day = 20261231;
    m.approver = approver;
    m.reason = reason;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 101), SQ_R_CAP_CLAIM);
    m.refusal = SQ_R_CAP_CLAIM;
    m.ceiling = 500;
    m.voucher = s->voucher;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 500), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 501), SQ_R_CAP_CLAIM);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = WAN}), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 101), SQ_R_CAP_CLAIM); /* another voucher */
    m.refusal = SQ_R_VOUCHER_OVERDRAWN;
    m.voucher = 0;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base), SQ_R_OVERRIDE);
    assert_int_equal(world_say(s->w, SH, "issuer:370000", SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base),
                     SQ_R_NOT_YOUR_ISSUER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(a_contract_has_one_voucher_within_programme_issuer_or_node),
        STORY(bases_stay_within_the_contract_and_quantities_within_the_quota),
        STORY(a_pool_is_taken_up_by_redemptions_or_by_grants_until_they_end),
        STORY(a_delivery_is_claimed_from_one_voucher),
        STORY(programmes_exclude_or_require_each_other),
        STORY(on_one_contract_two_pay_the_higher_or_a_share_at_most),
        STORY(a_waivable_refusal_is_lifted_for_one_voucher_or_all_of_a_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
