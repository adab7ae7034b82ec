/*
 * Cases about items that were paid, for stories: an office at Shanghai, a provider at Shandong with a mandate on one of Shanghai's vouchers, and
 * what each of them may say. For cmocka tests only: it asserts.
 */
#ifndef SQ_TEST_COURT_H
#define SQ_TEST_COURT_H

#include "clearing/base/day.h"
#include "clearing/core/invoice.h"
#include "tests/support/debts.h"
#include "tests/support/pact.h"

#define GD     2u
#define DAY_MS 86400000ull
#define FACE   100000

struct court {
    struct debts *d;
    struct world *w;
    uint64_t voucher; /* Shanghai's; Shandong's provider has a mandate on it */
};

static inline int begin_court(void **state)
{
    struct court *c = calloc(1, sizeof *c);
    c->d = debts_new(4, SQ_NET_HUB);
    c->w = c->d->w;
    c->voucher = world_voucher(c->w, SH, 310000, 1, c->d->holder[SH], FACE);
    assert_int_equal(world_mandate(c->w, SH, c->d->holder[SH], c->d->provider[SD], c->voucher, FACE), SQ_OK);
    *state = c;
    return 0;
}

static inline int end_court(void **state)
{
    struct court *c = *state;
    debts_free(c->d);
    free(c);
    return 0;
}

/* The provider redeems, or returns, on an invoice of the province. */
static inline unsigned row(struct court *c, unsigned province, unsigned invoice, int64_t fen, uint8_t verb)
{
    char number[21];
    snprintf(number, sizeof number, "26%02u200000%010u", province, invoice);
    struct world_row r = {.voucher = c->voucher,
                          .amount_fen = fen,
                          .base_fen = fen,
                          .total_fen = 1000,
                          .invoice = number,
                          .service_day = 20260901,
                          .verb = verb};
    unsigned status = world_batch(c->w, SD, c->d->provider[SD], &r, 1);
    world_run(c->w);
    status = status == SQ_OK ? c->w->answer.status : status;
    return status == SQ_OK && c->w->answer.code_count != 0 ? c->w->answer.code[0] : status;
}

static inline unsigned redeem(struct court *c, unsigned province, unsigned invoice, int64_t fen)
{
    return row(c, province, invoice, fen, 0);
}

static inline void cell_of(unsigned province, unsigned invoice, uint8_t cell[static 10])
{
    char number[21];
    snprintf(number, sizeof number, "26%02u200000%010u", province, invoice);
    for (size_t i = 0; i < 10; i++)
        cell[i] = (uint8_t)((number[2 * i] - '0') << 4 | (number[2 * i + 1] - '0'));
}

static inline unsigned open_as(struct court *c, const char *who, unsigned province, unsigned invoice, int64_t fen,
                               uint32_t reason)
{
    Sanquan__V1__Dispute m;
    Sanquan__V1__Item item;
    char note[] = "no such service was rendered";
    uint8_t cell[10];
    sanquan__v1__dispute__init(&m);
    sanquan__v1__item__init(&item);
    cell_of(province, invoice, cell);
    item.voucher = c->voucher;
    item.provider = c->d->provider[SD];
    item.invoice = (ProtobufCBinaryData){10, cell};
    item.service_day = 20260901;
    m.action = SQ_DISPUTE_OPEN;
    m.note = note;
    m.reason = reason;
    m.amount_fen = fen;
    m.item = &item;
    unsigned status = world_say(c->w, SH, who, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base);
    world_run(c->w);
    return status;
}

static inline unsigned open_case(struct court *c, unsigned province, unsigned invoice, int64_t fen)
{
    return open_as(c, ISSUER, province, invoice, fen, 1);
}

