/*
 * Questions to a history: which rows of the journal, in which order, and what they add up to.
 *
 * An item is a row of a BATCH of this node's providers, or of a CLEAR that another acquirer sent; its fate is what the journal says of it
 * up to the last entry of the history. A voucher's life also shows GRANT, MANDATE and REVOKE rows; an invoice's, the claims of other nodes
 * (REGISTER rows), which are in no window and move nothing: they are items of the node that made them.
 *
 * Looked up by, in this order of preference: voucher, holder, batch, invoice, provider; else entries are walked and skipped by what
 * their heads say (time, window, scenario, amounts, refusals). Whatever the path, the rows are those that a plain scan finds.
 */
#ifndef SQ_QUERY_H
#define SQ_QUERY_H

#include "ops/history/history.h"

enum sq_item_state {
    SQ_ITEM_ACCEPTED = 1,
    SQ_ITEM_REFUSED,
    SQ_ITEM_WAITING,
    SQ_ITEM_GRANTED,
    SQ_ITEM_MANDATED,
    SQ_ITEM_REVOKED
};

struct sq_filter { /* zero, empty: any */
    uint64_t voucher, batch, window;
    char holder[19], provider[19];
    uint8_t invoice[10];
    uint32_t issuer, programme; /* six-digit code; number within the issuer */
    uint32_t kind, scenario, code;
    char debtor[7], creditor[7]; /* nodes: of the voucher's issuer, of the provider */
    char region[7];              /* node that is either */
    enum sq_item_state state;
    int64_t least_fen, most_fen; /* most 0: any */
    uint64_t from_ms, until_ms;  /* until 0: any; first ms that is too late */
    int life;                    /* grants, mandates and revocations too */
    int claims;                  /* claims of other nodes on invoices whose home is here too */
};

struct sq_item {
    uint64_t seq, now_ms, voucher, batch;
    uint32_t row, batch_row, type, service, scenario, day, code,
        kind; /* row: of the entry seq; batch_row: of the batch, in its acquirer's ledger */
    uint8_t verb, invoice[10];
    uint8_t end; /* of an UNREGISTER: enum sq_claim_end */
    enum sq_item_state state;
    int64_t amount_fen, base_fen, total_fen;
    char provider[19], holder[19], debtor[7], creditor[7];
    uint64_t reservation;             /* the provider's own number, or its acquirer's of a part of a bundle; 0: none */
    uint32_t bundle;                  /* its number in the batch, at the acquirer; 0: by itself */
    uint64_t until;                   /* GRANTED: last day of use; MANDATED: last moment, Unix ms */
    uint64_t decided_seq, decided_ms; /* entry that decided it, and its time; 0: none yet */
    uint64_t link;                    /* number in the stream debtor -> creditor; 0: none */
    uint64_t window; /* whose settlement covers it, or the one that was open when it was decided; 0: not decided */
    int is_final;    /* that settlement is final */
};

/* What an accepted item moved: spending positive, giving back negative; 0 for reservations, and for what is not accepted. */
int64_t sq_item_moved_fen(const struct sq_item *item);

/* Where a page ended: the next begins behind it. Zeroed: the beginning. */
struct sq_query_place {
    uint64_t seq;
    uint32_t row;
};

struct sq_query; /* opaque: what a history's questions share (the network, kinds, final windows, one open entry) */

/* Both are borrowed; ask sq_query_refresh after the history went on. */
SQ_MUST_CHECK sq_status sq_query_new(const struct sq_history *h, const struct sq_ledger *l, struct sq_query **out,
                                     struct sq_error *err);
/* h: the history that went on, or another view of it. */
SQ_MUST_CHECK sq_status sq_query_refresh(struct sq_query *q, const struct sq_history *h, struct sq_error *err);
void sq_query_free(struct sq_query *q);

/*
 * At most `max` items that match, oldest first or newest first, from behind *place on; *place moves, and *more_out says whether
 * there may be further ones. Every entry that an item comes from is hashed again. Errors: SQ_E_CORRUPT and what reading the ledger says.
 */
SQ_MUST_CHECK sq_status sq_query_items(struct sq_query *q, const struct sq_filter *f, int newest_first,
                                       struct sq_query_place *place, struct sq_item *out, uint32_t max,
                                       uint32_t *count_out, int *more_out, struct sq_error *err);

struct sq_query_sums {
    uint64_t count[7];     /* by enum sq_item_state */
    int64_t amount_fen[7]; /* accepted: returns count negative */
    int64_t accepted_by_kind_fen[SQ_KIND_COUNT];
    uint64_t refused_by_code[256];
    uint64_t claims;      /* of other nodes; in none of the other sums */
    uint64_t moved_count; /* accepted ones that moved money: neither RESERVE nor RELEASE. What obligations count */
};
SQ_MUST_CHECK sq_status sq_query_sum(struct sq_query *q, const struct sq_filter *f, struct sq_query_sums *out,
                                     struct sq_error *err);

/* Does the item match? For those who scan. */
int sq_filter_takes(const struct sq_filter *f, const struct sq_item *item);

/* The same by a scan of every entry, without any lookup: what all answers must equal. */
typedef sq_status (*sq_item_visit)(void *ctx, const struct sq_item *item, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_query_scan(struct sq_query *q, const struct sq_filter *f, sq_item_visit visit, void *ctx,
                                      struct sq_error *err);

#endif
