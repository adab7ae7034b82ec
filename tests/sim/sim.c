/*
 * A run: events one after another, phases, the trace.
 *
 *   TROUBLE --work is done, or time is over--> HEALING --all answered, all delivered--> CLOSING --nothing left to settle--> DONE
 *                                                 \--not within an hour-------> violation <------not within twelve rounds--/
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define HEAL_WITHIN_US (3600ull * SIM_SECOND)
#define CLOSE_ROUND_US (60ull * SIM_SECOND)
#define CLOSE_ROUNDS   12u
#define EVENTS_MAX     100000000u

/* ---- the trace ---- */

void sim_mix(struct sim *s, uint64_t value)
{
    s->hash = (s->hash ^ value) * 0x9e3779b97f4a7c15u;
    s->hash ^= s->hash >> 29;
}

void sim_mix_bytes(struct sim *s, const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t word;
    for (; size >= sizeof word; size -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        sim_mix(s, word);
    }
    for (; size > 0; size--)
        sim_mix(s, *p++);
}

static void note(struct sim *s, const char *format, va_list args)
{
    char *line = s->lines[s->line_count++ % SIM_LINES];
    int n = snprintf(line, SIM_LINE, "%8" PRIu64 " %12.6f s  ", s->counts.events, (double)s->now_us / 1e6);
    vsnprintf(line + n, SIM_LINE - (size_t)n, format, args);
    if (s->trace)
        fprintf(stderr, "%s\n", line);
}

void sim_note(struct sim *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(s, format, args);
    va_end(args);
}

void sim_fail(struct sim *s, const char *format, ...)
{
    va_list args;
    if (s->failed)
        return;
    s->failed = 1;
    va_start(args, format);
    vsnprintf(s->failure, sizeof s->failure, format, args);
    va_end(args);
    sim_note(s, "VIOLATION %s", s->failure);
}

/* What a run that does not come to rest is waiting for. */
static void print_unrest(const struct sim *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        const struct sim_client *c = &s->client[i];
        if (c->first_open < c->request_count)
            fprintf(stderr, "  %s waits for the answer to request %" PRIu64 " of type %u\n", c->name,
                    c->request[c->first_open].id, c->request[c->first_open].type);
    }
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        const struct sim_node *n = &s->node[i];
        if (!n->up) {
            fprintf(stderr, "  node %s is down\n", n->config.node);
            continue;
        }
        struct sq_core_totals t;
        struct sq_window_view w = {.window = 0};
        const struct sq_settlement *settlement = sq_core_settlement(n->d.core);
        uint64_t open = sq_settlement_open_window(settlement);
        sq_core_totals(n->d.core, &t);
        if (open < 2 || sq_settlement_window(settlement, open - 1, &w, NULL) != SQ_OK)
            w.state = SQ_WINDOW_OPEN;
        fprintf(stderr,
                "  node %s: window %" PRIu64 " is open, the one before in state %d round %u, %" PRIu64 " batches wait",
                n->config.node, open, (int)w.state, w.round, t.batches_waiting);
        for (uint32_t k = 0; k < s->plan.nodes; k++)
            if (n->d.peers[k].outbox.acked != n->d.peers[k].outbox.durable)
                fprintf(stderr, ", %s has %" PRIu64 " of %" PRIu64, s->node[k].config.node, n->d.peers[k].outbox.acked,
                        n->d.peers[k].outbox.durable);
        fprintf(stderr, "\n");
    }
}

static void print_failure(const struct sim *s)
{
    char plan[400];
    uint64_t first = s->line_count > 60 && !s->trace ? s->line_count - 60 : 0;
    sim_plan_print(&s->plan, plan, sizeof plan);
    fprintf(stderr, "seed %" PRIu64 ", event %" PRIu64 ": %s\n  %s\n", s->seed, s->counts.events, s->failure, plan);
    if (s->line_count - first > SIM_LINES)
        first = s->line_count - SIM_LINES;
    for (uint64_t i = first; !s->trace && i < s->line_count; i++)
        fprintf(stderr, "  %s\n", s->lines[i % SIM_LINES]);
    if (s->phase != SIM_TROUBLE)
        print_unrest(s);
}

