/*
 * From the message to flat arrays. Every term is checked before anything is compiled, so compiling cannot fail.
 */
#include "clearing/policy/programme.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clearing/base/day.h"

/* ---- are the terms in range? ---- */

SQ_PRINTF(3, 4) static int unfit(struct sq_fault *f, const char *why, const char *place, ...)
{
    va_list args;
    va_start(args, place);
    vsnprintf(f->place, sizeof f->place, place, args);
    va_end(args);
    f->why = why;
    return 0;
}

static int ascending(const uint32_t *v, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (v[i] <= v[i - 1])
            return 0;
    return 1;
}

static int numbers_to_32(const uint32_t *v, size_t count)
{
    return count <= 32 && ascending(v, count) && (count == 0 || (v[0] >= 1 && v[count - 1] <= 32));
}

static int check_head(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->issuer < 100000 || t->issuer > 999999)
        return unfit(f, "is not a six-digit code", "issuer");
    if (t->number < 1 || t->number > 9999)
        return unfit(f, "is not 1 to 9999", "number");
    if (t->version < 1)
        return unfit(f, "is not 1 or more", "version");
    if (t->kind < 1 || t->kind > SQ_KIND_COUNT)
        return unfit(f, "is not 1 to 7", "kind");
    if (strlen(t->title) == 0 || strlen(t->title) > SQ_TERMS_TITLE_MAX)
        return unfit(f, "is empty or over 200 bytes", "title");
    if (!sq_day_valid(t->from_day))
        return unfit(f, "is no day of the calendar", "from");
    if (!sq_day_valid(t->until_day) || t->from_day > t->until_day)
        return unfit(f, "is no day of the calendar, or before the first", "until");
    if (t->rate_bp > 10000 || (t->rate_bp == 0 && t->n_tiers == 0))
        return unfit(f, "is not 0.01% to 100%, and there are no tiers", "rate");
    if (t->base_kind < 1 || t->base_kind > 5)
        return unfit(f, "is not 1 to 5", "base");
    return 1;
}

static int check_amounts(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->pool_fen < 0)
        return unfit(f, "is negative", "pool");
    if (t->cap_claim_fen < 0)
        return unfit(f, "is negative", "cap_claim");
    if (t->cap_year_fen < 0)
        return unfit(f, "is negative", "cap_year");
    if (t->cap_total_fen < 0)
        return unfit(f, "is negative", "cap_total");
    if (t->min_claim_fen < 0)
        return unfit(f, "is negative", "min_claim");
    if (t->n_services > SQ_TERMS_SERVICES_MAX || !ascending(t->services, t->n_services))
        return unfit(f, "are not ascending, or more than 64", "services");
    if (t->n_provider_regions > SQ_TERMS_REGIONS_MAX || !ascending(t->provider_regions, t->n_provider_regions))
        return unfit(f, "are not ascending, or more than 40", "provider_regions");
    if (t->stacking > 1)
        return unfit(f, "is not 0 or 1", "stacking");
    if (t->stack_limit_bp > 10000 || (t->stacking == 1) != (t->stack_limit_bp > 0))
        return unfit(f, "goes with additive stacking, and is 0.01% to 100%", "stack_limit");
    return 1;
}

static int is_computed(uint32_t attribute)
{
    return attribute >= SQ_ATTR(SERVICE) && attribute <= SQ_ATTR(CONTRACT_FEN);
}

/* Can a subject have this attribute? */
static int attribute_fits(uint32_t subject, uint32_t attribute)
{
    if (attribute == 0 || attribute > SQ_ATTR_MAX || (attribute > SQ_ATTR(CONTRACT_FEN) && attribute < 100))
        return 0;
    if (!is_computed(attribute))
        return attribute != 18 && attribute != 19;
    if (subject == SANQUAN__V1__SUBJECT__SUBJECT_CLAIM)
        return attribute <= SQ_ATTR(BASE);
    return subject == SANQUAN__V1__SUBJECT__SUBJECT_VOUCHER && attribute > SQ_ATTR(BASE);
}

