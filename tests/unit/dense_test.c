/*
 * 333 nodes that all owe each other in three kinds: every message of the window goes into a frame, also when one node was not told
 * everything and needs the settlement that the others have made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/common/books.h"
#include "ops/history/run.h"
#include "proto/sanquan.pb-c.h"
#include "tests/support/dense.h"
#include "tests/support/world.h"

#define NODES     333u
#define QUORUM    223u /* of 333 */
#define UNTOLD    0u   /* was not told what SILENT states */
#define PROPOSER  1u   /* of window 1 in round 0 */
#define VOTER     2u
#define SILENT    5u
#define BODY_MAX  (SQ_MESSAGE_SIZE_MAX - 512u)
#define PREVOTE   1u
#define PRECOMMIT 2u

static const struct sq_post unsigned_post = {.whole = {NULL, 0}};

static struct sq_effects hear(struct dense *d, struct sq_settlement *s, uint32_t self, uint32_t from, uint32_t type,
                              const ProtobufCMessage *m)
{
    struct sq_error err = {0};
    struct sq_effects fx = dense_effects(d, self);
    struct dense_bytes b = {malloc(BODY_MAX), protobuf_c_message_get_packed_size(m)};
    assert_true(b.data != NULL && b.size <= BODY_MAX);
    protobuf_c_message_pack(m, b.data);
    dense_must(
        sq_settlement_message(s, &unsigned_post, from, type, sq_bytes_of(b.data, b.size), DENSE_NOW_MS + 2, &fx, &err),
        &err);
    free(b.data);
    return fx;
}

static struct sq_effects hear_vote(struct dense *d, struct sq_settlement *s, uint32_t self, uint32_t from,
                                   uint32_t step, const uint8_t *value)
{
    uint8_t copy[SQ_HASH_SIZE];
    Sanquan__V1__Vote m;
    memcpy(copy, value, SQ_HASH_SIZE);
    sanquan__v1__vote__init(&m);
    m.window = DENSE_WINDOW;
    m.step = step;
    m.value = (ProtobufCBinaryData){SQ_HASH_SIZE, copy};
    return hear(d, s, self, from, SANQUAN__V1__MESSAGE_TYPE__VOTE, &m.base);
}

/* Both votes of every node that is not played here, and is needed for a quorum with the three that are. */
static void hear_votes(struct dense *d, struct sq_settlement *s, uint32_t self, uint32_t step, const uint8_t *value)
{
    for (uint32_t from = 1; from <= QUORUM; from++)
        if (from != self)
            (void)hear_vote(d, s, self, from, step, value);
}

static void value_of_vote(const struct sq_effects *fx, uint8_t out[static SQ_HASH_SIZE])
{
    sq_bytes body = dense_sent(fx, SANQUAN__V1__MESSAGE_TYPE__VOTE);
    Sanquan__V1__Vote *v = sanquan__v1__vote__unpack(NULL, body.size, body.data);
    assert_true(v != NULL && v->value.len == SQ_HASH_SIZE);
    memcpy(out, v->value.data, SQ_HASH_SIZE);
    sanquan__v1__vote__free_unpacked(v, NULL);
}

/* The agreement begins without the one that is silent, and nothing that this node can make is proposed. */
static struct sq_settlement *untold(struct dense *d, const struct dense_bytes *proposal)
{
    struct sq_error err = {0};
    struct sq_settlement *s = dense_books(d, UNTOLD);
    struct sq_effects fx = dense_effects(d, UNTOLD);
    dense_must(sq_settlement_cut(s, DENSE_WINDOW, 0, DENSE_NOW_MS, &fx, &err), &err);
    for (int counter = 0; counter < 2; counter++)
        for (uint32_t from = 1; from < d->n; from++)
            if (from != SILENT)
                dense_must(dense_hear(d, s, UNTOLD, from, counter, &fx, &err), &err);
    fx = dense_effects(d, UNTOLD);
    dense_must(sq_settlement_message(s, &unsigned_post, PROPOSER, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL,
                                     sq_bytes_of(proposal->data, proposal->size), DENSE_NOW_MS + 2, &fx, &err),
               &err);
    for (int i = 0; i < 3; i++) { /* statements are late, counterstatements are late, the proposal is not to be made */
        struct sq_settlement_due due = sq_settlement_next(s);
        fx = dense_effects(d, UNTOLD);
        dense_must(sq_settlement_tick(s, &due, due.at_ms, &fx, &err), &err);
    }
    sq_bytes body = dense_sent(&fx, SANQUAN__V1__MESSAGE_TYPE__VOTE);
    Sanquan__V1__Vote *v = sanquan__v1__vote__unpack(NULL, body.size, body.data);
    assert_true(v->step == PREVOTE && v->value.len == 0);
    sanquan__v1__vote__free_unpacked(v, NULL);
    return s;
}

