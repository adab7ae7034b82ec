#include "clearing/base/table.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE (2u << 20)

/* ---- tables ---- */

/*
 * Rows are picked at random, and in a large table each pick costs a walk through the page tables: a fifth of a step where rows are
 * many. So large tables are laid out for huge pages; the kernel may give them or not.
 */
static void *resize(void *rows, size_t used, size_t size)
{
    void *larger;
    if (size < 2 * HUGE_PAGE)
        return realloc(rows, size);
    if (posix_memalign(&larger, HUGE_PAGE, size) != 0)
        return NULL;
    (void)madvise(larger, size, MADV_HUGEPAGE);
    if (used != 0)
        memcpy(larger, rows, used);
    free(rows);
    return larger;
}

void sq_table_free(struct sq_table *t)
{
    if (t == NULL)
        return;
    free(t->rows);
    t->rows = NULL;
    t->count = t->capacity = 0;
}

sq_status sq_table_reserve(struct sq_table *t, uint32_t more, struct sq_error *err)
{
    uint64_t need = (uint64_t)t->count + more;
    if (need <= t->capacity)
        return SQ_OK;
    if (need >= SQ_ROW_NONE)
        return sq_fail(err, SQ_E_FULL, "table of %" PRIu32 "-byte rows is full", t->row_size);
    uint64_t capacity = t->capacity == 0 ? 16 : (uint64_t)t->capacity * 2;
    while (capacity < need)
        capacity *= 2;
    if (capacity >= SQ_ROW_NONE)
        capacity = SQ_ROW_NONE - 1;
    void *rows = resize(t->rows, (size_t)t->count * t->row_size, (size_t)capacity * t->row_size);
    if (rows == NULL)
        return sq_fail(err, SQ_E_NOMEM, "table of %" PRIu64 " rows", capacity);
    t->rows = rows;
    t->capacity = (uint32_t)capacity;
    return SQ_OK;
}

void *sq_table_add(struct sq_table *t, uint32_t *number_out)
{
    if (t->count == t->capacity && sq_table_reserve(t, 1, NULL) != SQ_OK)
        return NULL;
    void *row = sq_table_at(t, t->count);
    if (number_out != NULL)
        *number_out = t->count;
    t->count++;
    return memset(row, 0, t->row_size);
}

/* ---- indexes ---- */

