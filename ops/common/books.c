/*
 * Rows are added up here; streams (stream.h) fold what they come to, and what becomes final is worked out again (finals.h).
 *
 * Invariants: nothing here is taken from the core's own sums; from the core come only who the nodes are, the kind of each programme, the
 * value that became final, and at the very end what is compared. Sums are of 128 bits.
 */
#include "ops/common/books.h"

#include <stdlib.h>
#include <string.h>

#include "ops/common/finals.h"
#include "ops/common/stream.h"
#include "peers/message.h"
#include "proto/sanquan.pb-c.h"

#define ARENA_SIZE (16u << 20) /* one batch as it was received, and unpacked */
#define SERIALS    1000000000u

struct spent {
    uint64_t programme; /* issuer and number, as in a voucher */
    uint32_t kind, node;
    __int128 fen;
};

struct sq_books {
    const struct sq_ledger *ledger;
    struct sq_arena arena;
    uint32_t n, self;
    struct sq_stream *owes, *owed; /* [node]: this node to it, it to this node */
    struct sq_finals *finals;
    struct sq_table spent;
    uint64_t final; /* windows up to here are final */
    uint32_t last_spent;
    struct sq_books_sums sums;
};

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

sq_status sq_books_new(const struct sq_ledger *ledger, struct sq_books **out, struct sq_error *err)
{
    struct sq_books *b = calloc(1, sizeof *b);
    if (b == NULL)
        return sq_fail(err, SQ_E_NOMEM, "second books");
    b->ledger = ledger;
    b->spent = SQ_TABLE_OF(struct spent);
    sq_status st = sq_arena_init(&b->arena, ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_finals_new(&b->finals, err);
    if (st == SQ_OK)
        *out = b;
    else
        sq_books_free(b);
    return st;
}

void sq_books_free(struct sq_books *b)
{
    if (b == NULL)
        return;
    sq_arena_free(&b->arena);
    sq_finals_free(b->finals);
    sq_table_free(&b->spent);
    free(b->owes);
    free(b->owed);
    free(b);
}

void sq_books_sums(const struct sq_books *b, struct sq_books_sums *out)
{
    *out = b->sums;
}

static const char *code_of(const struct sq_core *core, uint32_t node)
{
    return sq_core_node(core, node)->code;
}

/* ---- rows ---- */

/* The programme that a voucher's number names, with what was spent of it; NULL: not known at this node. Row i is the core's programme i. */
static struct spent *programme_of(struct sq_books *b, const struct sq_core *core, uint64_t voucher)
{
    uint64_t wanted = voucher / SERIALS;
    if (b->last_spent < b->spent.count && SQ_ROW(&b->spent, struct spent, b->last_spent)->programme == wanted)
        return SQ_ROW(&b->spent, struct spent, b->last_spent);
    for (uint32_t i = 0; i < b->spent.count; i++)
        if (SQ_ROW(&b->spent, struct spent, i)->programme == wanted) {
            b->last_spent = i;
            return SQ_ROW(&b->spent, struct spent, i);
        }
    for (uint32_t i = b->spent.count; i < sq_core_programme_count(core); i++) { /* one that was published since */
        struct sq_programme_view v;
        struct spent *s = sq_table_add(&b->spent, NULL);
        if (s == NULL)
            return NULL;
        sq_core_programme(core, i, &v);
        *s = (struct spent){.programme = (uint64_t)v.issuer * 10000u + v.number, .kind = v.kind, .node = v.node};
        if (s->programme == wanted) {
            b->last_spent = i;
            return s;
        }
    }
    return NULL;
}

/* What a row moves: spending is positive, giving back negative, holding and letting go nothing. */
static int64_t moves(const Sanquan__V1__Batch *m, size_t i)
{
    switch (m->verb.len == 0 ? SANQUAN__V1__VERB__REDEEM : (Sanquan__V1__Verb)m->verb.data[i]) {
    case SANQUAN__V1__VERB__REDEEM:
    case SANQUAN__V1__VERB__COMMIT:
        return m->amount_fen[i];
    case SANQUAN__V1__VERB__RETURN:
        return -m->amount_fen[i];
    case SANQUAN__V1__VERB__VERB_NONE:
    case SANQUAN__V1__VERB__RESERVE:
    case SANQUAN__V1__VERB__RELEASE:
    case _SANQUAN__V1__VERB_IS_INT_SIZE:
        break;
    }
    return 0;
}

/* Count and totals of the accepted ones among these rows (row NULL: 0, 1, 2 ...). Errors: SQ_E_VERIFY. */
static sq_status add_up(struct sq_books *b, const struct sq_core *core, const Sanquan__V1__Batch *m,
                        const uint32_t *row, const uint8_t *code, size_t n, struct sq_stream_sum *sum,
                        struct sq_error *err)
{
    for (size_t k = 0; k < n; k++) {
        size_t i = row != NULL ? row[k] : k;
        if (code[k] != SQ_OK)
            continue;
        const struct spent *p = i < m->n_voucher ? programme_of(b, core, m->voucher[i]) : NULL;
        if (p == NULL)
            return sq_fail(err, SQ_E_VERIFY,
                           "row %zu was accepted, and is not there or of a programme that is not known", i);
        int64_t fen = moves(m, i);
        if (fen == 0)
            continue;
        sum->count++;
        sum->total[p->kind - 1] += fen;
    }
    return SQ_OK;
}

/* ---- link streams ---- */

static void result_hash(const uint32_t *row, const uint8_t *code, size_t n, uint8_t *room,
                        uint8_t out[static SQ_HASH_SIZE])
{
    for (size_t k = 0; k < n; k++)
        sq_put_be32(room + 4 * k, row[k]);
    const struct sq_sha256_part parts[2] = {{room, 4 * n}, {code, n}};
    sq_sha256_parts(parts, 2, out);
}

/* One step: `sum` and `result` are what it stands for. */
static sq_status step(struct sq_books *b, struct sq_stream *s, uint64_t batch, const Sanquan__V1__Link *l,
                      struct sq_stream_sum *sum, const uint8_t result[static SQ_HASH_SIZE], uint64_t seq,
                      struct sq_error *err)
{
    sq_status st = sq_stream_step(s, batch, l, sum, result, seq, err);
    b->sums.links += st == SQ_OK && l != NULL;
    return st;
}

/* One Decided: `sum` is what its rows add up to. */
static sq_status follow(struct sq_books *b, struct sq_stream *s, const Sanquan__V1__Decided *m,
                        struct sq_stream_sum *sum, uint64_t seq, struct sq_error *err)
{
    uint8_t result[SQ_HASH_SIZE], *room = sq_arena_room(&b->arena, m->n_row * 4 + 1);
    if (room == NULL)
        return sq_fail(err, SQ_E_NOMEM, "entry %" PRIu64, seq);
    result_hash(m->row, m->code.data, m->n_row, room, result);
    return step(b, s, m->batch, m->link, sum, result, seq, err);
}

static void *open_message(struct sq_books *b, const ProtobufCMessageDescriptor *type, sq_bytes body,
                          struct sq_error *err)
{
    struct sq_wire_memory memory = {take, &b->arena};
    ProtobufCMessage *m;
    return sq_wire_open(type, body, &memory, &m, err) == SQ_OK ? m : NULL;
}

/* The message of this type that the step sent to `to`, or to anyone. */
static const struct sq_out *sent(const struct sq_effects *fx, uint32_t type, uint32_t to)
{
    for (size_t i = 0; i < fx->out_count; i++)
        if (fx->out[i].kind == SQ_OUT_PEER && fx->out[i].type == type && (to == SQ_ROW_NONE || fx->out[i].to == to))
            return &fx->out[i];
    return NULL;
}

/* Debtor: a peer's request, and the Decided that answers it. */
static sq_status on_clear(struct sq_books *b, const struct sq_core *core, uint32_t from, sq_bytes body,
                          const struct sq_effects *fx, uint64_t seq, struct sq_error *err)
{
    const struct sq_out *answer = sent(fx, SANQUAN__V1__MESSAGE_TYPE__DECIDED, from);
    const Sanquan__V1__Clear *m = open_message(b, &sanquan__v1__clear__descriptor, body, err);
    const Sanquan__V1__Decided *d =
        m != NULL && answer != NULL ? open_message(b, &sanquan__v1__decided__descriptor, answer->body, err) : NULL;
    struct sq_stream_sum sum = {0};
    if (d == NULL || d->code.len != m->n_row || m->items == NULL || m->items->n_voucher != m->n_row)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": a request that was not answered row for row", seq);
    sq_status st = add_up(b, core, m->items, NULL, d->code.data, m->n_row, &sum, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "entry %" PRIu64, seq);
    for (size_t k = 0; k < m->n_row; k++)
        if (d->code.data[k] == SQ_OK)
            programme_of(b, core, m->items->voucher[k])->fen +=
                moves(m->items, k); /* add_up has seen that it is known */
    b->sums.items += m->n_row;
    return follow(b, &b->owes[from], d, &sum, seq, err);
}

