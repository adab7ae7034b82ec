/*
 * What a command line never sends, sent to a node on purpose: a captured batch again, other bytes under its id, forged and misdirected
 * messages, rows that no honest program makes; and what issuers and operators say about organisations before such rows are refused.
 *
 *     demo-hostile DIRECTORY NODE ENDPOINT PROVIDER.key OPERATOR.key ISSUER.key GOOD SANCTIONED RELATED
 *
 * The last three are vouchers: any good one of the provider's, one whose holder is to be sanctioned, one under a rule against related
 * parties. Prints what must be refused as JSON; exit 1 when the node answers otherwise.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clearing/base/arena.h"
#include "clearing/base/day.h"
#include "clearing/core/core.h"
#include "peers/client.h"
#include "peers/directory.h"
#include "peers/hub.h"
#include "peers/message.h"

#define PATIENCE_S 20

struct world {
    struct sq_directory *directory;
    const Sanquan__V1__Node *node;
    const char *code, *endpoint;
    struct sq_keys *provider, *operator_keys, *issuer;
    struct sq_hub *hub; /* its connection to the node is the provider's */
    struct sq_arena arena;
    uint64_t next; /* id */
    unsigned wrong;
    json_t *messages, *rejected, *items;
};

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

static _Noreturn void die(const char *what, const struct sq_error *err)
{
    fprintf(stderr, "demo-hostile: %s: %s\n", what, err != NULL ? err->text : "");
    exit(2);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- sending and hearing ---- */

static sq_bytes pack(struct world *w, const ProtobufCMessage *m)
{
    struct sq_wire_memory memory = {take, &w->arena};
    sq_bytes out;
    struct sq_error err = {0};
    if (sq_wire_pack(m, &memory, &out, &err) != SQ_OK)
        die("pack", &err);
    return out;
}

static sq_bytes seal(struct world *w, struct sq_header h, sq_bytes body, const uint8_t *network,
                     const struct sq_keys *keys)
{
    struct sq_wire_memory memory = {take, &w->arena};
    sq_bytes out;
    struct sq_error err = {0};
    if (sq_message_seal(&h, body, network, keys->secret, &memory, &out, &err) != SQ_OK)
        die("seal", &err);
    return out;
}

/* The node's next word: its body, and the type in *type. */
static const ProtobufCMessage *exchange(struct world *w, sq_bytes envelope, uint32_t *type)
{
    struct sq_wire_memory memory = {take, &w->arena};
    struct sq_arrival a;
    struct sq_envelope e;
    ProtobufCMessage *m;
    struct sq_error err = {0};
    time_t end = time(NULL) + PATIENCE_S;
    while (sq_hub_send(w->hub, 0, envelope, &err) != SQ_OK)
        if (time(NULL) > end || sq_hub_receive(w->hub, 5, -1, &a, &err) != SQ_OK)
            die("not connected", &err);
    while (time(NULL) <= end) {
        if (sq_hub_receive(w->hub, 1000, -1, &a, &err) != SQ_OK)
            die("receive", &err);
        if (a.bytes.size == 0)
            continue;
        const uint8_t *copy = sq_arena_copy(&w->arena, a.bytes.data, a.bytes.size);
        if (copy == NULL || sq_envelope_open(sq_bytes_of(copy, a.bytes.size), &e, &err) != SQ_OK ||
            sq_wire_open(sq_wire_type(e.type), e.body, &memory, &m, &err) != SQ_OK)
            die("the node's answer", &err);
        *type = e.type;
        return m;
    }
    die("no answer", NULL);
}

static const Sanquan__V1__Answer *answer_of(struct world *w, const ProtobufCMessage *m)
{
    struct sq_wire_memory memory = {take, &w->arena};
    const Sanquan__V1__Receipt *r = (const Sanquan__V1__Receipt *)m;
    ProtobufCMessage *a;
    if (sq_wire_open(&sanquan__v1__answer__descriptor, sq_bytes_of(r->answer.data, r->answer.len), &memory, &a, NULL) !=
        SQ_OK)
        die("answer", NULL);
    return (const Sanquan__V1__Answer *)a;
}

static void count(json_t *to, unsigned status)
{
    const char *name = sq_status_name(status);
    json_object_set_new(to, name, json_integer(json_integer_value(json_object_get(to, name)) + 1));
}

/* The node must refuse this message: by a Refusal that it writes down as rejected (into `to`), or only says (to NULL). */
static void must_refuse(struct world *w, sq_bytes envelope, unsigned status, json_t *to)
{
    uint32_t type;
    const ProtobufCMessage *m = exchange(w, envelope, &type);
    unsigned got = type == SANQUAN__V1__MESSAGE_TYPE__REFUSAL ? ((const Sanquan__V1__Refusal *)m)->status : 0;
    if (got != status) {
        fprintf(stderr, "demo-hostile: %s came, %s was due\n", sq_status_name(got), sq_status_name(status));
        w->wrong++;
    } else if (to != NULL) {
        count(to, status);
    }
}

static struct sq_header header(const struct world *w, uint32_t type, uint64_t id)
{
    static char receiver[32];
    snprintf(receiver, sizeof receiver, "node:%s", w->code);
    return (struct sq_header){type, w->provider->name, receiver, id, now_ms()};
}

static sq_bytes letter(struct world *w, uint32_t type, uint64_t id, sq_bytes body)
{
    return seal(w, header(w, type, id), body, sq_directory_network_id(w->directory), w->provider);
}

/* A journalled answer to the provider's next message. */
static const Sanquan__V1__Answer *say(struct world *w, uint32_t type, sq_bytes body, sq_bytes *envelope)
{
    uint32_t heard;
    *envelope = letter(w, type, w->next++, body);
    const ProtobufCMessage *m = exchange(w, *envelope, &heard);
    if (heard != SANQUAN__V1__MESSAGE_TYPE__RECEIPT)
        die("a refusal came where a receipt was due", NULL);
    return answer_of(w, m);
}

static void must_answer(struct world *w, uint32_t type, const ProtobufCMessage *body, unsigned status)
{
    sq_bytes ignored;
    const Sanquan__V1__Answer *a = say(w, type, pack(w, body), &ignored);
    if (a->status != status) {
        fprintf(stderr, "demo-hostile: %s came, %s was due\n", sq_status_name(a->status), sq_status_name(status));
        w->wrong++;
    } else {
        count(w->messages, status);
    }
}

/* ---- rows ---- */

#define ROWS_MAX 8
struct rows {
    Sanquan__V1__Batch m;
    uint64_t voucher[ROWS_MAX];
    int64_t amount[ROWS_MAX], base[ROWS_MAX];
    uint32_t service[ROWS_MAX], day[ROWS_MAX];
    uint8_t invoice[ROWS_MAX * 10], verb[ROWS_MAX];
};

static void begin_rows(struct rows *r)
{
    memset(r, 0, sizeof *r);
    sanquan__v1__batch__init(&r->m);
    r->m.voucher = r->voucher;
    r->m.amount_fen = r->amount;
    r->m.base_fen = r->m.invoice_total_fen = r->base;
    r->m.service = r->service;
    r->m.service_day = r->day;
    r->m.invoice.data = r->invoice;
    r->m.verb.data = r->verb;
}

static void add_row(struct rows *r, const char *province, uint64_t voucher, int64_t amount, uint8_t verb, uint8_t last)
{
    size_t i = r->m.n_voucher;
    const uint8_t cell[10] = {
        0x26, (uint8_t)((province[0] - '0') << 4 | (province[1] - '0')), 0x29, 0x99, 0, 0, 0, 0, 0, last};
    r->voucher[i] = voucher;
    r->amount[i] = amount;
    r->base[i] = 10000;
    r->service[i] = 1;
    r->day[i] = sq_day_of_ms(now_ms());
    r->verb[i] = verb;
    memcpy(r->invoice + 10 * i, cell, sizeof cell);
    r->m.n_voucher = r->m.n_amount_fen = r->m.n_base_fen = r->m.n_invoice_total_fen = r->m.n_service =
        r->m.n_service_day = i + 1;
    r->m.invoice.len = 10 * (i + 1);
    r->m.verb.len = i + 1;
}

static void must_give(struct world *w, const Sanquan__V1__Answer *a, const unsigned *codes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned got = a->code.len == n ? a->code.data[i] : 0;
        if (a->status != SQ_OK || got != codes[i]) {
            fprintf(stderr, "demo-hostile: row %zu: %s came, %s was due\n", i,
                    sq_status_name(a->status != SQ_OK ? a->status : got), sq_status_name(codes[i]));
            w->wrong++;
        } else {
            count(w->items, codes[i]);
        }
    }
}

