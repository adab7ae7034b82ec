/* Copies of a ledger: whole or not usable, going on where they stopped, and never mixed with another ledger's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/ledger/ledger.h"

static uint8_t network[32] = {7, 7};

struct pair {
    char dir[64], path[80], copy[80];
    struct sq_ledger *from;
    struct sq_arena arena;
};

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    (void)ctx;
    (void)err;
    sq_sha256(message.data, message.size, signature);
    memset(signature + 32, 0x5a, 32);
    return SQ_OK;
}

static const struct sq_signer signer = {NULL, sign, {1, 2, 3}};

static struct sq_ledger_options options(const char *path, int read_only)
{
    return (struct sq_ledger_options){.path = path,
                                      .origin = "sanquan.test/310000",
                                      .network_id = network,
                                      .map_size = 256u << 20,
                                      .read_only = read_only};
}

static struct sq_ledger *open_at(const char *path, int read_only)
{
    const struct sq_ledger_options o = options(path, read_only);
    struct sq_ledger *l = NULL;
    struct sq_error err = {0};
    if (sq_ledger_open(&o, &l, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return l;
}

static int begin(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    strcpy(p->dir, "/tmp/sanquan-copy-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/ledger", p->dir);
    snprintf(p->copy, sizeof p->copy, "%s/copy", p->dir);
    const struct sq_ledger_options o = options(p->path, 0);
    assert_int_equal(sq_ledger_create(&o, NULL), SQ_OK);
    p->from = open_at(p->path, 0);
    assert_int_equal(sq_arena_init(&p->arena, 8u << 20, NULL), SQ_OK);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct pair *p = *state;
    char command[128];
    sq_ledger_close(p->from);
    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
    sq_arena_free(&p->arena);
    free(p);
    return 0;
}

/* Groups of 50 entries, each entry with an answer to party seq % 3 and a message to node seq % 2: the 1st, 2nd ... to each. */
static void work(struct pair *p, unsigned groups)
{
    for (unsigned g = 0; g < groups; g++) {
        struct sq_entry entries[50];
        struct sq_answer_put answers[50];
        struct sq_outbox_put outbox[50];
        char text[50][24];
        for (unsigned i = 0; i < 50; i++) {
            uint64_t seq = sq_ledger_seq(p->from) + 1 + i;
            snprintf(text[i], sizeof text[i], "entry %u", (unsigned)seq);
            entries[i] = (struct sq_entry){.seq = seq,
                                           .now_ms = 1000 + seq,
                                           .type = 3,
                                           .input = sq_bytes_of(text[i], strlen(text[i])),
                                           .outcome = sq_bytes_of("done", seq % 5)};
            answers[i] = (struct sq_answer_put){
                .party = (uint32_t)(seq % 3), .id = 10000 - seq, .seq = seq, .body = entries[i].input};
            outbox[i] = (struct sq_outbox_put){
                .node = (uint32_t)(seq % 2), .number = (seq + 1) / 2, .envelope = entries[i].input};
        }
        const struct sq_commit c = {.entries = entries,
                                    .entry_count = 50,
                                    .answers = answers,
                                    .answer_count = 50,
                                    .outbox = outbox,
                                    .outbox_count = 50};
        assert_int_equal(sq_ledger_commit(p->from, &c, &signer, NULL), SQ_OK);
    }
}

static void acknowledge(struct pair *p, uint32_t node, uint64_t number)
{
    const struct sq_outbox_ack ack = {node, number};
    const struct sq_commit c = {.acks = &ack, .ack_count = 1};
    assert_int_equal(sq_ledger_commit(p->from, &c, &signer, NULL), SQ_OK);
}

static unsigned waiting(struct pair *p, const struct sq_ledger *l, uint32_t node, uint64_t *first, uint64_t *last)
{
    struct sq_outbox_put out[2000];
    size_t count;
    sq_arena_reset(&p->arena);
    assert_int_equal(sq_ledger_outbox(l, node, 0, 2000, &p->arena, out, &count, NULL), SQ_OK);
    *first = count != 0 ? out[0].number : 0;
    *last = count != 0 ? out[count - 1].number : 0;
    return (unsigned)count;
}

