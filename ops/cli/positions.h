/*
 * A window's positions for people: what was owed by pair and kind, nets, payments, who signed. Made of the JSON that a node answers to
 * "window/N", or of the same put together from a ledger, so that both show alike.
 */
#ifndef SQ_POSITIONS_H
#define SQ_POSITIONS_H

#include "ops/cli/cli.h"
#include "ops/common/timeline.h"

/* As a node would answer; with "local" for the node's own business, which is never netted. A new reference. Errors: SQ_E_NOT_FOUND. */
SQ_MUST_CHECK sq_status sq_positions_read(const struct sq_timeline *t, uint64_t window, json_t **out,
                                          struct sq_error *err);

/* To standard output. */
void sq_positions_print(const json_t *window);

/* A window's state, "final" and so on, in the reader's language. */
const char *sq_positions_state(const char *state);

#endif
