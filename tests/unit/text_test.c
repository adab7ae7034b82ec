/* What people read and type at the command line: amounts, days, moments, columns, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/cli.h"
#include "ops/cli/names.h"
#include "ops/cli/text.h"

static void yuan_are_read_to_the_fen_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        int64_t fen; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"1", 100},
        {"1.5", 150},
        {"1.05", 105},
        {"1,234.56", 123456},
        {"1234.56", 123456},
        {"12,345,678", 1234567800},
        {"92233720368547758.07", INT64_MAX},
        {"92233720368547758.08", -1},
        {"184467440737095517", -1},
        {"", -1},
        {".5", -1},
        {"1.", -1},
        {"1.234", -1},
        {"1,23", -1},
        {"1,2345", -1},
        {"1234,567", -1},
        {",123", -1},
        {"1,234,", -1},
        {"1e3", -1},
        {" 1", -1},
        {"1 ", -1},
        {"+1", -1},
        {"--1", -1},
        {"1.5.5", -1},
        {"１", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t fen = 77;
        int ok = sq_read_yuan(cases[i].text, &fen);
        if (ok != (cases[i].fen >= 0) || fen != (ok ? cases[i].fen : 77))
            fail_msg("\"%s\" gives %d, %" PRId64, cases[i].text, ok, fen);
    }
    int64_t fen;
    assert_true(sq_read_yuan("-1.05", &fen) && fen == -105);
    assert_true(sq_read_fen("-105", &fen) && fen == -105);
    assert_false(sq_read_fen("1.05", &fen));
    assert_false(sq_read_fen("9223372036854775808", &fen));
}

static void yuan_are_printed_with_commas_and_two_decimals(void **state)
{
    static const struct {
        int64_t fen;
        const char *text;
    } cases[] = {{0, "0.00"},
                 {5, "0.05"},
                 {-5, "-0.05"},
                 {99999, "999.99"},
                 {100000, "1,000.00"},
                 {123456789, "1,234,567.89"},
                 {INT64_MIN, "-92,233,720,368,547,758.08"},
                 {INT64_MAX, "92,233,720,368,547,758.07"}};
    char out[SQ_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(sq_text_yuan(cases[i].fen, out), cases[i].text);
}

static void every_printed_amount_is_read_back_as_the_same(void **state)
{
    char out[SQ_TEXT_SIZE];
    int64_t back;
    (void)state;
    for (int64_t fen = 1; fen < INT64_MAX / 7; fen = fen * 7 + 3) {
        assert_true(sq_read_yuan(sq_text_yuan(fen, out), &back) && back == fen);
        assert_true(sq_read_yuan(sq_text_yuan(-fen, out), &back) && back == -fen);
    }
}

static void days_are_days_of_the_calendar(void **state)
{
    uint32_t day = 0;
    (void)state;
    assert_true(sq_read_day("20260901", &day) && day == 20260901);
    assert_true(sq_read_day("2028-02-29", &day) && day == 20280229);
    assert_false(sq_read_day("2026-02-29", &day));
    assert_false(sq_read_day("2026-9-1", &day));
    assert_false(sq_read_day("2026/09/01", &day));
    assert_false(sq_read_day("2026-09-01 ", &day));
    assert_false(sq_read_day("", &day));
}

static void moments_are_in_the_time_of_beijing(void **state)
{
    uint64_t ms = 0;
    char out[SQ_TEXT_SIZE];
    (void)state;
    assert_true(sq_read_moment("2026-09-01 08:00", &ms) && ms == 1788220800000u); /* midnight UTC */
    assert_true(sq_read_moment("2026-09-01T08:00:01", &ms) && ms == 1788220801000u);
    assert_string_equal(sq_text_time(ms, out), "2026-09-01 08:00:01");
    assert_true(sq_read_moment("2026-09-01", &ms) && ms == 1788220800000u + 16 * 3600000u - 1);
    assert_true(sq_read_moment("1788220800000", &ms) && ms == 1788220800000u);
    assert_false(sq_read_moment("2026-09-01 24:00", &ms));
    assert_false(sq_read_moment("2026-09-01 8:00", &ms));
    assert_false(sq_read_moment("2026-09-01 :1:11", &ms));
    assert_string_equal(sq_text_time(0, out), "-");
}

