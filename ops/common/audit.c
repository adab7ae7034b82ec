/*
 * One pass: the replay walks the journal, and on each entry everything that can be said of it is held against what is stored; then the tree.
 *
 * Invariants: leaf i of `leaves` is made of entry i + 1 as it was read, not of the stored leaf record; what is reported is the lowest entry
 * that is wrong, whichever of the checks met it first.
 */
#include "ops/common/anchors.h"
#include "ops/common/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/core/witness.h"
#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"
#include "ops/common/books.h"
#include "ops/common/checks.h"
#include "ops/common/replay.h"
#include "peers/client.h"
#include "peers/message.h"

#define ARENA_SIZE (8u << 20) /* one message of the largest size, and what is read beside it */
#define TILE       256u

struct unsent { /* a message in the outbox */
    uint32_t node, seen;
    uint64_t number;
    uint8_t body_hash[SQ_HASH_SIZE];
};

struct sq_audit {
    struct sq_audit_options o;
    struct sq_audit_report *report;
    struct sq_ledger *ledger;
    struct sq_checks *checks;
    struct sq_books *books;
    struct sq_core *core;
    struct sq_arena arena;
    char node_name[SQ_NAME_SIZE_MAX + 1], log_name[SQ_ORIGIN_SIZE];
    uint8_t node_key[SQ_KEY_SIZE], log_key[SQ_KEY_SIZE];
    uint32_t node_count;
    uint8_t (*leaves)[SQ_HASH_SIZE];
    size_t leaf_count, leaf_capacity;
    uint64_t last;        /* entries when the audit began */
    uint64_t begun, done; /* entries whose checks have begun, and ended */
    struct sq_table unsent;
    struct sq_anchors anchors;
    uint64_t *made;        /* a node: last message for it that the entries up to `last` made */
    uint64_t snapshot_seq; /* 0: none to compare */
    uint8_t snapshot_hash[SQ_HASH_SIZE], *snapshot;
    size_t snapshot_size;
};

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

/* ---- opening ---- */

