/*
 * Byte order and bounds. Our own layouts are big-endian, so that byte order is number order;
 * Protocol Buffers columns are little-endian on the wire.
 */
#ifndef SQ_BYTES_H
#define SQ_BYTES_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes; the owner is whoever the function that returns it says. */
typedef struct {
    const uint8_t *data;
    size_t size;
} sq_bytes;

static inline sq_bytes sq_bytes_of(const void *data, size_t size)
{
    return (sq_bytes){(const uint8_t *)data, size};
}

static inline void sq_put_be16(uint8_t out[static 2], uint16_t v)
{
    v = htobe16(v);
    memcpy(out, &v, sizeof v);
}

static inline void sq_put_be32(uint8_t out[static 4], uint32_t v)
{
    v = htobe32(v);
    memcpy(out, &v, sizeof v);
}

static inline void sq_put_be64(uint8_t out[static 8], uint64_t v)
{
    v = htobe64(v);
    memcpy(out, &v, sizeof v);
}

static inline uint16_t sq_get_be16(const uint8_t in[static 2])
{
    uint16_t v;
    memcpy(&v, in, sizeof v);
    return be16toh(v);
}

static inline uint32_t sq_get_be32(const uint8_t in[static 4])
{
    uint32_t v;
    memcpy(&v, in, sizeof v);
    return be32toh(v);
}

static inline uint64_t sq_get_be64(const uint8_t in[static 8])
{
    uint64_t v;
    memcpy(&v, in, sizeof v);
    return be64toh(v);
}

/* Bounds-checked reading: after the first short read `bad` stays set and everything reads as zero. */
struct sq_reader {
    const uint8_t *at, *end;
    int bad;
};

static inline struct sq_reader sq_reader_of(sq_bytes b)
{
    return (struct sq_reader){b.data, b.data + b.size, 0};
}

static inline const uint8_t *sq_read_bytes(struct sq_reader *r, size_t size)
{
    if (r->bad || (size_t)(r->end - r->at) < size) {
        r->bad = 1;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += size;
    return p;
}

static inline uint8_t sq_read_u8(struct sq_reader *r)
{
    const uint8_t *p = sq_read_bytes(r, 1);
    return p != NULL ? *p : 0;
}

static inline uint32_t sq_read_be32(struct sq_reader *r)
{
    const uint8_t *p = sq_read_bytes(r, 4);
    return p != NULL ? sq_get_be32(p) : 0;
}

static inline uint64_t sq_read_be64(struct sq_reader *r)
{
    const uint8_t *p = sq_read_bytes(r, 8);
    return p != NULL ? sq_get_be64(p) : 0;
}

#endif
