/* A ledger's file in which something is not as it was written, in places where LMDB itself looks away. tests/disk turns over every bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clearing/ledger/ledger.h"

#define PAGE   4096u
#define NUMBER 144u /* of a meta page's transaction, from the page's beginning */

static const uint8_t network[32] = {7};

struct disk {
    char dir[64], path[80], data[100];
    struct sq_arena arena;
    uint8_t *bytes; /* data.mdb as it was */
    size_t size;
};

static int begin(void **state)
{
    struct disk *d = calloc(1, sizeof *d);
    strcpy(d->dir, "/tmp/sanquan-file-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    snprintf(d->path, sizeof d->path, "%s/ledger", d->dir);
    snprintf(d->data, sizeof d->data, "%s/data.mdb", d->path);
    assert_int_equal(sq_arena_init(&d->arena, 1u << 20, NULL), SQ_OK);
    *state = d;
    return 0;
}

static int end(void **state)
{
    struct disk *d = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", d->dir);
    assert_int_equal(system(command), 0);
    sq_arena_free(&d->arena);
    free(d->bytes);
    free(d);
    return 0;
}

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    (void)ctx;
    (void)err;
    sq_sha256(message.data, message.size, signature);
    memset(signature + 32, 0, 32);
    return SQ_OK;
}

static struct sq_ledger_options options(const struct disk *d)
{
    return (struct sq_ledger_options){
        .path = d->path, .origin = "sanquan.test/310000", .network_id = network, .map_size = 64u << 20};
}

/* Three groups: an entry, an answer to it, and a message to node number 258. */
static void work(struct disk *d)
{
    static const struct sq_signer signer = {.sign = sign};
    struct sq_ledger_options o = options(d);
    struct sq_ledger *l = NULL;
    assert_int_equal(sq_ledger_create(&o, NULL), SQ_OK);
    assert_int_equal(sq_ledger_open(&o, &l, NULL), SQ_OK);
    for (uint64_t i = 1; i <= 3; i++) {
        struct sq_entry e = {.seq = i, .type = 14, .input = sq_bytes_of("request", 7)};
        struct sq_answer_put a = {
            .party = 5, .id = i, .seq = i, .request = {9}, .body = sq_bytes_of("kept answer", 11)};
        struct sq_outbox_put m = {.node = 258, .number = i, .envelope = sq_bytes_of("sealed message", 14)};
        struct sq_commit c = {
            .entries = &e, .entry_count = 1, .answers = &a, .answer_count = 1, .outbox = &m, .outbox_count = 1};
        assert_int_equal(sq_ledger_commit(l, &c, &signer, NULL), SQ_OK);
    }
    sq_ledger_close(l);
}

static void load(struct disk *d)
{
    struct stat s = {0};
    int fd = open(d->data, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &s) == 0);
    free(d->bytes);
    d->size = (size_t)s.st_size;
    d->bytes = malloc(d->size);
    assert_int_equal(read(fd, d->bytes, d->size), (ssize_t)d->size);
    close(fd);
}

static void store(const struct disk *d, const uint8_t *bytes)
{
    int fd = open(d->data, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, d->size), (ssize_t)d->size);
    close(fd);
}

/* Opened by a writer and by a reader, both say so and neither changes a byte. */
static void is_refused(struct disk *d, sq_status want, const char *words)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        struct sq_ledger_options o = options(d);
        struct sq_ledger *l = NULL;
        struct sq_error err = {0};
        struct disk now = *d;
        now.bytes = NULL;
        o.read_only = read_only;
        uint8_t *before = malloc(d->size);
        load(&now);
        memcpy(before, now.bytes, d->size);
        assert_int_equal(sq_ledger_open(&o, &l, &err), want);
        if (strstr(err.text, words) == NULL)
            fail_msg("%s", err.text);
        load(&now);
        assert_memory_equal(now.bytes, before, d->size);
        free(now.bytes);
        free(before);
    }
}

