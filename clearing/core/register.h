/*
 * Where the rows of the invoice register live: in key order, packed while nobody works on them.
 *
 * A hundred million invoices must fit into a gigabyte beside everything else. Invoice numbers of one provider ascend, its amounts
 * follow from its bases, so a chunk of neighbouring rows says little that is new: five to eight bytes a row when packed, 56
 * when open. Providers append to the chunks they used last; those are open, the rest is packed.
 *
 *   top      [ first key | block ] ...                       sorted, a few thousand entries at a hundred million rows
 *   block    [ first key | chunk ] ... up to 256             sorted
 *   chunk    OPEN: rows     --the least recently used, when too many are open-->  PACKED: bytes
 *                           <--a row is added or changed--
 *
 * Packing changes nothing that can be seen: reading a packed chunk and an open one give the same rows.
 */
#ifndef SQ_REGISTER_H
#define SQ_REGISTER_H

#include "clearing/base/table.h"
#include "proto/status.h"

struct sq_invoice_key {
    uint64_t low;  /* digits 5 to 20, as sixteen 4-bit digits */
    uint32_t head; /* digits 1 to 4, likewise */
};

int sq_invoice_key_compare(const struct sq_invoice_key *a, const struct sq_invoice_key *b);

struct sq_invoice_row {
    struct sq_invoice_key key;
    uint32_t programme, seller;
    int64_t total_fen;
    int64_t base_fen, amount_fen; /* of the first programme; others hang on `other` */
    uint32_t stack_limit_bp;
    uint32_t other;    /* SQ_ROW_NONE: none */
    uint32_t acquirer; /* node that speaks for the seller */
    uint32_t fixed;    /* 1: a credit note has said the total, whoever claims */
};

struct sq_open_chunk;

struct sq_register {
    struct sq_table chunks; /* struct chunk */
    struct sq_table blocks; /* struct block */
    struct sq_table top;    /* struct fence */
    struct sq_open_chunk *newest, *oldest;
    uint32_t open_count;
    uint64_t count;
    int borrowed;            /* a dump still points at packed chunks: what is replaced is kept in `retired` */
    struct sq_table retired; /* void * */
};

void sq_register_init(struct sq_register *r);
void sq_register_free(struct sq_register *r);

/* A place in key order. A zeroed one finds its way from the top; the next, larger key is found from where this one ended. */
struct sq_place {
    uint32_t top, fence; /* entry of `top`, fence within its block */
    uint32_t at;         /* row of the chunk where the key is, or would be */
    int valid, found;
};

void sq_register_seek(const struct sq_register *r, const struct sq_invoice_key *key, struct sq_place *p);

/* The row that was found, by value. */
void sq_register_read(const struct sq_register *r, const struct sq_place *p, struct sq_invoice_row *out);

/* The row that was found, to be changed (its key stays); NULL when memory is out. Valid until the next call on r. */
struct sq_invoice_row *sq_register_edit(struct sq_register *r, const struct sq_place *p);

/* A new row with this key, which sq_register_seek has just not found; zeroed but for the key. NULL when memory is out. */
struct sq_invoice_row *sq_register_insert(struct sq_register *r, const struct sq_invoice_key *key, struct sq_place *p);

/* Packed chunks go into the dump as they are: when d->borrows, by reference, until sq_register_dump_done. */
void sq_register_dump(struct sq_register *r, struct sq_dump *d);
void sq_register_dump_done(struct sq_register *r);
SQ_MUST_CHECK sq_status sq_register_undump(struct sq_register *r, struct sq_reader *in, struct sq_error *err);

#endif
