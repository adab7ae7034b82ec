/*
 *   entry -> its links' messages: a step under an agreement is a share -> what it took back, or a statement that was taken, is a move
 *         -> a window was cut: what was drawn of advances -> a window is final: what its pairs cover is in it
 *
 * Invariants: moves and shares lie in the order of the journal; the sums of an agreement are those of its links' steps so far, as both nodes
 * keep them; a move or share that is final stays in its window.
 */
#include "ops/common/moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/sanquan.pb-c.h"

struct sums { /* redeemed under one version of an agreement: [0] of this node's vouchers, [1] of the other's */
    int64_t fen[2][SQ_KIND_COUNT];
};

struct advanced { /* a provider with money in advance, and what it had drawn when the last window was cut */
    uint32_t programme, provider;
    int64_t drawn_fen;
};

struct covered {
    uint64_t window, first, last;
};

struct sq_moves {
    struct sq_table moves, shares, advances;
    struct sq_table advanced;
    struct sq_table sums;      /* by the number of the agreement in the core */
    struct sq_link_view *owed; /* [node]: its link to this one after the newest entry */
    struct covered *covered;   /* [node]: numbers of its link that were settled last */
};

static sq_status no_memory(struct sq_error *err)
{
    return sq_fail(err, SQ_E_NOMEM, "moves of a ledger");
}

sq_status sq_moves_new(struct sq_moves **out, struct sq_error *err)
{
    struct sq_moves *x = calloc(1, sizeof *x);
    if (x == NULL)
        return no_memory(err);
    *x = (struct sq_moves){.moves = SQ_TABLE_OF(struct sq_move),
                           .shares = SQ_TABLE_OF(struct sq_share),
                           .advances = SQ_TABLE_OF(struct sq_advance),
                           .advanced = SQ_TABLE_OF(struct advanced),
                           .sums = SQ_TABLE_OF(struct sums)};
    *out = x;
    return SQ_OK;
}

void sq_moves_free(struct sq_moves *x)
{
    if (x == NULL)
        return;
    struct sq_table *tables[] = {&x->moves, &x->shares, &x->advances, &x->advanced, &x->sums};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        sq_table_free(tables[i]);
    free(x->owed);
    free(x->covered);
    free(x);
}

/* The first field of a message of ours with this number; 0, and empty, when it is left out. */
static uint64_t number_in(sq_bytes message, uint32_t wanted)
{
    uint64_t number = 0;
    uint32_t field;
    sq_bytes bytes = {NULL, 0};
    while ((field = sq_wire_field(&message, &number, &bytes)) != 0)
        if (field == wanted)
            return number;
    return 0;
}

static sq_bytes bytes_in(sq_bytes message, uint32_t wanted)
{
    uint64_t number = 0;
    uint32_t field;
    sq_bytes bytes = {NULL, 0};
    while ((field = sq_wire_field(&message, &number, &bytes)) != 0)
        if (field == wanted)
            return bytes;
    return (sq_bytes){NULL, 0};
}

/* ---- money in advance ---- */

static sq_status note_prefund(struct sq_moves *x, const struct sq_core *core, const struct sq_envelope *envelope,
                              struct sq_error *err)
{
    Sanquan__V1__Prefund *m = sanquan__v1__prefund__unpack(NULL, envelope->body.size, envelope->body.data);
    char name[SQ_NAME_SIZE_MAX + 1];
    struct sq_programme_view p;
    uint32_t programme = 0;
    if (m == NULL)
        return no_memory(err);
    snprintf(name, sizeof name, "provider:%.18s", m->provider);
    for (; programme < sq_core_programme_count(core); programme++) {
        sq_core_programme(core, programme, &p);
        if (p.issuer == m->issuer && p.number == m->programme)
            break;
    }
    sanquan__v1__prefund__free_unpacked(m, NULL);
    const struct advanced wanted = {programme, sq_core_party_find(core, name), 0};
    for (uint32_t i = 0; i < x->advanced.count; i++) {
        const struct advanced *a = SQ_ROW(&x->advanced, struct advanced, i);
        if (a->programme == wanted.programme && a->provider == wanted.provider)
            return SQ_OK;
    }
    struct advanced *a = sq_table_add(&x->advanced, NULL);
    if (a == NULL)
        return no_memory(err);
    *a = wanted;
    return SQ_OK;
}

