/*
 * One node's core with vouchers, mandates and a provider, in this process: for counting and timing single steps.
 *
 * Nothing is signed or stored; batches are those of the market (market.h).
 */
#ifndef SQ_TEST_STAND_H
#define SQ_TEST_STAND_H

#include "tests/support/market.h"
#include "tests/support/world.h"

struct stand {
    struct world *world;
    struct sq_core *core;
    char provider[SQ_NAME_SIZE_MAX + 1];
    struct market_stream stream;
    uint64_t id; /* of the provider's last message */
};

/* `vouchers` of them, all under one mandate each, to one provider. */
struct stand *stand_new(uint32_t vouchers);
void stand_free(struct stand *s);

/* Step one batch; it must be accepted whole. The envelope around the body is made up. */
void stand_step(struct stand *s, sq_bytes batch, struct sq_arena *arena, struct sq_effects *fx);

#endif
