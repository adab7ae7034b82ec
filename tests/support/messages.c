#include "tests/support/messages.h"

#include <stdlib.h>

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

struct sq_wire_memory message_memory(struct sq_arena *a)
{
    return (struct sq_wire_memory){take, a};
}

size_t message_types(const ProtobufCMessageDescriptor **out, size_t max)
{
    const ProtobufCMessageDescriptor *others[] = {&sanquan__v1__envelope__descriptor, &sanquan__v1__header__descriptor,
                                                  &sanquan__v1__answer__descriptor, &sanquan__v1__outcome__descriptor,
                                                  &sanquan__v1__settlement__descriptor};
    const ProtobufCEnumDescriptor *numbers = &sanquan__v1__message_type__descriptor;
    size_t n = 0;
    for (unsigned i = 0; i < numbers->n_values; i++) {
        const ProtobufCMessageDescriptor *type = sq_wire_type((uint32_t)numbers->values[i].value);
        if (type != NULL && n < max)
            out[n++] = type;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others && n < max; i++)
        out[n++] = others[i];
    return n;
}

static void *room(struct sq_arena *a, size_t size)
{
    void *p = sq_arena_take(a, size + 1);
    if (p == NULL)
        abort(); /* the test's arena is too small */
    return p;
}

/* Edges of the encoding are worth more than the numbers between them. */
static uint64_t number(struct dice *d)
{
    static const uint64_t edges[] = {
        0, 1, 127, 128, 16383, 16384, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX, (uint64_t)INT64_MIN};
    if (dice_below(d, 2) == 0)
        return edges[dice_below(d, sizeof edges / sizeof *edges)];
    return dice_u64(d) >> dice_below(d, 64);
}

static char *text(struct dice *d, struct sq_arena *a)
{
    static const char *const characters[] = {"a",
                                             "~",
                                             " ",
                                             "é",
                                             "\xc2\xa0",
                                             "\xdf\xbf",
                                             "算",
                                             "券",
                                             "\xe0\xa0\x80",
                                             "\xed\x9f\xbf",
                                             "\xee\x80\x80",
                                             "😀",
                                             "\xf4\x8f\xbf\xbf"};
    uint32_t length = dice_below(d, 12);
    char *out = room(a, length * 4u);
    for (uint32_t i = 0; i < length; i++)
        strcat(out, characters[dice_below(d, sizeof characters / sizeof *characters)]);
    return out;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return 4;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 8; /* fixed64, sfixed64, and pointers to text and messages */
    }
}

static void fill(struct dice *d, const ProtobufCFieldDescriptor *f, void *to, struct sq_arena *a)
{
    uint64_t n = number(d);
    uint32_t half = (uint32_t)n;
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        memcpy(to, &half, sizeof half);
        return;
    case PROTOBUF_C_TYPE_STRING: {
        char *s = text(d, a);
        memcpy(to, &s, sizeof s);
        return;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData b = {dice_below(d, 40), NULL};
        b.data = room(a, b.len);
        for (size_t i = 0; i < b.len; i++)
            b.data[i] = (uint8_t)dice_u64(d);
        memcpy(to, &b, sizeof b);
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        ProtobufCMessage *m = message_random(d, (const ProtobufCMessageDescriptor *)f->descriptor, a);
        memcpy(to, &m, sizeof m);
        return;
    }
    default:
        memcpy(to, &n, sizeof n);
        return;
    }
}

ProtobufCMessage *message_random(struct dice *d, const ProtobufCMessageDescriptor *type, struct sq_arena *a)
{
    ProtobufCMessage *m = room(a, type->sizeof_message);
    type->message_init(m);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        uint8_t *at = (uint8_t *)m + f->offset;
        if (dice_below(d, 4) == 0)
            continue; /* left out */
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            fill(d, f, at, a);
            continue;
        }
        size_t count = dice_below(d, 6), size = size_of(f->type);
        uint8_t *rows = room(a, count * size);
        for (size_t k = 0; k < count; k++)
            fill(d, f, rows + k * size, a);
        memcpy((uint8_t *)m + f->quantifier_offset, &count, sizeof count);
        memcpy(at, &rows, sizeof rows);
    }
    return m;
}

sq_bytes message_pack(const ProtobufCMessage *m, struct sq_arena *a)
{
    struct sq_wire_memory memory = message_memory(a);
    sq_bytes out = {NULL, 0};
    if (sq_wire_pack(m, &memory, &out, NULL) != SQ_OK)
        abort();
    return out;
}
