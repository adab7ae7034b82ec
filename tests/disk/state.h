/*
 * What a ledger says, as one hash: everything that the shipped reading code gives out of it. Two ledgers with the same hash answer
 * every question alike.
 */
#ifndef SQ_TEST_STATE_H
#define SQ_TEST_STATE_H

#include "clearing/base/arena.h"
#include "clearing/ledger/ledger.h"
#include "peers/directory.h"
#include "peers/keys.h"

/* What can be asked for in a ledger, collected from one that is whole. */
struct state_questions {
    struct sq_directory *directory;
    char origin[SQ_ORIGIN_SIZE];
    struct sq_table answers; /* struct state_answer */
    struct sq_arena arena;
    uint32_t node_count;
    struct sq_keys *keys; /* NULL: state_append writes what means nothing */
    struct sq_entry next; /* what the node would write next, decided by its core; its bytes lie in next_bytes */
    uint8_t next_bytes[256];
};

struct state_answer {
    uint64_t seq, id; /* of the entry that gave it */
    uint32_t party;
};

/* Decides the journal again and audits it; dies with a message if the ledger is not sound. */
void state_open(struct state_questions *q, const char *directory, const char *ledger);
/* From now on state_append writes what the node itself would write after this ledger's last entry, so that audits hold. */
void state_next(struct state_questions *q, const char *ledger, const char *keys);
void state_close(struct state_questions *q);

struct sq_ledger_options state_options(const struct state_questions *q, const char *ledger);

struct state {
    uint64_t seq;
    uint8_t hash[SQ_HASH_SIZE];
};

/*
 * Reads it all: entries with their hashes and leaf records, checkpoint, its root held against the stored tree, one proof, kept answers, outbox.
 * Errors: what reading said, and SQ_E_VERIFY when the tree has another root than the checkpoint.
 */
SQ_MUST_CHECK sq_status state_read(struct state_questions *q, const struct sq_ledger *l, struct state *out,
                                   struct sq_error *err);

/* The whole audit of tests' subject, as `sanquan audit` makes it. */
SQ_MUST_CHECK sq_status state_audit(const struct state_questions *q, const char *ledger, struct sq_error *err);

/* One more entry, as a node that goes on would write. */
SQ_MUST_CHECK sq_status state_append(const struct state_questions *q, struct sq_ledger *l, struct sq_error *err);

_Noreturn void state_die(const char *what, const struct sq_error *err);

#endif
