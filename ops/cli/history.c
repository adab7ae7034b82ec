/*
 * sanquan history: a ledger as a regulator reads it.
 *
 *   --voucher N     one voucher's life, in the order of the journal
 *   --refusals      how many were refused, by reason
 *   --positions W   what was owed in a window, the nets and the payments
 *   else            items, chosen by the filters, with their totals
 *
 * With --json each event or item is an object on a line of its own, and the totals are the last.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/names.h"
#include "ops/cli/positions.h"
#include "ops/cli/text.h"
#include "peers/directory.h"
#include "proto/sanquan.pb-c.h"

#define LISTED_DEFAULT 200u

struct history {
    const char *ledger;
    struct sq_reading_filter filter;
    uint64_t positions, limit;
    char batch_node[7];
    int refusals;
};

/* ---- words ---- */

static const char *verb_name(uint8_t verb)
{
    static const char *const names[] = {"?", "redeem", "reserve", "commit", "release", "return"};
    return verb < sizeof names / sizeof *names ? names[verb] : names[0];
}

static const char *verb_text(uint8_t verb)
{
    static const char *const texts[] = {"?", N_("redeem"), N_("reserve"), N_("commit"), N_("release"), N_("return")};
    return _(texts[verb < sizeof texts / sizeof *texts ? verb : 0]);
}

static const char *outcome_text(const struct sq_reading_item *i)
{
    return i->state == SQ_READING_WAITS ? _("waits") : i->state == SQ_READING_ACCEPTED ? _("accepted") : _(sq_status_text(i->code));
}

static const char *node_code(const struct sq_core *core, uint32_t node) { return node < sq_core_node_count(core) ? sq_core_node(core, node)->code : ""; }

/* ---- totals ---- */

struct totals {
    uint64_t items, accepted, refused, waiting;
    int64_t accepted_fen, by_kind_fen[SQ_KIND_COUNT];
    uint64_t by_code[256];
};

static void add(struct totals *t, const struct sq_reading_item *i)
{
    t->items++;
    t->accepted += i->state == SQ_READING_ACCEPTED;
    t->refused += i->state == SQ_READING_REFUSED;
    t->waiting += i->state == SQ_READING_WAITS;
    t->by_code[i->code & 255] += i->state == SQ_READING_REFUSED;
    if (i->state != SQ_READING_ACCEPTED)
        return;
    t->accepted_fen += sq_reading_moves(i);
    if (i->kind >= 1 && i->kind <= SQ_KIND_COUNT)
        t->by_kind_fen[i->kind - 1] += sq_reading_moves(i);
}

static json_t *counts_json(const uint64_t counts[static 256])
{
    json_t *o = sq_need(json_object());
    for (unsigned code = 1; code < 256; code++)
        if (counts[code] != 0)
            json_object_set_new(o, sq_status_name(code), json_integer((json_int_t)counts[code]));
    return o;
}

static json_t *totals_json(const struct totals *t)
{
    json_t *kinds = sq_need(json_array());
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        json_array_append_new(kinds, json_integer(t->by_kind_fen[k]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "items", (json_int_t)t->items, "accepted", (json_int_t)t->accepted, "refused",
                     (json_int_t)t->refused, "waiting", (json_int_t)t->waiting, "accepted_fen", (json_int_t)t->accepted_fen, "by_kind_fen", kinds,
                     "refused_by_code", counts_json(t->by_code));
}

static void print_totals(const struct totals *t)
{
    char a[SQ_TEXT_SIZE], b[SQ_TEXT_SIZE], c[SQ_TEXT_SIZE], money[SQ_TEXT_SIZE];
    printf(_("%s items: %s accepted (%s), %s refused"), sq_text_count(t->items, a), sq_text_count(t->accepted, b), sq_text_money(t->accepted_fen, money),
           sq_text_count(t->refused, c));
    if (t->waiting != 0)
        printf(_(", %s waiting for another node"), sq_text_count(t->waiting, a));
    printf("\n");
}

/* ---- items ---- */

static json_t *item_json(const struct sq_core *core, const struct sq_reading_item *i)
{
    static const char *const roles[] = {"", "acquired", "decided", "", "claimed"}, *const states[] = {"", "waiting", "accepted", "refused"};
    char voucher[24];
    snprintf(voucher, sizeof voucher, "%" PRIu64, i->voucher);
    json_t *o = sq_need(json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "role", roles[i->role], "state", states[i->state], "seq", (json_int_t)i->seq,
                                  "batch", (json_int_t)i->batch, "row", (json_int_t)i->row, "received_ms", (json_int_t)i->received_ms, "decided_seq",
                                  (json_int_t)i->done_seq, "decided_ms", (json_int_t)i->done_ms));
    json_object_update_new(o, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "acquirer", node_code(core, i->acquirer), "issuer_node",
                                        node_code(core, i->issuer), "provider", i->provider, "holder", i->holder, "voucher", voucher, "invoice", i->invoice,
                                        "verb", verb_name(i->verb)));
    json_object_update_new(o, json_pack("{s:i, s:I, s:I, s:I, s:i, s:i, s:I, s:I}", "kind", (int)i->kind, "amount_fen", (json_int_t)i->amount_fen, "base_fen",
                                        (json_int_t)i->base_fen, "invoice_total_fen", (json_int_t)i->total_fen, "service", (int)i->service, "service_day",
                                        (int)i->service_day, "link", (json_int_t)i->link, "window", (json_int_t)i->window));
    if (i->state == SQ_READING_REFUSED)
        json_object_set_new(o, "refusal", json_string(sq_status_name(i->code)));
    return o;
}

