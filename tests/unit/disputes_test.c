/* Cases about items that were paid: who may say what when, what silence means, what comes back, and that it never comes back twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "clearing/core/invoice.h"
#include "tests/support/court.h"

/* ---- the way of a case ---- */

static void silence_charges_back_and_then_upholds_and_the_next_cut_has_it(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 700), SQ_OK);
    assert_int_equal(redeem(c, 37, 2, 300), SQ_OK);
    owed(c, 1000);
    assert_int_equal(open_case(c, 37, 1, 700), SQ_OK);
    assert_int_equal(c->w->answer.number, 1);
    stands(c, 1, SQ_DISPUTE_QUERY, 20260928, 0); /* Monday the 21st, and five working days */
    wait_for_end_of(c, 20260928, 1, SQ_DISPUTE_QUERY);
    stands(c, 1, SQ_DISPUTE_CHARGED, 20261013, 0);
    owed(c, 1000);
    wait_for_end_of(c, 20261013, 1, SQ_DISPUTE_CHARGED);
    stands(c, 1, SQ_DISPUTE_UPHELD, 0, 700);
    assert_string_equal(seen(c, SH, 1).note, "");
    owed(c, 300);
    debts_cut(c->d, SH);
    Sanquan__V1__Settlement *v = debts_value(c->d, GD, 1);
    assert_non_null(v);
    assert_int_equal(v->n_pairs, 1);
    assert_int_equal(v->pairs[0]->total_fen[0], 300);
    sanquan__v1__settlement__free_unpacked(v, NULL);
}

static void a_case_goes_all_the_way_to_a_ruling_that_upholds_a_part(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 700), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 600), SQ_OK);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ANSWER), SQ_OK);
    stands(c, 1, SQ_DISPUTE_ANSWERED, 20261005, 0);
    assert_string_equal(seen(c, SH, 1).note, "see the record of delivery");
    assert_int_equal(seen(c, SH, 1).evidence[0], 7);
    assert_int_equal(office(c, 1, SQ_DISPUTE_CHARGE), SQ_OK);
    stands(c, 1, SQ_DISPUTE_CHARGED, 20261005, 0);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_PRESENT), SQ_OK);
    stands(c, 1, SQ_DISPUTE_PRESENTED, 20261005, 0);
    assert_int_equal(rule(c, 1, 1), SQ_R_DISPUTE_STATE); /* nobody has called for it */
    assert_int_equal(office(c, 1, SQ_DISPUTE_ARBITRATE), SQ_OK);
    stands(c, 1, SQ_DISPUTE_ARBITRATION, 20261019, 0);
    assert_int_equal(rule(c, 1, 601), SQ_R_DISPUTE_TERMS); /* more than was asked for */
    assert_int_equal(rule(c, 1, -1), SQ_R_DISPUTE_TERMS);
    owed(c, 700);
    assert_int_equal(rule(c, 1, 250), SQ_OK);
    stands(c, 1, SQ_DISPUTE_UPHELD, 0, 250);
    owed(c, 450);
    assert_int_equal(rule(c, 1, 250), SQ_R_DISPUTE_STATE);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_R_DISPUTED); /* once only */
    owed(c, 450);
}

static void silence_of_the_office_and_of_the_regulator_takes_nothing(void **state)
{
    struct court *c = *state;
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(redeem(c, 37, i, 100), SQ_OK);
        assert_int_equal(open_case(c, 37, i, 100), SQ_OK);
        assert_int_equal(provider(c, i, SQ_DISPUTE_ANSWER), SQ_OK);
    }
    assert_int_equal(office(c, 2, SQ_DISPUTE_CHARGE), SQ_OK);
    assert_int_equal(provider(c, 2, SQ_DISPUTE_PRESENT), SQ_OK);
    assert_int_equal(office(c, 3, SQ_DISPUTE_CHARGE), SQ_OK);
    assert_int_equal(provider(c, 3, SQ_DISPUTE_PRESENT), SQ_OK);
    assert_int_equal(office(c, 3, SQ_DISPUTE_ARBITRATE), SQ_OK);
    wait_for_end_of(c, 20261005, 1, SQ_DISPUTE_ANSWERED);
    stands(c, 1, SQ_DISPUTE_WITHDRAWN, 0, 0);
    stands(c, 2, SQ_DISPUTE_WITHDRAWN, 0, 0);
    wait_for_end_of(c, 20261019, 3, SQ_DISPUTE_ARBITRATION);
    stands(c, 3, SQ_DISPUTE_DISMISSED, 0, 0);
    owed(c, 300);
    assert_int_equal(open_case(c, 37, 2, 100), SQ_R_DISPUTED); /* it was charged back once */
    assert_int_equal(open_case(c, 37, 3, 100), SQ_R_DISPUTED);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK); /* it never was */
    assert_int_equal(open_case(c, 37, 1, 100), SQ_R_DISPUTED);
}

