/* libsodium, and nothing else. Keys of one kind never serve for another: see the domain tags where they are used. */
#include "peers/crypto.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SQ_KEY_SIZE == crypto_sign_PUBLICKEYBYTES && SQ_KEY_SIZE == crypto_box_PUBLICKEYBYTES,
               "libsodium's sizes");
_Static_assert(SQ_SECRET_SIZE == crypto_sign_SECRETKEYBYTES && SQ_SIGNATURE_SIZE == crypto_sign_BYTES,
               "libsodium's sizes");

/* RFC 8032 §7.1, test 1: the empty message. */
static const char seed_hex[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
static const char public_hex[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
static const char signature_hex[] =
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
    "24655141438e7a100b";
/* The base point plus (0, -1): not in the prime-order group. A library with CVE-2025-69277 takes it for one that is. */
static const char mixed_hex[] = "9599999999999999999999999999999999999999999999999999999999999999";

static sq_status known_answers(struct sq_error *err)
{
    uint8_t seed[32], want_public[32], want_signature[64], mixed[32], public_key[32], secret[64], signature[64];
    sq_status st = sq_unhex(seed_hex, seed, sizeof seed, err);
    if (st == SQ_OK)
        st = sq_unhex(public_hex, want_public, sizeof want_public, err);
    if (st == SQ_OK)
        st = sq_unhex(signature_hex, want_signature, sizeof want_signature, err);
    if (st == SQ_OK)
        st = sq_unhex(mixed_hex, mixed, sizeof mixed, err);
    if (st != SQ_OK)
        return st;
    crypto_sign_seed_keypair(public_key, secret, seed);
    crypto_sign_detached(signature, NULL, NULL, 0, secret);
    int same = memcmp(public_key, want_public, 32) == 0 && memcmp(signature, want_signature, 64) == 0;
    signature[5] ^= 1;
    int checks = crypto_sign_verify_detached(want_signature, NULL, 0, public_key) == 0 &&
                 crypto_sign_verify_detached(signature, NULL, 0, public_key) != 0;
    sodium_memzero(secret, sizeof secret);
    if (!same || !checks)
        return sq_fail(err, SQ_E_CRYPTO, "libsodium does not give the signature of RFC 8032; reinstall libsodium23");
    if (!sq_ed25519_key_ok(want_public) || sq_ed25519_key_ok(mixed))
        return sq_fail(err, SQ_E_CRYPTO,
                       "libsodium accepts a key outside the group (CVE-2025-69277); upgrade libsodium23");
    return SQ_OK;
}

sq_status sq_crypto_init(struct sq_error *err)
{
    if (sodium_init() < 0)
        return sq_fail(err, SQ_E_CRYPTO, "libsodium cannot start");
    return known_answers(err);
}

void sq_ed25519_keypair(uint8_t public_key[static SQ_KEY_SIZE], uint8_t secret[static SQ_SECRET_SIZE])
{
    crypto_sign_keypair(public_key, secret);
}

void sq_curve_keypair(uint8_t public_key[static SQ_KEY_SIZE], uint8_t secret[static SQ_KEY_SIZE])
{
    crypto_box_keypair(public_key, secret);
}

sq_status sq_ed25519_sign(sq_bytes message, const uint8_t secret[static SQ_SECRET_SIZE],
                          uint8_t signature[static SQ_SIGNATURE_SIZE], struct sq_error *err)
{
    crypto_sign_detached(signature, NULL, message.data, message.size, secret);
    if (!sq_ed25519_check(message, signature, secret + 32))
        return sq_fail(err, SQ_E_CRYPTO, "a signature just made does not verify: do not trust this machine's memory");
    return SQ_OK;
}

int sq_ed25519_check(sq_bytes message, const uint8_t signature[static SQ_SIGNATURE_SIZE],
                     const uint8_t public_key[static SQ_KEY_SIZE])
{
    return crypto_sign_verify_detached(signature, message.data, message.size, public_key) == 0;
}

int sq_ed25519_pair_ok(const uint8_t secret[static SQ_SECRET_SIZE], const uint8_t public_key[static SQ_KEY_SIZE])
{
    uint8_t made[SQ_SECRET_SIZE], made_public[SQ_KEY_SIZE];
    crypto_sign_seed_keypair(made_public, made, secret); /* the seed is a secret's first half */
    int ok = memcmp(made_public, public_key, SQ_KEY_SIZE) == 0 && memcmp(secret + 32, public_key, SQ_KEY_SIZE) == 0;
    sodium_memzero(made, sizeof made);
    return ok;
}

int sq_curve_pair_ok(const uint8_t secret[static SQ_KEY_SIZE], const uint8_t public_key[static SQ_KEY_SIZE])
{
    uint8_t made[SQ_KEY_SIZE];
    return crypto_scalarmult_base(made, secret) == 0 && memcmp(made, public_key, SQ_KEY_SIZE) == 0;
}

int sq_ed25519_key_ok(const uint8_t public_key[static SQ_KEY_SIZE])
{
    return crypto_core_ed25519_is_valid_point(public_key) == 1;
}

void *sq_secret_new(size_t size)
{
    void *p = sodium_malloc(size);
    if (p != NULL)
        sodium_memzero(p, size);
    return p;
}

void sq_secret_free(void *secret)
{
    sodium_free(secret);
}
void sq_wipe(void *data, size_t size)
{
    sodium_memzero(data, size);
}
void sq_random(void *out, size_t size)
{
    randombytes_buf(out, size);
}

int sq_passphrase_key(const char *passphrase, const uint8_t salt[static SQ_SALT_SIZE], uint8_t key[static SQ_KEY_SIZE])
{
    return crypto_pwhash(key, SQ_KEY_SIZE, passphrase, strlen(passphrase), salt, crypto_pwhash_OPSLIMIT_MODERATE,
                         crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

void sq_secretbox(const uint8_t *in, size_t size, const uint8_t nonce[static SQ_NONCE_SIZE],
                  const uint8_t key[static SQ_KEY_SIZE], uint8_t *out)
{
    crypto_secretbox_easy(out, in, size, nonce, key);
}

int sq_secretbox_open(const uint8_t *in, size_t size, const uint8_t nonce[static SQ_NONCE_SIZE],
                      const uint8_t key[static SQ_KEY_SIZE], uint8_t *out)
{
    return crypto_secretbox_open_easy(out, in, size, nonce, key) == 0;
}

void sq_hex(const uint8_t *data, size_t size, char *out)
{
    sodium_bin2hex(out, 2 * size + 1, data, size);
}

sq_status sq_unhex(const char *text, uint8_t *out, size_t size, struct sq_error *err)
{
    size_t length = strlen(text), got = 0;
    if (length != 2 * size || strspn(text, "0123456789abcdef") != length ||
        sodium_hex2bin(out, size, text, length, NULL, &got, NULL) != 0 || got != size)
        return sq_fail(err, SQ_E_FORMAT, "not %zu bytes of lower-case hexadecimal", size);
    return SQ_OK;
}
