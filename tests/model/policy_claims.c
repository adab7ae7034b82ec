/* Grants and uses: each rule in its order, each sum added up from all that ever happened. */
#include "tests/model/policy_internal.h"

void pm_programme(struct pm *m, const Sanquan__V1__Programme *p)
{
    PM_ADD(m->terms, p);
}

static const Sanquan__V1__Programme *newest(const struct pm *m, uint32_t programme)
{
    const Sanquan__V1__Programme *found = NULL;
    for (size_t i = 0; i < m->terms_count; i++)
        if (m->terms[i]->number == programme)
            found = m->terms[i];
    return found;
}

static const Sanquan__V1__Programme *in_force(const struct pm *m, uint32_t programme, uint32_t day)
{
    const Sanquan__V1__Programme *found = NULL;
    for (size_t i = 0; i < m->terms_count; i++)
        if (m->terms[i]->number == programme && day >= m->terms[i]->from_day && day <= m->terms[i]->until_day)
            found = m->terms[i];
    return found;
}

enum { REVOKED = 1, REVOKED_UNUSED };

static int alive(const struct pm *m, const struct pm_voucher *v)
{
    return !v->revoked && pm_day_of(m->now) <= v->g.until;
}

struct pm_voucher *pm_voucher_of(const struct pm *m, uint64_t number)
{
    for (size_t i = 0; i < m->voucher_count; i++)
        if (m->voucher[i].number == number)
            return &m->voucher[i];
    return NULL;
}

void pm_at(struct pm *m, uint64_t now_ms)
{
    m->now = now_ms;
    for (size_t i = 0; i < m->use_count; i++)
        if (m->use[i].held && m->use[i].ends < now_ms)
            m->use[i].row.amount = m->use[i].row.base = m->use[i].row.quantity = 0; /* its time is over */
}

void pm_revoke(struct pm *m, uint64_t voucher)
{
    struct pm_voucher *v = pm_voucher_of(m, voucher);
    if (!v->revoked)
        v->revoked = pm_spent(m, voucher) == 0 && pm_reserved(m, voucher) == 0 ? REVOKED_UNUSED : REVOKED;
}

/* ---- sums ---- */

static const struct pm_voucher *of_use(const struct pm *m, const struct pm_use *u)
{
    return &m->voucher[u->voucher];
}

int64_t pm_spent(const struct pm *m, uint64_t voucher)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->use_count; i++)
        if (of_use(m, &m->use[i])->number == voucher && !m->use[i].held)
            sum += m->use[i].row.amount;
    return sum - pm_back(m, voucher);
}

/* Whatever it was used for, also what was taken back since. */
static int64_t ever_spent(const struct pm *m, uint64_t voucher)
{
    return pm_spent(m, voucher) + pm_back(m, voucher);
}

int64_t pm_paid(const struct pm *m, const struct pm_voucher *v, const char *provider)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->use_count; i++)
        if (of_use(m, &m->use[i]) == v && !m->use[i].held && strcmp(m->use[i].provider, provider) == 0)
            sum += m->use[i].row.amount;
    for (size_t i = 0; i < m->taken_count; i++)
        if (&m->voucher[m->taken[i].voucher] == v && strcmp(m->taken[i].provider, provider) == 0)
            sum -= m->taken[i].fen;
    return sum;
}

int64_t pm_reserved(const struct pm *m, uint64_t voucher)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->use_count; i++)
        if (of_use(m, &m->use[i])->number == voucher && m->use[i].held)
            sum += m->use[i].row.amount;
    return sum;
}

int64_t pm_programme_spent(const struct pm *m, uint32_t programme)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->use_count; i++)
        if (of_use(m, &m->use[i])->programme == programme && !m->use[i].held)
            sum += m->use[i].row.amount;
    for (size_t i = 0; i < m->taken_count; i++)
        if (m->voucher[m->taken[i].voucher].programme == programme)
            sum -= m->taken[i].fen;
    return sum;
}

static int64_t programme_held(const struct pm *m, uint32_t programme)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->use_count; i++)
        if (of_use(m, &m->use[i])->programme == programme && m->use[i].held)
            sum += m->use[i].row.amount;
    return sum;
}

