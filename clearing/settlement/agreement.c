/*
 * Every rule of the paper is a function that looks at what has been heard; after each message all rules are tried until none
 * applies. Votes of all rounds are kept until the decision, so nothing is lost when messages overtake each other.
 *
 * Invariants: a node counts once for a value, and once in all, whatever it says; after `started` this node's own votes are among
 * the votes; locked_round never goes back; once decided, nothing changes but late precommits being added to the certificate.
 */
#include "clearing/settlement/agreement.h"

#include <string.h>

void sq_agreement_init(struct sq_agreement *a, uint32_t node_count, uint32_t self, uint32_t first_proposer,
                       uint32_t timeout_ms)
{
    *a = (struct sq_agreement){.node_count = node_count,
                               .self = self,
                               .first_proposer = first_proposer,
                               .timeout_ms = timeout_ms,
                               .votes = SQ_TABLE_OF(struct sq_agreement_vote),
                               .proposals = SQ_TABLE_OF(struct sq_agreement_proposal),
                               .doubles = SQ_TABLE_OF(struct sq_agreement_vote)};
}

void sq_agreement_free(struct sq_agreement *a)
{
    sq_table_free(&a->votes);
    sq_table_free(&a->proposals);
    sq_table_free(&a->doubles);
}

uint32_t sq_agreement_quorum(uint32_t node_count)
{
    return node_count * 2 / 3 + 1;
}

uint32_t sq_agreement_proposer(const struct sq_agreement *a, uint32_t round)
{
    return (uint32_t)(((uint64_t)a->first_proposer + round) % a->node_count);
}

/* ---- what has been heard ---- */

static const struct sq_agreement_vote *vote_at(const struct sq_table *t, uint32_t i)
{
    return SQ_ROW(t, struct sq_agreement_vote, i);
}

static int same(const uint8_t *a, const uint8_t *b)
{
    // cppcheck-suppress ctunullpointer ; NULL comes with FOR_ANY and FOR_NIL alone
    return memcmp(a, b, SQ_HASH_SIZE) == 0;
}

enum whose { FOR_VALUE, FOR_NIL, FOR_ANY };

static uint32_t count_votes(const struct sq_agreement *a, uint32_t round, uint32_t step, enum whose whose,
                            const uint8_t *value)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->votes.count; i++) {
        const struct sq_agreement_vote *v = vote_at(&a->votes, i);
        if (v->round != round || v->step != step)
            continue;
        n += whose == FOR_ANY ? !v->again : (whose == FOR_NIL ? v->nil : !v->nil && same(v->value, value));
    }
    return n;
}

static int quorum(const struct sq_agreement *a, uint32_t round, uint32_t step, enum whose whose, const uint8_t *value)
{
    return count_votes(a, round, step, whose, value) >= sq_agreement_quorum(a->node_count);
}

static const struct sq_agreement_proposal *proposal_of(const struct sq_agreement *a, uint32_t round)
{
    for (uint32_t i = 0; i < a->proposals.count; i++)
        if (SQ_ROW(&a->proposals, struct sq_agreement_proposal, i)->round == round)
            return SQ_ROW(&a->proposals, struct sq_agreement_proposal, i);
    return NULL;
}

int sq_agreement_has_vote(const struct sq_agreement *a, uint32_t node, uint32_t round, uint32_t step,
                          const uint8_t value[static SQ_HASH_SIZE])
{
    for (uint32_t i = 0; i < a->votes.count; i++) {
        const struct sq_agreement_vote *v = vote_at(&a->votes, i);
        if (v->node == node && v->round == round && v->step == step && !v->nil && same(v->value, value))
            return 1;
    }
    return 0;
}

/* ---- speaking ---- */

static void set_timer(struct sq_agreement *a, uint32_t step, uint64_t now_ms)
{
    uint64_t grown = (uint64_t)a->timeout_ms + (uint64_t)a->timeout_ms / 2 * a->round;
    a->due_ms[step] = now_ms + grown;
    a->due_round[step] = a->round;
}

static sq_status keep_vote(struct sq_agreement *a, uint32_t from, uint32_t round, uint32_t step, int again,
                           const uint8_t *value)
{
    struct sq_agreement_vote *v = sq_table_add(&a->votes, NULL);
    if (v == NULL)
        return SQ_E_NOMEM;
    *v = (struct sq_agreement_vote){
        .round = round, .step = step, .node = from, .nil = value == NULL, .again = again != 0};
    if (value != NULL)
        memcpy(v->value, value, SQ_HASH_SIZE);
    if (value != NULL && step == SQ_STEP_PRECOMMIT && a->certified_round == 0 &&
        quorum(a, round, step, FOR_VALUE, value)) {
        a->certified_round = round + 1;
        memcpy(a->certified, value, SQ_HASH_SIZE);
    }
    return SQ_OK;
}