uint64_t sq_hash_key(const void *key, size_t size)
{
    const uint8_t *p = key;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    h ^= h >> 32; /* FNV's high bits mix well, its low bits less so */
    h *= 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

static uint64_t slot_of(uint64_t hash, uint32_t row)
{
    return (hash & 0xffffffff00000000u) | ((uint64_t)row + 1u);
}

static void insert_slot(uint64_t *slots, uint32_t capacity, uint64_t hash_high, uint64_t slot)
{
    uint32_t at = (uint32_t)(hash_high >> 32) & (capacity - 1);
    while (slots[at] != 0)
        at = (at + 1) & (capacity - 1);
    slots[at] = slot;
}

sq_status sq_index_reserve(struct sq_index *ix, uint32_t more, struct sq_error *err)
{
    uint64_t need = ((uint64_t)ix->count + more) * 2;
    if (need <= ix->capacity)
        return SQ_OK;
    uint64_t capacity = ix->capacity == 0 ? 64 : ix->capacity;
    while (capacity < need)
        capacity *= 2;
    if (capacity > UINT32_MAX / 2)
        return sq_fail(err, SQ_E_FULL, "index of %" PRIu64 " slots", capacity);
    uint64_t *slots = calloc((size_t)capacity, sizeof *slots);
    if (slots == NULL)
        return sq_fail(err, SQ_E_NOMEM, "index of %" PRIu64 " slots", capacity);
    for (uint32_t i = 0; i < ix->capacity; i++)
        if (ix->slots[i] != 0)
            insert_slot(slots, (uint32_t)capacity, ix->slots[i], ix->slots[i]);
    free(ix->slots);
    ix->slots = slots;
    ix->capacity = (uint32_t)capacity;
    return SQ_OK;
}

void sq_index_put(struct sq_index *ix, uint64_t hash, uint32_t row)
{
    SQ_ASSERT(((uint64_t)ix->count + 1) * 2 <= ix->capacity); /* reserved before */
    insert_slot(ix->slots, ix->capacity, hash, slot_of(hash, row));
    ix->count++;
}

uint32_t sq_index_next(const struct sq_index *ix, struct sq_index_cursor *c)
{
    if (ix->capacity == 0)
        return SQ_ROW_NONE;
    uint32_t mask = ix->capacity - 1;
    c->at = c->started ? (c->at + 1) & mask : (uint32_t)(c->hash >> 32) & mask;
    c->started = 1;
    for (; ix->slots[c->at] != 0; c->at = (c->at + 1) & mask)
        if ((ix->slots[c->at] ^ c->hash) >> 32 == 0)
            return (uint32_t)ix->slots[c->at] - 1;
    return SQ_ROW_NONE;
}

void sq_index_remove(struct sq_index *ix, uint64_t hash, uint32_t row)
{
    if (ix->capacity == 0)
        return;
    uint32_t mask = ix->capacity - 1, at = (uint32_t)(hash >> 32) & mask;
    while (ix->slots[at] != 0 && ix->slots[at] != slot_of(hash, row))
        at = (at + 1) & mask;
    if (ix->slots[at] == 0)
        return;
    /* Close the gap: move back every later slot of the run that may stand here (Knuth 6.4, algorithm R). */
    uint32_t hole = at;
    for (uint32_t next = (at + 1) & mask; ix->slots[next] != 0; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)(ix->slots[next] >> 32) & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            ix->slots[hole] = ix->slots[next];
            hole = next;
        }
    }
    ix->slots[hole] = 0;
    ix->count--;
}

void sq_index_free(struct sq_index *ix)
{
    if (ix == NULL)
        return;
    free(ix->slots);
    *ix = (struct sq_index){0};
}

/* ---- snapshot ---- */

void sq_dump_put(struct sq_dump *d, const void *data, size_t size)
{
    if (d->failed || size == 0)
        return;
    if (size > d->capacity - d->size) {
        size_t capacity = d->capacity == 0 ? 1u << 16 : d->capacity;
        while (capacity - d->size < size)
            capacity *= 2;
        uint8_t *bytes = realloc(d->bytes, capacity);
        if (bytes == NULL) {
            d->failed = 1;
            return;
        }
        d->bytes = bytes;
        d->capacity = capacity;
    }
    memcpy(d->bytes + d->size, data, size);
    d->size += size;
}

void sq_dump_u64(struct sq_dump *d, uint64_t v)
{
    uint8_t b[8];
    sq_put_be64(b, v);
    sq_dump_put(d, b, sizeof b);
}

void sq_dump_table(struct sq_dump *d, const struct sq_table *t)
{
    sq_dump_u64(d, t->row_size);
    sq_dump_u64(d, t->count);
    sq_dump_put(d, t->rows, (size_t)t->count * t->row_size);
}

void sq_dump_index(struct sq_dump *d, const struct sq_index *ix)
{
    sq_dump_u64(d, ix->count);
    sq_dump_u64(d, ix->capacity);
    sq_dump_put(d, ix->slots, (size_t)ix->capacity * sizeof *ix->slots);
}

void sq_dump_lend(struct sq_dump *d, const void *data, size_t size)
{
    if (!d->borrows) {
        sq_dump_put(d, data, size);
        return;
    }
    if (d->loans.row_size == 0)
        d->loans = SQ_TABLE_OF(struct sq_dump_loan);
    struct sq_dump_loan *loan = d->failed ? NULL : sq_table_add(&d->loans, NULL);
    if (loan == NULL) {
        d->failed = 1;
        return;
    }
    *loan = (struct sq_dump_loan){d->size, data, size};
    d->lent_size += size;
}

