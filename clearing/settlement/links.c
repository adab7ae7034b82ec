/*
 * Link streams: the same fold on both sides.
 *
 * Invariants: number counts up by one; hash(n) covers hash(n-1), so equal hashes mean equal histories; sums never wrap. Each number
 * since the last settled one has an entry, except a node's to itself, which nobody else states.
 */
#include "clearing/settlement/internal.h"

static void chain(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, uint64_t batch,
                  const uint8_t result_hash[static SQ_HASH_SIZE], const struct sq_fold *before,
                  const struct sq_link_step *step, uint8_t out[static SQ_HASH_SIZE])
{
    static const char tag[] = "sanquan/link/v1"; /* with its NUL */
    uint8_t number[8], of_batch[8], count[8], total[SQ_KIND_COUNT * 8];
    sq_put_be64(number, before->number + 1);
    sq_put_be64(of_batch, batch);
    sq_put_be64(count, step->count);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        sq_put_be64(total + 8 * k, (uint64_t)step->total_fen[k]);
    const struct sq_sha256_part parts[] = {
        {tag, sizeof tag}, {before->hash, SQ_HASH_SIZE}, {number, 8}, {s->codes[debtor], 6}, {s->codes[creditor], 6},
        {of_batch, 8},     {result_hash, SQ_HASH_SIZE},  {count, 8},  {total, sizeof total},
    };
    sq_sha256_parts(parts, sizeof parts / sizeof *parts, out);
}

static sq_status advance(const struct sq_fold *before, const struct sq_link_step *step, struct sq_fold *after,
                         struct sq_error *err)
{
    *after = *before;
    after->number = step->number;
    after->count += step->count;
    memcpy(after->hash, step->hash, SQ_HASH_SIZE);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        if (__builtin_add_overflow(after->total_fen[k], step->total_fen[k], &after->total_fen[k]))
            return sq_fail(err, SQ_E_OVERFLOW, "link number %" PRIu64 ": kind %zu leaves int64 fen", step->number,
                           k + 1);
    return SQ_OK;
}

/* ---- entries ---- */

void sq_link_init(struct sq_link *l)
{
    l->first = 1;
    l->cap.maker = SQ_ROW_NONE;
    l->entries = SQ_TABLE_OF(struct sq_link_entry);
    l->mixed = SQ_TABLE_OF(struct sq_mixed);
}

void sq_link_free(struct sq_link *l)
{
    sq_table_free(&l->entries);
    sq_table_free(&l->mixed);
}

static sq_status reserve_entry(struct sq_link *l, struct sq_error *err)
{
    sq_status st = sq_table_reserve(&l->entries, 1, err);
    return st != SQ_OK ? st : sq_table_reserve(&l->mixed, 1, err);
}

/* Room has been reserved. */
static void add_entry(struct sq_link *l, uint64_t batch, const struct sq_link_step *step)
{
    struct sq_link_entry *e = sq_table_add(&l->entries, NULL);
    uint32_t kinds = 0;
    memcpy(e->hash, step->hash, sizeof e->hash);
    e->batch = batch;
    e->count = (uint32_t)step->count;
    for (uint32_t k = 0; k < SQ_KIND_COUNT; k++)
        if (step->total_fen[k] != 0) {
            kinds++;
            e->kind = k + 1;
            e->total_fen = step->total_fen[k];
        }
    if (kinds == 1)
        return;
    uint32_t row;
    struct sq_mixed *m = sq_table_add(&l->mixed, &row);
    memcpy(m->total_fen, step->total_fen, sizeof m->total_fen);
    e->kind = 0;
    e->total_fen = row;
}

struct sq_break_side sq_link_at(const struct sq_link *l, uint64_t number)
{
    struct sq_break_side side;
    memset(&side, 0, sizeof side);
    if (number < l->first || number - l->first >= l->entries.count)
        return side;
    const struct sq_link_entry *e = SQ_ROW(&l->entries, struct sq_link_entry, (uint32_t)(number - l->first));
    side.present = 1;
    side.batch = e->batch;
    side.count = e->count;
    memcpy(side.hash, e->hash, sizeof side.hash);
    if (e->kind != 0)
        side.total_fen[e->kind - 1] = e->total_fen;
    else
        memcpy(side.total_fen, SQ_ROW(&l->mixed, struct sq_mixed, (uint32_t)e->total_fen)->total_fen,
               sizeof side.total_fen);
    return side;
}

void sq_link_trim(struct sq_link *l)
{
    uint64_t over = l->settled.number + 1 > l->first ? l->settled.number + 1 - l->first : 0;
    uint32_t gone = over < l->entries.count ? (uint32_t)over : l->entries.count, mixed = 0;
    struct sq_link_entry *e = l->entries.rows;
    for (uint32_t i = 0; i < gone; i++)
        mixed += e[i].kind == 0;
    l->first += gone;
    l->entries.count -= gone;
    l->mixed.count -= mixed;
    if (gone != 0 && l->entries.count != 0)
        memmove(e, e + gone, l->entries.count * sizeof *e);
    if (mixed != 0 && l->mixed.count != 0)
        memmove(l->mixed.rows, SQ_ROW(&l->mixed, struct sq_mixed, mixed), l->mixed.count * sizeof(struct sq_mixed));
    for (uint32_t i = 0; i < l->entries.count; i++)
        e[i].total_fen -= e[i].kind == 0 ? mixed : 0;
}

