#include "clearing/core/register_pack.h"

#include <string.h>

enum { HEAD = 1, GAP = 2, BASE = 4, AMOUNT = 8, WHO = 16, OTHER = 32, FIXED = 64, KNOWN = 127 };

#define RATIO_MAX 10000

/* ---- numbers ---- */

static uint8_t *put_varint(uint8_t *at, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        *at++ = (uint8_t)(v | 128);
    *at++ = (uint8_t)v;
    return at;
}

static const uint8_t *get_varint(const uint8_t *at, uint64_t *out)
{
    uint64_t v = 0;
    unsigned shift = 0;
    for (; *at >= 128; shift += 7)
        v |= (uint64_t)(*at++ & 127u) << (shift & 63);
    *out = v | (uint64_t)*at << (shift & 63);
    return at + 1;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ -(uint64_t)(v < 0);
}
static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* The next sixteen-digit number: decimal addition of one on 4-bit digits. */
static uint64_t next_number(uint64_t digits)
{
    uint64_t padded = digits + 0x0666666666666666u, sum = padded + 1;
    uint64_t carried = ~(padded ^ 1 ^ sum) & 0x1111111111111110u;
    return sum - (carried >> 2 | carried >> 3);
}

/* ---- the ratio ---- */

static int64_t by_ratio(int64_t base, uint32_t ratio)
{
    return (int64_t)((__int128)base * ratio / 10000);
}

/* From the row with the largest base, where rounding hides least: most claims take the whole of their programme's rate. */
static uint32_t ratio_of(const struct sq_invoice_row *rows, uint32_t count)
{
    const struct sq_invoice_row *best = &rows[0];
    for (uint32_t i = 1; i < count; i++)
        if (rows[i].base_fen > best->base_fen)
            best = &rows[i];
    if (best->base_fen <= 0 || best->amount_fen < 0 || best->amount_fen > best->base_fen)
        return 0;
    __int128 scaled = (__int128)best->amount_fen * 10000 + best->base_fen - 1;
    uint32_t ratio = (uint32_t)(scaled / best->base_fen);
    return ratio < RATIO_MAX ? ratio : RATIO_MAX;
}

/* ---- packing ---- */

static int same_who(const struct sq_invoice_row *a, const struct sq_invoice_row *b)
{
    return a->programme == b->programme && a->seller == b->seller && a->acquirer == b->acquirer &&
           a->stack_limit_bp == b->stack_limit_bp;
}

static uint8_t *pack_row(const struct sq_invoice_row *row, const struct sq_invoice_row *before, uint32_t ratio,
                         uint8_t *at)
{
    int64_t expected = by_ratio(row->base_fen, ratio);
    int head = row->key.head != before->key.head;
    uint64_t from = head ? 0 : before->key.low;
    uint8_t what = (uint8_t)((head ? HEAD : 0) | (row->key.low != next_number(from) ? GAP : 0) |
                             (row->base_fen != row->total_fen ? BASE : 0) | (row->amount_fen != expected ? AMOUNT : 0) |
                             (same_who(row, before) ? 0 : WHO) | (row->other != SQ_ROW_NONE ? OTHER : 0) |
                             (row->fixed ? FIXED : 0));
    *at++ = what;
    at = put_varint(at, (uint64_t)row->total_fen);
    if (what & HEAD) {
        sq_put_be16(at, (uint16_t)row->key.head);
        at += 2;
    }
    if (what & GAP)
        at = put_varint(at, row->key.low - from);
    if (what & BASE)
        at = put_varint(at, (uint64_t)row->base_fen);
    if (what & AMOUNT)
        at = put_varint(at, zigzag((int64_t)((uint64_t)row->amount_fen - (uint64_t)expected)));
    if (what & WHO)
        at = put_varint(put_varint(put_varint(put_varint(at, row->programme), row->seller), row->acquirer),
                        row->stack_limit_bp);
    if (what & OTHER)
        at = put_varint(at, row->other);
    return at;
}

static const struct sq_invoice_row nothing_before = {.programme = SQ_ROW_NONE, .seller = SQ_ROW_NONE};

