/*
 *   0 "SQRUN 3\0" | 8 u64 first_seq | 16 u64 last_seq | 24 payload hash of the last | 56 u64 window after | 64 u64 size
 *   | 72 u32 check of layouts | 76 zero | 80 per part: u64 offset, u64 count | parts, each at a multiple of 8 | SHA-256 of all before
 */
#include "ops/history/run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clearing/base/hash.h"
#include "ops/history/run_image.h"

static const char magic[8] = "SQRUN 3";

struct head {
    char magic[8];
    uint64_t first_seq, last_seq;
    uint8_t last_hash[SQ_HASH_SIZE];
    uint64_t window, size;
    uint32_t layout, zero;
    struct {
        uint64_t offset, count;
    } part[SQ_RUN_PARTS];
};

static const uint32_t cell_of[SQ_RUN_PARTS] = {sizeof(struct sq_run_entry),
                                               sizeof(struct sq_run_name),
                                               sizeof(uint64_t),
                                               sizeof(uint32_t),
                                               sizeof(struct sq_run_by_name),
                                               sizeof(struct sq_run_holding),
                                               sizeof(struct sq_run_invoice),
                                               sizeof(struct sq_run_reply),
                                               sizeof(struct sq_run_programme),
                                               sizeof(struct sq_run_link),
                                               sizeof(struct sq_run_window),
                                               1};

/* Another build with other rows must not read this one's runs as its own. */
static uint32_t layout(void)
{
    uint32_t sum = SQ_RUN_PARTS;
    for (size_t i = 0; i < SQ_RUN_PARTS; i++)
        sum = sum * 1000003u + cell_of[i];
    return sum;
}

/* ---- making ---- */

sq_status sq_image_make(const struct sq_image_part parts[static SQ_RUN_PARTS], uint64_t first_seq, uint64_t last_seq,
                        const uint8_t last_hash[static SQ_HASH_SIZE], uint64_t window, uint8_t **image, size_t *size,
                        struct sq_error *err)
{
    struct head h = {.first_seq = first_seq, .last_seq = last_seq, .window = window, .layout = layout()};
    size_t at = sizeof h;
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.last_hash, last_hash, SQ_HASH_SIZE);
    for (size_t i = 0; i < SQ_RUN_PARTS; i++) {
        h.part[i].offset = at;
        h.part[i].count = parts[i].count;
        at += ((size_t)parts[i].count * cell_of[i] + 7) / 8 * 8;
    }
    h.size = at + SQ_HASH_SIZE;
    uint8_t *out = calloc(1, h.size);
    if (out == NULL)
        return sq_fail(err, SQ_E_NOMEM, "run of %" PRIu64 " bytes", h.size);
    memcpy(out, &h, sizeof h);
    for (size_t i = 0; i < SQ_RUN_PARTS; i++)
        if (parts[i].count != 0)
            memcpy(out + h.part[i].offset, parts[i].data, (size_t)parts[i].count * cell_of[i]);
    sq_sha256(out, at, out + at);
    *image = out;
    *size = h.size;
    return SQ_OK;
}

/* Least significant digit first, eleven bits at a time; digits that are the same in all keys cost one pass of counting. */
int sq_run_sort(uint64_t *keys, uint32_t *values, uint32_t count)
{
    enum { BITS = 11, BUCKETS = 1 << BITS };
    uint64_t *keys_to = malloc(((size_t)count + 1) * sizeof *keys_to), *keys_from = keys;
    uint32_t *values_to = malloc(((size_t)count + 1) * sizeof *values_to), *values_from = values, bucket[BUCKETS];
    uint64_t *spare_keys = keys_to;
    uint32_t *spare_values = values_to;
    int ok = keys_to != NULL && values_to != NULL;
    for (unsigned shift = 0; ok && count != 0 && shift < 64; shift += BITS) {
        memset(bucket, 0, sizeof bucket);
        for (uint32_t i = 0; i < count; i++)
            bucket[keys_from[i] >> shift & (BUCKETS - 1)]++;
        if (bucket[keys_from[0] >> shift & (BUCKETS - 1)] == count)
            continue;
        for (uint32_t i = 0, sum = 0; i < BUCKETS; i++) {
            uint32_t n = bucket[i];
            bucket[i] = sum;
            sum += n;
        }
        for (uint32_t i = 0; i < count; i++) {
            uint32_t to = bucket[keys_from[i] >> shift & (BUCKETS - 1)]++;
            keys_to[to] = keys_from[i];
            values_to[to] = values_from[i];
        }
        uint64_t *k = keys_from;
        uint32_t *v = values_from;
        keys_from = keys_to;
        values_from = values_to;
        keys_to = k;
        values_to = v;
    }
    if (ok && keys_from != keys) {
        memcpy(keys, keys_from, (size_t)count * sizeof *keys);
        memcpy(values, values_from, (size_t)count * sizeof *values);
    }
    free(spare_keys);
    free(spare_values);
    return ok;
}

/* ---- opening ---- */

