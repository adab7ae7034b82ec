#include "ops/common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static enum sq_log_level least_level = SQ_LOG_INFO; /* set before threads start, then only read */
static int with_time = 1;

void sq_log_open(enum sq_log_level least)
{
    least_level = least;
    with_time = getenv("JOURNAL_STREAM") == NULL;
}

void sq_log(enum sq_log_level level, const char *event, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char line[1024];
    size_t n = 0;
    va_list args;
    if (level < least_level)
        return;
    if (with_time) {
        struct timespec now;
        struct tm utc;
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        n = strftime(line, sizeof line, "time=%Y-%m-%dT%H:%M:%S", &utc);
        n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ ", now.tv_nsec / 1000000);
    }
    n += (size_t)snprintf(line + n, sizeof line - n, "level=%s event=%s ", names[level], event);
    va_start(args, format);
    vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    n = strlen(line);
    line[n] = '\n';
    fwrite(line, 1, n + 1, stderr); /* one write a line: lines of threads do not mix */
}

const char *sq_log_quote(const char *text, char *out, size_t out_size)
{
    size_t n = 0;
    out[n++] = '"';
    for (; *text != '\0' && n + 2 < out_size; text++)
        out[n++] = *text == '"' || *text == '\\' || (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    out[n++] = '"';
    out[n] = '\0';
    return out;
}
