/*
 * sanquan net: all netting methods side by side on any list of obligations, with no node and no network; and for sanquan settle preview,
 * on the pairs of a window.
 *
 * Participants are whatever names stand in the files; they are numbered in the byte order of their names, so rows may stand in
 * any order.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/netting/netting.h"
#include "ops/cli/net.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"

#define NAME_SIZE_MAX  120u
#define AMOUNT_MAX_FEN 1000000000000000 /* 10 trillion yuan a row: more is a slip of the pen */

enum { COL_DEBTOR, COL_CREDITOR, COL_KIND, COL_FEN, COL_YUAN, COLUMNS };
static const struct sq_column columns[COLUMNS] = {
    [COL_DEBTOR] = {"debtor", "债务人", 1}, [COL_CREDITOR] = {"creditor", "债权人", 1},
    [COL_KIND] = {"kind", "券种", 0},       [COL_FEN] = {"fen", "金额分", 0},
    [COL_YUAN] = {"yuan", "金额元", 0},
};
enum { COL_WHO = COL_DEBTOR, FUNDS_UNUSED = COL_CREDITOR }; /* funds have the same columns but one */
static const struct sq_column funds_columns[COLUMNS] = {
    [COL_WHO] = {"participant", "参与方", 1}, [FUNDS_UNUSED] = {"note", "备注", 0}, [COL_KIND] = {"kind", "券种", 0},
    [COL_FEN] = {"fen", "金额分", 0},         [COL_YUAN] = {"yuan", "金额元", 0},
};

struct row {
    char *debtor, *creditor; /* creditor NULL: funds of debtor */
    uint32_t kind;
    int64_t fen;
    uint64_t line;
};

struct net {
    const char *path, *funds_path;
    uint32_t method; /* 0: all */
    struct row *rows;
    size_t count, capacity;
    size_t owed; /* rows[0..owed) are obligations, the others funds */
    uint64_t wrong;
    json_t *problems; /* of all files */
    char **names;     /* ascending; borrowed from rows */
    uint32_t name_count;
    struct sq_obligation *obligations;
    int64_t *funds_fen; /* NULL without a file of funds */
};

/* ---- options ---- */

