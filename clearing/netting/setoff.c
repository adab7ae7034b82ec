/*
 * The most that can be set off is what is owed less the least that must stay, and what stays is a minimum-cost flow.
 *
 * Whatever is discharged, the remaining obligations r (0 <= r <= owed) must leave each participant able to pay:
 *     owes in r - owed in r  >=  owes - owed - funds.
 * Participants for whom the right side is positive are sources of that much, the others can absorb up to minus that much: first
 * what they would have received anyway, then their own funds. Every obligation costs 2 a fen, absorbing into funds costs 1, so
 * the cheapest flow leaves least owed and, among equals, uses least money (a simple cycle passes the sink once, so its part of the
 * cost is between -1 and 1 and never outweighs an obligation). Without funds this is the largest circulation in what is owed.
 *
 *   successive shortest paths, a whole distance at a time:
 *     DISTANCES --sink reached--> BLOCKING FLOW over arcs of reduced cost 0 --no such path left--> DISTANCES
 *         \--no source left--> done
 *
 * Costs are 1 and 2, so there are few distances (all pairs of 333: three or four) and buckets serve as the priority queue.
 *
 * Invariants: residual amounts are never negative; every residual arc has reduced cost >= 0 after each step; distances from
 * the sources never shrink, so potentials start at 0 and a source that has flow left keeps potential 0. A shortest path ends
 * at its first visit of the sink, so arcs back from it are not kept. Order of search: sources by number, arcs as laid out by
 * lay_out (what a participant owes by creditor, then what it is owed by debtor).
 *
 * Source: Ahuja, Magnanti, Orlin, "Network Flows", 9.7 and 9.8 (successive shortest path, primal-dual); E. A. Dinic, "Algorithm
 * for solution of a problem of maximum flow in a network with power estimation", 1970 (blocking flows); R. Dial, Algorithm 360, CACM 1969 (buckets).
 */
#include "clearing/netting/setoff.h"

#include <stdlib.h>
#include <string.h>

#define OWED_COST  2
#define FUNDS_COST 1
#define NONE       UINT32_MAX

struct arc {
    int64_t room_fen; /* along an obligation: what may still stay of it; against it: what stays of it now */
    uint32_t to, twin;
    int32_t cost;
};

struct node {
    int64_t source_fen; /* must still be shipped from here */
    int64_t sink_free_fen, sink_funds_fen;
    uint32_t first, end;          /* its arcs */
    uint32_t potential, distance; /* real distance so far; reduced distance of the running search */
    uint32_t level, at;           /* of the blocking flow: arcs from the nearest source, next arc to try */
    uint32_t next, previous;      /* in its bucket */
    uint32_t done;
};

struct flow {
    uint32_t n; /* participants; node n is the sink */
    struct node *node;
    struct arc *arc;
    uint32_t arc_count;
    uint32_t *bucket, bucket_count; /* first node of each reduced distance */
    uint32_t *queue;                /* of the breadth-first search; then arcs of the path */
};

/* ---- setting up ---- */

static void flow_free(struct flow *f)
{
    free(f->node);
    free(f->arc);
    free(f->bucket);
    free(f->queue);
}

static sq_status flow_new(struct flow *f, size_t count, uint32_t participants, struct sq_error *err)
{
    if (count > INT32_MAX || participants > INT32_MAX / 4)
        return sq_fail(err, SQ_E_FULL, "set-off of %zu obligations between %u participants", count, participants);
    *f = (struct flow){
        .n = participants, .arc_count = (uint32_t)count * 2, .bucket_count = participants * OWED_COST + FUNDS_COST + 1};
    f->node = calloc((size_t)participants + 1, sizeof *f->node);
    f->arc = calloc(count * 2 + 1, sizeof *f->arc);
    f->bucket = malloc(f->bucket_count * sizeof *f->bucket);
    f->queue = calloc((size_t)participants + 1, sizeof *f->queue);
    if (f->node != NULL && f->arc != NULL && f->bucket != NULL && f->queue != NULL)
        return SQ_OK;
    flow_free(f);
    return sq_fail(err, SQ_E_NOMEM, "set-off of %zu obligations", count);
}

/* Each obligation twice: at its debtor, and against its direction at its creditor. */
static void lay_out(struct flow *f, const struct sq_obligation *o, size_t count)
{
    uint32_t *in_at = f->queue, at = 0;
    for (size_t i = 0; i < count; i++) {
        f->node[o[i].debtor].end++;
        f->node[o[i].creditor].level++; /* borrowed: how much it is owed by how many */
    }
    for (uint32_t v = 0; v < f->n; v++) {
        struct node *node = &f->node[v];
        node->first = node->at = at;
        in_at[v] = at + node->end;
        at = node->end = in_at[v] + node->level;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t along = f->node[o[i].debtor].at++, against = in_at[o[i].creditor]++;
        f->arc[along] = (struct arc){o[i].amount_fen, o[i].creditor, against, OWED_COST};
        f->arc[against] = (struct arc){0, o[i].debtor, along, -OWED_COST};
    }
}

