/*
 * Shape: `order` is a sorted array of fences, one for each chunk; a chunk holds up to CHUNK_ROWS rows in key order.
 *
 *   order    [ first key | chunk number ] [ ... ] [ ... ]          small, searched by halves
 *   chunk    [ row row row ... ]                                   10 KB, appended to or shifted
 *
 * Invariants: rows ascend strictly within a chunk and from each chunk to the next; a fence's key is its chunk's first;
 * no chunk is empty. The first programme on an invoice is in the row itself, others hang on it as a list.
 */
#include "clearing/core/invoice.h"

#include <string.h>

#define CHUNK_ROWS 192u

struct row {
    uint64_t low;
    int64_t total_fen, base_fen, amount_fen;
    uint32_t head, programme, seller, stack_limit_bp;
    uint32_t other;             /* number in `others`, or SQ_ROW_NONE */
    uint32_t reserved;
};

struct chunk {
    uint32_t count, reserved;
    struct row rows[CHUNK_ROWS];
};

struct fence {
    uint64_t low;
    uint32_t head, chunk;
};

struct other {
    int64_t base_fen, amount_fen;
    uint32_t programme, stack_limit_bp, next, reserved;
};

/* ---- numbers ---- */

int sq_invoice_key_of(const uint8_t cell[static SQ_INVOICE_CELL], struct sq_invoice_key *out)
{
    uint64_t low = sq_get_be64(cell + 2);
    uint32_t head = sq_get_be16(cell);
    /* A digit over 9 carries into the next when 6 is added: all sixteen are tested at once. */
    uint64_t carry = ((low + 0x0666666666666666u) ^ low ^ 0x0666666666666666u) & 0x1111111111111110u;
    if (carry != 0 || (low >> 60) > 9)
        return 0;
    for (uint32_t h = head; h != 0; h >>= 4)
        if ((h & 15u) > 9)
            return 0;
    *out = (struct sq_invoice_key){low, head};
    return low != 0 || head != 0;
}

static int compare(uint32_t head_a, uint64_t low_a, uint32_t head_b, uint64_t low_b)
{
    if (head_a != head_b)
        return head_a < head_b ? -1 : 1;
    return low_a < low_b ? -1 : low_a > low_b;
}

int sq_invoice_key_compare(const struct sq_invoice_key *a, const struct sq_invoice_key *b)
{
    return compare(a->head, a->low, b->head, b->low);
}

uint32_t sq_invoice_province(const struct sq_invoice_key *key)
{
    /* Tax bureaus of the five cities with plans of their own number by themselves. */
    static const uint8_t planned[5] = {21, 33, 35, 37, 44};
    uint32_t d1 = key->head >> 12, d2 = key->head >> 8 & 15, d3 = key->head >> 4 & 15, d4 = key->head & 15;
    uint32_t code = d1 <= 1 && d2 != 0 ? d2 * 10 + d3 : d3 * 10 + d4;
    if (d1 >= 2 && code >= 91 && code <= 95)
        code = planned[code - 91];
    return code >= 11 && code <= 82 ? code : 0;
}

/* ---- finding ---- */

void sq_invoices_init(struct sq_invoices *r)
{
    *r = (struct sq_invoices){SQ_TABLE_OF(struct chunk), SQ_TABLE_OF(struct fence), SQ_TABLE_OF(struct other), 0};
}

void sq_invoices_free(struct sq_invoices *r)
{
    sq_table_free(&r->chunks);
    sq_table_free(&r->order);
    sq_table_free(&r->others);
}

static struct fence *fence_at(const struct sq_invoices *r, uint32_t i) { return SQ_ROW(&r->order, struct fence, i); }

static struct chunk *chunk_at(const struct sq_invoices *r, uint32_t fence)
{
    return SQ_ROW(&r->chunks, struct chunk, fence_at(r, fence)->chunk);
}

/* Does the key belong in the chunk of fence i? */
static int covers(const struct sq_invoices *r, uint32_t i, const struct sq_invoice_key *k)
{
    const struct fence *f = fence_at(r, i);
    if (compare(f->head, f->low, k->head, k->low) > 0)
        return 0;
    if (i + 1 == r->order.count)
        return 1;
    const struct fence *next = fence_at(r, i + 1);
    return compare(next->head, next->low, k->head, k->low) > 0;
}

