/* The search: from every state to those that what can happen makes of it. Histories of nodes are scope_history's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/scope_history.h"

#define WAY_MAX 24u

struct state {
    uint32_t at[SCOPE_NODES];
    uint8_t durable[SCOPE_NODES], faults, way_count, answered[SCOPE_REQUESTS_MAX],
        way[WAY_MAX]; /* way: sorted; answered: message + 1 */
};

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
    while (table[i].at[0] != SCOPE_NONE && memcmp(&table[i], st, sizeof *st) != 0)
        i = (i + 1) & (capacity - 1);
    return &table[i];
}

static void visit(struct scope *s, const struct state *st)
{
    struct scope_list *v = &s->visited;
    s->out->steps++;
    if (v->count * 4 >= v->capacity * 3) {
        struct scope_list bigger = {NULL, v->count, v->capacity == 0 ? 1u << 16 : v->capacity * 2};
        bigger.row = malloc(bigger.capacity * sizeof *st);
        if (bigger.row == NULL)
            abort();
        memset(bigger.row, 0xff, bigger.capacity * sizeof *st);
        for (size_t i = 0; i < v->capacity; i++) {
            const struct state *old = (const struct state *)v->row + i;
            if (old->at[0] != SCOPE_NONE)
                *slot_of(bigger.row, bigger.capacity, old) = *old;
        }
        free(v->row);
        *v = bigger;
    }
    struct state *slot = slot_of(v->row, v->capacity, st);
    if (slot->at[0] != SCOPE_NONE)
        return;
    *slot = *st;
    v->count++;
    *(struct state *)scope_grow(&s->stack, sizeof *st) = *st;
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

/* The durable answer to a request, or SCOPE_NONE. */
static uint32_t answer_to(const struct scope *s, const struct state *st, uint32_t request)
{
    uint32_t node = scope_message_at(s, request)->to;
    for (uint32_t at = scope_ancestor(s, st->at[node], st->durable[node]); scope_history_at(s, at)->depth != 0;
         at = scope_history_at(s, at)->parent)
        for (uint32_t i = 0; i < scope_history_at(s, at)->out_count; i++) {
            const struct scope_message *m = scope_message_at(s, scope_history_at(s, at)->out[i]);
            if (m->kind == ANSWER && m->to == request)
                return scope_history_at(s, at)->out[i];
        }
    return SCOPE_NONE;
}

/* ---- what can happen ---- */

static void arrive(struct scope *s, const struct state *from, uint32_t i)
{
    struct state st = *from;
    uint32_t number = st.way[i];
    const struct scope_message copy_of = *scope_message_at(s, number), *m = &copy_of; /* deciding may move the table */
    take_off_way(&st, i);
    if (m->kind == ANSWER) {
        if (st.answered[m->to] != 0 && st.answered[m->to] != number + 1)
            scope_fail(s, "request %u was answered twice, differently", m->to + 1);
        st.answered[m->to] = (uint8_t)(number + 1);
        visit(s, &st);
        return;
    }
    uint32_t node = m->to, next = scope_decide(s, st.at[node], number);
    if (next != SCOPE_NONE) {
        st.at[node] = next;
    } else if (m->kind == REQUEST) {
        uint32_t answer = answer_to(s, &st, number);
        if (answer != SCOPE_NONE && on_way(&st, answer) == 0)
            put_on_way(&st, answer);
    }
    visit(s, &st);
}

static int commits(struct scope *s, const struct state *from)
{
    int any = 0;
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        struct state st = *from;
        if (scope_history_at(s, st.at[n])->depth == st.durable[n])
            continue;
        const struct scope_history *h = scope_history_at(s, scope_ancestor(s, st.at[n], ++st.durable[n]));
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
        uint32_t node = scope_message_at(s, r)->to, answer = answer_to(s, from, r);
        if (from->answered[r] != 0 || on_way(from, r) != 0 ||
            (answer != SCOPE_NONE ? on_way(from, answer) != 0 : scope_has_taken(s, from->at[node], r)))
            continue;
        say_again(s, from, r);
        any = 1;
    }
    for (uint32_t n = 0; n < SCOPE_NODES; n++)
        for (uint32_t at = scope_ancestor(s, from->at[n], from->durable[n]); scope_history_at(s, at)->depth != 0;
             at = scope_history_at(s, at)->parent)
            for (uint32_t i = 0; i < scope_history_at(s, at)->out_count; i++) {
                uint32_t number = scope_history_at(s, at)->out[i];
                if (scope_message_at(s, number)->kind != PEER || on_way(from, number) != 0 ||
                    scope_has_taken(s, from->at[scope_message_at(s, number)->to], number))
                    continue;
                say_again(s, from, number);
                any = 1;
            }
    return any;
}

