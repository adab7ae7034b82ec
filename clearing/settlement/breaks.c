/*
 * Where two sides of a link part.
 *
 *   statements differ --creditor asks--> LOOKING --first number that differs--> FOUND --the link settles--> CLOSED
 *                        \--no number differs (SUMS, RANGE)---------------------/
 *
 * Links are hash-chained, so two sides that have the same hash under a number have the same history up to it, and two that do not
 * differ under every later one: the first that differs is found by halving, or rather by 64ths, each question naming 64 numbers between
 * the last known to be the same and the first known to differ. Ten million numbers take four questions. The creditor asks, because it
 * is the one who is owed; at the end it tells the debtor, so that both sides show the number and both entries.
 *
 * Invariants: at most one break of a link is open; while looking, low < high; high shrinks with every answer; nothing here makes a link settle:
 * people can take a break over, explain it, or (two of the creditor's) take what the debtor states next as what is so.
 */
#include "clearing/settlement/internal.h"

#define NUMBERS_MAX 64u
#define DEBTOR      0
#define CREDITOR    1
#define NO_NUMBER   UINT64_MAX /* in a LinkTell: every number is the same */

static struct sq_break *open_break(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor)
{
    for (uint32_t i = s->breaks.count; i-- > 0;) {
        struct sq_break *b = SQ_ROW(&s->breaks, struct sq_break, i);
        if (b->debtor == debtor && b->creditor == creditor)
            return b->state != SQ_BREAK_CLOSED ? b : NULL;
    }
    return NULL;
}

static const struct sq_link *link_of(const struct sq_settlement *s, const struct sq_break *b)
{
    return b->debtor == s->self ? &s->owes[b->creditor] : &s->owed[b->debtor];
}

/* ---- asking ---- */

/* Numbers between low (excluded) and high (the last of them), evenly spread. */
static size_t numbers_between(uint64_t low, uint64_t high, uint64_t out[static NUMBERS_MAX])
{
    size_t n = high - low < NUMBERS_MAX ? (size_t)(high - low) : NUMBERS_MAX;
    for (size_t i = 0; i < n; i++)
        out[i] = low + (uint64_t)((unsigned __int128)(high - low) * (i + 1) / n);
    return n;
}

static sq_status ask(struct sq_break *b, struct sq_effects *fx, struct sq_error *err)
{
    uint64_t numbers[NUMBERS_MAX];
    Sanquan__V1__LinkAsk m;
    sanquan__v1__link_ask__init(&m);
    m.window = b->window;
    m.numbers = numbers;
    m.n_numbers = numbers_between(b->low, b->high, numbers);
    b->asked = 1;
    return sq_effects_send(fx, b->debtor, SANQUAN__V1__MESSAGE_TYPE__LINK_ASK, &m.base, err);
}

static void put_entry(Sanquan__V1__LinkEntry *out, uint64_t number, struct sq_break_side *side)
{
    sanquan__v1__link_entry__init(out);
    out->number = number;
    out->hash = (ProtobufCBinaryData){SQ_LINK_HASH_PREFIX, side->hash};
    out->batch = side->batch;
    out->count = side->count;
    out->n_total_fen = SQ_KIND_COUNT;
    out->total_fen = side->total_fen;
}

sq_status sq_break_on_ask(struct sq_settlement *s, uint32_t from, const Sanquan__V1__LinkAsk *m, struct sq_effects *fx,
                          struct sq_error *err)
{
    struct sq_break_side side[NUMBERS_MAX];
    Sanquan__V1__LinkEntry entry[NUMBERS_MAX], *entries[NUMBERS_MAX];
    Sanquan__V1__LinkTell tell;
    if (m->n_numbers == 0 || m->n_numbers > NUMBERS_MAX)
        return sq_fail(err, SQ_R_COLUMNS, "%s asks for %zu link numbers", s->codes[from], m->n_numbers);
    sanquan__v1__link_tell__init(&tell);
    tell.window = m->window;
    tell.entries = entries;
    for (size_t i = 0; i < m->n_numbers; i++) {
        size_t at = tell.n_entries;
        if (i != 0 && m->numbers[i] <= m->numbers[i - 1])
            return sq_fail(err, SQ_R_ORDER, "%s asks for link number %" PRIu64 " after %" PRIu64, s->codes[from],
                           m->numbers[i], m->numbers[i - 1]);
        side[at] = sq_link_at(&s->owes[from], m->numbers[i]);
        if (!side[at].present)
            continue;
        put_entry(&entry[at], m->numbers[i], &side[at]);
        entries[tell.n_entries++] = &entry[at];
    }
    return sq_effects_send(fx, from, SANQUAN__V1__MESSAGE_TYPE__LINK_TELL, &tell.base, err);
}

