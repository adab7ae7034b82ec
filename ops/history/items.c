/*
 * Items: the rows of one open entry, with the fates that later entries gave them.
 *
 *   row   WAITING (outcome 1) --REGISTERED: refused, or decided here--> decided
 *                             --REGISTERED: on to its issuer, DECIDED--> decided, with the link number
 *                             --of a bundle: any reply about its batch, or its time is over--> decided
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/history/query_internal.h"
#include "ops/history/run_image.h"

#define HASHED_FOR_S 60

static void put_code(char out[static 7], const char *code)
{
    snprintf(out, 7, "%.6s", code);
}

static const char *after_colon(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon != NULL ? colon + 1 : name;
}

/* ---- what all items share ---- */

sq_status sq_items_network(struct sq_query *q, struct sq_error *err)
{
    struct sq_entry first;
    sq_arena_reset(&q->arena);
    sq_status st = sq_ledger_read(q->ledger, 1, &q->arena, &first, err);
    if (st != SQ_OK)
        return st;
    Sanquan__V1__Genesis *g = sanquan__v1__genesis__unpack(NULL, first.input.size, first.input.data);
    if (g == NULL || first.type != SANQUAN__V1__MESSAGE_TYPE__GENESIS)
        return sq_fail(err, SQ_E_FORMAT, "the first entry is not a genesis");
    put_code(q->network->self, g->self);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (size_t k = 0;
             k < g->nodes[i]->n_issuers && q->network->count < sizeof q->network->hosted / sizeof *q->network->hosted;
             k++) {
            q->network->hosted[q->network->count].issuer = (uint32_t)strtoul(g->nodes[i]->issuers[k], NULL, 10);
            put_code(q->network->hosted[q->network->count++].node, g->nodes[i]->code);
        }
    sanquan__v1__genesis__free_unpacked(g, NULL);
    return SQ_OK;
}

static const char *node_of_issuer(const struct sq_query *q, uint32_t issuer)
{
    for (size_t i = 0; i < q->network->count; i++)
        if (q->network->hosted[i].issuer == issuer)
            return q->network->hosted[i].node;
    return "";
}

int sq_items_by_prefix(const void *a, const void *b)
{
    const struct sq_run_programme *x = a, *y = b;
    return x->prefix < y->prefix ? -1 : x->prefix > y->prefix;
}

static uint32_t kind_of(const struct sq_query *q, uint64_t voucher)
{
    const struct sq_run_programme key = {voucher / 1000000000u, 0, 0};
    const struct sq_run_programme *p = q->programmes.count == 0 ? NULL
                                                                : bsearch(&key, q->programmes.rows, q->programmes.count,
                                                                          sizeof key, sq_items_by_prefix);
    return p != NULL ? p->kind : 0; /* versions of a programme keep its kind */
}

/* The final window that covers this number of a link stream; 0: none yet. */
static uint64_t window_of_link(const struct sq_query *q, const char *debtor, const char *creditor, uint64_t number)
{
    for (uint32_t i = 0; i < q->windows.count; i++) {
        const struct sq_final_window *w = SQ_ROW(&q->windows, struct sq_final_window, i);
        for (size_t k = 0; k < w->value->n_pairs; k++) {
            const Sanquan__V1__Pair *p = w->value->pairs[k];
            if (number >= p->first && number <= p->last && strcmp(p->debtor, debtor) == 0 &&
                strcmp(p->creditor, creditor) == 0)
                return w->number;
        }
    }
    return 0;
}

static int window_is_final(const struct sq_query *q, uint64_t number)
{
    for (uint32_t i = q->windows.count; i > 0; i--)
        if (SQ_ROW(&q->windows, struct sq_final_window, i - 1)->number == number)
            return 1;
    return 0;
}

/* ---- one entry and the fates of its rows ---- */

/*
 * Entries that were hashed within the last minute are not hashed again: the pages of one question come from dozens of entries of half a megabyte,
 * and those of the next question from the same.
 */
