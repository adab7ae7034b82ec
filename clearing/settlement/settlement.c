/*
 * A settlement's birth, confirmation of payment, views, snapshot and end.
 *
 *   FINAL --maker: right payments--> INSTRUCTED --checker: the same--> SETTLED
 *     \--a fen off--> BREAK --right payments--> INSTRUCTED            maker and checker are two people
 */
#include "clearing/settlement/settlement.h"

#include <stdlib.h>

#include "clearing/settlement/internal.h"

sq_status sq_settlement_new(const struct sq_settlement_setup *setup, uint64_t now_ms, struct sq_settlement **out,
                            struct sq_error *err)
{
    struct sq_settlement *s = calloc(1, sizeof *s);
    if (s == NULL)
        return sq_fail(err, SQ_E_NOMEM, "settlement");
    s->n = setup->node_count;
    s->self = setup->self;
    s->method = setup->method;
    s->round_timeout_ms = setup->round_timeout_ms;
    s->codes = calloc(s->n + 1u, sizeof *s->codes);
    s->owes = calloc(s->n + 1u, sizeof *s->owes);
    s->owed = calloc(s->n + 1u, sizeof *s->owed);
    s->regions = calloc(s->n + 1u, sizeof *s->regions);
    sq_status st = s->codes != NULL && s->owes != NULL && s->owed != NULL && s->regions != NULL
                       ? sq_window_new(s, 1, err)
                       : sq_fail(err, SQ_E_NOMEM, "settlement");
    if (st != SQ_OK) {
        sq_settlement_free(s);
        return st;
    }
    memcpy(s->codes, setup->codes, s->n * sizeof *s->codes);
    for (uint32_t i = 0; i < s->n; i++) {
        sq_link_init(&s->owes[i]);
        sq_link_init(&s->owed[i]);
    }
    s->breaks = SQ_TABLE_OF(struct sq_break);
    s->doubles = SQ_TABLE_OF(struct sq_double_statement);
    s->wishes = SQ_TABLE_OF(struct sq_support);
    s->defaults = SQ_TABLE_OF(struct sq_default);
    sq_settlement_set_charter(s, &(struct sq_charter){0}, NULL, NULL);
    s->open = 1;
    s->windows[0]->state = SQ_WINDOW_OPEN;
    s->windows[0]->opened_ms = now_ms;
    *out = s;
    return SQ_OK;
}

void sq_settlement_set_charter(struct sq_settlement *s, const struct sq_charter *charter, const int64_t *guarantee_fen,
                               const uint8_t *enrolled)
{
    s->charter = *charter;
    s->account.maker = SQ_ROW_NONE;
    for (uint32_t i = 0; i < s->n; i++) {
        s->regions[i].standing = enrolled != NULL && enrolled[i] ? SQ_REGION_ENROLLED : SQ_REGION_ACTIVE;
        s->regions[i].guarantee_fen = guarantee_fen != NULL ? guarantee_fen[i] : 0;
        s->regions[i].maker = SQ_ROW_NONE;
    }
}

void sq_settlement_free(struct sq_settlement *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->window_count; i++)
        sq_window_free(s->windows[i]);
    for (uint32_t i = 0; s->owes != NULL && s->owed != NULL && i < s->n; i++) {
        sq_link_free(&s->owes[i]);
        sq_link_free(&s->owed[i]);
    }
    sq_table_free(&s->breaks);
    sq_table_free(&s->doubles);
    sq_table_free(&s->wishes);
    sq_table_free(&s->defaults);
    free(s->regions);
    free(s->windows);
    free(s->codes);
    free(s->owes);
    free(s->owed);
    free(s);
}

/* ---- confirmation ---- */

static int concerns(const struct sq_settlement *s, const Sanquan__V1__Payment *p)
{
    return strcmp(p->payer, s->codes[s->self]) == 0 || strcmp(p->payee, s->codes[s->self]) == 0;
}

static int by_kind_payer_payee(const void *a, const void *b)
{
    const Sanquan__V1__Payment *const *x = a, *const *y = b;
    if ((*x)->kind != (*y)->kind)
        return (*x)->kind < (*y)->kind ? -1 : 1;
    int order = strcmp((*x)->payer, (*y)->payer);
    if (order == 0)
        order = strcmp((*x)->payee, (*y)->payee);
    return order != 0 ? order : (*x)->amount_fen < (*y)->amount_fen ? -1 : (*x)->amount_fen > (*y)->amount_fen;
}

