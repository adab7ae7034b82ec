/* The canonical scan: what it accepts has one spelling, what it refuses costs nothing, and nothing it accepts unpacks to much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers/crypto.h"
#include "tests/support/messages.h"
#include "tests/support/world.h"

#define TYPES_MAX   128u
#define SHAPE(name) &sanquan__v1__##name##__descriptor

struct bench {
    struct sq_arena made, opened; /* opened: as large as any message may need, not more */
    const ProtobufCMessageDescriptor *types[TYPES_MAX];
    size_t type_count;
};

static int begin(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct sq_error err;
    assert_int_equal(sq_arena_init(&b->made, 8u << 20, &err), SQ_OK);
    assert_int_equal(sq_arena_init(&b->opened, SQ_WIRE_MEMORY_MAX, &err), SQ_OK);
    b->type_count = message_types(b->types, TYPES_MAX);
    assert_true(b->type_count > 30 && b->type_count < TYPES_MAX);
    *state = b;
    return 0;
}

static int end(void **state)
{
    struct bench *b = *state;
    sq_arena_free(&b->made);
    sq_arena_free(&b->opened);
    free(b);
    return 0;
}

/* Refused, for this reason, before any memory was asked for. */
static void refused(struct bench *b, const ProtobufCMessageDescriptor *type, sq_bytes bytes, const char *reason)
{
    struct sq_error err = {0};
    struct sq_wire_memory memory = message_memory(&b->opened);
    ProtobufCMessage *untouched = NULL;
    sq_arena_reset(&b->opened);
    assert_int_equal(sq_wire_open(type, bytes, &memory, &untouched, &err), SQ_R_MALFORMED);
    assert_null(untouched);
    assert_int_equal(b->opened.used, 0);
    if (strstr(err.text, reason) == NULL)
        print_error("expected \"%s\", got \"%s\"\n", reason, err.text);
    assert_non_null(strstr(err.text, reason));
}

/* Accepted, unpacked within the memory promised, and packed again to the same bytes. */
static void accepted(struct bench *b, const ProtobufCMessageDescriptor *type, sq_bytes bytes)
{
    struct sq_error err = {0};
    struct sq_wire_memory memory = message_memory(&b->opened);
    ProtobufCMessage *m = NULL;
    sq_arena_reset(&b->opened);
    sq_status st = sq_wire_open(type, bytes, &memory, &m, &err);
    if (st != SQ_OK)
        print_error("%s: %s\n", type->short_name, err.text);
    assert_int_equal(st, SQ_OK);
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *again = malloc(size + 1);
    assert_int_equal(protobuf_c_message_pack(m, again), size);
    assert_int_equal(size, bytes.size);
    if (size != 0)
        assert_memory_equal(again, bytes.data, size);
    free(again);
}

static sq_bytes of_hex(const char *hex, uint8_t *out)
{
    char digits[512];
    size_t n = 0;
    for (; *hex != '\0'; hex++)
        if (*hex != ' ')
            digits[n++] = *hex;
    digits[n] = '\0';
    assert_int_equal(sq_unhex(digits, out, n / 2, NULL), SQ_OK);
    return sq_bytes_of(out, n / 2);
}

/* ---- each rule ---- */

#define ORDER   "fields are out of order"
#define TWICE   "given twice"
#define ZERO    "a zero is left out"
#define EMPTY   "an empty value is left out"
#define VARINT  "varint is cut off, too long or out of range"
#define LENGTH  "length is cut off, too long or beyond the end"
#define TEXT    "text is not UTF-8 or has control characters"
#define WIRE    "wrong wire type"
#define UNKNOWN "unknown field"
#define TAG     "tag is cut off or too long"

