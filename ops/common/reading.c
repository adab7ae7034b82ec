/*
 * The replay, and what is kept of it.
 *
 *   BATCH       -> a bunch; when some rows wait for other nodes, with room for the outcome of each
 *   REGISTERED,
 *   DECIDED     -> legs: rows of an earlier bunch that ended here, and their link number
 *   CLEAR       -> a bunch that ended in its own entry; its link number is in the answer that the step sent
 *   REGISTER    -> a bunch, for those who ask about an invoice
 *   settlement  -> when each window was cut, became final, was instructed and settled; which link numbers it covers
 *
 * Invariant: `bunches` ascend by entry, ranges by number, so both are searched by halves.
 */
#include "ops/common/reading.h"

#include <stdlib.h>
#include <string.h>

#include "ops/common/reading_internal.h"
#include "ops/common/replay.h"
#include "peers/crypto.h"

#define LEGS_MAX UINT16_MAX

static void *take(void *arena, size_t size) { return sq_arena_room(arena, size); }

static const void *open_message(struct sq_reading *h, const ProtobufCMessageDescriptor *type, sq_bytes body)
{
    struct sq_wire_memory memory = {take, &h->arena};
    ProtobufCMessage *m;
    return sq_wire_open(type, body, &memory, &m, NULL) == SQ_OK ? m : NULL;
}

static sq_status no_memory(struct sq_error *err) { return sq_fail(err, SQ_E_NOMEM, "reading the ledger"); }

/* ---- bunches ---- */

