/*
 * The numbered streams between nodes: ours go out until they are acknowledged, theirs are acknowledged when they are durable.
 */
#include <string.h>

#include "ops/common/log.h"
#include "ops/daemon/daemon.h"
#include "peers/message.h"

/* A peer that is away costs less and less of our time; one that speaks to us is tried at once. */
#define RETRY_MIN_MS        50u
#define GREET_EVERY_MS      200u
#define GREET_LATER_MS      5000u
#define GREET_UNTOLD_MS     1000u /* its stream waits for it */
#define CONNECT_PATIENCE_MS 500u
#define GREET_PATIENCE_MS   3000u /* a peer that is down does not keep a node from its work */
#define RETRY_MAX_MS        2000u

static const char *name_of(const struct sq_daemon *d, uint32_t node)
{
    return sq_core_party(d->core, sq_core_node(d->core, node)->party)->name;
}

/* Where its stream to us stands. */
static const struct sq_party *in(const struct sq_daemon *d, uint32_t node)
{
    return sq_core_party(d->core, sq_core_node(d->core, node)->party);
}

/* What waits for a peer ends with the last message that the journal made for it. */
static sq_status check_end(struct sq_daemon *d, uint32_t node, uint64_t durable, struct sq_error *err)
{
    struct sq_outbox_put last;
    size_t last_count, beyond_count;
    sq_arena_reset(&d->scratch);
    sq_status st = sq_ledger_outbox(d->ledger, node, durable, 1, &d->scratch, &last, &last_count, err);
    if (st == SQ_OK)
        st = sq_ledger_outbox(d->ledger, node, durable + 1, 1, &d->scratch, &last, &beyond_count, err);
    if (st == SQ_OK && (last_count == 0 || beyond_count != 0))
        st = sq_fail(err, SQ_E_CORRUPT,
                     "the outbox for node number %u does not end with message %" PRIu64
                     ", the last that the journal made; restore the ledger from a backup",
                     node, durable);
    return st;
}

sq_status sq_streams_open(struct sq_daemon *d, struct sq_error *err)
{
    sq_status known = sq_ledger_outbox_check(d->ledger, sq_core_node_count(d->core), err);
    if (known != SQ_OK)
        return known;
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        struct sq_outbox_put first;
        size_t count;
        uint64_t durable = sq_core_peer_next(d->core, node) - 1;
        sq_arena_reset(&d->scratch);
        sq_status st = sq_ledger_outbox(d->ledger, node, 0, 1, &d->scratch, &first, &count, err);
        if (st == SQ_OK && count != 0)
            st = check_end(d, node, durable, err);
        if (st != SQ_OK)
            return st;
        sq_outbox_init(&d->peers[node].outbox, count != 0 ? first.number - 1 : durable, durable);
        d->peers[node].durable_in = in(d, node)->last_id;
        d->peers[node].durable_in_seq = in(d, node)->last_seq;
    }
    return SQ_OK;
}

void sq_streams_ack(struct sq_daemon *d, uint32_t node)
{
    Sanquan__V1__Ack m;
    sanquan__v1__ack__init(&m);
    m.last_id = d->peers[node].durable_in;
    if (d->peers[node].route.size != 0)
        sq_front_send(d, &d->peers[node].route, name_of(d, node), SANQUAN__V1__MESSAGE_TYPE__ACK, &m.base);
}

static int send_one(struct sq_daemon *d, uint32_t node, uint64_t number, sq_bytes envelope)
{
    struct sq_peer *p = &d->peers[node];
    if (sq_hub_send(d->hub, node, envelope, NULL) != SQ_OK) { /* not connected, or its queue is full */
        p->retry_ms = p->retry_ms == 0 ? RETRY_MIN_MS : p->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : p->retry_ms * 2;
        p->retry_at_ms = d->now_ms + p->retry_ms;
        return 0;
    }
    p->retry_ms = p->retry_at_ms = 0;
    sq_outbox_sent(&p->outbox, number, d->now_ms);
    return 1;
}

/* Nothing goes to a peer before it has shown what it knows of this node: it could be more than this ledger does. */
static int held_back(const struct sq_daemon *d, uint32_t node)
{
    return d->peers[node].asked || !sq_witness_told(d, node);
}

