/*
 * The issuer decides: is this row within every limit (check.c)? If it is, all of its sums move together; if not, none.
 *
 *   RESERVE   amount: free -> reserved          RELEASE, or its time is over: reserved -> free
 *   COMMIT    reserved -> free, then as REDEEM with an amount up to what was reserved
 *   REDEEM    amount: free -> spent             RETURN: spent -> free
 *
 * A part of a bundle is held by its acquirer, under a number of the acquirers' own. Its RESERVE is a promise: everything that a later rule
 * could ask about is held with it, its COMMIT spends exactly what was reserved and is judged by nothing but that it is held, and no time ends
 * it (reservations.c). Otherwise one part could be refused when another is spent already.
 */
#include "clearing/core/issuer.h"

#include "clearing/base/day.h"

#define RESERVE_TERM_MAX_MS (90ull * 86400000u)

struct sq_decision sq_decision_of(const struct sq_core *core, uint32_t acquirer, uint32_t provider, uint64_t at_ms,
                                  uint64_t reserve_until_ms)
{
    uint32_t day = sq_day_of_ms(at_ms);
    return (struct sq_decision){.acquirer = acquirer,
                                .provider = provider,
                                .at_ms = at_ms,
                                .day = day,
                                .agreement =
                                    acquirer != core->self ? sq_recognition_in_force(core, acquirer, day) : NULL,
                                .acquirer_region = (uint32_t)strtoul(sq_node_at(core, acquirer)->code, NULL, 10),
                                .provider_org = sq_party_at(core, provider)->org,
                                .reserve_until_ms = reserve_until_ms};
}

void sq_core_watch(struct sq_core *core, uint32_t acquirer, uint64_t batch, uint32_t row, struct sq_explain *out)
{
    core->watch.acquirer = acquirer;
    core->watch.batch = batch;
    core->watch.row = row;
    core->watch.out = out;
}

void sq_watch_end(struct sq_core *core, uint64_t seq, uint8_t verb, unsigned status)
{
    struct sq_explain *x = core->watch.out;
    int said = 0; /* what it was refused with is among the reasons */
    for (size_t i = 0; i < x->count; i++)
        said |= x->reason[i].passed == 0;
    if (x->count == 0 || (status != SQ_OK && !said && x->count < SQ_REASONS_MAX))
        x->reason[x->count++] = (struct sq_reason){.status = (uint16_t)status, .passed = status == SQ_OK};
    x->decided = 1;
    x->status = status;
    x->seq = seq;
    x->verb = verb;
    core->watch.out = NULL;
}

/* ---- moving ---- */

static void account_move(struct sq_core *core, struct sq_account *a, uint32_t day, int64_t spent_fen,
                         int64_t reserved_fen)
{
    struct sq_use_of_year *year = sq_year_used(core, a, day / 10000, 1);
    a->used_fen += spent_fen + reserved_fen;
    year->spent_fen += spent_fen;
    year->reserved_fen += reserved_fen;
    SQ_ASSERT(a->used_fen >= 0 && year->spent_fen >= 0 && year->reserved_fen >= 0);
}

enum bucket { RESERVED, SPENT };

/*
 * A posting, or with sign -1 what takes one back. Its programme's pool is taken up by redemptions, or was by the grant: then what is reserved
 * goes from what is left of the voucher to the reservation, so that a voucher which ends meanwhile does not give it back.
 */
static void post(struct sq_core *core, struct sq_touched *t, const struct sq_posting *p, int sign, enum bucket bucket)
{
    if (t->voucher->asleep)
        sq_voucher_wake(core, t->number, t->voucher);
    int64_t fen = sign * p->amount_fen, spent = bucket == SPENT ? fen : 0, reserved = fen - spent;
    t->voucher->spent_fen += spent;
    t->voucher->reserved_fen += reserved;
    t->mandate->spent_fen += spent;
    t->mandate->reserved_fen += reserved;
    t->programme->spent_fen += spent;
    t->programme->reserved_fen += reserved;
    if (t->programme->pool_at == 1 && sq_voucher_alive(core, t->voucher))
        sq_maturity_move(core, t->programme, t->voucher->until_day, -fen);
    account_move(core, t->account, p->day, spent, reserved);
    if (p->tracked)
        sq_counts_move(core, p, sign, bucket == RESERVED);
}

