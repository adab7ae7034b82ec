/*
 * sanquan settle: a window's statements, nets, payments and certificate, from a node or from a ledger; and settle preview: what each netting
 * method makes of its obligations.
 */
#include "clearing/netting/netting.h"
#include "ops/cli/net.h"
#include "ops/cli/positions.h"
#include "ops/cli/session.h"
#include "ops/cli/settle.h"

struct settle {
    uint64_t window; /* 0: the newest that is final, or the open one when none is */
    const char *ledger, *funds;
    uint32_t method; /* of a preview; 0: all */
};

enum { KEY_LEDGER = 0x100, KEY_METHOD, KEY_FUNDS };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct settle *s = state->input;
    switch (key) {
    case KEY_LEDGER:
        s->ledger = value;
        return 0;
    case KEY_METHOD:
        s->method = sq_netting_find(value);
        return s->method == 0
                   ? sq_args_wrong(state, _("there is no method '%s': gross, bilateral, hub, cycles or funds"), value)
                   : 0;
    case KEY_FUNDS:
        s->funds = value;
        return 0;
    case ARGP_KEY_ARG:
        if (s->window != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_args_number(value, 1, UINT32_MAX, &s->window)
                   ? 0
                   : sq_args_wrong(state, _("%s: a window is a number from 1 on"), value);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("read this ledger instead of asking a node"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("[WINDOW]"),
    N_("Show what regions owed each other in a settlement window, the nets by kind, the payments, and who signed."),
    N_("Without WINDOW it is the newest that is final. Operators of the node and regulators may ask a node.\n"
       "\n"
       "  sanquan settle 7 --ledger /var/lib/sanquan/310000"),
    1};

/* ---- from a node ---- */

/* The newest final window among those the node lists. */
static uint64_t newest_final(const json_t *list)
{
    size_t i;
    json_t *w;
    uint64_t open = 1, final = 0;
    json_array_foreach(json_object_get(list, "windows"), i, w)
    {
        uint64_t n = (uint64_t)json_integer_value(json_object_get(w, "window"));
        open = n > open ? n : open;
        if (json_integer_value(json_object_get(w, "final_ms")) != 0)
            final = n;
    }
    return final != 0 ? final : open;
}

static sq_status ask(const struct sq_cli *cli, uint64_t *window, json_t **out, struct sq_error *err)
{
    struct sq_session session;
    json_t *list = NULL;
    char path[40];
    sq_status st = sq_session_open(cli, 1, &session, err);
    if (st == SQ_OK && *window == 0 && (st = sq_session_ask(&session, "windows", &list, err)) == SQ_OK)
        *window = newest_final(list);
    snprintf(path, sizeof path, "window/%" PRIu64, *window);
    if (st == SQ_OK)
        st = sq_session_ask(&session, path, out, err);
    json_decref(list);
    sq_session_close(&session);
    return st;
}

/* ---- from a ledger ---- */

static sq_status choose(uint64_t *window, const struct sq_timeline *t, struct sq_error *err)
{
    uint64_t open = sq_settlement_open_window(sq_core_settlement(sq_timeline_core(t)));
    struct sq_timeline_window w;
    sq_status st = SQ_OK;
    for (uint64_t n = open; st == SQ_OK && *window == 0 && n >= 1; n--)
        if ((st = sq_timeline_window(t, n, &w, err)) == SQ_OK && w.final.seq != 0)
            *window = n;
    if (*window == 0)
        *window = open;
    return st;
}

static sq_status look(const char *path, uint64_t *window, json_t **out, struct sq_error *err)
{
    const struct sq_ledger_options o = {.path = path, .read_only = 1};
    struct sq_ledger *ledger = NULL;
    struct sq_timeline *t = NULL;
    sq_status st = sq_ledger_open(&o, &ledger, err);
    if (st == SQ_OK)
        st = sq_timeline_new(ledger, NULL, NULL, &t, err);
    if (st == SQ_OK)
        st = choose(window, t, err);
    if (st == SQ_OK)
        st = sq_positions_read(t, *window, out, err);
    sq_timeline_free(t);
    sq_ledger_close(ledger);
    return st;
}

sq_status sq_settle_window(const struct sq_cli *cli, const char *ledger, uint64_t *window, json_t **out,
                           struct sq_error *err)
{
    return ledger != NULL ? look(ledger, window, out, err) : ask(cli, window, out, err);
}

int sq_cmd_settle(struct sq_cli *cli, int argc, char **argv)
{
    struct settle s = {0};
    struct sq_error err = {0};
    json_t *window = NULL;
    int code = sq_cli_parse(cli, &args, argc, argv, &s);
    if (code != SQ_PARSED)
        return code;
    if (sq_settle_window(cli, s.ledger, &s.window, &window, &err) != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json) {
        sq_cli_json(window);
        return SQ_EXIT_DONE;
    }
    sq_positions_print(window);
    json_decref(window);
    return SQ_EXIT_DONE;
}

/* ---- preview ---- */

static const struct argp_option preview_options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("read this ledger instead of asking a node"), 0},
    {"method", KEY_METHOD, N_("METHOD"), 0,
     N_("only this method, with its payments: gross, bilateral, hub, cycles or funds"), 0},
    {"funds", KEY_FUNDS, N_("FILE"), 0, N_("what money each participant has, for the method 'funds'"), 0},
    {0},
};
static const struct sq_args preview_args = {
    preview_options,
    parse,
    N_("[WINDOW]"),
    N_("Show what each netting method would make of the obligations of a settlement window: cleared without money, "
       "money needed, payments."),
    N_("Without WINDOW it is the newest that is final. 'sanquan net' does the same for any list of obligations.\n"
       "\n"
       "  sanquan settle preview 7 --ledger /var/lib/sanquan/310000"),
    1};

int sq_cmd_settle_preview(struct sq_cli *cli, int argc, char **argv)
{
    struct settle s = {0};
    struct sq_error err = {0};
    json_t *window = NULL;
    int code = sq_cli_parse(cli, &preview_args, argc, argv, &s);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_settle_window(cli, s.ledger, &s.window, &window, &err);
    const json_t *pairs = json_object_get(window, "pairs");
    if (st == SQ_OK && pairs == NULL)
        st = sq_fail(&err, SQ_R_WINDOW_STATE, _("the obligations of window %" PRIu64 " are known when it is final"),
                     s.window);
    else if (st == SQ_OK &&
             (uint64_t)json_integer_value(json_object_get(window, "pair_count")) > json_array_size(pairs))
        st = sq_fail(&err, SQ_E_FULL,
                     _("window %" PRIu64 " has more pairs than a node tells in one answer: use --ledger"), s.window);
    if (st == SQ_OK)
        st = sq_net_show_window(cli, window, s.funds, s.method, &err);
    json_decref(window);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
