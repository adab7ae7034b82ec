/*
 * The values in a programme file, as people write them, and their numbers in the message. Used by programme_yaml.c, and for single
 * words and values by the command line.
 *
 * Every function takes the place of the value in the file ("limits[2].hard"); what is wrong is told once, with its line, and stays
 * in the reader: everything read after it is of no use and does no harm.
 */
#ifndef SQ_PROGRAMME_VALUES_H
#define SQ_PROGRAMME_VALUES_H

#include "clearing/base/arena.h"
#include "clearing/policy/facts.h"
#include "proto/bytes.h"
#include "proto/status.h"

struct sq_values {
    const char *path;
    sq_bytes text;
    struct sq_arena *arena;
    struct sq_error *err;
    sq_status st;
};

struct sq_word {
    const char *word;
    uint32_t number;
};

/* Lists end with a NULL word. */
extern const struct sq_word sq_words_kind[], sq_words_base[], sq_words_stacking[], sq_words_service[],
    sq_words_subject[], sq_words_attribute[], sq_words_step[], sq_words_document[], sq_words_cause[], sq_words_choice[],
    sq_words_scope[], sq_words_counted[], sq_words_period[], sq_words_together[], sq_words_state[], sq_words_contract[],
    sq_words_recognition[], sq_words_pool[], sq_words_unit[], sq_words_flag[], sq_words_payee[], sq_words_allocation[],
    sq_words_rivals[], sq_words_trigger[], sq_words_better[], sq_words_action[], sq_words_none[], sq_words_edge[],
    sq_words_effect[];

void sq_values_fault(struct sq_values *r, const char *place, const char *format, ...) SQ_PRINTF(3, 4);
/* Zeroed memory of the message; NULL only with r->st set. */
void *sq_values_take(struct sq_values *r, size_t size);

uint32_t sq_value_whole(struct sq_values *r, const char *place, const char *text);
/* 0 for NULL: it was left out. Yuan, "500万", "1.2亿" into fen. */
int64_t sq_value_money(struct sq_values *r, const char *place, const char *text);
/* 0 for NULL. "12.5%" into hundredths of a per cent. */
uint32_t sq_value_share(struct sq_values *r, const char *place, const char *text);
/* A refusal by its name without the prefix, "CAP_CLAIM", or by its number. */
uint32_t sq_value_refusal(struct sq_values *r, const char *place, const char *text);
/* "2026-01-31" into yyyymmdd. */
uint32_t sq_value_day(struct sq_values *r, const char *place, const char *text);
/* "17:00" into minutes of the day; 0 for NULL. */
uint32_t sq_value_minute(struct sq_values *r, const char *place, const char *text);
/* One of the words, or a number; `otherwise` for NULL. */
uint32_t sq_value_word(struct sq_values *r, const char *place, const struct sq_word *list, const char *text,
                       uint32_t otherwise);
/* Numbers of words, ascending; one that comes twice is a fault. */
uint32_t *sq_value_words(struct sq_values *r, const char *place, const struct sq_word *list, char **text,
                         unsigned count);
/* "3", "3..7", "3..", "..7" in the attribute's own terms: regions and sectors by prefix, days, amounts, words. */
struct sq_range sq_value_range(struct sq_values *r, const char *place, uint32_t attribute, const char *text);

/* The number of a word, or of a number's digits; 0: neither. */
uint32_t sq_word_number(const struct sq_word *list, const char *text);
/* The word of a number; NULL: it has none. */
const char *sq_word_of(const struct sq_word *list, uint32_t number);
/* What a statement says of an attribute: "310000", "6513", "startup", "2026-01-31", "500万". 0 when it is no value of it. */
int sq_attribute_value(uint32_t attribute, const char *text, int64_t *out);
/* The same back: "startup", "310000", "6513"; returns out. */
const char *sq_attribute_text(uint32_t attribute, int64_t value, char out[static 32]);

#endif
