/*
 * Who takes part: nodes and authorities from GENESIS, providers and holders enrolled by an operator of their node,
 * and foreign providers that are only names in other nodes' requests.
 *
 * Invariants: a name is in the table once; a party's keys never change; a party without a known key signs nothing here; an enrolled
 * transport key belongs to one name, because a connection is taken for the name its key is listed under: whoever enrolled with the
 * key of another would cut the other off.
 */
#include <stdio.h>

#include "clearing/base/uscc.h"
#include "clearing/core/state.h"

static const struct {
    const char *prefix;
    enum sq_role role;
} roles[] = {
    {"node:", SQ_ROLE_NODE},           {"issuer:", SQ_ROLE_ISSUER},     {"operator:", SQ_ROLE_OPERATOR},
    {"regulator:", SQ_ROLE_REGULATOR}, {"provider:", SQ_ROLE_PROVIDER}, {"holder:", SQ_ROLE_HOLDER},
    {"evaluator:", SQ_ROLE_EVALUATOR},
};

static int role_of(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strncmp(name, roles[i].prefix, strlen(roles[i].prefix)) == 0)
            return (int)roles[i].role;
    return 0;
}

const char *sq_party_code(const struct sq_party *p)
{
    return strchr(p->name, ':') + 1; /* every name in the table has passed role_of */
}

uint32_t sq_party_find(const struct sq_core *core, const char *name)
{
    struct sq_index_cursor c = {.hash = sq_hash_key(name, strlen(name))};
    uint32_t row;
    while ((row = sq_index_next(&core->party_index, &c)) != SQ_ROW_NONE)
        if (strcmp(sq_party_at(core, row)->name, name) == 0)
            break;
    return row;
}

/* Room must be reserved; the name must not be there yet. */
static struct sq_party *add_party(struct sq_core *core, const char *name, uint32_t node, uint32_t *number)
{
    struct sq_party *p = sq_table_add(&core->parties, number);
    SQ_ASSERT(p != NULL && strlen(name) <= SQ_NAME_SIZE_MAX);
    memcpy(p->name, name, strlen(name));
    p->role = (uint8_t)role_of(name);
    p->node = node;
    p->org = p->role >= SQ_ROLE_PROVIDER ? sq_org_intern(core, sq_party_code(p)) : SQ_ROW_NONE;
    sq_index_put(&core->party_index, sq_hash_key(name, strlen(name)), *number);
    return p;
}

static sq_status reserve_parties(struct sq_core *core, uint32_t more, struct sq_error *err)
{
    sq_status st = sq_table_reserve(&core->parties, more, err);
    if (st == SQ_OK)
        st = sq_index_reserve(&core->transport_index, more, err);
    if (st == SQ_OK)
        st = sq_index_reserve(&core->party_index, more, err);
    return st != SQ_OK ? st : sq_orgs_reserve(core, more, err);
}

sq_status sq_party_intern(struct sq_core *core, const char *role, const char *code, uint32_t node, uint32_t *out,
                          struct sq_error *err)
{
    char name[SQ_NAME_SIZE_MAX + 1];
    snprintf(name, sizeof name, "%s:%s", role, code);
    *out = sq_party_find(core, name);
    if (*out != SQ_ROW_NONE)
        return SQ_OK;
    sq_status st = reserve_parties(core, 1, err);
    if (st == SQ_OK)
        add_party(core, name, node, out);
    return st;
}

uint32_t sq_node_of_code(const struct sq_core *core, const char *code)
{
    for (uint32_t i = 0; i < core->nodes.count; i++)
        if (strcmp(sq_node_at(core, i)->code, code) == 0)
            return i;
    return SQ_ROW_NONE;
}

uint32_t sq_node_of_issuer(const struct sq_core *core, uint32_t issuer)
{
    for (uint32_t i = 0; i < core->hosted.count; i++)
        if (SQ_ROW(&core->hosted, struct sq_hosted, i)->issuer == issuer)
            return SQ_ROW(&core->hosted, struct sq_hosted, i)->node;
    return SQ_ROW_NONE;
}

uint32_t sq_node_of_invoice(const struct sq_core *core, const struct sq_invoice_key *key)
{
    uint32_t province = sq_invoice_province(key);
    for (uint32_t i = 0; province != 0 && i < core->nodes.count; i++) {
        const char *code = sq_node_at(core, i)->code;
        if ((uint32_t)(code[0] - '0') * 10 + (uint32_t)(code[1] - '0') == province)
            return i;
    }
    /* All nodes must agree on one home also for a number that names no node, or it could be claimed twice. */
    return 0;
}

