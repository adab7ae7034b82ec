/*
 * How long one redemption takes: batches of a single item at a fixed rate on an open schedule, alone and beside a flood.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/bench/load.h"

static const char usage[] =
    "usage: latency_bench [--daemon FILE] [--dir DIR] [--rate N] [--seconds S] [--repeat N] [--flood-rate N] "
    "[--flood-in-flight N]\n"
    "  --daemon FILE         sanquand (build/release/sanquand)\n"
    "  --dir DIR             network and ledger; its old contents go (build/bench/latency)\n"
    "  --rate N              single redemptions offered a second (1000)\n"
    "  --seconds S           for so long, each time (3)\n"
    "  --repeat N            so many times (1)\n"
    "  --flood-rate N        redemptions a second of the provider that suffers the flood (200)\n"
    "  --flood-in-flight N   batches of 8,192 that the flooding provider keeps under way (64)\n";

struct settings {
    const char *daemon, *dir;
    double rate, seconds, repeat, flood_rate, flood_in_flight;
};

static struct probe probe(struct market *m, double rate, double seconds)
{
    struct probe p = {.market = m, .per_second = rate, .seconds = seconds};
    probe_run(&p);
    return p;
}

static void single(struct market *m, const struct settings *o)
{
    pid_t node = m->rig->node[0].pid;
    double cpu = bench_cpu_seconds(node);
    struct probe p = probe(m, o->rate, o->seconds);
    bench_info("single", "CPU of the node %.0f us a message", (bench_cpu_seconds(node) - cpu) * 1e6 / (double)p.count);
    bench_row("single_p50_ms", bench_quantile(p.ms, p.count, 0.5));
    bench_row("single_p99_ms", bench_quantile(p.ms, p.count, 0.99));
    bench_info("single", "p99.9 %.2f ms, worst %.2f ms", bench_quantile(p.ms, p.count, 0.999),
               bench_quantile(p.ms, p.count, 1));
    free(p.ms);
}

/* `flooder`: the market as a provider of its own sees it. */
static void flood(struct market *m, struct market *flooder, const struct settings *o)
{
    struct probe alone = probe(m, o->flood_rate, o->seconds);
    struct load l = {.market = flooder, .in_flight = (unsigned)o->flood_in_flight};
    struct load_thread *t = load_begin(&l);
    struct probe beside = probe(m, o->flood_rate, o->seconds);
    load_end(t);
    double quiet = bench_quantile(alone.ms, alone.count, 0.99), loud = bench_quantile(beside.ms, beside.count, 0.99);
    bench_row("flood_p99_ratio", loud / quiet);
    bench_info("flood", "p99 alone %.2f ms; beside %.0f redemptions/s of another provider %.2f ms", quiet,
               (double)l.accepted / l.took, loud);
    free(alone.ms);
    free(beside.ms);
}

int main(int argc, char **argv)
{
    struct settings o = {"build/release/sanquand", "build/bench/latency", 1000, 3, 1, 200, 64};
    const struct bench_option options[] = {{"daemon", NULL, &o.daemon},
                                           {"dir", NULL, &o.dir},
                                           {"rate", &o.rate, NULL},
                                           {"seconds", &o.seconds, NULL},
                                           {"repeat", &o.repeat, NULL},
                                           {"flood-rate", &o.flood_rate, NULL},
                                           {"flood-in-flight", &o.flood_in_flight, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    struct rig *r = rig_new(o.dir, o.daemon, 1, "");
    rig_start(r, 0);
    struct market *m = market_open(r, 0, 0, 100000, 2);
    for (int i = 0; i < (int)o.repeat; i++)
        single(m, &o);
    /* The second provider of the same market floods: a view of it with that provider alone. */
    struct market flooder = *m;
    flooder.provider[0] = m->provider[1];
    flooder.provider_count = 1;
    for (int i = 0; i < (int)o.repeat; i++)
        flood(m, &flooder, &o);
    market_free(m);
    rig_free(r);
    return 0;
}
