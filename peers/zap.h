/*
 * Who may connect: the ZAP handler (ZeroMQ RFC 27) in a thread of its own, over a list of transport keys.
 * Fails closed: without a living handler every handshake is refused, because the domain is enforced.
 */
#ifndef SQ_ZAP_H
#define SQ_ZAP_H

#include <pthread.h>
#include <stdatomic.h>

#include "clearing/base/table.h"
#include "peers/crypto.h"
#include "proto/wire.h"

struct sq_zap {
    void *context, *socket; /* the socket belongs to the thread once it runs */
    pthread_t thread;
    int running;
    pthread_mutex_t mutex;   /* guards the list */
    struct sq_table allowed; /* struct sq_zap_entry; a denied one keeps its row, without a name */
    struct sq_index by_key;
    atomic_uint_fast64_t denied;
};

struct sq_zap_entry {
    uint8_t key[SQ_KEY_SIZE];
    char name[SQ_NAME_SIZE_MAX + 1];
};

/* Binds inproc://zeromq.zap.01; call before any other socket of the context binds. */
SQ_MUST_CHECK sq_status sq_zap_start(struct sq_zap *z, void *context, struct sq_error *err);
void sq_zap_stop(struct sq_zap *z); /* the thread only: afterwards everyone is refused */
void sq_zap_free(struct sq_zap *z);

SQ_MUST_CHECK sq_status sq_zap_allow(struct sq_zap *z, const uint8_t key[static SQ_KEY_SIZE], const char *name,
                                     struct sq_error *err);
void sq_zap_deny(struct sq_zap *z, const uint8_t key[static SQ_KEY_SIZE]);
/*
 * Is the key that this session was let in with still allowed, under the name of then? `user_id` is what the handler gave the
 * session: "row name". 1: yes, and the name is in name_out; row_out is a small number that this key alone has.
 */
int sq_zap_session(struct sq_zap *z, const char *user_id, char name_out[static SQ_NAME_SIZE_MAX + 1],
                   uint32_t *row_out);

#endif
