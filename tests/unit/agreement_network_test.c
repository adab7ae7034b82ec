/*
 * The agreement in networks where messages are lost, doubled and overtake each other, timers fire whenever they like, and fewer
 * than a third of the nodes say anything to anyone. Two values must never be decided; and when the network heals, so that what
 * one honest node has heard all hear, every honest node must decide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/settlement/agreement.h"
#include "tests/support/random.h"

#define NODES_MAX   7u
#define VALUES_MAX  4096u
#define LOG_MAX     16384u
#define ROUNDS_MAX  256u
#define PENDING_MAX 32768u
#define NIL         UINT32_MAX

struct said {
    uint32_t from, step, round, valid_round, value; /* step SQ_STEP_PROPOSE: a proposal */
};

struct net;

struct member {
    struct net *net;
    struct sq_agreement a;
    struct sq_agreement_host host;
    uint8_t knows[VALUES_MAX]; /* values whose bytes it has */
    uint32_t decided;          /* the first it decided, or NIL */
};

struct net {
    uint32_t n, liars; /* the last `liars` of n */
    struct dice dice;
    struct member node[NODES_MAX];
    uint32_t value_count; /* values 0 .. value_count - 1 exist */
    uint8_t invalid[VALUES_MAX];
    struct said log[LOG_MAX];   /* all that an honest node has said or heard */
    uint8_t logged_to[LOG_MAX]; /* bit per honest node that has heard it */
    uint32_t log_count;
    struct {
        struct said said;
        uint32_t to;
    } pending[PENDING_MAX];
    uint32_t pending_count;
    uint8_t lies[NODES_MAX][ROUNDS_MAX][4]; /* votes by node, round and step */
    uint64_t now_ms;
    int healed;
};

static void hash_of(uint32_t value, uint8_t out[SQ_HASH_SIZE])
{
    memset(out, 0, SQ_HASH_SIZE);
    sq_put_be32(out, value + 1);
}

static uint32_t value_of(const uint8_t *hash)
{
    return hash == NULL ? NIL : sq_get_be32(hash) - 1;
}

static uint32_t honest(const struct net *w)
{
    return w->n - w->liars;
}

static void post(struct net *w, const struct said *s, uint32_t to)
{
    assert_true(w->pending_count < PENDING_MAX);
    w->pending[w->pending_count].said = *s;
    w->pending[w->pending_count++].to = to;
}

static void post_all(struct net *w, const struct said *s)
{
    for (uint32_t to = 0; to < honest(w); to++)
        if (to != s->from)
            post(w, s, to);
}

/* Remembers that `node` knows of it; once the network has healed everyone else hears of it too. */
static void remember(struct net *w, const struct said *s, uint32_t node)
{
    uint32_t i = 0;
    while (i < w->log_count && memcmp(&w->log[i], s, sizeof *s) != 0)
        i++;
    if (i == w->log_count) {
        assert_true(w->log_count < LOG_MAX);
        w->log[w->log_count++] = *s;
        w->logged_to[i] = 0;
    }
    if (w->healed && w->logged_to[i] == 0)
        post_all(w, s);
    w->logged_to[i] |= (uint8_t)(1u << node);
}

static uint32_t new_value(struct net *w, int valid)
{
    assert_true(w->value_count < VALUES_MAX);
    w->invalid[w->value_count] = !valid;
    return w->value_count++;
}

/* ---- honest nodes ---- */

static int host_valid(void *ctx, const uint8_t hash[static SQ_HASH_SIZE])
{
    const struct member *m = ctx;
    uint32_t value = value_of(hash);
    return m->knows[value] && !m->net->invalid[value];
}

static int host_known(void *ctx, const uint8_t hash[static SQ_HASH_SIZE])
{
    const struct member *m = ctx;
    return m->knows[value_of(hash)];
}

static sq_status host_propose(void *ctx, uint32_t round, uint32_t valid_round, const uint8_t *value,
                              uint8_t out[static SQ_HASH_SIZE])
{
    struct member *m = ctx;
    struct said s = {m->a.self, SQ_STEP_PROPOSE, round, valid_round,
                     value != NULL ? value_of(value) : new_value(m->net, 1)};
    m->knows[s.value] = 1;
    hash_of(s.value, out);
    remember(m->net, &s, m->a.self);
    if (!m->net->healed)
        post_all(m->net, &s);
    return SQ_OK;
}

static sq_status host_vote(void *ctx, uint32_t round, uint32_t step, const uint8_t *value)
{
    struct member *m = ctx;
    struct said s = {m->a.self, step, round, 0, value_of(value)};
    remember(m->net, &s, m->a.self);
    if (!m->net->healed)
        post_all(m->net, &s);
    return SQ_OK;
}