struct listing {
    const struct sq_cli *cli;
    const struct sq_core *core;
    const struct history *h;
    struct sq_grid grid;
    struct totals totals;
};

static sq_status list_item(void *ctx, const struct sq_reading_item *i, struct sq_error *err)
{
    struct listing *l = ctx;
    char text[SQ_TEXT_SIZE];
    (void)err;
    add(&l->totals, i);
    if (l->totals.items > l->h->limit)
        return SQ_OK; /* counted, not shown */
    if (l->cli->json) {
        sq_cli_json(item_json(l->core, i));
        return SQ_OK;
    }
    sq_grid_put(&l->grid, "%s", sq_text_time(i->received_ms, text));
    sq_grid_put(&l->grid, "%" PRIu64 "/%u", i->batch, i->row + 1);
    sq_grid_put(&l->grid, "%s", i->provider);
    sq_grid_put(&l->grid, "%" PRIu64, i->voucher);
    sq_grid_put(&l->grid, "%s", verb_text(i->verb));
    sq_grid_put(&l->grid, "%s", sq_text_yuan(i->amount_fen, text));
    sq_grid_put(&l->grid, i->window != 0 ? "%" PRIu64 : "-", i->window);
    sq_grid_put(&l->grid, "%s", outcome_text(i));
    return SQ_OK;
}

static sq_status show_items(const struct sq_cli *cli, const struct history *h, struct sq_reading *r, struct sq_error *err)
{
    const char *const headers[] = {_("received"), _("batch/row"), _("provider"), _("voucher"), _("verb"), _("amount (yuan)"), _("window"), _("outcome")};
    struct listing l = {.cli = cli, .core = sq_reading_core(r), .h = h};
    sq_grid_begin(&l.grid, "lrlllrrl", headers);
    sq_status st = sq_reading_items(r, &h->filter, list_item, &l, err);
    if (st == SQ_OK && cli->json) {
        sq_cli_json(json_pack("{s:o}", "totals", totals_json(&l.totals)));
    } else if (st == SQ_OK) {
        sq_grid_print(&l.grid, stdout);
        if (l.totals.items > h->limit)
            printf(_("... and %" PRIu64 " more; --limit shows them\n"), l.totals.items - h->limit);
        print_totals(&l.totals);
    }
    sq_grid_end(&l.grid);
    return st;
}

/* ---- a voucher's life ---- */

struct life_item { /* one item of the voucher; strings copied */
    struct sq_reading_item item;
    char provider[SQ_NAME_SIZE_MAX + 1];
};

struct life {
    struct life_item *items;
    size_t count, capacity;
    struct totals totals;
};

static sq_status keep_item(void *ctx, const struct sq_reading_item *i, struct sq_error *err)
{
    struct life *l = ctx;
    (void)err;
    if (l->count == l->capacity) {
        l->capacity = l->capacity == 0 ? 64 : l->capacity * 2;
        l->items = sq_need(realloc(l->items, l->capacity * sizeof *l->items));
    }
    struct life_item *to = &l->items[l->count++];
    *to = (struct life_item){.item = *i};
    strncat(to->provider, i->provider, SQ_NAME_SIZE_MAX);
    to->item.provider = to->item.holder = "";
    add(&l->totals, i);
    return SQ_OK;
}

