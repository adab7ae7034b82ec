/* Items page by page, for people, as CSV or as lines of JSON; what they add up to; refusals by reason. */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/history.h"

/* ---- one item ---- */

/* An item of another node, on an invoice whose home is here. */
static int is_elsewhere(const json_t *item)
{
    const char *role = sq_text_in(item, "role");
    return strcmp(role, "claimed") == 0 || strcmp(role, "ended") == 0;
}

int64_t sq_item_moved(const json_t *item)
{
    const char *verb = sq_text_in(item, "verb");
    if (strcmp(sq_text_in(item, "state"), "accepted") != 0 || is_elsewhere(item))
        return 0;
    return strcmp(verb, "redeem") == 0 || strcmp(verb, "commit") == 0 ? sq_fen_in(item, "amount_fen")
           : strcmp(verb, "return") == 0                              ? -sq_fen_in(item, "amount_fen")
                                                                      : 0;
}

/* A word of the answer's in the reader's language. */
static const char *translated(const char *word)
{
    static const char *const words[] = {N_("redeem"),  N_("reserve"),  N_("commit"),  N_("release"),
                                        N_("return"),  N_("accepted"), N_("refused"), N_("waiting"),
                                        N_("granted"), N_("mandated"), N_("revoked")};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return _(words[i]);
    return word;
}

const char *sq_item_verb_text(const json_t *item)
{
    return translated(sq_text_in(item, "verb"));
}

const char *sq_item_outcome_text(const json_t *item)
{
    static const struct {
        const char *end, *text;
    } ends[] = {{"claim_refused", N_("refused by its issuer, no claim any more")},
                {"return_accepted", N_("returned, no claim any more")},
                {"return_refused", N_("return refused, claim stands")}};
    uint64_t code = sq_u64_in(item, "refusal");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(sq_text_in(item, "end"), ends[i].end) == 0)
            return _(ends[i].text);
    return code != 0 ? _(sq_status_text((unsigned)code)) : translated(sq_text_in(item, "state"));
}

/* ---- what they add up to ---- */

void sq_tally_item(struct sq_tally *t, const json_t *item)
{
    const char *state = sq_text_in(item, "state");
    uint64_t kind = sq_u64_in(item, "kind");
    if (strcmp(sq_text_in(item, "role"), "ended") == 0)
        return; /* the claim itself is counted */
    t->items++;
    if (is_elsewhere(item)) {
        t->claims++;
        return;
    }
    t->accepted += strcmp(state, "accepted") == 0;
    t->waiting += strcmp(state, "waiting") == 0;
    if (strcmp(state, "refused") == 0) {
        t->refused++;
        t->by_code[sq_u64_in(item, "refusal") & 255]++;
    }
    t->accepted_fen += sq_item_moved(item);
    if (kind >= 1 && kind <= SQ_KIND_COUNT)
        t->by_kind_fen[kind - 1] += sq_item_moved(item);
}

void sq_tally_sums(struct sq_tally *t, const json_t *sums)
{
    *t = (struct sq_tally){.accepted = sq_u64_in(json_object_get(sums, "accepted"), "count"),
                           .refused = sq_u64_in(json_object_get(sums, "refused"), "count"),
                           .waiting = sq_u64_in(json_object_get(sums, "waiting"), "count"),
                           .claims = sq_u64_in(sums, "claims"),
                           .accepted_fen = sq_fen_in(json_object_get(sums, "accepted"), "amount_fen")};
    t->items = t->accepted + t->refused + t->waiting + t->claims;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        t->by_kind_fen[k] =
            (int64_t)json_integer_value(json_array_get(json_object_get(sums, "accepted_by_kind_fen"), k));
    for (unsigned code = 1; code < 256; code++)
        t->by_code[code] = sq_u64_in(json_object_get(sums, "refused_by_code"), sq_status_name(code));
}

json_t *sq_counts_json(const uint64_t counts[static 256])
{
    json_t *o = sq_need(json_object());
    for (unsigned code = 1; code < 256; code++)
        if (counts[code] != 0)
            json_object_set_new(o, sq_status_name(code), json_integer((json_int_t)counts[code]));
    return o;
}

json_t *sq_tally_json(const struct sq_tally *t)
{
    json_t *kinds = sq_need(json_array());
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        json_array_append_new(kinds, json_integer(t->by_kind_fen[k]));
    return sq_need(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "items", (json_int_t)t->items, "accepted",
                             (json_int_t)t->accepted, "refused", (json_int_t)t->refused, "waiting",
                             (json_int_t)t->waiting, "claims", (json_int_t)t->claims, "accepted_fen",
                             (json_int_t)t->accepted_fen, "by_kind_fen", kinds, "refused_by_code",
                             sq_counts_json(t->by_code)));
}