sq_status sq_run_open(const uint8_t *image, size_t size, int mapped, struct sq_run *out, struct sq_error *err)
{
    struct head h;
    if (size < sizeof h + SQ_HASH_SIZE)
        return sq_fail(err, SQ_E_FORMAT, "run of %zu bytes is cut off", size);
    memcpy(&h, image, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0 || h.layout != layout() || h.size != size || h.zero != 0 ||
        h.first_seq == 0 || h.last_seq + 1 < h.first_seq)
        return sq_fail(err, SQ_E_FORMAT, "not a whole run of this program");
    struct sq_run r = {.image = image,
                       .size = size,
                       .mapped = mapped,
                       .first_seq = h.first_seq,
                       .last_seq = h.last_seq,
                       .window_after = h.window};
    memcpy(r.last_hash, h.last_hash, SQ_HASH_SIZE);
    for (size_t i = 0; i < SQ_RUN_PARTS; i++) {
        if (h.part[i].count > UINT32_MAX - 1 || h.part[i].offset % 8 != 0 || h.part[i].offset > size - SQ_HASH_SIZE ||
            h.part[i].count * cell_of[i] > size - SQ_HASH_SIZE - h.part[i].offset)
            return sq_fail(err, SQ_E_FORMAT, "part %zu of a run lies outside it", i);
        r.part[i] = image + h.part[i].offset;
        r.count[i] = (uint32_t)h.part[i].count;
    }
    if (r.count[SQ_RUN_VOUCHERS] != r.count[SQ_RUN_ROWS])
        return sq_fail(err, SQ_E_FORMAT, "a run's vouchers and rows differ in number");
    *out = r;
    return SQ_OK;
}

int sq_run_intact(const struct sq_run *r)
{
    uint8_t hash[SQ_HASH_SIZE];
    sq_sha256(r->image, r->size - SQ_HASH_SIZE, hash);
    return memcmp(hash, r->image + r->size - SQ_HASH_SIZE, SQ_HASH_SIZE) == 0;
}

void sq_run_close(struct sq_run *r)
{
    union {
        const uint8_t *in;
        void *out;
    } ours = {r->image};
    if (r->mapped && r->image != NULL)
        munmap(ours.out, r->size);
    else
        free(ours.out);
    *r = (struct sq_run){0};
}

/* ---- finding ---- */

/* The first of `count` that is not before the key. */
#define FIRST_NOT_BEFORE(count_, before)                                                                               \
    ({                                                                                                                 \
        uint32_t low = 0, high = (count_);                                                                             \
        while (low < high) {                                                                                           \
            uint32_t at = low + (high - low) / 2;                                                                      \
            if (before)                                                                                                \
                low = at + 1;                                                                                          \
            else                                                                                                       \
                high = at;                                                                                             \
        }                                                                                                              \
        low;                                                                                                           \
    })

uint32_t sq_run_name_find(const struct sq_run *r, const char *name)
{
    const struct sq_run_name *names = SQ_RUN_PART(r, SQ_RUN_NAMES, struct sq_run_name);
    uint32_t n = FIRST_NOT_BEFORE(r->count[SQ_RUN_NAMES], strncmp(names[at].text, name, sizeof names[at].text) < 0);
    return n < r->count[SQ_RUN_NAMES] && strncmp(names[n].text, name, sizeof names[n].text) == 0 ? n : SQ_ROW_NONE;
}

uint32_t sq_run_voucher_from(const struct sq_run *r, uint64_t voucher)
{
    const uint64_t *vouchers = SQ_RUN_PART(r, SQ_RUN_VOUCHERS, uint64_t);
    return FIRST_NOT_BEFORE(r->count[SQ_RUN_VOUCHERS], vouchers[at] < voucher);
}

uint32_t sq_run_reply_from(const struct sq_run *r, uint64_t batch)
{
    const struct sq_run_reply *replies = SQ_RUN_PART(r, SQ_RUN_REPLIES, struct sq_run_reply);
    return FIRST_NOT_BEFORE(r->count[SQ_RUN_REPLIES], replies[at].batch < batch);
}

uint32_t sq_run_provider_from(const struct sq_run *r, uint32_t name)
{
    const struct sq_run_by_name *providers = SQ_RUN_PART(r, SQ_RUN_PROVIDERS, struct sq_run_by_name);
    return FIRST_NOT_BEFORE(r->count[SQ_RUN_PROVIDERS], providers[at].name < name);
}

uint32_t sq_run_holding_from(const struct sq_run *r, uint32_t name)
{
    const struct sq_run_holding *holdings = SQ_RUN_PART(r, SQ_RUN_HOLDINGS, struct sq_run_holding);
    return FIRST_NOT_BEFORE(r->count[SQ_RUN_HOLDINGS], holdings[at].name < name);
}

uint32_t sq_run_entry_from(const struct sq_run *r, uint64_t seq)
{
    const struct sq_run_entry *entries = SQ_RUN_PART(r, SQ_RUN_ENTRIES, struct sq_run_entry);
    return FIRST_NOT_BEFORE(r->count[SQ_RUN_ENTRIES], entries[at].seq < seq);
}

uint32_t sq_run_entry_of_row(const struct sq_run *r, uint32_t row)
{
    const struct sq_run_entry *entries = SQ_RUN_PART(r, SQ_RUN_ENTRIES, struct sq_run_entry);
    /* Entries without rows of their own have the first row of the next: the last that begins at or before the row holds it. */
    return FIRST_NOT_BEFORE(r->count[SQ_RUN_ENTRIES], entries[at].first_row <= row) - 1;
}
