/*
 * Applications: who asks for a voucher, what the office makes of it, and who gets one when the pool is short.
 *
 *   APPLY -> OPEN --ASSESS--> OPEN, eligible or not --ALLOCATE--> GRANTED (a voucher) | REFUSED (a number)
 *
 * Invariants: applications of a programme are numbered 1, 2, 3 ...; one is allocated once; ALLOCATE grants in the programme's order,
 * each grant judged as any other and seeing those before it, and no more than the budget.
 *
 * Orders (all ties end with the application's number):
 *   first come      number                       earlier and smaller   day of the application, amount asked
 *   score           higher score                 pro rata              number; when all ask for more than there is, each gets
 *                                                                      floor(asked * budget / all asked), the rest stays in the pool
 */
#include "clearing/base/day.h"
#include "clearing/core/rows.h"

enum { OPEN = SQ_APPLICATION_OPEN, GRANTED = SQ_APPLICATION_GRANTED, REFUSED = SQ_APPLICATION_REFUSED };
enum { FACTS_MAX = 18 }; /* of one application: 16 of its own, and the office's grade and score */

/* ---- APPLY ---- */

static int in_time(const struct sq_core *core, const struct sq_terms *t)
{
    return sq_terms_open(t, SQ_CASE_GRANT, core->now_ms);
}

static sq_status check_application(struct sq_step *s, const Sanquan__V1__Apply *m, uint32_t programme)
{
    const struct sq_programme *p = sq_programme_at(s->core, programme);
    const struct sq_terms *t = sq_terms_of_day(s->core, p, s->core->today);
    if (p->node != s->core->self)
        return sq_refuse(s, SQ_R_WRONG_RECEIVER, "programme %06u/%u is at home at node %s", m->issuer, m->programme,
                         sq_node_at(s->core, p->node)->code);
    if (m->asked_fen <= 0 || m->asked_fen > SQ_AMOUNT_MAX_FEN || m->contract_fen < 0 ||
        m->contract_fen > SQ_AMOUNT_MAX_FEN || m->quota < 0 || m->quota > SQ_QUANTITY_MAX)
        return sq_refuse(s, SQ_R_AMOUNT, "asked %" PRId64 " fen, contract %" PRId64 " fen, quota %" PRId64,
                         m->asked_fen, m->contract_fen, m->quota);
    if (m->side < 1 || m->side > 2 || (m->contract.len != 0 && m->contract.len != 16))
        return sq_refuse(s, SQ_R_APPLICATION, "side %u, contract of %zu bytes", m->side, m->contract.len);
    if ((m->contract_day != 0 && !sq_day_valid(m->contract_day)) ||
        (m->contract_from_day == 0) != (m->contract_until_day == 0) ||
        (m->contract_from_day != 0 && (!sq_day_valid(m->contract_from_day) || !sq_day_valid(m->contract_until_day) ||
                                       m->contract_from_day > m->contract_until_day)))
        return sq_refuse(s, SQ_R_CONTRACT_TERMS, "contract of %u from %u until %u", m->contract_day,
                         m->contract_from_day, m->contract_until_day);
    if (m->facts != NULL && !sq_fact_sets_ok((Sanquan__V1__FactSet *const[]){m->facts}, 1, 1, NULL, 0))
        return sq_refuse(s, SQ_R_FACT, "facts are not in form");
    return in_time(s->core, t != NULL ? t : sq_terms_at(s->core, p->terms))
               ? SQ_OK
               : sq_refuse(s, SQ_R_WINDOW_CLOSED, "programme %06u/%u", m->issuer, m->programme);
}

static uint32_t add_facts(struct sq_core *core, const Sanquan__V1__FactSet *set)
{
    uint32_t first = SQ_ROW_NONE, number;
    for (size_t k = 0; set != NULL && k < set->n_attribute; k++) {
        struct sq_fact *f = sq_table_add(&core->facts, &number);
        *f = (struct sq_fact){
            .value = set->value[k], .attribute = set->attribute[k], .until_day = SQ_DAY_OPEN, .next = first};
        first = number;
    }
    return first;
}

