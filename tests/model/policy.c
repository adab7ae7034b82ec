/* What is known, and what conditions, windows and days make of it. */
#include <stdlib.h>
#include <time.h>

#include "tests/model/policy_internal.h"

void *pm_more(void *rows, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return rows;
    *room = *room == 0 ? 16 : *room * 2;
    rows = realloc(rows, *room * size);
    if (rows == NULL)
        abort();
    return rows;
}

struct pm *pm_new(void)
{
    return calloc(1, sizeof(struct pm));
}

void pm_free(struct pm *m)
{
    free(m->terms);
    free(m->said);
    free(m->tie);
    free(m->ban);
    free(m->lift);
    free(m->voucher);
    free(m->use);
    free(m->taken);
    free(m->asked);
    free(m);
}

/* ---- days ---- */

static struct tm midnight(uint32_t day)
{
    return (struct tm){
        .tm_year = (int)(day / 10000) - 1900, .tm_mon = (int)(day / 100 % 100) - 1, .tm_mday = (int)(day % 100)};
}

static uint32_t written(time_t t)
{
    struct tm tm;
    gmtime_r(&t, &tm);
    return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday);
}

uint32_t pm_day_of(uint64_t ms)
{
    return written((time_t)(ms / 1000) + 8 * 3600);
}
uint32_t pm_minute_of(uint64_t ms)
{
    return (uint32_t)((ms / 1000 + 8 * 3600) % 86400 / 60);
}

uint32_t pm_days_on(uint32_t day, int days)
{
    struct tm tm = midnight(day);
    return written(timegm(&tm) + (time_t)days * 86400);
}

uint32_t pm_months_on(uint32_t day, int months)
{
    struct tm tm = midnight(day), first = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon + months, .tm_mday = 1},
              next = first;
    uint32_t month = written(timegm(&first)) / 100, last;
    next.tm_mon++;
    last = written(timegm(&next) - 86400);
    return month * 100 + day % 100 < last ? month * 100 + day % 100 : last;
}

uint32_t pm_days_between(uint32_t first, uint32_t last)
{
    struct tm a = midnight(first), b = midnight(last);
    return (uint32_t)((timegm(&b) - timegm(&a)) / 86400) + 1;
}

/* ---- statements ---- */

static int several(uint32_t attribute)
{
    return attribute == 7 || attribute == 13 || attribute == 14 || attribute == 17 || attribute >= 1000;
}

void pm_state(struct pm *m, uint32_t issuer, const char *org, uint32_t attribute, int64_t value, uint32_t from,
              uint32_t until)
{
    struct pm_statement fresh = {
        .issuer = issuer, .attribute = attribute, .from = from, .until = until == 0 ? 99991231 : until, .value = value};
    int known = 0;
    strcpy(fresh.org, org);
    for (size_t i = 0; i < m->said_count; i++) {
        struct pm_statement *s = &m->said[i];
        if (strcmp(s->org, org) != 0 || s->issuer != issuer || s->attribute != attribute)
            continue;
        if (s->value == value) {
            *s = fresh;
            known = 1;
        } else if (!several(attribute) && s->until >= from) {
            s->until = pm_days_on(from, -1);
        }
    }
    if (!known)
        PM_ADD(m->said, fresh);
}

void pm_edge(struct pm *m, const char *owner, const char *owned, uint32_t kind, uint32_t from, uint32_t until)
{
    struct pm_tie fresh = {.kind = kind, .from = from, .until = until == 0 ? 99991231 : until};
    strcpy(fresh.owner, owner);
    strcpy(fresh.owned, owned);
    for (size_t i = 0; i < m->tie_count; i++)
        if (strcmp(m->tie[i].owner, owner) == 0 && strcmp(m->tie[i].owned, owned) == 0 && m->tie[i].kind == kind) {
            m->tie[i] = fresh;
            return;
        }
    PM_ADD(m->tie, fresh);
}

void pm_sanction(struct pm *m, const char *org, uint32_t cause, uint32_t effect, uint32_t from, uint32_t until)
{
    struct pm_ban fresh = {.cause = cause, .effect = effect, .from = from, .until = until == 0 ? 99991231 : until};
    strcpy(fresh.org, org);
    for (size_t i = 0; i < m->ban_count; i++)
        if (strcmp(m->ban[i].org, org) == 0 && m->ban[i].cause == cause) { /* one authority speaks */
            m->ban[i] = fresh;
            return;
        }
    PM_ADD(m->ban, fresh);
}

