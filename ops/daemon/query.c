/*
 * Read-only questions, answered as JSON from the state in memory: names are stable, amounts are integers in fen, times Unix ms.
 *
 *   path                 who may ask                                     answer
 *   status               everyone enrolled                               sequence, open window, totals, peers, disk
 *   programmes           everyone enrolled                               each programme and its budget
 *   windows, window/N    nodes, operators of this node, regulators       states; statements agreed on, nets, payments, signers
 *   links                nodes, operators of this node, regulators       obligations since the last settled number
 *   account              nodes, operators of this node, regulators       the region's settlement account
 *   regions              nodes, operators of this node, regulators       standing of each region, and what nodes want
 *   caps                 nodes, operators of this node, regulators       net debit caps, what is used of them, alarms
 *   org/USCC             operators, regulators, issuers here, itself     what was said of an organisation: query_policy.c, as all below
 *   applications/ISSUER/NUMBER[/AFTER]   the same, the issuer, holders of their own
 *   prefunds             operators, issuers and providers of their own   money in advance
 *   invoice/NUMBER[/FEN] nodes, operators of this node, regulators       what is claimed on it, and what a smaller total would bring back
 *   agreements           nodes, operators of this node, regulators       recognition between regions: query_policy.c
 *   breaks               nodes, operators of this node, regulators       links whose two sides differ, and what was done about it
 *   disputes             everyone enrolled, of its own items             cases: query_disputes.c
 *   voucher/NUMBER       operators, regulators, its holder, its issuer   what it is and what is left
 *   party/NAME           operators, regulators, the party itself         where it is at home, where its stream stands
 *   witnesses            everyone enrolled                               who holds what against whose log: query_witness.c
 *   proof/SEQ            everyone enrolled                               an entry's place in the log, as a proof file
 *   history?...          everyone enrolled, of its own rows              items and sums: ops/history/ask.h, answered by the historian
 *
 * Each says as_of_entry: the last entry decided when it was made. questions.c tells it when that entry is durable.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/uscc.h"
#include "ops/common/evidence.h"
#include "ops/daemon/daemon.h"

#define WINDOWS_LISTED_MAX  1000u /* the newest; older ones by number */
#define EVIDENCE_LISTED_MAX 64u
#define BREAKS_LISTED_MAX   500u /* the newest: an answer is one message */
#define ANSWER_SIZE_MAX     (SQ_MESSAGE_SIZE_MAX - 1024u)
#define PAIRS_LISTED_MAX    2000u /* an answer is one message; a ledger's reader sees all of them */

static const char *const window_states[] = {"",      "open",       "cut",     "stated", "proposed",
                                            "final", "instructed", "settled", "break",  "defaulted"};
static const char *const standing_names[] = {"", "enrolled", "active", "suspended", "defaulted", "closed"};
static const char *const break_states[] = {"", "looking", "found", "closed"};
static const char *const break_causes[] = {"", "entry", "sums", "range"};
static const char *const break_outcomes[] = {"open", "matched", "explained", "adjusted"};
static const char *const voucher_states[] = {"", "granted", "active", "exhausted", "expired", "revoked"};
static const char *const method_names[] = {"",       "bilateral", "hub",
                                           "cycles", "funds",     "gross"}; /* enum sq_netting_method */
static const char *const role_names[] = {"",          "node",     "issuer", "operator",
                                         "regulator", "provider", "holder", "evaluator"};

/* ---- small parts ---- */

static void put_u64(json_t *to, const char *key, uint64_t v)
{
    json_object_set_new(to, key, json_integer((json_int_t)v));
}
static void put_fen(json_t *to, const char *key, int64_t v)
{
    json_object_set_new(to, key, json_integer(v));
}
static void put_text(json_t *to, const char *key, const char *v)
{
    json_object_set_new(to, key, json_string(v));
}

static void put_hash(json_t *to, const char *key, const uint8_t hash[static SQ_HASH_SIZE])
{
    char hex[2 * SQ_HASH_SIZE + 1];
    sq_hex(hash, SQ_HASH_SIZE, hex);
    put_text(to, key, hex);
}

