/*
 * What others have said is told on, so that all honest nodes hear the same.
 *
 * The paper lets every message that one correct process has received reach all of them. Streams between pairs of nodes do not: a node
 * that lies can say one thing here and another there. Then some have seen two thirds and others never will, and those who have
 * decided say no more. So votes are kept as they were signed (letters), and told on where they are missed:
 *
 *   proposing a value again    the prevotes that made it valid go before the proposal
 *   after finality             when not everyone's precommit for the value has come within a while, the certificate goes to all
 *   a certificate of a value   whose bytes are not here: more voters than can lie are asked for them
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

static sq_status send(struct sq_settlement *s, uint32_t to, const Sanquan__V1__Relay *m, struct sq_effects *fx,
                      struct sq_error *err)
{
    return to == SQ_TO_ALL ? sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m->base, err)
           : to == s->self ? SQ_OK
                           : sq_effects_send(fx, to, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m->base, err);
}

sq_status sq_relay_votes(struct sq_settlement *s, const struct sq_window *w, uint32_t round, uint32_t step,
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
    return m.n_votes == 0 ? SQ_OK : send(s, SQ_TO_ALL, &m, fx, err);
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
        st = sq_relay_votes(s, w, w->agreement.decided_round - 1, SQ_VOTE_PRECOMMIT, w->agreement.decided, fx, err);
    sq_table_free(&w->letters);
    return st;
}

/* ---- bytes of a value ---- */

sq_status sq_relay_ask(struct sq_settlement *s, struct sq_window *w, struct sq_effects *fx, struct sq_error *err)
{
    const struct sq_agreement *a = &w->agreement;
    uint32_t asked = 0;
    Sanquan__V1__Relay m;
    sanquan__v1__relay__init(&m);
    m.window = w->number;
    m.wanted = (ProtobufCBinaryData){SQ_HASH_SIZE, w->agreement.certified};
    w->asked = 1;
    for (uint32_t i = 0; i < a->votes.count && asked <= (s->n - 1) / 3; i++) {
        const struct sq_agreement_vote *v = SQ_ROW(&a->votes, struct sq_agreement_vote, i);
        if (v->step != SQ_STEP_PRECOMMIT || v->round + 1 != a->certified_round || v->nil ||
            memcmp(v->value, a->certified, SQ_HASH_SIZE) != 0 || v->node == s->self)
            continue;
        asked++;
        sq_status st = send(s, v->node, &m, fx, err);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}

/* Once a window and node: what was sent is kept for it until it has come. */
static sq_status tell(struct sq_settlement *s, struct sq_window *w, uint32_t to,
                      const uint8_t wanted[static SQ_HASH_SIZE], struct sq_effects *fx, struct sq_error *err)
{
    const struct sq_value *kept = sq_value_find(w, wanted);
    const struct sq_blob *bytes = w->decided.data != NULL && memcmp(w->agreement.decided, wanted, SQ_HASH_SIZE) == 0
                                      ? &w->decided
                                  : kept != NULL ? &kept->bytes
                                                 : NULL;
    if (bytes == NULL)
        return SQ_OK;
    if (w->told.count == 0) {
        if (sq_table_reserve(&w->told, s->n, err) != SQ_OK)
            return SQ_E_NOMEM;
        for (uint32_t i = 0; i < s->n; i++)
            sq_table_add(&w->told, NULL);
    }
    uint8_t *told = SQ_ROW(&w->told, uint8_t, to);
    Sanquan__V1__Settlement *value = *told ? NULL : sq_value_open(sq_bytes_of(bytes->data, bytes->size));
    if (value == NULL)
        return *told ? SQ_OK : sq_fail(err, SQ_E_NOMEM, "settlement of window %" PRIu64, w->number);
    Sanquan__V1__Relay m;
    sanquan__v1__relay__init(&m);
    m.window = w->number;
    m.value = value;
    *told = 1;
    sq_status st = send(s, to, &m, fx, err);
    sanquan__v1__settlement__free_unpacked(value, NULL);
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
    struct sq_wire_memory memory = sq_effects_memory(fx);
    uint8_t hash[SQ_HASH_SIZE];
    sq_bytes bytes;
    sq_status st = SQ_OK;
    if ((m->wanted.len != 0 && m->wanted.len != SQ_HASH_SIZE) || m->n_votes > (size_t)s->n * SQ_AGREEMENT_VOTES_MAX)
        return sq_fail(err, SQ_R_COLUMNS, "relay of %s", s->codes[from]);
    if (m->wanted.len != 0)
        st = tell(s, w, from, m->wanted.data, fx, err);
    for (size_t i = 0; st == SQ_OK && w->state < SQ_WINDOW_FINAL && i < m->n_votes; i++)
        st = read_letter(s, w, h, post, sq_bytes_of(m->votes[i].data, m->votes[i].len), now_ms, fx, err);
    if (st != SQ_OK || m->value == NULL || w->state >= SQ_WINDOW_FINAL || w->agreement.certified_round == 0)
        return st;
    st = sq_wire_pack(&m->value->base, &memory, &bytes, err);
    if (st == SQ_OK)
        sq_sha256(bytes.data, bytes.size, hash);
    /* Only what is missed: a peer cannot make this node keep anything else. */
    return st == SQ_OK && memcmp(hash, w->agreement.certified, SQ_HASH_SIZE) == 0
               ? sq_value_keep(w, from, bytes, hash, err)
               : st;
}
