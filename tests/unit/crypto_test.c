/* libsodium through its one door: published answers, and everything near them refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "peers/crypto.h"

static int begin(void **state)
{
    struct sq_error err = {0};
    (void)state;
    if (sq_crypto_init(&err) != SQ_OK)
        fail_msg("%s", err.text);
    return 0;
}

static void unhex(const char *text, uint8_t *out, size_t size)
{
    assert_int_equal(sq_unhex(text, out, size, NULL), SQ_OK);
}

/* ---- Ed25519 ---- */

/* RFC 8032 section 7.1: tests 1, 2, 3 and SHA(abc). */
static const struct {
    const char *seed, *public_key, *message, *signature;
} published[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2"
     "a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad"
     "9bef1177331a704"},
};

struct vector {
    uint8_t secret[SQ_SECRET_SIZE], public_key[SQ_KEY_SIZE], message[64], signature[SQ_SIGNATURE_SIZE];
    sq_bytes said;
};

static void take(size_t i, struct vector *v)
{
    size_t size = strlen(published[i].message) / 2;
    unhex(published[i].seed, v->secret, 32);
    unhex(published[i].public_key, v->public_key, 32);
    memcpy(v->secret + 32, v->public_key, 32);
    unhex(published[i].message, v->message, size);
    unhex(published[i].signature, v->signature, 64);
    v->said = sq_bytes_of(v->message, size);
}

static void signatures_are_those_of_the_standard(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        struct vector v;
        uint8_t signature[SQ_SIGNATURE_SIZE];
        take(i, &v);
        assert_int_equal(sq_ed25519_sign(v.said, v.secret, signature, NULL), SQ_OK);
        assert_memory_equal(signature, v.signature, sizeof signature);
        assert_int_equal(sq_ed25519_check(v.said, v.signature, v.public_key), 1);
        assert_int_equal(sq_ed25519_key_ok(v.public_key), 1);
        assert_int_equal(sq_ed25519_pair_ok(v.secret, v.public_key), 1);
    }
}

static void one_bit_off_anywhere_is_no_signature(void **state)
{
    (void)state;
    struct vector v;
    take(2, &v);
    for (size_t bit = 0; bit < 8 * sizeof v.signature; bit++) {
        v.signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sq_ed25519_check(v.said, v.signature, v.public_key), 0);
        v.signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * v.said.size; bit++) {
        v.message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sq_ed25519_check(v.said, v.signature, v.public_key), 0);
        v.message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 256; bit++) {
        v.public_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sq_ed25519_check(v.said, v.signature, v.public_key), 0);
        v.public_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(sq_ed25519_check(v.said, v.signature, v.public_key), 1);
    assert_int_equal(sq_ed25519_check(sq_bytes_of(v.message, 1), v.signature, v.public_key), 0);
}

/* S + L satisfies the same equation; there must be one signature of a message, not two. */
static void the_second_spelling_of_a_signature_is_refused(void **state)
{
    (void)state;
    static const char order[] = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    uint8_t l[32];
    struct vector v;
    take(1, &v);
    unhex(order, l, 32);
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += v.signature[32 + i] + l[i];
        v.signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(sq_ed25519_check(v.said, v.signature, v.public_key), 0);
}

static void a_secret_that_is_not_of_the_public_key_signs_nothing(void **state)
{
    (void)state;
    struct vector v, other;
    uint8_t signature[SQ_SIGNATURE_SIZE];
    struct sq_error err = {0};
    take(1, &v);
    take(2, &other);
    memcpy(v.secret + 32, other.public_key, 32);
    assert_int_equal(sq_ed25519_pair_ok(v.secret, other.public_key), 0);
    assert_int_equal(sq_ed25519_pair_ok(v.secret, v.public_key), 0);
    assert_int_equal(sq_ed25519_sign(v.said, v.secret, signature, &err), SQ_E_CRYPTO);
    assert_int_equal(err.status, SQ_E_CRYPTO);
}

static void only_points_of_the_prime_order_group_are_keys(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0000000000000000000000000000000000000000000000000000000000000000", /* order 4 */
        "0100000000000000000000000000000000000000000000000000000000000000", /* order 1 */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order 2 */
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", /* order 8 */
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", /* order 8 */
        "9599999999999999999999999999999999999999999999999999999999999999", /* base point plus (0, -1) */
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p: zero, written otherwise */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 1 */
        "0200000000000000000000000000000000000000000000000000000000000000", /* no point has this y */
    };
    uint8_t key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        unhex(wrong[i], key, sizeof key);
        if (sq_ed25519_key_ok(key))
            fail_msg("%s is taken for a key", wrong[i]);
    }
    for (int i = 0; i < 50; i++) {
        sq_ed25519_keypair(key, secret);
        assert_int_equal(sq_ed25519_key_ok(key), 1);
        assert_int_equal(sq_ed25519_pair_ok(secret, key), 1);
    }
}

