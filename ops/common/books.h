/*
 * Second books: what an auditor adds up by himself while the core decides the journal again (each link in stream.h, what becomes final in finals.h).
 *
 * The core keeps positions as it decides. These books are kept from the messages alone, by plain sums: each step of a link stream is
 * hashed and added up again from the rows it stands for; what a settlement says of this node's links must be the difference of two
 * sums; its nets and payments are worked out again from its pairs; its certificate must be votes that stand in the journal.
 */
#ifndef SQ_BOOKS_H
#define SQ_BOOKS_H

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"

struct sq_books; /* opaque */

/* `ledger` is borrowed: rows of earlier batches are read again from it. Errors: SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_books_new(const struct sq_ledger *ledger, struct sq_books **out, struct sq_error *err);
void sq_books_free(struct sq_books *b);

/* After each entry; the arguments of a sq_replay_visit. Errors: SQ_E_VERIFY, naming the entry and what differs; SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_books_enter(struct sq_books *b, const struct sq_core *core, const struct sq_entry *entry,
                                       const struct sq_envelope *envelope, const struct sq_effects *fx,
                                       struct sq_error *err);

/* At the end of the journal: what programmes have spent is what the accepted rows say. Errors: SQ_E_VERIFY. */
SQ_MUST_CHECK sq_status sq_books_close(struct sq_books *b, const struct sq_core *core, struct sq_error *err);

struct sq_books_sums {
    uint64_t items;       /* rows decided or received here, each once */
    uint64_t links;       /* steps of link streams hashed again */
    uint64_t settlements; /* final windows worked out again */
};
void sq_books_sums(const struct sq_books *b, struct sq_books_sums *out);

#endif