/* A batch of this node's providers that an earlier entry holds. */
static sq_status read_batch(struct sq_books *b, uint64_t seq, const Sanquan__V1__Batch **out, struct sq_error *err)
{
    struct sq_entry entry;
    struct sq_envelope e;
    *out = NULL;
    sq_status st = sq_ledger_read(b->ledger, seq, &b->arena, &entry, err);
    if (st != SQ_OK)
        return st;
    if (sq_envelope_open(entry.input, &e, err) != SQ_OK)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 " is not a batch", seq);
    if (entry.type == SANQUAN__V1__MESSAGE_TYPE__BATCH) {
        *out = open_message(b, &sanquan__v1__batch__descriptor, e.body, err);
    } else if (entry.type == SANQUAN__V1__MESSAGE_TYPE__REVERSE || entry.type == SANQUAN__V1__MESSAGE_TYPE__REVERSED) {
        const Sanquan__V1__Reverse *m = open_message(b, &sanquan__v1__reverse__descriptor, e.body, err);
        *out = m != NULL ? m->returns : NULL;
    }
    return *out != NULL ? SQ_OK : sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 " is not a batch", seq);
}

/* Creditor: a peer's decision of rows of an earlier batch. */
static sq_status on_decided(struct sq_books *b, const struct sq_core *core, uint32_t from, sq_bytes body, uint64_t seq,
                            struct sq_error *err)
{
    const Sanquan__V1__Decided *m = open_message(b, &sanquan__v1__decided__descriptor, body, err);
    const Sanquan__V1__Batch *batch;
    struct sq_stream_sum sum = {0};
    if (m == NULL || m->code.len != m->n_row)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": not a decision row for row", seq);
    /* To hold parts of bundles, or to let go of them, moves no money; all other rows are spent as the batch has them. */
    int moves_none = m->verb == SANQUAN__V1__VERB__RESERVE || m->verb == SANQUAN__V1__VERB__RELEASE;
    sq_status st = read_batch(b, m->batch, &batch, err);
    if (st == SQ_OK && !moves_none)
        st = add_up(b, core, batch, m->row, m->code.data, m->n_row, &sum, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "entry %" PRIu64, seq);
    return follow(b, &b->owed[from], m, &sum, seq, err);
}

