/*
 * Invariants: a counter's spent and reserved are never negative, and are the sums of the postings that count for it; a use holds what
 * was spent on its voucher and invoice and not given back; a delivery belongs to one voucher for ever once it was spent, and until they are
 * over while parts of bundles hold it.
 */
#include "clearing/core/limits.h"

#include "clearing/base/day.h"
#include "clearing/core/state.h"

void sq_counts_init(struct sq_counts *c)
{
    *c = (struct sq_counts){.counters = SQ_TABLE_OF(struct sq_counter),
                            .uses = SQ_TABLE_OF(struct sq_use),
                            .contracts = SQ_TABLE_OF(struct sq_contract),
                            .contract_uses = SQ_TABLE_OF(struct sq_contract_use),
                            .deliveries = SQ_TABLE_OF(struct sq_delivery),
                            .scenarios = SQ_TABLE_OF(struct sq_scenario)};
}

static sq_status reserve_pair(struct sq_table *t, struct sq_index *ix, uint32_t more, struct sq_error *err)
{
    sq_status st = sq_table_reserve(t, more, err);
    return st != SQ_OK ? st : sq_index_reserve(ix, more, err);
}

sq_status sq_counts_reserve(struct sq_counts *c, uint32_t rows, struct sq_error *err)
{
    sq_status st = reserve_pair(&c->scenarios, &c->scenario_index, rows, err);
    if (st == SQ_OK)
        st = reserve_pair(&c->deliveries, &c->delivery_index, rows, err);
    if (st == SQ_OK)
        st = reserve_pair(&c->uses, &c->use_index, rows, err);
    return st != SQ_OK ? st
                       : reserve_pair(&c->counters, &c->counter_index, 2 * rows * c->limits_max,
                                      err); /* a use may also grant */
}

sq_status sq_counts_reserve_grants(struct sq_counts *c, uint32_t rows, struct sq_error *err)
{
    sq_status st = reserve_pair(&c->contracts, &c->contract_index, rows, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&c->contract_uses, rows, err);
    return st != SQ_OK ? st : reserve_pair(&c->counters, &c->counter_index, rows * c->limits_max, err);
}

/* ---- counters ---- */

/* The subject that a limit counts for; 0 where there is one for the whole programme. Returns 0 when the posting has none. */
static int key_of(const struct sq_limit *l, const struct sq_posting *p, const struct sq_core *core, uint64_t *key)
{
    switch ((Sanquan__V1__Scope)l->scope) {
    case SANQUAN__V1__SCOPE__SCOPE_VOUCHER:
        *key = p->voucher;
        return 1;
    case SANQUAN__V1__SCOPE__SCOPE_CONTRACT:
        *key = p->contract_use == SQ_ROW_NONE
                   ? 0
                   : SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, p->contract_use)->contract;
        return p->contract_use != SQ_ROW_NONE;
    case SANQUAN__V1__SCOPE__SCOPE_HOLDER:
        *key = p->holder_org;
        return 1;
    case SANQUAN__V1__SCOPE__SCOPE_GROUP:
        *key = p->group_org;
        return 1;
    case SANQUAN__V1__SCOPE__SCOPE_PROVIDER:
        *key = p->provider_org;
        return 1;
    case SANQUAN__V1__SCOPE__SCOPE_SERVICE:
        *key = p->service;
        return 1;
    case SANQUAN__V1__SCOPE__SCOPE_SCENARIO:
        *key = p->scenario;
        return p->scenario != 0;
    case SANQUAN__V1__SCOPE__SCOPE_PROGRAMME:
        *key = 0;
        return 1;
    case SANQUAN__V1__SCOPE__SCOPE_CLAIM:
    case SANQUAN__V1__SCOPE__SCOPE_NONE:
    case _SANQUAN__V1__SCOPE_IS_INT_SIZE:
        break;
    }
    return 0;
}

static int64_t value_of(const struct sq_limit *l, const struct sq_posting *p)
{
    switch ((Sanquan__V1__Unit)l->unit) {
    case SANQUAN__V1__UNIT__UNIT_FEN:
        return p->amount_fen;
    case SANQUAN__V1__UNIT__UNIT_BASE:
        return p->base_fen;
    case SANQUAN__V1__UNIT__UNIT_COUNT:
        return p->count;
    case SANQUAN__V1__UNIT__UNIT_QUANTITY:
        return p->quantity;
    case SANQUAN__V1__UNIT__UNIT_NONE:
    case _SANQUAN__V1__UNIT_IS_INT_SIZE:
        break;
    }
    return 0;
}

