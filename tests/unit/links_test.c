/* Link streams by themselves: what one node owes another is one numbered chain, and both sides fold it alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/settlement/settlement.h"
#include "tests/support/random.h"

#define NODES    3u
#define DEBTOR   0u
#define CREDITOR 2u

static const char codes[NODES][7] = {"310000", "370000", "440000"};

struct pair {
    struct sq_settlement *debtor, *creditor;
};

static struct sq_settlement *node(uint32_t self)
{
    const struct sq_settlement_setup setup = {codes, NODES, self, SQ_NET_HUB, 1000};
    struct sq_settlement *s = NULL;
    assert_int_equal(sq_settlement_new(&setup, 1000, &s, NULL), SQ_OK);
    return s;
}

static int begin(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    p->debtor = node(DEBTOR);
    p->creditor = node(CREDITOR);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct pair *p = *state;
    sq_settlement_free(p->debtor);
    sq_settlement_free(p->creditor);
    free(p);
    return 0;
}

struct decision {
    uint64_t batch;
    uint8_t result[SQ_HASH_SIZE];
    struct sq_link_step step;
};

static struct decision drawn(struct dice *d)
{
    struct decision x = {.batch = dice_u64(d), .step.count = 1 + dice_below(d, 8192)};
    for (size_t i = 0; i < SQ_HASH_SIZE; i++)
        x.result[i] = (uint8_t)dice_u64(d);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        x.step.total_fen[k] = (int64_t)dice_below(d, 2000000) - 500000; /* returns may outweigh the rest */
    return x;
}

static sq_status owe(struct pair *p, struct decision *x)
{
    return sq_settlement_owe(p->debtor, CREDITOR, x->batch, x->result, &x->step, NULL);
}

static sq_status owed(struct pair *p, uint32_t debtor, const struct decision *x)
{
    return sq_settlement_owed(p->creditor, debtor, x->batch, x->result, &x->step, NULL);
}

static struct sq_dump dumped(const struct sq_settlement *s)
{
    struct sq_dump d = {0};
    sq_settlement_dump(s, &d);
    assert_int_equal(d.failed, 0);
    return d;
}

static void is_as_before(const struct sq_settlement *s, struct sq_dump *before)
{
    struct sq_dump now = dumped(s);
    assert_int_equal(now.size, before->size);
    assert_memory_equal(now.bytes, before->bytes, now.size);
    sq_dump_free(&now);
    sq_dump_free(before);
}

/* The chain as the header writes it down, put together byte by byte. */
static void chained(uint8_t hash[SQ_HASH_SIZE], uint64_t number, const struct decision *x)
{
    uint8_t text[16 + 32 + 8 + 12 + 8 + 32 + 8 + 7 * 8], *at = text;
    memcpy(at, "sanquan/link/v1", 16), at += 16;
    memcpy(at, hash, 32), at += 32;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    memcpy(at, "310000440000", 12), at += 12;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(x->batch >> shift);
    memcpy(at, x->result, 32), at += 32;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(x->step.count >> shift);
    for (size_t k = 0; k < 7; k++)
        for (int shift = 56; shift >= 0; shift -= 8)
            *at++ = (uint8_t)((uint64_t)x->step.total_fen[k] >> shift);
    assert_ptr_equal(at, text + sizeof text);
    sq_sha256(text, sizeof text, hash);
}

static void both_sides_fold_the_same_numbered_chain(void **state)
{
    struct pair *p = *state;
    struct dice d = {1};
    uint8_t hash[SQ_HASH_SIZE] = {0};
    struct sq_link_step sum = {0};
    for (uint64_t number = 1; number <= 300; number++) {
        struct decision x = drawn(&d);
        struct sq_link_view owes, is_owed;
        assert_int_equal(owe(p, &x), SQ_OK);
        chained(hash, number, &x);
        assert_true(x.step.number == number);
        assert_memory_equal(x.step.hash, hash, SQ_HASH_SIZE);
        assert_int_equal(owed(p, DEBTOR, &x), SQ_OK);
        sum.count += x.step.count;
        for (size_t k = 0; k < SQ_KIND_COUNT; k++)
            sum.total_fen[k] += x.step.total_fen[k];
        sq_settlement_link(p->debtor, DEBTOR, CREDITOR, &owes);
        sq_settlement_link(p->creditor, DEBTOR, CREDITOR, &is_owed);
        assert_memory_equal(&owes, &is_owed, sizeof owes);
        assert_true(owes.last.number == number && owes.settled_number == 0 && owes.last.count == sum.count);
        assert_memory_equal(owes.last.hash, hash, SQ_HASH_SIZE);
        assert_memory_equal(owes.last.total_fen, sum.total_fen, sizeof sum.total_fen);
    }
}

