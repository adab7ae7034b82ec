/*
 * What the people of a seed ask for: enrolments, programmes, grants, mandates, batches of every verb, cuts, confirmations. Mostly
 * sensible, sometimes beyond a limit on purpose, so that refusals happen as well. What they know, they know from their answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define ROWS_MAX 1024u
#define TODAY    20260921u
#define UNTIL    20261231u

void sim_work_free(struct sim_work *w)
{
    free(w->programme);
    free(w->voucher);
    free(w->mandate);
    free(w->claim);
    free(w->hold);
}

/* ---- operators ---- */

static int ask_enrol(struct sim *s, struct sim_client *c)
{
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party party[64], *list[64];
    sanquan__v1__enrol__init(&m);
    m.parties = list;
    for (uint32_t i = 0; i < s->client_count && m.n_parties < 64; i++) {
        struct sim_client *other = &s->client[i];
        if (other->node != c->node || (other->role != SQ_ROLE_PROVIDER && other->role != SQ_ROLE_HOLDER))
            continue;
        Sanquan__V1__Party *p = &party[m.n_parties];
        sanquan__v1__party__init(p);
        p->name = other->name;
        p->key = (ProtobufCBinaryData){SQ_KEY_SIZE, other->public_key};
        p->transport_key = (ProtobufCBinaryData){SQ_KEY_SIZE, other->transport_key};
        p->node = s->node[c->node].config.node;
        size_t at = m.n_parties++;
        for (; at > 0 && strcmp(list[at - 1]->name, p->name) > 0; at--)
            list[at] = list[at - 1];
        list[at] = p;
    }
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base);
    return 1;
}

static void ask_cut(struct sim *s, struct sim_client *c, uint64_t window)
{
    Sanquan__V1__WindowCut m;
    sanquan__v1__window_cut__init(&m);
    m.window = window;
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base);
}

/* The payments of this node in a final window, sometimes a fen off. */
static int ask_confirm(struct sim *s, struct sim_client *c, const struct sq_window_view *w, uint32_t role)
{
    Sanquan__V1__Settlement *v = sanquan__v1__settlement__unpack(NULL, w->value.size, w->value.data);
    Sanquan__V1__Confirm m;
    const char *code = s->node[c->node].config.node;
    SQ_ASSERT(v != NULL);
    sanquan__v1__confirm__init(&m);
    m.window = w->window;
    m.role = role;
    m.payments = v->payments;
    for (size_t i = 0; i < v->n_payments; i++) /* ours to the front, in order */
        if (strcmp(v->payments[i]->payer, code) == 0 || strcmp(v->payments[i]->payee, code) == 0) {
            Sanquan__V1__Payment *own = v->payments[i];
            v->payments[i] = v->payments[m.n_payments];
            v->payments[m.n_payments++] = own;
        }
    if (m.n_payments != 0 && sim_chance(&s->work_random, 100))
        m.payments[sim_below(&s->work_random, m.n_payments)]->amount_fen += 1;
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    return 1;
}

static int operate(struct sim *s, struct sim_client *c)
{
    const struct sim_node *n = &s->node[c->node];
    int maker = strstr(c->name, "/li") != NULL;
    if (maker && c->stage++ == 0)
        return ask_enrol(s, c);
    if (!n->up)
        return 0; /* looks at its node's screen: dark */
    const struct sq_settlement *settlement = sq_core_settlement(n->d.core);
    uint64_t open = sq_settlement_open_window(settlement);
    struct sq_window_view w;
    for (uint64_t i = open > 4 ? open - 4 : 1; i < open; i++)
        if (sq_settlement_window(settlement, i, &w, NULL) == SQ_OK &&
            (maker ? w.state == SQ_WINDOW_FINAL || w.state == SQ_WINDOW_BREAK : w.state == SQ_WINDOW_INSTRUCTED))
            return ask_confirm(s, c, &w, maker ? 1 : 2);
    if (sim_chance(&s->work_random, s->plan.nodes > 8 ? 40 : 250)) {
        ask_cut(s, c, sim_chance(&s->work_random, 900) ? open : open + sim_below(&s->work_random, 3));
        return 1;
    }
    return 0;
}

