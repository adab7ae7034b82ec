/*
 * The node's sockets.
 *
 * Order of birth: context, ZAP handler, ROUTER (domain set and enforced before bind), self-test, DEALERs. Order of death: sockets, then the
 * handler, then the context.
 *
 * What comes through the ROUTER is taken from it at once and waits in a line of its sender (lines.h): the ROUTER itself serves its
 * connections by messages, and one of 570 KB would weigh as much as one of 300 bytes.
 *
 * Invariants: a message without a User-Id, of more than one frame, or from a participant that is no longer allowed goes no further;
 * memory for arrivals is bounded by that of the lines, and by high-water marks times the size limit. For what finds no room the
 * front answers: it is handed out at once.
 */
#include "peers/hub.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "peers/lines.h"
#include "peers/sockets.h"
#include "peers/zap.h"

#define RECEIVE_HWM 32   /* frames of up to 1 MiB a connection */
#define SEND_HWM    1000 /* answers are small */
#define PEERS_MAX   512
#define GATHER_MAX  64u /* messages taken from the ROUTER at once */
#define CONNECT_AGAIN_MS                                                                                               \
    3000u /* a refused connection costs no more than that; to one that is merely down, an attempt like libzmq's own */

/* An arrival, until it has been dealt with. */
struct kept {
    struct sq_waiting waiting; /* first: what the lines know of it */
    zmq_msg_t message;
    struct sq_route route;
};

struct sq_hub {
    void *context, *router, *monitor;
    struct sq_zap zap;
    char endpoint[256];
    struct {
        uint32_t node;
        void *socket;
        char *endpoint;
        uint64_t refused_ms; /* since when it takes nothing; 0: it does */
    } peer[PEERS_MAX];
    size_t peer_count, turn;
    int wake;
    struct sq_lines lines;
    int hold_bulk;
    struct kept *current; /* the arrival that was handed out last */
    struct sq_hub_counters counters;
};

/* ---- sockets ---- */

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

int sq_socket_common(void *socket)
{
    int64_t largest = SQ_MESSAGE_SIZE_MAX;
    return set_int(socket, ZMQ_LINGER, 0) | set_int(socket, ZMQ_HANDSHAKE_IVL, 5000) |
           set_int(socket, ZMQ_HEARTBEAT_IVL, 2000) | set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, 6000) |
           set_int(socket, ZMQ_HEARTBEAT_TTL, 6000) | set_int(socket, ZMQ_TCP_KEEPALIVE, 1) |
           set_int(socket, ZMQ_RECONNECT_IVL, 100) | set_int(socket, ZMQ_RECONNECT_IVL_MAX, 5000) |
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
}

void *sq_dealer(void *context, const char *endpoint, const uint8_t *server_key, const uint8_t *public_key,
                const uint8_t *secret_key, int hwm)
{
    void *s = zmq_socket(context, ZMQ_DEALER);
    if (s == NULL)
        return NULL;
    if ((sq_socket_common(s) | set_int(s, ZMQ_IMMEDIATE, 1) | set_int(s, ZMQ_SNDHWM, hwm) |
         set_int(s, ZMQ_RCVHWM, hwm) | zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, server_key, SQ_KEY_SIZE) |
         zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, public_key, SQ_KEY_SIZE) |
         zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, secret_key, SQ_KEY_SIZE)) == 0 &&
        (endpoint == NULL || zmq_connect(s, endpoint) == 0))
        return s;
    zmq_close(s);
    return NULL;
}

void sq_dealer_again(void *socket, const char *endpoint)
{
    /* There may be nothing left to disconnect; and a connect that fails is tried again by whoever calls. */
    if (zmq_disconnect(socket, endpoint) == 0 || errno == ENOENT)
        zmq_connect(socket, endpoint);
}

