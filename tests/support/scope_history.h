/*
 * Histories of nodes, for the search of scope.c: trees of the entries that a node may have decided, each with what it sent then.
 *
 * A history is its parent and one message more. Deciding one is done once, by a core that replays the path to it; the model decides the
 * same path, and the two must agree. Messages are interned: the same bytes on the same way have one number.
 */
#ifndef SQ_TEST_SCOPE_HISTORY_H
#define SQ_TEST_SCOPE_HISTORY_H

#include "tests/model/model.h"
#include "tests/support/scope.h"

#define SCOPE_NODES        2u
#define SCOPE_REQUESTS_MAX 4u
#define SCOPE_MESSAGES_MAX 255u /* a message's number + 1 fits in a byte */
#define SCOPE_NONE         UINT32_MAX

struct scope_entry { /* as it is journalled */
    uint64_t now_ms;
    uint32_t type;
    uint8_t *input, *outcome;
    size_t size, outcome_size;
};

enum scope_message_kind { REQUEST, PEER, ANSWER, TICK };

struct scope_message {
    enum scope_message_kind kind;
    uint32_t from, to; /* PEER: from this node to that; REQUEST, TICK: to this node; ANSWER: to this request */
    uint64_t id, now_ms;
    uint32_t type, party; /* party: of a REQUEST, its number at the node */
    uint8_t *bytes;       /* an envelope; ANSWER, TICK: a body */
    size_t size;
};

struct scope_history {                     /* a node that has decided some entries */
    uint32_t node, parent, depth, message; /* message: the last event */
    uint32_t tick;                         /* message to come when time passes, or SCOPE_NONE */
    struct scope_entry entry;
    uint8_t out[32]; /* messages that leave when the last entry is durable */
    uint32_t out_count;
    uint8_t taken[SCOPE_MESSAGES_MAX / 8 + 1];
    uint32_t *next; /* [message]: history + 1; 0 not tried; SCOPE_NONE: nothing is journalled */
};

struct scope_list {
    void *row;
    size_t count, capacity;
};

struct scope {
    struct world *w;
    struct scope_list base[SCOPE_NODES]; /* struct scope_entry: the set-up */
    struct scope_list messages, histories, stack, visited;
    uint32_t request_count, root[SCOPE_NODES];
    unsigned kinds;
    struct sq_arena arena;
    struct scope_report *out;
};

/* Room for a row more, not filled; other rows may move. */
void *scope_grow(struct scope_list *l, size_t row_size);
struct scope_message *scope_message_at(const struct scope *s, uint32_t i);
struct scope_history *scope_history_at(const struct scope *s, uint32_t i);
/* The first failure is the one that is reported. */
SQ_PRINTF(2, 3) void scope_fail(struct scope *s, const char *format, ...);
/* Back to the set-up and its requests. */
void scope_forget(struct scope *s);

uint32_t scope_new_history(struct scope *s, const struct scope_history *from);
/* The tick that comes when time passes at this history. */
void scope_keep_tick(struct scope *s, struct scope_history *h, const struct sq_core *core);
/* The history after message `number` too; SCOPE_NONE: nothing is journalled of it. */
uint32_t scope_decide(struct scope *s, uint32_t at, uint32_t number);
/* The history on the way to `at` that has `depth` entries. */
uint32_t scope_ancestor(const struct scope *s, uint32_t at, uint32_t depth);
int scope_has_taken(const struct scope *s, uint32_t at, uint32_t number);

/* A core, and a model, that have decided it; the caller frees them. */
struct sq_core *scope_core(struct scope *s, uint32_t at);
struct model *scope_model(struct scope *s, uint32_t at);

#endif
