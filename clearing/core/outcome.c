/*
 * Payment by outcome: a voucher's face is set free in stages, by its grant, by an evaluator's grade, by a measured change.
 *
 *   stage   WAITING --grade that releases, or metric changed enough--> FREE
 *   voucher  ... --grade that stops--> STOPPED          nothing more becomes free; what is free can be redeemed
 *            ... --grade that takes back--> STOPPED, REVOKED, and what was paid is owed back by the regions that paid it out
 *
 * Invariants: what is free is floor(face * shares of free stages / 10000), so all stages together free the face to the fen; redemptions
 * and reservations stay within it; what is taken back is at most what was paid and not given back, provider by provider, and is
 * a step of the link to each provider's node in the window that is open.
 *
 * An evaluator is enrolled at the issuer's node, and on the programme's list on the day of its measurement. A voucher follows the
 * stages of the version under which it was granted.
 */
#include "clearing/base/day.h"
#include "clearing/core/state.h"

#define CLAW_PROVIDERS_MAX 1024u /* providers with a mandate on one voucher: far more than any holder ever allows */
_Static_assert(CLAW_PROVIDERS_MAX <= SQ_TAKEN_MAX, "what a measurement takes back is noted whole");

int64_t sq_stages_free_fen(const struct sq_terms *t, uint32_t free, int64_t face_fen)
{
    uint32_t shares = 0;
    for (uint32_t i = 0; i < t->stage_count; i++)
        shares += free >> i & 1 ? t->stages[i].share_bp : 0;
    return sq_share_floor(face_fen, shares);
}

uint32_t sq_stages_at_grant(const struct sq_terms *t)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < t->stage_count; i++)
        free |= t->stages[i].trigger == 1 ? 1u << i : 0;
    return free;
}

/* ---- one measurement ---- */

struct measured {
    struct sq_step *s;
    const Sanquan__V1__Measure *m;
    const struct sq_terms *terms;
    struct sq_voucher *voucher;
    struct sq_detail *detail;
    struct sq_progress *progress;
    uint32_t programme;
};

static struct sq_fact *baseline_of(const struct sq_core *core, const struct sq_progress *p, uint32_t metric)
{
    for (uint32_t n = p->baselines; n != SQ_ROW_NONE;) {
        struct sq_fact *f = SQ_ROW(&core->facts, struct sq_fact, n);
        if (f->attribute == metric)
            return f;
        n = f->next;
    }
    return NULL;
}

static sq_status find_measured(struct sq_step *s, const Sanquan__V1__Measure *m, struct measured *out)
{
    struct sq_core *core = s->core;
    *out = (struct measured){.s = s, .m = m};
    out->voucher = sq_voucher_find(core, m->voucher, &out->programme);
    if (out->voucher == NULL)
        return sq_refuse(s, SQ_R_UNKNOWN_VOUCHER, "%019" PRIu64, m->voucher);
    out->detail =
        out->voucher->detail != SQ_ROW_NONE ? SQ_ROW(&core->details, struct sq_detail, out->voucher->detail) : NULL;
    if (out->detail == NULL || out->detail->progress == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_STAGE, "voucher %019" PRIu64 " has no stages", m->voucher);
    out->progress = SQ_ROW(&core->progress, struct sq_progress, out->detail->progress);
    out->terms = sq_terms_at(core, out->progress->terms);
    if (!sq_day_valid(m->day) || m->day > core->today || m->evidence.len != 16 || strlen(m->note) > 400)
        return sq_refuse(s, SQ_R_FACT, "day %u, evidence of %zu bytes, or a note over 400 bytes", m->day,
                         m->evidence.len);
    struct sq_facts facts = sq_org_facts(core, sq_party_at(core, s->party)->org);
    const struct sq_range member = {1, 1};
    int64_t seen;
    if (sq_facts_match(&facts, out->terms->issuer, out->terms->evaluators, m->day, &member, 1, &seen) != SQ_WITHIN)
        return sq_refuse(s, SQ_R_EVALUATOR, "%s on list %u on %u", sq_party_at(core, s->party)->name,
                         out->terms->evaluators, m->day);
    if (out->progress->stopped)
        return sq_refuse(s, SQ_R_STAGE, "voucher %019" PRIu64 " is paid no further", m->voucher);
    return SQ_OK;
}

