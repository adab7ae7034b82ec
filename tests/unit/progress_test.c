/* FILE.progress: what is durable is believed, what is not is as if it had never been, and nobody goes on with another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/cli/progress.h"

struct place {
    char dir[40], input[60], path[70];
};

static const uint8_t network[SQ_HASH_SIZE] = {1}, input[SQ_HASH_SIZE] = {2}, other[SQ_HASH_SIZE] = {3};
static const struct sq_progress_head head = {"submit", "310000", "provider:x", "batch-rows=8192", network, input};

static int begin(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    strcpy(p->dir, "/tmp/progress_test.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->input, sizeof p->input, "%s/in.csv", p->dir);
    snprintf(p->path, sizeof p->path, "%s.progress", p->input);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;
    unlink(p->path);
    rmdir(p->dir);
    free(p);
    return 0;
}

static struct sq_progress *reopen(const struct place *place, struct sq_progress *p)
{
    struct sq_error err = {0};
    sq_progress_close(p);
    if (sq_progress_open(place->input, &head, &p, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return p;
}

static struct sq_chunk sent(uint64_t id)
{
    return (struct sq_chunk){.state = SQ_CHUNK_SENT,
                             .id = id,
                             .sent_at_ms = 1000 + id,
                             .first_line = 2,
                             .rows = 10,
                             .note = 7,
                             .body_hash = {9}};
}

static void record(struct sq_progress *p, uint64_t n, const struct sq_chunk *c)
{
    struct sq_error err = {0};
    if (sq_progress_record(p, n, c, &err) != SQ_OK)
        fail_msg("%s", err.text);
}

static struct sq_chunk answered(struct sq_chunk c)
{
    c.state = SQ_CHUNK_ANSWERED;
    c.seq = 77;
    c.accepted = 8;
    c.amount_fen = -5;
    c.refused[135] = 2;
    c.marks[0] = 100;
    c.marks[1] = 4;
    return c;
}

static void what_was_recorded_is_there_after_a_crash(void **state)
{
    struct place *place = *state;
    struct sq_progress *p = reopen(place, NULL);
    struct sq_chunk a = sent(5), b = sent(6), refused = sent(6), done = answered(a);
    uint64_t marks[SQ_PROGRESS_MARKS];
    assert_int_equal(sq_progress_chunks(p), 0);
    record(p, 0, &a);
    record(p, 1, &b);
    record(p, 0, &done);
    refused.state = SQ_CHUNK_REFUSED;
    refused.status = 111;
    record(p, 1, &refused);
    p = reopen(place, p);
    assert_int_equal(sq_progress_chunks(p), 2);
    assert_memory_equal(sq_progress_chunk(p, 0), &done, sizeof done);
    assert_int_equal(sq_progress_chunk(p, 1)->state, SQ_CHUNK_REFUSED);
    assert_int_equal(sq_progress_chunk(p, 1)->status, 111);
    assert_null(sq_progress_chunk(p, 2));
    sq_progress_marks(p, marks);
    assert_true(marks[0] == 100 && marks[1] == 4);
    struct sq_chunk again = sent(9);
    record(p, 1, &again);
    p = reopen(place, p);
    assert_int_equal(sq_progress_chunk(p, 1)->state, SQ_CHUNK_SENT);
    assert_int_equal(sq_progress_chunk(p, 1)->id, 9);
    assert_false(sq_progress_ended(p));
    assert_int_equal(sq_progress_end(p, NULL), SQ_OK);
    p = reopen(place, p);
    assert_true(sq_progress_ended(p));
    sq_progress_close(p);
}

static size_t read_all(const struct place *place, char *text, size_t size)
{
    FILE *f = fopen(place->path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, size, f);
    fclose(f);
    return n;
}

static void write_all(const struct place *place, const char *text, size_t size)
{
    FILE *f = fopen(place->path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* A crash may leave any beginning of what was being written. */
