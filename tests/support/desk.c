#include "tests/support/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/base/day.h"
#include "peers/message.h"
#include "proto/sanquan.pb-c.h"

#define START_MS 1788220800000u /* 2026-09-01 08:00 in UTC+8 */
#define SERVICE  101u

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

static sq_status sign_checkpoint(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    return sq_ed25519_sign(message, ((const struct sq_keys *)ctx)->log_secret, signature, err);
}

/* ---- one entry ---- */

static sq_bytes seal(struct desk *d, const struct sq_keys *keys, const char *receiver, uint32_t type, uint64_t id,
                     sq_bytes body)
{
    struct sq_wire_memory memory = {take, &d->sealed};
    struct sq_header h = {type, keys->name, receiver, id, d->now_ms};
    struct sq_error err = {0};
    sq_bytes envelope;
    if (sq_message_seal(&h, body, sq_directory_network_id(d->rig->directory), keys->secret, &memory, &envelope, &err) !=
        SQ_OK)
        rig_die("seal", &err);
    return envelope;
}

static void post(struct desk *d, uint32_t from, uint32_t to, uint64_t number, sq_bytes envelope)
{
    struct desk_letter *l = calloc(1, sizeof *l);
    *l = (struct desk_letter){from, to, number, malloc(envelope.size), envelope.size, NULL};
    memcpy(l->bytes, envelope.data, envelope.size);
    *d->last = l;
    d->last = &l->next;
}

static void read_answer(struct desk *d, sq_bytes body)
{
    Sanquan__V1__Answer *a = sanquan__v1__answer__unpack(NULL, body.size, body.data);
    d->status = a->status;
    memset(d->code, 0, sizeof d->code);
    if (a->code.len != 0)
        memcpy(d->code, a->code.data, a->code.len);
    sanquan__v1__answer__free_unpacked(a, NULL);
}

static uint64_t request_of(sq_bytes body)
{
    Sanquan__V1__Answer *a = sanquan__v1__answer__unpack(NULL, body.size, body.data);
    uint64_t seq = a->seq;
    sanquan__v1__answer__free_unpacked(a, NULL);
    return seq;
}

/* Decide, and commit with all that comes of it. */
static void enter(struct desk *d, uint32_t node, struct sq_event *event, sq_bytes input)
{
    struct sq_error err = {0};
    struct sq_effects fx;
    struct sq_answer_put answers[64];
    struct sq_outbox_put outbox[64];
    sq_arena_reset(&d->step);
    if (sq_core_step(d->core[node], event, &d->step, &fx, &err) != SQ_OK)
        rig_die("step", &err);
    if (!fx.append)
        rig_die("a step that is not journalled", NULL);
    struct sq_entry entry = {.seq = fx.seq,
                             .now_ms = sq_core_now_ms(d->core[node]),
                             .type = event->type,
                             .input = input,
                             .outcome = fx.outcome};
    struct sq_commit c = {.entries = &entry, .entry_count = 1, .answers = answers, .outbox = outbox};
    for (size_t i = 0; i < fx.out_count; i++) {
        const struct sq_out *o = &fx.out[i];
        if (o->kind == SQ_OUT_ANSWER) {
            struct sq_answer_put *a = &answers[c.answer_count++];
            struct sq_entry request = entry;
            uint64_t seq = request_of(o->body);
            if (seq != fx.seq && sq_ledger_read(d->ledger[node], seq, &d->sealed, &request, &err) != SQ_OK)
                rig_die("request", &err);
            *a = (struct sq_answer_put){.party = o->to, .id = o->id, .seq = fx.seq, .body = o->body};
            if (sq_message_name_of(request.input, sq_directory_network_id(d->rig->directory), a->request, &err) !=
                SQ_OK)
                rig_die("request", &err);
            read_answer(d, o->body);
        } else if (o->kind == SQ_OUT_PEER) {
            const char *to = sq_core_party(d->core[node], sq_core_node(d->core[node], o->to)->party)->name;
            outbox[c.outbox_count] =
                (struct sq_outbox_put){o->to, o->id, seal(d, d->rig->node[node].keys, to, o->type, o->id, o->body)};
            post(d, node, o->to, o->id, outbox[c.outbox_count++].envelope);
        }
    }
    struct sq_signer own = {.ctx = d->rig->node[node].keys, .sign = sign_checkpoint};
    memcpy(own.public_key, d->rig->node[node].keys->log_public, SQ_KEY_SIZE);
    if (d->tamper != NULL)
        d->tamper(d, node, &c);
    if (sq_ledger_commit(d->ledger[node], &c, d->signer != NULL ? d->signer : &own, &err) != SQ_OK)
        rig_die("commit", &err);
    d->seq = fx.seq;
    d->now_ms++;
}