static json_t *fen_by_kind(const int64_t total[static SQ_KIND_COUNT])
{
    json_t *a = json_array();
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        json_array_append_new(a, json_integer(total[k]));
    return a;
}

static const char *code_of(const struct sq_core *core, uint32_t node)
{
    return sq_core_node(core, node)->code;
}

/* ---- answers ---- */

static json_t *totals(const struct sq_core *core)
{
    struct sq_core_totals t;
    json_t *o = json_object(), *refused = json_object();
    sq_core_totals(core, &t);
    put_u64(o, "items_received", t.items_received);
    put_u64(o, "items_accepted", t.items_accepted);
    put_u64(o, "items_refused", t.items_refused);
    put_u64(o, "items_decided", t.items_decided);
    put_u64(o, "batches_waiting", t.batches_waiting);
    put_u64(o, "rejected", t.rejected);
    for (unsigned code = 1; code < 256; code++)
        if (t.refused_by_code[code] != 0)
            put_u64(refused, sq_status_name(code), t.refused_by_code[code]);
    json_object_set_new(o, "refused", refused);
    return o;
}

/* Parts of bundles that are held for a node past their time; how much money that is is not for everybody. */
static void put_overdue(json_t *to, const struct sq_daemon *d, uint32_t node, int with_amount)
{
    struct sq_overdue_view v;
    sq_core_overdue(d->core, node, d->now_ms, &v);
    put_u64(to, "overdue_parts", v.count);
    put_u64(to, "overdue_since_ms", v.since_ms);
    if (with_amount)
        put_fen(to, "overdue_fen", v.amount_fen);
}

static json_t *peers(const struct sq_daemon *d)
{
    json_t *a = json_array();
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        const struct sq_peer *p = &d->peers[node];
        if (node == sq_core_self(d->core))
            continue;
        json_t *o = json_object();
        put_text(o, "node", code_of(d->core, node));
        json_object_set_new(o, "configured", json_boolean(p->connected));
        put_u64(o, "heard_ms", p->heard_ms);
        put_u64(o, "received", p->durable_in);
        put_u64(o, "sent", p->outbox.sent);
        put_u64(o, "acknowledged", p->outbox.acked);
        put_u64(o, "unacknowledged", p->outbox.durable - p->outbox.acked);
        put_u64(o, "false_claims", p->false_claims);
        put_overdue(o, d, node, 0);
        json_array_append_new(a, o);
    }
    return a;
}

static json_t *connections(const struct sq_daemon *d)
{
    struct sq_hub_counters c;
    json_t *o = json_object();
    sq_hub_counters(d->hub, &c);
    put_u64(o, "accepted", c.accepted);
    put_u64(o, "established", c.established);
    put_u64(o, "denied", c.denied_handshakes);
    put_u64(o, "received", c.received);
    put_u64(o, "sent", c.sent);
    put_u64(o, "dropped", c.dropped_no_identity + c.dropped_shape);
    put_u64(o, "answers_unsent", c.reply_failed);
    put_u64(o, "turned_away", c.no_room);
    return o;
}

static json_t *answer_status(const struct sq_daemon *d)
{
    json_t *o = json_object();
    put_text(o, "node", d->config->node);
    put_text(o, "network", sq_directory_network_name(d->directory));
    put_hash(o, "network_id", sq_directory_network_id(d->directory));
    put_text(o, "log", d->origin);
    put_u64(o, "now_ms", d->now_ms);
    put_u64(o, "seq", sq_ledger_seq(d->ledger));
    put_u64(o, "open_window", sq_settlement_open_window(sq_core_settlement(d->core)));
    put_u64(o, "free_permille", d->free_permille);
    put_u64(o, "parties", sq_core_party_count(d->core));
    json_object_set_new(o, "takes_new_work", json_boolean(d->free_permille >= d->config->disk_low_permille));
    json_object_set_new(o, "totals", totals(d->core));
    json_object_set_new(o, "peers", peers(d));
    json_object_set_new(o, "connections", connections(d));
    sq_query_put_witness(d, o);
    return o;
}

