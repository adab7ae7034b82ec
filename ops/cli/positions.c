#include "ops/cli/positions.h"

#include <stdlib.h>
#include <string.h>

#include "ops/cli/text.h"
#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"

static const char *const state_names[] = {"",      "open",       "cut",     "stated", "proposed",
                                          "final", "instructed", "settled", "break",  "defaulted"};
static const char *const method_names[] = {"", "bilateral", "hub", "cycles", "funds", "gross"};

/* ---- from a ledger ---- */

static json_t *whole(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *by_kind(const int64_t *fen)
{
    json_t *a = sq_need(json_array());
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        json_array_append_new(a, json_integer(fen[k]));
    return a;
}

static json_t *pairs_of(const Sanquan__V1__Settlement *v)
{
    json_t *a = sq_need(json_array());
    for (size_t i = 0; i < v->n_pairs; i++) {
        const Sanquan__V1__Pair *p = v->pairs[i];
        char hash[2 * SQ_HASH_SIZE + 1];
        sq_hex(p->hash.data, SQ_HASH_SIZE, hash); /* that it has this size was checked before it became final */
        json_t *pair = json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "debtor", p->debtor, "creditor", p->creditor,
                                 "first", whole(p->first), "last", whole(p->last), "hash", hash, "count",
                                 whole(p->count), "total_fen", by_kind(p->total_fen));
        if (p->n_carried_fen == SQ_KIND_COUNT)
            json_object_set_new(pair, "carried_fen", by_kind(p->carried_fen));
        json_array_append_new(a, pair);
    }
    return a;
}

static json_t *positions_of(Sanquan__V1__Position **nets, size_t count)
{
    json_t *a = sq_need(json_array());
    for (size_t i = 0; i < count; i++)
        json_array_append_new(a, json_pack("{s:s, s:i, s:I}", "node", nets[i]->node, "kind", (int)nets[i]->kind,
                                           "net_fen", (json_int_t)nets[i]->net_fen));
    return a;
}

static json_t *kinds_of(const Sanquan__V1__Settlement *v)
{
    json_t *a = sq_need(json_array());
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
        if (v->kinds >> kind & 1)
            json_array_append_new(a, json_integer((json_int_t)kind));
    return a;
}

static json_t *payments_of(Sanquan__V1__Payment **payments, size_t count)
{
    json_t *a = sq_need(json_array());
    for (size_t i = 0; i < count; i++)
        json_array_append_new(a, json_pack("{s:i, s:s, s:s, s:I}", "kind", (int)payments[i]->kind, "payer",
                                           payments[i]->payer, "payee", payments[i]->payee, "amount_fen",
                                           (json_int_t)payments[i]->amount_fen));
    return a;
}

/* Those of regions that were found not to have paid. */
static void mark_defaulted(const json_t *payments, const struct sq_core *core, uint64_t window)
{
    size_t i;
    json_t *p;
    json_array_foreach(payments, i, p) for (uint32_t node = 0; node < sq_core_node_count(core);
                                            node++) if (strcmp(json_string_value(json_object_get(p, "payer")),
                                                               sq_core_node(core, node)->code) == 0 &&
                                                        sq_settlement_defaulted(sq_core_settlement(core), node, window))
        json_object_set_new(p, "defaulted", json_true());
}

static json_t *signers_of(const struct sq_core *core, uint64_t window)
{
    uint32_t max = sq_core_node_count(core), *nodes = sq_need(calloc(max + 1u, sizeof *nodes));
    uint32_t n = sq_settlement_signers(sq_core_settlement(core), window, nodes, max);
    json_t *a = sq_need(json_array());
    for (uint32_t i = 0; i < n && i < max; i++)
        json_array_append_new(a, json_string(sq_core_node(core, nodes[i])->code));
    free(nodes);
    return a;
}

