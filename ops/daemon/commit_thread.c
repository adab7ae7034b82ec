/*
 * The commit thread: takes the group that the front hands over, makes it durable, hands it back.
 *
 * Invariants: one group at a time is with the thread; after a commit that failed it takes no more.
 */
#include "ops/common/log.h"
#include "ops/daemon/metrics.h"

static void *run(void *arg)
{
    struct sq_daemon *d = arg;
    struct sq_error err;
    for (;;) {
        pthread_mutex_lock(&d->mutex);
        while ((d->committing == NULL || d->done != NULL) && !(d->stop_commit && d->committing == NULL))
            pthread_cond_wait(&d->work, &d->mutex);
        struct sq_group *g = d->committing;
        pthread_mutex_unlock(&d->mutex);
        if (g == NULL)
            return NULL;
        uint64_t began_us = sq_metrics_us(d);
        sq_status st = sq_group_commit(d, g, &err);
        sq_metrics_took(d, SQ_TIMING_COMMIT, began_us);
        if (st != SQ_OK)
            sq_log(SQ_LOG_ERROR, "commit", "status=%s reason=\"%s\"", sq_status_name(st), err.text);
        pthread_mutex_lock(&d->mutex);
        d->commit_failed |= st != SQ_OK;
        d->done = g;
        d->committing = NULL;
        pthread_mutex_unlock(&d->mutex);
        atomic_fetch_add(&d->commits, 1);
        sq_hub_wake(d->hub);
        if (st != SQ_OK)
            return NULL;
    }
}

/* ---- from the front ---- */

sq_status sq_commit_start(struct sq_daemon *d, struct sq_error *err)
{
    sq_status st = sq_groups_new(d, err);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->work, NULL);
    if (st == SQ_OK && pthread_create(&d->commit_thread, NULL, run, d) != 0)
        st = sq_fail(err, SQ_E_NOMEM, "commit thread");
    d->commit_started = st == SQ_OK;
    return st;
}

void sq_commit_stop(struct sq_daemon *d)
{
    if (d->commit_started) {
        pthread_mutex_lock(&d->mutex);
        d->stop_commit = 1;
        pthread_cond_signal(&d->work);
        pthread_mutex_unlock(&d->mutex);
        pthread_join(d->commit_thread, NULL);
    }
    sq_groups_free(d);
}

int sq_commit_submit(struct sq_daemon *d)
{
    pthread_mutex_lock(&d->mutex);
    int idle = d->committing == NULL && d->done == NULL && !d->commit_failed;
    if (idle) {
        d->committing = d->filling;
        pthread_cond_signal(&d->work);
    }
    pthread_mutex_unlock(&d->mutex);
    if (idle)
        d->filling = d->filling == &d->groups[0] ? &d->groups[1] : &d->groups[0];
    return idle;
}

struct sq_group *sq_commit_take_done(struct sq_daemon *d, int *failed)
{
    pthread_mutex_lock(&d->mutex);
    struct sq_group *g = d->done;
    *failed = d->commit_failed;
    d->done = NULL;
    pthread_mutex_unlock(&d->mutex);
    return g;
}