/* The copy says of its `entries` what the ledger says. */
static void is_whole(struct pair *p, uint64_t entries)
{
    struct sq_ledger *l = open_at(p->copy, 1);
    uint8_t a[SQ_LEAF_SIZE], b[SQ_LEAF_SIZE], root[32], same[32];
    struct sq_answer answer;
    sq_bytes note;
    uint64_t size;
    assert_int_equal(sq_ledger_seq(l), entries);
    for (uint64_t seq = 1; seq <= entries; seq++) {
        struct sq_entry e, original;
        sq_arena_reset(&p->arena);
        assert_int_equal(sq_ledger_read(l, seq, &p->arena, &e, NULL), SQ_OK);
        assert_int_equal(sq_ledger_read(p->from, seq, &p->arena, &original, NULL), SQ_OK);
        assert_memory_equal(e.payload_hash, original.payload_hash, 32);
        assert_int_equal(sq_ledger_leaf(l, seq, a, NULL), SQ_OK);
        assert_int_equal(sq_ledger_leaf(p->from, seq, b, NULL), SQ_OK);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(sq_ledger_answer(l, (uint32_t)(seq % 3), 10000 - seq, &p->arena, &answer, NULL), SQ_OK);
        assert_true(answer.seq == seq && answer.body.size == e.input.size &&
                    memcmp(answer.body.data, e.input.data, e.input.size) == 0);
    }
    assert_int_equal(sq_ledger_answer(l, (uint32_t)((entries + 1) % 3), 10000 - entries - 1, &p->arena, &answer, NULL),
                     SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_root(l, entries, root, NULL), SQ_OK);
    assert_int_equal(sq_ledger_root(p->from, entries, same, NULL), SQ_OK);
    assert_memory_equal(root, same, 32);
    assert_int_equal(sq_ledger_checkpoint(l, &p->arena, &note, &size, NULL), SQ_OK);
    assert_int_equal(size, entries);
    sq_ledger_close(l);
}

/* ---- stories ---- */

struct meanwhile { /* the node goes on while it is copied */
    struct pair *p;
    unsigned calls, stop_after;
};

static sq_status go_on(void *ctx, uint64_t entry, uint64_t last, struct sq_error *err)
{
    struct meanwhile *m = ctx;
    assert_true(entry <= last);
    if (m->stop_after != 0 && ++m->calls == m->stop_after)
        return sq_fail(err, SQ_E_TIMEOUT, "stopped");
    work(m->p, 1);
    acknowledge(m->p, 0, 20 + m->calls);
    return SQ_OK;
}

static void a_copy_made_while_the_writer_goes_on_ends_where_it_began(void **state)
{
    struct pair *p = *state;
    struct meanwhile m = {.p = p};
    struct sq_error err = {0};
    uint64_t entries = 0, first, last;
    work(p, 20);
    if (sq_ledger_copy(p->from, p->copy, go_on, &m, &entries, &err) != SQ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(entries, 1000);
    assert_true(sq_ledger_seq(p->from) > 1000);
    is_whole(p, 1000);
    struct sq_ledger *l = open_at(p->copy, 1);
    assert_int_equal(waiting(p, l, 0, &first, &last), 500 - 20); /* 1 to 20 were acknowledged since */
    assert_true(first == 21 && last == 500);
    assert_int_equal(waiting(p, l, 1, &first, &last), 500);
    assert_true(first == 1 && last == 500);
    sq_ledger_close(l);
}

static void a_copy_that_was_stopped_is_not_usable_and_goes_on(void **state)
{
    struct pair *p = *state;
    struct meanwhile m = {.p = p, .stop_after = 2};
    const struct sq_ledger_options o = options(p->copy, 1), writer = options(p->copy, 0);
    struct sq_ledger *l = NULL;
    struct sq_error err = {0};
    uint64_t entries = 0;
    work(p, 20);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, go_on, &m, &entries, &err), SQ_E_TIMEOUT);
    assert_int_equal(entries, 0);
    assert_int_equal(sq_ledger_open(&o, &l, &err), SQ_E_STORAGE);
    assert_non_null(strstr(err.text, "not whole yet"));
    assert_int_equal(sq_ledger_open(&writer, &l, &err), SQ_E_STORAGE);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, &err), SQ_OK);
    assert_int_equal(entries, sq_ledger_seq(p->from));
    is_whole(p, entries);
}

