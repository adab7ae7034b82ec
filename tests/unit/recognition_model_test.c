/*
 * Agreements between two regions against a second opinion: random terms said by either side, the same or not, and claims and returns both
 * ways under them. The model keeps the lists of what was said and of what was accepted, and adds them up for every question.
 *
 *     AGREEMENTS=1000000 build/release/tests/unit/recognition_model_test     as many steps as asked for
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "tests/support/pact.h"
#include "tests/support/random.h"

enum { KINDS = 2, STEPS = 80, SAID_MAX = 40, DONE_MAX = 2 * STEPS };

/* What one side has said under one version; the same numbers are the same
 * terms. */
struct said {
    uint32_t version, kinds, ceiling_bp, from, until, borne_bp[2];
    int64_t exposure[2];
};

struct done {
    uint32_t issuer, kind, version; /* node of the voucher; agreement it came under, 0 none */
    int64_t amount;                 /* returns: less than 0 */
    uint64_t invoice;
    int64_t left; /* of the claim, to be returned */
};

struct round {
    struct dice dice;
    struct world *w;
    uint64_t seed, invoice, by_code[256];
    uint64_t voucher[2][KINDS]; /* [issuer's node] */
    struct said said[2][SAID_MAX];
    size_t said_count[2];
    struct done done[DONE_MAX];
    size_t done_count;
};

static uint32_t below(struct round *r, uint32_t n)
{
    return dice_below(&r->dice, n);
}
static uint32_t today(const struct round *r)
{
    return sq_day_of_ms(r->w->now_ms);
}

/* ---- the model ---- */

static const struct said *said_by(const struct round *r, int node, uint32_t version)
{
    for (size_t i = 0; i < r->said_count[node]; i++)
        if (r->said[node][i].version == version)
            return &r->said[node][i];
    return NULL;
}

static int agreed(const struct round *r, uint32_t version)
{
    const struct said *a = said_by(r, 0, version), *b = said_by(r, 1, version);
    return a != NULL && b != NULL && memcmp(a, b, sizeof *a) == 0;
}

/* The newest that has begun, if it is not over. */
static const struct said *in_force(const struct round *r)
{
    const struct said *newest = NULL;
    for (uint32_t v = 1; v <= SAID_MAX; v++)
        if (agreed(r, v) && today(r) >= said_by(r, 0, v)->from)
            newest = said_by(r, 0, v);
    return newest != NULL && today(r) <= newest->until ? newest : NULL;
}

static int64_t redeemed(const struct round *r, uint32_t issuer, uint32_t kind, uint32_t version)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->done_count; i++)
        if (r->done[i].issuer == issuer && r->done[i].kind == kind && r->done[i].version == version)
            sum += r->done[i].amount;
    return sum;
}

/* Rounded towards minus infinity, also below zero. */
static int64_t floor_of(int64_t sum, uint32_t bp)
{
    int64_t whole = sum * (int64_t)bp / 10000;
    return whole * 10000 > sum * (int64_t)bp ? whole - 1 : whole;
}

static int64_t borne(const struct round *r, uint32_t issuer, uint32_t kind, uint32_t version)
{
    const struct said *a = said_by(r, 0, version);
    return a == NULL || !(a->kinds >> (kind - 1) & 1)
               ? 0
               : floor_of(redeemed(r, issuer, kind, version), a->borne_bp[issuer]);
}

static int64_t owes(const struct round *r, uint32_t issuer, uint32_t kind)
{
    int64_t sum = 0;
    for (uint32_t v = 0; v <= SAID_MAX; v++)
        sum += redeemed(r, issuer, kind, v) - (v != 0 ? borne(r, issuer, kind, v) : 0);
    return sum;
}

static int64_t positive(int64_t v)
{
    return v > 0 ? v : 0;
}

static unsigned judge(const struct round *r, uint32_t issuer, uint32_t kind, int64_t base, int64_t amount)
{
    const struct said *a = in_force(r);
    if (a == NULL || !(a->kinds >> (kind - 1) & 1))
        return kind == 1 ? SQ_R_NO_AGREEMENT : SQ_OK; /* programmes of kind 2 do not ask for one */
    if (a->ceiling_bp != 0 && amount > base * a->ceiling_bp / 10000)
        return SQ_R_AGREEMENT_RATE;
    int64_t before = 0, after = 0;
    for (uint32_t k = 1; k <= KINDS; k++) {
        int64_t net = owes(r, issuer, k) - owes(r, 1 - issuer, k);
        before += positive(net);
        after += positive(k == kind ? net + amount : net);
    }
    return a->exposure[issuer] != 0 && after > a->exposure[issuer] && after > before ? SQ_R_AGREEMENT_EXPOSURE : SQ_OK;
}

