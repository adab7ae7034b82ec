/*
 * Net debit caps: how much a region may come to owe another, net of what it is owed, before it is settled.
 *
 *   the creditor's maker enters a cap --its checker agrees--> in force at the creditor --DEBIT_CAP_NOTICE--> in force at the debtor
 *
 * The creditor bears the risk, so it sets the cap; the debtor decides the items, so it enforces it, item by item. What counts is, kind by kind
 * (kinds are never set off against each other), what is owed and not settled, less what is owed back, plus what is reserved for
 * the creditor's providers; where that is negative in a kind it counts as nothing. So room comes back when a window settles, when
 * a reservation is released or ends, when an item is returned, and when the other side comes to owe something.
 *
 * Invariants: an item that would go beyond the cap is refused and moves nothing; what is held is never negative; a cap that is lowered
 * below what is used takes nothing back.
 */
#include "clearing/settlement/internal.h"

/* What `debtor` owes `creditor` net in a kind and has not settled, as this node, one of the two, has it. */
static __int128 net_of_kind(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, size_t k)
{
    const struct sq_link *there = debtor == s->self ? &s->owes[creditor] : &s->owed[debtor];
    const struct sq_link *back = debtor == s->self ? &s->owed[creditor] : &s->owes[debtor];
    __int128 owes = (__int128)there->now.total_fen[k] - there->settled.total_fen[k];
    __int128 owed = (__int128)back->now.total_fen[k] - back->settled.total_fen[k];
    return owes - owed + there->held_fen[k];
}

static __int128 positive(__int128 v)
{
    return v > 0 ? v : 0;
}

/* `used` as it is or, where less would leave more room than there is, so that `left` is what is left. */
struct sq_room sq_room_of(int64_t cap_fen, __int128 left)
{
    __int128 most = left < INT64_MAX ? left : INT64_MAX, used = cap_fen - (most > -INT64_MAX ? most : -INT64_MAX);
    used = used > INT64_MAX ? INT64_MAX : used < (__int128)cap_fen - INT64_MAX ? (__int128)cap_fen - INT64_MAX : used;
    return (struct sq_room){cap_fen, (int64_t)used};
}

/*
 * An item goes when all kinds together stay within the cap with it, each counted where it is positive; also over the cap goes what makes it
 * no worse, which is as much as the other side owes in this kind.
 */
struct sq_room sq_settlement_room(const struct sq_settlement *s, uint32_t creditor, int64_t cap_fen, uint32_t kind,
                                  const int64_t pending_fen[static SQ_KIND_COUNT])
{
    __int128 others = 0, net = 0;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++) {
        __int128 of_kind = net_of_kind(s, s->self, creditor, k) + pending_fen[k];
        if (k == kind - 1)
            net = of_kind;
        else
            others += positive(of_kind);
    }
    __int128 left = cap_fen - others - net;
    return sq_room_of(cap_fen, left > -net ? left : -net);
}

int sq_settlement_cap_room(const struct sq_settlement *s, uint32_t creditor, uint32_t kind,
                           const int64_t pending_fen[static SQ_KIND_COUNT], struct sq_room *out)
{
    const struct sq_cap *cap = &s->owes[creditor].cap;
    if (!cap->set || creditor == s->self)
        return 0;
    *out = sq_settlement_room(s, creditor, cap->cap_fen, kind, pending_fen);
    return 1;
}

void sq_settlement_hold(struct sq_settlement *s, uint32_t creditor, uint32_t kind, int64_t fen)
{
    if (creditor == s->self)
        return;
    int64_t *held = &s->owes[creditor].held_fen[kind - 1];
    *held += fen; /* reservations are within pools, which are within int64 */
    SQ_ASSERT(*held >= 0);
}

/* ---- setting one ---- */

static int terms_ok(int64_t cap_fen, uint32_t alarm_bp, uint32_t lift)
{
    return lift == 1 ? cap_fen == 0 && alarm_bp == 0 : lift == 0 && cap_fen >= 0 && alarm_bp >= 1 && alarm_bp <= 10000;
}

