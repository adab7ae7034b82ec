/*
 * Credit notes against a second opinion: random claims, returns and notes on a few invoices under programmes that stack and one that does
 * not. The model keeps nothing but the list of what happened, and adds it up for every question.
 *
 *     REVERSALS=1000000 build/release/tests/unit/reversal_model_test     as many steps as asked for
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/claims.h"
#include "tests/support/random.h"

#define ISSUER "issuer:310000"
enum { PROGRAMMES = 3, VOUCHERS = 2 * PROGRAMMES, INVOICES = 6, STEPS = 120, RETURN_VERB = 5 };

static const uint32_t rate_bp[PROGRAMMES] = {10000, 6000, 9000}, stack_bp[PROGRAMMES] = {9000, 7000, 0}; /* 0: alone */

struct happened {
    uint32_t invoice, voucher; /* indexes */
    int64_t base, amount;      /* less than 0: given back */
};

struct round {
    struct dice dice;
    struct world *w;
    uint64_t seed, voucher[VOUCHERS], notes[256];
    struct happened list[4 * STEPS];
    size_t count;
    int64_t total[INVOICES]; /* as the last claim, or a note, has it; -1: nothing ever was */
    int fixed[INVOICES];     /* by a note */
};

static uint32_t below(struct round *r, uint32_t n)
{
    return dice_below(&r->dice, n);
}
static uint32_t programme_of(uint32_t voucher)
{
    return voucher / 2;
}

/* ---- the model ---- */

static int64_t base_on(const struct round *r, uint32_t invoice, uint32_t programme)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].invoice == invoice && programme_of(r->list[i].voucher) == programme)
            sum += r->list[i].base;
    return sum;
}

static int64_t amount_on(const struct round *r, uint32_t invoice, uint32_t programme)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].invoice == invoice && programme_of(r->list[i].voucher) == programme)
            sum += r->list[i].amount;
    return sum;
}

static int64_t spent_of(const struct round *r, uint32_t voucher)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->count; i++)
        sum += r->list[i].voucher == voucher ? r->list[i].amount : 0;
    return sum;
}

static unsigned judge_claim(const struct round *r, uint32_t invoice, uint32_t voucher, int64_t base, int64_t amount,
                            int64_t total)
{
    uint32_t own = programme_of(voucher), limit = stack_bp[own];
    int64_t all = amount;
    int used = 0, others = 0, alone = stack_bp[own] == 0;
    for (uint32_t p = 0; p < PROGRAMMES; p++) {
        int64_t theirs = amount_on(r, invoice, p);
        used |= theirs != 0 || base_on(r, invoice, p) != 0;
        all += theirs;
        if (theirs == 0)
            continue;
        others |= p != own;
        alone |= stack_bp[p] == 0;
        limit = stack_bp[p] < limit ? stack_bp[p] : limit;
    }
    if ((used || r->fixed[invoice]) && total != r->total[invoice])
        return SQ_R_INVOICE_TOTAL;
    if (others && alone)
        return SQ_R_INVOICE_STACKING;
    if (all * 10000 > total * (others ? limit : 10000) || base_on(r, invoice, own) + base > total)
        return SQ_R_INVOICE_OVERDRAWN;
    return amount > base * rate_bp[own] / 10000 ? SQ_R_RATE_EXCEEDED : SQ_OK;
}

static unsigned judge_return(const struct round *r, uint32_t invoice, uint32_t voucher, int64_t base, int64_t amount)
{
    uint32_t own = programme_of(voucher);
    return base > base_on(r, invoice, own) || amount > amount_on(r, invoice, own) || amount > spent_of(r, voucher)
               ? SQ_R_RETURN_EXCEEDS
               : SQ_OK;
}

/* What a note must bring back of each programme, and of all together. */
struct owed {
    int64_t base[PROGRAMMES], amount[PROGRAMMES], all;
};

