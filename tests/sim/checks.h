/* What the checkers share. */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "tests/model/model.h"
#include "tests/sim/sim.h"

#define SIM_WINDOWS_MAX 4096u

struct sim_checks {
    struct sim_bytes *settled[SIM_WINDOWS_MAX]; /* [window]: as the first node had it */
};

/* opinion.c */
void sim_opinion_follow(struct sim_node *n);  /* what has become durable */
void sim_opinion_compare(struct sim_node *n); /* the node's own sums, when nothing is under way */
void sim_opinion_end(struct sim *s);

#endif
