/* One row before its issuer. Every sum is taken anew from the list of uses. */
#include <stdlib.h>
#include <string.h>

#include "tests/model/internal.h"

#define MOST_FEN 10000000000000ll

struct m_row model_row(const Sanquan__V1__Batch *b, size_t i)
{
    return (struct m_row){b->voucher[i],
                          b->n_reservation != 0 ? b->reservation[i] : 0,
                          b->amount_fen[i],
                          b->base_fen[i],
                          b->invoice_total_fen[i],
                          b->invoice.data + 10 * i,
                          b->service[i],
                          b->service_day[i],
                          b->n_bundle != 0 ? b->bundle[i] : 0,
                          b->verb.len != 0 ? b->verb.data[i] : (uint8_t)SANQUAN__V1__VERB__REDEEM};
}

uint32_t model_batch_shape(const Sanquan__V1__Batch *b)
{
    size_t n = b->n_voucher;
    if (n < 1 || n > 8192)
        return SQ_R_BATCH_SIZE;
    if (b->n_amount_fen != n || b->n_base_fen != n || b->invoice.len != 10 * n || b->n_invoice_total_fen != n ||
        b->n_service != n || b->n_service_day != n)
        return SQ_R_COLUMNS;
    if ((b->n_scenario != 0 && b->n_scenario != n) || (b->evidence.len != 0 && b->evidence.len != 16 * n) ||
        (b->verb.len != 0 && b->verb.len != n) || (b->n_reservation != 0 && b->n_reservation != n) ||
        (b->n_bundle != 0 && b->n_bundle != n))
        return SQ_R_COLUMNS;
    for (size_t i = 0; i + 1 < n; i++)
        if (memcmp(b->invoice.data + 10 * i, b->invoice.data + 10 * (i + 1), 10) > 0)
            return SQ_R_ORDER;
    return 0;
}

static int is_day(uint32_t day)
{
    static const uint32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t y = day / 10000, m = day / 100 % 100, d = day % 100;
    if (y < 2000 || y > 2199 || m < 1 || m > 12 || d < 1)
        return 0;
    uint32_t leap = m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    return d <= lengths[m - 1] + leap;
}

static int is_invoice(const uint8_t *cell)
{
    int some = 0;
    for (int i = 0; i < 10; i++) {
        if (cell[i] >> 4 > 9 || (cell[i] & 15) > 9)
            return 0;
        some |= cell[i];
    }
    return some != 0;
}

static int needs_invoice(uint8_t verb)
{
    return verb == SANQUAN__V1__VERB__REDEEM || verb == SANQUAN__V1__VERB__COMMIT || verb == SANQUAN__V1__VERB__RETURN;
}

uint32_t model_row_alone(const struct model *m, const struct m_row *r)
{
    if (r->verb < 1 || r->verb > 5)
        return SQ_R_VERB;
    if (r->bundle > 8192)
        return SQ_R_COLUMNS;
    if (r->bundle != 0 && r->verb != SANQUAN__V1__VERB__REDEEM)
        return SQ_R_VERB;
    if (r->amount < 1 || r->amount > MOST_FEN || r->base < 0 || r->base > MOST_FEN || r->total < 0 ||
        r->total > MOST_FEN)
        return SQ_R_AMOUNT;
    if (!is_day(r->day) || r->day > model_day(m->now_ms))
        return SQ_R_SERVICE_DAY;
    if (needs_invoice(r->verb) && !is_invoice(r->invoice))
        return SQ_R_INVOICE_FORMAT;
    if (!needs_invoice(r->verb) && r->reservation == 0)
        return SQ_R_RESERVATION_UNKNOWN;
    if (r->verb == SANQUAN__V1__VERB__COMMIT && r->reservation == 0)
        return SQ_R_RESERVATION_UNKNOWN;
    return 0;
}

