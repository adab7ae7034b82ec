/*
 * YAML files of people, by libcyaml, strictly: unknown keys, missing keys, wrong types and values out of range are refused with
 * file, line and reason. Anchors and aliases are not followed, so a small file cannot become a large one.
 */
#ifndef SQ_YAML_H
#define SQ_YAML_H

#include <cyaml/cyaml.h>

#include "proto/bytes.h"
#include "proto/status.h"

#define SQ_YAML_SIZE_MAX (4u << 20)

/* `path` is for messages. *out is freed with sq_yaml_free and the same schema. Errors: SQ_E_CONFIG "path:line: reason". */
SQ_MUST_CHECK sq_status sq_yaml_parse(sq_bytes text, const char *path, const cyaml_schema_value_t *schema, void **out,
                                      struct sq_error *err);

/* Read a whole file, or one of at most so many MiB, into malloc'd memory of the caller. Errors: SQ_E_IO, also for one that is larger. */
SQ_MUST_CHECK sq_status sq_file_read(const char *path, uint8_t **data, size_t *size, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_file_read_large(const char *path, unsigned most_mib, uint8_t **data, size_t *size,
                                           struct sq_error *err);

/*
 * The line on which the value at `place` begins ("pool", "limits[2].hard"), or that of the longest part of it that is there:
 * for reasons that libcyaml cannot know. 0 when the text is no YAML.
 */
unsigned sq_yaml_line(sq_bytes text, const char *place);

void sq_yaml_free(const cyaml_schema_value_t *schema, void *value);

#endif