static void enter_message(struct desk *d, uint32_t node, sq_bytes envelope)
{
    struct sq_envelope e;
    struct sq_error err = {0};
    if (sq_envelope_open(envelope, &e, &err) != SQ_OK)
        rig_die("envelope", &err);
    enter(d, node, &(struct sq_event){d->now_ms, e.type, &e, e.body}, envelope);
}

unsigned desk_say(struct desk *d, uint32_t node, const struct sq_keys *keys, uint32_t type,
                  const ProtobufCMessage *body)
{
    uint32_t party = sq_core_party_find(d->core[node], keys->name);
    if (party == SQ_ROW_NONE)
        rig_die(keys->name, NULL);
    sq_bytes bytes = rig_pack(body);
    char receiver[32];
    snprintf(receiver, sizeof receiver, "node:%s", d->rig->node[node].code);
    sq_arena_reset(&d->sealed);
    d->status = 9999;
    enter_message(d, node, seal(d, keys, receiver, type, sq_core_party(d->core[node], party)->last_id + 1, bytes));
    union {
        const uint8_t *in;
        uint8_t *out;
    } ours = {bytes.data};
    free(ours.out);
    return d->status;
}

void desk_run(struct desk *d)
{
    struct sq_error err = {0};
    for (struct desk_letter *l; (l = d->first) != NULL;) {
        if ((d->first = l->next) == NULL)
            d->last = &d->first;
        sq_arena_reset(&d->sealed);
        enter_message(d, l->to, sq_bytes_of(l->bytes, l->size));
        struct sq_outbox_ack ack = {l->to, l->number};
        struct sq_commit c = {.acks = &ack, .ack_count = 1};
        if (!d->keep_unacknowledged && sq_ledger_commit(d->ledger[l->from], &c, NULL, &err) != SQ_OK)
            rig_die("acknowledge", &err);
        free(l->bytes);
        free(l);
    }
}

unsigned desk_time(struct desk *d, uint32_t node)
{
    unsigned ticks = 0;
    uint64_t next_ms;
    sq_bytes body;
    for (;; ticks++) {
        sq_arena_reset(&d->sealed);
        if (!sq_core_due(d->core[node], d->now_ms, &d->sealed, &body, &next_ms))
            return ticks;
        enter(d, node, &(struct sq_event){d->now_ms, SANQUAN__V1__MESSAGE_TYPE__TICK, NULL, body}, body);
    }
}

/* ---- from nothing to a ledger, and away ---- */

static void open_node(struct desk *d, uint32_t node)
{
    struct rig_node *n = &d->rig->node[node];
    struct sq_ledger_options o = {
        .path = n->ledger, .network_id = sq_directory_network_id(d->rig->directory), .map_size = DESK_MAP_SIZE};
    struct sq_error err = {0};
    const Sanquan__V1__Genesis *g;
    if (sq_ledger_open(&o, &d->ledger[node], &err) != SQ_OK || sq_core_new(&d->core[node], &err) != SQ_OK ||
        sq_directory_genesis(d->rig->directory, n->code, &g, &err) != SQ_OK)
        rig_die(n->ledger, &err);
    sq_core_set_key_check(d->core[node], sq_ed25519_key_ok);
    sq_core_set_signature_check(d->core[node], sq_message_signed_by);
    sq_bytes body = rig_pack(&g->base);
    enter(d, node, &(struct sq_event){d->now_ms, SANQUAN__V1__MESSAGE_TYPE__GENESIS, NULL, body}, body);
    union {
        const uint8_t *in;
        uint8_t *out;
    } ours = {body.data};
    free(ours.out);
}

struct desk *desk_new(const char *dir, unsigned node_count)
{
    struct desk *d = calloc(1, sizeof *d);
    struct sq_error err = {0};
    d->rig = rig_new(dir, "", node_count, NULL);
    d->now_ms = START_MS;
    d->last = &d->first;
    if (sq_arena_init(&d->step, SQ_STEP_ARENA_SIZE, &err) != SQ_OK ||
        sq_arena_init(&d->sealed, 8u << 20, &err) != SQ_OK)
        rig_die("memory", &err);
    for (uint32_t i = 0; i < node_count; i++)
        open_node(d, i);
    return d;
}

