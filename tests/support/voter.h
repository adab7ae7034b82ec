/*
 * One node of an agreement, driven by hand: what it hears, what it has said, and its timers. For cmocka tests only: it asserts.
 */
#ifndef SQ_TEST_VOTER_H
#define SQ_TEST_VOTER_H

#include "clearing/settlement/agreement.h"

#define TIMEOUT_MS 1000u
#define NIL        UINT32_MAX
#define PREVOTE    SQ_STEP_PREVOTE
#define PRECOMMIT  SQ_STEP_PRECOMMIT

/* Values are numbers here; their hash is the number written down. */
static inline void hash_of(uint32_t value, uint8_t out[SQ_HASH_SIZE])
{
    memset(out, 0, SQ_HASH_SIZE);
    sq_put_be32(out, value + 1);
}

static inline uint32_t value_of(const uint8_t *hash)
{
    return hash == NULL ? NIL : sq_get_be32(hash) - 1;
}

struct said {
    uint32_t from, step, round, valid_round, value; /* step SQ_STEP_PROPOSE: a proposal */
};

#define SAID_MAX 32u

struct voter {
    struct sq_agreement a;
    struct sq_agreement_host host;
    struct said said[SAID_MAX];
    uint32_t count;
    uint64_t now_ms;
    uint32_t fresh; /* what it proposes when it is free to */
    uint8_t invalid[16], unknown[16];
};

static inline int voter_valid(void *ctx, const uint8_t hash[static SQ_HASH_SIZE])
{
    const struct voter *d = ctx;
    return !d->invalid[value_of(hash)] && !d->unknown[value_of(hash)];
}

static inline int voter_known(void *ctx, const uint8_t hash[static SQ_HASH_SIZE])
{
    const struct voter *d = ctx;
    return !d->unknown[value_of(hash)];
}

static inline sq_status voter_propose(void *ctx, uint32_t round, uint32_t valid_round, const uint8_t *value,
                                      uint8_t out[static SQ_HASH_SIZE])
{
    struct voter *d = ctx;
    uint32_t chosen = value != NULL ? value_of(value) : d->fresh;
    assert_true(d->count < SAID_MAX);
    d->said[d->count++] = (struct said){d->a.self, SQ_STEP_PROPOSE, round, valid_round, chosen};
    hash_of(chosen, out);
    return SQ_OK;
}

static inline sq_status voter_vote(void *ctx, uint32_t round, uint32_t step, const uint8_t *value)
{
    struct voter *d = ctx;
    assert_true(d->count < SAID_MAX);
    d->said[d->count++] = (struct said){d->a.self, step, round, 0, value_of(value)};
    return SQ_OK;
}

/* Node `self` of `n`; node 0 proposes in round 0, node 1 in round 1 ... */
static inline void sit(struct voter *d, uint32_t n, uint32_t self)
{
    memset(d, 0, sizeof *d);
    d->now_ms = 1000000;
    d->fresh = 9;
    d->host = (struct sq_agreement_host){d, voter_valid, voter_known, voter_propose, voter_vote};
    sq_agreement_init(&d->a, n, self, 0, TIMEOUT_MS);
}

static inline void start(struct voter *d)
{
    assert_int_equal(sq_agreement_start(&d->a, &d->host, d->now_ms), SQ_OK);
}

static inline void hears_proposal(struct voter *d, uint32_t round, uint32_t valid_round, uint32_t value)
{
    uint8_t hash[SQ_HASH_SIZE];
    hash_of(value, hash);
    uint32_t from = sq_agreement_proposer(&d->a, round);
    assert_int_equal(sq_agreement_on_proposal(&d->a, &d->host, from, round, valid_round, hash, d->now_ms), SQ_OK);
}

static inline void hears(struct voter *d, uint32_t from, uint32_t step, uint32_t round, uint32_t value)
{
    uint8_t hash[SQ_HASH_SIZE];
    hash_of(value, hash);
    assert_int_equal(sq_agreement_on_vote(&d->a, &d->host, from, round, step, value == NIL ? NULL : hash, d->now_ms),
                     SQ_OK);
}

/* Time goes on, timer after timer, until one makes the node say something or begin another round. */
static inline void wait(struct voter *d)
{
    uint32_t count = d->count, was = d->a.round, round = 0, step = 0;
    while (d->count == count && d->a.round == was) {
        uint64_t at = sq_agreement_due(&d->a, &round, &step);
        assert_true(at != 0);
        d->now_ms = at > d->now_ms ? at : d->now_ms;
        assert_int_equal(sq_agreement_timeout(&d->a, &d->host, round, step, d->now_ms), SQ_OK);
    }
}

/* The newest thing that the node has said. */
static inline void said(const struct voter *d, uint32_t count, uint32_t step, uint32_t round, uint32_t value)
{
    assert_int_equal(d->count, count);
    const struct said *s = &d->said[count - 1];
    if (s->step != step || s->round != round || s->value != value)
        fail_msg("said step %u of round %u for %u, expected step %u of round %u for %u", s->step, s->round, s->value,
                 step, round, value);
}

static inline void rise(struct voter *d)
{
    sq_agreement_free(&d->a);
}

static inline void decides(const struct voter *d, uint32_t round, uint32_t value)
{
    assert_true(sq_agreement_decided(&d->a));
    assert_int_equal(d->a.decided_round, round + 1);
    assert_int_equal(value_of(d->a.decided), value);
}

#endif
