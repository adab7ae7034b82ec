/*
 * sanquan payout, sanquan budget: what a window means for each provider, and for a programme's budget, redemption by redemption.
 *
 * Both are read from a ledger's journal, and tie: all payouts of a window together are what the settlement says each region owes this one,
 * to the fen; all statements of a budget together are what the programme has spent. Where they do not, nothing is written.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "ops/cli/bankfile.h"
#include "ops/cli/names.h"
#include "ops/cli/source.h"
#include "ops/cli/text.h"
#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"

#define PAGE 2000u

struct statement {
    /* what is asked */
    uint64_t window;
    const char *ledger, *format, *out, *provider;
    uint32_t issuer, programme; /* of a budget */
    /* what is found */
    struct sq_source source;
    struct sq_timeline *timeline;
    const struct sq_core *core;
    struct sq_timeline_window w;
    struct item *items;
    size_t count, capacity;
    __int128 before_fen, all_fen; /* of a budget: moved in earlier windows, and ever */
};

struct item {
    char provider[19];
    uint32_t acquirer, issuer, kind, row;
    uint64_t voucher, batch, link;
    char invoice[21];
    uint8_t verb;
    int64_t fen;
};

/* ---- options ---- */

enum { KEY_LEDGER = 0x100, KEY_FORMAT, KEY_PROVIDER };

static error_t parse_common(int key, char *value, struct argp_state *state)
{
    struct statement *s = state->input;
    char why[SQ_WHY_SIZE];
    switch (key) {
    case KEY_LEDGER:
        s->ledger = value;
        return 0;
    case KEY_FORMAT:
        s->format = value;
        return strcmp(value, "csv") == 0 || strcmp(value, "camt.053") == 0
                   ? 0
                   : sq_args_wrong(state, _("--format %s: it is csv or camt.053"), value);
    case KEY_PROVIDER:
        s->provider = value;
        return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
    case 'o':
        s->out = value;
        return 0;
    case ARGP_KEY_END:
        if (s->window == 0)
            return sq_args_wrong(state, _("say which window"));
        return s->ledger == NULL ? sq_args_wrong(state, _("say which ledger: --ledger DIR")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t take_window(struct statement *s, char *value, struct argp_state *state)
{
    if (s->window != 0)
        return ARGP_ERR_UNKNOWN;
    return sq_args_number(value, 1, UINT32_MAX, &s->window)
               ? 0
               : sq_args_wrong(state, _("%s: a window is a number from 1 on"), value);
}

static error_t parse_payout(int key, char *value, struct argp_state *state)
{
    return key == ARGP_KEY_ARG ? take_window(state->input, value, state) : parse_common(key, value, state);
}

static error_t parse_budget(int key, char *value, struct argp_state *state)
{
    struct statement *s = state->input;
    unsigned issuer, programme;
    char end;
    if (key != ARGP_KEY_ARG)
        return parse_common(key, value, state);
    if (s->issuer != 0)
        return take_window(s, value, state);
    if (sscanf(value, "%6u/%4u%c", &issuer, &programme, &end) != 2 || issuer < 100000 || programme == 0)
        return sq_args_wrong(state, _("%s: a programme is written ISSUER/NUMBER, as 310000/1"), value);
    s->issuer = issuer;
    s->programme = programme;
    return 0;
}

static const struct argp_option payout_options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger of the providers' node"), 0},
    {"provider", KEY_PROVIDER, N_("USCC"), 0, N_("only this provider"), 0},
    {"format", KEY_FORMAT, "csv|camt.053", 0, N_("a table, or a bank's statement for each provider (csv)"), 0},
    {"out", 'o', N_("FILE"), 0, N_("write here instead of to standard output, and print the sums"), 0},
    {0},
};
static const struct argp_option budget_options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger of the issuer's node"), 0},
    {"format", KEY_FORMAT, "csv|camt.053", 0, N_("a table, or a bank's statement (csv)"), 0},
    {"out", 'o', N_("FILE"), 0, N_("write here instead of to standard output, and print the sums"), 0},
    {0},
};
static const struct sq_args payout_args = {
    payout_options,
    parse_payout,
    N_("WINDOW"),
    N_("Write what each provider gets for its redemptions of a final window, one by one."),
    N_("All payouts of a window together are what the settlement says each region owes this one; where they are not, "
       "nothing is written.\n"
       "\n"
       "  sanquan payout 7 --ledger /var/lib/sanquan/310000 --out payouts7.csv\n"
       "  sanquan payout 7 --ledger /var/lib/sanquan/310000 --provider 91310199TXXXXX0015 --format camt.053"),
    0};
static const struct sq_args budget_args = {
    budget_options,
    parse_budget,
    N_("PROGRAMME WINDOW"),
    N_("Write what a programme's budget has paid for in a window, redemption by redemption."),
    N_("The balances are what is left of the programme's pool before and after. All windows together are what the "
       "programme has spent; where\n"
       "they are not, nothing is written.\n"
       "\n"
       "  sanquan budget 310000/1 7 --ledger /var/lib/sanquan/310000 --format camt.053 --out budget7.xml"),
    0};

/* ---- collecting ---- */

static uint32_t node_of(const struct sq_core *core, const char *code)
{
    for (uint32_t i = 0; i < sq_core_node_count(core); i++)
        if (strcmp(sq_core_node(core, i)->code, code) == 0)
            return i;
    return SQ_ROW_NONE;
}

static void keep(struct statement *s, const struct sq_item *i)
{
    static const uint8_t none[10];
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 4096 : s->capacity * 2;
        s->items = sq_need(realloc(s->items, s->capacity * sizeof *s->items));
    }
    struct item *to = &s->items[s->count++];
    *to = (struct item){.acquirer = node_of(s->core, i->creditor),
                        .issuer = node_of(s->core, i->debtor),
                        .kind = i->kind,
                        .row = i->batch_row,
                        .voucher = i->voucher,
                        .batch = i->batch,
                        .link = i->link,
                        .verb = i->verb,
                        .fen = sq_item_moved_fen(i)};
    snprintf(to->provider, sizeof to->provider, "%s", i->provider);
    if (memcmp(i->invoice, none, sizeof none) != 0)
        sq_hex(i->invoice, sizeof i->invoice, to->invoice); /* decimal digits, two a byte */
}

