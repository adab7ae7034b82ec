/*
 * Requests of other acquirers: an issuer decides their rows.
 *
 * Invariants: a request is answered in the step that takes it, row for row; what moved money becomes one step of the link
 * stream to the acquirer; a request past its stated time moves nothing. What was promised by holding a part of a bundle is kept
 * whenever the acquirer's word comes, and whatever the standing of the two regions is by then.
 */
#include "clearing/core/issuer.h"

#include "clearing/base/uscc.h"

/* A batch may wait long for an invoice's home. Windows and ends are judged by when it was received, but not without bound. */
#define RECEIVED_AGO_MAX_MS (7u * 86400000u)

sq_status sq_result_hash(const uint32_t *row, const uint8_t *code, size_t count, struct sq_arena *arena,
                         uint8_t out[static SQ_HASH_SIZE], struct sq_error *err)
{
    uint8_t *rows = sq_arena_take(arena, count * 4 + 1);
    if (rows == NULL)
        return sq_fail(err, SQ_E_FULL, "step memory");
    for (size_t i = 0; i < count; i++)
        sq_put_be32(rows + i * 4, row[i]);
    struct sq_sha256_part parts[2] = {{rows, count * 4}, {code, count}};
    sq_sha256_parts(parts, 2, out);
    return SQ_OK;
}

/* What is asked for parts of bundles: one verb for all; 0: the rows are not parts of bundles. */
static uint8_t part_verb(const Sanquan__V1__Batch *items)
{
    return items->n_reservation != 0 && items->verb.len != 0 && sq_is_part(items->reservation[0]) ? items->verb.data[0]
                                                                                                  : 0;
}

/* Are all rows parts of bundles of which the same is asked, or none? */
static int asks_one_thing(const struct sq_rows *r, uint8_t verb)
{
    for (size_t i = 0; i < r->count; i++)
        if ((r->reservation != NULL && sq_is_part(r->reservation[i])) != (verb != 0) ||
            (verb != 0 && sq_row_verb(r, i) != verb))
            return 0;
    return verb == 0 || (verb >= SANQUAN__V1__VERB__RESERVE && verb <= SANQUAN__V1__VERB__RELEASE);
}

/* What is wrong with a row by itself, and whether the two regions take it. */
static unsigned check_asked(const struct sq_core *core, const struct sq_rows *r, size_t i, uint32_t from, int promised)
{
    unsigned refused = sq_row_check(core, r, i);
    if (refused != SQ_OK)
        return refused;
    if (sq_node_of_issuer(core, (uint32_t)(r->voucher[i] / SQ_SERIAL_RADIX / SQ_PROGRAMME_RADIX)) != core->self)
        return SQ_R_UNKNOWN_VOUCHER;
    return !promised && sq_verb_debits(sq_row_verb(r, i)) && !sq_settlement_may_owe(core->settlement, core->self, from)
               ? SQ_R_REGION_STANDING
               : SQ_OK;
}

static sq_status send_decided(struct sq_step *s, uint32_t to, const Sanquan__V1__Clear *m, const uint8_t *code,
                              const struct sq_decision *d)
{
    Sanquan__V1__Decided out;
    Sanquan__V1__Link link;
    sanquan__v1__decided__init(&out);
    sanquan__v1__link__init(&link);
    out.batch = m->batch;
    out.row = m->row;
    out.n_row = m->n_row;
    out.verb = part_verb(m->items);
    out.code.len = m->n_row;
    out.code.data = sq_arena_copy(s->fx->arena, code, m->n_row);
    if (out.code.data == NULL)
        return sq_full(s);
    struct sq_link_step step = {.count = d->count};
    if (d->count != 0) {
        uint8_t hash[SQ_HASH_SIZE];
        memcpy(step.total_fen, d->total_fen, sizeof step.total_fen);
        sq_status st = sq_result_hash(m->row, code, m->n_row, s->fx->arena, hash, s->err);
        if (st == SQ_OK)
            st = sq_link_bear(s, to, d->day, &step, &link);
        if (st == SQ_OK)
            st = sq_settlement_owe(s->core->settlement, to, m->batch, hash, &step, s->err);
        if (st != SQ_OK)
            return st;
        link.number = step.number;
        link.hash = (ProtobufCBinaryData){SQ_HASH_SIZE, step.hash};
        link.count = step.count;
        link.n_total_fen = SQ_KIND_COUNT;
        link.total_fen = step.total_fen;
        out.link = &link;
    }
    return sq_effects_send(s->fx, to, SANQUAN__V1__MESSAGE_TYPE__DECIDED, &out.base, s->err);
}

sq_status sq_on_clear(struct sq_step *s, uint32_t from, const Sanquan__V1__Clear *m)
{
    struct sq_core *core = s->core;
    struct sq_rows r;
    uint32_t provider;
    if (m->items == NULL || sq_rows_of(m->items, 1, &r) != SQ_OK || m->n_row != r.count ||
        !sq_rows_ascend(m->row, m->n_row) || !asks_one_thing(&r, part_verb(m->items)))
        return sq_refuse(s, SQ_R_COLUMNS, "clear of batch %" PRIu64, m->batch);
    if (!sq_uscc_valid(m->provider))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->provider);
    sq_status st = sq_party_intern(core, "provider", m->provider, from, &provider, s->err);
    if (st == SQ_OK && !sq_party_at(core, provider)->known_key)
        sq_party_at(core, provider)->node = from; /* a mandate may have named it before anybody knew its home */
    if (st == SQ_OK)
        st = sq_decide_reserve(core, (uint32_t)r.count, s->err);
    if (st != SQ_OK)
        return st;
    s->code = sq_arena_take(s->fx->arena, r.count);
    s->code_count = r.count;
    if (s->code == NULL)
        return sq_full(s);
    /* Two clocks: one that is a little ahead of ours means now. */
    uint64_t at_ms = m->received_at_ms < core->now_ms ? m->received_at_ms : core->now_ms;
    struct sq_decision d = sq_decision_of(core, from, provider, at_ms, m->items->reserve_until_ms);
    const int promised =
        part_verb(m->items) == SANQUAN__V1__VERB__COMMIT || part_verb(m->items) == SANQUAN__V1__VERB__RELEASE;
    const unsigned late = promised                                     ? SQ_OK
                          : core->now_ms > m->expires_at_ms            ? SQ_R_EXPIRED
                          : core->now_ms - at_ms > RECEIVED_AGO_MAX_MS ? SQ_R_TOO_LATE
                                                                       : SQ_OK;
    const size_t watched = sq_watched_row(core, from, m->batch);
    for (size_t i = 0; i < r.count; i++) {
        sq_decide_prefetch(core, &r, i);
        d.explain = m->row[i] == watched ? core->watch.out : NULL;
        unsigned refused = late != SQ_OK ? late : check_asked(core, &r, i, from, promised);
        s->code[i] = (uint8_t)(refused != SQ_OK ? refused : sq_decide_row(core, &d, &r, i));
        if (d.explain != NULL)
            sq_watch_end(core, s->fx->seq, sq_row_verb(&r, i), s->code[i]);
    }
    core->totals.items_decided += r.count;
    return send_decided(s, from, m, s->code, &d);
}
