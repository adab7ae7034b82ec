/*
 * Every rule of one use of a voucher, in the order that policy/programme.h states. Nothing changes here.
 *
 * The same code decides and explains: with an explanation to write it goes on after a refusal as far as the case makes sense,
 * and the first refusal stays the answer.
 */
#include "clearing/base/day.h"
#include "clearing/core/issuer.h"

/* ---- what a row touches ---- */

unsigned sq_find_touched(struct sq_core *core, uint32_t provider, uint64_t number, struct sq_touched *t)
{
    t->voucher = sq_voucher_find(core, number, &t->number);
    if (t->voucher == NULL)
        return sq_programme_of_voucher(core, number) == SQ_ROW_NONE ? SQ_R_UNKNOWN_PROGRAMME : SQ_R_UNKNOWN_VOUCHER;
    t->programme = sq_programme_at(core, t->number);
    t->account = SQ_ROW(&core->accounts, struct sq_account, t->voucher->account);
    t->mandate = NULL;
    for (uint32_t n = t->voucher->mandate; n != SQ_ROW_NONE;) {
        struct sq_mandate *m = SQ_ROW(&core->mandates, struct sq_mandate, n);
        if (m->provider == provider) {
            t->mandate = m;
            break;
        }
        n = m->next;
    }
    return SQ_OK;
}

struct sq_use_of_year *sq_year_used(struct sq_core *core, struct sq_account *a, uint32_t year, int add)
{
    if (a->year.year == year)
        return &a->year;
    for (uint32_t n = a->year.next; n != SQ_ROW_NONE;) {
        struct sq_use_of_year *y = SQ_ROW(&core->years, struct sq_use_of_year, n);
        if (y->year == year)
            return y;
        n = y->next;
    }
    if (!add)
        return NULL;
    if (a->year.year == 0) {
        a->year.year = year;
        return &a->year;
    }
    uint32_t number;
    struct sq_use_of_year *y = sq_table_add(&core->years, &number);
    SQ_ASSERT(y != NULL); /* sq_decide_reserve */
    *y = (struct sq_use_of_year){.year = year, .next = a->year.next};
    a->year.next = number;
    return y;
}

/* ---- the rules ---- */

struct check {
    struct sq_core *core;
    const struct sq_decision *d;
    const struct sq_rows *r;
    size_t row;
    struct sq_touched *t;
    const struct sq_terms *terms;
    struct sq_case c;
    struct sq_entitlement e;
    struct sq_posting *p;
    int64_t face_fen; /* of the voucher; of one that its first use grants, what it is then */
    struct sq_verdict v;
    struct sq_waiver waiver;
};

static int check_voucher(struct check *k)
{
    const struct sq_voucher *w = k->t->voucher;
    return sq_rule(&k->v, !w->revoked, SQ_R_VOUCHER_REVOKED, 0, (int64_t)w->revoked) ||
           sq_rule(&k->v, k->d->day <= w->until_day, SQ_R_VOUCHER_EXPIRED, 0, w->until_day) ||
           sq_rule(&k->v, k->t->account->org != k->d->provider_org, SQ_R_SELF_USE, 0, 0);
}

/* What only rules beyond the plain ones ask for. */
static void fill_case(struct check *k)
{
    struct sq_core *core = k->core;
    struct sq_case *c = &k->c;
    const struct sq_voucher *w = k->t->voucher;
    const struct sq_rows *r = k->r;
    size_t i = k->row;
    c->quantity = r->quantity != NULL ? r->quantity[i] : 0;
    c->documents = r->documents != NULL ? r->documents[i] : 0;
    c->declared = sq_declared_of(r->fact_sets, r->facts, i);
    c->holder = sq_org_facts(core, k->t->account->org);
    c->provider = sq_org_facts(core, k->d->provider_org);
    c->holder_code = sq_org_at(core, k->t->account->org)->code;
    c->provider_code = sq_org_at(core, k->d->provider_org)->code;
    c->voucher = (struct sq_facts){&core->facts, SQ_ROW_NONE};
    if (w->detail != SQ_ROW_NONE) {
        const struct sq_detail *detail = SQ_ROW(&core->details, struct sq_detail, w->detail);
        c->contract_fen = detail->contract_fen;
        c->contract_day = detail->contract_day;
        c->contract_days = detail->contract_days;
        c->voucher.first = detail->facts;
    }
    if ((k->terms->rules & SQ_RULE_WAIVABLE) && k->t->account->overrides != SQ_ROW_NONE) {
        k->waiver = (struct sq_waiver){core, k->terms, k->t->account->overrides, k->d->day, r->voucher[i]};
        k->v.waived = sq_override_lifts;
        k->v.ctx = &k->waiver;
    }
}

