/*
 * Bundles (三券联动): rows of one batch, on vouchers of whatever kinds and issuers, that are spent together or not at all.
 *
 * The batch says until when, T. The acquirer first has every part held by its issuer, and only then has any spent:
 *
 *   part    NEW --> REGISTERING --> READY --> RESERVING --> HELD --> COMMITTING --> DONE, accepted
 *                   (its invoice's home)      (its issuer)    |      (its issuer)
 *                                                             +----> RELEASING ---> DONE, refused
 *
 *   bundle  every part is HELD, before T            --> all are committed
 *           a part is refused, by whomever          --> it keeps its reason, the others are refused with SQ_R_BUNDLE   } what is held is
 *           T is there (a tick), and nothing of this was --> all are refused with SQ_R_EXPIRED                         } released
 *
 * Why no bundle is ever half spent:
 *   - One ledger decides. Whether T has passed is judged at the acquirer alone, by the time of the entry that decides: T - 1 ms commits, T does
 *     not. COMMIT and RELEASE leave when that entry is durable, are sent until they are acknowledged, and the decision is never taken again:
 *     a bundle that is decided has no part that is HELD and not answered. A node that dies goes on from its ledger.
 *   - An issuer that holds a part has promised to spend it (decide.c): the COMMIT is judged by no rule, expires at no time, and what rules
 *     might ask about is held with the amount. So T ends nothing at an issuer, and needs no two clocks to agree: a commit that was decided a
 *     millisecond before T may arrive when the issuer's clock has long passed it.
 *   - The price is that an issuer does not let go by itself. Were it to release at T, it would have to guess what a silent acquirer has decided,
 *     and whoever guesses wrong has spent half a bundle. From T on such a part is overdue: `sanquan status` and the metrics say how many there
 *     are, how much they hold and for which node; they end with the first word of it, at most one round trip after it is back.
 *   - Returning what was committed when another commit fails would need no promise, but shows halves meanwhile, and a window may close on them.
 *
 * The provider is told when a bundle is decided; a part that is still asked for then stays open here until that answer has come, is
 * given up with it, and holds up nobody. A part of a bundle has the number sq_part_number at its issuer: the batch's entry and the row.
 *
 * Invariants: what a bundle is waiting for is in the stages of its rows and nowhere else; all parts of a bundle are answered in one step when it
 * breaks, and none is before; a step that takes a decision with a link answers the rows of that decision and no others; rows by
 * themselves never come here.
 */
#include "clearing/core/acquirer.h"

#define TERM_MAX_MS (90ull * 86400000u) /* as issuers have it for reservations */

struct bundles { /* of one batch, in one step; columns by bundle have a cell 0 that nobody asks for */
    struct sq_step *s;
    struct sq_waiting *w;
    const Sanquan__V1__Batch *batch;
    const struct sq_rows *r;
    struct sq_rows asked; /* the same rows as their issuers see them, one at a time */
    uint8_t *verb;
    uint64_t *reservation;
    uint32_t *parts, *held; /* a bundle */
    uint8_t *broken;        /* a bundle: 0, or what its parts that were not refused themselves are refused with */
    uint32_t *ask, *back;   /* rows whose issuers elsewhere are asked; whose invoices are free again */
    uint8_t *ask_verb;
    size_t ask_count, back_count;
    int in_time, ends; /* ends: a tick says that the time of the bundles is over */
};

/* ---- rows ---- */

unsigned sq_part_check(const struct sq_step *s, const Sanquan__V1__Batch *batch)
{
    const uint64_t now_ms = s->core->now_ms, until_ms = batch->reserve_until_ms;
    return until_ms <= now_ms || until_ms > now_ms + TERM_MAX_MS ? SQ_R_RESERVATION_TERM : SQ_OK;
}

