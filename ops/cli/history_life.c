/*
 * A voucher's life: what was said about it, its items, and what came of the windows they are in, in the order in which it happened.
 *
 *   pages of "voucher=N&life=1" -> happenings
 *   windows of its items        -> happenings, from a replay of the ledger or from the node's list of windows
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/history.h"

struct happening {
    uint64_t seq, at_ms; /* seq 0: a node tells of its windows without the entry */
    size_t order;        /* among those of one entry */
    char *text;
    json_t *json;
};

struct happenings {
    struct happening *list;
    size_t count, capacity;
    struct sq_tally tally;
};

static void happen(struct happenings *h, uint64_t seq, uint64_t at_ms, json_t *json, const char *format, ...)
    SQ_PRINTF(5, 6);
static void happen(struct happenings *h, uint64_t seq, uint64_t at_ms, json_t *json, const char *format, ...)
{
    va_list args;
    if (h->count == h->capacity) {
        h->capacity = h->capacity == 0 ? 64 : h->capacity * 2;
        h->list = sq_need(realloc(h->list, h->capacity * sizeof *h->list));
    }
    struct happening *to = &h->list[h->count];
    *to = (struct happening){.seq = seq, .at_ms = at_ms, .order = h->count, .json = sq_need(json)};
    h->count++;
    va_start(args, format);
    if (vasprintf(&to->text, format, args) < 0)
        to->text = sq_need(NULL);
    va_end(args);
    if (seq != 0)
        json_object_set_new(to->json, "seq", json_integer((json_int_t)seq));
    json_object_set_new(to->json, "at_ms", json_integer((json_int_t)at_ms));
}

/* The journal's time never goes back, so time first is the journal's order, also where an entry is not known. */
static int by_time(const void *a, const void *b)
{
    const struct happening *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->seq != y->seq && x->seq != 0 && y->seq != 0)
        return x->seq < y->seq ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- what was said, and items ---- */

static void happen_item(struct happenings *h, json_t *item)
{
    char money[SQ_TEXT_SIZE];
    const char *invoice = sq_text_in(item, "invoice");
    uint64_t seq = sq_u64_in(item, "decided_seq"), at = sq_u64_in(item, "decided_ms");
    json_t *json = sq_need(json_copy(item));
    json_object_set_new(json, "event", json_string("item"));
    json_object_set_new(json, "received_seq", json_integer((json_int_t)sq_u64_in(item, "seq")));
    json_object_set_new(json, "received_ms", json_integer((json_int_t)sq_u64_in(item, "at_ms")));
    if (seq == 0)
        seq = sq_u64_in(item, "seq"), at = sq_u64_in(item, "at_ms");
    sq_text_money(sq_fen_in(item, "amount_fen"), money);
    if (sq_u64_in(item, "link") != 0 && sq_item_moved(item) != 0)
        happen(h, seq, at, json,
               _("%s of %s by %s, invoice %s: accepted; link %s to %s number %" PRIu64 ", window %" PRIu64),
               sq_item_verb_text(item), money, sq_text_in(item, "provider"), invoice, sq_text_in(item, "debtor"),
               sq_text_in(item, "creditor"), sq_u64_in(item, "link"), sq_u64_in(item, "window"));
    else
        happen(h, seq, at, json, _("%s of %s by %s, invoice %s: %s"), sq_item_verb_text(item), money,
               sq_text_in(item, "provider"), *invoice != '\0' ? invoice : "-", sq_item_outcome_text(item));
}

static void happen_row(struct happenings *h, json_t *row)
{
    const char *state = sq_text_in(row, "state");
    char money[SQ_TEXT_SIZE], until[SQ_TEXT_SIZE];
    uint64_t seq = sq_u64_in(row, "seq"), at = sq_u64_in(row, "at_ms");
    int64_t fen = sq_fen_in(row, "amount_fen");
    if (strcmp(state, "granted") == 0) {
        happen(h, seq, at,
               json_pack("{s:s, s:I, s:I, s:s}", "event", state, "face_fen", (json_int_t)fen, "until_day",
                         (json_int_t)sq_u64_in(row, "until_day"), "holder", sq_text_in(row, "holder")),
               _("granted to %s: %s, until %s"), sq_text_in(row, "holder"), sq_text_money(fen, money),
               sq_text_day((uint32_t)sq_u64_in(row, "until_day"), until));
    } else if (strcmp(state, "mandated") == 0) {
        happen(h, seq, at,
               json_pack("{s:s, s:I, s:I, s:s}", "event", state, "limit_fen", (json_int_t)fen, "until_ms",
                         (json_int_t)sq_u64_in(row, "until_ms"), "provider", sq_text_in(row, "provider")),
               _("holder allows %s up to %s, until %s"), sq_text_in(row, "provider"), sq_text_money(fen, money),
               sq_text_time(sq_u64_in(row, "until_ms"), until));
    } else if (strcmp(state, "revoked") == 0) {
        happen(h, seq, at, json_pack("{s:s}", "event", state), "%s", _("revoked by its issuer"));
    } else {
        sq_tally_item(&h->tally, row);
        happen_item(h, row);
    }
}

