/*
 * Reading: each call has its own short read transaction, so that no reader holds pages back from the writer for long. Every payload is
 * hashed again and held against its leaf record: LMDB itself reports almost no corruption.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clearing/ledger/internal.h"

#define WALK_ENTRIES 256u
#define WALK_BYTES   (64u << 20)

uint64_t sq_ledger_seq(const struct sq_ledger *l)
{
    MDB_txn *txn;
    uint64_t seq = 0;
    if (!l->read_only) {
        union {
            const struct sq_ledger *in;
            struct sq_ledger *out;
        } same = {l}; /* locking changes the mutex only */
        pthread_mutex_lock(&same.out->mutex);
        seq = l->seq;
        pthread_mutex_unlock(&same.out->mutex);
        return seq;
    }
    if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != 0)
        return 0;
    sq_status st = sq_ledger_last(l, txn, &seq, NULL);
    mdb_txn_abort(txn);
    return st == SQ_OK ? seq : 0;
}

static sq_status begin(const struct sq_ledger *l, MDB_txn **txn, struct sq_error *err)
{
    int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, txn);
    return rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "begin reading");
}

static sq_status get_seq(MDB_txn *txn, MDB_dbi dbi, uint64_t seq, MDB_val *v, struct sq_error *err)
{
    uint8_t key[8];
    sq_put_be64(key, seq);
    MDB_val k = {sizeof key, key};
    int rc = mdb_get(txn, dbi, &k, v);
    if (rc == MDB_NOTFOUND)
        return sq_fail(err, SQ_E_NOT_FOUND, "no entry %" PRIu64, seq);
    return rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "read");
}

/* The entry as a view into the page, checked against its leaf record. */
sq_status sq_view_entry(const struct sq_ledger *l, MDB_txn *txn, uint64_t seq, int hashes, struct sq_entry *out,
                        struct sq_error *err)
{
    MDB_val payload, record;
    uint8_t hash[SQ_HASH_SIZE];
    sq_status st = get_seq(txn, l->journal, seq, &payload, err);
    if (st == SQ_OK)
        st = get_seq(txn, l->leaf, seq, &record, err);
    if (st != SQ_OK)
        return st;
    const uint8_t *p = payload.mv_data, *leaf = record.mv_data;
    if (record.mv_size != SQ_LEAF_SIZE || payload.mv_size < SQ_ENTRY_HEAD_SIZE)
        return sq_fail(err, SQ_E_CORRUPT, "entry %" PRIu64 ": payload or leaf record has a wrong size", seq);
    if (hashes)
        sq_sha256(p, payload.mv_size, hash);
    else
        memcpy(hash, leaf + 24, SQ_HASH_SIZE);
    if (memcmp(hash, leaf + 24, SQ_HASH_SIZE) != 0)
        return sq_fail(err, SQ_E_CORRUPT, "entry %" PRIu64 ": payload does not have the hash of its leaf record", seq);
    uint32_t input = sq_get_be32(p + 4);
    if (leaf[0] != 1 || leaf[1] != 0 || p[0] != 1 || p[1] != 0 || memcmp(leaf + 2, p + 2, 2) != 0 ||
        sq_get_be32(leaf + 4) != payload.mv_size || sq_get_be64(leaf + 8) != seq || memcmp(leaf + 16, p + 8, 8) != 0 ||
        input > payload.mv_size - SQ_ENTRY_HEAD_SIZE)
        return sq_fail(err, SQ_E_CORRUPT, "entry %" PRIu64 ": payload and leaf record do not say the same", seq);
    *out = (struct sq_entry){
        .seq = seq,
        .now_ms = sq_get_be64(p + 8),
        .type = sq_get_be16(p + 2),
        .input = sq_bytes_of(p + SQ_ENTRY_HEAD_SIZE, input),
        .outcome = sq_bytes_of(p + SQ_ENTRY_HEAD_SIZE + input, payload.mv_size - SQ_ENTRY_HEAD_SIZE - input)};
    memcpy(out->payload_hash, hash, sizeof hash);
    return SQ_OK;
}

static sq_status read_entry(const struct sq_ledger *l, uint64_t seq, int hashes, struct sq_arena *arena,
                            struct sq_entry *out, struct sq_error *err)
{
    MDB_txn *txn;
    struct sq_entry view;
    sq_status st = begin(l, &txn, err);
    if (st != SQ_OK)
        return st;
    st = sq_view_entry(l, txn, seq, hashes, &view, err);
    if (st == SQ_OK) {
        view.input.data = sq_arena_copy(arena, view.input.data, view.input.size);
        view.outcome.data = sq_arena_copy(arena, view.outcome.data, view.outcome.size);
        if (view.input.data == NULL || view.outcome.data == NULL)
            st = sq_fail(err, SQ_E_FULL, "memory for entry %" PRIu64, seq);
    }
    mdb_txn_abort(txn);
    if (st == SQ_OK)
        *out = view;
    return st;
}

sq_status sq_ledger_read(const struct sq_ledger *l, uint64_t seq, struct sq_arena *arena, struct sq_entry *out,
                         struct sq_error *err)
{
    return read_entry(l, seq, 1, arena, out, err);
}

