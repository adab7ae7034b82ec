/* Netting methods side by side, for what comes from elsewhere than a file. */
#ifndef SQ_NET_H
#define SQ_NET_H

#include "ops/cli/cli.h"

/*
 * All methods on the pairs of a settlement, as a node answers them: an array of {debtor, creditor, total_fen: [by kind]}. Prints, as the
 * run's result. `method` 0: all of them. Errors: SQ_E_OVERFLOW, SQ_E_NOMEM.
 */
SQ_MUST_CHECK sq_status sq_net_show_pairs(const struct sq_cli *cli, const json_t *pairs, uint32_t method,
                                          struct sq_error *err);

#endif