static sq_status gather_rows(struct sq_source *s, const struct sq_wish *w, struct happenings *h, struct sq_error *err)
{
    char question[2000], after[48] = "";
    sq_status st = SQ_OK;
    do {
        json_t *page = NULL, *row;
        size_t i;
        snprintf(question, sizeof question, "%s&life=1&max=%u&after=%s", w->conditions, SQ_ASK_MAX, after);
        st = sq_source_ask(s, question, &page, err);
        json_array_foreach(json_object_get(page, "items"), i, row) happen_row(h, row);
        snprintf(after, sizeof after, "%s", sq_text_in(page, "after"));
        json_decref(page);
    } while (st == SQ_OK && after[0] != '\0');
    return st;
}

/* ---- windows ---- */

/* What of the voucher is in this window, and what came of the window. */
static void happen_window(struct happenings *h, const struct sq_timeline_window *w, int64_t fen)
{
    char money[SQ_TEXT_SIZE];
    const struct {
        struct sq_timeline_step at;
        const char *event, *text;
    } steps[] = {
        {w->cut, "cut", N_("window %" PRIu64 " is cut; %s of it are this voucher's")},
        {w->final, "final", N_("window %" PRIu64 " is netted and final; %s of it are this voucher's")},
        {w->broke, "break", N_("window %" PRIu64 ": the bank's word differs; %s of it are this voucher's")},
        {w->instructed, "instructed", N_("window %" PRIu64 ": the payment is entered; %s of it are this voucher's")},
        {w->settled, "settled", N_("window %" PRIu64 " is settled; %s of it are this voucher's")}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].at.at_ms != 0)
            happen(h, steps[i].at.seq, steps[i].at.at_ms,
                   json_pack("{s:s, s:I, s:I}", "event", steps[i].event, "window", (json_int_t)w->window, "amount_fen",
                             (json_int_t)fen),
                   _(steps[i].text), w->window, sq_text_money(fen, money));
}

/* What the voucher's items moved in a window; 0 when none is in it. */
static int sum_window(const struct happenings *h, size_t count, uint64_t window, int64_t *fen)
{
    int any = 0;
    *fen = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = h->list[i].json;
        if (sq_u64_in(item, "window") == window && sq_item_moved(item) != 0)
            any = 1, *fen += sq_item_moved(item);
    }
    return any;
}

static void happen_windows_of_ledger(struct happenings *h, const struct sq_timeline *t)
{
    uint64_t open = sq_settlement_open_window(sq_core_settlement(sq_timeline_core(t)));
    size_t items = h->count;
    struct sq_timeline_window w;
    int64_t fen;
    for (uint64_t n = 1; n <= open; n++)
        if (sum_window(h, items, n, &fen) && sq_timeline_window(t, n, &w, NULL) == SQ_OK)
            happen_window(h, &w, fen);
}

/* A node lists its newest windows to those who may know of them; others see the voucher's items alone. */
static void happen_windows_of_node(struct happenings *h, struct sq_source *s)
{
    json_t *list = NULL, *one;
    size_t i, items = h->count;
    int64_t fen;
    if (sq_session_ask(&s->session, "windows", &list, NULL) != SQ_OK)
        return;
    json_array_foreach(json_object_get(list, "windows"), i, one)
    {
        const struct sq_timeline_window w = {.window = sq_u64_in(one, "window"),
                                             .cut.at_ms = sq_u64_in(one, "cut_ms"),
                                             .final.at_ms = sq_u64_in(one, "final_ms"),
                                             .settled.at_ms = sq_u64_in(one, "settled_ms")};
        if (sum_window(h, items, w.window, &fen))
            happen_window(h, &w, fen);
    }
    json_decref(list);
}

