/* Which vouchers give back what a credit note no longer covers: from items and the register's sums to rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/returns.h"

#define A "3100000001000000001"
#define B "3100000001000000002"
#define C "3700000002000000001" /* of another programme */

struct found {
    struct sq_returns r;
    struct sq_error err;
};

static int begin(void **state)
{
    *state = calloc(1, sizeof(struct found));
    return *state == NULL;
}
static int end(void **state)
{
    sq_returns_end(&((struct found *)*state)->r);
    free(*state);
    return 0;
}

static void take(struct found *f, const char *items)
{
    json_t *list = json_loads(items, 0, NULL);
    assert_non_null(list);
    sq_returns_items(&f->r, list);
    json_decref(list);
}

static sq_status spread(struct found *f, const char *invoice)
{
    json_t *o = json_loads(invoice, 0, NULL);
    assert_non_null(o);
    sq_returns_settle(&f->r);
    sq_status st = sq_returns_spread(&f->r, o, &f->err);
    json_decref(o);
    return st;
}

#define ITEM(role, state, voucher, verb, base, amount)                                                                 \
    "{\"role\":\"" role "\",\"state\":\"" state "\",\"voucher\":\"" voucher "\",\"verb\":\"" verb                      \
    "\",\"base_fen\":" #base ",\"amount_fen\":" #amount ",\"service_day\":20260901}"
#define ENDED(end, voucher, base, amount)                                                                              \
    "{\"role\":\"ended\",\"state\":\"accepted\",\"verb\":\"return\",\"end\":\"" end "\",\"voucher\":\"" voucher        \
    "\",\"base_fen\":" #base ",\"amount_fen\":" #amount "}"
#define PROGRAMME(issuer, number, base, amount, back_base, back)                                                       \
    "{\"issuer\":" #issuer ",\"programme\":" #number ",\"base_fen\":" #base ",\"amount_fen\":" #amount                 \
    ",\"back_base_fen\":" #back_base ",\"back_fen\":" #back "}"
#define INVOICE(back, programmes) "{\"back_fen\":" #back ",\"programmes\":[" programmes "]}"

static void assert_back(const struct found *f, size_t i, int64_t base, int64_t amount)
{
    assert_true(i < f->r.count && f->r.list[i].back_base_fen == base && f->r.list[i].back_amount_fen == amount);
}

static void shares_make_the_whole_to_the_fen(void **state)
{
    struct found *f = *state;
    take(f, "[" ITEM("acquired", "accepted", A, "redeem", 333, 100) "," ITEM("acquired", "accepted", B, "commit", 667,
                                                                             200) "]");
    /* base: floor(100 * 333 / 1000) = 33, the rest 67; amount: floor(31 * 100 / 300) = 10, the rest 21 */
    assert_int_equal(spread(f, INVOICE(31, PROGRAMME(310000, 1, 1000, 300, 100, 31))), SQ_OK);
    assert_back(f, 0, 33, 10);
    assert_back(f, 1, 67, 21);
}

static void what_ended_or_is_being_returned_does_not_stand(void **state)
{
    struct found *f = *state;
    take(f, "[" ITEM("claimed", "accepted", A, "redeem", 400, 120) "," ITEM("claimed", "accepted", A, "redeem", 600,
                                                                            180) "]");
    take(f, "[" ENDED("claim_refused", A, 400, 120) "," ITEM("claimed", "accepted", A, "return", 100, 30) "," ITEM(
                "claimed", "accepted", A, "return", 50,
                15) "," ENDED("return_accepted", A, 100, 30) "," ITEM("claimed", "refused", B, "redeem", 9, 9) "]");
    /* 600 / 180 less 100 / 30, which is decided, and 50 / 15, which is not */
    assert_int_equal(spread(f, INVOICE(135, PROGRAMME(310000, 1, 450, 135, 450, 135))), SQ_OK);
    assert_int_equal(f->r.count, 1);
    assert_back(f, 0, 450, 135);
}

static void a_return_that_was_refused_leaves_the_claim(void **state)
{
    struct found *f = *state;
    take(f, "[" ITEM("claimed", "accepted", A, "redeem", 100, 30) "," ITEM(
                "claimed", "accepted", A, "return", 100, 30) "," ENDED("return_refused", A, 100, 30) "]");
    assert_int_equal(spread(f, INVOICE(30, PROGRAMME(310000, 1, 100, 30, 100, 30))), SQ_OK);
    assert_back(f, 0, 100, 30);
}

static void what_all_programmes_give_beyond_their_bases_is_shared_by_what_they_keep(void **state)
{
    struct found *f = *state;
    take(f, "[" ITEM("acquired", "accepted", A, "redeem", 500, 300) "," ITEM("acquired", "accepted", C, "redeem", 500,
                                                                             100) "]");
    /* 80 must come back although no base is above the total: 60 and 20 */
    assert_int_equal(
        spread(f, INVOICE(80, PROGRAMME(310000, 1, 500, 300, 0, 0) "," PROGRAMME(370000, 2, 500, 100, 0, 0))), SQ_OK);
    assert_back(f, 0, 0, 60);
    assert_back(f, 1, 0, 20);
}

static void a_base_without_an_amount_goes_to_a_claim_with_one(void **state)
{
    struct found *f = *state;
    take(f, "[" ITEM("acquired", "accepted", A, "redeem", 1000, 1) "," ITEM("acquired", "accepted", B, "redeem", 9000,
                                                                            99) "]");
    assert_int_equal(spread(f, INVOICE(10, PROGRAMME(310000, 1, 10000, 100, 1000, 10))), SQ_OK);
    assert_back(f, 0, 0, 0);
    assert_back(f, 1, 1000, 10);
}

static void sums_that_are_not_the_registers_are_told(void **state)
{
    struct found *f = *state;
    take(f, "[" ITEM("acquired", "accepted", A, "redeem", 100, 30) "," ITEM("acquired", "waiting", B, "redeem", 100,
                                                                            30) "]");
    assert_int_equal(spread(f, INVOICE(60, PROGRAMME(310000, 1, 200, 60, 200, 60))), SQ_E_VERIFY);
    assert_non_null(strstr(f->err.text, "being decided"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shares_make_the_whole_to_the_fen, begin, end),
        cmocka_unit_test_setup_teardown(what_ended_or_is_being_returned_does_not_stand, begin, end),
        cmocka_unit_test_setup_teardown(a_return_that_was_refused_leaves_the_claim, begin, end),
        cmocka_unit_test_setup_teardown(what_all_programmes_give_beyond_their_bases_is_shared_by_what_they_keep, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_base_without_an_amount_goes_to_a_claim_with_one, begin, end),
        cmocka_unit_test_setup_teardown(sums_that_are_not_the_registers_are_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