/* An answered batch: rows of this node's own programmes were decided here. */
static sq_status on_answer(struct sq_books *b, const struct sq_core *core, const Sanquan__V1__Answer *a, uint64_t seq,
                           struct sq_error *err)
{
    const Sanquan__V1__Batch *m;
    sq_status st = read_batch(b, a->seq, &m, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "entry %" PRIu64, seq);
    int64_t sum = 0;
    uint64_t accepted = 0;
    int whole = a->code.len == 0;
    for (size_t i = 0; (whole || a->code.len == m->n_voucher) && i < m->n_voucher; i++) {
        if (!whole && a->code.data[i] != SQ_OK)
            continue;
        struct spent *p = programme_of(b, core, m->voucher[i]);
        accepted++;
        sum += moves(m, i);
        if (p != NULL && p->node == b->self)
            p->fen += moves(m, i);
    }
    b->sums.items += m->n_voucher;
    if (accepted != a->count || sum != a->amount_fen)
        return sq_fail(err, SQ_E_VERIFY,
                       "entry %" PRIu64 ": batch %" PRIu64
                       " was answered with another count or amount than its rows have",
                       seq, a->seq);
    return SQ_OK;
}

/* Returns that an invoice's home asks for: those on this node's own programmes were decided at once. */
static sq_status on_reverse(struct sq_books *b, const struct sq_core *core, const struct sq_entry *entry, sq_bytes body,
                            struct sq_error *err)
{
    const Sanquan__V1__Reverse *m = open_message(b, &sanquan__v1__reverse__descriptor, body, err);
    const Sanquan__V1__Outcome *o = open_message(b, &sanquan__v1__outcome__descriptor, entry->outcome, err);
    if (m == NULL || o == NULL)
        return sq_fail_context(err, SQ_E_VERIFY, "entry %" PRIu64 ": a reversal", entry->seq);
    if (m->returns == NULL || strcmp(m->acquirer, code_of(core, b->self)) != 0)
        return SQ_OK;
    for (size_t i = 0; i < m->returns->n_voucher; i++) {
        struct spent *p = programme_of(b, core, m->returns->voucher[i]);
        if (p != NULL && p->node == b->self && (o->code.len != m->returns->n_voucher || o->code.data[i] == SQ_OK))
            p->fen += moves(m->returns, i);
    }
    b->sums.items += m->returns->n_voucher;
    return SQ_OK;
}

