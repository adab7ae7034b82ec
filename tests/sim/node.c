/*
 * One node: the daemon's own turn, group commit and state, with time, threads and death in the simulator's hands.
 *
 *   down --start: the journal is decided again--> up --turn--> up --crash: what was not committed is gone--> down
 *
 * The commit thread is an event: what the front hands over becomes durable some time later, or not, if the node dies before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static struct sim_node *node_of(struct sq_daemon *d)
{
    return (struct sim_node *)(void *)d;
}

uint64_t sim_node_clock_ms(const struct sim_node *n)
{
    int64_t now = (int64_t)n->sim->now_us, drift = now / 1000000 * n->clock_drift_ppm;
    return SIM_EPOCH_MS + (uint64_t)((now + n->clock_ahead_us + drift) / 1000);
}

static uint64_t monotonic_ms(const struct sim_node *n)
{
    return n->sim->now_us / SIM_MS;
}

/* ---- life and death ---- */

static sq_status start(struct sim_node *n, struct sq_error *err)
{
    struct sim *s = n->sim;
    const Sanquan__V1__Genesis *genesis;
    struct sq_daemon *d = &n->d;
    *d = (struct sq_daemon){
        .config = &n->config, .directory = s->directory, .keys = &n->keys, .hub = (struct sq_hub *)(void *)n};
    sq_log_origin(s->directory, n->config.node, d->origin);
    sq_status st = sq_directory_genesis(s->directory, n->config.node, &genesis, err);
    if (st == SQ_OK)
        st = sq_state_open(d, genesis, sim_node_clock_ms(n), err);
    if (st != SQ_OK)
        return st;
    d->peers = calloc(s->plan.nodes, sizeof *d->peers);
    SQ_ASSERT(d->peers != NULL);
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        d->peers[i].connected = i != n->index;
    pthread_mutex_init(&d->mutex, NULL);
    st = sq_streams_open(d, err);
    if (st == SQ_OK)
        st = sq_groups_new(d, err);
    sq_clock_start(&d->clock, sq_core_now_ms(d->core), sim_node_clock_ms(n), monotonic_ms(n));
    d->now_ms = d->clock.now_ms;
    d->cutoff = sq_config_next_cutoff(d->config, d->now_ms);
    return st;
}

static void free_daemon(struct sq_daemon *d)
{
    sq_groups_free(d);
    sq_core_free(d->core);
    sq_ledger_close(d->ledger);
    sq_arena_free(&d->step_arena);
    sq_arena_free(&d->scratch);
    free(d->peers);
    free(d->routes);
    pthread_mutex_destroy(&d->mutex);
    *d = (struct sq_daemon){.config = NULL};
}

void sim_node_start(struct sim_node *n, int from_snapshot)
{
    struct sim *s = n->sim;
    struct sq_error err = {0};
    char snapshot[300];
    if (n->up || n->dead || n->away)
        return;
    snprintf(snapshot, sizeof snapshot, "%s/snapshot", n->path);
    if (!from_snapshot)
        remove(snapshot);
    sq_status st = start(n, &err);
    if (st != SQ_OK) {
        sim_fail(s, "node %s does not start: %s", n->config.node, err.text);
        return;
    }
    n->up = 1;
    n->turn_at_us = SIM_NEVER;
    s->counts.restarts++;
    sim_note(s, "node %s starts at seq %" PRIu64 "%s", n->config.node, sq_core_seq(n->d.core),
             from_snapshot ? ", a snapshot may help" : "");
    sim_check_started(n);
    sim_node_wake(n, s->now_us + 1);
}

void sim_node_stop(struct sim_node *n)
{
    if (!n->up)
        return;
    n->up = 0;
    n->incarnation++;
    sim_inbox_clear(n);
    sq_dump_free(&n->snapshot);
    n->snapshot_taken = 0;
    free_daemon(&n->d);
}

/* Power is cut. A group that was on its way to the disk may have arrived there, whole; nobody has heard of it. */
void sim_node_crash(struct sim_node *n)
{
    struct sim *s = n->sim;
    struct sq_error err;
    int stored = 0;
    if (!n->up)
        return;
    if (n->d.committing != NULL && sim_chance(&s->fault_random, 500))
        stored = sq_group_commit(&n->d, n->d.committing, &err) == SQ_OK;
    sim_note(s, "node %s crashes at seq %" PRIu64 ", durable %" PRIu64 "%s", n->config.node, sq_core_seq(n->d.core),
             sq_ledger_seq(n->d.ledger), stored ? ", the last group just made it" : "");
    sim_node_stop(n);
}

/* ---- turns ---- */

void sim_node_wake(struct sim_node *n, uint64_t at_us)
{
    if (at_us >= n->turn_at_us)
        return;
    n->turn_at_us = at_us;
    sim_put(n->sim, at_us, SIM_EV_TURN, n->index, ++n->turn_token);
}

