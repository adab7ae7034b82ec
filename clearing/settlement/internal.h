/* Shared by the files of this folder only. */
#ifndef SQ_SETTLEMENT_INTERNAL_H
#define SQ_SETTLEMENT_INTERNAL_H

#include "clearing/settlement/agreement.h"
#include "clearing/settlement/settlement.h"
#include "proto/sanquan.pb-c.h"

/* How far a stream has come, summed up since the first link number. */
struct sq_fold {
    uint64_t number, count;
    uint8_t hash[SQ_HASH_SIZE];
    int64_t total_fen[SQ_KIND_COUNT];
};

/*
 * One number of a link that is not settled yet, for finding where two sides part. 40 bytes: windows may hold millions. The journal has the
 * whole of it, but the core reads no journal, and a peer must be answered in the step that hears it.
 */
struct sq_link_entry {
    uint8_t hash[SQ_LINK_HASH_PREFIX];
    uint64_t batch;
    uint32_t count, kind; /* kind 0: of several kinds, or of none; total_fen is a row of `mixed` */
    int64_t total_fen;
};
struct sq_mixed {
    int64_t total_fen[SQ_KIND_COUNT];
};

/* What the debtor of a link may come to owe on it, net. */
struct sq_cap {
    int64_t cap_fen, wanted_fen; /* wanted: what the maker has entered */
    uint32_t set, wanted_set;    /* 0: no cap */
    uint32_t alarm_bp, wanted_alarm_bp;
    uint32_t maker, padding; /* party; SQ_ROW_NONE: nothing waits for a checker */
};

struct sq_link {
    struct sq_fold now, settled; /* settled: as of the last number that a final settlement covers, less what it left */
    int64_t carried_fen[SQ_KIND_COUNT]; /* left by final settlements: below settled.number and still owed */
    uint64_t first;                     /* number of entries row 0; first + entries.count == now.number + 1 */
    uint64_t adopt;                     /* the debtor's next statement is taken as it is */
    uint64_t taken_at, taken_first,
        taken_last; /* it was, in that entry; numbers of it that no kept decision has used up */
    struct sq_cap cap;
    int64_t held_fen[SQ_KIND_COUNT]; /* reserved for the creditor's providers and not spent */
    struct sq_table entries, mixed;
};

/* One row of somebody's statement. */
struct sq_stated {
    uint32_t present, padding;
    uint64_t first, last, count;
    uint8_t hash[SQ_HASH_SIZE];
    int64_t total_fen[SQ_KIND_COUNT], carried_fen[SQ_KIND_COUNT]; /* carried: of the total, from earlier windows */
};

/* What a node says in its statement of a window beside the rows. */
struct sq_closing {
    int64_t funds_fen[SQ_KIND_COUNT];
    uint32_t present, kinds;
};
#define SQ_KINDS_END   (2u << SQ_KIND_COUNT) /* sets of kinds, a bit 1 << kind each, are below this */
#define SQ_KINDS_ASKED 1u                    /* in cut_kinds: an operator or the clock of this node has said so */

/* This node's region's money at the settlement bank. */
struct sq_money_account {
    int64_t balance_fen[SQ_KIND_COUNT], committed_fen[SQ_KIND_COUNT];
    int64_t wanted_fen;          /* what the maker has entered */
    uint32_t wanted_kind, maker; /* SQ_ROW_NONE: nothing waits for a checker */
    char wanted_reference[SQ_ACCOUNT_REFERENCE_MAX + 1];
};

struct sq_region {
    uint64_t since_window, wanted_unpaid;
    int64_t guarantee_fen;
    uint32_t standing, wanted; /* wanted: entered here by `maker` */
    uint32_t maker, padding;   /* SQ_ROW_NONE: nothing waits for a checker */
};

struct sq_change {   /* of a region's standing */
    uint64_t unpaid; /* final window that it has not paid for; 0 none */
    uint32_t node, standing;
};

struct sq_support { /* node `by` wants this */
    struct sq_change change;
    uint32_t by, padding;
};

struct sq_default {
    uint64_t window, declared; /* not paid; in whose value that was agreed on */
    uint32_t node, padding;
};

