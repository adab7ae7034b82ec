#include "ops/cli/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "clearing/base/day.h"
#include "ops/cli/cli.h"

#define MS_PER_DAY 86400000u
#define UTC8_S     (8 * 3600)
#define GAP        "  " /* between columns */

/* ---- width ---- */

unsigned sq_text_width(const char *text)
{
    mbstate_t state = {0};
    unsigned width = 0;
    for (size_t left = strlen(text); left > 0;) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, left, &state);
        int cells = n == (size_t)-1 || n == (size_t)-2 ? -1 : wcwidth(c);
        if (cells < 0 && (n == (size_t)-1 || n == (size_t)-2)) {
            memset(&state, 0, sizeof state);
            n = 1;
        }
        width += cells < 0 ? 1u : (unsigned)cells;
        text += n;
        left -= n;
    }
    return width;
}

/* ---- columns ---- */

static void put_cell(struct sq_grid *g, char *text)
{
    if (g->count == g->capacity) {
        g->capacity = g->capacity == 0 ? 64 : g->capacity * 2;
        g->cells = sq_need(realloc(g->cells, g->capacity * sizeof *g->cells));
    }
    g->cells[g->count++] = text;
}

void sq_grid_begin(struct sq_grid *g, const char *align, const char *const *headers)
{
    *g = (struct sq_grid){.columns = (unsigned)strlen(align), .align = align};
    for (unsigned i = 0; i < g->columns; i++)
        put_cell(g, sq_need(strdup(headers[i])));
}

void sq_grid_put(struct sq_grid *g, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    put_cell(g, n < 0 ? sq_need(NULL) : text);
}

static void print_cell(const char *text, unsigned width, char align, int last, FILE *out)
{
    int pad = (int)(width - sq_text_width(text));
    if (align == 'r')
        fprintf(out, "%*s%s", pad, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : pad, "");
    fputs(last ? "\n" : GAP, out);
}

void sq_grid_print(const struct sq_grid *g, FILE *out)
{
    unsigned *width = sq_need(calloc(g->columns, sizeof *width));
    for (size_t i = 0; i < g->count; i++) {
        unsigned w = sq_text_width(g->cells[i]);
        width[i % g->columns] = w > width[i % g->columns] ? w : width[i % g->columns];
    }
    for (size_t i = 0; i < g->count; i++)
        print_cell(g->cells[i], width[i % g->columns], g->align[i % g->columns], i % g->columns == g->columns - 1, out);
    free(width);
}

void sq_grid_end(struct sq_grid *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->cells[i]);
    free(g->cells);
    *g = (struct sq_grid){0};
}

/* ---- printing values ---- */

