/*
 * Bundles: one job on vouchers of three regions (kinds 1, 2 and 3), spent together or not at all.
 *
 * The acquirer is Shanghai; a part is on its own issuer's voucher, one on Shandong's, one on Guangdong's. Their invoices are at home in one of
 * the three. Whatever happens, at the end nothing is reserved anywhere, and what is registered is what was spent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/claims.h"
#include "tests/support/trading.h"

enum { SH, SD, GD, NODES };
enum { HOUR_MS = 3600000 };

static int begin(void **state)
{
    *state = trading_new(NODES, SQ_NET_HUB);
    return 0;
}

static int end(void **state)
{
    trading_free(*state);
    return 0;
}

static struct sq_voucher_view voucher_at(const struct trading *t, uint32_t node)
{
    struct sq_voucher_view v;
    assert_int_equal(sq_core_voucher(t->w->core[node], t->voucher[node], &v), SQ_OK);
    return v;
}

/* Nothing waits, nothing is held, and each region's voucher has been spent by so much. */
static void assert_spent(const struct trading *t, int64_t sh, int64_t sd, int64_t gd)
{
    const int64_t wanted[NODES] = {sh, sd, gd};
    for (uint32_t node = 0; node < NODES; node++) {
        struct sq_core_totals totals;
        struct sq_programme_view p;
        sq_core_totals(t->w->core[node], &totals);
        sq_core_programme(t->w->core[node], node, &p);
        assert_int_equal(totals.batches_waiting, 0);
        assert_int_equal(voucher_at(t, node).reserved_fen, 0);
        assert_int_equal(p.reserved_fen, 0);
        assert_int_equal(voucher_at(t, node).spent_fen, wanted[node]);
        for (uint32_t from = 0; from < NODES; from++) {
            struct sq_overdue_view o;
            sq_core_overdue(t->w->core[node], from, UINT64_MAX, &o);
            assert_int_equal(o.count, 0);
        }
    }
}

static struct world_row part(const struct trading *t, uint32_t issuer, int64_t fen, const char *invoice,
                             uint32_t bundle)
{
    return (struct world_row){.voucher = t->voucher[issuer],
                              .amount_fen = fen,
                              .base_fen = 4 * fen,
                              .total_fen = 4 * fen,
                              .invoice = invoice,
                              .service = 1,
                              .service_day = 20260901,
                              .bundle = bundle};
}

/* A bundle of three parts of 100, 200 and 300 fen, with invoices at home in the three regions; nothing is delivered yet. */
static void ask(struct trading *t, uint32_t month)
{
    char invoice[NODES][24];
    struct world_row row[NODES];
    static const char *const region[NODES] = {"31", "37", "44"};
    for (uint32_t i = 0; i < NODES; i++) {
        snprintf(invoice[i], sizeof invoice[i], "26%s2%015u", region[(i + month) % NODES], 1000 * month + i);
        row[i] = part(t, i, 100 * (i + 1), invoice[i], 7);
    }
    for (uint32_t i = 1; i < NODES; i++) /* by invoice */
        for (uint32_t k = i; k > 0 && strcmp(row[k - 1].invoice, row[k].invoice) > 0; k--) {
            struct world_row swap = row[k];
            row[k] = row[k - 1];
            row[k - 1] = swap;
        }
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, NODES), SQ_OK);
}

/* The newest answer refuses every row, one by one with these. */
static void assert_codes(const struct trading *t, unsigned first, unsigned second, unsigned third)
{
    assert_int_equal(t->w->answer.status, SQ_OK);
    assert_int_equal(t->w->answer.count, 0);
    assert_int_equal(t->w->answer.amount_fen, 0);
    assert_int_equal(t->w->answer.code_count, 3);
    assert_int_equal(t->w->answer.code[0], first);
    assert_int_equal(t->w->answer.code[1], second);
    assert_int_equal(t->w->answer.code[2], third);
}

/* ---- together ---- */

