/*
 * What every measurement needs: options, a line a figure, facts of a process.
 *
 * A bench program prints `row NAME VALUE` for what it measured and `info NAME VALUE` for what explains it; `tests/bench/run` reads
 * these lines, repeats the program and takes medians. Anything that goes wrong ends the program: half a measurement is none.
 */
#ifndef SQ_BENCH_H
#define SQ_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/status.h"

void bench_row(const char *name, double value);
void bench_info(const char *name, const char *format, ...) SQ_PRINTF(2, 3);

/*
 * `--name value` options; argv in pairs. `usage` is printed for --help and for anything that is not in `options`.
 * A number is written to `number`, text to `text` (borrowed from argv).
 */
struct bench_option {
    const char *name; /* without the dashes */
    double *number;
    const char **text;
};
void bench_options(int argc, char **argv, const struct bench_option *options, size_t count, const char *usage);

/* The p-th value (0 to 1) of `count` values, which are sorted in place; count > 0. */
double bench_quantile(double *values, size_t count, double p);

/* User and system time of a process so far; 0 when it is gone. */
double bench_cpu_seconds(pid_t pid);
/* A line of /proc/PID/status in MiB ("VmHWM", "RssAnon"); 0 when it is not there. */
double bench_memory_mib(pid_t pid, const char *field);
/* What a directory's files take on the disk, holes not counted. */
uint64_t bench_directory_bytes(const char *path);

#endif