static struct owed owed_after(const struct round *r, uint32_t invoice, int64_t total)
{
    struct owed o = {.all = 0};
    int64_t stays = 0, limit = 10000;
    int claimants = 0;
    for (uint32_t p = 0; p < PROGRAMMES; p++) {
        int64_t base = base_on(r, invoice, p), amount = amount_on(r, invoice, p);
        claimants += amount != 0;
        if (amount != 0 && base > total && base > 0) {
            o.base[p] = base - total;
            o.amount[p] = (amount * o.base[p] + base - 1) / base;
        }
        o.all += o.amount[p];
        stays += amount - o.amount[p];
    }
    for (uint32_t p = 0; p < PROGRAMMES; p++)
        if (claimants > 1 && amount_on(r, invoice, p) != 0 && stack_bp[p] < limit)
            limit = stack_bp[p];
    if (stays > total * limit / 10000)
        o.all += stays - total * limit / 10000;
    return o;
}

static unsigned judge_note(const struct round *r, uint32_t invoice, int64_t total, const struct happened *rows,
                           size_t count)
{
    struct owed o = owed_after(r, invoice, total);
    int64_t base[PROGRAMMES] = {0}, amount[PROGRAMMES] = {0}, all = 0;
    if (total < 0 || (r->total[invoice] >= 0 && total > r->total[invoice]))
        return SQ_R_AMOUNT;
    if (count == 0)
        return o.all != 0 ? SQ_R_REVERSAL : SQ_OK;
    for (size_t i = 0; i < count; i++)
        if (rows[i].amount < 1 || rows[i].base < 0)
            return SQ_R_AMOUNT;
    for (size_t i = 0; i < count; i++) {
        base[programme_of(rows[i].voucher)] += rows[i].base;
        amount[programme_of(rows[i].voucher)] += rows[i].amount;
        all += rows[i].amount;
    }
    for (uint32_t p = 0; p < PROGRAMMES; p++)
        if (base[p] != o.base[p] || amount[p] < o.amount[p] || amount[p] > amount_on(r, invoice, p))
            return SQ_R_REVERSAL;
    return all != o.all ? SQ_R_REVERSAL : SQ_OK;
}

static void add(struct round *r, uint32_t invoice, uint32_t voucher, int64_t base, int64_t amount)
{
    assert_true(r->count < sizeof r->list / sizeof *r->list);
    r->list[r->count++] = (struct happened){invoice, voucher, base, amount};
}

/* ---- against the engine ---- */

static void differ(const struct round *r, const char *what, unsigned engine, unsigned model)
{
    if (engine != model)
        fail_msg("seed %" PRIu64 ", after %zu: %s: the engine says %s, the model %s", r->seed, r->count, what,
                 sq_status_name(engine), sq_status_name(model));
}

static void claim_something(struct round *r)
{
    uint32_t invoice = below(r, INVOICES), voucher = below(r, VOUCHERS);
    int64_t total = r->total[invoice] >= 0 && below(r, 5) != 0 ? r->total[invoice] : 200 + 100 * below(r, 9);
    int64_t base = 1 + below(r, (uint32_t)total / 2 + 2), amount = 1 + base * below(r, 101) / 100;
    struct claims_row row = {.voucher = r->voucher[voucher],
                             .invoice = invoice + 1,
                             .base_fen = base,
                             .amount_fen = amount,
                             .total_fen = total > 0 ? total : 1};
    total = row.total_fen;
    unsigned said = claims_row(r->w, 0, WORLD_PROVIDER, &row);
    differ(r, "claim", said, judge_claim(r, invoice, voucher, base, amount, total));
    if (said != SQ_OK)
        return;
    add(r, invoice, voucher, base, amount);
    r->total[invoice] = total;
}

