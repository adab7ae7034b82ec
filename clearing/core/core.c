/*
 * The step: one message in, one decision out.
 *
 *   repeat?  id <= last id of the sender         -> the kept answer, nothing changes
 *   gap?     id >  last id + 1                   -> Refusal GAP, nothing changes
 *   else     the id is used up, whatever comes:
 *              body not canonical, role not allowed, a rule refuses -> the refusal is journalled and answered
 *              accepted                                             -> the state changes, and it is journalled
 *
 * Invariants: a handler checks everything before it changes anything; what it sends is part of the journalled outcome (as
 * hashes), so that a replay that would say something else is found out.
 */
#include "clearing/core/acquirer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clearing/base/day.h"

/* ---- saying yes and no ---- */

sq_status(sq_refuse)(struct sq_step *s, sq_status refusal, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s->why.status = refusal;
    vsnprintf(s->why.text, sizeof s->why.text, format, args);
    va_end(args);
    return refusal;
}

sq_status sq_full(struct sq_step *s)
{
    return sq_fail(s->err, SQ_E_FULL, "step memory");
}

ProtobufCBinaryData sq_codes(const uint8_t *code, size_t count)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } borrowed = {code}; /* protobuf-c's messages do not say const; it only reads */
    for (size_t i = 0; i < count; i++)
        if (code[i] != SQ_OK)
            return (ProtobufCBinaryData){count, borrowed.out};
    return (ProtobufCBinaryData){0, NULL};
}

static sq_status push(struct sq_step *s, struct sq_out out, const ProtobufCMessage *body)
{
    struct sq_effects *fx = s->fx;
    if (fx->out_count == SQ_OUT_MAX)
        return sq_fail(s->err, SQ_E_FULL, "more than %d messages in one step", SQ_OUT_MAX);
    sq_status st = body == NULL ? SQ_OK : sq_wire_pack(body, &s->memory, &out.body, s->err);
    if (st == SQ_OK)
        fx->out[fx->out_count++] = out;
    return st;
}

sq_status sq_answer(struct sq_step *s, uint32_t party, Sanquan__V1__Answer *answer)
{
    if (answer->id == 0)
        answer->id = s->id;
    if (answer->seq == 0)
        answer->seq = s->fx->seq;
    struct sq_out out = {
        .kind = SQ_OUT_ANSWER, .to = party, .type = SANQUAN__V1__MESSAGE_TYPE__RECEIPT, .id = answer->id};
    return push(s, out, &answer->base);
}

sq_status sq_answer_accepted(struct sq_step *s, size_t count)
{
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    answer.count = count;
    return sq_answer(s, s->party, &answer);
}

/* Reasons quote what a sender wrote; only plain characters of it may stand in a string of ours. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static sq_status answer_refused(struct sq_step *s, sq_status refusal)
{
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    make_plain(s->why.text);
    answer.status = refusal;
    answer.detail = s->why.text;
    return sq_answer(s, s->party, &answer);
}

#define TOO_EARLY_RETRY_MS 1000u

static sq_status refuse_unjournalled(struct sq_step *s, sq_status refusal, uint64_t expected)
{
    Sanquan__V1__Refusal m;
    sanquan__v1__refusal__init(&m);
    m.id = s->id;
    m.status = refusal;
    m.expected_id = expected;
    m.retry_after_ms = refusal == SQ_R_BUSY ? TOO_EARLY_RETRY_MS : sq_status_retry(refusal) ? 1 : 0;
    struct sq_out out = {
        .kind = SQ_OUT_REFUSAL, .to = s->party, .type = SANQUAN__V1__MESSAGE_TYPE__REFUSAL, .id = s->id};
    return push(s, out, &m.base);
}

/* ---- who may send what ---- */

