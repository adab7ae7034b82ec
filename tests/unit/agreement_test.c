/* The agreement on one node, driven by hand through every rule of the paper. Whole networks: agreement_network_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/orders.h"
#include "tests/support/voter.h"

/* Node 3 of 4, locked on value 5 in round 0, now in round 1. */
static void lock(struct voter *d)
{
    sit(d, 4, 3);
    start(d);
    hears_proposal(d, 0, 0, 5);
    hears(d, 0, PREVOTE, 0, 5);
    hears(d, 1, PREVOTE, 0, 5);
    said(d, 2, PRECOMMIT, 0, 5);
    hears(d, 1, PRECOMMIT, 0, NIL);
    hears(d, 2, PRECOMMIT, 0, NIL);
    wait(d);
    assert_int_equal(d->a.round, 1);
    assert_int_equal(d->a.locked_round, 1);
}

/* ---- who is there when a story begins ---- */

/* Node 3 of 4 listens: it has said nothing yet. */
static int begin_listener(void **state)
{
    struct voter *d = calloc(1, sizeof *d);
    sit(d, 4, 3);
    start(d);
    *state = d;
    return 0;
}

static int begin_locked(void **state)
{
    struct voter *d = calloc(1, sizeof *d);
    lock(d);
    *state = d;
    return 0;
}

static int end(void **state)
{
    rise(*state);
    free(*state);
    return 0;
}

#define LISTENER(name) cmocka_unit_test_setup_teardown(name, begin_listener, end)
#define LOCKED(name)   cmocka_unit_test_setup_teardown(name, begin_locked, end)

/* ---- the stories ---- */

static void a_quorum_is_more_than_two_thirds_and_two_of_them_share_an_honest_node(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 400; n++) {
        uint32_t q = sq_agreement_quorum(n), liars = (n - 1) / 3;
        assert_true(3 * q > 2 * n && 3 * (q - 1) <= 2 * n);
        assert_true(2 * q - n > liars); /* of two quorums */
        assert_true(n - liars >= q);    /* the honest alone are one */
    }
}

static void with_everyone_there_the_first_round_decides(void **state)
{
    struct voter *d = *state;
    assert_int_equal(d->count, 0);
    hears_proposal(d, 0, 0, 5);
    said(d, 1, PREVOTE, 0, 5);
    hears(d, 0, PREVOTE, 0, 5);
    assert_int_equal(d->count, 1);
    hears(d, 1, PREVOTE, 0, 5);
    said(d, 2, PRECOMMIT, 0, 5);
    hears(d, 0, PRECOMMIT, 0, 5);
    assert_false(sq_agreement_decided(&d->a));
    hears(d, 2, PRECOMMIT, 0, 5);
    decides(d, 0, 5);
    uint32_t round, step;
    assert_true(sq_agreement_due(&d->a, &round, &step) == 0);
}

static void a_network_of_one_decides_alone(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 1, 0);
    start(&d);
    decides(&d, 0, 9);
    rise(&d);
}

static void the_proposer_proposes_and_votes_for_its_own(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 0);
    start(&d);
    assert_int_equal(d.said[0].step, SQ_STEP_PROPOSE);
    said(&d, 2, PREVOTE, 0, 9);
    start(&d); /* again is no news */
    assert_int_equal(d.count, 2);
    rise(&d);
}

static void a_silent_proposer_costs_a_round(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 1);
    start(&d);
    wait(&d);
    said(&d, 1, PREVOTE, 0, NIL);
    hears(&d, 2, PREVOTE, 0, NIL);
    hears(&d, 3, PREVOTE, 0, NIL);
    said(&d, 2, PRECOMMIT, 0, NIL);
    hears(&d, 2, PRECOMMIT, 0, NIL);
    hears(&d, 3, PRECOMMIT, 0, NIL);
    wait(&d);
    assert_int_equal(d.a.round, 1);
    assert_int_equal(d.said[2].step, SQ_STEP_PROPOSE); /* it is its turn */
    said(&d, 4, PREVOTE, 1, 9);
    rise(&d);
}

