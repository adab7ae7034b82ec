/*
 * The life of windows on this node.
 *
 *   OPEN --cut (ours, or a peer's Statement)--> CUT --all statements, or late--> (counterstated)
 *        --all counterstatements, or late--> STATED --(review) proposal heard or made--> PROPOSED --certificate--> FINAL
 *
 * One window at a time is between CUT and FINAL (`deciding`); a cut of the next is remembered until then, so a statement
 * always starts where the last final settlement ended, and no item can be in two windows. Messages of a window this node has
 * not reached yet are kept.
 *
 * Invariant: our fold of a debtor's stream is frozen when its Statement arrives; every Decided it counts came before it.
 */
#include <stdlib.h>

#include "clearing/settlement/internal.h"

/* ---- windows ---- */

sq_status sq_window_new(struct sq_settlement *s, uint64_t number, struct sq_error *err)
{
    if (s->window_count == s->window_capacity) {
        uint32_t capacity = s->window_capacity == 0 ? 16 : s->window_capacity * 2;
        struct sq_window **grown = realloc(s->windows, capacity * sizeof *grown);
        if (grown == NULL)
            return sq_fail(err, SQ_E_NOMEM, "window %" PRIu64, number);
        s->windows = grown;
        s->window_capacity = capacity;
    }
    struct sq_window *w = calloc(1, sizeof *w);
    if (w == NULL)
        return sq_fail(err, SQ_E_NOMEM, "window %" PRIu64, number);
    w->number = number;
    w->maker = SQ_ROW_NONE;
    w->letters = SQ_TABLE_OF(struct sq_letter);
    w->told = SQ_TABLE_OF(struct sq_told);
    w->said = SQ_TABLE_OF(struct sq_said);
    w->said_bytes = w->shown = SQ_TABLE_OF(uint8_t);
    sq_agreement_init(&w->agreement, s->n, s->self, (uint32_t)(number % s->n), s->round_timeout_ms);
    s->windows[s->window_count++] = w;
    return SQ_OK;
}

static void free_bulk(struct sq_window *w)
{
    free(w->debtor);
    free(w->creditor);
    free(w->heard);
    sq_table_free(&w->said);
    sq_table_free(&w->said_bytes);
    sq_table_free(&w->shown);
    free(w->closing);
    for (uint32_t i = 0; i < w->value_count; i++)
        sq_value_free(&w->value[i]);
    w->debtor = w->creditor = NULL;
    w->heard = NULL;
    w->closing = NULL;
    w->value_count = 0;
    sq_fetch_end(w);
}

void sq_window_free(struct sq_window *w)
{
    if (w == NULL)
        return;
    free_bulk(w);
    sq_agreement_free(&w->agreement);
    sq_table_free(&w->letters);
    sq_table_free(&w->told);
    free(w->decided.data);
    free(w);
}

static sq_status need_bulk(const struct sq_settlement *s, struct sq_window *w, struct sq_error *err)
{
    size_t cells = (size_t)s->n * s->n;
    if (w->debtor != NULL)
        return SQ_OK;
    w->debtor = calloc(cells, sizeof *w->debtor);
    w->creditor = calloc(cells, sizeof *w->creditor);
    w->heard = calloc(s->n, sizeof *w->heard);
    w->closing = calloc(s->n, sizeof *w->closing);
    return w->debtor != NULL && w->creditor != NULL && w->heard != NULL && w->closing != NULL
               ? SQ_OK
               : sq_fail(err, SQ_E_NOMEM, "statements of %u nodes", s->n);
}

sq_status sq_window_at(struct sq_settlement *s, uint64_t number, struct sq_window **out, struct sq_error *err)
{
    if (number == 0 || number > s->open + SQ_WINDOWS_AHEAD)
        return sq_fail(err, SQ_R_WINDOW_STATE, "window %" PRIu64 "; %" PRIu64 " is open", number, s->open);
    while (s->window_count < number) {
        sq_status st = sq_window_new(s, s->window_count + 1u, err);
        if (st != SQ_OK)
            return st;
    }
    *out = s->windows[number - 1];
    return SQ_OK;
}

/* ---- what the agreement asks for ---- */

