/*
 * Invariant: a bundle is handed out whole or not at all. A row whose bundle cannot be told may be of the bundle before it or of the one
 * behind it, so neither of them is.
 */
#include "ops/cli/grouper.h"

#include <stdlib.h>

#include "ops/cli/text.h"

struct sq_grouper {
    struct sq_sheet *sheet;
    struct sq_problems *problems;
    uint32_t rows_max, count, capacity;
    struct sq_item *items;
    uint64_t last_bundle;
    struct sq_item ahead; /* the row behind the group */
    enum { NOT_READ, GOOD, WRONG, NO_MORE } ahead_is;
    int doubtful; /* rows before this one were of nobody knows which bundle */
    int torn;
};

struct sq_grouper *sq_grouper_new(struct sq_sheet *sheet, struct sq_problems *problems, uint32_t rows_max)
{
    struct sq_grouper *g = sq_need(calloc(1, sizeof *g));
    *g = (struct sq_grouper){.sheet = sheet, .problems = problems, .rows_max = rows_max};
    return g;
}

void sq_grouper_free(struct sq_grouper *g)
{
    if (g == NULL)
        return;
    free(g->items);
    free(g);
}

int sq_grouper_is_torn(const struct sq_grouper *g)
{
    return g->torn;
}

static void look_ahead(struct sq_grouper *g)
{
    struct sq_row row;
    if (g->ahead_is != NOT_READ)
        return;
    if (!sq_sheet_next(g->sheet, &row))
        g->ahead_is = NO_MORE;
    else
        g->ahead_is = sq_item_read(g->sheet, &row, g->problems, &g->ahead) ? GOOD : WRONG;
}

static void take(struct sq_grouper *g)
{
    if (g->count == g->capacity) {
        g->capacity = g->capacity == 0 ? 16 : g->capacity * 2;
        g->items = sq_need(realloc(g->items, g->capacity * sizeof *g->items));
    }
    g->items[g->count++] = g->ahead;
    g->ahead_is = NOT_READ;
}

static void say(const struct sq_grouper *g, const struct sq_item *item, const char *why)
{
    char value[24];
    snprintf(value, sizeof value, "%" PRIu64, item->bundle);
    sq_problems_add(g->problems, item->line, "bundle", value, "%s", why);
}

/* What only the whole bundle shows; NULL: nothing is wrong. */
static const char *look_at_whole(const struct sq_grouper *g)
{
    struct sq_batch_room room;
    uint32_t fit = 0;
    if (g->count > g->rows_max)
        return _("the bundle has more rows than a batch");
    if (g->items[0].bundle <= g->last_bundle)
        return _("bundles are numbered upwards, and the rows of one follow each other");
    sq_batch_room_begin(&room);
    while (fit < g->count && sq_batch_room_take(&room, &g->items[fit]))
        fit++;
    sq_batch_room_end(&room);
    return fit == g->count ? NULL : _("the rows of a bundle have one reserve_until, and few sets of facts");
}

/* All rows of the bundle that is ahead. 1: they are in g->items; 0: it is not to be sent. */
static int read_bundle(struct sq_grouper *g)
{
    const uint64_t bundle = g->ahead.bundle;
    int whole = !g->doubtful;
    for (; (g->ahead_is == GOOD || g->ahead_is == WRONG) &&
           (g->ahead.bundle == bundle || g->ahead.bundle == SQ_BUNDLE_UNKNOWN);
         look_ahead(g)) {
        g->doubtful = g->ahead.bundle == SQ_BUNDLE_UNKNOWN;
        whole &= g->ahead_is == GOOD;
        if (g->ahead_is == GOOD)
            take(g);
        g->ahead_is = NOT_READ;
    }
    const char *why = g->count == 0 ? NULL : look_at_whole(g);
    g->torn |= bundle <= g->last_bundle;
    g->last_bundle = bundle > g->last_bundle ? bundle : g->last_bundle;
    if (whole && why == NULL)
        return g->count != 0;
    for (uint32_t i = 0; i < g->count; i++)
        say(g, &g->items[i], why != NULL ? why : _("another row of its bundle is wrong"));
    return 0;
}

uint32_t sq_grouper_next(struct sq_grouper *g, const struct sq_item **items)
{
    for (;;) {
        g->count = 0;
        look_ahead(g);
        if (g->ahead_is == NO_MORE)
            return 0;
        if (g->ahead.bundle == SQ_BUNDLE_UNKNOWN || g->ahead.bundle == 0) {
            g->doubtful = g->ahead.bundle == SQ_BUNDLE_UNKNOWN;
            if (g->ahead_is == GOOD)
                take(g);
            g->ahead_is = NOT_READ;
        } else if (!read_bundle(g)) {
            continue;
        }
        *items = g->items;
        if (g->count != 0)
            return g->count;
    }
}
