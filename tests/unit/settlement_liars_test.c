/* Windows among nodes of which fewer than a third say whatever they like. The liars are spoken for by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/trading.h"

#define SH               0u
#define SD               1u /* proposes in round 0 of window 1 */
#define GD               2u
#define CQ               3u /* lies, where there are four */
#define STATEMENT        SANQUAN__V1__MESSAGE_TYPE__STATEMENT
#define COUNTERSTATEMENT SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT
#define PROPOSAL         SANQUAN__V1__MESSAGE_TYPE__PROPOSAL
#define VOTE             SANQUAN__V1__MESSAGE_TYPE__VOTE
#define PREVOTE          1u /* as votes say it on the wire */
#define PRECOMMIT        2u

static const char *name_of(const struct trading *t, uint32_t node)
{
    const struct sq_core *core = t->w->core[SH];
    return sq_core_party(core, sq_core_node(core, node)->party)->name;
}

/* ---- what liars say ---- */

struct row {
    uint32_t peer;
    int64_t fen; /* of the debtor's kind */
};

/* A statement (as debtor) or counterstatement with these rows; everything but the sums as `from` really has it. */
static void say_rows(struct trading *t, uint32_t from, uint32_t to, uint32_t type, const struct row *rows, size_t count)
{
    Sanquan__V1__StatementRow row[WORLD_NODES_MAX], *list[WORLD_NODES_MAX];
    struct sq_link_view link[WORLD_NODES_MAX];
    char code[WORLD_NODES_MAX][8];
    for (size_t i = 0; i < count; i++) {
        uint32_t debtor = type == STATEMENT ? from : rows[i].peer, creditor = type == STATEMENT ? rows[i].peer : from;
        sq_settlement_link(trading_side(t, from), debtor, creditor, &link[i]);
        strcpy(code[i], sq_core_node(t->w->core[SH], rows[i].peer)->code);
        list[i] = &row[i];
        sanquan__v1__statement_row__init(&row[i]);
        row[i].peer = code[i];
        row[i].first = link[i].settled_number + 1;
        row[i].last = link[i].last.number != 0 ? link[i].last.number : 1; /* what never was counts as one */
        row[i].hash = (ProtobufCBinaryData){SQ_HASH_SIZE, link[i].last.hash};
        row[i].count = row[i].last;
        memset(link[i].last.total_fen, 0, sizeof link[i].last.total_fen);
        link[i].last.total_fen[trading_kind(debtor) - 1] = rows[i].fen;
        row[i].total_fen = link[i].last.total_fen;
        row[i].n_total_fen = SQ_KIND_COUNT;
    }
    if (type == STATEMENT) {
        Sanquan__V1__Statement m;
        sanquan__v1__statement__init(&m);
        m.window = 1;
        m.rows = list;
        m.n_rows = count;
        world_say(t->w, to, name_of(t, from), type, &m.base);
    } else {
        Sanquan__V1__Counterstatement m;
        sanquan__v1__counterstatement__init(&m);
        m.window = 1;
        m.rows = list;
        m.n_rows = count;
        world_say(t->w, to, name_of(t, from), type, &m.base);
    }
    assert_int_equal(t->w->peer_status, SQ_OK);
}

static void say_vote(struct trading *t, uint32_t from, uint32_t to, uint32_t round, uint32_t step, const uint8_t *value)
{
    uint8_t copy[SQ_HASH_SIZE];
    Sanquan__V1__Vote m;
    sanquan__v1__vote__init(&m);
    m.window = 1;
    m.round = round;
    m.step = step;
    if (value != NULL) {
        memcpy(copy, value, SQ_HASH_SIZE);
        m.value = (ProtobufCBinaryData){SQ_HASH_SIZE, copy};
    }
    world_say(t->w, to, name_of(t, from), VOTE, &m.base);
    assert_int_equal(t->w->peer_status, SQ_OK);
}

