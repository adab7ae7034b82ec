/*
 * sanquan history: items and what became of them, from a ledger's folder or from a node.
 *
 *   --voucher N     one voucher's life, in the order in which it happened
 *   --refusals      how many were refused, by reason
 *   --positions W   what was owed in a window, the nets and the payments
 *   --sums          what all that match add up to
 *   else            items, page by page, with their totals
 *
 * Conditions are those of ops/history/ask.h; each is checked when it is read. With --json each event or item is an object on a line of
 * its own, and the totals are the last.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/base/uscc.h"
#include "ops/cli/history.h"
#include "ops/cli/names.h"
#include "ops/cli/positions.h"

#define LISTED_USUAL 200u

enum {
    KEY_LEDGER = 0x100,
    KEY_VOUCHER,
    KEY_PROVIDER,
    KEY_HOLDER,
    KEY_WINDOW,
    KEY_BATCH,
    KEY_INVOICE,
    KEY_ISSUER,
    KEY_PROGRAMME,
    KEY_KIND,
    KEY_SCENARIO,
    KEY_DEBTOR,
    KEY_CREDITOR,
    KEY_REGION,
    KEY_STATE,
    KEY_REFUSAL,
    KEY_REFUSED,
    KEY_LEAST,
    KEY_MOST,
    KEY_FROM,
    KEY_TO,
    KEY_CLAIMS,
    KEY_ORDER,
    KEY_MAX,
    KEY_AFTER,
    KEY_ALL,
    KEY_SUMS,
    KEY_CSV,
    KEY_PROOFS,
    KEY_REFUSALS,
    KEY_POSITIONS
};

/* ---- conditions ---- */

static error_t put(struct sq_wish *w, const char *key, const char *value, const struct argp_state *state)
{
    struct sq_error err = {0};
    size_t used = strlen(w->conditions);
    if (*value == '\0' || sq_ask_set(&w->checked, key, value, &err) != SQ_OK)
        return sq_args_wrong(state, _("--%s %s does not go: %s"), key, value, err.text);
    int size = snprintf(w->conditions + used, sizeof w->conditions - used, "%s%s=%s", used != 0 ? "&" : "", key, value);
    return size > 0 && (size_t)size < sizeof w->conditions - used ? 0 : sq_args_wrong(state, _("too many conditions"));
}

static error_t put_number(struct sq_wish *w, const char *key, uint64_t value, const struct argp_state *state)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return put(w, key, text, state);
}

static error_t put_code(struct sq_wish *w, const char *key, const char *value, const struct argp_state *state)
{
    char why[SQ_WHY_SIZE];
    return sq_uscc_explain(value, why) ? put(w, key, value, state) : sq_args_wrong(state, "%s: %s", value, why);
}

/* "CODE/NUMBER", or a number of the ledger's own. */
static error_t put_batch(struct sq_wish *w, const char *value, const struct argp_state *state)
{
    const char *slash = strchr(value, '/');
    if (slash != NULL && slash - value == 6)
        memcpy(w->batch_node, value, 6);
    else if (slash != NULL)
        return sq_args_wrong(state, _("%s: a batch is NUMBER, or CODE/NUMBER for another node's"), value);
    return put(w, "batch", slash != NULL ? slash + 1 : value, state);
}

static error_t put_invoice(struct sq_wish *w, const char *value, const struct argp_state *state)
{
    if (strlen(value) != 20 || strspn(value, "0123456789") != 20)
        return sq_args_wrong(state, _("%s: an invoice number has 20 digits"), value);
    error_t rc = put(w, "invoice", value, state);
    return rc == 0 ? put(w, "claims", "1", state)
                   : rc; /* who asks about an invoice wants to see all that draws on it */
}

static error_t put_kind(struct sq_wish *w, const char *value, const struct argp_state *state)
{
    static const char *const names[] = {"compute", "model", "corpus"};
    for (uint64_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(value, names[i]) == 0)
            return put_number(w, "kind", i + 1, state);
    return put(w, "kind", value, state);
}

static error_t put_yuan(struct sq_wish *w, const char *key, const char *value, const struct argp_state *state)
{
    int64_t fen;
    if (!sq_read_yuan(value, &fen) || fen < 0)
        return sq_args_wrong(state, _("%s: an amount in yuan like 1234.56"), value);
    return put_number(w, key, (uint64_t)fen, state);
}

/* --from means the first moment of a day, --to the last one that is still taken. */
static error_t put_time(struct sq_wish *w, int from, const char *value, const struct argp_state *state)
{
    uint64_t ms;
    uint32_t day;
    if (!sq_read_moment(value, &ms))
        return sq_args_wrong(state, _("%s: a day like 2026-09-01, or a time like '2026-09-01 17:00'"), value);
    if (!from)
        return put_number(w, "until", ms + 1, state);
    return put_number(w, "from", sq_read_day(value, &day) ? ms - (86400000u - 1) : ms, state);
}