static void put_settlement(json_t *o, const struct sq_core *core, const struct sq_window_view *v,
                           const Sanquan__V1__Settlement *m)
{
    char hash[2 * SQ_HASH_SIZE + 1];
    sq_hex(v->value_hash, SQ_HASH_SIZE, hash);
    json_object_set_new(o, "settlement_hash", json_string(hash));
    json_object_set_new(o, "signers", signers_of(core, v->window));
    json_object_set_new(
        o, "method",
        json_string(m->method < sizeof method_names / sizeof *method_names ? method_names[m->method] : ""));
    json_object_set_new(o, "pair_count", whole(m->n_pairs));
    json_object_set_new(o, "pairs", pairs_of(m));
    json_object_set_new(o, "nets", positions_of(m->nets, m->n_nets));
    json_object_set_new(o, "payments", payments_of(m->payments, m->n_payments));
    mark_defaulted(json_object_get(o, "payments"), core, v->window);
    json_object_set_new(o, "losses", payments_of(m->losses, m->n_losses));
    json_object_set_new(o, "kinds", kinds_of(m));
    json_object_set_new(o, "funds", positions_of(m->funds, m->n_funds));
    json_object_set_new(o, "left", payments_of(m->left, m->n_left));
}

sq_status sq_positions_read(const struct sq_timeline *t, uint64_t window, json_t **out, struct sq_error *err)
{
    const struct sq_core *core = sq_timeline_core(t);
    struct sq_timeline_window w;
    struct sq_window_view v;
    sq_status st = sq_timeline_window(t, window, &w, err);
    if (st == SQ_OK)
        st = sq_settlement_window(sq_core_settlement(core), window, &v, err);
    if (st != SQ_OK)
        return st;
    json_t *o = sq_need(json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:i, s:i, s:{s:o, s:o}}", "window", whole(window),
                                  "state", state_names[v.state], "opened_ms", whole(v.opened_ms), "cut_ms",
                                  whole(v.cut_ms), "final_ms", whole(v.final_ms), "settled_ms", whole(v.settled_ms),
                                  "round", (int)v.round, "precommits", (int)v.precommits, "local", "count",
                                  whole(w.local_count), "total_fen", by_kind(w.local_fen)));
    if (v.value.size != 0) {
        Sanquan__V1__Settlement *m = sq_need(sanquan__v1__settlement__unpack(NULL, v.value.size, v.value.data));
        put_settlement(o, core, &v, m);
        sanquan__v1__settlement__free_unpacked(m, NULL);
    }
    *out = o;
    return SQ_OK;
}

/* ---- for people ---- */

const char *sq_positions_state(const char *state)
{
    static const struct {
        const char *name, *text;
    } states[] = {{"open", N_("open")},
                  {"cut", N_("cut")},
                  {"stated", N_("stated")},
                  {"proposed", N_("proposed")},
                  {"final", N_("final")},
                  {"instructed", N_("instructed")},
                  {"settled", N_("settled")},
                  {"break", N_("break: the bank's word differs")},
                  {"defaulted", N_("not paid by this region")}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i].name, state) == 0)
            return _(states[i].text);
    return state;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL ? s : "";
}

