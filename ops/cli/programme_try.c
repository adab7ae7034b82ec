/*
 * sanquan programme try: what a programme file would decide about claims, without a node.
 *
 *   programme file, holders, claims are read whole -> vouchers are granted -> claims are decided in file order -> each with its reasons
 *
 * Everything is decided by the node's own core on an empty ledger in memory (trial.h). A column that is left out is filled with what
 * lets the other rules be seen: a holder and provider of the issuer's region, a fresh invoice as large as the base, a voucher that covers
 * all that is claimed from it, with the documents that a grant needs.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "ops/cli/explanation.h"
#include "ops/cli/text.h"
#include "ops/cli/trial.h"
#include "ops/common/programme_yaml.h"

#define TERMS_ARENA_SIZE (1u << 20)
#define FACE_MAX_FEN     10000000000000ll

/* Claims have the columns of `submit` and, behind them, these. */
enum { MORE_HOLDER, MORE_PROVIDER, MORE_HOLDER_FACTS, MORE_PROVIDER_FACTS, MORE_COLUMNS };
static const struct sq_column more_columns[MORE_COLUMNS] = {
    [MORE_HOLDER] = {"holder", "持券方", 0},
    [MORE_PROVIDER] = {"provider", "供应方", 0},
    [MORE_HOLDER_FACTS] = {"holder_facts", "持券方情况", 0},
    [MORE_PROVIDER_FACTS] = {"provider_facts", "供应方情况", 0},
};

struct claim {
    struct sq_item item;
    char holder[19], provider[19];
    struct sq_declared_facts holder_facts, provider_facts;
    int named; /* its voucher column says which */
};

struct grant {
    struct sq_trial_voucher v;
    struct sq_declared_facts holder_facts;
    uint64_t number; /* 0: refused, and `refused` says why */
    struct sq_error refused;
};

struct trying {
    const struct sq_cli *cli;
    const char *path, *claims_path, *holders_path;
    uint32_t day;   /* of the grants; 0: the first service day */
    int all_stages; /* as if all that is measured had come out well */
    Sanquan__V1__Programme *terms;
    struct claim *claims;
    struct grant *grants;
    size_t claim_count, grant_count;
    struct sq_problems problems;
    json_t *list;
    uint64_t accepted;
    int64_t accepted_fen;
};

/* ---- usage ---- */

