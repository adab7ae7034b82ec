/* The low-level interface is deprecated in OpenSSL 3 but keeps its state on our stack: no allocation a hash. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "clearing/base/hash.h"

#include <openssl/sha.h>

#include "proto/status.h"

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sq_sha256), "libcrypto's state fits into ours");

/* libcrypto's functions never fail; a library that is not itself must not go unnoticed. */

static SHA256_CTX *state_of(struct sq_sha256 *s)
{
    // cppcheck-suppress ctuuninitvar ; an address, not what is there
    return (SHA256_CTX *)(void *)s->state;
}

void sq_sha256_begin(struct sq_sha256 *s)
{
    SQ_ASSERT(SHA256_Init(state_of(s)) == 1);
}

void sq_sha256_add(struct sq_sha256 *s, const void *data, size_t size)
{
    SQ_ASSERT(size == 0 || SHA256_Update(state_of(s), data, size) == 1);
}

void sq_sha256_end(struct sq_sha256 *s, uint8_t out[static SQ_HASH_SIZE])
{
    SQ_ASSERT(SHA256_Final(out, state_of(s)) == 1);
}

void sq_sha256_parts(const struct sq_sha256_part *parts, size_t count, uint8_t out[static SQ_HASH_SIZE])
{
    struct sq_sha256 s;
    sq_sha256_begin(&s);
    for (size_t i = 0; i < count; i++)
        sq_sha256_add(&s, parts[i].data, parts[i].size);
    sq_sha256_end(&s, out);
}

void sq_sha256(const void *data, size_t size, uint8_t out[static SQ_HASH_SIZE])
{
    struct sq_sha256_part part = {data, size};
    sq_sha256_parts(&part, 1, out);
}