static uint64_t counter_hash(uint32_t programme, uint32_t limit, uint32_t period, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u ^ ((uint64_t)programme << 40 ^ (uint64_t)limit << 32 ^ period);
    h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}

static struct sq_counter *counter_find(const struct sq_core *core, uint32_t programme, uint32_t limit, uint32_t period,
                                       uint64_t key)
{
    struct sq_index_cursor c = {.hash = counter_hash(programme, limit, period, key)};
    uint32_t row;
    while ((row = sq_index_next(&core->counts.counter_index, &c)) != SQ_ROW_NONE) {
        struct sq_counter *x = SQ_ROW(&core->counts.counters, struct sq_counter, row);
        if (x->key == key && x->programme == programme && x->limit == limit && x->period == period)
            return x;
    }
    return NULL;
}

static struct sq_counter *counter_add(struct sq_core *core, uint32_t programme, uint32_t limit, uint32_t period,
                                      uint64_t key)
{
    uint32_t row;
    struct sq_counter *x = sq_table_add(&core->counts.counters, &row);
    SQ_ASSERT(x != NULL); /* sq_counts_reserve */
    *x = (struct sq_counter){.key = key, .programme = programme, .limit = limit, .period = period};
    sq_index_put(&core->counts.counter_index, counter_hash(programme, limit, period, key), row);
    return x;
}

/* ---- checking ---- */

#define SUM_MAX                                                                                                        \
    (INT64_MAX / 2) /* bases and quantities without a cap are only what providers say: their sums end here */

static int check_limit(const struct sq_core *core, const struct sq_limit *l, const struct sq_posting *p,
                       struct sq_verdict *v)
{
    int64_t asked = value_of(l, p), used = 0;
    uint64_t key;
    if (l->scope != SANQUAN__V1__SCOPE__SCOPE_CLAIM) {
        if (!key_of(l, p, core, &key))
            return 0;
        const struct sq_counter *x = counter_find(core, p->programme, l->number, sq_limit_period(l, p->day), key);
        used = x != NULL ? x->spent + x->reserved : 0;
    }
    if (asked > SUM_MAX - used && sq_rule(v, 0, SQ_R_AMOUNT, l->number, asked))
        return 1;
    return (l->hard != 0 && sq_rule_amount(v, asked, l->hard, used, SQ_R_LIMIT, l->number, l->unit)) ||
           (l->soft != 0 && sq_rule_amount(v, asked, l->soft, used, SQ_R_LIMIT_SOFT, l->number, l->unit));
}

int sq_counts_check(const struct sq_core *core, const struct sq_posting *p, struct sq_verdict *v)
{
    const struct sq_terms *t = sq_terms_at(core, p->terms);
    if (p->detail != SQ_ROW_NONE) {
        const struct sq_detail *d = SQ_ROW(&core->details, struct sq_detail, p->detail);
        int64_t bases = t->base_kind == 1 ? d->contract_fen : t->base_kind == 2 ? d->approved_fen : 0;
        if ((p->base_fen > SUM_MAX - d->base_used_fen || p->quantity > SUM_MAX - d->quantity_used) &&
            sq_rule(v, 0, SQ_R_AMOUNT, 0, p->quantity))
            return 1;
        if (bases != 0 && sq_rule_amount(v, p->base_fen, bases, d->base_used_fen, SQ_R_CONTRACT_BASE, 0,
                                         SANQUAN__V1__UNIT__UNIT_BASE))
            return 1;
        if (d->quota != 0 &&
            sq_rule_amount(v, p->quantity, d->quota, d->quantity_used, SQ_R_QUOTA, 0, SANQUAN__V1__UNIT__UNIT_QUANTITY))
            return 1;
    }
    if (p->contract_use != SQ_ROW_NONE &&
        p->base_fen >
            SUM_MAX - SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, p->contract_use)->base_fen &&
        sq_rule(v, 0, SQ_R_AMOUNT, 0, p->base_fen))
        return 1;
    for (uint32_t i = 0; i < t->limit_count; i++)
        if ((p->limits >> i & 1) && check_limit(core, &t->limits[i], p, v))
            return 1;
    return 0;
}

/* ---- moving ---- */

void sq_limits_move(struct sq_core *core, const struct sq_posting *p, int sign, int reserved)
{
    const struct sq_terms *t = sq_terms_at(core, p->terms);
    for (uint32_t i = 0; p->limits != 0 && i < t->limit_count; i++) {
        const struct sq_limit *l = &t->limits[i];
        uint64_t key;
        if (!(p->limits >> i & 1) || !key_of(l, p, core, &key))
            continue;
        uint32_t period = sq_limit_period(l, p->day);
        struct sq_counter *x = counter_find(core, p->programme, l->number, period, key);
        x = x != NULL ? x : counter_add(core, p->programme, l->number, period, key);
        *(reserved ? &x->reserved : &x->spent) += sign * value_of(l, p);
        SQ_ASSERT(x->spent >= 0 && x->reserved >= 0);
    }
}

