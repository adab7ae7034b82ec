/*
 * Whose turn it is: order of service, never time. A sender is a letter, what it sends a size; what is served is written down as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers/lines.h"
#include "tests/support/random.h"

#define BATCH  573744u /* a full batch of redemptions */
#define SINGLE 296u

struct note {
    struct sq_waiting waiting;
    char sender;
    unsigned number;
};

static struct sq_waiting *note(char sender, unsigned number, size_t size)
{
    struct note *n = calloc(1, sizeof *n);
    assert_non_null(n);
    n->waiting.size = size;
    n->sender = sender;
    n->number = number;
    return &n->waiting;
}

static void drop(struct sq_waiting *w)
{
    free(w);
}

static int begin(void **state)
{
    struct sq_lines *l = calloc(1, sizeof *l);
    sq_lines_init(l, SQ_LINES_BYTES);
    *state = l;
    return 0;
}

static int end(void **state)
{
    struct sq_lines *l = *state;
    sq_lines_free(l, drop);
    assert_true(l->bytes == 0);
    free(l);
    return 0;
}

static void sends(struct sq_lines *l, char sender, unsigned count, size_t size)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(sq_lines_put(l, (uint32_t)(sender - 'A'), note(sender, i, size)), SQ_OK);
}

/* Who was served, `count` times or until nobody waits. */
static const char *served(struct sq_lines *l, int hold_bulk, unsigned count)
{
    static char text[1024];
    unsigned n = 0;
    for (struct sq_waiting *w; n < count && (w = sq_lines_take(l, hold_bulk)) != NULL; drop(w))
        text[n++] = ((struct note *)w)->sender;
    text[n] = '\0';
    return text;
}

/* ---- turns ---- */

static void who_sends_little_waits_for_no_more_than_what_is_being_served(void **state)
{
    struct sq_lines *l = *state;
    sends(l, 'A', 64, BATCH);
    for (unsigned i = 0; i < 40; i++) {
        assert_string_equal(served(l, 0, 1), "A");
        sends(l, 'B', 1, SINGLE); /* while that one is being decided */
        assert_string_equal(served(l, 0, 1), "B");
    }
}

static void those_who_come_together_are_all_served_before_a_flooder_again(void **state)
{
    struct sq_lines *l = *state;
    sends(l, 'A', 10, BATCH);
    assert_string_equal(served(l, 0, 1), "A");
    for (char c = 'B'; c <= 'Z'; c++)
        sends(l, c, 1, SINGLE);
    assert_string_equal(served(l, 0, 26), "BCDEFGHIJKLMNOPQRSTUVWXYZA");
}

static void who_always_has_one_more_does_not_starve_the_others(void **state)
{
    struct sq_lines *l = *state;
    unsigned singles = 0;
    sends(l, 'A', 2, BATCH);
    sends(l, 'B', 1, SINGLE);
    for (char c = 'B'; c == 'B'; singles++) {
        c = *served(l, 0, 1);
        sends(l, 'B', c == 'B', SINGLE);
    }
    /* B's share of a round for each of the rounds that the batch waits. */
    assert_in_range(singles, 2, (BATCH + SQ_LINES_MESSAGE) / (SINGLE + SQ_LINES_MESSAGE) + 5);
}

static void bulk_is_shared_by_bytes_and_not_by_messages(void **state)
{
    struct sq_lines *l = *state;
    size_t bytes[2] = {0};
    sends(l, 'A', 100, BATCH);
    sends(l, 'B', 500, BATCH / 5);
    for (unsigned i = 0; i < 240; i++) {
        struct sq_waiting *w = sq_lines_take(l, 0);
        bytes[((struct note *)w)->sender - 'A'] += w->size + SQ_LINES_MESSAGE;
        drop(w);
        size_t apart = bytes[0] > bytes[1] ? bytes[0] - bytes[1] : bytes[1] - bytes[0];
        assert_in_range(apart, 0, BATCH + 2 * SQ_LINES_QUANTUM);
    }
}

