/*
 * Nodes worked by hand in one process: a rig's keys and ledgers, without its daemons and its sockets.
 *
 * Every message is signed by its sender, decided by a core, and committed by itself, so a ledger made here is what a daemon would have
 * written. A test may tamper with a commit on its way to the disk: that is what a node's own operator could do.
 */
#ifndef SQ_TEST_DESK_H
#define SQ_TEST_DESK_H

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"
#include "tests/support/rig.h"

#define DESK_MAP_SIZE                                                                                                  \
    (256u << 20) /* several ledgers in one process: the usual size would be too much address space under a sanitizer */

struct desk_letter { /* between nodes, not yet delivered */
    uint32_t from, to;
    uint64_t number;
    uint8_t *bytes;
    size_t size;
    struct desk_letter *next;
};

struct desk {
    struct rig *rig;
    struct sq_core *core[RIG_NODES_MAX];
    struct sq_ledger *ledger[RIG_NODES_MAX];
    struct sq_arena step, sealed;
    struct desk_letter *first, **last;
    uint64_t now_ms;
    int keep_unacknowledged; /* 1: what is delivered is not acknowledged, and stays in the outbox */
    unsigned status;         /* of the newest answer to a client */
    uint64_t seq;            /* of the newest entry */
    uint8_t code[8192];      /* of the newest answered batch; all 0 when all were accepted */
    /* Called before each commit of `node`; may change what is stored, not what the core has decided. */
    void (*tamper)(struct desk *d, uint32_t node, struct sq_commit *c);
    void *tamper_ctx;
    const struct sq_signer *signer; /* NULL: the node's log key */
};

/* Files under `dir` as rig_new makes them; the ledgers get their first entry. */
struct desk *desk_new(const char *dir, unsigned node_count);
/* The same in a fresh folder for what is thrown away, in memory where the machine has such a place: there are many commits. */
struct desk *desk_new_in(char dir[static 64], const char *name, unsigned node_count);
void desk_clear(const char *dir); /* with all that is in it; after desk_free */
/* Closes the ledgers, so that others may open or copy them; the desk is then only good for desk_free. */
void desk_close(struct desk *d);
void desk_free(struct desk *d);

/* A client's message with its next id; the answer's status. What it sends to peers waits for desk_run. */
unsigned desk_say(struct desk *d, uint32_t node, const struct sq_keys *keys, uint32_t type,
                  const ProtobufCMessage *body);
void desk_run(struct desk *d); /* deliver until nothing is on the way */
/* What is due at the node by now happens; what comes of it waits for desk_run. Returns how many ticks there were. */
unsigned desk_time(struct desk *d, uint32_t node);

/* An operator of the node enrols it. */
void desk_enrol(struct desk *d, uint32_t node, struct sq_keys *keys);

/* One voucher's usual world: a programme of each kind number 1, a provider at `home`, a holder and a voucher at `issuer`. */
struct desk_people {
    struct sq_keys *provider, *holder;
    uint32_t home, issuer;
    uint64_t voucher;
};
void desk_people(struct desk *d, uint32_t home, uint32_t issuer, unsigned n, struct desk_people *out);
void desk_people_free(struct desk_people *p);

/* A batch of redemptions of `amounts` fen on p's voucher, invoices numbered from `first_invoice` of the home's province. */
unsigned desk_redeem(struct desk *d, const struct desk_people *p, uint64_t first_invoice, const int64_t *amounts,
                     uint32_t rows);

/* Cut the open window at every node and bring it to finality; then confirm by two operators where `confirm`. */
void desk_settle(struct desk *d, int confirm);

#endif