/* What the node asks `of` is answered, until it asks no more; returns how many parts came, the first of them also damaged. */
static unsigned fetch(struct dense *d, struct sq_settlement *s, struct sq_settlement *other, struct sq_effects fx)
{
    unsigned parts = 0;
    while (fx.out_count == 1 && fx.out[0].type == SANQUAN__V1__MESSAGE_TYPE__RELAY) {
        assert_int_equal(fx.out[0].to, PROPOSER);
        struct dense_bytes ask = dense_keep(fx.out[0].body);
        Sanquan__V1__Relay *m = sanquan__v1__relay__unpack(NULL, ask.size, ask.data);
        fx = hear(d, other, PROPOSER, UNTOLD, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m->base);
        sanquan__v1__relay__free_unpacked(m, NULL);
        free(ask.data);
        sq_bytes body = dense_sent(&fx, SANQUAN__V1__MESSAGE_TYPE__RELAY);
        assert_true(body.size <= BODY_MAX);
        m = sanquan__v1__relay__unpack(NULL, body.size, body.data);
        assert_int_equal(m->found->part, parts);
        if (parts++ == 0) {
            m->found->data.data[0] ^= 1;
            fx = hear(d, s, UNTOLD, VOTER, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m->base);
            assert_int_equal(fx.out_count, 0);
            m->found->data.data[0] ^= 1;
        }
        fx = hear(d, s, UNTOLD, PROPOSER, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m->base);
        sanquan__v1__relay__free_unpacked(m, NULL);
    }
    return parts;
}

static void is_final_with(struct sq_settlement *s, const uint8_t *value, struct sq_window_view *w)
{
    assert_int_equal(sq_settlement_window(s, DENSE_WINDOW, w, NULL), SQ_OK);
    assert_int_equal(w->state, SQ_WINDOW_FINAL);
    assert_memory_equal(w->value_hash, value, SQ_HASH_SIZE);
    uint8_t hash[SQ_HASH_SIZE];
    sq_settlement_hash(w->value, hash);
    assert_memory_equal(hash, value, SQ_HASH_SIZE);
}