/* ---- phases ---- */

void sim_put(struct sim *s, uint64_t at_us, enum sim_event_kind kind, uint32_t who, uint32_t token)
{
    struct sim_event e = {.at_us = at_us, .kind = kind, .who = who, .token = token};
    sim_queue_put(&s->queue, &e);
}

static void enter(struct sim *s, enum sim_phase phase)
{
    static const char *const names[] = {"trouble", "quorum", "healing", "closing", "done"};
    s->phase = phase;
    s->phase_at_us = s->now_us;
    sim_note(s, "phase: %s", names[phase]);
}

static int work_is_done(const struct sim *s)
{
    for (uint32_t i = 0; i < s->client_count; i++)
        if (s->client[i].quota != 0)
            return 0;
    return sim_clients_idle(s);
}

static int all_delivered(const struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        const struct sim_node *n = &s->node[i];
        struct sq_core_totals t;
        if (n->liar)
            continue;
        if (!n->up || n->d.filling->entry_count != 0 || n->d.committing != NULL || n->d.done != NULL)
            return 0;
        sq_core_totals(n->d.core, &t);
        if (t.batches_waiting != 0 && s->plan.liars == 0)
            return 0;
        for (uint32_t k = 0; k < s->plan.nodes; k++)
            if (!s->node[k].liar && n->d.peers[k].outbox.acked != n->d.peers[k].outbox.durable)
                return 0;
    }
    return 1;
}

static void cut_everywhere(struct sim *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct sim_client *c = &s->client[i];
        const struct sim_node *n = &s->node[c->node];
        if (c->role != SQ_ROLE_OPERATOR || strstr(c->name, "/li") == NULL || !n->up)
            continue;
        Sanquan__V1__WindowCut m;
        sanquan__v1__window_cut__init(&m);
        m.window = sq_settlement_open_window(sq_core_settlement(n->d.core));
        sq_arena_reset(&s->scratch);
        sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base);
    }
}

static void watch(struct sim *s)
{
    uint64_t lasted = s->now_us - s->phase_at_us;
    int quiet = sim_clients_idle(s) && all_delivered(s);
    sim_put(s, s->now_us + (s->phase == SIM_TROUBLE ? 5 * SIM_SECOND : SIM_SECOND / 4), SIM_EV_WATCH, 0, 0);
    switch (s->phase) {
    case SIM_TROUBLE:
        if (!work_is_done(s) && lasted < s->plan.trouble_us)
            return;
        sim_faults_end(s);
        enter(s, sim_some_stay_away(s) != 0 ? SIM_QUORUM : SIM_HEALING);
        return;
    case SIM_QUORUM:
        if (sim_check_quorum(s)) {
            enter(s, SIM_HEALING);
            sim_all_come_back(s);
        } else if (lasted > HEAL_WITHIN_US) {
            sim_fail(s, "an hour after a quorum was mended, window %" PRIu64 " is not final at all of it",
                     s->quorum_window);
        } else if (s->quorum_rounds <= lasted / CLOSE_ROUND_US) {
            s->quorum_rounds++;
            cut_everywhere(s);
        }
        return;
    case SIM_HEALING:
        if (quiet) {
            enter(s, SIM_CLOSING);
            sim_backup_restore(s);
        } else if (lasted > HEAL_WITHIN_US) {
            sim_fail(s, "an hour after everything was mended, something is still unanswered or undelivered");
        }
        return;
    case SIM_CLOSING: {
        uint32_t round = (uint32_t)(lasted / CLOSE_ROUND_US);
        if (quiet && sim_check_settled(s)) {
            enter(s, SIM_DONE);
        } else if (round >= CLOSE_ROUNDS) {
            sim_fail(s, "after %u rounds of cuts the windows do not close alike", round);
        } else if (s->counts.cut_rounds == round) {
            s->counts.cut_rounds++;
            cut_everywhere(s);
        }
        return;
    }
    case SIM_DONE:
        return;
    }
}

/* ---- one run ---- */

