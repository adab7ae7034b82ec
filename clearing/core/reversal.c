/*
 * Credit notes (红字发票): an invoice's total falls after it was claimed, and what it no longer covers is given back.
 *
 *   operator: REVERSE --> home: the new total counts at once;  --REVERSED--> acquirer --CLEAR--> issuers
 *                         what is to come back is held         <--UNREGISTER--  (rows of RETURN, of nobody's batch)
 *
 * Invariants: a total that a note has said stays, whoever claims the invoice and however often it was free; what comes back is exactly what is not
 * covered: of each programme the base above the total and its part of the amount (rounded up, for the budget), and what all
 * amounts together are above their limit. The home knows sums only, so the message names the vouchers, and its sums must be these.
 */
#include "clearing/base/day.h"
#include "clearing/base/uscc.h"
#include "clearing/core/acquirer.h"

struct reversal {
    const Sanquan__V1__Reverse *m;
    struct sq_invoice_key key;
    struct sq_invoice_state state;
    struct sq_invoice_part *part;   /* what is there */
    struct sq_invoice_part *needed; /* what must come back of it, at least */
    int64_t needed_fen;             /* of all together, exactly */
};

static int64_t share_up(int64_t amount_fen, int64_t part, int64_t whole)
{
    return (int64_t)(((__int128)amount_fen * part + whole - 1) / whole);
}

/* What must come back of each part at least; returns what must come back of all together, exactly. */
static int64_t find_uncovered(const struct sq_invoice_state *state, const struct sq_invoice_part *part, int64_t total,
                              struct sq_invoice_part *needed)
{
    int64_t needed_fen = 0;
    __int128 stays = 0;
    for (size_t k = 0; k < state->parts; k++) {
        struct sq_invoice_part p = part[k];
        int64_t above = p.amount_fen != 0 && p.base_fen > total ? p.base_fen - total
                                                                : 0; /* a base without an amount is nobody's money */
        int64_t amount = above == 0 ? 0 : share_up(p.amount_fen, above, p.base_fen);
        needed[k] = (struct sq_invoice_part){.programme = p.programme, .base_fen = above, .amount_fen = amount};
        needed_fen += amount;
        stays += p.amount_fen - amount;
    }
    __int128 limit = (__int128)total * state->limit_bp / 10000;
    return needed_fen + (stays > limit ? (int64_t)(stays - limit) : 0);
}

static sq_status look(struct sq_step *s, struct reversal *x)
{
    struct sq_core *core = s->core;
    const Sanquan__V1__Reverse *m = x->m;
    struct sq_invoice_key note;
    if (m->invoice.len != SQ_INVOICE_CELL || !sq_invoice_key_of(m->invoice.data, &x->key) ||
        m->credit_note.len != SQ_INVOICE_CELL || !sq_invoice_key_of(m->credit_note.data, &note))
        return sq_refuse(s, SQ_R_INVOICE_FORMAT, "invoice or credit note");
    if (sq_node_of_invoice(core, &x->key) != core->self)
        return sq_refuse(s, SQ_R_WRONG_RECEIVER, "this node is not the invoice's home");
    sq_invoice_look(&core->invoices, &x->key, &x->state, NULL, 0);
    if (SQ_COLUMN(s, x->part, x->state.parts) || SQ_COLUMN(s, x->needed, x->state.parts))
        return sq_full(s);
    sq_invoice_look(&core->invoices, &x->key, &x->state, x->part, x->state.parts);
    const int64_t before = x->state.known ? x->state.total_fen : SQ_AMOUNT_MAX_FEN;
    if (m->total_fen < 0 || m->total_fen > before)
        return sq_refuse(s, SQ_R_AMOUNT, "total of %" PRId64 " fen; it was %" PRId64, m->total_fen, before);
    x->needed_fen = find_uncovered(&x->state, x->part, m->total_fen, x->needed);
    return SQ_OK;
}