/* A proposal of a settlement that nobody can make; `fresh` makes it another one. */
struct nonsense {
    Sanquan__V1__Settlement value;
    Sanquan__V1__Proposal m;
    uint8_t pairs[(WORLD_NODES_MAX * WORLD_NODES_MAX + 7) / 8], hash[SQ_HASH_SIZE];
    ProtobufCBinaryData part;
};

static const ProtobufCMessage *nonsense(struct nonsense *n, uint32_t nodes, uint32_t round, uint32_t fresh)
{
    memset(n, 0, sizeof *n);
    sanquan__v1__settlement__init(&n->value);
    sanquan__v1__proposal__init(&n->m);
    sq_put_be32(n->hash, fresh);
    n->value.window = 1;
    n->value.method = SQ_NET_HUB;
    n->part = (ProtobufCBinaryData){SQ_HASH_SIZE, n->hash};
    n->m.window = 1;
    n->m.round = round;
    n->m.value = &n->value;
    n->m.pairs = (ProtobufCBinaryData){(nodes * nodes + 7) / 8, n->pairs};
    n->m.size = 100;
    n->m.parts = &n->part;
    n->m.n_parts = 1;
    return &n->m.base;
}

static void say_nonsense(struct trading *t, uint32_t from, uint32_t to, uint32_t round, uint32_t fresh)
{
    struct nonsense n;
    world_say(t->w, to, name_of(t, from), PROPOSAL, nonsense(&n, t->w->node_count, round, fresh));
    assert_int_equal(t->w->peer_status, SQ_OK);
}

/* What `from` proposes to `to` and is still on its way: its hash. */
static void proposed(const struct trading *t, uint32_t from, uint32_t to, uint8_t hash[SQ_HASH_SIZE])
{
    const struct world_message *m = trading_message(t, from, to, PROPOSAL);
    assert_non_null(m);
    Sanquan__V1__Proposal *p = sanquan__v1__proposal__unpack(NULL, m->size, m->body);
    static const char tag[] = "sanquan/settlement/v1";
    uint8_t size[8];
    sq_put_be64(size, p->size);
    assert_int_equal(p->n_parts, 1);
    const struct sq_sha256_part in[] = {{tag, sizeof tag}, {size, sizeof size}, {p->parts[0].data, p->parts[0].len}};
    sq_sha256_parts(in, 3, hash);
    sanquan__v1__proposal__free_unpacked(p, NULL);
}

static int counterstated(const struct trading *t, uint32_t node)
{
    return trading_message(t, node, CQ, COUNTERSTATEMENT) != NULL;
}

/* ---- stories ---- */

static int begin(void **state)
{
    struct trading *t = trading_new(4, SQ_NET_HUB);
    trading_redeem(t, GD, SH, 30);
    trading_redeem(t, SH, CQ, 100); /* the liar owes Shanghai */
    world_run(t->w);
    t->w->down = 1u << CQ;
    *state = t;
    return 0;
}

static int end(void **state)
{
    trading_free(*state);
    return 0;
}

static void a_debtor_that_states_another_sum_rolls_that_pair_over_and_nothing_else(void **state)
{
    struct trading *t = *state;
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, STATEMENT, &(struct row){SH, 99}, 1);
    world_run(t->w);
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, COUNTERSTATEMENT, NULL, 0);
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, SH, 1);
    assert_true(s->n_pairs == 1 && trading_pair(t, s, SH, GD)->total_fen[0] == 30);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    struct sq_link_view owed;
    sq_settlement_link(trading_side(t, SH), CQ, SH, &owed);
    assert_true(owed.settled_number == 0 && owed.last.total_fen[0] == 100);
}