size_t sq_chunk_pack(const struct sq_invoice_row *rows, uint32_t count, uint8_t *out)
{
    uint32_t ratio = ratio_of(rows, count);
    uint8_t *at = out + 2;
    sq_put_be16(out, (uint16_t)ratio);
    for (uint32_t i = 0; i < count; i++)
        at = pack_row(&rows[i], i == 0 ? &nothing_before : &rows[i - 1], ratio, at);
    return (size_t)(at - out);
}

/* ---- unpacking: `row` holds the row before, and becomes this one ---- */

static const uint8_t *unpack_row(const uint8_t *at, uint32_t ratio, struct sq_invoice_row *row)
{
    uint8_t what = *at++;
    uint64_t v;
    at = get_varint(at, &v);
    row->total_fen = (int64_t)v;
    if (what & HEAD) {
        row->key = (struct sq_invoice_key){0, sq_get_be16(at)};
        at += 2;
    }
    if (what & GAP) {
        at = get_varint(at, &v);
        row->key.low += v;
    } else {
        row->key.low = next_number(row->key.low);
    }
    row->base_fen = row->total_fen;
    if (what & BASE) {
        at = get_varint(at, &v);
        row->base_fen = (int64_t)v;
    }
    row->amount_fen = by_ratio(row->base_fen, ratio);
    if (what & AMOUNT) {
        at = get_varint(at, &v);
        row->amount_fen = (int64_t)((uint64_t)row->amount_fen + (uint64_t)unzigzag(v));
    }
    if (what & WHO) {
        uint64_t programme, seller, acquirer, limit;
        at = get_varint(get_varint(get_varint(get_varint(at, &programme), &seller), &acquirer), &limit);
        row->programme = (uint32_t)programme;
        row->seller = (uint32_t)seller;
        row->acquirer = (uint32_t)acquirer;
        row->stack_limit_bp = (uint32_t)limit;
    }
    row->fixed = (what & FIXED) != 0;
    row->other = SQ_ROW_NONE;
    if (what & OTHER) {
        at = get_varint(at, &v);
        row->other = (uint32_t)v;
    }
    return at;
}

void sq_chunk_unpack(const uint8_t *bytes, uint32_t count, struct sq_invoice_row *rows)
{
    uint32_t ratio = sq_get_be16(bytes);
    const uint8_t *at = bytes + 2;
    struct sq_invoice_row row = nothing_before;
    for (uint32_t i = 0; i < count; i++) {
        at = unpack_row(at, ratio, &row);
        rows[i] = row;
    }
}

uint32_t sq_chunk_find(const uint8_t *bytes, uint32_t count, const struct sq_invoice_key *key, int *found)
{
    uint32_t ratio = sq_get_be16(bytes);
    const uint8_t *at = bytes + 2;
    struct sq_invoice_row row = nothing_before;
    for (uint32_t i = 0; i < count; i++) {
        at = unpack_row(at, ratio, &row);
        int order = sq_invoice_key_compare(&row.key, key);
        if (order >= 0) {
            *found = order == 0;
            return i;
        }
    }
    *found = 0;
    return count;
}

/* Only lengths: that the content is what was stored is known from the snapshot's hash. */
int sq_chunk_fits(const uint8_t *bytes, size_t size, uint32_t count)
{
    static const uint8_t varints[] = {GAP, BASE, AMOUNT, WHO, WHO, WHO, WHO, OTHER};
    const uint8_t *at = bytes + 2, *end = bytes + size;
    if (size < 2 || count == 0 || count > SQ_CHUNK_ROWS)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        if (at == end || *at > KNOWN)
            return 0;
        uint8_t what = *at++;
        unsigned numbers = 1;
        for (size_t k = 0; k < sizeof varints; k++)
            numbers += (what & varints[k]) != 0;
        for (unsigned n = 0; n < numbers; n++) {
            if (n == 1 && what & HEAD)
                at += 2;
            while (at < end && *at >= 128)
                at++;
            if (at++ >= end)
                return 0;
        }
        if (numbers == 1 && what & HEAD)
            at += 2;
        if (at > end)
            return 0;
    }
    return at == end;
}