void sq_tally_print(const struct sq_tally *t)
{
    char a[SQ_TEXT_SIZE], b[SQ_TEXT_SIZE], c[SQ_TEXT_SIZE], money[SQ_TEXT_SIZE];
    printf(_("%s items: %s accepted (%s), %s refused"), sq_text_count(t->items, a), sq_text_count(t->accepted, b),
           sq_text_money(t->accepted_fen, money), sq_text_count(t->refused, c));
    if (t->waiting != 0)
        printf(_(", %s waiting for another node"), sq_text_count(t->waiting, a));
    if (t->claims != 0)
        printf(_(", %s claims of other nodes on invoices"), sq_text_count(t->claims, a));
    printf("\n");
}

/* ---- pages ---- */

static const char *const csv_columns[] = {
    "seq",         "row",        "role",        "state",       "at_ms",   "batch",
    "batch_row",   "creditor",   "debtor",      "provider",    "holder",  "voucher",
    "kind",        "verb",       "amount_fen",  "base_fen",    "invoice", "invoice_total_fen",
    "service",     "scenario",   "service_day", "reservation", "bundle",  "refusal_name",
    "decided_seq", "decided_ms", "link",        "window",      "final",   "end"};
#define CSV_COLUMNS (sizeof csv_columns / sizeof *csv_columns)

/* Codes, numbers and words: none needs quotes. */
static void print_csv(const json_t *item)
{
    for (size_t i = 0; i < CSV_COLUMNS; i++) {
        const json_t *v = json_object_get(item, csv_columns[i]);
        printf("%s", i == 0 ? "" : ",");
        if (json_is_integer(v))
            printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
        else if (json_is_boolean(v))
            printf("%d", json_is_true(v));
        else
            printf("%s", sq_text_in(item, csv_columns[i]));
    }
    printf("\n");
}

static void print_csv_header(void)
{
    for (size_t i = 0; i < CSV_COLUMNS; i++)
        printf("%s%s", i == 0 ? "" : ",", csv_columns[i]);
    printf("\n");
}

static void put_row(struct sq_grid *g, const json_t *item)
{
    char text[SQ_TEXT_SIZE];
    sq_grid_put(g, "%s", sq_text_time(sq_u64_in(item, "at_ms"), text));
    sq_grid_put(g, "%" PRIu64 "/%" PRIu64, sq_u64_in(item, "batch"), sq_u64_in(item, "batch_row") + 1);
    sq_grid_put(g, "%s", sq_text_in(item, "provider"));
    sq_grid_put(g, "%s", sq_text_in(item, "voucher"));
    sq_grid_put(g, "%s", sq_item_verb_text(item));
    sq_grid_put(g, "%s", sq_text_yuan(sq_fen_in(item, "amount_fen"), text));
    int counts = strcmp(sq_text_in(item, "state"), "accepted") == 0 && sq_u64_in(item, "window") != 0;
    sq_grid_put(g, counts ? "%" PRIu64 : "-", sq_u64_in(item, "window"));
    sq_grid_put(g, "%s", sq_item_outcome_text(item));
}

static void print_page(const struct sq_cli *cli, const struct sq_wish *w, json_t *items)
{
    const char *const headers[] = {_("received"), _("batch/row"),     _("provider"), _("voucher"),
                                   _("verb"),     _("amount (yuan)"), _("window"),   _("outcome")};
    struct sq_grid grid;
    size_t i;
    json_t *item;
    int as_grid = !cli->json && !w->csv && json_array_size(items) != 0;
    if (as_grid)
        sq_grid_begin(&grid, "lrlllrrl", headers);
    json_array_foreach(items, i, item)
    {
        if (cli->json)
            sq_cli_json(json_incref(item));
        else if (w->csv)
            print_csv(item);
        else
            put_row(&grid, item);
    }
    if (as_grid) {
        sq_grid_print(&grid, stdout);
        sq_grid_end(&grid);
    }
}

static sq_status ask_page(struct sq_source *s, const struct sq_wish *w, uint64_t left, const char *after, json_t **out,
                          struct sq_error *err)
{
    char question[2000];
    snprintf(question, sizeof question, "%s&order=%s&max=%" PRIu64 "&after=%s%s", w->conditions,
             w->order != NULL ? w->order : "oldest", left < SQ_ASK_MAX ? left : SQ_ASK_MAX, after,
             w->proofs ? "&proofs=1" : "");
    return sq_source_ask(s, question, out, err);
}

struct listing {
    struct sq_tally tally;
    uint64_t proven; /* entries, page by page */
    char after[48];  /* where the next page begins; "": there is none */
};