sq_status sq_on_apply(struct sq_step *s, const Sanquan__V1__Apply *m)
{
    struct sq_core *core = s->core;
    uint32_t programme = sq_programme_find(core, m->issuer, m->programme), number;
    if (programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    sq_status st = check_application(s, m, programme);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->applications, 1, s->err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->facts, m->facts != NULL ? (uint32_t)m->facts->n_attribute : 0, s->err);
    if (st != SQ_OK)
        return st;
    struct sq_programme *p = sq_programme_at(core, programme);
    struct sq_application *a = sq_table_add(&core->applications, &number);
    *a = (struct sq_application){.asked_fen = m->asked_fen,
                                 .contract_fen = m->contract_fen,
                                 .quota = m->quota,
                                 .programme = programme,
                                 .holder = s->party,
                                 .number = ++p->applications,
                                 .day = core->today,
                                 .side = m->side,
                                 .contract_day = m->contract_day,
                                 .contract_from_day = m->contract_from_day,
                                 .contract_until_day = m->contract_until_day,
                                 .documents = m->documents,
                                 .facts = add_facts(core, m->facts),
                                 .next = SQ_ROW_NONE};
    if (m->contract.len == 16)
        memcpy(a->contract, m->contract.data, 16);
    if (p->last_application != SQ_ROW_NONE)
        SQ_ROW(&core->applications, struct sq_application, p->last_application)->next = number;
    else
        p->first_application = number;
    p->last_application = number;
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    answer.count = 1;
    answer.number = a->number;
    return sq_answer(s, s->party, &answer);
}

/* ---- ASSESS ---- */

/* Applications are walked in the order of their numbers: `row` is where to go on from. */
static struct sq_application *find_application(struct sq_core *core, uint32_t *row, uint64_t number)
{
    while (*row != SQ_ROW_NONE) {
        struct sq_application *a = SQ_ROW(&core->applications, struct sq_application, *row);
        if (a->number == number)
            return a;
        if (a->number > number)
            break;
        *row = a->next;
    }
    return NULL;
}

sq_status sq_on_assess(struct sq_step *s, const Sanquan__V1__Assess *m)
{
    struct sq_core *core = s->core;
    size_t n = m->n_application;
    uint32_t programme = sq_programme_find(core, m->issuer, m->programme), row;
    sq_status st = sq_check_authority(s, m->issuer);
    if (st != SQ_OK)
        return st;
    if (programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu applications; 1 to %u go", n, SQ_BATCH_ROWS_MAX);
    if (m->n_approved_fen != n || m->n_score != n || m->n_grade != n || m->verdict.len != n)
        return sq_refuse(s, SQ_R_COLUMNS, "application, approved_fen, score, grade and verdict");
    row = sq_programme_at(core, programme)->first_application;
    for (size_t i = 0; i < n; i++) {
        if (i != 0 && m->application[i] <= m->application[i - 1])
            return sq_refuse(s, SQ_R_ORDER, "row %zu", i);
        const struct sq_application *a = find_application(core, &row, m->application[i]);
        if (a == NULL || a->state != OPEN)
            return sq_refuse(s, SQ_R_APPLICATION, "application %" PRIu64 " is unknown or closed", m->application[i]);
        if (m->approved_fen[i] < 0 || m->approved_fen[i] > SQ_AMOUNT_MAX_FEN)
            return sq_refuse(s, SQ_R_AMOUNT, "row %zu: approved %" PRId64 " fen", i, m->approved_fen[i]);
        if (m->verdict.data[i] < 1 || m->verdict.data[i] > 2)
            return sq_refuse(s, SQ_R_APPLICATION, "row %zu: verdict %u", i, m->verdict.data[i]);
    }
    row = sq_programme_at(core, programme)->first_application;
    for (size_t i = 0; i < n; i++) { /* from here it must succeed */
        struct sq_application *a = find_application(core, &row, m->application[i]);
        a->approved_fen = m->approved_fen[i];
        a->score = m->score[i];
        a->grade = m->grade[i];
        a->verdict = m->verdict.data[i];
    }
    return sq_answer_accepted(s, n);
}

/* ---- ALLOCATE ---- */

enum sorting { BY_NUMBER, BY_DAY_AND_AMOUNT, BY_SCORE, BY_CONTRACT };

struct round {
    struct sq_core *core;
    uint32_t programme, until_day, count;
    struct sq_application **open; /* in the order of their numbers */
    struct sq_wish *wish;         /* what each would be granted */
    uint32_t *order;              /* places in `open` */
    uint8_t *code, *beaten;
    int64_t left_fen; /* of the budget; -1: there is no end to it */
    uint64_t first_voucher, granted;
    int64_t granted_fen;
};

static int before(const struct round *r, uint32_t x, uint32_t y, enum sorting by)
{
    const struct sq_application *a = r->open[x], *b = r->open[y];
    int contracts = by == BY_CONTRACT ? memcmp(a->contract, b->contract, 16) : 0;
    if (contracts != 0)
        return contracts < 0;
    uint32_t rivals = sq_programme_at(r->core, r->programme)->rivals, wanted = rivals == 1 ? 2 : 1;
    if (by == BY_CONTRACT && (a->verdict == 2) != (b->verdict == 2))
        return b->verdict == 2;
    if (by == BY_CONTRACT && rivals != 0 && (a->side == wanted) != (b->side == wanted))
        return a->side == wanted;
    if (by == BY_DAY_AND_AMOUNT && a->day != b->day)
        return a->day < b->day;
    if (by == BY_DAY_AND_AMOUNT && a->asked_fen != b->asked_fen)
        return a->asked_fen < b->asked_fen;
    if (by == BY_SCORE && a->score != b->score)
        return a->score > b->score;
    return a->number < b->number;
}

/* Heap sort: no recursion, no memory, and at most n log n steps whatever was sent. */
static void sort_order(struct round *r, enum sorting by)
{
    uint32_t *o = r->order, n = r->count;
    for (uint32_t start = n / 2, end = n; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            uint32_t top = o[0];
            o[0] = o[--end];
            o[end] = top;
        }
        for (uint32_t at = start, child; (child = 2 * at + 1) < end; at = child) {
            if (child + 1 < end && before(r, o[child], o[child + 1], by))
                child++;
            if (!before(r, o[at], o[child], by))
                break;
            uint32_t down = o[at];
            o[at] = o[child];
            o[child] = down;
        }
    }
}

