/*
 * What moves money between regions, or pays a provider, and is no row of a batch: what is taken back, what an agreement lets the creditor bear,
 * an adjusted break, money in advance. Kept while a journal is replayed (timeline.h does that); rows are in ops/history.
 */
#ifndef SQ_MOVES_H
#define SQ_MOVES_H

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"

struct sq_moves; /* opaque */

SQ_MUST_CHECK sq_status sq_moves_new(struct sq_moves **out, struct sq_error *err);
void sq_moves_free(struct sq_moves *x);

/* ---- while it is replayed ---- */

/* After each entry was decided; arguments as of a sq_replay_visit. Errors: SQ_E_NOMEM; SQ_E_VERIFY: a link speaks of what this ledger does not know. */
SQ_MUST_CHECK sq_status sq_moves_enter(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *entry,
                                       const struct sq_envelope *envelope, const struct sq_effects *fx,
                                       struct sq_error *err);
/* Then: the entry has cut this window. */
SQ_MUST_CHECK sq_status sq_moves_cut(struct sq_moves *x, const struct sq_core *core, uint64_t window,
                                     struct sq_error *err);
/* Then: the entry has made this window final. */
SQ_MUST_CHECK sq_status sq_moves_settle(struct sq_moves *x, const struct sq_core *core, const struct sq_window_view *v,
                                        struct sq_error *err);

/* ---- reading ---- */

/*
 * What moved a link stream and is no row of a batch, in the order of the journal. A window is as in struct sq_item: the one whose settlement
 * covers it, or, until there is one, the one that was open.
 */
enum sq_move_cause {
    SQ_MOVE_CLAWBACK = 1, /* taken back from a provider by a measurement or a case */
    SQ_MOVE_ADJUSTED, /* two people of this node have taken the debtor's statement: what it says beyond this node's own sums */
};
struct sq_move {
    uint64_t seq, at_ms; /* entry of this ledger */
    uint64_t window, link, voucher;
    uint32_t debtor, creditor, kind; /* nodes; the same one: business of its own */
    uint32_t place;                  /* among the moves of its entry: 0, 1, 2 ... */
    enum sq_move_cause cause;
    int is_final;
    char provider[19]; /* USCC; "" where it is about none */
    int64_t fen;       /* what more is owed of it, before what the creditor bears */
    int64_t borne_fen; /* what more of it the creditor bears under the agreement */
};
uint32_t sq_moves_count(const struct sq_moves *x);
const struct sq_move *sq_moves_at(const struct sq_moves *x, uint32_t i);

/* A step of a link under an agreement: what its rows and moves are borne by, in their order. */
struct sq_share {
    uint64_t link, window;
    uint32_t debtor, creditor, agreement; /* agreement: its version */
    uint32_t borne_bp[SQ_KIND_COUNT];     /* by kind; 0 of kinds that it is not about */
    int is_final;
    int64_t before_fen[SQ_KIND_COUNT]; /* all that was redeemed under it before this step */
    int64_t borne_fen[SQ_KIND_COUNT];  /* of this step, as the link says */
};
uint32_t sq_moves_share_count(const struct sq_moves *x);
const struct sq_share *sq_moves_share(const struct sq_moves *x, uint32_t i);

/* Of what a provider of this node redeemed in a window that was cut, so much was paid by money it had in advance. */
struct sq_advance {
    uint64_t window;
    uint32_t programme; /* its number in the core's table */
    uint32_t provider;  /* party */
    int64_t drawn_fen;  /* negative: returns gave so much back to the advance */
};
uint32_t sq_moves_advance_count(const struct sq_moves *x);
const struct sq_advance *sq_moves_advance(const struct sq_moves *x, uint32_t i);

#endif