sq_status sq_audit_open(const struct sq_audit_options *o, struct sq_audit **out, struct sq_error *err)
{
    struct sq_audit *a = calloc(1, sizeof *a);
    if (a == NULL)
        return sq_fail(err, SQ_E_NOMEM, "audit");
    a->o = *o;
    a->unsent = SQ_TABLE_OF(struct unsent);
    sq_anchors_begin(&a->anchors);
    /* The snapshot before the ledger: a daemon at work may write a newer one, but never one that is ahead of its journal. */
    if (sq_snapshot_read(o->path, &a->snapshot_seq, a->snapshot_hash, &a->snapshot, &a->snapshot_size, NULL) != SQ_OK)
        a->snapshot_seq = 0;
    struct sq_ledger_options l = {
        .path = o->path, .network_id = sq_directory_network_id(o->directory), .map_size = o->map_size, .read_only = 1};
    sq_status st = sq_ledger_open(&l, &a->ledger, err);
    if (st == SQ_OK)
        st = sq_arena_init(&a->arena, ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_books_new(a->ledger, &a->books, err);
    if (st == SQ_OK)
        st = sq_checks_new(l.network_id, o->threads, &a->checks, err);
    if (st == SQ_OK)
        *out = a;
    else
        sq_audit_free(a);
    return st;
}

void sq_audit_free(struct sq_audit *a)
{
    if (a == NULL)
        return;
    sq_checks_free(a->checks);
    sq_books_free(a->books);
    sq_core_free(a->core);
    sq_ledger_close(a->ledger);
    sq_arena_free(&a->arena);
    sq_table_free(&a->unsent);
    sq_anchors_end(&a->anchors);
    free(a->leaves);
    free(a->made);
    free(a->snapshot);
    free(a);
}

/* ---- the first entry ---- */

/* It must be the directory's, byte for byte; from it comes whose ledger this is. */
static sq_status check_genesis(struct sq_audit *a, struct sq_error *err)
{
    struct sq_wire_memory memory = {take, &a->arena};
    struct sq_entry first;
    const Sanquan__V1__Genesis *listed;
    ProtobufCMessage *m;
    sq_bytes want;
    sq_arena_reset(&a->arena);
    sq_status st = sq_ledger_read(a->ledger, 1, &a->arena, &first, err);
    if (st == SQ_E_NOT_FOUND)
        return sq_fail(err, SQ_E_VERIFY, "the ledger has no entry");
    if (st != SQ_OK)
        return st;
    if (first.type != SANQUAN__V1__MESSAGE_TYPE__GENESIS ||
        sq_wire_open(&sanquan__v1__genesis__descriptor, first.input, &memory, &m, err) != SQ_OK)
        return sq_fail(err, SQ_E_VERIFY, "entry 1 is not a genesis");
    st = sq_directory_genesis(a->o.directory, ((const Sanquan__V1__Genesis *)m)->self, &listed, err);
    if (st != SQ_OK)
        return sq_fail_context(err, SQ_E_VERIFY, "entry 1");
    if ((st = sq_wire_pack(&listed->base, &memory, &want, err)) != SQ_OK)
        return st;
    if (want.size != first.input.size || memcmp(want.data, first.input.data, want.size) != 0)
        return sq_fail(err, SQ_E_VERIFY, "entry 1: the genesis is not what the directory says");
    memcpy(a->report->node, listed->self, 6);
    snprintf(a->node_name, sizeof a->node_name, "node:%s", listed->self);
    sq_log_origin(a->o.directory, listed->self, a->log_name);
    a->node_count = (uint32_t)listed->n_nodes;
    for (size_t i = 0; i < listed->n_nodes; i++)
        if (strcmp(listed->nodes[i]->code, listed->self) == 0) {
            memcpy(a->node_key, listed->nodes[i]->node_key.data, SQ_KEY_SIZE);
            memcpy(a->log_key, listed->nodes[i]->log_key.data, SQ_KEY_SIZE);
        }
    return SQ_OK;
}

/* ---- the outbox ---- */

/* A cosignature is put behind what the core says when the message is made: field 7 of Cosigned, its last, 64 bytes. */
static sq_bytes without_cosignature(const struct sq_envelope *e)
{
    enum { TAIL = 2 + 64 };
    const uint8_t *tail = e->body.size > TAIL ? e->body.data + e->body.size - TAIL : NULL;
    if (e->type != SANQUAN__V1__MESSAGE_TYPE__COSIGNED || tail == NULL || tail[0] != (7 << 3 | 2) || tail[1] != 64)
        return e->body;
    return sq_bytes_of(e->body.data, e->body.size - TAIL);
}

/* Every message that waits there is signed by this node; that an entry made it is seen when the replay comes by. */
static sq_status note_unsent(struct sq_audit *a, const struct sq_outbox_put *put, struct sq_error *err)
{
    struct sq_envelope e;
    struct unsent *u = sq_table_add(&a->unsent, NULL);
    if (u == NULL)
        return sq_fail(err, SQ_E_NOMEM, "outbox");
    *u = (struct unsent){.node = put->node, .number = put->number};
    if (sq_envelope_open(put->envelope, &e, err) != SQ_OK || e.id != put->number ||
        strcmp(e.sender, a->node_name) != 0 ||
        sq_message_check(&e, sq_directory_network_id(a->o.directory), a->node_key, err) != SQ_OK)
        return sq_fail(err, SQ_E_VERIFY,
                       "outbox: message %" PRIu64 " to node number %u is not one that this node signed", put->number,
                       put->node);
    sq_bytes body = without_cosignature(&e);
    sq_sha256(body.data, body.size, u->body_hash);
    return SQ_OK;
}

static sq_status read_outbox(struct sq_audit *a, uint32_t nodes, struct sq_error *err)
{
    a->made = calloc(nodes + 1u, sizeof *a->made);
    sq_status st = a->made != NULL ? sq_ledger_outbox_check(a->ledger, nodes, err) : sq_fail(err, SQ_E_NOMEM, "outbox");
    for (uint32_t node = 0; st == SQ_OK && node < nodes; node++) {
        size_t count = 1;
        for (uint64_t from = 0; st == SQ_OK && count != 0;) {
            struct sq_outbox_put put;
            sq_arena_reset(&a->arena);
            st = sq_ledger_outbox(a->ledger, node, from, 1, &a->arena, &put, &count, err);
            if (st == SQ_OK && count != 0) {
                st = note_unsent(a, &put, err);
                from = put.number + 1;
            }
        }
    }
    return st;
}

/* Ascending by node and number, as the outbox is. */
static struct unsent *find_unsent(const struct sq_audit *a, uint32_t node, uint64_t number)
{
    uint32_t low = 0, high = a->unsent.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct unsent *u = SQ_ROW(&a->unsent, struct unsent, middle);
        if (u->node < node || (u->node == node && u->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    struct unsent *u = low < a->unsent.count ? SQ_ROW(&a->unsent, struct unsent, low) : NULL;
    return u != NULL && u->node == node && u->number == number ? u : NULL;
}

static sq_status check_unsent(const struct sq_audit *a, const struct sq_out *out, uint64_t seq, struct sq_error *err)
{
    uint8_t hash[SQ_HASH_SIZE];
    struct unsent *u = find_unsent(a, out->to, out->id);
    if (seq <= a->last)
        a->made[out->to] = out->id;
    if (u == NULL)
        return SQ_OK; /* acknowledged */
    sq_sha256(out->body.data, out->body.size, hash);
    if (memcmp(hash, u->body_hash, sizeof hash) != 0)
        return sq_fail(err, SQ_E_VERIFY,
                       "entry %" PRIu64 ": message %" PRIu64 " to node number %u lies otherwise in the outbox", seq,
                       out->id, out->to);
    u->seen = 1;
    return SQ_OK;
}

/* What waits is what was not acknowledged: all from some message on to the last. The ledger has seen that no number is left out. */
static sq_status check_outbox_seen(const struct sq_audit *a, struct sq_error *err)
{
    for (uint32_t i = 0; i < a->unsent.count; i++) {
        const struct unsent *u = SQ_ROW(&a->unsent, struct unsent, i);
        int ends = i + 1 == a->unsent.count || SQ_ROW(&a->unsent, struct unsent, i + 1)->node != u->node;
        if (!u->seen)
            return sq_fail(err, SQ_E_VERIFY, "outbox: message %" PRIu64 " to node number %u comes from no entry",
                           u->number, u->node);
        if (ends && u->number < a->made[u->node])
            return sq_fail(err, SQ_E_VERIFY,
                           "outbox: the messages to node number %u end at %" PRIu64
                           ", entries made them up to %" PRIu64,
                           u->node, u->number, a->made[u->node]);
    }
    return SQ_OK;
}

/* ---- one entry ---- */

static sq_status add_leaf(struct sq_audit *a, const struct sq_entry *e, struct sq_error *err)
{
    uint8_t record[SQ_LEAF_SIZE] = {1};
    if (a->leaf_count == a->leaf_capacity) {
        size_t capacity = a->leaf_capacity == 0 ? 4096 : a->leaf_capacity * 2;
        void *grown = realloc(a->leaves, capacity * sizeof *a->leaves);
        if (grown == NULL)
            return sq_fail(err, SQ_E_NOMEM, "%zu leaves", capacity);
        a->leaves = grown;
        a->leaf_capacity = capacity;
    }
    sq_put_be16(record + 2, (uint16_t)e->type);
    sq_put_be32(record + 4, (uint32_t)(SQ_ENTRY_HEAD_SIZE + e->input.size + e->outcome.size));
    sq_put_be64(record + 8, e->seq);
    sq_put_be64(record + 16, e->now_ms);
    memcpy(record + 24, e->payload_hash, SQ_HASH_SIZE);
    sq_tree_leaf_hash(sq_bytes_of(record, sizeof record), a->leaves[a->leaf_count++]);
    return SQ_OK;
}

static sq_status check_sender(struct sq_audit *a, const struct sq_core *core, const struct sq_entry *entry,
                              const struct sq_envelope *e, struct sq_error *err)
{
    uint32_t party = sq_core_party_find(core, e->sender);
    if (strcmp(e->receiver, a->node_name) != 0)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": a message to %s", entry->seq, e->receiver);
    if (party == SQ_ROW_NONE || !sq_core_party(core, party)->known_key)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": %s is not enrolled", entry->seq, e->sender);
    return sq_checks_add(a->checks, entry->seq, entry->input, sq_core_party(core, party)->key,
                         err); /* a party's key never changes */
}

/* The answer kept for repeats is the one that this entry gave, under the name of the request that it answers. */
static sq_status check_kept(struct sq_audit *a, const struct sq_entry *entry, const struct sq_out *out,
                            struct sq_error *err)
{
    struct sq_wire_memory memory = {take, &a->arena};
    struct sq_answer kept;
    struct sq_entry request = *entry;
    ProtobufCMessage *m;
    uint8_t hash[SQ_HASH_SIZE];
    sq_arena_reset(&a->arena);
    sq_status st = sq_wire_open(&sanquan__v1__answer__descriptor, out->body, &memory, &m, err);
    if (st == SQ_OK && ((const Sanquan__V1__Answer *)m)->seq != entry->seq)
        st = sq_ledger_read(a->ledger, ((const Sanquan__V1__Answer *)m)->seq, &a->arena, &request, err);
    if (st == SQ_OK)
        st = sq_ledger_answer(a->ledger, out->to, out->id, &a->arena, &kept, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st == SQ_E_NOT_FOUND ? SQ_E_VERIFY : st, "entry %" PRIu64 ": its kept answer",
                               entry->seq);
    if (sq_message_name_of(request.input, sq_directory_network_id(a->o.directory), hash, err) != SQ_OK)
        return sq_fail_context(err, SQ_E_VERIFY, "entry %" PRIu64 ": the request that it answers", entry->seq);
    if (kept.seq != entry->seq || memcmp(kept.request, hash, sizeof hash) != 0 || kept.body.size != out->body.size ||
        memcmp(kept.body.data, out->body.data, out->body.size) != 0)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": the answer kept for repeats is not the one that it gave",
                       entry->seq);
    return SQ_OK;
}