static int was_hashed(struct sq_query *q, uint64_t seq)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - q->hashed_since_s >= HASHED_FOR_S) {
        memset(q->hashed, 0, sizeof q->hashed);
        q->hashed_since_s = now.tv_sec;
    }
    return q->hashed[seq % SQ_HASHED_KEPT] == seq;
}

static sq_status read_rows(struct sq_query *q, uint64_t seq, struct sq_arena *arena, struct sq_rows_of_entry *out,
                           struct sq_error *err)
{
    struct sq_entry e;
    sq_arena_reset(arena);
    sq_status st = was_hashed(q, seq) ? sq_ledger_reread(q->ledger, seq, arena, &e, err)
                                      : sq_ledger_read(q->ledger, seq, arena, &e, err);
    if (st != SQ_OK)
        return st;
    q->hashed[seq % SQ_HASHED_KEPT] = seq;
    return sq_rows_open(&e, out) ? SQ_OK : sq_fail(err, SQ_E_CORRUPT, "entry %" PRIu64 " has no rows", seq);
}

static void apply_reply(struct sq_open_entry *o, const struct sq_rows_of_entry *reply, const struct sq_run_entry *head)
{
    for (uint32_t k = 0; k < reply->count; k++) {
        uint32_t row = sq_cell32(reply->row, k);
        uint8_t code = sq_row_code(reply, k);
        if (row >= o->rows.count)
            continue;
        o->code[row] = code;
        if (code == SQ_ROW_WAITS_CODE)
            continue;
        o->decided[row] = head->seq;
        o->decided_ms[row] = head->now_ms;
        o->window[row] = head->window;
        o->link[row] = code == 0 ? reply->link : 0; /* of rows of other issuers: fill_fate */
    }
}

static sq_status gather_replies(struct sq_query *q, struct sq_open_entry *o, struct sq_error *err)
{
    for (unsigned i = 0; i < sq_history_run_count(q->history); i++) {
        const struct sq_run *r = sq_history_run(q->history, i);
        const struct sq_run_reply *replies = SQ_RUN_PART(r, SQ_RUN_REPLIES, struct sq_run_reply);
        if (r->last_seq <= o->seq)
            continue;
        for (uint32_t k = sq_run_reply_from(r, o->seq); k < r->count[SQ_RUN_REPLIES] && replies[k].batch == o->seq;
             k++) {
            const struct sq_run_entry *head = &SQ_RUN_PART(r, SQ_RUN_ENTRIES, struct sq_run_entry)[replies[k].entry];
            struct sq_rows_of_entry reply;
            sq_status st = read_rows(q, head->seq, &q->reply_arena, &reply, err);
            if (st != SQ_OK)
                return st;
            apply_reply(o, &reply, head);
        }
    }
    return SQ_OK;
}

sq_status sq_items_open(struct sq_query *q, const struct sq_run *r, const struct sq_run_entry *head,
                        struct sq_error *err)
{
    struct sq_open_entry *o = &q->open;
    if (o->seq == head->seq)
        return SQ_OK;
    *o = (struct sq_open_entry){.run = r, .head = head};
    sq_status st = read_rows(q, head->seq, &q->arena, &o->rows, err);
    if (st != SQ_OK)
        return st;
    uint32_t n = o->rows.count;
    if (n != head->row_count)
        return sq_fail(err, SQ_E_CORRUPT, "entry %" PRIu64 " has %u rows, its history %u", head->seq, n,
                       head->row_count);
    o->code = sq_arena_take(&q->arena, n);
    o->link = sq_arena_take(&q->arena, n * sizeof *o->link);
    o->decided = sq_arena_take(&q->arena, n * sizeof *o->decided);
    o->decided_ms = sq_arena_take(&q->arena, n * sizeof *o->decided_ms);
    o->window = sq_arena_take(&q->arena, n * sizeof *o->window);
    if (o->code == NULL || o->link == NULL || o->decided == NULL || o->decided_ms == NULL || o->window == NULL)
        return sq_fail(err, SQ_E_FULL, "memory for entry %" PRIu64, head->seq);
    for (uint32_t i = 0; i < n; i++) {
        o->code[i] = sq_row_code(&o->rows, i);
        if (o->code[i] == SQ_ROW_WAITS_CODE)
            continue;
        o->decided[i] = head->seq;
        o->decided_ms[i] = head->now_ms;
        o->window[i] = head->window;
        o->link[i] = o->code[i] == 0 ? head->link : 0;
    }
    o->seq = head->seq;
    return head->waiting != 0 ? gather_replies(q, o, err) : SQ_OK;
}

