/*
 * sanquan mandate: a holder allows providers to draw on its vouchers. sanquan revoke: an issuer takes vouchers back.
 *
 * Both say what shall be, not what shall be added: said again they change nothing, so a run that broke off is simply run again.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/session.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"

#define LIMIT_MAX_FEN 10000000000000ll
#define ARGUMENTS_MAX 4096u

/* ---- mandate ---- */

enum { VOUCHER, PROVIDER, LIMIT_FEN, LIMIT_YUAN, UNTIL, COLUMNS };
static const struct sq_column columns[COLUMNS] = {
    [VOUCHER] = {"voucher", "券号", 1},       [PROVIDER] = {"provider", "服务商", 1},
    [LIMIT_FEN] = {"limit_fen", "限额分", 0}, [LIMIT_YUAN] = {"limit_yuan", "限额元", 0},
    [UNTIL] = {"until", "授权至", 1},
};

struct mandate {
    char provider[19];
    uint64_t voucher, until_ms, line;
    int64_t limit_fen;
};

struct mandates {
    const char *path;
    struct mandate *row;
    size_t count, capacity;
    struct sq_problems problems;
};

static error_t parse_mandate(int key, char *value, struct argp_state *state)
{
    struct mandates *m = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (m->path != NULL)
            return ARGP_ERR_UNKNOWN;
        m->path = value;
        return 0;
    case ARGP_KEY_END:
        return m->path == NULL ? sq_args_wrong(state, _("say which file of mandates")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct sq_args mandate_args = {
    NULL,
    parse_mandate,
    N_("FILE"),
    N_("Allow providers to redeem from your vouchers. For holders, at the node of the vouchers' issuer."),
    N_("FILE is CSV with a header line, or JSON lines, with the columns\n"
       "  voucher 券号                       19 digits\n"
       "  provider 服务商                    unified social credit code\n"
       "  limit_yuan 限额元, or limit_fen    most that the provider may draw, ever; 0 stops it\n"
       "  until 授权至                       last day (2026-12-31), or moment (2026-12-31 17:00)\n"
       "A new limit replaces an earlier one. When anything is wrong nothing is sent.\n"
       "\n"
       "  sanquan mandate mandates.csv --node 310000 --key holder.key"),
    1};

static void read_mandate(struct mandates *m, const struct sq_sheet *sheet, const struct sq_row *row)
{
    struct sq_cells c;
    struct mandate v = {.line = row->line};
    if (!sq_cells_begin(&c, sheet, row, &m->problems))
        return;
    v.voucher = sq_cell_voucher(&c, VOUCHER);
    strncat(v.provider, sq_cell_uscc(&c, PROVIDER), 18);
    v.limit_fen = sq_cell_money(&c, LIMIT_FEN, LIMIT_YUAN, 0, LIMIT_MAX_FEN, -1);
    v.until_ms = sq_cell_moment(&c, UNTIL);
    if (m->count == m->capacity) {
        m->capacity = m->capacity == 0 ? 1024 : m->capacity * 2;
        m->row = sq_need(realloc(m->row, m->capacity * sizeof *m->row));
    }
    m->row[m->count++] = v;
}

static int by_provider_and_voucher(const void *a, const void *b)
{
    const struct mandate *x = a, *y = b;
    int provider = strcmp(x->provider, y->provider);
    return provider != 0             ? provider
           : x->voucher < y->voucher ? -1
           : x->voucher > y->voucher ? 1
           : x->line < y->line       ? -1
                                     : 1;
}

static void find_repeated(struct mandates *m)
{
    char number[24];
    for (size_t i = 1; i < m->count; i++)
        if (m->row[i - 1].voucher == m->row[i].voucher && strcmp(m->row[i - 1].provider, m->row[i].provider) == 0) {
            snprintf(number, sizeof number, "%" PRIu64, m->row[i].voucher);
            sq_problems_add(&m->problems, m->row[i].line, columns[VOUCHER].name, number,
                            _("this provider has a mandate for it on line %" PRIu64 " already"), m->row[i - 1].line);
        }
}

static sq_status read_mandates(struct mandates *m, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    sq_status st = sq_sheet_open(m->path, columns, COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    while (sq_sheet_next(sheet, &row))
        read_mandate(m, sheet, &row);
    sq_sheet_close(sheet);
    if (m->problems.count == 0 && m->count != 0) {
        qsort(m->row, m->count, sizeof *m->row, by_provider_and_voucher);
        find_repeated(m);
    }
    sq_problems_end(&m->problems);
    if (m->problems.count != 0)
        return sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was sent"), m->problems.count);
    return m->count != 0 ? SQ_OK : sq_fail(err, SQ_E_FORMAT, _("%s has no row to send"), m->path);
}

/* Rows from `at` on that go into one message: one provider's, at most as many as a message takes. */
static size_t message_rows(const struct mandates *m, size_t at)
{
    size_t n = 1;
    while (at + n < m->count && n < SQ_BATCH_ROWS_MAX && strcmp(m->row[at].provider, m->row[at + n].provider) == 0)
        n++;
    return n;
}

static sq_status send_mandate(struct sq_session *s, struct mandate *row, size_t n, struct sq_error *err)
{
    Sanquan__V1__Mandate m;
    uint64_t *voucher = sq_need(malloc(n * sizeof *voucher)), *until = sq_need(malloc(n * sizeof *until));
    int64_t *limit = sq_need(malloc(n * sizeof *limit));
    for (size_t i = 0; i < n; i++)
        voucher[i] = row[i].voucher, until[i] = row[i].until_ms, limit[i] = row[i].limit_fen;
    sanquan__v1__mandate__init(&m);
    m.provider = row->provider;
    m.n_voucher = m.n_limit_fen = m.n_until_ms = n;
    m.voucher = voucher;
    m.limit_fen = limit;
    m.until_ms = until;
    sq_status st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base, NULL, err);
    free(voucher);
    free(until);
    free(limit);
    return st == SQ_OK ? SQ_OK : sq_fail_context(err, st, _("mandate for %s"), row->provider);
}

static sq_status send_mandates(struct mandates *m, const struct sq_cli *cli, uint64_t *sent, struct sq_error *err)
{
    struct sq_session s;
    struct sq_bar bar;
    sq_status st = sq_session_open(cli, 1, &s, err);
    sq_bar_begin(&bar, cli, _("sending mandates"), m->count);
    while (st == SQ_OK && *sent < m->count) {
        size_t n = message_rows(m, *sent);
        st = send_mandate(&s, m->row + *sent, n, err);
        if (st == SQ_OK)
            sq_bar_at(&bar, *sent += n);
    }
    sq_bar_end(&bar);
    sq_session_close(&s);
    return st;
}

int sq_cmd_mandate(struct sq_cli *cli, int argc, char **argv)
{
    struct mandates m = {.path = NULL};
    struct sq_error err = {0};
    uint64_t sent = 0;
    char text[SQ_TEXT_SIZE];
    int code = sq_cli_parse(cli, &mandate_args, argc, argv, &m);
    if (code != SQ_PARSED)
        return code;
    sq_problems_begin(&m.problems, cli, m.path);
    sq_status st = read_mandates(&m, &err);
    if (st == SQ_OK)
        st = send_mandates(&m, cli, &sent, &err);
    if (st != SQ_OK && sent != 0)
        sq_cli_note(cli, _("%s mandates are in force; the same command again sends all of them"),
                    sq_text_count(sent, text));
    code = st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail_about(cli, &err, m.problems.count != 0 ? m.problems.list : NULL);
    if (st == SQ_OK && cli->json)
        sq_cli_json(json_pack("{s:I}", "mandates", (json_int_t)m.count));
    else if (st == SQ_OK)
        printf(_("%s mandates in force\n"), sq_text_count(m.count, text));
    json_decref(m.problems.list);
    free(m.row);
    return code;
}

/* ---- revoke ---- */

static const struct sq_column revoke_columns[] = {{"voucher", "券号", 1},
                                                  {"holder", "持券方", 0},
                                                  {"face_fen", "面额分", 0},
                                                  {"face_yuan", "面额元", 0},
                                                  {"until_day", "有效期至", 0}};
#define REVOKE_COLUMNS (sizeof revoke_columns / sizeof *revoke_columns)

struct revocation {
    char *argument[ARGUMENTS_MAX];
    size_t argument_count;
    uint64_t *voucher;
    size_t count, capacity;
    struct sq_problems problems;
};

static error_t parse_revoke(int key, char *value, struct argp_state *state)
{
    struct revocation *r = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (r->argument_count == ARGUMENTS_MAX)
            return sq_args_wrong(state, _("at most %u go; put more into a file"), ARGUMENTS_MAX);
        r->argument[r->argument_count++] = value;
        return 0;
    case ARGP_KEY_END:
        return r->argument_count == 0 ? sq_args_wrong(state, _("say which vouchers, or files of them")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct sq_args revoke_args = {
    NULL,
    parse_revoke,
    N_("VOUCHER|FILE..."),
    N_("Revoke vouchers: what is spent stays spent, nothing more can be. For issuers, at their node."),
    N_("VOUCHER is a number of 19 digits; FILE is CSV or JSON lines with the column voucher (券号), such as `grant` "
       "writes.\n"
       "\n"
       "  sanquan revoke 3100000001000000017 --key issuer.key"),
    1};

static void add_voucher(struct revocation *r, uint64_t voucher)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity == 0 ? 1024 : r->capacity * 2;
        r->voucher = sq_need(realloc(r->voucher, r->capacity * sizeof *r->voucher));
    }
    r->voucher[r->count++] = voucher;
}

static sq_status read_revoked(struct revocation *r, const char *path, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    struct sq_cells c;
    sq_status st = sq_sheet_open(path, revoke_columns, REVOKE_COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    r->problems.path = path;
    while (sq_sheet_next(sheet, &row))
        if (sq_cells_begin(&c, sheet, &row, &r->problems))
            add_voucher(r, sq_cell_voucher(&c, 0));
    sq_sheet_close(sheet);
    return SQ_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static sq_status read_arguments(struct revocation *r, struct sq_error *err)
{
    uint64_t number;
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < r->argument_count; i++)
        if (strlen(r->argument[i]) == 19 && sq_read_number(r->argument[i], &number))
            add_voucher(r, number);
        else
            st = read_revoked(r, r->argument[i], err);
    sq_problems_end(&r->problems);
    if (st == SQ_OK && r->problems.count != 0)
        return sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was sent"), r->problems.count);
    if (st != SQ_OK || r->count == 0)
        return st != SQ_OK ? st : sq_fail(err, SQ_E_FORMAT, _("%s has no row to send"), r->argument[0]);
    qsort(r->voucher, r->count, sizeof *r->voucher, by_number);
    size_t distinct = 1;
    for (size_t i = 1; i < r->count; i++)
        if (r->voucher[i] != r->voucher[i - 1])
            r->voucher[distinct++] = r->voucher[i];
    r->count = distinct;
    return SQ_OK;
}

static sq_status send_revocations(struct revocation *r, const struct sq_cli *cli, struct sq_error *err)
{
    struct sq_session s;
    Sanquan__V1__Revoke m;
    sq_status st = sq_session_open(cli, 1, &s, err);
    for (size_t at = 0; st == SQ_OK && at < r->count; at += m.n_voucher) {
        sanquan__v1__revoke__init(&m);
        m.voucher = r->voucher + at;
        m.n_voucher = r->count - at < SQ_BATCH_ROWS_MAX ? r->count - at : SQ_BATCH_ROWS_MAX;
        st = sq_session_say(&s, SANQUAN__V1__MESSAGE_TYPE__REVOKE, &m.base, NULL, err);
    }
    sq_session_close(&s);
    return st;
}

int sq_cmd_revoke(struct sq_cli *cli, int argc, char **argv)
{
    struct revocation *r = sq_need(calloc(1, sizeof *r));
    struct sq_error err = {0};
    char text[SQ_TEXT_SIZE];
    int code = sq_cli_parse(cli, &revoke_args, argc, argv, r);
    if (code == SQ_PARSED) {
        sq_problems_begin(&r->problems, cli, "");
        sq_status st = read_arguments(r, &err);
        if (st == SQ_OK)
            st = send_revocations(r, cli, &err);
        code =
            st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail_about(cli, &err, r->problems.count != 0 ? r->problems.list : NULL);
        if (st == SQ_OK && cli->json)
            sq_cli_json(json_pack("{s:I}", "revoked", (json_int_t)r->count));
        else if (st == SQ_OK)
            printf(_("%s vouchers revoked\n"), sq_text_count(r->count, text));
        json_decref(r->problems.list);
    }
    free(r->voucher);
    free(r);
    return code;
}
