/* sanquan programme check, publish, list: an issuer's rules, from its file to the network. */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/message_json.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"
#include "ops/common/programme_yaml.h"

#define FILES_MAX  256u
#define ARENA_SIZE (1u << 20)

struct files {
    char *path[FILES_MAX];
    size_t count;
};

static error_t parse_files(int key, char *value, struct argp_state *state)
{
    struct files *f = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (f->count == FILES_MAX)
            return sq_args_wrong(state, _("at most %u files go"), FILES_MAX);
        f->path[f->count++] = value;
        return 0;
    case ARGP_KEY_END:
        return f->count == 0 ? sq_args_wrong(state, _("say which programme file")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_terms(const Sanquan__V1__Programme *p)
{
    char a[SQ_TEXT_SIZE], b[SQ_TEXT_SIZE];
    printf(_("%06u/%u version %u: %s\n"), p->issuer, p->number, p->version, p->title);
    printf(_("  %s, %s to %s\n"), sq_text_kind(p->kind), sq_text_day(p->from_day, a), sq_text_day(p->until_day, b));
    if (p->rate_bp != 0)
        printf(_("  subsidy up to %s of the base\n"), sq_text_bp(p->rate_bp, a));
    if (p->pool_fen != 0)
        printf(_("  out of a pool of %s\n"), sq_text_money(p->pool_fen, a));
    if (p->cap_claim_fen != 0)
        printf(_("  at most %s a claim\n"), sq_text_money(p->cap_claim_fen, a));
    if (p->cap_year_fen != 0)
        printf(_("  at most %s a holder and year\n"), sq_text_money(p->cap_year_fen, a));
    if (p->cap_total_fen != 0)
        printf(_("  at most %s a holder\n"), sq_text_money(p->cap_total_fen, a));
    if (p->min_claim_fen != 0)
        printf(_("  base at least %s\n"), sq_text_money(p->min_claim_fen, a));
    if (p->stacking == 1)
        printf(_("  additive: all subsidies of an invoice within %s of its total\n"), sq_text_bp(p->stack_limit_bp, a));
    else
        printf(_("  exclusive: no other programme on the same invoice\n"));
    if (p->n_tiers + p->n_conditions + p->n_limits + p->n_windows + p->n_relations != 0)
        printf(_("  tiers %zu, conditions %zu, limits %zu, windows %zu, relations %zu: see --json\n"), p->n_tiers,
               p->n_conditions, p->n_limits, p->n_windows, p->n_relations);
}

/* Does `use` with each file's programme; stops at the first that fails. */
static sq_status each_programme(const struct files *f,
                                sq_status (*use)(void *ctx, const char *path, const Sanquan__V1__Programme *p,
                                                 struct sq_error *err),
                                void *ctx, struct sq_error *err)
{
    struct sq_arena arena = {0};
    Sanquan__V1__Programme *p;
    sq_status st = sq_arena_init(&arena, ARENA_SIZE, err);
    for (size_t i = 0; st == SQ_OK && i < f->count; i++) {
        sq_arena_reset(&arena);
        st = sq_programme_read(f->path[i], &arena, &p, err);
        if (st == SQ_OK)
            st = use(ctx, f->path[i], p, err);
    }
    sq_arena_free(&arena);
    return st;
}

/* ---- check ---- */

static const struct sq_args check_args = {NULL,
                                          parse_files,
                                          N_("FILE..."),
                                          N_("Check programme files and show their terms. Nothing is sent."),
                                          N_("What is wrong is told with file, line and reason.\n"
                                             "\n"
                                             "  sanquan programme check compute.yaml"),
                                          0};

struct checking {
    const struct sq_cli *cli;
    json_t *list;
};

static sq_status show_programme(void *ctx, const char *path, const Sanquan__V1__Programme *p, struct sq_error *err)
{
    struct checking *c = ctx;
    (void)path;
    (void)err;
    if (c->cli->json)
        json_array_append_new(c->list, sq_message_json(&p->base));
    else
        print_terms(p);
    return SQ_OK;
}

int sq_cmd_programme_check(struct sq_cli *cli, int argc, char **argv)
{
    struct files f = {.count = 0};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &check_args, argc, argv, &f);
    if (code != SQ_PARSED)
        return code;
    struct checking c = {cli, sq_need(json_array())};
    sq_status st = each_programme(&f, show_programme, &c, &err);
    if (st == SQ_OK && cli->json)
        sq_cli_json(json_pack("{s:O}", "programmes", c.list));
    json_decref(c.list);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}

/* ---- publish ---- */

static const struct sq_args publish_args = {
    NULL,
    parse_files,
    N_("FILE..."),
    N_("Publish programmes: the issuer's node and all others work by these terms from then on. For issuers."),
    N_("A change of terms is the same file with the next version. All files are checked before the first is sent.\n"
       "\n"
       "  sanquan programme publish compute.yaml --key issuer-310000.key"),
    1};

static sq_status nothing(void *ctx, const char *path, const Sanquan__V1__Programme *p, struct sq_error *err)
{
    (void)ctx, (void)path, (void)p, (void)err;
    return SQ_OK;
}

struct publishing {
    struct sq_session session;
    json_t *list;
};

static sq_status publish_one(void *ctx, const char *path, const Sanquan__V1__Programme *p, struct sq_error *err)
{
    struct publishing *u = ctx;
    sq_status st = sq_session_say(&u->session, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p->base, NULL, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "%s", path);
    if (u->session.cli->json)
        json_array_append_new(u->list, json_pack("{s:i, s:i, s:i}", "issuer", (int)p->issuer, "number", (int)p->number,
                                                 "version", (int)p->version));
    else
        printf(_("published %06u/%u version %u: %s\n"), p->issuer, p->number, p->version, p->title);
    return SQ_OK;
}

int sq_cmd_programme_publish(struct sq_cli *cli, int argc, char **argv)
{
    struct files f = {.count = 0};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &publish_args, argc, argv, &f);
    if (code != SQ_PARSED)
        return code;
    struct publishing u = {.list = sq_need(json_array()), .session.key_lock = -1};
    sq_status st = each_programme(&f, nothing, NULL, &err);
    if (st == SQ_OK)
        st = sq_session_open(cli, 1, &u.session, &err);
    if (st == SQ_OK)
        st = each_programme(&f, publish_one, &u, &err);
    sq_session_close(&u.session);
    if (st == SQ_OK && cli->json)
        sq_cli_json(json_pack("{s:O}", "published", u.list));
    json_decref(u.list);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}

