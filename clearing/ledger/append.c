/*
 * One group, one transaction: entries, leaf records, tree, checkpoint, kept answers and outbox together, or none of it.
 *
 * The tree's edge is changed on a copy that replaces it only after the commit. A commit that fails poisons the ledger: what is on the
 * disk is unknown until it is opened again.
 */
#include <stdlib.h>

#include "clearing/ledger/internal.h"

static sq_status put(MDB_txn *txn, MDB_dbi dbi, void *key, size_t key_size, const void *data, size_t size,
                     unsigned flags, const char *what, struct sq_error *err)
{
    MDB_val k = {key_size, key}, v = {size, NULL};
    int rc = mdb_put(txn, dbi, &k, &v, flags | MDB_RESERVE);
    if (rc != 0)
        return sq_fail_mdb(err, rc, what);
    memcpy(v.mv_data, data, size);
    return SQ_OK;
}

sq_status sq_append_entry(const struct sq_ledger *l, MDB_txn *txn, struct sq_edge *edge, struct sq_entry *e,
                          struct sq_error *err)
{
    uint8_t key[8], head[SQ_ENTRY_HEAD_SIZE] = {1}, leaf[SQ_LEAF_SIZE] = {1}, leaf_hash[SQ_HASH_SIZE];
    size_t size = sizeof head + e->input.size + e->outcome.size;
    sq_put_be64(key, e->seq);
    sq_put_be16(head + 2, (uint16_t)e->type);
    sq_put_be32(head + 4, (uint32_t)e->input.size);
    sq_put_be64(head + 8, e->now_ms);
    const struct sq_sha256_part parts[3] = {
        {head, sizeof head}, {e->input.data, e->input.size}, {e->outcome.data, e->outcome.size}};
    sq_sha256_parts(parts, 3, e->payload_hash);
    sq_put_be16(leaf + 2, (uint16_t)e->type);
    sq_put_be32(leaf + 4, (uint32_t)size);
    sq_put_be64(leaf + 8, e->seq);
    sq_put_be64(leaf + 16, e->now_ms);
    memcpy(leaf + 24, e->payload_hash, SQ_HASH_SIZE);

    /* Sequence numbers ascend; MDB_APPEND is fast for that and refuses anything else. */
    MDB_val k = {sizeof key, key}, v = {size, NULL};
    int rc = mdb_put(txn, l->journal, &k, &v, MDB_APPEND | MDB_RESERVE);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "append entry");
    uint8_t *to = v.mv_data;
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, e->input.data, e->input.size);
    if (e->outcome.size != 0)
        memcpy(to + sizeof head + e->input.size, e->outcome.data, e->outcome.size);
    sq_status st = put(txn, l->leaf, key, sizeof key, leaf, sizeof leaf, MDB_APPEND, "append leaf record", err);
    if (st != SQ_OK)
        return st;
    sq_tree_leaf_hash(sq_bytes_of(leaf, sizeof leaf), leaf_hash);
    return sq_edge_push(l, txn, edge, leaf_hash, e->seq - 1, err);
}

void sq_answer_hash(const uint8_t key[static 12], const uint8_t head[static 8 + SQ_HASH_SIZE], sq_bytes body,
                    uint8_t out[static SQ_HASH_SIZE])
{
    const struct sq_sha256_part parts[3] = {{key, 12}, {head, 8 + SQ_HASH_SIZE}, {body.data, body.size}};
    sq_sha256_parts(parts, 3, out);
}

static sq_status put_answer(struct sq_ledger *l, MDB_txn *txn, const struct sq_answer_put *a, struct sq_error *err)
{
    uint8_t key[12];
    sq_put_be32(key, a->party);
    sq_put_be64(key + 4, a->id);
    /* value: be64 seq | name of the request | hash of these, the key and the body | body */
    MDB_val k = {sizeof key, key}, v = {SQ_ANSWER_HEAD_SIZE + a->body.size, NULL};
    int rc = mdb_put(txn, l->answer, &k, &v, MDB_RESERVE);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "keep answer");
    uint8_t *to = v.mv_data;
    sq_put_be64(to, a->seq);
    memcpy(to + 8, a->request, SQ_HASH_SIZE);
    sq_answer_hash(key, to, a->body, to + 8 + SQ_HASH_SIZE);
    if (a->body.size != 0)
        memcpy(to + SQ_ANSWER_HEAD_SIZE, a->body.data, a->body.size);
    return SQ_OK;
}

static void outbox_key(uint32_t node, uint64_t number, uint8_t key[static 12])
{
    sq_put_be32(key, node);
    sq_put_be64(key + 4, number);
}

static sq_status drop_acked(struct sq_ledger *l, MDB_txn *txn, const struct sq_outbox_ack *ack, struct sq_error *err)
{
    uint8_t first[12];
    MDB_cursor *cursor;
    outbox_key(ack->node, 0, first);
    MDB_val k = {sizeof first, first}, v;
    int rc = mdb_cursor_open(txn, l->outbox, &cursor);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "open outbox");
    while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE)) == 0 && sq_get_be32(k.mv_data) == ack->node &&
           sq_get_be64((const uint8_t *)k.mv_data + 4) <= ack->number) {
        if ((rc = mdb_cursor_del(cursor, 0)) != 0)
            break;
        k = (MDB_val){sizeof first, first}; /* from the node's beginning again: it is short */
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? SQ_OK : sq_fail_mdb(err, rc, "clear outbox");
}

