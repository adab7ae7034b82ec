/* A link whose two sides state different things: where they part, who sees what, and what people can do about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/core/state.h"
#include "clearing/settlement/internal.h"
#include "tests/support/debts.h"

/* Nobody signs here, and nobody tells on. */
static const struct sq_post unsigned_post = {.whole = {NULL, 0}};

#define SH       0u
#define SD       1u
#define GD       2u
#define DEBTOR   0
#define CREDITOR 1

static int begin(void **state)
{
    *state = debts_new(4, SQ_NET_HUB);
    return 0;
}

static int end(void **state)
{
    debts_free(*state);
    return 0;
}

static struct sq_settlement *at(const struct debts *d, uint32_t node)
{
    return d->w->core[node]->settlement;
}

/* ---- the hook: one side remembers something else ---- */

static struct sq_link_entry *entry(struct sq_link *l, uint64_t number)
{
    return SQ_ROW(&l->entries, struct sq_link_entry, (uint32_t)(number - l->first));
}

/* As if the creditor had booked `more` fen under this number: every later hash differs too. */
static void corrupt(struct sq_link *l, uint64_t number, int64_t more)
{
    entry(l, number)->total_fen += more;
    for (uint64_t n = number; n <= l->now.number; n++)
        entry(l, n)->hash[0] ^= 0xff;
    l->now.hash[0] ^= 0xff;
    l->now.total_fen[0] += more;
}

static void owe_many(struct debts *d, uint32_t debtor, uint32_t creditor, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(debts_owe(d, debtor, creditor, 100 + i), SQ_OK);
}

static const struct sq_break *only_break(const struct debts *d, uint32_t node)
{
    assert_int_equal(sq_settlement_break_count(at(d, node)), 1);
    return sq_settlement_break(at(d, node), 0);
}

static int is_in_window(const struct debts *d, uint64_t window, const char *debtor, const char *creditor)
{
    Sanquan__V1__Settlement *v = debts_value(d, GD, window);
    int found = 0;
    assert_non_null(v);
    for (size_t i = 0; i < v->n_pairs; i++)
        found |= strcmp(v->pairs[i]->debtor, debtor) == 0 && strcmp(v->pairs[i]->creditor, creditor) == 0;
    sanquan__v1__settlement__free_unpacked(v, NULL);
    return found;
}

static unsigned act(struct debts *d, uint32_t node, const char *person, uint32_t action, const char *note)
{
    char name[48], text[256], debtor[] = "310000", creditor[] = "370000";
    Sanquan__V1__Break m;
    sanquan__v1__break__init(&m);
    snprintf(text, sizeof text, "%s", note);
    snprintf(name, sizeof name, "operator:%s/%s", sq_core_node(d->w->core[node], node)->code, person);
    m.debtor = debtor;
    m.creditor = creditor;
    m.action = action;
    m.note = text;
    return world_say(d->w, node, name, SANQUAN__V1__MESSAGE_TYPE__BREAK, &m.base);
}

/* ---- stories ---- */

static void both_sides_name_the_first_number_that_differs_and_show_both_entries(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 12);
    assert_int_equal(debts_owe(d, GD, SH, 77), SQ_OK);
    corrupt(&at(d, SD)->owed[SH], 5, 1);
    debts_cut(d, SD);
    for (uint32_t node = SH; node <= SD; node++) {
        const struct sq_break *b = only_break(d, node);
        assert_true(b->debtor == SH && b->creditor == SD && b->state == SQ_BREAK_FOUND && b->cause == SQ_BREAK_ENTRY);
        assert_int_equal(b->number, 5);
        assert_int_equal(b->entry[DEBTOR].total_fen[0], 104);
        assert_int_equal(b->entry[CREDITOR].total_fen[0], 105);
        assert_true(b->entry[DEBTOR].batch != 0 && b->entry[DEBTOR].batch == b->entry[CREDITOR].batch);
        assert_int_equal(b->stated[CREDITOR].total_fen[0] - b->stated[DEBTOR].total_fen[0], 1);
        assert_int_equal(b->opened_ms, d->w->now_ms);
        assert_int_equal(b->outcome, SQ_BREAK_OPEN);
    }
    assert_int_equal(sq_settlement_break_count(at(d, GD)), 0); /* it is no business of others */
    assert_false(is_in_window(d, 1, "310000", "370000"));
    assert_true(is_in_window(d, 1, "440000", "310000")); /* and holds nobody else up */
}

