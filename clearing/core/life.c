/*
 * A core's birth, its views, its snapshot and its end.
 */
#include <stdlib.h>

#include "clearing/base/day.h"
#include "clearing/core/acquirer.h"

/* Tables and indexes, in the one order that dump, undump and the end share. */
enum { TABLES = 33, INDEXES = 13 };
static void parts(struct sq_core *core, struct sq_table *tables[static TABLES],
                  struct sq_index *indexes[static INDEXES])
{
    struct sq_table *t[TABLES] = {&core->nodes,
                                  &core->parties,
                                  &core->programmes,
                                  &core->terms,
                                  &core->hosted,
                                  &core->orgs,
                                  &core->facts,
                                  &core->edges,
                                  &core->sanctions,
                                  &core->details,
                                  &core->mandates,
                                  &core->accounts,
                                  &core->years,
                                  &core->reservations,
                                  &core->reservation_heap,
                                  &core->held_days,
                                  &core->maturities,
                                  &core->overrides,
                                  &core->applications,
                                  &core->prefunds,
                                  &core->progress,
                                  &core->recognitions,
                                  &core->disputes,
                                  &core->calendar,
                                  &core->anchors,
                                  &core->witnesses,
                                  &core->own_log,
                                  &core->counts.counters,
                                  &core->counts.uses,
                                  &core->counts.contracts,
                                  &core->counts.contract_uses,
                                  &core->counts.deliveries,
                                  &core->counts.scenarios};
    struct sq_index *x[INDEXES] = {&core->party_index,           &core->transport_index,
                                   &core->programme_index,       &core->org_index,
                                   &core->account_index,         &core->reservation_index,
                                   &core->dispute_index,         &core->item_index,
                                   &core->counts.counter_index,  &core->counts.use_index,
                                   &core->counts.contract_index, &core->counts.delivery_index,
                                   &core->counts.scenario_index};
    memcpy(tables, t, sizeof t);
    memcpy(indexes, x, sizeof x);
}

sq_status sq_core_new(struct sq_core **out, struct sq_error *err)
{
    struct sq_core *core = calloc(1, sizeof *core);
    if (core == NULL)
        return sq_fail(err, SQ_E_NOMEM, "core");
    core->nodes = SQ_TABLE_OF(struct sq_node);
    core->parties = SQ_TABLE_OF(struct sq_party);
    core->programmes = SQ_TABLE_OF(struct sq_programme);
    core->terms = SQ_TABLE_OF(struct sq_terms);
    core->orgs = SQ_TABLE_OF(struct sq_org);
    core->facts = SQ_TABLE_OF(struct sq_fact);
    core->edges = SQ_TABLE_OF(struct sq_edge);
    core->sanctions = SQ_TABLE_OF(struct sq_sanction);
    core->details = SQ_TABLE_OF(struct sq_detail);
    core->hosted = SQ_TABLE_OF(struct sq_hosted);
    core->mandates = SQ_TABLE_OF(struct sq_mandate);
    core->accounts = SQ_TABLE_OF(struct sq_account);
    core->years = SQ_TABLE_OF(struct sq_use_of_year);
    core->reservations = SQ_TABLE_OF(struct sq_reservation);
    core->reservation_heap = SQ_TABLE_OF(uint32_t);
    core->held_days = SQ_TABLE_OF(struct sq_held_days);
    core->maturities = SQ_TABLE_OF(struct sq_maturity);
    core->overrides = SQ_TABLE_OF(struct sq_override);
    core->applications = SQ_TABLE_OF(struct sq_application);
    core->prefunds = SQ_TABLE_OF(struct sq_prefund);
    core->progress = SQ_TABLE_OF(struct sq_progress);
    core->recognitions = SQ_TABLE_OF(struct sq_recognition);
    core->disputes = SQ_TABLE_OF(struct sq_dispute);
    core->broken = SQ_TABLE_OF(struct sq_broken);
    core->calendar = SQ_TABLE_OF(struct sq_calendar_day);
    core->anchors = SQ_TABLE_OF(struct sq_anchor);
    core->witnesses = SQ_TABLE_OF(struct sq_witness);
    core->own_log = SQ_TABLE_OF(struct sq_own_log);
    core->dispute_next_ms = core->bundles_next_ms = UINT64_MAX;
    sq_counts_init(&core->counts);
    sq_invoices_init(&core->invoices);
    *out = core;
    return SQ_OK;
}

