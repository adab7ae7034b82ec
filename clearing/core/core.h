/*
 * The step function: the only place where state changes.
 *
 * State is the fold of the journal. Give the same events to an empty core and the same effects come out, byte for
 * byte, on every machine. The core sees no clock (an event carries the time), no key (signatures were checked before),
 * no socket and no disk.
 *
 *   wire        an envelope arrives                          peers/
 *   check       its connection, network, signature           peers/
 *   decide      sq_core_step: repeats, then every rule, then the change of state
 *   append      the entry becomes durable                    clearing/ledger/
 *   answer      effects leave the node                       peers/
 */
#ifndef SQ_CORE_H
#define SQ_CORE_H

#include "clearing/base/table.h"
#include "clearing/core/effects.h"
#include "clearing/settlement/settlement.h"
#include "proto/status.h"
#include "proto/wire.h"

struct sq_core; /* opaque: vouchers, mandates, pools, caps, invoices and positions must agree */

struct sq_event {
    uint64_t now_ms;                    /* Unix ms; the core takes the larger of this and the last one */
    uint32_t type;                      /* MessageType of the body: a client's, a peer's, GENESIS, TICK or REJECTED */
    const struct sq_envelope *envelope; /* NULL for GENESIS, TICK and REJECTED */
    sq_bytes body;                      /* envelope->body, or the canonical message itself */
};

/* An empty core; its first event must be GENESIS. */
SQ_MUST_CHECK sq_status sq_core_new(struct sq_core **out, struct sq_error *err);
/* What tells a usable Ed25519 key from others when parties are enrolled; a pure function. Set before the first step. */
void sq_core_set_key_check(struct sq_core *core, int (*key_ok)(const uint8_t key[static 32]));
/* What tells whether a message that somebody else brings is signed with this key; a pure function. Without it none is believed. */
typedef int (*sq_signature_check)(const struct sq_envelope *e, const uint8_t network_id[static 32],
                                  const uint8_t key[static 32]);
void sq_core_set_signature_check(struct sq_core *core, sq_signature_check signed_by);
void sq_core_free(struct sq_core *core);

/*
 * Decide one event.
 *
 * arena    reset by the caller between steps; SQ_STEP_ARENA_SIZE is enough for any event
 * effects  set on SQ_OK; memory lives in the arena. A refusal is SQ_OK too: effects say what to tell whom.
 *
 * Errors: SQ_E_NOMEM, SQ_E_FULL  the process cannot go on: stop, and start again from the journal
 *         SQ_E_FORMAT            GENESIS is not first, or not usable; a GENESIS, TICK or REJECTED that is not canonical
 */
#define SQ_STEP_ARENA_SIZE ((24u << 20) + SQ_SETTLEMENT_SIZE_MAX) /* memory that is not used costs nothing */
#define SQ_ENTRY_SIZE_MAX  (SQ_MESSAGE_SIZE_MAX + (1u << 20) + SQ_SETTLEMENT_SIZE_MAX) /* of an entry's payload */
SQ_MUST_CHECK sq_status sq_core_step(struct sq_core *core, const struct sq_event *event, struct sq_arena *arena,
                                     struct sq_effects *effects, struct sq_error *err);

/* Is something due at this time? Then `tick` is the body of a TICK event to be stepped. `at_ms_out`: when next. */
int sq_core_due(const struct sq_core *core, uint64_t now_ms, struct sq_arena *arena, sq_bytes *tick,
                uint64_t *at_ms_out);

/*
 * When row `row` of the batch that is entry `batch` of the ledger of node `acquirer` is decided on this core, write down why into *out
 * (zeroed by the caller; it must live until then). Decisions come out the same with and without it. One row at a time; out NULL: none.
 * What was decided elsewhere (by another issuer, by the home of its invoice), or refused by itself, has its status as the only reason.
 */
struct sq_explain;
void sq_core_watch(struct sq_core *core, uint32_t acquirer, uint64_t batch, uint32_t row, struct sq_explain *out);

/* ---- reading; all results are borrowed and live until the next step ---- */

enum sq_role {
    SQ_ROLE_NODE = 1,
    SQ_ROLE_ISSUER,
    SQ_ROLE_OPERATOR,
    SQ_ROLE_REGULATOR,
    SQ_ROLE_PROVIDER,
    SQ_ROLE_HOLDER,
    SQ_ROLE_EVALUATOR
};

