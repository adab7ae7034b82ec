/*
 * libcsv is fed one line of the file at a time, so that a row's line is known and a row that cannot be taken apart costs one line.
 */
#include "ops/cli/sheet.h"

#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELDS_MAX     64u
#define SIZE_MAX_BYTES (4ull << 30) /* some thirty million rows */
#define NO_COLUMN      SQ_SHEET_COLUMNS_MAX

struct sq_sheet {
    const char *path;
    uint8_t *data;
    size_t size, begin, at; /* begin: after the byte order mark */
    uint64_t line;          /* read so far */
    uint8_t hash[SQ_HASH_SIZE];
    const struct sq_column *columns;
    unsigned column_count;
    int json;
    /* CSV */
    unsigned column_of[FIELDS_MAX], header_fields;
    sq_bytes header;
    size_t body; /* where the rows begin */
    uint64_t body_line;
    struct csv_parser csv;
    /* the row being read: fields one after another, each with its NUL */
    char *text;
    size_t used, capacity, start[FIELDS_MAX];
    unsigned fields;
    int done; /* its end was seen */
    const char *broken;
};

/* ---- a row's text ---- */

static void put_field(struct sq_sheet *s, const void *field, size_t size)
{
    if (s->fields == FIELDS_MAX || s->done) {
        s->broken = s->done ? _("a line end in the middle of a line") : _("it has more than 64 fields");
        return;
    }
    if (size != 0 && memchr(field, '\0', size) != NULL)
        s->broken = _("it holds a NUL character");
    if (s->used + size + 1 > s->capacity) {
        s->capacity = (s->used + size + 1) * 2;
        s->text = sq_need(realloc(s->text, s->capacity));
    }
    s->start[s->fields++] = s->used;
    if (size != 0)
        memcpy(s->text + s->used, field, size);
    s->text[s->used + size] = '\0';
    s->used += size + 1;
}

static void begin_row(struct sq_sheet *s)
{
    s->used = s->fields = 0;
    s->done = 0;
    s->broken = NULL;
}

static const char *field(const struct sq_sheet *s, unsigned i)
{
    return s->text + s->start[i];
}

/* The next line of the file with its end; 0 at the end of the file. */
static size_t next_line(const struct sq_sheet *s, const uint8_t **line)
{
    if (s->at == s->size)
        return 0;
    *line = s->data + s->at;
    const uint8_t *end = memchr(*line, '\n', s->size - s->at);
    return end != NULL ? (size_t)(end - *line) + 1 : s->size - s->at;
}

