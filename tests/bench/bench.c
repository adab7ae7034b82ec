#include "tests/bench/bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- output ---- */

void bench_row(const char *name, double value)
{
    printf("row %s %.9g\n", name, value);
    fflush(stdout);
}

void bench_info(const char *name, const char *format, ...)
{
    va_list args;
    printf("info %s ", name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* ---- options ---- */

_Noreturn static void leave(const char *usage, int status)
{
    fputs(usage, status == 0 ? stdout : stderr);
    exit(status);
}

static const struct bench_option *find(const struct bench_option *options, size_t count, const char *argument)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(argument, "--", 2) == 0 && strcmp(argument + 2, options[i].name) == 0)
            return &options[i];
    return NULL;
}

void bench_options(int argc, char **argv, const struct bench_option *options, size_t count, const char *usage)
{
    for (int i = 1; i < argc; i += 2) {
        const struct bench_option *o = find(options, count, argv[i]);
        char *end;
        if (strcmp(argv[i], "--help") == 0)
            leave(usage, 0);
        if (o == NULL || i + 1 == argc)
            leave(usage, 2);
        if (o->text != NULL) {
            *o->text = argv[i + 1];
            continue;
        }
        *o->number = strtod(argv[i + 1], &end);
        if (*end != '\0' || *o->number < 0)
            leave(usage, 2);
    }
}

/* ---- numbers ---- */

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double bench_quantile(double *values, size_t count, double p)
{
    qsort(values, count, sizeof *values, ascending);
    size_t at = (size_t)(p * (double)count);
    return values[at < count ? at : count - 1];
}

/* ---- processes ---- */

double bench_cpu_seconds(pid_t pid)
{
    char path[64];
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        user = kernel = 0;
    fclose(f);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

double bench_memory_mib(pid_t pid, const char *field)
{
    char path[64], line[256];
    double mib = 0;
    size_t n = strlen(field);
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, n) == 0 && line[n] == ':')
            mib = strtod(line + n + 1, NULL) / 1024;
    fclose(f);
    return mib;
}

uint64_t bench_directory_bytes(const char *path)
{
    DIR *d = opendir(path);
    uint64_t bytes = 0;
    if (d == NULL)
        return 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        struct stat s;
        if (fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode))
            bytes += (uint64_t)s.st_blocks * 512;
    }
    closedir(d);
    return bytes;
}