static sq_status open_router(struct sq_hub *h, const struct sq_hub_options *o, struct sq_error *err)
{
    enum { ZAP_ENFORCE_DOMAIN = 93 }; /* ZMQ_ZAP_ENFORCE_DOMAIN is a draft name, but the option is there at run time */
    size_t size = sizeof h->endpoint;
    if (strncmp(o->bind, "tcp://", 6) != 0)
        return sq_fail(err, SQ_E_CONFIG, "%s: only tcp:// endpoints are served", o->bind);
    h->router = zmq_socket(h->context, ZMQ_ROUTER);
    if (h->router == NULL ||
        (sq_socket_common(h->router) | set_int(h->router, ZMQ_ROUTER_MANDATORY, 1) |
         set_int(h->router, ZMQ_ROUTER_HANDOVER, 0) | set_int(h->router, ZMQ_RCVHWM, RECEIVE_HWM) |
         set_int(h->router, ZMQ_SNDHWM, SEND_HWM) | set_int(h->router, ZMQ_CURVE_SERVER, 1) |
         zmq_setsockopt(h->router, ZMQ_CURVE_SECRETKEY, o->transport_secret, SQ_KEY_SIZE) |
         zmq_setsockopt(h->router, ZMQ_ZAP_DOMAIN, "sanquan", 7) | set_int(h->router, ZAP_ENFORCE_DOMAIN, 1)) != 0)
        return sq_fail(err, SQ_E_NETWORK, "set up the server socket: %s", zmq_strerror(errno));
    h->monitor = zmq_socket(h->context, ZMQ_PAIR);
    /* No limit on what waits there: libzmq's own thread would stand still at one. It is emptied at every turn. */
    if (h->monitor == NULL || (set_int(h->monitor, ZMQ_LINGER, 0) | set_int(h->monitor, ZMQ_RCVHWM, 0)) != 0 ||
        zmq_socket_monitor(h->router, "inproc://connections", ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED) !=
            0 ||
        zmq_connect(h->monitor, "inproc://connections") != 0)
        return sq_fail(err, SQ_E_NETWORK, "watch the server socket: %s", zmq_strerror(errno));
    if (zmq_bind(h->router, o->bind) != 0)
        return sq_fail(err, SQ_E_NETWORK, "listen on %s: %s", o->bind, zmq_strerror(errno));
    if (zmq_getsockopt(h->router, ZMQ_LAST_ENDPOINT, h->endpoint, &size) != 0)
        return sq_fail(err, SQ_E_NETWORK, "endpoint of %s: %s", o->bind, zmq_strerror(errno));
    return SQ_OK;
}

/* ---- self-test: an unknown key gets no session, a known one does ---- */

/* 1: a session; 0: refused; -1: neither within two seconds. Each try watches under its own name: one is freed some time after its socket. */
static int try_handshake(struct sq_hub *h, const char *watch, const char *endpoint, const uint8_t *server_key,
                         const uint8_t *public_key, const uint8_t *secret_key)
{
    int result = -1;
    void *client = sq_dealer(h->context, NULL, server_key, public_key, secret_key, 1);
    void *monitor = zmq_socket(h->context, ZMQ_PAIR);
    if (client == NULL || monitor == NULL ||
        zmq_socket_monitor(client, watch,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) != 0 ||
        zmq_connect(monitor, watch) != 0 ||
        zmq_connect(client, endpoint) != 0) /* last: what happens before one watches is never told */
        goto out;
    set_int(monitor, ZMQ_LINGER, 0);
    set_int(monitor, ZMQ_RCVTIMEO, 2000);
    uint8_t event[6], address[256];
    if (zmq_recv(monitor, event, sizeof event, 0) == (int)sizeof event &&
        zmq_recv(monitor, address, sizeof address, 0) >= 0) {
        uint16_t number;
        memcpy(&number, event, sizeof number);
        result = number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    }
out:
    if (client != NULL) {
        zmq_socket_monitor(client, NULL, 0);
        zmq_close(client);
    }
    if (monitor != NULL)
        zmq_close(monitor);
    return result;
}

static sq_status self_test(struct sq_hub *h, const uint8_t *server_key, struct sq_error *err)
{
    uint8_t known[SQ_KEY_SIZE], known_secret[SQ_KEY_SIZE], stranger[SQ_KEY_SIZE], stranger_secret[SQ_KEY_SIZE];
    char endpoint[300];
    const char *any = strstr(h->endpoint, "//0.0.0.0:");
    if (any != NULL)
        snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%s", any + strlen("//0.0.0.0:"));
    else
        snprintf(endpoint, sizeof endpoint, "%s", h->endpoint);
    sq_curve_keypair(known, known_secret);
    sq_curve_keypair(stranger, stranger_secret);
    sq_status st = sq_zap_allow(&h->zap, known, "self-test", err);
    if (st != SQ_OK)
        return st;
    int in = try_handshake(h, "inproc://self-test-known", endpoint, server_key, known, known_secret);
    sq_zap_deny(&h->zap, known);
    int out = try_handshake(h, "inproc://self-test-stranger", endpoint, server_key, stranger, stranger_secret);
    if (in == 1 && out == 0)
        return SQ_OK;
    return sq_fail(err, SQ_E_NETWORK, "authentication self-test on %s: a known key was %s, an unknown one %s", endpoint,
                   in == 1 ? "let in" : "not let in",
                   out == 0   ? "refused"
                   : out == 1 ? "LET IN"
                              : "not answered");
}