static void all_parts_are_spent_and_owed(void **state)
{
    struct trading *t = *state;
    for (uint32_t month = 0; month < NODES; month++) {
        uint64_t answers = t->w->answers;
        ask(t, month);
        assert_int_equal(t->w->answers, answers); /* not before all are held */
        world_run(t->w);
        assert_int_equal(t->w->answers, answers + 1);
        assert_true(t->w->answer.status == SQ_OK && t->w->answer.code_count == 0);
        assert_true(t->w->answer.count == 3 && t->w->answer.amount_fen == 600);
        assert_spent(t, 100 * (month + 1), 200 * (month + 1), 300 * (month + 1));
    }
    for (uint32_t issuer = 0; issuer < NODES;
         issuer++) { /* one step of each link a bundle, and both sides say the same */
        struct sq_link_view here, there;
        sq_settlement_link(trading_side(t, issuer), issuer, SH, &here);
        sq_settlement_link(trading_side(t, SH), issuer, SH, &there);
        assert_int_equal(here.last.number, NODES);
        assert_int_equal(here.last.total_fen[trading_kind(issuer) - 1], 300 * (issuer + 1));
        assert_memory_equal(&here.last, &there.last, sizeof here.last);
    }
}

static void a_bundle_at_home_is_decided_at_once(void **state)
{
    struct trading *t = *state;
    struct world_row row[3] = {part(t, SH, 100, "26312000000000000001", 1), part(t, SH, 200, "26312000000000000002", 1),
                               part(t, SH, 300, "26312000000000000003", 0)};
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, 3), SQ_OK);
    assert_int_equal(t->w->answer.count, 3);
    assert_spent(t, 600, 0, 0);
    row[0].invoice = "26312000000000000004";
    row[1].invoice = "26312000000000000005";
    row[2].invoice = "26312000000000000006";
    row[1].amount_fen = 201; /* the rate is 30 %, the base 800 */
    row[1].base_fen = 600;
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, 3), SQ_OK);
    assert_int_equal(t->w->answer.count, 1); /* the row by itself */
    assert_int_equal(t->w->answer.code[0], SQ_R_BUNDLE);
    assert_int_equal(t->w->answer.code[1], SQ_R_RATE_EXCEEDED);
    assert_int_equal(t->w->answer.code[2], SQ_OK);
    assert_spent(t, 900, 0, 0);
}

static void two_bundles_of_one_batch_have_nothing_to_do_with_each_other(void **state)
{
    struct trading *t = *state;
    struct world_row row[4] = {
        part(t, SD, 100, "26312000000000000001", 8192), part(t, GD, 200, "26312000000000000002", 1),
        part(t, GD, 300, "26312000000000000003", 8192), part(t, SD, 400, "26312000000000000004", 1)};
    row[3].base_fen = 400; /* more than the rate */
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, 4), SQ_OK);
    world_run(t->w);
    assert_int_equal(t->w->answer.count, 2);
    assert_int_equal(t->w->answer.code[1], SQ_R_BUNDLE);
    assert_int_equal(t->w->answer.code[3], SQ_R_RATE_EXCEEDED);
    assert_spent(t, 0, 100, 300);
}

/* ---- not at all ---- */

static void one_refused_part_refuses_the_others_and_leaves_nothing(void **state)
{
    struct trading *t = *state;
    for (uint32_t refuser = 0; refuser < NODES; refuser++) { /* the acquirer's own issuer, or one of the others */
        struct world_row row[NODES];
        static const char *const invoice[NODES] = {"26312000000000000001", "26372000000000000002",
                                                   "26442000000000000003"};
        for (uint32_t i = 0; i < NODES; i++)
            row[i] = part(t, i, 100 * (i + 1), invoice[i], 1);
        row[refuser].base_fen = row[refuser].amount_fen; /* 30 % of it go */
        assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, NODES), SQ_OK);
        world_run(t->w);
        assert_codes(t, refuser == SH ? SQ_R_RATE_EXCEEDED : SQ_R_BUNDLE,
                     refuser == SD ? SQ_R_RATE_EXCEEDED : SQ_R_BUNDLE,
                     refuser == GD ? SQ_R_RATE_EXCEEDED : SQ_R_BUNDLE);
        assert_spent(t, 0, 0, 0);
    }
    struct world_row again =
        part(t, SD, 100, "26312000000000000001", 0); /* the invoices are free, whoever was refused */
    again.total_fen = 401;
    again.voucher = t->voucher[SH];
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], &again, 1), SQ_OK);
    world_run(t->w);
    assert_int_equal(t->w->answer.count, 1);
}

