/*
 * One reading of what is signed: tag and network have fixed width, the body's hash ends it, so the header is what is between.
 */
#include "peers/message.h"

#include <stdlib.h>

#include "clearing/base/hash.h"
#include "proto/sanquan.pb-c.h"

static const char tag[] = "sanquan/message/v1"; /* signed with its NUL, which no text that we sign can hold */

#define SIGNED_MAX (sizeof tag + 32 + 4 + 256 + SQ_HASH_SIZE)

uint64_t sq_network_prefix(const uint8_t network_id[static 32])
{
    return sq_get_be64(network_id);
}

static size_t signed_bytes(uint32_t type, sq_bytes header, const uint8_t body_hash[static SQ_HASH_SIZE],
                           const uint8_t network_id[static 32], uint8_t out[static SIGNED_MAX])
{
    uint8_t *at = out;
    memcpy(at, tag, sizeof tag);
    at += sizeof tag;
    memcpy(at, network_id, 32);
    at += 32;
    sq_put_be32(at, type);
    at += 4;
    memcpy(at, header.data, header.size);
    at += header.size;
    memcpy(at, body_hash, SQ_HASH_SIZE);
    return (size_t)(at + SQ_HASH_SIZE - out);
}

/* Header in canonical form: at most 6 scalars and two names of 48 bytes. */
static size_t pack_header(const struct sq_header *h, uint64_t network, uint8_t out[static 256])
{
    union {
        const char *in;
        char *out;
    } sender = {h->sender}, receiver = {h->receiver}; /* messages do not say const; packing only reads */
    Sanquan__V1__Header m;
    sanquan__v1__header__init(&m);
    m.version = 1;
    m.type = h->type;
    m.algorithm = 1;
    m.sender = sender.out;
    m.receiver = receiver.out;
    m.id = h->id;
    m.sent_at_ms = h->sent_at_ms;
    m.network = network;
    return sanquan__v1__header__pack(&m, out);
}

static uint8_t *put_field(uint8_t *at, uint8_t field_tag, const void *data, size_t size)
{
    size_t n = size;
    *at++ = field_tag;
    for (; n >= 128; n >>= 7)
        *at++ = (uint8_t)(n | 128u);
    *at++ = (uint8_t)n;
    if (size != 0)
        memcpy(at, data, size);
    return at + size;
}

/* Signed bytes, and the signature behind them; in parts, because a header that nobody has checked may be long. */
static void name_of(uint32_t type, sq_bytes header, const uint8_t body_hash[static SQ_HASH_SIZE],
                    const uint8_t network_id[static 32], sq_bytes signature, uint8_t out[static SQ_HASH_SIZE])
{
    uint8_t type_bytes[4];
    sq_put_be32(type_bytes, type);
    const struct sq_sha256_part parts[] = {{(const uint8_t *)tag, sizeof tag}, {network_id, 32},
                                           {type_bytes, sizeof type_bytes},    {header.data, header.size},
                                           {body_hash, SQ_HASH_SIZE},          {signature.data, signature.size}};
    sq_sha256_parts(parts, sizeof parts / sizeof *parts, out);
}

void sq_message_name(const struct sq_envelope *e, const uint8_t body_hash[static SQ_HASH_SIZE],
                     const uint8_t network_id[static 32], uint8_t out[static SQ_HASH_SIZE])
{
    name_of(e->type, e->header, body_hash, network_id, e->signature, out);
}

sq_status sq_message_name_of(sq_bytes envelope, const uint8_t network_id[static 32], uint8_t out[static SQ_HASH_SIZE],
                             struct sq_error *err)
{
    struct sq_envelope e;
    uint8_t hash[SQ_HASH_SIZE];
    sq_status st = sq_envelope_open(envelope, &e, err);
    if (st != SQ_OK)
        return st;
    sq_sha256(e.body.data, e.body.size, hash);
    sq_message_name(&e, hash, network_id, out);
    return SQ_OK;
}

