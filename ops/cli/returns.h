/*
 * What a credit note brings back, voucher by voucher: the register of the invoice's home knows sums only.
 *
 *   items of the invoice, oldest first -> claims that stand -> shares of what must come back -> rows of RETURN
 */
#ifndef SQ_RETURNS_H
#define SQ_RETURNS_H

#include <jansson.h>

#include "proto/status.h"
#include "proto/wire.h"

/* One claim that stands, or a part of one. */
struct sq_standing {
    uint64_t voucher;
    uint32_t service_day;
    int64_t base_fen, amount_fen;           /* what of it stands */
    int64_t back_base_fen, back_amount_fen; /* what comes back of it */
};

struct sq_returns {
    struct sq_standing *list;
    size_t count, capacity;
    struct sq_standing *pending; /* returns that nobody has decided yet: amounts in base_fen and amount_fen */
    size_t pending_count, pending_capacity;
};

void sq_returns_end(struct sq_returns *r);

/*
 * Take a page of items as "history?invoice=NUMBER&claims=1" gives them; pages oldest first. After the last page
 * sq_returns_settle takes off what is being returned and is not decided.
 */
void sq_returns_items(struct sq_returns *r, const json_t *items);
void sq_returns_settle(struct sq_returns *r);

/*
 * Spread what the register says must come back ("invoice/NUMBER/FEN": programmes and back_fen) over the claims: of each programme the
 * base as their bases are and the amount as their amounts are; what all together must give beyond that, as the amounts left are.
 * Errors: SQ_E_VERIFY  the claims are not what the register holds: something is being decided, or the history lags behind
 */
SQ_MUST_CHECK sq_status sq_returns_spread(struct sq_returns *r, const json_t *invoice, struct sq_error *err);

#endif
