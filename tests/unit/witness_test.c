/*
 * Nodes as witnesses of each other: what is cosigned, what is not, and how a node that has signed two histories is found out.
 *
 * The cores are real, their messages are carried here. A node's log is made of numbers: leaf i of history h is the hash of (node, h, i);
 * history 1 is that of history 0 up to leaf FORK_AT, and another one from there on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/core/witness.h"
#include "clearing/ledger/trust.h"
#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"

#define NODES_MAX  8u
#define LEAVES_MAX 64u
#define FORK_AT    5u
#define WITNESS_MS 60000u
#define QUEUE_MAX  4096u

#define CHECKPOINT SANQUAN__V1__MESSAGE_TYPE__CHECKPOINT
#define COSIGNED   SANQUAN__V1__MESSAGE_TYPE__COSIGNED
#define SIGHTING   SANQUAN__V1__MESSAGE_TYPE__SIGHTING

static const char *const codes[NODES_MAX] = {"310000", "320000", "330000", "340000",
                                             "350000", "360000", "370000", "380000"};

struct post {
    uint32_t from, to, type;
    uint8_t *body;
    size_t size;
};

struct net {
    uint32_t count;
    uint64_t now_ms;
    struct sq_core *core[NODES_MAX];
    uint8_t log_key[NODES_MAX][SQ_KEY_SIZE], log_secret[NODES_MAX][SQ_SECRET_SIZE];
    uint64_t next_id[NODES_MAX][NODES_MAX];
    struct sq_arena arena;
    struct post queue[QUEUE_MAX];
    size_t queued, delivered;
    size_t of_type[3]; /* delivered CHECKPOINT, COSIGNED, SIGHTING */
    uint32_t last_status;
};

/* ---- logs ---- */

static void leaf_hash(uint32_t node, unsigned history, uint64_t i, uint8_t out[SQ_HASH_SIZE])
{
    uint8_t record[3] = {(uint8_t)node, i < FORK_AT ? 0 : (uint8_t)history, (uint8_t)i};
    sq_tree_leaf_hash(sq_bytes_of(record, sizeof record), out);
}

static uint64_t left_of(uint64_t n)
{
    uint64_t k = 1;
    while (2 * k < n)
        k *= 2;
    return k;
}

static void root_of(uint32_t node, unsigned history, uint64_t begin, uint64_t n, uint8_t out[SQ_HASH_SIZE])
{
    uint8_t left[SQ_HASH_SIZE], right[SQ_HASH_SIZE];
    if (n == 1) {
        leaf_hash(node, history, begin, out);
        return;
    }
    root_of(node, history, begin, left_of(n), left);
    root_of(node, history, begin + left_of(n), n - left_of(n), right);
    sq_tree_node_hash(left, right, out);
}

/* RFC 9162 §2.1.4.1, SUBPROOF(m, D[begin:begin+n], whole), as it is written. */
static size_t subproof(uint32_t node, unsigned history, uint64_t m, uint64_t begin, uint64_t n, int whole, uint8_t *out)
{
    if (m == n) {
        if (!whole)
            root_of(node, history, begin, n, out);
        return whole ? 0 : 1;
    }
    uint64_t k = left_of(n);
    size_t used = m <= k ? subproof(node, history, m, begin, k, whole, out)
                         : subproof(node, history, m - k, begin + k, n - k, 0, out);
    if (m <= k)
        root_of(node, history, begin + k, n - k, out + used * SQ_HASH_SIZE);
    else
        root_of(node, history, begin, k, out + used * SQ_HASH_SIZE);
    return used + 1;
}

/* ---- messages ---- */

struct shown { /* a Checkpoint with what it points to */
    Sanquan__V1__Checkpoint m;
    Sanquan__V1__Head head;
    Sanquan__V1__Consistency proof[4], *proofs[4];
    uint8_t root[SQ_HASH_SIZE], signature[64], bytes[4][SQ_HASH_SIZE * 16];
};

static void sign_head(const struct net *n, uint32_t node, Sanquan__V1__Head *head, uint8_t signature[64])
{
    char text[512];
    size_t size = sq_core_head_text(n->core[node], node, head->size, head->root.data, text, sizeof text);
    assert_true(size > 0);
    assert_int_equal(sq_ed25519_sign(sq_bytes_of(text, size), n->log_secret[node], signature, NULL), SQ_OK);
    head->signature = (ProtobufCBinaryData){64, signature};
}