int64_t model_moves(const struct m_row *r)
{
    return r->verb == SANQUAN__V1__VERB__RETURN ? -r->amount : needs_invoice(r->verb) ? r->amount : 0;
}

/* Which node registers the row's invoice; this one when the row has none. */
const char *model_home(const struct model *m, const struct m_row *r)
{
    if (!needs_invoice(r->verb) || !is_invoice(r->invoice))
        return m->self;
    int d1 = r->invoice[0] >> 4, d2 = r->invoice[0] & 15, d3 = r->invoice[1] >> 4, d4 = r->invoice[1] & 15;
    int code = d1 <= 1 && d2 != 0 ? 10 * d2 + d3 : 10 * d3 + d4;
    if (d1 > 1)
        code = code == 91 ? 21 : code == 92 ? 33 : code == 93 ? 35 : code == 94 ? 37 : code == 95 ? 44 : code;
    if (code >= 11 && code <= 82)
        for (size_t i = 0; i < m->link_count; i++)
            if ((m->link[i].node[0] - '0') * 10 + (m->link[i].node[1] - '0') == code)
                return m->link[i].node;
    return m->link[0].node;
}

/* ---- sums ---- */

int model_is_open(const struct model *m, const struct m_hold *h)
{
    return h->fen != 0 && (h->until_ms >= m->now_ms || h->number >= PART_NUMBERS);
}

static int64_t spent(const struct m_voucher *v, const char *provider, uint32_t year)
{
    int64_t sum = 0;
    for (size_t i = 0; i < v->use_count; i++)
        if ((provider == NULL || strcmp(v->use[i].provider, provider) == 0) &&
            (year == 0 || v->use[i].day / 10000 == year))
            sum += v->use[i].fen;
    return sum;
}

static int64_t reserved(const struct model *m, const struct m_voucher *v, const char *provider, uint32_t year)
{
    int64_t sum = 0;
    for (size_t i = 0; i < v->hold_count; i++)
        if (model_is_open(m, &v->hold[i]) && (provider == NULL || strcmp(v->hold[i].provider, provider) == 0) &&
            (year == 0 || v->hold[i].day / 10000 == year))
            sum += v->hold[i].fen;
    return sum;
}

static int is_of(const struct m_programme *p, const struct m_voucher *v)
{
    return v->number / 1000000000u == (uint64_t)p->issuer * 10000 + p->number;
}

void model_budget_sums(const struct model *m, const struct m_programme *p, int64_t *reserved_fen, int64_t *spent_fen)
{
    *reserved_fen = *spent_fen = 0;
    for (size_t i = 0; i < m->voucher_count; i++)
        if (is_of(p, &m->voucher[i])) {
            *reserved_fen += reserved(m, &m->voucher[i], NULL, 0);
            *spent_fen += spent(&m->voucher[i], NULL, 0);
        }
}

/* What a holder has spent under a programme, in a year or (0) ever. */
static int64_t spent_by(const struct model *m, const struct m_programme *p, const char *holder, uint32_t year)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->voucher_count; i++)
        if (is_of(p, &m->voucher[i]) && strcmp(m->voucher[i].holder, holder) == 0)
            sum += spent(&m->voucher[i], NULL, year);
    return sum;
}

static int64_t used_by(const struct model *m, const struct m_programme *p, const char *holder, uint32_t year)
{
    int64_t sum = spent_by(m, p, holder, year);
    for (size_t i = 0; i < m->voucher_count; i++)
        if (is_of(p, &m->voucher[i]) && strcmp(m->voucher[i].holder, holder) == 0)
            sum += reserved(m, &m->voucher[i], NULL, year);
    return sum;
}

/* ---- rules ---- */

static int among(const uint32_t *list, size_t count, uint32_t wanted)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == wanted)
            return 1;
    return 0;
}

