/*
 * What may be claimed on an invoice. The first programme's sums are in the row itself, others hang on it as a list.
 */
#include "clearing/core/invoice.h"

#include <string.h>

/* One programme's line on an invoice. The first programme has one only when it has had returns under way. */
struct other {
    int64_t base_fen, amount_fen;
    int64_t returning_base_fen, returning_fen; /* asked back, and not decided yet */
    uint32_t programme, stack_limit_bp, next, reserved;
};

/* ---- numbers ---- */

int sq_invoice_key_of(const uint8_t cell[static SQ_INVOICE_CELL], struct sq_invoice_key *out)
{
    uint64_t low = sq_get_be64(cell + 2);
    uint32_t head = sq_get_be16(cell);
    /* A digit over 9 carries into the next when 6 is added: all sixteen are tested at once. */
    uint64_t carry = ((low + 0x0666666666666666u) ^ low ^ 0x0666666666666666u) & 0x1111111111111110u;
    if (carry != 0 || (low >> 60) > 9)
        return 0;
    for (uint32_t h = head; h != 0; h >>= 4)
        if ((h & 15u) > 9)
            return 0;
    *out = (struct sq_invoice_key){low, head};
    return low != 0 || head != 0;
}

uint32_t sq_invoice_province(const struct sq_invoice_key *key)
{
    /* Tax bureaus of the five cities with plans of their own number by themselves. */
    static const uint8_t planned[5] = {21, 33, 35, 37, 44};
    uint32_t d1 = key->head >> 12, d2 = key->head >> 8 & 15, d3 = key->head >> 4 & 15, d4 = key->head & 15;
    uint32_t code = d1 <= 1 && d2 != 0 ? d2 * 10 + d3 : d3 * 10 + d4;
    if (d1 >= 2 && code >= 91 && code <= 95)
        code = planned[code - 91];
    return code >= 11 && code <= 82 ? code : 0;
}

/* ---- rows ---- */

void sq_invoices_init(struct sq_invoices *r)
{
    sq_register_init(&r->rows);
    r->others = SQ_TABLE_OF(struct other);
}

void sq_invoices_free(struct sq_invoices *r)
{
    sq_register_free(&r->rows);
    sq_table_free(&r->others);
}

static struct other *other_at(const struct sq_invoices *r, uint32_t number)
{
    return SQ_ROW(&r->others, struct other, number);
}

static struct other *find_other(const struct sq_invoices *r, const struct sq_invoice_row *row, uint32_t programme)
{
    for (uint32_t n = row->other; n != SQ_ROW_NONE; n = other_at(r, n)->next)
        if (other_at(r, n)->programme == programme)
            return other_at(r, n);
    return NULL;
}

/* ---- claims ---- */

#define WHOLE_BP 10000u

/* Claimed, and all given back: the next claim finds it as good as new. Else whoever was refused first could keep it from its seller. */
static int is_free(const struct sq_invoices *r, const struct sq_invoice_row *row)
{
    int used = row->base_fen != 0 || row->amount_fen != 0;
    for (uint32_t n = row->other; n != SQ_ROW_NONE && !used; n = other_at(r, n)->next)
        used = other_at(r, n)->base_fen != 0 || other_at(r, n)->amount_fen != 0;
    return !used;
}

struct stack { /* the claimants of an invoice, as far as they have been looked at */
    __int128 amounts;
    uint32_t limit;
    int others, exclusive;
};

static void look_at_claimant(struct stack *s, int is_other, int64_t amount_fen, uint32_t limit_bp)
{
    s->amounts += amount_fen;
    if (amount_fen == 0)
        return;
    s->others |= is_other;
    s->exclusive |= limit_bp == 0;
    s->limit = limit_bp < s->limit ? limit_bp : s->limit;
}

