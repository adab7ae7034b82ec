/* Netting methods side by side, for what comes from elsewhere than a file. */
#ifndef SQ_NET_H
#define SQ_NET_H

#include "ops/cli/cli.h"

/*
 * All methods on the pairs of a settlement, as a node answers them. Funds come from a file as 'sanquan net' reads it; without one, from what
 * the regions have stated for this window, where its method is funds; else that method is left out. Prints, as the run's result.
 * `method` 0: all of them. Errors: SQ_E_OVERFLOW, SQ_E_NOMEM, SQ_E_FORMAT (the file), SQ_E_USAGE (method funds, and nobody says what there is).
 */
SQ_MUST_CHECK sq_status sq_net_show_window(const struct sq_cli *cli, const json_t *window, const char *funds_path,
                                           uint32_t method, struct sq_error *err);

#endif