struct host {
    struct sq_settlement *s;
    struct sq_window *w;
    struct sq_effects *fx;
    struct sq_error *err;
    sq_status st; /* of making values, which the agreement asks for as a question */
};

static int host_valid(void *ctx, const uint8_t hash[static SQ_HASH_SIZE])
{
    struct host *h = ctx;
    struct sq_value *v = sq_value_find(h->w, hash);
    if (v != NULL && h->st == SQ_OK)
        h->st = sq_value_try(h->s, h->w, v, h->err);
    return v != NULL && v->valid;
}

static int host_known(void *ctx, const uint8_t hash[static SQ_HASH_SIZE])
{
    struct host *h = ctx;
    const struct sq_value *v = sq_value_find(h->w, hash);
    return v != NULL && (v->bytes.data != NULL || host_valid(ctx, hash));
}

static sq_status host_propose(void *ctx, uint32_t round, uint32_t valid_round, const uint8_t *value,
                              uint8_t value_out[static SQ_HASH_SIZE])
{
    struct host *h = ctx;
    if (value != NULL) {
        memcpy(value_out, value, SQ_HASH_SIZE);
        /* Some may not have heard the prevotes that it rests on, and would wait for them. */
        sq_status st = sq_relay_votes(h->w, valid_round - 1, SQ_VOTE_PREVOTE, value, h->fx, h->err);
        if (st != SQ_OK)
            return st;
    } else {
        struct sq_blob made = {0};
        /* Who states one thing here and another there can keep any pair of its own invalid somewhere. That must end. */
        int empty = round >= SQ_EMPTY_ROUND && round >= h->s->n;
        sq_status st = sq_value_build(h->s, h->w, empty, &made, h->err);
        if (st == SQ_OK)
            st = sq_value_keep(h->w, h->s->self, sq_bytes_of(made.data, made.size), value_out, h->err);
        free(made.data);
        if (st != SQ_OK)
            return st;
    }
    struct sq_value *v = sq_value_find(h->w, value_out);
    SQ_ASSERT(v != NULL &&
              v->bytes.data != NULL); /* what two thirds have prevoted is known before it becomes the valid one */
    v->valid |= value == NULL;        /* made from what was stated here */
    return sq_value_propose(h->s, h->w, v, round, valid_round, h->fx, h->err);
}

static sq_status host_vote(void *ctx, uint32_t round, uint32_t step, const uint8_t *value)
{
    struct host *h = ctx;
    union {
        const uint8_t *in;
        uint8_t *out;
    } hash = {value}; /* messages do not say const; packing only reads */
    Sanquan__V1__Vote m;
    sanquan__v1__vote__init(&m);
    m.window = h->w->number;
    m.round = round;
    m.step = step - 1; /* on the wire: 1 prevote, 2 precommit */
    m.value = (ProtobufCBinaryData){value != NULL ? SQ_HASH_SIZE : 0, hash.out};
    return sq_effects_send_all(h->fx, SANQUAN__V1__MESSAGE_TYPE__VOTE, &m.base, h->err);
}

static struct sq_agreement_host host_of(struct host *h)
{
    return (struct sq_agreement_host){h, host_valid, host_known, host_propose, host_vote};
}

/* ---- from CUT to FINAL ---- */

static sq_status carry_out_cut(struct sq_settlement *s, uint64_t now_ms, struct sq_effects *fx, struct sq_error *err);

static sq_status counterstate(struct host *h, uint64_t now_ms)
{
    struct sq_settlement *s = h->s;
    h->w->countered = 1;
    h->w->counterstatements++;
    s->news++;
    for (uint32_t debtor = 0; debtor < s->n; debtor++) {
        size_t at = (size_t)debtor * s->n + s->self;
        if (debtor != s->self && h->w->debtor[at].present)
            sq_fold_row(&s->owed[debtor], &h->w->heard[debtor], &h->w->creditor[at]);
    }
    sq_status st = sq_statement_send(s, h->w, 0, h->fx, h->err);
    for (uint32_t debtor = 0; st == SQ_OK && debtor < s->n; debtor++)
        if (debtor != s->self)
            st = sq_break_compare(s, h->w, debtor, s->self, now_ms, h->fx, h->err);
    return st;
}