static void look_at_decisions(struct net *w)
{
    uint32_t agreed = NIL;
    for (uint32_t i = 0; i < honest(w); i++) {
        struct member *m = &w->node[i];
        if (!sq_agreement_decided(&m->a))
            continue;
        uint32_t value = value_of(m->a.decided);
        assert_true(m->decided == NIL || m->decided == value); /* a decision stands */
        m->decided = value;
        assert_true(agreed == NIL || agreed == value);
        agreed = value;
    }
}

static void hear(struct net *w, uint32_t to, const struct said *s)
{
    struct member *m = &w->node[to];
    uint8_t hash[SQ_HASH_SIZE] = {0};
    remember(w, s, to);
    if (s->value != NIL)
        hash_of(s->value, hash);
    if (s->step == SQ_STEP_PROPOSE) {
        m->knows[s->value] = 1;
        assert_int_equal(sq_agreement_on_proposal(&m->a, &m->host, s->from, s->round, s->valid_round, hash, w->now_ms),
                         SQ_OK);
    } else {
        assert_int_equal(
            sq_agreement_on_vote(&m->a, &m->host, s->from, s->round, s->step, s->value == NIL ? NULL : hash, w->now_ms),
            SQ_OK);
    }
    look_at_decisions(w);
}

/* The earliest timer of this node goes off. */
static int ring(struct net *w, uint32_t i)
{
    struct member *m = &w->node[i];
    uint32_t round, step;
    uint64_t at = sq_agreement_due(&m->a, &round, &step);
    if (at == 0)
        return 0;
    w->now_ms = at > w->now_ms ? at : w->now_ms;
    assert_int_equal(sq_agreement_timeout(&m->a, &m->host, round, step, w->now_ms), SQ_OK);
    look_at_decisions(w);
    return 1;
}

/* ---- liars ---- */

static uint32_t highest_round(const struct net *w)
{
    uint32_t round = 0;
    for (uint32_t i = 0; i < honest(w); i++)
        round = w->node[i].a.round > round ? w->node[i].a.round : round;
    return round;
}

/*
 * One lie: any vote or, in its turn, any proposal, to any of the honest. Of the votes of one step of a round no more than a node
 * keeps: who shouts on beyond that keeps the others from hearing it, which is no worse than its silence, but not the same for all.
 */
static void lie(struct net *w)
{
    struct said s = {.from = honest(w) + dice_below(&w->dice, w->liars), .step = 1 + dice_below(&w->dice, 3)};
    uint32_t top = highest_round(w), to = dice_below(&w->dice, 1u << honest(w));
    s.round = dice_below(&w->dice, 4) == 0 ? dice_below(&w->dice, top + 3) : top;
    if (s.step == SQ_STEP_PROPOSE) {
        while (sq_agreement_proposer(&w->node[0].a, s.round) != s.from)
            s.round++;
        s.valid_round = dice_below(&w->dice, 3) == 0 ? dice_below(&w->dice, s.round + 1) : 0;
    }
    if (w->value_count == 0 || (s.step == SQ_STEP_PROPOSE && dice_below(&w->dice, 3) == 0))
        s.value = new_value(w, dice_below(&w->dice, 4) != 0);
    else /* mostly what is being talked about now */
        s.value = w->value_count - 1 - dice_below(&w->dice, w->value_count < 4 ? w->value_count : 4);
    if (s.step != SQ_STEP_PROPOSE && dice_below(&w->dice, 4) == 0)
        s.value = NIL;
    assert_true(s.round < ROUNDS_MAX);
    if (s.step != SQ_STEP_PROPOSE && w->lies[s.from][s.round][s.step]++ >= SQ_AGREEMENT_VOTES_MAX)
        return;
    for (uint32_t i = 0; i < honest(w); i++)
        if (to >> i & 1)
            post(w, &s, i);
}

/* ---- a run ---- */

struct rates { /* of a hundred */
    uint32_t deliver, lose, twice, ring, lie, start;
};

static struct net *open_net(uint32_t n, uint32_t liars, uint64_t seed)
{
    struct net *w = calloc(1, sizeof *w);
    assert_non_null(w);
    *w = (struct net){.n = n, .liars = liars, .dice = {seed}, .now_ms = 1000000};
    for (uint32_t i = 0; i < n; i++) {
        struct member *m = &w->node[i];
        m->net = w;
        m->decided = NIL;
        m->host = (struct sq_agreement_host){m, host_valid, host_known, host_propose, host_vote};
        sq_agreement_init(&m->a, n, i, (uint32_t)(seed % n), 1000);
    }
    return w;
}

static void start(struct net *w, uint32_t i)
{
    assert_int_equal(sq_agreement_start(&w->node[i].a, &w->node[i].host, w->now_ms), SQ_OK);
    look_at_decisions(w);
}

static void take_pending(struct net *w, uint32_t at, int keep)
{
    struct said s = w->pending[at].said;
    uint32_t to = w->pending[at].to;
    if (!keep)
        w->pending[at] = w->pending[--w->pending_count];
    hear(w, to, &s);
}