/* The state in the snapshot is the state as it is now, decided from the first entry on. */
static sq_status check_snapshot(struct sq_audit *a, const struct sq_core *core, const struct sq_entry *entry,
                                struct sq_error *err)
{
    struct sq_dump now = {0};
    struct sq_core *other = NULL;
    union {
        const struct sq_core *in;
        struct sq_core *out;
    } same_core = {core}; /* a dump that borrows nothing only reads */
    sq_core_dump(same_core.out, &now);
    int same = memcmp(entry->payload_hash, a->snapshot_hash, SQ_HASH_SIZE) == 0 && now.size == a->snapshot_size &&
               memcmp(now.bytes, a->snapshot, now.size) == 0;
    sq_status st = now.failed ? sq_fail(err, SQ_E_NOMEM, "state") : SQ_OK;
    if (st == SQ_OK && !same && (st = sq_core_new(&other, err)) == SQ_OK &&
        memcmp(entry->payload_hash, a->snapshot_hash, SQ_HASH_SIZE) == 0 &&
        sq_core_undump(other, sq_bytes_of(a->snapshot, a->snapshot_size), NULL) == SQ_OK)
        st = sq_fail(err, SQ_E_VERIFY,
                     "entry %" PRIu64
                     ": the snapshot holds another state than the journal makes; remove the file 'snapshot'",
                     entry->seq);
    a->report->snapshot = same ? SQ_SNAPSHOT_SAME : SQ_SNAPSHOT_UNUSABLE;
    sq_core_free(other);
    sq_dump_free(&now);
    return st;
}

