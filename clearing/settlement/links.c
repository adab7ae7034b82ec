/*
 * Link streams: the same fold on both sides.
 *
 * Invariants: number counts up by one; hash(n) covers hash(n-1), so equal hashes mean equal histories; sums never wrap.
 */
#include "clearing/settlement/internal.h"

static void chain(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, uint64_t batch,
                  const uint8_t result_hash[static SQ_HASH_SIZE], const struct sq_fold *before, const struct sq_link_step *step,
                  uint8_t out[static SQ_HASH_SIZE])
{
    static const char tag[] = "sanquan/link/v1"; /* with its NUL */
    uint8_t number[8], of_batch[8], count[8], total[SQ_KIND_COUNT * 8];
    sq_put_be64(number, before->number + 1);
    sq_put_be64(of_batch, batch);
    sq_put_be64(count, step->count);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        sq_put_be64(total + 8 * k, (uint64_t)step->total_fen[k]);
    const struct sq_sha256_part parts[] = {
        {tag, sizeof tag},           {before->hash, SQ_HASH_SIZE},   {number, 8},  {s->codes[debtor], 6}, {s->codes[creditor], 6},
        {of_batch, 8},               {result_hash, SQ_HASH_SIZE},    {count, 8},   {total, sizeof total},
    };
    sq_sha256_parts(parts, sizeof parts / sizeof *parts, out);
}

static sq_status advance(const struct sq_fold *before, const struct sq_link_step *step, struct sq_fold *after, struct sq_error *err)
{
    *after = *before;
    after->number = step->number;
    after->count += step->count;
    memcpy(after->hash, step->hash, SQ_HASH_SIZE);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        if (__builtin_add_overflow(after->total_fen[k], step->total_fen[k], &after->total_fen[k]))
            return sq_fail(err, SQ_E_OVERFLOW, "link number %" PRIu64 ": kind %zu leaves int64 fen", step->number, k + 1);
    return SQ_OK;
}

sq_status sq_settlement_owe(struct sq_settlement *s, uint32_t creditor, uint64_t batch,
                            const uint8_t result_hash[static SQ_HASH_SIZE], struct sq_link_step *step, struct sq_error *err)
{
    struct sq_fold *now = &s->owes[creditor].now, after;
    struct sq_link_step next = *step;
    next.number = now->number + 1;
    chain(s, s->self, creditor, batch, result_hash, now, &next, next.hash);
    sq_status st = advance(now, &next, &after, err);
    if (st != SQ_OK)
        return st;
    *now = after;
    *step = next;
    return SQ_OK;
}

sq_status sq_settlement_owed(struct sq_settlement *s, uint32_t debtor, uint64_t batch, const uint8_t result_hash[static SQ_HASH_SIZE],
                             const struct sq_link_step *step, struct sq_error *err)
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
        *now = after;
    return st;
}

void sq_fold_row(const struct sq_fold *from, const struct sq_fold *to, struct sq_stated *row)
{
    *row = (struct sq_stated){.present = 1, .first = from->number + 1, .last = to->number, .count = to->count - from->count};
    memcpy(row->hash, to->hash, SQ_HASH_SIZE);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        row->total_fen[k] = to->total_fen[k] - from->total_fen[k]; /* a difference of two sums of the same steps */
}

void sq_settlement_link(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, struct sq_link_view *out)
{
    const struct sq_link *l = debtor == s->self ? &s->owes[creditor] : &s->owed[debtor];
    struct sq_stated row;
    sq_fold_row(&l->settled, &l->now, &row);
    *out = (struct sq_link_view){.settled_number = l->settled.number};
    out->last.number = l->now.number;
    out->last.count = row.count;
    memcpy(out->last.hash, l->now.hash, SQ_HASH_SIZE);
    memcpy(out->last.total_fen, row.total_fen, sizeof row.total_fen);
}
