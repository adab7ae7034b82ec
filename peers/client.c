/*
 * The client's stream: what was sent is kept until its answer is here.
 *
 *   pending:  sent --answer--> gone          silence: Hello, and when the node speaks again everything pending goes once more, in order
 *
 * Invariants: ids are given once and count up by one; the bytes under an id never change; an answer counts only with the node's signature,
 * and a receipt only for the bytes that it names: another process with this key may have used the number.
 */
#include "peers/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <time.h>
#include <zmq.h>

#include "clearing/base/arena.h"
#include "clearing/base/hash.h"
#include "peers/message.h"
#include "peers/sockets.h"

#define IN_FLIGHT_DEFAULT  16u
#define IN_FLIGHT_MAX      256u
#define SILENCE_MIN_MS     1000u
#define SILENCE_MAX_MS     8000u
#define CONNECT_AGAIN_MS   2000u
#define ANSWER_PATIENCE_MS 2000u /* an unnumbered question is asked again after this, at first */
#define ARENA_SIZE         (6u << 20)

struct pending {
    uint64_t id;
    uint8_t *envelope, name[SQ_HASH_SIZE];
    size_t size;
    int sent; /* handed to the socket since the last resend */
};

struct sq_client {
    void *context, *socket;
    char *endpoint;
    const struct sq_keys *keys;
    uint8_t node_key[SQ_KEY_SIZE], network_id[32];
    char receiver[SQ_NAME_SIZE_MAX + 1];
    struct pending pending[IN_FLIGHT_MAX]; /* ascending by id */
    unsigned count, in_flight;
    uint64_t next_id; /* 0: not known yet */
    int renumber;     /* a number given out was not used up */
    uint64_t hello_last, nonce;
    int hello_answered;
    int foreign; /* what came last was of another network */
    uint64_t silence_at_ms, silence_ms, hold_until_ms;
    uint64_t refused_ms; /* since when the socket takes nothing; 0: it does */
    struct sq_arena arena, scratch;
    zmq_msg_t message;
    int holds;
    char detail[300], *json;
};

static uint64_t now_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void heard(struct sq_client *c)
{
    c->silence_ms = SILENCE_MIN_MS;
    c->silence_at_ms = now_ms(CLOCK_MONOTONIC) + c->silence_ms;
}

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

sq_status sq_client_open(const struct sq_client_options *o, struct sq_client **out, struct sq_error *err)
{
    struct sq_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return sq_fail(err, SQ_E_NOMEM, "client");
    c->keys = o->keys;
    c->in_flight = o->in_flight == 0 ? IN_FLIGHT_DEFAULT : o->in_flight > IN_FLIGHT_MAX ? IN_FLIGHT_MAX : o->in_flight;
    c->silence_ms = SILENCE_MIN_MS;
    memcpy(c->node_key, o->node_key, SQ_KEY_SIZE);
    memcpy(c->network_id, o->network_id, 32);
    sq_status st = strlen(o->node_code) != 6 ? sq_fail(err, SQ_E_USAGE, "node code %.20s", o->node_code)
                                             : sq_arena_init(&c->arena, ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_arena_init(&c->scratch, SQ_MESSAGE_SIZE_MAX + 4096, err);
    if (st == SQ_OK) {
        strcpy(c->receiver, "node:");
        strcat(c->receiver, o->node_code);
        c->endpoint = strdup(o->endpoint);
        c->context = zmq_ctx_new();
        c->socket = c->context == NULL || c->endpoint == NULL
                        ? NULL
                        : sq_dealer(c->context, o->endpoint, o->node_transport_key, c->keys->transport_public,
                                    c->keys->transport_secret, 1000);
        if (c->socket == NULL)
            st = sq_fail(err, SQ_E_NETWORK, "connect to %s: %s", o->endpoint, zmq_strerror(errno));
    }
    heard(c); /* silence begins now */
    if (st == SQ_OK)
        *out = c;
    else
        sq_client_close(c);
    return st;
}

void sq_client_close(struct sq_client *c)
{
    if (c == NULL)
        return;
    if (c->holds)
        zmq_msg_close(&c->message);
    for (unsigned i = 0; i < c->count; i++)
        free(c->pending[i].envelope);
    if (c->socket != NULL)
        zmq_close(c->socket);
    if (c->context != NULL)
        zmq_ctx_term(c->context);
    sq_arena_free(&c->arena);
    sq_arena_free(&c->scratch);
    free(c->endpoint);
    free(c);
}

/* ---- sending ---- */

static sq_status seal(struct sq_client *c, uint32_t type, uint64_t id, uint64_t sent_at_ms, sq_bytes body,
                      sq_bytes *envelope, uint8_t *name_out, struct sq_error *err)
{
    struct sq_header h = {type, c->keys->name, c->receiver, id, sent_at_ms};
    struct sq_wire_memory memory = {take, &c->scratch};
    sq_arena_reset(&c->scratch);
    return sq_message_seal_named(&h, body, c->network_id, c->keys->secret, &memory, envelope, name_out, err);
}

static sq_status send_unnumbered(struct sq_client *c, uint32_t type, const ProtobufCMessage *m, struct sq_error *err)
{
    struct sq_wire_memory memory = {take, &c->arena};
    sq_bytes body, envelope;
    sq_status st = sq_wire_pack(m, &memory, &body, err);
    if (st == SQ_OK)
        st = seal(c, type, 0, now_ms(CLOCK_REALTIME), body, &envelope, NULL, err);
    if (st == SQ_OK && zmq_send(c->socket, envelope.data, envelope.size, ZMQ_DONTWAIT) < 0)
        st = SQ_E_NETWORK; /* not connected: the caller tries again */
    return st;
}

/* Hand to the socket what has not been handed over; stop at the first that it does not take. */
static void flush(struct sq_client *c)
{
    for (unsigned i = 0; i < c->count && now_ms(CLOCK_MONOTONIC) >= c->hold_until_ms; i++) {
        struct pending *p = &c->pending[i];
        if (p->sent)
            continue;
        if (zmq_send(c->socket, p->envelope, p->size, ZMQ_DONTWAIT) < 0)
            return;
        p->sent = 1;
    }
}

static void resend_from(struct sq_client *c, uint64_t id)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->pending[i].id >= id)
            c->pending[i].sent = 0;
    flush(c);
}

