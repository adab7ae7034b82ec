/*
 * A node's sockets, over loopback: who gets in, who is cut off, what is dropped. Strangers here speak ZeroMQ directly: a hub and a
 * client would not do what they do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "peers/hub.h"
#include "peers/lines.h"
#include "peers/sockets.h"
#include "peers/zap.h"

#define ROOM        (2u << 20) /* for what waits: half of it for one */
#define PATIENCE_MS 10000      /* for what must come; nothing waits so long when all is well */
#define A           "provider:91310199TXXXXX0015"
#define B           "holder:12370199TXXXXX132Y"

struct keys {
    uint8_t public_key[SQ_KEY_SIZE], secret[SQ_KEY_SIZE];
};

struct node {
    struct sq_hub *hub;
    void *context; /* of the others */
    void *socket[16];
    unsigned sockets;
    struct keys server, a, b, stranger;
};

/* Closed at the end, also of a test that fails. */
static void *with(struct node *n, void *socket)
{
    assert_non_null(socket);
    assert_true(n->sockets < sizeof n->socket / sizeof *n->socket);
    return n->socket[n->sockets++] = socket;
}

static int begin(void **state)
{
    struct node *n = calloc(1, sizeof *n);
    struct sq_error err = {0};
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    sq_curve_keypair(n->server.public_key, n->server.secret);
    sq_curve_keypair(n->a.public_key, n->a.secret);
    sq_curve_keypair(n->b.public_key, n->b.secret);
    sq_curve_keypair(n->stranger.public_key, n->stranger.secret);
    const struct sq_hub_options o = {.bind = "tcp://127.0.0.1:*",
                                     .transport_public = n->server.public_key,
                                     .transport_secret = n->server.secret,
                                     .room = ROOM};
    if (sq_hub_open(&o, &n->hub, &err) != SQ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sq_hub_allow(n->hub, n->a.public_key, A, NULL), SQ_OK);
    assert_int_equal(sq_hub_allow(n->hub, n->b.public_key, B, NULL), SQ_OK);
    n->context = zmq_ctx_new();
    *state = n;
    return 0;
}

static int end(void **state)
{
    struct node *n = *state;
    while (n->sockets != 0)
        zmq_close(n->socket[--n->sockets]);
    sq_hub_close(n->hub);
    zmq_ctx_term(n->context);
    free(n);
    return 0;
}

static void *dial(struct node *n, const struct keys *k)
{
    int patience = PATIENCE_MS;
    void *s =
        with(n, sq_dealer(n->context, sq_hub_endpoint(n->hub), n->server.public_key, k->public_key, k->secret, 100));
    zmq_setsockopt(s, ZMQ_SNDTIMEO, &patience, sizeof patience); /* a send waits for the connection */
    zmq_setsockopt(s, ZMQ_RCVTIMEO, &patience, sizeof patience);
    return s;
}

static void say(void *socket, const char *text)
{
    assert_int_equal(zmq_send(socket, text, strlen(text), 0), strlen(text));
}

/* The next message; fails the test when none comes. */
static struct sq_arrival next(struct node *n)
{
    struct sq_arrival a;
    for (int waited = 0; waited < PATIENCE_MS; waited += 100) {
        assert_int_equal(sq_hub_receive(n->hub, 100, -1, &a, NULL), SQ_OK);
        if (a.bytes.size != 0)
            return a;
    }
    fail_msg("no message came");
    return a;
}

static void comes(struct node *n, const char *from, const char *text)
{
    struct sq_arrival a = next(n);
    assert_string_equal(a.from, from);
    assert_true(a.bytes.size == strlen(text) && memcmp(a.bytes.data, text, a.bytes.size) == 0);
    assert_int_equal(a.from_peer, 0);
}

static struct sq_hub_counters counters(struct node *n)
{
    struct sq_hub_counters c;
    sq_hub_counters(n->hub, &c);
    return c;
}

/* ---- who gets in ---- */

