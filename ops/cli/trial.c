/*
 * The trial's core hears messages as a node's would, from the same parties: the issuer publishes, states and grants, an operator enrols,
 * holders give mandates, providers claim. Signatures are the transport's affair and are left out; all else is the node's own code.
 */
#include "ops/cli/trial.h"

#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "clearing/base/uscc.h"
#include "clearing/core/core.h"

#define HALF_DAY_MS 43200000u
#define MANDATE_FEN 10000000000000ll /* the most a mandate may say: the voucher's face is what bounds it */
#define FIRST_DAY   20000101u

struct sq_trial {
    struct sq_core *core;
    struct sq_arena arena;
    uint64_t now_ms;
    uint32_t issuer, number;
    uint64_t granted;
    char node[7];
};

static void at_noon(struct sq_trial *t, uint32_t day)
{
    uint64_t noon = sq_day_end_ms(day) - HALF_DAY_MS + 1;
    t->now_ms = noon > t->now_ms ? noon : t->now_ms;
}

/* ---- speaking ---- */

/* The status of the node's answer, and its text. */
static sq_status take_answer(const struct sq_effects *fx, struct sq_error *err)
{
    for (size_t i = 0; i < fx->out_count; i++) {
        const struct sq_out *out = &fx->out[i];
        if (out->kind == SQ_OUT_ANSWER) {
            Sanquan__V1__Answer *a = sq_need(sanquan__v1__answer__unpack(NULL, out->body.size, out->body.data));
            sq_status st = a->status == SQ_OK ? SQ_OK : sq_fail(err, (sq_status)a->status, "%.200s", a->detail);
            sanquan__v1__answer__free_unpacked(a, NULL);
            return st;
        }
    }
    return sq_fail(err, SQ_E_USAGE, "the trial's node gives no answer");
}

static sq_status step(struct sq_trial *t, const struct sq_event *event, struct sq_effects *fx, struct sq_error *err)
{
    sq_arena_reset(&t->arena);
    return sq_core_step(t->core, event, &t->arena, fx, err);
}

static sq_status say_bytes(struct sq_trial *t, const char *party, uint32_t type, sq_bytes body, struct sq_error *err)
{
    struct sq_effects fx;
    struct sq_envelope e = {.body = body, .version = 1, .type = type, .algorithm = 1};
    const struct sq_party *sender = sq_core_party(t->core, sq_core_party_find(t->core, party));
    snprintf(e.sender, sizeof e.sender, "%s", party);
    snprintf(e.receiver, sizeof e.receiver, "node:%s", t->node);
    e.id = sender->last_id + 1;
    sq_status st = step(t, &(struct sq_event){t->now_ms, type, &e, body}, &fx, err);
    return st == SQ_OK ? take_answer(&fx, err) : st;
}

static sq_status say(struct sq_trial *t, const char *party, uint32_t type, const ProtobufCMessage *m,
                     struct sq_error *err)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = sq_need(malloc(size + 1));
    protobuf_c_message_pack(m, bytes);
    sq_status st = say_bytes(t, party, type, sq_bytes_of(bytes, size), err);
    free(bytes);
    return st;
}

static void name_of(char out[static SQ_NAME_SIZE_MAX + 1], const char *role, const char *code)
{
    snprintf(out, SQ_NAME_SIZE_MAX + 1, "%s:%s", role, code);
}

/* ---- who is there ---- */

static sq_status found_node(struct sq_trial *t, struct sq_error *err)
{
    static uint8_t key[3][32] = {{1}, {2}, {3}}, id[32] = {1}; /* nobody signs here; they must only differ */
    char names[2][SQ_NAME_SIZE_MAX + 1];
    char *issuers[1] = {t->node};
    Sanquan__V1__Genesis g;
    Sanquan__V1__Node node, *nodes[1] = {&node};
    Sanquan__V1__Party party[2], *parties[2] = {&party[0], &party[1]};
    struct sq_effects fx;
    sanquan__v1__genesis__init(&g);
    sanquan__v1__node__init(&node);
    node.code = t->node;
    node.node_key = node.log_key = node.transport_key = (ProtobufCBinaryData){32, key[0]};
    node.issuers = issuers;
    node.n_issuers = 1;
    name_of(names[0], "issuer", t->node);
    snprintf(names[1], sizeof names[1], "operator:%s/try", t->node);
    for (int i = 0; i < 2; i++) {
        sanquan__v1__party__init(&party[i]);
        party[i].name = names[i];
        party[i].node = t->node;
        party[i].key = party[i].transport_key = (ProtobufCBinaryData){32, key[i + 1]};
    }
    g.network_id = (ProtobufCBinaryData){32, id};
    g.self = t->node;
    g.nodes = nodes;
    g.n_nodes = 1;
    g.parties = parties;
    g.n_parties = 2;
    g.netting_method = 2;
    g.round_timeout_ms = 1000;
    size_t size = sanquan__v1__genesis__get_packed_size(&g);
    uint8_t *body = sq_need(malloc(size));
    sanquan__v1__genesis__pack(&g, body);
    sq_status st = step(
        t, &(struct sq_event){t->now_ms, SANQUAN__V1__MESSAGE_TYPE__GENESIS, NULL, sq_bytes_of(body, size)}, &fx, err);
    free(body);
    return st;
}