sq_status sq_ledger_reread(const struct sq_ledger *l, uint64_t seq, struct sq_arena *arena, struct sq_entry *out,
                           struct sq_error *err)
{
    return read_entry(l, seq, 0, arena, out, err);
}

sq_status sq_ledger_payload(const struct sq_ledger *l, uint64_t seq, struct sq_arena *arena, sq_bytes *out,
                            struct sq_error *err)
{
    MDB_txn *txn;
    struct sq_entry view;
    sq_status st = begin(l, &txn, err);
    if (st != SQ_OK)
        return st;
    if ((st = sq_view_entry(l, txn, seq, 1, &view, err)) == SQ_OK) {
        size_t size = SQ_ENTRY_HEAD_SIZE + view.input.size + view.outcome.size;
        *out = sq_bytes_of(sq_arena_copy(arena, view.input.data - SQ_ENTRY_HEAD_SIZE, size), size);
        if (out->data == NULL)
            st = sq_fail(err, SQ_E_FULL, "memory for entry %" PRIu64, seq);
    }
    mdb_txn_abort(txn);
    return st;
}

/*
 * A walk reads each page once. What it has read stays in the system's page cache but need not count as this process's memory, or a daemon
 * that follows its own journal would seem as large as the ledger. Neighbouring entries are given back together.
 */
struct seen {
    uintptr_t begin, end;
};

static void give_back(struct seen *s)
{
    if (s->end > s->begin)
        madvise((void *)s->begin, s->end - s->begin,
                MADV_DONTNEED); /* advice: a page that is wanted again is mapped again */
    *s = (struct seen){0, 0};
}

static void note_seen(struct seen *s, const struct sq_entry *e)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)e->input.data / page * page;
    uintptr_t end = ((uintptr_t)e->outcome.data + e->outcome.size + page - 1) / page * page;
    if (begin > s->end + page || end < s->begin) {
        give_back(s);
        *s = (struct seen){begin, end};
    }
    s->begin = begin < s->begin ? begin : s->begin;
    s->end = end > s->end ? end : s->end;
}

/* Entries up to hash_until are hashed again. */
static sq_status walk(const struct sq_ledger *l, uint64_t first, uint64_t last, uint64_t hash_until,
                      sq_entry_visit visit, void *ctx, struct sq_error *err)
{
    uint64_t end = sq_ledger_seq(l), seq = first < 1 ? 1 : first;
    sq_status st = SQ_OK;
    if (last < end)
        end = last;
    while (st == SQ_OK && seq <= end) {
        MDB_txn *txn;
        size_t entries = 0, bytes = 0;
        struct seen seen = {0, 0};
        if ((st = begin(l, &txn, err)) != SQ_OK)
            return st;
        for (; st == SQ_OK && seq <= end && entries < WALK_ENTRIES && bytes < WALK_BYTES; entries++, seq++) {
            struct sq_entry e;
            st = sq_view_entry(l, txn, seq, seq <= hash_until, &e, err);
            if (st != SQ_OK)
                break;
            bytes += e.input.size;
            st = visit(ctx, &e, err);
            note_seen(&seen, &e);
        }
        give_back(&seen);
        mdb_txn_abort(txn);
    }
    return st;
}

sq_status sq_ledger_walk(const struct sq_ledger *l, uint64_t first, uint64_t last, sq_entry_visit visit, void *ctx,
                         struct sq_error *err)
{
    return walk(l, first, last, UINT64_MAX, visit, ctx, err);
}

sq_status sq_ledger_follow(const struct sq_ledger *l, uint64_t first, uint64_t last, sq_entry_visit visit, void *ctx,
                           struct sq_error *err)
{
    return walk(l, first, last, l->read_only ? UINT64_MAX : l->seq_at_open, visit, ctx, err);
}

sq_status sq_ledger_answer(const struct sq_ledger *l, uint32_t party, uint64_t id, struct sq_arena *arena,
                           struct sq_answer *out, struct sq_error *err)
{
    uint8_t key[12];
    MDB_txn *txn;
    sq_put_be32(key, party);
    sq_put_be64(key + 4, id);
    MDB_val k = {sizeof key, key}, v;
    sq_status st = begin(l, &txn, err);
    if (st != SQ_OK)
        return st;
    int rc = mdb_get(txn, l->answer, &k, &v);
    if (rc != 0)
        st = sq_fail_mdb(err, rc, "kept answer");
    else if (v.mv_size < SQ_ANSWER_HEAD_SIZE)
        st = sq_fail(err, SQ_E_CORRUPT, "kept answer %" PRIu64 " is cut off", id);
    if (st == SQ_OK) {
        const uint8_t *p = v.mv_data;
        uint8_t hash[SQ_HASH_SIZE];
        sq_bytes body = sq_bytes_of(p + SQ_ANSWER_HEAD_SIZE, v.mv_size - SQ_ANSWER_HEAD_SIZE);
        sq_answer_hash(key, p, body, hash);
        if (memcmp(hash, p + 8 + SQ_HASH_SIZE, sizeof hash) != 0)
            st = sq_fail(err, SQ_E_CORRUPT, "kept answer %" PRIu64 " does not have the hash it was kept with", id);
    }
    if (st == SQ_OK) {
        const uint8_t *p = v.mv_data;
        size_t size = v.mv_size - SQ_ANSWER_HEAD_SIZE;
        out->seq = sq_get_be64(p);
        memcpy(out->request, p + 8, SQ_HASH_SIZE);
        out->body = sq_bytes_of(sq_arena_copy(arena, p + SQ_ANSWER_HEAD_SIZE, size), size);
        if (out->body.data == NULL)
            st = sq_fail(err, SQ_E_FULL, "memory for a kept answer");
    }
    mdb_txn_abort(txn);
    return st;
}

