/*
 * The stored tree: C2SP tlog-tiles geometry in LMDB.
 *
 * Tile N of level L holds the hashes of 256 complete subtrees of height 8L. Full tiles are stored once, when they fill; what is
 * not full is the edge, which is rebuilt from leaf records and full tiles. So the tree is a function of the leaf table.
 */
#include <stdlib.h>

#include "clearing/ledger/internal.h"

static void tile_key(uint32_t level, uint64_t n, uint8_t key[static 9])
{
    key[0] = (uint8_t)level;
    sq_put_be64(key + 1, n);
}

/* Root of `count` (a power of two) hashes side by side. */
static void complete_root(const uint8_t (*hash)[SQ_HASH_SIZE], uint32_t count, uint8_t out[static SQ_HASH_SIZE])
{
    uint8_t work[SQ_TILE_WIDTH][SQ_HASH_SIZE];
    memcpy(work, hash, (size_t)count * SQ_HASH_SIZE);
    for (; count > 1; count /= 2)
        for (uint32_t i = 0; i < count / 2; i++)
            sq_tree_node_hash(work[2 * i], work[2 * i + 1], work[i]);
    memcpy(out, work[0], SQ_HASH_SIZE);
}

sq_status sq_edge_push(const struct sq_ledger *l, MDB_txn *txn, struct sq_edge *e,
                       const uint8_t hash[static SQ_HASH_SIZE], uint64_t index, struct sq_error *err)
{
    uint8_t carry[SQ_HASH_SIZE], key[9];
    memcpy(carry, hash, sizeof carry);
    for (uint32_t level = 0; level < SQ_TILE_LEVELS; level++) {
        memcpy(e->hash[level][e->count[level]++], carry, SQ_HASH_SIZE);
        if (e->count[level] < SQ_TILE_WIDTH)
            return SQ_OK;
        index /= SQ_TILE_WIDTH;
        tile_key(level, index, key);
        MDB_val k = {sizeof key, key}, v = {sizeof e->hash[level], e->hash[level]};
        int rc = mdb_put(txn, l->tile, &k, &v, 0);
        if (rc != 0)
            return sq_fail_mdb(err, rc, "store tile");
        complete_root((const uint8_t(*)[SQ_HASH_SIZE])e->hash[level], SQ_TILE_WIDTH, carry);
        e->count[level] = 0;
    }
    return SQ_OK;
}

void sq_edge_root(const struct sq_edge *e, uint8_t root[static SQ_HASH_SIZE])
{
    int have = 0;
    for (uint32_t level = 0; level < SQ_TILE_LEVELS; level++)
        for (uint32_t size = 1, end = e->count[level]; size < SQ_TILE_WIDTH; size *= 2) {
            if ((e->count[level] & size) == 0)
                continue;
            uint8_t part[SQ_HASH_SIZE]; /* the complete subtree of `size` hashes that ends at `end` */
            complete_root((const uint8_t(*)[SQ_HASH_SIZE]) & e->hash[level][end - size], size, part);
            end -= size;
            if (have)
                sq_tree_node_hash(part, root, root);
            else
                memcpy(root, part, SQ_HASH_SIZE);
            have = 1;
        }
    if (!have)
        sq_sha256("", 0, root);
}

/* ---- reading ---- */

static sq_status read_tile(const struct sq_ledger *l, MDB_txn *txn, uint32_t level, uint64_t n,
                           const uint8_t (**out)[SQ_HASH_SIZE], struct sq_error *err)
{
    uint8_t key[9];
    tile_key(level, n, key);
    MDB_val k = {sizeof key, key}, v;
    int rc = mdb_get(txn, l->tile, &k, &v);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "read tile");
    if (v.mv_size != SQ_TILE_WIDTH * SQ_HASH_SIZE)
        return sq_fail(err, SQ_E_CORRUPT, "tile %u/%" PRIu64 " has %zu bytes", level, n, v.mv_size);
    *out = (const uint8_t(*)[SQ_HASH_SIZE])v.mv_data;
    return SQ_OK;
}

