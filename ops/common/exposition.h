/*
 * What a node says of itself ("status", proto/README.md section 14) in the Prometheus text format. The daemon serves it on loopback, and the
 * console to its tokens: the same names, so that one set of alerts fits both.
 */
#ifndef SQ_EXPOSITION_H
#define SQ_EXPOSITION_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* "# HELP" and "# TYPE" of a family; its samples follow. */
void sq_exposition_family(FILE *f, const char *name, const char *type, const char *help);
/* A family of one sample. */
void sq_exposition_one(FILE *f, const char *name, const char *type, const char *help, double value);
/* Everything that the answer to "status" holds; now_ms: to say how long ago something was. */
void sq_exposition_status(FILE *f, const json_t *status, uint64_t now_ms);

#endif