static int permitted(const struct sq_core *core, const struct sq_party *p, uint32_t type)
{
    switch (type) {
    case SANQUAN__V1__MESSAGE_TYPE__PROGRAMME:
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
    case SANQUAN__V1__MESSAGE_TYPE__REVOKE:
    case SANQUAN__V1__MESSAGE_TYPE__OVERRIDE:
    case SANQUAN__V1__MESSAGE_TYPE__ASSESS:
    case SANQUAN__V1__MESSAGE_TYPE__ALLOCATE:
    case SANQUAN__V1__MESSAGE_TYPE__PREFUND:
        return p->role == SQ_ROLE_ISSUER;
    case SANQUAN__V1__MESSAGE_TYPE__MEASURE:
        return p->role == SQ_ROLE_EVALUATOR && p->node == core->self;
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
    case SANQUAN__V1__MESSAGE_TYPE__APPLY:
    case SANQUAN__V1__MESSAGE_TYPE__CONSENT:
        return p->role == SQ_ROLE_HOLDER;
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        return p->role == SQ_ROLE_PROVIDER && p->node == core->self;
    case SANQUAN__V1__MESSAGE_TYPE__DISPUTE:
        return p->role == SQ_ROLE_ISSUER || p->role == SQ_ROLE_REGULATOR ||
               (p->role == SQ_ROLE_PROVIDER && p->node == core->self);
    case SANQUAN__V1__MESSAGE_TYPE__FACTS:
    case SANQUAN__V1__MESSAGE_TYPE__EDGES:
        return (p->role == SQ_ROLE_ISSUER || p->role == SQ_ROLE_OPERATOR) && p->node == core->self;
    case SANQUAN__V1__MESSAGE_TYPE__STANDING:
        return p->role == SQ_ROLE_REGULATOR || (p->role == SQ_ROLE_OPERATOR && p->node == core->self);
    case SANQUAN__V1__MESSAGE_TYPE__SANCTION:
        return p->role == SQ_ROLE_REGULATOR ||
               ((p->role == SQ_ROLE_ISSUER || p->role == SQ_ROLE_OPERATOR) && p->node == core->self);
    case SANQUAN__V1__MESSAGE_TYPE__ENROL:
    case SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT:
    case SANQUAN__V1__MESSAGE_TYPE__CONFIRM:
    case SANQUAN__V1__MESSAGE_TYPE__BREAK:
    case SANQUAN__V1__MESSAGE_TYPE__DEBIT_CAP:
    case SANQUAN__V1__MESSAGE_TYPE__ACCOUNT:
    case SANQUAN__V1__MESSAGE_TYPE__AGREE:
    case SANQUAN__V1__MESSAGE_TYPE__REVERSE:
    case SANQUAN__V1__MESSAGE_TYPE__CALENDAR:
        return p->role == SQ_ROLE_OPERATOR && p->node == core->self;
    default:
        return p->role == SQ_ROLE_NODE && p->node != core->self &&
               type >= SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE && type < SANQUAN__V1__MESSAGE_TYPE__HELLO_OK;
    }
}

/* ---- messages ---- */

static uint32_t node_named(void *ctx, const char *name)
{
    const struct sq_core *core = ctx;
    uint32_t party = sq_party_find(core, name);
    return party != SQ_ROW_NONE && sq_party_at(core, party)->role == SQ_ROLE_NODE ? sq_party_at(core, party)->node
                                                                                  : SQ_ROW_NONE;
}

static int node_signed(void *ctx, const struct sq_envelope *e, uint32_t node)
{
    const struct sq_core *core = ctx;
    return core->signed_by != NULL &&
           core->signed_by(e, core->network_id, sq_party_at(core, sq_node_at(core, node)->party)->key);
}

static sq_status to_settlement(struct sq_step *s, uint32_t from, uint32_t type, sq_bytes body)
{
    const struct sq_post post = {s->core, node_named, node_signed, s->whole};
    return sq_settlement_message(s->core->settlement, &post, from, type, body, s->core->now_ms, s->fx, &s->why);
}