static void an_entry_that_one_side_does_not_have_is_shown_as_missing(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 3);
    at(d, SD)->owed[SH].now.hash[7] ^= 1; /* the next step does not continue this: refused as broken */
    debts_owe(d, SH, SD, 900);
    debts_owe(d, SH, SD, 901);
    at(d, SD)->owed[SH].now.hash[7] ^= 1;
    debts_cut(d, SD);
    for (uint32_t node = SH; node <= SD; node++) {
        const struct sq_break *b = only_break(d, node);
        assert_int_equal(b->number, 4);
        assert_true(b->entry[DEBTOR].present && b->entry[DEBTOR].total_fen[0] == 900);
        assert_false(b->entry[CREDITOR].present);
    }
}

static void sums_that_differ_over_the_same_numbers_are_told_from_numbers_that_differ(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 3);
    at(d, SD)->owed[SH].now.total_fen[0] -= 1;
    debts_cut(d, SD);
    for (uint32_t node = SH; node <= SD; node++) {
        const struct sq_break *b = only_break(d, node);
        assert_true(b->state == SQ_BREAK_FOUND && b->cause == SQ_BREAK_SUMS && b->number == 0);
    }
}

static void a_break_is_one_however_many_windows_it_lasts_and_ends_matched_when_the_link_settles(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 2);
    corrupt(&at(d, SD)->owed[SH], 2, 3);
    debts_cut(d, SD);
    d->w->now_ms += 86400000u;
    debts_cut(d, GD);
    for (uint32_t node = SH; node <= SD; node++) {
        const struct sq_break *b = only_break(d, node);
        assert_true(b->window == 1 && b->last_window == 2 && b->state == SQ_BREAK_FOUND);
        assert_int_equal(d->w->now_ms - b->opened_ms, 86400000u);
    }
    corrupt(&at(d, SD)->owed[SH], 2, -3); /* and now it says the same */
    debts_cut(d, SH);
    assert_true(is_in_window(d, 3, "310000", "370000"));
    for (uint32_t node = SH; node <= SD; node++) {
        const struct sq_break *b = only_break(d, node);
        assert_true(b->state == SQ_BREAK_CLOSED && b->outcome == SQ_BREAK_MATCHED && b->closed_ms == d->w->now_ms);
    }
    assert_int_equal(at(d, SH)->owes[SD].entries.count, 0); /* what is settled is not kept */
    assert_int_equal(at(d, SD)->owed[SH].entries.count, 0);
}

static void explaining_needs_an_owner_and_a_reason_and_settles_nothing(void **state)
{
    struct debts *d = *state;
    assert_int_equal(act(d, SD, "li", SQ_BREAK_TAKE, ""), SQ_R_BREAK_STATE); /* there is none */
    owe_many(d, SH, SD, 2);
    corrupt(&at(d, SD)->owed[SH], 1, 3);
    debts_cut(d, SD);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_EXPLAIN, "a row typed twice"), SQ_R_NOT_PERMITTED);
    assert_int_equal(act(d, SD, "li", 5, "x"), SQ_R_BREAK_STATE);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_TAKE, ""), SQ_OK);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_EXPLAIN, ""), SQ_R_NOTE);
    assert_int_equal(only_break(d, SD)->outcome, SQ_BREAK_OPEN);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_EXPLAIN, "a row typed twice"), SQ_OK);
    const struct sq_break *b = only_break(d, SD);
    assert_true(b->outcome == SQ_BREAK_EXPLAINED && b->state == SQ_BREAK_FOUND);
    assert_string_equal(b->note, "a row typed twice");
    assert_string_equal(sq_core_party(d->w->core[SD], b->owner)->name, "operator:370000/li");
    debts_cut(d, SD);
    assert_false(is_in_window(d, 2, "310000", "370000"));
    assert_int_equal(only_break(d, SD)->state, SQ_BREAK_FOUND);
}

