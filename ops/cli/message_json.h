/* Messages as people's programs read them. */
#ifndef SQ_MESSAGE_JSON_H
#define SQ_MESSAGE_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "ops/cli/cli.h"

/* A new object with every field of the message under its name in proto/sanquan.proto. */
json_t *sq_message_json(const ProtobufCMessage *message);

#endif
