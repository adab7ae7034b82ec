/*
 *   items (ops/history), moves, shares, advances (ops/common/moves.h) --> lines --> do they tie? --> in order
 *
 * Invariants: what an agreement lets a region bear of a step is cut row by row as the step itself is cut: after each row the part borne of the
 * sum so far, less the same before it, so that all rows of a step bear what its link says; every line is also taken off what is owed, and
 * nothing may be left.
 */
#include "ops/cli/tally.h"

#include <stdlib.h>
#include <string.h>

#include "ops/cli/cli.h"
#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"

#define PAGE 2000u

struct cursor { /* how far the rows of a step under an agreement have been seen */
    const struct sq_share *share;
    int64_t seen_fen[SQ_KIND_COUNT], borne_fen[SQ_KIND_COUNT];
};

struct reckoning {
    const struct sq_timeline *timeline;
    const struct sq_core *core;
    uint32_t self;
    uint64_t window;
    uint64_t programme; /* of a budget: issuer and number, as in a voucher; 0: payouts */
    struct sq_tally *out;
    size_t capacity;
    struct cursor *cursors; /* ascending by debtor, creditor, link */
    size_t cursor_count;
    __int128 *owed;                 /* [the other node][kind], less the lines so far */
    __int128 before_fen, spent_fen; /* of a budget: paid for in earlier windows; rows and clawbacks ever */
};

const char *sq_tally_name(const struct sq_tally_line *l)
{
    static const char *const verbs[] = {"?", "redeem", "reserve", "commit", "release", "return"};
    switch (l->what) {
    case SQ_TALLY_ROW:
        return verbs[l->verb < sizeof verbs / sizeof *verbs ? l->verb : 0];
    case SQ_TALLY_CLAWBACK:
        return "clawback";
    case SQ_TALLY_BORNE:
        return "borne";
    case SQ_TALLY_ADVANCE:
        return "advance";
    case SQ_TALLY_ADJUSTED:
        return "adjusted";
    }
    return "?";
}

void sq_tally_free(struct sq_tally *t)
{
    free(t->lines);
    *t = (struct sq_tally){0};
}

/* ---- lines ---- */

static void keep(struct reckoning *r, const struct sq_tally_line *l)
{
    if (r->out->count == r->capacity) {
        r->capacity = r->capacity == 0 ? 4096 : r->capacity * 2;
        r->out->lines = sq_need(realloc(r->out->lines, r->capacity * sizeof *r->out->lines));
    }
    r->out->lines[r->out->count++] = *l;
}

/* One line of any window; what is not final yet belongs to a later one than that which is asked for. */
static sq_status see(struct reckoning *r, const struct sq_tally_line *l, uint64_t window, int is_final,
                     struct sq_error *err)
{
    uint32_t other = r->programme == 0 ? l->issuer : l->acquirer;
    int own = r->programme == 0 || l->voucher / 1000000000u == r->programme;
    if (l->kind < 1 || l->kind > SQ_KIND_COUNT || other >= sq_core_node_count(r->core))
        return sq_fail(err, SQ_E_VERIFY, _("batch %" PRIu64 " row %u is of no programme that this ledger knows"),
                       l->entry, l->row);
    if (own && l->what != SQ_TALLY_BORNE)
        r->spent_fen += l->fen;
    if (own && is_final && window < r->window)
        r->before_fen += l->fen;
    if (!is_final || window != r->window)
        return SQ_OK;
    if (own)
        keep(r, l);
    r->owed[(size_t)other * SQ_KIND_COUNT + l->kind - 1] -= l->fen;
    return SQ_OK;
}

/* ---- what is borne ---- */

static int by_link(const void *a, const void *b)
{
    const struct sq_share *x = ((const struct cursor *)a)->share, *y = ((const struct cursor *)b)->share;
    if (x->debtor != y->debtor)
        return x->debtor < y->debtor ? -1 : 1;
    if (x->creditor != y->creditor)
        return x->creditor < y->creditor ? -1 : 1;
    return x->link < y->link ? -1 : x->link > y->link;
}

