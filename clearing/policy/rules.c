/*
 * A case judged by the terms alone.
 *
 * Invariants: reads only; a plain programme (rules == 0) costs four comparisons, a search of its services and one division.
 */
#include "clearing/policy/programme.h"

#include <stdlib.h>

#include "clearing/base/day.h"

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

/* ---- conditions ---- */

/* 行政区划码 in places 3 to 8 of a USCC: where the organisation was registered. */
static int64_t region_of_code(const char *uscc)
{
    int64_t region = 0;
    for (int i = 2; uscc != NULL && i < 8; i++)
        region = region * 10 + (uscc[i] - '0');
    return region;
}

static enum sq_match match_organisation(const struct sq_terms *t, const struct sq_case *c, const struct sq_facts *facts,
                                        const char *code, uint32_t attribute, const struct sq_range *ranges,
                                        size_t count, int64_t *seen)
{
    enum sq_match m = sq_facts_match(facts, t->issuer, attribute, c->day, ranges, count, seen);
    if (m == SQ_UNKNOWN && attribute == SQ_ATTR(REGION) && code != NULL) {
        *seen = region_of_code(code);
        m = sq_ranges_hold(ranges, count, *seen) ? SQ_WITHIN : SQ_OUTSIDE;
    }
    return m;
}

static int declared(const struct sq_declared *d, uint32_t attribute, int64_t *value)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->attribute[i] == attribute) {
            *value = d->value[i];
            return 1;
        }
    return 0;
}

/* The one value that a voucher or claim has for an attribute; 0 when it has none. */
static int value_of(const struct sq_case *c, uint32_t subject, uint32_t attribute, int64_t *value)
{
    switch (attribute) {
    case SQ_ATTR(SERVICE):
        *value = c->service;
        return 1;
    case SQ_ATTR(SCENARIO):
        *value = c->scenario;
        return c->scenario != 0;
    case SQ_ATTR(BASE):
        *value = c->base_fen;
        return 1;
    case SQ_ATTR(CONTRACT_DAY):
        *value = c->contract_day;
        return c->contract_day != 0;
    case SQ_ATTR(CONTRACT_DAYS):
        *value = c->contract_days;
        return c->contract_days != 0;
    case SQ_ATTR(CONTRACT_FEN):
        *value = c->contract_fen;
        return c->contract_fen != 0;
    default:
        break;
    }
    if (subject == SANQUAN__V1__SUBJECT__SUBJECT_CLAIM || c->step == SQ_CASE_GRANT)
        return declared(&c->declared, attribute, value);
    for (uint32_t n = c->voucher.first; n != SQ_ROW_NONE;) {
        const struct sq_fact *f = SQ_ROW(c->voucher.table, struct sq_fact, n);
        if (f->attribute == attribute) {
            *value = f->value;
            return 1;
        }
        n = f->next;
    }
    return 0;
}

static enum sq_match match_condition(const struct sq_terms *t, const struct sq_case *c, const struct sq_condition *k,
                                     int64_t *seen)
{
    const struct sq_range *ranges = t->ranges + k->first_range;
    if (k->subject == SANQUAN__V1__SUBJECT__SUBJECT_HOLDER)
        return match_organisation(t, c, &c->holder, c->holder_code, k->attribute, ranges, k->range_count, seen);
    if (k->subject == SANQUAN__V1__SUBJECT__SUBJECT_PROVIDER)
        return match_organisation(t, c, &c->provider, c->provider_code, k->attribute, ranges, k->range_count, seen);
    if (!value_of(c, k->subject, k->attribute, seen))
        return SQ_UNKNOWN;
    if (k->test == SANQUAN__V1__TEST__TEST_OF_PROVIDER || k->test == SANQUAN__V1__TEST__TEST_OF_HOLDER) {
        struct sq_range same = {*seen, *seen};
        int provider = k->test == SANQUAN__V1__TEST__TEST_OF_PROVIDER;
        int64_t known;
        return match_organisation(t, c, provider ? &c->provider : &c->holder,
                                  provider ? c->provider_code : c->holder_code, k->attribute, &same, 1, &known);
    }
    return sq_ranges_hold(ranges, k->range_count, *seen) ? SQ_WITHIN : SQ_OUTSIDE;
}

/* An agreement between the regions says that this is not asked of the other's providers. */
static int is_relaxed(const struct sq_case *c, const struct sq_condition *k)
{
    int of_provider = k->subject == SANQUAN__V1__SUBJECT__SUBJECT_PROVIDER ||
                      (k->subject == SANQUAN__V1__SUBJECT__SUBJECT_CLAIM && k->attribute == SQ_ATTR(CHANNEL));
    return of_provider && (k->attribute >= SQ_ATTR_LISTS ? c->relaxed & SQ_RELAX_LISTS
                           : k->attribute < 32           ? c->relaxed >> k->attribute & 1
                                                         : 0);
}