static void two_people_of_the_creditor_take_the_debtors_next_statement_and_it_settles(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 4);
    corrupt(&at(d, SD)->owed[SH], 3, 50);
    debts_cut(d, SD);
    assert_int_equal(act(d, SH, "li", SQ_BREAK_TAKE, ""), SQ_OK);
    assert_int_equal(act(d, SH, "li", SQ_BREAK_ADOPT, "we are right"), SQ_R_BREAK_STATE); /* the debtor cannot say so */
    assert_int_equal(act(d, SD, "zhang", SQ_BREAK_AGREE, ""), SQ_R_BREAK_STATE);          /* to what? */
    assert_int_equal(act(d, SD, "li", SQ_BREAK_TAKE, ""), SQ_OK);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_ADOPT, ""), SQ_R_NOTE);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_ADOPT, "50 fen booked twice"), SQ_OK);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_AGREE, ""), SQ_R_SAME_PERSON);
    assert_int_equal(only_break(d, SD)->outcome, SQ_BREAK_OPEN);
    debts_cut(d, SD);
    assert_false(is_in_window(d, 2, "310000", "370000")); /* one person is not enough */
    assert_int_equal(act(d, SD, "zhang", SQ_BREAK_AGREE, ""), SQ_OK);
    assert_int_equal(only_break(d, SD)->outcome, SQ_BREAK_ADJUSTED);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_EXPLAIN, "never mind"), SQ_R_BREAK_STATE);
    debts_cut(d, SH);
    assert_true(is_in_window(d, 3, "310000", "370000"));
    const struct sq_break *b = only_break(d, SD);
    assert_true(b->state == SQ_BREAK_CLOSED && b->outcome == SQ_BREAK_ADJUSTED);
    assert_string_equal(b->note, "50 fen booked twice");
    owe_many(d, SH, SD, 2); /* the stream goes on */
    debts_cut(d, SH);
    assert_true(is_in_window(d, 4, "310000", "370000"));
}

static void a_stuck_stream_goes_on_after_its_statement_was_taken(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 2);
    at(d, SD)->owed[SH].now.hash[0] ^= 1; /* as a fault of memory would leave it */
    debts_owe(d, SH, SD, 500);
    assert_int_equal(d->w->peer_status, SQ_R_LINK_BROKEN);
    debts_cut(d, SD);
    assert_int_equal(only_break(d, SD)->number, 3);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_TAKE, ""), SQ_OK);
    assert_int_equal(act(d, SD, "li", SQ_BREAK_ADOPT, "memory fault"), SQ_OK);
    assert_int_equal(act(d, SD, "zhang", SQ_BREAK_AGREE, ""), SQ_OK);
    debts_cut(d, SD);
    assert_true(is_in_window(d, 2, "310000", "370000"));
    assert_int_equal(debts_owe(d, SH, SD, 600), SQ_OK);
    struct sq_link_view owes, owed;
    sq_settlement_link(at(d, SH), SH, SD, &owes);
    sq_settlement_link(at(d, SD), SH, SD, &owed);
    assert_int_equal(owes.last.number, 4);
    assert_memory_equal(&owes, &owed, sizeof owes);
}

/* ---- the search ---- */

struct long_link {
    struct sq_settlement *side[2];
    struct sq_arena arena;
    uint64_t peer_next[3];
    struct sq_out out[16];
    unsigned asks;
};

static void say(struct long_link *l, uint32_t from, const struct sq_effects *fx)
{
    for (size_t i = 0; i < fx->out_count; i++) {
        const struct sq_out *out = &fx->out[i];
        if (out->to > 1)
            continue;
        uint8_t *copy = malloc(out->body.size);
        struct sq_out room[16];
        struct sq_effects next = {
            .arena = &l->arena, .peer_next = l->peer_next, .node_count = 3, .self = out->to, .out = room};
        struct sq_error err = {0};
        memcpy(copy, out->body.data, out->body.size);
        l->asks += out->type == SANQUAN__V1__MESSAGE_TYPE__LINK_ASK;
        assert_int_equal(sq_settlement_message(l->side[out->to], &unsigned_post, from, out->type,
                                               sq_bytes_of(copy, out->body.size), 2000, &next, &err),
                         SQ_OK);
        free(copy);
        say(l, out->to, &next);
    }
}