void sq_core_set_key_check(struct sq_core *core, int (*key_ok)(const uint8_t key[static 32]))
{
    core->key_ok = key_ok;
}
void sq_core_set_signature_check(struct sq_core *core, sq_signature_check signed_by)
{
    core->signed_by = signed_by;
}

void sq_core_free(struct sq_core *core)
{
    if (core == NULL)
        return;
    struct sq_table *tables[TABLES];
    struct sq_index *indexes[INDEXES];
    parts(core, tables, indexes);
    for (size_t i = 0; i < TABLES; i++)
        sq_table_free(tables[i]);
    for (size_t i = 0; i < INDEXES; i++)
        sq_index_free(indexes[i]);
    for (uint32_t i = 0; i < core->voucher_tables; i++)
        sq_table_free(&core->vouchers[i]);
    for (uint32_t i = 0; i < core->waiting_count; i++)
        sq_waiting_free(&core->waiting[i]);
    sq_broken_free(core);
    sq_invoices_free(&core->invoices);
    sq_settlement_free(core->settlement);
    free(core->vouchers);
    free(core->waiting);
    free(core->peer_next);
    free(core);
}

/* ---- views ---- */

uint32_t sq_core_party_count(const struct sq_core *core)
{
    return core->parties.count;
}
const struct sq_party *sq_core_party(const struct sq_core *core, uint32_t number)
{
    return sq_party_at(core, number);
}
uint32_t sq_core_party_find(const struct sq_core *core, const char *name)
{
    return sq_party_find(core, name);
}
uint32_t sq_core_node_count(const struct sq_core *core)
{
    return core->nodes.count;
}
uint32_t sq_core_self(const struct sq_core *core)
{
    return core->self;
}
const uint8_t *sq_core_network_id(const struct sq_core *core)
{
    return core->born ? core->network_id : NULL;
}
uint64_t sq_core_seq(const struct sq_core *core)
{
    return core->seq;
}
uint64_t sq_core_now_ms(const struct sq_core *core)
{
    return core->now_ms;
}
uint32_t sq_core_programme_count(const struct sq_core *core)
{
    return core->programmes.count;
}
const struct sq_settlement *sq_core_settlement(const struct sq_core *core)
{
    return core->settlement;
}

const struct sq_node *sq_core_node(const struct sq_core *core, uint32_t number)
{
    return sq_node_at(core, number);
}
uint64_t sq_core_peer_next(const struct sq_core *core, uint32_t node)
{
    return core->peer_next[node];
}

void sq_core_programme(const struct sq_core *core, uint32_t number, struct sq_programme_view *out)
{
    const struct sq_programme *p = sq_programme_at(core, number);
    const struct sq_terms *t = sq_terms_at(core, p->terms);
    *out = (struct sq_programme_view){p->issuer,      p->number,
                                      p->version,     p->kind,
                                      p->node,        p->pool_fen,
                                      p->granted_fen, p->reserved_fen,
                                      p->spent_fen,   t->rate_bp,
                                      t->from_day,    t->until_day,
                                      t->title,       core->vouchers[number].count};
}

sq_status sq_core_funder(const struct sq_core *core, uint32_t number, uint32_t k, struct sq_funder_view *out)
{
    const struct sq_programme *p = sq_programme_at(core, number);
    const struct sq_terms *t = sq_terms_at(core, p->terms);
    if (k >= t->funder_count)
        return SQ_E_NOT_FOUND;
    *out = (struct sq_funder_view){t->funders[k].code, t->funders[k].share_bp, sq_funder_share(t, k, p->spent_fen)};
    return SQ_OK;
}

uint32_t sq_core_scenario_count(const struct sq_core *core)
{
    return core->counts.scenarios.count;
}

void sq_core_scenario(const struct sq_core *core, uint32_t i, struct sq_scenario_view *out)
{
    const struct sq_scenario *s = SQ_ROW(&core->counts.scenarios, struct sq_scenario, i);
    *out = (struct sq_scenario_view){s->programme, s->scenario, s->redeemed_fen, s->returned_fen, s->count};
}

