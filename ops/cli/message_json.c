/*
 * A message as JSON under the names of proto/sanquan.proto: every field, also those that are zero; bytes as hexadecimal. Numbers of
 * 64 bits that may be over 2^53 (vouchers) do not occur in what is printed this way.
 */
#include "ops/cli/message_json.h"

#include <stdlib.h>

#include "peers/crypto.h"

/* Where the field's value lies, or that of element i. */
static const uint8_t *at(const void *message, unsigned offset)
{
    return (const uint8_t *)message + offset;
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(void *); /* strings and messages; the schema has no other types */
    }
}

static json_t *bytes_json(const ProtobufCBinaryData *b)
{
    char *hex = sq_need(malloc(2 * b->len + 1));
    sq_hex(b->data, b->len, hex);
    json_t *text = json_string(hex);
    free(hex);
    return text;
}

static json_t *value_json(const ProtobufCFieldDescriptor *f, const uint8_t *value)
{
    uint32_t narrow;
    int64_t wide;
    void *pointer;
    ProtobufCBinaryData bytes;
    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        memcpy(&narrow, value, sizeof narrow);
        return json_integer(narrow);
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        memcpy(&wide, value, sizeof wide);
        return json_integer(wide);
    case PROTOBUF_C_TYPE_BYTES:
        memcpy(&bytes, value, sizeof bytes);
        return bytes_json(&bytes);
    default:
        memcpy(&pointer, value, sizeof pointer);
        if (f->type == PROTOBUF_C_TYPE_STRING)
            return json_string(pointer);
        return pointer != NULL ? sq_message_json(pointer) : json_null();
    }
}

static json_t *repeated_json(const ProtobufCFieldDescriptor *f, const void *message)
{
    size_t count;
    const uint8_t *elements;
    json_t *list = sq_need(json_array());
    memcpy(&count, at(message, f->quantifier_offset), sizeof count);
    memcpy(&elements, at(message, f->offset), sizeof elements);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, value_json(f, elements + i * size_of(f)));
    return list;
}

json_t *sq_message_json(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *d = message->descriptor;
    json_t *o = sq_need(json_object());
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        json_object_set_new(o, f->name,
                            f->label == PROTOBUF_C_LABEL_REPEATED ? repeated_json(f, message)
                                                                  : value_json(f, at(message, f->offset)));
    }
    return o;
}
