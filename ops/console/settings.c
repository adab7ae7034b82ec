#include "ops/console/settings.h"

#include <stdlib.h>
#include <string.h>

#include "peers/yaml.h"

#define TEXT(name, flag)                                                                                               \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | (flag), struct sq_console_settings, name, 1, 4000)

static const cyaml_schema_field_t fields[] = {
    TEXT(node, 0),
    TEXT(directory, 0),
    TEXT(ledger, 0),
    TEXT(bind, 0),
    TEXT(certificate, CYAML_FLAG_OPTIONAL),
    TEXT(certificate_key, CYAML_FLAG_OPTIONAL),
    TEXT(tokens, 0),
    TEXT(pages, 0),
    TEXT(chart_library, CYAML_FLAG_OPTIONAL),
    TEXT(signature_library, CYAML_FLAG_OPTIONAL),
    TEXT(access_log, CYAML_FLAG_OPTIONAL),
    TEXT(connect, CYAML_FLAG_OPTIONAL),
    TEXT(key, CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_UINT("requests_a_minute", CYAML_FLAG_OPTIONAL, struct sq_console_settings, requests_a_minute),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sq_console_settings, fields)};

static int is_loopback(const char *bind)
{
    return strncmp(bind, "127.", 4) == 0 || strncmp(bind, "[::1]:", 6) == 0;
}

static const char *wrong_with(const struct sq_console_settings *s, const char **where)
{
    const char *colon = strrchr(s->bind, ':');
    *where = "bind:";
    if (colon == NULL || colon == s->bind || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtoul(colon + 1, NULL, 10) > 65535)
        return "bind is ADDRESS:PORT";
    *where = "certificate:";
    if ((s->certificate == NULL) != (s->certificate_key == NULL))
        return "certificate and certificate_key go together";
    *where = "bind:";
    if (s->certificate == NULL && !is_loopback(s->bind))
        return "without a certificate only loopback addresses are served";
    *where = "connect:";
    if ((s->connect == NULL) != (s->key == NULL))
        return "connect and key go together";
    *where = "node:";
    if (strlen(s->node) != 6 || strspn(s->node, "0123456789") != 6)
        return "node is a six-digit code";
    *where = "requests_a_minute:";
    return s->requests_a_minute > 100000 ? "requests_a_minute is 1 to 100000" : NULL;
}

sq_status sq_console_settings_read(const char *path, struct sq_console_settings **out, struct sq_error *err)
{
    uint8_t *data;
    size_t size;
    void *parsed = NULL;
    const char *where, *why;
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    st = sq_yaml_parse(sq_bytes_of(data, size), path, &schema, &parsed, err);
    struct sq_console_settings *s = parsed;
    if (st == SQ_OK && s->requests_a_minute == 0)
        s->requests_a_minute = 600;
    if (st == SQ_OK && (why = wrong_with(s, &where)) != NULL)
        st = sq_fail(err, SQ_E_CONFIG, "%.100s:%u: %s", path, sq_yaml_line(sq_bytes_of(data, size), where), why);
    free(data);
    if (st == SQ_OK)
        *out = s;
    else
        sq_console_settings_free(s);
    return st;
}

void sq_console_settings_free(struct sq_console_settings *s)
{
    if (s != NULL)
        sq_yaml_free(&schema, s);
}
