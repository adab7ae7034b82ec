#include "ops/history/rows.h"

#include <string.h>

/* ---- columns ---- */

struct column {
    uint32_t field, cell;
    const uint8_t **to;
};

/* Fields of a message; those in `columns` must have `count` cells once the first of them has said how many there are. */
static int read_columns(sq_bytes body, const struct column *columns, size_t column_count, uint32_t *count)
{
    uint64_t number = 0;
    uint32_t field;
    sq_bytes bytes = {NULL, 0};
    while ((field = sq_wire_field(&body, &number, &bytes)) != 0)
        for (size_t i = 0; i < column_count; i++)
            if (columns[i].field == field) {
                size_t cells = bytes.size / columns[i].cell;
                if (*count == 0)
                    *count = (uint32_t)cells;
                if (cells != *count)
                    return 0;
                *columns[i].to = bytes.data;
            }
    return *count != 0;
}

static void read_numbers(sq_bytes body, uint32_t field1, uint64_t *number1, uint32_t field2, uint64_t *number2)
{
    uint64_t number = 0;
    uint32_t field;
    sq_bytes bytes = {NULL, 0};
    while ((field = sq_wire_field(&body, &number, &bytes)) != 0)
        if (field == field1)
            *number1 = number;
        else if (field == field2)
            *number2 = number;
}

static sq_bytes field_of(sq_bytes body, uint32_t wanted)
{
    uint64_t number = 0;
    uint32_t field;
    sq_bytes bytes = {NULL, 0};
    while ((field = sq_wire_field(&body, &number, &bytes)) != 0)
        if (field == wanted)
            return bytes;
    return (sq_bytes){NULL, 0};
}

static void copy_uscc(sq_bytes text, char out[static 19])
{
    size_t size = text.size < 18 ? text.size : 18;
    if (size != 0)
        memcpy(out, text.data, size);
    out[size] = '\0';
}

/* ---- messages ---- */

static int open_items(sq_bytes batch, struct sq_rows_of_entry *r)
{
    const struct column columns[] = {{1, 8, &r->voucher},      {2, 8, &r->amount}, {3, 8, &r->base},
                                     {4, 10, &r->invoice},     {5, 8, &r->total},  {6, 4, &r->service},
                                     {7, 4, &r->scenario},     {8, 4, &r->day},    {10, 1, &r->verb},
                                     {11, 8, &r->reservation}, {18, 4, &r->bundle}};
    return read_columns(batch, columns, sizeof columns / sizeof *columns, &r->count) && r->voucher != NULL &&
           r->amount != NULL;
}

static int open_batch(struct sq_rows_of_entry *r)
{
    const char *colon = strchr(r->sender, ':');
    if (colon != NULL)
        copy_uscc(sq_bytes_of(colon + 1, strlen(colon + 1)), r->provider);
    r->batch = r->seq;
    return open_items(r->body, r);
}

static int open_clear(struct sq_rows_of_entry *r)
{
    const struct column row = {4, 4, &r->row};
    uint64_t unused = 0;
    copy_uscc(field_of(r->body, 2), r->provider);
    read_numbers(r->body, 1, &r->batch, 3, &unused);
    return read_columns(r->body, &row, 1, &r->count) && open_items(field_of(r->body, 5), r);
}

/* Returns that an invoice's home asks for: at the acquirer, and only there, they are a batch that no provider has sent. */
static int open_reverse(struct sq_rows_of_entry *r)
{
    sq_bytes acquirer = field_of(r->body, 4), items = field_of(r->body, 6);
    const char *self = strchr(r->sender, ':') + 1; /* of its operator */
    if (r->type == SANQUAN__V1__MESSAGE_TYPE__REVERSE && (acquirer.size != 6 || memcmp(acquirer.data, self, 6) != 0))
        return 0;
    r->type = SANQUAN__V1__MESSAGE_TYPE__BATCH;
    r->batch = r->seq;
    copy_uscc(field_of(r->body, 5), r->provider);
    return items.size != 0 && open_items(items, r);
}

/* Another node's claim on invoices whose home is here. */
static int open_register(struct sq_rows_of_entry *r)
{
    const struct column columns[] = {{3, 4, &r->row},  {4, 10, &r->invoice}, {5, 8, &r->voucher}, {6, 8, &r->amount},
                                     {7, 8, &r->base}, {8, 8, &r->total},    {9, 4, &r->day}};
    uint64_t unused = 0;
    copy_uscc(field_of(r->body, 2), r->provider);
    read_numbers(r->body, 1, &r->batch, 0, &unused);
    return read_columns(r->body, columns, sizeof columns / sizeof *columns, &r->count) && r->row != NULL &&
           r->voucher != NULL && r->amount != NULL;
}

