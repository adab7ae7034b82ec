/*
 * What the core knows. Private to clearing/core; others read through core.h.
 *
 * Rows name each other by number. Whatever is changed together is checked together first:
 *     voucher:   face >= reserved + spent          mandate:  limit >= reserved + spent
 *     programme: pool >= reserved + spent          account:  caps >= used (reserved and spent)
 */
#ifndef SQ_STATE_H
#define SQ_STATE_H

#include <stdlib.h>

#include "clearing/base/table.h"
#include "clearing/base/uscc.h"
#include "clearing/core/core.h"
#include "clearing/core/invoice.h"
#include "clearing/core/limits.h"
#include "clearing/core/witness.h"
#include "clearing/policy/programme.h"
#include "proto/sanquan.pb-c.h"

/* Voucher number: issuer(6) programme(4) serial(9), one decimal number. */
#define SQ_SERIAL_RADIX    1000000000u
#define SQ_PROGRAMME_RADIX 10000u

#define SQ_AMOUNT_MAX_FEN 10000000000000ll   /* 100 billion yuan a row: sums of many batches stay far from int64 */
#define SQ_QUANTITY_MAX   1000000000000000ll /* of tokens or minutes of a card a row */

struct sq_programme {
    uint32_t issuer, number, version, kind;
    uint32_t node;  /* where its issuer is hosted */
    uint32_t terms; /* row of its newest version; older ones hang on it */
    uint32_t stacking, stack_limit_bp;
    int64_t pool_fen;                             /* 0: not stated */
    int64_t granted_fen, reserved_fen, spent_fen; /* pool = available + reserved + spent */
    uint32_t pool_at;    /* 1: what is granted is reserved, until it is spent or its voucher ends */
    uint32_t maturities; /* first, where pool_at is 1 */
    uint32_t first_application, last_application; /* in the order of their numbers, or SQ_ROW_NONE */
    uint64_t applications;                        /* number of the last */
    uint32_t allocation, rivals;
    uint32_t prefunds; /* first, or SQ_ROW_NONE */
    uint32_t padding;
};

struct sq_prefund {
    int64_t advanced_fen, spent_fen; /* spent: since the first advance */
    uint32_t provider, next;
};

/* What one side of an agreement owes its borne share and limits for: vouchers of its own issuers. */
struct sq_recognition_side {
    int64_t exposure_fen;
    uint32_t borne_bp, relaxed; /* SQ_RELAX_LISTS, and a bit an attribute */
};

struct sq_recognition {
    uint8_t hash[SQ_HASH_SIZE];         /* of the terms that were said first, here or there */
    uint8_t entered[SQ_HASH_SIZE];      /* of what waits for its checker */
    struct sq_recognition_side side[2]; /* [0] this node's, [1] the other's */
    int64_t sum_fen[2]
                   [SQ_KIND_COUNT]; /* what was redeemed under it, less returned: [0] of our vouchers, [1] of theirs */
    uint32_t other;                 /* node */
    uint32_t maker;                 /* party that entered what waits; SQ_ROW_NONE */
    uint32_t version, kinds, rate_ceiling_bp, from_day, until_day;
    uint32_t said_here, said_there, same;
};

/* How far a voucher's stages have come. */
struct sq_progress {
    int64_t back_fen;           /* taken back */
    uint32_t terms;             /* row: the version whose stages it follows */
    uint32_t free;              /* a bit a stage */
    uint32_t stopped, last_day; /* last_day: of the grant, or of the newest release */
    uint32_t baselines;         /* first, or SQ_ROW_NONE */
    uint32_t padding;
};

struct sq_application {
    uint64_t number, voucher; /* voucher: 0 until it is granted */
    int64_t asked_fen, approved_fen, contract_fen, quota;
    uint8_t contract[16];
    uint32_t programme, holder, day, side, state;
    uint32_t contract_day, contract_from_day, contract_until_day, documents;
    uint32_t score, grade, verdict; /* verdict: 0 not assessed, 1 eligible, 2 not */
    uint32_t facts, next;
};

