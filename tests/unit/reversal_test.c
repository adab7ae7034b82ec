/*
 * Credit notes: what an invoice's new total no longer covers comes back, and the total stays.
 *
 * All invoices are at home in Shanghai (node 0); acquirers and issuers are Shanghai or Shandong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/pact.h"

#define RETURN_VERB SANQUAN__V1__VERB__RETURN

/* One row that gives back. */
static struct claims_row back(uint64_t voucher, uint64_t invoice, int64_t base_fen, int64_t amount_fen)
{
    return (struct claims_row){.voucher = voucher,
                               .invoice = invoice,
                               .base_fen = base_fen,
                               .amount_fen = amount_fen,
                               .total_fen = 1,
                               .verb = RETURN_VERB};
}

static unsigned reverse(struct story *s, uint64_t invoice, int64_t total_fen, const struct claims_row *rows,
                        size_t count)
{
    return claims_reverse(s->w, "310000", WORLD_PROVIDER, invoice, total_fen, rows, count);
}

static void a_part_of_the_invoice_takes_its_part_of_the_amount_with_it(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 299, .base_fen = 1000), SQ_OK);
    /* 667 of the base stay; ceil(299 * 333 / 1000) = ceil(99.567) = 100 fen come back */
    const struct {
        int64_t total, base, amount;
        unsigned status;
    } wrong[] = {{667, 333, 99, SQ_R_REVERSAL},  {667, 333, 101, SQ_R_REVERSAL}, {667, 332, 100, SQ_R_REVERSAL},
                 {667, 334, 100, SQ_R_REVERSAL}, {-1, 1000, 299, SQ_R_AMOUNT},   {1001, 333, 100, SQ_R_AMOUNT},
                 {1000, 1, 1, SQ_R_REVERSAL}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct claims_row row = back(s->voucher, 7, wrong[i].base, wrong[i].amount);
        assert_int_equal(reverse(s, 7, wrong[i].total, &row, 1), wrong[i].status);
        assert_int_equal(spent(s), 299);
    }
    assert_int_equal(reverse(s, 7, 667, NULL, 0), SQ_R_REVERSAL); /* something must come back */
    struct claims_row row = back(s->voucher, 7, 333, 100);
    assert_int_equal(claims_reverse(s->w, "310000", WORLD_OTHER, 7, 667, &row, 1), SQ_R_REVERSAL); /* not its seller */
    assert_int_equal(claims_reverse(s->w, "370000", WORLD_PROVIDER, 7, 667, &row, 1), SQ_R_REVERSAL);
    row.verb = SANQUAN__V1__VERB__REDEEM;
    assert_int_equal(reverse(s, 7, 667, &row, 1), SQ_R_REVERSAL);
    row = back(s->voucher, 8, 333, 100); /* on another invoice */
    assert_int_equal(reverse(s, 7, 667, &row, 1), SQ_R_REVERSAL);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 1, .base_fen = 1, .total_fen = 1000),
                     SQ_R_INVOICE_OVERDRAWN); /* its total is 1000 still */
    row = back(s->voucher, 7, 333, 100);
    assert_int_equal(reverse(s, 7, 667, &row, 1), SQ_OK);
    assert_true(s->w->answer.count == 1 && s->w->answer.amount_fen == -100);
    s->spent = 199;
    assert_int_equal(spent(s), 199);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 1, .base_fen = 10, .total_fen = 1000), SQ_R_INVOICE_TOTAL);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 1, .base_fen = 10, .total_fen = 667), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(reverse(s, 7, 667, NULL, 0), SQ_OK); /* said again: nothing more to come back */
    assert_int_equal(reverse(s, 7, 668, NULL, 0), SQ_R_AMOUNT);
}

static void an_invoice_that_is_void_is_void_for_everybody(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 300, .base_fen = 1000), SQ_OK);
    struct claims_row row = back(s->voucher, 7, 1000, 300);
    assert_int_equal(reverse(s, 7, 0, &row, 1), SQ_OK);
    s->spent = 0;
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 1, .base_fen = 1000), SQ_R_INVOICE_TOTAL);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 1, .base_fen = 1), SQ_R_INVOICE_TOTAL);
    assert_int_equal(CLAIM(.invoice = 8, .amount_fen = 300, .base_fen = 1000), SQ_OK); /* what came back can be used */
}

