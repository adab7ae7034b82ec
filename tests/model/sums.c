/* What may be asked of a model, and what a settlement may say of this node's links. */
#include <stdio.h>
#include <string.h>

#include "tests/model/internal.h"

size_t model_budget_count(const struct model *m)
{
    return m->programme_count;
}

void model_budget(const struct model *m, size_t i, struct model_budget *out)
{
    const struct m_programme *p = &m->programme[i];
    uint64_t first = ((uint64_t)p->issuer * 10000 + p->number) * 1000000000u;
    *out = (struct model_budget){.issuer = p->issuer, .number = p->number, .pool_fen = p->pool};
    model_budget_sums(m, p, &out->reserved_fen, &out->spent_fen);
    for (size_t k = 0; k < m->voucher_count; k++)
        if (m->voucher[k].number > first && m->voucher[k].number < first + 1000000000u)
            out->granted_fen += m->voucher[k].face;
}

size_t model_voucher_count(const struct model *m)
{
    return m->voucher_count;
}

void model_voucher(const struct model *m, size_t i, struct model_voucher *out)
{
    const struct m_voucher *v = &m->voucher[i];
    *out = (struct model_voucher){.number = v->number, .face_fen = v->face};
    for (size_t k = 0; k < v->use_count; k++)
        out->spent_fen += v->use[k].fen;
    for (size_t k = 0; k < v->hold_count; k++)
        out->reserved_fen += model_is_open(m, &v->hold[k]) ? v->hold[k].fen : 0;
}

void model_totals(const struct model *m, struct model_totals *out)
{
    *out = m->totals;
    out->batches_waiting = m->batch_count;
}

size_t model_claim_count(const struct model *m)
{
    return m->claim_count;
}
const struct model_claim *model_claim(const struct model *m, size_t i)
{
    return &m->claim[i];
}
size_t model_accepted_count(const struct model *m)
{
    return m->accepted_count;
}
const struct model_claim *model_accepted(const struct model *m, size_t i)
{
    return &m->accepted[i];
}

size_t model_link(const struct model *m, const char *debtor, const char *creditor, const struct model_step **out)
{
    int owes = strcmp(debtor, m->self) == 0;
    const struct m_link *l = model_link_to(m, owes ? creditor : debtor);
    *out = owes ? l->owes : l->owed;
    return owes ? l->owes_count : l->owed_count;
}

int model_settled(struct model *m, const Sanquan__V1__Settlement *value, char *why, size_t why_size)
{
    for (size_t i = 0; i < value->n_pairs; i++) {
        const Sanquan__V1__Pair *p = value->pairs[i];
        int owes = strcmp(p->debtor, m->self) == 0;
        if (!owes && strcmp(p->creditor, m->self) != 0)
            continue;
        struct m_link *l = model_link_to(m, owes ? p->creditor : p->debtor);
        uint64_t *settled = owes ? &l->owes_settled : &l->owed_settled, count = 0;
        const struct model_step *step = owes ? l->owes : l->owed;
        size_t steps = owes ? l->owes_count : l->owed_count;
        int64_t total[MODEL_KINDS] = {0};
        if (p->first != *settled + 1 || p->last + (p->n_carried_fen != 0) < p->first || p->last > steps) {
            snprintf(why, why_size,
                     "window %" PRIu64 ": link %s to %s from %" PRIu64 " to %" PRIu64 " after %" PRIu64 " of %zu",
                     value->window, p->debtor, p->creditor, p->first, p->last, *settled, steps);
            return 1;
        }
        for (size_t k = 0; k < p->n_carried_fen; k++)
            total[k] = p->carried_fen[k];
        for (uint64_t n = p->first; n <= p->last; n++) {
            count += step[n - 1].count;
            for (size_t k = 0; k < MODEL_KINDS; k++)
                total[k] += step[n - 1].total_fen[k];
        }
        if (count != p->count || (p->last >= p->first && memcmp(p->hash.data, step[p->last - 1].hash, 32) != 0) ||
            memcmp(total, p->total_fen, sizeof total) != 0) {
            snprintf(why, why_size, "window %" PRIu64 ": link %s to %s does not add up to its items", value->window,
                     p->debtor, p->creditor);
            return 1;
        }
        *settled = p->last;
    }
    return 0;
}