void pm_override(struct pm *m, uint32_t programme, const char *holder, uint32_t refusal, uint32_t limit,
                 int64_t ceiling, uint32_t until)
{
    struct pm_lift fresh = {
        .programme = programme, .refusal = refusal, .limit = limit, .until = until, .ceiling = ceiling};
    strcpy(fresh.holder, holder);
    PM_ADD(m->lift, fresh);
}

int pm_lifted(const struct pm_case *c, unsigned refusal, uint32_t limit, int64_t sum)
{
    int listed = refusal == SQ_R_LIMIT_SOFT;
    for (size_t i = 0; i < c->p->n_waivable; i++)
        listed |= c->p->waivable[i] == refusal;
    for (size_t i = 0; listed && i < c->m->lift_count; i++) {
        const struct pm_lift *l = &c->m->lift[i];
        if (l->programme == c->p->number && strcmp(l->holder, c->holder) == 0 && l->refusal == refusal &&
            l->limit == limit && pm_day_of(c->m->now) <= l->until && (l->ceiling == 0 || sum < 0 || sum <= l->ceiling))
            return 1;
    }
    return 0;
}

void pm_root(const struct pm *m, const char *org, uint32_t day, char out[PM_NAME])
{
    char at[PM_NAME];
    strcpy(at, org);
    for (int hop = 0; hop < 16; hop++) {
        const struct pm_tie *owner = NULL;
        for (size_t i = 0; i < m->tie_count; i++) /* the one that was stated last */
            if (strcmp(m->tie[i].owned, at) == 0 && m->tie[i].kind == 1 && day >= m->tie[i].from &&
                day <= m->tie[i].until)
                owner = &m->tie[i];
        if (owner == NULL)
            break;
        strcpy(at, owner->owner);
    }
    strcpy(out, at);
}

int pm_related(const struct pm *m, const char *a, const char *b, uint32_t hops, uint32_t day)
{
    if (strcmp(a, b) == 0)
        return 1;
    for (size_t i = 0; hops > 0 && i < m->tie_count; i++) {
        const struct pm_tie *t = &m->tie[i];
        if (day < t->from || day > t->until)
            continue;
        if (strcmp(t->owner, a) == 0 && pm_related(m, t->owned, b, hops - 1, day))
            return 1;
        if (strcmp(t->owned, a) == 0 && pm_related(m, t->owner, b, hops - 1, day))
            return 1;
    }
    return 0;
}

/* ---- conditions ---- */

static int in_ranges(const Sanquan__V1__Condition *k, int64_t v)
{
    for (size_t i = 0; i < k->n_low; i++)
        if (v >= k->low[i] && v <= k->high[i])
            return 1;
    return 0;
}

/* All values that a party has for an attribute on the day; how many, at most 16. */
static size_t values_of(const struct pm_case *c, const char *org, uint32_t attribute, int64_t v[16])
{
    size_t n = 0, own = 0;
    for (int node = 0; node < 2; node++) {
        uint32_t issuer = node ? 0 : c->p->issuer;
        if (node && own != 0 && !several(attribute))
            break; /* the issuer's own word hides the node's */
        for (size_t i = 0; i < c->m->said_count; i++) {
            const struct pm_statement *s = &c->m->said[i];
            if (strcmp(s->org, org) == 0 && s->issuer == issuer && s->attribute == attribute && c->day >= s->from &&
                c->day <= s->until && n < 16)
                v[n++] = s->value;
        }
        own = n;
    }
    if (n == 0 && attribute == 1) {
        v[0] = 0;
        for (int i = 2; i < 8; i++)
            v[0] = v[0] * 10 + (org[i] - '0');
        n = 1;
    }
    return n;
}

int pm_on_list(const struct pm *m, uint32_t issuer, const char *org, uint32_t list, uint32_t day)
{
    const Sanquan__V1__Programme p = {.issuer = issuer};
    const struct pm_case c = {.m = m, .p = &p, .day = day};
    int64_t v[16];
    int member = 0;
    for (size_t i = 0, n = values_of(&c, org, list, v); i < n; i++)
        member |= v[i] == 1;
    return member;
}

static int listed(const struct pm_fact *f, uint32_t attribute, int64_t *v)
{
    for (int i = 0; i < PM_FACTS && f[i].attribute != 0; i++)
        if (f[i].attribute == attribute) {
            *v = f[i].value;
            return 1;
        }
    return 0;
}

