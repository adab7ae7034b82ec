/* What everything else stands on: tables, indexes, dumps, the arena, days, hashes, organisation codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clearing/base/arena.h"
#include "clearing/base/day.h"
#include "clearing/base/hash.h"
#include "clearing/base/table.h"
#include "clearing/base/uscc.h"
#include "tests/support/random.h"

/* ---- tables ---- */

struct row {
    uint64_t a;
    uint32_t b, c;
};

static void rows_keep_their_numbers_and_contents_while_a_table_grows(void **state)
{
    (void)state;
    struct sq_table t = SQ_TABLE_OF(struct row);
    for (uint32_t i = 0; i < 600000; i++) { /* past the size from which memory is laid out for huge pages */
        uint32_t number = 0;
        struct row *r = sq_table_add(&t, &number);
        const struct row zero = {0, 0, 0};
        assert_int_equal(number, i);
        assert_memory_equal(r, &zero, sizeof zero); /* new rows are zeroed, also in memory that was used before */
        *r = (struct row){i, ~i, i * 3};
    }
    for (uint32_t i = 0; i < t.count; i++) {
        const struct row expected = {i, ~i, i * 3};
        assert_memory_equal(SQ_ROW(&t, struct row, i), &expected, sizeof expected);
    }
    sq_table_free(&t);
    assert_int_equal(t.count, 0);
}

static void a_reserved_table_does_not_move(void **state)
{
    (void)state;
    struct sq_table t = SQ_TABLE_OF(struct row);
    assert_int_equal(sq_table_reserve(&t, 1000, NULL), SQ_OK);
    const void *rows = t.rows;
    for (int i = 0; i < 1000; i++)
        assert_non_null(sq_table_add(&t, NULL));
    assert_ptr_equal(t.rows, rows);
    sq_table_free(&t);
}

static void a_table_of_all_numbers_is_full_and_stays_as_it_was(void **state)
{
    (void)state;
    struct sq_table t = SQ_TABLE_OF(struct row);
    struct sq_error err = {0};
    assert_non_null(sq_table_add(&t, NULL));
    const struct sq_table before = t;
    assert_int_equal(sq_table_reserve(&t, UINT32_MAX, &err), SQ_E_FULL);
    assert_int_equal(sq_table_reserve(&t, SQ_ROW_NONE - 1, &err), SQ_E_FULL);
    assert_int_equal(err.status, SQ_E_FULL);
    assert_memory_equal(&t, &before, sizeof t);
    sq_table_free(&t);
}

/* ---- indexes ---- */

#define PAIRS_MAX 400

struct pair {
    uint64_t hash;
    uint32_t row;
};

/* Every candidate of this hash, in the index and in a plain list, must be the same set. */
static void candidates_are(const struct sq_index *ix, const struct pair *list, size_t count, uint64_t hash)
{
    struct sq_index_cursor c = {.hash = hash};
    uint8_t seen[PAIRS_MAX * 2] = {0};
    uint32_t row, found = 0, expected = 0;
    while ((row = sq_index_next(ix, &c)) != SQ_ROW_NONE) {
        assert_true(row < sizeof seen && !seen[row]);
        seen[row] = 1;
        found++;
    }
    for (size_t i = 0; i < count; i++)
        if (list[i].hash >> 32 == hash >> 32) { /* only the high half is kept: the caller tells the rest apart */
            assert_true(seen[list[i].row]);
            expected++;
        }
    assert_int_equal(found, expected);
}

/* Few homes, so that runs are long, meet, and wrap around the end of the slots. */
static uint64_t crowded_hash(struct dice *d)
{
    static const uint64_t homes[] = {0, 1, 2, 5, 60, 61, 62, 63, 126, 127, 254, 255, 510, 511, 1022, 1023};
    uint64_t home = homes[dice_below(d, sizeof homes / sizeof *homes)];
    return (home | (uint64_t)dice_below(d, 3) << 20) << 32 | dice_below(d, 2);
}