static void make_checkpoint(const struct net *n, uint32_t node, unsigned history, uint64_t size, const uint64_t *from,
                            size_t from_count, struct shown *out)
{
    sanquan__v1__checkpoint__init(&out->m);
    sanquan__v1__head__init(&out->head);
    root_of(node, history, 0, size, out->root);
    out->head.size = size;
    out->head.root = (ProtobufCBinaryData){SQ_HASH_SIZE, out->root};
    sign_head(n, node, &out->head, out->signature);
    out->m.head = &out->head;
    out->m.proofs = out->proofs;
    for (size_t i = 0; i < from_count; i++) {
        sanquan__v1__consistency__init(&out->proof[i]);
        out->proof[i].size = from[i];
        out->proof[i].proof = (ProtobufCBinaryData){
            SQ_HASH_SIZE * subproof(node, history, from[i], 0, size, 1, out->bytes[i]), out->bytes[i]};
        out->proofs[i] = &out->proof[i];
    }
    out->m.n_proofs = from_count;
}

static void post(struct net *n, uint32_t from, uint32_t to, uint32_t type, const ProtobufCMessage *m)
{
    struct post *p = &n->queue[n->queued++];
    assert_true(n->queued < QUEUE_MAX);
    *p = (struct post){from, to, type, malloc(4096), protobuf_c_message_get_packed_size(m)};
    assert_true(p->size <= 4096);
    protobuf_c_message_pack(m, p->body);
}

/* What the daemon does before a COSIGNED leaves: the witness's signature behind it. */
static void sign_cosigned(struct net *n, struct post *p)
{
    Sanquan__V1__Cosigned *m = sanquan__v1__cosigned__unpack(NULL, p->size, p->body);
    char body[512], text[640];
    uint8_t signature[64];
    if (m->verdict == 1) {
        size_t size = sq_core_head_text(n->core[p->from], p->to, m->size, m->root.data, body, sizeof body);
        size = sq_cosigned_text(m->time_s, sq_bytes_of(body, size), text, sizeof text);
        assert_int_equal(sq_ed25519_sign(sq_bytes_of(text, size), n->log_secret[p->from], signature, NULL), SQ_OK);
        m->cosignature = (ProtobufCBinaryData){64, signature};
        p->size = sanquan__v1__cosigned__pack(m, p->body);
        m->cosignature = (ProtobufCBinaryData){0, NULL};
    }
    sanquan__v1__cosigned__free_unpacked(m, NULL);
}

static void step(struct net *n, uint32_t node, const struct sq_event *event)
{
    struct sq_effects fx;
    struct sq_error err = {0};
    sq_arena_reset(&n->arena);
    sq_status st = sq_core_step(n->core[node], event, &n->arena, &fx, &err);
    if (st != SQ_OK)
        fail_msg("%s: %s", sq_status_name(st), err.text);
    Sanquan__V1__Outcome *o = sanquan__v1__outcome__unpack(NULL, fx.outcome.size, fx.outcome.data);
    n->last_status = o->status;
    sanquan__v1__outcome__free_unpacked(o, NULL);
    for (size_t i = 0; i < fx.out_count; i++) {
        struct post *p = &n->queue[n->queued++];
        assert_true(n->queued < QUEUE_MAX);
        assert_int_equal(fx.out[i].kind, SQ_OUT_PEER);
        *p = (struct post){node, fx.out[i].to, fx.out[i].type, malloc(4096), fx.out[i].body.size};
        memcpy(p->body, fx.out[i].body.data, p->size);
        if (p->type == COSIGNED)
            sign_cosigned(n, p);
    }
}

static void deliver_one(struct net *n, struct post *p)
{
    struct sq_envelope e = {.version = 1, .type = p->type, .algorithm = 1, .id = ++n->next_id[p->from][p->to]};
    snprintf(e.sender, sizeof e.sender, "node:%s", codes[p->from]);
    snprintf(e.receiver, sizeof e.receiver, "node:%s", codes[p->to]);
    e.body = sq_bytes_of(p->body, p->size);
    if (p->type >= CHECKPOINT && p->type <= SIGHTING)
        n->of_type[p->type - CHECKPOINT]++;
    step(n, p->to, &(struct sq_event){n->now_ms, p->type, &e, e.body});
    free(p->body);
    p->body = NULL;
}