enum { KEY_CLAIMS = 0x100, KEY_HOLDERS, KEY_DAY, KEY_ALL_STAGES };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct trying *t = state->input;
    switch (key) {
    case KEY_CLAIMS:
        t->claims_path = value;
        return 0;
    case KEY_HOLDERS:
        t->holders_path = value;
        return 0;
    case KEY_DAY:
        return sq_read_day(value, &t->day)
                   ? 0
                   : sq_args_wrong(state, _("--grant-day %s: a day goes here, as 2026-09-01"), value);
    case KEY_ALL_STAGES:
        t->all_stages = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (t->path != NULL)
            return ARGP_ERR_UNKNOWN;
        t->path = value;
        return 0;
    case ARGP_KEY_END:
        return t->path == NULL          ? sq_args_wrong(state, _("say which programme file"))
               : t->claims_path == NULL ? sq_args_wrong(state, _("say which claims: --claims CSV"))
                                        : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"claims", KEY_CLAIMS, N_("CSV"), 0, N_("claims to be decided, in this order"), 0},
    {"holders", KEY_HOLDERS, N_("CSV"), 0,
     N_("vouchers to be granted before; otherwise each holder has one that is large enough"), 0},
    {"all-stages", KEY_ALL_STAGES, NULL, 0,
     N_("as if every stage were free; without it only what the grant itself sets free can be claimed"), 0},
    {"grant-day", KEY_DAY, N_("DAY"), 0, N_("day of the grants (the first service day of the claims)"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("FILE"),
    N_("Show what a programme file would decide about claims, rule by rule. Needs no node; nothing is sent or kept."),
    N_("Claims have the columns of 'sanquan submit'. Needed are only amount_yuan, base_yuan and service_day; and there "
       "are more:\n"
       "  holder 持券方, provider 供应方           left out: one of each, in the issuer's region\n"
       "  holder_facts, provider_facts          what is known of them: region=310115; sector=6513; pflops=200\n"
       "HOLDERS has a voucher a line, with the columns of 'sanquan grant' and holder_facts; all but holder may be left "
       "out. A claim names\n"
       "its voucher by number or takes its holder's first. Each claim is decided at noon of its service day, or of the "
       "last\n"
       "one before it that is later.\n"
       "Not shown: measurements and grades that set stages free or take back (see --all-stages), applications and who "
       "is granted what of\n"
       "a pool that is short, agreements with other regions and what they bear (every provider stands at the issuer's "
       "own node), caps\n"
       "between regions, other programmes that this one goes or does not go with, and credit notes.\n"
       "The exit code is 0 when all is accepted, 1 when something is refused, 2 when a file is wrong.\n"
       "\n"
       "  sanquan programme try compute.yaml --claims claims.csv\n"
       "  sanquan programme try compute.yaml --claims claims.csv --holders holders.csv --json"),
    0};

/* ---- reading ---- */

/* Room for one more; `size` of an element, count as it is. */
static void *grown(void *list, size_t count, size_t size)
{
    return count != 0 && (count & (count - 1)) != 0 ? list
                                                    : sq_need(realloc(list, (count == 0 ? 1 : 2 * count) * size));
}

static unsigned batch_column(const char *name)
{
    unsigned i = 0;
    while (strcmp(SQ_BATCH_COLUMNS[i].name, name) != 0)
        i++;
    return i;
}

static void fill(struct sq_row *row, const char *name, const char *value)
{
    const char **cell = &row->cell[batch_column(name)];
    *cell = **cell == '\0' ? value : *cell;
}

static void copy_code(struct sq_cells *c, unsigned column, char out[static 19], uint32_t issuer, uint32_t n)
{
    sq_trial_code(issuer, n, out);
    if (*c->row->cell[column] != '\0')
        snprintf(out, 19, "%s", sq_cell_uscc(c, column));
}

static void read_claim(struct trying *t, const struct sq_sheet *sheet, struct sq_row *row)
{
    char voucher[24], invoice[24], service[12];
    struct claim claim = {0};
    struct sq_cells c;
    unsigned more = SQ_BATCH_COLUMN_COUNT;
    uint64_t programme = (uint64_t)t->terms->issuer * 10000 + t->terms->number;
    claim.named = *row->cell[batch_column("voucher")] != '\0';
    snprintf(voucher, sizeof voucher, "%" PRIu64, programme * 1000000000u + 1);
    snprintf(invoice, sizeof invoice, "2600%016" PRIu64, row->line);
    snprintf(service, sizeof service, "%u", t->terms->n_services != 0 ? t->terms->services[0] : 1);
    fill(row, "voucher", voucher);
    fill(row, "invoice", invoice);
    fill(row, "service", service);
    if (*row->cell[batch_column("invoice_total_fen")] == '\0' &&
        *row->cell[batch_column("invoice_total_yuan")] == '\0') {
        fill(row, "invoice_total_fen", row->cell[batch_column("base_fen")]);
        fill(row, "invoice_total_yuan", row->cell[batch_column("base_yuan")]);
    }
    if (!sq_item_read(sheet, row, &t->problems, &claim.item) || !sq_cells_begin(&c, sheet, row, &t->problems))
        return;
    copy_code(&c, more + MORE_HOLDER, claim.holder, t->terms->issuer, 1);
    copy_code(&c, more + MORE_PROVIDER, claim.provider, t->terms->issuer, 2);
    sq_cell_facts(&c, more + MORE_HOLDER_FACTS, &claim.holder_facts);
    sq_cell_facts(&c, more + MORE_PROVIDER_FACTS, &claim.provider_facts);
    t->claims = grown(t->claims, t->claim_count, sizeof *t->claims);
    t->claims[t->claim_count++] = claim;
}

/* The holder's own facts stand behind what the voucher is granted on. */
static void read_holder(struct trying *t, const struct sq_sheet *sheet, struct sq_row *row)
{
    struct grant g = {0};
    struct sq_cells c;
    if (!sq_cells_begin(&c, sheet, row, &t->problems))
        return;
    sq_voucher_read(&c, 0, &g.v.row, &g.v.facts);
    sq_cell_facts(&c, SQ_VOUCHER_COLUMN_COUNT, &g.holder_facts);
    t->grants = grown(t->grants, t->grant_count, sizeof *t->grants);
    t->grants[t->grant_count++] = g;
}

static sq_status read_sheet(struct trying *t, const char *path, const struct sq_column *columns, unsigned count,
                            void (*read)(struct trying *t, const struct sq_sheet *sheet, struct sq_row *row),
                            struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    sq_status st = sq_sheet_open(path, columns, count, &sheet, err);
    if (st != SQ_OK)
        return st;
    sq_problems_begin(&t->problems, t->cli, path);
    while (sq_sheet_next(sheet, &row))
        read(t, sheet, &row);
    sq_sheet_close(sheet);
    sq_problems_end(&t->problems);
    if (t->problems.count == 0)
        json_decref(t->problems.list);
    return t->problems.count == 0
               ? SQ_OK
               : sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was tried"),
                         t->problems.count);
}