static void every_message_of_a_dense_window_of_333_nodes_goes_into_a_frame(void **state)
{
    struct dense *d = *state;
    struct sq_error err = {0};
    struct sq_settlement *proposer = dense_books(d, PROPOSER), *voter = dense_books(d, VOTER);
    struct sq_effects fx;
    uint8_t value[SQ_HASH_SIZE];
    for (uint32_t i = 0; i < d->n; i++)
        assert_true(d->statement[i].size <= BODY_MAX && d->counter[i].size <= BODY_MAX);
    dense_close_books(d, proposer, PROPOSER);
    dense_close_books(d, voter, VOTER);
    dense_must(dense_hear(d, voter, VOTER, d->n - 1, 1, &fx, &err), &err);
    dense_must(dense_hear(d, proposer, PROPOSER, d->n - 1, 1, &fx, &err), &err);
    struct dense_bytes proposal = dense_keep(dense_sent(&fx, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL));
    assert_true(proposal.size <= BODY_MAX);
    fx = dense_effects(d, VOTER);
    dense_must(sq_settlement_message(voter, &unsigned_post, PROPOSER, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL,
                                     sq_bytes_of(proposal.data, proposal.size), DENSE_NOW_MS + 2, &fx, &err),
               &err);
    value_of_vote(&fx, value); /* it has made the same bytes */
    struct sq_settlement *third = untold(d, &proposal);
    for (uint32_t from = 1; from < QUORUM; from++)
        assert_int_equal(hear_vote(d, third, UNTOLD, from, PREVOTE, value).out_count, 0);
    unsigned parts = fetch(d, third, proposer, hear_vote(d, third, UNTOLD, QUORUM, PREVOTE, value));
    struct sq_settlement *all[] = {proposer, voter, third};
    static const uint32_t self[] = {PROPOSER, VOTER, UNTOLD};
    struct sq_window_view w[3];
    for (size_t i = 0; i < 3; i++) {
        if (self[i] != UNTOLD)
            hear_votes(d, all[i], self[i], PREVOTE, value);
        hear_votes(d, all[i], self[i], PRECOMMIT, value);
        is_final_with(all[i], value, &w[i]);
        assert_int_equal(w[i].value.size, w[0].value.size);
        assert_memory_equal(w[i].value.data, w[0].value.data, w[0].value.size);
    }
    assert_true(w[0].value.size > 8u * SQ_MESSAGE_SIZE_MAX); /* what would have gone into no frame */
    assert_int_equal(parts, (w[0].value.size + 524287) / 524288);
    Sanquan__V1__Settlement *s = sq_settlement_open(w[0].value);
    assert_int_equal(s->n_pairs, NODES * (NODES - 1));
    sanquan__v1__settlement__free_unpacked(s, NULL);
    free(proposal.data);
    for (size_t i = 0; i < 3; i++)
        sq_settlement_free(all[i]);
}

/* A node that has seen a certificate asks every part of a voter that says nothing again of the next. */
static void a_voter_that_is_silent_is_passed_over(void **state)
{
    struct dense *d = *state;
    struct sq_error err = {0};
    uint8_t value[SQ_HASH_SIZE] = {7};
    struct sq_settlement *s = dense_books(d, UNTOLD);
    dense_close_books(d, s, UNTOLD);
    struct sq_effects fx;
    dense_must(dense_hear(d, s, UNTOLD, d->n - 1, 1, &fx, &err), &err);
    for (uint32_t from = 1; from < QUORUM; from++)
        (void)hear_vote(d, s, UNTOLD, from, PRECOMMIT, value);
    fx = hear_vote(d, s, UNTOLD, QUORUM, PRECOMMIT, value);
    assert_true(fx.out_count == 1 && fx.out[0].to == 1);
    for (uint32_t next = 2; next < 5; next++) {
        struct sq_settlement_due due = sq_settlement_next(s);
        while (due.reason != 6) { /* the agreement's own time goes on */
            fx = dense_effects(d, UNTOLD);
            dense_must(sq_settlement_tick(s, &due, due.at_ms, &fx, &err), &err);
            due = sq_settlement_next(s);
        }
        fx = dense_effects(d, UNTOLD);
        dense_must(sq_settlement_tick(s, &due, due.at_ms, &fx, &err), &err);
        assert_true(fx.out_count == 1 && fx.out[0].to == next && fx.out[0].type == SANQUAN__V1__MESSAGE_TYPE__RELAY);
    }
    sq_settlement_free(s);
}

/* ---- a whole node among them ---- */

struct node { /* number UNTOLD, whom nobody owes anything that it knows of */
    struct dense *d;
    struct sq_core *core;
    struct sq_arena arena;
    struct sq_effects fx; /* of the newest step */
    uint64_t *said;       /* [node]: messages of its stream so far */
    struct sq_books *books;
    struct sq_run_builder *history;
    uint64_t seq, now_ms;
    size_t longest; /* outcome */
};

static int anything_is_signed(const struct sq_envelope *e, const uint8_t network_id[static 32],
                              const uint8_t key[static 32])
{
    return e->signature.size != 0 && network_id != NULL && key != NULL;
}

