/*
 * One region: signed batches of 8,192 redemptions from socket to durable receipt, everything checked.
 *
 *     local_bench SANQUAND DIR [vouchers] [millions of redemptions] [providers] [nodes: 1 local, 2 across]
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/support/market.h"

#define ROWS 8192u
#define IN_FLIGHT 8u

struct load {
    struct sq_client *client;
    sq_bytes *batch;
    unsigned count;
    uint64_t accepted, refused;
};

static void take_answer(struct load *l)
{
    struct sq_error err = {0};
    struct sq_client_answer a;
    if (sq_client_answer(l->client, 60000, &a, &err) != SQ_OK)
        rig_die("no answer", &err);
    if (a.status != 0) {
        fprintf(stderr, "batch refused: %s\n", a.detail);
        exit(1);
    }
    l->accepted += a.answer->count;
    l->refused += a.answer->code.len == 0 ? 0 : a.answer->code.len - a.answer->count;
}

static void *send_all(void *arg)
{
    struct load *l = arg;
    struct sq_error err = {0};
    uint64_t id;
    for (unsigned i = 0; i < l->count; i++) {
        if (sq_client_waiting(l->client) == IN_FLIGHT)
            take_answer(l);
        if (sq_client_send(l->client, SANQUAN__V1__MESSAGE_TYPE__BATCH, l->batch[i], &id, &err) != SQ_OK)
            rig_die("send", &err);
    }
    while (sq_client_waiting(l->client) != 0)
        take_answer(l);
    return NULL;
}

static double cpu_seconds(pid_t pid)
{
    char path[64];
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        user = kernel = 0;
    if (f != NULL)
        fclose(f);
    return (double)(user + kernel) / 100;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s SANQUAND DIR [vouchers] [millions] [providers] [nodes]\n", argv[0]);
        return 2;
    }
    uint32_t vouchers = argc > 3 ? (uint32_t)atoi(argv[3]) : 1000000;
    unsigned batches = (unsigned)((argc > 4 ? atof(argv[4]) : 10) * 1e6 / ROWS);
    unsigned providers = argc > 5 ? (unsigned)atoi(argv[5]) : 2, nodes = argc > 6 ? (unsigned)atoi(argv[6]) : 1;
    struct rig *r = rig_new(argv[2], argv[1], nodes, "");
    for (unsigned i = 0; i < nodes; i++)
        rig_start(r, i);
    double began = rig_seconds();
    struct market *m = market_open(r, nodes - 1, 0, vouchers, providers);
    printf("set-up %.1f s\n", rig_seconds() - began);
    struct load load[MARKET_PROVIDERS_MAX] = {0};
    pthread_t thread[MARKET_PROVIDERS_MAX];
    for (unsigned p = 0; p < providers; p++) {
        load[p].count = batches / providers;
        load[p].batch = calloc(load[p].count, sizeof *load[p].batch);
        for (unsigned i = 0; i < load[p].count; i++)
            load[p].batch[i] = market_batch(m, p, ROWS);
        load[p].client = rig_client(r, 0, m->provider[p].keys, IN_FLIGHT);
    }
    double cpu = cpu_seconds(r->node[0].pid);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    began = rig_seconds();
    for (unsigned p = 0; p < providers; p++)
        pthread_create(&thread[p], NULL, send_all, &load[p]);
    uint64_t accepted = 0, refused = 0;
    for (unsigned p = 0; p < providers; p++) {
        pthread_join(thread[p], NULL);
        accepted += load[p].accepted;
        refused += load[p].refused;
    }
    double took = rig_seconds() - began;
    getrusage(RUSAGE_SELF, &after);
    double own = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                 (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("%" PRIu64 " accepted, %" PRIu64 " refused in %.2f s: %.0f redemptions/s; cpu node %.2f s, load %.2f s\n", accepted, refused, took,
           (double)accepted / took, cpu_seconds(r->node[0].pid) - cpu, own);
    for (unsigned i = 0; i < nodes; i++)
        rig_stop(r, i, SIGTERM);
    return refused == 0 ? 0 : 1;
}
