#include "tests/support/rules.h"

#include <stdio.h>
#include <string.h>

enum { HOLDER = 1, PROVIDER, VOUCHER, CLAIM };
enum { IN = 1, NOT_IN, OF_PROVIDER, OF_HOLDER };

static int one_in(struct dice *d, uint32_t n)
{
    return dice_below(d, n) == 0;
}
static int64_t between(struct dice *d, int64_t low, int64_t high)
{
    return low + (int64_t)dice_below(d, (uint32_t)(high - low + 1));
}
static int64_t perhaps(struct dice *d, int64_t low, int64_t high)
{
    return one_in(d, 2) ? 0 : between(d, low, high);
}

/* One condition that claims of these tests meet about as often as not. */
static void roll_condition(struct dice *d, struct claims_condition *k, uint32_t group)
{
    static const struct {
        uint32_t subject, attribute, test, ranges;
        int64_t range[4];
    } shapes[] = {
        {HOLDER, SQ_ATTR(REGION), IN, 1, {310000, 319999}},
        {HOLDER, SQ_ATTR(SIZE), IN, 1, {1, 2}},
        {HOLDER, SQ_ATTR(STANDING), NOT_IN, 1, {2, 2}},
        {HOLDER, 1001, IN, 1, {1, 1}},
        {PROVIDER, SQ_ATTR(PFLOPS), IN, 1, {50, INT64_MAX}},
        {PROVIDER, 1002, IN, 1, {1, 1}},
        {PROVIDER, SQ_ATTR(ZONE), NOT_IN, 2, {3, 3, 5, 5}},
        {VOUCHER, SQ_ATTR(GRADE), IN, 1, {1, 2}},
        {VOUCHER, SQ_ATTR(CONTRACT_DAY), IN, 1, {20260601, 20270101}},
        {VOUCHER, SQ_ATTR(CONTRACT_DAYS), IN, 1, {1, 40}},
        {CLAIM, SQ_ATTR(SERVICE), NOT_IN, 1, {4, 4}},
        {CLAIM, SQ_ATTR(HARDWARE), IN, 1, {1, 1}},
        {CLAIM, SQ_ATTR(CHANNEL), IN, 2, {1, 1, 3, 4}},
        {CLAIM, SQ_ATTR(FILING), OF_PROVIDER, 0, {0}},
        {CLAIM, SQ_ATTR(STANDARD), OF_HOLDER, 0, {0}},
        {CLAIM, SQ_ATTR(BASE), IN, 1, {100, 2000}},
        {CLAIM, SQ_ATTR(SCENARIO), IN, 1, {1, 1}},
        {HOLDER, SQ_ATTR(SECTOR), IN, 2, {1300, 4399, 6500, 6599}},
    };
    uint32_t i = dice_below(d, sizeof shapes / sizeof *shapes);
    claims_condition(k, group, shapes[i].subject, shapes[i].attribute, shapes[i].test, shapes[i].range,
                     shapes[i].ranges);
    if (shapes[i].subject == HOLDER || shapes[i].subject == VOUCHER)
        k->c.step = dice_below(d, 3);
}

static void roll_conditions(struct dice *d, struct rules *r, uint32_t groups)
{
    for (uint32_t group = 0; group <= groups; group++) {
        uint32_t n = group == 0 ? (one_in(d, 3) ? 1 + dice_below(d, 2) : 0) : 1;
        for (uint32_t i = 0; i < n && r->p.n_conditions < 8; i++) {
            struct claims_condition *k = &r->condition[r->p.n_conditions];
            roll_condition(d, k, group);
            r->conditions[r->p.n_conditions++] = &k->c;
        }
    }
    r->p.conditions = r->conditions;
}