static json_t *window_head(const struct sq_window_view *w)
{
    json_t *o = json_object();
    put_u64(o, "window", w->window);
    put_text(o, "state", window_states[w->state]);
    put_u64(o, "opened_ms", w->opened_ms);
    put_u64(o, "cut_ms", w->cut_ms);
    put_u64(o, "final_ms", w->final_ms);
    put_u64(o, "settled_ms", w->settled_ms);
    put_u64(o, "round", w->round);
    put_u64(o, "precommits", w->precommits);
    return o;
}

static json_t *answer_windows(const struct sq_daemon *d)
{
    const struct sq_settlement *s = sq_core_settlement(d->core);
    uint64_t open = sq_settlement_open_window(s);
    json_t *o = json_object(), *a = json_array();
    struct sq_window_view w;
    for (uint64_t n = open > WINDOWS_LISTED_MAX ? open - WINDOWS_LISTED_MAX + 1 : 1; n <= open; n++)
        if (sq_settlement_window(s, n, &w, NULL) == SQ_OK)
            json_array_append_new(a, window_head(&w));
    json_object_set_new(o, "windows", a);
    return o;
}

static json_t *payment_of(const Sanquan__V1__Payment *v)
{
    json_t *p = json_object();
    put_u64(p, "kind", v->kind);
    put_text(p, "payer", v->payer);
    put_text(p, "payee", v->payee);
    put_fen(p, "amount_fen", v->amount_fen);
    return p;
}

/* Changes of standing agreed on in this window, and what is paid instead of payments that were not made. */
static void put_changes(json_t *o, const Sanquan__V1__Settlement *v)
{
    json_t *changes = json_array(), *losses = json_array();
    for (size_t i = 0; i < v->n_changes; i++) {
        json_t *c = json_object();
        put_text(c, "region", v->changes[i]->node);
        put_text(c, "standing",
                 v->changes[i]->standing < sizeof standing_names / sizeof *standing_names
                     ? standing_names[v->changes[i]->standing]
                     : "");
        put_u64(c, "unpaid_window", v->changes[i]->unpaid_window);
        json_array_append_new(changes, c);
    }
    for (size_t i = 0; i < v->n_losses; i++)
        json_array_append_new(losses, payment_of(v->losses[i]));
    json_object_set_new(o, "changes", changes);
    json_object_set_new(o, "losses", losses);
    if (v->recast_of.len == SQ_HASH_SIZE)
        put_hash(o, "recast_of", v->recast_of.data);
}

static json_t *position_of(const Sanquan__V1__Position *v)
{
    json_t *p = json_object();
    put_text(p, "node", v->node);
    put_u64(p, "kind", v->kind);
    put_fen(p, "net_fen", v->net_fen);
    return p;
}

/* Which kinds were settled, what bounded it, and what is still owed. */
static void put_left(json_t *o, const Sanquan__V1__Settlement *v)
{
    json_t *kinds = json_array(), *funds = json_array(), *left = json_array();
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
        if (v->kinds >> kind & 1)
            json_array_append_new(kinds, json_integer((json_int_t)kind));
    for (size_t i = 0; i < v->n_funds; i++)
        json_array_append_new(funds, position_of(v->funds[i]));
    for (size_t i = 0; i < v->n_left; i++)
        json_array_append_new(left, payment_of(v->left[i]));
    json_object_set_new(o, "kinds", kinds);
    json_object_set_new(o, "funds", funds);
    json_object_set_new(o, "left", left);
}

static uint32_t node_of(const struct sq_core *core, const char *code)
{
    for (uint32_t i = 0; i < sq_core_node_count(core); i++)
        if (strcmp(code_of(core, i), code) == 0)
            return i;
    return SQ_ROW_NONE;
}