static void timers_grow_with_the_round_and_old_ones_do_nothing(void **state)
{
    struct voter *d = *state;
    uint32_t round, step;
    uint64_t began = d->now_ms, due = sq_agreement_due(&d->a, &round, &step);
    assert_true(due == began + TIMEOUT_MS && round == 0 && step == SQ_STEP_PROPOSE);
    const struct sq_agreement before = d->a;
    assert_int_equal(sq_agreement_timeout(&d->a, &d->host, 0, SQ_STEP_PROPOSE, due - 1), SQ_OK); /* early */
    assert_int_equal(sq_agreement_timeout(&d->a, &d->host, 1, SQ_STEP_PROPOSE, due), SQ_OK);   /* of no round of ours */
    assert_int_equal(sq_agreement_timeout(&d->a, &d->host, 0, SQ_STEP_PRECOMMIT, due), SQ_OK); /* not set */
    assert_int_equal(sq_agreement_timeout(&d->a, &d->host, 0, 0, due), SQ_OK);
    assert_int_equal(sq_agreement_timeout(&d->a, &d->host, 0, 4, due), SQ_OK);
    assert_memory_equal(&d->a, &before, sizeof before);
    assert_int_equal(d->count, 0);
    hears(d, 0, PREVOTE, 6, NIL);
    hears(d, 1, PREVOTE, 6, NIL); /* more nodes than can lie are in round 6 */
    assert_int_equal(d->a.round, 6);
    assert_true(sq_agreement_due(&d->a, &round, &step) == d->now_ms + TIMEOUT_MS * 4 && round == 6);
    assert_int_equal(sq_agreement_timeout(&d->a, &d->host, 0, SQ_STEP_PROPOSE, due), SQ_OK);
    assert_int_equal(d->count, 0);
}

static void one_node_alone_cannot_pull_another_into_a_later_round(void **state)
{
    struct voter *d = *state;
    for (uint32_t round = 1; round < 50; round++) {
        hears(d, 0, PREVOTE, round, NIL);
        hears(d, 0, PRECOMMIT, round, NIL);
    }
    assert_int_equal(d->a.round, 0);
}

static void a_locked_node_does_not_prevote_another_value(void **state)
{
    struct voter *d = *state;
    hears_proposal(d, 1, 0, 6);
    said(d, 3, PREVOTE, 1, NIL);
}

static void a_locked_node_prevotes_its_value_again(void **state)
{
    struct voter *d = *state;
    hears_proposal(d, 1, 0, 5);
    said(d, 3, PREVOTE, 1, 5);
}

static void a_newer_polka_frees_a_locked_node(void **state)
{
    struct voter *d = *state;
    hears_proposal(d, 1, 0, 6);
    said(d, 3, PREVOTE, 1, NIL);
    hears(d, 0, PREVOTE, 1, 6); /* the others all prevote it; too late for this node to precommit */
    hears(d, 1, PREVOTE, 1, 6);
    wait(d);
    said(d, 4, PRECOMMIT, 1, NIL);
    hears(d, 2, PREVOTE, 1, 6);
    assert_int_equal(d->a.locked_round, 1);
    hears(d, 0, PRECOMMIT, 1, NIL);
    hears(d, 1, PRECOMMIT, 1, NIL);
    wait(d);
    assert_int_equal(d->a.round, 2);
    hears_proposal(d, 2, 2, 6);
    said(d, 5, PREVOTE, 2, 6);
}

static void a_polka_that_is_only_claimed_frees_nobody(void **state)
{
    struct voter *d = *state;
    hears(d, 0, PREVOTE, 1, 6);
    hears(d, 1, PREVOTE, 1, NIL);
    hears(d, 2, PREVOTE, 1, 6);
    wait(d); /* no proposal of round 1 */
    wait(d);
    said(d, 4, PRECOMMIT, 1, NIL);
    hears(d, 0, PRECOMMIT, 1, NIL);
    hears(d, 1, PRECOMMIT, 1, NIL);
    wait(d);
    assert_int_equal(d->a.round, 2);
    uint32_t before = d->count;
    hears_proposal(d, 2, 2, 6); /* two of four prevoted it in round 1: that is no polka */
    assert_int_equal(d->count, before);
    wait(d);
    said(d, before + 1, PREVOTE, 2, NIL);
}

