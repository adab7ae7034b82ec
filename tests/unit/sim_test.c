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

static void run(uint64_t seed, uint32_t faults, struct sim_result *out)
{
    char dir[64];
    snprintf(dir, sizeof dir, "%s/sanquan-sim-test-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (int)getpid());
    sim_run(seed, &(struct sim_wish){.faults = faults}, dir, 0, out);
}

static void ten_seeds_end_with_everything_answered_and_agreed(void **state)
{
    struct sim_counts sum = {0};
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim_result r;
        run(seed, 0, &r);
        assert_false(r.failed);
        assert_true(r.counts.answers > 0 && r.counts.checks > 1000 && r.counts.settlements > 0);
        for (int i = 0; i < SIM_FAULTS; i++)
            sum.fault[i] += r.counts.fault[i];
        sum.checks += r.counts.checks;
        sum.events += r.counts.events;
        sum.told += r.counts.told;
        sum.told_checked += r.counts.told_checked;
    }
    assert_true(sum.fault[SIM_LOSS] > 0 && sum.fault[SIM_CRASH] > 0 &&
                sum.fault[SIM_PARTITION] > 0);            /* these seeds have them */
    assert_true(sum.told > 100 && sum.told_checked > 50); /* questions, while all that goes on */
    print_message("# note: %" PRIu64 " events, %" PRIu64 " checks\n", sum.events, sum.checks);
}

static void a_seed_goes_the_same_way_twice(void **state)
{
    struct sim_result one, two, other;
    (void)state;
    run(3, 0, &one);
    run(3, 0, &two);
    run(4, 0, &other);
    assert_false(one.failed || two.failed || other.failed);
    assert_true(one.hash == two.hash && one.counts.events == two.counts.events);
    assert_true(one.hash != other.hash);
}

/* A node on an old copy of its ledger, with old timers running out and peers speaking to it at once. */
static void an_old_copy_says_nothing_before_its_peers_have_been_heard(void **state)
{
    uint64_t copies = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_result r;
        run(seed, 1u << SIM_OLD_COPY | 1u << SIM_SLOW_DISK, &r);
        assert_false(r.failed);
        copies += r.counts.fault[SIM_OLD_COPY];
    }
    assert_true(copies >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_seeds_end_with_everything_answered_and_agreed),
        cmocka_unit_test(an_old_copy_says_nothing_before_its_peers_have_been_heard),
        cmocka_unit_test(a_seed_goes_the_same_way_twice),
    };
    sq_log_open(SQ_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