static void a_debtor_that_states_one_sum_here_and_another_there_is_left_out_and_the_others_settle(void **state)
{
    struct trading *t = *state;
    t->w->down = 0;
    trading_redeem(t, GD, CQ, 50);
    world_run(t->w);
    t->w->down = 1u << CQ;
    /* What it owes whom it speaks to is right: each proposes a pair that another finds wrong. */
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, STATEMENT, (struct row[]){{SH, to == GD ? 99 : 100}, {GD, to == GD ? 50 : 49}}, 2);
    world_run(t->w);
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, COUNTERSTATEMENT, NULL, 0);
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, SH, 1);
    assert_true(s->n_pairs == 1 && trading_pair(t, s, SH, GD)->total_fen[0] == 30);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    assert_true(trading_window(t, SH, 1).round <= 3); /* not by waiting until nothing else is proposed any more */
    for (uint32_t node = 0; node < 3; node++) {
        struct sq_double_statement seen[2];
        assert_int_equal(sq_settlement_double_statements(trading_side(t, node), seen, 2), 1);
        assert_true(seen[0].window == 1 && seen[0].node == CQ && seen[0].counter == 0 &&
                    seen[0].entry[0] < seen[0].entry[1] && seen[0].entry[0] != 0);
        assert_memory_not_equal(seen[0].hash[0], seen[0].hash[1], SQ_HASH_SIZE);
    }
}

static void a_creditor_that_says_two_things_is_left_out_too(void **state)
{
    struct trading *t = *state;
    t->w->down = 0;
    trading_redeem(t, CQ, SD, 70); /* Shandong owes the liar */
    world_run(t->w);
    t->w->down = 1u << CQ;
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, STATEMENT, NULL, 0);
    world_run(t->w);
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, COUNTERSTATEMENT, &(struct row){SD, to == SH ? 71 : 70}, 1);
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, SH, 1);
    assert_true(s->n_pairs == 1 && trading_pair(t, s, SH, GD)->total_fen[0] == 30);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    struct sq_double_statement seen;
    assert_int_equal(sq_settlement_double_statements(trading_side(t, GD), &seen, 1), 1);
    assert_true(seen.node == CQ && seen.counter == 1);
}

/* Nobody lies: what is missing at one comes from the others, and its pairs settle. */
static void what_a_node_has_stated_to_some_only_is_shown_to_the_rest(void **state)
{
    struct trading *t = *state;
    for (uint32_t to = SH; to <= SD; to++)
        say_rows(t, CQ, to, STATEMENT, &(struct row){SH, 100}, 1);
    world_run(t->w);
    for (uint32_t to = SH; to <= SD; to++)
        say_rows(t, CQ, to, COUNTERSTATEMENT, NULL, 0);
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, GD, 1);
    assert_int_equal(s->n_pairs, 2);
    assert_true(trading_pair(t, s, CQ, SH)->total_fen[0] == 100);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    assert_true(trading_window(t, GD, 1).round <= 3);
    assert_int_equal(sq_settlement_double_statements(trading_side(t, GD), NULL, 0), 0);
}

/* The liar brings a statement of Shandong's, other than what Shandong has said. */
static void bring_statement(struct trading *t, int good)
{
    Sanquan__V1__Statement stated;
    Sanquan__V1__Relay m;
    ProtobufCBinaryData letter;
    uint8_t body[64];
    sanquan__v1__statement__init(&stated);
    sanquan__v1__relay__init(&m);
    stated.window = 1;
    size_t size = sanquan__v1__statement__pack(&stated, body);
    letter.data =
        world_envelope(name_of(t, SD), "node:500000", 9, STATEMENT, sq_bytes_of(body, size), good, &letter.len);
    m.window = 1;
    m.statements = &letter;
    m.n_statements = 1;
    world_say(t->w, SH, name_of(t, CQ), SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base);
    assert_int_equal(t->w->peer_status, SQ_OK);
    free(letter.data);
}

