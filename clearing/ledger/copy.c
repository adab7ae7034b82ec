/*
 * A copy of a ledger while its node goes on working.
 *
 *   fix where it ends -> entries in groups -> kept answers -> outbox -> root is the checkpoint's? -> checkpoint, and the copy is whole
 *                        \___________________ stopped anywhere: not whole, goes on from the entries it has ______________________/
 *                         \__ an earlier copy, being brought up to date: goes on, or back to what it was (sq_ledger_copy_undo) __/
 *
 * One short read transaction fixes the end S: the newest entry, its checkpoint, and the last number in the outbox of each node. What hangs
 * on the journal is then filtered to S:
 *   answers   those decided by an entry up to S; an answer is stored with the entry that decides it, and never changed
 *   outbox    up to the number noted at S; what peers acknowledged since is left out, because they have it
 * So the copy is a state that a node stopped at S could have had, except that it may already know of later acknowledgements.
 *
 * Until the last transaction things are only added: entries, answers and messages beyond those of the whole copy that was there. Meta holds
 * under "copying" where that one ended, so that whatever is beyond can be taken away again; what peers have acknowledged since goes in
 * the last transaction, which stores the checkpoint.
 *
 *   "copying":   0 be64 entries of the whole copy that was there, 0: none | 8 be32 node, be64 last number of its outbox then | 20 the next
 *
 * Invariants: no read transaction outlives one group; while meta holds "copying", nobody else opens the copy; it goes away in the transaction
 * that stores the checkpoint, after the copy's own tree has come to the checkpoint's root, or when all beyond the old end is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "clearing/ledger/internal.h"

#define GROUP_ENTRIES 256u
#define GROUP_BYTES   (16u << 20)
#define GROUP_ROWS    4096u

struct bound { /* the numbers in the outbox for a node when the end was fixed */
    uint32_t node, padding;
    uint64_t first, last;
};

struct copying {
    const struct sq_ledger *from;
    struct sq_ledger *to;
    uint64_t end;
    uint8_t note[8 + SQ_NOTE_SIZE_MAX]; /* as stored: be64 size, signed note */
    size_t note_size;
    uint8_t network[32];
    struct sq_table bounds; /* struct bound */
    sq_ledger_copied progress;
    void *ctx;
};

static sq_status begin(const struct sq_ledger *l, unsigned flags, MDB_txn **txn, struct sq_error *err)
{
    int rc = mdb_txn_begin(l->env, NULL, flags, txn);
    return rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "begin");
}

/* Ends a transaction of the copy. */
static sq_status finish(const struct sq_ledger *to, MDB_txn *txn, sq_status st, struct sq_error *err)
{
    int rc = st == SQ_OK ? sq_mark_transaction(txn, to->meta) : 0;
    if (st != SQ_OK || rc != 0) {
        mdb_txn_abort(txn);
        return rc != 0 ? sq_fail_mdb(err, rc, "store the transaction's number") : st;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "commit");
}

static int get_meta(MDB_txn *txn, MDB_dbi meta, const char *key, MDB_val *v)
{
    char name[32];
    snprintf(name, sizeof name, "%s", key);
    MDB_val k = {strlen(name), name};
    return mdb_get(txn, meta, &k, v);
}

/* ---- where it ends ---- */

