/*
 * One batch's memory: taken by moving a pointer, given back all at once.
 *
 * Sized at start-up and never grown, so that no redemption costs an allocation; full is a NULL that
 * the caller turns into SQ_E_FULL. Memory is zeroed when it is taken: what is hashed or stored never
 * carries old bytes.
 */
#ifndef SQ_ARENA_H
#define SQ_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/status.h"

struct sq_arena {
    uint8_t *base;
    size_t size, used;
};

SQ_MUST_CHECK sq_status sq_arena_init(struct sq_arena *a, size_t size, struct sq_error *err);
void sq_arena_free(struct sq_arena *a);
static inline void sq_arena_reset(struct sq_arena *a)
{
    a->used = 0;
}

/* 16-byte aligned and zeroed; NULL when full. */
void *sq_arena_take(struct sq_arena *a, size_t size);

/* The same, not zeroed: for arrays whose used part is always written before it is read. */
void *sq_arena_room(struct sq_arena *a, size_t size);

/* A copy of `size` bytes; NULL when full. */
void *sq_arena_copy(struct sq_arena *a, const void *data, size_t size);

#endif