static int times_pass(struct scope *s, const struct state *from)
{
    int any = 0;
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        struct state st = *from;
        uint32_t tick = scope_history_at(s, st.at[n])->tick;
        if (tick == SCOPE_NONE)
            continue;
        st.at[n] = scope_decide(s, st.at[n], tick);
        if (st.at[n] == SCOPE_NONE) {
            scope_fail(s, "node %u: a timer that is due does nothing", n);
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
        if (s->kinds & SCOPE_DOUBLE && scope_message_at(s, from->way[i])->kind != ANSWER)
            visit(s, &doubled);
    }
    for (uint32_t n = 0; n < SCOPE_NODES && s->kinds & SCOPE_TIME; n++) {
        struct state st = *from;
        uint32_t tick = scope_history_at(s, st.at[n])->tick;
        if (tick == SCOPE_NONE)
            continue;
        st.faults--;
        st.at[n] = scope_decide(s, st.at[n], tick);
        visit(s, &st);
    }
    for (uint32_t n = 0; n < SCOPE_NODES && s->kinds & SCOPE_CRASH; n++) {
        struct state st = *from;
        if (scope_history_at(s, st.at[n])->depth == st.durable[n])
            continue;
        st.faults--;
        st.at[n] = scope_ancestor(s, st.at[n], st.durable[n]);
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
    struct sq_core *core[SCOPE_NODES];
    struct model *m[SCOPE_NODES];
    int64_t accepted = 0, registered = 0;
    for (uint32_t r = 0; r < s->request_count; r++)
        if (st->answered[r] == 0)
            scope_fail(s, "nothing more can happen, and request %u has no answer", r + 1);
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        core[n] = scope_core(s, st->at[n]);
        m[n] = scope_model(s, st->at[n]);
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
        scope_fail(s, "%" PRId64 " fen were accepted, %" PRId64 " are registered", accepted, registered);
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        struct sq_link_view here, there;
        struct sq_core_totals t;
        sq_core_totals(core[n], &t);
        sq_settlement_link(sq_core_settlement(core[n]), n, 1 - n, &here);
        sq_settlement_link(sq_core_settlement(core[1 - n]), n, 1 - n, &there);
        if (here.last.number != there.last.number || memcmp(here.last.hash, there.last.hash, SQ_HASH_SIZE) != 0 ||
            t.batches_waiting != 0)
            scope_fail(s, "what node %u owes stands at %" PRIu64 " and %" PRIu64 ", %" PRIu64 " batches wait", n,
                       here.last.number, there.last.number, t.batches_waiting);
    }
    if (sq_settlement_open_window(sq_core_settlement(core[0])) !=
        sq_settlement_open_window(sq_core_settlement(core[1])))
        scope_fail(s, "one node is in another window");
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        sq_core_free(core[n]);
        model_free(m[n]);
    }
    s->out->ends++;
}

/* ---- the search ---- */

static void print_state(const struct scope *s, const struct state *st)
{
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        fprintf(stderr, "  node %u, %u durable:", n, st->durable[n]);
        for (uint32_t d = 1; d <= scope_history_at(s, st->at[n])->depth; d++) {
            const struct scope_message *m =
                scope_message_at(s, scope_history_at(s, scope_ancestor(s, st->at[n], d))->message);
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
        fprintf(stderr, " %u", scope_message_at(s, st->way[i])->type);
    fprintf(stderr, "\n");
}

void scope_search(struct scope *s, unsigned fault_count, unsigned kinds, struct scope_report *out)
{
    struct state first = {.faults = (uint8_t)fault_count};
    scope_forget(s);
    *out = (struct scope_report){.states = 0};
    s->out = out;
    s->kinds = kinds;
    for (uint32_t n = 0; n < SCOPE_NODES; n++) {
        struct scope_history root = {.node = n, .parent = SCOPE_NONE, .message = SCOPE_NONE};
        scope_keep_tick(s, &root, s->w->core[n]);
        first.at[n] = scope_new_history(s, &root);
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
