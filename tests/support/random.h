/*
 * Numbers for tests that try many cases: the same seed gives the same run on every machine.
 * Source: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
 */
#ifndef SQ_TEST_RANDOM_H
#define SQ_TEST_RANDOM_H

#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_u64(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 to limit - 1; limit > 0. */
static inline uint32_t dice_below(struct dice *d, uint32_t limit)
{
    return (uint32_t)((dice_u64(d) >> 32) * limit >> 32);
}

#endif