/* ---- what was received ---- */

static void drop_kept(struct kept *k)
{
    if (k == NULL)
        return;
    zmq_msg_close(&k->message);
    free(k);
}

static void drop_waiting(struct sq_waiting *w)
{
    drop_kept((struct kept *)w);
}

/* One frame, or NULL: there is none, or no memory. */
static struct kept *receive_frame(void *socket)
{
    struct kept *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    zmq_msg_init(&k->message);
    if (zmq_msg_recv(&k->message, socket, ZMQ_DONTWAIT) >= 0)
        return k;
    drop_kept(k);
    return NULL;
}

static void hand_out(struct sq_hub *h, struct kept *k, struct sq_arrival *out)
{
    h->current = k;
    out->route = k->route;
    out->bytes = sq_bytes_of(zmq_msg_data(&k->message), zmq_msg_size(&k->message));
    h->counters.received++;
}

/* ---- open and close ---- */

sq_status sq_hub_open(const struct sq_hub_options *o, struct sq_hub **out, struct sq_error *err)
{
    struct sq_hub *h = calloc(1, sizeof *h);
    if (h == NULL)
        return sq_fail(err, SQ_E_NOMEM, "hub");
    sq_lines_init(&h->lines, o->room != 0 ? o->room : SQ_LINES_BYTES);
    h->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    h->context = zmq_ctx_new();
    sq_status st = h->wake < 0 || h->context == NULL ? sq_fail(err, SQ_E_NETWORK, "sockets: %s", strerror(errno))
                   : o->peer_count > PEERS_MAX       ? sq_fail(err, SQ_E_CONFIG, "more than %d peers", PEERS_MAX)
                                                     : sq_zap_start(&h->zap, h->context, err);
    if (st == SQ_OK && o->allow_first != NULL)
        st = o->allow_first(o->allow_ctx, h, err);
    if (st == SQ_OK)
        st = open_router(h, o, err);
    if (st == SQ_OK)
        st = self_test(h, o->transport_public, err);
    for (size_t i = 0; st == SQ_OK && i < o->peer_count; i++) {
        h->peer_count++;
        h->peer[i].node = o->peers[i].node;
        h->peer[i].endpoint = strdup(o->peers[i].endpoint);
        h->peer[i].socket = sq_dealer(h->context, o->peers[i].endpoint, o->peers[i].transport_key, o->transport_public,
                                      o->transport_secret, RECEIVE_HWM * 2);
        if (h->peer[i].endpoint == NULL || h->peer[i].socket == NULL)
            st = sq_fail(err, SQ_E_NETWORK, "connect to %s: %s", o->peers[i].endpoint, zmq_strerror(errno));
    }
    if (st == SQ_OK)
        *out = h;
    else
        sq_hub_close(h);
    return st;
}

void sq_hub_close(struct sq_hub *h)
{
    if (h == NULL)
        return;
    drop_kept(h->current);
    sq_lines_free(&h->lines, drop_waiting);
    for (size_t i = 0; i < h->peer_count; i++) {
        if (h->peer[i].socket != NULL)
            zmq_close(h->peer[i].socket);
        free(h->peer[i].endpoint);
    }
    if (h->router != NULL) {
        zmq_socket_monitor(h->router, NULL, 0);
        zmq_close(h->router);
    }
    if (h->monitor != NULL)
        zmq_close(h->monitor);
    if (h->context != NULL) {
        sq_zap_stop(&h->zap);
        zmq_ctx_term(h->context);
        sq_zap_free(&h->zap);
    }
    if (h->wake >= 0)
        close(h->wake);
    free(h);
}

const char *sq_hub_endpoint(const struct sq_hub *h)
{
    return h->endpoint;
}

sq_status sq_hub_allow(struct sq_hub *h, const uint8_t transport_key[static SQ_KEY_SIZE], const char *name,
                       struct sq_error *err)
{
    return sq_zap_allow(&h->zap, transport_key, name, err);
}

