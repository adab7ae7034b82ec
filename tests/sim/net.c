/*
 * The network between ends: each message is lost, doubled, late or in time as the plan of the seed has it.
 *
 * A link that keeps order (most seeds: TCP does) never lets a message overtake another of its direction; where the plan delays, links
 * keep no order, which is harsher than what sockets do.
 */
#include <stdlib.h>

#include "tests/sim/sim.h"

static uint64_t *last_on_link(struct sim *s, const struct sim_packet *p)
{
    if (p->from.kind == SIM_END_NODE && p->to.kind == SIM_END_NODE)
        return &s->link_last_us[p->from.index][p->to.index][p->answer];
    return p->from.kind == SIM_END_CLIENT ? &s->client_last_us[p->from.index][0] : &s->client_last_us[p->to.index][1];
}

static uint64_t arrival(struct sim *s, const struct sim_packet *p)
{
    uint64_t mean = s->plan.latency_us, at = s->now_us + sim_between(&s->net, mean / 4, mean + mean * 3 / 4);
    if (s->phase == SIM_TROUBLE && sim_chance(&s->net, s->plan.slow_pm)) {
        s->counts.fault[SIM_DELAY]++;
        at += sim_scale(&s->net, mean, s->plan.slow_us);
    }
    uint64_t *last = last_on_link(s, p);
    if (s->plan.in_order && at <= *last)
        at = *last + 1;
    *last = at;
    return at;
}

static void put(struct sim *s, const struct sim_packet *p)
{
    struct sim_event e = {.at_us = arrival(s, p), .kind = SIM_EV_DELIVER, .packet = *p};
    p->bytes->references++;
    sim_queue_put(&s->queue, &e);
}

/* The caller keeps its own reference to the bytes. */
void sim_send(struct sim *s, const struct sim_packet *p)
{
    int between_nodes = p->from.kind == SIM_END_NODE && p->to.kind == SIM_END_NODE, trouble = s->phase == SIM_TROUBLE;
    s->counts.messages++;
    if (between_nodes && s->cut[p->from.index][p->to.index]) {
        s->counts.fault[SIM_PARTITION]++;
        return;
    }
    if (trouble && sim_chance(&s->net, s->plan.loss_pm)) {
        s->counts.fault[SIM_LOSS]++;
        return;
    }
    put(s, p);
    if (trouble && sim_chance(&s->net, s->plan.duplicate_pm)) {
        s->counts.fault[SIM_DUPLICATE]++;
        put(s, p);
    }
}

void sim_deliver(struct sim *s, const struct sim_packet *p)
{
    struct sim_node *n = p->to.kind == SIM_END_NODE ? &s->node[p->to.index] : NULL;
    s->counts.delivered++;
    if (n == NULL) {
        sim_client_hear(s, &s->client[p->to.index], p);
        sim_bytes_drop(p->bytes);
    } else if (!n->up) {
        sim_bytes_drop(p->bytes);
    } else {
        if (n->inbox_count == n->inbox_capacity) {
            uint32_t capacity = n->inbox_capacity == 0 ? 64 : n->inbox_capacity * 2;
            struct sim_packet *grown = malloc(capacity * sizeof *grown);
            SQ_ASSERT(grown != NULL);
            for (uint32_t i = 0; i < n->inbox_count; i++)
                grown[i] = n->inbox[(n->inbox_first + i) % n->inbox_capacity];
            free(n->inbox);
            n->inbox = grown;
            n->inbox_first = 0;
            n->inbox_capacity = capacity;
        }
        n->inbox[(n->inbox_first + n->inbox_count++) % n->inbox_capacity] = *p;
        sim_node_wake(n, s->now_us + sim_between(&s->net, 10, 90));
    }
}
