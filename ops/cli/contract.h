/* A contract's mark, by which it is known again without being shown: half of SHA-256(seller's code, contract's number). */
#ifndef SQ_CONTRACT_H
#define SQ_CONTRACT_H

#include <string.h>

#include "clearing/base/hash.h"

#define SQ_CONTRACT_BYTES 16u

static inline void sq_contract_mark(const char *seller, const char *number, uint8_t out[static SQ_CONTRACT_BYTES])
{
    uint8_t hash[SQ_HASH_SIZE];
    const struct sq_sha256_part parts[] = {{seller, strlen(seller)}, {number, strlen(number)}};
    sq_sha256_parts(parts, 2, hash);
    memcpy(out, hash, SQ_CONTRACT_BYTES);
}

#endif