/* How claims and returns of another node have ended. */
static int open_unregister(struct sq_rows_of_entry *r)
{
    const struct column columns[] = {
        {2, 10, &r->invoice}, {3, 8, &r->voucher}, {4, 8, &r->amount}, {5, 8, &r->base}, {6, 1, &r->end}};
    copy_uscc(field_of(r->body, 1), r->provider);
    return read_columns(r->body, columns, sizeof columns / sizeof *columns, &r->count) && r->invoice != NULL &&
           r->voucher != NULL && r->amount != NULL && r->base != NULL && r->end != NULL;
}

static int open_reply(struct sq_rows_of_entry *r)
{
    const struct column row = {2, 4, &r->row};
    uint64_t unused = 0;
    read_numbers(r->body, 1, &r->batch, 0, &unused);
    if (r->type == SANQUAN__V1__MESSAGE_TYPE__DECIDED) {
        sq_bytes code = field_of(r->body, 3), link = field_of(r->body, 4);
        if (link.size != 0)
            read_numbers(link, 1, &r->link, 0, &unused);
        r->code = code.data;
    }
    return read_columns(r->body, &row, 1, &r->count);
}

static int open_grant(struct sq_rows_of_entry *r)
{
    const struct column columns[] = {{4, 8, &r->amount}, {5, 4, &r->holder}, {6, 4, &r->day}};
    uint64_t issuer = 0, programme = 0, first = 0, unused = 0;
    read_numbers(r->body, 1, &issuer, 2, &programme);
    read_numbers(r->body, 3, &first, 0, &unused);
    r->first_voucher = (issuer * 10000u + programme) * 1000000000u + first;
    return read_columns(r->body, columns, 3, &r->count);
}

static int open_mandate(struct sq_rows_of_entry *r)
{
    const struct column columns[] = {{2, 8, &r->voucher}, {3, 8, &r->amount}, {4, 8, &r->until}};
    copy_uscc(field_of(r->body, 1), r->provider);
    return read_columns(r->body, columns, 3, &r->count) && r->voucher != NULL;
}

static int open_revoke(struct sq_rows_of_entry *r)
{
    const struct column voucher = {1, 8, &r->voucher};
    return read_columns(r->body, &voucher, 1, &r->count);
}

static int open_by_type(struct sq_rows_of_entry *r)
{
    switch (r->type) {
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        return open_batch(r);
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR:
        return open_clear(r);
    case SANQUAN__V1__MESSAGE_TYPE__REVERSE:
    case SANQUAN__V1__MESSAGE_TYPE__REVERSED:
        return open_reverse(r);
    case SANQUAN__V1__MESSAGE_TYPE__REGISTER:
        return open_register(r);
    case SANQUAN__V1__MESSAGE_TYPE__UNREGISTER:
        return open_unregister(r);
    case SANQUAN__V1__MESSAGE_TYPE__REGISTERED:
    case SANQUAN__V1__MESSAGE_TYPE__DECIDED:
        return open_reply(r);
    case SANQUAN__V1__MESSAGE_TYPE__GRANT:
        return open_grant(r);
    case SANQUAN__V1__MESSAGE_TYPE__MANDATE:
        return open_mandate(r);
    case SANQUAN__V1__MESSAGE_TYPE__REVOKE:
        return open_revoke(r);
    default:
        return 0; /* the other entries have none */
    }
}

static int has_rows(uint32_t type)
{
    return type == SANQUAN__V1__MESSAGE_TYPE__BATCH || type == SANQUAN__V1__MESSAGE_TYPE__CLEAR ||
           type == SANQUAN__V1__MESSAGE_TYPE__REGISTER || type == SANQUAN__V1__MESSAGE_TYPE__UNREGISTER ||
           type == SANQUAN__V1__MESSAGE_TYPE__REGISTERED || type == SANQUAN__V1__MESSAGE_TYPE__DECIDED ||
           type == SANQUAN__V1__MESSAGE_TYPE__GRANT || type == SANQUAN__V1__MESSAGE_TYPE__MANDATE ||
           type == SANQUAN__V1__MESSAGE_TYPE__REVOKE || type == SANQUAN__V1__MESSAGE_TYPE__REVERSE ||
           type == SANQUAN__V1__MESSAGE_TYPE__REVERSED;
}

