/*
 * What only a replay of the journal shows beside the state at its end: when each settlement window was cut, became final, was instructed and
 * settled or broke; a node's own business in it; what moved a link stream and is no row of a batch (moves.h); and how many messages were
 * refused as a whole.
 *
 * Items and what became of them need no replay: ops/history. Items and what is here together are all that moves money (tally.h adds them up).
 */
#ifndef SQ_TIMELINE_H
#define SQ_TIMELINE_H

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"
#include "ops/common/moves.h"

struct sq_timeline; /* opaque */

/*
 * Replays all of `ledger`, which is borrowed for the call only. The daemon may go on working.
 * Errors: as sq_replay; SQ_E_NOT_FOUND: there is no entry yet.
 */
SQ_MUST_CHECK sq_status sq_timeline_new(const struct sq_ledger *ledger,
                                        void (*progress)(void *ctx, uint64_t entry, uint64_t last) /* NULL */,
                                        void *progress_ctx, struct sq_timeline **out, struct sq_error *err);
void sq_timeline_free(struct sq_timeline *t);

/* State at the end: parties, programmes, vouchers, settlement. */
const struct sq_core *sq_timeline_core(const struct sq_timeline *t);
/* Borrowed; lives as long as the timeline. */
const struct sq_moves *sq_timeline_moves(const struct sq_timeline *t);

struct sq_timeline_window {
    uint64_t window;
    enum sq_window_state state;
    uint64_t opened_ms;
    struct sq_timeline_step {
        uint64_t seq, at_ms; /* 0: not yet */
    } cut, final, instructed, settled, broke;
    uint64_t local_count; /* this node's own business in it: never netted */
    int64_t local_fen[SQ_KIND_COUNT];
};
/* Errors: SQ_E_NOT_FOUND. */
SQ_MUST_CHECK sq_status sq_timeline_window(const struct sq_timeline *t, uint64_t window, struct sq_timeline_window *out,
                                           struct sq_error *err);

struct sq_timeline_refused {
    uint64_t journalled[256]; /* by status: decided, and refused */
    uint64_t rejected[256];   /* by status: refused before they could be decided */
};
void sq_timeline_refused(const struct sq_timeline *t, struct sq_timeline_refused *out);

#endif
