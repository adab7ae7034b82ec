/*
 * Is what became final what it must be? Its certificate must be votes that stand in the journal; its nets and payments are worked out again
 * from its pairs, and what is paid instead of a region that has defaulted from what that was to pay.
 */
#ifndef SQ_FINALS_H
#define SQ_FINALS_H

#include "clearing/core/core.h"
#include "proto/sanquan.pb-c.h"

struct sq_finals; /* opaque: votes of windows that are not final yet */

SQ_MUST_CHECK sq_status sq_finals_new(struct sq_finals **out, struct sq_error *err);
void sq_finals_free(struct sq_finals *f);

/* A vote of node `from`, in entry `seq`; and those of others that a node has told on, of which each counts for its signer. */
SQ_MUST_CHECK sq_status sq_finals_vote(struct sq_finals *f, uint32_t from, sq_bytes body, uint64_t seq,
                                       struct sq_error *err);
SQ_MUST_CHECK sq_status sq_finals_relay(struct sq_finals *f, const struct sq_core *core, const Sanquan__V1__Relay *m,
                                        uint64_t seq, struct sq_error *err);

/* More than two thirds of all nodes precommitted this value in one round. Votes up to this window are forgotten. Errors: SQ_E_VERIFY. */
SQ_MUST_CHECK sq_status sq_finals_certificate(struct sq_finals *f, const struct sq_core *core,
                                              const struct sq_window_view *w, uint64_t seq, struct sq_error *err);

/* Are its pairs links, its nets those of its pairs, its payments those of its nets, its losses those of its defaults? Errors: SQ_E_VERIFY. */
SQ_MUST_CHECK sq_status sq_finals_value(const struct sq_core *core, const Sanquan__V1__Settlement *m, uint64_t seq,
                                        struct sq_error *err);

#endif