/* Something that happened to the voucher, for sorting by entry. */
struct happening {
    uint64_t seq, at_ms;
    int order;              /* among those of one entry */
    char *text;             /* NULL in JSON */
    json_t *json;
};

struct happenings {
    const struct sq_cli *cli;
    struct happening *list;
    size_t count, capacity;
};

static void happen(struct happenings *h, uint64_t seq, uint64_t at_ms, json_t *json, const char *format, ...) SQ_PRINTF(5, 6);
static void happen(struct happenings *h, uint64_t seq, uint64_t at_ms, json_t *json, const char *format, ...)
{
    va_list args;
    if (h->count == h->capacity) {
        h->capacity = h->capacity == 0 ? 64 : h->capacity * 2;
        h->list = sq_need(realloc(h->list, h->capacity * sizeof *h->list));
    }
    struct happening *to = &h->list[h->count];
    *to = (struct happening){.seq = seq, .at_ms = at_ms, .order = (int)h->count, .json = sq_need(json)};
    h->count++;
    va_start(args, format);
    if (vasprintf(&to->text, format, args) < 0)
        to->text = sq_need(NULL);
    va_end(args);
    json_object_set_new(to->json, "seq", json_integer((json_int_t)seq));
    json_object_set_new(to->json, "at_ms", json_integer((json_int_t)at_ms));
}

static int by_entry(const void *a, const void *b)
{
    const struct happening *x = a, *y = b;
    return x->seq != y->seq ? (x->seq < y->seq ? -1 : 1) : x->order - y->order;
}

static void happen_said(struct happenings *h, const struct sq_reading_life_row *l)
{
    char money[SQ_TEXT_SIZE], until[SQ_TEXT_SIZE];
    switch (l->event) {
    case SQ_READING_GRANT:
        happen(h, l->seq, l->at_ms, json_pack("{s:s, s:I, s:I, s:s}", "event", "granted", "face_fen", (json_int_t)l->amount_fen, "until_day", (json_int_t)l->until,
                                              "holder", l->party),
               _("granted to %s: %s, until %s"), l->party, sq_text_money(l->amount_fen, money), sq_text_day((uint32_t)l->until, until));
        return;
    case SQ_READING_MANDATE:
        happen(h, l->seq, l->at_ms, json_pack("{s:s, s:I, s:I, s:s}", "event", "mandated", "limit_fen", (json_int_t)l->amount_fen, "until_ms",
                                              (json_int_t)l->until, "provider", l->party),
               _("holder allows %s up to %s, until %s"), l->party, sq_text_money(l->amount_fen, money), sq_text_time(l->until, until));
        return;
    case SQ_READING_REVOKE:
        happen(h, l->seq, l->at_ms, json_pack("{s:s}", "event", "revoked"), "%s", _("revoked by its issuer"));
        return;
    }
}

static void happen_item(struct happenings *h, const struct sq_core *core, const struct life_item *l)
{
    const struct sq_reading_item *i = &l->item;
    char money[SQ_TEXT_SIZE];
    json_t *json = item_json(core, i);
    json_object_set_new(json, "event", json_string("item"));
    json_object_set_new(json, "provider", json_string(l->provider));
    uint64_t seq = i->done_seq != 0 ? i->done_seq : i->seq, at = i->done_seq != 0 ? i->done_ms : i->received_ms;
    json_object_set_new(json, "received_seq", json_integer((json_int_t)i->seq));
    if (i->link != 0)
        happen(h, seq, at, json, _("%s of %s by %s, invoice %s: accepted; link %s to %s number %" PRIu64 ", window %" PRIu64), verb_text(i->verb),
               sq_text_money(i->amount_fen, money), l->provider, i->invoice, node_code(core, i->issuer), node_code(core, i->acquirer), i->link, i->window);
    else
        happen(h, seq, at, json, _("%s of %s by %s, invoice %s: %s"), verb_text(i->verb), sq_text_money(i->amount_fen, money), l->provider,
               i->invoice[0] != '\0' ? i->invoice : "-", outcome_text(i));
}