/* Steps of this node's side that are looked at whole: of the window; of a budget also of those before, for its opening balance. */
static void open_cursors(struct reckoning *r)
{
    const struct sq_moves *moves = sq_timeline_moves(r->timeline);
    r->cursors = sq_need(calloc(sq_moves_share_count(moves) + 1u, sizeof *r->cursors));
    for (uint32_t i = 0; i < sq_moves_share_count(moves); i++) {
        const struct sq_share *s = sq_moves_share(moves, i);
        if (s->is_final && (r->programme == 0 ? s->creditor == r->self && s->window == r->window
                                              : s->debtor == r->self && s->window <= r->window))
            r->cursors[r->cursor_count++].share = s;
    }
    qsort(r->cursors, r->cursor_count, sizeof *r->cursors, by_link);
}

static struct cursor *cursor_of(const struct reckoning *r, uint32_t debtor, uint32_t creditor, uint64_t link)
{
    const struct sq_share wanted = {.debtor = debtor, .creditor = creditor, .link = link};
    const struct cursor key = {.share = &wanted};
    return r->cursor_count == 0 || link == 0 ? NULL
                                             : bsearch(&key, r->cursors, r->cursor_count, sizeof *r->cursors, by_link);
}

/* The next row of a step: its part of what is borne. */
static int64_t bear(struct cursor *c, size_t kind, int64_t fen)
{
    const struct sq_share *s = c->share;
    int64_t before = s->before_fen[kind] + c->seen_fen[kind];
    int64_t borne =
        sq_recognition_share(before + fen, s->borne_bp[kind]) - sq_recognition_share(before, s->borne_bp[kind]);
    c->seen_fen[kind] += fen;
    c->borne_fen[kind] += borne;
    return borne;
}

static sq_status see_borne(struct reckoning *r, struct sq_tally_line l, int64_t borne_fen, uint64_t window,
                           int is_final, struct sq_error *err)
{
    if (borne_fen == 0)
        return SQ_OK;
    l.what = SQ_TALLY_BORNE;
    l.fen = -borne_fen;
    l.of_region = r->programme == 0;
    return see(r, &l, window, is_final, err);
}

static sq_status close_cursors(const struct reckoning *r, struct sq_error *err)
{
    for (size_t i = 0; i < r->cursor_count; i++)
        for (size_t k = 0; k < SQ_KIND_COUNT; k++)
            if (r->cursors[i].borne_fen[k] != r->cursors[i].share->borne_fen[k])
                return sq_fail(err, SQ_E_VERIFY,
                               _("link %s to %s number %" PRIu64 ": %" PRId64
                                 " fen are borne by the creditor, its rows come to %" PRId64),
                               sq_core_node(r->core, r->cursors[i].share->debtor)->code,
                               sq_core_node(r->core, r->cursors[i].share->creditor)->code, r->cursors[i].share->link,
                               r->cursors[i].share->borne_fen[k], r->cursors[i].borne_fen[k]);
    return SQ_OK;
}

/* ---- from items and moves to lines ---- */

static uint32_t node_of(const struct sq_core *core, const char *code)
{
    for (uint32_t i = 0; i < sq_core_node_count(core); i++)
        if (strcmp(sq_core_node(core, i)->code, code) == 0)
            return i;
    return SQ_ROW_NONE;
}

static sq_status see_item(struct reckoning *r, const struct sq_item *i, struct sq_error *err)
{
    static const uint8_t none[10];
    struct sq_tally_line l = {.verb = i->verb,
                              .acquirer = node_of(r->core, i->creditor),
                              .issuer = node_of(r->core, i->debtor),
                              .kind = i->kind,
                              .row = i->batch_row,
                              .voucher = i->voucher,
                              .entry = i->batch,
                              .link = i->link,
                              .fen = sq_item_moved_fen(i)};
    if (l.fen == 0)
        return SQ_OK;
    memcpy(l.provider, i->provider, sizeof l.provider);
    if (memcmp(i->invoice, none, sizeof none) != 0)
        sq_hex(i->invoice, sizeof i->invoice, l.invoice); /* decimal digits, two a byte */
    sq_status st = see(r, &l, i->window, i->is_final, err);
    struct cursor *c = st == SQ_OK ? cursor_of(r, l.issuer, l.acquirer, l.link) : NULL;
    return c != NULL ? see_borne(r, l, bear(c, l.kind - 1, l.fen), i->window, i->is_final, err) : st;
}