/* ---- against the engine ---- */

static void differ(const struct round *r, const char *what, unsigned engine, unsigned model)
{
    if (engine != model)
        fail_msg("seed %" PRIu64 ", after %zu: %s: the engine says %s, the model %s", r->seed, r->done_count, what,
                 sq_status_name(engine), sq_status_name(model));
}

static void to_terms(const struct said *s, struct terms *t)
{
    terms(t, s->version);
    t->m.n_kinds = 0;
    for (uint32_t k = 0; k < KINDS; k++)
        if (s->kinds >> k & 1)
            t->kinds[t->m.n_kinds++] = k + 1;
    t->m.rate_ceiling_bp = s->ceiling_bp;
    t->m.from_day = s->from;
    t->m.until_day = s->until;
    for (int i = 0; i < 2; i++) {
        t->side[i].borne_bp = s->borne_bp[i];
        t->side[i].exposure_fen = s->exposure[i];
    }
}

static unsigned say_at(struct round *r, uint32_t node, const struct said *s)
{
    struct story as_told = {.w = r->w};
    struct terms t;
    to_terms(s, &t);
    unsigned status = say(&as_told, node, &t), wanted = s->version == r->said_count[node] + 1 ? SQ_OK : SQ_R_AGREEMENT;
    differ(r, "terms", status, wanted);
    if (status == SQ_OK)
        r->said[node][r->said_count[node]++] = *s;
    world_run(r->w);
    return status;
}

static void say_something(struct round *r)
{
    uint32_t first = below(r, 2);
    struct said s;
    memset(&s, 0, sizeof s); /* compared as bytes */
    if (r->said_count[0] >= SAID_MAX - 1 || r->said_count[1] >= SAID_MAX - 1)
        return;
    s.version = (uint32_t)r->said_count[first] + 1 + (below(r, 15) == 0);
    s.kinds = 1 + below(r, 3);
    s.ceiling_bp = below(r, 3) == 0 ? 0 : 2000 + below(r, 6000);
    s.from = sq_day_add(today(r), (int32_t)below(r, 6) - 3);
    s.until = sq_day_add(s.from, (int32_t)below(r, 12));
    for (int i = 0; i < 2; i++) {
        s.borne_bp[i] = below(r, 2) == 0 ? 0 : below(r, 10001);
        s.exposure[i] = below(r, 2) == 0 ? 0 : 1 + below(r, 3000);
    }
    if (say_at(r, first, &s) != SQ_OK || below(r, 6) == 0)
        return;
    s.ceiling_bp += below(r, 8) == 0; /* something else */
    (void)say_at(r, 1 - first, &s);
}

/* One row at the other region's provider; its code. */
static unsigned send(struct round *r, uint32_t issuer, struct claims_row row)
{
    uint8_t code = 0;
    const uint32_t acquirer = 1 - issuer;
    unsigned whole = claims_batch(r->w, acquirer, acquirer == 0 ? WORLD_PROVIDER : WORLD_OTHER, &row, 1, &code);
    assert_int_equal(whole, SQ_OK);
    world_run(r->w);
    return r->w->answer.code_count != 0 ? r->w->answer.code[0] : SQ_OK;
}

static void claim_something(struct round *r)
{
    uint32_t issuer = below(r, 2), kind = 1 + below(r, KINDS);
    int64_t base = 1 + below(r, 1500), amount = 1 + below(r, (uint32_t)base);
    const struct said *a = in_force(r);
    struct claims_row row = {.voucher = r->voucher[issuer][kind - 1],
                             .invoice = ++r->invoice,
                             .base_fen = base,
                             .amount_fen = amount,
                             .service_day = 20260901};
    unsigned said = send(r, issuer, row);
    differ(r, "claim", said, judge(r, issuer, kind, base, amount));
    r->by_code[said]++;
    if (said == SQ_OK)
        r->done[r->done_count++] = (struct done){issuer, kind, a != NULL ? a->version : 0, amount, r->invoice, amount};
}