/* Group order is stream order, so what is next in the outbox can go straight from memory. */
void sq_streams_durable(struct sq_daemon *d, const struct sq_group *g)
{
    for (size_t i = 0; i < g->out_count; i++) {
        const struct sq_pending_out *o = &g->outs[i];
        if (o->kind != SQ_OUT_PEER)
            continue;
        struct sq_outbox *box = &d->peers[o->to].outbox;
        sq_outbox_durable(box, o->id);
        if (d->peers[o->to].connected && !held_back(d, o->to) && sq_outbox_next(box, d->now_ms) == o->id)
            send_one(d, o->to, o->id, o->envelope);
    }
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++)
        if (g->peer_heard[node]) {
            uint32_t party = sq_core_node(d->core, node)->party;
            for (size_t i = 0; i < g->entry_count;
                 i++) { /* the last of its messages in this group; later ones are not durable yet */
                struct sq_envelope e;
                if (g->entries[i].type < SANQUAN__V1__MESSAGE_TYPE__GENESIS &&
                    sq_envelope_open(g->entries[i].input, &e, NULL) == SQ_OK &&
                    strcmp(e.sender, sq_core_party(d->core, party)->name) == 0) {
                    d->peers[node].durable_in = e.id;
                    d->peers[node].durable_in_seq = g->entries[i].seq;
                }
            }
            sq_streams_ack(d, node);
        }
}

static void greet_all(struct sq_daemon *d);

/* Since when has a peer not acknowledged anything, though messages wait for it? */
static void note_waiting(const struct sq_daemon *d, struct sq_peer *p)
{
    if (p->outbox.durable == p->outbox.acked)
        p->waiting_ms = 0;
    else if (p->waiting_ms == 0 || p->waiting_acked != p->outbox.acked)
        p->waiting_ms = d->now_ms;
    p->waiting_acked = p->outbox.acked;
}

void sq_streams_flush(struct sq_daemon *d)
{
    greet_all(d);
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        struct sq_peer *p = &d->peers[node];
        uint64_t number;
        note_waiting(d, p);
        while (p->connected && !held_back(d, node) && d->now_ms >= p->retry_at_ms &&
               (number = sq_outbox_next(&p->outbox, d->now_ms)) != 0) {
            struct sq_outbox_put message;
            size_t count;
            sq_arena_reset(&d->scratch);
            if (sq_ledger_outbox(d->ledger, node, number, 1, &d->scratch, &message, &count, NULL) != SQ_OK ||
                count == 0 || message.number != number || !send_one(d, node, number, message.envelope))
                break;
        }
    }
}

static uint64_t due_ms(const struct sq_daemon *d, uint32_t node)
{
    const struct sq_peer *p = &d->peers[node];
    const struct sq_outbox *o = &p->outbox;
    uint64_t at = sq_outbox_due_ms(o) < p->greet_at_ms ? sq_outbox_due_ms(o) : p->greet_at_ms;
    if (held_back(d, node))
        return p->greet_at_ms; /* nothing but the question goes to it */
    if (o->sent < o->durable && o->sent - o->acked < SQ_OUTBOX_WINDOW && d->now_ms + RETRY_MIN_MS < at)
        at = d->now_ms + RETRY_MIN_MS; /* the flush before did not get it away */
    return at != UINT64_MAX && at < p->retry_at_ms ? p->retry_at_ms : at;
}

uint64_t sq_streams_due_ms(const struct sq_daemon *d)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        uint64_t at = d->peers[node].connected ? due_ms(d, node) : UINT64_MAX;
        first = at < first ? at : first;
    }
    return first;
}

static void note_ack(struct sq_group *g, uint32_t node, uint64_t number)
{
    for (size_t i = 0; i < g->ack_count; i++)
        if (g->acks[i].node == node) {
            g->acks[i].number = number;
            return;
        }
    g->acks[g->ack_count++] = (struct sq_outbox_ack){node, number};
}

