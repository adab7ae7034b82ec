#include "tests/support/deals.h"

#include <stdio.h>
#include <string.h>

#include "clearing/base/day.h"
#include "proto/sanquan.pb-c.h"

enum { SH, SD };

static void say(struct desk *d, uint32_t node, const struct sq_keys *who, uint32_t type, const ProtobufCMessage *m)
{
    if (desk_say(d, node, who, type, m) != SQ_OK)
        rig_die(who->name, NULL);
    desk_run(d);
}

void deals_publish(struct desk *d)
{
    Sanquan__V1__Programme p;
    Sanquan__V1__Stage stage[2], *stages[2] = {&stage[0], &stage[1]};
    Sanquan__V1__Verdict verdict[2], *verdicts[2] = {&verdict[0], &verdict[1]};
    char title[] = "illustrative";
    sanquan__v1__programme__init(&p);
    for (uint32_t i = 0; i < 2; i++) {
        sanquan__v1__stage__init(stages[i]);
        stage[i].share_bp = 5000;
        stage[i].trigger = i + 1;
        sanquan__v1__verdict__init(verdicts[i]);
    }
    verdict[0].grade = verdict[0].action = 1;
    verdict[1].grade = verdict[1].action = 3;
    verdict[1].back_bp = 4000;
    p.issuer = 310000;
    p.number = p.version = p.kind = p.base_kind = 1;
    p.title = title;
    p.from_day = 20260101;
    p.until_day = 20271231;
    p.rate_bp = 3000;
    p.pool_fen = DEALS_POOL_FEN;
    p.stages = stages;
    p.verdicts = verdicts;
    p.n_stages = p.n_verdicts = 2;
    p.evaluators = 1003;
    say(d, SH, d->rig->node[SH].issuer, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base);
}

struct sq_keys *deals_evaluator(struct desk *d)
{
    char code[19], *orgs[1] = {code};
    uint32_t row = 0, list = 1003, from = 20260101, until = 0;
    int64_t member = 1;
    Sanquan__V1__Facts m;
    rig_uscc(31, 77, code);
    struct sq_keys *evaluator = rig_keys("evaluator", code);
    desk_enrol(d, SH, evaluator);
    sanquan__v1__facts__init(&m);
    m.issuer = 310000;
    m.orgs = orgs;
    m.n_orgs = m.n_org = m.n_attribute = m.n_value = m.n_from_day = m.n_until_day = 1;
    m.org = &row;
    m.attribute = &list;
    m.value = &member;
    m.from_day = &from;
    m.until_day = &until;
    say(d, SH, d->rig->node[SH].issuer, SANQUAN__V1__MESSAGE_TYPE__FACTS, &m.base);
    return evaluator;
}

struct desk_people deals_also(struct desk *d, const struct desk_people *whose, const struct desk_people *p)
{
    struct desk_people other = *p;
    Sanquan__V1__Mandate m;
    int64_t limit = 90000000;
    uint64_t voucher = whose->voucher;
    uint64_t until = d->now_ms + 86400000ull * 365;
    char code[19];
    snprintf(code, sizeof code, "%s", strchr(p->provider->name, ':') + 1);
    sanquan__v1__mandate__init(&m);
    m.provider = code;
    m.n_voucher = m.n_limit_fen = m.n_until_ms = 1;
    m.voucher = &voucher;
    m.limit_fen = &limit;
    m.until_ms = &until;
    say(d, SH, whose->holder, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base);
    other.voucher = voucher;
    return other;
}

void deals_agree(struct desk *d)
{
    Sanquan__V1__Agreement terms;
    Sanquan__V1__Side side[2], *sides[2] = {&side[0], &side[1]};
    Sanquan__V1__Agree m;
    uint32_t kind = 1;
    sanquan__v1__agreement__init(&terms);
    sanquan__v1__agree__init(&m);
    for (uint32_t i = 0; i < 2; i++) {
        sanquan__v1__side__init(sides[i]);
        side[i].node = d->rig->node[i].code;
    }
    side[SH].borne_bp = 3333;
    terms.version = 1;
    terms.sides = sides;
    terms.n_sides = 2;
    terms.kinds = &kind;
    terms.n_kinds = 1;
    terms.from_day = 20260101;
    terms.until_day = 20261231;
    m.terms = &terms;
    for (uint32_t node = SH; node <= SD; node++)
        for (m.role = 1; m.role <= 2; m.role++)
            say(d, node, m.role == 1 ? d->rig->node[node].maker : d->rig->node[node].checker,
                SANQUAN__V1__MESSAGE_TYPE__AGREE, &m.base);
}

