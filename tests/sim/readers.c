/*
 * Readers: operators and the regulator ask what the node's state is, while it changes.
 *
 * What must hold of an answer when it leaves the node: the newest entry it is made of is durable; and when that entry is the last one the
 * second opinion (tests/model) has followed, budgets, vouchers, totals and links in it are the model's. A question that is lost is not
 * asked again: nothing hangs on it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers/message.h"
#include "tests/sim/checks.h"

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

/* ---- asking ---- */

static void choose(struct sim *s, const struct sim_client *c, char path[static 40])
{
    static const char *const plain[] = {"status", "programmes", "windows", "links", "breaks", "regions", "caps"};
    struct sim_random *r = &s->work_random;
    const struct sim_node *n = &s->node[c->node];
    uint64_t kind = sim_below(r, 10), windows = n->final_windows + 2;
    if (kind < 3)
        snprintf(path, 40, "window/%" PRIu64, sim_between(r, 1, windows));
    else if (kind < 6 && s->work.voucher_count != 0)
        snprintf(path, 40, "voucher/%" PRIu64, s->work.voucher[sim_below(r, s->work.voucher_count)].number);
    else
        snprintf(path, 40, "%s", plain[sim_below(r, sizeof plain / sizeof *plain)]);
}

void sim_reader_ask(struct sim *s, struct sim_client *c)
{
    char path[40];
    Sanquan__V1__Query m;
    struct sq_wire_memory memory = {take, &s->scratch};
    struct sq_header h = {SANQUAN__V1__MESSAGE_TYPE__QUERY, c->name, s->node[c->node].name, 0,
                          SIM_EPOCH_MS + s->now_us / 1000};
    sq_bytes body, envelope;
    choose(s, c, path);
    sanquan__v1__query__init(&m);
    m.nonce = ++s->questions;
    m.path = path;
    sq_arena_reset(&s->scratch);
    sq_status st = sq_wire_pack(&m.base, &memory, &body, NULL);
    if (st == SQ_OK)
        st = sq_message_seal(&h, body, sq_directory_network_id(s->directory), c->secret, &memory, &envelope, NULL);
    SQ_ASSERT(st == SQ_OK);
    struct sim_packet p = {.from = {SIM_END_CLIENT, c->index},
                           .to = {SIM_END_NODE, c->node},
                           .route = {.size = 8},
                           .bytes = sim_bytes_new(envelope)};
    sq_put_be32(p.route.id, (uint32_t)SIM_END_CLIENT << 24 | c->index);
    sim_send(s, &p);
    sim_bytes_drop(p.bytes);
}

/* ---- what leaves the node ---- */

static int64_t fen(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void compare_programmes(struct sim_node *n, const json_t *list)
{
    for (size_t i = 0; i < model_budget_count(n->model); i++) {
        struct model_budget b;
        const json_t *p = NULL;
        model_budget(n->model, i, &b);
        for (size_t k = 0; k < json_array_size(list); k++)
            if (fen(json_array_get(list, k), "issuer") == b.issuer &&
                fen(json_array_get(list, k), "number") == b.number)
                p = json_array_get(list, k);
        SIM_CHECK(n->sim,
                  p != NULL && fen(p, "pool_fen") == b.pool_fen && fen(p, "granted_fen") == b.granted_fen &&
                      fen(p, "spent_fen") == b.spent_fen && fen(p, "reserved_fen") == b.reserved_fen,
                  "node %s tells of programme %06u/%u: spent %" PRId64 ", the items come to %" PRId64, n->config.node,
                  b.issuer, b.number, fen(p, "spent_fen"), b.spent_fen);
    }
}

static void compare_voucher(struct sim_node *n, const json_t *o)
{
    for (size_t i = 0; i < model_voucher_count(n->model); i++) {
        struct model_voucher m;
        model_voucher(n->model, i, &m);
        if ((uint64_t)fen(o, "voucher") != m.number)
            continue;
        SIM_CHECK(n->sim,
                  fen(o, "face_fen") == m.face_fen && fen(o, "spent_fen") == m.spent_fen &&
                      fen(o, "reserved_fen") == m.reserved_fen,
                  "node %s tells of voucher %019" PRIu64 ": spent %" PRId64 ", the items come to %" PRId64,
                  n->config.node, m.number, fen(o, "spent_fen"), m.spent_fen);
        return;
    }
    sim_fail(n->sim, "node %s tells of voucher %" PRId64 ", which nobody granted", n->config.node, fen(o, "voucher"));
}

static void compare_totals(struct sim_node *n, const json_t *o)
{
    struct model_totals m;
    model_totals(n->model, &m);
    SIM_CHECK(n->sim,
              (uint64_t)fen(o, "items_received") == m.items_received &&
                  (uint64_t)fen(o, "items_accepted") == m.items_accepted &&
                  (uint64_t)fen(o, "items_refused") == m.items_refused &&
                  (uint64_t)fen(o, "items_decided") == m.items_decided &&
                  (uint64_t)fen(o, "batches_waiting") == m.batches_waiting,
              "node %s tells of %" PRId64 " items accepted, the journal has %" PRIu64, n->config.node,
              fen(o, "items_accepted"), m.items_accepted);
}

static void compare_links(struct sim_node *n, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *l = json_array_get(list, i);
        const struct model_step *step;
        char hash[2 * SQ_HASH_SIZE + 1] = "";
        size_t steps = model_link(n->model, json_string_value(json_object_get(l, "debtor")),
                                  json_string_value(json_object_get(l, "creditor")), &step);
        if (steps != 0)
            sq_hex(step[steps - 1].hash, SQ_HASH_SIZE, hash);
        SIM_CHECK(n->sim,
                  (uint64_t)fen(l, "number") == steps &&
                      (steps == 0 || strcmp(json_string_value(json_object_get(l, "hash")), hash) == 0),
                  "node %s tells of a link at %" PRId64 ", its items come to %zu steps", n->config.node,
                  fen(l, "number"), steps);
    }
}