enum { OPTION_FUNDS = 1000, OPTION_METHOD };
static const struct argp_option options[] = {
    {"funds", OPTION_FUNDS, N_("FILE"), 0, N_("what money each participant has, for the method 'funds'"), 0},
    {"method", OPTION_METHOD, N_("METHOD"), 0,
     N_("only this method, with its payments: gross, bilateral, hub, cycles or funds"), 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct net *n = state->input;
    switch (key) {
    case OPTION_FUNDS:
        n->funds_path = value;
        return 0;
    case OPTION_METHOD:
        n->method = sq_netting_find(value);
        return n->method == 0
                   ? sq_args_wrong(state, _("there is no method '%s': gross, bilateral, hub, cycles or funds"), value)
                   : 0;
    case ARGP_KEY_ARG:
        if (n->path != NULL)
            return sq_args_wrong(state, _("one file of obligations goes"));
        n->path = value;
        return 0;
    case ARGP_KEY_END:
        if (n->path == NULL)
            return sq_args_wrong(state, _("say which file holds the obligations"));
        return n->method == SQ_NET_FUNDS && n->funds_path == NULL
                   ? sq_args_wrong(state, _("the method 'funds' needs --funds FILE"))
                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char more[] = N_(
    "FILE is a CSV file (or JSON lines) with the columns\n"
    "  debtor, creditor  names of participants, whatever they are\n"
    "  kind              1 to 7, compute, model or corpus; left out: 1. Kinds are never set off against each other\n"
    "  fen or yuan       the amount\n"
    "and a file of funds the columns participant, kind, fen or yuan. Columns may be named in Chinese: 债务人, 债权人,\n"
    "券种, 金额分, 金额元, 参与方.\n"
    "\n"
    "Methods\n"
    "  gross      everybody pays all it owes\n"
    "  bilateral  of each two the one that owes more pays the difference\n"
    "  hub        everybody pays its net to a settlement account, or gets it from there\n"
    "  cycles     as much as possible is set off around cycles; the rest is paid\n"
    "  funds      the same with the money that participants have; what that does not reach is left\n"
    "For each: owed = cleared without money + money needed + left.\n"
    "\n"
    "  sanquan net debts.csv\n"
    "  sanquan net debts.csv --funds cash.csv --method funds --json");
static const struct sq_args args = {
    options, parse, N_("FILE"), N_("Show what each netting method makes of a list of obligations."), more, 0};

/* ---- reading ---- */

static char *cell_name(struct sq_cells *c, unsigned column)
{
    const char *text = c->row->cell[column];
    size_t size = strlen(text);
    if (size == 0 || size > NAME_SIZE_MAX)
        sq_cells_wrong(c, column, _("a name of 1 to %u bytes goes here"), NAME_SIZE_MAX);
    return c->bad ? NULL : sq_need(strdup(text));
}

static uint32_t cell_kind(struct sq_cells *c, unsigned column)
{
    static const char *const words[] = {"compute", "算力券", "算力",   "model", "模型券",
                                        "模型",    "corpus", "语料券", "语料"};
    const char *text = c->row->cell[column];
    uint64_t kind = 1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0)
            return (uint32_t)(i / 3 + 1);
    if (*text != '\0' && (!sq_read_number(text, &kind) || kind < 1 || kind > SQ_KIND_COUNT))
        sq_cells_wrong(c, column, _("a kind is 1 to %u, compute, model or corpus"), SQ_KIND_COUNT);
    return (uint32_t)kind;
}

static void add_row(struct net *n, const struct row *r)
{
    if (n->count == n->capacity) {
        n->capacity = n->capacity == 0 ? 1024 : n->capacity * 2;
        n->rows = sq_need(realloc(n->rows, n->capacity * sizeof *n->rows));
    }
    n->rows[n->count++] = *r;
}

static void read_row(struct net *n, const struct sq_sheet *sheet, const struct sq_row *row,
                     struct sq_problems *problems, int funds)
{
    struct sq_cells c;
    if (!sq_cells_begin(&c, sheet, row, problems))
        return;
    struct row r = {.line = row->line, .kind = cell_kind(&c, COL_KIND)};
    r.fen = sq_cell_money(&c, COL_FEN, COL_YUAN, funds ? 0 : 1, AMOUNT_MAX_FEN, -1);
    if (!funds && strcmp(row->cell[COL_DEBTOR], row->cell[COL_CREDITOR]) == 0)
        sq_cells_wrong(&c, COL_CREDITOR, _("owes itself"));
    r.debtor = cell_name(&c, COL_DEBTOR);
    r.creditor = funds ? NULL : cell_name(&c, COL_CREDITOR);
    if (c.bad) {
        free(r.debtor);
        return;
    }
    add_row(n, &r);
}

static sq_status read_file(struct net *n, const struct sq_cli *cli, const char *path, int funds, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_problems problems;
    struct sq_row row;
    sq_status st = sq_sheet_open(path, funds ? funds_columns : columns, COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    sq_problems_begin(&problems, cli, path);
    while (sq_sheet_next(sheet, &row))
        read_row(n, sheet, &row, &problems, funds);
    sq_problems_end(&problems);
    n->wrong += problems.count;
    json_array_extend(n->problems, problems.list);
    json_decref(problems.list);
    sq_sheet_close(sheet);
    return SQ_OK;
}

/* ---- numbering ---- */

static int by_text(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static uint32_t number_of(const struct net *n, char *name)
{
    return (uint32_t)((char **)bsearch(&name, n->names, n->name_count, sizeof *n->names, by_text) - n->names);
}

static void number_names(struct net *n)
{
    size_t count = 0, kept = 0;
    n->names = sq_need(malloc((2 * n->count + 1) * sizeof *n->names));
    for (size_t i = 0; i < n->count; i++) {
        n->names[count++] = n->rows[i].debtor;
        if (n->rows[i].creditor != NULL)
            n->names[count++] = n->rows[i].creditor;
    }
    qsort(n->names, count, sizeof *n->names, by_text);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(n->names[kept - 1], n->names[i]) != 0)
            n->names[kept++] = n->names[i];
    n->name_count = (uint32_t)kept;
}

static void put_obligations(struct net *n)
{
    number_names(n);
    n->obligations = sq_need(malloc((n->owed + 1) * sizeof *n->obligations));
    for (size_t i = 0; i < n->owed; i++)
        n->obligations[i] = (struct sq_obligation){number_of(n, n->rows[i].debtor), number_of(n, n->rows[i].creditor),
                                                   n->rows[i].kind, n->rows[i].fen};
}

static sq_status take_funds(struct net *n, struct sq_error *err)
{
    size_t cells = (size_t)n->name_count * SQ_KIND_COUNT;
    uint64_t *line = sq_need(calloc(cells + 1, sizeof *line));
    sq_status st = SQ_OK;
    n->funds_fen = sq_need(calloc(cells + 1, sizeof *n->funds_fen));
    for (size_t i = n->owed; st == SQ_OK && i < n->count; i++) {
        const struct row *r = &n->rows[i];
        size_t at = (size_t)number_of(n, r->debtor) * SQ_KIND_COUNT + r->kind - 1;
        if (line[at] != 0)
            st =
                sq_fail(err, SQ_E_FORMAT,
                        _("%s:%" PRIu64 ": participant \"%s\": its funds of kind %u stand in line %" PRIu64 " already"),
                        n->funds_path, r->line, r->debtor, r->kind, line[at]);
        line[at] = r->line;
        n->funds_fen[at] = r->fen;
    }
    free(line);
    return st;
}

static sq_status read_all(struct net *n, const struct sq_cli *cli, struct sq_error *err)
{
    sq_status st = read_file(n, cli, n->path, 0, err);
    n->owed = n->count;
    if (st == SQ_OK && n->funds_path != NULL)
        st = read_file(n, cli, n->funds_path, 1, err);
    if (st == SQ_OK && n->wrong != 0)
        st = sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was computed"), n->wrong);
    if (st != SQ_OK)
        return st;
    put_obligations(n);
    return n->funds_path != NULL ? take_funds(n, err) : SQ_OK;
}

static void net_free(struct net *n)
{
    for (size_t i = 0; i < n->count; i++) {
        free(n->rows[i].debtor);
        free(n->rows[i].creditor);
    }
    free(n->rows);
    free(n->names);
    free(n->obligations);
    free(n->funds_fen);
    json_decref(n->problems);
}

/* ---- one kind, or all, of one method ---- */

struct line {
    int64_t gross_fen, cleared_fen, money_fen, left_fen;
    uint64_t payments;
};

static int add_to(int64_t *sum, int64_t fen)
{
    return !__builtin_add_overflow(*sum, fen, sum);
}

/* Lines of kinds 1.. in [1].., of all in [0]. */
static sq_status sum_up(const struct sq_net_result *r, struct line line[static SQ_KIND_COUNT + 1], struct sq_error *err)
{
    memset(line, 0, (SQ_KIND_COUNT + 1) * sizeof *line);
    for (size_t k = 1; k <= SQ_KIND_COUNT; k++) {
        line[k] = (struct line){r->gross_fen[k - 1], r->cleared_fen[k - 1], r->money_fen[k - 1], r->left_fen[k - 1], 0};
        if (!add_to(&line[0].gross_fen, line[k].gross_fen) || !add_to(&line[0].cleared_fen, line[k].cleared_fen) ||
            !add_to(&line[0].money_fen, line[k].money_fen) || !add_to(&line[0].left_fen, line[k].left_fen))
            return sq_fail(err, SQ_E_OVERFLOW, "the sum of all kinds leaves int64 fen");
    }
    for (size_t i = 0; i < r->payment_count; i++)
        line[r->payments[i].kind].payments++;
    line[0].payments = r->payment_count;
    return SQ_OK;
}

static json_t *line_json(uint32_t kind, const struct line *l)
{
    json_t *o = sq_need(json_pack("{s:I, s:I, s:I, s:I, s:I}", "gross_fen", (json_int_t)l->gross_fen, "cleared_fen",
                                  (json_int_t)l->cleared_fen, "money_fen", (json_int_t)l->money_fen, "left_fen",
                                  (json_int_t)l->left_fen, "payments", (json_int_t)l->payments));
    if (kind != 0)
        json_object_set_new(o, "kind", json_integer(kind));
    return o;
}

static void put_line(struct sq_grid *g, const char *method, uint32_t kind, const struct line *l)
{
    char text[SQ_TEXT_SIZE];
    sq_grid_put(g, "%s", method);
    sq_grid_put(g, "%s", kind == 0 ? _("all") : sq_text_kind(kind));
    sq_grid_put(g, "%s", sq_text_yuan(l->gross_fen, text));
    sq_grid_put(g, "%s", sq_text_yuan(l->cleared_fen, text));
    sq_grid_put(g, "%s",
                sq_text_bp(l->gross_fen == 0 ? 0 : (uint32_t)((__int128)l->cleared_fen * 10000 / l->gross_fen), text));
    sq_grid_put(g, "%s", sq_text_yuan(l->money_fen, text));
    sq_grid_put(g, "%s", sq_text_count(l->payments, text));
    sq_grid_put(g, "%s", sq_text_yuan(l->left_fen, text));
}

/* ---- payments, and what is left ---- */

static const char *who(const struct net *n, uint32_t number)
{
    return number == SQ_HUB ? "hub" : n->names[number];
}

static json_t *payments_json(const struct net *n, const struct sq_net_result *r)
{
    json_t *list = sq_need(json_array());
    for (size_t i = 0; i < r->payment_count; i++) {
        const struct sq_payment *p = &r->payments[i];
        json_array_append_new(list,
                              json_pack("{s:I, s:s, s:s, s:I}", "kind", (json_int_t)p->kind, "payer", who(n, p->payer),
                                        "payee", who(n, p->payee), "fen", (json_int_t)p->amount_fen));
    }
    return list;
}

static json_t *left_json(const struct net *n, const struct sq_net_result *r)
{
    json_t *list = sq_need(json_array());
    for (size_t i = 0; i < r->left_count; i++) {
        const struct sq_obligation *o = &r->left[i];
        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:I}", "kind", (json_int_t)o->kind, "debtor",
                                              who(n, o->debtor), "creditor", who(n, o->creditor), "fen",
                                              (json_int_t)o->amount_fen));
    }
    return list;
}