static sq_status see_items(struct reckoning *r, struct sq_query *q, const struct sq_filter *f, struct sq_error *err)
{
    struct sq_item *page = sq_need(calloc(PAGE, sizeof *page));
    struct sq_query_place place = {0};
    uint32_t count;
    int more = 1;
    sq_status st = SQ_OK;
    while (st == SQ_OK && more) {
        st = sq_query_items(q, f, 0, &place, page, PAGE, &count, &more, err);
        for (uint32_t i = 0; st == SQ_OK && i < count; i++)
            st = see_item(r, &page[i], err);
    }
    free(page);
    return st;
}

static sq_status see_move(struct reckoning *r, const struct sq_move *m, struct sq_error *err)
{
    struct sq_tally_line l = {.what = SQ_TALLY_CLAWBACK,
                              .acquirer = m->creditor,
                              .issuer = m->debtor,
                              .kind = m->kind,
                              .row = m->place,
                              .voucher = m->voucher,
                              .entry = m->seq,
                              .link = m->debtor != m->creditor ? m->link : 0,
                              .fen = m->fen};
    memcpy(l.provider, m->provider, sizeof l.provider);
    sq_status st = see(r, &l, m->window, m->is_final, err);
    struct cursor *c = cursor_of(r, m->debtor, m->creditor, l.link);
    if (c != NULL)
        c->borne_fen[m->kind - 1] += m->borne_fen;
    return st == SQ_OK ? see_borne(r, l, m->borne_fen, m->window, m->is_final, err) : st;
}

static sq_status see_moves(struct reckoning *r, struct sq_error *err)
{
    const struct sq_moves *moves = sq_timeline_moves(r->timeline);
    sq_status st = SQ_OK;
    for (uint32_t i = 0; st == SQ_OK && i < sq_moves_count(moves); i++) {
        const struct sq_move *m = sq_moves_at(moves, i);
        if (m->cause == SQ_MOVE_CLAWBACK && (r->programme == 0 ? m->creditor : m->debtor) == r->self)
            st = see_move(r, m, err);
    }
    return st;
}

/*
 * Where two people have taken the debtor's statement of this window, what it says beyond all other lines is the region's: what it was at that
 * moment (the move knows), less rows that have found their end since.
 */
static sq_status see_adjusted(struct reckoning *r, struct sq_error *err)
{
    const struct sq_moves *moves = sq_timeline_moves(r->timeline);
    sq_status st = SQ_OK;
    for (uint32_t i = 0; st == SQ_OK && i < sq_moves_count(moves); i++) {
        const struct sq_move *m = sq_moves_at(moves, i);
        if (m->cause != SQ_MOVE_ADJUSTED || m->window != r->window || !m->is_final)
            continue;
        struct sq_tally_line l = {.what = SQ_TALLY_ADJUSTED,
                                  .of_region = 1,
                                  .acquirer = m->creditor,
                                  .issuer = m->debtor,
                                  .kind = m->kind,
                                  .row = m->place,
                                  .entry = m->seq,
                                  .link = m->link,
                                  .fen = (int64_t)r->owed[(size_t)m->debtor * SQ_KIND_COUNT + m->kind - 1]};
        if (l.fen != 0)
            st = see(r, &l, m->window, 1, err);
    }
    return st;
}

