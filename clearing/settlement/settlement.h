/*
 * Settlement windows: from obligations to finality, on one node.
 *
 *   OPEN -> CUT -> STATED -> PROPOSED -> FINAL -> INSTRUCTED -> SETTLED       (or, where it is not paid, DEFAULTED)
 *                                                     \-> BREAK -> INSTRUCTED   (the bank's confirmation differs by a fen)
 *
 * Called only by the core's step function: no clock, no socket, no key. Signatures on messages were checked
 * before the core saw them, and the stream between two nodes delivers each message once and in order, so when a
 * Statement arrives every Decided before it has been folded.
 *
 * Link stream: what node I (debtor) owes node A (creditor) is numbered 1, 2, 3 ... and hash-chained:
 *     hash(n) = SHA-256( "sanquan/link/v1\0" ‖ hash(n-1) ‖ be64 n ‖ debtor code(6) ‖ creditor code(6)
 *                        ‖ be64 batch ‖ result_hash(32) ‖ be64 count ‖ 7 x be64 total ),   hash(0) = 32 zero bytes
 * Both sides keep the same fold. A window's statement covers the numbers after the last settled one up to the cut, so an
 * item is in exactly one settled window, and a pair that is missing or disputed rolls over whole.
 *
 * Agreement: single-decree Tendermint a window (arXiv 1807.04938, algorithm 1); see agreement.h.
 */
#ifndef SQ_SETTLEMENT_H
#define SQ_SETTLEMENT_H

#include "clearing/base/hash.h"
#include "clearing/base/table.h"
#include "clearing/core/effects.h"
#include "clearing/netting/netting.h"
#include "proto/status.h"

enum sq_window_state {
    SQ_WINDOW_OPEN = 1,
    SQ_WINDOW_CUT,
    SQ_WINDOW_STATED, /* all statements and counterstatements are here, or they are late */
    SQ_WINDOW_PROPOSED,
    SQ_WINDOW_FINAL,      /* more than two thirds precommitted one value: the certificate */
    SQ_WINDOW_INSTRUCTED, /* the maker has entered this node's payments */
    SQ_WINDOW_SETTLED,
    SQ_WINDOW_BREAK,
    SQ_WINDOW_DEFAULTED, /* at the node of a region that has not paid for it */
};

#define SQ_STATEMENTS_LATE_MS                                                                                          \
    10000u /* how long a proposer waits for missing statements before it proposes without them */

struct sq_settlement; /* opaque: links, windows and agreement must agree with each other */

struct sq_settlement_setup {
    const char (*codes)[7]; /* node codes, ascending; copied */
    uint32_t node_count, self;
    enum sq_netting_method method;
    uint32_t round_timeout_ms;
};

SQ_MUST_CHECK sq_status sq_settlement_new(const struct sq_settlement_setup *setup, uint64_t now_ms,
                                          struct sq_settlement **out, struct sq_error *err);
void sq_settlement_free(struct sq_settlement *s);

/* What the members of the network have agreed on beyond the method of netting. Without it: all zeros, every region is active. */
enum sq_loss_rule { SQ_LOSS_SURVIVORS = 0, SQ_LOSS_FUND = 1 };
struct sq_charter {
    enum sq_loss_rule loss_rule; /* FUND: a region's guarantee fund first, then the survivors */
    uint32_t prefunded;          /* 1: a region owes net at most what its settlement account holds */
    uint64_t review_ms; /* how long a window waits between statements and agreement: time to find out who can pay */
};
/* Before anything else; arrays by node number, copied; NULL: none. */
void sq_settlement_set_charter(struct sq_settlement *s, const struct sq_charter *charter, const int64_t *guarantee_fen,
                               const uint8_t *enrolled);

/* ---- regions (regions.c) ---- */

enum sq_region_standing {
    SQ_REGION_ENROLLED = 1,
    SQ_REGION_ACTIVE,
    SQ_REGION_SUSPENDED,
    SQ_REGION_DEFAULTED,
    SQ_REGION_CLOSED
};