static void put_movement(struct sq_grid *g, const struct net *n, uint32_t kind, uint32_t from, uint32_t to, int64_t fen)
{
    char text[SQ_TEXT_SIZE];
    sq_grid_put(g, "%s", sq_text_kind(kind));
    sq_grid_put(g, "%s", who(n, from));
    sq_grid_put(g, "%s", who(n, to));
    sq_grid_put(g, "%s", sq_text_yuan(fen, text));
}

static void print_movements(const struct net *n, const struct sq_net_result *r)
{
    const char *paid[] = {_("kind"), _("payer"), _("payee"), _("amount")},
               *left[] = {_("kind"), _("debtor"), _("creditor"), _("left")};
    struct sq_grid g;
    sq_grid_begin(&g, "lllr", paid);
    for (size_t i = 0; i < r->payment_count; i++)
        put_movement(&g, n, r->payments[i].kind, r->payments[i].payer, r->payments[i].payee, r->payments[i].amount_fen);
    putchar('\n');
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
    if (r->left_count == 0)
        return;
    sq_grid_begin(&g, "lllr", left);
    for (size_t i = 0; i < r->left_count; i++)
        put_movement(&g, n, r->left[i].kind, r->left[i].debtor, r->left[i].creditor, r->left[i].amount_fen);
    putchar('\n');
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

/* ---- all of it ---- */

static const uint32_t shown_order[SQ_NETTING_METHODS] = {SQ_NET_GROSS, SQ_NET_BILATERAL, SQ_NET_HUB, SQ_NET_CYCLES,
                                                         SQ_NET_FUNDS};

static json_t *method_json(const struct net *n, uint32_t method, const struct line *line, const struct sq_net_result *r)
{
    json_t *o = line_json(0, &line[0]), *kinds = sq_need(json_array());
    for (uint32_t k = 1; k <= SQ_KIND_COUNT; k++)
        if (line[k].gross_fen != 0)
            json_array_append_new(kinds, line_json(k, &line[k]));
    json_object_set_new(o, "method", json_string(sq_netting_name(method)));
    json_object_set_new(o, "kinds", kinds);
    if (n->method != 0) {
        json_object_set_new(o, "payment_list", payments_json(n, r));
        json_object_set_new(o, "left_list", left_json(n, r));
    }
    return o;
}

static void put_method(struct sq_grid *g, uint32_t method, const struct line *line)
{
    uint32_t kinds = 0;
    for (uint32_t k = 1; k <= SQ_KIND_COUNT; k++)
        if (line[k].gross_fen != 0) {
            put_line(g, sq_netting_name(method), k, &line[k]);
            kinds++;
        }
    if (kinds != 1)
        put_line(g, sq_netting_name(method), 0, &line[0]);
}

static sq_status show(const struct net *n, const struct sq_cli *cli, struct sq_error *err)
{
    const char *headers[] = {_("method"), _("kind"),  _("owed"),     _("cleared"),
                             _("share"),  _("money"), _("payments"), _("left")};
    struct line line[SQ_KIND_COUNT + 1];
    struct sq_net_result r = {0};
    struct sq_grid g;
    json_t *list = sq_need(json_array());
    sq_status st = SQ_OK;
    sq_grid_begin(&g, "llrrrrrr", headers);
    for (size_t i = 0; st == SQ_OK && i < SQ_NETTING_METHODS; i++) {
        uint32_t method = shown_order[i];
        if ((n->method != 0 && n->method != method) || (method == SQ_NET_FUNDS && n->funds_fen == NULL))
            continue;
        sq_net_result_free(&r);
        st = method == SQ_NET_FUNDS
                 ? sq_net_funded(n->obligations, n->owed, n->name_count, n->funds_fen, &r, err)
                 : sq_net((enum sq_netting_method)method, n->obligations, n->owed, n->name_count, &r, err);
        if (st == SQ_OK && (st = sum_up(&r, line, err)) == SQ_OK) {
            json_array_append_new(list, method_json(n, method, line, &r));
            put_method(&g, method, line);
        }
    }
    if (st == SQ_OK && cli->json)
        sq_cli_json(json_pack("{s:I, s:I, s:O}", "participants", (json_int_t)n->name_count, "obligations",
                              (json_int_t)n->owed, "methods", list));
    if (st == SQ_OK && !cli->json) {
        sq_grid_print(&g, stdout);
        if (n->method != 0)
            print_movements(n, &r);
    }
    sq_net_result_free(&r);
    sq_grid_end(&g);
    json_decref(list);
    return st;
}

int sq_cmd_net(struct sq_cli *cli, int argc, char **argv)
{
    struct net n = {.problems = sq_need(json_array())};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &args, argc, argv, &n);
    if (code == SQ_PARSED) {
        sq_status st = read_all(&n, cli, &err);
        if (st == SQ_OK)
            st = show(&n, cli, &err);
        code = st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail_about(cli, &err, n.wrong != 0 ? n.problems : NULL);
    }
    net_free(&n);
    return code;
}