/* What of the voucher is in this window, and what came of the window. */
static void happen_window(struct happenings *h, const struct sq_reading *r, uint64_t window, int64_t fen)
{
    struct sq_reading_window w;
    char money[SQ_TEXT_SIZE];
    if (sq_reading_window(r, window, &w, NULL) != SQ_OK)
        return;
    const struct {
        uint64_t seq, at_ms;
        const char *event, *text;
    } steps[] = {{w.cut.seq, w.cut.at_ms, "cut", N_("window %" PRIu64 " is cut; %s of it are this voucher's")},
                 {w.final.seq, w.final.at_ms, "final", N_("window %" PRIu64 " is netted and final; %s of it are this voucher's")},
                 {w.broke.seq, w.broke.at_ms, "break", N_("window %" PRIu64 ": the bank's word differs; %s of it are this voucher's")},
                 {w.instructed.seq, w.instructed.at_ms, "instructed", N_("window %" PRIu64 ": the payment is entered; %s of it are this voucher's")},
                 {w.settled.seq, w.settled.at_ms, "settled", N_("window %" PRIu64 " is settled; %s of it are this voucher's")}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].seq != 0)
            happen(h, steps[i].seq, steps[i].at_ms, json_pack("{s:s, s:I, s:I}", "event", steps[i].event, "window", (json_int_t)window, "amount_fen", (json_int_t)fen),
                   _(steps[i].text), window, sq_text_money(fen, money));
}

static void happen_windows(struct happenings *h, const struct sq_reading *r, const struct life *l)
{
    uint64_t open = sq_settlement_open_window(sq_core_settlement(sq_reading_core(r)));
    for (uint64_t n = 1; n <= open; n++) {
        int64_t fen = 0;
        int any = 0;
        for (size_t i = 0; i < l->count; i++)
            if (l->items[i].item.link != 0 && l->items[i].item.window == n)
                any = 1, fen += sq_reading_moves(&l->items[i].item);
        if (any)
            happen_window(h, r, n, fen);
    }
}

static void print_voucher(const struct sq_core *core, uint64_t number)
{
    static const char *const states[] = {"", N_("granted"), N_("active"), N_("exhausted"), N_("expired"), N_("revoked")};
    struct sq_voucher_view v;
    char face[SQ_TEXT_SIZE], spent[SQ_TEXT_SIZE], held[SQ_TEXT_SIZE];
    if (sq_core_voucher(core, number, &v) == SQ_OK)
        printf(_("Voucher %" PRIu64 " (%s): face %s, spent %s, reserved %s\n"), number, _(states[v.state]), sq_text_yuan(v.face_fen, face),
               sq_text_yuan(v.spent_fen, spent), sq_text_yuan(v.reserved_fen, held));
    else
        printf(_("Voucher %" PRIu64 " is at home at another node; here is what this one saw of it\n"), number);
}

static sq_status show_life(const struct sq_cli *cli, const struct history *h, struct sq_reading *r, struct sq_error *err)
{
    struct happenings all = {.cli = cli};
    struct life life = {0};
    const struct sq_reading_life_row *said;
    char at[SQ_TEXT_SIZE];
    size_t n = sq_reading_life(r, &said);
    sq_status st = sq_reading_items(r, &h->filter, keep_item, &life, err);
    if (st == SQ_OK && n == 0 && life.count == 0)
        st = sq_fail(err, SQ_E_NOT_FOUND, "voucher %" PRIu64 " is nowhere in this ledger", h->filter.voucher);
    for (size_t i = 0; st == SQ_OK && i < n; i++)
        happen_said(&all, &said[i]);
    for (size_t i = 0; st == SQ_OK && i < life.count; i++)
        happen_item(&all, sq_reading_core(r), &life.items[i]);
    if (st == SQ_OK) {
        happen_windows(&all, r, &life);
        qsort(all.list, all.count, sizeof *all.list, by_entry);
        if (!cli->json)
            print_voucher(sq_reading_core(r), h->filter.voucher);
    }
    for (size_t i = 0; i < all.count; i++) {
        if (st == SQ_OK && cli->json)
            sq_cli_json(json_incref(all.list[i].json));
        else if (st == SQ_OK)
            printf("  %s  #%-6" PRIu64 " %s\n", sq_text_time(all.list[i].at_ms, at), all.list[i].seq, all.list[i].text);
        free(all.list[i].text);
        json_decref(all.list[i].json);
    }
    if (st == SQ_OK && cli->json)
        sq_cli_json(json_pack("{s:o}", "totals", totals_json(&life.totals)));
    else if (st == SQ_OK)
        print_totals(&life.totals);
    free(all.list);
    free(life.items);
    return st;
}

/* ---- refusals ---- */

static sq_status count_item(void *ctx, const struct sq_reading_item *i, struct sq_error *err)
{
    (void)err;
    add(ctx, i);
    return SQ_OK;
}