static void an_invoice_that_is_taken_refuses_the_bundle(void **state)
{
    struct trading *t = *state;
    struct world_row row[3] = {part(t, SH, 100, "26312000000000000001", 1), part(t, SD, 200, "26372000000000000002", 1),
                               part(t, GD, 300, "26442000000000000003", 1)};
    struct world_row taken = part(t, GD, 30, "26442000000000000003", 0);
    assert_int_equal(world_batch(t->w, SD, t->provider[SD], &taken, 1), SQ_OK);
    world_run(t->w);
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, 3), SQ_OK);
    world_run(t->w);
    assert_codes(t, SQ_R_BUNDLE, SQ_R_BUNDLE, SQ_R_INVOICE_SELLER);
    assert_spent(t, 0, 0, 30);
}

static void a_row_that_cannot_be_a_part_refuses_the_bundle(void **state)
{
    struct trading *t = *state;
    struct world_row row[3] = {part(t, SH, 100, "26312000000000000001", 1), part(t, SD, 200, "26312000000000000002", 1),
                               part(t, GD, 300, "26312000000000000003", 1)};
    row[1].verb = SANQUAN__V1__VERB__RETURN;
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, 3), SQ_OK);
    assert_codes(t, SQ_R_BUNDLE, SQ_R_VERB, SQ_R_BUNDLE); /* at once: nobody was asked */
    row[1] = part(t, SD, 200, "26312000000000000002", 8193);
    assert_int_equal(world_batch(t->w, SH, t->provider[SH], row, 3), SQ_OK);
    world_run(t->w);
    assert_int_equal(t->w->answer.count, 2); /* it is no part of bundle 1, and of none */
    assert_int_equal(t->w->answer.code[1], SQ_R_COLUMNS);
    assert_spent(t, 100, 0, 300);
}

static void numbers_of_parts_are_not_for_providers(void **state)
{
    struct trading *t = *state;
    struct world_row row = part(t, SD, 100, NULL, 0);
    static const uint8_t verbs[] = {SANQUAN__V1__VERB__RESERVE, SANQUAN__V1__VERB__RELEASE};
    for (size_t i = 0; i < 2; i++) {
        row.verb = verbs[i];
        row.reservation = 1ull << 62;
        assert_int_equal(world_batch(t->w, SH, t->provider[SH], &row, 1), SQ_OK);
        world_run(t->w);
        assert_int_equal(t->w->answer.code[0], SQ_R_RESERVATION_UNKNOWN);
        row.reservation--;
        assert_int_equal(world_batch(t->w, SH, t->provider[SH], &row, 1), SQ_OK);
        world_run(t->w);
        assert_int_equal(t->w->answer.count, 1);
    }
    assert_spent(t, 0, 0, 0);
}

/* ---- time ---- */

/* Guangdong does not hear the acquirer until `late_ms` after the batch was taken; it is to be spent within an hour. */
static void be_heard_after(struct trading *t, uint64_t late_ms)
{
    uint64_t then_ms = t->w->now_ms;
    t->w->deaf[GD] = 1u << SH;
    ask(t, 0);
    world_run(t->w);
    assert_int_equal(voucher_at(t, SD).reserved_fen, 200); /* held for the rest */
    t->w->now_ms = then_ms + late_ms;
    t->w->deaf[GD] = 0;
}

static void a_millisecond_before_its_time_a_bundle_is_spent(void **state)
{
    struct trading *t = *state;
    be_heard_after(t, HOUR_MS - 1);
    world_run(t->w);
    assert_int_equal(t->w->answer.count, 3);
    assert_spent(t, 100, 200, 300);
}

static void when_its_time_is_there_a_bundle_is_refused(void **state)
{
    struct trading *t = *state;
    be_heard_after(t, HOUR_MS);
    world_run(t->w);
    assert_codes(t, SQ_R_EXPIRED, SQ_R_EXPIRED, SQ_R_EXPIRED);
    assert_spent(t, 0, 0, 0);
}

