/*
 * What peers remember of this node, held against its ledger.
 *
 * A ledger restored from an old backup would give out numbers again that peers have had, and peers would take the new messages for
 * repeats of the old: what they say would be lost without anyone noticing. Whoever knows more of this node than it does itself stops it.
 *
 * But a number is one peer's word, and no peer's word may stop a node. What stops it is its own signature: a peer that has a message
 * can show its header and signature. One that claims a message and does not show it has said something false, and nothing more.
 *
 *   last_id is a number of ours     ACK, HELLO_OK: as it should be
 *   beyond, in an ACK               an ACK shows nothing: the peer is asked by a Hello; until it has answered nothing goes to it
 *   beyond, in a HELLO_OK           message shown, number beyond, signed by us --> SQ_E_FOREIGN: this ledger is an old copy
 *                                   anything else --> counted, logged, passed over; the stream goes on
 */
#include <string.h>

#include "ops/common/log.h"
#include "ops/daemon/daemon.h"
#include "peers/message.h"

#define ASK_AGAIN_MS 1000u  /* one that always claims too much costs a Hello a second */
#define LOG_AGAIN_MS 60000u /* and a line a minute */

static const char *code_of(const struct sq_daemon *d, uint32_t node)
{
    return sq_core_node(d->core, node)->code;
}

/* Highest number that this ledger knows to have given to a message for the node. */
static uint64_t own_last(const struct sq_daemon *d, uint32_t node)
{
    return sq_core_peer_next(d->core, node) - 1;
}

int sq_recall_ack(struct sq_daemon *d, uint32_t node, uint64_t last)
{
    struct sq_peer *p = &d->peers[node];
    if (last <= own_last(d, node))
        return 1;
    uint64_t at = d->now_ms > p->greeted_ms + ASK_AGAIN_MS ? d->now_ms : p->greeted_ms + ASK_AGAIN_MS;
    p->asked = 1;
    if (at < p->greet_at_ms)
        p->greet_at_ms = at;
    return 0;
}

/* 1: this is a message that this node has signed for the peer; its number into *id. */
static int is_ours(const struct sq_daemon *d, uint32_t node, const Sanquan__V1__Shown *m, uint64_t *id)
{
    struct sq_envelope e;
    const struct sq_party *self = sq_core_party(d->core, sq_core_node(d->core, sq_core_self(d->core))->party);
    if (m == NULL || m->body_hash.len != SQ_HASH_SIZE ||
        sq_header_open(sq_bytes_of(m->header.data, m->header.len), sq_bytes_of(m->signature.data, m->signature.len), &e,
                       NULL) != SQ_OK ||
        strcmp(e.sender, self->name) != 0 ||
        strcmp(e.receiver, sq_core_party(d->core, sq_core_node(d->core, node)->party)->name) != 0 ||
        sq_message_check_shown(&e, m->body_hash.data, sq_directory_network_id(d->directory), self->key, NULL) != SQ_OK)
        return 0;
    *id = e.id;
    return 1;
}

static void note_false_claim(struct sq_daemon *d, uint32_t node, uint64_t last)
{
    struct sq_peer *p = &d->peers[node];
    if (p->false_claims++ != 0 && d->now_ms < p->claim_logged_ms + LOG_AGAIN_MS)
        return;
    p->claim_logged_ms = d->now_ms;
    sq_log(SQ_LOG_WARNING, "claim_without_proof",
           "node=%s claims=%" PRIu64 " own=%" PRIu64 " times=%" PRIu64
           " reason=\"it shows no message of this node with such a number\""
           " next=\"ask its operators; this ledger is not known to be an old copy\"",
           code_of(d, node), last, own_last(d, node), p->false_claims);
}

sq_status sq_recall_hello(struct sq_daemon *d, uint32_t node, const Sanquan__V1__HelloOk *m, struct sq_error *err)
{
    uint64_t own = own_last(d, node), shown;
    d->peers[node].asked = 0;
    if (m->last_id <= own)
        return SQ_OK;
    if (!is_ours(d, node, m->last, &shown) || shown <= own) {
        note_false_claim(d, node, m->last_id);
        return SQ_OK;
    }
    return sq_fail(err, SQ_E_FOREIGN,
                   "node %s shows message %" PRIu64 " of this node, this ledger knows of %" PRIu64
                   ": it is an old copy; restore a newer one",
                   code_of(d, node), shown, own);
}