static void a_known_key_is_heard_under_its_name_and_answered(void **state)
{
    struct node *n = *state;
    char answer[8];
    void *a = dial(n, &n->a), *b = dial(n, &n->b);
    say(a, "from a");
    struct sq_arrival one = next(n);
    assert_string_equal(one.from, A);
    assert_memory_equal(one.bytes.data, "from a", 6);
    struct sq_route route = one.route;
    say(b, "from b");
    comes(n, B, "from b");
    assert_int_equal(sq_hub_reply(n->hub, &route, sq_bytes_of("to a", 4), NULL),
                     SQ_OK); /* a route is a value that may be kept */
    assert_int_equal(zmq_recv(a, answer, sizeof answer, 0), 4);
    assert_memory_equal(answer, "to a", 4);
    assert_true(counters(n).received == 2 && counters(n).sent == 1);
}

/* How a handshake with this key ends: ZMQ_EVENT_HANDSHAKE_..., or ZMQ_EVENT_DISCONNECTED without an outcome. */
static uint16_t handshake(struct node *n, const struct keys *k, const char *watch)
{
    int patience = PATIENCE_MS, events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                         ZMQ_EVENT_DISCONNECTED;
    uint8_t event[6], address[256];
    uint16_t number;
    void *s = with(n, sq_dealer(n->context, NULL, n->server.public_key, k->public_key, k->secret, 100)),
         *monitor = with(n, zmq_socket(n->context, ZMQ_PAIR));
    assert_int_equal(zmq_socket_monitor(s, watch, events), 0);
    assert_int_equal(zmq_connect(monitor, watch), 0);
    assert_int_equal(zmq_connect(s, sq_hub_endpoint(n->hub)), 0);
    zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(zmq_recv(monitor, event, sizeof event, 0), sizeof event);
    memcpy(&number, event, sizeof number);
    assert_true(zmq_recv(monitor, address, sizeof address, 0) >= 0);
    zmq_socket_monitor(s, NULL, 0);
    return number;
}

