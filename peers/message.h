/*
 * Envelopes signed and checked.
 *
 * Signed bytes:  "sanquan/message/v1\0" ‖ network id (32) ‖ be32 type ‖ header bytes ‖ SHA-256(body)
 * The NUL ends the tag (no text format we sign can hold one), the two hashes have fixed width, so there is one reading.
 * Bytes are signed and checked as they are on the wire; nothing is packed again.
 *
 * A message's name, by which receipts and kept answers know it: SHA-256(signed bytes ‖ signature). Two messages have one name only when
 * all their bytes are the same, since an envelope has one spelling; and a batch's body is hashed once for signature and name.
 */
#ifndef SQ_MESSAGE_H
#define SQ_MESSAGE_H

#include "clearing/base/hash.h"
#include "peers/crypto.h"
#include "proto/wire.h"

struct sq_header {
    uint32_t type;
    const char *sender, *receiver;
    uint64_t id, sent_at_ms;
};

/* Envelope bytes into `memory`. Errors: SQ_E_FULL, SQ_E_CRYPTO, SQ_E_FORMAT (name too long, body too large). */
SQ_MUST_CHECK sq_status sq_message_seal(const struct sq_header *h, sq_bytes body, const uint8_t network_id[static 32],
                                        const uint8_t secret[static SQ_SECRET_SIZE],
                                        const struct sq_wire_memory *memory, sq_bytes *envelope, struct sq_error *err);

/* The same, and its name into name_out (32 bytes; NULL: not wanted). */
SQ_MUST_CHECK sq_status sq_message_seal_named(const struct sq_header *h, sq_bytes body,
                                              const uint8_t network_id[static 32],
                                              const uint8_t secret[static SQ_SECRET_SIZE],
                                              const struct sq_wire_memory *memory, sq_bytes *envelope,
                                              uint8_t *name_out, struct sq_error *err);

/* The name of an opened envelope whose body has this SHA-256; of envelope bytes (errors: as sq_envelope_open). */
void sq_message_name(const struct sq_envelope *e, const uint8_t body_hash[static SQ_HASH_SIZE],
                     const uint8_t network_id[static 32], uint8_t out[static SQ_HASH_SIZE]);
SQ_MUST_CHECK sq_status sq_message_name_of(sq_bytes envelope, const uint8_t network_id[static 32],
                                           uint8_t out[static SQ_HASH_SIZE], struct sq_error *err);

/*
 * Network and signature of an opened envelope. Errors: SQ_R_WRONG_NETWORK, SQ_R_BAD_SIGNATURE.
 */
SQ_MUST_CHECK sq_status sq_message_check(const struct sq_envelope *e, const uint8_t network_id[static 32],
                                         const uint8_t public_key[static SQ_KEY_SIZE], struct sq_error *err);

/* The same of a message whose body has this SHA-256: it is shown without it (sq_header_open), or was hashed already. */
SQ_MUST_CHECK sq_status sq_message_check_shown(const struct sq_envelope *e,
                                               const uint8_t body_hash[static SQ_HASH_SIZE],
                                               const uint8_t network_id[static 32],
                                               const uint8_t public_key[static SQ_KEY_SIZE], struct sq_error *err);

uint64_t sq_network_prefix(const uint8_t network_id[static 32]); /* Header.network */

/* The same as a yes or no: fits sq_core_set_signature_check. */
int sq_message_signed_by(const struct sq_envelope *e, const uint8_t network_id[static 32],
                         const uint8_t public_key[static SQ_KEY_SIZE]);

#endif