/* Providers of this node may have money in advance for it. */
static void draw(struct sq_core *core, const struct sq_decision *d, const struct sq_touched *t, int64_t fen)
{
    struct sq_prefund *f =
        t->programme->prefunds != SQ_ROW_NONE ? sq_prefund_find(core, t->programme, d->provider) : NULL;
    if (f == NULL)
        return;
    int64_t before = sq_prefund_drawn(f);
    f->spent_fen += fen;
    if (d->explain != NULL) {
        d->explain->has_advance = 1;
        d->explain->advance_fen = sq_prefund_drawn(f) - before;
        d->explain->advance_left_fen = f->advanced_fen - sq_prefund_drawn(f);
    }
}

static void spend(struct sq_core *core, struct sq_decision *d, struct sq_touched *t, const struct sq_rows *r, size_t i,
                  const struct sq_posting *p)
{
    struct sq_account *a = t->account;
    struct sq_invoice_key invoice;
    post(core, t, p, 1, SPENT);
    a->first_day = a->first_day == 0 || p->day < a->first_day ? p->day : a->first_day;
    a->last_day = p->day > a->last_day ? p->day : a->last_day;
    if (p->tracked && sq_invoice_key_of(r->invoice + i * SQ_INVOICE_CELL, &invoice))
        sq_use_add(core, p, &invoice);
    if (p->scenario != 0)
        sq_scenario_count(core, p->programme, p->scenario, p->amount_fen, 1);
    if (p->delivery)
        sq_delivery_at(&core->counts, sq_delivery_intern(core, r->evidence + i * 16, p->voucher))->spent = 1;
    draw(core, d, t, p->amount_fen);
    d->count++;
    d->total_fen[t->programme->kind - 1] += p->amount_fen; /* 8,192 rows of at most 10^13 fen stay within int64 */
}

/* The rules of the issuer, then what its region may come to owe: the acquirer's, and all others together. */
static unsigned check_use(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i,
                          struct sq_touched *t, struct sq_posting *p)
{
    unsigned refused = sq_check_use(core, d, r, i, t, p);
    if (refused != SQ_OK && (d->explain == NULL || d->explain->issuer == 0))
        return refused;
    struct sq_verdict v = {.status = refused, .x = d->explain};
    struct sq_room room;
    uint32_t kind = t->programme->kind;
    if (sq_settlement_cap_room(core->settlement, d->acquirer, kind, d->total_fen, &room) &&
        sq_rule_amount(&v, p->amount_fen, room.cap_fen, room.used_fen, SQ_R_NET_DEBIT_CAP, 0, 1))
        return v.status;
    if (sq_settlement_account_room(core->settlement, d->acquirer, kind, d->total_fen, &room))
        (void)sq_rule_amount(&v, p->amount_fen, room.cap_fen, room.used_fen, SQ_R_NOT_PREFUNDED, 0, 1);
    return v.status;
}

/* ---- reservations ---- */

/* What spending would note for rules that look at it later, a part of a bundle notes while it is held. */
static void hold_part(struct sq_core *core, struct sq_account *a, const struct sq_reservation *r, int sign)
{
    uint32_t row;
    if (a->held == 0) {
        struct sq_held_days *fresh = sq_table_add(&core->held_days, &row);
        SQ_ASSERT(fresh != NULL); /* sq_decide_reserve */
        *fresh = (struct sq_held_days){0, 0, 0, 0};
        a->held = row + 1;
    }
    struct sq_held_days *h = SQ_ROW(&core->held_days, struct sq_held_days, a->held - 1);
    h->first_day = h->count == 0 || r->p.day < h->first_day ? r->p.day : h->first_day;
    h->last_day = r->p.day > h->last_day ? r->p.day : h->last_day;
    h->count += (uint32_t)sign;
    if (h->count == 0)
        *h = (struct sq_held_days){0, 0, 0, 0};
    if (r->delivery != SQ_ROW_NONE)
        sq_delivery_at(&core->counts, r->delivery)->held += (uint32_t)sign;
    core->parts_held += (uint64_t)sign;
}

