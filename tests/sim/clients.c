/*
 * Clients: numbered requests to one node, sent again until each has its answer; receipts are verified as a real client would.
 *
 *   request:  sent --receipt--> answered (every further receipt must say the same)      silence: everything open goes again, in order
 */
#include <stdlib.h>
#include <string.h>

#include "peers/client.h"
#include "peers/message.h"
#include "tests/sim/sim.h"

#define RESEND_MIN_US (1 * SIM_SECOND)
#define RESEND_MAX_US (8 * SIM_SECOND)

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

static int may_work(const struct sim *s, const struct sim_client *c)
{
    return s->phase == SIM_TROUBLE && c->quota > 0;
}

static void schedule(struct sim *s, struct sim_client *c)
{
    uint64_t at = may_work(s, c) ? c->next_work_us : SIM_NEVER;
    if (c->first_open < c->request_count && c->resend_us < at)
        at = c->resend_us;
    if (at == SIM_NEVER)
        return;
    sim_put(s, at > s->now_us ? at : s->now_us + 1, SIM_EV_CLIENT, c->index, ++c->token);
}

static void send_request(struct sim *s, struct sim_client *c, const struct sim_request *r)
{
    struct sim_packet p = {
        .from = {SIM_END_CLIENT, c->index}, .to = {SIM_END_NODE, c->node}, .bytes = r->envelope, .route = {.size = 8}};
    sq_put_be32(p.route.id, (uint32_t)SIM_END_CLIENT << 24 | c->index);
    sim_send(s, &p);
}

static void resend_from(struct sim *s, struct sim_client *c, uint64_t id)
{
    for (uint32_t i = c->first_open; i < c->request_count; i++)
        if (!c->request[i].answered && c->request[i].id >= id)
            send_request(s, c, &c->request[i]);
}

static struct sim_bytes *seal(struct sim *s, const struct sim_client *c, uint32_t type, uint64_t id, sq_bytes body)
{
    struct sq_header h = {type, c->name, s->node[c->node].name, id, SIM_EPOCH_MS + s->now_us / 1000};
    struct sq_wire_memory memory = {take, &s->scratch};
    sq_bytes envelope;
    sq_status st =
        sq_message_seal(&h, body, sq_directory_network_id(s->directory), c->secret, &memory, &envelope, NULL);
    SQ_ASSERT(st == SQ_OK);
    return sim_bytes_new(envelope);
}

uint64_t sim_client_ask(struct sim *s, struct sim_client *c, uint32_t type, const ProtobufCMessage *body)
{
    struct sq_wire_memory memory = {take, &s->scratch};
    sq_bytes packed;
    sq_status st = sq_wire_pack(body, &memory, &packed, NULL);
    SQ_ASSERT(st == SQ_OK);
    return sim_client_ask_bytes(s, c, type, packed);
}

uint64_t sim_client_ask_bytes(struct sim *s, struct sim_client *c, uint32_t type, sq_bytes packed)
{
    c->request = sim_grow(c->request, c->request_count, &c->request_capacity, sizeof *c->request);
    struct sim_request *r = &c->request[c->request_count++];
    *r = (struct sim_request){.id = c->request_count, .type = type, .body = sim_bytes_new(packed)};
    r->envelope = seal(s, c, type, r->id, packed);
    if (c->first_open == c->request_count - 1) {
        c->resend_wait_us = RESEND_MIN_US;
        c->resend_us = s->now_us + c->resend_wait_us;
    }
    send_request(s, c, r);
    schedule(s, c);
    return r->id;
}

void sim_clients_begin(struct sim *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct sim_client *c = &s->client[i];
        c->quota = s->plan.requests;
        c->next_work_us = s->now_us + sim_below(&s->work_random, s->plan.think_us) +
                          (c->role == SQ_ROLE_OPERATOR ? 0 : SIM_SECOND / 10);
        schedule(s, c);
    }
}

void sim_client_wake(struct sim_client *c, struct sim *s, uint32_t token)
{
    if (token != c->token)
        return;
    sq_arena_reset(&s->scratch);
    if (may_work(s, c) && s->now_us >= c->next_work_us) {
        c->next_work_us = s->now_us + sim_between(&s->work_random, s->plan.think_us / 8, s->plan.think_us * 2);
        uint32_t open = 0;
        for (uint32_t i = c->first_open; i < c->request_count; i++)
            open += !c->request[i].answered;
        if (open < c->in_flight_max && sim_work_next(s, c))
            c->quota--;
        if (c->role == SQ_ROLE_OPERATOR)
            sim_reader_ask(s, c);
        if (sim_chance(&s->fault_random, s->plan.hostile_pm))
            sim_hostile_act(s, c);
    }
    if (c->first_open < c->request_count && s->now_us >= c->resend_us) {
        resend_from(s, c, 0);
        c->resend_wait_us = c->resend_wait_us * 2 > RESEND_MAX_US ? RESEND_MAX_US : c->resend_wait_us * 2;
        c->resend_us = s->now_us + c->resend_wait_us;
    }
    schedule(s, c);
}

