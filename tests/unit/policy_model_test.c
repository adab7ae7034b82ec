/*
 * The engine against a second opinion (tests/model/policy.h): random programmes, parties, facts, grants and batches; every code and every
 * sum must be the same. Rows of a batch compete with each other for what is left, so many fit singly but not together.
 *
 *     POLICY_CLAIMS=1000000 build/release/tests/unit/policy_model_test     as many rows as asked for (make test-long)
 *     POLICY_SEED=7 ...                                                    from this seed on
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "tests/model/policy.h"
#include "tests/support/rules.h"

#define ISSUER "issuer:310000"
enum {
    HOLDERS = 3,
    PROVIDERS = 2,
    ORGS = 7,
    EVALUATOR = 6,
    PROGRAMMES = 3,
    VERSIONS = 4,
    VOUCHERS = 40,
    DONE = 400,
    STEPS = 60,
    ROWS = 8
};

struct done { /* an accepted use, to be given back; or an open reservation */
    struct claims_row row;
    unsigned provider;
};

struct round {
    struct dice dice;
    struct world *w;
    struct pm *m;
    char org[ORGS][19]; /* the first are holders; sometimes provider 1 is holder 2 too */
    const char *provider[PROVIDERS];
    struct rules *rules[PROGRAMMES][VERSIONS];
    uint32_t versions[PROGRAMMES];
    uint64_t voucher[VOUCHERS];
    uint32_t voucher_programme[VOUCHERS];
    size_t voucher_count;
    struct done done[DONE], held[DONE];
    size_t done_count, held_count;
    uint64_t next_invoice, next_reservation, seed, rows;
    uint64_t crowded_out, by_code[256], measured[256];
};

static uint32_t below(struct round *r, uint32_t n)
{
    return dice_below(&r->dice, n);
}
static int one_in(struct round *r, uint32_t n)
{
    return below(r, n) == 0;
}
static uint32_t today(const struct round *r)
{
    return sq_day_of_ms(r->w->now_ms);
}
static uint32_t some_day(struct round *r)
{
    return sq_day_add(today(r), -(int32_t)(one_in(r, 8) ? below(r, 400) : below(r, 25)));
}

static void differ(const struct round *r, const char *what, unsigned engine, unsigned model)
{
    if (engine != model)
        fail_msg("seed %" PRIu64 ", after %" PRIu64 " rows: %s: the engine says %s, the model %s", r->seed, r->rows,
                 what, sq_status_name(engine), sq_status_name(model));
}

/* ---- what is said ---- */

static void publish(struct round *r, uint32_t programme)
{
    uint32_t v = r->versions[programme];
    struct rules *fresh = calloc(1, sizeof *fresh);
    if (v == 0)
        rules_roll(&r->dice, fresh, programme + 1, (programme + 1) % PROGRAMMES + 1);
    else
        rules_revise(&r->dice, r->rules[programme][v - 1], fresh);
    unsigned status = world_say(r->w, 0, ISSUER, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &fresh->p.base);
    if (status != SQ_OK && v == 0)
        fail_msg("seed %" PRIu64 ": %s", r->seed, r->w->answer.detail);
    if (status != SQ_OK) {
        free(fresh);
        return;
    }
    r->rules[programme][v] = fresh;
    r->versions[programme]++;
    pm_programme(r->m, &fresh->p);
}

static void state_something(struct round *r)
{
    static const struct {
        uint32_t attribute, values;
    } facts[] = {{SQ_ATTR(SIZE), 4},
                 {SQ_ATTR(STANDING), 3},
                 {1001, 1},
                 {1002, 1},
                 {1003, 1},
                 {SQ_ATTR(PFLOPS), 100},
                 {SQ_ATTR(ZONE), 6},
                 {SQ_ATTR(FILING), 3},
                 {SQ_ATTR(STANDARD), 3},
                 {SQ_ATTR(REGION), 0},
                 {SQ_ATTR(SECTOR), 9999}};
    static const int64_t regions[] = {310115, 370100};
    uint32_t k = below(r, sizeof facts / sizeof *facts), org = below(r, ORGS), issuer = one_in(r, 2) ? 310000 : 0;
    int64_t value = facts[k].values == 0 ? regions[below(r, 2)] : 1 + below(r, facts[k].values);
    uint32_t from = some_day(r), until = one_in(r, 2) ? 0 : sq_day_add(from, (int32_t)below(r, 300));
    assert_int_equal(claims_state(r->w, 0, issuer != 0 ? ISSUER : "operator:310000/li", issuer, r->org[org],
                                  facts[k].attribute, value, from, until),
                     SQ_OK);
    pm_state(r->m, issuer, r->org[org], facts[k].attribute, value, from, until);
}

