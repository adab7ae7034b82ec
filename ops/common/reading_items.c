/*
 * Items: bunch by bunch the entry is read again, and its rows are put together with what the replay found out about them.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/common/reading_internal.h"

static void *take(void *arena, size_t size) { return sq_arena_room(arena, size); }

/* The columns that batches, requests and claims have, whichever message they came in. */
struct columns {
    size_t rows;
    const uint64_t *voucher, *reservation;
    const int64_t *amount, *base, *total;
    const uint32_t *row, *service, *day; /* row NULL: 0, 1, 2 ... */
    const uint8_t *invoice, *verb, *code;
    uint64_t batch;
    const char *provider;
};

static const char *code_of_name(const char *name) { return strchr(name, ':') + 1; }

/* ---- opening an entry ---- */

static void of_batch(const Sanquan__V1__Batch *m, struct columns *c)
{
    c->rows = m->n_voucher;
    c->voucher = m->voucher;
    c->amount = m->amount_fen;
    c->base = m->base_fen;
    c->total = m->invoice_total_fen;
    c->service = m->service;
    c->day = m->service_day;
    c->invoice = m->invoice.data;
    c->verb = m->verb.len != 0 ? m->verb.data : NULL;
    c->reservation = m->n_reservation != 0 ? m->reservation : NULL;
}

static int of_entry(const struct sq_reading *h, const struct sq_reading_bunch_row *b, const ProtobufCMessage *m, struct columns *c)
{
    switch (b->type) {
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        of_batch((const Sanquan__V1__Batch *)m, c);
        c->batch = b->seq;
        c->provider = code_of_name(sq_core_party(h->core, b->party)->name);
        return 1;
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR: {
        const Sanquan__V1__Clear *clear = (const Sanquan__V1__Clear *)m;
        if (clear->items == NULL)
            return 0;
        of_batch(clear->items, c);
        c->row = clear->row;
        c->batch = clear->batch;
        c->provider = clear->provider;
        return 1;
    }
    default: {
        const Sanquan__V1__Register *claim = (const Sanquan__V1__Register *)m;
        *c = (struct columns){.rows = claim->n_row, .voucher = claim->voucher, .amount = claim->amount_fen, .base = claim->base_fen,
                              .total = claim->invoice_total_fen, .row = claim->row, .invoice = claim->invoice.data, .batch = claim->batch,
                              .provider = claim->provider};
        return 1;
    }
    }
}

static sq_status read_bunch(struct sq_reading *h, const struct sq_reading_bunch_row *b, struct columns *c, struct sq_error *err)
{
    struct sq_wire_memory memory = {take, &h->arena};
    struct sq_entry entry;
    struct sq_envelope e;
    ProtobufCMessage *m, *outcome;
    sq_arena_reset(&h->arena);
    sq_status st = sq_ledger_read(h->ledger, b->seq, &h->arena, &entry, err);
    if (st == SQ_OK)
        st = sq_envelope_open(entry.input, &e, err);
    if (st == SQ_OK)
        st = sq_wire_open(sq_wire_type(b->type), e.body, &memory, &m, err);
    if (st == SQ_OK)
        st = sq_wire_open(&sanquan__v1__outcome__descriptor, entry.outcome, &memory, &outcome, err);
    *c = (struct columns){0};
    if (st == SQ_OK && !of_entry(h, b, m, c))
        st = sq_fail(err, SQ_E_FORMAT, "entry %" PRIu64 " has no rows", b->seq);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "entry %" PRIu64, b->seq);
    const Sanquan__V1__Outcome *o = (const Sanquan__V1__Outcome *)outcome;
    c->code = o->code.len == c->rows ? o->code.data : NULL;
    return SQ_OK;
}

/* ---- one row ---- */

static void write_invoice(const uint8_t *cell, char out[static 21])
{
    int any = 0;
    for (int i = 0; i < 10; i++) {
        out[2 * i] = (char)('0' + (cell[i] >> 4));
        out[2 * i + 1] = (char)('0' + (cell[i] & 15));
        any |= cell[i];
    }
    out[any != 0 ? 20 : 0] = '\0';
}

static uint32_t node_of_issuer(const struct sq_reading *h, uint64_t voucher, uint32_t *kind)
{
    uint64_t programme = voucher / 1000000000u;
    for (uint32_t i = 0; i < sq_core_programme_count(h->core); i++) {
        struct sq_programme_view v;
        sq_core_programme(h->core, i, &v);
        if (v.issuer * 10000ull + v.number != programme)
            continue;
        *kind = v.kind;
        return v.node;
    }
    *kind = 0;
    return SQ_ROW_NONE;
}

static void put_outcome(const struct sq_reading_bunch_row *b, const struct columns *c, size_t i, struct sq_reading_item *item)
{
    unsigned code = b->code != NULL ? b->code[i] : c->code != NULL ? c->code[i] : 0;
    const struct sq_reading_leg *leg = b->leg == NULL ? &b->only : b->leg[i] != 0 ? &b->legs[b->leg[i] - 1] : NULL;
    item->state = code == SQ_ROW_WAITS ? SQ_READING_WAITS : code == SQ_OK ? SQ_READING_ACCEPTED : SQ_READING_REFUSED;
    item->code = item->state == SQ_READING_REFUSED ? code : 0;
    if (leg == NULL || item->state == SQ_READING_WAITS)
        return;
    item->done_seq = leg->seq;
    item->done_ms = leg->at_ms;
    if (item->state == SQ_READING_ACCEPTED && item->role != SQ_READING_CLAIMED && sq_reading_moves(item) != 0)
        item->link = leg->link;
}

