/*
 * Programmes at random: every kind of rule, in small numbers that are often reached and often just missed.
 */
#ifndef SQ_TEST_RULES_H
#define SQ_TEST_RULES_H

#include "proto/sanquan.pb-c.h"
#include "tests/support/claims.h"
#include "tests/support/random.h"

struct rules { /* a Programme with all that hangs on it */
    Sanquan__V1__Programme p;
    char title[16];
    uint32_t services[4], regions[2], grant_documents[2], redeem_documents[2], causes[2], waivable[4];
    struct claims_condition condition[8];
    Sanquan__V1__Condition *conditions[8];
    Sanquan__V1__Tier tier[3], *tiers[3];
    Sanquan__V1__Limit limit[4], *limits[4];
    Sanquan__V1__ClaimWindow window[2], *windows[2];
    Sanquan__V1__Relation relation[1], *relations[1];
    Sanquan__V1__Stage stage[3], *stages[3];
    Sanquan__V1__Verdict verdict[3], *verdicts[3];
};

/* The first version of programme `number` of 310000; relations are to programme `other`. */
void rules_roll(struct dice *d, struct rules *r, uint32_t number, uint32_t other);
/* The next version: other amounts, rates and days, the same kinds of rules. */
void rules_revise(struct dice *d, const struct rules *from, struct rules *to);

#endif