static int64_t number_of(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

static void print_pairs(const json_t *window)
{
    const char *const headers[] = {_("debtor"), _("creditor"), _("kind"), _("owed (yuan)")};
    struct sq_grid g;
    char money[SQ_TEXT_SIZE];
    size_t i, k;
    json_t *p, *fen;
    int64_t sum = 0;
    sq_grid_begin(&g, "lllr", headers);
    json_array_foreach(json_object_get(window, "pairs"), i, p)
        json_array_foreach(json_object_get(p, "total_fen"), k, fen)
    {
        int64_t owed = (int64_t)json_integer_value(fen);
        if (owed == 0)
            continue;
        sq_grid_put(&g, "%s", text_of(p, "debtor"));
        sq_grid_put(&g, "%s", text_of(p, "creditor"));
        sq_grid_put(&g, "%s", sq_text_kind((uint32_t)k + 1));
        sq_grid_put(&g, "%s", sq_text_yuan(owed, money));
        sum += owed < 0 ? -owed : owed;
    }
    printf("\n%s\n", _("Before netting: what each pair owes"));
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
    printf("%s %s\n", _("together"), sq_text_money(sum, money));
}

static void print_nets(const json_t *window)
{
    const char *const headers[] = {_("region"), _("kind"), _("net (yuan)"), ""};
    struct sq_grid g;
    char money[SQ_TEXT_SIZE];
    size_t i;
    json_t *p;
    sq_grid_begin(&g, "llrl", headers);
    json_array_foreach(json_object_get(window, "nets"), i, p)
    {
        int64_t net = number_of(p, "net_fen");
        sq_grid_put(&g, "%s", text_of(p, "node"));
        sq_grid_put(&g, "%s", sq_text_kind((uint32_t)number_of(p, "kind")));
        sq_grid_put(&g, "%s", sq_text_yuan(net, money));
        sq_grid_put(&g, "%s", net > 0 ? _("receives") : _("pays"));
    }
    printf("\n%s\n", _("After netting: each region's position by kind"));
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static const char *payer(const char *code)
{
    return strcmp(code, "hub") == 0 ? _("settlement account") : code;
}

static void print_payments(const json_t *list, const char *title)
{
    const char *const headers[] = {_("kind"), _("payer"), _("payee"), _("amount (yuan)")};
    struct sq_grid g;
    char money[SQ_TEXT_SIZE];
    size_t i;
    json_t *p;
    sq_grid_begin(&g, "lllr", headers);
    json_array_foreach(list, i, p)
    {
        sq_grid_put(&g, "%s", sq_text_kind((uint32_t)number_of(p, "kind")));
        sq_grid_put(&g, "%s", payer(text_of(p, "payer")));
        sq_grid_put(&g, "%s", payer(text_of(p, "payee")));
        sq_grid_put(&g, "%s", sq_text_yuan(number_of(p, "amount_fen"), money));
    }
    printf("\n%s\n", title);
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_local(const json_t *window)
{
    const json_t *local = json_object_get(window, "local");
    char money[SQ_TEXT_SIZE];
    size_t k;
    json_t *fen;
    if (local == NULL || number_of(local, "count") == 0)
        return;
    printf("\n%s\n", _("Within the region itself, never netted"));
    json_array_foreach(json_object_get(local, "total_fen"), k, fen) if (json_integer_value(fen) != 0)
        printf("  %s %s\n", sq_text_kind((uint32_t)k + 1), sq_text_money((int64_t)json_integer_value(fen), money));
}

void sq_positions_print(const json_t *window)
{
    char at[SQ_TEXT_SIZE];
    size_t i;
    json_t *code;
    printf(_("Window %" PRId64 ": %s\n"), number_of(window, "window"), sq_positions_state(text_of(window, "state")));
    printf("  %s %s\n", _("cut"), sq_text_time((uint64_t)number_of(window, "cut_ms"), at));
    printf("  %s %s\n", _("final"), sq_text_time((uint64_t)number_of(window, "final_ms"), at));
    if (json_object_get(window, "settlement_hash") != NULL) {
        printf("  %s", _("certificate signed by"));
        json_array_foreach(json_object_get(window, "signers"), i, code) printf(" %s", json_string_value(code));
        printf("\n  %s %s\n", _("settlement"), text_of(window, "settlement_hash"));
        print_pairs(window);
        print_nets(window);
        print_payments(json_object_get(window, "payments"), _("Payments"));
        if (json_array_size(json_object_get(window, "losses")) != 0)
            print_payments(json_object_get(window, "losses"), _("Payments instead of those that were not made (yuan)"));
        if (json_array_size(json_object_get(window, "left")) != 0)
            print_payments(json_object_get(window, "left"), _("Left: still owed, and in the next window (yuan)"));
    }
    print_local(window);
}
