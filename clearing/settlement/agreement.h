/*
 * One decision by n nodes of which fewer than a third may lie: single-decree Tendermint.
 *
 *   round r:   PROPOSE --proposal, or time is up--> PREVOTE --2/3 for one value, or nil--> PRECOMMIT --2/3 precommit--> decided
 *                                                                                            \--time is up--> round r + 1
 *
 * Values are known by their hash only; the host keeps the bytes, knows which are valid, and carries what is said. Times
 * come in as arguments. A node that precommits a value is locked on it and prevotes another only when it is shown a newer
 * round in which more than two thirds prevoted that other: that is why two values can never both be decided.
 *
 * Two values are never decided, whatever is lost or late. That a value is decided needs what the paper asks of the network
 * (section 2): what one honest node has heard, all honest nodes hear in the end.
 *
 * Source: Buchman, Kwon, Milosevic, "The latest gossip on BFT consensus", arXiv 1807.04938, algorithm 1 (line numbers below).
 */
#ifndef SQ_AGREEMENT_H
#define SQ_AGREEMENT_H

#include "clearing/base/hash.h"
#include "clearing/base/table.h"
#include "proto/status.h"

enum sq_agreement_step { SQ_STEP_PROPOSE = 1, SQ_STEP_PREVOTE = 2, SQ_STEP_PRECOMMIT = 3 };

#define SQ_AGREEMENT_ROUNDS_MAX 1000u /* timeouts have grown to minutes by then; further messages are hostile */

#define SQ_AGREEMENT_VOTES_MAX 16u /* different votes of one node in one step of a round; an honest node casts one */

struct sq_agreement_vote {
    uint32_t round, step, node;
    uint8_t nil, again, reserved[2]; /* again: not the first of its node, round and step */
    uint8_t value[SQ_HASH_SIZE];
};

struct sq_agreement_proposal {
    uint32_t round, valid_round; /* valid_round: 0 none, else round + 1 */
    uint8_t value[SQ_HASH_SIZE];
};

struct sq_agreement {
    uint32_t node_count, self, first_proposer, timeout_ms;
    uint32_t started, round, step;
    uint32_t locked_round, valid_round, decided_round; /* 0 none, else round + 1 */
    uint32_t prevotes_seen, precommits_seen;           /* round + 1 whose timers have been set */
    uint32_t polka_seen;                               /* round + 1 for which line 36 has been carried out */
    uint32_t certified_round; /* 0 none, else round + 1 in which a quorum precommitted `certified` */
    uint8_t locked[SQ_HASH_SIZE], valid[SQ_HASH_SIZE], certified[SQ_HASH_SIZE], decided[SQ_HASH_SIZE];
    uint64_t due_ms[4]; /* by step; 0: none; [0] is unused */
    uint32_t due_round[4];
    struct sq_table votes, proposals, doubles; /* doubles: pairs of contradicting votes or proposals */
};

/* What the agreement needs done. Called while it runs; must not call back into it. */
struct sq_agreement_host {
    void *ctx;
    /* By what this node knows, could this value be decided? */
    int (*valid)(void *ctx, const uint8_t value[static SQ_HASH_SIZE]);
    /*
     * Are its bytes here, and usable? A value that more than two thirds prevoted needs no more than that: honest nodes among them
     * found it valid, and what this one knows may come from a liar, or miss what a liar told to others only.
     */
    int (*known)(void *ctx, const uint8_t value[static SQ_HASH_SIZE]);
    /* Propose: `value` again, or, when NULL, a new one whose hash goes to value_out. Told to all other nodes. */
    sq_status (*propose)(void *ctx, uint32_t round, uint32_t valid_round, const uint8_t *value,
                         uint8_t value_out[static SQ_HASH_SIZE]);
    /* Tell all other nodes; value NULL is nil. */
    sq_status (*vote)(void *ctx, uint32_t round, uint32_t step, const uint8_t *value);
};

void sq_agreement_init(struct sq_agreement *a, uint32_t node_count, uint32_t self, uint32_t first_proposer,
                       uint32_t timeout_ms);
void sq_agreement_free(struct sq_agreement *a);

uint32_t sq_agreement_quorum(uint32_t node_count); /* more than two thirds */
uint32_t sq_agreement_proposer(const struct sq_agreement *a, uint32_t round);

/* Begin round 0; messages that came before are kept and count. */
SQ_MUST_CHECK sq_status sq_agreement_start(struct sq_agreement *a, const struct sq_agreement_host *h, uint64_t now_ms);

/*
 * The host has heard something. Repeats are ignored. A second, different vote or proposal of a node, round and step is kept as
 * evidence. A double voter's votes each count for what they say, as in the paper: whichever of them a node hears first, all
 * reach the same quorums in the end. Only the first proposal of a round gets this node's prevote.
 */
SQ_MUST_CHECK sq_status sq_agreement_on_proposal(struct sq_agreement *a, const struct sq_agreement_host *h,
                                                 uint32_t from, uint32_t round, uint32_t valid_round,
                                                 const uint8_t value[static SQ_HASH_SIZE], uint64_t now_ms);
SQ_MUST_CHECK sq_status sq_agreement_on_vote(struct sq_agreement *a, const struct sq_agreement_host *h, uint32_t from,
                                             uint32_t round, uint32_t step, const uint8_t *value, uint64_t now_ms);
/* Has this node been heard to say this? */
int sq_agreement_has_vote(const struct sq_agreement *a, uint32_t node, uint32_t round, uint32_t step,
                          const uint8_t value[static SQ_HASH_SIZE]);
/* A value may have become valid: look again. */
SQ_MUST_CHECK sq_status sq_agreement_look(struct sq_agreement *a, const struct sq_agreement_host *h, uint64_t now_ms);
SQ_MUST_CHECK sq_status sq_agreement_timeout(struct sq_agreement *a, const struct sq_agreement_host *h, uint32_t round,
                                             uint32_t step, uint64_t now_ms);

/* A value that a quorum has voted for, and that this node must know to go on; NULL: none. Lives until something is heard. */
const uint8_t *sq_agreement_missed(const struct sq_agreement *a, const struct sq_agreement_host *h);

/* The earliest timer; 0 when there is none. */
uint64_t sq_agreement_due(const struct sq_agreement *a, uint32_t *round, uint32_t *step);

static inline int sq_agreement_decided(const struct sq_agreement *a)
{
    return a->decided_round != 0;
}

#endif
