#include "ops/common/programme_values.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers/yaml.h"

void sq_values_fault(struct sq_values *r, const char *place, const char *format, ...)
{
    char why[160];
    va_list args;
    if (r->st != SQ_OK)
        return;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    r->st = sq_fail(r->err, SQ_E_CONFIG, "%.90s:%u: %.40s: %s", r->path, sq_yaml_line(r->text, place), place, why);
}

void *sq_values_take(struct sq_values *r, size_t size)
{
    void *p = sq_arena_take(r->arena, size);
    if (p == NULL && r->st == SQ_OK)
        r->st = sq_fail(r->err, SQ_E_FULL, "%.90s: too large", r->path);
    return p;
}

/* ---- words ---- */

const struct sq_word sq_words_none[] = {{NULL, 0}};
const struct sq_word sq_words_kind[] = {{"compute", 1}, {"model", 2}, {"corpus", 3}, {NULL, 0}};
const struct sq_word sq_words_base[] = {{"contract", 1}, {"approved", 2}, {"paid", 3},
                                        {"settled", 4},  {"metered", 5},  {NULL, 0}};
const struct sq_word sq_words_stacking[] = {{"exclusive", 0}, {"additive", 1}, {NULL, 0}};
const struct sq_word sq_words_service[] = {
    {"rent", 1},      {"api", 2},      {"cloud", 3},    {"private", 4},  {"terminal", 5},   {"training", 6},
    {"inference", 7}, {"finetune", 8}, {"deploy", 9},   {"data", 10},    {"labelling", 11}, {"ops", 12},
    {"purchase", 13}, {"agent", 14},   {"storage", 20}, {"network", 21}, {"security", 22},  {NULL, 0}};
const struct sq_word sq_words_subject[] = {{"holder", 1}, {"provider", 2}, {"voucher", 3}, {"claim", 4}, {NULL, 0}};
const struct sq_word sq_words_attribute[] = {
    {"region", 1},    {"tax_region", 2}, {"sector", 3},        {"entity", 4},         {"size", 5},      {"standing", 6},
    {"zone", 7},      {"pflops", 8},     {"racks", 9},         {"level", 10},         {"hardware", 11}, {"purpose", 12},
    {"filing", 13},   {"channel", 14},   {"grade", 15},        {"score", 16},         {"standard", 17}, {"service", 20},
    {"scenario", 21}, {"base", 22},      {"contract_day", 23}, {"contract_days", 24}, {"contract", 25}, {NULL, 0}};
const struct sq_word sq_words_step[] = {{"grant", 1}, {"redemption", 2}, {NULL, 0}};
const struct sq_word sq_words_document[] = {
    {"contract", 1},    {"invoice", 2},      {"payment", 3}, {"delivery", 4}, {"meter", 5},
    {"assessment", 6},  {"licence", 7},      {"pledge", 8},  {"order", 9},    {"electricity", 10},
    {"acceptance", 11}, {"application", 12}, {NULL, 0}};
const struct sq_word sq_words_cause[] = {
    {"dishonest", 1}, {"seriously_dishonest", 2}, {"false_claims", 3}, {"collusion", 4}, {NULL, 0}};
const struct sq_word sq_words_edge[] = {{"controls", 1}, {"related", 2}, {NULL, 0}};
const struct sq_word sq_words_effect[] = {{"grants", 1}, {"everything", 2}, {NULL, 0}};
const struct sq_word sq_words_choice[] = {{"first", 0}, {"highest", 1}, {NULL, 0}};

const struct sq_word sq_words_scope[] = {{"claim", 1},    {"voucher", 2},  {"contract", 3},  {"holder", 4},
                                         {"group", 5},    {"provider", 6}, {"programme", 7}, {"service", 8},
                                         {"scenario", 9}, {NULL, 0}};
const struct sq_word sq_words_counted[] = {{"fen", 1},   {"yuan", 1},     {"base", 2},
                                           {"count", 3}, {"quantity", 4}, {NULL, 0}};
