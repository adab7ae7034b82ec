/* Shared by the files of this folder only: the one door to <lmdb.h>. */
#ifndef SQ_LEDGER_INTERNAL_H
#define SQ_LEDGER_INTERNAL_H

#include <lmdb.h>
#include <pthread.h>

#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"

#define SQ_TILE_WIDTH  256u
#define SQ_TILE_LEVELS 8u

#define SQ_ANSWER_HEAD_SIZE (8 + 2 * SQ_HASH_SIZE) /* of a kept answer, before its body: append.c */

/* The right edge of the tree: at each level the hashes of the tile that is not full yet. */
struct sq_edge {
    uint32_t count[SQ_TILE_LEVELS];
    uint8_t hash[SQ_TILE_LEVELS][SQ_TILE_WIDTH][SQ_HASH_SIZE];
};

struct sq_ledger {
    MDB_env *env;
    MDB_dbi journal, leaf, tile, answer, outbox, meta;
    int lock_fd, read_only, poisoned;
    int is_copy; /* when it was opened */
    char *path;
    char origin[128];
    uint64_t map_size;
    pthread_mutex_t mutex; /* guards seq and edge: written by commit, read by anyone */
    uint64_t seq;
    uint64_t seq_at_open; /* what came later this process has appended itself */
    struct sq_edge edge;
};

sq_status sq_fail_mdb(struct sq_error *err, int rc, const char *what);
#ifdef __clang_analyzer__ /* as with sq_fail */
#define sq_fail_mdb(err, rc, what) ((void)sq_fail_mdb(err, rc, what), SQ_E_STORAGE)
#endif
/* Tree size as a process that only reads sees it now, inside txn. */
sq_status sq_ledger_last(const struct sq_ledger *l, MDB_txn *txn, uint64_t *seq, struct sq_error *err);

/* append.c: the payload and leaf record of one entry, and its place in the tree; fills e->payload_hash */
sq_status sq_append_entry(const struct sq_ledger *l, MDB_txn *txn, struct sq_edge *edge, struct sq_entry *e,
                          struct sq_error *err);

/*
 * Every transaction stores its own number. A table root that is older than the newest transaction, because its write never reached the disk
 * or went elsewhere, is a whole and sound state of some time ago: its number gives it away.
 */
int sq_mark_transaction(MDB_txn *txn,
                        MDB_dbi meta); /* in each transaction that writes, before its commit; 0 or LMDB's error */

/* append.c: what is stored beside a kept answer, over its key, entry, request and body */
void sq_answer_hash(const uint8_t key[static 12], const uint8_t head[static 8 + SQ_HASH_SIZE], sq_bytes body,
                    uint8_t out[static SQ_HASH_SIZE]);

/* read.c: the entry as a view into the page, checked against its leaf record; without hashes, its payload is not hashed again */
sq_status sq_view_entry(const struct sq_ledger *l, MDB_txn *txn, uint64_t seq, int hashes, struct sq_entry *out,
                        struct sq_error *err);

/* file.c */
/* Errors: SQ_E_CORRUPT: a page that is used lies beyond the end of the file, or the meta pages are not those of two transactions in a row;
   SQ_E_IO. */
sq_status sq_ledger_check_file(MDB_env *env, const char *path, struct sq_error *err);

/* tiles.c */
/* Append a leaf hash; full tiles go to `txn`. */
sq_status sq_edge_push(const struct sq_ledger *l, MDB_txn *txn, struct sq_edge *e,
                       const uint8_t hash[static SQ_HASH_SIZE], uint64_t index, struct sq_error *err);
void sq_edge_root(const struct sq_edge *e, uint8_t root[static SQ_HASH_SIZE]);
sq_status sq_edge_load(const struct sq_ledger *l, MDB_txn *txn, uint64_t size, struct sq_edge *e, struct sq_error *err);

#endif
