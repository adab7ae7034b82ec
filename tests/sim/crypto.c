/*
 * In place of peers/crypto.c: signatures that cost a hash instead of 75 microseconds.
 *
 * A signature is SHA-256 of the public key and the message, written twice. Anyone could make one; in the simulator only the code
 * that plays a party does, and whoever plays a forger leaves them wrong. What is signed, by whom and over which bytes is as in the
 * real library, so a message that is bound to the wrong key, network, type or body is refused here too.
 */
#include "peers/crypto.h"

#include <stdio.h>
#include <stdlib.h>

#include "clearing/base/hash.h"

sq_status sq_crypto_init(struct sq_error *err)
{
    (void)err;
    return SQ_OK;
}

static void mark(const uint8_t public_key[static SQ_KEY_SIZE], sq_bytes message, uint8_t out[static SQ_SIGNATURE_SIZE])
{
    const struct sq_sha256_part parts[2] = {{public_key, SQ_KEY_SIZE}, {message.data, message.size}};
    sq_sha256_parts(parts, 2, out);
    memcpy(out + SQ_HASH_SIZE, out, SQ_HASH_SIZE);
}

/* A secret is anything with its public key behind it, as in libsodium. */
sq_status sq_ed25519_sign(sq_bytes message, const uint8_t secret[static SQ_SECRET_SIZE],
                          uint8_t signature[static SQ_SIGNATURE_SIZE], struct sq_error *err)
{
    (void)err;
    mark(secret + SQ_SECRET_SIZE - SQ_KEY_SIZE, message, signature);
    return SQ_OK;
}

int sq_ed25519_check(sq_bytes message, const uint8_t signature[static SQ_SIGNATURE_SIZE],
                     const uint8_t public_key[static SQ_KEY_SIZE])
{
    uint8_t right[SQ_SIGNATURE_SIZE];
    mark(public_key, message, right);
    return memcmp(right, signature, sizeof right) == 0;
}

int sq_ed25519_key_ok(const uint8_t public_key[static SQ_KEY_SIZE])
{
    static const uint8_t none[SQ_KEY_SIZE];
    return memcmp(public_key, none, sizeof none) != 0;
}

void *sq_secret_new(size_t size)
{
    return calloc(1, size);
}
void sq_secret_free(void *secret)
{
    free(secret);
}

void sq_hex(const uint8_t *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * size] = '\0';
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

sq_status sq_unhex(const char *text, uint8_t *out, size_t size, struct sq_error *err)
{
    if (strlen(text) != 2 * size)
        return sq_fail(err, SQ_E_FORMAT, "%zu characters", strlen(text));
    for (size_t i = 0; i < size; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return sq_fail(err, SQ_E_FORMAT, "not hexadecimal");
        out[i] = (uint8_t)(high * 16 + low);
    }
    return SQ_OK;
}

/* ---- what a run never comes to: it reads no key files, and nothing in it is random but by its seed ---- */

static void not_here(const char *what)
{
    fprintf(stderr, "the simulator has no %s\n", what);
    abort();
}

void sq_wipe(void *data, size_t size)
{
    memset(data, 0, size);
}
void sq_random(void *out, size_t size)
{
    (void)out;
    (void)size;
    not_here("source of randomness");
}

void sq_ed25519_keypair(uint8_t public_key[static SQ_KEY_SIZE], uint8_t secret[static SQ_SECRET_SIZE])
{
    sq_random(public_key, SQ_KEY_SIZE);
    sq_random(secret, SQ_SECRET_SIZE);
}

void sq_curve_keypair(uint8_t public_key[static SQ_KEY_SIZE], uint8_t secret[static SQ_KEY_SIZE])
{
    sq_random(public_key, SQ_KEY_SIZE);
    sq_random(secret, SQ_KEY_SIZE);
}

int sq_ed25519_pair_ok(const uint8_t secret[static SQ_SECRET_SIZE], const uint8_t public_key[static SQ_KEY_SIZE])
{
    (void)secret;
    (void)public_key;
    not_here("key files");
    return 0;
}

int sq_curve_pair_ok(const uint8_t secret[static SQ_KEY_SIZE], const uint8_t public_key[static SQ_KEY_SIZE])
{
    (void)secret;
    (void)public_key;
    not_here("key files");
    return 0;
}

int sq_passphrase_key(const char *passphrase, const uint8_t salt[static SQ_SALT_SIZE], uint8_t key[static SQ_KEY_SIZE])
{
    (void)passphrase;
    (void)salt;
    (void)key;
    not_here("passphrases");
    return 0;
}

void sq_secretbox(const uint8_t *in, size_t size, const uint8_t nonce[static SQ_NONCE_SIZE],
                  const uint8_t key[static SQ_KEY_SIZE], uint8_t *out)
{
    (void)in;
    (void)size;
    (void)nonce;
    (void)key;
    (void)out;
    not_here("passphrases");
}

int sq_secretbox_open(const uint8_t *in, size_t size, const uint8_t nonce[static SQ_NONCE_SIZE],
                      const uint8_t key[static SQ_KEY_SIZE], uint8_t *out)
{
    sq_secretbox(in, size, nonce, key, out);
    return 0;
}
