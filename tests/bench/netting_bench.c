/*
 * How long does netting take? The median of five runs of each method on
 *     dense    333 participants, each owes each other, one kind
 *     three    the same in three kinds
 *     skewed   the same with amounts over seven orders of magnitude, as markets have
 *     ring     400 participants in a ring with a few chords: long cycles
 *     trade    10,000 firms with four suppliers each
 * One line each: name, method, obligations, cleared share, median ms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clearing/netting/netting.h"
#include "tests/support/random.h"

#define RUNS 5

static int64_t even(struct dice *dice)
{
    return 1 + dice_below(dice, 100000000);
}
static int64_t skewed(struct dice *dice)
{
    return 1 + (dice_below(dice, 100000000) >> dice_below(dice, 24));
}

static size_t dense(struct sq_obligation *o, uint32_t n, uint32_t kinds, int64_t (*amount)(struct dice *))
{
    struct dice dice = {1};
    size_t count = 0;
    for (uint32_t kind = 1; kind <= kinds; kind++)
        for (uint32_t d = 0; d < n; d++)
            for (uint32_t c = 0; c < n; c++)
                if (d != c)
                    o[count++] = (struct sq_obligation){d, c, kind, amount(&dice)};
    return count;
}

static size_t sparse(struct sq_obligation *o, uint32_t n, uint32_t chords, int ring)
{
    struct dice dice = {2};
    size_t count = 0;
    for (uint32_t d = 0; d < n; d++) {
        if (ring)
            o[count++] = (struct sq_obligation){d, (d + 1) % n, 1, even(&dice)};
        for (uint32_t k = 0; k < chords; k++) {
            uint32_t c = dice_below(&dice, n);
            if (c != d && (!ring || d % 40 == 0))
                o[count++] = (struct sq_obligation){d, c, 1, skewed(&dice)};
        }
    }
    return count;
}

static int by_time(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void measure(const char *name, const struct sq_obligation *o, size_t count, uint32_t n)
{
    int64_t *funds = malloc(((size_t)n * SQ_KIND_COUNT) * sizeof *funds);
    struct dice dice = {3};
    for (size_t i = 0; funds != NULL && i < (size_t)n * SQ_KIND_COUNT; i++)
        funds[i] = even(&dice) * 4;
    for (uint32_t method = 1; funds != NULL && method <= SQ_NETTING_METHODS; method++) {
        double ms[RUNS], cleared = 0, gross = 0;
        for (int run = 0; run < RUNS; run++) {
            struct sq_net_result r = {0};
            struct sq_error err = {0};
            double start = now_ms();
            sq_status st = method == SQ_NET_FUNDS ? sq_net_funded(o, count, n, funds, &r, &err)
                                                  : sq_net((enum sq_netting_method)method, o, count, n, &r, &err);
            ms[run] = now_ms() - start;
            if (st != SQ_OK) {
                fprintf(stderr, "%s, %s: %s\n", name, sq_netting_name(method), err.text);
                exit(1);
            }
            cleared = gross = 0;
            for (size_t k = 0; k < SQ_KIND_COUNT; k++) {
                cleared += (double)r.cleared_fen[k];
                gross += (double)r.gross_fen[k];
            }
            sq_net_result_free(&r);
        }
        qsort(ms, RUNS, sizeof *ms, by_time);
        printf("netting  %-8s %-10s %8zu obligations  %5.1f %% cleared  median %9.2f ms\n", name,
               sq_netting_name(method), count, gross > 0 ? 100 * cleared / gross : 0, ms[RUNS / 2]);
    }
    free(funds);
}

int main(void)
{
    struct sq_obligation *o = malloc((size_t)400 * 400 * 3 * sizeof *o);
    if (o == NULL)
        return 1;
    measure("dense", o, dense(o, 333, 1, even), 333);
    measure("three", o, dense(o, 333, 3, even), 333);
    measure("skewed", o, dense(o, 333, 1, skewed), 333);
    measure("ring", o, sparse(o, 400, 3, 1), 400);
    measure("trade", o, sparse(o, 10000, 4, 0), 10000);
    free(o);
    return 0;
}
