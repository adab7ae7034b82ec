#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clearing/core/register_pack.h"

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A sixteen-digit number as 4-bit digits. */
static uint64_t digits_of(uint64_t number)
{
    uint64_t out = 0;
    for (unsigned shift = 0; shift < 64; shift += 4, number /= 10)
        out |= (number % 10) << shift;
    return out;
}

/* Numbers of every length, small ones often. */
static int64_t some_fen(uint64_t *random)
{
    uint64_t r = next_random(random);
    return (int64_t)(r >> (1 + next_random(random) % 63));
}

static struct sq_invoice_row some_row(uint64_t *random, uint64_t number, uint32_t head)
{
    uint64_t r = next_random(random);
    struct sq_invoice_row row = {.key = {digits_of(number), head},
                                 .programme = (uint32_t)(r & 3),
                                 .seller = (uint32_t)(r >> 2 & 3),
                                 .total_fen = some_fen(random),
                                 .other = (r >> 4 & 15) == 0 ? (uint32_t)(r >> 32) & 0x7fffffffu : SQ_ROW_NONE};
    row.base_fen = (r >> 8 & 3) == 0 ? some_fen(random) : row.total_fen;
    row.amount_fen = (r >> 10 & 3) == 0 ? some_fen(random) : (int64_t)((__int128)row.base_fen * 3000 / 10000);
    row.acquirer = (uint32_t)(r >> 14 & 1);
    row.fixed = (r >> 15 & 7) == 0;
    row.stack_limit_bp = (r >> 12 & 1) != 0 ? 10000 : 0;
    return row;
}

static void a_packed_chunk_gives_back_its_rows(void **state)
{
    (void)state;
    uint64_t random = 1;
    struct sq_invoice_row rows[SQ_CHUNK_ROWS], again[SQ_CHUNK_ROWS];
    uint8_t packed[SQ_CHUNK_PACKED_MAX];
    for (int turn = 0; turn < 500; turn++) {
        uint32_t count = 1 + (uint32_t)(next_random(&random) % SQ_CHUNK_ROWS),
                 head = (uint32_t)(next_random(&random) % 0x9999u);
        uint64_t number = next_random(&random) % 9000000000000000u;
        for (uint32_t i = 0; i < count; i++) {
            rows[i] = some_row(&random, number, head);
            uint64_t r = next_random(&random);
            number += (r & 7) == 0 ? 1 + (r >> 8) % 100000 : 1;
            head += (r & 127) == 1;
        }
        size_t size = sq_chunk_pack(rows, count, packed);
        assert_true(size <= SQ_CHUNK_PACKED_MAX);
        assert_true(sq_chunk_fits(packed, size, count));
        sq_chunk_unpack(packed, count, again);
        assert_memory_equal(again, rows, count * sizeof rows[0]);
        for (uint32_t i = 0; i < count; i++) {
            int found;
            struct sq_invoice_key before = {rows[i].key.low - 1, rows[i].key.head};
            assert_int_equal(sq_chunk_find(packed, count, &rows[i].key, &found), i);
            assert_int_equal(found, 1);
            uint32_t at = sq_chunk_find(packed, count, &before, &found);
            assert_true(found ? at + 1 == i : at == i);
        }
    }
}

static void a_usual_chunk_takes_six_bytes_a_row(void **state)
{
    (void)state;
    uint64_t random = 7;
    struct sq_invoice_row rows[SQ_CHUNK_ROWS];
    uint8_t packed[SQ_CHUNK_PACKED_MAX];
    for (uint32_t i = 0; i < SQ_CHUNK_ROWS; i++) {
        int64_t total = 100000 + (int64_t)(next_random(&random) % 100000000); /* a thousand to a million yuan */
        rows[i] = (struct sq_invoice_row){.key = {digits_of(2000000000000000u + i), 0x2631},
                                          .programme = 1,
                                          .seller = 5,
                                          .total_fen = total,
                                          .base_fen = total,
                                          .amount_fen = total * 3 / 10,
                                          .other = SQ_ROW_NONE};
    }
    assert_true(sq_chunk_pack(rows, SQ_CHUNK_ROWS, packed) < SQ_CHUNK_ROWS * 6);
}

