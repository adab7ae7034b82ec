/*
 * A regulator's policy of trust (C2SP tlog-policy): which logs, which witnesses, and how many of them must have cosigned. Text.
 *
 *     log VKEY [URL]
 *     witness NAME VKEY [URL]
 *     group NAME all|any|K NAME...        of what stands above it; a name belongs to one group at most
 *     quorum NAME|none                    once
 *
 * Fields are separated by spaces and tabs; lines that begin with # and empty ones count for nothing.
 */
#ifndef SQ_TRUST_H
#define SQ_TRUST_H

#include "clearing/ledger/tree.h"

#define SQ_TRUST_SIZE_MAX      65536u
#define SQ_TRUST_LOGS_MAX      64u
#define SQ_TRUST_WITNESSES_MAX 62u /* with two logs' keys they fit one note */
#define SQ_TRUST_GROUPS_MAX    64u

struct sq_trust; /* opaque: groups name what stands before them */

/* Errors: SQ_E_FORMAT with the line's number, SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_trust_parse(sq_bytes text, struct sq_trust **out, struct sq_error *err);
void sq_trust_free(struct sq_trust *t);

/* What a note has, under a policy. */
struct sq_trusted {
    struct sq_checkpoint checkpoint;
    const char *witness[SQ_TRUST_WITNESSES_MAX]; /* names of those that have cosigned; the policy's */
    uint64_t time_s[SQ_TRUST_WITNESSES_MAX];     /* when, by their own clocks */
    size_t witness_count;
};
/*
 * Is the note a checkpoint of a log of the policy, signed by it, and cosigned as the quorum asks? *out is also set when only the quorum
 * is missing. Errors: SQ_E_FORMAT, SQ_E_VERIFY.
 */
SQ_MUST_CHECK sq_status sq_trust_check(const struct sq_trust *t, sq_bytes note, sq_ed25519_verify verify,
                                       struct sq_trusted *out, struct sq_error *err);

#endif
