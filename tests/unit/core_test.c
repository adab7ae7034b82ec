/* The core, through its step function alone: what is accepted, what is refused, and that a refusal changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/redeemer.h"

static void a_good_redemption_is_spent_once(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    assert_int_equal(redeem(s, &row), SQ_OK);
    assert_int_equal(s->w->answer.amount_fen, 30000);
    assert_int_equal(spent(s), 30000);
    pool_is(s, 0, 30000);
}

static void each_rule_refuses_with_its_own_number_and_changes_nothing(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    const struct {
        unsigned code;
        struct world_row row;
    } cases[] = {
#define WRONG(number, ...)                                                                                             \
    {number, ({                                                                                                        \
         struct world_row r = row;                                                                                     \
         __VA_ARGS__;                                                                                                  \
         r;                                                                                                            \
     })}
        WRONG(SQ_R_AMOUNT, r.amount_fen = 0),
        WRONG(SQ_R_AMOUNT, r.amount_fen = -5),
        WRONG(SQ_R_AMOUNT, r.base_fen = -1),
        WRONG(SQ_R_VERB, r.verb = 9),
        WRONG(SQ_R_SERVICE_DAY, r.service_day = 20251231),
        WRONG(SQ_R_SERVICE_DAY, r.service_day = 20260230),
        WRONG(SQ_R_SERVICE_DAY, r.service_day = 20261130), /* later than today */
        WRONG(SQ_R_INVOICE_FORMAT, r.invoice = NULL),
        WRONG(SQ_R_UNKNOWN_ISSUER, r.voucher = 9990000001000000001u),
        WRONG(SQ_R_UNKNOWN_PROGRAMME, r.voucher = 3100000009000000001u),
        WRONG(SQ_R_UNKNOWN_VOUCHER, r.voucher = s->voucher + 1),
        WRONG(SQ_R_RATE_EXCEEDED, r.amount_fen = 30001),
        WRONG(SQ_R_MANDATE_OVERDRAWN, r.amount_fen = 800001, r.base_fen = r.total_fen = 9000000),
        WRONG(SQ_R_INVOICE_OVERDRAWN, r.base_fen = 100001),
        WRONG(SQ_R_RESERVATION_UNKNOWN, r.verb = SANQUAN__V1__VERB__COMMIT, r.reservation = 5),
        WRONG(SQ_R_RESERVATION_UNKNOWN, r.verb = SANQUAN__V1__VERB__RELEASE, r.reservation = 5),
        WRONG(SQ_R_RETURN_EXCEEDS, r.verb = SANQUAN__V1__VERB__RETURN),
#undef WRONG
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned code = redeem(s, &cases[i].row);
        if (code != cases[i].code)
            print_error("case %zu: %s, expected %s\n", i, sq_status_name(code), sq_status_name(cases[i].code));
        assert_int_equal(code, cases[i].code);
        assert_int_equal(spent(s), 0);
        assert_int_equal(reserved(s), 0);
        pool_is(s, 0, 0);
    }
    assert_int_equal(redeem(s, &row), SQ_OK); /* and the invoice was not used up by any of them */
}

static void a_batch_is_cut_exactly_at_the_first_row_that_does_not_fit(void **state)
{
    struct story *s = *state;
    struct world_row rows[4];
    char invoice[4][21];
    for (unsigned i = 0; i < 4; i++) {
        rows[i] = good(s);
        snprintf(invoice[i], sizeof invoice[i], "263120000000000001%02u", i);
        rows[i].invoice = invoice[i];
        rows[i].amount_fen = 300000; /* the mandate holds two of them and 200,000 more */
        rows[i].base_fen = rows[i].total_fen = 1000000;
    }
    rows[3].amount_fen = 200000;
    assert_int_equal(world_batch(s->w, SH, WORLD_PROVIDER, rows, 4), SQ_OK);
    assert_int_equal(s->w->answer.code_count, 4);
    const uint8_t expected[4] = {0, 0, SQ_R_MANDATE_OVERDRAWN, 0};
    assert_memory_equal(s->w->answer.code, expected, 4);
    assert_int_equal(spent(s), 800000);
}

