/*
 * Where a sender's stream stands, said only of what is durable.
 *
 * A sender that goes on from what it is told must not be sent back by a power cut; and one that begins again while its last message is
 * still on the way to the disk must not be given that message's id. So a Hello whose sender has entries in a group waits for that
 * group, as their answers do.
 *
 * A node that asks is shown its own message, so that it can tell what it has forgotten from what somebody claims (recall.c).
 */
#include "clearing/base/hash.h"
#include "ops/common/log.h"
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

/* The node's message with that id into `out`; 0: there is none, or it cannot be read. */
static int show(struct sq_daemon *d, uint32_t node, uint64_t id, uint8_t body_hash[static SQ_HASH_SIZE],
                Sanquan__V1__Shown *out)
{
    struct sq_entry entry;
    struct sq_envelope e;
    struct sq_error err = {0};
    if (id == 0 || id != d->peers[node].durable_in)
        return 0;
    sq_arena_reset(&d->step_arena);
    sq_status st = sq_ledger_read(d->ledger, d->peers[node].durable_in_seq, &d->step_arena, &entry, &err);
    if (st == SQ_OK)
        st = sq_envelope_open(entry.input, &e, &err);
    if (st != SQ_OK) {
        sq_log(SQ_LOG_WARNING, "not_shown", "node=%s id=%" PRIu64 " reason=\"%s\"", sq_core_node(d->core, node)->code,
               id, err.text);
        return 0;
    }
    union {
        const uint8_t *in;
        uint8_t *out;
    } header = {e.header.data}, signature = {e.signature.data}; /* messages do not say const; packing only reads */
    sq_sha256(e.body.data, e.body.size, body_hash);
    sanquan__v1__shown__init(out);
    out->header = (ProtobufCBinaryData){e.header.size, header.out};
    out->body_hash = (ProtobufCBinaryData){SQ_HASH_SIZE, body_hash};
    out->signature = (ProtobufCBinaryData){e.signature.size, signature.out};
    return 1;
}

static void answer(struct sq_daemon *d, const struct sq_hello *h)
{
    const struct sq_party *asker = sq_core_party(d->core, h->party);
    Sanquan__V1__HelloOk out;
    Sanquan__V1__Shown shown;
    uint8_t body_hash[SQ_HASH_SIZE];
    sanquan__v1__hello_ok__init(&out);
    out.nonce = h->nonce;
    out.last_id = durable_id(d, h->party);
    out.now_ms = d->now_ms;
    out.seq = sq_ledger_seq(d->ledger);
    out.window = sq_settlement_open_window(sq_core_settlement(d->core));
    if (asker->role == SQ_ROLE_NODE && show(d, asker->node, out.last_id, body_hash, &shown))
        out.last = &shown;
    sq_front_send(d, &h->route, asker->name, SANQUAN__V1__MESSAGE_TYPE__HELLO_OK, &out.base);
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