/* Rows that no honest program makes; then the same bytes again, and others under their id. */
static void bad_rows_and_replay(struct world *w, uint64_t good)
{
    static const unsigned codes[] = {SQ_R_AMOUNT, SQ_R_VERB, SQ_R_INVOICE_FORMAT};
    struct rows r;
    sq_bytes captured;
    uint32_t type;
    begin_rows(&r);
    add_row(&r, w->code, good, 0, SANQUAN__V1__VERB__REDEEM, 1);
    add_row(&r, w->code, good, 100, 9, 2);
    add_row(&r, w->code, good, 100, SANQUAN__V1__VERB__REDEEM, 0xaa);
    const Sanquan__V1__Answer *first = say(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, pack(w, &r.m.base), &captured);
    must_give(w, first, codes, 3);
    const ProtobufCMessage *m = exchange(w, captured, &type);
    const Sanquan__V1__Answer *again = type == SANQUAN__V1__MESSAGE_TYPE__RECEIPT ? answer_of(w, m) : NULL;
    if (again == NULL || again->seq != first->seq || again->code.len != first->code.len ||
        memcmp(again->code.data, first->code.data, first->code.len) != 0) {
        fprintf(stderr, "demo-hostile: a batch that came twice was not answered as the first time\n");
        w->wrong++;
    }
    r.amount[1] = 200;
    must_refuse(w, letter(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, w->next - 1, pack(w, &r.m.base)), SQ_R_ID_REUSED,
                w->rejected);
}

