/*
 * From entries to a run's image.
 *
 * Invariant: entries come one after another, none is left out; what a row, an entry or a window is known by is decided from the journal's
 * bytes and from what came before in it, so that two builders that saw the same entries make the same image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/history/run.h"
#include "ops/history/run_image.h"

struct sq_run_builder {
    const struct sq_ledger *ledger;
    struct sq_arena arena; /* one batch that a reply speaks of */
    uint64_t first_seq, next_seq, window;
    uint8_t last_hash[SQ_HASH_SIZE];
    struct sq_table entries, vouchers, names, holdings, programmes, links, windows, settlements;
    struct sq_index name_index;
};

#define ARENA_SIZE (4u << 20)

static sq_status no_memory(struct sq_error *err)
{
    return sq_fail(err, SQ_E_NOMEM, "history");
}

static sq_status intern(struct sq_run_builder *b, const char *role, const char *code, uint32_t *out,
                        struct sq_error *err);

/* Link numbers go on where the run before ended. */
static sq_status take_links(struct sq_run_builder *b, const struct sq_run *before, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (uint32_t i = 0; st == SQ_OK && i < before->count[SQ_RUN_LINKS]; i++) {
        struct sq_run_link link = SQ_RUN_PART(before, SQ_RUN_LINKS, struct sq_run_link)[i];
        st = intern(b, "", sq_run_name(before, link.name), &link.name, err);
        struct sq_run_link *row = st == SQ_OK ? sq_table_add(&b->links, NULL) : NULL;
        if (row == NULL)
            return st != SQ_OK ? st : no_memory(err);
        *row = link;
    }
    return st;
}

sq_status sq_run_builder_new(const struct sq_ledger *ledger, const struct sq_run *before, struct sq_run_builder **out,
                             struct sq_error *err)
{
    struct sq_run_builder *b = calloc(1, sizeof *b);
    if (b == NULL)
        return no_memory(err);
    uint64_t first = before != NULL ? before->last_seq + 1 : 1;
    *b = (struct sq_run_builder){.ledger = ledger,
                                 .first_seq = first,
                                 .next_seq = first,
                                 .window = before != NULL ? before->window_after : 0,
                                 .entries = SQ_TABLE_OF(struct sq_run_entry),
                                 .vouchers = SQ_TABLE_OF(uint64_t),
                                 .names = SQ_TABLE_OF(struct sq_run_name),
                                 .holdings = SQ_TABLE_OF(struct sq_run_holding),
                                 .programmes = SQ_TABLE_OF(struct sq_run_programme),
                                 .links = SQ_TABLE_OF(struct sq_run_link),
                                 .windows = SQ_TABLE_OF(struct sq_run_window),
                                 .settlements = SQ_TABLE_OF(uint8_t)};
    sq_status st = sq_arena_init(&b->arena, ARENA_SIZE, err);
    if (st == SQ_OK && before != NULL)
        st = take_links(b, before, err);
    if (st == SQ_OK)
        *out = b;
    else
        sq_run_builder_free(b);
    return st;
}

void sq_run_builder_free(struct sq_run_builder *b)
{
    if (b == NULL)
        return;
    struct sq_table *tables[] = {&b->entries,    &b->vouchers, &b->names,   &b->holdings,
                                 &b->programmes, &b->links,    &b->windows, &b->settlements};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        sq_table_free(tables[i]);
    sq_index_free(&b->name_index);
    sq_arena_free(&b->arena);
    free(b);
}

uint32_t sq_run_builder_rows(const struct sq_run_builder *b)
{
    return b->vouchers.count;
}
uint32_t sq_run_builder_entries(const struct sq_run_builder *b)
{
    return b->entries.count;
}
uint64_t sq_run_builder_next(const struct sq_run_builder *b)
{
    return b->next_seq;
}

/* ---- names ---- */

static sq_status intern(struct sq_run_builder *b, const char *role, const char *code, uint32_t *out,
                        struct sq_error *err)
{
    struct sq_run_name name = {{0}};
    strncat(name.text, role, sizeof name.text - 1);
    strncat(name.text, code, sizeof name.text - 1 - strlen(name.text));
    uint64_t hash = sq_hash_key(name.text, strlen(name.text));
    struct sq_index_cursor c = {.hash = hash};
    while ((*out = sq_index_next(&b->name_index, &c)) != SQ_ROW_NONE)
        if (strcmp(SQ_ROW(&b->names, struct sq_run_name, *out)->text, name.text) == 0)
            return SQ_OK;
    struct sq_run_name *row = sq_index_reserve(&b->name_index, 1, err) == SQ_OK ? sq_table_add(&b->names, out) : NULL;
    if (row == NULL)
        return no_memory(err);
    *row = name;
    sq_index_put(&b->name_index, hash, *out);
    return SQ_OK;
}

