/*
 * Logs: one line an event to stderr, key=value, for machines and for people at night. Never a secret, never a whole message.
 *
 *     sq_log(SQ_LOG_INFO, "ready", "endpoint=%s seq=%" PRIu64, ...)   ->   time=... level=info event=ready endpoint=... seq=...
 *
 * Values that others wrote go through sq_log_quote. Under the journal (JOURNAL_STREAM) the time is left to it.
 */
#ifndef SQ_LOG_H
#define SQ_LOG_H

#include "proto/status.h"

enum sq_log_level { SQ_LOG_DEBUG, SQ_LOG_INFO, SQ_LOG_WARNING, SQ_LOG_ERROR };

/* Called once, before threads start. */
void sq_log_open(enum sq_log_level least);
void sq_log(enum sq_log_level level, const char *event, const char *format, ...) SQ_PRINTF(3, 4);

/* `text` in double quotes, with quotes and control characters replaced; into out. Returns out. */
const char *sq_log_quote(const char *text, char *out, size_t out_size);

#endif
