/*
 * The daemon's parts. A redemption goes: front (receive, check, decide) -> commit (append) -> front (answer).
 *
 *   front thread    sockets, core, timers            front.c, hello.c, streams.c, recall.c, witness.c, query*.c, questions.c, rejects.c
 *   commit thread   ledger, signatures of answers    commit_thread.c, commit.c
 *   snapshot thread one file, now and then           snapshots.c
 *
 * A group is what is committed together. The front fills one while the other is being committed; so groups are as large as the
 * commit before them was long, and under light load a message waits for nobody.
 *
 *   group:  FREE -> FILLING (front) -> COMMITTING (commit thread) -> DONE (front sends what it allows) -> FREE
 */
#ifndef SQ_DAEMON_H
#define SQ_DAEMON_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"
#include "ops/common/clock.h"
#include "ops/common/config.h"
#include "ops/history/historian.h"
#include "peers/directory.h"
#include "peers/hub.h"
#include "peers/keys.h"
#include "peers/lines.h"
#include "peers/outbox.h"
#include "proto/sanquan.pb-c.h"

#define GROUP_COUNT       2u
#define GROUP_ENTRIES_MAX 4096u
#define GROUP_OUT_MAX     16384u
#define GROUP_HELLOS_MAX  1024u
#define GROUP_TOLD_MAX    1024u
#define GROUP_ARENA_SIZE  ((64u << 20) + SQ_SETTLEMENT_SIZE_MAX) /* about a hundred full batches, and a window's end */
#define GROUP_PEER_LIMIT  (52u << 20)                            /* of all messages: one more step fits */
#define GROUP_TIMER_LIMIT (32u << 20)
/*
 * A group that holds this much waits for the commit before it, and meanwhile no more bulk is decided, only what is small and questions; at
 * twice as much nothing is. Two or three milliseconds of work: the cost of a sync is still small in it.
 */
#define GROUP_ENOUGH (1u << 20)
#define GROUP_FULL   (2u << 20)
#define GROUP_PATIENCE_MS                                                                                              \
    2000u /* when the disk is slower than this, more is received, and what does not fit is told "busy" */
#define SMALL_MS           100u /* so long after a small message of a client the node counts as shared by small and bulk */
#define GROUP_CLIENT_LIMIT (40u << 20) /* of clients' messages; the rest is kept for peers and timers */

/* What may leave once the group is durable. */
struct sq_pending_out {
    enum sq_out_kind kind; /* ANSWER or PEER */
    uint32_t to, type;     /* party, or node */
    uint64_t id, now_ms;
    uint64_t decided_us;           /* for metrics alone; 0: nobody measures */
    sq_bytes body;                 /* in the group's arena */
    uint8_t request[SQ_HASH_SIZE]; /* ANSWER: the name of the request (peers/message.h) */
    int request_known;             /* 0: the request is entry `request_seq` of the ledger */
    uint64_t request_seq, seq;     /* seq: the entry that decided it */
    sq_bytes envelope;             /* sealed by the commit thread; size 0: could not be */
};

/* A question where a stream stands. */
struct sq_hello {
    struct sq_route route;
    uint32_t party;
    uint64_t nonce;
};

/* An answer to a question, made of a state that is not durable yet. */
struct sq_told {
    struct sq_route route;
    char to[SQ_NAME_SIZE_MAX + 1];
    uint64_t nonce;
    unsigned status;
    char *json; /* malloc'd; NULL for a refusal */
};

struct sq_group {
    struct sq_arena arena, sealed; /* what the front puts in; what the commit thread makes of it */
    struct sq_entry *entries;
    uint32_t *senders; /* [entry]: party, or SQ_ROW_NONE for the node's own; the front's */
    size_t entry_count;
    struct sq_hello *hellos; /* answered when the group is durable; the front's */
    size_t hello_count;
    struct sq_told *told; /* the same for answers to questions */
    size_t told_count, told_size;
    struct sq_pending_out *outs;
    size_t out_count;
    struct sq_answer_put *answers; /* commit thread's */
    struct sq_outbox_put *outbox;  /* commit thread's */
    struct sq_outbox_ack *acks;    /* newest acknowledgement of each peer */
    size_t ack_count;
    int holds_bulk;      /* the front's */
    uint8_t *peer_heard; /* [node]: a message of its stream is in the group */
};

