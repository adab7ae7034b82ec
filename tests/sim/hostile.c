/*
 * Clients that mean harm, or are broken. What they do costs nobody but themselves: no other's request is delayed for ever, nothing
 * is counted twice, and what is refused changes nothing (the second opinion would see it).
 */
#include <stdlib.h>
#include <string.h>

#include "peers/message.h"
#include "tests/sim/sim.h"

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

static void send_bytes(struct sim *s, const struct sim_client *c, sq_bytes bytes)
{
    struct sim_packet p = {.from = {SIM_END_CLIENT, c->index},
                           .to = {SIM_END_NODE, c->node},
                           .bytes = sim_bytes_new(bytes),
                           .route = {.size = 8}};
    sq_put_be32(p.route.id, (uint32_t)SIM_END_CLIENT << 24 | c->index);
    sim_send(s, &p);
    sim_bytes_drop(p.bytes);
}

static sq_bytes seal(struct sim *s, const struct sim_client *c, const char *sender, const char *receiver, uint32_t type,
                     uint64_t id, sq_bytes body)
{
    struct sq_header h = {type, sender, receiver, id, SIM_EPOCH_MS};
    struct sq_wire_memory memory = {take, &s->scratch};
    sq_bytes envelope;
    sq_status st =
        sq_message_seal(&h, body, sq_directory_network_id(s->directory), c->secret, &memory, &envelope, NULL);
    SQ_ASSERT(st == SQ_OK);
    return envelope;
}

static struct sim_request *some_answered(struct sim *s, struct sim_client *c)
{
    struct sim_request *r = c->request_count != 0 ? &c->request[sim_below(&s->fault_random, c->request_count)] : NULL;
    return r != NULL && r->answered && r->answer != NULL ? r : NULL;
}

/* The id of a request that was answered, with the body of another. */
static void reuse_an_id(struct sim *s, struct sim_client *c, const struct sim_request *r)
{
    const struct sim_request *other = &c->request[sim_below(&s->fault_random, c->request_count)];
    if (other->id == r->id)
        return;
    c->reused++;
    send_bytes(s, c,
               seal(s, c, c->name, s->node[c->node].name, other->type, r->id,
                    sq_bytes_of(other->body->data, other->body->size)));
}

/* A request of another client, or to another node, or with one bit wrong. */
static void forge(struct sim *s, struct sim_client *c, const struct sim_request *r)
{
    struct sim_random *random = &s->fault_random;
    const char *sender = c->name, *receiver = s->node[c->node].name;
    uint64_t what = sim_below(random, 4);
    if (what == 0)
        sender = s->client[sim_below(random, s->client_count)].name;
    if (what == 1)
        receiver = s->node[sim_below(random, s->plan.nodes)].name;
    sq_bytes whole = seal(s, c, sender, receiver, r->type, c->request_count + sim_below(random, 3),
                          sq_bytes_of(r->body->data, r->body->size));
    if (sender == c->name &&
        receiver == s->node[c->node].name) { /* else it could be what it will ask next: bytes it would not own up to */
        uint8_t *bytes = sq_arena_copy(&s->scratch, whole.data, whole.size);
        SQ_ASSERT(bytes != NULL);
        uint64_t bit = sim_below(random, whole.size * 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (what == 3)
            whole.size = sim_below(random, whole.size);
        whole.data = bytes;
    }
    send_bytes(s, c, whole);
}

/* Numbered rightly and signed rightly, but not in the one spelling: it uses up an id, and is refused for good. */
static void misspell(struct sim *s, struct sim_client *c, const struct sim_request *r)
{
    static const uint8_t unknown_field[] = {0xf8, 0x7f, 0x01};
    uint8_t *body = sq_arena_take(&s->scratch, r->body->size + sizeof unknown_field);
    SQ_ASSERT(body != NULL);
    memcpy(body, r->body->data, r->body->size);
    memcpy(body + r->body->size, unknown_field, sizeof unknown_field);
    sim_client_ask_bytes(s, c, r->type, sq_bytes_of(body, r->body->size + sizeof unknown_field));
}

/* What its role may not say. */
static void overstep(struct sim *s, struct sim_client *c)
{
    Sanquan__V1__WindowCut cut;
    Sanquan__V1__Vote vote;
    sanquan__v1__window_cut__init(&cut);
    sanquan__v1__vote__init(&vote);
    cut.window = vote.window = 1;
    vote.step = 1;
    if (c->role != SQ_ROLE_OPERATOR && sim_chance(&s->fault_random, 500))
        sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &cut.base);
    else
        sim_client_ask(s, c, SANQUAN__V1__MESSAGE_TYPE__VOTE, &vote.base);
}

void sim_hostile_act(struct sim *s, struct sim_client *c)
{
    const struct sim_request *r = some_answered(s, c);
    if (r == NULL)
        return;
    s->counts.fault[SIM_HOSTILE_CLIENT]++;
    switch (sim_below(&s->fault_random, 6)) {
    case 0: /* replay */
        send_bytes(s, c, sq_bytes_of(r->envelope->data, r->envelope->size));
        break;
    case 1:
        reuse_an_id(s, c, r);
        break;
    case 2:
    case 3:
        forge(s, c, r);
        break;
    case 4:
        misspell(s, c, r);
        break;
    default:
        overstep(s, c);
        break;
    }
}

/* No answer to what was not asked under this id, and no silence either, when nothing gets lost. */
void sim_hostile_end(struct sim *s)
{
    int alone = 1;
    for (int i = 0; i < SIM_FAULTS; i++)
        alone &= i == SIM_HOSTILE_CLIENT || !s->plan.on[i];
    for (uint32_t i = 0; alone && i < s->client_count; i++)
        SIM_CHECK(s, s->client[i].reused == s->client[i].reused_refused,
                  "%s has used %u ids again for something else, and was refused %u times", s->client[i].name,
                  s->client[i].reused, s->client[i].reused_refused);
}

/* Refusals that such a client has earned. */
int sim_hostile_earned(const struct sim *s, uint32_t status)
{
    return s->plan.on[SIM_HOSTILE_CLIENT] &&
           ((status >= SQ_R_BAD_SIGNATURE && status <= SQ_R_UNKNOWN_TYPE) || status == SQ_R_ID_REUSED ||
            status == SQ_R_WRONG_TRANSPORT || status == SQ_R_ALGORITHM);
}