static void put_value(json_t *o, const struct sq_core *core, const Sanquan__V1__Settlement *v)
{
    json_t *pairs = json_array(), *nets = json_array(), *payments = json_array();
    for (size_t i = 0; i < v->n_pairs && i < PAIRS_LISTED_MAX; i++) {
        json_t *p = json_object();
        put_text(p, "debtor", v->pairs[i]->debtor);
        put_text(p, "creditor", v->pairs[i]->creditor);
        put_u64(p, "first", v->pairs[i]->first);
        put_u64(p, "last", v->pairs[i]->last);
        put_hash(p, "hash", v->pairs[i]->hash.data); /* 32 bytes: the settlement was found valid */
        put_u64(p, "count", v->pairs[i]->count);
        json_object_set_new(p, "total_fen", fen_by_kind(v->pairs[i]->total_fen));
        if (v->pairs[i]->n_carried_fen == SQ_KIND_COUNT)
            json_object_set_new(p, "carried_fen", fen_by_kind(v->pairs[i]->carried_fen));
        json_array_append_new(pairs, p);
    }
    for (size_t i = 0; i < v->n_nets; i++)
        json_array_append_new(nets, position_of(v->nets[i]));
    for (size_t i = 0; i < v->n_payments; i++) {
        json_t *p = payment_of(v->payments[i]);
        uint32_t payer = node_of(core, v->payments[i]->payer);
        if (payer != SQ_ROW_NONE && sq_settlement_defaulted(sq_core_settlement(core), payer, v->window))
            json_object_set_new(p, "defaulted", json_true());
        json_array_append_new(payments, p);
    }
    put_text(o, "method", v->method < sizeof method_names / sizeof *method_names ? method_names[v->method] : "");
    put_u64(o, "pair_count", v->n_pairs);
    json_object_set_new(o, "pairs", pairs);
    json_object_set_new(o, "nets", nets);
    json_object_set_new(o, "payments", payments);
    put_left(o, v);
}

static json_t *signers(const struct sq_core *core, const struct sq_settlement *s, uint64_t window)
{
    uint32_t max = sq_core_node_count(core), *nodes = calloc(max + 1u, sizeof *nodes);
    uint32_t n = nodes != NULL ? sq_settlement_signers(s, window, nodes, max) : 0;
    json_t *a = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(code_of(core, nodes[i])));
    free(nodes);
    return a;
}

/* Who signed two different things in this window. */
static json_t *evidence(const struct sq_core *core, uint64_t window)
{
    struct sq_evidence list[EVIDENCE_LISTED_MAX];
    size_t count = sq_evidence_list(core, window, list, EVIDENCE_LISTED_MAX);
    json_t *a = json_array();
    for (size_t i = 0; i < count && i < EVIDENCE_LISTED_MAX; i++) {
        json_t *o = json_object();
        put_text(o, "node", list[i].node);
        put_text(o, "what", list[i].what);
        put_u64(o, "round", list[i].round);
        put_hash(o, "first_hash", list[i].hash[0]);
        put_hash(o, "second_hash", list[i].hash[1]);
        put_u64(o, "first_entry", list[i].entry[0]);
        put_u64(o, "second_entry", list[i].entry[1]);
        json_array_append_new(a, o);
    }
    return a;
}

static json_t *answer_window(const struct sq_daemon *d, uint64_t number)
{
    const struct sq_settlement *s = sq_core_settlement(d->core);
    struct sq_window_view w;
    if (sq_settlement_window(s, number, &w, NULL) != SQ_OK)
        return NULL;
    json_t *o = window_head(&w);
    json_object_set_new(o, "evidence", evidence(d->core, number));
    if (w.value.size == 0)
        return o;
    put_hash(o, "settlement_hash", w.value_hash);
    json_object_set_new(o, "signers", signers(d->core, s, number));
    Sanquan__V1__Settlement *v = sanquan__v1__settlement__unpack(NULL, w.value.size, w.value.data);
    if (v != NULL) {
        put_value(o, d->core, v);
        put_changes(o, v);
        sanquan__v1__settlement__free_unpacked(v, NULL);
    }
    return o;
}

static json_t *link_of(const struct sq_daemon *d, uint32_t debtor, uint32_t creditor)
{
    struct sq_link_view l;
    json_t *o = json_object();
    sq_settlement_link(sq_core_settlement(d->core), debtor, creditor, &l);
    put_text(o, "debtor", code_of(d->core, debtor));
    put_text(o, "creditor", code_of(d->core, creditor));
    put_u64(o, "number", l.last.number);
    put_u64(o, "settled_number", l.settled_number);
    put_hash(o, "hash", l.last.hash);
    put_u64(o, "count", l.last.count);
    json_object_set_new(o, "total_fen", fen_by_kind(l.last.total_fen));
    if (debtor == sq_core_self(d->core))
        put_overdue(o, d, creditor, 1);
    return o;
}