static void a_polka_older_than_the_lock_frees_nobody(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 3);
    d.unknown[5] = 1; /* its bytes are still on their way */
    start(&d);
    wait(&d);
    for (uint32_t node = 0; node < 3; node++) { /* a polka for 5 in round 0, of which nobody makes anything */
        hears(&d, node, PREVOTE, 0, 5);
        hears(&d, node, PRECOMMIT, 0, NIL);
    }
    wait(&d);
    wait(&d);
    d.unknown[5] = 0;
    hears_proposal(&d, 1, 0, 6);
    hears(&d, 0, PREVOTE, 1, 6);
    hears(&d, 1, PREVOTE, 1, 6);
    said(&d, 4, PRECOMMIT, 1, 6);
    hears(&d, 0, PRECOMMIT, 1, NIL);
    hears(&d, 1, PRECOMMIT, 1, NIL);
    wait(&d);
    hears_proposal(&d, 2, 1, 5);
    said(&d, 5, PREVOTE, 2, NIL);
    rise(&d);
}

static void a_proposer_proposes_the_newest_value_that_had_a_polka(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 1);
    start(&d);
    wait(&d);
    said(&d, 1, PREVOTE, 0, NIL);
    hears_proposal(&d, 0, 0, 5);
    hears(&d, 0, PREVOTE, 0, 5);
    hears(&d, 2, PREVOTE, 0, 5);
    wait(&d);
    said(&d, 2, PRECOMMIT, 0, NIL);
    hears(&d, 3, PREVOTE, 0, 5); /* the polka comes after its precommit: no lock, but it knows the value */
    assert_int_equal(d.a.locked_round, 0);
    hears(&d, 0, PRECOMMIT, 0, NIL);
    hears(&d, 2, PRECOMMIT, 0, NIL);
    wait(&d);
    assert_int_equal(d.said[2].step, SQ_STEP_PROPOSE);
    assert_int_equal(d.said[2].value, 5);
    assert_int_equal(d.said[2].valid_round, 1);
    said(&d, 4, PREVOTE, 1, 5);
    rise(&d);
}

static void a_value_that_is_not_valid_gets_nil_when_time_is_up(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 3);
    d.invalid[5] = 1;
    start(&d);
    hears_proposal(&d, 0, 0, 5);
    assert_int_equal(d.count, 0);
    wait(&d);
    said(&d, 1, PREVOTE, 0, NIL);
    hears(&d, 0, PREVOTE, 0, 5);
    hears(&d, 1, PREVOTE, 0, 5);
    wait(&d);
    said(&d, 2, PRECOMMIT, 0, NIL);
    rise(&d);
}

/* Some honest node among them has found it valid: what this one misses was shown to others only. */
static void what_two_thirds_prevoted_is_precommitted_and_prevoted_again_by_one_who_cannot_check_it(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 3);
    d.invalid[5] = 1;
    start(&d);
    hears_proposal(&d, 0, 0, 5);
    wait(&d);
    said(&d, 1, PREVOTE, 0, NIL);
    for (uint32_t node = 0; node < 3; node++)
        hears(&d, node, PREVOTE, 0, 5);
    said(&d, 2, PRECOMMIT, 0, 5);
    for (uint32_t node = 0; node < 2; node++)
        hears(&d, node, PRECOMMIT, 0, NIL);
    wait(&d);
    hears_proposal(&d, 1, 1, 5);
    said(&d, 3, PREVOTE, 1, 5);
    rise(&d);
}

static void a_value_that_becomes_valid_in_time_is_prevoted(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 3);
    d.invalid[5] = 1;
    start(&d);
    hears_proposal(&d, 0, 0, 5);
    assert_int_equal(sq_agreement_look(&d.a, &d.host, d.now_ms), SQ_OK);
    assert_int_equal(d.count, 0);
    d.invalid[5] = 0;
    assert_int_equal(sq_agreement_look(&d.a, &d.host, d.now_ms), SQ_OK);
    said(&d, 1, PREVOTE, 0, 5);
    rise(&d);
}

static void what_nobody_may_say_changes_nothing(void **state)
{
    struct voter *d = *state;
    uint8_t hash[SQ_HASH_SIZE];
    hash_of(5, hash);
    const struct sq_agreement before = d->a;
    for (uint32_t from = 1; from < 4; from++) /* not its turn */
        assert_int_equal(sq_agreement_on_proposal(&d->a, &d->host, from, 0, 0, hash, d->now_ms), SQ_OK);
    assert_int_equal(sq_agreement_on_proposal(&d->a, &d->host, 0, 0, 1, hash, d->now_ms),
                     SQ_OK); /* a polka in its own round */
    assert_int_equal(sq_agreement_on_proposal(&d->a, &d->host, 0, SQ_AGREEMENT_ROUNDS_MAX, 0, hash, d->now_ms), SQ_OK);
    hears(d, 4, PREVOTE, 0, 5);
    hears(d, 0, SQ_STEP_PROPOSE, 0, 5);
    hears(d, 0, 4, 0, 5);
    hears(d, 0, PREVOTE, SQ_AGREEMENT_ROUNDS_MAX, 5);
    assert_memory_equal(&d->a, &before, sizeof before);
    assert_int_equal(d->count, 0);
}

