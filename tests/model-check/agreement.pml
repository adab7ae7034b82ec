/*
 * Single-decree Tendermint as clearing/settlement/agreement.c carries it out: three honest nodes and one that says anything.
 *
 * Safety to be shown: there never are precommits enough (a certificate) for two values, in whatever rounds. Whoever holds a
 * certificate, now or in ten years, holds the one.
 *
 * What stands for what:
 *   - A message that was sent is in a set that only grows. A node acts on any messages of the set it likes, when it likes,
 *     or never. So every loss, delay and reordering is there, each being a way of not acting yet. A duplicate adds nothing
 *     to a set; COUNT_TWICE is the model in which it does.
 *   - Timers may run out at any moment: time gives no safety here.
 *   - A node that crashes does nothing until it restarts, from its journal. It journals before it sends, so its journal is
 *     its state here, and a vote journalled and not yet sent is one that nobody has acted on yet. SEND_FIRST is the model in which
 *     a node may crash after sending a vote and before journalling it.
 *   - The fourth node equivocates: in every round and step it tells each node the vote that this node lacks, and as proposer any
 *     value with any valid round. So it has no state: a quorum of three is any two honest votes, and its rounds offer any value.
 *   - Every value is valid; a node that does not find it so keeps silent, which any node may here at any time.
 *   - A vote for nil helps no value, so it is not kept: a node that says nil is one that goes on without a vote, as is one that
 *     skips to a later round (line 55). One that has decided goes on no more. What will never be read is not kept either: locks
 *     in the last round, valid values of a node whose turn to propose does not come again.
 *
 * Bounds: rounds 0 to 2 (lock, unlock, and one more), two values (a violation needs two), any first proposer.
 *
 * Variants that must fail: NO_LOCK (a locked node prevotes what it likes), SEND_FIRST, COUNT_TWICE. Variants that must "fail" too,
 * because the assertion denies something that does happen, so that the model is seen not to be empty: NEVER_DECIDES, NEVER_UNLOCKS.
 */
#ifndef ROUNDS
#define ROUNDS 3
#endif
#define HONEST 3
#define LIAR 3

#define V1 1 /* votes of a node in a round are a set of values: one bit each */
#define V2 2

#ifdef COUNT_TWICE
#define ENOUGH 1 /* one honest vote, heard twice, and the liar's */
#else
#define ENOUGH 2 /* two honest votes and the liar's */
#endif

#define PROPOSE 0
#define PREVOTE 1
#define PRECOMMIT 2

#define at(i, r) ((i) * ROUNDS + (r))
#define has(set, i, r, v) ((set[at(i, r)] & (v)) != 0)
#define quorum(set, r, v) (has(set, 0, r, v) + has(set, 1, r, v) + has(set, 2, r, v) >= ENOUGH)
#if ROUNDS == 3
#define certificate(v) (quorum(precommits, 0, v) || quorum(precommits, 1, v) || quorum(precommits, 2, v))
#define lets_go_any(i, v) (lets_go(i, v, 1) || lets_go(i, v, 2))
#define will_propose(i) ((round[i] < 1 && proposer(1) == i) || (round[i] < 2 && proposer(2) == i))
#else /* 4 */
#define certificate(v) (quorum(precommits, 0, v) || quorum(precommits, 1, v) || quorum(precommits, 2, v) || quorum(precommits, 3, v))
#define lets_go_any(i, v) (lets_go(i, v, 1) || lets_go(i, v, 2) || lets_go(i, v, 3))
#define will_propose(i) ((round[i] < 1 && proposer(1) == i) || (round[i] < 2 && proposer(2) == i) || (round[i] < 3 && proposer(3) == i))
#endif
#define proposer(r) ((first + (r)) % 4)

byte first;                                /* proposer of round 0 */
byte round[HONEST], step[HONEST];
byte locked[HONEST], locked_round[HONEST]; /* 0 none, else round + 1, as in the code */
byte valid[HONEST], valid_round[HONEST];
byte prevotes[HONEST * ROUNDS], precommits[HONEST * ROUNDS];
byte proposal[ROUNDS], proposal_valid_round[ROUNDS]; /* of honest proposers */

/* A vote goes out; then the node's own state changes, unless it may crash in between. */
inline prevote(i, v)
{
    prevotes[at(i, round[i])] = prevotes[at(i, round[i])] | v;
    if
    :: step[i] = PREVOTE
#ifdef SEND_FIRST
    :: skip
#endif
    fi
}

