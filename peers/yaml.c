/* libcyaml says what is wrong in a log: the first reason and the first line number in it are what a person needs. */
#include "peers/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct complaint {
    char reason[160];
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
}

static cyaml_config_t config_of(struct complaint *c)
{
    return (cyaml_config_t){.log_fn = listen, .log_ctx = c, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_WARNING, .flags = CYAML_CFG_NO_ALIAS};
}

sq_status sq_yaml_parse(sq_bytes text, const char *path, const cyaml_schema_value_t *schema, void **out, struct sq_error *err)
{
    struct complaint c = {0};
    cyaml_config_t config = config_of(&c);
    cyaml_data_t *data = NULL;
    cyaml_err_t rc = cyaml_load_data(text.data, text.size, &config, schema, &data, NULL);
    if (rc != CYAML_OK || data == NULL) {
        cyaml_free(&config, schema, data, 0);
        return sq_fail(err, SQ_E_CONFIG, "%.90s:%u: %.120s", path, c.line, c.reason[0] != '\0' ? c.reason : rc == CYAML_OK ? "is empty" : cyaml_strerror(rc));
    }
    *out = data;
    return SQ_OK;
}

void sq_yaml_free(const cyaml_schema_value_t *schema, void *value)
{
    struct complaint c = {0};
    cyaml_config_t config = config_of(&c);
    cyaml_free(&config, schema, value, 0);
}

sq_status sq_file_read(const char *path, uint8_t **data, size_t *size, struct sq_error *err)
{
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return sq_fail(err, SQ_E_IO, "open %s: %s", path, strerror(errno));
    uint8_t *bytes = malloc(SQ_YAML_SIZE_MAX + 1);
    size_t n = bytes != NULL ? fread(bytes, 1, SQ_YAML_SIZE_MAX + 1, f) : 0;
    int failed = ferror(f);
    fclose(f);
    if (bytes == NULL || failed || n > SQ_YAML_SIZE_MAX) {
        free(bytes);
        return bytes == NULL ? sq_fail(err, SQ_E_NOMEM, "%s", path) : sq_fail(err, SQ_E_IO, "%s: %s", path, failed ? "cannot be read" : "is larger than 4 MiB");
    }
    *data = bytes;
    *size = n;
    return SQ_OK;
}