static int check_ranges(const Sanquan__V1__Condition *c)
{
    for (size_t i = 0; i < c->n_low; i++)
        if (c->low[i] > c->high[i] || (i != 0 && c->low[i] <= c->high[i - 1]))
            return 0;
    return 1;
}

static int check_condition(const Sanquan__V1__Condition *c, unsigned i, struct sq_fault *f)
{
    int of_claim =
        c->subject == SANQUAN__V1__SUBJECT__SUBJECT_CLAIM || c->subject == SANQUAN__V1__SUBJECT__SUBJECT_VOUCHER;
    int ranged = c->test == SANQUAN__V1__TEST__TEST_IN || c->test == SANQUAN__V1__TEST__TEST_NOT_IN;
    if (c->subject < SANQUAN__V1__SUBJECT__SUBJECT_HOLDER || c->subject > SANQUAN__V1__SUBJECT__SUBJECT_CLAIM)
        return unfit(f, "is none of holder, provider, voucher, claim", "conditions[%u].subject", i);
    if (!attribute_fits(c->subject, c->attribute))
        return unfit(f, "is none that this subject can have", "conditions[%u].attribute", i);
    if (c->test < SANQUAN__V1__TEST__TEST_IN || c->test > SANQUAN__V1__TEST__TEST_OF_HOLDER)
        return unfit(f, "is not 1 to 4", "conditions[%u].test", i);
    if (!ranged && (!of_claim || is_computed(c->attribute)))
        return unfit(f, "compares what is stated of a voucher or claim", "conditions[%u].test", i);
    if (c->n_low != c->n_high || ranged != (c->n_low != 0) || !check_ranges(c))
        return unfit(f, "are missing, not ascending, or overlap", "conditions[%u].low", i);
    if (c->step > SQ_CASE_REDEEM ||
        (c->step == SQ_CASE_GRANT &&
         (c->subject == SANQUAN__V1__SUBJECT__SUBJECT_PROVIDER || c->subject == SANQUAN__V1__SUBJECT__SUBJECT_CLAIM)))
        return unfit(f, "is not 0 to 2, or its subject is not known then", "conditions[%u].step", i);
    return 1;
}

static int group_is_named(const Sanquan__V1__Programme *t, uint32_t group)
{
    for (size_t i = 0; i < t->n_tiers; i++)
        if (t->tiers[i]->group == group)
            return 1;
    for (size_t i = 0; i < t->n_limits; i++)
        if (t->limits[i]->group == group)
            return 1;
    return group == 0;
}

static int group_is_there(const Sanquan__V1__Programme *t, uint32_t group)
{
    for (size_t i = 0; i < t->n_conditions; i++)
        if (t->conditions[i]->group == group)
            return 1;
    return group == 0;
}

static int check_conditions(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    size_t ranges = 0;
    if (t->n_conditions > SQ_TERMS_CONDITIONS_MAX)
        return unfit(f, "are more than 64", "conditions");
    for (unsigned i = 0; i < t->n_conditions; i++) {
        const Sanquan__V1__Condition *c = t->conditions[i];
        if (!check_condition(c, i, f))
            return 0;
        if (c->group >= SQ_TERMS_GROUPS_MAX || (i != 0 && c->group < t->conditions[i - 1]->group) ||
            !group_is_named(t, c->group))
            return unfit(f, "is over 63, out of order, or named by no tier or limit", "conditions[%u].group", i);
        if ((ranges += c->n_low) > SQ_TERMS_RANGES_MAX)
            return unfit(f, "make more than 256 ranges in all", "conditions[%u].low", i);
    }
    return 1;
}