/* ---- the voucher as it is now ---- */

static const char *state_text(const char *state)
{
    static const char *const states[] = {N_("granted"), N_("active"), N_("exhausted"), N_("expired"), N_("revoked")};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(state, states[i]) == 0)
            return _(states[i]);
    return state;
}

static void print_head(uint64_t number, const char *state, int64_t face_fen, int64_t spent_fen, int64_t reserved_fen)
{
    char face[SQ_TEXT_SIZE], spent[SQ_TEXT_SIZE], held[SQ_TEXT_SIZE];
    printf(_("Voucher %" PRIu64 " (%s): face %s, spent %s, reserved %s\n"), number, state_text(state),
           sq_text_yuan(face_fen, face), sq_text_yuan(spent_fen, spent), sq_text_yuan(reserved_fen, held));
}

static void print_elsewhere(uint64_t number)
{
    printf(_("Voucher %" PRIu64 " is at home at another node; here is what this one saw of it\n"), number);
}

static void print_head_of_ledger(const struct sq_core *core, uint64_t number)
{
    static const char *const states[] = {"", "granted", "active", "exhausted", "expired", "revoked"};
    struct sq_voucher_view v;
    if (sq_core_voucher(core, number, &v) == SQ_OK)
        print_head(number, states[v.state], v.face_fen, v.spent_fen, v.reserved_fen);
    else
        print_elsewhere(number);
}

/* Who may ask for rows of the voucher may not always ask for its balance; then the rows alone are shown. */
static void print_head_of_node(struct sq_source *s, uint64_t number)
{
    char path[40];
    json_t *v = NULL;
    snprintf(path, sizeof path, "voucher/%" PRIu64, number);
    sq_status st = sq_session_ask(&s->session, path, &v, NULL);
    if (st == SQ_OK)
        print_head(number, sq_text_in(v, "state"), sq_fen_in(v, "face_fen"), sq_fen_in(v, "spent_fen"),
                   sq_fen_in(v, "reserved_fen"));
    else if ((unsigned)st == SQ_R_UNKNOWN_VOUCHER)
        print_elsewhere(number);
    json_decref(v);
}

/* ---- all of it ---- */

static void print_life(const struct sq_cli *cli, const struct happenings *h)
{
    char at[SQ_TEXT_SIZE];
    for (size_t i = 0; i < h->count; i++) {
        const struct happening *one = &h->list[i];
        if (cli->json)
            sq_cli_json(json_incref(one->json));
        else if (one->seq != 0)
            printf("  %s  #%-6" PRIu64 " %s\n", sq_text_time(one->at_ms, at), one->seq, one->text);
        else
            printf("  %s  %-7s %s\n", sq_text_time(one->at_ms, at), "", one->text);
    }
    if (cli->json)
        sq_cli_json(json_pack("{s:o}", "totals", sq_tally_json(&h->tally)));
    else
        sq_tally_print(&h->tally);
}

sq_status sq_history_life(struct sq_source *s, const struct sq_wish *w, struct sq_error *err)
{
    struct happenings h = {0};
    struct sq_timeline *timeline = NULL;
    uint64_t number = w->checked.filter.voucher;
    sq_status st = gather_rows(s, w, &h, err);
    if (st == SQ_OK && h.count == 0)
        st = sq_fail(err, SQ_E_NOT_FOUND, "voucher %" PRIu64 " is nowhere in this ledger", number);
    if (st == SQ_OK && s->ledger != NULL && (st = sq_source_timeline(s, &timeline, err)) == SQ_OK)
        happen_windows_of_ledger(&h, timeline);
    else if (st == SQ_OK)
        happen_windows_of_node(&h, s);
    if (st == SQ_OK) {
        qsort(h.list, h.count, sizeof *h.list, by_time);
        if (!s->cli->json && timeline != NULL)
            print_head_of_ledger(sq_timeline_core(timeline), number);
        else if (!s->cli->json)
            print_head_of_node(s, number);
        print_life(s->cli, &h);
    }
    for (size_t i = 0; i < h.count; i++) {
        free(h.list[i].text);
        json_decref(h.list[i].json);
    }
    free(h.list);
    sq_timeline_free(timeline);
    return st;
}