static sq_status note_bounds(const struct sq_ledger *l, MDB_txn *txn, struct sq_table *bounds, struct sq_error *err)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    int rc = mdb_cursor_open(txn, l->outbox, &cursor);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "open outbox");
    uint8_t next[12] = {0};
    rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
    while (rc == 0) { /* node by node, from the last one back */
        struct bound *b = sq_table_add(bounds, NULL);
        if (b == NULL) {
            mdb_cursor_close(cursor);
            return sq_fail(err, SQ_E_NOMEM, "copy");
        }
        *b = (struct bound){.node = sq_get_be32(k.mv_data), .last = sq_get_be64((const uint8_t *)k.mv_data + 4)};
        sq_put_be32(next, b->node);
        k = (MDB_val){sizeof next, next};
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        if (rc == 0) {
            b->first = sq_get_be64((const uint8_t *)k.mv_data + 4);
            rc = mdb_cursor_get(cursor, &k, &v, MDB_PREV);
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? SQ_OK : sq_fail_mdb(err, rc, "read outbox");
}

static sq_status fix_end(struct copying *c, struct sq_error *err)
{
    MDB_txn *txn;
    MDB_val network = {0, NULL}, note = {0, NULL};
    sq_status st = begin(c->from, MDB_RDONLY, &txn, err);
    if (st != SQ_OK)
        return st;
    if ((st = sq_ledger_last(c->from, txn, &c->end, err)) == SQ_OK && c->end == 0)
        st = sq_fail(err, SQ_E_NOT_FOUND, "%s has no entry yet", c->from->path);
    if (st == SQ_OK &&
        (get_meta(txn, c->from->meta, "network", &network) != 0 || network.mv_size != sizeof c->network ||
         get_meta(txn, c->from->meta, "checkpoint", &note) != 0 || note.mv_size <= 8 || note.mv_size > sizeof c->note ||
         sq_get_be64(note.mv_data) != c->end))
        st = sq_fail(err, SQ_E_CORRUPT, "%s: its checkpoint is not that of its %" PRIu64 " entries", c->from->path,
                     c->end);
    if (st == SQ_OK) {
        memcpy(c->network, network.mv_data, sizeof c->network);
        memcpy(c->note, note.mv_data, note.mv_size);
        c->note_size = note.mv_size;
        st = note_bounds(c->from, txn, &c->bounds, err);
    }
    mdb_txn_abort(txn);
    return st;
}

/* ---- the other ledger ---- */

static int is_same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* From here on it is not whole. What an earlier run that broke off has noted of the whole copy stays. */
static sq_status mark(struct sq_ledger *l, struct sq_error *err)
{
    MDB_txn *txn;
    MDB_val v = {0, NULL};
    char key[] = "copying";
    struct sq_table bounds = SQ_TABLE_OF(struct bound);
    sq_status st = begin(l, 0, &txn, err);
    if (st != SQ_OK)
        return st;
    if (get_meta(txn, l->meta, key, &v) == 0) {
        mdb_txn_abort(txn);
        return SQ_OK;
    }
    uint64_t entries = get_meta(txn, l->meta, "checkpoint", &v) == 0 && v.mv_size > 8 ? sq_get_be64(v.mv_data) : 0;
    st = note_bounds(l, txn, &bounds, err);
    uint8_t *value = malloc(8 + 12 * (size_t)bounds.count);
    if (st == SQ_OK && value == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "copy");
    if (st == SQ_OK) {
        sq_put_be64(value, entries);
        for (uint32_t i = 0; i < bounds.count; i++) {
            const struct bound *b = SQ_ROW(&bounds, struct bound, i);
            sq_put_be32(value + 8 + 12 * i, b->node);
            sq_put_be64(value + 12 + 12 * i, b->last);
        }
        MDB_val k = {strlen(key), key};
        v = (MDB_val){8 + 12 * (size_t)bounds.count, value};
        int rc = mdb_put(txn, l->meta, &k, &v, 0);
        st = rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "write meta");
    }
    free(value);
    sq_table_free(&bounds);
    return finish(l, txn, st, err);
}

static sq_status open_copy(struct copying *c, const char *path, struct sq_error *err)
{
    struct stat there;
    struct sq_ledger_options o = {.path = path,
                                  .origin = c->from->origin,
                                  .network_id = c->network,
                                  .map_size = c->from->map_size,
                                  .unfinished = 1};
    if (is_same_folder(c->from->path, path))
        return sq_fail(err, SQ_E_USAGE, "%s is the ledger itself", path);
    sq_status st = stat(path, &there) == 0 ? SQ_OK : sq_ledger_create(&o, err);
    if (st == SQ_OK)
        st = sq_ledger_open(&o, &c->to, err);
    uint8_t own[SQ_LEAF_SIZE], theirs[SQ_LEAF_SIZE];
    uint64_t seq = st == SQ_OK ? c->to->seq : 0;
    if (st == SQ_OK && seq > c->end)
        return sq_fail(err, SQ_E_FOREIGN, "%s has %" PRIu64 " entries, more than the ledger with its %" PRIu64, path,
                       seq, c->end);
    if (seq != 0 && (st = sq_ledger_leaf(c->to, seq, own, err)) == SQ_OK &&
        (st = sq_ledger_leaf(c->from, seq, theirs, err)) == SQ_OK && memcmp(own, theirs, sizeof own) != 0)
        return sq_fail(err, SQ_E_FOREIGN, "%s is not a copy of this ledger: entry %" PRIu64 " differs", path, seq);
    return st == SQ_OK ? mark(c->to, err) : st;
}

