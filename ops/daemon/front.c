/*
 * The front: one loop that receives, checks, decides, and sends what has become durable.
 *
 *   arrival -> envelope -> connection is the sender's -> signature -> core -> group -> (commit) -> answers, peer messages, acks
 *
 * Who sends little waits for one who sends much at one place only: for the one bulk message (lines.h) that is being decided or committed.
 * Arrivals are taken in turn by sender (hub.h); while a client sends what is small, a second bulk message is not begun before the first is
 * durable, and a group of what is small goes in between. Where nobody does, bulk is decided while bulk is committed.
 *
 * Invariants: nothing that a step decided leaves before its group is durable; the group being filled is only touched here; within a
 * stream, order of arrival is order of decision is order of the journal.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "clearing/base/hash.h"
#include "ops/common/log.h"
#include "ops/daemon/metrics.h"
#include "peers/message.h"

#define PAUSE_MS      10 /* at most: the end of the commit ends it */
#define BUSY_RETRY_MS 20u
#define UNGREETED_MS  20u
#define NO_ROOM_MS    100u /* in which a line that is too long gets shorter by some tens of megabytes */
#define WAIT_MAX_MS   1000 /* housekeeping and the watchdog are looked after at least this often */

/* ---- sending what needs no commit ---- */

void sq_front_send(struct sq_daemon *d, const struct sq_route *route, const char *receiver, uint32_t type,
                   const ProtobufCMessage *body)
{
    struct sq_header h = {type, d->keys->name, receiver, 0, d->now_ms};
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    sq_bytes packed, envelope;
    struct sq_error err = {0};
    sq_arena_reset(&d->scratch);
    sq_status st = sq_wire_pack(body, &memory, &packed, &err);
    if (st == SQ_OK)
        st = sq_message_seal(&h, packed, sq_directory_network_id(d->directory), d->keys->secret, &memory, &envelope,
                             &err);
    if (st == SQ_OK)
        st = sq_hub_reply(d->hub, route, envelope, &err);
    if (st != SQ_OK)
        sq_log(SQ_LOG_DEBUG, "unsent", "to=%s type=%u reason=\"%s\"", receiver, type, err.text);
}

static void refuse(struct sq_daemon *d, const struct sq_arrival *a, uint64_t id, unsigned status, uint64_t retry_ms)
{
    Sanquan__V1__Refusal m;
    sanquan__v1__refusal__init(&m);
    m.id = id;
    m.status = status;
    m.retry_after_ms = retry_ms;
    sq_front_send(d, &a->route, a->from, SANQUAN__V1__MESSAGE_TYPE__REFUSAL, &m.base);
}

/* ---- into the group ---- */

/* A copy of `body` with the receiver's name behind it, for the commit thread. */
static sq_status put_out(struct sq_daemon *d, const struct sq_effects *fx, const struct sq_out *out,
                         const uint8_t *request, struct sq_error *err)
{
    struct sq_group *g = d->filling;
    const char *name = out->kind == SQ_OUT_PEER ? sq_core_party(d->core, sq_core_node(d->core, out->to)->party)->name
                                                : sq_core_party(d->core, out->to)->name;
    uint8_t *copy = sq_arena_room(&g->arena, out->body.size + strlen(name) + 1);
    if (copy == NULL || g->out_count == GROUP_OUT_MAX)
        return sq_fail(err, SQ_E_FULL, "commit group"); /* cannot be: room was checked before the step */
    memcpy(copy, out->body.data, out->body.size);
    strcpy((char *)copy + out->body.size, name);
    struct sq_pending_out *o = &g->outs[g->out_count++];
    *o = (struct sq_pending_out){.kind = out->kind,
                                 .to = out->to,
                                 .type = out->type,
                                 .id = out->id,
                                 .now_ms = sq_core_now_ms(d->core),
                                 .body = sq_bytes_of(copy, out->body.size),
                                 .seq = fx->seq,
                                 .decided_us = out->kind == SQ_OUT_ANSWER ? sq_metrics_us(d) : 0};
    if (out->kind != SQ_OUT_ANSWER)
        return SQ_OK;
    struct sq_wire_memory memory = sq_memory_of(&d->step_arena);
    ProtobufCMessage *m;
    sq_status st = sq_wire_open(&sanquan__v1__answer__descriptor, out->body, &memory, &m, err);
    if (st != SQ_OK)
        return st;
    o->request_seq = ((const Sanquan__V1__Answer *)m)->seq;
    o->request_known = o->request_seq == fx->seq && request != NULL;
    if (o->request_known)
        memcpy(o->request, request, SQ_HASH_SIZE);
    return SQ_OK;
}