/* What is not final yet belongs to a later window than the final one that is asked for. */
static void see_payout(struct statement *s, const struct sq_item *i)
{
    if (sq_item_moved_fen(i) != 0 && i->is_final)
        keep(s, i);
}

static void see_budget(struct statement *s, const struct sq_item *i)
{
    int64_t fen = sq_item_moved_fen(i);
    s->all_fen += fen;
    if (i->is_final && i->window < s->w.window)
        s->before_fen += fen;
    if (fen != 0 && i->is_final && i->window == s->w.window)
        keep(s, i);
}

static sq_status see_all(struct statement *s, const struct sq_filter *f,
                         void (*see)(struct statement *s, const struct sq_item *i), struct sq_error *err)
{
    struct sq_item *page = sq_need(calloc(PAGE, sizeof *page));
    struct sq_query_place place = {0};
    uint32_t count;
    int more = 1;
    sq_status st = SQ_OK;
    while (st == SQ_OK && more) {
        st = sq_query_items(s->source.query, f, 0, &place, page, PAGE, &count, &more, err);
        for (uint32_t i = 0; st == SQ_OK && i < count; i++)
            see(s, &page[i]);
    }
    free(page);
    return st;
}

static int by_provider(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = strcmp(x->provider, y->provider);
    if (order != 0)
        return order;
    if (x->acquirer != y->acquirer)
        return x->acquirer < y->acquirer ? -1 : 1;
    if (x->batch != y->batch)
        return x->batch < y->batch ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static sq_status begin(struct statement *s, const struct sq_cli *cli, struct sq_error *err)
{
    sq_status st = sq_source_open(cli, s->ledger, &s->source, err);
    if (st == SQ_OK)
        st = sq_source_timeline(&s->source, &s->timeline, err);
    if (st != SQ_OK)
        return st;
    s->core = sq_timeline_core(s->timeline);
    st = sq_timeline_window(s->timeline, s->window, &s->w, err);
    if (st == SQ_OK && s->w.final.at_ms == 0)
        st =
            sq_fail(err, SQ_R_WINDOW_STATE, _("window %" PRIu64 " is not final: nothing is to be paid yet"), s->window);
    return st;
}

/* ---- tying ---- */

/* What the settlement, and this node's own business, owe this region by issuer and kind. */
static sq_status add_owed(const struct statement *s, __int128 *owed, struct sq_error *err)
{
    struct sq_window_view v;
    sq_status st = sq_settlement_window(sq_core_settlement(s->core), s->window, &v, err);
    if (st != SQ_OK)
        return st;
    Sanquan__V1__Settlement *value = sq_need(sanquan__v1__settlement__unpack(NULL, v.value.size, v.value.data));
    const char *own = sq_core_node(s->core, sq_core_self(s->core))->code;
    for (size_t i = 0; i < value->n_pairs; i++)
        for (uint32_t node = 0; strcmp(value->pairs[i]->creditor, own) == 0 && node < sq_core_node_count(s->core);
             node++)
            if (strcmp(sq_core_node(s->core, node)->code, value->pairs[i]->debtor) == 0)
                for (size_t k = 0; k < SQ_KIND_COUNT; k++)
                    owed[(size_t)node * SQ_KIND_COUNT + k] += value->pairs[i]->total_fen[k];
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        owed[(size_t)sq_core_self(s->core) * SQ_KIND_COUNT + k] += s->w.local_fen[k];
    sanquan__v1__settlement__free_unpacked(value, NULL);
    return SQ_OK;
}

static sq_status tie_payouts(const struct statement *s, struct sq_error *err)
{
    size_t cells = (size_t)sq_core_node_count(s->core) * SQ_KIND_COUNT;
    __int128 *owed = sq_need(calloc(cells + 1, sizeof *owed));
    sq_status st = add_owed(s, owed, err);
    for (size_t i = 0; st == SQ_OK && i < s->count; i++) {
        const struct item *p = &s->items[i];
        if (p->kind >= 1 && p->kind <= SQ_KIND_COUNT && p->issuer < sq_core_node_count(s->core))
            owed[(size_t)p->issuer * SQ_KIND_COUNT + p->kind - 1] -= p->fen;
        else
            st = sq_fail(err, SQ_E_VERIFY, _("batch %" PRIu64 " row %u is of no programme that this ledger knows"),
                         p->batch, p->row);
    }
    for (size_t i = 0; st == SQ_OK && i < cells; i++)
        if (owed[i] != 0)
            st = sq_fail(err, SQ_E_VERIFY,
                         _("window %" PRIu64 ": redemptions of kind %zu differ by %" PRId64
                           " fen from what %s owes by the settlement"),
                         s->window, i % SQ_KIND_COUNT + 1, (int64_t)owed[i],
                         sq_core_node(s->core, (uint32_t)(i / SQ_KIND_COUNT))->code);
    free(owed);
    return st;
}

static sq_status find_programme(const struct statement *s, struct sq_programme_view *out, struct sq_error *err)
{
    for (uint32_t i = 0; i < sq_core_programme_count(s->core); i++) {
        sq_core_programme(s->core, i, out);
        if (out->issuer == s->issuer && out->number == s->programme && out->node == sq_core_self(s->core))
            return SQ_OK;
    }
    return sq_fail(err, SQ_E_NOT_FOUND, _("programme %06u/%u is not at home in this ledger"), s->issuer, s->programme);
}

/* ---- writing ---- */

static const char *verb_name(uint8_t verb)
{
    static const char *const names[] = {"?", "redeem", "reserve", "commit", "release", "return"};
    return names[verb < sizeof names / sizeof *names ? verb : 0];
}

static const char *code_of(const struct statement *s, uint32_t node)
{
    return sq_core_node(s->core, node)->code;
}

static sq_status write_csv(const struct statement *s, uint8_t **bytes, size_t *size, struct sq_error *err)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, size);
    if (f == NULL)
        return sq_fail(err, SQ_E_NOMEM, "CSV");
    fputs("window,provider,acquirer,issuer,kind,voucher,invoice,verb,amount_fen,batch,row,link\n", f);
    for (size_t i = 0; i < s->count; i++) {
        const struct item *p = &s->items[i];
        fprintf(f, "%" PRIu64 ",%s,%s,%s,%u,%" PRIu64 ",%s,%s,%" PRId64 ",%" PRIu64 ",%u,%" PRIu64 "\n", s->window,
                p->provider, code_of(s, p->acquirer), code_of(s, p->issuer), p->kind, p->voucher, p->invoice,
                verb_name(p->verb), p->fen, p->batch, p->row, p->link);
    }
    if (fclose(f) != 0)
        return sq_fail(err, SQ_E_NOMEM, "CSV");
    *bytes = (uint8_t *)text;
    return SQ_OK;
}