/* Everything that is under way arrives, in order, but for what `lost` says is not to arrive: from node lost[0] to node lost[1]. */
static void deliver_but(struct net *n, const uint32_t *lost)
{
    for (; n->delivered < n->queued; n->delivered++) {
        struct post *p = &n->queue[n->delivered];
        if (lost != NULL && p->from == lost[0] && p->to == lost[1])
            free(p->body);
        else
            deliver_one(n, p);
    }
}
static void deliver(struct net *n)
{
    deliver_but(n, NULL);
}

/* ---- the network ---- */

static void say_genesis(struct net *n, uint32_t self, uint32_t witness_ms)
{
    static uint8_t key[32] = {1}, id[32] = {7};
    Sanquan__V1__Node nodes[NODES_MAX], *list[NODES_MAX];
    char code[NODES_MAX][7], *issuers[NODES_MAX], network[] = "witness-test";
    uint8_t body[4096];
    Sanquan__V1__Genesis g;
    sanquan__v1__genesis__init(&g);
    for (uint32_t i = 0; i < n->count; i++) {
        sanquan__v1__node__init(&nodes[i]);
        memcpy(code[i], codes[i], 7);
        issuers[i] = code[i];
        nodes[i].code = code[i];
        nodes[i].node_key = nodes[i].transport_key = (ProtobufCBinaryData){32, key};
        nodes[i].log_key = (ProtobufCBinaryData){32, n->log_key[i]};
        nodes[i].issuers = &issuers[i];
        nodes[i].n_issuers = 1;
        list[i] = &nodes[i];
    }
    g.network_id = (ProtobufCBinaryData){32, id};
    g.self = code[self];
    g.nodes = list;
    g.n_nodes = n->count;
    g.netting_method = 2;
    g.round_timeout_ms = 1000;
    g.witness_ms = witness_ms;
    if (witness_ms != 0)
        g.network = network;
    size_t size = sanquan__v1__genesis__pack(&g, body);
    step(n, self, &(struct sq_event){n->now_ms, SANQUAN__V1__MESSAGE_TYPE__GENESIS, NULL, sq_bytes_of(body, size)});
}

/* `entries` more of them in node's journal. */
static void work(struct net *n, uint32_t node, unsigned entries)
{
    Sanquan__V1__Rejected m;
    uint8_t body[64];
    char who[] = "node:990000";
    sanquan__v1__rejected__init(&m);
    m.status = 104;
    m.connection = who;
    size_t size = sanquan__v1__rejected__pack(&m, body);
    for (unsigned i = 0; i < entries; i++)
        step(n, node,
             &(struct sq_event){n->now_ms, SANQUAN__V1__MESSAGE_TYPE__REJECTED, NULL, sq_bytes_of(body, size)});
}

static struct net *net_of(uint32_t count, uint32_t witness_ms)
{
    struct net *n = calloc(1, sizeof *n);
    n->count = count;
    n->now_ms = 1790000000000u;
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    assert_int_equal(sq_arena_init(&n->arena, SQ_STEP_ARENA_SIZE, NULL), SQ_OK);
    for (uint32_t i = 0; i < count; i++)
        sq_ed25519_keypair(n->log_key[i], n->log_secret[i]);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(sq_core_new(&n->core[i], NULL), SQ_OK);
        sq_core_set_note_check(n->core[i], sq_ed25519_check);
        say_genesis(n, i, witness_ms);
        work(n, i, 40);
    }
    return n;
}

static void net_free(struct net *n)
{
    deliver(n);
    for (uint32_t i = 0; i < n->count; i++)
        sq_core_free(n->core[i]);
    sq_arena_free(&n->arena);
    free(n);
}

