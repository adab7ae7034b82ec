#include "tests/bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 60000

static double own_cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* How many redemptions an answer accepts: all, or the program ends. */
static uint64_t accepted_by(const struct sq_client_answer *a)
{
    if (a->status != 0 || a->answer == NULL || a->answer->code.len != 0) {
        fprintf(stderr, "bench: batch %" PRIu64 " was refused, whole or in part: %s\n", a->id, a->detail);
        exit(1);
    }
    return a->answer->count;
}

/* ---- closed ---- */

struct worker {
    struct load *load;
    unsigned provider;
    struct sq_client *client;
};

static void count_accepted(struct load *l, uint64_t n)
{
    uint64_t before = atomic_fetch_add(&l->counted, n), after = before + n;
    for (uint64_t k = before / l->mark_every + 1; k <= after / l->mark_every && k < LOAD_MARKS_MAX; k++)
        l->mark[k] = rig_seconds();
}

static void take_answer(struct worker *w)
{
    struct sq_error err = {0};
    struct sq_client_answer a;
    if (sq_client_answer(w->client, ANSWER_MS, &a, &err) != SQ_OK)
        rig_die("no answer", &err);
    count_accepted(w->load, accepted_by(&a));
}

/* May one more batch go? */
static int wanted(struct load *l)
{
    if (atomic_load(&l->stop) || (l->seconds != 0 && rig_seconds() > l->mark[0] + l->seconds))
        return 0;
    return l->items == 0 || atomic_fetch_add(&l->claimed, LOAD_ROWS) < l->items;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct load *l = w->load;
    struct sq_error err = {0};
    uint8_t *batch = malloc(MARKET_BATCH_SIZE(LOAD_ROWS));
    uint64_t id;
    while (wanted(l)) {
        size_t size = market_fill(&l->market->provider[w->provider].stream, LOAD_ROWS, batch);
        while (sq_client_waiting(w->client) == l->in_flight)
            take_answer(w);
        if (sq_client_send(w->client, SANQUAN__V1__MESSAGE_TYPE__BATCH, sq_bytes_of(batch, size), &id, &err) != SQ_OK)
            rig_die("send", &err);
    }
    while (sq_client_waiting(w->client) != 0)
        take_answer(w);
    free(batch);
    return NULL;
}

void load_run(struct load *l)
{
    struct worker worker[MARKET_PROVIDERS_MAX] = {0};
    pthread_t thread[MARKET_PROVIDERS_MAX] = {0};
    struct sq_error err = {0};
    uint64_t last;
    for (unsigned p = 0; p < l->market->provider_count; p++) {
        worker[p] =
            (struct worker){l, p, rig_client(l->market->rig, l->node, l->market->provider[p].keys, l->in_flight)};
        if (sq_client_hello(worker[p].client, ANSWER_MS, &last, &err) != SQ_OK)
            rig_die("hello", &err);
    }
    l->mark_every = l->mark_every == 0 ? 1000000 : l->mark_every;
    double cpu = own_cpu_seconds();
    l->mark[0] = rig_seconds();
    for (unsigned p = 0; p < l->market->provider_count; p++)
        if (pthread_create(&thread[p], NULL, work, &worker[p]) != 0)
            rig_die("thread", NULL);
    for (unsigned p = 0; p < l->market->provider_count; p++)
        pthread_join(thread[p], NULL);
    l->took = rig_seconds() - l->mark[0];
    l->own_cpu = own_cpu_seconds() - cpu;
    l->accepted = atomic_load(&l->counted);
    for (unsigned p = 0; p < l->market->provider_count; p++)
        sq_client_close(worker[p].client);
}

struct load_thread {
    struct load *load;
    pthread_t thread;
};

static void *run_beside(void *arg)
{
    load_run(arg);
    return NULL;
}

struct load_thread *load_begin(struct load *l)
{
    struct load_thread *t = malloc(sizeof *t);
    if (t == NULL)
        rig_die("memory", NULL);
    t->load = l;
    if (pthread_create(&t->thread, NULL, run_beside, l) != 0)
        rig_die("thread", NULL);
    return t;
}

void load_end(struct load_thread *t)
{
    atomic_store(&t->load->stop, 1);
    pthread_join(t->thread, NULL);
    free(t);
}

/* ---- open ---- */

struct schedule {
    struct probe *probe;
    struct sq_client *client;
    double begin;
    uint64_t first_id;
};

static double due(const struct schedule *s, uint64_t n)
{
    return s->begin + (double)n / s->probe->per_second;
}

static void take_latencies(struct schedule *s, int wait_ms)
{
    struct sq_client_answer a;
    for (; sq_client_waiting(s->client) != 0 && sq_client_answer(s->client, wait_ms, &a, NULL) == SQ_OK; wait_ms = 0)
        if (accepted_by(&a) == 1)
            s->probe->ms[s->probe->count++] = (rig_seconds() - due(s, a.id - s->first_id)) * 1000;
}

/* Clocks of poll are too coarse here: sleep in short steps, looking for answers in between. */
static void sleep_shortly(void)
{
    struct timespec t = {.tv_nsec = 30000};
    nanosleep(&t, NULL);
}

void probe_run(struct probe *p)
{
    struct schedule s = {.probe = p,
                         .client = rig_client(p->market->rig, p->node, p->market->provider[p->provider].keys, 256)};
    struct sq_error err = {0};
    uint8_t batch[MARKET_BATCH_SIZE(1)];
    uint64_t total = (uint64_t)(p->per_second * p->seconds), id;
    p->ms = calloc(total + 1, sizeof *p->ms);
    p->count = 0;
    if (p->ms == NULL || sq_client_hello(s.client, ANSWER_MS, &s.first_id, &err) != SQ_OK)
        rig_die("probe", &err);
    s.first_id++;
    s.begin = rig_seconds() + 0.01;
    for (uint64_t sent = 0; sent < total;) {
        if (rig_seconds() < due(&s, sent) || sq_client_waiting(s.client) == 256) {
            take_latencies(&s, 0);
            sleep_shortly();
            continue;
        }
        size_t size = market_fill(&p->market->provider[p->provider].stream, 1, batch);
        if (sq_client_send(s.client, SANQUAN__V1__MESSAGE_TYPE__BATCH, sq_bytes_of(batch, size), &id, &err) != SQ_OK)
            rig_die("send", &err);
        sent++;
    }
    while (sq_client_waiting(s.client) != 0 && rig_seconds() < due(&s, total) + 60)
        take_latencies(&s, 100);
    if (p->count != total)
        rig_die("probe: answers are missing", NULL);
    sq_client_close(s.client);
}
