/*
 * Readers of a ledger's history, for stories: six providers who trade at a desk, and a history and its questions of one of the nodes. For cmocka
 * tests only: it asserts.
 */
#ifndef SQ_TEST_READERS_H
#define SQ_TEST_READERS_H

#include "ops/history/query.h"
#include "tests/support/desk.h"
#include "tests/support/random.h"

#define PEOPLE 6

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people p[PEOPLE];
    struct dice dice;
    uint64_t next_invoice;
};

static inline int begin(void **state)
{
    static const uint32_t home[PEOPLE] = {0, 0, 2, 1, 2, 0}, issuer[PEOPLE] = {0, 2, 0, 0, 1, 1};
    struct story *s = calloc(1, sizeof *s);
    s->d = desk_new_in(s->dir, "history", 3);
    s->dice = (struct dice){11};
    s->next_invoice = 1;
    for (unsigned i = 0; i < PEOPLE; i++)
        desk_people(s->d, home[i], issuer[i], i, &s->p[i]);
    *state = s;
    return 0;
}

static inline int end(void **state)
{
    struct story *s = *state;
    for (int i = 0; i < PEOPLE; i++)
        desk_people_free(&s->p[i]);
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

/* Batches of all providers, some rows too large; some invoices again, which are refused. */
static inline void trade(struct story *s, unsigned batches)
{
    for (unsigned i = 0; i < batches; i++) {
        int64_t amounts[12];
        uint32_t rows = 1 + dice_below(&s->dice, 12);
        for (uint32_t k = 0; k < rows; k++)
            amounts[k] = 1 + dice_below(&s->dice, dice_below(&s->dice, 10) == 0 ? 90000000 : 40000);
        uint64_t invoice =
            dice_below(&s->dice, 8) == 0 ? 1 + dice_below(&s->dice, (uint32_t)s->next_invoice) : s->next_invoice;
        assert_int_equal(desk_redeem(s->d, &s->p[dice_below(&s->dice, PEOPLE)], invoice, amounts, rows), SQ_OK);
        s->next_invoice += rows;
        s->d->now_ms += dice_below(&s->dice, 5000);
    }
}

struct book { /* a history and its questions, of one node */
    struct sq_history *history;
    struct sq_query *query;
};

static inline void open_book(const struct story *s, uint32_t node, uint32_t run_rows, int write, struct book *b)
{
    struct sq_error err = {0};
    uint64_t left = 1;
    int writes = 0;
    assert_int_equal(sq_history_open(s->d->rig->node[node].ledger, s->d->ledger[node], run_rows, &b->history, &err),
                     SQ_OK);
    if (write)
        assert_int_equal(sq_history_write(b->history, &writes, &err), SQ_OK);
    assert_int_equal(writes, write);
    while (left != 0)
        if (sq_history_follow(b->history, 7, &left, &err) != SQ_OK)
            fail_msg("%s", err.text);
    assert_int_equal(sq_history_settle(b->history, &err), SQ_OK);
    assert_int_equal(sq_history_seq(b->history), sq_ledger_seq(s->d->ledger[node]));
    if (sq_query_new(b->history, s->d->ledger[node], &b->query, &err) != SQ_OK)
        fail_msg("%s", err.text);
}

static inline void close_book(struct book *b)
{
    sq_query_free(b->query);
    sq_history_close(b->history);
}

struct list {
    struct sq_item item[20000];
    uint32_t count;
};

static inline sq_status collect(void *ctx, const struct sq_item *item, struct sq_error *err)
{
    struct list *l = ctx;
    (void)err;
    assert_true(l->count < sizeof l->item / sizeof l->item[0]);
    l->item[l->count++] = *item;
    return SQ_OK;
}

static inline void scan(const struct book *b, const struct sq_filter *f, struct list *l)
{
    struct sq_error err = {0};
    l->count = 0;
    if (sq_query_scan(b->query, f, collect, l, &err) != SQ_OK)
        fail_msg("%s", err.text);
}

#endif
