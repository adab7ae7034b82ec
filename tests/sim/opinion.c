/*
 * The second opinion (tests/model) follows each node's journal as it becomes durable, and what it says is held against the node.
 *
 *   every entry      decided again by the model: same refusals row for row, same answer
 *   every settlement what all nodes have, byte for byte; nets sum to zero and are what its pairs come to; payments pay the nets;
 *                    each link goes on where the last settlement ended, and adds up to its items
 *   now and then     budgets, vouchers, counters, links: the node's own sums are the model's; budget = available + reserved + spent
 *   the end          each invoice's register says what acquirers have accepted on it, over all nodes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/checks.h"

/* ---- settlements ---- */

static uint32_t place_of(const struct sim *s, const char *code)
{
    uint32_t i = 0;
    while (i < s->plan.nodes && strcmp(s->node[i].config.node, code) != 0)
        i++;
    return i; /* plan.nodes: the hub */
}

/* Nets of one kind from the pairs, and what payments move: both must be what the settlement says. */
static void check_kind(struct sim *s, const Sanquan__V1__Settlement *v, uint32_t kind)
{
    __int128 owed[SIM_NODES_MAX + 1] = {0}, stated[SIM_NODES_MAX + 1] = {0}, paid[SIM_NODES_MAX + 1] = {0}, sum = 0,
                                  hub = 0;
    for (size_t i = 0; i < v->n_pairs; i++) {
        owed[place_of(s, v->pairs[i]->debtor)] -= v->pairs[i]->total_fen[kind - 1];
        owed[place_of(s, v->pairs[i]->creditor)] += v->pairs[i]->total_fen[kind - 1];
    }
    for (size_t i = 0; i < v->n_nets; i++)
        if (v->nets[i]->kind == kind)
            stated[place_of(s, v->nets[i]->node)] += v->nets[i]->net_fen;
    for (size_t i = 0; i < v->n_payments; i++)
        if (v->payments[i]->kind == kind) {
            paid[place_of(s, v->payments[i]->payer)] -= v->payments[i]->amount_fen;
            paid[place_of(s, v->payments[i]->payee)] += v->payments[i]->amount_fen;
            SIM_CHECK(s, v->payments[i]->amount_fen > 0, "window %" PRIu64 ": a payment of %" PRId64 " fen", v->window,
                      v->payments[i]->amount_fen);
        }
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        sum += stated[i];
        SIM_CHECK(s, owed[i] == stated[i] && paid[i] == stated[i],
                  "window %" PRIu64 " kind %u: the net of %s is %" PRId64 ", its pairs come to %" PRId64
                  ", its payments to %" PRId64,
                  v->window, kind, s->node[i].config.node, (int64_t)stated[i], (int64_t)owed[i], (int64_t)paid[i]);
    }
    hub = paid[s->plan.nodes];
    SIM_CHECK(s, sum == 0 && hub == 0,
              "window %" PRIu64 " kind %u: nets sum to %" PRId64 " fen, the settlement account is left with %" PRId64,
              v->window, kind, (int64_t)sum, (int64_t)hub);
}

static void check_settlement(struct sim_node *n, sq_bytes bytes)
{
    struct sim *s = n->sim;
    char why[300];
    Sanquan__V1__Settlement *v = sanquan__v1__settlement__unpack(NULL, bytes.size, bytes.data);
    SIM_CHECK(s, v != NULL && v->window != 0 && v->window < SIM_WINDOWS_MAX,
              "node %s: a settlement that does not unpack", n->config.node);
    if (s->failed || v == NULL)
        return;
    SIM_CHECK(s, v->window == n->final_windows + 1, "node %s: window %" PRIu64 " is final after %" PRIu64,
              n->config.node, v->window, n->final_windows);
    n->final_windows = v->window;
    struct sim_bytes **first = &s->checks->settled[v->window];
    if (*first == NULL) {
        *first = sim_bytes_new(bytes);
        for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
            check_kind(s, v, kind);
        s->counts.settlements++;
    }
    SIM_CHECK(s, (*first)->size == bytes.size && memcmp((*first)->data, bytes.data, bytes.size) == 0,
              "window %" PRIu64 ": node %s has another settlement than the first that had one", v->window,
              n->config.node);
    SIM_CHECK(s, model_settled(n->model, v, why, sizeof why) == 0, "node %s: %s", n->config.node, why);
    sanquan__v1__settlement__free_unpacked(v, NULL);
}

/* ---- the journal, entry by entry ---- */

