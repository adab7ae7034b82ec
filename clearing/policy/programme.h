/*
 * The rules of a programme, compiled when a version of it arrives: flat arrays without pointers, scanned for each decision.
 *
 *     Programme message --sq_terms_check--> in range? --sq_terms_compile--> struct sq_terms, a row of a table
 *
 * What is here is pure: it reads the terms and the case and changes nothing. Balances (mandate, voucher, caps that accumulate, pool)
 * are looked at by the core, which knows them. A programme without rules beyond rate, caps, services and regions reads the
 * head of the struct and nothing else.
 *
 * Order of the rules of one redemption; the first that refuses is the answer:
 *     1 the row by itself            6 conditions of group 0, in their order   11 support period         16 limits, by number
 *     2 voucher: known, in force     7 documents                               12 mandate                17 relations to programmes
 *     3 same organisation            8 minimum base, metered base              13 voucher, stages        18 delivery claimed once
 *     4 service day (version)        9 tier, rate or lump, cap per claim       14 contract base, quota   19 pool
 *     5 region, window, service,    10 sanctions, related parties              15 yearly, lifetime cap
 */
#ifndef SQ_PROGRAMME_H
#define SQ_PROGRAMME_H

#include "clearing/policy/explain.h"
#include "clearing/policy/facts.h"
#include "proto/sanquan.pb-c.h"
#include "proto/status.h"
#include "proto/wire.h"

/* Limits of one version's terms: twice and more what the longest known programme needs. */
#define SQ_TERMS_SERVICES_MAX   64
#define SQ_TERMS_REGIONS_MAX    40
#define SQ_TERMS_TITLE_MAX      200
#define SQ_TERMS_CONDITIONS_MAX 64
#define SQ_TERMS_RANGES_MAX     256
#define SQ_TERMS_GROUPS_MAX     64
#define SQ_TERMS_TIERS_MAX      32
#define SQ_TERMS_WINDOWS_MAX    16
#define SQ_TERMS_CAUSES_MAX     32
#define SQ_RELATED_HOPS_MAX     8
#define SQ_TERMS_LIMITS_MAX     32
#define SQ_TERMS_RELATIONS_MAX  16
#define SQ_TERMS_WAIVABLE_MAX   16
#define SQ_TERMS_FUNDERS_MAX    8
#define SQ_TERMS_STAGES_MAX     8
#define SQ_TERMS_VERDICTS_MAX   16

/* What an agreement between regions does not ask of the other's providers: a bit an attribute, and one for all lists. */
#define SQ_RELAX_LISTS 1u

enum sq_case_step { SQ_CASE_GRANT = 1, SQ_CASE_REDEEM = 2 };

/* Rules beyond the head; a bit each in sq_terms.rules. */
enum {
    SQ_RULE_CONDITIONS = 1u << 0,
    SQ_RULE_TIERS = 1u << 1,
    SQ_RULE_WINDOWS = 1u << 2,
    SQ_RULE_DOCUMENTS = 1u << 3,
    SQ_RULE_SUPPORT = 1u << 4,
    SQ_RULE_RELATED = 1u << 5,
    SQ_RULE_SANCTIONS = 1u << 6,
    SQ_RULE_LIMITS = 1u << 7, /* at redemption */
    SQ_RULE_RELATIONS = 1u << 8,
    SQ_RULE_UNIQUE_SERVICE = 1u << 9,
    SQ_RULE_METERED = 1u << 10,
    SQ_RULE_GRANT_LIMITS = 1u << 11,
    SQ_RULE_WAIVABLE = 1u << 12, /* something can be lifted */
    SQ_RULE_PAYEE = 1u << 13,    /* somebody else than the provider may be paid */
};

struct sq_condition {
    uint32_t attribute;
    uint16_t first_range;
    uint8_t range_count, group, subject, test, step, refusal;
};

struct sq_tier {
    int64_t lump_fen, cap_claim_fen;
    uint32_t rate_bp, group;
};

struct sq_claim_window {
    uint32_t from_day, until_day, closes_minute, every_months, step;
};

struct sq_limit {
    int64_t soft, hard; /* 0 none */
    uint8_t number, scope, unit, step, period, group;
};

struct sq_stage {
    uint32_t share_bp, trigger, metric, better, change_bp, after_months;
};

struct sq_verdict_rule {
    uint32_t grade, action, back_bp;
};

struct sq_funder {
    uint32_t code, share_bp;
};

struct sq_relation {
    uint32_t issuer, number, together, state, scope, limit_bp;
};