static void the_time_of_a_bundle_must_lie_ahead(void **state)
{
    struct trading *t = *state;
    const struct {
        uint64_t until_ms;
        unsigned code;
    } cases[] = {{0, SQ_R_RESERVATION_TERM},
                 {t->w->now_ms, SQ_R_RESERVATION_TERM},
                 {t->w->now_ms + 1, SQ_OK},
                 {t->w->now_ms + 90ull * 86400000, SQ_OK},
                 {t->w->now_ms + 90ull * 86400000 + 1, SQ_R_RESERVATION_TERM}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t service = 1, day = 20260901, bundle = 1;
        int64_t amount = 100, base = 400;
        uint8_t invoice[10] = {0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 1, (uint8_t)i};
        char name[48];
        Sanquan__V1__Batch m;
        sanquan__v1__batch__init(&m);
        m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day =
            m.n_bundle = 1;
        m.voucher = &t->voucher[SD];
        m.amount_fen = &amount;
        m.base_fen = m.invoice_total_fen = &base;
        m.invoice = (ProtobufCBinaryData){10, invoice};
        m.service = &service;
        m.service_day = &day;
        m.bundle = &bundle;
        m.reserve_until_ms = cases[i].until_ms;
        snprintf(name, sizeof name, "provider:%s", t->provider[SH]);
        assert_int_equal(world_say(t->w, SH, name, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base), SQ_OK);
        world_run(t->w);
        assert_int_equal(t->w->answer.count, cases[i].code == SQ_OK);
        assert_int_equal(t->w->answer.code_count != 0 ? t->w->answer.code[0] : 0, cases[i].code);
    }
    assert_spent(t, 0, 200, 0);
}

/* ---- somebody is down ---- */

static void an_issuer_that_is_down_does_not_keep_the_provider_waiting(void **state)
{
    struct trading *t = *state;
    uint64_t answers = t->w->answers;
    t->w->down = 1u << GD;
    ask(t, 0);
    world_run(t->w);
    assert_int_equal(t->w->answers, answers);
    t->w->now_ms += HOUR_MS;
    world_run(t->w);
    assert_int_equal(t->w->answers, answers + 1);
    assert_codes(t, SQ_R_EXPIRED, SQ_R_EXPIRED, SQ_R_EXPIRED);
    assert_int_equal(voucher_at(t, SD).reserved_fen, 0); /* given up where it could be */
    t->w->down = 0;
    t->w->now_ms += 1000;
    world_run(t->w);
    assert_int_equal(t->w->answers, answers + 1);
    assert_spent(t, 0, 0, 0);
}

/* Message by message, until both others hold their parts. */
static void run_until_held(struct trading *t)
{
    int moved = 1;
    while (moved && (voucher_at(t, SD).reserved_fen == 0 || voucher_at(t, GD).reserved_fen == 0)) {
        moved = 0;
        for (uint32_t from = 0; from < NODES; from++)
            for (uint32_t to = 0; to < NODES && !moved; to++)
                moved |= world_deliver(t->w, from, to);
    }
    assert_true(moved);
}

static void an_acquirer_that_is_down_leaves_its_parts_held_and_in_sight(void **state)
{
    struct trading *t = *state;
    struct sq_overdue_view o;
    uint64_t until_ms = t->w->now_ms + HOUR_MS;
    ask(t, 0);
    run_until_held(t); /* it does not learn of all of that, and dies */
    t->w->down = 1u << SH;
    t->w->now_ms = until_ms + 60000;
    for (uint32_t node = SD; node <= GD; node++) {
        sq_core_overdue(t->w->core[node], SH, until_ms - 1, &o);
        assert_int_equal(o.count, 0);
        sq_core_overdue(t->w->core[node], SH, until_ms, &o); /* also where nothing is journalled */
        assert_int_equal(o.count, 1);
        struct world_row row = part(t, node, 50, node == SD ? "26372000000000000099" : "26442000000000000099", 0);
        assert_int_equal(world_batch(t->w, node, t->provider[node], &row, 1), SQ_OK);
        assert_int_equal(t->w->answer.count, 1);
        sq_core_overdue(t->w->core[node], SH, t->w->now_ms, &o);
        assert_int_equal(o.count, 1);
        assert_int_equal(o.amount_fen, 100 * (node + 1));
        assert_int_equal(o.since_ms, until_ms);
        assert_int_equal(voucher_at(t, node).reserved_fen, 100 * (node + 1));
        sq_core_overdue(t->w->core[node], node, t->w->now_ms, &o);
        assert_int_equal(o.count, 0); /* the others are not to blame */
    }
    t->w->down = 0;
    world_run(t->w);
    assert_codes(t, SQ_R_EXPIRED, SQ_R_EXPIRED, SQ_R_EXPIRED);
    assert_spent(t, 0, 50, 50);
}

