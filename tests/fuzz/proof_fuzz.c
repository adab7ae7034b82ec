/*
 * Proofs. There is one inclusion proof of a leaf in a tree and one consistency proof of two trees: whatever else is offered is refused.
 * Input: tree size, two numbers below it, then the proof that is offered; "x" in its place: the true one, of which one byte may be changed.
 */
#include "clearing/ledger/tree.h"
#include "tests/fuzz/fuzz.h"

#define LEAVES 64u

struct tree {
    uint8_t leaf[LEAVES][SQ_HASH_SIZE];
};

static void root_of(const struct tree *t, size_t begin, size_t end, uint8_t out[static SQ_HASH_SIZE])
{
    uint8_t left[SQ_HASH_SIZE], right[SQ_HASH_SIZE];
    size_t k = 1;
    if (end - begin == 1) {
        memcpy(out, t->leaf[begin], SQ_HASH_SIZE);
        return;
    }
    while (k * 2 < end - begin)
        k *= 2;
    root_of(t, begin, begin + k, left);
    root_of(t, begin + k, end, right);
    sq_tree_node_hash(left, right, out);
}

/* PATH of RFC 9162 section 2.1.3.1, as it is written there. */
static size_t path(const struct tree *t, size_t m, size_t begin, size_t end, uint8_t (*out)[SQ_HASH_SIZE])
{
    size_t k = 1, n;
    if (end - begin == 1)
        return 0;
    while (k * 2 < end - begin)
        k *= 2;
    if (m < k) {
        n = path(t, m, begin, begin + k, out);
        root_of(t, begin + k, end, out[n]);
    } else {
        n = path(t, m - k, begin + k, end, out);
        root_of(t, begin, begin + k, out[n]);
    }
    return n + 1;
}

/* SUBPROOF of section 2.1.4.1. */
static size_t subproof(const struct tree *t, size_t m, size_t begin, size_t end, int whole,
                       uint8_t (*out)[SQ_HASH_SIZE])
{
    size_t k = 1, n;
    if (m == end - begin) {
        if (whole)
            return 0;
        root_of(t, begin, end, out[0]);
        return 1;
    }
    while (k * 2 < end - begin)
        k *= 2;
    if (m <= k) {
        n = subproof(t, m, begin, begin + k, whole, out);
        root_of(t, begin + k, end, out[n]);
    } else {
        n = subproof(t, m - k, begin + k, end, 0, out);
        root_of(t, begin, begin + k, out[n]);
    }
    return n + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tree t;
    uint8_t root[SQ_HASH_SIZE], old_root[SQ_HASH_SIZE], truth[16][SQ_HASH_SIZE], offered[64 * SQ_HASH_SIZE];
    struct sq_error err = {0};
    if (size < 4)
        return 0;
    size_t leaves = data[0] % LEAVES + 1u, index = data[1] % leaves, old = data[2] % leaves + 1u;
    int inclusion = data[3] & 1;
    for (size_t i = 0; i < leaves; i++)
        sq_tree_leaf_hash(sq_bytes_of(&data[0], i % 3), t.leaf[i]); /* leaves may be alike */
    root_of(&t, 0, leaves, root);
    root_of(&t, 0, old, old_root);
    size_t n = inclusion ? path(&t, index, 0, leaves, truth) : subproof(&t, old, 0, leaves, 1, truth);
    size_t count = (size - 4) / SQ_HASH_SIZE;
    if (size >= 5 && data[4] == 'x') {
        count = n;
        memcpy(offered, truth, n * SQ_HASH_SIZE);
        if (size >= 7 && data[5] < n * SQ_HASH_SIZE)
            offered[data[5]] ^= data[6];
    } else {
        count = count < 64 ? count : 64;
        memcpy(offered, data + 4, count * SQ_HASH_SIZE);
    }
    int is_true = count == n && memcmp(offered, truth, n * SQ_HASH_SIZE) == 0;
    sq_status st = inclusion ? sq_tree_verify_inclusion(index, leaves, t.leaf[index], offered, count, root, &err)
                             : sq_tree_verify_consistency(old, leaves, old_root, root, offered, count, &err);
    HOLDS(st == SQ_OK || st == SQ_E_VERIFY);
    HOLDS((st == SQ_OK) == is_true);
    return 0;
}