static void an_unknown_key_is_refused(void **state)
{
    struct node *n = *state;
    uint64_t denied = counters(n).denied_handshakes;
    assert_int_equal(handshake(n, &n->stranger, "inproc://stranger"), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    assert_true(counters(n).denied_handshakes == denied + 1);
    assert_int_equal(handshake(n, &n->a, "inproc://known"), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    assert_true(counters(n).denied_handshakes == denied + 1);
}

static void without_its_handler_a_node_lets_nobody_in(void **state)
{
    struct node *n = *state;
    sq_zap_stop(sq_hub_zap(n->hub));
    assert_int_not_equal(handshake(n, &n->stranger, "inproc://stranger"), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    assert_int_not_equal(handshake(n, &n->a, "inproc://known"), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
}

static void a_session_from_before_goes_on_when_the_handler_dies(void **state)
{
    struct node *n = *state;
    void *a = dial(n, &n->a);
    say(a, "one");
    comes(n, A, "one");
    sq_zap_stop(sq_hub_zap(n->hub));
    say(a, "two");
    comes(n, A, "two");
}

static void a_key_that_is_allowed_later_gets_in_later(void **state)
{
    struct node *n = *state;
    assert_int_equal(handshake(n, &n->stranger, "inproc://before"), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    assert_int_equal(sq_hub_allow(n->hub, n->stranger.public_key, "regulator:mof", NULL), SQ_OK);
    void *s = dial(n, &n->stranger);
    say(s, "hello");
    comes(n, "regulator:mof", "hello");
}

static void only_a_participant_s_name_can_be_allowed(void **state)
{
    struct node *n = *state;
    char most[SQ_NAME_SIZE_MAX + 1], more[SQ_NAME_SIZE_MAX + 2];
    memset(most, 'a', sizeof most - 1);
    memset(more, 'a', sizeof more - 1);
    most[sizeof most - 1] = more[sizeof more - 1] = '\0';
    assert_int_equal(sq_hub_allow(n->hub, n->stranger.public_key, "", NULL), SQ_E_FORMAT);
    assert_int_equal(sq_hub_allow(n->hub, n->stranger.public_key, more, NULL), SQ_E_FORMAT);
    assert_int_equal(handshake(n, &n->stranger, "inproc://before"), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    assert_int_equal(sq_hub_allow(n->hub, n->stranger.public_key, most, NULL), SQ_OK);
    void *s = dial(n, &n->stranger);
    say(s, "long");
    comes(n, most, "long");
}

/* ---- who is cut off ---- */

static void dropped_unnamed(struct node *n, uint64_t before)
{
    struct sq_arrival a;
    for (int waited = 0; counters(n).dropped_no_identity == before; waited += 100) {
        assert_true(waited < PATIENCE_MS);
        assert_int_equal(sq_hub_receive(n->hub, 100, -1, &a, NULL), SQ_OK);
        assert_int_equal(a.bytes.size, 0);
    }
}

static void a_denied_key_is_cut_off_in_its_session_too(void **state)
{
    struct node *n = *state;
    void *a = dial(n, &n->a), *b = dial(n, &n->b);
    say(a, "one");
    comes(n, A, "one");
    uint64_t before = counters(n).dropped_no_identity;
    sq_hub_deny(n->hub, n->a.public_key);
    say(a, "two");
    dropped_unnamed(n, before);
    say(b, "still here");
    comes(n, B, "still here");
    assert_int_equal(handshake(n, &n->a, "inproc://again"), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
}

static void of_two_keys_of_one_name_only_the_denied_one_is_cut_off(void **state)
{
    struct node *n = *state;
    assert_int_equal(sq_hub_allow(n->hub, n->stranger.public_key, A, NULL), SQ_OK); /* the new key of a participant */
    void *old = dial(n, &n->a), *fresh = dial(n, &n->stranger);
    say(old, "old");
    comes(n, A, "old");
    say(fresh, "fresh");
    comes(n, A, "fresh");
    uint64_t before = counters(n).dropped_no_identity;
    sq_hub_deny(n->hub, n->a.public_key);
    say(old, "old again");
    dropped_unnamed(n, before);
    say(fresh, "fresh again");
    comes(n, A, "fresh again");
}

static void a_key_under_a_new_name_does_not_go_on_under_the_old_one(void **state)
{
    struct node *n = *state;
    void *a = dial(n, &n->a);
    say(a, "one");
    comes(n, A, "one");
    uint64_t before = counters(n).dropped_no_identity;
    assert_int_equal(sq_hub_allow(n->hub, n->a.public_key, "regulator:mof", NULL), SQ_OK);
    say(a, "two");
    dropped_unnamed(n, before);
    a = dial(n, &n->a);
    say(a, "three");
    comes(n, "regulator:mof", "three");
}

/* ---- what is dropped ---- */

static void a_routing_id_of_one_s_own_gets_nowhere_and_takes_nobody_s_place(void **state)
{
    struct node *n = *state;
    char answer[8];
    void *b = dial(n, &n->b);
    say(b, "mine");
    struct sq_route route = next(n).route;
    assert_true(route.size == 5 && route.id[0] == 0);
    uint64_t before = counters(n).dropped_shape;
    static const char *const wanted[] = {"AAAAA", "310000-the-node-itself"};
    for (size_t i = 0; i < 2; i++) {
        int patience = PATIENCE_MS;
        void *a = with(n, sq_dealer(n->context, NULL, n->server.public_key, n->a.public_key, n->a.secret, 100));
        assert_int_equal(zmq_setsockopt(a, ZMQ_ROUTING_ID, wanted[i], strlen(wanted[i])), 0);
        zmq_setsockopt(a, ZMQ_SNDTIMEO, &patience, sizeof patience);
        assert_int_equal(zmq_connect(a, sq_hub_endpoint(n->hub)), 0);
        say(a, "I am somebody");
        for (int waited = 0; counters(n).dropped_shape == before; waited += 100) {
            struct sq_arrival nothing;
            assert_true(waited < PATIENCE_MS);
            assert_int_equal(sq_hub_receive(n->hub, 100, -1, &nothing, NULL), SQ_OK);
            assert_int_equal(nothing.bytes.size, 0);
        }
        before = counters(n).dropped_shape;
    }
    assert_int_equal(sq_hub_reply(n->hub, &route, sq_bytes_of("yours", 5), NULL), SQ_OK);
    assert_int_equal(zmq_recv(b, answer, sizeof answer, 0), 5);
}

static void only_one_frame_and_not_an_empty_one_is_a_message(void **state)
{
    struct node *n = *state;
    void *a = dial(n, &n->a);
    uint64_t before = counters(n).dropped_shape;
    assert_int_equal(zmq_send(a, "one", 3, ZMQ_SNDMORE), 3);
    assert_int_equal(zmq_send(a, "two", 3, 0), 3);
    for (int i = 0; i < 20; i++)
        assert_int_equal(zmq_send(a, "many", 4, i < 19 ? ZMQ_SNDMORE : 0), 4);
    assert_int_equal(zmq_send(a, "", 0, 0), 0);
    say(a, "whole");
    comes(n, A, "whole"); /* in the order sent: the others have been looked at */
    assert_true(counters(n).dropped_shape == before + 3);
}

static void the_largest_message_comes_through_and_a_larger_one_cuts_the_connection(void **state)
{
    struct node *n = *state;
    uint8_t *bytes = calloc(1, SQ_MESSAGE_SIZE_MAX + 1);
    void *a = dial(n, &n->a), *b = dial(n, &n->b);
    memset(bytes, 0x42, SQ_MESSAGE_SIZE_MAX + 1);
    say(b, "b is there");
    comes(n, B, "b is there");
    size_t largest =
        SQ_MESSAGE_SIZE_MAX - 256; /* the largest envelope, whose body leaves room for its frame, is smaller */
    assert_int_equal(zmq_send(a, bytes, largest, 0), largest);
    struct sq_arrival arrival = next(n);
    assert_int_equal(arrival.bytes.size, largest);
    assert_memory_equal(arrival.bytes.data, bytes, largest);
    struct sq_route before = arrival.route;
    assert_int_equal(zmq_send(a, bytes, SQ_MESSAGE_SIZE_MAX + 1, 0), SQ_MESSAGE_SIZE_MAX + 1);
    /* The connection is gone with the message; the socket makes a new one by itself, which is another route. */
    sq_status st = SQ_OK;
    for (int waited = 0; st == SQ_OK; waited += 20) {
        struct sq_arrival nothing;
        assert_true(waited < PATIENCE_MS);
        assert_int_equal(sq_hub_receive(n->hub, 20, -1, &nothing, NULL), SQ_OK);
        assert_int_equal(nothing.bytes.size, 0);
        st = sq_hub_reply(n->hub, &before, sq_bytes_of("?", 1), NULL);
    }
    assert_int_equal(st, SQ_E_NETWORK);
    assert_true(counters(n).reply_failed == 1);
    say(a, "small");
    comes(n, A, "small");
    say(b, "b as well");
    comes(n, B, "b as well");
    free(bytes);
}

static void a_connection_without_curve_or_with_noise_gets_nowhere(void **state)
{
    struct node *n = *state;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)strtoul(strrchr(sq_hub_endpoint(n->hub), ':') + 1, NULL, 10));
    uint8_t noise[4096];
    void *plain = with(n, zmq_socket(n->context, ZMQ_DEALER)), *a;
    int linger = 0;
    zmq_setsockopt(plain, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(plain, sq_hub_endpoint(n->hub)), 0);
    assert_int_equal(zmq_send(plain, "in the clear", 12, 0), 12); /* queued; there will be no connection */
    for (int i = 0; i < 20; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        sq_random(noise, sizeof noise);
        if (i % 2 == 0)
            memcpy(noise, "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0CURVE", 17); /* it begins like ZMTP */
        assert_true(write(fd, noise, sizeof noise) > 0);
        close(fd);
    }
    a = dial(n, &n->a);
    for (int i = 0; i < 10; i++) {
        say(a, "served");
        comes(n, A, "served"); /* the only thing that ever comes */
    }
}

/* ---- peers, waking, errors ---- */

static void a_peer_is_sent_to_and_its_answers_come_from_it(void **state)
{
    struct node *n = *state;
    struct sq_hub *other;
    struct sq_hub_peer peer = {.node = 7, .endpoint = sq_hub_endpoint(n->hub)};
    memcpy(peer.transport_key, n->server.public_key, SQ_KEY_SIZE);
    const struct sq_hub_options o = {.bind = "tcp://127.0.0.1:*",
                                     .transport_public = n->b.public_key,
                                     .transport_secret = n->b.secret,
                                     .peers = &peer,
                                     .peer_count = 1};
    assert_int_equal(sq_hub_open(&o, &other, NULL), SQ_OK);
    sq_status st = SQ_E_NETWORK;
    struct sq_arrival a = {0};
    for (int waited = 0; st != SQ_OK; waited += 20) { /* until it is connected */
        assert_true(waited < PATIENCE_MS);
        st = sq_hub_send(other, 7, sq_bytes_of("ping", 4), NULL);
        assert_int_equal(sq_hub_receive(other, 20, -1, &a, NULL), SQ_OK);
    }
    struct sq_arrival ping = next(n);
    assert_string_equal(ping.from, B);
    assert_int_equal(sq_hub_reply(n->hub, &ping.route, sq_bytes_of("pong", 4), NULL), SQ_OK);
    for (int waited = 0; a.bytes.size == 0; waited += 100) {
        assert_true(waited < PATIENCE_MS);
        assert_int_equal(sq_hub_receive(other, 100, -1, &a, NULL), SQ_OK);
    }
    assert_true(a.from_peer == 1 && a.node == 7 && a.from[0] == '\0');
    assert_memory_equal(a.bytes.data, "pong", 4);
    assert_int_equal(sq_hub_send(other, 8, sq_bytes_of("x", 1), NULL), SQ_E_NOT_FOUND);
    sq_hub_close(other);
}

static void a_route_that_never_was_is_told(void **state)
{
    struct node *n = *state;
    const struct sq_route nowhere = {{0, 1, 2, 3, 4}, 5};
    struct sq_error err = {0};
    assert_int_equal(sq_hub_reply(n->hub, &nowhere, sq_bytes_of("x", 1), &err), SQ_E_NETWORK);
    assert_int_equal(err.status, SQ_E_NETWORK);
    assert_true(counters(n).reply_failed == 1 && counters(n).sent == 0);
}

static void *ring(void *hub)
{
    usleep(20000);
    sq_hub_wake(hub);
    return NULL;
}

static void another_thread_or_a_file_wakes_it(void **state)
{
    struct node *n = *state;
    struct sq_arrival a;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ring, n->hub), 0);
    assert_int_equal(sq_hub_receive(n->hub, -1, -1, &a, NULL), SQ_OK); /* for ever, were it not for the thread */
    assert_int_equal(a.bytes.size, 0);
    pthread_join(thread, NULL);
    int fd = eventfd(1, 0);
    assert_int_equal(sq_hub_receive(n->hub, -1, fd, &a, NULL), SQ_OK);
    assert_int_equal(a.bytes.size, 0);
    close(fd);
}

static void an_endpoint_that_cannot_be_served_is_refused_with_a_reason(void **state)
{
    struct node *n = *state;
    static const char *const wrong[] = {"ipc:///tmp/sanquan-test", "inproc://x", "udp://127.0.0.1:9", "127.0.0.1:1"};
    struct sq_hub *h = NULL;
    struct sq_error err = {0};
    struct sq_hub_options o = {.transport_public = n->b.public_key, .transport_secret = n->b.secret};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        o.bind = wrong[i];
        assert_int_equal(sq_hub_open(&o, &h, &err), SQ_E_CONFIG);
        assert_non_null(strstr(err.text, "tcp://"));
    }
    o.bind = sq_hub_endpoint(n->hub); /* in use */
    assert_int_equal(sq_hub_open(&o, &h, &err), SQ_E_NETWORK);
    assert_non_null(strstr(err.text, o.bind));
    o.bind = "tcp://127.0.0.1:*";
    o.transport_public = n->a.public_key; /* not the public half of the secret: the self-test finds out */
    assert_int_equal(sq_hub_open(&o, &h, &err), SQ_E_NETWORK);
    assert_non_null(strstr(err.text, "self-test"));
    assert_null(h);
    sq_hub_close(NULL);
}

/* ---- whose turn ---- */

static void what_is_small_passes_bulk_that_is_held(void **state)
{
    static char bulk[SQ_BULK_BYTES + 1];
    struct node *n = *state;
    struct sq_arrival a;
    void *flooder = dial(n, &n->a), *other = dial(n, &n->b);
    sq_hub_hold_bulk(n->hub, 1);
    memset(bulk, 'x', sizeof bulk);
    assert_int_equal(zmq_send(flooder, bulk, sizeof bulk, 0), sizeof bulk);
    say(flooder, "behind it");
    say(other, "small");
    comes(n, B, "small");
    assert_int_equal(sq_hub_receive(n->hub, 50, -1, &a, NULL), SQ_OK);
    assert_int_equal(a.bytes.size, 0);
    sq_hub_hold_bulk(n->hub, 0);
    a = next(n);
    assert_string_equal(a.from, A);
    assert_int_equal(a.bytes.size, sizeof bulk);
    comes(n, A, "behind it");
}

static void what_finds_no_room_is_handed_out_as_such_and_others_go_on(void **state)
{
    static char bulk[SQ_BULK_BYTES + 1];
    struct node *n = *state;
    struct sq_arrival a;
    enum { SENT = ROOM / sizeof bulk };
    unsigned kept = 0, turned_away = 0;
    void *flooder = dial(n, &n->a), *other = dial(n, &n->b);
    sq_hub_hold_bulk(n->hub, 1);
    memset(bulk, 'x', sizeof bulk);
    for (unsigned i = 0; i < SENT; i++)
        assert_int_equal(zmq_send(flooder, bulk, sizeof bulk, 0), sizeof bulk);
    for (say(other, "small"); (a = next(n)).no_room; turned_away++)
        assert_string_equal(a.from, A);
    assert_string_equal(a.from, B);
    for (; turned_away + kept < SENT; turned_away += a.no_room != 0, kept += !a.no_room) {
        sq_hub_hold_bulk(n->hub, turned_away == 0); /* until the line is known to be full, it is not served */
        a = next(n);
        assert_true(strcmp(a.from, A) == 0 && a.bytes.size == sizeof bulk);
    }
    assert_in_range(kept, ROOM / 2 / (sizeof bulk + SQ_LINES_MESSAGE), SENT - 1);
    assert_int_equal(counters(n).no_room, turned_away);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(a_known_key_is_heard_under_its_name_and_answered),
        STORY(an_unknown_key_is_refused),
        STORY(without_its_handler_a_node_lets_nobody_in),
        STORY(a_session_from_before_goes_on_when_the_handler_dies),
        STORY(a_key_that_is_allowed_later_gets_in_later),
        STORY(only_a_participant_s_name_can_be_allowed),
        STORY(a_denied_key_is_cut_off_in_its_session_too),
        STORY(of_two_keys_of_one_name_only_the_denied_one_is_cut_off),
        STORY(a_key_under_a_new_name_does_not_go_on_under_the_old_one),
        STORY(a_routing_id_of_one_s_own_gets_nowhere_and_takes_nobody_s_place),
        STORY(only_one_frame_and_not_an_empty_one_is_a_message),
        STORY(the_largest_message_comes_through_and_a_larger_one_cuts_the_connection),
        STORY(a_connection_without_curve_or_with_noise_gets_nowhere),
        STORY(a_peer_is_sent_to_and_its_answers_come_from_it),
        STORY(a_route_that_never_was_is_told),
        STORY(what_is_small_passes_bulk_that_is_held),
        STORY(what_finds_no_room_is_handed_out_as_such_and_others_go_on),
        STORY(another_thread_or_a_file_wakes_it),
        STORY(an_endpoint_that_cannot_be_served_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