/* ---- opening ---- */

static void set_stated(struct sq_link_step *out, const struct sq_stated *row)
{
    out->number = row->last;
    memcpy(out->hash, row->hash, SQ_HASH_SIZE);
    out->count = row->count;
    memcpy(out->total_fen, row->total_fen, sizeof out->total_fen);
}

static void found(struct sq_break *b, uint32_t cause, uint64_t number, uint64_t now_ms)
{
    b->state = SQ_BREAK_FOUND;
    b->cause = cause;
    b->number = number;
    b->found_ms = now_ms;
    b->asked = 0;
}

static sq_status open_new(struct sq_settlement *s, uint64_t window, uint32_t debtor, uint32_t creditor, uint64_t now_ms,
                          struct sq_break **out, struct sq_error *err)
{
    struct sq_break *b = sq_table_add(&s->breaks, NULL);
    if (b == NULL)
        return sq_fail(err, SQ_E_NOMEM, "break of %s to %s", s->codes[debtor], s->codes[creditor]);
    b->window = window;
    b->opened_ms = now_ms;
    b->debtor = debtor;
    b->creditor = creditor;
    b->state = SQ_BREAK_LOOKING;
    b->owner = b->maker = SQ_ROW_NONE;
    *out = b;
    return SQ_OK;
}

sq_status sq_break_compare(struct sq_settlement *s, const struct sq_window *w, uint32_t debtor, uint32_t creditor,
                           uint64_t now_ms, struct sq_effects *fx, struct sq_error *err)
{
    size_t at = (size_t)debtor * s->n + creditor;
    const struct sq_stated *d = &w->debtor[at], *c = &w->creditor[at];
    struct sq_break *b = open_break(s, debtor, creditor);
    if (!d->present || !c->present || memcmp(d, c, sizeof *d) == 0)
        return SQ_OK;
    if (b != NULL) {
        b->last_window = w->number;
        return SQ_OK;
    }
    sq_status st = open_new(s, w->number, debtor, creditor, now_ms, &b, err);
    if (st != SQ_OK)
        return st;
    b->last_window = w->number;
    set_stated(&b->stated[DEBTOR], d);
    set_stated(&b->stated[CREDITOR], c);
    b->low = d->first - 1;
    b->high = d->last > c->last ? d->last : c->last;
    if (d->first != c->first)
        found(b, SQ_BREAK_RANGE, 0, now_ms);
    else if (b->high == b->low || (d->last == c->last && memcmp(d->hash, c->hash, SQ_HASH_SIZE) == 0))
        found(b, SQ_BREAK_SUMS, 0, now_ms);
    return creditor == s->self && b->state == SQ_BREAK_LOOKING ? ask(b, fx, err) : SQ_OK;
}

void sq_break_close(struct sq_settlement *s, uint32_t debtor, uint32_t creditor, uint64_t now_ms)
{
    struct sq_break *b = open_break(s, debtor, creditor);
    if (b == NULL)
        return;
    b->state = SQ_BREAK_CLOSED;
    b->closed_ms = now_ms;
    b->asked = 0;
    if (b->outcome == SQ_BREAK_OPEN)
        b->outcome = SQ_BREAK_MATCHED;
}

/* ---- being told ---- */

