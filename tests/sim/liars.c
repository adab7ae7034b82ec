/*
 * Nodes that lie, fewer than a third. A liar runs the real daemon; its lies are on the wire: what it sends is sometimes replaced by
 * something else under the same number, signed with its own key, and not the same to everyone. Its journal says what an honest node
 * would have said, so whatever others believe of it, they cannot have from its ledger.
 *
 *   votes       nil, or a value out of the air, to some
 *   proposals   another valid value (no pair at all) to some
 *   statements  other totals, to some
 *   decisions   other codes than the link stands for
 *   receipts    one bit wrong
 *   claims      to have more of a node's messages than it ever sent, with a forged message to show for it, or none
 *
 * What must hold is asked of honest nodes only, and of what lies between them.
 */
#include <stdlib.h>
#include <string.h>

#include "peers/message.h"
#include "tests/sim/sim.h"

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

void sim_liars_choose(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.liars;) {
        struct sim_node *n = &s->node[sim_below(&s->fault_random, s->plan.nodes)];
        if (n->liar)
            continue;
        n->liar = 1;
        n->lies = (uint32_t)sim_between(&s->fault_random, 1, 63);
        sim_note(s, "node %s is a liar of kind %u", n->config.node, n->lies);
        i++;
    }
}

/* Some end as honest nodes, some are seen no more: the others must come to an end without them. */
void sim_liars_end(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        if (s->node[i].liar && sim_chance(&s->fault_random, 500)) {
            s->node[i].dead = 1;
            sim_note(s, "node %s is gone for good", s->node[i].config.node);
            sim_node_stop(&s->node[i]);
        }
}

/* ---- one lie ---- */

static int lie_vote(struct sim_random *r, Sanquan__V1__Vote *m, uint8_t air[static SQ_HASH_SIZE])
{
    if (m->value.len != 0 && sim_chance(r, 700)) {
        m->value.len = 0;
        return 1;
    }
    for (int i = 0; i < SQ_HASH_SIZE; i++)
        air[i] = (uint8_t)sim_u64(r);
    m->value = (ProtobufCBinaryData){SQ_HASH_SIZE, air};
    return 1;
}

/* All pairs left out: a valid value too. */
static int lie_proposal(Sanquan__V1__Proposal *m)
{
    uint8_t bytes[4096], any = 0;
    for (size_t i = 0; i < m->pairs.len; i++)
        any |= m->pairs.data[i];
    if (!any || m->value == NULL || sanquan__v1__settlement__get_packed_size(m->value) > sizeof bytes)
        return 0;
    memset(m->pairs.data, 0, m->pairs.len);
    m->size = sanquan__v1__settlement__pack(m->value, bytes);
    m->n_parts = 1;
    sq_sha256(bytes, m->size, m->parts[0].data);
    return 1;
}

static int lie_rows(struct sim_random *r, Sanquan__V1__StatementRow **rows, size_t count)
{
    if (count == 0)
        return 0;
    Sanquan__V1__StatementRow *row = rows[sim_below(r, count)];
    row->total_fen[sim_below(r, row->n_total_fen)] += (int64_t)sim_scale(r, 1, 1000000);
    return 1;
}

static int lie_codes(struct sim_random *r, ProtobufCBinaryData *code)
{
    if (code->len == 0)
        return 0;
    uint8_t *cell = &code->data[sim_below(r, code->len)];
    *cell = *cell == 0 ? (uint8_t)SQ_R_POOL_EXHAUSTED : 0;
    return 1;
}

static int lie_claim(struct sim_random *r, uint64_t *last_id, Sanquan__V1__Shown **shown)
{
    *last_id += sim_scale(r, 1, 1000);
    if (shown == NULL || *shown == NULL || sim_chance(r, 300))
        return 1; /* shows what it has, or has nothing to show */
    if (sim_chance(r, 300)) {
        *shown = NULL;
        return 1;
    }
    ProtobufCBinaryData *parts[3] = {&(*shown)->header, &(*shown)->body_hash, &(*shown)->signature};
    ProtobufCBinaryData *part = parts[sim_below(r, 3)];
    uint64_t bit = sim_below(r, part->len * 8);
    part->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    return 1;
}

