/*
 * The acquirer's side of a batch: its provider's redemptions, from the first check to the answer.
 *
 *   row:   checked --(invoice home elsewhere)--> REGISTERING --(Registered)--+
 *             |                                                              v
 *             +--(home here: registered at once)------------------------> CLEARING --(issuer decided)--> DONE
 *             +--(refused)-------------------------------------------------------------------------------^
 *
 * Rows that are parts of a bundle go another way from where CLEARING begins: bundle.c.
 *
 * Invariants: an invoice is registered before its row is decided, and given back when the row is refused; what a RETURN asks back is held
 * at the home until the issuer has decided, and given back only when it accepted; a batch is answered once, when every row is decided; a batch
 * whose rows are all at home here and by themselves is decided in the one step and never waits.
 */
#include "clearing/core/acquirer.h"

/* ---- rows ---- */

struct sq_invoice_claim sq_claim_of_row(const struct sq_core *core, uint32_t provider, const struct sq_rows *r,
                                        size_t i)
{
    struct sq_invoice_claim c = {.programme = sq_programme_of_voucher(core, r->voucher[i]),
                                 .seller = provider,
                                 .acquirer = core->self,
                                 .total_fen = r->total_fen[i],
                                 .base_fen = r->base_fen[i],
                                 .amount_fen = r->amount_fen[i]};
    int ok = sq_invoice_key_of(r->invoice + i * SQ_INVOICE_CELL, &c.key);
    SQ_ASSERT(ok);
    if (c.programme != SQ_ROW_NONE && sq_programme_at(core, c.programme)->stacking == 1)
        c.stack_limit_bp = sq_programme_at(core, c.programme)->stack_limit_bp;
    return c;
}

/* By itself, do we know whom to ask, and does a RETURN speak of what has been decided? */
static unsigned check_row(const struct sq_core *core, uint32_t provider, const struct sq_rows *r, size_t i)
{
    unsigned refused = sq_row_check(core, r, i);
    if (refused != SQ_OK)
        return refused;
    if (r->reservation != NULL && sq_is_part(r->reservation[i]))
        return SQ_R_RESERVATION_UNKNOWN; /* providers have no such numbers */
    uint32_t issuer = sq_row_issuer(core, r, i);
    if (issuer == SQ_ROW_NONE)
        return SQ_R_UNKNOWN_ISSUER;
    if (sq_verb_debits(sq_row_verb(r, i)) && !sq_settlement_may_owe(core->settlement, issuer, core->self))
        return SQ_R_REGION_STANDING;
    if (sq_programme_of_voucher(core, r->voucher[i]) == SQ_ROW_NONE)
        return SQ_R_UNKNOWN_PROGRAMME;
    /* The home cannot tell a claim that will be refused from one that stands; what is under way is no money to return. */
    return sq_row_verb(r, i) == SANQUAN__V1__VERB__RETURN &&
                   sq_waiting_claims(core, provider, r->invoice + i * SQ_INVOICE_CELL)
               ? SQ_R_RETURN_EXCEEDS
               : SQ_OK;
}

static void total_refused(struct sq_core *core, unsigned code)
{
    core->totals.items_refused++;
    core->totals.refused_by_code[code & 255]++;
}

/* ---- all at home: decided in one step ---- */

/* 0, a refusal, or SQ_E_NOMEM: a refusal is 100 or more. */
static unsigned decide_here(struct sq_core *core, struct sq_decision *d, const struct sq_rows *r, size_t i,
                            struct sq_invoice_cursor *cursor)
{
    uint8_t verb = sq_row_verb(r, i);
    unsigned refused;
    if (verb == SANQUAN__V1__VERB__RESERVE || verb == SANQUAN__V1__VERB__RELEASE)
        return sq_decide_row(core, d, r, i);
    struct sq_invoice_claim claim = sq_claim_of_row(core, d->provider, r, i);
    if (verb == SANQUAN__V1__VERB__RETURN) {
        if ((refused = sq_invoice_check_return(&core->invoices, &claim)) != SQ_OK ||
            (refused = sq_decide_row(core, d, r, i)) != SQ_OK)
            return refused;
        return sq_invoice_subtract(&core->invoices, &claim);
    }
    refused = sq_invoice_check(&core->invoices, &claim, cursor);
    if (d->explain != NULL)
        sq_invoice_explain(core, d->explain, &claim, refused);
    if (refused != SQ_OK || (refused = sq_decide_row(core, d, r, i)) != SQ_OK)
        return refused;
    return sq_invoice_add(&core->invoices, &claim, cursor);
}

