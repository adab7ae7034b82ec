/*
 * The ledger of one node: an append-only journal in LMDB, and what hangs on it.
 *
 *   journal   seq (be64) -> entry payload           MDB_APPEND only; never updated, never deleted
 *   leaf      seq (be64) -> leaf record, 56 bytes   MDB_APPEND only
 *   tile      level, index -> 256 hashes            full tiles of the RFC 6962 tree over leaf records
 *   answer    party, id -> kept answer              for repeats
 *   outbox    node, number -> signed message        until the peer acknowledges
 *   meta      format, network id, newest checkpoint; in a copy that no node has written to, "copy"
 *
 * The only place that includes <lmdb.h>. Default flags: a commit that returned 0 is durable.
 *
 * Entry payload:   0 u8 version 1 | 1 u8 zero | 2 be16 MessageType | 4 be32 input size | 8 be64 now_ms
 *                  | 16 input (envelope as received, or the body of GENESIS/TICK/REJECTED) | outcome (the rest)
 * Leaf record:     0 u8 version 1 | 1 u8 zero | 2 be16 MessageType | 4 be32 payload size | 8 be64 seq | 16 be64 now_ms
 *                  | 24 SHA-256 of the payload | 56
 * seq starts at 1; leaf index = seq - 1.
 *
 * Threads: sq_ledger_commit from one thread; reading from any thread, each call its own short read transaction.
 */
#ifndef SQ_LEDGER_H
#define SQ_LEDGER_H

#include "clearing/base/arena.h"
#include "clearing/base/hash.h"
#include "clearing/base/table.h"
#include "proto/bytes.h"
#include "proto/status.h"

#define SQ_LEAF_SIZE       56
#define SQ_ENTRY_HEAD_SIZE 16

struct sq_ledger; /* opaque: LMDB environment and the tree's right edge */

/* Signs with a key the ledger never sees. */
struct sq_signer {
    void *ctx;
    sq_status (*sign)(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err);
    uint8_t public_key[32];
};

struct sq_ledger_options {
    const char *path;          /* directory */
    const char *origin;        /* checkpoint origin, "sanquan.cn/310000"-like; no spaces or '+' */
    const uint8_t *network_id; /* 32 bytes; NULL: any (readers) */
    uint64_t map_size;         /* largest size of the file; 0: 1 TiB (sparse) */
    int read_only;             /* another process may be writing */
    int unfinished;            /* also a copy that is not whole yet: sq_ledger_copy's own */
};

/*
 * Create: builds in PATH.new, fsyncs files and directory, renames. Fails if PATH exists. The ledger is empty (no entry).
 * Open:   takes the writer's lock (a second writer gets SQ_E_LOCKED), checks format, network, meta pages, file size against LMDB's
 *         last page, and that leaf count = journal count.
 * Errors: SQ_E_LOCKED, SQ_E_FOREIGN (network, origin or format; says which), SQ_E_CORRUPT, SQ_E_STORAGE, SQ_E_NOT_FOUND.
 */