/*
 * What the bank is to have moved for this node, in order: its payments, without those of a region that was found not to have paid, and what it
 * pays instead of another. `out` has room for all; returns how many.
 */
static size_t own_payments(const struct sq_settlement *s, const Sanquan__V1__Settlement *value,
                           const Sanquan__V1__Payment **out)
{
    size_t n = 0;
    for (size_t i = 0; i < value->n_payments; i++) {
        uint32_t payer = sq_code_find(s, value->payments[i]->payer);
        if (concerns(s, value->payments[i]) &&
            (payer == SQ_ROW_NONE || !sq_settlement_defaulted(s, payer, value->window)))
            out[n++] = value->payments[i];
    }
    for (size_t i = 0; i < value->n_losses; i++)
        if (concerns(s, value->losses[i]))
            out[n++] = value->losses[i];
    qsort(out, n, sizeof *out, by_kind_payer_payee);
    return n;
}

/* Is that what the bank was to do? With the checker's word the account moves. */
static sq_status compare_payments(struct sq_settlement *s, const struct sq_window *w, const Sanquan__V1__Confirm *m,
                                  struct sq_error *err)
{
    Sanquan__V1__Settlement *value = sq_settlement_open(sq_bytes_of(w->decided.data, w->decided.size));
    if (value == NULL)
        return sq_fail(err, SQ_E_NOMEM, "settlement of window %" PRIu64, w->number);
    const Sanquan__V1__Payment **own = malloc((value->n_payments + value->n_losses + 1) * sizeof *own);
    sq_status st = own != NULL ? SQ_OK : sq_fail(err, SQ_E_NOMEM, "payments of window %" PRIu64, w->number);
    size_t count = own != NULL ? own_payments(s, value, own) : 0;
    for (size_t i = 0; st == SQ_OK && i <= m->n_payments; i++) {
        const Sanquan__V1__Payment *want = i < count ? own[i] : NULL, *got = i < m->n_payments ? m->payments[i] : NULL;
        if (want == NULL && got == NULL)
            break;
        if (want == NULL || got == NULL)
            st = sq_fail(err, SQ_R_CONFIRM_DIFFERS, "window %" PRIu64 ": %s payment %zu", w->number,
                         want == NULL ? "an unexpected" : "missing", i + 1);
        else if (want->kind != got->kind || strcmp(want->payer, got->payer) != 0 ||
                 strcmp(want->payee, got->payee) != 0 || want->amount_fen != got->amount_fen)
            st = sq_fail(err, SQ_R_CONFIRM_DIFFERS,
                         "window %" PRIu64 " payment %zu: settlement has kind %u %s to %s %" PRId64
                         " fen, confirmation has kind %u %" PRId64 " fen",
                         w->number, i + 1, want->kind, want->payer, want->payee, want->amount_fen, got->kind,
                         got->amount_fen);
    }
    for (size_t i = 0; st == SQ_OK && m->role == 2 && i < count; i++)
        sq_account_move(s, own[i], SQ_ACCOUNT_SETTLE);
    free(own);
    sanquan__v1__settlement__free_unpacked(value, NULL);
    return st;
}

sq_status sq_settlement_confirm(struct sq_settlement *s, uint32_t party, sq_bytes body, uint64_t now_ms,
                                struct sq_effects *fx, struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    ProtobufCMessage *opened;
    sq_status st = sq_wire_open(&sanquan__v1__confirm__descriptor, body, &memory, &opened, err);
    if (st != SQ_OK)
        return st;
    const Sanquan__V1__Confirm *m = (const Sanquan__V1__Confirm *)opened;
    struct sq_window *w = m->window >= 1 && m->window <= s->window_count ? s->windows[m->window - 1] : NULL;
    int checker = m->role == 2;
    if (w == NULL || (m->role != 1 && !checker) ||
        (checker ? w->state != SQ_WINDOW_INSTRUCTED : w->state != SQ_WINDOW_FINAL && w->state != SQ_WINDOW_BREAK))
        return sq_fail(err, SQ_R_WINDOW_STATE, "window %" PRIu64 " has nothing for a %s to confirm", m->window,
                       checker ? "checker" : "maker");
    if (checker && party == w->maker)
        return sq_fail(err, SQ_R_SAME_PERSON, "window %" PRIu64, m->window);
    st = compare_payments(s, w, m, err);
    if (st == SQ_R_CONFIRM_DIFFERS) {
        w->state = SQ_WINDOW_BREAK;
        w->maker = SQ_ROW_NONE;
    }
    if (st != SQ_OK)
        return st;
    w->state = checker ? SQ_WINDOW_SETTLED : SQ_WINDOW_INSTRUCTED;
    if (checker)
        w->settled_ms = now_ms;
    else
        w->maker = party;
    return SQ_OK;
}