static void an_index_finds_what_was_put_and_not_what_was_removed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct dice d = {seed};
        struct sq_index ix = {0};
        struct pair list[PAIRS_MAX];
        size_t count = 0;
        uint32_t next_row = 0;
        for (int step = 0; step < 2000; step++) {
            if (count < PAIRS_MAX && next_row < PAIRS_MAX * 2 && dice_below(&d, 100) < (step < 1000 ? 60u : 40u)) {
                list[count] = (struct pair){crowded_hash(&d), next_row++};
                assert_int_equal(sq_index_reserve(&ix, 1, NULL), SQ_OK);
                sq_index_put(&ix, list[count].hash, list[count].row);
                count++;
            } else if (count != 0) {
                size_t gone = dice_below(&d, (uint32_t)count);
                sq_index_remove(&ix, list[gone].hash, list[gone].row);
                sq_index_remove(&ix, list[gone].hash, list[gone].row); /* again changes nothing */
                list[gone] = list[--count];
            }
            assert_int_equal(ix.count, count);
            candidates_are(&ix, list, count,
                           count != 0 && step % 2 ? list[dice_below(&d, (uint32_t)count)].hash : crowded_hash(&d));
        }
        for (size_t i = 0; i < count; i++)
            candidates_are(&ix, list, count, list[i].hash);
        while (count != 0) {
            count--;
            sq_index_remove(&ix, list[count].hash, list[count].row);
        }
        for (uint32_t i = 0; i < ix.capacity; i++)
            assert_true(ix.slots[i] == 0);
        sq_index_free(&ix);
    }
}

static void an_index_grows_with_everything_in_it_and_stays_half_empty(void **state)
{
    (void)state;
    struct sq_index ix = {0};
    for (uint32_t i = 0; i < 50000; i++) {
        assert_int_equal(sq_index_reserve(&ix, 1, NULL), SQ_OK);
        sq_index_put(&ix, sq_hash_key(&i, sizeof i), i);
        assert_true((uint64_t)ix.count * 2 <= ix.capacity);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        struct sq_index_cursor c = {.hash = sq_hash_key(&i, sizeof i)};
        uint32_t row = sq_index_next(&ix, &c);
        while (row != SQ_ROW_NONE && row != i)
            row = sq_index_next(&ix, &c);
        assert_true(row == (i < 50000 ? i : SQ_ROW_NONE));
    }
    const struct sq_index before = ix;
    assert_int_equal(sq_index_reserve(&ix, UINT32_MAX, NULL), SQ_E_FULL);
    assert_memory_equal(&ix, &before, sizeof ix);
    sq_index_free(&ix);
}

static void an_empty_index_has_nothing(void **state)
{
    (void)state;
    struct sq_index ix = {0};
    struct sq_index_cursor c = {.hash = 7};
    assert_true(sq_index_next(&ix, &c) == SQ_ROW_NONE);
    sq_index_remove(&ix, 7, 0);
    assert_int_equal(ix.count, 0);
}

/* ---- dumps ---- */

static void fill(struct sq_table *t, struct sq_index *ix, uint32_t rows)
{
    *t = SQ_TABLE_OF(struct row);
    *ix = (struct sq_index){0};
    assert_int_equal(sq_index_reserve(ix, rows, NULL), SQ_OK);
    for (uint32_t i = 0; i < rows; i++) {
        struct row *r = sq_table_add(t, NULL);
        *r = (struct row){i * 1000003ull, i, 7};
        sq_index_put(ix, sq_hash_key(&i, sizeof i), i);
    }
}