/* Most of the time it is on the list; what is stated at random may take it off. */
static void list_evaluator(struct round *r)
{
    assert_int_equal(claims_state(r->w, 0, ISSUER, 310000, r->org[EVALUATOR], 1003, 1, 20250101, 0), SQ_OK);
    pm_state(r->m, 310000, r->org[EVALUATOR], 1003, 1, 20250101, 0);
}

static void tie_something(struct round *r)
{
    uint32_t a = below(r, ORGS), b = below(r, ORGS), kind = 1 + below(r, 2);
    uint32_t from = some_day(r), until = one_in(r, 2) ? 0 : sq_day_add(from, (int32_t)below(r, 300));
    if (a == b)
        return;
    assert_int_equal(claims_edge(r->w, 0, ISSUER, r->org[a], r->org[b], kind, from, until), SQ_OK);
    pm_edge(r->m, r->org[a], r->org[b], kind, from, until);
}

static void ban_somebody(struct round *r)
{
    uint32_t org = below(r, ORGS), cause = 1 + below(r, 3), effect = 1 + below(r, 2);
    uint32_t from = sq_day_add(today(r), -(int32_t)below(r, 400)), until = sq_day_add(from, (int32_t)below(r, 200));
    assert_int_equal(claims_sanction(r->w, 0, ISSUER, r->org[org], cause, effect, from, until), SQ_OK);
    pm_sanction(r->m, r->org[org], cause, effect, from, until);
}

static void lift_something(struct round *r)
{
    uint32_t programme = below(r, PROGRAMMES), holder = below(r, HOLDERS);
    const Sanquan__V1__Programme *p = &r->rules[programme][r->versions[programme] - 1]->p;
    char code[19], approver[] = "office", reason[] = "case by case";
    Sanquan__V1__Override m;
    sanquan__v1__override__init(&m);
    strcpy(code, r->org[holder]);
    m.issuer = 310000;
    m.programme = programme + 1;
    m.holder = code;
    m.refusal = SQ_R_LIMIT_SOFT;
    if (p->n_waivable != 0 && one_in(r, 2))
        m.refusal = p->waivable[below(r, (uint32_t)p->n_waivable)];
    else if (p->n_limits != 0)
        m.limit = p->limits[below(r, (uint32_t)p->n_limits)]->number;
    m.ceiling = one_in(r, 2) ? 0 : 200 + below(r, 2000);
    m.until_day = sq_day_add(today(r), (int32_t)below(r, 60));
    m.approver = approver;
    m.reason = reason;
    if (world_say(r->w, 0, ISSUER, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base) == SQ_OK)
        pm_override(r->m, programme + 1, code, m.refusal, m.limit, m.ceiling, m.until_day);
}

/* ---- vouchers ---- */

static size_t roll_facts(struct round *r, struct claims_fact *out, const struct claims_fact *choice, size_t choices)
{
    size_t n = 0;
    for (size_t i = 0; i < choices && n < 4; i++) /* ascending by attribute */
        if (!one_in(r, 3))
            out[n++] = (struct claims_fact){choice[i].attribute, 1 + (int64_t)below(r, (uint32_t)choice[i].value)};
    return n;
}

