/* Files that people bring: what is read, and how each kind of mistake is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/batch.h"
#include "ops/cli/sheet.h"
#include "proto/wire.h"

enum { NAME, AMOUNT_FEN, AMOUNT_YUAN, DAY, NUMBER, COLUMNS };
static const struct sq_column columns[COLUMNS] = {[NAME] = {"name", "名称", 1},
                                                  [AMOUNT_FEN] = {"amount_fen", "金额分", 0},
                                                  [AMOUNT_YUAN] = {"amount_yuan", "金额元", 0},
                                                  [DAY] = {"day", "日期", 0},
                                                  [NUMBER] = {"number", "编号", 0}};
static const struct sq_cli quiet = {.command = "test"};

static struct sq_sheet *sheet_of(const void *text, size_t size, const struct sq_column *of, unsigned count,
                                 struct sq_error *err)
{
    struct sq_sheet *s = NULL;
    uint8_t *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    if (sq_sheet_parse(copy, size, "f.csv", of, count, &s, err) != SQ_OK)
        return NULL;
    return s;
}

static struct sq_sheet *good_sheet(const char *text)
{
    struct sq_error err = {0};
    struct sq_sheet *s = sheet_of(text, strlen(text), columns, COLUMNS, &err);
    if (s == NULL)
        fail_msg("%s", err.text);
    return s;
}

static void header_is_refused(const char *text, const char *because)
{
    struct sq_error err = {0};
    assert_null(sheet_of(text, strlen(text), columns, COLUMNS, &err));
    assert_int_equal(err.status, SQ_E_FORMAT);
    if (strstr(err.text, because) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, because);
}

static void rows_are_read_with_quotes_commas_and_line_ends_of_all_kinds(void **state)
{
    struct sq_row row;
    (void)state;
    struct sq_sheet *s = good_sheet("\xef\xbb\xbfName,day,number\r\n"
                                    "a,1,2\r\n"
                                    "\r\n"
                                    "\"b, \"\"c\"\"\",,3\n"
                                    "\"two\nlines\",x,y\n"
                                    "last,4,5");
    assert_true(sq_sheet_next(s, &row));
    assert_int_equal(row.line, 2);
    assert_string_equal(row.cell[NAME], "a");
    assert_string_equal(row.cell[NUMBER], "2");
    assert_string_equal(row.cell[AMOUNT_FEN], "");
    assert_true(row.raw.size == 5 && memcmp(row.raw.data, "a,1,2", 5) == 0);
    assert_true(sq_sheet_next(s, &row));
    assert_int_equal(row.line, 4);
    assert_string_equal(row.cell[NAME], "b, \"c\"");
    assert_string_equal(row.cell[DAY], "");
    assert_true(sq_sheet_next(s, &row));
    assert_int_equal(row.line, 5);
    assert_string_equal(row.cell[NAME], "two\nlines");
    assert_true(sq_sheet_next(s, &row));
    assert_int_equal(row.line, 7);
    assert_string_equal(row.cell[NUMBER], "5");
    assert_false(sq_sheet_next(s, &row));
    sq_sheet_rewind(s);
    assert_true(sq_sheet_next(s, &row));
    assert_int_equal(row.line, 2);
    sq_sheet_close(s);
}

static void columns_go_by_their_chinese_names_too(void **state)
{
    struct sq_row row;
    (void)state;
    struct sq_sheet *s = good_sheet("日期,名称\n2026-09-01,某公司\n");
    assert_true(sq_sheet_next(s, &row));
    assert_string_equal(row.cell[NAME], "某公司");
    assert_string_equal(row.cell[DAY], "2026-09-01");
    assert_true(sq_sheet_has(s, DAY));
    assert_false(sq_sheet_has(s, NUMBER));
    sq_sheet_close(s);
}

static void a_wrong_header_is_named_with_its_line(void **state)
{
    (void)state;
    header_is_refused("", "empty");
    header_is_refused("\n\n", "empty");
    header_is_refused("name,amount\n", "f.csv:1: \"amount\" is no column");
    header_is_refused("\nname,name\n", "f.csv:2: column name stands twice");
    header_is_refused("day\n", "f.csv:1: column name (名称) is missing");
    header_is_refused("name,\"day\n", "f.csv:1: a quotation mark");
    header_is_refused("name\rday\r", "CR");
    header_is_refused("name,\xbd\xf0\xb6\xee\n", "UTF-8"); /* 金额 in GBK */
}

