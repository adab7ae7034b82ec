/*
 * The loop around the front's turns: the only place of the daemon that reads the clock to decide something.
 *
 *   turn, turn, turn ... --asked to stop--> what was taken is committed and answered
 */
#include <poll.h>

#include "ops/daemon/daemon.h"

/* Commit what is left, and wait for it. */
static sq_status settle_down(struct sq_daemon *d, struct sq_error *err)
{
    for (;;) {
        sq_status st = sq_front_finish(d, err);
        if (st != SQ_OK)
            return st;
        pthread_mutex_lock(&d->mutex);
        int busy = d->committing != NULL || d->done != NULL;
        pthread_mutex_unlock(&d->mutex);
        if (!busy && d->filling->entry_count == 0)
            return SQ_OK;
        if (!busy)
            sq_commit_submit(d);
        poll(NULL, 0, 1);
    }
}

sq_status sq_front_run(struct sq_daemon *d, const volatile sig_atomic_t *stop, struct sq_error *err)
{
    sq_status st = SQ_OK;
    while (st == SQ_OK && !*stop)
        st = sq_front_turn(d, sq_clock_read(&d->clock, sq_daemon_wall_ms(), sq_daemon_monotonic_ms()), err);
    return st == SQ_OK ? settle_down(d, err) : st;
}
