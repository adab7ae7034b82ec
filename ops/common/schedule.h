/*
 * When windows are closed: one line of a schedule.
 *
 *   "17:00"                   every day
 *   "30 9,17 * * 1-5"         minute, hour, day of the month, month, day of the week (0 or 7 Sunday), as cron has them
 *   "0 12 * * * compute,model"  for these kinds only: kinds by name, or by number
 *
 * Each of the five is *, a number, a range a-b, a list of these, or one of the first three with a step, such as 0-59/15. Where neither day
 * is *, either will do, as with cron. Times are in UTC+8, which has no daylight saving time.
 */
#ifndef SQ_SCHEDULE_H
#define SQ_SCHEDULE_H

#include <stdint.h>

struct sq_schedule {
    uint64_t minutes;                       /* a bit each, from bit 0 */
    uint32_t hours, days, months, weekdays; /* days and months from bit 1, weekdays 0 to 6 */
    uint32_t either_day;                    /* a day of the month or a day of the week */
    uint32_t kinds;                         /* a bit 1 << kind each; 0: all */
};

/* What is wrong with the text, in English; NULL: nothing. */
const char *sq_schedule_read(const char *text, struct sq_schedule *out);

/* The number of a kind by its name, or as a digit; 0 when there is none. */
uint32_t sq_schedule_kind(const char *name);

/* The first moment after now_ms at which it is due; UINT64_MAX: none within the next eight years. */
uint64_t sq_schedule_next(const struct sq_schedule *s, uint64_t now_ms);

#endif