static sq_status on_answers(struct sq_books *b, const struct sq_core *core, const struct sq_entry *entry,
                            const struct sq_effects *fx, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < fx->out_count; i++) {
        if (fx->out[i].kind != SQ_OUT_ANSWER)
            continue;
        const Sanquan__V1__Answer *a = open_message(b, &sanquan__v1__answer__descriptor, fx->out[i].body, err);
        if (a == NULL)
            return sq_fail_context(err, SQ_E_VERIFY, "entry %" PRIu64 ": its answer", entry->seq);
        /* Only a batch is answered by a later entry than the one that holds it. */
        if (a->status == SQ_OK && (a->seq != entry->seq || entry->type == SANQUAN__V1__MESSAGE_TYPE__BATCH))
            st = on_answer(b, core, a, entry->seq, err);
    }
    return st;
}

/* ---- what is taken back ---- */

/* One Clawback on the stream from debtor to creditor: less is owed by what it takes back. */
static sq_status on_clawback(struct sq_books *b, const struct sq_core *core, struct sq_stream *s, sq_bytes body,
                             uint64_t seq, struct sq_error *err)
{
    const Sanquan__V1__Clawback *m = open_message(b, &sanquan__v1__clawback__descriptor, body, err);
    const struct spent *p = m != NULL ? programme_of(b, core, m->voucher) : NULL;
    struct sq_stream_sum sum = {0};
    uint8_t *text = m != NULL ? sq_arena_room(&b->arena, 8 + m->n_provider * 26) : NULL, result[SQ_HASH_SIZE];
    if (p == NULL || text == NULL || m->n_amount_fen != m->n_provider)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": a clawback that is not in form", seq);
    sq_put_be64(text, m->voucher);
    for (size_t i = 0; i < m->n_provider; i++) {
        if (strlen(m->provider[i]) != 18)
            return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": clawback from %.40s", seq, m->provider[i]);
        memcpy(text + 8 + i * 26, m->provider[i], 18);
        sq_put_be64(text + 8 + i * 26 + 18, (uint64_t)m->amount_fen[i]);
        sum.count++;
        sum.total[p->kind - 1] -= m->amount_fen[i];
    }
    sq_sha256(text, 8 + m->n_provider * 26, result);
    return step(b, s, m->entry, m->link, &sum, result, seq, err);
}

/* Peers that paid it out were told: links to them go on. */
static sq_status on_clawbacks(struct sq_books *b, const struct sq_core *core, const struct sq_effects *fx, uint64_t seq,
                              struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < fx->out_count; i++)
        if (fx->out[i].kind == SQ_OUT_PEER && fx->out[i].type == SANQUAN__V1__MESSAGE_TYPE__CLAWBACK)
            st = on_clawback(b, core, &b->owes[fx->out[i].to], fx->out[i].body, seq, err);
    return st;
}