sq_status sq_front_step(struct sq_daemon *d, const struct sq_event *event, sq_bytes input, const uint8_t *request,
                        struct sq_effects *fx, struct sq_error *err)
{
    struct sq_group *g = d->filling;
    sq_arena_reset(&d->step_arena);
    uint64_t began_us = sq_metrics_us(d);
    sq_status st = sq_core_step(d->core, event, &d->step_arena, fx, err);
    sq_metrics_took(d, SQ_TIMING_DECISION, began_us);
    if (st != SQ_OK || !fx->append)
        return st;
    g->senders[g->entry_count] =
        event->envelope != NULL ? sq_core_party_find(d->core, event->envelope->sender) : SQ_ROW_NONE;
    struct sq_entry *e = &g->entries[g->entry_count++];
    *e = (struct sq_entry){.seq = fx->seq,
                           .now_ms = sq_core_now_ms(d->core),
                           .type = event->type,
                           .input = sq_bytes_of(sq_arena_room(&g->arena, input.size), input.size),
                           .outcome = sq_bytes_of(sq_arena_room(&g->arena, fx->outcome.size), fx->outcome.size)};
    if (e->input.data == NULL || e->outcome.data == NULL)
        return sq_fail(err, SQ_E_FULL, "commit group");
    union {
        const uint8_t *in;
        uint8_t *out;
    } to_input = {e->input.data}, to_outcome = {e->outcome.data}; /* freshly taken: ours to fill */
    memcpy(to_input.out, input.data, input.size);
    memcpy(to_outcome.out, fx->outcome.data, fx->outcome.size);
    for (size_t i = 0; st == SQ_OK && i < fx->out_count; i++)
        if (fx->out[i].kind == SQ_OUT_ANSWER || fx->out[i].kind == SQ_OUT_PEER)
            st = put_out(d, fx, &fx->out[i], request, err);
    return st;
}

/* Is there room for whatever one more step may bring? */
static int has_room(const struct sq_daemon *d, size_t limit)
{
    const struct sq_group *g = d->filling;
    return g->entry_count < GROUP_ENTRIES_MAX && g->out_count + SQ_OUT_MAX < GROUP_OUT_MAX && g->arena.used < limit;
}

/* ---- out of the group ---- */

sq_status sq_front_allow(struct sq_daemon *d, struct sq_error *err)
{
    static const uint8_t none[SQ_KEY_SIZE];
    for (sq_status st; d->parties_allowed < sq_core_party_count(d->core); d->parties_allowed++) {
        const struct sq_party *p = sq_core_party(d->core, d->parties_allowed);
        if (memcmp(p->transport_key, none, sizeof none) != 0 &&
            (st = sq_hub_allow(d->hub, p->transport_key, p->name, err)) != SQ_OK)
            return st;
    }
    return SQ_OK;
}

/* ENROL may also give keys to a party that was only a name before. */
static sq_status allow_enrolled(struct sq_daemon *d, const struct sq_group *g, struct sq_error *err)
{
    for (size_t i = 0; i < g->entry_count; i++)
        if (g->entries[i].type == SANQUAN__V1__MESSAGE_TYPE__ENROL) {
            d->parties_allowed = 0;
            break;
        }
    return sq_front_allow(d, err);
}

static void send_answers(struct sq_daemon *d, const struct sq_group *g)
{
    for (size_t i = 0; i < g->out_count; i++) {
        const struct sq_pending_out *o = &g->outs[i];
        if (o->kind != SQ_OUT_ANSWER || o->envelope.size == 0 || o->to >= d->route_capacity ||
            d->routes[o->to].size == 0)
            continue;
        if (sq_hub_reply(d->hub, &d->routes[o->to], o->envelope, NULL) != SQ_OK)
            d->routes[o->to].size = 0; /* it will come back and ask */
        else
            sq_metrics_took(d, SQ_TIMING_ANSWER, o->decided_us);
    }
}