struct sq_party {
    char name[SQ_NAME_SIZE_MAX + 1]; /* "role:code" */
    uint8_t role;                    /* enum sq_role */
    uint8_t suspended;
    uint8_t known_key; /* 0: named by others (a foreign provider), cannot sign here */
    uint32_t node;     /* number of the home node */
    uint32_t org;      /* of a provider, holder or evaluator: its organisation, else SQ_ROW_NONE */
    uint8_t key[32], transport_key[32];
    uint64_t last_id, last_seq; /* last id that was journalled, and the entry that holds it; 0: none */
};

uint32_t sq_core_party_count(const struct sq_core *core);
const struct sq_party *sq_core_party(const struct sq_core *core, uint32_t number);
/* SQ_ROW_NONE when there is none. */
uint32_t sq_core_party_find(const struct sq_core *core, const char *name);

struct sq_node {
    char code[7];
    uint32_t party; /* number of "node:CODE" */
    uint8_t log_key[32];
};
uint32_t sq_core_node_count(const struct sq_core *core);
uint32_t sq_core_self(const struct sq_core *core);
const struct sq_node *sq_core_node(const struct sq_core *core, uint32_t number);
uint64_t sq_core_peer_next(const struct sq_core *core, uint32_t node); /* next number of our stream to it */
const uint8_t *sq_core_network_id(const struct sq_core *core);         /* 32 bytes; NULL before GENESIS */
uint64_t sq_core_seq(const struct sq_core *core);                      /* entries so far */
uint64_t sq_core_now_ms(const struct sq_core *core);

struct sq_programme_view {
    uint32_t issuer, number, version, kind, node;
    int64_t pool_fen, granted_fen, reserved_fen, spent_fen;
    uint32_t rate_bp, from_day, until_day;
    const char *title;
    uint32_t voucher_count; /* 0 at nodes that do not host the issuer */
};
uint32_t sq_core_programme_count(const struct sq_core *core);
void sq_core_programme(const struct sq_core *core, uint32_t number, struct sq_programme_view *out);

/* Funder k of programme `number`: what it has borne of all that is spent. SQ_E_NOT_FOUND beyond the last. */
struct sq_funder_view {
    uint32_t code, share_bp;
    int64_t borne_fen;
};
SQ_MUST_CHECK sq_status sq_core_funder(const struct sq_core *core, uint32_t number, uint32_t k,
                                       struct sq_funder_view *out);

/* Money in advance that a provider (party number) of this node has under programme `number`. SQ_E_NOT_FOUND: it never had any. */
struct sq_prefund_view {
    const char *provider;            /* party name */
    int64_t advanced_fen, drawn_fen; /* drawn: of what it has redeemed since, paid by the advance */
};
SQ_MUST_CHECK sq_status sq_core_prefund(const struct sq_core *core, uint32_t number, uint32_t provider,
                                        struct sq_prefund_view *out);

/* The k-th provider that has some, or had, under programme `number`, newest first. SQ_E_NOT_FOUND beyond the last. */
SQ_MUST_CHECK sq_status sq_core_prefund_of(const struct sq_core *core, uint32_t number, uint32_t k,
                                           struct sq_prefund_view *out);

/* Agreements with other nodes, in the order in which they were first heard of. [0] is this node's side, for vouchers of its issuers. */
enum sq_recognition_state {
    SQ_RECOGNITION_ENTERED = 1, /* here by a maker; nobody has said it yet */
    SQ_RECOGNITION_SAID_HERE,
    SQ_RECOGNITION_SAID_THERE,
    SQ_RECOGNITION_DIFFERS, /* the two sides have said different terms: they go on with the next version */
    SQ_RECOGNITION_TO_COME, /* agreed, its first day is to come */
    SQ_RECOGNITION_APPLIES,
    SQ_RECOGNITION_REPLACED, /* by a newer version, from that one's first day on */
    SQ_RECOGNITION_OVER
};
struct sq_recognition_view {
    uint32_t other, version;         /* other: number of the node */
    enum sq_recognition_state state; /* as of the last event's day */
    int in_force, said_here, said_there, waiting_for_checker;
    uint32_t kinds, rate_ceiling_bp, from_day, until_day; /* kinds: a bit each, kind 1 the lowest */
    struct {
        uint32_t borne_bp, relaxed;                 /* relaxed: a bit an attribute, bit 0 for all lists */
        int64_t exposure_fen, gross_fen, borne_fen; /* redeemed under it, and what of it the other region has borne */
    } side[2];
};
/* Of a sum under an agreement the creditor bears floor(sum * borne_bp / 10000), also below zero. */
int64_t sq_recognition_share(int64_t sum_fen, uint32_t borne_bp);
uint32_t sq_core_recognition_count(const struct sq_core *core);
void sq_core_recognition(const struct sq_core *core, uint32_t i, struct sq_recognition_view *out);