static void print_reasons(const char *title, const uint64_t counts[static 256])
{
    const char *const headers[] = {_("reason"), _("times"), ""};
    struct sq_grid g;
    char n[SQ_TEXT_SIZE];
    uint64_t all = 0;
    for (unsigned code = 1; code < 256; code++)
        all += counts[code];
    if (all == 0)
        return;
    sq_grid_begin(&g, "lrl", headers);
    for (unsigned code = 1; code < 256; code++)
        if (counts[code] != 0) {
            sq_grid_put(&g, "%s", sq_status_name(code));
            sq_grid_put(&g, "%s", sq_text_count(counts[code], n));
            sq_grid_put(&g, "%s", _(sq_status_text(code)));
        }
    printf("%s\n", title);
    sq_grid_print(&g, stdout);
    printf("\n");
    sq_grid_end(&g);
}

static sq_status show_refusals(const struct sq_cli *cli, const struct history *h, struct sq_reading *r, struct sq_error *err)
{
    struct totals t = {0};
    struct sq_reading_refused whole;
    sq_status st = sq_reading_items(r, &h->filter, count_item, &t, err);
    if (st != SQ_OK)
        return st;
    sq_reading_refused(r, &whole);
    if (cli->json) {
        sq_cli_json(json_pack("{s:o, s:o, s:o}", "items", totals_json(&t), "messages", counts_json(whole.journalled), "rejected", counts_json(whole.rejected)));
        return SQ_OK;
    }
    print_reasons(_("Items refused"), t.by_code);
    print_reasons(_("Messages refused as a whole"), whole.journalled);
    print_reasons(_("Messages turned away before they were read"), whole.rejected);
    print_totals(&t);
    return SQ_OK;
}

/* ---- usage ---- */

enum {
    KEY_LEDGER = 0x100, KEY_VOUCHER, KEY_PROVIDER, KEY_HOLDER, KEY_WINDOW, KEY_BATCH, KEY_INVOICE, KEY_FROM, KEY_TO, KEY_REFUSED, KEY_REFUSALS, KEY_POSITIONS, KEY_LIMIT
};

static error_t parse_code(const char *value, const char **out, const struct argp_state *state)
{
    char why[SQ_WHY_SIZE];
    *out = value;
    return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
}

static error_t parse_number(const char *value, uint64_t *out, const struct argp_state *state)
{
    return sq_args_number(value, 1, UINT64_MAX, out) ? 0 : sq_args_wrong(state, _("%s is no number from 1 on"), value);
}

/* "CODE/NUMBER", or a number of the ledger's own. */
static error_t parse_batch(const char *value, struct history *h, const struct argp_state *state)
{
    const char *slash = strchr(value, '/');
    if (slash != NULL && slash - value == 6)
        memcpy(h->batch_node, value, 6);
    else if (slash != NULL)
        return sq_args_wrong(state, _("%s: a batch is NUMBER, or CODE/NUMBER for another node's"), value);
    return parse_number(slash != NULL ? slash + 1 : value, &h->filter.batch, state);
}

static error_t parse_moment(const char *value, uint64_t *ms, const struct argp_state *state)
{
    return sq_read_moment(value, ms) ? 0 : sq_args_wrong(state, _("%s: a day like 2026-09-01, or a time like '2026-09-01 17:00'"), value);
}

