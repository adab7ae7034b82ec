#include "clearing/policy/programme.h"

#include <stdio.h>
#include <string.h>

#include "clearing/base/day.h"

static int ascending(const uint32_t *v, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (v[i] <= v[i - 1])
            return 0;
    return 1;
}

static int contains(const uint32_t *v, uint32_t count, uint32_t wanted)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (v[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && v[low] == wanted;
}

/* ---- are the terms in range? ---- */

static int unfit(struct sq_fault *f, const char *place, const char *why)
{
    snprintf(f->place, sizeof f->place, "%s", place);
    f->why = why;
    return 0;
}

int sq_programme_check(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->issuer < 100000 || t->issuer > 999999)
        return unfit(f, "issuer", "is not a six-digit code");
    if (t->number < 1 || t->number > 9999)
        return unfit(f, "number", "is not 1 to 9999");
    if (t->version < 1)
        return unfit(f, "version", "is not 1 or more");
    if (t->kind < 1 || t->kind > SQ_KIND_COUNT)
        return unfit(f, "kind", "is not 1 to 7");
    if (strlen(t->title) == 0 || strlen(t->title) > SQ_PROGRAMME_TITLE_MAX)
        return unfit(f, "title", "is empty or over 200 bytes");
    if (!sq_day_valid(t->from_day))
        return unfit(f, "from", "is no day of the calendar");
    if (!sq_day_valid(t->until_day) || t->from_day > t->until_day)
        return unfit(f, "until", "is no day of the calendar, or before the first");
    if (t->rate_bp < 1 || t->rate_bp > 10000)
        return unfit(f, "rate", "is not 0.01% to 100%");
    if (t->base_kind < 1 || t->base_kind > 5)
        return unfit(f, "base", "is not 1 to 5");
    if (t->pool_fen <= 0)
        return unfit(f, "pool", "is not positive");
    if (t->cap_claim_fen < 0)
        return unfit(f, "cap_claim", "is negative");
    if (t->cap_year_fen < 0)
        return unfit(f, "cap_year", "is negative");
    if (t->cap_total_fen < 0)
        return unfit(f, "cap_total", "is negative");
    if (t->min_claim_fen < 0)
        return unfit(f, "min_claim", "is negative");
    if (t->n_services > SQ_PROGRAMME_SERVICES_MAX || !ascending(t->services, t->n_services))
        return unfit(f, "services", "are not ascending, or more than 64");
    if (t->n_provider_regions > SQ_PROGRAMME_REGIONS_MAX || !ascending(t->provider_regions, t->n_provider_regions))
        return unfit(f, "provider_regions", "are not ascending, or more than 40");
    if (t->stacking > 1)
        return unfit(f, "stacking", "is not 0 or 1");
    if (t->stack_limit_bp > 10000 || (t->stacking == 1) != (t->stack_limit_bp > 0))
        return unfit(f, "stack_limit", "goes with additive stacking, and is 0.01% to 100%");
    return 1;
}

/* ---- compiled ---- */

sq_status sq_programme_compile(const Sanquan__V1__Programme *t, struct sq_programme *out, struct sq_error *err)
{
    struct sq_fault f;
    if (!sq_programme_check(t, &f))
        return sq_fail(err, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: %s %s", t->issuer, t->number, f.place, f.why);

    *out = (struct sq_programme){
        .issuer = t->issuer, .number = t->number, .version = t->version, .kind = t->kind,
        .from_day = t->from_day, .until_day = t->until_day, .rate_bp = t->rate_bp, .base_kind = t->base_kind,
        .stacking = t->stacking, .stack_limit_bp = t->stack_limit_bp,
        .service_count = (uint32_t)t->n_services, .region_count = (uint32_t)t->n_provider_regions,
        .pool_fen = t->pool_fen, .cap_claim_fen = t->cap_claim_fen, .cap_year_fen = t->cap_year_fen,
        .cap_total_fen = t->cap_total_fen, .min_claim_fen = t->min_claim_fen,
    };
    if (t->n_services != 0)
        memcpy(out->services, t->services, t->n_services * sizeof *t->services);
    if (t->n_provider_regions != 0)
        memcpy(out->regions, t->provider_regions, t->n_provider_regions * sizeof *t->provider_regions);
    memcpy(out->title, t->title, strlen(t->title));
    return SQ_OK;
}

int64_t sq_programme_limit(const struct sq_programme *p, int64_t base_fen)
{
    return (int64_t)((__int128)base_fen * p->rate_bp / 10000); /* base and rate are not negative: this floors */
}

unsigned sq_programme_check_claim(const struct sq_programme *p, const struct sq_claim *c)
{
    if (p->region_count != 0 && !contains(p->regions, p->region_count, c->acquirer_region))
        return SQ_R_PROVIDER_REGION;
    if (c->service_day < p->from_day || c->service_day > p->until_day)
        return SQ_R_SERVICE_DAY;
    if (p->service_count != 0 && !contains(p->services, p->service_count, c->service))
        return SQ_R_SERVICE;
    if (c->base_fen < p->min_claim_fen)
        return SQ_R_BELOW_MINIMUM;
    if (c->amount_fen > sq_programme_limit(p, c->base_fen))
        return SQ_R_RATE_EXCEEDED;
    if (p->cap_claim_fen != 0 && c->amount_fen > p->cap_claim_fen)
        return SQ_R_CAP_CLAIM;
    return SQ_OK;
}