static sq_status record_baseline(struct measured *x)
{
    struct sq_core *core = x->s->core;
    uint32_t number;
    if (x->m->metric == 0 || x->m->value <= 0 || x->m->value > SQ_QUANTITY_MAX)
        return sq_refuse(x->s, SQ_R_BASELINE, "metric %u, value %" PRId64, x->m->metric, x->m->value);
    if (baseline_of(core, x->progress, x->m->metric) != NULL)
        return sq_refuse(x->s, SQ_R_BASELINE, "metric %u has a baseline", x->m->metric);
    sq_status st = sq_table_reserve(&core->facts, 1, x->s->err);
    if (st != SQ_OK)
        return st;
    struct sq_fact *f = sq_table_add(&core->facts, &number);
    *f = (struct sq_fact){.value = x->m->value,
                          .attribute = x->m->metric,
                          .from_day = x->m->day,
                          .until_day = SQ_DAY_OPEN,
                          .next = x->progress->baselines};
    x->progress->baselines = number;
    return sq_answer_accepted(x->s, 1);
}

static void set_free(struct measured *x)
{
    SQ_ASSERT(x->detail != NULL); /* a programme in stages keeps one for each voucher */
    x->progress->free |= 1u << (x->m->stage - 1);
    x->progress->last_day = x->m->day;
    x->detail->free_fen = sq_stages_free_fen(x->terms, x->progress->free, x->voucher->face_fen);
}

/* ---- taking back ---- */

static int by_name(const struct sq_core *core, const struct sq_claw *a, const struct sq_claw *b)
{
    return strcmp(sq_party_at(core, a->provider)->name, sq_party_at(core, b->provider)->name);
}

/* Who was paid what of the voucher, ascending by name, and what each gives back: differences of rounded sums, so all make the whole. */
static sq_status share_out(struct measured *x, int64_t back_fen, struct sq_claw *claws, uint32_t *count)
{
    struct sq_core *core = x->s->core;
    for (uint32_t n = x->voucher->mandate; n != SQ_ROW_NONE;) {
        struct sq_mandate *m = SQ_ROW(&core->mandates, struct sq_mandate, n);
        n = m->next;
        if (m->spent_fen == 0)
            continue;
        if (*count == CLAW_PROVIDERS_MAX)
            return sq_refuse(x->s, SQ_R_STAGE, "more than %u providers were paid", CLAW_PROVIDERS_MAX);
        struct sq_claw fresh = {m->provider, 0, m};
        uint32_t at = (*count)++;
        for (; at > 0 && by_name(core, &fresh, &claws[at - 1]) < 0; at--)
            claws[at] = claws[at - 1];
        claws[at] = fresh;
    }
    __int128 paid = 0, given = 0, spent = x->voucher->spent_fen;
    for (uint32_t i = 0; i < *count; i++) {
        paid += claws[i].mandate->spent_fen;
        claws[i].fen = (int64_t)(paid * back_fen / spent - given);
        given += claws[i].fen;
    }
    return SQ_OK;
}

sq_status sq_clawback_hash(uint64_t voucher, char *const *provider, const int64_t *fen, size_t count,
                           struct sq_arena *arena, uint8_t out[static SQ_HASH_SIZE], struct sq_error *err)
{
    uint8_t *text = sq_arena_take(arena, 8 + count * (SQ_USCC_LENGTH + 8)), *at = text;
    if (text == NULL)
        return sq_fail(err, SQ_E_FULL, "step memory");
    sq_put_be64(at, voucher);
    at += 8;
    for (size_t i = 0; i < count; i++, at += SQ_USCC_LENGTH + 8) {
        memcpy(at, provider[i], SQ_USCC_LENGTH);
        sq_put_be64(at + SQ_USCC_LENGTH, (uint64_t)fen[i]);
    }
    sq_sha256(text, (size_t)(at - text), out);
    return SQ_OK;
}

/* For who replays: the claws that have become a step of the link to `node`. */
static sq_status note_taken(struct sq_step *s, uint64_t voucher, uint32_t node, uint64_t link,
                            const struct sq_claw *claws, uint32_t count)
{
    if (s->taken == NULL && SQ_COLUMN(s, s->taken, SQ_TAKEN_MAX))
        return sq_full(s);
    s->fx->taken = s->taken;
    for (uint32_t i = 0; i < count; i++)
        if (sq_party_at(s->core, claws[i].provider)->node == node && claws[i].fen != 0) {
            SQ_ASSERT(s->fx->taken_count < SQ_TAKEN_MAX);
            s->taken[s->fx->taken_count++] = (struct sq_taken){voucher, link, claws[i].fen, claws[i].provider, node};
        }
    return SQ_OK;
}

