/*
 * The ledger of a node, and the state that it makes.
 *
 * Invariants: the whole journal has been decided again before anything else happens; a ledger that is not there, or is another's, is
 * never replaced by an empty one.
 */
#include <string.h>

#include "ops/common/identity.h"
#include "ops/common/log.h"
#include "ops/common/replay.h"
#include "ops/daemon/daemon.h"

#define SCRATCH_SIZE (4u << 20) /* one message, unpacked, packed and sealed */

sq_status sq_state_ledger(struct sq_daemon *d, int read_only, struct sq_error *err)
{
    struct sq_ledger_options o = {.path = d->config->ledger,
                                  .origin = d->origin,
                                  .network_id = sq_directory_network_id(d->directory),
                                  .map_size = (uint64_t)d->config->map_size_gib << 30,
                                  .read_only = read_only};
    sq_status st = sq_ledger_open(&o, &d->ledger, err);
    return st == SQ_E_NOT_FOUND ? sq_fail_context(err, st, "no ledger yet: make one with 'sanquan init'") : st;
}

static sq_status replay(struct sq_daemon *d, const Sanquan__V1__Genesis *g, uint64_t now_ms, struct sq_error *err)
{
    uint64_t from;
    sq_status st = sq_replay(d->ledger, d->config->ledger, sq_ed25519_key_ok, NULL, NULL, &d->core, &from, err);
    if (st == SQ_OK && sq_core_seq(d->core) == 0)
        st = sq_genesis_write(d->ledger, d->core, g, &d->log_signer, now_ms, err);
    if (st != SQ_OK)
        return st;
    const char *owner = sq_core_node(d->core, sq_core_self(d->core))->code;
    if (strcmp(owner, d->config->node) != 0)
        return sq_fail(err, SQ_E_FOREIGN, "%s is the ledger of node %s, not of %s", d->config->ledger, owner,
                       d->config->node);
    sq_log(SQ_LOG_INFO, "replayed", "entries=%" PRIu64 " snapshot_seq=%" PRIu64, sq_core_seq(d->core) - (from - 1),
           from - 1);
    return SQ_OK;
}

sq_status sq_state_open(struct sq_daemon *d, const Sanquan__V1__Genesis *g, uint64_t now_ms, struct sq_error *err)
{
    d->log_signer = sq_log_signer(d->keys);
    sq_status st = sq_state_ledger(d, 0, err);
    if (st == SQ_OK)
        st = sq_arena_init(&d->step_arena, SQ_STEP_ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_arena_init(&d->scratch, SCRATCH_SIZE, err);
    if (st == SQ_OK)
        st = replay(d, g, now_ms, err);
    if (st == SQ_OK)
        d->free_permille = sq_daemon_disk_permille(d);
    return st;
}