uint32_t sq_part_asked(const struct sq_waiting *w, size_t i)
{
    switch ((enum sq_row_stage)w->stage[i]) {
    case SQ_ROW_CLEARING:
        return 0;
    case SQ_ROW_RESERVING:
        return SANQUAN__V1__VERB__RESERVE;
    case SQ_ROW_COMMITTING:
        return SANQUAN__V1__VERB__COMMIT;
    case SQ_ROW_RELEASING:
        return SANQUAN__V1__VERB__RELEASE;
    case SQ_ROW_REGISTERING:
    case SQ_ROW_DONE:
    case SQ_ROW_NEW:
    case SQ_ROW_READY:
    case SQ_ROW_HELD:
        break;
    }
    return SQ_ROW_NONE;
}

int sq_part_decided(struct sq_core *core, struct sq_waiting *w, const struct sq_rows *r, size_t i, unsigned code)
{
    int holds = w->stage[i] == SQ_ROW_RESERVING && code == SQ_OK;
    int lost = w->stage[i] == SQ_ROW_RESERVING && code != SQ_OK;
    if (holds) {
        w->stage[i] = SQ_ROW_HELD;
        return 0;
    }
    if (!sq_row_decided(w, i)) /* what is released was decided before */
        sq_row_answer(core, w, r, i, code);
    sq_row_close(w, i);
    return lost;
}

/* ---- how the bundles stand ---- */

static sq_status begin(struct bundles *b)
{
    struct sq_step *s = b->s;
    const size_t n = b->r->count, cells = SQ_BATCH_ROWS_MAX + 1;
    if (SQ_COLUMN(s, b->verb, n) || SQ_COLUMN(s, b->reservation, n) || SQ_COLUMN(s, b->ask, n) ||
        SQ_COLUMN(s, b->ask_verb, n) || SQ_COLUMN(s, b->back, n) || SQ_COLUMN(s, b->parts, cells) ||
        SQ_COLUMN(s, b->held, cells) || SQ_COLUMN(s, b->broken, cells))
        return sq_full(s);
    memset(b->parts, 0, cells * sizeof *b->parts);
    memset(b->held, 0, cells * sizeof *b->held);
    memset(b->broken, 0, cells);
    b->asked = *b->r;
    b->asked.verb = b->verb;
    b->asked.reservation = b->reservation;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bundle = sq_row_bundle(b->r, i);
        if (bundle > SQ_BATCH_ROWS_MAX)
            continue; /* refused by itself */
        b->reservation[i] = sq_part_number(b->w, i);
        b->parts[bundle]++;
        b->held[bundle] += b->w->stage[i] == SQ_ROW_HELD;
        if (b->w->code[i] != SQ_OK)
            b->broken[bundle] = SQ_R_BUNDLE;
    }
    return SQ_OK;
}

/* Rows of bundles that are not done. */
static int is_open_part(const struct bundles *b, size_t i)
{
    uint32_t bundle = sq_row_bundle(b->r, i);
    return bundle != 0 && bundle <= SQ_BATCH_ROWS_MAX && b->w->stage[i] != SQ_ROW_DONE;
}

static int is_here(const struct bundles *b, size_t i)
{
    return sq_row_issuer(b->s->core, b->r, i) == b->s->core->self;
}

static unsigned decide_here(struct bundles *b, struct sq_decision *d, size_t i, uint8_t verb)
{
    struct sq_core *core = b->s->core;
    int explained = verb == SANQUAN__V1__VERB__RESERVE && i == sq_watched_row(core, core->self, b->w->seq);
    b->verb[i] = verb;
    d->explain = explained ? core->watch.out : NULL;
    core->totals.items_decided++;
    return sq_decide_row(core, d, &b->asked, i);
}

/* Parts of this node's own issuers need no message. */
static void hold_here(struct bundles *b, struct sq_decision *d)
{
    struct sq_waiting *w = b->w;
    for (uint32_t i = 0; i < w->rows; i++) {
        uint32_t bundle = sq_row_bundle(b->r, i);
        if (!is_open_part(b, i) || w->stage[i] != SQ_ROW_READY || b->broken[bundle] != 0 || !is_here(b, i))
            continue;
        unsigned refused = decide_here(b, d, i, SANQUAN__V1__VERB__RESERVE);
        if (refused == SQ_OK) {
            w->stage[i] = SQ_ROW_HELD;
            b->held[bundle]++;
            continue;
        }
        b->broken[bundle] = SQ_R_BUNDLE;
        sq_row_answer(b->s->core, w, b->r, i, refused);
        sq_row_close(w, i);
        b->back[b->back_count++] = i;
    }
}