/* What a measurement took back is not spent any more; its answer says how much that is. */
static sq_status on_measure(struct sq_books *b, const struct sq_core *core, sq_bytes body, const struct sq_effects *fx,
                            uint64_t seq, struct sq_error *err)
{
    const Sanquan__V1__Measure *m = open_message(b, &sanquan__v1__measure__descriptor, body, err);
    struct spent *p = m != NULL ? programme_of(b, core, m->voucher) : NULL;
    if (p == NULL)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": a measurement of an unknown programme", seq);
    for (size_t i = 0; i < fx->out_count; i++) {
        const Sanquan__V1__Answer *a = fx->out[i].kind == SQ_OUT_ANSWER
                                           ? open_message(b, &sanquan__v1__answer__descriptor, fx->out[i].body, err)
                                           : NULL;
        if (a != NULL && a->status == SQ_OK)
            p->fen += a->amount_fen;
    }
    return on_clawbacks(b, core, fx, seq, err);
}

/* What cases took back in this entry is not spent any more, whichever region its provider is of. */
static sq_status on_disputes(struct sq_books *b, const struct sq_core *core, const struct sq_effects *fx, uint64_t seq,
                             struct sq_error *err)
{
    for (uint32_t i = 0; i < sq_core_dispute_count(core); i++) {
        struct sq_dispute_view v;
        sq_core_dispute(core, i, &v);
        if (v.entry != seq || v.node != b->self || v.taken_fen == 0)
            continue;
        struct spent *p = programme_of(b, core, v.voucher);
        if (p == NULL)
            return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": a case of an unknown programme", seq);
        p->fen -= v.taken_fen;
    }
    return on_clawbacks(b, core, fx, seq, err);
}

/* ---- statements ---- */

static sq_status on_own_statement(struct sq_books *b, sq_bytes body, uint64_t seq, struct sq_error *err)
{
    const Sanquan__V1__Statement *m = open_message(b, &sanquan__v1__statement__descriptor, body, err);
    if (m == NULL)
        return sq_fail_context(err, SQ_E_VERIFY, "entry %" PRIu64 ": its statement", seq);
    for (uint32_t node = 0; node < b->n; node++)
        sq_stream_state(&b->owes[node], m->window);
    return SQ_OK;
}

static uint32_t node_of(const struct sq_core *core, const char *code)
{
    for (uint32_t i = 0; i < sq_core_node_count(core); i++)
        if (strcmp(code_of(core, i), code) == 0)
            return i;
    return SQ_ROW_NONE;
}

static void on_statement(struct sq_books *b, const struct sq_core *core, uint32_t from, const Sanquan__V1__Statement *m)
{
    struct sq_stream *s = &b->owed[from];
    if (m->window <= b->final)
        return;
    for (size_t i = 0; s->adopt && m->window > s->stated_window && i < m->n_rows; i++)
        if (strcmp(m->rows[i]->peer, code_of(core, b->self)) == 0)
            sq_stream_adopt(s, m->rows[i]);
    sq_stream_state(s, m->window);
}

static void on_break(struct sq_books *b, const struct sq_core *core, sq_bytes body)
{
    const Sanquan__V1__Break *m = open_message(b, &sanquan__v1__break__descriptor, body, NULL);
    uint32_t debtor = m != NULL && m->action == SQ_BREAK_AGREE ? node_of(core, m->debtor) : SQ_ROW_NONE;
    if (debtor != SQ_ROW_NONE)
        b->owed[debtor].adopt = 1;
}

/* ---- final windows ---- */

/* What is settled of this node's links is what their steps add up to; others' are not in this journal. */
static sq_status check_own_pairs(struct sq_books *b, const struct sq_core *core, const Sanquan__V1__Settlement *m,
                                 uint64_t seq, struct sq_error *err)
{
    const char *self = code_of(core, b->self);
    for (size_t i = 0; i < m->n_pairs; i++) {
        const Sanquan__V1__Pair *p = m->pairs[i];
        uint32_t debtor = node_of(core, p->debtor), creditor = node_of(core, p->creditor);
        struct sq_stream *own = strcmp(p->debtor, self) == 0     ? creditor != SQ_ROW_NONE ? &b->owes[creditor] : NULL
                                : strcmp(p->creditor, self) == 0 ? debtor != SQ_ROW_NONE ? &b->owed[debtor] : NULL
                                                                 : NULL;
        if (own != NULL && !sq_stream_settle(own, m->window, p))
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": window %" PRIu64 ": link %s to %s is not what its steps add up to", seq,
                           m->window, p->debtor, p->creditor);
    }
    for (size_t i = 0; i < m->n_left; i++) {
        const Sanquan__V1__Payment *p = m->left[i];
        if (strcmp(p->payer, self) == 0)
            sq_stream_leave(&b->owes[node_of(core, p->payee)], p->kind, p->amount_fen);
        else if (strcmp(p->payee, self) == 0)
            sq_stream_leave(&b->owed[node_of(core, p->payer)], p->kind, p->amount_fen);
    }
    return SQ_OK;
}