static void the_same_invoice_is_claimed_once_in_whatever_region_it_is_submitted(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    char name[48];
    assert_int_equal(redeem(s, &row), SQ_OK);
    assert_int_equal(redeem(s, &row), SQ_R_INVOICE_OVERDRAWN);
    /* Another provider at Guangdong, with the same Shanghai invoice and voucher. */
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, GD, name), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, 100000), SQ_OK);
    uint64_t answers = s->w->answers;
    assert_int_equal(world_batch(s->w, GD, WORLD_OTHER, &row, 1), SQ_OK);
    assert_int_equal(s->w->answers, answers); /* it waits for the invoice's home */
    world_run(s->w);
    assert_int_equal(s->w->answers, answers + 1);
    assert_int_equal(s->w->answer.code[0], SQ_R_INVOICE_SELLER);
    assert_int_equal(spent(s), 30000);
}

static void a_claim_that_was_refused_does_not_keep_an_invoice_from_its_seller(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    char name[48];
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, GD, name), SQ_OK);
    assert_int_equal(world_batch(s->w, GD, WORLD_OTHER, &row, 1), SQ_OK); /* somebody else's number, and no mandate */
    world_run(s->w);
    assert_int_equal(s->w->answer.code[0], SQ_R_NO_MANDATE);
    assert_int_equal(redeem(s, &row), SQ_OK);
}

static void a_foreign_acquirer_is_decided_by_the_issuer_and_owed_by_its_region(void **state)
{
    struct story *s = *state;
    char name[48];
    snprintf(name, sizeof name, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(s->w, GD, name), SQ_OK);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_OTHER, s->voucher, 100000), SQ_OK);
    struct world_row rows[3] = {good(s), good(s), good(s)};
    rows[0].invoice = "26372000000000000009"; /* at home in Shandong */
    rows[1].invoice = "26442000000000000009"; /* at home in Guangdong */
    rows[2].invoice = "26442000000000000010";
    rows[2].amount_fen = 90000; /* more than 30 % */
    assert_int_equal(world_batch(s->w, GD, WORLD_OTHER, rows, 3), SQ_OK);
    world_run(s->w);
    const uint8_t expected[3] = {0, 0, SQ_R_RATE_EXCEEDED};
    assert_int_equal(s->w->answer.code_count, 3);
    assert_memory_equal(s->w->answer.code, expected, 3);
    assert_int_equal(s->w->answer.amount_fen, 60000);
    assert_int_equal(spent(s), 60000);
    struct sq_link_view owes, owed;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SH, GD, &owes);
    sq_settlement_link(sq_core_settlement(s->w->core[GD]), SH, GD, &owed);
    assert_true(owes.last.number >= 1 && owes.last.total_fen[0] == 60000);
    assert_memory_equal(&owes.last, &owed.last, sizeof owes.last);
    /* The refused row's invoice is free again, the others' are not. */
    rows[2].amount_fen = 30000;
    assert_int_equal(world_batch(s->w, GD, WORLD_OTHER, rows, 3), SQ_OK);
    world_run(s->w);
    const uint8_t again[3] = {SQ_R_INVOICE_OVERDRAWN, SQ_R_INVOICE_OVERDRAWN, 0};
    assert_memory_equal(s->w->answer.code, again, 3);
}

static void ids_count_up_repeats_are_known_and_gaps_told(void **state)
{
    struct story *s = *state;
    char name[48];
    Sanquan__V1__Batch empty;
    sanquan__v1__batch__init(&empty);
    snprintf(name, sizeof name, "provider:%s", WORLD_PROVIDER);
    uint64_t seq = sq_core_seq(s->w->core[SH]);
    assert_int_equal(world_say_as(s->w, SH, name, 3, SANQUAN__V1__MESSAGE_TYPE__BATCH, &empty.base), SQ_R_GAP);
    assert_int_equal(s->w->refusal_expected, 1);
    assert_int_equal(sq_core_seq(s->w->core[SH]), seq);
    assert_int_equal(world_say_as(s->w, SH, name, 1, SANQUAN__V1__MESSAGE_TYPE__BATCH, &empty.base), SQ_R_BATCH_SIZE);
    assert_int_equal(sq_core_seq(s->w->core[SH]), seq + 1);
    assert_int_equal(world_say_as(s->w, SH, name, 1, SANQUAN__V1__MESSAGE_TYPE__BATCH, &empty.base), 0);
    assert_int_equal(s->w->repeats, 1);
    assert_int_equal(sq_core_seq(s->w->core[SH]), seq + 1);
}