/* As the daemon does: the checkpoint of `size` entries, with the proofs that witnesses want. */
static void show(struct net *n, uint32_t node, unsigned history, uint64_t size)
{
    struct shown s;
    uint64_t wanted[SQ_SHOWN_PROOFS_MAX];
    uint8_t body[4096];
    size_t count = sq_core_wanted_sizes(n->core[node], size, wanted);
    assert_true(count <= 4);
    make_checkpoint(n, node, history, size, wanted, count, &s);
    size_t packed = sanquan__v1__checkpoint__pack(&s.m, body);
    n->now_ms += WITNESS_MS;
    step(n, node, &(struct sq_event){n->now_ms, SANQUAN__V1__MESSAGE_TYPE__SHOWN, NULL, sq_bytes_of(body, packed)});
}

/* What no honest node does: this checkpoint to this witness alone. Returns the status in the witness's journal. */
static uint32_t show_only_to(struct net *n, uint32_t node, uint32_t to, unsigned history, uint64_t size,
                             const uint64_t *from, size_t from_count)
{
    struct shown s;
    make_checkpoint(n, node, history, size, from, from_count, &s);
    deliver(n);
    post(n, node, to, CHECKPOINT, &s.m.base);
    n->delivered++;
    deliver_one(n, &n->queue[n->delivered - 1]);
    return n->last_status;
}

static uint64_t seen(const struct net *n, uint32_t witness, uint32_t node)
{
    return sq_core_witness(n->core[witness], node)->seen[0].size;
}
static int has_fork(const struct net *n, uint32_t witness, uint32_t node)
{
    return sq_core_witness(n->core[witness], node)->fork[0].size != 0;
}
static uint64_t witnessed(const struct net *n, uint32_t node)
{
    return sq_core_own_log(n->core[node])->witnessed.size;
}

/* ---- tests ---- */

static void what_is_shown_is_cosigned_by_all_and_the_note_passes_a_policy(void **state)
{
    struct net *n = net_of(3, WITNESS_MS);
    char note[SQ_COSIGNED_SIZE_MAX], policy[2048], vkey[SQ_VKEY_SIZE];
    struct sq_trust *t;
    struct sq_trusted trusted;
    size_t at = 0;
    (void)state;
    show(n, 0, 0, 30);
    deliver(n);
    assert_int_equal(witnessed(n, 0), 30);
    for (uint32_t i = 0; i < 3; i++) {
        struct sq_note_key key = {.cosigns = i != 0};
        snprintf(key.name, sizeof key.name, "witness-test/%s", codes[i]);
        memcpy(key.key, n->log_key[i], sizeof key.key);
        assert_true(sq_note_key_write(&key, vkey, sizeof vkey) > 0);
        at += (size_t)(i == 0 ? snprintf(policy + at, sizeof policy - at, "log %s\n", vkey)
                              : snprintf(policy + at, sizeof policy - at, "witness w%s %s\n", codes[i], vkey));
    }
    snprintf(policy + at, sizeof policy - at, "group both all w320000 w330000\nquorum both\n");
    struct sq_error err = {0};
    if (sq_trust_parse(sq_bytes_of(policy, strlen(policy)), &t, &err) != SQ_OK)
        fail_msg("%s\n%s", err.text, policy);
    size_t size = sq_core_head_note(n->core[0], 0, &sq_core_own_log(n->core[0])->witnessed, note, sizeof note);
    assert_int_equal(sq_trust_check(t, sq_bytes_of(note, size), sq_ed25519_check, &trusted, NULL), SQ_OK);
    assert_int_equal(trusted.checkpoint.size, 30);
    assert_int_equal(trusted.time_s[0], n->now_ms / 1000); /* the journal's time */
    sq_trust_free(t);
    net_free(n);
}

static void a_network_that_does_nothing_falls_silent(void **state)
{
    struct net *n = net_of(3, WITNESS_MS);
    uint64_t at;
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(sq_core_show_due(n->core[i], n->now_ms, &at));
        assert_true(sq_core_show_due(n->core[i], n->now_ms + WITNESS_MS, &at));
    }
    for (uint32_t i = 0; i < 3; i++)
        show(n, i, 0, 41);
    deliver(n);
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(sq_core_show_due(n->core[i], n->now_ms + 100ull * WITNESS_MS, &at));
        assert_int_equal(at, UINT64_MAX);
    }
    work(n, 1, 1);
    assert_false(sq_core_show_due(n->core[1], sq_core_own_log(n->core[1])->shown_ms + WITNESS_MS - 1, &at));
    assert_int_equal(at, sq_core_own_log(n->core[1])->shown_ms + WITNESS_MS);
    assert_true(sq_core_show_due(n->core[1], at, &at));
    net_free(n);
}