/* Where a batch has bundles, the outcome of what is heard about it lists the rows that were decided; there may be none. */
static int open_list(const struct sq_entry *e, struct sq_rows_of_entry *r)
{
    sq_bytes rows = field_of(e->outcome, 8), code = field_of(e->outcome, 2);
    r->count = (uint32_t)(rows.size / 4);
    r->row = rows.data;
    r->code = code.size == r->count ? code.data : NULL;
    return r->count != 0;
}

/* Time that has passed decides like a reply: DECIDED of nobody. */
static int open_tick(const struct sq_entry *e, struct sq_rows_of_entry *r)
{
    uint64_t unused = 0;
    *r = (struct sq_rows_of_entry){
        .seq = e->seq, .now_ms = e->now_ms, .type = SANQUAN__V1__MESSAGE_TYPE__DECIDED, .body = e->input};
    read_numbers(e->input, 5, &r->batch, 0, &unused);
    read_numbers(e->outcome, 9, &r->link, 0, &unused);
    return open_list(e, r);
}

int sq_rows_open(const struct sq_entry *e, struct sq_rows_of_entry *out)
{
    struct sq_envelope envelope;
    uint64_t status = 0, listed = 0;
    if (e->type == SANQUAN__V1__MESSAGE_TYPE__TICK)
        return open_tick(e, out);
    if (!has_rows(e->type) || sq_envelope_open(e->input, &envelope, NULL) != SQ_OK)
        return 0;
    read_numbers(e->outcome, 1, &status, 7, &listed);
    if (status != SQ_OK)
        return 0;
    *out = (struct sq_rows_of_entry){.seq = e->seq, .now_ms = e->now_ms, .type = e->type, .body = envelope.body};
    memcpy(out->sender, envelope.sender, sizeof out->sender);
    if (!open_by_type(out))
        return 0;
    if (listed != 0)
        return open_list(e, out);
    sq_bytes code = field_of(e->outcome, 2);
    if (out->type != SANQUAN__V1__MESSAGE_TYPE__DECIDED && code.size == out->count)
        out->code = code.data;
    return 1;
}

int64_t sq_row_amount_fen(const struct sq_rows_of_entry *r, uint32_t row)
{
    int64_t fen = (int64_t)sq_cell64(r->amount, row);
    return r->type == SANQUAN__V1__MESSAGE_TYPE__REGISTER && fen < 0 && fen != INT64_MIN ? -fen : fen;
}

uint8_t sq_row_verb_of(const struct sq_rows_of_entry *r, uint32_t row)
{
    if (r->type == SANQUAN__V1__MESSAGE_TYPE__REGISTER)
        return (uint8_t)((int64_t)sq_cell64(r->amount, row) < 0 ? SANQUAN__V1__VERB__RETURN
                                                                : SANQUAN__V1__VERB__REDEEM);
    if (r->end != NULL)
        return (uint8_t)(r->end[row] == SQ_CLAIM_REFUSED ? SANQUAN__V1__VERB__REDEEM : SANQUAN__V1__VERB__RETURN);
    return r->verb != NULL ? r->verb[row] : (uint8_t)SANQUAN__V1__VERB__REDEEM;
}

int64_t sq_row_moved_fen(const struct sq_rows_of_entry *r, uint32_t row)
{
    int64_t fen = (int64_t)sq_cell64(r->amount, row);
    switch ((Sanquan__V1__Verb)sq_row_verb_of(r, row)) {
    case SANQUAN__V1__VERB__REDEEM:
    case SANQUAN__V1__VERB__COMMIT:
        return fen;
    case SANQUAN__V1__VERB__RETURN:
        return -fen;
    default:
        return 0;
    }
}

int sq_rows_holder(const struct sq_rows_of_entry *r, uint32_t index, char out[static 19])
{
    sq_bytes rest = r->body, bytes = {NULL, 0};
    uint64_t number = 0;
    uint32_t field;
    while ((field = sq_wire_field(&rest, &number, &bytes)) != 0)
        if (field == 7 && index-- == 0) {
            copy_uscc(bytes, out);
            return 1;
        }
    return 0;
}
