/*
 * One chunk of the invoice register as bytes. Pure functions.
 *
 *   chunk    be16 ratio: the amounts' share of the bases in 1/10000, that most rows follow | rows
 *   row      u8 what follows beyond the total:
 *              1 HEAD    be16 the key's first four digits, when other than the row's before
 *              2 GAP     varint: key.low less the row's before (or less 0 after HEAD), when it is not the next number
 *              4 BASE    varint: base, when other than the total
 *              8 AMOUNT  varint: zig-zag of amount less what the ratio gives, when other than that
 *             16 WHO     varints: programme, seller, acquirer, stack_limit_bp, when other than the row's before
 *             32 OTHER   varint: other
 *            varint total, then those, in that order
 *
 * A format of this build's memory and snapshots, not of the ledger.
 */
#ifndef SQ_REGISTER_PACK_H
#define SQ_REGISTER_PACK_H

#include "clearing/core/register.h"

#define SQ_CHUNK_ROWS       192u
#define SQ_CHUNK_PACKED_MAX (2u + SQ_CHUNK_ROWS * (1u + 2u + 4u * 10u + 5u * 5u))

/* Returns the size; `out` has room for SQ_CHUNK_PACKED_MAX. */
size_t sq_chunk_pack(const struct sq_invoice_row *rows, uint32_t count, uint8_t *out);

/* `bytes` are what sq_chunk_pack made of `count` rows. */
void sq_chunk_unpack(const uint8_t *bytes, uint32_t count, struct sq_invoice_row *rows);

/* Where the key is (*found = 1) or would be. */
uint32_t sq_chunk_find(const uint8_t *bytes, uint32_t count, const struct sq_invoice_key *key, int *found);

/* Can these bytes be `count` packed rows, no more and no less? For bytes that were stored. */
int sq_chunk_fits(const uint8_t *bytes, size_t size, uint32_t count);

#endif
