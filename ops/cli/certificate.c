/*
 * sanquan settle certificate, settle verify: a final window for somebody who has no ledger and trusts none.
 *
 *   journal --settlement of the window, precommits of others as they signed them, (the node's own, signed again)--> FILE
 *   FILE + the network's directory --canonical, hash, signatures, more than two thirds in one round--> verified
 *
 * Nothing is taken on trust but the directory: each envelope is opened as it would be from the wire, and the settlement's hash is made anew.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/ledger.h"
#include "clearing/settlement/settlement.h"
#include "ops/cli/bankfile.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"
#include "peers/message.h"
#include "proto/sanquan.pb-c.h"

#define PRECOMMIT 2u
#define ROUNDS    1000u

struct certificate {
    uint64_t window;
    const char *ledger, *node_key, *out, *file;
};

/* ---- out of a ledger ---- */

struct vote {
    uint32_t node, round;
    sq_bytes envelope; /* owned */
};

struct finding {
    uint64_t window;
    Sanquan__V1__Genesis *genesis;
    uint8_t *settlement, hash[SQ_HASH_SIZE];
    size_t size;
    struct sq_table votes; /* struct vote */
    uint32_t round;        /* of the certificate */
    int own_sent;
    uint8_t own_hash[SQ_HASH_SIZE];
};

static void finding_free(struct finding *f)
{
    for (uint32_t i = 0; i < f->votes.count; i++) {
        union {
            const uint8_t *in;
            void *out;
        } bytes = {SQ_ROW(&f->votes, struct vote, i)->envelope.data};
        free(bytes.out);
    }
    sq_table_free(&f->votes);
    free(f->settlement);
    if (f->genesis != NULL)
        sanquan__v1__genesis__free_unpacked(f->genesis, NULL);
}

static uint32_t node_of(const Sanquan__V1__Genesis *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (strncmp(name, "node:", 5) == 0 && strcmp(name + 5, g->nodes[i]->code) == 0)
            return i;
    return SQ_ROW_NONE;
}

/* Entry 1 says who is in the network; the entry with which the window became final holds its settlement. */
static sq_status find_settlement(void *ctx, const struct sq_entry *e, struct sq_error *err)
{
    struct finding *f = ctx;
    uint64_t number = 0;
    sq_bytes rest = e->outcome, bytes;
    if (e->seq == 1 && (f->genesis = sanquan__v1__genesis__unpack(NULL, e->input.size, e->input.data)) == NULL)
        return sq_fail(err, SQ_E_CORRUPT, "entry 1 is no genesis");
    for (uint32_t field; f->settlement == NULL && (field = sq_wire_field(&rest, &number, &bytes)) != 0;) {
        sq_bytes inner = bytes, ignored;
        uint64_t window = 0;
        if (field != 5 || sq_wire_field(&inner, &window, &ignored) != 1 || window != f->window)
            continue;
        f->settlement = sq_need(malloc(bytes.size + 1));
        memcpy(f->settlement, bytes.data, bytes.size);
        f->size = bytes.size;
        sq_settlement_hash(bytes, f->hash);
    }
    return SQ_OK;
}

static void keep_vote(struct finding *f, sq_bytes bytes)
{
    struct sq_envelope e;
    if (sq_envelope_open(bytes, &e, NULL) != SQ_OK || e.type != SANQUAN__V1__MESSAGE_TYPE__VOTE)
        return;
    Sanquan__V1__Vote *m = sanquan__v1__vote__unpack(NULL, e.body.size, e.body.data);
    uint32_t node = node_of(f->genesis, e.sender);
    int wanted = m != NULL && node != SQ_ROW_NONE && m->window == f->window && m->step == PRECOMMIT &&
                 m->value.len == SQ_HASH_SIZE && memcmp(m->value.data, f->hash, SQ_HASH_SIZE) == 0;
    for (uint32_t i = 0; wanted && i < f->votes.count; i++) {
        const struct vote *v = SQ_ROW(&f->votes, struct vote, i);
        wanted = v->node != node || v->round != m->round;
    }
    /* What was told on may be anybody's; the journal has it as it came. */
    if (wanted && sq_message_signed_by(&e, f->genesis->network_id.data, f->genesis->nodes[node]->node_key.data)) {
        struct vote *v = sq_need(sq_table_add(&f->votes, NULL));
        uint8_t *copy = sq_need(malloc(bytes.size));
        memcpy(copy, bytes.data, bytes.size);
        *v = (struct vote){node, m->round, sq_bytes_of(copy, bytes.size)};
    }
    if (m != NULL)
        sanquan__v1__vote__free_unpacked(m, NULL);
}

