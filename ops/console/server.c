/*
 * HTTP by libmicrohttpd: the one door to it. Few threads, bounded connections, bounded memory a connection, bounded time.
 *
 *   request -> method, path -> pages and the log: anyone, at a limited rate
 *                           -> /login: a token becomes a cookie of the session
 *                           -> /api, /metrics: a token (Authorization: Bearer, or the cookie) -> answer -> access log
 *
 * Invariant: no answer that shows a row is made before its asker is known, and narrowed to its own.
 */
#include <microhttpd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clearing/base/table.h"
#include "ops/common/log.h"
#include "ops/console/console.h"
#include "peers/yaml.h"

#define CONNECTIONS_MAX        256u
#define CONNECTIONS_AN_ADDRESS 128u
#define CONNECTION_MEMORY      (32u << 10) /* request line and headers */
#define TIMEOUT_SECONDS        10u
#define THREADS                4u
#define POST_MAX               1024u
#define BUCKETS                4096u

#define SECURITY_POLICY                                                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action "  \
    "'self'; "                                                                                                         \
    "frame-ancestors 'none'; base-uri 'none'"

struct bucket { /* requests of one token or address in this minute */
    uint64_t key, minute;
    unsigned count;
};

struct sq_server {
    struct sq_console *console;
    struct MHD_Daemon *daemon;
    char *certificate, *key;
    char address[128];
    struct bucket buckets[BUCKETS];
    pthread_mutex_t mutex; /* guards buckets */
};

struct post { /* a request with a body, while it comes in */
    char data[POST_MAX + 1];
    size_t size;
    int too_long;
};

/* ---- limits ---- */

static int within_rate(struct sq_server *s, uint64_t key)
{
    struct bucket *b = &s->buckets[key % BUCKETS];
    uint64_t minute = sq_console_now_ms() / 60000;
    pthread_mutex_lock(&s->mutex);
    if (b->key != key || b->minute != minute)
        *b = (struct bucket){key, minute, 0};
    int within = ++b->count <= s->console->settings->requests_a_minute;
    pthread_mutex_unlock(&s->mutex);
    return within;
}

static uint64_t address_key(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL)
        return 1;
    if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 a;
        memcpy(&a, info->client_addr, sizeof a);
        return sq_hash_key(&a.sin6_addr, 8); /* one network is one asker */
    }
    struct sockaddr_in a;
    memcpy(&a, info->client_addr, sizeof a);
    return sq_hash_key(&a.sin_addr, sizeof a.sin_addr);
}

