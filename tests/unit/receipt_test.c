/* Receipts: what the log's own tree and key show is believed, and nothing that was changed anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"
#include "peers/client.h"

#define LOG         "sanquan-test/310000"
#define ENTRIES_MAX 40u

struct log {
    uint8_t public_key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE];
    uint8_t leaf[ENTRIES_MAX][SQ_LEAF_SIZE];
};

struct receipt { /* with room of its own, so that it can be damaged */
    Sanquan__V1__Receipt m;
    uint8_t leaf[SQ_LEAF_SIZE + 1], proof[(SQ_PROOF_MAX + 1) * SQ_HASH_SIZE];
    char checkpoint[SQ_NOTE_SIZE_MAX];
};

static int begin(void **state)
{
    struct log *l = calloc(1, sizeof *l);
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    sq_ed25519_keypair(l->public_key, l->secret);
    for (uint32_t i = 0; i < ENTRIES_MAX; i++) {
        memset(l->leaf[i], (int)i, SQ_LEAF_SIZE);
        sq_put_be64(l->leaf[i] + 8, i + 1); /* its sequence number */
    }
    *state = l;
    return 0;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

/* The tree of RFC 6962 by its definition: the largest power of two below n goes left. */
static uint32_t left_of(uint32_t n)
{
    uint32_t k = 1;
    while (2 * k < n)
        k *= 2;
    return k;
}

static void root(const struct log *l, uint32_t from, uint32_t n, uint8_t out[SQ_HASH_SIZE])
{
    uint8_t a[SQ_HASH_SIZE], b[SQ_HASH_SIZE];
    if (n == 1) {
        sq_tree_leaf_hash(sq_bytes_of(l->leaf[from], SQ_LEAF_SIZE), out);
        return;
    }
    root(l, from, left_of(n), a);
    root(l, from + left_of(n), n - left_of(n), b);
    sq_tree_node_hash(a, b, out);
}

static size_t path(const struct log *l, uint32_t from, uint32_t n, uint32_t index, uint8_t *out)
{
    if (n == 1)
        return 0;
    uint32_t k = left_of(n);
    size_t hashes = index < k ? path(l, from, k, index, out) : path(l, from + k, n - k, index - k, out);
    if (index < k)
        root(l, from + k, n - k, out + hashes * SQ_HASH_SIZE);
    else
        root(l, from, k, out + hashes * SQ_HASH_SIZE);
    return hashes + 1;
}

static void sign(const struct log *l, const char *origin, uint32_t size, const uint8_t *root_hash, struct receipt *r)
{
    struct sq_checkpoint c = {.size = size};
    char body[512];
    uint8_t signature[SQ_SIGNATURE_SIZE];
    snprintf(c.origin, sizeof c.origin, "%s", origin);
    memcpy(c.root, root_hash, SQ_HASH_SIZE);
    size_t body_size = sq_checkpoint_body(&c, body, sizeof body);
    assert_int_equal(sq_ed25519_sign(sq_bytes_of(body, body_size), l->secret, signature, NULL), SQ_OK);
    size_t note =
        sq_note_write(body, body_size, LOG, l->public_key, signature, r->checkpoint, sizeof r->checkpoint - 1);
    assert_true(note != 0);
    r->checkpoint[note] = '\0';
}

static void make(const struct log *l, uint32_t index, uint32_t size, struct receipt *r)
{
    uint8_t top[SQ_HASH_SIZE];
    memset(r, 0, sizeof *r);
    sanquan__v1__receipt__init(&r->m);
    memcpy(r->leaf, l->leaf[index], SQ_LEAF_SIZE);
    root(l, 0, size, top);
    sign(l, LOG, size, top, r);
    r->m.index = index;
    r->m.leaf = (ProtobufCBinaryData){SQ_LEAF_SIZE, r->leaf};
    r->m.proof = (ProtobufCBinaryData){path(l, 0, size, index, r->proof) * SQ_HASH_SIZE, r->proof};
    r->m.checkpoint = r->checkpoint;
}

static sq_status verify(const struct log *l, const struct receipt *r)
{
    return sq_receipt_verify(&r->m, LOG, l->public_key, NULL);
}

static void a_receipt_from_any_place_of_any_tree_is_good(void **state)
{
    const struct log *l = *state;
    for (uint32_t size = 1; size <= ENTRIES_MAX; size++)
        for (uint32_t index = 0; index < size; index++) {
            struct receipt r;
            make(l, index, size, &r);
            assert_int_equal(verify(l, &r), SQ_OK);
        }
}

static void is_refused(const struct log *l, const struct receipt *r, const char *what, size_t at)
{
    struct sq_error err = {0};
    if (sq_receipt_verify(&r->m, LOG, l->public_key, &err) != SQ_E_VERIFY)
        fail_msg("%s %zu may be anything", what, at);
    assert_int_equal(err.status, SQ_E_VERIFY);
}

static void one_bit_off_anywhere_is_refused(void **state)
{
    const struct log *l = *state;
    struct receipt r;
    make(l, 10, 21, &r);
    for (size_t bit = 0; bit < 8 * SQ_LEAF_SIZE; bit++) {
        r.leaf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        is_refused(l, &r, "leaf bit", bit);
        r.leaf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * r.m.proof.len; bit++) {
        r.proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
        is_refused(l, &r, "proof bit", bit);
        r.proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 64; bit++) {
        r.m.index ^= 1ull << bit;
        is_refused(l, &r, "index bit", bit);
        r.m.index ^= 1ull << bit;
    }
    for (size_t i = 0; r.checkpoint[i] != '\0'; i++)
        for (int bit = 0; bit < 8; bit++) {
            char was = r.checkpoint[i];
            r.checkpoint[i] = (char)(was ^ (1 << bit));
            is_refused(l, &r, "checkpoint byte", i);
            r.checkpoint[i] = was;
        }
    assert_int_equal(verify(l, &r), SQ_OK);
}

static void parts_that_are_too_short_or_too_long_are_refused(void **state)
{
    const struct log *l = *state;
    struct receipt r;
    make(l, 10, 21, &r);
    size_t proof = r.m.proof.len, note = strlen(r.checkpoint);
    for (size_t size = 0; size <= proof + SQ_HASH_SIZE; size++) {
        r.m.proof.len = size;
        if (size != proof)
            is_refused(l, &r, "a proof of bytes", size);
    }
    r.m.proof.len = proof;
    for (size_t size = 0; size <= SQ_LEAF_SIZE + 1; size++) {
        r.m.leaf.len = size;
        if (size != SQ_LEAF_SIZE)
            is_refused(l, &r, "a leaf of bytes", size);
    }
    r.m.leaf.len = SQ_LEAF_SIZE;
    for (size_t size = 0; size < note; size++) {
        char was = r.checkpoint[size];
        r.checkpoint[size] = '\0';
        is_refused(l, &r, "a checkpoint of bytes", size);
        r.checkpoint[size] = was;
    }
    assert_int_equal(verify(l, &r), SQ_OK);
}

static void a_leaf_in_another_s_place_is_refused(void **state)
{
    const struct log *l = *state;
    struct receipt r, other;
    make(l, 10, 21, &r);
    make(l, 11, 21, &other);
    r.m.leaf = other.m.leaf; /* the entry of another, with this one's proof */
    is_refused(l, &r, "leaf of entry", 11);
    make(l, 10, 21, &r);
    r.m.index = 11; /* this one's leaf and proof under another number */
    is_refused(l, &r, "index", 11);
    make(l, 10, 22, &other);
    r.m.index = 10;
    r.m.proof = other.m.proof; /* the proof in another tree */
    is_refused(l, &r, "proof in a tree of", 22);
}

static void another_log_or_key_is_refused(void **state)
{
    const struct log *l = *state;
    struct receipt r;
    uint8_t key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE], top[SQ_HASH_SIZE];
    char longest[200];
    make(l, 3, 9, &r);
    sq_ed25519_keypair(key, secret);
    assert_int_equal(sq_receipt_verify(&r.m, LOG, key, NULL), SQ_E_VERIFY);
    assert_int_equal(sq_receipt_verify(&r.m, "sanquan-test/370000", l->public_key, NULL), SQ_E_VERIFY);
    root(l, 0, 9, top);
    sign(l, "sanquan-test/370000", 9, top, &r); /* signed by this log's key, about another */
    is_refused(l, &r, "origin", 0);
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(sq_receipt_verify(&r.m, longest, l->public_key, NULL), SQ_E_FORMAT);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(a_receipt_from_any_place_of_any_tree_is_good),
        STORY(one_bit_off_anywhere_is_refused),
        STORY(parts_that_are_too_short_or_too_long_are_refused),
        STORY(a_leaf_in_another_s_place_is_refused),
        STORY(another_log_or_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
