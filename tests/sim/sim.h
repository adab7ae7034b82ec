/*
 * The simulator: a network of real nodes in one process and one thread, where a seed decides everything that happens.
 *
 *   what is real       clearing/, the LMDB ledger, proto/, envelopes, the outbox, the daemon's front, commit, streams, rejects, queries
 *   what is replaced   sockets (hub.c, net.c), threads and clocks (node.c), Ed25519 by a keyed hash (crypto.c), people (clients.c, work.c)
 *
 * Time is a number that jumps to the next event. Events of one time happen in the order in which they were made. Nothing here
 * reads a clock, an address or the environment to decide something, so a seed and a commit replay any run.
 *
 *   TROUBLE (faults and work) -> QUORUM (some nodes stay away; the others must settle) -> HEALING (no faults; what was asked must be answered) -> CLOSING (windows are cut until nothing is open)
 *   -> DONE, everything agreeing
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "ops/daemon/daemon.h"
#include "tests/model/model.h"
#include "tests/sim/random.h"

#define SIM_NODES_MAX   34u
#define SIM_CLIENTS_MAX 512u
#define SIM_MS          1000u /* of the simulator's microseconds */
#define SIM_SECOND      1000000u
#define SIM_EPOCH_MS    1790000000000u /* 2026-09-21 */
#define SIM_LINE        220
#define SIM_LINES       400 /* last events that a violation prints */
#define SIM_NEVER       UINT64_MAX

enum sim_fault {
    SIM_LOSS,
    SIM_DUPLICATE,
    SIM_DELAY,
    SIM_PARTITION,
    SIM_CRASH,
    SIM_SLOW_DISK,
    SIM_COMMIT_ERROR,
    SIM_CLOCK,
    SIM_HOSTILE_CLIENT,
    SIM_LIAR,
    SIM_OLD_COPY,
    SIM_FAULTS
};
extern const char *const sim_fault_names[SIM_FAULTS];

enum sim_phase { SIM_TROUBLE, SIM_QUORUM, SIM_HEALING, SIM_CLOSING, SIM_DONE };

enum sim_event_kind {
    SIM_EV_TURN,
    SIM_EV_COMMIT,
    SIM_EV_DELIVER,
    SIM_EV_CLIENT,
    SIM_EV_FAULT,
    SIM_EV_RESTART,
    SIM_EV_WATCH
};

/* ---- messages on their way ---- */

enum sim_end_kind { SIM_END_NODE = 1, SIM_END_CLIENT };
struct sim_end {
    uint32_t kind, index;
};

struct sim_bytes { /* shared by a message and its duplicates */
    uint32_t references, size;
    uint8_t data[];
};

struct sim_packet {
    struct sim_end from, to;
    struct sq_route route; /* the way back, when it goes to a node's ROUTER */
    int answer;            /* 1: comes back on the DEALER or to the client that asked */
    struct sim_bytes *bytes;
};

struct sim_event {
    uint64_t at_us, order;
    uint32_t kind, who, token;
    struct sim_packet packet; /* DELIVER */
};

struct sim_queue { /* a heap by (at_us, order) */
    struct sim_event *event;
    size_t count, capacity;
    uint64_t next_order;
};

void sim_queue_put(struct sim_queue *q, const struct sim_event *e);
int sim_queue_take(struct sim_queue *q, struct sim_event *out);
void sim_queue_free(struct sim_queue *q);

struct sim_bytes *sim_bytes_new(sq_bytes from);
void sim_bytes_drop(struct sim_bytes *b);

/* ---- a node ---- */

struct sim_seen { /* a tree that somebody was shown */
    uint64_t size;
    uint8_t root[SQ_HASH_SIZE];
};

