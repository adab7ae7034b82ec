/*
 * Where damaged ledgers are opened: a folder of its own for each process, in memory where there is /dev/shm, and the processes.
 *
 * A damaged file that is mapped can kill whoever reads it. A process that dies, or hangs, is reported with the number it was at, and
 * another goes on behind it.
 */
#ifndef SQ_TEST_PLACE_H
#define SQ_TEST_PLACE_H

#include <stdint.h>
#include <sys/types.h>

struct place {
    char dir[64], path[96], data[128], snapshot[128];
    int fd; /* of data.mdb, to write */
};

/* `owner` and `number` name it: whoever goes on for a process that died has the same place. */
void place_make(struct place *p, pid_t owner, unsigned number);
void place_remove(struct place *p);
/* data.mdb is these bytes now. */
void place_put(struct place *p, const uint8_t *bytes, uint64_t size);

/*
 * `work(ctx, job, from, at)` in `jobs` processes: does its share of the numbers from `from` on, and sets *at to each before it begins it.
 * `died(ctx, number, signal)` is called in this process for each number at which one died; SIGALRM: nothing moved for 10 s.
 */
#define PLACE_JOBS_MAX 64
typedef void (*place_work)(void *ctx, unsigned job, uint64_t from, volatile uint64_t *at);
typedef void (*place_died)(void *ctx, uint64_t number, int signal_number);
void place_run(unsigned jobs, place_work work, place_died died, void *ctx);

double place_seconds(void); /* monotonic */

#endif