static int check_tiers(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->n_tiers > SQ_TERMS_TIERS_MAX)
        return unfit(f, "are more than 32", "tiers");
    if (t->tier_choice > 1)
        return unfit(f, "is not 0 or 1", "tier_choice");
    for (unsigned i = 0; i < t->n_tiers; i++) {
        const Sanquan__V1__Tier *r = t->tiers[i];
        if (!group_is_there(t, r->group))
            return unfit(f, "has no conditions", "tiers[%u].group", i);
        if (r->rate_bp > 10000 || r->lump_fen < 0 || (r->rate_bp != 0) == (r->lump_fen != 0))
            return unfit(f, "is not 0.01% to 100%, and there is no lump sum, or both are there", "tiers[%u].rate", i);
        if (r->cap_claim_fen < 0)
            return unfit(f, "is negative", "tiers[%u].cap_claim", i);
    }
    return 1;
}

static int check_windows(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->n_windows > SQ_TERMS_WINDOWS_MAX)
        return unfit(f, "are more than 16", "windows");
    for (unsigned i = 0; i < t->n_windows; i++) {
        const Sanquan__V1__ClaimWindow *w = t->windows[i];
        if (w->step < SQ_CASE_GRANT || w->step > SQ_CASE_REDEEM)
            return unfit(f, "is neither grant nor redemption", "windows[%u].step", i);
        if (!sq_day_valid(w->from_day))
            return unfit(f, "is no day of the calendar", "windows[%u].from", i);
        if (!sq_day_valid(w->until_day) || w->until_day < w->from_day)
            return unfit(f, "is no day of the calendar, or before the first", "windows[%u].until", i);
        if (w->closes_minute >= 1440)
            return unfit(f, "is no minute of a day", "windows[%u].closes", i);
        if (w->every_months > 120 ||
            (w->every_months != 0 && sq_day_add_months(w->from_day, (int32_t)w->every_months) <= w->until_day))
            return unfit(f, "is over 120, or opens the window again before it has closed", "windows[%u].every_months",
                         i);
    }
    return 1;
}

static int check_limits(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->n_limits > SQ_TERMS_LIMITS_MAX)
        return unfit(f, "are more than 32", "limits");
    for (unsigned i = 0; i < t->n_limits; i++) {
        const Sanquan__V1__Limit *l = t->limits[i];
        int at_grant = l->step == SQ_CASE_GRANT;
        if (l->number < 1 || l->number > 255 || (i != 0 && l->number <= t->limits[i - 1]->number))
            return unfit(f, "is not 1 to 255, or not ascending", "limits[%u].number", i);
        if (l->step != SQ_CASE_GRANT && l->step != SQ_CASE_REDEEM)
            return unfit(f, "is neither grant nor redemption", "limits[%u].step", i);
        if (l->scope < SANQUAN__V1__SCOPE__SCOPE_CLAIM || l->scope > SANQUAN__V1__SCOPE__SCOPE_SCENARIO ||
            (at_grant && l->scope != SANQUAN__V1__SCOPE__SCOPE_CONTRACT &&
             l->scope != SANQUAN__V1__SCOPE__SCOPE_HOLDER && l->scope != SANQUAN__V1__SCOPE__SCOPE_GROUP &&
             l->scope != SANQUAN__V1__SCOPE__SCOPE_PROGRAMME))
            return unfit(f, "is no scope, or none that a grant knows", "limits[%u].scope", i);
        if (l->unit < SANQUAN__V1__UNIT__UNIT_FEN || l->unit > SANQUAN__V1__UNIT__UNIT_QUANTITY ||
            (l->unit == SANQUAN__V1__UNIT__UNIT_QUANTITY && t->unit == 0) ||
            (at_grant && l->unit == SANQUAN__V1__UNIT__UNIT_BASE) ||
            (l->unit == SANQUAN__V1__UNIT__UNIT_COUNT && l->scope == SANQUAN__V1__SCOPE__SCOPE_CLAIM))
            return unfit(f, "is no unit of such a limit, or the programme names none", "limits[%u].unit", i);
        if (l->period > 3 || (l->period != 0 && l->scope == SANQUAN__V1__SCOPE__SCOPE_CLAIM))
            return unfit(f, "is not 0 to 3, or the scope has no periods", "limits[%u].period", i);
        if (!group_is_there(t, l->group))
            return unfit(f, "has no conditions", "limits[%u].group", i);
        if (l->soft < 0 || l->hard < 0 || (l->soft == 0 && l->hard == 0) ||
            (l->soft != 0 && l->hard != 0 && l->soft >= l->hard))
            return unfit(f, "neither soft nor hard is there, one is negative, or soft is not below hard",
                         "limits[%u].hard", i);
    }
    return 1;
}