/* ---- taking them further ---- */

static void ask(struct bundles *b, uint32_t i, uint8_t verb, enum sq_row_stage stage)
{
    b->w->stage[i] = (uint8_t)stage;
    b->ask_verb[b->ask_count] = verb;
    b->ask[b->ask_count++] = i;
}

/* A part of a bundle that is broken. Of one that somebody is being asked about, the answer says how to go on. */
static void give_up(struct bundles *b, struct sq_decision *d, uint32_t i)
{
    struct sq_waiting *w = b->w;
    if (!sq_row_decided(w, i))
        sq_row_answer(b->s->core, w, b->r, i, b->broken[b->r->bundle[i]]);
    int registered = w->stage[i] == SQ_ROW_READY || w->stage[i] == SQ_ROW_HELD;
    if (registered)
        b->back[b->back_count++] = i;
    if (w->stage[i] == SQ_ROW_HELD && !is_here(b, i)) {
        ask(b, i, SANQUAN__V1__VERB__RELEASE, SQ_ROW_RELEASING);
        return;
    }
    if (w->stage[i] == SQ_ROW_HELD) {
        unsigned refused = decide_here(b, d, i, SANQUAN__V1__VERB__RELEASE);
        SQ_ASSERT(refused == SQ_OK);
    }
    if (registered || w->stage[i] == SQ_ROW_NEW)
        sq_row_close(w, i);
}

/* A part that is held, of a bundle whose parts all are. */
static void commit(struct bundles *b, struct sq_decision *d, uint32_t i, uint32_t *spent, size_t *spent_count)
{
    if (!is_here(b, i)) {
        ask(b, i, SANQUAN__V1__VERB__COMMIT, SQ_ROW_COMMITTING);
        return;
    }
    unsigned refused = decide_here(b, d, i, SANQUAN__V1__VERB__COMMIT);
    SQ_ASSERT(refused == SQ_OK);
    sq_row_answer(b->s->core, b->w, b->r, i, SQ_OK);
    sq_row_close(b->w, i);
    spent[(*spent_count)++] = i;
}

/* Every bundle, part by part; those that nothing can be decided about yet leave w->until_ms as it should be. */
static sq_status take_further(struct bundles *b, struct sq_decision *d)
{
    struct sq_waiting *w = b->w;
    uint32_t *spent;
    uint8_t *done;
    size_t spent_count = 0;
    if (SQ_COLUMN(b->s, spent, w->rows) || SQ_COLUMN(b->s, done, w->rows))
        return sq_full(b->s);
    memset(done, SQ_OK, w->rows);
    w->until_ms = 0;
    for (uint32_t i = 0; i < w->rows; i++) {
        uint32_t bundle = sq_row_bundle(b->r, i);
        if (!is_open_part(b, i) || w->stage[i] == SQ_ROW_COMMITTING)
            continue;
        if (b->broken[bundle] == 0 && b->ends)
            b->broken[bundle] = SQ_R_EXPIRED;
        if (b->broken[bundle] != 0) {
            give_up(b, d, i);
        } else if (b->in_time && b->held[bundle] == b->parts[bundle]) {
            commit(b, d, i, spent, &spent_count);
        } else {
            w->until_ms = b->batch->reserve_until_ms;
            if (b->in_time && w->stage[i] == SQ_ROW_READY)
                ask(b, i, SANQUAN__V1__VERB__RESERVE, SQ_ROW_RESERVING);
        }
    }
    return sq_owe_local(b->s, d, w->seq, spent, done, spent_count);
}

