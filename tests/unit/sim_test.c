/* A few seeds of the simulator (tests/sim): the network holds under faults, and a seed is a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/common/log.h"
#include "tests/sim/sim.h"

static void run(uint64_t seed, struct sim_result *out)
{
    char dir[64];
    snprintf(dir, sizeof dir, "%s/sanquan-sim-test-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    sim_run(seed, dir, 0, out);
}

static void ten_seeds_end_with_everything_answered_and_agreed(void **state)
{
    struct sim_counts sum = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim_result r;
        run(seed, &r);
        assert_false(r.failed);
        assert_true(r.counts.answers > 0 && r.counts.checks > 1000 && r.counts.settlements > 0);
        for (int i = 0; i < SIM_FAULTS; i++)
            sum.fault[i] += r.counts.fault[i];
        sum.checks += r.counts.checks;
        sum.events += r.counts.events;
    }
    assert_true(sum.fault[SIM_LOSS] > 0 && sum.fault[SIM_CRASH] > 0 && sum.fault[SIM_PARTITION] > 0); /* these seeds have them */
    print_message("# note: %" PRIu64 " events, %" PRIu64 " checks\n", sum.events, sum.checks);
}

static void a_seed_goes_the_same_way_twice(void **state)
{
    struct sim_result one, two, other;
    (void)state;
    run(3, &one);
    run(3, &two);
    run(4, &other);
    assert_false(one.failed || two.failed || other.failed);
    assert_true(one.hash == two.hash && one.counts.events == two.counts.events);
    assert_true(one.hash != other.hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_seeds_end_with_everything_answered_and_agreed),
        cmocka_unit_test(a_seed_goes_the_same_way_twice),
    };
    sq_log_open(SQ_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
