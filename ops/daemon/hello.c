/*
 * Where a sender's stream stands, said only of what is durable.
 *
 * A sender that goes on from what it is told must not be sent back by a power cut; and one that begins again while its last message is
 * still on the way to the disk must not be given that message's id. So a Hello whose sender has entries in a group waits for that
 * group, as their answers do.
 */
#include "ops/daemon/daemon.h"

/* Entries of the party's messages in a group; its ids count up by one, so this many of the newest are not durable yet. */
static uint64_t pending(const struct sq_group *g, uint32_t party)
{
    uint64_t n = 0;
    for (size_t i = 0; i < g->entry_count; i++)
        n += g->senders[i] == party;
    return n;
}

static uint64_t durable_id(const struct sq_daemon *d, uint32_t party)
{
    uint64_t id = sq_core_party(d->core, party)->last_id;
    for (unsigned i = 0; i < GROUP_COUNT; i++)
        id -= pending(&d->groups[i], party);
    return id;
}

static void answer(struct sq_daemon *d, const struct sq_hello *h)
{
    Sanquan__V1__HelloOk out;
    sanquan__v1__hello_ok__init(&out);
    out.nonce = h->nonce;
    out.last_id = durable_id(d, h->party);
    out.now_ms = d->now_ms;
    out.seq = sq_ledger_seq(d->ledger);
    out.window = sq_settlement_open_window(sq_core_settlement(d->core));
    sq_front_send(d, &h->route, sq_core_party(d->core, h->party)->name, SANQUAN__V1__MESSAGE_TYPE__HELLO_OK, &out.base);
}

void sq_hello_hear(struct sq_daemon *d, const struct sq_hello *h)
{
    struct sq_group *other = d->filling == &d->groups[0] ? &d->groups[1] : &d->groups[0];
    struct sq_group *wait_for = pending(d->filling, h->party) != 0 ? d->filling
                                : pending(other, h->party) != 0    ? other
                                                                   : NULL;
    if (wait_for == NULL)
        answer(d, h);
    else if (wait_for->hello_count < GROUP_HELLOS_MAX) /* a sender that gets no answer asks again */
        wait_for->hellos[wait_for->hello_count++] = *h;
}

void sq_hello_durable(struct sq_daemon *d, struct sq_group *g)
{
    g->entry_count = 0; /* durable: no longer pending */
    for (size_t i = 0; i < g->hello_count; i++)
        answer(d, &g->hellos[i]);
}