static sq_status dispatch(struct sq_step *s, uint32_t type, sq_bytes body)
{
    struct sq_core *core = s->core;
    const struct sq_party *p = sq_party_at(core, s->party);
    uint32_t from = p->node;
    const ProtobufCMessageDescriptor *shape = sq_wire_type(type);
    if (p->suspended)
        return sq_refuse(s, SQ_R_SUSPENDED, "%s", p->name);
    if (shape == NULL || !permitted(core, p, type))
        return sq_refuse(s, SQ_R_NOT_PERMITTED, "message type %u from %s", type, p->name);
    ProtobufCMessage *m = NULL;
    sq_status st = sq_wire_open(shape, body, &s->memory, &m, &s->why);
    if (st == SQ_E_FULL)
        return sq_full(s);
    if (st != SQ_OK)
        return st;
    switch (type) {
    case SANQUAN__V1__MESSAGE_TYPE__PROGRAMME:
        return sq_on_programme(s, (const Sanquan__V1__Programme *)m);
    case SANQUAN__V1__MESSAGE_TYPE__ENROL:
        return sq_on_enrol(s, (const Sanquan__V1__Enrol *)m);
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
        return sq_on_grant(s, (const Sanquan__V1__Grant *)m);
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
        return sq_on_mandate(s, (const Sanquan__V1__Mandate *)m);
    case SANQUAN__V1__MESSAGE_TYPE__REVOKE:
        return sq_on_revoke(s, (const Sanquan__V1__Revoke *)m);
    case SANQUAN__V1__MESSAGE_TYPE__FACTS:
        return sq_on_facts(s, (const Sanquan__V1__Facts *)m);
    case SANQUAN__V1__MESSAGE_TYPE__EDGES:
        return sq_on_edges(s, (const Sanquan__V1__Edges *)m);
    case SANQUAN__V1__MESSAGE_TYPE__SANCTION:
        return sq_on_sanction(s, (const Sanquan__V1__Sanction *)m);
    case SANQUAN__V1__MESSAGE_TYPE__APPLY:
        return sq_on_apply(s, (const Sanquan__V1__Apply *)m);
    case SANQUAN__V1__MESSAGE_TYPE__ASSESS:
        return sq_on_assess(s, (const Sanquan__V1__Assess *)m);
    case SANQUAN__V1__MESSAGE_TYPE__ALLOCATE:
        return sq_on_allocate(s, (const Sanquan__V1__Allocate *)m);
    case SANQUAN__V1__MESSAGE_TYPE__PREFUND:
        return sq_on_prefund(s, (const Sanquan__V1__Prefund *)m);
    case SANQUAN__V1__MESSAGE_TYPE__MEASURE:
        return sq_on_measure(s, (const Sanquan__V1__Measure *)m);
    case SANQUAN__V1__MESSAGE_TYPE__AGREE:
        return sq_on_agree(s, (const Sanquan__V1__Agree *)m);
    case SANQUAN__V1__MESSAGE_TYPE__AGREED:
        return sq_on_agreed(s, from, (const Sanquan__V1__Agreement *)m);
    case SANQUAN__V1__MESSAGE_TYPE__REVERSE:
        return sq_on_reverse(s, (const Sanquan__V1__Reverse *)m);
    case SANQUAN__V1__MESSAGE_TYPE__REVERSED:
        return sq_on_reversed(s, from, (const Sanquan__V1__Reverse *)m);
    case SANQUAN__V1__MESSAGE_TYPE__CLAWBACK:
        return sq_on_clawback(s, from, (const Sanquan__V1__Clawback *)m);
    case SANQUAN__V1__MESSAGE_TYPE__DISPUTE:
        return sq_on_dispute(s, (const Sanquan__V1__Dispute *)m);
    case SANQUAN__V1__MESSAGE_TYPE__DISPUTE_REPLY:
        return sq_on_dispute_reply(s, from, (const Sanquan__V1__Dispute *)m);
    case SANQUAN__V1__MESSAGE_TYPE__DISPUTE_NOTICE:
        return sq_on_dispute_notice(s, from, (const Sanquan__V1__DisputeNotice *)m);
    case SANQUAN__V1__MESSAGE_TYPE__CALENDAR:
        return sq_on_calendar(s, (const Sanquan__V1__Calendar *)m);
    case SANQUAN__V1__MESSAGE_TYPE__CONSENT:
        return sq_on_consent(s, (const Sanquan__V1__Consent *)m);
    case SANQUAN__V1__MESSAGE_TYPE__OVERRIDE:
        return sq_on_override(s, (const Sanquan__V1__Override *)m);
    case SANQUAN__V1__MESSAGE_TYPE__SANCTION_NOTICE:
        return sq_on_sanction_notice(s, from, (const Sanquan__V1__Sanction *)m);
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        return sq_on_batch(s, body, (const Sanquan__V1__Batch *)m);
    case SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT: {
        const Sanquan__V1__WindowCut *cut = (const Sanquan__V1__WindowCut *)m;
        st = sq_settlement_cut(core->settlement, cut->window, cut->kinds, core->now_ms, s->fx, &s->why);
        return st != SQ_OK ? st : sq_answer_accepted(s, 1);
    }
    case SANQUAN__V1__MESSAGE_TYPE__CONFIRM:
        st = sq_settlement_confirm(core->settlement, s->party, body, core->now_ms, s->fx, &s->why);
        return st != SQ_OK ? st : sq_answer_accepted(s, 1);
    case SANQUAN__V1__MESSAGE_TYPE__BREAK:
        st = sq_settlement_break_act(core->settlement, s->party, body, s->fx, &s->why);
        return st != SQ_OK ? st : sq_answer_accepted(s, 1);
    case SANQUAN__V1__MESSAGE_TYPE__DEBIT_CAP:
        st = sq_settlement_debit_cap(core->settlement, s->party, body, s->fx, &s->why);
        return st != SQ_OK ? st : sq_answer_accepted(s, 1);
    case SANQUAN__V1__MESSAGE_TYPE__ACCOUNT:
        st = sq_settlement_account_enter(core->settlement, s->party, body, s->fx, &s->why);
        return st != SQ_OK ? st : sq_answer_accepted(s, 1);
    case SANQUAN__V1__MESSAGE_TYPE__STANDING:
        st = sq_settlement_stand(core->settlement, s->party, body, s->fx, &s->why);
        return st != SQ_OK ? st : sq_answer_accepted(s, 1);
    case SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE:
        return sq_on_programme_notice(s, from, (const Sanquan__V1__Programme *)m);
    case SANQUAN__V1__MESSAGE_TYPE__REGISTER:
        return sq_on_register(s, from, (const Sanquan__V1__Register *)m);
    case SANQUAN__V1__MESSAGE_TYPE__REGISTERED:
        return sq_on_registered(s, from, (const Sanquan__V1__Registered *)m);
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR:
        return sq_on_clear(s, from, (const Sanquan__V1__Clear *)m);
    case SANQUAN__V1__MESSAGE_TYPE__DECIDED:
        return sq_on_decided(s, from, (const Sanquan__V1__Decided *)m, body);
    case SANQUAN__V1__MESSAGE_TYPE__CHECKPOINT:
        return sq_on_checkpoint(s, from, (const Sanquan__V1__Checkpoint *)m);
    case SANQUAN__V1__MESSAGE_TYPE__COSIGNED:
        return sq_on_cosigned(s, from, (const Sanquan__V1__Cosigned *)m);
    case SANQUAN__V1__MESSAGE_TYPE__SIGHTING:
        return sq_on_sighting(s, from, (const Sanquan__V1__Sighting *)m);
    case SANQUAN__V1__MESSAGE_TYPE__UNREGISTER:
        return sq_on_unregister(s, from, (const Sanquan__V1__Unregister *)m);
    default: /* permitted() lets only the settlement's own through to here */
        return to_settlement(s, from, type, body);
    }
}