#define SQ_FUND_OF 0x80000000u /* payer: the guarantee fund of node payer - SQ_FUND_OF */
struct sq_loss {               /* a payment made instead of one that was not */
    uint32_t kind, payer;
    char payee[8];
    int64_t amount_fen;
};
struct sq_losses {
    struct sq_table rows; /* struct sq_loss */
    int64_t *fund_used;   /* [node] */
};

struct sq_blob { /* bytes with an owner */
    uint8_t *data;
    size_t size;
};

#define SQ_PART_SIZE 524288u /* of a settlement's bytes; a message holds one */
#define SQ_PARTS_MAX (SQ_SETTLEMENT_SIZE_MAX / SQ_PART_SIZE)

struct sq_parts { /* a settlement's bytes, part by part */
    uint64_t size;
    uint32_t count, padding;
    uint8_t hash[SQ_PARTS_MAX][SQ_HASH_SIZE];
};

/*
 * A proposed Settlement. What is proposed says how to make it (`recipe`, a canonical Proposal); its bytes are here when they were made
 * from what was stated here, which makes it valid, or fetched.
 */
struct sq_value {
    uint8_t hash[SQ_HASH_SIZE];
    struct sq_blob bytes, recipe;
    uint64_t tried; /* what was heard when it could not be made last */
    uint32_t valid;
    uint32_t proposer;
};

struct sq_fetch { /* of a settlement whose bytes are needed here and not known */
    uint8_t hash[SQ_HASH_SIZE];
    struct sq_parts parts; /* count 0: no part has come yet */
    uint8_t have[SQ_PARTS_MAX];
    struct sq_blob data;
    uint64_t late_ms; /* when another voter is asked */
    uint32_t asked, padding;
};

struct sq_told { /* parts of a settlement that this node was sent */
    uint32_t node, padding;
    uint8_t hash[SQ_HASH_SIZE], parts[SQ_PARTS_MAX / 8];
};
#define SQ_TOLD_MAX 4u /* settlements of one window that a node gets when it asks for them */

#define SQ_LETTER_SIZE_MAX 384u /* a vote's envelope has at most 305 bytes */

struct sq_letter {                    /* a vote for a value as it was signed */
    uint32_t node, round, step, size; /* step as on the wire */
    uint8_t value[SQ_HASH_SIZE];
    uint8_t bytes[SQ_LETTER_SIZE_MAX];
};
/* A STATEMENT or COUNTERSTATEMENT as it was signed (said.c). */
struct sq_said {
    uint32_t node, counter;     /* counter: 1 a counterstatement */
    uint64_t entry;             /* of the journal: in which it was first heard */
    uint64_t at, size;          /* the envelope in said_bytes; size 0: nobody signed it */
    uint8_t hash[SQ_HASH_SIZE]; /* of the body: the same to all, where the envelope names its receiver */
};

enum { SQ_VOTE_PREVOTE = 1, SQ_VOTE_PRECOMMIT = 2 };

#define SQ_VALUES_MAX 16u /* values kept of a window: one a proposer, and more while there is room */

struct sq_window {
    uint64_t number, opened_ms, cut_ms, final_ms, settled_ms;
    uint32_t state; /* enum sq_window_state */
    uint32_t maker; /* party number that entered the confirmation */
    uint32_t statements, counterstatements, countered, lateness;
    uint32_t reviewing,
        kinds;        /* reviewing: STATED, and the agreement has not begun; kinds: it is cut for these here; 0: all */
    uint64_t late_ms; /* when waiting ends; 0: no more */
    struct sq_agreement agreement;
    struct sq_stated *debtor,
        *creditor;              /* [debtor * n + creditor]: as the debtor, as the creditor has it; freed when final.
                                            [node * n + node]: present when the node has stated, has counterstated */
    struct sq_fold *heard;      /* [debtor]: our fold when its statement came */
    struct sq_closing *closing; /* [node] */
    struct sq_value value[SQ_VALUES_MAX]; /* values proposed and still undecided */
    uint32_t value_count;
    struct sq_fetch *fetch;      /* NULL: nothing is being fetched */
    struct sq_table letters;     /* struct sq_letter; freed some time after finality */
    struct sq_table told;        /* struct sq_told */
    uint32_t compared, padding2; /* compared: for how strong a reason all were told what has been heard of statements */
    struct sq_table said, said_bytes, shown; /* struct sq_said, uint8_t; uint8_t [node]: how often it was shown some */
    struct sq_blob decided;                  /* canonical Settlement, when final */
};

