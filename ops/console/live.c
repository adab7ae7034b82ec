/*
 * What only the node knows, by the signed query that anyone with a regulator's key can make.
 *
 * Answers are kept for a second: a hundred browsers are one reader to the node.
 */
#include <string.h>

#include "ops/console/console.h"

#define KEPT_MS     1000u
#define PATIENCE_MS 3000

static const Sanquan__V1__Node *find_node(const Sanquan__V1__Genesis *g, const char *code)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i]->code, code) == 0)
            return g->nodes[i];
    return NULL;
}

static sq_status no_passphrase(void *ctx, char *out, size_t out_size, struct sq_error *err)
{
    (void)out;
    (void)out_size;
    return sq_fail(err, SQ_E_CONFIG, "%s has a passphrase: the console wants a key without one, of mode 0600",
                   (const char *)ctx);
}

sq_status sq_live_open(struct sq_console *c, struct sq_error *err)
{
    const struct sq_console_settings *s = c->settings;
    const Sanquan__V1__Genesis *g;
    pthread_mutex_init(&c->live.mutex, NULL);
    if (s->connect == NULL)
        return SQ_OK;
    sq_status st = sq_keys_read(s->key, no_passphrase, s->key, &c->live.keys, err);
    if (st == SQ_OK)
        st = sq_directory_genesis(c->directory, s->node, &g, err);
    if (st != SQ_OK)
        return st;
    const Sanquan__V1__Node *node = find_node(g, s->node);
    struct sq_client_options o = {.endpoint = s->connect,
                                  .node_code = s->node,
                                  .node_transport_key = node->transport_key.data,
                                  .node_key = node->node_key.data,
                                  .network_id = sq_directory_network_id(c->directory),
                                  .keys = c->live.keys};
    return sq_client_open(&o, &c->live.client, err);
}

void sq_live_close(struct sq_live *l)
{
    for (size_t i = 0; i < SQ_LIVE_KEPT; i++)
        json_decref(l->kept[i].answer);
    sq_client_close(l->client);
    sq_secret_free(l->keys);
}

static sq_status ask_node(struct sq_live *l, const char *path, json_t **out, struct sq_error *err)
{
    const char *text;
    json_error_t why;
    sq_status st = sq_client_query(l->client, path, PATIENCE_MS, &text, err);
    if (st == SQ_OK && (*out = json_loads(text, 0, &why)) == NULL)
        st = sq_fail(err, SQ_E_FORMAT, "the node's answer to %s: %s", path, why.text);
    return st;
}

sq_status sq_live_ask(struct sq_console *c, const char *path, json_t **out, struct sq_error *err)
{
    struct sq_live *l = &c->live;
    size_t oldest = 0;
    if (l->client == NULL)
        return sq_fail(err, SQ_E_NOT_FOUND, "the console was started without a node to ask");
    pthread_mutex_lock(&l->mutex);
    uint64_t now = sq_console_now_ms();
    for (size_t i = 0; i < SQ_LIVE_KEPT; i++) {
        if (strcmp(l->kept[i].path, path) == 0 && now - l->kept[i].at_ms < KEPT_MS && l->kept[i].answer != NULL) {
            *out = json_deep_copy(l->kept[i].answer);
            pthread_mutex_unlock(&l->mutex);
            return SQ_OK;
        }
        oldest = l->kept[i].at_ms < l->kept[oldest].at_ms ? i : oldest;
    }
    json_t *answer = NULL;
    sq_status st = ask_node(l, path, &answer, err);
    if (st == SQ_OK) {
        json_decref(l->kept[oldest].answer);
        l->kept[oldest].answer = answer;
        l->kept[oldest].at_ms = now;
        strncpy(l->kept[oldest].path, path, sizeof l->kept[oldest].path - 1);
        *out = json_deep_copy(answer); /* a copy of one's own: references are shared by threads that write */
    }
    pthread_mutex_unlock(&l->mutex);
    return st;
}