sq_status sq_owe_back(struct sq_step *s, uint64_t voucher, uint32_t node, const struct sq_claw *claws, uint32_t count)
{
    const uint32_t kind = sq_programme_at(s->core, sq_programme_of_voucher(s->core, voucher))->kind;
    Sanquan__V1__Clawback m;
    Sanquan__V1__Link link;
    struct sq_link_step step = {0};
    uint8_t hash[SQ_HASH_SIZE];
    sanquan__v1__clawback__init(&m);
    sanquan__v1__link__init(&link);
    m.entry = s->fx->seq;
    m.voucher = voucher;
    if (SQ_COLUMN(s, m.provider, count) || SQ_COLUMN(s, m.amount_fen, count))
        return sq_full(s);
    for (uint32_t i = 0; i < count; i++) {
        const struct sq_party *p = sq_party_at(s->core, claws[i].provider);
        if (p->node != node || claws[i].fen == 0)
            continue;
        char *code = sq_arena_take(s->fx->arena, SQ_USCC_LENGTH + 1);
        if (code == NULL)
            return sq_full(s);
        memcpy(code, sq_party_code(p), SQ_USCC_LENGTH);
        m.provider[m.n_provider++] = code;
        m.amount_fen[m.n_amount_fen++] = claws[i].fen;
        step.count++;
        step.total_fen[kind - 1] -= claws[i].fen;
    }
    if (step.count == 0)
        return SQ_OK;
    sq_status st = sq_clawback_hash(m.voucher, m.provider, m.amount_fen, m.n_provider, s->fx->arena, hash, s->err);
    if (st == SQ_OK)
        st = sq_link_bear(s, node, s->core->today, &step, &link);
    if (st == SQ_OK)
        st = sq_settlement_owe(s->core->settlement, node, s->fx->seq, hash, &step, s->err);
    if (st == SQ_OK)
        st = note_taken(s, voucher, node, step.number, claws, count);
    if (st != SQ_OK || node == s->core->self)
        return st;
    if (s->clawed == NULL && SQ_COLUMN(s, s->clawed, SQ_OUT_MAX)) /* one a message */
        return sq_full(s);
    s->clawed[s->clawed_count++] = (uint32_t)strtoul(sq_node_at(s->core, node)->code, NULL, 10);
    link.number = step.number;
    link.hash = (ProtobufCBinaryData){SQ_HASH_SIZE, step.hash};
    link.count = step.count;
    link.n_total_fen = SQ_KIND_COUNT;
    link.total_fen = step.total_fen;
    m.link = &link;
    return sq_effects_send(s->fx, node, SANQUAN__V1__MESSAGE_TYPE__CLAWBACK, &m.base, s->err);
}

static sq_status take_back(struct measured *x, uint32_t back_bp)
{
    struct sq_core *core = x->s->core;
    struct sq_programme *p = sq_programme_at(core, x->programme);
    int64_t back =
        (int64_t)(((__int128)x->voucher->spent_fen * back_bp + 9999) / 10000); /* rounded up: in favour of the budget */
    struct sq_claw *claws;
    uint32_t count = 0;
    if (SQ_COLUMN(x->s, claws, CLAW_PROVIDERS_MAX))
        return sq_full(x->s);
    sq_status st = x->voucher->spent_fen == 0 ? SQ_OK : share_out(x, back, claws, &count);
    if (st != SQ_OK)
        return st;
    x->progress->stopped = 1; /* from here it must succeed */
    if (!x->voucher->revoked)
        sq_voucher_revoke(core, x->programme, x->voucher);
    for (uint32_t i = 0; i < count; i++)
        claws[i].mandate->spent_fen -= claws[i].fen;
    x->voucher->spent_fen -= back;
    x->progress->back_fen += back;
    p->spent_fen -= back;
    for (uint32_t node = 0; st == SQ_OK && count != 0 && node < core->nodes.count; node++)
        st = sq_owe_back(x->s, x->m->voucher, node, claws, count);
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    answer.count = 1;
    answer.amount_fen = -back;
    return st != SQ_OK ? st : sq_answer(x->s, x->s->party, &answer);
}

/* ---- MEASURE ---- */

static sq_status judge_grade(struct measured *x)
{
    for (uint32_t i = 0; i < x->terms->verdict_count; i++) {
        const struct sq_verdict_rule *v = &x->terms->verdicts[i];
        if (v->grade != x->m->grade)
            continue;
        if (v->action == 3)
            return take_back(x, v->back_bp);
        if (v->action == 1)
            set_free(x);
        else
            x->progress->stopped = 1;
        return sq_answer_accepted(x->s, 1);
    }
    return sq_refuse(x->s, SQ_R_STAGE, "the programme has no verdict on grade %u", x->m->grade);
}