static void nobody_is_made_a_liar_by_what_it_has_not_signed(void **state)
{
    struct trading *t = *state;
    assert_int_equal(trading_cut(t, SD, 1), SQ_OK);
    while (trading_message(t, SD, SH, STATEMENT) != NULL)
        assert_int_equal(world_deliver(t->w, SD, SH), 1);
    bring_statement(t, 0);
    assert_int_equal(sq_settlement_double_statements(trading_side(t, SH), NULL, 0), 0);
    bring_statement(t, 1);
    bring_statement(t, 1);
    assert_int_equal(sq_settlement_double_statements(trading_side(t, SH), NULL, 0), 1);
    assert_non_null(trading_message(t, SH, GD, SANQUAN__V1__MESSAGE_TYPE__RELAY)); /* all are told, once */
}

static void what_a_node_claims_to_have_heard_must_have_the_shape_of_it(void **state)
{
    struct trading *t = *state;
    uint8_t heard[64 * 4 + 1] = {1};
    assert_int_equal(trading_cut(t, SD, 1), SQ_OK);
    world_run(t->w);
    for (size_t size = 1; size <= sizeof heard; size += 64) {
        Sanquan__V1__Relay m;
        sanquan__v1__relay__init(&m);
        m.window = 1;
        m.heard = (ProtobufCBinaryData){size, heard};
        world_say(t->w, SH, name_of(t, CQ), SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base);
        assert_int_equal(t->w->peer_status, SQ_R_COLUMNS);
    }
    assert_null(trading_message(t, SH, CQ, SANQUAN__V1__MESSAGE_TYPE__RELAY));
}

static void windows_stated_while_another_is_decided_are_all_cut_in_their_turn(void **state)
{
    struct trading *t = *state;
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    for (uint64_t window = 2; window <= 3; window++) { /* one that is far ahead */
        Sanquan__V1__Statement m;
        sanquan__v1__statement__init(&m);
        m.window = window;
        world_say(t->w, SH, name_of(t, CQ), STATEMENT, &m.base);
        assert_int_equal(t->w->peer_status, SQ_OK);
    }
    for (uint64_t window = 1; window <= 3; window++)
        trading_finish(t, window);
    trading_agree(t, 3);
}

static void a_node_counts_once_however_often_it_states(void **state)
{
    struct trading *t = *state;
    assert_int_equal(trading_cut(t, SH, 1), SQ_OK);
    for (int i = 0; i < 3; i++)
        say_rows(t, CQ, SH, STATEMENT, NULL, 0);
    assert_false(counterstated(t, SH)); /* two honest statements are still on their way */
    while (trading_message(t, SH, SD, STATEMENT) != NULL)
        assert_int_equal(world_deliver(t->w, SH, SD), 1);
    while (trading_message(t, SD, SH, STATEMENT) != NULL)
        assert_int_equal(world_deliver(t->w, SD, SH), 1);
    assert_false(counterstated(t, SH));
    while (trading_message(t, SH, GD, STATEMENT) != NULL)
        assert_int_equal(world_deliver(t->w, SH, GD), 1);
    while (trading_message(t, GD, SH, STATEMENT) != NULL)
        assert_int_equal(world_deliver(t->w, GD, SH), 1);
    assert_true(counterstated(t, SH));
    for (int i = 0; i < 3; i++)
        say_rows(t, CQ, SH, COUNTERSTATEMENT, NULL, 0);
    assert_int_equal(trading_window(t, SH, 1).state, SQ_WINDOW_CUT); /* counterstatements of two are missing */
}