/* What is left of a programme's vouchers that end on one day: its reserved amount is the sum over days to come, and what reservations hold. */
struct sq_maturity {
    int64_t left_fen;
    uint32_t until_day, next;
};

/* A refusal lifted for a holder under a programme. */
struct sq_override {
    uint64_t voucher; /* 0: all of the holder's */
    int64_t ceiling;  /* 0: none */
    uint32_t refusal, limit, until_day, next;
};

/* An organisation, whatever roles it plays: its parties "provider:CODE" and "holder:CODE" name it. Lists are newest first. */
struct sq_org {
    char code[SQ_USCC_LENGTH + 1];
    uint8_t padding;
    uint32_t facts, edges, sanctions, accounts; /* first of each, or SQ_ROW_NONE */
};

struct sq_edge {
    uint32_t owner, owned, kind, from_day, until_day; /* organisations */
    uint32_t next_of_owner, next_of_owned;
};

struct sq_sanction {
    uint32_t org, cause, effect, from_day, until_day;
    uint32_t authority; /* party; SQ_ROW_NONE is never one */
    uint32_t next;
};

struct sq_voucher {
    int64_t face_fen, reserved_fen, spent_fen;
    uint32_t holder;  /* party */
    uint32_t account; /* what its holder used under its programme */
    uint32_t mandate; /* first of its mandates, or SQ_ROW_NONE */
    uint32_t until_day;
    uint16_t revoked;
    uint16_t asleep; /* 1: consented to; its first use grants its face */
    uint32_t detail; /* what else its grant said, or SQ_ROW_NONE */
};

struct sq_detail {
    int64_t contract_fen, approved_fen, base_used_fen;
    int64_t quota, quantity_used;
    uint32_t contract_day, contract_days;
    uint32_t facts;        /* first, or SQ_ROW_NONE */
    uint32_t contract_use; /* or SQ_ROW_NONE */
    int64_t free_fen;      /* what its stages have set free of its face; -1: it has none */
    uint32_t progress;     /* or SQ_ROW_NONE */
    uint32_t padding;
};

struct sq_mandate {
    int64_t limit_fen, reserved_fen, spent_fen;
    uint64_t until_ms;
    uint32_t provider; /* party */
    uint32_t next;     /* next mandate on the same voucher, or SQ_ROW_NONE */
};

/* What one holder has used under one programme in one calendar year of service days. */
struct sq_use_of_year {
    int64_t spent_fen, reserved_fen;
    uint32_t year, next; /* next: row in `years`, or SQ_ROW_NONE */
};

/* What one holder has used under one programme. Years other than the first seen hang on that one as a list. */
struct sq_account {
    int64_t used_fen; /* spent and reserved */
    int64_t granted_fen;
    struct sq_use_of_year year;
    uint32_t programme, holder;
    uint32_t org;     /* of the holder */
    uint32_t watched; /* 1: the organisation has edges or sanctions that must be looked at */
    uint32_t next_of_org;
    uint32_t first_day, last_day; /* of what was spent; 0: nothing yet */
    uint32_t overrides;           /* first, or SQ_ROW_NONE */
    uint32_t consented;           /* serial of the voucher that came by consent; 0 none */
    uint32_t held;                /* number + 1 of its row in `held_days`; 0 none */
};

/* Days of parts of bundles that an account holds: they count as spent until the last of them is over. */
struct sq_held_days {
    uint32_t count, first_day, last_day, padding;
};

struct sq_reservation {
    uint64_t number, until_ms;
    struct sq_posting p; /* amount 0: used, released or expired; the number stays taken */
    uint32_t provider;   /* party */
    uint32_t acquirer;   /* node it came from */
    uint32_t delivery;   /* of a part of a bundle: row of the delivery that it holds, or SQ_ROW_NONE */
    uint32_t padding;
};

/* From here on numbers are the acquirers' own, for parts of bundles: this, the batch's entry * 8192, the row. They fit in int64. */
#define SQ_BUNDLE_NUMBERS (1ull << 62)
static inline int sq_is_part(uint64_t reservation)
{
    return reservation >= SQ_BUNDLE_NUMBERS;
}

