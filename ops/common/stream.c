/*
 * Invariant: `now` is the fold of all steps so far, `settled` of those that a final settlement has covered; a window's part is the difference.
 */
#include "ops/common/stream.h"

#include <string.h>

/* proto/README.md, "Link streams", written down as one string of bytes. */
static void chain_hash(const uint8_t before[static SQ_HASH_SIZE], uint64_t number, const char *debtor,
                       const char *creditor, uint64_t batch, const uint8_t result[static SQ_HASH_SIZE],
                       const struct sq_stream_sum *step, uint8_t out[static SQ_HASH_SIZE])
{
    static const char tag[] = "sanquan/link/v1";
    uint8_t text[sizeof tag + 2 * SQ_HASH_SIZE + 3 * 8 + 12 + SQ_KIND_COUNT * 8], *at = text;
    memcpy(at, tag, sizeof tag);
    at += sizeof tag;
    memcpy(at, before, SQ_HASH_SIZE);
    at += SQ_HASH_SIZE;
    sq_put_be64(at, number);
    at += 8;
    memcpy(at, debtor, 6);
    memcpy(at + 6, creditor, 6);
    at += 12;
    sq_put_be64(at, batch);
    at += 8;
    memcpy(at, result, SQ_HASH_SIZE);
    at += SQ_HASH_SIZE;
    sq_put_be64(at, step->count);
    at += 8;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++, at += 8)
        sq_put_be64(at, (uint64_t)(int64_t)step->total[k]);
    SQ_ASSERT(at == text + sizeof text);
    sq_sha256(text, sizeof text, out);
}

sq_status sq_stream_step(struct sq_stream *s, uint64_t batch, const Sanquan__V1__Link *l, struct sq_stream_sum *sum,
                         const uint8_t result[static SQ_HASH_SIZE], uint64_t seq, struct sq_error *err)
{
    uint8_t hash[SQ_HASH_SIZE];
    const char *from = s->debtor, *to = s->creditor;
    if (l == NULL)
        return sum->count == 0
                   ? SQ_OK
                   : sq_fail(err, SQ_E_VERIFY,
                             "entry %" PRIu64 ": %" PRIu64 " rows moved money from %s to %s, and no link says so", seq,
                             sum->count, from, to);
    for (size_t k = 0; k < SQ_KIND_COUNT && l->n_borne_fen == SQ_KIND_COUNT; k++)
        sum->total[k] -= l->borne_fen[k]; /* what the creditor bears itself, under an agreement */
    if (l->number != s->now.number + 1)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": link %s to %s goes from number %" PRIu64 " to %" PRIu64,
                       seq, from, to, s->now.number, l->number);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        if (l->count != sum->count || l->n_total_fen != SQ_KIND_COUNT || l->total_fen[k] != sum->total[k])
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": link %s to %s number %" PRIu64 " does not say what its rows add up to",
                           seq, from, to, l->number);
    chain_hash(s->now.hash, l->number, from, to, batch, result, sum, hash);
    if (l->hash.len != SQ_HASH_SIZE || memcmp(hash, l->hash.data, SQ_HASH_SIZE) != 0)
        return sq_fail(err, SQ_E_VERIFY,
                       "entry %" PRIu64 ": link %s to %s number %" PRIu64 " has another hash than its rows", seq, from,
                       to, l->number);
    s->now.number = l->number;
    s->now.count += sum->count;
    memcpy(s->now.hash, hash, SQ_HASH_SIZE);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        s->now.total[k] += sum->total[k];
    return SQ_OK;
}

/* ---- windows ---- */

void sq_stream_state(struct sq_stream *s, uint64_t window)
{
    if (window <= s->stated_window)
        return; /* the first one counts */
    s->stated_window = window;
    s->stated[window % SQ_STREAM_STATED] = s->now;
}

void sq_stream_adopt(struct sq_stream *s, const Sanquan__V1__StatementRow *row)
{
    if (row->first != s->settled.number + 1 || row->hash.len != SQ_HASH_SIZE || row->n_total_fen != SQ_KIND_COUNT)
        return;
    s->now = s->settled;
    s->now.number = row->last;
    s->now.count += row->count;
    memcpy(s->now.hash, row->hash.data, SQ_HASH_SIZE);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        s->now.total[k] += row->total_fen[k];
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        s->carried[k] = row->n_carried_fen == SQ_KIND_COUNT ? row->carried_fen[k] : 0;
    s->adopt = 0;
}

int sq_stream_settle(struct sq_stream *s, uint64_t window, const Sanquan__V1__Pair *p)
{
    const struct sq_stream_sum *to = &s->stated[window % SQ_STREAM_STATED], *from = &s->settled;
    int same = s->stated_window >= window && p->first == from->number + 1 && p->last == to->number &&
               p->count == to->count - from->count && p->hash.len == SQ_HASH_SIZE &&
               memcmp(p->hash.data, to->hash, SQ_HASH_SIZE) == 0 && p->n_total_fen == SQ_KIND_COUNT;
    for (size_t k = 0; same && k < SQ_KIND_COUNT; k++)
        same = p->total_fen[k] == to->total[k] - from->total[k] &&
               (p->n_carried_fen == SQ_KIND_COUNT ? p->carried_fen[k] : 0) == s->carried[k];
    if (!same)
        return 0;
    s->settled = *to;
    memset(s->carried, 0, sizeof s->carried);
    return 1;
}

void sq_stream_leave(struct sq_stream *s, uint32_t kind, int64_t fen)
{
    s->settled.total[kind - 1] -= fen;
    s->carried[kind - 1] += fen;
}