static void a_dump_reads_back_as_the_same_table_and_index(void **state)
{
    (void)state;
    for (uint32_t rows = 0; rows < 5000; rows = rows * 3 + 1) {
        struct sq_table t, t2 = SQ_TABLE_OF(struct row);
        struct sq_index ix, ix2 = {0};
        struct sq_dump first = {0}, second = {0};
        fill(&t, &ix, rows);
        sq_dump_table(&first, &t);
        sq_dump_index(&first, &ix);
        assert_int_equal(first.failed, 0);
        struct sq_reader r = sq_reader_of(sq_bytes_of(first.bytes, first.size));
        assert_int_equal(sq_undump_table(&r, &t2, NULL), SQ_OK);
        assert_int_equal(sq_undump_index(&r, &ix2, NULL), SQ_OK);
        assert_true(r.at == r.end);
        sq_dump_table(&second, &t2);
        sq_dump_index(&second, &ix2);
        assert_int_equal(second.size, first.size);
        assert_memory_equal(second.bytes, first.bytes, first.size);
        sq_dump_free(&first);
        sq_dump_free(&second);
        sq_table_free(&t);
        sq_table_free(&t2);
        sq_index_free(&ix);
        sq_index_free(&ix2);
    }
}

/* Reads a table and an index over ones that hold something; what is accepted must be just what the bytes say. */
static sq_status read_over(sq_bytes bytes)
{
    struct sq_table t;
    struct sq_index ix;
    struct sq_error err = {0};
    struct sq_reader r = sq_reader_of(bytes);
    fill(&t, &ix, 3);
    sq_status st = sq_undump_table(&r, &t, &err);
    if (st == SQ_OK)
        st = sq_undump_index(&r, &ix, &err);
    else
        assert_true(t.count <= 3);
    if (st == SQ_OK) {
        struct sq_dump again = {0};
        sq_dump_table(&again, &t);
        sq_dump_index(&again, &ix);
        assert_int_equal(again.size, (size_t)(r.at - bytes.data));
        assert_memory_equal(again.bytes, bytes.data, again.size);
        sq_dump_free(&again);
        assert_true((uint64_t)ix.count * 2 <= ix.capacity);
        for (uint64_t home = 0; home < ix.capacity; home++) { /* a search ends, wherever it begins */
            struct sq_index_cursor c = {.hash = home << 32};
            for (uint32_t n = 0; sq_index_next(&ix, &c) != SQ_ROW_NONE; n++)
                assert_true(n < ix.capacity);
        }
    } else {
        assert_int_equal(st, SQ_E_FORMAT);
        assert_int_equal(err.status, SQ_E_FORMAT);
        assert_true(err.text[0] != '\0');
    }
    sq_table_free(&t);
    sq_index_free(&ix);
    return st;
}

static void a_damaged_dump_is_refused_or_is_what_it_says(void **state)
{
    (void)state;
    struct sq_table t;
    struct sq_index ix;
    struct sq_dump d = {0};
    fill(&t, &ix, 20);
    sq_dump_table(&d, &t);
    size_t index_at = d.size;
    sq_dump_index(&d, &ix);
    assert_int_equal(read_over(sq_bytes_of(d.bytes, d.size)), SQ_OK);
    for (size_t size = 0; size < d.size; size++)
        assert_int_equal(read_over(sq_bytes_of(d.bytes, size)), SQ_E_FORMAT);
    for (size_t i = 0; i < d.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            d.bytes[i] ^= (uint8_t)(1u << bit);
            sq_status st = read_over(sq_bytes_of(d.bytes, d.size));
            if (i < 8 ||
                (i >= index_at && i < index_at + 16)) /* the row size; how many slots there are, and are used */
                assert_int_equal(st, SQ_E_FORMAT);
            d.bytes[i] ^= (uint8_t)(1u << bit);
        }
    sq_dump_free(&d);
    sq_table_free(&t);
    sq_index_free(&ix);
}

static void rows_of_another_build_are_refused(void **state)
{
    (void)state;
    struct sq_table t = SQ_TABLE_OF(struct row), other = SQ_TABLE_OF(uint64_t);
    struct sq_dump d = {0};
    assert_non_null(sq_table_add(&t, NULL));
    sq_dump_table(&d, &t);
    struct sq_reader r = sq_reader_of(sq_bytes_of(d.bytes, d.size));
    assert_int_equal(sq_undump_table(&r, &other, NULL), SQ_E_FORMAT);
    assert_int_equal(other.count, 0);
    sq_dump_free(&d);
    sq_table_free(&t);
    sq_table_free(&other);
}