/* The acquirer decides in time; its word reaches Shandong only `late_ms` later. Guangdong and Shanghai have spent their parts. */
static void word_comes_after(struct trading *t, uint64_t late_ms)
{
    t->w->deaf[SH] = 1u << GD;
    ask(t, 0);
    world_run(t->w);
    t->w->deaf[SH] = 0;
    t->w->deaf[SD] = 1u << SH;
    world_run(t->w);
    assert_int_equal(voucher_at(t, SH).spent_fen, 100);
    assert_int_equal(voucher_at(t, GD).spent_fen, 300);
    assert_int_equal(voucher_at(t, SD).reserved_fen, 200);
    t->w->now_ms += late_ms;
}

static void revoke(struct trading *t, uint32_t node, const char *issuer)
{
    Sanquan__V1__Revoke m;
    sanquan__v1__revoke__init(&m);
    m.n_voucher = 1;
    m.voucher = &t->voucher[node];
    assert_int_equal(world_say(t->w, node, issuer, SANQUAN__V1__MESSAGE_TYPE__REVOKE, &m.base), SQ_OK);
}

/* Months later: the voucher is revoked and has ended, the mandate has ended, the request is older than any other may be. */
static void what_was_decided_in_time_is_spent_whenever_the_word_comes(void **state)
{
    struct trading *t = *state;
    word_comes_after(t, 0);
    revoke(t, SD, "issuer:370000");
    t->w->now_ms += 200ull * 86400000;
    t->w->deaf[SD] = 0;
    world_run(t->w);
    assert_true(t->w->answer.count == 3 && t->w->answer.code_count == 0);
    assert_spent(t, 100, 200, 300);
}

static void what_was_decided_in_time_is_spent_though_it_is_overdue(void **state)
{
    struct trading *t = *state;
    struct sq_overdue_view o;
    word_comes_after(t, HOUR_MS + 1);
    struct world_row row = part(t, SD, 50, "26372000000000000099", 0);
    assert_int_equal(world_batch(t->w, SD, t->provider[SD], &row, 1), SQ_OK);
    sq_core_overdue(t->w->core[SD], SH, t->w->now_ms, &o);
    assert_true(o.count == 1 && o.amount_fen == 200);
    t->w->deaf[SD] = 0;
    world_run(t->w);
    assert_spent(t, 100, 250, 300);
}

/* ---- saying things twice, and lies ---- */

static Sanquan__V1__Clear about(const struct trading *t, Sanquan__V1__Batch *items, uint8_t *verb,
                                uint64_t *reservation)
{
    static uint32_t row, service = 1, day = 20260901;
    static int64_t amount = 200, base = 800;
    static uint8_t invoice[10] = {0x26, 0x37, 0x20, 0, 0, 0, 0, 0, 0, 1};
    static char provider[20];
    static uint64_t voucher;
    Sanquan__V1__Clear m;
    sanquan__v1__clear__init(&m);
    sanquan__v1__batch__init(items);
    strcpy(provider, t->provider[SH]);
    voucher = t->voucher[SD];
    row = (uint32_t)(*reservation & 8191);
    m.batch = *reservation >> 13 & ((1ull << 49) - 1);
    m.provider = provider;
    m.expires_at_ms = UINT64_MAX;
    m.n_row = 1;
    m.row = &row;
    m.items = items;
    m.received_at_ms = t->w->now_ms;
    items->n_voucher = items->n_amount_fen = items->n_base_fen = items->n_invoice_total_fen = items->n_service =
        items->n_service_day = items->n_reservation = 1;
    items->voucher = &voucher;
    items->amount_fen = &amount;
    items->base_fen = items->invoice_total_fen = &base;
    items->invoice = (ProtobufCBinaryData){10, invoice};
    items->service = &service;
    items->service_day = &day;
    items->verb = (ProtobufCBinaryData){1, verb};
    items->reservation = reservation;
    return m;
}

/* Shandong gets a request about the part with this number as from `node`; what it says to that. */
static unsigned say_clear(struct trading *t, const char *node, uint8_t verb, uint64_t reservation)
{
    Sanquan__V1__Batch items;
    Sanquan__V1__Clear m = about(t, &items, &verb, &reservation);
    assert_int_equal(world_say(t->w, SD, node, SANQUAN__V1__MESSAGE_TYPE__CLEAR, &m.base), 0);
    assert_int_equal(t->w->peer_status, SQ_OK);
    return t->w->outcome_code_count != 0 ? t->w->outcome_code[0] : 0;
}