/* ---- rows ---- */

static void sum_amounts(const struct sq_rows_of_entry *r, struct sq_run_entry *e)
{
    e->amount_least_fen = INT64_MAX;
    e->amount_most_fen = INT64_MIN;
    for (uint32_t i = 0; i < r->count; i++) {
        int64_t fen = sq_row_amount_fen(r, i);
        e->amount_least_fen = fen < e->amount_least_fen ? fen : e->amount_least_fen;
        e->amount_most_fen = fen > e->amount_most_fen ? fen : e->amount_most_fen;
    }
}

static void note_invoices(const struct sq_rows_of_entry *r, struct sq_run_entry *e)
{
    static const uint8_t none[10];
    for (uint32_t i = 0; r->invoice != NULL && i < r->count; i++) { /* ascending, those without one first */
        const uint8_t *cell = r->invoice + 10u * i;
        if (memcmp(cell, none, 10) == 0)
            continue;
        memcpy(e->invoice_least, cell, 10);
        memcpy(e->invoice_most, r->invoice + 10u * (r->count - 1), 10);
        return;
    }
}

static void count_fates(const struct sq_rows_of_entry *r, const struct sq_rows_of_entry *amounts,
                        struct sq_run_entry *e)
{
    for (uint32_t i = 0; i < r->count; i++) {
        uint8_t code = sq_row_code(r, i);
        if (code == SQ_ROW_WAITS_CODE) {
            e->waiting++;
        } else if (code != 0) {
            e->refused++;
        } else {
            e->accepted++;
            e->moved_fen += amounts != NULL ? sq_row_moved_fen(amounts, amounts == r ? i : sq_cell32(r->row, i)) : 0;
        }
    }
}

static sq_status add_holdings(struct sq_run_builder *b, const struct sq_rows_of_entry *r, struct sq_error *err)
{
    char code[19];
    for (uint32_t i = 0, next; i < r->count; i = next) {
        uint32_t holder = sq_cell32(r->holder, i), name;
        for (next = i + 1; next < r->count && sq_cell32(r->holder, next) == holder; next++)
            ;
        if (!sq_rows_holder(r, holder, code))
            continue;
        sq_status st = intern(b, "holder:", code, &name, err);
        struct sq_run_holding *h = st == SQ_OK ? sq_table_add(&b->holdings, NULL) : NULL;
        if (h == NULL)
            return st != SQ_OK ? st : no_memory(err);
        *h = (struct sq_run_holding){r->first_voucher + i, name, next - i};
    }
    return SQ_OK;
}

/* The amounts that a reply's rows are about are in the batch. */
static sq_status count_registered(struct sq_run_builder *b, const struct sq_rows_of_entry *r, struct sq_run_entry *e,
                                  struct sq_error *err)
{
    struct sq_entry batch;
    struct sq_rows_of_entry rows;
    sq_arena_reset(&b->arena);
    sq_status st = sq_ledger_read(b->ledger, r->batch, &b->arena, &batch, err);
    if (st != SQ_OK)
        return st;
    if (!sq_rows_open(&batch, &rows) || rows.type != SANQUAN__V1__MESSAGE_TYPE__BATCH)
        return sq_fail(err, SQ_E_CORRUPT, "entry %" PRIu64 " speaks of entry %" PRIu64 ", which is no batch", r->seq,
                       r->batch);
    for (uint32_t i = 0; i < r->count; i++)
        if (sq_cell32(r->row, i) >= rows.count)
            return sq_fail(err, SQ_E_CORRUPT, "entry %" PRIu64 ": batch %" PRIu64 " has no row %u", r->seq, r->batch,
                           sq_cell32(r->row, i));
    count_fates(r, &rows, e);
    return intern(b, "provider:", rows.provider, &e->provider, err);
}

static sq_status add_vouchers(struct sq_run_builder *b, const struct sq_rows_of_entry *r, struct sq_error *err)
{
    sq_status st = sq_table_reserve(&b->vouchers, r->count, err);
    for (uint32_t i = 0; st == SQ_OK && i < r->count; i++)
        *(uint64_t *)sq_table_add(&b->vouchers, NULL) = sq_row_voucher(r, i);
    return st;
}

