/*
 * A voucher's beginning and end: may it be granted, and what does granting it count?
 *
 *   wish --judged by the terms in force on the day--> voucher, its detail, its account; limits, contract and pool count it
 *
 * Invariants: a voucher is judged when everything before it has been counted; what a grant counted, taking it back uncounts, newest
 * first; serials have no gaps.
 */
#include "clearing/base/day.h"
#include "clearing/core/state.h"

static const uint8_t no_contract[16];

static int has_contract(const struct sq_wish *w)
{
    return memcmp(w->contract, no_contract, 16) != 0;
}

static uint32_t contract_days(const struct sq_wish *w)
{
    return w->contract_from_day != 0 ? sq_day_number(w->contract_until_day) - sq_day_number(w->contract_from_day) + 1
                                     : 0;
}

sq_status sq_vouchers_reserve(struct sq_core *core, uint32_t programme, uint32_t rows, uint32_t facts,
                              struct sq_error *err)
{
    sq_status st = sq_table_reserve(&core->vouchers[programme], rows, err);
    if (st == SQ_OK)
        st = sq_accounts_reserve(core, rows, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->details, rows, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->progress, rows, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->facts, facts, err);
    if (st == SQ_OK)
        st = sq_maturities_reserve(core, rows, err);
    return st != SQ_OK ? st : sq_counts_reserve_grants(&core->counts, rows, err);
}

/* ---- may it be granted? ---- */

static sq_status check_wish(const struct sq_programme *p, const struct sq_wish *w, struct sq_error *why)
{
    int64_t sum;
    if (w->face_fen <= 0 || __builtin_add_overflow(p->granted_fen, w->face_fen, &sum))
        return sq_fail(why, SQ_R_AMOUNT, "face %" PRId64 " fen", w->face_fen);
    if (!sq_day_valid(w->until_day))
        return sq_fail(why, SQ_R_AMOUNT, "until_day %u is no day", w->until_day);
    if (w->contract_fen < 0 || w->contract_fen > SQ_AMOUNT_MAX_FEN || w->approved_fen < 0 ||
        w->approved_fen > SQ_AMOUNT_MAX_FEN)
        return sq_fail(why, SQ_R_AMOUNT, "contract %" PRId64 " fen, approved %" PRId64 " fen", w->contract_fen,
                       w->approved_fen);
    if (w->quota < 0 || w->quota > SQ_QUANTITY_MAX)
        return sq_fail(why, SQ_R_AMOUNT, "quota %" PRId64, w->quota);
    if (w->contract_day != 0 && !sq_day_valid(w->contract_day))
        return sq_fail(why, SQ_R_CONTRACT_TERMS, "contract_day %u is no day", w->contract_day);
    if (w->contract_from_day != 0 && (!sq_day_valid(w->contract_from_day) || !sq_day_valid(w->contract_until_day) ||
                                      w->contract_from_day > w->contract_until_day))
        return sq_fail(why, SQ_R_CONTRACT_TERMS, "contract from %u until %u", w->contract_from_day,
                       w->contract_until_day);
    return SQ_OK;
}

/* What the grant counts: one voucher, its face, its quota. */
static struct sq_posting posting_of(const struct sq_core *core, uint32_t programme, uint32_t terms,
                                    const struct sq_wish *w, uint32_t contract_use)
{
    uint32_t org = sq_party_at(core, w->holder)->org;
    return (struct sq_posting){.amount_fen = w->face_fen,
                               .quantity = w->quota,
                               .count = 1,
                               .programme = programme,
                               .terms = terms,
                               .day = core->today,
                               .detail = SQ_ROW_NONE,
                               .contract_use = contract_use,
                               .holder_org = org,
                               .group_org = sq_org_root(core, org, core->today)};
}

struct judgement {
    const struct sq_terms *terms;
    struct sq_case c;
    struct sq_verdict v;
    struct sq_waiver waiver;
};