/* Number of the part that is Shandong's, of a bundle of the acquirer's newest entry. */
static uint64_t number_of_part(const struct trading *t)
{
    return 1ull << 62 | sq_core_seq(t->w->core[SH]) << 13 | 1;
}

static void a_part_is_spent_once_and_by_its_acquirer(void **state)
{
    struct trading *t = *state;
    t->w->deaf[SH] = 1u << GD;
    ask(t, 0);
    uint64_t number = number_of_part(t);
    world_run(t->w);
    assert_int_equal(voucher_at(t, SD).reserved_fen, 200);
    assert_int_equal(say_clear(t, "node:440000", SANQUAN__V1__VERB__COMMIT, number), SQ_R_RESERVATION_UNKNOWN);
    assert_int_equal(say_clear(t, "node:440000", SANQUAN__V1__VERB__RELEASE, number), SQ_R_RESERVATION_UNKNOWN);
    assert_int_equal(say_clear(t, "node:310000", SANQUAN__V1__VERB__COMMIT, number + 1), SQ_R_RESERVATION_UNKNOWN);
    assert_int_equal(voucher_at(t, SD).spent_fen, 0);
    assert_int_equal(say_clear(t, "node:310000", SANQUAN__V1__VERB__COMMIT, number), SQ_OK);
    assert_int_equal(voucher_at(t, SD).spent_fen, 200);
    assert_int_equal(say_clear(t, "node:310000", SANQUAN__V1__VERB__COMMIT, number), SQ_R_RESERVATION_UNKNOWN);
    assert_int_equal(say_clear(t, "node:310000", SANQUAN__V1__VERB__RELEASE, number), SQ_R_RESERVATION_UNKNOWN);
    assert_int_equal(voucher_at(t, SD).spent_fen, 200);
    assert_int_equal(voucher_at(t, SD).reserved_fen, 0);
}

/* Shandong's word about the part, as Shandong itself would never give it. */
static unsigned say_decided(struct trading *t, uint64_t batch, uint32_t verb, uint8_t code)
{
    uint32_t row = 1;
    Sanquan__V1__Decided m;
    sanquan__v1__decided__init(&m);
    m.batch = batch;
    m.n_row = 1;
    m.row = &row;
    m.code = (ProtobufCBinaryData){1, &code};
    m.verb = verb;
    assert_int_equal(world_say(t->w, SH, "node:370000", SANQUAN__V1__MESSAGE_TYPE__DECIDED, &m.base), 0);
    return t->w->peer_status;
}

static void an_issuer_that_breaks_its_promise_is_not_believed(void **state)
{
    struct trading *t = *state;
    ask(t, 0);
    uint64_t batch = sq_core_seq(t->w->core[SH]), answers = t->w->answers;
    t->w->deaf[SD] = 1u << SH; /* Shandong is played by the test from here on */
    world_run(t->w);
    assert_int_equal(say_decided(t, batch, SANQUAN__V1__VERB__COMMIT, 0), SQ_R_ORDER); /* it was asked to hold */
    assert_int_equal(say_decided(t, batch, 0, 0), SQ_R_ORDER);
    assert_int_equal(t->w->answers, answers);
    assert_int_equal(voucher_at(t, SH).spent_fen, 0);
}

static void a_commit_that_is_refused_leaves_the_bundle_undecided_for_its_provider(void **state)
{
    struct trading *t = *state;
    struct sq_core_totals totals;
    t->w->deaf[SH] = 1u << GD;
    ask(t, 0);
    uint64_t batch = sq_core_seq(t->w->core[SH]), answers = t->w->answers;
    world_run(t->w);
    t->w->deaf[SH] = 0;
    t->w->deaf[SD] = 1u << SH;
    world_run(t->w); /* all is held, and Shandong does not hear that it is to be spent */
    assert_int_equal(say_decided(t, batch, SANQUAN__V1__VERB__COMMIT, SQ_R_VOUCHER_REVOKED), SQ_R_PROMISE);
    assert_int_equal(say_decided(t, batch, SANQUAN__V1__VERB__COMMIT, SQ_OK), SQ_R_LINK_BROKEN); /* and owe nothing */
    sq_core_totals(t->w->core[SH], &totals);
    assert_int_equal(totals.batches_waiting, 1);
    assert_int_equal(t->w->answers, answers);
}