static void view_application(const struct sq_core *core, const struct sq_application *a,
                             struct sq_application_view *out)
{
    *out = (struct sq_application_view){.programme = a->programme,
                                        .number = a->number,
                                        .holder = sq_party_at(core, a->holder)->name,
                                        .state = (enum sq_application_state)a->state,
                                        .asked_fen = a->asked_fen,
                                        .approved_fen = a->approved_fen,
                                        .day = a->day,
                                        .side = a->side,
                                        .score = a->score,
                                        .grade = a->grade,
                                        .verdict = a->verdict,
                                        .voucher = a->voucher};
}

uint32_t sq_core_application_count(const struct sq_core *core)
{
    return core->applications.count;
}

void sq_core_application_at(const struct sq_core *core, uint32_t i, struct sq_application_view *out)
{
    view_application(core, SQ_ROW(&core->applications, struct sq_application, i), out);
}

sq_status sq_core_application(const struct sq_core *core, uint32_t number, uint64_t application,
                              struct sq_application_view *out)
{
    for (uint32_t row = sq_programme_at(core, number)->first_application; row != SQ_ROW_NONE;) {
        const struct sq_application *a = SQ_ROW(&core->applications, struct sq_application, row);
        row = a->next;
        if (a->number != application)
            continue;
        view_application(core, a, out);
        return SQ_OK;
    }
    return SQ_E_NOT_FOUND;
}

sq_status sq_core_voucher(const struct sq_core *core, uint64_t number, struct sq_voucher_view *out)
{
    uint32_t programme;
    const struct sq_voucher *v = sq_voucher_find(core, number, &programme);
    if (v == NULL)
        return SQ_E_NOT_FOUND;
    enum sq_voucher_state state = SQ_VOUCHER_GRANTED;
    if (v->revoked)
        state = SQ_VOUCHER_REVOKED;
    else if (v->spent_fen == v->face_fen && !v->asleep)
        state = SQ_VOUCHER_EXHAUSTED;
    else if (core->today > v->until_day)
        state = SQ_VOUCHER_EXPIRED;
    else if (v->mandate != SQ_ROW_NONE)
        state = SQ_VOUCHER_ACTIVE;
    *out = (struct sq_voucher_view){.number = number,
                                    .holder = sq_party_at(core, v->holder)->name,
                                    .state = state,
                                    .face_fen = v->face_fen,
                                    .reserved_fen = v->reserved_fen,
                                    .spent_fen = v->spent_fen,
                                    .until_day = v->until_day};
    out->free_fen = -1;
    const struct sq_detail *d = v->detail != SQ_ROW_NONE ? SQ_ROW(&core->details, struct sq_detail, v->detail) : NULL;
    if (d != NULL && d->progress != SQ_ROW_NONE) {
        const struct sq_progress *g = SQ_ROW(&core->progress, struct sq_progress, d->progress);
        out->free_fen = d->free_fen;
        out->stages_free = g->free;
        out->stopped = g->stopped;
        out->back_fen = g->back_fen;
    }
    return SQ_OK;
}

void sq_core_totals(const struct sq_core *core, struct sq_core_totals *out)
{
    *out = core->totals;
    out->batches_waiting = core->waiting_count;
}

/* ---- snapshot ---- */

#define SNAPSHOT_VERSION 20u

void sq_core_dump(struct sq_core *core, struct sq_dump *d)
{
    struct sq_table *tables[TABLES];
    struct sq_index *indexes[INDEXES];
    parts(core, tables, indexes);
    sq_dump_u64(d, SNAPSHOT_VERSION);
    sq_dump_u64(d, core->now_ms);
    sq_dump_u64(d, core->seq);
    sq_dump_u64(d, core->self);
    sq_dump_u64(d, (uint64_t)core->born);
    sq_dump_put(d, core->network_id, sizeof core->network_id);
    sq_dump_put(d, &core->totals, sizeof core->totals);
    for (size_t i = 0; i < TABLES; i++)
        sq_dump_table(d, tables[i]);
    for (size_t i = 0; i < INDEXES; i++)
        sq_dump_index(d, indexes[i]);
    for (uint32_t i = 0; i < core->programmes.count; i++)
        sq_dump_table(d, &core->vouchers[i]);
    for (uint32_t i = 0; i < core->nodes.count; i++)
        sq_dump_u64(d, core->peer_next[i]);
    sq_invoices_dump(&core->invoices, d);
    sq_waiting_dump(core, d);
    sq_broken_dump(core, d);
    if (core->born)
        sq_settlement_dump(core->settlement, d);
}

