/*
 * What happens after payment, over ledgers that real keys made: returns that an invoice's home asks for, money taken back, shares that
 * the other region bears. The audit agrees with all of it, and the history shows it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/common/audit.h"
#include "ops/history/query.h"
#include "proto/sanquan.pb-c.h"
#include "tests/support/desk.h"

enum { SH, SD, GD };
#define STAGED 9u
#define LIST   1003u

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people p[3]; /* at Shanghai: own voucher, Guangdong's; at Guangdong: Shanghai's */
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    s->d = desk_new_in(s->dir, "after", 3);
    desk_people(s->d, SH, SH, 0, &s->p[0]);
    desk_people(s->d, SH, GD, 1, &s->p[1]);
    desk_people(s->d, GD, SH, 2, &s->p[2]);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    for (int i = 0; i < 3; i++)
        desk_people_free(&s->p[i]);
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

static void must(struct story *s, uint32_t node, const struct sq_keys *keys, uint32_t type, const ProtobufCMessage *m)
{
    assert_int_equal(desk_say(s->d, node, keys, type, m), SQ_OK);
    desk_run(s->d);
}

/* Shanghai and Guangdong recognise each other; of Shanghai's vouchers Guangdong bears a fifth itself. */
static void agree(struct story *s)
{
    static char sh[] = "310000", gd[] = "440000";
    Sanquan__V1__Side side[2], *sides[2] = {&side[0], &side[1]};
    Sanquan__V1__Agreement terms;
    Sanquan__V1__Agree m;
    uint32_t kinds[] = {1, 2, 3};
    sanquan__v1__side__init(&side[0]);
    sanquan__v1__side__init(&side[1]);
    sanquan__v1__agreement__init(&terms);
    sanquan__v1__agree__init(&m);
    side[0].node = sh;
    side[0].borne_bp = 2000;
    side[1].node = gd;
    terms.version = 1;
    terms.sides = sides;
    terms.n_sides = 2;
    terms.kinds = kinds;
    terms.n_kinds = 3;
    terms.from_day = 20260101;
    terms.until_day = 20271231;
    m.terms = &terms;
    for (uint32_t node = SH; node <= GD; node += GD)
        for (m.role = 1; m.role <= 2; m.role++)
            must(s, node, m.role == 1 ? s->d->rig->node[node].maker : s->d->rig->node[node].checker,
                 SANQUAN__V1__MESSAGE_TYPE__AGREE, &m.base);
}

static void invoice_cell(uint8_t cell[10], const char *province, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "26%.2s2%015" PRIu64, province, number);
    for (int k = 0; k < 10; k++)
        cell[k] = (uint8_t)((text[2 * k] - '0') << 4 | (text[2 * k + 1] - '0'));
}

/* A credit note that leaves `total_fen` of an invoice at home at `home`, on which this voucher was claimed. */
static void reverse(struct story *s, uint32_t home, const struct desk_people *p, uint64_t number, int64_t total_fen,
                    int64_t base_fen, int64_t amount_fen)
{
    uint8_t cell[10], note[10], verb = SANQUAN__V1__VERB__RETURN;
    uint64_t voucher = p->voucher;
    int64_t one = 1;
    uint32_t service = 101, day = 20260901;
    Sanquan__V1__Batch returns;
    Sanquan__V1__Reverse m;
    sanquan__v1__batch__init(&returns);
    sanquan__v1__reverse__init(&m);
    invoice_cell(cell, s->d->rig->node[home].code, number);
    invoice_cell(note, s->d->rig->node[home].code, 90000 + number);
    returns.n_voucher = returns.n_amount_fen = returns.n_base_fen = returns.n_invoice_total_fen = returns.n_service =
        returns.n_service_day = 1;
    returns.voucher = &voucher;
    returns.amount_fen = &amount_fen;
    returns.base_fen = &base_fen;
    returns.invoice_total_fen = &one;
    returns.service = &service;
    returns.service_day = &day;
    returns.verb = (ProtobufCBinaryData){1, &verb};
    returns.invoice = m.invoice = (ProtobufCBinaryData){10, cell};
    m.credit_note = (ProtobufCBinaryData){10, note};
    m.total_fen = total_fen;
    m.acquirer = s->d->rig->node[p->home].code;
    m.provider = strchr(p->provider->name, ':') + 1;
    m.returns = &returns;
    must(s, home, s->d->rig->node[home].maker, SANQUAN__V1__MESSAGE_TYPE__REVERSE, &m.base);
}