static json_t *answer_links(const struct sq_daemon *d)
{
    uint32_t self = sq_core_self(d->core);
    json_t *o = json_object(), *a = json_array();
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        json_array_append_new(a, link_of(d, self, node));
        if (node != self)
            json_array_append_new(a, link_of(d, node, self));
    }
    json_object_set_new(o, "links", a);
    return o;
}

static json_t *answer_regions(const struct sq_daemon *d)
{
    json_t *o = json_object(), *a = json_array();
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        struct sq_region_view v;
        json_t *r = json_object();
        sq_settlement_region(sq_core_settlement(d->core), node, &v);
        put_text(r, "region", code_of(d->core, node));
        put_text(r, "standing", standing_names[v.standing]);
        put_u64(r, "since_window", v.since_window);
        put_fen(r, "guarantee_fen", v.guarantee_fen);
        put_text(r, "wanted", standing_names[v.wanted]);
        put_u64(r, "wanted_unpaid_window", v.wanted_unpaid);
        put_u64(r, "wanted_by", v.wanted_by);
        json_object_set_new(r, "waiting_for_checker", json_boolean(v.waiting_for_checker));
        json_array_append_new(a, r);
    }
    json_object_set_new(o, "regions", a);
    return o;
}

static json_t *answer_account(const struct sq_daemon *d)
{
    struct sq_account_view v;
    json_t *o = json_object(), *a = json_array();
    sq_settlement_account(sq_core_settlement(d->core), &v);
    for (uint32_t k = 0; k < SQ_KIND_COUNT; k++) {
        json_t *row = json_object();
        put_u64(row, "kind", k + 1);
        put_fen(row, "balance_fen", v.balance_fen[k]);
        put_fen(row, "committed_fen", v.committed_fen[k]);
        put_fen(row, "owed_fen", v.owed_fen[k]);
        json_array_append_new(a, row);
    }
    json_object_set_new(o, "kinds", a);
    json_object_set_new(o, "prefunded", json_boolean(v.prefunded));
    json_object_set_new(o, "waiting_for_checker", json_boolean(v.waiting_for_checker));
    return o;
}

static json_t *cap_of(const struct sq_daemon *d, uint32_t debtor, uint32_t creditor)
{
    struct sq_cap_view c;
    json_t *o = json_object();
    sq_settlement_cap(sq_core_settlement(d->core), debtor, creditor, &c);
    put_text(o, "debtor", code_of(d->core, debtor));
    put_text(o, "creditor", code_of(d->core, creditor));
    json_object_set_new(o, "set", json_boolean(c.set));
    put_fen(o, "cap_fen", c.cap_fen);
    put_fen(o, "used_fen", c.used_fen);
    put_u64(o, "alarm_bp", c.alarm_bp);
    json_object_set_new(o, "alarm", json_boolean(c.alarm));
    json_object_set_new(o, "waiting_for_checker", json_boolean(c.waiting_for_checker));
    return o;
}

static json_t *answer_caps(const struct sq_daemon *d)
{
    uint32_t self = sq_core_self(d->core);
    json_t *o = json_object(), *a = json_array();
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++)
        if (node != self) {
            json_array_append_new(a, cap_of(d, self, node));
            json_array_append_new(a, cap_of(d, node, self));
        }
    json_object_set_new(o, "caps", a);
    return o;
}

static json_t *break_side(const struct sq_break_side *side)
{
    json_t *o = json_object();
    char hex[2 * SQ_LINK_HASH_PREFIX + 1];
    sq_hex(side->hash, SQ_LINK_HASH_PREFIX, hex);
    put_u64(o, "batch", side->batch);
    put_u64(o, "count", side->count);
    json_object_set_new(o, "total_fen", fen_by_kind(side->total_fen));
    put_text(o, "hash", hex);
    return o;
}

static json_t *break_stated(const struct sq_link_step *stated)
{
    json_t *o = json_object();
    put_u64(o, "last", stated->number);
    put_hash(o, "hash", stated->hash);
    put_u64(o, "count", stated->count);
    json_object_set_new(o, "total_fen", fen_by_kind(stated->total_fen));
    return o;
}