/* ---- entries ---- */

static sq_status copy_group(struct copying *c, struct sq_edge *edge, uint64_t *seq, struct sq_error *err)
{
    MDB_txn *in, *out;
    size_t bytes = 0;
    sq_status st = begin(c->to, 0, &out, err);
    if (st != SQ_OK)
        return st;
    if ((st = begin(c->from, MDB_RDONLY, &in, err)) != SQ_OK) {
        mdb_txn_abort(out);
        return st;
    }
    for (unsigned n = 0; st == SQ_OK && n < GROUP_ENTRIES && bytes < GROUP_BYTES && *seq < c->end; n++) {
        struct sq_entry e;
        if ((st = sq_view_entry(c->from, in, *seq + 1, 1, &e, err)) == SQ_OK &&
            (st = sq_append_entry(c->to, out, edge, &e, err)) == SQ_OK) {
            bytes += e.input.size + e.outcome.size;
            ++*seq;
        }
    }
    mdb_txn_abort(in);
    return finish(c->to, out, st, err);
}

static sq_status copy_entries(struct copying *c, struct sq_error *err)
{
    struct sq_edge *edge = malloc(sizeof *edge);
    uint64_t seq = c->to->seq;
    sq_status st = SQ_OK;
    if (edge == NULL)
        return sq_fail(err, SQ_E_NOMEM, "tree edge");
    *edge = c->to->edge;
    while (st == SQ_OK && seq < c->end) {
        st = copy_group(c, edge, &seq, err);
        if (st == SQ_OK && c->progress != NULL)
            st = c->progress(c->ctx, seq, c->end, err);
    }
    if (st == SQ_OK) {
        c->to->edge = *edge;
        c->to->seq = seq;
    }
    free(edge);
    return st;
}

/* ---- what hangs on them ---- */

static int answer_belongs(const struct copying *c, const MDB_val *k, const MDB_val *v)
{
    (void)k;
    return v->mv_size >= 8 && sq_get_be64(v->mv_data) <= c->end;
}

static struct bound *find_bound(const struct copying *c, uint32_t node)
{
    for (uint32_t i = 0; i < c->bounds.count; i++) {
        struct bound *b = SQ_ROW(&c->bounds, struct bound, i);
        if (b->node == node)
            return b;
    }
    return NULL;
}

static int message_belongs(const struct copying *c, const MDB_val *k, const MDB_val *v)
{
    (void)v;
    const struct bound *b = find_bound(c, sq_get_be32(k->mv_data));
    return b != NULL && sq_get_be64((const uint8_t *)k->mv_data + 4) <= b->last;
}

struct walk { /* one table, group by group, from key to key */
    MDB_dbi from, to;
    int (*belongs)(const struct copying *c, const MDB_val *k, const MDB_val *v);
    uint8_t key[12];
    int begun, ended;
};

static sq_status copy_rows(struct copying *c, struct walk *w, MDB_txn *in, MDB_txn *out, struct sq_error *err)
{
    MDB_cursor *cursor;
    MDB_val k = {sizeof w->key, w->key}, v;
    size_t rows = 0, bytes = 0;
    int rc = mdb_cursor_open(in, w->from, &cursor);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "open table");
    rc = mdb_cursor_get(cursor, &k, &v, w->begun ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && w->begun && k.mv_size == sizeof w->key && memcmp(k.mv_data, w->key, sizeof w->key) == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT); /* that one was seen; it may be gone as well */
    while (rc == 0 && rows < GROUP_ROWS && bytes < GROUP_BYTES) {
        if (k.mv_size != sizeof w->key) {
            mdb_cursor_close(cursor);
            return sq_fail(err, SQ_E_CORRUPT, "a key of %zu bytes", k.mv_size);
        }
        memcpy(w->key, k.mv_data, sizeof w->key);
        w->begun = 1;
        if (w->belongs(c, &k, &v) && (rc = mdb_put(out, w->to, &k, &v, 0)) != 0)
            break;
        rows++;
        bytes += v.mv_size;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    w->ended = rc == MDB_NOTFOUND;
    return rc == 0 || rc == MDB_NOTFOUND ? SQ_OK : sq_fail_mdb(err, rc, "copy a row");
}