/* One redemption on an invoice at home at `home`. */
static void redeem_at(struct story *s, const struct desk_people *p, uint32_t home, uint64_t number, int64_t amount_fen,
                      int64_t base_fen)
{
    uint8_t cell[10];
    uint64_t voucher = p->voucher;
    uint32_t service = 101, day = 20260901;
    Sanquan__V1__Batch m;
    sanquan__v1__batch__init(&m);
    invoice_cell(cell, s->d->rig->node[home].code, number);
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day = 1;
    m.voucher = &voucher;
    m.amount_fen = &amount_fen;
    m.base_fen = m.invoice_total_fen = &base_fen;
    m.service = &service;
    m.service_day = &day;
    m.invoice = (ProtobufCBinaryData){10, cell};
    (void)desk_say(s->d, p->home, p->provider, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base); /* may wait for others */
    desk_run(s->d);
    assert_int_equal(s->d->status, SQ_OK);
    assert_int_equal(s->d->code[0], SQ_OK);
}

/* Half of each voucher is free at once, half when it is graded; a bad grade takes everything back. The provider of p[2] may redeem it. */
static uint64_t staged_voucher(struct story *s)
{
    static char title[] = "staged";
    Sanquan__V1__Stage stage[2], *stages[2] = {&stage[0], &stage[1]};
    Sanquan__V1__Verdict verdict, *verdicts[1] = {&verdict};
    Sanquan__V1__Programme p;
    Sanquan__V1__Grant g;
    Sanquan__V1__Mandate a;
    char holder[19], provider[19], *holders[1] = {holder};
    int64_t face = 1000000, limit = 1000000;
    uint32_t row = 0, until = 20271231;
    uint64_t until_ms = s->d->now_ms + 86400000, voucher = (310000ull * 10000 + STAGED) * 1000000000ull + 1;
    sanquan__v1__programme__init(&p);
    sanquan__v1__verdict__init(&verdict);
    for (int i = 0; i < 2; i++) {
        sanquan__v1__stage__init(&stage[i]);
        stage[i].share_bp = 5000;
        stage[i].trigger = (uint32_t)i + 1;
    }
    verdict.grade = 3;
    verdict.action = 3;
    verdict.back_bp = 10000;
    p.issuer = 310000;
    p.number = STAGED;
    p.kind = p.version = p.base_kind = 1;
    p.title = title;
    p.from_day = 20260101;
    p.until_day = 20271231;
    p.rate_bp = 10000;
    p.stages = stages;
    p.n_stages = 2;
    p.verdicts = verdicts;
    p.n_verdicts = 1;
    p.evaluators = LIST;
    must(s, SH, s->d->rig->node[SH].issuer, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base);
    sanquan__v1__grant__init(&g);
    snprintf(holder, sizeof holder, "%s", strchr(s->p[2].holder->name, ':') + 1);
    g.issuer = 310000;
    g.programme = STAGED;
    g.first_serial = 1;
    g.n_face_fen = g.n_holder = g.n_until_day = g.n_holders = 1;
    g.face_fen = &face;
    g.holder = &row;
    g.until_day = &until;
    g.holders = holders;
    must(s, SH, s->d->rig->node[SH].issuer, SANQUAN__V1__MESSAGE_TYPE__GRANT, &g.base);
    sanquan__v1__mandate__init(&a);
    snprintf(provider, sizeof provider, "%s", strchr(s->p[2].provider->name, ':') + 1);
    a.provider = provider;
    a.n_voucher = a.n_limit_fen = a.n_until_ms = 1;
    a.voucher = &voucher;
    a.limit_fen = &limit;
    a.until_ms = &until_ms;
    must(s, SH, s->p[2].holder, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &a.base);
    return voucher;
}