static sq_status judge_metric(struct measured *x, const struct sq_stage *stage)
{
    const struct sq_fact *baseline = baseline_of(x->s->core, x->progress, stage->metric);
    if (baseline == NULL)
        return sq_refuse(x->s, SQ_R_BASELINE, "metric %u has no baseline", stage->metric);
    if (x->m->metric != stage->metric || x->m->value < 0 || x->m->value > SQ_QUANTITY_MAX)
        return sq_refuse(x->s, SQ_R_STAGE, "stage %u waits for metric %u", x->m->stage, stage->metric);
    __int128 then = baseline->value, now = (__int128)x->m->value * 10000;
    int reached = stage->better == 1 ? now <= then * (10000 - (int64_t)stage->change_bp)
                                     : now >= then * (10000 + (int64_t)stage->change_bp);
    if (!reached)
        return sq_refuse(x->s, SQ_R_NOT_REACHED, "metric %u: %" PRId64 " after %" PRId64 ", %u bp are asked for",
                         stage->metric, x->m->value, baseline->value, stage->change_bp);
    set_free(x);
    return sq_answer_accepted(x->s, 1);
}

sq_status sq_on_measure(struct sq_step *s, const Sanquan__V1__Measure *m)
{
    struct measured x;
    sq_status st = find_measured(s, m, &x);
    if (st != SQ_OK)
        return st;
    if (m->stage == 0)
        return record_baseline(&x);
    if (m->stage > x.terms->stage_count || (x.progress->free >> (m->stage - 1) & 1))
        return sq_refuse(s, SQ_R_STAGE, "stage %u is not there, or free", m->stage);
    const struct sq_stage *stage = &x.terms->stages[m->stage - 1];
    if (m->stage > 1 && !(x.progress->free >> (m->stage - 2) & 1))
        return sq_refuse(s, SQ_R_STAGE, "stage %u comes after one that is not free", m->stage);
    if (stage->after_months != 0 && m->day < sq_day_add_months(x.progress->last_day, (int32_t)stage->after_months))
        return sq_refuse(s, SQ_R_STAGE, "stage %u is measured from %u on", m->stage,
                         sq_day_add_months(x.progress->last_day, (int32_t)stage->after_months));
    return stage->trigger == 2 ? judge_grade(&x) : judge_metric(&x, stage);
}

/* ---- CLAWBACK, at the acquirer ---- */

sq_status sq_on_clawback(struct sq_step *s, uint32_t from, const Sanquan__V1__Clawback *m)
{
    struct sq_core *core = s->core;
    struct sq_link_step step = {0};
    uint8_t hash[SQ_HASH_SIZE];
    uint32_t programme = sq_programme_of_voucher(core, m->voucher);
    if (programme == SQ_ROW_NONE || sq_programme_at(core, programme)->node != from || m->n_provider == 0 ||
        m->n_provider > CLAW_PROVIDERS_MAX || m->n_amount_fen != m->n_provider || m->link == NULL)
        return sq_refuse(s, SQ_R_COLUMNS, "clawback on voucher %019" PRIu64, m->voucher);
    for (size_t i = 0; i < m->n_provider; i++) {
        char name[SQ_NAME_SIZE_MAX + 1] = "provider:";
        if (!sq_uscc_valid(m->provider[i]) || (i != 0 && strcmp(m->provider[i - 1], m->provider[i]) >= 0))
            return sq_refuse(s, SQ_R_ORDER, "clawback: provider %.40s", m->provider[i]);
        uint32_t provider = sq_party_find(core, strcat(name, m->provider[i]));
        if (provider == SQ_ROW_NONE || sq_party_at(core, provider)->node != core->self)
            return sq_refuse(s, SQ_R_UNKNOWN_SENDER, "%s is no provider of this node", name);
        if (m->amount_fen[i] <= 0 ||
            __builtin_sub_overflow(step.total_fen[sq_programme_at(core, programme)->kind - 1], m->amount_fen[i],
                                   &step.total_fen[sq_programme_at(core, programme)->kind - 1]))
            return sq_refuse(s, SQ_R_AMOUNT, "clawback of %" PRId64 " fen", m->amount_fen[i]);
        step.count++;
    }
    int64_t gross[SQ_KIND_COUNT];
    memcpy(gross, step.total_fen, sizeof gross);
    sq_status st = sq_link_check_borne(s, from, m->link, &step);
    if (st != SQ_OK)
        return st;
    if (m->link->count != step.count || m->link->n_total_fen != SQ_KIND_COUNT || m->link->hash.len != SQ_HASH_SIZE ||
        memcmp(m->link->total_fen, step.total_fen, sizeof step.total_fen) != 0)
        return sq_refuse(s, SQ_R_LINK_BROKEN, "clawback on voucher %019" PRIu64 ": count or totals differ", m->voucher);
    step.number = m->link->number;
    memcpy(step.hash, m->link->hash.data, SQ_HASH_SIZE);
    st = sq_clawback_hash(m->voucher, m->provider, m->amount_fen, m->n_provider, s->fx->arena, hash, s->err);
    if (st == SQ_OK && (st = sq_settlement_owed(core->settlement, from, m->entry, hash, &step, &s->why)) == SQ_OK)
        sq_link_take_borne(core, from, m->link, gross);
    return st;
}