/* What vouchers that are alive may still spend. */
static int64_t promised(const struct pm *m, uint32_t programme)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->voucher_count; i++)
        if (m->voucher[i].programme == programme && alive(m, &m->voucher[i]))
            sum += m->voucher[i].g.face - pm_spent(m, m->voucher[i].number);
    return sum;
}

/* ---- limits ---- */

static uint32_t period_of(uint32_t period, uint32_t day)
{
    uint32_t month = day / 100 % 100;
    return period == 0   ? 0
           : period == 1 ? day / 10000
           : period == 2 ? day / 10000 * 10 + (month - 1) / 3 + 1
                         : day / 100;
}

static int64_t measure(uint32_t unit, int64_t amount, int64_t base, int64_t quantity)
{
    return unit == 1 ? amount : unit == 2 ? base : unit == 3 ? amount > 0 : quantity;
}

/* Is this earlier use counted by the limit for the same subject as the case at hand? */
static int same_subject(const struct pm_case *c, const Sanquan__V1__Limit *l, const struct pm_use *u, const char *root)
{
    const struct pm_voucher *v = of_use(c->m, u);
    switch (l->scope) {
    case 2:
        return v->number == c->voucher;
    case 3:
        return v->g.contract_number == c->g->contract_number;
    case 4:
        return strcmp(v->holder, c->holder) == 0;
    case 5:
        return strcmp(u->root, root) == 0;
    case 6:
        return strcmp(u->provider, c->provider) == 0;
    case 7:
        return 1;
    case 8:
        return u->row.service == c->row->service;
    case 9:
        return u->row.scenario == c->row->scenario;
    default:
        return 0;
    }
}

static int64_t used_of_limit(const struct pm_case *c, const Sanquan__V1__Limit *l, const char *root)
{
    int64_t sum = 0;
    if (c->grant) {
        for (size_t i = 0; i < c->m->voucher_count; i++) {
            const struct pm_voucher *v = &c->m->voucher[i];
            if (v->programme != c->p->number || !v->counted[l->number] ||
                period_of(l->period, v->given) != period_of(l->period, c->day))
                continue;
            if (l->scope == 7 || (l->scope == 4 && strcmp(v->holder, c->holder) == 0) ||
                (l->scope == 5 && strcmp(v->root, root) == 0) ||
                (l->scope == 3 && v->g.contract_number == c->g->contract_number))
                sum += measure(l->unit, v->g.face, 0, v->g.quota);
        }
        return sum;
    }
    for (size_t i = 0; i < c->m->use_count; i++) {
        const struct pm_use *u = &c->m->use[i];
        if (of_use(c->m, u)->programme == c->p->number && u->counted[l->number] &&
            period_of(l->period, u->row.day) == period_of(l->period, c->day) && same_subject(c, l, u, root))
            sum += measure(l->unit, u->row.amount, u->row.base, u->row.quantity);
    }
    return sum;
}

static int has_subject(const struct pm_case *c, const Sanquan__V1__Limit *l)
{
    return l->scope == 3 ? c->g->contract_number != 0 : l->scope == 9 ? c->row != NULL && c->row->scenario != 0 : 1;
}

static unsigned check_limits(const struct pm_case *c, int64_t amount, int64_t base, int64_t quantity, const char *root,
                             uint8_t counted[256])
{
    for (size_t i = 0; i < c->p->n_limits; i++) {
        const Sanquan__V1__Limit *l = c->p->limits[i];
        if ((l->step == 1) != c->grant || !pm_group_holds(c, l->group))
            continue;
        counted[l->number] = l->scope != 1 && has_subject(c, l);
        if (!has_subject(c, l))
            continue;
        int64_t sum = measure(l->unit, amount, base, quantity) + (l->scope == 1 ? 0 : used_of_limit(c, l, root));
        if (l->hard != 0 && sum > l->hard)
            return SQ_R_LIMIT;
        if (l->soft != 0 && sum > l->soft && !pm_lifted(c, SQ_R_LIMIT_SOFT, l->number, sum))
            return SQ_R_LIMIT_SOFT;
    }
    return 0;
}

/* ---- relations ---- */