/* ---- items ---- */

/* Was the voucher granted in this run? Rows that were refused may have named it before. */
static int granted_in(const struct sq_run *r, uint64_t voucher)
{
    const uint64_t *vouchers = SQ_RUN_PART(r, SQ_RUN_VOUCHERS, uint64_t);
    const struct sq_run_entry *entries = SQ_RUN_PART(r, SQ_RUN_ENTRIES, struct sq_run_entry);
    for (uint32_t at = sq_run_voucher_from(r, voucher); at < r->count[SQ_RUN_VOUCHERS] && vouchers[at] == voucher; at++)
        if (entries[sq_run_entry_of_row(r, SQ_RUN_PART(r, SQ_RUN_ROWS, uint32_t)[at])].type ==
            SANQUAN__V1__MESSAGE_TYPE__GRANT)
            return 1;
    return 0;
}

void sq_items_holder(const struct sq_query *q, uint64_t voucher, char out[static 19])
{
    if (strcmp(node_of_issuer(q, sq_voucher_issuer(voucher)), q->network->self) != 0)
        return; /* its issuer is elsewhere: the grant is not in this journal */
    for (unsigned i = 0; i < sq_history_run_count(q->history); i++) {
        const struct sq_run *r = sq_history_run(q->history, i);
        const struct sq_run_holding *h = SQ_RUN_PART(r, SQ_RUN_HOLDINGS, struct sq_run_holding);
        if (!granted_in(r, voucher))
            continue;
        for (uint32_t k = 0; k < r->count[SQ_RUN_HOLDINGS]; k++)
            if (voucher >= h[k].first_voucher && voucher - h[k].first_voucher < h[k].count)
                snprintf(out, 19, "%.18s", after_colon(sq_run_name(r, h[k].name)));
        return;
    }
}

static void fill_fate(const struct sq_query *q, const struct sq_open_entry *o, uint32_t row, struct sq_item *item)
{
    item->code = o->code[row];
    item->state = item->code == 0                   ? SQ_ITEM_ACCEPTED
                  : item->code == SQ_ROW_WAITS_CODE ? SQ_ITEM_WAITING
                                                    : SQ_ITEM_REFUSED;
    if (item->state == SQ_ITEM_WAITING) {
        item->code = 0;
        return;
    }
    item->decided_seq = o->decided[row];
    item->decided_ms = o->decided_ms[row];
    if (sq_is_claim(item->type))
        return; /* in no window, on no link */
    item->window = o->window[row];
    int owes_itself =
        strcmp(item->debtor, item->creditor) == 0; /* decided with a reply, as part of a bundle; not by it */
    item->link = item->state == SQ_ITEM_ACCEPTED && !owes_itself ? o->link[row] : 0;
    uint64_t covered = item->link != 0 ? window_of_link(q, item->debtor, item->creditor, item->link) : 0;
    if (covered != 0)
        item->window = covered;
    item->is_final =
        item->state == SQ_ITEM_ACCEPTED && (item->link != 0 ? covered != 0 : window_is_final(q, item->window));
}

