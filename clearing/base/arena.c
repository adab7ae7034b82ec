#include "clearing/base/arena.h"

#include <stdlib.h>

sq_status sq_arena_init(struct sq_arena *a, size_t size, struct sq_error *err)
{
    a->base = malloc(size);
    a->size = size;
    a->used = 0;
    if (a->base == NULL)
        return sq_fail(err, SQ_E_NOMEM, "arena of %zu bytes", size);
    return SQ_OK;
}

void sq_arena_free(struct sq_arena *a)
{
    if (a == NULL)
        return;
    free(a->base);
    *a = (struct sq_arena){0};
}

void *sq_arena_room(struct sq_arena *a, size_t size)
{
    size_t start = (a->used + 15u) & ~(size_t)15u;
    if (start > a->size || size > a->size - start)
        return NULL;
    a->used = start + size;
    return a->base + start;
}

void *sq_arena_take(struct sq_arena *a, size_t size)
{
    void *p = sq_arena_room(a, size);
    return p != NULL ? memset(p, 0, size) : NULL;
}

void *sq_arena_copy(struct sq_arena *a, const void *data, size_t size)
{
    void *p = sq_arena_room(a, size);
    if (p != NULL && size != 0)
        memcpy(p, data, size);
    return p;
}