/* ---- arena ---- */

static void an_arena_gives_aligned_zeroed_memory_until_it_is_full(void **state)
{
    (void)state;
    struct sq_arena a;
    struct dice d = {7};
    assert_int_equal(sq_arena_init(&a, 4096, NULL), SQ_OK);
    for (int round = 0; round < 200; round++) {
        const uint8_t *end = a.base;
        size_t size;
        uint8_t *p;
        sq_arena_reset(&a);
        while (size = dice_below(&d, 200), (p = sq_arena_take(&a, size)) != NULL) {
            assert_int_equal((uintptr_t)p % 16, 0);
            assert_true(p >= end && p + size <= a.base + a.size);
            end = p + size;
            for (size_t i = 0; i < size; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, size); /* for the next round to find */
        }
        assert_true(size > a.size - a.used || (a.used + 15) / 16 * 16 + size > a.size);
        size_t used = a.used;
        assert_null(sq_arena_take(&a, a.size));
        assert_null(sq_arena_room(&a, SIZE_MAX));
        assert_null(sq_arena_room(&a, SIZE_MAX - 8));
        assert_null(sq_arena_copy(&a, "", SIZE_MAX));
        assert_int_equal(a.used, used); /* what does not fit takes nothing */
    }
    sq_arena_free(&a);
    assert_null(a.base);
}

static void an_arena_fills_to_its_last_byte_and_copies(void **state)
{
    (void)state;
    struct sq_arena a;
    assert_int_equal(sq_arena_init(&a, 64, NULL), SQ_OK);
    assert_non_null(sq_arena_take(&a, 64));
    assert_null(sq_arena_take(&a, 1));
    assert_non_null(sq_arena_take(&a, 0));
    sq_arena_reset(&a);
    const char *copy = sq_arena_copy(&a, "sixteen bytes ok", 16);
    assert_memory_equal(copy, "sixteen bytes ok", 16);
    assert_non_null(sq_arena_copy(&a, NULL, 0));
    assert_null(sq_arena_copy(&a, copy, 49));
    sq_arena_free(&a);
}

/* ---- days ---- */

/* The calendar by itself: yyyymmdd of a day counted from 2000-01-01. */
static uint32_t written(uint32_t days)
{
    time_t t = 946684800 + (time_t)days * 86400;
    struct tm tm;
    gmtime_r(&t, &tm);
    return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday);
}

#define DAYS_OF_200_YEARS 73049u
#define FIRST_MS          946656000000u /* 1999-12-31 16:00 UTC: the first moment of 2000 in UTC+8 */

static void every_day_of_two_centuries_begins_and_ends_at_midnight_in_beijing(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < DAYS_OF_200_YEARS; i++) {
        uint32_t day = written(i);
        uint64_t begins = FIRST_MS + (uint64_t)i * 86400000u;
        assert_int_equal(sq_day_of_ms(begins), day);
        assert_int_equal(sq_day_of_ms(begins + 86399999u), day);
        assert_int_equal(sq_day_of_ms(begins - 1), i == 0 ? 19991231 : written(i - 1));
        assert_true(sq_day_end_ms(day) == begins + 86400000u);
    }
    assert_int_equal(written(DAYS_OF_200_YEARS - 1), 21991231);
    assert_int_equal(sq_day_of_ms(0), 19700101);
}

