#include "tests/support/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/core/invoice.h"

const char WORLD_PROVIDER[] = "91310199TXXXXX0015", WORLD_HOLDER[] = "12370199TXXXXX132Y",
           WORLD_OTHER[] = "91440199TXXXXX01X0";

static const char *const codes[WORLD_NODES_MAX] = {"310000", "370000", "440000", "500000",
                                                   "510000", "520000", "530000", "610000"};
static void die(const char *what, const struct sq_error *err)
{
    fprintf(stderr, "world: %s: %s\n", what, err->text);
    abort();
}

static void queue(struct world *w, uint32_t from, const struct sq_out *out)
{
    struct world_message *m = calloc(1, sizeof *m);
    m->from = from;
    m->to = out->to;
    m->type = out->type;
    m->id = out->id;
    m->size = out->body.size;
    m->body = malloc(m->size + 1);
    memcpy(m->body, out->body.data, m->size);
    if (w->last[from][m->to] != NULL)
        w->last[from][m->to]->next = m;
    else
        w->first[from][m->to] = m;
    w->last[from][m->to] = m;
}

static void keep_answer(struct world *w, const struct sq_out *out)
{
    Sanquan__V1__Answer *a = sanquan__v1__answer__unpack(NULL, out->body.size, out->body.data);
    if (a == NULL)
        abort();
    w->answers++;
    w->answer = (struct world_answer){.status = a->status,
                                      .id = a->id,
                                      .seq = a->seq,
                                      .count = a->count,
                                      .number = a->number,
                                      .amount_fen = a->amount_fen,
                                      .code_count = a->code.len};
    if (a->code.len != 0)
        memcpy(w->answer.code, a->code.data, a->code.len);
    snprintf(w->answer.detail, sizeof w->answer.detail, "%s", a->detail);
    sanquan__v1__answer__free_unpacked(a, NULL);
}

static unsigned take_effects(struct world *w, uint32_t node, const struct sq_effects *fx)
{
    unsigned status = 0;
    for (size_t i = 0; i < fx->out_count; i++) {
        const struct sq_out *out = &fx->out[i];
        switch (out->kind) {
        case SQ_OUT_PEER:
            queue(w, node, out);
            break;
        case SQ_OUT_ANSWER:
            keep_answer(w, out);
            status = w->answer.status;
            break;
        case SQ_OUT_REPEAT:
            w->repeats++;
            break;
        case SQ_OUT_REFUSAL: {
            Sanquan__V1__Refusal *r = sanquan__v1__refusal__unpack(NULL, out->body.size, out->body.data);
            w->refusals++;
            w->refusal_status = status = r->status;
            w->refusal_expected = r->expected_id;
            sanquan__v1__refusal__free_unpacked(r, NULL);
            break;
        }
        }
    }
    return status;
}

static unsigned step(struct world *w, uint32_t node, const struct sq_event *event)
{
    struct sq_effects fx;
    struct sq_error err = {0};
    sq_arena_reset(&w->arena);
    if (sq_core_step(w->core[node], event, &w->arena, &fx, &err) != SQ_OK)
        die("step", &err);
    if (w->watch != NULL)
        w->watch(w->ctx, node, event, &fx);
    if (fx.append) {
        Sanquan__V1__Outcome *o = sanquan__v1__outcome__unpack(NULL, fx.outcome.size, fx.outcome.data);
        w->peer_status = o->status;
        w->outcome_window = o->window;
        w->outcome_final += o->n_settlement;
        w->outcome_code_count = o->code.len;
        for (size_t i = 0; i < o->code.len && i < sizeof w->outcome_code; i++)
            w->outcome_code[i] = o->code.data[i];
        sanquan__v1__outcome__free_unpacked(o, NULL);
    }
    return take_effects(w, node, &fx);
}

#define CITY_NODE 2u /* 440000 hosts the city issuer 440300 */