sq_status sq_message_seal(const struct sq_header *h, sq_bytes body, const uint8_t network_id[static 32],
                          const uint8_t secret[static SQ_SECRET_SIZE], const struct sq_wire_memory *memory,
                          sq_bytes *envelope, struct sq_error *err)
{
    return sq_message_seal_named(h, body, network_id, secret, memory, envelope, NULL, err);
}

sq_status sq_message_seal_named(const struct sq_header *h, sq_bytes body, const uint8_t network_id[static 32],
                                const uint8_t secret[static SQ_SECRET_SIZE], const struct sq_wire_memory *memory,
                                sq_bytes *envelope, uint8_t *name_out, struct sq_error *err)
{
    uint8_t header[256], to_sign[SIGNED_MAX], signature[SQ_SIGNATURE_SIZE], hash[SQ_HASH_SIZE];
    if (strlen(h->sender) > SQ_NAME_SIZE_MAX || strlen(h->receiver) > SQ_NAME_SIZE_MAX)
        return sq_fail(err, SQ_E_FORMAT, "a participant name is longer than %d bytes", SQ_NAME_SIZE_MAX);
    if (body.size > SQ_MESSAGE_SIZE_MAX - 512)
        return sq_fail(err, SQ_E_FORMAT, "a body of %zu bytes is too large to send", body.size);
    size_t header_size = pack_header(h, sq_network_prefix(network_id), header);
    sq_sha256(body.data, body.size, hash);
    size_t signed_size = signed_bytes(h->type, sq_bytes_of(header, header_size), hash, network_id, to_sign);
    sq_status st = sq_ed25519_sign(sq_bytes_of(to_sign, signed_size), secret, signature, err);
    if (st != SQ_OK)
        return st;
    uint8_t *out = memory->take(memory->ctx, header_size + body.size + SQ_SIGNATURE_SIZE + 16);
    if (out == NULL)
        return sq_fail(err, SQ_E_FULL, "memory for a message of %zu bytes", body.size);
    uint8_t *at = put_field(out, 0x0a, header, header_size);
    if (body.size != 0)
        at = put_field(at, 0x12, body.data, body.size);
    at = put_field(at, 0x1a, signature, sizeof signature);
    *envelope = sq_bytes_of(out, (size_t)(at - out));
    if (name_out != NULL)
        name_of(h->type, sq_bytes_of(header, header_size), hash, network_id, sq_bytes_of(signature, sizeof signature),
                name_out);
    return SQ_OK;
}

sq_status sq_message_check_shown(const struct sq_envelope *e, const uint8_t body_hash[static SQ_HASH_SIZE],
                                 const uint8_t network_id[static 32], const uint8_t public_key[static SQ_KEY_SIZE],
                                 struct sq_error *err)
{
    uint8_t to_check[SIGNED_MAX];
    if (e->network != sq_network_prefix(network_id))
        return sq_fail(err, SQ_R_WRONG_NETWORK, "network %016" PRIx64 ", this one is %016" PRIx64, e->network,
                       sq_network_prefix(network_id));
    if (e->header.size > 256)
        return sq_fail(err, SQ_R_MALFORMED, "a header of %zu bytes", e->header.size);
    size_t size = signed_bytes(e->type, e->header, body_hash, network_id, to_check);
    if (!sq_ed25519_check(sq_bytes_of(to_check, size), e->signature.data, public_key))
        return sq_fail(err, SQ_R_BAD_SIGNATURE, "message %" PRIu64 " of %s", e->id, e->sender);
    return SQ_OK;
}

sq_status sq_message_check(const struct sq_envelope *e, const uint8_t network_id[static 32],
                           const uint8_t public_key[static SQ_KEY_SIZE], struct sq_error *err)
{
    uint8_t hash[SQ_HASH_SIZE];
    sq_sha256(e->body.data, e->body.size, hash);
    return sq_message_check_shown(e, hash, network_id, public_key, err);
}

int sq_message_signed_by(const struct sq_envelope *e, const uint8_t network_id[static 32],
                         const uint8_t public_key[static SQ_KEY_SIZE])
{
    return sq_message_check(e, network_id, public_key, NULL) == SQ_OK;
}