void deals_prefund(struct desk *d, const struct desk_people *p, int64_t fen)
{
    Sanquan__V1__Prefund m;
    char code[19];
    snprintf(code, sizeof code, "%s", strchr(p->provider->name, ':') + 1);
    sanquan__v1__prefund__init(&m);
    m.issuer = 310000;
    m.programme = 1;
    m.provider = code;
    m.amount_fen = fen;
    say(d, SH, d->rig->node[SH].issuer, SANQUAN__V1__MESSAGE_TYPE__PREFUND, &m.base);
}

/* One row, with the memory of its columns. The invoice is that of desk_redeem; 0: none. */
struct row {
    Sanquan__V1__Batch m;
    uint64_t voucher, reservation;
    int64_t amount, base, total;
    uint32_t service, day;
    uint8_t verb, invoice[10];
};

static void invoice_of(const struct desk *d, const struct desk_people *p, uint64_t number, uint8_t cell[static 10])
{
    char text[24];
    snprintf(text, sizeof text, "26%.2s2%015" PRIu64, d->rig->node[p->home].code, number);
    for (size_t k = 0; k < 10; k++)
        cell[k] = number == 0 ? 0 : (uint8_t)((text[2 * k] - '0') << 4 | (text[2 * k + 1] - '0'));
}

static int64_t base_of(int64_t amount)
{
    return (amount * 10 + 2) / 3;
}

static void row_of(const struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t amount, uint8_t verb,
                   struct row *r)
{
    *r = (struct row){.voucher = p->voucher,
                      .reservation = verb == SANQUAN__V1__VERB__RESERVE || verb == SANQUAN__V1__VERB__COMMIT,
                      .amount = amount,
                      .base = base_of(amount),
                      .total = base_of(amount),
                      .service = 101,
                      .day = sq_day_of_ms(d->now_ms),
                      .verb = verb};
    sanquan__v1__batch__init(&r->m);
    invoice_of(d, p, invoice, r->invoice);
    r->m.n_voucher = r->m.n_amount_fen = r->m.n_base_fen = r->m.n_invoice_total_fen = r->m.n_service =
        r->m.n_service_day = r->m.n_reservation = 1;
    r->m.voucher = &r->voucher;
    r->m.amount_fen = &r->amount;
    r->m.base_fen = &r->base;
    r->m.invoice_total_fen = &r->total;
    r->m.service = &r->service;
    r->m.service_day = &r->day;
    r->m.reservation = &r->reservation;
    r->m.verb = (ProtobufCBinaryData){1, &r->verb};
    r->m.invoice = (ProtobufCBinaryData){10, r->invoice};
    r->m.reserve_until_ms = verb == SANQUAN__V1__VERB__RESERVE ? d->now_ms + 86400000u : 0;
}

static void give(struct desk *d, const struct desk_people *p, struct row *r)
{
    (void)desk_say(d, p->home, p->provider, SANQUAN__V1__MESSAGE_TYPE__BATCH, &r->m.base);
    desk_run(d);
    if (d->status != SQ_OK || d->code[0] != SQ_OK)
        rig_die("a row is refused", NULL);
}

void deals_redeem(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t fen)
{
    struct row r;
    row_of(d, p, invoice, fen, SANQUAN__V1__VERB__REDEEM, &r);
    give(d, p, &r);
}

void deals_reserve_and_commit(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t held, int64_t fen)
{
    struct row r;
    row_of(d, p, 0, held, SANQUAN__V1__VERB__RESERVE, &r);
    give(d, p, &r);
    row_of(d, p, invoice, fen, SANQUAN__V1__VERB__COMMIT, &r);
    give(d, p, &r);
}