void sq_counts_move(struct sq_core *core, const struct sq_posting *p, int sign, int reserved)
{
    if (p->detail != SQ_ROW_NONE) {
        struct sq_detail *d = SQ_ROW(&core->details, struct sq_detail, p->detail);
        d->base_used_fen += sign * p->base_fen;
        d->quantity_used += sign * p->quantity;
        SQ_ASSERT(d->base_used_fen >= 0 && d->quantity_used >= 0);
    }
    if (p->contract_use != SQ_ROW_NONE) {
        struct sq_contract_use *u = SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, p->contract_use);
        u->used_fen += sign * p->amount_fen;
        u->base_fen += sign * p->base_fen;
        SQ_ASSERT(u->used_fen >= 0 && u->base_fen >= 0);
    }
    sq_limits_move(core, p, sign, reserved);
}

/* ---- uses ---- */

static uint64_t use_hash(uint64_t voucher, const struct sq_invoice_key *invoice)
{
    uint64_t key[3] = {voucher, invoice->low, invoice->head};
    return sq_hash_key(key, sizeof key);
}

void sq_use_add(struct sq_core *core, const struct sq_posting *p, const struct sq_invoice_key *invoice)
{
    uint32_t row;
    struct sq_use *u = sq_table_add(&core->counts.uses, &row);
    SQ_ASSERT(u != NULL); /* sq_counts_reserve */
    *u = (struct sq_use){*p, *invoice};
    sq_index_put(&core->counts.use_index, use_hash(p->voucher, invoice), row);
}

struct sq_use *sq_use_find(const struct sq_core *core, uint64_t voucher, const struct sq_invoice_key *invoice,
                           int64_t amount_fen, int64_t base_fen, int64_t quantity, int *any)
{
    struct sq_index_cursor c = {.hash = use_hash(voucher, invoice)};
    uint32_t row, best = SQ_ROW_NONE; /* an index has no order of its own: the newest row is chosen by its number */
    *any = 0;
    while ((row = sq_index_next(&core->counts.use_index, &c)) != SQ_ROW_NONE) {
        const struct sq_use *u = SQ_ROW(&core->counts.uses, struct sq_use, row);
        if (u->p.voucher != voucher || u->invoice.low != invoice->low || u->invoice.head != invoice->head)
            continue;
        *any = 1;
        if (amount_fen <= u->p.amount_fen && base_fen <= u->p.base_fen && quantity <= u->p.quantity &&
            (best == SQ_ROW_NONE || row > best))
            best = row;
    }
    return best != SQ_ROW_NONE ? SQ_ROW(&core->counts.uses, struct sq_use, best) : NULL;
}

int64_t sq_use_most(const struct sq_core *core, uint64_t voucher, const struct sq_invoice_key *invoice)
{
    struct sq_index_cursor c = {.hash = use_hash(voucher, invoice)};
    uint32_t row;
    int64_t most = -1;
    while ((row = sq_index_next(&core->counts.use_index, &c)) != SQ_ROW_NONE) {
        const struct sq_use *u = SQ_ROW(&core->counts.uses, struct sq_use, row);
        if (u->p.voucher == voucher && u->invoice.low == invoice->low && u->invoice.head == invoice->head &&
            u->p.amount_fen > most)
            most = u->p.amount_fen;
    }
    return most;
}

/* ---- contracts ---- */

static uint32_t contract_find(const struct sq_core *core, const uint8_t digest[static 16])
{
    struct sq_index_cursor c = {.hash = sq_hash_key(digest, 16)};
    uint32_t row;
    while ((row = sq_index_next(&core->counts.contract_index, &c)) != SQ_ROW_NONE)
        if (memcmp(SQ_ROW(&core->counts.contracts, struct sq_contract, row)->digest, digest, 16) == 0)
            break;
    return row;
}

struct sq_contract_use *sq_contract_use_of(const struct sq_core *core, uint32_t contract, uint32_t programme)
{
    for (uint32_t n = SQ_ROW(&core->counts.contracts, struct sq_contract, contract)->first; n != SQ_ROW_NONE;) {
        struct sq_contract_use *u = SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, n);
        if (u->programme == programme)
            return u;
        n = u->next;
    }
    return NULL;
}

