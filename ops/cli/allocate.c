/*
 * sanquan application assess, application allocate: what an office makes of applications, and who gets a voucher of what there is.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/session.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"

#define AMOUNT_MAX_FEN 10000000000000ll

struct programme {
    uint32_t issuer, number;
};

enum { KEY_PROGRAMME = 0x100, KEY_BUDGET, KEY_UNTIL, KEY_ASSESSED };

#define PROGRAMME_OPTION                                                                                               \
    {                                                                                                                  \
        "programme", KEY_PROGRAMME, N_("ISSUER/NUMBER"), 0, N_("under this programme"), 0                              \
    }

/* ---- assess ---- */

enum { APPLICATION, APPROVED_FEN, APPROVED_YUAN, SCORE, GRADE, VERDICT, COLUMNS };
static const struct sq_column columns[COLUMNS] = {[APPLICATION] = {"application", "申请编号", 1},
                                                  [APPROVED_FEN] = {"approved_fen", "核定金额分", 0},
                                                  [APPROVED_YUAN] = {"approved_yuan", "核定金额元", 0},
                                                  [SCORE] = {"score", "得分", 0},
                                                  [GRADE] = {"grade", "等级", 0},
                                                  [VERDICT] = {"verdict", "结论", 1}};

struct assessment {
    uint64_t application, line;
    int64_t approved_fen;
    uint32_t score, grade;
    uint8_t verdict;
};

struct assessing {
    struct programme p;
    const char *path;
    struct assessment *list;
    size_t count, capacity;
    struct sq_problems problems;
};