static void misbehave(struct net *w, const struct rates *r, uint32_t steps)
{
    for (uint32_t k = 0; k < steps; k++) {
        uint32_t die = dice_below(&w->dice, r->deliver + r->lose + r->twice + r->ring + r->lie + r->start);
        uint32_t any = w->pending_count != 0 ? dice_below(&w->dice, w->pending_count) : 0;
        if (die < r->deliver + r->lose + r->twice) {
            if (w->pending_count == 0)
                continue;
            if (die < r->deliver + r->twice)
                take_pending(w, any, die < r->twice);
            else
                w->pending[any] = w->pending[--w->pending_count];
        } else if ((die -= r->deliver + r->lose + r->twice) < r->ring) {
            (void)ring(w, dice_below(&w->dice, honest(w)));
        } else if (die < r->ring + r->lie && w->liars != 0) {
            lie(w);
        } else {
            start(w, dice_below(&w->dice, honest(w)));
        }
    }
}

static int all_decided(const struct net *w)
{
    for (uint32_t i = 0; i < honest(w); i++)
        if (w->node[i].decided == NIL)
            return 0;
    return 1;
}

/* From now on nothing is lost, messages are faster than timers, and what one has heard all hear. Liars go on, or are silent. */
static void heal(struct net *w, int silent)
{
    w->healed = 1;
    w->pending_count = 0;
    for (uint32_t i = 0; i < w->log_count; i++)
        post_all(w, &w->log[i]);
    for (uint32_t i = 0; i < honest(w); i++)
        start(w, i);
    for (uint32_t turns = 0; !all_decided(w); turns++) {
        while (w->pending_count != 0)
            take_pending(w, dice_below(&w->dice, w->pending_count), 0);
        if (all_decided(w))
            break;
        assert_true(turns < 400); /* some ten rounds of seven nodes with their timers */
        uint32_t first = NIL, round, step;
        uint64_t earliest = UINT64_MAX, at;
        for (uint32_t i = 0; i < honest(w); i++)
            if ((at = sq_agreement_due(&w->node[i].a, &round, &step)) != 0 && at < earliest) {
                earliest = at;
                first = i;
            }
        if (first == NIL)
            fail_msg("nobody waits for anything, and not everyone has decided");
        assert_int_equal(ring(w, first), 1);
        for (uint32_t k = 0; !silent && w->liars != 0 && k < 3; k++)
            lie(w);
    }
}

static void certificates_are_whole(const struct net *w)
{
    for (uint32_t i = 0; i < honest(w); i++) {
        const struct sq_agreement *a = &w->node[i].a;
        uint32_t signers = 0, count = 0;
        for (uint32_t k = 0; k < a->votes.count; k++) {
            const struct sq_agreement_vote *v = SQ_ROW(&a->votes, struct sq_agreement_vote, k);
            if (v->step != SQ_STEP_PRECOMMIT || v->round + 1 != a->decided_round ||
                value_of(v->value) != w->node[i].decided || v->nil)
                continue;
            assert_false(signers >> v->node & 1);
            signers |= 1u << v->node;
            count++;
        }
        assert_true(count >= sq_agreement_quorum(w->n));
        assert_false(w->invalid[w->node[i].decided]);
        for (uint32_t k = 0; k < a->doubles.count; k++) /* no honest node is ever accused */
            assert_true(SQ_ROW(&a->doubles, struct sq_agreement_vote, k)->node >= honest(w));
    }
}

static void close_net(struct net *w)
{
    for (uint32_t i = 0; i < w->n; i++)
        sq_agreement_free(&w->node[i].a);
    free(w);
}

/* Rates are drawn for each seed, so that some runs know one kind of trouble only. */
static struct rates draw(struct dice *d)
{
    static const uint32_t often[] = {0, 0, 2, 5, 10, 30};
    struct rates r = {
        40, often[dice_below(d, 6)], often[dice_below(d, 6)], often[dice_below(d, 6)], often[dice_below(d, 6)], 3};
    return r;
}

static void run(uint32_t n, uint32_t liars, uint64_t seed)
{
    struct net *w = open_net(n, liars, seed);
    struct rates r = draw(&w->dice);
    misbehave(w, &r, 50 + dice_below(&w->dice, 150 * n));
    heal(w, dice_below(&w->dice, 2) == 0);
    certificates_are_whole(w);
    close_net(w);
}

static void four_nodes_of_which_one_lies_agree_and_end(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4000; seed++)
        run(4, 1, seed);
}

static void seven_nodes_of_which_two_lie_agree_and_end(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++)
        run(7, 2, seed);
}

static void honest_nodes_agree_and_end_whatever_the_network_does(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= NODES_MAX; n++)
        for (uint64_t seed = 1; seed <= 200; seed++)
            run(n, 0, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_nodes_of_which_one_lies_agree_and_end),
        cmocka_unit_test(seven_nodes_of_which_two_lie_agree_and_end),
        cmocka_unit_test(honest_nodes_agree_and_end_whatever_the_network_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