/* ---- issuers ---- */

/* The one place that knows what a programme may say. */
static void draw_terms(struct sim *s, Sanquan__V1__Programme *p)
{
    static char title[] = "三券";
    struct sim_random *r = &s->work_random;
    p->title = title;
    p->from_day = 20260101;
    p->until_day = UNTIL;
    p->rate_bp = (uint32_t)sim_between(r, 1, 10) * 1000;
    p->base_kind = (uint32_t)sim_between(r, 1, 5);
    p->pool_fen = (int64_t)sim_scale(r, 1000000, 2000000000);
    p->cap_claim_fen = sim_chance(r, 300) ? (int64_t)sim_scale(r, 10000, 10000000) : 0;
    p->cap_year_fen = sim_chance(r, 300) ? (int64_t)sim_scale(r, 100000, 100000000) : 0;
    p->cap_total_fen = sim_chance(r, 300) ? (int64_t)sim_scale(r, 100000, 100000000) : 0;
    p->min_claim_fen = sim_chance(r, 100) ? (int64_t)sim_scale(r, 100, 10000) : 0;
    p->stacking = sim_chance(r, 400);
    p->stack_limit_bp = p->stacking ? (uint32_t)sim_between(r, 1, 10) * 1000 : 0;
}

static int ask_programme(struct sim *s, struct sim_client *c, uint32_t number, uint32_t version, uint32_t kind)
{
    Sanquan__V1__Programme p;
    sanquan__v1__programme__init(&p);
    p.issuer = (uint32_t)strtoul(strchr(c->name, ':') + 1, NULL, 10);
    p.number = number;
    p.version = version;
    p.kind = kind;
    draw_terms(s, &p);
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base);
    return 1;
}

static int ask_grant(struct sim *s, struct sim_client *c, const struct sim_programme *p)
{
    enum { MOST = 16 };
    struct sim_random *r = &s->work_random;
    int64_t face[MOST];
    uint32_t holder[MOST], until[MOST];
    char *holders[MOST];
    size_t n = sim_between(r, 1, MOST);
    Sanquan__V1__Grant m;
    sanquan__v1__grant__init(&m);
    m.issuer = p->issuer;
    m.programme = p->number;
    m.first_serial = p->vouchers + (sim_chance(r, 950) ? 1u : 2u);
    for (uint32_t i = 0; i < s->client_count && m.n_holders < MOST; i++)
        if (s->client[i].role == SQ_ROLE_HOLDER && s->client[i].node == c->node)
            holders[m.n_holders++] = s->client[i].code;
    if (m.n_holders == 0)
        return 0;
    if (m.n_holders > n)
        m.n_holders = n; /* each is used by a row */
    for (size_t i = 0; i < n; i++) {
        face[i] = (int64_t)sim_scale(r, 1000, 50000000);
        holder[i] = (uint32_t)(i < m.n_holders ? i : sim_below(r, m.n_holders));
        until[i] = sim_chance(r, 900) ? UNTIL : TODAY + (uint32_t)sim_below(r, 9);
    }
    m.face_fen = face;
    m.holder = holder;
    m.until_day = until;
    m.holders = holders;
    m.n_face_fen = m.n_holder = m.n_until_day = n;
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base);
    return 1;
}

static int ask_revoke(struct sim *s, struct sim_client *c)
{
    Sanquan__V1__Revoke m;
    sanquan__v1__revoke__init(&m);
    if (s->work.voucher_count == 0)
        return 0;
    m.voucher = &s->work.voucher[sim_below(&s->work_random, s->work.voucher_count)].number;
    m.n_voucher = 1;
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__REVOKE, &m.base);
    return 1;
}