static int64_t contract_sum(const struct pm_case *c, uint32_t programme, int of_base)
{
    int64_t sum = 0;
    for (size_t i = 0; i < c->m->use_count; i++) {
        const struct pm_voucher *v = of_use(c->m, &c->m->use[i]);
        if (v->programme == programme && v->g.contract_number != 0 && v->g.contract_number == c->g->contract_number)
            sum += of_base ? c->m->use[i].row.base : c->m->use[i].row.amount;
    }
    return sum;
}

static int64_t support(const struct pm_case *c, const Sanquan__V1__Relation *r)
{
    int64_t sum = 0;
    if (r->state == 2 && r->scope == 3)
        return contract_sum(c, r->number, 0);
    for (size_t i = 0; i < c->m->voucher_count; i++) {
        const struct pm_voucher *v = &c->m->voucher[i];
        int same = r->scope == 3 ? c->g->contract_number != 0 && v->g.contract_number == c->g->contract_number
                                 : strcmp(v->holder, c->holder) == 0;
        if (v->programme == r->number && same)
            sum += r->state == 1 ? v->g.face : ever_spent(c->m, v->number) + pm_reserved(c->m, v->number);
    }
    return sum;
}

static unsigned check_relations(const struct pm_case *c, int64_t amount, int64_t base, uint32_t rate_bp, int64_t lump)
{
    for (size_t i = 0; i < c->p->n_relations; i++) {
        const Sanquan__V1__Relation *r = c->p->relations[i];
        if (r->together <= 2) {
            if (c->grant && r->state != 1)
                continue;
            int there = support(c, r) > 0;
            unsigned refusal = r->together == 1 ? SQ_R_EXCLUDED : SQ_R_REQUIRED;
            if (there != (r->together == 2) && !pm_lifted(c, refusal, 0, -1))
                return refusal;
            continue;
        }
        if (c->grant)
            continue;
        if (c->g->contract_number == 0 && pm_lifted(c, SQ_R_CONTRACT_TERMS, 0, -1))
            continue;
        if (c->g->contract_number == 0)
            return SQ_R_CONTRACT_TERMS;
        int64_t own = contract_sum(c, c->p->number, 0), bases = contract_sum(c, c->p->number, 1) + base,
                other = contract_sum(c, r->number, 0);
        if (r->together == 3) {
            int64_t alone = lump != 0 ? lump : (int64_t)((__int128)bases * rate_bp / 10000),
                    most = alone > other ? alone : other;
            if (amount + own + other > most)
                return SQ_R_HIGHER_ONLY;
        } else {
            int64_t their_bases = contract_sum(c, r->number, 1), whole = c->g->contract != 0   ? c->g->contract
                                                                         : their_bases > bases ? their_bases
                                                                                               : bases;
            if (amount + own + other > (int64_t)((__int128)whole * r->limit_bp / 10000))
                return SQ_R_SHARE_LIMIT;
        }
    }
    return 0;
}

/* ---- amounts ---- */

struct worth {
    int64_t fen, lump, cap;
    uint32_t rate;
    int found;
};

static struct worth worth_of(const struct pm_case *c)
{
    struct worth w = {.rate = c->p->rate_bp, .found = c->p->rate_bp != 0};
    int tier = 0;
    for (size_t i = 0; i < c->p->n_tiers; i++) {
        const Sanquan__V1__Tier *t = c->p->tiers[i];
        int64_t fen = t->lump_fen != 0 ? t->lump_fen : (int64_t)((__int128)c->base * t->rate_bp / 10000);
        if (!pm_group_holds(c, t->group))
            continue;
        if (!tier || ((c->p->tier_choice == 1 || c->grant) && fen > w.fen))
            w = (struct worth){fen, t->lump_fen, t->cap_claim_fen, t->rate_bp, 1};
        tier = 1;
    }
    if (!tier)
        w.fen = (int64_t)((__int128)c->base * c->p->rate_bp / 10000);
    return w;
}

static unsigned check_documents(const uint32_t *kinds, size_t n, uint32_t there, const struct pm_case *c)
{
    for (size_t i = 0; i < n; i++)
        if (!(there >> (kinds[i] - 1) & 1) && !pm_lifted(c, SQ_R_DOCUMENTS, 0, -1))
            return SQ_R_DOCUMENTS;
    return 0;
}

