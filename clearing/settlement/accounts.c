/*
 * The settlement account of this node's region, by kind: what the settlement bank holds for it.
 *
 *   paid in, taken out     entered by one operator with the bank's reference, agreed to by another
 *   a window is settled    its payments have been moved: what it paid goes, what it received comes
 *
 * Between finality and settlement the payments of a window are committed. Where the charter has prefunding, the region may come to owe all
 * others together, net and kind by kind, no more than the account holds beyond what is committed; without it the account is kept and
 * shown, and bounds nothing.
 *
 * Invariants: what is committed is the sum of this node's outgoing payments of windows that are final and neither settled nor defaulted;
 * nothing is taken out that is committed or, with prefunding, owed.
 */
#include <stdlib.h>

#include "clearing/settlement/internal.h"

/* ---- what the account must cover ---- */

/* What this region owes all others together in a kind, net, with what is reserved for their providers. */
static __int128 owed_to_all(const struct sq_settlement *s, size_t k)
{
    __int128 sum = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct sq_link *owes = &s->owes[i], *owed = &s->owed[i];
        if (i == s->self)
            continue;
        sum += (__int128)owes->now.total_fen[k] - owes->settled.total_fen[k] + owes->held_fen[k];
        sum -= (__int128)owed->now.total_fen[k] - owed->settled.total_fen[k];
    }
    return sum > 0 ? sum : 0;
}

int sq_settlement_account_room(const struct sq_settlement *s, uint32_t creditor, uint32_t kind,
                               const int64_t pending_fen[static SQ_KIND_COUNT], struct sq_room *out)
{
    const struct sq_money_account *a = &s->account;
    size_t k = kind - 1;
    if (!s->charter.prefunded || creditor == s->self)
        return 0;
    __int128 before = owed_to_all(s, k) + pending_fen[k], free_fen = (__int128)a->balance_fen[k] - a->committed_fen[k];
    int64_t cap = free_fen > 0 ? (int64_t)free_fen : 0; /* what is committed is within the balance, or about to be */
    *out = sq_room_of(cap, cap - before);
    return 1;
}

int64_t sq_account_free(const struct sq_settlement *s, uint32_t kind)
{
    int64_t fen = s->account.balance_fen[kind - 1] - s->account.committed_fen[kind - 1];
    return fen > 0 ? fen : 0;
}

/* ---- payments of a window ---- */

void sq_account_move(struct sq_settlement *s, const Sanquan__V1__Payment *p, enum sq_account_step step)
{
    struct sq_money_account *a = &s->account;
    int pays = strcmp(p->payer, s->codes[s->self]) == 0, gets = strcmp(p->payee, s->codes[s->self]) == 0;
    size_t k = p->kind - 1;
    if (pays)
        a->committed_fen[k] += step == SQ_ACCOUNT_COMMIT ? p->amount_fen : -p->amount_fen;
    if (step == SQ_ACCOUNT_SETTLE && pays)
        a->balance_fen[k] -= p->amount_fen;
    if (step == SQ_ACCOUNT_SETTLE && gets)
        a->balance_fen[k] += p->amount_fen;
}

/* ---- paying in and taking out ---- */

static sq_status check_entry(const struct sq_settlement *s, const Sanquan__V1__Account *m, struct sq_error *err)
{
    const struct sq_money_account *a = &s->account;
    if (m->kind < 1 || m->kind > SQ_KIND_COUNT || m->amount_fen == 0 || m->amount_fen > SQ_ACCOUNT_MOST_FEN ||
        m->amount_fen < -SQ_ACCOUNT_MOST_FEN || m->role < 1 || m->role > 2)
        return sq_fail(err, SQ_R_ACCOUNT, "kind %u, %" PRId64 " fen", m->kind, m->amount_fen);
    size_t size = strlen(m->reference);
    if (size == 0 || size > SQ_ACCOUNT_REFERENCE_MAX)
        return sq_fail(err, SQ_R_NOTE, "reference of %zu bytes", size);
    size_t k = m->kind - 1;
    __int128 after = (__int128)a->balance_fen[k] + m->amount_fen,
             needed = a->committed_fen[k] + (s->charter.prefunded ? owed_to_all(s, k) : 0);
    if (after > INT64_MAX / 2 || (m->amount_fen < 0 && after < needed))
        return sq_fail(err, SQ_R_ACCOUNT, "kind %u holds %" PRId64 " fen, of which %" PRId64 " are needed", m->kind,
                       a->balance_fen[k], needed > INT64_MAX ? INT64_MAX : (int64_t)needed);
    return SQ_OK;
}

sq_status sq_settlement_account_enter(struct sq_settlement *s, uint32_t party, sq_bytes body, struct sq_effects *fx,
                                      struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    ProtobufCMessage *opened;
    struct sq_money_account *a = &s->account;
    sq_status st = sq_wire_open(&sanquan__v1__account__descriptor, body, &memory, &opened, err);
    if (st != SQ_OK)
        return st;
    const Sanquan__V1__Account *m = (const Sanquan__V1__Account *)opened;
    if ((st = check_entry(s, m, err)) != SQ_OK)
        return st;
    if (m->role == 1) {
        a->wanted_kind = m->kind;
        a->wanted_fen = m->amount_fen;
        memset(a->wanted_reference, 0, sizeof a->wanted_reference);
        memcpy(a->wanted_reference, m->reference, strlen(m->reference));
        a->maker = party;
        return SQ_OK;
    }
    if (a->maker == SQ_ROW_NONE || a->wanted_kind != m->kind || a->wanted_fen != m->amount_fen ||
        strcmp(a->wanted_reference, m->reference) != 0)
        return sq_fail(err, SQ_R_NOT_ENTERED, "kind %u, %" PRId64 " fen, %s", m->kind, m->amount_fen, m->reference);
    if (a->maker == party)
        return sq_fail(err, SQ_R_SAME_PERSON, "%s", m->reference);
    a->maker = SQ_ROW_NONE;
    a->balance_fen[m->kind - 1] += m->amount_fen;
    return SQ_OK;
}

/* ---- views ---- */

void sq_settlement_account(const struct sq_settlement *s, struct sq_account_view *out)
{
    const struct sq_money_account *a = &s->account;
    *out = (struct sq_account_view){.prefunded = (int)s->charter.prefunded,
                                    .waiting_for_checker = a->maker != SQ_ROW_NONE};
    memcpy(out->balance_fen, a->balance_fen, sizeof out->balance_fen);
    memcpy(out->committed_fen, a->committed_fen, sizeof out->committed_fen);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++) {
        __int128 owed = owed_to_all(s, k);
        out->owed_fen[k] = owed > INT64_MAX ? INT64_MAX : (int64_t)owed;
    }
}
