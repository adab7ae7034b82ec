/*
 * What programmes count beyond voucher, mandate, account and pool: limits of any scope and period, what contracts have had, which
 * delivery was claimed from which voucher, what was redeemed by scenario.
 *
 *     posting   what one use moves: amounts, and the keys of everything it counts for
 *     counter   (programme, limit, period, key) -> reserved and spent, in the limit's unit
 *     use       (voucher, invoice) -> the posting as it was made, so that a return gives back exactly what was counted
 *
 * Only programmes with limits, and vouchers with a contract or a quota, are tracked like this; all others cost nothing here.
 */
#ifndef SQ_LIMITS_H
#define SQ_LIMITS_H

#include "clearing/core/invoice.h"
#include "clearing/policy/programme.h"

struct sq_core;

struct sq_posting {
    uint64_t voucher;
    int64_t amount_fen, base_fen, quantity;
    uint32_t count;  /* items: 1, or 0 for a return that leaves some of its use */
    uint32_t limits; /* those of `terms` that count it, a bit each */
    uint32_t terms;  /* row of the version that judged it */
    uint32_t programme;
    uint32_t day, service, scenario;
    uint32_t tracked;      /* 0: nothing in this file is concerned but the scenario */
    uint32_t detail;       /* of the voucher, or SQ_ROW_NONE */
    uint32_t contract_use; /* or SQ_ROW_NONE */
    uint32_t holder_org, group_org, provider_org;
    uint32_t delivery; /* 1: its delivery record is claimed by it */
};

struct sq_counter {
    uint64_t key;
    int64_t spent, reserved;
    uint32_t programme, limit, period, padding;
};

struct sq_use {
    struct sq_posting p; /* what is left of it */
    struct sq_invoice_key invoice;
};

/* A contract, by the digest of its number; what each programme of this node gave for it hangs on it. */
struct sq_contract {
    uint8_t digest[16];
    uint32_t first, padding;
};

struct sq_contract_use {
    int64_t used_fen, base_fen, granted_fen;
    uint32_t contract, programme, next, vouchers; /* vouchers: not revoked unused */
};

struct sq_delivery {
    uint8_t evidence[16];
    uint64_t voucher;
    uint32_t held, spent; /* held: by so many parts of bundles; spent: 1 from the first use on. Neither: it is free */
};

struct sq_scenario {
    uint32_t programme, scenario;
    int64_t redeemed_fen, returned_fen;
    uint64_t count; /* redemptions */
};

struct sq_counts {
    struct sq_table counters, uses, contracts, contract_uses, deliveries, scenarios;
    struct sq_index counter_index, use_index, contract_index, delivery_index, scenario_index;
    uint32_t limits_max; /* most limits of any version: how many counters a use may need */
};

void sq_counts_init(struct sq_counts *c);
/* Room for what `rows` more uses may add. */
SQ_MUST_CHECK sq_status sq_counts_reserve(struct sq_counts *c, uint32_t rows, struct sq_error *err);
/* Room for what `rows` more vouchers may add. */
SQ_MUST_CHECK sq_status sq_counts_reserve_grants(struct sq_counts *c, uint32_t rows, struct sq_error *err);

/* Limits of the posting and, at redemption, of its voucher: contract base and quota. Returns 1 when the verdict is final. */
int sq_counts_check(const struct sq_core *core, const struct sq_posting *p, struct sq_verdict *v);
/* The limits alone. Room must be reserved. */
void sq_limits_move(struct sq_core *core, const struct sq_posting *p, int sign, int reserved);
/* Counts a posting (sign 1) or takes it back (sign -1), as spent or as reserved. Room must be reserved. */
void sq_counts_move(struct sq_core *core, const struct sq_posting *p, int sign, int reserved);

/* A tracked posting that was spent on an invoice. */
void sq_use_add(struct sq_core *core, const struct sq_posting *p, const struct sq_invoice_key *invoice);
/* The newest use on it that holds so much; NULL: none does. *any: 1 when there is a use at all. */
struct sq_use *sq_use_find(const struct sq_core *core, uint64_t voucher, const struct sq_invoice_key *invoice,
                           int64_t amount_fen, int64_t base_fen, int64_t quantity, int *any);

/* The most that one use on it holds; -1: there is none. */
int64_t sq_use_most(const struct sq_core *core, uint64_t voucher, const struct sq_invoice_key *invoice);

/* Contracts; 16 zero bytes are none. Row of the (contract, programme), added when it is not there; room must be reserved. */
uint32_t sq_contract_use_intern(struct sq_core *core, const uint8_t digest[static 16], uint32_t programme);
/* NULL: the programme gave nothing for this contract. */
struct sq_contract_use *sq_contract_use_of(const struct sq_core *core, uint32_t contract, uint32_t programme);
/* Is there a voucher for the contract in this programme (1), its issuer's (2), this node's (3)? */
int sq_contract_taken(const struct sq_core *core, const uint8_t digest[static 16], uint32_t programme, uint32_t within);

/* The voucher that a delivery was claimed from, or is held for; 0: none yet. */
uint64_t sq_delivery_voucher(const struct sq_core *core, const uint8_t evidence[static 16]);
/* Row of the delivery, which is this voucher's when it was free. Room must be reserved. */
uint32_t sq_delivery_intern(struct sq_core *core, const uint8_t evidence[static 16], uint64_t voucher);
static inline struct sq_delivery *sq_delivery_at(const struct sq_counts *c, uint32_t row)
{
    return SQ_ROW(&c->deliveries, struct sq_delivery, row);
}

/* Redeemed (sign 1) or given back (-1). */
void sq_scenario_count(struct sq_core *core, uint32_t programme, uint32_t scenario, int64_t amount_fen, int sign);

#endif
