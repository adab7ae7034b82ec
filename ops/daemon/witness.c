/*
 * Witnesses, as far as ledger and keys are needed: the core decides what is shown, cosigned and kept.
 *
 *   show      newest checkpoint -> its root made again from the stored tree -> SHOWN, an entry of its own -> CHECKPOINT to all
 *   cosign    COSIGNED, decided by the core -> the commit thread puts the signature behind it -> outbox, in the same transaction
 *   ask       at the start, with each greeting: what is the newest checkpoint of mine that you have seen?
 *
 * Invariants: nothing is shown that is not durable; a ledger that does not continue what a witness holds under this node's own signature
 * is not served from.
 */
#include <string.h>

#include "clearing/core/witness.h"
#include "ops/common/log.h"
#include "ops/daemon/daemon.h"
#include "peers/message.h"

#define WARN_EVERY_MS 10000u

static int witnessed_network(const struct sq_daemon *d)
{
    return sq_core_own_log(d->core) != NULL;
}

static const char *code_of(const struct sq_daemon *d, uint32_t node)
{
    return sq_core_node(d->core, node)->code;
}

/* ---- showing ---- */

/* The newest checkpoint's root, as the ledger signed it and as its tiles and leaf records give it: both must be the same. */
static sq_status read_checkpoint(struct sq_daemon *d, struct sq_checkpoint *out, struct sq_error *err)
{
    sq_bytes note, body;
    struct sq_note_key key = {0};
    uint8_t root[SQ_HASH_SIZE];
    uint64_t size, verified;
    memcpy(key.name, d->origin, sizeof d->origin);
    memcpy(key.key, d->log_signer.public_key, sizeof key.key);
    sq_status st = sq_ledger_checkpoint(d->ledger, &d->scratch, &note, &size, err);
    if (st == SQ_OK)
        st = sq_note_open(note, &key, 1, sq_ed25519_check, &body, &verified, err);
    if (st == SQ_OK)
        st = sq_checkpoint_parse(body, out, err);
    if (st == SQ_OK)
        st = sq_ledger_root(d->ledger, out->size, root, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "checkpoint to be shown");
    return memcmp(root, out->root, sizeof root) == 0
               ? SQ_OK
               : sq_fail(
                     err, SQ_E_CORRUPT,
                     "the ledger's tree of %" PRIu64
                     " entries has another root than its checkpoint; run 'sanquan audit' before it is started again",
                     out->size);
}

/* Proofs from every size that a witness wants to see continued, into d->scratch. */
static sq_status put_proofs(struct sq_daemon *d, uint64_t size, Sanquan__V1__Checkpoint *m, struct sq_error *err)
{
    uint64_t from[SQ_SHOWN_PROOFS_MAX];
    size_t count = sq_core_wanted_sizes(d->core, size, from);
    m->proofs = sq_arena_take(&d->scratch, count * sizeof *m->proofs + 1);
    for (size_t i = 0; i < count; i++) {
        size_t hashes;
        Sanquan__V1__Consistency *c = sq_arena_take(&d->scratch, sizeof *c);
        uint8_t *proof = sq_arena_take(&d->scratch, SQ_PROOF_MAX * SQ_HASH_SIZE);
        if (m->proofs == NULL || c == NULL || proof == NULL)
            return sq_fail(err, SQ_E_FULL, "memory for consistency proofs");
        sq_status st = sq_ledger_consistency(d->ledger, from[i], size, proof, &hashes, err);
        if (st != SQ_OK)
            return st;
        sanquan__v1__consistency__init(c);
        c->size = from[i];
        c->proof = (ProtobufCBinaryData){hashes * SQ_HASH_SIZE, proof};
        m->proofs[m->n_proofs++] = c;
    }
    return SQ_OK;
}

