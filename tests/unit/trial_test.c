/*
 * A programme tried on a node in memory: what comes out, and the numbers that are shown, worked by hand to the fen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/explanation.h"
#include "ops/cli/trial.h"

#define DAY 20260901u

struct fixture {
    Sanquan__V1__Programme terms;
    struct sq_trial *trial;
    struct sq_explain why;
    struct sq_item item;
    uint64_t voucher;
    char provider[19];
};

/* 30 % of the base; 25.00 a claim, 30.00 a year, a pool of 50.00; one voucher of 40.00. */
static int begin(void **state)
{
    static char title[] = "trial";
    struct fixture *f = calloc(1, sizeof *f);
    struct sq_error err = {0};
    struct sq_trial_voucher v = {.row = {.face_fen = 4000, .until_day = 20261231}};
    sanquan__v1__programme__init(&f->terms);
    f->terms.issuer = 330100;
    f->terms.number = 7;
    f->terms.version = 3;
    f->terms.kind = 1;
    f->terms.title = title;
    f->terms.from_day = 20260101;
    f->terms.until_day = 20261231;
    f->terms.rate_bp = 3000;
    f->terms.base_kind = 1;
    f->terms.pool_fen = 5000;
    f->terms.cap_claim_fen = 2500;
    f->terms.cap_year_fen = 3000;
    assert_int_equal(sq_trial_new(&f->terms, DAY, &f->trial, &err), SQ_OK);
    sq_trial_code(330100, 1, v.row.holder);
    sq_trial_code(330100, 2, f->provider);
    assert_int_equal(sq_trial_grant(f->trial, &v, DAY, &f->voucher, &err), SQ_OK);
    assert_true(f->voucher == 3301000007000000001u);
    f->item =
        (struct sq_item){.voucher = f->voucher, .service = 1, .service_day = DAY, .verb = SANQUAN__V1__VERB__REDEEM};
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    sq_trial_free(f->trial);
    free(f);
    return 0;
}

static unsigned claim(struct fixture *f, int64_t amount_fen, int64_t base_fen)
{
    struct sq_error err = {0};
    f->item.amount_fen = amount_fen;
    f->item.base_fen = f->item.total_fen = base_fen;
    f->item.invoice[9]++;
    assert_int_equal(sq_trial_claim(f->trial, f->provider, &f->item, &f->why, &err), SQ_OK);
    assert_true(f->why.decided);
    return f->why.status;
}

static json_t *rule(json_t *explained, const char *name)
{
    size_t i;
    json_t *r;
    json_array_foreach(json_object_get(explained, "rules"), i,
                       r) if (strcmp(json_string_value(json_object_get(r, "rule")), name) == 0) return r;
    fail_msg("no rule %s", name);
    return NULL;
}

static void amounts_are(struct fixture *f, const char *name, const char *passed, int64_t limit, int64_t used,
                        int64_t left)
{
    json_t *o = sq_explanation_json(&f->why), *r = rule(o, name);
    assert_string_equal(json_string_value(json_object_get(r, "passed")), passed);
    assert_string_equal(json_string_value(json_object_get(r, "unit")), "fen");
    assert_true(json_integer_value(json_object_get(r, "limit")) == limit);
    assert_true(json_integer_value(json_object_get(r, "used")) == used);
    assert_true(json_integer_value(json_object_get(r, "left")) == left);
    json_decref(o);
}

static void each_amount_is_shown_to_the_fen(void **state)
{
    struct fixture *f = *state;
    /* 30 % of 33.35 is 10.005: 10.00, and 10.01 is a fen too much. */
    assert_int_equal(claim(f, 1001, 3335), SQ_R_RATE_EXCEEDED);
    assert_true(f->why.entitled_fen == 1000 && f->why.payable_fen == 1000);
    amounts_are(f, "SQ_R_RATE_EXCEEDED", "no", 1000, 0, 1000);
    assert_int_equal(claim(f, 1000, 3335), SQ_OK);
    amounts_are(f, "SQ_R_RATE_EXCEEDED", "yes", 1000, 0, 1000);
    amounts_are(f, "SQ_R_CAP_YEAR", "yes", 3000, 0, 3000); /* what was refused took up nothing */
    /* 10.00 of 30.00 are used. 30 % of 100.00 is 30.00, a claim gives 25.00, the year 20.00: 20.01 is a fen too much. */
    assert_int_equal(claim(f, 2001, 10000), SQ_R_CAP_YEAR);
    assert_true(f->why.entitled_fen == 3000 && f->why.payable_fen == 2000);
    amounts_are(f, "SQ_R_CAP_CLAIM", "yes", 2500, 0, 2500);
    amounts_are(f, "SQ_R_CAP_YEAR", "no", 3000, 1000, 2000);
    amounts_are(f, "SQ_R_VOUCHER_OVERDRAWN", "yes", 4000, 1000, 3000);
    amounts_are(f, "SQ_R_POOL_EXHAUSTED", "yes", 5000, 1000, 4000);
    assert_int_equal(claim(f, 2000, 10000), SQ_OK);      /* what was called payable is paid, */
    assert_int_equal(claim(f, 1, 10000), SQ_R_CAP_YEAR); /* and not a fen more */
    assert_true(f->why.payable_fen == 0);
}

static void what_never_came_to_the_rules_has_no_payable_amount(void **state)
{
    struct fixture *f = *state;
    f->item.voucher++;
    assert_int_equal(claim(f, 100, 1000), SQ_R_UNKNOWN_VOUCHER);
    json_t *o = sq_explanation_json(&f->why);
    assert_true(json_is_null(json_object_get(o, "payable_fen")));
    assert_string_equal(json_string_value(json_object_get(rule(o, "SQ_R_UNKNOWN_VOUCHER"), "passed")), "no");
    json_decref(o);
}

static void a_grant_that_the_programme_refuses_gives_no_number(void **state)
{
    struct fixture *f = *state;
    struct sq_error err = {0};
    struct sq_trial_voucher v = {.row = {.face_fen = 0, .until_day = 20261231}};
    uint64_t number = 7;
    sq_trial_code(330100, 3, v.row.holder);
    assert_int_not_equal(sq_trial_grant(f->trial, &v, DAY, &number, &err), SQ_OK);
    assert_true(number == 7);
    v.row.face_fen = 100;
    assert_int_equal(sq_trial_grant(f->trial, &v, DAY, &number, &err), SQ_OK);
    assert_true(number == f->voucher + 1); /* the refused one took no serial */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_amount_is_shown_to_the_fen, begin, end),
        cmocka_unit_test_setup_teardown(what_never_came_to_the_rules_has_no_payable_amount, begin, end),
        cmocka_unit_test_setup_teardown(a_grant_that_the_programme_refuses_gives_no_number, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
