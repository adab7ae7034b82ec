/*
 * Rows of a batch: are the columns whole, and is each row in order by itself?
 */
#include "clearing/base/day.h"
#include "clearing/core/rows.h"

#define FACT_SETS_MAX    64u /* what one provider declares in one batch differs by product, not by row */
#define FACTS_IN_SET_MAX 16u

static int fact_set_ok(const Sanquan__V1__FactSet *set)
{
    if (set->n_attribute == 0 || set->n_attribute > FACTS_IN_SET_MAX || set->n_value != set->n_attribute)
        return 0;
    for (size_t i = 0; i < set->n_attribute; i++) {
        uint32_t a = set->attribute[i];
        int stated = (a >= SQ_ATTR(REGION) && a <= SQ_ATTR(STANDARD)) || (a >= 100 && a <= SQ_ATTR_MAX);
        if (!stated || (i != 0 && a <= set->attribute[i - 1]))
            return 0;
    }
    return 1;
}

int sq_fact_sets_ok(Sanquan__V1__FactSet *const *sets, size_t count, size_t max, const uint32_t *rows, size_t row_count)
{
    if (count > max)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (!fact_set_ok(sets[i]))
            return 0;
    for (size_t i = 0; i < row_count; i++)
        if (rows[i] > count)
            return 0;
    return 1;
}

static int whole(size_t cells, size_t n)
{
    return cells == n || cells == 0;
}

unsigned sq_rows_of(const Sanquan__V1__Batch *m, int must_ascend, struct sq_rows *out)
{
    size_t n = m->n_voucher;
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return SQ_R_BATCH_SIZE;
    if (m->n_amount_fen != n || m->n_base_fen != n || m->invoice.len != n * SQ_INVOICE_CELL ||
        m->n_invoice_total_fen != n || m->n_service != n || m->n_service_day != n || !whole(m->n_scenario, n) ||
        !whole(m->evidence.len, n * 16) || !whole(m->verb.len, n) || !whole(m->n_reservation, n) ||
        !whole(m->n_facts, n) || !whole(m->n_documents, n) || !whole(m->n_quantity, n) || !whole(m->payee.len, n) ||
        !whole(m->n_bundle, n))
        return SQ_R_COLUMNS;
    if (!sq_fact_sets_ok(m->fact_sets, m->n_fact_sets, FACT_SETS_MAX, m->facts, m->n_facts))
        return SQ_R_FACT;
    *out = (struct sq_rows){.count = n,
                            .voucher = m->voucher,
                            .amount_fen = m->amount_fen,
                            .base_fen = m->base_fen,
                            .total_fen = m->invoice_total_fen,
                            .invoice = m->invoice.data,
                            .service = m->service,
                            .service_day = m->service_day,
                            .fact_sets = m->fact_sets};
    out->scenario = m->n_scenario != 0 ? m->scenario : NULL;
    out->verb = m->verb.len != 0 ? m->verb.data : NULL;
    out->reservation = m->n_reservation != 0 ? m->reservation : NULL;
    out->facts = m->n_facts != 0 ? m->facts : NULL;
    out->documents = m->n_documents != 0 ? m->documents : NULL;
    out->quantity = m->n_quantity != 0 ? m->quantity : NULL;
    out->payee = m->payee.len != 0 ? m->payee.data : NULL;
    out->evidence = m->evidence.len != 0 ? m->evidence.data : NULL;
    out->bundle = m->n_bundle != 0 ? m->bundle : NULL;
    for (size_t i = 1; must_ascend && i < n; i++)
        if (memcmp(out->invoice + (i - 1) * SQ_INVOICE_CELL, out->invoice + i * SQ_INVOICE_CELL, SQ_INVOICE_CELL) > 0)
            return SQ_R_ORDER;
    return SQ_OK;
}

static int has_invoice(uint8_t verb)
{
    return verb == SANQUAN__V1__VERB__REDEEM || verb == SANQUAN__V1__VERB__COMMIT || verb == SANQUAN__V1__VERB__RETURN;
}

unsigned sq_row_check(const struct sq_core *core, const struct sq_rows *r, size_t i)
{
    uint8_t verb = sq_row_verb(r, i);
    struct sq_invoice_key key;
    if (verb < SANQUAN__V1__VERB__REDEEM || verb > SANQUAN__V1__VERB__RETURN)
        return SQ_R_VERB;
    if (sq_row_bundle(r, i) > SQ_BATCH_ROWS_MAX)
        return SQ_R_COLUMNS;
    if (sq_row_bundle(r, i) != 0 && verb != SANQUAN__V1__VERB__REDEEM)
        return SQ_R_VERB;
    if (r->amount_fen[i] <= 0 || r->amount_fen[i] > SQ_AMOUNT_MAX_FEN || r->base_fen[i] < 0 ||
        r->base_fen[i] > SQ_AMOUNT_MAX_FEN || r->total_fen[i] < 0 || r->total_fen[i] > SQ_AMOUNT_MAX_FEN)
        return SQ_R_AMOUNT;
    if (r->quantity != NULL && (r->quantity[i] < 0 || r->quantity[i] > SQ_QUANTITY_MAX))
        return SQ_R_AMOUNT;
    if (!sq_day_valid(r->service_day[i]) || r->service_day[i] > core->today)
        return SQ_R_SERVICE_DAY;
    if (has_invoice(verb) && !sq_invoice_key_of(r->invoice + i * SQ_INVOICE_CELL, &key))
        return SQ_R_INVOICE_FORMAT;
    if (verb >= SANQUAN__V1__VERB__RESERVE && verb <= SANQUAN__V1__VERB__RELEASE &&
        (r->reservation == NULL || r->reservation[i] == 0))
        return SQ_R_RESERVATION_UNKNOWN;
    return SQ_OK;
}