/* ---- whole messages ---- */

static void forged_messages(struct world *w)
{
    const uint8_t *network = sq_directory_network_id(w->directory), other[32] = {1};
    const uint8_t nonce[] = {9, 1, 0, 0, 0, 0, 0, 0, 0};
    sq_bytes body = sq_bytes_of(nonce, sizeof nonce);
    struct sq_header h = header(w, SANQUAN__V1__MESSAGE_TYPE__HELLO, w->next), stranger = h, borrowed = h, astray = h;
    stranger.sender = "provider:911100000000000000";
    borrowed.sender = w->operator_keys->name;
    astray.receiver = "node:999999";
    sq_bytes good = seal(w, h, body, network, w->provider);
    uint8_t *copy = sq_arena_copy(&w->arena, good.data, good.size);
    copy[good.size - 1] ^= 1;
    must_refuse(w, sq_bytes_of(copy, good.size), SQ_R_BAD_SIGNATURE, w->rejected);
    must_refuse(w, sq_bytes_of(copy, good.size - 1), SQ_R_MALFORMED, w->rejected);
    memcpy(copy, good.data, good.size);
    copy[3] = 2; /* the version */
    must_refuse(w, sq_bytes_of(copy, good.size), SQ_R_UNKNOWN_TYPE, w->rejected);
    copy[3] = 1;
    copy[7] = 2; /* the algorithm */
    must_refuse(w, sq_bytes_of(copy, good.size), SQ_R_ALGORITHM, w->rejected);
    must_refuse(w, seal(w, stranger, body, network, w->provider), SQ_R_UNKNOWN_SENDER, w->rejected);
    must_refuse(w, seal(w, borrowed, body, network, w->operator_keys), SQ_R_WRONG_TRANSPORT, w->rejected);
    must_refuse(w, seal(w, astray, body, network, w->provider), SQ_R_WRONG_RECEIVER, w->rejected);
    must_refuse(w, seal(w, h, body, other, w->provider), SQ_R_WRONG_NETWORK, w->rejected);
    must_refuse(w, letter(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, w->next + 5, body), SQ_R_GAP, NULL);
}

