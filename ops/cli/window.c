/*
 * sanquan window, window cut, confirm: the life of a settlement window as an operator sees and moves it.
 *
 *   open -> cut -> stated -> proposed -> final -> instructed (maker) -> settled (checker); or break
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "ops/cli/bankfile.h"
#include "ops/cli/region.h"
#include "ops/cli/session.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"
#include "ops/common/schedule.h"
#include "proto/wire.h"

#define AMOUNT_MAX_FEN INT64_MAX
#define POLL_MS        200

/* A state as the node names it, for a person. */
static const char *state_text(const char *name)
{
    static const char *const names[] = {N_("open"),       N_("cut"),     N_("stated"), N_("proposed"), N_("final"),
                                        N_("instructed"), N_("settled"), N_("break"),  N_("defaulted")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return _(names[i]);
    return name;
}

static uint64_t u64_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}
static int64_t fen_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}
static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static sq_status ask_window(struct sq_session *s, uint64_t window, json_t **out, struct sq_error *err)
{
    char path[40];
    snprintf(path, sizeof path, "window/%" PRIu64, window);
    return sq_session_ask(s, path, out, err);
}

/* ---- window [N] ---- */

static error_t parse_number(int key, char *value, struct argp_state *state)
{
    uint64_t *window = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*window != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_args_number(value, 1, UINT32_MAX, window)
                   ? 0
                   : sq_args_wrong(state, _("%s: windows are numbered 1, 2, 3 ..."), value);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct sq_args window_args = {
    NULL,
    parse_number,
    N_("[N]"),
    N_("List the settlement windows, or show window N: obligations, nets, payments and who signed."),
    N_("For operators of the node and for regulators.\n"
       "\n"
       "  sanquan window 3 --key zhang.key"),
    1};

static void print_windows(const json_t *list)
{
    const char *headers[] = {_("window"), _("state"), _("opened"), _("cut"), _("final"), _("settled")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *w;
    sq_grid_begin(&g, "rlllll", headers);
    json_array_foreach(list, i, w)
    {
        sq_grid_put(&g, "%" PRIu64, u64_of(w, "window"));
        sq_grid_put(&g, "%s", state_text(text_of(w, "state")));
        sq_grid_put(&g, "%s", sq_text_time(u64_of(w, "opened_ms"), text));
        sq_grid_put(&g, "%s", sq_text_time(u64_of(w, "cut_ms"), text));
        sq_grid_put(&g, "%s", sq_text_time(u64_of(w, "final_ms"), text));
        sq_grid_put(&g, "%s", sq_text_time(u64_of(w, "settled_ms"), text));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_pairs(const json_t *pairs)
{
    const char *headers[] = {_("debtor"), _("creditor"), _("kind"), _("rows"), _("owes")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *p;
    sq_grid_begin(&g, "lllrr", headers);
    json_array_foreach(pairs, i, p)
    {
        const json_t *total = json_object_get(p, "total_fen");
        for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++) {
            int64_t fen = json_integer_value(json_array_get(total, kind - 1));
            if (fen == 0)
                continue;
            sq_grid_put(&g, "%s", text_of(p, "debtor"));
            sq_grid_put(&g, "%s", text_of(p, "creditor"));
            sq_grid_put(&g, "%s", sq_text_kind(kind));
            sq_grid_put(&g, "%s", sq_text_count(u64_of(p, "count"), text));
            sq_grid_put(&g, "%s", sq_text_yuan(fen, text));
        }
    }
    printf(_("\nObligations, all kinds of a pair counted together in rows (yuan)\n"));
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_nets(const json_t *nets)
{
    const char *headers[] = {_("node"), _("kind"), _("net")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *n;
    sq_grid_begin(&g, "llr", headers);
    json_array_foreach(nets, i, n)
    {
        sq_grid_put(&g, "%s", text_of(n, "node"));
        sq_grid_put(&g, "%s", sq_text_kind((uint32_t)u64_of(n, "kind")));
        sq_grid_put(&g, "%s", sq_text_yuan(fen_of(n, "net_fen"), text));
    }
    printf(_("\nNet positions: what is positive is received (yuan)\n"));
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_payments(const json_t *payments, const char *title)
{
    const char *headers[] = {_("kind"), _("payer"), _("payee"), _("amount")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *p;
    sq_grid_begin(&g, "lllr", headers);
    json_array_foreach(payments, i, p)
    {
        sq_grid_put(&g, "%s", sq_text_kind((uint32_t)u64_of(p, "kind")));
        sq_grid_put(&g, "%s", text_of(p, "payer"));
        sq_grid_put(&g, "%s", text_of(p, "payee"));
        sq_grid_put(&g, "%s", sq_text_yuan(fen_of(p, "amount_fen"), text));
    }
    printf("\n%s\n", title);
    if (json_array_size(payments) != 0)
        sq_grid_print(&g, stdout);
    else
        puts(_("none"));
    sq_grid_end(&g);
}

static void print_signers(const json_t *signers)
{
    size_t i;
    json_t *code;
    printf(_("\nSigned by"));
    json_array_foreach(signers, i, code) printf(" %s", json_string_value(code));
    putchar('\n');
}

static void print_changes(const json_t *changes)
{
    size_t i;
    json_t *c;
    json_array_foreach(changes, i, c)
        printf(_("\nFrom here on %s is %s\n"), text_of(c, "region"), sq_standing_text(text_of(c, "standing")));
}

static const char *evidence_text(const char *what)
{
    static const char *const names[][2] = {{"proposal", N_("two proposals")},
                                           {"prevote", N_("two prevotes")},
                                           {"precommit", N_("two precommits")},
                                           {"statement", N_("two statements")},
                                           {"counterstatement", N_("two counterstatements")}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(what, names[i][0]) == 0)
            return _(names[i][1]);
    return what;
}

static void print_evidence(const json_t *list)
{
    const char *headers[] = {_("node"), _("signed"), _("round"), _("in entries")};
    struct sq_grid g;
    size_t i;
    json_t *e;
    if (json_array_size(list) == 0)
        return;
    sq_grid_begin(&g, "llrl", headers);
    json_array_foreach(list, i, e)
    {
        int stated = u64_of(e, "first_entry") != 0;
        sq_grid_put(&g, "%s", text_of(e, "node"));
        sq_grid_put(&g, "%s", evidence_text(text_of(e, "what")));
        if (stated)
            sq_grid_put(&g, "%s", "");
        else
            sq_grid_put(&g, "%" PRIu64, u64_of(e, "round"));
        if (stated)
            sq_grid_put(&g, "%" PRIu64 ", %" PRIu64, u64_of(e, "first_entry"), u64_of(e, "second_entry"));
        else
            sq_grid_put(&g, "%s", "");
    }
    printf(_("\nSigned twice, differently: the node lies, or ran on an old copy of its ledger. Ask its operators; the "
             "proof is "
             "in this ledger.\n"));
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_window(const json_t *w)
{
    char opened[SQ_TEXT_SIZE], cut[SQ_TEXT_SIZE], final[SQ_TEXT_SIZE], settled[SQ_TEXT_SIZE];
    printf(_("window %" PRIu64 ": %s\n"), u64_of(w, "window"), state_text(text_of(w, "state")));
    printf(_("opened %s, cut %s, final %s, settled %s (UTC+8)\n"), sq_text_time(u64_of(w, "opened_ms"), opened),
           sq_text_time(u64_of(w, "cut_ms"), cut), sq_text_time(u64_of(w, "final_ms"), final),
           sq_text_time(u64_of(w, "settled_ms"), settled));
    print_evidence(json_object_get(w, "evidence"));
    if (json_object_get(w, "payments") == NULL) {
        puts(_("Nets and payments are known when it is final."));
        return;
    }
    printf(_("netting %s, settlement %s\n"), text_of(w, "method"), text_of(w, "settlement_hash"));
    print_pairs(json_object_get(w, "pairs"));
    print_nets(json_object_get(w, "nets"));
    print_payments(json_object_get(w, "payments"), _("Payments (yuan; hub is the settlement account)"));
    if (json_array_size(json_object_get(w, "losses")) != 0)
        print_payments(json_object_get(w, "losses"), _("Payments instead of those that were not made (yuan)"));
    print_changes(json_object_get(w, "changes"));
    print_signers(json_object_get(w, "signers"));
}

int sq_cmd_window(struct sq_cli *cli, int argc, char **argv)
{
    uint64_t window = 0;
    struct sq_session s;
    struct sq_error err = {0};
    json_t *answer = NULL;
    int code = sq_cli_parse(cli, &window_args, argc, argv, &window);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = window != 0 ? ask_window(&s, window, &answer, &err) : sq_session_ask(&s, "windows", &answer, &err);
    sq_session_close(&s);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_incref(answer));
    else if (window != 0)
        print_window(answer);
    else
        print_windows(json_object_get(answer, "windows"));
    json_decref(answer);
    return SQ_EXIT_DONE;
}

/* ---- window cut ---- */

struct cutting {
    uint64_t window;
    uint32_t kinds;
    int wait;
};

enum { KEY_WAIT = 0x100, KEY_KIND, KEY_ROLE, KEY_PAYMENTS, KEY_YES };

static error_t parse_cut(int key, char *value, struct argp_state *state)
{
    struct cutting *c = state->input;
    switch (key) {
    case KEY_WAIT:
        c->wait = 1;
        return 0;
    case KEY_KIND: {
        uint32_t kind = sq_schedule_kind(value);
        c->kinds |= 1u << kind;
        return kind != 0 ? 0 : sq_args_wrong(state, _("--kind %s: compute, model, corpus, or a number"), value);
    }
    case ARGP_KEY_ARG:
        if (c->window != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_args_number(value, 1, UINT32_MAX, &c->window)
                   ? 0
                   : sq_args_wrong(state, _("%s: windows are numbered 1, 2, 3 ..."), value);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option cut_options[] = {
    {"wait", KEY_WAIT, NULL, 0, N_("come back when the window is final (at most --timeout seconds)"), 0},
    {"kind", KEY_KIND, N_("KIND"), 0, N_("settle only this kind, and what other --kind say; the rest stays owed"), 0},
    {0},
};
static const struct sq_args cut_args = {
    cut_options,
    parse_cut,
    N_("[N]"),
    N_("Close the open settlement window on all nodes, and open the next. For operators."),
    N_("N guards against cutting another window than the one that you mean; without it the open one is cut.\n"
       "\n"
       "  sanquan window cut --wait --key zhang.key\n"
       "  sanquan window cut --kind compute --key zhang.key"),
    1};

static int is_final(const json_t *w)
{
    static const char *const over[] = {"final", "instructed", "settled", "break", "defaulted"};
    for (size_t i = 0; i < sizeof over / sizeof *over; i++)
        if (strcmp(text_of(w, "state"), over[i]) == 0)
            return 1;
    return 0;
}

static sq_status wait_for_finality(struct sq_session *s, uint64_t window, json_t **out, struct sq_error *err)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000l};
    for (int waited = 0; waited <= s->cli->timeout_ms; waited += POLL_MS) {
        json_t *w;
        sq_status st = ask_window(s, window, &w, err);
        if (st != SQ_OK)
            return st;
        if (is_final(w)) {
            *out = w;
            return SQ_OK;
        }
        json_decref(w);
        nanosleep(&pause, NULL);
    }
    return sq_fail(err, SQ_E_TIMEOUT,
                   _("window %" PRIu64 " is cut, and not final yet: see 'sanquan window %" PRIu64 "'"), window, window);
}

static sq_status cut(struct sq_session *s, struct cutting *c, json_t **out, struct sq_error *err)
{
    Sanquan__V1__WindowCut m;
    json_t *status;
    sq_status st = sq_session_ask(s, "status", &status, err);
    if (st != SQ_OK)
        return st;
    c->window = c->window != 0 ? c->window : u64_of(status, "open_window");
    json_decref(status);
    sanquan__v1__window_cut__init(&m);
    m.window = c->window;
    m.kinds = c->kinds;
    st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base, NULL, err);
    if (st == SQ_OK)
        st = c->wait ? wait_for_finality(s, c->window, out, err) : ask_window(s, c->window, out, err);
    return st;
}

int sq_cmd_window_cut(struct sq_cli *cli, int argc, char **argv)
{
    struct cutting c = {0};
    struct sq_session s;
    struct sq_error err = {0};
    json_t *w = NULL;
    int code = sq_cli_parse(cli, &cut_args, argc, argv, &c);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = cut(&s, &c, &w, &err);
    sq_session_close(&s);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_incref(w));
    else
        printf(_("window %" PRIu64 ": %s\n"), u64_of(w, "window"), state_text(text_of(w, "state")));
    json_decref(w);
    return SQ_EXIT_DONE;
}

/* ---- confirm ---- */

struct confirming {
    uint64_t window;
    uint32_t role; /* 1 maker, 2 checker */
    const char *file;
    int yes, declined; /* declined: asked, the person said no */
    json_t *payments;  /* [{kind, payer, payee, amount_fen}] */
    struct sq_problems problems;
};

enum { COL_KIND, COL_PAYER, COL_PAYEE, COL_FEN, COL_YUAN, COL_REFERENCE, COLUMNS };
static const struct sq_column columns[COLUMNS] = {
    [COL_KIND] = {"kind", "券种", 1},          [COL_PAYER] = {"payer", "付款方", 1},
    [COL_PAYEE] = {"payee", "收款方", 1},      [COL_FEN] = {"amount_fen", "金额分", 0},
    [COL_YUAN] = {"amount_yuan", "金额元", 0}, [COL_REFERENCE] = {"reference", "业务编号", 0},
};

static error_t parse_confirm(int key, char *value, struct argp_state *state)
{
    struct confirming *c = state->input;
    switch (key) {
    case KEY_ROLE:
        c->role = sq_args_role(value);
        return c->role != 0 ? 0 : sq_args_wrong(state, _("--role %s: it is maker or checker"), value);
    case KEY_PAYMENTS:
        c->file = value;
        return 0;
    case KEY_YES:
        c->yes = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (c->window != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_args_number(value, 1, UINT32_MAX, &c->window)
                   ? 0
                   : sq_args_wrong(state, _("%s: windows are numbered 1, 2, 3 ..."), value);
    case ARGP_KEY_END:
        return c->window == 0 ? sq_args_wrong(state, _("say which window"))
               : c->role == 0 ? sq_args_wrong(state, _("say in which role: --role maker or --role checker"))
                              : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option confirm_options[] = {
    {"role", KEY_ROLE, "maker|checker", 0,
     N_("the maker enters the payments, the checker, another operator, agrees to them"), 0},
    {"payments", KEY_PAYMENTS, N_("FILE"), 0,
     N_("what the bank did; otherwise what the settlement says is shown and asked about"), 0},
    {"yes", KEY_YES, NULL, 0, N_("do not ask"), 0},
    {0},
};
static const struct sq_args confirm_args = {
    confirm_options,
    parse_confirm,
    N_("N"),
    N_("Confirm that the bank has moved the money of window N. For two operators of each node, one after the other."),
    N_("FILE is the bank's notification (camt.054), or CSV or JSON lines with the columns kind 券种, payer 付款方, "
       "payee 收款方,\n"
       "amount_yuan 金额元 or amount_fen: node codes, or hub; what 'sanquan settle export --format csv' writes.\n"
       "A payment that differs from the settlement by a fen puts the window into break, until a maker enters the right "
       "ones.\n"
       "\n"
       "  sanquan confirm 3 --role maker --key zhang.key\n"
       "  sanquan confirm 3 --role checker --payments bank.csv --key li.key"),
    1};

static uint32_t read_kind(struct sq_cells *c)
{
    static const char *const names[][2] = {{"compute", "算力券"}, {"model", "模型券"}, {"corpus", "语料券"}};
    const char *text = c->row->cell[COL_KIND];
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(text, names[i][0]) == 0 || strcmp(text, names[i][1]) == 0)
            return i + 1;
    return (uint32_t)sq_cell_number(c, COL_KIND, 1, SQ_KIND_COUNT, 0);
}

static const char *read_side(struct sq_cells *c, unsigned column)
{
    const char *text = c->row->cell[column];
    if (strcmp(text, "hub") != 0 && strncmp(text, "fund:", 5) != 0 &&
        (strlen(text) != 6 || strspn(text, "0123456789") != 6))
        sq_cells_wrong(c, column, _("a node's six-digit code, or hub, goes here"));
    return text;
}

static sq_status read_payments(struct confirming *c, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    struct sq_cells cells;
    sq_status st = sq_sheet_open(c->file, columns, COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    while (sq_sheet_next(sheet, &row)) {
        if (!sq_cells_begin(&cells, sheet, &row, &c->problems))
            continue;
        uint32_t kind = read_kind(&cells);
        const char *payer = read_side(&cells, COL_PAYER), *payee = read_side(&cells, COL_PAYEE);
        int64_t fen = sq_cell_money(&cells, COL_FEN, COL_YUAN, 1, AMOUNT_MAX_FEN, 0);
        if (!cells.bad)
            json_array_append_new(c->payments, json_pack("{s:i, s:s, s:s, s:I}", "kind", (int)kind, "payer", payer,
                                                         "payee", payee, "amount_fen", (json_int_t)fen));
    }
    sq_sheet_close(sheet);
    sq_problems_end(&c->problems);
    return c->problems.count == 0 ? SQ_OK
                                  : sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was sent"),
                                            c->problems.count);
}

static void take_own(struct confirming *c, const char *code, json_t *payment)
{
    if (strcmp(text_of(payment, "payer"), code) == 0 || strcmp(text_of(payment, "payee"), code) == 0)
        json_array_append(c->payments, payment);
}

/* Those of the settlement that concern this node. */
static sq_status take_from_settlement(struct confirming *c, struct sq_session *s, struct sq_error *err)
{
    json_t *w, *p;
    size_t i;
    sq_status st = ask_window(s, c->window, &w, err);
    if (st != SQ_OK)
        return st;
    if (json_object_get(w, "payments") == NULL)
        st = sq_fail(err, SQ_R_WINDOW_STATE, _("window %" PRIu64 " is %s, not final"), c->window,
                     state_text(text_of(w, "state")));
    json_array_foreach(json_object_get(w, "payments"), i, p)
    {
        if (!json_is_true(json_object_get(p, "defaulted"))) /* of a region that was found not to have paid */
            take_own(c, s->node->code, p);
    }
    json_array_foreach(json_object_get(w, "losses"), i, p) take_own(c, s->node->code, p);
    json_decref(w);
    return st;
}

static sq_status ask_person(struct confirming *c, const struct sq_cli *cli, struct sq_error *err)
{
    char answer[16] = "";
    if (c->yes)
        return SQ_OK;
    if (!isatty(STDIN_FILENO))
        return sq_fail(err, SQ_E_USAGE,
                       _("nobody can be asked here: look at 'sanquan window %" PRIu64 "', then say --yes"), c->window);
    if (!cli->json)
        print_payments(c->payments, _("Payments of this node (yuan; hub is the settlement account)"));
    fprintf(stderr, c->role == 1 ? _("Has the bank made these payments? Enter them as maker [y/N] ")
                                 : _("Has the bank made these payments? Agree as checker [y/N] "));
    if (fgets(answer, sizeof answer, stdin) == NULL ||
        (answer[0] != 'y' && answer[0] != 'Y' && strncmp(answer, "是", 3) != 0))
        c->declined = 1;
    return SQ_OK;
}

static int by_kind_payer_payee(const void *a, const void *b)
{
    Sanquan__V1__Payment *const *x = a, *const *y = b;
    int payer = strcmp((*x)->payer, (*y)->payer),
        payee = strcmp((*x)->payee, (*y)->payee); /* digits come before "hub" */
    if ((*x)->kind != (*y)->kind)
        return (*x)->kind < (*y)->kind ? -1 : 1;
    return payer != 0                            ? payer
           : payee != 0                          ? payee
           : (*x)->amount_fen < (*y)->amount_fen ? -1
                                                 : (*x)->amount_fen > (*y)->amount_fen;
}

static sq_status send_confirm(const struct confirming *c, struct sq_session *s, struct sq_error *err)
{
    size_t n = json_array_size(c->payments), i;
    Sanquan__V1__Payment *payment = sq_need(calloc(n + 1, sizeof *payment)),
                         **list = sq_need(calloc(n + 1, sizeof *list));
    char(*names)[2][16] = sq_need(calloc(n + 1, sizeof *names));
    Sanquan__V1__Confirm m;
    json_t *p;
    sanquan__v1__confirm__init(&m);
    json_array_foreach(c->payments, i, p)
    {
        strncat(names[i][0], text_of(p, "payer"), 15);
        strncat(names[i][1], text_of(p, "payee"), 15);
        sanquan__v1__payment__init(&payment[i]);
        payment[i].kind = (uint32_t)u64_of(p, "kind");
        payment[i].payer = names[i][0];
        payment[i].payee = names[i][1];
        payment[i].amount_fen = fen_of(p, "amount_fen");
        list[i] = &payment[i];
    }
    qsort(list, n, sizeof *list, by_kind_payer_payee);
    m.window = c->window;
    m.role = c->role;
    m.payments = list;
    m.n_payments = n;
    sq_status st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base, NULL, err);
    free(names);
    free(list);
    free(payment);
    return st;
}

static sq_status confirm(struct confirming *c, const struct sq_cli *cli, struct sq_error *err)
{
    struct sq_session s = {.key_lock = -1};
    int xml = c->file != NULL && sq_bank_is_xml(c->file);
    sq_status st = c->file != NULL && !xml ? read_payments(c, err) : SQ_OK;
    if (st == SQ_OK)
        st = sq_session_open(cli, 1, &s, err);
    if (st == SQ_OK && xml)
        st = sq_bank_read_told(cli, c->file, c->window, s.node->code, c->payments, err);
    if (st == SQ_OK && c->file == NULL)
        st = take_from_settlement(c, &s, err);
    if (st == SQ_OK)
        st = ask_person(c, cli, err);
    if (st == SQ_OK && !c->declined)
        st = send_confirm(c, &s, err);
    sq_session_close(&s);
    return st;
}

int sq_cmd_confirm(struct sq_cli *cli, int argc, char **argv)
{
    struct confirming c = {0};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &confirm_args, argc, argv, &c);
    if (code != SQ_PARSED)
        return code;
    c.payments = sq_need(json_array());
    sq_problems_begin(&c.problems, cli, c.file);
    sq_status st = confirm(&c, cli, &err);
    if (st != SQ_OK)
        code = sq_cli_fail_about(cli, &err, c.problems.count != 0 ? c.problems.list : NULL);
    else
        code = c.declined ? SQ_EXIT_REFUSED : SQ_EXIT_DONE;
    if (c.declined)
        fprintf(stderr, "%s\n", _("nothing was sent"));
    else if (st == SQ_OK && cli->json)
        sq_cli_json(json_pack("{s:I, s:s, s:O}", "window", (json_int_t)c.window, "role",
                              c.role == 1 ? "maker" : "checker", "payments", c.payments));
    else if (st == SQ_OK)
        printf(c.role == 1 ? _("window %" PRIu64 ": %zu payments entered; now a checker has to agree\n")
                           : _("window %" PRIu64 ": %zu payments agreed; it is settled\n"),
               c.window, json_array_size(c.payments));
    json_decref(c.problems.list);
    json_decref(c.payments);
    return code;
}
