/*
 * Programmes, their versions and their pools.
 *
 *   programme   newest version -> the one before -> ...       a redemption is judged by the newest whose days hold its service day
 *               pool = available + reserved + spent
 *               maturities: what is left of its vouchers, by their last day; reserved where pool_at is 1
 *
 * Invariants: programmes are known at every node (kind and stacking are needed where invoices are at home); versions are numbered
 * without gaps, and none is ever removed; kind and pool_at never change.
 */
#include "clearing/base/day.h"
#include "clearing/core/state.h"

static uint64_t programme_hash(uint32_t issuer, uint32_t number)
{
    /* Looked up several times a redemption: one multiplication spreads these small numbers as well as any hash. */
    return ((uint64_t)issuer * SQ_PROGRAMME_RADIX + number) * 0x9e3779b97f4a7c15u;
}

uint32_t sq_programme_find(const struct sq_core *core, uint32_t issuer, uint32_t number)
{
    struct sq_index_cursor c = {.hash = programme_hash(issuer, number)};
    uint32_t row;
    while ((row = sq_index_next(&core->programme_index, &c)) != SQ_ROW_NONE) {
        const struct sq_programme *p = sq_programme_at(core, row);
        if (p->issuer == issuer && p->number == number)
            break;
    }
    return row;
}

const struct sq_terms *sq_terms_of_day(const struct sq_core *core, const struct sq_programme *p, uint32_t day)
{
    for (uint32_t n = p->terms; n != SQ_ROW_NONE;) {
        const struct sq_terms *t = sq_terms_at(core, n);
        if (day >= t->from_day && day <= t->until_day)
            return t;
        n = t->previous;
    }
    return NULL;
}

/* Room for one programme more: a row, an index entry and a table of vouchers. */
static sq_status reserve_programme(struct sq_core *core, struct sq_error *err)
{
    sq_status st = sq_index_reserve(&core->programme_index, 1, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->programmes, 1, err);
    if (st != SQ_OK || core->programmes.count < core->voucher_tables)
        return st;
    uint32_t capacity = core->voucher_tables == 0 ? 16 : core->voucher_tables * 2;
    struct sq_table *tables = realloc(core->vouchers, capacity * sizeof *tables);
    if (tables == NULL)
        return sq_fail(err, SQ_E_NOMEM, "programmes");
    for (uint32_t i = core->voucher_tables; i < capacity; i++)
        tables[i] = SQ_TABLE_OF(struct sq_voucher);
    core->vouchers = tables;
    core->voucher_tables = capacity;
    return SQ_OK;
}

/* Has every version so far had limits or relations? */
static int counts_already(const struct sq_core *core, const struct sq_programme *p)
{
    for (uint32_t n = p->terms; n != SQ_ROW_NONE; n = sq_terms_at(core, n)->previous)
        if ((sq_terms_at(core, n)->rules & (SQ_RULE_LIMITS | SQ_RULE_RELATIONS)) == 0)
            return 0;
    return 1;
}

/* A limit's number keeps its meaning over versions, because its counters do. Returns the first that does not, or 0. */
static uint32_t changed_limit(const struct sq_core *core, const struct sq_programme *p, const Sanquan__V1__Programme *m)
{
    for (uint32_t n = p->terms; n != SQ_ROW_NONE; n = sq_terms_at(core, n)->previous)
        for (uint32_t i = 0; i < sq_terms_at(core, n)->limit_count; i++) {
            const struct sq_limit *was = &sq_terms_at(core, n)->limits[i];
            for (size_t k = 0; k < m->n_limits; k++) {
                const Sanquan__V1__Limit *is = m->limits[k];
                if (is->number == was->number && (is->scope != was->scope || is->unit != was->unit ||
                                                  is->step != was->step || is->period != was->period))
                    return is->number;
            }
        }
    return 0;
}