static error_t parse_condition(int key, const char *value, struct sq_wish *w, const struct argp_state *state)
{
    switch (key) {
    case KEY_VOUCHER:
        return put(w, "voucher", value, state);
    case KEY_PROVIDER:
        return put_code(w, "provider", value, state);
    case KEY_HOLDER:
        return put_code(w, "holder", value, state);
    case KEY_WINDOW:
        return put(w, "window", value, state);
    case KEY_BATCH:
        return put_batch(w, value, state);
    case KEY_INVOICE:
        return put_invoice(w, value, state);
    case KEY_ISSUER:
        return put(w, "issuer", value, state);
    case KEY_PROGRAMME:
        return put(w, "programme", value, state);
    case KEY_KIND:
        return put_kind(w, value, state);
    case KEY_SCENARIO:
        return put(w, "scenario", value, state);
    case KEY_DEBTOR:
        return put(w, "debtor", value, state);
    case KEY_CREDITOR:
        return put(w, "creditor", value, state);
    case KEY_REGION:
        return put(w, "region", value, state);
    case KEY_STATE:
        return put(w, "state", value, state);
    case KEY_REFUSAL:
        return put(w, "refusal", value, state);
    case KEY_REFUSED:
        return put(w, "state", "refused", state);
    case KEY_LEAST:
        return put_yuan(w, "least", value, state);
    case KEY_MOST:
        return put_yuan(w, "most", value, state);
    case KEY_FROM:
        return put_time(w, 1, value, state);
    case KEY_TO:
        return put_time(w, 0, value, state);
    case KEY_CLAIMS:
        return put(w, "claims", "1", state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- form ---- */

static error_t parse_form(int key, const char *value, struct sq_wish *w, const struct argp_state *state)
{
    struct sq_ask unused = w->checked;
    struct sq_error err = {0};
    switch (key) {
    case KEY_LEDGER:
        w->ledger = value;
        return 0;
    case KEY_ORDER:
        w->order = value;
        return sq_ask_set(&unused, "order", value, &err) == SQ_OK
                   ? 0
                   : sq_args_wrong(state, _("--%s %s does not go: %s"), "order", value, err.text);
    case KEY_AFTER:
        w->after = value;
        return sq_ask_set(&unused, "after", value, &err) == SQ_OK
                   ? 0
                   : sq_args_wrong(state, _("--%s %s does not go: %s"), "after", value, err.text);
    case KEY_MAX:
        return sq_args_number(value, 1, UINT32_MAX, &w->max)
                   ? 0
                   : sq_args_wrong(state, _("%s is no number from 1 on"), value);
    case KEY_POSITIONS:
        return sq_args_number(value, 1, UINT32_MAX, &w->positions)
                   ? 0
                   : sq_args_wrong(state, _("%s is no number from 1 on"), value);
    case KEY_ALL:
        w->all = 1;
        return 0;
    case KEY_SUMS:
        w->sums = 1;
        return 0;
    case KEY_CSV:
        w->csv = 1;
        return 0;
    case KEY_PROOFS:
        w->proofs = 1;
        return 0;
    case KEY_REFUSALS:
        w->refusals = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct sq_wish *w = state->input;
    error_t rc = parse_condition(key, value, w, state);
    return rc == ARGP_ERR_UNKNOWN ? parse_form(key, value, w, state) : rc;
}

/* ---- usage ---- */

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("read this ledger, or a copy of it, instead of asking a node"), 0},
    {NULL, 0, NULL, 0, N_("Which items (all of these that are given must hold):"), 1},
    {"voucher", KEY_VOUCHER, N_("NUMBER"), 0, N_("this voucher's life, from grant to settlement"), 1},
    {"provider", KEY_PROVIDER, N_("USCC"), 0, N_("items of this provider"), 1},
    {"holder", KEY_HOLDER, N_("USCC"), 0, N_("items on vouchers of this holder"), 1},
    {"window", KEY_WINDOW, N_("NUMBER"), 0,
     N_("items of this settlement window; refused ones: decided while it was open"), 1},
    {"batch", KEY_BATCH, N_("NUMBER"), 0, N_("items of this batch; CODE/NUMBER for another node's"), 1},
    {"invoice", KEY_INVOICE, N_("NUMBER"), 0, N_("items and claims on this invoice"), 1},
    {"issuer", KEY_ISSUER, N_("CODE"), 0, N_("vouchers of this issuer"), 1},
    {"programme", KEY_PROGRAMME, N_("ISSUER/NUMBER"), 0, N_("vouchers of this programme"), 1},
    {"kind", KEY_KIND, N_("KIND"), 0, N_("compute, model, corpus, or a number"), 1},
    {"scenario", KEY_SCENARIO, N_("NUMBER"), 0, N_("items of this scenario"), 1},
    {"debtor", KEY_DEBTOR, N_("CODE"), 0, N_("the voucher's region"), 1},
    {"creditor", KEY_CREDITOR, N_("CODE"), 0, N_("the provider's region"), 1},
    {"region", KEY_REGION, N_("CODE"), 0, N_("either of them"), 1},
    {"state", KEY_STATE, N_("STATE"), 0, N_("accepted, refused or waiting"), 1},
    {"refused", KEY_REFUSED, NULL, 0, N_("only what was refused"), 1},
    {"refusal", KEY_REFUSAL, N_("REASON"), 0, N_("refused for this reason, by name or number"), 1},
    {"least", KEY_LEAST, N_("YUAN"), 0, N_("amounts from this on"), 1},
    {"most", KEY_MOST, N_("YUAN"), 0, N_("amounts up to this"), 1},
    {"from", KEY_FROM, N_("TIME"), 0, N_("received at this time or later (UTC+8)"), 1},
    {"to", KEY_TO, N_("TIME"), 0, N_("received at this time or earlier"), 1},
    {"claims", KEY_CLAIMS, NULL, 0, N_("also other nodes' claims on invoices whose home is here"), 1},
    {NULL, 0, NULL, 0, N_("In which form:"), 2},
    {"order", KEY_ORDER, N_("ORDER"), 0, N_("oldest (first) or newest"), 2},
    {"max", KEY_MAX, N_("NUMBER"), 0, N_("list at most so many items (200)"), 2},
    {"after", KEY_AFTER, N_("PLACE"), 0, N_("go on where a list ended"), 2},
    {"all", KEY_ALL, NULL, 0, N_("list all, page by page"), 2},
    {"sums", KEY_SUMS, NULL, 0, N_("only what all of them add up to"), 2},
    {"csv", KEY_CSV, NULL, 0, N_("a table for other programs (amounts in fen)"), 2},
    {"proofs", KEY_PROOFS, NULL, 0, N_("check that each item is in the signed log; exit code 4 when one is not"), 2},
    {"refusals", KEY_REFUSALS, NULL, 0, N_("refusals by reason instead of items"), 2},
    {"positions", KEY_POSITIONS, N_("WINDOW"), 0, N_("positions of a window: owed by pair and kind, nets, payments"),
     2},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    NULL,
    N_("Items with what became of them and what they add up to, a voucher's life, refusals, positions: from a ledger, "
       "or from a node."),
    N_("A ledger can be read while its node works, and so can a copy. A node tells everybody of their own\n"
       "items, and its operators and regulators of all. With --json each item or event is an object on its\n"
       "own line, and the totals are the last. With --proofs each item's entries are shown to be in the\n"
       "tree of a signed checkpoint; from a ledger, its payloads too.\n"
       "\n"
       "  sanquan history --ledger /var/lib/sanquan/310000 --provider 91310000MA1FL00001 --from 2026-09-01\n"
       "  sanquan history --connect 10.0.0.1:7310 --key mof.key --window 7 --debtor 310000 --sums\n"
       "  sanquan history --ledger /var/lib/sanquan/310000 --refused --order newest --all --csv >refused.csv"),
    1};

/* ---- the run ---- */

static sq_status show_positions(struct sq_source *s, const struct sq_wish *w, struct sq_error *err)
{
    char path[40];
    json_t *window = NULL;
    struct sq_timeline *timeline = NULL;
    sq_status st;
    snprintf(path, sizeof path, "window/%" PRIu64, w->positions);
    if (s->ledger == NULL)
        st = sq_session_ask(&s->session, path, &window, err);
    else if ((st = sq_source_timeline(s, &timeline, err)) == SQ_OK)
        st = sq_positions_read(timeline, w->positions, &window, err);
    sq_timeline_free(timeline);
    if (st != SQ_OK)
        return st;
    if (s->cli->json) {
        sq_cli_json(window);
        return SQ_OK;
    }
    sq_positions_print(window);
    json_decref(window);
    return SQ_OK;
}

/* Numbers of batches are a node's own: without a node's code the batch is the ledger's. */
static void name_batch_node(struct sq_wish *w, const struct sq_source *s)
{
    size_t used = strlen(w->conditions);
    if (w->checked.filter.batch != 0 && w->checked.filter.creditor[0] == '\0')
        snprintf(w->conditions + used, sizeof w->conditions - used, "&creditor=%s",
                 w->batch_node[0] != '\0' ? w->batch_node : s->node);
}

static sq_status show(struct sq_source *s, struct sq_wish *w, struct sq_error *err)
{
    name_batch_node(w, s);
    if (w->positions != 0)
        return show_positions(s, w, err);
    if (w->refusals)
        return sq_history_refusals(s, w, err);
    if (w->sums)
        return sq_history_sums(s, w, err);
    return w->checked.filter.voucher != 0 && !w->csv && !w->proofs ? sq_history_life(s, w, err)
                                                                   : sq_history_list(s, w, err);
}

int sq_cmd_history(struct sq_cli *cli, int argc, char **argv)
{
    struct sq_wish w = {.max = LISTED_USUAL};
    struct sq_source s;
    struct sq_error err = {0};
    sq_ask_init(&w.checked);
    int code = sq_cli_parse(cli, &args, argc, argv, &w);
    if (code != SQ_PARSED)
        return code;
    if (w.csv && cli->json)
        return sq_cli_usage(cli, _("--csv and --json are two forms: choose one"));
    sq_status st = sq_source_open(cli, w.ledger, &s, &err);
    if (st == SQ_OK)
        st = show(&s, &w, &err);
    sq_source_close(&s);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
