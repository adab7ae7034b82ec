/*
 * Cuts at random moments: messages under way, nodes down, windows being decided. Every item must end in exactly one window, the
 * same at all nodes, and a node that is stopped and read back from its dump must not change a byte of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/trading.h"

#define NODES 4u

static void cut_somewhere(struct trading *t, struct dice *d)
{
    uint32_t node = dice_below(d, NODES);
    if (!(t->w->down >> node & 1))
        assert_int_equal(trading_cut(t, node, sq_settlement_open_window(trading_side(t, node))), SQ_OK);
}

static void deliver_somewhere(struct trading *t, struct dice *d)
{
    uint32_t from = dice_below(d, NODES), to = dice_below(d, NODES);
    if (from == to || (t->w->down >> from & 1) || (t->w->down >> to & 1))
        return;
    for (uint32_t i = dice_below(d, 6); i != 0 && world_deliver(t->w, from, to); i--)
        ;
}

static void replace(struct trading *t, uint32_t node)
{
    struct sq_dump first = {0}, second = {0};
    struct sq_core *copy;
    struct sq_error err = {0};
    sq_core_dump(t->w->core[node], &first);
    assert_int_equal(first.failed, 0);
    assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
    if (sq_core_undump(copy, sq_bytes_of(first.bytes, first.size), &err) != SQ_OK)
        fail_msg("%s", err.text);
    sq_core_dump(copy, &second);
    assert_int_equal(second.size, first.size);
    assert_memory_equal(second.bytes, first.bytes, first.size);
    sq_core_free(t->w->core[node]);
    t->w->core[node] = copy;
    sq_dump_free(&first);
    sq_dump_free(&second);
}

static void random_day(struct trading *t, struct dice *d, struct dice *replacements)
{
    for (int step = 0; step < 250; step++) {
        uint32_t die = dice_below(d, 100), node = dice_below(d, NODES);
        if (die < 35 && !(t->w->down >> node & 1))
            trading_redeem(t, node, (node + 1 + dice_below(d, NODES - 1)) % NODES, 1 + dice_below(d, 100));
        else if (die < 80)
            deliver_somewhere(t, d);
        else if (die < 83)
            cut_somewhere(t, d);
        else if (die < 85)
            t->w->down = t->w->down != 0 ? 0 : 1u << node;
        else if (die < 90)
            t->w->now_ms += dice_below(d, 4000);
        else if (die < 95)
            world_run(t->w);
        if (replacements != NULL && dice_below(replacements, 8) == 0)
            replace(t, dice_below(replacements, NODES));
    }
    t->w->down = 0;
}

/* Everyone is there again: what is still open is cut and settled. Returns the last window. */
static uint64_t close_the_day(struct trading *t)
{
    uint64_t last = 0;
    world_run(t->w);
    for (uint32_t i = 0; i < NODES; i++)
        last =
            sq_settlement_open_window(trading_side(t, i)) > last ? sq_settlement_open_window(trading_side(t, i)) : last;
    if (last > 1)
        trading_finish(t, last - 1);
    while ((last = sq_settlement_open_window(trading_side(t, 0))),
           last > 1 && trading_window(t, 0, last - 1).final_ms == 0)
        trading_finish(t, last - 1);
    assert_int_equal(trading_cut(t, 0, last), SQ_OK);
    trading_finish(t, last);
    return last;
}

static void pair_is_whole(const struct trading *t, Sanquan__V1__Settlement *const *s, uint64_t windows, uint32_t debtor,
                          uint32_t creditor)
{
    uint64_t next = 1, items = 0;
    int64_t fen[SQ_KIND_COUNT] = {0};
    for (uint64_t w = 0; w < windows; w++) {
        const Sanquan__V1__Pair *p = trading_pair(t, s[w], debtor, creditor);
        if (p == NULL)
            continue;
        assert_true(p->first == next && p->last >= p->first); /* no number twice, none left out */
        next = p->last + 1;
        items += p->count;
        for (size_t k = 0; k < SQ_KIND_COUNT; k++)
            fen[k] += p->total_fen[k];
    }
    struct sq_link_view owes, owed;
    sq_settlement_link(trading_side(t, debtor), debtor, creditor, &owes);
    sq_settlement_link(trading_side(t, creditor), debtor, creditor, &owed);
    assert_memory_equal(&owes, &owed, sizeof owes);
    assert_true(owes.settled_number == next - 1 && owes.last.number == next - 1 && owes.last.count == 0);
    assert_true(items == t->items[debtor][creditor]);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        assert_true(fen[k] == (k + 1 == trading_kind(debtor) ? t->owed_fen[debtor][creditor] : 0));
}

static void history_is_whole(const struct trading *t, uint64_t windows)
{
    Sanquan__V1__Settlement **s = calloc(windows, sizeof *s);
    for (uint64_t w = 1; w <= windows; w++) {
        int64_t sum[SQ_KIND_COUNT] = {0};
        trading_agree(t, w);
        s[w - 1] = trading_settlement(t, 0, w);
        for (size_t i = 0; i < s[w - 1]->n_nets; i++)
            sum[s[w - 1]->nets[i]->kind - 1] += s[w - 1]->nets[i]->net_fen;
        for (size_t k = 0; k < SQ_KIND_COUNT; k++)
            assert_true(sum[k] == 0);
    }
    for (uint32_t debtor = 0; debtor < NODES; debtor++)
        for (uint32_t creditor = 0; creditor < NODES; creditor++)
            if (debtor != creditor)
                pair_is_whole(t, s, windows, debtor, creditor);
    for (uint64_t w = 0; w < windows; w++)
        sanquan__v1__settlement__free_unpacked(s[w], NULL);
    free(s);
}

static void whatever_the_moment_of_the_cut_every_item_is_in_exactly_one_window(void **state)
{
    (void)state;
    uint64_t windows = 0, items = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct dice d = {seed};
        struct trading *t = trading_new(NODES, seed % 2 ? SQ_NET_HUB : SQ_NET_BILATERAL);
        random_day(t, &d, NULL);
        uint64_t last = close_the_day(t);
        history_is_whole(t, last);
        windows += last;
        items += t->invoices;
        trading_free(t);
    }
    print_message("%" PRIu64 " items in %" PRIu64 " windows\n", items, windows);
    assert_true(windows > 80 && items > 1000);
}

static void a_node_read_back_from_its_dump_at_any_moment_settles_the_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct trading *t[2];
        uint64_t last[2];
        for (int i = 0; i < 2; i++) {
            struct dice d = {seed}, other = {seed + 1000};
            t[i] = trading_new(NODES, SQ_NET_HUB);
            random_day(t[i], &d, i == 1 ? &other : NULL);
            last[i] = close_the_day(t[i]);
        }
        assert_true(last[0] == last[1]);
        history_is_whole(t[1], last[1]);
        for (uint64_t w = 1; w <= last[0]; w++) {
            struct sq_window_view a = trading_window(t[0], 1, w), b = trading_window(t[1], 1, w);
            assert_int_equal(a.value.size, b.value.size);
            assert_memory_equal(a.value.data, b.value.data, a.value.size);
            assert_true(a.final_ms == b.final_ms && a.round == b.round && a.precommits == b.precommits);
        }
        trading_free(t[0]);
        trading_free(t[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_moment_of_the_cut_every_item_is_in_exactly_one_window),
        cmocka_unit_test(a_node_read_back_from_its_dump_at_any_moment_settles_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