uint32_t sq_settlement_standing(const struct sq_settlement *s, uint32_t node);
/* May the debtor come to owe the creditor something new? A region's own business always goes. */
int sq_settlement_may_owe(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor);

struct sq_region_view {
    enum sq_region_standing standing;
    uint64_t since_window;          /* in force since that window was final; 0: since the beginning */
    int64_t guarantee_fen;          /* left of its guarantee fund */
    int waiting_for_checker;        /* at this node */
    enum sq_region_standing wanted; /* what most nodes want; 0: nobody wants anything */
    uint64_t wanted_unpaid;
    uint32_t wanted_by; /* how many of them */
};
void sq_settlement_region(const struct sq_settlement *s, uint32_t node, struct sq_region_view *out);
/* Was it agreed on that the region has not paid for this window? */
int sq_settlement_defaulted(const struct sq_settlement *s, uint32_t node, uint64_t window);

/* ---- links ---- */

struct sq_link_step {
    uint64_t number;
    uint8_t hash[SQ_HASH_SIZE];
    uint64_t count;
    int64_t total_fen[SQ_KIND_COUNT];
};

/*
 * This node owes `creditor` what it just decided; fills number and hash of `step` from count and totals.
 * creditor == self counts local business (kept and shown, never netted).
 * Errors: SQ_E_OVERFLOW; nothing changes then.
 */
SQ_MUST_CHECK sq_status sq_settlement_owe(struct sq_settlement *s, uint32_t creditor, uint64_t batch,
                                          const uint8_t result_hash[static SQ_HASH_SIZE], struct sq_link_step *step,
                                          struct sq_error *err);

/*
 * `debtor` says it owes this node `step`, whose count and totals the caller has recomputed from its own items.
 * Errors: SQ_R_LINK_BROKEN  number or hash does not continue the fold; nothing changes; SQ_E_OVERFLOW.
 */
SQ_MUST_CHECK sq_status sq_settlement_owed(struct sq_settlement *s, uint32_t debtor, uint64_t batch,
                                           const uint8_t result_hash[static SQ_HASH_SIZE],
                                           const struct sq_link_step *step, struct sq_error *err);

/* What there is for more of a kind: an item of `fen` goes while fen <= cap_fen - used_fen, which is within int64. */
struct sq_room {
    int64_t cap_fen, used_fen;
};
/*
 * The debtor's statement of its link was taken as what is so (two people of this node, in a break): the entry in which that last
 * happened; 0: it never did.
 */
uint64_t sq_settlement_taken_at(const struct sq_settlement *s, uint32_t debtor);
/* Is this number in that statement, and after those asked for before? Then 1, and it is used up. */
int sq_settlement_take_number(struct sq_settlement *s, uint32_t debtor, uint64_t number);

/*
 * Net debit caps (caps.c). How much more of a kind may this node come to owe `creditor`? `pending_fen`: what is decided in this step and
 * is not a step of the link yet, by kind. 0 where there is no cap.
 */
int sq_settlement_cap_room(const struct sq_settlement *s, uint32_t creditor, uint32_t kind,
                           const int64_t pending_fen[static SQ_KIND_COUNT], struct sq_room *out);
/* The same under any cap, such as one that an agreement with another region names. */
struct sq_room sq_settlement_room(const struct sq_settlement *s, uint32_t creditor, int64_t cap_fen, uint32_t kind,
                                  const int64_t pending_fen[static SQ_KIND_COUNT]);
/* Reserved for a provider of `creditor`; negative: no longer. */
void sq_settlement_hold(struct sq_settlement *s, uint32_t creditor, uint32_t kind, int64_t fen);

/* How much more of a kind may the region owe before its settlement account covers it no longer? 0: no matter, there is no prefunding
 * (accounts.c), or it is owed at home. */
int sq_settlement_account_room(const struct sq_settlement *s, uint32_t creditor, uint32_t kind,
                               const int64_t pending_fen[static SQ_KIND_COUNT], struct sq_room *out);

