/*
 * A group becomes durable, then its answers are made. Nothing here knows of threads: commit_thread.c calls it.
 *
 * Invariants: an answer or a peer message is made only after sq_ledger_commit returned SQ_OK for its group; a failed commit is
 * never answered: the front ends the process, and the journal says after the restart what happened.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/base/hash.h"
#include "ops/common/log.h"
#include "ops/daemon/daemon.h"
#include "peers/message.h"

/* ---- sealing ---- */

static sq_status seal(struct sq_daemon *d, uint32_t type, const char *receiver, uint64_t id, uint64_t now_ms,
                      sq_bytes body, struct sq_arena *arena, sq_bytes *envelope, struct sq_error *err)
{
    struct sq_header h = {type, d->keys->name, receiver, id, now_ms};
    struct sq_wire_memory memory = sq_memory_of(arena);
    return sq_message_seal(&h, body, sq_directory_network_id(d->directory), d->keys->secret, &memory, envelope, err);
}

sq_status sq_receipt_seal(struct sq_daemon *d, uint64_t seq, const char *receiver, uint64_t now_ms, sq_bytes answer,
                          const uint8_t request[static SQ_HASH_SIZE], struct sq_arena *arena, sq_bytes *envelope,
                          struct sq_error *err)
{
    uint8_t leaf[SQ_LEAF_SIZE], proof[SQ_PROOF_MAX * SQ_HASH_SIZE];
    size_t hashes;
    uint64_t size;
    sq_bytes note, body;
    struct sq_wire_memory memory = sq_memory_of(arena);
    sq_status st = sq_ledger_checkpoint(d->ledger, arena, &note, &size, err);
    if (st == SQ_OK)
        st = sq_ledger_leaf(d->ledger, seq, leaf, err);
    if (st == SQ_OK)
        st = sq_ledger_inclusion(d->ledger, seq - 1, size, proof, &hashes, err);
    char *text = st == SQ_OK ? sq_arena_take(arena, note.size + 1) : NULL;
    if (st != SQ_OK || text == NULL)
        return st != SQ_OK ? st : sq_fail(err, SQ_E_FULL, "memory for receipts");
    memcpy(text, note.data, note.size);
    union {
        const uint8_t *in;
        uint8_t *out;
    } answer_bytes = {answer.data}, named = {request}; /* messages do not say const; packing only reads */
    Sanquan__V1__Receipt m;
    sanquan__v1__receipt__init(&m);
    m.answer = (ProtobufCBinaryData){answer.size, answer_bytes.out};
    m.leaf = (ProtobufCBinaryData){sizeof leaf, leaf};
    m.index = seq - 1;
    m.proof = (ProtobufCBinaryData){hashes * SQ_HASH_SIZE, proof};
    m.checkpoint = text;
    m.request = (ProtobufCBinaryData){SQ_HASH_SIZE, named.out};
    st = sq_wire_pack(&m.base, &memory, &body, err);
    return st != SQ_OK ? st
                       : seal(d, SANQUAN__V1__MESSAGE_TYPE__RECEIPT, receiver, 0, now_ms, body, arena, envelope, err);
}

/* The parties' table may move under the front's hands: names were copied into the group with the body. */
static const char *receiver_of(const struct sq_pending_out *o)
{
    return (const char *)o->body.data + o->body.size;
}

/* Most answers are about entries that others have answered for since; but time may be over for a bundle that is of this group itself. */
static sq_status find_request(struct sq_daemon *d, struct sq_group *g, uint64_t seq, struct sq_entry *out,
                              struct sq_error *err)
{
    const uint64_t first = g->entries[0].seq;
    if (seq < first)
        return sq_ledger_read(d->ledger, seq, &g->sealed, out, err);
    SQ_ASSERT(seq - first < g->entry_count);
    *out = g->entries[seq - first];
    return SQ_OK;
}

static sq_status name_request(struct sq_daemon *d, struct sq_group *g, struct sq_pending_out *o, struct sq_error *err)
{
    struct sq_entry request;
    size_t mark = g->sealed.used;
    sq_status st = o->request_known ? SQ_OK : find_request(d, g, o->request_seq, &request, err);
    if (st == SQ_OK && !o->request_known)
        st = sq_message_name_of(request.input, sq_directory_network_id(d->directory), o->request, err);
    g->sealed.used = mark;
    return st;
}

/* ---- one group ---- */