sq_status sq_ledger_outbox(const struct sq_ledger *l, uint32_t node, uint64_t from, size_t max, struct sq_arena *arena,
                           struct sq_outbox_put *out, size_t *count_out, struct sq_error *err)
{
    uint8_t first[12];
    MDB_txn *txn;
    MDB_cursor *cursor;
    sq_put_be32(first, node);
    sq_put_be64(first + 4, from);
    MDB_val k = {sizeof first, first}, v;
    sq_status st = begin(l, &txn, err);
    *count_out = 0;
    if (st != SQ_OK)
        return st;
    int rc = mdb_cursor_open(txn, l->outbox, &cursor);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return sq_fail_mdb(err, rc, "open outbox");
    }
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
         rc == 0 && *count_out < max && sq_get_be32(k.mv_data) == node; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        uint8_t *copy = sq_arena_copy(arena, v.mv_data, v.mv_size);
        if (copy == NULL) {
            if (*count_out == 0)
                st = sq_fail(err, SQ_E_FULL, "memory for an outbox message of %zu bytes", v.mv_size);
            break; /* the caller asks again for the rest */
        }
        out[(*count_out)++] =
            (struct sq_outbox_put){node, sq_get_be64((const uint8_t *)k.mv_data + 4), sq_bytes_of(copy, v.mv_size)};
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return rc == 0 || rc == MDB_NOTFOUND ? st : sq_fail_mdb(err, rc, "read outbox");
}

sq_status sq_ledger_outbox_check(const struct sq_ledger *l, uint32_t nodes, struct sq_error *err)
{
    uint8_t first[12] = {0};
    MDB_txn *txn;
    MDB_cursor *cursor;
    sq_put_be32(first, nodes);
    MDB_val k = {sizeof first, first}, v;
    sq_status st = begin(l, &txn, err);
    if (st != SQ_OK)
        return st;
    int rc = mdb_cursor_open(txn, l->outbox, &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        mdb_cursor_close(cursor);
    }
    if (rc == 0)
        st = sq_fail(err, SQ_E_CORRUPT, "the outbox holds a message for node number %u; there are %u",
                     sq_get_be32(k.mv_data), nodes);
    else if (rc != MDB_NOTFOUND)
        st = sq_fail_mdb(err, rc, "read outbox");
    mdb_txn_abort(txn);
    return st;
}

sq_status sq_ledger_leaf(const struct sq_ledger *l, uint64_t seq, uint8_t leaf[static SQ_LEAF_SIZE],
                         struct sq_error *err)
{
    MDB_txn *txn;
    MDB_val v;
    sq_status st = begin(l, &txn, err);
    if (st != SQ_OK)
        return st;
    st = get_seq(txn, l->leaf, seq, &v, err);
    if (st == SQ_OK && v.mv_size != SQ_LEAF_SIZE)
        st = sq_fail(err, SQ_E_CORRUPT, "leaf record %" PRIu64 " has %zu bytes", seq, v.mv_size);
    if (st == SQ_OK)
        memcpy(leaf, v.mv_data, SQ_LEAF_SIZE);
    mdb_txn_abort(txn);
    return st;
}

sq_status sq_ledger_checkpoint(const struct sq_ledger *l, struct sq_arena *arena, sq_bytes *note, uint64_t *size_out,
                               struct sq_error *err)
{
    char key[] = "checkpoint";
    MDB_txn *txn;
    MDB_val k = {strlen(key), key}, v;
    sq_status st = begin(l, &txn, err);
    if (st != SQ_OK)
        return st;
    int rc = mdb_get(txn, l->meta, &k, &v);
    if (rc != 0 || v.mv_size <= 8)
        st = rc != 0 ? sq_fail_mdb(err, rc, "checkpoint") : sq_fail(err, SQ_E_CORRUPT, "checkpoint is cut off");
    if (st == SQ_OK) {
        *size_out = sq_get_be64(v.mv_data);
        *note = sq_bytes_of(sq_arena_copy(arena, (const uint8_t *)v.mv_data + 8, v.mv_size - 8), v.mv_size - 8);
        if (note->data == NULL)
            st = sq_fail(err, SQ_E_FULL, "memory for a checkpoint");
    }
    mdb_txn_abort(txn);
    return st;
}
