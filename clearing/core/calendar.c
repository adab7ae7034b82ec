/*
 * Working days: Monday to Friday, but for the days of a year that a table names: holidays, and Saturdays and Sundays worked instead.
 *
 * The State Council announces a year's table in the autumn before; an operator enters it (message CALENDAR). A year without a
 * table goes by its weekdays. A deadline that was set stays as it was set.
 */
#include "clearing/base/day.h"
#include "clearing/core/state.h"

#define WORKDAYS_MIN 200u /* of a year: fewer is a mistake */

/* 0 Monday to 6 Sunday. Source: sq_day_number counts on without a gap, and 2024-01-01 was a Monday. */
static uint32_t weekday(uint32_t day)
{
    return (sq_day_number(day) + 7 - sq_day_number(20240101) % 7) % 7;
}

static int works(const struct sq_core *core, uint32_t day)
{
    for (uint32_t i = 0; i < core->calendar.count; i++) {
        const struct sq_calendar_day *d = SQ_ROW(&core->calendar, struct sq_calendar_day, i);
        if (d->day == day)
            return (int)d->works;
    }
    return weekday(day) < 5;
}

uint32_t sq_workday_after(const struct sq_core *core, uint32_t day, uint32_t count)
{
    while (count > 0) {
        day = sq_day_add(day, 1);
        count -= works(core, day) ? 1 : 0;
    }
    return day;
}

static int ascend_in_year(uint32_t year, const uint32_t *days, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!sq_day_valid(days[i]) || days[i] / 10000 != year || (i != 0 && days[i] <= days[i - 1]))
            return 0;
    return 1;
}

/* Both lists ascend within the year, name no day twice, add only Saturdays and Sundays, and leave a year to work in. */
static int in_form(const Sanquan__V1__Calendar *m)
{
    uint32_t left = 261; /* Mondays to Fridays of a year: 260 to 262 */
    size_t k = 0;
    if (m->year < 2000 || m->year > 2199 || !ascend_in_year(m->year, m->off_days, m->n_off_days) ||
        !ascend_in_year(m->year, m->work_days, m->n_work_days))
        return 0;
    for (size_t i = 0; i < m->n_work_days; i++) {
        while (k < m->n_off_days && m->off_days[k] < m->work_days[i])
            k++;
        if (weekday(m->work_days[i]) < 5 || (k < m->n_off_days && m->off_days[k] == m->work_days[i]))
            return 0;
    }
    for (size_t i = 0; i < m->n_off_days; i++)
        left -= weekday(m->off_days[i]) < 5 ? 1 : 0;
    return left >= WORKDAYS_MIN && left <= 261;
}

static void put(struct sq_core *core, const uint32_t *days, size_t count, uint32_t work)
{
    for (size_t i = 0; i < count; i++) {
        struct sq_calendar_day *d = sq_table_add(&core->calendar, NULL);
        SQ_ASSERT(d != NULL); /* reserved */
        *d = (struct sq_calendar_day){days[i], work};
    }
}

sq_status sq_on_calendar(struct sq_step *s, const Sanquan__V1__Calendar *m)
{
    struct sq_core *core = s->core;
    uint32_t kept = 0;
    if (!in_form(m))
        return sq_refuse(s, SQ_R_CALENDAR, "calendar of %u with %zu and %zu days", m->year, m->n_off_days,
                         m->n_work_days);
    sq_status st = sq_table_reserve(&core->calendar, (uint32_t)(m->n_off_days + m->n_work_days), s->err);
    if (st != SQ_OK)
        return st;
    for (uint32_t i = 0; i < core->calendar.count; i++) {
        const struct sq_calendar_day d = *SQ_ROW(&core->calendar, struct sq_calendar_day, i);
        if (d.day / 10000 != m->year)
            *SQ_ROW(&core->calendar, struct sq_calendar_day, kept++) = d;
    }
    core->calendar.count = kept;
    put(core, m->off_days, m->n_off_days, 0);
    put(core, m->work_days, m->n_work_days, 1);
    return sq_answer_accepted(s, m->n_off_days + m->n_work_days);
}