static void bytes_that_are_not_whole_rows_are_refused(void **state)
{
    (void)state;
    uint64_t random = 3;
    struct sq_invoice_row rows[8];
    uint8_t packed[SQ_CHUNK_PACKED_MAX];
    for (uint32_t i = 0; i < 8; i++)
        rows[i] = some_row(&random, 1000 + i * 3, 0x2631);
    size_t size = sq_chunk_pack(rows, 8, packed);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(sq_chunk_fits(packed, cut, 8));
    assert_false(sq_chunk_fits(packed, size, 7));
    assert_false(sq_chunk_fits(packed, size, 9));
    assert_false(sq_chunk_fits(packed, size, 0));
    packed[2] |= 128;
    assert_false(sq_chunk_fits(packed, size, 8));
}

/* ---- the register against a plain list ---- */

enum { STREAMS = 1200, EACH = 250 }; /* more streams than chunks that stay open */

static struct sq_invoice_key key_of(uint32_t stream, uint32_t n)
{
    return (struct sq_invoice_key){digits_of(2000000000000000u + (uint64_t)stream * 10000000u + n), 0x2631};
}

static int64_t total_of(uint32_t stream, uint32_t n)
{
    return 1 + (int64_t)stream * 1000003 + n;
}

static void fill(struct sq_register *r)
{
    sq_register_init(r);
    for (uint32_t n = 0; n < EACH; n++)
        for (uint32_t stream = 0; stream < STREAMS; stream++) {
            struct sq_place p = {0};
            uint32_t at = n % 3 == 1 ? n + 1 : n % 3 == 2 ? n - 1 : n; /* not quite ascending */
            struct sq_invoice_key key = key_of((stream * 7919u) % STREAMS, at);
            sq_register_seek(r, &key, &p);
            assert_int_equal(p.found, 0);
            struct sq_invoice_row *row = sq_register_insert(r, &key, &p);
            assert_non_null(row);
            row->total_fen = total_of((stream * 7919u) % STREAMS, at);
            row->other = SQ_ROW_NONE;
        }
}

static void check_all(const struct sq_register *r, int64_t added)
{
    struct sq_place walk = {0};
    assert_int_equal(r->count, (uint64_t)STREAMS * EACH);
    for (uint32_t stream = 0; stream < STREAMS; stream++)
        for (uint32_t n = 0; n < EACH; n++) {
            struct sq_invoice_key key = key_of(stream, n), missing = key_of(stream, EACH + 5);
            struct sq_invoice_row row;
            struct sq_place fresh = {0};
            sq_register_seek(r, &key, &walk);
            assert_int_equal(walk.found, 1);
            sq_register_read(r, &walk, &row);
            assert_int_equal(row.total_fen, total_of(stream, n) + added);
            if (n % 50 == 0) {
                sq_register_seek(r, &key, &fresh);
                assert_int_equal(fresh.found, 1);
                assert_int_equal(fresh.at, walk.at);
                sq_register_seek(r, &missing, &fresh);
                assert_int_equal(fresh.found, 0);
            }
        }
}

static void add_one_to_all(struct sq_register *r)
{
    for (uint32_t stream = 0; stream < STREAMS; stream++)
        for (uint32_t n = 0; n < EACH; n++) {
            struct sq_invoice_key key = key_of(stream, n);
            struct sq_place p = {0};
            sq_register_seek(r, &key, &p);
            struct sq_invoice_row *row = sq_register_edit(r, &p);
            assert_non_null(row);
            row->total_fen++;
        }
}

