/*
 * Answers about what regions owe and settle: windows, links, standing, the account, caps, breaks. Who may ask is query.c's affair: nodes, operators
 * of this node and regulators.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ops/common/evidence.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/query_parts.h"

#define WINDOWS_LISTED_MAX  1000u /* the newest; older ones by number */
#define EVIDENCE_LISTED_MAX 64u
#define BREAKS_LISTED_MAX   500u  /* the newest: an answer is one message */
#define PAIRS_LISTED_MAX    2000u /* an answer is one message; a ledger's reader sees all of them */

static const char *const window_states[] = {"",      "open",       "cut",     "stated", "proposed",
                                            "final", "instructed", "settled", "break",  "defaulted"};

const char *sq_query_window_state(enum sq_window_state state)
{
    return window_states[state];
}

static const char *const standing_names[] = {"", "enrolled", "active", "suspended", "defaulted", "closed"};
static const char *const break_states[] = {"", "looking", "found", "closed"};
static const char *const break_causes[] = {"", "entry", "sums", "range"};
static const char *const break_outcomes[] = {"open", "matched", "explained", "adjusted"};
static const char *const method_names[] = {"",       "bilateral", "hub",
                                           "cycles", "funds",     "gross"}; /* enum sq_netting_method */

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

json_t *sq_query_windows(const struct sq_daemon *d)
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

json_t *sq_query_window(const struct sq_daemon *d, uint64_t number)
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

json_t *sq_query_links(const struct sq_daemon *d)
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

json_t *sq_query_regions(const struct sq_daemon *d)
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

json_t *sq_query_account(const struct sq_daemon *d)
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

json_t *sq_query_caps(const struct sq_daemon *d)
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

json_t *sq_query_breaks(const struct sq_daemon *d)
{
    const struct sq_settlement *s = sq_core_settlement(d->core);
    uint32_t count = sq_settlement_break_count(s);
    json_t *o = json_object(), *a = json_array();
    for (uint32_t i = count > BREAKS_LISTED_MAX ? count - BREAKS_LISTED_MAX : 0; i < count; i++)
        json_array_append_new(a, break_of(d, sq_settlement_break(s, i)));
    json_object_set_new(o, "breaks", a);
    return o;
}
