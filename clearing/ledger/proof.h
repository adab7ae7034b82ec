/*
 * Proof files (C2SP tlog-proof): one entry's place in a log, with the log's checkpoint and what witnesses say of it. Text, checked offline.
 *
 *     c2sp.org/tlog-proof@v1
 *     extra base64                 may be left out; ours is the leaf record, whose hash the proof starts from
 *     index 41
 *     base64 of a hash             leaf's sibling to root's child, as many as there are
 *
 *     checkpoint as a signed note
 */
#ifndef SQ_PROOF_H
#define SQ_PROOF_H

#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"

#define SQ_PROOF_EXTRA_MAX 1024
#define SQ_PROOF_FILE_MAX  (SQ_COSIGNED_SIZE_MAX + 2 * SQ_PROOF_EXTRA_MAX + SQ_PROOF_MAX * 48)

struct sq_proof_file {
    uint64_t index;
    uint8_t hashes[SQ_PROOF_MAX * SQ_HASH_SIZE];
    size_t hash_count;
    uint8_t extra[SQ_PROOF_EXTRA_MAX];
    size_t extra_size; /* 0: none */
    sq_bytes note;     /* borrowed */
};

/* Returns the length, or 0 when it does not fit. */
size_t sq_proof_file_write(const struct sq_proof_file *p, char *out, size_t out_size);
/* p->note lies in `text`. Errors: SQ_E_FORMAT, which names the line. */
SQ_MUST_CHECK sq_status sq_proof_file_parse(sq_bytes text, struct sq_proof_file *out, struct sq_error *err);
/*
 * Is the leaf record that it brings in the tree of this checkpoint, at the place it says? The checkpoint's signatures are the caller's
 * concern (trust.h). *leaf_out: the record, SQ_LEAF_SIZE bytes within p. Errors: SQ_E_VERIFY.
 */
SQ_MUST_CHECK sq_status sq_proof_file_check(const struct sq_proof_file *p, const struct sq_checkpoint *c,
                                            const uint8_t **leaf_out, struct sq_error *err);

#endif
