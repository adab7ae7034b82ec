/* The daemon's configuration: read with its defaults, refused with line and reason; cut-offs by Beijing's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/common/config.h"
#include "tests/support/random.h"

#define LINES 15

static const char *const good[LINES + 1] = {
    NULL,
    "# node: of Shanghai, bind: as below, log: little", /* 1 */
    "node: \"310000\"",
    "directory: /etc/sanquan/directory.yaml",
    "keys: /etc/sanquan/310000.key",
    "passphrase_file: /run/credentials/passphrase", /* 5 */
    "ledger: /var/lib/sanquan/310000",
    "bind: tcp://0.0.0.0:7310",
    "peers:",
    "  - {code: \"370000\", endpoint: \"tcp://10.0.0.2:7310\"}",
    "  - {code: \"440000\", endpoint: \"tcp://10.0.0.3:7310\"}", /* 10 */
    "cutoffs: [\"17:00\", \"09:30\"]",
    "map_size_gib: 64",
    "disk_low_permille: 100",
    "snapshot_every_items: 5000",
    "log: debug", /* 15 */
};

struct place {
    char path[64];
};

static int begin(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/sanquan-config-XXXXXX");
    int fd = mkstemp(p->path);
    assert_true(fd >= 0);
    close(fd);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;
    unlink(p->path);
    free(p);
    return 0;
}

/* The good file with one line another; text NULL: without it. */
static sq_status read_with(const struct place *p, unsigned line, const char *text, struct sq_config **c,
                           struct sq_error *err)
{
    FILE *f = fopen(p->path, "w");
    assert_non_null(f);
    for (unsigned i = 1; i <= LINES; i++)
        fprintf(f, "%s\n", i != line ? good[i] : text != NULL ? text : "");
    fclose(f);
    *c = NULL;
    return sq_config_read(p->path, c, err);
}

static void what_is_written_is_read(void **state)
{
    struct sq_config *c;
    assert_int_equal(read_with(*state, 0, NULL, &c, NULL), SQ_OK);
    assert_string_equal(c->node, "310000");
    assert_string_equal(c->passphrase_file, "/run/credentials/passphrase");
    assert_string_equal(c->bind, "tcp://0.0.0.0:7310");
    assert_int_equal(c->peers_count, 2);
    assert_string_equal(c->peers[1].code, "440000");
    assert_string_equal(c->peers[1].endpoint, "tcp://10.0.0.3:7310");
    assert_true(c->cutoffs_count == 2 && c->map_size_gib == 64 && c->disk_low_permille == 100 &&
                c->snapshot_every_items == 5000);
    assert_string_equal(c->log, "debug");
    sq_config_free(c);
    sq_config_free(NULL);
}

static void what_may_be_left_out_has_its_usual_value(void **state)
{
    struct sq_config *c;
    const struct place *p = *state;
    FILE *f = fopen(p->path, "w");
    fprintf(f, "%s\n%s\n%s\n%s\n%s\n", good[2], good[3], good[4], good[6], good[7]);
    fclose(f);
    assert_int_equal(sq_config_read(p->path, &c, NULL), SQ_OK);
    assert_true(c->map_size_gib == 0 && c->disk_low_permille == 50 && c->snapshot_every_items == 12000000);
    assert_true(c->peers_count == 0 && c->cutoffs_count == 0 && c->passphrase_file == NULL && c->log == NULL);
    assert_true(sq_config_next_cutoff(c, 1790000000000u).at_ms == UINT64_MAX);
    sq_config_free(c);
}