static void put_row(const struct sq_reading *h, const struct sq_reading_bunch_row *b, const struct columns *c, size_t i, struct sq_reading_item *item)
{
    struct sq_voucher_view v;
    uint32_t self = sq_core_self(h->core);
    *item = (struct sq_reading_item){.seq = b->seq, .batch = c->batch, .row = c->row != NULL ? c->row[i] : (uint32_t)i, .received_ms = b->at_ms, .acquirer = b->node,
                             .provider = c->provider, .holder = "", .voucher = c->voucher[i], .amount_fen = c->amount[i], .base_fen = c->base[i],
                             .total_fen = c->total[i], .verb = c->verb != NULL ? c->verb[i] : (uint8_t)SANQUAN__V1__VERB__REDEEM,
                             .service = c->service != NULL ? c->service[i] : 0, .service_day = c->day != NULL ? c->day[i] : 0,
                             .reservation = c->reservation != NULL ? c->reservation[i] : 0};
    item->role = b->type == SANQUAN__V1__MESSAGE_TYPE__BATCH ? SQ_READING_ACQUIRED : b->type == SANQUAN__V1__MESSAGE_TYPE__CLEAR ? SQ_READING_DECIDED : SQ_READING_CLAIMED;
    if (item->role == SQ_READING_CLAIMED && item->amount_fen < 0) { /* asks whether so much could be given back */
        item->verb = SANQUAN__V1__VERB__RETURN;
        item->amount_fen = -item->amount_fen;
        item->base_fen = -item->base_fen;
    }
    write_invoice(c->invoice + i * 10, item->invoice);
    item->issuer = node_of_issuer(h, item->voucher, &item->kind);
    if (sq_core_voucher(h->core, item->voucher, &v) == SQ_OK)
        item->holder = code_of_name(v.holder);
    put_outcome(b, c, i, item);
    if (item->link != 0)
        item->window = sq_reading_window_of(h, item->issuer, item->role == SQ_READING_DECIDED ? b->node : self, item->link);
}

int64_t sq_reading_moves(const struct sq_reading_item *item)
{
    switch ((Sanquan__V1__Verb)item->verb) {
    case SANQUAN__V1__VERB__REDEEM:
    case SANQUAN__V1__VERB__COMMIT:
        return item->amount_fen;
    case SANQUAN__V1__VERB__RETURN:
        return -item->amount_fen;
    case SANQUAN__V1__VERB__VERB_NONE:
    case SANQUAN__V1__VERB__RESERVE:
    case SANQUAN__V1__VERB__RELEASE:
    case _SANQUAN__V1__VERB_IS_INT_SIZE:
        break;
    }
    return 0;
}

/* ---- choosing ---- */

static unsigned role_of(uint32_t type)
{
    return type == SANQUAN__V1__MESSAGE_TYPE__BATCH ? SQ_READING_ACQUIRED : type == SANQUAN__V1__MESSAGE_TYPE__CLEAR ? SQ_READING_DECIDED : SQ_READING_CLAIMED;
}

/* Can the entry hold a row that is wanted? What only its rows know is looked at later. */
static int bunch_wanted(const struct sq_reading *h, const struct sq_reading_filter *f, const struct sq_reading_bunch_row *b)
{
    unsigned roles = f->roles != 0 ? f->roles : SQ_READING_ACQUIRED | SQ_READING_DECIDED | (f->invoice != NULL ? SQ_READING_CLAIMED : 0u);
    if ((roles & role_of(b->type)) == 0 || b->at_ms < f->from_ms || (f->to_ms != 0 && b->at_ms >= f->to_ms))
        return 0;
    if (b->type != SANQUAN__V1__MESSAGE_TYPE__BATCH)
        return f->batch == 0 || f->batch_node == b->node;
    return (f->batch == 0 || (f->batch == b->seq && f->batch_node == sq_core_self(h->core))) &&
           (f->provider == NULL || strcmp(code_of_name(sq_core_party(h->core, b->party)->name), f->provider) == 0);
}

static int row_wanted(const struct sq_reading_filter *f, const struct sq_reading_item *item)
{
    return (f->provider == NULL || strcmp(f->provider, item->provider) == 0) && (f->holder == NULL || strcmp(f->holder, item->holder) == 0) &&
           (f->voucher == 0 || f->voucher == item->voucher) && (f->window == 0 || f->window == item->window) && (f->batch == 0 || f->batch == item->batch) &&
           (f->invoice == NULL || strcmp(f->invoice, item->invoice) == 0) && (f->code == 0 || f->code == item->code) &&
           (!f->refused_only || item->state == SQ_READING_REFUSED);
}

sq_status sq_reading_items(struct sq_reading *h, const struct sq_reading_filter *f, sq_reading_visit visit, void *ctx, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (uint32_t k = 0; st == SQ_OK && k < h->bunches.count; k++) {
        const struct sq_reading_bunch_row *b = SQ_ROW(&h->bunches, struct sq_reading_bunch_row, k);
        struct columns c;
        if (!bunch_wanted(h, f, b))
            continue;
        st = read_bunch(h, b, &c, err);
        for (size_t i = 0; st == SQ_OK && i < c.rows; i++) {
            struct sq_reading_item item;
            put_row(h, b, &c, i, &item);
            if (row_wanted(f, &item))
                st = visit(ctx, &item, err);
        }
    }
    return st;
}
