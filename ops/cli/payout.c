/*
 * sanquan payout, sanquan budget: what a window means for each provider, and for a programme's budget, line by line (tally.h), as a table or as
 * bank statements. Where the lines do not tie to what is settled, nothing is written.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "ops/cli/bankfile.h"
#include "ops/cli/names.h"
#include "ops/cli/source.h"
#include "ops/cli/tally.h"
#include "ops/cli/text.h"

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
    struct sq_tally tally;
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
    if (key != ARGP_KEY_ARG)
        return parse_common(key, value, state);
    if (s->issuer != 0)
        return take_window(s, value, state);
    return sq_args_programme(value, &s->issuer, &s->programme)
               ? 0
               : sq_args_wrong(state, _("%s: a programme is written ISSUER/NUMBER, as 310000/1"), value);
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
    N_("Besides redemptions and returns there are lines of their own for what was taken back (clawback), what money in "
       "advance has paid\n"
       "(advance), and, without a provider, what the region itself bears under an agreement (borne), what it has paid "
       "in advance, and what a\n"
       "statement taken in a break says beyond the rows (adjusted). All lines of a window together are what the "
       "settlement says each region\n"
       "owes this one; where they are not, nothing is written.\n"
       "\n"
       "  sanquan payout 7 --ledger /var/lib/sanquan/310000 --out payouts7.csv\n"
       "  sanquan payout 7 --ledger /var/lib/sanquan/310000 --provider 91310199TXXXXX0015 --format camt.053"),
    0};
static const struct sq_args budget_args = {
    budget_options,
    parse_budget,
    N_("PROGRAMME WINDOW"),
    N_("Write what a programme's budget has paid for in a window, redemption by redemption."),
    N_("Besides redemptions and returns there are lines of their own for what was taken back (clawback) and for what "
       "the providers' region\n"
       "bears under an agreement (borne). The balances are the programme's pool less what it has paid for, before and "
       "after. All lines of the\n"
       "node's programmes together are what the settlement says its region owes the others, and all rows and clawbacks "
       "ever are what the\n"
       "programme has spent; where they are not, nothing is written.\n"
       "\n"
       "  sanquan budget 310000/1 7 --ledger /var/lib/sanquan/310000 --format camt.053 --out budget7.xml"),
    0};

/* ---- writing ---- */

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
    for (size_t i = 0; i < s->tally.count; i++) {
        const struct sq_tally_line *l = &s->tally.lines[i];
        fprintf(f, "%" PRIu64 ",%s,%s,%s,%u,%" PRIu64 ",%s,%s,%" PRId64 ",%" PRIu64 ",%u,%" PRIu64 "\n", s->window,
                l->of_region ? "" : l->provider, code_of(s, l->acquirer), code_of(s, l->issuer), l->kind, l->voucher,
                l->invoice, sq_tally_name(l), l->fen, l->entry, l->row, l->link);
    }
    if (fclose(f) != 0)
        return sq_fail(err, SQ_E_NOMEM, "CSV");
    *bytes = (uint8_t *)text;
    return SQ_OK;
}

/* A reference that no other line of the file has: whose ledger, the batch or entry, the row, and what the line is beside the row itself. */
static void fill_entry(const struct statement *s, const struct sq_tally_line *l, int sign, char text[static 64],
                       struct sq_iso_entry *out)
{
    static const char *const marks[] = {[SQ_TALLY_ROW] = "",
                                        [SQ_TALLY_CLAWBACK] = "-C",
                                        [SQ_TALLY_BORNE] = "-B",
                                        [SQ_TALLY_ADVANCE] = "-A",
                                        [SQ_TALLY_ADJUSTED] = "-D"};
    int of_own_ledger = l->what != SQ_TALLY_ROW && l->invoice[0] == '\0';
    memset(out, 0, sizeof *out);
    snprintf(out->reference, sizeof out->reference, "%s-%" PRIu64 "-%u%s%s",
             code_of(s, of_own_ledger ? sq_core_self(s->core) : l->acquirer), l->entry, l->row,
             l->what == SQ_TALLY_BORNE && of_own_ledger ? "-C" : "", marks[l->what]);
    snprintf(out->end_to_end, sizeof out->end_to_end, "%s", l->invoice);
    text[0] = '\0';
    if (l->voucher != 0)
        snprintf(text, 64, "voucher %019" PRIu64 " provider %s", l->voucher, l->provider);
    out->what = sq_tally_name(l);
    out->text = text[0] != '\0' ? text : NULL;
    out->amount_fen = sign * l->fen;
    out->day = sq_day_of_ms(s->w.final.at_ms);
}

