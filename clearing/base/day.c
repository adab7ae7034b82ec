#include "clearing/base/day.h"

#define MS_PER_DAY 86400000u
#define UTC8_MS    (8u * 3600000u)

static uint32_t month_length(uint32_t y, uint32_t m)
{
    static const uint8_t length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return length[m - 1] + (m == 2 && leap ? 1u : 0u);
}

int sq_day_valid(uint32_t day)
{
    uint32_t y = day / 10000, m = day / 100 % 100, d = day % 100;
    return y >= 2000 && y <= 2199 && m >= 1 && m <= 12 && d >= 1 && d <= month_length(y, m);
}

/* Days are counted from 0000-03-01: February, the odd month, comes last, and eras of 400 years are all alike. */
uint32_t sq_day_number(uint32_t day)
{
    uint64_t y = day / 10000, m = day / 100 % 100, d = day % 100;
    y -= m <= 2;
    uint64_t era = y / 400, year_of_era = y % 400, month = (m + 9) % 12;
    uint64_t day_of_year = (153 * month + 2) / 5 + d - 1;
    return (uint32_t)(era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year);
}

#define DAYS_TO_1970 719468u /* 0000-03-01 to 1970-01-01 */

static uint32_t day_of_number(uint64_t days)
{
    uint64_t era = days / 146097, day_of_era = days % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * day_of_year + 2) / 153;
    uint64_t d = day_of_year - (153 * month + 2) / 5 + 1, m = month < 10 ? month + 3 : month - 9;
    return (uint32_t)((era * 400 + year_of_era + (m <= 2)) * 10000 + m * 100 + d);
}

uint32_t sq_day_of_ms(uint64_t unix_ms)
{
    return day_of_number((unix_ms + UTC8_MS) / MS_PER_DAY + DAYS_TO_1970);
}

uint32_t sq_day_add(uint32_t day, int32_t days)
{
    return day_of_number((uint64_t)((int64_t)sq_day_number(day) + days));
}

uint32_t sq_day_add_months(uint32_t day, int32_t months)
{
    int64_t month = (int64_t)(day / 10000) * 12 + day / 100 % 100 - 1 + months;
    uint32_t y = (uint32_t)(month / 12), m = (uint32_t)(month % 12) + 1, d = day % 100, length = month_length(y, m);
    return y * 10000 + m * 100 + (d < length ? d : length);
}

uint32_t sq_minute_of_ms(uint64_t unix_ms)
{
    return (uint32_t)((unix_ms + UTC8_MS) % MS_PER_DAY / 60000u);
}

uint64_t sq_day_end_ms(uint32_t day)
{
    return ((uint64_t)sq_day_number(day) - DAYS_TO_1970 + 1) * MS_PER_DAY - UTC8_MS;
}
