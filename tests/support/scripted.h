/*
 * A node that does as it is told: real sockets and signatures, no ledger. It numbers and answers as the wire specification says,
 * except where the script wants something else of the next requests. It runs in a thread of its own.
 */
#ifndef SQ_TEST_SCRIPTED_H
#define SQ_TEST_SCRIPTED_H

#include <pthread.h>
#include <stdatomic.h>

#include "peers/client.h"
#include "peers/hub.h"

enum scripted {
    SCRIPT_GOOD = 0,    /* what the specification says */
    SCRIPT_LOST,        /* it never came */
    SCRIPT_ANSWER_LOST, /* decided, but the answer does not arrive */
    SCRIPT_BUSY,
    SCRIPT_DISK_LOW,
    SCRIPT_OTHER_KEY, /* a forged answer, then the good one */
    SCRIPT_OTHER_NETWORK,
    SCRIPT_OTHER_RECEIVER,
    SCRIPT_OTHER_SENDER,
    SCRIPT_NOISE,
    SCRIPT_OTHER_ID,
    SCRIPT_OTHER_REQUEST, /* the answer to other bytes under this id, and no more */
    SCRIPT_REFUSED,       /* a Refusal with id 0 */
    SCRIPT_OTHER_NONCE,   /* of hellos and queries: another's answer, then the good one */
    SCRIPT_UNRELATED,     /* of queries: a Refusal of a numbered request, then the good answer */
};

#define SCRIPT_MAX     64
#define SCRIPT_LOG_MAX 4096

struct scripted_arrival {
    uint32_t type;
    uint64_t id;
    uint8_t hash[32]; /* its name: the same only for the same bytes */
};

struct scripted_node {
    struct sq_keys *keys, *stranger;
    uint8_t network[32];
    struct sq_hub *hub;
    pthread_t thread;
    atomic_int stop;
    pthread_mutex_t mutex;               /* guards the rest */
    uint64_t last;                       /* last id decided */
    uint8_t decided[SCRIPT_LOG_MAX][32]; /* [id]: the envelope that was decided; zero: from before */
    enum scripted script[SCRIPT_MAX];    /* of the next messages of type script_type */
    uint32_t script_type;
    unsigned script_at, script_count;
    struct scripted_arrival log[SCRIPT_LOG_MAX];
    unsigned log_count;
};

struct scripted_node *scripted_new(void);
void scripted_free(struct scripted_node *n);

/* A client of it, known there. Both are the caller's to free. */
struct sq_client *scripted_client(struct scripted_node *n, struct sq_keys *keys, unsigned in_flight);
struct sq_keys *scripted_keys(struct scripted_node *n, const char *name);

/* What it does with the next messages of this type; GOOD afterwards. */
void scripted_do(struct scripted_node *n, uint32_t type, const enum scripted *script, unsigned count);
void scripted_set_last(struct scripted_node *n, uint64_t last);
uint64_t scripted_last(struct scripted_node *n);

/* Messages of this type and id that have come; the first `max` of their hashes. */
unsigned scripted_arrivals(struct scripted_node *n, uint32_t type, uint64_t id, uint8_t (*hashes)[32], unsigned max);
unsigned scripted_count(struct scripted_node *n);

#endif