const struct sq_word sq_words_period[] = {{"ever", 0}, {"year", 1}, {"quarter", 2}, {"month", 3}, {NULL, 0}};
const struct sq_word sq_words_together[] = {{"excludes", 1}, {"requires", 2}, {"higher", 3}, {"share", 4}, {NULL, 0}};
const struct sq_word sq_words_state[] = {{"granted", 1}, {"redeemed", 2}, {NULL, 0}};
const struct sq_word sq_words_contract[] = {{"no", 0}, {"programme", 1}, {"issuer", 2}, {"node", 3}, {NULL, 0}};
const struct sq_word sq_words_recognition[] = {{"open", 0}, {"agreement", 1}, {NULL, 0}};
const struct sq_word sq_words_pool[] = {{"redemption", 0}, {"grant", 1}, {NULL, 0}};
const struct sq_word sq_words_unit[] = {
    {"card_minutes", 1}, {"tokens", 2}, {"records", 3}, {"megabytes", 4}, {NULL, 0}};
const struct sq_word sq_words_payee[] = {{"provider", 1}, {"holder", 2}, {"either", 3}, {NULL, 0}};
const struct sq_word sq_words_allocation[] = {
    {"first_come", 0}, {"earlier_and_smaller", 1}, {"score", 2}, {"pro_rata", 3}, {NULL, 0}};
const struct sq_word sq_words_rivals[] = {{"first", 0}, {"supplier", 1}, {"buyer", 2}, {NULL, 0}};
const struct sq_word sq_words_trigger[] = {{"grant", 1}, {"grade", 2}, {"metric", 3}, {NULL, 0}};
const struct sq_word sq_words_better[] = {{"less", 1}, {"more", 2}, {NULL, 0}};
const struct sq_word sq_words_action[] = {{"release", 1}, {"stop", 2}, {"take_back", 3}, {NULL, 0}};
const struct sq_word sq_words_flag[] = {{"no", 0}, {"yes", 1}, {NULL, 0}};

static const struct sq_word entities[] = {{"enterprise", 1}, {"institution", 2}, {"university", 3},
                                          {"social", 4},     {"maker", 5},       {NULL, 0}};
static const struct sq_word sizes[] = {{"micro", 1}, {"small", 2}, {"medium", 3}, {"large", 4}, {NULL, 0}};
static const struct sq_word standings[] = {{"startup", 1},    {"specialised", 2}, {"hightech", 3},
                                           {"base_model", 4}, {"one_person", 5},  {NULL, 0}};
static const struct sq_word levels[] = {{"national", 1}, {"provincial", 2}, {"city", 3}, {NULL, 0}};
static const struct sq_word hardwares[] = {{"domestic", 1}, {"other", 2}, {NULL, 0}};
static const struct sq_word purposes[] = {{"training", 1}, {"inference", 2}, {"agents", 3}, {"research", 4}, {NULL, 0}};

static const struct sq_word *words_of(uint32_t attribute)
{
    switch (attribute) {
    case SQ_ATTR(ENTITY):
        return entities;
    case SQ_ATTR(SIZE):
        return sizes;
    case SQ_ATTR(STANDING):
        return standings;
    case SQ_ATTR(LEVEL):
        return levels;
    case SQ_ATTR(HARDWARE):
        return hardwares;
    case SQ_ATTR(PURPOSE):
        return purposes;
    case SQ_ATTR(SERVICE):
        return sq_words_service;
    default:
        return sq_words_none;
    }
}

static const struct sq_word *find_word(const struct sq_word *list, const char *text)
{
    while (list->word != NULL && strcmp(list->word, text) != 0)
        list++;
    return list->word != NULL ? list : NULL;
}

/* ---- numbers ---- */

/* Digits with up to `places` behind a point, as a whole number of the smallest; stops at the first other character. */
static int read_decimal(const char **text, unsigned places, int64_t *out)
{
    int64_t v = 0;
    const char *p = *text;
    int seen = 0;
    for (; *p >= '0' && *p <= '9'; p++, seen = 1)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
            return 0;
    unsigned left = places;
    if (*p == '.' && p[1] != '.' && seen && places != 0) {
        for (p++, seen = 0; *p >= '0' && *p <= '9' && left > 0; p++, left--, seen = 1)
            if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
                return 0;
    }
    for (; left > 0; left--)
        if (__builtin_mul_overflow(v, 10, &v))
            return 0;
    *text = p;
    *out = v;
    return seen;
}

uint32_t sq_value_whole(struct sq_values *r, const char *place, const char *text)
{
    int64_t v = 0;
    const char *p = text;
    if (!read_decimal(&p, 0, &v) || *p != '\0' || v > UINT32_MAX)
        sq_values_fault(r, place, "'%.30s' is not a whole number", text);
    return (uint32_t)v;
}

