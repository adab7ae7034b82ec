/*
 * The issuer decides: is this row within every limit (check.c)? If it is, all of its sums move together; if not, none.
 *
 *   RESERVE   amount: free -> reserved          RELEASE, or its time is over: reserved -> free
 *   COMMIT    reserved -> free, then as REDEEM with an amount up to what was reserved
 *   REDEEM    amount: free -> spent             RETURN: spent -> free
 */
#include "clearing/core/state.h"

#include "clearing/base/day.h"

#define RESERVE_TERM_MAX_MS (90ull * 86400000u)

struct sq_decision sq_decision_of(const struct sq_core *core, uint32_t acquirer, uint32_t provider, uint64_t at_ms, uint64_t reserve_until_ms)
{
    return (struct sq_decision){.acquirer = acquirer, .provider = provider, .at_ms = at_ms, .day = sq_day_of_ms(at_ms),
                                .acquirer_region = (uint32_t)strtoul(sq_node_at(core, acquirer)->code, NULL, 10),
                                .provider_org = sq_party_at(core, provider)->org, .reserve_until_ms = reserve_until_ms};
}

/* ---- moving ---- */

static void account_move(struct sq_core *core, struct sq_account *a, uint32_t day, int64_t spent_fen, int64_t reserved_fen)
{
    struct sq_use_of_year *year = sq_year_used(core, a, day / 10000, 1);
    a->used_fen += spent_fen + reserved_fen;
    year->spent_fen += spent_fen;
    year->reserved_fen += reserved_fen;
    SQ_ASSERT(a->used_fen >= 0 && year->spent_fen >= 0 && year->reserved_fen >= 0);
}

static void move_spent(struct sq_core *core, struct sq_touched *t, uint32_t day, int64_t fen)
{
    t->voucher->spent_fen += fen;
    t->mandate->spent_fen += fen;
    t->programme->spent_fen += fen;
    account_move(core, t->account, day, fen, 0);
}

static void spend(struct sq_core *core, struct sq_decision *d, struct sq_touched *t, uint32_t day, int64_t fen)
{
    struct sq_account *a = t->account;
    move_spent(core, t, day, fen);
    a->first_day = a->first_day == 0 || day < a->first_day ? day : a->first_day;
    a->last_day = day > a->last_day ? day : a->last_day;
    d->count++;
    d->total_fen[t->programme->kind - 1] += fen; /* 8,192 rows of at most 10^13 fen stay within int64 */
}

static void give_back(struct sq_core *core, struct sq_decision *d, struct sq_touched *t, uint32_t day, int64_t fen)
{
    move_spent(core, t, day, -fen);
    d->count++;
    d->total_fen[t->programme->kind - 1] -= fen;
}

static void move_reserved(struct sq_core *core, struct sq_touched *t, uint32_t day, int64_t fen)
{
    t->voucher->reserved_fen += fen;
    t->mandate->reserved_fen += fen;
    t->programme->reserved_fen += fen;
    account_move(core, t->account, day, 0, fen);
}

/* ---- reservations ---- */

static void release(struct sq_core *core, struct sq_reservation *r)
{
    struct sq_touched t;
    unsigned missing = sq_find_touched(core, r->provider, r->voucher, &t);
    SQ_ASSERT(missing == SQ_OK && t.mandate != NULL); /* vouchers and mandates are never removed */
    move_reserved(core, &t, r->service_day, -r->amount_fen);
    r->amount_fen = 0;
}

void sq_decide_expire(struct sq_core *core) { sq_reservations_expire(core, release); }

static unsigned reserve(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct sq_touched t;
    if (sq_reservation_find(core, d->provider, r->reservation[i]) != NULL)
        return SQ_R_RESERVATION_EXISTS;
    if (d->reserve_until_ms < core->now_ms || d->reserve_until_ms > core->now_ms + RESERVE_TERM_MAX_MS)
        return SQ_R_RESERVATION_TERM;
    unsigned refused = sq_check_use(core, d, r, i, &t);
    if (refused != SQ_OK)
        return refused;
    struct sq_reservation row = {.number = r->reservation[i], .until_ms = d->reserve_until_ms, .voucher = r->voucher[i],
                                 .amount_fen = r->amount_fen[i], .provider = d->provider, .service_day = r->service_day[i]};
    sq_reservation_add(core, &row);
    move_reserved(core, &t, r->service_day[i], r->amount_fen[i]);
    return SQ_OK;
}

/* An open reservation of this provider on this voucher. */
static struct sq_reservation *open_reservation(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct sq_reservation *row = sq_reservation_find(core, d->provider, r->reservation[i]);
    return row != NULL && row->amount_fen != 0 && row->voucher == r->voucher[i] ? row : NULL;
}

static unsigned commit(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i, struct sq_touched *t)
{
    struct sq_reservation *row = open_reservation(core, d, r, i);
    if (row == NULL)
        return SQ_R_RESERVATION_UNKNOWN;
    if (r->amount_fen[i] > row->amount_fen)
        return SQ_R_RESERVATION_EXCEEDED;
    /* What was reserved is set free for a moment, so that the rules see the use as a new one; a refusal puts it back. */
    int64_t held = row->amount_fen;
    release(core, row);
    unsigned refused = sq_check_use(core, d, r, i, t);
    if (refused == SQ_OK)
        return SQ_OK;
    unsigned missing = sq_find_touched(core, row->provider, row->voucher, t);
    SQ_ASSERT(missing == SQ_OK);
    move_reserved(core, t, row->service_day, held);
    row->amount_fen = held;
    return refused;
}

static unsigned check_give_back(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i, struct sq_touched *t)
{
    unsigned refused = sq_find_touched(core, d->provider, r->voucher[i], t);
    if (refused != SQ_OK)
        return refused;
    if (t->mandate == NULL)
        return SQ_R_NO_MANDATE;
    const struct sq_use_of_year *year = sq_year_used(core, t->account, r->service_day[i] / 10000, 0);
    int64_t amount = r->amount_fen[i];
    return amount <= t->mandate->spent_fen && amount <= t->voucher->spent_fen && year != NULL && amount <= year->spent_fen
               ? SQ_OK : SQ_R_RETURN_EXCEEDS;
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
        st = sq_index_reserve(&core->reservation_index, rows, err);
    return st;
}

void sq_decide_prefetch(const struct sq_core *core, const struct sq_rows *r, size_t i)
{
    uint32_t programme;
    const struct sq_voucher *v = sq_voucher_find(core, r->voucher[i], &programme);
    if (v != NULL)
        __builtin_prefetch(v, 1);
}

unsigned sq_decide_row(struct sq_core *core, struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct sq_touched t;
    unsigned refused;
    switch ((Sanquan__V1__Verb)sq_row_verb(r, i)) {
    case SANQUAN__V1__VERB__REDEEM:
        if ((refused = sq_check_use(core, d, r, i, &t)) != SQ_OK)
            return refused;
        spend(core, d, &t, r->service_day[i], r->amount_fen[i]);
        return SQ_OK;
    case SANQUAN__V1__VERB__COMMIT:
        if ((refused = commit(core, d, r, i, &t)) != SQ_OK)
            return refused;
        spend(core, d, &t, r->service_day[i], r->amount_fen[i]);
        return SQ_OK;
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
        if ((refused = check_give_back(core, d, r, i, &t)) != SQ_OK)
            return refused;
        give_back(core, d, &t, r->service_day[i], r->amount_fen[i]);
        return SQ_OK;
    case SANQUAN__V1__VERB__VERB_NONE:
    case _SANQUAN__V1__VERB_IS_INT_SIZE:
        break;
    }
    return SQ_R_VERB;
}