static void a_node_that_was_told_another_sum_accepts_what_two_thirds_have_certified(void **state)
{
    struct trading *t = *state;
    uint8_t hash[SQ_HASH_SIZE];
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, STATEMENT, &(struct row){SH, to == GD ? 101 : 100}, 1);
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, COUNTERSTATEMENT, NULL, 0);
    world_run(t->w);
    assert_int_equal(trading_window(t, SH, 1).state, SQ_WINDOW_PROPOSED);
    proposed(t, SD, CQ, hash);
    for (uint32_t to = 0; to < 3; to++)
        say_vote(t, CQ, to, 0, PREVOTE, hash);
    world_run(t->w);
    for (uint32_t to = 0; to < 3; to++)
        say_vote(t, CQ, to, 0, PRECOMMIT, hash);
    world_run(t->w);
    trading_finish(t, 1); /* Guangdong asks for it; the liar, whom it asks first, says nothing */
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, GD, 1);
    assert_true(trading_pair(t, s, CQ, SH)->total_fen[0] == 100);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    struct sq_link_view owed;
    sq_settlement_link(trading_side(t, SH), CQ, SH, &owed);
    assert_true(owed.settled_number == 1 && owed.last.count == 0);
}

static void a_proposer_that_shouts_cannot_drown_what_is_being_decided(void **state)
{
    struct trading *t = *state;
    uint32_t fresh = 0;
    for (uint32_t to = 0; to < 3; to++) {
        say_rows(t, CQ, to, STATEMENT, &(struct row){SH, 100}, 1);
        say_rows(t, CQ, to, COUNTERSTATEMENT, NULL, 0);
    }
    /* Before the honest proposal comes, and again after it: in every round that will be its own. */
    for (uint32_t round = 2; round < 200; round += 4)
        say_nonsense(t, CQ, SH, round, fresh++);
    while (trading_message(t, SD, SH, PROPOSAL) == NULL)
        for (uint32_t from = 0; from < 3; from++)
            for (uint32_t to = 0; to < 3; to++)
                if (trading_message(t, SD, SH, PROPOSAL) == NULL)
                    (void)world_deliver(t->w, from, to);
    while (trading_message(t, SD, SH, PROPOSAL) != NULL)
        assert_int_equal(world_deliver(t->w, SD, SH), 1);
    for (uint32_t round = 202; round < 400; round += 4)
        say_nonsense(t, CQ, SH, round, fresh++);
    trading_finish(t, 1);
    trading_agree(t, 1);
    assert_int_equal(trading_window(t, SH, 1).round, 0); /* the first proposal was good enough */
}

static void both_of_two_votes_are_kept_as_evidence_and_shown(void **state)
{
    struct trading *t = *state;
    struct sq_double_vote seen[4];
    const uint8_t one[SQ_HASH_SIZE] = {1}, two[SQ_HASH_SIZE] = {2}, nil[SQ_HASH_SIZE] = {0};
    assert_int_equal(sq_settlement_double_votes(trading_side(t, SH), seen, 4), 0);
    say_vote(t, CQ, SH, 0, PREVOTE, one);
    say_vote(t, CQ, SH, 0, PREVOTE, one);
    assert_int_equal(sq_settlement_double_votes(trading_side(t, SH), seen, 4), 0);
    say_vote(t, CQ, SH, 0, PREVOTE, two);
    say_vote(t, CQ, SH, 0, PREVOTE, NULL);
    say_vote(t, CQ, SH, 3, PRECOMMIT, NULL);
    say_vote(t, CQ, SH, 3, PRECOMMIT, two);
    say_nonsense(t, CQ, SH, 2, 1);
    say_nonsense(t, CQ, SH, 2, 2);
    assert_int_equal(sq_settlement_double_votes(trading_side(t, SH), NULL, 0), 3);
    assert_int_equal(sq_settlement_double_votes(trading_side(t, SH), seen, 4), 3);
    assert_true(seen[0].window == 1 && seen[0].node == CQ && seen[0].round == 0 && seen[0].step == 2);
    assert_memory_equal(seen[0].first, one, SQ_HASH_SIZE);
    assert_memory_equal(seen[0].second, two, SQ_HASH_SIZE);
    assert_true(seen[1].round == 3 && seen[1].step == 3);
    assert_memory_equal(seen[1].first, nil, SQ_HASH_SIZE);
    assert_true(seen[2].round == 2 && seen[2].step == 1);
    assert_memory_not_equal(seen[2].first, seen[2].second, SQ_HASH_SIZE);
    assert_int_equal(sq_settlement_double_votes(trading_side(t, SD), seen, 4), 0);
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, STATEMENT, NULL, 0);
    trading_finish(t, 1); /* and they stop nothing */
    assert_int_equal(sq_settlement_double_votes(trading_side(t, SH), seen, 4), 3);
}