/* By the value, not by what was stated here: it is what all have agreed on. */
static void settle_link(struct sq_link *l, const Sanquan__V1__Pair *pair)
{
    l->settled.number = pair->last;
    l->settled.count += pair->count;
    memcpy(l->settled.hash, pair->hash.data, SQ_HASH_SIZE);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        l->settled.total_fen[k] += pair->total_fen[k]; /* stays below `now`, which was checked */
    memset(l->carried_fen, 0, sizeof l->carried_fen);
    sq_link_trim(l);
}

/* Between this window and the next, at every node alike. */
static sq_status apply_changes(struct host *h, const Sanquan__V1__Settlement *value)
{
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < value->n_changes; i++) {
        struct sq_change c = {value->changes[i]->unpaid_window, sq_code_find(h->s, value->changes[i]->node),
                              value->changes[i]->standing};
        if (c.unpaid != 0)
            st = sq_default_apply(h->s, &c, h->w->number, h->err);
        if (st == SQ_OK)
            sq_change_apply(h->s, &c, h->w->number);
    }
    for (size_t i = 0; st == SQ_OK && i < value->n_payments; i++)
        sq_account_move(h->s, value->payments[i], SQ_ACCOUNT_COMMIT);
    for (size_t i = 0; st == SQ_OK && i < value->n_losses; i++)
        sq_account_move(h->s, value->losses[i], SQ_ACCOUNT_COMMIT);
    return st;
}

static sq_status finalise(struct host *h, uint64_t now_ms)
{
    struct sq_settlement *s = h->s;
    struct sq_window *w = h->w;
    struct sq_value *v = sq_value_find(w, w->agreement.decided);
    SQ_ASSERT(v != NULL); /* host_known has just said so */
    Sanquan__V1__Settlement *value = sq_settlement_open(sq_bytes_of(v->bytes.data, v->bytes.size));
    if (value == NULL)
        return sq_fail(h->err, SQ_E_NOMEM, "final settlement");
    for (size_t i = 0; i < value->n_pairs; i++) {
        uint32_t debtor = sq_code_find(s, value->pairs[i]->debtor),
                 creditor = sq_code_find(s, value->pairs[i]->creditor);
        if (debtor == s->self)
            settle_link(&s->owes[creditor], value->pairs[i]);
        else if (creditor == s->self)
            settle_link(&s->owed[debtor], value->pairs[i]);
        if (debtor == s->self || creditor == s->self)
            sq_break_close(s, debtor, creditor, now_ms);
    }
    for (size_t i = 0; i < value->n_left; i++) {
        uint32_t debtor = sq_code_find(s, value->left[i]->payer), creditor = sq_code_find(s, value->left[i]->payee);
        if (debtor == s->self || creditor == s->self)
            sq_link_leave(debtor == s->self ? &s->owes[creditor] : &s->owed[debtor], value->left[i]->kind,
                          value->left[i]->amount_fen);
    }
    sq_status st = apply_changes(h, value);
    sanquan__v1__settlement__free_unpacked(value, NULL);
    if (st != SQ_OK)
        return st;
    w->decided = v->bytes;
    v->bytes.data = NULL;
    w->state = SQ_WINDOW_FINAL;
    w->final_ms = now_ms;
    w->late_ms = 0;
    free_bulk(w);
    s->deciding = 0;
    st = sq_relay_begin(s, w, now_ms, h->fx, h->err);
    if (st != SQ_OK)
        return st;
    /* Others may be several windows ahead: each that somebody has stated is cut in its turn. */
    return s->cut_wanted || s->windows[s->open - 1]->statements != 0 ? carry_out_cut(s, now_ms, h->fx, h->err) : SQ_OK;
}