static void a_ruling_may_dismiss_and_the_provider_may_accept(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(redeem(c, 37, 2, 200), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    assert_int_equal(open_case(c, 37, 2, 200), SQ_OK);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ANSWER), SQ_OK);
    assert_int_equal(office(c, 1, SQ_DISPUTE_CHARGE), SQ_OK);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_PRESENT), SQ_OK);
    assert_int_equal(office(c, 1, SQ_DISPUTE_ARBITRATE), SQ_OK);
    assert_int_equal(rule(c, 1, 0), SQ_OK);
    stands(c, 1, SQ_DISPUTE_DISMISSED, 0, 0);
    assert_int_equal(provider(c, 2, SQ_DISPUTE_ACCEPT), SQ_OK);
    stands(c, 2, SQ_DISPUTE_UPHELD, 0, 200);
    owed(c, 100);
}

/* ---- who and when ---- */

static void everybody_has_a_role_and_a_moment(void **state)
{
    struct court *c = *state;
    char other[48], name[48];
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(open_as(c, "issuer:370000", 37, 1, 100, 1), SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(open_as(c, "regulator:mof", 37, 1, 100, 1), SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(open_as(c, OPERATOR, 37, 1, 100, 1), SQ_R_NOT_PERMITTED);
    assert_int_equal(open_as(c, ISSUER, 37, 1, 100, 0), SQ_R_DISPUTE_TERMS);
    assert_int_equal(open_as(c, ISSUER, 37, 1, 100, 8), SQ_R_DISPUTE_TERMS);
    assert_int_equal(open_as(c, ISSUER, 37, 1, 0, 1), SQ_R_DISPUTE_TERMS);
    assert_int_equal(sq_core_dispute_count(c->w->core[SH]), 0);
    assert_int_equal(office(c, 1, SQ_DISPUTE_WITHDRAW), SQ_R_DISPUTE_STATE); /* there is none */
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    assert_int_equal(office(c, 1, SQ_DISPUTE_CHARGE), SQ_R_DISPUTE_STATE); /* before the answer */
    assert_int_equal(office(c, 1, SQ_DISPUTE_ANSWER), SQ_R_NOT_PERMITTED);
    assert_int_equal(office(c, 1, SQ_DISPUTE_DENY), SQ_R_NOT_PERMITTED);
    assert_int_equal(office(c, 1, 77), SQ_R_NOT_PERMITTED);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_PRESENT), SQ_R_DISPUTE_STATE);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_WITHDRAW), SQ_R_NOT_PERMITTED);
    assert_int_equal(rule(c, 1, 50), SQ_R_DISPUTE_STATE);
    assert_int_equal(act_for(c, SH, "issuer:370000", 1, SQ_DISPUTE_WITHDRAW, 0), SQ_R_NOT_YOUR_ISSUER);
    assert_int_equal(act_for(c, SH, ISSUER, 1, SQ_DISPUTE_WITHDRAW, 1),
                     SQ_R_DISPUTE_TERMS); /* an amount says nothing here */
    snprintf(other, sizeof other, "provider:%s", WORLD_OTHER);
    assert_int_equal(world_enrol(c->w, SD, other), SQ_OK);
    assert_int_equal(act_for(c, SD, other, 1, SQ_DISPUTE_ACCEPT, 0), SQ_R_DISPUTE_STATE); /* not its case */
    stands(c, 1, SQ_DISPUTE_QUERY, 20260928, 0);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ANSWER), SQ_OK);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ANSWER), SQ_R_DISPUTE_STATE);
    assert_int_equal(office(c, 1, SQ_DISPUTE_WITHDRAW), SQ_OK);
    stands(c, 1, SQ_DISPUTE_WITHDRAWN, 0, 0);
    snprintf(name, sizeof name, "provider:%s", c->d->provider[SD]);
    assert_int_equal(act_for(c, SD, name, 1, SQ_DISPUTE_ACCEPT, 0), SQ_R_DISPUTE_STATE);
    owed(c, 100);
}