static uint8_t *flatten(const struct sq_dump *d)
{
    uint8_t *all = malloc(d->size + d->lent_size), *at = all;
    sq_bytes piece;
    for (size_t i = 0; sq_dump_piece(d, i, &piece); i++) {
        if (piece.size != 0)
            memcpy(at, piece.data, piece.size);
        at += piece.size;
    }
    assert_int_equal(at - all, d->size + d->lent_size);
    return all;
}

static void a_register_larger_than_what_stays_open_finds_every_row(void **state)
{
    (void)state;
    struct sq_register r;
    fill(&r);
    check_all(&r, 0);
    add_one_to_all(&r);
    check_all(&r, 1);
    sq_register_free(&r);
}

static void what_is_lent_to_a_dump_stays_as_it_was_while_rows_change(void **state)
{
    (void)state;
    struct sq_register r, back;
    struct sq_dump lent = {.borrows = 1}, copied = {0}, later = {0};
    fill(&r);
    sq_register_dump(&r, &copied);
    sq_register_dump(&r, &lent);
    assert_true(lent.lent_size > 0);
    add_one_to_all(&r); /* opens and packs every chunk anew */
    uint8_t *from_loan = flatten(&lent), *from_copy = flatten(&copied);
    assert_int_equal(lent.size + lent.lent_size, copied.size);
    assert_memory_equal(from_loan, from_copy, copied.size);
    sq_register_dump_done(&r);
    assert_int_equal(r.retired.count, 0);

    sq_register_init(&back);
    struct sq_reader in = sq_reader_of(sq_bytes_of(from_loan, copied.size));
    assert_int_equal(sq_register_undump(&back, &in, NULL), SQ_OK);
    assert_true(in.at == in.end && !in.bad);
    check_all(&back, 0);
    check_all(&r, 1);
    sq_register_dump(&back, &later);
    assert_int_equal(later.size, copied.size);
    assert_memory_equal(later.bytes, copied.bytes, later.size); /* open or packed, the dump is the same */
    for (size_t cut = 0; cut < copied.size; cut += 4099) {
        struct sq_register half;
        sq_register_init(&half);
        in = sq_reader_of(sq_bytes_of(from_loan, cut));
        assert_int_equal(sq_register_undump(&half, &in, NULL), SQ_E_FORMAT);
        sq_register_free(&half);
    }
    free(from_loan);
    free(from_copy);
    sq_dump_free(&lent);
    sq_dump_free(&copied);
    sq_dump_free(&later);
    sq_register_free(&back);
    sq_register_free(&r);
}

static void descending_numbers_keep_their_order_too(void **state)
{
    (void)state;
    struct sq_register r;
    struct sq_place p = {0};
    sq_register_init(&r);
    for (uint32_t n = 100000; n > 0; n--) {
        struct sq_invoice_key key = key_of(0, n);
        p = (struct sq_place){0};
        sq_register_seek(&r, &key, &p);
        struct sq_invoice_row *row = sq_register_insert(&r, &key, &p);
        assert_non_null(row);
        row->total_fen = n;
        row->other = SQ_ROW_NONE;
    }
    p = (struct sq_place){0};
    for (uint32_t n = 1; n <= 100000; n++) {
        struct sq_invoice_key key = key_of(0, n);
        struct sq_invoice_row row;
        sq_register_seek(&r, &key, &p);
        assert_int_equal(p.found, 1);
        sq_register_read(&r, &p, &row);
        assert_int_equal(row.total_fen, n);
    }
    sq_register_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packed_chunk_gives_back_its_rows),
        cmocka_unit_test(a_usual_chunk_takes_six_bytes_a_row),
        cmocka_unit_test(bytes_that_are_not_whole_rows_are_refused),
        cmocka_unit_test(a_register_larger_than_what_stays_open_finds_every_row),
        cmocka_unit_test(what_is_lent_to_a_dump_stays_as_it_was_while_rows_change),
        cmocka_unit_test(descending_numbers_keep_their_order_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