void sq_items_fill(const struct sq_query *q, uint32_t row, struct sq_item *item)
{
    const struct sq_open_entry *o = &q->open;
    const struct sq_rows_of_entry *r = &o->rows;
    *item = (struct sq_item){.seq = o->seq,
                             .now_ms = r->now_ms,
                             .row = row,
                             .type = r->type,
                             .voucher = sq_row_voucher(r, row),
                             .batch = r->batch};
    item->kind = kind_of(q, item->voucher);
    strcpy(item->provider, r->provider);
    put_code(item->debtor, node_of_issuer(q, sq_voucher_issuer(item->voucher)));
    if (r->amount != NULL)
        item->amount_fen = sq_row_amount_fen(r, row);
    if (!sq_is_item(r->type) && !sq_is_claim(r->type)) {
        item->state = r->type == SANQUAN__V1__MESSAGE_TYPE__GRANT     ? SQ_ITEM_GRANTED
                      : r->type == SANQUAN__V1__MESSAGE_TYPE__MANDATE ? SQ_ITEM_MANDATED
                                                                      : SQ_ITEM_REVOKED;
        item->decided_seq = o->seq;
        item->decided_ms = r->now_ms;
        item->until = r->until != NULL                              ? sq_cell64(r->until, row)
                      : r->type == SANQUAN__V1__MESSAGE_TYPE__GRANT ? sq_cell32(r->day, row)
                                                                    : 0;
        item->window = o->head->window;
        return;
    }
    put_code(item->creditor, r->type == SANQUAN__V1__MESSAGE_TYPE__BATCH ? q->network->self : after_colon(r->sender));
    item->batch_row = r->row != NULL ? sq_cell32(r->row, row) : row;
    item->verb = sq_row_verb_of(r, row);
    item->base_fen = (int64_t)sq_cell64(r->base, row);
    if (sq_is_claim(r->type) && item->base_fen < 0)
        item->base_fen = -item->base_fen;
    item->total_fen = r->total != NULL ? (int64_t)sq_cell64(r->total, row) : 0;
    item->end = r->end != NULL ? r->end[row] : 0;
    item->service = r->service != NULL ? sq_cell32(r->service, row) : 0;
    item->day = r->day != NULL ? sq_cell32(r->day, row) : 0;
    item->reservation = r->reservation != NULL ? sq_cell64(r->reservation, row) : 0;
    item->bundle = r->bundle != NULL ? sq_cell32(r->bundle, row) : 0;
    item->scenario = r->scenario != NULL ? sq_cell32(r->scenario, row) : 0;
    memcpy(item->invoice, r->invoice + 10u * row, 10);
    fill_fate(q, o, row, item);
}

int sq_filter_takes(const struct sq_filter *f, const struct sq_item *item)
{
    static const uint8_t none[10];
    return sq_wants_type(f, item->type) && (f->voucher == 0 || item->voucher == f->voucher) &&
           (f->batch == 0 || item->batch == f->batch) && (f->window == 0 || item->window == f->window) &&
           (f->holder[0] == '\0' || strcmp(f->holder, item->holder) == 0) &&
           (f->provider[0] == '\0' || strcmp(f->provider, item->provider) == 0) &&
           (memcmp(f->invoice, none, 10) == 0 || memcmp(f->invoice, item->invoice, 10) == 0) &&
           (f->issuer == 0 || f->issuer == sq_voucher_issuer(item->voucher)) &&
           (f->programme == 0 || f->programme == sq_voucher_programme(item->voucher)) &&
           (f->kind == 0 || f->kind == item->kind) && (f->scenario == 0 || f->scenario == item->scenario) &&
           (f->code == 0 || f->code == item->code) && (f->debtor[0] == '\0' || strcmp(f->debtor, item->debtor) == 0) &&
           (f->creditor[0] == '\0' || strcmp(f->creditor, item->creditor) == 0) &&
           (f->region[0] == '\0' || strcmp(f->region, item->debtor) == 0 || strcmp(f->region, item->creditor) == 0) &&
           (f->state == 0 || f->state == item->state) && item->amount_fen >= f->least_fen &&
           (f->most_fen == 0 || item->amount_fen <= f->most_fen) && item->now_ms >= f->from_ms &&
           (f->until_ms == 0 || item->now_ms < f->until_ms);
}