static void a_copy_is_known_as_one_until_it_is_written_to(void **state)
{
    struct pair *p = *state;
    uint64_t entries;
    work(p, 1);
    assert_false(sq_ledger_is_copy(p->from));
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_OK);
    struct sq_ledger *l = open_at(p->copy, 0), *from = p->from;
    assert_true(sq_ledger_is_copy(l));
    sq_ledger_close(l);
    l = open_at(p->copy, 0); /* opening it is not writing to it */
    assert_true(sq_ledger_is_copy(l));
    p->from = l;
    acknowledge(p, 0, 1); /* what peers have acknowledged is no entry */
    sq_ledger_close(l);
    l = open_at(p->copy, 0);
    assert_true(sq_ledger_is_copy(l));
    p->from = l;
    work(p, 1);
    p->from = from;
    sq_ledger_close(l);
    l = open_at(p->copy, 1);
    assert_false(sq_ledger_is_copy(l));
    sq_ledger_close(l);
}

static void an_earlier_copy_is_brought_up_to_date(void **state)
{
    struct pair *p = *state;
    uint64_t entries = 0, first, last;
    work(p, 6);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_OK);
    is_whole(p, 300);
    work(p, 7);
    acknowledge(p, 1, 201);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_OK);
    is_whole(p, 650);
    struct sq_ledger *l = open_at(p->copy, 0); /* a node can be started from it */
    assert_int_equal(waiting(p, l, 1, &first, &last), 325 - 201);
    assert_true(first == 202 && last == 325);
    struct sq_entry next = {.seq = 651, .now_ms = 5000, .type = 3, .input = sq_bytes_of("next", 4)};
    const struct sq_commit c = {.entries = &next, .entry_count = 1};
    assert_int_equal(sq_ledger_commit(l, &c, &signer, NULL), SQ_OK);
    sq_ledger_close(l);
    /* Which now has more than the ledger: not a copy of it any more. */
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_E_FOREIGN);
    l = open_at(p->copy, 1);
    assert_int_equal(sq_ledger_seq(l), 651);
    sq_ledger_close(l);
}

static sq_status stop_at(void *ctx, uint64_t entry, uint64_t last, struct sq_error *err)
{
    struct meanwhile *m = ctx;
    (void)entry;
    (void)last;
    return ++m->calls == m->stop_after ? sq_fail(err, SQ_E_TIMEOUT, "stopped") : SQ_OK;
}

/* Wherever a refresh breaks off, the copy is what it was, or what it was to become: whoever has it chooses. */
static void a_refresh_that_breaks_off_anywhere_goes_back_or_on(void **state)
{
    struct pair *p = *state;
    const struct sq_ledger_options o = options(p->copy, 1);
    uint64_t entries = 0, first, last;
    unsigned stops = 0;
    work(p, 6);
    acknowledge(p, 0, 40);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_OK);
    work(p, 14);
    acknowledge(p, 0, 45);
    acknowledge(p, 1, 500); /* all that node 1 was ever sent */
    for (sq_status st = SQ_E_TIMEOUT; st != SQ_OK;) {
        struct meanwhile m = {.p = p, .stop_after = ++stops};
        struct sq_ledger *l = NULL;
        struct sq_error err = {0};
        st = sq_ledger_copy(p->from, p->copy, stop_at, &m, &entries, &err);
        if (st == SQ_OK)
            break;
        assert_int_equal(st, SQ_E_TIMEOUT);
        assert_int_equal(sq_ledger_open(&o, &l, &err), SQ_E_STORAGE);
        assert_non_null(strstr(err.text, "--undo"));
        if (stops % 2 == 0) { /* some runs break off twice */
            struct meanwhile again = {.p = p, .stop_after = 1};
            assert_int_equal(sq_ledger_copy(p->from, p->copy, stop_at, &again, &entries, NULL), SQ_E_TIMEOUT);
        }
        if (sq_ledger_copy_undo(p->copy, &entries, &err) != SQ_OK)
            fail_msg("%s", err.text);
        assert_int_equal(entries, 300);
        is_whole(p, 300);
        l = open_at(p->copy, 0);
        assert_int_equal(waiting(p, l, 0, &first, &last), 150 - 40);
        assert_true(first == 41 && last == 150);
        assert_int_equal(waiting(p, l, 1, &first, &last), 150);
        sq_ledger_close(l);
        assert_int_equal(sq_ledger_copy_undo(p->copy, &entries, &err), SQ_E_NOT_FOUND); /* it is whole */
    }
    assert_true(stops > 4);
    is_whole(p, 1000);
    struct sq_ledger *l = open_at(p->copy, 0);
    assert_int_equal(waiting(p, l, 0, &first, &last), 500 - 45);
    assert_true(first == 46 && last == 500);
    assert_int_equal(waiting(p, l, 1, &first, &last), 0);
    sq_ledger_close(l);
}