static sq_status send(struct bundles *b)
{
    static const uint8_t verbs[] = {SANQUAN__V1__VERB__RESERVE, SANQUAN__V1__VERB__COMMIT, SANQUAN__V1__VERB__RELEASE};
    struct sq_core *core = b->s->core;
    sq_status st = SQ_OK;
    uint32_t *row; /* of one message; each is packed before the next */
    if (SQ_COLUMN(b->s, row, b->ask_count))
        return sq_full(b->s);
    for (uint32_t node = 0; b->ask_count != 0 && node < core->nodes.count; node++)
        for (size_t v = 0; st == SQ_OK && v < sizeof verbs; v++) {
            size_t n = 0;
            for (size_t k = 0; k < b->ask_count; k++)
                if (b->ask_verb[k] == verbs[v] && sq_row_issuer(core, b->r, b->ask[k]) == node)
                    row[n++] = b->ask[k];
            if (n != 0)
                st = sq_send_clear(b->s, b->w, b->batch, node, verbs[v], row, n);
        }
    return st != SQ_OK ? st : sq_give_back(b->s, b->w, b->r, b->back, b->back_count);
}

static sq_status go_on(struct sq_step *s, struct sq_waiting *w, const Sanquan__V1__Batch *batch,
                       const struct sq_rows *r, int ends)
{
    struct bundles b = {
        .s = s, .w = w, .batch = batch, .r = r, .in_time = s->core->now_ms < batch->reserve_until_ms, .ends = ends};
    struct sq_decision d = sq_decision_of(s->core, s->core->self, w->party, w->received_ms, batch->reserve_until_ms);
    sq_status st = begin(&b);
    if (st == SQ_OK)
        st = sq_decide_reserve(s->core, (uint32_t)r->count, s->err);
    if (st != SQ_OK)
        return st;
    if (b.in_time)
        hold_here(&b, &d);
    st = take_further(&b, &d);
    (void)sq_waiting_next(s->core);
    return st != SQ_OK ? st : send(&b);
}

sq_status sq_bundles_go_on(struct sq_step *s, struct sq_waiting *w, const Sanquan__V1__Batch *batch,
                           const struct sq_rows *r)
{
    return r->bundle == NULL ? SQ_OK : go_on(s, w, batch, r, 0);
}

sq_status sq_bundles_expire(struct sq_step *s, uint64_t batch)
{
    struct sq_waiting *w = sq_waiting_find(s->core, batch);
    const Sanquan__V1__Batch *m;
    struct sq_rows r;
    uint8_t *before;
    if (w == NULL || w->until_ms == 0 || w->until_ms > s->core->now_ms)
        return SQ_OK;
    sq_status st = sq_waiting_rows(s, w, &m, &r);
    if (st == SQ_OK)
        st = sq_bundles_begin(s, w, &r, &before);
    if (st == SQ_OK)
        st = go_on(s, w, m, &r, 1);
    if (st == SQ_OK)
        st = sq_bundles_list(s, w, before);
    return st != SQ_OK ? st : sq_answer_if_done(s, w);
}

/* ---- what a step has decided ---- */

sq_status sq_bundles_begin(struct sq_step *s, const struct sq_waiting *w, const struct sq_rows *r, uint8_t **before)
{
    *before = NULL;
    if (r->bundle == NULL)
        return SQ_OK;
    if (SQ_COLUMN(s, *before, w->rows))
        return sq_full(s);
    for (uint32_t i = 0; i < w->rows; i++)
        (*before)[i] = (uint8_t)sq_row_decided(w, i);
    return SQ_OK;
}

sq_status sq_bundles_list(struct sq_step *s, const struct sq_waiting *w, const uint8_t *before)
{
    if (before == NULL)
        return SQ_OK;
    if (SQ_COLUMN(s, s->row, w->rows) || SQ_COLUMN(s, s->code, w->rows))
        return sq_full(s);
    s->code_count = 0;
    for (uint32_t i = 0; i < w->rows; i++) {
        if (before[i] || !sq_row_decided(w, i))
            continue;
        s->row[s->code_count] = i;
        s->code[s->code_count++] = w->code[i];
    }
    return SQ_OK;
}
