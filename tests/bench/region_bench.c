/*
 * Signed batches of 8,192 redemptions from socket to durable receipt, everything checked, encrypted transport.
 *
 *   --nodes 1   the vouchers are of the providers' own region              row local_rps
 *   --nodes 2   they are of another: acquirer -> issuer -> acquirer        row cross_rps
 *
 * With --long, also what the ledger that came of it costs: memory, disk, growth, regulators' questions under load, restart.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/load.h"

#define GROWTH_SPAN_MIN                                                                                                \
    2u /* millions over which a rate is taken at the beginning and at the end; a tenth of a long run */

static const char usage[] =
    "usage: region_bench [--daemon FILE] [--dir DIR] [--nodes 1|2] [--vouchers N] [--providers N] [--in-flight N]\n"
    "                    [--items N] [--seconds S] [--long 0|1] [--wait 0|1]\n"
    "  --daemon FILE   sanquand (build/release/sanquand)\n"
    "  --dir DIR       network and ledgers; its old contents go (build/bench/region)\n"
    "  --nodes N       1: one region; 2: acquirer and issuer (1)\n"
    "  --vouchers N    picked uniformly at random (1000000)\n"
    "  --providers N   each on its own connection and thread (2)\n"
    "  --in-flight N   batches under way a provider (8)\n"
    "  --items N       redemptions; 0: no limit (4000000)\n"
    "  --seconds S     or until this time is over; 0: no limit (0)\n"
    "  --long 1        growth, memory, disk, questions under load, restart (0)\n"
    "  --wait 1        print the node's process id and wait for a line on stdin before the load begins (0)\n";

struct settings {
    const char *daemon, *dir;
    double nodes, vouchers, providers, in_flight, items, seconds, with_rest, wait;
};

/* Redemptions a second between the a-th and the b-th million. */
static double rate_between(const struct load *l, unsigned a, unsigned b)
{
    return (b - a) * 1e6 / (l->mark[b] - l->mark[a]);
}

static void tell_growth(const struct load *l)
{
    unsigned end = (unsigned)(l->accepted / 1000000), span = end / 10 < GROWTH_SPAN_MIN ? GROWTH_SPAN_MIN : end / 10;
    if (end < 1 + 2 * span || end >= LOAD_MARKS_MAX)
        return;
    double early = rate_between(l, 1, 1 + span), late = rate_between(l, end - span, end);
    for (unsigned from = 1; from + span <= end; from += span)
        bench_info("growth", "%3u to %3u million: %.0f/s", from, from + span, rate_between(l, from, from + span));
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
    bench_row("ledger_bytes_per_redemption",
              (double)(bench_directory_bytes(n->ledger) - bytes_before) / (double)l->accepted);
}

/* ---- questions under load ---- */

#define QUESTIONS_S       5.0 /* load alone for so long, then load and questions for so long */
#define QUESTION_EVERY_MS 10
#define QUESTIONS_MAX     30000u

static void await_history(struct sq_client *c)
{
    struct sq_error err = {0};
    const char *json;
    double begin = rig_seconds();
    if (sq_client_query(c, "history?max=1", 600000, &json, &err) != SQ_OK)
        rig_die("history", &err);
    bench_info("history", "first answer after %.1f s", rig_seconds() - begin);
}