static void a_role_does_only_what_it_may(void **state)
{
    struct story *s = *state;
    char name[48];
    Sanquan__V1__Programme p;
    world_programme_init(&p, 310000, 2);
    snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
    assert_int_equal(world_say(s->w, SH, name, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_R_NOT_PERMITTED);
    assert_int_equal(world_say(s->w, SH, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base),
                     SQ_R_NOT_PERMITTED);
    assert_int_equal(world_say(s->w, SH, "issuer:370000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base),
                     SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(world_say(s->w, SH, "operator:370000/li", SANQUAN__V1__MESSAGE_TYPE__ENROL, &p.base),
                     SQ_R_NOT_PERMITTED);
    assert_int_equal(sq_core_programme_count(s->w->core[SH]), 1);
    /* A peer that sends a programme of an issuer it does not host is not believed. */
    world_say(s->w, SH, "node:370000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE, &p.base);
    assert_int_equal(s->w->peer_status, SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(sq_core_programme_count(s->w->core[SH]), 1);
}

static void caps_of_year_and_life_count_what_is_reserved_and_spent(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    world_programme_init(&p, 310000, 2);
    p.cap_claim_fen = 25000;
    p.cap_year_fen = 40000;
    p.cap_total_fen = 60000;
    p.min_claim_fen = 1000;
    p.from_day = 20250101;
    uint32_t services[2] = {3, 7}, regions[1] = {310000};
    p.services = services;
    p.n_services = 2;
    p.provider_regions = regions;
    p.n_provider_regions = 1;
    assert_int_equal(world_say(s->w, SH, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
    uint64_t voucher = world_voucher(s->w, SH, 310000, 2, WORLD_HOLDER, 1000000);
    assert_int_equal(world_mandate(s->w, SH, WORLD_HOLDER, WORLD_PROVIDER, voucher, 800000), SQ_OK);
    const struct {
        int64_t amount, base;
        uint32_t service, day;
        unsigned code;
    } steps[] = {
        {25001, 100000, 7, DAY, SQ_R_CAP_CLAIM}, {25000, 100000, 7, DAY, SQ_OK},
        {15001, 100000, 7, DAY, SQ_R_CAP_YEAR},  {10, 999, 7, DAY, SQ_R_BELOW_MINIMUM},
        {10, 1000, 8, DAY, SQ_R_SERVICE},        {15000, 100000, 3, DAY, SQ_OK},
        {1, 1000, 3, DAY, SQ_R_CAP_YEAR},        {20001, 100000, 3, 20251231, SQ_R_CAP_TOTAL},
        {20000, 100000, 3, 20251231, SQ_OK},     {1, 1000, 3, 20251231, SQ_R_CAP_TOTAL},
    };
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        char invoice[21];
        snprintf(invoice, sizeof invoice, "263120000000000002%02u", i);
        struct world_row row = {
            voucher, steps[i].amount, steps[i].base, steps[i].base, invoice, steps[i].service, steps[i].day, 0, 0, 0};
        assert_int_equal(redeem(s, &row), steps[i].code);
    }
}

static void a_core_read_back_from_its_dump_goes_on_as_if_nothing_had_happened(void **state)
{
    struct story *s = *state;
    struct world_row row = good(s);
    struct sq_dump first = {0}, second = {0};
    struct sq_core *copy;
    struct sq_error err = {0};
    assert_int_equal(redeem(s, &row), SQ_OK);
    sq_core_dump(s->w->core[SH], &first);
    assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
    assert_int_equal(sq_core_undump(copy, sq_bytes_of(first.bytes, first.size), &err), SQ_OK);
    sq_core_dump(copy, &second);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.bytes, second.bytes, first.size);
    sq_core_free(s->w->core[SH]);
    s->w->core[SH] = copy;
    assert_int_equal(redeem(s, &row), SQ_R_INVOICE_OVERDRAWN);
    row.invoice = "26312000000000000055";
    assert_int_equal(redeem(s, &row), SQ_OK);
    for (size_t cut = 0; cut < first.size; cut += first.size / 97 + 1) { /* a short snapshot is refused, not believed */
        assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
        assert_int_not_equal(sq_core_undump(copy, sq_bytes_of(first.bytes, cut), &err), SQ_OK);
        sq_core_free(copy);
    }
    sq_dump_free(&first);
    sq_dump_free(&second);
}

/* A cut sends two statements: with less memory than that the step fails, and says so, wherever it runs out. */
static void a_step_that_runs_out_of_memory_says_so(void **state)
{
    struct story *s = *state;
    struct sq_dump before = {0};
    Sanquan__V1__WindowCut m;
    uint8_t body[16];
    sanquan__v1__window_cut__init(&m);
    m.window = 1;
    size_t size = sanquan__v1__window_cut__pack(&m, body);
    struct sq_envelope e = {
        .type = SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, .version = 1, .algorithm = 1, .body = sq_bytes_of(body, size)};
    strcpy(e.sender, "operator:310000/li");
    e.id = sq_core_party(s->w->core[SH], sq_core_party_find(s->w->core[SH], e.sender))->last_id + 1;
    sq_core_dump(s->w->core[SH], &before);
    unsigned failures = 0;
    sq_status st = SQ_E_FULL;
    for (size_t room = 0; st != SQ_OK; room += 32) {
        struct sq_core *copy; /* a core that failed is of no more use */
        struct sq_arena arena;
        struct sq_effects fx;
        struct sq_error err = {0};
        assert_int_equal(sq_core_new(&copy, NULL), SQ_OK);
        assert_int_equal(sq_core_undump(copy, sq_bytes_of(before.bytes, before.size), NULL), SQ_OK);
        assert_int_equal(sq_arena_init(&arena, SQ_OUT_MAX * sizeof(struct sq_out) + room, NULL), SQ_OK);
        st = sq_core_step(copy, &(struct sq_event){s->w->now_ms, e.type, &e, e.body}, &arena, &fx, &err);
        assert_true(st == SQ_OK || st == SQ_E_FULL);
        assert_true(st == SQ_OK || (err.status == SQ_E_FULL && err.text[0] != '\0'));
        failures += st != SQ_OK;
        sq_arena_free(&arena);
        sq_core_free(copy);
    }
    assert_true(failures > 10);
    sq_dump_free(&before);
}

static void an_outcome_says_which_rows_wait_and_which_window_was_opened(void **state)
{
    struct story *s = *state;
    struct world_row rows[3] = {good(s), good(s), good(s)};
    rows[1].invoice = "26442000000000000001"; /* at home in Guangdong */
    rows[2].invoice = "26442000000000000002";
    rows[2].service_day = 20250101;
    assert_int_equal(world_batch(s->w, SH, WORLD_PROVIDER, rows, 3), SQ_OK);
    const uint8_t at_first[3] = {SQ_OK, SQ_ROW_WAITS, SQ_ROW_WAITS};
    assert_int_equal(s->w->outcome_code_count, 3);
    assert_memory_equal(s->w->outcome_code, at_first, 3);
    assert_int_equal(world_deliver(s->w, SH, GD), 1); /* the programme's notice went before */
    assert_int_equal(s->w->outcome_code_count, 0);    /* registered, both */
    assert_int_equal(world_deliver(s->w, GD, SH), 1);
    assert_int_equal(s->w->outcome_code_count, 2);
    assert_int_equal(s->w->outcome_code[0], SQ_OK);
    assert_int_equal(s->w->outcome_code[1], SQ_R_SERVICE_DAY);
    assert_int_equal(s->w->outcome_window, 0);
    Sanquan__V1__WindowCut cut;
    sanquan__v1__window_cut__init(&cut);
    cut.window = 1;
    assert_int_equal(world_say(s->w, SH, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &cut.base),
                     SQ_OK);
    assert_int_equal(s->w->outcome_window, 2);
    assert_int_equal(s->w->outcome_final, 0);
    world_run(s->w);
    assert_int_equal(s->w->outcome_final, 3); /* one window, three journals */
    assert_int_equal(sq_settlement_last_final(sq_core_settlement(s->w->core[SD])), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(a_good_redemption_is_spent_once),
        STORY(each_rule_refuses_with_its_own_number_and_changes_nothing),
        STORY(a_batch_is_cut_exactly_at_the_first_row_that_does_not_fit),
        STORY(the_same_invoice_is_claimed_once_in_whatever_region_it_is_submitted),
        STORY(a_claim_that_was_refused_does_not_keep_an_invoice_from_its_seller),
        STORY(a_foreign_acquirer_is_decided_by_the_issuer_and_owed_by_its_region),
        STORY(ids_count_up_repeats_are_known_and_gaps_told),
        STORY(a_role_does_only_what_it_may),
        STORY(caps_of_year_and_life_count_what_is_reserved_and_spent),
        STORY(a_step_that_runs_out_of_memory_says_so),
        STORY(an_outcome_says_which_rows_wait_and_which_window_was_opened),
        STORY(a_core_read_back_from_its_dump_goes_on_as_if_nothing_had_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