/* What an advance has paid, the provider does not get again; between regions it changes nothing. */
static sq_status see_advances(struct reckoning *r, struct sq_error *err)
{
    const struct sq_moves *moves = sq_timeline_moves(r->timeline);
    sq_status st = SQ_OK;
    for (uint32_t i = 0; st == SQ_OK && i < sq_moves_advance_count(moves); i++) {
        const struct sq_advance *a = sq_moves_advance(moves, i);
        struct sq_programme_view p;
        sq_core_programme(r->core, a->programme, &p);
        struct sq_tally_line l = {.what = SQ_TALLY_ADVANCE,
                                  .acquirer = r->self,
                                  .issuer = r->self,
                                  .kind = p.kind,
                                  .row = i,
                                  .fen = -a->drawn_fen};
        snprintf(l.provider, sizeof l.provider, "%.18s",
                 sq_core_party(r->core, a->provider)->name + strlen("provider:"));
        st = see(r, &l, a->window, 1, err);
        l.of_region = 1;
        l.fen = a->drawn_fen;
        if (st == SQ_OK)
            st = see(r, &l, a->window, 1, err);
    }
    return st;
}

/* ---- what is owed ---- */

static void owe_all(const struct reckoning *r, const char *code, const int64_t *fen)
{
    uint32_t node = node_of(r->core, code);
    for (size_t k = 0; node != SQ_ROW_NONE && k < SQ_KIND_COUNT; k++)
        r->owed[(size_t)node * SQ_KIND_COUNT + k] += fen[k];
}

/* What earlier windows have left is of their items. */
static void owe(const struct reckoning *r, const char *code, const Sanquan__V1__Pair *p)
{
    int64_t fen[SQ_KIND_COUNT];
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        fen[k] = p->total_fen[k] - (p->n_carried_fen == SQ_KIND_COUNT ? p->carried_fen[k] : 0);
    owe_all(r, code, fen);
}

/* By the settlement, and by the node to itself. */
static sq_status begin_owed(struct reckoning *r, struct sq_error *err)
{
    struct sq_timeline_window w;
    struct sq_window_view v;
    sq_status st = sq_timeline_window(r->timeline, r->window, &w, err);
    if (st == SQ_OK && w.final.at_ms == 0)
        st =
            sq_fail(err, SQ_R_WINDOW_STATE, _("window %" PRIu64 " is not final: nothing is to be paid yet"), r->window);
    if (st == SQ_OK)
        st = sq_settlement_window(sq_core_settlement(r->core), r->window, &v, err);
    if (st != SQ_OK)
        return st;
    Sanquan__V1__Settlement *value = sq_need(sq_settlement_open(v.value));
    const char *own = sq_core_node(r->core, r->self)->code;
    r->owed = sq_need(calloc((size_t)sq_core_node_count(r->core) * SQ_KIND_COUNT + 1, sizeof *r->owed));
    for (size_t i = 0; i < value->n_pairs; i++) {
        const Sanquan__V1__Pair *p = value->pairs[i];
        if (strcmp(r->programme == 0 ? p->creditor : p->debtor, own) == 0)
            owe(r, r->programme == 0 ? p->debtor : p->creditor, p);
    }
    owe_all(r, own, w.local_fen);
    sanquan__v1__settlement__free_unpacked(value, NULL);
    return SQ_OK;
}

static sq_status end_owed(const struct reckoning *r, struct sq_error *err)
{
    for (size_t i = 0; i < (size_t)sq_core_node_count(r->core) * SQ_KIND_COUNT; i++) {
        const char *other = sq_core_node(r->core, (uint32_t)(i / SQ_KIND_COUNT))->code,
                   *own = sq_core_node(r->core, r->self)->code;
        if (r->owed[i] != 0)
            return sq_fail(err, SQ_E_VERIFY,
                           _("window %" PRIu64 ": redemptions of kind %zu differ by %" PRId64
                             " fen from what %s owes %s by the settlement"),
                           r->window, i % SQ_KIND_COUNT + 1, (int64_t)r->owed[i], r->programme == 0 ? other : own,
                           r->programme == 0 ? own : other);
    }
    return SQ_OK;
}

/* ---- the two tallies ---- */