static sq_status check_value(struct sq_books *b, const struct sq_core *core, const struct sq_window_view *w,
                             const Sanquan__V1__Settlement *m, uint64_t seq, struct sq_error *err)
{
    sq_status st = sq_finals_certificate(b->finals, core, w, seq, err);
    if (st == SQ_OK)
        st = sq_finals_value(core, m, seq, err);
    return st == SQ_OK ? check_own_pairs(b, core, m, seq, err) : st;
}

static sq_status on_final(struct sq_books *b, const struct sq_core *core, const struct sq_window_view *w, uint64_t seq,
                          struct sq_error *err)
{
    uint8_t hash[SQ_HASH_SIZE];
    Sanquan__V1__Settlement *m = sq_settlement_open(w->value);
    sq_settlement_hash(w->value, hash);
    sq_status st =
        m == NULL || m->window != w->window || memcmp(hash, w->value_hash, sizeof hash) != 0
            ? sq_fail(err, SQ_E_VERIFY,
                      "entry %" PRIu64 ": window %" PRIu64 ": its settlement is not the value that was voted on", seq,
                      w->window)
            : check_value(b, core, w, m, seq, err);
    if (m != NULL)
        sanquan__v1__settlement__free_unpacked(m, NULL);
    b->sums.settlements++;
    return st;
}

/* ---- one entry ---- */

static sq_status begin(struct sq_books *b, const struct sq_core *core, struct sq_error *err)
{
    b->n = sq_core_node_count(core);
    b->self = sq_core_self(core);
    b->owes = calloc(b->n, sizeof *b->owes);
    b->owed = calloc(b->n, sizeof *b->owed);
    if (b->owes == NULL || b->owed == NULL)
        return sq_fail(err, SQ_E_NOMEM, "second books");
    for (uint32_t node = 0; node < b->n; node++) {
        memcpy(b->owes[node].debtor, code_of(core, b->self), 7);
        memcpy(b->owes[node].creditor, code_of(core, node), 7);
        memcpy(b->owed[node].debtor, code_of(core, node), 7);
        memcpy(b->owed[node].creditor, code_of(core, b->self), 7);
    }
    return SQ_OK;
}

static sq_status on_peer(struct sq_books *b, const struct sq_core *core, const struct sq_entry *entry,
                         const struct sq_envelope *e, const struct sq_effects *fx, struct sq_error *err)
{
    uint32_t from = sq_core_party(core, sq_core_party_find(core, e->sender))->node;
    switch (e->type) {
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR:
        return on_clear(b, core, from, e->body, fx, entry->seq, err);
    case SANQUAN__V1__MESSAGE_TYPE__DECIDED:
        return on_decided(b, core, from, e->body, entry->seq, err);
    case SANQUAN__V1__MESSAGE_TYPE__CLAWBACK:
        return on_clawback(b, core, &b->owed[from], e->body, entry->seq, err);
    case SANQUAN__V1__MESSAGE_TYPE__STATEMENT: {
        const Sanquan__V1__Statement *m = open_message(b, &sanquan__v1__statement__descriptor, e->body, err);
        if (m != NULL)
            on_statement(b, core, from, m);
        return SQ_OK;
    }
    case SANQUAN__V1__MESSAGE_TYPE__VOTE:
        return sq_finals_vote(b->finals, from, e->body, entry->seq, err);
    case SANQUAN__V1__MESSAGE_TYPE__RELAY: {
        const Sanquan__V1__Relay *m = open_message(b, &sanquan__v1__relay__descriptor, e->body, err);
        return m != NULL ? sq_finals_relay(b->finals, core, m, entry->seq, err)
                         : sq_fail_context(err, SQ_E_VERIFY, "entry %" PRIu64 ": a relay", entry->seq);
    }
    default:
        return SQ_OK;
    }
}