static void each_rule_accepts_the_one_spelling_and_refuses_the_other(void **state)
{
    struct bench *b = *state;
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *good, *bad, *reason;
    } rules[] = {
        /* order and repetition */
        {SHAPE(vote), "09 0700000000000000 1001", "1001 09 0700000000000000", ORDER},
        {SHAPE(statement), "09 0700000000000000 1200", "1200 09 0700000000000000", ORDER},
        {SHAPE(settlement), "1a00 1a00 2200", "1a00 2200 1a00", ORDER},
        {SHAPE(vote), "1001", "1001 1001", TWICE},
        {SHAPE(clear), "2a 00", "2a 00 2a 00", TWICE},
        {SHAPE(query), "1201 61", "1201 61 1201 61", TWICE},
        {SHAPE(registered), "1a01 00", "1a01 00 1a01 00", TWICE},
        /* defaults */
        {SHAPE(vote), "1001", "1000", ZERO},
        {SHAPE(hello), "09 0000000000000080", "09 0000000000000000", ZERO},
        {SHAPE(answer), "29 ffffffffffffffff", "29 0000000000000000", ZERO},
        {SHAPE(query), "1201 61", "1200", EMPTY},
        {SHAPE(registered), "1a01 00", "1a00", EMPTY},
        {SHAPE(query), "", "00", UNKNOWN},
        {SHAPE(grant), "3a00 3a00", "3a80 3a00", LENGTH}, /* elements may be empty */
        {SHAPE(decided), "2200", "220100", UNKNOWN},      /* a submessage may be empty and yet there */
        /* varints: tags, lengths, values */
        {SHAPE(vote), "107f", "10ff00", VARINT},
        {SHAPE(vote), "108001", "10808000", VARINT},
        {SHAPE(vote), "10ffffffff0f", "108080808010", VARINT},
        {SHAPE(vote), "10ffffffff0f", "10ffffffffffffffffff01", VARINT},
        {SHAPE(vote), "10ffffffff0f", "10ffffffffffffffffff02", VARINT},
        {SHAPE(vote), "10ffffffff0f", "10ffffffffffffffffffff01", VARINT},
        {SHAPE(vote), "1001", "10", VARINT},
        {SHAPE(vote), "1001", "1081", VARINT},
        {SHAPE(vote), "1001", "9000 01", TAG},
        {SHAPE(vote), "1001", "ffffffffffffffffff01 01", TAG},
        {SHAPE(vote), "1001", "90", TAG},
        {SHAPE(vote), "2201 00", "228100 00", LENGTH},
        {SHAPE(vote), "2201 00", "2202 00", LENGTH},
        {SHAPE(vote), "2201 00", "22ffffffffffffffffff01 00", LENGTH},
        {SHAPE(vote), "2201 00", "22", LENGTH},
        {SHAPE(vote), "09 0700000000000000", "09 07000000000000", "cut off"},
        /* wire types and fields */
        {SHAPE(vote), "09 0700000000000000", "0807", WIRE},
        {SHAPE(vote), "09 0700000000000000", "0a01 07", WIRE},
        {SHAPE(vote), "09 0700000000000000", "0b 0c", WIRE},
        {SHAPE(vote), "09 0700000000000000", "0d 07000000", WIRE},
        {SHAPE(vote), "09 0700000000000000", "0f", WIRE},
        {SHAPE(vote), "2201 00", "2801", UNKNOWN},
        {SHAPE(vote), "2201 00", "8280 8080 0f00", UNKNOWN}, /* field 2^28 * 15 */
        {SHAPE(hello_ok), "09 0100000000000000", "f2ff03 00", UNKNOWN},
        {SHAPE(vote), "1001", "00", UNKNOWN}, /* there is no field 0 */
        /* an element's fields end with the element */
        {SHAPE(statement), "1203 0a0161", "1202 0a0161", LENGTH},
        {SHAPE(statement), "1209 11 0100000000000000", "1208 11 0100000000000000", "cut off"},
        {SHAPE(statement), "1203 0a0161 1203 0a0162", "1206 0a0161 0a0162", TWICE},
        /* columns */
        {SHAPE(registered), "1204 00000000", "1203 000000", "column ends inside a cell"},
        {SHAPE(registered), "1208 00000000 00000000", "1204 00000000 1204 00000000", TWICE},
        {SHAPE(registered), "1204 00000000", "15 00000000", WIRE},
        {SHAPE(registered), "1204 00000000", "1200", "an empty column is left out"},
        {SHAPE(revoke), "0a08 0000000000000000", "0a04 00000000", "column ends inside a cell"},
        {SHAPE(revoke), "0a08 0000000000000000", "09 0100000000000000", WIRE},
        /* text */
        {SHAPE(query), "1203 617e20", "1203 611f62", TEXT},
        {SHAPE(query), "1203 617e20", "1203 610a62", TEXT},
        {SHAPE(query), "1203 617e20", "1203 610062", TEXT},
        {SHAPE(query), "1203 617e20", "1201 7f", TEXT},
        {SHAPE(query), "1202 c2a0", "1202 c280", TEXT},
        {SHAPE(query), "1202 c2a0", "1202 c29f", TEXT},
        {SHAPE(query), "1202 c2a0", "1202 c1bf", TEXT},
        {SHAPE(query), "1202 dfbf", "1202 c0af", TEXT},
        {SHAPE(query), "1203 e0a080", "1203 e09fbf", TEXT},
        {SHAPE(query), "1203 ed9fbf", "1203 eda080", TEXT},
        {SHAPE(query), "1203 ee8080", "1203 edbfbf", TEXT},
        {SHAPE(query), "1203 e7ae97", "1202 e7ae", TEXT},
        {SHAPE(query), "1203 e7ae97", "1203 e7ae41", TEXT},
        {SHAPE(query), "1203 e7ae97", "1201 ae", TEXT},
        {SHAPE(query), "1204 f0908080", "1204 f08fbfbf", TEXT},
        {SHAPE(query), "1204 f48fbfbf", "1204 f4908080", TEXT},
        {SHAPE(query), "1204 f48fbfbf", "1204 f5808080", TEXT},
        {SHAPE(query), "1204 f09f9880", "1204 f09f98c0", TEXT},
        {SHAPE(query), "1204 f09f9880", "1203 f09f98", TEXT},
        {SHAPE(query), "1201 61", "1201 ff", TEXT},
        {SHAPE(query_answer), "1a02 7b0a", "1a02 7b0d", TEXT}, /* text with lines */
        {SHAPE(receipt), "2a02 610a", "2a02 6109", TEXT},
    };
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        accepted(b, rules[i].type, of_hex(rules[i].good, bytes));
        refused(b, rules[i].type, of_hex(rules[i].bad, bytes), rules[i].reason);
    }
}