/* Even pieces are our own bytes up to a loan, odd ones the loan. */
int sq_dump_piece(const struct sq_dump *d, size_t number, sq_bytes *out)
{
    size_t i = number / 2;
    if (i > d->loans.count || (i == d->loans.count && number % 2 != 0))
        return 0;
    const struct sq_dump_loan *loan = i < d->loans.count ? SQ_ROW(&d->loans, struct sq_dump_loan, (uint32_t)i) : NULL;
    size_t from = i > 0 ? SQ_ROW(&d->loans, struct sq_dump_loan, (uint32_t)i - 1)->at : 0,
           to = loan != NULL ? loan->at : d->size;
    *out =
        number % 2 != 0 && loan != NULL ? sq_bytes_of(loan->data, loan->size) : sq_bytes_of(d->bytes + from, to - from);
    return 1;
}

void sq_dump_clear(struct sq_dump *d)
{
    d->size = d->lent_size = 0;
    d->loans.count = 0;
    d->failed = 0;
}

void sq_dump_free(struct sq_dump *d)
{
    if (d == NULL)
        return;
    sq_table_free(&d->loans);
    free(d->bytes);
    *d = (struct sq_dump){0};
}

sq_status sq_undump_table(struct sq_reader *r, struct sq_table *t, struct sq_error *err)
{
    uint64_t row_size = sq_read_be64(r), count = sq_read_be64(r);
    if (r->bad || row_size != t->row_size || count >= SQ_ROW_NONE)
        return sq_fail(err, SQ_E_FORMAT, "table has rows of %" PRIu64 " bytes, this build's have %" PRIu32, row_size,
                       t->row_size);
    const uint8_t *rows = sq_read_bytes(r, (size_t)(row_size * count));
    if (r->bad)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends inside a table");
    t->count = 0;
    sq_status st = sq_table_reserve(t, (uint32_t)count, err);
    if (st != SQ_OK)
        return st;
    if (count != 0)
        memcpy(t->rows, rows, (size_t)(row_size * count));
    t->count = (uint32_t)count;
    return SQ_OK;
}

static uint64_t count_used(const uint8_t *slots, size_t capacity)
{
    static const uint8_t empty[sizeof(uint64_t)] = {0};
    uint64_t used = 0;
    for (size_t i = 0; i < capacity; i++)
        used += memcmp(slots + i * sizeof empty, empty, sizeof empty) != 0;
    return used;
}

sq_status sq_undump_index(struct sq_reader *r, struct sq_index *ix, struct sq_error *err)
{
    uint64_t count = sq_read_be64(r), capacity = sq_read_be64(r);
    if (r->bad || capacity > UINT32_MAX / 2 || (capacity & (capacity - 1)) != 0 || count > capacity / 2)
        return sq_fail(err, SQ_E_FORMAT, "index of %" PRIu64 " slots", capacity);
    const uint8_t *slots = sq_read_bytes(r, (size_t)capacity * sizeof *ix->slots);
    if (r->bad)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends inside an index");
    /* A search ends at an empty slot: were the count wrong, it might never end. */
    if (count_used(slots, (size_t)capacity) != count)
        return sq_fail(err, SQ_E_FORMAT, "index does not hold the %" PRIu64 " rows that it says", count);
    sq_index_free(ix);
    if (capacity == 0)
        return SQ_OK;
    ix->slots = malloc((size_t)capacity * sizeof *ix->slots);
    if (ix->slots == NULL)
        return sq_fail(err, SQ_E_NOMEM, "index of %" PRIu64 " slots", capacity);
    memcpy(ix->slots, slots, (size_t)capacity * sizeof *ix->slots);
    ix->count = (uint32_t)count;
    ix->capacity = (uint32_t)capacity;
    return SQ_OK;
}