struct sq_settlement {
    uint32_t n, self, round_timeout_ms;
    enum sq_netting_method method;
    char (*codes)[7];
    struct sq_link *owes, *owed; /* [node]: this node to it, it to this node */
    struct sq_window **windows;  /* [0] is window 1 */
    uint32_t window_count, window_capacity;
    uint64_t open, deciding;        /* deciding: the cut window that is not final, or 0 */
    uint64_t cut_wanted, cut_kinds; /* a cut of the open window waits for finality, for these kinds */
    uint64_t news; /* statements and wishes heard since the start: a value that could not be made is tried again */
    uint64_t relaying, relay_ms; /* the final window whose precommits are still waited for, until then; 0: none */
    struct sq_table breaks;      /* struct sq_break */
    struct sq_table doubles;     /* struct sq_double_statement */
    struct sq_charter charter;
    struct sq_money_account account;
    struct sq_region *regions;        /* [node] */
    struct sq_table wishes, defaults; /* struct sq_support, struct sq_default */
};

#define SQ_EMPTY_ROUND                                                                                                 \
    16u /* from this round on, and when everyone has had a turn, nothing but the empty settlement is proposed anew */
#define SQ_WINDOWS_AHEAD 4u /* windows after the open one of which messages are kept */

/* statements.c */
struct sq_statement_rows { /* of a STATEMENT or COUNTERSTATEMENT */
    uint64_t window;
    size_t count;
    Sanquan__V1__StatementRow **rows;
    struct sq_closing closing; /* not present: not in form */
};
/* Empty for messages of other types. */
struct sq_statement_rows sq_rows_stated(uint32_t type, const ProtobufCMessage *m);
/* Peers known and ascending, never `from`; hashes, totals and numbers in form. */
int sq_rows_usable(const struct sq_settlement *s, uint32_t from, const struct sq_statement_rows *stated);
/* Our rows of the window, as debtor or as creditor, to everyone. */
SQ_MUST_CHECK sq_status sq_statement_send(struct sq_settlement *s, const struct sq_window *w, int as_debtor,
                                          struct sq_effects *fx, struct sq_error *err);
/* 1: the node has not spoken before; from now on it has. `matrix` is debtor or creditor of the window. */
int sq_first_time(const struct sq_settlement *s, struct sq_stated *matrix, uint32_t from);
/* Another debtor's rows, which are usable: all, only what it owes this node, or only what it owes others. */
enum sq_take { SQ_TAKE_ALL, SQ_TAKE_OWN, SQ_TAKE_OTHERS };
void sq_statement_take(struct sq_settlement *s, struct sq_window *w, uint32_t from,
                       const struct sq_statement_rows *stated, enum sq_take which);
/* Another creditor's, if it has not spoken before. */
SQ_MUST_CHECK sq_status sq_counterstatement_take(struct sq_settlement *s, struct sq_window *w, uint32_t from,
                                                 const struct sq_statement_rows *stated, uint64_t now_ms,
                                                 struct sq_effects *fx, struct sq_error *err);

/* What this node says when it closes the window. */
void sq_closing_own(const struct sq_settlement *s, struct sq_window *w);
/* For which kinds the window is closed: as was asked for here, or else as the first other node says. */
uint32_t sq_closing_kinds(const struct sq_settlement *s, const struct sq_window *w);

