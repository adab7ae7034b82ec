/*
 * A ledger restored from an old backup: what peers remember of the node, and can show, stops it before it says anything. What a peer
 * only says does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clearing/base/arena.h"
#include "clearing/base/hash.h"
#include "peers/hub.h"
#include "peers/message.h"
#include "tests/support/messages.h"
#include "tests/support/rig.h"

struct story {
    char dir[64];
    struct rig *r;
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    const char *build = getenv("BUILD");
    char program[300];
    strcpy(s->dir, "/tmp/sanquan-copy-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(program, sizeof program, "%s/sanquand", build != NULL ? build : "build/release");
    s->r = rig_new(s->dir, program, 2, NULL);
    *state = s;
    return 0;
}

static void run(const char *format, const char *a, const char *b)
{
    char command[900];
    snprintf(command, sizeof command, format, a, b);
    assert_int_equal(system(command), 0);
}

static int end(void **state)
{
    struct story *s = *state;
    rig_free(s->r);
    run("rm -rf %s%s", s->dir, "");
    free(s);
    return 0;
}

/* A programme is told to every node: one message of node 0 to node 1. */
static void publish(struct story *s)
{
    Sanquan__V1__Programme p;
    char title[] = "told to all";
    sanquan__v1__programme__init(&p);
    p.issuer = 310000;
    p.number = 1;
    p.version = 1;
    p.kind = 1;
    p.title = title;
    p.from_day = 20260101;
    p.until_day = 20991231;
    p.rate_bp = 3000;
    p.base_kind = 1;
    p.pool_fen = 1000000;
    struct sq_client *c = rig_client(s->r, 0, s->r->node[0].issuer, 1);
    rig_say(c, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base);
    sq_client_close(c);
}

/* The other node has it when it knows the programme. */
static void wait_until_told(struct story *s)
{
    struct sq_client *c = rig_client(s->r, 1, s->r->node[1].maker, 1);
    const char *json = "";
    for (int i = 0; i < 200 && strstr(json, "told to all") == NULL; i++) {
        assert_int_equal(sq_client_query(c, "programmes", 5000, &json, NULL), SQ_OK);
        usleep(50000);
    }
    assert_non_null(strstr(json, "told to all"));
    sq_client_close(c);
}

/* rig_start would wait for a node that serves. */
static void start_and_look_away(struct story *s, unsigned node)
{
    struct rig_node *n = &s->r->node[node];
    char log[320];
    snprintf(log, sizeof log, "%s/%s.log", s->dir, n->code);
    n->pid = fork();
    assert_true(n->pid >= 0);
    if (n->pid == 0) {
        if (freopen(log, "a", stderr) == NULL)
            _exit(126);
        execl(s->r->daemon, s->r->daemon, "--config", n->config, (char *)NULL);
        _exit(127);
    }
}

static int exit_code(struct story *s, unsigned node, int patience_ms)
{
    int status = -1;
    pid_t pid = s->r->node[node].pid;
    for (int waited = 0; waited < patience_ms; waited += 50) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            s->r->node[node].pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
        usleep(50000);
    }
    return -1; /* it lives */
}

static void an_old_copy_of_a_ledger_does_not_serve(void **state)
{
    struct story *s = *state;
    rig_start(s->r, 0);
    rig_start(s->r, 1);
    rig_stop(s->r, 0, SIGTERM);
    run("cp -r %s %s.old", s->r->node[0].ledger, s->r->node[0].ledger);
    rig_start(s->r, 0);
    publish(s);
    wait_until_told(s);
    rig_stop(s->r, 0, SIGTERM);
    run("rm -rf %s%s", s->r->node[0].ledger, "");
    run("mv %s.old %s", s->r->node[0].ledger, s->r->node[0].ledger);
    start_and_look_away(s, 0);
    assert_int_equal(exit_code(s, 0, 10000), 2);
    run("grep -q 'it is an old copy' %s/310000.log%s", s->dir, "");
}

static void a_ledger_that_is_as_new_as_its_peers_remember_serves_again(void **state)
{
    struct story *s = *state;
    rig_start(s->r, 0);
    rig_start(s->r, 1);
    publish(s);
    wait_until_told(s);
    rig_stop(s->r, 0, SIGKILL);
    rig_start(s->r, 0);
    assert_int_equal(exit_code(s, 0, 1000), -1);
}

/* ---- node 1 is a liar: a socket under its keys ---- */

