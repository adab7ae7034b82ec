/*
 * What the fuzzers share. Each is one file with LLVMFuzzerTestOneInput: linked with libFuzzer by `make fuzz`, and with replay.c for
 * `make test`, which tries the corpus and what is one byte away from it.
 *
 * They state properties: what is accepted is the one spelling of what it means. A property that does not hold ends the program.
 */
#ifndef SQ_FUZZ_H
#define SQ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/arena.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Memory for messages that ends after `left` bytes. Freed as a whole. */
struct fuzz_memory {
    struct sq_arena arena;
    size_t left;
};

static inline void *fuzz_take(void *ctx, size_t size)
{
    struct fuzz_memory *m = ctx;
    if (size > m->left)
        return NULL;
    m->left -= size;
    return sq_arena_room(&m->arena, size);
}

/* Unpacked and packed again, a message of so many bytes needs no more: protobuf-c takes 92 times as much at worst. */
static inline size_t fuzz_room(size_t size)
{
    return 128 * size + 65536;
}

static inline void fuzz_begin(struct fuzz_memory *m, size_t room)
{
    *m = (struct fuzz_memory){.left = room};
    HOLDS(sq_arena_init(&m->arena, room + 4096, NULL) == SQ_OK);
}

#endif