static sq_status speak(struct sq_agreement *a, const struct sq_agreement_host *h, uint32_t step, const uint8_t *value)
{
    sq_status st = keep_vote(a, a->self, a->round, step, 0, value);
    return st != SQ_OK ? st : h->vote(h->ctx, a->round, step, value);
}

static sq_status prevote(struct sq_agreement *a, const struct sq_agreement_host *h, const uint8_t *value)
{
    a->step = SQ_STEP_PREVOTE;
    return speak(a, h, SQ_STEP_PREVOTE, value);
}

static sq_status precommit(struct sq_agreement *a, const struct sq_agreement_host *h, const uint8_t *value)
{
    a->step = SQ_STEP_PRECOMMIT;
    return speak(a, h, SQ_STEP_PRECOMMIT, value);
}

/* Line 11. */
static sq_status start_round(struct sq_agreement *a, const struct sq_agreement_host *h, uint32_t round, uint64_t now_ms)
{
    a->round = round;
    a->step = SQ_STEP_PROPOSE;
    memset(a->due_ms, 0, sizeof a->due_ms);
    if (sq_agreement_proposer(a, round) != a->self || proposal_of(a, round) != NULL) {
        set_timer(a, SQ_STEP_PROPOSE, now_ms);
        return SQ_OK;
    }
    struct sq_agreement_proposal *p = sq_table_add(&a->proposals, NULL);
    if (p == NULL)
        return SQ_E_NOMEM;
    *p = (struct sq_agreement_proposal){.round = round, .valid_round = a->valid_round};
    return h->propose(h->ctx, round, a->valid_round, a->valid_round != 0 ? a->valid : NULL, p->value);
}

/* ---- rules; each returns 1 when it applied ---- */

/* Lines 22 and 28: answer the proposal of this round. */
static int rule_prevote(struct sq_agreement *a, const struct sq_agreement_host *h, sq_status *st)
{
    const struct sq_agreement_proposal *p = a->step == SQ_STEP_PROPOSE ? proposal_of(a, a->round) : NULL;
    if (p == NULL)
        return 0;
    if (p->valid_round != 0 &&
        (p->valid_round > a->round || !quorum(a, p->valid_round - 1, SQ_STEP_PREVOTE, FOR_VALUE, p->value)))
        return 0; /* wait to see the prevotes it speaks of */
    /* A statement it rests on may still be on its way; the timer says nil. What two thirds have prevoted some honest node found valid. */
    if (p->valid_round != 0 ? !h->known(h->ctx, p->value) : !h->valid(h->ctx, p->value))
        return 0;
    int unlocked =
        a->locked_round == 0 || same(a->locked, p->value) || (p->valid_round != 0 && a->locked_round <= p->valid_round);
    *st = prevote(a, h, unlocked ? p->value : NULL);
    return 1;
}

/* Line 34. */
static int rule_prevotes_in(struct sq_agreement *a, uint64_t now_ms)
{
    if (a->step != SQ_STEP_PREVOTE || a->prevotes_seen == a->round + 1 ||
        !quorum(a, a->round, SQ_STEP_PREVOTE, FOR_ANY, NULL))
        return 0;
    a->prevotes_seen = a->round + 1;
    set_timer(a, SQ_STEP_PREVOTE, now_ms);
    return 1;
}

/*
 * The value that a quorum prevoted in this round, or NULL. Only one can stay when votes for different values cancel each other
 * out (Boyer and Moore's majority vote); whether it is a quorum is counted afterwards.
 */
static const uint8_t *polka(const struct sq_agreement *a)
{
    const uint8_t *value = NULL;
    uint32_t lead = 0;
    for (uint32_t i = 0; i < a->votes.count; i++) {
        const struct sq_agreement_vote *v = vote_at(&a->votes, i);
        if (v->round != a->round || v->step != SQ_STEP_PREVOTE || v->nil)
            continue;
        if (lead == 0)
            value = v->value;
        lead = same(v->value, value) ? lead + 1 : lead - 1;
    }
    return value != NULL && quorum(a, a->round, SQ_STEP_PREVOTE, FOR_VALUE, value) ? value : NULL;
}

/*
 * Line 36. Honest nodes prevote only what the proposer proposed, so the prevotes show that it did: also to a node that was
 * itself told another value.
 */