struct sq_peer {
    struct sq_outbox outbox;
    struct sq_route route;   /* its connection to us: acknowledgements go there */
    uint64_t durable_in;     /* last number of its stream that is durable here */
    uint64_t durable_in_seq; /* the entry that holds it; 0: none */
    uint64_t heard_ms;
    uint64_t greet_at_ms;           /* ask it where our stream stands; UINT64_MAX: it has answered */
    uint64_t greeted_ms;            /* when it was last asked */
    uint64_t retry_at_ms, retry_ms; /* its socket took nothing: when to try again */
    uint64_t false_claims,
        claim_logged_ms; /* it claimed messages of ours and did not show them: how often; since the start */
    int asked; /* it has acknowledged more than we sent, and must show it: nothing else goes to it meanwhile */
    uint64_t waiting_ms, waiting_acked; /* since when nothing new was acknowledged while messages wait; 0: none does */
    int told;                           /* it has said what it knows of this node's log */
    int connected;                      /* configured as a peer */
};

struct sq_daemon {
    struct sq_config *config;
    struct sq_directory *directory;
    struct sq_keys *keys;
    char origin[SQ_ORIGIN_SIZE];
    struct sq_core *core;
    struct sq_ledger *ledger;
    struct sq_hub *hub;
    struct sq_signer log_signer;
    struct sq_arena step_arena, scratch;
    struct sq_clock clock;
    uint64_t now_ms, next_ms; /* next_ms: when something is due, unless a message comes first */
    uint64_t enough_ms;       /* since when the group being filled waits for the commit; 0: it does not */
    uint64_t small_until_ms;  /* a client has sent something small lately */
    int bulk_under_way;       /* the group that is being committed holds some */
    uint64_t opened_ms;       /* of the first turn */
    struct sq_cutoff cutoff;
    uint64_t housekeep_ms, watchdog_ms, disk_ms;
    unsigned free_permille;

    struct sq_peer *peers;   /* [node] */
    struct sq_route *routes; /* [party]: where it was last heard */
    uint32_t route_capacity;
    uint32_t parties_allowed; /* parties up to here are on the hub's list */

    struct sq_group groups[GROUP_COUNT], *filling;
    pthread_t commit_thread;
    pthread_mutex_t mutex; /* guards the three below */
    pthread_cond_t work;
    struct sq_group *committing, *done;
    int commit_started, stop_commit, commit_failed;
    atomic_uint_fast64_t commits; /* the watchdog sees both threads move */

    struct sq_rejects {
        uint64_t minute, in_minute, uncounted;
    } rejects;
    uint64_t warned_ms;             /* that witnesses are waited for */
    struct sq_metrics *metrics;     /* NULL: nobody measures */
    struct sq_access *access;       /* NULL: no log is kept or anchored */
    struct sq_historian *historian; /* NULL: nobody answers questions about the history */
    uint64_t snapshot_items;        /* decided items at the last snapshot */
    struct sq_dump snapshot_dump;   /* the snapshot thread's while it runs; its memory is used again */
    pthread_t snapshot_thread;
    int snapshot_started;
    atomic_int snapshot_busy;
};

static inline void *sq_take_room(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}
static inline struct sq_wire_memory sq_memory_of(struct sq_arena *a)
{
    return (struct sq_wire_memory){sq_take_room, a};
}

/* start.c: open everything into a zeroed d; close what is open. */
SQ_MUST_CHECK sq_status sq_daemon_open(struct sq_daemon *d, const char *config_path, int check_only,
                                       struct sq_error *err);
void sq_daemon_close(struct sq_daemon *d);
uint64_t sq_daemon_wall_ms(void);
unsigned sq_daemon_disk_permille(const struct sq_daemon *d); /* what is free where the ledger lies, or of its map */
uint64_t sq_daemon_monotonic_ms(void);

/* state.c: the ledger and the state it makes; an empty ledger gets its first entry */
SQ_MUST_CHECK sq_status sq_state_open(struct sq_daemon *d, const Sanquan__V1__Genesis *g, uint64_t now_ms,
                                      struct sq_error *err);
SQ_MUST_CHECK sq_status sq_state_ledger(struct sq_daemon *d, int read_only, struct sq_error *err);

/* loop.c */
SQ_MUST_CHECK sq_status sq_front_run(struct sq_daemon *d, const volatile sig_atomic_t *stop, struct sq_error *err);

/* front.c */
/*
 * One turn of the loop: send what has become durable, run what is due, hand over what was decided, then wait for messages until
 * d->next_ms (a second at most) and take a few. No clock is read: the simulator turns many nodes this way.
 */
