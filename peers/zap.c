#include "peers/zap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define STOP "stop"

static struct sq_zap_entry *entry_at(const struct sq_zap *z, uint32_t n)
{
    return SQ_ROW(&z->allowed, struct sq_zap_entry, n);
}

/* ---- the list ---- */

static uint32_t find_key(const struct sq_zap *z, const uint8_t key[static SQ_KEY_SIZE])
{
    struct sq_index_cursor c = {.hash = sq_hash_key(key, SQ_KEY_SIZE)};
    uint32_t n;
    while ((n = sq_index_next(&z->by_key, &c)) != SQ_ROW_NONE)
        if (memcmp(entry_at(z, n)->key, key, SQ_KEY_SIZE) == 0)
            break;
    return n;
}

static sq_status allow(struct sq_zap *z, const uint8_t key[static SQ_KEY_SIZE], const char *name, struct sq_error *err)
{
    sq_status st = sq_table_reserve(&z->allowed, 1, err);
    if (st == SQ_OK)
        st = sq_index_reserve(&z->by_key, 1, err);
    if (st != SQ_OK)
        return st;
    uint32_t n = find_key(z, key);
    if (n == SQ_ROW_NONE) {
        struct sq_zap_entry *e = sq_table_add(&z->allowed, &n);
        memcpy(e->key, key, SQ_KEY_SIZE);
        sq_index_put(&z->by_key, sq_hash_key(key, SQ_KEY_SIZE), n);
    }
    struct sq_zap_entry *e = entry_at(z, n);
    memset(e->name, 0, sizeof e->name);
    memcpy(e->name, name, strlen(name));
    return SQ_OK;
}

sq_status sq_zap_allow(struct sq_zap *z, const uint8_t key[static SQ_KEY_SIZE], const char *name, struct sq_error *err)
{
    if (strlen(name) > SQ_NAME_SIZE_MAX || name[0] == '\0')
        return sq_fail(err, SQ_E_FORMAT, "not a participant name");
    pthread_mutex_lock(&z->mutex);
    sq_status st = allow(z, key, name, err);
    pthread_mutex_unlock(&z->mutex);
    return st;
}

void sq_zap_deny(struct sq_zap *z, const uint8_t key[static SQ_KEY_SIZE])
{
    pthread_mutex_lock(&z->mutex);
    uint32_t n = find_key(z, key);
    if (n != SQ_ROW_NONE)
        memset(entry_at(z, n)->name, 0, sizeof entry_at(z, n)->name);
    pthread_mutex_unlock(&z->mutex);
}

int sq_zap_session(struct sq_zap *z, const char *user_id, char name_out[static SQ_NAME_SIZE_MAX + 1], uint32_t *row_out)
{
    char *rest;
    unsigned long row = strtoul(user_id, &rest, 10);
    if (*rest != ' ')
        return 0;
    pthread_mutex_lock(&z->mutex);
    const struct sq_zap_entry *e = row < z->allowed.count ? entry_at(z, (uint32_t)row) : NULL;
    int known = e != NULL && e->name[0] != '\0' && strcmp(e->name, rest + 1) == 0;
    if (known) {
        memcpy(name_out, e->name, sizeof e->name);
        *row_out = (uint32_t)row;
    }
    pthread_mutex_unlock(&z->mutex);
    return known;
}

/* ---- the thread ---- */

enum { VERSION, REQUEST, DOMAIN, ADDRESS, IDENTITY, MECHANISM, KEY, FRAMES };

#define USER_ID_SIZE (SQ_NAME_SIZE_MAX + 16)

/* What a session with this key is known by, or "" for a refusal. */
static void decide(struct sq_zap *z, const uint8_t *key, size_t size, char user_id[static USER_ID_SIZE])
{
    user_id[0] = '\0';
    if (size != SQ_KEY_SIZE)
        return;
    pthread_mutex_lock(&z->mutex);
    uint32_t n = find_key(z, key);
    if (n != SQ_ROW_NONE && entry_at(z, n)->name[0] != '\0')
        snprintf(user_id, USER_ID_SIZE, "%" PRIu32 " %s", n, entry_at(z, n)->name);
    pthread_mutex_unlock(&z->mutex);
}