/* ---- views ---- */

uint64_t sq_settlement_open_window(const struct sq_settlement *s)
{
    return s->open;
}

uint64_t sq_settlement_last_final(const struct sq_settlement *s)
{
    return s->deciding != 0 ? s->deciding - 1 : s->open - 1;
}

sq_status sq_settlement_window(const struct sq_settlement *s, uint64_t window, struct sq_window_view *out,
                               struct sq_error *err)
{
    if (window == 0 || window > s->open)
        return sq_fail(err, SQ_E_NOT_FOUND, "window %" PRIu64, window);
    const struct sq_window *w = s->windows[window - 1];
    uint32_t round = w->agreement.decided_round != 0 ? w->agreement.decided_round - 1 : w->agreement.round;
    *out = (struct sq_window_view){.window = window,
                                   .opened_ms = w->opened_ms,
                                   .cut_ms = w->cut_ms,
                                   .final_ms = w->final_ms,
                                   .settled_ms = w->settled_ms,
                                   .state = (enum sq_window_state)w->state,
                                   .round = round,
                                   .precommits = sq_settlement_signers(s, window, NULL, 0),
                                   .value = sq_bytes_of(w->decided.data, w->decided.size)};
    if (w->decided.data != NULL)
        memcpy(out->value_hash, w->agreement.decided, SQ_HASH_SIZE);
    return SQ_OK;
}

uint32_t sq_settlement_signers(const struct sq_settlement *s, uint64_t window, uint32_t *nodes, uint32_t max)
{
    if (window == 0 || window > s->window_count || s->windows[window - 1]->agreement.decided_round == 0)
        return 0;
    const struct sq_agreement *a = &s->windows[window - 1]->agreement;
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->votes.count; i++) {
        const struct sq_agreement_vote *v = SQ_ROW(&a->votes, struct sq_agreement_vote, i);
        if (v->step != SQ_STEP_PRECOMMIT || v->round + 1 != a->decided_round || v->nil ||
            memcmp(v->value, a->decided, SQ_HASH_SIZE) != 0)
            continue;
        if (n < max)
            nodes[n] = v->node;
        n++;
    }
    return n;
}

uint32_t sq_settlement_double_votes(const struct sq_settlement *s, struct sq_double_vote *out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < s->window_count; w++) {
        const struct sq_table *t = &s->windows[w]->agreement.doubles;
        for (uint32_t i = 0; i + 1 < t->count; i += 2, n++) {
            const struct sq_agreement_vote *one = SQ_ROW(t, struct sq_agreement_vote, i),
                                           *two = SQ_ROW(t, struct sq_agreement_vote, i + 1);
            if (n >= max)
                continue;
            out[n] =
                (struct sq_double_vote){.window = w + 1u, .node = one->node, .round = one->round, .step = one->step};
            memcpy(out[n].first, one->value, SQ_HASH_SIZE);
            memcpy(out[n].second, two->value, SQ_HASH_SIZE);
        }
    }
    return n;
}

/* ---- snapshot ---- */

static void dump_blob(struct sq_dump *d, const struct sq_blob *b)
{
    sq_dump_u64(d, b->data != NULL ? b->size + 1 : 0);
    if (b->data != NULL)
        sq_dump_put(d, b->data, b->size);
}

static sq_status undump_blob(struct sq_reader *r, struct sq_blob *b, struct sq_error *err)
{
    uint64_t size = sq_read_be64(r);
    if (r->bad || size == 0)
        return r->bad ? sq_fail(err, SQ_E_FORMAT, "snapshot ends in a window") : SQ_OK;
    const uint8_t *bytes = sq_read_bytes(r, size - 1);
    if (bytes == NULL)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends in a settlement");
    *b = (struct sq_blob){malloc(size), size - 1};
    if (b->data == NULL)
        return sq_fail(err, SQ_E_NOMEM, "settlement");
    memcpy(b->data, bytes, size - 1);
    return SQ_OK;
}