static int check_relations(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->n_relations > SQ_TERMS_RELATIONS_MAX)
        return unfit(f, "are more than 16", "relations");
    for (unsigned i = 0; i < t->n_relations; i++) {
        const Sanquan__V1__Relation *r = t->relations[i];
        int states = r->together == SANQUAN__V1__TOGETHER__TOGETHER_EXCLUDES ||
                     r->together == SANQUAN__V1__TOGETHER__TOGETHER_REQUIRES;
        if (r->issuer < 100000 || r->issuer > 999999 || r->number < 1 || r->number > 9999 ||
            (r->issuer == t->issuer && r->number == t->number))
            return unfit(f, "is no other programme", "relations[%u].number", i);
        if (r->together < SANQUAN__V1__TOGETHER__TOGETHER_EXCLUDES ||
            r->together > SANQUAN__V1__TOGETHER__TOGETHER_SHARE)
            return unfit(f, "is not 1 to 4", "relations[%u].together", i);
        if (states ? r->state < 1 || r->state > 2 : r->state != 0)
            return unfit(f, "is neither granted nor redeemed, or does not belong here", "relations[%u].state", i);
        if (r->scope != SANQUAN__V1__SCOPE__SCOPE_CONTRACT && !(states && r->scope == SANQUAN__V1__SCOPE__SCOPE_HOLDER))
            return unfit(f, "is neither contract nor (for excludes and requires) holder", "relations[%u].scope", i);
        if (r->limit_bp > 10000 || (r->together == SANQUAN__V1__TOGETHER__TOGETHER_SHARE) != (r->limit_bp != 0))
            return unfit(f, "goes with share, and is 0.01% to 100%", "relations[%u].limit", i);
    }
    return 1;
}

/* What an office can lift: what the programme asks of parties, days and amounts; never what somebody else's money stands for. */
static int is_waivable(uint32_t refusal)
{
    switch (refusal) {
    case SQ_R_CAP_CLAIM:
    case SQ_R_CAP_YEAR:
    case SQ_R_CAP_TOTAL:
    case SQ_R_BELOW_MINIMUM:
    case SQ_R_WINDOW_CLOSED:
    case SQ_R_HOLDER_REGION:
    case SQ_R_HOLDER_SECTOR:
    case SQ_R_HOLDER_CONDITION:
    case SQ_R_PROVIDER_REGION:
    case SQ_R_PROVIDER_LIST:
    case SQ_R_PROVIDER_CONDITION:
    case SQ_R_CONTRACT_TERMS:
    case SQ_R_VOUCHER_CONDITION:
    case SQ_R_CHANNEL:
    case SQ_R_FILING:
    case SQ_R_CLAIM_CONDITION:
    case SQ_R_DOCUMENTS:
    case SQ_R_SUPPORT_PERIOD:
    case SQ_R_EXCLUDED:
    case SQ_R_REQUIRED:
        return 1;
    default:
        return 0;
    }
}

static int check_waivable(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->n_waivable > SQ_TERMS_WAIVABLE_MAX || !ascending(t->waivable, t->n_waivable))
        return unfit(f, "are more than 16, or not ascending", "waivable");
    for (size_t i = 0; i < t->n_waivable; i++)
        if (!is_waivable(t->waivable[i]))
            return unfit(f, "names a refusal that no office can lift", "waivable");
    return 1;
}