sq_status sq_front_finish(struct sq_daemon *d, struct sq_error *err)
{
    int failed;
    struct sq_group *g = sq_commit_take_done(d, &failed);
    if (failed)
        return sq_fail(err, SQ_E_STORAGE, "a commit failed; what is stored is known after a restart");
    if (g == NULL)
        return SQ_OK;
    d->bulk_under_way = 0;
    sq_status st = allow_enrolled(d, g, err); /* before anyone hears that he is enrolled, and connects */
    send_answers(d, g);
    sq_streams_durable(d, g);
    sq_hello_durable(d, g);
    sq_questions_durable(d, g);
    sq_group_reset(d, g);
    return st;
}

static void submit(struct sq_daemon *d)
{
    int bulk = d->filling->holds_bulk;
    if (d->filling->entry_count != 0 && sq_commit_submit(d))
        d->bulk_under_way = bulk;
}

/* Before bulk is decided: what is durable leaves, and what is decided is committed without it. */
static sq_status clear_way(struct sq_daemon *d, struct sq_error *err)
{
    sq_status st = sq_front_finish(d, err);
    if (st == SQ_OK)
        submit(d);
    return st;
}

/* ---- one arrival ---- */

static sq_status keep_route(struct sq_daemon *d, uint32_t party, const struct sq_route *route, struct sq_error *err)
{
    if (party >= d->route_capacity) {
        uint32_t capacity = d->route_capacity == 0 ? 256 : d->route_capacity;
        while (capacity <= party)
            capacity *= 2;
        struct sq_route *grown = realloc(d->routes, capacity * sizeof *grown);
        if (grown == NULL)
            return sq_fail(err, SQ_E_NOMEM, "routes");
        memset(grown + d->route_capacity, 0, (capacity - d->route_capacity) * sizeof *grown);
        d->routes = grown;
        d->route_capacity = capacity;
    }
    d->routes[party] = *route;
    return SQ_OK;
}

static int reads_only(uint32_t type)
{
    return type == SANQUAN__V1__MESSAGE_TYPE__HELLO || type == SANQUAN__V1__MESSAGE_TYPE__QUERY ||
           type == SANQUAN__V1__MESSAGE_TYPE__WITNESS_ASK;
}

static sq_status on_question(struct sq_daemon *d, const struct sq_arrival *a, const struct sq_envelope *e,
                             uint32_t party, struct sq_error *err)
{
    struct sq_wire_memory memory = sq_memory_of(&d->step_arena);
    ProtobufCMessage *m;
    sq_arena_reset(&d->step_arena);
    if (sq_wire_open(sq_wire_type(e->type), e->body, &memory, &m, err) != SQ_OK)
        return sq_reject(d, a, e, SQ_R_MALFORMED, err->text, err);
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__HELLO)
        sq_hello_hear(d, &(struct sq_hello){a->route, party, ((const Sanquan__V1__Hello *)m)->nonce});
    else if (e->type == SANQUAN__V1__MESSAGE_TYPE__WITNESS_ASK)
        sq_witness_answer(d, &a->route, party, (const Sanquan__V1__WitnessAsk *)m);
    else
        sq_questions_hear(d, a, party, (const Sanquan__V1__Query *)m);
    return SQ_OK;
}

/* The same id again: the kept answer for the same bytes, a refusal for others, patience while it is being decided. */
static sq_status on_repeat(struct sq_daemon *d, const struct sq_arrival *a, const struct sq_envelope *e, uint32_t party,
                           const uint8_t name[static SQ_HASH_SIZE], struct sq_error *err)
{
    struct sq_answer kept;
    sq_bytes envelope;
    sq_arena_reset(&d->step_arena);
    sq_status st = sq_ledger_answer(d->ledger, party, e->id, &d->step_arena, &kept, err);
    if (st != SQ_OK)
        return st == SQ_E_NOT_FOUND ? SQ_OK : st;
    if (memcmp(name, kept.request, SQ_HASH_SIZE) != 0)
        return sq_reject(d, a, e, SQ_R_ID_REUSED, "", err);
    st = sq_receipt_seal(d, kept.seq, a->from, d->now_ms, kept.body, kept.request, &d->step_arena, &envelope, err);
    if (st == SQ_OK && sq_hub_reply(d->hub, &a->route, envelope, err) != SQ_OK)
        sq_log(SQ_LOG_DEBUG, "unsent", "to=%s reason=\"%s\"", a->from, err->text);
    return st;
}