static void fill_case(const struct sq_core *core, const struct sq_wish *w, struct judgement *j)
{
    uint32_t org = sq_party_at(core, w->holder)->org;
    j->c = (struct sq_case){.step = SQ_CASE_GRANT,
                            .day = core->today,
                            .at_ms = core->now_ms,
                            .amount_fen = w->face_fen,
                            .documents = w->documents,
                            .holder_code = sq_org_at(core, org)->code,
                            .holder = sq_org_facts(core, org),
                            .contract_fen = w->contract_fen,
                            .contract_day = w->contract_day,
                            .contract_days = contract_days(w),
                            .voucher = {&core->facts, SQ_ROW_NONE},
                            .declared = w->facts};
    j->c.base_fen = j->terms->base_kind == 1 ? w->contract_fen : j->terms->base_kind == 2 ? w->approved_fen : 0;
}

static int judge_holder(const struct sq_core *core, const struct sq_wish *w, struct judgement *j)
{
    const struct sq_terms *t = j->terms;
    uint32_t org = sq_party_at(core, w->holder)->org,
             since = sq_day_add_months(core->today, -(int32_t)t->sanction_months);
    return sq_rule(&j->v, !sq_org_sanctioned(core, org, 1, core->today), SQ_R_HOLDER_SANCTIONED, 0, 0) ||
           ((t->rules & SQ_RULE_SANCTIONS) != 0 &&
            sq_rule(&j->v, !sq_org_was_sanctioned(core, org, t->sanction_causes, since, core->today),
                    SQ_R_HOLDER_SANCTIONED, 1, since)) ||
           (t->validity_days != 0 && sq_rule(&j->v, w->until_day <= sq_day_add(core->today, (int32_t)t->validity_days),
                                             SQ_R_VALIDITY, 0, w->until_day));
}

/* Limits, contract and pool: what others have had counts. */
static int judge_counts(struct sq_core *core, uint32_t programme, const struct sq_wish *w, struct judgement *j,
                        struct sq_posting *p)
{
    const struct sq_terms *t = j->terms;
    const struct sq_programme *row = sq_programme_at(core, programme);
    struct sq_entitlement e = {0};
    if (t->unique_contract != 0 && (sq_rule(&j->v, has_contract(w), SQ_R_CONTRACT_TERMS, 0, 0) ||
                                    sq_rule(&j->v, !sq_contract_taken(core, w->contract, programme, t->unique_contract),
                                            SQ_R_CONTRACT_TAKEN, 0, t->unique_contract)))
        return 1;
    if ((t->rules & SQ_RULE_GRANT_LIMITS) != 0)
        p->limits = sq_terms_limits(t, &j->c);
    if (sq_counts_check(core, p, &j->v) || sq_relations_check(core, t, p, w->holder, SQ_CASE_GRANT, &e, &j->v))
        return 1;
    return row->pool_at == 1 && w->until_day >= core->today &&
           sq_rule_amount(&j->v, w->face_fen, row->pool_fen, row->reserved_fen + row->spent_fen, SQ_R_POOL_EXHAUSTED, 0,
                          1);
}

static const struct sq_terms *terms_of_today(const struct sq_core *core, uint32_t programme)
{
    const struct sq_programme *p = sq_programme_at(core, programme);
    const struct sq_terms *t = sq_terms_of_day(core, p, core->today);
    return t != NULL ? t : sq_terms_at(core, p->terms);
}

static uint32_t terms_row(const struct sq_core *core, const struct sq_terms *t)
{
    return (uint32_t)(t - (const struct sq_terms *)core->terms.rows);
}

int64_t sq_voucher_most(const struct sq_core *core, uint32_t programme, const struct sq_wish *w)
{
    struct judgement j = {.terms = terms_of_today(core, programme)};
    fill_case(core, w, &j);
    return sq_terms_face_max(j.terms, &j.c);
}

/* ---- granting ---- */