/* The stream to this node takes its next number. */
static sq_status number_link(struct sq_run_builder *b, uint32_t name, uint64_t *number, struct sq_error *err)
{
    for (uint32_t i = 0; i < b->links.count; i++) {
        struct sq_run_link *l = SQ_ROW(&b->links, struct sq_run_link, i);
        if (l->name == name) {
            *number = ++l->number;
            return SQ_OK;
        }
    }
    struct sq_run_link *l = sq_table_add(&b->links, NULL);
    if (l == NULL)
        return no_memory(err);
    *l = (struct sq_run_link){1, name, 0};
    *number = 1;
    return SQ_OK;
}

/* A decision that moved money took the next number of the stream to its acquirer. */
static sq_status number_decision(struct sq_run_builder *b, const struct sq_rows_of_entry *r, struct sq_run_entry *e,
                                 struct sq_error *err)
{
    int moved = 0;
    for (uint32_t i = 0; !moved && i < r->count; i++)
        moved = sq_row_code(r, i) == 0 && sq_row_moved_fen(r, i) != 0;
    return moved ? number_link(b, e->sender, &e->link, err) : SQ_OK;
}

/* So did what was taken back from these nodes. */
static sq_status number_clawbacks(struct sq_run_builder *b, sq_bytes codes, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (uint32_t i = 0; st == SQ_OK && i < codes.size / 4; i++) {
        char code[12];
        uint32_t name;
        uint64_t number;
        snprintf(code, sizeof code, "%06u", sq_cell32(codes.data, i));
        st = intern(b, "node:", code, &name, err);
        if (st == SQ_OK)
            st = number_link(b, name, &number, err);
    }
    return st;
}

static sq_status add_rows(struct sq_run_builder *b, const struct sq_rows_of_entry *r, struct sq_error *err)
{
    struct sq_run_entry e = {.seq = r->seq,
                             .now_ms = r->now_ms,
                             .window = b->window,
                             .batch = r->batch,
                             .link = r->link,
                             .type = r->type,
                             .row_count = r->count,
                             .first_row = b->vouchers.count,
                             .provider = SQ_ROW_NONE};
    sq_status st = intern(b, "", r->sender, &e.sender, err);
    if (st == SQ_OK && r->provider[0] != '\0')
        st = intern(b, "provider:", r->provider, &e.provider, err);
    if (st != SQ_OK)
        return st;
    switch (r->type) {
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR:
        sum_amounts(r, &e);
        note_invoices(r, &e);
        count_fates(r, r, &e);
        for (uint32_t i = 0; r->scenario != NULL && i < r->count; i++)
            e.scenarios |= 1ull << (sq_cell32(r->scenario, i) % 64);
        st = add_vouchers(b, r, err);
        if (st == SQ_OK && r->type == SANQUAN__V1__MESSAGE_TYPE__CLEAR)
            st = number_decision(b, r, &e, err);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__REGISTER:
    case SANQUAN__V1__MESSAGE_TYPE__UNREGISTER:
        sum_amounts(r, &e);
        note_invoices(r, &e);
        count_fates(r, NULL, &e); /* a claim moves nothing */
        st = add_vouchers(b, r, err);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
        sum_amounts(r, &e);
        st = add_holdings(b, r, err);
        if (st == SQ_OK)
            st = add_vouchers(b, r, err);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
        sum_amounts(r, &e);
        st = add_vouchers(b, r, err);
        break;
    case SANQUAN__V1__MESSAGE_TYPE__REVOKE:
        st = add_vouchers(b, r, err);
        break;
    default: /* REGISTERED and DECIDED: rows of a batch that was there before */
        st = count_registered(b, r, &e, err);
    }
    struct sq_run_entry *row = st == SQ_OK ? sq_table_add(&b->entries, NULL) : NULL;
    if (row == NULL)
        return st != SQ_OK ? st : no_memory(err);
    *row = e;
    return SQ_OK;
}

/* ---- other entries ---- */

static sq_status add_programme(struct sq_run_builder *b, const struct sq_entry *e, struct sq_error *err)
{
    struct sq_envelope envelope;
    if (sq_envelope_open(e->input, &envelope, NULL) != SQ_OK)
        return SQ_OK;
    uint64_t number = 0, parts[5] = {0};
    sq_bytes rest = envelope.body, bytes;
    uint32_t field;
    while ((field = sq_wire_field(&rest, &number, &bytes)) != 0)
        if (field <= 4)
            parts[field] = number;
    struct sq_run_programme *p = sq_table_add(&b->programmes, NULL);
    if (p == NULL)
        return no_memory(err);
    *p = (struct sq_run_programme){parts[1] * 10000u + parts[2], (uint32_t)parts[4], 0};
    return SQ_OK;
}