static void a_million_numbers_are_searched_with_four_questions(void **state)
{
    (void)state;
    static const char codes[3][7] = {"310000", "370000", "440000"};
    enum { NUMBERS = 1000000, WRONG = 716253 };
    struct long_link l = {.peer_next = {1, 1, 1}};
    struct sq_error err = {0};
    const uint8_t result[SQ_HASH_SIZE] = {4};
    assert_int_equal(sq_arena_init(&l.arena, 1u << 22, &err), SQ_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct sq_settlement_setup setup = {codes, 3, i, SQ_NET_HUB, 1000};
        assert_int_equal(sq_settlement_new(&setup, 1000, &l.side[i], &err), SQ_OK);
    }
    for (unsigned n = 1; n <= NUMBERS; n++) {
        struct sq_link_step step = {.count = 1, .total_fen = {n, n % 3 == 0 ? 5 : 0}};
        assert_int_equal(sq_settlement_owe(l.side[0], 1, n, result, &step, &err), SQ_OK);
        assert_int_equal(sq_settlement_owed(l.side[1], 0, n, result, &step, &err), SQ_OK);
    }
    corrupt(&l.side[1]->owed[0], WRONG, 0);
    struct sq_out room[16];
    struct sq_effects fx = {.arena = &l.arena, .peer_next = l.peer_next, .node_count = 3, .self = 0, .out = room};
    assert_int_equal(sq_settlement_cut(l.side[0], 1, 0, 2000, &fx, &err), SQ_OK);
    say(&l, 0, &fx);
    struct sq_settlement_due due = sq_settlement_next(l.side[1]);
    fx = (struct sq_effects){.arena = &l.arena, .peer_next = l.peer_next, .node_count = 3, .self = 1, .out = room};
    assert_int_equal(sq_settlement_tick(l.side[1], &due, due.at_ms, &fx, &err), SQ_OK); /* the third node is silent */
    say(&l, 1, &fx);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(sq_settlement_break_count(l.side[i]), 1);
        const struct sq_break *b = sq_settlement_break(l.side[i], 0);
        assert_int_equal(b->number, WRONG);
        assert_int_equal(b->entry[0].batch, WRONG);
        assert_int_equal(b->entry[0].total_fen[1], WRONG % 3 == 0 ? 5 : 0);
    }
    assert_int_equal(l.asks, 4);
    sq_settlement_free(l.side[0]);
    sq_settlement_free(l.side[1]);
    sq_arena_free(&l.arena);
}

static void entries_of_settled_numbers_go_and_the_others_keep_their_totals(void **state)
{
    (void)state;
    static const char codes[2][7] = {"310000", "370000"};
    struct sq_settlement_setup setup = {codes, 2, 0, SQ_NET_HUB, 1000};
    struct sq_settlement *s;
    struct sq_error err = {0};
    const uint8_t result[SQ_HASH_SIZE] = {4};
    assert_int_equal(sq_settlement_new(&setup, 1000, &s, &err), SQ_OK);
    for (int64_t n = 1; n <= 20; n++) {
        struct sq_link_step step = {.count = (uint64_t)n,
                                    .total_fen = {n, n % 2 == 0 ? 100 + n : 0, 0, n % 5 == 0 ? -n : 0}};
        assert_int_equal(sq_settlement_owe(s, 1, 7, result, &step, &err), SQ_OK);
    }
    s->owes[1].settled.number = 11;
    sq_link_trim(&s->owes[1]);
    assert_false(sq_link_at(&s->owes[1], 11).present);
    assert_false(sq_link_at(&s->owes[1], 21).present);
    assert_int_equal(s->owes[1].mixed.count, 6); /* 12, 14, 15, 16, 18 and 20 are of several kinds */
    for (int64_t n = 12; n <= 20; n++) {
        struct sq_break_side side = sq_link_at(&s->owes[1], (uint64_t)n);
        assert_true(side.present && side.count == (uint64_t)n);
        assert_int_equal(side.total_fen[0], n);
        assert_int_equal(side.total_fen[1], n % 2 == 0 ? 100 + n : 0);
        assert_int_equal(side.total_fen[3], n % 5 == 0 ? -n : 0);
    }
    sq_settlement_free(s);
}

/* ---- what peers may say ---- */