static json_t *break_of(const struct sq_daemon *d, const struct sq_break *b)
{
    json_t *o = json_object();
    put_text(o, "debtor", code_of(d->core, b->debtor));
    put_text(o, "creditor", code_of(d->core, b->creditor));
    put_text(o, "state", break_states[b->state]);
    put_text(o, "cause", break_causes[b->cause]);
    put_text(o, "outcome", break_outcomes[b->outcome]);
    put_u64(o, "number", b->number);
    put_u64(o, "window", b->window);
    put_u64(o, "last_window", b->last_window);
    put_u64(o, "opened_ms", b->opened_ms);
    put_u64(o, "found_ms", b->found_ms);
    put_u64(o, "closed_ms", b->closed_ms);
    put_u64(o, "age_ms", (b->closed_ms != 0 ? b->closed_ms : sq_core_now_ms(d->core)) - b->opened_ms);
    put_text(o, "owner", b->owner == SQ_ROW_NONE ? "" : sq_core_party(d->core, b->owner)->name);
    put_text(o, "note", b->note);
    json_object_set_new(o, "debtor_stated", break_stated(&b->stated[0]));
    json_object_set_new(o, "creditor_stated", break_stated(&b->stated[1]));
    json_object_set_new(o, "debtor_entry", b->entry[0].present ? break_side(&b->entry[0]) : json_null());
    json_object_set_new(o, "creditor_entry", b->entry[1].present ? break_side(&b->entry[1]) : json_null());
    return o;
}

static json_t *answer_breaks(const struct sq_daemon *d)
{
    const struct sq_settlement *s = sq_core_settlement(d->core);
    uint32_t count = sq_settlement_break_count(s);
    json_t *o = json_object(), *a = json_array();
    for (uint32_t i = count > BREAKS_LISTED_MAX ? count - BREAKS_LISTED_MAX : 0; i < count; i++)
        json_array_append_new(a, break_of(d, sq_settlement_break(s, i)));
    json_object_set_new(o, "breaks", a);
    return o;
}

static json_t *answer_programmes(const struct sq_daemon *d)
{
    json_t *o = json_object(), *a = json_array();
    for (uint32_t i = 0; i < sq_core_programme_count(d->core); i++) {
        struct sq_programme_view v;
        json_t *p = json_object();
        sq_core_programme(d->core, i, &v);
        put_u64(p, "issuer", v.issuer);
        put_u64(p, "number", v.number);
        put_u64(p, "version", v.version);
        put_u64(p, "kind", v.kind);
        put_text(p, "node", code_of(d->core, v.node));
        put_text(p, "title", v.title);
        put_u64(p, "from_day", v.from_day);
        put_u64(p, "until_day", v.until_day);
        put_u64(p, "rate_bp", v.rate_bp);
        put_fen(p, "pool_fen", v.pool_fen);
        put_fen(p, "granted_fen", v.granted_fen);
        put_fen(p, "reserved_fen", v.reserved_fen);
        put_fen(p, "spent_fen", v.spent_fen);
        put_u64(p, "vouchers", v.voucher_count);
        json_array_append_new(a, p);
    }
    json_object_set_new(o, "programmes", a);
    return o;
}

static json_t *voucher(const struct sq_voucher_view *v)
{
    json_t *o = json_object();
    put_u64(o, "voucher", v->number);
    put_text(o, "holder", v->holder);
    put_text(o, "state", voucher_states[v->state]);
    put_fen(o, "face_fen", v->face_fen);
    put_fen(o, "reserved_fen", v->reserved_fen);
    put_fen(o, "spent_fen", v->spent_fen);
    put_u64(o, "until_day", v->until_day);
    if (v->free_fen >= 0) {
        json_t *stages = json_array();
        for (unsigned i = 0; i < 32; i++)
            if (v->stages_free >> i & 1)
                json_array_append_new(stages, json_integer(i + 1));
        put_fen(o, "free_fen", v->free_fen);
        json_object_set_new(o, "stages_free", stages);
        json_object_set_new(o, "stopped", json_boolean(v->stopped));
        put_fen(o, "back_fen", v->back_fen);
    }
    return o;
}

