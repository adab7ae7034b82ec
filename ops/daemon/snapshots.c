/*
 * Snapshots: taken between two steps, written beside the work, and only when everything in them is durable.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ops/common/log.h"
#include "ops/daemon/daemon.h"

struct job {
    struct sq_daemon *d;
    struct sq_dump dump;
    uint64_t seq;
};

static sq_status store(struct sq_daemon *d, uint64_t seq, sq_bytes state, struct sq_error *err)
{
    struct sq_arena arena;
    struct sq_entry last;
    sq_status st = sq_arena_init(&arena, 4u << 20, err);
    if (st != SQ_OK)
        return st;
    st = sq_ledger_read(d->ledger, seq, &arena, &last, err);
    if (st == SQ_OK)
        st = sq_snapshot_write(d->config->ledger, seq, last.payload_hash, state, err);
    sq_arena_free(&arena);
    return st;
}

static void *run(void *arg)
{
    struct job *j = arg;
    struct sq_error err;
    for (int waits = 0; sq_ledger_seq(j->d->ledger) < j->seq && waits < 6000; waits++)
        poll(NULL, 0, 10);
    if (sq_ledger_seq(j->d->ledger) < j->seq)
        sq_log(SQ_LOG_WARNING, "snapshot", "seq=%" PRIu64 " reason=\"not durable within a minute\"", j->seq);
    else if (store(j->d, j->seq, sq_bytes_of(j->dump.bytes, j->dump.size), &err) != SQ_OK)
        sq_log(SQ_LOG_WARNING, "snapshot", "seq=%" PRIu64 " reason=\"%s\"", j->seq, err.text);
    else
        sq_log(SQ_LOG_INFO, "snapshot", "seq=%" PRIu64 " bytes=%zu", j->seq, j->dump.size);
    sq_dump_free(&j->dump);
    atomic_store(&j->d->snapshot_busy, 0);
    free(j);
    return NULL;
}

static uint64_t items(const struct sq_core *core)
{
    struct sq_core_totals t;
    sq_core_totals(core, &t);
    return t.items_received + t.items_decided;
}

void sq_snapshot_begin(struct sq_daemon *d) { d->snapshot_items = items(d->core); }

void sq_snapshot_maybe(struct sq_daemon *d)
{
    uint64_t now = items(d->core);
    if (now - d->snapshot_items < d->config->snapshot_every_items || atomic_load(&d->snapshot_busy))
        return;
    d->snapshot_items = now;
    sq_snapshot_join(d);
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return;
    j->d = d;
    j->seq = sq_core_seq(d->core);
    sq_core_dump(d->core, &j->dump);
    atomic_store(&d->snapshot_busy, 1);
    if (j->dump.failed || pthread_create(&d->snapshot_thread, NULL, run, j) != 0) {
        sq_log(SQ_LOG_WARNING, "snapshot", "seq=%" PRIu64 " reason=\"no memory\"", j->seq);
        sq_dump_free(&j->dump);
        free(j);
        atomic_store(&d->snapshot_busy, 0);
        return;
    }
    d->snapshot_started = 1;
}

void sq_snapshot_join(struct sq_daemon *d)
{
    if (d->snapshot_started)
        pthread_join(d->snapshot_thread, NULL);
    d->snapshot_started = 0;
}

void sq_snapshot_last(struct sq_daemon *d)
{
    struct sq_dump dump = {0};
    struct sq_error err = {0};
    sq_snapshot_join(d);
    sq_core_dump(d->core, &dump);
    if (dump.failed || store(d, sq_core_seq(d->core), sq_bytes_of(dump.bytes, dump.size), &err) != SQ_OK)
        sq_log(SQ_LOG_WARNING, "snapshot", "reason=\"%s\"", dump.failed ? "no memory" : err.text);
    sq_dump_free(&dump);
}
