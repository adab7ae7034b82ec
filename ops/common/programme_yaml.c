/*
 * From the YAML file to the Programme message. libcyaml knows the shape of the file and sees to unknown and missing keys; all
 * values are text to it, and are read here, where "500万", "30%" and "2026-01-01" are known. What is wrong is told by its place
 * in the file ("limits[2].hard"), and the place finds the line.
 */
#include "ops/common/programme_yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/policy/programme.h"
#include "peers/yaml.h"

struct file {
    char *issuer, *number, *version, *kind, *title, *from, *until, *rate, *base;
    char *pool, *cap_claim, *cap_year, *cap_total, *min_claim, *stacking, *stack_limit;
    char **services, **provider_regions;
    unsigned services_count, provider_regions_count;
};

#define TEXT_MAX 400
#define NEEDED(type, name) CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER, type, name, 1, TEXT_MAX)
#define MAY(type, name) CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, name, 1, TEXT_MAX)
#define WORDS(type, name) \
    CYAML_FIELD_SEQUENCE(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, name, &word_schema, 1, 256)

static const cyaml_schema_value_t word_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MAX)};
static const cyaml_schema_field_t file_fields[] = {
    NEEDED(struct file, issuer), NEEDED(struct file, number), NEEDED(struct file, version), NEEDED(struct file, kind),
    NEEDED(struct file, title), NEEDED(struct file, from), NEEDED(struct file, until), NEEDED(struct file, rate),
    NEEDED(struct file, base), NEEDED(struct file, pool), MAY(struct file, cap_claim), MAY(struct file, cap_year),
    MAY(struct file, cap_total), MAY(struct file, min_claim), WORDS(struct file, services), WORDS(struct file, provider_regions),
    MAY(struct file, stacking), MAY(struct file, stack_limit), CYAML_FIELD_END};
static const cyaml_schema_value_t file_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields)};

/* One file being read. The first fault stays; everything after it is without effect. */
struct reader {
    const char *path;
    sq_bytes text;
    struct sq_arena *arena;
    struct sq_error *err;
    sq_status st;
};

SQ_PRINTF(3, 4) static void fault(struct reader *r, const char *place, const char *format, ...)
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

/* ---- values ---- */

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
    if (*p == '.' && seen && places != 0) {
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

static uint32_t whole(struct reader *r, const char *place, const char *text)
{
    int64_t v = 0;
    const char *p = text;
    if (!read_decimal(&p, 0, &v) || *p != '\0' || v > UINT32_MAX)
        fault(r, place, "'%.30s' is not a whole number", text);
    return (uint32_t)v;
}

/* Yuan into fen; 0 when it is left out. */
static int64_t money(struct reader *r, const char *place, const char *text)
{
    static const struct {
        const char *unit;
        int64_t yuan;
    } units[] = {{"", 1}, {"万", 10000}, {"亿", 100000000}};
    int64_t v = 0;
    const char *p = text;
    if (text == NULL)
        return 0;
    /* "1.25亿" has its places behind the point of the larger unit: read eight of them, then there must be no part of a fen. */
    if (read_decimal(&p, 8, &v))
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            __int128 hundred_millionths = (__int128)v * units[i].yuan;
            if (strcmp(p, units[i].unit) == 0 && hundred_millionths % 1000000 == 0 && hundred_millionths / 1000000 <= INT64_MAX)
                return (int64_t)(hundred_millionths / 1000000);
        }
    fault(r, place, "'%.30s' is not an amount in yuan, such as 1234.50, 500万 or 1.2亿", text);
    return 0;
}

static uint32_t per_cent(struct reader *r, const char *place, const char *text)
{
    int64_t v = 0;
    const char *p = text;
    if (text == NULL)
        return 0;
    if (!read_decimal(&p, 2, &v) || strcmp(p, "%") != 0 || v > 10000)
        fault(r, place, "'%.30s' is not a share, such as 30%% or 12.5%%, of at most 100%%", text);
    return (uint32_t)v;
}

static uint32_t day(struct reader *r, const char *place, const char *text)
{
    uint32_t d = 0;
    size_t n = strlen(text);
    for (size_t i = 0; n == 10 && i < 10; i++) {
        int dash = i == 4 || i == 7;
        if (dash ? text[i] != '-' : text[i] < '0' || text[i] > '9')
            n = 0;
        else if (!dash)
            d = d * 10 + (uint32_t)(text[i] - '0');
    }
    if (n != 10)
        fault(r, place, "'%.30s' is not a day, such as 2026-01-31", text);
    return d;
}

/* ---- words ---- */

struct word {
    const char *word;
    uint32_t number;
};