/* Whose account a line is on. */
static const char *account_of(const struct statement *s, size_t i)
{
    const struct sq_tally_line *l = &s->tally.lines[i];
    return l->of_region ? code_of(s, sq_core_self(s->core)) : l->provider;
}

static int is_new_account(const struct statement *s, size_t i)
{
    return i == 0 || (s->issuer == 0 && strcmp(account_of(s, i - 1), account_of(s, i)) != 0);
}

/* One statement for each provider and the region, or one for the budget with what was left of its pool. */
static sq_status write_camt053(const struct statement *s, uint8_t **bytes, size_t *size, struct sq_error *err)
{
    struct sq_iso_entry *entries = sq_need(malloc((s->tally.count + 1) * sizeof *entries));
    struct sq_iso_statement *list = sq_need(calloc(s->tally.count + 1, sizeof *list));
    char(*texts)[64] = sq_need(malloc((s->tally.count + 1) * sizeof *texts)), account[32], id[SQ_ISO_REFERENCE_SIZE];
    size_t count = 0;
    snprintf(account, sizeof account, "%06u-%04u", s->issuer, s->programme);
    for (size_t i = 0; i < s->tally.count; i++) {
        fill_entry(s, &s->tally.lines[i], s->issuer != 0 ? -1 : 1, texts[i], &entries[i]);
        if (!is_new_account(s, i)) {
            list[count - 1].count++;
            continue;
        }
        struct sq_iso_statement *to = &list[count++];
        to->account = s->issuer != 0 ? account : account_of(s, i);
        to->opening_fen = s->tally.opening_fen;
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

static sq_status write_out(const struct statement *s, const struct sq_cli *cli, struct sq_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    sq_status st =
        strcmp(s->format, "csv") == 0 ? write_csv(s, &bytes, &size, err) : write_camt053(s, &bytes, &size, err);
    if (st == SQ_OK && (s->out != NULL || !cli->json))
        st = sq_bank_write(s->out, bytes, size, err);
    free(bytes);
    return st;
}

/* ---- sums ---- */

/* A region's own lines of a payout have no provider: they are the last. */
static json_t *sums_of(const struct statement *s)
{
    json_t *list = sq_need(json_array());
    for (size_t i = 0, end; i < s->tally.count && !s->tally.lines[i].of_region; i = end) {
        int64_t fen = 0;
        for (end = i; end < s->tally.count && strcmp(account_of(s, end), account_of(s, i)) == 0; end++)
            fen += s->tally.lines[end].fen; /* within what the settlement owes, which is within int64 */
        json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "provider", account_of(s, i), "items",
                                              (json_int_t)(end - i), "amount_fen", (json_int_t)fen));
    }
    return list;
}

/* Of all lines of this sort. */
static int64_t sum_of(const struct statement *s, enum sq_tally_what what, int of_region)
{
    int64_t fen = 0;
    for (size_t i = 0; i < s->tally.count; i++)
        fen += s->tally.lines[i].what == what && s->tally.lines[i].of_region == of_region ? s->tally.lines[i].fen : 0;
    return fen;
}

static void put_row(struct sq_grid *g, const char *who, uint64_t items, int64_t fen)
{
    char text[SQ_TEXT_SIZE];
    sq_grid_put(g, "%s", who);
    sq_grid_put(g, "%s", items != 0 ? sq_text_count(items, text) : "");
    sq_grid_put(g, "%s", sq_text_yuan(fen, text));
}