/* ---- answers ---- */

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct sq_reply *r, const char *cookie)
{
    union {
        const char *in;
        char *out;
    } data = {r->data};
    struct MHD_Response *response = MHD_create_response_from_buffer(
        r->size, data.out, r->is_static ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        if (!r->is_static)
            free(r->data);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    MHD_add_response_header(response, "Content-Security-Policy", SECURITY_POLICY);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                            r->cacheable ? "public, max-age=31536000, immutable" : "no-store");
    if (cookie != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, cookie);
    if (r->status == 401)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (r->status == 429)
        MHD_add_response_header(response, "Retry-After", "60");
    enum MHD_Result sent = MHD_queue_response(connection, r->status, response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result send_error(struct MHD_Connection *connection, unsigned http, const char *name,
                                  const char *detail)
{
    struct sq_reply r;
    sq_reply_error(&r, http, name, detail);
    return send_reply(connection, &r, NULL);
}

/* ---- who ---- */

static const struct sq_token *asker(struct sq_server *s, struct MHD_Connection *connection)
{
    const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    const char *token = header != NULL && strncmp(header, "Bearer ", 7) == 0
                            ? header + 7
                            : MHD_lookup_connection_value(connection, MHD_COOKIE_KIND, "sanquan");
    return token == NULL || *token == '\0' ? NULL : sq_tokens_find(&s->console->tokens, token, sq_console_now_ms());
}

static void note_access(struct sq_console *c, const struct sq_token *who, const char *path, const char *question,
                        unsigned status)
{
    if (c->access_log == NULL)
        return;
    json_t *o = json_object();
    json_object_set_new(o, "at_ms", json_integer((json_int_t)sq_console_now_ms()));
    json_object_set_new(o, "name", json_string(who->name));
    json_object_set_new(o, "participant", json_string(who->participant));
    json_object_set_new(o, "path", json_string(path));
    if (*question != '\0')
        json_object_set_new(o, "question", json_string(question));
    json_object_set_new(o, "status", json_integer(status));
    char *line = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    pthread_mutex_lock(&c->access_mutex);
    if (line != NULL) {
        fprintf(c->access_log, "%s\n", line);
        fflush(c->access_log);
    }
    pthread_mutex_unlock(&c->access_mutex);
    free(line);
}

/* ---- questions of conditions: back from libmicrohttpd's list to one text ---- */

struct text {
    char data[2001];
    size_t size;
    int too_long;
};

static void put_text(struct text *t, const char *part)
{
    for (; *part != '\0' && !t->too_long; part++) {
        int plain = (*part >= '0' && *part <= '9') || (*part >= 'a' && *part <= 'z') ||
                    (*part >= 'A' && *part <= 'Z') || strchr("._-/", *part) != NULL;
        if (t->size + 4 >= sizeof t->data)
            t->too_long = 1;
        else
            t->size += (size_t)snprintf(t->data + t->size, 4, plain ? "%c" : "%%%02x", (unsigned char)*part);
    }
}

static enum MHD_Result take_condition(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct text *t = ctx;
    (void)kind;
    if (t->size != 0)
        t->data[t->size++] = '&';
    put_text(t, key);
    if (t->size + 2 < sizeof t->data)
        t->data[t->size++] = '=';
    put_text(t, value != NULL ? value : "");
    return t->too_long ? MHD_NO : MHD_YES;
}

/* ---- requests ---- */

/* %00 would end a text early and make two spellings of one path: it becomes a byte that is in no path and no value. */
static size_t unescape(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    size_t size = MHD_http_unescape(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0')
            text[i] = '\x01';
    return size;
}

static enum MHD_Result answer_asker(struct sq_server *s, struct MHD_Connection *connection, const char *path)
{
    struct sq_console *c = s->console;
    struct text question = {.size = 0};
    struct sq_reply r;
    const struct sq_token *who = asker(s, connection);
    if (who == NULL) {
        atomic_fetch_add(&c->counters.refused_token, 1);
        return send_error(connection, 401, "NO_TOKEN",
                          "an access token is needed: log in, or send Authorization: Bearer");
    }
    if (!within_rate(s, sq_hash_key(who->hash, sizeof who->hash))) {
        atomic_fetch_add(&c->counters.refused_rate, 1);
        return send_error(connection, 429, "TOO_MANY", "too many requests with this token in a minute");
    }
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_condition, &question);
    if (question.too_long)
        return send_error(connection, 414, "TOO_LONG", "the question is too long");
    if (strcmp(path, "/metrics") == 0)
        sq_metrics_answer(c, &r);
    else
        sq_api_answer(c, who, path, question.data, &r);
    if (r.status == 403)
        atomic_fetch_add(&c->counters.refused_scope, 1);
    else if (r.status == 404)
        atomic_fetch_add(&c->counters.not_found, 1);
    else if (r.status >= 500)
        atomic_fetch_add(&c->counters.failed, 1);
    note_access(c, who, path, question.data, r.status);
    return send_reply(connection, &r, NULL);
}

static enum MHD_Result log_in(struct sq_server *s, struct MHD_Connection *connection, struct post *p)
{
    struct sq_reply r;
    char cookie[200];
    p->data[p->size] = '\0';
    const char *token = strncmp(p->data, "token=", 6) == 0 ? p->data + 6 : "";
    if (p->too_long || sq_tokens_find(&s->console->tokens, token, sq_console_now_ms()) == NULL) {
        atomic_fetch_add(&s->console->counters.refused_token, 1);
        return send_error(connection, 401, "NO_TOKEN", "this token is not known here, or its time is over");
    }
    snprintf(cookie, sizeof cookie, "sanquan=%.100s; Path=/; HttpOnly; SameSite=Strict%s", token,
             s->console->settings->certificate != NULL ? "; Secure" : "");
    sq_reply_json(&r, 200, json_pack("{s:b}", "ok", 1));
    return send_reply(connection, &r, cookie);
}

static enum MHD_Result answer_get(struct sq_server *s, struct MHD_Connection *connection, const char *path)
{
    struct sq_reply r;
    if (strncmp(path, "/api/", 5) == 0 || strcmp(path, "/metrics") == 0)
        return answer_asker(s, connection, path);
    const struct sq_page *page = sq_pages_find(&s->console->pages, path);
    if (page != NULL) {
        r = (struct sq_reply){200, page->type, (char *)page->data, page->size, 1, 0};
        return send_reply(connection, &r, NULL);
    }
    if (sq_log_answer(s->console, path, &r))
        return send_reply(connection, &r, NULL);
    atomic_fetch_add(&s->console->counters.not_found, 1);
    return send_error(connection, 404, "NOT_FOUND", "no such address");
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request)
{
    struct sq_server *s = ctx;
    (void)version;
    if (*request == NULL) { /* headers only: a place for the body */
        *request = calloc(1, sizeof(struct post));
        return *request != NULL ? MHD_YES : MHD_NO;
    }
    struct post *p = *request;
    if (*upload_size != 0) {
        size_t room = POST_MAX - p->size, take = *upload_size < room ? *upload_size : room;
        memcpy(p->data + p->size, upload, take);
        p->size += take;
        p->too_long |= take < *upload_size;
        *upload_size = 0;
        return MHD_YES;
    }
    atomic_fetch_add(&s->console->counters.requests, 1);
    if (!within_rate(s, address_key(connection))) {
        atomic_fetch_add(&s->console->counters.refused_rate, 1);
        return send_error(connection, 429, "TOO_MANY", "too many requests from this address in a minute");
    }
    if (strcmp(method, "POST") == 0 && strcmp(path, "/login") == 0)
        return log_in(s, connection, p);
    if (strcmp(method, "POST") == 0 && strcmp(path, "/logout") == 0) {
        struct sq_reply r;
        sq_reply_json(&r, 200, json_pack("{s:b}", "ok", 1));
        return send_reply(connection, &r, "sanquan=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return answer_get(s, connection, path);
    return send_error(connection, 405, "METHOD", "only GET, and POST to /login and /logout");
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode why)
{
    (void)ctx;
    (void)connection;
    (void)why;
    free(*request);
    *request = NULL;
}

/* ---- start and stop ---- */

static sq_status read_address(const char *bind, struct sockaddr_storage *out, struct sq_error *err)
{
    char host[200];
    const char *colon = strrchr(bind, ':');
    uint16_t port = (uint16_t)strtoul(colon + 1, NULL, 10);
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    snprintf(host, sizeof host, "%.*s", (int)(colon - bind), bind);
    memset(out, 0, sizeof *out);
    size_t n = strlen(host);
    if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
        host[n - 1] = '\0';
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        if (inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1)
            return SQ_OK;
    } else {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        if (inet_pton(AF_INET, host, &four->sin_addr) == 1)
            return SQ_OK;
    }
    return sq_fail(err, SQ_E_CONFIG, "bind: %s is no address", bind);
}

static sq_status read_text(const char *path, char **out, struct sq_error *err)
{
    uint8_t *data;
    size_t size;
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    *out = realloc(data, size + 1);
    if (*out == NULL) {
        free(data);
        return sq_fail(err, SQ_E_NOMEM, "%s", path);
    }
    (*out)[size] = '\0';
    return SQ_OK;
}

/* The address that people type: with the port that was really given out. */
static void tell_address(struct sq_server *s)
{
    const char *bind = s->console->settings->bind;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    unsigned port = info != NULL && info->port != 0 ? info->port : (unsigned)strtoul(strrchr(bind, ':') + 1, NULL, 10);
    snprintf(s->address, sizeof s->address, "%s://%.*s:%u", s->certificate != NULL ? "https" : "http",
             (int)(strrchr(bind, ':') - bind), bind, port);
}

sq_status sq_server_start(struct sq_console *c, struct sq_server **out, struct sq_error *err)
{
    struct sq_server *s = calloc(1, sizeof *s);
    struct sockaddr_storage address;
    if (s == NULL)
        return sq_fail(err, SQ_E_NOMEM, "server");
    s->console = c;
    pthread_mutex_init(&s->mutex, NULL);
    sq_status st = read_address(c->settings->bind, &address, err);
    if (st == SQ_OK && c->settings->certificate != NULL)
        st = read_text(c->settings->certificate, &s->certificate, err);
    if (st == SQ_OK && c->settings->certificate != NULL)
        st = read_text(c->settings->certificate_key, &s->key, err);
    if (st != SQ_OK) {
        sq_server_stop(s);
        return st;
    }
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0u) |
                     (s->certificate != NULL ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, s->certificate},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, s->key},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_AN_ADDRESS,
        MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_ARRAY,
        s->certificate != NULL ? tls : none, MHD_OPTION_END);
    if (s->daemon == NULL) {
        st = sq_fail(err, SQ_E_NETWORK, "listen on %s: is the port free, and the certificate one of this key?",
                     c->settings->bind);
        sq_server_stop(s);
        return st;
    }
    tell_address(s);
    *out = s;
    return SQ_OK;
}

void sq_server_stop(struct sq_server *s)
{
    if (s == NULL)
        return;
    if (s->daemon != NULL)
        MHD_stop_daemon(s->daemon);
    if (s->key != NULL)
        sq_wipe(s->key, strlen(s->key));
    free(s->certificate);
    free(s->key);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

const char *sq_server_address(const struct sq_server *s)
{
    return s->address;
}