sq_status sq_owe_local(struct sq_step *s, const struct sq_decision *d, uint64_t batch, const uint32_t *row,
                       const uint8_t *code, size_t n)
{
    if (d->count == 0)
        return SQ_OK;
    struct sq_link_step step = {.count = d->count};
    uint8_t hash[SQ_HASH_SIZE];
    memcpy(step.total_fen, d->total_fen, sizeof step.total_fen);
    sq_status st = sq_result_hash(row, code, n, s->fx->arena, hash, s->err);
    return st != SQ_OK ? st : sq_settlement_owe(s->core->settlement, s->core->self, batch, hash, &step, s->err);
}

static sq_status redeem_local(struct sq_step *s, const struct sq_rows *r)
{
    struct sq_core *core = s->core;
    struct sq_decision d = sq_decision_of(core, core->self, s->party, core->now_ms, s->reserve_until_ms);
    struct sq_invoice_cursor cursor = {0};
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    uint32_t *row;
    const size_t watched = sq_watched_row(core, core->self, s->fx->seq);
    if (SQ_COLUMN(s, row, r->count))
        return sq_full(s);
    for (size_t i = 0; i < r->count; i++) {
        sq_decide_prefetch(core, r, i);
        d.explain = i == watched ? core->watch.out : NULL;
        unsigned refused = check_row(core, s->party, r, i);
        if (refused == SQ_OK)
            refused = decide_here(core, &d, r, i, &cursor);
        if (d.explain != NULL)
            sq_watch_end(core, s->fx->seq, sq_row_verb(r, i), refused);
        if (refused == SQ_E_NOMEM)
            return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
        s->code[i] = (uint8_t)refused;
        row[i] = (uint32_t)i;
        if (refused == SQ_OK) {
            answer.count++;
            answer.amount_fen += sq_row_moves(r, i);
        } else {
            total_refused(core, refused);
        }
    }
    core->totals.items_accepted += answer.count;
    core->totals.items_decided += r->count;
    sq_status st = sq_owe_local(s, &d, s->fx->seq, row, s->code, r->count);
    if (st != SQ_OK)
        return st;
    answer.code = sq_codes(s->code, r->count);
    return sq_answer(s, s->party, &answer);
}

/* ---- asking others ---- */

void sq_row_close(struct sq_waiting *w, size_t i)
{
    SQ_ASSERT(w->stage[i] != SQ_ROW_DONE && w->open > 0);
    w->stage[i] = SQ_ROW_DONE;
    w->open--;
}

void sq_row_answer(struct sq_core *core, struct sq_waiting *w, const struct sq_rows *r, size_t i, unsigned code)
{
    if (sq_watched_row(core, core->self, w->seq) == i)
        sq_watch_end(core, core->seq + 1, sq_row_verb(r, i), code);
    SQ_ASSERT(!sq_row_decided(w, i) && w->left > 0);
    w->code[i] = (uint8_t)code;
    w->left--;
    if (code != SQ_OK) {
        total_refused(core, code);
        return;
    }
    w->accepted++;
    w->amount_fen += sq_row_moves(r, i);
    core->totals.items_accepted++;
}

static void row_done(struct sq_core *core, struct sq_waiting *w, const struct sq_rows *r, size_t i, unsigned code)
{
    sq_row_answer(core, w, r, i, code);
    sq_row_close(w, i);
}

/* This node is the issuer of these rows of a waiting batch. */
static sq_status decide_rows_here(struct sq_step *s, struct sq_waiting *w, const Sanquan__V1__Batch *batch,
                                  const struct sq_rows *r, uint32_t *row, size_t n)
{
    struct sq_core *core = s->core;
    struct sq_decision d = sq_decision_of(core, core->self, w->party, w->received_ms, batch->reserve_until_ms);
    uint32_t *back;
    uint8_t *code;
    size_t back_count = 0;
    if (SQ_COLUMN(s, back, n) || SQ_COLUMN(s, code, n))
        return sq_full(s);
    sq_status st = sq_decide_reserve(core, (uint32_t)n, s->err);
    if (st != SQ_OK)
        return st;
    const size_t watched = sq_watched_row(core, core->self, w->seq);
    for (size_t k = 0; k < n; k++) {
        d.explain = row[k] == watched ? core->watch.out : NULL;
        unsigned refused = sq_decide_row(core, &d, r, row[k]);
        code[k] = (uint8_t)refused;
        row_done(core, w, r, row[k], refused);
        if (sq_row_end_of(w, r, row[k]) != SQ_END_NONE)
            back[back_count++] = row[k];
    }
    core->totals.items_decided += n;
    st = sq_owe_local(s, &d, w->seq, row, code, n);
    return st != SQ_OK ? st : sq_give_back(s, w, r, back, back_count);
}

