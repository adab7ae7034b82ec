/*
 * Numbers of the running daemon for Prometheus, over HTTP on loopback. Off unless `metrics` of the configuration says where; then every
 * process of this machine can read them, and they hold no business data.
 *
 *   front thread  --once a second--> text --mutex--> HTTP thread: GET /metrics
 */
#ifndef SQ_DAEMON_METRICS_H
#define SQ_DAEMON_METRICS_H

#include "ops/daemon/daemon.h"

enum sq_timing { SQ_TIMING_DECISION, SQ_TIMING_COMMIT, SQ_TIMING_ANSWER, SQ_TIMINGS };

#define SQ_TIMING_BUCKETS 11u
struct sq_histogram {
    atomic_uint_fast64_t count[SQ_TIMING_BUCKETS + 1], sum_us;
};

struct sq_metrics {
    struct MHD_Daemon *http; /* scrape.c */
    struct sq_histogram timing[SQ_TIMINGS];
    uint64_t write_ms; /* front's: when to write again */
    pthread_mutex_t mutex;
    char *text; /* guarded */
    size_t size;
};

/* scrape.c. Errors: SQ_E_NETWORK. Without `metrics` in the configuration d->metrics stays NULL, and all below does nothing. */
SQ_MUST_CHECK sq_status sq_metrics_open(struct sq_daemon *d, struct sq_error *err);
void sq_metrics_close(struct sq_daemon *d);

/* Monotonic microseconds, to be given back below; 0 when nobody measures. Nothing is decided by them. */
uint64_t sq_metrics_us(const struct sq_daemon *d);
/* What began at `since_us` has ended now; any thread. */
void sq_metrics_took(struct sq_daemon *d, enum sq_timing what, uint64_t since_us);
/* Once a turn of the front. */
void sq_metrics_turn(struct sq_daemon *d);

#endif