/* tag, length of up to three bytes, `size` bytes of `value` */
static sq_bytes long_field(struct bench *b, uint8_t tag, size_t size, uint8_t value)
{
    sq_arena_reset(&b->made);
    uint8_t *at = sq_arena_take(&b->made, size + 4), *p = at;
    *p++ = tag;
    for (size_t n = size; n != 0; n >>= 7)
        *p++ = (uint8_t)(n >= 128 ? n | 128u : n);
    memset(p, value, size);
    return sq_bytes_of(at, (size_t)(p - at) + size);
}

static void limits_are_exact(void **state)
{
    struct bench *b = *state;
    accepted(b, SHAPE(envelope), long_field(b, 0x12, SQ_MESSAGE_SIZE_MAX - 4, 0x55));
    refused(b, SHAPE(envelope), long_field(b, 0x12, SQ_MESSAGE_SIZE_MAX - 3, 0x55), "1048577 bytes");
    accepted(b, SHAPE(programme), long_field(b, 0x7a, SQ_WIRE_CELLS_MAX, 1)); /* services, a byte a cell */
    refused(b, SHAPE(programme), long_field(b, 0x7a, SQ_WIRE_CELLS_MAX + 1, 1), "too many cells");
}

/* `count` elements `tag 00`, behind one another. */
static sq_bytes shells(struct bench *b, const uint8_t *tags, const size_t *count, size_t n)
{
    sq_arena_reset(&b->made);
    uint8_t *at = sq_arena_take(&b->made, SQ_MESSAGE_SIZE_MAX), *p = at;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < count[i]; k++, p += 2)
            *p = tags[i];
    return sq_bytes_of(at, (size_t)(p - at));
}