static void links_to_different_creditors_are_different_chains(void **state)
{
    struct pair *p = *state;
    struct dice d = {2};
    struct decision x = drawn(&d), same = x;
    assert_int_equal(owe(p, &x), SQ_OK);
    assert_int_equal(sq_settlement_owe(p->debtor, 1, same.batch, same.result, &same.step, NULL), SQ_OK);
    assert_true(x.step.number == 1 && same.step.number == 1);
    assert_memory_not_equal(x.step.hash, same.step.hash, SQ_HASH_SIZE);
    assert_int_equal(owed(p, DEBTOR, &same), SQ_R_LINK_BROKEN); /* made out to another */
    assert_int_equal(owed(p, 1, &x), SQ_R_LINK_BROKEN);         /* or said by another */
    assert_int_equal(owed(p, DEBTOR, &x), SQ_OK);
}

static void a_step_that_does_not_continue_the_chain_is_refused_and_changes_nothing(void **state)
{
    struct pair *p = *state;
    struct dice d = {3};
    struct decision first = drawn(&d), second = drawn(&d), third = drawn(&d);
    assert_int_equal(owe(p, &first), SQ_OK);
    assert_int_equal(owe(p, &second), SQ_OK);
    assert_int_equal(owe(p, &third), SQ_OK);
    assert_int_equal(owed(p, DEBTOR, &first), SQ_OK);
    for (unsigned wrong = 0; wrong < 12; wrong++) {
        struct decision x = wrong == 0 ? first : wrong == 1 ? third : second; /* again, or one left out */
        x.step.number = wrong == 2 ? 0 : wrong == 3 ? UINT64_MAX : x.step.number;
        x.step.hash[31] ^= wrong == 4;
        x.step.count += wrong == 5;
        x.step.total_fen[6] -= wrong == 6;
        x.batch ^= wrong == 7;
        x.result[0] ^= wrong == 8 ? 0x80 : 0;
        x.step.total_fen[0] += wrong == 9 ? 1 : 0;
        x.step.total_fen[1] -= wrong == 9 ? 1 : 0; /* the sum is right, the kinds are not */
        memcpy(x.step.hash, wrong == 10 ? first.step.hash : wrong == 11 ? third.step.hash : x.step.hash, SQ_HASH_SIZE);
        struct sq_dump before = dumped(p->creditor);
        assert_int_equal(owed(p, DEBTOR, &x), SQ_R_LINK_BROKEN);
        is_as_before(p->creditor, &before);
    }
    assert_int_equal(owed(p, DEBTOR, &second), SQ_OK);
    assert_int_equal(owed(p, DEBTOR, &third), SQ_OK);
}

static void a_sum_that_leaves_64_bits_is_refused_and_changes_nothing(void **state)
{
    struct pair *p = *state;
    static const int64_t limit[] = {INT64_MAX, -INT64_MAX};
    for (size_t i = 0; i < 2; i++) {
        struct decision large = {.batch = 1, .step = {.count = 1, .total_fen = {[3] = limit[i], [4] = 7}}};
        struct decision more = {.batch = 2, .step = {.count = 1, .total_fen = {[3] = limit[i], [4] = 7}}}, copy = more;
        assert_int_equal(owe(p, &large), SQ_OK);
        assert_int_equal(owed(p, DEBTOR, &large), SQ_OK);
        struct sq_dump before = dumped(p->debtor);
        assert_int_equal(owe(p, &more), SQ_E_OVERFLOW);
        assert_memory_equal(&more, &copy, sizeof more);
        is_as_before(p->debtor, &before);
        more = (struct decision){.batch = 3, .step = {.count = 1, .total_fen = {[3] = -limit[i]}}};
        assert_int_equal(owe(p, &more), SQ_OK); /* and back to nothing */
        assert_int_equal(owed(p, DEBTOR, &more), SQ_OK);
    }
}

static void what_a_node_owes_itself_is_a_chain_of_its_own(void **state)
{
    struct pair *p = *state;
    struct dice d = {5};
    struct decision x = drawn(&d);
    struct sq_link_view own, other;
    assert_int_equal(sq_settlement_owe(p->debtor, DEBTOR, x.batch, x.result, &x.step, NULL), SQ_OK);
    sq_settlement_link(p->debtor, DEBTOR, DEBTOR, &own);
    sq_settlement_link(p->debtor, DEBTOR, CREDITOR, &other);
    assert_true(own.last.number == 1 && own.last.count == x.step.count && other.last.number == 0);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(both_sides_fold_the_same_numbered_chain),
        STORY(links_to_different_creditors_are_different_chains),
        STORY(a_step_that_does_not_continue_the_chain_is_refused_and_changes_nothing),
        STORY(a_sum_that_leaves_64_bits_is_refused_and_changes_nothing),
        STORY(what_a_node_owes_itself_is_a_chain_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
