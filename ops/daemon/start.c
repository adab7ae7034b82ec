/*
 * Opening a node, in the order in which things can be wrong: library, configuration, directory, keys, ledger, sockets. Closing is the reverse.
 *
 * Invariants: nothing listens before the whole journal has been decided again; a ledger that is not there, or is another's, is never
 * replaced by an empty one.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/common/identity.h"
#include "ops/common/log.h"
#include "ops/daemon/metrics.h"

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t sq_daemon_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}
uint64_t sq_daemon_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

unsigned sq_daemon_disk_permille(const struct sq_daemon *d)
{
    return sq_ledger_free_permille(d->ledger);
}

/* ---- who we are ---- */

static sq_status open_identity(struct sq_daemon *d, const char *config_path, const Sanquan__V1__Genesis **genesis,
                               struct sq_error *err)
{
    struct sq_identity id = {0};
    sq_status st = sq_crypto_init(err);
    if (st == SQ_OK)
        st = sq_identity_open(config_path, NULL, NULL, &id, err);
    d->config = id.config; /* what was read is closed with the daemon, also when the rest was wrong */
    d->directory = id.directory;
    d->keys = id.keys;
    memcpy(d->origin, id.origin, sizeof d->origin);
    *genesis = id.genesis;
    return st;
}

/* ---- sockets ---- */

static sq_status allow_parties(void *ctx, struct sq_hub *hub, struct sq_error *err)
{
    struct sq_daemon *d = ctx;
    d->hub = hub;
    sq_status st = sq_front_allow(d, err);
    d->hub = NULL; /* not ours before it is open */
    return st;
}

static sq_status open_hub(struct sq_daemon *d, const Sanquan__V1__Genesis *g, struct sq_error *err)
{
    const struct sq_config *c = d->config;
    struct sq_hub_peer *peers = calloc(c->peers_count + 1u, sizeof *peers);
    d->peers = calloc(sq_core_node_count(d->core) + 1u, sizeof *d->peers);
    if (peers == NULL || d->peers == NULL) {
        free(peers);
        return sq_fail(err, SQ_E_NOMEM, "peers");
    }
    for (unsigned i = 0; i < c->peers_count; i++) {
        const Sanquan__V1__Node *n = sq_identity_node(g, c->peers[i].code);
        for (uint32_t node = 0; node < sq_core_node_count(d->core); node++)
            if (strcmp(sq_core_node(d->core, node)->code, n->code) == 0)
                peers[i].node = node;
        peers[i].endpoint = c->peers[i].endpoint;
        memcpy(peers[i].transport_key, n->transport_key.data, SQ_KEY_SIZE);
        d->peers[peers[i].node].connected = 1;
    }
    struct sq_hub_options o = {.bind = c->bind,
                               .transport_public = d->keys->transport_public,
                               .transport_secret = d->keys->transport_secret,
                               .peers = peers,
                               .peer_count = c->peers_count,
                               .allow_first = allow_parties,
                               .allow_ctx = d};
    sq_status st = sq_hub_open(&o, &d->hub, err);
    free(peers);
    return st;
}

/* ---- from main ---- */

/* Everything that can be known without touching the ledger's lock or the network. */
static sq_status check_rest(struct sq_daemon *d, struct sq_error *err)
{
    sq_status st = sq_state_ledger(d, 1, err);
    if (st == SQ_E_NOT_FOUND) {
        sq_log(SQ_LOG_INFO, "no_ledger", "path=\"%s\" next=\"sanquan init\"", d->config->ledger);
        st = SQ_OK;
    }
    return st;
}

sq_status sq_daemon_open(struct sq_daemon *d, const char *config_path, int check_only, struct sq_error *err)
{
    const Sanquan__V1__Genesis *genesis;
    sq_status st = open_identity(d, config_path, &genesis, err);
    if (st != SQ_OK || check_only)
        return st != SQ_OK ? st : check_rest(d, err);
    sq_log_open(d->config->log != NULL && strcmp(d->config->log, "debug") == 0 ? SQ_LOG_DEBUG : SQ_LOG_INFO);
    st = sq_state_open(d, genesis, sq_daemon_wall_ms(), err);
    if (st == SQ_OK)
        st = open_hub(d, genesis, err);
    if (st == SQ_OK)
        st = sq_streams_open(d, err);
    if (st == SQ_OK)
        st = sq_commit_start(d, err);
    if (st == SQ_OK)
        st = sq_access_open(d, err);
    if (st == SQ_OK)
        st = sq_metrics_open(d, err);
    if (st == SQ_OK)
        st = sq_historian_start(d->config->ledger, d->ledger, d->config->node, d->hub, &d->historian, err);
    if (st != SQ_OK)
        return st;
    sq_clock_start(&d->clock, sq_core_now_ms(d->core), sq_daemon_wall_ms(), sq_daemon_monotonic_ms());
    d->now_ms = d->clock.now_ms;
    d->cutoff = sq_config_next_cutoff(d->config, d->now_ms);
    sq_snapshot_begin(d);
    return SQ_OK;
}

void sq_daemon_close(struct sq_daemon *d)
{
    sq_snapshot_join(d);
    sq_dump_free(&d->snapshot_dump);
    sq_historian_stop(d->historian);
    sq_commit_stop(d);
    sq_metrics_close(d);
    sq_access_close(d);
    sq_hub_close(d->hub);
    sq_core_free(d->core);
    sq_ledger_close(d->ledger);
    sq_arena_free(&d->step_arena);
    sq_arena_free(&d->scratch);
    free(d->peers);
    free(d->routes);
    sq_secret_free(d->keys);
    sq_directory_free(d->directory);
    sq_config_free(d->config);
}
