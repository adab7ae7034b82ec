/*
 * What must hold, looked at while it happens and when everything is quiet.
 *
 *   sent       nothing leaves a node that is not durable: a peer message is in its outbox byte for byte, a receipt's leaf is in its journal
 *   started    what anyone was shown before is still there: same roots, same leaves; a second writer is refused
 *   committed  every tree is an extension of the ones before
 *   end        both sides of every link agree, all nodes have the same settlements byte for byte, the journal decided again gives the
 *              state in memory, outboxes are empty
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/tree.h"
#include "ops/common/audit.h"
#include "ops/common/replay.h"
#include "peers/client.h"
#include "peers/message.h"
#include "tests/sim/checks.h"

#define SEEN_MAX 64u

void sim_checks_begin(struct sim *s)
{
    s->checks = calloc(1, sizeof *s->checks);
    SQ_ASSERT(s->checks != NULL);
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        s->node[i].model = model_new();
}

void sim_checks_free(struct sim *s)
{
    for (size_t i = 0; i < SIM_WINDOWS_MAX; i++)
        sim_bytes_drop(s->checks->settled[i]);
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        model_free(s->node[i].model);
    free(s->checks);
}

/* ---- the tree only grows ---- */

static void check_tree(struct sim_node *n, const struct sim_seen *seen)
{
    uint8_t root[SQ_HASH_SIZE];
    struct sq_error err = {0};
    sq_status st = sq_ledger_root(n->d.ledger, seen->size, root, &err);
    SIM_CHECK(n->sim, st == SQ_OK && memcmp(root, seen->root, sizeof root) == 0,
              "node %s: the tree of %" PRIu64 " entries is not the one it was: %s", n->config.node, seen->size,
              err.text);
}

/* Keep some of what was shown: all sizes while there are few, then at random places, the newest always. */
static void keep_seen(struct sim_node *n, uint64_t size, const uint8_t root[static SQ_HASH_SIZE])
{
    struct sim_seen *to;
    if (n->seen_count < SEEN_MAX) {
        n->seen = sim_grow(n->seen, n->seen_count, &n->seen_capacity, sizeof *n->seen);
        to = &n->seen[n->seen_count++];
    } else {
        to = &n->seen[size % SEEN_MAX];
    }
    to->size = size;
    memcpy(to->root, root, sizeof to->root);
}

void sim_check_started(struct sim_node *n)
{
    struct sim *s = n->sim;
    struct sq_error err = {0};
    struct sq_ledger *second = NULL;
    struct sq_ledger_options o = {.path = n->path, .map_size = 1u << 30};
    if (n->on_old_copy)
        return;
    for (size_t i = 0; i < n->seen_count && !s->failed; i++)
        check_tree(n, &n->seen[i]);
    sim_opinion_follow(n); /* a crash may have come between a commit and our look at it */
    SIM_CHECK(s, sq_ledger_open(&o, &second, &err) == SQ_E_LOCKED, "node %s: a second writer is let in",
              n->config.node);
    for (uint32_t i = 0; i < s->client_count && !s->failed; i++) {
        const struct sim_client *c = &s->client[i];
        uint8_t leaf[SQ_LEAF_SIZE];
        for (uint32_t k = 0; c->node == n->index && k < c->request_count; k++)
            if (c->request[k].answer != NULL)
                SIM_CHECK(s,
                          sq_ledger_leaf(n->d.ledger, c->request[k].seq, leaf, &err) == SQ_OK &&
                              memcmp(leaf, c->request[k].leaf, sizeof leaf) == 0,
                          "node %s: %s's request %" PRIu64 " was acknowledged in entry %" PRIu64 ", which is gone",
                          n->config.node, c->name, c->request[k].id, c->request[k].seq);
    }
}

void sim_check_committed(struct sim_node *n)
{
    uint64_t size = 0;
    sq_bytes note;
    if (n->on_old_copy)
        return;
    if (n->seen_count != 0 && sim_chance(&n->sim->node_random, 100))
        check_tree(n, &n->seen[sim_below(&n->sim->node_random, n->seen_count)]);
    sim_opinion_follow(n);
    if (sim_chance(&n->sim->node_random, 50))
        sim_opinion_compare(n);
    sq_arena_reset(&n->sim->scratch);
    sq_status st = sq_ledger_checkpoint(n->d.ledger, &n->sim->scratch, &note, &size, NULL);
    SIM_CHECK(n->sim, st == SQ_OK && size == sq_ledger_seq(n->d.ledger),
              "node %s: the checkpoint is of %" PRIu64 " entries, the journal has %" PRIu64, n->config.node, size,
              sq_ledger_seq(n->d.ledger));
    if (st == SQ_OK)
        sim_mix_bytes(n->sim, note.data, note.size);
}

