/* libcyaml says what is wrong in a log: the first reason and the first line number in it are what a person needs. */
#include "peers/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct complaint {
    char reason[160];
    char field[48]; /* the innermost that is wrong */
    unsigned line;
};

static void listen(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
    struct complaint *c = ctx;
    char text[240];
    (void)level;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    const char *said = strncmp(text, "Load: ", 6) == 0 ? text + 6 : text, *at = strstr(text, "line: ");
    if (c->reason[0] == '\0' && strncmp(said, "Backtrace", 9) != 0)
        snprintf(c->reason, sizeof c->reason, "%.150s", said);
    if (at != NULL && c->line == 0)
        c->line = (unsigned)strtoul(at + 6, NULL, 10);
    static const char in_field[] = "in mapping field '";
    const char *field = strstr(text, in_field);
    if (field != NULL && c->field[0] == '\0') {
        field += strlen(in_field);
        snprintf(c->field, sizeof c->field, "%.*s", (int)strcspn(field, "'"), field);
    }
}

/* Some reasons name the field they are about, and then it is another than the innermost one. */
static const char *field_of(const struct complaint *c)
{
    static const char *const naming[] = {"Missing required mapping field", "Unexpected key",
                                         "Mapping field already seen"};
    for (size_t i = 0; i < sizeof naming / sizeof *naming; i++)
        if (strncmp(c->reason, naming[i], strlen(naming[i])) == 0)
            return "";
    return c->field;
}

/* For a key that does not belong, libcyaml tells the line of the value before it: the key is on that line or on a later one. */
static unsigned line_of_key(sq_bytes text, const char *key, unsigned not_before)
{
    size_t size = strlen(key);
    const uint8_t *p = text.data, *end = text.data + text.size;
    for (unsigned line = 1; p < end; line++) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop != NULL ? stop : end;
        for (const uint8_t *at = p; line >= not_before && at + size < stop; at++)
            if (memcmp(at, key, size) == 0 && (at == p || strchr(" \"'{,-", at[-1]) != NULL) &&
                strchr(":\"' ", at[size]) != NULL)
                return line;
        p = stop + 1;
    }
    return not_before;
}

static cyaml_config_t config_of(struct complaint *c)
{
    return (cyaml_config_t){.log_fn = listen,
                            .log_ctx = c,
                            .mem_fn = cyaml_mem,
                            .log_level = CYAML_LOG_WARNING,
                            .flags = CYAML_CFG_NO_ALIAS};
}

sq_status sq_yaml_parse(sq_bytes text, const char *path, const cyaml_schema_value_t *schema, void **out,
                        struct sq_error *err)
{
    struct complaint c = {0};
    cyaml_config_t config = config_of(&c);
    cyaml_data_t *data = NULL;
    cyaml_err_t rc = cyaml_load_data(text.data, text.size, &config, schema, &data, NULL);
    if (rc != CYAML_OK || data == NULL) {
        static const char unexpected[] = "Unexpected key: ";
        cyaml_free(&config, schema, data, 0);
        if (strncmp(c.reason, unexpected, strlen(unexpected)) == 0)
            c.line = line_of_key(text, c.reason + strlen(unexpected), c.line);
        const char *field = field_of(&c), *reason = c.reason[0] != '\0' ? c.reason
                                                    : rc == CYAML_OK    ? "is empty"
                                                                        : cyaml_strerror(rc);
        return sq_fail(err, SQ_E_CONFIG, "%.90s:%u: %s%s%.100s", path, c.line, field, *field != '\0' ? ": " : "",
                       reason);
    }
    *out = data;
    return SQ_OK;
}

/* One step of a place: ".name" or "[number]" of the node; NULL when it is not there. */
static yaml_node_t *descend(yaml_document_t *doc, yaml_node_t *node, const char **place)
{
    if (**place == '[' && node->type == YAML_SEQUENCE_NODE) {
        unsigned long at = strtoul(*place + 1, NULL, 10);
        *place = strchr(*place, ']') + 1;
        yaml_node_item_t *item = node->data.sequence.items.start + at;
        return item < node->data.sequence.items.top ? yaml_document_get_node(doc, *item) : NULL;
    }
    *place += **place == '.';
    size_t size = strcspn(*place, ".[");
    if (node->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(doc, p->key);
        if (key->type == YAML_SCALAR_NODE && key->data.scalar.length == size &&
            memcmp(key->data.scalar.value, *place, size) == 0) {
            *place += size;
            return yaml_document_get_node(doc, p->value);
        }
    }
    return NULL;
}

unsigned sq_yaml_line(sq_bytes text, const char *place)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    unsigned line = 0;
    if (!yaml_parser_initialize(&parser))
        return 0;
    yaml_parser_set_input_string(&parser, text.data, text.size);
    if (yaml_parser_load(&parser, &doc)) {
        yaml_node_t *node = yaml_document_get_root_node(&doc);
        while (node != NULL) {
            line = (unsigned)node->start_mark.line + 1;
            node = *place != '\0' ? descend(&doc, node, &place) : NULL;
        }
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return line;
}

void sq_yaml_free(const cyaml_schema_value_t *schema, void *value)
{
    struct complaint c = {0};
    cyaml_config_t config = config_of(&c);
    cyaml_free(&config, schema, value, 0);
}

sq_status sq_file_read_large(const char *path, unsigned most_mib, uint8_t **data, size_t *size, struct sq_error *err)
{
    const size_t most = (size_t)most_mib << 20;
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return sq_fail(err, SQ_E_IO, "open %s: %s", path, strerror(errno));
    uint8_t *bytes = malloc(most + 1);
    size_t n = bytes != NULL ? fread(bytes, 1, most + 1, f) : 0;
    int failed = ferror(f);
    fclose(f);
    if (bytes == NULL || failed || n > most) {
        free(bytes);
        if (bytes == NULL)
            return sq_fail(err, SQ_E_NOMEM, "%s", path);
        return failed ? sq_fail(err, SQ_E_IO, "%s: cannot be read", path)
                      : sq_fail(err, SQ_E_IO, "%s: is larger than %u MiB", path, most_mib);
    }
    *data = bytes;
    *size = n;
    return SQ_OK;
}

sq_status sq_file_read(const char *path, uint8_t **data, size_t *size, struct sq_error *err)
{
    return sq_file_read_large(path, SQ_YAML_SIZE_MAX >> 20, data, size, err);
}