static sq_status copy_table(struct copying *c, struct walk w, struct sq_error *err)
{
    sq_status st = SQ_OK;
    while (st == SQ_OK && !w.ended) {
        MDB_txn *in, *out;
        if ((st = begin(c->to, 0, &out, err)) != SQ_OK)
            return st;
        if ((st = begin(c->from, MDB_RDONLY, &in, err)) != SQ_OK) {
            mdb_txn_abort(out);
            return st;
        }
        st = copy_rows(c, &w, in, out, err);
        mdb_txn_abort(in);
        st = finish(c->to, out, st, err);
        if (st == SQ_OK && c->progress != NULL)
            st = c->progress(c->ctx, c->end, c->end, err);
    }
    return st;
}

/* Rows for the node below a number, or from a number on; 0 or LMDB's error. */
static int drop_numbers(MDB_cursor *cursor, uint32_t node, uint64_t from, uint64_t below)
{
    uint8_t first[12];
    sq_put_be32(first, node);
    sq_put_be64(first + 4, from);
    for (;;) {
        MDB_val k = {sizeof first, first}, v;
        int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        if (rc != 0 || sq_get_be32(k.mv_data) != node || sq_get_be64((const uint8_t *)k.mv_data + 4) >= below)
            return rc == MDB_NOTFOUND ? 0 : rc;
        if ((rc = mdb_cursor_del(cursor, 0)) != 0)
            return rc;
    }
}

/*
 * A peer that acknowledged messages between two groups left a gap: what was copied before it has been acknowledged too. Where the copy's
 * numbers for the node go on without a gap up to the last.
 */
static uint64_t after_gaps(MDB_cursor *cursor, uint32_t node)
{
    uint8_t first[12] = {0};
    uint64_t start = 0, before = 0;
    sq_put_be32(first, node);
    MDB_val k = {sizeof first, first}, v;
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    for (; rc == 0 && sq_get_be32(k.mv_data) == node; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        uint64_t number = sq_get_be64((const uint8_t *)k.mv_data + 4);
        start = number != before + 1 ? number : start;
        before = number;
    }
    return start;
}

/* What peers have acknowledged since the copy was whole last, or while it was made. */
static sq_status drop_acknowledged(struct copying *c, MDB_txn *txn, struct sq_error *err)
{
    MDB_cursor *cursor;
    struct sq_table there = SQ_TABLE_OF(struct bound);
    sq_status st = note_bounds(c->to, txn, &there, err);
    int rc = st == SQ_OK ? mdb_cursor_open(txn, c->to->outbox, &cursor) : 0;
    if (st != SQ_OK || rc != 0) {
        sq_table_free(&there);
        return st != SQ_OK ? st : sq_fail_mdb(err, rc, "open outbox");
    }
    for (uint32_t i = 0; rc == 0 && i < there.count; i++) {
        uint32_t node = SQ_ROW(&there, struct bound, i)->node;
        const struct bound *b = find_bound(c, node);
        uint64_t start = after_gaps(cursor, node);
        rc = drop_numbers(cursor, node, 0, b == NULL ? UINT64_MAX : start > b->first ? start : b->first);
    }
    mdb_cursor_close(cursor);
    sq_table_free(&there);
    return rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "clear outbox");
}

/* ---- the end ---- */

/* The note's body ends at its first empty line. */
static sq_status check_root(const struct copying *c, struct sq_error *err)
{
    struct sq_checkpoint checkpoint;
    uint8_t root[SQ_HASH_SIZE];
    const char *note = (const char *)c->note + 8;
    const char *blank = memmem(note, c->note_size - 8, "\n\n", 2);
    sq_status st = blank != NULL ? sq_checkpoint_parse(sq_bytes_of(note, (size_t)(blank + 1 - note)), &checkpoint, err)
                                 : SQ_E_VERIFY;
    sq_edge_root(&c->to->edge, root);
    if (st != SQ_OK || checkpoint.size != c->end || memcmp(checkpoint.root, root, sizeof root) != 0)
        return sq_fail(err, SQ_E_VERIFY,
                       "the copied entries do not have the root of the checkpoint for %" PRIu64 " entries", c->end);
    return SQ_OK;
}

