/*
 * The client side of a node's ROUTER: numbered requests, answers matched by id, resending after a lost connection.
 *
 * Used by the command line and by load generators. One thread. A request is (type, body); the client numbers it with the
 * next id, signs it, and keeps the bytes until its Receipt came. After a silence it asks Hello, learns the last durable id,
 * and sends the same bytes again from there, so nothing is done twice. When another process with the same key has used a number,
 * the answer to the request is SQ_R_ID_REUSED, without a receipt: it was not done, and may be sent under another number.
 */
#ifndef SQ_CLIENT_H
#define SQ_CLIENT_H

#include "peers/keys.h"
#include "proto/sanquan.pb-c.h"

struct sq_client;

struct sq_client_options {
    const char *endpoint;              /* of the node */
    const char *node_code;             /* "310000" */
    const uint8_t *node_transport_key; /* CURVE server key */
    const uint8_t *node_key;           /* checks the signature of what comes back */
    const uint8_t *network_id;
    const struct sq_keys *keys; /* borrowed for the client's life */
    unsigned in_flight;         /* requests awaiting an answer at most; 0: 16 */
};

SQ_MUST_CHECK sq_status sq_client_open(const struct sq_client_options *o, struct sq_client **out, struct sq_error *err);
void sq_client_close(struct sq_client *c);

/* Ask where my stream stands; called by the first send too. Errors: SQ_E_TIMEOUT, or the refusal. */
SQ_MUST_CHECK sq_status sq_client_hello(struct sq_client *c, int timeout_ms, uint64_t *last_id, struct sq_error *err);

/* Number, sign, send and keep. SQ_E_FULL when in_flight requests are waiting: call sq_client_answer first. */
SQ_MUST_CHECK sq_status sq_client_send(struct sq_client *c, uint32_t type, sq_bytes body, uint64_t *id_out,
                                       struct sq_error *err);

/*
 * Continue an earlier run: send this id with these bytes again (the node answers from what it kept, or does it now).
 * Only ids after the node's last id + 1 are refused.
 */
SQ_MUST_CHECK sq_status sq_client_send_as(struct sq_client *c, uint64_t id, uint64_t sent_at_ms, uint32_t type,
                                          sq_bytes body, struct sq_error *err);

/* One answer to one request, in any order. */
struct sq_client_answer {
    uint64_t id;
    unsigned status; /* 0 accepted (perhaps with refused rows), else the refusal of the whole message */
    int final;       /* 0: a refusal that the client itself goes on retrying (GAP, BUSY) is never shown; kept 1 */
    const Sanquan__V1__Answer *answer; /* NULL when it was a Refusal; lives until the next call */
    const Sanquan__V1__Receipt
        *receipt;       /* its signature, leaf, proof and checkpoint are NOT checked here; see sq_receipt_verify */
    sq_bytes envelope;  /* the signed bytes that arrived */
    const char *detail; /* for a person; never NULL */
};
/* SQ_E_TIMEOUT when nothing came; resending happens inside. */
SQ_MUST_CHECK sq_status sq_client_answer(struct sq_client *c, int timeout_ms, struct sq_client_answer *out,
                                         struct sq_error *err);
unsigned sq_client_waiting(const struct sq_client *c);

/* Read-only question; JSON text lives until the next call. */
SQ_MUST_CHECK sq_status sq_client_query(struct sq_client *c, const char *path, int timeout_ms, const char **json_out,
                                        struct sq_error *err);

/* Does this receipt show that its answer is in the ledger of the node with this log key? */
SQ_MUST_CHECK sq_status sq_receipt_verify(const Sanquan__V1__Receipt *receipt, const char *log_name,
                                          const uint8_t log_key[static SQ_KEY_SIZE], struct sq_error *err);

#endif