/* SQ_ROW_NONE where the wish says nothing more of the voucher. */
static uint32_t add_detail(struct sq_core *core, const struct sq_wish *w, uint32_t contract_use,
                           const struct sq_terms *t)
{
    struct sq_detail d = {.contract_fen = w->contract_fen,
                          .approved_fen = w->approved_fen,
                          .quota = w->quota,
                          .contract_day = w->contract_day,
                          .contract_days = contract_days(w),
                          .facts = SQ_ROW_NONE,
                          .contract_use = contract_use,
                          .free_fen = -1,
                          .progress = SQ_ROW_NONE};
    uint32_t number;
    if (d.contract_fen == 0 && d.approved_fen == 0 && d.quota == 0 && d.contract_day == 0 && d.contract_days == 0 &&
        w->facts.count == 0 && contract_use == SQ_ROW_NONE && t->stage_count == 0)
        return SQ_ROW_NONE;
    for (size_t k = 0; k < w->facts.count; k++) {
        struct sq_fact *f = sq_table_add(&core->facts, &number);
        *f = (struct sq_fact){
            .value = w->facts.value[k], .attribute = w->facts.attribute[k], .until_day = SQ_DAY_OPEN, .next = d.facts};
        d.facts = number;
    }
    if (t->stage_count != 0) {
        struct sq_progress *g = sq_table_add(&core->progress, &d.progress);
        *g = (struct sq_progress){.terms = terms_row(core, t),
                                  .free = sq_stages_at_grant(t),
                                  .last_day = core->today,
                                  .baselines = SQ_ROW_NONE};
        d.free_fen = sq_stages_free_fen(t, g->free, w->face_fen);
    }
    *(struct sq_detail *)sq_table_add(&core->details, &number) = d;
    return number;
}

/* Counts a granted voucher (sign 1) or uncounts it (sign -1). */
static void count_grant(struct sq_core *core, uint32_t programme, const struct sq_wish *w, const struct sq_posting *p,
                        int sign)
{
    struct sq_programme *row = sq_programme_at(core, programme);
    row->granted_fen += sign * w->face_fen;
    SQ_ROW(&core->accounts, struct sq_account, sq_account_find(core, programme, w->holder))->granted_fen +=
        sign * w->face_fen;
    if (row->pool_at == 1 && w->until_day >= core->today)
        sq_maturity_move(core, row, w->until_day, sign * w->face_fen);
    if (p->contract_use != SQ_ROW_NONE) {
        struct sq_contract_use *u = SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, p->contract_use);
        u->granted_fen += sign * w->face_fen;
        u->vouchers += (uint32_t)sign;
    }
    sq_limits_move(core, p, sign, 0);
}

/* Judged by the terms of today; the posting is what it would count. Returns 1 when the verdict is final. */
static int judge(struct sq_core *core, uint32_t programme, const struct sq_wish *w, uint32_t account,
                 uint32_t contract_use, struct judgement *j, struct sq_posting *p)
{
    struct sq_entitlement e;
    *p = posting_of(core, programme, terms_row(core, j->terms), w, contract_use);
    fill_case(core, w, j);
    j->waiver = (struct sq_waiver){core, j->terms, SQ_ROW(&core->accounts, struct sq_account, account)->overrides,
                                   core->today, 0};
    j->v.waived = (j->terms->rules & SQ_RULE_WAIVABLE) != 0 ? sq_override_lifts : NULL;
    j->v.ctx = &j->waiver;
    return judge_holder(core, w, j) || sq_terms_judge(j->terms, &j->c, &j->v, &e) ||
           judge_counts(core, programme, w, j, p);
}

sq_status sq_voucher_grant(struct sq_core *core, uint32_t programme, const struct sq_wish *w, struct sq_error *why)
{
    struct judgement j = {.terms = terms_of_today(core, programme)};
    struct sq_posting p;
    sq_status st = check_wish(sq_programme_at(core, programme), w, why);
    if (st != SQ_OK)
        return st;
    uint32_t account = sq_account_intern(core, programme, w->holder);
    uint32_t contract_use = has_contract(w) ? sq_contract_use_intern(core, w->contract, programme) : SQ_ROW_NONE;
    if (judge(core, programme, w, account, contract_use, &j, &p))
        return sq_fail(why, (sq_status)j.v.status, "%s", sq_status_text(j.v.status));
    struct sq_voucher *v = sq_table_add(&core->vouchers[programme], NULL); /* from here it must succeed */
    *v = (struct sq_voucher){.face_fen = w->face_fen,
                             .holder = w->holder,
                             .account = account,
                             .mandate = SQ_ROW_NONE,
                             .until_day = w->until_day,
                             .detail = add_detail(core, w, contract_use, j.terms)};
    count_grant(core, programme, w, &p, 1);
    return SQ_OK;
}

/* ---- granting by itself: consent, rules and credit, at the first use ---- */