struct desk *desk_new_in(char dir[static 64], const char *name, unsigned node_count)
{
    snprintf(dir, 64, "%s/sanquan-%.30s-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", name);
    if (mkdtemp(dir) == NULL)
        rig_die(dir, NULL);
    return desk_new(dir, node_count);
}

void desk_clear(const char *dir)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        rig_die(dir, NULL);
}

void desk_close(struct desk *d)
{
    for (uint32_t i = 0; i < d->rig->node_count; i++) {
        sq_ledger_close(d->ledger[i]);
        d->ledger[i] = NULL;
    }
}

void desk_free(struct desk *d)
{
    desk_close(d);
    for (uint32_t i = 0; i < d->rig->node_count; i++)
        sq_core_free(d->core[i]);
    for (struct desk_letter *l; (l = d->first) != NULL;) {
        d->first = l->next;
        free(l->bytes);
        free(l);
    }
    sq_arena_free(&d->step);
    sq_arena_free(&d->sealed);
    rig_free(d->rig);
    free(d);
}

/* ---- the usual world ---- */

void desk_enrol(struct desk *d, uint32_t node, struct sq_keys *keys)
{
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party p, *list[1] = {&p};
    sanquan__v1__enrol__init(&m);
    sanquan__v1__party__init(&p);
    p.name = keys->name;
    p.node = d->rig->node[node].code;
    p.key = (ProtobufCBinaryData){SQ_KEY_SIZE, keys->public_key};
    p.transport_key = (ProtobufCBinaryData){SQ_KEY_SIZE, keys->transport_public};
    m.parties = list;
    m.n_parties = 1;
    if (desk_say(d, node, d->rig->node[node].maker, SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base) != SQ_OK)
        rig_die("enrol", NULL);
}

static uint32_t issuer_code(const struct desk *d, uint32_t node)
{
    return (uint32_t)strtoul(d->rig->node[node].code, NULL, 10);
}

/* Number 1 is compute, 2 model, 3 corpus. */
static void publish(struct desk *d, uint32_t node, uint32_t number)
{
    Sanquan__V1__Programme p;
    char title[] = "illustrative";
    sanquan__v1__programme__init(&p);
    p.issuer = issuer_code(d, node);
    p.number = p.kind = number;
    p.version = 1;
    p.title = title;
    p.from_day = 20260101;
    p.until_day = 20271231;
    p.rate_bp = 3000;
    p.base_kind = 1;
    p.pool_fen = 100000000000;
    p.cap_claim_fen = 50000000;
    if (desk_say(d, node, d->rig->node[node].issuer, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base) != SQ_OK)
        rig_die("programme", NULL);
    desk_run(d);
}

static void grant(struct desk *d, struct desk_people *p, uint32_t kind, uint64_t serial)
{
    Sanquan__V1__Grant m;
    char code[19], *holders[1] = {code};
    int64_t face = 100000000;
    uint32_t row = 0, until = 20271231;
    snprintf(code, sizeof code, "%s", strchr(p->holder->name, ':') + 1);
    sanquan__v1__grant__init(&m);
    m.issuer = issuer_code(d, p->issuer);
    m.programme = kind;
    m.first_serial = serial;
    m.n_face_fen = m.n_holder = m.n_until_day = m.n_holders = 1;
    m.face_fen = &face;
    m.holder = &row;
    m.until_day = &until;
    m.holders = holders;
    if (desk_say(d, p->issuer, d->rig->node[p->issuer].issuer, SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base) != SQ_OK)
        rig_die("grant", NULL);
    p->voucher = (m.issuer * 10000ull + kind) * 1000000000ull + serial;
}

static void allow(struct desk *d, struct desk_people *p)
{
    Sanquan__V1__Mandate m;
    char code[19];
    int64_t limit = 90000000;
    uint64_t until = START_MS + 86400000ull * 365;
    snprintf(code, sizeof code, "%s", strchr(p->provider->name, ':') + 1);
    sanquan__v1__mandate__init(&m);
    m.provider = code;
    m.n_voucher = m.n_limit_fen = m.n_until_ms = 1;
    m.voucher = &p->voucher;
    m.limit_fen = &limit;
    m.until_ms = &until;
    if (desk_say(d, p->issuer, p->holder, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base) != SQ_OK)
        rig_die("mandate", NULL);
}

