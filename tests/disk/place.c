#include "tests/disk/place.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 10u

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(2);
}

/* What is there already is of a process that died. */
static void make_folder(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        die(path);
}

void place_make(struct place *p, pid_t owner, unsigned number)
{
    snprintf(p->dir, sizeof p->dir, "%s/sanquan-disk-%ld-%u", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (long)owner, number);
    snprintf(p->path, sizeof p->path, "%s/ledger", p->dir);
    snprintf(p->data, sizeof p->data, "%s/data.mdb", p->path);
    snprintf(p->snapshot, sizeof p->snapshot, "%s/snapshot", p->path);
    make_folder(p->dir);
    make_folder(p->path);
    if ((p->fd = open(p->data, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        die(p->data);
}

void place_remove(struct place *p)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "writer.lock", "snapshot"};
    char path[160];
    close(p->fd);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", p->path, names[i]);
        unlink(path);
    }
    rmdir(p->path);
    rmdir(p->dir);
}

void place_put(struct place *p, const uint8_t *bytes, uint64_t size)
{
    if (ftruncate(p->fd, (off_t)size) != 0 || pwrite(p->fd, bytes, size, 0) != (ssize_t)size)
        die(p->data);
}

/* ---- processes ---- */

static pid_t begin(unsigned job, uint64_t from, place_work work, void *ctx, volatile uint64_t *at)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid != 0)
        return pid;
    work(ctx, job, from, at);
    fflush(NULL);
    _exit(0);
}

/* The alarm is reset by whoever moves on; it kills whoever does not. */
static void watch(pid_t *pid, unsigned jobs, volatile uint64_t *at, uint64_t *seen, double *moved)
{
    for (unsigned job = 0; job < jobs; job++) {
        if (at[job] != seen[job]) {
            seen[job] = at[job];
            moved[job] = place_seconds();
        } else if (pid[job] != 0 && place_seconds() - moved[job] > PATIENCE_S) {
            kill(pid[job], SIGALRM);
            moved[job] = place_seconds();
        }
    }
}

void place_run(unsigned jobs, place_work work, place_died died, void *ctx)
{
    pid_t pid[PLACE_JOBS_MAX];
    uint64_t seen[PLACE_JOBS_MAX] = {0};
    double moved[PLACE_JOBS_MAX];
    volatile uint64_t *at = mmap(NULL, jobs * sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned running = jobs;
    for (unsigned job = 0; job < jobs; job++) {
        pid[job] = begin(job, 0, work, ctx, &at[job]);
        moved[job] = place_seconds();
    }
    while (running > 0) {
        int status;
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended <= 0) {
            watch(pid, jobs, at, seen, moved);
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
            continue;
        }
        for (unsigned job = 0; job < jobs; job++) {
            if (pid[job] != ended)
                continue;
            pid[job] = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                running--;
                continue;
            }
            died(ctx, at[job], WIFSIGNALED(status) ? WTERMSIG(status) : 0);
            pid[job] = begin(job, at[job] + 1, work, ctx, &at[job]);
            moved[job] = place_seconds();
        }
    }
}

double place_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