static void days_and_months_are_added_over_the_ends_of_months_and_years(void **state)
{
    (void)state;
    for (uint32_t i = 0; i + 400 < 200 * 365; i += 37)
        for (int32_t n = -1; n <= 400; n += 401) {
            assert_int_equal(sq_day_add(written(i + 1), n), written((uint32_t)((int32_t)i + 1 + n)));
            assert_int_equal(sq_day_number(written(i + 1)) - sq_day_number(written(i)), 1);
        }
    assert_int_equal(sq_day_add_months(20240131, 1), 20240229);
    assert_int_equal(sq_day_add_months(20250131, 1), 20250228);
    assert_int_equal(sq_day_add_months(20240229, 12), 20250228);
    assert_int_equal(sq_day_add_months(20251130, 3), 20260228);
    assert_int_equal(sq_day_add_months(20260115, -1), 20251215);
    assert_int_equal(sq_day_add_months(20260115, -36), 20230115);
    assert_int_equal(sq_minute_of_ms(sq_day_end_ms(20260101)), 0);
    assert_int_equal(sq_minute_of_ms(sq_day_end_ms(20260101) - 1), 1439);
    assert_int_equal(sq_minute_of_ms(sq_day_end_ms(20260101) + 17 * 3600000u), 1020);
}

static void only_days_of_the_calendar_are_valid(void **state)
{
    (void)state;
    uint32_t next = 0;
    for (uint32_t number = 19990000; number <= 22010000; number++) {
        int real = next < DAYS_OF_200_YEARS && number == written(next);
        next += (uint32_t)real;
        if (sq_day_valid(number) != real)
            fail_msg("%u is %s", number, real ? "a day" : "no day");
    }
    assert_int_equal(next, DAYS_OF_200_YEARS);
    const uint32_t odd[] = {0,        1,        20260229,   21000229,  20001301,   20000001,
                            20000100, 20000132, UINT32_MAX, 120260101, 4294967295u};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_false(sq_day_valid(odd[i]));
    assert_true(sq_day_valid(20000229) && sq_day_valid(20280229));
}

/* ---- SHA-256 ---- */

static void sha256_gives_the_published_answers_in_one_part_or_many(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t hash[8]; /* FIPS 180-4 examples, first eight bytes */
    } cases[] = {
        {"", {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14}},
        {"abc", {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t whole[SQ_HASH_SIZE], parts[SQ_HASH_SIZE];
        size_t size = strlen(cases[i].text);
        sq_sha256(cases[i].text, size, whole);
        assert_memory_equal(whole, cases[i].hash, 8);
        for (size_t cut = 0; cut <= size; cut++) {
            const struct sq_sha256_part part[] = {{cases[i].text, cut}, {NULL, 0}, {cases[i].text + cut, size - cut}};
            sq_sha256_parts(part, 3, parts);
            assert_memory_equal(parts, whole, SQ_HASH_SIZE);
        }
    }
}

/* ---- organisation codes ---- */

static const char *const good_codes[] = {
    "91350100M000100Y43",                       /* the standard's own example */
    "91310199TXXXXX0015", "12370199TXXXXX132Y", /* remainder 1: Y, the last of the alphabet */
    "91440199TXXXXX01X0",                       /* remainder 0: 31 - 0 is past the alphabet, and is written 0 */
};

static void the_standards_example_and_both_trap_remainders_are_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_codes / sizeof *good_codes; i++)
        assert_true(sq_uscc_valid(good_codes[i]));
}

static void every_other_character_in_any_place_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_codes / sizeof *good_codes; i++)
        for (size_t at = 0; at < SQ_USCC_LENGTH; at++)
            for (int c = 1; c < 256; c++) {
                char code[SQ_USCC_LENGTH + 1];
                strcpy(code, good_codes[i]);
                if ((char)c == code[at])
                    continue;
                code[at] = (char)c;
                if (sq_uscc_valid(code))
                    fail_msg("%s with character %d in place %zu", good_codes[i], c, at + 1);
            }
}

static void two_neighbours_that_change_places_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_codes / sizeof *good_codes; i++)
        for (size_t at = 0; at + 1 < SQ_USCC_LENGTH; at++) {
            char code[SQ_USCC_LENGTH + 1];
            strcpy(code, good_codes[i]);
            code[at] = good_codes[i][at + 1];
            code[at + 1] = good_codes[i][at];
            assert_int_equal(sq_uscc_valid(code), code[at] == code[at + 1]);
        }
}