static sq_status send_notice(uint32_t debtor, const struct sq_cap *cap, struct sq_effects *fx, struct sq_error *err)
{
    Sanquan__V1__DebitCapNotice m;
    sanquan__v1__debit_cap_notice__init(&m);
    m.cap_fen = cap->cap_fen;
    m.alarm_bp = cap->alarm_bp;
    m.lift = !cap->set;
    return sq_effects_send(fx, debtor, SANQUAN__V1__MESSAGE_TYPE__DEBIT_CAP_NOTICE, &m.base, err);
}

sq_status sq_settlement_debit_cap(struct sq_settlement *s, uint32_t party, sq_bytes body, struct sq_effects *fx,
                                  struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    ProtobufCMessage *opened;
    sq_status st = sq_wire_open(&sanquan__v1__debit_cap__descriptor, body, &memory, &opened, err);
    if (st != SQ_OK)
        return st;
    const Sanquan__V1__DebitCap *m = (const Sanquan__V1__DebitCap *)opened;
    uint32_t debtor = sq_code_find(s, m->debtor);
    if (debtor == SQ_ROW_NONE || debtor == s->self)
        return sq_fail(err, SQ_R_UNKNOWN_NODE, "%.12s", m->debtor);
    struct sq_cap *cap = &s->owed[debtor].cap;
    if (!terms_ok(m->cap_fen, m->alarm_bp, m->lift) || m->role < 1 || m->role > 2)
        return sq_fail(err, SQ_R_DEBIT_CAP_TERMS, "cap %" PRId64 " fen, alarm at %u bp", m->cap_fen, m->alarm_bp);
    if (m->role == 1) {
        cap->wanted_fen = m->cap_fen;
        cap->wanted_alarm_bp = m->alarm_bp;
        cap->wanted_set = !m->lift;
        cap->maker = party;
        return SQ_OK;
    }
    if (cap->maker == SQ_ROW_NONE || cap->wanted_fen != m->cap_fen || cap->wanted_alarm_bp != m->alarm_bp ||
        cap->wanted_set == m->lift)
        return sq_fail(err, SQ_R_NOT_ENTERED, "cap of %s", m->debtor);
    if (cap->maker == party)
        return sq_fail(err, SQ_R_SAME_PERSON, "cap of %s", m->debtor);
    cap->cap_fen = cap->wanted_fen;
    cap->alarm_bp = cap->wanted_alarm_bp;
    cap->set = cap->wanted_set;
    cap->maker = SQ_ROW_NONE;
    return send_notice(debtor, cap, fx, err);
}

sq_status sq_cap_on_notice(struct sq_settlement *s, uint32_t from, const Sanquan__V1__DebitCapNotice *m,
                           struct sq_error *err)
{
    struct sq_cap *cap = &s->owes[from].cap;
    if (!terms_ok(m->cap_fen, m->alarm_bp, m->lift))
        return sq_fail(err, SQ_R_DEBIT_CAP_TERMS, "cap of %s: %" PRId64 " fen, alarm at %u bp", s->codes[from],
                       m->cap_fen, m->alarm_bp);
    cap->cap_fen = m->cap_fen;
    cap->alarm_bp = m->alarm_bp;
    cap->set = !m->lift;
    return SQ_OK;
}

/* ---- views ---- */

void sq_settlement_cap(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor, struct sq_cap_view *out)
{
    const struct sq_link *l = debtor == s->self ? &s->owes[creditor] : &s->owed[debtor];
    __int128 used = 0;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        used += positive(net_of_kind(s, debtor, creditor, k));
    *out = (struct sq_cap_view){.set = (int)l->cap.set,
                                .cap_fen = l->cap.cap_fen,
                                .alarm_bp = l->cap.alarm_bp,
                                .used_fen = used > INT64_MAX ? INT64_MAX : (int64_t)used,
                                .waiting_for_checker = l->cap.maker != SQ_ROW_NONE};
    out->alarm = out->set && used * 10000 >= (__int128)l->cap.cap_fen * l->cap.alarm_bp;
}