static sq_status read_claims(struct trying *t, struct sq_error *err)
{
    struct sq_column columns[SQ_SHEET_COLUMNS_MAX] = {{0}};
    unsigned count = SQ_BATCH_COLUMN_COUNT;
    SQ_ASSERT(count + MORE_COLUMNS <= SQ_SHEET_COLUMNS_MAX);
    memcpy(columns, SQ_BATCH_COLUMNS, count * sizeof *columns);
    memcpy(columns + count, more_columns, sizeof more_columns);
    columns[batch_column("voucher")].needed = 0;
    sq_status st = read_sheet(t, t->claims_path, columns, count + MORE_COLUMNS, read_claim, err);
    return st != SQ_OK           ? st
           : t->claim_count != 0 ? SQ_OK
                                 : sq_fail(err, SQ_E_FORMAT, _("%s has no claim"), t->claims_path);
}

static sq_status read_holders(struct trying *t, struct sq_error *err)
{
    struct sq_column columns[SQ_SHEET_COLUMNS_MAX] = {{0}};
    SQ_ASSERT(SQ_VOUCHER_COLUMN_COUNT + 1 <= SQ_SHEET_COLUMNS_MAX);
    sq_voucher_columns(columns, 0);
    columns[SQ_VOUCHER_COLUMN_COUNT] = more_columns[MORE_HOLDER_FACTS];
    return read_sheet(t, t->holders_path, columns, SQ_VOUCHER_COLUMN_COUNT + 1, read_holder, err);
}

/* ---- vouchers ---- */

static struct grant *grant_of(struct trying *t, const char *holder)
{
    for (size_t i = 0; i < t->grant_count; i++)
        if (strcmp(t->grants[i].v.row.holder, holder) == 0)
            return &t->grants[i];
    return NULL;
}

/* What no file says of a voucher. */
static void complete(const struct trying *t, struct sq_trial_voucher *v)
{
    int64_t asked = 0;
    for (size_t i = 0; i < t->claim_count; i++)
        if (strcmp(t->claims[i].holder, v->row.holder) == 0 && asked < FACE_MAX_FEN - t->claims[i].item.amount_fen)
            asked += t->claims[i].item.amount_fen;
    v->row.face_fen = v->row.face_fen != 0 ? v->row.face_fen : asked != 0 ? asked : 1;
    if (v->row.until_day == 0)
        v->row.until_day =
            t->terms->validity_days != 0 ? sq_day_add(t->day, (int32_t)t->terms->validity_days) : t->terms->until_day;
    for (size_t i = 0; v->row.documents == 0 && i < t->terms->n_grant_documents; i++)
        v->row.documents |= 1u << (t->terms->grant_documents[i] - 1);
}