/* ---- GENESIS ---- */

static int six_digits(const char *code)
{
    return strlen(code) == 6 && strspn(code, "0123456789") == 6 && code[0] != '0';
}

static uint32_t number_of(const char *six)
{
    uint32_t n = 0;
    for (int i = 0; i < 6; i++)
        n = n * 10 + (uint32_t)(six[i] - '0');
    return n;
}

static sq_status check_genesis(const Sanquan__V1__Genesis *g, struct sq_error *err)
{
    if (g->network_id.len != 32 || g->n_nodes == 0 || g->n_nodes > 1024 || g->round_timeout_ms == 0)
        return sq_fail(err, SQ_E_FORMAT, "genesis: network id, nodes or round timeout");
    if (g->prefunded > 1 || g->loss_rule > SQ_LOSS_FUND || g->review_ms > 86400000u)
        return sq_fail(err, SQ_E_FORMAT, "genesis: loss rule %u, review of %u ms", g->loss_rule, g->review_ms);
    if (sq_netting_name(g->netting_method) == NULL)
        return sq_fail(err, SQ_E_FORMAT, "genesis: netting method %u", g->netting_method);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const Sanquan__V1__Node *n = g->nodes[i];
        if (!six_digits(n->code) || n->node_key.len != 32 || n->log_key.len != 32 || n->transport_key.len != 32 ||
            n->n_issuers == 0 || n->enrolled > 1 || n->guarantee_fen < 0 ||
            (i != 0 && strcmp(g->nodes[i - 1]->code, n->code) >= 0))
            return sq_fail(err, SQ_E_FORMAT, "genesis: node %s", n->code);
        for (size_t k = 0; k < n->n_issuers; k++)
            if (!six_digits(n->issuers[k]))
                return sq_fail(err, SQ_E_FORMAT, "genesis: issuer %s of node %s", n->issuers[k], n->code);
    }
    for (size_t i = 0; i < g->n_parties; i++) {
        const Sanquan__V1__Party *p = g->parties[i];
        int role = role_of(p->name);
        if (role < SQ_ROLE_ISSUER || role > SQ_ROLE_REGULATOR || strlen(p->name) > SQ_NAME_SIZE_MAX ||
            p->key.len != 32 || (p->transport_key.len != 32 && p->transport_key.len != 0) ||
            (i != 0 && strcmp(g->parties[i - 1]->name, p->name) >= 0))
            return sq_fail(err, SQ_E_FORMAT, "genesis: party %s", p->name);
    }
    return SQ_OK;
}

/* Room must be reserved. Keys never change, so a party that has its keys has them in the index too. */
static void set_keys(struct sq_core *core, uint32_t party, const ProtobufCBinaryData *key,
                     const ProtobufCBinaryData *transport)
{
    struct sq_party *p = sq_party_at(core, party);
    if (p->known_key)
        return;
    memcpy(p->key, key->data, 32);
    p->known_key = 1;
    if (transport->len == 0)
        return;
    memcpy(p->transport_key, transport->data, 32);
    sq_index_put(&core->transport_index, sq_hash_key(p->transport_key, 32), party);
}

static sq_status add_nodes(struct sq_core *core, const Sanquan__V1__Genesis *g, struct sq_error *err)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const Sanquan__V1__Node *in = g->nodes[i];
        struct sq_node *n = sq_table_add(&core->nodes, NULL);
        if (n == NULL)
            return sq_fail(err, SQ_E_NOMEM, "nodes");
        memcpy(n->code, in->code, 6);
        memcpy(n->log_key, in->log_key.data, 32);
        sq_status st = sq_party_intern(core, "node", in->code, (uint32_t)i, &n->party, err);
        if (st != SQ_OK)
            return st;
        set_keys(core, n->party, &in->node_key, &in->transport_key);
        for (size_t k = 0; k < in->n_issuers; k++) {
            if (sq_node_of_issuer(core, number_of(in->issuers[k])) != SQ_ROW_NONE)
                return sq_fail(err, SQ_E_FORMAT, "genesis: issuer %s is hosted twice", in->issuers[k]);
            struct sq_hosted *h = sq_table_add(&core->hosted, NULL);
            if (h == NULL)
                return sq_fail(err, SQ_E_NOMEM, "issuers");
            *h = (struct sq_hosted){number_of(in->issuers[k]), (uint32_t)i};
        }
    }
    core->self = sq_node_of_code(core, g->self);
    if (core->self == SQ_ROW_NONE)
        return sq_fail(err, SQ_E_FORMAT, "genesis: this node, %s, is not in the directory", g->self);
    core->peer_next = calloc(g->n_nodes, sizeof *core->peer_next);
    if (core->peer_next == NULL)
        return sq_fail(err, SQ_E_NOMEM, "streams");
    for (size_t i = 0; i < g->n_nodes; i++)
        core->peer_next[i] = 1;
    return SQ_OK;
}

