/*
 * The time a node decides by: the wall clock, as long as that behaves.
 *
 * Time in the journal never goes back, and what is due (a round's timeout, a late statement) is due by that time. When the wall clock
 * falls behind it - it was set back, or an earlier life ran ahead - this clock goes on at half speed, by the monotonic clock, until the
 * wall clock has caught up: timers take twice as long for a while, instead of standing still for as long as the clock had been wrong.
 */
#ifndef SQ_CLOCK_H
#define SQ_CLOCK_H

#include <stdint.h>

struct sq_clock {
    uint64_t now_ms, monotonic_ms, half_ms;
};

/* not_before_ms: the newest time in the journal, 0 when there is none. */
void sq_clock_start(struct sq_clock *c, uint64_t not_before_ms, uint64_t wall_ms, uint64_t monotonic_ms);
/* Unix ms; never less than it was. */
uint64_t sq_clock_read(struct sq_clock *c, uint64_t wall_ms, uint64_t monotonic_ms);

#endif