static const struct word kinds[] = {{"compute", 1}, {"model", 2}, {"corpus", 3}, {NULL, 0}};
static const struct word bases[] = {{"contract", 1}, {"approved", 2}, {"paid", 3}, {"settled", 4}, {"metered", 5}, {NULL, 0}};
static const struct word stackings[] = {{"exclusive", 0}, {"additive", 1}, {NULL, 0}};
static const struct word services[] = {
    {"rent", 1},      {"api", 2},         {"cloud", 3},     {"private", 4},    {"terminal", 5},   {"training", 6}, {"inference", 7},
    {"finetune", 8},  {"deploy", 9},      {"data", 10},     {"labelling", 11}, {"ops", 12},       {"purchase", 13}, {"storage", 20},
    {"network", 21},  {"security", 22},   {NULL, 0}};

static const struct word *find_word(const struct word *list, const char *text)
{
    while (list->word != NULL && strcmp(list->word, text) != 0)
        list++;
    return list->word != NULL ? list : NULL;
}

/* One of the words, or a number. */
static uint32_t word(struct reader *r, const char *place, const struct word *list, const char *text)
{
    const struct word *w = find_word(list, text);
    int64_t v = 0;
    const char *p = text;
    if (w != NULL)
        return w->number;
    if (read_decimal(&p, 0, &v) && *p == '\0' && v <= UINT32_MAX)
        return (uint32_t)v;
    char known[120] = "";
    for (size_t used = 0; list->word != NULL && used < sizeof known - 1; list++)
        used += (size_t)snprintf(known + used, sizeof known - used, " %s", list->word);
    fault(r, place, "'%.30s' is none of:%s", text, known);
    return 0;
}

uint32_t sq_service_code(const char *name)
{
    const struct word *w = find_word(services, name);
    return w != NULL ? w->number : 0;
}

const char *sq_service_name(uint32_t code)
{
    const struct word *w = services;
    while (w->word != NULL && w->number != code)
        w++;
    return w->word;
}

/* ---- the whole ---- */

static void *take(struct reader *r, size_t size)
{
    void *p = sq_arena_take(r->arena, size);
    if (p == NULL && r->st == SQ_OK)
        r->st = sq_fail(r->err, SQ_E_FULL, "%.90s: too large", r->path);
    return p;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Numbers of a list of words, ascending; one that comes twice is a fault. */
static uint32_t *numbers(struct reader *r, const char *place, const struct word *list, char **text, unsigned count)
{
    uint32_t *out = take(r, (count + 1) * sizeof *out);
    if (out == NULL)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        out[i] = word(r, place, list, text[i]);
    qsort(out, count, sizeof *out, by_number);
    for (unsigned i = 1; i < count; i++)
        if (out[i] == out[i - 1])
            fault(r, place, "%u is there twice", out[i]);
    return out;
}

static void convert(struct reader *r, const struct file *f, Sanquan__V1__Programme *m)
{
    static const struct word none[] = {{NULL, 0}};
    m->issuer = whole(r, "issuer", f->issuer);
    m->number = whole(r, "number", f->number);
    m->version = whole(r, "version", f->version);
    m->kind = word(r, "kind", kinds, f->kind);
    m->title = sq_arena_copy(r->arena, f->title, strlen(f->title) + 1);
    m->from_day = day(r, "from", f->from);
    m->until_day = day(r, "until", f->until);
    m->rate_bp = per_cent(r, "rate", f->rate);
    m->base_kind = word(r, "base", bases, f->base);
    m->pool_fen = money(r, "pool", f->pool);
    m->cap_claim_fen = money(r, "cap_claim", f->cap_claim);
    m->cap_year_fen = money(r, "cap_year", f->cap_year);
    m->cap_total_fen = money(r, "cap_total", f->cap_total);
    m->min_claim_fen = money(r, "min_claim", f->min_claim);
    m->n_services = f->services_count;
    m->services = numbers(r, "services", services, f->services, f->services_count);
    m->n_provider_regions = f->provider_regions_count;
    m->provider_regions = numbers(r, "provider_regions", none, f->provider_regions, f->provider_regions_count);
    m->stacking = f->stacking == NULL ? 0 : word(r, "stacking", stackings, f->stacking);
    m->stack_limit_bp = per_cent(r, "stack_limit", f->stack_limit);
    if (m->title == NULL)
        (void)take(r, SIZE_MAX / 2);
}

sq_status sq_programme_read(const char *path, struct sq_arena *arena, Sanquan__V1__Programme **out, struct sq_error *err)
{
    uint8_t *data;
    size_t size;
    void *parsed = NULL;
    struct sq_fault unfit;
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    struct reader r = {path, sq_bytes_of(data, size), arena, err, SQ_OK};
    r.st = sq_yaml_parse(r.text, path, &file_schema, &parsed, err);
    Sanquan__V1__Programme *m = r.st == SQ_OK ? take(&r, sizeof *m) : NULL;
    if (m != NULL) {
        sanquan__v1__programme__init(m);
        convert(&r, parsed, m);
    }
    if (r.st == SQ_OK && !sq_programme_check(m, &unfit))
        fault(&r, unfit.place, "%s", unfit.why);
    if (parsed != NULL)
        sq_yaml_free(&file_schema, parsed);
    free(data);
    if (r.st == SQ_OK)
        *out = m;
    return r.st;
}
