/*
 * What the pages read. Every answer is JSON; amounts are integers in fen.
 *
 *   /api/session            who am I, and which ledger is this
 *   /api/history?...        items and sums, as in ops/history/ask.h, of one's own rows
 *   /api/live/PATH          status, windows, window/N, links, programmes, breaks, regions, caps, voucher/N: as the node says now
 *   /api/preview/N          window N by every netting method, side by side
 *   /api/entry/SEQ          the entry's payload, to be hashed and held against its leaf record
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/core/core.h"
#include "ops/console/console.h"

/* Nodes' own readers see what is not anybody's row: windows, links, other programmes. */
static int sees_all(const struct sq_token *who)
{
    return strncmp(who->participant, "regulator:", 10) == 0 || strncmp(who->participant, "operator:", 9) == 0;
}

static void refuse(struct sq_reply *out, sq_status st, const struct sq_error *err)
{
    unsigned http = st == SQ_E_USAGE                                                                 ? 400
                    : st == SQ_R_NOT_PERMITTED                                                       ? 403
                    : st == SQ_E_NOT_FOUND || st == SQ_R_UNKNOWN_QUERY || st == SQ_R_UNKNOWN_VOUCHER ? 404
                    : st == SQ_E_TIMEOUT                                                             ? 504
                                                                                                     : 500;
    sq_reply_error(out, http, sq_status_name(st), err->text);
}

/* Keys under which a page verifies what it is given. */
static json_t *members(const struct sq_directory *d)
{
    const Sanquan__V1__Genesis *g = sq_directory_members(d);
    json_t *a = json_array();
    for (size_t i = 0; i < g->n_nodes; i++) {
        char log[SQ_ORIGIN_SIZE], log_key[65], node_key[65];
        sq_log_origin(d, g->nodes[i]->code, log);
        sq_hex(g->nodes[i]->log_key.data, 32, log_key);
        sq_hex(g->nodes[i]->node_key.data, 32, node_key);
        json_array_append_new(a, json_pack("{s:s, s:s, s:s, s:s}", "code", g->nodes[i]->code, "log", log, "log_key",
                                           log_key, "node_key", node_key));
    }
    return a;
}

static void session(struct sq_console *c, const struct sq_token *who, struct sq_reply *out)
{
    json_t *o = json_object();
    char hex[65];
    sq_hex(c->log_key, 32, hex);
    json_object_set_new(o, "name", json_string(who->name));
    json_object_set_new(o, "participant", json_string(who->participant));
    json_object_set_new(o, "sees_all", json_boolean(sees_all(who)));
    json_object_set_new(o, "node", json_string(c->settings->node));
    json_object_set_new(o, "network", json_string(sq_directory_network_name(c->directory)));
    json_object_set_new(o, "log", json_string(c->origin));
    json_object_set_new(o, "log_key", json_string(hex));
    json_object_set_new(o, "live", json_boolean(c->live.client != NULL));
    sq_hex(sq_directory_network_id(c->directory), 32, hex);
    json_object_set_new(o, "network_id", json_string(hex));
    json_object_set_new(o, "nodes", members(c->directory));
    sq_reply_json(out, 200, o);
}

static void history(struct sq_console *c, const struct sq_token *who, const char *question, struct sq_reply *out)
{
    struct sq_ask ask;
    struct sq_error err = {0};
    json_t *answer = NULL;
    sq_ask_init(&ask);
    sq_status st = sq_ask_parse(&ask, question, &err);
    if (st == SQ_OK)
        st = sq_ask_narrow(&ask, who->participant, c->settings->node, &err);
    if (st == SQ_OK)
        st = sq_archive_ask(&c->archive, &ask, &answer, &err);
    if (st == SQ_OK)
        sq_reply_json(out, 200, answer);
    else
        refuse(out, st, &err);
}

/* 1 to 19 digits and no more. */
static int is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 19 && text[digits] == '\0';
}

static int is_question(const char *path)
{
    static const char *const plain[] = {"status", "windows", "links", "programmes",
                                        "breaks", "regions", "caps",  "witnesses"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(path, plain[i]) == 0)
            return 1;
    return (strncmp(path, "window/", 7) == 0 && is_number(path + 7)) ||
           (strncmp(path, "voucher/", 8) == 0 && is_number(path + 8));
}

static void live(struct sq_console *c, const struct sq_token *who, const char *path, struct sq_reply *out)
{
    struct sq_error err = {0};
    json_t *answer = NULL;
    int all = strcmp(path, "programmes") == 0;
    sq_status st = !is_question(path) ? sq_fail(&err, SQ_E_NOT_FOUND, "no such question to the node")
                   : !all && !sees_all(who)
                       ? sq_fail(&err, SQ_R_NOT_PERMITTED, "%s sees its own rows only", who->participant)
                       : sq_live_ask(c, path, &answer, &err);
    if (st == SQ_OK)
        sq_reply_json(out, 200, answer);
    else
        refuse(out, st, &err);
}

static void preview(struct sq_console *c, const struct sq_token *who, const char *number, struct sq_reply *out)
{
    struct sq_error err = {0};
    char path[32];
    json_t *answer = NULL;
    snprintf(path, sizeof path, "window/%.19s", number);
    sq_status st = !is_number(number) ? sq_fail(&err, SQ_E_NOT_FOUND, "no such window")
                   : !sees_all(who)   ? sq_fail(&err, SQ_R_NOT_PERMITTED, "%s sees its own rows only", who->participant)
                                      : sq_preview_ask(c, path, &answer, &err);
    if (st == SQ_OK)
        sq_reply_json(out, 200, answer);
    else
        refuse(out, st, &err);
}

static void entry(struct sq_console *c, const struct sq_token *who, const char *text, struct sq_reply *out)
{
    struct sq_arena arena;
    struct sq_error err = {0};
    sq_bytes payload;
    char *end, *copy = NULL;
    uint64_t seq = strtoull(text, &end, 10);
    sq_status st = *text < '1' || *text > '9' || *end != '\0' ? sq_fail(&err, SQ_E_NOT_FOUND, "no such entry")
                   : !sees_all(who) ? sq_fail(&err, SQ_R_NOT_PERMITTED, "an entry may hold rows of others")
                                    : sq_arena_init(&arena, SQ_ENTRY_SIZE_MAX, &err);
    if (st != SQ_OK) {
        refuse(out, st, &err);
        return;
    }
    st = sq_ledger_payload(c->archive.ledger, seq, &arena, &payload, &err);
    if (st == SQ_OK && (copy = malloc(payload.size + 1)) == NULL)
        st = sq_fail(&err, SQ_E_NOMEM, "entry of %zu bytes", payload.size);
    if (st == SQ_OK) {
        memcpy(copy, payload.data, payload.size);
        sq_reply_text(out, "application/octet-stream", copy, payload.size);
    } else {
        refuse(out, st, &err);
    }
    sq_arena_free(&arena);
}

void sq_api_answer(struct sq_console *c, const struct sq_token *who, const char *path, const char *question,
                   struct sq_reply *out)
{
    if (strcmp(path, "/api/session") == 0)
        session(c, who, out);
    else if (strcmp(path, "/api/history") == 0)
        history(c, who, question, out);
    else if (strncmp(path, "/api/live/", 10) == 0)
        live(c, who, path + 10, out);
    else if (strncmp(path, "/api/preview/", 13) == 0)
        preview(c, who, path + 13, out);
    else if (strncmp(path, "/api/entry/", 11) == 0)
        entry(c, who, path + 11, out);
    else
        sq_reply_error(out, 404, "NOT_FOUND", "no such address");
}
