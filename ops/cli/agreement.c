/*
 * sanquan agreement, agreement sign: on which terms this region and others recognise each other's vouchers.
 *
 *   maker signs -> checker signs -> the other node is told          in force when both nodes have said the same
 *
 * All four people use one file, so that they say the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/session.h"
#include "ops/cli/text.h"
#include "ops/common/agreement_yaml.h"

#define FILE_ARENA_SIZE (64u << 10)

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}
static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

/* ---- agreement ---- */

static const struct sq_args list_args = {
    NULL,
    NULL,
    NULL,
    N_("List the agreements on recognition between this region and others: from when, on which terms, and what came "
       "under them."),
    N_("For operators of the node and for regulators. A line a side: vouchers of this region's issuers, redeemed at "
       "providers of the\n"
       "other. 'owes' is what it owes the other, net and not settled; 'may owe' bounds it. 'borne' is what of the "
       "redeemed the other\n"
       "region bears itself.\n"
       "\n"
       "  sanquan agreement --key zhang.key"),
    1};

static const char *state_text(const json_t *a)
{
    static const struct {
        const char *name, *text;
    } states[] = {{"entered", N_("entered")},
                  {"said_here", N_("said here, not there")},
                  {"said_there", N_("said there, not here")},
                  {"differs", N_("the two differ")},
                  {"to_come", N_("agreed, to come")},
                  {"in_force", N_("in force")},
                  {"replaced", N_("replaced")},
                  {"over", N_("over")}};
    const char *name = text_of(a, "state");
    if (json_is_true(json_object_get(a, "waiting_for_checker")))
        return _("waits for a checker");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(name, states[i].name) == 0)
            return _(states[i].text);
    return name;
}

/* "compute, model", or the names of a list. */
static const char *joined(const json_t *list, char *out, size_t size)
{
    size_t i, used = 0;
    json_t *v;
    *out = '\0';
    json_array_foreach(list, i, v)
    {
        const char *word = json_is_integer(v) ? sq_text_kind((uint32_t)json_integer_value(v)) : json_string_value(v);
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", i != 0 ? ", " : "", word);
    }
    return out;
}

static void put_head(struct sq_grid *g, const json_t *a, int first)
{
    char text[SQ_TEXT_SIZE], kinds[200];
    if (!first) {
        for (unsigned i = 0; i < 7; i++)
            sq_grid_put(g, "%s", "");
        return;
    }
    uint32_t ceiling = (uint32_t)int_of(a, "rate_ceiling_bp"), from = (uint32_t)int_of(a, "from_day");
    sq_grid_put(g, "%s", text_of(a, "with"));
    sq_grid_put(g, "%" PRIu64, (uint64_t)int_of(a, "version"));
    sq_grid_put(g, "%s", state_text(a));
    sq_grid_put(g, "%s", joined(json_object_get(a, "kinds"), kinds, sizeof kinds));
    sq_grid_put(g, "%s", ceiling != 0 ? sq_text_bp(ceiling, text) : "");
    sq_grid_put(g, "%s", from != 0 ? sq_text_day(from, text) : "");
    sq_grid_put(g, "%s", from != 0 ? sq_text_day((uint32_t)int_of(a, "until_day"), text) : "");
}

static void put_side(struct sq_grid *g, const json_t *side)
{
    char text[SQ_TEXT_SIZE], words[200];
    int64_t exposure = int_of(side, "exposure_fen");
    uint32_t borne = (uint32_t)int_of(side, "borne_bp");
    sq_grid_put(g, "%s", text_of(side, "node"));
    sq_grid_put(g, "%s", sq_text_yuan(int_of(side, "redeemed_fen"), text));
    sq_grid_put(g, "%s", borne != 0 ? sq_text_bp(borne, text) : "");
    sq_grid_put(g, "%s", sq_text_yuan(int_of(side, "borne_fen"), text));
    sq_grid_put(g, "%s", sq_text_yuan(int_of(side, "used_fen"), text));
    sq_grid_put(g, "%s", exposure != 0 ? sq_text_yuan(exposure, text) : _("no limit"));
    sq_grid_put(g, "%s", joined(json_object_get(side, "relaxed"), words, sizeof words));
}