static void step(struct node *n, uint32_t type, const struct sq_envelope *e, sq_bytes body)
{
    struct sq_error err = {0};
    struct sq_event event = {n->now_ms, type, e, body};
    sq_arena_reset(&n->arena);
    dense_must(sq_core_step(n->core, &event, &n->arena, &n->fx, &err), &err);
    if (!n->fx.append)
        return;
    struct sq_entry entry = {.seq = ++n->seq,
                             .now_ms = n->now_ms,
                             .type = type,
                             .input = e != NULL ? e->whole : body,
                             .outcome = n->fx.outcome};
    n->longest = n->fx.outcome.size > n->longest ? n->fx.outcome.size : n->longest;
    dense_must(sq_run_builder_add(n->history, &entry, &err), &err);
    dense_must(sq_books_enter(n->books, n->core, &entry, e, &n->fx, &err), &err);
}

static void node_hears(struct node *n, uint32_t from, uint32_t type, sq_bytes body)
{
    struct sq_envelope e;
    struct sq_error err = {0};
    char sender[32], receiver[32];
    size_t size;
    snprintf(sender, sizeof sender, "node:%s", n->d->codes[from]);
    snprintf(receiver, sizeof receiver, "node:%s", n->d->codes[UNTOLD]);
    uint8_t *whole = world_envelope(sender, receiver, ++n->said[from], type, body, 1, &size);
    assert_true(size <= SQ_MESSAGE_SIZE_MAX);
    dense_must(sq_envelope_open(sq_bytes_of(whole, size), &e, &err), &err);
    step(n, type, &e, e.body);
    free(whole);
}

static void genesis(struct node *n)
{
    static uint8_t key[32] = {1}, id[32] = {7};
    Sanquan__V1__Genesis g;
    Sanquan__V1__Node *node = calloc(NODES, sizeof *node), **nodes = calloc(NODES, sizeof *nodes);
    char **issuers = calloc(NODES, sizeof *issuers);
    sanquan__v1__genesis__init(&g);
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i] = &node[i];
        issuers[i] = n->d->codes[i];
        sanquan__v1__node__init(nodes[i]);
        nodes[i]->code = n->d->codes[i];
        nodes[i]->node_key = nodes[i]->log_key = nodes[i]->transport_key = (ProtobufCBinaryData){32, key};
        nodes[i]->issuers = &issuers[i];
        nodes[i]->n_issuers = 1;
    }
    g.network_id = (ProtobufCBinaryData){32, id};
    g.self = n->d->codes[UNTOLD];
    g.nodes = nodes;
    g.n_nodes = NODES;
    g.netting_method = SQ_NET_HUB;
    g.round_timeout_ms = 60000;
    size_t size = sanquan__v1__genesis__get_packed_size(&g);
    uint8_t *body = malloc(size);
    sanquan__v1__genesis__pack(&g, body);
    step(n, SANQUAN__V1__MESSAGE_TYPE__GENESIS, NULL, sq_bytes_of(body, size));
    free(body);
    free(issuers);
    free(nodes);
    free(node);
}

static void node_hears_votes(struct node *n, uint32_t step_on_wire, uint8_t value[static SQ_HASH_SIZE])
{
    uint8_t body[128];
    Sanquan__V1__Vote m;
    sanquan__v1__vote__init(&m);
    m.window = DENSE_WINDOW;
    m.step = step_on_wire;
    m.value = (ProtobufCBinaryData){SQ_HASH_SIZE, value};
    size_t size = sanquan__v1__vote__pack(&m, body);
    for (uint32_t from = 1; from <= QUORUM; from++)
        node_hears(n, from, SANQUAN__V1__MESSAGE_TYPE__VOTE, sq_bytes_of(body, size));
}

