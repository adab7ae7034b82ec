/* The tree's arithmetic; nothing is stored here. */
#include "clearing/ledger/tree.h"

#include <inttypes.h>

void sq_tree_leaf_hash(sq_bytes record, uint8_t out[static SQ_HASH_SIZE])
{
    static const uint8_t prefix = 0x00;
    const struct sq_sha256_part parts[2] = {{&prefix, 1}, {record.data, record.size}};
    sq_sha256_parts(parts, 2, out);
}

void sq_tree_node_hash(const uint8_t left[static SQ_HASH_SIZE], const uint8_t right[static SQ_HASH_SIZE],
                       uint8_t out[static SQ_HASH_SIZE])
{
    static const uint8_t prefix = 0x01;
    const struct sq_sha256_part parts[3] = {{&prefix, 1}, {left, SQ_HASH_SIZE}, {right, SQ_HASH_SIZE}};
    sq_sha256_parts(parts, 3, out);
}

static sq_status wrong(struct sq_error *err, const char *what)
{
    return sq_fail(err, SQ_E_VERIFY, "%s", what);
}

/* RFC 9162 §2.1.3.2, step by step. */
sq_status sq_tree_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_hash[static SQ_HASH_SIZE],
                                   const uint8_t *proof, size_t hash_count, const uint8_t root[static SQ_HASH_SIZE],
                                   struct sq_error *err)
{
    uint64_t fn = index, sn = size - 1;
    uint8_t r[SQ_HASH_SIZE];
    if (index >= size)
        return wrong(err, "leaf index is not below the tree size");
    memcpy(r, leaf_hash, sizeof r);
    for (size_t i = 0; i < hash_count; i++) {
        const uint8_t *p = proof + i * SQ_HASH_SIZE;
        if (sn == 0)
            return wrong(err, "inclusion proof is too long");
        if ((fn & 1) != 0 || fn == sn) {
            sq_tree_node_hash(p, r, r);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sq_tree_node_hash(r, p, r);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return wrong(err, "inclusion proof is too short");
    return memcmp(r, root, sizeof r) == 0 ? SQ_OK : wrong(err, "inclusion proof leads to another root");
}

/* RFC 9162 §2.1.4.2. */
sq_status sq_tree_verify_consistency(uint64_t size1, uint64_t size2, const uint8_t root1[static SQ_HASH_SIZE],
                                     const uint8_t root2[static SQ_HASH_SIZE], const uint8_t *proof, size_t hash_count,
                                     struct sq_error *err)
{
    if (size1 > size2)
        return wrong(err, "the older tree is larger");
    if (size1 == size2)
        return hash_count == 0 && memcmp(root1, root2, SQ_HASH_SIZE) == 0
                   ? SQ_OK
                   : wrong(err, "equal sizes, other roots, or a needless proof");
    if (size1 == 0)
        return hash_count == 0 ? SQ_OK : wrong(err, "an empty tree needs no proof");
    int whole = (size1 & (size1 - 1)) == 0; /* the older tree is complete: its root stands for the first hash */
    if (hash_count == 0)
        return wrong(err, "consistency proof is empty");
    uint64_t fn = size1 - 1, sn = size2 - 1;
    uint8_t fr[SQ_HASH_SIZE], sr[SQ_HASH_SIZE];
    while ((fn & 1) != 0) {
        fn >>= 1;
        sn >>= 1;
    }
    memcpy(fr, whole ? root1 : proof, sizeof fr);
    memcpy(sr, fr, sizeof sr);
    for (size_t i = whole ? 0 : 1; i < hash_count; i++) {
        const uint8_t *c = proof + i * SQ_HASH_SIZE;
        if (sn == 0)
            return wrong(err, "consistency proof is too long");
        if ((fn & 1) != 0 || fn == sn) {
            sq_tree_node_hash(c, fr, fr);
            sq_tree_node_hash(c, sr, sr);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sq_tree_node_hash(sr, c, sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return wrong(err, "consistency proof is too short");
    return memcmp(fr, root1, sizeof fr) == 0 && memcmp(sr, root2, sizeof sr) == 0
               ? SQ_OK
               : wrong(err, "consistency proof leads to other roots");
}