/* As their senders sent them, or as others told them on. */
static sq_status find_votes(void *ctx, const struct sq_entry *e, struct sq_error *err)
{
    struct finding *f = ctx;
    struct sq_envelope envelope;
    (void)err;
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__VOTE)
        keep_vote(f, e->input);
    if (e->type != SANQUAN__V1__MESSAGE_TYPE__RELAY || sq_envelope_open(e->input, &envelope, NULL) != SQ_OK)
        return SQ_OK;
    Sanquan__V1__Relay *m = sanquan__v1__relay__unpack(NULL, envelope.body.size, envelope.body.data);
    for (size_t i = 0; m != NULL && i < m->n_votes; i++)
        keep_vote(f, sq_bytes_of(m->votes[i].data, m->votes[i].len));
    if (m != NULL)
        sanquan__v1__relay__free_unpacked(m, NULL);
    return SQ_OK;
}

static uint32_t votes_in(const struct finding *f, uint32_t round)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->votes.count; i++)
        n += SQ_ROW(&f->votes, struct vote, i)->round == round;
    return n;
}

static int is_enough(size_t votes, size_t nodes)
{
    return votes * 3 > nodes * 2;
}

/* The round in which most of the others signed. */
static void choose_round(struct finding *f)
{
    for (uint32_t i = 0; i < f->votes.count; i++) {
        uint32_t round = SQ_ROW(&f->votes, struct vote, i)->round;
        if (votes_in(f, round) > votes_in(f, f->round))
            f->round = round;
    }
}

/* ---- the node's own ---- */

static size_t own_vote(struct finding *f, uint8_t out[static 128])
{
    Sanquan__V1__Vote m;
    sanquan__v1__vote__init(&m);
    m.window = f->window;
    m.round = f->round;
    m.step = PRECOMMIT;
    m.value = (ProtobufCBinaryData){SQ_HASH_SIZE, f->hash};
    return sanquan__v1__vote__pack(&m, out);
}

/* Did this node send it? The outcome has the hash of each body that left. */
static sq_status find_own(void *ctx, const struct sq_entry *e, struct sq_error *err)
{
    struct finding *f = ctx;
    uint64_t number = 0;
    sq_bytes rest = e->outcome, bytes;
    (void)err;
    for (uint32_t field; (field = sq_wire_field(&rest, &number, &bytes)) != 0;)
        for (size_t at = 0; field == 3 && at + SQ_HASH_SIZE <= bytes.size; at += SQ_HASH_SIZE)
            f->own_sent |= memcmp(bytes.data + at, f->own_hash, SQ_HASH_SIZE) == 0;
    return SQ_OK;
}

static void *take(void *arena, size_t size)
{
    return sq_arena_take(arena, size);
}

static sq_status add_own(struct finding *f, const struct sq_ledger *l, const struct sq_keys *keys, struct sq_error *err)
{
    uint8_t body[128];
    char self[16];
    size_t size = own_vote(f, body);
    struct sq_arena arena;
    sq_bytes envelope;
    snprintf(self, sizeof self, "node:%s", f->genesis->self);
    sq_sha256(body, size, f->own_hash);
    sq_status st = sq_ledger_walk(l, 1, UINT64_MAX, find_own, f, err);
    if (st == SQ_OK && strcmp(keys->name, self) != 0)
        st = sq_fail(err, SQ_E_USAGE, _("this is the key of %s, and the ledger is of %s"), keys->name, self);
    else if (st == SQ_OK && !f->own_sent)
        st = sq_fail(err, SQ_E_NOT_FOUND, _("this node has not signed window %" PRIu64 " in round %u itself"),
                     f->window, f->round);
    if (st != SQ_OK || (st = sq_arena_init(&arena, 4096, err)) != SQ_OK)
        return st;
    const struct sq_header h = {SANQUAN__V1__MESSAGE_TYPE__VOTE, self, self, 0, 0};
    const struct sq_wire_memory memory = {take, &arena};
    st = sq_message_seal(&h, sq_bytes_of(body, size), f->genesis->network_id.data, keys->secret, &memory, &envelope,
                         err);
    if (st == SQ_OK)
        keep_vote(f, envelope);
    sq_arena_free(&arena);
    return st;
}

/* ---- the file ---- */

static json_t *hex_of(sq_bytes b)
{
    char *text = sq_need(malloc(2 * b.size + 1));
    sq_hex(b.data, b.size, text);
    json_t *s = sq_need(json_string(text));
    free(text);
    return s;
}