/* ---- Curve25519 ---- */

static void transport_keys_belong_together(void **state)
{
    (void)state;
    uint8_t public_key[SQ_KEY_SIZE], secret[SQ_KEY_SIZE], other[SQ_KEY_SIZE], other_secret[SQ_KEY_SIZE];
    /* RFC 7748 section 5.2, the first iteration */
    unhex("0900000000000000000000000000000000000000000000000000000000000000", secret, 32);
    unhex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", public_key, 32);
    assert_int_equal(sq_curve_pair_ok(secret, public_key), 1);
    sq_curve_keypair(public_key, secret);
    sq_curve_keypair(other, other_secret);
    assert_int_equal(sq_curve_pair_ok(secret, public_key), 1);
    assert_int_equal(sq_curve_pair_ok(secret, other), 0);
    assert_memory_not_equal(public_key, other, SQ_KEY_SIZE);
}

/* ---- boxes and passphrases ---- */

static void a_box_opens_with_its_key_and_unchanged_only(void **state)
{
    (void)state;
    uint8_t key[SQ_KEY_SIZE] = {1}, nonce[SQ_NONCE_SIZE] = {2}, in[40] = "forty bytes of something secret, nearly",
            box[40 + SQ_BOX_EXTRA], out[40];
    sq_secretbox(in, sizeof in, nonce, key, box);
    assert_int_equal(sq_secretbox_open(box, sizeof box, nonce, key, out), 1);
    assert_memory_equal(out, in, sizeof in);
    for (size_t i = 0; i < sizeof box; i++) {
        box[i] ^= 0x10;
        assert_int_equal(sq_secretbox_open(box, sizeof box, nonce, key, out), 0);
        box[i] ^= 0x10;
    }
    assert_int_equal(sq_secretbox_open(box, sizeof box - 1, nonce, key, out), 0);
    key[31] ^= 1;
    assert_int_equal(sq_secretbox_open(box, sizeof box, nonce, key, out), 0);
    key[31] ^= 1;
    nonce[0] ^= 1;
    assert_int_equal(sq_secretbox_open(box, sizeof box, nonce, key, out), 0);
}

static void a_passphrase_and_a_salt_give_one_key(void **state)
{
    (void)state;
    uint8_t salt[SQ_SALT_SIZE] = {9}, one[SQ_KEY_SIZE], again[SQ_KEY_SIZE], salted[SQ_KEY_SIZE];
    assert_int_equal(sq_passphrase_key("correct horse", salt, one), 1);
    assert_int_equal(sq_passphrase_key("correct horse", salt, again), 1);
    assert_memory_equal(one, again, sizeof one);
    salt[15] ^= 1;
    assert_int_equal(sq_passphrase_key("correct horse", salt, salted), 1);
    assert_memory_not_equal(one, salted, sizeof one);
}

/* ---- memory and hexadecimal ---- */

static void secrets_begin_as_zeros_and_are_wiped(void **state)
{
    (void)state;
    uint8_t zeros[64] = {0}, *secret = sq_secret_new(sizeof zeros);
    assert_non_null(secret);
    assert_memory_equal(secret, zeros, sizeof zeros);
    sq_random(secret, sizeof zeros);
    assert_memory_not_equal(secret, zeros, sizeof zeros);
    sq_wipe(secret, sizeof zeros);
    assert_memory_equal(secret, zeros, sizeof zeros);
    sq_secret_free(secret);
    sq_secret_free(NULL);
}

static void hexadecimal_has_one_spelling(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",     "0",    "00f",   "00ff0", "00ff00", "00FF",
                                        "00fF", "0 ff", "00f\n", "0x0f",  "g0ff",   "00ff "};
    uint8_t out[2] = {7, 7};
    char text[5];
    assert_int_equal(sq_unhex("00ff", out, 2, NULL), SQ_OK);
    sq_hex(out, 2, text);
    assert_string_equal(text, "00ff");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sq_unhex(wrong[i], out, 2, NULL), SQ_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_the_standard),
        cmocka_unit_test(one_bit_off_anywhere_is_no_signature),
        cmocka_unit_test(the_second_spelling_of_a_signature_is_refused),
        cmocka_unit_test(a_secret_that_is_not_of_the_public_key_signs_nothing),
        cmocka_unit_test(only_points_of_the_prime_order_group_are_keys),
        cmocka_unit_test(transport_keys_belong_together),
        cmocka_unit_test(a_box_opens_with_its_key_and_unchanged_only),
        cmocka_unit_test(a_passphrase_and_a_salt_give_one_key),
        cmocka_unit_test(secrets_begin_as_zeros_and_are_wiped),
        cmocka_unit_test(hexadecimal_has_one_spelling),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
