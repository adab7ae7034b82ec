/*
 * In place of peers/hub.c: the same calls over the simulated network.
 *
 * A route names the other end and, for a node, which of its lives opened the connection: an answer to an earlier life goes nowhere, as on a
 * TCP connection that is gone. The hub's list of allowed keys is not played; who speaks on a connection is the simulator's own knowledge.
 */
#include <string.h>

#include "tests/sim/sim.h"

static struct sim_node *node_of(struct sq_hub *h)
{
    return (struct sim_node *)(void *)h;
}

static struct sq_route route_to(struct sim_end end, uint32_t incarnation)
{
    struct sq_route r = {.size = 8};
    sq_put_be32(r.id, end.kind << 24 | end.index);
    sq_put_be32(r.id + 4, incarnation);
    return r;
}

static const char *name_of(const struct sim *s, struct sim_end end)
{
    return end.kind == SIM_END_NODE ? s->node[end.index].name : s->client[end.index].name;
}

void sim_inbox_clear(struct sim_node *n)
{
    for (; n->inbox_count > 0; n->inbox_count--, n->inbox_first = (n->inbox_first + 1) % n->inbox_capacity)
        sim_bytes_drop(n->inbox[n->inbox_first].bytes);
    sim_bytes_drop(n->current);
    n->current = NULL;
}

void sq_hub_pause(struct sq_hub *h, int timeout_ms)
{
    (void)h;
    (void)timeout_ms; /* simulated time goes on by itself */
}

/* No simulated message is bulk. */
void sq_hub_hold_bulk(struct sq_hub *h, int hold)
{
    (void)h;
    (void)hold;
}

sq_status sq_hub_receive(struct sq_hub *h, int timeout_ms, int extra_fd, struct sq_arrival *out, struct sq_error *err)
{
    struct sim_node *n = node_of(h);
    (void)timeout_ms;
    (void)extra_fd;
    (void)err;
    *out = (struct sq_arrival){.from = ""};
    sim_bytes_drop(n->current);
    n->current = NULL;
    if (n->inbox_count == 0)
        return SQ_OK;
    struct sim_packet p = n->inbox[n->inbox_first];
    n->inbox_first = (n->inbox_first + 1) % n->inbox_capacity;
    n->inbox_count--;
    n->current = p.bytes;
    out->bytes = sq_bytes_of(p.bytes->data, p.bytes->size);
    if (p.answer) {
        out->from_peer = 1;
        out->node = p.from.index;
    } else {
        strcpy(out->from, name_of(n->sim, p.from));
        out->route = p.route;
    }
    return SQ_OK;
}

static void send_from(struct sim_node *n, struct sim_packet *p, sq_bytes bytes)
{
    p->from = (struct sim_end){SIM_END_NODE, n->index};
    p->bytes = sim_bytes_new(bytes);
    sim_check_sent(n, p);
    sim_liar_sends(n, p);
    sim_send(n->sim, p);
    sim_bytes_drop(p->bytes);
}

sq_status sq_hub_reply(struct sq_hub *h, const struct sq_route *route, sq_bytes bytes, struct sq_error *err)
{
    struct sim_node *n = node_of(h);
    uint32_t end = sq_get_be32(route->id);
    struct sim_packet p = {.to = {end >> 24, end & 0xffffffu}, .answer = 1};
    if (p.to.kind == SIM_END_NODE &&
        (!n->sim->node[p.to.index].up || n->sim->node[p.to.index].incarnation != sq_get_be32(route->id + 4)))
        return sq_fail(err, SQ_E_NETWORK, "the connection is gone");
    send_from(n, &p, bytes);
    return SQ_OK;
}

sq_status sq_hub_send(struct sq_hub *h, uint32_t node, sq_bytes bytes, struct sq_error *err)
{
    struct sim_node *n = node_of(h);
    struct sim_packet p = {.to = {SIM_END_NODE, node},
                           .route = route_to((struct sim_end){SIM_END_NODE, n->index}, n->incarnation)};
    if (!n->sim->node[node].up)
        return sq_fail(err, SQ_E_NETWORK, "not connected");
    send_from(n, &p, bytes);
    return SQ_OK;
}

sq_status sq_hub_allow(struct sq_hub *h, const uint8_t transport_key[static SQ_KEY_SIZE], const char *name,
                       struct sq_error *err)
{
    (void)h;
    (void)transport_key;
    (void)name;
    (void)err;
    return SQ_OK;
}

/* Another thread has something for the front: the simulator has no other threads, and nothing to wake. */
void sq_hub_wake(struct sq_hub *h)
{
    sim_node_wake(node_of(h), node_of(h)->sim->now_us + 1);
}

/* Nobody in the simulator asks how many connections there were. */
void sq_hub_counters(const struct sq_hub *h, struct sq_hub_counters *out)
{
    (void)h;
    *out = (struct sq_hub_counters){0};
}