/* A case about an item: decided at its issuer's node; the provider's node has a copy. */
#define SQ_DISPUTE_NOTE_MAX 199u
struct sq_dispute {
    uint64_t number;                              /* at the issuer's node: 1, 2, 3 ... */
    uint64_t voucher, opened_ms, since_ms, entry; /* since, entry: of the newest step */
    int64_t amount_fen;                           /* what is to come back */
    int64_t returned_fen;                         /* what its provider has returned of it since it was opened */
    int64_t taken_fen;
    uint32_t node, acquirer, provider; /* issuer's node, provider's node, party */
    uint32_t service_day, scenario, reason, state, deadline_day;
    uint32_t charged; /* 1: it was charged back, so it was the only one */
    uint8_t invoice[SQ_INVOICE_CELL], padding[2];
    uint8_t evidence[16]; /* of the newest step; zeros: none */
    char note[SQ_DISPUTE_NOTE_MAX + 1];
};

/* A day that is not as its weekday says. */
struct sq_calendar_day {
    uint32_t day, works;
};

/* A DECIDED that was refused as LINK_BROKEN (broken.c). */
struct sq_broken {
    uint64_t entry, batch; /* entry: of this ledger */
    uint32_t from, first_row, verb, size;
    uint8_t *body; /* its canonical bytes */
};

struct sq_core {
    int (*key_ok)(const uint8_t key[static 32]);
    sq_signature_check signed_by;
    sq_ed25519_verify note_check;
    uint64_t now_ms, seq;
    uint32_t today;
    uint8_t network_id[32];
    int born; /* GENESIS was seen */
    uint32_t self;

    struct sq_table nodes, parties, programmes, terms;
    struct sq_table orgs, facts, edges, sanctions, details;
    struct sq_index org_index;
    struct sq_table hosted; /* struct sq_hosted: issuer code -> node */
    struct sq_index party_index, programme_index;
    struct sq_index transport_index; /* transport key -> party; one key, one name */

    struct sq_table *vouchers; /* one table a programme, row = serial - 1 */
    uint32_t voucher_tables;
    struct sq_table mandates, accounts, years, maturities, overrides, applications, prefunds, progress, recognitions;
    struct sq_index account_index;
    struct sq_counts counts;

    struct sq_table reservations, reservation_heap, held_days;
    struct sq_index reservation_index;
    uint64_t parts_held; /* of bundles; not part of the state */

    struct sq_table disputes, calendar;
    struct sq_table anchors;
    struct sq_table witnesses, own_log;        /* a row a node, one row; both empty in a network without witnesses */
    struct sq_index dispute_index, item_index; /* by node and number; by item */
    uint64_t disputes_opened;                  /* here: number of the last */
    uint64_t dispute_next_ms;                  /* no deadline ends earlier; not part of the state */

    struct sq_invoices invoices;
    struct sq_waiting *waiting;
    uint32_t waiting_count, waiting_capacity;
    uint64_t bundles_next_ms; /* the least `until_ms` of those that wait; UINT64_MAX: none; not part of the state */
    struct sq_table broken;   /* struct sq_broken, in the order they came */
    uint64_t *peer_next;      /* per node */

    struct sq_core_totals totals;
    struct sq_settlement *settlement;

    struct { /* not part of the state: whom to tell why a row came out as it did */
        uint64_t batch;
        uint32_t acquirer, row;
        struct sq_explain *out;
    } watch;
};

struct sq_hosted {
    uint32_t issuer, node;
};

/* One message being decided. */
struct sq_step {
    struct sq_core *core;
    struct sq_effects *fx;
    struct sq_wire_memory memory;
    uint32_t party; /* sender */
    sq_bytes whole; /* the message as it was signed */
    uint64_t id;
    struct sq_error *err; /* our own failures */
    struct sq_error why;  /* why the sender is refused */
    uint8_t *code;        /* a byte a row, for the outcome */
    size_t code_count;
    uint64_t link;    /* a kept decision that counts: its number */
    uint32_t *row;    /* bundles: the rows that the codes are of; NULL: all */
    uint32_t *clawed; /* codes of nodes that owe something back since this step */
    size_t clawed_count;
    struct sq_taken *taken; /* as effects have them */
    uint64_t reserve_until_ms;
};