static sq_status read_leaf_hash(const struct sq_ledger *l, MDB_txn *txn, uint64_t index,
                                uint8_t out[static SQ_HASH_SIZE], struct sq_error *err)
{
    uint8_t key[8];
    sq_put_be64(key, index + 1);
    MDB_val k = {sizeof key, key}, v;
    int rc = mdb_get(txn, l->leaf, &k, &v);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "read leaf record");
    sq_tree_leaf_hash(sq_bytes_of(v.mv_data, v.mv_size), out);
    return SQ_OK;
}

/* Hash number `i` of a level, made again: from its full tile below, or the leaf record. */
static sq_status make_hash(const struct sq_ledger *l, MDB_txn *txn, uint32_t level, uint64_t i,
                           uint8_t out[static SQ_HASH_SIZE], struct sq_error *err)
{
    const uint8_t(*below)[SQ_HASH_SIZE];
    if (level == 0)
        return read_leaf_hash(l, txn, i, out, err);
    sq_status st = read_tile(l, txn, level - 1, i, &below, err);
    if (st == SQ_OK)
        complete_root(below, SQ_TILE_WIDTH, out);
    return st;
}

/* From the writer's edge, which may have moved on meanwhile: a hash that is complete never changes. 0: not there. */
static int edge_hash(const struct sq_ledger *l, uint32_t level, uint64_t i, uint8_t out[static SQ_HASH_SIZE])
{
    union {
        const struct sq_ledger *in;
        struct sq_ledger *out;
    } same = {l}; /* locking changes the mutex only */
    if (l->read_only)
        return 0;
    pthread_mutex_lock(&same.out->mutex);
    uint64_t tile = (level == 0 ? l->seq : l->seq >> (8 * level)) / SQ_TILE_WIDTH;
    int there = i / SQ_TILE_WIDTH == tile && i % SQ_TILE_WIDTH < l->edge.count[level];
    if (there)
        memcpy(out, l->edge.hash[level][i % SQ_TILE_WIDTH], SQ_HASH_SIZE);
    pthread_mutex_unlock(&same.out->mutex);
    return there;
}

/* A hash whose tile is not stored yet. To make one of a higher level again takes all that is below its tile. */
static sq_status read_hash(const struct sq_ledger *l, MDB_txn *txn, uint32_t level, uint64_t i,
                           uint8_t out[static SQ_HASH_SIZE], struct sq_error *err)
{
    return edge_hash(l, level, i, out) ? SQ_OK : make_hash(l, txn, level, i, out, err);
}

sq_status sq_edge_load(const struct sq_ledger *l, MDB_txn *txn, uint64_t size, struct sq_edge *e, struct sq_error *err)
{
    sq_status st = SQ_OK;
    memset(e, 0, sizeof *e);
    for (uint32_t level = 0; level < SQ_TILE_LEVELS; level++, size /= SQ_TILE_WIDTH) {
        e->count[level] = (uint32_t)(size % SQ_TILE_WIDTH);
        for (uint32_t i = 0; st == SQ_OK && i < e->count[level]; i++)
            st = make_hash(l, txn, level, size - e->count[level] + i, e->hash[level][i], err);
    }
    return st;
}

/* ---- proofs ---- */