static sq_status show(struct sq_daemon *d, const struct sq_checkpoint *c, struct sq_error *err)
{
    char text[512];
    uint8_t signature[64], root[SQ_HASH_SIZE];
    Sanquan__V1__Head head;
    Sanquan__V1__Checkpoint m;
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    struct sq_effects fx;
    sq_bytes body = {NULL, 0};
    size_t size = sq_checkpoint_body(c, text, sizeof text);
    sq_status st = d->log_signer.sign(d->log_signer.ctx, sq_bytes_of(text, size), signature, err);
    if (st != SQ_OK)
        return st;
    memcpy(root, c->root, sizeof root);
    sanquan__v1__head__init(&head);
    sanquan__v1__checkpoint__init(&m);
    head.size = c->size;
    head.root = (ProtobufCBinaryData){sizeof root, root};
    head.signature = (ProtobufCBinaryData){sizeof signature, signature};
    m.head = &head;
    st = put_proofs(d, c->size, &m, err);
    if (st == SQ_OK)
        st = sq_wire_pack(&m.base, &memory, &body, err);
    if (st != SQ_OK)
        return st;
    struct sq_event event = {d->now_ms, SANQUAN__V1__MESSAGE_TYPE__SHOWN, NULL, body};
    return sq_front_step(d, &event, body, NULL, &fx, err);
}

sq_status sq_witness_show(struct sq_daemon *d, uint64_t *at_ms_out, struct sq_error *err)
{
    struct sq_checkpoint c = {.size = 0};
    if (!sq_core_show_due(d->core, d->now_ms, at_ms_out))
        return SQ_OK;
    *at_ms_out = UINT64_MAX; /* what is still to become durable brings a turn of its own */
    if (sq_ledger_seq(d->ledger) <= sq_core_witness(d->core, sq_core_self(d->core))->seen[0].size)
        return SQ_OK;
    sq_arena_reset(&d->scratch);
    sq_status st = read_checkpoint(d, &c, err);
    return st == SQ_OK ? show(d, &c, err) : st;
}

/* ---- cosigning ---- */

sq_status sq_witness_cosign(struct sq_daemon *d, const char *receiver, sq_bytes body, struct sq_arena *arena,
                            sq_bytes *out, struct sq_error *err)
{
    struct sq_wire_memory memory = sq_memory_of(arena);
    ProtobufCMessage *opened;
    struct sq_checkpoint c = {.size = 0};
    char text[512], cosigned[640];
    uint8_t signature[64];
    sq_status st = sq_wire_open(&sanquan__v1__cosigned__descriptor, body, &memory, &opened, err);
    if (st != SQ_OK)
        return st;
    const Sanquan__V1__Cosigned *m = (const Sanquan__V1__Cosigned *)opened;
    *out = body;
    if (m->verdict != 1)
        return SQ_OK;
    SQ_ASSERT(m->root.len == SQ_HASH_SIZE && m->cosignature.len == 0); /* the core's own words */
    sq_log_origin(d->directory, receiver + strlen("node:"), c.origin);
    c.size = m->size;
    memcpy(c.root, m->root.data, sizeof c.root);
    size_t size = sq_checkpoint_body(&c, text, sizeof text);
    size = sq_cosigned_text(m->time_s, sq_bytes_of(text, size), cosigned, sizeof cosigned);
    st = d->log_signer.sign(d->log_signer.ctx, sq_bytes_of(cosigned, size), signature, err);
    /* Field 7, 64 bytes: it is the last field, so it goes behind what is there. */
    const uint8_t tag[2] = {7 << 3 | 2, sizeof signature};
    uint8_t *whole = st == SQ_OK ? sq_arena_take(arena, body.size + sizeof tag + sizeof signature) : NULL;
    if (whole == NULL)
        return st != SQ_OK ? st : sq_fail(err, SQ_E_FULL, "memory for a cosignature");
    memcpy(whole, body.data, body.size);
    memcpy(whole + body.size, tag, sizeof tag);
    memcpy(whole + body.size + sizeof tag, signature, sizeof signature);
    *out = sq_bytes_of(whole, body.size + sizeof tag + sizeof signature);
    return SQ_OK;
}

/* ---- asking at the start, and answering ---- */

int sq_witness_told(const struct sq_daemon *d, uint32_t node)
{
    return !witnessed_network(d) || d->peers[node].told;
}

int sq_witness_heard_enough(const struct sq_daemon *d)
{
    uint32_t told = 0;
    if (!witnessed_network(d) || !sq_ledger_is_copy(d->ledger) || d->config->start_alone)
        return 1;
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++)
        told += node != sq_core_self(d->core) && d->peers[node].told;
    return told >= sq_core_witness_quorum(d->core);
}

static void warn_of_waiting(struct sq_daemon *d)
{
    if (sq_witness_heard_enough(d) || d->now_ms < d->warned_ms + WARN_EVERY_MS)
        return;
    d->warned_ms = d->now_ms;
    sq_log(SQ_LOG_WARNING, "waits_for_witnesses",
           "needed=%u reason=\"the ledger is a copy: more than half of the other nodes must say what they know of it "
           "first; "
           "'start_alone: true' in the configuration does without\"",
           sq_core_witness_quorum(d->core));
}

