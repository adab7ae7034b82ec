/*
 * What a step sends to peers. Stream numbers are given out here, in the order of sending, so they are part of the fold.
 */
#include "clearing/core/effects.h"

static void *take(void *arena, size_t size)
{
    return sq_arena_take(arena, size);
}

struct sq_wire_memory sq_effects_memory(struct sq_effects *fx)
{
    return (struct sq_wire_memory){take, fx->arena};
}

static sq_status push(struct sq_effects *fx, uint32_t node, uint32_t type, sq_bytes body, struct sq_error *err)
{
    SQ_ASSERT(node < fx->node_count && node != fx->self);
    if (fx->out_count == SQ_OUT_MAX)
        return sq_fail(err, SQ_E_FULL, "more than %d messages in one step", SQ_OUT_MAX);
    fx->out[fx->out_count++] =
        (struct sq_out){.kind = SQ_OUT_PEER, .to = node, .type = type, .id = fx->peer_next[node]++, .body = body};
    return SQ_OK;
}

sq_status sq_effects_send(struct sq_effects *fx, uint32_t node, uint32_t type, const ProtobufCMessage *body,
                          struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    sq_bytes bytes;
    sq_status st = sq_wire_pack(body, &memory, &bytes, err);
    return st != SQ_OK ? st : push(fx, node, type, bytes, err);
}

sq_status sq_effects_send_all(struct sq_effects *fx, uint32_t type, const ProtobufCMessage *body, struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    sq_bytes bytes;
    sq_status st = sq_wire_pack(body, &memory, &bytes, err);
    for (uint32_t node = 0; st == SQ_OK && node < fx->node_count; node++)
        if (node != fx->self)
            st = push(fx, node, type, bytes, err); /* one copy of the bytes for all */
    return st;
}
