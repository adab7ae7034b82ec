/*
 * Signatures of many envelopes, checked on all cores while the caller goes on reading.
 *
 * The caller adds envelopes in journal order, each with the key that its sender had then; they are copied. Memory is a few chunks of
 * some megabytes, however long the journal: adding waits when all chunks are with the workers.
 */
#ifndef SQ_CHECKS_H
#define SQ_CHECKS_H

#include "peers/crypto.h"
#include "proto/bytes.h"
#include "proto/status.h"

struct sq_checks; /* opaque: threads and the chunks between them */

/* threads 0: one a core that this process may use. Errors: SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_checks_new(const uint8_t network_id[static 32], unsigned threads, struct sq_checks **out,
                                      struct sq_error *err);

/* The envelope of entry `seq`, which says that it is from `key`'s owner. Errors: SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_checks_add(struct sq_checks *c, uint64_t seq, sq_bytes envelope,
                                      const uint8_t key[static SQ_KEY_SIZE], struct sq_error *err);

/*
 * Waits for everything that was added. Errors: SQ_E_VERIFY with the lowest entry that failed, also in *bad_seq (0 when none did).
 * After it more may be added.
 */
SQ_MUST_CHECK sq_status sq_checks_wait(struct sq_checks *c, uint64_t *bad_seq, struct sq_error *err);

/* How many have been found good so far. */
uint64_t sq_checks_good(struct sq_checks *c);

void sq_checks_free(struct sq_checks *c);

#endif