static int is_blank(const uint8_t *line, size_t size)
{
    while (size > 0 &&
           (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r' || line[size - 1] == '\n'))
        size--;
    return size == 0;
}

static sq_bytes without_end(const uint8_t *from, const uint8_t *to)
{
    while (to > from && (to[-1] == '\n' || to[-1] == '\r'))
        to--;
    return sq_bytes_of(from, (size_t)(to - from));
}

/* ---- CSV ---- */

static void on_field(void *text, size_t size, void *sheet)
{
    put_field(sheet, text, size);
}

static void on_end(int terminator, void *sheet)
{
    (void)terminator;
    ((struct sq_sheet *)sheet)->done = 1;
}

static void csv_again(struct sq_sheet *s)
{
    csv_free(&s->csv);
    if (csv_init(&s->csv, CSV_STRICT | CSV_STRICT_FINI) != 0)
        sq_need(NULL);
}

/* One row of fields into s; 0 at the end. */
static int read_csv(struct sq_sheet *s, uint64_t *line_out, sq_bytes *raw)
{
    const uint8_t *line, *first = NULL;
    size_t size;
    begin_row(s);
    while ((size = next_line(s, &line)) != 0) {
        s->line++;
        s->at += size;
        if (first == NULL && is_blank(line, size))
            continue;
        if (first == NULL) {
            first = line;
            *line_out = s->line;
        }
        if (csv_parse(&s->csv, line, size, on_field, on_end, s) != size) {
            if (csv_error(&s->csv) != CSV_EPARSE)
                sq_need(NULL);
            s->broken = _("a quotation mark in the wrong place: a field with one in it is quoted whole, and the mark "
                          "is written twice");
            csv_again(s);
            break;
        }
        if (s->done)
            break;
    }
    if (first == NULL)
        return 0;
    if (!s->done && s->broken == NULL && csv_fini(&s->csv, on_field, on_end, s) != 0) {
        s->broken = _("a quotation mark is opened here and never closed");
        csv_again(s);
    }
    *raw = without_end(first, s->data + s->at);
    return 1;
}

static int csv_row(struct sq_sheet *s, struct sq_row *row)
{
    if (!read_csv(s, &row->line, &row->raw))
        return 0;
    unsigned used = s->fields;
    while (used > s->header_fields && *field(s, used - 1) == '\0')
        used--; /* spreadsheets like to add empty ones */
    if (s->broken == NULL && used != s->header_fields)
        s->broken = used > s->header_fields ? _("it has more fields than the header")
                                            : _("it has fewer fields than the header");
    for (unsigned i = 0; s->broken == NULL && i < s->header_fields; i++)
        if (s->column_of[i] != NO_COLUMN)
            row->cell[s->column_of[i]] = field(s, i);
    row->broken = s->broken;
    return 1;
}

/* ---- JSON lines ---- */

static unsigned find_column(const struct sq_sheet *s, const char *name)
{
    for (unsigned i = 0; i < s->column_count; i++)
        if (strcasecmp(s->columns[i].name, name) == 0 || strcmp(s->columns[i].chinese, name) == 0)
            return i;
    return NO_COLUMN;
}

static const char *put_json(struct sq_sheet *s, json_t *value)
{
    char digits[24];
    if (json_is_string(value))
        put_field(s, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        put_field(s, digits,
                  (size_t)snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value)));
    else if (json_is_null(value))
        put_field(s, "", 0);
    else
        return _("a value that is neither a string nor a whole number (write amounts with a point as strings)");
    return s->broken;
}

/* Cells are offsets until all fields are there: the text may move. */
static const char *take_object(struct sq_sheet *s, json_t *object, struct sq_row *row)
{
    const char *key, *why = NULL;
    json_t *value;
    unsigned column[FIELDS_MAX], n = 0;
    json_object_foreach(object, key, value)
    {
        if (why != NULL || n == FIELDS_MAX)
            break;
        if ((column[n++] = find_column(s, key)) == NO_COLUMN)
            why = _("it has a name that is no column");
        else
            why = put_json(s, value);
    }
    for (unsigned i = 0; why == NULL && i < n; i++)
        row->cell[column[i]] = field(s, i);
    return why;
}

static int json_row(struct sq_sheet *s, struct sq_row *row)
{
    const uint8_t *line;
    size_t size;
    json_error_t error;
    do {
        if ((size = next_line(s, &line)) == 0)
            return 0;
        s->line++;
        s->at += size;
    } while (is_blank(line, size));
    begin_row(s);
    row->line = s->line;
    row->raw = without_end(line, line + size);
    json_t *object = json_loadb((const char *)line, size, JSON_REJECT_DUPLICATES, &error);
    row->broken = json_is_object(object) ? take_object(s, object, row) : _("it is not one JSON object");
    json_decref(object);
    return 1;
}

/* ---- reading ---- */

int sq_sheet_next(struct sq_sheet *s, struct sq_row *row)
{
    *row = (struct sq_row){0};
    for (unsigned i = 0; i < s->column_count; i++)
        row->cell[i] = "";
    return s->json ? json_row(s, row) : csv_row(s, row);
}

void sq_sheet_rewind(struct sq_sheet *s)
{
    s->at = s->json ? s->begin : s->body;
    s->line = s->json ? 0 : s->body_line;
    csv_again(s);
}

const char *sq_sheet_path(const struct sq_sheet *s)
{
    return s->path;
}
const uint8_t *sq_sheet_hash(const struct sq_sheet *s)
{
    return s->hash;
}

int sq_sheet_is_json(const struct sq_sheet *s)
{
    return s->json;
}
sq_bytes sq_sheet_header(const struct sq_sheet *s)
{
    return s->header;
}
const struct sq_column *sq_sheet_column(const struct sq_sheet *s, unsigned column)
{
    return &s->columns[column];
}

int sq_sheet_has(const struct sq_sheet *s, unsigned column)
{
    for (unsigned i = 0; i < s->header_fields; i++)
        if (s->column_of[i] == column)
            return 1;
    return s->json;
}

void sq_sheet_quote(FILE *f, const char *text)
{
    csv_fwrite(f, text, strlen(text));
}

/* ---- opening ---- */

static sq_status check_header(struct sq_sheet *s, uint64_t line, struct sq_error *err)
{
    for (unsigned i = 0; i < s->fields; i++) {
        s->column_of[i] = find_column(s, field(s, i));
        if (s->column_of[i] == NO_COLUMN && *field(s, i) != '\0')
            return sq_fail(err, SQ_E_FORMAT, _("%.80s:%" PRIu64 ": \"%.60s\" is no column; see --help for their names"),
                           s->path, line, field(s, i));
        for (unsigned k = 0; k < i; k++)
            if (s->column_of[i] != NO_COLUMN && s->column_of[k] == s->column_of[i])
                return sq_fail(err, SQ_E_FORMAT, _("%.80s:%" PRIu64 ": column %s stands twice"), s->path, line,
                               field(s, i));
    }
    s->header_fields = s->fields;
    while (s->header_fields > 0 && s->column_of[s->header_fields - 1] == NO_COLUMN)
        s->header_fields--;
    for (unsigned i = 0; i < s->column_count; i++)
        if (s->columns[i].needed && !sq_sheet_has(s, i))
            return sq_fail(err, SQ_E_FORMAT, _("%.80s:%" PRIu64 ": column %s (%s) is missing"), s->path, line,
                           s->columns[i].name, s->columns[i].chinese);
    return SQ_OK;
}

static int is_utf8(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned more = p[i] < 0x80                   ? 0
                        : p[i] >= 0xc2 && p[i] < 0xe0 ? 1
                        : p[i] >= 0xe0 && p[i] < 0xf0 ? 2
                        : p[i] >= 0xf0 && p[i] < 0xf5 ? 3
                                                      : 9;
        if (more == 9 || i + more >= size + (more == 0))
            return 0;
        for (i++; more > 0; more--, i++)
            if ((p[i] & 0xc0) != 0x80)
                return 0;
    }
    return 1;
}

