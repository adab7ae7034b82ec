/* Events by time, equal times by the order in which they were made; and bytes that messages share. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

void *sim_grow(void *rows, size_t count, size_t *capacity, size_t row_size)
{
    if (count < *capacity)
        return rows;
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    rows = realloc(rows, *capacity * row_size);
    SQ_ASSERT(rows != NULL);
    return rows;
}

static int before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void sim_queue_put(struct sim_queue *q, const struct sim_event *e)
{
    q->event = sim_grow(q->event, q->count, &q->capacity, sizeof *q->event);
    size_t at = q->count++;
    struct sim_event fresh = *e;
    fresh.order = q->next_order++;
    for (; at > 0 && before(&fresh, &q->event[(at - 1) / 2]); at = (at - 1) / 2)
        q->event[at] = q->event[(at - 1) / 2];
    q->event[at] = fresh;
}

int sim_queue_take(struct sim_queue *q, struct sim_event *out)
{
    if (q->count == 0)
        return 0;
    *out = q->event[0];
    struct sim_event last = q->event[--q->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < q->count && before(&q->event[child + 1], &q->event[child]))
            child++;
        if (child >= q->count || !before(&q->event[child], &last))
            break;
        q->event[at] = q->event[child];
        at = child;
    }
    if (q->count != 0)
        q->event[at] = last;
    return 1;
}

void sim_queue_free(struct sim_queue *q)
{
    for (size_t i = 0; i < q->count; i++)
        if (q->event[i].kind == SIM_EV_DELIVER)
            sim_bytes_drop(q->event[i].packet.bytes);
    free(q->event);
    *q = (struct sim_queue){0};
}

struct sim_bytes *sim_bytes_new(sq_bytes from)
{
    struct sim_bytes *b = malloc(sizeof *b + from.size + 1);
    SQ_ASSERT(b != NULL && from.size <= UINT32_MAX);
    b->references = 1;
    b->size = (uint32_t)from.size;
    if (from.size != 0)
        memcpy(b->data, from.data, from.size);
    return b;
}

void sim_bytes_drop(struct sim_bytes *b)
{
    if (b != NULL && --b->references == 0)
        free(b);
}
