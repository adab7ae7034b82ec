/* The tree and the notes: against published vectors, whole and damaged, and against the definition written out naively. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/ledger/tree.h"

#define VECTORS "../shared/vectors/"

/* NULL where the vectors are not there: said once, and the test goes on with what the project has itself. */
static json_t *load(const char *name, size_t flags)
{
    char path[256];
    json_error_t e;
    snprintf(path, sizeof path, VECTORS "%s", name);
    json_t *j = access(path, R_OK) == 0 ? json_load_file(path, flags, &e) : NULL;
    if (j == NULL && access(path, R_OK) == 0)
        fail_msg("%s: %s", path, e.text);
    if (j == NULL)
        print_message("left out: %s is not here\n", path);
    return j;
}

static size_t unbase64(const char *text, uint8_t *out, size_t size)
{
    size_t length = strlen(text);
    uint8_t *room = malloc(length + 4);
    int n = EVP_DecodeBlock(room, (const unsigned char *)text, (int)length);
    assert_true(n >= 0);
    size_t real = (size_t)n - (length > 0 && text[length - 1] == '=') - (length > 1 && text[length - 2] == '=');
    if (real > size)
        real = size + 1; /* too long: the caller sees it */
    else
        memcpy(out, room, real);
    free(room);
    return real;
}

/* Hashes of a proof; 0 when one of them is not 32 bytes. */
static int proof_of(json_t *list, uint8_t *out, size_t *count)
{
    *count = json_array_size(list);
    for (size_t i = 0; i < *count; i++)
        if (unbase64(json_string_value(json_array_get(list, i)), out + 32 * i, 32) != 32)
            return 0;
    return 1;
}

static int hash_of(json_t *j, const char *key, uint8_t out[32])
{
    const char *text = json_string_value(json_object_get(j, key));
    return text != NULL && unbase64(text, out, 32) == 32;
}

static uint64_t number_of(json_t *j)
{
    double v = json_number_value(j);
    return v < 9e15 ? (uint64_t)v : UINT64_MAX;
}

static void published_inclusion_proofs_pass_and_damaged_ones_fail(void **state)
{
    (void)state;
    json_t *all = load("merkle-inclusion.json", JSON_DECODE_INT_AS_REAL);
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *c = json_array_get(all, i);
        uint8_t leaf[32], root[32], proof[128 * 32];
        size_t count;
        /* Indexes go up to 2^64 - 1: read as reals, of which the large ones all stand for "far too large". */
        uint64_t index = number_of(json_object_get(c, "leafIdx")), size = number_of(json_object_get(c, "treeSize"));
        int usable = hash_of(c, "root", root) & hash_of(c, "leafHash", leaf) &
                     proof_of(json_object_get(c, "proof"), proof, &count);
        int good = usable && sq_tree_verify_inclusion(index, size, leaf, proof, count, root, NULL) == SQ_OK;
        if (good == json_is_true(json_object_get(c, "wantErr")))
            fail_msg("%s", json_string_value(json_object_get(c, "file")));
    }
    json_decref(all);
}

static void published_consistency_proofs_pass_and_damaged_ones_fail(void **state)
{
    (void)state;
    json_t *all = load("merkle-consistency.json", 0);
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *c = json_array_get(all, i);
        uint8_t one[32], two[32], proof[128 * 32];
        size_t count;
        const char *file = json_string_value(json_object_get(c, "file"));
        if (strstr(file, "additional/sizes-are-equal-one-and-proof-is-empty") != NULL)
            continue; /* the vectors' own note says to skip this one */
        int usable =
            hash_of(c, "root1", one) & hash_of(c, "root2", two) & proof_of(json_object_get(c, "proof"), proof, &count);
        int good = usable && sq_tree_verify_consistency((uint64_t)json_integer_value(json_object_get(c, "size1")),
                                                        (uint64_t)json_integer_value(json_object_get(c, "size2")), one,
                                                        two, proof, count, NULL) == SQ_OK;
        if (good == json_is_true(json_object_get(c, "wantErr")))
            fail_msg("%s", file);
    }
    json_decref(all);
}

static int check(sq_bytes message, const uint8_t signature[static 64], const uint8_t key[static 32])
{
    EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = k != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k) == 1 &&
             EVP_DigestVerify(ctx, signature, 64, message.data, message.size) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(k);
    return ok;
}