static unsigned check_stacking(const struct sq_invoices *r, const struct sq_invoice_row *row,
                               const struct sq_invoice_claim *c)
{
    struct stack s = {c->amount_fen, c->stack_limit_bp, 0, c->stack_limit_bp == 0};
    look_at_claimant(&s, row->programme != c->programme, row->amount_fen, row->stack_limit_bp);
    for (uint32_t n = row->other; n != SQ_ROW_NONE; n = other_at(r, n)->next) {
        const struct other *o = other_at(r, n);
        look_at_claimant(&s, o->programme != c->programme, o->amount_fen, o->stack_limit_bp);
    }
    if (s.others && s.exclusive)
        return SQ_R_INVOICE_STACKING;
    uint32_t limit = s.others ? s.limit : WHOLE_BP;
    return s.amounts * WHOLE_BP > (__int128)row->total_fen * limit ? SQ_R_INVOICE_OVERDRAWN : SQ_OK;
}

/* A programme whose versions stack differently is held to all of them that it has claimed under. */
static uint32_t class_with(int64_t amount_fen, uint32_t held_bp, uint32_t limit_bp)
{
    return amount_fen == 0 || limit_bp < held_bp ? limit_bp : held_bp;
}

/* A provider is another one when another node speaks for it: no node can free, or use up, what was claimed through another. */
static int same_claimant(const struct sq_invoice_row *row, const struct sq_invoice_claim *c)
{
    return row->seller == c->seller && row->acquirer == c->acquirer;
}

unsigned sq_invoice_check(const struct sq_invoices *r, const struct sq_invoice_claim *c,
                          struct sq_invoice_cursor *cursor)
{
    struct sq_invoice_row row;
    sq_register_seek(&r->rows, &c->key, &cursor->place);
    if (cursor->place.found)
        sq_register_read(&r->rows, &cursor->place, &row);
    if (!cursor->place.found || is_free(r, &row))
        // cppcheck-suppress uninitStructMember ; read where found
        return cursor->place.found && row.fixed && row.total_fen != c->total_fen ? SQ_R_INVOICE_TOTAL
               : c->base_fen > c->total_fen || c->amount_fen > c->total_fen      ? SQ_R_INVOICE_OVERDRAWN
                                                                                 : SQ_OK;
    if (!same_claimant(&row, c))
        return SQ_R_INVOICE_SELLER;
    if (row.total_fen != c->total_fen)
        return SQ_R_INVOICE_TOTAL;
    unsigned refused = check_stacking(r, &row, c);
    if (refused != SQ_OK)
        return refused;
    const struct other *o = row.programme == c->programme ? NULL : find_other(r, &row, c->programme);
    int64_t base = row.programme == c->programme ? row.base_fen : o != NULL ? o->base_fen : 0;
    return c->base_fen > row.total_fen - base ? SQ_R_INVOICE_OVERDRAWN : SQ_OK;
}

static void first_claim(struct sq_invoice_row *row, const struct sq_invoice_claim *c)
{
    row->programme = c->programme;
    row->seller = c->seller;
    row->acquirer = c->acquirer;
    row->total_fen = c->total_fen;
    row->base_fen = c->base_fen;
    row->amount_fen = c->amount_fen;
    row->stack_limit_bp = c->stack_limit_bp;
}

static sq_status add_row(struct sq_invoices *r, const struct sq_invoice_claim *c, struct sq_place *place)
{
    struct sq_invoice_row *row = sq_register_insert(&r->rows, &c->key, place);
    if (row == NULL)
        return SQ_E_NOMEM;
    row->other = SQ_ROW_NONE;
    first_claim(row, c);
    return SQ_OK;
}

sq_status sq_invoice_add(struct sq_invoices *r, const struct sq_invoice_claim *c, struct sq_invoice_cursor *cursor)
{
    if (!cursor->place.found)
        return add_row(r, c, &cursor->place);
    struct sq_invoice_row *row = sq_register_edit(&r->rows, &cursor->place);
    if (row == NULL)
        return SQ_E_NOMEM;
    if (is_free(r, row)) {
        first_claim(row, c); /* what hangs on it is all zero, and may be used again */
        return SQ_OK;
    }
    if (row->programme == c->programme) {
        row->stack_limit_bp = class_with(row->amount_fen, row->stack_limit_bp, c->stack_limit_bp);
        row->base_fen += c->base_fen;
        row->amount_fen += c->amount_fen;
        return SQ_OK;
    }
    struct other *o = find_other(r, row, c->programme);
    if (o == NULL) {
        uint32_t number;
        if ((o = sq_table_add(&r->others, &number)) == NULL)
            return SQ_E_NOMEM;
        *o = (struct other){.programme = c->programme, .next = row->other};
        row->other = number;
    }
    o->stack_limit_bp = class_with(o->amount_fen, o->stack_limit_bp, c->stack_limit_bp);
    o->base_fen += c->base_fen;
    o->amount_fen += c->amount_fen;
    return SQ_OK;
}