static json_t *to_json(const struct finding *f)
{
    json_t *o = sq_need(json_object()), *votes = sq_need(json_array());
    for (uint32_t node = 0; node < f->genesis->n_nodes; node++)
        for (uint32_t i = 0; i < f->votes.count; i++) {
            const struct vote *v = SQ_ROW(&f->votes, struct vote, i);
            if (v->node == node && v->round == f->round)
                json_array_append_new(votes, json_pack("{s:s, s:o}", "node", f->genesis->nodes[node]->code, "envelope",
                                                       hex_of(v->envelope)));
        }
    json_object_set_new(o, "network_id", hex_of(sq_bytes_of(f->genesis->network_id.data, f->genesis->network_id.len)));
    json_object_set_new(o, "window", json_integer((json_int_t)f->window));
    json_object_set_new(o, "round", json_integer((json_int_t)f->round));
    json_object_set_new(o, "settlement_hash", hex_of(sq_bytes_of(f->hash, SQ_HASH_SIZE)));
    json_object_set_new(o, "settlement", hex_of(sq_bytes_of(f->settlement, f->size)));
    json_object_set_new(o, "votes", votes);
    return o;
}

static sq_status find(const struct certificate *c, const struct sq_keys *keys, struct finding *f, struct sq_error *err)
{
    const struct sq_ledger_options o = {.path = c->ledger, .read_only = 1};
    struct sq_ledger *l = NULL;
    sq_status st = sq_ledger_open(&o, &l, err);
    if (st == SQ_OK)
        st = sq_ledger_walk(l, 1, UINT64_MAX, find_settlement, f, err);
    if (st == SQ_OK && f->settlement == NULL)
        st = sq_fail(err, SQ_R_WINDOW_STATE, _("window %" PRIu64 " is not final in this ledger"), c->window);
    if (st == SQ_OK)
        st = sq_ledger_walk(l, 1, UINT64_MAX, find_votes, f, err);
    if (st == SQ_OK) {
        choose_round(f);
        if (keys != NULL)
            st = add_own(f, l, keys, err);
    }
    sq_ledger_close(l);
    if (st == SQ_OK && !is_enough(votes_in(f, f->round), f->genesis->n_nodes))
        st = sq_fail(err, SQ_E_NOT_FOUND,
                     _("this ledger has %u signatures of others for window %" PRIu64
                       ", and more than two thirds of %zu are needed: add the node's own with --node-key"),
                     votes_in(f, f->round), c->window, f->genesis->n_nodes);
    return st;
}

/* ---- settle certificate ---- */