static sq_status grant_all(struct trying *t, struct sq_trial *trial, struct sq_error *err)
{
    for (size_t i = 0; t->holders_path == NULL && i < t->claim_count; i++)
        if (grant_of(t, t->claims[i].holder) == NULL) {
            t->grants = grown(t->grants, t->grant_count, sizeof *t->grants);
            t->grants[t->grant_count] = (struct grant){.holder_facts = t->claims[i].holder_facts};
            memcpy(t->grants[t->grant_count++].v.row.holder, t->claims[i].holder, sizeof t->claims[i].holder);
        }
    for (size_t i = 0; i < t->grant_count; i++) {
        struct grant *g = &t->grants[i];
        complete(t, &g->v);
        sq_status st = sq_trial_state(trial, g->v.row.holder, &g->holder_facts, err);
        if (st != SQ_OK)
            return sq_fail_context(err, st, "%s", g->v.row.holder);
        st = sq_trial_grant(trial, &g->v, t->day, &g->number, &g->refused);
        if (st != SQ_OK && sq_cli_exit_of(st) != SQ_EXIT_REFUSED)
            return sq_fail(err, st, "%s", g->refused.text);
    }
    return SQ_OK;
}

/* ---- deciding and showing ---- */

static void show_claim(struct trying *t, const struct claim *c, const struct sq_explain *why)
{
    char day[SQ_TEXT_SIZE], voucher[24];
    if (!t->cli->json) {
        printf(_("line %" PRIu64 ", voucher %" PRIu64 ", service day %s: "), c->item.line, c->item.voucher,
               sq_text_day(c->item.service_day, day));
        sq_explanation_print(why);
        putchar('\n');
        return;
    }
    json_t *o = sq_explanation_json(why);
    snprintf(voucher, sizeof voucher, "%" PRIu64, c->item.voucher);
    json_object_update_new(
        o, sq_need(json_pack("{s:I, s:s, s:s, s:s, s:i}", "line", (json_int_t)c->item.line, "voucher", voucher,
                             "holder", c->holder, "provider", c->provider, "service_day", (int)c->item.service_day)));
    json_array_append_new(t->list, o);
}

static sq_status decide_all(struct trying *t, struct sq_trial *trial, struct sq_error *err)
{
    struct sq_explain *why = sq_need(malloc(sizeof *why));
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < t->claim_count; i++) {
        struct claim *c = &t->claims[i];
        const struct grant *g = grant_of(t, c->holder);
        if (!c->named)
            c->item.voucher = g != NULL && g->number != 0
                                  ? g->number
                                  : c->item.voucher / 1000000000u * 1000000000u + 999999999u; /* none such */
        if ((st = sq_trial_state(trial, c->provider, &c->provider_facts, err)) == SQ_OK &&
            (t->holders_path == NULL || (st = sq_trial_state(trial, c->holder, &c->holder_facts, err)) == SQ_OK))
            st = sq_trial_claim(trial, c->provider, &c->item, why, err);
        if (st != SQ_OK)
            st = sq_fail_context(err, st, "%s:%" PRIu64, t->claims_path, c->item.line);
        else
            show_claim(t, c, why);
        t->accepted += st == SQ_OK && why->status == SQ_OK;
        t->accepted_fen += st == SQ_OK && why->status == SQ_OK ? c->item.amount_fen : 0;
    }
    free(why);
    return st;
}