static int own_value(const struct pm_case *c, uint32_t subject, uint32_t attribute, int64_t *v)
{
    switch (attribute) {
    case 20:
        *v = c->row->service;
        return 1;
    case 21:
        *v = c->row->scenario;
        return c->row->scenario != 0;
    case 22:
        *v = c->row->base;
        return 1;
    case 23:
        *v = c->g->contract_day;
        return c->g->contract_day != 0;
    case 24:
        if (c->g->contract_from == 0)
            return 0;
        *v = pm_days_between(c->g->contract_from, c->g->contract_until);
        return 1;
    case 25:
        *v = c->g->contract;
        return c->g->contract != 0;
    default:
        return listed(subject == 3 ? c->g->fact : c->row->fact, attribute, v);
    }
}

static int holds(const struct pm_case *c, const Sanquan__V1__Condition *k)
{
    int64_t v[16], one;
    size_t n = 0;
    int any = 0;
    if (c->grant && (k->subject == 2 || k->subject == 4 || k->test == 3))
        return 1; /* nobody knows yet */
    if (k->step != 0 && (k->step == 1) != c->grant)
        return 1;
    if (k->subject == 1 || k->subject == 2) {
        n = values_of(c, k->subject == 1 ? c->holder : c->provider, k->attribute, v);
        for (size_t i = 0; i < n; i++)
            any |= in_ranges(k, v[i]);
    } else if (own_value(c, k->subject, k->attribute, &one)) {
        if (k->test <= 2) {
            any = in_ranges(k, one);
        } else {
            n = values_of(c, k->test == 3 ? c->provider : c->holder, k->attribute, v);
            for (size_t i = 0; i < n; i++)
                any |= v[i] == one;
        }
    }
    return k->test == 2 ? !any : any;
}

int pm_group_holds(const struct pm_case *c, uint32_t group)
{
    for (size_t i = 0; group != 0 && i < c->p->n_conditions; i++)
        if (c->p->conditions[i]->group == group && !holds(c, c->p->conditions[i]))
            return 0;
    return 1;
}

static unsigned refusal_of(const Sanquan__V1__Condition *k)
{
    uint32_t a = k->attribute;
    if (k->subject == 1)
        return a == 1 || a == 2 || a == 7 ? SQ_R_HOLDER_REGION : a == 3 ? SQ_R_HOLDER_SECTOR : SQ_R_HOLDER_CONDITION;
    if (k->subject == 2)
        return a == 1 || a == 2 || a == 7 ? SQ_R_PROVIDER_REGION
               : a >= 1000                ? SQ_R_PROVIDER_LIST
                                          : SQ_R_PROVIDER_CONDITION;
    if (k->subject == 3)
        return a >= 23 && a <= 25 ? SQ_R_CONTRACT_TERMS : SQ_R_VOUCHER_CONDITION;
    return a == 14 ? SQ_R_CHANNEL : a == 13 ? SQ_R_FILING : a == 20 ? SQ_R_SERVICE : SQ_R_CLAIM_CONDITION;
}

unsigned pm_conditions(const struct pm_case *c)
{
    for (size_t i = 0; i < c->p->n_conditions; i++) {
        const Sanquan__V1__Condition *k = c->p->conditions[i];
        if (k->group == 0 && !holds(c, k) && !pm_lifted(c, refusal_of(k), 0, -1))
            return refusal_of(k);
    }
    return 0;
}

/* ---- windows ---- */

int pm_open(const struct pm_case *c)
{
    uint32_t day = pm_day_of(c->m->now), minute = pm_minute_of(c->m->now);
    int any = 0;
    for (size_t i = 0; i < c->p->n_windows; i++) {
        const Sanquan__V1__ClaimWindow *w = c->p->windows[i];
        if ((w->step == 1) != c->grant)
            continue;
        any = 1;
        for (int turn = 0; turn < 400; turn++) { /* every turn there ever was */
            uint32_t from = pm_months_on(w->from_day, turn * (int)w->every_months),
                     until = pm_months_on(w->until_day, turn * (int)w->every_months);
            if (from > day || (turn > 0 && w->every_months == 0))
                break;
            if (day < until || (day == until && (w->closes_minute == 0 || minute < w->closes_minute)))
                return 1;
        }
    }
    return !any;
}