static void what_is_not_shown_to_continue_is_not_cosigned_and_changes_nothing(void **state)
{
    struct net *n = net_of(3, WITNESS_MS);
    const uint64_t from[] = {20};
    (void)state;
    show(n, 0, 0, 20);
    deliver(n);
    uint64_t cosigned = sq_core_witness(n->core[1], 0)->cosigned_count;
    assert_int_equal(show_only_to(n, 0, 1, 0, 30, NULL, 0), SQ_OK); /* the entry is kept, the answer is no */
    assert_int_equal(show_only_to(n, 0, 1, 0, 10, NULL, 0), SQ_OK); /* a smaller tree */
    assert_int_equal(seen(n, 1, 0), 20);
    assert_int_equal(sq_core_witness(n->core[1], 0)->cosigned_count, cosigned);
    assert_true(sq_core_witness(n->core[1], 0)->unproven_ms != 0);
    assert_false(has_fork(n, 1, 0));
    deliver(n);
    assert_int_equal(witnessed(n, 0), 20);
    assert_int_equal(show_only_to(n, 0, 1, 0, 30, from, 1), SQ_OK);
    assert_int_equal(seen(n, 1, 0), 30);
    assert_int_equal(sq_core_witness(n->core[1], 0)->unproven_ms, 0);
    net_free(n);
}

static void another_root_at_the_same_size_is_kept_as_a_fork_and_everybody_is_told(void **state)
{
    struct net *n = net_of(4, WITNESS_MS);
    uint64_t from[] = {20};
    (void)state;
    show(n, 0, 0, 20);
    deliver(n);
    show_only_to(n, 0, 1, 1, 20, NULL, 0);
    assert_true(has_fork(n, 1, 0));
    const struct sq_witness *w = sq_core_witness(n->core[1], 0);
    assert_int_equal(w->fork[0].size, 20);
    assert_int_equal(w->fork[1].size, 20);
    assert_memory_not_equal(w->fork[0].root, w->fork[1].root, SQ_HASH_SIZE);
    assert_int_equal(w->fork_entry, sq_core_seq(n->core[1]));
    deliver(n);
    for (uint32_t i = 0; i < 4; i++) /* the node itself hears it with the answer to its checkpoint */
        assert_true(has_fork(n, i, 0));
    assert_true(sq_core_witness(n->core[0], 1)->accused_ms != 0);
    for (uint32_t i = 1; i < 4; i++) { /* nothing of this log is cosigned any more, whatever it proves */
        show_only_to(n, 0, i, 0, 30, from, 1);
        assert_int_equal(seen(n, i, 0), 20);
    }
    show(n, 2, 0, 20); /* the others' logs are */
    deliver(n);
    assert_int_equal(witnessed(n, 2), 20);
    net_free(n);
}

static void a_proof_that_is_wrong_convicts_where_it_was_shown(void **state)
{
    struct net *n = net_of(3, WITNESS_MS);
    const uint64_t from[] = {20};
    (void)state;
    show(n, 0, 0, 20);
    deliver(n);
    show_only_to(n, 0, 1, 1, 30, from, 1); /* of the other history, which was never at the root that is known */
    assert_true(has_fork(n, 1, 0));
    assert_int_equal(sq_core_witness(n->core[1], 0)->fork[0].size, 20);
    assert_int_equal(sq_core_witness(n->core[1], 0)->fork[1].size, 30);
    assert_int_equal(seen(n, 1, 0), 20);
    deliver(n);
    assert_false(has_fork(n, 2, 0));
    net_free(n);
}