static void a_sender_is_served_in_the_order_it_sent(void **state)
{
    struct sq_lines *l = *state;
    struct dice dice = {11};
    unsigned put[8] = {0}, taken[8] = {0}, all = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t who = dice_below(&dice, 8);
        if (dice_below(&dice, 2) == 0) {
            assert_int_equal(sq_lines_put(l, who, note((char)('A' + who), put[who], dice_below(&dice, 100000))), SQ_OK);
            put[who]++;
            all++;
            continue;
        }
        struct note *n = (struct note *)sq_lines_take(l, dice_below(&dice, 4) == 0);
        if (n == NULL)
            continue;
        assert_int_equal(n->number, taken[n->sender - 'A']++);
        all--;
        drop(&n->waiting);
    }
    for (struct note *n; (n = (struct note *)sq_lines_take(l, 0)) != NULL; drop(&n->waiting), all--)
        assert_int_equal(n->number, taken[n->sender - 'A']++);
    assert_int_equal(all, 0);
}

/* ---- bulk that is held ---- */

static void held_bulk_is_passed_over_and_keeps_its_place(void **state)
{
    struct sq_lines *l = *state;
    sends(l, 'A', 1, BATCH);
    sends(l, 'B', 1, BATCH);
    sends(l, 'B', 1, SINGLE); /* behind its own batch */
    sends(l, 'C', 3, SINGLE);
    assert_string_equal(served(l, 1, 10), "CCC");
    assert_null(sq_lines_take(l, 1));
    sends(l, 'D', 1, SINGLE);
    assert_string_equal(served(l, 1, 10), "D");
    assert_string_equal(served(l, 0, 10), "ABB");
}

static void what_is_small_is_always_found_behind_held_bulk(void **state)
{
    struct sq_lines *l = *state;
    for (char c = 'A'; c <= 'M'; c++)
        sends(l, c, 1, BATCH);
    sends(l, 'N', 20, SQ_BULK_BYTES); /* the largest that is not bulk: one a turn */
    assert_string_equal(served(l, 1, 30), "NNNNNNNNNNNNNNNNNNNN");
    assert_string_equal(served(l, 0, 30), "ABCDEFGHIJKLM");
}

/* ---- room ---- */

/* Until it is turned away. How many batches found room. */
static unsigned floods(struct sq_lines *l, char sender)
{
    for (unsigned n = 0;; n++) {
        struct sq_waiting *w = note(sender, n, BATCH);
        if (sq_lines_put(l, (uint32_t)(sender - 'A'), w) == SQ_OK)
            continue;
        drop(w);
        return n;
    }
}

static void a_line_that_is_too_long_takes_no_more_until_it_is_empty(void **state)
{
    struct sq_lines *l = *state;
    l->room = 20u << 20;
    unsigned batches = floods(l, 'A');
    size_t bytes = l->bytes;
    assert_in_range(bytes, (10u << 20) - BATCH, (10u << 20) + BATCH); /* half */
    struct sq_waiting *more = note('A', batches, SINGLE);
    for (unsigned left = batches; left > 0; left--) {
        assert_int_equal(sq_lines_put(l, 0, more), SQ_E_FULL);
        assert_int_equal(l->bytes, bytes);
        assert_string_equal(served(l, 0, 1), "A");
        bytes -= BATCH + SQ_LINES_MESSAGE;
    }
    assert_int_equal(sq_lines_put(l, 0, more), SQ_OK);
    assert_string_equal(served(l, 0, 10), "A");
}

static void there_is_room_for_one_more_beside_those_who_flood(void **state)
{
    struct sq_lines *l = *state;
    l->room = 20u << 20;
    for (char c = 'A'; c <= 'H'; c++)
        floods(l, c);
    assert_true(l->bytes < l->room);
    sends(l, 'Z', 5, SINGLE);
    assert_string_equal(served(l, 1, 10), "ZZZZZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_sends_little_waits_for_no_more_than_what_is_being_served, begin, end),
        cmocka_unit_test_setup_teardown(those_who_come_together_are_all_served_before_a_flooder_again, begin, end),
        cmocka_unit_test_setup_teardown(who_always_has_one_more_does_not_starve_the_others, begin, end),
        cmocka_unit_test_setup_teardown(bulk_is_shared_by_bytes_and_not_by_messages, begin, end),
        cmocka_unit_test_setup_teardown(a_sender_is_served_in_the_order_it_sent, begin, end),
        cmocka_unit_test_setup_teardown(held_bulk_is_passed_over_and_keeps_its_place, begin, end),
        cmocka_unit_test_setup_teardown(what_is_small_is_always_found_behind_held_bulk, begin, end),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_takes_no_more_until_it_is_empty, begin, end),
        cmocka_unit_test_setup_teardown(there_is_room_for_one_more_beside_those_who_flood, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