void sq_hub_deny(struct sq_hub *h, const uint8_t transport_key[static SQ_KEY_SIZE])
{
    sq_zap_deny(&h->zap, transport_key);
}

struct sq_zap *sq_hub_zap(struct sq_hub *h)
{
    return &h->zap;
}

/* ---- receiving ---- */

static int more_frames(void *socket)
{
    int more = 0;
    size_t size = sizeof more;
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more;
}

static void drain(void *socket)
{
    zmq_msg_t rest;
    while (more_frames(socket)) {
        zmq_msg_init(&rest);
        zmq_msg_recv(&rest, socket, 0);
        zmq_msg_close(&rest);
    }
}

/* The last frame's metadata: the first frame loses it when the socket has looked ahead. */
static int who(struct sq_hub *h, struct kept *k, char name[static SQ_NAME_SIZE_MAX + 1], uint32_t *sender)
{
    const char *user = zmq_msg_gets(&k->message, "User-Id");
    int known = user != NULL && sq_zap_session(&h->zap, user, name, sender);
    h->counters.dropped_no_identity += !known;
    return known;
}

/* One message of the ROUTER: routing id, one frame. 0: nothing there. *k: NULL when it was dropped. */
static int receive_router(struct sq_hub *h, struct kept **k)
{
    uint8_t id[64];
    int n = zmq_recv(h->router, id, sizeof id, ZMQ_DONTWAIT);
    *k = NULL;
    if (n < 0)
        return 0;
    if (!more_frames(h->router))
        return 1;
    *k = receive_frame(h->router);
    if (*k == NULL || more_frames(h->router) || n > (int)sizeof(*k)->route.id || id[0] != 0 ||
        zmq_msg_size(&(*k)->message) == 0) {
        drain(h->router);
        h->counters.dropped_shape++;
        drop_kept(*k);
        *k = NULL;
        return 1;
    }
    (*k)->route.size = (uint8_t)n;
    memcpy((*k)->route.id, id, (size_t)n);
    (*k)->waiting.size = zmq_msg_size(&(*k)->message);
    return 1;
}

/* Everything that has come through the ROUTER into its lines. 1: there is no room for what was handed out. */
static int gather(struct sq_hub *h, struct sq_arrival *out)
{
    struct kept *k;
    uint32_t sender;
    for (unsigned n = 0; n < GATHER_MAX && receive_router(h, &k); n++) {
        if (k == NULL)
            continue;
        sq_status st = who(h, k, out->from, &sender) ? sq_lines_put(&h->lines, sender, &k->waiting) : SQ_E_FORMAT;
        if (st == SQ_OK)
            continue;
        if (st == SQ_E_FULL) {
            h->counters.no_room++;
            out->no_room = 1;
            hand_out(h, k, out);
            return 1;
        }
        drop_kept(k);
    }
    return 0;
}

/* Whoever's turn it is, if it is still allowed. */
static int take_line(struct sq_hub *h, struct sq_arrival *out)
{
    uint32_t sender;
    for (struct kept *k; (k = (struct kept *)sq_lines_take(&h->lines, h->hold_bulk)) != NULL; drop_kept(k))
        if (who(h, k, out->from, &sender)) {
            hand_out(h, k, out);
            return 1;
        }
    return 0;
}

static int receive_dealer(struct sq_hub *h, size_t i, struct sq_arrival *out)
{
    struct kept *k = receive_frame(h->peer[i].socket);
    if (k == NULL)
        return 0;
    if (more_frames(h->peer[i].socket)) {
        drain(h->peer[i].socket);
        h->counters.dropped_shape++;
        drop_kept(k);
        return 0;
    }
    out->from_peer = 1;
    out->node = h->peer[i].node;
    hand_out(h, k, out);
    return 1;
}

/* Every socket has its turn, so that one that always has something cannot starve the others. */
static void receive_any(struct sq_hub *h, struct sq_arrival *out)
{
    *out = (struct sq_arrival){.from = ""};
    int got = gather(h, out);
    for (size_t k = 0; !got && k <= h->peer_count; k++) {
        size_t i = (h->turn + k) % (h->peer_count + 1);
        got = i == h->peer_count ? take_line(h, out) : receive_dealer(h, i, out);
        if (got)
            h->turn = (i + 1) % (h->peer_count + 1);
    }
}

