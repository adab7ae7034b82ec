/* All orders of a small set, one after another. */
#ifndef SQ_TEST_ORDERS_H
#define SQ_TEST_ORDERS_H

#include <stdint.h>

/* The order that follows in a dictionary; begins with 0, 1, 2 ... Returns 0 after the last. */
static inline int next_order(uint32_t *order, uint32_t count)
{
    uint32_t at = count - 1, above = count - 1, swap;
    while (at > 0 && order[at - 1] > order[at])
        at--;
    if (at == 0)
        return 0;
    while (order[above] < order[at - 1])
        above--;
    swap = order[at - 1];
    order[at - 1] = order[above];
    order[above] = swap;
    for (uint32_t a = at, b = count - 1; a < b; a++, b--) {
        swap = order[a];
        order[a] = order[b];
        order[b] = swap;
    }
    return 1;
}

#endif