static int banned(const struct pm *m, const char *org, uint32_t effect, uint32_t day)
{
    for (size_t i = 0; i < m->ban_count; i++)
        if (strcmp(m->ban[i].org, org) == 0 && m->ban[i].effect >= effect && day >= m->ban[i].from &&
            day <= m->ban[i].until)
            return 1;
    return 0;
}

/* ---- a grant ---- */

static int was_banned(const struct pm_case *c)
{
    const Sanquan__V1__Programme *p = c->p;
    if (p->sanction_months == 0 && p->n_sanction_causes == 0)
        return 0;
    uint32_t since = pm_months_on(c->day, -(int)p->sanction_months);
    for (size_t i = 0; i < c->m->ban_count; i++) {
        const struct pm_ban *b = &c->m->ban[i];
        int cause = p->n_sanction_causes == 0;
        for (size_t k = 0; k < p->n_sanction_causes; k++)
            cause |= p->sanction_causes[k] == b->cause;
        if (strcmp(b->org, c->holder) == 0 && cause && b->from <= c->day && b->until >= since)
            return 1;
    }
    return 0;
}

static int contract_taken(const struct pm_case *c)
{
    for (size_t i = 0; i < c->m->voucher_count; i++) {
        const struct pm_voucher *v = &c->m->voucher[i];
        if (v->g.contract_number == c->g->contract_number &&
            (c->p->unique_contract > 1 || v->programme == c->p->number) && v->revoked != REVOKED_UNUSED)
            return 1; /* all programmes of these tests are of one issuer */
    }
    return 0;
}

static unsigned judge_grant(const struct pm_case *c, const char *root, uint8_t counted[256])
{
    const Sanquan__V1__Programme *p = c->p, *last = newest(c->m, p->number);
    unsigned refusal;
    if (banned(c->m, c->holder, 1, c->day) || was_banned(c))
        return SQ_R_HOLDER_SANCTIONED;
    if (p->validity_days != 0 && c->g->until > pm_days_on(c->day, (int)p->validity_days))
        return SQ_R_VALIDITY;
    if (!pm_open(c) && !pm_lifted(c, SQ_R_WINDOW_CLOSED, 0, -1))
        return SQ_R_WINDOW_CLOSED;
    if ((refusal = pm_conditions(c)) != 0 ||
        (refusal = check_documents(p->grant_documents, p->n_grant_documents, c->g->documents, c)) != 0)
        return refusal;
    struct worth w = worth_of(c);
    if (c->base != 0 || w.lump != 0) {
        if (!w.found)
            return SQ_R_NO_TIER;
        if (c->g->face > w.fen)
            return SQ_R_RATE_EXCEEDED;
    }
    if (p->unique_contract != 0 && c->g->contract_number == 0 && !pm_lifted(c, SQ_R_CONTRACT_TERMS, 0, -1))
        return SQ_R_CONTRACT_TERMS;
    if (p->unique_contract != 0 && c->g->contract_number != 0 && contract_taken(c))
        return SQ_R_CONTRACT_TAKEN;
    if ((refusal = check_limits(c, c->g->face, 0, c->g->quota, root, counted)) != 0 ||
        (refusal = check_relations(c, 0, 0, 0, 0)) != 0)
        return refusal;
    if (last->pool_at == 1 && c->g->until >= c->day &&
        c->g->face > last->pool_fen - promised(c->m, p->number) - pm_programme_spent(c->m, p->number))
        return SQ_R_POOL_EXHAUSTED;
    return 0;
}

const Sanquan__V1__Programme *pm_terms_today(const struct pm *m, uint32_t programme)
{
    const Sanquan__V1__Programme *p = in_force(m, programme, pm_day_of(m->now));
    return p != NULL ? p : newest(m, programme);
}

static struct pm_case case_of_grant(struct pm *m, uint32_t programme, const char *holder, const struct pm_grant *g)
{
    struct pm_case c = {
        .m = m, .grant = 1, .day = pm_day_of(m->now), .holder = holder, .provider = "", .g = g, .voucher = 0};
    c.p = pm_terms_today(m, programme);
    c.base = c.p->base_kind == 1 ? g->contract : c.p->base_kind == 2 ? g->approved : 0;
    return c;
}