int sq_link_adopt(struct sq_link *l, const struct sq_stated *stated, uint64_t entry)
{
    struct sq_fold after = l->settled;
    if (stated->first != l->settled.number + 1)
        return 0;
    after.number = stated->last;
    after.count += stated->count;
    memcpy(after.hash, stated->hash, SQ_HASH_SIZE);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        if (__builtin_add_overflow(after.total_fen[k], stated->total_fen[k], &after.total_fen[k]))
            return 0;
    l->taken_at = entry;
    l->taken_first = stated->first;
    l->taken_last = stated->last;
    l->now = after;
    memcpy(l->carried_fen, stated->carried_fen, sizeof l->carried_fen);
    l->first = after.number + 1; /* what stands under the numbers before is the debtor's to know */
    l->entries.count = l->mixed.count = 0;
    return 1;
}

uint64_t sq_settlement_taken_at(const struct sq_settlement *s, uint32_t debtor)
{
    return s->owed[debtor].taken_at;
}

int sq_settlement_take_number(struct sq_settlement *s, uint32_t debtor, uint64_t number)
{
    struct sq_link *l = &s->owed[debtor];
    if (number < l->taken_first || number > l->taken_last)
        return 0;
    l->taken_first = number + 1;
    return 1;
}

/* ---- steps ---- */

sq_status sq_settlement_owe(struct sq_settlement *s, uint32_t creditor, uint64_t batch,
                            const uint8_t result_hash[static SQ_HASH_SIZE], struct sq_link_step *step,
                            struct sq_error *err)
{
    struct sq_fold *now = &s->owes[creditor].now, after;
    struct sq_link_step next = *step;
    next.number = now->number + 1;
    chain(s, s->self, creditor, batch, result_hash, now, &next, next.hash);
    sq_status st = advance(now, &next, &after, err);
    if (st == SQ_OK && creditor != s->self)
        st = reserve_entry(&s->owes[creditor], err);
    if (st != SQ_OK)
        return st;
    *now = after;
    if (creditor != s->self)
        add_entry(&s->owes[creditor], batch, &next);
    *step = next;
    return SQ_OK;
}

sq_status sq_settlement_owed(struct sq_settlement *s, uint32_t debtor, uint64_t batch,
                             const uint8_t result_hash[static SQ_HASH_SIZE], const struct sq_link_step *step,
                             struct sq_error *err)
{
    struct sq_fold *now = &s->owed[debtor].now, after;
    uint8_t hash[SQ_HASH_SIZE];
    if (step->number != now->number + 1)
        return sq_fail(err, SQ_R_LINK_BROKEN, "link %s to %s: number %" PRIu64 " after %" PRIu64, s->codes[debtor],
                       s->codes[s->self], step->number, now->number);
    chain(s, debtor, s->self, batch, result_hash, now, step, hash);
    if (memcmp(hash, step->hash, SQ_HASH_SIZE) != 0)
        return sq_fail(err, SQ_R_LINK_BROKEN, "link %s to %s: hash of number %" PRIu64 " differs", s->codes[debtor],
                       s->codes[s->self], step->number);
    sq_status st = advance(now, step, &after, err);
    if (st == SQ_OK)
        st = reserve_entry(&s->owed[debtor], err);
    if (st != SQ_OK)
        return st;
    *now = after;
    add_entry(&s->owed[debtor], batch, step);
    return SQ_OK;
}

int sq_carries(const struct sq_stated *row)
{
    int any = 0;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        any |= row->carried_fen[k] != 0;
    return any;
}

void sq_link_leave(struct sq_link *l, uint32_t kind, int64_t fen)
{
    l->settled.total_fen[kind - 1] -= fen;
    l->carried_fen[kind - 1] += fen;
}

void sq_fold_row(const struct sq_link *l, const struct sq_fold *to, struct sq_stated *row)
{
    const struct sq_fold *from = &l->settled;
    *row = (struct sq_stated){
        .present = 1, .first = from->number + 1, .last = to->number, .count = to->count - from->count};
    memcpy(row->hash, to->hash, SQ_HASH_SIZE);
    memcpy(row->carried_fen, l->carried_fen, sizeof row->carried_fen);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        row->total_fen[k] = to->total_fen[k] - from->total_fen[k]; /* a difference of two sums of the same steps */
}

void sq_settlement_link(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, struct sq_link_view *out)
{
    const struct sq_link *l = debtor == s->self ? &s->owes[creditor] : &s->owed[debtor];
    struct sq_stated row;
    sq_fold_row(l, &l->now, &row);
    *out = (struct sq_link_view){.settled_number = l->settled.number};
    out->last.number = l->now.number;
    out->last.count = row.count;
    memcpy(out->last.hash, l->now.hash, SQ_HASH_SIZE);
    memcpy(out->last.total_fen, row.total_fen, sizeof row.total_fen);
}