SQ_MUST_CHECK sq_status sq_ledger_create(const struct sq_ledger_options *o, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_ledger_open(const struct sq_ledger_options *o, struct sq_ledger **out, struct sq_error *err);
void sq_ledger_close(struct sq_ledger *l);

/* ---- writing ---- */

struct sq_entry {
    uint64_t seq, now_ms;
    uint32_t type; /* MessageType */
    sq_bytes input, outcome;
    uint8_t payload_hash[SQ_HASH_SIZE]; /* filled by commit and by read */
};

struct sq_answer_put {
    uint32_t party;
    uint64_t id, seq;              /* seq: entry that decided it */
    uint8_t request[SQ_HASH_SIZE]; /* name of the request envelope: SHA-256 of its signed bytes and signature */
    sq_bytes body;                 /* canonical Answer */
};

struct sq_outbox_put {
    uint32_t node;
    uint64_t number;
    sq_bytes envelope; /* signed */
};

struct sq_outbox_ack {
    uint32_t node;
    uint64_t number; /* this and all before it go */
};

struct sq_commit { /* one group: all of it or nothing */
    struct sq_entry *entries;
    size_t entry_count; /* ascending, continuing the journal */
    const struct sq_answer_put *answers;
    size_t answer_count;
    const struct sq_outbox_put *outbox;
    size_t outbox_count;
    const struct sq_outbox_ack *acks;
    size_t ack_count;
};

/*
 * One durable transaction; signs a new checkpoint inside it when there are entries.
 * Errors: SQ_E_STORAGE when the transaction failed before its commit was tried (nothing is stored, but the process
 *         should stop), and SQ_E_CORRUPT when commit itself failed: the outcome is UNKNOWN; stop, reopen, and let the
 *         journal say. SQ_E_FULL: map or disk full before commit; nothing is stored.
 */
SQ_MUST_CHECK sq_status sq_ledger_commit(struct sq_ledger *l, const struct sq_commit *c,
                                         const struct sq_signer *log_key, struct sq_error *err);

/* Was it made by sq_ledger_copy, and nothing has been committed to it since? As it was when it was opened. */
int sq_ledger_is_copy(const struct sq_ledger *l);

/* Once a minute: frees the slots of readers that died. */
void sq_ledger_housekeep(struct sq_ledger *l);

/* Share of the disk or map still free, per mille (the smaller of the two). */
unsigned sq_ledger_free_permille(const struct sq_ledger *l);

/* ---- reading ---- */

uint64_t sq_ledger_seq(const struct sq_ledger *l);       /* last durable entry; 0: none */
const char *sq_ledger_origin(const struct sq_ledger *l); /* of its checkpoints; lives as long as l */

/*
 * One entry, its payload re-hashed and held against its leaf record. Copied into `arena`.
 * Errors: SQ_E_NOT_FOUND, SQ_E_CORRUPT (names seq), SQ_E_FULL.
 */
SQ_MUST_CHECK sq_status sq_ledger_read(const struct sq_ledger *l, uint64_t seq, struct sq_arena *arena,
                                       struct sq_entry *out, struct sq_error *err);

/* The same without hashing, for a caller that has read this entry a moment ago. */
SQ_MUST_CHECK sq_status sq_ledger_reread(const struct sq_ledger *l, uint64_t seq, struct sq_arena *arena,
                                         struct sq_entry *out, struct sq_error *err);

/* The payload as it is stored: what the leaf record's hash is over. Errors as above. */
SQ_MUST_CHECK sq_status sq_ledger_payload(const struct sq_ledger *l, uint64_t seq, struct sq_arena *arena,
                                          sq_bytes *out, struct sq_error *err);

/*
 * Entries first..last (last may exceed the end) in order, each re-hashed; the view lives during the call of `visit`.
 * The read transaction is renewed at least every 256 entries or 64 MiB. A status other than SQ_OK from visit ends the walk.
 */
typedef sq_status (*sq_entry_visit)(void *ctx, const struct sq_entry *entry, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_ledger_walk(const struct sq_ledger *l, uint64_t first, uint64_t last, sq_entry_visit visit,
                                       void *ctx, struct sq_error *err);

/*
 * The same for one who follows this process's own appending: what it has appended since it opened is not hashed again. The hash was made of
 * the very bytes, a moment ago, and whoever shows an entry to anyone reads it with its hash.
 */
SQ_MUST_CHECK sq_status sq_ledger_follow(const struct sq_ledger *l, uint64_t first, uint64_t last, sq_entry_visit visit,
                                         void *ctx, struct sq_error *err);

struct sq_answer {
    uint64_t seq;
    uint8_t request[SQ_HASH_SIZE];
    sq_bytes body;
};
SQ_MUST_CHECK sq_status sq_ledger_answer(const struct sq_ledger *l, uint32_t party, uint64_t id, struct sq_arena *arena,
                                         struct sq_answer *out, struct sq_error *err);

/* Outbox of one node, from number `from` on, at most `max` messages; copied into arena. */
SQ_MUST_CHECK sq_status sq_ledger_outbox(const struct sq_ledger *l, uint32_t node, uint64_t from, size_t max,
                                         struct sq_arena *arena, struct sq_outbox_put *out, size_t *count_out,
                                         struct sq_error *err);

/* Messages for no node: SQ_E_CORRUPT when one lies in the outbox for a node whose number is `nodes` or more. */
SQ_MUST_CHECK sq_status sq_ledger_outbox_check(const struct sq_ledger *l, uint32_t nodes, struct sq_error *err);

SQ_MUST_CHECK sq_status sq_ledger_leaf(const struct sq_ledger *l, uint64_t seq, uint8_t leaf[static SQ_LEAF_SIZE],
                                       struct sq_error *err);

/* Inclusion proof of leaf `index` in the tree of `size` leaves (size <= sq_ledger_seq); hashes leaf to root. */
#define SQ_PROOF_MAX 64
SQ_MUST_CHECK sq_status sq_ledger_inclusion(const struct sq_ledger *l, uint64_t index, uint64_t size,
                                            uint8_t proof[static SQ_PROOF_MAX * SQ_HASH_SIZE], size_t *hash_count,
                                            struct sq_error *err);

/* Newest stored checkpoint (signed note text) and its tree size. SQ_E_NOT_FOUND when there is no entry. */
SQ_MUST_CHECK sq_status sq_ledger_checkpoint(const struct sq_ledger *l, struct sq_arena *arena, sq_bytes *note,
                                             uint64_t *size_out, struct sq_error *err);

/* Root over leaves 0..size-1, by the stored tiles. */
SQ_MUST_CHECK sq_status sq_ledger_root(const struct sq_ledger *l, uint64_t size, uint8_t root[static SQ_HASH_SIZE],
                                       struct sq_error *err);

/* Consistency proof (RFC 9162 §2.1.4.1) between the trees of size1 and size2 leaves, 0 < size1 <= size2 <= sq_ledger_seq. */
SQ_MUST_CHECK sq_status sq_ledger_consistency(const struct sq_ledger *l, uint64_t size1, uint64_t size2,
                                              uint8_t proof[static SQ_PROOF_MAX * SQ_HASH_SIZE], size_t *hash_count,
                                              struct sq_error *err);

/*
 * The first `width` (1 to 256) hashes of tile n of a level, as in C2SP tlog-tiles; they must be complete in the ledger.
 * Errors: SQ_E_NOT_FOUND.
 */
SQ_MUST_CHECK sq_status sq_ledger_tile(const struct sq_ledger *l, unsigned level, uint64_t n, unsigned width,
                                       uint8_t *out /* width * 32 */, struct sq_error *err);

/* ---- copies ---- */

/*
 * All of `from` as it is now into a ledger of its own at to_path, while the writer of `from` goes on. No read transaction lasts longer than
 * 256 entries or 16 MiB. If to_path is a copy already, whole or not, it goes on from the entries that are there. Kept answers and the outbox
 * are those of the last copied entry, less what peers have acknowledged since. Snapshots are not copied.
 *
 * What was there stays until the last transaction, so an earlier copy whose refreshing broke off can go on, or back (below).
 * The copy can be opened when it is whole: its tree has the root of the copied checkpoint. Whether that is signed is for the caller to see.
 * progress  after each group of entries, answers or messages; a status other than SQ_OK ends the copying and is returned (NULL: nobody is told)
 * Errors: SQ_E_FOREIGN what is at to_path is of another ledger; SQ_E_LOCKED it is in use; SQ_E_VERIFY, SQ_E_CORRUPT `from` is damaged;
 *         SQ_E_USAGE it is `from` itself; SQ_E_NOT_FOUND no entry yet; SQ_E_FULL, SQ_E_STORAGE, SQ_E_IO
 */
typedef sq_status (*sq_ledger_copied)(void *ctx, uint64_t entry, uint64_t last, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_ledger_copy(const struct sq_ledger *from, const char *to_path, sq_ledger_copied progress,
                                       void *ctx, uint64_t *entries_out, struct sq_error *err);

/*
 * A copy that was being brought up to date, and broke off, becomes again what it was before: whole, with *entries_out entries, its answers and
 * its outbox. Stopped anywhere, it can be called again, or the copying go on.
 * Errors: SQ_E_NOT_FOUND it is whole, or never was; SQ_E_LOCKED it is being copied to; as sq_ledger_open.
 */
SQ_MUST_CHECK sq_status sq_ledger_copy_undo(const char *path, uint64_t *entries_out, struct sq_error *err);

/* ---- snapshot: PATH/snapshot, replaced whole (temporary file, fsync, rename, fsync of the directory) ---- */

SQ_MUST_CHECK sq_status sq_snapshot_write(const char *path, uint64_t seq,
                                          const uint8_t payload_hash[static SQ_HASH_SIZE], const struct sq_dump *state,
                                          struct sq_error *err);
/* malloc'd `*state_out` for the caller to free. Errors: SQ_E_NOT_FOUND, SQ_E_CORRUPT, SQ_E_FORMAT: replay from 1 then. */
SQ_MUST_CHECK sq_status sq_snapshot_read(const char *path, uint64_t *seq_out, uint8_t payload_hash[static SQ_HASH_SIZE],
                                         uint8_t **state_out, size_t *size_out, struct sq_error *err);

#endif
