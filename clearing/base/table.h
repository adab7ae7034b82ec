/*
 * State is tables: rows of one fixed size, found by number, only ever added at the end.
 *
 * Rows hold numbers of other rows, never pointers, so a table is its own snapshot: the rows as they
 * lie in memory. A snapshot is a cache for this build on this machine (its reader checks row sizes and
 * a hash, and falls back to the journal); it is not a format of the ledger.
 *
 * An index finds a row by a key of its own: open addressing, linear probing, at most half full. Its
 * order never leaves it, so a fixed hash is enough, and the same events give the same tables.
 */
#ifndef SQ_TABLE_H
#define SQ_TABLE_H

#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/status.h"

#define SQ_ROW_NONE UINT32_MAX

struct sq_table {
    void *rows;
    uint32_t count, capacity, row_size;
};

#define SQ_TABLE_OF(type) ((struct sq_table){.row_size = (uint32_t)sizeof(type)})

void sq_table_free(struct sq_table *t);

/* Room for `more` rows without moving memory again; call before "must succeed" code. */
SQ_MUST_CHECK sq_status sq_table_reserve(struct sq_table *t, uint32_t more, struct sq_error *err);

/* A new zeroed row and its number; NULL when memory is out. Never fails after sq_table_reserve. */
void *sq_table_add(struct sq_table *t, uint32_t *number_out);

static inline void *sq_table_at(const struct sq_table *t, uint32_t number)
{
    return (uint8_t *)t->rows + (size_t)number * t->row_size;
}

/* Row by number, with its type: SQ_ROW(&core->vouchers, struct sq_voucher, n). */
#define SQ_ROW(table, type, number) ((type *)sq_table_at((table), (number)))

/* ---- index: 64-bit hash of a key -> row number ---- */

struct sq_index {
    uint64_t *slots; /* row number + 1 in the low 32 bits, high half of the hash above; 0 empty */
    uint32_t count, capacity;
};

/* A fixed hash of bytes (FNV-1a folded); not for secrets, not against an adversary who chooses keys freely. */
uint64_t sq_hash_key(const void *key, size_t size);

/* Same row numbers for same hash are told apart by the caller. Returns the next candidate row, or SQ_ROW_NONE. */
struct sq_index_cursor {
    uint64_t hash;
    uint32_t at;
    int started;
};
uint32_t sq_index_next(const struct sq_index *ix, struct sq_index_cursor *c);

SQ_MUST_CHECK sq_status sq_index_reserve(struct sq_index *ix, uint32_t more, struct sq_error *err);
void sq_index_put(struct sq_index *ix, uint64_t hash, uint32_t row);
void sq_index_remove(struct sq_index *ix, uint64_t hash, uint32_t row);
void sq_index_free(struct sq_index *ix);

/* ---- snapshot: length-prefixed parts, one after another ---- */

struct sq_dump {
    uint8_t *bytes;
    size_t size, capacity;
    int failed;  /* memory ran out; everything after is dropped */
    int borrows; /* set by the caller at first: sq_dump_lend takes references instead of copies */
    size_t lent_size;
    struct sq_table loans; /* struct sq_dump_loan, in the order of their places */
};

struct sq_dump_loan {
    size_t at; /* stands in front of bytes[at] */
    const void *data;
    size_t size;
};

void sq_dump_put(struct sq_dump *d, const void *data, size_t size);
void sq_dump_u64(struct sq_dump *d, uint64_t v);
void sq_dump_table(struct sq_dump *d, const struct sq_table *t);
void sq_dump_index(struct sq_dump *d, const struct sq_index *ix);
/* The same, but the bytes stay where they are and must outlive the dump, when it borrows. */
void sq_dump_lend(struct sq_dump *d, const void *data, size_t size);
/* The dump's bytes piece by piece: 0 when there is none with this number. */
int sq_dump_piece(const struct sq_dump *d, size_t number, sq_bytes *out);
/* Empty, for another state: memory that has been touched is kept, because the kernel takes longer to give it anew than a copy takes. */
void sq_dump_clear(struct sq_dump *d);
void sq_dump_free(struct sq_dump *d);

/* Reading back; a wrong row size, a wrong count or a short file is SQ_E_FORMAT, and what was there stays. */
SQ_MUST_CHECK sq_status sq_undump_table(struct sq_reader *r, struct sq_table *t, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_undump_index(struct sq_reader *r, struct sq_index *ix, struct sq_error *err);

#endif