void sq_witness_ask(struct sq_daemon *d, uint32_t node)
{
    Sanquan__V1__WitnessAsk m;
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    sq_bytes body, envelope;
    if (!witnessed_network(d))
        return;
    warn_of_waiting(d);
    sanquan__v1__witness_ask__init(&m);
    m.nonce = d->now_ms;
    m.node = d->config->node;
    struct sq_header h = {SANQUAN__V1__MESSAGE_TYPE__WITNESS_ASK, d->keys->name,
                          sq_core_party(d->core, sq_core_node(d->core, node)->party)->name, 0, d->now_ms};
    sq_arena_reset(&d->scratch);
    if (sq_wire_pack(&m.base, &memory, &body, NULL) == SQ_OK &&
        sq_message_seal(&h, body, sq_directory_network_id(d->directory), d->keys->secret, &memory, &envelope, NULL) ==
            SQ_OK)
        (void)!sq_hub_send(d->hub, node, envelope, NULL); /* not connected yet: asked again with the next greeting */
}

void sq_witness_answer(struct sq_daemon *d, const struct sq_route *route, uint32_t party,
                       const Sanquan__V1__WitnessAsk *m)
{
    Sanquan__V1__WitnessTell out;
    Sanquan__V1__Head head;
    struct sq_head known = {0};
    char code[7] = "";
    if (strlen(m->node) == 6)
        memcpy(code, m->node, sizeof code);
    for (uint32_t node = 0; witnessed_network(d) && node < sq_core_node_count(d->core); node++)
        if (strcmp(code_of(d, node), code) == 0)
            known = *sq_core_newest_head(d->core, node);
    sanquan__v1__witness_tell__init(&out);
    sanquan__v1__head__init(&head);
    out.nonce = m->nonce;
    out.node = code;
    head.size = known.size;
    head.root = (ProtobufCBinaryData){sizeof known.root, known.root};
    head.signature = (ProtobufCBinaryData){sizeof known.signature, known.signature};
    out.head = known.size != 0 ? &head : NULL;
    sq_front_send(d, route, sq_core_party(d->core, party)->name, SANQUAN__V1__MESSAGE_TYPE__WITNESS_TELL, &out.base);
}

/* Believed is only what this node's own log key has signed. */
sq_status sq_witness_hear(struct sq_daemon *d, uint32_t node, const Sanquan__V1__WitnessTell *m, struct sq_error *err)
{
    char text[512];
    uint8_t root[SQ_HASH_SIZE];
    struct sq_checkpoint c = {.size = m->head != NULL ? m->head->size : 0};
    if (!witnessed_network(d) || strcmp(m->node, d->config->node) != 0)
        return SQ_OK;
    d->peers[node].told = 1;
    if (c.size == 0)
        return SQ_OK;
    memcpy(c.origin, d->origin, sizeof d->origin);
    if (m->head->root.len == SQ_HASH_SIZE)
        memcpy(c.root, m->head->root.data, sizeof c.root);
    size_t size = sq_checkpoint_body(&c, text, sizeof text);
    if (m->head->root.len != SQ_HASH_SIZE || m->head->signature.len != 64 ||
        !sq_ed25519_check(sq_bytes_of(text, size), m->head->signature.data, d->log_signer.public_key)) {
        sq_log(SQ_LOG_WARNING, "witness_unbelieved", "node=%s size=%" PRIu64, code_of(d, node), c.size);
        return SQ_OK;
    }
    if (c.size > sq_ledger_seq(d->ledger))
        return sq_fail(err, SQ_E_FOREIGN,
                       "node %s holds a checkpoint of this node of %" PRIu64 " entries, this ledger has %" PRIu64
                       ": it is an old copy; restore a newer one",
                       code_of(d, node), c.size, sq_ledger_seq(d->ledger));
    sq_status st = sq_ledger_root(d->ledger, c.size, root, err);
    if (st == SQ_OK && memcmp(root, c.root, sizeof root) != 0)
        return sq_fail(err, SQ_E_FOREIGN,
                       "node %s holds a checkpoint of this node of %" PRIu64
                       " entries with another history than this ledger's: restore the ledger that it was signed over",
                       code_of(d, node), c.size);
    return st;
}