/* Go on as far as what is known allows. */
static sq_status advance(struct host *h, uint64_t now_ms)
{
    struct sq_window *w = h->w;
    struct sq_agreement_host ah = host_of(h);
    sq_status st = SQ_OK;
    if (w->state == SQ_WINDOW_CUT && !w->countered && (w->statements == h->s->n || w->lateness >= 1))
        st = counterstate(h, now_ms);
    if (st == SQ_OK && w->state == SQ_WINDOW_CUT && w->countered &&
        ((w->statements == h->s->n && w->counterstatements == h->s->n) || w->lateness >= 2)) {
        w->state = SQ_WINDOW_STATED;
        w->lateness = 2;
        w->reviewing = h->s->charter.review_ms != 0;
        w->late_ms = w->reviewing ? now_ms + h->s->charter.review_ms : 0;
    }
    if (st == SQ_OK && w->state >= SQ_WINDOW_STATED && w->state < SQ_WINDOW_FINAL && !w->reviewing)
        st = sq_agreement_start(&w->agreement, &ah, now_ms);
    if (st == SQ_OK && w->state >= SQ_WINDOW_STATED && w->state < SQ_WINDOW_FINAL)
        st = sq_agreement_look(&w->agreement, &ah, now_ms);
    if (st == SQ_OK && w->state >= SQ_WINDOW_CUT && w->state < SQ_WINDOW_FINAL)
        st = sq_said_tell(h->s, w, h->fx, h->err);
    const uint8_t *missed = st == SQ_OK && w->state < SQ_WINDOW_FINAL ? sq_agreement_missed(&w->agreement, &ah) : NULL;
    if (missed != NULL)
        st = sq_fetch_begin(h->s, w, missed, now_ms, h->fx, h->err);
    if (st == SQ_OK)
        st = h->st;
    if (st == SQ_OK && w->state == SQ_WINDOW_STATED && w->value_count != 0)
        w->state = SQ_WINDOW_PROPOSED;
    if (st == SQ_OK && w->state == SQ_WINDOW_PROPOSED && sq_agreement_decided(&w->agreement))
        st = finalise(h, now_ms);
    return st;
}

/* The open window becomes the deciding one; the next opens. */
static sq_status carry_out_cut(struct sq_settlement *s, uint64_t now_ms, struct sq_effects *fx, struct sq_error *err)
{
    struct sq_window *w, *next;
    sq_status st = sq_window_at(s, s->open, &w, err);
    if (st == SQ_OK)
        st = sq_window_at(s, s->open + 1, &next, err);
    if (st == SQ_OK)
        st = need_bulk(s, w, err);
    if (st != SQ_OK)
        return st;
    w->kinds = sq_closing_kinds(s, w);
    s->cut_wanted = s->cut_kinds = 0;
    s->deciding = s->open++;
    w->state = SQ_WINDOW_CUT;
    w->cut_ms = now_ms;
    w->late_ms = now_ms + SQ_STATEMENTS_LATE_MS;
    sq_closing_own(s, w);
    w->statements++; /* our own */
    s->news++;
    next->state = SQ_WINDOW_OPEN;
    next->opened_ms = now_ms;
    for (uint32_t creditor = 0; creditor < s->n; creditor++)
        if (creditor != s->self)
            sq_fold_row(&s->owes[creditor], &s->owes[creditor].now, &w->debtor[(size_t)s->self * s->n + creditor]);
    struct host h = {s, w, fx, err, SQ_OK};
    st = sq_statement_send(s, w, 1, fx, err);
    /* What this node owes itself needs nobody's word: its own window ends here too. */
    s->owes[s->self].settled = s->owes[s->self].now;
    return st != SQ_OK ? st : advance(&h, now_ms);
}

sq_status sq_settlement_cut(struct sq_settlement *s, uint64_t window, uint32_t kinds, uint64_t now_ms,
                            struct sq_effects *fx, struct sq_error *err)
{
    if (kinds >= SQ_KINDS_END || (kinds & 1) != 0)
        return sq_fail(err, SQ_R_COLUMNS, "kinds %x", kinds);
    if (window != s->open)
        return sq_fail(err, SQ_R_WINDOW_STATE, "window %" PRIu64 "; %" PRIu64 " is open", window, s->open);
    if (s->cut_kinds == 0)
        s->cut_kinds = kinds | SQ_KINDS_ASKED;
    s->cut_wanted = 1;
    if (s->deciding != 0)
        return SQ_OK;
    return carry_out_cut(s, now_ms, fx, err);
}