/* One of three questions in turn: the life of a voucher, a provider's month, a pair's window. Returns milliseconds to the first page. */
static double ask(struct sq_client *c, const struct market *m, unsigned turn, struct dice *dice)
{
    const struct market_provider *p = &m->provider[turn % m->provider_count];
    const char *node = m->rig->node[0].code, *json;
    struct sq_error err = {0};
    char question[200];
    switch (turn % 3) {
    case 0:
        snprintf(question, sizeof question, "history?voucher=%" PRIu64 "&life=1",
                 p->stream.voucher_base + p->stream.first +
                     (uint64_t)dice_below(dice, p->stream.count) * p->stream.step);
        break;
    case 1:
        snprintf(question, sizeof question, "history?provider=%s&from=%" PRIu32 "01&until=%" PRIu32 "01&order=newest",
                 p->code, p->stream.day / 100, p->stream.day / 100 + 1);
        break;
    default:
        snprintf(question, sizeof question, "history?window=1&debtor=%s&creditor=%s", node, node);
    }
    double begin = rig_seconds();
    if (sq_client_query(c, question, 60000, &json, &err) != SQ_OK)
        rig_die(question, &err);
    if (strstr(json, "\"items\"") == NULL || strstr(json, "\"items\":[]") != NULL) {
        fprintf(stderr, "bench: %s found nothing: %.200s\n", question, json);
        exit(1);
    }
    return (rig_seconds() - begin) * 1000;
}

/* The turns of each question. */
static void tell_each(const double *ms, unsigned count)
{
    static const char *const question[] = {"the life of a voucher", "a provider's month", "a window by pair"};
    static double of_one[QUESTIONS_MAX];
    for (unsigned k = 0; k < 3; k++) {
        unsigned n = 0;
        for (unsigned i = k; i < count; i += 3)
            of_one[n++] = ms[i];
        bench_info("question", "%s: p50 %.1f ms, p99 %.1f ms", question[k], bench_quantile(of_one, n, 0.5),
                   bench_quantile(of_one, n, 0.99));
    }
}

static void tell_questions(const struct rig *r, struct market *m, unsigned in_flight)
{
    static double ms[QUESTIONS_MAX];
    struct sq_client *c = rig_client(r, 0, r->node[0].maker, 1);
    struct dice dice = {7};
    unsigned count = 0;
    await_history(c);
    struct load alone = {.market = m, .in_flight = in_flight, .seconds = QUESTIONS_S},
                beside = {.market = m, .in_flight = in_flight};
    load_run(&alone);
    struct load_thread *t = load_begin(&beside);
    for (double end = rig_seconds() + QUESTIONS_S; rig_seconds() < end && count < QUESTIONS_MAX;
         poll(NULL, 0, QUESTION_EVERY_MS)) {
        ms[count] = ask(c, m, count, &dice);
        count++;
    }
    load_end(t);
    tell_each(ms, count);
    double p50 = bench_quantile(ms, count, 0.5), rate_alone = (double)alone.accepted / alone.took,
           rate_beside = (double)beside.accepted / beside.took;
    bench_row("query_p99_ms", bench_quantile(ms, count, 0.99));
    bench_row("query_load_loss_pct", 100 * (1 - rate_beside / rate_alone));
    bench_info("questions", "%u, p50 %.1f ms, worst %.1f ms; load alone %.0f/s, beside them %.0f/s", count, p50,
               bench_quantile(ms, count, 1), rate_alone, rate_beside);
    bench_info("added", "%" PRIu64 " redemptions", alone.accepted + beside.accepted);
    sq_client_close(c);
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
    struct settings o = {"build/release/sanquand", "build/bench/region", .nodes = 1,      .vouchers = 1000000,
                         .providers = 2,           .in_flight = 8,       .items = 4000000};
    const struct bench_option options[] = {{"daemon", NULL, &o.daemon},       {"dir", NULL, &o.dir},
                                           {"nodes", &o.nodes, NULL},         {"vouchers", &o.vouchers, NULL},
                                           {"providers", &o.providers, NULL}, {"in-flight", &o.in_flight, NULL},
                                           {"items", &o.items, NULL},         {"seconds", &o.seconds, NULL},
                                           {"long", &o.with_rest, NULL},      {"wait", &o.wait, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    double began = rig_seconds(), cpu[RIG_NODES_MAX] = {0};
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
    if (o.with_rest != 0) {
        tell_growth(&l);
        tell_disk_and_memory(&l, r, bytes);
        tell_questions(r, m, (unsigned)o.in_flight);
        restart(r);
    }
    market_free(m);
    rig_free(r);
    return 0;
}
