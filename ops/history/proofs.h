/*
 * The other side of "proofs": does an answer of ops/history/ask.h come from the signed log?
 *
 * Every item of the answer has a proof for its entry, and one for the entry that decided it; every proof leads to the root of the
 * checkpoint; the checkpoint is signed. Where the ledger is at hand, each payload has the hash that its leaf record says.
 */
#ifndef SQ_PROOFS_H
#define SQ_PROOFS_H

#include <jansson.h>

#include "clearing/ledger/ledger.h"

/*
 * origin: name of the log; NULL: whichever the checkpoint says. ledger: NULL when only the answer is there.
 * *entries_out: how many entries were shown to be in the log. Errors: SQ_E_VERIFY (says what), SQ_E_CORRUPT, SQ_E_NOMEM.
 */
SQ_MUST_CHECK sq_status sq_proofs_check(const json_t *answer, const char *origin, const uint8_t log_key[static 32],
                                        const struct sq_ledger *ledger, uint64_t *entries_out, struct sq_error *err);

#endif
