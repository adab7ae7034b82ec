/*
 * 333 nodes that all owe each other in three kinds: every message of the window goes into a frame, also when one node was not told
 * everything and needs the settlement that the others have made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "proto/sanquan.pb-c.h"
#include "tests/support/dense.h"

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
    dense_must(sq_settlement_cut(s, DENSE_WINDOW, DENSE_NOW_MS, &fx, &err), &err);
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
    };
    return cmocka_run_group_tests(tests, begin, end);
}
