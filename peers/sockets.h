/* What both sides of a connection set on their sockets. For hub.c and client.c. */
#ifndef SQ_SOCKETS_H
#define SQ_SOCKETS_H

#include <stdint.h>

/* Size limit, heartbeats, handshake and reconnection times, no lingering. 0 when all were set. */
int sq_socket_common(void *socket);

/*
 * Connect a DEALER anew. libzmq tries again by itself only while a connection was not refused: after a handshake that failed its
 * session is gone, and the socket would wait for ever.
 */
void sq_dealer_again(void *socket, const char *endpoint);

/* A DEALER under CURVE, connected unless endpoint is NULL; or NULL with errno set. */
void *sq_dealer(void *context, const char *endpoint, const uint8_t *server_key, const uint8_t *public_key,
                const uint8_t *secret_key, int hwm);

#endif