/* ---- list ---- */

static const struct sq_args list_args = {
    NULL,
    NULL,
    NULL,
    N_("List the programmes that the node knows, with what is left of their pools."),
    N_("  sanquan programme list --key zhang.key"),
    1};

static int64_t fen_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void print_list(const json_t *list)
{
    const char *headers[] = {_("programme"), _("kind"),    _("title"),    _("rate"),  _("until"),    _("vouchers"),
                             _("pool"),      _("granted"), _("reserved"), _("spent"), _("available")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid t;
    size_t i;
    json_t *p;
    sq_grid_begin(&t, "lllrlrrrrrr", headers);
    json_array_foreach(list, i, p)
    {
        int64_t pool = fen_of(p, "pool_fen"), reserved = fen_of(p, "reserved_fen"), spent = fen_of(p, "spent_fen");
        sq_grid_put(&t, "%06d/%d", (int)fen_of(p, "issuer"), (int)fen_of(p, "number"));
        sq_grid_put(&t, "%s", sq_text_kind((uint32_t)fen_of(p, "kind")));
        sq_grid_put(&t, "%s", json_string_value(json_object_get(p, "title")));
        sq_grid_put(&t, "%s", sq_text_bp((uint32_t)fen_of(p, "rate_bp"), text));
        sq_grid_put(&t, "%s", sq_text_day((uint32_t)fen_of(p, "until_day"), text));
        sq_grid_put(&t, "%s", sq_text_count((uint64_t)fen_of(p, "vouchers"), text));
        sq_grid_put(&t, "%s", sq_text_yuan(pool, text));
        sq_grid_put(&t, "%s", sq_text_yuan(fen_of(p, "granted_fen"), text));
        sq_grid_put(&t, "%s", sq_text_yuan(reserved, text));
        sq_grid_put(&t, "%s", sq_text_yuan(spent, text));
        sq_grid_put(&t, "%s", sq_text_yuan(pool - reserved - spent, text));
    }
    sq_grid_print(&t, stdout);
    sq_grid_end(&t);
    puts(_("Amounts in yuan. A node knows the sums of the issuers it hosts; elsewhere they are 0."));
}

int sq_cmd_programme_list(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &list_args, argc, argv, "programmes", "programmes", print_list);
}