sq_status sq_streams_hear(struct sq_daemon *d, uint32_t node, const struct sq_arrival *a, struct sq_error *err)
{
    struct sq_envelope e;
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    ProtobufCMessage *m;
    const struct sq_party *peer = sq_core_party(d->core, sq_core_node(d->core, node)->party);
    sq_arena_reset(&d->scratch);
    if (sq_envelope_open(a->bytes, &e, NULL) != SQ_OK || strcmp(e.sender, peer->name) != 0 ||
        strcmp(e.receiver, d->keys->name) != 0 ||
        sq_message_check(&e, sq_directory_network_id(d->directory), peer->key, NULL) != SQ_OK ||
        sq_wire_open(sq_wire_type(e.type), e.body, &memory, &m, NULL) != SQ_OK)
        return SQ_OK;
    d->peers[node].heard_ms = d->now_ms;
    if (e.type == SANQUAN__V1__MESSAGE_TYPE__ACK) {
        uint64_t last = ((const Sanquan__V1__Ack *)m)->last_id;
        if (!sq_recall_ack(d, node, last))
            return SQ_OK; /* what has never been sent cannot have arrived */
        if (sq_outbox_acked(&d->peers[node].outbox, last, d->now_ms))
            note_ack(d->filling, node, last); /* the stored copies go with the next commit */
        else if (last < d->peers[node].outbox.acked)
            sq_log(SQ_LOG_DEBUG, "old_ack", "node=%s last=%" PRIu64, peer->name, last);
        return SQ_OK;
    }
    if (e.type == SANQUAN__V1__MESSAGE_TYPE__HELLO_OK) {
        if (sq_witness_told(d, node)) /* else it is asked again */
            d->peers[node].greet_at_ms = UINT64_MAX;
        return sq_recall_hello(d, node, (const Sanquan__V1__HelloOk *)m, err);
    }
    if (e.type == SANQUAN__V1__MESSAGE_TYPE__WITNESS_TELL)
        return sq_witness_hear(d, node, (const Sanquan__V1__WitnessTell *)m, err);
    if (e.type == SANQUAN__V1__MESSAGE_TYPE__REFUSAL) {
        const Sanquan__V1__Refusal *r = (const Sanquan__V1__Refusal *)m;
        if (r->status == SQ_R_GAP)
            sq_outbox_rewind(&d->peers[node].outbox, r->expected_id);
        else
            sq_log(SQ_LOG_WARNING, "refused_by_peer", "node=%s status=%s id=%" PRIu64, peer->name,
                   sq_status_name(r->status), r->id);
    }
    return SQ_OK;
}

/* ---- greeting: where does my stream to you stand? ---- */

static void greet(struct sq_daemon *d, uint32_t node)
{
    Sanquan__V1__Hello m;
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    sq_bytes body, envelope;
    sanquan__v1__hello__init(&m);
    m.nonce = d->now_ms;
    struct sq_header h = {SANQUAN__V1__MESSAGE_TYPE__HELLO, d->keys->name, name_of(d, node), 0, d->now_ms};
    sq_arena_reset(&d->scratch);
    if (sq_wire_pack(&m.base, &memory, &body, NULL) == SQ_OK &&
        sq_message_seal(&h, body, sq_directory_network_id(d->directory), d->keys->secret, &memory, &envelope, NULL) ==
            SQ_OK)
        (void)!sq_hub_send(d->hub, node, envelope, NULL); /* not connected yet: greeted again soon */
    d->peers[node].greeted_ms = d->now_ms;
    d->peers[node].greet_at_ms = d->now_ms + (d->now_ms < d->opened_ms + GREET_PATIENCE_MS ? GREET_EVERY_MS
                                              : sq_witness_told(d, node)                   ? GREET_LATER_MS
                                                                                           : GREET_UNTOLD_MS);
}

static void greet_all(struct sq_daemon *d)
{
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++)
        if (d->peers[node].connected && d->now_ms >= d->peers[node].greet_at_ms) {
            sq_witness_ask(d, node); /* first: the greeting's answer may wait for a commit, and ends the greeting */
            greet(d, node);
        }
}

void sq_streams_spoken(struct sq_daemon *d, uint32_t node)
{
    struct sq_peer *p = &d->peers[node];
    if (!sq_witness_told(d, node) && p->greet_at_ms > p->greeted_ms + GREET_EVERY_MS)
        p->greet_at_ms = p->greeted_ms + GREET_EVERY_MS;
}

int sq_streams_greeted(const struct sq_daemon *d)
{
    if (!sq_witness_heard_enough(d))
        return 0; /* however long it takes */
    if (d->now_ms >= d->opened_ms + GREET_PATIENCE_MS)
        return 1;
    int connecting = d->now_ms < d->opened_ms + CONNECT_PATIENCE_MS;
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++)
        if (node != sq_core_self(d->core) && d->peers[node].greet_at_ms != UINT64_MAX &&
            (d->peers[node].connected || connecting))
            return 0;
    return 1;
}