/* ---- nothing leaves before it is durable ---- */

static void check_peer_message(struct sim_node *n, const struct sq_envelope *e, const struct sim_packet *p)
{
    struct sq_outbox_put kept;
    size_t count = 0;
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__HELLO && e->id == 0)
        return; /* a question, not of the stream */
    sq_arena_reset(&n->sim->scratch);
    sq_status st = sq_ledger_outbox(n->d.ledger, p->to.index, e->id, 1, &n->sim->scratch, &kept, &count, NULL);
    SIM_CHECK(n->sim,
              st == SQ_OK && count == 1 && kept.number == e->id && kept.envelope.size == p->bytes->size &&
                  memcmp(kept.envelope.data, p->bytes->data, p->bytes->size) == 0,
              "node %s sends message %" PRIu64 " to %s, which is not in its outbox", n->config.node, e->id,
              e->receiver);
}

static void check_receipt_sent(struct sim_node *n, const struct sq_envelope *e)
{
    uint8_t leaf[SQ_LEAF_SIZE];
    Sanquan__V1__Receipt *m = sanquan__v1__receipt__unpack(NULL, e->body.size, e->body.data);
    SIM_CHECK(n->sim,
              m != NULL && m->leaf.len == SQ_LEAF_SIZE &&
                  sq_ledger_leaf(n->d.ledger, m->index + 1, leaf, NULL) == SQ_OK &&
                  memcmp(leaf, m->leaf.data, sizeof leaf) == 0,
              "node %s sends a receipt of what is not in its journal", n->config.node);
    if (m != NULL)
        sanquan__v1__receipt__free_unpacked(m, NULL);
}

void sim_check_sent(struct sim_node *n, const struct sim_packet *p)
{
    struct sq_envelope e;
    if (sq_envelope_open(sq_bytes_of(p->bytes->data, p->bytes->size), &e, NULL) != SQ_OK) {
        sim_fail(n->sim, "node %s sends what is no envelope", n->config.node);
        return;
    }
    sim_backup_sends(n, &e, p->answer);
    if (!p->answer)
        check_peer_message(n, &e, p);
    else if (e.type == SANQUAN__V1__MESSAGE_TYPE__RECEIPT)
        check_receipt_sent(n, &e);
    else if (e.type == SANQUAN__V1__MESSAGE_TYPE__QUERY_ANSWER)
        sim_reader_told(n, &e);
}

void sim_check_receipt(struct sim *s, struct sim_client *c, struct sim_request *r, const Sanquan__V1__Receipt *m,
                       const Sanquan__V1__Answer *a)
{
    struct sim_node *n = &s->node[c->node];
    struct sq_error err = {0};
    char origin[SQ_ORIGIN_SIZE];
    struct sq_note_key key = {0};
    struct sq_checkpoint checkpoint;
    uint64_t verified;
    sq_bytes body;
    sq_log_origin(s->directory, n->config.node, origin);
    sq_status st = sq_receipt_verify(m, origin, n->keys.log_public, &err);
    SIM_CHECK(s, st == SQ_OK, "%s: receipt of request %" PRIu64 " does not verify: %s", c->name, a->id, err.text);
    memcpy(key.name, origin, sizeof origin);
    memcpy(key.key, n->keys.log_public, SQ_KEY_SIZE);
    if (s->failed ||
        sq_note_open(sq_bytes_of(m->checkpoint, strlen(m->checkpoint)), &key, 1, sq_ed25519_check, &body, &verified,
                     NULL) != SQ_OK ||
        sq_checkpoint_parse(body, &checkpoint, NULL) != SQ_OK)
        return;
    keep_seen(n, checkpoint.size, checkpoint.root);
    if (!r->answered) {
        r->seq = m->index + 1;
        memcpy(r->leaf, m->leaf.data, SQ_LEAF_SIZE);
    }
    SIM_CHECK(s, r->seq == m->index + 1 && memcmp(r->leaf, m->leaf.data, SQ_LEAF_SIZE) == 0,
              "%s: request %" PRIu64 " is in two entries", c->name, a->id);
}

/* ---- all agree ---- */

static int same_link(const struct sim *s, uint32_t debtor, uint32_t creditor, int settled)
{
    struct sq_link_view here, there;
    sq_settlement_link(sq_core_settlement(s->node[debtor].d.core), debtor, creditor, &here);
    sq_settlement_link(sq_core_settlement(s->node[creditor].d.core), debtor, creditor, &there);
    return here.last.number == there.last.number && memcmp(here.last.hash, there.last.hash, SQ_HASH_SIZE) == 0 &&
           here.last.count == there.last.count &&
           memcmp(here.last.total_fen, there.last.total_fen, sizeof here.last.total_fen) == 0 &&
           here.settled_number == there.settled_number && (!settled || here.settled_number == here.last.number);
}

