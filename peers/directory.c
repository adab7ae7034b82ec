/*
 * From the YAML file to the Genesis message: checked, then sorted as the message demands.
 */
#include "peers/directory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/hash.h"
#include "peers/yaml.h"

struct member { /* an issuer, an operator or a regulator */
    char *code, *key, *transport_key;
};

struct node {
    char *code, *node_key, *log_key, *transport_key;
    struct member *issuers, *operators;
    unsigned issuers_count, operators_count;
    bool enrolled;
    unsigned guarantee_yuan;
};

struct file {
    char *network, *netting, *losses;
    unsigned round_timeout_ms, review_ms, witness_ms;
    bool prefunded;
    struct node *nodes;
    struct member *regulators;
    unsigned nodes_count, regulators_count;
};

static const cyaml_schema_field_t issuer_fields[] = {
    CYAML_FIELD_STRING_PTR("code", CYAML_FLAG_POINTER, struct member, code, 6, 6),
    CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_POINTER, struct member, key, 64, 64),
    CYAML_FIELD_STRING_PTR("transport_key", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct member, transport_key, 64,
                           64),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t named_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct member, code, 1, 24),
    CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_POINTER, struct member, key, 64, 64),
    CYAML_FIELD_STRING_PTR("transport_key", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct member, transport_key, 64,
                           64),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t issuer_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct member, issuer_fields)};
static const cyaml_schema_value_t named_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct member, named_fields)};
static const cyaml_schema_field_t node_fields[] = {
    CYAML_FIELD_STRING_PTR("code", CYAML_FLAG_POINTER, struct node, code, 6, 6),
    CYAML_FIELD_STRING_PTR("node_key", CYAML_FLAG_POINTER, struct node, node_key, 64, 64),
    CYAML_FIELD_STRING_PTR("log_key", CYAML_FLAG_POINTER, struct node, log_key, 64, 64),
    CYAML_FIELD_STRING_PTR("transport_key", CYAML_FLAG_POINTER, struct node, transport_key, 64, 64),
    CYAML_FIELD_SEQUENCE("issuers", CYAML_FLAG_POINTER, struct node, issuers, &issuer_schema, 1, 64),
    CYAML_FIELD_SEQUENCE("operators", CYAML_FLAG_POINTER, struct node, operators, &named_schema, 2, 64),
    CYAML_FIELD_BOOL("enrolled", CYAML_FLAG_OPTIONAL, struct node, enrolled),
    CYAML_FIELD_UINT("guarantee_yuan", CYAML_FLAG_OPTIONAL, struct node, guarantee_yuan),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t node_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct node, node_fields)};
static const cyaml_schema_field_t file_fields[] = {
    CYAML_FIELD_STRING_PTR("network", CYAML_FLAG_POINTER, struct file, network, 1, 64),
    CYAML_FIELD_STRING_PTR("netting", CYAML_FLAG_POINTER, struct file, netting, 3, 9),
    CYAML_FIELD_UINT("round_timeout_ms", CYAML_FLAG_DEFAULT, struct file, round_timeout_ms),
    CYAML_FIELD_UINT("review_ms", CYAML_FLAG_OPTIONAL, struct file, review_ms),
    CYAML_FIELD_UINT("witness_ms", CYAML_FLAG_OPTIONAL, struct file, witness_ms),
    CYAML_FIELD_BOOL("prefunded", CYAML_FLAG_OPTIONAL, struct file, prefunded),
    CYAML_FIELD_STRING_PTR("losses", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file, losses, 4, 9),
    CYAML_FIELD_SEQUENCE("nodes", CYAML_FLAG_POINTER, struct file, nodes, &node_schema, 1, 1024),
    CYAML_FIELD_SEQUENCE("regulators", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file, regulators, &named_schema,
                         0, 256),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t file_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields)};

#define PLACE_SIZE 64 /* "nodes[1023].operators[63].transport_key" */

struct sq_directory {
    struct file *file;
    uint8_t network_id[32];
    Sanquan__V1__Genesis genesis;
    Sanquan__V1__Node *node, **nodes;
    Sanquan__V1__Party *party, **parties;
    char (*names)[SQ_NAME_SIZE_MAX + 1];
    char (*places)[PLACE_SIZE]; /* of each party, where it stands in the file */
    uint8_t (*keys)[SQ_KEY_SIZE];
    size_t key_count, party_count;
    char self[7];
};