static void grant_something(struct round *r)
{
    static const struct claims_fact facts[] = {{SQ_ATTR(LEVEL), 3}, {SQ_ATTR(GRADE), 3}};
    struct claims_grant g = {.face_fen = 100 + below(r, 1500),
                             .until_day = sq_day_add(today(r), (int32_t)below(r, 150)),
                             .documents = one_in(r, 5) ? below(r, 4) : 3};
    struct pm_grant in;
    uint32_t programme = below(r, PROGRAMMES), holder = below(r, HOLDERS);
    unsigned status;
    if (r->voucher_count == VOUCHERS)
        return;
    if (!one_in(r, 3))
        g.contract_fen = 500 + below(r, 8000);
    if (one_in(r, 2))
        g.approved_fen = 500 + below(r, 5000);
    if (!one_in(r, 3))
        g.contract = (uint8_t)(1 + below(r, 12));
    if (one_in(r, 2))
        g.contract_day = some_day(r);
    if (one_in(r, 2)) {
        g.contract_from_day = some_day(r);
        g.contract_until_day = sq_day_add(g.contract_from_day, (int32_t)below(r, 60));
    }
    g.quota = one_in(r, 5) ? 20 + below(r, 60) : 0;
    (void)roll_facts(r, g.fact, facts, 2);
    in = (struct pm_grant){g.face_fen,     g.contract_fen,      g.approved_fen,       g.quota,     g.until_day,
                           g.contract_day, g.contract_from_day, g.contract_until_day, g.documents, g.contract,
                           {{0}}};
    for (int i = 0; i < 4; i++)
        in.fact[i] = (struct pm_fact){g.fact[i].attribute, g.fact[i].value};
    uint64_t number = claims_grant(r->w, 0, 310000, programme + 1, r->org[holder], &g, &status);
    struct sq_programme_view v;
    sq_core_programme(r->w->core[0], programme, &v);
    differ(r, "grant", status,
           pm_give(r->m, programme + 1, r->org[holder],
                   (3100000001u + (uint64_t)programme) * 1000000000u + v.voucher_count, &in));
    if (status != SQ_OK)
        return;
    r->voucher_programme[r->voucher_count] = programme;
    r->voucher[r->voucher_count++] = number;
    for (unsigned p = 0; p < PROVIDERS; p++) {
        int64_t limit = INT64_MAX / 2;
        uint64_t until = UINT64_MAX;
        char name[48], code[19];
        Sanquan__V1__Mandate m;
        sanquan__v1__mandate__init(&m);
        snprintf(name, sizeof name, "holder:%s", r->org[holder]);
        strcpy(code, r->provider[p]);
        m.provider = code;
        m.n_voucher = m.n_limit_fen = m.n_until_ms = 1;
        m.voucher = &number;
        m.limit_fen = &limit;
        m.until_ms = &until;
        assert_int_equal(world_say(r->w, 0, name, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base), SQ_OK);
    }
}

static void revoke_something(struct round *r)
{
    if (r->voucher_count == 0)
        return;
    uint64_t number = r->voucher[below(r, (uint32_t)r->voucher_count)];
    Sanquan__V1__Revoke m;
    sanquan__v1__revoke__init(&m);
    m.n_voucher = 1;
    m.voucher = &number;
    assert_int_equal(world_say(r->w, 0, ISSUER, SANQUAN__V1__MESSAGE_TYPE__REVOKE, &m.base), SQ_OK);
    pm_revoke(r->m, number);
}

/* ---- measurements ---- */

