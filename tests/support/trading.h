/*
 * A world in which everyone trades with everyone: at each node an issuer with one programme, a holder with one voucher,
 * and a provider whom every holder has authorised. What was accepted is written down beside it, pair by pair.
 */
#ifndef SQ_TEST_TRADING_H
#define SQ_TEST_TRADING_H

#include "clearing/settlement/settlement.h"
#include "tests/support/world.h"

struct trading {
    struct world *w;
    uint64_t voucher[WORLD_NODES_MAX];
    char provider[WORLD_NODES_MAX][20], holder[WORLD_NODES_MAX][20];
    uint64_t invoices;
    int64_t owed_fen[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* [debtor][creditor], since the beginning */
    uint64_t items[WORLD_NODES_MAX][WORLD_NODES_MAX];
};

struct trading *trading_new(uint32_t nodes, enum sq_netting_method method);
void trading_free(struct trading *t);

/* One redemption at node `acquirer` of the voucher of node `issuer`; it is decided when the world has run. */
void trading_redeem(struct trading *t, uint32_t acquirer, uint32_t issuer, int64_t fen);
/* The kind of what node `debtor` owes. */
uint32_t trading_kind(uint32_t debtor);

/* An operator of this node cuts `window`. Returns the answer's status. */
unsigned trading_cut(struct trading *t, uint32_t node, uint64_t window);
/* The maker or the checker of this node confirms `payments`; NULL payments: those of the settlement, rightly. */
unsigned trading_confirm(struct trading *t, uint32_t node, uint64_t window, const char *operator_name, uint32_t role,
                         Sanquan__V1__Payment **payments, size_t count);

/* Let the world run, and time go on, until this window is final at all nodes that are up; fails the test when it never is. */
void trading_finish(struct trading *t, uint64_t window);

const struct sq_settlement *trading_side(const struct trading *t, uint32_t node);
struct sq_window_view trading_window(const struct trading *t, uint32_t node, uint64_t window);
/* The settlement that node has as final; free with sanquan__v1__settlement__free_unpacked. */
Sanquan__V1__Settlement *trading_settlement(const struct trading *t, uint32_t node, uint64_t window);
/* Every node that is up has the same final bytes of this window. */
void trading_agree(const struct trading *t, uint64_t window);

/* The pair of a settlement, or NULL. */
const Sanquan__V1__Pair *trading_pair(const struct trading *t, const Sanquan__V1__Settlement *s, uint32_t debtor,
                                      uint32_t creditor);
/* The first message of this type that is on its way, or NULL. */
struct world_message *trading_message(const struct trading *t, uint32_t from, uint32_t to, uint32_t type);
/* Put other bytes in its place. */
void trading_forge(struct world_message *m, const ProtobufCMessage *body);

#endif