/* Changes the message; 0: nothing to lie about. */
static int lie(struct sim_node *n, uint32_t type, ProtobufCMessage *body, uint8_t air[static SQ_HASH_SIZE])
{
    struct sim_random *r = &n->sim->fault_random;
    switch (type) {
    case SANQUAN__V1__MESSAGE_TYPE__VOTE:
        return (n->lies & 1) && lie_vote(r, (Sanquan__V1__Vote *)body, air);
    case SANQUAN__V1__MESSAGE_TYPE__PROPOSAL:
        return (n->lies & 2) && lie_proposal((Sanquan__V1__Proposal *)body);
    case SANQUAN__V1__MESSAGE_TYPE__STATEMENT:
        return (n->lies & 4) &&
               lie_rows(r, ((Sanquan__V1__Statement *)body)->rows, ((Sanquan__V1__Statement *)body)->n_rows);
    case SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT:
        return (n->lies & 4) && lie_rows(r, ((Sanquan__V1__Counterstatement *)body)->rows,
                                         ((Sanquan__V1__Counterstatement *)body)->n_rows);
    case SANQUAN__V1__MESSAGE_TYPE__DECIDED:
        return (n->lies & 8) && lie_codes(r, &((Sanquan__V1__Decided *)body)->code);
    case SANQUAN__V1__MESSAGE_TYPE__REGISTERED:
        return (n->lies & 8) && lie_codes(r, &((Sanquan__V1__Registered *)body)->code);
    case SANQUAN__V1__MESSAGE_TYPE__ACK:
        return (n->lies & 32) && lie_claim(r, &((Sanquan__V1__Ack *)body)->last_id, NULL);
    case SANQUAN__V1__MESSAGE_TYPE__HELLO_OK:
        return (n->lies & 32) &&
               lie_claim(r, &((Sanquan__V1__HelloOk *)body)->last_id, &((Sanquan__V1__HelloOk *)body)->last);
    default:
        return 0;
    }
}

/* The message in other words, under its own number and the liar's own signature; empty when it is left as it is. */
static sq_bytes told_otherwise(struct sim_node *n, const struct sq_envelope *e)
{
    struct sim *s = n->sim;
    struct sq_wire_memory memory = {take, &s->scratch};
    struct sq_header h = {e->type, e->sender, e->receiver, e->id, e->sent_at_ms};
    ProtobufCMessage *body;
    uint8_t air[SQ_HASH_SIZE];
    sq_bytes packed, envelope = {NULL, 0};
    sq_arena_reset(&s->scratch);
    if (sq_wire_open(sq_wire_type(e->type), e->body, &memory, &body, NULL) != SQ_OK || !lie(n, e->type, body, air) ||
        sq_wire_pack(body, &memory, &packed, NULL) != SQ_OK ||
        sq_message_seal(&h, packed, sq_directory_network_id(s->directory), n->keys.secret, &memory, &envelope, NULL) !=
            SQ_OK)
        return (sq_bytes){NULL, 0};
    return envelope;
}

void sim_liar_sends(struct sim_node *n, struct sim_packet *p)
{
    struct sim *s = n->sim;
    struct sq_envelope e;
    if (!n->liar || s->phase != SIM_TROUBLE || !sim_chance(&s->fault_random, s->plan.lie_pm) ||
        sq_envelope_open(sq_bytes_of(p->bytes->data, p->bytes->size), &e, NULL) != SQ_OK)
        return;
    if (p->answer && e.type == SANQUAN__V1__MESSAGE_TYPE__RECEIPT && (n->lies & 16)) {
        struct sim_bytes *forged = sim_bytes_new(sq_bytes_of(p->bytes->data, p->bytes->size));
        uint64_t bit = sim_below(&s->fault_random, (uint64_t)forged->size * 8);
        forged->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        sim_bytes_drop(p->bytes);
        p->bytes = forged;
        s->counts.fault[SIM_LIAR]++;
        return;
    }
    int to_client = p->answer && p->to.kind != SIM_END_NODE;
    sq_bytes other = to_client ? (sq_bytes){NULL, 0} : told_otherwise(n, &e);
    if (other.size == 0)
        return;
    sim_bytes_drop(p->bytes);
    p->bytes = sim_bytes_new(other);
    s->counts.fault[SIM_LIAR]++;
}

/* ---- whom a request touches ---- */

static int is_liar(const struct sim *s, const char *code)
{
    for (uint32_t i = 0; i < s->plan.nodes; i++)
        if (strcmp(s->node[i].config.node, code) == 0)
            return s->node[i].liar;
    return 0;
}

/* May this request wait for ever, because a liar has to answer for some of it? */
int sim_liars_hold_up(const struct sim *s, const struct sim_client *c, const struct sim_request *r)
{
    const struct sim_node *n = &s->node[c->node];
    int held = n->liar;
    if (s->plan.liars == 0 || held || r->type != SANQUAN__V1__MESSAGE_TYPE__BATCH)
        return held;
    Sanquan__V1__Batch *b = sanquan__v1__batch__unpack(NULL, r->body->size, r->body->data);
    for (size_t i = 0; b != NULL && !held && model_batch_is_whole(b) && i < b->n_voucher; i++) {
        const char *home, *issuer;
        model_asked(n->model, b, i, &home, &issuer);
        held = is_liar(s, home) || is_liar(s, issuer);
    }
    if (b != NULL)
        sanquan__v1__batch__free_unpacked(b, NULL);
    return held;
}