static void rows_that_are_not_well_formed_are_refused_whole(void **state)
{
    struct trading *t = *state;
    static char sh[] = "310000", sd[] = "370000", cq[] = "500000", nowhere[] = "990000";
    uint8_t hash[SQ_HASH_SIZE] = {0};
    int64_t totals[SQ_KIND_COUNT + 1] = {0};
    for (unsigned fault = 0; fault < 9; fault++) {
        Sanquan__V1__StatementRow row[2], *list[2] = {&row[0], &row[1]};
        Sanquan__V1__Statement m;
        sanquan__v1__statement__init(&m);
        for (size_t i = 0; i < 2; i++) {
            sanquan__v1__statement_row__init(&row[i]);
            row[i].peer = i == 0 ? sh : sd;
            row[i].first = 1;
            row[i].hash = (ProtobufCBinaryData){SQ_HASH_SIZE, hash};
            row[i].total_fen = totals;
            row[i].n_total_fen = SQ_KIND_COUNT;
        }
        row[1].peer = fault == 0 ? nowhere : fault == 1 ? cq : fault == 2 ? sh : sd;
        list[0] = fault == 3 ? &row[1] : &row[0], list[1] = fault == 3 ? &row[0] : &row[1];
        row[1].hash.len -= fault == 4;
        row[1].n_total_fen = fault == 5 ? SQ_KIND_COUNT - 1 : fault == 6 ? SQ_KIND_COUNT + 1 : SQ_KIND_COUNT;
        row[1].first = fault == 7 ? 0 : fault == 8 ? 9 : 1;
        row[1].last = fault == 8 ? 7 : 0;
        m.window = 1;
        m.rows = list;
        m.n_rows = 2;
        world_say(t->w, SD, name_of(t, CQ), STATEMENT, &m.base);
        assert_int_equal(t->w->peer_status, SQ_R_COLUMNS);
        assert_int_equal(trading_window(t, SD, 1).state, SQ_WINDOW_OPEN);
    }
    for (uint32_t to = 0; to < 3; to++)
        say_rows(t, CQ, to, STATEMENT, &(struct row){SH, 100}, 1); /* none of them counted as its statement */
    trading_finish(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, SD, 1);
    assert_non_null(trading_pair(t, s, CQ, SH));
    sanquan__v1__settlement__free_unpacked(s, NULL);
}

static void two_liars_who_owe_each_other_everything_stop_nobody(void **state)
{
    (void)state; /* the fixture has one liar too few */
    struct trading *t = trading_new(7, SQ_NET_HUB);
    trading_redeem(t, GD, SH, 30);
    world_run(t->w);
    t->w->down = 1u << 5 | 1u << 6;
    for (uint32_t to = 0; to < 5; to++) {
        say_rows(t, 5, to, STATEMENT, &(struct row){6, INT64_MAX}, 1);
        say_rows(t, 6, to, STATEMENT, &(struct row){5, INT64_MIN}, 1);
        say_rows(t, 5, to, COUNTERSTATEMENT, &(struct row){6, INT64_MIN}, 1);
        say_rows(t, 6, to, COUNTERSTATEMENT, &(struct row){5, INT64_MAX}, 1);
    }
    trading_finish(t, 1);
    trading_agree(t, 1);
    Sanquan__V1__Settlement *s = trading_settlement(t, SH, 1);
    assert_true(s->n_pairs == 1 && trading_pair(t, s, SH, GD)->total_fen[0] == 30);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    trading_free(t);
}