static unsigned with_note(struct court *c, size_t note_size, size_t evidence_size)
{
    Sanquan__V1__Dispute m;
    char note[256], sh[] = "310000";
    uint8_t evidence[32] = {0};
    sanquan__v1__dispute__init(&m);
    memset(note, 'n', sizeof note);
    note[note_size] = '\0';
    m.action = SQ_DISPUTE_WITHDRAW;
    m.node = sh;
    m.number = 1;
    m.note = note;
    m.evidence = (ProtobufCBinaryData){evidence_size, evidence};
    return world_say(c->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base);
}

static void every_step_says_why(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    assert_int_equal(with_note(c, 0, 0), SQ_R_NOTE);
    assert_int_equal(with_note(c, 200, 0), SQ_R_NOTE);
    assert_int_equal(with_note(c, 10, 15), SQ_R_NOTE);
    assert_int_equal(seen(c, SH, 1).state, SQ_DISPUTE_QUERY);
    assert_int_equal(with_note(c, 199, 16), SQ_OK);
    world_run(c->w);
    stands(c, 1, SQ_DISPUTE_WITHDRAWN, 0, 0);
    assert_int_equal(strlen(seen(c, SD, 1).note), 199);
}

static void a_step_that_comes_after_the_deadline_changes_nothing(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    c->w->down = 1u << SH; /* Shandong passes the answer on, and Shanghai hears it late */
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ANSWER), SQ_OK);
    c->w->now_ms = sq_day_end_ms(20260928);
    c->w->down = 0;
    world_run(c->w);
    stands(c, 1, SQ_DISPUTE_CHARGED, 20261013, 0);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_PRESENT), SQ_OK);
    stands(c, 1, SQ_DISPUTE_PRESENTED, 20261013, 0);
}

/* ---- how much ---- */

static void no_more_comes_back_than_was_claimed_on_the_invoice(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK); /* at home where its provider is */
    assert_int_equal(redeem(c, 44, 2, 100), SQ_OK); /* at a third node */
    assert_int_equal(redeem(c, 31, 3, 100), SQ_OK); /* where its issuer is */
    assert_int_equal(redeem(c, 37, 4, 500), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 101), SQ_OK);
    stands(c, 1, SQ_DISPUTE_NO_ITEM, 0, 0);
    assert_int_equal(open_case(c, 44, 2, 101), SQ_OK);
    stands(c, 2, SQ_DISPUTE_NO_ITEM, 0, 0);
    assert_int_equal(open_case(c, 31, 3, 101), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(open_case(c, 37, 99, 1), SQ_OK);
    stands(c, 3, SQ_DISPUTE_NO_ITEM, 0, 0);
    assert_int_equal(open_case(c, 37, 1, 801),
                     SQ_R_RETURN_EXCEEDS); /* more than its provider was paid on the voucher */
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    assert_int_equal(open_case(c, 44, 2, 100), SQ_OK);
    assert_int_equal(open_case(c, 31, 3, 100), SQ_OK);
    for (uint64_t n = 4; n <= 6; n++) {
        stands(c, n, SQ_DISPUTE_QUERY, 20260928, 0);
        assert_int_equal(provider(c, n, SQ_DISPUTE_ACCEPT), SQ_OK);
    }
    owed(c, 500);
}

static void what_its_provider_returns_meanwhile_counts_and_nothing_comes_back_twice(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(redeem(c, 37, 2, 900), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 90), SQ_OK);
    assert_int_equal(row(c, 37, 1, 60, SANQUAN__V1__VERB__RETURN), SQ_OK);
    assert_int_equal(seen(c, SH, 1).returned_fen, 60);
    owed(c, 940);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ACCEPT), SQ_OK);
    stands(c, 1, SQ_DISPUTE_UPHELD, 0, 30);
    owed(c, 910);
    assert_int_equal(row(c, 37, 1, 30, SANQUAN__V1__VERB__RETURN), SQ_R_DISPUTED); /* the register still has 40 */
    assert_int_equal(redeem(c, 37, 1, 961), SQ_R_INVOICE_OVERDRAWN);               /* its base stays claimed */
    owed(c, 910);
    assert_int_equal(row(c, 37, 2, 900, SANQUAN__V1__VERB__RETURN), SQ_OK);
    owed(c, 10);
}

static void a_case_about_what_was_returned_whole_takes_nothing(void **state)
{
    struct court *c = *state;
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    assert_int_equal(row(c, 37, 1, 100, SANQUAN__V1__VERB__RETURN), SQ_OK);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ACCEPT), SQ_OK);
    stands(c, 1, SQ_DISPUTE_UPHELD, 0, 0);
    owed(c, 0);
}

