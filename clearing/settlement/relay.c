/*
 * What others have said is told on, so that all honest nodes hear the same.
 *
 * The paper lets every message that one correct process has received reach all of them. Streams between pairs of nodes do not: a node
 * that lies can say one thing here and another there. Then some have seen two thirds and others never will, and those who have
 * decided say no more. So votes are kept as they were signed (letters), and told on where they are missed:
 *
 *   proposing a value again    the prevotes that made it valid go before the proposal
 *   after finality             when not everyone's precommit for the value has come within a while, the certificate goes to all
 *   a value that two thirds    have voted for, and whose bytes are not here: its voters are asked for them (parts.c)
 *   what is late, or round 1   statements that some have heard and others have not, or have heard otherwise: said.c
 *
 * A letter proves what its signer said, whoever brings it. Nil votes are not told on: they make no quorum for a value.
 */
#include "clearing/settlement/internal.h"

static const struct sq_letter *letter_at(const struct sq_window *w, uint32_t i)
{
    return SQ_ROW(&w->letters, struct sq_letter, i);
}

sq_status sq_letter_keep(struct sq_window *w, uint32_t from, const Sanquan__V1__Vote *m, sq_bytes whole,
                         struct sq_error *err)
{
    uint32_t same_place = 0;
    if (m->value.len != SQ_HASH_SIZE || whole.size == 0 || whole.size > SQ_LETTER_SIZE_MAX)
        return SQ_OK;
    for (uint32_t i = 0; i < w->letters.count; i++) {
        const struct sq_letter *l = letter_at(w, i);
        if (l->node != from || l->round != m->round || l->step != m->step)
            continue;
        if (memcmp(l->value, m->value.data, SQ_HASH_SIZE) == 0 || ++same_place == SQ_AGREEMENT_VOTES_MAX)
            return SQ_OK;
    }
    struct sq_letter *l = sq_table_add(&w->letters, NULL);
    if (l == NULL)
        return sq_fail(err, SQ_E_NOMEM, "votes of window %" PRIu64, w->number);
    l->node = from;
    l->round = m->round;
    l->step = m->step;
    l->size = (uint32_t)whole.size;
    memcpy(l->value, m->value.data, SQ_HASH_SIZE);
    memcpy(l->bytes, whole.data, whole.size);
    return SQ_OK;
}

sq_status sq_relay_votes(const struct sq_window *w, uint32_t round, uint32_t step,
                         const uint8_t value[static SQ_HASH_SIZE], struct sq_effects *fx, struct sq_error *err)
{
    Sanquan__V1__Relay m;
    sanquan__v1__relay__init(&m);
    m.window = w->number;
    m.votes = sq_arena_take(fx->arena, (w->letters.count + 1u) * sizeof *m.votes);
    if (m.votes == NULL)
        return sq_fail(err, SQ_E_FULL, "step memory");
    for (uint32_t i = 0; i < w->letters.count; i++) {
        struct sq_letter *l = SQ_ROW(&w->letters, struct sq_letter, i);
        if (l->round == round && l->step == step && memcmp(l->value, value, SQ_HASH_SIZE) == 0)
            m.votes[m.n_votes++] = (ProtobufCBinaryData){l->size, l->bytes};
    }
    return m.n_votes == 0 ? SQ_OK : sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base, err);
}

/* ---- after finality ---- */

static int everyone_precommitted(const struct sq_agreement *a)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->votes.count; i++) {
        const struct sq_agreement_vote *v = SQ_ROW(&a->votes, struct sq_agreement_vote, i);
        n += v->step == SQ_STEP_PRECOMMIT && v->round + 1 == a->decided_round && !v->nil &&
             memcmp(v->value, a->decided, SQ_HASH_SIZE) == 0;
    }
    return n == a->node_count;
}

sq_status sq_relay_begin(struct sq_settlement *s, const struct sq_window *w, uint64_t now_ms, struct sq_effects *fx,
                         struct sq_error *err)
{
    sq_status st = s->relaying != 0 ? sq_relay_end(s, fx, err) : SQ_OK;
    s->relaying = w->number;
    s->relay_ms = now_ms + SQ_STATEMENTS_LATE_MS;
    return st;
}

