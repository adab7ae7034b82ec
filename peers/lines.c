/*
 *   a sender:  AWAY --message--> FRESH --its quantum is used up, or its line is empty--> ROUND --empty at its turn--> AWAY
 *
 * Invariants: a sender is in at most one ring, and in none only with an empty line; within a line order is kept; between two turns of
 * a waiting sender every other is served a quantum and a message at most, the fresh ones once; bytes is the sum of all lines
 * and within room.
 */
#include "peers/lines.h"

#include <stddef.h>

enum place { AWAY, FRESH, ROUND };

struct line {
    struct sq_waiting *first, *last;
    size_t bytes, credit; /* credit: may be served before the next turn */
    enum place place;
    int refuses;   /* something was turned away, and the line has not been empty since */
    uint32_t next; /* in its ring */
};

static struct line *line_at(const struct sq_lines *l, uint32_t sender)
{
    return SQ_ROW(&l->lines, struct line, sender);
}

void sq_lines_init(struct sq_lines *l, size_t room)
{
    static const struct sq_ring nobody = {SQ_ROW_NONE, SQ_ROW_NONE};
    *l = (struct sq_lines){.lines = SQ_TABLE_OF(struct line), .fresh = nobody, .round = nobody, .room = room};
}

/* ---- rings ---- */

static void join(struct sq_lines *l, enum place place, uint32_t sender)
{
    struct sq_ring *r = place == FRESH ? &l->fresh : &l->round;
    struct line *line = line_at(l, sender);
    line->place = place;
    line->next = SQ_ROW_NONE;
    if (r->first == SQ_ROW_NONE)
        r->first = sender;
    else
        line_at(l, r->last)->next = sender;
    r->last = sender;
}

static void leave_first(struct sq_lines *l, struct sq_ring *r)
{
    struct line *line = line_at(l, r->first);
    line->place = AWAY;
    r->first = line->next;
}

/* ---- coming and going ---- */

static size_t cost(const struct sq_waiting *w)
{
    return w->size + SQ_LINES_MESSAGE;
}

static sq_status know(struct sq_lines *l, uint32_t sender)
{
    if (sender < l->lines.count)
        return SQ_OK;
    sq_status st = sq_table_reserve(&l->lines, sender + 1 - l->lines.count, NULL);
    while (st == SQ_OK && l->lines.count <= sender)
        sq_table_add(&l->lines, NULL);
    return st;
}

sq_status sq_lines_put(struct sq_lines *l, uint32_t sender, struct sq_waiting *w)
{
    if (know(l, sender) != SQ_OK)
        return SQ_E_NOMEM;
    struct line *line = line_at(l, sender);
    line->refuses = (line->refuses && line->first != NULL) || l->bytes + line->bytes + cost(w) > l->room;
    if (line->refuses)
        return SQ_E_FULL;
    w->next = NULL;
    if (line->first == NULL)
        line->first = w;
    else
        line->last->next = w;
    line->last = w;
    line->bytes += cost(w);
    l->bytes += cost(w);
    if (line->place == AWAY) {
        line->credit = SQ_LINES_QUANTUM;
        join(l, FRESH, sender);
    }
    return SQ_OK;
}

static struct sq_waiting *serve(struct sq_lines *l, struct line *line)
{
    struct sq_waiting *w = line->first;
    line->first = w->next;
    line->credit -= cost(w);
    line->bytes -= cost(w);
    l->bytes -= cost(w);
    return w;
}

struct sq_waiting *sq_lines_take(struct sq_lines *l, int hold_bulk)
{
    uint32_t held = SQ_ROW_NONE; /* the first that was passed over: when it comes again, there are no others */
    for (;;) {
        struct sq_ring *r = l->fresh.first != SQ_ROW_NONE ? &l->fresh : &l->round;
        uint32_t sender = r->first;
        if (sender == SQ_ROW_NONE || sender == held)
            return NULL;
        struct line *line = line_at(l, sender);
        struct sq_waiting *w = line->first;
        int holds = w != NULL && hold_bulk && w->size > SQ_BULK_BYTES, was_fresh = line->place == FRESH;
        if (w != NULL && !holds && cost(w) <= line->credit)
            return serve(l, line);
        leave_first(l, r);
        if (w == NULL && !was_fresh)
            continue;
        if (holds)
            held = held == SQ_ROW_NONE ? sender : held;
        else if (w != NULL)
            line->credit += SQ_LINES_QUANTUM;
        join(l, ROUND, sender); /* also an empty one that was fresh: it counts as new again when a round has passed */
    }
}

void sq_lines_free(struct sq_lines *l, void (*drop)(struct sq_waiting *))
{
    for (struct sq_waiting *w; (w = sq_lines_take(l, 0)) != NULL;)
        drop(w);
    sq_table_free(&l->lines);
}
