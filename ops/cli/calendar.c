/*
 * sanquan calendar: a year's holidays, and the Saturdays and Sundays worked instead, from a file; deadlines of cases count by them.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "ops/cli/session.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"

enum { DAY, WORKS, COLUMNS };
static const struct sq_column columns[COLUMNS] = {
    [DAY] = {"day", "日期", 1},
    [WORKS] = {"works", "上班", 1},
};

#define DAYS_MAX 366u

struct calendar {
    uint32_t year;
    uint32_t off[DAYS_MAX], work[DAYS_MAX];
    size_t off_count, work_count;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    const char **path = state->input;
    if (key == ARGP_KEY_ARG && *path == NULL) {
        *path = value;
        return 0;
    }
    if (key == ARGP_KEY_END && *path == NULL)
        return sq_args_wrong(state, _("say which file"));
    return ARGP_ERR_UNKNOWN;
}

static const struct sq_args args = {
    NULL,
    parse,
    N_("FILE"),
    N_("Tell the node which days of a year are not as their weekday says. For an operator."),
    N_("The file: a table (CSV or JSON lines) with the columns day 日期 and works 上班 (yes or no), of one year; a "
       "holiday says no, a\n"
       "Saturday or Sunday that is worked says yes. It replaces what was said of the year; deadlines that were set "
       "stay.\n"
       "\n"
       "  sanquan calendar ops/calendar/2026.csv --key zhang.key"),
    1};

/* Inserted in ascending order; 0 when it is there already. */
static int insert(uint32_t *days, size_t *count, uint32_t day)
{
    size_t at = *count;
    for (; at > 0 && days[at - 1] > day; at--)
        ;
    if (at > 0 && days[at - 1] == day)
        return 0;
    memmove(days + at + 1, days + at, (*count - at) * sizeof *days);
    days[at] = day;
    ++*count;
    return 1;
}

static void read_row(struct calendar *k, const struct sq_sheet *sheet, const struct sq_row *row,
                     struct sq_problems *problems)
{
    struct sq_cells c;
    if (!sq_cells_begin(&c, sheet, row, problems))
        return;
    uint32_t day = sq_cell_day(&c, DAY);
    int yes = strcmp(row->cell[WORKS], "yes") == 0, no = strcmp(row->cell[WORKS], "no") == 0;
    if (!yes && !no)
        sq_cells_wrong(&c, WORKS, _("it is yes or no"));
    if (c.bad)
        return;
    if (k->year != 0 && day / 10000 != k->year)
        sq_cells_wrong(&c, DAY, _("not of %u, like the days before it"), k->year);
    else if (k->off_count + k->work_count == DAYS_MAX ||
             !insert(yes ? k->work : k->off, yes ? &k->work_count : &k->off_count, day))
        sq_cells_wrong(&c, DAY, _("the day is there already"));
    else
        k->year = day / 10000;
}

/* The days, or what is wrong with the file (*problems then has a list). */
static sq_status read_file(const struct sq_cli *cli, const char *path, struct calendar *k, json_t **list,
                           struct sq_error *err)
{
    struct sq_sheet *sheet;
    struct sq_problems problems;
    struct sq_row row;
    sq_status st = sq_sheet_open(path, columns, COLUMNS, &sheet, err);
    if (st != SQ_OK)
        return st;
    sq_problems_begin(&problems, cli, path);
    while (sq_sheet_next(sheet, &row))
        read_row(k, sheet, &row, &problems);
    sq_problems_end(&problems);
    *list = problems.list;
    sq_sheet_close(sheet);
    if (problems.count != 0)
        return sq_fail(err, SQ_E_FORMAT, _("%s: %" PRIu64 " lines are wrong; nothing was sent"), path, problems.lines);
    return k->year != 0 ? SQ_OK : sq_fail(err, SQ_E_FORMAT, _("%s: no day in it"), path);
}

int sq_cmd_calendar(struct sq_cli *cli, int argc, char **argv)
{
    const char *path = NULL;
    struct calendar *k = sq_need(calloc(1, sizeof *k));
    struct sq_session s;
    struct sq_error err = {0};
    json_t *problems = NULL;
    Sanquan__V1__Calendar m;
    int code = sq_cli_parse(cli, &args, argc, argv, &path);
    if (code != SQ_PARSED) {
        free(k);
        return code;
    }
    sq_status st = read_file(cli, path, k, &problems, &err);
    if (st != SQ_OK) {
        code = sq_cli_fail_about(cli, &err, problems);
        json_decref(problems);
        free(k);
        return code;
    }
    sanquan__v1__calendar__init(&m);
    m.year = k->year;
    m.off_days = k->off;
    m.n_off_days = k->off_count;
    m.work_days = k->work;
    m.n_work_days = k->work_count;
    st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_say(&s, SANQUAN__V1__MESSAGE_TYPE__CALENDAR, &m.base, NULL, &err);
    sq_session_close(&s);
    if (st != SQ_OK)
        code = sq_cli_fail(cli, &err);
    else if (cli->json)
        sq_cli_json(json_pack("{s:i, s:i, s:i}", "year", (int)k->year, "off_days", (int)k->off_count, "work_days",
                              (int)k->work_count));
    else
        printf(_("%u: %zu days off, %zu Saturdays and Sundays worked\n"), k->year, k->off_count, k->work_count);
    json_decref(problems);
    free(k);
    return st != SQ_OK ? code : SQ_EXIT_DONE;
}
