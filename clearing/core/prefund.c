/*
 * Money in advance (备用金): a provider of this node redeems under a programme first what it already has.
 *
 *   drawn = min(advanced, spent since the first advance)       payable = spent - drawn
 *
 * Invariants: drawn is a function of two sums, so it does not depend on the order of redemptions and returns; what is taken back is
 * never drawn already.
 */
#include "clearing/core/state.h"

struct sq_prefund *sq_prefund_find(const struct sq_core *core, const struct sq_programme *p, uint32_t provider)
{
    for (uint32_t n = p->prefunds; n != SQ_ROW_NONE;) {
        struct sq_prefund *f = SQ_ROW(&core->prefunds, struct sq_prefund, n);
        if (f->provider == provider)
            return f;
        n = f->next;
    }
    return NULL;
}

int64_t sq_prefund_drawn(const struct sq_prefund *f)
{
    int64_t spent =
        f->spent_fen > 0 ? f->spent_fen : 0; /* what was spent before the first advance may be given back after it */
    return spent < f->advanced_fen ? spent : f->advanced_fen;
}

sq_status sq_core_prefund(const struct sq_core *core, uint32_t number, uint32_t provider, struct sq_prefund_view *out)
{
    const struct sq_prefund *f = sq_prefund_find(core, sq_programme_at(core, number), provider);
    if (f == NULL)
        return SQ_E_NOT_FOUND;
    *out = (struct sq_prefund_view){sq_party_at(core, provider)->name, f->advanced_fen, sq_prefund_drawn(f)};
    return SQ_OK;
}

sq_status sq_core_prefund_of(const struct sq_core *core, uint32_t number, uint32_t k, struct sq_prefund_view *out)
{
    uint32_t n = sq_programme_at(core, number)->prefunds;
    while (n != SQ_ROW_NONE && k-- > 0)
        n = SQ_ROW(&core->prefunds, struct sq_prefund, n)->next;
    if (n == SQ_ROW_NONE)
        return SQ_E_NOT_FOUND;
    const struct sq_prefund *f = SQ_ROW(&core->prefunds, struct sq_prefund, n);
    *out = (struct sq_prefund_view){sq_party_at(core, f->provider)->name, f->advanced_fen, sq_prefund_drawn(f)};
    return SQ_OK;
}

sq_status sq_on_prefund(struct sq_step *s, const Sanquan__V1__Prefund *m)
{
    struct sq_core *core = s->core;
    uint32_t programme = sq_programme_find(core, m->issuer, m->programme), number;
    char name[SQ_NAME_SIZE_MAX + 1] = "provider:";
    sq_status st = sq_check_authority(s, m->issuer);
    if (st != SQ_OK)
        return st;
    if (programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    if (!sq_uscc_valid(m->provider))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->provider);
    uint32_t provider = sq_party_find(core, strcat(name, m->provider));
    if (provider == SQ_ROW_NONE || sq_party_at(core, provider)->node != core->self ||
        !sq_party_at(core, provider)->known_key)
        return sq_refuse(s, SQ_R_PREFUND, "%s is no provider of this node", name);
    if (m->amount_fen == 0 || m->amount_fen > SQ_AMOUNT_MAX_FEN || m->amount_fen < -SQ_AMOUNT_MAX_FEN)
        return sq_refuse(s, SQ_R_AMOUNT, "%" PRId64 " fen", m->amount_fen);
    struct sq_prefund *f = sq_prefund_find(core, sq_programme_at(core, programme), provider);
    int64_t left = f != NULL ? f->advanced_fen - sq_prefund_drawn(f) : 0, sum;
    if (m->amount_fen < -left || __builtin_add_overflow(f != NULL ? f->advanced_fen : 0, m->amount_fen, &sum))
        return sq_refuse(s, SQ_R_PREFUND, "%" PRId64 " fen are not used up yet", left);
    if (f == NULL) {
        if ((st = sq_table_reserve(&core->prefunds, 1, s->err)) != SQ_OK)
            return st;
        f = sq_table_add(&core->prefunds, &number);
        *f = (struct sq_prefund){.provider = provider, .next = sq_programme_at(core, programme)->prefunds};
        sq_programme_at(core, programme)->prefunds = number;
    }
    f->advanced_fen = sum;
    return sq_answer_accepted(s, 1);
}