struct sim_node {
    struct sq_daemon d; /* first: the daemon's calls out find their node from it */
    struct sim *sim;
    uint32_t index, incarnation;
    int up, liar, dead, away; /* dead: never to be seen again; away: down until the others have settled without it */
    uint32_t lies;            /* which: bits, see liars.c */
    char name[SQ_NAME_SIZE_MAX + 1], path[256];
    struct sq_config config;
    struct sq_keys keys;
    int64_t clock_ahead_us; /* how wrong its clock is */
    int32_t clock_drift_ppm;
    uint64_t turn_at_us;
    uint32_t turn_token, idle_turns;
    struct sim_packet *inbox; /* a ring */
    uint32_t inbox_first, inbox_count, inbox_capacity;
    struct sim_bytes *current; /* what the daemon is looking at */
    struct sq_dump snapshot;   /* taken, and not written until it is durable */
    int snapshot_taken;
    uint64_t snapshot_seq;
    struct sim_seen *seen;
    size_t seen_count, seen_capacity;
    struct model *model; /* the second opinion on its journal, up to checked_seq */
    uint64_t checked_seq, final_windows;
    int has_old_copy, on_old_copy; /* see backup.c */
    uint64_t old_copy_seq;
};

/* ---- a client: a person or a machine with a key, speaking to one node ---- */

struct sim_request {
    uint64_t id;
    uint32_t type;
    struct sim_bytes *envelope;
    int answered, settled; /* settled: what the answer means has been taken note of */
    uint32_t status;
    uint64_t seq;
    uint8_t leaf[SQ_LEAF_SIZE];
    struct sim_bytes *answer; /* the Answer's bytes: every repeat must be the same */
    struct sim_bytes *body;
};

struct sim_client {
    char name[SQ_NAME_SIZE_MAX + 1], code[19];
    enum sq_role role;
    uint32_t index, node;
    uint8_t secret[SQ_SECRET_SIZE], public_key[SQ_KEY_SIZE], transport_key[SQ_KEY_SIZE];
    struct sim_request *request; /* [id - 1] */
    size_t request_capacity;
    uint32_t request_count, first_open;
    uint32_t quota; /* requests it will still make by itself */
    uint32_t in_flight_max;
    uint64_t next_work_us, resend_us, resend_wait_us, wake_us;
    uint32_t token;
    uint64_t next_invoice, next_reservation;
    uint32_t reused, reused_refused; /* ids it has used again for something else, and was refused */
    uint64_t closing_window;         /* operators: the window they were last told to cut */
    uint32_t stage;                  /* issuers and operators: how far the set-up is */
};

/* ---- what people know, because they were told ---- */

struct sim_programme {
    uint32_t issuer, number, version, kind, node, rate_bp, vouchers;
    uint32_t client; /* the issuer's */
};

struct sim_voucher {
    uint64_t number;
    uint32_t programme, holder; /* holder: a client */
    int64_t face_fen;
};

struct sim_mandate {
    uint32_t voucher, provider;
    int64_t limit_fen;
};

struct sim_claim { /* an invoice that somebody has used */
    uint8_t invoice[10];
    uint32_t voucher, provider;
    int64_t amount_fen, base_fen, total_fen;
    uint32_t service_day;
    uint64_t reservation;
};

#define SIM_LIST(type, name)                                                                                           \
    type *name;                                                                                                        \
    size_t name##_count, name##_capacity