static void return_something(struct round *r)
{
    uint32_t invoice = below(r, INVOICES), voucher = below(r, VOUCHERS);
    int64_t base = below(r, 200), amount = 1 + below(r, 200);
    struct claims_row row = {.voucher = r->voucher[voucher],
                             .invoice = invoice + 1,
                             .base_fen = base,
                             .amount_fen = amount,
                             .total_fen = 1,
                             .verb = RETURN_VERB};
    unsigned said = claims_row(r->w, 0, WORLD_PROVIDER, &row);
    differ(r, "return", said, judge_return(r, invoice, voucher, base, amount));
    if (said == SQ_OK)
        add(r, invoice, voucher, -base, -amount);
}

/* Rows that come to what is owed, from one voucher after the other; now and then something else. */
static size_t roll_rows(struct round *r, uint32_t invoice, int64_t total, struct happened *rows)
{
    struct owed o = owed_after(r, invoice, total);
    int64_t more = o.all;
    size_t n = 0;
    for (uint32_t p = 0; p < PROGRAMMES; p++)
        more -= o.amount[p];
    for (uint32_t p = 0; p < PROGRAMMES; p++) {
        int64_t room = amount_on(r, invoice, p) - o.amount[p], extra = more < room ? more : room;
        int64_t base = o.base[p], amount = o.amount[p] + extra;
        more -= extra;
        for (uint32_t k = 0; k < 2 && amount > 0; k++) {
            int64_t part = k == 0 && below(r, 2) != 0 ? (amount + 1) / 2 : amount;
            rows[n++] = (struct happened){invoice, 2 * p + k, part == amount ? base : base / 2, part};
            amount -= part;
            base -= rows[n - 1].base;
        }
    }
    if (n != 0 && below(r, 4) == 0) {
        struct happened *wrong = &rows[below(r, (uint32_t)n)];
        if (below(r, 2) != 0)
            wrong->amount += below(r, 2) != 0 ? 1 : -1;
        else
            wrong->base += below(r, 2) != 0 ? 1 : -1;
        wrong->base = wrong->base < 0 ? 0 : wrong->base;
    }
    if (n > 1 && below(r, 4) == 0) { /* all together right, one programme short */
        rows[0].amount--;
        rows[n - 1].amount++;
    }
    return n != 0 && below(r, 30) == 0 ? n - 1 : n;
}

static void note_something(struct round *r)
{
    uint32_t invoice = below(r, INVOICES);
    int64_t was = r->total[invoice] >= 0 ? r->total[invoice] : 1000;
    int64_t total = below(r, 8) == 0 ? 0 : below(r, 20) == 0 ? was + 1 : below(r, (uint32_t)was + 1);
    struct happened rows[VOUCHERS];
    struct claims_row sent[VOUCHERS];
    size_t n = roll_rows(r, invoice, total, rows);
    for (size_t i = 0; i < n; i++)
        sent[i] = (struct claims_row){.voucher = r->voucher[rows[i].voucher],
                                      .invoice = invoice + 1,
                                      .base_fen = rows[i].base,
                                      .amount_fen = rows[i].amount,
                                      .total_fen = 1,
                                      .verb = RETURN_VERB};
    unsigned said = claims_reverse(r->w, "310000", WORLD_PROVIDER, invoice + 1, total, sent, n);
    differ(r, "credit note", said, judge_note(r, invoice, total, rows, n));
    r->notes[said]++;
    if (said != SQ_OK)
        return;
    r->total[invoice] = total;
    r->fixed[invoice] = 1;
    for (size_t i = 0; i < n;
         i++) /* each is decided as a return of the provider's; one that is refused stays claimed */
        if (rows[i].amount <= spent_of(r, rows[i].voucher))
            add(r, invoice, rows[i].voucher, -rows[i].base, -rows[i].amount);
}