static void one_wrong_line_is_named_with_its_reason(void **state)
{
    static const struct {
        unsigned line;
        const char *text, *reason;
    } cases[] = {
        {2, "node: \"31000x\"", "six-digit"},
        {2, "node: \"3100001\"", "node"},
        {2, "node:", "node"},
        {6, "ledgers: /var/lib", "ledgers"},
        {7, "bind: ipc:///tmp/x", "tcp://"},
        {7, "bind: tcp:/", "bind"},
        {9, "  - {code: \"310000\", endpoint: \"tcp://10.0.0.2:7310\"}", "another node"},
        {9, "  - {code: \"37000x\", endpoint: \"tcp://10.0.0.2:7310\"}", "six-digit"},
        {10, "  - {code: \"440000\", endpoint: \"udp://10.0.0.3:7310\"}", "tcp://"},
        {10, "  - {code: \"370000\", endpoint: \"tcp://10.0.0.3:7310\"}", "stands twice"},
        {10, "  - {code: \"440000\", endpoint: \"tcp://10.0.0.3:7310\", key: x}", "key"},
        {10, "  - {code: \"440000\"}", "endpoint"},
        {11, "cutoffs: [\"17:00\", \"24:00\"]", "17:00"},
        {11, "cutoffs: [\"17:60\"]", "time of day"},
        {11, "cutoffs: [\"1::00\"]", "time of day"},
        {11, "cutoffs: [\"17.00\"]", "time of day"},
        {11, "cutoffs: [\"7:00\"]", "time of day"},
        {11, "cutoffs: [\"0 17 * * 1-8\"]", "cron"},
        {11, "cutoffs: [\"17:00 money\"]", "compute, model, corpus"},
        {11, "cutoffs: \"17:00\"", "cutoffs"},
        {12, "map_size_gib: 65537", "1 to 65536"},
        {12, "map_size_gib: -1", "map_size_gib"},
        {12, "map_size_gib: many", "map_size_gib"},
        {13, "disk_low_permille: 901", "1 to 900"},
        {14, "snapshot_every_items: 999", "1000 or more"},
        {15, "log: loud", "info or debug"},
        {15, "log: debugging", "log"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct place *p = *state;
        struct sq_config *c;
        struct sq_error err = {0};
        char begins[96];
        assert_int_equal(read_with(p, cases[i].line, cases[i].text, &c, &err), SQ_E_CONFIG);
        assert_null(c);
        snprintf(begins, sizeof begins, "%s:%u: ", p->path, cases[i].line);
        if (strncmp(err.text, begins, strlen(begins)) != 0 || strstr(err.text, cases[i].reason) == NULL)
            fail_msg("said \"%s\", expected line %u and \"%s\"", err.text, cases[i].line, cases[i].reason);
    }
}

static void what_must_be_there_is_asked_for_by_name(void **state)
{
    static const struct {
        unsigned line;
        const char *name;
    } needed[] = {{2, "node"}, {3, "directory"}, {4, "keys"}, {6, "ledger"}, {7, "bind"}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        struct sq_config *c;
        struct sq_error err = {0};
        assert_int_equal(read_with(*state, needed[i].line, NULL, &c, &err), SQ_E_CONFIG);
        assert_null(c);
        assert_non_null(strstr(err.text, needed[i].name));
    }
}

static void a_file_that_is_not_there_is_told(void **state)
{
    const struct place *p = *state;
    struct sq_config *c = NULL;
    struct sq_error err = {0};
    unlink(p->path);
    assert_int_equal(sq_config_read(p->path, &c, &err), SQ_E_IO);
    assert_non_null(strstr(err.text, p->path));
    assert_null(c);
}

/* ---- cut-offs ---- */

#define MINUTE_MS 60000u

/* The first whole minute after now whose wall clock in UTC+8 is one of these, found by looking at every minute. */
static uint64_t looked_for(const struct sq_config *c, uint64_t now_ms)
{
    for (uint64_t at = (now_ms / MINUTE_MS + 1) * MINUTE_MS;; at += MINUTE_MS) {
        time_t t = (time_t)(at / 1000) + 8 * 3600;
        struct tm tm;
        char clock[6];
        gmtime_r(&t, &tm);
        strftime(clock, sizeof clock, "%H:%M", &tm);
        for (unsigned i = 0; i < c->cutoffs_count; i++)
            if (strcmp(clock, c->cutoffs[i]) == 0)
                return at;
    }
}

static void the_next_cutoff_is_the_first_after_now_by_the_clock_of_beijing(void **state)
{
    (void)state;
    char times[4][6], *list[4] = {times[0], times[1], times[2], times[3]};
    struct dice d = {8};
    for (int round = 0; round < 300; round++) {
        struct sq_config c = {.cutoffs = list, .cutoffs_count = 1 + dice_below(&d, 4)};
        for (unsigned i = 0; i < 4; i++)
            snprintf(times[i], sizeof times[i], "%02u:%02u", dice_below(&d, 24), dice_below(&d, 60));
        uint64_t now = 1790000000000u + (uint64_t)dice_below(&d, 1000000) * 100000 + dice_below(&d, 1000);
        for (int k = 0; k < 5; k++) {
            uint64_t next = sq_config_next_cutoff(&c, now).at_ms;
            assert_true(next == looked_for(&c, now));
            now = next - dice_below(&d, 2); /* the moment itself, or one before it */
        }
    }
}

static void around_midnight_and_at_the_very_moment(void **state)
{
    (void)state;
    char midnight[] = "00:00", eight[] = "08:00", *list[2] = {midnight, eight};
    struct sq_config c = {.cutoffs = list, .cutoffs_count = 2};
    const uint64_t day = 1789920000000u; /* 2026-09-20 16:00 UTC: midnight of the 21st in Beijing */
    assert_true(day % 86400000u == 16 * 3600000u);
    assert_true(sq_config_next_cutoff(&c, day - 1).at_ms == day);
    assert_true(sq_config_next_cutoff(&c, day).at_ms == day + 8 * 3600000u); /* the moment itself is over */
    assert_true(sq_config_next_cutoff(&c, day + 8 * 3600000u - 1).at_ms == day + 8 * 3600000u);
    assert_true(sq_config_next_cutoff(&c, day + 8 * 3600000u).at_ms == day + 86400000u);
}

static void cutoffs_of_one_minute_are_one_for_the_kinds_of_all(void **state)
{
    (void)state;
    char a[] = "17:00 compute", b[] = "0 17 * * * 3", c[] = "17:00", *list[3] = {a, b, c};
    struct sq_config two = {.cutoffs = list, .cutoffs_count = 2}, three = {.cutoffs = list, .cutoffs_count = 3};
    assert_int_equal(sq_config_next_cutoff(&two, 1790000000000u).kinds, 1u << 1 | 1u << 3);
    assert_int_equal(sq_config_next_cutoff(&three, 1790000000000u).kinds, 0);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(what_is_written_is_read),
        STORY(what_may_be_left_out_has_its_usual_value),
        STORY(one_wrong_line_is_named_with_its_reason),
        STORY(what_must_be_there_is_asked_for_by_name),
        STORY(a_file_that_is_not_there_is_told),
        cmocka_unit_test(the_next_cutoff_is_the_first_after_now_by_the_clock_of_beijing),
        cmocka_unit_test(cutoffs_of_one_minute_are_one_for_the_kinds_of_all),
        cmocka_unit_test(around_midnight_and_at_the_very_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
