/* A node as a client sees it: one real sanquand, envelopes over its socket, and what proto/README.md says comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/base/hash.h"
#include "clearing/ledger/ledger.h"
#include "peers/hub.h"
#include "peers/message.h"
#include "tests/support/messages.h"
#include "tests/support/rig.h"

#define NODE 0u /* 310000 */

struct talk {
    struct rig *rig;
    struct sq_hub *hub; /* its connection to the node is ours: the operator "zhang" */
    const struct sq_keys *keys;
    const uint8_t *network, *node_key;
    struct sq_arena out, in;     /* what was sealed last, what came last; kept for one exchange */
    struct sq_envelope envelope; /* what came last */
    uint64_t next;               /* id */
};

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

/* ---- sending and receiving ---- */

static sq_bytes seal(struct talk *t, const struct sq_header *h, sq_bytes body, const uint8_t *network,
                     const struct sq_keys *keys)
{
    struct sq_wire_memory memory = {take, &t->out};
    sq_bytes envelope;
    assert_int_equal(sq_message_seal(h, body, network, keys->secret, &memory, &envelope, NULL), SQ_OK);
    return envelope;
}

static struct sq_header header(const struct talk *t, uint32_t type, uint64_t id)
{
    return (struct sq_header){type, t->keys->name, "node:310000", id, 1790000000000u};
}

static sq_bytes letter(struct talk *t, uint32_t type, uint64_t id, const ProtobufCMessage *body)
{
    struct sq_header h = header(t, type, id);
    return seal(t, &h, message_pack(body, &t->out), t->network, t->keys);
}

static void post(struct talk *t, sq_bytes envelope)
{
    for (double late = rig_seconds() + 20; sq_hub_send(t->hub, NODE, envelope, NULL) != SQ_OK; usleep(1000))
        assert_true(rig_seconds() < late); /* the connection is being made */
}

/* The next message that the node has signed for us. */
static const ProtobufCMessage *hear(struct talk *t, uint32_t type)
{
    struct sq_wire_memory memory = {take, &t->in};
    struct sq_arrival a;
    ProtobufCMessage *m;
    for (double late = rig_seconds() + 20; rig_seconds() < late;) {
        assert_int_equal(sq_hub_receive(t->hub, 1000, -1, &a, NULL), SQ_OK);
        if (a.bytes.size == 0)
            continue;
        sq_arena_reset(&t->in);
        const uint8_t *copy = sq_arena_copy(&t->in, a.bytes.data, a.bytes.size);
        assert_int_equal(sq_envelope_open(sq_bytes_of(copy, a.bytes.size), &t->envelope, NULL), SQ_OK);
        assert_string_equal(t->envelope.sender, "node:310000");
        assert_string_equal(t->envelope.receiver, t->keys->name);
        assert_true(t->envelope.id == 0);
        assert_int_equal(sq_message_check(&t->envelope, t->network, t->node_key, NULL), SQ_OK);
        if (t->envelope.type != type)
            print_error("type %u came, %u was expected\n", t->envelope.type, type);
        assert_int_equal(t->envelope.type, type);
        assert_int_equal(sq_wire_open(sq_wire_type(type), t->envelope.body, &memory, &m, NULL), SQ_OK);
        return m;
    }
    fail_msg("no answer");
    return NULL;
}

static const Sanquan__V1__Refusal *hear_refusal(struct talk *t, unsigned status)
{
    const Sanquan__V1__Refusal *r = (const Sanquan__V1__Refusal *)hear(t, SANQUAN__V1__MESSAGE_TYPE__REFUSAL);
    if (r->status != status)
        print_error("%s came: %s\n", sq_status_name(r->status), r->detail);
    assert_int_equal(r->status, status);
    assert_int_equal(r->retry_after_ms != 0, sq_status_retry(status));
    return r;
}

/* The answer in a receipt, which proves what it says. */
static const Sanquan__V1__Answer *hear_receipt(struct talk *t, const Sanquan__V1__Receipt **receipt)
{
    struct sq_wire_memory memory = {take, &t->in};
    const Sanquan__V1__Receipt *r = (const Sanquan__V1__Receipt *)hear(t, SANQUAN__V1__MESSAGE_TYPE__RECEIPT);
    ProtobufCMessage *answer;
    struct sq_error err = {0};
    sq_status st = sq_receipt_verify(r, "rig/310000", t->rig->node[NODE].keys->log_public, &err);
    if (st != SQ_OK)
        print_error("%s\n", err.text);
    assert_int_equal(st, SQ_OK);
    assert_int_equal(sq_wire_open(&sanquan__v1__answer__descriptor, sq_bytes_of(r->answer.data, r->answer.len), &memory,
                                  &answer, NULL),
                     SQ_OK);
    if (receipt != NULL)
        *receipt = r;
    return (const Sanquan__V1__Answer *)answer;
}