/* A window is cut: what was drawn since the last cut was drawn in it. */
sq_status sq_moves_cut(struct sq_moves *x, const struct sq_core *core, uint64_t window, struct sq_error *err)
{
    for (uint32_t i = 0; i < x->advanced.count; i++) {
        struct advanced *a = SQ_ROW(&x->advanced, struct advanced, i);
        struct sq_prefund_view v;
        if (sq_core_prefund(core, a->programme, a->provider, &v) != SQ_OK || v.drawn_fen == a->drawn_fen)
            continue;
        struct sq_advance *to = sq_table_add(&x->advances, NULL);
        if (to == NULL)
            return no_memory(err);
        *to = (struct sq_advance){window, a->programme, a->provider, v.drawn_fen - a->drawn_fen};
        a->drawn_fen = v.drawn_fen;
    }
    return SQ_OK;
}

/* ---- what is borne under an agreement ---- */

static sq_status find_agreement(const struct sq_core *core, uint32_t other, uint32_t version, uint32_t *number,
                                struct sq_recognition_view *out, struct sq_error *err)
{
    for (*number = 0; *number < sq_core_recognition_count(core); ++*number) {
        sq_core_recognition(core, *number, out);
        if (out->other == other && out->version == version)
            return SQ_OK;
    }
    return sq_fail(err, SQ_E_VERIFY, "a link goes by agreement %u with %s, which is not there", version,
                   sq_core_node(core, other)->code);
}

static struct sums *sums_of(struct sq_moves *x, uint32_t number)
{
    while (x->sums.count <= number)
        if (sq_table_add(&x->sums, NULL) == NULL)
            return NULL;
    return SQ_ROW(&x->sums, struct sums, number);
}

/* One step of a link, as its message says it. */
static sq_status note_share(struct sq_moves *x, const struct sq_core *core, uint32_t debtor, uint32_t creditor,
                            sq_bytes link, struct sq_error *err)
{
    const uint32_t version = (uint32_t)number_in(link, 5), self = sq_core_self(core);
    struct sq_recognition_view a;
    uint32_t number;
    if (version == 0)
        return SQ_OK;
    sq_status st = find_agreement(core, debtor == self ? creditor : debtor, version, &number, &a, err);
    if (st != SQ_OK)
        return st;
    struct sums *sums = sums_of(x, number);
    struct sq_share *s = sums != NULL ? sq_table_add(&x->shares, NULL) : NULL;
    Sanquan__V1__Link *l = s != NULL ? sanquan__v1__link__unpack(NULL, link.size, link.data) : NULL;
    if (l == NULL)
        return no_memory(err);
    const int side = debtor == self ? 0 : 1;
    *s = (struct sq_share){.link = l->number,
                           .window = sq_settlement_open_window(sq_core_settlement(core)),
                           .debtor = debtor,
                           .creditor = creditor,
                           .agreement = version};
    for (size_t k = 0; k < SQ_KIND_COUNT && l->n_borne_fen == SQ_KIND_COUNT && l->n_total_fen == SQ_KIND_COUNT; k++) {
        if (!(a.kinds >> k & 1))
            continue;
        s->borne_bp[k] = a.side[side].borne_bp;
        s->before_fen[k] = sums->fen[side][k];
        s->borne_fen[k] = l->borne_fen[k];
        sums->fen[side][k] += l->total_fen[k] + l->borne_fen[k]; /* the core keeps the same sum within int64 */
    }
    sanquan__v1__link__free_unpacked(l, NULL);
    return SQ_OK;
}

static sq_status note_shares(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *e,
                             const struct sq_envelope *envelope, const struct sq_effects *fx, struct sq_error *err)
{
    enum { LINK_OF_DECIDED = 4, LINK_OF_CLAWBACK = 5 };
    const uint32_t self = sq_core_self(core);
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < fx->out_count; i++) {
        const struct sq_out *out = &fx->out[i];
        if (out->kind == SQ_OUT_PEER && out->type == SANQUAN__V1__MESSAGE_TYPE__DECIDED)
            st = note_share(x, core, self, out->to, bytes_in(out->body, LINK_OF_DECIDED), err);
        else if (out->kind == SQ_OUT_PEER && out->type == SANQUAN__V1__MESSAGE_TYPE__CLAWBACK)
            st = note_share(x, core, self, out->to, bytes_in(out->body, LINK_OF_CLAWBACK), err);
    }
    if (st != SQ_OK || envelope == NULL || number_in(e->outcome, 1) != SQ_OK)
        return st;
    uint32_t from = sq_core_party(core, sq_core_party_find(core, envelope->sender))->node;
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__DECIDED)
        st = note_share(x, core, from, self, bytes_in(envelope->body, LINK_OF_DECIDED), err);
    else if (e->type == SANQUAN__V1__MESSAGE_TYPE__CLAWBACK)
        st = note_share(x, core, from, self, bytes_in(envelope->body, LINK_OF_CLAWBACK), err);
    return st;
}