static int rule_polka(struct sq_agreement *a, const struct sq_agreement_host *h, sq_status *st)
{
    if (a->step < SQ_STEP_PREVOTE || a->polka_seen == a->round + 1)
        return 0;
    const uint8_t *agreed = polka(a);
    if (agreed == NULL || !h->known(h->ctx, agreed))
        return 0;
    uint8_t value[SQ_HASH_SIZE]; /* voting may move the table */
    memcpy(value, agreed, sizeof value);
    a->polka_seen = a->round + 1;
    if (a->step == SQ_STEP_PREVOTE) {
        memcpy(a->locked, value, sizeof value);
        a->locked_round = a->round + 1;
        *st = precommit(a, h, value);
    }
    memcpy(a->valid, value, sizeof value);
    a->valid_round = a->round + 1;
    return 1;
}

/* Line 44. */
static int rule_nil(struct sq_agreement *a, const struct sq_agreement_host *h, sq_status *st)
{
    if (a->step != SQ_STEP_PREVOTE || !quorum(a, a->round, SQ_STEP_PREVOTE, FOR_NIL, NULL))
        return 0;
    *st = precommit(a, h, NULL);
    return 1;
}

/* Line 47. */
static int rule_precommits_in(struct sq_agreement *a, uint64_t now_ms)
{
    if (a->precommits_seen == a->round + 1 || !quorum(a, a->round, SQ_STEP_PRECOMMIT, FOR_ANY, NULL))
        return 0;
    a->precommits_seen = a->round + 1;
    set_timer(a, SQ_STEP_PRECOMMIT, now_ms);
    return 1;
}

/* Line 49: in whatever round, and whatever this node was proposed then (see line 36). */
static int rule_decide(struct sq_agreement *a, const struct sq_agreement_host *h)
{
    if (a->certified_round == 0 || !h->known(h->ctx, a->certified))
        return 0;
    a->decided_round = a->certified_round;
    memcpy(a->decided, a->certified, SQ_HASH_SIZE);
    memset(a->due_ms, 0, sizeof a->due_ms);
    return 1;
}

/* Line 55: more nodes than can lie are in a later round. */
static int rule_skip(struct sq_agreement *a, const struct sq_agreement_host *h, uint64_t now_ms, sq_status *st)
{
    uint32_t honest = (a->node_count - 1) / 3 + 1;
    for (uint32_t i = 0; i < a->votes.count; i++) {
        uint32_t round = vote_at(&a->votes, i)->round;
        /* An honest node prevotes in every round it enters, so its prevote alone says where it is. */
        if (round <= a->round || count_votes(a, round, SQ_STEP_PREVOTE, FOR_ANY, NULL) < honest)
            continue;
        *st = start_round(a, h, round, now_ms);
        return 1;
    }
    return 0;
}

sq_status sq_agreement_look(struct sq_agreement *a, const struct sq_agreement_host *h, uint64_t now_ms)
{
    sq_status st = SQ_OK;
    while (st == SQ_OK && a->started && !sq_agreement_decided(a)) {
        if (!rule_decide(a, h) && !rule_prevote(a, h, &st) && !rule_polka(a, h, &st) && !rule_nil(a, h, &st) &&
            !rule_prevotes_in(a, now_ms) && !rule_precommits_in(a, now_ms) && !rule_skip(a, h, now_ms, &st))
            break;
    }
    return st;
}

/* What a proposal of this round says was prevoted before, when it was. */
static const uint8_t *proposed_again(const struct sq_agreement *a)
{
    const struct sq_agreement_proposal *p = a->step == SQ_STEP_PROPOSE ? proposal_of(a, a->round) : NULL;
    return p != NULL && p->valid_round != 0 && quorum(a, p->valid_round - 1, SQ_STEP_PREVOTE, FOR_VALUE, p->value)
               ? p->value
               : NULL;
}

const uint8_t *sq_agreement_missed(const struct sq_agreement *a, const struct sq_agreement_host *h)
{
    if (!a->started || sq_agreement_decided(a))
        return NULL;
    const uint8_t *wanted[] = {a->certified_round != 0 ? a->certified : NULL, polka(a), proposed_again(a)};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (wanted[i] != NULL && !h->known(h->ctx, wanted[i]))
            return wanted[i];
    return NULL;
}

/* ---- hearing ---- */

sq_status sq_agreement_start(struct sq_agreement *a, const struct sq_agreement_host *h, uint64_t now_ms)
{
    if (a->started)
        return SQ_OK;
    a->started = 1;
    sq_status st = start_round(a, h, 0, now_ms);
    return st != SQ_OK ? st : sq_agreement_look(a, h, now_ms);
}