static void two_histories_shown_to_two_witnesses_are_found_out_with_the_next_checkpoint(void **state)
{
    /* The sizes at which one witness and then the other are shown history 0 and history 1. */
    static const struct {
        uint64_t first, second, next;
    } cases[] = {{20, 20, 0}, {20, 24, 30}, {24, 20, 30}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct net *n = net_of(4, WITNESS_MS);
        struct shown one, two;
        make_checkpoint(n, 0, 0, cases[c].first, NULL, 0, &one);
        make_checkpoint(n, 0, 1, cases[c].second, NULL, 0, &two);
        post(n, 0, 1, CHECKPOINT, &one.m.base);
        post(n, 0, 2, CHECKPOINT, &two.m.base);
        deliver(n);
        assert_true(witnessed(n, 0) == 0); /* neither has more than half */
        if (cases[c].next != 0) {
            assert_false(has_fork(n, 2, 0));
            /* Witness 2 has heard of the other and wants it continued too; a node that does not is not cosigned. */
            uint64_t from[] = {cases[c].second};
            show_only_to(n, 0, 2, 1, cases[c].next, from, 1);
            assert_int_equal(seen(n, 2, 0), cases[c].second);
            assert_false(has_fork(n, 2, 0));
            uint64_t both[] = {20, 24};
            show_only_to(n, 0, 2, 1, cases[c].next, both, 2);
        }
        deliver(n);
        assert_true(has_fork(n, 2, 0));
        net_free(n);
    }
}

static void a_witness_that_was_away_is_told_by_others_and_takes_the_continued_checkpoint(void **state)
{
    struct net *n = net_of(3, WITNESS_MS);
    const uint32_t lost[2] = {0, 2};
    (void)state;
    show(n, 0, 0, 20);
    deliver_but(n, lost);
    assert_int_equal(seen(n, 2, 0), 0);
    assert_int_equal(sq_core_newest_head(n->core[2], 0)->size, 20);
    assert_int_equal(witnessed(n, 0), 0); /* one of two */
    show(n, 0, 0, 30);
    deliver_but(n, lost);
    assert_int_equal(seen(n, 2, 0), 0);
    show(n, 0, 0, 35); /* continues 30, of which the witness has heard */
    deliver(n);
    assert_int_equal(seen(n, 2, 0), 35);
    assert_int_equal(witnessed(n, 0), 35);
    net_free(n);
}

static void more_than_half_of_the_others_are_needed(void **state)
{
    (void)state;
    static const uint32_t quorum[NODES_MAX + 1] = {0, 0, 1, 2, 2, 3, 3, 4, 4};
    for (uint32_t count = 2; count <= 6; count++) {
        struct net *n = net_of(count, WITNESS_MS);
        assert_int_equal(sq_core_witness_quorum(n->core[0]), quorum[count]);
        show(n, 0, 0, 20);
        size_t first = n->queued - (count - 1);
        for (uint32_t k = 0; k < count - 1; k++) { /* one witness after another */
            assert_int_equal(n->queue[first + k].type, CHECKPOINT);
            size_t before = n->queued;
            deliver_one(n, &n->queue[first + k]);
            for (size_t i = before; i < n->queued; i++)
                if (n->queue[i].to == 0)
                    deliver_one(n, &n->queue[i]);
                else
                    free(n->queue[i].body);
            assert_int_equal(witnessed(n, 0), k + 1 >= quorum[count] ? 20 : 0);
        }
        n->delivered = n->queued;
        net_free(n);
    }
}