static void hold(struct sq_core *core, struct sq_touched *t, const struct sq_reservation *r, int sign)
{
    post(core, t, &r->p, sign, RESERVED);
    sq_settlement_hold(core->settlement, r->acquirer, t->programme->kind, sign * r->p.amount_fen);
    if (sq_is_part(r->number))
        hold_part(core, t->account, r, sign);
}

static void release(struct sq_core *core, struct sq_reservation *r)
{
    struct sq_touched t;
    unsigned missing = sq_find_touched(core, r->provider, r->p.voucher, &t);
    SQ_ASSERT(missing == SQ_OK && t.mandate != NULL); /* vouchers and mandates are never removed */
    hold(core, &t, r, -1);
    r->p.amount_fen = 0;
}

void sq_decide_expire(struct sq_core *core)
{
    sq_reservations_expire(core, release);
}

static unsigned reserve(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct sq_touched t;
    struct sq_reservation row = {.number = r->reservation[i],
                                 .until_ms = d->reserve_until_ms,
                                 .provider = d->provider,
                                 .acquirer = d->acquirer,
                                 .delivery = SQ_ROW_NONE};
    if (sq_reservation_find(core, d->provider, row.number) != NULL)
        return SQ_R_RESERVATION_EXISTS;
    if (d->reserve_until_ms < core->now_ms || d->reserve_until_ms > core->now_ms + RESERVE_TERM_MAX_MS)
        return SQ_R_RESERVATION_TERM;
    unsigned refused = check_use(core, d, r, i, &t, &row.p);
    if (refused != SQ_OK)
        return refused;
    if (row.p.delivery && sq_is_part(row.number))
        row.delivery = sq_delivery_intern(core, r->evidence + i * 16, row.p.voucher);
    sq_reservation_add(core, &row);
    hold(core, &t, &row, 1);
    return SQ_OK;
}

/* An open reservation of this provider on this voucher; a part of a bundle is also its acquirer's. */
static struct sq_reservation *open_reservation(struct sq_core *core, const struct sq_decision *d,
                                               const struct sq_rows *r, size_t i)
{
    struct sq_reservation *row = sq_reservation_find(core, d->provider, r->reservation[i]);
    return row != NULL && row->p.amount_fen != 0 && row->p.voucher == r->voucher[i] &&
                   (!sq_is_part(row->number) || row->acquirer == d->acquirer)
               ? row
               : NULL;
}

/* A part of a bundle: what is held is spent, and nothing is asked. */
static unsigned commit_part(struct sq_core *core, struct sq_reservation *row, int64_t amount_fen, struct sq_touched *t,
                            struct sq_posting *p)
{
    if (amount_fen != row->p.amount_fen)
        return SQ_R_RESERVATION_EXCEEDED;
    *p = row->p;
    p->delivery = 0; /* its row is known */
    release(core, row);
    if (row->delivery != SQ_ROW_NONE)
        sq_delivery_at(&core->counts, row->delivery)->spent = 1;
    return sq_find_touched(core, row->provider, p->voucher, t);
}

static unsigned commit(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i,
                       struct sq_touched *t, struct sq_posting *p)
{
    struct sq_reservation *row = open_reservation(core, d, r, i);
    if (row == NULL)
        return SQ_R_RESERVATION_UNKNOWN;
    if (sq_is_part(row->number))
        return commit_part(core, row, r->amount_fen[i], t, p);
    if (r->amount_fen[i] > row->p.amount_fen)
        return SQ_R_RESERVATION_EXCEEDED;
    /* What was reserved is set free for a moment, so that the rules see the use as a new one; a refusal puts it back. */
    int64_t held = row->p.amount_fen;
    release(core, row);
    unsigned refused = check_use(core, d, r, i, t, p);
    if (refused == SQ_OK)
        return SQ_OK;
    unsigned missing = sq_find_touched(core, row->provider, row->p.voucher, t);
    SQ_ASSERT(missing == SQ_OK);
    row->p.amount_fen = held;
    hold(core, t, row, 1);
    return refused;
}

