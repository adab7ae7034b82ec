/*
 * Candidates, walked in the order of the journal or against it.
 *
 *   for each run: candidates (rows by voucher, or entries) -> open the entry -> fill the item -> does it match? -> take it
 *
 * Invariant: a place (sequence number, row) divides what was seen from what was not, whatever the path and whatever was added since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/history/query_internal.h"

#define ARENA_SIZE (8u << 20) /* an entry's bytes and its rows' fates */

/* ---- what all questions share ---- */

sq_status sq_query_new(const struct sq_history *h, const struct sq_ledger *l, struct sq_query **out,
                       struct sq_error *err)
{
    struct sq_query *q = calloc(1, sizeof *q);
    if (q == NULL)
        return sq_fail(err, SQ_E_NOMEM, "query");
    q->ledger = l;
    q->programmes = SQ_TABLE_OF(struct sq_run_programme);
    q->windows = SQ_TABLE_OF(struct sq_final_window);
    q->network = calloc(1, sizeof *q->network);
    sq_status st = q->network != NULL ? sq_arena_init(&q->arena, ARENA_SIZE, err) : sq_fail(err, SQ_E_NOMEM, "query");
    if (st == SQ_OK)
        st = sq_arena_init(&q->reply_arena, ARENA_SIZE, err);
    if (st == SQ_OK)
        st = sq_items_network(q, err);
    if (st == SQ_OK)
        st = sq_query_refresh(q, h, err);
    if (st == SQ_OK)
        *out = q;
    else
        sq_query_free(q);
    return st;
}

static void forget(struct sq_query *q)
{
    for (uint32_t i = 0; i < q->windows.count; i++)
        sanquan__v1__settlement__free_unpacked(SQ_ROW(&q->windows, struct sq_final_window, i)->value, NULL);
    q->windows.count = q->programmes.count = 0;
    q->open.seq = 0;
}

void sq_query_free(struct sq_query *q)
{
    if (q == NULL)
        return;
    forget(q);
    sq_table_free(&q->programmes);
    sq_table_free(&q->windows);
    sq_arena_free(&q->arena);
    sq_arena_free(&q->reply_arena);
    free(q->network);
    free(q);
}

static sq_status take_run(struct sq_query *q, const struct sq_run *r, struct sq_error *err)
{
    for (uint32_t i = 0; i < r->count[SQ_RUN_PROGRAMMES]; i++) {
        struct sq_run_programme *p = sq_table_add(&q->programmes, NULL);
        if (p == NULL)
            return sq_fail(err, SQ_E_NOMEM, "programmes");
        *p = SQ_RUN_PART(r, SQ_RUN_PROGRAMMES, struct sq_run_programme)[i];
    }
    for (uint32_t i = 0; i < r->count[SQ_RUN_WINDOWS]; i++) {
        const struct sq_run_window *w = &SQ_RUN_PART(r, SQ_RUN_WINDOWS, struct sq_run_window)[i];
        if (w->at > r->count[SQ_RUN_SETTLEMENTS] || w->size > r->count[SQ_RUN_SETTLEMENTS] - w->at)
            return sq_fail(err, SQ_E_FORMAT, "window %" PRIu64 " of the history is cut off", w->number);
        struct sq_final_window *to = sq_table_add(&q->windows, NULL);
        Sanquan__V1__Settlement *value =
            to == NULL
                ? NULL
                : sanquan__v1__settlement__unpack(NULL, w->size, SQ_RUN_PART(r, SQ_RUN_SETTLEMENTS, uint8_t) + w->at);
        if (value == NULL) {
            q->windows.count -= to != NULL;
            return sq_fail(err, SQ_E_NOMEM, "settlement of window %" PRIu64, w->number);
        }
        *to = (struct sq_final_window){w->number, value};
    }
    return SQ_OK;
}