static error_t parse_assess(int key, char *value, struct argp_state *state)
{
    struct assessing *x = state->input;
    switch (key) {
    case KEY_PROGRAMME:
        return sq_args_take_programme(state, value, &x->p.issuer, &x->p.number);
    case ARGP_KEY_ARG:
        if (x->path != NULL)
            return ARGP_ERR_UNKNOWN;
        x->path = value;
        return 0;
    case ARGP_KEY_END:
        return x->path == NULL    ? sq_args_wrong(state, _("say which file"))
               : x->p.number == 0 ? sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER"))
                                  : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option assess_options[] = {PROGRAMME_OPTION, {0}};
static const struct sq_args assess_args = {
    assess_options,
    parse_assess,
    N_("FILE"),
    N_("Enter what was made of applications: eligible or not, score, grade, what was approved. For issuers."),
    N_("FILE is CSV with a header line, or JSON lines, with the columns\n"
       "  application 申请编号               number of the application\n"
       "  verdict 结论                       eligible or refused\n"
       "  score 得分, grade 等级             may be left out; grade 1 is the best\n"
       "  approved_yuan 核定金额元           what of the contract was approved; may be left out\n"
       "Assessing one again replaces what was said, until it is allocated. When anything is wrong nothing is sent.\n"
       "\n"
       "  sanquan application assess scores.csv --programme 310000/1 --key issuer.key"),
    1};

static void read_row(struct assessing *x, const struct sq_sheet *sheet, const struct sq_row *row)
{
    struct sq_cells c;
    struct assessment a = {.line = row->line};
    if (!sq_cells_begin(&c, sheet, row, &x->problems))
        return;
    a.application = sq_cell_number(&c, APPLICATION, 1, UINT32_MAX, 0);
    a.approved_fen = sq_cell_money(&c, APPROVED_FEN, APPROVED_YUAN, 0, AMOUNT_MAX_FEN, 0);
    a.score = (uint32_t)sq_cell_number(&c, SCORE, 0, UINT32_MAX, 0);
    a.grade = (uint32_t)sq_cell_number(&c, GRADE, 0, UINT32_MAX, 0);
    a.verdict = strcmp(row->cell[VERDICT], "eligible") == 0 ? 1 : strcmp(row->cell[VERDICT], "refused") == 0 ? 2 : 0;
    if (a.verdict == 0)
        sq_cells_wrong(&c, VERDICT, _("it is eligible or refused"));
    if (x->count == x->capacity) {
        x->capacity = x->capacity == 0 ? 1024 : x->capacity * 2;
        x->list = sq_need(realloc(x->list, x->capacity * sizeof *x->list));
    }
    x->list[x->count++] = a;
}

static int by_application(const void *a, const void *b)
{
    const struct assessment *x = a, *y = b;
    return x->application < y->application ? -1 : x->application > y->application;
}

static sq_status read_file(const struct sq_cli *cli, struct assessing *x, struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_row row;
    char number[24];
    sq_status st = sq_sheet_open(x->path, columns, COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    sq_problems_begin(&x->problems, cli, x->path);
    while (sq_sheet_next(sheet, &row))
        read_row(x, sheet, &row);
    sq_sheet_close(sheet);
    qsort(x->list, x->count, sizeof *x->list, by_application);
    for (size_t i = 1; i < x->count; i++)
        if (x->list[i].application == x->list[i - 1].application && x->list[i].application != 0) {
            snprintf(number, sizeof number, "%" PRIu64, x->list[i].application);
            sq_problems_add(&x->problems, x->list[i].line, columns[APPLICATION].name, number,
                            _("the application stands twice"));
        }
    sq_problems_end(&x->problems);
    if (x->problems.count != 0)
        return sq_fail(err, SQ_E_FORMAT, _("%" PRIu64 " problems, listed above; nothing was sent"), x->problems.count);
    return x->count != 0 ? SQ_OK : sq_fail(err, SQ_E_FORMAT, _("%s has no row to send"), x->path);
}

static sq_status send_some(struct sq_session *s, const struct programme *p, const struct assessment *from, size_t count,
                           struct sq_error *err)
{
    struct cells {
        uint64_t application[SQ_BATCH_ROWS_MAX];
        int64_t approved[SQ_BATCH_ROWS_MAX];
        uint32_t score[SQ_BATCH_ROWS_MAX], grade[SQ_BATCH_ROWS_MAX];
        uint8_t verdict[SQ_BATCH_ROWS_MAX];
    } *t = sq_need(malloc(sizeof *t));
    Sanquan__V1__Assess m;
    for (size_t i = 0; i < count; i++) {
        t->application[i] = from[i].application, t->approved[i] = from[i].approved_fen;
        t->score[i] = from[i].score, t->grade[i] = from[i].grade, t->verdict[i] = from[i].verdict;
    }
    sanquan__v1__assess__init(&m);
    m.issuer = p->issuer;
    m.programme = p->number;
    m.n_application = m.n_approved_fen = m.n_score = m.n_grade = count;
    m.application = t->application, m.approved_fen = t->approved, m.score = t->score, m.grade = t->grade;
    m.verdict = (ProtobufCBinaryData){count, t->verdict};
    sq_status st = sq_session_say(s, SANQUAN__V1__MESSAGE_TYPE__ASSESS, &m.base, NULL, err);
    free(t);
    return st;
}

int sq_cmd_application_assess(struct sq_cli *cli, int argc, char **argv)
{
    struct assessing x = {0};
    struct sq_session s = {.key_lock = -1};
    struct sq_error err = {0};
    char number[SQ_TEXT_SIZE];
    size_t sent = 0;
    int code = sq_cli_parse(cli, &assess_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sq_status st = read_file(cli, &x, &err);
    if (st == SQ_OK)
        st = sq_session_open(cli, 1, &s, &err);
    while (st == SQ_OK && sent < x.count) {
        size_t n = x.count - sent < SQ_BATCH_ROWS_MAX ? x.count - sent : SQ_BATCH_ROWS_MAX;
        st = send_some(&s, &x.p, x.list + sent, n, &err);
        sent += st == SQ_OK ? n : 0;
    }
    sq_session_close(&s);
    if (st != SQ_OK) {
        code = sq_cli_fail_about(cli, &err, x.problems.count != 0 ? x.problems.list : NULL);
        if (sent != 0)
            sq_cli_note(cli, _("The first %s rows were taken; the same command again does no harm."),
                        sq_text_count(sent, number));
    } else if (cli->json) {
        sq_cli_json(json_pack("{s:I}", "assessed", (json_int_t)sent));
    } else {
        printf(_("%s applications assessed\n"), sq_text_count(sent, number));
    }
    json_decref(x.problems.list);
    free(x.list);
    return st == SQ_OK ? SQ_EXIT_DONE : code;
}

/* ---- allocate ---- */

struct allocating {
    struct programme p;
    int64_t budget_fen; /* 0: what is left of the pool */
    uint32_t until_day;
    int assessed;
};

static error_t parse_allocate(int key, char *value, struct argp_state *state)
{
    struct allocating *x = state->input;
    switch (key) {
    case KEY_PROGRAMME:
        return sq_args_take_programme(state, value, &x->p.issuer, &x->p.number);
    case KEY_BUDGET:
        return sq_read_yuan(value, &x->budget_fen) && x->budget_fen > 0
                   ? 0
                   : sq_args_wrong(state, _("--budget %s: not an amount in yuan"), value);
    case KEY_UNTIL:
        return sq_read_day(value, &x->until_day) ? 0 : sq_args_wrong(state, _("--until %s: not a day"), value);
    case KEY_ASSESSED:
        x->assessed = 1;
        return 0;
    case ARGP_KEY_END:
        return x->p.number == 0    ? sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER"))
               : x->until_day == 0 ? sq_args_wrong(state, _("say the vouchers' last day: --until DAY"))
                                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option allocate_options[] = {
    PROGRAMME_OPTION,
    {"budget", KEY_BUDGET, N_("YUAN"), 0, N_("of this round; left out: what is left of the programme's pool"), 0},
    {"until", KEY_UNTIL, N_("DAY"), 0, N_("last day of the vouchers"), 0},
    {"assessed", KEY_ASSESSED, NULL, 0, N_("only those found eligible; the others stay open"), 0},
    {0},
};
static const struct sq_args allocate_args = {
    allocate_options,
    parse_allocate,
    NULL,
    N_("Grant what was applied for, as far as the money goes, in the order that the programme says: first come, "
       "earlier and smaller first (补早补小), by score, or everybody a part (pro rata). For issuers."),
    N_("Each open application is granted or refused, and closed. Nobody gets more than asked for, nor than rate or "
       "lump "
       "sum give. Who gets\n"
       "no answer looks with 'sanquan application' before saying it again: what was open is closed then.\n"
       "\n"
       "  sanquan application allocate --programme 310000/1 --budget 1000000 --until 2026-12-31 --assessed --key "
       "issuer.key"),
    1};

/* Those that are open: what the codes of the answer are about. */
static sq_status read_open(struct sq_session *s, const struct allocating *x, json_t *open, struct sq_error *err)
{
    int64_t after = 0;
    for (int more = 1; more;) {
        char path[60];
        json_t *page = NULL, *a;
        size_t i;
        snprintf(path, sizeof path, "applications/%06u/%u/%" PRId64, x->p.issuer, x->p.number, after);
        sq_status st = sq_session_ask(s, path, &page, err);
        if (st != SQ_OK)
            return st;
        json_array_foreach(json_object_get(page, "applications"), i, a)
        {
            const char *state = json_string_value(json_object_get(a, "state")),
                       *verdict = json_string_value(json_object_get(a, "verdict"));
            after = json_integer_value(json_object_get(a, "application"));
            if (strcmp(state, "open") == 0 && (!x->assessed || strcmp(verdict, "eligible") == 0) &&
                json_array_size(open) < SQ_BATCH_ROWS_MAX)
                json_array_append(open, a);
        }
        more = json_is_true(json_object_get(page, "more"));
        json_decref(page);
    }
    return SQ_OK;
}

static void print_refused(const json_t *list)
{
    const char *headers[] = {_("application"), _("holder"), _("refused because")};
    struct sq_grid g;
    size_t i;
    json_t *a;
    sq_grid_begin(&g, "rll", headers);
    json_array_foreach(list, i, a)
    {
        sq_grid_put(&g, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(a, "application")));
        sq_grid_put(&g, "%s", json_string_value(json_object_get(a, "holder")));
        sq_grid_put(&g, "%s", sq_text_status(json_string_value(json_object_get(a, "refusal"))));
    }
    if (json_array_size(list) != 0)
        sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

/* The answer has a code for each application that was open, ascending. */
static json_t *refused_of(const json_t *open, const Sanquan__V1__Answer *answer)
{
    json_t *list = sq_need(json_array());
    for (size_t i = 0; i < answer->code.len && i < json_array_size(open); i++) {
        const json_t *a = json_array_get(open, i);
        if (answer->code.data[i] != 0)
            json_array_append_new(list, json_pack("{s:O, s:O, s:s}", "application", json_object_get(a, "application"),
                                                  "holder", json_object_get(a, "holder"), "refusal",
                                                  sq_status_name(answer->code.data[i])));
    }
    return list;
}

static void print_round(const struct sq_cli *cli, const struct allocating *x, const json_t *open,
                        const Sanquan__V1__Answer *answer)
{
    char count[SQ_TEXT_SIZE], money[SQ_TEXT_SIZE], voucher[24] = "";
    json_t *refused = refused_of(open, answer);
    if (answer->number != 0)
        snprintf(voucher, sizeof voucher, "%019" PRIu64, answer->number);
    if (cli->json) {
        sq_cli_json(json_pack("{s:I, s:I, s:I, s:I, s:s, s:O}", "issuer", (json_int_t)x->p.issuer, "programme",
                              (json_int_t)x->p.number, "granted", (json_int_t)answer->count, "granted_fen",
                              (json_int_t)answer->amount_fen, "first_voucher", voucher, "refused", refused));
    } else {
        print_refused(refused);
        if (answer->count != 0)
            printf(_("%s vouchers granted, %s together; the first is %s\n"), sq_text_count(answer->count, count),
                   sq_text_money(answer->amount_fen, money), voucher);
        else
            puts(_("no voucher granted"));
    }
    json_decref(refused);
}

int sq_cmd_application_allocate(struct sq_cli *cli, int argc, char **argv)
{
    struct allocating x = {0};
    struct sq_session s;
    struct sq_client_answer a;
    struct sq_error err = {0};
    Sanquan__V1__Allocate m;
    int code = sq_cli_parse(cli, &allocate_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    json_t *open = sq_need(json_array());
    sanquan__v1__allocate__init(&m);
    m.issuer = x.p.issuer;
    m.programme = x.p.number;
    m.budget_fen = x.budget_fen;
    m.until_day = x.until_day;
    m.assessed = (uint32_t)x.assessed;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_lock(&s, &err); /* nobody closes any of those meanwhile */
    if (st == SQ_OK)
        st = read_open(&s, &x, open, &err);
    if (st == SQ_OK)
        st = sq_session_say(&s, SANQUAN__V1__MESSAGE_TYPE__ALLOCATE, &m.base, &a, &err);
    if (st == SQ_OK)
        print_round(cli, &x, open, a.answer);
    code = st != SQ_OK ? sq_cli_fail(cli, &err) : a.answer->code.len != 0 ? SQ_EXIT_REFUSED : SQ_EXIT_DONE;
    sq_session_close(&s);
    json_decref(open);
    return code;
}