static void set_ends(struct flow *f, const int64_t *net_fen, const int64_t *funds_fen, size_t stride)
{
    for (uint32_t v = 0; v < f->n; v++) {
        struct node *node = &f->node[v];
        int64_t net = net_fen[v * stride], funds = funds_fen == NULL ? 0 : funds_fen[v * stride];
        if (net >= 0) {
            node->sink_free_fen = net;
            node->sink_funds_fen = funds;
        } else if (net + funds >= 0) {
            node->sink_funds_fen = net + funds;
        } else {
            node->source_fen = -(net + funds);
        }
    }
}

/* ---- distances ---- */

static void bucket_take(struct flow *f, uint32_t v)
{
    struct node *node = &f->node[v];
    if (node->previous != NONE)
        f->node[node->previous].next = node->next;
    else
        f->bucket[node->distance] = node->next;
    if (node->next != NONE)
        f->node[node->next].previous = node->previous;
}

/* v is reached at this reduced distance: keep it when it is the least so far. */
static void reach(struct flow *f, uint32_t v, uint64_t distance)
{
    struct node *node = &f->node[v];
    if (node->done || distance >= node->distance || distance >= f->bucket_count)
        return; /* no shortest path to the sink is as long as all buckets */
    if (node->distance != NONE)
        bucket_take(f, v);
    node->distance = (uint32_t)distance;
    node->previous = NONE;
    node->next = f->bucket[distance];
    if (node->next != NONE)
        f->node[node->next].previous = v;
    f->bucket[distance] = v;
}

static uint64_t reduced(int32_t cost, const struct node *from, const struct node *to)
{
    int64_t r = (int64_t)from->potential + cost - to->potential;
    SQ_ASSERT(r >= 0);
    return (uint64_t)r;
}

static void reach_neighbours(struct flow *f, uint32_t v)
{
    const struct node *node = &f->node[v], *sink = &f->node[f->n];
    for (uint32_t a = node->first; a < node->end; a++)
        if (f->arc[a].room_fen != 0)
            reach(f, f->arc[a].to, node->distance + reduced(f->arc[a].cost, node, &f->node[f->arc[a].to]));
    if (node->sink_free_fen != 0)
        reach(f, f->n, node->distance + reduced(0, node, sink));
    if (node->sink_funds_fen != 0)
        reach(f, f->n, node->distance + reduced(FUNDS_COST, node, sink));
}

/* Shortest distances from the sources, as far as the sink; they become the new potentials. 0: nothing is left to ship. */
static int find_distances(struct flow *f)
{
    struct node *sink = &f->node[f->n];
    int sources = 0;
    memset(f->bucket, 0xff, f->bucket_count * sizeof *f->bucket);
    for (uint32_t v = 0; v <= f->n; v++) {
        f->node[v].distance = NONE;
        f->node[v].done = 0;
    }
    for (uint32_t v = 0; v < f->n; v++)
        if (f->node[v].source_fen != 0) {
            SQ_ASSERT(f->node[v].potential == 0);
            reach(f, v, 0);
            sources = 1;
        }
    if (!sources)
        return 0;
    for (uint32_t d = 0; d < f->bucket_count && !sink->done; d++)
        while (f->bucket[d] != NONE && !sink->done) {
            uint32_t v = f->bucket[d];
            bucket_take(f, v);
            f->node[v].done = 1;
            if (v != f->n)
                reach_neighbours(f, v);
        }
    SQ_ASSERT(sink->done); /* leaving everything as it is owed is a flow, so there always is a way */
    for (uint32_t v = 0; v <= f->n; v++)
        f->node[v].potential += f->node[v].done ? f->node[v].distance : sink->distance;
    return 1;
}

/* ---- blocking flow over arcs of reduced cost 0 ---- */

static int may_pass(const struct flow *f, uint32_t v, const struct arc *a)
{
    return a->room_fen != 0 && (int64_t)f->node[v].potential + a->cost == f->node[a->to].potential;
}

/* Where v can put flow right now, or NULL. */
static int64_t *way_out(struct flow *f, uint32_t v)
{
    struct node *node = &f->node[v];
    const struct node *sink = &f->node[f->n];
    if (node->sink_free_fen != 0 && node->potential == sink->potential)
        return &node->sink_free_fen;
    return node->sink_funds_fen != 0 && node->potential + FUNDS_COST == sink->potential ? &node->sink_funds_fen : NULL;
}

