/*
 * A run: what can be looked up in a stretch of the journal, as one image, in a file or in memory.
 *
 * Runs are derived from the journal alone and can be thrown away. Each covers the entries after the last, so a history is a list of runs
 * and a tail that is not in a file yet. Everything in a run is sorted by what it is looked up by; nothing is changed later.
 *
 *   head | entries | names | vouchers, rows | providers | holdings | invoices | replies | programmes | links | windows | settlements
 *
 * Twelve bytes a row (its voucher, and its place), some 150 an entry. Integers are the machine's own: a cache of this machine.
 */
#ifndef SQ_RUN_H
#define SQ_RUN_H

#include "clearing/base/table.h"
#include "clearing/ledger/ledger.h"
#include "ops/history/rows.h"

struct sq_run_entry { /* an entry that has rows, in the order of the journal */
    uint64_t seq, now_ms;
    uint64_t window;      /* open when it was decided */
    uint64_t batch, link; /* as in sq_rows_of_entry; CLEAR: the link number its decision got, 0 none */
    uint64_t scenarios;   /* bit (scenario % 64) of each row */
    int64_t moved_fen;    /* by rows that were decided here with this entry */
    int64_t amount_least_fen, amount_most_fen;
    uint32_t type, row_count;
    uint32_t first_row;        /* in the run, of those with a voucher of their own: all but REGISTERED and DECIDED */
    uint32_t sender, provider; /* names; SQ_ROW_NONE */
    uint32_t accepted, refused, waiting;
    uint8_t invoice_least[10], invoice_most[10]; /* BATCH, CLEAR, REGISTER; zero: no row has one */
    uint8_t padding[4];
};

struct sq_run_name {
    char text[52]; /* "provider:USCC", "holder:USCC", "node:CODE" */
};
struct sq_run_by_name {
    uint32_t name, entry;
};
struct sq_run_holding { /* vouchers first, first + 1 ... were granted to this holder */
    uint64_t first_voucher;
    uint32_t name, count;
};
struct sq_run_invoice { /* entries by their least invoice; `most` is the largest of this and all before */
    uint8_t least[10], most[10];
    uint32_t entry;
};
struct sq_run_reply {
    uint64_t batch;
    uint32_t entry, padding;
};
struct sq_run_programme {
    uint64_t prefix; /* issuer * 10000 + number */
    uint32_t kind, padding;
};
struct sq_run_link { /* the last number of the link stream to this acquirer */
    uint64_t number;
    uint32_t name, padding;
};
struct sq_run_window {
    uint64_t number, seq; /* final with entry seq */
    uint64_t at, size;    /* its canonical Settlement */
};

enum sq_run_part {
    SQ_RUN_ENTRIES,
    SQ_RUN_NAMES,
    SQ_RUN_VOUCHERS,
    SQ_RUN_ROWS,
    SQ_RUN_PROVIDERS,
    SQ_RUN_HOLDINGS,
    SQ_RUN_INVOICES,
    SQ_RUN_REPLIES,
    SQ_RUN_PROGRAMMES,
    SQ_RUN_LINKS,
    SQ_RUN_WINDOWS,
    SQ_RUN_SETTLEMENTS,
    SQ_RUN_PARTS
};

struct sq_run {
    const uint8_t *image;
    size_t size;
    int mapped;                      /* else malloc'd */
    uint64_t first_seq, last_seq;    /* entries covered, with and without rows */
    uint64_t window_after;           /* the open window after the last */
    uint8_t last_hash[SQ_HASH_SIZE]; /* payload hash of the last: whose journal this is about */
    const void *part[SQ_RUN_PARTS];
    uint32_t count[SQ_RUN_PARTS]; /* elements; SETTLEMENTS: bytes */
};

#define SQ_RUN_PART(run, which, type) ((const type *)(run)->part[which])

/* ---- building ---- */

struct sq_run_builder; /* opaque: tables that grow, and where the journal stood */

/* For the entries after `before` (NULL: from the first). Reads batches that replies speak of from `ledger`. */
SQ_MUST_CHECK sq_status sq_run_builder_new(const struct sq_ledger *ledger, const struct sq_run *before,
                                           struct sq_run_builder **out, struct sq_error *err);
void sq_run_builder_free(struct sq_run_builder *b);
/* The next entry. */
SQ_MUST_CHECK sq_status sq_run_builder_add(struct sq_run_builder *b, const struct sq_entry *e, struct sq_error *err);
uint32_t sq_run_builder_rows(const struct sq_run_builder *b);
uint32_t sq_run_builder_entries(const struct sq_run_builder *b);
uint64_t sq_run_builder_next(const struct sq_run_builder *b); /* sequence number it wants */
/* The image of all so far, malloc'd; the builder may go on. */
SQ_MUST_CHECK sq_status sq_run_builder_image(const struct sq_run_builder *b, uint8_t **image, size_t *size,
                                             struct sq_error *err);

/* ---- reading ---- */

/* Takes the image, mapped or malloc'd, on SQ_OK. SQ_E_FORMAT: not a whole run of this build. */
SQ_MUST_CHECK sq_status sq_run_open(const uint8_t *image, size_t size, int mapped, struct sq_run *out,
                                    struct sq_error *err);
/* Does it still have the hash it was made with? */
int sq_run_intact(const struct sq_run *r);
void sq_run_close(struct sq_run *r);

uint32_t sq_run_name_find(const struct sq_run *r, const char *name); /* SQ_ROW_NONE */
static inline const char *sq_run_name(const struct sq_run *r, uint32_t n)
{
    return n == SQ_ROW_NONE ? "" : SQ_RUN_PART(r, SQ_RUN_NAMES, struct sq_run_name)[n].text;
}
/* First element at or after the key, in an array sorted by it. */
uint32_t sq_run_voucher_from(const struct sq_run *r, uint64_t voucher);
uint32_t sq_run_reply_from(const struct sq_run *r, uint64_t batch);
uint32_t sq_run_provider_from(const struct sq_run *r, uint32_t name);
uint32_t sq_run_holding_from(const struct sq_run *r, uint32_t name);
uint32_t sq_run_entry_from(const struct sq_run *r, uint64_t seq);
uint32_t sq_run_entry_of_row(const struct sq_run *r, uint32_t row);

#endif
