/*
 * Invariant: whatever is read goes into the hash with its size before it, so that no two different ledgers hash alike.
 */
#include "tests/disk/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/tree.h"
#include "ops/common/audit.h"
#include "ops/common/identity.h"
#include "ops/common/replay.h"
#include "peers/message.h"
#include "proto/sanquan.pb-c.h"

#define MAP_SIZE   (64u << 20) /* a small one is mapped faster; the test's ledgers are far below it */
#define ARENA_SIZE (8u << 20)
#define OUTBOX_MAX 64u

_Noreturn void state_die(const char *what, const struct sq_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    exit(2);
}

struct sq_ledger_options state_options(const struct state_questions *q, const char *ledger)
{
    return (struct sq_ledger_options){
        .path = ledger, .origin = q->origin, .network_id = sq_directory_network_id(q->directory), .map_size = MAP_SIZE};
}

/* ---- what there is to ask ---- */

static sq_status note_answers(void *ctx, const struct sq_core *core, const struct sq_entry *entry,
                              const struct sq_envelope *envelope, const struct sq_effects *fx, struct sq_error *err)
{
    struct state_questions *q = ctx;
    (void)envelope;
    q->node_count = sq_core_node_count(core);
    for (size_t i = 0; i < fx->out_count; i++) {
        struct state_answer *a = fx->out[i].kind == SQ_OUT_ANSWER ? sq_table_add(&q->answers, NULL) : NULL;
        if (fx->out[i].kind != SQ_OUT_ANSWER)
            continue;
        if (a == NULL)
            return sq_fail(err, SQ_E_NOMEM, "answers");
        *a = (struct state_answer){entry->seq, fx->out[i].id, fx->out[i].to};
    }
    return SQ_OK;
}

void state_open(struct state_questions *q, const char *directory, const char *ledger)
{
    struct sq_error err = {0};
    struct sq_ledger *l = NULL;
    struct sq_core *core = NULL;
    *q = (struct state_questions){.answers = SQ_TABLE_OF(struct state_answer)};
    if (sq_crypto_init(&err) != SQ_OK || sq_directory_read(directory, &q->directory, &err) != SQ_OK ||
        sq_arena_init(&q->arena, ARENA_SIZE, &err) != SQ_OK)
        state_die(directory, &err);
    struct sq_ledger_options o = state_options(q, ledger);
    o.origin = NULL;
    o.read_only = 1;
    if (sq_ledger_open(&o, &l, &err) != SQ_OK ||
        sq_replay(l, NULL, sq_ed25519_key_ok, note_answers, q, &core, NULL, &err) != SQ_OK)
        state_die(ledger, &err);
    snprintf(q->origin, sizeof q->origin, "%s", sq_ledger_origin(l));
    sq_core_free(core);
    sq_ledger_close(l);
    if (state_audit(q, ledger, &err) != SQ_OK)
        state_die(ledger, &err);
}

void state_close(struct state_questions *q)
{
    sq_secret_free(q->keys);
    sq_table_free(&q->answers);
    sq_arena_free(&q->arena);
    sq_directory_free(q->directory);
}

/* ---- what the answers are ---- */

static void add(struct sq_sha256 *hash, const void *data, size_t size)
{
    uint8_t length[8];
    sq_put_be64(length, size);
    sq_sha256_add(hash, length, sizeof length);
    if (size != 0)
        sq_sha256_add(hash, data, size);
}

static sq_status add_entry(void *ctx, const struct sq_entry *entry, struct sq_error *err)
{
    (void)err;
    add(ctx, entry->payload_hash, SQ_HASH_SIZE);
    return SQ_OK;
}

static sq_status read_entries(const struct sq_ledger *l, uint64_t seq, struct sq_sha256 *hash, struct sq_error *err)
{
    sq_status st = sq_ledger_walk(l, 1, seq, add_entry, hash, err);
    for (uint64_t i = 1; st == SQ_OK && i <= seq; i++) {
        uint8_t leaf[SQ_LEAF_SIZE];
        st = sq_ledger_leaf(l, i, leaf, err);
        add(hash, leaf, st == SQ_OK ? sizeof leaf : 0);
    }
    return st;
}

/* The checkpoint is of all entries, and the tree, which is stored beside them, comes to its root. */
static sq_status read_tree(struct state_questions *q, const struct sq_ledger *l, uint64_t seq, struct sq_sha256 *hash,
                           struct sq_error *err)
{
    uint8_t root[SQ_HASH_SIZE], proof[SQ_PROOF_MAX * SQ_HASH_SIZE];
    struct sq_checkpoint c;
    sq_bytes note;
    uint64_t size;
    size_t hashes;
    sq_arena_reset(&q->arena);
    sq_status st = sq_ledger_checkpoint(l, &q->arena, &note, &size, err);
    if (st != SQ_OK)
        return seq == 0 && st == SQ_E_NOT_FOUND ? SQ_OK : st;
    const char *blank = memmem(note.data, note.size, "\n\n", 2);
    st = blank == NULL
             ? sq_fail(err, SQ_E_VERIFY, "checkpoint has no signature")
             : sq_checkpoint_parse(sq_bytes_of(note.data, (size_t)(blank + 1 - (const char *)note.data)), &c, err);
    if (st == SQ_OK && (size != seq || c.size != seq))
        st = sq_fail(err, SQ_E_VERIFY, "checkpoint of %" PRIu64 " entries, journal of %" PRIu64, size, seq);
    if (st == SQ_OK)
        st = sq_ledger_root(l, seq, root, err);
    if (st == SQ_OK && memcmp(root, c.root, sizeof root) != 0)
        st = sq_fail(err, SQ_E_VERIFY, "the stored tree has another root than the checkpoint");
    if (st == SQ_OK)
        st = sq_ledger_inclusion(l, seq / 2, seq, proof, &hashes, err);
    if (st == SQ_OK) {
        add(hash, note.data, note.size);
        add(hash, proof, hashes * SQ_HASH_SIZE);
    }
    return st;
}