static int issue(struct sim *s, struct sim_client *c)
{
    struct sim_random *r = &s->work_random;
    struct sim_programme *own = NULL;
    uint32_t count = 0;
    for (size_t i = 0; i < s->work.programme_count; i++)
        if (s->work.programme[i].client == c->index && sim_below(r, ++count) == 0)
            own = &s->work.programme[i];
    if (c->stage == 0 || (sim_chance(r, 150) && c->stage < 4)) {
        c->stage++;
        return ask_programme(s, c, c->stage, 1, (uint32_t)sim_between(r, 1, 3));
    }
    if (own == NULL)
        return 0;
    if (sim_chance(r, 60))
        return ask_programme(s, c, own->number, own->version + 1, own->kind);
    return sim_chance(r, 50) ? ask_revoke(s, c) : ask_grant(s, c, own);
}

/* ---- holders ---- */

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int allow(struct sim *s, struct sim_client *c)
{
    enum { MOST = 16 };
    struct sim_random *r = &s->work_random;
    uint64_t voucher[MOST], until[MOST];
    int64_t limit[MOST];
    struct sim_client *provider = NULL;
    uint32_t providers = 0;
    Sanquan__V1__Mandate m;
    sanquan__v1__mandate__init(&m);
    for (uint32_t i = 0; i < s->client_count; i++)
        if (s->client[i].role == SQ_ROLE_PROVIDER && sim_below(r, ++providers) == 0)
            provider = &s->client[i];
    for (size_t i = s->work.voucher_count; i > 0 && m.n_voucher < MOST; i--)
        if (s->work.voucher[i - 1].holder == c->index && sim_chance(r, 600))
            voucher[m.n_voucher++] = s->work.voucher[i - 1].number;
    if (m.n_voucher == 0 || provider == NULL)
        return 0;
    qsort(voucher, m.n_voucher, sizeof *voucher, by_number);
    for (size_t i = 0; i < m.n_voucher; i++) {
        limit[i] = (int64_t)sim_scale(r, 1000, 50000000);
        until[i] = SIM_EPOCH_MS + s->now_us / 1000 + sim_scale(r, 60000, 90ull * 86400000);
    }
    m.provider = provider->code;
    m.voucher = voucher;
    m.limit_fen = limit;
    m.until_ms = until;
    m.n_limit_fen = m.n_until_ms = m.n_voucher;
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base);
    return 1;
}

/* ---- providers ---- */

struct row {
    uint64_t voucher, reservation;
    int64_t amount, base, total;
    uint8_t invoice[10], verb;
    uint32_t day, bundle;
};

static int by_invoice(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = memcmp(x->invoice, y->invoice, sizeof x->invoice);
    return order != 0 ? order : x->reservation < y->reservation ? -1 : x->reservation > y->reservation;
}

static void new_invoice(struct sim *s, struct sim_client *c, uint8_t out[static 10])
{
    uint32_t node = sim_chance(&s->work_random, 500) ? c->node : (uint32_t)sim_below(&s->work_random, s->plan.nodes);
    char digits[24];
    if (sim_chance(&s->work_random, 30)) /* of no province that takes part: its home is the first node */
        snprintf(digits, sizeof digits, "2699%04u%012" PRIu64, c->index, c->next_invoice++);
    else
        snprintf(digits, sizeof digits, "26%.2s%04u%012" PRIu64, s->node[node].config.node, c->index,
                 c->next_invoice++);
    for (int i = 0; i < 10; i++)
        out[i] = (uint8_t)((digits[2 * i] - '0') << 4 | (digits[2 * i + 1] - '0'));
}

static const struct sim_claim *own_of(struct sim *s, const struct sim_claim *list, size_t count,
                                      const struct sim_client *c)
{
    for (int tries = 0; count > 0 && tries < 6; tries++) {
        const struct sim_claim *x = &list[sim_below(&s->work_random, count)];
        if (x->provider == c->index)
            return x;
    }
    return NULL;
}

