/*
 * The issuer decides: is this row within every limit? If it is, all of its sums move together; if not, none.
 *
 * Order of the rules: the row by itself (sq_row_check), voucher, self-use, the programme's terms (programme.h), mandate,
 * voucher balance, yearly cap, lifetime cap, pool. The first that refuses is the answer.
 *
 *   RESERVE   amount: free -> reserved          RELEASE, or its time is over: reserved -> free
 *   COMMIT    reserved -> free, then as REDEEM with an amount up to what was reserved
 *   REDEEM    amount: free -> spent             RETURN: spent -> free
 */
#include "clearing/core/state.h"

#include "clearing/base/day.h"
#include "clearing/base/uscc.h"

#define RESERVE_TERM_MAX_MS (90ull * 86400000u)

/* ---- rows ---- */

unsigned sq_rows_of(const Sanquan__V1__Batch *m, int must_ascend, struct sq_rows *out)
{
    size_t n = m->n_voucher;
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return SQ_R_BATCH_SIZE;
    if (m->n_amount_fen != n || m->n_base_fen != n || m->invoice.len != n * SQ_INVOICE_CELL || m->n_invoice_total_fen != n ||
        m->n_service != n || m->n_service_day != n || (m->n_scenario != n && m->n_scenario != 0) ||
        (m->evidence.len != n * 16 && m->evidence.len != 0) || (m->verb.len != n && m->verb.len != 0) ||
        (m->n_reservation != n && m->n_reservation != 0))
        return SQ_R_COLUMNS;
    *out = (struct sq_rows){n, m->voucher, m->amount_fen, m->base_fen, m->invoice_total_fen, m->invoice.data, m->service,
                            m->service_day, m->verb.len != 0 ? m->verb.data : NULL, m->n_reservation != 0 ? m->reservation : NULL};
    for (size_t i = 1; must_ascend && i < n; i++)
        if (memcmp(out->invoice + (i - 1) * SQ_INVOICE_CELL, out->invoice + i * SQ_INVOICE_CELL, SQ_INVOICE_CELL) > 0)
            return SQ_R_ORDER;
    return SQ_OK;
}

static int has_invoice(uint8_t verb)
{
    return verb == SANQUAN__V1__VERB__REDEEM || verb == SANQUAN__V1__VERB__COMMIT || verb == SANQUAN__V1__VERB__RETURN;
}

unsigned sq_row_check(const struct sq_core *core, const struct sq_rows *r, size_t i)
{
    uint8_t verb = sq_row_verb(r, i);
    struct sq_invoice_key key;
    if (verb < SANQUAN__V1__VERB__REDEEM || verb > SANQUAN__V1__VERB__RETURN)
        return SQ_R_VERB;
    if (r->amount_fen[i] <= 0 || r->amount_fen[i] > SQ_AMOUNT_MAX_FEN || r->base_fen[i] < 0 || r->base_fen[i] > SQ_AMOUNT_MAX_FEN ||
        r->total_fen[i] < 0 || r->total_fen[i] > SQ_AMOUNT_MAX_FEN)
        return SQ_R_AMOUNT;
    if (!sq_day_valid(r->service_day[i]) || r->service_day[i] > core->today)
        return SQ_R_SERVICE_DAY;
    if (has_invoice(verb) && !sq_invoice_key_of(r->invoice + i * SQ_INVOICE_CELL, &key))
        return SQ_R_INVOICE_FORMAT;
    if (verb >= SANQUAN__V1__VERB__RESERVE && verb <= SANQUAN__V1__VERB__RELEASE &&
        (r->reservation == NULL || r->reservation[i] == 0))
        return SQ_R_RESERVATION_UNKNOWN;
    return SQ_OK;
}

/* ---- accounts ---- */

static int64_t *year_used(struct sq_core *core, struct sq_account *a, uint32_t year, int add)
{
    if (a->year == year)
        return &a->year_used_fen;
    for (uint32_t n = a->more; n != SQ_ROW_NONE;) {
        struct sq_year *y = SQ_ROW(&core->years, struct sq_year, n);
        if (y->year == year)
            return &y->used_fen;
        n = y->next;
    }
    if (!add)
        return NULL;
    if (a->year == 0) {
        a->year = year;
        return &a->year_used_fen;
    }
    uint32_t number;
    struct sq_year *y = sq_table_add(&core->years, &number);
    SQ_ASSERT(y != NULL); /* sq_decide_reserve */
    *y = (struct sq_year){0, year, a->more};
    a->more = number;
    return &y->used_fen;
}