static void print_sums(const struct statement *s, const json_t *sums)
{
    const char *headers[] = {_("provider"), _("items"), _("amount (yuan)")};
    const struct {
        enum sq_tally_what what;
        const char *text;
    } regions[] = {{SQ_TALLY_BORNE, N_("borne by the region")},
                   {SQ_TALLY_ADVANCE, N_("paid in advance by the region")},
                   {SQ_TALLY_ADJUSTED, N_("statement taken in a break")}};
    struct sq_grid g;
    size_t i;
    json_t *p;
    sq_grid_begin(&g, "lrr", headers);
    json_array_foreach(sums, i, p) put_row(&g, json_string_value(json_object_get(p, "provider")),
                                           (uint64_t)json_integer_value(json_object_get(p, "items")),
                                           json_integer_value(json_object_get(p, "amount_fen")));
    for (i = 0; i < sizeof regions / sizeof *regions; i++)
        if (sum_of(s, regions[i].what, 1) != 0)
            put_row(&g, _(regions[i].text), 0, sum_of(s, regions[i].what, 1));
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static json_t *summary_of(const struct statement *s, json_t *sums)
{
    if (s->issuer != 0)
        return json_pack("{s:I, s:I, s:I, s:I, s:O}", "window", (json_int_t)s->window, "opening_fen",
                         (json_int_t)s->tally.opening_fen, "closing_fen", (json_int_t)s->tally.closing_fen, "borne_fen",
                         (json_int_t)sum_of(s, SQ_TALLY_BORNE, 0), "providers", sums);
    return json_pack("{s:I, s:O, s:{s:I, s:I, s:I}}", "window", (json_int_t)s->window, "providers", sums, "region",
                     "borne_fen", (json_int_t)sum_of(s, SQ_TALLY_BORNE, 1), "advance_fen",
                     (json_int_t)sum_of(s, SQ_TALLY_ADVANCE, 1), "adjusted_fen",
                     (json_int_t)sum_of(s, SQ_TALLY_ADJUSTED, 1));
}

static void show_sums(const struct statement *s, const struct sq_cli *cli)
{
    json_t *sums = sums_of(s);
    if (cli->json)
        sq_cli_json(summary_of(s, sums));
    else if (s->out != NULL)
        print_sums(s, sums);
    json_decref(sums);
}

/* ---- the commands ---- */

static sq_status begin(struct statement *s, const struct sq_cli *cli, struct sq_error *err)
{
    sq_status st = sq_source_open(cli, s->ledger, &s->source, err);
    if (st == SQ_OK)
        st = sq_source_timeline(&s->source, &s->timeline, err);
    if (st != SQ_OK)
        return st;
    s->core = sq_timeline_core(s->timeline);
    return sq_timeline_window(s->timeline, s->window, &s->w, err);
}

static int end(struct statement *s, struct sq_cli *cli, sq_status st, const struct sq_error *err)
{
    if (st == SQ_OK)
        show_sums(s, cli);
    sq_tally_free(&s->tally);
    sq_timeline_free(s->timeline);
    sq_source_close(&s->source);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, err);
}

/* Of one provider alone. */
static void choose(struct statement *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->tally.count; i++)
        if (!s->tally.lines[i].of_region && strcmp(s->tally.lines[i].provider, s->provider) == 0)
            s->tally.lines[kept++] = s->tally.lines[i];
    s->tally.count = kept;
}

static sq_status payout(struct statement *s, const struct sq_cli *cli, struct sq_error *err)
{
    sq_status st = begin(s, cli, err);
    if (st == SQ_OK)
        st = sq_tally_payouts(s->source.query, s->timeline, s->window, &s->tally, err);
    if (st != SQ_OK)
        return st;
    if (s->provider != NULL)
        choose(s);
    return s->tally.count != 0 ? write_out(s, cli, err)
                               : sq_fail(err, SQ_E_NOT_FOUND, _("window %" PRIu64 " holds no redemption of %s"),
                                         s->window, s->provider != NULL ? s->provider : _("this node's providers"));
}

int sq_cmd_payout(struct sq_cli *cli, int argc, char **argv)
{
    struct statement s = {.format = "csv"};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &payout_args, argc, argv, &s);
    return code != SQ_PARSED ? code : end(&s, cli, payout(&s, cli, &err), &err);
}

static sq_status budget(struct statement *s, const struct sq_cli *cli, struct sq_error *err)
{
    sq_status st = begin(s, cli, err);
    if (st == SQ_OK)
        st = sq_tally_budget(s->source.query, s->timeline, s->window, s->issuer, s->programme, &s->tally, err);
    if (st != SQ_OK)
        return st;
    return s->tally.count != 0
               ? write_out(s, cli, err)
               : sq_fail(err, SQ_E_NOT_FOUND, _("window %" PRIu64 " holds no redemption of programme %06u/%u"),
                         s->window, s->issuer, s->programme);
}

int sq_cmd_budget(struct sq_cli *cli, int argc, char **argv)
{
    struct statement s = {.format = "csv"};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &budget_args, argc, argv, &s);
    return code != SQ_PARSED ? code : end(&s, cli, budget(&s, cli, &err), &err);
}
