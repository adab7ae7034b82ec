/*
 * A node's sockets: one ROUTER that everyone connects to, one DEALER to each peer node. TCP with CURVE.
 *
 *   - ZAP handler in a thread of its own, bound before any socket; unknown transport keys are refused; the domain is set
 *     and enforced, so a dead handler refuses everyone. sq_hub_open proves it with a throw-away key before it returns.
 *   - ROUTER: mandatory, no handover, generated routing ids only; who is speaking comes from the ZAP User-Id of the last
 *     frame, which names the transport key of the session and the participant that it was allowed for.
 *   - Every socket: MAXMSGSIZE, HWM, LINGER 0, handshake interval 5 s, heartbeats 2/6/6 s, IMMEDIATE on DEALERs,
 *     reconnect 100 ms..5 s. A peer that takes nothing for some seconds is connected to anew: libzmq gives a connection up for good
 *     when its handshake was refused.
 *   - Who sends little waits for the one message that is being dealt with, however much another sends: what arrives waits in a line of
 *     its sender, served in turn by bytes (lines.h). Within a line order is kept.
 *   - "Sent" means queued. What must arrive is in the outbox and is sent again until the peer acknowledges.
 *
 * One thread uses a hub (sq_hub_wake and sq_hub_allow excepted: any thread).
 * Source: reliability measurements of libzmq 4.3.4; ZeroMQ RFC 27 (ZAP).
 */
#ifndef SQ_HUB_H
#define SQ_HUB_H

#include "peers/crypto.h"
#include "proto/wire.h"

struct sq_hub;

struct sq_hub_peer {
    uint32_t node;        /* its number */
    const char *endpoint; /* "tcp://127.0.0.1:7002" */
    uint8_t transport_key[SQ_KEY_SIZE];
};

struct sq_hub_options {
    const char *bind; /* "tcp://127.0.0.1:7001"; port 0 or * takes a free one */
    const uint8_t *transport_public, *transport_secret;
    const struct sq_hub_peer *peers;
    size_t peer_count;
    /*
     * Who may connect from the first moment on: called once, before anything listens, to call sq_hub_allow. NULL: nobody yet.
     * A client that is refused once does not come back by itself: that is how libzmq ends a handshake that failed.
     */
    sq_status (*allow_first)(void *ctx, struct sq_hub *h, struct sq_error *err);
    void *allow_ctx;
    size_t room; /* for what waits; 0: SQ_LINES_BYTES (lines.h) */
};

SQ_MUST_CHECK sq_status sq_hub_open(const struct sq_hub_options *o, struct sq_hub **out, struct sq_error *err);
void sq_hub_close(struct sq_hub *h);
/* Where it really listens, "tcp://127.0.0.1:40123". */
const char *sq_hub_endpoint(const struct sq_hub *h);

/* This transport key may connect, and is `name`. Again with another name replaces; copied. */
SQ_MUST_CHECK sq_status sq_hub_allow(struct sq_hub *h, const uint8_t transport_key[static SQ_KEY_SIZE],
                                     const char *name, struct sq_error *err);
/* It may not any more; what its sessions still send is dropped. */
void sq_hub_deny(struct sq_hub *h, const uint8_t transport_key[static SQ_KEY_SIZE]);

/* A way back to a connection of the ROUTER; a plain value, may be kept; stale ones are reported by sq_hub_reply. */
struct sq_route {
    uint8_t id[8];
    uint8_t size;
};

struct sq_arrival {
    char from[SQ_NAME_SIZE_MAX + 1]; /* participant the connection belongs to; "" from a DEALER */
    struct sq_route route;           /* when it came through the ROUTER */
    int from_peer;                   /* 1: an answer on the DEALER to node `node` */
    uint32_t node;
    int no_room;    /* 1: its sender has too much waiting; tell it so, for it is not kept */
    sq_bytes bytes; /* one envelope; lives until the next call on the hub */
};

/*
 * Wait at most timeout_ms for a message, sq_hub_wake, or `extra_fd` readable (-1: none).
 * Returns SQ_OK with out->bytes.size > 0 for a message, 0 for anything else (wake, time, fd, or a dropped hostile frame).
 */
SQ_MUST_CHECK sq_status sq_hub_receive(struct sq_hub *h, int timeout_ms, int extra_fd, struct sq_arrival *out,
                                       struct sq_error *err);
/* Until this is taken back, messages of more than SQ_BULK_BYTES (lines.h) wait where they are, and others go before them. */
void sq_hub_hold_bulk(struct sq_hub *h, int hold);
/* Wait for sq_hub_wake alone: messages stay where they are, and their senders are held back. */
void sq_hub_pause(struct sq_hub *h, int timeout_ms);
void sq_hub_wake(struct sq_hub *h);
/* For tests: the handler that decides who may connect. */
struct sq_zap *sq_hub_zap(struct sq_hub *h);

/* SQ_OK queued; SQ_E_NETWORK the connection is gone or its queue is full (the sender will ask again). Never blocks. */
SQ_MUST_CHECK sq_status sq_hub_reply(struct sq_hub *h, const struct sq_route *route, sq_bytes bytes,
                                     struct sq_error *err);
SQ_MUST_CHECK sq_status sq_hub_send(struct sq_hub *h, uint32_t node, sq_bytes bytes, struct sq_error *err);

struct sq_hub_counters {
    uint64_t received, sent, dropped_no_identity, dropped_shape, denied_handshakes, reply_failed, no_room;
    uint64_t accepted,
        established; /* TCP connections, and those of them that became sessions: the others were cut, or are about to be */
};
void sq_hub_counters(const struct sq_hub *h, struct sq_hub_counters *out);

#endif