static void send_refusals(struct sq_daemon *d, const struct sq_arrival *a, const struct sq_effects *fx)
{
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    for (size_t i = 0; i < fx->out_count; i++) {
        ProtobufCMessage *m;
        sq_arena_reset(&d->scratch);
        if (fx->out[i].kind == SQ_OUT_REFUSAL &&
            sq_wire_open(&sanquan__v1__refusal__descriptor, fx->out[i].body, &memory, &m, NULL) == SQ_OK) {
            const Sanquan__V1__Refusal copy =
                *(const Sanquan__V1__Refusal *)m; /* its text is empty: no pointer into scratch is followed */
            sq_front_send(d, &a->route, a->from, SANQUAN__V1__MESSAGE_TYPE__REFUSAL, &copy.base);
        }
    }
}

static sq_status decide(struct sq_daemon *d, const struct sq_arrival *a, const struct sq_envelope *e, uint32_t party,
                        const uint8_t name[static SQ_HASH_SIZE], struct sq_error *err)
{
    const struct sq_party *p = sq_core_party(d->core, party);
    int from_node = p->role == SQ_ROLE_NODE;
    uint32_t node = p->node;
    struct sq_effects fx;
    if (e->id > p->last_id && !sq_streams_greeted(d)) {
        if (!from_node) /* a node's outbox sends it again */
            refuse(d, a, e->id, SQ_R_BUSY, BUSY_RETRY_MS);
        return SQ_OK;
    }
    if (!from_node && (!has_room(d, GROUP_CLIENT_LIMIT) || d->free_permille < d->config->disk_low_permille) &&
        e->id > p->last_id) {
        int busy = d->free_permille >= d->config->disk_low_permille;
        refuse(d, a, e->id, busy ? SQ_R_BUSY : SQ_R_DISK_LOW, busy ? BUSY_RETRY_MS : 60000);
        return SQ_OK;
    }
    if (from_node && !has_room(d, GROUP_PEER_LIMIT))
        return SQ_OK; /* its outbox sends it again */
    int bulk = e->whole.size > SQ_BULK_BYTES;
    sq_status st = bulk ? clear_way(d, err) : SQ_OK;
    if (st != SQ_OK)
        return st;
    if (!bulk && !from_node)
        d->small_until_ms = d->now_ms + SMALL_MS;
    struct sq_event event = {d->now_ms, e->type, e, e->body};
    st = sq_front_step(d, &event, e->whole, from_node ? NULL : name, &fx, err);
    if (st != SQ_OK)
        return st;
    d->filling->holds_bulk |= bulk && fx.append;
    if (from_node) {
        d->peers[node].heard_ms = d->now_ms;
        d->peers[node].retry_at_ms = d->peers[node].retry_ms = 0; /* it is there: whatever waits may go */
        d->peers[node].route = a->route;
        sq_streams_spoken(d, node);
        if (fx.append)
            d->filling->peer_heard[node] = 1;
        else
            sq_streams_ack(d, node); /* an old number, or one too far ahead: say where we are */
        return SQ_OK;
    }
    if (fx.append)
        return SQ_OK;
    send_refusals(d, a, &fx);
    for (size_t i = 0; i < fx.out_count; i++)
        if (fx.out[i].kind == SQ_OUT_REPEAT)
            return on_repeat(d, a, e, party, name, err);
    return SQ_OK;
}

/* More waits from this sender than there is room for. Its stream goes on from what is refused here. */
static sq_status tell_busy(struct sq_daemon *d, const struct sq_arrival *a)
{
    struct sq_envelope e;
    uint32_t party;
    if (sq_envelope_open(a->bytes, &e, NULL) == SQ_OK && e.id != 0 && strcmp(a->from, e.sender) == 0 &&
        (party = sq_core_party_find(d->core, e.sender)) != SQ_ROW_NONE &&
        sq_core_party(d->core, party)->role != SQ_ROLE_NODE) /* a node's outbox sends it again */
        refuse(d, a, e.id, SQ_R_BUSY, NO_ROOM_MS);
    return SQ_OK;
}