static sq_status read_header(struct sq_sheet *s, struct sq_error *err)
{
    uint64_t line;
    sq_bytes raw;
    if (memchr(s->data, '\n', s->size) == NULL && memchr(s->data, '\r', s->size) != NULL)
        return sq_fail(err, SQ_E_FORMAT, _("%.80s: its lines end with CR alone; save it with LF or CRLF"), s->path);
    if (!read_csv(s, &line, &raw))
        return sq_fail(err, SQ_E_FORMAT, _("%.80s is empty: the first line names the columns"), s->path);
    if (s->broken != NULL)
        return sq_fail(err, SQ_E_FORMAT, "%.80s:%" PRIu64 ": %.130s", s->path, line, s->broken);
    if (!is_utf8(raw.data, raw.size))
        return sq_fail(err, SQ_E_FORMAT, _("%.80s:%" PRIu64 ": not UTF-8; save it as \"CSV UTF-8\""), s->path, line);
    s->header = raw;
    s->body = s->at;
    s->body_line = s->line;
    return check_header(s, line, err);
}

sq_status sq_sheet_parse(uint8_t *data, size_t size, const char *path, const struct sq_column *columns, unsigned count,
                         struct sq_sheet **out, struct sq_error *err)
{
    static const uint8_t mark[3] = {0xef, 0xbb, 0xbf};
    struct sq_sheet *s = sq_need(calloc(1, sizeof *s));
    SQ_ASSERT(count <= SQ_SHEET_COLUMNS_MAX);
    *s = (struct sq_sheet){.path = path, .data = data, .size = size, .columns = columns, .column_count = count};
    sq_sha256(data, size, s->hash);
    if (csv_init(&s->csv, CSV_STRICT | CSV_STRICT_FINI) != 0)
        sq_need(NULL);
    s->begin = s->at = size >= sizeof mark && memcmp(data, mark, sizeof mark) == 0 ? sizeof mark : 0;
    s->json = s->at < size && data[s->at] == '{';
    sq_status st = s->json ? SQ_OK : read_header(s, err);
    if (st == SQ_OK)
        *out = s;
    else
        sq_sheet_close(s);
    return st;
}

sq_status sq_sheet_open(const char *path, const struct sq_column *columns, unsigned count, struct sq_sheet **out,
                        struct sq_error *err)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sq_fail(err, SQ_E_IO, "open %s: %s", path, strerror(errno));
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || (uint64_t)file.st_size > SIZE_MAX_BYTES) {
        close(fd);
        return sq_fail(err, SQ_E_IO, _("%s is not a file, or one over 4 GiB"), path);
    }
    size_t size = (size_t)file.st_size, got = 0;
    uint8_t *data = sq_need(malloc(size + 1));
    for (ssize_t n = 1; n > 0 && got<size; got += n> 0 ? (size_t)n : 0)
        n = read(fd, data + got, size - got);
    close(fd);
    if (got != size) {
        free(data);
        return sq_fail(err, SQ_E_IO, "read %s: %s", path, strerror(errno));
    }
    return sq_sheet_parse(data, size, path, columns, count, out, err);
}

void sq_sheet_close(struct sq_sheet *s)
{
    if (s == NULL)
        return;
    csv_free(&s->csv);
    free(s->text);
    free(s->data);
    free(s);
}