static void account_move(struct sq_core *core, uint32_t account, uint32_t day, int64_t fen)
{
    struct sq_account *a = SQ_ROW(&core->accounts, struct sq_account, account);
    int64_t *year = year_used(core, a, day / 10000, 1);
    a->used_fen += fen;
    *year += fen;
    SQ_ASSERT(a->used_fen >= 0 && *year >= 0);
}

static unsigned check_caps(struct sq_core *core, const struct sq_programme *p, uint32_t account, uint32_t day, int64_t amount)
{
    struct sq_account *a = SQ_ROW(&core->accounts, struct sq_account, account);
    const int64_t *used = p->cap_year_fen != 0 ? year_used(core, a, day / 10000, 0) : NULL;
    if (p->cap_year_fen != 0 && amount > p->cap_year_fen - (used != NULL ? *used : 0))
        return SQ_R_CAP_YEAR;
    if (p->cap_total_fen != 0 && amount > p->cap_total_fen - a->used_fen)
        return SQ_R_CAP_TOTAL;
    return SQ_OK;
}

/* ---- what a row touches ---- */

struct touched {
    struct sq_programme *programme;
    struct sq_voucher *voucher;
    struct sq_mandate *mandate;
};

static unsigned find_touched(struct sq_core *core, uint32_t provider, uint64_t number, struct touched *t)
{
    uint32_t programme;
    t->voucher = sq_voucher_find(core, number, &programme);
    if (t->voucher == NULL)
        return sq_programme_of_voucher(core, number) == SQ_ROW_NONE ? SQ_R_UNKNOWN_PROGRAMME : SQ_R_UNKNOWN_VOUCHER;
    t->programme = sq_programme_at(core, programme);
    t->mandate = NULL;
    for (uint32_t n = t->voucher->mandate; n != SQ_ROW_NONE;) {
        struct sq_mandate *m = SQ_ROW(&core->mandates, struct sq_mandate, n);
        if (m->provider == provider) {
            t->mandate = m;
            break;
        }
        n = m->next;
    }
    return SQ_OK;
}

static int self_use(const struct sq_core *core, uint32_t holder, uint32_t provider)
{
    return strcmp(sq_party_code(sq_party_at(core, holder)), sq_party_code(sq_party_at(core, provider))) == 0;
}

/* Every rule for a new use of `amount`, whether it is reserved or spent. Nothing changes. */
static unsigned check_use(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i, struct touched *t)
{
    unsigned refused = find_touched(core, d->provider, r->voucher[i], t);
    if (refused != SQ_OK)
        return refused;
    const struct sq_voucher *v = t->voucher;
    const struct sq_programme *p = t->programme;
    const struct sq_mandate *m = t->mandate;
    int64_t amount = r->amount_fen[i];
    if (v->revoked)
        return SQ_R_VOUCHER_REVOKED;
    if (core->today > v->until_day)
        return SQ_R_VOUCHER_EXPIRED;
    if (self_use(core, v->holder, d->provider))
        return SQ_R_SELF_USE;
    const char *code = sq_node_at(core, d->acquirer)->code;
    struct sq_claim claim = {amount, r->base_fen[i], r->service[i], r->service_day[i], (uint32_t)strtoul(code, NULL, 10)};
    if ((refused = sq_programme_check_claim(p, &claim)) != SQ_OK)
        return refused;
    if (m == NULL)
        return SQ_R_NO_MANDATE;
    if (core->now_ms > m->until_ms)
        return SQ_R_MANDATE_EXPIRED;
    if (amount > m->limit_fen - m->reserved_fen - m->spent_fen)
        return SQ_R_MANDATE_OVERDRAWN;
    if (amount > v->face_fen - v->reserved_fen - v->spent_fen)
        return SQ_R_VOUCHER_OVERDRAWN;
    if ((refused = check_caps(core, p, v->account, r->service_day[i], amount)) != SQ_OK)
        return refused;
    if (amount > p->pool_fen - p->reserved_fen - p->spent_fen)
        return SQ_R_POOL_EXHAUSTED;
    return SQ_OK;
}

