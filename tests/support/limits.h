/* Limits of a programme, for stories: written into it one after another, numbered 1, 2, 3 ... */
#ifndef SQ_TEST_LIMITS_H
#define SQ_TEST_LIMITS_H

#include "tests/support/story.h"

enum { FEN = 1, BASE, COUNT, QUANTITY };
enum { GRANTED = 1, REDEEMED };
enum { YEAR = 1, QUARTER, MONTH };

struct limits {
    Sanquan__V1__Limit l[4], *list[4];
};

static inline void limit(Sanquan__V1__Programme *p, struct limits *k, uint32_t scope, uint32_t unit, uint32_t step,
                         uint32_t period, int64_t soft, int64_t hard)
{
    size_t i = p->n_limits++;
    sanquan__v1__limit__init(&k->l[i]);
    k->l[i].number = (uint32_t)i + 1;
    k->l[i].scope = scope;
    k->l[i].unit = unit;
    k->l[i].step = step;
    k->l[i].period = period;
    k->l[i].soft = soft;
    k->l[i].hard = hard;
    k->list[i] = &k->l[i];
    p->limits = k->list;
}

#define SCOPE(name) ((uint32_t)SANQUAN__V1__SCOPE__SCOPE_##name)

/* Programme 1 with one limit, and a voucher under it. */
static inline void begin_limited(struct story *s, uint32_t scope, uint32_t unit, uint32_t step, uint32_t period,
                                 int64_t soft, int64_t hard)
{
    Sanquan__V1__Programme p;
    struct limits k;
    plain(&p, 1);
    limit(&p, &k, scope, unit, step, period, soft, hard);
    begin_programme(s, &p);
}

/* Of an item that was redeemed on this invoice. */
static inline unsigned give_back(struct story *s, uint64_t invoice, int64_t amount, int64_t base, uint32_t day)
{
    struct claims_row row = {.voucher = s->voucher,
                             .amount_fen = amount,
                             .base_fen = base,
                             .total_fen = 100 * WAN,
                             .invoice = invoice,
                             .service_day = day,
                             .verb = SANQUAN__V1__VERB__RETURN};
    unsigned code = claims_row(s->w, SH, WORLD_PROVIDER, &row);
    s->spent -= code == SQ_OK ? amount : 0;
    assert_int_equal(spent(s), s->spent);
    return code;
}

#endif
