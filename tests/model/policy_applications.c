/* Who asks for a voucher, and who gets one: one after the other, each time looking for the best of those that are left. */
#include "tests/model/policy_internal.h"

unsigned pm_apply(struct pm *m, uint32_t programme, const char *holder, const struct pm_application *a)
{
    const struct pm_case c = {.m = m, .p = pm_terms_today(m, programme), .grant = 1};
    struct pm_asked fresh = {.programme = programme, .day = pm_day_of(m->now), .number = 1, .a = *a};
    if (a->asked <= 0)
        return SQ_R_AMOUNT;
    if (a->side < 1 || a->side > 2)
        return SQ_R_APPLICATION;
    if ((a->g.contract_from == 0) != (a->g.contract_until == 0) || a->g.contract_from > a->g.contract_until)
        return SQ_R_CONTRACT_TERMS;
    if (!pm_open(&c))
        return SQ_R_WINDOW_CLOSED;
    for (size_t i = 0; i < m->asked_count; i++)
        fresh.number += m->asked[i].programme == programme;
    strcpy(fresh.holder, holder);
    PM_ADD(m->asked, fresh);
    return 0;
}

unsigned pm_assess(struct pm *m, uint32_t programme, uint64_t application, int64_t approved, uint32_t score,
                   uint32_t grade, uint32_t verdict)
{
    for (size_t i = 0; i < m->asked_count; i++) {
        struct pm_asked *a = &m->asked[i];
        if (a->programme != programme || a->number != application || a->closed)
            continue;
        a->a.g.approved = approved;
        a->score = score;
        a->grade = grade;
        a->verdict = verdict;
        return 0;
    }
    return SQ_R_APPLICATION;
}

/* ---- allocation ---- */

struct wish {
    struct pm_asked *of;
    struct pm_grant g;
    int beaten, done;
};

/* What the office found stands before what was said of the project. */
static struct pm_grant granted_on(const struct pm_asked *a, uint32_t until)
{
    struct pm_grant g = a->a.g;
    int n = 0;
    g.until = until;
    memset(g.fact, 0, sizeof g.fact);
    if (a->grade != 0)
        g.fact[n++] = (struct pm_fact){15, a->grade};
    if (a->score != 0)
        g.fact[n++] = (struct pm_fact){16, a->score};
    for (int i = 0; i < PM_FACTS && n < PM_FACTS; i++)
        if (a->a.g.fact[i].attribute != 0 && a->a.g.fact[i].attribute != 15 && a->a.g.fact[i].attribute != 16)
            g.fact[n++] = a->a.g.fact[i];
    return g;
}

/* Does x come before y where two ask on one contract? */
static int beats(const struct pm_asked *x, const struct pm_asked *y, uint32_t rivals)
{
    uint32_t wanted = rivals == 1 ? 2 : 1;
    if ((x->verdict == 2) != (y->verdict == 2))
        return y->verdict == 2;
    if (rivals != 0 && (x->a.side == wanted) != (y->a.side == wanted))
        return x->a.side == wanted;
    return x->number < y->number;
}

static int comes_first(const struct wish *x, const struct wish *y, uint32_t allocation)
{
    const struct pm_asked *a = x->of, *b = y->of;
    if (allocation == 1 && a->day != b->day)
        return a->day < b->day;
    if (allocation == 1 && a->a.asked != b->a.asked)
        return a->a.asked < b->a.asked;
    if (allocation == 2 && a->score != b->score)
        return a->score > b->score;
    return a->number < b->number;
}

static uint64_t next_voucher(const struct pm *m, uint32_t programme)
{
    uint64_t serial = 1;
    for (size_t i = 0; i < m->voucher_count; i++)
        serial += m->voucher[i].programme == programme;
    return (3100000000u + (uint64_t)programme) * 1000000000u + serial;
}

static unsigned give_one(struct pm *m, uint32_t programme, struct wish *w, int64_t *left, int64_t *granted)
{
    if (w->of->verdict == 2)
        return SQ_R_ASSESSED_OUT;
    if (w->beaten)
        return SQ_R_RIVAL;
    if (w->g.face == 0 || (*left >= 0 && w->g.face > *left))
        return SQ_R_POOL_EXHAUSTED;
    unsigned refusal = pm_give(m, programme, w->of->holder, next_voucher(m, programme), &w->g);
    if (refusal == 0 && *left >= 0)
        *left -= w->g.face;
    *granted += refusal == 0 ? w->g.face : 0;
    return refusal;
}

size_t pm_allocate(struct pm *m, uint32_t programme, int64_t budget, uint32_t until, int assessed, uint8_t *code,
                   int64_t *granted)
{
    const Sanquan__V1__Programme *p = pm_terms_today(m, programme), *last = p;
    struct wish w[64];
    size_t n = 0;
    int64_t left = pm_left_for_grants(m, programme);
    __int128 all = 0;
    for (size_t i = 0; i < m->terms_count; i++)
        last = m->terms[i]->number == programme ? m->terms[i] : last;
    *granted = 0;
    for (size_t i = 0; i < m->asked_count; i++) {
        struct pm_asked *a = &m->asked[i];
        if (a->programme != programme || a->closed || (assessed && a->verdict != 1))
            continue;
        w[n] = (struct wish){.of = a, .g = granted_on(a, until)};
        int64_t most = pm_face_most(m, programme, a->holder, &w[n].g);
        w[n++].g.face = a->a.asked < most ? a->a.asked : most;
    }
    if (budget != 0 && (left < 0 || budget < left))
        left = budget;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            w[i].beaten |= i != k && w[i].g.contract_number != 0 && w[i].g.contract_number == w[k].g.contract_number &&
                           beats(w[k].of, w[i].of, last->rivals);
    for (size_t i = 0; i < n; i++)
        all += w[i].of->verdict != 2 && !w[i].beaten ? w[i].g.face : 0;
    for (size_t i = 0; last->allocation == 3 && left >= 0 && all > left && i < n; i++)
        w[i].g.face = (int64_t)((__int128)w[i].g.face * left / all);
    for (size_t turn = 0; turn < n; turn++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!w[i].done && (best == n || comes_first(&w[i], &w[best], last->allocation)))
                best = i;
        code[best] = (uint8_t)give_one(m, programme, &w[best], &left, granted);
        w[best].done = w[best].of->closed = 1;
    }
    return n;
}
