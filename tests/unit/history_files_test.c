/* What a history keeps in files: runs are made, kept, checked, dropped and built again, and whoever reads meanwhile sees one thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/readers.h"

static unsigned run_files(const char *ledger)
{
    char path[400];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/history", ledger);
    DIR *d = opendir(path);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += strstr(e->d_name, ".run") != NULL;
    if (d != NULL)
        closedir(d);
    return n;
}

static void runs_are_kept_checked_dropped_and_built_again(void **state)
{
    struct story *s = *state;
    struct book first, second;
    struct sq_error err = {0};
    const char *ledger = s->d->rig->node[0].ledger;
    int writes = 1;
    trade(s, 60);
    open_book(s, 0, 40, 1, &first);
    unsigned kept = run_files(ledger);
    assert_true(kept > 2);
    assert_int_equal(sq_history_check(first.history, &err), SQ_OK);

    assert_int_equal(sq_history_open(ledger, s->d->ledger[0], 40, &second.history, &err), SQ_OK);
    assert_int_equal(sq_history_run_count(second.history), kept); /* from the files */
    assert_int_equal(sq_history_write(second.history, &writes, &err), SQ_OK);
    assert_int_equal(writes, 0); /* one writer */
    assert_int_equal(sq_history_drop(ledger, &err), SQ_E_LOCKED);
    sq_history_close(second.history);
    close_book(&first);

    trade(s, 60);
    open_book(s, 0, 40, 1, &first);
    assert_true(run_files(ledger) > kept);
    assert_int_equal(sq_history_check(first.history, &err), SQ_OK);
    close_book(&first);

    assert_int_equal(sq_history_drop(ledger, &err), SQ_OK);
    assert_int_equal(run_files(ledger), 0);
    open_book(s, 0, 40, 0, &first);
    assert_int_equal(run_files(ledger), 0);
    assert_int_equal(sq_history_check(first.history, &err), SQ_OK);
    close_book(&first);
}

static void a_tail_that_became_a_run_is_not_seen_twice(void **state)
{
    struct story *s = *state;
    struct book b;
    struct list *l = malloc(sizeof *l);
    const struct sq_filter everything = {.life = 1};
    struct sq_error err = {0};
    uint64_t left = 1;
    trade(s, 10);
    open_book(s, 0, 60, 0, &b); /* the last rows are a tail, and settled */
    for (unsigned turn = 0; turn < 12; turn++) {
        trade(s, 3);
        for (left = 1; left != 0;)
            assert_int_equal(sq_history_follow(b.history, 1, &left, &err), SQ_OK);
        assert_int_equal(sq_query_refresh(b.query, b.history, &err), SQ_OK); /* and nobody settles */
        scan(&b, &everything, l);
        for (uint32_t i = 1; i < l->count; i++)
            assert_true(l->item[i].seq > l->item[i - 1].seq || l->item[i].row > l->item[i - 1].row);
    }
    close_book(&b);
    free(l);
}

static void a_run_is_made_when_it_is_asked_for_and_is_the_same(void **state)
{
    struct story *s = *state;
    struct book followed;
    struct sq_history *taken;
    uint64_t left = 1;
    unsigned made = 0;
    trade(s, 60);
    open_book(s, 0, 40, 0, &followed);
    assert_int_equal(sq_history_open(s->d->rig->node[0].ledger, s->d->ledger[0], 40, &taken, NULL), SQ_OK);
    while (left != 0) {
        assert_int_equal(sq_history_take(taken, 7, &left, NULL), SQ_OK);
        assert_int_equal(sq_history_run_count(taken), made); /* none by itself */
        if (!sq_history_due(taken))
            continue;
        uint64_t waits = left;
        assert_int_equal(sq_history_take(taken, 7, &left, NULL), SQ_OK); /* nothing goes into a run that is due */
        assert_int_equal(left, waits);
        assert_int_equal(sq_history_finish(taken, NULL), SQ_OK);
        assert_false(sq_history_due(taken));
        made++;
    }
    assert_int_equal(sq_history_finish(taken, NULL), SQ_OK); /* none is due */
    assert_int_equal(sq_history_settle(taken, NULL), SQ_OK);
    assert_int_equal(sq_history_run_count(taken), sq_history_run_count(followed.history));
    for (unsigned i = 0; i < sq_history_run_count(taken); i++) {
        const struct sq_run *a = sq_history_run(taken, i), *b = sq_history_run(followed.history, i);
        assert_int_equal(a->size, b->size);
        assert_memory_equal(a->image, b->image, a->size);
    }
    sq_history_close(taken);
    close_book(&followed);
}

