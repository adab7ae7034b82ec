/* The client against a node that does as it is told: lost requests, lost answers, gaps, busy nodes and forgers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/scripted.h"

#define NAME        "provider:91310199TXXXXX0015"
#define BATCH       SANQUAN__V1__MESSAGE_TYPE__BATCH
#define HELLO       SANQUAN__V1__MESSAGE_TYPE__HELLO
#define QUERY       SANQUAN__V1__MESSAGE_TYPE__QUERY
#define PATIENCE_MS 15000 /* for what must come */
#define DO(node, type, ...)                                                                                            \
    scripted_do((node), (type), (const enum scripted[]){__VA_ARGS__},                                                  \
                sizeof((const enum scripted[]){__VA_ARGS__}) / sizeof(enum scripted))

struct line {
    struct scripted_node *node;
    struct sq_keys *keys;
    struct sq_client *client;
};

static int begin(void **state)
{
    struct line *l = calloc(1, sizeof *l);
    l->node = scripted_new();
    l->keys = scripted_keys(l->node, NAME);
    l->client = scripted_client(l->node, l->keys, 0);
    *state = l;
    return 0;
}

static int end(void **state)
{
    struct line *l = *state;
    sq_client_close(l->client);
    scripted_free(l->node);
    sq_secret_free(l->keys);
    free(l);
    return 0;
}