void sq_directory_free(struct sq_directory *d)
{
    if (d == NULL)
        return;
    if (d->file != NULL)
        sq_yaml_free(&file_schema, d->file);
    for (size_t i = 0; d->node != NULL && i < d->genesis.n_nodes; i++)
        free(d->node[i].issuers);
    free(d->node);
    free(d->nodes);
    free(d->party);
    free(d->parties);
    free(d->names);
    free(d->places);
    free(d->keys);
    free(d);
}

/* ---- building ---- */

/* Numbers of Genesis.netting_method; 0 for a name that is none. */
static uint32_t netting_method(const char *name)
{
    static const struct {
        const char *name;
        uint32_t number;
    } methods[] = {{"bilateral", 1}, {"hub", 2}, {"cycles", 3}, {"funds", 4}, {"gross", 5}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].number;
    return 0;
}

struct source {
    sq_bytes yaml;
    const char *path;
};

/* "path:line: reason", for what libcyaml cannot know. */
SQ_PRINTF(4, 5)
static sq_status wrong(const struct source *src, struct sq_error *err, const char *place, const char *format, ...)
{
    char reason[160];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return sq_fail(err, SQ_E_CONFIG, "%.80s:%u: %s", src->path, sq_yaml_line(src->yaml, place), reason);
}

/* A key: good hexadecimal, a usable point when it signs, and in no other place. */
static sq_status take_key(struct sq_directory *d, const struct source *src, const char *owner, const char *field,
                          const char *hex, int signs, ProtobufCBinaryData *out, struct sq_error *err)
{
    uint8_t *key = d->keys[d->key_count];
    char place[PLACE_SIZE];
    const char *why = sq_unhex(hex, key, SQ_KEY_SIZE, NULL) != SQ_OK ? "is not 32 bytes of lower-case hexadecimal"
                      : signs && !sq_ed25519_key_ok(key)             ? "is not a usable Ed25519 key"
                                                                     : NULL;
    for (size_t i = 0; why == NULL && i < d->key_count; i++)
        if (memcmp(d->keys[i], key, SQ_KEY_SIZE) == 0)
            why = "stands in two places; every key has one use";
    snprintf(place, sizeof place, "%.48s.%s", owner, field);
    if (why != NULL)
        return wrong(src, err, place, "key %.16s... %s", hex, why);
    d->key_count++;
    *out = (ProtobufCBinaryData){SQ_KEY_SIZE, key};
    return SQ_OK;
}

static sq_status check_code(const struct source *src, const char *owner, const char *code, struct sq_error *err)
{
    char place[PLACE_SIZE];
    snprintf(place, sizeof place, "%.48s.code", owner);
    if (strlen(code) != 6 || strspn(code, "0123456789") != 6 || code[0] == '0')
        return wrong(src, err, place, "code %s is not six digits", code);
    return SQ_OK;
}