/* 0: the socket took nothing, it is not connected. */
static int send_hello(struct sq_client *c)
{
    Sanquan__V1__Hello m;
    sanquan__v1__hello__init(&m);
    m.nonce = ++c->nonce;
    return send_unnumbered(c, SANQUAN__V1__MESSAGE_TYPE__HELLO, &m.base, NULL) == SQ_OK;
}

/* The socket took nothing. If that has been so for a while, it may have been refused, and tries no more by itself. */
static void connect_again(struct sq_client *c)
{
    uint64_t now = now_ms(CLOCK_MONOTONIC);
    if (c->refused_ms != 0 && now - c->refused_ms < CONNECT_AGAIN_MS)
        return;
    if (c->refused_ms != 0)
        sq_dealer_again(c->socket, c->endpoint);
    c->refused_ms = now;
}

/* Wait for the connection: an unconnected socket takes nothing. */
static void wait_connected(struct sq_client *c, uint64_t deadline)
{
    zmq_pollitem_t item = {.socket = c->socket, .events = ZMQ_POLLOUT};
    for (uint64_t now; (now = now_ms(CLOCK_MONOTONIC)) < deadline; connect_again(c))
        if (zmq_poll(&item, 1, deadline - now < CONNECT_AGAIN_MS / 4 ? (long)(deadline - now) : CONNECT_AGAIN_MS / 4) !=
            0) {
            c->refused_ms = 0;
            return;
        }
}

static sq_status keep(struct sq_client *c, uint64_t id, uint64_t sent_at_ms, uint32_t type, sq_bytes body,
                      struct sq_error *err)
{
    sq_bytes envelope;
    if (c->count == c->in_flight)
        return sq_fail(err, SQ_E_FULL, "%u requests await their answers", c->count);
    uint8_t name[SQ_HASH_SIZE];
    sq_status st = seal(c, type, id, sent_at_ms, body, &envelope, name, err);
    if (st != SQ_OK)
        return st;
    uint8_t *copy = malloc(envelope.size);
    if (copy == NULL)
        return sq_fail(err, SQ_E_NOMEM, "request");
    memcpy(copy, envelope.data, envelope.size);
    if (c->count == 0)
        heard(c);
    struct pending *p = &c->pending[c->count++];
    *p = (struct pending){.id = id, .envelope = copy, .size = envelope.size};
    memcpy(p->name, name, sizeof name);
    flush(c);
    return SQ_OK;
}

sq_status sq_client_send(struct sq_client *c, uint32_t type, sq_bytes body, uint64_t *id_out, struct sq_error *err)
{
    if (c->renumber && c->count == 0)
        c->next_id = 0;
    if (c->next_id == 0) {
        uint64_t last;
        sq_status st = sq_client_hello(c, 10000, &last, err);
        if (st != SQ_OK)
            return st;
    }
    sq_status st = keep(c, c->next_id, now_ms(CLOCK_REALTIME), type, body, err);
    if (st == SQ_OK)
        *id_out = c->next_id++;
    return st;
}

