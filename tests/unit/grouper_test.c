/* Rows that go together: bundles come whole, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/grouper.h"
#include "proto/sanquan.pb-c.h"

#define HEADER                                                                                                         \
    "voucher,amount_yuan,base_yuan,invoice,invoice_total_yuan,service,service_day,bundle,reserve_until,verb,facts\n"
#define MOST 4u
static const struct sq_cli quiet = {.command = "test"};

static struct sq_sheet *sheet_of(const char *const *bundles, size_t count)
{
    char text[20000] = HEADER;
    struct sq_sheet *s = NULL;
    struct sq_error err = {0};
    for (size_t i = 0; i < count; i++) {
        char line[300];
        snprintf(line, sizeof line, "3100000001000000001,1,10,%020zu,10,7,20260901,%s\n", i + 1, bundles[i]);
        strcat(text, line);
    }
    if (sq_sheet_parse((uint8_t *)strdup(text), strlen(text), "f.csv", SQ_BATCH_COLUMNS, SQ_BATCH_COLUMN_COUNT, &s,
                       &err) != SQ_OK)
        fail_msg("%s", err.text);
    return s;
}

/* Returns whether a bundle is torn. The groups as text, "2 1 " for one of two rows and a single one; *told: lines that something is wrong with. */
static int groups_of(const char *const *bundles, size_t count, char *out, uint64_t *told)
{
    struct sq_sheet *s = sheet_of(bundles, count);
    struct sq_problems p;
    const struct sq_item *items;
    uint32_t n;
    sq_problems_begin(&p, &quiet, "f.csv");
    struct sq_grouper *g = sq_grouper_new(s, &p, MOST);
    out[0] = '\0';
    while ((n = sq_grouper_next(g, &items)) != 0) {
        for (uint32_t i = 1; i < n; i++)
            assert_true(items[i].bundle == items[0].bundle && items[0].bundle != 0);
        sprintf(out + strlen(out), "%u ", n);
    }
    assert_int_equal(sq_grouper_next(g, &items), 0);
    *told = p.lines;
    int torn = sq_grouper_is_torn(g);
    json_decref(p.list);
    sq_grouper_free(g);
    sq_sheet_close(s);
    return torn;
}

#define UNTIL "2026-12-31,,"
static void bundles_come_whole_or_not_at_all(void **state)
{
    static const struct {
        const char *rows[8], *groups;
        uint64_t told;
    } cases[] = {
        {{",,,", ",,,"}, "1 1 ", 0},
        {{"1," UNTIL, "1," UNTIL, ",,,", "2," UNTIL}, "2 1 1 ", 0},
        {{"7," UNTIL, "7," UNTIL, "9," UNTIL, "9," UNTIL}, "2 2 ", 0},
        {{"1," UNTIL, "2," UNTIL, "1," UNTIL, "3," UNTIL}, "1 1 1 ", 1}, /* torn apart */
        {{"1," UNTIL, "1," UNTIL, "1," UNTIL, "1," UNTIL}, "4 ", 0},     /* as many as a batch takes */
        {{"1," UNTIL, "1," UNTIL, "1," UNTIL, "1," UNTIL, "1," UNTIL, "2," UNTIL}, "1 ", 5}, /* and one more */
        {{"1," UNTIL, "1,2027-01-01,,", ",,,"}, "1 ", 2},                                    /* two times */
        {{"1,,,", "1," UNTIL, "2," UNTIL}, "1 ", 2},                                         /* a time is missing */
        {{"1,2026-12-31,return,", "1," UNTIL, ",,,"}, "1 ", 2},                              /* and is redeemed */
        {{"1," UNTIL, "x," UNTIL, "2," UNTIL, "3," UNTIL}, "1 ", 3}, /* of 1, or of 2, or of none */
        {{",,,", "x,,,", ",,,"}, "1 1 ", 1},
        {{"x,,,", "1," UNTIL, "1," UNTIL}, "", 3},
        {{"0,,,", "18446744073709551614," UNTIL, "18446744073709551615," UNTIL}, "1 ", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char groups[100];
        uint64_t told;
        size_t count = 0;
        while (count < 8 && cases[i].rows[count] != NULL)
            count++;
        int torn = groups_of(cases[i].rows, count, groups, &told);
        assert_int_equal(torn, i == 3);
        if (strcmp(groups, cases[i].groups) != 0 || told != cases[i].told)
            fail_msg("case %zu: groups \"%s\", %" PRIu64 " lines told", i, groups, told);
    }
}

/* Numbers of a file may be of any size; in a batch they are 1, 2, 3, whatever the order of the invoices. */
static void a_batch_numbers_its_bundles_from_1(void **state)
{
    static const char *const rows[] = {",,,", "70," UNTIL, "70," UNTIL, "80," UNTIL};
    struct sq_sheet *s = sheet_of(rows, 4);
    struct sq_grouper *g = sq_grouper_new(s, NULL, MOST);
    struct sq_item items[4] = {0};
    const struct sq_item *group;
    uint32_t order[4], count = 0, n;
    uint8_t *body;
    size_t size;
    (void)state;
    while ((n = sq_grouper_next(g, &group)) != 0) {
        memcpy(items + count, group, n * sizeof *group);
        count += n;
    }
    assert_int_equal(count, 4);
    items[1].invoice[0] = 0x99; /* the last by invoice */
    sq_batch_pack(items, 4, order, &body, &size);
    Sanquan__V1__Batch *m = sanquan__v1__batch__unpack(NULL, size, body);
    assert_non_null(m);
    const uint32_t expected[4] = {0, 1, 2, 1};
    assert_int_equal(m->n_bundle, 4);
    assert_memory_equal(m->bundle, expected, sizeof expected);
    assert_true(m->reserve_until_ms == items[1].reserve_until_ms && m->reserve_until_ms != 0);
    sanquan__v1__batch__free_unpacked(m, NULL);
    free(body);
    sq_grouper_free(g);
    sq_sheet_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundles_come_whole_or_not_at_all),
        cmocka_unit_test(a_batch_numbers_its_bundles_from_1),
    };
    setlocale(LC_ALL, "C");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
