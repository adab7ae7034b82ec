/*
 * Debts between the nodes of a world: one region owes another because a provider at home there redeemed its voucher.
 */
#ifndef SQ_TEST_DEBTS_H
#define SQ_TEST_DEBTS_H

#include "tests/support/world.h"

struct debts {
    struct world *w;
    char provider[WORLD_NODES_MAX][19], holder[WORLD_NODES_MAX][19]; /* one of each at every node */
    unsigned invoices;                                               /* used so far */
};

/* A programme of 100 %, a provider and a holder at every node. */
struct debts *debts_new(uint32_t node_count, enum sq_netting_method method);
struct debts *debts_new_with(uint32_t node_count, enum sq_netting_method method, const struct world_charter *charter);
void debts_free(struct debts *d);

/* Debtor comes to owe creditor this much; the redemption's status for the provider, or its row's. Delivers everything. */
unsigned debts_owe(struct debts *d, uint32_t debtor, uint32_t creditor, int64_t fen);

/* An operator of the node closes the open window there; then everything is delivered, and time passes while anything is due. */
void debts_cut(struct debts *d, uint32_t node);

/* Time passes in steps to `until_ms` after now, everything being delivered. */
void debts_wait(struct debts *d, uint64_t for_ms);

/* The final value of a window at a node, to be freed with sanquan__v1__settlement__free_unpacked; NULL when it is not final. */
Sanquan__V1__Settlement *debts_value(const struct debts *d, uint32_t node, uint64_t window);

/* For cmocka tests: the window is final at every node, with the same bytes. */
void debts_final_everywhere(const struct debts *d, uint64_t window);

#endif