/* Of the applications for one contract all but the first in the order of rivals are beaten. */
static void mark_beaten(struct round *r)
{
    static const uint8_t none[16];
    sort_order(r, BY_CONTRACT);
    for (uint32_t i = 1; i < r->count; i++) {
        const struct sq_application *a = r->open[r->order[i - 1]], *b = r->open[r->order[i]];
        r->beaten[r->order[i]] = memcmp(b->contract, none, 16) != 0 && memcmp(a->contract, b->contract, 16) == 0;
    }
}

/* What the office found counts before what the applicant said. 0 when the step's memory is full. */
static int fill_wish(struct round *r, uint32_t place, struct sq_arena *arena)
{
    const struct sq_application *a = r->open[place];
    uint32_t *attribute = sq_arena_take(arena, FACTS_MAX * sizeof *attribute), n = 0;
    int64_t *value = sq_arena_take(arena, FACTS_MAX * sizeof *value);
    struct sq_wish *w = &r->wish[place];
    if (attribute == NULL || value == NULL)
        return 0;
    if (a->grade != 0)
        attribute[n] = SQ_ATTR(GRADE), value[n++] = a->grade;
    if (a->score != 0)
        attribute[n] = SQ_ATTR(SCORE), value[n++] = a->score;
    for (uint32_t row = a->facts; row != SQ_ROW_NONE;) {
        const struct sq_fact *f = SQ_ROW(&r->core->facts, struct sq_fact, row);
        row = f->next;
        if (f->attribute != SQ_ATTR(GRADE) && f->attribute != SQ_ATTR(SCORE))
            attribute[n] = f->attribute, value[n++] = f->value;
    }
    *w = (struct sq_wish){.holder = a->holder,
                          .until_day = r->until_day,
                          .documents = a->documents,
                          .contract_fen = a->contract_fen,
                          .approved_fen = a->approved_fen,
                          .quota = a->quota,
                          .contract_day = a->contract_day,
                          .contract_from_day = a->contract_from_day,
                          .contract_until_day = a->contract_until_day,
                          .facts = {n, attribute, value}};
    memcpy(w->contract, a->contract, 16);
    int64_t most = sq_voucher_most(r->core, r->programme, w);
    w->face_fen = a->asked_fen < most ? a->asked_fen : most;
    return 1;
}

static unsigned allocate_one(struct round *r, uint32_t place)
{
    struct sq_error why;
    const struct sq_wish *w = &r->wish[place];
    if (r->open[place]->verdict == 2)
        return SQ_R_ASSESSED_OUT;
    if (r->beaten[place])
        return SQ_R_RIVAL;
    if (w->face_fen == 0 || (r->left_fen >= 0 && w->face_fen > r->left_fen))
        return SQ_R_POOL_EXHAUSTED;
    sq_status st = sq_voucher_grant(r->core, r->programme, w, &why);
    if (st != SQ_OK)
        return st;
    const struct sq_programme *p = sq_programme_at(r->core, r->programme);
    uint64_t voucher = ((uint64_t)p->issuer * SQ_PROGRAMME_RADIX + p->number) * SQ_SERIAL_RADIX +
                       r->core->vouchers[r->programme].count;
    r->open[place]->voucher = voucher;
    r->first_voucher = r->granted++ == 0 ? voucher : r->first_voucher;
    r->granted_fen += w->face_fen;
    r->left_fen -= r->left_fen >= 0 ? w->face_fen : 0;
    return SQ_OK;
}