static int check_money(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    uint32_t shares = 0;
    if (t->payee > 3)
        return unfit(f, "is not 0 to 3", "payee");
    if (t->n_funders > SQ_TERMS_FUNDERS_MAX)
        return unfit(f, "are more than 8", "funders");
    for (unsigned i = 0; i < t->n_funders; i++) {
        const Sanquan__V1__Funder *x = t->funders[i];
        if (x->code < 100000 || x->code > 999999)
            return unfit(f, "is not a six-digit code", "funders[%u].code", i);
        for (unsigned k = 0; k < i; k++)
            if (t->funders[k]->code == x->code)
                return unfit(f, "is there twice", "funders[%u].code", i);
        if (x->share_bp == 0 || x->share_bp > 10000)
            return unfit(f, "is not 0.01% to 100%", "funders[%u].share", i);
        shares += x->share_bp;
    }
    if (t->n_funders != 0 && shares != 10000)
        return unfit(f, "do not make 100% together", "funders");
    if (t->allocation > 3)
        return unfit(f, "is not 0 to 3", "allocation");
    if (t->rivals > 2)
        return unfit(f, "is not 0 to 2", "rivals");
    if (t->auto_face_fen < 0)
        return unfit(f, "is negative", "auto_face");
    return 1;
}

static int check_stages(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    uint32_t shares = 0, waits = 0, graded = 0;
    if (t->n_stages > SQ_TERMS_STAGES_MAX)
        return unfit(f, "are more than 8", "stages");
    for (unsigned i = 0; i < t->n_stages; i++) {
        const Sanquan__V1__Stage *g = t->stages[i];
        int metric = g->trigger == 3;
        if (g->share_bp == 0 || g->share_bp > 10000)
            return unfit(f, "is not 0.01% to 100%", "stages[%u].share", i);
        if (g->trigger < 1 || g->trigger > 3 || (g->trigger == 1 && waits))
            return unfit(f, "is not 1 to 3, or a stage of the grant comes after one that waits", "stages[%u].trigger",
                         i);
        if ((g->metric != 0) != metric)
            return unfit(f, "goes with a metric, which it names", "stages[%u].metric", i);
        if (metric ? g->better < 1 || g->better > 2 : g->better != 0)
            return unfit(f, "goes with a metric, and is 1 or 2", "stages[%u].better", i);
        if (metric ? g->change_bp == 0 || g->change_bp > (g->better == 1 ? 10000u : 1000000u) : g->change_bp != 0)
            return unfit(f, "goes with a metric, and is a share that it can reach", "stages[%u].change", i);
        if (g->after_months > 1200 || (g->after_months != 0 && g->trigger == 1))
            return unfit(f, "is over 1200, or of a stage of the grant", "stages[%u].after_months", i);
        shares += g->share_bp;
        waits |= g->trigger != 1;
        graded |= g->trigger == 2;
    }
    if (t->n_stages != 0 && shares != 10000)
        return unfit(f, "do not make 100% together", "stages");
    if (t->n_stages != 0 && t->auto_face_fen != 0)
        return unfit(f, "do not go with a face that is granted by itself", "stages");
    if (waits ? t->evaluators < SQ_ATTR_LISTS || t->evaluators > SQ_ATTR_MAX : t->evaluators != 0)
        return unfit(f, "is no list, or no stage waits for an evaluator", "evaluators");
    if (t->n_verdicts > SQ_TERMS_VERDICTS_MAX || (t->n_verdicts != 0) != (graded != 0))
        return unfit(f, "go with a stage that waits for a grade, and are at most 16", "verdicts");
    for (unsigned i = 0; i < t->n_verdicts; i++) {
        const Sanquan__V1__Verdict *v = t->verdicts[i];
        if (v->grade == 0 || (i != 0 && v->grade <= t->verdicts[i - 1]->grade))
            return unfit(f, "is 0, or not ascending", "verdicts[%u].grade", i);
        if (v->action < 1 || v->action > 3)
            return unfit(f, "is not 1 to 3", "verdicts[%u].action", i);
        if (v->back_bp > 10000 || (v->back_bp != 0) != (v->action == 3))
            return unfit(f, "goes with taking back, and is 0.01% to 100%", "verdicts[%u].back", i);
    }
    return 1;
}

