/*
 * Access tokens: 32 random bytes as text, known here by their SHA-256 only. They are as long as a key, so a plain hash is enough: there is
 * nothing to guess.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clearing/base/day.h"
#include "clearing/base/hash.h"
#include "ops/console/console.h"
#include "peers/yaml.h"

struct line {
    char *name, *participant, *sha256;
    uint32_t until;
};

static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct line, name, 1, 63),
    CYAML_FIELD_STRING_PTR("participant", CYAML_FLAG_POINTER, struct line, participant, 3, SQ_NAME_SIZE_MAX),
    CYAML_FIELD_STRING_PTR("sha256", CYAML_FLAG_POINTER, struct line, sha256, 64, 64),
    CYAML_FIELD_UINT("until", CYAML_FLAG_OPTIONAL, struct line, until),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t line_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct line, fields)};

struct file {
    struct line *tokens;
    unsigned tokens_count;
};
static const cyaml_schema_field_t file_fields[] = {
    CYAML_FIELD_SEQUENCE("tokens", CYAML_FLAG_POINTER, struct file, tokens, &line_schema, 1, 10000),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields)};

static sq_status take_line(const struct line *in, const char *path, sq_bytes text, struct sq_token *out,
                           struct sq_error *err)
{
    static const char *const roles[] = {"regulator:", "operator:", "provider:", "holder:", "issuer:"};
    int known = 0;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        known |= strncmp(in->participant, roles[i], strlen(roles[i])) == 0;
    if (!known)
        return sq_fail(err, SQ_E_CONFIG,
                       "%.80s:%u: %s is no regulator:, operator:, provider:, holder: or issuer:", path,
                       sq_yaml_line(text, in->participant), in->participant);
    if (sq_unhex(in->sha256, out->hash, sizeof out->hash, NULL) != SQ_OK)
        return sq_fail(err, SQ_E_CONFIG, "%.80s:%u: sha256 is 64 lower-case hexadecimal digits", path,
                       sq_yaml_line(text, in->sha256));
    if (in->until != 0 && !sq_day_valid(in->until))
        return sq_fail(err, SQ_E_CONFIG, "%.80s: until of %s is a day like 20271231", path, in->name);
    strcpy(out->participant, in->participant);
    strcpy(out->name, in->name);
    out->until_ms = in->until != 0 ? sq_day_end_ms(in->until) : 0;
    return SQ_OK;
}

sq_status sq_tokens_read(const char *path, struct sq_tokens *out, struct sq_error *err)
{
    struct stat info;
    uint8_t *data;
    size_t size;
    void *parsed = NULL;
    if (stat(path, &info) == 0 && (info.st_mode & 077) != 0)
        return sq_fail(err, SQ_E_CONFIG, "%.100s can be read by others: chmod 600 %.100s", path, path);
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    st = sq_yaml_parse(sq_bytes_of(data, size), path, &schema, &parsed, err);
    const struct file *f = parsed;
    struct sq_tokens t = {st == SQ_OK ? calloc(f->tokens_count, sizeof *t.list) : NULL, 0};
    if (st == SQ_OK && t.list == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "tokens");
    for (; st == SQ_OK && t.count < f->tokens_count; t.count++)
        st = take_line(&f->tokens[t.count], path, sq_bytes_of(data, size), &t.list[t.count], err);
    free(data);
    if (parsed != NULL)
        sq_yaml_free(&schema, parsed);
    if (st == SQ_OK)
        *out = t;
    else
        free(t.list);
    return st;
}

void sq_tokens_free(struct sq_tokens *t)
{
    free(t->list);
    *t = (struct sq_tokens){0};
}

/* Every byte of every hash is looked at, whatever is found. */
static unsigned differs(const uint8_t *a, const uint8_t *b)
{
    unsigned d = 0;
    for (size_t i = 0; i < 32; i++)
        d |= a[i] ^ b[i];
    return d;
}

const struct sq_token *sq_tokens_find(const struct sq_tokens *t, const char *token, uint64_t now_ms)
{
    uint8_t hash[32];
    const struct sq_token *found = NULL;
    sq_sha256(token, strlen(token), hash);
    for (size_t i = 0; i < t->count; i++)
        if (differs(hash, t->list[i].hash) == 0 && (t->list[i].until_ms == 0 || now_ms < t->list[i].until_ms))
            found = &t->list[i];
    return found;
}