/* When all together ask for more than there is, each gets its share, rounded down. */
static void scale_down(struct round *r)
{
    __int128 asked = 0;
    for (uint32_t i = 0; i < r->count; i++)
        asked += r->open[i]->verdict != 2 && !r->beaten[i] ? r->wish[i].face_fen : 0;
    for (uint32_t i = 0; r->left_fen >= 0 && asked > r->left_fen && i < r->count; i++)
        r->wish[i].face_fen = (int64_t)((__int128)r->wish[i].face_fen * r->left_fen / asked);
}

static sq_status open_round(struct sq_step *s, const Sanquan__V1__Allocate *m, struct round *r)
{
    struct sq_core *core = s->core;
    const struct sq_programme *p = sq_programme_at(core, r->programme);
    uint32_t facts = 0;
    if (SQ_COLUMN(s, r->open, SQ_BATCH_ROWS_MAX) || SQ_COLUMN(s, r->order, SQ_BATCH_ROWS_MAX) ||
        SQ_COLUMN(s, r->code, SQ_BATCH_ROWS_MAX) || SQ_COLUMN(s, r->beaten, SQ_BATCH_ROWS_MAX) ||
        SQ_COLUMN(s, r->wish, SQ_BATCH_ROWS_MAX))
        return sq_full(s);
    for (uint32_t row = p->first_application; row != SQ_ROW_NONE && r->count < SQ_BATCH_ROWS_MAX;) {
        struct sq_application *a = SQ_ROW(&core->applications, struct sq_application, row);
        row = a->next;
        if (a->state != OPEN || (m->assessed && a->verdict != 1))
            continue;
        r->order[r->count] = r->count;
        r->open[r->count] = a;
        if (!fill_wish(r, r->count, s->fx->arena))
            return sq_full(s);
        facts += (uint32_t)r->wish[r->count++].facts.count;
    }
    /* What there is: the budget, and of the pool what no grant has been promised yet. */
    int64_t pool =
        p->pool_fen == 0 ? -1 : p->pool_fen - (p->pool_at == 1 ? p->reserved_fen + p->spent_fen : p->granted_fen);
    if (p->pool_fen != 0 && pool < 0)
        pool = 0;
    r->left_fen = m->budget_fen != 0 && (pool < 0 || m->budget_fen < pool) ? m->budget_fen : pool;
    return sq_vouchers_reserve(core, r->programme, r->count, facts, s->err);
}

static sq_status answer_round(struct sq_step *s, const struct round *r)
{
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    answer.count = r->granted;
    answer.amount_fen = r->granted_fen;
    answer.number = r->first_voucher;
    answer.code = sq_codes(r->code, r->count);
    s->code = r->code;
    s->code_count = r->count;
    return sq_answer(s, s->party, &answer);
}

sq_status sq_on_allocate(struct sq_step *s, const Sanquan__V1__Allocate *m)
{
    struct sq_core *core = s->core;
    struct round r = {
        .core = core, .programme = sq_programme_find(core, m->issuer, m->programme), .until_day = m->until_day};
    sq_status st = sq_check_authority(s, m->issuer);
    if (st != SQ_OK)
        return st;
    if (r.programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    if (m->budget_fen < 0 || !sq_day_valid(m->until_day) || m->assessed > 1)
        return sq_refuse(s, SQ_R_AMOUNT, "budget %" PRId64 " fen until %u", m->budget_fen, m->until_day);
    if ((st = open_round(s, m, &r)) != SQ_OK)
        return st;
    if (r.count == 0)
        return sq_refuse(s, SQ_R_APPLICATION, "no application is open");
    static const enum sorting sortings[] = {BY_NUMBER, BY_DAY_AND_AMOUNT, BY_SCORE, BY_NUMBER};
    uint32_t allocation = sq_programme_at(core, r.programme)->allocation;
    mark_beaten(&r);
    if (allocation == 3)
        scale_down(&r);
    sort_order(&r, sortings[allocation]);
    for (uint32_t i = 0; i < r.count; i++) { /* from here it must succeed */
        uint32_t place = r.order[i];
        r.code[place] = (uint8_t)allocate_one(&r, place);
        r.open[place]->state = r.code[place] == SQ_OK ? GRANTED : REFUSED;
    }
    return answer_round(s, &r);
}