/* What is counted when the use is accepted. */
static void fill_posting(struct check *k)
{
    struct sq_core *core = k->core;
    struct sq_posting *p = k->p;
    const struct sq_rows *r = k->r;
    size_t i = k->row;
    p->tracked = 1;
    p->quantity = r->quantity != NULL ? r->quantity[i] : 0;
    p->terms = (uint32_t)(k->terms - (const struct sq_terms *)core->terms.rows);
    p->detail = k->t->voucher->detail;
    if (p->detail != SQ_ROW_NONE)
        p->contract_use = SQ_ROW(&core->details, struct sq_detail, p->detail)->contract_use;
    p->limits = (k->terms->rules & SQ_RULE_LIMITS) ? sq_terms_limits(k->terms, &k->c) : 0;
    p->holder_org = k->t->account->org;
    p->provider_org = k->d->provider_org;
    p->group_org = k->t->account->watched ? sq_org_root(core, p->holder_org, k->c.day) : p->holder_org;
}

static int check_parties(struct check *k)
{
    const struct sq_core *core = k->core;
    uint32_t holder = k->t->account->org, provider = k->d->provider_org;
    if (k->t->account->watched &&
        sq_rule(&k->v, !sq_org_sanctioned(core, holder, 2, k->d->day), SQ_R_HOLDER_SANCTIONED, 0, 0))
        return 1;
    if (sq_org_at(core, provider)->sanctions != SQ_ROW_NONE &&
        sq_rule(&k->v, !sq_org_sanctioned(core, provider, 2, k->d->day), SQ_R_PROVIDER_SANCTIONED, 0, 0))
        return 1;
    return (k->terms->rules & SQ_RULE_RELATED) != 0 && k->t->account->watched &&
           sq_rule(&k->v, !sq_org_related(core, holder, provider, k->terms->related_hops, k->c.day), SQ_R_RELATED_PARTY,
                   0, 0);
}

/* Of two days; 0 is none. */
static uint32_t earlier(uint32_t a, uint32_t b)
{
    return b != 0 && b < a ? b : a;
}
static uint32_t later(uint32_t a, uint32_t b)
{
    return b > a ? b : a;
}

/* All service days of a holder, this one among them, lie within the months of support. */
static int check_support(struct check *k)
{
    static const struct sq_held_days none;
    const struct sq_account *a = k->t->account;
    const struct sq_held_days *held =
        a->held == 0 ? &none : SQ_ROW(&k->core->held_days, struct sq_held_days, a->held - 1);
    uint32_t day = k->c.day, first = earlier(earlier(day, a->first_day), held->first_day);
    uint32_t last = later(later(day, a->last_day), held->last_day);
    return (k->terms->rules & SQ_RULE_SUPPORT) != 0 &&
           sq_rule(&k->v, last < sq_day_add_months(first, (int32_t)k->terms->support_months), SQ_R_SUPPORT_PERIOD, 0,
                   first);
}

/* A delivery record belongs to the voucher it was first claimed from. */
static int check_delivery(struct check *k)
{
    static const uint8_t none[16];
    if (!(k->terms->rules & SQ_RULE_UNIQUE_SERVICE))
        return 0;
    const uint8_t *evidence = k->r->evidence != NULL ? k->r->evidence + k->row * 16 : none;
    int there = memcmp(evidence, none, 16) != 0;
    if (sq_rule(&k->v, there, SQ_R_DOCUMENTS, 4, 0))
        return 1;
    if (!there) /* lifted: there is nothing to be claimed twice */
        return 0;
    uint64_t owner = sq_delivery_voucher(k->core, evidence);
    k->p->delivery = 1;
    return sq_rule(&k->v, owner == 0 || owner == k->r->voucher[k->row], SQ_R_SERVICE_TAKEN, 0, (int64_t)owner);
}

/* What is available of the pool. What a voucher has reserved of it by its grant is spent without asking, while the voucher is alive. */
static int check_pool(struct check *k)
{
    const struct sq_programme *p = k->t->programme;
    if (p->pool_fen == 0 || (p->pool_at == 1 && (sq_voucher_alive(k->core, k->t->voucher) || k->t->voucher->asleep)))
        return 0;
    return sq_rule_amount(&k->v, k->c.amount_fen, p->pool_fen, p->reserved_fen + p->spent_fen, SQ_R_POOL_EXHAUSTED, 0,
                          1);
}

