/*
 * Two kinds of load on a node.
 *
 *   closed   each provider keeps a fixed number of batches under way: how much goes through
 *   open     messages go out at scheduled times whether answers come or not, and a latency counts from the scheduled time, so that
 *            a stall is seen by everything that should have been sent during it
 *
 * Each provider is a thread of its own. A refused redemption or batch ends the program.
 */
#ifndef SQ_BENCH_LOAD_H
#define SQ_BENCH_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/support/market.h"

#define LOAD_ROWS      8192u
#define LOAD_MARKS_MAX 4096u

struct load {
    struct market *market;
    unsigned node;      /* where batches go: the providers' home */
    unsigned in_flight; /* batches under way a provider */
    uint64_t items;     /* stop after so many in all; 0: no limit */
    double seconds;     /* stop after this time; 0: no limit */
    /* results */
    double took, own_cpu; /* wall time; CPU time of this process, all threads */
    uint64_t accepted;
    uint64_t mark_every; /* when the n-th multiple of this was accepted is noted in mark[n]; mark[0] is the beginning */
    double mark[LOAD_MARKS_MAX];
    /* its own */
    atomic_uint_fast64_t claimed, counted;
    atomic_int stop;
};

/* All providers of the market until the limit, and until the last answer. */
void load_run(struct load *l);
/* The same beside other work: runs until load_end. */
struct load_thread;
struct load_thread *load_begin(struct load *l);
void load_end(struct load_thread *t);

struct probe {
    struct market *market;
    unsigned node, provider;
    double per_second, seconds; /* single-redemption batches */
    /* results: milliseconds from the scheduled time to the answer, malloc'd */
    double *ms;
    size_t count;
};
void probe_run(struct probe *p);

#endif