static void chinese_characters_are_two_cells_wide(void **state)
{
    (void)state;
    assert_int_equal(sq_text_width("abc"), 3);
    assert_int_equal(sq_text_width("算力券"), 6);
    assert_int_equal(sq_text_width("a（元）"), 7);
    assert_int_equal(sq_text_width("\xff\xfe"
                                   "a"),
                     3);
    assert_int_equal(sq_text_width(""), 0);
}

static void columns_line_up_under_chinese_headers(void **state)
{
    static const char *const headers[] = {"类别", "金额"};
    struct sq_grid g;
    char *text;
    size_t size;
    (void)state;
    FILE *out = open_memstream(&text, &size);
    sq_grid_begin(&g, "lr", headers);
    sq_grid_put(&g, "算力券");
    sq_grid_put(&g, "1.00");
    sq_grid_put(&g, "x");
    sq_grid_put(&g, "%d.00", 10);
    sq_grid_print(&g, out);
    fclose(out);
    assert_string_equal(text, "类别     金额\n"
                              "算力券   1.00\n"
                              "x       10.00\n");
    free(text);
    sq_grid_end(&g);
}

static void a_wrong_check_character_is_named_with_the_right_one(void **state)
{
    char why[SQ_WHY_SIZE];
    (void)state;
    assert_true(sq_uscc_explain("91310000MA1FL0000N", why));
    assert_false(sq_uscc_explain("91310000MA1FL00001", why));
    assert_string_equal(why, "the check character is 1, but the other 17 give N");
    assert_false(sq_uscc_explain("91310000MA1FL0000", why));
    assert_non_null(strstr(why, "this has 17"));
    assert_false(sq_uscc_explain("91310000MA1FI0000N", why));
    assert_non_null(strstr(why, "character 13 "));
    assert_false(sq_uscc_explain("91A10000MA1FL0000N", why));
    assert_non_null(strstr(why, "3 to 8"));
}

static void names_have_a_role_and_its_code(void **state)
{
    static const char *const good[] = {"node:310000", "issuer:440300", "operator:310000/zhang", "regulator:mof",
                                       "provider:91310000MA1FL0000N"};
    static const char *const bad[] = {"",
                                      "310000",
                                      "node:31000",
                                      "node:3100000",
                                      "node:031000",
                                      "issuer:44030x",
                                      "operator:310000",
                                      "operator:310000/",
                                      "operator:310000/Zhang",
                                      "regulator:",
                                      "holder:91310000MA1FL00001",
                                      "bank:x",
                                      "regulator:a-name-that-is-much-longer-than-any-name-may-be-here"};
    char why[SQ_WHY_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(sq_name_explain(good[i], why));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why[0] = '\0';
        assert_false(sq_name_explain(bad[i], why));
        assert_true(why[0] != '\0');
    }
}

static void each_kind_of_failure_has_its_exit_code(void **state)
{
    (void)state;
    assert_int_equal(sq_cli_exit_of(SQ_OK), 0);
    assert_int_equal(sq_cli_exit_of(SQ_R_CAP_YEAR), 1);
    assert_int_equal(sq_cli_exit_of(SQ_R_UNKNOWN_SENDER), 1);
    assert_int_equal(sq_cli_exit_of(SQ_E_CONFIG), 2);
    assert_int_equal(sq_cli_exit_of(SQ_E_TIMEOUT), 3);
    assert_int_equal(sq_cli_exit_of(SQ_E_VERIFY), 4);
    assert_int_equal(sq_cli_exit_of(SQ_E_IO), 5);
    assert_int_equal(sq_cli_exit_of(SQ_E_STORAGE), 5);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yuan_are_read_to_the_fen_or_not_at_all),
        cmocka_unit_test(yuan_are_printed_with_commas_and_two_decimals),
        cmocka_unit_test(every_printed_amount_is_read_back_as_the_same),
        cmocka_unit_test(days_are_days_of_the_calendar),
        cmocka_unit_test(moments_are_in_the_time_of_beijing),
        cmocka_unit_test(chinese_characters_are_two_cells_wide),
        cmocka_unit_test(columns_line_up_under_chinese_headers),
        cmocka_unit_test(a_wrong_check_character_is_named_with_the_right_one),
        cmocka_unit_test(names_have_a_role_and_its_code),
        cmocka_unit_test(each_kind_of_failure_has_its_exit_code),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
