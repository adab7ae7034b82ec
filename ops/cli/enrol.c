/*
 * sanquan provider enrol, holder enrol, evaluator enrol: an operator makes organisations known to the node.
 *
 * Everything is checked here before anything is sent. Messages hold parties in ascending order, as the core demands; enrolling the
 * same party with the same keys again is no error, so a run that broke off is simply run again.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/names.h"
#include "ops/cli/session.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"

#define PARTIES_A_MESSAGE 4096u
#define FILES_MAX         4096u

enum { COL_USCC, COL_KEY, COL_TRANSPORT, COLUMNS };
static const struct sq_column columns[COLUMNS] = {
    [COL_USCC] = {"uscc", "统一社会信用代码", 1},
    [COL_KEY] = {"key", "公钥", 1},
    [COL_TRANSPORT] = {"transport_key", "传输公钥", 0},
};

struct party {
    char name[SQ_NAME_SIZE_MAX + 1];
    uint8_t key[SQ_KEY_SIZE], transport[SQ_KEY_SIZE];
    const char *file;
    uint64_t line; /* 0: a key file */
};

struct enrolment {
    const char *role; /* "provider:" */
    char *files[FILES_MAX];
    size_t file_count;
    struct party *parties;
    size_t count, capacity;
    struct sq_problems problems; /* of the file being read */
    uint64_t wrong;
    json_t *all_problems; /* of all files, for --json */
};

/* ---- options ---- */

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct enrolment *e = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (e->file_count == FILES_MAX)
            return sq_args_wrong(state, _("at most %u files go"), FILES_MAX);
        e->files[e->file_count++] = value;
        return 0;
    case ARGP_KEY_END:
        return e->file_count == 0 ? sq_args_wrong(state, _("say who: key files, or CSV files")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char more[] =
    N_("FILE is a key file (only its public half is read), or a CSV file with the columns\n"
       "  uscc           unified social credit code\n"
       "  key            public key (64 hexadecimal digits), or the path of a key file\n"
       "  transport_key  public transport key; left out when key is a path\n"
       "Names of columns may be Chinese: 统一社会信用代码, 公钥, 传输公钥. Nothing is sent when anything is wrong.\n"
       "\n"
       "  sanquan provider enrol providers.csv --connect 10.0.0.1:7310 --key zhang.key --directory directory.yaml\n"
       "  sanquan holder enrol holder.key\n"
       "  sanquan evaluator enrol evaluator.key");
static const struct sq_args provider_args = {
    NULL, parse, N_("FILE..."), N_("Enrol providers at your node. For its operators."), more, 1};
static const struct sq_args evaluator_args = {
    NULL, parse, N_("FILE..."), N_("Enrol evaluators of outcomes at your node. For its operators."), more, 1};
static const struct sq_args holder_args = {
    NULL, parse, N_("FILE..."), N_("Enrol holders at your node. For its operators."), more, 1};

/* ---- reading ---- */

static struct party *add(struct enrolment *e)
{
    if (e->count == e->capacity) {
        e->capacity = e->capacity == 0 ? 256 : e->capacity * 2;
        e->parties = sq_need(realloc(e->parties, e->capacity * sizeof *e->parties));
    }
    struct party *p = &e->parties[e->count++];
    *p = (struct party){0};
    return p;
}

static sq_status from_key_file(const char *path, const char *role, struct party *p, struct sq_error *err)
{
    struct sq_keys *keys;
    sq_status st = sq_keys_read_public(path, &keys, err);
    if (st != SQ_OK)
        return st;
    if (strncmp(keys->name, role, strlen(role)) != 0)
        st = sq_fail(err, SQ_E_USAGE, _("%s holds the keys of %s, not of a %.*s"), path, keys->name,
                     (int)strlen(role) - 1, role);
    memcpy(p->name, keys->name, sizeof p->name);
    memcpy(p->key, keys->public_key, SQ_KEY_SIZE);
    memcpy(p->transport, keys->transport_public, SQ_KEY_SIZE);
    sq_secret_free(keys);
    return st;
}

/* The two keys of a row: spelled out, or in a key file of the same name. */
static void read_keys(struct sq_cells *c, const char *role, struct party *p)
{
    const char *key = c->row->cell[COL_KEY], *transport = c->row->cell[COL_TRANSPORT];
    struct party other = {0};
    struct sq_error err = {0};
    if (strlen(key) != 2 * SQ_KEY_SIZE) {
        if (from_key_file(key, role, &other, &err) != SQ_OK)
            sq_cells_wrong(c, COL_KEY, _("neither 64 hexadecimal digits nor a key file: %s"), err.text);
        else if (strcmp(other.name, p->name) != 0)
            sq_cells_wrong(c, COL_KEY, _("that file holds the keys of %s"), other.name);
        memcpy(p->key, other.key, SQ_KEY_SIZE);
        memcpy(p->transport, other.transport, SQ_KEY_SIZE);
        return;
    }
    if (sq_unhex(key, p->key, SQ_KEY_SIZE, NULL) != SQ_OK || !sq_ed25519_key_ok(p->key))
        sq_cells_wrong(c, COL_KEY, _("not a usable Ed25519 key in lower-case hexadecimal"));
    if (sq_unhex(transport, p->transport, SQ_KEY_SIZE, NULL) != SQ_OK)
        sq_cells_wrong(c, COL_TRANSPORT, _("not 64 lower-case hexadecimal digits"));
}

static void read_row(struct enrolment *e, const struct sq_sheet *sheet, const struct sq_row *row)
{
    struct sq_cells c;
    struct party *p;
    if (!sq_cells_begin(&c, sheet, row, &e->problems))
        return;
    const char *uscc = sq_cell_uscc(&c, COL_USCC);
    if (c.bad)
        return;
    p = add(e);
    snprintf(p->name, sizeof p->name, "%s%s", e->role, uscc);
    p->file = sq_sheet_path(sheet);
    p->line = row->line;
    read_keys(&c, e->role, p);
}

static sq_status read_sheet(struct enrolment *e, const struct sq_cli *cli, const char *path, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    sq_status st = sq_sheet_open(path, columns, COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    sq_problems_begin(&e->problems, cli, path);
    while (sq_sheet_next(sheet, &row))
        read_row(e, sheet, &row);
    sq_problems_end(&e->problems);
    e->wrong += e->problems.count;
    json_array_extend(e->all_problems, e->problems.list);
    json_decref(e->problems.list);
    sq_sheet_close(sheet);
    return SQ_OK;
}

static int is_key_file(const char *path)
{
    char start[12] = "";
    FILE *f = fopen(path, "re");
    if (f != NULL && fread(start, 1, 11, f) != 11)
        start[0] = '\0';
    if (f != NULL)
        fclose(f);
    return strcmp(start, "sanquan-key") == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct party *)a)->name, ((const struct party *)b)->name);
}