/* Rows that have just become ready to be cleared (their numbers in `ready`) go to their issuers. */
static sq_status clear_rows(struct sq_step *s, struct sq_waiting *w, const Sanquan__V1__Batch *batch,
                            const struct sq_rows *r, const uint32_t *ready, size_t ready_count)
{
    uint32_t *row; /* of one node; its message is packed before the next */
    if (SQ_COLUMN(s, row, ready_count))
        return sq_full(s);
    for (uint32_t node = 0; node < s->core->nodes.count; node++) {
        size_t n = 0;
        for (size_t k = 0; k < ready_count; k++)
            if (sq_row_issuer(s->core, r, ready[k]) == node)
                row[n++] = ready[k];
        if (n == 0)
            continue;
        sq_status st = node == s->core->self ? decide_rows_here(s, w, batch, r, row, n)
                                             : sq_send_clear(s, w, batch, node, 0, row, n);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}

/* What the journal says of a row at this point. */
static uint8_t outcome_of(const struct sq_waiting *w, uint32_t row)
{
    return sq_row_decided(w, row) ? w->code[row] : (uint8_t)SQ_ROW_WAITS;
}

sq_status sq_answer_if_done(struct sq_step *s, struct sq_waiting *w)
{
    sq_status st = SQ_OK;
    if (w->left == 0 && w->id != 0) {
        Sanquan__V1__Answer answer;
        sanquan__v1__answer__init(&answer);
        answer.id = w->id;
        answer.seq = w->seq;
        answer.count = w->accepted;
        answer.amount_fen = w->amount_fen;
        answer.code = sq_codes(w->code, w->rows);
        st = sq_answer(s, w->party, &answer);
        w->id = 0;
    }
    if (w->open == 0)
        sq_waiting_remove(s->core, w);
    return st;
}

/* Rows that wait for the home at `node`. */
static size_t wanting_home(const struct sq_core *core, const struct sq_waiting *w, const struct sq_rows *r,
                           uint32_t node, uint32_t *row)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        if (w->stage[i] == SQ_ROW_REGISTERING && sq_row_home(core, r, i) == node)
            row[n++] = (uint32_t)i;
    return n;
}