static void a_copy_that_was_never_whole_has_nothing_to_go_back_to(void **state)
{
    struct pair *p = *state;
    struct meanwhile m = {.p = p, .stop_after = 2};
    struct sq_error err = {0};
    uint64_t entries = 0;
    work(p, 20);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, stop_at, &m, &entries, &err), SQ_E_TIMEOUT);
    assert_int_equal(sq_ledger_copy_undo(p->copy, &entries, &err), SQ_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "never whole"));
    assert_int_equal(sq_ledger_copy_undo(p->path, &entries, &err), SQ_E_LOCKED); /* nor is a ledger in use touched */
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_OK);
    is_whole(p, 1000);
}

/* The outbox is copied in groups too: the peer may acknowledge what one group has copied and the beginning of the next. */
static sq_status acknowledge_later(void *ctx, uint64_t entry, uint64_t last, struct sq_error *err)
{
    struct meanwhile *m = ctx;
    struct sq_outbox_put first;
    size_t count;
    (void)entry;
    (void)last;
    sq_arena_reset(&m->p->arena);
    sq_status st = sq_ledger_outbox(m->p->from, 0, 0, 1, &m->p->arena, &first, &count, err);
    if (st == SQ_OK && ++m->calls > m->stop_after) {
        acknowledge(m->p, 0, 4500 + m->calls);
        acknowledge(m->p, 1, 10 + m->calls);
    }
    return st;
}

static void messages_acknowledged_while_they_are_copied_leave_no_gap(void **state)
{
    struct pair *p = *state;
    uint64_t entries = 0, first, last;
    work(p, 240); /* 6,000 messages to each node, 4,096 rows a group */
    struct meanwhile m = {.p = p,
                          .stop_after = 12000 / 256 + 1 + 12000 / 4096 + 1}; /* groups of entries and of answers */
    assert_int_equal(sq_ledger_copy(p->from, p->copy, acknowledge_later, &m, &entries, NULL), SQ_OK);
    assert_true(m.calls > m.stop_after);
    struct sq_ledger *l = open_at(p->copy, 0);
    unsigned count = waiting(p, l, 0, &first, &last);
    assert_int_equal(count, 6000 - first + 1 < 2000 ? 6000 - first + 1 : 2000);
    assert_true(first > 4500);
    sq_ledger_close(l);
}

static void what_is_of_another_ledger_stays_as_it_is(void **state)
{
    struct pair *p = *state;
    const struct sq_ledger_options o = options(p->copy, 0);
    struct sq_ledger *other;
    struct sq_entry first = {.seq = 1, .now_ms = 1, .type = 3, .input = sq_bytes_of("another", 7)};
    const struct sq_commit c = {.entries = &first, .entry_count = 1};
    uint64_t entries = 0;
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL),
                     SQ_E_NOT_FOUND); /* nothing to copy yet */
    assert_int_not_equal(access(p->copy, F_OK), 0);
    work(p, 2);
    assert_int_equal(sq_ledger_copy(p->from, p->path, NULL, NULL, &entries, NULL), SQ_E_USAGE);
    assert_int_equal(sq_ledger_create(&o, NULL), SQ_OK);
    other = open_at(p->copy, 0);
    assert_int_equal(sq_ledger_commit(other, &c, &signer, NULL), SQ_OK);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_E_LOCKED);
    sq_ledger_close(other);
    assert_int_equal(sq_ledger_copy(p->from, p->copy, NULL, NULL, &entries, NULL), SQ_E_FOREIGN);
    other = open_at(p->copy, 1); /* still usable */
    assert_int_equal(sq_ledger_seq(other), 1);
    sq_ledger_close(other);
    assert_int_equal(entries, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_made_while_the_writer_goes_on_ends_where_it_began, begin, end),
        cmocka_unit_test_setup_teardown(a_copy_that_was_stopped_is_not_usable_and_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(a_copy_is_known_as_one_until_it_is_written_to, begin, end),
        cmocka_unit_test_setup_teardown(an_earlier_copy_is_brought_up_to_date, begin, end),
        cmocka_unit_test_setup_teardown(a_refresh_that_breaks_off_anywhere_goes_back_or_on, begin, end),
        cmocka_unit_test_setup_teardown(a_copy_that_was_never_whole_has_nothing_to_go_back_to, begin, end),
        cmocka_unit_test_setup_teardown(messages_acknowledged_while_they_are_copied_leave_no_gap, begin, end),
        cmocka_unit_test_setup_teardown(what_is_of_another_ledger_stays_as_it_is, begin, end),
    };
    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