static int check_rest(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    if (t->validity_days > 36500)
        return unfit(f, "is over 36500", "validity_days");
    if (t->support_months > 1200)
        return unfit(f, "is over 1200", "support_months");
    if (!numbers_to_32(t->grant_documents, t->n_grant_documents))
        return unfit(f, "are not kinds from 1 to 32, ascending", "grant_documents");
    if (!numbers_to_32(t->redeem_documents, t->n_redeem_documents))
        return unfit(f, "are not kinds from 1 to 32, ascending", "redeem_documents");
    if (t->sanction_months > 1200)
        return unfit(f, "is over 1200", "sanction_months");
    if (!numbers_to_32(t->sanction_causes, t->n_sanction_causes))
        return unfit(f, "are not causes from 1 to 32, ascending", "sanction_causes");
    if (t->related_hops > SQ_RELATED_HOPS_MAX)
        return unfit(f, "is over 8", "related_hops");
    if (t->recognition > 1)
        return unfit(f, "is not 0 or 1", "recognition");
    if (t->unique_contract > 3)
        return unfit(f, "is not 0 to 3", "unique_contract");
    if (t->unique_service > 1)
        return unfit(f, "is not 0 or 1", "unique_service");
    if (t->pool_at > 1 || (t->pool_at == 1 && t->pool_fen == 0))
        return unfit(f, "is not 0 or 1, or there is no pool", "pool_at");
    if (t->unit > 99)
        return unfit(f, "is over 99", "unit");
    if (t->unit_price_fen < 0 || (t->unit_price_fen != 0) != (t->unit_size != 0) ||
        (t->unit_price_fen != 0 && t->unit == 0))
        return unfit(f, "is negative, or one of unit, unit_price and unit_size is missing", "unit_price");
    return 1;
}

int sq_terms_check(const Sanquan__V1__Programme *t, struct sq_fault *f)
{
    return check_head(t, f) && check_amounts(t, f) && check_conditions(t, f) && check_tiers(t, f) &&
           check_limits(t, f) && check_windows(t, f) && check_relations(t, f) && check_waivable(t, f) &&
           check_money(t, f) && check_stages(t, f) && check_rest(t, f);
}

/* ---- compiled ---- */

/* What a condition refuses with: the most telling status of its subject and attribute. */
static uint8_t refusal_of(uint32_t subject, uint32_t attribute)
{
    int region = attribute == SQ_ATTR(REGION) || attribute == SQ_ATTR(TAX_REGION) || attribute == SQ_ATTR(ZONE);
    switch ((Sanquan__V1__Subject)subject) {
    case SANQUAN__V1__SUBJECT__SUBJECT_HOLDER:
        return region ? SQ_R_HOLDER_REGION : attribute == SQ_ATTR(SECTOR) ? SQ_R_HOLDER_SECTOR : SQ_R_HOLDER_CONDITION;
    case SANQUAN__V1__SUBJECT__SUBJECT_PROVIDER:
        return region                       ? SQ_R_PROVIDER_REGION
               : attribute >= SQ_ATTR_LISTS ? SQ_R_PROVIDER_LIST
                                            : SQ_R_PROVIDER_CONDITION;
    case SANQUAN__V1__SUBJECT__SUBJECT_VOUCHER:
        return attribute >= SQ_ATTR(CONTRACT_DAY) && attribute <= SQ_ATTR(CONTRACT_FEN) ? SQ_R_CONTRACT_TERMS
                                                                                        : SQ_R_VOUCHER_CONDITION;
    case SANQUAN__V1__SUBJECT__SUBJECT_CLAIM:
        return attribute == SQ_ATTR(CHANNEL)   ? SQ_R_CHANNEL
               : attribute == SQ_ATTR(FILING)  ? SQ_R_FILING
               : attribute == SQ_ATTR(SERVICE) ? SQ_R_SERVICE
                                               : SQ_R_CLAIM_CONDITION;
    case SANQUAN__V1__SUBJECT__SUBJECT_NONE:
    case _SANQUAN__V1__SUBJECT_IS_INT_SIZE:
        break;
    }
    return SQ_R_CLAIM_CONDITION;
}