#define SQ_ACCOUNT_REFERENCE_MAX 63u
#define SQ_ACCOUNT_MOST_FEN      1000000000000000 /* 10 trillion yuan at a time */
struct sq_account_view {                          /* of this node's region, by kind */
    int64_t balance_fen[SQ_KIND_COUNT];
    int64_t committed_fen[SQ_KIND_COUNT]; /* payments of windows that are final and not settled */
    int64_t owed_fen[SQ_KIND_COUNT];      /* net to all others together, not final, with what is reserved */
    int prefunded, waiting_for_checker;
};
void sq_settlement_account(const struct sq_settlement *s, struct sq_account_view *out);

struct sq_cap_view {
    int set, waiting_for_checker;
    int alarm; /* used is at the alarm's share of the cap, or beyond */
    int64_t cap_fen, used_fen;
    uint32_t alarm_bp;
};
/* debtor or creditor is self; the creditor does not know what its debtor has reserved. */
void sq_settlement_cap(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, struct sq_cap_view *out);

/* ---- events; each may send messages through fx ---- */

/*
 * Close the open window for these kinds, a bit 1 << kind each, 0: all; what is owed in others stays owed, and is in the next (cut-off or operator; a peer's Statement does the same) and open the next. While the window before
 * is not final the cut is remembered, and carried out at finality. Errors: SQ_R_WINDOW_STATE  not the open window.
 */
SQ_MUST_CHECK sq_status sq_settlement_cut(struct sq_settlement *s, uint64_t window, uint32_t kinds, uint64_t now_ms,
                                          struct sq_effects *fx, struct sq_error *err);

/*
 * Does this message speak of a window that is too far ahead to be kept here? Others go on while a node is down, by as many windows as
 * they like, and when it is back the stream of one of them may come long before another's. Such a message must not be taken
 * yet: it comes again, and by then the other streams have brought the windows before.
 */
int sq_settlement_too_early(const struct sq_settlement *s, uint32_t type, sq_bytes body);

/* Who signed what another node brings; pure functions of their arguments and of what was enrolled. */
struct sq_post {
    void *ctx;
    uint32_t (*node_of)(void *ctx, const char *name); /* SQ_ROW_NONE: no node */
    int (*signed_by)(void *ctx, const struct sq_envelope *e, uint32_t node);
    sq_bytes whole; /* the message itself, as it was signed; empty: nobody signed it */
};

/*
 * STATEMENT, COUNTERSTATEMENT, PROPOSAL, VOTE, LINK_ASK, LINK_TELL, DEBIT_CAP_NOTICE, STANDING_NOTICE or RELAY from node `from`; `body` is its
 * canonical bytes.
 */
SQ_MUST_CHECK sq_status sq_settlement_message(struct sq_settlement *s, const struct sq_post *post, uint32_t from,
                                              uint32_t type, sq_bytes body, uint64_t now_ms, struct sq_effects *fx,
                                              struct sq_error *err);

/* An operator's Confirm; `party` tells maker from checker. */
SQ_MUST_CHECK sq_status sq_settlement_confirm(struct sq_settlement *s, uint32_t party, sq_bytes body, uint64_t now_ms,
                                              struct sq_effects *fx, struct sq_error *err);

/*
 * An operator's Break: take over, explain, or, at the creditor and by two people, take the debtor's next statement as it is.
 * Errors: SQ_R_UNKNOWN_NODE, SQ_R_BREAK_STATE, SQ_R_NOTE, SQ_R_NOT_PERMITTED (another operator has taken it over), SQ_R_SAME_PERSON.
 */
SQ_MUST_CHECK sq_status sq_settlement_break_act(struct sq_settlement *s, uint32_t party, sq_bytes body,
                                                struct sq_effects *fx, struct sq_error *err);

/*
 * An operator's DebitCap on what a debtor may come to owe this node; entered by one, agreed to by another with the same values, and
 * then told to the debtor.
 * Errors: SQ_R_UNKNOWN_NODE, SQ_R_DEBIT_CAP_TERMS, SQ_R_NOT_ENTERED (a checker's values are not what waits for him), SQ_R_SAME_PERSON.
 */