static sq_status visit(void *ctx, const struct sq_core *core, const struct sq_entry *entry,
                       const struct sq_envelope *envelope, const struct sq_effects *fx, struct sq_error *err)
{
    struct sq_audit *a = ctx;
    a->begun = entry->seq;
    sq_status st = add_leaf(a, entry, err);
    if (st == SQ_OK)
        st = sq_anchors_note(&a->anchors, entry, err);
    if (st == SQ_OK && envelope != NULL)
        st = check_sender(a, core, entry, envelope, err);
    for (size_t i = 0; st == SQ_OK && i < fx->out_count; i++)
        st = fx->out[i].kind == SQ_OUT_ANSWER ? check_kept(a, entry, &fx->out[i], err)
             : fx->out[i].kind == SQ_OUT_PEER ? check_unsent(a, &fx->out[i], entry->seq, err)
                                              : SQ_OK;
    if (st == SQ_OK)
        st = sq_books_enter(a->books, core, entry, envelope, fx, err);
    if (st == SQ_OK && entry->seq == a->snapshot_seq)
        st = check_snapshot(a, core, entry, err);
    if (a->o.progress != NULL)
        a->o.progress(a->o.progress_ctx, entry->seq, a->last);
    a->done += st == SQ_OK;
    return st;
}

/* ---- the tree ---- */

