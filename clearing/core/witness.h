/*
 * Witnesses: every node shows its checkpoints to the others, who cosign what continues all that they have seen of it.
 *
 * What a witness remembers of a log and the answer that follows from it are one entry of its journal, so the answer cannot leave before
 * the memory is durable. Rules: C2SP tlog-witness and tlog-cosignature; the wire specification, section 12.
 */
#ifndef SQ_WITNESS_H
#define SQ_WITNESS_H

#include "clearing/core/core.h"
#include "clearing/ledger/tree.h"

#define SQ_SHOWN_PROOFS_MAX                                                                                            \
    64u /* sizes from which the witnesses of a network want to see a tree continued; all the same where all are well */
#define SQ_HEADS_KEPT 4u

/* A checkpoint of a log whose name is known. size 0: none. */
struct sq_head {
    uint64_t size;
    uint8_t root[SQ_HASH_SIZE], signature[64];
};

/* A node, both as a log that is watched here and as a witness of this node's log. The row of this node itself is about its own log. */
struct sq_witness {
    struct sq_head seen[SQ_HEADS_KEPT]; /* cosigned here (of this node: shown), the newest first */
    struct sq_head heard;         /* the largest that others have told of and that is not shown to be continued yet */
    struct sq_head fork[2];       /* two histories, both signed by the node; [0].size 0: none */
    uint64_t fork_ms, fork_entry; /* when, and the entry of this journal that brought it */
    uint64_t cosigned_ms, cosigned_count;
    uint64_t unproven_ms; /* since when its newest checkpoint was not shown to continue what is known; 0: it was */
    uint32_t heard_from, fork_from;
    /* as a witness of this node's log */
    uint64_t known, wanted;       /* sizes that it wants to see continued; 0: none */
    uint64_t size, kept_size;     /* of its newest cosignature; of the one that is part of the quorum */
    uint64_t time_s, kept_time_s; /* of them, by its clock */
    uint8_t signature[64], kept_signature[64];
    uint64_t accused_ms; /* it says since then that this node has signed two histories; 0: it does not */
    uint32_t again, padding;
};

/* This node's own log. */
struct sq_own_log {
    char network[65];
    uint32_t witness_ms;
    struct sq_head witnessed;    /* the newest that more than half of the other nodes have cosigned */
    uint64_t shown_ms, work_seq; /* work_seq: the newest entry that is not about witnessing itself */
};

void sq_core_set_note_check(struct sq_core *core, sq_ed25519_verify verify);

/* NULL in a network without witnesses. */
const struct sq_own_log *sq_core_own_log(const struct sq_core *core);
/* Of node `node`; there is an own log. */
const struct sq_witness *sq_core_witness(const struct sq_core *core, uint32_t node);
/* The newest of a node's log that is known here: shown to this node, or heard of. */
const struct sq_head *sq_core_newest_head(const struct sq_core *core, uint32_t node);
/* How many of the other nodes are more than half. */
uint32_t sq_core_witness_quorum(const struct sq_core *core);

/* Should this node's newest checkpoint be shown to its witnesses? *at_ms_out: from when on; UINT64_MAX: nothing is new. */
int sq_core_show_due(const struct sq_core *core, uint64_t now_ms, uint64_t *at_ms_out);
/* Sizes from which its witnesses want it continued, ascending; those below `size`. */
size_t sq_core_wanted_sizes(const struct sq_core *core, uint64_t size, uint64_t out[static SQ_SHOWN_PROOFS_MAX]);

/* A checkpoint of `node`'s log, and its text; 0 when there is no room. */
size_t sq_core_head_text(const struct sq_core *core, uint32_t node, uint64_t size,
                         const uint8_t root[static SQ_HASH_SIZE], char *out, size_t out_size);
/* As a signed note: of node's log; when it is this node's own and witnessed, with the cosignatures of the quorum. 0: no room. */
size_t sq_core_head_note(const struct sq_core *core, uint32_t node, const struct sq_head *head, char *out,
                         size_t out_size);

#endif
