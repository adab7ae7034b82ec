/*
 * How programmes of one node stand to each other, and what an office has lifted.
 *
 *   excludes   not when the other was granted (redeemed) to the holder, or for the contract
 *   requires   only when it was
 *   higher     on one contract, both together <= the higher of: what this one alone would pay on its bases, what the other has paid
 *   share      on one contract, both together <= limit_bp of the contract
 *
 * A relation binds the programme that states it: two that exclude each other both say so.
 */
#include "clearing/base/day.h"
#include "clearing/core/state.h"

/* ---- relations ---- */

static const struct sq_contract_use *other_use(const struct sq_core *core, const struct sq_posting *p, uint32_t other)
{
    if (p->contract_use == SQ_ROW_NONE || other == SQ_ROW_NONE)
        return NULL;
    return sq_contract_use_of(
        core, SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, p->contract_use)->contract, other);
}

/* What the other programme has granted or paid, to the holder or for the contract. */
static int64_t support_of(const struct sq_core *core, const struct sq_relation *r, const struct sq_posting *p,
                          uint32_t holder, uint32_t other)
{
    if (r->scope == SANQUAN__V1__SCOPE__SCOPE_CONTRACT) {
        const struct sq_contract_use *u = other_use(core, p, other);
        return u == NULL ? 0 : r->state == 1 ? u->granted_fen : u->used_fen;
    }
    uint32_t account = other != SQ_ROW_NONE ? sq_account_find(core, other, holder) : SQ_ROW_NONE;
    const struct sq_account *a = account != SQ_ROW_NONE ? SQ_ROW(&core->accounts, struct sq_account, account) : NULL;
    return a == NULL ? 0 : r->state == 1 ? a->granted_fen : a->used_fen;
}

static int check_together(const struct sq_core *core, const struct sq_relation *r, unsigned index,
                          const struct sq_posting *p, uint32_t other, const struct sq_entitlement *e,
                          struct sq_verdict *v)
{
    if (p->contract_use == SQ_ROW_NONE)
        return sq_rule(v, 0, SQ_R_CONTRACT_TERMS, index, 0);
    const struct sq_contract_use *own = SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, p->contract_use);
    const struct sq_contract_use *theirs = other_use(core, p, other);
    int64_t used = theirs != NULL ? theirs->used_fen : 0, base = own->base_fen + p->base_fen;
    if (r->together == SANQUAN__V1__TOGETHER__TOGETHER_HIGHER) {
        int64_t alone = e->lump_fen != 0 ? e->lump_fen : sq_share_floor(base, e->rate_bp);
        return sq_rule_amount(v, p->amount_fen, alone, own->used_fen + used, SQ_R_HIGHER_ONLY, index,
                              1); /* the other paid more: nothing is left */
    }
    int64_t contract = p->detail != SQ_ROW_NONE ? SQ_ROW(&core->details, struct sq_detail, p->detail)->contract_fen : 0;
    int64_t whole = contract != 0 ? contract : theirs != NULL && theirs->base_fen > base ? theirs->base_fen : base;
    return sq_rule_amount(v, p->amount_fen, sq_share_floor(whole, r->limit_bp), own->used_fen + used, SQ_R_SHARE_LIMIT,
                          index, 1);
}

int sq_relations_check(const struct sq_core *core, const struct sq_terms *terms, const struct sq_posting *p,
                       uint32_t holder, enum sq_case_step step, const struct sq_entitlement *e, struct sq_verdict *v)
{
    for (uint32_t i = 0; i < terms->relation_count; i++) {
        const struct sq_relation *r = &terms->relations[i];
        uint32_t other = sq_programme_find(core, r->issuer, r->number);
        int over = 0;
        if (r->together == SANQUAN__V1__TOGETHER__TOGETHER_HIGHER ||
            r->together == SANQUAN__V1__TOGETHER__TOGETHER_SHARE) {
            over = step == SQ_CASE_REDEEM && check_together(core, r, i, p, other, e, v);
        } else if (step == SQ_CASE_REDEEM || r->state == 1) { /* what is redeemed is asked about when something is */
            int64_t support = support_of(core, r, p, holder, other);
            over = r->together == SANQUAN__V1__TOGETHER__TOGETHER_EXCLUDES
                       ? sq_rule(v, support == 0, SQ_R_EXCLUDED, i, support)
                       : sq_rule(v, support > 0, SQ_R_REQUIRED, i, support);
        }
        if (over)
            return 1;
    }
    return 0;
}

