/*
 * The canonical scan and what stands on it.
 *
 * One walk over the bytes, guided by the descriptor. A message is canonical when its fields come in ascending number (a
 * repeated field's elements side by side), nothing is said that is the default, every varint is as short as it can be, and
 * scalars that repeat are packed. That is what protobuf-c and Google's libraries write, and only one spelling of a message is so.
 *
 * Depth is bounded by the descriptors (no message contains itself), time by the size: a packed column of fixed-width cells costs
 * one length check, however many rows it has.
 */
#include "proto/wire.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/sanquan.pb-c.h"

struct scan {
    const uint8_t *start, *at, *end;
    struct sq_error *err;
    size_t elements, elements_max; /* submessages and strings of repeated fields so far, at any depth */
};

static sq_status malformed(const struct scan *s, const char *field, const char *why)
{
    return sq_fail(s->err, SQ_R_MALFORMED, "byte %zu, field %s: %s", (size_t)(s->at - s->start), field, why);
}

/* ---- varints ---- */

/* 0: cut off, over 64 bits, or longer than needed. */
static int read_varint(struct scan *s, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        uint8_t b = *s->at++;
        if (shift == 63 && b > 1)
            return 0;
        v |= (uint64_t)(b & 127u) << shift;
        if (b < 128) {
            *out = v;
            return b != 0 || shift == 0; /* a last byte of 0 could be left out */
        }
    }
    return 0;
}

/* ---- text ---- */

/* Well-formed UTF-8 (Unicode 15 table 3-7), no control characters; newlines where text has lines. */
static int text_ok(const uint8_t *p, size_t size, int lines)
{
    const uint8_t *end = p + size;
    while (p < end) {
        uint8_t b = *p;
        if (b < 0x80) {
            if ((b < 0x20 && !(lines && b == '\n')) || b == 0x7f)
                return 0;
            p++;
            continue;
        }
        size_t more = b >= 0xc2 && b <= 0xdf ? 1 : b >= 0xe0 && b <= 0xef ? 2 : b >= 0xf0 && b <= 0xf4 ? 3 : 0;
        if (more == 0 || (size_t)(end - p) <= more)
            return 0;
        uint8_t low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80, high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
        if (p[1] < low || p[1] > high || (b == 0xc2 && p[1] < 0xa0)) /* U+0080..9F are control characters too */
            return 0;
        for (size_t i = 2; i <= more; i++)
            if (p[i] < 0x80 || p[i] > 0xbf)
                return 0;
        p += more + 1;
    }
    return 1;
}

static int has_lines(const ProtobufCFieldDescriptor *f)
{
    return strcmp(f->name, "checkpoint") == 0 || strcmp(f->name, "json") == 0;
}

/* ---- fields ---- */

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* -1 for types that no message of ours has: protobuf-c reads some of them in more than one spelling. */
static int wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
        return WIRE_VARINT;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_FIXED32:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    }
    return -1;
}

/* The only type of ours that is a varint. */
static int read_uint32(struct scan *s)
{
    uint64_t v;
    return read_varint(s, &v) && v <= UINT32_MAX ? (v != 0 ? 1 : 0) : -1;
}

static sq_status check_message(struct scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *end,
                               unsigned depth);

/* A packed column: whole cells, at least one, not too many. */
static sq_status check_packed(struct scan *s, const ProtobufCFieldDescriptor *f, uint64_t size)
{
    const uint8_t *end = s->at + size;
    int wire = wire_type_of(f->type);
    uint64_t cells = 0;
    if (size == 0)
        return malformed(s, f->name, "an empty column is left out");
    if (wire == WIRE_FIXED64 || wire == WIRE_FIXED32) {
        unsigned cell = wire == WIRE_FIXED64 ? 8 : 4;
        if (size % cell != 0)
            return malformed(s, f->name, "column ends inside a cell");
        cells = size / cell;
        s->at = end;
    }
    for (struct scan inner = {.at = s->at, .end = end}; s->at < end; s->at = inner.at, cells++)
        if (read_uint32(&inner) < 0)
            return malformed(s, f->name, "varint is cut off, too long or out of range");
    return cells <= SQ_WIRE_CELLS_MAX ? SQ_OK : malformed(s, f->name, "too many cells");
}

