/* Messages of every shape, made from their descriptors alone. */
#ifndef SQ_TEST_MESSAGES_H
#define SQ_TEST_MESSAGES_H

#include "clearing/base/arena.h"
#include "proto/sanquan.pb-c.h"
#include "proto/wire.h"
#include "tests/support/random.h"

/* Every body that Header.type can name, and what stands around and in bodies: envelope, header, answer, outcome, settlement. */
size_t message_types(const ProtobufCMessageDescriptor **out, size_t max);

/* A valid message: fields left out or set, numbers at their edges, columns empty or short, text of one to four bytes a character. */
ProtobufCMessage *message_random(struct dice *d, const ProtobufCMessageDescriptor *type, struct sq_arena *a);

/* Canonical bytes, in `a`. */
sq_bytes message_pack(const ProtobufCMessage *m, struct sq_arena *a);

struct sq_wire_memory message_memory(struct sq_arena *a);

#endif