#define TICK_DISPUTES 5u /* the settlement has the others */
#define TICK_BUNDLES  7u
#define TICK_BROKEN   8u

static sq_status on_tick(struct sq_step *s, sq_bytes body)
{
    ProtobufCMessage *m;
    sq_status st = sq_wire_open(&sanquan__v1__tick__descriptor, body, &s->memory, &m, s->err);
    if (st != SQ_OK)
        return sq_fail_context(s->err, SQ_E_FORMAT, "tick");
    const Sanquan__V1__Tick *t = (const Sanquan__V1__Tick *)m;
    if (t->reason == 1) {
        st = sq_settlement_cut(s->core->settlement, t->window, t->kinds, s->core->now_ms, s->fx, &s->why);
        return st;
    }
    if (t->reason == TICK_DISPUTES)
        return sq_disputes_expire(s);
    if (t->reason == TICK_BUNDLES)
        return sq_bundles_expire(s, t->batch);
    if (t->reason == TICK_BROKEN)
        return sq_broken_end(s, t->entry);
    struct sq_settlement_due due = {s->core->now_ms, t->window, t->reason, t->round, t->step};
    return sq_settlement_tick(s->core->settlement, &due, s->core->now_ms, s->fx, s->err);
}

static sq_status on_own(struct sq_step *s, const struct sq_event *event)
{
    switch (event->type) {
    case SANQUAN__V1__MESSAGE_TYPE__GENESIS:
        return sq_genesis_apply(s->core, event->body, s);
    case SANQUAN__V1__MESSAGE_TYPE__TICK:
        return on_tick(s, event->body);
    case SANQUAN__V1__MESSAGE_TYPE__ANCHOR:
        return sq_on_anchor(s, event->body);
    case SANQUAN__V1__MESSAGE_TYPE__SHOWN:
        return sq_on_shown(s, event->body);
    case SANQUAN__V1__MESSAGE_TYPE__REJECTED:
        s->core->totals.rejected++;
        return sq_wire_check(&sanquan__v1__rejected__descriptor, event->body, s->err) == SQ_OK
                   ? SQ_OK
                   : sq_fail_context(s->err, SQ_E_FORMAT, "rejected");
    default:
        return sq_fail(s->err, SQ_E_FORMAT, "event type %u without an envelope", event->type);
    }
}

