/* Exact set-off within one kind. Of this folder only: others call sq_net. */
#ifndef SQ_SETOFF_H
#define SQ_SETOFF_H

#include "clearing/netting/netting.h"

/*
 * How much of each obligation stays when as much as possible is discharged in cycles and with funds.
 *
 * o          borrowed; ascending by debtor then creditor, each ordered pair at most once, amounts > 0, of one kind
 * net_fen    borrowed; [participant * stride], received less paid when all obligations are
 * funds_fen  borrowed; [participant * stride] >= 0, or NULL: nobody has any
 * left_fen   count cells: 0 <= left_fen[i] <= o[i].amount_fen
 *
 * The sum of left_fen is the least there is; among such answers the money used (sum over participants of what they
 * pay less what they receive, where that is positive) is the least. Between answers equal in both the order of search decides;
 * it is part of the method: another order would give other bytes.
 * Errors: SQ_E_NOMEM; SQ_E_FULL when count is above 2^31.
 */
SQ_MUST_CHECK sq_status sq_setoff(const struct sq_obligation *o, size_t count, uint32_t participant_count,
                                  const int64_t *net_fen, const int64_t *funds_fen, size_t stride, int64_t *left_fen,
                                  struct sq_error *err);

#endif
