/*
 * A link stream folded a second time, by plain sums of 128 bits, from what its steps stand for.
 */
#ifndef SQ_STREAM_H
#define SQ_STREAM_H

#include "clearing/base/hash.h"
#include "clearing/netting/netting.h"
#include "proto/sanquan.pb-c.h"
#include "proto/status.h"

struct sq_stream_sum { /* a stream up to some number, or what one step of it comes to */
    uint64_t number, count;
    uint8_t hash[SQ_HASH_SIZE];
    __int128 total[SQ_KIND_COUNT];
};

#define SQ_STREAM_STATED 8u /* windows a peer may be ahead, and more: a power of two */
struct sq_stream {
    char debtor[7], creditor[7]; /* node codes */
    struct sq_stream_sum now, settled,
        stated[SQ_STREAM_STATED];    /* stated: when the debtor closed window w, at [w % SQ_STREAM_STATED] */
    __int128 carried[SQ_KIND_COUNT]; /* left by final settlements: below settled.number, and still owed */
    uint64_t stated_window;
    int adopt; /* two people of the creditor have said that the debtor's next statement counts */
};

/*
 * One step, of entry `seq`: `sum` and `result` are what it stands for; the link says how it is numbered and hashed, and what of it the creditor
 * bears, which is taken off `sum`. l NULL: nothing may have moved. Errors: SQ_E_VERIFY, naming what differs; nothing changes then.
 */
SQ_MUST_CHECK sq_status sq_stream_step(struct sq_stream *s, uint64_t batch, const Sanquan__V1__Link *l,
                                       struct sq_stream_sum *sum, const uint8_t result[static SQ_HASH_SIZE],
                                       uint64_t seq, struct sq_error *err);

/* The debtor closes the window with what has gone by; the first time counts. */
void sq_stream_state(struct sq_stream *s, uint64_t window);

/* What this fold has is given up for what the debtor states, where that begins at the last settled number. */
void sq_stream_adopt(struct sq_stream *s, const Sanquan__V1__StatementRow *row);

/* Is the pair of a final settlement the difference of two sums of this fold? Then it is settled up to there; else 0. */
int sq_stream_settle(struct sq_stream *s, uint64_t window, const Sanquan__V1__Pair *p);
/* A final settlement has left this still to be paid. */
void sq_stream_leave(struct sq_stream *s, uint32_t kind, int64_t fen);

#endif