/* MTH of RFC 9162 section 2.1.1, as it is written there; its depth is the logarithm of the count. */
static void tree_hash(const uint8_t (*leaf)[SQ_HASH_SIZE], size_t count, uint8_t out[static SQ_HASH_SIZE])
{
    uint8_t left[SQ_HASH_SIZE], right[SQ_HASH_SIZE];
    if (count == 1) {
        memcpy(out, leaf[0], SQ_HASH_SIZE);
        return;
    }
    size_t k = 1;
    while (k * 2 < count)
        k *= 2;
    tree_hash(leaf, k, left);
    tree_hash(leaf + k, count - k, right);
    sq_tree_node_hash(left, right, out);
}

static sq_status check_checkpoint(struct sq_audit *a, sq_bytes note, uint64_t size, struct sq_error *err)
{
    struct sq_note_key key = {0};
    struct sq_checkpoint c;
    sq_bytes body;
    uint64_t verified;
    memcpy(key.name, a->log_name, strlen(a->log_name));
    memcpy(key.key, a->log_key, SQ_KEY_SIZE);
    sq_status st = sq_note_open(note, &key, 1, sq_ed25519_check, &body, &verified, err);
    if (st == SQ_OK)
        st = sq_checkpoint_parse(body, &c, err);
    if (st != SQ_OK)
        return sq_fail_context(err, SQ_E_VERIFY, "checkpoint");
    if (strcmp(c.origin, a->log_name) != 0 || c.size != size || size == 0 || size > a->leaf_count)
        return sq_fail(err, SQ_E_VERIFY,
                       "checkpoint: of log %s and %" PRIu64 " entries; this is %s, with %zu entries in its journal",
                       c.origin, c.size, a->log_name, a->leaf_count);
    tree_hash((const uint8_t(*)[SQ_HASH_SIZE])a->leaves, size, a->report->root);
    if (memcmp(a->report->root, c.root, SQ_HASH_SIZE) != 0)
        return sq_fail(err, SQ_E_VERIFY, "checkpoint: its root is not that of the first %" PRIu64 " entries", size);
    a->report->entries = size;
    return SQ_OK;
}

/* Proofs are made from stored tiles. Two of each tile hold every hash in it against the root. */
static sq_status check_tiles(struct sq_audit *a, uint64_t size, struct sq_error *err)
{
    uint8_t proof[SQ_PROOF_MAX * SQ_HASH_SIZE];
    size_t hashes;
    for (uint64_t tile = 0; tile < size; tile += TILE)
        for (int end = 0; end < 2; end++) {
            uint64_t index = end == 0 ? tile : tile + TILE <= size ? tile + TILE - 1 : size - 1;
            sq_status st = sq_ledger_inclusion(a->ledger, index, size, proof, &hashes, err);
            if (st == SQ_OK)
                st = sq_tree_verify_inclusion(index, size, a->leaves[index], proof, hashes, a->report->root, err);
            if (st != SQ_OK) {
                a->report->bad_entry = index + 1;
                return sq_fail_context(err, st == SQ_E_NOMEM ? st : SQ_E_VERIFY,
                                       "entry %" PRIu64 ": the stored tree does not prove it", index + 1);
            }
        }
    return SQ_OK;
}

static sq_status add_later_leaf(void *ctx, const struct sq_entry *entry, struct sq_error *err)
{
    return add_leaf(ctx, entry, err);
}