void sq_core_dump_done(struct sq_core *core)
{
    sq_invoices_dump_done(&core->invoices);
}

static sq_status undump_rest(struct sq_core *core, struct sq_reader *r, struct sq_error *err)
{
    for (uint32_t i = 0; i < core->terms.count; i++)
        if (sq_terms_at(core, i)->limit_count > core->counts.limits_max)
            core->counts.limits_max = sq_terms_at(core, i)->limit_count;
    sq_disputes_recount(core);
    sq_reservations_recount(core);
    core->voucher_tables = core->programmes.count;
    core->vouchers = calloc(core->voucher_tables + 1u, sizeof *core->vouchers);
    core->peer_next = calloc(core->nodes.count + 1u, sizeof *core->peer_next);
    char(*codes)[7] = calloc(core->nodes.count + 1u, sizeof *codes);
    if (core->vouchers == NULL || core->peer_next == NULL || codes == NULL) {
        free(codes);
        return sq_fail(err, SQ_E_NOMEM, "snapshot");
    }
    for (uint32_t i = 0; i < core->nodes.count; i++)
        memcpy(codes[i], sq_node_at(core, i)->code, sizeof codes[i]);
    sq_status st = SQ_OK;
    for (uint32_t i = 0; st == SQ_OK && i < core->voucher_tables; i++) {
        core->vouchers[i] = SQ_TABLE_OF(struct sq_voucher);
        st = sq_undump_table(r, &core->vouchers[i], err);
    }
    for (uint32_t i = 0; i < core->nodes.count; i++)
        core->peer_next[i] = sq_read_be64(r);
    if (st == SQ_OK)
        st = sq_invoices_undump(&core->invoices, r, err);
    if (st == SQ_OK)
        st = sq_waiting_undump(core, r, err);
    if (st == SQ_OK)
        st = sq_broken_undump(core, r, err);
    if (st == SQ_OK && core->born) {
        struct sq_settlement_setup setup = {.codes = codes,
                                            .node_count = core->nodes.count,
                                            .self = core->self,
                                            .method = SQ_NET_HUB,
                                            .round_timeout_ms = 1}; /* the dump brings the real ones */
        st = sq_settlement_new(&setup, core->now_ms, &core->settlement, err);
        if (st == SQ_OK)
            st = sq_settlement_undump(core->settlement, r, err);
    }
    free(codes);
    return st;
}

sq_status sq_core_undump(struct sq_core *core, sq_bytes bytes, struct sq_error *err)
{
    struct sq_table *tables[TABLES];
    struct sq_index *indexes[INDEXES];
    struct sq_reader r = sq_reader_of(bytes);
    parts(core, tables, indexes);
    if (sq_read_be64(&r) != SNAPSHOT_VERSION)
        return sq_fail(err, SQ_E_FORMAT, "snapshot of another version");
    core->now_ms = sq_read_be64(&r);
    core->today = sq_day_of_ms(core->now_ms);
    core->seq = sq_read_be64(&r);
    core->self = (uint32_t)sq_read_be64(&r);
    core->born = sq_read_be64(&r) == 1;
    const uint8_t *id = sq_read_bytes(&r, sizeof core->network_id), *totals = sq_read_bytes(&r, sizeof core->totals);
    if (r.bad)
        return sq_fail(err, SQ_E_FORMAT, "snapshot is short");
    memcpy(core->network_id, id, sizeof core->network_id);
    memcpy(&core->totals, totals, sizeof core->totals);
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < TABLES; i++)
        st = sq_undump_table(&r, tables[i], err);
    for (size_t i = 0; st == SQ_OK && i < INDEXES; i++)
        st = sq_undump_index(&r, indexes[i], err);
    if (st == SQ_OK)
        st = undump_rest(core, &r, err);
    if (st == SQ_OK && (r.bad || r.at != r.end))
        st = sq_fail(err, SQ_E_FORMAT, "snapshot has %s bytes", r.bad ? "missing" : "further");
    return st;
}
