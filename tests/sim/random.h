/*
 * Randomness that a seed decides (splitmix64, Steele et al. 2014). Each part of the simulator has a stream of its own, so that a
 * change in one does not move the others.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_u64(struct sim_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline struct sim_random sim_random_of(uint64_t seed, uint64_t stream)
{
    struct sim_random r = {seed * 0x2545f4914f6cdd1du + stream};
    (void)sim_u64(&r);
    return r;
}

/* 0 to n - 1; n > 0. The bias of n / 2^64 does not matter here. */
static inline uint64_t sim_below(struct sim_random *r, uint64_t n)
{
    return sim_u64(r) % n;
}

static inline uint64_t sim_between(struct sim_random *r, uint64_t low, uint64_t high)
{
    return low + sim_below(r, high - low + 1);
}

static inline uint32_t sim_chance(struct sim_random *r, uint32_t per_mille)
{
    return sim_below(r, 1000) < per_mille;
}

/* Spread over orders of magnitude: each doubling between low and high is as likely as the others. 0 < low < high. */
static inline uint64_t sim_scale(struct sim_random *r, uint64_t low, uint64_t high)
{
    unsigned doublings = 0;
    while (doublings < 62 && low << (doublings + 1) <= high)
        doublings++;
    uint64_t floor = low << sim_below(r, doublings + 1u), top = floor * 2 < high ? floor * 2 : high;
    return sim_between(r, floor, top > floor ? top : floor);
}

#endif
