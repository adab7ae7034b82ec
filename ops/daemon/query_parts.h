/* Small parts of answers as JSON: amounts are integers in fen, times Unix ms, digests hexadecimal. */
#ifndef SQ_QUERY_PARTS_H
#define SQ_QUERY_PARTS_H

#include <jansson.h>

#include "ops/daemon/daemon.h"

static inline void put_u64(json_t *to, const char *key, uint64_t v)
{
    json_object_set_new(to, key, json_integer((json_int_t)v));
}
static inline void put_fen(json_t *to, const char *key, int64_t v)
{
    json_object_set_new(to, key, json_integer(v));
}
static inline void put_text(json_t *to, const char *key, const char *v)
{
    json_object_set_new(to, key, json_string(v));
}

static inline void put_hash(json_t *to, const char *key, const uint8_t hash[static SQ_HASH_SIZE])
{
    char hex[2 * SQ_HASH_SIZE + 1];
    sq_hex(hash, SQ_HASH_SIZE, hex);
    put_text(to, key, hex);
}

static inline json_t *fen_by_kind(const int64_t total[static SQ_KIND_COUNT])
{
    json_t *a = json_array();
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        json_array_append_new(a, json_integer(total[k]));
    return a;
}

static inline const char *code_of(const struct sq_core *core, uint32_t node)
{
    return sq_core_node(core, node)->code;
}

/* Parts of bundles that are held for a node past their time; how much money that is is not for everybody. */
static inline void put_overdue(json_t *to, const struct sq_daemon *d, uint32_t node, int with_amount)
{
    struct sq_overdue_view v;
    sq_core_overdue(d->core, node, d->now_ms, &v);
    put_u64(to, "overdue_parts", v.count);
    put_u64(to, "overdue_since_ms", v.since_ms);
    if (with_amount)
        put_fen(to, "overdue_fen", v.amount_fen);
}

#endif
