/*
 * Rows that people bring: a CSV file with a header line (RFC 4180, by libcsv), or a file of JSON lines. UTF-8, with or without a
 * byte order mark; the two are told apart by the first character.
 *
 * Columns are found by their names, in any order; each also has a Chinese name. A row that is wrong is reported as file, line,
 * field, value and reason, and the next row is read: the caller decides whether one wrong row stops all.
 */
#ifndef SQ_SHEET_H
#define SQ_SHEET_H

#include "clearing/base/hash.h"
#include "ops/cli/cli.h"
#include "proto/bytes.h"

#define SQ_SHEET_COLUMNS_MAX 32u

struct sq_column {
    const char *name, *chinese;
    int needed; /* the header must have it */
};

struct sq_sheet; /* opaque: the file's bytes and where reading stands */

struct sq_row {
    uint64_t line; /* on which it begins, from 1 */
    sq_bytes raw;  /* the row as it is in the file, without its line end; borrowed from the sheet */
    const char *cell[SQ_SHEET_COLUMNS_MAX]; /* by column; "" when empty or not in the file; lives until the next row */
    const char *broken;                     /* NULL, or why it could not be taken apart, translated */
};

/* `columns` is borrowed. Errors: SQ_E_IO; SQ_E_FORMAT with file and line: not UTF-8, columns unknown, missing or twice. */
SQ_MUST_CHECK sq_status sq_sheet_open(const char *path, const struct sq_column *columns, unsigned count,
                                      struct sq_sheet **out, struct sq_error *err);
/* The same from memory, which is taken (malloc'd). */
SQ_MUST_CHECK sq_status sq_sheet_parse(uint8_t *data, size_t size, const char *path, const struct sq_column *columns,
                                       unsigned count, struct sq_sheet **out, struct sq_error *err);
void sq_sheet_close(struct sq_sheet *s);
void sq_sheet_rewind(struct sq_sheet *s);

const char *sq_sheet_path(const struct sq_sheet *s);
const uint8_t *sq_sheet_hash(const struct sq_sheet *s); /* SHA-256 of the file, 32 bytes */
int sq_sheet_is_json(const struct sq_sheet *s);
sq_bytes sq_sheet_header(const struct sq_sheet *s);          /* CSV: the header line; size 0 for JSON lines */
int sq_sheet_has(const struct sq_sheet *s, unsigned column); /* JSON lines may have any */

const struct sq_column *sq_sheet_column(const struct sq_sheet *s, unsigned column);

/* A text as a field of a CSV file, in quotation marks. */
void sq_sheet_quote(FILE *f, const char *text);

/* 1 and the next row, or 0 at the end. */
int sq_sheet_next(struct sq_sheet *s, struct sq_row *row);

/* ---- what is wrong with it ---- */

struct sq_problems {
    const struct sq_cli *cli;
    const char *path;
    uint64_t count;            /* problems */
    uint64_t lines, last_line; /* lines with one */
    json_t *list;              /* the first SQ_PROBLEMS_LISTED, for --json */
};
#define SQ_PROBLEMS_SHOWN  20u
#define SQ_PROBLEMS_LISTED 1000u

void sq_problems_begin(struct sq_problems *p, const struct sq_cli *cli, const char *path);
void sq_problems_add(struct sq_problems *p, uint64_t line, const char *field, const char *value, const char *format,
                     ...) SQ_PRINTF(5, 6);
void sq_problems_end(
    struct sq_problems *p); /* says how many were not shown; the list is the caller's to give away or drop */

/* ---- one row's cells; each reports what is wrong and sets `bad` ---- */

struct sq_cells {
    const struct sq_sheet *sheet;
    const struct sq_row *row;
    struct sq_problems *problems;
    int bad;
};

/* 0 and a report when the row is broken. problems NULL: nothing is reported, `bad` is still set. */
int sq_cells_begin(struct sq_cells *c, const struct sq_sheet *sheet, const struct sq_row *row,
                   struct sq_problems *problems);
void sq_cells_wrong(struct sq_cells *c, unsigned column, const char *format, ...) SQ_PRINTF(3, 4);

uint64_t sq_cell_voucher(struct sq_cells *c, unsigned column); /* issuer(6) programme(4) serial(9) */
/* An amount in one of two columns, "..._fen" or "..._yuan"; when both are empty, `missing`, or a problem when that is out of bounds. */
int64_t sq_cell_money(struct sq_cells *c, unsigned fen_column, unsigned yuan_column, int64_t least, int64_t most,
                      int64_t missing);
uint32_t sq_cell_day(struct sq_cells *c, unsigned column);
uint64_t sq_cell_moment(struct sq_cells *c, unsigned column); /* see sq_read_moment */
/* A whole number; empty: `missing`, or a problem when that is out of bounds. */
uint64_t sq_cell_number(struct sq_cells *c, unsigned column, uint64_t least, uint64_t most, uint64_t missing);
const char *sq_cell_uscc(struct sq_cells *c, unsigned column);

#endif
