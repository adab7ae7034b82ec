/*
 * The home of invoices: claims of other acquirers' providers, and how they ended.
 *
 * Invariants: a claim is registered before its issuer decides it, and given back when that refuses; what is asked back stays claimed, and
 * held, until its issuer has decided.
 */
#include "clearing/base/uscc.h"
#include "clearing/core/state.h"

static sq_status claim_of_cell(struct sq_step *s, uint32_t from, uint32_t seller, const uint8_t *cell, uint64_t voucher,
                               struct sq_invoice_claim *c)
{
    *c = (struct sq_invoice_claim){
        .programme = sq_programme_of_voucher(s->core, voucher), .seller = seller, .acquirer = from};
    if (!sq_invoice_key_of(cell, &c->key) || sq_node_of_invoice(s->core, &c->key) != s->core->self)
        return SQ_R_INVOICE_FORMAT;
    if (c->programme == SQ_ROW_NONE)
        return SQ_R_UNKNOWN_PROGRAMME;
    const struct sq_programme *p = sq_programme_at(s->core, c->programme);
    c->stack_limit_bp = p->stacking == 1 ? p->stack_limit_bp : 0;
    return SQ_OK;
}

/* 0, a refusal, or SQ_E_NOMEM. */
static unsigned register_row(struct sq_step *s, uint32_t from, uint32_t seller, const Sanquan__V1__Register *m,
                             size_t k, struct sq_invoice_cursor *cursor)
{
    struct sq_invoice_claim c;
    unsigned refused = claim_of_cell(s, from, seller, m->invoice.data + k * SQ_INVOICE_CELL, m->voucher[k], &c);
    if (refused != SQ_OK)
        return refused;
    const int64_t amount = m->amount_fen[k], base = m->base_fen[k], total = m->invoice_total_fen[k];
    int back = amount < 0;
    if (amount == 0 || amount < -SQ_AMOUNT_MAX_FEN || amount > SQ_AMOUNT_MAX_FEN ||
        base < (back ? -SQ_AMOUNT_MAX_FEN : 0) || base > (back ? 0 : SQ_AMOUNT_MAX_FEN) || total < 0 ||
        total > SQ_AMOUNT_MAX_FEN)
        return SQ_R_AMOUNT;
    c.amount_fen = back ? -amount : amount;
    c.base_fen = back ? -base : base;
    c.total_fen = total;
    if (back) /* stays claimed, and held, until an Unregister says what the issuer decided */
        return sq_invoice_begin_return(&s->core->invoices, &c);
    refused = sq_invoice_check(&s->core->invoices, &c, cursor);
    return refused != SQ_OK ? refused : sq_invoice_add(&s->core->invoices, &c, cursor);
}

sq_status sq_on_register(struct sq_step *s, uint32_t from, const Sanquan__V1__Register *m)
{
    struct sq_core *core = s->core;
    size_t n = m->n_row;
    uint32_t seller;
    if (n == 0 || n > SQ_BATCH_ROWS_MAX || m->invoice.len != n * SQ_INVOICE_CELL || m->n_voucher != n ||
        m->n_amount_fen != n || m->n_base_fen != n || m->n_invoice_total_fen != n || m->n_service_day != n ||
        !sq_rows_ascend(m->row, n))
        return sq_refuse(s, SQ_R_COLUMNS, "register of batch %" PRIu64, m->batch);
    if (!sq_uscc_valid(m->provider))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->provider);
    sq_status st = sq_party_intern(core, "provider", m->provider, from, &seller, s->err);
    if (st != SQ_OK)
        return st;
    s->code = sq_arena_take(s->fx->arena, n);
    s->code_count = n;
    if (s->code == NULL)
        return sq_full(s);
    struct sq_invoice_cursor cursor = {0};
    for (size_t k = 0; k < n; k++) {
        unsigned refused = register_row(s, from, seller, m, k, &cursor);
        if (refused == SQ_E_NOMEM)
            return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
        s->code[k] = (uint8_t)refused;
    }
    Sanquan__V1__Registered out;
    sanquan__v1__registered__init(&out);
    out.batch = m->batch;
    out.row = m->row;
    out.n_row = n;
    out.code = (ProtobufCBinaryData){n, s->code};
    return sq_effects_send(s->fx, from, SANQUAN__V1__MESSAGE_TYPE__REGISTERED, &out.base, s->err);
}

sq_status sq_register_end(struct sq_core *core, const struct sq_invoice_claim *c, enum sq_row_end end)
{
    if (end == SQ_END_RETURN_ACCEPTED || end == SQ_END_RETURN_REFUSED)
        sq_invoice_end_return(&core->invoices, c);
    return end == SQ_END_CLAIM_REFUSED || end == SQ_END_RETURN_ACCEPTED ? sq_invoice_subtract(&core->invoices, c)
                                                                        : SQ_OK;
}

sq_status sq_on_unregister(struct sq_step *s, uint32_t from, const Sanquan__V1__Unregister *m)
{
    size_t n = m->n_voucher;
    char name[SQ_NAME_SIZE_MAX + 1] = "provider:";
    if (n == 0 || n > SQ_BATCH_ROWS_MAX || m->invoice.len != n * SQ_INVOICE_CELL || m->n_amount_fen != n ||
        m->n_base_fen != n || m->end.len != n)
        return sq_refuse(s, SQ_R_COLUMNS, "unregister of %zu rows", n);
    if (!sq_uscc_valid(m->provider))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->provider);
    uint32_t seller = sq_party_find(s->core, strcat(name, m->provider));
    for (size_t k = 0; seller != SQ_ROW_NONE && k < n; k++) {
        struct sq_invoice_claim c;
        if (claim_of_cell(s, from, seller, m->invoice.data + k * SQ_INVOICE_CELL, m->voucher[k], &c) != SQ_OK ||
            m->amount_fen[k] <= 0 || m->base_fen[k] < 0)
            continue;
        c.amount_fen = m->amount_fen[k];
        c.base_fen = m->base_fen[k];
        if (sq_register_end(s->core, &c,
                            m->end.data[k] <= SQ_END_RETURN_REFUSED ? (enum sq_row_end)m->end.data[k] : SQ_END_NONE) !=
            SQ_OK)
            return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
    }
    return SQ_OK;
}