static void draw_amounts(struct sim *s, struct row *row, const struct sim_programme *p, int64_t most)
{
    struct sim_random *r = &s->work_random;
    row->amount = (int64_t)sim_scale(r, 1, most > 1 ? (uint64_t)most : 2);
    row->base = (int64_t)(((__int128)row->amount * 10000 + p->rate_bp - 1) / p->rate_bp);
    if (sim_chance(r, 30))
        row->base -= row->base > 0; /* a fen too little for the rate */
    row->total = sim_chance(r, 700) ? row->base : row->base + row->base / 2;
    if (sim_chance(r, 5))
        row->amount = (int64_t)sim_u64(r);
}

static void draw_row(struct sim *s, struct sim_client *c, struct row *row)
{
    struct sim_random *r = &s->work_random;
    const struct sim_mandate *mandate = NULL;
    for (int tries = 0; tries < 12; tries++) {
        const struct sim_mandate *m = &s->work.mandate[sim_below(r, s->work.mandate_count)];
        if (m->provider == c->index) {
            mandate = m;
            break;
        }
    }
    uint32_t v = mandate != NULL ? mandate->voucher : (uint32_t)sim_below(r, s->work.voucher_count);
    const struct sim_voucher *voucher = &s->work.voucher[v];
    *row = (struct row){
        .voucher = voucher->number, .verb = SANQUAN__V1__VERB__REDEEM, .day = TODAY - (uint32_t)sim_below(r, 20)};
    draw_amounts(s, row, &s->work.programme[voucher->programme], voucher->face_fen / (int64_t)sim_between(r, 1, 8) + 1);
    unsigned dice = (unsigned)sim_below(r, 100);
    const struct sim_claim *past = own_of(s, s->work.claim, s->work.claim_count, c),
                           *held = own_of(s, s->work.hold, s->work.hold_count, c);
    if (dice < 12) {
        row->verb = SANQUAN__V1__VERB__RESERVE;
        row->reservation = sim_chance(r, 950) ? c->next_reservation++ : sim_between(r, 0, c->next_reservation);
    } else if (dice < 26 && held != NULL) {
        row->verb = dice < 21 ? SANQUAN__V1__VERB__COMMIT : SANQUAN__V1__VERB__RELEASE;
        row->voucher = s->work.voucher[held->voucher].number;
        row->reservation = held->reservation;
        draw_amounts(s, row, &s->work.programme[s->work.voucher[held->voucher].programme],
                     held->amount_fen + held->amount_fen / 8);
    } else if (dice < 38 && past != NULL) {
        row->verb = SANQUAN__V1__VERB__RETURN;
        row->voucher = s->work.voucher[past->voucher].number;
        row->total = past->total_fen;
        row->amount =
            sim_chance(r, 600) ? past->amount_fen : (int64_t)sim_between(r, 1, (uint64_t)past->amount_fen * 5 / 4);
        row->base = row->amount == past->amount_fen ? past->base_fen : past->base_fen / 2;
        row->day = past->service_day;
        memcpy(row->invoice, past->invoice, 10);
        return;
    }
    if (row->verb == SANQUAN__V1__VERB__RESERVE || row->verb == SANQUAN__V1__VERB__RELEASE)
        return;                                           /* no invoice */
    if (s->work.claim_count != 0 && sim_chance(r, 120)) { /* the same invoice again: by whoever, where ever */
        const struct sim_claim *again = &s->work.claim[sim_below(r, s->work.claim_count)];
        memcpy(row->invoice, again->invoice, 10);
        row->total = sim_chance(r, 900) ? again->total_fen : row->total;
    } else {
        new_invoice(s, c, row->invoice);
    }
}

/* Some redemptions of a batch go together, two to five at a time; now and then a row that cannot be a part is among them. */
static void draw_bundles(struct sim_random *r, struct row *row, size_t n)
{
    uint32_t bundle = 0;
    for (size_t i = 0; i < n;) {
        size_t parts = sim_between(r, 2, 5);
        uint32_t together = sim_chance(r, 300);
        bundle += together;
        for (; parts > 0 && i < n; parts--, i++)
            if (together && (row[i].verb == SANQUAN__V1__VERB__REDEEM || sim_chance(r, 20)))
                row[i].bundle = sim_chance(r, 995) ? bundle : 8193;
    }
}