static void print_agreements(const json_t *list)
{
    const char *headers[] = {_("with"),  _("version"), _("state"),       _("kinds"),    _("ceiling"),
                             _("from"),  _("until"),   _("vouchers of"), _("redeemed"), _("share"),
                             _("borne"), _("owes"),    _("may owe"),     _("not asked")};
    struct sq_grid g;
    size_t i, k;
    json_t *a, *side;
    if (json_array_size(list) == 0) {
        puts(_("There is none."));
        return;
    }
    sq_grid_begin(&g, "lrllrlllrrrrrl", headers);
    json_array_foreach(list, i, a)
    {
        json_array_foreach(json_object_get(a, "sides"), k, side)
        {
            put_head(&g, a, k == 0);
            put_side(&g, side);
        }
    }
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

int sq_cmd_agreement(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &list_args, argc, argv, "agreements", "agreements", print_agreements);
}

/* ---- agreement sign ---- */

struct signing {
    const char *path;
    uint32_t role;
};

enum { KEY_ROLE = 0x100 };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct signing *x = state->input;
    switch (key) {
    case KEY_ROLE:
        x->role = sq_args_role(value);
        return x->role != 0 ? 0 : sq_args_wrong(state, _("--role %s: it is maker or checker"), value);
    case ARGP_KEY_ARG:
        if (x->path != NULL)
            return ARGP_ERR_UNKNOWN;
        x->path = value;
        return 0;
    case ARGP_KEY_END:
        return x->path == NULL ? sq_args_wrong(state, _("say which file of terms"))
               : x->role == 0  ? sq_args_wrong(state, _("say in which role: --role maker or --role checker"))
                               : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"role", KEY_ROLE, "maker|checker", 0, N_("the maker enters it, the checker, another operator, says the same"), 0},
    {0},
};
static const struct sq_args sign_args = {
    options, parse, N_("FILE"),
    N_("Agree with another region on recognising each other's vouchers. For two operators at each of the two nodes."),
    /* xgettext:no-c-format */
    N_("FILE holds the terms; all four people use the same one. It is in force from its first day, when both nodes "
       "have "
       "said the same.\n"
       "A later version replaces it; what was said is never taken back. Amounts are yuan, 500万 or 1.2亿.\n"
       "\n"
       "  version: 1                 # 1, 2, 3 ... of the two regions\n"
       "  kinds: [compute, model]    # compute, model, corpus; 4 to 7 are open\n"
       "  from: 2026-01-01\n"
       "  until: 2026-12-31\n"
       "  rate_ceiling: 30%          # of a claim's base; may be left out\n"
       "  sides:\n"
       "    - node: \"310000\"         # vouchers of 310000, redeemed at providers of the other region\n"
       "      borne: 20%             # the other region bears this share itself; may be left out\n"
       "      exposure: 500万        # 310000 owes it at most so much, net, before it is settled; may be left out\n"
       "      relaxed: [region]      # not asked of its providers: region, tax_region, zone, channel, lists\n"
       "    - node: \"370000\"\n"
       "\n"
       "  sanquan agreement sign shandong.yaml --role maker --key zhang.key\n"
       "  sanquan agreement sign shandong.yaml --role checker --key li.key\n"
       "  sanquan agreement"),
    1};

static void print_signed(const struct sq_cli *cli, const struct signing *x, const Sanquan__V1__Agreement *m,
                         const char *self)
{
    const char *other = strcmp(m->sides[0]->node, self) == 0 ? m->sides[1]->node : m->sides[0]->node;
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:I, s:s}", "with", other, "version", (json_int_t)m->version, "role",
                              x->role == 1 ? "maker" : "checker"));
    else if (x->role == 1)
        puts(_("entered; now a checker has to say the same"));
    else
        printf(_("said; in force when %s has said the same: see 'sanquan agreement'\n"), other);
}

int sq_cmd_agreement_sign(struct sq_cli *cli, int argc, char **argv)
{
    struct signing x = {0};
    struct sq_arena arena = {0};
    struct sq_error err = {0};
    struct sq_told told;
    Sanquan__V1__Agree m;
    int code = sq_cli_parse(cli, &sign_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__agree__init(&m);
    m.role = x.role;
    sq_status st = sq_arena_init(&arena, FILE_ARENA_SIZE, &err);
    if (st == SQ_OK)
        st = sq_agreement_read(x.path, &arena, &m.terms, &err);
    if (st == SQ_OK)
        st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__AGREE, &m.base, &told, &err);
    if (st == SQ_OK)
        print_signed(cli, &x, m.terms, told.node);
    sq_arena_free(&arena);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