static sq_status enrol(struct sq_trial *t, const char *role, const char *code, struct sq_error *err)
{
    char name[SQ_NAME_SIZE_MAX + 1], operator_name[SQ_NAME_SIZE_MAX + 1];
    uint8_t key[SQ_HASH_SIZE];
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party p, *list[1] = {&p};
    name_of(name, role, code);
    if (sq_core_party_find(t->core, name) != SQ_ROW_NONE)
        return SQ_OK;
    sq_sha256_parts(&(struct sq_sha256_part){(const uint8_t *)name, strlen(name)}, 1, key);
    sanquan__v1__enrol__init(&m);
    sanquan__v1__party__init(&p);
    p.name = name;
    p.node = t->node;
    p.key = p.transport_key = (ProtobufCBinaryData){sizeof key, key};
    m.n_parties = 1;
    m.parties = list;
    snprintf(operator_name, sizeof operator_name, "operator:%s/try", t->node);
    return say(t, operator_name, SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base, err);
}

void sq_trial_code(uint32_t issuer, uint32_t n, char out[static 19])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    snprintf(out, 19, "91%06uTRY%06u0", issuer % 1000000, n % 1000000);
    for (size_t i = 0; !sq_uscc_valid(out); i++)
        out[17] = alphabet[i]; /* one of them is right */
}

/* ---- life ---- */

