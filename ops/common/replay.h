/*
 * From a ledger to the state it makes: every entry is decided again and must come out as it is stored.
 *
 * The daemon does this at start, `sanquan audit` and what needs a timeline (timeline.h) do it from outside. No signature is checked here.
 */
#ifndef SQ_REPLAY_H
#define SQ_REPLAY_H

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"

/* After an entry was decided: what the core said of it. A status other than SQ_OK ends the replay. */
typedef sq_status (*sq_replay_visit)(void *ctx, const struct sq_core *core, const struct sq_entry *entry,
                                     const struct sq_envelope *envelope /* NULL for GENESIS, TICK, REJECTED */,
                                     const struct sq_effects *effects, struct sq_error *err);

/*
 * A core as of the end of the ledger. snapshot_path: directory to look for a snapshot in, or NULL for the whole journal;
 * a snapshot that does not fit is passed over. visit may be NULL.
 *
 * Errors: SQ_E_VERIFY   an entry decided again comes out otherwise: names it
 *         SQ_E_CORRUPT  an entry is damaged
 */
SQ_MUST_CHECK sq_status sq_replay(const struct sq_ledger *l, const char *snapshot_path,
                                  int (*key_ok)(const uint8_t key[static 32]), sq_replay_visit visit, void *ctx,
                                  struct sq_core **out, uint64_t *from_out, struct sq_error *err);

/*
 * Decide everything up to one row again, with its reasons written down: row `row` of entry `batch` of the ledger of the node `acquirer`
 * (six digits; "": the ledger's own node). *out is zeroed first; out->decided says whether this ledger decides the row at all. visit as
 * above, also for the entry that decides. Reading ends with that entry. *core_out: state as of there, the caller's to free.
 *
 * Errors: as above; SQ_E_NOT_FOUND  there is no node of this name
 */
struct sq_explain;
SQ_MUST_CHECK sq_status sq_replay_explain(const struct sq_ledger *l, int (*key_ok)(const uint8_t key[static 32]),
                                          const char *acquirer, uint64_t batch, uint32_t row, sq_replay_visit visit,
                                          void *ctx, struct sq_explain *out, struct sq_core **core_out,
                                          struct sq_error *err);

#endif