/* A condition holds where its step is another one, or what it asks about is not known yet. */
static int condition_holds(const struct sq_terms *t, const struct sq_case *c, const struct sq_condition *k,
                           int64_t *seen)
{
    int later = c->step == SQ_CASE_GRANT &&
                (k->subject == SANQUAN__V1__SUBJECT__SUBJECT_PROVIDER ||
                 k->subject == SANQUAN__V1__SUBJECT__SUBJECT_CLAIM || k->test == SANQUAN__V1__TEST__TEST_OF_PROVIDER);
    if (later || (k->step != 0 && k->step != (uint8_t)c->step) || (c->relaxed != 0 && is_relaxed(c, k)))
        return 1;
    enum sq_match m = match_condition(t, c, k, seen);
    return k->test == SANQUAN__V1__TEST__TEST_NOT_IN ? m != SQ_WITHIN : m == SQ_WITHIN;
}

int sq_terms_group_holds(const struct sq_terms *t, const struct sq_case *c, uint32_t group)
{
    int64_t seen = 0;
    if (group == 0)
        return 1;
    for (uint32_t i = t->group_first[group]; i < t->group_first[group + 1]; i++)
        if (!condition_holds(t, c, &t->conditions[i], &seen))
            return 0;
    return 1;
}

static int judge_conditions(const struct sq_terms *t, const struct sq_case *c, struct sq_verdict *v)
{
    for (uint32_t i = 0; i < t->group_first[1]; i++) {
        int64_t seen = 0;
        int holds = condition_holds(t, c, &t->conditions[i], &seen);
        if (sq_rule(v, holds, t->conditions[i].refusal, i, seen))
            return 1;
    }
    return 0;
}

/* ---- windows ---- */

static int is_open(const struct sq_claim_window *w, uint32_t day, uint32_t minute)
{
    uint32_t from = w->from_day, until = w->until_day;
    if (w->every_months != 0 && day > from) {
        /* The last turn that has begun. Counted in months it may begin a few days too late; then it is the turn before. */
        int32_t months =
            (int32_t)(day / 10000 * 12 + day / 100 % 100) - (int32_t)(from / 10000 * 12 + from / 100 % 100);
        int32_t turn = months / (int32_t)w->every_months * (int32_t)w->every_months;
        if (sq_day_add_months(from, turn) > day)
            turn -= (int32_t)w->every_months;
        from = sq_day_add_months(from, turn);
        until = sq_day_add_months(until, turn);
    }
    return day >= from && (day < until || (day == until && (w->closes_minute == 0 || minute < w->closes_minute)));
}

int sq_terms_open(const struct sq_terms *t, enum sq_case_step step, uint64_t at_ms)
{
    uint32_t day = sq_day_of_ms(at_ms), minute = sq_minute_of_ms(at_ms);
    int any = 0;
    for (uint32_t i = 0; i < t->window_count; i++) {
        if (t->windows[i].step != (uint32_t)step)
            continue;
        if (is_open(&t->windows[i], day, minute))
            return 1;
        any = 1;
    }
    return !any;
}

/* ---- amounts ---- */

static int64_t tier_fen(const struct sq_tier *tier, int64_t base_fen)
{
    return tier->lump_fen != 0 ? tier->lump_fen : sq_share_floor(base_fen, tier->rate_bp);
}

/* Tier, or the programme's own rate; 0 when there is neither. */
static int entitle(const struct sq_terms *t, const struct sq_case *c, struct sq_entitlement *e)
{
    const struct sq_tier *best = NULL;
    for (uint32_t i = 0; i < t->tier_count; i++) {
        const struct sq_tier *tier = &t->tiers[i];
        if (!sq_terms_group_holds(t, c, tier->group))
            continue;
        if (best == NULL || tier_fen(tier, c->base_fen) > tier_fen(best, c->base_fen))
            best = tier;
        if (t->tier_choice == 0 && c->step == SQ_CASE_REDEEM) /* a grant does not know yet which of them it will be */
            break;
    }
    if (best != NULL)
        *e = (struct sq_entitlement){(uint32_t)(best - t->tiers) + 1, best->rate_bp, best->lump_fen,
                                     best->cap_claim_fen, tier_fen(best, c->base_fen)};
    else
        *e = (struct sq_entitlement){.rate_bp = t->rate_bp, .fen = sq_share_floor(c->base_fen, t->rate_bp)};
    return best != NULL || t->rate_bp != 0;
}

static void explain_entitlement(const struct sq_entitlement *e, struct sq_explain *x)
{
    x->tier = e->tier;
    x->rate_bp = e->rate_bp;
    x->lump_fen = e->lump_fen;
    x->entitled_fen = e->fen;
}

int64_t sq_terms_face_max(const struct sq_terms *t, const struct sq_case *c)
{
    struct sq_entitlement e;
    (void)entitle(t, c, &e);
    return c->base_fen == 0 && e.lump_fen == 0 ? INT64_MAX : e.fen;
}