__attribute__((format(printf, 3, 0))) static void name_party(Sanquan__V1__Party *p, char name[32], const char *shape,
                                                             char *node)
{
    sanquan__v1__party__init(p);
    snprintf(name, 32, shape, node);
    p->name = name;
    p->node = node;
}

static void say_genesis(struct world *w, uint32_t self, enum sq_netting_method method,
                        const struct world_charter *charter)
{
    static uint8_t key[32] = {1}, id[32] = {7};
    Sanquan__V1__Node nodes[WORLD_NODES_MAX], *node_list[WORLD_NODES_MAX];
    Sanquan__V1__Party parties[WORLD_NODES_MAX * 3 + 2], *party_list[WORLD_NODES_MAX * 3 + 2];
    char names[WORLD_NODES_MAX * 3 + 2][32], code[WORLD_NODES_MAX][8], city[] = "440300", none[] = "";
    char *issuers[WORLD_NODES_MAX][2];
    size_t n = 0;
    Sanquan__V1__Genesis g;
    sanquan__v1__genesis__init(&g);
    for (uint32_t i = 0; i < w->node_count; i++) {
        static const char *const shapes[] = {"issuer:%s", "operator:%s/li", "operator:%s/zhang"};
        strcpy(code[i], codes[i]);
        sanquan__v1__node__init(&nodes[i]);
        nodes[i].code = code[i];
        nodes[i].node_key = nodes[i].log_key = nodes[i].transport_key = (ProtobufCBinaryData){32, key};
        issuers[i][0] = code[i];
        issuers[i][1] = city;
        nodes[i].issuers = issuers[i];
        nodes[i].n_issuers = i == CITY_NODE ? 2 : 1;
        nodes[i].enrolled = charter->enrolled_node == i + 1;
        nodes[i].guarantee_fen = charter->guarantee_fen;
        node_list[i] = &nodes[i];
        for (size_t k = 0; k < 3; k++)
            name_party(&parties[n], names[n], shapes[k], code[i]), n++;
        if (i == CITY_NODE)
            name_party(&parties[n], names[n], "issuer:440300%.0s", code[i]), n++;
    }
    name_party(&parties[n], names[n], "regulator:mof%.0s", none), n++;
    for (size_t i = 0; i < n; i++) { /* inserted in ascending order of names */
        size_t at = i;
        parties[i].key = (ProtobufCBinaryData){32, key};
        for (; at > 0 && strcmp(party_list[at - 1]->name, parties[i].name) > 0; at--)
            party_list[at] = party_list[at - 1];
        party_list[at] = &parties[i];
    }
    g.network_id = (ProtobufCBinaryData){32, id};
    g.self = code[self];
    g.nodes = node_list;
    g.n_nodes = w->node_count;
    g.parties = party_list;
    g.n_parties = n;
    g.netting_method = method;
    g.round_timeout_ms = 1000;
    g.loss_rule = charter->loss_rule;
    g.review_ms = charter->review_ms;
    g.prefunded = charter->prefunded;
    size_t size = sanquan__v1__genesis__get_packed_size(&g);
    uint8_t *body = malloc(size);
    sanquan__v1__genesis__pack(&g, body);
    step(w, self, &(struct sq_event){w->now_ms, SANQUAN__V1__MESSAGE_TYPE__GENESIS, NULL, sq_bytes_of(body, size)});
    free(body);
}

#define SIGNED 0x5a /* what a signature is made of here; anything else is none */

static int is_signed(const struct sq_envelope *e, const uint8_t network_id[static 32], const uint8_t key[static 32])
{
    (void)network_id;
    (void)key;
    return e->signature.data[0] == SIGNED;
}

struct world *world_new(uint32_t node_count, enum sq_netting_method method)
{
    return world_new_with(node_count, method, &(struct world_charter){0});
}