/* The last fence at or before the key (the first fence when there is none before). */
static uint32_t find_fence(const struct sq_invoices *r, const struct sq_invoice_key *k)
{
    uint32_t low = 0, high = r->order.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct fence *f = fence_at(r, middle);
        if (compare(f->head, f->low, k->head, k->low) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : low - 1;
}

static void seek(const struct sq_invoices *r, const struct sq_invoice_key *k, struct sq_invoice_cursor *c)
{
    c->found = 0;
    c->at = 0;
    if (r->order.count == 0) {
        c->valid = 0;
        return;
    }
    if (!c->valid || c->fence >= r->order.count || !covers(r, c->fence, k))
        c->fence = find_fence(r, k);
    c->valid = 1;
    const struct chunk *chunk = chunk_at(r, c->fence);
    const struct row *last = &chunk->rows[chunk->count - 1];
    if (compare(last->head, last->low, k->head, k->low) < 0) {
        c->at = chunk->count; /* the usual case: numbers ascend */
        return;
    }
    uint32_t low = 0, high = chunk->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(chunk->rows[middle].head, chunk->rows[middle].low, k->head, k->low) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    c->at = low;
    c->found = low < chunk->count && compare(chunk->rows[low].head, chunk->rows[low].low, k->head, k->low) == 0;
}

static struct row *find(const struct sq_invoices *r, const struct sq_invoice_key *k)
{
    struct sq_invoice_cursor c = {0};
    seek(r, k, &c);
    return c.found ? &chunk_at(r, c.fence)->rows[c.at] : NULL;
}

static struct other *find_other(const struct sq_invoices *r, const struct row *row, uint32_t programme)
{
    for (uint32_t n = row->other; n != SQ_ROW_NONE;) {
        struct other *o = SQ_ROW(&r->others, struct other, n);
        if (o->programme == programme)
            return o;
        n = o->next;
    }
    return NULL;
}

/* ---- claims ---- */

static unsigned check_stacking(const struct sq_invoices *r, const struct row *row, const struct sq_invoice_claim *c)
{
    __int128 amounts = (__int128)c->amount_fen + row->amount_fen;
    uint32_t limit = c->stack_limit_bp;
    int others = row->programme != c->programme && row->amount_fen > 0, exclusive = others && row->stack_limit_bp == 0;
    if (others && row->stack_limit_bp < limit)
        limit = row->stack_limit_bp;
    for (uint32_t n = row->other; n != SQ_ROW_NONE;) {
        const struct other *o = SQ_ROW(&r->others, struct other, n);
        amounts += o->amount_fen;
        if (o->programme != c->programme && o->amount_fen > 0) {
            others = 1;
            exclusive |= o->stack_limit_bp == 0;
            limit = o->stack_limit_bp < limit ? o->stack_limit_bp : limit;
        }
        n = o->next;
    }
    if (!others)
        return SQ_OK;
    if (exclusive || c->stack_limit_bp == 0)
        return SQ_R_INVOICE_STACKING;
    return amounts * 10000 > (__int128)row->total_fen * limit ? SQ_R_INVOICE_OVERDRAWN : SQ_OK;
}

unsigned sq_invoice_check(const struct sq_invoices *r, const struct sq_invoice_claim *c, struct sq_invoice_cursor *cursor)
{
    seek(r, &c->key, cursor);
    if (!cursor->found)
        return c->base_fen > c->total_fen ? SQ_R_INVOICE_OVERDRAWN : SQ_OK;
    const struct row *row = &chunk_at(r, cursor->fence)->rows[cursor->at];
    if (row->seller != c->seller)
        return SQ_R_INVOICE_SELLER;
    if (row->total_fen != c->total_fen)
        return SQ_R_INVOICE_TOTAL;
    unsigned refused = check_stacking(r, row, c);
    if (refused != SQ_OK)
        return refused;
    const struct other *o = row->programme == c->programme ? NULL : find_other(r, row, c->programme);
    int64_t base = row->programme == c->programme ? row->base_fen : o != NULL ? o->base_fen : 0;
    return c->base_fen > row->total_fen - base ? SQ_R_INVOICE_OVERDRAWN : SQ_OK;
}

sq_status sq_invoices_reserve(struct sq_invoices *r, uint32_t more, struct sq_error *err)
{
    /* A number that falls between others may split a chunk, each chunk once; after that there is room for half a chunk. */
    uint32_t splits = more < r->order.count ? more : r->order.count;
    uint32_t chunks = splits + more / (CHUNK_ROWS / 2) + 2;
    sq_status st = sq_table_reserve(&r->chunks, chunks, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&r->order, chunks, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&r->others, more, err);
    return st;
}

static uint32_t add_chunk(struct sq_invoices *r, uint32_t fence_after)
{
    uint32_t chunk, ignored;
    struct chunk *fresh = sq_table_add(&r->chunks, &chunk);
    struct fence *added = sq_table_add(&r->order, &ignored);
    SQ_ASSERT(fresh != NULL && added != NULL); /* reserved before */
    struct fence *f = fence_at(r, fence_after);
    memmove(f + 1, f, (size_t)(r->order.count - 1 - fence_after) * sizeof *f);
    *f = (struct fence){.chunk = chunk};
    return chunk;
}

static void set_fence(struct sq_invoices *r, uint32_t fence)
{
    struct fence *f = fence_at(r, fence);
    const struct chunk *chunk = SQ_ROW(&r->chunks, struct chunk, f->chunk);
    f->head = chunk->rows[0].head;
    f->low = chunk->rows[0].low;
}

/* Make room for one row at the cursor; the cursor then points to the free place. */
static struct row *open_gap(struct sq_invoices *r, struct sq_invoice_cursor *c)
{
    if (r->order.count == 0) {
        add_chunk(r, 0);
        *c = (struct sq_invoice_cursor){.valid = 1};
    } else if (chunk_at(r, c->fence)->count == CHUNK_ROWS && c->at == CHUNK_ROWS) {
        add_chunk(r, c->fence + 1); /* behind a full chunk: start another, so that ascending numbers fill them all */
        c->fence++;
        c->at = 0;
    } else if (chunk_at(r, c->fence)->count == CHUNK_ROWS) {
        add_chunk(r, c->fence + 1);
        struct chunk *full = chunk_at(r, c->fence), *fresh = chunk_at(r, c->fence + 1);
        fresh->count = CHUNK_ROWS - c->at;
        memcpy(fresh->rows, full->rows + c->at, fresh->count * sizeof fresh->rows[0]);
        full->count = c->at;
        set_fence(r, c->fence + 1);
    }
    struct chunk *chunk = chunk_at(r, c->fence);
    memmove(chunk->rows + c->at + 1, chunk->rows + c->at, (chunk->count - c->at) * sizeof chunk->rows[0]);
    chunk->count++;
    return &chunk->rows[c->at];
}

void sq_invoice_add(struct sq_invoices *r, const struct sq_invoice_claim *c, struct sq_invoice_cursor *cursor)
{
    if (!cursor->found) {
        struct row *row = open_gap(r, cursor);
        *row = (struct row){.low = c->key.low, .head = c->key.head, .total_fen = c->total_fen, .base_fen = c->base_fen,
                            .amount_fen = c->amount_fen, .programme = c->programme, .seller = c->seller,
                            .stack_limit_bp = c->stack_limit_bp, .other = SQ_ROW_NONE};
        if (cursor->at == 0)
            set_fence(r, cursor->fence);
        r->count++;
        return;
    }
    struct row *row = &chunk_at(r, cursor->fence)->rows[cursor->at];
    if (row->programme == c->programme) {
        row->base_fen += c->base_fen;
        row->amount_fen += c->amount_fen;
        return;
    }
    struct other *o = find_other(r, row, c->programme);
    if (o == NULL) {
        uint32_t number;
        o = sq_table_add(&r->others, &number);
        SQ_ASSERT(o != NULL); /* reserved before */
        o->programme = c->programme;
        o->stack_limit_bp = c->stack_limit_bp;
        o->next = row->other;
        row->other = number;
    }
    o->base_fen += c->base_fen;
    o->amount_fen += c->amount_fen;
}

/* The sums of the claim's programme on its invoice; 0 when there are none. */
static int sums_of(const struct sq_invoices *r, const struct sq_invoice_claim *c, int64_t **base, int64_t **amount)
{
    struct row *row = find(r, &c->key);
    if (row == NULL || row->seller != c->seller)
        return 0;
    if (row->programme == c->programme) {
        *base = &row->base_fen;
        *amount = &row->amount_fen;
        return 1;
    }
    struct other *o = find_other(r, row, c->programme);
    if (o == NULL)
        return 0;
    *base = &o->base_fen;
    *amount = &o->amount_fen;
    return 1;
}

unsigned sq_invoice_check_return(const struct sq_invoices *r, const struct sq_invoice_claim *c)
{
    int64_t *base, *amount;
    return sums_of(r, c, &base, &amount) && c->base_fen <= *base && c->amount_fen <= *amount ? SQ_OK : SQ_R_RETURN_EXCEEDS;
}

void sq_invoice_subtract(struct sq_invoices *r, const struct sq_invoice_claim *c)
{
    int64_t *base, *amount;
    if (!sums_of(r, c, &base, &amount))
        return;
    *base -= c->base_fen < *base ? c->base_fen : *base;
    *amount -= c->amount_fen < *amount ? c->amount_fen : *amount;
}

int64_t sq_invoice_claimed(const struct sq_invoices *r, const struct sq_invoice_key *key)
{
    const struct row *row = find(r, key);
    if (row == NULL)
        return -1;
    int64_t sum = row->amount_fen;
    for (uint32_t n = row->other; n != SQ_ROW_NONE; n = SQ_ROW(&r->others, struct other, n)->next)
        sum += SQ_ROW(&r->others, struct other, n)->amount_fen;
    return sum;
}

void sq_invoices_dump(const struct sq_invoices *r, struct sq_dump *d)
{
    sq_dump_table(d, &r->chunks);
    sq_dump_table(d, &r->order);
    sq_dump_table(d, &r->others);
    sq_dump_u64(d, r->count);
}

sq_status sq_invoices_undump(struct sq_invoices *r, struct sq_reader *in, struct sq_error *err)
{
    sq_status st = sq_undump_table(in, &r->chunks, err);
    if (st == SQ_OK)
        st = sq_undump_table(in, &r->order, err);
    if (st == SQ_OK)
        st = sq_undump_table(in, &r->others, err);
    r->count = sq_read_be64(in);
    return st;
}
