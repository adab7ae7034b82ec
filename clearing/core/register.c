/*
 * Invariants: rows ascend strictly within a chunk and from each chunk to the next; a fence's key is the first key behind it; no chunk and no
 * block is empty; a chunk is open or packed, never both; the list of open chunks holds each of them once, newest first.
 */
#include "clearing/core/register.h"

#include <stdlib.h>
#include <string.h>

#include "clearing/core/register_pack.h"

#define BLOCK_FENCES    256u
#define OPEN_CHUNKS_MAX 1024u /* eleven megabytes: as many providers can append in turn without packing anything */

struct chunk {
    void *memory; /* struct sq_open_chunk when size is 0, else packed bytes */
    uint32_t size, count;
};

struct sq_open_chunk {
    struct sq_open_chunk *newer, *older;
    uint32_t chunk, padding;
    struct sq_invoice_row rows[SQ_CHUNK_ROWS];
};

struct fence {
    struct sq_invoice_key key;
    uint32_t number; /* of a chunk, or of a block in `top` */
};

struct block {
    uint32_t count, padding;
    struct fence fences[BLOCK_FENCES];
};

int sq_invoice_key_compare(const struct sq_invoice_key *a, const struct sq_invoice_key *b)
{
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    return a->low < b->low ? -1 : a->low > b->low;
}

void sq_register_init(struct sq_register *r)
{
    *r = (struct sq_register){.chunks = SQ_TABLE_OF(struct chunk),
                              .blocks = SQ_TABLE_OF(struct block),
                              .top = SQ_TABLE_OF(struct fence),
                              .retired = SQ_TABLE_OF(void *)};
}

static struct chunk *chunk_at(const struct sq_register *r, uint32_t number)
{
    return SQ_ROW(&r->chunks, struct chunk, number);
}

static struct block *block_of(const struct sq_register *r, uint32_t top)
{
    return SQ_ROW(&r->blocks, struct block, SQ_ROW(&r->top, struct fence, top)->number);
}

void sq_register_free(struct sq_register *r)
{
    for (uint32_t i = 0; i < r->chunks.count; i++)
        free(chunk_at(r, i)->memory);
    for (uint32_t i = 0; i < r->retired.count; i++)
        free(*SQ_ROW(&r->retired, void *, i));
    sq_table_free(&r->chunks);
    sq_table_free(&r->blocks);
    sq_table_free(&r->top);
    sq_table_free(&r->retired);
}

/* ---- open and packed ---- */

static void unlink_open(struct sq_register *r, struct sq_open_chunk *o)
{
    *(o->newer != NULL ? &o->newer->older : &r->newest) = o->older;
    *(o->older != NULL ? &o->older->newer : &r->oldest) = o->newer;
    r->open_count--;
}

static void link_newest(struct sq_register *r, struct sq_open_chunk *o)
{
    o->newer = NULL;
    o->older = r->newest;
    *(r->newest != NULL ? &r->newest->newer : &r->oldest) = o;
    r->newest = o;
    r->open_count++;
}

/* Without memory for the packed bytes it just stays open. */
static void pack_oldest(struct sq_register *r)
{
    uint8_t bytes[SQ_CHUNK_PACKED_MAX];
    struct sq_open_chunk *o = r->oldest;
    struct chunk *c = chunk_at(r, o->chunk);
    size_t size = sq_chunk_pack(o->rows, c->count, bytes);
    void *memory = malloc(size);
    if (memory == NULL)
        return;
    memcpy(memory, bytes, size);
    unlink_open(r, o);
    free(o);
    c->memory = memory;
    c->size = (uint32_t)size;
}

static struct sq_open_chunk *new_open(struct sq_register *r, uint32_t number)
{
    struct sq_open_chunk *o = malloc(sizeof *o);
    if (o == NULL)
        return NULL;
    o->chunk = number;
    o->padding = 0;
    if (r->open_count >= OPEN_CHUNKS_MAX)
        pack_oldest(r);
    link_newest(r, o);
    return o;
}