SQ_MUST_CHECK sq_status sq_settlement_debit_cap(struct sq_settlement *s, uint32_t party, sq_bytes body,
                                                struct sq_effects *fx, struct sq_error *err);

/*
 * An operator's Account: money paid into the region's settlement account (negative: taken out); entered by one, agreed to by another.
 * Errors: SQ_R_ACCOUNT (kind or amount out of range, or the account does not hold that much beyond what it is needed for), SQ_R_NOTE (reference),
 *         SQ_R_NOT_ENTERED, SQ_R_SAME_PERSON.
 */
SQ_MUST_CHECK sq_status sq_settlement_account_enter(struct sq_settlement *s, uint32_t party, sq_bytes body,
                                                    struct sq_effects *fx, struct sq_error *err);

/*
 * A Standing: what a region is to become, entered by one person and agreed to by another; then all nodes are told that this node wants it.
 * Errors: SQ_R_UNKNOWN_NODE, SQ_R_STANDING (it cannot become that from what it is, or has no payment in that window), SQ_R_NOTE,
 *         SQ_R_NOT_ENTERED, SQ_R_SAME_PERSON.
 */
SQ_MUST_CHECK sq_status sq_settlement_stand(struct sq_settlement *s, uint32_t party, sq_bytes body,
                                            struct sq_effects *fx, struct sq_error *err);

/* When something is due next (UINT64_MAX: nothing), and what to do then. */
struct sq_settlement_due {
    uint64_t at_ms, window;
    uint32_t reason, round,
        step; /* as in Tick: 2 agreement timeout, 3 statements are late, or the review is over, 4 precommits are late, 6 a part is late */
};
struct sq_settlement_due sq_settlement_next(const struct sq_settlement *s);

/* It is due; a timer that no longer matters changes nothing. */
SQ_MUST_CHECK sq_status sq_settlement_tick(struct sq_settlement *s, const struct sq_settlement_due *due,
                                           uint64_t now_ms, struct sq_effects *fx, struct sq_error *err);

/* ---- reading ---- */

uint64_t sq_settlement_open_window(const struct sq_settlement *s);
uint64_t sq_settlement_last_final(const struct sq_settlement *s); /* windows become final in order; 0: none is */

/*
 * The hash of a settlement, which its certificate is about. Settlements may be longer than a message; their bytes go in parts of 524288:
 *     SHA-256( "sanquan/settlement/v1\0" ‖ be64 size ‖ SHA-256 of each part ),   the last part may be shorter
 */
#define SQ_SETTLEMENT_SIZE_MAX (64u << 20) /* 400 nodes that all owe each other in every kind, and pay gross */
void sq_settlement_hash(sq_bytes value, uint8_t out[static SQ_HASH_SIZE]);
/* Unpacked on the heap, to be freed with sanquan__v1__settlement__free_unpacked; NULL when not canonical. */
struct Sanquan__V1__Settlement;
struct Sanquan__V1__Settlement *sq_settlement_open(sq_bytes value);

struct sq_window_view {
    uint64_t window, opened_ms, cut_ms, final_ms, settled_ms;
    enum sq_window_state state;
    uint32_t round, precommits;       /* of the deciding round, or the current one */
    uint8_t value_hash[SQ_HASH_SIZE]; /* when final: sq_settlement_hash */
    sq_bytes value;                   /* canonical Settlement, when final; borrowed from s */
};

/* SQ_E_NOT_FOUND for a window that is not kept (windows start at 1; all are kept in memory). */
SQ_MUST_CHECK sq_status sq_settlement_window(const struct sq_settlement *s, uint64_t window, struct sq_window_view *out,
                                             struct sq_error *err);

struct sq_link_view {
    struct sq_link_step last; /* number, hash; count and totals since the last settled number */
    uint64_t settled_number;  /* last number covered by a final settlement */
};
/* debtor or creditor is self. */
void sq_settlement_link(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, struct sq_link_view *out);

/*
 * Breaks: links whose two sides stated different things (breaks.c). One link has at most one that is open. A break is over when the
 * link has settled, and not before, whatever people say about it.
 */
