/* Measurements: which parts of a voucher's face are free, and what is taken back. */
#include "tests/model/policy_internal.h"

int64_t pm_set_free(const struct pm *m, uint64_t voucher)
{
    const struct pm_voucher *v = pm_voucher_of(m, voucher);
    int64_t shares = 0;
    if (v->terms->n_stages == 0)
        return -1;
    for (size_t i = 0; i < v->terms->n_stages; i++)
        shares += v->free >> i & 1 ? v->terms->stages[i]->share_bp : 0;
    return (int64_t)((__int128)v->g.face * shares / 10000);
}

int64_t pm_back(const struct pm *m, uint64_t voucher)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->taken_count; i++)
        if (m->voucher[m->taken[i].voucher].number == voucher)
            sum += m->taken[i].fen;
    return sum;
}

/* The name that comes next after `name` among those who were ever paid on the voucher; 0: none does. */
static int next_provider(const struct pm *m, const struct pm_voucher *v, char name[PM_NAME])
{
    const char *next = NULL;
    for (size_t i = 0; i < m->use_count; i++)
        if (&m->voucher[m->use[i].voucher] == v && strcmp(m->use[i].provider, name) > 0 &&
            (next == NULL || strcmp(m->use[i].provider, next) < 0))
            next = m->use[i].provider;
    if (next != NULL)
        strcpy(name, next);
    return next != NULL;
}

/* All but the last provider give the part of the whole that they were paid of it with those before, rounded down; sums, so it is the whole. */
static void take_back(struct pm *m, struct pm_voucher *v, uint32_t back_bp)
{
    char provider[PM_NAME] = "";
    int64_t spent = pm_spent(m, v->number), whole = (spent * back_bp + 9999) / 10000, paid = 0, given = 0;
    struct pm_taken fresh[16];
    size_t n = 0;
    pm_revoke(m, v->number);
    v->stopped = 1;
    while (spent != 0 && next_provider(m, v, provider)) {
        paid += pm_paid(m, v, provider);
        int64_t until_here = paid * whole / spent;
        fresh[n] = (struct pm_taken){.voucher = (size_t)(v - m->voucher), .fen = until_here - given};
        strcpy(fresh[n++].provider, provider);
        given = until_here;
    }
    for (size_t i = 0; i < n; i++)
        PM_ADD(m->taken, fresh[i]);
}

static unsigned set_free(struct pm_voucher *v, const struct pm_measurement *x)
{
    v->free |= 1u << (x->stage - 1);
    v->last_day = x->day;
    return 0;
}

static unsigned by_grade(struct pm *m, struct pm_voucher *v, const struct pm_measurement *x)
{
    for (size_t i = 0; i < v->terms->n_verdicts; i++) {
        const Sanquan__V1__Verdict *verdict = v->terms->verdicts[i];
        if (verdict->grade != x->grade)
            continue;
        if (verdict->action == 1)
            return set_free(v, x);
        if (verdict->action == 3)
            take_back(m, v, verdict->back_bp);
        v->stopped = 1;
        return 0;
    }
    return SQ_R_STAGE;
}

static const int64_t *baseline_of(const struct pm_voucher *v, uint32_t metric)
{
    for (size_t i = 0; i < v->baselines; i++)
        if (v->metric[i] == metric)
            return &v->baseline[i];
    return NULL;
}

static unsigned by_metric(struct pm_voucher *v, const Sanquan__V1__Stage *stage, const struct pm_measurement *x)
{
    const int64_t *then = baseline_of(v, stage->metric);
    if (then == NULL)
        return SQ_R_BASELINE;
    if (x->metric != stage->metric || x->value < 0)
        return SQ_R_STAGE;
    int64_t better = stage->better == 1 ? *then - x->value : x->value - *then;
    return better * 10000 >= *then * (int64_t)stage->change_bp ? set_free(v, x) : SQ_R_NOT_REACHED;
}

static unsigned note_baseline(struct pm_voucher *v, const struct pm_measurement *x)
{
    if (x->metric == 0 || x->value <= 0 || baseline_of(v, x->metric) != NULL)
        return SQ_R_BASELINE;
    v->metric[v->baselines] = x->metric;
    v->baseline[v->baselines++] = x->value;
    return 0;
}

unsigned pm_measure(struct pm *m, const char *evaluator, const struct pm_measurement *x)
{
    struct pm_voucher *v = pm_voucher_of(m, x->voucher);
    if (v == NULL)
        return SQ_R_UNKNOWN_VOUCHER;
    if (v->terms->n_stages == 0)
        return SQ_R_STAGE;
    if (x->day > pm_day_of(m->now))
        return SQ_R_FACT;
    if (!pm_on_list(m, v->terms->issuer, evaluator, v->terms->evaluators, x->day))
        return SQ_R_EVALUATOR;
    if (v->stopped)
        return SQ_R_STAGE;
    if (x->stage == 0)
        return note_baseline(v, x);
    if (x->stage > v->terms->n_stages || (v->free >> (x->stage - 1) & 1))
        return SQ_R_STAGE;
    if (x->stage > 1 && !(v->free >> (x->stage - 2) & 1))
        return SQ_R_STAGE;
    const Sanquan__V1__Stage *stage = v->terms->stages[x->stage - 1];
    if (stage->after_months != 0 && x->day < pm_months_on(v->last_day, (int)stage->after_months))
        return SQ_R_STAGE;
    return stage->trigger == 2 ? by_grade(m, v, x) : by_metric(v, stage, x);
}
