/* The time a node decides by, when the wall clock misbehaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ops/common/clock.h"

static void a_good_wall_clock_is_followed(void **state)
{
    (void)state;
    struct sq_clock c;
    sq_clock_start(&c, 0, 1000, 77);
    assert_int_equal(sq_clock_read(&c, 1000, 77), 1000);
    assert_int_equal(sq_clock_read(&c, 1500, 577), 1500);
    assert_int_equal(sq_clock_read(&c, 90000, 578), 90000); /* set forward */
}

static void a_clock_set_back_goes_on_at_half_speed_until_the_wall_clock_has_caught_up(void **state)
{
    (void)state;
    struct sq_clock c;
    uint64_t wall = 1000000, monotonic = 5, last;
    sq_clock_start(&c, 0, wall, monotonic);
    wall -= 3600;
    last = 1000000;
    for (int i = 0; i < 20000; i++) { /* a millisecond at a time, so that halves must not be lost */
        uint64_t now = sq_clock_read(&c, ++wall, ++monotonic);
        assert_true(now >= last && now <= last + 1 + (wall > last));
        assert_true(now >= wall);
        last = now;
    }
    assert_int_equal(last, wall);
    assert_int_equal(sq_clock_read(&c, wall - 3600, monotonic + 7200), wall + 3600);
}

static void a_new_life_does_not_wait_for_the_time_of_the_journal(void **state)
{
    (void)state;
    struct sq_clock c;
    sq_clock_start(&c, 5000, 1000, 9);
    assert_int_equal(sq_clock_read(&c, 1000, 9), 5000);
    assert_int_equal(sq_clock_read(&c, 1002, 11), 5001);
}

static void a_monotonic_clock_that_goes_back_is_not_believed(void **state)
{
    (void)state;
    struct sq_clock c;
    sq_clock_start(&c, 5000, 1000, 100);
    assert_int_equal(sq_clock_read(&c, 1000, 50), 5000);
    assert_int_equal(sq_clock_read(&c, 1000, 102), 5001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_wall_clock_is_followed),
        cmocka_unit_test(a_clock_set_back_goes_on_at_half_speed_until_the_wall_clock_has_caught_up),
        cmocka_unit_test(a_new_life_does_not_wait_for_the_time_of_the_journal),
        cmocka_unit_test(a_monotonic_clock_that_goes_back_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