static sq_status keep_double(struct sq_agreement *a, const struct sq_agreement_vote *first, const uint8_t *value)
{
    for (uint32_t i = 0; i < a->doubles.count; i += 2) {
        const struct sq_agreement_vote *v = vote_at(&a->doubles, i);
        if (v->node == first->node && v->round == first->round && v->step == first->step)
            return SQ_OK; /* one pair is proof enough */
    }
    struct sq_agreement_vote copy = *first, *one, *two;
    if (sq_table_reserve(&a->doubles, 2, NULL) != SQ_OK)
        return SQ_E_NOMEM;
    one = sq_table_add(&a->doubles, NULL);
    *one = copy;
    two = sq_table_add(&a->doubles, NULL);
    *two = (struct sq_agreement_vote){.round = copy.round, .step = copy.step, .node = copy.node, .nil = value == NULL};
    if (value != NULL)
        memcpy(two->value, value, SQ_HASH_SIZE);
    return SQ_OK;
}

sq_status sq_agreement_on_proposal(struct sq_agreement *a, const struct sq_agreement_host *h, uint32_t from,
                                   uint32_t round, uint32_t valid_round, const uint8_t value[static SQ_HASH_SIZE],
                                   uint64_t now_ms)
{
    if (round >= SQ_AGREEMENT_ROUNDS_MAX || from != sq_agreement_proposer(a, round) || valid_round > round)
        return SQ_OK; /* not this node's turn, or a polka that cannot have been */
    const struct sq_agreement_proposal *first = proposal_of(a, round);
    if (first != NULL && same(first->value, value))
        return SQ_OK;
    if (first != NULL) { /* gets no prevote, but its bytes may be what the others agree on */
        struct sq_agreement_vote one = {.round = round, .step = SQ_STEP_PROPOSE, .node = from};
        memcpy(one.value, first->value, SQ_HASH_SIZE);
        sq_status st = keep_double(a, &one, value);
        return st != SQ_OK ? st : sq_agreement_look(a, h, now_ms);
    }
    struct sq_agreement_proposal *p = sq_table_add(&a->proposals, NULL);
    if (p == NULL)
        return SQ_E_NOMEM;
    *p = (struct sq_agreement_proposal){.round = round, .valid_round = valid_round};
    memcpy(p->value, value, SQ_HASH_SIZE);
    return sq_agreement_look(a, h, now_ms);
}

sq_status sq_agreement_on_vote(struct sq_agreement *a, const struct sq_agreement_host *h, uint32_t from, uint32_t round,
                               uint32_t step, const uint8_t *value, uint64_t now_ms)
{
    if (round >= SQ_AGREEMENT_ROUNDS_MAX || from >= a->node_count ||
        (step != SQ_STEP_PREVOTE && step != SQ_STEP_PRECOMMIT))
        return SQ_OK;
    uint32_t before = 0;
    for (uint32_t i = 0; i < a->votes.count; i++) {
        const struct sq_agreement_vote *v = vote_at(&a->votes, i);
        if (v->round != round || v->step != step || v->node != from)
            continue;
        if (value == NULL ? v->nil : !v->nil && same(v->value, value))
            return SQ_OK;
        sq_status st = before++ == 0 ? keep_double(a, v, value) : SQ_OK;
        if (st != SQ_OK || before == SQ_AGREEMENT_VOTES_MAX)
            return st;
    }
    sq_status st = keep_vote(a, from, round, step, before != 0, value);
    return st != SQ_OK ? st : sq_agreement_look(a, h, now_ms);
}

sq_status sq_agreement_timeout(struct sq_agreement *a, const struct sq_agreement_host *h, uint32_t round, uint32_t step,
                               uint64_t now_ms)
{
    sq_status st = SQ_OK;
    if (step < SQ_STEP_PROPOSE || step > SQ_STEP_PRECOMMIT || sq_agreement_decided(a) || !a->started ||
        a->due_ms[step] == 0 || a->due_round[step] != round || a->due_ms[step] > now_ms)
        return SQ_OK;
    a->due_ms[step] = 0;
    if (round != a->round)
        return SQ_OK;
    if (step == SQ_STEP_PROPOSE && a->step == SQ_STEP_PROPOSE) /* line 57 */
        st = prevote(a, h, NULL);
    else if (step == SQ_STEP_PREVOTE && a->step == SQ_STEP_PREVOTE) /* line 61 */
        st = precommit(a, h, NULL);
    else if (step == SQ_STEP_PRECOMMIT) /* line 65 */
        st = start_round(a, h, a->round + 1, now_ms);
    return st != SQ_OK ? st : sq_agreement_look(a, h, now_ms);
}

uint64_t sq_agreement_due(const struct sq_agreement *a, uint32_t *round, uint32_t *step)
{
    uint64_t first = 0;
    for (uint32_t s = SQ_STEP_PROPOSE; s <= SQ_STEP_PRECOMMIT; s++)
        if (a->due_ms[s] != 0 && (first == 0 || a->due_ms[s] < first)) {
            first = a->due_ms[s];
            *round = a->due_round[s];
            *step = s;
        }
    return first;
}