struct liar {
    struct rig *rig;
    struct sq_hub *hub;
    struct sq_route route; /* node 0's connection */
    struct sq_arena memory;
    struct sq_envelope notice; /* the first message of node 0's stream */
};

static void *take(void *arena, size_t size)
{
    return sq_arena_take(arena, size);
}

static struct liar *liar_new(struct rig *r)
{
    struct liar *l = calloc(1, sizeof *l);
    const struct sq_keys *own = r->node[1].keys, *victim = r->node[0].keys;
    const struct sq_hub_options o = {.bind = r->node[1].endpoint,
                                     .transport_public = own->transport_public,
                                     .transport_secret = own->transport_secret};
    l->rig = r;
    assert_int_equal(sq_arena_init(&l->memory, 4u << 20, NULL), SQ_OK);
    assert_int_equal(sq_hub_open(&o, &l->hub, NULL), SQ_OK);
    assert_int_equal(sq_hub_allow(l->hub, victim->transport_public, victim->name, NULL), SQ_OK);
    return l;
}

static void liar_free(struct liar *l)
{
    sq_hub_close(l->hub);
    sq_arena_free(&l->memory);
    free(l);
}

/* The next message of this type from node 0. */
static struct sq_envelope liar_hears(struct liar *l, uint32_t type)
{
    struct sq_envelope e;
    struct sq_arrival a;
    for (double late = rig_seconds() + 20; rig_seconds() < late;) {
        assert_int_equal(sq_hub_receive(l->hub, 1000, -1, &a, NULL), SQ_OK);
        if (a.bytes.size == 0)
            continue;
        const uint8_t *copy = sq_arena_copy(&l->memory, a.bytes.data, a.bytes.size);
        assert_int_equal(sq_envelope_open(sq_bytes_of(copy, a.bytes.size), &e, NULL), SQ_OK);
        l->route = a.route;
        if (e.type == type)
            return e;
    }
    fail_msg("no message of type %u came", type);
    return e;
}

static void liar_says(struct liar *l, uint32_t type, const ProtobufCMessage *m)
{
    struct sq_wire_memory memory = {take, &l->memory};
    const struct sq_keys *own = l->rig->node[1].keys;
    struct sq_header h = {type, own->name, "node:310000", 0, 1790000000000u};
    sq_bytes envelope;
    assert_int_equal(sq_message_seal(&h, message_pack(m, &l->memory), sq_directory_network_id(l->rig->directory),
                                     own->secret, &memory, &envelope, NULL),
                     SQ_OK);
    assert_int_equal(sq_hub_reply(l->hub, &l->route, envelope, NULL), SQ_OK);
}

static void liar_acks(struct liar *l, uint64_t last)
{
    Sanquan__V1__Ack m;
    sanquan__v1__ack__init(&m);
    m.last_id = last;
    liar_says(l, SANQUAN__V1__MESSAGE_TYPE__ACK, &m.base);
}

static void liar_greets_back(struct liar *l, uint64_t last, Sanquan__V1__Shown *shown)
{
    Sanquan__V1__HelloOk m;
    sanquan__v1__hello_ok__init(&m);
    m.last_id = last;
    m.last = shown;
    liar_says(l, SANQUAN__V1__MESSAGE_TYPE__HELLO_OK, &m.base);
}

/* Node 0's own message with `id` in its header, signed by whom `keys` are of; NULL: under the signature it came with. */
static Sanquan__V1__Shown *forge(struct liar *l, uint64_t id, const struct sq_keys *keys)
{
    struct sq_wire_memory memory = {take, &l->memory};
    struct sq_header h = {l->notice.type, l->notice.sender, l->notice.receiver, id, l->notice.sent_at_ms};
    struct sq_envelope e;
    sq_bytes envelope;
    Sanquan__V1__Shown *m = sq_arena_take(&l->memory, sizeof *m);
    uint8_t *parts = sq_arena_take(&l->memory, 512);
    assert_int_equal(sq_message_seal(&h, l->notice.body, sq_directory_network_id(l->rig->directory),
                                     l->rig->node[1].keys->secret, &memory, &envelope, NULL),
                     SQ_OK);
    assert_int_equal(sq_envelope_open(envelope, &e, NULL), SQ_OK);
    sanquan__v1__shown__init(m);
    sq_sha256(e.body.data, e.body.size, parts);
    memcpy(parts + 32, keys != NULL ? e.signature.data : l->notice.signature.data, 64);
    memcpy(parts + 96, e.header.data, e.header.size);
    m->body_hash = (ProtobufCBinaryData){32, parts};
    m->signature = (ProtobufCBinaryData){64, parts + 32};
    m->header = (ProtobufCBinaryData){e.header.size, parts + 96};
    return m;
}