struct sq_terms {
    /* the head */
    uint32_t from_day, until_day, rate_bp, rules;
    int64_t cap_claim_fen, cap_year_fen, cap_total_fen, min_claim_fen;
    uint32_t service_count, region_count;
    uint32_t services[SQ_TERMS_SERVICES_MAX]; /* ascending */
    uint32_t regions[SQ_TERMS_REGIONS_MAX];   /* acquirer regions, ascending */
    /* the rest */
    uint32_t issuer, number, version;
    uint32_t previous; /* row of the version before, or SQ_ROW_NONE */
    uint32_t base_kind, validity_days, support_months, related_hops, sanction_months;
    uint32_t grant_documents, redeem_documents, sanction_causes; /* bit n - 1: kind or cause n; no cause: all */
    uint32_t tier_choice, tier_count, window_count, limit_count, relation_count, waivable_count;
    uint32_t unique_contract, recognition;
    int64_t unit_price_fen, unit_size, auto_face_fen;
    uint32_t payee, funder_count;
    struct sq_funder funders[SQ_TERMS_FUNDERS_MAX];
    uint32_t stage_count, verdict_count, evaluators;
    struct sq_stage stages[SQ_TERMS_STAGES_MAX];
    struct sq_verdict_rule verdicts[SQ_TERMS_VERDICTS_MAX];
    uint8_t group_first[SQ_TERMS_GROUPS_MAX + 1]; /* conditions of group g: [group_first[g], group_first[g + 1]) */
    struct sq_condition conditions[SQ_TERMS_CONDITIONS_MAX];
    struct sq_range ranges[SQ_TERMS_RANGES_MAX];
    struct sq_tier tiers[SQ_TERMS_TIERS_MAX];
    struct sq_claim_window windows[SQ_TERMS_WINDOWS_MAX];
    struct sq_limit limits[SQ_TERMS_LIMITS_MAX];
    struct sq_relation relations[SQ_TERMS_RELATIONS_MAX];
    uint8_t waivable[SQ_TERMS_WAIVABLE_MAX]; /* ascending */
    char title[SQ_TERMS_TITLE_MAX + 1];
};

/* What a provider declares of a row, or an issuer of a voucher that is being granted. */
struct sq_declared {
    size_t count;
    const uint32_t *attribute; /* ascending */
    const int64_t *value;
};

/* One case to be judged. What a step does not know (a grant has no provider) is left zero. */
struct sq_case {
    enum sq_case_step step;
    uint32_t day;             /* on which facts are judged: the service day, or that of the grant */
    uint64_t at_ms;           /* the moment of the claim */
    uint32_t acquirer_region; /* code of the acquirer's node */
    int64_t amount_fen, base_fen, quantity;
    uint32_t service, scenario, documents, payee, relaxed;
    const char *holder_code, *provider_code; /* USCC */
    struct sq_facts holder, provider, voucher;
    struct sq_declared declared; /* of the claim; at a grant, of the voucher */
    int64_t contract_fen;
    uint32_t contract_day, contract_days; /* 0: not stated */
};

/* What the terms give a case. */
struct sq_entitlement {
    uint32_t tier, rate_bp; /* tier: index + 1, 0 none */
    int64_t lump_fen, cap_claim_fen, fen;
};

/* A term that is out of range: where it stands, in the message's names without their units ("pool", "tiers[2].rate"), and why. */
struct sq_fault {
    char place[48];
    const char *why;
};
/* 1 when all terms are in range. */
int sq_terms_check(const Sanquan__V1__Programme *terms, struct sq_fault *fault);

/* Fills all but `previous`. Errors: SQ_R_PROGRAMME_TERMS. */
SQ_MUST_CHECK sq_status sq_terms_compile(const Sanquan__V1__Programme *terms, struct sq_terms *out,
                                         struct sq_error *err);

/* The terms alone, from region to cap per claim. Returns 1 when the verdict is final. */
int sq_terms_judge(const struct sq_terms *t, const struct sq_case *c, struct sq_verdict *v, struct sq_entitlement *e);

/* The most a voucher may be worth: by the base that was stated, or the highest lump sum; INT64_MAX where neither says. */
int64_t sq_terms_face_max(const struct sq_terms *t, const struct sq_case *c);

/* Do all conditions of the group hold? Group 0 names none and holds. */
int sq_terms_group_holds(const struct sq_terms *t, const struct sq_case *c, uint32_t group);

/* Of those limits of the step whose group holds: a bit for each, by its place in `limits`. */
uint32_t sq_terms_limits(const struct sq_terms *t, const struct sq_case *c);

/* What funder k has borne of `spent_fen`: its share rounded down; the first bears what is left. A pure function of the sum spent. */
int64_t sq_funder_share(const struct sq_terms *t, uint32_t k, int64_t spent_fen);

/* Which period a day falls into, by the limit's period: 0, yyyy, yyyyq, yyyymm. */
uint32_t sq_limit_period(const struct sq_limit *l, uint32_t day);

/* Is a window for this step open? Yes where the step has none. */
int sq_terms_open(const struct sq_terms *t, enum sq_case_step step, uint64_t at_ms);

/* floor(base * rate / 10000), the product in 128 bits */
static inline int64_t sq_share_floor(int64_t base_fen, uint32_t rate_bp)
{
    return (int64_t)((__int128)base_fen * rate_bp / 10000); /* neither is negative: this floors */
}

#endif
