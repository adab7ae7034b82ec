/*
 * Text for people: columns, amounts, days and times; and reading what people write.
 *
 * Widths count terminal cells: a Chinese character is two. The character set is UTF-8 (main.c sees to it).
 */
#ifndef SQ_TEXT_H
#define SQ_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "proto/status.h"

/* Terminal cells of a text; a byte that is not UTF-8 or cannot be printed counts one. */
unsigned sq_text_width(const char *text);

/* ---- columns ---- */

/* A table: cells are put row by row, widths are found when it is printed. One with too little memory ends the program (sq_need). */
struct sq_grid {
    unsigned columns;
    const char *align; /* a letter a column: l or r */
    char **cells;
    size_t count, capacity;
};

/* Headers are translated texts, as many as `align` has letters. */
void sq_grid_begin(struct sq_grid *g, const char *align, const char *const *headers);
void sq_grid_put(struct sq_grid *g, const char *format, ...) SQ_PRINTF(2, 3); /* the next cell */
void sq_grid_print(const struct sq_grid *g, FILE *out);
void sq_grid_end(struct sq_grid *g);

/* ---- printing values ---- */

#define SQ_TEXT_SIZE 48
/* "1,234.56"; and the same with the unit, " 元" in Chinese. Return out. */
const char *sq_text_yuan(int64_t fen, char out[static SQ_TEXT_SIZE]);
const char *sq_text_money(int64_t fen, char out[static SQ_TEXT_SIZE]);
const char *sq_text_count(uint64_t n, char out[static SQ_TEXT_SIZE]); /* "12,345" */
const char *sq_text_day(uint32_t day, char out[static SQ_TEXT_SIZE]); /* "2026-09-01" */
const char *sq_text_time(uint64_t ms, char out[static SQ_TEXT_SIZE]); /* "2026-09-01 17:00:00", UTC+8; "-" for 0 */
const char *sq_text_bp(uint32_t bp, char out[static SQ_TEXT_SIZE]);   /* "12.5%" */
const char *sq_text_kind(uint32_t kind);      /* "compute", "model", "corpus", "kind 4": for people */
const char *sq_text_status(const char *name); /* "SQ_R_BUSY": its text, translated; the name when there is none */

/* ---- reading values; 1 when the whole text is one ---- */

int sq_read_number(const char *text, uint64_t *out);
int sq_read_fen(const char *text, int64_t *out); /* "123456", "-5" */
int sq_read_yuan(const char *text,
                 int64_t *out); /* "1234.56", "1,234.56": at most two decimals, commas every three digits or none */
int sq_read_day(const char *text, uint32_t *out); /* "20260901", "2026-09-01": a day of the calendar */
/* A day (its last millisecond in UTC+8), "2026-09-01 17:00[:30]" (UTC+8), or Unix ms of 13 digits. */
int sq_read_moment(const char *text, uint64_t *ms);

#endif