sq_status sq_relay_end(struct sq_settlement *s, struct sq_effects *fx, struct sq_error *err)
{
    struct sq_window *w = s->windows[s->relaying - 1];
    sq_status st = SQ_OK;
    s->relaying = s->relay_ms = 0;
    if (!everyone_precommitted(&w->agreement))
        st = sq_relay_votes(w, w->agreement.decided_round - 1, SQ_VOTE_PRECOMMIT, w->agreement.decided, fx, err);
    sq_table_free(&w->letters);
    return st;
}

/* ---- hearing ---- */

/* One letter: its signer's vote counts, if it is one of this window that is not known yet. */
static sq_status read_letter(struct sq_settlement *s, struct sq_window *w, const struct sq_agreement_host *h,
                             const struct sq_post *post, sq_bytes bytes, uint64_t now_ms, struct sq_effects *fx,
                             struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    struct sq_envelope e;
    ProtobufCMessage *opened;
    if (sq_envelope_open(bytes, &e, NULL) != SQ_OK || e.type != SANQUAN__V1__MESSAGE_TYPE__VOTE)
        return SQ_OK;
    uint32_t node = post->node_of(post->ctx, e.sender);
    sq_status st = node == SQ_ROW_NONE || node == s->self
                       ? SQ_R_MALFORMED
                       : sq_wire_open(&sanquan__v1__vote__descriptor, e.body, &memory, &opened, err);
    if (st != SQ_OK)
        return st == SQ_E_FULL ? st : SQ_OK;
    const Sanquan__V1__Vote *m = (const Sanquan__V1__Vote *)opened;
    if (m->window != w->number || m->value.len != SQ_HASH_SIZE || m->step < SQ_VOTE_PREVOTE ||
        m->step > SQ_VOTE_PRECOMMIT ||
        sq_agreement_has_vote(&w->agreement, node, m->round, m->step + 1, m->value.data) ||
        !post->signed_by(post->ctx, &e, node))
        return SQ_OK;
    st = sq_letter_keep(w, node, m, e.whole, err);
    return st != SQ_OK ? st
                       : sq_agreement_on_vote(&w->agreement, h, node, m->round, m->step + 1, m->value.data, now_ms);
}

sq_status sq_relay_read(struct sq_settlement *s, struct sq_window *w, const struct sq_agreement_host *h,
                        const struct sq_post *post, uint32_t from, const Sanquan__V1__Relay *m, uint64_t now_ms,
                        struct sq_effects *fx, struct sq_error *err)
{
    sq_status st = SQ_OK;
    if ((m->wanted.len != 0 && m->wanted.len != SQ_HASH_SIZE) || m->n_votes > (size_t)s->n * SQ_AGREEMENT_VOTES_MAX ||
        m->n_statements > 2 * (size_t)s->n)
        return sq_fail(err, SQ_R_COLUMNS, "relay of %s", s->codes[from]);
    if (m->wanted.len != 0)
        st = sq_part_tell(s, w, from, m->wanted.data, m->part, fx, err);
    for (size_t i = 0; st == SQ_OK && w->state < SQ_WINDOW_FINAL && i < m->n_votes; i++)
        st = read_letter(s, w, h, post, sq_bytes_of(m->votes[i].data, m->votes[i].len), now_ms, fx, err);
    for (size_t i = 0; st == SQ_OK && w->state < SQ_WINDOW_FINAL && i < m->n_statements; i++)
        st = sq_said_read(s, w, post, sq_bytes_of(m->statements[i].data, m->statements[i].len), now_ms, fx, err);
    if (st == SQ_OK && w->state < SQ_WINDOW_FINAL && m->heard.len != 0)
        st = sq_said_compare(s, w, from, sq_bytes_of(m->heard.data, m->heard.len), fx, err);
    return st == SQ_OK && m->found != NULL && w->state < SQ_WINDOW_FINAL
               ? sq_fetch_take(s, w, from, m->found, now_ms, fx, err)
               : st;
}