/* Answers, and what only a journal holds. */
static int is_nobodys_request(uint32_t type)
{
    return (type >= SANQUAN__V1__MESSAGE_TYPE__HELLO_OK && type <= SANQUAN__V1__MESSAGE_TYPE__WITNESS_TELL) ||
           type >= SANQUAN__V1__MESSAGE_TYPE__GENESIS;
}

static sq_status on_arrival(struct sq_daemon *d, const struct sq_arrival *a, struct sq_error *err)
{
    struct sq_envelope e;
    struct sq_error why = {0};
    uint8_t body_hash[SQ_HASH_SIZE], name[SQ_HASH_SIZE];
    if (a->no_room)
        return tell_busy(d, a);
    sq_status st = sq_envelope_open(a->bytes, &e, &why);
    if (st != SQ_OK)
        return sq_reject(d, a, NULL, st, why.text, err);
    uint32_t party = sq_core_party_find(d->core, e.sender);
    if (party == SQ_ROW_NONE || !sq_core_party(d->core, party)->known_key)
        return sq_reject(d, a, &e, SQ_R_UNKNOWN_SENDER, e.sender, err);
    if (strcmp(a->from, e.sender) != 0)
        return sq_reject(d, a, &e, SQ_R_WRONG_TRANSPORT, e.sender, err);
    if (strcmp(e.receiver, d->keys->name) != 0)
        return sq_reject(d, a, &e, SQ_R_WRONG_RECEIVER, e.receiver, err);
    const uint8_t *network = sq_directory_network_id(d->directory);
    sq_sha256(e.body.data, e.body.size,
              body_hash); /* once, for the signature and the name: with bulk it takes longer than all else here */
    st = sq_message_check_shown(&e, body_hash, network, sq_core_party(d->core, party)->key, &why);
    if (st != SQ_OK)
        return sq_reject(d, a, &e, st, why.text, err);
    if ((st = keep_route(d, party, &a->route, err)) != SQ_OK)
        return st;
    if (is_nobodys_request(e.type))
        return SQ_OK; /* nothing to say to them */
    if (reads_only(e.type))
        return on_question(d, a, &e, party, err);
    sq_message_name(&e, body_hash, network, name);
    return decide(d, a, &e, party, name, err);
}

/* ---- time ---- */

static sq_status tick(struct sq_daemon *d, sq_bytes body, struct sq_error *err)
{
    struct sq_effects fx;
    uint8_t copy[64];
    SQ_ASSERT(body.size <= sizeof copy);
    memcpy(copy, body.data, body.size); /* the step resets the arena that holds it */
    struct sq_event event = {d->now_ms, SANQUAN__V1__MESSAGE_TYPE__TICK, NULL, sq_bytes_of(copy, body.size)};
    return sq_front_step(d, &event, event.body, NULL, &fx, err);
}