static uint32_t count_all(const struct book *b)
{
    static struct list l;
    scan(b, &(struct sq_filter){.life = 1}, &l);
    return l.count;
}

static void a_view_stays_as_it_is_while_the_history_goes_on(void **state)
{
    struct story *s = *state;
    struct book b, v = {0};
    struct sq_history *view, *next;
    trade(s, 20);
    open_book(s, 0, 60, 0, &b);
    assert_int_equal(sq_history_view(b.history, &view, NULL), SQ_OK);
    assert_non_null(view);
    assert_int_equal(sq_history_view(b.history, &next, NULL), SQ_OK);
    assert_null(next); /* nothing has changed */
    assert_int_equal(sq_query_new(view, s->d->ledger[0], &v.query, NULL), SQ_OK);
    uint32_t before = count_all(&v);
    uint64_t seq = sq_history_seq(view), left = 1;
    trade(s, 60); /* its tail becomes part of a run, and there is another tail */
    while (left != 0)
        assert_int_equal(sq_history_follow(b.history, 7, &left, NULL), SQ_OK);
    assert_int_equal(sq_history_settle(b.history, NULL), SQ_OK);
    assert_true(sq_history_run_count(b.history) > sq_history_run_count(view));
    assert_int_equal(count_all(&v), before);
    assert_int_equal(sq_history_seq(view), seq);

    assert_int_equal(sq_history_view(b.history, &next, NULL), SQ_OK);
    assert_non_null(next);
    assert_int_equal(sq_query_refresh(v.query, next, NULL), SQ_OK);
    sq_history_close(view);
    assert_int_equal(sq_history_seq(next), sq_ledger_seq(s->d->ledger[0]));
    assert_int_equal(sq_query_refresh(b.query, b.history, NULL), SQ_OK);
    assert_true(count_all(&v) > before);
    assert_int_equal(count_all(&v), count_all(&b));
    sq_query_free(v.query);
    sq_query_free(b.query);
    sq_history_close(next);
    sq_history_close(b.history);
}

static void a_damaged_run_is_found_out(void **state)
{
    struct story *s = *state;
    struct book b;
    struct sq_error err = {0};
    char path[400];
    trade(s, 60);
    open_book(s, 0, 40, 1, &b);
    close_book(&b);
    snprintf(path, sizeof path, "%s/history/%016x.run", s->d->rig->node[0].ledger, 1);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 700, SEEK_SET), 0); /* in an entry */
    int byte = fgetc(f);
    assert_int_equal(fseek(f, 700, SEEK_SET), 0);
    fputc(byte ^ 1, f);
    fclose(f);
    open_book(s, 0, 40, 0, &b);
    assert_false(sq_run_intact(sq_history_run(b.history, 0)));
    assert_int_equal(sq_history_check(b.history, &err), SQ_E_VERIFY);
    assert_non_null(strstr(err.text, "entries 1 to"));
    close_book(&b);
    assert_int_equal(truncate(path, 600), 0);
    open_book(s, 0, 40, 1, &b); /* passed over, and written again */
    assert_int_equal(sq_history_check(b.history, &err), SQ_OK);
    assert_true(run_files(s->d->rig->node[0].ledger) > 1);
    close_book(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_are_kept_checked_dropped_and_built_again, begin, end),
        cmocka_unit_test_setup_teardown(a_tail_that_became_a_run_is_not_seen_twice, begin, end),
        cmocka_unit_test_setup_teardown(a_run_is_made_when_it_is_asked_for_and_is_the_same, begin, end),
        cmocka_unit_test_setup_teardown(a_view_stays_as_it_is_while_the_history_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_run_is_found_out, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
