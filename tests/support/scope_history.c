#include "tests/support/scope_history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *scope_grow(struct scope_list *l, size_t row_size)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity == 0 ? 64 : l->capacity * 2;
        l->row = realloc(l->row, l->capacity * row_size);
        if (l->row == NULL)
            abort();
    }
    return (char *)l->row + l->count++ * row_size;
}

struct scope_message *scope_message_at(const struct scope *s, uint32_t i)
{
    return (struct scope_message *)s->messages.row + i;
}
struct scope_history *scope_history_at(const struct scope *s, uint32_t i)
{
    return (struct scope_history *)s->histories.row + i;
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

void scope_fail(struct scope *s, const char *format, ...)
{
    va_list args;
    if (s->out->failure[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(s->out->failure, sizeof s->out->failure, format, args);
    va_end(args);
}

/* ---- the set-up ---- */

static void keep_entry(struct scope_entry *to, const struct sq_event *event, const struct sq_effects *fx)
{
    sq_bytes input = event->envelope != NULL ? event->envelope->whole : event->body;
    *to = (struct scope_entry){.now_ms = event->now_ms,
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
        keep_entry(scope_grow(&s->base[node], sizeof(struct scope_entry)), event, fx);
}

struct scope *scope_new(void)
{
    struct scope *s = calloc(1, sizeof *s);
    if (s == NULL || sq_arena_init(&s->arena, SQ_STEP_ARENA_SIZE, NULL) != SQ_OK)
        abort();
    s->w = world_new_with(SCOPE_NODES, SQ_NET_HUB, &(struct world_charter){.watch = watch, .ctx = s});
    return s;
}

struct world *scope_world(struct scope *s)
{
    return s->w;
}

static uint32_t intern(struct scope *s, const struct scope_message *m)
{
    for (uint32_t i = 0; i < s->messages.count; i++) {
        const struct scope_message *old = scope_message_at(s, i);
        if (old->kind == m->kind && old->from == m->from && old->to == m->to && old->id == m->id &&
            old->now_ms == m->now_ms && old->size == m->size && memcmp(old->bytes, m->bytes, m->size) == 0)
            return i;
    }
    if (s->messages.count == SCOPE_MESSAGES_MAX)
        abort(); /* the scope is not small */
    struct scope_message *to = scope_grow(&s->messages, sizeof *to);
    *to = *m;
    to->bytes = copy(sq_bytes_of(m->bytes, m->size));
    return (uint32_t)s->messages.count - 1;
}

static uint32_t intern_envelope(struct scope *s, struct scope_message *m, const char *sender, sq_bytes body)
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
    struct scope_message m = {
        .kind = REQUEST, .to = node, .id = id, .type = type, .party = sq_core_party_find(s->w->core[node], party)};
    for (uint32_t i = 0; i < s->request_count; i++)
        m.id += scope_message_at(s, i)->to == node && scope_message_at(s, i)->party == m.party;
    if (s->request_count == SCOPE_REQUESTS_MAX || intern_envelope(s, &m, party, body) != s->request_count++)
        abort(); /* requests are the first messages */
}

void scope_hold(struct scope *s)
{
    s->w->hold = hold;
}

void scope_forget(struct scope *s)
{
    for (uint32_t i = 0; i < s->histories.count; i++) {
        free(scope_history_at(s, i)->next);
        free(scope_history_at(s, i)->entry.input);
        free(scope_history_at(s, i)->entry.outcome);
    }
    for (uint32_t i = s->request_count; i < s->messages.count; i++)
        free(scope_message_at(s, i)->bytes);
    s->messages.count = s->request_count;
    s->histories.count = s->stack.count = 0;
    free(s->visited.row);
    s->visited = (struct scope_list){NULL, 0, 0};
}

void scope_free(struct scope *s)
{
    scope_forget(s);
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        for (size_t i = 0; i < s->base[n].count; i++) {
            free(((struct scope_entry *)s->base[n].row)[i].input);
            free(((struct scope_entry *)s->base[n].row)[i].outcome);
        }
        free(s->base[n].row);
    }
    for (uint32_t i = 0; i < s->request_count; i++)
        free(scope_message_at(s, i)->bytes);
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

static void step(struct scope *s, struct sq_core *core, const struct scope_entry *e, struct sq_effects *fx)
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

/* The entries up to this history, the set-up's first: at least its genesis. */
#define PATH_MAX_ENTRIES 512u
static size_t path(const struct scope *s, uint32_t at, const struct scope_entry *out[static PATH_MAX_ENTRIES])
{
    const struct scope_history *h = scope_history_at(s, at);
    const struct scope_list *base = &s->base[h->node];
    size_t count = base->count + h->depth;
    SQ_ASSERT(base->count != 0 && count <= PATH_MAX_ENTRIES);
    for (size_t i = 0; i < base->count; i++)
        out[i] = (const struct scope_entry *)base->row + i;
    for (size_t i = count; i > base->count; h = scope_history_at(s, h->parent))
        out[--i] = &h->entry;
    return count;
}

struct sq_core *scope_core(struct scope *s, uint32_t at)
{
    const struct scope_entry *entry[PATH_MAX_ENTRIES];
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
            scope_fail(s, "voucher %" PRIu64 ": %" PRId64 " spent and %" PRId64 " reserved of %" PRId64, v.number,
                       v.spent_fen, v.reserved_fen, v.face_fen);
    }
    for (size_t i = 0; i < model_budget_count(m); i++) {
        struct model_budget b;
        model_budget(m, i, &b);
        if (b.spent_fen < 0 || b.reserved_fen < 0 || b.spent_fen + b.reserved_fen > b.pool_fen)
            scope_fail(s, "programme %u: %" PRId64 " spent and %" PRId64 " reserved of %" PRId64, b.number, b.spent_fen,
                       b.reserved_fen, b.pool_fen);
    }
}

/* The model of a history; each of its entries is decided again, and what comes out is held against the journal. */
struct model *scope_model(struct scope *s, uint32_t at)
{
    const struct scope_entry *entry[PATH_MAX_ENTRIES];
    struct model *m = model_new();
    size_t count = path(s, at, entry);
    for (size_t i = 0; i < count; i++) {
        char why[300] = "";
        struct model_entry e = {i + 1, entry[i]->now_ms, entry[i]->type, sq_bytes_of(entry[i]->input, entry[i]->size),
                                sq_bytes_of(entry[i]->outcome, entry[i]->outcome_size)};
        if (model_take(m, &e, why, sizeof why) != 0) {
            scope_fail(s, "node %u: %s", scope_history_at(s, at)->node, why);
            break;
        }
    }
    return m;
}

static uint32_t request_of(const struct scope *s, uint32_t node, uint32_t party, uint64_t id)
{
    for (uint32_t i = 0; i < s->request_count; i++)
        if (scope_message_at(s, i)->to == node && scope_message_at(s, i)->party == party &&
            scope_message_at(s, i)->id == id)
            return i;
    abort();
}

static void keep_outs(struct scope *s, struct scope_history *h, const struct sq_effects *fx, const struct sq_core *core)
{
    for (size_t i = 0; i < fx->out_count; i++) {
        const struct sq_out *o = &fx->out[i];
        struct scope_message m = {.id = o->id, .type = o->type};
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

void scope_keep_tick(struct scope *s, struct scope_history *h, const struct sq_core *core)
{
    sq_bytes body;
    uint64_t at, none;
    sq_arena_reset(&s->arena);
    h->tick = SCOPE_NONE;
    if (!sq_core_due(core, 0, &s->arena, &body, &at) &&
        (at == UINT64_MAX || !sq_core_due(core, at, &s->arena, &body, &none)))
        return;
    uint8_t *bytes = copy(body);
    struct scope_message m = {.kind = TICK,
                              .to = h->node,
                              .type = SANQUAN__V1__MESSAGE_TYPE__TICK,
                              .now_ms = at,
                              .bytes = bytes,
                              .size = body.size};
    h->tick = intern(s, &m);
    free(bytes);
}

uint32_t scope_new_history(struct scope *s, const struct scope_history *from)
{
    struct scope_history *h = scope_grow(&s->histories, sizeof *h);
    *h = *from;
    h->next = calloc(SCOPE_MESSAGES_MAX, sizeof *h->next);
    if (h->next == NULL)
        abort();
    s->out->histories[h->node]++;
    return (uint32_t)s->histories.count - 1;
}

/* What becomes of a node that gets this message; SCOPE_NONE when nothing is journalled. */
uint32_t scope_decide(struct scope *s, uint32_t at, uint32_t number)
{
    uint32_t *known = &scope_history_at(s, at)->next[number];
    if (*known != 0)
        return *known == SCOPE_NONE ? SCOPE_NONE : *known - 1;
    const struct scope_message m = *scope_message_at(s, number);
    struct scope_entry e = {
        .now_ms = m.kind == TICK ? m.now_ms : s->w->now_ms, .type = m.type, .input = m.bytes, .size = m.size};
    struct sq_core *core = scope_core(s, at);
    struct sq_effects fx;
    step(s, core, &e, &fx);
    if (!fx.append) {
        *known = SCOPE_NONE;
        sq_core_free(core);
        return SCOPE_NONE;
    }
    e.now_ms = sq_core_now_ms(core);
    struct scope_history h = *scope_history_at(s, at);
    h.parent = at;
    h.depth++;
    h.message = number;
    h.out_count = 0;
    h.taken[number / 8] |= (uint8_t)(1u << number % 8);
    h.entry = (struct scope_entry){e.now_ms,         e.type, copy(sq_bytes_of(m.bytes, m.size)),
                                   copy(fx.outcome), m.size, fx.outcome.size};
    keep_outs(s, &h, &fx, core);
    scope_keep_tick(s, &h, core);
    sq_core_free(core);
    uint32_t made = scope_new_history(s, &h);
    scope_history_at(s, at)->next[number] = made + 1;
    struct model *model = scope_model(s, made);
    check_sums(s, model);
    model_free(model);
    return made;
}

uint32_t scope_ancestor(const struct scope *s, uint32_t at, uint32_t depth)
{
    while (scope_history_at(s, at)->depth > depth)
        at = scope_history_at(s, at)->parent;
    return at;
}

int scope_has_taken(const struct scope *s, uint32_t at, uint32_t number)
{
    return scope_history_at(s, at)->taken[number / 8] >> number % 8 & 1;
}