static struct sq_open_chunk *open_chunk(struct sq_register *r, uint32_t number)
{
    struct chunk *c = chunk_at(r, number);
    struct sq_open_chunk *o = c->memory;
    if (c->size == 0) {
        if (r->newest != o) {
            unlink_open(r, o);
            link_newest(r, o);
        }
        return o;
    }
    if (r->borrowed && sq_table_reserve(&r->retired, 1, NULL) != SQ_OK)
        return NULL;
    if ((o = new_open(r, number)) == NULL)
        return NULL;
    sq_chunk_unpack(c->memory, c->count, o->rows);
    if (r->borrowed)
        *(void **)sq_table_add(&r->retired, NULL) = c->memory;
    else
        free(c->memory);
    c->memory = o;
    c->size = 0;
    return o;
}

/* ---- finding ---- */

/* The last of `count` fences at or before the key; 0 when there is none before. */
static uint32_t find_fence(const struct fence *fences, uint32_t count, const struct sq_invoice_key *k)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sq_invoice_key_compare(&fences[middle].key, k) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : low - 1;
}

/* Does the key belong behind this fence? */
static int covers(const struct sq_register *r, const struct sq_place *p, const struct sq_invoice_key *k)
{
    const struct block *b = block_of(r, p->top);
    if (sq_invoice_key_compare(&b->fences[p->fence].key, k) > 0)
        return 0;
    if (p->fence + 1 < b->count)
        return sq_invoice_key_compare(&b->fences[p->fence + 1].key, k) > 0;
    return p->top + 1 == r->top.count || sq_invoice_key_compare(&SQ_ROW(&r->top, struct fence, p->top + 1)->key, k) > 0;
}

static uint32_t chunk_of(const struct sq_register *r, const struct sq_place *p)
{
    return block_of(r, p->top)->fences[p->fence].number;
}

static void seek_open(const struct sq_invoice_row *rows, uint32_t count, const struct sq_invoice_key *k,
                      struct sq_place *p)
{
    uint32_t low = 0, high = count;
    if (sq_invoice_key_compare(&rows[count - 1].key, k) < 0)
        low = count; /* the usual case: numbers ascend */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sq_invoice_key_compare(&rows[middle].key, k) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    p->at = low;
    p->found = low < count && sq_invoice_key_compare(&rows[low].key, k) == 0;
}

void sq_register_seek(const struct sq_register *r, const struct sq_invoice_key *key, struct sq_place *p)
{
    p->found = 0;
    p->at = 0;
    if (r->top.count == 0) {
        p->valid = 0;
        return;
    }
    if (!p->valid || !covers(r, p, key)) {
        p->top = find_fence(r->top.rows, r->top.count, key);
        p->fence = find_fence(block_of(r, p->top)->fences, block_of(r, p->top)->count, key);
        p->valid = 1;
    }
    const struct chunk *c = chunk_at(r, chunk_of(r, p));
    if (c->size == 0)
        seek_open(((const struct sq_open_chunk *)c->memory)->rows, c->count, key, p);
    else
        p->at = sq_chunk_find(c->memory, c->count, key, &p->found);
}

void sq_register_read(const struct sq_register *r, const struct sq_place *p, struct sq_invoice_row *out)
{
    const struct chunk *c = chunk_at(r, chunk_of(r, p));
    if (c->size == 0) {
        *out = ((const struct sq_open_chunk *)c->memory)->rows[p->at];
        return;
    }
    struct sq_invoice_row rows[SQ_CHUNK_ROWS];
    sq_chunk_unpack(c->memory, c->count, rows);
    *out = rows[p->at];
}

struct sq_invoice_row *sq_register_edit(struct sq_register *r, const struct sq_place *p)
{
    struct sq_open_chunk *o = open_chunk(r, chunk_of(r, p));
    return o != NULL ? &o->rows[p->at] : NULL;
}

/* ---- adding ---- */

