/*
 * A ledger checked from its journal alone, as an outsider can check it who has the directory and a copy of the ledger.
 *
 *   each payload has the hash of its leaf record                the ledger, on reading
 *   each message is signed by its sender's key of that time     checks.h, on all cores
 *   each decision comes out again as it is stored               replay.h
 *   links, settlements, nets, payments, certificates, budgets   books.h, by sums of its own
 *   leaves hash to the root of the signed checkpoint            here, by the definition of RFC 9162 section 2.1.1
 *   tiles, kept answers, outbox, snapshot                       here: what hangs on the journal says what the journal says
 *
 * The daemon may go on working meanwhile. What the ledger alone cannot show is that nothing was cut off at its end: hold a receipt, or a
 * checkpoint that was kept elsewhere, against it.
 */
#ifndef SQ_AUDIT_H
#define SQ_AUDIT_H

#include "ops/common/evidence.h"
#include "peers/directory.h"

struct sq_audit; /* opaque */

struct sq_audit_options {
    const char *path;                                           /* the ledger's directory; a copy needs its data.mdb */
    struct sq_directory *directory;                             /* borrowed for the audit's life */
    unsigned threads;                                           /* for signatures; 0: one a core */
    uint64_t map_size;                                          /* as in sq_ledger_options */
    void (*progress)(void *ctx, uint64_t entry, uint64_t last); /* now and then; NULL */
    void *progress_ctx;
};

enum sq_audit_snapshot {
    SQ_SNAPSHOT_NONE,
    SQ_SNAPSHOT_UNUSABLE,
    SQ_SNAPSHOT_SAME
}; /* unusable: damaged, or of another build; the daemon passes it over */

#define SQ_AUDIT_EVIDENCE_MAX 16u

struct sq_audit_report {
    char node[7];     /* "" until the first entry was read */
    uint64_t entries; /* of the newest checkpoint */
    uint64_t signatures, items, links, settlements;
    uint64_t evidence; /* of nodes that signed two different things; the first of them in shown */
    struct sq_evidence shown[SQ_AUDIT_EVIDENCE_MAX];
    uint64_t open_window;
    uint8_t root[32];
    uint64_t
        witnessed; /* entries that more than half of the other nodes have cosigned; 0 also where nodes are no witnesses */
    struct sq_audit_fork { /* the first node, in the directory's order, that has signed two histories; code "": none */
        char code[7];
        uint64_t first_size, second_size, entry; /* entry: of this journal, that holds what shows it */
    } fork;
    enum sq_audit_snapshot snapshot;
    uint64_t bad_entry; /* what is wrong is wrong there; 0: not of one entry */
};

/* Errors: as sq_ledger_open; SQ_E_NOMEM. */
SQ_MUST_CHECK sq_status sq_audit_open(const struct sq_audit_options *o, struct sq_audit **out, struct sq_error *err);
void sq_audit_free(struct sq_audit *a);

/*
 * The whole audit; once. `report` is filled as far as it came.
 * Errors: SQ_E_VERIFY, SQ_E_CORRUPT, SQ_E_FOREIGN: the first thing that is wrong, in words; others: the audit could not be made.
 */
SQ_MUST_CHECK sq_status sq_audit_run(struct sq_audit *a, struct sq_audit_report *report, struct sq_error *err);

/*
 * After a run without error: is this receipt (a signed message as a provider keeps it) of an entry of this ledger, and its checkpoint a
 * state that this ledger went through, and its answer the one that this ledger keeps? Errors: SQ_E_VERIFY.
 */
SQ_MUST_CHECK sq_status sq_audit_receipt(struct sq_audit *a, sq_bytes envelope, struct sq_error *err);

/*
 * After a run without error: is this file a log that the journal anchors, and what it was at each anchor (anchors.h)? Then, when all files
 * were seen, whether none of their generations is missing. Errors: SQ_E_VERIFY, SQ_E_NOT_FOUND, SQ_E_IO.
 */
SQ_MUST_CHECK sq_status sq_audit_log(struct sq_audit *a, const char *path, uint64_t *held_out, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_audit_logs_whole(const struct sq_audit *a, struct sq_error *err);

#endif