static inline unsigned act_for(struct court *c, uint32_t node, const char *who, uint64_t number, uint32_t action,
                               int64_t fen)
{
    Sanquan__V1__Dispute m;
    char note[] = "see the record of delivery", sh[] = "310000";
    uint8_t evidence[16] = {7};
    sanquan__v1__dispute__init(&m);
    m.action = action;
    m.node = sh;
    m.number = number;
    m.note = note;
    m.evidence = (ProtobufCBinaryData){16, evidence};
    m.amount_fen = fen;
    unsigned status = world_say(c->w, node, who, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base);
    world_run(c->w);
    return status;
}

static inline unsigned office(struct court *c, uint64_t number, uint32_t action)
{
    return act_for(c, SH, ISSUER, number, action, 0);
}
static inline unsigned rule(struct court *c, uint64_t number, int64_t fen)
{
    return act_for(c, SH, "regulator:mof", number, SQ_DISPUTE_RULE, fen);
}

static inline unsigned provider(struct court *c, uint64_t number, uint32_t action)
{
    char name[48];
    snprintf(name, sizeof name, "provider:%s", c->d->provider[SD]);
    return act_for(c, SD, name, number, action, 0);
}

static inline struct sq_dispute_view seen(const struct court *c, uint32_t node, uint64_t number)
{
    struct sq_dispute_view v;
    for (uint32_t i = 0; i < sq_core_dispute_count(c->w->core[node]); i++) {
        sq_core_dispute(c->w->core[node], i, &v);
        if (v.number == number && v.node == SH)
            return v;
    }
    fail_msg("case %" PRIu64 " is not known at node %u", number, node);
    return v;
}

/* Both nodes say the same of it. */
static inline void stands(const struct court *c, uint64_t number, enum sq_dispute_state state, uint32_t deadline_day,
                          int64_t taken_fen)
{
    struct sq_dispute_view here = seen(c, SH, number), there = seen(c, SD, number);
    assert_int_equal(here.state, state);
    assert_int_equal(there.state, state);
    assert_int_equal(here.deadline_day, deadline_day);
    assert_int_equal(there.deadline_day, deadline_day);
    assert_int_equal(here.taken_fen, taken_fen);
    assert_int_equal(there.taken_fen, taken_fen);
    assert_string_equal(here.note, there.note);
    assert_memory_equal(here.evidence, there.evidence, 16);
    assert_memory_equal(here.invoice, there.invoice, 10);
}

/* What Shanghai owes Shandong, as both nodes have it; and what is spent of the voucher is the same. */
static inline void owed(const struct court *c, int64_t fen)
{
    struct sq_link_view at_debtor, at_creditor;
    struct sq_voucher_view v;
    sq_settlement_link(sq_core_settlement(c->w->core[SH]), SH, SD, &at_debtor);
    sq_settlement_link(sq_core_settlement(c->w->core[SD]), SH, SD, &at_creditor);
    assert_memory_equal(&at_debtor.last, &at_creditor.last, sizeof at_debtor.last);
    assert_int_equal(at_debtor.last.total_fen[0], fen);
    assert_int_equal(sq_core_voucher(c->w->core[SH], c->voucher, &v), SQ_OK);
    assert_int_equal(v.spent_fen, fen);
}

/* To one ms before, and then to, the end of the day. */
static inline void wait_for_end_of(struct court *c, uint32_t day, uint64_t number, enum sq_dispute_state before)
{
    c->w->now_ms = sq_day_end_ms(day) - 1;
    world_run(c->w);
    assert_int_equal(seen(c, SH, number).state, before);
    c->w->now_ms++;
    world_run(c->w);
}

static inline unsigned say_calendar(struct court *c, uint32_t year, uint32_t *off, size_t off_count, uint32_t *work,
                                    size_t work_count)
{
    Sanquan__V1__Calendar m;
    sanquan__v1__calendar__init(&m);
    m.year = year;
    m.off_days = off;
    m.n_off_days = off_count;
    m.work_days = work;
    m.n_work_days = work_count;
    return world_say(c->w, SH, OPERATOR, SANQUAN__V1__MESSAGE_TYPE__CALENDAR, &m.base);
}

#endif
