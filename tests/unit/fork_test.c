/*
 * A running node as the witness of one that signs two histories: both checkpoints are kept, shown, and there after a restart and in the audit.
 * Node 1 is a socket under its keys.
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
#include <unistd.h>

#include "clearing/base/arena.h"
#include "clearing/ledger/tree.h"
#include "ops/common/identity.h"
#include "peers/hub.h"
#include "peers/message.h"
#include "tests/support/messages.h"
#include "tests/support/rig.h"

struct story {
    char dir[64];
    struct rig *r;
    struct sq_hub *hub; /* node 1's */
    struct sq_arena memory;
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    const char *build = getenv("BUILD");
    char program[300];
    strcpy(s->dir, "/tmp/sanquan-fork-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(program, sizeof program, "%s/sanquand", build != NULL ? build : "build/release");
    s->r = rig_new_in(s->dir, program, 2, NULL, "witness_ms: 3600000\n");
    const struct sq_keys *own = s->r->node[1].keys, *other = s->r->node[0].keys;
    struct sq_hub_peer peer = {.node = 0, .endpoint = s->r->node[0].endpoint};
    memcpy(peer.transport_key, other->transport_public, SQ_KEY_SIZE);
    const struct sq_hub_options o = {.bind = s->r->node[1].endpoint,
                                     .transport_public = own->transport_public,
                                     .transport_secret = own->transport_secret,
                                     .peers = &peer,
                                     .peer_count = 1};
    assert_int_equal(sq_arena_init(&s->memory, 4u << 20, NULL), SQ_OK);
    assert_int_equal(sq_hub_open(&o, &s->hub, NULL), SQ_OK);
    assert_int_equal(sq_hub_allow(s->hub, other->transport_public, other->name, NULL), SQ_OK);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    char command[100];
    sq_hub_close(s->hub);
    rig_free(s->r);
    sq_arena_free(&s->memory);
    snprintf(command, sizeof command, "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}

static void *take(void *arena, size_t size)
{
    return sq_arena_take(arena, size);
}

static void name_of_log(char out[static 128])
{
    snprintf(out, 128, "rig/370000");
}

/* Node 1's message `id`: its checkpoint of ten entries, with a root of these bytes. */
static void show(struct story *s, uint64_t id, uint8_t filling)
{
    struct sq_keys *own = s->r->node[1].keys;
    struct sq_signer log = sq_log_signer(own);
    struct sq_checkpoint c = {.size = 10};
    struct sq_wire_memory memory = {take, &s->memory};
    struct sq_header h = {SANQUAN__V1__MESSAGE_TYPE__CHECKPOINT, own->name, "node:310000", id, 1790000000000u};
    Sanquan__V1__Head head;
    Sanquan__V1__Checkpoint m;
    uint8_t signature[64];
    char text[512];
    sq_bytes envelope;
    name_of_log(c.origin);
    memset(c.root, filling, sizeof c.root);
    size_t size = sq_checkpoint_body(&c, text, sizeof text);
    assert_int_equal(log.sign(log.ctx, sq_bytes_of(text, size), signature, NULL), SQ_OK);
    sanquan__v1__head__init(&head);
    sanquan__v1__checkpoint__init(&m);
    head.size = c.size;
    head.root = (ProtobufCBinaryData){sizeof c.root, c.root};
    head.signature = (ProtobufCBinaryData){sizeof signature, signature};
    m.head = &head;
    sq_arena_reset(&s->memory);
    assert_int_equal(sq_message_seal(&h, message_pack(&m.base, &s->memory), sq_directory_network_id(s->r->directory),
                                     own->secret, &memory, &envelope, NULL),
                     SQ_OK);
    (void)!sq_hub_send(s->hub, 0, envelope, NULL); /* not connected yet: it is sent again */
}

/* What node 0 says of node 1; a new reference. */
static json_t *of_witness(struct story *s)
{
    struct sq_client *c = rig_client(s->r, 0, s->r->node[0].maker, 1);
    const char *json = "";
    assert_int_equal(sq_client_query(c, "witnesses", 5000, &json, NULL), SQ_OK);
    json_t *all = json_loads(json, 0, NULL), *nodes = json_object_get(all, "nodes");
    json_t *one = json_incref(json_array_get(nodes, 1));
    json_decref(all);
    sq_client_close(c);
    return one;
}

/* Shows it until node 0 has taken it: 1 a first head is seen, 2 a fork is known. */
static json_t *show_until(struct story *s, uint64_t id, uint8_t filling, int what)
{
    for (double late = rig_seconds() + 60; rig_seconds() < late; usleep(100000)) {
        struct sq_arrival a;
        show(s, id, filling);
        assert_int_equal(sq_hub_receive(s->hub, 50, -1, &a, NULL),
                         SQ_OK); /* turns the sockets; what came is no matter */
        json_t *node = of_witness(s);
        if (what == 1 ? json_integer_value(json_object_get(node, "seen_size")) == 10
                      : json_object_get(node, "fork") != NULL)
            return node;
        json_decref(node);
    }
    fail_msg("message %d is not taken", (int)id);
    return NULL;
}

/* Both notes, each with the signature of node 1's log. */
static void check_fork(const struct story *s, const json_t *node)
{
    const json_t *fork = json_object_get(node, "fork");
    const char *notes[2] = {json_string_value(json_object_get(fork, "first")),
                            json_string_value(json_object_get(fork, "second"))};
    struct sq_note_key key = {.cosigns = 0};
    struct sq_checkpoint c[2];
    assert_non_null(fork);
    name_of_log(key.name);
    memcpy(key.key, s->r->node[1].keys->log_public, sizeof key.key);
    for (int i = 0; i < 2; i++) {
        sq_bytes body;
        uint64_t verified;
        assert_non_null(notes[i]);
        assert_int_equal(
            sq_note_open(sq_bytes_of(notes[i], strlen(notes[i])), &key, 1, sq_ed25519_check, &body, &verified, NULL),
            SQ_OK);
        assert_int_equal(sq_checkpoint_parse(body, &c[i], NULL), SQ_OK);
        assert_int_equal(c[i].size, 10);
    }
    assert_memory_not_equal(c[0].root, c[1].root, SQ_HASH_SIZE);
}

static void a_node_that_signs_two_histories_is_found_out_and_stays_so(void **state)
{
    struct story *s = *state;
    const char *build = getenv("BUILD");
    char command[700];
    rig_start(s->r, 0);
    json_t *node = show_until(s, 1, 0x11, 1);
    assert_null(json_object_get(node, "fork"));
    json_decref(node);
    node = show_until(s, 2, 0x22, 2);
    check_fork(s, node);
    assert_int_equal(json_integer_value(json_object_get(node, "seen_size")), 10);
    json_decref(node);

    rig_stop(s->r, 0, SIGKILL);
    rig_start(s->r, 0);
    node = of_witness(s);
    check_fork(s, node);
    json_decref(node);
    rig_stop(s->r, 0, SIGTERM);
    snprintf(command, sizeof command,
             "%s/sanquan audit --ledger %s --directory %s/directory.yaml --json | grep -q '\"fork\": *{\"node\": "
             "*\"370000\"'",
             build != NULL ? build : "build/release", s->r->node[0].ledger, s->dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_node_that_signs_two_histories_is_found_out_and_stays_so, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