/* ---- returns ---- */

/* Is every use of this voucher on such a day tracked? */
static int is_tracked(const struct sq_core *core, const struct sq_touched *t, uint32_t day)
{
    const struct sq_terms *terms = sq_terms_of_day(core, t->programme, day);
    return t->voucher->detail != SQ_ROW_NONE ||
           (terms != NULL && (terms->rules & (SQ_RULE_LIMITS | SQ_RULE_RELATIONS)) != 0);
}

/* What a return of this row takes back; *use is what it takes it from, where uses are tracked. */
static unsigned check_return(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i,
                             struct sq_touched *t, struct sq_posting *p, struct sq_use **use)
{
    struct sq_invoice_key invoice;
    int64_t amount = r->amount_fen[i], base = r->base_fen[i], quantity = r->quantity != NULL ? r->quantity[i] : 0;
    int any = 0;
    unsigned refused = sq_find_touched(core, d->provider, r->voucher[i], t);
    if (refused != SQ_OK)
        return refused;
    if (t->mandate == NULL)
        return SQ_R_NO_MANDATE;
    if (!sq_invoice_key_of(r->invoice + i * SQ_INVOICE_CELL, &invoice))
        return SQ_R_INVOICE_FORMAT;
    *p = (struct sq_posting){.voucher = r->voucher[i],
                             .amount_fen = amount,
                             .base_fen = base,
                             .quantity = quantity,
                             .programme = t->number,
                             .day = r->service_day[i],
                             .scenario = r->scenario != NULL ? r->scenario[i] : 0,
                             .detail = SQ_ROW_NONE,
                             .contract_use = SQ_ROW_NONE};
    *use = sq_use_find(core, r->voucher[i], &invoice, amount, base, quantity, &any);
    if (*use != NULL) {
        *p = (*use)->p;
        p->amount_fen = amount;
        p->base_fen = base;
        p->quantity = quantity;
        p->count = amount == (*use)->p.amount_fen;
    } else if (any || is_tracked(core, t, p->day)) {
        return SQ_R_RETURN_EXCEEDS;
    } else if (sq_dispute_took(core, d->provider, p->voucher, r->invoice + i * SQ_INVOICE_CELL)) {
        return SQ_R_DISPUTED; /* how much of the item is left is not known */
    }
    const struct sq_use_of_year *year = sq_year_used(core, t->account, p->day / 10000, 0);
    return amount <= t->mandate->spent_fen && amount <= t->voucher->spent_fen && year != NULL &&
                   amount <= year->spent_fen
               ? SQ_OK
               : SQ_R_RETURN_EXCEEDS;
}

static unsigned give_back(struct sq_core *core, struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct sq_touched t;
    struct sq_posting p;
    struct sq_use *use = NULL;
    unsigned refused = check_return(core, d, r, i, &t, &p, &use);
    if (refused != SQ_OK)
        return refused;
    post(core, &t, &p, -1, SPENT);
    if (use != NULL) {
        use->p.amount_fen -= p.amount_fen;
        use->p.base_fen -= p.base_fen;
        use->p.quantity -= p.quantity;
    }
    if (p.scenario != 0)
        sq_scenario_count(core, p.programme, p.scenario, p.amount_fen, -1);
    draw(core, d, &t, -p.amount_fen);
    sq_dispute_returned(core, d->provider, p.voucher, r->invoice + i * SQ_INVOICE_CELL, p.amount_fen);
    d->count++;
    d->total_fen[t.programme->kind - 1] -= p.amount_fen;
    return SQ_OK;
}

/* ---- a return without its provider ---- */

