#include "ops/common/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "proto/wire.h"

#define MS_PER_MINUTE 60000u
#define MS_PER_DAY    86400000u
#define UTC8_MS       (8u * 3600000u)
#define DAYS_AHEAD    (8u * 366u) /* 29 February comes every eight years at worst */

/* ---- reading ---- */

static int read_number(const char **at, unsigned long least, unsigned long most, unsigned long *out)
{
    char *end;
    if (**at < '0' || **at > '9')
        return 0;
    *out = strtoul(*at, &end, 10);
    *at = end;
    return *out >= least && *out <= most;
}

/* One field's numbers as bits; 0 when it is none. `all` is set for one that begins with a star. */
static int read_field(const char *text, unsigned long least, unsigned long most, uint64_t *bits, int *all)
{
    const char *at = text;
    *bits = 0;
    *all = *at == '*';
    for (;; at++) {
        unsigned long from = least, to = most, step = 1;
        if (*at == '*')
            at++;
        else if (!read_number(&at, least, most, &from))
            return 0;
        else if (*at != '-')
            to = from;
        else if (at++, !read_number(&at, from, most, &to))
            return 0;
        if (*at == '/') {
            at++;
            to = to == from ? most : to;
            if (!read_number(&at, 1, most + 1, &step))
                return 0;
        }
        for (unsigned long v = from; v <= to; v += step)
            *bits |= 1ull << v;
        if (*at != ',')
            return *at == '\0';
    }
}

uint32_t sq_schedule_kind(const char *name)
{
    static const char *const names[] = {"", "compute", "model", "corpus"};
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
        if ((kind < sizeof names / sizeof *names && strcmp(name, names[kind]) == 0) ||
            (name[0] == (char)('0' + kind) && name[1] == '\0'))
            return kind;
    return 0;
}

static int read_kinds(char *text, uint32_t *out)
{
    char *rest;
    for (char *name = strtok_r(text, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        uint32_t kind = sq_schedule_kind(name);
        if (kind == 0)
            return 0;
        *out |= 1u << kind;
    }
    return *out != 0;
}

/* "17:05" */
static int read_time(const char *t, struct sq_schedule *out)
{
    int hour, minute, used = 0;
    if (strlen(t) != 5 || strspn(t, "0123456789:") != 5 || t[2] != ':' ||
        sscanf(t, "%2d:%2d%n", &hour, &minute, &used) != 2 || used != 5 || hour > 23 || minute > 59)
        return 0;
    *out = (struct sq_schedule){1ull << minute, 1u << hour, ~1u, ~1u, 0x7f, 0, 0};
    return 1;
}

static int read_cron(char *const field[static 5], struct sq_schedule *out)
{
    uint64_t bits[5];
    int all[5];
    static const unsigned long least[] = {0, 0, 1, 1, 0}, most[] = {59, 23, 31, 12, 7};
    for (size_t i = 0; i < 5; i++)
        if (!read_field(field[i], least[i], most[i], &bits[i], &all[i]))
            return 0;
    *out = (struct sq_schedule){.minutes = bits[0],
                                .hours = (uint32_t)bits[1],
                                .days = (uint32_t)bits[2],
                                .months = (uint32_t)bits[3],
                                .weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
                                .either_day = !all[2] && !all[4]};
    return 1;
}

const char *sq_schedule_read(const char *text, struct sq_schedule *out)
{
    char copy[128], *field[7], *rest;
    size_t n = 0;
    if (strlen(text) >= sizeof copy)
        return "a cut-off is a time of day like 17:00, or five fields as cron has them";
    strcpy(copy, text);
    for (char *f = strtok_r(copy, " ", &rest); f != NULL && n < 7; f = strtok_r(NULL, " ", &rest))
        field[n++] = f;
    size_t time = n == 1 || n == 2 ? 1 : n == 5 || n == 6 ? 5 : 0;
    if (time == 0 || !(time == 1 ? read_time(field[0], out) : read_cron(field, out)))
        return "a cut-off is a time of day like 17:00, or five fields as cron has them";
    return n == time || read_kinds(field[time], &out->kinds)
               ? NULL
               : "after the time of a cut-off come kinds: compute, model, corpus, or a number";
}

/* ---- the next one ---- */

static int is_day(const struct sq_schedule *s, uint32_t day, uint64_t days_since_1970)
{
    int by_month = (s->days >> day % 100 & 1) != 0, by_week = (s->weekdays >> (days_since_1970 + 4) % 7 & 1) != 0;
    return (s->months >> day / 100 % 100 & 1) != 0 && (s->either_day ? by_month || by_week : by_month && by_week);
}

/* The first such minute of the day, of those from `from` on; 1440: none. */
static uint32_t minute_of(const struct sq_schedule *s, uint32_t from)
{
    while (from < 1440 && ((s->hours >> from / 60 & 1) == 0 || (s->minutes >> from % 60 & 1) == 0))
        from++;
    return from;
}

uint64_t sq_schedule_next(const struct sq_schedule *s, uint64_t now_ms)
{
    uint64_t days = (now_ms + UTC8_MS) / MS_PER_DAY;
    uint32_t from = (uint32_t)((now_ms + UTC8_MS) % MS_PER_DAY / MS_PER_MINUTE) + 1;
    for (uint32_t i = 0; i < DAYS_AHEAD; i++, days++, from = 0) {
        uint32_t minute = is_day(s, sq_day_of_ms(days * MS_PER_DAY - UTC8_MS), days) ? minute_of(s, from) : 1440;
        if (minute < 1440)
            return days * MS_PER_DAY - UTC8_MS + (uint64_t)minute * MS_PER_MINUTE;
    }
    return UINT64_MAX;
}
