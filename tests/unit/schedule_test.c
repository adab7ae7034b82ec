/* A schedule in cron's five fields, by the clock of Beijing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ops/common/schedule.h"

/* "2026-09-21 17:00" in UTC+8 */
static uint64_t at(const char *text)
{
    struct tm tm = {.tm_isdst = 0};
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
    return (uint64_t)(timegm(&tm) - 8 * 3600) * 1000;
}

static void the_next_time_is_the_one_that_cron_would_take(void **state)
{
    (void)state;
    static const struct {
        const char *text, *now, *next;
    } cases[] = {
        {"17:00", "2026-09-21 16:59", "2026-09-21 17:00"}, /* a Monday */
        {"17:00", "2026-09-21 17:00", "2026-09-22 17:00"},
        {"0 17 * * *", "2026-12-31 17:00", "2027-01-01 17:00"},
        {"*/15 9-11 * * *", "2026-09-21 09:15", "2026-09-21 09:30"},
        {"*/15 9-11 * * *", "2026-09-21 11:45", "2026-09-22 09:00"},
        {"10-50/20,5 8 * * *", "2026-09-21 08:05", "2026-09-21 08:10"},
        {"10-50/20,5 8 * * *", "2026-09-21 08:30", "2026-09-21 08:50"},
        {"30 11 * * 1-5", "2026-09-25 11:30", "2026-09-28 11:30"}, /* from Friday to Monday */
        {"0 9 * * 7", "2026-09-21 00:00", "2026-09-27 09:00"},     /* Sunday is 7, */
        {"0 9 * * 0", "2026-09-21 00:00", "2026-09-27 09:00"},     /* and 0 */
        {"0 0 1 * *", "2026-09-21 00:00", "2026-10-01 00:00"},
        {"0 0 31 * *", "2026-11-01 00:00", "2026-12-31 00:00"},
        {"0 0 29 2 *", "2026-09-21 00:00", "2028-02-29 00:00"},
        {"0 12 15 * 3", "2026-09-14 00:00", "2026-09-15 12:00"}, /* the 15th, or a Wednesday: */
        {"0 12 15 * 3", "2026-09-15 12:00", "2026-09-16 12:00"}, /* either will do */
        {"0 12 */2 * 3", "2026-09-21 13:00",
         "2026-09-23 12:00"}, /* but with a star both must: the 23rd is odd, and a Wednesday */
        {"59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"},
        {"5/20 0 * * *", "2026-09-21 00:05", "2026-09-21 00:25"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sq_schedule s;
        assert_null(sq_schedule_read(cases[i].text, &s));
        assert_int_equal(s.kinds, 0);
        if (sq_schedule_next(&s, at(cases[i].now)) != at(cases[i].next))
            fail_msg("'%s' after %s", cases[i].text, cases[i].now);
        assert_true(sq_schedule_next(&s, at(cases[i].next) - 1) == at(cases[i].next));
    }
}

static void a_day_that_never_comes_is_never_due(void **state)
{
    (void)state;
    struct sq_schedule s;
    assert_null(sq_schedule_read("0 0 31 2,4,6 *", &s));
    assert_true(sq_schedule_next(&s, at("2026-09-21 00:00")) == UINT64_MAX);
}

static void kinds_follow_the_time(void **state)
{
    (void)state;
    struct sq_schedule s;
    assert_null(sq_schedule_read("17:00 compute", &s));
    assert_int_equal(s.kinds, 1u << 1);
    assert_null(sq_schedule_read("0 17 * * 5 model,corpus,7", &s));
    assert_int_equal(s.kinds, 1u << 2 | 1u << 3 | 1u << 7);
}

static void what_is_no_schedule_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "24:00",
        "17:60",
        "7:00",
        "17.00",
        "1700",
        "noon",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 8",
        "* * * *",
        "* * * * * 1 2",
        "5-3 * * * *",
        "*/0 * * * *",
        "1, * * * *",
        ",1 * * * *",
        "1- * * * *",
        "-1 * * * *",
        "a * * * *",
        "*/61 * * * *",
        "1//2 * * * *",
        "17:00 0",
        "17:00 8",
        "17:00 money",
        "17:00 ,",
        "17:00 11",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sq_schedule s;
        if (sq_schedule_read(texts[i], &s) == NULL)
            fail_msg("'%s' is taken", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_time_is_the_one_that_cron_would_take),
        cmocka_unit_test(a_day_that_never_comes_is_never_due),
        cmocka_unit_test(kinds_follow_the_time),
        cmocka_unit_test(what_is_no_schedule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