/* Final windows are told as they were agreed on. */
static void compare_window(struct sim_node *n, const json_t *o)
{
    const char *told = json_string_value(json_object_get(o, "settlement_hash"));
    uint64_t window = (uint64_t)fen(o, "window");
    char hex[2 * SQ_HASH_SIZE + 1];
    uint8_t hash[SQ_HASH_SIZE];
    if (told == NULL)
        return;
    const struct sim_bytes *b = window < SIM_WINDOWS_MAX ? n->sim->checks->settled[window] : NULL;
    if (b != NULL) {
        sq_settlement_hash(sq_bytes_of(b->data, b->size), hash);
        sq_hex(hash, sizeof hash, hex);
    }
    SIM_CHECK(n->sim, b != NULL && window <= n->final_windows && strcmp(told, hex) == 0,
              "node %s tells of window %" PRIu64 " as final, which its journal does not", n->config.node, window);
}

void sim_reader_told(struct sim_node *n, const struct sq_envelope *e)
{
    struct sim *s = n->sim;
    Sanquan__V1__QueryAnswer *m = sanquan__v1__query_answer__unpack(NULL, e->body.size, e->body.data);
    SQ_ASSERT(m != NULL);
    json_t *o = m->status == SQ_OK ? json_loads(m->json, 0, NULL) : NULL;
    SIM_CHECK(s, (o != NULL) == (m->status == SQ_OK), "node %s tells what is no JSON", n->config.node);
    const json_t *as_of = json_object_get(o, "as_of_entry");
    uint64_t seq = (uint64_t)json_integer_value(as_of);
    if (o != NULL) {
        s->counts.told++;
        SIM_CHECK(s, as_of != NULL && seq <= sq_ledger_seq(n->d.ledger),
                  "node %s tells of entry %" PRIu64 ", and %" PRIu64 " are durable", n->config.node, seq,
                  sq_ledger_seq(n->d.ledger));
    }
    if (o != NULL && seq == n->checked_seq && !n->liar && !n->on_old_copy && !s->failed) {
        s->counts.told_checked++;
        if (json_object_get(o, "programmes") != NULL)
            compare_programmes(n, json_object_get(o, "programmes"));
        if (json_object_get(o, "face_fen") != NULL)
            compare_voucher(n, o);
        if (json_object_get(o, "totals") != NULL)
            compare_totals(n, json_object_get(o, "totals"));
        if (json_object_get(o, "links") != NULL)
            compare_links(n, json_object_get(o, "links"));
        compare_window(n, o);
    }
    json_decref(o);
    sanquan__v1__query_answer__free_unpacked(m, NULL);
}

void sim_reader_hear(struct sim *s, const struct sim_client *c, const Sanquan__V1__QueryAnswer *m)
{
    SIM_CHECK(s,
              m->status == SQ_OK || m->status == SQ_R_UNKNOWN_QUERY || m->status == SQ_R_UNKNOWN_VOUCHER ||
                  m->status == SQ_R_BUSY,
              "%s: a question is refused as %s", c->name, sq_status_name(m->status));
}
