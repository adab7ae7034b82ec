/*
 * The answers to "witnesses" and "proof/SEQ": what nodes hold against each other's logs, and one entry's place in this node's.
 *
 * Everyone who is enrolled may ask: checkpoints and leaf records hold no business data.
 */
#include <jansson.h>
#include <string.h>

#include "clearing/core/witness.h"
#include "clearing/ledger/proof.h"
#include "ops/daemon/query_parts.h"

static void put_note(json_t *o, const char *key, const struct sq_core *core, uint32_t node, const struct sq_head *head)
{
    char note[SQ_COSIGNED_SIZE_MAX];
    size_t size = head->size != 0 ? sq_core_head_note(core, node, head, note, sizeof note) : 0;
    if (size != 0)
        json_object_set_new(o, key, json_stringn(note, size));
}

/* ---- witnesses ---- */

static json_t *fork_of(const struct sq_daemon *d, uint32_t node, const struct sq_witness *w)
{
    json_t *o = json_object();
    put_u64(o, "found_ms", w->fork_ms);
    put_u64(o, "entry", w->fork_entry);
    put_text(o, "told_by", code_of(d->core, w->fork_from));
    put_u64(o, "first_size", w->fork[0].size);
    put_u64(o, "second_size", w->fork[1].size);
    put_note(o, "first", d->core, node, &w->fork[0]);
    put_note(o, "second", d->core, node, &w->fork[1]);
    return o;
}

/* A node as this node's witness, and as a log that this node watches. */
static json_t *member(const struct sq_daemon *d, uint32_t node)
{
    const struct sq_witness *w = sq_core_witness(d->core, node);
    json_t *o = json_object();
    put_text(o, "node", code_of(d->core, node));
    if (node != sq_core_self(d->core)) {
        put_u64(o, "cosigned_size", w->size);
        put_u64(o, "cosigned_ms", w->time_s * 1000);
        put_u64(o, "accused_ms", w->accused_ms);
        put_u64(o, "seen_size", w->seen[0].size);
        put_u64(o, "seen_ms", w->cosigned_ms);
        put_u64(o, "heard_size", w->heard.size);
        put_u64(o, "unproven_ms", w->unproven_ms);
        put_note(o, "checkpoint", d->core, node, &w->seen[0]);
    }
    if (w->fork[0].size != 0)
        json_object_set_new(o, "fork", fork_of(d, node, w));
    return o;
}

json_t *sq_query_witnesses(const struct sq_daemon *d)
{
    const struct sq_own_log *own = sq_core_own_log(d->core);
    json_t *o = json_object(), *nodes = json_array();
    put_text(o, "log", d->origin);
    put_u64(o, "witness_ms", own != NULL ? own->witness_ms : 0);
    put_u64(o, "quorum", sq_core_witness_quorum(d->core));
    put_u64(o, "seq", sq_ledger_seq(d->ledger));
    if (own != NULL) {
        put_u64(o, "shown_size", sq_core_witness(d->core, sq_core_self(d->core))->seen[0].size);
        put_u64(o, "shown_ms", own->shown_ms);
        put_u64(o, "witnessed_size", own->witnessed.size);
        put_note(o, "witnessed", d->core, sq_core_self(d->core), &own->witnessed);
        for (uint32_t node = 0; node < sq_core_node_count(d->core); node++)
            json_array_append_new(nodes, member(d, node));
    }
    json_object_set_new(o, "nodes", nodes);
    return o;
}

void sq_query_put_witness(const struct sq_daemon *d, json_t *status)
{
    const struct sq_own_log *own = sq_core_own_log(d->core);
    uint64_t forks = 0, behind = 0, agree = 0;
    if (own == NULL)
        return;
    json_t *o = json_object();
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        const struct sq_witness *w = sq_core_witness(d->core, node);
        forks += w->fork[0].size != 0;
        behind += w->unproven_ms != 0;
        agree += node != sq_core_self(d->core) && own->witnessed.size != 0 && w->kept_size == own->witnessed.size;
    }
    put_u64(o, "witnessed_size", own->witnessed.size);
    put_u64(o, "cosigned_by", agree);
    put_u64(o, "quorum", sq_core_witness_quorum(d->core));
    put_u64(o, "shown_size", sq_core_witness(d->core, sq_core_self(d->core))->seen[0].size);
    put_u64(o, "shown_ms", own->shown_ms);
    put_u64(o, "forks", forks);
    put_u64(o, "unproven", behind);
    json_object_set_new(status, "witness", o);
}

/* ---- one entry's place ---- */

/* The note that says most about entry `seq`: the witnessed checkpoint when it covers it, else the newest. */
static sq_status choose_note(const struct sq_daemon *d, uint64_t seq, struct sq_arena *arena, sq_bytes *note,
                             uint64_t *size, struct sq_error *err)
{
    const struct sq_own_log *own = sq_core_own_log(d->core);
    if (own == NULL || own->witnessed.size < seq)
        return sq_ledger_checkpoint(d->ledger, arena, note, size, err);
    char *text = sq_arena_take(arena, SQ_COSIGNED_SIZE_MAX);
    size_t length =
        text == NULL ? 0
                     : sq_core_head_note(d->core, sq_core_self(d->core), &own->witnessed, text, SQ_COSIGNED_SIZE_MAX);
    *note = sq_bytes_of(text, length);
    *size = own->witnessed.size;
    return length != 0 ? SQ_OK : sq_fail(err, SQ_E_FULL, "memory for a checkpoint");
}

json_t *sq_query_proof(struct sq_daemon *d, uint64_t seq)
{
    struct sq_proof_file p = {.extra_size = SQ_LEAF_SIZE};
    char text[SQ_PROOF_FILE_MAX];
    uint64_t size;
    if (seq == 0 || seq > sq_ledger_seq(d->ledger))
        return NULL;
    sq_arena_reset(&d->scratch);
    p.index = seq - 1;
    sq_status st = choose_note(d, seq, &d->scratch, &p.note, &size, NULL);
    if (st == SQ_OK)
        st = sq_ledger_leaf(d->ledger, seq, p.extra, NULL);
    if (st == SQ_OK)
        st = sq_ledger_inclusion(d->ledger, p.index, size, p.hashes, &p.hash_count, NULL);
    size_t length = st == SQ_OK ? sq_proof_file_write(&p, text, sizeof text) : 0;
    if (length == 0)
        return NULL;
    const struct sq_own_log *own = sq_core_own_log(d->core);
    json_t *o = json_object();
    put_u64(o, "seq", seq);
    put_u64(o, "size", size);
    json_object_set_new(o, "witnessed", json_boolean(own != NULL && own->witnessed.size >= seq));
    json_object_set_new(o, "proof", json_stringn(text, length));
    return o;
}