static struct sq_keys *evaluator(struct story *s)
{
    char code[19], *orgs[1] = {code}, name[48];
    uint32_t org = 0, attribute = LIST, from = 20260101, until = 0;
    int64_t value = 1;
    Sanquan__V1__Facts f;
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party p, *list[1] = {&p};
    rig_uscc(31, 3000, code);
    struct sq_keys *keys = rig_keys("evaluator", code);
    sanquan__v1__enrol__init(&m);
    sanquan__v1__party__init(&p);
    snprintf(name, sizeof name, "evaluator:%s", code);
    p.name = name;
    p.node = s->d->rig->node[SH].code;
    p.key = (ProtobufCBinaryData){SQ_KEY_SIZE, keys->public_key};
    p.transport_key = (ProtobufCBinaryData){SQ_KEY_SIZE, keys->transport_public};
    m.parties = list;
    m.n_parties = 1;
    must(s, SH, s->d->rig->node[SH].maker, SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base);
    sanquan__v1__facts__init(&f);
    f.issuer = 310000;
    f.n_orgs = f.n_org = f.n_attribute = f.n_value = f.n_from_day = f.n_until_day = 1;
    f.orgs = orgs;
    f.org = &org;
    f.attribute = &attribute;
    f.value = &value;
    f.from_day = &from;
    f.until_day = &until;
    must(s, SH, s->d->rig->node[SH].issuer, SANQUAN__V1__MESSAGE_TYPE__FACTS, &f.base);
    return keys;
}

static void fail_it(struct story *s, uint64_t voucher)
{
    Sanquan__V1__Measure m;
    uint8_t evidence[16] = {1};
    struct sq_keys *keys = evaluator(s);
    sanquan__v1__measure__init(&m);
    m.voucher = voucher;
    m.stage = 2;
    m.grade = 3;
    m.day = 20260901;
    m.evidence = (ProtobufCBinaryData){16, evidence};
    must(s, SH, keys, SANQUAN__V1__MESSAGE_TYPE__MEASURE, &m.base);
    sq_secret_free(keys);
}

static int64_t owed(const struct story *s, uint32_t debtor, uint32_t creditor, uint32_t kind)
{
    struct sq_link_view a, b;
    sq_settlement_link(sq_core_settlement(s->d->core[debtor]), debtor, creditor, &a);
    sq_settlement_link(sq_core_settlement(s->d->core[creditor]), debtor, creditor, &b);
    assert_memory_equal(&a.last, &b.last, sizeof a.last);
    return a.last.total_fen[kind - 1];
}

static void tell(struct story *s)
{
    const int64_t some[] = {300, 30000, 3001};
    assert_int_equal(desk_redeem(s->d, &s->p[0], 1, some, 3), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->p[1], 11, some, 3), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->p[2], 21, some, 2), SQ_OK);
    reverse(s, SH, &s->p[0], 1, 600, 400, 120);     /* all at home */
    reverse(s, SH, &s->p[1], 12, 0, 100000, 30000); /* decided in Guangdong */
    assert_int_equal(owed(s, GD, SH, 2), 3301);
    agree(s);
    redeem_at(s, &s->p[2], SH, 31, 1000, 10000); /* Guangdong's provider on an invoice at home in Shanghai */
    assert_int_equal(owed(s, SH, GD, 3), 30300 + 800);
    reverse(s, SH, &s->p[2], 31, 5000, 5000, 500);
    assert_int_equal(owed(s, SH, GD, 3), 30300 + 400);
    struct desk_people staged = s->p[2];
    staged.voucher = staged_voucher(s);
    redeem_at(s, &staged, GD, 41, 101, 1000);
    assert_int_equal(owed(s, SH, GD, 1), 101 - 20);
    fail_it(s, staged.voucher);
    assert_int_equal(owed(s, SH, GD, 1), 0);
    redeem_at(s, &s->p[2], GD, 51, 10, 100);
    desk_settle(s->d, 1);
    assert_int_equal(desk_redeem(s->d, &s->p[2], 61, some, 1), SQ_OK);
}