static sq_status check_length_delimited(struct scan *s, const ProtobufCFieldDescriptor *f, unsigned depth)
{
    uint64_t size;
    int repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
    if (!read_varint(s, &size) || size > (uint64_t)(s->end - s->at))
        return malformed(s, f->name, "length is cut off, too long or beyond the end");
    if (repeated && wire_type_of(f->type) != WIRE_BYTES)
        return check_packed(s, f, size);
    if (repeated && ++s->elements > s->elements_max)
        return malformed(s, f->name, "too many elements");
    if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const uint8_t *outer = s->end;
        s->end = s->at + size;
        sq_status st = check_message(s, (const ProtobufCMessageDescriptor *)f->descriptor, s->end, depth + 1);
        s->end = outer;
        return st;
    }
    if (size == 0 && !repeated)
        return malformed(s, f->name, "an empty value is left out");
    if (f->type == PROTOBUF_C_TYPE_STRING && !text_ok(s->at, size, has_lines(f)))
        return malformed(s, f->name, "text is not UTF-8 or has control characters");
    s->at += size;
    return SQ_OK;
}

static sq_status check_field(struct scan *s, const ProtobufCFieldDescriptor *f, unsigned wire, unsigned depth)
{
    int repeated = f->label == PROTOBUF_C_LABEL_REPEATED, own = wire_type_of(f->type);
    if (own < 0 || (int)wire != (repeated ? WIRE_BYTES : own))
        return malformed(s, f->name, "wrong wire type");
    if (wire == WIRE_BYTES)
        return check_length_delimited(s, f, depth);
    if (wire == WIRE_VARINT) {
        int got = read_uint32(s);
        return got > 0 ? SQ_OK
                       : malformed(s, f->name,
                                   got == 0 ? "a zero is left out" : "varint is cut off, too long or out of range");
    }
    size_t size = wire == WIRE_FIXED64 ? 8 : 4;
    if ((size_t)(s->end - s->at) < size)
        return malformed(s, f->name, "cut off");
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= s->at[i];
    s->at += size;
    return any != 0 ? SQ_OK : malformed(s, f->name, "a zero is left out");
}