static uint32_t bits_of(const uint32_t *numbers, size_t count)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < count; i++)
        bits |= 1u << (numbers[i] - 1);
    return bits;
}

static void compile_conditions(const Sanquan__V1__Programme *t, struct sq_terms *out)
{
    size_t range = 0, group = 0;
    for (size_t i = 0; i < t->n_conditions; i++) {
        const Sanquan__V1__Condition *c = t->conditions[i];
        for (; group <= c->group; group++)
            out->group_first[group] = (uint8_t)i;
        out->conditions[i] = (struct sq_condition){
            c->attribute,        (uint16_t)range,  (uint8_t)c->n_low, (uint8_t)c->group,
            (uint8_t)c->subject, (uint8_t)c->test, (uint8_t)c->step,  refusal_of(c->subject, c->attribute)};
        for (size_t k = 0; k < c->n_low; k++)
            out->ranges[range++] = (struct sq_range){c->low[k], c->high[k]};
    }
    for (; group <= SQ_TERMS_GROUPS_MAX; group++)
        out->group_first[group] = (uint8_t)t->n_conditions;
}

static void compile_lists(const Sanquan__V1__Programme *t, struct sq_terms *out)
{
    for (size_t i = 0; i < t->n_tiers; i++)
        out->tiers[i] = (struct sq_tier){t->tiers[i]->lump_fen, t->tiers[i]->cap_claim_fen, t->tiers[i]->rate_bp,
                                         t->tiers[i]->group};
    for (size_t i = 0; i < t->n_windows; i++) {
        const Sanquan__V1__ClaimWindow *w = t->windows[i];
        out->windows[i] =
            (struct sq_claim_window){w->from_day, w->until_day, w->closes_minute, w->every_months, w->step};
    }
    for (size_t i = 0; i < t->n_limits; i++) {
        const Sanquan__V1__Limit *l = t->limits[i];
        out->limits[i] = (struct sq_limit){l->soft,          l->hard,          (uint8_t)l->number, (uint8_t)l->scope,
                                           (uint8_t)l->unit, (uint8_t)l->step, (uint8_t)l->period, (uint8_t)l->group};
        out->rules |= l->step == SQ_CASE_REDEEM ? SQ_RULE_LIMITS : SQ_RULE_GRANT_LIMITS;
        out->rules |= l->soft != 0 ? SQ_RULE_WAIVABLE : 0;
    }
    for (size_t i = 0; i < t->n_relations; i++) {
        const Sanquan__V1__Relation *r = t->relations[i];
        out->relations[i] = (struct sq_relation){r->issuer, r->number, r->together, r->state, r->scope, r->limit_bp};
    }
    for (size_t i = 0; i < t->n_funders; i++)
        out->funders[i] = (struct sq_funder){t->funders[i]->code, t->funders[i]->share_bp};
    out->funder_count = (uint32_t)t->n_funders;
    for (size_t i = 0; i < t->n_stages; i++) {
        const Sanquan__V1__Stage *g = t->stages[i];
        out->stages[i] =
            (struct sq_stage){g->share_bp, g->trigger, g->metric, g->better, g->change_bp, g->after_months};
    }
    for (size_t i = 0; i < t->n_verdicts; i++)
        out->verdicts[i] =
            (struct sq_verdict_rule){t->verdicts[i]->grade, t->verdicts[i]->action, t->verdicts[i]->back_bp};
    out->stage_count = (uint32_t)t->n_stages;
    out->verdict_count = (uint32_t)t->n_verdicts;
    out->evaluators = t->evaluators;
    for (size_t i = 0; i < t->n_waivable; i++)
        out->waivable[i] = (uint8_t)t->waivable[i];
    out->tier_count = (uint32_t)t->n_tiers;
    out->window_count = (uint32_t)t->n_windows;
    out->limit_count = (uint32_t)t->n_limits;
    out->relation_count = (uint32_t)t->n_relations;
    out->waivable_count = (uint32_t)t->n_waivable;
    if (t->n_services != 0)
        memcpy(out->services, t->services, t->n_services * sizeof *t->services);
    if (t->n_provider_regions != 0)
        memcpy(out->regions, t->provider_regions, t->n_provider_regions * sizeof *t->provider_regions);
}