/* A voucher is worth at most what the base that was stated, or the highest lump sum, gives. */
static int judge_face(const struct sq_terms *t, const struct sq_case *c, struct sq_verdict *v, struct sq_entitlement *e)
{
    int entitled = entitle(t, c, e);
    if (c->base_fen == 0 && e->lump_fen == 0)
        return 0;
    if (sq_rule(v, entitled, SQ_R_NO_TIER, 0, c->base_fen))
        return 1;
    if (v->x != NULL)
        explain_entitlement(e, v->x);
    return sq_rule_amount(v, c->amount_fen, e->fen, 0, SQ_R_RATE_EXCEEDED, e->tier, 1);
}

static int judge_amount(const struct sq_terms *t, const struct sq_case *c, struct sq_verdict *v,
                        struct sq_entitlement *e)
{
    int64_t base = c->base_fen;
    if (sq_rule(v, base >= t->min_claim_fen, SQ_R_BELOW_MINIMUM, 0, base))
        return 1;
    if ((t->rules & SQ_RULE_METERED) &&
        sq_rule(v, (__int128)base * t->unit_size <= (__int128)c->quantity * t->unit_price_fen, SQ_R_METERED, 0,
                c->quantity))
        return 1;
    if (t->rules & SQ_RULE_TIERS) {
        if (sq_rule(v, entitle(t, c, e), SQ_R_NO_TIER, 0, base))
            return 1;
    } else {
        *e = (struct sq_entitlement){.rate_bp = t->rate_bp, .fen = sq_share_floor(base, t->rate_bp)};
    }
    if (v->x != NULL)
        explain_entitlement(e, v->x);
    if (sq_rule_amount(v, c->amount_fen, e->fen, 0, SQ_R_RATE_EXCEEDED, e->tier, 1))
        return 1;
    if (e->cap_claim_fen != 0 && sq_rule_amount(v, c->amount_fen, e->cap_claim_fen, 0, SQ_R_CAP_CLAIM, e->tier, 1))
        return 1;
    return t->cap_claim_fen != 0 && sq_rule_amount(v, c->amount_fen, t->cap_claim_fen, 0, SQ_R_CAP_CLAIM, 0, 1);
}

/* ---- limits ---- */

uint32_t sq_terms_limits(const struct sq_terms *t, const struct sq_case *c)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < t->limit_count; i++)
        if (t->limits[i].step == (uint8_t)c->step && sq_terms_group_holds(t, c, t->limits[i].group))
            bits |= 1u << i;
    return bits;
}

int64_t sq_funder_share(const struct sq_terms *t, uint32_t k, int64_t spent_fen)
{
    if (k != 0)
        return sq_share_floor(spent_fen, t->funders[k].share_bp);
    int64_t first = spent_fen;
    for (uint32_t i = 1; i < t->funder_count; i++)
        first -= sq_share_floor(spent_fen, t->funders[i].share_bp);
    return first;
}

uint32_t sq_limit_period(const struct sq_limit *l, uint32_t day)
{
    uint32_t year = day / 10000, month = day / 100 % 100;
    return l->period == 1   ? year
           : l->period == 2 ? year * 10 + (month + 2) / 3
           : l->period == 3 ? year * 100 + month
                            : 0;
}

/* ---- the whole ---- */

/* 0: whom the programme pays; where it pays either, the row must say which. */
static int payee_fits(const struct sq_terms *t, uint32_t payee)
{
    return t->payee == 3 ? payee == 1 || payee == 2 : payee == 0 || payee == (t->payee == 2 ? 2u : 1u);
}

static int judge_documents(uint32_t needed, uint32_t there, struct sq_verdict *v)
{
    for (uint32_t kind = 1; needed != 0; needed >>= 1, there >>= 1, kind++)
        if ((needed & 1) && sq_rule(v, there & 1, SQ_R_DOCUMENTS, kind, there & 1))
            return 1;
    return 0;
}

int sq_terms_judge(const struct sq_terms *t, const struct sq_case *c, struct sq_verdict *v, struct sq_entitlement *e)
{
    *e = (struct sq_entitlement){0};
    int redeem = c->step == SQ_CASE_REDEEM;
    if (redeem && t->region_count != 0 && !(c->relaxed >> SQ_ATTR(REGION) & 1) &&
        sq_rule(v, contains(t->regions, t->region_count, c->acquirer_region), SQ_R_PROVIDER_REGION, 0,
                c->acquirer_region))
        return 1;
    if ((t->rules & SQ_RULE_WINDOWS) &&
        sq_rule(v, sq_terms_open(t, c->step, c->at_ms), SQ_R_WINDOW_CLOSED, 0, (int64_t)c->at_ms))
        return 1;
    if (redeem && t->service_count != 0 &&
        sq_rule(v, contains(t->services, t->service_count, c->service), SQ_R_SERVICE, 0, c->service))
        return 1;
    if (redeem && !payee_fits(t, c->payee) && sq_rule(v, 0, SQ_R_PAYEE, 0, c->payee))
        return 1;
    if ((t->rules & SQ_RULE_CONDITIONS) && judge_conditions(t, c, v))
        return 1;
    uint32_t documents = redeem ? t->redeem_documents : t->grant_documents;
    if (documents != 0 && judge_documents(documents, c->documents, v))
        return 1;
    return redeem ? judge_amount(t, c, v, e) : judge_face(t, c, v, e);
}
