/* From the YAML file to the Agreement message; programme_values.c reads the values and tells what is wrong by its line. */
#include "ops/common/agreement_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "peers/yaml.h"
#include "proto/wire.h"

struct side {
    char *node, *borne, *exposure;
    char **relaxed;
    unsigned relaxed_count;
};

struct file {
    char *version, *from, *until, *rate_ceiling;
    char **kinds;
    struct side *sides;
    unsigned kinds_count, sides_count;
};

#define TEXT_MAX           400
#define NEEDED(type, name) CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER, type, name, 1, TEXT_MAX)
#define MAY(type, name)    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, name, 1, TEXT_MAX)

static const cyaml_schema_value_t word_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MAX)};
static const cyaml_schema_field_t side_fields[] = {
    NEEDED(struct side, node),
    MAY(struct side, borne),
    MAY(struct side, exposure),
    CYAML_FIELD_SEQUENCE("relaxed", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct side, relaxed, &word_schema, 0, 5),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t side_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct side, side_fields)};
static const cyaml_schema_field_t file_fields[] = {
    NEEDED(struct file, version),
    NEEDED(struct file, from),
    NEEDED(struct file, until),
    MAY(struct file, rate_ceiling),
    CYAML_FIELD_SEQUENCE("kinds", CYAML_FLAG_POINTER, struct file, kinds, &word_schema, 1, SQ_KIND_COUNT),
    CYAML_FIELD_SEQUENCE("sides", CYAML_FLAG_POINTER, struct file, sides, &side_schema, 2, 2),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t file_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields)};

const struct sq_word sq_words_relaxed[] = {{"region", SQ_ATTR(REGION)}, {"tax_region", SQ_ATTR(TAX_REGION)},
                                           {"zone", SQ_ATTR(ZONE)},     {"channel", SQ_ATTR(CHANNEL)},
                                           {"lists", SQ_ATTR_LISTS},    {NULL, 0}};

static uint32_t read_day(struct sq_values *r, const char *place, const char *text)
{
    uint32_t day = sq_value_day(r, place, text);
    if (r->st == SQ_OK && !sq_day_valid(day))
        sq_values_fault(r, place, "'%.30s' is no day of the calendar", text);
    return day;
}

static int is_relaxable(uint32_t attribute)
{
    const struct sq_word *w = sq_words_relaxed;
    while (w->word != NULL && w->number != attribute)
        w++;
    return w->word != NULL;
}

static void convert_side(struct sq_values *r, const struct side *f, unsigned k, Sanquan__V1__Side *to)
{
    char place[40];
#define PLACE(key) (snprintf(place, sizeof place, "sides[%u]." key, k), place)
    sanquan__v1__side__init(to);
    to->node = sq_values_take(r, 7);
    if (to->node == NULL)
        return;
    if (strlen(f->node) != 6 || strspn(f->node, "0123456789") != 6)
        sq_values_fault(r, PLACE("node"), "'%.30s' is not a node's six-digit code", f->node);
    else
        memcpy(to->node, f->node, 6);
    to->borne_bp = sq_value_share(r, PLACE("borne"), f->borne);
    to->exposure_fen = sq_value_money(r, PLACE("exposure"), f->exposure);
    to->n_relaxed = f->relaxed_count;
    to->relaxed = sq_value_words(r, PLACE("relaxed"), sq_words_relaxed, f->relaxed, f->relaxed_count);
    for (size_t i = 0; r->st == SQ_OK && i < to->n_relaxed; i++)
        if (!is_relaxable(to->relaxed[i]))
            sq_values_fault(r, PLACE("relaxed"), "%u cannot be relaxed", to->relaxed[i]);
#undef PLACE
}

static void convert_sides(struct sq_values *r, const struct file *f, Sanquan__V1__Agreement *m)
{
    Sanquan__V1__Side *side = sq_values_take(r, 2 * sizeof *side);
    m->sides = sq_values_take(r, 2 * sizeof *m->sides);
    m->n_sides = 2;
    for (unsigned k = 0; r->st == SQ_OK && k < 2; k++)
        convert_side(r, &f->sides[k], k, &side[k]);
    if (r->st != SQ_OK)
        return;
    int first = strcmp(side[0].node, side[1].node) < 0 ? 0 : 1;
    m->sides[0] = &side[first];
    m->sides[1] = &side[1 - first];
    if (strcmp(side[0].node, side[1].node) == 0)
        sq_values_fault(r, "sides[1].node", "'%.6s' is on both sides", side[0].node);
}

static void convert(struct sq_values *r, const struct file *f, Sanquan__V1__Agreement *m)
{
    m->version = sq_value_whole(r, "version", f->version);
    if (r->st == SQ_OK && m->version == 0)
        sq_values_fault(r, "version", "versions are 1, 2, 3 ...");
    m->from_day = read_day(r, "from", f->from);
    m->until_day = read_day(r, "until", f->until);
    if (r->st == SQ_OK && m->until_day < m->from_day)
        sq_values_fault(r, "until", "lies before from");
    m->rate_ceiling_bp = sq_value_share(r, "rate_ceiling", f->rate_ceiling);
    m->n_kinds = f->kinds_count;
    m->kinds = sq_value_words(r, "kinds", sq_words_kind, f->kinds, f->kinds_count);
    for (size_t i = 0; r->st == SQ_OK && i < m->n_kinds; i++)
        if (m->kinds[i] < 1 || m->kinds[i] > SQ_KIND_COUNT)
            sq_values_fault(r, "kinds", "%u is no kind: 1 to %u", m->kinds[i], SQ_KIND_COUNT);
    convert_sides(r, f, m);
}

sq_status sq_agreement_read(const char *path, struct sq_arena *arena, Sanquan__V1__Agreement **out,
                            struct sq_error *err)
{
    uint8_t *data;
    size_t size;
    void *parsed = NULL;
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    struct sq_values r = {path, sq_bytes_of(data, size), arena, err, SQ_OK};
    r.st = sq_yaml_parse(r.text, path, &file_schema, &parsed, err);
    Sanquan__V1__Agreement *m = r.st == SQ_OK ? sq_values_take(&r, sizeof *m) : NULL;
    if (m != NULL) {
        sanquan__v1__agreement__init(m);
        convert(&r, parsed, m);
    }
    if (parsed != NULL)
        sq_yaml_free(&file_schema, parsed);
    free(data);
    if (r.st == SQ_OK)
        *out = m;
    return r.st;
}
