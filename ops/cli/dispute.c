/*
 * sanquan dispute: cases about items that were paid.
 *
 *   open (issuer) -> answer (provider) -> charge (issuer) -> present (provider) -> arbitrate (issuer) -> rule (regulator)
 *   accept (provider) and withdraw (issuer) end it at any time; at each stage silence decides after some working days
 *
 * A case is named NODE/NUMBER: the issuer's node, where it is decided, and its number there. Everyone speaks to the own node.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/core/core.h"
#include "clearing/core/invoice.h"
#include "ops/cli/names.h"
#include "ops/cli/listing.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

#define NOTE_MAX 199u

static const char *const reasons[] = {"",           N_("not rendered"), N_("claimed twice"),
                                      N_("amount"), N_("not entitled"), N_("documents"),
                                      N_("fraud"),  N_("other")};
static const char *const reason_names[] = {"",          "not-rendered", "claimed-twice", "amount", "not-entitled",
                                           "documents", "fraud",        "other"};
static const char *const states[] = {N_("query"),           N_("answered"),    N_("charged back"),
                                     N_("presented again"), N_("arbitration"), N_("upheld"),
                                     N_("dismissed"),       N_("withdrawn"),   N_("no such item")};
static const char *const state_names[] = {"query",  "answered",  "charged_back", "presented_again", "arbitration",
                                          "upheld", "dismissed", "withdrawn",    "no_such_item"};
#define REASONS (sizeof reasons / sizeof *reasons)
#define STATES  (sizeof states / sizeof *states)
_Static_assert(REASONS == SQ_DISPUTE_REASONS + 1, "a text for each reason");

/* ---- dispute ---- */

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}
static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const char *state_text(const char *name)
{
    for (size_t i = 0; i < STATES; i++)
        if (strcmp(name, state_names[i]) == 0)
            return _(states[i]);
    return name;
}

/* The node writes a reason with underscores. */
static const char *reason_text(const char *name)
{
    for (size_t i = 1; i < REASONS; i++) {
        size_t n = 0;
        for (; name[n] != '\0' && (name[n] == reason_names[i][n] || (name[n] == '_' && reason_names[i][n] == '-')); n++)
            ;
        if (name[n] == '\0' && reason_names[i][n] == '\0')
            return _(reasons[i]);
    }
    return name;
}

static const struct sq_args list_args = {
    sq_listing_options,
    sq_listing_parse,
    NULL,
    N_("List the cases about items of yours: those that are open, with the day on which silence decides."),
    N_("stage             whose turn        silence until the end of the day\n"
       "query             the provider's    charged back (5 working days)\n"
       "answered          the issuer's      withdrawn (10)\n"
       "charged back      the provider's    upheld (10)\n"
       "presented again   the issuer's      withdrawn (10)\n"
       "arbitration       the regulator's   dismissed (20)\n"
       "\n"
       "  sanquan dispute --key provider.key"),
    1};

static void print_cases(const json_t *list)
{
    const char *headers[] = {_("case"),     _("stage"),   _("until"), _("reason"),    _("voucher"),
                             _("provider"), _("invoice"), _("yuan"),  _("came back"), _("note")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *c;
    sq_grid_begin(&g, "lllllllrrl", headers);
    json_array_foreach(list, i, c)
    {
        uint32_t until = (uint32_t)int_of(c, "deadline_day");
        const char *provider = strchr(text_of(c, "provider"), ':');
        sq_grid_put(&g, "%s/%" PRIu64, text_of(c, "node"), (uint64_t)int_of(c, "number"));
        sq_grid_put(&g, "%s", state_text(text_of(c, "state")));
        sq_grid_put(&g, "%s", until != 0 ? sq_text_day(until, text) : "");
        sq_grid_put(&g, "%s", reason_text(text_of(c, "reason")));
        sq_grid_put(&g, "%019" PRIu64, (uint64_t)int_of(c, "voucher"));
        sq_grid_put(&g, "%s", provider != NULL ? provider + 1 : "");
        sq_grid_put(&g, "%s", text_of(c, "invoice"));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(c, "amount_fen"), text));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(c, "taken_fen"), text));
        sq_grid_put(&g, "%s", text_of(c, "note"));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static int is_over(const json_t *c)
{
    return int_of(c, "deadline_day") == 0;
}