static const Sanquan__V1__HelloOk *hello(struct talk *t, uint64_t nonce)
{
    Sanquan__V1__Hello m;
    sanquan__v1__hello__init(&m);
    m.nonce = nonce;
    post(t, letter(t, SANQUAN__V1__MESSAGE_TYPE__HELLO, 0, &m.base));
    const Sanquan__V1__HelloOk *ok = (const Sanquan__V1__HelloOk *)hear(t, SANQUAN__V1__MESSAGE_TYPE__HELLO_OK);
    assert_true(ok->nonce == nonce);
    return ok;
}

/* ---- set-up ---- */

static int begin(void **state)
{
    const char *build = getenv("BUILD");
    struct talk *t = calloc(1, sizeof *t);
    char dir[200], daemon[200];
    assert_non_null(t);
    snprintf(dir, sizeof dir, "%s/tests/node_wire", build != NULL ? build : "build/release");
    snprintf(daemon, sizeof daemon, "%s/sanquand", build != NULL ? build : "build/release");
    t->rig = rig_new(dir, daemon, 1, NULL);
    rig_start(t->rig, NODE);
    const struct rig_node *n = &t->rig->node[NODE];
    t->keys = n->checker;
    t->network = sq_directory_network_id(t->rig->directory);
    t->node_key = n->keys->public_key;
    struct sq_hub_peer peer = {.node = NODE, .endpoint = n->endpoint};
    memcpy(peer.transport_key, n->keys->transport_public, SQ_KEY_SIZE);
    struct sq_hub_options o = {.bind = "tcp://127.0.0.1:*",
                               .transport_public = t->keys->transport_public,
                               .transport_secret = t->keys->transport_secret,
                               .peers = &peer,
                               .peer_count = 1};
    assert_int_equal(sq_hub_open(&o, &t->hub, NULL), SQ_OK);
    assert_int_equal(sq_arena_init(&t->out, 4u << 20, NULL), SQ_OK);
    assert_int_equal(sq_arena_init(&t->in, 4u << 20, NULL), SQ_OK);
    *state = t;
    return 0;
}

static int end(void **state)
{
    struct talk *t = *state;
    sq_hub_close(t->hub);
    rig_free(t->rig);
    sq_arena_free(&t->out);
    sq_arena_free(&t->in);
    free(t);
    return 0;
}

/* Where the stream stands, so that each story can be read, and run, by itself. */
static int ask(void **state)
{
    struct talk *t = *state;
    sq_arena_reset(&t->out);
    t->next = hello(t, 99)->last_id + 1;
    return 0;
}

/* An enrolment of one party of the role ("provider:"); `n` tells one from another. */
static sq_bytes enrolment_as(struct talk *t, uint64_t id, unsigned n, const char *role)
{
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party p, *list[1] = {&p};
    char name[32], code[] = "310000";
    uint8_t key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE];
    sanquan__v1__enrol__init(&m);
    sanquan__v1__party__init(&p);
    strcpy(name, role);
    rig_uscc(31, n, name + strlen(name));
    sq_ed25519_keypair(key, secret);
    p.name = name;
    p.node = code;
    p.key = (ProtobufCBinaryData){SQ_KEY_SIZE, key};
    m.parties = list;
    m.n_parties = 1;
    return letter(t, SANQUAN__V1__MESSAGE_TYPE__ENROL, id, &m.base);
}

static sq_bytes enrolment(struct talk *t, uint64_t id, unsigned n)
{
    return enrolment_as(t, id, n, "provider:");
}

/* ---- stories ---- */

