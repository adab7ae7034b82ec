/*
 * What a batch asks of other nodes: claims of invoices of their homes, decisions of their issuers. Nothing is decided here.
 */
#include "clearing/core/acquirer.h"

#define CLEAR_EXPIRES_MS 3600000u /* an issuer that comes back after an hour refuses; the provider may send again */

sq_status sq_send_register(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, uint32_t node,
                           uint32_t *row, size_t n)
{
    Sanquan__V1__Register m;
    sanquan__v1__register__init(&m);
    if (SQ_COLUMN(s, m.invoice.data, n * SQ_INVOICE_CELL) || SQ_COLUMN(s, m.voucher, n) ||
        SQ_COLUMN(s, m.amount_fen, n) || SQ_COLUMN(s, m.base_fen, n) || SQ_COLUMN(s, m.invoice_total_fen, n) ||
        SQ_COLUMN(s, m.service_day, n) || SQ_COLUMN(s, m.provider, SQ_NAME_SIZE_MAX))
        return sq_full(s);
    m.batch = w->seq;
    strcpy(m.provider, sq_party_code(sq_party_at(s->core, w->party)));
    m.row = row;
    m.n_row = m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service_day = n;
    m.invoice.len = n * SQ_INVOICE_CELL;
    for (size_t k = 0; k < n; k++) {
        size_t i = row[k];
        int back = sq_row_verb(r, i) == SANQUAN__V1__VERB__RETURN;
        memcpy(m.invoice.data + k * SQ_INVOICE_CELL, r->invoice + i * SQ_INVOICE_CELL, SQ_INVOICE_CELL);
        m.voucher[k] = r->voucher[i];
        m.amount_fen[k] = back ? -r->amount_fen[i] : r->amount_fen[i];
        m.base_fen[k] = back ? -r->base_fen[i] : r->base_fen[i];
        m.invoice_total_fen[k] = r->total_fen[i];
        m.service_day[k] = r->service_day[i];
    }
    return sq_effects_send(s->fx, node, SANQUAN__V1__MESSAGE_TYPE__REGISTER, &m.base, s->err);
}

/* The rows of a batch that go to one issuer, as a batch of their own. */
static sq_status copy_rows(struct sq_step *s, const Sanquan__V1__Batch *in, const uint32_t *row, size_t n,
                           Sanquan__V1__Batch *out)
{
    sanquan__v1__batch__init(out);
    if (SQ_COLUMN(s, out->voucher, n) || SQ_COLUMN(s, out->amount_fen, n) || SQ_COLUMN(s, out->base_fen, n) ||
        SQ_COLUMN(s, out->invoice.data, n * SQ_INVOICE_CELL) || SQ_COLUMN(s, out->invoice_total_fen, n) ||
        SQ_COLUMN(s, out->service, n) || SQ_COLUMN(s, out->scenario, n) || SQ_COLUMN(s, out->service_day, n) ||
        SQ_COLUMN(s, out->evidence.data, n * 16) || SQ_COLUMN(s, out->verb.data, n) ||
        SQ_COLUMN(s, out->reservation, n) || SQ_COLUMN(s, out->facts, n) || SQ_COLUMN(s, out->documents, n) ||
        SQ_COLUMN(s, out->quantity, n) || SQ_COLUMN(s, out->payee.data, n))
        return sq_full(s);
    out->n_voucher = out->n_amount_fen = out->n_base_fen = out->n_invoice_total_fen = out->n_service =
        out->n_service_day = n;
    out->invoice.len = n * SQ_INVOICE_CELL;
    out->n_scenario = in->n_scenario != 0 ? n : 0;
    out->evidence.len = in->evidence.len != 0 ? n * 16 : 0;
    out->verb.len = in->verb.len != 0 ? n : 0;
    out->n_reservation = in->n_reservation != 0 ? n : 0;
    out->n_quantity = in->n_quantity != 0 ? n : 0;
    out->payee.len = in->payee.len != 0 ? n : 0;
    out->n_facts = in->n_facts != 0 ? n : 0;
    out->n_documents = in->n_documents != 0 ? n : 0;
    out->n_fact_sets = in->n_fact_sets; /* all of them: rows name them by number */
    out->fact_sets = in->fact_sets;
    out->reserve_until_ms = in->reserve_until_ms;
    for (size_t k = 0; k < n; k++) {
        size_t i = row[k];
        out->voucher[k] = in->voucher[i];
        out->amount_fen[k] = in->amount_fen[i];
        out->base_fen[k] = in->base_fen[i];
        memcpy(out->invoice.data + k * SQ_INVOICE_CELL, in->invoice.data + i * SQ_INVOICE_CELL, SQ_INVOICE_CELL);
        out->invoice_total_fen[k] = in->invoice_total_fen[i];
        out->service[k] = in->service[i];
        out->service_day[k] = in->service_day[i];
        if (out->n_scenario != 0)
            out->scenario[k] = in->scenario[i];
        if (out->evidence.len != 0)
            memcpy(out->evidence.data + k * 16, in->evidence.data + i * 16, 16);
        if (out->verb.len != 0)
            out->verb.data[k] = in->verb.data[i];
        if (out->n_reservation != 0)
            out->reservation[k] = in->reservation[i];
        if (out->payee.len != 0)
            out->payee.data[k] = in->payee.data[i];
        if (out->n_quantity != 0)
            out->quantity[k] = in->quantity[i];
        if (out->n_facts != 0)
            out->facts[k] = in->facts[i];
        if (out->n_documents != 0)
            out->documents[k] = in->documents[i];
    }
    return SQ_OK;
}