static void measure_something(struct round *r)
{
    char name[48], note[] = "";
    uint8_t evidence[16] = {1};
    Sanquan__V1__Measure m;
    if (r->voucher_count == 0)
        return;
    struct pm_measurement x = {.voucher = r->voucher[below(r, (uint32_t)r->voucher_count)] + (one_in(r, 50) ? 500 : 0),
                               .stage = one_in(r, 3) ? 0 : below(r, 5),
                               .grade = below(r, 5),
                               .metric = below(r, 3),
                               .day = one_in(r, 6) ? some_day(r) : today(r)};
    x.value = one_in(r, 30) ? 0 : 50 * (14 + below(r, 12)); /* round numbers: thresholds are met exactly */
    x.day = one_in(r, 40) ? sq_day_add(x.day, 1) : x.day;
    struct sq_voucher_view v;
    if (x.stage != 0 && one_in(r, 2) && sq_core_voucher(r->w->core[0], x.voucher, &v) == SQ_OK)
        for (x.stage = 1; v.stages_free >> (x.stage - 1) & 1; x.stage++)
            ;
    sanquan__v1__measure__init(&m);
    m.voucher = x.voucher;
    m.stage = x.stage;
    m.grade = x.grade;
    m.metric = x.metric;
    m.value = x.value;
    m.day = x.day;
    m.evidence = (ProtobufCBinaryData){sizeof evidence, evidence};
    m.note = note;
    snprintf(name, sizeof name, "evaluator:%s", r->org[EVALUATOR]);
    unsigned status = world_say(r->w, 0, name, SANQUAN__V1__MESSAGE_TYPE__MEASURE, &m.base);
    differ(r, "measurement", status, pm_measure(r->m, r->org[EVALUATOR], &x));
    r->measured[status]++;
}

/* ---- batches ---- */

static struct claims_row fresh_row(struct round *r)
{
    static const struct claims_fact facts[] = {
        {SQ_ATTR(HARDWARE), 2}, {SQ_ATTR(FILING), 3}, {SQ_ATTR(CHANNEL), 5}, {SQ_ATTR(STANDARD), 3}};
    struct claims_row row = {.voucher = r->voucher[below(r, (uint32_t)r->voucher_count)],
                             .base_fen = below(r, 2200),
                             .service = 1 + below(r, 5),
                             .service_day = some_day(r),
                             .scenario = below(r, 3),
                             .documents = one_in(r, 6) ? below(r, 4) : 3,
                             .evidence = (uint8_t)below(r, 6),
                             .quantity = below(r, 12),
                             .payee = one_in(r, 20) ? (uint8_t)below(r, 3) : 0};
    row.amount_fen = one_in(r, 4) ? 1 + below(r, 500) : 1 + row.base_fen * (1 + below(r, 25)) / 100;
    row.total_fen = row.base_fen > row.amount_fen ? row.base_fen : row.amount_fen;
    (void)roll_facts(r, row.fact, facts, 4);
    if (one_in(r, 80))
        row.voucher += 1 + below(r, 2) * 30; /* most likely none */
    return row;
}

static struct claims_row roll_row(struct round *r, unsigned provider)
{
    struct claims_row row = fresh_row(r);
    uint32_t what = below(r, 10);
    if (what == 0) {
        row.verb = SANQUAN__V1__VERB__RESERVE;
        row.reservation = one_in(r, 10) && r->held_count != 0
                              ? r->held[below(r, (uint32_t)r->held_count)].row.reservation
                              : ++r->next_reservation;
        return row;
    }
    if (what <= 2 && r->held_count != 0) { /* of whichever provider, whether it is open or not */
        const struct claims_row *held = &r->held[below(r, (uint32_t)r->held_count)].row;
        row.verb = what == 1 ? SANQUAN__V1__VERB__COMMIT : SANQUAN__V1__VERB__RELEASE;
        row.reservation = held->reservation;
        row.voucher = held->voucher;
        if (one_in(r, 2)) {
            row = *held;
            row.verb = what == 1 ? SANQUAN__V1__VERB__COMMIT : SANQUAN__V1__VERB__RELEASE;
            row.amount_fen -= one_in(r, 2) ? below(r, (uint32_t)row.amount_fen) : 0;
        }
        row.invoice = what == 1 ? ++r->next_invoice : 0;
        return row;
    }
    if (what == 3 && r->done_count != 0) {
        const struct done *d = &r->done[below(r, (uint32_t)r->done_count)];
        if (d->provider == provider && d->row.amount_fen > 0) {
            row = d->row;
            row.verb = SANQUAN__V1__VERB__RETURN;
            row.reservation = 0;
            if (one_in(r, 2))
                row.amount_fen = 1 + below(r, (uint32_t)row.amount_fen + (one_in(r, 5) ? 2 : 0));
            row.base_fen = row.base_fen != 0 ? below(r, (uint32_t)row.base_fen + 1) : 0;
            row.quantity = row.quantity != 0 ? below(r, (uint32_t)row.quantity + 1) : 0;
            return row;
        }
    }
    row.invoice = ++r->next_invoice;
    return row;
}