/* ---- giving back ---- */

/* What the claim's programme has on its invoice; 0 when there is nothing. `line`: its returns under way, or NULL. */
static int sums_of(const struct sq_invoices *r, const struct sq_invoice_claim *c, struct sq_place *place, int64_t *base,
                   int64_t *amount, struct other **line)
{
    struct sq_invoice_row row;
    *place = (struct sq_place){0};
    sq_register_seek(&r->rows, &c->key, place);
    if (!place->found)
        return 0;
    sq_register_read(&r->rows, place, &row);
    struct other *o = find_other(r, &row, c->programme);
    int first = row.programme == c->programme;
    if (!same_claimant(&row, c) || (!first && o == NULL))
        return 0;
    *base = first ? row.base_fen : o->base_fen;
    *amount = first ? row.amount_fen : o->amount_fen;
    *line = o;
    return 1;
}

unsigned sq_invoice_check_return(const struct sq_invoices *r, const struct sq_invoice_claim *c)
{
    struct sq_place place;
    struct other *line;
    int64_t base, amount;
    if (!sums_of(r, c, &place, &base, &amount, &line))
        return SQ_R_RETURN_EXCEEDS;
    if (line != NULL) {
        base -= line->returning_base_fen;
        amount -= line->returning_fen;
    }
    return c->base_fen <= base && c->amount_fen <= amount ? SQ_OK : SQ_R_RETURN_EXCEEDS;
}

unsigned sq_invoice_begin_return(struct sq_invoices *r, const struct sq_invoice_claim *c)
{
    struct sq_place place;
    struct other *line;
    int64_t base, amount;
    unsigned refused = sq_invoice_check_return(r, c);
    if (refused != SQ_OK)
        return refused;
    int known = sums_of(r, c, &place, &base, &amount, &line);
    SQ_ASSERT(known); /* it was just checked */
    if (line == NULL) {
        uint32_t number;
        struct sq_invoice_row *row = sq_register_edit(&r->rows, &place);
        if (row == NULL || (line = sq_table_add(&r->others, &number)) == NULL)
            return SQ_E_NOMEM;
        *line = (struct other){.programme = c->programme, .stack_limit_bp = row->stack_limit_bp, .next = row->other};
        row->other = number;
    }
    line->returning_base_fen += c->base_fen;
    line->returning_fen += c->amount_fen;
    return SQ_OK;
}

static void take_off(int64_t *sum, int64_t fen)
{
    *sum -= fen < *sum ? fen : *sum;
}

void sq_invoice_end_return(struct sq_invoices *r, const struct sq_invoice_claim *c)
{
    struct sq_place place;
    struct other *line;
    int64_t base, amount;
    if (!sums_of(r, c, &place, &base, &amount, &line) || line == NULL)
        return;
    take_off(&line->returning_base_fen, c->base_fen);
    take_off(&line->returning_fen, c->amount_fen);
}

sq_status sq_invoice_subtract(struct sq_invoices *r, const struct sq_invoice_claim *c)
{
    struct sq_place place;
    struct other *line;
    int64_t base, amount;
    if (!sums_of(r, c, &place, &base, &amount, &line))
        return SQ_OK;
    struct sq_invoice_row *row = sq_register_edit(&r->rows, &place);
    if (row == NULL)
        return SQ_E_NOMEM;
    int first = row->programme == c->programme;
    take_off(first ? &row->base_fen : &line->base_fen, c->base_fen);
    take_off(first ? &row->amount_fen : &line->amount_fen, c->amount_fen);
    return SQ_OK;
}

/* ---- credit notes ---- */

static void look_at_part(struct sq_invoice_state *out, struct stack *s, const struct sq_invoice_part *p,
                         uint32_t limit_bp, struct sq_invoice_part *part, size_t max)
{
    look_at_claimant(s, s->amounts != 0, p->amount_fen, limit_bp);
    if (p->base_fen == 0 && p->amount_fen == 0)
        return;
    if (out->parts < max)
        part[out->parts] = *p;
    out->parts++;
}