/* ---- what was said to one alone ---- */

static void wait_for_vote(struct trading *t, uint32_t from, uint32_t step, uint32_t rounds)
{
    for (int i = 0;; i++) {
        uint32_t votes = 0;
        for (const struct world_message *m = t->w->first[from][CQ]; m != NULL; m = m->next) {
            Sanquan__V1__Vote *v = m->type == VOTE ? sanquan__v1__vote__unpack(NULL, m->size, m->body) : NULL;
            votes += v != NULL && v->step == step;
            if (v != NULL)
                sanquan__v1__vote__free_unpacked(v, NULL);
        }
        if (votes >= rounds)
            return;
        assert_true(i < 300);
        t->w->now_ms += 200;
        world_run(t->w);
    }
}

/*
 * The liar owes Shanghai 100, and says so to Shanghai and Shandong only. Shandong proposes that; Guangdong, which does not hear Shandong in
 * time, prevotes nil. The liar has not voted yet.
 */
static void propose_to_two(struct trading *t, uint8_t value[SQ_HASH_SIZE])
{
    for (uint32_t to = SH; to <= SD; to++) {
        say_rows(t, CQ, to, STATEMENT, &(struct row){SH, 100}, 1);
        say_rows(t, CQ, to, COUNTERSTATEMENT, NULL, 0);
    }
    t->w->deaf[GD] = 1u << SD;
    wait_for_vote(t, GD, PREVOTE, 1);
    wait_for_vote(t, SH, PREVOTE, 1);
    proposed(t, SD, GD, value);
}

static void a_certificate_that_one_node_alone_could_see_comes_to_all(void **state)
{
    struct trading *t = *state;
    uint8_t value[SQ_HASH_SIZE];
    propose_to_two(t, value);
    for (uint32_t to = SH; to <= GD; to++)
        say_vote(t, CQ, to, 0, PREVOTE, to == GD ? NULL : value);
    wait_for_vote(t, GD, PRECOMMIT, 1);
    wait_for_vote(t, SD, PRECOMMIT, 1);
    for (uint32_t to = SH; to <= GD; to++)
        say_vote(t, CQ, to, 0, PRECOMMIT, to == SH ? value : NULL); /* and is seen no more */
    world_run(t->w);
    assert_int_equal(trading_window(t, SH, 1).state, SQ_WINDOW_FINAL);
    assert_true(trading_window(t, SD, 1).state < SQ_WINDOW_FINAL && trading_window(t, GD, 1).state < SQ_WINDOW_FINAL);
    t->w->deaf[GD] = 0;
    trading_finish(t, 1);
    trading_agree(t, 1);
}

static void prevotes_that_one_node_alone_could_see_free_the_others(void **state)
{
    struct trading *t = *state;
    uint8_t value[SQ_HASH_SIZE];
    propose_to_two(t, value);
    for (uint32_t to = SH; to <= GD; to++)
        say_vote(t, CQ, to, 0, PREVOTE,
                 to == SH ? value : NULL); /* Shanghai is locked now, the others know nothing of it */
    wait_for_vote(t, GD, PRECOMMIT, 1);
    wait_for_vote(t, SD, PRECOMMIT, 1);
    t->w->deaf[GD] = 0;
    trading_finish(t, 1);
    trading_agree(t, 1);
    assert_memory_equal(trading_window(t, GD, 1).value_hash, value, SQ_HASH_SIZE);
}