unsigned sq_reversal_check(struct sq_core *core, uint32_t provider, const struct sq_rows *r)
{
    const struct sq_decision d = {.provider = provider};
    struct sq_touched t;
    struct sq_posting p;
    struct sq_use *use = NULL;
    return check_return(core, &d, r, 0, &t, &p, &use);
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The most that a return of the row could take. */
static int64_t still_spent(struct sq_core *core, uint32_t provider, const struct sq_rows *r)
{
    struct sq_touched t;
    struct sq_invoice_key invoice;
    if (sq_find_touched(core, provider, r->voucher[0], &t) != SQ_OK || t.mandate == NULL ||
        !sq_invoice_key_of(r->invoice, &invoice))
        return 0;
    int64_t use = sq_use_most(core, r->voucher[0], &invoice), most = lesser(t.mandate->spent_fen, t.voucher->spent_fen);
    const struct sq_use_of_year *year = sq_year_used(core, t.account, r->service_day[0] / 10000, 0);
    if (year == NULL || (use < 0 && is_tracked(core, &t, r->service_day[0])))
        return 0;
    return lesser(lesser(most, year->spent_fen), use >= 0 ? use : INT64_MAX);
}

int64_t sq_reverse(struct sq_core *core, uint32_t provider, const struct sq_rows *r)
{
    struct sq_decision d = {.provider = provider};
    struct sq_rows row = *r;
    const int64_t fen = lesser(r->amount_fen[0], still_spent(core, provider, r));
    row.amount_fen = &fen;
    return fen > 0 && give_back(core, &d, &row, 0) == SQ_OK ? fen : 0;
}

/* ---- one row ---- */

sq_status sq_decide_reserve(struct sq_core *core, uint32_t rows, struct sq_error *err)
{
    sq_status st = sq_table_reserve(&core->years, rows, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->reservations, rows, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->reservation_heap, rows, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->held_days, rows, err);
    if (st == SQ_OK)
        st = sq_index_reserve(&core->reservation_index, rows, err);
    if (st == SQ_OK)
        st = sq_maturities_reserve(core, rows, err);
    return st != SQ_OK ? st : sq_counts_reserve(&core->counts, rows, err);
}

/* A row is no larger than a line of the cache, but may lie across two. */
static void fetch(const void *row, size_t size)
{
    __builtin_prefetch(row, 1);
    __builtin_prefetch((const char *)row + size - 1, 1);
}

void sq_decide_prefetch(const struct sq_core *core, const struct sq_rows *r, size_t i)
{
    enum { MANDATE_AHEAD = 12, VOUCHER_AHEAD = 28 }; /* by then the voucher is here, and says which mandate it needs */
    const struct sq_voucher *v;
    uint32_t programme;
    if (i + VOUCHER_AHEAD < r->count && (v = sq_voucher_find(core, r->voucher[i + VOUCHER_AHEAD], &programme)) != NULL)
        fetch(v, sizeof *v);
    if (i + MANDATE_AHEAD < r->count &&
        (v = sq_voucher_find(core, r->voucher[i + MANDATE_AHEAD], &programme)) != NULL && v->mandate != SQ_ROW_NONE)
        fetch(SQ_ROW(&core->mandates, struct sq_mandate, v->mandate), sizeof(struct sq_mandate));
}

unsigned sq_decide_row(struct sq_core *core, struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct sq_touched t;
    struct sq_posting p;
    unsigned refused = SQ_R_VERB;
    switch ((Sanquan__V1__Verb)sq_row_verb(r, i)) {
    case SANQUAN__V1__VERB__REDEEM:
        if ((refused = check_use(core, d, r, i, &t, &p)) == SQ_OK)
            spend(core, d, &t, r, i, &p);
        break;
    case SANQUAN__V1__VERB__COMMIT:
        if ((refused = commit(core, d, r, i, &t, &p)) == SQ_OK)
            spend(core, d, &t, r, i, &p);
        break;
    case SANQUAN__V1__VERB__RESERVE:
        return reserve(core, d, r, i);
    case SANQUAN__V1__VERB__RELEASE: {
        struct sq_reservation *row = open_reservation(core, d, r, i);
        if (row == NULL)
            return SQ_R_RESERVATION_UNKNOWN;
        release(core, row);
        return SQ_OK;
    }
    case SANQUAN__V1__VERB__RETURN:
        return give_back(core, d, r, i);
    case SANQUAN__V1__VERB__VERB_NONE:
    case _SANQUAN__V1__VERB_IS_INT_SIZE:
        break;
    }
    return refused;
}