/* ---- messages ---- */

/* What came from its node itself; `body` is the message. */
static struct sq_said said_by(const struct host *h, uint32_t from, uint32_t counter, sq_bytes body)
{
    struct sq_said l = {.node = from, .counter = counter, .entry = h->fx->seq};
    sq_sha256(body.data, body.size, l.hash);
    return l;
}

static sq_status on_statement(struct host *h, const struct sq_post *post, uint32_t from,
                              const struct sq_statement_rows *rows, sq_bytes body, uint64_t now_ms)
{
    struct sq_settlement *s = h->s;
    struct sq_window *w = h->w;
    struct sq_said said = said_by(h, from, 0, body);
    enum sq_said_news news;
    if (w->state >= SQ_WINDOW_FINAL)
        return SQ_OK; /* too late for this window: its numbers are in the next */
    if (!sq_rows_usable(s, from, rows))
        return sq_fail(h->err, SQ_R_COLUMNS, "statement of %s", s->codes[from]);
    sq_status st = sq_said_hear(s, w, &said, post->whole, &news, h->fx, h->err);
    if (st != SQ_OK || !sq_first_time(s, w->debtor, from))
        return st;
    sq_statement_take(s, w, from, rows, news == SQ_SAID_OTHER ? SQ_TAKE_OWN : SQ_TAKE_ALL);
    const struct sq_stated *own = &w->debtor[(size_t)from * s->n + s->self];
    if (s->owed[from].adopt && own->present && sq_link_adopt(&s->owed[from], own, h->fx->seq))
        s->owed[from].adopt = 0;
    w->heard[from] = s->owed[from].now;
    w->statements++;
    if (w->number >= s->open) {
        s->cut_wanted = 1;
        return s->deciding == 0 ? carry_out_cut(s, now_ms, h->fx, h->err) : SQ_OK;
    }
    return advance(h, now_ms);
}

static sq_status on_counterstatement(struct host *h, const struct sq_post *post, uint32_t from,
                                     const struct sq_statement_rows *rows, sq_bytes body, uint64_t now_ms)
{
    struct sq_settlement *s = h->s;
    struct sq_window *w = h->w;
    struct sq_said said = said_by(h, from, 1, body);
    enum sq_said_news news;
    if (w->state >= SQ_WINDOW_FINAL)
        return SQ_OK;
    if (!sq_rows_usable(s, from, rows))
        return sq_fail(h->err, SQ_R_COLUMNS, "counterstatement of %s", s->codes[from]);
    sq_status st = sq_said_hear(s, w, &said, post->whole, &news, h->fx, h->err);
    if (st == SQ_OK)
        st = sq_counterstatement_take(s, w, from, rows, now_ms, h->fx, h->err);
    return st == SQ_OK && w->number == s->deciding ? advance(h, now_ms) : st;
}

static sq_status on_proposal(struct host *h, uint32_t from, const Sanquan__V1__Proposal *m, sq_bytes body,
                             uint64_t now_ms)
{
    struct sq_window *w = h->w;
    struct sq_agreement_host ah = host_of(h);
    uint8_t hash[SQ_HASH_SIZE];
    if (w->state >= SQ_WINDOW_FINAL || from != sq_agreement_proposer(&w->agreement, m->round))
        return SQ_OK;
    if (!sq_recipe_read(h->s, m, hash))
        return sq_fail(h->err, SQ_R_COLUMNS, "proposal of %s", h->s->codes[from]);
    struct sq_value *v = sq_value_place(w, from, hash);
    sq_status st = SQ_OK;
    if (!v->valid) { /* whoever said first how to make it may have lied */
        v->tried = 0;
        st = sq_blob_set(&v->recipe, body, h->err);
    }
    if (st == SQ_OK)
        st = sq_agreement_on_proposal(&w->agreement, &ah, from, m->round, m->valid_round, hash, now_ms);
    return st == SQ_OK && w->number == h->s->deciding ? advance(h, now_ms) : st;
}