static sq_status check_version(struct sq_step *s, const Sanquan__V1__Programme *m, const struct sq_programme *p)
{
    uint32_t in_force = p == NULL ? 0 : p->version;
    if (m->version != in_force + 1)
        return sq_refuse(s, SQ_R_PROGRAMME_VERSION, "programme %06u/%u: version %u after %u", m->issuer, m->number,
                         m->version, in_force);
    if (p != NULL && m->kind != p->kind)
        return sq_refuse(s, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: its kind cannot change", m->issuer, m->number);
    if (p != NULL && m->pool_fen != 0 && m->pool_fen < p->reserved_fen + p->spent_fen)
        return sq_refuse(s, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: pool below what is spent", m->issuer, m->number);
    if (p != NULL && m->pool_at != p->pool_at)
        return sq_refuse(s, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: pool_at cannot change", m->issuer, m->number);
    uint32_t changed = p != NULL ? changed_limit(s->core, p, m) : 0;
    if (changed != 0)
        return sq_refuse(s, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: limit %u keeps its scope, unit, step and period",
                         m->issuer, m->number, changed);
    /* What is counted from today on cannot bound, or be given back by, what was not counted before. */
    if (p != NULL && m->n_limits + m->n_relations != 0 && m->from_day <= s->core->today && !counts_already(s->core, p))
        return sq_refuse(s, SQ_R_PROGRAMME_TERMS,
                         "programme %06u/%u: limits or relations are new in it, so it begins after today", m->issuer,
                         m->number);
    return SQ_OK;
}

static sq_status put_programme(struct sq_step *s, uint32_t node, const Sanquan__V1__Programme *m)
{
    struct sq_core *core = s->core;
    struct sq_terms *fresh = sq_arena_take(s->fx->arena, sizeof *fresh); /* large: not for the stack */
    if (fresh == NULL)
        return sq_full(s);
    uint32_t row = sq_programme_find(core, m->issuer, m->number), terms;
    sq_status st = sq_terms_compile(m, fresh, &s->why);
    if (st == SQ_OK)
        st = check_version(s, m, row == SQ_ROW_NONE ? NULL : sq_programme_at(core, row));
    if (st != SQ_OK || (st = sq_table_reserve(&core->terms, 1, s->err)) != SQ_OK ||
        (st = reserve_programme(core, s->err)) != SQ_OK)
        return st;
    struct sq_programme *p; /* from here it must succeed */
    if (row != SQ_ROW_NONE) {
        p = sq_programme_at(core, row);
        fresh->previous = p->terms;
    } else {
        p = sq_table_add(&core->programmes, &row);
        *p = (struct sq_programme){.issuer = m->issuer,
                                   .number = m->number,
                                   .kind = m->kind,
                                   .pool_at = m->pool_at,
                                   .maturities = SQ_ROW_NONE,
                                   .first_application = SQ_ROW_NONE,
                                   .last_application = SQ_ROW_NONE,
                                   .prefunds = SQ_ROW_NONE};
        sq_index_put(&core->programme_index, programme_hash(m->issuer, m->number), row);
    }
    *(struct sq_terms *)sq_table_add(&core->terms, &terms) = *fresh;
    if (fresh->limit_count > core->counts.limits_max)
        core->counts.limits_max = fresh->limit_count;
    p->terms = terms;
    p->node = node;
    p->version = m->version;
    p->stacking = m->stacking;
    p->stack_limit_bp = m->stack_limit_bp;
    p->pool_fen = m->pool_fen;
    p->allocation = m->allocation;
    p->rivals = m->rivals;
    return SQ_OK;
}

sq_status sq_check_authority(struct sq_step *s, uint32_t issuer)
{
    const struct sq_party *p = sq_party_at(s->core, s->party);
    if (p->role != SQ_ROLE_ISSUER || strtoul(sq_party_code(p), NULL, 10) != issuer ||
        sq_node_of_issuer(s->core, issuer) != s->core->self)
        return sq_refuse(s, SQ_R_NOT_YOUR_ISSUER, "%s for issuer %06u", p->name, issuer);
    return SQ_OK;
}

sq_status sq_on_programme(struct sq_step *s, const Sanquan__V1__Programme *m)
{
    sq_status st = sq_check_authority(s, m->issuer);
    if (st == SQ_OK)
        st = put_programme(s, s->core->self, m);
    if (st == SQ_OK)
        st = sq_effects_send_all(s->fx, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE, &m->base, s->err);
    if (st != SQ_OK)
        return st;
    return sq_answer_accepted(s, 1);
}

sq_status sq_on_programme_notice(struct sq_step *s, uint32_t from, const Sanquan__V1__Programme *m)
{
    if (sq_node_of_issuer(s->core, m->issuer) != from)
        return sq_refuse(s, SQ_R_NOT_YOUR_ISSUER, "programme of issuer %06u", m->issuer);
    return put_programme(s, from, m);
}

/* ---- pools that grants take up ---- */

sq_status sq_maturities_reserve(struct sq_core *core, uint32_t days, struct sq_error *err)
{
    return sq_table_reserve(&core->maturities, days, err);
}

void sq_maturity_move(struct sq_core *core, struct sq_programme *p, uint32_t until_day, int64_t fen)
{
    struct sq_maturity *m = NULL;
    for (uint32_t n = p->maturities; n != SQ_ROW_NONE; n = SQ_ROW(&core->maturities, struct sq_maturity, n)->next)
        if (SQ_ROW(&core->maturities, struct sq_maturity, n)->until_day == until_day) {
            m = SQ_ROW(&core->maturities, struct sq_maturity, n);
            break;
        }
    if (m == NULL) {
        uint32_t number;
        m = sq_table_add(&core->maturities, &number);
        SQ_ASSERT(m != NULL); /* a grant reserved it; later moves find it */
        *m = (struct sq_maturity){.until_day = until_day, .next = p->maturities};
        p->maturities = number;
    }
    m->left_fen += fen;
    p->reserved_fen += fen;
    SQ_ASSERT(m->left_fen >= 0 && p->reserved_fen >= 0);
}

void sq_maturities_end(struct sq_core *core)
{
    for (uint32_t i = 0; i < core->programmes.count; i++) {
        struct sq_programme *p = sq_programme_at(core, i);
        for (uint32_t n = p->maturities; n != SQ_ROW_NONE; n = SQ_ROW(&core->maturities, struct sq_maturity, n)->next) {
            struct sq_maturity *m = SQ_ROW(&core->maturities, struct sq_maturity, n);
            if (m->until_day < core->today && m->left_fen != 0)
                sq_maturity_move(core, p, m->until_day, -m->left_fen);
        }
    }
}