static sq_status read_answers(struct state_questions *q, const struct sq_ledger *l, struct sq_sha256 *hash,
                              struct sq_error *err)
{
    for (uint32_t i = 0; i < q->answers.count; i++) {
        const struct state_answer *a = SQ_ROW(&q->answers, struct state_answer, i);
        struct sq_answer kept;
        sq_arena_reset(&q->arena);
        sq_status st = sq_ledger_answer(l, a->party, a->id, &q->arena, &kept, err);
        if (st == SQ_E_NOT_FOUND) {
            add(hash, NULL, 0);
            continue;
        }
        if (st != SQ_OK)
            return st;
        add(hash, &kept.seq, sizeof kept.seq);
        add(hash, kept.request, SQ_HASH_SIZE);
        add(hash, kept.body.data, kept.body.size);
    }
    return SQ_OK;
}

static sq_status read_outbox(struct state_questions *q, const struct sq_ledger *l, struct sq_sha256 *hash,
                             struct sq_error *err)
{
    for (uint32_t node = 0; node < q->node_count; node++) {
        struct sq_outbox_put put[OUTBOX_MAX];
        size_t count = 1;
        for (uint64_t from = 0; count != 0;) {
            sq_arena_reset(&q->arena);
            sq_status st = sq_ledger_outbox(l, node, from, OUTBOX_MAX, &q->arena, put, &count, err);
            if (st != SQ_OK)
                return st;
            for (size_t i = 0; i < count; i++) {
                add(hash, &put[i].number, sizeof put[i].number);
                add(hash, put[i].envelope.data, put[i].envelope.size);
                from = put[i].number + 1;
            }
        }
        add(hash, &node, sizeof node);
    }
    return SQ_OK;
}

sq_status state_read(struct state_questions *q, const struct sq_ledger *l, struct state *out, struct sq_error *err)
{
    struct sq_sha256 hash;
    out->seq = sq_ledger_seq(l);
    sq_sha256_begin(&hash);
    sq_status st = read_entries(l, out->seq, &hash, err);
    if (st == SQ_OK)
        st = read_tree(q, l, out->seq, &hash, err);
    if (st == SQ_OK)
        st = read_answers(q, l, &hash, err);
    if (st == SQ_OK)
        st = read_outbox(q, l, &hash, err);
    sq_sha256_end(&hash, out->hash);
    return st;
}

sq_status state_audit(const struct state_questions *q, const char *ledger, struct sq_error *err)
{
    struct sq_audit_options o = {.path = ledger, .directory = q->directory, .threads = 1, .map_size = MAP_SIZE};
    struct sq_audit_report report;
    struct sq_audit *audit = NULL;
    sq_status st = sq_audit_open(&o, &audit, err);
    if (st == SQ_OK)
        st = sq_audit_run(audit, &report, err);
    sq_audit_free(audit);
    return st;
}

/* ---- going on ---- */

void state_next(struct state_questions *q, const char *ledger, const char *keys)
{
    struct sq_ledger_options o = state_options(q, ledger);
    struct sq_ledger *l = NULL;
    struct sq_core *core = NULL;
    struct sq_error err = {0};
    struct sq_effects fx;
    o.read_only = 1;
    if (sq_keys_read(keys, NULL, NULL, &q->keys, &err) != SQ_OK || sq_ledger_open(&o, &l, &err) != SQ_OK ||
        sq_replay(l, NULL, sq_ed25519_key_ok, NULL, NULL, &core, NULL, &err) != SQ_OK)
        state_die(keys, &err);
    struct sq_event event = {sq_core_now_ms(core), SANQUAN__V1__MESSAGE_TYPE__TICK, NULL, sq_bytes_of("", 0)};
    sq_arena_reset(&q->arena);
    if (sq_core_step(core, &event, &q->arena, &fx, &err) != SQ_OK)
        state_die("a tick", &err);
    if (!fx.append || fx.out_count != 0 || fx.outcome.size > sizeof q->next_bytes) {
        fprintf(stderr, "a tick after the last entry of %s is not an entry without messages\n", ledger);
        exit(2);
    }
    memcpy(q->next_bytes, fx.outcome.data, fx.outcome.size);
    q->next = (struct sq_entry){.seq = fx.seq,
                                .now_ms = event.now_ms,
                                .type = event.type,
                                .outcome = sq_bytes_of(q->next_bytes, fx.outcome.size)};
    sq_core_free(core);
    sq_ledger_close(l);
}

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    (void)ctx;
    (void)err;
    sq_sha256(message.data, message.size, signature);
    memset(signature + SQ_HASH_SIZE, 0, 64 - SQ_HASH_SIZE);
    return SQ_OK;
}

sq_status state_append(const struct state_questions *q, struct sq_ledger *l, struct sq_error *err)
{
    static const struct sq_signer signer = {.sign = sign};
    uint8_t body[300];
    memset(body, 0xa5, sizeof body);
    struct sq_entry entry = {
        .seq = sq_ledger_seq(l) + 1, .type = SANQUAN__V1__MESSAGE_TYPE__TICK, .input = sq_bytes_of(body, sizeof body)};
    struct sq_commit c = {.entries = &entry, .entry_count = 1};
    if (q->keys == NULL)
        return sq_ledger_commit(l, &c, &signer, err);
    const struct sq_signer own = sq_log_signer(q->keys);
    entry = q->next;
    return sq_ledger_commit(l, &c, &own, err);
}