/*
 * What is claimed on an invoice at its home, less what is being returned; and what a credit note that leaves total_fen of it would
 * bring back (sq_on_reverse says how): of each programme the base exactly and the amount at least, of all together back_fen exactly.
 */
struct sq_invoice_share {
    uint32_t issuer, number; /* programme */
    int64_t base_fen, amount_fen, back_base_fen, back_fen;
};
struct sq_invoice_view {
    uint32_t home;      /* node; what follows is known there only */
    int known;          /* it was claimed, or a credit note has said its total */
    const char *seller; /* party name; NULL where nothing is claimed */
    uint32_t acquirer;  /* node that claimed it */
    uint32_t limit_bp;  /* of the total, for all amounts together */
    int64_t total_fen, back_fen;
    uint32_t shares; /* programmes that have something on it; all of them are in the array */
};
#define SQ_INVOICE_SHARES_MAX 64u
/* total_fen -1: as it is. Errors: SQ_R_INVOICE_FORMAT; SQ_E_FULL: more than `max` programmes, or SQ_INVOICE_SHARES_MAX. */
SQ_MUST_CHECK sq_status sq_core_invoice(const struct sq_core *core, const uint8_t cell[static 10], int64_t total_fen,
                                        struct sq_invoice_view *out, struct sq_invoice_share *share, uint32_t max);

/*
 * What was said of an organisation: each statement once, newest first; until_day 0 is open. SQ_E_NOT_FOUND: nobody has named it.
 * A statement that was ended before it began is left out.
 */
struct sq_org_fact {
    uint32_t attribute, issuer, from_day, until_day; /* issuer: 0 for an operator's, of all programmes */
    int64_t value;
};
struct sq_org_edge {
    const char *owner, *owned;          /* codes */
    uint32_t kind, from_day, until_day; /* kind: as in Edges */
};
struct sq_org_sanction {
    const char *authority;                       /* party name */
    uint32_t cause, effect, from_day, until_day; /* as in Sanction */
};
struct sq_org_reader {
    void *ctx;
    void (*fact)(void *ctx, const struct sq_org_fact *f);
    void (*edge)(void *ctx, const struct sq_org_edge *e);
    void (*sanction)(void *ctx, const struct sq_org_sanction *s);
};
SQ_MUST_CHECK sq_status sq_core_org(const struct sq_core *core, const char *uscc, const struct sq_org_reader *reader);

/* Cases about items (disputes.c): those decided here, and copies of those that concern this node's providers, in the order they came. */
enum sq_dispute_state {
    SQ_DISPUTE_QUERY = 1,
    SQ_DISPUTE_ANSWERED,
    SQ_DISPUTE_CHARGED,
    SQ_DISPUTE_PRESENTED,
    SQ_DISPUTE_ARBITRATION,
    SQ_DISPUTE_UPHELD,
    SQ_DISPUTE_DISMISSED,
    SQ_DISPUTE_WITHDRAWN,
    SQ_DISPUTE_NO_ITEM
};
enum sq_dispute_action {
    SQ_DISPUTE_OPEN = 1,
    SQ_DISPUTE_ANSWER,
    SQ_DISPUTE_ACCEPT,
    SQ_DISPUTE_CHARGE,
    SQ_DISPUTE_PRESENT,
    SQ_DISPUTE_ARBITRATE,
    SQ_DISPUTE_WITHDRAW,
    SQ_DISPUTE_RULE,
    SQ_DISPUTE_DENY
};
#define SQ_DISPUTE_REASONS 7u
struct sq_dispute_view {
    uint32_t node, acquirer;                    /* where it is decided; where the provider is at home */
    uint64_t number, voucher;                   /* number: of the case at `node` */
    const char *provider;                       /* party name */
    uint32_t service_day, reason, deadline_day; /* reason: as in Dispute; deadline_day: 0 when it is over */
    enum sq_dispute_state state;
    int64_t amount_fen, returned_fen,
        taken_fen;                       /* returned: by the provider itself since it was opened, known at `node` */
    uint64_t opened_ms, since_ms, entry; /* since, entry: of this ledger, of the newest step */
    const uint8_t *invoice, *evidence;   /* SQ_INVOICE_CELL and 16 bytes */
    const char *note;                    /* of the newest step; empty: a deadline had passed */
};
uint32_t sq_core_dispute_count(const struct sq_core *core);
void sq_core_dispute(const struct sq_core *core, uint32_t i, struct sq_dispute_view *out);