static sq_status check_tree(struct sq_audit *a, struct sq_error *err)
{
    uint64_t size;
    sq_bytes note;
    sq_arena_reset(&a->arena);
    sq_status st = sq_ledger_checkpoint(a->ledger, &a->arena, &note, &size, err);
    if (st != SQ_OK)
        return sq_fail_context(err, SQ_E_VERIFY, "checkpoint");
    /* A daemon at work has gone on since: then the newest checkpoint is of entries that were not read. */
    if (size > a->leaf_count)
        st = sq_ledger_walk(a->ledger, a->leaf_count + 1, size, add_later_leaf, a, err);
    if (st == SQ_OK)
        st = check_checkpoint(a, note, size, err);
    if (st == SQ_OK && size < a->leaf_count)
        st = sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": it and those after it are under no checkpoint", size + 1);
    return st == SQ_OK ? check_tiles(a, size, err) : st;
}

/* ---- the whole ---- */

/* The journal and all that hangs on its entries. Names the lowest entry that is wrong. */
static sq_status check_entries(struct sq_audit *a, struct sq_error *err)
{
    struct sq_error signature = {0};
    uint64_t unsigned_entry;
    sq_status st = sq_replay(a->ledger, NULL, sq_ed25519_key_ok, visit, a, &a->core, NULL, err);
    uint64_t bad = st == SQ_OK ? UINT64_MAX : a->begun > a->done ? a->begun : a->done + 1;
    sq_status signatures = sq_checks_wait(a->checks, &unsigned_entry, &signature);
    a->report->signatures = sq_checks_good(a->checks);
    if (signatures != SQ_OK && unsigned_entry <= bad) {
        bad = unsigned_entry;
        st = sq_fail(err, signatures, "%s", signature.text);
    }
    if (st != SQ_OK)
        a->report->bad_entry = bad;
    return st;
}

static void report_witnesses(const struct sq_core *core, struct sq_audit_report *report)
{
    const struct sq_own_log *own = sq_core_own_log(core);
    report->witnessed = own != NULL ? own->witnessed.size : 0;
    for (uint32_t node = 0; own != NULL && report->fork.code[0] == '\0' && node < sq_core_node_count(core); node++) {
        const struct sq_witness *w = sq_core_witness(core, node);
        if (w->fork[0].size == 0)
            continue;
        memcpy(report->fork.code, sq_core_node(core, node)->code, sizeof report->fork.code);
        report->fork.first_size = w->fork[0].size;
        report->fork.second_size = w->fork[1].size;
        report->fork.entry = w->fork_entry;
    }
}

sq_status sq_audit_run(struct sq_audit *a, struct sq_audit_report *report, struct sq_error *err)
{
    struct sq_books_sums sums;
    *report = (struct sq_audit_report){.snapshot = a->snapshot != NULL ? SQ_SNAPSHOT_UNUSABLE : SQ_SNAPSHOT_NONE};
    a->report = report;
    a->last = sq_ledger_seq(a->ledger);
    if (a->snapshot_seq > a->last)
        return sq_fail(err, SQ_E_VERIFY,
                       "the snapshot is of entry %" PRIu64 ", the journal ends at %" PRIu64
                       ": entries are missing at its end",
                       a->snapshot_seq, a->last);
    sq_status st = check_genesis(a, err);
    if (st != SQ_OK) {
        report->bad_entry = 1;
        return st;
    }
    st = read_outbox(a, a->node_count, err);
    if (st == SQ_OK)
        st = check_entries(a, err);
    sq_books_sums(a->books, &sums);
    report->items = sums.items;
    report->links = sums.links;
    report->settlements = sums.settlements;
    if (st == SQ_OK)
        st = check_tree(a, err);
    if (st == SQ_OK)
        st = check_outbox_seen(a, err);
    if (st == SQ_OK)
        st = sq_books_close(a->books, a->core, err);
    if (st == SQ_OK) {
        report->open_window = sq_settlement_open_window(sq_core_settlement(a->core));
        report->evidence = sq_evidence_list(a->core, 0, report->shown, SQ_AUDIT_EVIDENCE_MAX);
        report_witnesses(a->core, report);
    }
    return st;
}