static void each_check_of_an_envelope_has_its_refusal_and_uses_no_id(void **state)
{
    struct talk *t = *state;
    const struct rig_node *n = &t->rig->node[NODE];
    const uint8_t nonce[] = {0x09, 1, 0, 0, 0, 0, 0, 0, 0}, other_network[32] = {1};
    const sq_bytes body = sq_bytes_of(nonce, sizeof nonce);
    struct sq_header h = header(t, SANQUAN__V1__MESSAGE_TYPE__HELLO, t->next), stranger = h, other = h, receiver = h;
    stranger.sender = "operator:310000/wang";
    other.sender = n->maker->name;
    receiver.receiver = "node:370000";
    sq_bytes good = seal(t, &h, body, t->network, t->keys);

    uint8_t *broken = sq_arena_copy(&t->out, good.data, good.size);
    broken[good.size - 1] ^= 1;
    post(t, sq_bytes_of(broken, good.size));
    assert_true(hear_refusal(t, SQ_R_BAD_SIGNATURE)->id == t->next);
    post(t, sq_bytes_of(broken, good.size - 1));
    assert_true(hear_refusal(t, SQ_R_MALFORMED)->id == 0); /* what cannot be read has no id */
    memcpy(broken, good.data, good.size);
    broken[3] = 2; /* 0a len 08 version */
    post(t, sq_bytes_of(broken, good.size));
    hear_refusal(t, SQ_R_UNKNOWN_TYPE);
    broken[3] = 1;
    broken[7] = 2; /* 10 type 18 algorithm */
    post(t, sq_bytes_of(broken, good.size));
    hear_refusal(t, SQ_R_ALGORITHM);
    post(t, seal(t, &stranger, body, t->network, t->keys));
    hear_refusal(t, SQ_R_UNKNOWN_SENDER);
    post(t, seal(t, &other, body, t->network, n->maker)); /* rightly signed, by the connection of another */
    hear_refusal(t, SQ_R_WRONG_TRANSPORT);
    post(t, seal(t, &receiver, body, t->network, t->keys));
    hear_refusal(t, SQ_R_WRONG_RECEIVER);
    post(t, seal(t, &h, body, other_network, t->keys));
    hear_refusal(t, SQ_R_WRONG_NETWORK);
    post(t, seal(t, &h, body, t->network, n->maker));
    hear_refusal(t, SQ_R_BAD_SIGNATURE);
    assert_true(hello(t, 1)->last_id + 1 == t->next);
}

static void ids_follow_each_other_and_repeats_get_the_same_answer(void **state)
{
    struct talk *t = *state;
    const Sanquan__V1__Receipt *receipt;
    uint8_t first[200];
    post(t, enrolment(t, 0, 1));
    assert_true(hear_refusal(t, SQ_R_MALFORMED)->expected_id == t->next);
    post(t, enrolment(t, t->next + 1, 1));
    assert_true(hear_refusal(t, SQ_R_GAP)->expected_id == t->next);

    sq_bytes good = enrolment(t, t->next, 1);
    post(t, good);
    const Sanquan__V1__Answer *a = hear_receipt(t, &receipt);
    assert_true(a->id == t->next && a->status == SQ_OK && a->count == 1);
    size_t size = receipt->answer.len;
    uint64_t leaf = receipt->index;
    assert_true(size <= sizeof first);
    memcpy(first, receipt->answer.data, size);

    post(t, good); /* the same bytes: the same answer, about the same entry */
    hear_receipt(t, &receipt);
    assert_true(receipt->answer.len == size && receipt->index == leaf);
    assert_memory_equal(receipt->answer.data, first, size);
    assert_int_equal(receipt->request.len, SQ_HASH_SIZE); /* the repeat names the bytes too */
    post(t, enrolment(t, t->next, 2));
    assert_true(hear_refusal(t, SQ_R_ID_REUSED)->id == t->next);
    assert_true(hello(t, 2)->last_id == t->next);
}

static void a_refused_message_uses_up_its_id_and_a_refusal_does_not(void **state)
{
    struct talk *t = *state;
    const uint8_t unknown_field[] = {0x78, 1};
    struct sq_header h = header(t, SANQUAN__V1__MESSAGE_TYPE__ENROL, t->next);
    post(t, seal(t, &h, sq_bytes_of(unknown_field, sizeof unknown_field), t->network, t->keys));
    const Sanquan__V1__Answer *a = hear_receipt(t, NULL);
    assert_true(a->id == t->next && a->status == SQ_R_MALFORMED && a->detail[0] != '\0');
    h = header(t, SANQUAN__V1__MESSAGE_TYPE__BATCH, t->next + 1);
    post(t, seal(t, &h, sq_bytes_of(NULL, 0), t->network, t->keys));
    a = hear_receipt(t, NULL);
    assert_true(a->id == t->next + 1 && a->status == SQ_R_NOT_PERMITTED);
    assert_true(hello(t, 3)->last_id == t->next + 1);
}