static sq_status take_party(struct sq_directory *d, const struct source *src, const char *place, const struct member *m,
                            const char *role, const char *prefix, char *node, struct sq_error *err)
{
    Sanquan__V1__Party *p = &d->party[d->party_count];
    char *name = d->names[d->party_count];
    if (strspn(m->code, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(m->code))
        return wrong(src, err, place, "%s %s: only a-z, 0-9, - _ . go", role, m->code);
    snprintf(name, sizeof d->names[0], "%s:%s%s%s", role, prefix, *prefix != '\0' ? "/" : "", m->code);
    snprintf(d->places[d->party_count], PLACE_SIZE, "%s", place);
    sanquan__v1__party__init(p);
    p->name = name;
    p->node = node;
    d->parties[d->party_count++] = p;
    sq_status st = take_key(d, src, place, "key", m->key, 1, &p->key, err);
    if (st == SQ_OK && m->transport_key != NULL)
        st = take_key(d, src, place, "transport_key", m->transport_key, 0, &p->transport_key, err);
    return st;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static sq_status take_node(struct sq_directory *d, const struct source *src, unsigned number, Sanquan__V1__Node *out,
                           struct sq_error *err)
{
    const struct node *in = &d->file->nodes[number];
    char place[PLACE_SIZE];
    snprintf(place, sizeof place, "nodes[%u]", number);
    sq_status st = check_code(src, place, in->code, err);
    sanquan__v1__node__init(out);
    out->code = in->code;
    out->enrolled = in->enrolled ? 1 : 0;
    out->guarantee_fen = (int64_t)in->guarantee_yuan * 100;
    if (st == SQ_OK)
        st = take_key(d, src, place, "node_key", in->node_key, 1, &out->node_key, err);
    if (st == SQ_OK)
        st = take_key(d, src, place, "log_key", in->log_key, 1, &out->log_key, err);
    if (st == SQ_OK)
        st = take_key(d, src, place, "transport_key", in->transport_key, 0, &out->transport_key, err);
    out->issuers = calloc(in->issuers_count, sizeof *out->issuers);
    if (out->issuers == NULL)
        return sq_fail(err, SQ_E_NOMEM, "directory");
    for (unsigned i = 0; st == SQ_OK && i < in->issuers_count; i++) {
        snprintf(place, sizeof place, "nodes[%u].issuers[%u]", number, i);
        st = check_code(src, place, in->issuers[i].code, err);
        if (st == SQ_OK)
            st = take_party(d, src, place, &in->issuers[i], "issuer", "", in->code, err);
        out->issuers[out->n_issuers++] = in->issuers[i].code;
    }
    qsort(out->issuers, out->n_issuers, sizeof *out->issuers, by_text);
    for (unsigned i = 0; st == SQ_OK && i < in->operators_count; i++) {
        snprintf(place, sizeof place, "nodes[%u].operators[%u]", number, i);
        st = take_party(d, src, place, &in->operators[i], "operator", in->code, in->code, err);
    }
    return st;
}

static int by_code(const void *a, const void *b)
{
    Sanquan__V1__Node *const *x = a, *const *y = b;
    return strcmp((*x)->code, (*y)->code);
}

static int by_name(const void *a, const void *b)
{
    Sanquan__V1__Party *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Of two of one name, the one further down in the file is the one too many. */
static sq_status check_unique(const struct sq_directory *d, const struct source *src, struct sq_error *err)
{
    for (size_t i = 1; i < d->genesis.n_nodes; i++)
        if (strcmp(d->nodes[i - 1]->code, d->nodes[i]->code) == 0) {
            char place[PLACE_SIZE];
            const Sanquan__V1__Node *later = d->nodes[i - 1] > d->nodes[i] ? d->nodes[i - 1] : d->nodes[i];
            snprintf(place, sizeof place, "nodes[%td].code", later - d->node);
            return wrong(src, err, place, "node %s stands twice", later->code);
        }
    for (size_t i = 1; i < d->party_count; i++)
        if (strcmp(d->parties[i - 1]->name, d->parties[i]->name) == 0) {
            const Sanquan__V1__Party *later = d->parties[i - 1] > d->parties[i] ? d->parties[i - 1] : d->parties[i];
            return wrong(src, err, d->places[later - d->party], "%s stands twice", later->name);
        }
    return SQ_OK;
}

static sq_status build(struct sq_directory *d, const struct source *src, struct sq_error *err)
{
    const struct file *f = d->file;
    size_t parties = f->regulators_count;
    for (unsigned i = 0; i < f->nodes_count; i++)
        parties += f->nodes[i].issuers_count + f->nodes[i].operators_count;
    d->node = calloc(f->nodes_count, sizeof *d->node);
    d->nodes = calloc(f->nodes_count, sizeof *d->nodes);
    d->party = calloc(parties + 1, sizeof *d->party);
    d->parties = calloc(parties + 1, sizeof *d->parties);
    d->names = calloc(parties + 1, sizeof *d->names);
    d->places = calloc(parties + 1, sizeof *d->places);
    d->keys = calloc(parties * 2 + f->nodes_count * 3u + 1, sizeof *d->keys);
    if (d->node == NULL || d->nodes == NULL || d->party == NULL || d->parties == NULL || d->names == NULL ||
        d->places == NULL || d->keys == NULL)
        return sq_fail(err, SQ_E_NOMEM, "directory");
    sanquan__v1__genesis__init(&d->genesis);
    if (strspn(f->network, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(f->network))
        return wrong(src, err, "network", "network: only a-z, 0-9, - _ . go");
    uint32_t method = netting_method(f->netting);
    if (method == 0)
        return wrong(src, err, "netting", "netting is hub, bilateral, cycles or gross");
    if (f->round_timeout_ms < 50 || f->round_timeout_ms > 600000)
        return wrong(src, err, "round_timeout_ms", "round_timeout_ms is 50 to 600000");
    if (f->review_ms > 86400000)
        return wrong(src, err, "review_ms", "review_ms is at most 86400000, a day");
    if (f->losses != NULL && strcmp(f->losses, "survivors") != 0 && strcmp(f->losses, "fund") != 0)
        return wrong(src, err, "losses", "losses is survivors or fund");
    if (f->witness_ms != 0 && (f->witness_ms < 100 || f->witness_ms > 86400000))
        return wrong(src, err, "witness_ms", "witness_ms is 100 to 86400000, or 0: never");
    d->genesis.witness_ms = f->witness_ms;
    if (f->witness_ms != 0)
        d->genesis.network = f->network;
    d->genesis.review_ms = f->review_ms;
    d->genesis.prefunded = f->prefunded ? 1 : 0;
    d->genesis.loss_rule = f->losses != NULL && strcmp(f->losses, "fund") == 0;
    d->genesis.netting_method = method;
    d->genesis.round_timeout_ms = f->round_timeout_ms;
    d->genesis.network_id = (ProtobufCBinaryData){32, d->network_id};
    d->genesis.nodes = d->nodes;
    d->genesis.parties = d->parties;
    sq_status st = SQ_OK;
    for (unsigned i = 0; st == SQ_OK && i < f->nodes_count; i++) {
        d->nodes[i] = &d->node[i];
        d->genesis.n_nodes++;
        st = take_node(d, src, i, &d->node[i], err);
    }
    static char nowhere[] = "";
    for (unsigned i = 0; st == SQ_OK && i < f->regulators_count; i++) {
        char place[PLACE_SIZE];
        snprintf(place, sizeof place, "regulators[%u]", i);
        st = take_party(d, src, place, &f->regulators[i], "regulator", "", nowhere, err);
    }
    if (st != SQ_OK)
        return st;
    d->genesis.n_parties = d->party_count;
    qsort(d->nodes, d->genesis.n_nodes, sizeof *d->nodes, by_code);
    qsort(d->parties, d->party_count, sizeof *d->parties, by_name);
    return check_unique(d, src, err);
}

/* ---- from outside ---- */

sq_status sq_directory_parse(sq_bytes yaml, const char *path_for_errors, struct sq_directory **out,
                             struct sq_error *err)
{
    struct source src = {yaml, path_for_errors};
    void *file = NULL;
    struct sq_directory *d = calloc(1, sizeof *d);
    if (d == NULL)
        return sq_fail(err, SQ_E_NOMEM, "directory");
    sq_status st = sq_yaml_parse(yaml, path_for_errors, &file_schema, &file, err);
    d->file = file;
    sq_sha256(yaml.data, yaml.size, d->network_id);
    if (st == SQ_OK)
        st = build(d, &src, err);
    if (st == SQ_OK)
        *out = d;
    else
        sq_directory_free(d);
    return st;
}

sq_status sq_directory_read(const char *path, struct sq_directory **out, struct sq_error *err)
{
    uint8_t *data;
    size_t size;
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    st = sq_directory_parse(sq_bytes_of(data, size), path, out, err);
    free(data);
    return st;
}

const uint8_t *sq_directory_network_id(const struct sq_directory *d)
{
    return d->network_id;
}
const char *sq_directory_network_name(const struct sq_directory *d)
{
    return d->file->network;
}

void sq_log_origin(const struct sq_directory *d, const char *code, char out[static SQ_ORIGIN_SIZE])
{
    snprintf(out, SQ_ORIGIN_SIZE, "%.64s/%.6s", d->file->network, code);
}

const Sanquan__V1__Genesis *sq_directory_members(const struct sq_directory *d)
{
    return &d->genesis;
}

sq_status sq_directory_genesis(struct sq_directory *d, const char *self, const Sanquan__V1__Genesis **out,
                               struct sq_error *err)
{
    for (size_t i = 0; i < d->genesis.n_nodes; i++)
        if (strcmp(d->nodes[i]->code, self) == 0) {
            memcpy(d->self, self, sizeof d->self);
            d->genesis.self = d->self;
            *out = &d->genesis;
            return SQ_OK;
        }
    return sq_fail(err, SQ_E_CONFIG, "node %.20s is not in the directory", self);
}
