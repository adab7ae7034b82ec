/* sanquan prefund, prefund enter: money that providers have in advance (备用金), and what of it is used up. */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/names.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* ---- prefund ---- */

static const struct sq_args list_args = {
    NULL,
    NULL,
    NULL,
    N_("List what providers have in advance, and what of it is used up by what they redeemed since."),
    N_("For issuers, of their programmes; providers see their own; operators of the node and regulators all.\n"
       "\n"
       "  sanquan prefund --key issuer.key"),
    1};

static void print_prefunds(const json_t *list)
{
    const char *headers[] = {_("programme"), _("provider"), _("advanced"), _("used up"), _("left")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *p;
    if (json_array_size(list) == 0) {
        puts(_("There is none."));
        return;
    }
    sq_grid_begin(&g, "llrrr", headers);
    json_array_foreach(list, i, p)
    {
        sq_grid_put(&g, "%06d/%d", (int)int_of(p, "issuer"), (int)int_of(p, "programme"));
        sq_grid_put(&g, "%s", json_string_value(json_object_get(p, "provider")));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(p, "advanced_fen"), text));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(p, "drawn_fen"), text));
        sq_grid_put(&g, "%s", sq_text_yuan(int_of(p, "left_fen"), text));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

int sq_cmd_prefund(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &list_args, argc, argv, "prefunds", "prefunds", print_prefunds);
}

/* ---- prefund enter ---- */

struct entering {
    uint32_t issuer, number;
    char *provider;
    int64_t fen;
    int back;
};

enum { KEY_PROGRAMME = 0x100, KEY_BACK };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct entering *x = state->input;
    char why[SQ_WHY_SIZE];
    switch (key) {
    case KEY_PROGRAMME:
        return sq_args_take_programme(state, value, &x->issuer, &x->number);
    case KEY_BACK:
        x->back = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (x->provider == NULL) {
            x->provider = value;
            return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
        }
        if (x->fen != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_read_yuan(value, &x->fen) && x->fen > 0 ? 0
                                                          : sq_args_wrong(state, _("%s: not an amount in yuan"), value);
    case ARGP_KEY_END:
        if (x->provider == NULL || x->fen == 0)
            return sq_args_wrong(state, _("say which provider, and how many yuan"));
        return x->number == 0 ? sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"programme", KEY_PROGRAMME, N_("ISSUER/NUMBER"), 0, N_("for what is redeemed under this programme"), 0},
    {"back", KEY_BACK, NULL, 0, N_("taken back, at most what is not used up yet"), 0},
    {0},
};
static const struct sq_args enter_args = {
    options,
    parse,
    N_("PROVIDER YUAN"),
    N_("Enter money that a provider of this node was given in advance, or has given back. For issuers."),
    N_("What the provider redeems under the programme from then on is paid by it first; obligations between regions "
       "stay the same. Each\n"
       "entry adds to those before. Who gets no answer looks with 'sanquan prefund' before saying it again.\n"
       "\n"
       "  sanquan prefund enter 91310199TXXXXX0015 100000 --programme 310000/1 --key issuer.key"),
    1};

int sq_cmd_prefund_enter(struct sq_cli *cli, int argc, char **argv)
{
    struct entering x = {0};
    struct sq_error err = {0};
    Sanquan__V1__Prefund m;
    int code = sq_cli_parse(cli, &enter_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__prefund__init(&m);
    m.issuer = x.issuer;
    m.programme = x.number;
    m.provider = x.provider;
    m.amount_fen = x.back ? -x.fen : x.fen;
    sq_status st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__PREFUND, &m.base, NULL, &err);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:I, s:I, s:s, s:I}", "issuer", (json_int_t)x.issuer, "programme", (json_int_t)x.number,
                              "provider", x.provider, "amount_fen", (json_int_t)m.amount_fen));
    else
        puts(_("entered"));
    return SQ_EXIT_DONE;
}
