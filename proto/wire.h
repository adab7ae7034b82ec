/*
 * From bytes to messages, and only from the one spelling of a message.
 *
 * sq_wire_check walks the bytes once, guided by the message's descriptor, before anything is unpacked
 * (protobuf-c alone takes 92 times the memory, or seconds, for a hostile megabyte). It refuses unknown
 * fields, fields out of ascending order, a singular field twice, explicit defaults, varints longer than
 * needed, wrong wire types, unpacked scalars, empty packed fields, depth over SQ_WIRE_DEPTH_MAX, strings that
 * are not UTF-8 or hold control characters, columns of more than SQ_WIRE_CELLS_MAX cells, more than SQ_WIRE_ELEMENTS_MAX
 * repeated submessages, strings and byte strings in all. What it accepts re-encodes to the same bytes, and unpacks within
 * SQ_WIRE_MEMORY_MAX. Of the types of Protocol Buffers it knows those that our messages use; others are refused.
 *
 * Memory comes from a bump region through ProtobufCAllocator; nothing is freed one by one.
 */
#ifndef SQ_WIRE_H
#define SQ_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "proto/bytes.h"
#include "proto/status.h"

#define SQ_MESSAGE_SIZE_MAX (1u << 20) /* one envelope: 8,192 rows of 100 bytes and its frame fit */
#define SQ_BATCH_ROWS_MAX   8192u      /* rows of any column */
#define SQ_WIRE_DEPTH_MAX   4          /* our deepest message is Proposal.value.pairs */
#define SQ_WIRE_CELLS_MAX                                                                                              \
    131072u /* 1 MiB of 8-byte cells: bounds columns of varints, which unpack to more than they take */
#define SQ_WIRE_ELEMENTS_MAX 32768u     /* 1 MiB of 32 bytes each: smaller ones are empty shells, made to take memory */
#define SQ_WIRE_MEMORY_MAX   (9u << 20) /* of unpacking any message that passes */
#define SQ_NAME_SIZE_MAX     48         /* a participant name, without the NUL */
#define SQ_KIND_COUNT        7          /* kinds 1..7; index = kind - 1 */

/* Is `bytes` the canonical form of a message of this type? SQ_OK or SQ_R_MALFORMED (offset and field in err). */
SQ_MUST_CHECK sq_status sq_wire_check(const ProtobufCMessageDescriptor *type, sq_bytes bytes, struct sq_error *err);
/* The same of what is longer than a message may be, of at most `size_max` bytes, and a submessage or text for each 32 of them. */
SQ_MUST_CHECK sq_status sq_wire_check_long(const ProtobufCMessageDescriptor *type, sq_bytes bytes, size_t size_max,
                                           struct sq_error *err);

/*
 * The fields of a message that passed sq_wire_check, one by one where they lie: takes one off `rest` and returns its number, 0 at the end.
 * Varints and fixed64 come in *number; columns, strings, bytes and messages in *bytes.
 */
uint32_t sq_wire_field(sq_bytes *rest, uint64_t *number, sq_bytes *bytes);

/* Where messages are unpacked to; `take(ctx, size)` returns NULL when full. */
struct sq_wire_memory {
    void *(*take)(void *ctx, size_t size);
    void *ctx;
};

/*
 * Check, then unpack. The message lives in `memory` and borrows nothing from `bytes`.
 * Errors: SQ_R_MALFORMED, SQ_E_FULL.
 */
SQ_MUST_CHECK sq_status sq_wire_open(const ProtobufCMessageDescriptor *type, sq_bytes bytes,
                                     const struct sq_wire_memory *memory, ProtobufCMessage **out, struct sq_error *err);

/* Canonical bytes of a message into `memory`. Errors: SQ_E_FULL. */
SQ_MUST_CHECK sq_status sq_wire_pack(const ProtobufCMessage *message, const struct sq_wire_memory *memory,
                                     sq_bytes *out, struct sq_error *err);

/* The body type of a Header.type, or NULL for a number that carries none. */
const ProtobufCMessageDescriptor *sq_wire_type(uint32_t type);

/* The envelope's parts as views into `bytes`, and the header's fields; sender and receiver are copied. */
struct sq_envelope {
    sq_bytes whole, header, body, signature;
    uint32_t version, type, algorithm;
    char sender[SQ_NAME_SIZE_MAX + 1], receiver[SQ_NAME_SIZE_MAX + 1];
    uint64_t id, sent_at_ms, network;
};

/*
 * Canonical envelope and header (the body is not looked at). Allocates nothing.
 * Errors: SQ_R_MALFORMED, SQ_R_UNKNOWN_TYPE (version is not 1, or no such type), SQ_R_ALGORITHM.
 */
SQ_MUST_CHECK sq_status sq_envelope_open(sq_bytes bytes, struct sq_envelope *out, struct sq_error *err);

/* The same of a header and a signature that came without a body: `body` and `whole` stay empty. Same errors. */
SQ_MUST_CHECK sq_status sq_header_open(sq_bytes header, sq_bytes signature, struct sq_envelope *out,
                                       struct sq_error *err);

#endif
