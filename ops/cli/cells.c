/* What a row's cells mean, and what is said when they mean nothing. */
#include <stdarg.h>
#include <string.h>

#include "ops/cli/names.h"
#include "ops/cli/sheet.h"
#include "ops/cli/text.h"

#define VALUE_SHOWN 60

/* ---- problems ---- */

void sq_problems_begin(struct sq_problems *p, const struct sq_cli *cli, const char *path)
{
    *p = (struct sq_problems){.cli = cli, .path = path, .list = sq_need(json_array())};
}

void sq_problems_add(struct sq_problems *p, uint64_t line, const char *name, const char *value, const char *format, ...)
{
    char why[300];
    va_list args;
    if (p == NULL)
        return;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    p->count++;
    p->lines += line != p->last_line;
    p->last_line = line;
    if (p->count <= SQ_PROBLEMS_SHOWN)
        fprintf(stderr, "%s:%" PRIu64 ": %s%s\"%.*s\": %s\n", p->path, line, name, *name != '\0' ? " " : "",
                VALUE_SHOWN, value, why);
    json_t *shown = json_string(value); /* NULL when it is not UTF-8 */
    if (p->count <= SQ_PROBLEMS_LISTED)
        json_array_append_new(p->list, json_pack("{s:I, s:s, s:o, s:s}", "line", (json_int_t)line, "field", name,
                                                 "value", shown != NULL ? shown : json_string(""), "reason", why));
    else
        json_decref(shown);
}

void sq_problems_end(struct sq_problems *p)
{
    if (p->count > SQ_PROBLEMS_SHOWN)
        fprintf(stderr, _("%s: and %" PRIu64 " problems more\n"), p->path, p->count - SQ_PROBLEMS_SHOWN);
}

/* ---- cells ---- */

int sq_cells_begin(struct sq_cells *c, const struct sq_sheet *sheet, const struct sq_row *row,
                   struct sq_problems *problems)
{
    *c = (struct sq_cells){.sheet = sheet, .row = row, .problems = problems};
    if (row->broken == NULL)
        return 1;
    char start[VALUE_SHOWN + 1] = "";
    size_t size = row->raw.size < VALUE_SHOWN ? row->raw.size : VALUE_SHOWN;
    memcpy(start, row->raw.data, size);
    sq_problems_add(problems, row->line, "", start, "%s", row->broken);
    c->bad = 1;
    return 0;
}

static const char *name_of(const struct sq_cells *c, unsigned column)
{
    return sq_sheet_column(c->sheet, column)->name;
}

void sq_cells_wrong(struct sq_cells *c, unsigned column, const char *format, ...)
{
    char why[300];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    sq_problems_add(c->problems, c->row->line, name_of(c, column), c->row->cell[column], "%s", why);
    c->bad = 1;
}

uint64_t sq_cell_voucher(struct sq_cells *c, unsigned column)
{
    const char *text = c->row->cell[column];
    uint64_t v = 0;
    if (strlen(text) != 19 || !sq_read_number(text, &v) || text[0] == '0' || v / 1000000000u % 10000u == 0 ||
        v % 1000000000u == 0)
        sq_cells_wrong(c, column, _("not a voucher number: 19 digits, issuer (6), programme (4) and serial (9)"));
    return v;
}

int64_t sq_cell_money(struct sq_cells *c, unsigned fen_column, unsigned yuan_column, int64_t least, int64_t most,
                      int64_t missing)
{
    const char *fen = c->row->cell[fen_column], *yuan = c->row->cell[yuan_column];
    unsigned column = *fen != '\0' || !sq_sheet_has(c->sheet, yuan_column) ? fen_column : yuan_column;
    int64_t v = missing;
    char low[SQ_TEXT_SIZE], high[SQ_TEXT_SIZE];
    if (*fen != '\0' && *yuan != '\0')
        sq_cells_wrong(c, fen_column, _("the amount stands in fen and in yuan: leave one of them out"));
    else if (*fen != '\0' && !sq_read_fen(fen, &v))
        sq_cells_wrong(c, column, _("not a whole number of fen"));
    else if (*yuan != '\0' && !sq_read_yuan(yuan, &v))
        sq_cells_wrong(c, column, _("not an amount in yuan with at most two decimals"));
    else if (v < least || v > most)
        sq_cells_wrong(c, column, _("an amount from %s to %s yuan goes here"), sq_text_yuan(least, low),
                       sq_text_yuan(most, high));
    return v;
}

uint32_t sq_cell_day(struct sq_cells *c, unsigned column)
{
    uint32_t day = 0;
    if (!sq_read_day(c->row->cell[column], &day))
        sq_cells_wrong(c, column, _("not a day of the calendar, written 2026-09-01 or 20260901"));
    return day;
}

uint64_t sq_cell_moment(struct sq_cells *c, unsigned column)
{
    uint64_t ms = 0;
    if (!sq_read_moment(c->row->cell[column], &ms))
        sq_cells_wrong(c, column, _("neither a day (2026-09-01) nor a time of Beijing (2026-09-01 17:00)"));
    return ms;
}

uint64_t sq_cell_number(struct sq_cells *c, unsigned column, uint64_t least, uint64_t most, uint64_t missing)
{
    const char *text = c->row->cell[column];
    uint64_t v = missing;
    if ((*text != '\0' && !sq_read_number(text, &v)) || v < least || v > most)
        sq_cells_wrong(c, column, _("a whole number from %" PRIu64 " to %" PRIu64 " goes here"), least, most);
    return v;
}

const char *sq_cell_uscc(struct sq_cells *c, unsigned column)
{
    char why[SQ_WHY_SIZE];
    if (!sq_uscc_explain(c->row->cell[column], why))
        sq_cells_wrong(c, column, "%s", why);
    return c->row->cell[column];
}