static int check_balances(struct check *k)
{
    const struct sq_mandate *m = k->t->mandate;
    const struct sq_voucher *w = k->t->voucher;
    const struct sq_account *a = k->t->account;
    const struct sq_terms *terms = k->terms;
    int64_t amount = k->c.amount_fen;
    if (sq_rule(&k->v, m != NULL, SQ_R_NO_MANDATE, 0, 0))
        return 1;
    if (m != NULL &&
        (sq_rule(&k->v, k->d->at_ms <= m->until_ms, SQ_R_MANDATE_EXPIRED, 0, (int64_t)m->until_ms) ||
         sq_rule_amount(&k->v, amount, m->limit_fen, m->reserved_fen + m->spent_fen, SQ_R_MANDATE_OVERDRAWN, 0, 1)))
        return 1;
    if (sq_rule_amount(&k->v, amount, k->face_fen, w->reserved_fen + w->spent_fen, SQ_R_VOUCHER_OVERDRAWN, 0, 1))
        return 1;
    if (w->detail != SQ_ROW_NONE) {
        int64_t free = SQ_ROW(&k->core->details, struct sq_detail, w->detail)->free_fen;
        if (free >= 0 && sq_rule_amount(&k->v, amount, free, w->reserved_fen + w->spent_fen, SQ_R_STAGE_NOT_FREE, 0, 1))
            return 1;
    }
    if (terms->cap_year_fen != 0) {
        const struct sq_use_of_year *y = sq_year_used(k->core, k->t->account, k->c.day / 10000, 0);
        int64_t used = y != NULL ? y->spent_fen + y->reserved_fen : 0;
        if (sq_rule_amount(&k->v, amount, terms->cap_year_fen, used, SQ_R_CAP_YEAR, 0, 1))
            return 1;
    }
    return terms->cap_total_fen != 0 &&
           sq_rule_amount(&k->v, amount, terms->cap_total_fen, a->used_fen, SQ_R_CAP_TOTAL, 0, 1);
}

static void begin_explanation(struct check *k)
{
    struct sq_explain *x = k->d->explain;
    x->issuer = k->t->programme->issuer;
    x->number = k->t->programme->number;
    x->amount_fen = k->c.amount_fen;
    x->base_fen = k->c.base_fen;
    x->payable_fen = INT64_MAX;
}

/* From the terms of its service day on. */
static int check_terms(struct check *k)
{
    if (k->terms->rules != 0 || k->t->voucher->detail != SQ_ROW_NONE)
        fill_case(k);
    if (k->d->acquirer != k->core->self &&
        sq_recognition_check(k->core, k->d, k->terms, k->t->programme->kind, k->c.amount_fen, k->c.base_fen, &k->v))
        return 1;
    if (sq_terms_judge(k->terms, &k->c, &k->v, &k->e) || check_parties(k) || check_support(k) || check_balances(k))
        return 1;
    if ((k->terms->rules & (SQ_RULE_LIMITS | SQ_RULE_RELATIONS)) != 0 || k->t->voucher->detail != SQ_ROW_NONE) {
        fill_posting(k);
        if (sq_counts_check(k->core, k->p, &k->v) ||
            sq_relations_check(k->core, k->terms, k->p, k->t->account->holder, SQ_CASE_REDEEM, &k->e, &k->v))
            return 1;
    }
    return check_delivery(k) || check_pool(k);
}

unsigned sq_check_use(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i,
                      struct sq_touched *t, struct sq_posting *p)
{
    struct check k = {.core = core, .d = d, .r = r, .row = i, .t = t, .p = p, .v = {.x = d->explain}};
    unsigned unknown = sq_find_touched(core, d->provider, r->voucher[i], t);
    if (unknown != SQ_OK)
        return sq_rule(&k.v, 0, unknown, 0, 0) ? unknown : k.v.status;
    k.c.step = SQ_CASE_REDEEM;
    k.c.day = r->service_day[i];
    k.c.at_ms = d->at_ms;
    k.c.acquirer_region = d->acquirer_region;
    k.c.amount_fen = r->amount_fen[i];
    k.c.base_fen = r->base_fen[i];
    k.c.service = r->service[i];
    k.c.scenario = r->scenario != NULL ? r->scenario[i] : 0;
    k.c.relaxed = d->agreement != NULL && (d->agreement->kinds >> (t->programme->kind - 1) & 1)
                      ? d->agreement->side[0].relaxed
                      : 0;
    k.c.payee = r->payee != NULL ? r->payee[i] : 0;
    *p = (struct sq_posting){.voucher = r->voucher[i],
                             .amount_fen = k.c.amount_fen,
                             .base_fen = k.c.base_fen,
                             .count = 1,
                             .programme = t->number,
                             .day = k.c.day,
                             .service = k.c.service,
                             .scenario = k.c.scenario,
                             .detail = SQ_ROW_NONE,
                             .contract_use = SQ_ROW_NONE};
    if (d->explain != NULL)
        begin_explanation(&k);
    if (check_voucher(&k))
        return k.v.status;
    k.face_fen = t->voucher->face_fen;
    if (t->voucher->asleep && sq_voucher_may_wake(core, t->number, t->voucher, &k.v, &k.face_fen))
        return k.v.status;
    k.terms = sq_terms_of_day(core, t->programme, k.c.day);
    if (sq_rule(&k.v, k.terms != NULL, SQ_R_SERVICE_DAY, 0, k.c.day) || k.terms == NULL)
        return k.v.status;
    if (d->explain != NULL)
        d->explain->version = k.terms->version;
    (void)check_terms(&k);
    return k.v.status;
}