static sq_status sign_checkpoint(struct sq_ledger *l, MDB_txn *txn, const struct sq_edge *edge, uint64_t size,
                                 const struct sq_signer *log_key, struct sq_error *err)
{
    struct sq_checkpoint c = {.size = size};
    char body[512], key[] = "checkpoint";
    uint8_t signature[64], stored[8 + SQ_NOTE_SIZE_MAX];
    memcpy(c.origin, l->origin, sizeof c.origin);
    sq_edge_root(edge, c.root);
    size_t body_size = sq_checkpoint_body(&c, body, sizeof body);
    sq_status st = log_key->sign(log_key->ctx, sq_bytes_of(body, body_size), signature, err);
    if (st != SQ_OK)
        return st;
    sq_put_be64(stored, size);
    size_t note =
        sq_note_write(body, body_size, l->origin, log_key->public_key, signature, (char *)stored + 8, SQ_NOTE_SIZE_MAX);
    SQ_ASSERT(body_size != 0 && note != 0); /* the origin's length was checked when the ledger was made */
    return put(txn, l->meta, key, strlen(key), stored, 8 + note, 0, "store checkpoint", err);
}

/* From the first entry on it is a ledger like any other. */
static sq_status no_copy_any_more(const struct sq_ledger *l, MDB_txn *txn, struct sq_error *err)
{
    char key[] = "copy";
    MDB_val k = {strlen(key), key};
    int rc = l->is_copy ? mdb_del(txn, l->meta, &k, NULL) : 0;
    return rc == 0 || rc == MDB_NOTFOUND ? SQ_OK : sq_fail_mdb(err, rc, "write meta");
}

static sq_status write_group(struct sq_ledger *l, MDB_txn *txn, const struct sq_commit *c, struct sq_edge *edge,
                             const struct sq_signer *log_key, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < c->entry_count; i++) {
        if (c->entries[i].seq != l->seq + 1 + i)
            return sq_fail(err, SQ_E_STORAGE, "entry %" PRIu64 " does not follow %" PRIu64, c->entries[i].seq,
                           l->seq + i);
        st = sq_append_entry(l, txn, edge, &c->entries[i], err);
    }
    for (size_t i = 0; st == SQ_OK && i < c->answer_count; i++)
        st = put_answer(l, txn, &c->answers[i], err);
    for (size_t i = 0; st == SQ_OK && i < c->outbox_count; i++) {
        uint8_t key[12];
        outbox_key(c->outbox[i].node, c->outbox[i].number, key);
        st = put(txn, l->outbox, key, sizeof key, c->outbox[i].envelope.data, c->outbox[i].envelope.size, 0,
                 "put into outbox", err);
    }
    for (size_t i = 0; st == SQ_OK && i < c->ack_count; i++)
        st = drop_acked(l, txn, &c->acks[i], err);
    if (st == SQ_OK && c->entry_count != 0)
        st = no_copy_any_more(l, txn, err);
    if (st == SQ_OK && c->entry_count != 0)
        st = sign_checkpoint(l, txn, edge, l->seq + c->entry_count, log_key, err);
    int rc = st == SQ_OK ? sq_mark_transaction(txn, l->meta) : 0;
    return rc == 0 ? st : sq_fail_mdb(err, rc, "store the transaction's number");
}

sq_status sq_ledger_commit(struct sq_ledger *l, const struct sq_commit *c, const struct sq_signer *log_key,
                           struct sq_error *err)
{
    MDB_txn *txn;
    if (l->poisoned || l->read_only)
        return sq_fail(err, SQ_E_STORAGE, "%s",
                       l->read_only ? "the ledger is open for reading only"
                                    : "an earlier commit failed; restart to learn what was stored");
    struct sq_edge *edge = malloc(sizeof *edge);
    if (edge == NULL)
        return sq_fail(err, SQ_E_NOMEM, "tree edge");
    *edge = l->edge; /* this thread is the only one that writes it */
    int rc = mdb_txn_begin(l->env, NULL, 0, &txn);
    if (rc != 0) {
        free(edge);
        return sq_fail_mdb(err, rc, "begin");
    }
    sq_status st = write_group(l, txn, c, edge, log_key, err);
    if (st != SQ_OK) {
        mdb_txn_abort(txn);
        free(edge);
        return st;
    }
    rc = mdb_txn_commit(txn);
    if (rc != 0) {
        l->poisoned = 1;
        free(edge);
        return sq_fail(err, SQ_E_CORRUPT,
                       "commit of entries after %" PRIu64 ": %s; whether it is stored is unknown until restart", l->seq,
                       mdb_strerror(rc));
    }
    pthread_mutex_lock(&l->mutex);
    l->edge = *edge;
    l->seq += c->entry_count;
    pthread_mutex_unlock(&l->mutex);
    free(edge);
    return SQ_OK;
}
