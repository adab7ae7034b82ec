/*
 * The history of one ledger: runs in LEDGER/history, and a tail in memory for what came since.
 *
 *   journal  |---- run ----|------ run ------|-- tail --|
 *
 * Derived, and never in the way of a decision: whoever reads can build what is missing for itself; one process at a time
 * (the daemon's history thread, `sanquan index`) also keeps it as files. A run that does not belong to the journal, or is damaged
 * in its head, is passed over and built again.
 */
#ifndef SQ_HISTORY_H
#define SQ_HISTORY_H

#include "ops/history/run.h"

struct sq_history;

/* `ledger` is borrowed for the history's life; ledger_path is its folder. run_rows: rows of a run at least, 0 for the usual million. */
SQ_MUST_CHECK sq_status sq_history_open(const char *ledger_path, const struct sq_ledger *ledger, uint32_t run_rows,
                                        struct sq_history **out, struct sq_error *err);
void sq_history_close(struct sq_history *h);

/*
 * Keep new runs as files from here on, if no other process does; *writes_out says. Files of runs that were passed over go.
 */
SQ_MUST_CHECK sq_status sq_history_write(struct sq_history *h, int *writes_out, struct sq_error *err);

/* Take in at most `entries` further entries of the journal; *left_out: how many remain. The tail is looked up in only after sq_history_settle. */
SQ_MUST_CHECK sq_status sq_history_follow(struct sq_history *h, uint64_t entries, uint64_t *left_out,
                                          struct sq_error *err);
SQ_MUST_CHECK sq_status sq_history_settle(struct sq_history *h, struct sq_error *err);

/*
 * The same in pieces, for one who must not be kept long: taking stops where a run is due, and finishing makes that run, which takes a second where
 * it is large. *left_out as above.
 */
SQ_MUST_CHECK sq_status sq_history_take(struct sq_history *h, uint64_t entries, uint64_t *left_out,
                                        struct sq_error *err);
int sq_history_due(const struct sq_history *h);
SQ_MUST_CHECK sq_status sq_history_finish(struct sq_history *h, struct sq_error *err);

/*
 * What can be looked up now, for another thread: it stays as it is while h goes on. NULL when nothing has changed since the last view.
 * To be closed before h.
 */
SQ_MUST_CHECK sq_status sq_history_view(struct sq_history *h, struct sq_history **out, struct sq_error *err);

/* Rows that are not in a run yet. */
uint32_t sq_history_tail_rows(const struct sq_history *h);

/* Runs in order, the tail last. Valid until the next follow or settle. */
unsigned sq_history_run_count(const struct sq_history *h);
const struct sq_run *sq_history_run(const struct sq_history *h, unsigned number);
uint64_t sq_history_seq(const struct sq_history *h); /* entries that can be looked up */

/* Removes LEDGER/history's files. SQ_E_LOCKED: another process is writing them. */
SQ_MUST_CHECK sq_status sq_history_drop(const char *ledger_path, struct sq_error *err);

/* Every run against one built anew from the journal, byte for byte. SQ_E_VERIFY names the first that differs. */
SQ_MUST_CHECK sq_status sq_history_check(struct sq_history *h, struct sq_error *err);

#endif