static void move_spent(struct sq_core *core, struct touched *t, uint32_t day, int64_t fen)
{
    t->voucher->spent_fen += fen;
    t->mandate->spent_fen += fen;
    t->programme->spent_fen += fen;
    account_move(core, t->voucher->account, day, fen);
}

static void move_reserved(struct sq_core *core, struct touched *t, uint32_t day, int64_t fen)
{
    t->voucher->reserved_fen += fen;
    t->mandate->reserved_fen += fen;
    t->programme->reserved_fen += fen;
    account_move(core, t->voucher->account, day, fen);
}

/* ---- reservations ---- */

static uint64_t reservation_hash(uint32_t provider, uint64_t number)
{
    uint64_t key[2] = {provider, number};
    return sq_hash_key(key, sizeof key);
}

static struct sq_reservation *find_reservation(const struct sq_core *core, uint32_t provider, uint64_t number)
{
    struct sq_index_cursor c = {.hash = reservation_hash(provider, number)};
    uint32_t row;
    while ((row = sq_index_next(&core->reservation_index, &c)) != SQ_ROW_NONE) {
        struct sq_reservation *r = SQ_ROW(&core->reservations, struct sq_reservation, row);
        if (r->provider == provider && r->number == number)
            return r;
    }
    return NULL;
}

/* The heap holds reservation numbers, the earliest end on top; equal ends in order of arrival. */
static int heap_before(const struct sq_core *core, uint32_t a, uint32_t b)
{
    uint64_t x = SQ_ROW(&core->reservations, struct sq_reservation, a)->until_ms;
    uint64_t y = SQ_ROW(&core->reservations, struct sq_reservation, b)->until_ms;
    return x != y ? x < y : a < b;
}

static void heap_push(struct sq_core *core, uint32_t reservation)
{
    struct sq_table *h = &core->reservation_heap;
    uint32_t *slot = sq_table_add(h, NULL), at = h->count - 1;
    SQ_ASSERT(slot != NULL);
    uint32_t *a = h->rows;
    a[at] = reservation;
    for (; at > 0 && heap_before(core, a[at], a[(at - 1) / 2]); at = (at - 1) / 2) {
        uint32_t up = a[(at - 1) / 2];
        a[(at - 1) / 2] = a[at];
        a[at] = up;
    }
}

static void heap_pop(struct sq_core *core)
{
    struct sq_table *h = &core->reservation_heap;
    uint32_t *a = h->rows, at = 0;
    a[0] = a[--h->count];
    for (;;) {
        uint32_t least = at, left = 2 * at + 1;
        for (uint32_t child = left; child < left + 2 && child < h->count; child++)
            if (heap_before(core, a[child], a[least]))
                least = child;
        if (least == at)
            return;
        uint32_t down = a[least];
        a[least] = a[at];
        a[at] = down;
        at = least;
    }
}

static void release(struct sq_core *core, struct sq_reservation *r)
{
    struct touched t;
    unsigned missing = find_touched(core, r->provider, r->voucher, &t);
    SQ_ASSERT(missing == SQ_OK && t.mandate != NULL); /* vouchers and mandates are never removed */
    move_reserved(core, &t, r->service_day, -r->amount_fen);
    r->amount_fen = 0;
}

uint64_t sq_reservations_next_ms(const struct sq_core *core)
{
    const uint32_t *top = core->reservation_heap.rows;
    return core->reservation_heap.count == 0 ? UINT64_MAX : SQ_ROW(&core->reservations, struct sq_reservation, top[0])->until_ms;
}

void sq_reservations_expire(struct sq_core *core)
{
    while (sq_reservations_next_ms(core) < core->now_ms) {
        struct sq_reservation *r = SQ_ROW(&core->reservations, struct sq_reservation, *(uint32_t *)core->reservation_heap.rows);
        if (r->amount_fen != 0)
            release(core, r);
        heap_pop(core);
    }
}