/* A day alone is its last moment for sq_read_moment; --from means its first. */
static error_t parse_from(const char *value, struct history *h, const struct argp_state *state)
{
    uint32_t day;
    error_t rc = parse_moment(value, &h->filter.from_ms, state);
    if (rc == 0 && sq_read_day(value, &day))
        h->filter.from_ms -= 86400000u - 1;
    return rc;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct history *h = state->input;
    error_t rc;
    switch (key) {
    case KEY_LEDGER:
        h->ledger = value;
        return 0;
    case KEY_VOUCHER:
        return parse_number(value, &h->filter.voucher, state);
    case KEY_PROVIDER:
        return parse_code(value, &h->filter.provider, state);
    case KEY_HOLDER:
        return parse_code(value, &h->filter.holder, state);
    case KEY_WINDOW:
        return parse_number(value, &h->filter.window, state);
    case KEY_POSITIONS:
        return parse_number(value, &h->positions, state);
    case KEY_LIMIT:
        return parse_number(value, &h->limit, state);
    case KEY_BATCH:
        return parse_batch(value, h, state);
    case KEY_INVOICE:
        h->filter.invoice = value;
        return strlen(value) == 20 && strspn(value, "0123456789") == 20 ? 0 : sq_args_wrong(state, _("%s: an invoice number has 20 digits"), value);
    case KEY_FROM:
        return parse_from(value, h, state);
    case KEY_TO:
        rc = parse_moment(value, &h->filter.to_ms, state);
        h->filter.to_ms += rc == 0; /* the filter names the first moment that is too late */
        return rc;
    case KEY_REFUSED:
        h->filter.refused_only = 1;
        return 0;
    case KEY_REFUSALS:
        h->refusals = 1;
        return 0;
    case ARGP_KEY_END:
        return h->ledger == NULL ? sq_args_wrong(state, _("say which ledger: --ledger DIR")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger, or a copy of it"), 0},
    {"voucher", KEY_VOUCHER, N_("NUMBER"), 0, N_("this voucher's life, from grant to settlement"), 0},
    {"provider", KEY_PROVIDER, N_("USCC"), 0, N_("items of this provider"), 0},
    {"holder", KEY_HOLDER, N_("USCC"), 0, N_("items on vouchers of this holder"), 0},
    {"window", KEY_WINDOW, N_("NUMBER"), 0, N_("items whose obligations are in this settlement window"), 0},
    {"batch", KEY_BATCH, N_("NUMBER"), 0, N_("items of this batch; CODE/NUMBER for another node's"), 0},
    {"invoice", KEY_INVOICE, N_("NUMBER"), 0, N_("items and claims on this invoice"), 0},
    {"from", KEY_FROM, N_("TIME"), 0, N_("received at this time or later (UTC+8)"), 0},
    {"to", KEY_TO, N_("TIME"), 0, N_("received at this time or earlier"), 0},
    {"refused", KEY_REFUSED, NULL, 0, N_("only what was refused"), 0},
    {"limit", KEY_LIMIT, N_("NUMBER"), 0, N_("list at most so many items (200); totals count all"), 0},
    {"refusals", KEY_REFUSALS, NULL, 0, N_("refusals by reason instead of items"), 0},
    {"positions", KEY_POSITIONS, N_("WINDOW"), 0, N_("positions of a window: owed by pair and kind, nets, payments"), 0},
    {0},
};
static const struct sq_args args = {
    options, parse, NULL, N_("Read a ledger: items with what became of them and their totals, a voucher's life, refusals, positions."),
    N_("The node may go on working meanwhile. With --json each item or event is an object on its own line, and the totals are the last.\n"
       "\n"
       "  sanquan history --ledger /var/lib/sanquan/310000 --provider 91310000MA1FL00001 --from 2026-09-01"),
    0};

static sq_status show(const struct sq_cli *cli, struct history *h, struct sq_reading *r, struct sq_error *err)
{
    const struct sq_core *core = sq_reading_core(r);
    h->filter.batch_node = sq_core_self(core);
    for (uint32_t node = 0; h->batch_node[0] != '\0' && node < sq_core_node_count(core); node++)
        if (strcmp(sq_core_node(core, node)->code, h->batch_node) == 0)
            h->filter.batch_node = node;
    if (h->positions != 0) {
        json_t *window;
        sq_status st = sq_positions_read(r, h->positions, &window, err);
        if (st != SQ_OK)
            return st;
        if (cli->json) {
            sq_cli_json(window);
            return SQ_OK;
        }
        sq_positions_print(window);
        json_decref(window);
        return SQ_OK;
    }
    return h->refusals ? show_refusals(cli, h, r, err) : h->filter.voucher != 0 ? show_life(cli, h, r, err) : show_items(cli, h, r, err);
}

static void on_progress(void *ctx, uint64_t entry, uint64_t last)
{
    struct sq_bar *bar = ctx;
    bar->total = last;
    sq_bar_at(bar, entry);
}

int sq_cmd_history(struct sq_cli *cli, int argc, char **argv)
{
    struct history h = {.limit = LISTED_DEFAULT};
    struct sq_reading *r = NULL;
    struct sq_error err = {0};
    struct sq_bar bar;
    int code = sq_cli_parse(cli, &args, argc, argv, &h);
    if (code != SQ_PARSED)
        return code;
    sq_bar_begin(&bar, cli, _("Entries"), 1);
    struct sq_reading_options o = {.path = h.ledger, .voucher = h.filter.voucher, .progress = on_progress, .progress_ctx = &bar};
    sq_status st = sq_reading_open(&o, &r, &err);
    sq_bar_end(&bar);
    if (st == SQ_OK)
        st = show(cli, &h, r, &err);
    sq_reading_free(r);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