/* By its first field alone: an outcome may hold settlements longer than any message. */
static int was_refused(const struct sq_entry *entry)
{
    uint64_t status = SQ_OK;
    sq_bytes rest = entry->outcome, bytes;
    return sq_wire_field(&rest, &status, &bytes) == 1 && status != SQ_OK;
}

sq_status sq_books_enter(struct sq_books *b, const struct sq_core *core, const struct sq_entry *entry,
                         const struct sq_envelope *envelope, const struct sq_effects *fx, struct sq_error *err)
{
    sq_status st = b->owes == NULL ? begin(b, core, err) : SQ_OK;
    sq_arena_reset(&b->arena);
    if (st == SQ_OK && envelope != NULL && !was_refused(entry) && strncmp(envelope->sender, "node:", 5) == 0)
        st = on_peer(b, core, entry, envelope, fx, err);
    if (st == SQ_OK && envelope != NULL && entry->type == SANQUAN__V1__MESSAGE_TYPE__BREAK && !was_refused(entry))
        on_break(b, core, envelope->body);
    if (st == SQ_OK && envelope != NULL && entry->type == SANQUAN__V1__MESSAGE_TYPE__MEASURE && !was_refused(entry))
        st = on_measure(b, core, envelope->body, fx, entry->seq, err);
    if (st == SQ_OK && envelope != NULL && !was_refused(entry) &&
        (entry->type == SANQUAN__V1__MESSAGE_TYPE__REVERSE || entry->type == SANQUAN__V1__MESSAGE_TYPE__REVERSED))
        st = on_reverse(b, core, entry, envelope->body, err);
    if (st == SQ_OK &&
        (entry->type == SANQUAN__V1__MESSAGE_TYPE__DISPUTE || entry->type == SANQUAN__V1__MESSAGE_TYPE__DISPUTE_REPLY ||
         entry->type == SANQUAN__V1__MESSAGE_TYPE__TICK))
        st = on_disputes(b, core, fx, entry->seq, err);
    if (st == SQ_OK)
        st = on_answers(b, core, entry, fx, err);
    const struct sq_out *out;
    if (st == SQ_OK && (out = sent(fx, SANQUAN__V1__MESSAGE_TYPE__STATEMENT, SQ_ROW_NONE)) != NULL)
        st = on_own_statement(b, out->body, entry->seq, err);
    uint32_t other = b->self == 0 ? 1 : 0; /* what is said to all is said to it */
    for (size_t i = 0; st == SQ_OK && i < fx->out_count; i++)
        if (fx->out[i].kind == SQ_OUT_PEER && fx->out[i].type == SANQUAN__V1__MESSAGE_TYPE__VOTE &&
            fx->out[i].to == other)
            st = sq_finals_vote(b->finals, b->self, fx->out[i].body, entry->seq, err);
    struct sq_window_view w;
    while (st == SQ_OK && sq_settlement_window(sq_core_settlement(core), b->final + 1, &w, NULL) == SQ_OK &&
           w.state >= SQ_WINDOW_FINAL) {
        st = on_final(b, core, &w, entry->seq, err);
        b->final++;
    }
    return st;
}

sq_status sq_books_close(struct sq_books *b, const struct sq_core *core, struct sq_error *err)
{
    struct sq_core_totals totals;
    sq_core_totals(core, &totals);
    for (uint32_t i = 0; totals.batches_waiting == 0 && i < b->spent.count; i++) {
        const struct spent *s = SQ_ROW(&b->spent, struct spent, i);
        struct sq_programme_view v;
        sq_core_programme(core, i, &v);
        if (v.node == b->self && s->fen != v.spent_fen)
            return sq_fail(err, SQ_E_VERIFY,
                           "programme %06u/%u: %" PRId64 " fen are spent, its accepted rows have %" PRId64, v.issuer,
                           v.number, v.spent_fen, (int64_t)s->fen);
        if (v.node == b->self && v.pool_fen != 0 && (__int128)v.reserved_fen + v.spent_fen > v.pool_fen)
            return sq_fail(err, SQ_E_VERIFY, "programme %06u/%u: more is reserved and spent than its pool has",
                           v.issuer, v.number);
    }
    return SQ_OK;
}