static int entries_usable(const Sanquan__V1__LinkTell *m)
{
    for (size_t i = 0; i < m->n_entries; i++) {
        const Sanquan__V1__LinkEntry *e = m->entries[i];
        if (e->number == 0 || e->hash.len != SQ_LINK_HASH_PREFIX || e->n_total_fen != SQ_KIND_COUNT ||
            (i != 0 && e->number <= m->entries[i - 1]->number))
            return 0;
    }
    return m->n_entries <= NUMBERS_MAX;
}

static struct sq_break_side side_of(const Sanquan__V1__LinkTell *m, uint64_t number)
{
    struct sq_break_side side;
    memset(&side, 0, sizeof side);
    for (size_t i = 0; i < m->n_entries; i++) {
        const Sanquan__V1__LinkEntry *e = m->entries[i];
        if (e->number != number)
            continue;
        side.present = 1;
        side.batch = e->batch;
        side.count = e->count;
        memcpy(side.hash, e->hash.data, sizeof side.hash);
        memcpy(side.total_fen, e->total_fen, sizeof side.total_fen);
    }
    return side;
}

static sq_status tell_found(const struct sq_break *b, uint64_t number, struct sq_break_side *own, struct sq_effects *fx,
                            struct sq_error *err)
{
    Sanquan__V1__LinkEntry entry, *entries[1] = {&entry};
    Sanquan__V1__LinkTell tell;
    sanquan__v1__link_tell__init(&tell);
    tell.window = b->window;
    tell.found = number;
    tell.entries = entries;
    tell.n_entries = own->present;
    put_entry(&entry, number, own);
    return sq_effects_send(fx, b->debtor, SANQUAN__V1__MESSAGE_TYPE__LINK_TELL, &tell.base, err);
}

/* The creditor knows: it keeps both entries, and tells the debtor. */
static sq_status settle_on(struct sq_settlement *s, struct sq_break *b, const Sanquan__V1__LinkTell *m, uint64_t now_ms,
                           struct sq_effects *fx, struct sq_error *err)
{
    b->entry[DEBTOR] = side_of(m, b->high);
    b->entry[CREDITOR] = sq_link_at(link_of(s, b), b->high);
    found(b, SQ_BREAK_ENTRY, b->high, now_ms);
    return tell_found(b, b->number, &b->entry[CREDITOR], fx, err);
}

/* An answer of the debtor: up to where are the two sides the same, and from where not? */
static sq_status narrow(struct sq_settlement *s, struct sq_break *b, const Sanquan__V1__LinkTell *m, uint64_t now_ms,
                        struct sq_effects *fx, struct sq_error *err)
{
    uint64_t numbers[NUMBERS_MAX], low = b->low;
    size_t n = numbers_between(b->low, b->high, numbers), i;
    b->asked = 0;
    for (i = 0; i < n; i++) {
        struct sq_break_side ours = sq_link_at(link_of(s, b), numbers[i]), theirs = side_of(m, numbers[i]);
        if (!ours.present || !theirs.present || memcmp(ours.hash, theirs.hash, sizeof ours.hash) != 0)
            break;
        low = numbers[i];
    }
    if (i == n) { /* what it has is not what it stated */
        struct sq_break_side none = {0};
        found(b, SQ_BREAK_SUMS, 0, now_ms);
        return tell_found(b, NO_NUMBER, &none, fx, err);
    }
    b->low = low;
    b->high = numbers[i];
    return b->high - b->low == 1 ? settle_on(s, b, m, now_ms, fx, err) : ask(b, fx, err);
}

sq_status sq_break_on_tell(struct sq_settlement *s, uint32_t from, const Sanquan__V1__LinkTell *m, uint64_t now_ms,
                           struct sq_effects *fx, struct sq_error *err)
{
    if (!entries_usable(m))
        return sq_fail(err, SQ_R_COLUMNS, "link entries of %s", s->codes[from]);
    struct sq_break *b = m->found == 0 ? open_break(s, from, s->self) : open_break(s, s->self, from);
    if (b == NULL || b->state != SQ_BREAK_LOOKING || b->window != m->window || (m->found == 0 && !b->asked))
        return SQ_OK; /* it is about something that is over */
    if (m->found == 0)
        return narrow(s, b, m, now_ms, fx, err);
    if (m->found == NO_NUMBER) {
        found(b, SQ_BREAK_SUMS, 0, now_ms);
        return SQ_OK;
    }
    b->entry[DEBTOR] = sq_link_at(link_of(s, b), m->found);
    b->entry[CREDITOR] = side_of(m, m->found);
    found(b, SQ_BREAK_ENTRY, m->found, now_ms);
    return SQ_OK;
}