/* Levels by breadth-first search; the level of the nearest way out, or NONE. */
static uint32_t find_levels(struct flow *f)
{
    uint32_t tail = 0, last = NONE;
    for (uint32_t v = 0; v < f->n; v++) {
        f->node[v].at = f->node[v].first;
        f->node[v].level = f->node[v].source_fen != 0 ? 0 : NONE;
        if (f->node[v].source_fen != 0)
            f->queue[tail++] = v;
    }
    for (uint32_t head = 0; head < tail; head++) {
        uint32_t v = f->queue[head];
        const struct node *node = &f->node[v];
        if (way_out(f, v) != NULL) {
            last = node->level;
            break;
        }
        for (uint32_t a = node->first; a < node->end; a++) {
            struct node *to = &f->node[f->arc[a].to];
            if (to->level != NONE || !may_pass(f, v, &f->arc[a]))
                continue;
            to->level = node->level + 1;
            f->queue[tail++] = f->arc[a].to;
        }
    }
    return last;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Ship along the path of `length` arcs that starts at `source`; returns where to go on from: arcs before the first full one. */
static uint32_t ship(struct flow *f, uint32_t source, uint32_t length, int64_t *out)
{
    int64_t fen = least(f->node[source].source_fen, *out);
    uint32_t keep = length;
    for (uint32_t i = 0; i < length; i++)
        fen = least(fen, f->arc[f->queue[i]].room_fen);
    SQ_ASSERT(fen > 0);
    for (uint32_t i = length; i-- > 0;) {
        struct arc *a = &f->arc[f->queue[i]];
        a->room_fen -= fen;
        f->arc[a->twin].room_fen += fen;
        if (a->room_fen == 0)
            keep = i;
    }
    f->node[source].source_fen -= fen;
    *out -= fen;
    return keep;
}

/* All that one source can ship within the levels: depth first, never trying an arc twice. */
static void ship_from(struct flow *f, uint32_t source, uint32_t last)
{
    uint32_t length = 0;
    while (f->node[source].source_fen != 0) {
        uint32_t v = length == 0 ? source : f->arc[f->queue[length - 1]].to;
        struct node *node = &f->node[v];
        int64_t *out = node->level == last ? way_out(f, v) : NULL;
        if (out != NULL) {
            length = ship(f, source, length, out);
            continue;
        }
        if (node->level == last)
            node->at = node->end;
        while (node->at < node->end &&
               (f->node[f->arc[node->at].to].level != node->level + 1 || !may_pass(f, v, &f->arc[node->at])))
            node->at++;
        if (node->at < node->end) {
            f->queue[length++] = node->at;
        } else if (length == 0) {
            return;
        } else { /* nothing goes through v any more */
            length--;
            f->node[f->arc[f->arc[f->queue[length]].twin].to].at++;
        }
    }
}

/* Ship all that goes at the present distance. */
static void ship_all(struct flow *f)
{
    uint32_t last;
    while ((last = find_levels(f)) != NONE)
        for (uint32_t v = 0; v < f->n; v++)
            if (f->node[v].source_fen != 0)
                ship_from(f, v, last);
}

/* ---- all of it ---- */

/* Complementary slackness: no residual arc costs less than nothing, so no other flow leaves less owed. Along arcs lie in the order of the obligations. */
static void prove_and_read(const struct flow *f, int64_t *left_fen)
{
    size_t i = 0;
    for (uint32_t v = 0; v < f->n; v++) {
        const struct node *node = &f->node[v], *sink = &f->node[f->n];
        SQ_ASSERT(node->source_fen == 0);
        SQ_ASSERT(node->sink_free_fen == 0 || node->potential >= sink->potential);
        SQ_ASSERT(node->sink_funds_fen == 0 || node->potential + FUNDS_COST >= sink->potential);
        for (uint32_t a = node->first; a < node->end; a++) {
            const struct arc *arc = &f->arc[a];
            SQ_ASSERT(arc->room_fen == 0 || (int64_t)node->potential + arc->cost >= f->node[arc->to].potential);
            if (arc->cost > 0)
                left_fen[i++] = f->arc[arc->twin].room_fen;
        }
    }
}

sq_status sq_setoff(const struct sq_obligation *o, size_t count, uint32_t participant_count, const int64_t *net_fen,
                    const int64_t *funds_fen, size_t stride, int64_t *left_fen, struct sq_error *err)
{
    struct flow f;
    sq_status st = flow_new(&f, count, participant_count, err);
    if (st != SQ_OK)
        return st;
    lay_out(&f, o, count);
    set_ends(&f, net_fen, funds_fen, stride);
    while (find_distances(&f))
        ship_all(&f);
    prove_and_read(&f, left_fen);
    flow_free(&f);
    return SQ_OK;
}