static struct pm_row to_model(const struct claims_row *row)
{
    struct pm_row out = {
        row->voucher, row->amount_fen,  row->base_fen,    row->quantity,  row->invoice,
        row->service, row->service_day, row->scenario,    row->documents, row->verb != 0 ? row->verb : 1,
        row->payee,   row->evidence,    row->reservation, {{0}}};
    for (int i = 0; i < 4; i++)
        out.fact[i] = (struct pm_fact){row->fact[i].attribute, row->fact[i].value};
    return out;
}

static void remember(struct round *r, const struct claims_row *row, unsigned provider)
{
    if (row->verb == SANQUAN__V1__VERB__RETURN) {
        for (size_t i = 0; i < r->done_count; i++)
            if (r->done[i].row.invoice == row->invoice) {
                r->done[i].row.amount_fen -= row->amount_fen;
                r->done[i].row.base_fen -= row->base_fen;
                r->done[i].row.quantity -= row->quantity;
            }
    } else if (row->verb == SANQUAN__V1__VERB__RESERVE) {
        if (r->held_count < DONE)
            r->held[r->held_count++] = (struct done){*row, provider};
    } else if (row->verb != SANQUAN__V1__VERB__RELEASE && r->done_count < DONE) {
        r->done[r->done_count++] = (struct done){*row, provider};
    }
}

/* In the order in which a batch goes: by invoice, rows without one first. */
static void sort_rows(struct claims_row *rows, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && rows[k - 1].invoice > rows[k].invoice; k--) {
            struct claims_row swap = rows[k];
            rows[k] = rows[k - 1];
            rows[k - 1] = swap;
        }
}

static void send_batch(struct round *r)
{
    struct claims_row rows[ROWS];
    uint8_t code[ROWS];
    unsigned provider = below(r, PROVIDERS);
    size_t n = 1 + below(r, ROWS);
    if (r->voucher_count == 0)
        return;
    for (size_t i = 0; i < n; i++)
        rows[i] = roll_row(r, provider);
    sort_rows(rows, n);
    assert_int_equal(claims_batch(r->w, 0, r->provider[provider], rows, n, code), SQ_OK);
    unsigned alone[ROWS];
    for (size_t i = 0; i < n; i++) {
        struct pm_row in = to_model(&rows[i]);
        alone[i] = in.verb == 1 ? pm_would(r->m, r->provider[provider], 310000, &in) : SQ_E_USAGE;
    }
    for (size_t i = 0; i < n; i++, r->rows++) {
        struct pm_row in = to_model(&rows[i]);
        r->crowded_out += alone[i] == SQ_OK && code[i] != SQ_OK;
        differ(r, "row", code[i], pm_decide(r->m, r->provider[provider], 310000, r->w->now_ms + 3600000u, &in));
        r->by_code[code[i]]++;
        if (code[i] == SQ_OK)
            remember(r, &rows[i], provider);
    }
}

static void compare_books(const struct round *r)
{
    struct sq_voucher_view v;
    struct sq_programme_view p;
    for (size_t i = 0; i < r->voucher_count; i++) {
        assert_int_equal(sq_core_voucher(r->w->core[0], r->voucher[i], &v), SQ_OK);
        if (v.spent_fen != pm_spent(r->m, r->voucher[i]) || v.reserved_fen != pm_reserved(r->m, r->voucher[i]))
            fail_msg("seed %" PRIu64 ": voucher %" PRIu64 ": spent %" PRId64 ", reserved %" PRId64, r->seed,
                     r->voucher[i], v.spent_fen, v.reserved_fen);
        assert_true(v.spent_fen + v.reserved_fen <= v.face_fen);
        if (v.free_fen != pm_set_free(r->m, r->voucher[i]) || v.back_fen != pm_back(r->m, r->voucher[i]))
            fail_msg("seed %" PRIu64 ": voucher %" PRIu64 ": free %" PRId64 ", back %" PRId64, r->seed, r->voucher[i],
                     v.free_fen, v.back_fen);
    }
    for (uint32_t i = 0; i < PROGRAMMES; i++) {
        sq_core_programme(r->w->core[0], i, &p);
        assert_true(p.spent_fen == pm_programme_spent(r->m, i + 1));
        assert_true(p.pool_fen == 0 || p.spent_fen + p.reserved_fen <= p.pool_fen);
    }
}

