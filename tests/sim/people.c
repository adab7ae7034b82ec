/* Who takes part under a seed: nodes, and behind each its operators, issuers, providers and holders; one regulator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/uscc.h"
#include "tests/sim/sim.h"

static const uint32_t provinces[SIM_NODES_MAX] = {11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42,
                                                  43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82};

void sim_key_of(const char *name, const char *use, uint8_t public_key[static SQ_KEY_SIZE],
                uint8_t secret[static SQ_SECRET_SIZE])
{
    const struct sq_sha256_part parts[2] = {{use, strlen(use) + 1}, {name, strlen(name)}};
    sq_sha256_parts(parts, 2, public_key);
    memset(secret, 0, SQ_SECRET_SIZE);
    memcpy(secret + SQ_SECRET_SIZE - SQ_KEY_SIZE, public_key, SQ_KEY_SIZE);
}

/* 91 (a company) or 12 (a public body), a place, a number, and the check character that fits. */
static void uscc(const char *kind, uint32_t province, uint32_t number, char out[static 19])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    snprintf(out, 19, "%.2s%02u0100%09u0", kind, province % 100, number % 1000000000u);
    for (size_t i = 0; i < sizeof alphabet - 1; i++) {
        out[17] = alphabet[i];
        if (sq_uscc_valid(out))
            return;
    }
    abort();
}

static struct sim_client *add_client(struct sim *s, enum sq_role role, uint32_t node, const char *shape,
                                     const char *code)
{
    uint8_t unused[SQ_SECRET_SIZE];
    struct sim_client *c = &s->client[s->client_count];
    SQ_ASSERT(s->client_count < SIM_CLIENTS_MAX);
    c->index = s->client_count++;
    c->role = role;
    c->node = node;
    snprintf(c->name, sizeof c->name, shape, code);
    if (role == SQ_ROLE_PROVIDER || role == SQ_ROLE_HOLDER)
        snprintf(c->code, sizeof c->code, "%s", code);
    sim_key_of(c->name, "message", c->public_key, c->secret);
    sim_key_of(c->name, "transport", c->transport_key, unused);
    c->in_flight_max = (uint32_t)sim_between(&s->work_random, 1, 4);
    c->next_invoice = c->next_reservation = 1;
    return c;
}

struct sim_client *sim_client_find(struct sim *s, const char *name)
{
    for (uint32_t i = 0; i < s->client_count; i++)
        if (strcmp(s->client[i].name, name) == 0)
            return &s->client[i];
    return NULL;
}

static void add_node(struct sim *s, uint32_t index, uint32_t province)
{
    struct sim_node *n = &s->node[index];
    uint8_t secret[SQ_SECRET_SIZE];
    char code[19], city[7];
    n->sim = s;
    n->index = index;
    snprintf(n->name, sizeof n->name, "node:%02u0000", province % 100);
    snprintf(n->path, sizeof n->path, "%s/%u", s->dir, province);
    snprintf(code, sizeof code, "%02u0000", province % 100);
    n->config = (struct sq_config){
        .node = strdup(code), .ledger = n->path, .map_size_gib = 1, .disk_low_permille = 0, .snapshot_every_items = 0};
    strcpy(n->keys.name, n->name);
    sim_key_of(n->name, "message", n->keys.public_key, n->keys.secret);
    sim_key_of(n->name, "log", n->keys.log_public, n->keys.log_secret);
    sim_key_of(n->name, "transport", n->keys.transport_public, secret);
    n->keys.has_log = 1;
    add_client(s, SQ_ROLE_OPERATOR, index, "operator:%s/li", code);
    add_client(s, SQ_ROLE_OPERATOR, index, "operator:%s/zhang", code);
    add_client(s, SQ_ROLE_ISSUER, index, "issuer:%s", code);
    if (sim_chance(&s->work_random, 200)) {
        snprintf(city, sizeof city, "%02u0300", province % 100);
        add_client(s, SQ_ROLE_ISSUER, index, "issuer:%s", city);
    }
    for (uint32_t i = 0; i < s->plan.providers; i++) {
        uscc("91", province, i + 1, code);
        add_client(s, SQ_ROLE_PROVIDER, index, "provider:%s", code);
    }
    for (uint32_t i = 0; i < s->plan.holders; i++) {
        if (sim_chance(&s->work_random, 100))
            uscc("91", province, 1, code); /* the provider itself: may hold, may not serve itself */
        else
            uscc("12", province, i + 1, code);
        if (i == 0 || strcmp(s->client[s->client_count - 1].code, code) != 0)
            add_client(s, SQ_ROLE_HOLDER, index, "holder:%s", code);
    }
}