/* ---- what people do ---- */

static sq_status adopt(struct sq_settlement *s, struct sq_break *b, uint32_t party, int agrees, struct sq_error *err)
{
    if (b->creditor != s->self || b->state != SQ_BREAK_FOUND || b->outcome == SQ_BREAK_ADJUSTED ||
        (agrees && b->maker == SQ_ROW_NONE))
        return sq_fail(
            err, SQ_R_BREAK_STATE,
            "break of %s to %s: it is the creditor who takes a statement, when it has been found out what differs",
            s->codes[b->debtor], s->codes[b->creditor]);
    if (!agrees) {
        b->maker = party;
        return SQ_OK;
    }
    if (b->maker == party)
        return sq_fail(err, SQ_R_SAME_PERSON, "break of %s to %s", s->codes[b->debtor], s->codes[b->creditor]);
    b->outcome = SQ_BREAK_ADJUSTED;
    s->owed[b->debtor].adopt = 1;
    return SQ_OK;
}

sq_status sq_settlement_break_act(struct sq_settlement *s, uint32_t party, sq_bytes body, struct sq_effects *fx,
                                  struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    ProtobufCMessage *opened;
    sq_status st = sq_wire_open(&sanquan__v1__break__descriptor, body, &memory, &opened, err);
    if (st != SQ_OK)
        return st;
    const Sanquan__V1__Break *m = (const Sanquan__V1__Break *)opened;
    uint32_t debtor = sq_code_find(s, m->debtor), creditor = sq_code_find(s, m->creditor);
    size_t size = strlen(m->note);
    int says = m->action == SQ_BREAK_EXPLAIN || m->action == SQ_BREAK_ADOPT;
    if (debtor == SQ_ROW_NONE || creditor == SQ_ROW_NONE)
        return sq_fail(err, SQ_R_UNKNOWN_NODE, "%.12s to %.12s", m->debtor, m->creditor);
    struct sq_break *b = open_break(s, debtor, creditor);
    if (b == NULL || m->action < SQ_BREAK_TAKE || m->action > SQ_BREAK_AGREE ||
        (m->action == SQ_BREAK_EXPLAIN && b->outcome == SQ_BREAK_ADJUSTED))
        return sq_fail(err, SQ_R_BREAK_STATE, "%s to %s", m->debtor, m->creditor);
    if (size > SQ_BREAK_NOTE_MAX || (says && size == 0))
        return sq_fail(err, SQ_R_NOTE, "%zu bytes", size);
    if (says && b->owner != party)
        return sq_fail(err, SQ_R_NOT_PERMITTED, "break of %s to %s: take it over first", m->debtor, m->creditor);
    if (m->action == SQ_BREAK_ADOPT || m->action == SQ_BREAK_AGREE)
        st = adopt(s, b, party, m->action == SQ_BREAK_AGREE, err);
    if (st != SQ_OK)
        return st;
    if (m->action == SQ_BREAK_TAKE)
        b->owner = party;
    if (m->action == SQ_BREAK_EXPLAIN)
        b->outcome = SQ_BREAK_EXPLAINED;
    if (size != 0) {
        memset(b->note, 0, sizeof b->note);
        memcpy(b->note, m->note, size);
    }
    return SQ_OK;
}

/* ---- views ---- */

uint32_t sq_settlement_break_count(const struct sq_settlement *s)
{
    return s->breaks.count;
}

const struct sq_break *sq_settlement_break(const struct sq_settlement *s, uint32_t number)
{
    return SQ_ROW(&s->breaks, struct sq_break, number);
}