static void a_note_counts_also_before_anybody_claims(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    begin_programme(s, &p);
    struct claims_row row = back(s->voucher, 7, 1, 1);
    assert_int_equal(reverse(s, 7, 600, &row, 1), SQ_R_REVERSAL);
    assert_int_equal(reverse(s, 7, 600, NULL, 0), SQ_OK);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 100, .base_fen = 1000), SQ_R_INVOICE_TOTAL);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 181, .base_fen = 600), SQ_R_RATE_EXCEEDED);
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 180, .base_fen = 600), SQ_OK);
    row = back(s->voucher, 7, 600, 180);
    assert_int_equal(claims_row(s->w, SH, WORLD_PROVIDER, &row), SQ_OK);
    s->spent = 0;
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 180, .base_fen = 601),
                     SQ_R_INVOICE_TOTAL); /* free again, and its total is what it was */
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 180, .base_fen = 600), SQ_OK);
}

static void amounts_of_programmes_that_stack_stay_within_their_limit_of_the_new_total(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    uint64_t voucher[2];
    for (uint32_t i = 0; i < 2; i++) {
        plain(&p, i + 1);
        p.rate_bp = 10000;
        p.stacking = 1;
        p.stack_limit_bp = 6000;
        begin_programme(s, &p);
        voucher[i] = s->voucher;
        assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 300, .base_fen = 500, .total_fen = 1000), SQ_OK);
    }
    /* 800: the bases are covered; the amounts may be floor(480) together, and 120 come back */
    struct claims_row rows[2] = {back(voucher[0], 7, 0, 100), back(voucher[1], 7, 0, 19)};
    assert_int_equal(reverse(s, 7, 800, rows, 2), SQ_R_REVERSAL);
    rows[1].amount_fen = 20;
    assert_int_equal(reverse(s, 7, 800, rows, 2), SQ_OK);
    assert_int_equal(spent(s), 280);
    s->voucher = voucher[0];
    assert_int_equal(spent(s), 200);
    /* 400: of each 100 of 500 is not covered: ceil(200 / 5) = 40 and ceil(280 / 5) = 56; 384 stay, 240 may: 144 more */
    rows[0] = back(voucher[0], 7, 100, 40 + 100);
    rows[1] = back(voucher[1], 7, 100, 56 + 44);
    assert_int_equal(reverse(s, 7, 400, rows, 2), SQ_OK);
    assert_int_equal(spent(s), 60);
    s->voucher = voucher[1];
    assert_int_equal(spent(s), 180);
}

static void what_is_returned_already_is_not_asked_for_twice(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    char name[48];
    plain(&p, 1);
    begin_programme(s, &p);
    world_run(s->w);
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, SD, name), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, 1000 * WAN), SQ_OK);
    struct claims_row row = {.voucher = s->voucher, .invoice = 7, .base_fen = 1000, .amount_fen = 300};
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, NULL), SQ_OK);
    world_run(s->w);
    assert_int_equal(spent(s), 300);
    row = back(s->voucher, 7, 400, 120);
    assert_int_equal(claims_batch(s->w, SD, WORLD_OTHER, &row, 1, NULL), SQ_OK);
    assert_true(world_deliver(s->w, SD, SH)); /* the home holds 400 for the provider's own return */
    row = back(s->voucher, 7, 500, 150);
    assert_int_equal(claims_reverse(s->w, "370000", WORLD_OTHER, 7, 500, &row, 1), SQ_R_REVERSAL);
    row = back(s->voucher, 7, 100, 30);
    assert_int_equal(claims_reverse(s->w, "370000", WORLD_OTHER, 7, 500, &row, 1), SQ_OK);
    world_run(s->w);
    assert_int_equal(spent(s), 150);
    struct sq_link_view here, there;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SH, SD, &here);
    sq_settlement_link(sq_core_settlement(s->w->core[SD]), SH, SD, &there);
    assert_memory_equal(&here.last, &there.last, sizeof here.last);
    assert_true(here.last.total_fen[0] == 150);
}