static sq_status send_registers(struct sq_step *s, struct sq_waiting *w, const struct sq_rows *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (w->stage[i] == SQ_ROW_NEW)
            w->stage[i] = SQ_ROW_REGISTERING;
    uint32_t *row; /* of one node; its message is packed before the next */
    if (SQ_COLUMN(s, row, r->count))
        return sq_full(s);
    for (uint32_t node = 0; node < s->core->nodes.count; node++) {
        size_t n = node == s->core->self ? 0 : wanting_home(s->core, w, r, node, row);
        sq_status st = n == 0 ? SQ_OK : sq_send_register(s, w, r, node, row, n);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}

static sq_status redeem_elsewhere(struct sq_step *s, sq_bytes body, const Sanquan__V1__Batch *batch,
                                  const struct sq_rows *r)
{
    struct sq_core *core = s->core;
    struct sq_waiting *w = sq_waiting_add(s, body, r);
    struct sq_invoice_cursor cursor = {0};
    uint32_t *ready;
    size_t ready_count = 0;
    if (w == NULL)
        return sq_fail(s->err, SQ_E_NOMEM, "waiting batch of %zu rows", r->count);
    if (SQ_COLUMN(s, ready, r->count))
        return sq_full(s);
    for (size_t i = 0; i < r->count; i++) {
        unsigned refused = check_row(core, s->party, r, i);
        int is_part = sq_row_bundle(r, i) != 0;
        w->stage[i] = is_part ? SQ_ROW_READY : SQ_ROW_CLEARING;
        if (refused == SQ_OK && is_part)
            refused = sq_part_check(s, batch);
        if (refused == SQ_OK && sq_row_home(core, r, i) != core->self) {
            w->stage[i] = is_part ? SQ_ROW_NEW : SQ_ROW_REGISTERING;
            continue;
        }
        if (refused == SQ_OK && sq_verb_claims(sq_row_verb(r, i))) {
            struct sq_invoice_claim claim = sq_claim_of_row(core, s->party, r, i);
            refused = sq_invoice_check(&core->invoices, &claim, &cursor);
            if (refused == SQ_OK && sq_invoice_add(&core->invoices, &claim, &cursor) != SQ_OK)
                return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
        } else if (refused == SQ_OK && sq_row_verb(r, i) == SANQUAN__V1__VERB__RETURN) {
            struct sq_invoice_claim claim = sq_claim_of_row(core, s->party, r, i);
            refused = sq_invoice_begin_return(&core->invoices, &claim);
            if (refused == SQ_E_NOMEM)
                return sq_fail(s->err, SQ_E_NOMEM, "invoice register");
        }
        if (refused != SQ_OK)
            row_done(core, w, r, i, refused);
        else if (!is_part)
            ready[ready_count++] = (uint32_t)i;
    }
    sq_status st = sq_bundles_go_on(s, w, batch, r);
    if (st == SQ_OK)
        st = send_registers(s, w, r);
    if (st == SQ_OK)
        st = clear_rows(s, w, batch, r, ready, ready_count);
    for (uint32_t i = 0; i < w->rows; i++)
        s->code[i] = outcome_of(w, i);
    return st != SQ_OK ? st : sq_answer_if_done(s, w);
}

sq_status sq_returns_begin(struct sq_step *s, uint32_t provider, const Sanquan__V1__Batch *batch,
                           const struct sq_rows *r)
{
    struct sq_core *core = s->core;
    sq_bytes body;
    uint32_t *ready, *back;
    size_t ready_count = 0, back_count = 0;
    sq_status st = sq_decide_reserve(core, (uint32_t)r->count, s->err);
    if (st == SQ_OK)
        st = sq_wire_pack(&batch->base, &s->memory, &body, s->err);
    if (st != SQ_OK)
        return st;
    struct sq_waiting *w = sq_waiting_add(s, body, r);
    if (w == NULL)
        return sq_fail(s->err, SQ_E_NOMEM, "waiting batch of %zu rows", r->count);
    w->id = 0;
    w->party = provider;
    if (SQ_COLUMN(s, ready, r->count) || SQ_COLUMN(s, back, r->count) || SQ_COLUMN(s, s->code, r->count))
        return sq_full(s);
    core->totals.items_received += r->count;
    s->code_count = r->count;
    for (size_t i = 0; i < r->count; i++) {
        w->stage[i] = SQ_ROW_CLEARING;
        unsigned refused = check_row(core, provider, r, i);
        if (refused == SQ_OK) {
            ready[ready_count++] = (uint32_t)i;
        } else {
            row_done(core, w, r, i, refused);
            back[back_count++] = (uint32_t)i;
        }
    }
    st = sq_give_back(s, w, r, back, back_count);
    if (st == SQ_OK)
        st = clear_rows(s, w, batch, r, ready, ready_count);
    for (uint32_t i = 0; i < w->rows; i++)
        s->code[i] = outcome_of(w, i);
    return st != SQ_OK ? st : sq_answer_if_done(s, w);
}

/* ---- messages ---- */

sq_status sq_on_batch(struct sq_step *s, sq_bytes body, const Sanquan__V1__Batch *m)
{
    struct sq_core *core = s->core;
    struct sq_rows r;
    unsigned broken = sq_rows_of(m, 1, &r);
    if (broken != SQ_OK)
        return sq_refuse(s, (sq_status)broken, "batch of %zu rows", m->n_voucher);
    sq_status st = sq_decide_reserve(core, (uint32_t)r.count, s->err);
    if (st != SQ_OK)
        return st;
    s->code = sq_arena_take(s->fx->arena, r.count);
    s->code_count = r.count;
    s->reserve_until_ms = m->reserve_until_ms;
    if (s->code == NULL)
        return sq_full(s);
    core->totals.items_received += r.count;
    int elsewhere = r.bundle != NULL; /* bundles are kept, even if only until the end of this step */
    for (size_t i = 0; i < r.count && !elsewhere; i++) {
        uint32_t issuer = sq_row_issuer(core, &r, i);
        elsewhere = (issuer != core->self && issuer != SQ_ROW_NONE) || sq_row_home(core, &r, i) != core->self;
    }
    return elsewhere ? redeem_elsewhere(s, body, m, &r) : redeem_local(s, &r);
}

/* The batch a peer speaks of, its rows at the expected stage and addressed to that peer; NULL and s->why otherwise. */
static struct sq_waiting *open_waiting(struct sq_step *s, uint64_t seq, const uint32_t *row, size_t n, size_t codes)
{
    struct sq_waiting *w = sq_waiting_find(s->core, seq);
    if (w == NULL || n == 0 || codes != n) {
        (void)sq_refuse(s, SQ_R_COLUMNS, "batch %" PRIu64 ": not waiting, or columns differ", seq);
        return NULL;
    }
    for (size_t k = 0; k < n; k++)
        if (row[k] >= w->rows || (k != 0 && row[k] <= row[k - 1])) {
            (void)sq_refuse(s, SQ_R_ORDER, "batch %" PRIu64 " row %u", seq, row[k]);
            return NULL;
        }
    return w;
}

sq_status sq_on_registered(struct sq_step *s, uint32_t from, const Sanquan__V1__Registered *m)
{
    struct sq_waiting *w = open_waiting(s, m->batch, m->row, m->n_row, m->code.len);
    const Sanquan__V1__Batch *batch;
    struct sq_rows r;
    if (w == NULL)
        return s->why.status;
    sq_status st = sq_waiting_rows(s, w, &batch, &r);
    if (st != SQ_OK)
        return st;
    for (size_t k = 0; k < m->n_row; k++)
        if (w->stage[m->row[k]] != SQ_ROW_REGISTERING || sq_row_home(s->core, &r, m->row[k]) != from)
            return sq_refuse(s, SQ_R_ORDER, "batch %" PRIu64 " row %u is not registering there", m->batch, m->row[k]);
    uint32_t *ready;
    uint8_t *before;
    size_t ready_count = 0;
    if (SQ_COLUMN(s, ready, m->n_row) || SQ_COLUMN(s, s->code, m->n_row))
        return sq_full(s);
    if ((st = sq_bundles_begin(s, w, &r, &before)) != SQ_OK)
        return st;
    for (size_t k = 0; k < m->n_row; k++) {
        uint32_t i = m->row[k];
        int is_part = sq_row_bundle(&r, i) != 0;
        if (m->code.data[k] != SQ_OK) {
            if (!sq_row_decided(w, i))
                sq_row_answer(s->core, w, &r, i, m->code.data[k]);
            sq_row_close(w, i);
            continue;
        }
        w->stage[i] = is_part ? SQ_ROW_READY : SQ_ROW_CLEARING;
        if (!is_part)
            ready[ready_count++] = i;
    }
    st = sq_bundles_go_on(s, w, batch, &r);
    if (st == SQ_OK)
        st = clear_rows(s, w, batch, &r, ready, ready_count);
    s->code_count = m->n_row;
    for (size_t k = 0; k < m->n_row; k++)
        s->code[k] = outcome_of(w, m->row[k]);
    if (st == SQ_OK)
        st = sq_bundles_list(s, w, before);
    return st != SQ_OK ? st : sq_answer_if_done(s, w);
}

/* Do the debtor's count and totals equal what our own rows add up to, less what this region bears itself? */
static sq_status check_link(struct sq_step *s, uint32_t from, const Sanquan__V1__Decided *m, const struct sq_rows *r,
                            struct sq_link_step *step, int64_t gross_fen[static SQ_KIND_COUNT])
{
    for (size_t k = 0; k < m->n_row; k++) {
        int64_t fen = m->code.data[k] == SQ_OK ? sq_row_moves(r, m->row[k]) : 0;
        if (fen == 0 || m->verb == SANQUAN__V1__VERB__RESERVE || m->verb == SANQUAN__V1__VERB__RELEASE)
            continue;
        step->count++;
        step->total_fen[sq_row_kind(s->core, r, m->row[k]) - 1] += fen;
    }
    if (m->link == NULL)
        return step->count == 0
                   ? SQ_OK
                   : sq_refuse(s, SQ_R_LINK_BROKEN, "batch %" PRIu64 ": obligation without a link", m->batch);
    memcpy(gross_fen, step->total_fen, sizeof step->total_fen);
    sq_status st = sq_link_check_borne(s, from, m->link, step);
    if (st != SQ_OK)
        return st;
    if (m->link->count != step->count || m->link->n_total_fen != SQ_KIND_COUNT || m->link->hash.len != SQ_HASH_SIZE ||
        memcmp(m->link->total_fen, step->total_fen, sizeof step->total_fen) != 0 || step->count == 0)
        return sq_refuse(s, SQ_R_LINK_BROKEN, "batch %" PRIu64 ": count or totals differ", m->batch);
    step->number = m->link->number;
    memcpy(step->hash, m->link->hash.data, SQ_HASH_SIZE);
    return SQ_OK;
}

sq_status sq_rows_decided(struct sq_step *s, struct sq_waiting *w, const Sanquan__V1__Batch *batch,
                          const struct sq_rows *r, const Sanquan__V1__Decided *m, const uint8_t *before)
{
    uint32_t *back;
    size_t back_count = 0;
    if (SQ_COLUMN(s, back, m->n_row))
        return sq_full(s);
    for (size_t k = 0; k < m->n_row; k++) {
        uint32_t i = m->row[k];
        if (m->verb != 0) {
            if (sq_part_decided(s->core, w, r, i, m->code.data[k]))
                back[back_count++] = i;
            continue;
        }
        row_done(s->core, w, r, i, m->code.data[k]);
        if (sq_row_end_of(w, r, i) != SQ_END_NONE)
            back[back_count++] = i;
    }
    sq_status st = sq_give_back(s, w, r, back, back_count);
    if (st == SQ_OK)
        st = sq_bundles_go_on(s, w, batch, r);
    if (st == SQ_OK)
        st = sq_bundles_list(s, w, before);
    return st != SQ_OK ? st : sq_answer_if_done(s, w);
}

sq_status sq_on_decided(struct sq_step *s, uint32_t from, const Sanquan__V1__Decided *m, sq_bytes body)
{
    struct sq_waiting *w = open_waiting(s, m->batch, m->row, m->n_row, m->code.len);
    const Sanquan__V1__Batch *batch;
    struct sq_rows r;
    struct sq_link_step step = {0};
    uint8_t hash[SQ_HASH_SIZE];
    if (w == NULL)
        return s->why.status;
    sq_status st = sq_waiting_rows(s, w, &batch, &r);
    if (st != SQ_OK)
        return st;
    for (size_t k = 0; k < m->n_row; k++) {
        if (sq_part_asked(w, m->row[k]) != m->verb || sq_row_issuer(s->core, &r, m->row[k]) != from)
            return sq_refuse(s, SQ_R_ORDER, "batch %" PRIu64 " row %u is not clearing there", m->batch, m->row[k]);
        if (m->verb == SANQUAN__V1__VERB__COMMIT && m->code.data[k] != SQ_OK)
            return sq_refuse(s, SQ_R_PROMISE, "batch %" PRIu64 " row %u: refused with %u", m->batch, m->row[k],
                             m->code.data[k]);
    }
    int64_t gross[SQ_KIND_COUNT] = {0};
    uint8_t *before;
    st = check_link(s, from, m, &r, &step, gross);
    if (st == SQ_OK)
        st = sq_result_hash(m->row, m->code.data, m->n_row, s->fx->arena, hash, s->err);
    if (st == SQ_OK && step.count != 0 &&
        sq_settlement_owed(s->core->settlement, from, m->batch, hash, &step, &s->why) != SQ_OK)
        st = SQ_R_LINK_BROKEN;    /* s->why says how */
    if (st == SQ_R_LINK_BROKEN) { /* the rows stay open until people have said what is owed */
        sq_status kept = sq_broken_keep(s, from, m, body);
        return kept != SQ_OK ? kept : st;
    }
    if (st != SQ_OK)
        return st;
    sq_link_take_borne(s->core, from, m->link, gross);
    st = sq_bundles_begin(s, w, &r, &before);
    return st == SQ_OK ? sq_rows_decided(s, w, batch, &r, m, before) : st;
}