void desk_people(struct desk *d, uint32_t home, uint32_t issuer, unsigned n, struct desk_people *out)
{
    char code[19];
    uint32_t kind = n % 3 + 1;
    uint64_t serial = 1;
    *out = (struct desk_people){.home = home, .issuer = issuer};
    rig_uscc(issuer_code(d, home) / 10000, 1000 + n, code);
    out->provider = rig_keys("provider", code);
    rig_uscc(issuer_code(d, issuer) / 10000, 2000 + n, code);
    out->holder = rig_keys("holder", code);
    desk_enrol(d, home, out->provider);
    desk_enrol(d, issuer, out->holder);
    struct sq_programme_view v = {0};
    uint32_t known = sq_core_programme_count(d->core[issuer]), i = 0;
    for (; i < known; i++) {
        sq_core_programme(d->core[issuer], i, &v);
        if (v.issuer == issuer_code(d, issuer) && v.number == kind)
            break;
    }
    if (i == known)
        publish(d, issuer, kind);
    else
        serial = v.voucher_count + 1;
    grant(d, out, kind, serial);
    allow(d, out);
}

void desk_people_free(struct desk_people *p)
{
    sq_secret_free(p->provider);
    sq_secret_free(p->holder);
}

unsigned desk_redeem(struct desk *d, const struct desk_people *p, uint64_t first_invoice, const int64_t *amounts,
                     uint32_t rows)
{
    enum { MOST = 64 };
    uint64_t voucher[MOST];
    int64_t amount[MOST], base[MOST];
    uint32_t service[MOST], day[MOST];
    uint8_t invoice[MOST * 10];
    Sanquan__V1__Batch m;
    SQ_ASSERT(rows <= MOST);
    for (uint32_t i = 0; i < rows; i++) {
        char text[24];
        voucher[i] = p->voucher;
        amount[i] = amounts[i];
        base[i] = (amounts[i] * 10 + 2) / 3;
        service[i] = SERVICE;
        day[i] = sq_day_of_ms(d->now_ms);
        snprintf(text, sizeof text, "26%.2s2%015" PRIu64, d->rig->node[p->home].code, first_invoice + i);
        for (int k = 0; k < 10; k++)
            invoice[i * 10 + (uint32_t)k] = (uint8_t)((text[2 * k] - '0') << 4 | (text[2 * k + 1] - '0'));
    }
    sanquan__v1__batch__init(&m);
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day = rows;
    m.voucher = voucher;
    m.amount_fen = amount;
    m.base_fen = m.invoice_total_fen = base;
    m.service = service;
    m.service_day = day;
    m.invoice = (ProtobufCBinaryData){rows * 10u, invoice};
    unsigned status = desk_say(d, p->home, p->provider, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base);
    if (status != 9999)
        return status;
    desk_run(d); /* it waits for its issuer */
    return d->status;
}

/* ---- settlement ---- */

static void confirm(struct desk *d, uint32_t node, uint64_t window, uint32_t role)
{
    struct sq_window_view w;
    Sanquan__V1__Confirm m;
    Sanquan__V1__Payment *own[64];
    const char *code = d->rig->node[node].code;
    if (sq_settlement_window(sq_core_settlement(d->core[node]), window, &w, NULL) != SQ_OK || w.value.size == 0)
        rig_die("window is not final", NULL);
    Sanquan__V1__Settlement *v = sanquan__v1__settlement__unpack(NULL, w.value.size, w.value.data);
    sanquan__v1__confirm__init(&m);
    m.window = window;
    m.role = role;
    m.payments = own;
    for (size_t i = 0; i < v->n_payments; i++)
        if (strcmp(v->payments[i]->payer, code) == 0 || strcmp(v->payments[i]->payee, code) == 0)
            own[m.n_payments++] = v->payments[i];
    if (desk_say(d, node, role == 1 ? d->rig->node[node].maker : d->rig->node[node].checker,
                 SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base) != SQ_OK)
        rig_die("confirm", NULL);
    sanquan__v1__settlement__free_unpacked(v, NULL);
}

void desk_settle(struct desk *d, int confirm_too)
{
    Sanquan__V1__WindowCut m;
    sanquan__v1__window_cut__init(&m);
    m.window = sq_settlement_open_window(sq_core_settlement(d->core[0]));
    if (desk_say(d, 0, d->rig->node[0].maker, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base) != SQ_OK)
        rig_die("cut", NULL);
    desk_run(d);
    for (uint32_t node = 0; confirm_too && node < d->rig->node_count; node++) {
        confirm(d, node, m.window, 1);
        confirm(d, node, m.window, 2);
    }
}