sq_status sq_terms_compile(const Sanquan__V1__Programme *t, struct sq_terms *out, struct sq_error *err)
{
    struct sq_fault f;
    if (!sq_terms_check(t, &f))
        return sq_fail(err, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: %s %s", t->issuer, t->number, f.place, f.why);
    memset(out, 0, sizeof *out);
    out->issuer = t->issuer;
    out->number = t->number;
    out->version = t->version;
    out->previous = SQ_ROW_NONE;
    out->from_day = t->from_day;
    out->until_day = t->until_day;
    out->rate_bp = t->rate_bp;
    out->base_kind = t->base_kind;
    out->cap_claim_fen = t->cap_claim_fen;
    out->cap_year_fen = t->cap_year_fen;
    out->cap_total_fen = t->cap_total_fen;
    out->min_claim_fen = t->min_claim_fen;
    out->service_count = (uint32_t)t->n_services;
    out->region_count = (uint32_t)t->n_provider_regions;
    out->validity_days = t->validity_days;
    out->support_months = t->support_months;
    out->related_hops = t->related_hops;
    out->sanction_months = t->sanction_months;
    out->sanction_causes = bits_of(t->sanction_causes, t->n_sanction_causes);
    out->grant_documents = bits_of(t->grant_documents, t->n_grant_documents);
    out->redeem_documents = bits_of(t->redeem_documents, t->n_redeem_documents);
    out->tier_choice = t->tier_choice;
    compile_conditions(t, out);
    compile_lists(t, out);
    memcpy(out->title, t->title, strlen(t->title));
    out->unique_contract = t->unique_contract;
    out->recognition = t->recognition;
    out->unit_price_fen = t->unit_price_fen;
    out->unit_size = t->unit_size;
    out->auto_face_fen = t->auto_face_fen;
    out->payee = t->payee;
    out->rules |= (t->n_conditions != 0 ? SQ_RULE_CONDITIONS : 0) | (t->n_tiers != 0 ? SQ_RULE_TIERS : 0) |
                  (t->n_windows != 0 ? SQ_RULE_WINDOWS : 0) | (out->redeem_documents != 0 ? SQ_RULE_DOCUMENTS : 0) |
                  (t->support_months != 0 ? SQ_RULE_SUPPORT : 0) | (t->related_hops != 0 ? SQ_RULE_RELATED : 0) |
                  (t->sanction_months != 0 || t->n_sanction_causes != 0 ? SQ_RULE_SANCTIONS : 0) |
                  (t->n_relations != 0 ? SQ_RULE_RELATIONS : 0) |
                  (t->unique_service != 0 ? SQ_RULE_UNIQUE_SERVICE : 0) | (t->payee > 1 ? SQ_RULE_PAYEE : 0) |
                  (t->unit_price_fen != 0 ? SQ_RULE_METERED : 0) | (t->n_waivable != 0 ? SQ_RULE_WAIVABLE : 0);
    return SQ_OK;
}