static sq_status take_page(struct sq_source *s, const struct sq_wish *w, struct listing *l, json_t *page,
                           struct sq_error *err)
{
    json_t *items = json_object_get(page, "items"), *item;
    size_t i;
    uint64_t proven = 0;
    sq_status st = w->proofs ? sq_source_check(s, page, &proven, err) : SQ_OK;
    if (st != SQ_OK)
        return st;
    l->proven += proven;
    json_array_foreach(items, i, item) sq_tally_item(&l->tally, item);
    print_page(s->cli, w, items);
    snprintf(l->after, sizeof l->after, "%s", sq_text_in(page, "after"));
    return SQ_OK;
}

static void print_end(const struct sq_cli *cli, const struct sq_wish *w, const struct listing *l)
{
    char n[SQ_TEXT_SIZE];
    if (cli->json) {
        json_t *last = sq_need(json_pack("{s:o}", "totals", sq_tally_json(&l->tally)));
        if (l->after[0] != '\0')
            json_object_set_new(last, "after", json_string(l->after));
        if (w->proofs)
            json_object_set_new(last, "proven_entries", json_integer((json_int_t)l->proven));
        sq_cli_json(last);
        return;
    }
    if (!w->csv)
        sq_tally_print(&l->tally);
    if (w->proofs && !w->csv)
        printf(_("Checked against the signed checkpoint: %s entries\n"), sq_text_count(l->proven, n));
    if (l->after[0] != '\0')
        fprintf(w->csv ? stderr : stdout,
                _("There are more: --after %s goes on, --all lists all, --sums only adds up\n"), l->after);
}

sq_status sq_history_list(struct sq_source *s, const struct sq_wish *w, struct sq_error *err)
{
    struct listing l = {0};
    sq_status st = SQ_OK;
    snprintf(l.after, sizeof l.after, "%s", w->after != NULL ? w->after : "");
    if (w->csv)
        print_csv_header();
    do {
        json_t *page = NULL;
        st = ask_page(s, w, w->all ? UINT64_MAX : w->max - l.tally.items, l.after, &page, err);
        if (st == SQ_OK)
            st = take_page(s, w, &l, page, err);
        json_decref(page);
    } while (st == SQ_OK && l.after[0] != '\0' && (w->all || l.tally.items < w->max));
    if (st == SQ_OK)
        print_end(s->cli, w, &l);
    return st;
}

/* ---- sums ---- */

static sq_status ask_sums(struct sq_source *s, const struct sq_wish *w, struct sq_tally *t, struct sq_error *err)
{
    char question[2000];
    json_t *answer = NULL;
    snprintf(question, sizeof question, "%s&sums=1", w->conditions);
    sq_status st = sq_source_ask(s, question, &answer, err);
    if (st == SQ_OK)
        sq_tally_sums(t, json_object_get(answer, "sums"));
    json_decref(answer);
    return st;
}

sq_status sq_history_sums(struct sq_source *s, const struct sq_wish *w, struct sq_error *err)
{
    struct sq_tally t;
    char money[SQ_TEXT_SIZE];
    sq_status st = ask_sums(s, w, &t, err);
    if (st != SQ_OK)
        return st;
    if (s->cli->json) {
        sq_cli_json(json_pack("{s:o}", "totals", sq_tally_json(&t)));
        return SQ_OK;
    }
    sq_tally_print(&t);
    for (uint32_t k = 0; k < SQ_KIND_COUNT; k++)
        if (t.by_kind_fen[k] != 0)
            printf("  %s %s\n", sq_text_kind(k + 1), sq_text_money(t.by_kind_fen[k], money));
    return SQ_OK;
}

/* ---- refusals ---- */

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

sq_status sq_history_refusals(struct sq_source *s, const struct sq_wish *w, struct sq_error *err)
{
    struct sq_tally t;
    struct sq_timeline_refused whole = {0};
    struct sq_timeline *timeline = NULL;
    sq_status st = ask_sums(s, w, &t, err);
    if (st == SQ_OK && s->ledger != NULL)
        st = sq_source_timeline(s, &timeline, err);
    if (st != SQ_OK)
        return st;
    if (timeline != NULL)
        sq_timeline_refused(timeline, &whole);
    if (s->cli->json) {
        json_t *o = sq_need(json_pack("{s:o}", "items", sq_tally_json(&t)));
        if (timeline != NULL) {
            json_object_set_new(o, "messages", sq_counts_json(whole.journalled));
            json_object_set_new(o, "rejected", sq_counts_json(whole.rejected));
        }
        sq_cli_json(o);
    } else {
        print_reasons(_("Items refused"), t.by_code);
        print_reasons(_("Messages refused as a whole"), whole.journalled);
        print_reasons(_("Messages turned away before they were read"), whole.rejected);
        sq_tally_print(&t);
    }
    sq_timeline_free(timeline);
    return SQ_OK;
}
