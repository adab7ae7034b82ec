/*
 * A window in which everyone owes everyone in three kinds, at settlements without a network around them: what each node states and
 * counterstates is prepared, and a test has some of the nodes hear it.
 */
#ifndef SQ_TEST_DENSE_H
#define SQ_TEST_DENSE_H

#include "clearing/settlement/settlement.h"

#define DENSE_WINDOW 1u
#define DENSE_KINDS  3u
#define DENSE_NOW_MS 1790000000000u

struct dense_bytes {
    uint8_t *data;
    size_t size;
};

struct dense {
    uint32_t n;
    char (*codes)[7];
    struct sq_link_step *steps;              /* [debtor * n + creditor] */
    struct dense_bytes *statement, *counter; /* [node] */
    struct sq_arena arena;
    uint64_t *peer_next;
    struct sq_out *out;
};

struct dense *dense_new(uint32_t n);
void dense_free(struct dense *t);

/* The settlement of this node, with what it owes and is owed. */
struct sq_settlement *dense_books(struct dense *t, uint32_t self);
/* Effects of the next step; the last one's are gone. */
struct sq_effects dense_effects(struct dense *t, uint32_t self);
/* One message of `from` to `self`, its statement or its counterstatement, in a step of its own. */
sq_status dense_hear(struct dense *t, struct sq_settlement *s, uint32_t self, uint32_t from, int counter,
                     struct sq_effects *fx, struct sq_error *err);
/* Cut, and hear everyone but for the last counterstatement, after which a proposer would propose. */
void dense_close_books(struct dense *t, struct sq_settlement *s, uint32_t self);

/* The first message of this type that a step sent; its bytes live until the next step. */
sq_bytes dense_sent(const struct sq_effects *fx, uint32_t type);
struct dense_bytes dense_keep(sq_bytes b); /* malloc'd */
/* Ends the program when it is not SQ_OK. */
void dense_must(sq_status st, const struct sq_error *err);

#endif