/* ---- the step ---- */

/* Where the windows stood before an entry. */
struct windows_before {
    uint64_t open, final;
};

static struct windows_before windows_of(const struct sq_core *core)
{
    if (!core->born)
        return (struct windows_before){0, 0};
    return (struct windows_before){sq_settlement_open_window(core->settlement),
                                   sq_settlement_last_final(core->settlement)};
}

static sq_status put_windows(struct sq_step *s, const struct windows_before *before, Sanquan__V1__Outcome *outcome)
{
    struct windows_before now = windows_of(s->core);
    struct sq_window_view w;
    outcome->window = now.open != before->open ? now.open : 0;
    if (SQ_COLUMN(s, outcome->settlement, now.final - before->final))
        return sq_full(s);
    for (uint64_t number = before->final + 1; number <= now.final; number++) {
        sq_status st = sq_settlement_window(s->core->settlement, number, &w, s->err);
        if (st != SQ_OK)
            return st;
        union {
            const uint8_t *in;
            uint8_t *out;
        } value = {w.value.data}; /* messages do not say const; packing only reads */
        outcome->settlement[outcome->n_settlement++] = (ProtobufCBinaryData){w.value.size, value.out};
    }
    return SQ_OK;
}

static sq_status seal_outcome(struct sq_step *s, sq_status status, const struct windows_before *before)
{
    struct sq_effects *fx = s->fx;
    Sanquan__V1__Outcome outcome;
    sanquan__v1__outcome__init(&outcome);
    outcome.status = status;
    outcome.code = sq_codes(s->code, s->code_count);
    outcome.listed = s->row != NULL;
    outcome.row = s->row;
    outcome.n_row = s->row != NULL ? s->code_count : 0;
    outcome.link = s->link;
    outcome.clawed = s->clawed;
    outcome.n_clawed = s->clawed_count;
    outcome.sent.data = sq_arena_take(fx->arena, fx->out_count * SQ_HASH_SIZE + 1);
    if (outcome.sent.data == NULL)
        return sq_full(s);
    for (size_t i = 0; i < fx->out_count; i++, outcome.sent.len += SQ_HASH_SIZE)
        sq_sha256(fx->out[i].body.data, fx->out[i].body.size, outcome.sent.data + outcome.sent.len);
    sq_status st = put_windows(s, before, &outcome);
    return st != SQ_OK ? st : sq_wire_pack(&outcome.base, &s->memory, &fx->outcome, s->err);
}

/* 1: this id is new and next; 0: it was dealt with, effects say how. */
static sq_status take_id(struct sq_step *s, const struct sq_party *p, int *is_next)
{
    *is_next = s->id == p->last_id + 1;
    if (*is_next)
        return SQ_OK;
    if (s->id == 0)
        return refuse_unjournalled(s, SQ_R_MALFORMED, p->last_id + 1);
    if (s->id > p->last_id)
        return refuse_unjournalled(s, SQ_R_GAP, p->last_id + 1);
    return push(s, (struct sq_out){.kind = SQ_OUT_REPEAT, .to = s->party, .id = s->id}, NULL);
}

static void advance_clock(struct sq_core *core, uint64_t now_ms)
{
    if (now_ms > core->now_ms) {
        core->now_ms = now_ms;
        uint32_t before = core->today;
        core->today = sq_day_of_ms(now_ms);
        if (core->today != before)
            sq_maturities_end(core);
    }
    sq_decide_expire(core);
}

