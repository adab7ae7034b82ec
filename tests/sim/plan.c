/*
 * What a seed has in store. Rates are drawn, not only faults: half of all seeds have one kind of fault and plenty of it, the others a
 * mixture, so that a bug that needs much of one thing and a bug that needs two things together both have their seeds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

const char *const sim_fault_names[SIM_FAULTS] = {"loss",           "duplicate", "delay",        "partition",
                                                 "crash",          "slow disk", "commit error", "clock",
                                                 "hostile client", "lie",       "old copy"};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void draw_size(struct sim_plan *p, struct sim_random *r, const struct sim_wish *wish)
{
    uint64_t dice = sim_below(r, 100);
    p->nodes = (uint32_t)(dice < 75   ? sim_between(r, 3, 5)
                          : dice < 90 ? sim_between(r, 6, 8)
                          : dice < 97 ? sim_between(r, 9, 14)
                                      : sim_between(r, 15, SIM_NODES_MAX));
    p->nodes = wish->nodes != 0 ? wish->nodes : p->nodes;
    p->providers = p->nodes <= 5 ? (uint32_t)sim_between(r, 1, 3) : 1;
    p->holders = p->nodes <= 5 ? (uint32_t)sim_between(r, 1, 2) : 1;
    p->requests = (uint32_t)(p->nodes <= 5    ? sim_between(r, 8, 40)
                             : p->nodes <= 8  ? sim_between(r, 6, 16)
                             : p->nodes <= 14 ? sim_between(r, 4, 8)
                                              : 4);
    p->requests = wish->requests != 0 ? wish->requests : p->requests;
    p->think_us = sim_scale(r, 20 * SIM_MS, 1200ull * SIM_SECOND);
    p->bilateral = sim_chance(r, 300);
    p->round_timeout_ms = (uint32_t)sim_scale(r, 100, 5000);
}

static void draw_faults(struct sim_plan *p, struct sim_random *r)
{
    if (sim_chance(r, 500)) {
        p->on[sim_below(r, SIM_FAULTS)] = 1;
        return;
    }
    for (int i = 0; i < SIM_FAULTS; i++)
        p->on[i] = sim_chance(r, 350);
}

void sim_plan_draw(struct sim *s, const struct sim_wish *wish)
{
    struct sim_random random = sim_random_of(s->seed, 1), *r = &random;
    struct sim_plan *p = &s->plan;
    draw_size(p, r, wish);
    draw_faults(p, r);
    for (int i = 0; wish->faults != 0 && i < SIM_FAULTS; i++)
        p->on[i] = wish->faults >> i & 1;
    if (p->on[SIM_LIAR] && p->nodes < 4)
        p->nodes = 4;
    p->on[SIM_CRASH] |= p->on[SIM_OLD_COPY]; /* copies are taken of nodes that are down */
    p->liars = p->on[SIM_LIAR] ? (uint32_t)sim_between(r, 1, (p->nodes - 1) / 3) : 0;
    p->lie_pm = (uint32_t)sim_scale(r, 20, 600);
    uint64_t length = p->requests * p->think_us;
    p->trouble_us = 3 * length + 60ull * SIM_SECOND;
    p->latency_us = sim_scale(r, 200, 60 * SIM_MS);
    p->commit_us = sim_scale(r, 100, 20 * SIM_MS);
    p->loss_pm = p->on[SIM_LOSS] ? (uint32_t)sim_scale(r, 2, 300) : 0;
    p->duplicate_pm = p->on[SIM_DUPLICATE] ? (uint32_t)sim_scale(r, 2, 500) : 0;
    p->slow_pm = p->on[SIM_DELAY] ? (uint32_t)sim_scale(r, 5, 400) : 0;
    p->slow_us = sim_scale(r, 100 * SIM_MS, 30ull * SIM_SECOND);
    p->in_order = !p->on[SIM_DELAY] || sim_chance(r, 200);
    p->slow_disk_pm = p->on[SIM_SLOW_DISK] ? (uint32_t)sim_scale(r, 2, 200) : 0;
    p->slow_commit_us = sim_scale(r, 200 * SIM_MS, 30ull * SIM_SECOND);
    p->commit_error_pm = p->on[SIM_COMMIT_ERROR] ? (uint32_t)sim_scale(r, 1, 8) : 0;
    p->hostile_pm = p->on[SIM_HOSTILE_CLIENT] ? (uint32_t)sim_scale(r, 20, 500) : 0;
    p->crash_every_us = most(length / sim_between(r, 3, 40), p->trouble_us / 60);
    p->down_us = sim_scale(r, 50 * SIM_MS, most(least(length / 3, 1800ull * SIM_SECOND), SIM_SECOND));
    p->partition_every_us = most(length / sim_between(r, 2, 12), SIM_SECOND);
    p->partition_us = sim_scale(r, 200 * SIM_MS, most(least(length / 3, 600ull * SIM_SECOND), 2 * SIM_SECOND));
    p->snapshot_turns_pm = sim_chance(r, 500) ? sim_scale(r, 1, 50) : 0;
}