/* ---- rounds ---- */

static struct round *begin_round(uint64_t seed)
{
    struct round *r = calloc(1, sizeof *r);
    char name[48];
    r->seed = seed;
    r->dice.state =
        seed * 0xd1342543de82ef95u; /* not the generator's own step: rounds must not be each other's continuation */
    r->dice.state = dice_u64(&r->dice);
    r->w = world_new(1, SQ_NET_HUB);
    r->m = pm_new();
    pm_at(r->m, r->w->now_ms);
    for (uint32_t i = 0; i < ORGS; i++)
        claims_code(r->org[i], i % 2 == 0 ? 310101 : 370102, i + 1);
    r->provider[0] = r->org[3];
    r->provider[1] = r->org[one_in(r, 6) ? 2 : 4];
    for (uint32_t i = 0; i < HOLDERS; i++) {
        snprintf(name, sizeof name, "holder:%s", r->org[i]);
        assert_int_equal(world_enrol(r->w, 0, name), SQ_OK);
    }
    for (unsigned i = 0; i < PROVIDERS; i++) {
        snprintf(name, sizeof name, "provider:%s", r->provider[i]);
        assert_int_equal(world_enrol(r->w, 0, name), SQ_OK);
    }
    snprintf(name, sizeof name, "evaluator:%s", r->org[EVALUATOR]);
    assert_int_equal(world_enrol(r->w, 0, name), SQ_OK);
    for (uint32_t i = 0; i < PROGRAMMES; i++)
        publish(r, i);
    list_evaluator(r);
    for (int i = 0; i < 8; i++)
        state_something(r);
    for (int i = 0; i < 4; i++)
        grant_something(r);
    return r;
}

static void end_round(struct round *r)
{
    for (uint32_t i = 0; i < PROGRAMMES; i++)
        for (uint32_t v = 0; v < r->versions[i]; v++)
            free(r->rules[i][v]);
    pm_free(r->m);
    world_free(r->w);
    free(r);
}

