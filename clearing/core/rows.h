/* Columns of a batch, as everybody who decides rows, or asks others about them, sees them. */
#ifndef SQ_CORE_ROWS_H
#define SQ_CORE_ROWS_H

#include "clearing/core/state.h"

/* All of the same length; optional ones may be NULL. */
struct sq_rows {
    size_t count;
    const uint64_t *voucher;
    const int64_t *amount_fen, *base_fen, *total_fen;
    const uint8_t *invoice;
    const uint32_t *service, *service_day, *scenario;
    const uint8_t *verb;
    const uint64_t *reservation;
    const uint32_t *facts, *documents;
    const int64_t *quantity;
    const uint8_t *evidence, *payee;
    const uint32_t *bundle;
    Sanquan__V1__FactSet *const *fact_sets;
};
/* Are the columns whole? 0, SQ_R_BATCH_SIZE, SQ_R_COLUMNS, SQ_R_FACT or SQ_R_ORDER. */
unsigned sq_rows_of(const Sanquan__V1__Batch *m, int must_ascend, struct sq_rows *out);
static inline uint8_t sq_row_verb(const struct sq_rows *r, size_t i)
{
    return r->verb == NULL ? SANQUAN__V1__VERB__REDEEM : r->verb[i];
}
/* Number of the row's bundle; 0: it is decided by itself. */
static inline uint32_t sq_row_bundle(const struct sq_rows *r, size_t i)
{
    return r->bundle == NULL ? 0 : r->bundle[i];
}
/* Would this verb make an issuer's region owe an acquirer's something new, or hold it for that? */
static inline int sq_verb_debits(uint8_t verb)
{
    return verb == SANQUAN__V1__VERB__REDEEM || verb == SANQUAN__V1__VERB__RESERVE || verb == SANQUAN__V1__VERB__COMMIT;
}
/* What is wrong with the row by itself? 0 or a refusal. */
unsigned sq_row_check(const struct sq_core *core, const struct sq_rows *r, size_t i);
/* Are all sets in form, at most `max`, and does each row of the column name one? A column of no rows is left out. */
int sq_fact_sets_ok(Sanquan__V1__FactSet *const *sets, size_t count, size_t max, const uint32_t *rows,
                    size_t row_count);
static inline struct sq_declared sq_declared_of(Sanquan__V1__FactSet *const *sets, const uint32_t *rows, size_t i)
{
    if (rows == NULL || rows[i] == 0)
        return (struct sq_declared){0};
    const Sanquan__V1__FactSet *set = sets[rows[i] - 1];
    return (struct sq_declared){set->n_attribute, set->attribute, set->value};
}

#endif