/* The terms: the one place of the model that knows what a programme may say of a claim. */
static uint32_t judge(const struct m_terms *p, const struct m_row *r, const char *acquirer)
{
    if (p == NULL)
        return SQ_R_SERVICE_DAY;
    if (p->region_count != 0 && !among(p->regions, p->region_count, (uint32_t)strtoul(acquirer, NULL, 10)))
        return SQ_R_PROVIDER_REGION;
    if (p->service_count != 0 && !among(p->services, p->service_count, r->service))
        return SQ_R_SERVICE;
    if (r->base < p->min_claim)
        return SQ_R_BELOW_MINIMUM;
    if (r->amount > (int64_t)((__int128)r->base * p->rate_bp / 10000))
        return SQ_R_RATE_EXCEEDED;
    if (p->cap_claim != 0 && r->amount > p->cap_claim)
        return SQ_R_CAP_CLAIM;
    return 0;
}

/* The newest version whose days hold this one. */
static const struct m_terms *terms_of(const struct m_programme *p, uint32_t day)
{
    for (size_t i = p->terms_count; i > 0; i--)
        if (day >= p->terms[i - 1].from_day && day <= p->terms[i - 1].until_day)
            return &p->terms[i - 1];
    return NULL;
}

static struct m_mandate *mandate_of(const struct m_voucher *v, const char *provider)
{
    for (size_t i = 0; i < v->mandate_count; i++)
        if (strcmp(v->mandate[i].provider, provider) == 0)
            return &v->mandate[i];
    return NULL;
}

static uint32_t find(const struct model *m, uint64_t number, struct m_programme **p, struct m_voucher **v)
{
    *p = model_programme_of(m, number);
    *v = model_voucher_at(m, number);
    return *v != NULL ? 0 : *p == NULL ? SQ_R_UNKNOWN_PROGRAMME : SQ_R_UNKNOWN_VOUCHER;
}

static uint32_t may_use(const struct model *m, const struct m_row *r, const struct m_asker *a)
{
    const char *provider = a->provider;
    struct m_programme *p;
    struct m_voucher *v;
    uint32_t refused = find(m, r->voucher, &p, &v);
    if (refused != 0)
        return refused;
    if (v->revoked)
        return SQ_R_VOUCHER_REVOKED;
    if (model_day(a->at_ms) > v->until_day)
        return SQ_R_VOUCHER_EXPIRED;
    if (strcmp(v->holder, provider) == 0)
        return SQ_R_SELF_USE;
    const struct m_terms *terms = terms_of(p, r->day);
    if ((refused = judge(terms, r, a->acquirer)) != 0)
        return refused;
    const struct m_mandate *mandate = mandate_of(v, provider);
    if (mandate == NULL)
        return SQ_R_NO_MANDATE;
    if (mandate->until_ms < a->at_ms)
        return SQ_R_MANDATE_EXPIRED;
    if (spent(v, provider, 0) + reserved(m, v, provider, 0) + r->amount > mandate->limit)
        return SQ_R_MANDATE_OVERDRAWN;
    if (spent(v, NULL, 0) + reserved(m, v, NULL, 0) + r->amount > v->face)
        return SQ_R_VOUCHER_OVERDRAWN;
    if (terms->cap_year != 0 && used_by(m, p, v->holder, r->day / 10000) + r->amount > terms->cap_year)
        return SQ_R_CAP_YEAR;
    if (terms->cap_total != 0 && used_by(m, p, v->holder, 0) + r->amount > terms->cap_total)
        return SQ_R_CAP_TOTAL;
    int64_t pool_reserved, pool_spent;
    model_budget_sums(m, p, &pool_reserved, &pool_spent);
    return p->pool != 0 && pool_reserved + pool_spent + r->amount > p->pool ? SQ_R_POOL_EXHAUSTED : 0;
}

static struct m_hold *hold_of(const struct model *m, const char *provider, uint64_t number, struct m_voucher **on)
{
    for (size_t i = 0; i < m->voucher_count; i++)
        for (size_t k = 0; k < m->voucher[i].hold_count; k++)
            if (m->voucher[i].hold[k].number == number && strcmp(m->voucher[i].hold[k].provider, provider) == 0) {
                *on = &m->voucher[i];
                return &m->voucher[i].hold[k];
            }
    return NULL;
}

