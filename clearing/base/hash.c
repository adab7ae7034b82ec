/* The low-level interface is deprecated in OpenSSL 3 but keeps its state on our stack: no allocation a hash. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "clearing/base/hash.h"

#include <openssl/sha.h>

#include "proto/status.h"

void sq_sha256(const void *data, size_t size, uint8_t out[static SQ_HASH_SIZE])
{
    struct sq_sha256_part part = {data, size};
    sq_sha256_parts(&part, 1, out);
}

void sq_sha256_parts(const struct sq_sha256_part *parts, size_t count, uint8_t out[static SQ_HASH_SIZE])
{
    SHA256_CTX ctx;
    int ok = SHA256_Init(&ctx);
    for (size_t i = 0; i < count; i++)
        ok &= parts[i].size == 0 || SHA256_Update(&ctx, parts[i].data, parts[i].size);
    ok &= SHA256_Final(out, &ctx);
    SQ_ASSERT(ok == 1); /* these never fail; a library that is not itself must not go unnoticed */
}