sq_status sq_query_refresh(struct sq_query *q, const struct sq_history *h, struct sq_error *err)
{
    sq_status st = SQ_OK;
    forget(q);
    q->history = h;
    for (unsigned i = 0; st == SQ_OK && i < sq_history_run_count(q->history); i++)
        st = take_run(q, sq_history_run(q->history, i), err);
    qsort(q->programmes.rows, q->programmes.count, q->programmes.row_size, sq_items_by_prefix);
    return st;
}

/* Can this entry have no row that matches? Says no only when its head shows it. */
static int head_may_match(const struct sq_filter *f, const struct sq_run_entry *e)
{
    static const uint8_t none[10];
    int of_batch = sq_is_item(e->type) || sq_is_claim(e->type);
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__REGISTERED || e->type == SANQUAN__V1__MESSAGE_TYPE__DECIDED ||
        !sq_wants_type(f, e->type))
        return 0;
    if (e->now_ms < f->from_ms || (f->until_ms != 0 && e->now_ms >= f->until_ms) ||
        (f->batch != 0 && (!of_batch || e->batch != f->batch)))
        return 0;
    if (e->type != SANQUAN__V1__MESSAGE_TYPE__REVOKE &&
        (e->amount_most_fen < f->least_fen || (f->most_fen != 0 && e->amount_least_fen > f->most_fen)))
        return 0;
    if (f->scenario != 0 && (e->scenarios >> (f->scenario % 64) & 1) == 0)
        return 0;
    if ((f->code != 0 || f->state == SQ_ITEM_REFUSED) && e->refused == 0 && e->waiting == 0)
        return 0;
    if (f->state == SQ_ITEM_WAITING && e->waiting == 0)
        return 0;
    if (memcmp(f->invoice, none, 10) != 0 &&
        (memcmp(f->invoice, e->invoice_least, 10) < 0 || memcmp(f->invoice, e->invoice_most, 10) > 0))
        return 0;
    /* What was decided here at once belongs to the window that was open; other rows may belong to a later one, none to an earlier. */
    return f->window == 0 || (e->waiting == 0 && e->type != SANQUAN__V1__MESSAGE_TYPE__CLEAR ? e->window == f->window
                                                                                             : e->window <= f->window);
}

/* ---- candidates of one run ---- */

struct candidates {
    uint32_t *rows, row_count;      /* rows of the run, ascending */
    uint32_t *entries, entry_count; /* entries of the run, ascending */
    uint32_t first, last;           /* or all entries first..last-1 */
};

static int ascending32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static sq_status add_voucher_rows(const struct sq_run *r, uint64_t first, uint64_t count, struct candidates *c,
                                  struct sq_error *err)
{
    uint32_t from = sq_run_voucher_from(r, first), to = sq_run_voucher_from(r, first + count);
    uint32_t *grown = realloc(c->rows, ((size_t)c->row_count + (to - from) + 1) * sizeof *grown);
    if (grown == NULL)
        return sq_fail(err, SQ_E_NOMEM, "%u rows of a run", to - from);
    c->rows = grown;
    memcpy(c->rows + c->row_count, SQ_RUN_PART(r, SQ_RUN_ROWS, uint32_t) + from, (to - from) * sizeof *grown);
    c->row_count += to - from;
    return SQ_OK;
}

/* Vouchers of a holder may have been granted in any run. */
static sq_status add_holder_rows(const struct sq_query *q, const struct sq_run *r, const char *holder,
                                 struct candidates *c, struct sq_error *err)
{
    char name[32];
    sq_status st = SQ_OK;
    snprintf(name, sizeof name, "holder:%.18s", holder);
    for (unsigned i = 0; st == SQ_OK && i < sq_history_run_count(q->history); i++) {
        const struct sq_run *granted = sq_history_run(q->history, i);
        const struct sq_run_holding *h = SQ_RUN_PART(granted, SQ_RUN_HOLDINGS, struct sq_run_holding);
        uint32_t n = sq_run_name_find(granted, name);
        for (uint32_t k = n == SQ_ROW_NONE ? granted->count[SQ_RUN_HOLDINGS] : sq_run_holding_from(granted, n);
             st == SQ_OK && k < granted->count[SQ_RUN_HOLDINGS] && h[k].name == n; k++)
            st = add_voucher_rows(r, h[k].first_voucher, h[k].count, c, err);
    }
    return st;
}