static void fill_entry(const struct statement *s, const struct item *p, int sign, char text[static 64],
                       struct sq_iso_entry *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->reference, sizeof out->reference, "%s-%" PRIu64 "-%u", code_of(s, p->acquirer), p->batch, p->row);
    snprintf(out->end_to_end, sizeof out->end_to_end, "%s", p->invoice);
    snprintf(text, 64, "voucher %" PRIu64 " provider %s", p->voucher, p->provider);
    out->what = verb_name(p->verb);
    out->text = text;
    out->amount_fen = sign * p->fen;
    out->day = sq_day_of_ms(s->w.final.at_ms);
}

/* One statement for each provider, or one for the budget with what was left of its pool. */
static sq_status write_camt053(const struct statement *s, int sign, int64_t opening_fen, uint8_t **bytes, size_t *size,
                               struct sq_error *err)
{
    struct sq_iso_entry *entries = sq_need(malloc((s->count + 1) * sizeof *entries));
    struct sq_iso_statement *list = sq_need(calloc(s->count + 1, sizeof *list));
    char(*texts)[64] = sq_need(malloc((s->count + 1) * sizeof *texts)), account[32], id[SQ_ISO_REFERENCE_SIZE];
    size_t count = 0;
    snprintf(account, sizeof account, "%06u-%04u", s->issuer, s->programme);
    for (size_t i = 0; i < s->count; i++) {
        int new_one = s->issuer != 0 ? i == 0 : i == 0 || strcmp(s->items[i - 1].provider, s->items[i].provider) != 0;
        fill_entry(s, &s->items[i], sign, texts[i], &entries[i]);
        if (!new_one) {
            list[count - 1].count++;
            continue;
        }
        struct sq_iso_statement *to = &list[count++];
        to->account = s->issuer != 0 ? account : s->items[i].provider;
        to->opening_fen = opening_fen;
        to->from_day = sq_day_of_ms(s->w.opened_ms);
        to->to_day = sq_day_of_ms(s->w.final.at_ms);
        to->entries = &entries[i];
        to->count = 1;
        snprintf(to->id, sizeof to->id, "SQ-%" PRIu64 "-%.18s", s->window, to->account);
    }
    snprintf(id, sizeof id, "SQ-%" PRIu64 "-%.11s", s->window,
             s->issuer != 0 ? account : code_of(s, sq_core_self(s->core)));
    sq_status st = sq_iso_camt053(id, s->w.final.at_ms, list, count, bytes, size, err);
    free(texts);
    free(list);
    free(entries);
    return st;
}

