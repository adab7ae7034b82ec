/*
 * How far the sending of an input file has come: FILE.progress beside it, one JSON object a line, each line durable before what it
 * allows happens. With it a run that broke off anywhere goes on where it stood, with the same bytes under the same numbers, so
 * nothing is done twice; and a file that was sent already is not sent again.
 *
 *   {"sanquan_progress": 1, "command": "submit", "network_id": hex, "node": code, "sender": name, "input_sha256": hex, "options": text}
 *   {"chunk": 0, "id": 7, "sent_at_ms": ..., "first_line": 2, "rows": 8192, "note": 0, "body_sha256": hex}    before it is sent
 *   {"answered": 0, "seq": ..., "accepted": ..., "amount_fen": ..., "refused": {"135": 2}, "marks": [0, 118]}  after its receipt verified
 *   {"refused": 0, "status": 110}                           the whole message was refused and changed nothing
 *   {"end": 1}
 *
 *   chunk:   NONE -> SENT -> ANSWERED
 *                      \-> REFUSED -> SENT under another number
 */
#ifndef SQ_PROGRESS_H
#define SQ_PROGRESS_H

#include "clearing/base/hash.h"
#include "proto/status.h"

struct sq_progress; /* opaque: the file and what it says */

struct sq_progress_head { /* whose run it is: a run with another head does not go on with it */
    const char *command, *node, *sender, *options;
    const uint8_t *network_id, *input_hash; /* 32 bytes each */
};

enum sq_chunk_state { SQ_CHUNK_NONE, SQ_CHUNK_SENT, SQ_CHUNK_ANSWERED, SQ_CHUNK_REFUSED };

#define SQ_PROGRESS_MARKS 2
struct sq_chunk {
    enum sq_chunk_state state;
    uint64_t id, sent_at_ms, first_line, rows;
    uint64_t note; /* the command's own: what its body was made with besides the rows */
    uint8_t body_hash[SQ_HASH_SIZE];
    unsigned status;        /* REFUSED: why */
    uint64_t seq, accepted; /* ANSWERED */
    int64_t amount_fen;
    uint32_t refused[256];             /* rows by refusal */
    uint64_t marks[SQ_PROGRESS_MARKS]; /* the command's own: how large its result files were then */
};

/*
 * Open FILE.progress, or begin it. Another process that holds it is SQ_E_LOCKED; a head that differs is SQ_E_USAGE and says in what.
 * A last line without its end was never durable and is cut off.
 * Errors: SQ_E_IO, SQ_E_LOCKED, SQ_E_USAGE, SQ_E_FORMAT (names the line).
 */
SQ_MUST_CHECK sq_status sq_progress_open(const char *input_path, const struct sq_progress_head *head,
                                         struct sq_progress **out, struct sq_error *err);
void sq_progress_close(struct sq_progress *p);

uint64_t sq_progress_chunks(const struct sq_progress *p);                          /* known ones: 0 to this - 1 */
const struct sq_chunk *sq_progress_chunk(const struct sq_progress *p, uint64_t n); /* NULL: not known */
int sq_progress_ended(const struct sq_progress *p);
void sq_progress_marks(const struct sq_progress *p, uint64_t marks[static SQ_PROGRESS_MARKS]); /* as last recorded */

/* Each returns when the line is durable. `c` is what becomes of chunk n; chunks begin in ascending order. */
SQ_MUST_CHECK sq_status sq_progress_record(struct sq_progress *p, uint64_t n, const struct sq_chunk *c,
                                           struct sq_error *err);
SQ_MUST_CHECK sq_status sq_progress_end(struct sq_progress *p, struct sq_error *err);

#endif