static sq_status set_charter(struct sq_core *core, const Sanquan__V1__Genesis *g, struct sq_step *s)
{
    const struct sq_charter charter = {(enum sq_loss_rule)g->loss_rule, g->prefunded, g->review_ms};
    int64_t *guarantee_fen;
    uint8_t *enrolled;
    if (SQ_COLUMN(s, guarantee_fen, g->n_nodes) || SQ_COLUMN(s, enrolled, g->n_nodes))
        return sq_full(s);
    for (size_t i = 0; i < g->n_nodes; i++) {
        guarantee_fen[i] = g->nodes[i]->guarantee_fen;
        enrolled[i] = (uint8_t)g->nodes[i]->enrolled;
    }
    sq_settlement_set_charter(core->settlement, &charter, guarantee_fen, enrolled);
    return SQ_OK;
}

sq_status sq_genesis_apply(struct sq_core *core, sq_bytes body, struct sq_step *s)
{
    ProtobufCMessage *opened;
    sq_status st = sq_wire_open(&sanquan__v1__genesis__descriptor, body, &s->memory, &opened, s->err);
    if (st != SQ_OK)
        return sq_fail_context(s->err, SQ_E_FORMAT, "genesis");
    const Sanquan__V1__Genesis *g = (const Sanquan__V1__Genesis *)opened;
    if ((st = check_genesis(g, s->err)) != SQ_OK || (st = add_nodes(core, g, s->err)) != SQ_OK)
        return st;
    for (size_t i = 0; i < g->n_parties; i++) {
        const Sanquan__V1__Party *in = g->parties[i];
        uint32_t node = sq_node_of_code(core, in->node), number;
        if (node == SQ_ROW_NONE && role_of(in->name) != SQ_ROLE_REGULATOR)
            return sq_fail(s->err, SQ_E_FORMAT, "genesis: %s is at home at no node", in->name);
        if ((st = reserve_parties(core, 1, s->err)) != SQ_OK)
            return st;
        add_party(core, in->name, node, &number);
        set_keys(core, number, &in->key, &in->transport_key);
    }
    char(*codes)[7] = sq_arena_take(s->fx->arena, g->n_nodes * sizeof *codes);
    if (codes == NULL)
        return sq_full(s);
    for (uint32_t i = 0; i < core->nodes.count; i++)
        memcpy(codes[i], sq_node_at(core, i)->code, 7);
    struct sq_settlement_setup setup = {.codes = codes,
                                        .node_count = core->nodes.count,
                                        .self = core->self,
                                        .method = (enum sq_netting_method)g->netting_method,
                                        .round_timeout_ms = g->round_timeout_ms};
    st = sq_settlement_new(&setup, core->now_ms, &core->settlement, s->err);
    if (st != SQ_OK)
        return st;
    if ((st = set_charter(core, g, s)) != SQ_OK || (st = sq_witness_begin(core, g, s->err)) != SQ_OK)
        return st;
    memcpy(core->network_id, g->network_id.data, 32);
    core->born = 1;
    s->fx->peer_next = core->peer_next;
    s->fx->node_count = core->nodes.count;
    s->fx->self = core->self;
    return SQ_OK;
}

/* ---- ENROL ---- */

static const uint8_t no_key[32];

/* Another party with this transport key, or SQ_ROW_NONE. */
static uint32_t owner_of_transport(const struct sq_core *core, const uint8_t key[static 32], uint32_t but)
{
    struct sq_index_cursor c = {.hash = sq_hash_key(key, 32)};
    uint32_t row;
    while ((row = sq_index_next(&core->transport_index, &c)) != SQ_ROW_NONE)
        if (row != but && memcmp(sq_party_at(core, row)->transport_key, key, 32) == 0)
            break;
    return row;
}

