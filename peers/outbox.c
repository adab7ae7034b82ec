#include "peers/outbox.h"

void sq_outbox_init(struct sq_outbox *o, uint64_t acked, uint64_t durable)
{
    *o = (struct sq_outbox){.durable = durable, .sent = acked, .acked = acked, .resend_ms = SQ_OUTBOX_RESEND_MIN_MS};
}

void sq_outbox_durable(struct sq_outbox *o, uint64_t number)
{
    if (number > o->durable)
        o->durable = number;
}

int sq_outbox_acked(struct sq_outbox *o, uint64_t number, uint64_t now_ms)
{
    if (number <= o->acked || number > o->durable)
        return 0;
    o->acked = number;
    if (o->sent < number)
        o->sent = number; /* the peer had it from before our restart */
    o->resend_ms = SQ_OUTBOX_RESEND_MIN_MS;
    o->resend_at_ms = o->acked == o->sent ? 0 : now_ms + o->resend_ms;
    return 1;
}

void sq_outbox_rewind(struct sq_outbox *o, uint64_t expected)
{
    if (expected > o->acked && expected <= o->sent) {
        o->sent = expected - 1;
        o->resend_at_ms = o->sent == o->acked ? 0 : o->resend_at_ms;
    }
}

uint64_t sq_outbox_next(struct sq_outbox *o, uint64_t now_ms)
{
    if (o->resend_at_ms != 0 && now_ms >= o->resend_at_ms) { /* silence: it all goes again, a little more patiently */
        o->sent = o->acked;
        o->resend_at_ms = 0;
        o->resend_ms = o->resend_ms * 2 > SQ_OUTBOX_RESEND_MAX_MS ? SQ_OUTBOX_RESEND_MAX_MS : o->resend_ms * 2;
    }
    return o->sent < o->durable && o->sent - o->acked < SQ_OUTBOX_WINDOW ? o->sent + 1 : 0;
}

void sq_outbox_sent(struct sq_outbox *o, uint64_t number, uint64_t now_ms)
{
    o->sent = number;
    if (o->resend_at_ms == 0)
        o->resend_at_ms = now_ms + o->resend_ms;
}

uint64_t sq_outbox_due_ms(const struct sq_outbox *o)
{
    return o->resend_at_ms != 0 ? o->resend_at_ms : UINT64_MAX;
}