static void another_regions_issuer_is_owed_its_money_back(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    char name[48];
    world_programme_init(&p, 370000, 1); /* Shandong's voucher, a provider of Shanghai */
    p.from_day = 20250101;
    p.pool_fen = 0;
    assert_int_equal(world_say(s->w, SD, "issuer:370000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
    snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
    assert_int_equal(world_enrol(s->w, SD, name), SQ_OK);
    s->voucher = world_voucher(s->w, SD, 370000, 1, WORLD_HOLDER, 1000 * WAN);
    assert_int_equal(world_mandate(s->w, SD, WORLD_HOLDER, WORLD_PROVIDER, s->voucher, 1000 * WAN), SQ_OK);
    world_run(s->w);
    struct claims_row row = {.voucher = s->voucher, .invoice = 7, .base_fen = 1000, .amount_fen = 300};
    assert_int_equal(claims_batch(s->w, SH, WORLD_PROVIDER, &row, 1, NULL), SQ_OK);
    row = back(s->voucher, 7, 500, 150);
    assert_int_equal(reverse(s, 7, 500, &row, 1), SQ_OK); /* while the claim waits for its issuer */
    world_run(s->w);
    struct sq_link_view here;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SD, SH, &here);
    assert_true(here.last.total_fen[0] == 300); /* what is under way is no money to return; it is held no longer */
    assert_int_equal(reverse(s, 7, 500, &row, 1), SQ_OK);
    world_run(s->w);
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SD, SH, &here);
    assert_true(here.last.total_fen[0] == 150);
    row = back(s->voucher, 7, 500, 150);
    assert_int_equal(claims_batch(s->w, SH, WORLD_PROVIDER, &row, 1, NULL),
                     SQ_OK); /* its provider can still give back the rest, and no more */
    world_run(s->w);
    assert_int_equal(s->w->answer.code_count, 0);
    assert_int_equal(claims_batch(s->w, SH, WORLD_PROVIDER, &row, 1, NULL), SQ_OK);
    world_run(s->w);
    assert_int_equal(s->w->answer.code[0], SQ_R_RETURN_EXCEEDS);
}

static void a_voucher_that_was_not_claimed_on_it_gives_nothing_back(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    plain(&p, 1);
    begin_programme(s, &p);
    uint64_t right = s->voucher;
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 300, .base_fen = 1000), SQ_OK);
    assert_int_equal(grant(s, 1, &(struct claims_grant){.face_fen = 1000 * WAN}), SQ_OK);
    struct claims_row row = back(s->voucher, 7, 1000, 300);
    assert_int_equal(reverse(s, 7, 0, &row, 1), SQ_OK); /* the home knows sums only; the issuer knows better */
    assert_int_equal(spent(s), 0);
    s->voucher = right;
    assert_int_equal(spent(s), 300);
    row = back(right, 7, 1000, 300);
    assert_int_equal(reverse(s, 7, 0, &row, 1), SQ_OK);
    assert_int_equal(spent(s), 0);
}

static void a_home_speaks_of_its_own_invoices_only(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    Sanquan__V1__Reverse m;
    uint8_t cell[10] = {0x26, 0x37, 0x20, 1}, note[10] = {0x26, 0x37, 0x20, 2};
    plain(&p, 1);
    begin_programme(s, &p);
    sanquan__v1__reverse__init(&m);
    m.invoice = (ProtobufCBinaryData){10, cell}; /* of Shandong */
    m.credit_note = (ProtobufCBinaryData){10, note};
    assert_int_equal(world_say(s->w, SH, OPERATOR, SANQUAN__V1__MESSAGE_TYPE__REVERSE, &m.base), SQ_R_WRONG_RECEIVER);
    m.credit_note.len = 9;
    assert_int_equal(world_say(s->w, SD, "operator:370000/li", SANQUAN__V1__MESSAGE_TYPE__REVERSE, &m.base),
                     SQ_R_INVOICE_FORMAT);
    m.credit_note.len = 10;
    assert_int_equal(world_say(s->w, SD, "operator:370000/li", SANQUAN__V1__MESSAGE_TYPE__REVERSE, &m.base), SQ_OK);
    cell[1] = 0x31; /* Shandong says something of an invoice of Shanghai's */
    assert_int_equal(CLAIM(.invoice = 7, .amount_fen = 300, .base_fen = 1000), SQ_OK);
    world_say(s->w, SH, "node:370000", SANQUAN__V1__MESSAGE_TYPE__REVERSED, &m.base);
    assert_int_equal(s->w->peer_status, SQ_R_INVOICE_FORMAT);
    assert_int_equal(spent(s), 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(a_part_of_the_invoice_takes_its_part_of_the_amount_with_it),
        STORY(an_invoice_that_is_void_is_void_for_everybody),
        STORY(a_note_counts_also_before_anybody_claims),
        STORY(amounts_of_programmes_that_stack_stay_within_their_limit_of_the_new_total),
        STORY(what_is_returned_already_is_not_asked_for_twice),
        STORY(another_regions_issuer_is_owed_its_money_back),
        STORY(a_voucher_that_was_not_claimed_on_it_gives_nothing_back),
        STORY(a_home_speaks_of_its_own_invoices_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