static void published_notes_are_opened_or_refused_as_they_should_be(void **state)
{
    (void)state;
    json_t *all = load("signed-note.json", 0), *notes = json_object_get(all, "notes");
    for (size_t i = 0; i < json_array_size(notes); i++) {
        json_t *c = json_array_get(notes, i), *vkeys = json_object_get(c, "vkeys"),
               *want = json_object_get(c, "want_verified");
        struct sq_note_key keys[16];
        size_t n = 0;
        uint64_t verified = 0, expected = 0;
        sq_bytes body;
        const char *note = json_string_value(json_object_get(c, "note"));
        for (size_t k = 0; k < json_array_size(vkeys); k++)
            n += sq_note_key_parse(json_string_value(json_array_get(vkeys, k)), &keys[n], NULL) == SQ_OK;
        for (size_t k = 0; k < n; k++)
            for (size_t w = 0; w < json_array_size(want); w++)
                if (strcmp(json_string_value(json_array_get(want, w)), keys[k].name) == 0)
                    expected |= 1ull << k;
        sq_status st = sq_note_open(sq_bytes_of(note, strlen(note)), keys, n, check, &body, &verified, NULL);
        if ((st == SQ_OK) != json_is_array(want) || (st == SQ_OK && verified != expected))
            fail_msg("%s", json_string_value(json_object_get(c, "desc")));
        for (size_t bit = 0; st == SQ_OK && bit < body.size * 8;
             bit += 3) { /* a flipped bit of the text is always found */
            char *damaged = strdup(note);
            damaged[bit / 8] = (char)(damaged[bit / 8] ^ (1 << bit % 8));
            sq_bytes b;
            uint64_t v;
            assert_int_not_equal(sq_note_open(sq_bytes_of(damaged, strlen(note)), keys, n, check, &b, &v, NULL), SQ_OK);
            free(damaged);
        }
    }
    json_decref(all);
}

/* RFC 9162 §2.1.1 as it is written. */
static void naive_root(uint8_t (*leaf)[32], size_t n, uint8_t out[32])
{
    if (n == 1) {
        memcpy(out, leaf[0], 32);
        return;
    }
    size_t k = 1;
    while (k * 2 < n)
        k *= 2;
    uint8_t left[32], right[32];
    naive_root(leaf, k, left);
    naive_root(leaf + k, n - k, right);
    sq_tree_node_hash(left, right, out);
}

static size_t naive_path(uint8_t (*leaf)[32], size_t n, size_t m, uint8_t *out)
{
    if (n == 1)
        return 0;
    size_t k = 1, used;
    while (k * 2 < n)
        k *= 2;
    if (m < k) {
        used = naive_path(leaf, k, m, out);
        naive_root(leaf + k, n - k, out + 32 * used);
    } else {
        used = naive_path(leaf + k, n - k, m - k, out);
        naive_root(leaf, k, out + 32 * used);
    }
    return used + 1;
}

static void proofs_made_by_the_definition_verify_and_no_other_index_does(void **state)
{
    (void)state;
    static uint8_t leaf[70][32];
    for (size_t i = 0; i < 70; i++)
        sq_tree_leaf_hash(sq_bytes_of(&i, sizeof i), leaf[i]);
    for (size_t n = 1; n <= 70; n++) {
        uint8_t root[32], path[64 * 32];
        naive_root(leaf, n, root);
        for (size_t m = 0; m < n; m++) {
            size_t count = naive_path(leaf, n, m, path);
            assert_int_equal(sq_tree_verify_inclusion(m, n, leaf[m], path, count, root, NULL), SQ_OK);
            assert_int_not_equal(sq_tree_verify_inclusion((m + 1) % (n + 1), n, leaf[m], path, count, root, NULL),
                                 n == 1 && (m + 1) % 2 == 0 ? 99 : SQ_OK);
            if (count > 0) {
                path[(m % count) * 32 + m % 32] ^= 1;
                assert_int_not_equal(sq_tree_verify_inclusion(m, n, leaf[m], path, count, root, NULL), SQ_OK);
            }
        }
    }
}

static void a_checkpoint_is_read_back_and_its_other_spellings_are_refused(void **state)
{
    (void)state;
    struct sq_checkpoint c = {.origin = "sanquan.cn/310000", .size = 1234}, again;
    char body[512];
    memset(c.root, 0xa5, sizeof c.root);
    size_t n = sq_checkpoint_body(&c, body, sizeof body);
    assert_true(n > 0);
    assert_int_equal(sq_checkpoint_parse(sq_bytes_of(body, n), &again, NULL), SQ_OK);
    assert_memory_equal(&c, &again, sizeof c);
    const char *const wrong[] = {
        "",
        "o\n",
        "o\n1\n",
        "o\n01\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=\n",
        "o\n-1\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=\n",
        "\n1\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=\n",
        "o\n1\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaV=\n", /* unused bits */
        "o\n1\npaWl\n",
        "o\n1\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sq_checkpoint_parse(sq_bytes_of(wrong[i], strlen(wrong[i])), &again, NULL), SQ_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_inclusion_proofs_pass_and_damaged_ones_fail),
        cmocka_unit_test(published_consistency_proofs_pass_and_damaged_ones_fail),
        cmocka_unit_test(published_notes_are_opened_or_refused_as_they_should_be),
        cmocka_unit_test(proofs_made_by_the_definition_verify_and_no_other_index_does),
        cmocka_unit_test(a_checkpoint_is_read_back_and_its_other_spellings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
