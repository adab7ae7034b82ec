/*
 * When to send what to a peer: the stream's side that is not I/O. One for each peer node.
 *
 * Numbers 1, 2, 3 ... are durable in the ledger before they come here. Everything after `acked` may be sent, at most
 * SQ_OUTBOX_WINDOW ahead; when nothing is acknowledged for a while it all goes again, from acked + 1, with the wait doubling
 * up to a limit. An acknowledgement never goes backwards.
 *
 *      durable  >= sent >= acked
 */
#ifndef SQ_OUTBOX_H
#define SQ_OUTBOX_H

#include <stdint.h>

#define SQ_OUTBOX_WINDOW        64u /* messages in flight: 64 requests of 8,192 rows fill any link we know */
#define SQ_OUTBOX_RESEND_MIN_MS 500u
#define SQ_OUTBOX_RESEND_MAX_MS 8000u

struct sq_outbox {
    uint64_t durable, sent, acked;
    uint64_t resend_at_ms; /* 0: nothing in flight */
    uint32_t resend_ms;
};

void sq_outbox_init(struct sq_outbox *o, uint64_t acked, uint64_t durable);
/* Numbers up to `number` are durable now. */
void sq_outbox_durable(struct sq_outbox *o, uint64_t number);
/*
 * The peer has everything up to `number`. 1: it is news, and the wait for what is still under way begins anew; 0: old, or no
 * number that is durable here.
 */
int sq_outbox_acked(struct sq_outbox *o, uint64_t number, uint64_t now_ms);
/* The peer asks for `expected` (Refusal GAP): go back to it. */
void sq_outbox_rewind(struct sq_outbox *o, uint64_t expected);
/* The next number to send now, or 0; after sending it call sq_outbox_sent. */
uint64_t sq_outbox_next(struct sq_outbox *o, uint64_t now_ms);
void sq_outbox_sent(struct sq_outbox *o, uint64_t number, uint64_t now_ms);
/* When sq_outbox_next may have something without any other event; UINT64_MAX: never. */
uint64_t sq_outbox_due_ms(const struct sq_outbox *o);

#endif