/* ---- parties.c ---- */
uint32_t sq_party_find(const struct sq_core *core, const char *name);
/* Find, or add a party that is only known by name (node: where it is at home). Errors: SQ_E_NOMEM, SQ_E_FULL. */
SQ_MUST_CHECK sq_status sq_party_intern(struct sq_core *core, const char *role, const char *code, uint32_t node,
                                        uint32_t *out, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_genesis_apply(struct sq_core *core, sq_bytes body, struct sq_step *s);
sq_status sq_on_enrol(struct sq_step *s, const Sanquan__V1__Enrol *m);
uint32_t sq_node_of_code(const struct sq_core *core, const char *code);
uint32_t sq_node_of_issuer(const struct sq_core *core, uint32_t issuer);
/* The node where an invoice is registered: that of its province, else the first node of the directory. */
uint32_t sq_node_of_invoice(const struct sq_core *core, const struct sq_invoice_key *key);
static inline struct sq_party *sq_party_at(const struct sq_core *core, uint32_t n)
{
    return SQ_ROW(&core->parties, struct sq_party, n);
}
static inline struct sq_node *sq_node_at(const struct sq_core *core, uint32_t n)
{
    return SQ_ROW(&core->nodes, struct sq_node, n);
}
/* What follows "role:". */
const char *sq_party_code(const struct sq_party *p);

/* ---- orgs.c: organisations, what is known of them, who controls whom, sanctions ---- */
SQ_MUST_CHECK sq_status sq_orgs_reserve(struct sq_core *core, uint32_t more, struct sq_error *err);
/* Find or add; room must be reserved. */
uint32_t sq_org_intern(struct sq_core *core, const char *uscc);
uint32_t sq_org_find(const struct sq_core *core, const char *uscc);
static inline struct sq_org *sq_org_at(const struct sq_core *core, uint32_t n)
{
    return SQ_ROW(&core->orgs, struct sq_org, n);
}
struct sq_facts sq_org_facts(const struct sq_core *core, uint32_t org);
sq_status sq_on_facts(struct sq_step *s, const Sanquan__V1__Facts *m);
sq_status sq_on_edges(struct sq_step *s, const Sanquan__V1__Edges *m);
sq_status sq_on_sanction(struct sq_step *s, const Sanquan__V1__Sanction *m);
sq_status sq_on_sanction_notice(struct sq_step *s, uint32_t from, const Sanquan__V1__Sanction *m);
/* Is a sanction with this effect or a stronger one in force on the day? */
int sq_org_sanctioned(const struct sq_core *core, uint32_t org, uint32_t effect, uint32_t day);
/* Was one of the causes (bits; 0 all) in force on a day from `since` to `day`? */
int sq_org_was_sanctioned(const struct sq_core *core, uint32_t org, uint32_t causes, uint32_t since, uint32_t day);
/* Are the two joined by at most so many edges in force on the day? */
int sq_org_related(const struct sq_core *core, uint32_t a, uint32_t b, uint32_t hops, uint32_t day);

/* The organisation that controls this one in the end, on the day; itself when none does. */
uint32_t sq_org_root(const struct sq_core *core, uint32_t org, uint32_t day);

/* ---- programmes.c ---- */
uint32_t sq_programme_find(const struct sq_core *core, uint32_t issuer, uint32_t number);
static inline const struct sq_terms *sq_terms_at(const struct sq_core *core, uint32_t n)
{
    return SQ_ROW(&core->terms, struct sq_terms, n);
}
/* The newest version whose days hold this one; NULL when none does. */
const struct sq_terms *sq_terms_of_day(const struct sq_core *core, const struct sq_programme *p, uint32_t day);
static inline struct sq_programme *sq_programme_at(const struct sq_core *core, uint32_t n)
{
    return SQ_ROW(&core->programmes, struct sq_programme, n);
}
sq_status sq_on_programme(struct sq_step *s, const Sanquan__V1__Programme *m);
sq_status sq_on_programme_notice(struct sq_step *s, uint32_t from, const Sanquan__V1__Programme *m);
/* Does the sender act for this issuer, and is the issuer hosted here? */
sq_status sq_check_authority(struct sq_step *s, uint32_t issuer);
/* Room for vouchers that end on so many days not yet seen. */
SQ_MUST_CHECK sq_status sq_maturities_reserve(struct sq_core *core, uint32_t days, struct sq_error *err);
/* Where pool_at is 1: what is left of vouchers that end on a day changes, and the programme's reserved amount with it. */
void sq_maturity_move(struct sq_core *core, struct sq_programme *p, uint32_t until_day, int64_t fen);
/* A new day has begun: what is left of vouchers that have ended goes back to the pool. */
void sq_maturities_end(struct sq_core *core);

/* ---- grants.c: vouchers, mandates ---- */
uint32_t sq_account_find(const struct sq_core *core, uint32_t programme, uint32_t holder);
/* Room must be reserved: sq_accounts_reserve. */
uint32_t sq_account_intern(struct sq_core *core, uint32_t programme, uint32_t holder);
SQ_MUST_CHECK sq_status sq_accounts_reserve(struct sq_core *core, uint32_t more, struct sq_error *err);
/* ---- vouchers.c: granting one, taking it back, revoking it ---- */
struct sq_wish {
    uint32_t holder; /* party */
    uint32_t until_day, documents;
    int64_t face_fen, contract_fen, approved_fen, quota;
    uint32_t contract_day, contract_from_day, contract_until_day; /* 0: not stated */
    uint8_t contract[16];                                         /* zeros: none */
    struct sq_declared facts;
};
/* Room for so many vouchers with so many facts in all. */
SQ_MUST_CHECK sq_status sq_vouchers_reserve(struct sq_core *core, uint32_t programme, uint32_t rows, uint32_t facts,
                                            struct sq_error *err);
/* The next voucher of the programme, judged by the terms in force today. Room must be reserved. A refusal (named in why) grants nothing. */
sq_status sq_voucher_grant(struct sq_core *core, uint32_t programme, const struct sq_wish *w, struct sq_error *why);
/* A voucher that its holder has consented to. Room must be reserved; returns its serial. */
uint32_t sq_voucher_sleep(struct sq_core *core, uint32_t programme, uint32_t holder, uint32_t until_day);
/* May it be granted by its first use now? Changes nothing; *face_fen is what it would be worth. Returns 1 when the verdict is final. */
int sq_voucher_may_wake(struct sq_core *core, uint32_t programme, const struct sq_voucher *v,
                        struct sq_verdict *verdict, int64_t *face_fen);
/* It is granted. Room must be reserved. */
void sq_voucher_wake(struct sq_core *core, uint32_t programme, struct sq_voucher *v);
/* The newest voucher of the programme, granted in this step with this wish, is gone as if it had never been. */
void sq_voucher_take_back(struct sq_core *core, uint32_t programme, const struct sq_wish *w);
/* The most that a wish may be granted by what was contracted or approved, or as a lump sum; INT64_MAX where neither says. */
int64_t sq_voucher_most(const struct sq_core *core, uint32_t programme, const struct sq_wish *w);
void sq_voucher_revoke(struct sq_core *core, uint32_t programme, struct sq_voucher *v);

sq_status sq_on_grant(struct sq_step *s, const Sanquan__V1__Grant *m);
sq_status sq_on_mandate(struct sq_step *s, const Sanquan__V1__Mandate *m);
sq_status sq_on_consent(struct sq_step *s, const Sanquan__V1__Consent *m);
sq_status sq_on_revoke(struct sq_step *s, const Sanquan__V1__Revoke *m);
/* Programme number of a voucher, or SQ_ROW_NONE. */
uint32_t sq_programme_of_voucher(const struct sq_core *core, uint64_t voucher);
/* NULL when its serial was never granted here. */
struct sq_voucher *sq_voucher_find(const struct sq_core *core, uint64_t voucher, uint32_t *programme_out);

/* Neither revoked nor ended. */
static inline int sq_voucher_alive(const struct sq_core *core, const struct sq_voucher *v)
{
    return !v->revoked && core->today <= v->until_day;
}

/* ---- claims.c: applications and allocation ---- */
sq_status sq_on_apply(struct sq_step *s, const Sanquan__V1__Apply *m);
sq_status sq_on_assess(struct sq_step *s, const Sanquan__V1__Assess *m);
sq_status sq_on_allocate(struct sq_step *s, const Sanquan__V1__Allocate *m);

/* ---- prefund.c ---- */
struct sq_prefund *sq_prefund_find(const struct sq_core *core, const struct sq_programme *p, uint32_t provider);
/* Of what was redeemed since the first advance, paid by it. */
int64_t sq_prefund_drawn(const struct sq_prefund *f);
sq_status sq_on_prefund(struct sq_step *s, const Sanquan__V1__Prefund *m);

/* ---- outcome.c: stages ---- */
/* Which are free from the grant on; what that is of a face. */
uint32_t sq_stages_at_grant(const struct sq_terms *t);
int64_t sq_stages_free_fen(const struct sq_terms *t, uint32_t free, int64_t face_fen);
sq_status sq_on_measure(struct sq_step *s, const Sanquan__V1__Measure *m);
sq_status sq_on_clawback(struct sq_step *s, uint32_t from, const Sanquan__V1__Clawback *m);
/* Identifies what is taken back, for the link stream: SHA-256 of be64 voucher, then code(18) and be64 amount of each provider. */
sq_status sq_clawback_hash(uint64_t voucher, char *const *provider, const int64_t *fen, size_t count,
                           struct sq_arena *arena, uint8_t out[static SQ_HASH_SIZE], struct sq_error *err);

/* ---- recognition.c: agreements between regions ---- */
sq_status sq_on_agree(struct sq_step *s, const Sanquan__V1__Agree *m);
sq_status sq_on_agreed(struct sq_step *s, uint32_t from, const Sanquan__V1__Agreement *m);
/* The newest in force that has begun; NULL: there is none, or its last day is over. */
struct sq_recognition *sq_recognition_in_force(const struct sq_core *core, uint32_t other, uint32_t day);
/* A sum more under it: of what we owe, or are owed, the creditor bears so much itself. */
void sq_recognition_bear(struct sq_recognition *a, int we_owe, const int64_t gross_fen[static SQ_KIND_COUNT],
                         int64_t borne_fen[static SQ_KIND_COUNT]);
/* Debtor: takes what the creditor bears off the step, whose totals are gross until then, and says so in the link. */
sq_status sq_link_bear(struct sq_step *s, uint32_t creditor, uint32_t day, struct sq_link_step *step,
                       Sanquan__V1__Link *link);
/* Creditor: is what the link says it bears right? Takes it off the step. Changes nothing else; sq_link_take_borne does, afterwards. */
sq_status sq_link_check_borne(struct sq_step *s, uint32_t debtor, const Sanquan__V1__Link *link,
                              struct sq_link_step *step);
void sq_link_take_borne(struct sq_core *core, uint32_t debtor, const Sanquan__V1__Link *link,
                        const int64_t gross_fen[static SQ_KIND_COUNT]);
/* Of what a provider was paid, so much is owed back by its region. */
struct sq_claw {
    uint32_t provider; /* party */
    int64_t fen;
    struct sq_mandate *mandate;
};
/* The claws of providers at home at `node` become a step of the link to it; a foreign node is told. */
SQ_MUST_CHECK sq_status sq_owe_back(struct sq_step *s, uint64_t voucher, uint32_t node, const struct sq_claw *claws,
                                    uint32_t count);

/* ---- calendar.c: working days ---- */
sq_status sq_on_calendar(struct sq_step *s, const Sanquan__V1__Calendar *m);
/* The count-th working day after this one. */
uint32_t sq_workday_after(const struct sq_core *core, uint32_t day, uint32_t count);

/* ---- disputes.c ---- */
sq_status sq_on_dispute(struct sq_step *s, const Sanquan__V1__Dispute *m);
sq_status sq_on_dispute_reply(struct sq_step *s, uint32_t from, const Sanquan__V1__Dispute *m);
sq_status sq_on_dispute_notice(struct sq_step *s, uint32_t from, const Sanquan__V1__DisputeNotice *m);
/* Deadlines that have passed; a great many of them take several steps. */
sq_status sq_disputes_expire(struct sq_step *s);
/* The provider has returned so much of this item by itself. */
void sq_dispute_returned(struct sq_core *core, uint32_t provider, uint64_t voucher,
                         const uint8_t invoice[static SQ_INVOICE_CELL], int64_t fen);
/* Has a case taken something of this item back? */
int sq_dispute_took(const struct sq_core *core, uint32_t provider, uint64_t voucher,
                    const uint8_t invoice[static SQ_INVOICE_CELL]);
/* After a snapshot was read: what is not in it. */
void sq_disputes_recount(struct sq_core *core);

/* ---- anchor.c ---- */
sq_status sq_on_anchor(struct sq_step *s, sq_bytes body);

/* ---- witness.c ---- */
SQ_MUST_CHECK sq_status sq_witness_begin(struct sq_core *core, const Sanquan__V1__Genesis *g, struct sq_error *err);
/* Entry `seq` was of this type: something to show to witnesses? */
void sq_witness_note_work(struct sq_core *core, uint32_t type, uint64_t seq);
sq_status sq_on_checkpoint(struct sq_step *s, uint32_t from, const Sanquan__V1__Checkpoint *m);
sq_status sq_on_cosigned(struct sq_step *s, uint32_t from, const Sanquan__V1__Cosigned *m);
sq_status sq_on_sighting(struct sq_step *s, uint32_t from, const Sanquan__V1__Sighting *m);
sq_status sq_on_shown(struct sq_step *s, sq_bytes body);

/* ---- reversal.c: credit notes ---- */
sq_status sq_on_reverse(struct sq_step *s, const Sanquan__V1__Reverse *m);
sq_status sq_on_reversed(struct sq_step *s, uint32_t from, const Sanquan__V1__Reverse *m);

/* ---- relations.c: how programmes stand to each other, and what an office has lifted ---- */
int sq_relations_check(const struct sq_core *core, const struct sq_terms *terms, const struct sq_posting *p,
                       uint32_t holder, enum sq_case_step step, const struct sq_entitlement *e, struct sq_verdict *v);
/* The context of sq_verdict.waived. */
struct sq_waiver {
    const struct sq_core *core;
    const struct sq_terms *terms;
    uint32_t first; /* override */
    uint32_t day;
    uint64_t voucher;
};
int sq_override_lifts(const void *waiver, unsigned status, unsigned index, int64_t asked, int64_t used);
sq_status sq_on_override(struct sq_step *s, const Sanquan__V1__Override *m);
/* What an account used in a year; NULL when nothing was yet. With add, room must be reserved. */
struct sq_use_of_year *sq_year_used(struct sq_core *core, struct sq_account *a, uint32_t year, int add);

/* ---- reservations.c ---- */
struct sq_reservation *sq_reservation_find(const struct sq_core *core, uint32_t provider, uint64_t number);
/* Room must be reserved; the number must be free. */
void sq_reservation_add(struct sq_core *core, const struct sq_reservation *r);
/* Takes ended ones off, calling `release` for those that still hold something. */
void sq_reservations_expire(struct sq_core *core, void (*release)(struct sq_core *core, struct sq_reservation *r));
uint64_t sq_reservations_next_ms(const struct sq_core *core);
void sq_decide_expire(struct sq_core *core);
/* After a snapshot was read: what is not in it. */
void sq_reservations_recount(struct sq_core *core);

/* ---- redeem.c: the acquirer's side; home.c: the invoice home's; issue.c: the issuer's ---- */
/* Are these rows of a batch, ascending? */
static inline int sq_rows_ascend(const uint32_t *row, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (row[k] >= SQ_BATCH_ROWS_MAX || (k != 0 && row[k] <= row[k - 1]))
            return 0;
    return 1;
}
sq_status sq_on_batch(struct sq_step *s, sq_bytes body, const Sanquan__V1__Batch *m);
sq_status sq_on_registered(struct sq_step *s, uint32_t from, const Sanquan__V1__Registered *m);
sq_status sq_on_decided(struct sq_step *s, uint32_t from, const Sanquan__V1__Decided *m, sq_bytes body);
sq_status sq_on_clear(struct sq_step *s, uint32_t from, const Sanquan__V1__Clear *m);
sq_status sq_on_register(struct sq_step *s, uint32_t from, const Sanquan__V1__Register *m);
/* What the register says of a claim that it has looked at, for one who asks: what it was refused with, then base and total. */
void sq_invoice_explain(const struct sq_core *core, struct sq_explain *x, const struct sq_invoice_claim *c,
                        unsigned refused);
sq_status sq_on_unregister(struct sq_step *s, uint32_t from, const Sanquan__V1__Unregister *m);
static inline int sq_verb_claims(uint8_t verb)
{
    return verb == SANQUAN__V1__VERB__REDEEM || verb == SANQUAN__V1__VERB__COMMIT;
}
/* ---- bundle.c ---- */
/* A TICK: those of this batch that are not decided are refused, if their time is over. */
sq_status sq_bundles_expire(struct sq_step *s, uint64_t batch);
/* broken.c: the first kept decision that people have made an end to; NULL. And its rows get their outcome. */
const struct sq_broken *sq_broken_due(const struct sq_core *core);
sq_status sq_broken_end(struct sq_step *s, uint64_t entry);
void sq_broken_free(struct sq_core *core);
void sq_broken_dump(const struct sq_core *core, struct sq_dump *d);
SQ_MUST_CHECK sq_status sq_broken_undump(struct sq_core *core, struct sq_reader *r, struct sq_error *err);

/* ---- redeem.c, issue.c ---- */
/* How a row that touched the register of invoices ended, as Unregister.end has it. */
enum sq_row_end { SQ_END_NONE, SQ_END_CLAIM_REFUSED, SQ_END_RETURN_ACCEPTED, SQ_END_RETURN_REFUSED };
/* Tell the register of this node. SQ_E_NOMEM: it is of no more use. */
SQ_MUST_CHECK sq_status sq_register_end(struct sq_core *core, const struct sq_invoice_claim *c, enum sq_row_end end);
struct sq_rows;
struct sq_invoice_claim sq_claim_of_row(const struct sq_core *core, uint32_t provider, const struct sq_rows *r,
                                        size_t i);
/* Identifies what was decided, for the link stream: SHA-256 of rows (be32 each), then codes. */
sq_status sq_result_hash(const uint32_t *row, const uint8_t *code, size_t count, struct sq_arena *arena,
                         uint8_t out[static SQ_HASH_SIZE], struct sq_error *err);

/* ---- core.c ---- */
/* Refuse the whole message: fills s->why; returns the refusal. */
sq_status sq_refuse(struct sq_step *s, sq_status refusal, const char *format, ...) SQ_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* as with sq_fail */
#define sq_refuse(s, refusal, ...) ((void)sq_refuse(s, refusal, __VA_ARGS__), (refusal))
#endif
/* Answer a client's message: kept for repeats. */
sq_status sq_answer(struct sq_step *s, uint32_t party, Sanquan__V1__Answer *answer);
/* The same for a message of `count` rows that was accepted whole. */
sq_status sq_answer_accepted(struct sq_step *s, size_t count);
/* The bytes of codes when one is not 0, else none. */
ProtobufCBinaryData sq_codes(const uint8_t *code, size_t count);
/* Column memory of the step; a full arena is SQ_E_FULL. */
#define SQ_COLUMN(s, pointer, count)                                                                                   \
    (((pointer) = sq_arena_take((s)->fx->arena, (count) * sizeof *(pointer) + 1)) == NULL)
sq_status sq_full(struct sq_step *s);

#endif
