/*
 * Many numbered messages made of one input file, several on the way at once, with a progress file.
 *
 *   put: chunk known as ANSWERED  the caller skips it
 *        known as SENT            the same bytes under the same number
 *        new, or REFUSED          the next number; recorded, then sent
 *   answer: receipt verified -> the caller's `answered` -> recorded
 *
 * A number that somebody else used meanwhile (SQ_R_ID_REUSED) proves that this chunk was never taken under it: it gets a new one, once
 * nothing else is on the way. Any other refusal of a whole message has changed nothing; it ends the sending once the answers to what is
on the way are here, and the next run sends that chunk anew.
 */
#ifndef SQ_SENDING_H
#define SQ_SENDING_H

#include "ops/cli/progress.h"
#include "ops/cli/session.h"

#define SQ_SENDING_MAX 16u

/*
 * An answer with status 0 to chunk n. Fills seq, accepted, amount, refused and marks of *record, and frees `work`.
 */
typedef sq_status (*sq_sending_answered)(void *ctx, uint64_t n, void *work, const struct sq_client_answer *a,
                                         struct sq_chunk *record, struct sq_error *err);

struct sq_sending {
    struct sq_session *session;
    struct sq_progress *progress;
    uint32_t type; /* MessageType */
    sq_sending_answered answered;
    void (*drop)(void *work); /* frees the work of a chunk that was not answered; NULL: free */
    void *ctx;
    unsigned most; /* on the way at once; 0: SQ_SENDING_MAX */
    /* its own */
    uint64_t next_id; /* 0: not asked yet */
    struct sq_waiting_chunk {
        uint64_t n, id;
        uint8_t *body;
        size_t size;
        void *work;
        int again;             /* needs another number */
        int resumed;           /* sent by an earlier run: its answer may be an old refusal */
    } waiting[SQ_SENDING_MAX]; /* ascending by n and, unless again, by id */
    unsigned count;
    struct sq_error failure; /* first refusal of a whole message; SQ_OK: none */
};

/* Sends chunk n, after waiting for answers if many are on the way. Takes body (malloc'd) and work. */
SQ_MUST_CHECK sq_status sq_sending_put(struct sq_sending *s, uint64_t n, uint64_t first_line, uint64_t rows,
                                       uint64_t note, uint8_t *body, size_t size, void *work, struct sq_error *err);
/* Waits for everything that is on the way. */
SQ_MUST_CHECK sq_status sq_sending_finish(struct sq_sending *s, struct sq_error *err);
/* Frees what waits, without waiting for it. */
void sq_sending_close(struct sq_sending *s);

#endif