/* Plain fields of a window: a copy with its pointers taken out, so that equal states give equal bytes. */
static struct sq_window bare(const struct sq_window *w)
{
    struct sq_window b = *w;
    b.debtor = b.creditor = NULL;
    b.heard = NULL;
    b.closing = NULL;
    memset(b.value, 0, sizeof b.value);
    b.decided = (struct sq_blob){0};
    b.fetch = NULL;
    b.letters = b.told = b.said = b.said_bytes = b.shown = (struct sq_table){.row_size = 0};
    b.agreement.votes.rows = b.agreement.proposals.rows = b.agreement.doubles.rows = NULL;
    b.agreement.votes.count = b.agreement.proposals.count = b.agreement.doubles.count = 0;
    b.agreement.votes.capacity = b.agreement.proposals.capacity = b.agreement.doubles.capacity = 0;
    return b;
}

static void dump_window(const struct sq_settlement *s, const struct sq_window *w, struct sq_dump *d)
{
    struct sq_window b = bare(w);
    size_t cells = (size_t)s->n * s->n;
    sq_dump_put(d, &b, sizeof b);
    sq_dump_table(d, &w->agreement.votes);
    sq_dump_table(d, &w->agreement.proposals);
    sq_dump_table(d, &w->agreement.doubles);
    sq_dump_table(d, &w->letters);
    sq_dump_table(d, &w->told);
    sq_dump_table(d, &w->said);
    sq_dump_table(d, &w->said_bytes);
    sq_dump_table(d, &w->shown);
    sq_dump_u64(d, w->debtor != NULL);
    if (w->debtor != NULL) {
        sq_dump_put(d, w->debtor, cells * sizeof *w->debtor);
        sq_dump_put(d, w->creditor, cells * sizeof *w->creditor);
        sq_dump_put(d, w->heard, s->n * sizeof *w->heard);
        sq_dump_put(d, w->closing, s->n * sizeof *w->closing);
    }
    for (uint32_t i = 0; i < w->value_count; i++) {
        sq_dump_put(d, w->value[i].hash, SQ_HASH_SIZE);
        sq_dump_u64(d, w->value[i].valid);
        sq_dump_u64(d, w->value[i].proposer);
        dump_blob(d, &w->value[i].bytes);
        dump_blob(d, &w->value[i].recipe);
    }
    sq_dump_u64(d, w->fetch != NULL);
    if (w->fetch != NULL) {
        struct sq_fetch f = *w->fetch;
        f.data.data = NULL;
        sq_dump_put(d, &f, sizeof f);
        dump_blob(d, &w->fetch->data);
    }
    dump_blob(d, &w->decided);
}

static sq_status undump_matrix(struct sq_reader *r, void *out, size_t size, struct sq_error *err)
{
    const uint8_t *bytes = sq_read_bytes(r, size);
    if (bytes == NULL)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends in statements");
    void *copy = malloc(size + 1);
    if (copy == NULL)
        return sq_fail(err, SQ_E_NOMEM, "statements");
    memcpy(copy, bytes, size);
    memcpy(out, &copy, sizeof copy);
    // cppcheck-suppress memleak ; *out has it
    return SQ_OK;
}

static sq_status undump_fetch(struct sq_window *w, struct sq_reader *r, struct sq_error *err)
{
    if (sq_read_be64(r) == 0)
        return SQ_OK;
    const uint8_t *bytes = sq_read_bytes(r, sizeof *w->fetch);
    if (bytes == NULL)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends in parts of a settlement");
    w->fetch = malloc(sizeof *w->fetch);
    if (w->fetch == NULL)
        return sq_fail(err, SQ_E_NOMEM, "parts of a settlement");
    memcpy(w->fetch, bytes, sizeof *w->fetch);
    w->fetch->data = (struct sq_blob){0};
    return undump_blob(r, &w->fetch->data, err);
}