/* Root of the complete subtree of height h, the i-th of its height; all its leaves are below `size`. */
static sq_status subtree(const struct sq_ledger *l, MDB_txn *txn, uint64_t size, uint32_t h, uint64_t i,
                         uint8_t out[static SQ_HASH_SIZE], struct sq_error *err)
{
    uint32_t level = h / 8, width = 1u << (h % 8);
    uint64_t first = i * width, tile = first / SQ_TILE_WIDTH; /* among the level's hashes */
    uint64_t level_size = level == 0 ? size : size >> (8 * level);
    uint8_t work[SQ_TILE_WIDTH][SQ_HASH_SIZE];
    sq_status st = SQ_OK;
    if ((tile + 1) * SQ_TILE_WIDTH <= level_size) {
        const uint8_t(*full)[SQ_HASH_SIZE];
        if ((st = read_tile(l, txn, level, tile, &full, err)) == SQ_OK)
            complete_root(full + first % SQ_TILE_WIDTH, width, out);
        return st;
    }
    for (uint32_t k = 0; st == SQ_OK && k < width; k++)
        st = read_hash(l, txn, level, first + k, work[k], err);
    if (st == SQ_OK)
        complete_root((const uint8_t(*)[SQ_HASH_SIZE])work, width, out);
    return st;
}

static uint32_t log2_floor(uint64_t n)
{
    return 63u - (uint32_t)__builtin_clzll(n);
}

/* Root over leaves begin..end-1, where begin is a multiple of the range's largest complete subtree. */
static sq_status range_root(const struct sq_ledger *l, MDB_txn *txn, uint64_t size, uint64_t begin, uint64_t end,
                            uint8_t out[static SQ_HASH_SIZE], struct sq_error *err)
{
    uint8_t parts[64][SQ_HASH_SIZE];
    uint32_t n = 0;
    while (begin < end) { /* from left to right, complete subtrees of falling height */
        uint32_t h = log2_floor(end - begin);
        sq_status st = subtree(l, txn, size, h, begin >> h, parts[n++], err);
        if (st != SQ_OK)
            return st;
        begin += 1ull << h;
    }
    SQ_ASSERT(n > 0);
    memcpy(out, parts[n - 1], SQ_HASH_SIZE);
    for (uint32_t i = n - 1; i-- > 0;)
        sq_tree_node_hash(parts[i], out, out);
    return SQ_OK;
}

static sq_status prove(const struct sq_ledger *l, MDB_txn *txn, uint64_t index, uint64_t size, uint8_t *proof,
                       size_t *count, struct sq_error *err)
{
    uint64_t begin = 0, end = size;
    uint8_t path[SQ_PROOF_MAX][SQ_HASH_SIZE];
    uint32_t n = 0;
    while (end - begin > 1) { /* RFC 9162 §2.1.3.1, from the root down */
        uint64_t k = 1ull << log2_floor(end - begin - 1), middle = begin + k;
        sq_status st = index < middle ? range_root(l, txn, size, middle, end, path[n], err)
                                      : range_root(l, txn, size, begin, middle, path[n], err);
        if (st != SQ_OK)
            return st;
        n++;
        if (index < middle)
            end = middle;
        else
            begin = middle;
    }
    for (uint32_t i = 0; i < n; i++)
        memcpy(proof + i * SQ_HASH_SIZE, path[n - 1 - i], SQ_HASH_SIZE);
    *count = n;
    return SQ_OK;
}

static sq_status begin_read(const struct sq_ledger *l, uint64_t size, MDB_txn **txn, struct sq_error *err)
{
    uint64_t last;
    int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, txn);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "begin reading");
    sq_status st = sq_ledger_last(l, *txn, &last, err);
    if (st == SQ_OK && size > last)
        st = sq_fail(err, SQ_E_NOT_FOUND, "tree of %" PRIu64 " leaves; the ledger has %" PRIu64, size, last);
    if (st != SQ_OK)
        mdb_txn_abort(*txn);
    return st;
}

sq_status sq_ledger_inclusion(const struct sq_ledger *l, uint64_t index, uint64_t size,
                              uint8_t proof[static SQ_PROOF_MAX * SQ_HASH_SIZE], size_t *hash_count,
                              struct sq_error *err)
{
    MDB_txn *txn;
    if (index >= size)
        return sq_fail(err, SQ_E_NOT_FOUND, "leaf %" PRIu64 " in a tree of %" PRIu64, index, size);
    sq_status st = begin_read(l, size, &txn, err);
    if (st != SQ_OK)
        return st;
    st = prove(l, txn, index, size, proof, hash_count, err);
    mdb_txn_abort(txn);
    return st;
}