/* What regions have stated to hold in a window whose method is funds. */
static void add_stated_funds(struct net *n, const json_t *funds)
{
    size_t i;
    json_t *f;
    json_array_foreach(funds, i, f)
    {
        struct row r = {.kind = (uint32_t)json_integer_value(json_object_get(f, "kind")),
                        .fen = json_integer_value(json_object_get(f, "net_fen")),
                        .line = i + 1};
        const char *node = json_string_value(json_object_get(f, "node"));
        if (node == NULL || r.kind < 1 || r.kind > SQ_KIND_COUNT || r.fen < 0)
            continue;
        r.debtor = sq_need(strdup(node));
        add_row(n, &r);
    }
}

static void add_pairs(struct net *n, const json_t *pairs)
{
    size_t i, k;
    json_t *pair, *fen;
    json_array_foreach(pairs, i, pair)
    {
        const char *debtor = json_string_value(json_object_get(pair, "debtor")),
                   *creditor = json_string_value(json_object_get(pair, "creditor"));
        json_array_foreach(json_object_get(pair, "total_fen"), k, fen)
        {
            struct row r = {.kind = (uint32_t)k + 1, .fen = json_integer_value(fen)};
            if (r.fen == 0 || k >= SQ_KIND_COUNT || debtor == NULL || creditor == NULL)
                continue;
            r.debtor = sq_need(strdup(debtor));
            r.creditor = sq_need(strdup(creditor));
            add_row(n, &r);
        }
    }
}

sq_status sq_net_show_window(const struct sq_cli *cli, const json_t *window, const char *funds_path, uint32_t method,
                             struct sq_error *err)
{
    struct net n = {.problems = sq_need(json_array()), .method = method, .funds_path = funds_path};
    const char *own = json_string_value(json_object_get(window, "method"));
    int stated = funds_path == NULL && own != NULL && strcmp(own, "funds") == 0;
    sq_status st = SQ_OK;
    add_pairs(&n, json_object_get(window, "pairs"));
    n.owed = n.count;
    if (funds_path != NULL)
        st = read_file(&n, cli, funds_path, 1, err);
    else if (stated)
        add_stated_funds(&n, json_object_get(window, "funds"));
    else if (method == SQ_NET_FUNDS)
        st = sq_fail(err, SQ_E_USAGE, _("nobody has stated funds for this window: --funds FILE says what each has"));
    if (st == SQ_OK && n.wrong != 0)
        st = sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was computed"), n.wrong);
    if (st == SQ_OK) {
        put_obligations(&n);
        st = funds_path != NULL || stated ? take_funds(&n, err) : SQ_OK;
    }
    if (st == SQ_OK)
        st = show(&n, cli, err);
    net_free(&n);
    return st;
}