/* fen, or -1 */
static int64_t read_money(const char *text)
{
    static const struct {
        const char *unit;
        int64_t yuan;
    } units[] = {{"", 1}, {"万", 10000}, {"亿", 100000000}};
    int64_t v = 0;
    const char *p = text;
    /* "1.25亿" has its places behind the point of the larger unit: read eight of them, then there must be no part of a fen. */
    if (read_decimal(&p, 8, &v))
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            __int128 hundred_millionths = (__int128)v * units[i].yuan;
            if (strcmp(p, units[i].unit) == 0 && hundred_millionths % 1000000 == 0 &&
                hundred_millionths / 1000000 <= INT64_MAX)
                return (int64_t)(hundred_millionths / 1000000);
        }
    return -1;
}

int64_t sq_value_money(struct sq_values *r, const char *place, const char *text)
{
    int64_t fen = text == NULL ? 0 : read_money(text);
    if (fen < 0)
        sq_values_fault(r, place, "'%.30s' is not an amount in yuan, such as 1234.50, 500万 or 1.2亿", text);
    else if (fen == 0 && text != NULL)
        sq_values_fault(r, place, "is zero; leave it out where there is none");
    return fen;
}

uint32_t sq_value_share(struct sq_values *r, const char *place, const char *text)
{
    int64_t v = 0;
    const char *p = text;
    if (text == NULL)
        return 0;
    if (!read_decimal(&p, 2, &v) || strcmp(p, "%") != 0 || v > 10000 || v == 0)
        sq_values_fault(r, place, "'%.30s' is not a share, such as 30%% or 12.5%%, of at most 100%%", text);
    return (uint32_t)v;
}

/* yyyymmdd of "2026-01-31", or 0; whether the calendar has such a day is not asked */
static uint32_t read_day(const char *text)
{
    uint32_t d = 0;
    if (strlen(text) != 10)
        return 0;
    for (size_t i = 0; i < 10; i++) {
        int dash = i == 4 || i == 7;
        if (dash ? text[i] != '-' : text[i] < '0' || text[i] > '9')
            return 0;
        d = dash ? d : d * 10 + (uint32_t)(text[i] - '0');
    }
    return d;
}

uint32_t sq_value_day(struct sq_values *r, const char *place, const char *text)
{
    uint32_t d = read_day(text);
    if (d == 0)
        sq_values_fault(r, place, "'%.30s' is not a day, such as 2026-01-31", text);
    return d;
}