static sq_status check_message(struct scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *end,
                               unsigned depth)
{
    unsigned next = 0; /* fields before this one are over */
    uint32_t last = 0;
    if (depth > SQ_WIRE_DEPTH_MAX)
        return malformed(s, type->short_name, "nested too deep");
    while (s->at < end) {
        uint64_t tag;
        if (!read_varint(s, &tag) || tag > UINT32_MAX)
            return malformed(s, type->short_name, "tag is cut off or too long");
        uint32_t id = (uint32_t)(tag >> 3);
        while (next < type->n_fields &&
               type->fields[next].id < id) /* fields stand in ascending order of their numbers */
            next++;
        if (next == type->n_fields || type->fields[next].id != id)
            return malformed(s, type->short_name, id != 0 && id <= last ? "fields are out of order" : "unknown field");
        const ProtobufCFieldDescriptor *f = &type->fields[next];
        if (id == last && (f->label != PROTOBUF_C_LABEL_REPEATED || wire_type_of(f->type) != WIRE_BYTES))
            return malformed(s, f->name, "given twice");
        last = id;
        sq_status st = check_field(s, f, (unsigned)(tag & 7), depth);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}

sq_status sq_wire_check_long(const ProtobufCMessageDescriptor *type, sq_bytes bytes, size_t size_max,
                             struct sq_error *err)
{
    if (bytes.size > size_max)
        return sq_fail(err, SQ_R_MALFORMED, "%zu bytes; at most %zu go", bytes.size, size_max);
    const uint8_t *start = bytes.size != 0 ? bytes.data : (const uint8_t *)""; /* there is no NULL + 0 in C */
    struct scan s = {.start = start,
                     .at = start,
                     .end = start + bytes.size,
                     .err = err,
                     .elements_max = size_max / (SQ_MESSAGE_SIZE_MAX / SQ_WIRE_ELEMENTS_MAX)};
    return check_message(&s, type, s.end, 1);
}

sq_status sq_wire_check(const ProtobufCMessageDescriptor *type, sq_bytes bytes, struct sq_error *err)
{
    return sq_wire_check_long(type, bytes, SQ_MESSAGE_SIZE_MAX, err);
}

/* ---- to and from messages ---- */

static void *take(void *memory, size_t size)
{
    const struct sq_wire_memory *m = memory;
    return m->take(m->ctx, size);
}

static void keep(void *memory, void *pointer)
{
    (void)memory;
    (void)pointer; /* the whole region goes at once */
}

sq_status sq_wire_open(const ProtobufCMessageDescriptor *type, sq_bytes bytes, const struct sq_wire_memory *memory,
                       ProtobufCMessage **out, struct sq_error *err)
{
    sq_status st = sq_wire_check(type, bytes, err);
    if (st != SQ_OK)
        return st;
    struct sq_wire_memory region = *memory;
    ProtobufCAllocator allocator = {take, keep, &region};
    *out = protobuf_c_message_unpack(type, &allocator, bytes.size, bytes.data);
    /* What passed the check can be unpacked; only memory can be missing. */
    return *out != NULL
               ? SQ_OK
               : sq_fail(err, SQ_E_FULL, "%s of %zu bytes does not fit into memory", type->short_name, bytes.size);
}

sq_status sq_wire_pack(const ProtobufCMessage *message, const struct sq_wire_memory *memory, sq_bytes *out,
                       struct sq_error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = memory->take(memory->ctx, size + 1); /* an empty message still has an address */
    if (bytes == NULL)
        return sq_fail(err, SQ_E_FULL, "%s of %zu bytes does not fit into memory", message->descriptor->short_name,
                       size);
    SQ_ASSERT(protobuf_c_message_pack(message, bytes) == size);
    *out = sq_bytes_of(bytes, size);
    return SQ_OK;
}

/* clang-format off: one a line */
#define BODIES(X)                                                                                                      \
    X(HELLO, hello)                                                                                                    \
    X(QUERY, query)                                                                                                    \
    X(PROGRAMME, programme)                                                                                            \
    X(ENROL, enrol)                                                                                                    \
    X(GRANT, grant)                                                                                                    \
    X(MANDATE, mandate)                                                                                                \
    X(FACTS, facts)                                                                                                    \
    X(EDGES, edges)                                                                                                    \
    X(SANCTION, sanction)                                                                                              \
    X(SANCTION_NOTICE, sanction)                                                                                       \
    X(OVERRIDE, override)                                                                                              \
    X(APPLY, apply)                                                                                                    \
    X(ASSESS, assess)                                                                                                  \
    X(ALLOCATE, allocate)                                                                                              \
    X(CONSENT, consent)                                                                                                \
    X(PREFUND, prefund)                                                                                                \
    X(MEASURE, measure)                                                                                                \
    X(CLAWBACK, clawback)                                                                                              \
    X(AGREE, agree)                                                                                                    \
    X(AGREED, agreement)                                                                                               \
    X(REVERSE, reverse)                                                                                                \
    X(REVERSED, reverse)                                                                                               \
    X(DISPUTE, dispute)                                                                                                \
    X(CALENDAR, calendar)                                                                                              \
    X(DISPUTE_NOTICE, dispute_notice)                                                                                  \
    X(DISPUTE_REPLY, dispute)                                                                                          \
    X(BATCH, batch)                                                                                                    \
    X(REVOKE, revoke)                                                                                                  \
    X(WINDOW_CUT, window_cut)                                                                                          \
    X(CONFIRM, confirm)                                                                                                \
    X(PROGRAMME_NOTICE, programme)                                                                                     \
    X(REGISTER, register)                                                                                              \
    X(REGISTERED, registered)                                                                                          \
    X(CLEAR, clear)                                                                                                    \
    X(DECIDED, decided)                                                                                                \
    X(UNREGISTER, unregister)                                                                                          \
    X(STATEMENT, statement)                                                                                            \
    X(COUNTERSTATEMENT, counterstatement)                                                                              \
    X(PROPOSAL, proposal)                                                                                              \
    X(VOTE, vote)                                                                                                      \
    X(RELAY, relay)                                                                                                    \
    X(LINK_ASK, link_ask)                                                                                              \
    X(LINK_TELL, link_tell)                                                                                            \
    X(BREAK, break)                                                                                                    \
    X(DEBIT_CAP, debit_cap)                                                                                            \
    X(STANDING, standing)                                                                                              \
    X(ACCOUNT, account)                                                                                                \
    X(STANDING_NOTICE, standing_notice)                                                                                \
    X(DEBIT_CAP_NOTICE, debit_cap_notice)                                                                              \
    X(HELLO_OK, hello_ok)                                                                                              \
    X(RECEIPT, receipt)                                                                                                \
    X(REFUSAL, refusal)                                                                                                \
    X(ACK, ack)                                                                                                        \
    X(QUERY_ANSWER, query_answer)                                                                                      \
    X(GENESIS, genesis)                                                                                                \
    X(TICK, tick)                                                                                                      \
    X(REJECTED, rejected)                                                                                              \
    X(CHECKPOINT, checkpoint)                                                                                          \
    X(COSIGNED, cosigned)                                                                                              \
    X(SIGHTING, sighting)                                                                                              \
    X(WITNESS_ASK, witness_ask)                                                                                        \
    X(WITNESS_TELL, witness_tell)                                                                                      \
    X(SHOWN, checkpoint)                                                                                               \
    X(ANCHOR, anchor)
/* clang-format on */

const ProtobufCMessageDescriptor *sq_wire_type(uint32_t type)
{
    switch (type) {
#define BODY(name, body)                                                                                               \
    case SANQUAN__V1__MESSAGE_TYPE__##name:                                                                            \
        return &sanquan__v1__##body##__descriptor;
        BODIES(BODY)
#undef BODY
    default:
        return NULL;
    }
}

/* ---- the envelope ---- */

uint32_t sq_wire_field(sq_bytes *rest, uint64_t *number, sq_bytes *bytes)
{
    if (rest->size == 0) /* also of no address */
        return 0;
    struct scan s = {.start = rest->data, .at = rest->data, .end = rest->data + rest->size};
    uint64_t tag = 0, size = 0;
    if (!read_varint(&s, &tag))
        return 0;
    switch (tag & 7) {
    case WIRE_VARINT:
        if (!read_varint(&s, number))
            return 0;
        break;
    case WIRE_FIXED64: {
        uint64_t v;
        if (s.end - s.at < 8)
            return 0;
        memcpy(&v, s.at, sizeof v);
        *number = le64toh(v);
        s.at += 8;
        break;
    }
    default:
        if (!read_varint(&s, &size) || size > (uint64_t)(s.end - s.at))
            return 0;
        *bytes = sq_bytes_of(s.at, size);
        s.at += size;
    }
    *rest = sq_bytes_of(s.at, (size_t)(s.end - s.at));
    return (uint32_t)(tag >> 3);
}

static sq_status open_header(struct sq_envelope *e, struct sq_error *err)
{
    sq_status st = sq_wire_check(&sanquan__v1__header__descriptor, e->header, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "header");
    sq_bytes rest = e->header;
    uint64_t number = 0;
    sq_bytes text = {0};
    uint32_t field;
    while ((field = sq_wire_field(&rest, &number, &text)) != 0) {
        char *name = field == 4 ? e->sender : e->receiver;
        switch (field) {
        case 1:
            e->version = (uint32_t)number;
            break;
        case 2:
            e->type = (uint32_t)number;
            break;
        case 3:
            e->algorithm = (uint32_t)number;
            break;
        case 4:
        case 5:
            if (text.size > SQ_NAME_SIZE_MAX)
                return sq_fail(err, SQ_R_MALFORMED, "header: a name of %zu bytes; at most %d go", text.size,
                               SQ_NAME_SIZE_MAX);
            if (text.size != 0)
                memcpy(name, text.data, text.size);
            break;
        case 6:
            e->id = number;
            break;
        case 7:
            e->sent_at_ms = number;
            break;
        default:
            e->network = number;
            break;
        }
    }
    return SQ_OK;
}

/* What holds of any envelope, once its parts are known. */
static sq_status open_parts(struct sq_envelope *e, struct sq_error *err)
{
    sq_status st;
    if (e->signature.size != 64)
        return sq_fail(err, SQ_R_MALFORMED, "envelope: a signature of %zu bytes; 64 are needed", e->signature.size);
    if ((st = open_header(e, err)) != SQ_OK)
        return st;
    if (e->version != 1 || sq_wire_type(e->type) == NULL)
        return sq_fail(err, SQ_R_UNKNOWN_TYPE, "version %" PRIu32 ", type %" PRIu32, e->version, e->type);
    if (e->algorithm != 1)
        return sq_fail(err, SQ_R_ALGORITHM, "algorithm %" PRIu32, e->algorithm);
    return SQ_OK;
}

sq_status sq_envelope_open(sq_bytes bytes, struct sq_envelope *out, struct sq_error *err)
{
    struct sq_envelope e = {.whole = bytes};
    sq_status st = sq_wire_check(&sanquan__v1__envelope__descriptor, bytes, err);
    if (st != SQ_OK)
        return sq_fail_context(err, st, "envelope");
    sq_bytes rest = bytes;
    uint64_t unused = 0;
    sq_bytes part = {0};
    uint32_t field;
    while ((field = sq_wire_field(&rest, &unused, &part)) != 0)
        *(field == 1 ? &e.header : field == 2 ? &e.body : &e.signature) = part;
    if ((st = open_parts(&e, err)) == SQ_OK)
        *out = e;
    return st;
}

sq_status sq_header_open(sq_bytes header, sq_bytes signature, struct sq_envelope *out, struct sq_error *err)
{
    struct sq_envelope e = {.header = header, .signature = signature};
    sq_status st = open_parts(&e, err);
    if (st == SQ_OK)
        *out = e;
    return st;
}