/* What node 0 says of its stream to the liar. */
static uint64_t of_peer(struct story *s, const char *member)
{
    struct sq_client *c = rig_client(s->r, 0, s->r->node[0].maker, 1);
    const char *json;
    assert_int_equal(sq_client_query(c, "status", 5000, &json, NULL), SQ_OK);
    json_t *status = json_loads(json, 0, NULL);
    uint64_t n =
        (uint64_t)json_integer_value(json_object_get(json_array_get(json_object_get(status, "peers"), 0), member));
    json_decref(status);
    sq_client_close(c);
    return n;
}

static void wait_for(struct story *s, const char *member, uint64_t value)
{
    for (int i = 0; i < 200 && of_peer(s, member) != value; i++)
        usleep(20000);
    assert_true(of_peer(s, member) == value);
}

static void a_peer_that_claims_too_much_and_shows_nothing_does_not_stop_a_node(void **state)
{
    struct story *s = *state;
    struct liar *l = liar_new(s->r);
    rig_start(s->r, 0);
    liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__HELLO);
    liar_greets_back(l, 7, NULL);
    wait_for(s, "false_claims", 1);
    publish(s);
    l->notice = liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE);
    assert_true(l->notice.id == 1);

    liar_greets_back(l, 7, forge(l, 1, NULL)); /* its own message, and no other number than it knows */
    wait_for(s, "false_claims", 2);
    liar_greets_back(l, 7, forge(l, 7, NULL)); /* another number under the old signature */
    wait_for(s, "false_claims", 3);
    liar_greets_back(l, 7, forge(l, 7, s->r->node[1].keys)); /* and under another's */
    wait_for(s, "false_claims", 4);

    while (of_peer(s, "sent") == 0)
        usleep(20000);
    liar_acks(l, 7); /* asked to show it, and meanwhile it gets nothing else */
    liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__HELLO);
    assert_true(of_peer(s, "acknowledged") == 0);
    liar_greets_back(l, 7, NULL);
    wait_for(s, "false_claims", 5);

    assert_true(liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE).id == 1); /* the stream goes on */
    liar_acks(l, 1);
    wait_for(s, "acknowledged", 1);
    assert_int_equal(exit_code(s, 0, 0), -1);
    run("grep -q claim_without_proof %s/310000.log%s", s->dir, "");
    liar_free(l);
}

static void a_message_that_the_node_signed_and_does_not_know_stops_it_whoever_shows_it(void **state)
{
    struct story *s = *state;
    struct liar *l = liar_new(s->r);
    rig_start(s->r, 0);
    liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__HELLO);
    rig_stop(s->r, 0, SIGKILL);
    run("cp -r %s %s.old", s->r->node[0].ledger, s->r->node[0].ledger);
    rig_start(s->r, 0);
    liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__HELLO);
    liar_greets_back(l, 0, NULL);
    publish(s);
    l->notice = liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE);
    rig_stop(s->r, 0, SIGKILL);
    run("rm -rf %s%s", s->r->node[0].ledger, "");
    run("mv %s.old %s", s->r->node[0].ledger, s->r->node[0].ledger);

    start_and_look_away(s, 0);
    liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__HELLO);
    liar_acks(l, 1);
    liar_hears(l, SANQUAN__V1__MESSAGE_TYPE__HELLO); /* an ACK alone does not do it */
    assert_int_equal(exit_code(s, 0, 0), -1);
    liar_greets_back(l, 1, forge(l, 1, NULL)); /* not forged at all */
    assert_int_equal(exit_code(s, 0, 10000), 2);
    liar_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_old_copy_of_a_ledger_does_not_serve, begin, end),
        cmocka_unit_test_setup_teardown(a_peer_that_claims_too_much_and_shows_nothing_does_not_stop_a_node, begin, end),
        cmocka_unit_test_setup_teardown(a_message_that_the_node_signed_and_does_not_know_stops_it_whoever_shows_it,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_ledger_that_is_as_new_as_its_peers_remember_serves_again, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
