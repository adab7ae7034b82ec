/* A settlement window as a node or a ledger shows it. */
#ifndef SQ_SETTLE_H
#define SQ_SETTLE_H

#include "ops/cli/cli.h"

/*
 * The JSON of "window/N", from a ledger, or from the node when `ledger` is NULL. *window 0: the newest that is final, or the open one when
 * none is; then it is set. A new reference.
 */
SQ_MUST_CHECK sq_status sq_settle_window(const struct sq_cli *cli, const char *ledger, uint64_t *window, json_t **out,
                                         struct sq_error *err);

#endif