static json_t *answer_party(const struct sq_daemon *d, uint32_t number)
{
    const struct sq_party *p = sq_core_party(d->core, number);
    json_t *o = json_object();
    put_text(o, "name", p->name);
    put_text(o, "role", role_names[p->role]);
    if (p->node < sq_core_node_count(d->core))
        put_text(o, "node", code_of(d->core, p->node));
    json_object_set_new(o, "enrolled", json_boolean(p->known_key));
    json_object_set_new(o, "suspended", json_boolean(p->suspended));
    put_u64(o, "last_id", p->last_id);
    return o;
}

/* ---- who may ask what ---- */

static int sees_all(const struct sq_daemon *d, const struct sq_party *p)
{
    return p->role == SQ_ROLE_REGULATOR || p->role == SQ_ROLE_NODE ||
           (p->role == SQ_ROLE_OPERATOR && p->node == sq_core_self(d->core));
}

/* A path's decimal number; 0, which is no voucher and no window, for anything else. */
static uint64_t number_of(const char *text)
{
    return strspn(text, "0123456789") == strlen(text) && strlen(text) <= 19 ? strtoull(text, NULL, 10) : 0;
}

static unsigned ask_voucher(const struct sq_daemon *d, const struct sq_party *asker, const char *text, json_t **answer)
{
    char issuer[32];
    struct sq_voucher_view v;
    uint64_t number = number_of(text);
    int found = sq_core_voucher(d->core, number, &v) == SQ_OK;
    snprintf(issuer, sizeof issuer, "issuer:%06" PRIu64, number / 10000000000000u);
    if (!sees_all(d, asker) && strcmp(asker->name, issuer) != 0 && !(found && strcmp(asker->name, v.holder) == 0))
        return SQ_R_NOT_PERMITTED; /* whether it exists is nobody else's business either */
    if (!found)
        return SQ_R_UNKNOWN_VOUCHER;
    *answer = voucher(&v);
    return SQ_OK;
}

/* "ISSUER/NUMBER" or "ISSUER/NUMBER/AFTER" */
static unsigned ask_applications(const struct sq_daemon *d, const struct sq_party *asker, const char *text,
                                 json_t **answer)
{
    uint32_t issuer, number;
    uint64_t after = 0;
    char own[16], rest;
    int parts = sscanf(text, "%6" SCNu32 "/%4" SCNu32 "/%19" SCNu64 "%c", &issuer, &number, &after, &rest);
    if (parts < 2 || parts > 3)
        return SQ_R_UNKNOWN_QUERY;
    snprintf(own, sizeof own, "issuer:%06u", issuer);
    int all = sees_all(d, asker) || strcmp(asker->name, own) == 0;
    if (!all && asker->role != SQ_ROLE_HOLDER)
        return SQ_R_NOT_PERMITTED;
    *answer = sq_query_applications(d, issuer, number, after, all ? NULL : asker->name);
    return SQ_OK;
}

static unsigned ask_prefunds(const struct sq_daemon *d, const struct sq_party *asker, json_t **answer)
{
    if (sees_all(d, asker))
        *answer = sq_query_prefunds(d, 0, NULL);
    else if (asker->role == SQ_ROLE_ISSUER)
        *answer = sq_query_prefunds(d, (uint32_t)number_of(strchr(asker->name, ':') + 1), NULL);
    else if (asker->role == SQ_ROLE_PROVIDER)
        *answer = sq_query_prefunds(d, 0, asker->name);
    else
        return SQ_R_NOT_PERMITTED;
    return SQ_OK;
}

static unsigned ask_org(const struct sq_daemon *d, const struct sq_party *asker, const char *uscc, json_t **answer)
{
    int issuer_here = asker->role == SQ_ROLE_ISSUER && asker->node == sq_core_self(d->core);
    if (!sees_all(d, asker) && !issuer_here && strcmp(strchr(asker->name, ':') + 1, uscc) != 0)
        return SQ_R_NOT_PERMITTED;
    if (!sq_uscc_valid(uscc))
        return SQ_R_BAD_USCC;
    *answer = sq_query_org(d, uscc);
    return *answer != NULL ? SQ_OK : SQ_R_UNKNOWN_SENDER;
}