static void a_broken_row_costs_one_line(void **state)
{
    static const struct {
        const char *line, *because;
    } cases[] = {{"a,1", "fewer fields"},
                 {"a,1,2,3", "more fields"},
                 {"\"a\"b,1,2", "quotation mark in the wrong place"},
                 {"a\"b,1,2", "quotation mark in the wrong place"},
                 {"a\rb,1,2", "line end"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        struct sq_row row;
        snprintf(text, sizeof text, "name,day,number\nx,1,2\n%s\ny,3,4,,\n", cases[i].line);
        struct sq_sheet *s = good_sheet(text);
        assert_true(sq_sheet_next(s, &row) && row.broken == NULL);
        assert_true(sq_sheet_next(s, &row));
        assert_int_equal(row.line, 3);
        if (row.broken == NULL || strstr(row.broken, cases[i].because) == NULL)
            fail_msg("\"%s\": %s", cases[i].line, row.broken != NULL ? row.broken : "not broken");
        assert_true(sq_sheet_next(s, &row));
        assert_null(row.broken);
        assert_int_equal(row.line, 4);
        assert_string_equal(row.cell[NAME], "y");
        assert_false(sq_sheet_next(s, &row));
        sq_sheet_close(s);
    }
}

static void a_quote_that_is_never_closed_is_told_on_its_first_line(void **state)
{
    struct sq_row row;
    (void)state;
    struct sq_sheet *s = good_sheet("name,day,number\nx,1,2\n\"a,1,2\nb,3,4\n");
    assert_true(sq_sheet_next(s, &row) && row.broken == NULL);
    assert_true(sq_sheet_next(s, &row));
    assert_int_equal(row.line, 3);
    assert_non_null(strstr(row.broken, "never closed"));
    assert_false(sq_sheet_next(s, &row));
    sq_sheet_close(s);
}

static void nul_characters_do_not_shorten_a_cell(void **state)
{
    static const char text[] = "name\na\0b\nc\n";
    struct sq_error err = {0};
    struct sq_row row;
    (void)state;
    struct sq_sheet *s = sheet_of(text, sizeof text - 1, columns, COLUMNS, &err);
    assert_non_null(s);
    assert_true(sq_sheet_next(s, &row));
    assert_non_null(strstr(row.broken, "NUL"));
    assert_true(sq_sheet_next(s, &row));
    assert_null(row.broken);
    sq_sheet_close(s);
}

static void json_lines_hold_strings_and_whole_numbers(void **state)
{
    static const char *const broken[] = {"{\"name\":\"a\",\"amount_yuan\":1.5}",
                                         "{\"name\":true}",
                                         "{\"nome\":\"a\"}",
                                         "{\"name\":\"a\",\"name\":\"b\"}",
                                         "[1]",
                                         "{\"name\":\"a\""};
    struct sq_row row;
    (void)state;
    struct sq_sheet *s =
        good_sheet("{\"name\":\"甲\",\"number\":12,\"day\":null}\n\n{\"number\":\"7\",\"name\":\"b\"}");
    assert_true(sq_sheet_next(s, &row));
    assert_null(row.broken);
    assert_string_equal(row.cell[NAME], "甲");
    assert_string_equal(row.cell[NUMBER], "12");
    assert_string_equal(row.cell[DAY], "");
    assert_true(sq_sheet_next(s, &row));
    assert_int_equal(row.line, 3);
    assert_string_equal(row.cell[NUMBER], "7");
    assert_false(sq_sheet_next(s, &row));
    sq_sheet_close(s);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"name\":\"x\"}\n%s\n{\"name\":\"y\"}\n", broken[i]);
        s = good_sheet(text);
        assert_true(sq_sheet_next(s, &row) && row.broken == NULL);
        assert_true(sq_sheet_next(s, &row));
        if (row.broken == NULL)
            fail_msg("%s is taken", broken[i]);
        assert_true(sq_sheet_next(s, &row) && row.broken == NULL && strcmp(row.cell[NAME], "y") == 0);
        sq_sheet_close(s);
    }
}