int64_t pm_face_most(struct pm *m, uint32_t programme, const char *holder, const struct pm_grant *g)
{
    struct pm_case c = case_of_grant(m, programme, holder, g);
    struct worth w = worth_of(&c);
    return c.base == 0 && w.lump == 0 ? INT64_MAX : w.found ? w.fen : 0;
}

int64_t pm_left_for_grants(const struct pm *m, uint32_t programme)
{
    const Sanquan__V1__Programme *last = newest(m, programme);
    int64_t faces = 0;
    if (last->pool_fen == 0)
        return -1;
    for (size_t i = 0; i < m->voucher_count; i++)
        faces += m->voucher[i].programme == programme ? m->voucher[i].g.face : 0;
    int64_t left =
        last->pool_fen - (last->pool_at == 1 ? promised(m, programme) + pm_programme_spent(m, programme) : faces);
    return left > 0 ? left : 0;
}

unsigned pm_give(struct pm *m, uint32_t programme, const char *holder, uint64_t number, const struct pm_grant *g)
{
    struct pm_voucher v = {.number = number, .programme = programme, .given = pm_day_of(m->now), .g = *g};
    struct pm_case c = case_of_grant(m, programme, holder, g);
    strcpy(v.holder, holder);
    pm_root(m, holder, v.given, v.root);
    unsigned refusal = judge_grant(&c, v.root, v.counted);
    v.terms = c.p;
    v.last_day = v.given;
    for (uint32_t i = 0; i < c.p->n_stages; i++)
        v.free |= c.p->stages[i]->trigger == 1 ? 1u << i : 0;
    if (refusal == 0)
        PM_ADD(m->voucher, v);
    return refusal;
}

/* ---- a use ---- */

static unsigned judge_terms(const struct pm_case *c, struct worth *w)
{
    const Sanquan__V1__Programme *p = c->p;
    const struct pm_row *r = c->row;
    unsigned refusal;
    int found = p->n_provider_regions == 0;
    for (size_t i = 0; i < p->n_provider_regions; i++)
        found |= p->provider_regions[i] == c->region;
    if (!found && !pm_lifted(c, SQ_R_PROVIDER_REGION, 0, -1))
        return SQ_R_PROVIDER_REGION;
    if (!pm_open(c) && !pm_lifted(c, SQ_R_WINDOW_CLOSED, 0, -1))
        return SQ_R_WINDOW_CLOSED;
    found = p->n_services == 0;
    for (size_t i = 0; i < p->n_services; i++)
        found |= p->services[i] == r->service;
    if (!found)
        return SQ_R_SERVICE;
    if (p->payee == 3 ? r->payee != 1 && r->payee != 2 : r->payee != 0 && r->payee != (p->payee == 2 ? 2 : 1))
        return SQ_R_PAYEE;
    if ((refusal = pm_conditions(c)) != 0 ||
        (refusal = check_documents(p->redeem_documents, p->n_redeem_documents, r->documents, c)) != 0)
        return refusal;
    if (r->base < p->min_claim_fen && !pm_lifted(c, SQ_R_BELOW_MINIMUM, 0, -1))
        return SQ_R_BELOW_MINIMUM;
    if (p->unit_price_fen != 0 && (__int128)r->base * p->unit_size > (__int128)r->quantity * p->unit_price_fen)
        return SQ_R_METERED;
    *w = worth_of(c);
    if (p->n_tiers != 0 && !w->found)
        return SQ_R_NO_TIER;
    if (r->amount > w->fen)
        return SQ_R_RATE_EXCEEDED;
    if (((w->cap != 0 && r->amount > w->cap) || (p->cap_claim_fen != 0 && r->amount > p->cap_claim_fen)) &&
        !pm_lifted(c, SQ_R_CAP_CLAIM, 0, r->amount))
        return SQ_R_CAP_CLAIM;
    return 0;
}

