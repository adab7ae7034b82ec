#include "ops/common/clock.h"

void sq_clock_start(struct sq_clock *c, uint64_t not_before_ms, uint64_t wall_ms, uint64_t monotonic_ms)
{
    *c = (struct sq_clock){wall_ms > not_before_ms ? wall_ms : not_before_ms, monotonic_ms, 0};
}

uint64_t sq_clock_read(struct sq_clock *c, uint64_t wall_ms, uint64_t monotonic_ms)
{
    uint64_t passed = monotonic_ms > c->monotonic_ms ? monotonic_ms - c->monotonic_ms : 0;
    c->monotonic_ms += passed;
    if (wall_ms >= c->now_ms) {
        c->now_ms = wall_ms;
        c->half_ms = 0;
        return c->now_ms;
    }
    c->half_ms += passed;
    c->now_ms += c->half_ms / 2;
    c->half_ms %= 2;
    return c->now_ms;
}