static uint64_t send(struct line *l, const char *body)
{
    uint64_t id = 0;
    struct sq_error err = {0};
    if (sq_client_send(l->client, BATCH, sq_bytes_of(body, strlen(body)), &id, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return id;
}

static struct sq_client_answer answer(struct line *l)
{
    struct sq_client_answer a;
    struct sq_error err = {0};
    if (sq_client_answer(l->client, PATIENCE_MS, &a, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return a;
}

static void is_accepted(struct line *l, uint64_t id)
{
    struct sq_client_answer a = answer(l);
    assert_true(a.id == id);
    assert_int_equal(a.status, SQ_OK);
    assert_true(a.answer != NULL && a.answer->id == id && a.answer->count == 1 && a.receipt != NULL &&
                a.envelope.size != 0);
}

/* Whatever came under this id had the same bytes; returns how often it came. */
static unsigned same_bytes(struct line *l, uint64_t id)
{
    uint8_t hash[64][32];
    unsigned count = scripted_arrivals(l->node, BATCH, id, hash, 64);
    for (unsigned i = 1; i < count && i < 64; i++)
        assert_memory_equal(hash[i], hash[0], 32);
    return count;
}

/* ---- all is well ---- */

static void requests_are_numbered_on_from_what_the_node_has(void **state)
{
    struct line *l = *state;
    uint64_t last = 0;
    scripted_set_last(l->node, 41);
    assert_int_equal(sq_client_hello(l->client, PATIENCE_MS, &last, NULL), SQ_OK);
    assert_true(last == 41);
    assert_true(send(l, "one") == 42);
    assert_true(send(l, "two") == 43);
    assert_int_equal(sq_client_waiting(l->client), 2);
    is_accepted(l, 42);
    is_accepted(l, 43);
    assert_int_equal(sq_client_waiting(l->client), 0);
    assert_true(same_bytes(l, 42) == 1 && same_bytes(l, 43) == 1);
}

static void no_more_are_under_way_than_was_asked_for(void **state)
{
    struct line *l = *state;
    uint64_t id = 99;
    sq_client_close(l->client);
    l->client = scripted_client(l->node, l->keys, 2);
    DO(l->node, BATCH, SCRIPT_LOST, SCRIPT_LOST);
    assert_true(send(l, "one") == 1 && send(l, "two") == 2);
    assert_int_equal(sq_client_send(l->client, BATCH, sq_bytes_of("three", 5), &id, NULL), SQ_E_FULL);
    assert_true(id == 99);
    is_accepted(l, 1);
    assert_true(send(l, "three") == 3); /* the number that was not used before */
    is_accepted(l, 2);
    is_accepted(l, 3);
}

static void an_answer_that_was_not_read_for_a_while_is_no_silence(void **state)
{
    struct line *l = *state;
    uint64_t last;
    unsigned hellos;
    assert_int_equal(sq_client_hello(l->client, PATIENCE_MS, &last, NULL), SQ_OK);
    hellos = scripted_arrivals(l->node, SANQUAN__V1__MESSAGE_TYPE__HELLO, 0, NULL, 0);
    assert_true(send(l, "one") == 1 && send(l, "two") == 2);
    usleep(1500000); /* longer than a silence: the client does something else */
    is_accepted(l, 1);
    is_accepted(l, 2);
    assert_true(send(l, "three") == 3); /* whatever was said before has come before it */
    is_accepted(l, 3);
    assert_int_equal(scripted_arrivals(l->node, SANQUAN__V1__MESSAGE_TYPE__HELLO, 0, NULL, 0), hellos);
    assert_true(same_bytes(l, 1) == 1 && same_bytes(l, 2) == 1);
}

/* ---- what gets lost ---- */

static void a_request_that_was_lost_is_sent_again_with_the_same_bytes(void **state)
{
    struct line *l = *state;
    DO(l->node, BATCH, SCRIPT_LOST);
    send(l, "lost once");
    is_accepted(l, 1);
    assert_int_equal(same_bytes(l, 1), 2);
}

static void an_answer_that_was_lost_is_asked_for_again_and_nothing_is_done_twice(void **state)
{
    struct line *l = *state;
    DO(l->node, BATCH, SCRIPT_ANSWER_LOST);
    send(l, "done once");
    is_accepted(l, 1);
    assert_int_equal(same_bytes(l, 1), 2);
    assert_true(scripted_last(l->node) == 1);
}

static void a_gap_is_filled_from_what_is_kept(void **state)
{
    struct line *l = *state;
    DO(l->node, BATCH, SCRIPT_LOST);
    for (int i = 0; i < 5; i++)
        send(l, "in a row");
    for (uint64_t id = 1; id <= 5; id++)
        is_accepted(l, id);
    for (uint64_t id = 1; id <= 5; id++)
        assert_true(same_bytes(l, id) >= 1);
    assert_int_equal(same_bytes(l, 1) >= 2, 1);
}

static void a_busy_node_is_asked_again_later(void **state)
{
    struct line *l = *state;
    DO(l->node, BATCH, SCRIPT_BUSY, SCRIPT_BUSY);
    send(l, "patience");
    is_accepted(l, 1); /* the caller sees none of it */
    assert_int_equal(same_bytes(l, 1), 3);
}

/* ---- who is not believed ---- */

static void nobody_but_the_node_answers(void **state)
{
    struct line *l = *state;
    static const enum scripted forgers[] = {SCRIPT_OTHER_KEY,    SCRIPT_OTHER_NETWORK, SCRIPT_OTHER_RECEIVER,
                                            SCRIPT_OTHER_SENDER, SCRIPT_NOISE,         SCRIPT_OTHER_ID};
    scripted_do(l->node, BATCH, forgers, sizeof forgers / sizeof *forgers);
    for (uint64_t id = 1; id <= sizeof forgers / sizeof *forgers; id++) {
        send(l, "believe only the node");
        is_accepted(l, id); /* the forged answer, which came first, said refused */
    }
    assert_int_equal(sq_client_waiting(l->client), 0);
}

static void a_number_that_somebody_else_used_with_this_key_is_told(void **state)
{
    struct line *l = *state;
    DO(l->node, BATCH, SCRIPT_OTHER_REQUEST);
    send(l, "mine");
    struct sq_client_answer a = answer(l);
    assert_true(a.id == 1 && a.status == SQ_R_ID_REUSED && a.answer == NULL && a.receipt == NULL);
    assert_int_equal(sq_client_waiting(l->client), 0);
    assert_true(send(l, "mine again") == 2);
    is_accepted(l, 2);
}

/* ---- refusals ---- */

static void what_a_person_must_mend_ends_everything_that_comes_after(void **state)
{
    struct line *l = *state;
    DO(l->node, BATCH, SCRIPT_DISK_LOW);
    for (int i = 0; i < 4; i++)
        send(l, "in a row");
    struct sq_client_answer a = answer(l);
    assert_true(a.id == 1 && a.status == SQ_R_DISK_LOW && a.final && a.answer == NULL && a.detail[0] != '\0');
    for (uint64_t id = 2; id <= 4; id++) { /* without the first they can never be taken */
        a = answer(l);
        assert_true(a.id == id);
        assert_int_equal(a.status, SQ_R_GAP);
    }
    assert_int_equal(sq_client_waiting(l->client), 0);
    assert_true(scripted_count(l->node) < 20); /* and they are not sent again and again */
    assert_true(send(l, "mended") == 1);       /* the number is free: nothing was kept under it */
    is_accepted(l, 1);
}

/* ---- an earlier run ---- */

static void an_earlier_run_is_continued_with_the_same_numbers_and_bytes(void **state)
{
    struct line *l = *state;
    scripted_set_last(l->node, 5);
    assert_int_equal(sq_client_send_as(l->client, 5, 1790000000000u, BATCH, sq_bytes_of("five", 4), NULL), SQ_OK);
    assert_int_equal(sq_client_send_as(l->client, 6, 1790000000001u, BATCH, sq_bytes_of("six", 3), NULL), SQ_OK);
    assert_int_equal(sq_client_send_as(l->client, 6, 1790000000001u, BATCH, sq_bytes_of("six", 3), NULL), SQ_E_USAGE);
    assert_int_equal(sq_client_send_as(l->client, 8, 1790000000001u, BATCH, sq_bytes_of("eight", 5), NULL), SQ_E_USAGE);
    is_accepted(l, 5);
    is_accepted(l, 6);
    sq_client_close(l->client);
    l->client = scripted_client(l->node, l->keys, 0); /* the run after that one */
    assert_int_equal(sq_client_send_as(l->client, 6, 1790000000001u, BATCH, sq_bytes_of("six", 3), NULL), SQ_OK);
    is_accepted(l, 6);
    assert_int_equal(same_bytes(l, 6), 2);
    assert_true(send(l, "seven") == 7);
    is_accepted(l, 7);
}

/* ---- questions ---- */

static void a_question_is_answered_by_its_nonce(void **state)
{
    struct line *l = *state;
    const char *json = NULL;
    DO(l->node, QUERY, SCRIPT_OTHER_NONCE, SCRIPT_UNRELATED);
    for (int i = 0; i < 3; i++) {
        json = NULL;
        assert_int_equal(sq_client_query(l->client, "programmes", PATIENCE_MS, &json, NULL), SQ_OK);
        assert_string_equal(json, "{\"right\":1}");
    }
    struct sq_error err = {0};
    assert_int_equal(sq_client_query(l->client, "nothing", PATIENCE_MS, &json, &err), SQ_R_UNKNOWN_VOUCHER);
    assert_non_null(strstr(err.text, "nothing"));
    DO(l->node, QUERY, SCRIPT_REFUSED);
    assert_int_equal(sq_client_query(l->client, "programmes", PATIENCE_MS, &json, &err), SQ_R_UNKNOWN_SENDER);
}

static void a_question_does_not_cost_an_answer(void **state)
{
    struct line *l = *state;
    const char *json;
    uint64_t last;
    send(l, "one");
    while (same_bytes(l, 1) == 0)
        assert_int_equal(sq_client_query(l->client, "programmes", PATIENCE_MS, &json, NULL),
                         SQ_OK); /* its receipt may come meanwhile */
    assert_int_equal(sq_client_hello(l->client, PATIENCE_MS, &last, NULL), SQ_OK);
    is_accepted(l, 1);
    send(l, "two");
    assert_int_equal(sq_client_hello(l->client, PATIENCE_MS, &last, NULL), SQ_OK);
    is_accepted(l, 2);
}

static void a_greeting_that_is_refused_says_why(void **state)
{
    struct line *l = *state;
    uint64_t last = 77, id;
    struct sq_error err = {0};
    DO(l->node, HELLO, SCRIPT_REFUSED, SCRIPT_OTHER_NONCE);
    assert_int_equal(sq_client_hello(l->client, PATIENCE_MS, &last, &err), SQ_R_UNKNOWN_SENDER);
    assert_true(last == 77 && err.status == SQ_R_UNKNOWN_SENDER && err.text[0] != '\0');
    assert_int_equal(sq_client_hello(l->client, PATIENCE_MS, &last, NULL), SQ_OK);
    assert_true(last == 0);
    DO(l->node, HELLO, SCRIPT_REFUSED);
    sq_client_close(l->client);
    l->client = scripted_client(l->node, l->keys, 0);
    assert_int_equal(sq_client_send(l->client, BATCH, sq_bytes_of("x", 1), &id, NULL), SQ_R_UNKNOWN_SENDER);
    assert_int_equal(sq_client_waiting(l->client), 0);
}

static void a_node_that_is_not_there_is_told(void **state)
{
    struct line *l = *state;
    struct sq_keys *stranger; /* nor is one that does not know the key */
    struct sq_client_answer a;
    uint64_t last;
    const char *json;
    struct sq_error err = {0};
    assert_int_equal(sq_keys_new("provider:stranger", &stranger, NULL), SQ_OK);
    struct sq_client *c = scripted_client(l->node, stranger, 0);
    assert_int_equal(sq_client_hello(c, 200, &last, &err), SQ_E_TIMEOUT);
    assert_non_null(strstr(err.text, "node:310000"));
    assert_non_null(strstr(err.text, "provider:stranger"));
    assert_int_equal(sq_client_query(c, "programmes", 200, &json, &err), SQ_E_TIMEOUT);
    assert_int_equal(sq_client_answer(c, 50, &a, &err), SQ_E_TIMEOUT);
    sq_client_close(c);
    sq_client_close(NULL);
    sq_secret_free(stranger);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(requests_are_numbered_on_from_what_the_node_has),
        STORY(no_more_are_under_way_than_was_asked_for),
        STORY(an_answer_that_was_not_read_for_a_while_is_no_silence),
        STORY(a_request_that_was_lost_is_sent_again_with_the_same_bytes),
        STORY(an_answer_that_was_lost_is_asked_for_again_and_nothing_is_done_twice),
        STORY(a_gap_is_filled_from_what_is_kept),
        STORY(a_busy_node_is_asked_again_later),
        STORY(nobody_but_the_node_answers),
        STORY(a_number_that_somebody_else_used_with_this_key_is_told),
        STORY(what_a_person_must_mend_ends_everything_that_comes_after),
        STORY(an_earlier_run_is_continued_with_the_same_numbers_and_bytes),
        STORY(a_question_is_answered_by_its_nonce),
        STORY(a_question_does_not_cost_an_answer),
        STORY(a_greeting_that_is_refused_says_why),
        STORY(a_node_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