sq_status sq_trial_new(const Sanquan__V1__Programme *terms, uint32_t day, struct sq_trial **out, struct sq_error *err)
{
    struct sq_trial *t = sq_need(calloc(1, sizeof *t));
    char issuer[SQ_NAME_SIZE_MAX + 1];
    t->issuer = terms->issuer;
    t->number = terms->number;
    snprintf(t->node, sizeof t->node, "%06u", terms->issuer % 1000000);
    at_noon(t, day);
    sq_status st = sq_arena_init(&t->arena, SQ_STEP_ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_core_new(&t->core, err);
    if (st == SQ_OK)
        st = found_node(t, err);
    name_of(issuer, "issuer", t->node);
    /* A later version stands here as if it were the first: there is no earlier one to be judged by. */
    Sanquan__V1__Programme first = *terms;
    first.version = 1;
    if (st == SQ_OK)
        st = say(t, issuer, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &first.base, err);
    if (st == SQ_OK)
        *out = t;
    else
        sq_trial_free(t);
    return st;
}

void sq_trial_free(struct sq_trial *t)
{
    if (t == NULL)
        return;
    sq_core_free(t->core);
    sq_arena_free(&t->arena);
    free(t);
}

sq_status sq_trial_state(struct sq_trial *t, const char *org, const struct sq_declared_facts *facts,
                         struct sq_error *err)
{
    char code[19], issuer[SQ_NAME_SIZE_MAX + 1], *orgs[1] = {code};
    uint32_t first[SQ_FACTS_A_ROW], none[SQ_FACTS_A_ROW] = {0};
    struct sq_declared_facts f = *facts;
    Sanquan__V1__Facts m;
    if (f.count == 0)
        return SQ_OK;
    for (uint32_t i = 0; i < f.count; i++)
        first[i] = FIRST_DAY;
    sanquan__v1__facts__init(&m);
    snprintf(code, sizeof code, "%s", org);
    m.issuer = t->issuer;
    m.orgs = orgs;
    m.n_orgs = 1;
    m.n_org = m.n_attribute = m.n_value = m.n_from_day = m.n_until_day = f.count;
    m.org = m.until_day = none;
    m.attribute = f.attribute;
    m.value = f.value;
    m.from_day = first;
    name_of(issuer, "issuer", t->node);
    return say(t, issuer, SANQUAN__V1__MESSAGE_TYPE__FACTS, &m.base, err);
}

sq_status sq_trial_grant(struct sq_trial *t, const struct sq_trial_voucher *voucher, uint32_t day, uint64_t *number,
                         struct sq_error *err)
{
    struct sq_trial_voucher v = *voucher;
    char issuer[SQ_NAME_SIZE_MAX + 1], *holders[1] = {v.row.holder};
    uint32_t zero = 0, set_number = 1;
    Sanquan__V1__FactSet set, *sets[1] = {&set};
    static const uint8_t none[SQ_CONTRACT_BYTES];
    Sanquan__V1__Grant m;
    if (memcmp(v.row.contract, none, sizeof none) == 0) {
        v.row.contract[0] = 1;
        sq_put_be64(v.row.contract + 8, t->granted + 1);
    }
    at_noon(t, day);
    sanquan__v1__grant__init(&m);
    m.issuer = t->issuer;
    m.programme = t->number;
    m.n_face_fen = m.n_holder = m.n_until_day = m.n_holders = 1;
    m.n_contract_fen = m.n_approved_fen = m.n_contract_day = m.n_contract_from_day = m.n_contract_until_day =
        m.n_quota = m.n_documents = 1;
    m.face_fen = &v.row.face_fen;
    m.holder = &zero;
    m.until_day = &v.row.until_day;
    m.holders = holders;
    m.contract = (ProtobufCBinaryData){sizeof v.row.contract, v.row.contract};
    m.contract_fen = &v.row.contract_fen;
    m.approved_fen = &v.row.approved_fen;
    m.contract_day = &v.row.contract_day;
    m.contract_from_day = &v.row.contract_from_day;
    m.contract_until_day = &v.row.contract_until_day;
    m.quota = &v.row.quota;
    m.documents = &v.row.documents;
    if (v.facts.count != 0) {
        sanquan__v1__fact_set__init(&set);
        set.n_attribute = set.n_value = v.facts.count;
        set.attribute = v.facts.attribute;
        set.value = v.facts.value;
        m.n_facts = m.n_fact_sets = 1;
        m.facts = &set_number;
        m.fact_sets = sets;
    }
    name_of(issuer, "issuer", t->node);
    sq_status st = enrol(t, "holder", v.row.holder, err);
    if (st == SQ_OK)
        st = say(t, issuer, SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base, err);
    if (st == SQ_OK)
        *number = ((uint64_t)t->issuer * 10000 + t->number) * 1000000000u + ++t->granted;
    return st;
}

/* The voucher's holder allows the provider all of it. A voucher that is not there has no holder: the claim will say so. */
static sq_status mandate(struct sq_trial *t, const char *provider, uint64_t voucher, struct sq_error *err)
{
    struct sq_voucher_view v;
    char code[19];
    int64_t limit = MANDATE_FEN;
    uint64_t until = sq_day_end_ms(20991231);
    Sanquan__V1__Mandate m;
    if (sq_core_voucher(t->core, voucher, &v) != SQ_OK)
        return SQ_OK;
    sanquan__v1__mandate__init(&m);
    snprintf(code, sizeof code, "%s", provider);
    m.provider = code;
    m.n_voucher = m.n_limit_fen = m.n_until_ms = 1;
    m.voucher = &voucher;
    m.limit_fen = &limit;
    m.until_ms = &until;
    return say(t, v.holder, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base, err);
}

sq_status sq_trial_claim(struct sq_trial *t, const char *provider, const struct sq_item *item, struct sq_explain *out,
                         struct sq_error *err)
{
    char name[SQ_NAME_SIZE_MAX + 1];
    uint32_t order;
    uint8_t *body;
    size_t size;
    *out = (struct sq_explain){0};
    at_noon(t, item->service_day);
    name_of(name, "provider", provider);
    sq_status st = enrol(t, "provider", provider, err);
    if (st == SQ_OK)
        st = mandate(t, provider, item->voucher, err);
    if (st != SQ_OK)
        return st;
    sq_batch_pack(item, 1, &order, &body, &size);
    sq_core_watch(t->core, sq_core_self(t->core), sq_core_seq(t->core) + 1, 0, out);
    st = say_bytes(t, name, SANQUAN__V1__MESSAGE_TYPE__BATCH, sq_bytes_of(body, size), err);
    sq_core_watch(t->core, 0, 0, 0, NULL);
    free(body);
    return st;
}
