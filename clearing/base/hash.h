/*
 * SHA-256 (FIPS 180-4), by OpenSSL's libcrypto because it uses the CPU's own instructions.
 * The one door to libcrypto.
 */
#ifndef SQ_HASH_H
#define SQ_HASH_H

#include <stddef.h>
#include <stdint.h>

#define SQ_HASH_SIZE 32

void sq_sha256(const void *data, size_t size, uint8_t out[static SQ_HASH_SIZE]);

/* The hash of the parts one after another. */
struct sq_sha256_part {
    const void *data;
    size_t size;
};
void sq_sha256_parts(const struct sq_sha256_part *parts, size_t count, uint8_t out[static SQ_HASH_SIZE]);

/* The same, piece by piece. */
struct sq_sha256 {
    uint64_t state[16]; /* libcrypto's own */
};
void sq_sha256_begin(struct sq_sha256 *s);
void sq_sha256_add(struct sq_sha256 *s, const void *data, size_t size);
void sq_sha256_end(struct sq_sha256 *s, uint8_t out[static SQ_HASH_SIZE]);

#endif
