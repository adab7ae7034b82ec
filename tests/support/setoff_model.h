/*
 * Set-off by a slow model: start with nothing set off and turn money round any cycle of the residual graph that gains, until there is none (Klein's
 * method; the other way round from what is tested, which starts with everything owed and ships along shortest paths).
 */
#ifndef SQ_TEST_SETOFF_MODEL_H
#define SQ_TEST_SETOFF_MODEL_H

#include <stdint.h>

#define SETOFF_NODES_MAX 12u

struct setoff_set {
    uint32_t n;
    int64_t owed[SETOFF_NODES_MAX][SETOFF_NODES_MAX],
        funds[SETOFF_NODES_MAX]; /* owed: [debtor][creditor], of one kind */
};

struct setoff_answer {
    int64_t discharged, money;
};

/* The most that can be discharged, and the least money of the debtors that does it. */
struct setoff_answer setoff_model(const struct setoff_set *s);

#endif