static sq_status write_out(const struct statement *s, const struct sq_cli *cli, int sign, int64_t opening_fen,
                           struct sq_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    sq_status st = strcmp(s->format, "csv") == 0 ? write_csv(s, &bytes, &size, err)
                                                 : write_camt053(s, sign, opening_fen, &bytes, &size, err);
    if (st == SQ_OK && (s->out != NULL || !cli->json))
        st = sq_bank_write(s->out, bytes, size, err);
    free(bytes);
    return st;
}

/* ---- sums ---- */

static json_t *sums_of(const struct statement *s)
{
    json_t *list = sq_need(json_array());
    for (size_t i = 0, end; i < s->count; i = end) {
        int64_t fen = 0;
        for (end = i; end < s->count && strcmp(s->items[end].provider, s->items[i].provider) == 0; end++)
            fen += s->items[end].fen; /* within what the settlement owes, which is within int64 */
        json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "provider", s->items[i].provider, "items",
                                              (json_int_t)(end - i), "amount_fen", (json_int_t)fen));
    }
    return list;
}

static void print_sums(const json_t *sums)
{
    const char *headers[] = {_("provider"), _("items"), _("amount (yuan)")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *p;
    sq_grid_begin(&g, "lrr", headers);
    json_array_foreach(sums, i, p)
    {
        sq_grid_put(&g, "%s", json_string_value(json_object_get(p, "provider")));
        sq_grid_put(&g, "%s", sq_text_count((uint64_t)json_integer_value(json_object_get(p, "items")), text));
        sq_grid_put(&g, "%s", sq_text_yuan(json_integer_value(json_object_get(p, "amount_fen")), text));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void show_sums(const struct statement *s, const struct sq_cli *cli, int64_t opening_fen, int64_t closing_fen)
{
    json_t *sums = sums_of(s);
    if (cli->json && s->issuer != 0)
        sq_cli_json(json_pack("{s:I, s:I, s:I, s:O}", "window", (json_int_t)s->window, "opening_fen",
                              (json_int_t)opening_fen, "closing_fen", (json_int_t)closing_fen, "providers", sums));
    else if (cli->json)
        sq_cli_json(json_pack("{s:I, s:O}", "window", (json_int_t)s->window, "providers", sums));
    else if (s->out != NULL)
        print_sums(sums);
    json_decref(sums);
}

/* ---- the commands ---- */

static void end(struct statement *s)
{
    sq_timeline_free(s->timeline);
    sq_source_close(&s->source);
    free(s->items);
}

static sq_status payout(struct statement *s, const struct sq_cli *cli, struct sq_error *err)
{
    struct sq_filter f = {.window = s->window, .state = SQ_ITEM_ACCEPTED};
    sq_status st = begin(s, cli, err);
    if (st == SQ_OK) {
        memcpy(f.creditor, s->source.node, sizeof f.creditor);
        st = see_all(s, &f, see_payout, err);
    }
    if (st == SQ_OK)
        st = tie_payouts(s, err);
    if (st != SQ_OK)
        return st;
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->provider == NULL || strcmp(s->items[i].provider, s->provider) == 0)
            s->items[kept++] = s->items[i];
    s->count = kept;
    if (kept == 0)
        return sq_fail(err, SQ_E_NOT_FOUND, _("window %" PRIu64 " holds no redemption of %s"), s->window,
                       s->provider != NULL ? s->provider : _("this node's providers"));
    qsort(s->items, s->count, sizeof *s->items, by_provider);
    return write_out(s, cli, 1, 0, err);
}

int sq_cmd_payout(struct sq_cli *cli, int argc, char **argv)
{
    struct statement s = {.format = "csv"};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &payout_args, argc, argv, &s);
    if (code != SQ_PARSED)
        return code;
    sq_status st = payout(&s, cli, &err);
    if (st == SQ_OK)
        show_sums(&s, cli, 0, 0);
    end(&s);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}

static sq_status budget(struct statement *s, const struct sq_cli *cli, int64_t *opening_fen, int64_t *closing_fen,
                        struct sq_error *err)
{
    const struct sq_filter f = {.issuer = s->issuer, .programme = s->programme, .state = SQ_ITEM_ACCEPTED};
    struct sq_programme_view p = {0};
    sq_status st = begin(s, cli, err);
    if (st == SQ_OK)
        st = find_programme(s, &p, err);
    if (st == SQ_OK)
        st = see_all(s, &f, see_budget, err);
    if (st == SQ_OK && s->all_fen != p.spent_fen)
        st = sq_fail(err, SQ_E_VERIFY,
                     _("redemptions of %06u/%u add up to %" PRId64 " fen, the programme has spent %" PRId64), s->issuer,
                     s->programme, (int64_t)s->all_fen, p.spent_fen);
    if (st == SQ_OK && s->count == 0)
        st = sq_fail(err, SQ_E_NOT_FOUND, _("window %" PRIu64 " holds no redemption of programme %06u/%u"), s->window,
                     s->issuer, s->programme);
    if (st != SQ_OK)
        return st;
    qsort(s->items, s->count, sizeof *s->items, by_provider);
    *opening_fen = *closing_fen = p.pool_fen - (int64_t)s->before_fen;
    for (size_t i = 0; i < s->count; i++)
        *closing_fen -= s->items[i].fen;
    return write_out(s, cli, -1, *opening_fen, err);
}

int sq_cmd_budget(struct sq_cli *cli, int argc, char **argv)
{
    struct statement s = {.format = "csv"};
    struct sq_error err = {0};
    int64_t opening_fen = 0, closing_fen = 0;
    int code = sq_cli_parse(cli, &budget_args, argc, argv, &s);
    if (code != SQ_PARSED)
        return code;
    sq_status st = budget(&s, cli, &opening_fen, &closing_fen, &err);
    if (st == SQ_OK)
        show_sums(&s, cli, opening_fen, closing_fen);
    end(&s);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