SQ_MUST_CHECK sq_status sq_front_turn(struct sq_daemon *d, uint64_t now_ms, struct sq_error *err);
/* Parts of a turn: send what a group that has become durable allows; let the hub know of parties enrolled since. */
SQ_MUST_CHECK sq_status sq_front_finish(struct sq_daemon *d, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_front_allow(struct sq_daemon *d, struct sq_error *err);
/* Step an event and put what comes of it into the group being filled. `input` is copied. `request`: its name, or NULL. */
SQ_MUST_CHECK sq_status sq_front_step(struct sq_daemon *d, const struct sq_event *event, sq_bytes input,
                                      const uint8_t *request, struct sq_effects *fx, struct sq_error *err);
/* Seal and send an unnumbered message now. A connection that is gone is no error. */
void sq_front_send(struct sq_daemon *d, const struct sq_route *route, const char *receiver, uint32_t type,
                   const ProtobufCMessage *body);

/* commit.c */
SQ_MUST_CHECK sq_status sq_groups_new(struct sq_daemon *d, struct sq_error *err);
void sq_groups_free(struct sq_daemon *d);
/* Make the group durable and seal its answers and peer messages. Errors: as sq_ledger_commit. */
SQ_MUST_CHECK sq_status sq_group_commit(struct sq_daemon *d, struct sq_group *g, struct sq_error *err);
void sq_group_reset(struct sq_daemon *d, struct sq_group *g);
/* A Receipt of an answer in entry `seq`, sealed, into arena. */
SQ_MUST_CHECK sq_status sq_receipt_seal(struct sq_daemon *d, uint64_t seq, const char *receiver, uint64_t now_ms,
                                        sq_bytes answer, const uint8_t request[static SQ_HASH_SIZE],
                                        struct sq_arena *arena, sq_bytes *envelope, struct sq_error *err);

/* commit_thread.c */
SQ_MUST_CHECK sq_status sq_commit_start(struct sq_daemon *d, struct sq_error *err);
void sq_commit_stop(struct sq_daemon *d);
/* Hand the group being filled to the commit thread if that is idle; 1 when it went. */
int sq_commit_submit(struct sq_daemon *d);
/* A group that is durable and not yet dealt with; NULL. */
struct sq_group *sq_commit_take_done(struct sq_daemon *d, int *failed);

/* hello.c: h is copied; g is durable and has been dealt with */
void sq_hello_hear(struct sq_daemon *d, const struct sq_hello *h);
void sq_hello_durable(struct sq_daemon *d, struct sq_group *g);

/* streams.c: the numbered streams between nodes */
SQ_MUST_CHECK sq_status sq_streams_open(struct sq_daemon *d, struct sq_error *err);
void sq_streams_durable(struct sq_daemon *d, const struct sq_group *g); /* send what the group allowed */
void sq_streams_flush(struct sq_daemon *d);                             /* send and resend what is due */
uint64_t sq_streams_due_ms(const struct sq_daemon *d);
/* An ACK, HELLO_OK or refusal on our DEALER. Errors: as sq_recall_hello. */
SQ_MUST_CHECK sq_status sq_streams_hear(struct sq_daemon *d, uint32_t node, const struct sq_arrival *a,
                                        struct sq_error *err);
void sq_streams_ack(struct sq_daemon *d, uint32_t node);
void sq_streams_spoken(struct sq_daemon *d, uint32_t node); /* it is there: if it has not been asked lately, ask */
/* Has this ledger been held against what peers remember of it? Until then no work is taken, and time brings nothing about; peers that do not answer are not waited for long. */
int sq_streams_greeted(const struct sq_daemon *d);

/* recall.c: what peers remember of this node */
/* May an ACK of this number be true? 0: no, and the peer will be asked what it has. */
int sq_recall_ack(struct sq_daemon *d, uint32_t node, uint64_t last);
/* SQ_E_FOREIGN: the peer shows a message that this node has signed and this ledger does not know: it is an old copy. */
SQ_MUST_CHECK sq_status sq_recall_hello(struct sq_daemon *d, uint32_t node, const Sanquan__V1__HelloOk *m,
                                        struct sq_error *err);

/* access.c: who asked what, and anchors of logs */
SQ_MUST_CHECK sq_status sq_access_open(struct sq_daemon *d, struct sq_error *err);
void sq_access_close(struct sq_daemon *d);
/* 0: the line could not be written, and the question must not be answered. */
int sq_access_note(struct sq_daemon *d, const char *who, const char *asked, unsigned status);
/* Reads on in the logs, and anchors them when it is time. */
SQ_MUST_CHECK sq_status sq_access_turn(struct sq_daemon *d, struct sq_error *err);

/* witness.c: nodes hold each other to one history */
/* Show this node's newest checkpoint when it is time; *at_ms_out: when to come again. SQ_E_CORRUPT: it is not what the ledger holds. */
SQ_MUST_CHECK sq_status sq_witness_show(struct sq_daemon *d, uint64_t *at_ms_out, struct sq_error *err);
/* The core's COSIGNED to `receiver` with this node's signature, where it says yes; for the commit thread. */
SQ_MUST_CHECK sq_status sq_witness_cosign(struct sq_daemon *d, const char *receiver, sq_bytes body,
                                          struct sq_arena *arena, sq_bytes *out, struct sq_error *err);
/* Has this peer said what it knows of this node's log? 1 also where nobody is asked. */
/* 0: the ledger is a copy, and more than half of the other nodes have not yet said what they know of it. */
int sq_witness_heard_enough(const struct sq_daemon *d);
int sq_witness_told(const struct sq_daemon *d, uint32_t node);
void sq_witness_ask(struct sq_daemon *d, uint32_t node);
void sq_witness_answer(struct sq_daemon *d, const struct sq_route *route, uint32_t party,
                       const Sanquan__V1__WitnessAsk *m);
/* SQ_E_FOREIGN: this ledger does not continue what the witness holds under this node's own signature. */
SQ_MUST_CHECK sq_status sq_witness_hear(struct sq_daemon *d, uint32_t node, const Sanquan__V1__WitnessTell *m,
                                        struct sq_error *err);

/* query.c: JSON text into out (malloc'd), of the state in memory; a refusal for those who may not ask. */
unsigned sq_query_answer(struct sq_daemon *d, uint32_t party, const char *path, char **json);
/* query_disputes.c: a new reference (jansson). */
struct json_t;
struct json_t *sq_query_disputes(const struct sq_daemon *d, const struct sq_party *asker, int sees_all);
/* query_settlement.c: likewise. */
struct json_t *sq_query_windows(const struct sq_daemon *d);
struct json_t *sq_query_window(const struct sq_daemon *d, uint64_t number); /* NULL: it is not kept */
struct json_t *sq_query_links(const struct sq_daemon *d);
struct json_t *sq_query_regions(const struct sq_daemon *d);
struct json_t *sq_query_account(const struct sq_daemon *d);
struct json_t *sq_query_caps(const struct sq_daemon *d);
struct json_t *sq_query_breaks(const struct sq_daemon *d);
/* query_policy.c: likewise. */
struct json_t *sq_query_agreements(const struct sq_daemon *d);
/* query_settlement.c: a state of windows, by name */
const char *sq_query_window_state(enum sq_window_state state);
/* query_witness.c: new references. sq_query_proof: NULL when there is no such entry */
struct json_t *sq_query_witnesses(const struct sq_daemon *d);
void sq_query_put_witness(const struct sq_daemon *d, struct json_t *status);
struct json_t *sq_query_proof(struct sq_daemon *d, uint64_t seq);
/* NULL: nobody has named it. */
struct json_t *sq_query_org(const struct sq_daemon *d, const char *uscc);
/* Those after this number; holder ("holder:CODE") NULL: everybody's. */
struct json_t *sq_query_applications(const struct sq_daemon *d, uint32_t issuer, uint32_t number, uint64_t after,
                                     const char *holder);
/* issuer 0, provider ("provider:CODE") NULL: all. */
struct json_t *sq_query_prefunds(const struct sq_daemon *d, uint32_t issuer, const char *provider);
/* With what would come back if this were its total (-1: as it is). NULL: no invoice number. */
struct json_t *sq_query_invoice(const struct sq_daemon *d, const char *digits, int64_t total_fen);

/* questions.c: an answer is told when all that it is made of is durable */
void sq_questions_hear(struct sq_daemon *d, const struct sq_arrival *a, uint32_t party, const Sanquan__V1__Query *m);
void sq_questions_durable(struct sq_daemon *d, struct sq_group *g); /* tell those that waited for the group */
void sq_questions_forget(struct sq_group *g);                       /* it will never be durable here */
void sq_questions_send(struct sq_daemon *d);                        /* what the historian has answered */

/* rejects.c */
sq_status sq_reject(struct sq_daemon *d, const struct sq_arrival *a, const struct sq_envelope *e, unsigned status,
                    const char *detail, struct sq_error *err);
/* `in` as printable ASCII, '?' for the rest, cut to fit: what others wrote goes into messages and log lines no other way. */
void sq_plain_text(const char *in, char *out, size_t size);

/* snapshots.c */
void sq_snapshot_begin(struct sq_daemon *d); /* count from here */
void sq_snapshot_maybe(struct sq_daemon *d);
void sq_snapshot_last(struct sq_daemon *d); /* at a clean end, everything being durable */
void sq_snapshot_join(struct sq_daemon *d);

#endif
