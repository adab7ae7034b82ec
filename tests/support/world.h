/*
 * A world in one process: a few cores, the streams between them in memory, parties with names and no keys.
 *
 * Nothing is signed here (the core never sees a signature) and nothing is stored: what a step sends is delivered in
 * order by world_run. A test speaks as any party and reads the answers.
 */
#ifndef SQ_TEST_WORLD_H
#define SQ_TEST_WORLD_H

#include "clearing/core/core.h"
#include "proto/sanquan.pb-c.h"

#define WORLD_NODES_MAX 8

struct world_message {
    uint32_t from, to, type;
    uint64_t id;
    uint8_t *body;
    size_t size;
    struct world_message *next;
};

struct world_answer {
    uint32_t status;
    uint64_t id, seq, count, number;
    int64_t amount_fen;
    uint8_t code[8192];
    size_t code_count;
    char detail[256];
};

/* Sees every step, and what it brought about. */
typedef void (*world_watch)(void *ctx, uint32_t node, const struct sq_event *event, const struct sq_effects *fx);
/* Gets what a party would have said. */
typedef void (*world_hold)(void *ctx, uint32_t node, const char *party, uint64_t id, uint32_t type, sq_bytes body);

struct world {
    world_watch watch;
    world_hold hold; /* when set, nothing is said: it gets the messages */
    void *ctx;       /* of both */
    uint32_t node_count;
    struct sq_core *core[WORLD_NODES_MAX];
    struct sq_arena arena;
    uint64_t now_ms;
    uint32_t deaf[WORLD_NODES_MAX]; /* [to]: a bit a node that it does not hear; what is sent waits */
    uint32_t down;                  /* a bit a node: world_run leaves it alone, and what is sent to it waits */
    struct world_message *first[WORLD_NODES_MAX][WORLD_NODES_MAX], *last[WORLD_NODES_MAX][WORLD_NODES_MAX];
    struct world_answer answer; /* the newest answer to a client */
    uint64_t answers, repeats, refusals;
    uint32_t refusal_status;
    uint64_t refusal_expected;
    uint64_t delivered;
    /* the outcome of the newest entry, of whatever node */
    uint32_t peer_status;
    uint8_t outcome_code[8]; /* of its first rows */
    size_t outcome_code_count;
    uint64_t outcome_window;
    size_t outcome_final; /* settlements that became final, in all outcomes so far */
};

/* What the network's members agreed on; zeros: nothing beyond the method. */
struct world_charter {
    uint32_t loss_rule, review_ms, prefunded,
        enrolled_node;     /* enrolled_node: number + 1 of a node whose region is not active yet */
    int64_t guarantee_fen; /* of each region */
    world_watch watch;
    void *ctx;
};

/* Nodes 310000, 370000, 440000 (hosting 440300 too), ... as many as asked for; two operators a node, and regulator:mof. */
struct world *world_new(uint32_t node_count, enum sq_netting_method method);
struct world *world_new_with(uint32_t node_count, enum sq_netting_method method, const struct world_charter *charter);
void world_free(struct world *w);

/* Speak as `party` to node `node` with the next id; returns the answer's status, or the refusal's. */
unsigned world_say(struct world *w, uint32_t node, const char *party, uint32_t type, const ProtobufCMessage *body);
/* The same with an id of one's choice; 0 is not sent as next. */
unsigned world_say_as(struct world *w, uint32_t node, const char *party, uint64_t id, uint32_t type,
                      const ProtobufCMessage *body);

/* An envelope as it would be on the wire, malloc'd. Nothing is signed here: `good` says whether it is taken to be. */
uint8_t *world_envelope(const char *sender, const char *receiver, uint64_t id, uint32_t type, sq_bytes body, int good,
                        size_t *size_out);

/* Deliver one message from a to b; 0 when there is none, or b does not take it yet. */
int world_deliver(struct world *w, uint32_t from, uint32_t to);
/* Deliver until nothing is on the way, and let timers that are due at now_ms fire. */
void world_run(struct world *w);

/* The usual set-up: provider P and holder H (USCCs), programme, one voucher, one mandate. */
extern const char WORLD_PROVIDER[], WORLD_HOLDER[], WORLD_OTHER[]; /* three valid codes */
unsigned world_enrol(struct world *w, uint32_t node, const char *name);
void world_programme_init(Sanquan__V1__Programme *p, uint32_t issuer, uint32_t number);
uint64_t world_voucher(struct world *w, uint32_t node, uint32_t issuer, uint32_t number, const char *holder,
                       int64_t face_fen);
unsigned world_mandate(struct world *w, uint32_t node, const char *holder, const char *provider, uint64_t voucher,
                       int64_t limit_fen);

/* One row of a batch. */
struct world_row {
    uint64_t voucher;
    int64_t amount_fen, base_fen, total_fen;
    const char *invoice; /* 20 digits; NULL: zeros */
    uint32_t service, service_day;
    uint8_t verb; /* 0: REDEEM */
    uint64_t reservation;
    uint32_t bundle;
};
/* Reservations, and bundles, until an hour from now. */
unsigned world_batch(struct world *w, uint32_t node, const char *provider, const struct world_row *rows, size_t count);

#endif
