/*
 * sanquan-console: a node's ledger over HTTPS, read-only, in a process of its own.
 *
 *   browser --TLS, token--> server.c (limits, who, route) --> api.c (history: the ledger's runs; live: the node, by signed query)
 *                                                         --> log.c (checkpoint, tiles, entries: C2SP tlog-tiles)
 *                                                         --> files.c (the pages, held in memory)
 *
 * Nothing here can change a ledger: it is opened read-only, and the node answers the console as it answers any regulator.
 */
#ifndef SQ_CONSOLE_H
#define SQ_CONSOLE_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ops/console/settings.h"
#include "ops/history/ask.h"
#include "peers/client.h"
#include "peers/directory.h"

/* Who is asking: a line of the tokens file. */
struct sq_token {
    uint8_t hash[32];                       /* SHA-256 of the token */
    char participant[SQ_NAME_SIZE_MAX + 1]; /* whose rows it sees: "regulator:mof", "provider:USCC" ... */
    char name[64];                          /* of the person, for the access log */
    uint64_t until_ms;                      /* 0: for ever */
};

struct sq_tokens {
    struct sq_token *list;
    size_t count;
};
/* A YAML list of {name, participant, sha256, until}. Refuses a file that others can read. */
SQ_MUST_CHECK sq_status sq_tokens_read(const char *path, struct sq_tokens *out, struct sq_error *err);
void sq_tokens_free(struct sq_tokens *t);
/* NULL: no such token, or its time is over. Compares in constant time. */
const struct sq_token *sq_tokens_find(const struct sq_tokens *t, const char *token, uint64_t now_ms);

/* Files that make the pages, read at start; a request names one of them or nothing. */
struct sq_page {
    char path[64];
    const char *type;
    uint8_t *data;
    size_t size;
};
struct sq_pages {
    struct sq_page list[32];
    size_t count;
};
SQ_MUST_CHECK sq_status sq_pages_read(const struct sq_console_settings *s, struct sq_pages *out, struct sq_error *err);
void sq_pages_free(struct sq_pages *p);
const struct sq_page *sq_pages_find(const struct sq_pages *p, const char *path);

/* The ledger and its history. One question at a time. */
struct sq_archive {
    struct sq_ledger *ledger;
    struct sq_history *history;
    struct sq_query *query;
    uint64_t followed_at_ms;
    pthread_mutex_t mutex;
};

/* The node itself, asked by signed query; answers are kept for a moment, so that many readers are one to the node. */
#define SQ_LIVE_KEPT 16
struct sq_live {
    struct sq_client *client; /* NULL: no node was configured */
    struct sq_keys *keys;
    struct {
        char path[64];
        json_t *answer;
        uint64_t at_ms;
    } kept[SQ_LIVE_KEPT];
    pthread_mutex_t mutex;
};

struct sq_counters {
    atomic_uint_fast64_t requests, refused_token, refused_rate, refused_scope, not_found, failed;
};

struct sq_console {
    struct sq_console_settings *settings;
    struct sq_directory *directory;
    char origin[SQ_ORIGIN_SIZE];
    uint8_t log_key[32];
    struct sq_tokens tokens;
    struct sq_pages pages;
    struct sq_archive archive;
    struct sq_live live;
    struct sq_counters counters;
    FILE *access_log;
    pthread_mutex_t access_mutex;
};

/* An answer: bytes with an owner. */
struct sq_reply {
    unsigned status; /* HTTP */
    const char *type;
    char *data; /* malloc'd, or borrowed when `is_static` */
    size_t size;
    int is_static, cacheable;
};

/* api.c: /api/...; `question` is what follows the '?', "" when nothing does. */
void sq_api_answer(struct sq_console *c, const struct sq_token *who, const char *path, const char *question,
                   struct sq_reply *out);
/* log.c: /checkpoint, /tile/..., /proof/SEQ. 0: not one of its paths. */
int sq_log_answer(struct sq_console *c, const char *path, struct sq_reply *out);
/* metrics.c: /metrics, in the Prometheus text format. */
void sq_metrics_answer(struct sq_console *c, struct sq_reply *out);

/* archive.c */
SQ_MUST_CHECK sq_status sq_archive_open(struct sq_archive *a, const char *ledger_path, const char *origin,
                                        const uint8_t *network_id, struct sq_error *err);
void sq_archive_close(struct sq_archive *a);
SQ_MUST_CHECK sq_status sq_archive_ask(struct sq_archive *a, const struct sq_ask *ask, json_t **out,
                                       struct sq_error *err);

/* live.c: what the node says of "status", "windows", ...; the caller's own. SQ_E_NOT_FOUND: no node was configured. */
SQ_MUST_CHECK sq_status sq_live_open(struct sq_console *c, struct sq_error *err);
void sq_live_close(struct sq_live *l);
SQ_MUST_CHECK sq_status sq_live_ask(struct sq_console *c, const char *path, json_t **out, struct sq_error *err);

/* replies */
void sq_reply_json(struct sq_reply *out, unsigned status, json_t *o); /* takes the reference */
void sq_reply_error(struct sq_reply *out, unsigned http, const char *name, const char *detail);
void sq_reply_text(struct sq_reply *out, const char *type, char *data, size_t size); /* takes data */

/* preview.c: what the netting methods make of "window/N". SQ_E_NOT_FOUND: it is not agreed on yet. */
SQ_MUST_CHECK sq_status sq_preview_ask(struct sq_console *c, const char *window_path, json_t **out,
                                       struct sq_error *err);

uint64_t sq_console_now_ms(void);

/* server.c */
struct sq_server;
SQ_MUST_CHECK sq_status sq_server_start(struct sq_console *c, struct sq_server **out, struct sq_error *err);
void sq_server_stop(struct sq_server *s);
/* "https://127.0.0.1:8443" */
const char *sq_server_address(const struct sq_server *s);

#endif