/* Are these rows of RETURN on this invoice, in form? */
static sq_status check_rows(struct sq_step *s, const Sanquan__V1__Reverse *m, struct sq_rows *r)
{
    unsigned broken = sq_rows_of(m->returns, 1, r);
    if (broken != SQ_OK)
        return sq_refuse(s, (sq_status)broken, "returns of %zu rows", m->returns->n_voucher);
    for (size_t i = 0; i < r->count; i++) {
        unsigned refused = sq_row_check(s->core, r, i);
        if (refused == SQ_OK && (sq_row_verb(r, i) != SANQUAN__V1__VERB__RETURN ||
                                 memcmp(r->invoice + i * SQ_INVOICE_CELL, m->invoice.data, SQ_INVOICE_CELL) != 0))
            refused = SQ_R_REVERSAL;
        if (refused != SQ_OK)
            return sq_refuse(s, (sq_status)refused, "row %zu", i);
    }
    return SQ_OK;
}

static sq_status not_these(struct sq_step *s, const struct reversal *x, size_t k, int64_t base_fen, int64_t amount_fen)
{
    const struct sq_programme *p = sq_programme_at(s->core, x->part[k].programme);
    return sq_refuse(s, SQ_R_REVERSAL,
                     "%06u/%u: base %" PRId64 " and at least %" PRId64 " fen must come back, not %" PRId64
                     " and %" PRId64,
                     p->issuer, p->number, x->needed[k].base_fen, x->needed[k].amount_fen, base_fen, amount_fen);
}

/* Do the rows come to what is uncovered, programme by programme and all together? */
static sq_status check_sums(struct sq_step *s, const struct reversal *x, const struct sq_rows *r)
{
    size_t matched = 0;
    __int128 all = 0;
    for (size_t k = 0; k < x->state.parts; k++) {
        __int128 base = 0, amount = 0;
        for (size_t i = 0; i < r->count; i++)
            if (sq_programme_of_voucher(s->core, r->voucher[i]) == x->part[k].programme) {
                base += r->base_fen[i];
                amount += r->amount_fen[i];
                matched++;
            }
        if (base != x->needed[k].base_fen || amount < x->needed[k].amount_fen || amount > x->part[k].amount_fen)
            return not_these(s, x, k, base > INT64_MAX ? INT64_MAX : (int64_t)base,
                             amount > INT64_MAX ? INT64_MAX : (int64_t)amount);
        all += amount;
    }
    if (matched != r->count)
        return sq_refuse(s, SQ_R_REVERSAL, "%zu rows are of programmes that have nothing on this invoice",
                         r->count - matched);
    if (all != x->needed_fen)
        return sq_refuse(s, SQ_R_REVERSAL, "%" PRId64 " fen must come back altogether", x->needed_fen);
    return SQ_OK;
}

static sq_status check_claimant(struct sq_step *s, const struct reversal *x)
{
    if (x->state.parts == 0)
        return sq_refuse(s, SQ_R_REVERSAL, "nothing is claimed on this invoice");
    const char *acquirer = sq_node_at(s->core, x->state.acquirer)->code,
               *provider = sq_party_code(sq_party_at(s->core, x->state.seller));
    if (strcmp(x->m->acquirer, acquirer) != 0 || strcmp(x->m->provider, provider) != 0)
        return sq_refuse(s, SQ_R_REVERSAL, "%s speaks for its seller, %s", acquirer, provider);
    return SQ_OK;
}

/* No other return can have what these rows ask back. */
static sq_status hold(struct sq_step *s, const struct reversal *x, const struct sq_rows *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct sq_invoice_claim c = {.key = x->key,
                                     .programme = sq_programme_of_voucher(s->core, r->voucher[i]),
                                     .seller = x->state.seller,
                                     .base_fen = r->base_fen[i],
                                     .amount_fen = r->amount_fen[i],
                                     .acquirer = x->state.acquirer};
        unsigned refused = sq_invoice_begin_return(&s->core->invoices, &c);
        if (refused == SQ_E_NOMEM)
            return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
        SQ_ASSERT(refused == SQ_OK); /* all together they are within the sums */
    }
    return SQ_OK;
}