/* said.c */
enum sq_said_news {
    SQ_SAID_FIRST,
    SQ_SAID_AGAIN,
    SQ_SAID_OTHER
}; /* OTHER: it has signed two, which is kept and told */
/* Heard from whomever; `whole` is its envelope. l->at and l->size are ignored. */
SQ_MUST_CHECK sq_status sq_said_hear(struct sq_settlement *s, struct sq_window *w, const struct sq_said *l,
                                     sq_bytes whole, enum sq_said_news *news, struct sq_effects *fx,
                                     struct sq_error *err);
/* Has the node signed two different statements of one kind for this window? */
int sq_said_two(const struct sq_settlement *s, uint64_t window, uint32_t node);
/* Tell all what this node has heard, if there is more reason for it than there was: twice a window at most. */
SQ_MUST_CHECK sq_status sq_said_tell(struct sq_settlement *s, struct sq_window *w, struct sq_effects *fx,
                                     struct sq_error *err);
/* `from` tells what it has heard. Errors: SQ_R_COLUMNS. */
SQ_MUST_CHECK sq_status sq_said_compare(struct sq_settlement *s, struct sq_window *w, uint32_t from, sq_bytes heard,
                                        struct sq_effects *fx, struct sq_error *err);
/* Somebody brings a letter; one that proves nothing is passed over. */
SQ_MUST_CHECK sq_status sq_said_read(struct sq_settlement *s, struct sq_window *w, const struct sq_post *post,
                                     sq_bytes bytes, uint64_t now_ms, struct sq_effects *fx, struct sq_error *err);

/* relay.c */
SQ_MUST_CHECK sq_status sq_letter_keep(struct sq_window *w, uint32_t from, const Sanquan__V1__Vote *m, sq_bytes whole,
                                       struct sq_error *err);
/* Tell everyone whose votes of this round and step for this value are here. step as on the wire. */
SQ_MUST_CHECK sq_status sq_relay_votes(const struct sq_window *w, uint32_t round, uint32_t step,
                                       const uint8_t value[static SQ_HASH_SIZE], struct sq_effects *fx,
                                       struct sq_error *err);
