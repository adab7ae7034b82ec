/*
 * The story that tests of rules tell: a provider and a holder at Shanghai, a programme, a voucher with a mandate on it, claims on fresh
 * invoices. Each claim also sees to it that money moved exactly when it was accepted. For cmocka tests only: it asserts.
 */
#ifndef SQ_TEST_STORY_H
#define SQ_TEST_STORY_H

#include "tests/support/claims.h"

#define SH       0u /* 310000 */
#define ISSUER   "issuer:310000"
#define OPERATOR "operator:310000/li"
#define YUAN     100ll
#define WAN      (10000 * YUAN)
enum { HOLDER = 1, PROVIDER, VOUCHER, CLAIM };
enum { IN = 1, NOT_IN, OF_PROVIDER, OF_HOLDER };

struct story {
    struct world *w;
    uint64_t voucher, invoice;
    int64_t spent;
};

static inline int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    char name[48];
    s->w = world_new(2, SQ_NET_HUB);
    snprintf(name, sizeof name, "provider:%s", WORLD_PROVIDER);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    *state = s;
    return 0;
}

static inline int end(void **state)
{
    struct story *s = *state;
    world_free(s->w);
    free(s);
    return 0;
}

static inline unsigned publish(struct story *s, Sanquan__V1__Programme *p)
{
    return world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p->base);
}

/* 30 % of the base, 2025 to 2026, no pool and no caps. */
static inline void plain(Sanquan__V1__Programme *p, uint32_t number)
{
    world_programme_init(p, 310000, number);
    p->from_day = 20250101;
    p->pool_fen = 0;
}

static inline unsigned grant(struct story *s, uint32_t number, const struct claims_grant *g)
{
    unsigned status;
    uint64_t voucher = claims_grant(s->w, SH, 310000, number, WORLD_HOLDER, g, &status);
    if (voucher == 0)
        return status;
    s->voucher = voucher;
    s->spent = 0;
    return world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, voucher, 1000000 * WAN);
}

/* Publishes the programme and grants a voucher of 1,000 万 under it. */
static inline void begin_programme(struct story *s, Sanquan__V1__Programme *p)
{
    assert_int_equal(publish(s, p), SQ_OK);
    assert_int_equal(grant(s, p->number, &(struct claims_grant){.face_fen = 1000 * WAN}), SQ_OK);
}

static inline int64_t spent(const struct story *s)
{
    struct sq_voucher_view v;
    assert_int_equal(sq_core_voucher(s->w->core[SH], s->voucher, &v), SQ_OK);
    return v.spent_fen;
}

/* Redeems on a fresh invoice and sees to it that money moved exactly when it was accepted. */
static inline unsigned claim(struct story *s, struct claims_row row)
{
    row.voucher = row.voucher != 0 ? row.voucher : s->voucher;
    row.invoice = row.invoice != 0 ? row.invoice : ++s->invoice;
    row.amount_fen = row.amount_fen != 0 ? row.amount_fen : 1;
    row.base_fen = row.base_fen != 0 ? row.base_fen : 100 * WAN;
    unsigned code = claims_row(s->w, SH, WORLD_PROVIDER, &row);
    s->spent += code == SQ_OK ? row.amount_fen : 0;
    assert_int_equal(spent(s), s->spent);
    return code;
}

#define CLAIM(...) claim(s, (struct claims_row){__VA_ARGS__})

#endif