static json_t *grants_json(const struct trying *t)
{
    json_t *list = sq_need(json_array());
    char voucher[24];
    for (size_t i = 0; i < t->grant_count; i++) {
        const struct grant *g = &t->grants[i];
        snprintf(voucher, sizeof voucher, "%" PRIu64, g->number);
        json_array_append_new(
            list,
            sq_need(json_pack("{s:s, s:s, s:I, s:b, s:s, s:s}", "holder", g->v.row.holder, "voucher", voucher,
                              "face_fen", (json_int_t)g->v.row.face_fen, "granted", g->number != 0, "status",
                              sq_status_name(g->number != 0 ? SQ_OK : g->refused.status), "detail", g->refused.text)));
    }
    return list;
}

static size_t print_grants(const struct trying *t)
{
    size_t refused = 0;
    for (size_t i = 0; i < t->grant_count; i++) {
        const struct grant *g = &t->grants[i];
        refused += g->number == 0;
        if (g->number == 0 && !t->cli->json)
            printf(_("no voucher for %s: %s: %s\n\n"), g->v.row.holder, _(sq_status_text(g->refused.status)),
                   g->refused.text);
    }
    return refused;
}

static uint32_t first_service_day(const struct trying *t)
{
    uint32_t day = t->claims[0].item.service_day;
    for (size_t i = 1; i < t->claim_count; i++)
        day = t->claims[i].item.service_day < day ? t->claims[i].item.service_day : day;
    return day;
}

static sq_status try_all(struct trying *t, size_t *refused, struct sq_error *err)
{
    struct sq_arena arena = {0};
    struct sq_trial *trial = NULL;
    sq_status st = sq_arena_init(&arena, TERMS_ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_programme_read(t->path, &arena, &t->terms, err);
    if (st == SQ_OK && t->all_stages)
        t->terms->n_stages = t->terms->n_verdicts = t->terms->evaluators =
            0; /* the whole face is free from the grant on */
    if (st == SQ_OK && t->holders_path != NULL)
        st = read_holders(t, err);
    if (st == SQ_OK)
        st = read_claims(t, err);
    if (st == SQ_OK && t->day == 0)
        t->day = first_service_day(t);
    if (st == SQ_OK)
        st = sq_trial_new(t->terms, t->day, &trial, err);
    if (st == SQ_OK)
        st = grant_all(t, trial, err);
    if (st == SQ_OK) {
        *refused = print_grants(t);
        st = decide_all(t, trial, err);
        *refused += t->claim_count - t->accepted;
    }
    sq_trial_free(trial);
    sq_arena_free(&arena);
    return st;
}

static void print_sum(const struct trying *t)
{
    char all[SQ_TEXT_SIZE], accepted[SQ_TEXT_SIZE], money[SQ_TEXT_SIZE];
    if (t->cli->json)
        sq_cli_json(json_pack("{s:o, s:O, s:I, s:I, s:I}", "grants", grants_json(t), "claims", t->list, "accepted",
                              (json_int_t)t->accepted, "accepted_fen", (json_int_t)t->accepted_fen, "refused",
                              (json_int_t)(t->claim_count - t->accepted)));
    else
        printf(_("%s claims: %s accepted (%s)\n"), sq_text_count(t->claim_count, all),
               sq_text_count(t->accepted, accepted), sq_text_money(t->accepted_fen, money));
}

int sq_cmd_programme_try(struct sq_cli *cli, int argc, char **argv)
{
    struct trying t = {.cli = cli};
    struct sq_error err = {0};
    size_t refused = 0;
    int code = sq_cli_parse(cli, &args, argc, argv, &t);
    if (code != SQ_PARSED)
        return code;
    t.list = sq_need(json_array());
    sq_status st = try_all(&t, &refused, &err);
    if (st == SQ_OK)
        print_sum(&t);
    code = st == SQ_OK ? (refused != 0 ? SQ_EXIT_REFUSED : SQ_EXIT_DONE)
                       : sq_cli_fail_about(cli, &err, t.problems.count != 0 ? t.problems.list : NULL);
    if (t.problems.count != 0)
        json_decref(t.problems.list);
    json_decref(t.list);
    free(t.claims);
    free(t.grants);
    return code;
}