static sq_status complete(struct copying *c, struct sq_error *err)
{
    MDB_txn *txn;
    char checkpoint[] = "checkpoint", copying[] = "copying", copy[] = "copy", yes[] = "1";
    MDB_val k = {strlen(checkpoint), checkpoint}, v = {c->note_size, c->note};
    sq_status st = begin(c->to, 0, &txn, err);
    if (st != SQ_OK)
        return st;
    if ((st = drop_acknowledged(c, txn, err)) != SQ_OK)
        return finish(c->to, txn, st, err);
    int rc = mdb_put(txn, c->to->meta, &k, &v, 0);
    k = (MDB_val){strlen(copying), copying};
    if (rc == 0)
        rc = mdb_del(txn, c->to->meta, &k, NULL);
    k = (MDB_val){strlen(copy), copy};
    v = (MDB_val){strlen(yes), yes};
    if (rc == 0)
        rc = mdb_put(txn, c->to->meta, &k, &v, 0);
    return finish(c->to, txn, rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "store checkpoint"), err);
}

sq_status sq_ledger_copy(const struct sq_ledger *from, const char *to_path, sq_ledger_copied progress, void *ctx,
                         uint64_t *entries_out, struct sq_error *err)
{
    struct copying *c = calloc(1, sizeof *c);
    if (c == NULL)
        return sq_fail(err, SQ_E_NOMEM, "copy");
    *c = (struct copying){.from = from, .bounds = SQ_TABLE_OF(struct bound), .progress = progress, .ctx = ctx};
    sq_status st = fix_end(c, err);
    if (st == SQ_OK)
        st = open_copy(c, to_path, err);
    if (st == SQ_OK)
        st = copy_entries(c, err);
    if (st == SQ_OK)
        st = copy_table(c, (struct walk){.from = from->answer, .to = c->to->answer, .belongs = answer_belongs}, err);
    if (st == SQ_OK)
        st = copy_table(c, (struct walk){.from = from->outbox, .to = c->to->outbox, .belongs = message_belongs}, err);
    if (st == SQ_OK)
        st = check_root(c, err);
    if (st == SQ_OK)
        st = complete(c, err);
    if (st == SQ_OK)
        *entries_out = c->end;
    sq_ledger_close(c->to);
    sq_table_free(&c->bounds);
    free(c);
    return st;
}

/* ---- back to what it was ---- */

struct whole { /* the copy as it was before the run that broke off */
    uint64_t entries;
    struct sq_table bounds; /* struct bound: last */
};

static sq_status read_mark(const struct sq_ledger *l, struct whole *w, struct sq_error *err)
{
    MDB_txn *txn;
    MDB_val v = {0, NULL};
    sq_status st = begin(l, MDB_RDONLY, &txn, err);
    if (st != SQ_OK)
        return st;
    if (get_meta(txn, l->meta, "copying", &v) != 0)
        st = sq_fail(err, SQ_E_NOT_FOUND, "%s is whole: there is nothing to take back", l->path);
    else if (v.mv_size < 8 || (v.mv_size - 8) % 12 != 0 || (w->entries = sq_get_be64(v.mv_data)) == 0)
        st = sq_fail(err, SQ_E_NOT_FOUND,
                     "%s was never whole: let 'sanquan backup' finish it, or remove it and begin anew", l->path);
    for (size_t at = 8; st == SQ_OK && at < v.mv_size; at += 12) {
        struct bound *b = sq_table_add(&w->bounds, NULL);
        if (b == NULL)
            st = sq_fail(err, SQ_E_NOMEM, "copy");
        else
            *b = (struct bound){.node = sq_get_be32((const uint8_t *)v.mv_data + at),
                                .last = sq_get_be64((const uint8_t *)v.mv_data + at + 4)};
    }
    mdb_txn_abort(txn);
    return st;
}

