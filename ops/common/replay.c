#include "ops/common/replay.h"

#include "clearing/core/witness.h"
#include "clearing/policy/explain.h"
#include "peers/message.h"
#include "proto/sanquan.pb-c.h"

#include <stdlib.h>
#include <string.h>

struct replay {
    struct sq_core *core;
    struct sq_arena arena;
    sq_replay_visit visit;
    void *ctx;
    /* of sq_replay_explain */
    const char *acquirer;
    uint64_t batch;
    uint32_t row;
    struct sq_explain *explain; /* NULL: nothing is watched */
};

/* Nodes have numbers from GENESIS on: then the row is marked. */
static sq_status watch(struct replay *r, struct sq_error *err)
{
    uint32_t node = 0, count = sq_core_node_count(r->core);
    if (r->acquirer[0] == '\0')
        node = sq_core_self(r->core);
    else
        while (node < count && strcmp(sq_core_node(r->core, node)->code, r->acquirer) != 0)
            node++;
    if (node == count)
        return sq_fail(err, SQ_E_NOT_FOUND, "no node %.20s in this network", r->acquirer);
    sq_core_watch(r->core, node, r->batch, r->row, r->explain);
    return SQ_OK;
}

static sq_status decide_again(void *ctx, const struct sq_entry *entry, struct sq_error *err)
{
    struct replay *r = ctx;
    struct sq_envelope envelope;
    struct sq_effects fx;
    struct sq_event event = {entry->now_ms, entry->type, NULL, entry->input};
    sq_status st = SQ_OK;
    if (entry->type < SANQUAN__V1__MESSAGE_TYPE__GENESIS) {
        if (sq_envelope_open(entry->input, &envelope, err) != SQ_OK || envelope.type != entry->type)
            return sq_fail_context(err, SQ_E_VERIFY, "entry %" PRIu64 " is not the message it says it is", entry->seq);
        event.envelope = &envelope;
        event.body = envelope.body;
    }
    sq_arena_reset(&r->arena);
    st = sq_core_step(r->core, &event, &r->arena, &fx, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st == SQ_E_NOMEM ? st : SQ_E_VERIFY, "entry %" PRIu64, entry->seq);
    if (!fx.append || fx.seq != entry->seq || fx.outcome.size != entry->outcome.size ||
        (fx.outcome.size != 0 && memcmp(fx.outcome.data, entry->outcome.data, fx.outcome.size) != 0))
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": decided again, it comes out otherwise than it is stored",
                       entry->seq);
    if (sq_core_now_ms(r->core) != entry->now_ms)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": its time lies before that of the one before", entry->seq);
    if (r->explain != NULL && entry->seq == 1 && (st = watch(r, err)) != SQ_OK)
        return st;
    return r->visit != NULL ? r->visit(r->ctx, r->core, entry, event.envelope, &fx, err) : SQ_OK;
}

/* As decide_again, until the watched row is decided. That is no error; the walk is ended with a status that nothing else here gives. */
#define ENOUGH SQ_E_TIMEOUT

static sq_status decide_until(void *ctx, const struct sq_entry *entry, struct sq_error *err)
{
    struct replay *r = ctx;
    sq_status st = decide_again(ctx, entry, err);
    return st == SQ_OK && r->explain->decided ? ENOUGH : st;
}

/* A core from the snapshot, if there is one that belongs to this journal; 0 when the journal must be read from the start. */
static uint64_t from_snapshot(const struct sq_ledger *l, const char *path, struct sq_arena *arena, struct sq_core *core)
{
    uint64_t seq;
    uint8_t hash[SQ_HASH_SIZE], *state;
    size_t size;
    struct sq_entry last;
    if (sq_snapshot_read(path, &seq, hash, &state, &size, NULL) != SQ_OK)
        return 0;
    sq_arena_reset(arena);
    int fits = sq_ledger_read(l, seq, arena, &last, NULL) == SQ_OK &&
               memcmp(last.payload_hash, hash, sizeof hash) == 0 &&
               sq_core_undump(core, sq_bytes_of(state, size), NULL) == SQ_OK && sq_core_seq(core) == seq;
    free(state);
    return fits ? seq : 0;
}

sq_status sq_replay(const struct sq_ledger *l, const char *snapshot_path, int (*key_ok)(const uint8_t key[static 32]),
                    sq_replay_visit visit, void *ctx, struct sq_core **out, uint64_t *from_out, struct sq_error *err)
{
    struct replay r = {.visit = visit, .ctx = ctx};
    uint64_t done = 0;
    sq_status st = sq_arena_init(&r.arena, SQ_STEP_ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_core_new(&r.core, err);
    if (st == SQ_OK && snapshot_path != NULL && (done = from_snapshot(l, snapshot_path, &r.arena, r.core)) == 0) {
        sq_core_free(r.core); /* half a snapshot may be in it */
        st = sq_core_new(&r.core, err);
    }
    if (st == SQ_OK) {
        sq_core_set_key_check(r.core, key_ok);
        sq_core_set_signature_check(r.core, sq_message_signed_by);
        sq_core_set_note_check(r.core, sq_ed25519_check);
        st = sq_ledger_walk(l, done + 1, UINT64_MAX, decide_again, &r, err);
    }
    sq_arena_free(&r.arena);
    if (st == SQ_OK) {
        *out = r.core;
        if (from_out != NULL)
            *from_out = done + 1;
    } else {
        sq_core_free(r.core);
    }
    return st;
}

sq_status sq_replay_explain(const struct sq_ledger *l, int (*key_ok)(const uint8_t key[static 32]),
                            const char *acquirer, uint64_t batch, uint32_t row, sq_replay_visit visit, void *ctx,
                            struct sq_explain *out, struct sq_core **core_out, struct sq_error *err)
{
    struct replay r = {.visit = visit, .ctx = ctx, .acquirer = acquirer, .batch = batch, .row = row, .explain = out};
    *out = (struct sq_explain){0};
    sq_status st = sq_arena_init(&r.arena, SQ_STEP_ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_core_new(&r.core, err);
    if (st == SQ_OK) {
        sq_core_set_key_check(r.core, key_ok);
        sq_core_set_signature_check(r.core, sq_message_signed_by);
        sq_core_set_note_check(r.core, sq_ed25519_check);
        st = sq_ledger_walk(l, 1, UINT64_MAX, decide_until, &r, err);
        st = st == ENOUGH ? SQ_OK : st;
        sq_core_watch(r.core, 0, 0, 0, NULL);
    }
    sq_arena_free(&r.arena);
    if (st == SQ_OK)
        *core_out = r.core;
    else
        sq_core_free(r.core);
    return st;
}
