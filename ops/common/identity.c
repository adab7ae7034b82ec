/* Read in the order in which things can be wrong: configuration, directory, keys, and whether they belong together. */
#include "ops/common/identity.h"

#include <stdlib.h>
#include <string.h>

#include "peers/yaml.h"

#define GENESIS_SIZE (4u << 20)

/* ---- passphrase ---- */

struct asking {
    const struct sq_config *config;
    sq_keys_ask ask;
    void *ctx;
};

static sq_status read_passphrase(void *ctx, char *out, size_t out_size, struct sq_error *err)
{
    const struct asking *a = ctx;
    const struct sq_config *c = a->config;
    if (c->passphrase_file == NULL)
        return a->ask != NULL
                   ? a->ask(a->ctx, out, out_size, err)
                   : sq_fail(err, SQ_E_CONFIG, "%s has a passphrase: say where it is with passphrase_file", c->keys);
    return sq_passphrase_read(c->passphrase_file, out, out_size, err);
}

/* ---- do they belong together? ---- */

static int same_key(const ProtobufCBinaryData *listed, const uint8_t own[static SQ_KEY_SIZE])
{
    return listed->len == SQ_KEY_SIZE && memcmp(listed->data, own, SQ_KEY_SIZE) == 0;
}

const Sanquan__V1__Node *sq_identity_node(const Sanquan__V1__Genesis *g, const char *code)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i]->code, code) == 0)
            return g->nodes[i];
    return NULL;
}

static sq_status check_keys(const struct sq_identity *id, struct sq_error *err)
{
    char name[SQ_NAME_SIZE_MAX + 1] = "node:";
    const struct sq_config *c = id->config;
    const Sanquan__V1__Node *own = sq_identity_node(id->genesis, c->node);
    strcat(name, c->node);
    if (strcmp(id->keys->name, name) != 0)
        return sq_fail(err, SQ_E_CONFIG, "%s holds the keys of %s, not of %s", c->keys, id->keys->name, name);
    const char *differs = !id->keys->has_log || !same_key(&own->log_key, id->keys->log_public) ? "log key"
                          : !same_key(&own->node_key, id->keys->public_key)                    ? "node key"
                          : !same_key(&own->transport_key, id->keys->transport_public)         ? "transport key"
                                                                                               : NULL;
    return differs == NULL
               ? SQ_OK
               : sq_fail(err, SQ_E_CONFIG, "%s: its %s is not the one that %s lists", c->keys, differs, c->directory);
}

static sq_status check_peers(const struct sq_identity *id, struct sq_error *err)
{
    const struct sq_config *c = id->config;
    for (unsigned i = 0; i < c->peers_count; i++) {
        if (sq_identity_node(id->genesis, c->peers[i].code) == NULL)
            return sq_fail(err, SQ_E_CONFIG, "peer %s is not in %s", c->peers[i].code, c->directory);
        for (unsigned k = 0; k < i; k++)
            if (strcmp(c->peers[k].code, c->peers[i].code) == 0)
                return sq_fail(err, SQ_E_CONFIG, "peer %s stands twice", c->peers[i].code);
    }
    return SQ_OK;
}

/* ---- opening ---- */

sq_status sq_identity_open(const char *config_path, sq_keys_ask ask, void *ctx, struct sq_identity *id,
                           struct sq_error *err)
{
    *id = (struct sq_identity){0};
    sq_status st = sq_config_read(config_path, &id->config, err);
    if (st == SQ_OK)
        st = sq_directory_read(id->config->directory, &id->directory, err);
    if (st == SQ_OK)
        st = sq_directory_genesis(id->directory, id->config->node, &id->genesis, err);
    if (st == SQ_OK) {
        struct asking a = {id->config, ask, ctx};
        st = sq_keys_read(id->config->keys, read_passphrase, &a, &id->keys, err);
    }
    if (st == SQ_OK)
        st = check_keys(id, err);
    if (st == SQ_OK)
        st = check_peers(id, err);
    if (st == SQ_OK)
        sq_log_origin(id->directory, id->config->node, id->origin);
    return st;
}

void sq_identity_close(struct sq_identity *id)
{
    if (id->keys != NULL)
        sq_secret_free(id->keys);
    sq_directory_free(id->directory);
    sq_config_free(id->config);
    *id = (struct sq_identity){0};
}

/* ---- the ledger ---- */

struct sq_ledger_options sq_identity_ledger(const struct sq_identity *id)
{
    return (struct sq_ledger_options){.path = id->config->ledger,
                                      .origin = id->origin,
                                      .network_id = sq_directory_network_id(id->directory),
                                      .map_size = (uint64_t)id->config->map_size_gib << 30};
}

static sq_status sign_checkpoint(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    const struct sq_keys *keys = ctx;
    return sq_ed25519_sign(message, keys->log_secret, signature, err);
}

struct sq_signer sq_log_signer(struct sq_keys *keys)
{
    struct sq_signer s = {.ctx = keys, .sign = sign_checkpoint};
    memcpy(s.public_key, keys->log_public, SQ_KEY_SIZE);
    return s;
}

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

sq_status sq_genesis_write(struct sq_ledger *l, struct sq_core *core, const Sanquan__V1__Genesis *g,
                           const struct sq_signer *log_key, uint64_t now_ms, struct sq_error *err)
{
    struct sq_arena step = {0}, scratch = {0};
    struct sq_wire_memory memory = {take, &scratch};
    struct sq_effects fx;
    sq_bytes body;
    sq_status st = sq_arena_init(&step, SQ_STEP_ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_arena_init(&scratch, GENESIS_SIZE, err);
    if (st == SQ_OK)
        st = sq_wire_pack(&g->base, &memory, &body, err);
    if (st == SQ_OK) {
        struct sq_event event = {now_ms, SANQUAN__V1__MESSAGE_TYPE__GENESIS, NULL, body};
        st = sq_core_step(core, &event, &step, &fx, err);
    }
    if (st == SQ_OK) {
        struct sq_entry entry = {.seq = fx.seq,
                                 .now_ms = sq_core_now_ms(core),
                                 .type = SANQUAN__V1__MESSAGE_TYPE__GENESIS,
                                 .input = body,
                                 .outcome = fx.outcome};
        struct sq_commit c = {.entries = &entry, .entry_count = 1};
        st = sq_ledger_commit(l, &c, log_key, err);
    }
    sq_arena_free(&step);
    sq_arena_free(&scratch);
    return st;
}
