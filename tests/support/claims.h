/*
 * Programmes, grants, statements and claims with everything that rules ask about, spoken into a world.
 */
#ifndef SQ_TEST_CLAIMS_H
#define SQ_TEST_CLAIMS_H

#include "clearing/policy/facts.h"
#include "tests/support/world.h"

struct claims_fact {
    uint32_t attribute;
    int64_t value;
};

struct claims_grant {
    int64_t face_fen, contract_fen, approved_fen;
    uint32_t until_day; /* 0: 20261231 */
    uint32_t contract_day, contract_from_day, contract_until_day, documents;
    int64_t quota;
    uint8_t contract;           /* a number that stands for its digest; 0: none */
    struct claims_fact fact[4]; /* ascending; attribute 0 ends them */
};

/* Grants the next voucher of the programme; returns its number, or 0 with *status set. */
uint64_t claims_grant(struct world *w, uint32_t node, uint32_t issuer, uint32_t number, const char *holder,
                      const struct claims_grant *g, unsigned *status);

struct claims_row {
    uint64_t voucher;
    int64_t amount_fen, base_fen;
    int64_t total_fen;             /* 0: as base_fen */
    uint64_t invoice;              /* sequence number of a 2026 invoice at home in province 31; 0: none */
    uint32_t service, service_day; /* 0: 20260901 */
    uint32_t scenario, documents;
    uint8_t verb; /* 0: REDEEM */
    uint8_t payee;
    uint8_t evidence; /* a number that stands for a delivery record; 0: none */
    uint32_t bundle;
    uint64_t reservation;
    int64_t quantity;
    struct claims_fact fact[4];
};

/* Sends the rows as one batch, ordered by invoice; codes (a byte a row, in the order given) are in `code`. */
unsigned claims_batch(struct world *w, uint32_t node, const char *provider, const struct claims_row *rows, size_t count,
                      uint8_t *code);
/* One row; its code, or the refusal of the whole. */
unsigned claims_row(struct world *w, uint32_t node, const char *provider, const struct claims_row *row);

/* A credit note against an invoice of Shanghai's (node 0), whose operator says that these rows are given back. */
unsigned claims_reverse(struct world *w, const char *acquirer, const char *provider, uint64_t invoice,
                        int64_t total_fen, const struct claims_row *rows, size_t count);

/* party: "issuer:310000" or "operator:310000/li"; issuer 0: for all programmes of the node. */
unsigned claims_state(struct world *w, uint32_t node, const char *party, uint32_t issuer, const char *org,
                      uint32_t attribute, int64_t value, uint32_t from_day, uint32_t until_day);
unsigned claims_edge(struct world *w, uint32_t node, const char *party, const char *owner, const char *owned,
                     uint32_t kind, uint32_t from_day, uint32_t until_day);
unsigned claims_sanction(struct world *w, uint32_t node, const char *party, const char *org, uint32_t cause,
                         uint32_t effect, uint32_t from_day, uint32_t until_day);

/* The n-th of any number of valid organisation codes registered in `region`. */
void claims_code(char out[static 19], uint32_t region, uint32_t n);

/* A condition with the memory of its ranges: {low, high, low, high ...}. */
struct claims_condition {
    Sanquan__V1__Condition c;
    int64_t low[8], high[8];
};
void claims_condition(struct claims_condition *k, uint32_t group, uint32_t subject, uint32_t attribute, uint32_t test,
                      const int64_t *ranges, size_t count);

#endif