static void a_problem_says_line_field_value_and_reason(void **state)
{
    struct sq_problems problems;
    struct sq_cells c;
    struct sq_row row;
    (void)state;
    struct sq_sheet *s = good_sheet("name,amount_yuan,day,number\na,12.345,2026-02-30,9\n");
    assert_true(sq_sheet_next(s, &row));
    sq_problems_begin(&problems, &quiet, "f.csv");
    assert_true(sq_cells_begin(&c, s, &row, &problems));
    sq_cell_money(&c, AMOUNT_FEN, AMOUNT_YUAN, 1, 1000, 0);
    sq_cell_day(&c, DAY);
    assert_int_equal(sq_cell_number(&c, NUMBER, 1, 9, 0), 9);
    assert_true(c.bad);
    assert_int_equal(problems.count, 2);
    assert_int_equal(problems.lines, 1);
    const json_t *first = json_array_get(problems.list, 0);
    assert_int_equal(json_integer_value(json_object_get(first, "line")), 2);
    assert_string_equal(json_string_value(json_object_get(first, "field")), "amount_yuan");
    assert_string_equal(json_string_value(json_object_get(first, "value")), "12.345");
    assert_non_null(strstr(json_string_value(json_object_get(first, "reason")), "two decimals"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(problems.list, 1), "field")), "day");
    json_decref(problems.list);
    sq_sheet_close(s);
}