static sq_status on_vote(struct host *h, const struct sq_post *post, uint32_t from, const Sanquan__V1__Vote *m,
                         uint64_t now_ms)
{
    struct sq_agreement_host ah = host_of(h);
    if ((m->value.len != 0 && m->value.len != SQ_HASH_SIZE) || m->step < SQ_VOTE_PREVOTE || m->step > SQ_VOTE_PRECOMMIT)
        return sq_fail(h->err, SQ_R_COLUMNS, "vote of %s", h->s->codes[from]);
    sq_status st = h->w->state < SQ_WINDOW_FINAL && m->round < SQ_AGREEMENT_ROUNDS_MAX
                       ? sq_letter_keep(h->w, from, m, post->whole, h->err)
                       : SQ_OK;
    if (st == SQ_OK)
        st = sq_agreement_on_vote(&h->w->agreement, &ah, from, m->round, m->step + 1,
                                  m->value.len != 0 ? m->value.data : NULL, now_ms);
    return st == SQ_OK && h->w->number == h->s->deciding ? advance(h, now_ms) : st;
}

static sq_status on_relay(struct host *h, const struct sq_post *post, uint32_t from, const Sanquan__V1__Relay *m,
                          uint64_t now_ms)
{
    struct sq_agreement_host ah = host_of(h);
    sq_status st = sq_relay_read(h->s, h->w, &ah, post, from, m, now_ms, h->fx, h->err);
    return st == SQ_OK && h->w->number == h->s->deciding ? advance(h, now_ms) : st;
}

int sq_settlement_too_early(const struct sq_settlement *s, uint32_t type, sq_bytes body)
{
    enum {
        WINDOW_TAG = 0x09
    }; /* field 1, fixed64: the first of all five messages; what is not canonical is refused when taken */
    uint64_t window;
    int of_window = (type >= SANQUAN__V1__MESSAGE_TYPE__STATEMENT && type <= SANQUAN__V1__MESSAGE_TYPE__VOTE) ||
                    type == SANQUAN__V1__MESSAGE_TYPE__RELAY;
    if (!of_window || body.size < 9 || body.data[0] != WINDOW_TAG)
        return 0;
    memcpy(&window, body.data + 1, sizeof window);
    return le64toh(window) > s->open + SQ_WINDOWS_AHEAD;
}

sq_status sq_settlement_message(struct sq_settlement *s, const struct sq_post *post, uint32_t from, uint32_t type,
                                sq_bytes body, uint64_t now_ms, struct sq_effects *fx, struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    ProtobufCMessage *m;
    struct host h = {s, NULL, fx, err, SQ_OK};
    const ProtobufCMessageDescriptor *shape = sq_wire_type(type);
    sq_status st =
        shape == NULL ? sq_fail(err, SQ_R_UNKNOWN_TYPE, "type %u", type) : sq_wire_open(shape, body, &memory, &m, err);
    if (st != SQ_OK)
        return st;
    if (type == SANQUAN__V1__MESSAGE_TYPE__LINK_ASK)
        return sq_break_on_ask(s, from, (const Sanquan__V1__LinkAsk *)m, fx, err);
    if (type == SANQUAN__V1__MESSAGE_TYPE__LINK_TELL)
        return sq_break_on_tell(s, from, (const Sanquan__V1__LinkTell *)m, now_ms, fx, err);
    if (type == SANQUAN__V1__MESSAGE_TYPE__DEBIT_CAP_NOTICE)
        return sq_cap_on_notice(s, from, (const Sanquan__V1__DebitCapNotice *)m, err);
    if (type == SANQUAN__V1__MESSAGE_TYPE__STANDING_NOTICE) {
        st = sq_region_on_notice(s, from, (const Sanquan__V1__StandingNotice *)m, err);
        h.w = s->deciding != 0 ? s->windows[s->deciding - 1] : NULL;
        s->news++;
        return st == SQ_OK && h.w != NULL ? advance(&h, now_ms) : st; /* a value may have become valid */
    }
    /* Every other settlement message begins with its window, and is about it. */
    uint64_t window = type == SANQUAN__V1__MESSAGE_TYPE__STATEMENT ? ((Sanquan__V1__Statement *)m)->window
                      : type == SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT
                          ? ((Sanquan__V1__Counterstatement *)m)->window
                      : type == SANQUAN__V1__MESSAGE_TYPE__PROPOSAL ? ((Sanquan__V1__Proposal *)m)->window
                      : type == SANQUAN__V1__MESSAGE_TYPE__RELAY    ? ((Sanquan__V1__Relay *)m)->window
                                                                    : ((Sanquan__V1__Vote *)m)->window;
    if ((st = sq_window_at(s, window, &h.w, err)) != SQ_OK)
        return st;
    if (h.w->state < SQ_WINDOW_FINAL && (st = need_bulk(s, h.w, err)) != SQ_OK)
        return st;
    const struct sq_statement_rows rows = sq_rows_stated(type, m);
    switch (type) {
    case SANQUAN__V1__MESSAGE_TYPE__STATEMENT:
        return on_statement(&h, post, from, &rows, body, now_ms);
    case SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT:
        return on_counterstatement(&h, post, from, &rows, body, now_ms);
    case SANQUAN__V1__MESSAGE_TYPE__PROPOSAL:
        return on_proposal(&h, from, (const Sanquan__V1__Proposal *)m, body, now_ms);
    case SANQUAN__V1__MESSAGE_TYPE__VOTE:
        return on_vote(&h, post, from, (const Sanquan__V1__Vote *)m, now_ms);
    case SANQUAN__V1__MESSAGE_TYPE__RELAY:
        return on_relay(&h, post, from, (const Sanquan__V1__Relay *)m, now_ms);
    default:
        return sq_fail(err, SQ_R_UNKNOWN_TYPE, "type %u is not of the settlement", type);
    }
}