int sim_check_quorum(const struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        const struct sim_node *n = &s->node[i];
        if (!n->liar && !n->away && (!n->up || n->final_windows < s->quorum_window))
            return 0;
    }
    return 1;
}

void sim_check_audit(struct sim *s)
{
    uint32_t first = (uint32_t)sim_below(&s->node_random, s->plan.nodes);
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        struct sim_node *n = &s->node[(first + i) % s->plan.nodes];
        struct sq_audit_options o = {.path = n->path, .directory = s->directory, .threads = 1, .map_size = 1u << 30};
        struct sq_audit_report r;
        struct sq_audit *a = NULL;
        struct sq_error err = {0};
        if (n->liar)
            continue;
        sim_node_stop(n);
        sq_status st = sq_audit_open(&o, &a, &err);
        if (st == SQ_OK)
            st = sq_audit_run(a, &r, &err);
        SIM_CHECK(s, st == SQ_OK, "node %s: its ledger does not pass the audit: %s", n->config.node, err.text);
        sq_audit_free(a);
        return;
    }
}

int sim_check_settled(struct sim *s)
{
    uint64_t open = 0;
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        if (s->node[i].liar)
            continue;
        const struct sq_settlement *t = sq_core_settlement(s->node[i].d.core);
        struct sq_window_view w;
        uint64_t now_open = sq_settlement_open_window(t);
        if (open != 0 && now_open != open)
            return 0;
        open = now_open;
        if (open < 2 || sq_settlement_window(t, open - 1, &w, NULL) != SQ_OK || w.state < SQ_WINDOW_FINAL)
            return 0;
    }
    for (uint32_t a = 0; a < s->plan.nodes; a++)
        for (uint32_t b = 0; b < s->plan.nodes; b++)
            if (a != b && !s->node[a].liar && !s->node[b].liar && !same_link(s, a, b, 1))
                return 0;
    return 1;
}

static void check_replay(struct sim_node *n)
{
    struct sq_core *again = NULL;
    struct sq_error err = {0};
    struct sq_dump live = {0}, replayed = {0};
    sq_status st = sq_replay(n->d.ledger, NULL, sq_ed25519_key_ok, NULL, NULL, &again, NULL, &err);
    SIM_CHECK(n->sim, st == SQ_OK, "node %s: the journal decided again: %s", n->config.node, err.text);
    if (st != SQ_OK)
        return;
    sq_core_dump(n->d.core, &live);
    sq_core_dump(again, &replayed);
    SIM_CHECK(n->sim, live.size == replayed.size && memcmp(live.bytes, replayed.bytes, live.size) == 0,
              "node %s: the journal decided again gives another state", n->config.node);
    sim_mix_bytes(n->sim, replayed.bytes, replayed.size);
    sq_dump_free(&live);
    sq_dump_free(&replayed);
    sq_core_free(again);
}

static void check_outbox(struct sim_node *n)
{
    struct sim *s = n->sim;
    for (uint32_t i = 0; i < s->plan.nodes && !s->failed; i++) {
        const struct sim_node *peer = &s->node[i];
        if (i == n->index || peer->liar)
            continue;
        uint64_t sent = sq_core_peer_next(n->d.core, i) - 1;
        const struct sq_party *us = sq_core_party(peer->d.core, sq_core_node(peer->d.core, n->index)->party);
        SIM_CHECK(s, us->last_id == sent, "node %s sent %" PRIu64 " messages to %s, which has %" PRIu64, n->config.node,
                  sent, peer->config.node, us->last_id);
    }
}

void sim_check_end(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.nodes && !s->failed; i++) {
        struct sim_node *n = &s->node[i];
        if (n->liar)
            continue;
        SIM_CHECK(s, n->final_windows + 1 == sq_settlement_open_window(sq_core_settlement(n->d.core)),
                  "node %s: %" PRIu64 " windows are final, %" PRIu64 " is open", n->config.node, n->final_windows,
                  sq_settlement_open_window(sq_core_settlement(n->d.core)));
        for (size_t k = 0; k < n->seen_count; k++)
            check_tree(n, &n->seen[k]);
        check_outbox(n);
        check_replay(n);
    }
    if (!s->failed)
        sim_opinion_end(s);
    if (!s->failed)
        sim_hostile_end(s);
}