sq_status sq_core_step(struct sq_core *core, const struct sq_event *event, struct sq_arena *arena,
                       struct sq_effects *fx, struct sq_error *err)
{
    *fx = (struct sq_effects){.arena = arena,
                              .seq = core->seq + 1,
                              .peer_next = core->peer_next,
                              .node_count = core->nodes.count,
                              .self = core->self};
    struct sq_step s = {.core = core, .fx = fx, .party = SQ_ROW_NONE, .err = err};
    s.memory = sq_effects_memory(fx);
    fx->out = sq_arena_room(arena, SQ_OUT_MAX * sizeof *fx->out);
    if (fx->out == NULL)
        return sq_full(&s);
    if (core->born == (event->type == SANQUAN__V1__MESSAGE_TYPE__GENESIS))
        return sq_fail(err, SQ_E_FORMAT, core->born ? "a second genesis" : "the first entry is not the genesis");

    sq_status st;
    const struct windows_before before = windows_of(core);
    if (event->envelope == NULL) {
        advance_clock(core, event->now_ms);
        st = on_own(&s, event);
    } else {
        int is_next;
        s.id = event->envelope->id;
        s.whole = event->envelope->whole;
        s.party = sq_party_find(core, event->envelope->sender);
        if (s.party == SQ_ROW_NONE || !sq_party_at(core, s.party)->known_key)
            return sq_fail(err, SQ_E_NOT_FOUND, "sender %s is not enrolled", event->envelope->sender);
        if ((st = take_id(&s, sq_party_at(core, s.party), &is_next)) != SQ_OK || !is_next)
            return st;
        if (sq_party_at(core, s.party)->role == SQ_ROLE_NODE &&
            sq_settlement_too_early(core->settlement, event->type, event->body))
            return refuse_unjournalled(&s, SQ_R_BUSY, s.id);
        sq_party_at(core, s.party)->last_id = s.id;
        sq_party_at(core, s.party)->last_seq = fx->seq;
        advance_clock(core, event->now_ms);
        st = dispatch(&s, event->type, event->body);
        if (st >= 100 && sq_party_at(core, s.party)->role != SQ_ROLE_NODE) {
            sq_status told = answer_refused(&s, st);
            st = told != SQ_OK ? told : st;
        }
    }
    if (st != SQ_OK && st < 100) { /* our own failure: the caller stops, and the journal decides what happened */
        if (err != NULL && s.why.status == st)
            *err = s.why; /* said where refusals are said: some functions cannot tell the two apart beforehand */
        return st;
    }
    if ((st = seal_outcome(&s, st, &before)) != SQ_OK)
        return st;
    core->seq = fx->seq;
    sq_witness_note_work(core, event->type, fx->seq);
    fx->append = 1;
    return SQ_OK;
}

/* The batch whose bundles run out of time first. */
static uint64_t next_of_bundles(const struct sq_core *core)
{
    for (uint32_t i = 0; i < core->waiting_count; i++)
        if (core->waiting[i].until_ms == core->bundles_next_ms)
            return core->waiting[i].seq;
    return 0;
}

int sq_core_due(const struct sq_core *core, uint64_t now_ms, struct sq_arena *arena, sq_bytes *tick,
                uint64_t *at_ms_out)
{
    *at_ms_out = UINT64_MAX;
    if (!core->born)
        return 0;
    struct sq_settlement_due due = sq_settlement_next(core->settlement);
    if (core->dispute_next_ms < due.at_ms)
        due = (struct sq_settlement_due){.at_ms = core->dispute_next_ms, .reason = TICK_DISPUTES};
    if (core->bundles_next_ms < due.at_ms)
        due = (struct sq_settlement_due){.at_ms = core->bundles_next_ms, .reason = TICK_BUNDLES};
    const struct sq_broken *broken = sq_broken_due(core);
    if (broken != NULL && core->now_ms < due.at_ms)
        due = (struct sq_settlement_due){.at_ms = core->now_ms, .reason = TICK_BROKEN};
    *at_ms_out = due.at_ms;
    if (due.at_ms > now_ms)
        return 0;
    struct sq_effects memory_of = {.arena = arena};
    struct sq_wire_memory memory = sq_effects_memory(&memory_of);
    Sanquan__V1__Tick t;
    sanquan__v1__tick__init(&t);
    t.reason = due.reason;
    t.window = due.window;
    t.round = due.round;
    t.step = due.step;
    if (due.reason == TICK_BUNDLES)
        t.batch = next_of_bundles(core);
    if (due.reason == TICK_BROKEN && broken != NULL) {
        t.batch = broken->batch;
        t.entry = broken->entry;
    }
    return sq_wire_pack(&t.base, &memory, tick, NULL) == SQ_OK;
}