static sq_status undump_window(const struct sq_settlement *s, struct sq_window *w, struct sq_reader *r,
                               struct sq_error *err)
{
    size_t cells = (size_t)s->n * s->n;
    const uint8_t *bytes = sq_read_bytes(r, sizeof *w);
    if (bytes == NULL)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends before a window");
    memcpy(w, bytes, sizeof *w);
    uint32_t values = w->value_count;
    w->value_count = 0;
    if (values > SQ_VALUES_MAX)
        return sq_fail(err, SQ_E_FORMAT, "window with %u values", values);
    sq_status st = sq_undump_table(r, &w->agreement.votes, err);
    if (st == SQ_OK)
        st = sq_undump_table(r, &w->agreement.proposals, err);
    if (st == SQ_OK)
        st = sq_undump_table(r, &w->agreement.doubles, err);
    w->letters = SQ_TABLE_OF(struct sq_letter);
    w->told = SQ_TABLE_OF(struct sq_told);
    w->said = SQ_TABLE_OF(struct sq_said);
    w->said_bytes = w->shown = SQ_TABLE_OF(uint8_t);
    struct sq_table *const tables[] = {&w->letters, &w->told, &w->said, &w->said_bytes, &w->shown};
    for (size_t i = 0; st == SQ_OK && i < sizeof tables / sizeof *tables; i++)
        st = sq_undump_table(r, tables[i], err);
    if (st == SQ_OK && sq_read_be64(r) != 0) {
        st = undump_matrix(r, &w->debtor, cells * sizeof *w->debtor, err);
        if (st == SQ_OK)
            st = undump_matrix(r, &w->creditor, cells * sizeof *w->creditor, err);
        if (st == SQ_OK)
            st = undump_matrix(r, &w->heard, s->n * sizeof *w->heard, err);
        if (st == SQ_OK)
            st = undump_matrix(r, &w->closing, s->n * sizeof *w->closing, err);
    }
    for (uint32_t i = 0; st == SQ_OK && i < values; i++) {
        const uint8_t *hash = sq_read_bytes(r, SQ_HASH_SIZE);
        if (hash == NULL)
            return sq_fail(err, SQ_E_FORMAT, "snapshot ends before a proposed value");
        memcpy(w->value[i].hash, hash, SQ_HASH_SIZE);
        w->value[i].valid = (uint32_t)sq_read_be64(r);
        w->value[i].proposer = (uint32_t)sq_read_be64(r);
        st = undump_blob(r, &w->value[i].bytes, err);
        if (st == SQ_OK)
            st = undump_blob(r, &w->value[i].recipe, err);
        w->value_count = i + 1;
    }
    if (st == SQ_OK)
        st = undump_fetch(w, r, err);
    return st == SQ_OK ? undump_blob(r, &w->decided, err) : st;
}

static void dump_link(struct sq_dump *d, const struct sq_link *l)
{
    sq_dump_put(d, &l->now, sizeof l->now);
    sq_dump_put(d, &l->settled, sizeof l->settled);
    sq_dump_u64(d, l->first);
    sq_dump_u64(d, l->adopt);
    sq_dump_u64(d, l->taken_at);
    sq_dump_u64(d, l->taken_first);
    sq_dump_u64(d, l->taken_last);
    sq_dump_put(d, &l->cap, sizeof l->cap);
    sq_dump_put(d, l->held_fen, sizeof l->held_fen);
    sq_dump_put(d, l->carried_fen, sizeof l->carried_fen);
    sq_dump_table(d, &l->entries);
    sq_dump_table(d, &l->mixed);
}

static sq_status undump_link(struct sq_reader *r, struct sq_link *l, struct sq_error *err)
{
    const uint8_t *now = sq_read_bytes(r, sizeof l->now), *settled = sq_read_bytes(r, sizeof l->settled);
    l->first = sq_read_be64(r);
    l->adopt = sq_read_be64(r);
    l->taken_at = sq_read_be64(r);
    l->taken_first = sq_read_be64(r);
    l->taken_last = sq_read_be64(r);
    const uint8_t *cap = sq_read_bytes(r, sizeof l->cap), *held = sq_read_bytes(r, sizeof l->held_fen),
                  *carried = sq_read_bytes(r, sizeof l->carried_fen);
    if (r->bad)
        return sq_fail(err, SQ_E_FORMAT, "snapshot ends in a link");
    memcpy(&l->now, now, sizeof l->now);
    memcpy(&l->settled, settled, sizeof l->settled);
    memcpy(&l->cap, cap, sizeof l->cap);
    memcpy(l->held_fen, held, sizeof l->held_fen);
    memcpy(l->carried_fen, carried, sizeof l->carried_fen);
    sq_status st = sq_undump_table(r, &l->entries, err);
    return st != SQ_OK ? st : sq_undump_table(r, &l->mixed, err);
}