static int is_from_honest_node(const struct sim *s, const struct sq_entry *e)
{
    struct sq_envelope envelope;
    if (e->type >= SANQUAN__V1__MESSAGE_TYPE__GENESIS || sq_envelope_open(e->input, &envelope, NULL) != SQ_OK)
        return 0;
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        if (strcmp(s->node[i].name, envelope.sender) == 0)
            return !s->node[i].liar;
    return 0;
}

static sq_status follow(void *ctx, const struct sq_entry *e, struct sq_error *err)
{
    struct sim_node *n = ctx;
    struct sim *s = n->sim;
    char why[400] = "";
    struct model_entry entry = {e->seq, e->now_ms, e->type, e->input, e->outcome};
    s->counts.checks++;
    if (model_take(n->model, &entry, why, sizeof why) != 0) {
        sim_fail(s, "node %s: %s", n->config.node, why);
        return sq_fail(err, SQ_E_VERIFY, "%s", why);
    }
    Sanquan__V1__Outcome *o = sanquan__v1__outcome__unpack(NULL, e->outcome.size, e->outcome.data);
    SQ_ASSERT(o != NULL);
    SIM_CHECK(s, o->status == SQ_OK || !is_from_honest_node(s, e),
              "node %s: entry %" PRIu64 ": a message of type %u of an honest node is refused: %s", n->config.node,
              e->seq, e->type, sq_status_name(o->status));
    for (size_t i = 0; i < o->n_settlement && !s->failed; i++)
        check_settlement(n, sq_bytes_of(o->settlement[i].data, o->settlement[i].len));
    sanquan__v1__outcome__free_unpacked(o, NULL);
    n->checked_seq = e->seq;
    return s->failed ? SQ_E_VERIFY : SQ_OK;
}

void sim_opinion_follow(struct sim_node *n)
{
    struct sq_error err = {0};
    if (n->liar)
        return; /* its journal has a truth of its own */
    sq_status st = sq_ledger_walk(n->d.ledger, n->checked_seq + 1, UINT64_MAX, follow, n, &err);
    if (st != SQ_OK && !n->sim->failed)
        sim_fail(n->sim, "node %s: journal: %s", n->config.node, err.text);
}

/* ---- the node's own sums ---- */

static void compare_budgets(struct sim_node *n)
{
    struct sim *s = n->sim;
    for (size_t i = 0; i < model_budget_count(n->model) && !s->failed; i++) {
        struct model_budget b;
        struct sq_programme_view p = {0};
        model_budget(n->model, i, &b);
        for (uint32_t k = 0; k < sq_core_programme_count(n->d.core) && (p.issuer != b.issuer || p.number != b.number);
             k++)
            sq_core_programme(n->d.core, k, &p);
        SIM_CHECK(s,
                  p.issuer == b.issuer && p.number == b.number && p.pool_fen == b.pool_fen &&
                      p.granted_fen == b.granted_fen && p.spent_fen == b.spent_fen && p.reserved_fen == b.reserved_fen,
                  "node %s, programme %06u/%u: spent %" PRId64 " and reserved %" PRId64 ", the items come to %" PRId64
                  " and %" PRId64,
                  n->config.node, b.issuer, b.number, p.spent_fen, p.reserved_fen, b.spent_fen, b.reserved_fen);
        SIM_CHECK(s, b.spent_fen >= 0 && b.reserved_fen >= 0 && b.spent_fen + b.reserved_fen <= b.pool_fen,
                  "programme %06u/%u is overdrawn", b.issuer, b.number);
    }
}

static void compare_vouchers(struct sim_node *n)
{
    struct sim *s = n->sim;
    for (size_t i = 0; i < model_voucher_count(n->model) && !s->failed; i++) {
        struct model_voucher m;
        struct sq_voucher_view v = {0};
        model_voucher(n->model, i, &m);
        sq_status st = sq_core_voucher(n->d.core, m.number, &v);
        SIM_CHECK(s,
                  st == SQ_OK && v.face_fen == m.face_fen && v.spent_fen == m.spent_fen &&
                      v.reserved_fen == m.reserved_fen,
                  "node %s, voucher %019" PRIu64 ": spent %" PRId64 " and reserved %" PRId64
                  ", the items come to %" PRId64 " and %" PRId64,
                  n->config.node, m.number, v.spent_fen, v.reserved_fen, m.spent_fen, m.reserved_fen);
        SIM_CHECK(s, m.spent_fen >= 0 && m.spent_fen + m.reserved_fen <= m.face_fen,
                  "voucher %019" PRIu64 " is overdrawn", m.number);
    }
}