/* ---- time ---- */

struct sq_settlement_due sq_settlement_next(const struct sq_settlement *s)
{
    struct sq_settlement_due due = {.at_ms = UINT64_MAX};
    if (s->relaying != 0)
        due = (struct sq_settlement_due){s->relay_ms, s->relaying, 4, 0, 0};
    if (s->deciding == 0)
        return due;
    const struct sq_window *w = s->windows[s->deciding - 1];
    uint32_t round = 0, step = 0;
    uint64_t agreement = sq_agreement_due(&w->agreement, &round, &step);
    if (w->late_ms != 0 && w->late_ms < due.at_ms)
        due = (struct sq_settlement_due){w->late_ms, w->number, 3, 0, w->lateness + 1};
    if (agreement != 0 && agreement < due.at_ms)
        due = (struct sq_settlement_due){agreement, w->number, 2, round, step};
    if (w->fetch != NULL && w->fetch->late_ms < due.at_ms)
        due = (struct sq_settlement_due){w->fetch->late_ms, w->number, 6, 0, 0};
    return due;
}

sq_status sq_settlement_tick(struct sq_settlement *s, const struct sq_settlement_due *due, uint64_t now_ms,
                             struct sq_effects *fx, struct sq_error *err)
{
    if (due->reason == 4)
        return due->window == s->relaying && s->relaying != 0 && now_ms >= s->relay_ms ? sq_relay_end(s, fx, err)
                                                                                       : SQ_OK;
    if (due->window == 0 || due->window != s->deciding)
        return SQ_OK;
    struct host h = {s, s->windows[due->window - 1], fx, err, SQ_OK};
    struct sq_agreement_host ah = host_of(&h);
    if (due->reason == 2) {
        sq_status st = sq_agreement_timeout(&h.w->agreement, &ah, due->round, due->step, now_ms);
        return st != SQ_OK ? st : advance(&h, now_ms);
    }
    if (due->reason == 6)
        return h.w->fetch != NULL && now_ms >= h.w->fetch->late_ms ? sq_fetch_late(s, h.w, now_ms, fx, err) : SQ_OK;
    if (due->reason != 3 || h.w->late_ms == 0 || now_ms < h.w->late_ms || due->step != h.w->lateness + 1)
        return SQ_OK;
    h.w->lateness++;
    h.w->late_ms = h.w->lateness < 2 ? now_ms + SQ_STATEMENTS_LATE_MS : 0;
    h.w->reviewing = 0; /* only a review's end comes after the second */
    return advance(&h, now_ms);
}
