/*
 * Three real nodes owe each other; then the window is cut: how long until every node holds the settlement certificate?
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/load.h"

#define NODES 3u

static const char usage[] = "usage: window_bench [--daemon FILE] [--dir DIR] [--items N] [--vouchers N] [--repeat N]\n"
                            "  --daemon FILE   sanquand (build/release/sanquand)\n"
                            "  --dir DIR       network and ledgers; its old contents go (build/bench/window)\n"
                            "  --items N       redemptions in each window, over all three pairs (300000)\n"
                            "  --vouchers N    a node (30000)\n"
                            "  --repeat N      windows, one after another (3)\n";

struct settings {
    const char *daemon, *dir;
    double items, vouchers, repeat;
};

static void cut(const struct rig *r, struct sq_client *operator_client, uint64_t window)
{
    Sanquan__V1__WindowCut m;
    (void)r;
    sanquan__v1__window_cut__init(&m);
    m.window = window;
    rig_say(operator_client, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base);
}

static int is_final(struct sq_client *c, uint64_t window)
{
    struct sq_error err = {0};
    char path[32];
    const char *json;
    snprintf(path, sizeof path, "window/%" PRIu64, window);
    if (sq_client_query(c, path, 10000, &json, &err) != SQ_OK)
        rig_die(path, &err);
    return strstr(json, "\"final\"") != NULL;
}

static double close_window(const struct rig *r, struct sq_client *const *operators, uint64_t window)
{
    double begin = rig_seconds();
    cut(r, operators[0], window);
    for (unsigned i = 0; i < NODES; i++)
        while (!is_final(operators[i], window)) {
            if (rig_seconds() > begin + 120)
                rig_die("the window does not become final", NULL);
            poll(NULL, 0, 1);
        }
    return rig_seconds() - begin;
}

int main(int argc, char **argv)
{
    struct settings o = {"build/release/sanquand", "build/bench/window", 300000, 30000, 3};
    const struct bench_option options[] = {{"daemon", NULL, &o.daemon},
                                           {"dir", NULL, &o.dir},
                                           {"items", &o.items, NULL},
                                           {"vouchers", &o.vouchers, NULL},
                                           {"repeat", &o.repeat, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    struct rig *r = rig_new(o.dir, o.daemon, NODES, "");
    struct market *m[NODES];
    struct sq_client *operators[NODES];
    for (unsigned i = 0; i < NODES; i++)
        rig_start(r, i);
    for (unsigned i = 0; i < NODES; i++) { /* providers at i redeem vouchers of the next node */
        m[i] = market_open(r, (i + 1) % NODES, i, (uint32_t)o.vouchers, 1);
        operators[i] = rig_client(r, i, r->node[i].maker, 1);
    }
    for (uint64_t window = 1; window <= (uint64_t)o.repeat; window++) {
        uint64_t accepted = 0;
        for (unsigned i = 0; i < NODES; i++) {
            struct load l = {.market = m[i], .node = i, .in_flight = 8, .items = (uint64_t)(o.items / NODES)};
            load_run(&l);
            accepted += l.accepted;
        }
        bench_row("window_close_s", close_window(r, operators, window));
        bench_info("window", "%" PRIu64 ": %" PRIu64 " redemptions", window, accepted);
    }
    for (unsigned i = 0; i < NODES; i++) {
        sq_client_close(operators[i]);
        market_free(m[i]);
    }
    rig_free(r);
    return 0;
}
