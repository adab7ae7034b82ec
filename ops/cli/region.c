/*
 * sanquan region, region want: who takes part, and what this node wants a region to become.
 *
 * Two people at each node give the same command, one as maker and one as checker; when more than two thirds of the nodes want the same, it is
 * in force everywhere with the end of the window that is being settled.
 */
#include "ops/cli/region.h"

#include <stdlib.h>
#include <string.h>

#include "clearing/settlement/settlement.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

static const char *const names[] = {"",          "enrolled",  "active",
                                    "suspended", "defaulted", "closed"}; /* enum sq_region_standing */
static const char *const texts[] = {"", N_("enrolled"), N_("active"), N_("suspended"), N_("defaulted"), N_("closed")};
#define STANDINGS (sizeof names / sizeof *names)

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static uint64_t u64_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static uint32_t standing_of(const char *name)
{
    for (uint32_t i = 1; i < STANDINGS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

const char *sq_standing_text(const char *name)
{
    uint32_t standing = standing_of(name);
    return standing != 0 ? _(texts[standing]) : name;
}

/* ---- region ---- */

static const struct sq_args list_args = {
    NULL,
    NULL,
    NULL,
    N_("List the regions with their standing, and what nodes want them to become."),
    N_("enrolled   takes no business yet          suspended  owes nothing new; is owed, returns and settles\n"
       "active     takes part                     defaulted  has not paid; takes no new business\n"
       "closed     has left for good\n"
       "\n"
       "  sanquan region --key zhang.key"),
    1};

static void print_regions(const json_t *list)
{
    const char *headers[] = {_("region"), _("standing"), _("since window"), _("guarantee"),
                             _("wanted"), _("by nodes"), _("here")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *r;
    sq_grid_begin(&g, "llrrlrl", headers);
    json_array_foreach(list, i, r)
    {
        uint64_t by = u64_of(r, "wanted_by"), unpaid = u64_of(r, "wanted_unpaid_window");
        sq_grid_put(&g, "%s", text_of(r, "region"));
        sq_grid_put(&g, "%s", sq_standing_text(text_of(r, "standing")));
        sq_grid_put(&g, "%" PRIu64, u64_of(r, "since_window"));
        sq_grid_put(&g, "%s", sq_text_yuan(json_integer_value(json_object_get(r, "guarantee_fen")), text));
        if (unpaid != 0)
            sq_grid_put(&g, _("%s, window %" PRIu64 " unpaid"), sq_standing_text(text_of(r, "wanted")), unpaid);
        else
            sq_grid_put(&g, "%s", by != 0 ? sq_standing_text(text_of(r, "wanted")) : "");
        sq_grid_put(&g, "%s", by != 0 ? sq_text_count(by, text) : "");
        sq_grid_put(&g, "%s", json_is_true(json_object_get(r, "waiting_for_checker")) ? _("waits for a checker") : "");
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

int sq_cmd_region(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &list_args, argc, argv, "regions", "regions", print_regions);
}

/* ---- region want ---- */

struct wanting {
    char *region;
    const char *reason;
    uint32_t standing, role;
    uint64_t unpaid;
};

enum { KEY_ROLE = 0x100, KEY_REASON, KEY_UNPAID };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct wanting *w = state->input;
    switch (key) {
    case KEY_ROLE:
        w->role = sq_args_role(value);
        return w->role != 0 ? 0 : sq_args_wrong(state, _("--role %s: it is maker or checker"), value);
    case KEY_REASON:
        w->reason = value;
        return strlen(value) > SQ_BREAK_NOTE_MAX
                   ? sq_args_wrong(state, _("--reason: at most %u bytes go"), SQ_BREAK_NOTE_MAX)
                   : 0;
    case KEY_UNPAID:
        return sq_args_number(value, 1, UINT32_MAX, &w->unpaid)
                   ? 0
                   : sq_args_wrong(state, _("%s: windows are numbered 1, 2, 3 ..."), value);
    case ARGP_KEY_ARG:
        if (w->region == NULL)
            w->region = value;
        else if (w->standing != 0)
            return ARGP_ERR_UNKNOWN;
        else if ((w->standing = standing_of(value)) == 0)
            return sq_args_wrong(state, _("%s: a region is enrolled, active, suspended, defaulted or closed"), value);
        return 0;
    case ARGP_KEY_END:
        if (w->standing == 0)
            return sq_args_wrong(state, _("say which region, and what it is to become"));
        if (w->unpaid != 0 && w->standing != SQ_REGION_DEFAULTED)
            return sq_args_wrong(state, _("--unpaid goes with defaulted"));
        if (*w->reason == '\0')
            return sq_args_wrong(state, _("say why: --reason TEXT"));
        return w->role == 0 ? sq_args_wrong(state, _("say in which role: --role maker or --role checker")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"role", KEY_ROLE, "maker|checker", 0, N_("the maker enters it, the checker, another operator, says the same"), 0},
    {"reason", KEY_REASON, N_("TEXT"), 0, N_("why; all nodes keep it"), 0},
    {"unpaid", KEY_UNPAID, N_("N"), 0,
     N_("with defaulted: the window that the region has not paid for; others pay instead"), 0},
    {0},
};
static const struct sq_args want_args = {
    options,
    parse,
    N_("REGION STANDING"),
    N_("Say what this node wants a region to become. For two operators or regulators, one after the other, at each "
       "node."),
    N_("When more than two thirds of the nodes want the same, it is in force everywhere with the next window that "
       "becomes final.\n"
       "\n"
       "  sanquan region want 370000 suspended --reason \"resolution 7\" --role maker --key zhang.key\n"
       "  sanquan region want 370000 defaulted --unpaid 12 --reason \"no payment by noon\" --role checker --key "
       "li.key"),
    1};

int sq_cmd_region_want(struct sq_cli *cli, int argc, char **argv)
{
    struct wanting w = {.reason = ""};
    struct sq_session s;
    struct sq_error err = {0};
    Sanquan__V1__Standing m;
    int code = sq_cli_parse(cli, &want_args, argc, argv, &w);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__standing__init(&m);
    m.node = w.region;
    m.standing = w.standing;
    m.unpaid_window = w.unpaid;
    m.reason = sq_need(strdup(w.reason));
    m.role = w.role;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_say(&s, SANQUAN__V1__MESSAGE_TYPE__STANDING, &m.base, NULL, &err);
    sq_session_close(&s);
    free(m.reason);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:s, s:I, s:s}", "region", w.region, "standing", names[w.standing],
                              "unpaid_window", (json_int_t)w.unpaid, "role", w.role == 1 ? "maker" : "checker"));
    else
        puts(w.role == 1 ? _("entered; now a checker has to say the same")
                         : _("this node wants it; the other nodes have been told"));
    return SQ_EXIT_DONE;
}