void deals_bundle(struct desk *d, const struct desk_people *p, const struct desk_people *also, uint64_t invoice,
                  int64_t fen, int64_t also_fen)
{
    enum { PARTS = 2 };
    uint64_t voucher[PARTS] = {p->voucher, also->voucher};
    int64_t amount[PARTS] = {fen, also_fen}, base[PARTS] = {base_of(fen), base_of(also_fen)};
    uint32_t service[PARTS] = {101, 101}, bundle[PARTS] = {1, 1}, day = sq_day_of_ms(d->now_ms),
             days[PARTS] = {day, day};
    uint8_t cells[PARTS * 10];
    Sanquan__V1__Batch m;
    sanquan__v1__batch__init(&m);
    for (uint32_t i = 0; i < PARTS; i++)
        invoice_of(d, p, invoice + i, cells + 10 * i);
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day = m.n_bundle =
        PARTS;
    m.voucher = voucher;
    m.amount_fen = amount;
    m.base_fen = m.invoice_total_fen = base;
    m.service = service;
    m.service_day = days;
    m.bundle = bundle;
    m.invoice = (ProtobufCBinaryData){sizeof cells, cells};
    m.reserve_until_ms = d->now_ms + 86400000u;
    (void)desk_say(d, p->home, p->provider, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base);
    desk_run(d);
    if (d->status != SQ_OK || d->code[0] != SQ_OK || d->code[1] != SQ_OK)
        rig_die("a bundle is refused", NULL);
}

void deals_return(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t fen)
{
    struct row r;
    row_of(d, p, invoice, fen, SANQUAN__V1__VERB__RETURN, &r);
    r.base = 0;
    give(d, p, &r);
}

void deals_cancel_invoice(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t fen)
{
    Sanquan__V1__Reverse m;
    struct row r;
    char code[19];
    uint8_t note[10];
    row_of(d, p, invoice, fen, SANQUAN__V1__VERB__RETURN, &r);
    r.m.n_reservation = 0;
    invoice_of(d, p, invoice + 500, note);
    snprintf(code, sizeof code, "%s", strchr(p->provider->name, ':') + 1);
    sanquan__v1__reverse__init(&m);
    m.invoice = (ProtobufCBinaryData){10, r.invoice};
    m.credit_note = (ProtobufCBinaryData){10, note};
    m.acquirer = d->rig->node[p->home].code;
    m.provider = code;
    m.returns = &r.m;
    say(d, p->home, d->rig->node[p->home].maker, SANQUAN__V1__MESSAGE_TYPE__REVERSE, &m.base);
}

void deals_take_back_by_case(struct desk *d, const struct desk_people *p, uint64_t number, uint64_t invoice,
                             int64_t fen)
{
    Sanquan__V1__Dispute m;
    Sanquan__V1__Item item;
    char code[19], note[] = "no such service was rendered";
    uint8_t cell[10];
    sanquan__v1__dispute__init(&m);
    sanquan__v1__item__init(&item);
    invoice_of(d, p, invoice, cell);
    snprintf(code, sizeof code, "%s", strchr(p->provider->name, ':') + 1);
    item.voucher = p->voucher;
    item.provider = code;
    item.invoice = (ProtobufCBinaryData){10, cell};
    item.service_day = sq_day_of_ms(d->now_ms);
    m.action = SQ_DISPUTE_OPEN;
    m.note = note;
    m.reason = 1;
    m.amount_fen = fen;
    m.item = &item;
    say(d, SH, d->rig->node[SH].issuer, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base);
    sanquan__v1__dispute__init(&m);
    m.action = SQ_DISPUTE_ACCEPT;
    m.node = d->rig->node[SH].code;
    m.number = number;
    m.note = note;
    say(d, p->home, p->provider, SANQUAN__V1__MESSAGE_TYPE__DISPUTE, &m.base);
}

void deals_fail(struct desk *d, const struct sq_keys *evaluator, uint64_t voucher)
{
    Sanquan__V1__Measure m;
    uint8_t evidence[16] = {1};
    sanquan__v1__measure__init(&m);
    m.voucher = voucher;
    m.stage = 2;
    m.grade = 3;
    m.day = sq_day_of_ms(d->now_ms);
    m.evidence = (ProtobufCBinaryData){16, evidence};
    say(d, SH, evaluator, SANQUAN__V1__MESSAGE_TYPE__MEASURE, &m.base);
}