/* From the newest on, a group at a time: what is left is a journal without a gap whenever this stops. */
static sq_status drop_entries(const struct sq_ledger *l, uint64_t seq, uint64_t entries, struct sq_error *err)
{
    while (seq > entries) {
        MDB_txn *txn;
        sq_status st = begin(l, 0, &txn, err);
        int rc = 0;
        if (st != SQ_OK)
            return st;
        for (unsigned n = 0; rc == 0 && n < GROUP_ENTRIES && seq > entries; n++, seq--) {
            uint8_t key[8];
            sq_put_be64(key, seq);
            MDB_val k = {sizeof key, key};
            if ((rc = mdb_del(txn, l->journal, &k, NULL)) == 0)
                rc = mdb_del(txn, l->leaf, &k, NULL);
        }
        st = finish(l, txn, rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "take back entries"), err);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}

/* A full tile of a level covers 256 of the level below; one that covers more than there is goes. */
static int is_beyond_tile(uint64_t entries, const MDB_val *k, const MDB_val *v)
{
    const uint8_t *key = k->mv_data;
    unsigned __int128 covered = (unsigned __int128)(sq_get_be64(key + 1) + 1) << (8 * (key[0] + 1u));
    (void)v;
    return covered > entries;
}
static int is_beyond_answer(uint64_t entries, const MDB_val *k, const MDB_val *v)
{
    (void)k;
    return v->mv_size >= 8 && sq_get_be64(v->mv_data) > entries;
}

static int drop_rows(MDB_txn *txn, MDB_dbi table, uint64_t entries,
                     int (*is_beyond)(uint64_t entries, const MDB_val *k, const MDB_val *v))
{
    MDB_cursor *cursor;
    MDB_val k, v;
    int rc = mdb_cursor_open(txn, table, &cursor);
    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
        if (is_beyond(entries, &k, &v) && (rc = mdb_cursor_del(cursor, 0)) != 0)
            break;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int drop_messages(const struct sq_ledger *l, MDB_txn *txn, const struct whole *w, struct sq_table *there)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, l->outbox, &cursor);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; rc == 0 && i < there->count; i++) {
        uint32_t node = SQ_ROW(there, struct bound, i)->node;
        uint64_t from = 0;
        for (uint32_t k = 0; k < w->bounds.count; k++)
            if (SQ_ROW(&w->bounds, struct bound, k)->node == node)
                from = SQ_ROW(&w->bounds, struct bound, k)->last + 1;
        rc = drop_numbers(cursor, node, from, UINT64_MAX);
    }
    mdb_cursor_close(cursor);
    return rc;
}

/* All that hangs on entries that are gone, and the mark with it. */
static sq_status drop_rest(const struct sq_ledger *l, const struct whole *w, struct sq_error *err)
{
    MDB_txn *txn;
    char copying[] = "copying";
    MDB_val k = {strlen(copying), copying};
    struct sq_table there = SQ_TABLE_OF(struct bound);
    sq_status st = begin(l, 0, &txn, err);
    if (st != SQ_OK)
        return st;
    st = note_bounds(l, txn, &there, err);
    int rc = st == SQ_OK ? drop_rows(txn, l->tile, w->entries, is_beyond_tile) : 0;
    if (st == SQ_OK && rc == 0)
        rc = drop_rows(txn, l->answer, w->entries, is_beyond_answer);
    if (st == SQ_OK && rc == 0)
        rc = drop_messages(l, txn, w, &there);
    if (st == SQ_OK && rc == 0)
        rc = mdb_del(txn, l->meta, &k, NULL);
    sq_table_free(&there);
    return finish(l, txn, st != SQ_OK ? st : rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "take back a copy"), err);
}

sq_status sq_ledger_copy_undo(const char *path, uint64_t *entries_out, struct sq_error *err)
{
    const struct sq_ledger_options o = {.path = path, .unfinished = 1};
    struct sq_ledger *l = NULL;
    struct whole w = {.bounds = SQ_TABLE_OF(struct bound)};
    sq_status st = sq_ledger_open(&o, &l, err);
    if (st == SQ_OK)
        st = read_mark(l, &w, err);
    if (st == SQ_OK)
        st = drop_entries(l, l->seq, w.entries, err);
    if (st == SQ_OK)
        st = drop_rest(l, &w, err);
    if (st == SQ_OK)
        *entries_out = w.entries;
    sq_ledger_close(l);
    sq_table_free(&w.bounds);
    return st;
}
