/*
 * make sim SEEDS=n [SEED=s]: many seeds, a process for each processor, each seed twice; what was done and what was found.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ops/common/log.h"
#include "tests/sim/sim.h"

#define WORKERS_MAX  64u
#define FAILURES_MAX 20u

struct arguments {
    uint64_t seeds, seed;
    unsigned workers;
    int trace, once;
    struct sim_wish wish;
    uint32_t windows; /* fewer final ones are a failure */
    const char *dir;
};

struct report { /* one a worker, in memory that all share */
    uint64_t running, seeds, failed, simulated_us;
    struct sim_counts counts;
    uint64_t failure[FAILURES_MAX];
    char why[FAILURES_MAX][400];
};

static int take_number(const char *text, unsigned long least, unsigned long most, uint32_t *out)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *out = (uint32_t)n;
    return *text != '\0' && *end == '\0' && n >= least && n <= most;
}

static int take_faults(struct arguments *a, char *names)
{
    char *rest = NULL;
    for (const char *name = strtok_r(names, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        int i = 0;
        while (i < SIM_FAULTS && strcmp(name, sim_fault_names[i]) != 0)
            i++;
        if (i == SIM_FAULTS)
            return -1;
        a->wish.faults |= 1u << i;
    }
    return 0;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'n':
        a->seeds = strtoull(value, NULL, 10);
        return 0;
    case 's':
        a->seed = strtoull(value, NULL, 10);
        return 0;
    case 'j':
        a->workers = (unsigned)strtoul(value, NULL, 10);
        return 0;
    case 't':
        a->trace = a->once = 1;
        return 0;
    case '1':
        a->once = 1;
        return 0;
    case 'f':
        return take_faults(a, value) == 0 ? 0 : EINVAL;
    case 'N':
        return take_number(value, 3, SIM_NODES_MAX, &a->wish.nodes) ? 0 : EINVAL;
    case 'r':
        return take_number(value, 1, 10000, &a->wish.requests) ? 0 : EINVAL;
    case 'w':
        return take_number(value, 1, UINT32_MAX, &a->windows) ? 0 : EINVAL;
    case 'd':
        a->dir = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"seeds", 'n', "COUNT", 0, "how many seeds (1)", 0},
    {"seed", 's', "SEED", 0, "the first of them (1)", 0},
    {"jobs", 'j', "COUNT", 0, "processes at a time (one a processor)", 0},
    {"trace", 't', NULL, 0, "print every noted event", 0},
    {"once", '1', NULL, 0, "run each seed once instead of twice", 0},
    {"faults", 'f', "NAME,...", 0, "these kinds of faults and no others", 0},
    {"nodes", 'N', "COUNT", 0, "so many nodes, 3 to 34 (as the seed has it)", 0},
    {"requests", 'r', "COUNT", 0, "so many requests of each client (as the seed has it)", 0},
    {"windows", 'w', "COUNT", 0, "fail when fewer windows than that became final", 0},
    {"dir", 'd', "DIR", 0, "where ledgers lie (/dev/shm, else /tmp)", 0},
    {0},
};
static const struct argp parser = {
    options, parse, NULL, "Deterministic simulation of a clearing network.\vA seed and a commit replay any run.",
    NULL,    NULL,  NULL};

static void add_counts(struct sim_counts *to, const struct sim_counts *from)
{
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
}

static void keep_failure(struct report *r, uint64_t seed, const char *why)
{
    if (r->failed < FAILURES_MAX) {
        r->failure[r->failed] = seed;
        snprintf(r->why[r->failed], sizeof r->why[0], "%s", why);
    }
    r->failed++;
}

static void run_seed(const struct arguments *a, uint64_t seed, const char *dir, struct report *r)
{
    struct sim_result one, two;
    r->running = seed;
    sim_run(seed, &a->wish, dir, a->trace, &one);
    if (!one.failed && !a->once) {
        sim_run(seed, &a->wish, dir, 0, &two);
        if (two.failed || two.hash != one.hash) {
            one.failed = 1;
            snprintf(one.failure, sizeof one.failure, "the same seed went two ways: %016" PRIx64 " and %016" PRIx64,
                     one.hash, two.hash);
            fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, one.failure);
        }
    }
    r->seeds++;
    r->simulated_us += one.simulated_us;
    add_counts(&r->counts, &one.counts);
    if (one.failed)
        keep_failure(r, seed, one.failure);
    if (a->once && a->seeds == 1)
        printf("seed %" PRIu64 " trace %016" PRIx64 "\n", seed, one.hash);
}

