/*
 * Reservations: found by provider and number, and ended in time by a heap with the earliest end on top.
 *
 * Invariants: a number is used once, and stays taken when its reservation is over; a reservation is in the heap once, from its
 * beginning until its stated end has passed, whether it still holds something or not.
 *
 * A provider's own reservation is released at its end. A part of a bundle is not: its acquirer may have decided in time to spend it, and the
 * word may be on its way; so it stays held, and is shown as overdue from then on (bundle.c).
 */
#include "clearing/core/state.h"

static uint64_t reservation_hash(uint32_t provider, uint64_t number)
{
    uint64_t key[2] = {provider, number};
    return sq_hash_key(key, sizeof key);
}

struct sq_reservation *sq_reservation_find(const struct sq_core *core, uint32_t provider, uint64_t number)
{
    struct sq_index_cursor c = {.hash = reservation_hash(provider, number)};
    uint32_t row;
    while ((row = sq_index_next(&core->reservation_index, &c)) != SQ_ROW_NONE) {
        struct sq_reservation *r = SQ_ROW(&core->reservations, struct sq_reservation, row);
        if (r->provider == provider && r->number == number)
            return r;
    }
    return NULL;
}

/* Equal ends leave in the order in which they came. */
static int heap_before(const struct sq_core *core, uint32_t a, uint32_t b)
{
    uint64_t x = SQ_ROW(&core->reservations, struct sq_reservation, a)->until_ms;
    uint64_t y = SQ_ROW(&core->reservations, struct sq_reservation, b)->until_ms;
    return x != y ? x < y : a < b;
}

static void heap_push(struct sq_core *core, uint32_t reservation)
{
    struct sq_table *h = &core->reservation_heap;
    uint32_t *slot = sq_table_add(h, NULL), at = h->count - 1;
    SQ_ASSERT(slot != NULL);
    uint32_t *a = h->rows;
    a[at] = reservation;
    for (; at > 0 && heap_before(core, a[at], a[(at - 1) / 2]); at = (at - 1) / 2) {
        uint32_t up = a[(at - 1) / 2];
        a[(at - 1) / 2] = a[at];
        a[at] = up;
    }
}

static void heap_pop(struct sq_core *core)
{
    struct sq_table *h = &core->reservation_heap;
    uint32_t *a = h->rows, at = 0;
    a[0] = a[--h->count];
    for (;;) {
        uint32_t least = at, left = 2 * at + 1;
        for (uint32_t child = left; child < left + 2 && child < h->count; child++)
            if (heap_before(core, a[child], a[least]))
                least = child;
        if (least == at)
            return;
        uint32_t down = a[least];
        a[least] = a[at];
        a[at] = down;
        at = least;
    }
}

void sq_reservation_add(struct sq_core *core, const struct sq_reservation *r)
{
    uint32_t number;
    struct sq_reservation *row = sq_table_add(&core->reservations, &number);
    SQ_ASSERT(row != NULL); /* sq_decide_reserve */
    *row = *r;
    sq_index_put(&core->reservation_index, reservation_hash(r->provider, r->number), number);
    heap_push(core, number);
}

uint64_t sq_reservations_next_ms(const struct sq_core *core)
{
    const uint32_t *top = core->reservation_heap.rows;
    return core->reservation_heap.count == 0 ? UINT64_MAX
                                             : SQ_ROW(&core->reservations, struct sq_reservation, top[0])->until_ms;
}

void sq_reservations_expire(struct sq_core *core, void (*release)(struct sq_core *core, struct sq_reservation *r))
{
    while (sq_reservations_next_ms(core) < core->now_ms) {
        struct sq_reservation *r =
            SQ_ROW(&core->reservations, struct sq_reservation, *(uint32_t *)core->reservation_heap.rows);
        if (r->p.amount_fen != 0 && !sq_is_part(r->number))
            release(core, r);
        heap_pop(core);
    }
}

void sq_reservations_recount(struct sq_core *core)
{
    core->parts_held = 0;
    for (uint32_t i = 0; i < core->reservations.count; i++) {
        const struct sq_reservation *r = SQ_ROW(&core->reservations, struct sq_reservation, i);
        core->parts_held += sq_is_part(r->number) && r->p.amount_fen != 0;
    }
}

void sq_core_overdue(const struct sq_core *core, uint32_t node, uint64_t now_ms, struct sq_overdue_view *out)
{
    *out = (struct sq_overdue_view){0, 0, 0};
    for (uint32_t i = 0; core->parts_held != 0 && i < core->reservations.count; i++) {
        const struct sq_reservation *r = SQ_ROW(&core->reservations, struct sq_reservation, i);
        if (!sq_is_part(r->number) || r->p.amount_fen == 0 || r->acquirer != node || r->until_ms > now_ms)
            continue;
        out->since_ms = out->count == 0 || r->until_ms < out->since_ms ? r->until_ms : out->since_ms;
        out->count++;
        out->amount_fen += r->p.amount_fen;
    }
}