/* ---- what moves a link and is no row ---- */

static uint32_t kind_of(const struct sq_core *core, uint64_t voucher)
{
    struct sq_programme_view p;
    for (uint32_t i = 0; i < sq_core_programme_count(core); i++) {
        sq_core_programme(core, i, &p);
        if ((uint64_t)p.issuer * 10000u + p.number == voucher / 1000000000u)
            return p.kind;
    }
    return 0;
}

static sq_status add_move(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *e, struct sq_move m,
                          struct sq_error *err)
{
    const struct sq_move *before = x->moves.count != 0 ? SQ_ROW(&x->moves, struct sq_move, x->moves.count - 1) : NULL;
    m.seq = e->seq;
    m.at_ms = e->now_ms;
    m.window = sq_settlement_open_window(sq_core_settlement(core));
    m.place = before != NULL && before->seq == e->seq ? before->place + 1 : 0;
    if (m.kind < 1 || m.kind > SQ_KIND_COUNT)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 " takes back of no programme that this ledger knows", e->seq);
    struct sq_move *to = sq_table_add(&x->moves, NULL);
    if (to == NULL)
        return no_memory(err);
    *to = m;
    return SQ_OK;
}

/* Of a move in a step under an agreement the creditor bears its part of the running sum; *running: what came before it in the step. */
static int64_t borne_of(const struct sq_moves *x, const struct sq_move *m, int64_t *running)
{
    for (uint32_t i = x->shares.count; i-- > 0;) {
        const struct sq_share *s = SQ_ROW(&x->shares, struct sq_share, i);
        if (s->debtor != m->debtor || s->creditor != m->creditor || s->link > m->link)
            continue;
        if (s->link < m->link) /* an older step: this one goes by no agreement */
            return 0;
        int64_t before = s->before_fen[m->kind - 1] + *running;
        *running += m->fen;
        return sq_recognition_share(before + m->fen, s->borne_bp[m->kind - 1]) -
               sq_recognition_share(before, s->borne_bp[m->kind - 1]);
    }
    return 0;
}

/* Debtor: what the step took back, abroad and at home. */
static sq_status note_taken(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *e,
                            const struct sq_effects *fx, struct sq_error *err)
{
    sq_status st = SQ_OK;
    int64_t running = 0;
    for (size_t i = 0; st == SQ_OK && i < fx->taken_count; i++) {
        const struct sq_taken *k = &fx->taken[i];
        struct sq_move m = {.link = k->link,
                            .voucher = k->voucher,
                            .debtor = sq_core_self(core),
                            .creditor = k->creditor,
                            .kind = kind_of(core, k->voucher),
                            .cause = SQ_MOVE_CLAWBACK,
                            .fen = -k->fen};
        snprintf(m.provider, sizeof m.provider, "%.18s", sq_core_party(core, k->provider)->name + strlen("provider:"));
        if (i == 0 || k[-1].creditor != k->creditor || k[-1].link != k->link)
            running = 0;
        if (m.kind != 0)
            m.borne_fen = borne_of(x, &m, &running);
        st = add_move(x, core, e, m, err);
    }
    return st;
}

/* Creditor: what its debtor's message takes back. */
static sq_status note_clawback(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *e,
                               const struct sq_envelope *envelope, uint32_t from, struct sq_error *err)
{
    Sanquan__V1__Clawback *m = sanquan__v1__clawback__unpack(NULL, envelope->body.size, envelope->body.data);
    sq_status st = m == NULL ? no_memory(err) : SQ_OK;
    int64_t running = 0;
    for (size_t i = 0; st == SQ_OK && i < m->n_provider; i++) { /* the core has checked its form */
        struct sq_move to = {.link = m->link->number,
                             .voucher = m->voucher,
                             .debtor = from,
                             .creditor = sq_core_self(core),
                             .kind = kind_of(core, m->voucher),
                             .cause = SQ_MOVE_CLAWBACK,
                             .fen = -m->amount_fen[i]};
        snprintf(to.provider, sizeof to.provider, "%.18s", m->provider[i]);
        if (to.kind != 0)
            to.borne_fen = borne_of(x, &to, &running);
        st = add_move(x, core, e, to, err);
    }
    sanquan__v1__clawback__free_unpacked(m, NULL);
    return st;
}