uint32_t sq_voucher_sleep(struct sq_core *core, uint32_t programme, uint32_t holder, uint32_t until_day)
{
    uint32_t account = sq_account_intern(core, programme, holder);
    struct sq_voucher *v = sq_table_add(&core->vouchers[programme], NULL);
    *v = (struct sq_voucher){.holder = holder,
                             .account = account,
                             .mandate = SQ_ROW_NONE,
                             .until_day = until_day,
                             .asleep = 1,
                             .detail = SQ_ROW_NONE};
    SQ_ROW(&core->accounts, struct sq_account, account)->consented = core->vouchers[programme].count;
    return core->vouchers[programme].count;
}

static struct sq_wish wish_of(const struct sq_core *core, uint32_t programme, const struct sq_voucher *v)
{
    return (struct sq_wish){
        .holder = v->holder, .until_day = v->until_day, .face_fen = terms_of_today(core, programme)->auto_face_fen};
}

int sq_voucher_may_wake(struct sq_core *core, uint32_t programme, const struct sq_voucher *v,
                        struct sq_verdict *verdict, int64_t *face_fen)
{
    struct judgement j = {.terms = terms_of_today(core, programme), .v = {.x = verdict->x}};
    struct sq_wish w = wish_of(core, programme, v);
    struct sq_posting p;
    int over = sq_rule(&j.v, w.face_fen > 0, SQ_R_NOT_OFFERED, 0, w.face_fen) ||
               judge(core, programme, &w, v->account, SQ_ROW_NONE, &j, &p);
    *face_fen = w.face_fen;
    if (verdict->status == 0)
        verdict->status = j.v.status;
    return over;
}

void sq_voucher_wake(struct sq_core *core, uint32_t programme, struct sq_voucher *v)
{
    struct judgement j = {.terms = terms_of_today(core, programme)};
    struct sq_wish w = wish_of(core, programme, v);
    struct sq_posting p = posting_of(core, programme, terms_row(core, j.terms), &w, SQ_ROW_NONE);
    fill_case(core, &w, &j);
    if ((j.terms->rules & SQ_RULE_GRANT_LIMITS) != 0)
        p.limits = sq_terms_limits(j.terms, &j.c);
    v->face_fen = w.face_fen;
    v->asleep = 0;
    count_grant(core, programme, &w, &p, 1);
}

void sq_voucher_take_back(struct sq_core *core, uint32_t programme, const struct sq_wish *w)
{
    struct judgement j = {.terms = terms_of_today(core, programme)};
    uint32_t contract_use = has_contract(w) ? sq_contract_use_intern(core, w->contract, programme) : SQ_ROW_NONE;
    struct sq_posting p = posting_of(core, programme, terms_row(core, j.terms), w, contract_use);
    struct sq_table *vouchers = &core->vouchers[programme];
    fill_case(core, w, &j);
    if ((j.terms->rules & SQ_RULE_GRANT_LIMITS) != 0)
        p.limits = sq_terms_limits(j.terms, &j.c);
    count_grant(core, programme, w, &p, -1);
    if (SQ_ROW(vouchers, struct sq_voucher, vouchers->count - 1)->detail != SQ_ROW_NONE) {
        core->progress.count -= j.terms->stage_count != 0;
        core->details.count--;
        core->facts.count -= (uint32_t)w->facts.count;
    }
    vouchers->count--;
}

void sq_voucher_revoke(struct sq_core *core, uint32_t programme, struct sq_voucher *v)
{
    struct sq_programme *p = sq_programme_at(core, programme);
    int64_t used = v->spent_fen + v->reserved_fen; /* what is reserved is held of the pool by its reservation */
    if (p->pool_at == 1 && sq_voucher_alive(core, v) && v->face_fen != used)
        sq_maturity_move(core, p, v->until_day, used - v->face_fen);
    uint32_t use =
        v->detail != SQ_ROW_NONE ? SQ_ROW(&core->details, struct sq_detail, v->detail)->contract_use : SQ_ROW_NONE;
    if (use != SQ_ROW_NONE && v->spent_fen == 0 && v->reserved_fen == 0)
        SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, use)
            ->vouchers--; /* the contract may have another one */
    v->revoked = 1;
}
