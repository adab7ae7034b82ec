/*
 * sanquan application, application make, application assess, application allocate: who asks for a voucher, and who gets one.
 *
 *   make (holder) -> OPEN --assess (issuer)--> OPEN, eligible or not --allocate (issuer)--> GRANTED | REFUSED
 *
 * Making one and allocating are not repeated by themselves: who got no answer looks at the list before saying it again.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/contract.h"
#include "ops/cli/declared.h"
#include "ops/cli/names.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

#define AMOUNT_MAX_FEN 10000000000000ll

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}
static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

struct programme {
    uint32_t issuer, number;
};

enum { KEY_PROGRAMME = 0x100 };

#define PROGRAMME_OPTION                                                                                               \
    {                                                                                                                  \
        "programme", KEY_PROGRAMME, N_("ISSUER/NUMBER"), 0, N_("under this programme"), 0                              \
    }

/* ---- application ---- */

static error_t parse_list(int key, char *value, struct argp_state *state)
{
    struct programme *p = state->input;
    if (key == KEY_PROGRAMME)
        return sq_args_take_programme(state, value, &p->issuer, &p->number);
    return key == ARGP_KEY_END && p->number == 0
               ? sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER"))
               : ARGP_ERR_UNKNOWN;
}

static const struct argp_option list_options[] = {PROGRAMME_OPTION, {0}};
static const struct sq_args list_args = {
    list_options,
    parse_list,
    NULL,
    N_("List the applications under a programme, and what became of them."),
    N_("For its issuer, operators of the node, regulators; holders see their own.\n"
       "\n"
       "  sanquan application --programme 310000/1 --key issuer.key"),
    1};

static const char *state_text(const json_t *a)
{
    const char *state = text_of(a, "state"), *verdict = text_of(a, "verdict");
    return strcmp(state, "granted") == 0      ? _("granted")
           : strcmp(state, "refused") == 0    ? _("refused")
           : strcmp(verdict, "eligible") == 0 ? _("found eligible")
           : strcmp(verdict, "refused") == 0  ? _("found not eligible")
                                              : _("open");
}

static void print_applications(const json_t *list)
{
    const char *headers[] = {_("application"), _("holder"), _("side"),     _("day"),   _("asked for"),
                             _("score"),       _("grade"),  _("approved"), _("state"), _("voucher")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *a;
    sq_grid_begin(&g, "rlllrrrrll", headers);
    json_array_foreach(list, i, a)
    {
        int64_t approved = int_of(a, "approved_fen"), score = int_of(a, "score"), grade = int_of(a, "grade");
        sq_grid_put(&g, "%" PRId64, int_of(a, "application"));
        sq_grid_put(&g, "%s", text_of(a, "holder"));
        sq_grid_put(&g, "%s", strcmp(text_of(a, "side"), "supplier") == 0 ? _("supplier") : _("buyer"));
        sq_grid_put(&g, "%s", sq_text_day((uint32_t)int_of(a, "day"), text));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(a, "asked_fen"), text));
        sq_grid_put(&g, "%s", score != 0 ? sq_text_count((uint64_t)score, text) : "");
        sq_grid_put(&g, "%s", grade != 0 ? sq_text_count((uint64_t)grade, text) : "");
        sq_grid_put(&g, "%s", approved != 0 ? sq_text_yuan(approved, text) : "");
        sq_grid_put(&g, "%s", state_text(a));
        sq_grid_put(&g, "%s", text_of(a, "voucher"));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

/* All of them: the node gives some at a time. */
static sq_status read_applications(struct sq_session *s, const struct programme *p, json_t *all, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (int more = 1; st == SQ_OK && more;) {
        char path[60];
        json_t *page = NULL, *last = json_array_get(all, json_array_size(all) - 1);
        snprintf(path, sizeof path, "applications/%06u/%u/%" PRId64, p->issuer, p->number,
                 last != NULL ? int_of(last, "application") : 0);
        st = sq_session_ask(s, path, &page, err);
        if (st != SQ_OK)
            return st;
        json_array_extend(all, json_object_get(page, "applications"));
        more = json_is_true(json_object_get(page, "more"));
        json_decref(page);
    }
    return st;
}

int sq_cmd_application(struct sq_cli *cli, int argc, char **argv)
{
    struct programme p = {0};
    struct sq_session s;
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &list_args, argc, argv, &p);
    if (code != SQ_PARSED)
        return code;
    json_t *all = sq_need(json_array());
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = read_applications(&s, &p, all, &err);
    sq_session_close(&s);
    if (st == SQ_OK && cli->json)
        sq_cli_json(json_pack("{s:O}", "applications", all));
    else if (st == SQ_OK && json_array_size(all) == 0)
        puts(_("There is none."));
    else if (st == SQ_OK)
        print_applications(all);
    json_decref(all);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}