/*
 * Creditor: nothing but a statement that two people have taken changes what a link says without a step. Then it holds what is stated, and
 * what that is beyond the steps of this node's own journal since the last settlement is an adjustment.
 */
static sq_status note_statement(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *e,
                                const struct sq_envelope *envelope, uint32_t from, struct sq_error *err)
{
    const struct sq_link_view *before = &x->owed[from];
    struct sq_link_view now;
    sq_settlement_link(sq_core_settlement(core), from, sq_core_self(core), &now);
    if (now.last.number == before->last.number && memcmp(now.last.hash, before->last.hash, SQ_HASH_SIZE) == 0)
        return SQ_OK;
    Sanquan__V1__Statement *m = sanquan__v1__statement__unpack(NULL, envelope->body.size, envelope->body.data);
    sq_status st = m == NULL ? no_memory(err) : SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < m->n_rows; i++)
        for (uint32_t k = 0;
             st == SQ_OK && strcmp(m->rows[i]->peer, sq_core_node(core, sq_core_self(core))->code) == 0 &&
             k < SQ_KIND_COUNT;
             k++)
            if (m->rows[i]->total_fen[k] != before->last.total_fen[k])
                st = add_move(x, core, e,
                              (struct sq_move){.link = m->rows[i]->last,
                                               .debtor = from,
                                               .creditor = sq_core_self(core),
                                               .kind = k + 1,
                                               .cause = SQ_MOVE_ADJUSTED,
                                               .fen = m->rows[i]->total_fen[k] - before->last.total_fen[k]},
                              err);
    sanquan__v1__statement__free_unpacked(m, NULL);
    return st;
}

/*
 * Creditor: rows that were decided before the statement was taken have their outcome now. What is owed for them was in the adjustment; it is in
 * the rows from here on.
 */
static sq_status note_counted(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *e,
                              const struct sq_effects *fx, struct sq_error *err)
{
    const struct sq_counted *c = fx->counted;
    sq_status st = SQ_OK;
    for (uint32_t k = 0; st == SQ_OK && c != NULL && k < SQ_KIND_COUNT; k++)
        if (c->fen[k] != 0)
            st = add_move(x, core, e,
                          (struct sq_move){.link = c->link,
                                           .debtor = c->debtor,
                                           .creditor = sq_core_self(core),
                                           .kind = k + 1,
                                           .cause = SQ_MOVE_ADJUSTED,
                                           .fen = -c->fen[k]},
                          err);
    const struct covered *v = c != NULL ? &x->covered[c->debtor] : NULL;
    for (uint32_t i = x->moves.count; v != NULL && i-- > 0 && SQ_ROW(&x->moves, struct sq_move, i)->seq == e->seq;)
        if (c->link >= v->first && c->link <= v->last) { /* the window became final before the rows had their outcome */
            SQ_ROW(&x->moves, struct sq_move, i)->window = v->window;
            SQ_ROW(&x->moves, struct sq_move, i)->is_final = 1;
        }
    return st;
}

