/*
 * Ed25519 and Curve25519 keys, by libsodium. The one door to <sodium.h>.
 *
 * sq_crypto_init runs known-answer tests (RFC 8032 §7.1, and that the library refuses the invalid point of
 * CVE-2025-69277) and fails closed: no daemon and no command line works with a library that is not itself.
 */
#ifndef SQ_CRYPTO_H
#define SQ_CRYPTO_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SQ_KEY_SIZE       32
#define SQ_SECRET_SIZE    64 /* Ed25519 seed and public key, as libsodium keeps them */
#define SQ_SIGNATURE_SIZE 64

SQ_MUST_CHECK sq_status sq_crypto_init(struct sq_error *err);

void sq_ed25519_keypair(uint8_t public_key[static SQ_KEY_SIZE], uint8_t secret[static SQ_SECRET_SIZE]);
void sq_curve_keypair(uint8_t public_key[static SQ_KEY_SIZE], uint8_t secret[static SQ_KEY_SIZE]);

/* Signs, then verifies what it signed (a flipped bit must not leave the process). */
SQ_MUST_CHECK sq_status sq_ed25519_sign(sq_bytes message, const uint8_t secret[static SQ_SECRET_SIZE],
                                        uint8_t signature[static SQ_SIGNATURE_SIZE], struct sq_error *err);
/* 1 good, 0 not. Fits sq_ed25519_verify of clearing/ledger/tree.h. */
int sq_ed25519_check(sq_bytes message, const uint8_t signature[static SQ_SIGNATURE_SIZE],
                     const uint8_t public_key[static SQ_KEY_SIZE]);
/* Do the two halves belong together? A secret key holds its public half, which is checked too. */
int sq_ed25519_pair_ok(const uint8_t secret[static SQ_SECRET_SIZE], const uint8_t public_key[static SQ_KEY_SIZE]);
int sq_curve_pair_ok(const uint8_t secret[static SQ_KEY_SIZE], const uint8_t public_key[static SQ_KEY_SIZE]);
/* Is this a point of the prime-order group, so that every tool agrees on its signatures? */
int sq_ed25519_key_ok(const uint8_t public_key[static SQ_KEY_SIZE]);

/* Guarded, locked, zeroed when freed; NULL when memory is out. */
void *sq_secret_new(size_t size);
void sq_secret_free(void *secret);
void sq_wipe(void *data, size_t size);
void sq_random(void *out, size_t size);

/* A key from a passphrase: Argon2id, libsodium's moderate limits. 0 when memory is out. */
#define SQ_SALT_SIZE  16
#define SQ_NONCE_SIZE 24
#define SQ_BOX_EXTRA  16 /* a box is this much longer than what is in it */
int sq_passphrase_key(const char *passphrase, const uint8_t salt[static SQ_SALT_SIZE], uint8_t key[static SQ_KEY_SIZE]);
void sq_secretbox(const uint8_t *in, size_t size, const uint8_t nonce[static SQ_NONCE_SIZE],
                  const uint8_t key[static SQ_KEY_SIZE], uint8_t *out);
/* 0 when it was not closed with this key. */
int sq_secretbox_open(const uint8_t *in, size_t size, const uint8_t nonce[static SQ_NONCE_SIZE],
                      const uint8_t key[static SQ_KEY_SIZE], uint8_t *out);

void sq_hex(const uint8_t *data, size_t size, char *out /* 2 * size + 1 */);
/* Exactly `size` bytes of lower-case hexadecimal, or SQ_E_FORMAT. */
SQ_MUST_CHECK sq_status sq_unhex(const char *text, uint8_t *out, size_t size, struct sq_error *err);

#endif
