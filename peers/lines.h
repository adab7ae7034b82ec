/*
 * What has arrived and is not served yet: a line for every sender, served in turn.
 *
 * The turns are those of the scheduler of FQ-CoDel, which is deficit round robin with one courtesy: a sender who comes new is served before
 * those who are waiting already, once a round. So a sender of little waits for the one message that is being served, however much
 * another sends. Cost is bytes: they are known before a message is looked at, and rows, hashing and copying all go by them.
 *
 * Source: RFC 8290 section 4.1 (turns); Choudhury and Hahne, "Dynamic queue length thresholds", IEEE/ACM ToN 6 (2), 1998 (room).
 */
#ifndef SQ_LINES_H
#define SQ_LINES_H

#include "clearing/base/table.h"

/*
 * Memory for all that waits. A line may be as long as what is free beside it: one who floods alone has half, which is as many full batches as the
 * client library keeps under way (256); two have a third each; and there is always room for one more who sends little.
 */
#define SQ_LINES_BYTES (320u << 20)
/* What a message costs beside its bytes: a signature, an entry and an answer take as long as so many bytes of a batch. */
#define SQ_LINES_MESSAGE (16u << 10)
/* A message of more bytes is bulk: it takes more than a turn. */
#define SQ_BULK_BYTES (48u << 10)
/* What a sender gets a turn: some single redemptions, or a share of a full batch, which waits for several turns. */
#define SQ_LINES_QUANTUM (SQ_BULK_BYTES + SQ_LINES_MESSAGE)

/* The head of whatever waits; its memory is the caller's. */
struct sq_waiting {
    struct sq_waiting *next;
    size_t size; /* bytes of the message */
};

struct sq_lines {
    struct sq_table lines; /* [sender] */
    struct sq_ring {
        uint32_t first, last;
    } fresh, round;
    size_t bytes, room; /* of all that waits, each with SQ_LINES_MESSAGE; and for it */
};

/* room: SQ_LINES_BYTES, but for tests */
void sq_lines_init(struct sq_lines *l, size_t room);
/* What still waits is handed to `drop`. */
void sq_lines_free(struct sq_lines *l, void (*drop)(struct sq_waiting *));

/*
 * Behind what this sender has waiting. `sender` is a small number; memory goes by the largest.
 *
 * SQ_E_FULL: there is no room; and there is none for this sender until its line is empty, so that nothing overtakes what was turned away.
 * SQ_E_NOMEM. In both cases `w` stays the caller's.
 */
SQ_MUST_CHECK sq_status sq_lines_put(struct sq_lines *l, uint32_t sender, struct sq_waiting *w);
/* Whose turn it is: the caller's again. NULL: nobody waits. hold_bulk: lines with bulk in front are passed over, and keep their turn. */
struct sq_waiting *sq_lines_take(struct sq_lines *l, int hold_bulk);

#endif