enum sq_break_state { SQ_BREAK_LOOKING = 1, SQ_BREAK_FOUND, SQ_BREAK_CLOSED };
enum sq_break_cause {
    SQ_BREAK_ENTRY = 1, /* `number` is the first that differs */
    SQ_BREAK_SUMS,      /* every number is the same; a statement adds them up differently */
    SQ_BREAK_RANGE,     /* the two sides do not begin at the same number */
};
enum sq_break_outcome {
    SQ_BREAK_OPEN = 0,
    SQ_BREAK_MATCHED,   /* the two sides came to say the same */
    SQ_BREAK_EXPLAINED, /* people know why; it still does not settle until the two sides say the same */
    SQ_BREAK_ADJUSTED,  /* two people of the creditor took the debtor's statement as it was */
};
enum sq_break_action { SQ_BREAK_TAKE = 1, SQ_BREAK_EXPLAIN, SQ_BREAK_ADOPT, SQ_BREAK_AGREE };

#define SQ_LINK_HASH_PREFIX 16u
#define SQ_BREAK_NOTE_MAX   199u

struct sq_break_side { /* one side's entry under the number that differs */
    uint64_t present;  /* 0: this side has none */
    uint64_t batch, count;
    uint8_t hash[SQ_LINK_HASH_PREFIX];
    int64_t total_fen[SQ_KIND_COUNT];
};

struct sq_break {
    uint64_t window, last_window; /* in which it came up; in which the two sides differed last */
    uint64_t opened_ms, found_ms, closed_ms;
    uint64_t number;                /* first that differs; 0 while looking, or when no number does */
    uint64_t low, high;             /* while looking: the hash is the same at low and differs at high */
    struct sq_link_step stated[2];  /* [0] debtor, [1] creditor: last number, hash, count and totals in `window` */
    struct sq_break_side entry[2];  /* [0] debtor's, [1] creditor's, when found */
    uint32_t debtor, creditor;      /* one of them is this node */
    uint32_t state, cause, outcome; /* enums above; cause 0 while looking */
    uint32_t owner, maker;          /* party numbers; SQ_ROW_NONE */
    uint32_t asked;                 /* an answer of the debtor is awaited */
    char note[SQ_BREAK_NOTE_MAX + 1];
};

uint32_t sq_settlement_break_count(const struct sq_settlement *s);
const struct sq_break *sq_settlement_break(const struct sq_settlement *s,
                                           uint32_t number); /* in order of opening; borrowed */

/* Precommits that made window final: (node, round) of each; returns how many, at most max. */
uint32_t sq_settlement_signers(const struct sq_settlement *s, uint64_t window, uint32_t *nodes, uint32_t max);

/* Double votes seen: (node, window, round, step) of each; evidence is the two messages in the journal. */
struct sq_double_vote {
    uint64_t window;
    uint32_t node, round, step;
    uint8_t first[SQ_HASH_SIZE], second[SQ_HASH_SIZE]; /* zero: nil */
};
uint32_t sq_settlement_double_votes(const struct sq_settlement *s, struct sq_double_vote *out, uint32_t max);

/*
 * Nodes that signed two different statements (or counterstatements) for one window; the first two of each. The evidence is the two
 * messages: in these entries of the journal, by themselves or inside a RELAY.
 */
struct sq_double_statement {
    uint64_t window, entry[2];
    uint32_t node, counter;        /* counter: 1 counterstatements */
    uint8_t hash[2][SQ_HASH_SIZE]; /* of the bodies */
};
/* How many there are; at most max of them, in the order they were found, into out. */
uint32_t sq_settlement_double_statements(const struct sq_settlement *s, struct sq_double_statement *out, uint32_t max);

/* ---- snapshot ---- */

void sq_settlement_dump(const struct sq_settlement *s, struct sq_dump *d);
SQ_MUST_CHECK sq_status sq_settlement_undump(struct sq_settlement *s, struct sq_reader *r, struct sq_error *err);

#endif