static void compare_totals(struct sim_node *n)
{
    struct sq_core_totals t;
    struct model_totals m;
    sq_core_totals(n->d.core, &t);
    model_totals(n->model, &m);
    SIM_CHECK(n->sim,
              t.items_received == m.items_received && t.items_accepted == m.items_accepted &&
                  t.items_refused == m.items_refused && t.items_decided == m.items_decided &&
                  t.batches_waiting == m.batches_waiting && t.rejected == m.rejected,
              "node %s counts %" PRIu64 " items accepted of %" PRIu64 ", the journal has %" PRIu64 " of %" PRIu64,
              n->config.node, t.items_accepted, t.items_received, m.items_accepted, m.items_received);
}

static void compare_links(struct sim_node *n)
{
    struct sim *s = n->sim;
    for (uint32_t peer = 0; peer < s->plan.nodes && !s->failed; peer++)
        for (int owes = 0; owes < 2; owes++) {
            uint32_t debtor = owes ? n->index : peer, creditor = owes ? peer : n->index;
            const struct model_step *step;
            struct sq_link_view l;
            size_t steps = model_link(n->model, s->node[debtor].config.node, s->node[creditor].config.node, &step);
            if (debtor == creditor && !owes)
                continue;
            sq_settlement_link(sq_core_settlement(n->d.core), debtor, creditor, &l);
            SIM_CHECK(s,
                      l.last.number == steps &&
                          (steps == 0 || memcmp(l.last.hash, step[steps - 1].hash, SQ_HASH_SIZE) == 0),
                      "node %s: link %s to %s stands at %" PRIu64 ", its items come to %zu steps, or another hash",
                      n->config.node, s->node[debtor].config.node, s->node[creditor].config.node, l.last.number, steps);
        }
}

/* Only when nothing is decided that is not durable: the model knows what is in the journal. */
void sim_opinion_compare(struct sim_node *n)
{
    if (n->liar || sq_core_seq(n->d.core) != n->checked_seq)
        return;
    compare_budgets(n);
    compare_vouchers(n);
    compare_totals(n);
    compare_links(n);
}

/* ---- over all nodes, when all is quiet ---- */

static int same_line(const struct model_claim *a, const struct model_claim *b)
{
    return memcmp(a->invoice, b->invoice, sizeof a->invoice) == 0 && a->issuer == b->issuer && a->number == b->number &&
           strcmp(a->seller, b->seller) == 0;
}

static int64_t accepted_on(const struct sim *s, const struct model_claim *line)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        for (size_t k = 0; k < model_accepted_count(s->node[i].model); k++)
            if (same_line(model_accepted(s->node[i].model, k), line))
                sum += model_accepted(s->node[i].model, k)->amount_fen;
    return sum;
}

static int64_t registered_on(const struct sim *s, const struct model_claim *line)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        for (size_t k = 0; k < model_claim_count(s->node[i].model); k++)
            if (same_line(model_claim(s->node[i].model, k), line))
                sum += model_claim(s->node[i].model, k)->amount_fen;
    return sum;
}

void sim_opinion_end(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.nodes && !s->failed; i++) {
        const struct sim_node *n = &s->node[i];
        if (n->liar)
            continue;
        sim_opinion_compare(&s->node[i]);
        SIM_CHECK(s, sq_core_seq(n->d.core) == n->checked_seq, "node %s: entry %" PRIu64 " never became durable",
                  n->config.node, sq_core_seq(n->d.core));
        for (size_t k = 0; k < model_accepted_count(n->model) && !s->failed; k++) {
            const struct model_claim *line = model_accepted(n->model, k);
            int64_t accepted = accepted_on(s, line), registered = registered_on(s, line);
            SIM_CHECK(s, (accepted == registered && accepted >= 0) || s->plan.liars != 0,
                      "invoice %02x%02x%02x..%02x%02x%02x of %s under %06u/%u: %" PRId64 " fen were accepted, %" PRId64
                      " are registered",
                      line->invoice[0], line->invoice[1], line->invoice[2], line->invoice[7], line->invoice[8],
                      line->invoice[9], line->seller, line->issuer, line->number, accepted, registered);
        }
        for (size_t k = 0; k < model_claim_count(n->model) && !s->failed; k++) {
            const struct model_claim *line = model_claim(n->model, k);
            SIM_CHECK(s,
                      accepted_on(s, line) == line->amount_fen ||
                          (s->plan.liars != 0 && accepted_on(s, line) < line->amount_fen),
                      "an invoice of %s under %06u/%u: %" PRId64 " fen are registered, %" PRId64 " were accepted",
                      line->seller, line->issuer, line->number, line->amount_fen, accepted_on(s, line));
        }
    }
}
