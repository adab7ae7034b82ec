/*
 * A programme's rules, compiled when they take effect, and the check of one claim against them.
 *
 * Pure: reads the programme, the holder's account and the claim, changes nothing, and says which rule refused.
 * All money is fen; a subsidy is at most floor(base * rate_bp / 10000), the product taken in 128 bits.
 *
 * Order of the rules (the first that refuses is the answer):
 *   provider region, service day, service, minimum base, rate, cap per claim, yearly cap, lifetime cap, pool
 * (mandate and voucher limits stand between cap per claim and yearly cap, see core/voucher.c).
 */
#ifndef SQ_PROGRAMME_H
#define SQ_PROGRAMME_H

#include "proto/sanquan.pb-c.h"
#include "proto/status.h"
#include "proto/wire.h"

#define SQ_PROGRAMME_SERVICES_MAX 64
#define SQ_PROGRAMME_REGIONS_MAX 40
#define SQ_PROGRAMME_TITLE_MAX 200

struct sq_programme {
    uint32_t issuer, number, version, kind;
    uint32_t node;                     /* number of the hosting node */
    uint32_t from_day, until_day, rate_bp, base_kind;
    uint32_t stacking, stack_limit_bp;
    uint32_t service_count, region_count;
    int64_t pool_fen, cap_claim_fen, cap_year_fen, cap_total_fen, min_claim_fen;
    int64_t granted_fen, reserved_fen, spent_fen; /* pool = available + reserved + spent */
    uint32_t services[SQ_PROGRAMME_SERVICES_MAX]; /* ascending */
    uint32_t regions[SQ_PROGRAMME_REGIONS_MAX];   /* acquirer regions, ascending */
    char title[SQ_PROGRAMME_TITLE_MAX + 1];
};

/* What is checked of a claim before any balance is looked at. */
struct sq_claim {
    int64_t amount_fen, base_fen;
    uint32_t service, service_day;
    uint32_t acquirer_region;          /* code of the acquirer's node */
};

/* A term that is out of range: where it stands, in the message's names without their units ("pool", "services"), and why. */
struct sq_fault {
    char place[48];
    const char *why;
};
/* 1 when all terms are in range. */
int sq_programme_check(const Sanquan__V1__Programme *terms, struct sq_fault *fault);

/* Terms in range? Fills everything but node and the running sums. Errors: SQ_R_PROGRAMME_TERMS. */
SQ_MUST_CHECK sq_status sq_programme_compile(const Sanquan__V1__Programme *terms, struct sq_programme *out,
                                             struct sq_error *err);

/* The terms alone: region, day, service, minimum, rate, cap per claim. 0 or a refusal. */
unsigned sq_programme_check_claim(const struct sq_programme *p, const struct sq_claim *c);

/* floor(base * rate / 10000) */
int64_t sq_programme_limit(const struct sq_programme *p, int64_t base_fen);

#endif