void sim_node_turn(struct sim_node *n, uint32_t token)
{
    struct sim *s = n->sim;
    struct sq_error err = {0};
    if (!n->up || token != n->turn_token)
        return;
    uint64_t now_ms = sq_clock_read(&n->d.clock, sim_node_clock_ms(n), monotonic_ms(n));
    n->turn_at_us = SIM_NEVER;
    uint32_t messages = n->inbox_count;
    s->counts.turns++;
    sq_status st = sq_front_turn(&n->d, now_ms, &err);
    if (st == SQ_E_FOREIGN && n->on_old_copy) {
        sim_backup_found(n);
        return;
    }
    if (st != SQ_OK) {
        if (!n->d.commit_failed)
            sim_fail(s, "node %s stops by itself: %s", n->config.node, err.text);
        sim_note(s, "node %s stops: %s", n->config.node, err.text);
        sim_node_stop(n); /* a new life starts when the supervisor's time is up */
        sim_put(s, s->now_us + 3 * SIM_SECOND, SIM_EV_RESTART, n->index, 0);
        return;
    }
    if (messages != 0) /* what was decided is handed over by the next turn, which follows at once */
        sim_node_wake(n, s->now_us + 50);
    uint64_t wait_ms = n->d.next_ms > now_ms ? n->d.next_ms - now_ms : 0;
    n->idle_turns = wait_ms == 0 && messages == 0 && n->d.committing == NULL ? n->idle_turns + 1 : 0;
    SIM_CHECK(s, n->idle_turns < 100, "node %s turns and turns, and does nothing", n->config.node);
    if (wait_ms < SIM_NEVER / (4 * SIM_MS))
        sim_node_wake(n, s->now_us + (wait_ms == 0 ? 100 : wait_ms * SIM_MS));
}

/* ---- in place of the commit thread ---- */

int sq_commit_submit(struct sq_daemon *d)
{
    struct sim_node *n = node_of(d);
    struct sim *s = n->sim;
    if (d->committing != NULL || d->done != NULL || d->commit_failed)
        return 0;
    d->committing = d->filling;
    d->filling = d->filling == &d->groups[0] ? &d->groups[1] : &d->groups[0];
    uint64_t takes = sim_between(&s->node_random, s->plan.commit_us / 2, s->plan.commit_us * 3 / 2);
    if (s->phase == SIM_TROUBLE && sim_chance(&s->fault_random, s->plan.slow_disk_pm)) {
        takes = sim_scale(&s->fault_random, s->plan.commit_us, s->plan.slow_commit_us);
        s->counts.fault[SIM_SLOW_DISK]++;
    }
    sim_put(s, s->now_us + takes, SIM_EV_COMMIT, n->index, n->incarnation);
    return 1;
}

struct sq_group *sq_commit_take_done(struct sq_daemon *d, int *failed)
{
    struct sq_group *g = d->done;
    *failed = d->commit_failed;
    d->done = NULL;
    return g;
}

static void write_snapshot(struct sim_node *n)
{
    struct sq_entry last;
    struct sq_error err = {0};
    sq_arena_reset(&n->sim->scratch);
    sq_status st = sq_ledger_read(n->d.ledger, n->snapshot_seq, &n->sim->scratch, &last, &err);
    if (st == SQ_OK)
        st = sq_snapshot_write(n->path, n->snapshot_seq, last.payload_hash, &n->snapshot, &err);
    if (st != SQ_OK)
        sim_fail(n->sim, "node %s: snapshot: %s", n->config.node, err.text);
    sq_dump_free(&n->snapshot);
    sq_core_dump_done(n->d.core);
    n->snapshot_taken = 0;
    n->sim->counts.snapshots++;
}

void sim_node_commit(struct sim_node *n, uint32_t incarnation)
{
    struct sim *s = n->sim;
    struct sq_error err = {0};
    if (!n->up || incarnation != n->incarnation)
        return;
    struct sq_group *g = n->d.committing;
    int fails = s->phase == SIM_TROUBLE && sim_chance(&s->fault_random, s->plan.commit_error_pm),
        stored = !fails || sim_chance(&s->fault_random, 500);
    size_t entries = g->entry_count;
    sq_status st = stored ? sq_group_commit(&n->d, g, &err) : SQ_OK;
    if (st != SQ_OK) {
        sim_fail(s, "node %s: commit: %s", n->config.node, err.text);
        return;
    }
    n->d.committing = NULL;
    n->d.done = g;
    n->d.commit_failed = fails;
    if (stored) {
        s->counts.commits++;
        s->counts.entries += entries;
        sim_check_committed(n);
    }
    if (fails) {
        s->counts.fault[SIM_COMMIT_ERROR]++;
        sim_note(s, "node %s: commit ends with an error, stored: %d", n->config.node, stored);
    } else if (n->snapshot_taken && sq_ledger_seq(n->d.ledger) >= n->snapshot_seq) {
        write_snapshot(n);
    }
    sim_node_wake(n, s->now_us + 1);
}

/* ---- in place of what the machine is ---- */

/* The machine's disk is everybody's: how full it is must not show in an answer, and so in the trace. */
unsigned sq_daemon_disk_permille(const struct sq_daemon *d)
{
    (void)d;
    return 1000;
}

/* ---- in place of the snapshot thread ---- */

void sq_snapshot_maybe(struct sq_daemon *d)
{
    struct sim_node *n = node_of(d);
    if (n->snapshot_taken || !sim_chance(&n->sim->node_random, (uint32_t)n->sim->plan.snapshot_turns_pm))
        return;
    n->snapshot_taken = 1;
    n->snapshot.borrows = (int)sim_chance(&n->sim->node_random, 500); /* as the daemon does; or a copy */
    sq_core_dump(d->core, &n->snapshot);
    n->snapshot_seq = sq_core_seq(d->core);
    if (sq_ledger_seq(d->ledger) >= n->snapshot_seq)
        write_snapshot(n);
}