static void who_bears_what_comes_back_follows_the_agreement(void **state)
{
    struct court *c = *state;
    struct story both = {.w = c->w};
    struct terms t;
    struct sq_link_view debtor, creditor;
    struct sq_recognition_view v;
    terms(&t, 1);
    t.side[0].borne_bp = 2000; /* of Shanghai's vouchers Shandong bears a fifth itself */
    agree(&both, &t);
    assert_int_equal(redeem(c, 37, 1, 700), SQ_OK);
    assert_int_equal(redeem(c, 37, 2, 300), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 700), SQ_OK);
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ACCEPT), SQ_OK);
    stands(c, 1, SQ_DISPUTE_UPHELD, 0, 700);
    sq_settlement_link(sq_core_settlement(c->w->core[SH]), SH, SD, &debtor);
    sq_settlement_link(sq_core_settlement(c->w->core[SD]), SH, SD, &creditor);
    assert_memory_equal(&debtor.last, &creditor.last, sizeof debtor.last);
    assert_int_equal(debtor.last.total_fen[0], 240);
    sq_core_recognition(c->w->core[SD], 0, &v);
    assert_true(v.side[1].gross_fen == 300 && v.side[1].borne_fen == 60);
}

/* ---- within one node, and with counted limits ---- */

static void what_a_limit_counted_is_given_back_and_its_own_regions_provider_is_no_exception(void **state)
{
    struct story *s = *state;
    Sanquan__V1__Programme p;
    Sanquan__V1__Limit limit, *limits[1] = {&limit};
    Sanquan__V1__Dispute m;
    Sanquan__V1__Item item;
    char note[] = "claimed twice", code[19], name[48], sh[] = "310000";
    uint8_t cell[10];
    plain(&p, 1);
    p.rate_bp = 10000;
    sanquan__v1__limit__init(&limit);
    limit.number = 1;
    limit.scope = SANQUAN__V1__SCOPE__SCOPE_HOLDER;
    limit.unit = SANQUAN__V1__UNIT__UNIT_FEN;
    limit.step = 2;
    limit.hard = 1000;
    p.limits = limits;
    p.n_limits = 1;
    begin_programme(s, &p);
    assert_int_equal(CLAIM(.amount_fen = 600, .base_fen = 600), SQ_OK);
    uint64_t first = s->invoice;
    assert_int_equal(CLAIM(.amount_fen = 600, .base_fen = 600), SQ_R_LIMIT);
    snprintf(code, sizeof code, "%s", WORLD_PROVIDER);
    sanquan__v1__dispute__init(&m);
    sanquan__v1__item__init(&item);
    char number[21];
    snprintf(number, sizeof number, "26312%015" PRIu64, first);
    for (size_t i = 0; i < 10; i++)
        cell[i] = (uint8_t)((number[2 * i] - '0') << 4 | (number[2 * i + 1] - '0'));
    item.voucher = s->voucher;
    item.provider = code;
    item.invoice = (ProtobufCBinaryData){10, cell};
    item.service_day = 20260901;
    m.action = SQ_DISPUTE_OPEN;
    m.note = note;
    m.reason = 2;
    m.amount_fen = 601;
    m.item = &item;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base), SQ_R_RETURN_EXCEEDS);
    m.amount_fen = 600;
    assert_int_equal(world_say(s->w, SH, ISSUER, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base), SQ_OK);
    m.action = SQ_DISPUTE_ACCEPT;
    m.node = sh;
    m.number = 1;
    m.item = NULL;
    m.reason = 0;
    m.amount_fen = 0;
    snprintf(name, sizeof name, "provider:%s", WORLD_PROVIDER);
    assert_int_equal(world_say(s->w, SH, name, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base), SQ_OK);
    s->spent -= 600;
    assert_int_equal(spent(s), s->spent);
    struct sq_link_view own;
    sq_settlement_link(sq_core_settlement(s->w->core[SH]), SH, SH, &own);
    assert_int_equal(own.last.total_fen[0], 0);
    assert_int_equal(CLAIM(.amount_fen = 1000, .base_fen = 1000), SQ_OK);
    assert_int_equal(CLAIM(.amount_fen = 1, .base_fen = 1), SQ_R_LIMIT);
}

/* ---- working days ---- */

