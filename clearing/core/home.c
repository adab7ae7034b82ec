/*
 * The home of invoices: claims of other acquirers' providers, and how they ended.
 *
 * Invariants: a claim is registered before its issuer decides it, and given back when that refuses; what is asked back stays claimed, and
 * held, until its issuer has decided.
 */
#include "clearing/base/uscc.h"
#include "clearing/core/issuer.h"

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

void sq_invoice_explain(const struct sq_core *core, struct sq_explain *x, const struct sq_invoice_claim *c,
                        unsigned refused)
{
    struct sq_verdict v = {.x = x};
    int64_t total, used = sq_invoice_base_used(&core->invoices, c, &total);
    if (refused != SQ_OK && (refused != SQ_R_INVOICE_OVERDRAWN || c->base_fen <= total - used))
        (void)sq_rule(&v, 0, refused, 0, 0);
    (void)sq_rule_amount(&v, c->base_fen, total, used, SQ_R_INVOICE_OVERDRAWN, 0, SANQUAN__V1__UNIT__UNIT_BASE);
}

/* For one who asks about a claim of another node: of which programme, how much, and what the register holds. */
static void explain_claim(const struct sq_core *core, struct sq_explain *x, const struct sq_invoice_claim *c,
                          unsigned refused)
{
    const struct sq_programme *p = sq_programme_at(core, c->programme);
    x->issuer = p->issuer;
    x->number = p->number;
    x->amount_fen = c->amount_fen;
    x->base_fen = c->base_fen;
    x->payable_fen = INT64_MAX;
    sq_invoice_explain(core, x, c, refused);
}

/* 0, a refusal, or SQ_E_NOMEM. x: NULL unless somebody asks why. */
static unsigned register_row(struct sq_step *s, uint32_t from, uint32_t seller, const Sanquan__V1__Register *m,
                             size_t k, struct sq_invoice_cursor *cursor, struct sq_explain *x)
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
    if (x != NULL)
        explain_claim(s->core, x, &c, refused);
    return refused != SQ_OK ? refused : sq_invoice_add(&s->core->invoices, &c, cursor);
}

static uint32_t issuer_node(const struct sq_core *core, uint64_t voucher)
{
    uint64_t issuer = voucher / SQ_SERIAL_RADIX / SQ_PROGRAMME_RADIX;
    return issuer > 999999 ? SQ_ROW_NONE : sq_node_of_issuer(core, (uint32_t)issuer);
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
    const size_t watched = sq_watched_row(core, from, m->batch);
    for (size_t k = 0; k < n; k++) {
        struct sq_explain *x = m->row[k] == watched ? core->watch.out : NULL;
        unsigned refused = register_row(s, from, seller, m, k, &cursor, x);
        if (refused == SQ_E_NOMEM)
            return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
        s->code[k] = (uint8_t)refused;
        if (x != NULL && (refused != SQ_OK || issuer_node(core, m->voucher[k]) != core->self))
            sq_watch_end(core, s->fx->seq, m->amount_fen[k] < 0 ? SANQUAN__V1__VERB__RETURN : SANQUAN__V1__VERB__REDEEM,
                         refused);
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
