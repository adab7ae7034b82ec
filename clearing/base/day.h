/*
 * Days as people write them: yyyymmdd, in UTC+8, which has no daylight saving time.
 * Source: proleptic Gregorian calendar, ISO 8601; days from civil after the usual March-based count.
 */
#ifndef SQ_DAY_H
#define SQ_DAY_H

#include <stdint.h>

/* 1 for a day of the calendar between 2000-01-01 and 2199-12-31. */
int sq_day_valid(uint32_t day);

/* The day in UTC+8 at this moment. */
uint32_t sq_day_of_ms(uint64_t unix_ms);

/* Days since an early fixed day: their difference is a number of days. The day must be valid. */
uint32_t sq_day_number(uint32_t day);

/* The day `days` later (or earlier). */
uint32_t sq_day_add(uint32_t day, int32_t days);

/* The same day of the month `months` later (or earlier), or that month's last where it has no such day. */
uint32_t sq_day_add_months(uint32_t day, int32_t months);

/* Minutes since midnight in UTC+8. */
uint32_t sq_minute_of_ms(uint64_t unix_ms);

/* The first millisecond after `day` in UTC+8. */
uint64_t sq_day_end_ms(uint32_t day);

#endif
