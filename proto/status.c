#include "proto/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    unsigned number;
    int retry;
    const char *name, *text;
} statuses[] = {
#define SQ_STATUS_ROW(name, number, retry, text) {number, retry, #name, text},
    SQ_STATUS_MAP(SQ_STATUS_ROW)
#undef SQ_STATUS_ROW
};

static size_t find(unsigned number)
{
    size_t i = 0;
    while (i < sizeof statuses / sizeof *statuses && statuses[i].number != number)
        i++;
    return i;
}

const char *sq_status_text(unsigned number)
{
    size_t i = find(number);
    return i < sizeof statuses / sizeof *statuses ? statuses[i].text : "unknown status";
}

const char *sq_status_name(unsigned number)
{
    size_t i = find(number);
    return i < sizeof statuses / sizeof *statuses ? statuses[i].name : "SQ_UNKNOWN";
}

int sq_status_retry(unsigned number)
{
    size_t i = find(number);
    return i < sizeof statuses / sizeof *statuses ? statuses[i].retry : 0;
}

sq_status(sq_fail)(struct sq_error *err, sq_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        err->status = status;
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

sq_status sq_fail_context(struct sq_error *err, sq_status status, const char *format, ...)
{
    if (err != NULL) {
        char inner[sizeof err->text], context[sizeof err->text];
        va_list args;
        va_start(args, format);
        vsnprintf(context, sizeof context, format, args);
        va_end(args);
        memcpy(inner, err->text, sizeof inner);
        err->status = status;
        /* Cut to fit: the context names the place, the inner text the value. */
        snprintf(err->text, sizeof err->text, "%.100s: %.130s", context, inner);
    }
    return status;
}

_Noreturn void sq_assert_failed(const char *fact, const char *file, int line)
{
    fprintf(stderr, "level=fatal event=assertion file=%s line=%d fact=\"%s\"\n", file, line, fact);
    abort();
}