/* Shared by the version of today, whichever it was claimed under. */
static void return_something(struct round *r)
{
    const struct said *a = in_force(r);
    struct done *d = r->done_count != 0 ? &r->done[below(r, (uint32_t)r->done_count)] : NULL;
    if (d == NULL || d->left <= 0)
        return;
    int64_t back = 1 + below(r, (uint32_t)d->left);
    struct claims_row row = {.voucher = r->voucher[d->issuer][d->kind - 1],
                             .invoice = d->invoice,
                             .amount_fen = back,
                             .total_fen = 1,
                             .service_day = 20260901,
                             .verb = SANQUAN__V1__VERB__RETURN};
    differ(r, "return", send(r, d->issuer, row), SQ_OK);
    d->left -= back;
    r->done[r->done_count++] = (struct done){d->issuer, d->kind, a != NULL ? a->version : 0, -back, 0, 0};
}

static void compare(const struct round *r)
{
    for (uint32_t issuer = 0; issuer < 2; issuer++)
        for (uint32_t node = 0; node < 2; node++) {
            struct sq_link_view l;
            sq_settlement_link(sq_core_settlement(r->w->core[node]), issuer, 1 - issuer, &l);
            for (uint32_t k = 1; k <= KINDS; k++)
                if (l.last.total_fen[k - 1] != owes(r, issuer, k))
                    fail_msg("seed %" PRIu64 ", after %zu: node %u owes %" PRId64 " of kind %u, the model has %" PRId64,
                             r->seed, r->done_count, issuer, l.last.total_fen[k - 1], k, owes(r, issuer, k));
        }
}

/* ---- rounds ---- */

static void set_up(struct round *r)
{
    static const uint32_t issuers[2] = {310000, 370000};
    const char *provider[2] = {WORLD_PROVIDER, WORLD_OTHER};
    char name[48];
    r->w = world_new(2, SQ_NET_HUB);
    for (uint32_t node = 0; node < 2; node++) {
        snprintf(name, sizeof name, "provider:%s", provider[node]);
        assert_int_equal(world_enrol(r->w, node, name), SQ_OK);
        snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
        assert_int_equal(world_enrol(r->w, node, name), SQ_OK);
        for (uint32_t k = 1; k <= KINDS; k++) {
            Sanquan__V1__Programme p;
            world_programme_init(&p, issuers[node], k);
            p.kind = k;
            p.pool_fen = 0;
            p.rate_bp = 10000;
            p.recognition = k == 1;
            snprintf(name, sizeof name, "issuer:%06u", issuers[node]);
            assert_int_equal(world_say(r->w, node, name, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
            r->voucher[node][k - 1] = world_voucher(r->w, node, issuers[node], k, WORLD_HOLDER, 1000000000);
        }
    }
    world_run(r->w);
}

static void mandate_all(struct round *r)
{
    for (uint32_t node = 0; node < 2; node++)
        for (uint32_t k = 0; k < KINDS; k++)
            assert_int_equal(world_mandate(r->w, node, WORLD_HOLDER, node == 0 ? WORLD_OTHER : WORLD_PROVIDER,
                                           r->voucher[node][k], 1000000000),
                             SQ_OK);
}

static void engine_and_model_agree_on_what_regions_owe_under_their_agreements(void **state)
{
    const char *wanted = getenv("AGREEMENTS");
    uint64_t steps = wanted != NULL ? strtoull(wanted, NULL, 10) : 24000, by_code[256] = {0};
    struct round *r = calloc(1, sizeof *r);
    (void)state;
    for (uint64_t seed = 1; seed * STEPS <= steps; seed++) {
        *r = (struct round){.seed = seed};
        r->dice.state = seed * 0xd1342543de82ef95u;
        r->dice.state = dice_u64(&r->dice);
        set_up(r);
        mandate_all(r);
        for (int i = 0; i < STEPS; i++) {
            uint32_t what = below(r, 12);
            if (what < 2) {
                say_something(r);
            } else if (what < 8) {
                claim_something(r);
            } else if (what < 10) {
                return_something(r);
            } else if (what == 10) {
                r->w->now_ms += (uint64_t)below(r, 4) * 86400000u;
                mandate_all(r); /* they last for a day, and both nodes notice the time */
            }
            compare(r);
        }
        for (int i = 0; i < 256; i++)
            by_code[i] += r->by_code[i];
        world_free(r->w);
    }
    free(r);
    static const unsigned met[] = {SQ_OK, SQ_R_NO_AGREEMENT, SQ_R_AGREEMENT_RATE, SQ_R_AGREEMENT_EXPOSURE};
    for (size_t i = 0; i < sizeof met / sizeof *met; i++)
        if (by_code[met[i]] < steps / 200)
            fail_msg("%" PRIu64 " claims ended as %s", by_code[met[i]], sq_status_name(met[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_and_model_agree_on_what_regions_owe_under_their_agreements)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
