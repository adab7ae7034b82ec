#include "tests/support/scripted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/arena.h"
#include "clearing/base/hash.h"
#include "peers/message.h"

/* ---- answers ---- */

struct reply {
    struct scripted_node *n;
    const struct sq_arrival *to;
    struct sq_arena *arena;
};

static void *take(void *arena, size_t size)
{
    return sq_arena_take(arena, size);
}

static void send_as(struct reply *r, enum scripted how, uint32_t type, const ProtobufCMessage *m)
{
    struct scripted_node *n = r->n;
    struct sq_wire_memory memory = {take, r->arena};
    struct sq_header h = {type, how == SCRIPT_OTHER_SENDER ? "node:370000" : n->keys->name,
                          how == SCRIPT_OTHER_RECEIVER ? "provider:somebody" : r->to->from, 0, 1};
    uint8_t network[32];
    sq_bytes body, envelope;
    memcpy(network, n->network, sizeof network);
    network[31] ^= how == SCRIPT_OTHER_NETWORK;
    if (sq_wire_pack(m, &memory, &body, NULL) != SQ_OK ||
        sq_message_seal(&h, body, network, how == SCRIPT_OTHER_KEY ? n->stranger->secret : n->keys->secret, &memory,
                        &envelope, NULL) != SQ_OK)
        abort();
    if (how == SCRIPT_NOISE)
        envelope = sq_bytes_of("noise", 5);
    (void)!sq_hub_reply(n->hub, &r->to->route, envelope, NULL); /* a client that is gone does not matter */
}

static void receipt(struct reply *r, enum scripted how, uint64_t id, const uint8_t request[32])
{
    struct sq_wire_memory memory = {take, r->arena};
    Sanquan__V1__Answer a;
    Sanquan__V1__Receipt m;
    uint8_t hash[32], leaf[56] = {0};
    sq_bytes answer;
    sanquan__v1__answer__init(&a);
    sanquan__v1__receipt__init(&m);
    memcpy(hash, request, 32);
    hash[0] ^= how == SCRIPT_OTHER_REQUEST;
    a.id = how == SCRIPT_OTHER_ID ? id + 1000 : id;
    a.status =
        how == SCRIPT_GOOD || how == SCRIPT_OTHER_REQUEST ? 0 : SQ_R_NOT_PERMITTED; /* what a forger would want */
    a.count = 1;
    if (sq_wire_pack(&a.base, &memory, &answer, NULL) != SQ_OK)
        abort();
    m.answer.data = sq_arena_copy(r->arena, answer.data, answer.size);
    m.answer.len = answer.size;
    m.leaf = (ProtobufCBinaryData){sizeof leaf, leaf};
    m.request = (ProtobufCBinaryData){32, hash};
    send_as(r, how, SANQUAN__V1__MESSAGE_TYPE__RECEIPT, &m.base);
}

static void refusal(struct reply *r, uint64_t id, uint32_t status, uint64_t expected, uint32_t retry_after_ms)
{
    Sanquan__V1__Refusal m;
    sanquan__v1__refusal__init(&m);
    m.id = id;
    m.status = status;
    m.expected_id = expected;
    m.retry_after_ms = retry_after_ms;
    send_as(r, SCRIPT_GOOD, SANQUAN__V1__MESSAGE_TYPE__REFUSAL, &m.base);
}

static void hello_ok(struct reply *r, uint64_t nonce, uint64_t last)
{
    Sanquan__V1__HelloOk m;
    sanquan__v1__hello_ok__init(&m);
    m.nonce = nonce;
    m.last_id = last;
    send_as(r, SCRIPT_GOOD, SANQUAN__V1__MESSAGE_TYPE__HELLO_OK, &m.base);
}

static void query_answer(struct reply *r, uint64_t nonce, uint32_t status, const char *json)
{
    union {
        const char *in;
        char *out;
    } same = {json};
    Sanquan__V1__QueryAnswer m;
    sanquan__v1__query_answer__init(&m);
    m.nonce = nonce;
    m.status = status;
    m.json = same.out;
    send_as(r, SCRIPT_GOOD, SANQUAN__V1__MESSAGE_TYPE__QUERY_ANSWER, &m.base);
}