static int by_account(const void *a, const void *b)
{
    const struct sq_tally_line *x = a, *y = b;
    if (x->of_region != y->of_region)
        return x->of_region - y->of_region;
    int order = x->of_region ? 0 : strcmp(x->provider, y->provider);
    if (order != 0)
        return order;
    if (x->acquirer != y->acquirer)
        return x->acquirer < y->acquirer ? -1 : 1;
    if (x->entry != y->entry)
        return x->entry < y->entry ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->what < y->what ? -1 : x->what > y->what;
}

static sq_status reckon(struct reckoning *r, struct sq_query *q, const struct sq_filter *f, struct sq_error *err)
{
    *r->out = (struct sq_tally){0};
    sq_status st = begin_owed(r, err);
    if (st == SQ_OK) {
        open_cursors(r);
        st = see_items(r, q, f, err);
    }
    if (st == SQ_OK)
        st = see_moves(r, err);
    if (st == SQ_OK && r->programme == 0)
        st = see_advances(r, err);
    if (st == SQ_OK && r->programme == 0)
        st = see_adjusted(r, err);
    if (st == SQ_OK)
        st = close_cursors(r, err);
    if (st == SQ_OK)
        st = end_owed(r, err);
    if (st == SQ_OK && r->out->count != 0)
        qsort(r->out->lines, r->out->count, sizeof *r->out->lines, by_account);
    free(r->cursors);
    free(r->owed);
    if (st != SQ_OK)
        sq_tally_free(r->out);
    return st;
}

static struct reckoning reckoning_of(const struct sq_timeline *t, uint64_t window, struct sq_tally *out)
{
    const struct sq_core *core = sq_timeline_core(t);
    return (struct reckoning){.timeline = t, .core = core, .self = sq_core_self(core), .window = window, .out = out};
}

sq_status sq_tally_payouts(struct sq_query *q, const struct sq_timeline *t, uint64_t window, struct sq_tally *out,
                           struct sq_error *err)
{
    struct reckoning r = reckoning_of(t, window, out);
    struct sq_filter f = {.window = window, .state = SQ_ITEM_ACCEPTED};
    memcpy(f.creditor, sq_core_node(r.core, r.self)->code, sizeof f.creditor);
    return reckon(&r, q, &f, err);
}

static sq_status find_programme(const struct reckoning *r, uint32_t issuer, uint32_t number,
                                struct sq_programme_view *out, struct sq_error *err)
{
    for (uint32_t i = 0; i < sq_core_programme_count(r->core); i++) {
        sq_core_programme(r->core, i, out);
        if (out->issuer == issuer && out->number == number && out->node == r->self)
            return SQ_OK;
    }
    return sq_fail(err, SQ_E_NOT_FOUND, _("programme %06u/%u is not at home in this ledger"), issuer, number);
}

sq_status sq_tally_budget(struct sq_query *q, const struct sq_timeline *t, uint64_t window, uint32_t issuer,
                          uint32_t programme, struct sq_tally *out, struct sq_error *err)
{
    struct reckoning r = reckoning_of(t, window, out);
    struct sq_filter f = {.state = SQ_ITEM_ACCEPTED};
    struct sq_programme_view p = {0};
    r.programme = (uint64_t)issuer * 10000u + programme;
    memcpy(f.debtor, sq_core_node(r.core, r.self)->code, sizeof f.debtor);
    *out = (struct sq_tally){0};
    sq_status st = find_programme(&r, issuer, programme, &p, err);
    if (st == SQ_OK)
        st = reckon(&r, q, &f, err);
    if (st == SQ_OK && r.spent_fen != p.spent_fen) {
        sq_tally_free(out);
        st = sq_fail(err, SQ_E_VERIFY,
                     _("redemptions of %06u/%u add up to %" PRId64 " fen, the programme has spent %" PRId64), issuer,
                     programme, (int64_t)r.spent_fen, p.spent_fen);
    }
    if (st != SQ_OK)
        return st;
    out->opening_fen = out->closing_fen = p.pool_fen - (int64_t)r.before_fen;
    for (size_t i = 0; i < out->count; i++)
        out->closing_fen -= out->lines[i].fen;
    return SQ_OK;
}
