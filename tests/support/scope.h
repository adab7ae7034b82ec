/*
 * Small scope: two nodes, a few requests, a few faults, and every order in which things can happen.
 *
 * What can happen in a state:
 *
 *   a message on its way arrives        in any order: those that come too early are not taken, and come again
 *   an entry becomes durable            one after another; only then its messages and answers leave the node
 *   something is said again             when it is not on its way, not taken, and what said it is durable
 *   time passes                         when nothing else can happen: the next timer of a node runs out
 *   a fault                             a message is lost, a message is doubled, a node loses all that is not durable, a timer runs out
 *                                       while other things could still happen
 *
 * A node is a function of the entries it has decided, so nodes are walked as trees of such histories: each is decided once, by a core of
 * its own, and by tests/model. A state is a history of each node, how much of it is durable, what is on its way and what is answered.
 */
#ifndef SQ_TEST_SCOPE_H
#define SQ_TEST_SCOPE_H

#include "tests/support/world.h"

enum scope_fault { SCOPE_LOSE = 1, SCOPE_DOUBLE = 2, SCOPE_CRASH = 4, SCOPE_TIME = 8 };

#define SCOPE_SUMS 8u

struct scope_report {
    uint64_t states, steps, ends, histories[2];
    int64_t least_fen, most_fen; /* accepted, over both nodes, at the ends */
    int64_t sum_fen[SCOPE_SUMS]; /* each sum that there was at an end, in no order; the first of them */
    size_t sums;
    char failure[500]; /* empty: nothing is wrong */
};

struct scope *scope_new(void);
void scope_free(struct scope *s);

/* For the set-up: what is said in it happens at once, and is part of every history. */
struct world *scope_world(struct scope *s);
/* From now on what parties say is not delivered: these are the requests. */
void scope_hold(struct scope *s);

/* Every order, with up to `faults` faults of these kinds. */
void scope_search(struct scope *s, unsigned faults, unsigned kinds, struct scope_report *out);

#endif