/* ---- overrides ---- */

static int can_lift(const struct sq_terms *t, unsigned refusal)
{
    if (refusal == SQ_R_LIMIT_SOFT)
        return 1;
    for (uint32_t i = 0; i < t->waivable_count; i++)
        if (t->waivable[i] == refusal)
            return 1;
    return 0;
}

int sq_override_lifts(const void *waiver, unsigned status, unsigned index, int64_t asked, int64_t used)
{
    const struct sq_waiver *w = waiver;
    if (!can_lift(w->terms, status))
        return 0;
    for (uint32_t n = w->first; n != SQ_ROW_NONE;) {
        const struct sq_override *o = SQ_ROW(&w->core->overrides, struct sq_override, n);
        n = o->next;
        if (o->refusal == status && (status != SQ_R_LIMIT_SOFT || o->limit == index) && w->day <= o->until_day &&
            (o->voucher == 0 || o->voucher == w->voucher) && (o->ceiling == 0 || asked <= o->ceiling - used))
            return 1;
    }
    return 0;
}

static sq_status check_override(struct sq_step *s, const Sanquan__V1__Override *m, uint32_t programme, uint32_t *holder)
{
    const struct sq_terms *t = sq_terms_at(s->core, sq_programme_at(s->core, programme)->terms);
    char name[SQ_NAME_SIZE_MAX + 1] = "holder:";
    uint32_t of;
    int limit = 0;
    if (!sq_uscc_valid(m->holder))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->holder);
    *holder = sq_party_find(s->core, strcat(name, m->holder));
    if (*holder == SQ_ROW_NONE || !sq_party_at(s->core, *holder)->known_key)
        return sq_refuse(s, SQ_R_UNKNOWN_HOLDER, "%s", m->holder);
    const struct sq_voucher *v = m->voucher != 0 ? sq_voucher_find(s->core, m->voucher, &of) : NULL;
    if (m->voucher != 0 && (v == NULL || of != programme || v->holder != *holder))
        return sq_refuse(s, SQ_R_UNKNOWN_VOUCHER, "%019" PRIu64 " of this holder and programme", m->voucher);
    for (uint32_t i = 0; i < t->limit_count; i++)
        limit |= t->limits[i].number == m->limit && t->limits[i].soft != 0;
    if (!can_lift(t, m->refusal) || (m->refusal == SQ_R_LIMIT_SOFT) != (m->limit != 0) || (m->limit != 0 && !limit))
        return sq_refuse(s, SQ_R_OVERRIDE, "refusal %u, limit %u cannot be lifted", m->refusal, m->limit);
    if (m->ceiling < 0 || !sq_day_valid(m->until_day) || m->until_day < s->core->today)
        return sq_refuse(s, SQ_R_OVERRIDE, "ceiling %" PRId64 " until %u", m->ceiling, m->until_day);
    if (strlen(m->approver) == 0 || strlen(m->approver) > 100 || strlen(m->reason) == 0 || strlen(m->reason) > 400)
        return sq_refuse(s, SQ_R_OVERRIDE, "who approves (100 bytes) and why (400 bytes) must be said");
    return SQ_OK;
}

sq_status sq_on_override(struct sq_step *s, const Sanquan__V1__Override *m)
{
    struct sq_core *core = s->core;
    uint32_t programme = sq_programme_find(core, m->issuer, m->programme), holder = SQ_ROW_NONE, number;
    sq_status st = sq_check_authority(s, m->issuer);
    if (st == SQ_OK && programme == SQ_ROW_NONE)
        st = sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    if (st == SQ_OK)
        st = check_override(s, m, programme, &holder);
    if (st == SQ_OK)
        st = sq_accounts_reserve(core, 1, s->err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->overrides, 1, s->err);
    if (st != SQ_OK)
        return st;
    struct sq_account *a = SQ_ROW(&core->accounts, struct sq_account, sq_account_intern(core, programme, holder));
    struct sq_override *o = sq_table_add(&core->overrides, &number);
    *o = (struct sq_override){m->voucher, m->ceiling, m->refusal, m->limit, m->until_day, a->overrides};
    a->overrides = number;
    return sq_answer_accepted(s, 1);
}