void sim_plan_print(const struct sim_plan *p, char *out, size_t size)
{
    size_t n = (size_t)snprintf(
        out, size,
        "%u nodes, %u requests a client, %" PRIu64 " us between them, latency %" PRIu64 " us, faults:", p->nodes,
        p->requests, p->think_us, p->latency_us);
    for (int i = 0; i < SIM_FAULTS && n < size; i++)
        if (p->on[i])
            n += (size_t)snprintf(out + n, size - n, " %s,", sim_fault_names[i]);
}

/* ---- what happens by itself ---- */

static void next_fault(struct sim *s, enum sim_fault f, uint64_t every_us)
{
    sim_put(s, s->now_us + sim_between(&s->fault_random, every_us / 4, every_us * 7 / 4), SIM_EV_FAULT, f, 0);
}

void sim_faults_begin(struct sim *s)
{
    struct sim_random *r = &s->fault_random;
    sim_liars_choose(s);
    if (s->plan.on[SIM_CRASH])
        next_fault(s, SIM_CRASH, s->plan.crash_every_us);
    if (s->plan.on[SIM_PARTITION])
        next_fault(s, SIM_PARTITION, s->plan.partition_every_us);
    if (!s->plan.on[SIM_CLOCK])
        return;
    next_fault(s, SIM_CLOCK, s->plan.crash_every_us);
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        s->node[i].clock_ahead_us =
            (int64_t)sim_scale(r, SIM_MS, 5 * SIM_SECOND) * (sim_chance(r, 500) ? 1 : -1) + 5 * (int64_t)SIM_SECOND;
        s->node[i].clock_drift_ppm = (int32_t)sim_below(r, 401) - 200;
    }
}

static void cut_links(struct sim *s)
{
    struct sim_random *r = &s->fault_random;
    uint32_t n = s->plan.nodes, lonely = (uint32_t)sim_below(r, n), kind = (uint32_t)sim_below(r, 4);
    uint8_t side[SIM_NODES_MAX];
    for (uint32_t i = 0; i < n; i++)
        side[i] = (uint8_t)sim_below(r, 2);
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = 0; b < n; b++)
            s->cut[a][b] = kind == 0   ? a == lonely || b == lonely   /* one alone */
                           : kind == 1 ? side[a] != side[b]           /* two camps */
                           : kind == 2 ? a == lonely                  /* one that hears and is not heard */
                                       : (uint8_t)sim_chance(r, 300); /* some links, each way by itself */
    sim_note(s, "partition of kind %u around %s", kind, s->node[lonely].config.node);
}