static void use(struct model *m, const struct m_row *r, const char *provider, int64_t fen)
{
    struct m_voucher *v = model_voucher_at(m, r->voucher);
    struct m_use u = {.fen = fen, .day = r->day};
    memcpy(u.provider, provider, sizeof u.provider);
    ADD(v->use, u);
}

static uint32_t decide_reserve(struct model *m, const struct m_row *r, const struct m_asker *a)
{
    const char *provider = a->provider;
    uint64_t until_ms = a->reserve_until_ms;
    struct m_voucher *on;
    if (hold_of(m, provider, r->reservation, &on) != NULL)
        return SQ_R_RESERVATION_EXISTS;
    if (until_ms < m->now_ms || until_ms > m->now_ms + RESERVED_UNTIL_MAX_DAYS * 86400000ull)
        return SQ_R_RESERVATION_TERM;
    uint32_t refused = may_use(m, r, a);
    if (refused != 0)
        return refused;
    struct m_hold h = {.number = r->reservation, .until_ms = until_ms, .fen = r->amount, .day = r->day};
    memcpy(h.provider, provider, sizeof h.provider);
    on = model_voucher_at(m, r->voucher);
    ADD(on->hold, h);
    return 0;
}

static uint32_t decide_held(struct model *m, const struct m_row *r, const struct m_asker *a)
{
    const char *provider = a->provider;
    struct m_voucher *on;
    struct m_hold *h = hold_of(m, provider, r->reservation, &on);
    if (h == NULL || !model_is_open(m, h) || on->number != r->voucher)
        return SQ_R_RESERVATION_UNKNOWN;
    int64_t held = h->fen;
    if (r->verb == SANQUAN__V1__VERB__COMMIT && r->amount > held)
        return SQ_R_RESERVATION_EXCEEDED;
    int is_part = h->number >= PART_NUMBERS;
    if (is_part && r->verb == SANQUAN__V1__VERB__COMMIT && r->amount != held)
        return SQ_R_RESERVATION_EXCEEDED;
    h->fen = 0;
    if (r->verb == SANQUAN__V1__VERB__RELEASE)
        return 0;
    uint32_t refused = is_part ? 0 : may_use(m, r, a);
    if (refused != 0)
        h->fen = held;
    else
        use(m, r, provider, r->amount);
    return refused;
}

static uint32_t decide_return(struct model *m, const struct m_row *r, const char *provider)
{
    struct m_programme *p;
    struct m_voucher *v;
    uint32_t refused = find(m, r->voucher, &p, &v);
    if (refused != 0)
        return refused;
    if (mandate_of(v, provider) == NULL)
        return SQ_R_NO_MANDATE;
    if (r->amount > spent(v, provider, 0) || r->amount > spent(v, NULL, 0) ||
        r->amount > spent_by(m, p, v->holder, r->day / 10000))
        return SQ_R_RETURN_EXCEEDS;
    use(m, r, provider, -r->amount);
    return 0;
}

uint32_t model_decide(struct model *m, const struct m_row *r, const struct m_asker *a)
{
    uint32_t refused;
    switch (r->verb) {
    case SANQUAN__V1__VERB__REDEEM:
        refused = may_use(m, r, a);
        if (refused == 0)
            use(m, r, a->provider, r->amount);
        return refused;
    case SANQUAN__V1__VERB__RESERVE:
        return decide_reserve(m, r, a);
    case SANQUAN__V1__VERB__COMMIT:
    case SANQUAN__V1__VERB__RELEASE:
        return decide_held(m, r, a);
    case SANQUAN__V1__VERB__RETURN:
        return decide_return(m, r, a->provider);
    default:
        return SQ_R_VERB;
    }
}
