/* One provider, one holder and one voucher at Shanghai, for stories about single redemptions. For cmocka tests only: it asserts. */
#ifndef SQ_TEST_REDEEMER_H
#define SQ_TEST_REDEEMER_H

#include "tests/support/world.h"

#define SH  0u /* 310000 */
#define SD  1u /* 370000 */
#define GD  2u /* 440000, hosts 440300 */
#define DAY 20260901u

struct story {
    struct world *w;
    uint64_t voucher;
};

/* Provider and holder at Shanghai, a voucher of 10,000 yuan under a programme of 30 %, mandate 8,000 yuan. */
static inline int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    char name[48];
    s->w = world_new(3, SQ_NET_HUB);
    snprintf(name, sizeof name, "provider:%s", WORLD_PROVIDER);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
    assert_int_equal(world_enrol(s->w, SH, name), SQ_OK);
    Sanquan__V1__Programme p;
    world_programme_init(&p, 310000, 1);
    assert_int_equal(world_say(s->w, SH, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
    world_run(s->w);
    s->voucher = world_voucher(s->w, SH, 310000, 1, WORLD_HOLDER, 1000000);
    assert_true(s->voucher == 3100000001000000001u);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, s->voucher, 800000), SQ_OK);
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

static inline struct world_row good(const struct story *s)
{
    return (struct world_row){.voucher = s->voucher,
                              .amount_fen = 30000,
                              .base_fen = 100000,
                              .total_fen = 100000,
                              .invoice = "26312000000000000001",
                              .service = 7,
                              .service_day = DAY};
}

/* Of the voucher. */
static inline int64_t spent(const struct story *s)
{
    struct sq_voucher_view v;
    assert_int_equal(sq_core_voucher(s->w->core[SH], s->voucher, &v), SQ_OK);
    return v.spent_fen;
}

static inline int64_t reserved(const struct story *s)
{
    struct sq_voucher_view v;
    assert_int_equal(sq_core_voucher(s->w->core[SH], s->voucher, &v), SQ_OK);
    return v.reserved_fen;
}

static inline void pool_is(const struct story *s, int64_t pool_reserved, int64_t pool_spent)
{
    struct sq_programme_view p;
    sq_core_programme(s->w->core[SH], 0, &p);
    assert_true(p.reserved_fen == pool_reserved && p.spent_fen == pool_spent);
}

static inline unsigned redeem(struct story *s, const struct world_row *row)
{
    assert_int_equal(world_batch(s->w, SH, WORLD_PROVIDER, row, 1), SQ_OK);
    return s->w->answer.code_count == 0 ? 0 : s->w->answer.code[0];
}

#endif