sq_status sq_client_send_as(struct sq_client *c, uint64_t id, uint64_t sent_at_ms, uint32_t type, sq_bytes body,
                            struct sq_error *err)
{
    if (c->next_id == 0) {
        uint64_t last;
        sq_status st = sq_client_hello(c, 10000, &last, err);
        if (st != SQ_OK)
            return st;
    }
    if (id > c->next_id || (c->count != 0 && id <= c->pending[c->count - 1].id))
        return sq_fail(err, SQ_E_USAGE, "id %" PRIu64 " does not fit: the next is %" PRIu64, id, c->next_id);
    sq_status st = keep(c, id, sent_at_ms, type, body, err);
    if (st == SQ_OK && id == c->next_id)
        c->next_id++;
    return st;
}

unsigned sq_client_waiting(const struct sq_client *c)
{
    return c->count;
}

/* ---- receiving ---- */

/*
 * Signed by the node, for our network. A node of another network signs for that one, also its refusal: it cannot be believed, but that is
 * what it shows, and who is at the other end the connection has proved by its transport key.
 */
static int is_ours(struct sq_client *c, const struct sq_envelope *e)
{
    sq_status st = sq_message_check(e, c->network_id, c->node_key, NULL);
    c->foreign = st == SQ_R_WRONG_NETWORK;
    return st == SQ_OK;
}

static sq_status fail_foreign(const struct sq_client *c, struct sq_error *err)
{
    return sq_fail(err, SQ_R_WRONG_NETWORK, "%s works with another directory file than this one", c->receiver);
}

/* A client that was busy with other things has heard nothing, and yet there may be answers: that is no silence. */
static int is_silent(const struct sq_client *c, uint64_t now)
{
    zmq_pollitem_t item = {.socket = c->socket, .events = ZMQ_POLLIN};
    return now >= c->silence_at_ms && zmq_poll(&item, 1, 0) <= 0;
}

/* The next message with the node's signature, or 0 at the deadline. Resends after a silence. */
static int receive(struct sq_client *c, uint64_t deadline, struct sq_envelope *e, ProtobufCMessage **m)
{
    struct sq_wire_memory memory = {take, &c->arena};
    for (;;) {
        uint64_t now = now_ms(CLOCK_MONOTONIC), until = deadline;
        if (is_silent(c, now)) {
            c->silence_ms = c->silence_ms * 2 > SILENCE_MAX_MS ? SILENCE_MAX_MS : c->silence_ms * 2;
            c->silence_at_ms = now + c->silence_ms;
            sq_arena_reset(&c->arena);
            if (!send_hello(c))
                connect_again(c); /* asked again after the next silence */
        }
        flush(c);
        until = c->silence_at_ms < until ? c->silence_at_ms : until;
        until = c->hold_until_ms > now && c->hold_until_ms < until ? c->hold_until_ms : until;
        int unsent = c->count != 0 && !c->pending[c->count - 1].sent; /* the socket was not ready: look again soon */
        long wait = until > now ? (long)(until - now) : 0;
        zmq_pollitem_t item = {.socket = c->socket, .events = ZMQ_POLLIN};
        zmq_poll(&item, 1, unsent && wait > 20 ? 20 : wait);
        if (c->holds)
            zmq_msg_close(&c->message);
        zmq_msg_init(&c->message);
        c->holds = 1;
        if (zmq_msg_recv(&c->message, c->socket, ZMQ_DONTWAIT) < 0) {
            if (now_ms(CLOCK_MONOTONIC) >= deadline)
                return 0;
            continue;
        }
        sq_arena_reset(&c->arena);
        if (sq_envelope_open(sq_bytes_of(zmq_msg_data(&c->message), zmq_msg_size(&c->message)), e, NULL) == SQ_OK &&
            strcmp(e->sender, c->receiver) == 0 && strcmp(e->receiver, c->keys->name) == 0 && is_ours(c, e) &&
            sq_wire_open(sq_wire_type(e->type), e->body, &memory, m, NULL) == SQ_OK) {
            heard(c);
            return 1;
        }
        if (c->foreign || now_ms(CLOCK_MONOTONIC) >= deadline)
            return 0; /* noise must not keep us here */
    }
}

static void on_hello_ok(struct sq_client *c, const Sanquan__V1__HelloOk *m)
{
    c->hello_answered = m->nonce == c->nonce;
    c->hello_last = m->last_id;
    int renumber = c->renumber && c->count == 0;
    if (c->next_id <= m->last_id || renumber)
        c->next_id =
            m->last_id + 1; /* at first; when another user of the key went ahead; when a number was not used up */
    c->renumber &= !renumber;
    resend_from(c, 0);
}