/* ---- application make ---- */

struct making {
    struct programme p;
    int64_t asked_fen, contract_fen;
    uint32_t side, contract_day, from_day, until_day, documents;
    uint64_t quota;
    const char *seller, *contract;
    struct sq_declared_facts facts;
};

enum {
    KEY_SUPPLIER = 0x110,
    KEY_SELLER,
    KEY_CONTRACT,
    KEY_CONTRACT_YUAN,
    KEY_CONTRACT_DAY,
    KEY_CONTRACT_FROM,
    KEY_CONTRACT_UNTIL,
    KEY_QUOTA,
    KEY_DOCUMENTS,
    KEY_FACTS
};

static error_t take_day(uint32_t *day, const char *option, const char *value, const struct argp_state *state)
{
    return sq_read_day(value, day) ? 0 : sq_args_wrong(state, _("--%s %s: not a day"), option, value);
}

static error_t check_making(const struct making *x, const struct argp_state *state)
{
    if (x->p.number == 0)
        return sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER"));
    if (x->asked_fen == 0)
        return sq_args_wrong(state, _("say how many yuan you ask for"));
    if ((x->seller == NULL) != (x->contract == NULL))
        return sq_args_wrong(state, _("--seller and --contract go together"));
    if ((x->from_day == 0) != (x->until_day == 0) || x->from_day > x->until_day)
        return sq_args_wrong(state, _("--contract-from and --contract-until go together, in this order"));
    return 0;
}