static void compare(const struct round *r)
{
    for (uint32_t v = 0; v < VOUCHERS; v++) {
        struct sq_voucher_view view;
        assert_int_equal(sq_core_voucher(r->w->core[0], r->voucher[v], &view), SQ_OK);
        if (view.spent_fen != spent_of(r, v))
            fail_msg("seed %" PRIu64 ", after %zu: voucher %u has spent %" PRId64 ", the model %" PRId64, r->seed,
                     r->count, v, view.spent_fen, spent_of(r, v));
    }
    for (uint32_t i = 0; i < INVOICES; i++) {
        uint8_t cell[10] = {0x26, 0x31, 0x20};
        struct sq_invoice_share share[PROGRAMMES];
        struct sq_invoice_view view;
        cell[9] = (uint8_t)(i + 1);
        assert_int_equal(sq_core_invoice(r->w->core[0], cell, -1, &view, share, PROGRAMMES), SQ_OK);
        assert_true(!view.known || view.total_fen == r->total[i]);
        for (uint32_t k = 0; k < view.shares; k++)
            if (share[k].base_fen != base_on(r, i, share[k].number - 1) ||
                share[k].amount_fen != amount_on(r, i, share[k].number - 1))
                fail_msg("seed %" PRIu64 ", after %zu: invoice %u: %" PRId64 " on %" PRId64 " of programme %u", r->seed,
                         r->count, i, share[k].amount_fen, share[k].base_fen, share[k].number);
    }
}

/* ---- rounds ---- */

static void set_up(struct round *r)
{
    char name[48];
    r->w = world_new(1, SQ_NET_HUB);
    snprintf(name, sizeof name, "provider:%s", WORLD_PROVIDER);
    assert_int_equal(world_enrol(r->w, 0, name), SQ_OK);
    snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
    assert_int_equal(world_enrol(r->w, 0, name), SQ_OK);
    for (uint32_t p = 0; p < PROGRAMMES; p++) {
        Sanquan__V1__Programme terms;
        world_programme_init(&terms, 310000, p + 1);
        terms.pool_fen = 0;
        terms.rate_bp = rate_bp[p];
        terms.stacking = stack_bp[p] != 0;
        terms.stack_limit_bp = stack_bp[p];
        assert_int_equal(world_say(r->w, 0, ISSUER, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &terms.base), SQ_OK);
        for (uint32_t k = 0; k < 2; k++) {
            r->voucher[2 * p + k] = world_voucher(r->w, 0, 310000, p + 1, WORLD_HOLDER, 100000000);
            assert_int_equal(world_mandate(r->w, 0, WORLD_HOLDER, WORLD_PROVIDER, r->voucher[2 * p + k], 100000000),
                             SQ_OK);
        }
    }
}

static void engine_and_model_agree_on_every_credit_note(void **state)
{
    const char *wanted = getenv("REVERSALS");
    uint64_t steps = wanted != NULL ? strtoull(wanted, NULL, 10) : 60000, notes[256] = {0};
    struct round *r = calloc(1, sizeof *r);
    (void)state;
    for (uint64_t seed = 1; seed * STEPS <= steps; seed++) {
        *r = (struct round){.seed = seed};
        r->dice.state = seed * 0xd1342543de82ef95u;
        r->dice.state = dice_u64(&r->dice);
        for (uint32_t i = 0; i < INVOICES; i++)
            r->total[i] = -1;
        set_up(r);
        for (int i = 0; i < STEPS; i++) {
            uint32_t what = below(r, 10);
            if (what < 6)
                claim_something(r);
            else if (what < 8)
                return_something(r);
            else
                note_something(r);
            compare(r);
        }
        for (int i = 0; i < 256; i++)
            notes[i] += r->notes[i];
        world_free(r->w);
    }
    free(r);
    assert_true(notes[SQ_OK] > steps / 20 && notes[SQ_R_REVERSAL] > steps / 1000 && notes[SQ_R_AMOUNT] > steps / 1000);
    print_message("# note: %" PRIu64 " credit notes taken, %" PRIu64 " refused\n", notes[SQ_OK],
                  notes[SQ_R_REVERSAL] + notes[SQ_R_AMOUNT]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(engine_and_model_agree_on_every_credit_note)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