/* What was redeemed and given back for scenario i (any order that replays the same), 0 to sq_core_scenario_count - 1. */
struct sq_scenario_view {
    uint32_t programme, scenario; /* programme: its number in this core's table */
    int64_t redeemed_fen, returned_fen;
    uint64_t count; /* redemptions */
};
uint32_t sq_core_scenario_count(const struct sq_core *core);
void sq_core_scenario(const struct sq_core *core, uint32_t i, struct sq_scenario_view *out);

/* Application `application` of programme `number`. */
enum sq_application_state { SQ_APPLICATION_OPEN, SQ_APPLICATION_GRANTED, SQ_APPLICATION_REFUSED };
struct sq_application_view {
    uint32_t programme; /* its number in this core's table */
    uint64_t number;    /* in the programme */
    const char *holder; /* party name */
    enum sq_application_state state;
    int64_t asked_fen, approved_fen;
    uint32_t day, side, score, grade, verdict;
    uint64_t voucher; /* 0 until it is granted */
};
SQ_MUST_CHECK sq_status sq_core_application(const struct sq_core *core, uint32_t number, uint64_t application,
                                            struct sq_application_view *out);
/* Of all programmes, in the order they came: 0 to sq_core_application_count - 1. */
uint32_t sq_core_application_count(const struct sq_core *core);
void sq_core_application_at(const struct sq_core *core, uint32_t i, struct sq_application_view *out);

/* The newest anchor of each log that is kept beside the ledger (anchor.c), in the order in which their names came. */
struct sq_anchor {
    char name[64];
    uint64_t size, entry, at_ms; /* entry: of this journal */
    uint8_t hash[SQ_HASH_SIZE];  /* of its first `size` bytes */
    uint32_t generation, padding;
};
uint32_t sq_core_anchor_count(const struct sq_core *core);
const struct sq_anchor *sq_core_anchor_at(const struct sq_core *core, uint32_t i);
const struct sq_anchor *sq_core_anchor(const struct sq_core *core, const char *name); /* NULL: none */

enum sq_voucher_state {
    SQ_VOUCHER_GRANTED = 1,
    SQ_VOUCHER_ACTIVE,
    SQ_VOUCHER_EXHAUSTED,
    SQ_VOUCHER_EXPIRED,
    SQ_VOUCHER_REVOKED
};
struct sq_voucher_view {
    uint64_t number;
    const char *holder;          /* party name */
    enum sq_voucher_state state; /* expiry as of the last event's time */
    int64_t face_fen, reserved_fen, spent_fen;
    uint32_t until_day;
    int64_t free_fen;              /* what its stages have set free of its face; -1: it has no stages */
    uint32_t stages_free, stopped; /* a bit a stage */
    int64_t back_fen;              /* what was taken back of it, and is not in spent_fen any more */
};
SQ_MUST_CHECK sq_status sq_core_voucher(const struct sq_core *core, uint64_t number, struct sq_voucher_view *out);

/*
 * Parts of bundles that this node's issuers hold for `node` although their time is over: that node has not said yet whether they are spent or
 * released, because it is down or cannot be reached. They stay held until it does.
 */
struct sq_overdue_view {
    uint64_t count, since_ms; /* since_ms: when the time of the first was over */
    int64_t amount_fen;
};
void sq_core_overdue(const struct sq_core *core, uint32_t node, uint64_t now_ms, struct sq_overdue_view *out);

/* In an Outcome's codes: this row waits for the home of its invoice, or for its issuer. No refusal has this number. */
#define SQ_ROW_WAITS 1u

struct sq_core_totals {                                     /* since genesis, at this node */
    uint64_t items_received, items_accepted, items_refused; /* as acquirer */
    uint64_t items_decided;                                 /* as issuer */
    uint64_t batches_waiting;                               /* received, and others are still asked about them */
    uint64_t rejected;                                      /* REJECTED entries */
    uint64_t refused_by_code[256];                          /* items, as acquirer */
};
void sq_core_totals(const struct sq_core *core, struct sq_core_totals *out);
const struct sq_settlement *sq_core_settlement(const struct sq_core *core);

/* ---- snapshot ---- */

/*
 * Everything the core knows. When d->borrows, most of it is not copied: it stays as it was, whatever is stepped meanwhile, until
 * sq_core_dump_done; one such dump at a time.
 */
void sq_core_dump(struct sq_core *core, struct sq_dump *d);
void sq_core_dump_done(struct sq_core *core);
/* Into a new core. On error the core is of no more use. Errors: SQ_E_FORMAT, SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_core_undump(struct sq_core *core, sq_bytes bytes, struct sq_error *err);

#endif