/* Without the wait, the answer would overtake the commit and name an id that a power cut can take back. */
static void hello_counts_only_what_is_durable(void **state)
{
    struct talk *t = *state;
    Sanquan__V1__Hello m;
    sanquan__v1__hello__init(&m);
    for (unsigned i = 0; i < 30; i++) {
        uint64_t before = hello(t, 10)->seq;
        sq_bytes message = enrolment(t, t->next, 100 + i),
                 question = letter(t, SANQUAN__V1__MESSAGE_TYPE__HELLO, 0, &m.base);
        post(t, message);
        post(t, question);
        hear_receipt(t, NULL); /* the answers leave with the group, before its hellos */
        const Sanquan__V1__HelloOk *ok = (const Sanquan__V1__HelloOk *)hear(t, SANQUAN__V1__MESSAGE_TYPE__HELLO_OK);
        assert_true(ok->last_id == t->next++ && ok->seq == before + 1);
        sq_arena_reset(&t->out);
    }
}

static int is_nobodys_request(uint32_t type)
{
    return (type >= SANQUAN__V1__MESSAGE_TYPE__HELLO_OK && type <= SANQUAN__V1__MESSAGE_TYPE__WITNESS_TELL) ||
           type >= SANQUAN__V1__MESSAGE_TYPE__GENESIS;
}

static void answers_and_what_only_a_journal_holds_are_passed_over(void **state)
{
    struct talk *t = *state;
    for (uint32_t type = 0; type <= SANQUAN__V1__MESSAGE_TYPE__REJECTED; type++) {
        struct sq_header h = header(t, type, t->next);
        if (sq_wire_type(type) != NULL && is_nobodys_request(type))
            post(t, seal(t, &h, sq_bytes_of(NULL, 0), t->network, t->keys));
    }
    assert_true(hello(t, 4)->last_id + 1 == t->next);
}

static void every_other_numbered_message_is_answered(void **state)
{
    struct talk *t = *state;
    unsigned asked = 0;
    for (uint32_t type = 0; type <= SANQUAN__V1__MESSAGE_TYPE__REJECTED; type++) {
        struct sq_header h = header(t, type, t->next);
        if (sq_wire_type(type) == NULL || is_nobodys_request(type) || type == SANQUAN__V1__MESSAGE_TYPE__HELLO ||
            type == SANQUAN__V1__MESSAGE_TYPE__QUERY || type == SANQUAN__V1__MESSAGE_TYPE__WITNESS_ASK)
            continue;
        post(t, seal(t, &h, sq_bytes_of(NULL, 0), t->network, t->keys));
        const Sanquan__V1__Answer *a = hear_receipt(t, NULL);
        assert_true(a->id == t->next++ && a->status != SQ_OK); /* an empty body, or not an operator's to send */
        asked++;
    }
    assert_true(asked > 35);
    assert_true(hello(t, 5)->last_id + 1 == t->next);
}

/* As many programmes with long titles as make a list of more than a message. */
static void publish_many(const struct talk *t, unsigned count)
{
    const struct rig_node *n = &t->rig->node[NODE];
    struct sq_client *c = rig_client(t->rig, NODE, n->issuer, 64);
    struct sq_client_answer answer;
    Sanquan__V1__Programme p;
    char title[201];
    uint64_t id;
    memset(title, 'x', 200);
    title[200] = '\0';
    sanquan__v1__programme__init(&p);
    p.issuer = 310000;
    p.version = p.kind = p.base_kind = 1;
    p.title = title;
    p.from_day = 20260101;
    p.until_day = 20261231;
    p.rate_bp = 3000;
    p.pool_fen = 1;
    for (unsigned sent = 0, heard = 0; heard < count;) {
        if (sent < count && sq_client_waiting(c) < 64) {
            p.number = ++sent;
            sq_bytes body = rig_pack(&p.base);
            assert_int_equal(sq_client_send(c, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, body, &id, NULL), SQ_OK);
            union {
                const uint8_t *in;
                uint8_t *out;
            } ours = {body.data};
            free(ours.out);
            continue;
        }
        assert_int_equal(sq_client_answer(c, 20000, &answer, NULL), SQ_OK);
        assert_int_equal(answer.status, SQ_OK);
        heard++;
    }
    sq_client_close(c);
}

static const Sanquan__V1__QueryAnswer *query(struct talk *t, char *path)
{
    Sanquan__V1__Query m;
    sanquan__v1__query__init(&m);
    m.nonce = 77;
    m.path = path;
    post(t, letter(t, SANQUAN__V1__MESSAGE_TYPE__QUERY, 0, &m.base));
    const Sanquan__V1__QueryAnswer *a =
        (const Sanquan__V1__QueryAnswer *)hear(t, SANQUAN__V1__MESSAGE_TYPE__QUERY_ANSWER);
    assert_true(a->nonce == 77);
    return a;
}