sq_status sq_ledger_root(const struct sq_ledger *l, uint64_t size, uint8_t root[static SQ_HASH_SIZE],
                         struct sq_error *err)
{
    MDB_txn *txn;
    sq_status st = begin_read(l, size, &txn, err);
    if (st != SQ_OK)
        return st;
    if (size == 0)
        sq_sha256("", 0, root);
    else
        st = range_root(l, txn, size, 0, size, root, err);
    mdb_txn_abort(txn);
    return st;
}

/* From the root down: the part of the range that both trees share is left out, what stands beside it is kept. */
static sq_status prove_consistency(const struct sq_ledger *l, MDB_txn *txn, uint64_t size1, uint64_t size2,
                                   uint8_t *proof, size_t *count, struct sq_error *err)
{
    uint64_t begin = 0, end = size2, rest = size1; /* the old tree ends `rest` leaves into begin..end */
    uint8_t path[SQ_PROOF_MAX][SQ_HASH_SIZE];
    uint32_t n = 0;
    sq_status st = SQ_OK;
    while (st == SQ_OK && rest != end - begin) {
        uint64_t k = 1ull << log2_floor(end - begin - 1), middle = begin + k;
        int left = rest <= k;
        st = left ? range_root(l, txn, size2, middle, end, path[n], err)
                  : range_root(l, txn, size2, begin, middle, path[n], err);
        n++;
        if (left) {
            end = middle;
        } else {
            begin = middle;
            rest -= k;
        }
    }
    if (st == SQ_OK && begin != 0) /* the old tree's last subtree is not the old tree itself */
        st = range_root(l, txn, size2, begin, end, path[n++], err);
    for (uint32_t i = 0; i < n; i++)
        memcpy(proof + i * SQ_HASH_SIZE, path[n - 1 - i], SQ_HASH_SIZE);
    *count = n;
    return st;
}

sq_status sq_ledger_consistency(const struct sq_ledger *l, uint64_t size1, uint64_t size2,
                                uint8_t proof[static SQ_PROOF_MAX * SQ_HASH_SIZE], size_t *hash_count,
                                struct sq_error *err)
{
    MDB_txn *txn;
    if (size1 == 0 || size1 > size2)
        return sq_fail(err, SQ_E_NOT_FOUND, "no consistency proof from %" PRIu64 " to %" PRIu64 " leaves", size1,
                       size2);
    sq_status st = begin_read(l, size2, &txn, err);
    if (st != SQ_OK)
        return st;
    st = prove_consistency(l, txn, size1, size2, proof, hash_count, err);
    mdb_txn_abort(txn);
    return st;
}

sq_status sq_ledger_tile(const struct sq_ledger *l, unsigned level, uint64_t n, unsigned width, uint8_t *out,
                         struct sq_error *err)
{
    MDB_txn *txn;
    if (level >= SQ_TILE_LEVELS || width == 0 || width > SQ_TILE_WIDTH || n > UINT64_MAX / SQ_TILE_WIDTH - 1)
        return sq_fail(err, SQ_E_NOT_FOUND, "tile %u/%" PRIu64 " of width %u", level, n, width);
    uint64_t hashes = n * SQ_TILE_WIDTH + width, most = level == 0 ? UINT64_MAX : UINT64_MAX >> (8 * level);
    if (hashes > most)
        return sq_fail(err, SQ_E_NOT_FOUND, "tile %u/%" PRIu64 " of width %u", level, n, width);
    sq_status st = begin_read(l, hashes << (8 * level), &txn, err);
    if (st != SQ_OK)
        return st;
    for (unsigned i = 0; st == SQ_OK && i < width; i++)
        st = read_hash(l, txn, level, n * SQ_TILE_WIDTH + i, out + i * SQ_HASH_SIZE, err);
    mdb_txn_abort(txn);
    return st;
}