/* Events of two frames: what happened, and to whom. */
static void count_connections(struct sq_hub *h)
{
    uint8_t event[6], address[256];
    while (zmq_recv(h->monitor, event, sizeof event, ZMQ_DONTWAIT) == (int)sizeof event &&
           zmq_recv(h->monitor, address, sizeof address, ZMQ_DONTWAIT) >= 0) {
        uint16_t number;
        memcpy(&number, event, sizeof number);
        h->counters.accepted += number == ZMQ_EVENT_ACCEPTED;
        h->counters.established += number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    }
}

sq_status sq_hub_receive(struct sq_hub *h, int timeout_ms, int extra_fd, struct sq_arrival *out, struct sq_error *err)
{
    zmq_pollitem_t items[PEERS_MAX + 3];
    uint64_t rung;
    int count = 0;
    drop_kept(h->current);
    h->current = NULL;
    if (timeout_ms != 0)
        count_connections(h); /* once a turn */
    receive_any(h, out);
    if (out->bytes.size != 0 || timeout_ms == 0)
        return SQ_OK;
    for (size_t i = 0; i < h->peer_count; i++)
        items[count++] = (zmq_pollitem_t){.socket = h->peer[i].socket, .events = ZMQ_POLLIN};
    items[count++] = (zmq_pollitem_t){.socket = h->router, .events = ZMQ_POLLIN};
    items[count++] = (zmq_pollitem_t){.fd = h->wake, .events = ZMQ_POLLIN};
    if (extra_fd >= 0)
        items[count++] = (zmq_pollitem_t){.fd = extra_fd, .events = ZMQ_POLLIN};
    if (zmq_poll(items, count, timeout_ms) < 0 && errno != EINTR)
        return sq_fail(err, SQ_E_NETWORK, "wait for messages: %s", zmq_strerror(errno));
    if (read(h->wake, &rung, sizeof rung) < 0)
        rung = 0;
    receive_any(h, out);
    return SQ_OK;
}

void sq_hub_hold_bulk(struct sq_hub *h, int hold)
{
    h->hold_bulk = hold;
}

void sq_hub_pause(struct sq_hub *h, int timeout_ms)
{
    struct pollfd wake = {.fd = h->wake, .events = POLLIN};
    uint64_t rung;
    if (poll(&wake, 1, timeout_ms) == 1 && read(h->wake, &rung, sizeof rung) < 0)
        return; /* someone else took it: nothing to wait for either */
}

void sq_hub_wake(struct sq_hub *h)
{
    uint64_t one = 1;
    if (write(h->wake, &one, sizeof one) < 0)
        return; /* the counter is full: it is awake anyway */
}

/* ---- sending ---- */

sq_status sq_hub_reply(struct sq_hub *h, const struct sq_route *route, sq_bytes bytes, struct sq_error *err)
{
    if (zmq_send(h->router, route->id, route->size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(h->router, bytes.data, bytes.size, ZMQ_DONTWAIT) < 0) {
        h->counters.reply_failed++;
        return sq_fail(err, SQ_E_NETWORK, "answer: %s", zmq_strerror(errno));
    }
    h->counters.sent++;
    return SQ_OK;
}

static void connect_again(struct sq_hub *h, size_t i)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t now = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    if (h->peer[i].refused_ms != 0 && now - h->peer[i].refused_ms >= CONNECT_AGAIN_MS)
        sq_dealer_again(h->peer[i].socket, h->peer[i].endpoint);
    else if (h->peer[i].refused_ms != 0)
        return;
    h->peer[i].refused_ms = now;
}

sq_status sq_hub_send(struct sq_hub *h, uint32_t node, sq_bytes bytes, struct sq_error *err)
{
    for (size_t i = 0; i < h->peer_count; i++) {
        if (h->peer[i].node != node)
            continue;
        if (zmq_send(h->peer[i].socket, bytes.data, bytes.size, ZMQ_DONTWAIT) < 0) {
            sq_status st = sq_fail(err, SQ_E_NETWORK, "send to peer: %s", zmq_strerror(errno));
            connect_again(h, i);
            return st;
        }
        h->peer[i].refused_ms = 0;
        h->counters.sent++;
        return SQ_OK;
    }
    return sq_fail(err, SQ_E_NOT_FOUND, "no peer with number %u", node);
}

void sq_hub_counters(const struct sq_hub *h, struct sq_hub_counters *out)
{
    *out = h->counters;
    out->denied_handshakes = atomic_load(&h->zap.denied);
}