static void heads_and_cosignatures_that_are_not_signed_are_refused(void **state)
{
    struct net *n = net_of(3, WITNESS_MS);
    struct shown s;
    (void)state;
    make_checkpoint(n, 0, 0, 20, NULL, 0, &s);
    s.signature[5] ^= 1;
    post(n, 0, 1, CHECKPOINT, &s.m.base);
    deliver(n);
    assert_int_equal(n->last_status, SQ_R_BAD_SIGNATURE);
    assert_int_equal(seen(n, 1, 0), 0);
    Sanquan__V1__Sighting g;
    char code[] = "310000";
    sanquan__v1__sighting__init(&g);
    g.node = code;
    g.head = &s.head;
    post(n, 2, 1, SIGHTING, &g.base);
    deliver(n);
    assert_int_equal(n->last_status, SQ_R_BAD_SIGNATURE);
    assert_int_equal(sq_core_newest_head(n->core[1], 0)->size, 0);
    s.signature[5] ^= 1; /* good, but a node speaks of itself by CHECKPOINT */
    post(n, 0, 1, SIGHTING, &g.base);
    deliver(n);
    assert_int_equal(n->last_status, SQ_R_UNKNOWN_NODE);

    show(n, 0, 0, 20);
    n->delivered = n->queued - 1; /* to witness 2 alone; its answer is changed on the way */
    free(n->queue[n->queued - 2].body);
    deliver_one(n, &n->queue[n->delivered++]);
    Sanquan__V1__Cosigned *m =
        sanquan__v1__cosigned__unpack(NULL, n->queue[n->delivered].size, n->queue[n->delivered].body);
    assert_int_equal(m->verdict, 1);
    for (int what = 0; what < 3; what++) {
        uint8_t *byte = what == 0 ? &m->cosignature.data[9] : what == 1 ? &m->root.data[0] : NULL;
        if (byte != NULL)
            *byte ^= 1;
        else
            m->time_s++;
        struct post changed = {2, 0, COSIGNED, malloc(4096), 0};
        changed.size = sanquan__v1__cosigned__pack(m, changed.body);
        deliver_one(n, &changed);
        assert_int_equal(n->last_status, SQ_R_BAD_SIGNATURE);
        assert_int_equal(sq_core_witness(n->core[0], 2)->size, 0);
        if (byte != NULL)
            *byte ^= 1;
        else
            m->time_s--;
    }
    sanquan__v1__cosigned__free_unpacked(m, NULL);
    deliver(n);
    assert_int_equal(sq_core_witness(n->core[0], 2)->size, 20);
    net_free(n);
}

static void proofs_out_of_form_are_refused(void **state)
{
    struct net *n = net_of(2, WITNESS_MS);
    const uint64_t backwards[] = {20, 10}, zero[] = {0};
    struct shown s;
    (void)state;
    show(n, 0, 0, 20);
    deliver(n);
    make_checkpoint(n, 0, 0, 30, backwards, 2, &s);
    post(n, 0, 1, CHECKPOINT, &s.m.base);
    deliver(n);
    assert_int_equal(n->last_status, SQ_R_COLUMNS);
    make_checkpoint(n, 0, 0, 30, backwards, 1, &s);
    s.proof[0].size = zero[0];
    post(n, 0, 1, CHECKPOINT, &s.m.base);
    deliver(n);
    assert_int_equal(n->last_status, SQ_R_COLUMNS);
    s.proof[0].size = 20;
    s.proof[0].proof.len -= 1;
    post(n, 0, 1, CHECKPOINT, &s.m.base);
    deliver(n);
    assert_int_equal(n->last_status, SQ_R_COLUMNS);
    assert_int_equal(seen(n, 1, 0), 20);
    assert_false(has_fork(n, 1, 0));
    net_free(n);
}

static void a_network_without_witnesses_takes_none_of_it(void **state)
{
    struct net *n = net_of(2, WITNESS_MS), *without = net_of(2, 0);
    uint64_t at;
    struct shown s;
    (void)state;
    make_checkpoint(n, 0, 0, 20, NULL, 0, &s); /* its logs have names to sign under */
    post(without, 0, 1, CHECKPOINT, &s.m.base);
    deliver(without);
    assert_int_equal(without->last_status, SQ_R_NOT_PERMITTED);
    assert_null(sq_core_own_log(without->core[1]));
    assert_false(sq_core_show_due(without->core[0], UINT64_MAX, &at));
    net_free(without);
    net_free(n);
}

static void a_snapshot_keeps_what_a_witness_knows(void **state)
{
    struct net *n = net_of(3, WITNESS_MS);
    struct sq_dump d = {0};
    struct sq_core *again;
    sq_bytes bytes;
    (void)state;
    show(n, 0, 0, 20);
    deliver(n);
    show_only_to(n, 0, 1, 1, 20, NULL, 0);
    sq_core_dump(n->core[1], &d);
    sq_core_dump_done(n->core[1]);
    assert_int_equal(sq_dump_piece(&d, 0, &bytes), 1);
    assert_int_equal(sq_core_new(&again, NULL), SQ_OK);
    assert_int_equal(sq_core_undump(again, bytes, NULL), SQ_OK);
    assert_memory_equal(sq_core_witness(again, 0), sq_core_witness(n->core[1], 0), sizeof(struct sq_witness));
    assert_memory_equal(sq_core_own_log(again), sq_core_own_log(n->core[1]), sizeof(struct sq_own_log));
    sq_core_free(again);
    sq_dump_free(&d);
    net_free(n);
}