static unsigned reserve(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct touched t;
    if (find_reservation(core, d->provider, r->reservation[i]) != NULL)
        return SQ_R_RESERVATION_EXISTS;
    if (d->reserve_until_ms < core->now_ms || d->reserve_until_ms > core->now_ms + RESERVE_TERM_MAX_MS)
        return SQ_R_RESERVATION_TERM;
    unsigned refused = check_use(core, d, r, i, &t);
    if (refused != SQ_OK)
        return refused;
    uint32_t number;
    struct sq_reservation *row = sq_table_add(&core->reservations, &number);
    SQ_ASSERT(row != NULL);
    *row = (struct sq_reservation){.number = r->reservation[i], .until_ms = d->reserve_until_ms, .voucher = r->voucher[i],
                                   .amount_fen = r->amount_fen[i], .provider = d->provider, .service_day = r->service_day[i]};
    sq_index_put(&core->reservation_index, reservation_hash(d->provider, row->number), number);
    heap_push(core, number);
    move_reserved(core, &t, r->service_day[i], r->amount_fen[i]);
    return SQ_OK;
}

/* An open reservation of this provider on this voucher. */
static struct sq_reservation *open_reservation(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct sq_reservation *row = find_reservation(core, d->provider, r->reservation[i]);
    return row != NULL && row->amount_fen != 0 && row->voucher == r->voucher[i] ? row : NULL;
}

static unsigned commit(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i, struct touched *t)
{
    struct sq_reservation *row = open_reservation(core, d, r, i);
    if (row == NULL)
        return SQ_R_RESERVATION_UNKNOWN;
    if (r->amount_fen[i] > row->amount_fen)
        return SQ_R_RESERVATION_EXCEEDED;
    /* What was reserved is set free for a moment, so that the rules see the use as a new one; a refusal puts it back. */
    int64_t held = row->amount_fen;
    release(core, row);
    unsigned refused = check_use(core, d, r, i, t);
    if (refused == SQ_OK)
        return SQ_OK;
    unsigned missing = find_touched(core, row->provider, row->voucher, t);
    SQ_ASSERT(missing == SQ_OK);
    move_reserved(core, t, row->service_day, held);
    row->amount_fen = held;
    return refused;
}

static unsigned check_give_back(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i, struct touched *t)
{
    unsigned refused = find_touched(core, d->provider, r->voucher[i], t);
    if (refused != SQ_OK)
        return refused;
    if (t->mandate == NULL)
        return SQ_R_NO_MANDATE;
    const int64_t *year = year_used(core, SQ_ROW(&core->accounts, struct sq_account, t->voucher->account),
                                    r->service_day[i] / 10000, 0);
    int64_t amount = r->amount_fen[i];
    return amount <= t->mandate->spent_fen && amount <= t->voucher->spent_fen && year != NULL && amount <= *year
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

static void count(struct sq_decision *d, const struct sq_programme *p, int64_t fen)
{
    d->count++;
    d->total_fen[p->kind - 1] += fen; /* 8,192 rows of at most 10^13 fen stay within int64 */
}

unsigned sq_decide_row(struct sq_core *core, struct sq_decision *d, const struct sq_rows *r, size_t i)
{
    struct touched t;
    unsigned refused;
    switch ((Sanquan__V1__Verb)sq_row_verb(r, i)) {
    case SANQUAN__V1__VERB__REDEEM:
        if ((refused = check_use(core, d, r, i, &t)) != SQ_OK)
            return refused;
        move_spent(core, &t, r->service_day[i], r->amount_fen[i]);
        count(d, t.programme, r->amount_fen[i]);
        return SQ_OK;
    case SANQUAN__V1__VERB__COMMIT:
        if ((refused = commit(core, d, r, i, &t)) != SQ_OK)
            return refused;
        move_spent(core, &t, r->service_day[i], r->amount_fen[i]);
        count(d, t.programme, r->amount_fen[i]);
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
        move_spent(core, &t, r->service_day[i], -r->amount_fen[i]);
        count(d, t.programme, -r->amount_fen[i]);
        return SQ_OK;
    case SANQUAN__V1__VERB__VERB_NONE:
    case _SANQUAN__V1__VERB_IS_INT_SIZE:
        break;
    }
    return SQ_R_VERB;
}