inline precommit(i, v)
{
    precommits[at(i, round[i])] = precommits[at(i, round[i])] | v;
    assert(!(certificate(V1) && certificate(V2)));
#ifdef NEVER_DECIDES
    assert(!certificate(v));
#endif
    if
    :: step[i] = PRECOMMIT;
       if
       :: round[i] + 1 < ROUNDS ->
           locked[i] = v;
           locked_round[i] = round[i] + 1
       :: else
       fi
#ifdef SEND_FIRST
    :: skip
#endif
    fi
}

/* The prevotes of round from - 1 are there, so a proposal of this round may speak of them. */
#define shown(i, v, from) ((from) <= round[i] && quorum(prevotes, (from) - 1, v))

/* Line 29: is a node that is locked let go by a proposal with this valid round? */
#define lets_go(i, v, from) (locked_round[i] <= (from) && shown(i, v, from))

/* Lines 22 and 28 for the proposal of an honest node. */
#define is_proposed(i, v)                                                                                                                  \
    (proposal[round[i]] == (v) && (proposal_valid_round[round[i]] == 0 || shown(i, v, proposal_valid_round[round[i]])))
#ifdef NO_LOCK
#define may_prevote(i, v) is_proposed(i, v)
#define may_prevote_liar(i, v) (proposer(round[i]) == LIAR)
#else
#define may_prevote(i, v)                                                                                                                  \
    (is_proposed(i, v) && (locked_round[i] == 0 || locked[i] == (v) ||                                                                     \
                           (proposal_valid_round[round[i]] != 0 && lets_go(i, v, proposal_valid_round[round[i]]))))
/* The same when the liar proposes: with whatever valid round serves. */
#define may_prevote_liar(i, v)                                                                                                             \
    (proposer(round[i]) == LIAR &&                                                                                                         \
     (locked_round[i] == 0 || locked[i] == (v) || lets_go_any(i, v)))
#endif

inline answer(i, v)
{
#ifdef NEVER_UNLOCKS
    assert(locked_round[i] == 0 || locked[i] == v);
#endif
    prevote(i, v)
}

/* Line 36: more than two thirds prevoted the value proposed in this round. */
#define polka(i, v) (quorum(prevotes, round[i], v) && (proposal[round[i]] == (v) || proposer(round[i]) == LIAR))
inline see(i, v)
{
    if
    :: will_propose(i) ->
        valid[i] = v;
        valid_round[i] = round[i] + 1
    :: else
    fi
}

/* Line 11. */
inline enter(i)
{
    step[i] = PROPOSE;
    if
    :: proposer(round[i]) == i && valid_round[i] != 0 ->
        proposal[round[i]] = valid[i];
        proposal_valid_round[round[i]] = valid_round[i];
        if
        :: !will_propose(i) ->
            valid[i] = 0;
            valid_round[i] = 0
        :: else
        fi
    :: proposer(round[i]) == i && valid_round[i] == 0 -> proposal[round[i]] = V1
    :: proposer(round[i]) == i && valid_round[i] == 0 && round[i] != 0 -> proposal[round[i]] = V2 /* the first may be called V1 */
    :: proposer(round[i]) != i
    fi
}

proctype node(byte i)
{
    atomic { enter(i) };
    do
    :: atomic { step[i] == PROPOSE && (may_prevote(i, V1) || may_prevote_liar(i, V1)) -> answer(i, V1) }
    :: atomic { step[i] == PROPOSE && (may_prevote(i, V2) || may_prevote_liar(i, V2)) -> answer(i, V2) }
    /* line 36, at once or when it has precommitted (or said nil) before */
    :: atomic { step[i] != PRECOMMIT && polka(i, V1) -> see(i, V1); precommit(i, V1) }
    :: atomic { step[i] != PRECOMMIT && polka(i, V2) -> see(i, V2); precommit(i, V2) }
    :: atomic { will_propose(i) && valid_round[i] != round[i] + 1 && polka(i, V1) -> step[i] = PRECOMMIT; see(i, V1) }
    :: atomic { will_propose(i) && valid_round[i] != round[i] + 1 && polka(i, V2) -> step[i] = PRECOMMIT; see(i, V2) }
    /* lines 44, 47, 55, 57, 61 and 65: nil, or time is up, or others are ahead */
    :: atomic { round[i] + 1 < ROUNDS -> round[i]++; enter(i) }
    od
}

init {
    atomic {
        select(first : 0 .. 3);
        run node(0);
        run node(1);
        run node(2)
    }
}