static void every_query_ends_in_an_answer(void **state)
{
    struct talk *t = *state;
    char programmes[] = "programmes", nothing[] = "nothing", voucher[] = "voucher/3100000001000000001",
         stranger[] = "party/holder:x";
    const Sanquan__V1__QueryAnswer *a = query(t, programmes);
    assert_int_equal(a->status, SQ_OK);
    assert_non_null(strstr(a->json, "{\"programmes\":[],\"as_of_entry\":"));
    assert_int_equal(query(t, nothing)->status, SQ_R_UNKNOWN_QUERY);
    assert_int_equal(query(t, voucher)->status, SQ_R_UNKNOWN_VOUCHER);
    assert_int_equal(query(t, stranger)->status, SQ_R_UNKNOWN_SENDER);
    publish_many(t, 3500);
    a = query(t, programmes); /* a list of more than a megabyte */
    assert_int_equal(a->status, SQ_R_ANSWER_SIZE);
    assert_string_equal(a->json, "");
}

static void a_party_of_every_role_is_told_of(void **state)
{
    static const char *const roles[] = {"provider", "holder", "evaluator"};
    struct talk *t = *state;
    for (unsigned i = 0; i < 3; i++) {
        const Sanquan__V1__Receipt *r;
        char name[20], path[60], wanted[60];
        snprintf(name, sizeof name, "%s:", roles[i]);
        post(t, enrolment_as(t, t->next + i, 90, name));
        hear_receipt(t, &r);
        snprintf(path, sizeof path, "party/%s", name);
        rig_uscc(31, 90, path + strlen(path));
        snprintf(wanted, sizeof wanted, "\"role\":\"%s\"", roles[i]);
        const Sanquan__V1__QueryAnswer *a = query(t, path);
        assert_int_equal(a->status, SQ_OK);
        assert_non_null(strstr(a->json, wanted));
    }
}

/* Section 11: a sender can rebuild the payload from its own bytes, and it is what the leaf holds. */
static void a_receipts_leaf_is_the_hash_of_what_was_sent_and_answered(void **state)
{
    struct talk *t = *state;
    const Sanquan__V1__Receipt *r;
    Sanquan__V1__Outcome outcome;
    uint8_t head[SQ_ENTRY_HEAD_SIZE] = {1}, hash[SQ_HASH_SIZE];
    sq_bytes sent = enrolment(t, t->next, 50);
    post(t, sent);
    hear_receipt(t, &r);
    sanquan__v1__outcome__init(&outcome);
    sq_sha256(r->answer.data, r->answer.len, hash);
    outcome.sent = (ProtobufCBinaryData){sizeof hash, hash};
    sq_bytes tail = message_pack(&outcome.base, &t->out);
    sq_put_be16(head + 2, SANQUAN__V1__MESSAGE_TYPE__ENROL);
    sq_put_be32(head + 4, (uint32_t)sent.size);
    memcpy(head + 8, r->leaf.data + 16, 8); /* the time of the decision */
    const struct sq_sha256_part parts[3] = {{head, sizeof head}, {sent.data, sent.size}, {tail.data, tail.size}};
    sq_sha256_parts(parts, 3, hash);
    assert_memory_equal(r->leaf.data + 24, hash, sizeof hash);
    assert_int_equal(sq_get_be32(r->leaf.data + 4), sizeof head + sent.size + tail.size);
    assert_int_equal(sq_message_name_of(sent, sq_directory_network_id(t->rig->directory), hash, NULL), SQ_OK);
    assert_int_equal(r->request.len, sizeof hash);
    assert_memory_equal(r->request.data, hash, sizeof hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_check_of_an_envelope_has_its_refusal_and_uses_no_id, ask),
        cmocka_unit_test_setup(ids_follow_each_other_and_repeats_get_the_same_answer, ask),
        cmocka_unit_test_setup(a_refused_message_uses_up_its_id_and_a_refusal_does_not, ask),
        cmocka_unit_test_setup(hello_counts_only_what_is_durable, ask),
        cmocka_unit_test_setup(answers_and_what_only_a_journal_holds_are_passed_over, ask),
        cmocka_unit_test_setup(every_other_numbered_message_is_answered, ask),
        cmocka_unit_test_setup(every_query_ends_in_an_answer, ask),
        cmocka_unit_test_setup(a_party_of_every_role_is_told_of, ask),
        cmocka_unit_test_setup(a_receipts_leaf_is_the_hash_of_what_was_sent_and_answered, ask),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
