/*
 * sanquan account, account enter: what the settlement bank holds for this node's region, and what of it is spoken for.
 *
 * Two operators give the same command, one as maker and one as checker.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/settlement/settlement.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

static int64_t fen_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* ---- account ---- */

static const struct sq_args list_args = {
    NULL,
    NULL,
    NULL,
    N_("Show the settlement account of the node's region, by kind."),
    N_("committed: payments of windows that are final and not settled. owed: to all other regions together, net, not "
       "final yet.\n"
       "Where the network is prefunded, the region comes to owe no more than what is free.\n"
       "\n"
       "  sanquan account --key zhang.key"),
    1};

static void print_account(const json_t *answer)
{
    const char *headers[] = {_("kind"), _("balance"), _("committed"), _("owed"), _("free")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *k;
    sq_grid_begin(&g, "lrrrr", headers);
    json_array_foreach(json_object_get(answer, "kinds"), i, k)
    {
        int64_t balance = fen_of(k, "balance_fen"), committed = fen_of(k, "committed_fen"),
                owed = fen_of(k, "owed_fen");
        if (balance == 0 && committed == 0 && owed == 0 && i != 0)
            continue;
        sq_grid_put(&g, "%s", sq_text_kind((uint32_t)fen_of(k, "kind")));
        sq_grid_put(&g, "%s", sq_text_yuan(balance, text));
        sq_grid_put(&g, "%s", sq_text_yuan(committed, text));
        sq_grid_put(&g, "%s", sq_text_yuan(owed, text));
        sq_grid_put(&g, "%s", sq_text_yuan(balance - committed - owed, text));
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
    puts(json_is_true(json_object_get(answer, "prefunded"))
             ? _("This network is prefunded: what is owed is covered.")
             : _("This network is not prefunded: the account bounds nothing."));
    if (json_is_true(json_object_get(answer, "waiting_for_checker")))
        puts(_("An entry waits for a checker."));
}

int sq_cmd_account(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &list_args, argc, argv, "account", NULL, print_account);
}

/* ---- account enter ---- */

struct entering {
    uint32_t kind, role;
    int64_t fen;
    int out;
    const char *reference;
};

enum { KEY_ROLE = 0x100, KEY_KIND, KEY_OUT };

static uint32_t kind_of(const char *text)
{
    static const char *const words[] = {"compute", "model", "corpus"};
    uint64_t kind;
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0)
            return i + 1;
    return sq_args_number(text, 1, SQ_KIND_COUNT, &kind) ? (uint32_t)kind : 0;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct entering *e = state->input;
    switch (key) {
    case KEY_ROLE:
        e->role = sq_args_role(value);
        return e->role != 0 ? 0 : sq_args_wrong(state, _("--role %s: it is maker or checker"), value);
    case KEY_KIND:
        e->kind = kind_of(value);
        return e->kind != 0
                   ? 0
                   : sq_args_wrong(state, _("--kind %s: 1 to %u, compute, model or corpus"), value, SQ_KIND_COUNT);
    case KEY_OUT:
        e->out = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (e->fen == 0)
            return sq_read_yuan(value, &e->fen) && e->fen > 0
                       ? 0
                       : sq_args_wrong(state, _("%s: not an amount in yuan"), value);
        if (e->reference != NULL)
            return ARGP_ERR_UNKNOWN;
        e->reference = value;
        return strlen(value) <= SQ_ACCOUNT_REFERENCE_MAX && *value != '\0'
                   ? 0
                   : sq_args_wrong(state, _("the bank's reference has 1 to %u bytes"), SQ_ACCOUNT_REFERENCE_MAX);
    case ARGP_KEY_END:
        if (e->reference == NULL)
            return sq_args_wrong(state, _("say how many yuan, and the bank's reference"));
        return e->role == 0 ? sq_args_wrong(state, _("say in which role: --role maker or --role checker")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"role", KEY_ROLE, "maker|checker", 0, N_("the maker enters it, the checker, another operator, says the same"), 0},
    {"kind", KEY_KIND, N_("KIND"), 0, N_("1 to 7, compute, model or corpus (compute)"), 0},
    {"out", KEY_OUT, NULL, 0, N_("taken out, not paid in"), 0},
    {0},
};
static const struct sq_args enter_args = {
    options,
    parse,
    N_("YUAN REFERENCE"),
    N_("Enter what was paid into the region's settlement account, or taken out. For two operators, one after the "
       "other."),
    N_("  sanquan account enter 1000000 CN20260901-17 --kind model --role maker --key zhang.key\n"
       "  sanquan account enter 1000000 CN20260901-17 --kind model --role checker --key li.key"),
    1};

int sq_cmd_account_enter(struct sq_cli *cli, int argc, char **argv)
{
    struct entering e = {.kind = 1};
    struct sq_error err = {0};
    Sanquan__V1__Account m;
    int code = sq_cli_parse(cli, &enter_args, argc, argv, &e);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__account__init(&m);
    m.kind = e.kind;
    m.amount_fen = e.out ? -e.fen : e.fen;
    m.reference = sq_need(strdup(e.reference));
    m.role = e.role;
    sq_status st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__ACCOUNT, &m.base, NULL, &err);
    free(m.reference);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:i, s:I, s:s, s:s}", "kind", (int)e.kind, "amount_fen", (json_int_t)m.amount_fen,
                              "reference", e.reference, "role", e.role == 1 ? "maker" : "checker"));
    else
        puts(e.role == 1 ? _("entered; now a checker has to say the same") : _("in force"));
    return SQ_EXIT_DONE;
}