static void work(const struct arguments *a, unsigned worker, uint64_t after, struct report *r)
{
    char dir[300];
    snprintf(dir, sizeof dir, "%s/sanquan-sim-%d-%u", a->dir, (int)getpid(), worker);
    for (uint64_t i = worker; i < a->seeds; i += a->workers)
        if (a->seed + i > after)
            run_seed(a, a->seed + i, dir, r);
}

/* A worker that dies takes only its seed with it: another goes on behind it. */
static void start(const struct arguments *a, unsigned worker, uint64_t after, struct report *r, pid_t *pid)
{
    fflush(NULL);
    *pid = fork();
    if (*pid == 0) {
        work(a, worker, after, r);
        fflush(NULL);
        _exit(0);
    }
}

static void run_workers(const struct arguments *a, struct report *reports)
{
    pid_t pid[WORKERS_MAX];
    unsigned running = a->workers;
    for (unsigned i = 0; i < a->workers; i++)
        start(a, i, 0, &reports[i], &pid[i]);
    while (running > 0) {
        int status;
        pid_t ended = wait(&status);
        for (unsigned i = 0; i < a->workers; i++) {
            if (pid[i] != ended)
                continue;
            running--;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                continue;
            char why[100];
            snprintf(why, sizeof why, "the process ended by signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
            fprintf(stderr, "seed %" PRIu64 ": %s\n", reports[i].running, why);
            keep_failure(&reports[i], reports[i].running, why);
            start(a, i, reports[i].running, &reports[i], &pid[i]);
            running++;
        }
    }
}

static int print_report(const struct arguments *a, const struct report *reports, double seconds)
{
    struct report all = {0};
    for (unsigned i = 0; i < a->workers; i++) {
        add_counts(&all.counts, &reports[i].counts);
        all.seeds += reports[i].seeds;
        all.simulated_us += reports[i].simulated_us;
        for (uint64_t k = 0; k < reports[i].failed && k < FAILURES_MAX; k++)
            keep_failure(&all, reports[i].failure[k], reports[i].why[k]);
    }
    const struct sim_counts *c = &all.counts;
    printf("%" PRIu64 " seeds in %.1f s, %.1f simulated days\n", all.seeds, seconds,
           (double)all.simulated_us / 86400e6);
    printf("events %" PRIu64 ", messages %" PRIu64 ", turns %" PRIu64 ", commits %" PRIu64 " of %" PRIu64
           " entries, node starts %" PRIu64 ", snapshots %" PRIu64 "\n",
           c->events, c->messages, c->turns, c->commits, c->entries, c->restarts, c->snapshots);
    printf("settlements %" PRIu64 ", requests answered %" PRIu64 ", answered again %" PRIu64 ", refused %" PRIu64 "\n",
           c->settlements, c->answers, c->repeats, c->refusals);
    printf("questions told %" PRIu64 ", held against the second opinion %" PRIu64 "\n", c->told, c->told_checked);
    printf("faults:");
    for (int i = 0; i < SIM_FAULTS; i++)
        printf(" %s %" PRIu64 "%s", sim_fault_names[i], c->fault[i], i + 1 < SIM_FAULTS ? "," : "\n");
    printf("invariants checked %" PRIu64 ", violations %" PRIu64 "\n", c->checks, all.failed);
    for (uint64_t k = 0; k < all.failed && k < FAILURES_MAX; k++)
        printf("  seed %" PRIu64 ": %s\n", all.failure[k], all.why[k]);
    if (c->settlements < a->windows)
        printf("%u windows were wanted\n", a->windows);
    return all.failed == 0 && all.seeds == a->seeds && c->settlements >= a->windows ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments a = {.seeds = 1,
                          .seed = 1,
                          .workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
                          .dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"};
    struct timespec began, ended;
    argp_parse(&parser, argc, argv, 0, NULL, &a);
    if (a.workers > WORKERS_MAX || a.workers > a.seeds)
        a.workers = (unsigned)(a.seeds < WORKERS_MAX ? a.seeds : WORKERS_MAX);
    sq_log_open(a.trace ? SQ_LOG_DEBUG : SQ_LOG_ERROR);
    struct report *reports =
        mmap(NULL, WORKERS_MAX * sizeof *reports, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reports == MAP_FAILED)
        return EXIT_FAILURE;
    clock_gettime(CLOCK_MONOTONIC, &began);
    run_workers(&a, reports);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    return print_report(&a, reports,
                        (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
}