static void an_amount_stands_in_fen_or_in_yuan(void **state)
{
    static const struct {
        const char *row;
        int64_t fen; /* -1: a problem */
    } cases[] = {{"a,150,", 150},   {"a,,1.5", 150},  {"a,,", -1},    {"a,150,1.50", -1},
                 {"a,0,", -1},      {"a,,0.009", -1}, {"a,1.5,", -1}, {"a,,\"1,000.00\"", 100000},
                 {"a,,1000.01", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        struct sq_cells c;
        struct sq_row row;
        snprintf(text, sizeof text, "name,amount_fen,amount_yuan\n%s\n", cases[i].row);
        struct sq_sheet *s = good_sheet(text);
        assert_true(sq_sheet_next(s, &row));
        assert_true(sq_cells_begin(&c, s, &row, NULL));
        int64_t fen = sq_cell_money(&c, AMOUNT_FEN, AMOUNT_YUAN, 1, 100000, 0);
        if (c.bad != (cases[i].fen < 0) || (!c.bad && fen != cases[i].fen))
            fail_msg("%s: %d, %" PRId64, cases[i].row, c.bad, fen);
        sq_sheet_close(s);
    }
}

/* ---- rows of a batch ---- */

#define BATCH_HEADER                                                                                                   \
    "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day,verb,reservation,reserve_until,"     \
    "evidence\n"

static int read_item(const char *line, struct sq_item *item)
{
    char text[600];
    struct sq_error err = {0};
    struct sq_row row;
    snprintf(text, sizeof text, BATCH_HEADER "%s\n", line);
    struct sq_sheet *s = sheet_of(text, strlen(text), SQ_BATCH_COLUMNS, SQ_BATCH_COLUMN_COUNT, &err);
    assert_non_null(s);
    assert_true(sq_sheet_next(s, &row));
    int ok = sq_item_read(s, &row, NULL, item);
    sq_sheet_close(s);
    return ok;
}

static void an_item_is_read_with_its_verb(void **state)
{
    struct sq_item i;
    (void)state;
    assert_true(read_item("3100000001000000001,1.5,10,26312000000000000012,10.00,7,2026-10-01,,,,", &i));
    assert_int_equal(i.verb, SANQUAN__V1__VERB__REDEEM);
    assert_int_equal(i.amount_fen, 150);
    assert_int_equal(i.service_day, 20261001);
    assert_memory_equal(i.invoice, "\x26\x31\x20\x00\x00\x00\x00\x00\x00\x12", 10);
    assert_true(read_item("3100000001000000001,1,10,033002100111234567,10,7,20261001,核销,,,", &i));
    assert_memory_equal(i.invoice, "\x00\x03\x30\x02\x10\x01\x11\x23\x45\x67", 10);
    assert_true(read_item("3100000001000000001,1,10,,,7,20261001,Reserve,5,2026-12-31,", &i));
    assert_int_equal(i.verb, SANQUAN__V1__VERB__RESERVE);
    assert_int_equal(i.reservation, 5);
    assert_true(i.reserve_until_ms != 0);
    assert_true(read_item("3100000001000000001,1,,,,,20261001,release,5,,", &i));
    assert_true(read_item("3100000001000000001,1,,26312000000000000012,,,20261001,return,,,", &i));
}

static void what_no_node_could_take_is_refused_before_it_is_sent(void **state)
{
    static const char *const bad[] = {
        "310000000100000001,1,10,26312000000000000012,10,7,20261001,,,,",  /* 18 digits */
        "3100000000000000001,1,10,26312000000000000012,10,7,20261001,,,,", /* programme 0 */
        "3100000001000000000,1,10,26312000000000000012,10,7,20261001,,,,", /* serial 0 */
        "3100000001000000001,0,10,26312000000000000012,10,7,20261001,,,,", /* no amount */
        "3100000001000000001,-1,10,26312000000000000012,10,7,20261001,,,,",
        "3100000001000000001,1,,26312000000000000012,10,7,20261001,,,,",  /* no base */
        "3100000001000000001,1,10,,10,7,20261001,,,,",                    /* no invoice */
        "3100000001000000001,1,10,2631200000000000001,10,7,20261001,,,,", /* 19 digits */
        "3100000001000000001,1,10,00000000000000000000,10,7,20261001,,,,",
        "3100000001000000001,1,10,2631200000000000001x,10,7,20261001,,,,",
        "3100000001000000001,1,10,26312000000000000012,,7,20261001,,,,",  /* no total */
        "3100000001000000001,1,10,26312000000000000012,10,,20261001,,,,", /* no service */
        "3100000001000000001,1,10,26312000000000000012,10,nosuch,20261001,,,,",
        "3100000001000000001,1,10,26312000000000000012,10,7,20261301,,,,",
        "3100000001000000001,1,10,26312000000000000012,10,7,20261001,pay,,,",
        "3100000001000000001,1,10,26312000000000000012,10,7,20261001,commit,,,", /* no reservation */
        "3100000001000000001,1,10,,,7,20261001,reserve,5,,",                     /* no end */
        "3100000001000000001,1,10,26312000000000000012,10,7,20261001,,,,abcd",
        "3100000001000000001,100000000000.01,10,26312000000000000012,10,7,20261001,,,,",
    };
    struct sq_item i;
    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (read_item(bad[k], &i))
            fail_msg("%s is taken", bad[k]);
}

static void a_batch_is_canonical_and_ascends_by_invoice(void **state)
{
    static const char *const rows[] = {
        "3100000001000000003,3,10,26312000000000000030,10,7,20261001,,,,",
        "3100000001000000001,1,10,26312000000000000010,10,7,20261001,,,,",
        "3100000001000000002,2,10,26312000000000000030,10,7,20261001,return,,,",
        "3100000001000000004,4,10,,,7,20261001,reserve,9,2026-12-31,",
    };
    static const uint32_t expected[] = {3, 1, 0, 2};
    struct sq_item items[4];
    uint32_t order[4];
    uint8_t *body;
    size_t size;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_true(read_item(rows[i], &items[i]));
    sq_batch_pack(items, 4, order, &body, &size);
    assert_memory_equal(order, expected, sizeof expected);
    assert_int_equal(sq_wire_check(&sanquan__v1__batch__descriptor, sq_bytes_of(body, size), NULL), SQ_OK);
    Sanquan__V1__Batch *m = sanquan__v1__batch__unpack(NULL, size, body);
    assert_non_null(m);
    assert_int_equal(m->n_voucher, 4);
    assert_true(m->voucher[2] == 3100000001000000003u && m->amount_fen[3] == 200);
    assert_int_equal(m->n_scenario, 0);
    assert_int_equal(m->evidence.len, 0);
    assert_int_equal(m->n_reservation, 4);
    assert_int_equal(m->verb.len, 4);
    assert_true(m->reserve_until_ms == items[3].reserve_until_ms);
    sanquan__v1__batch__free_unpacked(m, NULL);
    free(body);
}

static void reservations_with_another_end_go_into_another_batch(void **state)
{
    struct sq_item redeem, until_may, until_june;
    (void)state;
    assert_true(read_item("3100000001000000003,3,10,26312000000000000030,10,7,20261001,,,,", &redeem));
    assert_true(read_item("3100000001000000004,4,10,,,7,20261001,reserve,9,2026-05-31,", &until_may));
    assert_true(read_item("3100000001000000004,4,10,,,7,20261001,reserve,8,2026-06-30,", &until_june));
    struct sq_batch_room room;
    sq_batch_room_begin(&room);
    assert_true(sq_batch_room_take(&room, &redeem));
    assert_true(sq_batch_room_take(&room, &until_may));
    assert_true(sq_batch_room_take(&room, &until_may));
    assert_true(sq_batch_room_take(&room, &redeem));
    assert_false(sq_batch_room_take(&room, &until_june));
    sq_batch_room_end(&room);
}

static int read_declared(const char *cells, struct sq_item *item)
{
    char text[600];
    struct sq_error err = {0};
    struct sq_row row;
    unsigned commas = 0;
    for (const char *p = cells; (p = strchr(p, ',')) != NULL; p++)
        commas++;
    snprintf(text, sizeof text,
             "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day,quantity,documents,facts%s\n"
             "3100000001000000001,1.5,10,26312000000000000012,10.00,api,2026-10-01,%s\n",
             commas == 3 ? ",payee" : "", cells);
    struct sq_sheet *s = sheet_of(text, strlen(text), SQ_BATCH_COLUMNS, SQ_BATCH_COLUMN_COUNT, &err);
    assert_non_null(s);
    assert_true(sq_sheet_next(s, &row));
    int ok = sq_item_read(s, &row, NULL, item);
    sq_sheet_close(s);
    return ok;
}

static void documents_and_facts_go_by_the_names_of_programme_files(void **state)
{
    static const char *const bad[] = {",contrakt,",
                                      ",0,",
                                      ",33,",
                                      ",,hardware",
                                      ",,hardware=silver",
                                      ",,hardware=domestic;hardware=other",
                                      ",,nosuch=1",
                                      ",,region=31",
                                      ",,sector=65",
                                      "-1,,",
                                      "1.5,,",
                                      ",,,both"};
    struct sq_item i;
    (void)state;
    assert_true(read_declared("120,contract + delivery,\" filing=77 ; hardware=domestic\"", &i));
    assert_int_equal(i.quantity, 120);
    assert_int_equal(i.documents, 1u << 0 | 1u << 3);
    assert_int_equal(i.facts.count, 2);
    assert_int_equal(i.facts.attribute[0], 11);
    assert_int_equal(i.facts.value[0], 1);
    assert_int_equal(i.facts.attribute[1], 13);
    assert_int_equal(i.facts.value[1], 77);
    assert_true(read_declared(",,region=310115", &i));
    assert_true(i.facts.count == 1 && i.facts.attribute[0] == 1 && i.facts.value[0] == 310115);
    assert_true(read_declared(",,", &i) && i.facts.count == 0 && i.documents == 0 && i.payee == 0);
    assert_true(read_declared(",,,持券方", &i) && i.payee == 2);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (read_declared(bad[k], &i))
            fail_msg("%s is taken", bad[k]);
}

static void a_batch_names_each_set_of_facts_once(void **state)
{
    struct sq_item items[4];
    uint32_t order[4];
    uint8_t *body;
    size_t size;
    (void)state;
    assert_true(read_declared("5,invoice,filing=77", &items[0]));
    assert_true(read_declared(",,,holder", &items[1]));
    assert_true(read_declared(",,filing=78", &items[2]));
    assert_true(read_declared(",,filing=77", &items[3]));
    sq_batch_pack(items, 4, order, &body, &size);
    assert_int_equal(sq_wire_check(&sanquan__v1__batch__descriptor, sq_bytes_of(body, size), NULL), SQ_OK);
    Sanquan__V1__Batch *m = sanquan__v1__batch__unpack(NULL, size, body);
    assert_non_null(m);
    assert_int_equal(m->n_fact_sets, 2);
    assert_true(m->n_facts == 4 && m->facts[0] == 1 && m->facts[1] == 0 && m->facts[2] == 2 && m->facts[3] == 1);
    assert_true(m->n_quantity == 4 && m->quantity[0] == 5 && m->quantity[1] == 0);
    assert_true(m->n_documents == 4 && m->documents[0] == 2);
    assert_true(m->payee.len == 4 && m->payee.data[0] == 0 && m->payee.data[1] == 2);
    sanquan__v1__batch__free_unpacked(m, NULL);
    free(body);
}

static void a_batch_has_room_for_64_sets_of_facts(void **state)
{
    struct sq_batch_room room;
    struct sq_item item;
    char cells[40];
    (void)state;
    sq_batch_room_begin(&room);
    for (int i = 1; i <= 64; i++) {
        snprintf(cells, sizeof cells, ",,filing=%d", i);
        assert_true(read_declared(cells, &item));
        assert_true(sq_batch_room_take(&room, &item));
    }
    assert_true(sq_batch_room_take(&room, &item));
    assert_true(read_declared(",,filing=65", &item));
    assert_false(sq_batch_room_take(&room, &item));
    assert_true(read_declared(",,", &item));
    assert_true(sq_batch_room_take(&room, &item));
    sq_batch_room_end(&room);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_with_quotes_commas_and_line_ends_of_all_kinds),
        cmocka_unit_test(columns_go_by_their_chinese_names_too),
        cmocka_unit_test(a_wrong_header_is_named_with_its_line),
        cmocka_unit_test(a_broken_row_costs_one_line),
        cmocka_unit_test(a_quote_that_is_never_closed_is_told_on_its_first_line),
        cmocka_unit_test(nul_characters_do_not_shorten_a_cell),
        cmocka_unit_test(json_lines_hold_strings_and_whole_numbers),
        cmocka_unit_test(a_problem_says_line_field_value_and_reason),
        cmocka_unit_test(an_amount_stands_in_fen_or_in_yuan),
        cmocka_unit_test(an_item_is_read_with_its_verb),
        cmocka_unit_test(what_no_node_could_take_is_refused_before_it_is_sent),
        cmocka_unit_test(a_batch_is_canonical_and_ascends_by_invoice),
        cmocka_unit_test(reservations_with_another_end_go_into_another_batch),
        cmocka_unit_test(documents_and_facts_go_by_the_names_of_programme_files),
        cmocka_unit_test(a_batch_names_each_set_of_facts_once),
        cmocka_unit_test(a_batch_has_room_for_64_sets_of_facts),
    };
    return cmocka_run_group_tests_name("sheet", tests, NULL, NULL);
}
