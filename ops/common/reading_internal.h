/* Shared by reading.c and reading_items.c only. */
#ifndef SQ_READING_INTERNAL_H
#define SQ_READING_INTERNAL_H

#include "ops/common/reading.h"
#include "proto/sanquan.pb-c.h"

#define SQ_READING_ARENA_SIZE (16u << 20) /* one entry as it was received, and unpacked */

struct sq_reading_leg { /* rows of a batch that came to an end together */
    uint64_t seq, at_ms, link; /* link 0: nothing was owed */
    uint32_t node;             /* issuer */
};

/* An entry with items in it. */
struct sq_reading_bunch_row {
    uint64_t seq, at_ms;
    uint32_t type;             /* BATCH, CLEAR, REGISTER */
    uint32_t party, node;      /* sender; its node */
    uint32_t rows, leg_count;
    struct sq_reading_leg only;        /* when all rows ended in the entry itself: leg_count 1, no arrays */
    struct sq_reading_leg *legs;       /* BATCH that waited: leg of each row + 1, and outcome; owned */
    uint16_t *leg;
    uint8_t *code;
};

struct sq_reading_range { /* numbers of one link stream that one final window covers */
    uint64_t first, last, window;
};

struct sq_reading_stream {
    struct sq_table ranges;    /* struct sq_reading_range, ascending */
    struct {
        uint64_t window, last; /* how far the debtor's statement went */
    } stated[2];               /* by parity of the window */
};

struct sq_reading {
    struct sq_reading_options o;
    struct sq_ledger *ledger;
    struct sq_core *core;
    struct sq_arena arena;
    uint64_t last;             /* entries when the replay began */
    struct sq_table bunches;   /* struct sq_reading_bunch_row, ascending by seq */
    struct sq_table lives;     /* struct sq_reading_life_row */
    struct sq_table windows;   /* struct sq_reading_window, [0] is window 1 */
    struct sq_table local;     /* struct sq_reading_range: this node's stream to itself, a range a closed window */
    struct sq_reading_stream *owes, *owed; /* [node] */
    uint32_t node_count;
    struct sq_link_view own;   /* the stream to itself after the newest entry */
    uint64_t unsettled;        /* windows before this one are settled */
    struct sq_reading_refused refused;
};

/* The window that this number of the stream debtor -> creditor is in, one of which is this node. */
uint64_t sq_reading_window_of(const struct sq_reading *h, uint32_t debtor, uint32_t creditor, uint64_t number);

/* The batch with this entry number; NULL. */
struct sq_reading_bunch_row *sq_reading_bunch(const struct sq_reading *h, uint64_t seq);

#endif