static unsigned judge_parties(const struct pm_case *c)
{
    uint32_t first = c->day, last = c->day, today = pm_day_of(c->m->now);
    if (banned(c->m, c->holder, 2, today))
        return SQ_R_HOLDER_SANCTIONED;
    if (banned(c->m, c->provider, 2, today))
        return SQ_R_PROVIDER_SANCTIONED;
    if (c->p->related_hops != 0 && pm_related(c->m, c->holder, c->provider, c->p->related_hops, c->day))
        return SQ_R_RELATED_PARTY;
    /* Whatever was spent counts, also what was given back since. */
    for (size_t i = 0; c->p->support_months != 0 && i < c->m->use_count; i++) {
        const struct pm_use *u = &c->m->use[i];
        const struct pm_voucher *v = of_use(c->m, u);
        if (u->held || v->programme != c->p->number || strcmp(v->holder, c->holder) != 0)
            continue;
        first = u->row.day < first ? u->row.day : first;
        last = u->row.day > last ? u->row.day : last;
    }
    if (c->p->support_months != 0 && last >= pm_months_on(first, (int)c->p->support_months) &&
        !pm_lifted(c, SQ_R_SUPPORT_PERIOD, 0, -1))
        return SQ_R_SUPPORT_PERIOD;
    return 0;
}

static unsigned judge_balances(const struct pm_case *c)
{
    const Sanquan__V1__Programme *p = c->p;
    int64_t amount = c->row->amount, year = 0, life = 0, bases = 0, quantity = 0;
    if (amount > c->g->face - pm_spent(c->m, c->voucher) - pm_reserved(c->m, c->voucher))
        return SQ_R_VOUCHER_OVERDRAWN;
    int64_t free = pm_set_free(c->m, c->voucher);
    if (free >= 0 && amount > free - pm_spent(c->m, c->voucher) - pm_reserved(c->m, c->voucher))
        return SQ_R_STAGE_NOT_FREE;
    for (size_t i = 0; i < c->m->use_count; i++) {
        const struct pm_use *u = &c->m->use[i];
        const struct pm_voucher *v = of_use(c->m, u);
        if (v->programme == p->number && strcmp(v->holder, c->holder) == 0) {
            life += u->row.amount;
            year += u->row.day / 10000 == c->day / 10000 ? u->row.amount : 0;
        }
        if (v->number == c->voucher) {
            bases += u->row.base;
            quantity += u->row.quantity;
        }
    }
    if (p->cap_year_fen != 0 && amount + year > p->cap_year_fen && !pm_lifted(c, SQ_R_CAP_YEAR, 0, amount + year))
        return SQ_R_CAP_YEAR;
    if (p->cap_total_fen != 0 && amount + life > p->cap_total_fen && !pm_lifted(c, SQ_R_CAP_TOTAL, 0, amount + life))
        return SQ_R_CAP_TOTAL;
    int64_t most = p->base_kind == 1 ? c->g->contract : p->base_kind == 2 ? c->g->approved : 0;
    if (most != 0 && c->row->base + bases > most)
        return SQ_R_CONTRACT_BASE;
    return c->g->quota != 0 && c->row->quantity + quantity > c->g->quota ? SQ_R_QUOTA : 0;
}

static unsigned judge_delivery(const struct pm_case *c)
{
    if (c->p->unique_service == 0)
        return 0;
    if (c->row->evidence == 0)
        return pm_lifted(c, SQ_R_DOCUMENTS, 0, -1) ? 0 : SQ_R_DOCUMENTS;
    for (size_t i = 0; i < c->m->use_count; i++) { /* the programme that claimed it asked the same */
        const struct pm_use *u = &c->m->use[i];
        const Sanquan__V1__Programme *then = in_force(c->m, of_use(c->m, u)->programme, u->row.day);
        if (!u->held && u->row.evidence == c->row->evidence && then != NULL && then->unique_service != 0 &&
            of_use(c->m, u)->number != c->voucher)
            return SQ_R_SERVICE_TAKEN;
    }
    return 0;
}