static sq_status commit(struct sq_daemon *d, struct sq_group *g, struct sq_error *err)
{
    struct sq_commit c = {.entries = g->entries,
                          .entry_count = g->entry_count,
                          .answers = g->answers,
                          .outbox = g->outbox,
                          .acks = g->acks,
                          .ack_count = g->ack_count};
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < g->out_count; i++) {
        struct sq_pending_out *o = &g->outs[i];
        if (o->kind == SQ_OUT_PEER) {
            sq_bytes body = o->body;
            if (o->type == SANQUAN__V1__MESSAGE_TYPE__COSIGNED)
                st = sq_witness_cosign(d, receiver_of(o), o->body, &g->sealed, &body, err);
            if (st == SQ_OK)
                st = seal(d, o->type, receiver_of(o), o->id, o->now_ms, body, &g->sealed, &o->envelope, err);
            g->outbox[c.outbox_count++] = (struct sq_outbox_put){o->to, o->id, o->envelope};
        } else if ((st = name_request(d, g, o, err)) == SQ_OK) {
            struct sq_answer_put *a = &g->answers[c.answer_count++];
            *a = (struct sq_answer_put){.party = o->to, .id = o->id, .seq = o->seq, .body = o->body};
            memcpy(a->request, o->request, SQ_HASH_SIZE);
        }
    }
    return st == SQ_OK ? sq_ledger_commit(d->ledger, &c, &d->log_signer, err) : st;
}

static void make_receipts(struct sq_daemon *d, struct sq_group *g)
{
    struct sq_error err;
    for (size_t i = 0; i < g->out_count; i++) {
        struct sq_pending_out *o = &g->outs[i];
        if (o->kind == SQ_OUT_ANSWER && sq_receipt_seal(d, o->seq, receiver_of(o), o->now_ms, o->body, o->request,
                                                        &g->sealed, &o->envelope, &err) != SQ_OK) {
            o->envelope = (sq_bytes){NULL, 0}; /* it is durable; the client asks again and gets the kept answer */
            sq_log(SQ_LOG_WARNING, "receipt", "seq=%" PRIu64 " reason=\"%s\"", o->seq, err.text);
        }
    }
}

sq_status sq_group_commit(struct sq_daemon *d, struct sq_group *g, struct sq_error *err)
{
    sq_status st = commit(d, g, err);
    if (st == SQ_OK)
        make_receipts(d, g);
    return st;
}

/* ---- groups ---- */

sq_status sq_groups_new(struct sq_daemon *d, struct sq_error *err)
{
    uint32_t nodes = sq_core_node_count(d->core);
    sq_status st = SQ_OK;
    for (unsigned i = 0; st == SQ_OK && i < GROUP_COUNT; i++) {
        struct sq_group *g = &d->groups[i];
        st = sq_arena_init(&g->arena, GROUP_ARENA_SIZE, err);
        if (st == SQ_OK)
            st = sq_arena_init(&g->sealed, GROUP_ARENA_SIZE, err);
        g->entries = calloc(GROUP_ENTRIES_MAX, sizeof *g->entries);
        g->senders = calloc(GROUP_ENTRIES_MAX, sizeof *g->senders);
        g->hellos = calloc(GROUP_HELLOS_MAX, sizeof *g->hellos);
        g->told = calloc(GROUP_TOLD_MAX, sizeof *g->told);
        g->outs = calloc(GROUP_OUT_MAX, sizeof *g->outs);
        g->answers = calloc(GROUP_OUT_MAX, sizeof *g->answers);
        g->outbox = calloc(GROUP_OUT_MAX, sizeof *g->outbox);
        g->acks = calloc(nodes + 1u, sizeof *g->acks);
        g->peer_heard = calloc(nodes + 1u, 1);
        if (st == SQ_OK &&
            (g->entries == NULL || g->senders == NULL || g->hellos == NULL || g->told == NULL || g->outs == NULL ||
             g->answers == NULL || g->outbox == NULL || g->acks == NULL || g->peer_heard == NULL))
            st = sq_fail(err, SQ_E_NOMEM, "commit groups");
    }
    d->filling = &d->groups[0];
    return st;
}

void sq_groups_free(struct sq_daemon *d)
{
    for (unsigned i = 0; i < GROUP_COUNT; i++) {
        struct sq_group *g = &d->groups[i];
        sq_arena_free(&g->arena);
        sq_arena_free(&g->sealed);
        free(g->entries);
        free(g->senders);
        free(g->hellos);
        if (g->told != NULL)
            sq_questions_forget(g);
        free(g->told);
        free(g->outs);
        free(g->answers);
        free(g->outbox);
        free(g->acks);
        free(g->peer_heard);
    }
}

void sq_group_reset(struct sq_daemon *d, struct sq_group *g)
{
    sq_arena_reset(&g->arena);
    sq_arena_reset(&g->sealed);
    g->entry_count = g->hello_count = g->out_count = g->ack_count = 0;
    g->holds_bulk = 0;
    memset(g->peer_heard, 0, sq_core_node_count(d->core));
}