static sq_status cut_off(struct sq_daemon *d, uint32_t kinds, struct sq_error *err)
{
    Sanquan__V1__Tick m;
    uint8_t body[64];
    sanquan__v1__tick__init(&m);
    m.reason = 1;
    m.window = sq_settlement_open_window(sq_core_settlement(d->core));
    m.kinds = kinds;
    size_t size = sanquan__v1__tick__pack(&m, body);
    sq_log(SQ_LOG_INFO, "cutoff", "window=%" PRIu64 " kinds=%x", m.window, kinds);
    return tick(d, sq_bytes_of(body, size), err);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static sq_status run_timers(struct sq_daemon *d, struct sq_error *err)
{
    sq_bytes body;
    sq_status st = SQ_OK;
    uint64_t at;
    int greeted = sq_streams_greeted(d); /* what time brings about is told to peers: not before they have been heard */
    d->next_ms = greeted ? d->now_ms : d->now_ms + UNGREETED_MS;
    while (st == SQ_OK && greeted && has_room(d, GROUP_TIMER_LIMIT)) {
        sq_arena_reset(&d->step_arena);
        if (!sq_core_due(d->core, d->now_ms, &d->step_arena, &body, &at)) {
            d->next_ms = at;
            break;
        }
        st = tick(d, body, err);
    }
    if (st == SQ_OK && greeted && d->now_ms >= d->cutoff.at_ms) {
        uint32_t kinds = d->cutoff.kinds;
        d->cutoff = sq_config_next_cutoff(d->config, d->now_ms);
        st = cut_off(d, kinds, err);
    }
    if (st == SQ_OK && greeted && has_room(d, GROUP_ARENA_SIZE / 2)) {
        st = sq_witness_show(d, &at, err);
        d->next_ms = sooner(d->next_ms, at);
    }
    if (st == SQ_OK && greeted && has_room(d, GROUP_ARENA_SIZE / 2))
        st = sq_access_turn(d, err);
    sq_metrics_turn(d);
    if (d->now_ms >= d->housekeep_ms) {
        sq_ledger_housekeep(d->ledger);
        d->housekeep_ms = d->now_ms + 60000;
    }
    if (d->now_ms >= d->disk_ms) {
        d->free_permille = sq_daemon_disk_permille(d);
        d->disk_ms = d->now_ms + 1000;
    }
    if (greeted)
        d->next_ms = sooner(d->next_ms, d->cutoff.at_ms);
    return st;
}

/* systemd's watchdog hears from us only while commits that were asked for do end. */
static void kick_watchdog(struct sq_daemon *d)
{
    if (d->now_ms < d->watchdog_ms)
        return;
    pthread_mutex_lock(&d->mutex);
    int stuck = d->committing != NULL;
    pthread_mutex_unlock(&d->mutex);
    if (stuck)
        return;
    sd_notify(0, "WATCHDOG=1");
    d->watchdog_ms = d->now_ms + 1000;
}

/* ---- the loop ---- */

/* The group being filled holds so much, and the one before it is still being committed; but patience has an end. */
static int holds_enough(struct sq_daemon *d, size_t enough)
{
    if (d->filling->arena.used < GROUP_ENOUGH)
        d->enough_ms = 0;
    else if (d->enough_ms == 0)
        d->enough_ms = d->now_ms;
    return d->filling->arena.used >= enough && d->now_ms < d->enough_ms + GROUP_PATIENCE_MS;
}

/*
 * What comes next. Bulk waits while the group holds enough; and where some send little, one bulk message at a time is under way, so that what is
 * small waits for no second one.
 */
static sq_status receive(struct sq_daemon *d, int wait_ms, struct sq_arrival *a, struct sq_error *err)
{
    int shared = d->now_ms < d->small_until_ms;
    sq_hub_hold_bulk(d->hub,
                     holds_enough(d, GROUP_ENOUGH) || (shared && (d->bulk_under_way || d->filling->holds_bulk)));
    return sq_hub_receive(d->hub, wait_ms, -1, a, err);
}

/* Wait for messages, and take what is there, so that a group is worth its commit; but look up now and then. */
static sq_status take_messages(struct sq_daemon *d, int wait_ms, struct sq_error *err)
{
    struct sq_arrival a;
    sq_status st = receive(d, wait_ms, &a, err);
    for (unsigned n = 0; st == SQ_OK && a.bytes.size != 0; n++) {
        st = a.from_peer ? sq_streams_hear(d, a.node, &a, err) : on_arrival(d, &a, err);
        if (n == 15 || st != SQ_OK || holds_enough(d, GROUP_FULL))
            break;
        st = receive(d, 0, &a, err);
    }
    return st;
}

sq_status sq_front_turn(struct sq_daemon *d, uint64_t now_ms, struct sq_error *err)
{
    d->now_ms = now_ms;
    if (d->opened_ms == 0)
        d->opened_ms = now_ms;
    sq_status st = sq_front_finish(d, err);
    if (st == SQ_OK)
        st = run_timers(d, err);
    if (st != SQ_OK)
        return st;
    sq_questions_send(d);
    sq_streams_flush(d);
    d->next_ms = sooner(d->next_ms, sq_streams_due_ms(d));
    submit(d);
    kick_watchdog(d);
    sq_snapshot_maybe(d);
    if (holds_enough(d, GROUP_FULL)) {
        sq_hub_pause(d->hub, PAUSE_MS);
        return SQ_OK;
    }
    uint64_t wait = d->next_ms > now_ms ? d->next_ms - now_ms : 0;
    return take_messages(d, wait < WAIT_MAX_MS ? (int)wait : WAIT_MAX_MS, err);
}
