/* Connections that were refused, or began before the other side was there, come about without a restart of anyone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peers/client.h"
#include "peers/hub.h"
#include "tests/support/rig.h"

struct ends {
    struct sq_keys *server, *peer, *person;
    char endpoint[64];
    struct sq_hub *hub, *dialler; /* dialler: a node with `hub` as its peer number 7 */
};

static int begin(void **state)
{
    struct ends *e = calloc(1, sizeof *e);
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    e->server = rig_keys("node", "310000");
    e->peer = rig_keys("node", "370000");
    e->person = rig_keys("operator", "310000/li");
    snprintf(e->endpoint, sizeof e->endpoint, "tcp://127.0.0.1:%u", rig_free_port());
    struct sq_hub_peer to = {.node = 7, .endpoint = e->endpoint};
    memcpy(to.transport_key, e->server->transport_public, SQ_KEY_SIZE);
    struct sq_hub_options o = {.bind = "tcp://127.0.0.1:*",
                               .transport_public = e->peer->transport_public,
                               .transport_secret = e->peer->transport_secret,
                               .peers = &to,
                               .peer_count = 1};
    assert_int_equal(sq_hub_open(&o, &e->dialler, NULL), SQ_OK);
    *state = e;
    return 0;
}

static int end(void **state)
{
    struct ends *e = *state;
    sq_hub_close(e->hub);
    sq_hub_close(e->dialler);
    sq_secret_free(e->server);
    sq_secret_free(e->peer);
    sq_secret_free(e->person);
    free(e);
    return 0;
}

static void open_server(struct ends *e, sq_status (*allow)(void *, struct sq_hub *, struct sq_error *))
{
    struct sq_hub_options o = {.bind = e->endpoint,
                               .transport_public = e->server->transport_public,
                               .transport_secret = e->server->transport_secret,
                               .allow_first = allow,
                               .allow_ctx = e};
    assert_int_equal(sq_hub_open(&o, &e->hub, NULL), SQ_OK);
}

/* Who spoke to the server next; "" when nobody does. */
static const char *next_speaker(struct ends *e, double until, char out[static SQ_NAME_SIZE_MAX + 1])
{
    struct sq_arrival a;
    out[0] = '\0';
    while (rig_seconds() < until && out[0] == '\0') {
        (void)!sq_hub_send(e->dialler, 7, sq_bytes_of("peer", 4), NULL);
        assert_int_equal(sq_hub_receive(e->hub, 20, -1, &a, NULL), SQ_OK);
        if (a.bytes.size != 0)
            strcpy(out, a.from);
    }
    return out;
}

static sq_status allow_peer(void *ctx, struct sq_hub *h, struct sq_error *err)
{
    struct ends *e = ctx;
    assert_string_equal(sq_hub_endpoint(h), ""); /* nobody can have been refused yet */
    return sq_hub_allow(h, e->peer->transport_public, "node:370000", err);
}

static void a_peer_that_dialled_before_the_node_was_there_is_let_in_at_its_first_try(void **state)
{
    struct ends *e = *state;
    char name[SQ_NAME_SIZE_MAX + 1];
    struct sq_hub_counters counted;
    assert_int_equal(sq_hub_send(e->dialler, 7, sq_bytes_of("peer", 4), NULL), SQ_E_NETWORK);
    open_server(e, allow_peer);
    assert_string_equal(next_speaker(e, rig_seconds() + 20, name), "node:370000");
    sq_hub_counters(e->hub, &counted);
    assert_int_equal(counted.denied_handshakes, 1); /* the self-test's stranger */
}

static void those_who_were_refused_are_let_in_once_they_are_known(void **state)
{
    struct ends *e = *state;
    char name[SQ_NAME_SIZE_MAX + 1];
    struct sq_hub_counters counted = {0};
    struct sq_client *c;
    uint64_t last;
    uint8_t network[32] = {1};
    open_server(e, NULL);
    struct sq_client_options o = {e->endpoint, "310000", e->server->transport_public, e->server->public_key, network,
                                  e->person,   1};
    assert_int_equal(sq_client_open(&o, &c, NULL), SQ_OK);
    for (double late = rig_seconds() + 20; counted.denied_handshakes < 3; sq_hub_counters(e->hub, &counted)) {
        assert_true(rig_seconds() < late);
        next_speaker(e, rig_seconds() + 0.05, name);
        assert_string_equal(name, "");
    }
    assert_int_equal(sq_hub_allow(e->hub, e->peer->transport_public, "node:370000", NULL), SQ_OK);
    assert_int_equal(sq_hub_allow(e->hub, e->person->transport_public, "operator:310000/li", NULL), SQ_OK);
    for (double late = rig_seconds() + 20; strcmp(name, "operator:310000/li") != 0;
         next_speaker(e, rig_seconds() + 0.1, name)) {
        assert_true(rig_seconds() < late);
        assert_int_equal(sq_client_hello(c, 100, &last, NULL), SQ_E_TIMEOUT); /* nobody answers here */
    }
    sq_client_close(c);
    while (strcmp(name, "node:370000") != 0)
        assert_string_not_equal(next_speaker(e, rig_seconds() + 20, name), "");
}

/* TCP connections made and those that became sessions, as the hub has counted them until now. */
static struct sq_hub_counters turn(struct sq_hub *h)
{
    struct sq_hub_counters c;
    struct sq_arrival a;
    assert_int_equal(sq_hub_receive(h, 10, -1, &a, NULL), SQ_OK);
    sq_hub_counters(h, &c);
    return c;
}

static void connections_that_never_become_sessions_are_counted(void **state)
{
    struct ends *e = *state;
    char name[SQ_NAME_SIZE_MAX + 1];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    open_server(e, allow_peer);
    assert_string_equal(next_speaker(e, rig_seconds() + 20, name), "node:370000");
    struct sq_hub_counters before = turn(e->hub), now = before;
    assert_int_equal(before.established, 2); /* the peer, and the self-test's known key */
    a.sin_port = htons((uint16_t)atoi(strrchr(e->endpoint, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
                write(fd, "GET / HTTP/1.1\r\n\r\n", 18) == 18);
    for (double late = rig_seconds() + 20; now.accepted == before.accepted; now = turn(e->hub))
        assert_true(rig_seconds() < late);
    close(fd);
    now = turn(e->hub);
    assert_true(now.accepted == before.accepted + 1 && now.established == before.established &&
                now.denied_handshakes == before.denied_handshakes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_peer_that_dialled_before_the_node_was_there_is_let_in_at_its_first_try, begin,
                                        end),
        cmocka_unit_test_setup_teardown(connections_that_never_become_sessions_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(those_who_were_refused_are_let_in_once_they_are_known, begin, end),
    };
    return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