static uint32_t roll_tiers(struct dice *d, struct rules *r, uint32_t group)
{
    uint32_t n = one_in(d, 2) ? 0 : 1 + dice_below(d, 2);
    for (uint32_t i = 0; i < n; i++) {
        Sanquan__V1__Tier *t = &r->tier[i];
        sanquan__v1__tier__init(t);
        t->group = one_in(d, 4) ? 0 : ++group;
        if (one_in(d, 4))
            t->lump_fen = between(d, 100, 500);
        else
            t->rate_bp = (uint32_t)between(d, 2000, 9000);
        t->cap_claim_fen = one_in(d, 4) ? between(d, 50, 400) : 0;
        r->tiers[i] = t;
    }
    r->p.tiers = r->tiers;
    r->p.n_tiers = n;
    r->p.tier_choice = dice_below(d, 2);
    r->p.rate_bp = n != 0 && one_in(d, 3) ? 0 : (uint32_t)between(d, 2000, 8000);
    return group;
}

static uint32_t roll_limits(struct dice *d, struct rules *r, uint32_t group)
{
    static const uint32_t at_grant[] = {3, 4, 5, 7}, at_use[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    uint32_t n = one_in(d, 2) ? 0 : 1 + dice_below(d, 3);
    for (uint32_t i = 0; i < n; i++) {
        Sanquan__V1__Limit *l = &r->limit[i];
        sanquan__v1__limit__init(l);
        l->number = 3 * i + 1 + dice_below(d, 3);
        l->step = one_in(d, 3) ? 1 : 2;
        l->scope = l->step == 1 ? at_grant[dice_below(d, 4)] : at_use[dice_below(d, 9)];
        do
            l->unit = 1 + dice_below(d, 4);
        while ((l->unit == 4 && r->p.unit == 0) || (l->step == 1 && l->unit == 2) || (l->scope == 1 && l->unit == 3));
        l->period = l->scope == 1 ? 0 : dice_below(d, 4);
        l->group = one_in(d, 2) ? 0 : ++group;
        int64_t scale = l->unit == 3 ? 3 : l->unit == 1 && l->step == 2 ? 700 : 2500;
        l->hard = one_in(d, 4) ? 0 : between(d, scale / 3 + 1, 2 * scale);
        l->soft = l->hard == 0 || one_in(d, 2) ? between(d, 1,
                                                         l->hard == 0      ? scale
                                                         : l->hard - 1 > 0 ? l->hard - 1
                                                                           : 1)
                                               : 0;
        if (l->soft >= l->hard && l->hard != 0)
            l->soft = 0;
        r->limits[i] = l;
    }
    r->p.limits = r->limits;
    r->p.n_limits = n;
    return group;
}

static void roll_windows(struct dice *d, struct rules *r)
{
    for (uint32_t step = 1; step <= 2; step++) {
        if (!one_in(d, 15))
            continue;
        Sanquan__V1__ClaimWindow *w = &r->window[r->p.n_windows];
        sanquan__v1__claim_window__init(w);
        w->step = step;
        w->from_day = 20260110 + 100 * dice_below(d, 8);
        w->until_day = w->from_day + dice_below(d, 15);
        w->closes_minute = one_in(d, 2) ? 0 : 1 + dice_below(d, 1439);
        w->every_months = 1 + dice_below(d, 3);
        r->windows[r->p.n_windows++] = w;
    }
    r->p.windows = r->windows;
}

static void roll_relation(struct dice *d, struct rules *r, uint32_t other)
{
    Sanquan__V1__Relation *x = &r->relation[0];
    if (!one_in(d, 4))
        return;
    sanquan__v1__relation__init(x);
    x->issuer = 310000;
    x->number = other;
    x->together = 1 + dice_below(d, 4);
    x->state = x->together <= 2 ? 1 + dice_below(d, 2) : 0;
    x->scope = x->together > 2 || one_in(d, 2) ? 3 : 4;
    x->limit_bp = x->together == 4 ? 3000 + dice_below(d, 7000) : 0;
    r->relations[0] = x;
    r->p.relations = r->relations;
    r->p.n_relations = 1;
}

static uint32_t some(struct dice *d, uint32_t *out, uint32_t low, uint32_t high, uint32_t n)
{
    uint32_t got = 0;
    for (uint32_t v = low; v <= high && got < n; v++)
        if (one_in(d, 2))
            out[got++] = v;
    return got;
}

static void roll_amounts(struct dice *d, Sanquan__V1__Programme *p)
{
    p->cap_claim_fen = one_in(d, 4) ? between(d, 100, 500) : 0;
    p->cap_year_fen = one_in(d, 3) ? between(d, 300, 1500) : 0;
    p->cap_total_fen = one_in(d, 3) ? between(d, 500, 2000) : 0;
    p->min_claim_fen = one_in(d, 4) ? between(d, 1, 300) : 0;
}

static void roll_lists(struct dice *d, struct rules *r)
{
    static const uint32_t liftable[] = {SQ_R_CAP_CLAIM, SQ_R_CAP_YEAR,  SQ_R_HOLDER_REGION, SQ_R_HOLDER_CONDITION,
                                        SQ_R_CHANNEL,   SQ_R_DOCUMENTS, SQ_R_SUPPORT_PERIOD};
    Sanquan__V1__Programme *p = &r->p;
    p->services = r->services;
    p->n_services = one_in(d, 5) ? some(d, r->services, 1, 5, 4) : 0;
    r->regions[0] = one_in(d, 12) ? 370000 : 310000;
    p->provider_regions = r->regions;
    p->n_provider_regions = one_in(d, 3) ? 1 : 0;
    p->grant_documents = r->grant_documents;
    p->n_grant_documents = one_in(d, 5) ? some(d, r->grant_documents, 1, 2, 2) : 0;
    p->redeem_documents = r->redeem_documents;
    p->n_redeem_documents = one_in(d, 5) ? some(d, r->redeem_documents, 1, 2, 2) : 0;
    p->sanction_causes = r->causes;
    p->n_sanction_causes = one_in(d, 3) ? some(d, r->causes, 1, 3, 2) : 0;
    p->sanction_months = one_in(d, 3) ? 1 + dice_below(d, 12) : 0;
    p->waivable = r->waivable;
    for (uint32_t i = 0; i < sizeof liftable / sizeof *liftable && p->n_waivable < 4; i++)
        if (one_in(d, 4))
            r->waivable[p->n_waivable++] = liftable[i];
}

/* Two or three parts of the face; whoever measures is on list 1003. */
static void roll_stages(struct dice *d, struct rules *r)
{
    uint32_t left = 10000, waits = 0, graded = 0;
    Sanquan__V1__Programme *p = &r->p;
    if (!one_in(d, 3))
        return;
    p->n_stages = 2 + dice_below(d, 2);
    p->stages = r->stages;
    for (size_t i = 0; i < p->n_stages; i++) {
        Sanquan__V1__Stage *s = r->stages[i] = &r->stage[i];
        sanquan__v1__stage__init(s);
        s->share_bp = i + 1 == p->n_stages ? left : (uint32_t)between(d, 2000, 4500);
        left -= s->share_bp;
        s->trigger = i == 0 && !one_in(d, 4) ? 1 : 2 + dice_below(d, 2);
        if (s->trigger == 3) {
            s->metric = 1 + dice_below(d, 2);
            s->better = 1 + dice_below(d, 2);
            s->change_bp = 500 * (uint32_t)between(d, 1, 5);
        }
        s->after_months = s->trigger != 1 && one_in(d, 3) ? 1 : 0;
        waits |= s->trigger != 1;
        graded |= s->trigger == 2;
    }
    p->evaluators = waits ? 1003 : 0;
    p->n_verdicts = graded ? 3 : 0;
    p->verdicts = r->verdicts;
    for (uint32_t i = 0; i < p->n_verdicts; i++) {
        Sanquan__V1__Verdict *v = r->verdicts[i] = &r->verdict[i];
        sanquan__v1__verdict__init(v);
        v->grade = v->action = i + 1;
        v->back_bp = i == 2 ? (uint32_t)between(d, 1, 10000) : 0;
    }
}

void rules_roll(struct dice *d, struct rules *r, uint32_t number, uint32_t other)
{
    static const uint32_t froms[] = {20250101, 20250101, 20250101, 20260901},
                          untils[] = {20271231, 20271231, 20271231, 20261015};
    memset(r, 0, sizeof *r);
    Sanquan__V1__Programme *p = &r->p;
    sanquan__v1__programme__init(p);
    snprintf(r->title, sizeof r->title, "programme %u", number % 1000);
    p->issuer = 310000;
    p->number = number;
    p->version = 1;
    p->kind = 1 + dice_below(d, 3);
    p->title = r->title;
    p->from_day = froms[dice_below(d, 4)];
    p->until_day = untils[dice_below(d, 4)];
    p->base_kind = 1 + dice_below(d, 5);
    p->pool_fen = perhaps(d, 800, 4000);
    p->pool_at = p->pool_fen != 0 ? dice_below(d, 2) : 0;
    p->unit = dice_below(d, 2);
    if (p->unit != 0 && one_in(d, 8)) {
        p->unit_price_fen = between(d, 50, 200);
        p->unit_size = 1 + dice_below(d, 3);
    }
    p->validity_days = one_in(d, 4) ? 20 + dice_below(d, 200) : 0;
    p->support_months = one_in(d, 4) ? 1 + dice_below(d, 12) : 0;
    p->related_hops = one_in(d, 5) ? 1 + dice_below(d, 3) : 0;
    p->unique_contract = one_in(d, 3) ? 1 + dice_below(d, 3) : 0;
    p->unique_service = one_in(d, 6) ? 1 : 0;
    p->payee = one_in(d, 12) ? dice_below(d, 4) : 0;
    p->stacking = 1; /* claims have invoices of their own here */
    p->stack_limit_bp = 10000;
    roll_amounts(d, p);
    roll_lists(d, r);
    uint32_t groups = roll_limits(d, r, roll_tiers(d, r, 0));
    roll_conditions(d, r, groups);
    roll_windows(d, r);
    roll_relation(d, r, other);
    roll_stages(d, r);
}

/* Pointers of a copy lead into the copy. */
static void settle(struct rules *r)
{
    for (size_t i = 0; i < r->p.n_conditions; i++) {
        r->condition[i].c.low = r->condition[i].low;
        r->condition[i].c.high = r->condition[i].high;
        r->conditions[i] = &r->condition[i].c;
    }
    for (size_t i = 0; i < r->p.n_tiers; i++)
        r->tiers[i] = &r->tier[i];
    for (size_t i = 0; i < r->p.n_limits; i++)
        r->limits[i] = &r->limit[i];
    for (size_t i = 0; i < r->p.n_windows; i++)
        r->windows[i] = &r->window[i];
    for (size_t i = 0; i < r->p.n_relations; i++)
        r->relations[i] = &r->relation[i];
    for (size_t i = 0; i < r->p.n_stages; i++)
        r->stages[i] = &r->stage[i];
    for (size_t i = 0; i < r->p.n_verdicts; i++)
        r->verdicts[i] = &r->verdict[i];
    r->p.stages = r->stages;
    r->p.verdicts = r->verdicts;
    r->p.title = r->title;
    r->p.services = r->services;
    r->p.provider_regions = r->regions;
    r->p.grant_documents = r->grant_documents;
    r->p.redeem_documents = r->redeem_documents;
    r->p.sanction_causes = r->causes;
    r->p.waivable = r->waivable;
    r->p.conditions = r->conditions;
    r->p.tiers = r->tiers;
    r->p.limits = r->limits;
    r->p.windows = r->windows;
    r->p.relations = r->relations;
}

void rules_revise(struct dice *d, const struct rules *from, struct rules *to)
{
    *to = *from;
    settle(to);
    Sanquan__V1__Programme *p = &to->p;
    p->version++;
    p->from_day = one_in(d, 2) ? p->from_day : 20260601 + dice_below(d, 28);
    p->until_day = one_in(d, 2) ? p->until_day : 20260901 + dice_below(d, 28);
    p->pool_fen = p->pool_fen == 0 ? 0 : p->pool_fen + between(d, 0, 3000);
    roll_amounts(d, p);
    if (p->rate_bp != 0)
        p->rate_bp = (uint32_t)between(d, 500, 7000);
    for (size_t i = 0; i < p->n_limits; i++)
        if (to->limit[i].hard != 0)
            to->limit[i].hard += between(d, 0, 500);
    p->validity_days = one_in(d, 4) ? 20 + dice_below(d, 200) : p->validity_days;
    p->support_months = one_in(d, 4) ? 1 + dice_below(d, 12) : p->support_months;
}
