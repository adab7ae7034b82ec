#include "tests/support/scope.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

#define NODES        2u
#define REQUESTS_MAX 4u
#define WAY_MAX      24u
#define MESSAGES_MAX 255u /* a message's number + 1 fits in a byte */
#define NONE         UINT32_MAX

struct entry { /* as it is journalled */
    uint64_t now_ms;
    uint32_t type;
    uint8_t *input, *outcome;
    size_t size, outcome_size;
};

enum message_kind { REQUEST, PEER, ANSWER, TICK };

struct message {
    enum message_kind kind;
    uint32_t from, to; /* PEER: from this node to that; REQUEST, TICK: to this node; ANSWER: to this request */
    uint64_t id, now_ms;
    uint32_t type, party; /* party: of a REQUEST, its number at the node */
    uint8_t *bytes;       /* an envelope; ANSWER, TICK: a body */
    size_t size;
};

struct history {                           /* a node that has decided some entries */
    uint32_t node, parent, depth, message; /* message: the last event */
    uint32_t tick;                         /* message to come when time passes, or NONE */
    struct entry entry;
    uint8_t out[32]; /* messages that leave when the last entry is durable */
    uint32_t out_count;
    uint8_t taken[MESSAGES_MAX / 8 + 1];
    uint32_t *next; /* [message]: history + 1; 0 not tried; NONE: nothing is journalled */
};

struct state {
    uint32_t at[NODES];
    uint8_t durable[NODES], faults, way_count, answered[REQUESTS_MAX],
        way[WAY_MAX]; /* way: sorted; answered: message + 1 */
};

struct list {
    void *row;
    size_t count, capacity;
};

struct scope {
    struct world *w;
    struct list base[NODES]; /* struct entry: the set-up */
    struct list messages, histories, stack, visited;
    uint32_t request_count, root[NODES];
    unsigned kinds;
    struct sq_arena arena;
    struct scope_report *out;
};

static void *grow(struct list *l, size_t row_size)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity == 0 ? 64 : l->capacity * 2;
        l->row = realloc(l->row, l->capacity * row_size);
        if (l->row == NULL)
            abort();
    }
    return (char *)l->row + l->count++ * row_size;
}

static struct message *message(const struct scope *s, uint32_t i)
{
    return (struct message *)s->messages.row + i;
}
static struct history *history(const struct scope *s, uint32_t i)
{
    return (struct history *)s->histories.row + i;
}

static uint8_t *copy(sq_bytes b)
{
    uint8_t *to = malloc(b.size + 1);
    if (to == NULL)
        abort();
    if (b.size != 0)
        memcpy(to, b.data, b.size);
    return to;
}

