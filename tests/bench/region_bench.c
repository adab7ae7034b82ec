/*
 * Signed batches of 8,192 redemptions from socket to durable receipt, everything checked, encrypted transport.
 *
 *   --nodes 1   the vouchers are of the providers' own region              row local_rps
 *   --nodes 2   they are of another: acquirer -> issuer -> acquirer        row cross_rps
 *
 * With --restart the node is then killed and started again, and what it takes of memory and disk is told.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/load.h"

#define GROWTH_SPAN 2u /* millions over which a rate is taken at the beginning and at the end */

static const char usage[] =
    "usage: region_bench [--daemon FILE] [--dir DIR] [--nodes 1|2] [--vouchers N] [--providers N] [--in-flight N]\n"
    "                    [--items N] [--seconds S] [--restart 0|1] [--wait 0|1]\n"
    "  --daemon FILE   sanquand (build/release/sanquand)\n"
    "  --dir DIR       network and ledgers; its old contents go (build/bench/region)\n"
    "  --nodes N       1: one region; 2: acquirer and issuer (1)\n"
    "  --vouchers N    picked uniformly at random (1000000)\n"
    "  --providers N   each on its own connection and thread (2)\n"
    "  --in-flight N   batches under way a provider (8)\n"
    "  --items N       redemptions; 0: no limit (4000000)\n"
    "  --seconds S     or until this time is over; 0: no limit (0)\n"
    "  --restart 1     kill and start again; memory, disk and growth (0)\n"
    "  --wait 1        print the node's process id and wait for a line on stdin before the load begins (0)\n";

struct settings {
    const char *daemon, *dir;
    double nodes, vouchers, providers, in_flight, items, seconds, restart, wait;
};

/* Redemptions a second between the a-th and the b-th million. */
static double rate_between(const struct load *l, unsigned a, unsigned b) { return (b - a) * 1e6 / (l->mark[b] - l->mark[a]); }

static void tell_growth(const struct load *l)
{
    unsigned end = (unsigned)(l->accepted / 1000000);
    if (end < 1 + 2 * GROWTH_SPAN || end >= LOAD_MARKS_MAX)
        return;
    double early = rate_between(l, 1, 1 + GROWTH_SPAN), late = rate_between(l, end - GROWTH_SPAN, end);
    bench_info("growth", "%.0f/s after 1 million, %.0f/s at %u million", early, late, end);
    bench_row("growth_loss_pct", 100 * (1 - late / early));
}

static void tell_rate(const struct load *l, const struct settings *o, const double *cpu_before, const struct rig *r)
{
    bench_row(o->nodes > 1 ? "cross_rps" : "local_rps", (double)l->accepted / l->took);
    bench_info("redemptions", "%" PRIu64 " in %.2f s", l->accepted, l->took);
    for (unsigned i = 0; i < r->node_count; i++)
        bench_info("cpu_us_per_redemption", "node %s %.3f", r->node[i].code,
                   (bench_cpu_seconds(r->node[i].pid) - cpu_before[i]) * 1e6 / (double)l->accepted);
    bench_info("cpu_us_per_redemption", "load %.3f", l->own_cpu * 1e6 / (double)l->accepted);
}

static void tell_disk_and_memory(const struct load *l, const struct rig *r, uint64_t bytes_before)
{
    const struct rig_node *n = &r->node[0];
    bench_row("rss_mib", bench_memory_mib(n->pid, "VmHWM"));
    bench_info("memory_mib", "now %.0f, of it anonymous %.0f, the ledger's map %.0f", bench_memory_mib(n->pid, "VmRSS"),
               bench_memory_mib(n->pid, "RssAnon"), bench_memory_mib(n->pid, "RssFile"));
    bench_row("ledger_bytes_per_redemption", (double)(bench_directory_bytes(n->ledger) - bytes_before) / (double)l->accepted);
}

static void restart(struct rig *r)
{
    rig_stop(r, 0, SIGKILL);
    double begin = rig_seconds();
    rig_start(r, 0);
    bench_row("restart_s", rig_seconds() - begin);
}

static void await_line(const struct rig *r)
{
    printf("ready %d\n", (int)r->node[0].pid);
    fflush(stdout);
    while (getchar() != '\n' && !feof(stdin))
        continue;
}

int main(int argc, char **argv)
{
    struct settings o = {"build/release/sanquand", "build/bench/region", .nodes = 1, .vouchers = 1000000, .providers = 2, .in_flight = 8, .items = 4000000};
    const struct bench_option options[] = {
        {"daemon", NULL, &o.daemon}, {"dir", NULL, &o.dir}, {"nodes", &o.nodes, NULL}, {"vouchers", &o.vouchers, NULL},
        {"providers", &o.providers, NULL}, {"in-flight", &o.in_flight, NULL}, {"items", &o.items, NULL}, {"seconds", &o.seconds, NULL},
        {"restart", &o.restart, NULL}, {"wait", &o.wait, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    double began = rig_seconds(), cpu[RIG_NODES_MAX];
    struct rig *r = rig_new(o.dir, o.daemon, (unsigned)o.nodes, "");
    for (unsigned i = 0; i < r->node_count; i++)
        rig_start(r, i);
    struct market *m = market_open(r, r->node_count - 1, 0, (uint32_t)o.vouchers, (unsigned)o.providers);
    bench_info("set_up", "%.1f s", rig_seconds() - began);
    if (o.wait != 0)
        await_line(r);
    struct load l = {.market = m, .in_flight = (unsigned)o.in_flight, .items = (uint64_t)o.items, .seconds = o.seconds};
    uint64_t bytes = bench_directory_bytes(r->node[0].ledger);
    for (unsigned i = 0; i < r->node_count; i++)
        cpu[i] = bench_cpu_seconds(r->node[i].pid);
    load_run(&l);
    tell_rate(&l, &o, cpu, r);
    if (o.restart != 0) {
        tell_growth(&l);
        tell_disk_and_memory(&l, r, bytes);
        restart(r);
    }
    market_free(m);
    rig_free(r);
    return 0;
}