static void jump_clock(struct sim *s)
{
    struct sim_random *r = &s->fault_random;
    struct sim_node *n = &s->node[sim_below(r, s->plan.nodes)];
    int64_t by = (int64_t)sim_scale(r, 10 * SIM_MS, 7200ull * SIM_SECOND);
    n->clock_ahead_us += n->clock_ahead_us > by || sim_chance(r, 500) ? -by : by;
    if (n->clock_ahead_us < -3600 * (int64_t)SIM_SECOND)
        n->clock_ahead_us = 0;
    sim_note(s, "the clock of %s is now %" PRId64 " ms off", n->config.node, n->clock_ahead_us / 1000);
    if (n->up)
        sim_node_wake(n, s->now_us + 1);
}

void sim_faults_event(struct sim *s, const struct sim_event *e)
{
    struct sim_random *r = &s->fault_random;
    if (e->who == SIM_OLD_COPY)
        sim_backup_late(&s->node[e->token]);
    if (s->phase != SIM_TROUBLE)
        return;
    switch ((enum sim_fault)e->who) {
    case SIM_CRASH: {
        struct sim_node *n = &s->node[sim_below(r, s->plan.nodes)];
        next_fault(s, SIM_CRASH, s->plan.crash_every_us);
        if (!n->up)
            return;
        s->counts.fault[SIM_CRASH]++;
        sim_node_crash(n);
        sim_backup_take(n);
        sim_put(s, s->now_us + sim_between(r, s->plan.down_us / 8, s->plan.down_us * 2), SIM_EV_RESTART, n->index, 0);
        return;
    }
    case SIM_PARTITION:
        if (e->token != 0) { /* this one's end */
            if (e->token == s->partition_token)
                memset(s->cut, 0, sizeof s->cut);
            return;
        }
        next_fault(s, SIM_PARTITION, s->plan.partition_every_us);
        cut_links(s);
        sim_put(s, s->now_us + sim_between(r, s->plan.partition_us / 4, s->plan.partition_us * 2), SIM_EV_FAULT,
                SIM_PARTITION, ++s->partition_token);
        return;
    case SIM_CLOCK:
        next_fault(s, SIM_CLOCK, s->plan.crash_every_us);
        s->counts.fault[SIM_CLOCK]++;
        jump_clock(s);
        return;
    case SIM_LOSS:
    case SIM_DUPLICATE:
    case SIM_DELAY:
    case SIM_SLOW_DISK:
    case SIM_COMMIT_ERROR:
    case SIM_HOSTILE_CLIENT:
    case SIM_LIAR:
    case SIM_OLD_COPY:
    case SIM_FAULTS:
        break; /* these happen to single messages and commits */
    }
}

/*
 * A network goes on when no more are lost than it bears: nodes that are away, and those that have lied, whatever they do now.
 */
uint32_t sim_some_stay_away(struct sim *s)
{
    uint32_t bears = (s->plan.nodes - 1) / 3, away = 0;
    for (uint32_t tries = 0; away + s->plan.liars < bears && tries < 1000; tries++) {
        struct sim_node *n = &s->node[sim_below(&s->fault_random, s->plan.nodes)];
        if (n->liar || n->away)
            continue;
        if (n->up)
            sim_node_crash(n);
        n->away = 1;
        away++;
        sim_note(s, "node %s stays away", n->config.node);
    }
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        const struct sim_node *n = &s->node[i];
        uint64_t open = n->liar || n->away ? 0 : n->final_windows + 1;
        s->quorum_window = open > s->quorum_window ? open : s->quorum_window;
    }
    return away;
}

void sim_all_come_back(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        if (s->node[i].away) {
            s->node[i].away = 0;
            sim_put(s, s->now_us + sim_between(&s->fault_random, 1, SIM_SECOND), SIM_EV_RESTART, i, 0);
        }
}

/* Everything is mended; clocks stay as wrong as they are. */
void sim_faults_end(struct sim *s)
{
    memset(s->cut, 0, sizeof s->cut);
    sim_liars_end(s);
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        if (!s->node[i].up && !s->node[i].dead)
            sim_put(s, s->now_us + sim_between(&s->fault_random, 1, SIM_SECOND), SIM_EV_RESTART, i, 0);
}