/* A window has become final: its certificate is told after a while, or at the next finality, unless everyone has it. */
SQ_MUST_CHECK sq_status sq_relay_begin(struct sq_settlement *s, const struct sq_window *w, uint64_t now_ms,
                                       struct sq_effects *fx, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_relay_end(struct sq_settlement *s, struct sq_effects *fx, struct sq_error *err);
/* Errors: SQ_R_COLUMNS. Letters that prove nothing are passed over. */
SQ_MUST_CHECK sq_status sq_relay_read(struct sq_settlement *s, struct sq_window *w, const struct sq_agreement_host *h,
                                      const struct sq_post *post, uint32_t from, const Sanquan__V1__Relay *m,
                                      uint64_t now_ms, struct sq_effects *fx, struct sq_error *err);

/* parts.c */
void sq_parts_of(sq_bytes value, struct sq_parts *out);
/* 0: they are not the parts of anything. */
int sq_parts_read(uint64_t size, const ProtobufCBinaryData *hashes, size_t count, struct sq_parts *out);
void sq_parts_hash(const struct sq_parts *p, uint8_t out[static SQ_HASH_SIZE]);
/* Get the bytes of the settlement with this hash from those who voted for it, one after another; already under way: nothing more happens. */
SQ_MUST_CHECK sq_status sq_fetch_begin(struct sq_settlement *s, struct sq_window *w,
                                       const uint8_t hash[static SQ_HASH_SIZE], uint64_t now_ms, struct sq_effects *fx,
                                       struct sq_error *err);
/* The voter asked last has not answered in time. */
SQ_MUST_CHECK sq_status sq_fetch_late(struct sq_settlement *s, struct sq_window *w, uint64_t now_ms,
                                      struct sq_effects *fx, struct sq_error *err);
/* A part has come; the last one makes it a value that is known. */
SQ_MUST_CHECK sq_status sq_fetch_take(struct sq_settlement *s, struct sq_window *w, uint32_t from,
                                      const Sanquan__V1__SettlementPart *m, uint64_t now_ms, struct sq_effects *fx,
                                      struct sq_error *err);
void sq_fetch_end(struct sq_window *w);
/* Another node asks for a part; each once. */
SQ_MUST_CHECK sq_status sq_part_tell(struct sq_settlement *s, struct sq_window *w, uint32_t to,
                                     const uint8_t wanted[static SQ_HASH_SIZE], uint32_t part, struct sq_effects *fx,
                                     struct sq_error *err);

/* content.c */
struct sq_content_pair { /* one pair of a value, by numbers */
    uint32_t debtor, creditor;
    const struct sq_stated *row;
};
struct sq_content {
    uint64_t window;
    const struct sq_closing *closing; /* [node]; borrowed */
    struct sq_content_pair *pairs;
    size_t pair_count;
    struct sq_change *changes;
    size_t change_count;
    uint8_t recast_of[SQ_HASH_SIZE];
    int recast;
    uint32_t kinds; /* that are settled; 0: all */
};
int sq_content_room(const struct sq_settlement *s, struct sq_content *c);
void sq_content_free(struct sq_content *c);
/* Does this node default in it? */
int sq_content_defaults(const struct sq_content *c, uint32_t node);
SQ_MUST_CHECK sq_status sq_content_make(const struct sq_settlement *s, const struct sq_content *c, struct sq_blob *out,
                                        struct sq_error *err);

/* links.c */
int sq_carries(const struct sq_stated *row); /* anything from earlier windows? */
/* A final settlement has left this still to be paid. */
void sq_link_leave(struct sq_link *l, uint32_t kind, int64_t fen);
/* What is unsettled of a link as it stood at `to`. */
void sq_fold_row(const struct sq_link *l, const struct sq_fold *to, struct sq_stated *row);
void sq_link_init(struct sq_link *l);
void sq_link_free(struct sq_link *l);
/* What is kept of this number; not present when it is settled, or not there yet. */
struct sq_break_side sq_link_at(const struct sq_link *l, uint64_t number);
/* Entries of settled numbers go. */
void sq_link_trim(struct sq_link *l);
/* The creditor takes what the debtor has stated, in this entry, as what is so. 0: the statement does not begin where this side stands, or overflows. */
int sq_link_adopt(struct sq_link *l, const struct sq_stated *stated, uint64_t entry);

/* breaks.c */
/* Do the two sides of a link of this node's, both stated, say the same? If not, a break is opened, and looked into. */
SQ_MUST_CHECK sq_status sq_break_compare(struct sq_settlement *s, const struct sq_window *w, uint32_t debtor,
                                         uint32_t creditor, uint64_t now_ms, struct sq_effects *fx,
                                         struct sq_error *err);
/* The link has settled. */
void sq_break_close(struct sq_settlement *s, uint32_t debtor, uint32_t creditor, uint64_t now_ms);
SQ_MUST_CHECK sq_status sq_break_on_ask(struct sq_settlement *s, uint32_t from, const Sanquan__V1__LinkAsk *m,
                                        struct sq_effects *fx, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_break_on_tell(struct sq_settlement *s, uint32_t from, const Sanquan__V1__LinkTell *m,
                                         uint64_t now_ms, struct sq_effects *fx, struct sq_error *err);

/* caps.c */
SQ_MUST_CHECK sq_status sq_cap_on_notice(struct sq_settlement *s, uint32_t from, const Sanquan__V1__DebitCapNotice *m,
                                         struct sq_error *err);

/* regions.c */
/* Can the region become that from what it is? */
int sq_change_allowed(const struct sq_settlement *s, const struct sq_change *c);
/* And do more than two thirds of the nodes want it? */
int sq_change_wanted(const struct sq_settlement *s, const struct sq_change *c);
/* All such, ascending by node; room for n. */
size_t sq_changes_wanted(const struct sq_settlement *s, struct sq_change *out);
void sq_change_apply(struct sq_settlement *s, const struct sq_change *c, uint64_t window);
SQ_MUST_CHECK sq_status sq_region_on_notice(struct sq_settlement *s, uint32_t from,
                                            const Sanquan__V1__StandingNotice *m, struct sq_error *err);

/* accounts.c */
/* What the account holds of a kind beyond what is committed; 0 or more. */
int64_t sq_account_free(const struct sq_settlement *s, uint32_t kind);
enum sq_account_step {
    SQ_ACCOUNT_COMMIT,
    SQ_ACCOUNT_SETTLE,
    SQ_ACCOUNT_DROP
}; /* final; the bank has moved it; it will not be made */
void sq_account_move(struct sq_settlement *s, const Sanquan__V1__Payment *p, enum sq_account_step step);

/* losses.c */
/* Is that window final, has the region something to pay in it, and was it not found unpaid before? */
int sq_loss_possible(const struct sq_settlement *s, uint32_t node, uint64_t window);
SQ_MUST_CHECK sq_status sq_losses_new(const struct sq_settlement *s, struct sq_losses *l, struct sq_error *err);
void sq_losses_free(struct sq_losses *l);
/* Adds who pays instead of the region. */
SQ_MUST_CHECK sq_status sq_losses_of(const struct sq_settlement *s, uint32_t node, uint64_t window, struct sq_losses *l,
                                     struct sq_error *err);
SQ_MUST_CHECK sq_status sq_default_apply(struct sq_settlement *s, const struct sq_change *c, uint64_t declared,
                                         struct sq_error *err);

/* values.c: statements to values */
struct sq_value *sq_value_find(struct sq_window *w,
                               const uint8_t hash[static SQ_HASH_SIZE]); /* NULL when it is not kept */
void sq_value_free(struct sq_value *v);
/* A copy of the bytes instead of what is there. */
SQ_MUST_CHECK sq_status sq_blob_set(struct sq_blob *b, sq_bytes bytes, struct sq_error *err);
/* The value with this hash, kept; when there is no room, another goes: never one that this node is locked on or may have to propose. */
struct sq_value *sq_value_place(struct sq_window *w, uint32_t proposer, const uint8_t hash[static SQ_HASH_SIZE]);
/* Keeps a copy of a settlement's bytes under its hash. */
SQ_MUST_CHECK sq_status sq_value_keep(struct sq_window *w, uint32_t proposer, sq_bytes bytes,
                                      uint8_t hash[static SQ_HASH_SIZE], struct sq_error *err);
/* A canonical Settlement from what both sides have stated, or the empty one, which is valid everywhere; owned by the caller. */
SQ_MUST_CHECK sq_status sq_value_build(const struct sq_settlement *s, const struct sq_window *w, int empty,
                                       struct sq_blob *out, struct sq_error *err);
/*
 * Can what is proposed be made from the statements here, and is it then what its hash says? Its bytes are kept, and it is valid.
 * Errors: SQ_E_NOMEM; that it cannot be made is none.
 */
SQ_MUST_CHECK sq_status sq_value_try(const struct sq_settlement *s, const struct sq_window *w, struct sq_value *v,
                                     struct sq_error *err);
/* Is this a recipe, whatever comes of it? The hash of what should. */
int sq_recipe_read(const struct sq_settlement *s, const Sanquan__V1__Proposal *m, uint8_t hash[static SQ_HASH_SIZE]);
/* Proposes the value to all: its recipe. */
SQ_MUST_CHECK sq_status sq_value_propose(const struct sq_settlement *s, const struct sq_window *w,
                                         const struct sq_value *v, uint32_t round, uint32_t valid_round,
                                         struct sq_effects *fx, struct sq_error *err);
/* Has it the shape of a value of this window, whatever was stated here? */
int sq_value_usable(const struct sq_settlement *s, const struct sq_window *w, sq_bytes value);
uint32_t sq_code_find(const struct sq_settlement *s, const char *code); /* SQ_ROW_NONE */

/* windows.c */
SQ_MUST_CHECK sq_status sq_window_at(struct sq_settlement *s, uint64_t number, struct sq_window **out,
                                     struct sq_error *err);
void sq_window_free(struct sq_window *w);
SQ_MUST_CHECK sq_status sq_window_new(struct sq_settlement *s, uint64_t number, struct sq_error *err);

/* caps.c */
/* A cap, and as much used of it as leaves `left`. */
struct sq_room sq_room_of(int64_t cap_fen, __int128 left);

#endif