static void a_file_cut_anywhere_is_the_lines_that_are_whole(void **state)
{
    struct place *place = *state;
    struct sq_chunk a = sent(5), done = answered(a);
    char whole[4096], now[4096];
    struct sq_progress *p = reopen(place, NULL);
    size_t after_head = read_all(place, whole, sizeof whole);
    record(p, 0, &a);
    size_t after_sent = read_all(place, whole, sizeof whole);
    record(p, 0, &done);
    size_t size = read_all(place, whole, sizeof whole);
    sq_progress_close(p);
    for (size_t cut = 0; cut <= size; cut++) {
        write_all(place, whole, cut);
        p = reopen(place, NULL);
        const struct sq_chunk *c = sq_progress_chunk(p, 0);
        enum sq_chunk_state want = cut == size ? SQ_CHUNK_ANSWERED : cut >= after_sent ? SQ_CHUNK_SENT : SQ_CHUNK_NONE;
        assert_int_equal(c != NULL ? c->state : SQ_CHUNK_NONE, want);
        if (want == SQ_CHUNK_NONE)
            record(p, 0, &a); /* and it can be gone on with */
        sq_progress_close(p);
        size_t left = read_all(place, now, sizeof now);
        assert_int_equal(left, want == SQ_CHUNK_ANSWERED ? size : after_sent);
        assert_memory_equal(now, whole, left);
    }
    assert_true(after_head < after_sent);
}

static void refused_with(const struct place *place, const struct sq_progress_head *h, const char *because)
{
    struct sq_progress *p = NULL;
    struct sq_error err = {0};
    assert_int_equal(sq_progress_open(place->input, h, &p, &err), SQ_E_USAGE);
    if (strstr(err.text, because) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, because);
}

static void another_run_does_not_go_on_with_it(void **state)
{
    struct place *place = *state;
    struct sq_progress *p = reopen(place, NULL);
    struct sq_chunk a = sent(5);
    record(p, 0, &a);
    sq_progress_close(p);
    struct sq_progress_head h = head;
    h.input_hash = other;
    refused_with(place, &h, "the input has changed");
    h = head, h.network_id = other;
    refused_with(place, &h, "network_id");
    h = head, h.node = "370000";
    refused_with(place, &h, "\"310000\", not \"370000\"");
    h = head, h.sender = "provider:y";
    refused_with(place, &h, "sender");
    h = head, h.command = "grant";
    refused_with(place, &h, "command");
    h = head, h.options = "batch-rows=5";
    refused_with(place, &h, "options");
    p = reopen(place, NULL);
    assert_int_equal(sq_progress_chunks(p), 1); /* nothing of it changed */
    sq_progress_close(p);
}

static void two_runs_do_not_hold_it_at_once(void **state)
{
    struct place *place = *state;
    struct sq_progress *p = reopen(place, NULL), *second = NULL;
    struct sq_error err = {0};
    assert_int_equal(sq_progress_open(place->input, &head, &second, &err), SQ_E_LOCKED);
    p = reopen(place, p);
    sq_progress_close(p);
}

static void a_line_that_means_nothing_is_named(void **state)
{
    static const char *const lines[] = {
        "nonsense\n", "{\"chunk\":1,\"id\":1}\n", "{\"answered\":0,\"seq\":1,\"accepted\":1,\"refused\":{}}\n",
        "{\"chunk\":5,\"id\":1,\"sent_at_ms\":1,\"first_line\":1,\"rows\":1,\"note\":1,\"body_sha256\":\"00\"}\n",
        "{}\n"};
    struct place *place = *state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct sq_error err = {0};
        struct sq_progress *p = reopen(place, NULL);
        sq_progress_close(p);
        FILE *f = fopen(place->path, "a");
        assert_non_null(f);
        fputs(lines[i], f);
        fclose(f);
        p = NULL;
        if (sq_progress_open(place->input, &head, &p, &err) != SQ_E_FORMAT || strstr(err.text, ".progress:2:") == NULL)
            fail_msg("%s: %s", lines[i], err.text);
        unlink(place->path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_recorded_is_there_after_a_crash, begin, end),
        cmocka_unit_test_setup_teardown(a_file_cut_anywhere_is_the_lines_that_are_whole, begin, end),
        cmocka_unit_test_setup_teardown(another_run_does_not_go_on_with_it, begin, end),
        cmocka_unit_test_setup_teardown(two_runs_do_not_hold_it_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_line_that_means_nothing_is_named, begin, end),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