static int ask_batch(struct sim *s, struct sim_client *c, struct row *row, size_t n)
{
    struct sim_random *r = &s->work_random;
    Sanquan__V1__Batch m;
    sanquan__v1__batch__init(&m);
    m.voucher = sq_arena_take(&s->scratch, n * 8);
    m.amount_fen = sq_arena_take(&s->scratch, n * 8);
    m.base_fen = sq_arena_take(&s->scratch, n * 8);
    m.invoice.data = sq_arena_take(&s->scratch, n * 10);
    m.invoice_total_fen = sq_arena_take(&s->scratch, n * 8);
    m.service = sq_arena_take(&s->scratch, n * 4);
    m.service_day = sq_arena_take(&s->scratch, n * 4);
    m.verb.data = sq_arena_take(&s->scratch, n);
    m.reservation = sq_arena_take(&s->scratch, n * 8);
    m.bundle = sq_arena_take(&s->scratch, n * 4);
    SQ_ASSERT(m.bundle != NULL);
    if (sim_chance(r, 400))
        draw_bundles(r, row, n);
    qsort(row, n, sizeof *row, by_invoice);
    for (size_t i = 0; i < n; i++) {
        m.voucher[i] = row[i].voucher;
        m.amount_fen[i] = row[i].amount;
        m.base_fen[i] = row[i].base;
        memcpy(m.invoice.data + 10 * i, row[i].invoice, 10);
        m.invoice_total_fen[i] = row[i].total;
        m.service[i] = 7;
        m.service_day[i] = row[i].day;
        m.verb.data[i] = row[i].verb;
        m.reservation[i] = row[i].reservation;
        m.bundle[i] = row[i].bundle;
        m.n_bundle = row[i].bundle != 0 ? n : m.n_bundle;
    }
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day =
        m.n_reservation = n;
    m.invoice.len = n * 10;
    m.verb.len = n;
    m.reserve_until_ms = SIM_EPOCH_MS + s->now_us / 1000 + sim_scale(r, 1000, 40ull * 86400000);
    if (sim_chance(r, 10))
        m.n_service = n - 1; /* a column too short */
    sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base);
    return 1;
}

static int redeem(struct sim *s, struct sim_client *c)
{
    struct row row[ROWS_MAX];
    struct sim_random *r = &s->work_random;
    if (s->work.voucher_count == 0 || s->work.mandate_count == 0)
        return 0;
    size_t n = sim_chance(r, 10)    ? sim_scale(r, 64, ROWS_MAX)
               : sim_chance(r, 200) ? sim_between(r, 1, 40)
                                    : sim_between(r, 1, 6);
    for (size_t i = 0; i < n; i++)
        draw_row(s, c, &row[i]);
    return ask_batch(s, c, row, n);
}

/* 1 when something was asked. */
int sim_work_next(struct sim *s, struct sim_client *c)
{
    switch (c->role) {
    case SQ_ROLE_OPERATOR:
        return operate(s, c);
    case SQ_ROLE_ISSUER:
        return issue(s, c);
    case SQ_ROLE_HOLDER:
        return allow(s, c);
    case SQ_ROLE_PROVIDER:
        return redeem(s, c);
    case SQ_ROLE_REGULATOR:
        sim_reader_ask(s, c);
        return 1;
    case SQ_ROLE_NODE:
    case SQ_ROLE_EVALUATOR:
        break;
    }
    return 0;
}

/* ---- what an answer means ---- */

static void learn_programme(struct sim *s, struct sim_client *c, const Sanquan__V1__Programme *m)
{
    for (size_t i = 0; i < s->work.programme_count; i++) {
        struct sim_programme *p = &s->work.programme[i];
        if (p->issuer == m->issuer && p->number == m->number) {
            p->version = m->version;
            p->rate_bp = m->rate_bp;
            return;
        }
    }
    struct sim_programme p = {m->issuer, m->number, m->version, m->kind, c->node, m->rate_bp, 0, c->index};
    SIM_ADD(s->work.programme, p);
}

