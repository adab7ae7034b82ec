/*
 * A ledger as a regulator reads it: items with what became of them, a voucher's life, positions of a window, refusals by reason.
 *
 * One replay of the journal collects what an item alone does not say: when it was decided, under which number of which link stream, in which
 * window, and what came of that window. Items themselves stay in the journal and are read again when they are asked for, so memory
 * is some hundred bytes a batch, and three bytes an item of batches that waited for other nodes.
 *
 * The daemon may go on working; what is seen is the ledger as it was when the replay began.
 */
#ifndef SQ_READING_H
#define SQ_READING_H

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"

struct sq_reading; /* opaque */

struct sq_reading_options {
    const char *path;            /* the ledger's directory, or a copy */
    const uint8_t *network_id;   /* 32 bytes; NULL: any */
    uint64_t map_size;           /* as in sq_ledger_options */
    uint64_t voucher;            /* collect this voucher's life; 0: none */
    void (*progress)(void *ctx, uint64_t entry, uint64_t last); /* NULL */
    void *progress_ctx;
};

/* Errors: as sq_ledger_open and sq_replay. */
SQ_MUST_CHECK sq_status sq_reading_open(const struct sq_reading_options *o, struct sq_reading **out, struct sq_error *err);
void sq_reading_free(struct sq_reading *h);

/* State at the end: parties, programmes, vouchers, settlement. */
const struct sq_core *sq_reading_core(const struct sq_reading *h);

/* ---- items ---- */

enum sq_reading_role {
    SQ_READING_ACQUIRED = 1, /* of a provider of this node */
    SQ_READING_DECIDED = 2,  /* of another node's provider, on a voucher of this node */
    SQ_READING_CLAIMED = 4,  /* another node's claim on an invoice whose home is here */
};

enum sq_reading_state { SQ_READING_WAITS = 1, SQ_READING_ACCEPTED, SQ_READING_REFUSED };

struct sq_reading_item {
    enum sq_reading_role role;
    enum sq_reading_state state;
    unsigned code;                   /* REFUSED: why */
    uint64_t seq, batch;             /* entry that holds it here; entry of the acquirer's ledger */
    uint32_t row;
    uint64_t received_ms, done_seq, done_ms; /* done: 0 while it waits */
    uint32_t acquirer, issuer;       /* nodes; issuer SQ_ROW_NONE: nobody hosts it */
    const char *provider, *holder;   /* USCC; holder "" where the voucher is not at home */
    uint32_t kind;                   /* 0: its programme is not known here */
    uint64_t voucher;
    int64_t amount_fen, base_fen, total_fen;
    char invoice[21];                /* 20 digits, or "" for verbs without one */
    uint8_t verb;
    uint32_t service, service_day;   /* 0 for SQ_READING_CLAIMED */
    uint64_t reservation;            /* 0: none */
    uint64_t link, window;           /* accepted and moves money: its number on the stream issuer -> acquirer, and the window that number is in */
};

struct sq_reading_filter { /* a zero or NULL lets everything through */
    unsigned roles;                  /* enum sq_reading_role, or-ed; 0: acquired and decided */
    const char *provider, *holder;   /* USCC */
    uint64_t voucher, window, batch;
    uint32_t batch_node;             /* of which acquirer `batch` is */
    const char *invoice;             /* 20 digits; roles 0 then means all three */
    uint64_t from_ms, to_ms;         /* received: from_ms <= t < to_ms; to_ms 0: no end */
    unsigned code;                   /* this refusal */
    int refused_only;
};

/* Matching items by entry and row; item and its strings live during the call. A status other than SQ_OK from visit ends it and is returned. */
typedef sq_status (*sq_reading_visit)(void *ctx, const struct sq_reading_item *item, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_reading_items(struct sq_reading *h, const struct sq_reading_filter *f, sq_reading_visit visit, void *ctx, struct sq_error *err);

/* What an accepted item moves: spending positive, giving back negative, holding and letting go nothing. */
int64_t sq_reading_moves(const struct sq_reading_item *item);

/* ---- a voucher's life before its items: what was said about it, in order ---- */

enum sq_reading_event { SQ_READING_GRANT = 1, SQ_READING_MANDATE, SQ_READING_REVOKE };
struct sq_reading_life_row {
    enum sq_reading_event event;
    uint64_t seq, at_ms;
    int64_t amount_fen;              /* GRANT: face; MANDATE: limit */
    uint64_t until;                  /* GRANT: last day; MANDATE: last moment, Unix ms */
    char party[SQ_NAME_SIZE_MAX + 1];/* GRANT: holder; MANDATE: provider; REVOKE: "" */
};
size_t sq_reading_life(const struct sq_reading *h, const struct sq_reading_life_row **out);

/* ---- windows ---- */

struct sq_reading_window {
    uint64_t window;
    enum sq_window_state state;
    uint64_t opened_ms;
    struct {
        uint64_t seq, at_ms;         /* 0: not yet */
    } cut, final, instructed, settled, broke;
    uint64_t local_count;            /* this node's own business in it: never netted */
    int64_t local_fen[SQ_KIND_COUNT];
};
/* Errors: SQ_E_NOT_FOUND. */
SQ_MUST_CHECK sq_status sq_reading_window(const struct sq_reading *h, uint64_t window, struct sq_reading_window *out, struct sq_error *err);

/* ---- messages that were refused as a whole ---- */

struct sq_reading_refused {
    uint64_t journalled[256];        /* by status: decided, and refused */
    uint64_t rejected[256];          /* by status: refused before they could be decided */
};
void sq_reading_refused(const struct sq_reading *h, struct sq_reading_refused *out);

#endif