static error_t parse_make(int key, char *value, struct argp_state *state)
{
    struct making *x = state->input;
    char why[SQ_WHY_SIZE];
    switch (key) {
    case KEY_PROGRAMME:
        return sq_args_take_programme(state, value, &x->p.issuer, &x->p.number);
    case KEY_SUPPLIER:
        x->side = 2;
        return 0;
    case KEY_SELLER:
        x->seller = value;
        return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "--seller %s: %s", value, why);
    case KEY_CONTRACT:
        x->contract = value;
        return 0;
    case KEY_CONTRACT_YUAN:
        return sq_read_yuan(value, &x->contract_fen) && x->contract_fen > 0 && x->contract_fen <= AMOUNT_MAX_FEN
                   ? 0
                   : sq_args_wrong(state, _("--contract-yuan %s: not an amount in yuan"), value);
    case KEY_CONTRACT_DAY:
        return take_day(&x->contract_day, "contract-day", value, state);
    case KEY_CONTRACT_FROM:
        return take_day(&x->from_day, "contract-from", value, state);
    case KEY_CONTRACT_UNTIL:
        return take_day(&x->until_day, "contract-until", value, state);
    case KEY_QUOTA:
        return sq_args_number(value, 1, 1000000000000000u, &x->quota)
                   ? 0
                   : sq_args_wrong(state, _("--quota %s: not a number"), value);
    case KEY_DOCUMENTS:
        return sq_read_documents(value, &x->documents)
                   ? 0
                   : sq_args_wrong(state, _("--documents %s: named as in programme files, with + between them"), value);
    case KEY_FACTS:
        return sq_read_facts(value, &x->facts)
                   ? 0
                   : sq_args_wrong(state, _("--facts %s: named as in programme files, each once, with ; between them"),
                                   value);
    case ARGP_KEY_ARG:
        if (x->asked_fen != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_read_yuan(value, &x->asked_fen) && x->asked_fen > 0 && x->asked_fen <= AMOUNT_MAX_FEN
                   ? 0
                   : sq_args_wrong(state, _("%s: not an amount in yuan"), value);
    case ARGP_KEY_END:
        return check_making(x, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option make_options[] = {
    PROGRAMME_OPTION,
    {"supplier", KEY_SUPPLIER, NULL, 0, N_("you supply under the contract; left out: you buy"), 0},
    {"seller", KEY_SELLER, N_("USCC"), 0, N_("who sells under the contract"), 0},
    {"contract", KEY_CONTRACT, N_("NUMBER"), 0, N_("its number; only a digest of both leaves this machine"), 0},
    {"contract-yuan", KEY_CONTRACT_YUAN, N_("YUAN"), 0, N_("its total"), 0},
    {"contract-day", KEY_CONTRACT_DAY, N_("DAY"), 0, N_("day of signature"), 0},
    {"contract-from", KEY_CONTRACT_FROM, N_("DAY"), 0, N_("its first day"), 0},
    {"contract-until", KEY_CONTRACT_UNTIL, N_("DAY"), 0, N_("its last day"), 0},
    {"quota", KEY_QUOTA, N_("NUMBER"), 0, N_("of the programme's unit"), 0},
    {"documents", KEY_DOCUMENTS, N_("LIST"), 0, N_("what is handed in: contract+licence"), 0},
    {"facts", KEY_FACTS, N_("LIST"), 0, N_("of the project: level=national; purpose=training"), 0},
    {0},
};
static const struct sq_args make_args = {
    make_options,
    parse_make,
    N_("YUAN"),
    N_("Ask for a voucher under a programme. For holders, at the node of its issuer."),
    N_("The answer is the application's number. Who gets no answer looks with 'sanquan application' before asking "
       "again.\n"
       "\n"
       "  sanquan application make 50000 --programme 310000/1 --seller 91310199TXXXXX0015 --contract 2026-17 \\\n"
       "      --contract-yuan 180000 --documents contract+licence --key holder.key --node 310000"),
    1};

int sq_cmd_application_make(struct sq_cli *cli, int argc, char **argv)
{
    struct making x = {.side = 1};
    struct sq_error err = {0};
    struct sq_told told;
    uint8_t contract[SQ_CONTRACT_BYTES];
    Sanquan__V1__Apply m;
    Sanquan__V1__FactSet facts;
    int code = sq_cli_parse(cli, &make_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__apply__init(&m);
    sanquan__v1__fact_set__init(&facts);
    m.issuer = x.p.issuer;
    m.programme = x.p.number;
    m.asked_fen = x.asked_fen;
    m.side = x.side;
    if (x.contract != NULL) {
        sq_contract_mark(x.seller, x.contract, contract);
        m.contract = (ProtobufCBinaryData){sizeof contract, contract};
    }
    m.contract_fen = x.contract_fen;
    m.contract_day = x.contract_day;
    m.contract_from_day = x.from_day;
    m.contract_until_day = x.until_day;
    m.quota = (int64_t)x.quota;
    m.documents = x.documents;
    facts.n_attribute = facts.n_value = x.facts.count;
    facts.attribute = x.facts.attribute;
    facts.value = x.facts.value;
    m.facts = x.facts.count != 0 ? &facts : NULL;
    sq_status st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__APPLY, &m.base, &told, &err);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:I, s:I, s:I, s:I}", "issuer", (json_int_t)m.issuer, "programme",
                              (json_int_t)m.programme, "application", (json_int_t)told.number, "asked_fen",
                              (json_int_t)m.asked_fen));
    else
        printf(_("application %" PRIu64 " of programme %06u/%u\n"), told.number, m.issuer, m.programme);
    return SQ_EXIT_DONE;
}