static sq_status try_anchor(struct net *n, char *name, uint32_t generation, uint64_t size, size_t hash_size)
{
    Sanquan__V1__Anchor m;
    struct sq_effects fx;
    uint8_t body[256], hash[SQ_HASH_SIZE] = {(uint8_t)size};
    sanquan__v1__anchor__init(&m);
    m.name = name;
    m.generation = generation;
    m.size = size;
    m.hash = (ProtobufCBinaryData){hash_size, hash};
    size_t packed = sanquan__v1__anchor__pack(&m, body);
    struct sq_event event = {n->now_ms, SANQUAN__V1__MESSAGE_TYPE__ANCHOR, NULL, sq_bytes_of(body, packed)};
    sq_arena_reset(&n->arena);
    return sq_core_step(n->core[0], &event, &n->arena, &fx, NULL);
}

static void anchors_of_a_log_grow_and_another_file_is_the_next_generation(void **state)
{
    struct net *n = net_of(1, 0);
    char name[] = "access.log", odd[] = "a/b", long_name[65];
    (void)state;
    memset(long_name, 'x', 64);
    long_name[64] = '\0';
    static const struct {
        uint32_t generation;
        uint64_t size;
        int good;
    } steps[] = {{2, 100, 0}, {0, 100, 0}, {1, 0, 0},  {1, 100, 1}, {1, 100, 0}, {1, 99, 0},
                 {1, 101, 1}, {3, 500, 0}, {2, 10, 1}, {1, 102, 0}, {2, 11, 1}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        uint64_t seq = sq_core_seq(n->core[0]);
        sq_status st = try_anchor(n, name, steps[i].generation, steps[i].size, SQ_HASH_SIZE);
        assert_int_equal(st, steps[i].good ? SQ_OK : SQ_E_FORMAT);
        assert_int_equal(sq_core_seq(n->core[0]), seq + (uint64_t)steps[i].good);
    }
    const struct sq_anchor *a = sq_core_anchor(n->core[0], name);
    assert_int_equal(a->generation, 2);
    assert_int_equal(a->size, 11);
    assert_int_equal(a->entry, sq_core_seq(n->core[0]));
    assert_int_equal(try_anchor(n, odd, 1, 5, SQ_HASH_SIZE), SQ_E_FORMAT);
    assert_int_equal(try_anchor(n, long_name, 1, 5, SQ_HASH_SIZE), SQ_E_FORMAT);
    assert_int_equal(try_anchor(n, name, 2, 12, SQ_HASH_SIZE - 1), SQ_E_FORMAT);
    assert_int_equal(sq_core_anchor_count(n->core[0]), 1);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shown_is_cosigned_by_all_and_the_note_passes_a_policy),
        cmocka_unit_test(a_network_that_does_nothing_falls_silent),
        cmocka_unit_test(what_is_not_shown_to_continue_is_not_cosigned_and_changes_nothing),
        cmocka_unit_test(another_root_at_the_same_size_is_kept_as_a_fork_and_everybody_is_told),
        cmocka_unit_test(a_proof_that_is_wrong_convicts_where_it_was_shown),
        cmocka_unit_test(two_histories_shown_to_two_witnesses_are_found_out_with_the_next_checkpoint),
        cmocka_unit_test(a_witness_that_was_away_is_told_by_others_and_takes_the_continued_checkpoint),
        cmocka_unit_test(more_than_half_of_the_others_are_needed),
        cmocka_unit_test(heads_and_cosignatures_that_are_not_signed_are_refused),
        cmocka_unit_test(proofs_out_of_form_are_refused),
        cmocka_unit_test(a_network_without_witnesses_takes_none_of_it),
        cmocka_unit_test(a_snapshot_keeps_what_a_witness_knows),
        cmocka_unit_test(anchors_of_a_log_grow_and_another_file_is_the_next_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