static sq_status add_entry(struct candidates *c, uint32_t entry, struct sq_error *err)
{
    if (c->entry_count % 1024 == 0) {
        uint32_t *grown = realloc(c->entries, ((size_t)c->entry_count + 1024) * sizeof *grown);
        if (grown == NULL)
            return sq_fail(err, SQ_E_NOMEM, "entries of a run");
        c->entries = grown;
    }
    c->entries[c->entry_count++] = entry;
    return SQ_OK;
}

static sq_status add_invoice_entries(const struct sq_run *r, const uint8_t invoice[static 10], struct candidates *c,
                                     struct sq_error *err)
{
    const struct sq_run_invoice *v = SQ_RUN_PART(r, SQ_RUN_INVOICES, struct sq_run_invoice);
    uint32_t low = 0, high = r->count[SQ_RUN_INVOICES];
    while (low < high) { /* the first that begins behind the invoice */
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(v[middle].least, invoice, 10) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    sq_status st = SQ_OK;
    for (uint32_t i = low; st == SQ_OK && i > 0 && memcmp(v[i - 1].most, invoice, 10) >= 0; i--)
        st = add_entry(c, v[i - 1].entry, err);
    if (c->entry_count != 0)
        qsort(c->entries, c->entry_count, sizeof *c->entries, ascending32);
    return st;
}

static sq_status add_provider_entries(const struct sq_run *r, const char *provider, struct candidates *c,
                                      struct sq_error *err)
{
    char name[32];
    const struct sq_run_by_name *p = SQ_RUN_PART(r, SQ_RUN_PROVIDERS, struct sq_run_by_name);
    snprintf(name, sizeof name, "provider:%.18s", provider);
    uint32_t n = sq_run_name_find(r, name);
    sq_status st = SQ_OK;
    for (uint32_t k = n == SQ_ROW_NONE ? r->count[SQ_RUN_PROVIDERS] : sq_run_provider_from(r, n);
         st == SQ_OK && k < r->count[SQ_RUN_PROVIDERS] && p[k].name == n; k++)
        st = add_entry(c, p[k].entry, err);
    return st;
}

static sq_status find_candidates(const struct sq_query *q, const struct sq_run *r, const struct sq_filter *f,
                                 struct candidates *c, struct sq_error *err)
{
    static const uint8_t none[10];
    *c = (struct candidates){.first = 1, .last = 0};
    if (f->voucher != 0)
        return add_voucher_rows(r, f->voucher, 1, c, err);
    if (f->holder[0] != '\0') {
        sq_status st = add_holder_rows(q, r, f->holder, c, err);
        if (st == SQ_OK && c->row_count != 0)
            qsort(c->rows, c->row_count, sizeof *c->rows, ascending32);
        return st;
    }
    if (memcmp(f->invoice, none, 10) != 0)
        return add_invoice_entries(r, f->invoice, c, err);
    if (f->provider[0] != '\0')
        return add_provider_entries(r, f->provider, c, err);
    c->first = 0;
    c->last = r->count[SQ_RUN_ENTRIES];
    return SQ_OK;
}

static void candidates_free(struct candidates *c)
{
    free(c->rows);
    free(c->entries);
}

/* ---- walking them ---- */

struct walk {
    struct sq_query *q;
    const struct sq_filter *filter;
    int newest_first, with_holder;
    struct sq_query_place from;
    sq_status (*take)(struct walk *w, const struct sq_item *item, struct sq_error *err); /* SQ_E_FULL: enough */
    void *ctx;
};

static int is_behind(const struct walk *w, uint64_t seq, uint32_t row)
{
    if (w->from.seq == 0)
        return 1;
    if (seq != w->from.seq)
        return w->newest_first ? seq < w->from.seq : seq > w->from.seq;
    return w->newest_first ? row < w->from.row : row > w->from.row;
}

static sq_status look_at(struct walk *w, const struct sq_run *r, const struct sq_run_entry *head, uint32_t row,
                         struct sq_error *err)
{
    struct sq_item item;
    if (!is_behind(w, head->seq, row))
        return SQ_OK;
    sq_status st = sq_items_open(w->q, r, head, err);
    if (st != SQ_OK)
        return st;
    sq_items_fill(w->q, row, &item);
    if (w->filter->holder[0] != '\0' && w->filter->voucher == 0)
        strcpy(item.holder, w->filter->holder); /* the candidates are this holder's vouchers */
    else if (w->filter->holder[0] != '\0')
        sq_items_holder(w->q, item.voucher, item.holder);
    if (!sq_filter_takes(w->filter, &item))
        return SQ_OK;
    if (w->with_holder && item.holder[0] == '\0')
        sq_items_holder(w->q, item.voucher, item.holder);
    return w->take(w, &item, err);
}

static sq_status look_at_entry(struct walk *w, const struct sq_run *r, uint32_t entry, struct sq_error *err)
{
    const struct sq_run_entry *head = &SQ_RUN_PART(r, SQ_RUN_ENTRIES, struct sq_run_entry)[entry];
    sq_status st = SQ_OK;
    int whole_behind = w->from.seq == 0 || (w->newest_first ? head->seq <= w->from.seq : head->seq >= w->from.seq);
    if (!whole_behind || !head_may_match(w->filter, head))
        return SQ_OK;
    for (uint32_t k = 0; st == SQ_OK && k < head->row_count; k++)
        st = look_at(w, r, head, w->newest_first ? head->row_count - 1 - k : k, err);
    return st;
}

static sq_status look_at_row(struct walk *w, const struct sq_run *r, uint32_t row, struct sq_error *err)
{
    const struct sq_run_entry *head = &SQ_RUN_PART(r, SQ_RUN_ENTRIES, struct sq_run_entry)[sq_run_entry_of_row(r, row)];
    return head_may_match(w->filter, head) ? look_at(w, r, head, row - head->first_row, err) : SQ_OK;
}

static sq_status walk_run(struct walk *w, const struct sq_run *r, struct sq_error *err)
{
    struct candidates c;
    sq_status st = find_candidates(w->q, r, w->filter, &c, err);
    uint32_t all = c.last > c.first ? c.last - c.first : 0;
    for (uint32_t k = 0; st == SQ_OK && k < c.row_count; k++)
        st = look_at_row(w, r, c.rows[w->newest_first ? c.row_count - 1 - k : k], err);
    for (uint32_t k = 0; st == SQ_OK && k < c.entry_count; k++)
        st = look_at_entry(w, r, c.entries[w->newest_first ? c.entry_count - 1 - k : k], err);
    for (uint32_t k = 0; st == SQ_OK && k < all; k++)
        st = look_at_entry(w, r, w->newest_first ? c.last - 1 - k : c.first + k, err);
    candidates_free(&c);
    return st;
}

static sq_status walk_all(struct walk *w, struct sq_error *err)
{
    sq_status st = SQ_OK;
    unsigned runs = sq_history_run_count(w->q->history);
    for (unsigned i = 0; st == SQ_OK && i < runs; i++) {
        const struct sq_run *r = sq_history_run(w->q->history, w->newest_first ? runs - 1 - i : i);
        int all_seen = w->from.seq != 0 && (w->newest_first ? r->first_seq > w->from.seq : r->last_seq < w->from.seq);
        if (!all_seen)
            st = walk_run(w, r, err);
    }
    return st;
}

/* ---- questions ---- */

struct page {
    struct sq_item *out;
    uint32_t max, count;
};

static sq_status put_on_page(struct walk *w, const struct sq_item *item, struct sq_error *err)
{
    struct page *p = w->ctx;
    if (p->count == p->max)
        return sq_fail(err, SQ_E_FULL, "page");
    p->out[p->count++] = *item;
    return SQ_OK;
}

sq_status sq_query_items(struct sq_query *q, const struct sq_filter *f, int newest_first, struct sq_query_place *place,
                         struct sq_item *out, uint32_t max, uint32_t *count_out, int *more_out, struct sq_error *err)
{
    struct page page = {out, max, 0};
    struct walk w = {q, f, newest_first, 1, *place, put_on_page, &page};
    sq_status st = walk_all(&w, err);
    *more_out = st == SQ_E_FULL && page.count == max;
    if (*more_out)
        st = SQ_OK;
    if (st != SQ_OK)
        return st;
    *count_out = page.count;
    if (page.count != 0)
        *place = (struct sq_query_place){out[page.count - 1].seq, out[page.count - 1].row};
    return SQ_OK;
}

static int64_t moved_by(const struct sq_item *item)
{
    switch ((Sanquan__V1__Verb)item->verb) {
    case SANQUAN__V1__VERB__REDEEM:
    case SANQUAN__V1__VERB__COMMIT:
        return item->amount_fen;
    case SANQUAN__V1__VERB__RETURN:
        return -item->amount_fen;
    default:
        return item->state == SQ_ITEM_ACCEPTED ? 0 : item->amount_fen;
    }
}

int64_t sq_item_moved_fen(const struct sq_item *item)
{
    return item->state == SQ_ITEM_ACCEPTED && sq_is_item(item->type) ? moved_by(item) : 0;
}

static sq_status add_up(struct walk *w, const struct sq_item *item, struct sq_error *err)
{
    struct sq_query_sums *s = w->ctx;
    int64_t fen = moved_by(item),
            *by_kind = item->kind >= 1 && item->kind <= SQ_KIND_COUNT ? &s->accepted_by_kind_fen[item->kind - 1] : NULL;
    if (sq_is_claim(item->type)) {
        s->claims += item->type == SANQUAN__V1__MESSAGE_TYPE__REGISTER;
        return SQ_OK;
    }
    s->count[item->state]++;
    s->refused_by_code[item->code & 255] += item->state == SQ_ITEM_REFUSED;
    s->moved_count += item->state == SQ_ITEM_ACCEPTED && fen != 0;
    if (__builtin_add_overflow(s->amount_fen[item->state], fen, &s->amount_fen[item->state]) ||
        (item->state == SQ_ITEM_ACCEPTED && by_kind != NULL && __builtin_add_overflow(*by_kind, fen, by_kind)))
        return sq_fail(err, SQ_E_OVERFLOW, "sums leave int64 fen");
    return SQ_OK;
}

sq_status sq_query_sum(struct sq_query *q, const struct sq_filter *f, struct sq_query_sums *out, struct sq_error *err)
{
    *out = (struct sq_query_sums){0};
    struct walk w = {q, f, 0, 0, {0, 0}, add_up, out};
    return walk_all(&w, err);
}

/* ---- the plain scan ---- */

sq_status sq_query_scan(struct sq_query *q, const struct sq_filter *f, sq_item_visit visit, void *ctx,
                        struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (unsigned i = 0; st == SQ_OK && i < sq_history_run_count(q->history); i++) {
        const struct sq_run *r = sq_history_run(q->history, i);
        for (uint32_t e = 0; st == SQ_OK && e < r->count[SQ_RUN_ENTRIES]; e++) {
            const struct sq_run_entry *head = &SQ_RUN_PART(r, SQ_RUN_ENTRIES, struct sq_run_entry)[e];
            if (head->type == SANQUAN__V1__MESSAGE_TYPE__REGISTERED || head->type == SANQUAN__V1__MESSAGE_TYPE__DECIDED)
                continue;
            st = sq_items_open(q, r, head, err);
            for (uint32_t row = 0; st == SQ_OK && row < head->row_count; row++) {
                struct sq_item item;
                sq_items_fill(q, row, &item);
                sq_items_holder(q, item.voucher, item.holder);
                if (sq_filter_takes(f, &item))
                    st = visit(ctx, &item, err);
            }
        }
    }
    return st;
}
