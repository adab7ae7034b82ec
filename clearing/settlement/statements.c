/*
 * Statements and counterstatements: rows on the wire, cells of what everyone has stated, and the terms that each states beside its rows.
 */
#include "clearing/settlement/internal.h"

static void fill_row(Sanquan__V1__StatementRow *out, char *peer, struct sq_stated *row)
{
    sanquan__v1__statement_row__init(out);
    out->peer = peer;
    out->first = row->first;
    out->last = row->last;
    out->hash = (ProtobufCBinaryData){SQ_HASH_SIZE, row->hash};
    out->count = row->count;
    out->n_total_fen = SQ_KIND_COUNT;
    out->total_fen = row->total_fen;
    out->n_carried_fen = sq_carries(row) ? SQ_KIND_COUNT : 0;
    out->carried_fen = row->carried_fen;
}

static int has_funds(const int64_t *funds_fen)
{
    int any = 0;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        any |= funds_fen[k] != 0;
    return any;
}

sq_status sq_statement_send(struct sq_settlement *s, const struct sq_window *w, int as_debtor, struct sq_effects *fx,
                            struct sq_error *err)
{
    Sanquan__V1__StatementRow *row = sq_arena_take(fx->arena, s->n * sizeof *row),
                              **rows = sq_arena_take(fx->arena, s->n * sizeof *rows);
    size_t count = 0;
    if (row == NULL || rows == NULL)
        return sq_fail(err, SQ_E_FULL, "step memory");
    for (uint32_t peer = 0; peer < s->n; peer++) {
        struct sq_stated *own =
            as_debtor ? &w->debtor[(size_t)s->self * s->n + peer] : &w->creditor[(size_t)peer * s->n + s->self];
        if (peer == s->self || !own->present)
            continue;
        fill_row(&row[count], s->codes[peer], own);
        rows[count] = &row[count];
        count++;
    }
    /* Statement and Counterstatement have the same fields: a window and rows. */
    if (as_debtor) {
        Sanquan__V1__Statement m;
        sanquan__v1__statement__init(&m);
        m.window = w->number;
        m.rows = rows;
        m.n_rows = count;
        m.kinds = w->kinds;
        m.funds_fen = w->closing[s->self].funds_fen;
        m.n_funds_fen = has_funds(m.funds_fen) ? SQ_KIND_COUNT : 0;
        return sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__STATEMENT, &m.base, err);
    }
    Sanquan__V1__Counterstatement m;
    sanquan__v1__counterstatement__init(&m);
    m.window = w->number;
    m.rows = rows;
    m.n_rows = count;
    return sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT, &m.base, err);
}

/*
 * A node owes itself nothing that would be stated, so the cell of a node with itself says whether it has spoken at all: a
 * statement without rows is one too, and none counts twice.
 */
int sq_first_time(const struct sq_settlement *s, struct sq_stated *matrix, uint32_t from)
{
    struct sq_stated *own = &matrix[(size_t)from * s->n + from];
    if (own->present)
        return 0;
    own->present = 1;
    return 1;
}

/* Not present when they are no terms. */
static struct sq_closing closing_of(const Sanquan__V1__Statement *m)
{
    struct sq_closing t = {.present = 1, .kinds = m->kinds};
    t.present =
        m->kinds < SQ_KINDS_END && (m->kinds & 1) == 0 && (m->n_funds_fen == 0 || m->n_funds_fen == SQ_KIND_COUNT);
    for (size_t k = 0; t.present && k < m->n_funds_fen; k++) {
        t.funds_fen[k] = m->funds_fen[k];
        t.present = m->funds_fen[k] >= 0;
    }
    return t;
}

struct sq_statement_rows sq_rows_stated(uint32_t type, const ProtobufCMessage *m)
{
    const Sanquan__V1__Statement *d = (const Sanquan__V1__Statement *)m;
    const Sanquan__V1__Counterstatement *c = (const Sanquan__V1__Counterstatement *)m;
    return type == SANQUAN__V1__MESSAGE_TYPE__STATEMENT
               ? (struct sq_statement_rows){d->window, d->n_rows, d->rows, closing_of(d)}
           : type == SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT
               ? (struct sq_statement_rows){c->window, c->n_rows, c->rows, {.present = 1}}
               : (struct sq_statement_rows){0};
}

int sq_rows_usable(const struct sq_settlement *s, uint32_t from, const struct sq_statement_rows *stated)
{
    for (size_t i = 0; i < stated->count; i++) {
        const Sanquan__V1__StatementRow *r = stated->rows[i];
        uint32_t peer = sq_code_find(s, r->peer);
        if (peer == SQ_ROW_NONE || peer == from || r->hash.len != SQ_HASH_SIZE || r->n_total_fen != SQ_KIND_COUNT ||
            (r->n_carried_fen != 0 && r->n_carried_fen != SQ_KIND_COUNT) || r->first == 0 || r->last + 1 < r->first ||
            (i != 0 && strcmp(stated->rows[i - 1]->peer, r->peer) >= 0))
            return 0;
    }
    return stated->closing.present != 0;
}

static void take_row(const Sanquan__V1__StatementRow *r, struct sq_stated *to)
{
    *to = (struct sq_stated){.present = 1, .first = r->first, .last = r->last, .count = r->count};
    memcpy(to->hash, r->hash.data, SQ_HASH_SIZE);
    memcpy(to->total_fen, r->total_fen, sizeof to->total_fen);
    if (r->n_carried_fen != 0)
        memcpy(to->carried_fen, r->carried_fen, sizeof to->carried_fen);
}

void sq_statement_take(struct sq_settlement *s, struct sq_window *w, uint32_t from,
                       const struct sq_statement_rows *stated, enum sq_take which)
{
    s->news++;
    if (!w->closing[from].present)
        w->closing[from] = stated->closing;
    for (size_t i = 0; i < stated->count; i++) {
        uint32_t peer = sq_code_find(s, stated->rows[i]->peer);
        if (which == SQ_TAKE_ALL || (peer == s->self) == (which == SQ_TAKE_OWN))
            take_row(stated->rows[i], &w->debtor[(size_t)from * s->n + peer]);
    }
}

sq_status sq_counterstatement_take(struct sq_settlement *s, struct sq_window *w, uint32_t from,
                                   const struct sq_statement_rows *stated, uint64_t now_ms, struct sq_effects *fx,
                                   struct sq_error *err)
{
    if (!sq_first_time(s, w->creditor, from))
        return SQ_OK;
    for (size_t i = 0; i < stated->count; i++)
        take_row(stated->rows[i], &w->creditor[(size_t)sq_code_find(s, stated->rows[i]->peer) * s->n + from]);
    w->counterstatements++;
    s->news++;
    return sq_break_compare(s, w, s->self, from, now_ms, fx, err);
}

/* As an operator, the clock or the first other node wants it that closes the window. */
uint32_t sq_closing_kinds(const struct sq_settlement *s, const struct sq_window *w)
{
    if (s->cut_kinds & SQ_KINDS_ASKED)
        return (uint32_t)s->cut_kinds & ~SQ_KINDS_ASKED;
    for (uint32_t node = 0; node < s->n; node++)
        if (w->closing[node].present)
            return w->closing[node].kinds;
    return 0;
}

void sq_closing_own(const struct sq_settlement *s, struct sq_window *w)
{
    struct sq_closing *own = &w->closing[s->self];
    own->present = 1;
    own->kinds = w->kinds;
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
        own->funds_fen[kind - 1] = s->method == SQ_NET_FUNDS ? sq_account_free(s, kind) : 0;
}