/* ---- what comes ---- */

static void on_request(struct reply *r, enum scripted how, const struct sq_envelope *e, const uint8_t hash[32])
{
    static const uint8_t before[32] = {0};
    struct scripted_node *n = r->n;
    if (how == SCRIPT_LOST)
        return;
    if (how == SCRIPT_BUSY || how == SCRIPT_DISK_LOW) {
        refusal(r, e->id, how == SCRIPT_BUSY ? SQ_R_BUSY : SQ_R_DISK_LOW, 0, how == SCRIPT_BUSY ? 50 : 60000);
        return;
    }
    if (e->id > n->last + 1) {
        refusal(r, e->id, SQ_R_GAP, n->last + 1, 1);
        return;
    }
    if (e->id == n->last + 1) {
        n->last++;
        if (e->id < SCRIPT_LOG_MAX)
            memcpy(n->decided[e->id], hash, 32);
    } else if (memcmp(n->decided[e->id], hash, 32) != 0 && memcmp(n->decided[e->id], before, 32) != 0) {
        refusal(r, e->id, SQ_R_ID_REUSED, 0, 0);
        return;
    }
    if (how == SCRIPT_ANSWER_LOST)
        return;
    if (how != SCRIPT_GOOD)
        receipt(r, how, e->id, hash);
    if (how != SCRIPT_OTHER_REQUEST)
        receipt(r, SCRIPT_GOOD, e->id, hash);
}

static void on_question(struct reply *r, enum scripted how, const struct sq_envelope *e)
{
    if (how == SCRIPT_LOST)
        return;
    if (how == SCRIPT_REFUSED) {
        refusal(r, 0, SQ_R_UNKNOWN_SENDER, 0, 0);
        return;
    }
    if (how == SCRIPT_UNRELATED)
        refusal(r, 77, SQ_R_DISK_LOW, 0, 0);
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__HELLO) {
        Sanquan__V1__Hello *m = sanquan__v1__hello__unpack(NULL, e->body.size, e->body.data);
        if (how == SCRIPT_OTHER_NONCE)
            hello_ok(r, m->nonce + 1, r->n->last);
        hello_ok(r, m->nonce, r->n->last);
        sanquan__v1__hello__free_unpacked(m, NULL);
    } else {
        Sanquan__V1__Query *m = sanquan__v1__query__unpack(NULL, e->body.size, e->body.data);
        if (how == SCRIPT_OTHER_NONCE)
            query_answer(r, m->nonce + 1, 0, "{\"wrong\":1}");
        if (strcmp(m->path, "nothing") == 0)
            query_answer(r, m->nonce, SQ_R_UNKNOWN_VOUCHER, "");
        else
            query_answer(r, m->nonce, 0, "{\"right\":1}");
        sanquan__v1__query__free_unpacked(m, NULL);
    }
}

static enum scripted next_of(struct scripted_node *n, uint32_t type)
{
    return type == n->script_type && n->script_at < n->script_count ? n->script[n->script_at++] : SCRIPT_GOOD;
}

static void hear(struct scripted_node *n, const struct sq_arrival *a, struct sq_arena *arena)
{
    struct reply r = {n, a, arena};
    struct sq_envelope e;
    uint8_t hash[32];
    if (sq_envelope_open(a->bytes, &e, NULL) != SQ_OK || n->log_count == SCRIPT_LOG_MAX)
        return;
    if (sq_message_name_of(a->bytes, n->network, hash, NULL) != SQ_OK)
        abort();
    struct scripted_arrival *l = &n->log[n->log_count++];
    *l = (struct scripted_arrival){e.type, e.id, {0}};
    memcpy(l->hash, hash, 32);
    if (e.type == SANQUAN__V1__MESSAGE_TYPE__HELLO || e.type == SANQUAN__V1__MESSAGE_TYPE__QUERY)
        on_question(&r, next_of(n, e.type), &e);
    else
        on_request(&r, next_of(n, e.type), &e, hash);
}