static void one_step(struct round *r)
{
    uint32_t what = below(r, 30);
    if (what >= 24)
        measure_something(r);
    else if (what < 12)
        send_batch(r);
    else if (what < 15)
        grant_something(r);
    else if (what < 18)
        state_something(r);
    else if (what == 18)
        tie_something(r);
    else if (what == 19 && one_in(r, 4))
        ban_somebody(r);
    else if (what == 20)
        lift_something(r);
    else if (what == 21 && one_in(r, 12))
        revoke_something(r);
    else if (what == 22 && one_in(r, 3)) {
        uint32_t programme = below(r, PROGRAMMES);
        if (r->versions[programme] < VERSIONS)
            publish(r, programme);
    } else if (what == 23) {
        uint32_t days = r->seed % 4 == 0 ? 40 : 8; /* some rounds last for months */
        r->w->now_ms += one_in(r, 2) ? below(r, 5400000) : (uint64_t)below(r, days) * 86400000u + below(r, 86400000);
        pm_at(r->m, r->w->now_ms);
        assert_int_equal(world_enrol(r->w, 0,
                                     "holder:"
                                     "12370199TXXXXX132Y"),
                         SQ_OK); /* any message: the node notices the time */
    }
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void engine_and_model_agree_on_every_claim(void **state)
{
    (void)state;
    uint64_t wanted = number_of("POLICY_CLAIMS", 300000), seed = number_of("POLICY_SEED", 1), rows = 0, crowded_out = 0;
    uint64_t by_code[256] = {0}, measured[256] = {0};
    for (; rows < wanted; seed++) {
        struct round *r = begin_round(seed);
        for (int i = 0; i < STEPS; i++) {
            one_step(r);
            compare_books(r);
        }
        rows += r->rows;
        crowded_out += r->crowded_out;
        for (int i = 0; i < 256; i++) {
            by_code[i] += r->by_code[i];
            measured[i] += r->measured[i];
        }
        end_round(r);
    }
    /* The claims reached every rule of this engine that a row can meet in a world of one node, and were accepted often enough. */
    static const unsigned met[] = {SQ_R_VOUCHER_OVERDRAWN,
                                   SQ_R_STAGE_NOT_FREE,
                                   SQ_R_POOL_EXHAUSTED,
                                   SQ_R_RATE_EXCEEDED,
                                   SQ_R_CAP_CLAIM,
                                   SQ_R_CAP_YEAR,
                                   SQ_R_CAP_TOTAL,
                                   SQ_R_BELOW_MINIMUM,
                                   SQ_R_SERVICE,
                                   SQ_R_SERVICE_DAY,
                                   SQ_R_SELF_USE,
                                   SQ_R_PROVIDER_REGION,
                                   SQ_R_WINDOW_CLOSED,
                                   SQ_R_HOLDER_REGION,
                                   SQ_R_HOLDER_CONDITION,
                                   SQ_R_PROVIDER_LIST,
                                   SQ_R_CHANNEL,
                                   SQ_R_FILING,
                                   SQ_R_CLAIM_CONDITION,
                                   SQ_R_DOCUMENTS,
                                   SQ_R_NO_TIER,
                                   SQ_R_SUPPORT_PERIOD,
                                   SQ_R_HOLDER_SANCTIONED,
                                   SQ_R_PROVIDER_SANCTIONED,
                                   SQ_R_RELATED_PARTY,
                                   SQ_R_CONTRACT_BASE,
                                   SQ_R_METERED,
                                   SQ_R_LIMIT,
                                   SQ_R_LIMIT_SOFT,
                                   SQ_R_QUOTA,
                                   SQ_R_SERVICE_TAKEN,
                                   SQ_R_EXCLUDED,
                                   SQ_R_REQUIRED,
                                   SQ_R_SHARE_LIMIT,
                                   SQ_R_PAYEE,
                                   SQ_R_RESERVATION_UNKNOWN,
                                   SQ_R_RETURN_EXCEEDS,
                                   SQ_R_VOUCHER_EXPIRED,
                                   SQ_R_VOUCHER_REVOKED,
                                   SQ_R_UNKNOWN_VOUCHER};
    for (int i = 0; getenv("POLICY_SHOW") != NULL && i < 256; i++)
        if (by_code[i] != 0)
            print_message("# note: %s %" PRIu64 "\n", sq_status_name((unsigned)i), by_code[i]);
    for (size_t i = 0; i < sizeof met / sizeof *met; i++)
        if (by_code[met[i]] == 0)
            fail_msg("no claim was refused as %s", sq_status_name(met[i]));
    static const unsigned of_measurement[] = {SQ_OK,     SQ_R_STAGE,     SQ_R_BASELINE,       SQ_R_NOT_REACHED,
                                              SQ_R_FACT, SQ_R_EVALUATOR, SQ_R_UNKNOWN_VOUCHER};
    for (size_t i = 0; i < sizeof of_measurement / sizeof *of_measurement; i++)
        if (measured[of_measurement[i]] == 0)
            fail_msg("no measurement was answered with %s", sq_status_name(of_measurement[i]));
    assert_true(by_code[0] > rows / 20 && crowded_out > rows / 500);
    print_message("# note: %" PRIu64 " rows, %" PRIu64 " accepted, %" PRIu64 " would have fitted alone\n", rows,
                  by_code[0], crowded_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(engine_and_model_agree_on_every_claim)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