uint32_t sq_value_minute(struct sq_values *r, const char *place, const char *text)
{
    if (text == NULL)
        return 0;
    int form = strlen(text) == 5 && text[2] == ':' && strspn(text, "0123456789:") == 5 &&
               strchr(text + 3, ':') == NULL && text[1] != ':';
    uint32_t hour = form ? (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0') : 99;
    uint32_t minute = form ? (uint32_t)(text[3] - '0') * 10 + (uint32_t)(text[4] - '0') : 99;
    if (hour > 23 || minute > 59 || hour + minute == 0)
        sq_values_fault(r, place, "'%.30s' is not a time of day, such as 17:00; leave it out for the end of the day",
                        text);
    return hour * 60 + minute;
}

uint32_t sq_value_word(struct sq_values *r, const char *place, const struct sq_word *list, const char *text,
                       uint32_t otherwise)
{
    if (text == NULL)
        return otherwise;
    const struct sq_word *w = find_word(list, text);
    int64_t v = 0;
    const char *p = text;
    if (w != NULL)
        return w->number;
    if (read_decimal(&p, 0, &v) && *p == '\0' && v <= UINT32_MAX)
        return (uint32_t)v;
    char known[120] = "";
    for (size_t used = 0; list->word != NULL && used < sizeof known - 1; list++)
        used += (size_t)snprintf(known + used, sizeof known - used, " %s", list->word);
    sq_values_fault(r, place, "'%.30s' is %s%s", text, known[0] != '\0' ? "none of:" : "not a whole number", known);
    return 0;
}

uint32_t sq_value_refusal(struct sq_values *r, const char *place, const char *text)
{
    static const struct {
        const char *name;
        uint32_t number;
    } names[] = {
#define NAME(name, number, retry, text) {#name, number},
        SQ_STATUS_MAP(NAME)
#undef NAME
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(names[i].name, "SQ_R_", 5) == 0 && strcmp(names[i].name + 5, text) == 0)
            return names[i].number;
    return sq_value_word(r, place, sq_words_none, text, 0);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

uint32_t *sq_value_words(struct sq_values *r, const char *place, const struct sq_word *list, char **text,
                         unsigned count)
{
    uint32_t *out = sq_values_take(r, (count + 1) * sizeof *out);
    if (out == NULL)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        out[i] = sq_value_word(r, place, list, text[i], 0);
    qsort(out, count, sizeof *out, by_number);
    for (unsigned i = 1; i < count; i++)
        if (out[i] == out[i - 1])
            sq_values_fault(r, place, "%u is there twice", out[i]);
    return out;
}

/* ---- ranges ---- */

/*
 * A region stands for all below it: 310000 for 310000 to 319999, 440300 for 440300 to 440399. A sector for all classes that begin
 * with it: 65 for 6500 to 6599.
 */
static int read_prefix(uint32_t attribute, const char *text, struct sq_range *out)
{
    size_t digits = strspn(text, "0123456789"), size = attribute == SQ_ATTR(SECTOR) ? 4 : 6;
    if (digits == 0 || text[digits] != '\0' || digits > size || (size == 6 && digits != 6))
        return 0;
    int64_t v = strtoll(text, NULL, 10), step = 1;
    for (size_t i = digits; i < size; i++)
        step *= 10;
    if (size == 6)
        step = v % 10000 == 0 ? 10000 : v % 100 == 0 ? 100 : 1;
    *out = size == 6 ? (struct sq_range){v, v + step - 1} : (struct sq_range){v * step, v * step + step - 1};
    return 1;
}

static int read_one(uint32_t attribute, const char *text, struct sq_range *out)
{
    int64_t v = 0;
    const char *p = text;
    const struct sq_word *w = find_word(words_of(attribute), text);
    switch (attribute) {
    case SQ_ATTR(REGION):
    case SQ_ATTR(TAX_REGION):
    case SQ_ATTR(SECTOR):
        return read_prefix(attribute, text, out);
    case SQ_ATTR(CONTRACT_DAY):
        v = read_day(text);
        break;
    case SQ_ATTR(BASE):
    case SQ_ATTR(CONTRACT_FEN):
        v = read_money(text);
        break;
    default:
        v = w != NULL ? w->number : read_decimal(&p, 0, &v) && *p == '\0' ? v : -1;
    }
    *out = (struct sq_range){v, v};
    return v > 0 || (v == 0 && strcmp(text, "0") == 0);
}

struct sq_range sq_value_range(struct sq_values *r, const char *place, uint32_t attribute, const char *text)
{
    struct sq_range low = {INT64_MIN, INT64_MIN}, high = {INT64_MAX, INT64_MAX};
    const char *dots = strstr(text, "..");
    char first[64] = "";
    int ok;
    if (dots == NULL) {
        ok = read_one(attribute, text, &low);
        high = low;
    } else {
        snprintf(first, sizeof first, "%.*s", (int)(dots - text), text);
        ok = (first[0] == '\0' || read_one(attribute, first, &low)) &&
             (dots[2] == '\0' || read_one(attribute, dots + 2, &high)) && strlen(text) > 2 && low.low <= high.high;
    }
    if (!ok)
        sq_values_fault(r, place, "'%.40s' is not a value or range (3, 3..7, 3.., ..7) of this attribute", text);
    return (struct sq_range){low.low, high.high};
}

uint32_t sq_word_number(const struct sq_word *list, const char *text)
{
    const struct sq_word *w = find_word(list, text);
    int64_t v = 0;
    const char *p = text;
    if (w != NULL)
        return w->number;
    return read_decimal(&p, 0, &v) && *p == '\0' && v <= UINT32_MAX ? (uint32_t)v : 0;
}

/* A statement names one region or class, where a condition's "310000" stands for all below it. */
int sq_attribute_value(uint32_t attribute, const char *text, int64_t *out)
{
    struct sq_range v;
    if (!read_one(attribute, text, &v) || (attribute == SQ_ATTR(SECTOR) && strlen(text) != 4))
        return 0;
    *out = v.low;
    return 1;
}

const char *sq_word_of(const struct sq_word *list, uint32_t number)
{
    while (list->word != NULL && list->number != number)
        list++;
    return list->word;
}

const char *sq_attribute_text(uint32_t attribute, int64_t value, char out[static 32])
{
    const char *word = value > 0 && value <= UINT32_MAX ? sq_word_of(words_of(attribute), (uint32_t)value) : NULL;
    if (word != NULL)
        snprintf(out, 32, "%s", word);
    else
        snprintf(out, 32, attribute == SQ_ATTR(SECTOR) ? "%04" PRId64 : "%" PRId64, value);
    return out;
}