struct sim_work {
    SIM_LIST(struct sim_programme, programme);
    SIM_LIST(struct sim_voucher, voucher);
    SIM_LIST(struct sim_mandate, mandate);
    SIM_LIST(struct sim_claim, claim);
    SIM_LIST(struct sim_claim, hold); /* reservations made */
};
/* Room for one more row of a list; never fails (the simulator ends without memory). */
void *sim_grow(void *rows, size_t count, size_t *capacity, size_t row_size);
#define SIM_ADD(list, row)                                                                                             \
    ((list) = sim_grow((list), list##_count, &list##_capacity, sizeof *(list)), (list)[list##_count++] = (row))

/* ---- the plan of a seed ---- */

struct sim_plan {
    uint32_t nodes, providers, holders, requests; /* per node, per node, per client */
    uint32_t on[SIM_FAULTS];
    uint32_t loss_pm, duplicate_pm, slow_pm, slow_disk_pm, commit_error_pm, hostile_pm, liars, lie_pm;
    uint64_t latency_us, slow_us; /* mean of a message; most of a slow one */
    uint64_t commit_us, slow_commit_us;
    uint64_t crash_every_us, down_us, partition_every_us, partition_us, snapshot_turns_pm;
    uint64_t think_us;   /* between two requests of a client */
    uint64_t trouble_us; /* most that the first phase may last */
    uint32_t in_order;   /* links keep order, as TCP does */
    uint32_t bilateral, round_timeout_ms;
};

struct sim_counts {
    uint64_t events, turns, commits, entries, messages, delivered, restarts, snapshots, answers, repeats, refusals,
        checks, settlements, cut_rounds, told, told_checked; /* told: answers to questions */
    uint64_t fault[SIM_FAULTS];
};

struct sim {
    uint64_t seed, now_us;
    const char *dir;
    int trace;
    struct sim_plan plan;
    struct sim_random net, work_random, fault_random, node_random;
    struct sim_queue queue;
    enum sim_phase phase;
    uint64_t phase_at_us;
    struct sim_node node[SIM_NODES_MAX];
    struct sim_client client[SIM_CLIENTS_MAX];
    uint32_t client_count;
    struct sq_directory *directory;
    struct sim_work work;
    uint8_t cut[SIM_NODES_MAX][SIM_NODES_MAX]; /* [from][to]: nothing arrives */
    uint64_t link_last_us[SIM_NODES_MAX][SIM_NODES_MAX][2];
    uint64_t client_last_us[SIM_CLIENTS_MAX][2];
    uint32_t partition_token;
    uint64_t questions;
    uint64_t quorum_window, quorum_rounds; /* what those who are up must make final; cuts for it */
    struct sq_arena scratch;
    struct sim_counts counts;
    uint64_t hash; /* of everything that happened */
    char (*lines)[SIM_LINE];
    uint64_t line_count;
    int failed;
    char failure[400];
    struct sim_checks *checks;
};

/* sim.c */
struct sim_result {
    uint64_t seed, hash, simulated_us;
    struct sim_counts counts;
    struct sim_plan plan;
    int failed;
    char failure[400];
};
struct sim_wish {             /* 0: as the seed has it in store */
    uint32_t faults;          /* only these, as bits of enum sim_fault */
    uint32_t nodes, requests; /* how many nodes; requests of each client */
};
/* One run. `dir` is made and removed. What went wrong is printed to stderr with the last events. */
void sim_run(uint64_t seed, const struct sim_wish *wish, const char *dir, int trace, struct sim_result *out);
void sim_put(struct sim *s, uint64_t at_us, enum sim_event_kind kind, uint32_t who, uint32_t token);
void sim_note(struct sim *s, const char *format, ...) SQ_PRINTF(2, 3);
/* A violation: the first is kept and ends the run. */
void sim_fail(struct sim *s, const char *format, ...) SQ_PRINTF(2, 3);
void sim_mix(struct sim *s, uint64_t value);
void sim_mix_bytes(struct sim *s, const void *data, size_t size);
#define SIM_CHECK(s, fact, ...) ((s)->counts.checks++, (fact) ? (void)0 : sim_fail(s, __VA_ARGS__))

/* plan.c: what may happen under this seed, and when */
void sim_plan_draw(struct sim *s, const struct sim_wish *wish);
void sim_plan_print(const struct sim_plan *p, char *out, size_t size);
void sim_faults_begin(struct sim *s);
void sim_faults_event(struct sim *s, const struct sim_event *e);
void sim_faults_end(struct sim *s);
uint32_t sim_some_stay_away(struct sim *s); /* how many */
void sim_all_come_back(struct sim *s);

/* net.c, hub.c */
void sim_send(struct sim *s, const struct sim_packet *p);
void sim_deliver(struct sim *s, const struct sim_packet *p);
void sim_inbox_clear(struct sim_node *n);

/* node.c */
void sim_node_start(struct sim_node *n, int from_snapshot);
void sim_node_crash(struct sim_node *n);
void sim_node_stop(struct sim_node *n);
void sim_node_wake(struct sim_node *n, uint64_t at_us);
void sim_node_turn(struct sim_node *n, uint32_t token);
void sim_node_commit(struct sim_node *n, uint32_t incarnation);
uint64_t sim_node_clock_ms(const struct sim_node *n);

/* people.c: who there is, and the directory that names them */
void sim_people(struct sim *s);
void sim_key_of(const char *name, const char *use, uint8_t public_key[static SQ_KEY_SIZE],
                uint8_t secret[static SQ_SECRET_SIZE]);
struct sim_client *sim_client_find(struct sim *s, const char *name);

/* clients.c */
void sim_clients_begin(struct sim *s);
void sim_client_wake(struct sim_client *c, struct sim *s, uint32_t token);
void sim_client_hear(struct sim *s, struct sim_client *c, const struct sim_packet *p);
int sim_clients_idle(const struct sim *s); /* nothing is open that honest nodes can answer */
void sim_client_free(struct sim_client *c);
uint64_t sim_client_ask(struct sim *s, struct sim_client *c, uint32_t type, const ProtobufCMessage *body);
uint64_t sim_client_ask_bytes(struct sim *s, struct sim_client *c, uint32_t type, sq_bytes body);

/* hostile.c */
void sim_hostile_act(struct sim *s, struct sim_client *c);
void sim_hostile_end(struct sim *s);
int sim_hostile_earned(const struct sim *s, uint32_t status);

/* liars.c */
void sim_liars_choose(struct sim *s);
void sim_liars_end(struct sim *s);
void sim_liar_sends(struct sim_node *n, struct sim_packet *p); /* may replace p->bytes */
int sim_liars_hold_up(const struct sim *s, const struct sim_client *c, const struct sim_request *r);

/* backup.c */
void sim_backup_take(struct sim_node *n);
void sim_backup_restore(struct sim *s);
void sim_backup_found(struct sim_node *n);
void sim_backup_late(struct sim_node *n);
void sim_backup_sends(struct sim_node *n, const struct sq_envelope *e, int answer);

/* work.c: what is asked, and what an answer means */
int sim_work_next(struct sim *s, struct sim_client *c);
void sim_work_answered(struct sim *s, struct sim_client *c, struct sim_request *r, const Sanquan__V1__Answer *a);
void sim_work_free(struct sim_work *w);

/* readers.c */
void sim_reader_ask(struct sim *s, struct sim_client *c);
void sim_reader_told(struct sim_node *n, const struct sq_envelope *e); /* leaves the node */
void sim_reader_hear(struct sim *s, const struct sim_client *c, const Sanquan__V1__QueryAnswer *m);

/* checks.c */
void sim_checks_begin(struct sim *s);
void sim_checks_free(struct sim *s);
void sim_check_started(struct sim_node *n);
void sim_check_committed(struct sim_node *n);
void sim_check_sent(struct sim_node *n, const struct sim_packet *p);
void sim_check_receipt(struct sim *s, struct sim_client *c, struct sim_request *r, const Sanquan__V1__Receipt *m,
                       const Sanquan__V1__Answer *a);
int sim_check_quorum(
    const struct sim *s);             /* 1: all honest nodes that are up have the window that is to be made final */
void sim_check_audit(struct sim *s);  /* stops a node, and its ledger is audited as an outsider would */
int sim_check_settled(struct sim *s); /* 1: all windows of all nodes are closed alike, nothing is on the way */
void sim_check_end(struct sim *s);

#endif