sq_status sq_on_reverse(struct sq_step *s, const Sanquan__V1__Reverse *m)
{
    struct sq_core *core = s->core;
    struct reversal x = {.m = m};
    struct sq_rows r = {0};
    sq_status st = look(s, &x);
    if (st == SQ_OK && m->returns == NULL && x.needed_fen != 0)
        st = sq_refuse(s, SQ_R_REVERSAL, "%" PRId64 " fen must come back altogether", x.needed_fen);
    if (st == SQ_OK && m->returns != NULL && (st = check_rows(s, m, &r)) == SQ_OK &&
        (st = check_claimant(s, &x)) == SQ_OK)
        st = check_sums(s, &x, &r);
    if (st != SQ_OK)
        return st;
    if (sq_invoice_fix(&core->invoices, &x.key, m->total_fen) != SQ_OK)
        return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
    if (m->returns != NULL)
        st = hold(s, &x, &r);
    if (st == SQ_OK && m->returns != NULL)
        st = x.state.acquirer == core->self
                 ? sq_returns_begin(s, x.state.seller, m->returns, &r)
                 : sq_effects_send(s->fx, x.state.acquirer, SANQUAN__V1__MESSAGE_TYPE__REVERSED, &m->base, s->err);
    if (st != SQ_OK)
        return st;
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    answer.count = r.count;
    answer.amount_fen = -x.needed_fen;
    return sq_answer(s, s->party, &answer);
}

sq_status sq_on_reversed(struct sq_step *s, uint32_t from, const Sanquan__V1__Reverse *m)
{
    struct sq_core *core = s->core;
    struct sq_invoice_key key;
    struct sq_rows r;
    char name[SQ_NAME_SIZE_MAX + 1] = "provider:";
    if (m->invoice.len != SQ_INVOICE_CELL || !sq_invoice_key_of(m->invoice.data, &key) ||
        sq_node_of_invoice(core, &key) != from)
        return sq_refuse(s, SQ_R_INVOICE_FORMAT, "its home is another node");
    if (m->returns == NULL || !sq_uscc_valid(m->provider))
        return sq_refuse(s, SQ_R_REVERSAL, "nothing to return, or nobody to return it");
    uint32_t provider = sq_party_find(core, strcat(name, m->provider));
    if (provider == SQ_ROW_NONE || sq_party_at(core, provider)->node != core->self)
        return sq_refuse(s, SQ_R_REVERSAL, "%s is no provider of this node", m->provider);
    sq_status st = check_rows(s, m, &r);
    return st == SQ_OK ? sq_returns_begin(s, provider, m->returns, &r) : st;
}

/* ---- reading ---- */

sq_status sq_core_invoice(const struct sq_core *core, const uint8_t cell[static SQ_INVOICE_CELL], int64_t total_fen,
                          struct sq_invoice_view *out, struct sq_invoice_share *share, uint32_t max)
{
    struct sq_invoice_key key;
    struct sq_invoice_state state;
    struct sq_invoice_part part[SQ_INVOICE_SHARES_MAX], needed[SQ_INVOICE_SHARES_MAX];
    if (!sq_invoice_key_of(cell, &key))
        return (sq_status)SQ_R_INVOICE_FORMAT;
    sq_invoice_look(&core->invoices, &key, &state, part, SQ_INVOICE_SHARES_MAX);
    if (state.parts > max || state.parts > SQ_INVOICE_SHARES_MAX)
        return SQ_E_FULL;
    *out = (struct sq_invoice_view){.home = sq_node_of_invoice(core, &key),
                                    .known = state.known,
                                    .limit_bp = state.limit_bp,
                                    .total_fen = state.known ? state.total_fen : 0,
                                    .acquirer = SQ_ROW_NONE,
                                    .shares = (uint32_t)state.parts};
    if (state.parts != 0) {
        out->seller = sq_party_at(core, state.seller)->name;
        out->acquirer = state.acquirer;
        out->back_fen = find_uncovered(&state, part, total_fen >= 0 ? total_fen : state.total_fen, needed);
    }
    for (size_t k = 0; k < state.parts; k++) {
        const struct sq_programme *p = sq_programme_at(core, part[k].programme);
        share[k] = (struct sq_invoice_share){p->issuer,          p->number,          part[k].base_fen,
                                             part[k].amount_fen, needed[k].base_fen, needed[k].amount_fen};
    }
    return SQ_OK;
}