struct world *world_new_with(uint32_t node_count, enum sq_netting_method method, const struct world_charter *charter)
{
    struct world *w = calloc(1, sizeof *w);
    struct sq_error err = {0};
    w->node_count = node_count;
    w->watch = charter->watch;
    w->ctx = charter->ctx;
    w->now_ms = 1790000000000u; /* 2026-09-21 */
    if (sq_arena_init(&w->arena, SQ_STEP_ARENA_SIZE, &err) != SQ_OK)
        die("arena", &err);
    for (uint32_t i = 0; i < node_count; i++) {
        if (sq_core_new(&w->core[i], &err) != SQ_OK)
            die("core", &err);
        sq_core_set_signature_check(w->core[i], is_signed);
        say_genesis(w, i, method, charter);
    }
    return w;
}

void world_free(struct world *w)
{
    for (uint32_t a = 0; a < w->node_count; a++) {
        for (uint32_t b = 0; b < w->node_count; b++)
            while (w->first[a][b] != NULL) {
                struct world_message *m = w->first[a][b];
                w->first[a][b] = m->next;
                free(m->body);
                free(m);
            }
        sq_core_free(w->core[a]);
    }
    sq_arena_free(&w->arena);
    free(w);
}

uint8_t *world_envelope(const char *sender, const char *receiver, uint64_t id, uint32_t type, sq_bytes body, int good,
                        size_t *size_out)
{
    Sanquan__V1__Header h;
    Sanquan__V1__Envelope e;
    char names[2][SQ_NAME_SIZE_MAX + 1];
    uint8_t header[256], signature[64], *body_copy = malloc(body.size + 1);
    memcpy(body_copy, body.data, body.size);
    memset(signature, good ? SIGNED : SIGNED + 1, sizeof signature);
    sanquan__v1__header__init(&h);
    sanquan__v1__envelope__init(&e);
    snprintf(names[0], sizeof names[0], "%s", sender);
    snprintf(names[1], sizeof names[1], "%s", receiver);
    h.version = h.algorithm = 1;
    h.type = type;
    h.sender = names[0];
    h.receiver = names[1];
    h.id = id;
    h.network = 7;
    e.header = (ProtobufCBinaryData){sanquan__v1__header__pack(&h, header), header};
    e.body = (ProtobufCBinaryData){body.size, body_copy};
    e.signature = (ProtobufCBinaryData){sizeof signature, signature};
    *size_out = sanquan__v1__envelope__get_packed_size(&e);
    uint8_t *whole = malloc(*size_out);
    sanquan__v1__envelope__pack(&e, whole);
    free(body_copy);
    return whole;
}

static unsigned say(struct world *w, uint32_t node, const char *party, uint64_t id, uint32_t type, sq_bytes body)
{
    struct sq_envelope e;
    struct sq_error err = {0};
    char receiver[32];
    size_t size;
    snprintf(receiver, sizeof receiver, "node:%s", codes[node]);
    uint8_t *whole = world_envelope(party, receiver, id, type, body, 1, &size);
    if (sq_envelope_open(sq_bytes_of(whole, size), &e, &err) != SQ_OK)
        die("envelope", &err);
    unsigned status = step(w, node, &(struct sq_event){w->now_ms, type, &e, e.body});
    free(whole);
    return status;
}

unsigned world_say_as(struct world *w, uint32_t node, const char *party, uint64_t id, uint32_t type,
                      const ProtobufCMessage *body)
{
    size_t size = protobuf_c_message_get_packed_size(body);
    uint8_t *bytes = malloc(size + 1);
    unsigned status = 0;
    protobuf_c_message_pack(body, bytes);
    if (w->hold != NULL)
        w->hold(w->ctx, node, party, id, type, sq_bytes_of(bytes, size));
    else
        status = say(w, node, party, id, type, sq_bytes_of(bytes, size));
    free(bytes);
    return status;
}

unsigned world_say(struct world *w, uint32_t node, const char *party, uint32_t type, const ProtobufCMessage *body)
{
    uint32_t number = sq_core_party_find(w->core[node], party);
    if (number == SQ_ROW_NONE) {
        fprintf(stderr, "world: %s is not enrolled at %s\n", party, codes[node]);
        abort();
    }
    return world_say_as(w, node, party, sq_core_party(w->core[node], number)->last_id + 1, type, body);
}