static void a_second_different_vote_is_evidence(void **state)
{
    struct voter *d = *state;
    hears(d, 0, PREVOTE, 0, NIL);
    hears(d, 0, PREVOTE, 0, NIL);
    assert_int_equal(d->a.doubles.count, 0); /* a repeat is no crime */
    hears(d, 0, PREVOTE, 0, 5);
    hears(d, 0, PREVOTE, 0, 6); /* one pair is proof enough */
    assert_int_equal(d->a.doubles.count, 2);
    const struct sq_agreement_vote *one = SQ_ROW(&d->a.doubles, struct sq_agreement_vote, 0), *two = one + 1;
    assert_true(one->node == 0 && one->round == 0 && one->step == PREVOTE && one->nil);
    assert_true(two->node == 0 && two->round == 0 && two->step == PREVOTE && !two->nil && value_of(two->value) == 5);
    hears(d, 0, PRECOMMIT, 0, 5); /* another step is another matter */
    hears(d, 0, PRECOMMIT, 0, 6);
    assert_int_equal(d->a.doubles.count, 4);
}

/* Node 0 tells some that it is for 5 and others that it is for nil, in either order: all must see the same polka. */
static void a_double_voter_counts_for_each_thing_it_says_but_once_in_all(void **state)
{
    (void)state;
    for (int nil_first = 0; nil_first < 2; nil_first++) {
        struct voter d;
        sit(&d, 4, 3);
        start(&d);
        hears_proposal(&d, 0, 0, 5);
        hears(&d, 0, PREVOTE, 0, nil_first ? NIL : 5);
        hears(&d, 0, PREVOTE, 0, nil_first ? 5 : NIL);
        hears(&d, 0, PREVOTE, 0, 6);
        assert_int_equal(d.a.prevotes_seen, 0); /* two nodes have spoken, however often */
        said(&d, 1, PREVOTE, 0, 5);
        hears(&d, 1, PREVOTE, 0, 5);
        said(&d, 2, PRECOMMIT, 0, 5);
        rise(&d);
    }
}

static void the_votes_of_a_shouter_are_kept_up_to_a_limit(void **state)
{
    struct voter *d = *state;
    for (uint32_t value = 0; value < 1000; value++)
        hears(d, 0, PRECOMMIT, 7, value);
    assert_int_equal(d->a.votes.count, SQ_AGREEMENT_VOTES_MAX);
    assert_int_equal(d->a.doubles.count, 2);
}

static void a_second_different_proposal_is_evidence_and_gets_no_vote(void **state)
{
    struct voter *d = *state;
    hears_proposal(d, 0, 0, 5);
    hears_proposal(d, 0, 0, 5);
    assert_int_equal(d->a.doubles.count, 0);
    hears_proposal(d, 0, 0, 6);
    said(d, 1, PREVOTE, 0, 5);
    assert_int_equal(d->a.doubles.count, 2);
    const struct sq_agreement_vote *one = SQ_ROW(&d->a.doubles, struct sq_agreement_vote, 0), *two = one + 1;
    assert_true(one->node == 0 && one->step == SQ_STEP_PROPOSE && value_of(one->value) == 5);
    assert_true(two->node == 0 && two->step == SQ_STEP_PROPOSE && value_of(two->value) == 6);
}

static void what_two_thirds_precommitted_is_decided_also_by_one_who_was_proposed_another(void **state)
{
    struct voter *d = *state;
    hears_proposal(d, 0, 0, 6); /* the proposer told the others 5 */
    hears_proposal(d, 0, 0, 5);
    for (uint32_t node = 0; node < 3; node++)
        hears(d, node, PRECOMMIT, 0, 5);
    decides(d, 0, 5);
}