uint32_t sq_contract_use_intern(struct sq_core *core, const uint8_t digest[static 16], uint32_t programme)
{
    uint32_t contract = contract_find(core, digest), row;
    if (contract == SQ_ROW_NONE) {
        struct sq_contract *c = sq_table_add(&core->counts.contracts, &contract);
        SQ_ASSERT(c != NULL); /* sq_counts_reserve_grants */
        memcpy(c->digest, digest, 16);
        c->first = SQ_ROW_NONE;
        sq_index_put(&core->counts.contract_index, sq_hash_key(digest, 16), contract);
    }
    struct sq_contract_use *u = sq_contract_use_of(core, contract, programme);
    if (u != NULL)
        return (uint32_t)(u - (struct sq_contract_use *)core->counts.contract_uses.rows);
    struct sq_contract *c = SQ_ROW(&core->counts.contracts, struct sq_contract, contract);
    u = sq_table_add(&core->counts.contract_uses, &row);
    SQ_ASSERT(u != NULL);
    *u = (struct sq_contract_use){.contract = contract, .programme = programme, .next = c->first};
    c->first = row;
    return row;
}

int sq_contract_taken(const struct sq_core *core, const uint8_t digest[static 16], uint32_t programme, uint32_t within)
{
    uint32_t contract = contract_find(core, digest), issuer = sq_programme_at(core, programme)->issuer;
    if (contract == SQ_ROW_NONE)
        return 0;
    for (uint32_t n = SQ_ROW(&core->counts.contracts, struct sq_contract, contract)->first; n != SQ_ROW_NONE;) {
        const struct sq_contract_use *u = SQ_ROW(&core->counts.contract_uses, struct sq_contract_use, n);
        n = u->next;
        if (u->vouchers != 0 && (within == 3 || u->programme == programme ||
                                 (within == 2 && sq_programme_at(core, u->programme)->issuer == issuer)))
            return 1;
    }
    return 0;
}

/* ---- deliveries and scenarios ---- */

static uint32_t delivery_find(const struct sq_core *core, const uint8_t evidence[static 16])
{
    struct sq_index_cursor c = {.hash = sq_hash_key(evidence, 16)};
    uint32_t row;
    while ((row = sq_index_next(&core->counts.delivery_index, &c)) != SQ_ROW_NONE)
        if (memcmp(sq_delivery_at(&core->counts, row)->evidence, evidence, 16) == 0)
            break;
    return row;
}

static int is_free(const struct sq_delivery *d)
{
    return d->held == 0 && d->spent == 0;
}

uint64_t sq_delivery_voucher(const struct sq_core *core, const uint8_t evidence[static 16])
{
    uint32_t row = delivery_find(core, evidence);
    return row == SQ_ROW_NONE || is_free(sq_delivery_at(&core->counts, row))
               ? 0
               : sq_delivery_at(&core->counts, row)->voucher;
}

uint32_t sq_delivery_intern(struct sq_core *core, const uint8_t evidence[static 16], uint64_t voucher)
{
    uint32_t row = delivery_find(core, evidence);
    if (row == SQ_ROW_NONE) {
        struct sq_delivery *d = sq_table_add(&core->counts.deliveries, &row);
        SQ_ASSERT(d != NULL); /* sq_counts_reserve */
        *d = (struct sq_delivery){.voucher = voucher};
        memcpy(d->evidence, evidence, 16);
        sq_index_put(&core->counts.delivery_index, sq_hash_key(evidence, 16), row);
    }
    struct sq_delivery *d = sq_delivery_at(&core->counts, row);
    d->voucher = is_free(d) ? voucher : d->voucher;
    return row;
}

void sq_scenario_count(struct sq_core *core, uint32_t programme, uint32_t scenario, int64_t amount_fen, int sign)
{
    uint64_t hash = counter_hash(programme, 0, 0, scenario);
    struct sq_index_cursor c = {.hash = hash};
    struct sq_scenario *s = NULL;
    uint32_t row;
    while ((row = sq_index_next(&core->counts.scenario_index, &c)) != SQ_ROW_NONE) {
        s = SQ_ROW(&core->counts.scenarios, struct sq_scenario, row);
        if (s->programme == programme && s->scenario == scenario)
            break;
    }
    if (row == SQ_ROW_NONE) {
        s = sq_table_add(&core->counts.scenarios, &row);
        SQ_ASSERT(s != NULL);
        *s = (struct sq_scenario){.programme = programme, .scenario = scenario};
        sq_index_put(&core->counts.scenario_index, hash, row);
    }
    int64_t *sum = sign > 0 ? &s->redeemed_fen : &s->returned_fen;
    if (__builtin_add_overflow(*sum, amount_fen, sum))
        *sum = INT64_MAX; /* a report only; what is redeemed and given back over and over may fill it */
    s->count += sign > 0;
}