sq_status sq_moves_enter(struct sq_moves *x, const struct sq_core *core, const struct sq_entry *e,
                         const struct sq_envelope *envelope, const struct sq_effects *fx, struct sq_error *err)
{
    if (x->owed == NULL) {
        x->owed = calloc(sq_core_node_count(core) + 1u, sizeof *x->owed);
        x->covered = calloc(sq_core_node_count(core) + 1u, sizeof *x->covered);
    }
    if (x->owed == NULL || x->covered == NULL)
        return no_memory(err);
    sq_status st = note_shares(x, core, e, envelope, fx, err);
    if (st == SQ_OK)
        st = note_taken(x, core, e, fx, err);
    if (st == SQ_OK)
        st = note_counted(x, core, e, fx, err);
    if (st != SQ_OK || envelope == NULL || number_in(e->outcome, 1) != SQ_OK)
        return st;
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__PREFUND)
        return note_prefund(x, core, envelope, err);
    if (e->type != SANQUAN__V1__MESSAGE_TYPE__DECIDED && e->type != SANQUAN__V1__MESSAGE_TYPE__CLAWBACK &&
        e->type != SANQUAN__V1__MESSAGE_TYPE__STATEMENT)
        return st;
    uint32_t from = sq_core_party(core, sq_core_party_find(core, envelope->sender))->node;
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__CLAWBACK)
        st = note_clawback(x, core, e, envelope, from, err);
    else if (e->type == SANQUAN__V1__MESSAGE_TYPE__STATEMENT)
        st = note_statement(x, core, e, envelope, from, err);
    sq_settlement_link(sq_core_settlement(core), from, sq_core_self(core), &x->owed[from]);
    return st;
}

/* ---- a window is final ---- */

static void cover(struct sq_moves *x, uint64_t window, uint32_t debtor, uint32_t creditor, uint64_t first,
                  uint64_t last)
{
    for (uint32_t i = 0; i < x->moves.count; i++) {
        struct sq_move *m = SQ_ROW(&x->moves, struct sq_move, i);
        if (!m->is_final && m->debtor == debtor && m->creditor == creditor && m->link >= first && m->link <= last) {
            m->window = window;
            m->is_final = 1;
        }
    }
    for (uint32_t i = x->shares.count; i-- > 0;) {
        struct sq_share *s = SQ_ROW(&x->shares, struct sq_share, i);
        if (s->debtor != debtor || s->creditor != creditor || s->link > last)
            continue;
        if (s->link < first)
            break; /* and so are all before it */
        s->window = window;
        s->is_final = 1;
    }
}

/* A window has become final: what its pairs cover is in it, and so is what the node owed itself until it was cut. */
sq_status sq_moves_settle(struct sq_moves *x, const struct sq_core *core, const struct sq_window_view *v,
                          struct sq_error *err)
{
    const uint32_t self = sq_core_self(core);
    const char *own = sq_core_node(core, self)->code;
    Sanquan__V1__Settlement *m = sq_settlement_open(v->value);
    if (m == NULL)
        return no_memory(err);
    for (size_t i = 0; i < m->n_pairs; i++)
        for (uint32_t node = 0; node < sq_core_node_count(core); node++) {
            const char *other = sq_core_node(core, node)->code;
            if (strcmp(m->pairs[i]->debtor, own) == 0 && strcmp(m->pairs[i]->creditor, other) == 0)
                cover(x, v->window, self, node, m->pairs[i]->first, m->pairs[i]->last);
            else if (strcmp(m->pairs[i]->creditor, own) == 0 && strcmp(m->pairs[i]->debtor, other) == 0) {
                cover(x, v->window, node, self, m->pairs[i]->first, m->pairs[i]->last);
                x->covered[node] = (struct covered){v->window, m->pairs[i]->first, m->pairs[i]->last};
            }
        }
    sanquan__v1__settlement__free_unpacked(m, NULL);
    for (uint32_t i = 0; i < x->moves.count; i++) {
        struct sq_move *move = SQ_ROW(&x->moves, struct sq_move, i);
        move->is_final |= move->debtor == self && move->creditor == self && move->window == v->window;
    }
    for (uint32_t node = 0; node < sq_core_node_count(core); node++)
        sq_settlement_link(sq_core_settlement(core), node, self, &x->owed[node]);
    return SQ_OK;
}

/* ---- reading ---- */

uint32_t sq_moves_count(const struct sq_moves *x)
{
    return x->moves.count;
}
const struct sq_move *sq_moves_at(const struct sq_moves *x, uint32_t i)
{
    return SQ_ROW(&x->moves, struct sq_move, i);
}

uint32_t sq_moves_share_count(const struct sq_moves *x)
{
    return x->shares.count;
}
const struct sq_share *sq_moves_share(const struct sq_moves *x, uint32_t i)
{
    return SQ_ROW(&x->shares, struct sq_share, i);
}

uint32_t sq_moves_advance_count(const struct sq_moves *x)
{
    return x->advances.count;
}
const struct sq_advance *sq_moves_advance(const struct sq_moves *x, uint32_t i)
{
    return SQ_ROW(&x->advances, struct sq_advance, i);
}