SQ_PRINTF(2, 3)
static void fail(struct scope *s, const char *format, ...)
{
    va_list args;
    if (s->out->failure[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(s->out->failure, sizeof s->out->failure, format, args);
    va_end(args);
}

/* ---- the set-up ---- */

static void keep_entry(struct entry *to, const struct sq_event *event, const struct sq_effects *fx)
{
    sq_bytes input = event->envelope != NULL ? event->envelope->whole : event->body;
    *to = (struct entry){.now_ms = event->now_ms,
                         .type = event->type,
                         .input = copy(input),
                         .size = input.size,
                         .outcome = copy(fx->outcome),
                         .outcome_size = fx->outcome.size};
}

static void watch(void *ctx, uint32_t node, const struct sq_event *event, const struct sq_effects *fx)
{
    struct scope *s = ctx;
    if (fx->append)
        keep_entry(grow(&s->base[node], sizeof(struct entry)), event, fx);
}

struct scope *scope_new(void)
{
    struct scope *s = calloc(1, sizeof *s);
    if (s == NULL || sq_arena_init(&s->arena, SQ_STEP_ARENA_SIZE, NULL) != SQ_OK)
        abort();
    s->w = world_new_with(NODES, SQ_NET_HUB, &(struct world_charter){.watch = watch, .ctx = s});
    return s;
}

struct world *scope_world(struct scope *s)
{
    return s->w;
}

static uint32_t intern(struct scope *s, const struct message *m)
{
    for (uint32_t i = 0; i < s->messages.count; i++) {
        const struct message *old = message(s, i);
        if (old->kind == m->kind && old->from == m->from && old->to == m->to && old->id == m->id &&
            old->now_ms == m->now_ms && old->size == m->size && memcmp(old->bytes, m->bytes, m->size) == 0)
            return i;
    }
    if (s->messages.count == MESSAGES_MAX)
        abort(); /* the scope is not small */
    struct message *to = grow(&s->messages, sizeof *to);
    *to = *m;
    to->bytes = copy(sq_bytes_of(m->bytes, m->size));
    return (uint32_t)s->messages.count - 1;
}

static uint32_t intern_envelope(struct scope *s, struct message *m, const char *sender, sq_bytes body)
{
    char receiver[32];
    snprintf(receiver, sizeof receiver, "node:%s", sq_core_node(s->w->core[0], m->to)->code);
    m->bytes = world_envelope(sender, receiver, m->id, m->type, body, 1, &m->size);
    uint32_t i = intern(s, m);
    free(m->bytes);
    return i;
}

static void hold(void *ctx, uint32_t node, const char *party, uint64_t id, uint32_t type, sq_bytes body)
{
    struct scope *s = ctx;
    struct message m = {
        .kind = REQUEST, .to = node, .id = id, .type = type, .party = sq_core_party_find(s->w->core[node], party)};
    for (uint32_t i = 0; i < s->request_count; i++)
        m.id += message(s, i)->to == node && message(s, i)->party == m.party;
    if (s->request_count == REQUESTS_MAX || intern_envelope(s, &m, party, body) != s->request_count++)
        abort(); /* requests are the first messages */
}

void scope_hold(struct scope *s)
{
    s->w->hold = hold;
}

static void forget_search(struct scope *s)
{
    for (uint32_t i = 0; i < s->histories.count; i++) {
        free(history(s, i)->next);
        free(history(s, i)->entry.input);
        free(history(s, i)->entry.outcome);
    }
    for (uint32_t i = s->request_count; i < s->messages.count; i++)
        free(message(s, i)->bytes);
    s->messages.count = s->request_count;
    s->histories.count = s->stack.count = 0;
    free(s->visited.row);
    s->visited = (struct list){NULL, 0, 0};
}

void scope_free(struct scope *s)
{
    forget_search(s);
    for (uint32_t n = 0; n < NODES; n++) {
        for (size_t i = 0; i < s->base[n].count; i++) {
            free(((struct entry *)s->base[n].row)[i].input);
            free(((struct entry *)s->base[n].row)[i].outcome);
        }
        free(s->base[n].row);
    }
    for (uint32_t i = 0; i < s->request_count; i++)
        free(message(s, i)->bytes);
    free(s->messages.row);
    free(s->histories.row);
    free(s->stack.row);
    world_free(s->w);
    sq_arena_free(&s->arena);
    free(s);
}

/* ---- histories ---- */

static int is_signed(const struct sq_envelope *e, const uint8_t network_id[static 32], const uint8_t key[static 32])
{
    (void)e;
    (void)network_id;
    (void)key;
    return 1;
}

static int is_enveloped(uint32_t type)
{
    return type < SANQUAN__V1__MESSAGE_TYPE__GENESIS;
}

static void step(struct scope *s, struct sq_core *core, const struct entry *e, struct sq_effects *fx)
{
    struct sq_envelope envelope;
    struct sq_error err = {0};
    sq_bytes input = sq_bytes_of(e->input, e->size);
    struct sq_event event = {e->now_ms, e->type, NULL, input};
    if (is_enveloped(e->type)) {
        if (sq_envelope_open(input, &envelope, &err) != SQ_OK)
            abort();
        event.envelope = &envelope;
        event.body = envelope.body;
    }
    sq_arena_reset(&s->arena);
    if (sq_core_step(core, &event, &s->arena, fx, &err) != SQ_OK)
        abort();
}

/* The entries up to this history, the set-up's first; room for as many as the caller needs. */
static size_t path(const struct scope *s, uint32_t at, const struct entry **out)
{
    const struct history *h = history(s, at);
    const struct list *base = &s->base[h->node];
    size_t count = base->count + h->depth;
    for (size_t i = 0; i < base->count; i++)
        out[i] = (const struct entry *)base->row + i;
    for (size_t i = count; h->depth != 0; h = history(s, h->parent))
        out[--i] = &h->entry;
    return count;
}

static struct sq_core *core_of(struct scope *s, uint32_t at)
{
    const struct entry *entry[512];
    struct sq_core *core;
    struct sq_effects fx;
    size_t count = path(s, at, entry);
    if (sq_core_new(&core, NULL) != SQ_OK)
        abort();
    sq_core_set_signature_check(core, is_signed);
    for (size_t i = 0; i < count; i++)
        step(s, core, entry[i], &fx);
    return core;
}

static void check_sums(struct scope *s, const struct model *m)
{
    for (size_t i = 0; i < model_voucher_count(m); i++) {
        struct model_voucher v;
        model_voucher(m, i, &v);
        if (v.spent_fen < 0 || v.reserved_fen < 0 || v.spent_fen + v.reserved_fen > v.face_fen)
            fail(s, "voucher %" PRIu64 ": %" PRId64 " spent and %" PRId64 " reserved of %" PRId64, v.number,
                 v.spent_fen, v.reserved_fen, v.face_fen);
    }
    for (size_t i = 0; i < model_budget_count(m); i++) {
        struct model_budget b;
        model_budget(m, i, &b);
        if (b.spent_fen < 0 || b.reserved_fen < 0 || b.spent_fen + b.reserved_fen > b.pool_fen)
            fail(s, "programme %u: %" PRId64 " spent and %" PRId64 " reserved of %" PRId64, b.number, b.spent_fen,
                 b.reserved_fen, b.pool_fen);
    }
}

/* The model of a history; each of its entries is decided again, and what comes out is held against the journal. */
static struct model *model_of(struct scope *s, uint32_t at)
{
    const struct entry *entry[512];
    struct model *m = model_new();
    size_t count = path(s, at, entry);
    for (size_t i = 0; i < count; i++) {
        char why[300] = "";
        struct model_entry e = {i + 1, entry[i]->now_ms, entry[i]->type, sq_bytes_of(entry[i]->input, entry[i]->size),
                                sq_bytes_of(entry[i]->outcome, entry[i]->outcome_size)};
        if (model_take(m, &e, why, sizeof why) != 0) {
            fail(s, "node %u: %s", history(s, at)->node, why);
            break;
        }
    }
    return m;
}

static uint32_t request_of(const struct scope *s, uint32_t node, uint32_t party, uint64_t id)
{
    for (uint32_t i = 0; i < s->request_count; i++)
        if (message(s, i)->to == node && message(s, i)->party == party && message(s, i)->id == id)
            return i;
    abort();
}

static void keep_outs(struct scope *s, struct history *h, const struct sq_effects *fx, const struct sq_core *core)
{
    for (size_t i = 0; i < fx->out_count; i++) {
        const struct sq_out *o = &fx->out[i];
        struct message m = {.id = o->id, .type = o->type};
        uint32_t number;
        if (o->kind == SQ_OUT_PEER) {
            char sender[32];
            snprintf(sender, sizeof sender, "node:%s", sq_core_node(core, h->node)->code);
            m.kind = PEER;
            m.from = h->node;
            m.to = o->to;
            number = intern_envelope(s, &m, sender, o->body);
        } else if (o->kind == SQ_OUT_ANSWER) {
            uint8_t *body = copy(o->body);
            m.kind = ANSWER;
            m.to = request_of(s, h->node, o->to, o->id);
            m.bytes = body;
            m.size = o->body.size;
            number = intern(s, &m);
            free(body);
        } else {
            continue;
        }
        if (h->out_count == sizeof h->out)
            abort();
        h->out[h->out_count++] = (uint8_t)number;
    }
}

static void keep_tick(struct scope *s, struct history *h, const struct sq_core *core)
{
    sq_bytes body;
    uint64_t at, none;
    sq_arena_reset(&s->arena);
    h->tick = NONE;
    if (!sq_core_due(core, 0, &s->arena, &body, &at) &&
        (at == UINT64_MAX || !sq_core_due(core, at, &s->arena, &body, &none)))
        return;
    uint8_t *bytes = copy(body);
    struct message m = {.kind = TICK,
                        .to = h->node,
                        .type = SANQUAN__V1__MESSAGE_TYPE__TICK,
                        .now_ms = at,
                        .bytes = bytes,
                        .size = body.size};
    h->tick = intern(s, &m);
    free(bytes);
}

static uint32_t new_history(struct scope *s, const struct history *from)
{
    struct history *h = grow(&s->histories, sizeof *h);
    *h = *from;
    h->next = calloc(MESSAGES_MAX, sizeof *h->next);
    if (h->next == NULL)
        abort();
    s->out->histories[h->node]++;
    return (uint32_t)s->histories.count - 1;
}

/* What becomes of a node that gets this message; NONE when nothing is journalled. */
static uint32_t decide(struct scope *s, uint32_t at, uint32_t number)
{
    uint32_t *known = &history(s, at)->next[number];
    if (*known != 0)
        return *known == NONE ? NONE : *known - 1;
    const struct message m = *message(s, number);
    struct entry e = {
        .now_ms = m.kind == TICK ? m.now_ms : s->w->now_ms, .type = m.type, .input = m.bytes, .size = m.size};
    struct sq_core *core = core_of(s, at);
    struct sq_effects fx;
    step(s, core, &e, &fx);
    if (!fx.append) {
        *known = NONE;
        sq_core_free(core);
        return NONE;
    }
    e.now_ms = sq_core_now_ms(core);
    struct history h = *history(s, at);
    h.parent = at;
    h.depth++;
    h.message = number;
    h.out_count = 0;
    h.taken[number / 8] |= (uint8_t)(1u << number % 8);
    h.entry =
        (struct entry){e.now_ms, e.type, copy(sq_bytes_of(m.bytes, m.size)), copy(fx.outcome), m.size, fx.outcome.size};
    keep_outs(s, &h, &fx, core);
    keep_tick(s, &h, core);
    sq_core_free(core);
    uint32_t made = new_history(s, &h);
    history(s, at)->next[number] = made + 1;
    struct model *model = model_of(s, made);
    check_sums(s, model);
    model_free(model);
    return made;
}

static uint32_t ancestor(const struct scope *s, uint32_t at, uint32_t depth)
{
    while (history(s, at)->depth > depth)
        at = history(s, at)->parent;
    return at;
}

static int has_taken(const struct scope *s, uint32_t at, uint32_t number)
{
    return history(s, at)->taken[number / 8] >> number % 8 & 1;
}

/* ---- states ---- */

static uint64_t hash_of(const struct state *st)
{
    const uint8_t *p = (const uint8_t *)st;
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < sizeof *st; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

/* [0] of a slot that is free: histories count from 0, so all bits set is none. */
static struct state *slot_of(struct state *table, size_t capacity, const struct state *st)
{
    size_t i = hash_of(st) & (capacity - 1);
    while (table[i].at[0] != NONE && memcmp(&table[i], st, sizeof *st) != 0)
        i = (i + 1) & (capacity - 1);
    return &table[i];
}

static void visit(struct scope *s, const struct state *st)
{
    struct list *v = &s->visited;
    s->out->steps++;
    if (v->count * 4 >= v->capacity * 3) {
        struct list bigger = {NULL, v->count, v->capacity == 0 ? 1u << 16 : v->capacity * 2};
        bigger.row = malloc(bigger.capacity * sizeof *st);
        if (bigger.row == NULL)
            abort();
        memset(bigger.row, 0xff, bigger.capacity * sizeof *st);
        for (size_t i = 0; i < v->capacity; i++) {
            const struct state *old = (const struct state *)v->row + i;
            if (old->at[0] != NONE)
                *slot_of(bigger.row, bigger.capacity, old) = *old;
        }
        free(v->row);
        *v = bigger;
    }
    struct state *slot = slot_of(v->row, v->capacity, st);
    if (slot->at[0] != NONE)
        return;
    *slot = *st;
    v->count++;
    *(struct state *)grow(&s->stack, sizeof *st) = *st;
}

static uint32_t on_way(const struct state *st, uint32_t number)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < st->way_count; i++)
        n += st->way[i] == number;
    return n;
}

static void put_on_way(struct state *st, uint32_t number)
{
    uint32_t i = st->way_count++;
    if (i == WAY_MAX)
        abort();
    for (; i > 0 && st->way[i - 1] > number; i--)
        st->way[i] = st->way[i - 1];
    st->way[i] = (uint8_t)number;
}

static void take_off_way(struct state *st, uint32_t i)
{
    memmove(&st->way[i], &st->way[i + 1], st->way_count - i - 1u);
    st->way[--st->way_count] = 0;
}

/* The durable answer to a request, or NONE. */
static uint32_t answer_to(const struct scope *s, const struct state *st, uint32_t request)
{
    uint32_t node = message(s, request)->to;
    for (uint32_t at = ancestor(s, st->at[node], st->durable[node]); history(s, at)->depth != 0;
         at = history(s, at)->parent)
        for (uint32_t i = 0; i < history(s, at)->out_count; i++) {
            const struct message *m = message(s, history(s, at)->out[i]);
            if (m->kind == ANSWER && m->to == request)
                return history(s, at)->out[i];
        }
    return NONE;
}

/* ---- what can happen ---- */

static void arrive(struct scope *s, const struct state *from, uint32_t i)
{
    struct state st = *from;
    uint32_t number = st.way[i];
    const struct message copy_of = *message(s, number), *m = &copy_of; /* deciding may move the table */
    take_off_way(&st, i);
    if (m->kind == ANSWER) {
        if (st.answered[m->to] != 0 && st.answered[m->to] != number + 1)
            fail(s, "request %u was answered twice, differently", m->to + 1);
        st.answered[m->to] = (uint8_t)(number + 1);
        visit(s, &st);
        return;
    }
    uint32_t node = m->to, next = decide(s, st.at[node], number);
    if (next != NONE) {
        st.at[node] = next;
    } else if (m->kind == REQUEST) {
        uint32_t answer = answer_to(s, &st, number);
        if (answer != NONE && on_way(&st, answer) == 0)
            put_on_way(&st, answer);
    }
    visit(s, &st);
}

static int commits(struct scope *s, const struct state *from)
{
    int any = 0;
    for (uint32_t n = 0; n < NODES; n++) {
        struct state st = *from;
        if (history(s, st.at[n])->depth == st.durable[n])
            continue;
        const struct history *h = history(s, ancestor(s, st.at[n], ++st.durable[n]));
        for (uint32_t i = 0; i < h->out_count; i++)
            if (on_way(&st, h->out[i]) == 0)
                put_on_way(&st, h->out[i]);
        visit(s, &st);
        any = 1;
    }
    return any;
}

static void say_again(struct scope *s, const struct state *from, uint32_t number)
{
    struct state st = *from;
    put_on_way(&st, number);
    visit(s, &st);
}

static int says_again(struct scope *s, const struct state *from)
{
    int any = 0;
    for (uint32_t r = 0; r < s->request_count; r++) {
        uint32_t node = message(s, r)->to, answer = answer_to(s, from, r);
        if (from->answered[r] != 0 || on_way(from, r) != 0 ||
            (answer != NONE ? on_way(from, answer) != 0 : has_taken(s, from->at[node], r)))
            continue;
        say_again(s, from, r);
        any = 1;
    }
    for (uint32_t n = 0; n < NODES; n++)
        for (uint32_t at = ancestor(s, from->at[n], from->durable[n]); history(s, at)->depth != 0;
             at = history(s, at)->parent)
            for (uint32_t i = 0; i < history(s, at)->out_count; i++) {
                uint32_t number = history(s, at)->out[i];
                if (message(s, number)->kind != PEER || on_way(from, number) != 0 ||
                    has_taken(s, from->at[message(s, number)->to], number))
                    continue;
                say_again(s, from, number);
                any = 1;
            }
    return any;
}

static int times_pass(struct scope *s, const struct state *from)
{
    int any = 0;
    for (uint32_t n = 0; n < NODES; n++) {
        struct state st = *from;
        uint32_t tick = history(s, st.at[n])->tick;
        if (tick == NONE)
            continue;
        st.at[n] = decide(s, st.at[n], tick);
        if (st.at[n] == NONE) {
            fail(s, "node %u: a timer that is due does nothing", n);
            return 1;
        }
        visit(s, &st);
        any = 1;
    }
    return any;
}

static void faults(struct scope *s, const struct state *from)
{
    for (uint32_t i = 0; i < from->way_count; i++) {
        struct state lost = *from, doubled = *from;
        if (i > 0 && from->way[i - 1] == from->way[i])
            continue;
        lost.faults--;
        take_off_way(&lost, i);
        if (s->kinds & SCOPE_LOSE)
            visit(s, &lost);
        doubled.faults--;
        put_on_way(&doubled, from->way[i]);
        if (s->kinds & SCOPE_DOUBLE && message(s, from->way[i])->kind != ANSWER)
            visit(s, &doubled);
    }
    for (uint32_t n = 0; n < NODES && s->kinds & SCOPE_TIME; n++) {
        struct state st = *from;
        uint32_t tick = history(s, st.at[n])->tick;
        if (tick == NONE)
            continue;
        st.faults--;
        st.at[n] = decide(s, st.at[n], tick);
        visit(s, &st);
    }
    for (uint32_t n = 0; n < NODES && s->kinds & SCOPE_CRASH; n++) {
        struct state st = *from;
        if (history(s, st.at[n])->depth == st.durable[n])
            continue;
        st.faults--;
        st.at[n] = ancestor(s, st.at[n], st.durable[n]);
        visit(s, &st);
    }
}

/* ---- ends ---- */

static int64_t sum(const struct model *m, size_t (*count)(const struct model *),
                   const struct model_claim *(*row)(const struct model *, size_t))
{
    int64_t fen = 0;
    for (size_t i = 0; i < count(m); i++)
        fen += row(m, i)->amount_fen;
    return fen;
}

static void check_end(struct scope *s, const struct state *st)
{
    struct sq_core *core[NODES];
    struct model *m[NODES];
    int64_t accepted = 0, registered = 0;
    for (uint32_t r = 0; r < s->request_count; r++)
        if (st->answered[r] == 0)
            fail(s, "nothing more can happen, and request %u has no answer", r + 1);
    for (uint32_t n = 0; n < NODES; n++) {
        core[n] = core_of(s, st->at[n]);
        m[n] = model_of(s, st->at[n]);
        accepted += sum(m[n], model_accepted_count, model_accepted);
        registered += sum(m[n], model_claim_count, model_claim);
    }
    s->out->least_fen = s->out->ends == 0 || accepted < s->out->least_fen ? accepted : s->out->least_fen;
    s->out->most_fen = s->out->ends == 0 || accepted > s->out->most_fen ? accepted : s->out->most_fen;
    size_t known = 0;
    while (known < s->out->sums && s->out->sum_fen[known] != accepted)
        known++;
    if (known == s->out->sums && known < SCOPE_SUMS)
        s->out->sum_fen[s->out->sums++] = accepted;
    if (accepted != registered)
        fail(s, "%" PRId64 " fen were accepted, %" PRId64 " are registered", accepted, registered);
    for (uint32_t n = 0; n < NODES; n++) {
        struct sq_link_view here, there;
        struct sq_core_totals t;
        sq_core_totals(core[n], &t);
        sq_settlement_link(sq_core_settlement(core[n]), n, 1 - n, &here);
        sq_settlement_link(sq_core_settlement(core[1 - n]), n, 1 - n, &there);
        if (here.last.number != there.last.number || memcmp(here.last.hash, there.last.hash, SQ_HASH_SIZE) != 0 ||
            t.batches_waiting != 0)
            fail(s, "what node %u owes stands at %" PRIu64 " and %" PRIu64 ", %" PRIu64 " batches wait", n,
                 here.last.number, there.last.number, t.batches_waiting);
    }
    if (sq_settlement_open_window(sq_core_settlement(core[0])) !=
        sq_settlement_open_window(sq_core_settlement(core[1])))
        fail(s, "one node is in another window");
    for (uint32_t n = 0; n < NODES; n++) {
        sq_core_free(core[n]);
        model_free(m[n]);
    }
    s->out->ends++;
}

/* ---- the search ---- */

static void print_state(const struct scope *s, const struct state *st)
{
    for (uint32_t n = 0; n < NODES; n++) {
        fprintf(stderr, "  node %u, %u durable:", n, st->durable[n]);
        for (uint32_t d = 1; d <= history(s, st->at[n])->depth; d++) {
            const struct message *m = message(s, history(s, ancestor(s, st->at[n], d))->message);
            fprintf(stderr, " %s%u.%" PRIu64,
                    m->kind == REQUEST ? "request "
                    : m->kind == PEER  ? "peer "
                                       : "tick ",
                    m->type, m->id);
        }
        fprintf(stderr, "\n");
    }
    fprintf(stderr, "  on the way:");
    for (uint32_t i = 0; i < st->way_count; i++)
        fprintf(stderr, " %u", message(s, st->way[i])->type);
    fprintf(stderr, "\n");
}

void scope_search(struct scope *s, unsigned fault_count, unsigned kinds, struct scope_report *out)
{
    struct state first = {.faults = (uint8_t)fault_count};
    forget_search(s);
    *out = (struct scope_report){.states = 0};
    s->out = out;
    s->kinds = kinds;
    for (uint32_t n = 0; n < NODES; n++) {
        struct history root = {.node = n, .parent = NONE, .message = NONE};
        keep_tick(s, &root, s->w->core[n]);
        first.at[n] = new_history(s, &root);
    }
    for (uint32_t r = 0; r < s->request_count; r++)
        put_on_way(&first, r);
    visit(s, &first);
    while (s->stack.count > 0 && out->failure[0] == '\0') {
        struct state st = ((struct state *)s->stack.row)[--s->stack.count];
        for (uint32_t i = 0; i < st.way_count; i++)
            if (i == 0 || st.way[i] != st.way[i - 1])
                arrive(s, &st, i);
        int busy = commits(s, &st) | (st.way_count != 0);
        if (st.faults > 0)
            faults(s, &st);
        busy |= says_again(s, &st);
        if (!busy && !times_pass(s, &st))
            check_end(s, &st);
        if (out->failure[0] != '\0')
            print_state(s, &st);
    }
    out->states = s->visited.count;
}