static void learn_grant(struct sim *s, const Sanquan__V1__Grant *m)
{
    uint32_t programme = 0;
    while (s->work.programme[programme].issuer != m->issuer || s->work.programme[programme].number != m->programme)
        programme++;
    for (size_t i = 0; i < m->n_face_fen; i++) {
        char name[48];
        snprintf(name, sizeof name, "holder:%s", m->holders[m->holder[i]]);
        struct sim_client *holder = NULL;
        for (uint32_t k = 0; k < s->client_count; k++)
            if (strcmp(s->client[k].name, name) == 0 && s->client[k].node == s->work.programme[programme].node)
                holder = &s->client[k];
        SQ_ASSERT(holder != NULL);
        uint64_t number = ((uint64_t)m->issuer * 10000 + m->programme) * 1000000000u + m->first_serial + i;
        struct sim_voucher v = {number, programme, holder->index, m->face_fen[i]};
        SIM_ADD(s->work.voucher, v);
    }
    s->work.programme[programme].vouchers = (uint32_t)(m->first_serial + m->n_face_fen - 1);
}

static uint32_t voucher_of(const struct sim *s, uint64_t number)
{
    uint32_t i = 0;
    while (i < s->work.voucher_count && s->work.voucher[i].number != number)
        i++;
    return i;
}

static void learn_mandate(struct sim *s, const Sanquan__V1__Mandate *m)
{
    for (uint32_t i = 0; i < s->client_count; i++)
        for (size_t k = 0;
             s->client[i].role == SQ_ROLE_PROVIDER && strcmp(s->client[i].code, m->provider) == 0 && k < m->n_voucher;
             k++) {
            struct sim_mandate row = {voucher_of(s, m->voucher[k]), i, m->limit_fen[k]};
            SIM_ADD(s->work.mandate, row);
        }
}

static void learn_batch(struct sim *s, const struct sim_client *c, const Sanquan__V1__Batch *m,
                        const Sanquan__V1__Answer *a)
{
    for (size_t i = 0; i < m->n_voucher; i++) {
        if (a->code.len != 0 && a->code.data[i] != 0)
            continue;
        struct sim_claim x = {.voucher = voucher_of(s, m->voucher[i]),
                              .provider = c->index,
                              .amount_fen = m->amount_fen[i],
                              .base_fen = m->base_fen[i],
                              .total_fen = m->invoice_total_fen[i],
                              .service_day = m->service_day[i],
                              .reservation = m->reservation[i]};
        memcpy(x.invoice, m->invoice.data + 10 * i, 10);
        if (m->verb.data[i] == SANQUAN__V1__VERB__REDEEM || m->verb.data[i] == SANQUAN__V1__VERB__COMMIT)
            SIM_ADD(s->work.claim, x);
        else if (m->verb.data[i] == SANQUAN__V1__VERB__RESERVE)
            SIM_ADD(s->work.hold, x);
    }
}

void sim_work_answered(struct sim *s, struct sim_client *c, struct sim_request *r, const Sanquan__V1__Answer *a)
{
    if (a->status != SQ_OK)
        return;
    ProtobufCMessage *m = protobuf_c_message_unpack(sq_wire_type(r->type), NULL, r->body->size, r->body->data);
    SQ_ASSERT(m != NULL);
    switch (r->type) {
    case SANQUAN__V1__MESSAGE_TYPE__PROGRAMME:
        learn_programme(s, c, (const Sanquan__V1__Programme *)m);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
        learn_grant(s, (const Sanquan__V1__Grant *)m);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
        learn_mandate(s, (const Sanquan__V1__Mandate *)m);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        learn_batch(s, c, (const Sanquan__V1__Batch *)m, a);
        break;
    default:
        break;
    }
    protobuf_c_message_free_unpacked(m, NULL);
}
