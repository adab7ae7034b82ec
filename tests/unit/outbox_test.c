/* When what is sent to a peer: in order, a window at a time, again after silence, never what is not durable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "peers/outbox.h"
#include "tests/support/random.h"

#define NEVER UINT64_MAX

/* Sends all that may go now; returns how many that were. */
static uint32_t flush(struct sq_outbox *o, uint64_t now_ms)
{
    uint32_t n = 0;
    uint64_t number;
    while ((number = sq_outbox_next(o, now_ms)) != 0) {
        assert_true(number == o->sent + 1);
        sq_outbox_sent(o, number, now_ms);
        n++;
    }
    return n;
}

static void nothing_goes_before_it_is_durable(void **state)
{
    (void)state;
    struct sq_outbox o;
    sq_outbox_init(&o, 0, 0);
    assert_true(sq_outbox_next(&o, 1000) == 0 && sq_outbox_due_ms(&o) == NEVER);
    sq_outbox_durable(&o, 3);
    sq_outbox_durable(&o, 2); /* never backwards */
    assert_int_equal(flush(&o, 1000), 3);
    assert_true(sq_outbox_due_ms(&o) == 1000 + SQ_OUTBOX_RESEND_MIN_MS);
    assert_int_equal(sq_outbox_acked(&o, 3, 1100), 1);
    assert_true(sq_outbox_due_ms(&o) == NEVER && sq_outbox_next(&o, 1u << 30) == 0);
}

static void a_window_of_messages_is_under_way_at_most(void **state)
{
    (void)state;
    struct sq_outbox o;
    sq_outbox_init(&o, 10, 1000);
    assert_int_equal(flush(&o, 0), SQ_OUTBOX_WINDOW);
    assert_int_equal(sq_outbox_acked(&o, 15, 1), 1);
    assert_int_equal(flush(&o, 1), 5);
    assert_true(o.sent == 15 + SQ_OUTBOX_WINDOW);
}

static void an_acknowledgement_never_goes_back_or_beyond_what_is_there(void **state)
{
    (void)state;
    struct sq_outbox o;
    sq_outbox_init(&o, 0, 20);
    assert_int_equal(flush(&o, 0), 20);
    assert_int_equal(sq_outbox_acked(&o, 12, 1), 1);
    const struct sq_outbox before = o;
    static const uint64_t wrong[] = {0, 1, 12, 21, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(sq_outbox_acked(&o, wrong[i], 2), 0);
        assert_memory_equal(&o, &before, sizeof o);
    }
}

static void after_a_restart_the_peer_may_know_more_than_we_remember_sending(void **state)
{
    (void)state;
    struct sq_outbox o;
    sq_outbox_init(&o, 5, 9);
    assert_int_equal(sq_outbox_acked(&o, 8, 0), 1);
    assert_true(sq_outbox_next(&o, 0) == 9);
    sq_outbox_sent(&o, 9, 0);
    assert_int_equal(sq_outbox_acked(&o, 9, 0), 1);
}

static void after_silence_all_goes_again_and_the_wait_doubles_up_to_a_limit(void **state)
{
    (void)state;
    struct sq_outbox o;
    uint64_t now = 0;
    sq_outbox_init(&o, 0, 3);
    assert_int_equal(flush(&o, now), 3);
    for (uint64_t wait = SQ_OUTBOX_RESEND_MIN_MS; wait <= 4 * SQ_OUTBOX_RESEND_MAX_MS; wait *= 2) {
        uint64_t due = now + (wait < SQ_OUTBOX_RESEND_MAX_MS ? wait : SQ_OUTBOX_RESEND_MAX_MS);
        assert_true(sq_outbox_due_ms(&o) == due);
        assert_int_equal(flush(&o, due - 1), 0);
        now = due;
        assert_int_equal(flush(&o, now), 3);
    }
    assert_int_equal(sq_outbox_acked(&o, 1, now), 1); /* it lives: patience begins anew */
    assert_true(sq_outbox_due_ms(&o) == now + SQ_OUTBOX_RESEND_MIN_MS);
}

static void a_peer_that_answers_steadily_is_sent_nothing_twice(void **state)
{
    (void)state;
    struct sq_outbox o;
    uint64_t now = 0;
    sq_outbox_init(&o, 0, 30);
    assert_int_equal(flush(&o, now), 30); /* there is always something under way */
    for (uint64_t n = 1; n <= 500; n++) {
        now += 100;
        sq_outbox_durable(&o, 30 + n);
        assert_int_equal(sq_outbox_acked(&o, n, now), 1);
        assert_int_equal(flush(&o, now), 1);
    }
}