int world_deliver(struct world *w, uint32_t from, uint32_t to)
{
    struct world_message *m = w->first[from][to];
    char name[32];
    if (m == NULL)
        return 0;
    snprintf(name, sizeof name, "node:%s", codes[from]);
    say(w, to, name, m->id, m->type, sq_bytes_of(m->body, m->size));
    if (sq_core_party(w->core[to], sq_core_party_find(w->core[to], name))->last_id < m->id)
        return 0; /* not taken: it comes again */
    w->first[from][to] = m->next;
    if (m->next == NULL)
        w->last[from][to] = NULL;
    w->delivered++;
    free(m->body);
    free(m);
    return 1;
}

static int is_down(const struct world *w, uint32_t node)
{
    return w->down >> node & 1;
}

static int fire_timers(struct world *w)
{
    int fired = 0;
    for (uint32_t i = 0; i < w->node_count; i++) {
        if (is_down(w, i))
            continue;
        sq_bytes tick;
        uint64_t at;
        sq_arena_reset(&w->arena);
        if (!sq_core_due(w->core[i], w->now_ms, &w->arena, &tick, &at))
            continue;
        uint8_t body[64];
        memcpy(body, tick.data, tick.size);
        step(w, i, &(struct sq_event){w->now_ms, SANQUAN__V1__MESSAGE_TYPE__TICK, NULL, sq_bytes_of(body, tick.size)});
        fired = 1;
    }
    return fired;
}

void world_run(struct world *w)
{
    int busy;
    do {
        busy = fire_timers(w);
        for (uint32_t a = 0; a < w->node_count; a++)
            for (uint32_t b = 0; b < w->node_count; b++)
                while (!is_down(w, a) && !is_down(w, b) && !(w->deaf[b] >> a & 1) && world_deliver(w, a, b))
                    busy = 1;
    } while (busy);
}

/* ---- the usual set-up ---- */

static uint32_t first_operator(const struct world *w, uint32_t node, char *name, size_t size)
{
    snprintf(name, size, "operator:%s/li", codes[node]);
    return sq_core_party_find(w->core[node], name);
}

unsigned world_enrol(struct world *w, uint32_t node, const char *name)
{
    uint8_t key[32] = {3}, transport[32] = {4};
    char operator_name[48], copy[64], code[8];
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party p, *list[1] = {&p};
    sanquan__v1__enrol__init(&m);
    sanquan__v1__party__init(&p);
    snprintf(copy, sizeof copy, "%s", name);
    strcpy(code, codes[node]);
    memcpy(key + 1, name, strlen(name) < 31 ? strlen(name) : 31);
    memcpy(transport + 1, name, strlen(name) < 31 ? strlen(name) : 31);
    p.name = copy;
    p.node = code;
    p.key = (ProtobufCBinaryData){32, key};
    p.transport_key = (ProtobufCBinaryData){32, transport};
    m.n_parties = 1;
    m.parties = list;
    if (first_operator(w, node, operator_name, sizeof operator_name) == SQ_ROW_NONE)
        abort();
    return world_say(w, node, operator_name, SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base);
}

void world_programme_init(Sanquan__V1__Programme *p, uint32_t issuer, uint32_t number)
{
    static char title[] = "test programme";
    sanquan__v1__programme__init(p);
    p->issuer = issuer;
    p->number = number;
    p->version = 1;
    p->kind = 1;
    p->title = title;
    p->from_day = 20260101;
    p->until_day = 20261231;
    p->rate_bp = 3000;
    p->base_kind = 1;
    p->pool_fen = 100000000;
}