static void a_node_that_was_proposed_something_else_asks_for_what_is_certified(void **state)
{
    struct trading *t = *state;
    uint8_t value[SQ_HASH_SIZE];
    struct nonsense other;
    propose_to_two(t, value);
    trading_forge(trading_message(t, SD, GD, PROPOSAL), nonsense(&other, 4, 0, 1));
    for (uint32_t step = PREVOTE; step <= PRECOMMIT; step++)
        for (uint32_t to = SH; to <= SD; to++) {
            say_vote(t, CQ, to, 0, step, value);
            world_run(t->w);
        }
    assert_true(trading_window(t, SH, 1).state == SQ_WINDOW_FINAL && trading_window(t, SD, 1).state == SQ_WINDOW_FINAL);
    t->w->deaf[GD] = 0;
    trading_finish(t, 1);
    trading_agree(t, 1);
    assert_memory_equal(trading_window(t, GD, 1).value_hash, value, SQ_HASH_SIZE);
}

/* The liar brings precommits of two others: `good` says whether they are signed. */
static void bring_precommits(struct trading *t, const uint8_t value[SQ_HASH_SIZE], int good)
{
    uint8_t copy[SQ_HASH_SIZE], body[64];
    ProtobufCBinaryData letters[2];
    Sanquan__V1__Vote vote;
    Sanquan__V1__Relay m;
    memcpy(copy, value, SQ_HASH_SIZE);
    sanquan__v1__vote__init(&vote);
    sanquan__v1__relay__init(&m);
    vote.window = 1;
    vote.step = PRECOMMIT;
    vote.value = (ProtobufCBinaryData){SQ_HASH_SIZE, copy};
    size_t size = sanquan__v1__vote__pack(&vote, body);
    for (uint32_t i = 0; i < 2; i++)
        letters[i].data = world_envelope(name_of(t, i == 0 ? GD : CQ), "node:510000", 9, VOTE, sq_bytes_of(body, size),
                                         good, &letters[i].len);
    m.window = 1;
    m.votes = letters;
    m.n_votes = 2;
    world_say(t->w, SH, name_of(t, CQ), SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base);
    assert_int_equal(t->w->peer_status, SQ_OK);
    free(letters[0].data);
    free(letters[1].data);
}

static void what_is_told_on_counts_only_with_its_signer_s_signature(void **state)
{
    struct trading *t = *state;
    uint8_t value[SQ_HASH_SIZE];
    propose_to_two(t, value);
    say_vote(t, CQ, SH, 0, PREVOTE, value); /* Shanghai precommits; with two more it is a certificate */
    bring_precommits(t, value, 0);
    assert_true(trading_window(t, SH, 1).state < SQ_WINDOW_FINAL);
    bring_precommits(t, value, 1);
    assert_int_equal(trading_window(t, SH, 1).state, SQ_WINDOW_FINAL);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(a_debtor_that_states_another_sum_rolls_that_pair_over_and_nothing_else),
        STORY(a_debtor_that_states_one_sum_here_and_another_there_is_left_out_and_the_others_settle),
        STORY(a_creditor_that_says_two_things_is_left_out_too),
        STORY(what_a_node_has_stated_to_some_only_is_shown_to_the_rest),
        STORY(nobody_is_made_a_liar_by_what_it_has_not_signed),
        STORY(what_a_node_claims_to_have_heard_must_have_the_shape_of_it),
        STORY(windows_stated_while_another_is_decided_are_all_cut_in_their_turn),
        STORY(a_node_counts_once_however_often_it_states),
        STORY(a_node_that_was_told_another_sum_accepts_what_two_thirds_have_certified),
        STORY(a_proposer_that_shouts_cannot_drown_what_is_being_decided),
        STORY(both_of_two_votes_are_kept_as_evidence_and_shown),
        STORY(rows_that_are_not_well_formed_are_refused_whole),
        STORY(a_certificate_that_one_node_alone_could_see_comes_to_all),
        STORY(prevotes_that_one_node_alone_could_see_free_the_others),
        STORY(a_node_that_was_proposed_something_else_asks_for_what_is_certified),
        STORY(what_is_told_on_counts_only_with_its_signer_s_signature),
        cmocka_unit_test(two_liars_who_owe_each_other_everything_stop_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
