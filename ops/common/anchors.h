/*
 * Logs held against the anchors of a journal: is this file what the journal says it was, from its first byte on?
 */
#ifndef SQ_ANCHORS_H
#define SQ_ANCHORS_H

#include "clearing/base/table.h"
#include "clearing/ledger/ledger.h"

struct sq_anchors {
    struct sq_table rows; /* opaque: every anchor of the journal, in its order */
};

void sq_anchors_begin(struct sq_anchors *a);
void sq_anchors_end(struct sq_anchors *a);
/* Keep the anchor that this entry is; others are passed over. Errors: SQ_E_NOMEM, SQ_E_FORMAT. */
SQ_MUST_CHECK sq_status sq_anchors_note(struct sq_anchors *a, const struct sq_entry *entry, struct sq_error *err);

/*
 * Hold the file against all anchors of its name (the last part of its path) and of one generation: the first that fits.
 *
 * held_out   anchors that it has met
 * Errors: SQ_E_VERIFY: it was changed, or cut short, and which entry shows it; SQ_E_NOT_FOUND: no anchor has this name; SQ_E_IO
 */
SQ_MUST_CHECK sq_status sq_anchors_check(struct sq_anchors *a, const char *path, uint64_t *held_out,
                                         struct sq_error *err);
/* After the files were checked: has a file been found for every generation of the names that were given? Errors: SQ_E_VERIFY. */
SQ_MUST_CHECK sq_status sq_anchors_whole(const struct sq_anchors *a, struct sq_error *err);

#endif