static void handle(struct sim *s, struct sim_event *e)
{
    s->now_us = e->at_us;
    s->counts.events++;
    sim_mix(s, e->at_us);
    sim_mix(s, (uint64_t)e->kind << 32 | e->who);
    switch ((enum sim_event_kind)e->kind) {
    case SIM_EV_TURN:
        sim_node_turn(&s->node[e->who], e->token);
        break;
    case SIM_EV_COMMIT:
        sim_node_commit(&s->node[e->who], e->token);
        break;
    case SIM_EV_DELIVER:
        sim_mix_bytes(s, e->packet.bytes->data, e->packet.bytes->size);
        sim_deliver(s, &e->packet);
        break;
    case SIM_EV_CLIENT:
        sim_client_wake(&s->client[e->who], s, e->token);
        break;
    case SIM_EV_FAULT:
        sim_faults_event(s, e);
        break;
    case SIM_EV_RESTART:
        sim_node_start(&s->node[e->who], sim_chance(&s->fault_random, 700) != 0);
        break;
    case SIM_EV_WATCH:
        watch(s);
        break;
    }
}

static void begin(struct sim *s, uint64_t seed, const struct sim_wish *wish, const char *dir, int trace)
{
    char command[400];
    s->seed = seed;
    s->dir = dir;
    s->trace = trace;
    s->lines = calloc(SIM_LINES, sizeof *s->lines);
    SQ_ASSERT(s->lines != NULL && sq_arena_init(&s->scratch, 8u << 20, NULL) == SQ_OK);
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir -p '%s'", dir, dir);
    if (system(command) != 0)
        sim_fail(s, "no room to work at %s", dir);
    s->net = sim_random_of(seed, 2);
    s->work_random = sim_random_of(seed, 3);
    s->fault_random = sim_random_of(seed, 4);
    s->node_random = sim_random_of(seed, 5);
    s->now_us = sim_below(&s->node_random, 86400ull * SIM_SECOND);
    sim_plan_draw(s, wish);
    sim_checks_begin(s);
    sim_people(s);
    sim_faults_begin(s);
    for (uint32_t i = 0; i < s->plan.nodes && !s->failed; i++)
        sim_node_start(&s->node[i], 0);
    sim_clients_begin(s);
    enter(s, SIM_TROUBLE);
    sim_put(s, s->now_us + SIM_SECOND, SIM_EV_WATCH, 0, 0);
}

static void end(struct sim *s)
{
    char command[400];
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        sim_node_stop(&s->node[i]);
        free(s->node[i].inbox);
        free(s->node[i].seen);
        free(s->node[i].config.node);
    }
    for (uint32_t i = 0; i < s->client_count; i++)
        sim_client_free(&s->client[i]);
    sim_queue_free(&s->queue);
    sim_work_free(&s->work);
    sim_checks_free(s);
    sq_directory_free(s->directory);
    sq_arena_free(&s->scratch);
    free(s->lines);
    snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
    if (system(command) != 0)
        fprintf(stderr, "%s is left behind\n", s->dir);
}

void sim_run(uint64_t seed, const struct sim_wish *wish, const char *dir, int trace, struct sim_result *out)
{
    struct sim *s = calloc(1, sizeof *s);
    struct sim_event e;
    SQ_ASSERT(s != NULL);
    begin(s, seed, wish, dir, trace);
    uint64_t began_us = s->now_us;
    while (!s->failed && s->phase != SIM_DONE && sim_queue_take(&s->queue, &e)) {
        handle(s, &e);
        if (s->counts.events >= EVENTS_MAX)
            sim_fail(s, "%u events and no end", EVENTS_MAX);
    }
    if (!s->failed)
        sim_check_end(s);
    if (!s->failed)
        sim_check_audit(s);
    *out = (struct sim_result){.seed = seed,
                               .hash = s->hash,
                               .simulated_us = s->now_us - began_us,
                               .counts = s->counts,
                               .plan = s->plan,
                               .failed = s->failed};
    memcpy(out->failure, s->failure, sizeof out->failure);
    if (s->failed)
        print_failure(s);
    end(s);
    free(s);
}