static void elements_are_counted_over_the_whole_message(void **state)
{
    struct bench *b = *state;
    const uint8_t tags[3] = {0x1a, 0x22, 0x2a}; /* pairs, nets, payments of a Settlement */
    const size_t third = SQ_WIRE_ELEMENTS_MAX / 3, rest = SQ_WIRE_ELEMENTS_MAX - 2 * third;
    accepted(b, SHAPE(settlement), shells(b, tags, (const size_t[]){third, third, rest}, 3));
    refused(b, SHAPE(settlement), shells(b, tags, (const size_t[]){third, third, rest + 1}, 3), "too many elements");
    accepted(b, SHAPE(grant), shells(b, (const uint8_t[]){0x3a}, (const size_t[]){SQ_WIRE_ELEMENTS_MAX}, 1));
    refused(b, SHAPE(grant), shells(b, (const uint8_t[]){0x3a}, (const size_t[]){SQ_WIRE_ELEMENTS_MAX + 1}, 1),
            "too many elements");
}

/* ---- shapes ---- */

struct walk {
    const ProtobufCMessageDescriptor *above[SQ_WIRE_DEPTH_MAX + 1];
    unsigned deepest, messages;
};

/* Supported types only, so that one spelling is all there can be; no message in itself; no deeper than the limit. */
static void walk(struct walk *w, const ProtobufCMessageDescriptor *type, unsigned depth)
{
    assert_true(depth <= SQ_WIRE_DEPTH_MAX);
    for (unsigned i = 1; i < depth; i++)
        assert_ptr_not_equal(w->above[i], type);
    w->above[depth] = type;
    w->deepest = depth > w->deepest ? depth : w->deepest;
    w->messages++;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        assert_true(f->type == PROTOBUF_C_TYPE_UINT32 || f->type == PROTOBUF_C_TYPE_FIXED32 ||
                    f->type == PROTOBUF_C_TYPE_FIXED64 || f->type == PROTOBUF_C_TYPE_SFIXED64 ||
                    f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES ||
                    f->type == PROTOBUF_C_TYPE_MESSAGE);
        assert_true(f->label == PROTOBUF_C_LABEL_NONE || f->label == PROTOBUF_C_LABEL_REPEATED);
        assert_int_equal(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF, 0);
        assert_true(i == 0 || type->fields[i - 1].id < f->id); /* the scan relies on it */
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            walk(w, (const ProtobufCMessageDescriptor *)f->descriptor, depth + 1);
    }
}

static void no_message_contains_itself_and_none_is_too_deep(void **state)
{
    struct bench *b = *state;
    struct walk w = {.deepest = 0};
    for (size_t i = 0; i < b->type_count; i++)
        walk(&w, b->types[i], 1);
    assert_int_equal(w.deepest, 3); /* Proposal, Settlement, Pair */
    assert_true(w.messages > b->type_count);
}

/* A shape that could nest for ever: none of ours can, so this one shows that the limit holds by itself. */
static void nesting_beyond_the_limit_is_refused(void **state)
{
    struct bench *b = *state;
    ProtobufCMessageDescriptor nest = *SHAPE(clear);
    ProtobufCFieldDescriptor self = nest.fields[4]; /* items */
    assert_int_equal(self.type, PROTOBUF_C_TYPE_MESSAGE);
    self.descriptor = &nest;
    nest.fields = &self;
    nest.n_fields = 1;
    uint8_t bytes[32];
    const sq_bytes good = of_hex("2a04 2a02 2a00", bytes);
    assert_int_equal(sq_wire_check(&nest, good, NULL), SQ_OK);
    refused(b, &nest, of_hex("2a06 2a04 2a02 2a00", bytes), "nested too deep");

    /* A megabyte of nothing but nesting costs what four levels cost. */
    sq_arena_reset(&b->made);
    size_t size = SQ_MESSAGE_SIZE_MAX;
    uint8_t *bomb = sq_arena_take(&b->made, size), *at = bomb;
    while ((size_t)(at - bomb) + 4 <= size) {
        size_t inside = size - (size_t)(at - bomb) - 4;
        *at++ = 0x2a;
        *at++ = (uint8_t)(inside & 127) | 128;
        *at++ = (uint8_t)(inside >> 7 & 127) | 128;
        *at++ = (uint8_t)(inside >> 14);
    }
    refused(b, &nest, sq_bytes_of(bomb, size), "nested too deep");
}