static void deadlines_are_working_days_by_the_years_table(void **state)
{
    struct court *c = *state;
    uint32_t off[] = {20260925, 20260926, 20260927, 20261001, 20261002,
                      20261003, 20261004, 20261005, 20261006, 20261007},
             work[] = {20260920, 20261010};
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(redeem(c, 37, i, 100), SQ_OK);
    assert_int_equal(say_calendar(c, 2026, off, 10, work, 2), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    stands(c, 1, SQ_DISPUTE_QUERY, 20260929, 0); /* Friday the 25th is a holiday */
    assert_int_equal(provider(c, 1, SQ_DISPUTE_ANSWER), SQ_OK);
    stands(c, 1, SQ_DISPUTE_ANSWERED, 20261012, 0); /* 22 23 24 28 29 30, 8 9 10 (a Saturday), 12 */
    assert_int_equal(say_calendar(c, 2026, NULL, 0, NULL, 0), SQ_OK);
    assert_int_equal(open_case(c, 37, 2, 100), SQ_OK);
    stands(c, 2, SQ_DISPUTE_QUERY, 20260928, 0);
    stands(c, 1, SQ_DISPUTE_ANSWERED, 20261012, 0); /* as it was set */
    assert_int_equal(say_calendar(c, 2027, NULL, 0, NULL, 0), SQ_OK);
}

static void a_table_that_cannot_be_right_is_refused(void **state)
{
    struct court *c = *state;
    uint32_t good[] = {20260925}, other_year[] = {20250925}, no_day[] = {20260931}, twice[] = {20260925, 20260925},
             sunday[] = {20260920}, monday[] = {20260921};
    uint32_t most[70];
    uint32_t day = 20260101;
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(say_calendar(c, 2026, good, 1, NULL, 0), SQ_OK);
    assert_int_equal(say_calendar(c, 0, NULL, 0, NULL, 0), SQ_R_CALENDAR);
    assert_int_equal(say_calendar(c, 2026, other_year, 1, NULL, 0), SQ_R_CALENDAR);
    assert_int_equal(say_calendar(c, 2026, no_day, 1, NULL, 0), SQ_R_CALENDAR);
    assert_int_equal(say_calendar(c, 2026, twice, 2, NULL, 0), SQ_R_CALENDAR);
    assert_int_equal(say_calendar(c, 2026, sunday, 1, sunday, 1), SQ_R_CALENDAR);
    assert_int_equal(say_calendar(c, 2026, NULL, 0, monday, 1), SQ_R_CALENDAR);
    for (size_t i = 0; i < 70; i++, day = sq_day_add(day, 1))
        for (most[i] = day; sq_day_number(day) % 7 == sq_day_number(20260103) % 7 ||
                            sq_day_number(day) % 7 == sq_day_number(20260104) % 7;)
            most[i] = day = sq_day_add(day, 1);
    assert_int_equal(say_calendar(c, 2026, most, 70, NULL, 0), SQ_R_CALENDAR); /* 191 working days are no year */
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    stands(c, 1, SQ_DISPUTE_QUERY, 20260929, 0); /* the good one still holds */
}

/* ---- peers that lie, many at once, a restart ---- */

static void a_peer_can_neither_open_nor_move_cases_that_are_not_its_own(void **state)
{
    struct court *c = *state;
    Sanquan__V1__DisputeNotice n;
    Sanquan__V1__Dispute r;
    Sanquan__V1__Item item;
    char note[] = "give it back", sh[] = "310000";
    uint8_t cell[10];
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    sanquan__v1__dispute_notice__init(&n);
    sanquan__v1__dispute__init(&r);
    sanquan__v1__item__init(&item);
    cell_of(37, 1, cell);
    item.voucher = c->voucher;
    item.provider = c->d->provider[SD];
    item.invoice = (ProtobufCBinaryData){10, cell};
    item.service_day = 20260901;
    n.number = 1;
    n.state = SQ_DISPUTE_UPHELD;
    n.item = &item;
    n.amount_fen = n.taken_fen = 100;
    n.note = note;
    world_say(c->w, SD, "node:440000", SANQUAN__V1__MESSAGE_TYPE__DISPUTE_NOTICE, &n.base);
    assert_int_equal(c->w->peer_status, SQ_R_NOT_YOUR_VOUCHER);
    r.action = SQ_DISPUTE_ACCEPT;
    r.node = sh;
    r.number = 1;
    r.note = note;
    world_say(c->w, SH, "node:440000", SANQUAN__V1__MESSAGE_TYPE__DISPUTE_REPLY, &r.base);
    assert_int_equal(c->w->peer_status, SQ_R_DISPUTE_STATE);
    r.action = SQ_DISPUTE_DENY;
    world_say(c->w, SH, "node:440000", SANQUAN__V1__MESSAGE_TYPE__DISPUTE_REPLY, &r.base);
    assert_int_equal(c->w->peer_status, SQ_R_DISPUTE_STATE); /* neither its provider nor its invoice */
    r.action = SQ_DISPUTE_RULE;
    r.amount_fen = 100;
    world_say(c->w, SH, "node:370000", SANQUAN__V1__MESSAGE_TYPE__DISPUTE_REPLY, &r.base);
    assert_int_equal(c->w->peer_status, SQ_R_NOT_PERMITTED);
    stands(c, 1, SQ_DISPUTE_QUERY, 20260928, 0);
    owed(c, 100);
}

static void a_great_many_deadlines_at_once_take_several_steps(void **state)
{
    enum { MANY = 1001 };
    struct court *c = *state;
    for (unsigned i = 1; i <= MANY; i++) {
        assert_int_equal(redeem(c, 37, i, 1), SQ_OK);
        assert_int_equal(open_case(c, 37, i, 1), SQ_OK);
    }
    c->w->now_ms = sq_day_end_ms(20260928);
    uint64_t before = sq_core_seq(c->w->core[SH]);
    world_run(c->w);
    assert_int_equal(sq_core_seq(c->w->core[SH]) - before, 2);
    for (uint64_t n = 1; n <= MANY; n += 500)
        stands(c, n, SQ_DISPUTE_CHARGED, 20261013, 0);
    stands(c, MANY, SQ_DISPUTE_CHARGED, 20261013, 0);
    c->w->now_ms = sq_day_end_ms(20261013);
    world_run(c->w);
    stands(c, MANY, SQ_DISPUTE_UPHELD, 0, 1);
    owed(c, 0);
}

static void cases_and_working_days_are_read_back_from_a_dump(void **state)
{
    struct court *c = *state;
    struct sq_dump dump = {0};
    struct sq_core *copy;
    struct sq_error err = {0};
    uint32_t off[] = {20260925};
    assert_int_equal(redeem(c, 37, 1, 100), SQ_OK);
    assert_int_equal(redeem(c, 37, 2, 100), SQ_OK);
    assert_int_equal(say_calendar(c, 2026, off, 1, NULL, 0), SQ_OK);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_OK);
    sq_core_dump(c->w->core[SH], &dump);
    sq_core_dump_done(c->w->core[SH]);
    assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
    assert_int_equal(sq_core_undump(copy, sq_bytes_of(dump.bytes, dump.size), &err), SQ_OK);
    sq_core_free(c->w->core[SH]);
    c->w->core[SH] = copy;
    sq_dump_free(&dump);
    assert_int_equal(open_case(c, 37, 1, 100), SQ_R_DISPUTED);
    assert_int_equal(open_case(c, 37, 2, 100), SQ_OK);
    stands(c, 2, SQ_DISPUTE_QUERY, 20260929, 0);
    wait_for_end_of(c, 20260929, 1, SQ_DISPUTE_QUERY);
    stands(c, 1, SQ_DISPUTE_CHARGED, 20261014, 0);
}