static void a_peer_that_misses_something_gets_it_from_there(void **state)
{
    (void)state;
    struct sq_outbox o;
    sq_outbox_init(&o, 2, 10);
    assert_int_equal(flush(&o, 0), 8);
    sq_outbox_rewind(&o, 6);
    assert_true(sq_outbox_next(&o, 1) == 6);
    assert_int_equal(flush(&o, 1), 5);
    static const uint64_t ignored[] = {0, 1, 2, 11, UINT64_MAX}; /* acknowledged, or not sent yet */
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        const struct sq_outbox before = o;
        sq_outbox_rewind(&o, ignored[i]);
        assert_memory_equal(&o, &before, sizeof o);
    }
    sq_outbox_rewind(&o, 3);
    assert_true(sq_outbox_due_ms(&o) == NEVER); /* nothing is under way */
    assert_int_equal(flush(&o, 2), 8);
}

/* ---- a link that loses, doubles and delays, and a peer that takes numbers in order ---- */

#define LINK_MAX 4096u

struct link {
    struct dice dice;
    struct {
        uint64_t number, at_ms;
        int is_ack;
    } flying[LINK_MAX];
    uint32_t count, lose, twice;
    uint64_t peer_has;
};

static void put(struct link *l, uint64_t number, int is_ack, uint64_t now_ms)
{
    for (uint32_t copies = dice_below(&l->dice, 100) < l->twice ? 2 : 1; copies != 0; copies--)
        if (dice_below(&l->dice, 100) >= l->lose) {
            assert_true(l->count < LINK_MAX);
            l->flying[l->count].number = number;
            l->flying[l->count].is_ack = is_ack;
            l->flying[l->count++].at_ms = now_ms + 1 + dice_below(&l->dice, 300);
        }
}

/* What has arrived by now, in whatever order. */
static void arrive(struct link *l, struct sq_outbox *o, uint64_t now_ms)
{
    for (uint32_t i = 0; i < l->count;) {
        if (l->flying[i].at_ms > now_ms) {
            i++;
            continue;
        }
        uint64_t number = l->flying[i].number;
        int is_ack = l->flying[i].is_ack;
        l->flying[i] = l->flying[--l->count];
        if (is_ack) {
            (void)sq_outbox_acked(o, number, now_ms);
            continue;
        }
        assert_true(number <= o->durable);
        if (number == l->peer_has + 1)
            l->peer_has = number;
        if (number > l->peer_has + 1 && dice_below(&l->dice, 2) == 0)
            sq_outbox_rewind(o, l->peer_has + 1); /* a refusal GAP, which did not get lost */
        put(l, l->peer_has, 1, now_ms);
    }
}

static void over_any_link_everything_arrives_in_the_end(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct link l = {.dice = {seed}};
        struct sq_outbox o;
        uint64_t durable = 0, now = 0;
        l.lose = dice_below(&l.dice, 60);
        l.twice = dice_below(&l.dice, 30);
        sq_outbox_init(&o, 0, 0);
        for (uint32_t turn = 0; l.peer_has < 400 || o.acked < 400; turn++) {
            uint64_t number;
            assert_true(turn < 200000);
            if (durable < 400 && dice_below(&l.dice, 3) == 0)
                sq_outbox_durable(&o, durable += 1 + dice_below(&l.dice, 4));
            arrive(&l, &o, now);
            while ((number = sq_outbox_next(&o, now)) != 0) {
                assert_true(number <= o.durable && number > o.acked && number - o.acked <= SQ_OUTBOX_WINDOW);
                sq_outbox_sent(&o, number, now);
                put(&l, number, 0, now);
            }
            assert_true(o.durable >= o.sent && o.sent >= o.acked && o.acked <= l.peer_has);
            assert_true((sq_outbox_due_ms(&o) == NEVER) == (o.sent == o.acked)); /* what is under way is waited for */
            if (dice_below(&l.dice, 50) == 0) { /* a restart: only what is durable is remembered */
                uint64_t remembered =
                    o.acked - (o.acked != 0 ? dice_below(&l.dice, o.acked < 5 ? (uint32_t)o.acked : 5) : 0);
                sq_outbox_init(&o, remembered, o.durable);
            }
            now += 1 + dice_below(&l.dice, 100);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_before_it_is_durable),
        cmocka_unit_test(a_window_of_messages_is_under_way_at_most),
        cmocka_unit_test(an_acknowledgement_never_goes_back_or_beyond_what_is_there),
        cmocka_unit_test(after_a_restart_the_peer_may_know_more_than_we_remember_sending),
        cmocka_unit_test(after_silence_all_goes_again_and_the_wait_doubles_up_to_a_limit),
        cmocka_unit_test(a_peer_that_answers_steadily_is_sent_nothing_twice),
        cmocka_unit_test(a_peer_that_misses_something_gets_it_from_there),
        cmocka_unit_test(over_any_link_everything_arrives_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