/* ---- properties ---- */

static void every_valid_message_packs_to_the_bytes_it_came_from(void **state)
{
    struct bench *b = *state;
    struct dice d = {1};
    for (size_t i = 0; i < b->type_count; i++)
        for (unsigned k = 0; k < 300; k++) {
            sq_arena_reset(&b->made);
            accepted(b, b->types[i], message_pack(message_random(&d, b->types[i], &b->made), &b->made));
        }
}

struct tally {
    unsigned accepted, refused;
};

/* Whatever the bytes are: refused, or the one spelling of what they mean. */
static void one_spelling(struct bench *b, const ProtobufCMessageDescriptor *type, sq_bytes bytes, struct tally *t)
{
    if (sq_wire_check(type, bytes, NULL) == SQ_OK) {
        accepted(b, type, bytes);
        t->accepted++;
    } else {
        t->refused++;
    }
}

static void every_flipped_bit_is_refused_or_spells_another_message(void **state)
{
    struct bench *b = *state;
    struct dice d = {2};
    struct tally t = {0};
    for (size_t i = 0; i < b->type_count; i++)
        for (unsigned k = 0; k < 8; k++) {
            sq_arena_reset(&b->made);
            sq_bytes m = message_pack(message_random(&d, b->types[i], &b->made), &b->made);
            uint8_t *copy = sq_arena_copy(&b->made, m.data, m.size);
            assert_non_null(copy);
            for (size_t bit = 0; bit < m.size * 8; bit++) {
                copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
                one_spelling(b, b->types[i], sq_bytes_of(copy, m.size), &t);
                copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
        }
    assert_true(t.accepted > 1000 && t.refused > 1000);
}

/* Cut, doubled, dropped, moved and replaced bytes. */
static sq_bytes mutate(struct dice *d, sq_bytes m, uint8_t *out)
{
    size_t size = m.size, at = size != 0 ? dice_below(d, (uint32_t)size) : 0, n = 1 + dice_below(d, 8);
    memcpy(out, m.data, size);
    n = n < size - at ? n : size - at;
    switch (dice_below(d, 5)) {
    case 0:
        size = at;
        break;
    case 1: /* a run twice */
        memmove(out + at + n, m.data + at, size - at);
        size += n;
        break;
    case 2: /* a run less */
        memmove(out + at, m.data + at + n, size - at - n);
        size -= n;
        break;
    case 3: /* a run from elsewhere in the message */
        memcpy(out + at, m.data + dice_below(d, (uint32_t)(size - n + 1)), n);
        break;
    default:
        if (size != 0)
            out[at] = (uint8_t)dice_u64(d);
    }
    return sq_bytes_of(out, size);
}

static void every_mutation_is_refused_or_spells_another_message(void **state)
{
    struct bench *b = *state;
    struct dice d = {3};
    struct tally t = {0};
    for (size_t i = 0; i < b->type_count; i++)
        for (unsigned k = 0; k < 2000; k++) {
            sq_arena_reset(&b->made);
            sq_bytes m = message_pack(message_random(&d, b->types[i], &b->made), &b->made);
            uint8_t *out = sq_arena_room(&b->made, 2 * m.size + 16);
            sq_bytes bytes = m;
            for (unsigned times = 1 + dice_below(&d, 2); times != 0; times--)
                bytes = mutate(
                    &d, bytes.data == out ? sq_bytes_of(sq_arena_copy(&b->made, out, bytes.size), bytes.size) : bytes,
                    out);
            one_spelling(b, b->types[i], bytes, &t);
        }
    assert_true(t.accepted > 1000 && t.refused > 1000);
}

/* ---- bombs ---- */

static void a_megabyte_of_anything_is_refused_before_memory_is_taken(void **state)
{
    struct bench *b = *state;
    struct dice d = {4};
    uint8_t *bytes = malloc(SQ_MESSAGE_SIZE_MAX);
    assert_non_null(bytes);
    for (size_t i = 0; i < b->type_count; i++) {
        for (unsigned seed = 0; seed < 3; seed++) {
            for (size_t k = 0; k < SQ_MESSAGE_SIZE_MAX; k += 8)
                sq_put_be64(bytes + k, dice_u64(&d));
            refused(b, b->types[i], sq_bytes_of(bytes, SQ_MESSAGE_SIZE_MAX), "");
        }
        for (unsigned value = 0; value < 256; value++) { /* one tag, or one unfinished varint, over and over */
            memset(bytes, (int)value, SQ_MESSAGE_SIZE_MAX);
            refused(b, b->types[i], sq_bytes_of(bytes, SQ_MESSAGE_SIZE_MAX), "");
        }
    }
    free(bytes);
}

/* What unpacks to most: elements with a byte in each of their fields, as many as go. */
static size_t put_element(const ProtobufCMessageDescriptor *type, int full, uint8_t *out)
{
    size_t n = 0;
    for (unsigned i = 0; full && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        int fixed = f->type == PROTOBUF_C_TYPE_FIXED64 || f->type == PROTOBUF_C_TYPE_SFIXED64;
        if (f->id > 15 || (f->label != PROTOBUF_C_LABEL_REPEATED && f->type != PROTOBUF_C_TYPE_STRING &&
                           f->type != PROTOBUF_C_TYPE_BYTES))
            continue; /* numbers take no memory of their own */
        size_t size = f->type == PROTOBUF_C_TYPE_MESSAGE ? 0 : fixed ? 8 : f->type == PROTOBUF_C_TYPE_FIXED32 ? 4 : 1;
        out[n++] = (uint8_t)(f->id << 3 | 2);
        out[n++] = (uint8_t)size;
        memset(out + n, 'x', size);
        n += size;
    }
    return n;
}

static sq_bytes element_bomb(struct bench *b, const ProtobufCFieldDescriptor *f, int full)
{
    uint8_t one[64];
    size_t size = f->type == PROTOBUF_C_TYPE_MESSAGE
                      ? put_element((const ProtobufCMessageDescriptor *)f->descriptor, full, one)
                      : (size_t)full;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        one[0] = 'x';
    sq_arena_reset(&b->made);
    uint8_t *bomb = sq_arena_take(&b->made, SQ_MESSAGE_SIZE_MAX), *at = bomb;
    assert_true(size < 64 && f->id < 2048);
    for (unsigned k = 0; k < SQ_WIRE_ELEMENTS_MAX && (size_t)(at - bomb) + size + 3 <= SQ_MESSAGE_SIZE_MAX; k++) {
        uint32_t tag = f->id << 3 | 2;
        if (tag > 127)
            *at++ = (uint8_t)(tag | 128);
        *at++ = (uint8_t)(tag > 127 ? tag >> 7 : tag);
        *at++ = (uint8_t)size;
        memcpy(at, one, size);
        at += size;
    }
    return sq_bytes_of(bomb, (size_t)(at - bomb));
}

static void what_passes_unpacks_within_the_memory_promised(void **state)
{
    struct bench *b = *state;
    size_t most = 0;
    for (size_t i = 0; i < b->type_count; i++)
        for (unsigned k = 0; k < b->types[i]->n_fields; k++)
            for (int full = 0; full < 2; full++) {
                const ProtobufCFieldDescriptor *f = &b->types[i]->fields[k];
                if (f->label != PROTOBUF_C_LABEL_REPEATED ||
                    (f->type != PROTOBUF_C_TYPE_MESSAGE && f->type != PROTOBUF_C_TYPE_STRING))
                    continue;
                sq_bytes bomb = element_bomb(b, f, full);
                if (sq_wire_check(b->types[i], bomb, NULL) != SQ_OK)
                    continue; /* elements within elements are counted too */
                accepted(b, b->types[i], bomb);
                most = b->opened.used > most ? b->opened.used : most;
            }
    assert_true(most > SQ_WIRE_MEMORY_MAX / 2); /* and the promise is not an idle one */
}

/* What a node makes of a peer's Proposal of so many pairs with a byte in each field, and so many empty nets and payments. */
static unsigned propose_shells(size_t full, size_t empty)
{
    struct world *w = world_new(3, SQ_NET_HUB);
    Sanquan__V1__Proposal m;
    Sanquan__V1__Settlement value;
    Sanquan__V1__Pair pair, **pairs = calloc(full + 1, sizeof *pairs);
    Sanquan__V1__Position net, **nets = calloc(empty + 1, sizeof *nets);
    Sanquan__V1__Payment payment, **payments = calloc(empty + 1, sizeof *payments);
    char x[] = "x";
    uint8_t byte[1] = {'x'};
    int64_t total[1] = {1};
    sanquan__v1__proposal__init(&m);
    sanquan__v1__settlement__init(&value);
    sanquan__v1__pair__init(&pair);
    sanquan__v1__position__init(&net);
    sanquan__v1__payment__init(&payment);
    pair.debtor = pair.creditor = x;
    pair.hash = (ProtobufCBinaryData){1, byte};
    pair.total_fen = total;
    pair.n_total_fen = 1;
    for (size_t i = 0; i < full; i++)
        pairs[i] = &pair;
    for (size_t i = 0; i < empty; i++) {
        nets[i] = &net;
        payments[i] = &payment;
    }
    m.window = 1;
    m.value = &value;
    value.pairs = pairs;
    value.nets = nets;
    value.payments = payments;
    value.n_pairs = full;
    value.n_nets = value.n_payments = empty;
    assert_int_equal(world_say(w, 0, "node:370000", SANQUAN__V1__MESSAGE_TYPE__PROPOSAL, &m.base), SQ_OK);
    unsigned status = w->peer_status;
    free(pairs);
    free(nets);
    free(payments);
    world_free(w);
    return status;
}

/* The world ends the test when a step runs out of memory, as the daemon would end. */
/* Its header is no bytes at all, at no address: not to be counted on from. */
static void an_envelope_without_a_header_is_refused(void **state)
{
    static const uint8_t bytes[3 + 66] = {0x12, 1, 'b', 0x1a, 64};
    struct sq_envelope e = {.id = 77};
    struct sq_error err = {0};
    (void)state;
    assert_int_equal(sq_envelope_open(sq_bytes_of(bytes, sizeof bytes), &e, &err), SQ_R_UNKNOWN_TYPE);
    assert_int_equal(e.id, 77);
    assert_int_equal(sq_wire_check(SHAPE(header), (sq_bytes){NULL, 0}, &err), SQ_OK);
}

static void a_peer_cannot_stop_a_node_with_shells(void **state)
{
    (void)state;
    assert_int_equal(propose_shells(SQ_WIRE_ELEMENTS_MAX, 0), SQ_R_COLUMNS); /* a proposal brings no pairs */
    assert_int_equal(propose_shells(SQ_WIRE_ELEMENTS_MAX / 3, SQ_WIRE_ELEMENTS_MAX / 3), SQ_R_COLUMNS);
    assert_int_equal(propose_shells(0, 120000), SQ_R_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_accepts_the_one_spelling_and_refuses_the_other),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(elements_are_counted_over_the_whole_message),
        cmocka_unit_test(no_message_contains_itself_and_none_is_too_deep),
        cmocka_unit_test(nesting_beyond_the_limit_is_refused),
        cmocka_unit_test(every_valid_message_packs_to_the_bytes_it_came_from),
        cmocka_unit_test(every_flipped_bit_is_refused_or_spells_another_message),
        cmocka_unit_test(every_mutation_is_refused_or_spells_another_message),
        cmocka_unit_test(a_megabyte_of_anything_is_refused_before_memory_is_taken),
        cmocka_unit_test(what_passes_unpacks_within_the_memory_promised),
        cmocka_unit_test(an_envelope_without_a_header_is_refused),
        cmocka_unit_test(a_peer_cannot_stop_a_node_with_shells),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
