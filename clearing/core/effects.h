/*
 * What one step wants done, in this order: (1) the entry is appended to the journal and is durable,
 * (2) only then anything in `out` leaves the node. Memory lives in the step's arena.
 */
#ifndef SQ_EFFECTS_H
#define SQ_EFFECTS_H

#include <protobuf-c/protobuf-c.h>

#include "clearing/base/arena.h"
#include "proto/status.h"
#include "proto/wire.h"

enum sq_out_kind {
    SQ_OUT_ANSWER = 1,  /* Answer to a client's request `id`; kept for repeats under (party, id) */
    SQ_OUT_PEER = 2,    /* message number `id` of the stream to node `to`; kept until acknowledged */
    SQ_OUT_REPEAT = 3,  /* send the kept answer (party, id) again, if there is one */
    SQ_OUT_REFUSAL = 4, /* Refusal, not kept */
};

struct sq_out {
    enum sq_out_kind kind;
    uint32_t to;   /* ANSWER, REPEAT, REFUSAL: number of the party; PEER: number of the node */
    uint32_t type; /* MessageType of the body */
    uint64_t id;
    sq_bytes body;
};

/* Taken back from a provider without a row that says so, by a measurement or a case: the step `link` of the stream to `creditor`, or part of it. */
struct sq_taken {
    uint64_t voucher, link;
    int64_t fen;                 /* > 0 */
    uint32_t provider, creditor; /* party; node, self for business of its own */
};
#define SQ_TAKEN_MAX 1024 /* one voucher's providers, or the cases of one step */

/* Rows whose decision was kept, and counts since a statement of the link was taken: the sums of those accepted, by kind. */
struct sq_counted {
    uint64_t link; /* its number in the stream of `debtor` */
    uint32_t debtor, padding;
    int64_t fen[SQ_KIND_COUNT];
};

#define SQ_OUT_MAX 4096 /* a step may send two messages to each of some 333 nodes, and answer a few waiting batches */

struct sq_effects {
    struct sq_arena *arena;
    int append;       /* 1: the entry must be journalled; 0: nothing changed */
    uint64_t seq;     /* of the entry, when append */
    sq_bytes outcome; /* canonical Outcome, when append */
    struct sq_out *out;
    size_t out_count;
    const struct sq_taken *taken; /* for who replays: nothing else says it of the node's own business */
    size_t taken_count;
    const struct sq_counted *counted; /* NULL: none; for who replays: the message was refused when it came */
    /* core's own: where peer stream numbers come from */
    uint64_t *peer_next; /* per node, next stream number */
    uint32_t node_count, self;
};

/* Memory of the step, as the wire wants it. */
struct sq_wire_memory sq_effects_memory(struct sq_effects *fx);

/* Append a message to the stream of node `node` (not self). Errors: SQ_E_FULL. */
SQ_MUST_CHECK sq_status sq_effects_send(struct sq_effects *fx, uint32_t node, uint32_t type,
                                        const ProtobufCMessage *body, struct sq_error *err);

/* The same to every node but this one. */
SQ_MUST_CHECK sq_status sq_effects_send_all(struct sq_effects *fx, uint32_t type, const ProtobufCMessage *body,
                                            struct sq_error *err);

#endif
