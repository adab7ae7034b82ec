/*
 * An operator's mistake: a node is started from an old copy of its ledger.
 *
 * It would give numbers to new messages that its peers have had before, and forget what it has acknowledged. Its peers know better, so it
 * must find out before it does anything that counts: here, when all can be reached. Then the operator puts the right ledger back.
 *
 *   down in the middle of the trouble: a copy is taken
 *   all is quiet, windows are to be closed --the old copy is put in place--> up, asks its peers --must stop by itself--> the right one again
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define FOUND_WITHIN_US (10ull * SIM_SECOND)

struct paths {
    char old[300], right[300];
};

static struct paths paths_of(const struct sim_node *n)
{
    struct paths p;
    snprintf(p.old, sizeof p.old, "%s.old", n->path);
    snprintf(p.right, sizeof p.right, "%s.right", n->path);
    return p;
}

static void move(struct sim_node *n, const char *from, const char *to)
{
    if (rename(from, to) != 0)
        sim_fail(n->sim, "%s does not become %s", from, to);
}

/* The node is down. */
void sim_backup_take(struct sim_node *n)
{
    char command[1000];
    struct paths p = paths_of(n);
    if (!n->sim->plan.on[SIM_OLD_COPY] || n->liar || (n->has_old_copy && sim_chance(&n->sim->fault_random, 500)))
        return;
    snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", p.old, n->path, p.old);
    if (system(command) != 0)
        sim_fail(n->sim, "no copy: %s", command);
    n->has_old_copy = 1;
}

/* Does a peer that can be asked have messages of this node that its ledger knows nothing of? */
static int somebody_knows_more(const struct sim_node *n)
{
    const struct sim *s = n->sim;
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        const struct sim_node *peer = &s->node[i];
        if (i != n->index && peer->up &&
            sq_core_party(peer->d.core, sq_core_node(peer->d.core, n->index)->party)->last_id >=
                sq_core_peer_next(n->d.core, i))
            return 1;
    }
    return 0;
}

static void put_right(struct sim_node *n)
{
    char command[400];
    struct paths p = paths_of(n);
    sim_node_stop(n);
    n->on_old_copy = 0;
    snprintf(command, sizeof command, "rm -rf '%s'", n->path);
    if (system(command) != 0)
        sim_fail(n->sim, "%s stays", n->path);
    move(n, p.right, n->path);
    sim_put(n->sim, n->sim->now_us + SIM_SECOND, SIM_EV_RESTART, n->index, 0);
}

/* All is quiet, and every node is up: the mistake is made at one of them. */
void sim_backup_restore(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.nodes && !s->failed; i++) {
        struct sim_node *n = &s->node[i];
        struct paths p = paths_of(n);
        if (!n->has_old_copy || !n->up)
            continue;
        n->has_old_copy = 0;
        sim_node_stop(n);
        move(n, n->path, p.right);
        move(n, p.old, n->path);
        n->on_old_copy = 1;
        sim_node_start(n, 1);
        if (s->failed)
            return;
        if (!somebody_knows_more(n)) { /* nothing has left it since */
            put_right(n);
            continue;
        }
        s->counts.fault[SIM_OLD_COPY]++;
        n->old_copy_seq = sq_core_seq(n->d.core);
        sim_put(s, s->now_us + FOUND_WITHIN_US, SIM_EV_FAULT, SIM_OLD_COPY, i);
        sim_note(s, "node %s is started from an old copy, at seq %" PRIu64, n->config.node, n->old_copy_seq);
        return;
    }
}

/* It has stopped by itself. */
void sim_backup_found(struct sim_node *n)
{
    sim_note(n->sim, "node %s has found out that its ledger is an old copy", n->config.node);
    put_right(n);
}

void sim_backup_late(struct sim_node *n)
{
    SIM_CHECK(n->sim, !n->on_old_copy, "node %s works on with an old copy of its ledger", n->config.node);
}

/* Nothing that it says may count. */
void sim_backup_sends(struct sim_node *n, const struct sq_envelope *e, int answer)
{
    struct sim *s = n->sim;
    if (!n->on_old_copy || n->old_copy_seq == 0)
        return;
    SIM_CHECK(s, !answer || e->type != SANQUAN__V1__MESSAGE_TYPE__RECEIPT,
              "node %s sends a receipt from an old copy of its ledger", n->config.node);
    SIM_CHECK(s, answer || sq_ledger_seq(n->d.ledger) == n->old_copy_seq,
              "node %s says something new to %s from an old copy of its ledger", n->config.node, e->receiver);
}
