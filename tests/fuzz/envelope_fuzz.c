/* An envelope as it comes from the network: what is opened is the one spelling of its parts. */
#include "proto/sanquan.pb-c.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sq_envelope e, parts;
    struct fuzz_memory m;
    struct sq_error err = {0};
    ProtobufCMessage *message;
    sq_bytes again;
    if (sq_envelope_open(sq_bytes_of(data, size), &e, &err) != SQ_OK)
        return 0;
    HOLDS(e.whole.data == data && e.whole.size == size);
    HOLDS(e.header.data > data && e.header.data + e.header.size <= data + size);
    HOLDS(e.body.size == 0 || (e.body.data > data && e.body.data + e.body.size <= data + size));
    HOLDS(memchr(e.sender, '\0', sizeof e.sender) != NULL && memchr(e.receiver, '\0', sizeof e.receiver) != NULL);
    HOLDS(sq_header_open(e.header, e.signature, &parts, &err) == SQ_OK);
    HOLDS(parts.id == e.id && parts.type == e.type && strcmp(parts.sender, e.sender) == 0);
    fuzz_begin(&m, fuzz_room(size));
    struct sq_wire_memory memory = {fuzz_take, &m};
    HOLDS(sq_wire_open(&sanquan__v1__envelope__descriptor, sq_bytes_of(data, size), &memory, &message, &err) == SQ_OK);
    HOLDS(sq_wire_pack(message, &memory, &again, &err) == SQ_OK);
    HOLDS(again.size == size && memcmp(again.data, data, size) == 0);
    sq_arena_free(&m.arena);
    return 0;
}