/* The answer is the one kept for its receiver; what is kept has been held against what each entry gave. */
static sq_status check_receipt_answer(struct sq_audit *a, const char *receiver, const Sanquan__V1__Receipt *r,
                                      struct sq_error *err)
{
    struct sq_wire_memory memory = {take, &a->arena};
    struct sq_answer kept;
    ProtobufCMessage *m;
    uint32_t party = sq_core_party_find(a->core, receiver);
    sq_bytes answer = sq_bytes_of(r->answer.data, r->answer.len);
    if (sq_wire_open(&sanquan__v1__answer__descriptor, answer, &memory, &m, err) != SQ_OK || party == SQ_ROW_NONE)
        return sq_fail(err, SQ_E_VERIFY, "the receipt's answer is not one to %s", receiver);
    uint64_t id = ((const Sanquan__V1__Answer *)m)->id;
    if (sq_ledger_answer(a->ledger, party, id, &a->arena, &kept, err) != SQ_OK || kept.seq != r->index + 1 ||
        kept.body.size != answer.size || memcmp(kept.body.data, answer.data, answer.size) != 0)
        return sq_fail(err, SQ_E_VERIFY, "message %" PRIu64 " of %s was answered otherwise than the receipt says", id,
                       receiver);
    return SQ_OK;
}

sq_status sq_audit_receipt(struct sq_audit *a, sq_bytes envelope, struct sq_error *err)
{
    struct sq_wire_memory memory = {take, &a->arena};
    struct sq_checkpoint c;
    struct sq_envelope e;
    struct sq_note_key key = {0};
    ProtobufCMessage *m;
    uint8_t leaf[SQ_HASH_SIZE], root[SQ_HASH_SIZE];
    uint64_t verified;
    sq_bytes body;
    sq_arena_reset(&a->arena);
    if (sq_envelope_open(envelope, &e, err) != SQ_OK || e.type != SANQUAN__V1__MESSAGE_TYPE__RECEIPT ||
        strcmp(e.sender, a->node_name) != 0 ||
        sq_message_check(&e, sq_directory_network_id(a->o.directory), a->node_key, err) != SQ_OK ||
        sq_wire_open(&sanquan__v1__receipt__descriptor, e.body, &memory, &m, err) != SQ_OK)
        return sq_fail(err, SQ_E_VERIFY, "not a receipt that %s signed", a->node_name);
    const Sanquan__V1__Receipt *r = (const Sanquan__V1__Receipt *)m;
    sq_status st = sq_receipt_verify(r, a->log_name, a->log_key, err);
    if (st != SQ_OK)
        return st;
    memcpy(key.name, a->log_name, strlen(a->log_name));
    memcpy(key.key, a->log_key, SQ_KEY_SIZE);
    st = sq_note_open(sq_bytes_of(r->checkpoint, strlen(r->checkpoint)), &key, 1, sq_ed25519_check, &body, &verified,
                      err);
    if (st == SQ_OK)
        st = sq_checkpoint_parse(body, &c, err);
    if (st != SQ_OK)
        return st;
    sq_tree_leaf_hash(sq_bytes_of(r->leaf.data, r->leaf.len), leaf);
    if (c.size > a->leaf_count)
        return sq_fail(err, SQ_E_VERIFY, "the receipt is of a ledger with %" PRIu64 " entries, this one has %zu",
                       c.size, a->leaf_count);
    if (memcmp(leaf, a->leaves[r->index], sizeof leaf) != 0)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 " is not the one that the receipt was given for",
                       r->index + 1);
    st = sq_ledger_root(a->ledger, c.size, root, err); /* its tiles have been held against the newest root */
    if (st == SQ_OK && memcmp(root, c.root, sizeof root) != 0)
        st = sq_fail(err, SQ_E_VERIFY, "the receipt's checkpoint of %" PRIu64 " entries is not a state of this ledger",
                     c.size);
    return st == SQ_OK ? check_receipt_answer(a, e.receiver, r, err) : st;
}

sq_status sq_audit_log(struct sq_audit *a, const char *path, uint64_t *held_out, struct sq_error *err)
{
    return sq_anchors_check(&a->anchors, path, held_out, err);
}

sq_status sq_audit_logs_whole(const struct sq_audit *a, struct sq_error *err)
{
    return sq_anchors_whole(&a->anchors, err);
}