static void refused_messages(struct world *w, uint64_t good)
{
    Sanquan__V1__WindowCut cut;
    struct rows r;
    sanquan__v1__window_cut__init(&cut);
    cut.window = 1;
    must_answer(w, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &cut.base, SQ_R_NOT_PERMITTED);
    begin_rows(&r);
    must_answer(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, &r.m.base, SQ_R_BATCH_SIZE);
    add_row(&r, w->code, good, 100, 1, 9);
    add_row(&r, w->code, good, 100, 1, 8);
    must_answer(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, &r.m.base, SQ_R_ORDER);
    r.m.n_service = 1;
    must_answer(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, &r.m.base, SQ_R_COLUMNS);
}

/* ---- what is said about organisations ---- */

static void tell(struct world *w, const struct sq_keys *keys, uint32_t type, const ProtobufCMessage *body)
{
    struct sq_client_options o = {w->endpoint,
                                  w->code,
                                  w->node->transport_key.data,
                                  w->node->node_key.data,
                                  sq_directory_network_id(w->directory),
                                  keys,
                                  1};
    struct sq_client *c;
    struct sq_client_answer a;
    struct sq_error err = {0};
    uint64_t id;
    if (sq_client_open(&o, &c, &err) != SQ_OK || sq_client_send(c, type, pack(w, body), &id, &err) != SQ_OK ||
        sq_client_answer(c, PATIENCE_S * 1000, &a, &err) != SQ_OK)
        die(keys->name, &err);
    if (a.status != SQ_OK)
        die(a.detail, NULL);
    sq_client_close(c);
}

static void sanction(struct world *w, char *org)
{
    Sanquan__V1__Sanction m;
    char reason[] = "illustrative";
    sanquan__v1__sanction__init(&m);
    m.org = org;
    m.cause = 3;
    m.effect = 2;
    m.from_day = 20200101;
    m.reason = reason;
    m.authority = w->issuer->name;
    tell(w, w->issuer, SANQUAN__V1__MESSAGE_TYPE__SANCTION, &m.base);
}

static void relate(struct world *w, char *one, char *other)
{
    Sanquan__V1__Edges m;
    int in_order = strcmp(one, other) < 0;
    char *orgs[2] = {in_order ? one : other, in_order ? other : one};
    uint32_t owner = 0, owned = 1, kind = 1, from = 20200101, until = 0;
    sanquan__v1__edges__init(&m);
    m.orgs = orgs;
    m.n_orgs = 2;
    m.owner = &owner;
    m.owned = &owned;
    m.kind = &kind;
    m.from_day = &from;
    m.until_day = &until;
    m.n_owner = m.n_owned = m.n_kind = m.n_from_day = m.n_until_day = 1;
    tell(w, w->issuer, SANQUAN__V1__MESSAGE_TYPE__EDGES, &m.base);
}

/* The holder of a voucher, as the issuer's node tells its issuer. */
static void holder_of(struct world *w, const char *voucher, char out[static 19])
{
    struct sq_client_options o = {w->endpoint,
                                  w->code,
                                  w->node->transport_key.data,
                                  w->node->node_key.data,
                                  sq_directory_network_id(w->directory),
                                  w->issuer,
                                  1};
    struct sq_client *c;
    struct sq_error err = {0};
    const char *text;
    char path[48];
    snprintf(path, sizeof path, "voucher/%s", voucher);
    if (sq_client_open(&o, &c, &err) != SQ_OK || sq_client_query(c, path, PATIENCE_S * 1000, &text, &err) != SQ_OK)
        die(path, &err);
    json_t *answer = json_loads(text, 0, NULL);
    const char *name = json_string_value(json_object_get(answer, "holder"));
    snprintf(out, 19, "%s", name != NULL ? strchr(name, ':') + 1 : "");
    json_decref(answer);
    sq_client_close(c);
}