#define COURT(test) cmocka_unit_test_setup_teardown(test, begin_court, end_court)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COURT(silence_charges_back_and_then_upholds_and_the_next_cut_has_it),
        COURT(a_case_goes_all_the_way_to_a_ruling_that_upholds_a_part),
        COURT(silence_of_the_office_and_of_the_regulator_takes_nothing),
        COURT(a_ruling_may_dismiss_and_the_provider_may_accept),
        COURT(everybody_has_a_role_and_a_moment),
        COURT(every_step_says_why),
        COURT(a_step_that_comes_after_the_deadline_changes_nothing),
        COURT(no_more_comes_back_than_was_claimed_on_the_invoice),
        COURT(what_its_provider_returns_meanwhile_counts_and_nothing_comes_back_twice),
        COURT(a_case_about_what_was_returned_whole_takes_nothing),
        COURT(who_bears_what_comes_back_follows_the_agreement),
        cmocka_unit_test_setup_teardown(what_a_limit_counted_is_given_back_and_its_own_regions_provider_is_no_exception,
                                        begin, end),
        COURT(deadlines_are_working_days_by_the_years_table),
        COURT(a_table_that_cannot_be_right_is_refused),
        COURT(a_peer_can_neither_open_nor_move_cases_that_are_not_its_own),
        COURT(a_great_many_deadlines_at_once_take_several_steps),
        COURT(cases_and_working_days_are_read_back_from_a_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