enum { KEY_LEDGER = 0x100, KEY_NODE_KEY };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct certificate *c = state->input;
    switch (key) {
    case KEY_LEDGER:
        c->ledger = value;
        return 0;
    case KEY_NODE_KEY:
        c->node_key = value;
        return 0;
    case 'o':
        c->out = value;
        return 0;
    case ARGP_KEY_ARG:
        if (c->window != 0)
            return ARGP_ERR_UNKNOWN;
        return sq_args_number(value, 1, UINT32_MAX, &c->window)
                   ? 0
                   : sq_args_wrong(state, _("%s: a window is a number from 1 on"), value);
    case ARGP_KEY_END:
        return c->window == 0      ? sq_args_wrong(state, _("say which window"))
               : c->ledger == NULL ? sq_args_wrong(state, _("say which ledger: --ledger DIR"))
                                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger; its node may be working"), 0},
    {"node-key", KEY_NODE_KEY, N_("FILE"), 0, N_("the node's key, to sign its own vote once more"), 0},
    {"out", 'o', N_("FILE"), 0, N_("write here instead of to standard output"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("WINDOW"),
    N_("Write a final window's settlement with the signatures that made it final, for those who have no ledger."),
    N_("'sanquan settle verify' checks the file against the network's directory and nothing else. A ledger holds\n"
       "the votes of the other nodes as they signed them. Where these are not more than two thirds, as with\n"
       "three nodes, the node's own is needed too: with its key it signs what its journal says it has said.\n"
       "\n"
       "  sanquan settle certificate 7 --ledger /var/lib/sanquan/310000 --out window7.json\n"
       "  sanquan settle certificate 7 --ledger /var/lib/sanquan/310000 --node-key /etc/sanquan/310000.key"),
    0};

int sq_cmd_settle_certificate(struct sq_cli *cli, int argc, char **argv)
{
    struct certificate c = {0};
    struct sq_error err = {0};
    struct sq_keys *keys = NULL;
    int code = sq_cli_parse(cli, &args, argc, argv, &c);
    if (code != SQ_PARSED)
        return code;
    struct finding f = {.window = c.window, .votes = SQ_TABLE_OF(struct vote)};
    sq_status st = c.node_key != NULL ? sq_keys_read(c.node_key, sq_cli_passphrase, cli, &keys, &err) : SQ_OK;
    if (st == SQ_OK)
        st = find(&c, keys, &f, &err);
    if (st == SQ_OK) {
        json_t *o = to_json(&f);
        char *text = sq_need(json_dumps(o, JSON_INDENT(1)));
        st = sq_bank_write(c.out, (const uint8_t *)text, strlen(text), &err);
        free(text);
        json_decref(o);
    }
    if (st == SQ_OK && c.out != NULL)
        sq_cli_note(cli, _("window %" PRIu64 ": written to %s"), c.window, c.out);
    finding_free(&f);
    sq_secret_free(keys);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}

/* ---- settle verify ---- */

struct proof { /* what a file says, and what it comes to */
    json_t *root;
    uint64_t window, round;
    uint8_t *settlement, hash[SQ_HASH_SIZE];
    size_t size;
    Sanquan__V1__Settlement *value;
    json_t *signers; /* codes */
};

static void proof_free(struct proof *p)
{
    if (p->value != NULL)
        sanquan__v1__settlement__free_unpacked(p->value, NULL);
    free(p->settlement);
    json_decref(p->signers);
    json_decref(p->root);
}

/* The bytes of a hexadecimal text, malloc'd; NULL when it is none. */
static uint8_t *bytes_of(const json_t *text, size_t *size)
{
    const char *s = json_string_value(text);
    if (s == NULL || *s == '\0' || strlen(s) % 2 != 0)
        return NULL;
    *size = strlen(s) / 2;
    uint8_t *out = sq_need(malloc(*size));
    if (sq_unhex(s, out, *size, NULL) == SQ_OK)
        return out;
    free(out);
    return NULL;
}

static sq_status read_file(const char *path, struct proof *p, struct sq_error *err)
{
    json_error_t where;
    p->root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (p->root == NULL)
        return sq_fail(err, SQ_E_FORMAT, "%.100s:%d: %.100s", path, where.line, where.text);
    p->window = (uint64_t)json_integer_value(json_object_get(p->root, "window"));
    p->round = (uint64_t)json_integer_value(json_object_get(p->root, "round"));
    p->settlement = bytes_of(json_object_get(p->root, "settlement"), &p->size);
    p->signers = sq_need(json_array());
    if (p->window == 0 || p->settlement == NULL || p->round >= ROUNDS ||
        !json_is_array(json_object_get(p->root, "votes")))
        return sq_fail(err, SQ_E_FORMAT, _("%.100s: not a certificate as 'sanquan settle certificate' writes it"),
                       path);
    return SQ_OK;
}

/* One vote: of that node, signed by its key, for this window, round and settlement. */
static sq_status check_vote(const struct sq_directory *d, const struct proof *p, const json_t *vote,
                            const char **code_out, struct sq_error *err)
{
    const Sanquan__V1__Genesis *g = sq_directory_members(d);
    const char *code = json_string_value(json_object_get(vote, "node"));
    struct sq_envelope e;
    size_t size = 0;
    uint8_t *bytes = bytes_of(json_object_get(vote, "envelope"), &size);
    sq_status st = bytes != NULL && code != NULL ? sq_envelope_open(sq_bytes_of(bytes, size), &e, err)
                                                 : sq_fail(err, SQ_E_VERIFY, _("a vote that is none"));
    uint32_t node = st == SQ_OK ? node_of(g, e.sender) : SQ_ROW_NONE;
    if (st == SQ_OK && (node == SQ_ROW_NONE || strcmp(g->nodes[node]->code, code) != 0))
        st = sq_fail(err, SQ_E_VERIFY, _("a vote of %s under the name of %s"), e.sender, code);
    if (st == SQ_OK)
        st = sq_message_check(&e, sq_directory_network_id(d), g->nodes[node]->node_key.data, err);
    Sanquan__V1__Vote *m = NULL;
    if (st == SQ_OK && e.type == SANQUAN__V1__MESSAGE_TYPE__VOTE &&
        sq_wire_check(&sanquan__v1__vote__descriptor, e.body, NULL) == SQ_OK)
        m = sanquan__v1__vote__unpack(NULL, e.body.size, e.body.data);
    if (st == SQ_OK && (m == NULL || m->window != p->window || m->round != p->round || m->step != PRECOMMIT ||
                        m->value.len != SQ_HASH_SIZE || memcmp(m->value.data, p->hash, SQ_HASH_SIZE) != 0))
        st = sq_fail(err, SQ_E_VERIFY, _("what node %s has signed is no precommit for this settlement"), code);
    if (m != NULL)
        sanquan__v1__vote__free_unpacked(m, NULL);
    free(bytes);
    *code_out = code;
    return st == SQ_OK ? SQ_OK : sq_fail_context(err, SQ_E_VERIFY, _("vote of node %s"), code != NULL ? code : "?");
}

static sq_status check(const struct sq_directory *d, struct proof *p, struct sq_error *err)
{
    const json_t *votes = json_object_get(p->root, "votes");
    const char *last = "", *code;
    p->value = sq_settlement_open(sq_bytes_of(p->settlement, p->size));
    if (p->value == NULL || p->value->window != p->window)
        return sq_fail(err, SQ_E_VERIFY, _("the settlement is not a canonical one of window %" PRIu64), p->window);
    sq_settlement_hash(sq_bytes_of(p->settlement, p->size), p->hash);
    for (size_t i = 0; i < json_array_size(votes); i++) {
        sq_status st = check_vote(d, p, json_array_get(votes, i), &code, err);
        if (st != SQ_OK)
            return st;
        if (strcmp(code, last) <= 0)
            return sq_fail(err, SQ_E_VERIFY, _("node %s stands twice, or out of order"), code);
        json_array_append_new(p->signers, json_string(code));
        last = code;
    }
    size_t nodes = sq_directory_members(d)->n_nodes;
    return is_enough(json_array_size(p->signers), nodes)
               ? SQ_OK
               : sq_fail(err, SQ_E_VERIFY, _("%zu of %zu nodes have signed: more than two thirds are needed"),
                         json_array_size(p->signers), nodes);
}

static void show(const struct sq_cli *cli, const struct proof *p)
{
    char hash[2 * SQ_HASH_SIZE + 1];
    sq_hex(p->hash, SQ_HASH_SIZE, hash);
    if (cli->json) {
        sq_cli_json(json_pack("{s:b, s:I, s:I, s:s, s:O, s:I, s:I}", "verifies", 1, "window", (json_int_t)p->window,
                              "round", (json_int_t)p->round, "settlement_hash", hash, "signers", p->signers,
                              "pair_count", (json_int_t)p->value->n_pairs, "payment_count",
                              (json_int_t)p->value->n_payments));
        return;
    }
    printf(_("Window %" PRIu64 " is final: %zu nodes have signed its settlement in round %" PRIu64 ".\n"), p->window,
           json_array_size(p->signers), p->round);
    printf("  %s %s\n ", _("settlement"), hash);
    for (size_t i = 0; i < json_array_size(p->signers); i++)
        printf(" %s", json_string_value(json_array_get(p->signers, i)));
    printf("\n");
}

static error_t parse_verify(int key, char *value, struct argp_state *state)
{
    struct {
        struct sq_cli *cli;
        struct certificate *c;
    } *in = state->input;
    switch (key) {
    case KEY_LEDGER:
        in->cli->directory = value;
        return 0;
    case ARGP_KEY_ARG:
        if (in->c->file != NULL)
            return ARGP_ERR_UNKNOWN;
        in->c->file = value;
        return 0;
    case ARGP_KEY_END:
        return in->c->file == NULL          ? sq_args_wrong(state, _("say which file"))
               : in->cli->directory == NULL ? sq_args_wrong(state, _("say which network: --directory FILE"))
                                            : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option verify_options[] = {
    {"directory", KEY_LEDGER, N_("FILE"), 0, N_("the network's directory [SANQUAN_DIRECTORY]"), 0},
    {0},
};
static const struct sq_args verify_args = {
    verify_options,
    parse_verify,
    N_("FILE"),
    N_("Check a window's certificate with the network's directory alone."),
    N_("The settlement must be canonical, its hash what each vote says, each vote signed by its node for this window\n"
       "and one round, and the nodes more than two thirds of the network's.\n"
       "\n"
       "  sanquan settle verify window7.json --directory directory.yaml"),
    0};

int sq_cmd_settle_verify(struct sq_cli *cli, int argc, char **argv)
{
    struct certificate c = {0};
    struct {
        struct sq_cli *cli;
        struct certificate *c;
    } in = {cli, &c};
    struct proof p = {0};
    struct sq_directory *d = NULL;
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &verify_args, argc, argv, &in);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_directory_read(cli->directory, &d, &err);
    if (st == SQ_OK)
        st = read_file(c.file, &p, &err);
    if (st == SQ_OK)
        st = check(d, &p, &err);
    if (st == SQ_OK)
        show(cli, &p);
    proof_free(&p);
    sq_directory_free(d);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