/* "NUMBER" or "NUMBER/FEN" */
static json_t *answer_invoice(const struct sq_daemon *d, const char *text)
{
    char digits[21] = "";
    size_t size = strcspn(text, "/");
    const char *fen = text[size] == '/' ? text + size + 1 : NULL;
    if (size != 20 || (fen != NULL && (*fen == '\0' || strspn(fen, "0123456789") != strlen(fen) || strlen(fen) > 15)))
        return NULL;
    memcpy(digits, text, 20);
    return sq_query_invoice(d, digits, fen != NULL ? (int64_t)number_of(fen) : -1);
}

static unsigned ask_party(const struct sq_daemon *d, const struct sq_party *asker, const char *name, json_t **answer)
{
    if (!sees_all(d, asker) && strcmp(asker->name, name) != 0)
        return SQ_R_NOT_PERMITTED;
    uint32_t number = sq_core_party_find(d->core, name);
    if (number == SQ_ROW_NONE)
        return SQ_R_UNKNOWN_SENDER;
    *answer = answer_party(d, number);
    return SQ_OK;
}

static unsigned ask(struct sq_daemon *d, const struct sq_party *asker, const char *path, json_t **answer)
{
    if (strcmp(path, "status") == 0)
        *answer = answer_status(d);
    else if (strcmp(path, "programmes") == 0)
        *answer = answer_programmes(d);
    else if (strcmp(path, "witnesses") == 0)
        *answer = sq_query_witnesses(d);
    else if (strncmp(path, "proof/", 6) == 0)
        *answer = sq_query_proof(d, number_of(path + 6));
    else if (strncmp(path, "voucher/", 8) == 0)
        return ask_voucher(d, asker, path + 8, answer);
    else if (strncmp(path, "party/", 6) == 0)
        return ask_party(d, asker, path + 6, answer);
    else if (strcmp(path, "disputes") == 0)
        *answer = sq_query_disputes(d, asker, sees_all(d, asker));
    else if (strncmp(path, "org/", 4) == 0)
        return ask_org(d, asker, path + 4, answer);
    else if (strncmp(path, "applications/", 13) == 0)
        return ask_applications(d, asker, path + 13, answer);
    else if (strcmp(path, "prefunds") == 0)
        return ask_prefunds(d, asker, answer);
    else if (!sees_all(d, asker))
        return SQ_R_NOT_PERMITTED;
    else if (strncmp(path, "invoice/", 8) == 0)
        *answer = answer_invoice(d, path + 8);
    else if (strcmp(path, "windows") == 0)
        *answer = answer_windows(d);
    else if (strcmp(path, "account") == 0)
        *answer = answer_account(d);
    else if (strcmp(path, "regions") == 0)
        *answer = answer_regions(d);
    else if (strcmp(path, "caps") == 0)
        *answer = answer_caps(d);
    else if (strcmp(path, "agreements") == 0)
        *answer = sq_query_agreements(d);
    else if (strcmp(path, "breaks") == 0)
        *answer = answer_breaks(d);
    else if (strcmp(path, "links") == 0)
        *answer = answer_links(d);
    else if (strncmp(path, "window/", 7) == 0)
        *answer = answer_window(d, number_of(path + 7));
    return *answer != NULL ? SQ_OK : SQ_R_UNKNOWN_QUERY;
}

unsigned sq_query_answer(struct sq_daemon *d, uint32_t party, const char *path, char **json)
{
    json_t *answer = NULL;
    unsigned refused = ask(d, sq_core_party(d->core, party), path, &answer);
    if (refused == SQ_OK)
        put_u64(answer, "as_of_entry", sq_core_seq(d->core));
    if (refused == SQ_OK && (*json = json_dumps(answer, JSON_COMPACT)) == NULL)
        refused = SQ_R_BUSY;
    json_decref(answer);
    if (refused == SQ_OK && strlen(*json) > ANSWER_SIZE_MAX) {
        free(*json);
        *json = NULL;
        refused = SQ_R_ANSWER_SIZE;
    }
    return refused;
}
