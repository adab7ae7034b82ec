/*
 * The daemon's HTTP: GET /metrics on loopback, and nothing else. A thread of libmicrohttpd that reads one text under its mutex; whatever is done
 * to it, the front does not notice.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/daemon/metrics.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_SECONDS 5u

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, const char *data, size_t size)
{
    union {
        const char *in;
        char *out;
    } bytes = {data};
    struct MHD_Response *r = MHD_create_response_from_buffer(size, bytes.out, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result queued = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request)
{
    static const char wrong[] = "GET /metrics\n", early[] = "not written yet\n";
    struct sq_metrics *m = ctx;
    (void)version;
    (void)upload;
    (void)request;
    if (*upload_size != 0)
        return MHD_NO;
    if (strcmp(path, "/metrics") != 0 || strcmp(method, "GET") != 0)
        return send_text(connection, MHD_HTTP_NOT_FOUND, wrong, strlen(wrong));
    pthread_mutex_lock(&m->mutex);
    enum MHD_Result queued = m->text != NULL
                                 ? send_text(connection, MHD_HTTP_OK, m->text, m->size)
                                 : send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, early, strlen(early));
    pthread_mutex_unlock(&m->mutex);
    return queued;
}

sq_status sq_metrics_open(struct sq_daemon *d, struct sq_error *err)
{
    const char *where = d->config->metrics;
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[16];
    if (where == NULL)
        return SQ_OK;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(where, ":"), where); /* its form was checked when it was read */
    address.sin_port = htons((uint16_t)strtoul(where + strcspn(where, ":") + 1, NULL, 10));
    struct sq_metrics *m = calloc(1, sizeof *m);
    if (m == NULL || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        free(m);
        return sq_fail(err, SQ_E_CONFIG, "metrics: %s", where);
    }
    pthread_mutex_init(&m->mutex, NULL);
    m->http = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, m, MHD_OPTION_SOCK_ADDR,
                               &address, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                               TIMEOUT_SECONDS, MHD_OPTION_END);
    if (m->http == NULL) {
        pthread_mutex_destroy(&m->mutex);
        free(m);
        return sq_fail(err, SQ_E_NETWORK, "metrics: listen on %s: is the port free?", where);
    }
    d->metrics = m;
    return SQ_OK;
}

void sq_metrics_close(struct sq_daemon *d)
{
    struct sq_metrics *m = d->metrics;
    if (m == NULL)
        return;
    MHD_stop_daemon(m->http);
    pthread_mutex_destroy(&m->mutex);
    free(m->text);
    free(m);
    d->metrics = NULL;
}