static int drop_pending(struct sq_client *c, uint64_t id)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->pending[i].id == id) {
            free(c->pending[i].envelope);
            memmove(&c->pending[i], &c->pending[i + 1], (c->count - i - 1) * sizeof c->pending[0]);
            c->count--;
            return 1;
        }
    return 0;
}

static void set_detail(struct sq_client *c, unsigned status, const char *detail)
{
    snprintf(c->detail, sizeof c->detail, "%s%s%.200s", sq_status_text(status), *detail != '\0' ? ": " : "", detail);
}

/* Does the receipt name the bytes that were sent under this number, or only the number? -1: nothing waits under it. */
static int names_request(const struct sq_client *c, uint64_t id, const ProtobufCBinaryData *request)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->pending[i].id == id)
            return request->len == SQ_HASH_SIZE && memcmp(request->data, c->pending[i].name, SQ_HASH_SIZE) == 0;
    return -1;
}

/* 1: an answer for the caller. */
static int on_receipt(struct sq_client *c, const Sanquan__V1__Receipt *r, struct sq_client_answer *out)
{
    struct sq_wire_memory memory = {take, &c->arena};
    ProtobufCMessage *m;
    if (sq_wire_open(&sanquan__v1__answer__descriptor, sq_bytes_of(r->answer.data, r->answer.len), &memory, &m, NULL) !=
        SQ_OK)
        return 0;
    const Sanquan__V1__Answer *a = (const Sanquan__V1__Answer *)m;
    int named = names_request(c, a->id, &r->request);
    if (!drop_pending(c, a->id))
        return 0;
    if (!named) { /* somebody else with this key used the number */
        set_detail(c, SQ_R_ID_REUSED, "");
        *out = (struct sq_client_answer){.id = a->id, .status = SQ_R_ID_REUSED, .final = 1, .detail = c->detail};
        return 1;
    }
    set_detail(c, a->status, a->detail);
    *out = (struct sq_client_answer){
        .id = a->id, .status = a->status, .final = 1, .answer = a, .receipt = r, .detail = c->detail};
    return 1;
}

static int is_pending(const struct sq_client *c, uint64_t id)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->pending[i].id == id)
            return 1;
    return 0;
}

/*
 * Nothing was kept of a request that was refused. Gaps that this client can fill and busy nodes are its own affair; a gap that
 * it cannot (the number before was refused, or the node has lost it) ends what came after.
 */
static int on_refusal(struct sq_client *c, const Sanquan__V1__Refusal *r, struct sq_client_answer *out)
{
    if (r->status == SQ_R_GAP && is_pending(c, r->expected_id)) {
        resend_from(c, r->expected_id);
        return 0;
    }
    if (r->status == SQ_R_BUSY) {
        c->hold_until_ms = now_ms(CLOCK_MONOTONIC) + (r->retry_after_ms < 10000 ? r->retry_after_ms : 10000);
        resend_from(c, r->id);
        return 0;
    }
    if (r->id != 0 && !drop_pending(c, r->id))
        return 0;
    if (r->id != 0 && r->status != SQ_R_ID_REUSED)
        c->renumber = 1; /* the number is free again: when nothing is under way the node says which is next */
    set_detail(c, r->status, r->detail);
    *out = (struct sq_client_answer){.id = r->id, .status = r->status, .final = 1, .detail = c->detail};
    return 1;
}

/* 1 when the message is an answer to a request. */
static int take_message(struct sq_client *c, const struct sq_envelope *e, const ProtobufCMessage *m,
                        struct sq_client_answer *out)
{
    int mine = 0;
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__RECEIPT)
        mine = on_receipt(c, (const Sanquan__V1__Receipt *)m, out);
    else if (e->type == SANQUAN__V1__MESSAGE_TYPE__REFUSAL)
        mine = on_refusal(c, (const Sanquan__V1__Refusal *)m, out);
    else if (e->type == SANQUAN__V1__MESSAGE_TYPE__HELLO_OK)
        on_hello_ok(c, (const Sanquan__V1__HelloOk *)m);
    if (mine)
        out->envelope = e->whole;
    return mine;
}

