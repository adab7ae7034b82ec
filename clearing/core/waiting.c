/*
 * Batches at their acquirer that wait for invoice homes or issuers.
 *
 * Invariant: one allocation a batch, so that a snapshot is a copy:
 *     body (canonical Batch) | a stage a row | a code a row | 1 a row that claims an invoice, else 0 | an invoice a row
 */
#include <stdlib.h>

#include "clearing/core/acquirer.h"

static size_t size_of(const struct sq_waiting *w)
{
    return w->body_size + (size_t)w->rows * (3 + SQ_INVOICE_CELL);
}

static void set_columns(struct sq_waiting *w)
{
    w->stage = w->body + w->body_size;
    w->code = w->stage + w->rows;
    w->claims = w->code + w->rows;
    w->invoice = w->claims + w->rows;
}

void sq_waiting_free(struct sq_waiting *w)
{
    free(w->body);
    w->body = NULL;
}

struct sq_waiting *sq_waiting_add(struct sq_step *s, sq_bytes body, const struct sq_rows *r)
{
    struct sq_core *core = s->core;
    if (core->waiting_count == core->waiting_capacity) {
        uint32_t capacity = core->waiting_capacity == 0 ? 64 : core->waiting_capacity * 2;
        struct sq_waiting *grown = realloc(core->waiting, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        core->waiting = grown;
        core->waiting_capacity = capacity;
    }
    struct sq_waiting *w = &core->waiting[core->waiting_count];
    *w = (struct sq_waiting){.id = s->id,
                             .seq = s->fx->seq,
                             .party = s->party,
                             .rows = (uint32_t)r->count,
                             .left = (uint32_t)r->count,
                             .open = (uint32_t)r->count,
                             .body_size = (uint32_t)body.size,
                             .received_ms = core->now_ms};
    w->body = malloc(size_of(w));
    if (w->body == NULL)
        return NULL;
    core->waiting_count++;
    set_columns(w);
    memcpy(w->body, body.data, body.size);
    memset(w->stage, 0, 2u * (size_t)w->rows);
    for (size_t i = 0; i < r->count; i++)
        w->claims[i] = (uint8_t)sq_verb_claims(sq_row_verb(r, i));
    memcpy(w->invoice, r->invoice, r->count * SQ_INVOICE_CELL);
    return w;
}

/* Batches are answered roughly in the order they came, and few wait at once: walk them. */
struct sq_waiting *sq_waiting_find(struct sq_core *core, uint64_t seq)
{
    for (uint32_t i = 0; i < core->waiting_count; i++)
        if (core->waiting[i].seq == seq)
            return &core->waiting[i];
    return NULL;
}

void sq_waiting_remove(struct sq_core *core, struct sq_waiting *w)
{
    sq_waiting_free(w);
    size_t after = (size_t)(core->waiting + core->waiting_count - (w + 1));
    memmove(w, w + 1, after * sizeof *w);
    core->waiting_count--;
}

struct sq_waiting *sq_waiting_next(struct sq_core *core)
{
    struct sq_waiting *next = NULL;
    for (uint32_t i = 0; i < core->waiting_count; i++)
        if (core->waiting[i].until_ms != 0 && (next == NULL || core->waiting[i].until_ms < next->until_ms))
            next = &core->waiting[i];
    core->bundles_next_ms = next != NULL ? next->until_ms : UINT64_MAX;
    return next;
}

sq_status sq_waiting_rows(struct sq_step *s, const struct sq_waiting *w, const Sanquan__V1__Batch **batch,
                          struct sq_rows *rows)
{
    ProtobufCMessage *opened;
    sq_status st =
        sq_wire_open(&sanquan__v1__batch__descriptor, sq_bytes_of(w->body, w->body_size), &s->memory, &opened, s->err);
    if (st != SQ_OK)
        return sq_fail_context(s->err, SQ_E_FULL, "waiting batch %" PRIu64, w->seq);
    *batch = (const Sanquan__V1__Batch *)opened;
    unsigned broken = sq_rows_of(*batch, 1, rows);
    SQ_ASSERT(broken == SQ_OK); /* it was checked when it came */
    return SQ_OK;
}

/* The first row with this invoice or a larger one: rows ascend. */
static uint32_t first_row(const struct sq_waiting *w, const uint8_t *invoice)
{
    uint32_t low = 0, high = w->rows;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(w->invoice + (size_t)middle * SQ_INVOICE_CELL, invoice, SQ_INVOICE_CELL) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int sq_waiting_claims(const struct sq_core *core, uint32_t provider, const uint8_t invoice[static SQ_INVOICE_CELL])
{
    for (uint32_t k = 0; k < core->waiting_count; k++) {
        const struct sq_waiting *w = &core->waiting[k];
        uint32_t i = w->party == provider ? first_row(w, invoice) : w->rows;
        for (; i < w->rows && memcmp(w->invoice + (size_t)i * SQ_INVOICE_CELL, invoice, SQ_INVOICE_CELL) == 0; i++)
            if (w->claims[i] && w->stage[i] != SQ_ROW_DONE)
                return 1;
    }
    return 0;
}

/* ---- snapshot ---- */

void sq_waiting_dump(const struct sq_core *core, struct sq_dump *d)
{
    sq_dump_u64(d, core->waiting_count);
    for (uint32_t i = 0; i < core->waiting_count; i++) {
        const struct sq_waiting *w = &core->waiting[i];
        const uint64_t fields[] = {w->id,       w->seq,        w->until_ms,
                                   w->party,    w->rows,       w->left,
                                   w->open,     w->body_size,  (uint64_t)w->amount_fen,
                                   w->accepted, w->received_ms};
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            sq_dump_u64(d, fields[k]);
        sq_dump_put(d, w->body, size_of(w));
    }
}

sq_status sq_waiting_undump(struct sq_core *core, struct sq_reader *r, struct sq_error *err)
{
    uint64_t count = sq_read_be64(r);
    if (r->bad || count > (size_t)(r->end - r->at) / 64)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends inside waiting batches");
    core->waiting = calloc(count + 1, sizeof *core->waiting);
    if (core->waiting == NULL)
        return sq_fail(err, SQ_E_NOMEM, "waiting batches");
    core->waiting_capacity = (uint32_t)count + 1;
    for (uint64_t i = 0; i < count; i++) {
        struct sq_waiting *w = &core->waiting[i];
        w->id = sq_read_be64(r);
        w->seq = sq_read_be64(r);
        w->until_ms = sq_read_be64(r);
        w->party = (uint32_t)sq_read_be64(r);
        w->rows = (uint32_t)sq_read_be64(r);
        w->left = (uint32_t)sq_read_be64(r);
        w->open = (uint32_t)sq_read_be64(r);
        w->body_size = (uint32_t)sq_read_be64(r);
        w->amount_fen = (int64_t)sq_read_be64(r);
        w->accepted = sq_read_be64(r);
        w->received_ms = sq_read_be64(r);
        const uint8_t *bytes = sq_read_bytes(r, size_of(w));
        w->body = bytes != NULL ? malloc(size_of(w)) : NULL;
        if (w->body == NULL)
            return sq_fail(err, bytes != NULL ? SQ_E_NOMEM : SQ_E_FORMAT, "waiting batch %" PRIu64, i);
        memcpy(w->body, bytes, size_of(w));
        set_columns(w);
        core->waiting_count++;
    }
    (void)sq_waiting_next(core);
    return SQ_OK;
}