static int answer(void *socket, const void *request, size_t request_size, const char *user_id)
{
    int good = user_id[0] != '\0';
    return zmq_send(socket, "1.0", 3, ZMQ_SNDMORE) >= 0 && zmq_send(socket, request, request_size, ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, good ? "200" : "400", 3, ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, good ? "" : "unknown key", good ? 0 : 11, ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, user_id, strlen(user_id), ZMQ_SNDMORE) >= 0 && zmq_send(socket, "", 0, 0) >= 0;
}

/* One request. 0: stop. */
static int serve(struct sq_zap *z)
{
    uint8_t frame[FRAMES][256] = {0};
    size_t size[FRAMES] = {0};
    char user_id[USER_ID_SIZE] = "";
    int count = 0, more = 1, odd = 0;
    while (more) {
        uint8_t spare[256], *to = count < FRAMES ? frame[count] : spare;
        int n = zmq_recv(z->socket, to, sizeof spare, 0);
        size_t more_size = sizeof more;
        if (n < 0)
            return errno == EINTR;
        odd |= n > (int)sizeof spare || count >= FRAMES;
        if (count < FRAMES)
            size[count] = (size_t)n < sizeof spare ? (size_t)n : sizeof spare;
        count++;
        if (zmq_getsockopt(z->socket, ZMQ_RCVMORE, &more, &more_size) != 0)
            return 0;
    }
    if (count == 1 && size[0] == strlen(STOP))
        return 0;
    if (!odd && count == FRAMES && size[VERSION] == 3 && memcmp(frame[VERSION], "1.0", 3) == 0 &&
        size[MECHANISM] == 5 && memcmp(frame[MECHANISM], "CURVE", 5) == 0)
        decide(z, frame[KEY], size[KEY], user_id);
    if (user_id[0] == '\0')
        atomic_fetch_add(&z->denied, 1);
    return answer(z->socket, frame[REQUEST], size[REQUEST], user_id);
}

static void *run(void *arg)
{
    struct sq_zap *z = arg;
    while (serve(z))
        ;
    zmq_close(z->socket);
    return NULL;
}

sq_status sq_zap_start(struct sq_zap *z, void *context, struct sq_error *err)
{
    int linger = 0;
    *z = (struct sq_zap){.context = context, .allowed = SQ_TABLE_OF(struct sq_zap_entry)};
    pthread_mutex_init(&z->mutex, NULL);
    z->socket = zmq_socket(context, ZMQ_REP);
    if (z->socket == NULL || zmq_setsockopt(z->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(z->socket, "inproc://zeromq.zap.01") != 0 || pthread_create(&z->thread, NULL, run, z) != 0)
        return sq_fail(err, SQ_E_NETWORK, "authentication handler: %s", zmq_strerror(errno));
    z->running = 1;
    return SQ_OK;
}

void sq_zap_stop(struct sq_zap *z)
{
    if (z->running) {
        void *bell = zmq_socket(z->context, ZMQ_REQ);
        int linger = 1000;
        if (bell != NULL) {
            zmq_setsockopt(bell, ZMQ_LINGER, &linger, sizeof linger);
            zmq_connect(bell, "inproc://zeromq.zap.01");
            zmq_send(bell, STOP, strlen(STOP), 0);
            pthread_join(z->thread, NULL);
            zmq_close(bell);
        }
        z->running = 0;
    } else if (z->socket != NULL) {
        zmq_close(z->socket);
    }
    z->socket = NULL;
}

void sq_zap_free(struct sq_zap *z)
{
    sq_table_free(&z->allowed);
    sq_index_free(&z->by_key);
    pthread_mutex_destroy(&z->mutex);
}
