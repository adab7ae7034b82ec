/* One message of any type. First byte: its number; second: how soon memory runs out, 255: never. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_memory m;
    struct sq_error err = {0};
    ProtobufCMessage *message = NULL;
    sq_bytes again;
    const ProtobufCMessageDescriptor *type = size >= 2 ? sq_wire_type(data[0]) : NULL;
    if (type == NULL)
        return 0;
    sq_bytes bytes = sq_bytes_of(data + 2, size - 2);
    fuzz_begin(&m, fuzz_room(size));
    struct sq_wire_memory memory = {fuzz_take, &m};
    sq_status checked = sq_wire_check(type, bytes, &err);
    HOLDS(checked == SQ_OK || checked == SQ_R_MALFORMED);
    size_t all = m.left;
    if (data[1] != 255)
        m.left = (size_t)data[1] * 8;
    sq_status st = sq_wire_open(type, bytes, &memory, &message, &err);
    HOLDS(st == checked || (checked == SQ_OK && st == SQ_E_FULL && data[1] != 255));
    if (st == SQ_OK) {
        m.left = all;
        HOLDS(sq_wire_pack(message, &memory, &again, &err) == SQ_OK);
        HOLDS(again.size == bytes.size && memcmp(again.data, bytes.data, bytes.size) == 0);
    }
    sq_arena_free(&m.arena);
    return 0;
}
