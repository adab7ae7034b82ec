/* sanquan settle: a window's statements, nets, payments and certificate, from a node or from a ledger. */
#include "ops/cli/positions.h"
#include "ops/cli/session.h"

struct settle {
    uint64_t window; /* 0: the newest that is final, or the open one when none is */
    const char *ledger;
};

enum { KEY_LEDGER = 0x100 };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct settle *s = state->input;
    switch (key) {
    case KEY_LEDGER:
        s->ledger = value;
        return 0;
    case ARGP_KEY_ARG:
        if (s->window != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_args_number(value, 1, UINT32_MAX, &s->window) ? 0 : sq_args_wrong(state, _("%s: a window is a number from 1 on"), value);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("read this ledger instead of asking a node"), 0},
    {0},
};
static const struct sq_args args = {
    options, parse, N_("[WINDOW]"),
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

static sq_status ask(const struct sq_cli *cli, struct settle *s, json_t **out, struct sq_error *err)
{
    struct sq_session session;
    json_t *list = NULL;
    char path[40];
    sq_status st = sq_session_open(cli, 1, &session, err);
    if (st == SQ_OK && s->window == 0 && (st = sq_session_ask(&session, "windows", &list, err)) == SQ_OK)
        s->window = newest_final(list);
    snprintf(path, sizeof path, "window/%" PRIu64, s->window);
    if (st == SQ_OK)
        st = sq_session_ask(&session, path, out, err);
    json_decref(list);
    sq_session_close(&session);
    return st;
}

/* ---- from a ledger ---- */

static sq_status look(struct settle *s, json_t **out, struct sq_error *err)
{
    struct sq_reading_options o = {.path = s->ledger};
    struct sq_reading *r = NULL;
    struct sq_reading_window w;
    sq_status st = sq_reading_open(&o, &r, err);
    if (st != SQ_OK)
        return st;
    uint64_t open = sq_settlement_open_window(sq_core_settlement(sq_reading_core(r)));
    for (uint64_t n = open; st == SQ_OK && s->window == 0 && n >= 1; n--)
        if ((st = sq_reading_window(r, n, &w, err)) == SQ_OK && w.final.seq != 0)
            s->window = n;
    if (s->window == 0)
        s->window = open;
    if (st == SQ_OK)
        st = sq_positions_read(r, s->window, out, err);
    sq_reading_free(r);
    return st;
}

int sq_cmd_settle(struct sq_cli *cli, int argc, char **argv)
{
    struct settle s = {0};
    struct sq_error err = {0};
    json_t *window = NULL;
    int code = sq_cli_parse(cli, &args, argc, argv, &s);
    if (code != SQ_PARSED)
        return code;
    if ((s.ledger != NULL ? look(&s, &window, &err) : ask(cli, &s, &window, &err)) != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json) {
        sq_cli_json(window);
        return SQ_EXIT_DONE;
    }
    sq_positions_print(window);
    json_decref(window);
    return SQ_EXIT_DONE;
}