/* ---- the directory file ---- */

struct text {
    char *data;
    size_t size, capacity;
};

static void put(struct text *t, const char *text)
{
    for (; *text != '\0'; text++) {
        t->data = sim_grow(t->data, t->size, &t->capacity, 1);
        t->data[t->size++] = *text;
    }
}

static void put_key(struct text *t, const char *label, const uint8_t key[static SQ_KEY_SIZE])
{
    char hex[2 * SQ_KEY_SIZE + 1];
    sq_hex(key, SQ_KEY_SIZE, hex);
    put(t, label);
    put(t, hex);
}

static void put_members(struct text *t, const struct sim *s, uint32_t node, enum sq_role role, const char *label)
{
    put(t, label);
    for (uint32_t i = 0; i < s->client_count; i++) {
        const struct sim_client *c = &s->client[i];
        if (c->role != role || (role != SQ_ROLE_REGULATOR && c->node != node))
            continue;
        const char *slash = strchr(c->name, '/');
        put(t, "      - {");
        put(t, role == SQ_ROLE_ISSUER ? "code: \"" : "name: \"");
        put(t, slash != NULL ? slash + 1 : strchr(c->name, ':') + 1);
        put_key(t, "\", key: ", c->public_key);
        put_key(t, ", transport_key: ", c->transport_key);
        put(t, "}\n");
    }
}

static void write_directory(struct sim *s)
{
    struct text t = {0};
    struct sq_error err = {0};
    char line[80];
    snprintf(line, sizeof line, "network: sim-%" PRIu64 "\nnetting: %s\nround_timeout_ms: %u\nnodes:\n", s->seed,
             s->plan.bilateral ? "bilateral" : "hub", s->plan.round_timeout_ms);
    put(&t, line);
    for (uint32_t i = 0; i < s->plan.nodes; i++) {
        const struct sim_node *n = &s->node[i];
        put(&t, "  - code: \"");
        put(&t, n->config.node);
        put_key(&t, "\"\n    node_key: ", n->keys.public_key);
        put_key(&t, "\n    log_key: ", n->keys.log_public);
        put_key(&t, "\n    transport_key: ", n->keys.transport_public);
        put(&t, "\n");
        put_members(&t, s, i, SQ_ROLE_ISSUER, "    issuers:\n");
        put_members(&t, s, i, SQ_ROLE_OPERATOR, "    operators:\n");
    }
    put_members(&t, s, 0, SQ_ROLE_REGULATOR, "regulators:\n");
    sq_status st = sq_directory_parse(sq_bytes_of(t.data, t.size), "directory", &s->directory, &err);
    free(t.data);
    if (st != SQ_OK)
        sim_fail(s, "directory: %s", err.text);
}

void sim_people(struct sim *s)
{
    uint32_t left = SIM_NODES_MAX, wanted = s->plan.nodes, index = 0;
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++, left--) /* so many of the provinces, in ascending order */
        if (sim_below(&s->work_random, left) < wanted) {
            add_node(s, index++, provinces[i]);
            wanted--;
        }
    add_client(s, SQ_ROLE_REGULATOR, 0, "regulator:%s", "mof");
    write_directory(s);
    for (uint32_t i = 0; i < s->plan.nodes && !s->failed; i++) {
        struct sim_node *n = &s->node[i];
        struct sq_error err = {0};
        char origin[SQ_ORIGIN_SIZE];
        sq_log_origin(s->directory, n->config.node, origin);
        struct sq_ledger_options o = {.path = n->path,
                                      .origin = origin,
                                      .network_id = sq_directory_network_id(s->directory),
                                      .map_size = 1u << 30};
        if (sq_ledger_create(&o, &err) != SQ_OK)
            sim_fail(s, "ledger: %s", err.text);
    }
}