sq_status sq_client_answer(struct sq_client *c, int timeout_ms, struct sq_client_answer *out, struct sq_error *err)
{
    uint64_t deadline = now_ms(CLOCK_MONOTONIC) + (uint64_t)timeout_ms;
    struct sq_envelope e;
    ProtobufCMessage *m;
    while (receive(c, deadline, &e, &m))
        if (take_message(c, &e, m, out))
            return SQ_OK;
    if (c->foreign)
        return fail_foreign(c, err);
    return sq_fail(err, SQ_E_TIMEOUT, "no answer from %s in %d ms", c->receiver, timeout_ms);
}

/* A refusal of what has no number; NULL for everything else. */
static const Sanquan__V1__Refusal *refusal_of_question(const struct sq_envelope *e, const ProtobufCMessage *m)
{
    const Sanquan__V1__Refusal *r = (const Sanquan__V1__Refusal *)m;
    return e->type == SANQUAN__V1__MESSAGE_TYPE__REFUSAL && r->id == 0 ? r : NULL;
}

static sq_status fail_refused(struct sq_error *err, const Sanquan__V1__Refusal *r)
{
    return sq_fail(err, (sq_status)r->status, "%s%s%.200s", sq_status_text(r->status), *r->detail != '\0' ? ": " : "",
                   r->detail);
}

sq_status sq_client_hello(struct sq_client *c, int timeout_ms, uint64_t *last_id, struct sq_error *err)
{
    uint64_t deadline = now_ms(CLOCK_MONOTONIC) + (uint64_t)timeout_ms;
    struct sq_envelope e;
    ProtobufCMessage *m;
    c->hello_answered = 0;
    while (now_ms(CLOCK_MONOTONIC) < deadline) {
        sq_arena_reset(&c->arena);
        wait_connected(c, deadline);
        send_hello(c);
        uint64_t soon = now_ms(CLOCK_MONOTONIC) + ANSWER_PATIENCE_MS, patience = soon < deadline ? soon : deadline;
        while (receive(c, patience, &e, &m)) {
            const Sanquan__V1__Refusal *no = refusal_of_question(&e, m);
            if (no != NULL && no->status != SQ_R_BUSY)
                return fail_refused(err, no);
            if (e.type == SANQUAN__V1__MESSAGE_TYPE__HELLO_OK)
                on_hello_ok(c, (const Sanquan__V1__HelloOk *)m);
            if (c->hello_answered) { /* receipts that came meanwhile come again: on_hello_ok has asked for them */
                *last_id = c->hello_last;
                return SQ_OK;
            }
        }
        if (c->foreign)
            return fail_foreign(c, err);
    }
    return sq_fail(err, SQ_E_TIMEOUT, "%s does not answer: is it running, and is %s enrolled there with this key?",
                   c->receiver, c->keys->name);
}

sq_status sq_client_query(struct sq_client *c, const char *path, int timeout_ms, const char **json_out,
                          struct sq_error *err)
{
    uint64_t deadline = now_ms(CLOCK_MONOTONIC) + (uint64_t)timeout_ms, asked = ++c->nonce,
             patience_ms = ANSWER_PATIENCE_MS;
    struct sq_envelope e;
    ProtobufCMessage *m;
    union {
        const char *in;
        char *out;
    } same = {path};
    /* Asked again in case it was lost, ever more rarely, and under the same nonce: the answer to any of them will do. */
    while (now_ms(CLOCK_MONOTONIC) < deadline) {
        Sanquan__V1__Query q;
        sanquan__v1__query__init(&q);
        q.nonce = asked;
        q.path = same.out;
        sq_arena_reset(&c->arena);
        wait_connected(c, deadline);
        uint64_t patience = now_ms(CLOCK_MONOTONIC);
        if (send_unnumbered(c, SANQUAN__V1__MESSAGE_TYPE__QUERY, &q.base, NULL) == SQ_OK) {
            patience += patience_ms;
            patience_ms *= 2;
        }
        while (receive(c, patience < deadline ? patience : deadline, &e, &m)) {
            const Sanquan__V1__QueryAnswer *a = (const Sanquan__V1__QueryAnswer *)m;
            if (refusal_of_question(&e, m) != NULL)
                return fail_refused(err, refusal_of_question(&e, m));
            if (e.type != SANQUAN__V1__MESSAGE_TYPE__QUERY_ANSWER || a->nonce != asked)
                continue;
            if (a->status != SQ_OK)
                return sq_fail(err, (sq_status)a->status, "%.100s: %s", a->detail[0] != '\0' ? a->detail : path,
                               sq_status_text(a->status));
            *json_out = a->json;
            return SQ_OK;
        }
        if (c->foreign)
            return fail_foreign(c, err);
    }
    return sq_fail(err, SQ_E_TIMEOUT, "%s does not answer: is it running, and is %s known there with this key?",
                   c->receiver, c->keys->name);
}
