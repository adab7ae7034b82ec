/*
 * sanquan cap, cap set, cap lift: how much other regions may come to owe this one, net, before it settles.
 *
 * Two operators give the same command, one as maker and one as checker.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/session.h"
#include "ops/cli/text.h"

static uint64_t u64_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}
static int64_t fen_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* ---- cap ---- */

static const struct sq_args list_args = {
    NULL,
    NULL,
    NULL,
    N_("List the net debit caps between this region and others, what is used of them, and alarms."),
    N_("For operators of the node and for regulators. What is owed, and not settled, less what is owed back, kind by "
       "kind.\n"
       "\n"
       "  sanquan cap --key zhang.key"),
    1};

static void print_caps(const json_t *list)
{
    const char *headers[] = {_("debtor"), _("creditor"), _("cap"), _("used"), _("alarm from"), _("now")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *c;
    sq_grid_begin(&g, "llrrrl", headers);
    json_array_foreach(list, i, c)
    {
        int set = json_is_true(json_object_get(c, "set"));
        sq_grid_put(&g, "%s", json_string_value(json_object_get(c, "debtor")));
        sq_grid_put(&g, "%s", json_string_value(json_object_get(c, "creditor")));
        sq_grid_put(&g, "%s", set ? sq_text_yuan(fen_of(c, "cap_fen"), text) : _("none"));
        sq_grid_put(&g, "%s", sq_text_yuan(fen_of(c, "used_fen"), text));
        sq_grid_put(&g, "%s", set ? sq_text_bp((uint32_t)u64_of(c, "alarm_bp"), text) : "");
        sq_grid_put(&g, "%s",
                    json_is_true(json_object_get(c, "alarm"))                 ? _("ALARM")
                    : json_is_true(json_object_get(c, "waiting_for_checker")) ? _("waits for a checker")
                                                                              : "");
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

int sq_cmd_cap(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &list_args, argc, argv, "caps", "caps", print_caps);
}

/* ---- set, lift ---- */

struct setting {
    char *debtor;
    uint32_t role, lift;
    int64_t cap_fen;
    uint64_t alarm_percent;
};

enum { KEY_ROLE = 0x100, KEY_ALARM };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct setting *c = state->input;
    switch (key) {
    case KEY_ROLE:
        c->role = sq_args_role(value);
        return c->role != 0 ? 0 : sq_args_wrong(state, _("--role %s: it is maker or checker"), value);
    case KEY_ALARM:
        return sq_args_number(value, 1, 100, &c->alarm_percent)
                   ? 0
                   : sq_args_wrong(state, _("--alarm %s: it is 1 to 100 per cent"), value);
    case ARGP_KEY_ARG:
        if (c->debtor == NULL)
            c->debtor = value;
        else if (c->lift || c->cap_fen >= 0)
            return ARGP_ERR_UNKNOWN;
        else if (!sq_read_yuan(value, &c->cap_fen) || c->cap_fen < 0)
            return sq_args_wrong(state, _("%s: not an amount in yuan"), value);
        return 0;
    case ARGP_KEY_END:
        if (c->debtor == NULL || (!c->lift && c->cap_fen < 0))
            return sq_args_wrong(state, c->lift ? _("say whose cap: a node's code")
                                                : _("say whose cap, and how many yuan it is"));
        return c->role == 0 ? sq_args_wrong(state, _("say in which role: --role maker or --role checker")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option set_options[] = {
    {"role", KEY_ROLE, "maker|checker", 0, N_("the maker enters it, the checker, another operator, says the same"), 0},
    {"alarm", KEY_ALARM, N_("PERCENT"), 0, N_("share of the cap from which an alarm is shown (80)"), 0},
    {0},
};
static const struct argp_option lift_options[] = {
    {"role", KEY_ROLE, "maker|checker", 0, N_("the maker enters it, the checker, another operator, says the same"), 0},
    {0},
};
static const struct sq_args set_args = {
    set_options,
    parse,
    N_("DEBTOR YUAN"),
    N_("Set what a region may come to owe this one, net. For two operators, one after the other."),
    N_("Its node refuses what would go beyond. Room comes back when windows settle and when reservations end.\n"
       "\n"
       "  sanquan cap set 310000 5000000 --alarm 75 --role maker --key zhang.key\n"
       "  sanquan cap set 310000 5000000 --alarm 75 --role checker --key li.key"),
    1};
static const struct sq_args lift_args = {lift_options,
                                         parse,
                                         N_("DEBTOR"),
                                         N_("Lift a region's cap. For two operators, one after the other."),
                                         N_("  sanquan cap lift 310000 --role maker --key zhang.key"),
                                         1};

static int set(struct sq_cli *cli, int argc, char **argv, uint32_t lift, const struct sq_args *args)
{
    struct setting c = {.lift = lift, .cap_fen = lift ? 0 : -1, .alarm_percent = lift ? 0 : 80};
    struct sq_error err = {0};
    Sanquan__V1__DebitCap m;
    int code = sq_cli_parse(cli, args, argc, argv, &c);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__debit_cap__init(&m);
    m.debtor = c.debtor;
    m.cap_fen = c.cap_fen;
    m.alarm_bp = (uint32_t)c.alarm_percent * 100;
    m.lift = lift;
    m.role = c.role;
    sq_status st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__DEBIT_CAP, &m.base, NULL, &err);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:I, s:i, s:b, s:s}", "debtor", c.debtor, "cap_fen", (json_int_t)c.cap_fen,
                              "alarm_bp", (int)m.alarm_bp, "lift", (int)lift, "role",
                              c.role == 1 ? "maker" : "checker"));
    else
        puts(c.role == 1 ? _("entered; now a checker has to say the same") : _("in force"));
    return SQ_EXIT_DONE;
}

int sq_cmd_cap_set(struct sq_cli *cli, int argc, char **argv)
{
    return set(cli, argc, argv, 0, &set_args);
}
int sq_cmd_cap_lift(struct sq_cli *cli, int argc, char **argv)
{
    return set(cli, argc, argv, 1, &lift_args);
}