static void *run(void *arg)
{
    struct scripted_node *n = arg;
    struct sq_arena arena;
    struct sq_arrival a;
    if (sq_arena_init(&arena, 1u << 20, NULL) != SQ_OK)
        abort();
    while (!atomic_load(&n->stop)) {
        if (sq_hub_receive(n->hub, 1000, -1, &a, NULL) != SQ_OK)
            abort();
        sq_arena_reset(&arena);
        pthread_mutex_lock(&n->mutex);
        if (a.bytes.size != 0)
            hear(n, &a, &arena);
        pthread_mutex_unlock(&n->mutex);
    }
    sq_arena_free(&arena);
    return NULL;
}

/* ---- for the test ---- */

struct scripted_node *scripted_new(void)
{
    struct scripted_node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    assert_int_equal(sq_keys_new("node:310000", &n->keys, NULL), SQ_OK);
    assert_int_equal(sq_keys_new("node:310000", &n->stranger, NULL), SQ_OK);
    memset(n->network, 0x5a, sizeof n->network);
    pthread_mutex_init(&n->mutex, NULL);
    const struct sq_hub_options o = {.bind = "tcp://127.0.0.1:*",
                                     .transport_public = n->keys->transport_public,
                                     .transport_secret = n->keys->transport_secret};
    assert_int_equal(sq_hub_open(&o, &n->hub, NULL), SQ_OK);
    assert_int_equal(pthread_create(&n->thread, NULL, run, n), 0);
    return n;
}

void scripted_free(struct scripted_node *n)
{
    atomic_store(&n->stop, 1);
    sq_hub_wake(n->hub);
    pthread_join(n->thread, NULL);
    sq_hub_close(n->hub);
    pthread_mutex_destroy(&n->mutex);
    sq_secret_free(n->keys);
    sq_secret_free(n->stranger);
    free(n);
}

struct sq_keys *scripted_keys(struct scripted_node *n, const char *name)
{
    struct sq_keys *k;
    assert_int_equal(sq_keys_new(name, &k, NULL), SQ_OK);
    assert_int_equal(sq_hub_allow(n->hub, k->transport_public, name, NULL), SQ_OK);
    return k;
}

struct sq_client *scripted_client(struct scripted_node *n, struct sq_keys *keys, unsigned in_flight)
{
    struct sq_client *c;
    const struct sq_client_options o = {
        sq_hub_endpoint(n->hub), "310000", n->keys->transport_public, n->keys->public_key, n->network, keys, in_flight};
    assert_int_equal(sq_client_open(&o, &c, NULL), SQ_OK);
    return c;
}

void scripted_do(struct scripted_node *n, uint32_t type, const enum scripted *script, unsigned count)
{
    assert_true(count <= SCRIPT_MAX);
    pthread_mutex_lock(&n->mutex);
    memcpy(n->script, script, count * sizeof *script);
    n->script_type = type;
    n->script_at = 0;
    n->script_count = count;
    pthread_mutex_unlock(&n->mutex);
}

void scripted_set_last(struct scripted_node *n, uint64_t last)
{
    pthread_mutex_lock(&n->mutex);
    n->last = last;
    pthread_mutex_unlock(&n->mutex);
}

uint64_t scripted_last(struct scripted_node *n)
{
    pthread_mutex_lock(&n->mutex);
    uint64_t last = n->last;
    pthread_mutex_unlock(&n->mutex);
    return last;
}

unsigned scripted_arrivals(struct scripted_node *n, uint32_t type, uint64_t id, uint8_t (*hashes)[32], unsigned max)
{
    unsigned count = 0;
    pthread_mutex_lock(&n->mutex);
    for (unsigned i = 0; i < n->log_count; i++)
        if (n->log[i].type == type && n->log[i].id == id) {
            if (count < max)
                memcpy(hashes[count], n->log[i].hash, 32);
            count++;
        }
    pthread_mutex_unlock(&n->mutex);
    return count;
}

unsigned scripted_count(struct scripted_node *n)
{
    pthread_mutex_lock(&n->mutex);
    unsigned count = n->log_count;
    pthread_mutex_unlock(&n->mutex);
    return count;
}