static sq_status read_all(struct enrolment *e, const struct sq_cli *cli, struct sq_error *err)
{
    char why[SQ_WHY_SIZE];
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < e->file_count; i++) {
        if (!is_key_file(e->files[i])) {
            st = read_sheet(e, cli, e->files[i], err);
            continue;
        }
        struct party *p = add(e);
        p->file = e->files[i];
        st = from_key_file(e->files[i], e->role, p, err);
        if (st == SQ_OK && !sq_name_explain(p->name, why))
            st = sq_fail(err, SQ_E_FORMAT, "%s: %s: %s", e->files[i], p->name, why);
    }
    if (st == SQ_OK && e->wrong != 0)
        return sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was sent"), e->wrong);
    qsort(e->parties, e->count, sizeof *e->parties, by_name);
    for (size_t i = 1; st == SQ_OK && i < e->count; i++)
        if (strcmp(e->parties[i - 1].name, e->parties[i].name) == 0)
            st = sq_fail(err, SQ_E_FORMAT, _("%s stands twice: %s line %" PRIu64 " and %s line %" PRIu64),
                         e->parties[i].name, e->parties[i - 1].file, e->parties[i - 1].line, e->parties[i].file,
                         e->parties[i].line);
    return st == SQ_OK && e->count == 0 ? sq_fail(err, SQ_E_FORMAT, _("there is nobody in %s"), e->files[0]) : st;
}

/* ---- sending ---- */

static sq_status send_some(struct sq_session *s, struct party *from, size_t count, struct sq_error *err)
{
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party *party = sq_need(calloc(count, sizeof *party)), **list = sq_need(calloc(count, sizeof *list));
    sanquan__v1__enrol__init(&m);
    for (size_t i = 0; i < count; i++) {
        list[i] = &party[i];
        sanquan__v1__party__init(&party[i]);
        party[i].name = from[i].name;
        party[i].node = s->node->code;
        party[i].key = (ProtobufCBinaryData){SQ_KEY_SIZE, from[i].key};
        party[i].transport_key = (ProtobufCBinaryData){SQ_KEY_SIZE, from[i].transport};
    }
    m.parties = list;
    m.n_parties = count;
    sq_status st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base, NULL, err);
    free(list);
    free(party);
    return st;
}

static sq_status send_all(struct enrolment *e, const struct sq_cli *cli, struct sq_error *err)
{
    struct sq_session s;
    struct sq_bar bar;
    sq_status st = sq_session_open(cli, 1, &s, err);
    sq_bar_begin(&bar, cli, _("enrolling"), e->count);
    for (size_t at = 0; st == SQ_OK && at < e->count; at += PARTIES_A_MESSAGE) {
        size_t n = e->count - at < PARTIES_A_MESSAGE ? e->count - at : PARTIES_A_MESSAGE;
        st = send_some(&s, e->parties + at, n, err);
        sq_bar_at(&bar, at + n);
    }
    sq_bar_end(&bar);
    sq_session_close(&s);
    return st;
}

static int enrol(struct sq_cli *cli, int argc, char **argv, const char *role, const struct sq_args *args)
{
    struct enrolment *e = sq_need(calloc(1, sizeof *e));
    struct sq_error err = {0};
    char number[SQ_TEXT_SIZE];
    e->role = role;
    e->all_problems = sq_need(json_array());
    int code = sq_cli_parse(cli, args, argc, argv, e);
    if (code == SQ_PARSED) {
        sq_status st = read_all(e, cli, &err);
        if (st == SQ_OK)
            st = send_all(e, cli, &err);
        code = st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail_about(cli, &err, e->wrong != 0 ? e->all_problems : NULL);
        if (st == SQ_OK && cli->json)
            sq_cli_json(json_pack("{s:I}", "enrolled", (json_int_t)e->count));
        else if (st == SQ_OK)
            printf(_("%s enrolled\n"), sq_text_count(e->count, number));
    }
    json_decref(e->all_problems);
    free(e->parties);
    free(e);
    return code;
}

int sq_cmd_provider_enrol(struct sq_cli *cli, int argc, char **argv)
{
    return enrol(cli, argc, argv, "provider:", &provider_args);
}
int sq_cmd_holder_enrol(struct sq_cli *cli, int argc, char **argv)
{
    return enrol(cli, argc, argv, "holder:", &holder_args);
}
int sq_cmd_evaluator_enrol(struct sq_cli *cli, int argc, char **argv)
{
    return enrol(cli, argc, argv, "evaluator:", &evaluator_args);
}