static void the_audit_agrees(void **state)
{
    struct story *s = *state;
    tell(s);
    for (uint32_t node = 0; node < 3; node++) {
        struct sq_audit_options o = {.path = s->d->rig->node[node].ledger,
                                     .directory = s->d->rig->directory,
                                     .threads = 2,
                                     .map_size = DESK_MAP_SIZE};
        struct sq_audit_report r = {0};
        struct sq_error err = {0};
        struct sq_audit *a;
        assert_int_equal(sq_audit_open(&o, &a, &err), SQ_OK);
        if (sq_audit_run(a, &r, &err) != SQ_OK)
            fail_msg("node %u: %s", node, err.text);
        sq_audit_free(a);
    }
}

static sq_status keep_last(void *ctx, const struct sq_item *item, struct sq_error *err)
{
    (void)err;
    *(struct sq_item *)ctx = *item;
    return SQ_OK;
}

/* The newest item that the node's history has with this invoice. */
static struct sq_item last_on(struct story *s, uint32_t node, const char *province, uint64_t invoice)
{
    struct sq_history *h;
    struct sq_query *q;
    struct sq_filter f = {0};
    struct sq_item item = {0};
    struct sq_error err = {0};
    uint64_t left = 1;
    invoice_cell(f.invoice, province, invoice);
    assert_int_equal(sq_history_open(s->d->rig->node[node].ledger, s->d->ledger[node], 1000, &h, &err), SQ_OK);
    while (left != 0)
        assert_int_equal(sq_history_follow(h, 7, &left, &err), SQ_OK);
    assert_int_equal(sq_history_settle(h, &err), SQ_OK);
    assert_int_equal(sq_query_new(h, s->d->ledger[node], &q, &err), SQ_OK);
    assert_int_equal(sq_query_scan(q, &f, keep_last, &item, &err), SQ_OK);
    sq_query_free(q);
    sq_history_close(h);
    return item;
}

static void the_history_shows_it(void **state)
{
    struct story *s = *state;
    tell(s);
    struct sq_item item = last_on(s, SH, "31", 1);
    assert_true(item.verb == SANQUAN__V1__VERB__RETURN && item.amount_fen == 120 && item.state == SQ_ITEM_ACCEPTED &&
                item.decided_seq == item.seq);
    assert_string_equal(item.provider, strchr(s->p[0].provider->name, ':') + 1);
    item = last_on(s, SH, "31", 12);
    assert_true(item.verb == SANQUAN__V1__VERB__RETURN && item.amount_fen == 30000 && item.state == SQ_ITEM_ACCEPTED &&
                item.decided_seq > item.seq && item.link == 2);
    item = last_on(s, GD, "31", 31);
    assert_true(item.verb == SANQUAN__V1__VERB__RETURN && item.amount_fen == 500 && item.state == SQ_ITEM_ACCEPTED &&
                item.window == 1 && item.is_final);
    /* What was taken back took a number of the stream too: 1 batch, 2 claim, 3 return, 4 staged, 5 taken back. */
    item = last_on(s, SH, "44", 51);
    assert_true(item.type == SANQUAN__V1__MESSAGE_TYPE__CLEAR && item.link == 6 && item.is_final);
    item = last_on(s, SH, "44", 61);
    assert_true(item.link == 7 && !item.is_final);
    struct sq_item same = last_on(s, GD, "44", 61);
    assert_true(same.link == 7 && same.window == item.window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_audit_agrees, begin, end),
        cmocka_unit_test_setup_teardown(the_history_shows_it, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