static void known_organisations(struct world *w, const char *sanctioned, const char *related)
{
    static const unsigned holder_codes[] = {SQ_R_HOLDER_SANCTIONED, SQ_R_RELATED_PARTY},
                          provider_codes[] = {SQ_R_PROVIDER_SANCTIONED};
    char bad[19], kin[19], self[19];
    struct rows r;
    sq_bytes ignored;
    snprintf(self, sizeof self, "%s", strchr(w->provider->name, ':') + 1);
    holder_of(w, sanctioned, bad);
    holder_of(w, related, kin);
    sanction(w, bad);
    relate(w, self, kin);
    begin_rows(&r);
    add_row(&r, w->code, strtoull(sanctioned, NULL, 10), 100, 1, 0x11);
    add_row(&r, w->code, strtoull(related, NULL, 10), 100, 1, 0x12);
    must_give(w, say(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, pack(w, &r.m.base), &ignored), holder_codes, 2);
    sanction(w, self); /* last: from here on it redeems nothing */
    begin_rows(&r);
    add_row(&r, w->code, strtoull(related, NULL, 10), 100, 1, 0x13);
    must_give(w, say(w, SANQUAN__V1__MESSAGE_TYPE__BATCH, pack(w, &r.m.base), &ignored), provider_codes, 1);
}

/* ---- the run ---- */

static struct sq_keys *read_keys(const char *path)
{
    struct sq_keys *keys;
    struct sq_error err = {0};
    if (sq_keys_read(path, NULL, NULL, &keys, &err) != SQ_OK)
        die(path, &err);
    return keys;
}

static void open_world(struct world *w, char **argv)
{
    struct sq_error err = {0};
    uint64_t last;
    if (sq_crypto_init(&err) != SQ_OK || sq_directory_read(argv[1], &w->directory, &err) != SQ_OK ||
        sq_arena_init(&w->arena, 32u << 20, &err) != SQ_OK)
        die("start", &err);
    w->code = argv[2];
    w->endpoint = argv[3];
    w->provider = read_keys(argv[4]);
    w->operator_keys = read_keys(argv[5]);
    w->issuer = read_keys(argv[6]);
    const Sanquan__V1__Genesis *g = sq_directory_members(w->directory);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i]->code, w->code) == 0)
            w->node = g->nodes[i];
    if (w->node == NULL)
        die(w->code, NULL);
    struct sq_client_options c = {w->endpoint,
                                  w->code,
                                  w->node->transport_key.data,
                                  w->node->node_key.data,
                                  sq_directory_network_id(w->directory),
                                  w->provider,
                                  1};
    struct sq_client *client;
    if (sq_client_open(&c, &client, &err) != SQ_OK || sq_client_hello(client, PATIENCE_S * 1000, &last, &err) != SQ_OK)
        die("hello", &err);
    sq_client_close(client);
    w->next = last + 1;
    struct sq_hub_peer peer = {.node = 0, .endpoint = w->endpoint};
    memcpy(peer.transport_key, w->node->transport_key.data, SQ_KEY_SIZE);
    struct sq_hub_options o = {.bind = "tcp://127.0.0.1:*",
                               .transport_public = w->provider->transport_public,
                               .transport_secret = w->provider->transport_secret,
                               .peers = &peer,
                               .peer_count = 1};
    if (sq_hub_open(&o, &w->hub, &err) != SQ_OK)
        die("connect", &err);
    w->messages = json_object();
    w->rejected = json_object();
    w->items = json_object();
}

int main(int argc, char **argv)
{
    struct world w = {0};
    if (argc != 10) {
        fprintf(stderr, "usage: demo-hostile DIRECTORY NODE ENDPOINT PROVIDER.key OPERATOR.key ISSUER.key GOOD "
                        "SANCTIONED RELATED\n");
        return 2;
    }
    open_world(&w, argv);
    uint64_t good = strtoull(argv[7], NULL, 10);
    bad_rows_and_replay(&w, good);
    forged_messages(&w);
    refused_messages(&w, good);
    known_organisations(&w, argv[8], argv[9]);
    json_t *found = json_pack("{s:o, s:o, s:o}", "items", w.items, "messages", w.messages, "rejected", w.rejected);
    json_dumpf(found, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(found);
    printf("\n");
    sq_hub_close(w.hub);
    sq_secret_free(w.provider);
    sq_secret_free(w.operator_keys);
    sq_secret_free(w.issuer);
    sq_directory_free(w.directory);
    sq_arena_free(&w.arena);
    return w.wrong == 0 ? 0 : 1;
}
