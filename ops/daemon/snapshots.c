/*
 * Snapshots: taken between two steps, written beside the work, and only when everything in them is durable.
 *
 *   idle --enough items since the last--> being written (most of the state is lent, not copied) --joined--> idle
 *
 * Invariant: what is lent comes back (sq_core_dump_done) only after the writing thread was joined.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ops/common/background.h"
#include "ops/common/log.h"
#include "ops/daemon/daemon.h"

/* A larger state takes longer to write: the next snapshot waits for an eighth more of all items, so that writing stays a small share of the work. */
#define SHARE_OF_ITEMS 8u

struct job {
    struct sq_daemon *d;
    uint64_t seq;
};

static sq_status store(struct sq_daemon *d, uint64_t seq, const struct sq_dump *state, struct sq_error *err)
{
    struct sq_arena arena;
    struct sq_entry last;
    sq_status st = sq_arena_init(&arena, SQ_ENTRY_SIZE_MAX, err);
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
    sq_background();
    for (int waits = 0; sq_ledger_seq(j->d->ledger) < j->seq && waits < 6000; waits++)
        poll(NULL, 0, 10);
    if (sq_ledger_seq(j->d->ledger) < j->seq)
        sq_log(SQ_LOG_WARNING, "snapshot", "seq=%" PRIu64 " reason=\"not durable within a minute\"", j->seq);
    else if (store(j->d, j->seq, &j->d->snapshot_dump, &err) != SQ_OK)
        sq_log(SQ_LOG_WARNING, "snapshot", "seq=%" PRIu64 " reason=\"%s\"", j->seq, err.text);
    else
        sq_log(SQ_LOG_INFO, "snapshot", "seq=%" PRIu64 " bytes=%zu", j->seq,
               j->d->snapshot_dump.size + j->d->snapshot_dump.lent_size);
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

void sq_snapshot_begin(struct sq_daemon *d)
{
    d->snapshot_items = items(d->core);
}

static void start(struct sq_daemon *d)
{
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return;
    j->d = d;
    j->seq = sq_core_seq(d->core);
    sq_dump_clear(&d->snapshot_dump);
    d->snapshot_dump.borrows = 1;
    sq_core_dump(d->core, &d->snapshot_dump);
    atomic_store(&d->snapshot_busy, 1);
    d->snapshot_started = !d->snapshot_dump.failed && pthread_create(&d->snapshot_thread, NULL, run, j) == 0;
    if (d->snapshot_started)
        return;
    sq_log(SQ_LOG_WARNING, "snapshot", "seq=%" PRIu64 " reason=\"no memory\"", j->seq);
    free(j);
    atomic_store(&d->snapshot_busy, 0);
    sq_core_dump_done(d->core);
}

void sq_snapshot_maybe(struct sq_daemon *d)
{
    if (atomic_load(&d->snapshot_busy))
        return;
    sq_snapshot_join(d);
    uint64_t now = items(d->core), wait = d->config->snapshot_every_items;
    if (now / SHARE_OF_ITEMS > wait)
        wait = now / SHARE_OF_ITEMS;
    if (now - d->snapshot_items < wait)
        return;
    d->snapshot_items = now;
    start(d);
}

void sq_snapshot_join(struct sq_daemon *d)
{
    if (!d->snapshot_started)
        return;
    pthread_join(d->snapshot_thread, NULL);
    d->snapshot_started = 0;
    sq_core_dump_done(d->core);
}

void sq_snapshot_last(struct sq_daemon *d)
{
    struct sq_dump dump = {.borrows = 1};
    struct sq_error err = {0};
    sq_snapshot_join(d);
    sq_core_dump(d->core, &dump);
    if (dump.failed || store(d, sq_core_seq(d->core), &dump, &err) != SQ_OK)
        sq_log(SQ_LOG_WARNING, "snapshot", "reason=\"%s\"", dump.failed ? "no memory" : err.text);
    sq_dump_free(&dump);
    sq_core_dump_done(d->core);
}