static sq_status add_settlement(struct sq_run_builder *b, uint64_t seq, sq_bytes value, struct sq_error *err)
{
    uint64_t number = 0, window = 0;
    sq_bytes rest = value, bytes;
    while (window == 0 && sq_wire_field(&rest, &number, &bytes) != 0)
        window = number; /* the first field */
    struct sq_run_window *w =
        sq_table_reserve(&b->settlements, (uint32_t)value.size, err) == SQ_OK ? sq_table_add(&b->windows, NULL) : NULL;
    if (w == NULL)
        return no_memory(err);
    *w = (struct sq_run_window){window, seq, b->settlements.count, value.size};
    memcpy((uint8_t *)b->settlements.rows + b->settlements.count, value.data, value.size);
    b->settlements.count += (uint32_t)value.size;
    return SQ_OK;
}

sq_status sq_run_builder_add(struct sq_run_builder *b, const struct sq_entry *e, struct sq_error *err)
{
    struct sq_rows_of_entry rows;
    uint64_t number = 0, status = 0, opened = 0;
    sq_bytes rest = e->outcome, bytes;
    uint32_t field;
    sq_status st = SQ_OK;
    if (e->seq != b->next_seq)
        return sq_fail(err, SQ_E_FORMAT, "history wants entry %" PRIu64 ", not %" PRIu64, b->next_seq, e->seq);
    if (sq_rows_open(e, &rows))
        st = add_rows(b, &rows, err);
    while (st == SQ_OK && (field = sq_wire_field(&rest, &number, &bytes)) != 0) {
        if (field == 1)
            status = number;
        else if (field == 4)
            opened = number;
        else if (field == 5)
            st = add_settlement(b, e->seq, bytes, err);
        else if (field == 6)
            st = number_clawbacks(b, bytes, err);
    }
    if (st == SQ_OK && status == SQ_OK &&
        (e->type == SANQUAN__V1__MESSAGE_TYPE__PROGRAMME || e->type == SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE))
        st = add_programme(b, e, err);
    if (opened != 0)
        b->window = opened;
    b->next_seq = e->seq + 1;
    memcpy(b->last_hash, e->payload_hash, sizeof b->last_hash);
    return st;
}

/* ---- the image ---- */

/* Tables of the builder as they go into the image: copies that can be sorted. */
static void *copy_of(const struct sq_table *t)
{
    void *copy = malloc((size_t)t->count * t->row_size + 1);
    if (copy != NULL && t->count != 0)
        memcpy(copy, t->rows, (size_t)t->count * t->row_size);
    return copy;
}

static int by_name_and_voucher(const void *a, const void *b)
{
    const struct sq_run_holding *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return x->first_voucher < y->first_voucher ? -1 : x->first_voucher > y->first_voucher;
}

static int by_name_and_entry(const void *a, const void *b)
{
    const struct sq_run_by_name *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static int by_batch_and_entry(const void *a, const void *b)
{
    const struct sq_run_reply *x = a, *y = b;
    if (x->batch != y->batch)
        return x->batch < y->batch ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static int by_least_invoice(const void *a, const void *b)
{
    const struct sq_run_invoice *x = a, *y = b;
    int order = memcmp(x->least, y->least, 10);
    return order != 0 ? order : x->entry < y->entry ? -1 : x->entry > y->entry;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct sq_run_name *)a)->text, ((const struct sq_run_name *)b)->text);
}

/* Names in order, and where each of the builder's went. */
static uint32_t *sort_names(struct sq_run_name *names, const struct sq_table *from)
{
    uint32_t *moved = malloc((from->count + 1u) * sizeof *moved);
    if (moved == NULL)
        return NULL;
    qsort(names, from->count, sizeof *names, by_text);
    for (uint32_t i = 0; i < from->count; i++) {
        const struct sq_run_name *at =
            bsearch(SQ_ROW(from, struct sq_run_name, i), names, from->count, sizeof *names, by_text);
        moved[i] = (uint32_t)(at - names);
    }
    return moved;
}

struct lists { /* everything that is looked up, not yet in its place */
    struct sq_run_name *names;
    struct sq_run_entry *entries;
    struct sq_run_holding *holdings;
    struct sq_run_link *links;
    struct sq_run_by_name *providers;
    struct sq_run_invoice *invoices;
    struct sq_run_reply *replies;
    uint64_t *vouchers;
    uint32_t *rows, provider_count, invoice_count, reply_count;
};

static void lists_free(struct lists *l)
{
    free(l->names);
    free(l->entries);
    free(l->holdings);
    free(l->links);
    free(l->providers);
    free(l->invoices);
    free(l->replies);
    free(l->vouchers);
    free(l->rows);
}

