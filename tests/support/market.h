/*
 * A market for measurements: one programme a node, many vouchers, providers with mandates on them, and batches without end.
 *
 * Vouchers are dealt to providers in turn, so that together they pick uniformly at random among all of them.
 */
#ifndef SQ_TEST_MARKET_H
#define SQ_TEST_MARKET_H

#include "tests/support/rig.h"

#define MARKET_PROVIDERS_MAX 16

struct market_provider {
    char code[19];
    struct sq_keys *keys;
    unsigned node;              /* its home */
    uint64_t next_invoice;      /* sequence digits of the next invoice number */
};

struct market {
    const struct rig *rig;
    unsigned issuer_node;
    uint32_t voucher_count;
    unsigned provider_count;
    struct market_provider provider[MARKET_PROVIDERS_MAX];
    uint64_t random;            /* state of a fixed generator: same seed, same batches */
};

/* Publish, enrol, grant and mandate, through the wire. Providers live at `provider_node`, vouchers at `issuer_node`. */
struct market *market_open(const struct rig *rig, unsigned issuer_node, unsigned provider_node, uint32_t vouchers, unsigned providers);
void market_free(struct market *m);

/* A canonical Batch of `rows` redemptions for provider p, 70 bytes a row, all of which are good; malloc'd. */
sq_bytes market_batch(struct market *m, unsigned p, uint32_t rows);

#endif