uint64_t sq_part_number(const struct sq_waiting *w, uint32_t row)
{
    _Static_assert(SQ_BATCH_ROWS_MAX <= 1u << 13, "a row has 13 bits");
    SQ_ASSERT(w->seq < SQ_BUNDLE_NUMBERS >> 13);
    return SQ_BUNDLE_NUMBERS | w->seq << 13 | row;
}

sq_status sq_send_clear(struct sq_step *s, const struct sq_waiting *w, const Sanquan__V1__Batch *batch, uint32_t node,
                        uint8_t part_verb, uint32_t *row, size_t n)
{
    Sanquan__V1__Clear m;
    Sanquan__V1__Batch items;
    sanquan__v1__clear__init(&m);
    sq_status st = copy_rows(s, batch, row, n, &items);
    if (st != SQ_OK)
        return st;
    if (SQ_COLUMN(s, m.provider, SQ_NAME_SIZE_MAX))
        return sq_full(s);
    strcpy(m.provider, sq_party_code(sq_party_at(s->core, w->party)));
    m.batch = w->seq;
    m.expires_at_ms = s->core->now_ms + CLEAR_EXPIRES_MS;
    if (part_verb != 0) {
        items.verb.len = items.n_reservation = n;
        for (size_t k = 0; k < n; k++) {
            items.verb.data[k] = part_verb;
            items.reservation[k] = sq_part_number(w, row[k]);
        }
        /* What was decided is done whenever it arrives; a hold is of no use when the bundle's time is over. */
        m.expires_at_ms = part_verb == SANQUAN__V1__VERB__RESERVE ? batch->reserve_until_ms : UINT64_MAX;
    }
    m.received_at_ms = w->received_ms;
    m.row = row;
    m.n_row = n;
    m.items = &items;
    return sq_effects_send(s->fx, node, SANQUAN__V1__MESSAGE_TYPE__CLEAR, &m.base, s->err);
}

/* The homes of their invoices hear how these rows have ended. */
sq_status sq_give_back(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, const uint32_t *row,
                       size_t n)
{
    struct sq_core *core = s->core;
    for (size_t k = 0; k < n; k++)
        if (sq_row_home(core, r, row[k]) == core->self) {
            struct sq_invoice_claim claim = sq_claim_of_row(core, w->party, r, row[k]);
            if (sq_register_end(core, &claim, sq_row_end_of(w, r, row[k])) != SQ_OK)
                return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
        }
    for (uint32_t node = 0; node < core->nodes.count; node++) {
        size_t count = 0;
        for (size_t k = 0; node != core->self && k < n; k++)
            count += sq_row_home(core, r, row[k]) == node;
        if (count == 0)
            continue;
        Sanquan__V1__Unregister m;
        sanquan__v1__unregister__init(&m);
        if (SQ_COLUMN(s, m.invoice.data, count * SQ_INVOICE_CELL) || SQ_COLUMN(s, m.voucher, count) ||
            SQ_COLUMN(s, m.amount_fen, count) || SQ_COLUMN(s, m.base_fen, count) || SQ_COLUMN(s, m.end.data, count) ||
            SQ_COLUMN(s, m.provider, SQ_NAME_SIZE_MAX))
            return sq_full(s);
        strcpy(m.provider, sq_party_code(sq_party_at(core, w->party)));
        for (size_t k = 0; k < n; k++) {
            size_t at = m.n_voucher;
            uint32_t i = row[k];
            if (sq_row_home(core, r, i) != node)
                continue;
            memcpy(m.invoice.data + at * SQ_INVOICE_CELL, r->invoice + i * SQ_INVOICE_CELL, SQ_INVOICE_CELL);
            m.voucher[at] = r->voucher[i];
            m.amount_fen[at] = r->amount_fen[i];
            m.base_fen[at] = r->base_fen[i];
            m.end.data[at] = (uint8_t)sq_row_end_of(w, r, i);
            m.n_voucher++;
        }
        m.n_amount_fen = m.n_base_fen = m.end.len = m.n_voucher;
        m.invoice.len = count * SQ_INVOICE_CELL;
        sq_status st = sq_effects_send(s->fx, node, SANQUAN__V1__MESSAGE_TYPE__UNREGISTER, &m.base, s->err);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}