int sim_clients_idle(const struct sim *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        const struct sim_client *c = &s->client[i];
        for (uint32_t k = c->first_open; k < c->request_count; k++)
            if (!c->request[k].answered && !sim_liars_hold_up(s, c, &c->request[k]))
                return 0;
    }
    return 1;
}

void sim_client_free(struct sim_client *c)
{
    for (uint32_t i = 0; i < c->request_count; i++) {
        sim_bytes_drop(c->request[i].envelope);
        sim_bytes_drop(c->request[i].answer);
        sim_bytes_drop(c->request[i].body);
    }
    free(c->request);
}

/* ---- what comes back ---- */

static void close_request(struct sim *s, struct sim_client *c, struct sim_request *r, uint32_t status)
{
    r->answered = 1;
    r->status = status;
    while (c->first_open < c->request_count && c->request[c->first_open].answered)
        c->first_open++;
    c->resend_wait_us = RESEND_MIN_US;
    c->resend_us = s->now_us + c->resend_wait_us;
}

static void on_receipt(struct sim *s, struct sim_client *c, const Sanquan__V1__Receipt *m)
{
    struct sq_wire_memory memory = {take, &s->scratch};
    ProtobufCMessage *opened;
    sq_bytes bytes = sq_bytes_of(m->answer.data, m->answer.len);
    if (sq_wire_open(&sanquan__v1__answer__descriptor, bytes, &memory, &opened, NULL) != SQ_OK) {
        sim_fail(s, "%s: a receipt without an answer", c->name);
        return;
    }
    const Sanquan__V1__Answer *a = (const Sanquan__V1__Answer *)opened;
    SIM_CHECK(s, a->id >= 1 && a->id <= c->request_count, "%s: answer to %" PRIu64 ", which it never asked", c->name,
              a->id);
    if (s->failed)
        return;
    struct sim_request *r = &c->request[a->id - 1];
    sim_check_receipt(s, c, r, m, a);
    if (r->answered) {
        s->counts.repeats++;
        SIM_CHECK(s,
                  r->answer != NULL && r->answer->size == bytes.size &&
                      memcmp(r->answer->data, bytes.data, bytes.size) == 0,
                  "%s: request %" PRIu64 " was answered twice, differently", c->name, r->id);
        return;
    }
    r->answer = sim_bytes_new(bytes);
    s->counts.answers++;
    close_request(s, c, r, a->status);
    sim_note(s, "%s: request %" PRIu64 " type %u answered: %s %s, %" PRIu64 " rows", c->name, r->id, r->type,
             sq_status_name(a->status), a->detail, a->count);
    sim_work_answered(s, c, r, a);
}

static void on_refusal(struct sim *s, struct sim_client *c, const Sanquan__V1__Refusal *m)
{
    s->counts.refusals++;
    c->reused_refused += m->status == SQ_R_ID_REUSED;
    if (m->status == SQ_R_GAP)
        resend_from(s, c, m->expected_id);
    else
        SIM_CHECK(s, sq_status_retry(m->status) || sim_hostile_earned(s, m->status),
                  "%s: request %" PRIu64 " refused for good, unjournalled: %s %s", c->name, m->id,
                  sq_status_name(m->status), m->detail);
}

void sim_client_hear(struct sim *s, struct sim_client *c, const struct sim_packet *p)
{
    struct sq_envelope e;
    struct sq_error err = {0};
    struct sq_wire_memory memory = {take, &s->scratch};
    const struct sim_node *n = &s->node[c->node];
    ProtobufCMessage *m;
    sq_arena_reset(&s->scratch);
    if (sq_envelope_open(sq_bytes_of(p->bytes->data, p->bytes->size), &e, &err) != SQ_OK ||
        strcmp(e.sender, n->name) != 0 || strcmp(e.receiver, c->name) != 0 ||
        sq_message_check(&e, sq_directory_network_id(s->directory), n->keys.public_key, &err) != SQ_OK ||
        sq_wire_open(sq_wire_type(e.type), e.body, &memory, &m, &err) != SQ_OK) {
        if (!n->liar) /* a forged receipt is seen through */
            sim_fail(s, "%s hears what is no message of %s: %s", c->name, n->name, err.text);
        return;
    }
    if (e.type == SANQUAN__V1__MESSAGE_TYPE__RECEIPT)
        on_receipt(s, c, (const Sanquan__V1__Receipt *)m);
    else if (e.type == SANQUAN__V1__MESSAGE_TYPE__REFUSAL)
        on_refusal(s, c, (const Sanquan__V1__Refusal *)m);
    else if (e.type == SANQUAN__V1__MESSAGE_TYPE__QUERY_ANSWER)
        sim_reader_hear(s, c, (const Sanquan__V1__QueryAnswer *)m);
    if (!s->failed)
        schedule(s, c);
}