void sq_settlement_dump(const struct sq_settlement *s, struct sq_dump *d)
{
    const uint64_t fields[] = {s->n,        s->self,       s->round_timeout_ms, s->method,   s->window_count, s->open,
                               s->deciding, s->cut_wanted, s->cut_kinds,        s->relaying, s->relay_ms};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        sq_dump_u64(d, fields[i]);
    sq_dump_put(d, s->codes, s->n * sizeof *s->codes);
    for (uint32_t i = 0; i < s->n; i++) {
        dump_link(d, &s->owes[i]);
        dump_link(d, &s->owed[i]);
    }
    sq_dump_table(d, &s->breaks);
    sq_dump_table(d, &s->doubles);
    sq_dump_u64(d, s->charter.loss_rule);
    sq_dump_u64(d, s->charter.review_ms);
    sq_dump_u64(d, s->charter.prefunded);
    sq_dump_put(d, &s->account, sizeof s->account);
    sq_dump_put(d, s->regions, s->n * sizeof *s->regions);
    sq_dump_table(d, &s->wishes);
    sq_dump_table(d, &s->defaults);
    for (uint32_t i = 0; i < s->window_count; i++)
        dump_window(s, s->windows[i], d);
}

sq_status sq_settlement_undump(struct sq_settlement *s, struct sq_reader *r, struct sq_error *err)
{
    uint64_t n = sq_read_be64(r), self = sq_read_be64(r);
    s->round_timeout_ms = (uint32_t)sq_read_be64(r);
    s->method = (enum sq_netting_method)sq_read_be64(r);
    uint64_t windows = sq_read_be64(r);
    s->open = sq_read_be64(r);
    s->deciding = sq_read_be64(r);
    s->cut_wanted = sq_read_be64(r);
    s->cut_kinds = sq_read_be64(r);
    s->relaying = sq_read_be64(r);
    s->relay_ms = sq_read_be64(r);
    const uint8_t *codes = sq_read_bytes(r, s->n * sizeof *s->codes);
    if (r->bad || n != s->n || self != s->self || s->open > windows || s->deciding > windows || s->relaying > windows ||
        windows > (size_t)(r->end - r->at) / sizeof(struct sq_window))
        return sq_fail(err, SQ_E_FORMAT, "snapshot of another settlement");
    memcpy(s->codes, codes, s->n * sizeof *s->codes);
    sq_status st = SQ_OK;
    for (uint32_t i = 0; st == SQ_OK && i < s->n; i++) {
        st = undump_link(r, &s->owes[i], err);
        if (st == SQ_OK)
            st = undump_link(r, &s->owed[i], err);
    }
    if (st == SQ_OK)
        st = sq_undump_table(r, &s->breaks, err);
    if (st == SQ_OK)
        st = sq_undump_table(r, &s->doubles, err);
    s->charter.loss_rule = (enum sq_loss_rule)sq_read_be64(r);
    s->charter.review_ms = sq_read_be64(r);
    s->charter.prefunded = (uint32_t)sq_read_be64(r);
    const uint8_t *account = sq_read_bytes(r, sizeof s->account);
    const uint8_t *regions = sq_read_bytes(r, s->n * sizeof *s->regions);
    if (st == SQ_OK && regions == NULL)
        st = sq_fail(err, SQ_E_FORMAT, "snapshot ends in regions");
    if (st == SQ_OK) {
        memcpy(&s->account, account, sizeof s->account);
        memcpy(s->regions, regions, s->n * sizeof *s->regions);
        st = sq_undump_table(r, &s->wishes, err);
    }
    if (st == SQ_OK)
        st = sq_undump_table(r, &s->defaults, err);
    for (uint64_t i = 0; st == SQ_OK && i < windows; i++) {
        if (i >= s->window_count)
            st = sq_window_new(s, i + 1, err);
        if (st == SQ_OK)
            st = undump_window(s, s->windows[i], r, err);
    }
    return st;
}
