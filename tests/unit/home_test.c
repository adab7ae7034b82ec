/* The home of invoices, asked by another node: each row has its code, and no peer's numbers bend the register. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/core/invoice.h"
#include "tests/support/world.h"

#define SH       0u /* 310000: the home */
#define SD       1u /* 370000: asks */
#define ACQUIRER "node:370000"
#define VOUCHER  3100000001000000001u
#define MOST     10000000000000ll /* the most that a row may name, in fen */

static int begin(void **state)
{
    struct world *w = world_new(3, SQ_NET_HUB);
    Sanquan__V1__Programme p;
    world_programme_init(&p, 310000, 1);
    assert_int_equal(world_say(w, SH, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
    world_run(w);
    *state = w;
    return 0;
}

static int end(void **state)
{
    world_free(*state);
    return 0;
}

struct claim {
    int64_t amount_fen, base_fen, total_fen;
    uint64_t voucher;
    uint8_t last_digits; /* of invoice 263120000000000000 */
};

/* The code of the one row that SD asks SH to register; or the refusal of the whole. */
static unsigned ask(struct world *w, const struct claim *c)
{
    Sanquan__V1__Register m;
    uint8_t cell[SQ_INVOICE_CELL] = {0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 0, c->last_digits};
    uint32_t row[1] = {0}, day[1] = {20260901};
    uint64_t voucher[1] = {c->voucher != 0 ? c->voucher : VOUCHER};
    int64_t amount[1] = {c->amount_fen}, base[1] = {c->base_fen}, total[1] = {c->total_fen};
    char provider[32];
    sanquan__v1__register__init(&m);
    strcpy(provider, WORLD_PROVIDER);
    m.batch = 7;
    m.provider = provider;
    m.n_row = m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service_day = 1;
    m.row = row;
    m.invoice = (ProtobufCBinaryData){sizeof cell, cell};
    m.voucher = voucher;
    m.amount_fen = amount;
    m.base_fen = base;
    m.invoice_total_fen = total;
    m.service_day = day;
    assert_int_equal(world_say(w, SH, ACQUIRER, SANQUAN__V1__MESSAGE_TYPE__REGISTER, &m.base), SQ_OK);
    if (w->peer_status != SQ_OK)
        return w->peer_status;
    const struct world_message *last = w->last[SH][SD];
    assert_non_null(last);
    assert_int_equal(last->type, SANQUAN__V1__MESSAGE_TYPE__REGISTERED);
    Sanquan__V1__Registered *out = sanquan__v1__registered__unpack(NULL, last->size, last->body);
    assert_non_null(out);
    assert_true(out->batch == 7 && out->n_row == 1 && out->row[0] == 0 && out->code.len == 1);
    unsigned code = out->code.data[0];
    sanquan__v1__registered__free_unpacked(out, NULL);
    return code;
}

static void numbers_out_of_range_are_refused(void **state)
{
    struct world *w = *state;
    const struct claim wrong[] = {
        {0, 100, 100, 0, 1},
        {MOST + 1, 100, MOST, 0, 1},
        {1, -1, 100, 0, 1},
        {1, MOST + 1, MOST, 0, 1},
        {1, 1, -1, 0, 1},
        {1, 1, MOST + 1, 0, 1},
        {-1, 1, 100, 0, 1},
        {INT64_MIN, -1, 100, 0, 1},
        {-1, INT64_MIN, 100, 0, 1},
        {INT64_MAX, 0, 100, 0, 1},
        {1, INT64_MIN, 100, 0, 1},
        {1, 1, INT64_MIN, 0, 1},
        {INT64_MAX, INT64_MAX, INT64_MAX, 0, 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(ask(w, &wrong[i]), SQ_R_AMOUNT);
    assert_int_equal(ask(w, &(struct claim){MOST, MOST, MOST, 0, 1}),
                     SQ_OK); /* and nothing was registered by any of them */
}

static void what_is_not_at_home_here_or_not_known_is_refused(void **state)
{
    struct world *w = *state;
    const struct claim good = {30, 100, 100, 0, 1};
    struct claim c = good;
    c.last_digits = 0x1a;
    assert_int_equal(ask(w, &c), SQ_R_INVOICE_FORMAT);
    c = good;
    c.voucher = 3100000002000000001u;
    assert_int_equal(ask(w, &c), SQ_R_UNKNOWN_PROGRAMME);
    c.voucher = UINT64_MAX;
    assert_int_equal(ask(w, &c), SQ_R_UNKNOWN_PROGRAMME);
    assert_int_equal(ask(w, &good), SQ_OK);
}

/* A faulty acquirer that claims without a base: bases alone would let the amounts grow for ever. */
static void subsidies_never_exceed_the_invoice(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, &(struct claim){101, 0, 100, 0, 1}), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(ask(w, &(struct claim){60, 0, 100, 0, 1}), SQ_OK);
    assert_int_equal(ask(w, &(struct claim){41, 0, 100, 0, 1}), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(ask(w, &(struct claim){40, 0, 100, 0, 1}), SQ_OK);
    assert_int_equal(ask(w, &(struct claim){1, 0, 100, 0, 1}), SQ_R_INVOICE_OVERDRAWN);
}

/* SD says how the row ended: Unregister.end. */
static void tell(struct world *w, const struct claim *c, uint8_t how)
{
    Sanquan__V1__Unregister m;
    uint8_t cell[SQ_INVOICE_CELL] = {0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 0, c->last_digits};
    uint64_t voucher[1] = {VOUCHER};
    int64_t amount[1] = {c->amount_fen}, base[1] = {c->base_fen};
    char provider[32];
    sanquan__v1__unregister__init(&m);
    strcpy(provider, WORLD_PROVIDER);
    m.provider = provider;
    m.invoice = (ProtobufCBinaryData){sizeof cell, cell};
    m.n_voucher = m.n_amount_fen = m.n_base_fen = 1;
    m.voucher = voucher;
    m.amount_fen = amount;
    m.base_fen = base;
    m.end = (ProtobufCBinaryData){1, &how};
    assert_int_equal(world_say(w, SH, ACQUIRER, SANQUAN__V1__MESSAGE_TYPE__UNREGISTER, &m.base), SQ_OK);
    assert_int_equal(w->peer_status, SQ_OK);
}

enum { CLAIM_REFUSED = 1, RETURN_ACCEPTED, RETURN_REFUSED };

static void a_return_under_way_keeps_its_money_from_other_returns_and_its_invoice_claimed(void **state)
{
    struct world *w = *state;
    const struct claim all = {30, 100, 100, 0, 1}, back = {-20, -60, 100, 0, 1}, ended = {20, 60, 100, 0, 1};
    assert_int_equal(ask(w, &(struct claim){-1, 0, 100, 0, 1}), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(ask(w, &all), SQ_OK);
    assert_int_equal(ask(w, &(struct claim){-31, -100, 100, 0, 1}), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(ask(w, &(struct claim){-30, -101, 100, 0, 1}), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(ask(w, &back), SQ_OK);
    assert_int_equal(ask(w, &back), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(ask(w, &(struct claim){-10, -41, 100, 0, 1}), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(ask(w, &(struct claim){1, 1, 100, 0, 1}), SQ_R_INVOICE_OVERDRAWN); /* still all claimed */
    tell(w, &ended, RETURN_ACCEPTED);
    assert_int_equal(ask(w, &back), SQ_R_RETURN_EXCEEDS); /* 10 fen are left */
    assert_int_equal(ask(w, &(struct claim){-10, -40, 100, 0, 1}), SQ_OK);
    assert_int_equal(ask(w, &(struct claim){20, 61, 100, 0, 1}), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(ask(w, &ended), SQ_OK); /* what was returned can be claimed again */
}

static void a_refused_return_can_be_asked_again(void **state)
{
    struct world *w = *state;
    const struct claim all = {30, 100, 100, 0, 1}, back = {-30, -100, 100, 0, 1};
    assert_int_equal(ask(w, &all), SQ_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(w, &back), SQ_OK);
        assert_int_equal(ask(w, &back), SQ_R_RETURN_EXCEEDS);
        tell(w, &all, RETURN_REFUSED);
    }
    assert_int_equal(ask(w, &(struct claim){1, 1, 100, 0, 1}), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(ask(w, &back), SQ_OK);
}

static void a_refused_claim_does_not_end_a_return(void **state)
{
    struct world *w = *state;
    const struct claim part = {10, 40, 100, 0, 1}, back = {-10, -40, 100, 0, 1};
    assert_int_equal(ask(w, &part), SQ_OK);
    assert_int_equal(ask(w, &back), SQ_OK);
    assert_int_equal(ask(w, &part), SQ_OK);
    tell(w, &part, CLAIM_REFUSED); /* the second claim */
    assert_int_equal(ask(w, &back), SQ_R_RETURN_EXCEEDS);
    tell(w, &part, RETURN_ACCEPTED);
    tell(w, &part, 4); /* no such end: passed over */
    assert_int_equal(ask(w, &(struct claim){30, 100, 100, 0, 1}), SQ_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_out_of_range_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_at_home_here_or_not_known_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(subsidies_never_exceed_the_invoice, begin, end),
        cmocka_unit_test_setup_teardown(a_return_under_way_keeps_its_money_from_other_returns_and_its_invoice_claimed,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_refused_return_can_be_asked_again, begin, end),
        cmocka_unit_test_setup_teardown(a_refused_claim_does_not_end_a_return, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