int sq_cmd_dispute(struct sq_cli *cli, int argc, char **argv)
{
    static const struct sq_listing cases = {&list_args, "disputes", is_over, print_cases};
    return sq_listing_run(cli, argc, argv, &cases);
}

/* ---- saying something ---- */

struct saying {
    uint32_t action;
    char node[8];
    uint64_t number, voucher;
    char *provider;
    const char *note, *invoice_text;
    uint8_t invoice[SQ_INVOICE_CELL], evidence[32];
    int has_evidence, has_amount;
    int64_t fen;
    uint64_t scenario;
    uint32_t day, reason;
};

enum { KEY_NOTE = 0x100, KEY_EVIDENCE, KEY_AMOUNT, KEY_PROVIDER, KEY_DAY, KEY_REASON, KEY_SCENARIO };

/* "310000/17" */
static int read_case(const char *text, struct saying *x)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL || slash - text != 6 || strspn(text, "0123456789") != 6)
        return 0;
    memcpy(x->node, text, 6);
    return sq_args_number(slash + 1, 1, UINT64_MAX, &x->number);
}

static error_t parse_common(int key, char *value, struct argp_state *state)
{
    struct saying *x = state->input;
    switch (key) {
    case KEY_NOTE:
        x->note = value;
        return strlen(value) > NOTE_MAX ? sq_args_wrong(state, _("--note: at most %u bytes go"), NOTE_MAX) : 0;
    case KEY_EVIDENCE:
        x->has_evidence = 1;
        return sq_unhex(value, x->evidence, strlen(value) == 64 ? 32 : 16, NULL) == SQ_OK
                   ? 0
                   : sq_args_wrong(state, _("--evidence: the SHA-256 of the documents, 64 lower-case hexadecimal "
                                            "digits, or the first 32"));
    case KEY_AMOUNT:
        x->has_amount = 1;
        return sq_read_yuan(value, &x->fen) && x->fen >= 0
                   ? 0
                   : sq_args_wrong(state, _("%s: not an amount in yuan"), value);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_act(int key, char *value, struct argp_state *state)
{
    struct saying *x = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (x->number != 0)
            return ARGP_ERR_UNKNOWN;
        return read_case(value, x) ? 0 : sq_args_wrong(state, _("%s: a case is NODE/NUMBER, such as 310000/17"), value);
    case ARGP_KEY_END:
        if (x->number == 0)
            return sq_args_wrong(state, _("say which case: NODE/NUMBER"));
        if (x->action == SQ_DISPUTE_RULE && !x->has_amount)
            return sq_args_wrong(state, _("say how much comes back: --amount YUAN, 0 dismisses the case"));
        return *x->note == '\0' ? sq_args_wrong(state, _("say why: --note TEXT")) : 0;
    default:
        return parse_common(key, value, state);
    }
}

static error_t parse_open(int key, char *value, struct argp_state *state)
{
    struct saying *x = state->input;
    switch (key) {
    case KEY_PROVIDER:
        x->provider = value;
        return 0;
    case KEY_DAY:
        return sq_read_day(value, &x->day) ? 0 : sq_args_wrong(state, _("--day %s: not a day"), value);
    case KEY_SCENARIO:
        return sq_args_number(value, 0, UINT32_MAX, &x->scenario)
                   ? 0
                   : sq_args_wrong(state, _("--scenario %s: not a number"), value);
    case KEY_REASON:
        for (uint32_t i = 1; i < REASONS; i++)
            if (strcmp(value, reason_names[i]) == 0)
                x->reason = i;
        return x->reason != 0 ? 0 : sq_args_wrong(state, _("--reason %s: see --help for the reasons"), value);
    case ARGP_KEY_ARG:
        if (x->voucher == 0)
            return strlen(value) == 19 && sq_read_number(value, &x->voucher) && x->voucher != 0
                       ? 0
                       : sq_args_wrong(state, _("%s: not a voucher number"), value);
        if (x->invoice_text != NULL)
            return ARGP_ERR_UNKNOWN;
        x->invoice_text = value;
        return sq_invoice_read(value, x->invoice)
                   ? 0
                   : sq_args_wrong(state, _("%s: not an invoice number of 20 digits (18 for an old one)"), value);
    case ARGP_KEY_END:
        if (x->invoice_text == NULL)
            return sq_args_wrong(state, _("say which item: its voucher and its invoice"));
        if (x->provider == NULL || x->day == 0 || x->reason == 0 || x->fen == 0)
            return sq_args_wrong(state, _("--provider, --day, --amount and --reason are needed"));
        return *x->note == '\0' ? sq_args_wrong(state, _("say why: --note TEXT")) : 0;
    default:
        return parse_common(key, value, state);
    }
}

static const struct argp_option act_options[] = {
    {"note", KEY_NOTE, N_("TEXT"), 0, N_("why; the other side reads it"), 0},
    {"evidence", KEY_EVIDENCE, N_("HEX"), 0, N_("SHA-256 of documents that prove it"), 0},
    {0},
};
static const struct argp_option rule_options[] = {
    {"amount", KEY_AMOUNT, N_("YUAN"), 0, N_("how much comes back; 0: nothing"), 0},
    {"note", KEY_NOTE, N_("TEXT"), 0, N_("why; both sides read it"), 0},
    {"evidence", KEY_EVIDENCE, N_("HEX"), 0, N_("SHA-256 of the ruling"), 0},
    {0},
};
static const struct argp_option open_options[] = {
    {"provider", KEY_PROVIDER, N_("CODE"), 0, N_("the provider that was paid"), 0},
    {"day", KEY_DAY, N_("DAY"), 0, N_("service day of the item"), 0},
    {"scenario", KEY_SCENARIO, N_("NUMBER"), 0, N_("scenario of the item, if it has one"), 0},
    {"amount", KEY_AMOUNT, N_("YUAN"), 0, N_("what is to come back: all that was paid, or less"), 0},
    {"reason", KEY_REASON, N_("REASON"), 0,
     N_("not-rendered, claimed-twice, amount, not-entitled, documents, fraud or other"), 0},
    {"note", KEY_NOTE, N_("TEXT"), 0, N_("why; the provider reads it"), 0},
    {"evidence", KEY_EVIDENCE, N_("HEX"), 0, N_("SHA-256 of documents that prove it"), 0},
    {0},
};

static const struct sq_args open_args = {
    open_options,
    parse_open,
    N_("VOUCHER INVOICE"),
    N_("Open a case about an item that a provider was paid: a query first, that it has five working days to answer. "
       "For the voucher's issuer."),
    N_("An item has one case at a time, and none more after one that was charged back.\n"
       "\n"
       "  sanquan dispute open 3100000001000000001 26372000000000000001 --provider 91370100MA1FL0000N --day 2026-09-01 "
       "\\\n"
       "      --amount 7000 --reason not-rendered --note \"no such job in the machine's log\" --key issuer.key"),
    1};
#define ACT(name, summary, example)                                                                                    \
    static const struct sq_args name##_args = {act_options, parse_act, N_("NODE/NUMBER"), summary, example, 1}
ACT(answer,
    N_("Answer a query. For the provider; the issuer then charges back within ten working days, or the case is over."),
    N_("  sanquan dispute answer 310000/17 --note \"log of job 8812\" --evidence 5e88...42d8 --key provider.key"));
ACT(accept, N_("Give in: what is asked for comes back, less what was returned meanwhile. For the provider."),
    N_("  sanquan dispute accept 310000/17 --note \"our mistake\" --key provider.key"));
ACT(charge, N_("Charge back, because the answer does not convince. For the issuer."),
    N_("  sanquan dispute charge 310000/17 --note \"the log is of another machine\" --key issuer.key"));
ACT(present, N_("Present the item again, against a charge-back. For the provider."),
    N_("  sanquan dispute present 310000/17 --note \"contract of lease\" --evidence 5e88...42d8 --key provider.key"));
ACT(arbitrate,
    N_("Call for arbitration: the regulator rules within twenty working days, or the case is dismissed. For the "
       "issuer."),
    N_("  sanquan dispute arbitrate 310000/17 --note \"the lease ended in August\" --key issuer.key"));
ACT(withdraw, N_("Withdraw a case. For the issuer."),
    N_("  sanquan dispute withdraw 310000/17 --note \"found it\" --key issuer.key"));
static const struct sq_args rule_args = {
    rule_options,
    parse_act,
    N_("NODE/NUMBER"),
    N_("Rule on a case: how much comes back. For a regulator, at the issuer's node."),
    N_("  sanquan dispute rule 310000/17 --amount 3500 --note \"ruling 2026-9\" --key mof.key"),
    1};

static int say(struct sq_cli *cli, int argc, char **argv, uint32_t action, const struct sq_args *args)
{
    struct saying x = {.action = action, .note = ""};
    struct sq_session s;
    struct sq_client_answer a;
    struct sq_error err = {0};
    Sanquan__V1__Dispute m;
    Sanquan__V1__Item item;
    uint64_t number = 0;
    int code = sq_cli_parse(cli, args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__dispute__init(&m);
    sanquan__v1__item__init(&item);
    m.action = action;
    m.node = x.node;
    m.number = x.number;
    m.note = sq_need(strdup(x.note));
    m.evidence = (ProtobufCBinaryData){x.has_evidence ? 16 : 0, x.evidence};
    m.amount_fen = x.fen;
    m.reason = x.reason;
    item.voucher = x.voucher;
    item.provider = x.provider;
    item.invoice = (ProtobufCBinaryData){SQ_INVOICE_CELL, x.invoice};
    item.service_day = x.day;
    item.scenario = (uint32_t)x.scenario;
    m.item = action == SQ_DISPUTE_OPEN ? &item : NULL;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_say(&s, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base, &a, &err);
    if (st == SQ_OK) {
        number = action == SQ_DISPUTE_OPEN ? a.answer->number : x.number;
        snprintf(x.node, sizeof x.node, "%s", action == SQ_DISPUTE_OPEN ? s.node->code : m.node);
    }
    sq_session_close(&s);
    free(m.note);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:I, s:i}", "node", x.node, "number", (json_int_t)number, "action", (int)action));
    else
        printf(action == SQ_DISPUTE_OPEN ? _("case %s/%" PRIu64 " is open\n") : _("case %s/%" PRIu64 ": noted\n"),
               x.node, number);
    return SQ_EXIT_DONE;
}

int sq_cmd_dispute_open(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_OPEN, &open_args);
}
int sq_cmd_dispute_answer(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_ANSWER, &answer_args);
}
int sq_cmd_dispute_accept(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_ACCEPT, &accept_args);
}
int sq_cmd_dispute_charge(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_CHARGE, &charge_args);
}
int sq_cmd_dispute_present(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_PRESENT, &present_args);
}
int sq_cmd_dispute_arbitrate(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_ARBITRATE, &arbitrate_args);
}
int sq_cmd_dispute_withdraw(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_WITHDRAW, &withdraw_args);
}
int sq_cmd_dispute_rule(struct sq_cli *cli, int argc, char **argv)
{
    return say(cli, argc, argv, SQ_DISPUTE_RULE, &rule_args);
}