static void opens_as_it_was(struct disk *d)
{
    struct sq_ledger_options o = options(d);
    struct sq_ledger *l = NULL;
    store(d, d->bytes);
    assert_int_equal(sq_ledger_open(&o, &l, NULL), SQ_OK);
    assert_int_equal(sq_ledger_seq(l), 3);
    sq_ledger_close(l);
}

/* With one bit the other way LMDB would take the page before for the newest, and the last commit would never have been. */
static void no_bit_of_a_transactions_number_can_bring_back_an_older_state(void **state)
{
    struct disk *d = *state;
    work(d);
    load(d);
    for (unsigned page = 0; page < 2; page++)
        for (unsigned bit = 0; bit < 64; bit++) {
            d->bytes[page * PAGE + NUMBER + bit / 8] ^= (uint8_t)(1u << bit % 8);
            store(d, d->bytes);
            is_refused(d, SQ_E_CORRUPT, "two transactions in a row");
            d->bytes[page * PAGE + NUMBER + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    opens_as_it_was(d);
}

static void meta_pages_that_were_exchanged_or_written_twice_are_refused(void **state)
{
    struct disk *d = *state;
    work(d);
    load(d);
    uint8_t *bytes = malloc(d->size);
    for (int twice = 0; twice < 2; twice++) {
        memcpy(bytes, d->bytes, d->size);
        memcpy(bytes, d->bytes + PAGE, PAGE);
        if (!twice)
            memcpy(bytes + PAGE, d->bytes, PAGE);
        store(d, bytes);
        is_refused(d, SQ_E_CORRUPT, "two transactions in a row");
    }
    free(bytes);
    opens_as_it_was(d);
}

/* A disk that lost the pages of a commit and kept its meta page: what is there is whole, and older than it should be. */
static void tables_older_than_the_last_transaction_are_refused(void **state)
{
    struct disk *d = *state;
    work(d);
    load(d);
    uint8_t *bytes = malloc(d->size), *older = bytes + PAGE, *newer = bytes;
    uint64_t number[2];
    for (unsigned page = 0; page < 2; page++)
        memcpy(&number[page], d->bytes + page * PAGE + NUMBER, 8);
    memcpy(bytes, d->bytes, d->size);
    if (number[1] > number[0])
        older = bytes, newer = bytes + PAGE;
    memcpy(newer + 16, older + 16, NUMBER - 16); /* roots and sizes of before, under the newer number */
    store(d, bytes);
    is_refused(d, SQ_E_CORRUPT, "not those of its last transaction");
    free(bytes);
    opens_as_it_was(d);
}

static uint8_t *find(const struct disk *d, uint8_t *bytes, const void *what, size_t size)
{
    uint8_t *at = memmem(bytes, d->size, what, size);
    assert_non_null(at);
    return at;
}

/* In every page that has it, also in those that LMDB has left behind. */
static void replace(const struct disk *d, uint8_t *bytes, const void *what, size_t size, const void *by)
{
    for (uint8_t *at = find(d, bytes, what, size); at != NULL; at = memmem(bytes, d->size, what, size))
        memcpy(at, by, size);
}

static void a_kept_answer_is_given_as_it_was_kept_or_not_at_all(void **state)
{
    struct disk *d = *state;
    struct sq_ledger_options o = options(d);
    static const char *const changed[] = {"kept answeR", "Kept answer"};
    work(d);
    load(d);
    uint8_t *bytes = malloc(d->size);
    for (size_t i = 0; i < 2; i++) {
        struct sq_ledger *l = NULL;
        struct sq_answer kept = {.seq = 77};
        struct sq_error err = {0};
        memcpy(bytes, d->bytes, d->size);
        replace(d, bytes, "kept answer", 11, changed[i]);
        store(d, bytes);
        assert_int_equal(sq_ledger_open(&o, &l, NULL), SQ_OK);
        assert_int_equal(sq_ledger_answer(l, 5, 2, &d->arena, &kept, &err), SQ_E_CORRUPT);
        assert_non_null(strstr(err.text, "kept answer 2"));
        assert_int_equal(kept.seq, 77);
        sq_ledger_close(l);
    }
    free(bytes);
    opens_as_it_was(d);
}

/* LMDB finds a key where it stands in order; what one bit has moved elsewhere would just not be found. */
static void a_message_that_is_missing_in_the_outbox_is_noticed_at_opening(void **state)
{
    struct disk *d = *state;
    static const uint8_t third[12] = {0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3},
                         seventh[12] = {0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 7};
    work(d);
    load(d);
    uint8_t *bytes = malloc(d->size);
    memcpy(bytes, d->bytes, d->size);
    replace(d, bytes, third, sizeof third, seventh);
    store(d, bytes);
    is_refused(d, SQ_E_CORRUPT, "messages are missing in its outbox");
    free(bytes);
    opens_as_it_was(d);
}

/* The one message that waits lies there still, and LMDB's walk meets it; nobody who looks for it finds it. */
static void a_page_of_the_outbox_that_says_it_is_empty_is_noticed_at_opening(void **state)
{
    struct disk *d = *state;
    struct sq_ledger_options o = options(d);
    struct sq_ledger *l = NULL;
    struct sq_outbox_ack ack = {258, 2};
    const struct sq_commit c = {.acks = &ack, .ack_count = 1};
    work(d);
    assert_int_equal(sq_ledger_open(&o, &l, NULL), SQ_OK);
    assert_int_equal(sq_ledger_commit(l, &c, NULL, NULL), SQ_OK);
    sq_ledger_close(l);
    load(d);
    uint8_t *bytes = malloc(d->size);
    memcpy(bytes, d->bytes, d->size);
    for (size_t page = 2 * PAGE; page < d->size; page += PAGE)
        if (memmem(bytes + page, PAGE, "sealed message", 14) != NULL)
            bytes[page + 12] = 16; /* the end of the row pointers: of none */
    store(d, bytes);
    is_refused(d, SQ_E_CORRUPT, "messages are missing in its outbox");
    free(bytes);
    opens_as_it_was(d);
}

static void a_message_for_a_node_that_does_not_exist_is_noticed(void **state)
{
    struct disk *d = *state;
    struct sq_ledger_options o = options(d);
    struct sq_ledger *l = NULL;
    struct sq_error err = {0};
    work(d);
    assert_int_equal(sq_ledger_open(&o, &l, NULL), SQ_OK);
    assert_int_equal(sq_ledger_outbox_check(l, 259, &err), SQ_OK);
    assert_int_equal(sq_ledger_outbox_check(l, 258, &err), SQ_E_CORRUPT);
    assert_non_null(strstr(err.text, "node number 258"));
    sq_ledger_close(l);
}

static void the_format_before_is_refused_by_name(void **state)
{
    struct disk *d = *state;
    work(d);
    load(d);
    uint8_t *bytes = malloc(d->size);
    memcpy(bytes, d->bytes, d->size);
    replace(d, bytes, "sanquan-ledger 2", 16, "sanquan-ledger 1");
    store(d, bytes);
    is_refused(d, SQ_E_FOREIGN, "another format than sanquan-ledger 2");
    free(bytes);
    opens_as_it_was(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_bit_of_a_transactions_number_can_bring_back_an_older_state, begin, end),
        cmocka_unit_test_setup_teardown(meta_pages_that_were_exchanged_or_written_twice_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(tables_older_than_the_last_transaction_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_kept_answer_is_given_as_it_was_kept_or_not_at_all, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_is_missing_in_the_outbox_is_noticed_at_opening, begin, end),
        cmocka_unit_test_setup_teardown(a_page_of_the_outbox_that_says_it_is_empty_is_noticed_at_opening, begin, end),
        cmocka_unit_test_setup_teardown(a_message_for_a_node_that_does_not_exist_is_noticed, begin, end),
        cmocka_unit_test_setup_teardown(the_format_before_is_refused_by_name, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