uint64_t world_voucher(struct world *w, uint32_t node, uint32_t issuer, uint32_t number, const char *holder,
                       int64_t face_fen)
{
    struct sq_programme_view p;
    uint64_t serial = 0;
    char name[32], code[32];
    for (uint32_t i = 0; i < sq_core_programme_count(w->core[node]); i++) {
        sq_core_programme(w->core[node], i, &p);
        if (p.issuer == issuer && p.number == number)
            serial = p.voucher_count + 1;
    }
    snprintf(name, sizeof name, "issuer:%06u", issuer);
    snprintf(code, sizeof code, "%s", holder);
    char *holders[1] = {code};
    uint32_t row = 0, until = 20261231;
    Sanquan__V1__Grant m;
    sanquan__v1__grant__init(&m);
    m.issuer = issuer;
    m.programme = number;
    m.first_serial = serial;
    m.n_face_fen = m.n_holder = m.n_until_day = m.n_holders = 1;
    m.face_fen = &face_fen;
    m.holder = &row;
    m.until_day = &until;
    m.holders = holders;
    unsigned status = world_say(w, node, name, SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base);
    return status == 0 ? ((uint64_t)issuer * 10000 + number) * 1000000000u + serial : 0;
}

unsigned world_mandate(struct world *w, uint32_t node, const char *holder, const char *provider, uint64_t voucher,
                       int64_t limit_fen)
{
    char name[48], code[32];
    uint64_t until = w->now_ms + 86400000u;
    Sanquan__V1__Mandate m;
    sanquan__v1__mandate__init(&m);
    snprintf(name, sizeof name, "holder:%s", holder);
    snprintf(code, sizeof code, "%s", provider);
    m.provider = code;
    m.n_voucher = m.n_limit_fen = m.n_until_ms = 1;
    m.voucher = &voucher;
    m.limit_fen = &limit_fen;
    m.until_ms = &until;
    return world_say(w, node, name, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base);
}

unsigned world_batch(struct world *w, uint32_t node, const char *provider, const struct world_row *rows, size_t count)
{
    char name[48];
    uint64_t *voucher = calloc(count, 8), *reservation = calloc(count, 8);
    int64_t *amount = calloc(count, 8), *base = calloc(count, 8), *total = calloc(count, 8);
    uint32_t *service = calloc(count, 4), *day = calloc(count, 4), *bundle = calloc(count, 4);
    uint8_t *invoice = calloc(count, SQ_INVOICE_CELL), *verb = calloc(count, 1);
    Sanquan__V1__Batch m;
    sanquan__v1__batch__init(&m);
    for (size_t i = 0; i < count; i++) {
        voucher[i] = rows[i].voucher;
        amount[i] = rows[i].amount_fen;
        base[i] = rows[i].base_fen;
        total[i] = rows[i].total_fen;
        service[i] = rows[i].service;
        day[i] = rows[i].service_day;
        verb[i] = rows[i].verb != 0 ? rows[i].verb : (uint8_t)SANQUAN__V1__VERB__REDEEM;
        reservation[i] = rows[i].reservation;
        bundle[i] = rows[i].bundle;
        m.n_bundle = bundle[i] != 0 ? count : m.n_bundle;
        for (int k = 0; rows[i].invoice != NULL && k < 20; k++)
            invoice[i * SQ_INVOICE_CELL + (size_t)k / 2] |=
                (uint8_t)((rows[i].invoice[k] - '0') << (k % 2 == 0 ? 4 : 0));
    }
    m.voucher = voucher;
    m.amount_fen = amount;
    m.base_fen = base;
    m.invoice = (ProtobufCBinaryData){count * SQ_INVOICE_CELL, invoice};
    m.invoice_total_fen = total;
    m.service = service;
    m.service_day = day;
    m.verb = (ProtobufCBinaryData){count, verb};
    m.reservation = reservation;
    m.bundle = bundle;
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day =
        m.n_reservation = count;
    m.reserve_until_ms = w->now_ms + 3600000u;
    snprintf(name, sizeof name, "provider:%s", provider);
    unsigned status = world_say(w, node, name, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base);
    free(voucher);
    free(reservation);
    free(amount);
    free(base);
    free(total);
    free(service);
    free(day);
    free(bundle);
    free(invoice);
    free(verb);
    return status;
}