/* ---- what is held counts ---- */

/* A bundle of two parts, one on a voucher of Shandong's programme 9: how that one was refused, 0 when it was spent, WAITS when it is held. */
enum { WAITS = 1 };
static unsigned held_part(struct trading *t, uint64_t voucher, uint32_t day, uint8_t evidence, uint64_t invoice,
                          int stays)
{
    struct claims_row row[2] = {{.voucher = voucher,
                                 .amount_fen = 100,
                                 .base_fen = 1000,
                                 .invoice = invoice,
                                 .service = 1,
                                 .service_day = day,
                                 .evidence = evidence,
                                 .documents = 8,
                                 .bundle = 1},
                                {.voucher = t->voucher[GD],
                                 .amount_fen = 100,
                                 .base_fen = 1000,
                                 .invoice = invoice + 1,
                                 .service = 1,
                                 .bundle = 1}};
    uint64_t answers = t->w->answers;
    t->w->deaf[GD] = stays ? 1u << SH : 0;
    assert_int_equal(claims_batch(t->w, SH, t->provider[SH], row, 2, NULL), SQ_OK);
    world_run(t->w);
    return t->w->answers == answers ? WAITS : t->w->answer.code_count != 0 ? t->w->answer.code[0] : 0;
}

static uint64_t voucher_of_programme(struct trading *t, const Sanquan__V1__Programme *p)
{
    if (p != NULL) {
        assert_int_equal(world_say(t->w, SD, "issuer:370000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p->base), SQ_OK);
        world_run(t->w);
    }
    uint64_t voucher = world_voucher(t->w, SD, 370000, 9, t->holder[SD], 100000);
    assert_int_equal(world_mandate(t->w, SD, t->holder[SD], t->provider[SH], voucher, 100000), SQ_OK);
    return voucher;
}

/* Time runs out for what is held. */
static void let_go(struct trading *t)
{
    t->w->now_ms += HOUR_MS;
    t->w->deaf[GD] = 0;
    world_run(t->w);
    assert_int_equal(t->w->answer.code[0], SQ_R_EXPIRED);
}

static void months_of_support_count_from_what_is_held(void **state)
{
    struct trading *t = *state;
    Sanquan__V1__Programme p;
    world_programme_init(&p, 370000, 9);
    p.support_months = 2;
    uint64_t voucher = voucher_of_programme(t, &p);
    assert_int_equal(held_part(t, voucher, 20260501, 0, 1, 1), WAITS);
    assert_int_equal(held_part(t, voucher, 20260701, 0, 11, 1), SQ_R_SUPPORT_PERIOD);
    assert_int_equal(held_part(t, voucher, 20260630, 0, 21, 1), WAITS);
    let_go(t);
    assert_int_equal(held_part(t, voucher, 20260901, 0, 31, 0), SQ_OK); /* nothing of it is left */
    assert_int_equal(held_part(t, voucher, 20260501, 0, 41, 0), SQ_R_SUPPORT_PERIOD);
}

static void a_delivery_is_held_for_one_voucher_and_then_free_or_taken(void **state)
{
    struct trading *t = *state;
    Sanquan__V1__Programme p;
    world_programme_init(&p, 370000, 9);
    p.unique_service = 1;
    uint64_t first = voucher_of_programme(t, &p), second = voucher_of_programme(t, NULL);
    assert_int_equal(held_part(t, first, 20260901, 5, 1, 1), WAITS);
    assert_int_equal(held_part(t, second, 20260901, 5, 11, 1), SQ_R_SERVICE_TAKEN);
    let_go(t);
    assert_int_equal(held_part(t, second, 20260901, 5, 21, 0), SQ_OK);
    assert_int_equal(held_part(t, first, 20260901, 5, 31, 0), SQ_R_SERVICE_TAKEN);
}

/* The grant reserved the whole face of the pool; what a part holds of it stays when the voucher ends or is revoked. */
static void a_pool_keeps_what_is_held_when_its_voucher_ends(void **state)
{
    for (int revoked = 0; revoked < 2; revoked++) {
        struct trading *t = trading_new(NODES, SQ_NET_HUB);
        struct sq_programme_view v;
        Sanquan__V1__Programme p;
        world_programme_init(&p, 370000, 9);
        p.pool_at = 1;
        p.pool_fen = 100000;
        t->voucher[SD] = voucher_of_programme(t, &p);
        t->w->deaf[GD] = 1u << SH;
        ask(t, 0); /* 200 fen of 100,000 */
        world_run(t->w);
        t->w->deaf[GD] = 0;
        t->w->deaf[SD] = 1u << SH;
        world_run(t->w);
        if (revoked)
            revoke(t, SD, "issuer:370000");
        else
            t->w->now_ms += 200ull * 86400000; /* next year */
        struct world_row row = part(t, SD, 1, "26372000000000000099", 0);
        assert_int_equal(world_batch(t->w, SD, t->provider[SD], &row, 1), SQ_OK);
        sq_core_programme(t->w->core[SD], sq_core_programme_count(t->w->core[SD]) - 1, &v);
        assert_true(v.number == 9 && v.reserved_fen == 200 && v.spent_fen == 0);
        t->w->deaf[SD] = 0;
        world_run(t->w);
        sq_core_programme(t->w->core[SD], sq_core_programme_count(t->w->core[SD]) - 1, &v);
        assert_true(v.reserved_fen == 0 && v.spent_fen == 200);
        trading_free(t);
    }
    (void)state;
}

/* ---- from the ledger ---- */

/* Every core is put away and taken out again after every message. */
static void restart(struct trading *t)
{
    for (uint32_t i = 0; i < NODES; i++) {
        struct sq_dump dump = {.bytes = NULL};
        struct sq_core *copy;
        struct sq_error err = {0};
        sq_core_dump(t->w->core[i], &dump);
        sq_core_dump_done(t->w->core[i]);
        assert_int_equal(sq_core_new(&copy, NULL), SQ_OK);
        assert_int_equal(sq_core_undump(copy, sq_bytes_of(dump.bytes, dump.size), &err), SQ_OK);
        sq_core_free(t->w->core[i]);
        t->w->core[i] = copy;
        free(dump.bytes);
    }
}

static void a_bundle_goes_on_from_a_snapshot(void **state)
{
    struct trading *t = *state;
    int moved = 1;
    ask(t, 0);
    for (restart(t); moved; restart(t)) {
        moved = 0;
        for (uint32_t from = 0; from < NODES; from++)
            for (uint32_t to = 0; to < NODES && !moved; to++)
                moved |= world_deliver(t->w, from, to);
    }
    assert_int_equal(t->w->answer.count, 3);
    assert_spent(t, 100, 200, 300);
    t->w->deaf[GD] = 1u << SH;
    ask(t, 1);
    world_run(t->w);
    t->w->now_ms += HOUR_MS;
    t->w->deaf[GD] = 0;
    restart(t);
    world_run(t->w); /* its time is known, too */
    assert_codes(t, SQ_R_EXPIRED, SQ_R_EXPIRED, SQ_R_EXPIRED);
    assert_spent(t, 100, 200, 300);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(all_parts_are_spent_and_owed),
        STORY(a_bundle_at_home_is_decided_at_once),
        STORY(two_bundles_of_one_batch_have_nothing_to_do_with_each_other),
        STORY(one_refused_part_refuses_the_others_and_leaves_nothing),
        STORY(an_invoice_that_is_taken_refuses_the_bundle),
        STORY(a_row_that_cannot_be_a_part_refuses_the_bundle),
        STORY(numbers_of_parts_are_not_for_providers),
        STORY(a_millisecond_before_its_time_a_bundle_is_spent),
        STORY(when_its_time_is_there_a_bundle_is_refused),
        STORY(the_time_of_a_bundle_must_lie_ahead),
        STORY(an_issuer_that_is_down_does_not_keep_the_provider_waiting),
        STORY(an_acquirer_that_is_down_leaves_its_parts_held_and_in_sight),
        STORY(what_was_decided_in_time_is_spent_whenever_the_word_comes),
        STORY(what_was_decided_in_time_is_spent_though_it_is_overdue),
        STORY(a_part_is_spent_once_and_by_its_acquirer),
        STORY(an_issuer_that_breaks_its_promise_is_not_believed),
        STORY(a_commit_that_is_refused_leaves_the_bundle_undecided_for_its_provider),
        STORY(months_of_support_count_from_what_is_held),
        STORY(a_delivery_is_held_for_one_voucher_and_then_free_or_taken),
        STORY(a_pool_keeps_what_is_held_when_its_voucher_ends),
        STORY(a_bundle_goes_on_from_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