struct sq_reading_bunch_row *sq_reading_bunch(const struct sq_reading *h, uint64_t seq)
{
    uint32_t low = 0, high = h->bunches.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (SQ_ROW(&h->bunches, struct sq_reading_bunch_row, middle)->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    struct sq_reading_bunch_row *b = low < h->bunches.count ? SQ_ROW(&h->bunches, struct sq_reading_bunch_row, low) : NULL;
    return b != NULL && b->seq == seq ? b : NULL;
}

static struct sq_reading_bunch_row *add_bunch(struct sq_reading *h, const struct sq_entry *e, uint32_t party, uint32_t rows)
{
    struct sq_reading_bunch_row *b = sq_table_add(&h->bunches, NULL);
    if (b != NULL)
        *b = (struct sq_reading_bunch_row){.seq = e->seq, .at_ms = e->now_ms, .type = e->type, .party = party, .node = sq_core_party(h->core, party)->node, .rows = rows};
    return b;
}

/* Rows of b that came to an end in entry e (row NULL: all); what was owed for them has this link number. 0 when memory is out. */
static int add_leg(struct sq_reading_bunch_row *b, const struct sq_entry *e, uint32_t node, uint64_t link, const uint32_t *row, const uint8_t *code, size_t n)
{
    struct sq_reading_leg *grown = realloc(b->legs, (b->leg_count + 1u) * sizeof *grown);
    if (grown == NULL || b->leg_count == LEGS_MAX)
        return 0;
    b->legs = grown;
    b->legs[b->leg_count++] = (struct sq_reading_leg){e->seq, e->now_ms, link, node};
    for (size_t k = 0; k < n; k++) {
        size_t i = row != NULL ? row[k] : k;
        if (i >= b->rows || code[k] == SQ_ROW_WAITS)
            continue;
        b->leg[i] = (uint16_t)b->leg_count;
        b->code[i] = code[k];
    }
    return 1;
}

/* The number that this node's own business got in this entry; 0: none. */
static uint64_t own_link(const struct sq_reading *h, const struct sq_link_view *before) { return h->own.last.number != before->last.number ? h->own.last.number : 0; }

static sq_status on_batch(struct sq_reading *h, const struct sq_entry *e, uint32_t party, sq_bytes body, const Sanquan__V1__Outcome *o, uint64_t link,
                          struct sq_error *err)
{
    const Sanquan__V1__Batch *m = open_message(h, &sanquan__v1__batch__descriptor, body);
    struct sq_reading_bunch_row *b = m != NULL ? add_bunch(h, e, party, (uint32_t)m->n_voucher) : NULL;
    uint32_t self = sq_core_self(h->core);
    if (b == NULL)
        return no_memory(err);
    if (o->code.len == 0 || memchr(o->code.data, SQ_ROW_WAITS, o->code.len) == NULL) {
        b->leg_count = 1;
        b->only = (struct sq_reading_leg){e->seq, e->now_ms, link, self};
        return SQ_OK;
    }
    b->leg = calloc(b->rows, sizeof *b->leg);
    b->code = malloc(b->rows);
    if (b->leg == NULL || b->code == NULL)
        return no_memory(err);
    memset(b->code, SQ_ROW_WAITS, b->rows);
    return add_leg(b, e, self, link, NULL, o->code.data, b->rows) ? SQ_OK : no_memory(err);
}

static sq_status on_registered(struct sq_reading *h, const struct sq_entry *e, sq_bytes body, const Sanquan__V1__Outcome *o, uint64_t link, struct sq_error *err)
{
    const Sanquan__V1__Registered *m = open_message(h, &sanquan__v1__registered__descriptor, body);
    struct sq_reading_bunch_row *b = m != NULL ? sq_reading_bunch(h, m->batch) : NULL;
    if (b == NULL || b->leg == NULL)
        return SQ_OK;
    const uint8_t *code = o->code.len == m->n_row ? o->code.data : sq_arena_take(&h->arena, m->n_row); /* left out: all were accepted */
    return code != NULL && add_leg(b, e, sq_core_self(h->core), link, m->row, code, m->n_row) ? SQ_OK : no_memory(err);
}

static sq_status on_decided(struct sq_reading *h, const struct sq_entry *e, uint32_t from, sq_bytes body, struct sq_error *err)
{
    const Sanquan__V1__Decided *m = open_message(h, &sanquan__v1__decided__descriptor, body);
    struct sq_reading_bunch_row *b = m != NULL ? sq_reading_bunch(h, m->batch) : NULL;
    if (b == NULL || b->leg == NULL || m->code.len != m->n_row)
        return SQ_OK;
    return add_leg(b, e, from, m->link != NULL ? m->link->number : 0, m->row, m->code.data, m->n_row) ? SQ_OK : no_memory(err);
}

static sq_status on_clear(struct sq_reading *h, const struct sq_entry *e, uint32_t party, sq_bytes body, const struct sq_effects *fx, struct sq_error *err)
{
    const Sanquan__V1__Clear *m = open_message(h, &sanquan__v1__clear__descriptor, body);
    struct sq_reading_bunch_row *b = m != NULL ? add_bunch(h, e, party, (uint32_t)m->n_row) : NULL;
    if (b == NULL)
        return no_memory(err);
    b->leg_count = 1;
    b->only = (struct sq_reading_leg){e->seq, e->now_ms, 0, sq_core_self(h->core)};
    for (size_t i = 0; i < fx->out_count; i++) {
        if (fx->out[i].kind != SQ_OUT_PEER || fx->out[i].type != SANQUAN__V1__MESSAGE_TYPE__DECIDED)
            continue;
        const Sanquan__V1__Decided *d = open_message(h, &sanquan__v1__decided__descriptor, fx->out[i].body);
        if (d != NULL && d->link != NULL)
            b->only.link = d->link->number;
    }
    return SQ_OK;
}

/* ---- a voucher's life ---- */

static sq_status add_life(struct sq_reading *h, const struct sq_entry *e, enum sq_reading_event event, int64_t amount, uint64_t until, const char *party,
                          struct sq_error *err)
{
    struct sq_reading_life_row *l = sq_table_add(&h->lives, NULL);
    if (l == NULL)
        return no_memory(err);
    *l = (struct sq_reading_life_row){.event = event, .seq = e->seq, .at_ms = e->now_ms, .amount_fen = amount, .until = until};
    strncat(l->party, party, SQ_NAME_SIZE_MAX);
    return SQ_OK;
}

static sq_status on_grant(struct sq_reading *h, const struct sq_entry *e, sq_bytes body, struct sq_error *err)
{
    const Sanquan__V1__Grant *m = open_message(h, &sanquan__v1__grant__descriptor, body);
    uint64_t first = m == NULL ? 0 : (m->issuer * 10000ull + m->programme) * 1000000000ull + m->first_serial;
    if (m == NULL || h->o.voucher < first || h->o.voucher - first >= m->n_face_fen)
        return SQ_OK;
    size_t i = (size_t)(h->o.voucher - first);
    return add_life(h, e, SQ_READING_GRANT, m->face_fen[i], m->until_day[i], m->holders[m->holder[i]], err);
}

static sq_status on_mandate(struct sq_reading *h, const struct sq_entry *e, sq_bytes body, struct sq_error *err)
{
    const Sanquan__V1__Mandate *m = open_message(h, &sanquan__v1__mandate__descriptor, body);
    for (size_t i = 0; m != NULL && i < m->n_voucher; i++)
        if (m->voucher[i] == h->o.voucher)
            return add_life(h, e, SQ_READING_MANDATE, m->limit_fen[i], m->until_ms[i], m->provider, err);
    return SQ_OK;
}

static sq_status on_revoke(struct sq_reading *h, const struct sq_entry *e, sq_bytes body, struct sq_error *err)
{
    const Sanquan__V1__Revoke *m = open_message(h, &sanquan__v1__revoke__descriptor, body);
    for (size_t i = 0; m != NULL && i < m->n_voucher; i++)
        if (m->voucher[i] == h->o.voucher)
            return add_life(h, e, SQ_READING_REVOKE, 0, 0, "", err);
    return SQ_OK;
}

size_t sq_reading_life(const struct sq_reading *h, const struct sq_reading_life_row **out)
{
    *out = h->lives.rows;
    return h->lives.count;
}

/* ---- windows ---- */

static uint32_t node_of(const struct sq_core *core, const char *code)
{
    for (uint32_t i = 0; i < sq_core_node_count(core); i++)
        if (strcmp(sq_core_node(core, i)->code, code) == 0)
            return i;
    return SQ_ROW_NONE;
}

static sq_status cover(struct sq_reading *h, const struct sq_window_view *w, struct sq_error *err)
{
    const Sanquan__V1__Settlement *v = open_message(h, &sanquan__v1__settlement__descriptor, w->value);
    uint32_t self = sq_core_self(h->core);
    for (size_t i = 0; v != NULL && i < v->n_pairs; i++) {
        const Sanquan__V1__Pair *p = v->pairs[i];
        uint32_t debtor = node_of(h->core, p->debtor), creditor = node_of(h->core, p->creditor);
        if (debtor == SQ_ROW_NONE || creditor == SQ_ROW_NONE || (debtor != self && creditor != self))
            continue;
        struct sq_reading_stream *s = debtor == self ? &h->owes[creditor] : &h->owed[debtor];
        struct sq_reading_range *r = sq_table_add(&s->ranges, NULL);
        if (r == NULL)
            return no_memory(err);
        *r = (struct sq_reading_range){p->first, p->last, w->window};
    }
    return v != NULL ? SQ_OK : no_memory(err);
}

/* What has come of a window since the entry before. */
static sq_status follow_window(struct sq_reading *h, const struct sq_entry *e, struct sq_reading_window *to, struct sq_error *err)
{
    struct sq_window_view v;
    sq_status st = sq_settlement_window(sq_core_settlement(h->core), to->window, &v, err);
    if (st != SQ_OK)
        return st;
    to->opened_ms = v.opened_ms;
    if (v.final_ms != 0 && to->final.seq == 0) {
        to->final.seq = e->seq, to->final.at_ms = e->now_ms;
        st = cover(h, &v, err);
    }
    if (v.state != to->state && v.state == SQ_WINDOW_INSTRUCTED)
        to->instructed.seq = e->seq, to->instructed.at_ms = e->now_ms;
    else if (v.state != to->state && v.state == SQ_WINDOW_SETTLED)
        to->settled.seq = e->seq, to->settled.at_ms = e->now_ms;
    else if (v.state != to->state && v.state == SQ_WINDOW_BREAK)
        to->broke.seq = e->seq, to->broke.at_ms = e->now_ms;
    to->state = v.state;
    return st;
}

static void note_stated(struct sq_reading_stream *s, uint64_t window, uint64_t last)
{
    if (s->stated[window % 2].window == window)
        return; /* the first one counts */
    s->stated[window % 2].window = window;
    s->stated[window % 2].last = last;
}

/* This entry cut the window: this node's own business in it ends, and its statements went out. */
static sq_status close_window(struct sq_reading *h, const struct sq_entry *e, struct sq_reading_window *w, const struct sq_link_view *own, struct sq_error *err)
{
    uint32_t self = sq_core_self(h->core);
    struct sq_reading_range *r = sq_table_add(&h->local, NULL);
    if (r == NULL)
        return no_memory(err);
    *r = (struct sq_reading_range){own->settled_number + 1, own->last.number, w->window};
    w->cut.seq = e->seq, w->cut.at_ms = e->now_ms;
    w->local_count = own->last.count;
    memcpy(w->local_fen, own->last.total_fen, sizeof w->local_fen);
    for (uint32_t node = 0; node < h->node_count; node++) {
        struct sq_link_view l;
        if (node == self)
            continue;
        sq_settlement_link(sq_core_settlement(h->core), self, node, &l);
        note_stated(&h->owes[node], w->window, l.last.number);
    }
    return SQ_OK;
}

static sq_status follow_windows(struct sq_reading *h, const struct sq_entry *e, const struct sq_link_view *own_before, struct sq_error *err)
{
    uint64_t open = sq_settlement_open_window(sq_core_settlement(h->core));
    sq_status st = SQ_OK;
    while (st == SQ_OK && h->windows.count < open) {
        if (h->windows.count != 0)
            st = close_window(h, e, SQ_ROW(&h->windows, struct sq_reading_window, h->windows.count - 1), own_before, err);
        struct sq_reading_window *w = sq_table_add(&h->windows, NULL);
        if (w == NULL)
            return no_memory(err);
        w->window = h->windows.count;
    }
    for (uint64_t n = h->unsettled; st == SQ_OK && n < h->windows.count; n++) {
        struct sq_reading_window *w = SQ_ROW(&h->windows, struct sq_reading_window, (uint32_t)n);
        st = follow_window(h, e, w, err);
        h->unsettled += n == h->unsettled && w->state == SQ_WINDOW_SETTLED;
    }
    return st;
}

static void on_statement(struct sq_reading *h, uint32_t from, sq_bytes body)
{
    const Sanquan__V1__Statement *m = open_message(h, &sanquan__v1__statement__descriptor, body);
    struct sq_link_view l;
    if (m == NULL)
        return;
    sq_settlement_link(sq_core_settlement(h->core), from, sq_core_self(h->core), &l);
    note_stated(&h->owed[from], m->window, l.last.number);
}

static uint64_t search(const struct sq_table *ranges, uint64_t number)
{
    uint32_t low = 0, high = ranges->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (SQ_ROW(ranges, struct sq_reading_range, middle)->last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges->count ? SQ_ROW(ranges, struct sq_reading_range, low)->window : 0;
}

uint64_t sq_reading_window_of(const struct sq_reading *h, uint32_t debtor, uint32_t creditor, uint64_t number)
{
    uint64_t open = h->windows.count, cut = open - 1;
    if (debtor == creditor) {
        uint64_t closed = search(&h->local, number);
        return closed != 0 ? closed : open;
    }
    const struct sq_reading_stream *s = debtor == sq_core_self(h->core) ? &h->owes[creditor] : &h->owed[debtor];
    uint64_t final = search(&s->ranges, number);
    if (final != 0)
        return final;
    /* Not final yet: in the window that is being decided when the debtor's statement reached so far, else in the open one. */
    int deciding = cut > 0 && SQ_ROW(&h->windows, struct sq_reading_window, (uint32_t)cut - 1)->final.seq == 0;
    return deciding && s->stated[cut % 2].window == cut && number <= s->stated[cut % 2].last ? cut : open;
}

sq_status sq_reading_window(const struct sq_reading *h, uint64_t window, struct sq_reading_window *out, struct sq_error *err)
{
    if (window == 0 || window > h->windows.count)
        return sq_fail(err, SQ_E_NOT_FOUND, "window %" PRIu64 "; the newest is %u", window, h->windows.count);
    *out = *SQ_ROW(&h->windows, struct sq_reading_window, (uint32_t)window - 1);
    if (out->cut.seq == 0) {
        out->local_count = h->own.last.count;
        memcpy(out->local_fen, h->own.last.total_fen, sizeof out->local_fen);
    }
    return SQ_OK;
}

/* ---- one entry ---- */

void sq_reading_refused(const struct sq_reading *h, struct sq_reading_refused *out) { *out = h->refused; }

static sq_status on_accepted(struct sq_reading *h, const struct sq_entry *e, const struct sq_envelope *envelope, const Sanquan__V1__Outcome *o,
                             const struct sq_effects *fx, uint64_t link, struct sq_error *err)
{
    uint32_t party = sq_core_party_find(h->core, envelope->sender), from = sq_core_party(h->core, party)->node;
    sq_bytes body = envelope->body;
    switch (e->type) {
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        return on_batch(h, e, party, body, o, link, err);
    case SANQUAN__V1__MESSAGE_TYPE__REGISTERED:
        return on_registered(h, e, body, o, link, err);
    case SANQUAN__V1__MESSAGE_TYPE__DECIDED:
        return on_decided(h, e, from, body, err);
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR:
        return on_clear(h, e, party, body, fx, err);
    case SANQUAN__V1__MESSAGE_TYPE__REGISTER:
        return add_bunch(h, e, party, 0) != NULL ? SQ_OK : no_memory(err);
    case SANQUAN__V1__MESSAGE_TYPE__STATEMENT:
        on_statement(h, from, body);
        return SQ_OK;
    default:
        break;
    }
    if (h->o.voucher == 0)
        return SQ_OK;
    switch (e->type) {
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
        return on_grant(h, e, body, err);
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
        return on_mandate(h, e, body, err);
    case SANQUAN__V1__MESSAGE_TYPE__REVOKE:
        return on_revoke(h, e, body, err);
    default:
        return SQ_OK;
    }
}

static sq_status begin(struct sq_reading *h, struct sq_error *err)
{
    h->node_count = sq_core_node_count(h->core);
    h->owes = calloc(h->node_count, sizeof *h->owes);
    h->owed = calloc(h->node_count, sizeof *h->owed);
    for (uint32_t i = 0; h->owes != NULL && h->owed != NULL && i < h->node_count; i++)
        h->owes[i].ranges = h->owed[i].ranges = SQ_TABLE_OF(struct sq_reading_range);
    return h->owes != NULL && h->owed != NULL ? SQ_OK : no_memory(err);
}

static sq_status visit(void *ctx, const struct sq_core *core, const struct sq_entry *e, const struct sq_envelope *envelope, const struct sq_effects *fx,
                       struct sq_error *err)
{
    struct sq_reading *h = ctx;
    union {
        const struct sq_core *in;
        struct sq_core *out;
    } borrowed = {core}; /* only read; it becomes this history's own when the replay has ended */
    h->core = borrowed.out;
    sq_status st = h->owes == NULL ? begin(h, err) : SQ_OK;
    struct sq_link_view before = h->own;
    sq_settlement_link(sq_core_settlement(core), sq_core_self(core), sq_core_self(core), &h->own);
    sq_arena_reset(&h->arena);
    const Sanquan__V1__Outcome *o = open_message(h, &sanquan__v1__outcome__descriptor, e->outcome);
    if (st == SQ_OK && o == NULL)
        st = no_memory(err);
    if (st == SQ_OK && e->type == SANQUAN__V1__MESSAGE_TYPE__REJECTED) {
        const Sanquan__V1__Rejected *m = open_message(h, &sanquan__v1__rejected__descriptor, e->input);
        h->refused.rejected[m != NULL ? m->status & 255 : 0]++;
    } else if (st == SQ_OK && envelope != NULL && o->status != SQ_OK) {
        h->refused.journalled[o->status & 255]++;
    } else if (st == SQ_OK && envelope != NULL) {
        st = on_accepted(h, e, envelope, o, fx, own_link(h, &before), err);
    }
    /* Batches and decisions change no window, and there are many of them. */
    if (st == SQ_OK && e->type != SANQUAN__V1__MESSAGE_TYPE__BATCH && e->type != SANQUAN__V1__MESSAGE_TYPE__CLEAR && e->type != SANQUAN__V1__MESSAGE_TYPE__DECIDED)
        st = follow_windows(h, e, &before, err);
    if (h->o.progress != NULL)
        h->o.progress(h->o.progress_ctx, e->seq, h->last);
    return st;
}

/* ---- from nothing, and away ---- */

sq_status sq_reading_open(const struct sq_reading_options *o, struct sq_reading **out, struct sq_error *err)
{
    struct sq_reading *h = calloc(1, sizeof *h);
    struct sq_core *core = NULL;
    if (h == NULL)
        return no_memory(err);
    h->o = *o;
    h->bunches = SQ_TABLE_OF(struct sq_reading_bunch_row);
    h->lives = SQ_TABLE_OF(struct sq_reading_life_row);
    h->windows = SQ_TABLE_OF(struct sq_reading_window);
    h->local = SQ_TABLE_OF(struct sq_reading_range);
    struct sq_ledger_options l = {.path = o->path, .network_id = o->network_id, .map_size = o->map_size, .read_only = 1};
    sq_status st = sq_arena_init(&h->arena, SQ_READING_ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_ledger_open(&l, &h->ledger, err);
    if (st == SQ_OK) {
        h->last = sq_ledger_seq(h->ledger);
        st = h->last != 0 ? sq_replay(h->ledger, NULL, sq_ed25519_key_ok, visit, h, &core, NULL, err) : sq_fail(err, SQ_E_NOT_FOUND, "%s has no entry yet", o->path);
    }
    h->core = core; /* NULL after an error: the replay has freed its own */
    if (st == SQ_OK)
        *out = h;
    else
        sq_reading_free(h);
    return st;
}

void sq_reading_free(struct sq_reading *h)
{
    if (h == NULL)
        return;
    for (uint32_t i = 0; i < h->bunches.count; i++) {
        struct sq_reading_bunch_row *b = SQ_ROW(&h->bunches, struct sq_reading_bunch_row, i);
        free(b->legs);
        free(b->leg);
        free(b->code);
    }
    for (uint32_t i = 0; h->owes != NULL && h->owed != NULL && i < h->node_count; i++) {
        sq_table_free(&h->owes[i].ranges);
        sq_table_free(&h->owed[i].ranges);
    }
    free(h->owes);
    free(h->owed);
    sq_table_free(&h->bunches);
    sq_table_free(&h->lives);
    sq_table_free(&h->windows);
    sq_table_free(&h->local);
    sq_core_free(h->core);
    sq_ledger_close(h->ledger);
    sq_arena_free(&h->arena);
    free(h);
}

const struct sq_core *sq_reading_core(const struct sq_reading *h) { return h->core; }
