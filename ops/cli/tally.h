/*
 * A window's money, line by line: what each provider of a node gets, or what a programme's budget pays for.
 *
 * Every line is one redemption, return, clawback, share borne by the acquirer's region, adjusted break, or use of money in advance. All
 * lines of a window together are what its settlement, and the node's own business, say is owed, issuer by issuer (payouts) or acquirer by
 * acquirer (a budget's node), kind by kind, to the fen; where they are not, there are no lines.
 */
#ifndef SQ_TALLY_H
#define SQ_TALLY_H

#include "ops/common/timeline.h"
#include "ops/history/query.h"

enum sq_tally_what {
    SQ_TALLY_ROW,      /* a row of a batch; verb says what it asked for */
    SQ_TALLY_CLAWBACK, /* taken back by a measurement or a case */
    SQ_TALLY_BORNE,    /* of the row or clawback at the same place, what the acquirer's region bears itself */
    SQ_TALLY_ADVANCE,  /* paid by money in advance: less to the provider, and that much the region has paid already */
    SQ_TALLY_ADJUSTED, /* what a debtor's statement that was taken says beyond the other lines */
};

struct sq_tally_line {
    enum sq_tally_what what;
    uint8_t verb;
    int of_region;             /* on the account of the acquirer's region, not of a provider's */
    char provider[19];         /* USCC of whom it is about; "" when none is */
    uint32_t acquirer, issuer; /* nodes */
    uint32_t kind, row;
    uint64_t voucher, entry; /* entry: of a row, its batch in the acquirer's ledger; else of this ledger. 0: none */
    uint64_t link;           /* 0: the node's own business */
    char invoice[21];        /* "" when there is none */
    int64_t fen;             /* what more the issuer's region pays the acquirer's, or the provider gets, of it */
};

struct sq_tally {
    struct sq_tally_line *lines; /* by account, then as the journal has them */
    size_t count;
    int64_t opening_fen,
        closing_fen; /* of a budget: its pool, less what it has paid for before the window, and with it */
};

/*
 * What providers of the ledger's own node get for a final window. `q` and `t` are of the same ledger.
 * Errors: SQ_R_WINDOW_STATE (it is not final), SQ_E_NOT_FOUND (no such window), SQ_E_VERIFY (the lines do not tie: names where), and of reading.
 */
SQ_MUST_CHECK sq_status sq_tally_payouts(struct sq_query *q, const struct sq_timeline *t, uint64_t window,
                                         struct sq_tally *out, struct sq_error *err);

/*
 * What a programme of the ledger's own node has paid for in a final window. Also holds that all rows and clawbacks ever are what the programme
 * has spent. Errors: as above; SQ_E_NOT_FOUND  the programme is not at home here.
 */
SQ_MUST_CHECK sq_status sq_tally_budget(struct sq_query *q, const struct sq_timeline *t, uint64_t window,
                                        uint32_t issuer, uint32_t programme, struct sq_tally *out,
                                        struct sq_error *err);

void sq_tally_free(struct sq_tally *t);

/* "redeem", "return", "clawback" ...: for files. */
const char *sq_tally_name(const struct sq_tally_line *l);

#endif
