/*
 * A market for measurements: one programme, many vouchers, providers with mandates on them, and batches without end.
 *
 * Vouchers are dealt to providers in turn, and each provider picks uniformly at random among its own, so that together
 * they pick uniformly at random among all.
 */
#ifndef SQ_TEST_MARKET_H
#define SQ_TEST_MARKET_H

#include "tests/support/random.h"
#include "tests/support/rig.h"

#define MARKET_PROVIDERS_MAX    16
#define MARKET_ROW_SIZE         70u /* bytes of a redemption in a batch: every column but the optional verbs */
#define MARKET_BATCH_SIZE(rows) ((rows)*MARKET_ROW_SIZE + 64u) /* enough for a batch of so many rows */

/* Where a provider's redemptions come from: same seed, same batches. One thread at a time. */
struct market_stream {
    uint64_t voucher_base;       /* number of serial 0 of the programme */
    uint32_t first, step, count; /* its serials: first, first + step, ... */
    uint32_t province;           /* two digits, in the invoice numbers */
    uint32_t day;                /* of service */
    uint64_t next_invoice;       /* sequence digits of the next invoice number; ascends */
    struct dice dice;
};

struct market_provider {
    char code[19];
    struct sq_keys *keys;
    unsigned node; /* its home */
    struct market_stream stream;
};

struct market {
    const struct rig *rig;
    unsigned issuer_node;
    uint32_t voucher_count;
    unsigned provider_count;
    struct market_provider provider[MARKET_PROVIDERS_MAX];
};

/* Publish, enrol, grant and mandate, through the wire. Providers live at `provider_node`, vouchers at `issuer_node`. */
struct market *market_open(const struct rig *rig, unsigned issuer_node, unsigned provider_node, uint32_t vouchers,
                           unsigned providers);
void market_free(struct market *m);

/* The programme that every measurement runs under: all of its rules are on, and none of them ever refuses. */
void market_programme(Sanquan__V1__Programme *p, uint32_t issuer);

/* Stream of provider p of `providers`, whose home is in `province`, on vouchers 1..`vouchers` of `issuer`. */
struct market_stream market_stream_of(uint32_t issuer, uint32_t province, unsigned p, unsigned providers,
                                      uint32_t vouchers);

/* The next `rows` redemptions, all of them good, as a canonical Batch into `out`; returns its size. */
size_t market_fill(struct market_stream *s, uint32_t rows, uint8_t *out /* MARKET_BATCH_SIZE(rows) */);

/* One redemption as numbers, for systems that do not speak our wire; the stream goes on as in market_fill. */
struct market_row {
    uint64_t voucher, invoice_sequence, random;
    int64_t amount_fen, base_fen;
    uint32_t service, scenario;
};
struct market_row market_next(struct market_stream *s);

#endif