static void another_length_or_a_letter_in_the_region_is_refused(void **state)
{
    (void)state;
    assert_false(sq_uscc_valid(""));
    assert_false(sq_uscc_valid("91350100M000100Y4"));
    assert_false(sq_uscc_valid("91350100M000100Y430"));
    assert_false(sq_uscc_valid("91350100m000100y43"));
    /* The right check character does not help where only digits may stand. */
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    for (size_t at = 0; at < 17; at++) {
        int accepted = 0;
        for (const char *check = alphabet; *check != '\0'; check++) {
            char code[] = "91350100M000100Y43";
            code[at] = 'A';
            code[17] = *check;
            accepted += sq_uscc_valid(code);
        }
        assert_int_equal(accepted, at < 2 || at > 7);
    }
}

static void a_dump_that_is_cleared_makes_the_same_bytes_again(void **state)
{
    (void)state;
    static const uint8_t lent[100] = {7};
    struct sq_dump once = {.borrows = 1}, again = {.borrows = 1};
    struct sq_table t = SQ_TABLE_OF(uint64_t);
    sq_bytes a = {NULL, 0}, b = {NULL, 0};
    for (uint64_t i = 0; i < 20000; i++)
        *(uint64_t *)sq_table_add(&t, NULL) = i * i;
    sq_dump_table(&again, &t); /* more, and other things, than comes after */
    sq_dump_lend(&again, lent, sizeof lent);
    sq_dump_table(&again, &t);
    sq_dump_clear(&again);
    assert_int_equal(sq_dump_piece(&again, 0, &a), 1);
    assert_int_equal(a.size, 0);
    assert_int_equal(sq_dump_piece(&again, 1, &a), 0);

    t.count = 1000;
    for (struct sq_dump *d = &once; d != NULL; d = d == &once ? &again : NULL) {
        sq_dump_u64(d, 5);
        sq_dump_lend(d, lent, sizeof lent);
        sq_dump_table(d, &t);
        assert_false(d->failed);
    }
    assert_true(once.size == again.size && once.lent_size == again.lent_size);
    for (size_t piece = 0; sq_dump_piece(&once, piece, &a); piece++) {
        assert_int_equal(sq_dump_piece(&again, piece, &b), 1);
        assert_int_equal(a.size, b.size);
        if (a.size != 0)
            assert_memory_equal(a.data, b.data, a.size);
    }
    sq_dump_free(&once);
    sq_dump_free(&again);
    sq_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_that_is_cleared_makes_the_same_bytes_again),
        cmocka_unit_test(rows_keep_their_numbers_and_contents_while_a_table_grows),
        cmocka_unit_test(a_reserved_table_does_not_move),
        cmocka_unit_test(a_table_of_all_numbers_is_full_and_stays_as_it_was),
        cmocka_unit_test(an_index_finds_what_was_put_and_not_what_was_removed),
        cmocka_unit_test(an_index_grows_with_everything_in_it_and_stays_half_empty),
        cmocka_unit_test(an_empty_index_has_nothing),
        cmocka_unit_test(a_dump_reads_back_as_the_same_table_and_index),
        cmocka_unit_test(a_damaged_dump_is_refused_or_is_what_it_says),
        cmocka_unit_test(rows_of_another_build_are_refused),
        cmocka_unit_test(an_arena_gives_aligned_zeroed_memory_until_it_is_full),
        cmocka_unit_test(an_arena_fills_to_its_last_byte_and_copies),
        cmocka_unit_test(days_and_months_are_added_over_the_ends_of_months_and_years),
        cmocka_unit_test(every_day_of_two_centuries_begins_and_ends_at_midnight_in_beijing),
        cmocka_unit_test(only_days_of_the_calendar_are_valid),
        cmocka_unit_test(sha256_gives_the_published_answers_in_one_part_or_many),
        cmocka_unit_test(the_standards_example_and_both_trap_remainders_are_valid),
        cmocka_unit_test(every_other_character_in_any_place_is_refused),
        cmocka_unit_test(two_neighbours_that_change_places_are_found),
        cmocka_unit_test(another_length_or_a_letter_in_the_region_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