void sq_invoice_look(const struct sq_invoices *r, const struct sq_invoice_key *key, struct sq_invoice_state *out,
                     struct sq_invoice_part *part, size_t max)
{
    struct sq_place place = {0};
    struct sq_invoice_row row;
    struct stack s = {.limit = WHOLE_BP};
    *out = (struct sq_invoice_state){.limit_bp = WHOLE_BP};
    sq_register_seek(&r->rows, key, &place);
    if (!place.found)
        return;
    sq_register_read(&r->rows, &place, &row);
    struct sq_invoice_part first = {.programme = row.programme, .base_fen = row.base_fen, .amount_fen = row.amount_fen};
    const struct other *returning = find_other(r, &row, row.programme);
    if (returning != NULL) {
        first.base_fen -= returning->returning_base_fen;
        first.amount_fen -= returning->returning_fen;
    }
    *out = (struct sq_invoice_state){
        .known = 1, .total_fen = row.total_fen, .seller = row.seller, .acquirer = row.acquirer};
    look_at_part(out, &s, &first, row.stack_limit_bp, part, max);
    for (uint32_t n = row.other; n != SQ_ROW_NONE; n = other_at(r, n)->next) {
        const struct other *o = other_at(r, n);
        struct sq_invoice_part p = {.programme = o->programme,
                                    .base_fen = o->base_fen - o->returning_base_fen,
                                    .amount_fen = o->amount_fen - o->returning_fen};
        if (o->programme != row.programme)
            look_at_part(out, &s, &p, o->stack_limit_bp, part, max);
    }
    out->limit_bp = s.others && s.limit != 0 ? s.limit : WHOLE_BP;
}

sq_status sq_invoice_fix(struct sq_invoices *r, const struct sq_invoice_key *key, int64_t total_fen)
{
    struct sq_place place = {0};
    sq_register_seek(&r->rows, key, &place);
    const int known = place.found;
    struct sq_invoice_row *row = known ? sq_register_edit(&r->rows, &place) : sq_register_insert(&r->rows, key, &place);
    if (row == NULL)
        return SQ_E_NOMEM;
    if (!known)
        row->programme = row->seller = row->other = SQ_ROW_NONE;
    row->total_fen = total_fen;
    row->fixed = 1;
    return SQ_OK;
}

int64_t sq_invoice_claimed(const struct sq_invoices *r, const struct sq_invoice_key *key)
{
    struct sq_place place = {0};
    struct sq_invoice_row row;
    sq_register_seek(&r->rows, key, &place);
    if (!place.found)
        return -1;
    sq_register_read(&r->rows, &place, &row);
    int64_t sum = row.amount_fen;
    for (uint32_t n = row.other; n != SQ_ROW_NONE; n = other_at(r, n)->next)
        sum += other_at(r, n)->amount_fen;
    return sum;
}

int64_t sq_invoice_base_used(const struct sq_invoices *r, const struct sq_invoice_claim *c, int64_t *total_fen)
{
    struct sq_place place = {0};
    struct sq_invoice_row row;
    *total_fen = c->total_fen;
    sq_register_seek(&r->rows, &c->key, &place);
    if (!place.found)
        return 0;
    sq_register_read(&r->rows, &place, &row);
    if (is_free(r, &row))
        return 0;
    *total_fen = row.total_fen;
    const struct other *o = row.programme == c->programme ? NULL : find_other(r, &row, c->programme);
    return row.programme == c->programme ? row.base_fen : o != NULL ? o->base_fen : 0;
}

/* ---- snapshot ---- */

void sq_invoices_dump(struct sq_invoices *r, struct sq_dump *d)
{
    sq_dump_table(d, &r->others);
    sq_register_dump(&r->rows, d);
}

void sq_invoices_dump_done(struct sq_invoices *r)
{
    sq_register_dump_done(&r->rows);
}

sq_status sq_invoices_undump(struct sq_invoices *r, struct sq_reader *in, struct sq_error *err)
{
    sq_status st = sq_undump_table(in, &r->others, err);
    return st != SQ_OK ? st : sq_register_undump(&r->rows, in, err);
}