static int by_key(const void *a, const void *b)
{
    const uint8_t *const *x = a, *const *y = b;
    return memcmp(*x, *y, 32);
}

/* Does a transport key stand at two parties of one message? Every key has been checked to be 32 bytes or none. */
static sq_status check_keys_differ(struct sq_step *s, const Sanquan__V1__Enrol *m)
{
    const uint8_t **key;
    size_t n = 0;
    if (SQ_COLUMN(s, key, m->n_parties))
        return sq_full(s);
    for (size_t i = 0; i < m->n_parties; i++)
        if (m->parties[i]->transport_key.len != 0)
            key[n++] = m->parties[i]->transport_key.data;
    qsort(key, n, sizeof *key, by_key);
    for (size_t i = 1; i < n; i++)
        if (memcmp(key[i - 1], key[i], 32) == 0)
            return sq_refuse(s, SQ_R_BAD_KEY, "two parties of this message have the transport key %02x%02x%02x%02x...",
                             key[i][0], key[i][1], key[i][2], key[i][3]);
    return SQ_OK;
}

static sq_status check_enrolment(struct sq_step *s, const Sanquan__V1__Party *p)
{
    struct sq_core *core = s->core;
    int role = role_of(p->name);
    if (role < SQ_ROLE_PROVIDER)
        return sq_refuse(s, SQ_R_NOT_PERMITTED, "%s: only providers, holders and evaluators are enrolled", p->name);
    if (!sq_uscc_valid(strchr(p->name, ':') + 1))
        return sq_refuse(s, SQ_R_BAD_USCC, "%s", p->name);
    if (strcmp(p->node, sq_node_at(core, core->self)->code) != 0)
        return sq_refuse(s, SQ_R_WRONG_RECEIVER, "%s: its home is node %s", p->name, p->node);
    if (p->key.len != 32 || (p->transport_key.len != 32 && p->transport_key.len != 0) ||
        (p->transport_key.len == 32 && memcmp(p->transport_key.data, no_key, 32) == 0) ||
        (core->key_ok != NULL && !core->key_ok(p->key.data)))
        return sq_refuse(s, SQ_R_BAD_KEY, "%s", p->name);
    uint32_t known = sq_party_find(core, p->name);
    uint32_t owner = p->transport_key.len == 32 ? owner_of_transport(core, p->transport_key.data, known) : SQ_ROW_NONE;
    if (owner != SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_BAD_KEY, "%s: its transport key is that of %s", p->name,
                         sq_party_at(core, owner)->name);
    if (known == SQ_ROW_NONE || !sq_party_at(core, known)->known_key)
        return SQ_OK;
    const struct sq_party *row = sq_party_at(core, known);
    const uint8_t *transport = p->transport_key.len == 32 ? p->transport_key.data : no_key;
    if (memcmp(row->key, p->key.data, 32) != 0 || memcmp(row->transport_key, transport, 32) != 0)
        return sq_refuse(s, SQ_R_ALREADY_ENROLLED, "%s", p->name);
    return SQ_OK;
}

sq_status sq_on_enrol(struct sq_step *s, const Sanquan__V1__Enrol *m)
{
    struct sq_core *core = s->core;
    if (m->n_parties == 0 || m->n_parties > 4096)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu parties; 1 to 4096 go", m->n_parties);
    for (size_t i = 0; i < m->n_parties; i++) {
        sq_status st = check_enrolment(s, m->parties[i]);
        if (st != SQ_OK)
            return st;
        if (i != 0 && strcmp(m->parties[i - 1]->name, m->parties[i]->name) >= 0)
            return sq_refuse(s, SQ_R_ORDER, "%s after %s", m->parties[i]->name, m->parties[i - 1]->name);
    }
    sq_status st = check_keys_differ(s, m);
    if (st == SQ_OK)
        st = reserve_parties(core, (uint32_t)m->n_parties, s->err);
    if (st != SQ_OK)
        return st;
    for (size_t i = 0; i < m->n_parties; i++) { /* from here it must succeed */
        const Sanquan__V1__Party *in = m->parties[i];
        uint32_t number = sq_party_find(core, in->name);
        struct sq_party *p =
            number == SQ_ROW_NONE ? add_party(core, in->name, core->self, &number) : sq_party_at(core, number);
        p->node = core->self;
        set_keys(core, number, &in->key, &in->transport_key);
    }
    return sq_answer_accepted(s, m->n_parties);
}