/* All statements and counterstatements of the others; the proposer hears what this node says to that, and proposes. */
static struct dense_bytes play_to_the_proposal(struct node *n)
{
    struct dense *d = n->d;
    struct sq_settlement *proposer = dense_books(d, PROPOSER);
    struct sq_error err = {0};
    struct sq_effects fx = dense_effects(d, PROPOSER);
    dense_must(sq_settlement_cut(proposer, DENSE_WINDOW, 0, DENSE_NOW_MS, &fx, &err), &err);
    for (uint32_t counter = 0; counter < 2; counter++)
        for (uint32_t from = 1; from < d->n; from++) {
            const struct dense_bytes *b = counter ? &d->counter[from] : &d->statement[from];
            uint32_t type =
                counter ? SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT : SANQUAN__V1__MESSAGE_TYPE__STATEMENT;
            node_hears(n, from, type, sq_bytes_of(b->data, b->size));
            if (from != PROPOSER)
                dense_must(dense_hear(d, proposer, PROPOSER, from, (int)counter, &fx, &err), &err);
            for (size_t i = 0; i < n->fx.out_count; i++) {
                const struct sq_out *out = &n->fx.out[i];
                if (out->to != PROPOSER || (out->type != SANQUAN__V1__MESSAGE_TYPE__STATEMENT &&
                                            out->type != SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT))
                    continue;
                fx = dense_effects(d, PROPOSER);
                dense_must(sq_settlement_message(proposer, &unsigned_post, UNTOLD, out->type, out->body,
                                                 DENSE_NOW_MS + 1, &fx, &err),
                           &err);
            }
        }
    struct dense_bytes proposal = dense_keep(dense_sent(&fx, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL));
    sq_settlement_free(proposer);
    return proposal;
}

static void a_node_journals_and_shows_a_settlement_longer_than_any_message(void **state)
{
    struct node n = {.d = *state, .now_ms = DENSE_NOW_MS, .said = calloc(NODES, sizeof(uint64_t))};
    struct sq_error err = {0};
    dense_must(sq_core_new(&n.core, &err), &err);
    sq_core_set_signature_check(n.core, anything_is_signed);
    dense_must(sq_arena_init(&n.arena, SQ_STEP_ARENA_SIZE, &err), &err);
    dense_must(sq_books_new(NULL, &n.books, &err), &err);
    dense_must(sq_run_builder_new(NULL, NULL, &n.history, &err), &err);
    genesis(&n);
    struct dense_bytes proposal = play_to_the_proposal(&n);
    node_hears(&n, PROPOSER, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL, sq_bytes_of(proposal.data, proposal.size));
    uint8_t value[SQ_HASH_SIZE];
    value_of_vote(&n.fx, value);
    node_hears_votes(&n, PREVOTE, value);
    node_hears_votes(&n, PRECOMMIT, value);
    struct sq_window_view w;
    assert_int_equal(sq_settlement_window(sq_core_settlement(n.core), DENSE_WINDOW, &w, NULL), SQ_OK);
    assert_int_equal(w.state, SQ_WINDOW_FINAL);
    assert_memory_equal(w.value_hash, value, SQ_HASH_SIZE);
    assert_true(n.longest > w.value.size && w.value.size > 8u * SQ_MESSAGE_SIZE_MAX && n.longest < SQ_ENTRY_SIZE_MAX);
    struct sq_books_sums sums; /* the second books have worked it out again */
    sq_books_sums(n.books, &sums);
    assert_int_equal(sums.settlements, 1);
    uint8_t *image;
    size_t size;
    struct sq_run run;
    dense_must(sq_run_builder_image(n.history, &image, &size, &err), &err);
    dense_must(sq_run_open(image, size, 0, &run, &err), &err);
    const struct sq_run_window *shown = SQ_RUN_PART(&run, SQ_RUN_WINDOWS, struct sq_run_window);
    assert_int_equal(shown->number, DENSE_WINDOW);
    assert_int_equal(shown->size, w.value.size);
    assert_memory_equal(SQ_RUN_PART(&run, SQ_RUN_SETTLEMENTS, uint8_t) + shown->at, w.value.data, w.value.size);
    sq_run_close(&run);
    free(proposal.data);
    free(n.said);
    sq_run_builder_free(n.history);
    sq_books_free(n.books);
    sq_arena_free(&n.arena);
    sq_core_free(n.core);
}

static int begin(void **state)
{
    *state = dense_new(NODES);
    return *state == NULL;
}

static int end(void **state)
{
    dense_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_of_a_dense_window_of_333_nodes_goes_into_a_frame),
        cmocka_unit_test(a_voter_that_is_silent_is_passed_over),
        cmocka_unit_test(a_node_journals_and_shows_a_settlement_longer_than_any_message),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