static unsigned judge_use(struct pm *m, const char *provider, uint32_t region, const struct pm_row *r,
                          struct pm_use *fresh)
{
    const struct pm_voucher *v = pm_voucher_of(m, r->voucher);
    struct worth w = {0};
    unsigned refusal;
    if (v == NULL)
        return newest(m, (uint32_t)(r->voucher / 1000000000u % 10000u)) == NULL ? SQ_R_UNKNOWN_PROGRAMME
                                                                                : SQ_R_UNKNOWN_VOUCHER;
    if (v->revoked)
        return SQ_R_VOUCHER_REVOKED;
    if (pm_day_of(m->now) > v->g.until)
        return SQ_R_VOUCHER_EXPIRED;
    if (strcmp(v->holder, provider) == 0)
        return SQ_R_SELF_USE;
    struct pm_case c = {
        m, in_force(m, v->programme, r->day), 0, r->day, region, v->holder, provider, &v->g, r, r->base, v->number};
    if (c.p == NULL)
        return SQ_R_SERVICE_DAY;
    *fresh = (struct pm_use){.voucher = (size_t)(v - m->voucher), .row = *r};
    strcpy(fresh->provider, provider);
    pm_root(m, v->holder, r->day, fresh->root);
    if ((refusal = judge_terms(&c, &w)) != 0 || (refusal = judge_parties(&c)) != 0 ||
        (refusal = judge_balances(&c)) != 0 ||
        (refusal = check_limits(&c, r->amount, r->base, r->quantity, fresh->root, fresh->counted)) != 0 ||
        (refusal = check_relations(&c, r->amount, r->base, w.rate, w.lump)) != 0 || (refusal = judge_delivery(&c)) != 0)
        return refusal;
    const Sanquan__V1__Programme *last = newest(m, v->programme);
    if (last->pool_fen != 0 && last->pool_at == 0 &&
        r->amount > last->pool_fen - pm_programme_spent(m, v->programme) - programme_held(m, v->programme))
        return SQ_R_POOL_EXHAUSTED;
    return 0;
}

unsigned pm_would(struct pm *m, const char *provider, uint32_t region, const struct pm_row *row)
{
    struct pm_use unused;
    return judge_use(m, provider, region, row, &unused);
}

static struct pm_use *hold_of(struct pm *m, const char *provider, uint64_t number)
{
    for (size_t i = 0; i < m->use_count; i++)
        if (m->use[i].held && m->use[i].row.reservation == number && strcmp(m->use[i].provider, provider) == 0)
            return &m->use[i];
    return NULL;
}

static unsigned give_back(struct pm *m, const char *provider, const struct pm_row *r)
{
    for (size_t i = 0; i < m->use_count; i++) {
        struct pm_use *u = &m->use[i];
        if (u->held || of_use(m, u)->number != r->voucher || u->row.invoice != r->invoice || u->row.invoice == 0)
            continue;
        if (r->amount > u->row.amount || r->base > u->row.base || r->quantity > u->row.quantity ||
            r->amount > pm_paid(m, of_use(m, u), provider))
            return SQ_R_RETURN_EXCEEDS;
        u->row.amount -= r->amount;
        u->row.base -= r->base;
        u->row.quantity -= r->quantity;
        return 0;
    }
    return SQ_R_RETURN_EXCEEDS;
}

unsigned pm_decide(struct pm *m, const char *provider, uint32_t region, uint64_t reserve_until_ms,
                   const struct pm_row *r)
{
    struct pm_use fresh = {0}, *hold = NULL;
    unsigned refusal;
    if (r->verb == 5)
        return give_back(m, provider, r);
    if (r->verb == 2 && hold_of(m, provider, r->reservation) != NULL)
        return SQ_R_RESERVATION_EXISTS;
    if (r->verb == 3 || r->verb == 4) {
        hold = hold_of(m, provider, r->reservation);
        if (hold == NULL || hold->row.amount == 0 || of_use(m, hold)->number != r->voucher)
            return SQ_R_RESERVATION_UNKNOWN;
        if (r->verb == 3 && r->amount > hold->row.amount)
            return SQ_R_RESERVATION_EXCEEDED;
    }
    struct pm_row held = hold != NULL ? hold->row : (struct pm_row){0};
    if (hold != NULL)
        hold->row.amount = hold->row.base = hold->row.quantity = 0;
    if (r->verb == 4)
        return 0;
    if ((refusal = judge_use(m, provider, region, r, &fresh)) != 0) {
        if (hold != NULL)
            hold->row = held; /* it goes on holding */
        return refusal;
    }
    fresh.held = r->verb == 2;
    fresh.ends = reserve_until_ms;
    PM_ADD(m->use, fresh);
    return 0;
}