static uint32_t new_chunk(struct sq_register *r)
{
    uint32_t number = r->chunks.count;
    if (sq_table_reserve(&r->chunks, 1, NULL) != SQ_OK)
        return SQ_ROW_NONE;
    struct sq_open_chunk *o = new_open(r, number);
    if (o == NULL)
        return SQ_ROW_NONE;
    *(struct chunk *)sq_table_add(&r->chunks, NULL) = (struct chunk){.memory = o};
    return number;
}

static void insert_fence(struct fence *fences, uint32_t count, uint32_t at, const struct sq_invoice_key *key,
                         uint32_t number)
{
    memmove(fences + at + 1, fences + at, (count - at) * sizeof *fences);
    fences[at] = (struct fence){*key, number};
}

/* Half of a full block moves into a new one behind it; when the place is at its end, nothing does, and the caller fills the new one. */
static int split_block(struct sq_register *r, uint32_t top, uint32_t after)
{
    uint32_t number, keep = after == BLOCK_FENCES ? BLOCK_FENCES : BLOCK_FENCES / 2;
    if (sq_table_reserve(&r->blocks, 1, NULL) != SQ_OK || sq_table_reserve(&r->top, 1, NULL) != SQ_OK)
        return 0;
    struct block *fresh = sq_table_add(&r->blocks, &number), *full = block_of(r, top);
    sq_table_add(&r->top, NULL);
    fresh->count = BLOCK_FENCES - keep;
    memcpy(fresh->fences, full->fences + keep, fresh->count * sizeof *fresh->fences);
    full->count = keep;
    insert_fence(r->top.rows, r->top.count - 1, top + 1, &fresh->fences[0].key, number);
    return 1;
}

/* A fence that stood in the first half of a split block may stand in the second now. */
static void after_split(const struct sq_register *r, struct sq_place *p)
{
    uint32_t kept = block_of(r, p->top)->count;
    if (p->fence >= kept) {
        p->top++;
        p->fence -= kept;
    }
}

/* A new chunk with this first key behind the one at the place; the place moves to it. 0 when memory is out. */
static int chunk_behind(struct sq_register *r, struct sq_place *p, const struct sq_invoice_key *first)
{
    uint32_t number = new_chunk(r);
    if (number == SQ_ROW_NONE)
        return 0;
    p->fence++;
    if (block_of(r, p->top)->count == BLOCK_FENCES) {
        if (!split_block(r, p->top, p->fence))
            return 0;
        after_split(r, p);
    }
    struct block *b = block_of(r, p->top);
    insert_fence(b->fences, b->count++, p->fence, first, number);
    if (p->fence == 0)
        SQ_ROW(&r->top, struct fence, p->top)->key = *first;
    return 1;
}

static int first_chunk(struct sq_register *r, const struct sq_invoice_key *key)
{
    uint32_t block;
    if (sq_table_reserve(&r->blocks, 1, NULL) != SQ_OK || sq_table_reserve(&r->top, 1, NULL) != SQ_OK)
        return 0;
    uint32_t number = new_chunk(r);
    if (number == SQ_ROW_NONE)
        return 0;
    struct block *b = sq_table_add(&r->blocks, &block);
    *b = (struct block){.count = 1, .fences = {{*key, number}}};
    *(struct fence *)sq_table_add(&r->top, NULL) = (struct fence){*key, block};
    return 1;
}

/* Room for one row: behind a full chunk another starts, so that ascending numbers fill them all; inside a full one it is split there. */
static int make_room(struct sq_register *r, const struct sq_invoice_key *key, struct sq_place *p)
{
    if (r->top.count == 0) {
        *p = (struct sq_place){.valid = 1};
        return first_chunk(r, key);
    }
    uint32_t full = chunk_of(r, p), at = p->at;
    if (chunk_at(r, full)->count < SQ_CHUNK_ROWS)
        return 1;
    if (at == SQ_CHUNK_ROWS) {
        p->at = 0;
        return chunk_behind(r, p, key);
    }
    struct sq_open_chunk *from = open_chunk(r, full), *to;
    struct sq_place behind = *p;
    uint32_t keep =
        at != 0 ? at : SQ_CHUNK_ROWS / 2; /* before the first row of all: something must stay in front of nothing */
    if (from == NULL || !chunk_behind(r, &behind, &from->rows[keep].key))
        return 0;
    to = chunk_at(r, chunk_of(r, &behind))->memory; /* the two newest are open: neither was packed meanwhile */
    memcpy(to->rows, from->rows + keep, (SQ_CHUNK_ROWS - keep) * sizeof to->rows[0]);
    chunk_at(r, to->chunk)->count = SQ_CHUNK_ROWS - keep;
    chunk_at(r, full)->count = keep;
    after_split(r, p);
    return 1;
}