static void what_two_thirds_precommitted_is_decided_as_soon_as_its_bytes_are_here(void **state)
{
    (void)state;
    struct voter d;
    sit(&d, 4, 3);
    d.invalid[5] = d.unknown[5] = 1;
    start(&d);
    for (uint32_t node = 0; node < 3; node++)
        hears(&d, node, PRECOMMIT, 0, 5);
    assert_false(sq_agreement_decided(&d.a));
    d.unknown[5] = 0; /* and they do not fit what this node was told, but it is one against three */
    hears_proposal(&d, 0, 0, 5);
    decides(&d, 0, 5);
    rise(&d);
}

static void after_the_decision_only_late_precommits_are_added(void **state)
{
    struct voter *d = *state;
    uint32_t round, step;
    hears_proposal(d, 0, 0, 5);
    for (uint32_t node = 0; node < 3; node++)
        hears(d, node, PRECOMMIT, 0, 5);
    decides(d, 0, 5);
    uint32_t spoken = d->count, votes = d->a.votes.count;
    hears_proposal(d, 1, 0, 6);
    for (uint32_t node = 0; node < 3; node++) {
        hears(d, node, PREVOTE, 1, 6);
        hears(d, node, PRECOMMIT, 1, 6);
    }
    decides(d, 0, 5);
    assert_int_equal(d->count, spoken);
    assert_true(d->a.votes.count > votes);
    assert_true(sq_agreement_due(&d->a, &round, &step) == 0);
}

/* One round of four nodes as node 3 hears it; item 0 is its own start. */
static void hear_item(struct voter *d, uint32_t item)
{
    if (item == 0)
        start(d);
    else if (item == 1)
        hears_proposal(d, 0, 0, 5);
    else
        hears(d, (item - 2) % 3, item < 5 ? PREVOTE : PRECOMMIT, 0, 5);
}

static void in_whatever_order_the_messages_of_a_round_come_the_node_decides(void **state)
{
    (void)state;
    uint32_t order[8], tried = 0;
    for (uint32_t i = 0; i < 8; i++)
        order[i] = i;
    do {
        struct voter d;
        sit(&d, 4, 3);
        for (uint32_t i = 0; i < 8; i++)
            hear_item(&d, order[i]);
        decides(&d, 0, 5);
        for (uint32_t i = 0; i < d.count; i++)
            assert_true(d.said[i].round == 0 && d.said[i].value == 5);
        rise(&d);
        tried++;
    } while (next_order(order, 8));
    assert_int_equal(tried, 40320);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quorum_is_more_than_two_thirds_and_two_of_them_share_an_honest_node),
        LISTENER(with_everyone_there_the_first_round_decides),
        cmocka_unit_test(a_network_of_one_decides_alone),
        cmocka_unit_test(the_proposer_proposes_and_votes_for_its_own),
        cmocka_unit_test(a_silent_proposer_costs_a_round),
        LISTENER(timers_grow_with_the_round_and_old_ones_do_nothing),
        LISTENER(one_node_alone_cannot_pull_another_into_a_later_round),
        LOCKED(a_locked_node_does_not_prevote_another_value),
        LOCKED(a_locked_node_prevotes_its_value_again),
        LOCKED(a_newer_polka_frees_a_locked_node),
        LOCKED(a_polka_that_is_only_claimed_frees_nobody),
        cmocka_unit_test(a_polka_older_than_the_lock_frees_nobody),
        cmocka_unit_test(a_proposer_proposes_the_newest_value_that_had_a_polka),
        cmocka_unit_test(a_value_that_is_not_valid_gets_nil_when_time_is_up),
        cmocka_unit_test(what_two_thirds_prevoted_is_precommitted_and_prevoted_again_by_one_who_cannot_check_it),
        cmocka_unit_test(a_value_that_becomes_valid_in_time_is_prevoted),
        LISTENER(what_nobody_may_say_changes_nothing),
        LISTENER(a_second_different_vote_is_evidence),
        cmocka_unit_test(a_double_voter_counts_for_each_thing_it_says_but_once_in_all),
        LISTENER(the_votes_of_a_shouter_are_kept_up_to_a_limit),
        LISTENER(a_second_different_proposal_is_evidence_and_gets_no_vote),
        LISTENER(what_two_thirds_precommitted_is_decided_also_by_one_who_was_proposed_another),
        cmocka_unit_test(what_two_thirds_precommitted_is_decided_as_soon_as_its_bytes_are_here),
        LISTENER(after_the_decision_only_late_precommits_are_added),
        cmocka_unit_test(in_whatever_order_the_messages_of_a_round_come_the_node_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