static void list_entries(struct lists *l, uint32_t count, const uint32_t *moved)
{
    static const uint8_t none[10];
    for (uint32_t i = 0; i < count; i++) {
        struct sq_run_entry *e = &l->entries[i];
        e->sender = moved[e->sender];
        if (e->provider != SQ_ROW_NONE) {
            e->provider = moved[e->provider];
            l->providers[l->provider_count++] = (struct sq_run_by_name){e->provider, i};
        }
        if (memcmp(e->invoice_most, none, 10) != 0) {
            struct sq_run_invoice *v = &l->invoices[l->invoice_count++];
            v->entry = i;
            memcpy(v->least, e->invoice_least, 10);
            memcpy(v->most, e->invoice_most, 10);
        }
        if (e->type == SANQUAN__V1__MESSAGE_TYPE__REGISTERED || e->type == SANQUAN__V1__MESSAGE_TYPE__DECIDED)
            l->replies[l->reply_count++] = (struct sq_run_reply){e->batch, i, 0};
    }
    qsort(l->providers, l->provider_count, sizeof *l->providers, by_name_and_entry);
    qsort(l->replies, l->reply_count, sizeof *l->replies, by_batch_and_entry);
    qsort(l->invoices, l->invoice_count, sizeof *l->invoices, by_least_invoice);
    for (uint32_t i = 1; i < l->invoice_count; i++)
        if (memcmp(l->invoices[i - 1].most, l->invoices[i].most, 10) > 0)
            memcpy(l->invoices[i].most, l->invoices[i - 1].most, 10);
}

static sq_status make_lists(const struct sq_run_builder *b, struct lists *l, struct sq_error *err)
{
    uint32_t entries = b->entries.count, rows = b->vouchers.count;
    *l = (struct lists){copy_of(&b->names),
                        copy_of(&b->entries),
                        copy_of(&b->holdings),
                        copy_of(&b->links),
                        calloc(entries + 1u, sizeof *l->providers),
                        calloc(entries + 1u, sizeof *l->invoices),
                        calloc(entries + 1u, sizeof *l->replies),
                        copy_of(&b->vouchers),
                        malloc((rows + 1u) * sizeof *l->rows),
                        0,
                        0,
                        0};
    if (l->names == NULL || l->entries == NULL || l->holdings == NULL || l->links == NULL || l->providers == NULL ||
        l->invoices == NULL || l->replies == NULL || l->vouchers == NULL || l->rows == NULL)
        return no_memory(err);
    uint32_t *moved = sort_names(l->names, &b->names);
    if (moved == NULL)
        return no_memory(err);
    list_entries(l, entries, moved);
    for (uint32_t i = 0; i < b->holdings.count; i++)
        l->holdings[i].name = moved[l->holdings[i].name];
    for (uint32_t i = 0; i < b->links.count; i++)
        l->links[i].name = moved[l->links[i].name];
    free(moved);
    qsort(l->holdings, b->holdings.count, sizeof *l->holdings, by_name_and_voucher);
    for (uint32_t i = 0; i < rows; i++)
        l->rows[i] = i;
    return sq_run_sort(l->vouchers, l->rows, rows) ? SQ_OK : no_memory(err);
}

sq_status sq_run_builder_image(const struct sq_run_builder *b, uint8_t **image, size_t *size, struct sq_error *err)
{
    struct lists l;
    sq_status st = make_lists(b, &l, err);
    if (st == SQ_OK) {
        const struct sq_image_part parts[SQ_RUN_PARTS] = {
            [SQ_RUN_ENTRIES] = {l.entries, b->entries.count},
            [SQ_RUN_NAMES] = {l.names, b->names.count},
            [SQ_RUN_VOUCHERS] = {l.vouchers, b->vouchers.count},
            [SQ_RUN_ROWS] = {l.rows, b->vouchers.count},
            [SQ_RUN_PROVIDERS] = {l.providers, l.provider_count},
            [SQ_RUN_HOLDINGS] = {l.holdings, b->holdings.count},
            [SQ_RUN_INVOICES] = {l.invoices, l.invoice_count},
            [SQ_RUN_REPLIES] = {l.replies, l.reply_count},
            [SQ_RUN_PROGRAMMES] = {b->programmes.rows, b->programmes.count},
            [SQ_RUN_LINKS] = {l.links, b->links.count},
            [SQ_RUN_WINDOWS] = {b->windows.rows, b->windows.count},
            [SQ_RUN_SETTLEMENTS] = {b->settlements.rows, b->settlements.count}};
        st = sq_image_make(parts, b->first_seq, b->next_seq - 1, b->last_hash, b->window, image, size, err);
    }
    lists_free(&l);
    return st;
}