struct sq_invoice_row *sq_register_insert(struct sq_register *r, const struct sq_invoice_key *key, struct sq_place *p)
{
    if (!make_room(r, key, p))
        return NULL;
    uint32_t number = chunk_of(r, p);
    struct sq_open_chunk *o = open_chunk(r, number);
    if (o == NULL)
        return NULL;
    struct chunk *c = chunk_at(r, number);
    memmove(o->rows + p->at + 1, o->rows + p->at, (c->count - p->at) * sizeof o->rows[0]);
    c->count++;
    o->rows[p->at] = (struct sq_invoice_row){.key = *key};
    if (p->at == 0) {
        block_of(r, p->top)->fences[p->fence].key = *key;
        if (p->fence == 0)
            SQ_ROW(&r->top, struct fence, p->top)->key = *key;
    }
    r->count++;
    return &o->rows[p->at];
}

/* ---- snapshot ---- */

void sq_register_dump(struct sq_register *r, struct sq_dump *d)
{
    sq_dump_table(d, &r->blocks);
    sq_dump_table(d, &r->top);
    sq_dump_u64(d, r->count);
    sq_dump_u64(d, r->chunks.count);
    for (uint32_t i = 0; i < r->chunks.count; i++) {
        const struct chunk *c = chunk_at(r, i);
        uint8_t packed[SQ_CHUNK_PACKED_MAX];
        size_t size =
            c->size != 0 ? c->size : sq_chunk_pack(((const struct sq_open_chunk *)c->memory)->rows, c->count, packed);
        sq_dump_u64(d, (uint64_t)size << 32 | c->count);
        if (c->size != 0)
            sq_dump_lend(d, c->memory, size);
        else
            sq_dump_put(d, packed, size);
    }
    r->borrowed = d->borrows;
}

void sq_register_dump_done(struct sq_register *r)
{
    for (uint32_t i = 0; i < r->retired.count; i++)
        free(*SQ_ROW(&r->retired, void *, i));
    r->retired.count = 0;
    r->borrowed = 0;
}

sq_status sq_register_undump(struct sq_register *r, struct sq_reader *in, struct sq_error *err)
{
    sq_status st = sq_undump_table(in, &r->blocks, err);
    if (st == SQ_OK)
        st = sq_undump_table(in, &r->top, err);
    r->count = sq_read_be64(in);
    uint64_t count = sq_read_be64(in);
    if (st == SQ_OK && (in->bad || count > (size_t)(in->end - in->at) / 8))
        st = sq_fail(err, SQ_E_FORMAT, "snapshot ends inside the invoice register");
    if (st == SQ_OK)
        st = sq_table_reserve(&r->chunks, (uint32_t)count, err);
    for (uint64_t i = 0; st == SQ_OK && i < count; i++) {
        uint64_t head = sq_read_be64(in);
        uint32_t size = (uint32_t)(head >> 32), rows = (uint32_t)head;
        const uint8_t *bytes = sq_read_bytes(in, size);
        if (bytes == NULL || !sq_chunk_fits(bytes, size, rows))
            return sq_fail(err, SQ_E_FORMAT, "chunk %" PRIu64 " of the invoice register is damaged", i);
        void *memory = malloc(size);
        if (memory == NULL)
            return sq_fail(err, SQ_E_NOMEM, "invoice register");
        memcpy(memory, bytes, size);
        *(struct chunk *)sq_table_add(&r->chunks, NULL) = (struct chunk){memory, size, rows};
    }
    return st;
}