const char *sq_text_count(uint64_t n, char out[static SQ_TEXT_SIZE])
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
    for (int i = 0; i < size; i++) {
        if (i != 0 && (size - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *sq_text_yuan(int64_t fen, char out[static SQ_TEXT_SIZE])
{
    char whole[SQ_TEXT_SIZE];
    uint64_t n = fen < 0 ? 0 - (uint64_t)fen : (uint64_t)fen;
    sq_text_count(n / 100, whole);
    snprintf(out, SQ_TEXT_SIZE, "%s%.30s.%02u", fen < 0 ? "-" : "", whole, (unsigned)(n % 100));
    return out;
}

const char *sq_text_money(int64_t fen, char out[static SQ_TEXT_SIZE])
{
    char amount[SQ_TEXT_SIZE];
    /* TRANSLATORS: an amount of money and its unit */
    snprintf(out, SQ_TEXT_SIZE, _("%.34s yuan"), sq_text_yuan(fen, amount));
    return out;
}

const char *sq_text_day(uint32_t day, char out[static SQ_TEXT_SIZE])
{
    snprintf(out, SQ_TEXT_SIZE, "%04u-%02u-%02u", day / 10000, day / 100 % 100, day % 100);
    return out;
}

const char *sq_text_time(uint64_t ms, char out[static SQ_TEXT_SIZE])
{
    struct tm t;
    time_t seconds = (time_t)(ms / 1000) + UTC8_S;
    if (ms == 0 || gmtime_r(&seconds, &t) == NULL || strftime(out, SQ_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &t) == 0)
        strcpy(out, "-");
    return out;
}

const char *sq_text_bp(uint32_t bp, char out[static SQ_TEXT_SIZE])
{
    if (bp % 100 == 0)
        snprintf(out, SQ_TEXT_SIZE, "%u%%", bp / 100);
    else
        snprintf(out, SQ_TEXT_SIZE, bp % 10 == 0 ? "%u.%u%%" : "%u.%02u%%", bp / 100,
                 bp % 10 == 0 ? bp % 100 / 10 : bp % 100);
    return out;
}

const char *sq_text_kind(uint32_t kind)
{
    static const char *const names[] = {N_("kind 0"), N_("compute"), N_("model"),  N_("corpus"),
                                        N_("kind 4"), N_("kind 5"),  N_("kind 6"), N_("kind 7")};
    return kind < sizeof names / sizeof *names ? _(names[kind]) : _("unknown kind");
}

const char *sq_text_status(const char *name)
{
#define STATUS_TEXT(symbol, number, retry, text)                                                                       \
    if (strcmp(name, #symbol) == 0)                                                                                    \
        return _(text);
    SQ_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
    return name;
}

/* ---- reading values ---- */

int sq_read_number(const char *text, uint64_t *out)
{
    uint64_t n = 0;
    if (*text == '\0')
        return 0;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (digit > 9 || __builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, digit, &n))
            return 0;
    }
    *out = n;
    return 1;
}

static int with_sign(int negative, uint64_t n, int64_t *out)
{
    if (n > INT64_MAX)
        return 0;
    *out = negative ? -(int64_t)n : (int64_t)n;
    return 1;
}

int sq_read_fen(const char *text, int64_t *out)
{
    uint64_t n;
    int negative = *text == '-';
    return sq_read_number(text + negative, &n) && with_sign(negative, n, out);
}

/* The digits before the point, with commas where thousands go or with none; how many characters, or 0. */
static size_t whole_part(const char *text, uint64_t *out)
{
    size_t size = strspn(text, "0123456789,"), first = strcspn(text, ",.");
    uint64_t n = 0;
    int grouped = first < size;
    if (first == 0 || (grouped && first > 3))
        return 0;
    for (size_t i = 0; i < size; i++) {
        int comma_here = grouped && i >= first && (i - first) % 4 == 0;
        if ((text[i] == ',') != comma_here || (grouped && i == size - 1 && (i - first) % 4 != 3))
            return 0;
        if (text[i] != ',' &&
            (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (unsigned)(text[i] - '0'), &n)))
            return 0;
    }
    *out = n;
    return size;
}

int sq_read_yuan(const char *text, int64_t *out)
{
    uint64_t yuan, fen = 0;
    int negative = *text == '-';
    text += negative;
    size_t size = whole_part(text, &yuan);
    if (size == 0)
        return 0;
    if (text[size] == '.') {
        size_t decimals = strspn(text + size + 1, "0123456789");
        if (decimals < 1 || decimals > 2 || text[size + 1 + decimals] != '\0')
            return 0;
        fen = (uint64_t)(text[size + 1] - '0') * 10 + (decimals == 2 ? (uint64_t)(text[size + 2] - '0') : 0);
    } else if (text[size] != '\0') {
        return 0;
    }
    if (__builtin_mul_overflow(yuan, 100u, &yuan) || __builtin_add_overflow(yuan, fen, &yuan))
        return 0;
    return with_sign(negative, yuan, out);
}

/* "2026-09-01..." or "20260901..."; how many characters, or 0. */
static size_t day_part(const char *text, uint32_t *out)
{
    static const char dashed[] = "dddd-dd-dd";
    int dashes = strlen(text) >= 10 && text[4] == '-';
    size_t size = dashes ? 10 : 8;
    uint32_t day = 0;
    if (strlen(text) < size)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (dashes && dashed[i] == '-') {
            if (text[i] != '-')
                return 0;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return 0;
        day = day * 10 + (uint32_t)(text[i] - '0');
    }
    if (!sq_day_valid(day))
        return 0;
    *out = day;
    return size;
}

int sq_read_day(const char *text, uint32_t *out)
{
    uint32_t day;
    size_t size = day_part(text, &day);
    if (size == 0 || text[size] != '\0')
        return 0;
    *out = day;
    return 1;
}

/* "17:00" or "17:00:30" in ms of the day; 0 when it is neither. */
static int time_part(const char *text, uint64_t *ms)
{
    size_t size = strlen(text);
    if ((size != 5 && size != 8) || strspn(text, "0123456789:") != size || text[2] != ':' ||
        (size == 8 && text[5] != ':'))
        return 0;
    unsigned part[3] = {0};
    for (size_t i = 0; i < size; i++) {
        if (i % 3 == 2)
            continue;
        if (text[i] == ':')
            return 0;
        part[i / 3] = part[i / 3] * 10 + (unsigned)(text[i] - '0');
    }
    *ms = ((part[0] * 60u + part[1]) * 60u + part[2]) * 1000ull;
    return part[0] < 24 && part[1] < 60 && part[2] < 60;
}

int sq_read_moment(const char *text, uint64_t *ms)
{
    uint32_t day;
    uint64_t at;
    size_t size;
    if (strlen(text) == 13 && sq_read_number(text, &at)) {
        *ms = at;
        return 1;
    }
    if ((size = day_part(text, &day)) == 0)
        return 0;
    if (text[size] == '\0') {
        *ms = sq_day_end_ms(day) - 1;
        return 1;
    }
    if ((text[size] != ' ' && text[size] != 'T') || !time_part(text + size + 1, &at))
        return 0;
    *ms = sq_day_end_ms(day) - MS_PER_DAY + at;
    return 1;
}