static void wrong_questions_and_answers_are_refused_and_unasked_ones_change_nothing(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 3);
    corrupt(&at(d, SD)->owed[SH], 2, 3);
    debts_cut(d, SD);
    struct sq_break before = *only_break(d, SD);
    uint64_t many[65];
    for (uint64_t i = 0; i < 65; i++)
        many[i] = i + 1;
    Sanquan__V1__LinkAsk ask;
    sanquan__v1__link_ask__init(&ask);
    ask.window = 1;
    ask.numbers = many;
    ask.n_numbers = 65;
    world_say(d->w, SH, "node:370000", SANQUAN__V1__MESSAGE_TYPE__LINK_ASK, &ask.base);
    assert_int_equal(d->w->peer_status, SQ_R_COLUMNS);
    ask.n_numbers = 2;
    many[1] = 1;
    world_say(d->w, SH, "node:370000", SANQUAN__V1__MESSAGE_TYPE__LINK_ASK, &ask.base);
    assert_int_equal(d->w->peer_status, SQ_R_ORDER);
    Sanquan__V1__LinkTell tell;
    Sanquan__V1__LinkEntry e, *list[1] = {&e};
    int64_t totals[SQ_KIND_COUNT] = {1};
    uint8_t hash[SQ_LINK_HASH_PREFIX] = {1};
    sanquan__v1__link_tell__init(&tell);
    sanquan__v1__link_entry__init(&e);
    tell.window = 1;
    tell.entries = list;
    tell.n_entries = 1;
    e.number = 2;
    e.hash = (ProtobufCBinaryData){sizeof hash - 1, hash};
    e.total_fen = totals;
    e.n_total_fen = SQ_KIND_COUNT;
    world_say(d->w, SD, "node:310000", SANQUAN__V1__MESSAGE_TYPE__LINK_TELL, &tell.base);
    assert_int_equal(d->w->peer_status, SQ_R_COLUMNS);
    e.hash.len = sizeof hash;
    world_say(d->w, SD, "node:310000", SANQUAN__V1__MESSAGE_TYPE__LINK_TELL, &tell.base);
    assert_int_equal(d->w->peer_status, SQ_OK);
    tell.found = 1;
    world_say(d->w, SD, "node:310000", SANQUAN__V1__MESSAGE_TYPE__LINK_TELL, &tell.base);
    assert_int_equal(d->w->peer_status, SQ_OK);
    assert_memory_equal(only_break(d, SD), &before, sizeof before);
}

static void a_core_with_a_break_is_read_back_from_its_dump(void **state)
{
    struct debts *d = *state;
    owe_many(d, SH, SD, 3);
    corrupt(&at(d, SD)->owed[SH], 2, 3);
    debts_cut(d, SD);
    owe_many(d, GD, SD, 2);
    struct sq_dump first = {0}, second = {0};
    struct sq_core *copy;
    struct sq_error err = {0};
    sq_core_dump(d->w->core[SD], &first);
    sq_core_dump_done(d->w->core[SD]);
    assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
    assert_int_equal(sq_core_undump(copy, sq_bytes_of(first.bytes, first.size), &err), SQ_OK);
    sq_core_dump(copy, &second);
    sq_core_dump_done(copy);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.bytes, second.bytes, first.size);
    sq_core_free(d->w->core[SD]);
    d->w->core[SD] = copy;
    assert_int_equal(only_break(d, SD)->number, 2);
    assert_int_equal(debts_owe(d, SH, GD, 5), SQ_OK);
    corrupt(&at(d, SD)->owed[SH], 2, -3);
    debts_cut(d, GD);
    assert_int_equal(only_break(d, SD)->outcome, SQ_BREAK_MATCHED);
    sq_dump_free(&first);
    sq_dump_free(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(both_sides_name_the_first_number_that_differs_and_show_both_entries),
        STORY(an_entry_that_one_side_does_not_have_is_shown_as_missing),
        STORY(sums_that_differ_over_the_same_numbers_are_told_from_numbers_that_differ),
        STORY(a_break_is_one_however_many_windows_it_lasts_and_ends_matched_when_the_link_settles),
        STORY(explaining_needs_an_owner_and_a_reason_and_settles_nothing),
        STORY(two_people_of_the_creditor_take_the_debtors_next_statement_and_it_settles),
        STORY(a_stuck_stream_goes_on_after_its_statement_was_taken),
        cmocka_unit_test(a_million_numbers_are_searched_with_four_questions),
        cmocka_unit_test(entries_of_settled_numbers_go_and_the_others_keep_their_totals),
        STORY(wrong_questions_and_answers_are_refused_and_unasked_ones_change_nothing),
        STORY(a_core_with_a_break_is_read_back_from_its_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
