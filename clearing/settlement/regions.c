/*
 * The standing of regions: who takes part, and how that changes between windows.
 *
 *   ENROLLED --> ACTIVE <--> SUSPENDED        ACTIVE, SUSPENDED --> DEFAULTED --> SUSPENDED        any --> CLOSED
 *
 *               owes others anew    is owed anew    returns, releases, settlement of what is there
 *   ACTIVE      yes                 yes             yes
 *   SUSPENDED   no                  yes             yes
 *   others      no                  no              yes
 *
 * Nobody changes a standing alone. At each node two people (its operators, or regulators) enter and agree; the node tells all others
 * (STANDING_NOTICE); when more than two thirds of the nodes want the same, proposers put the change into the value of the window being
 * agreed on, and with its finality it is in force everywhere at once. A value with a change that a node has not heard two thirds of the nodes
 * want is not valid there. The agreement itself is always among all nodes of the directory: who may owe is one thing, who counts votes another.
 *
 * Default: a change to DEFAULTED leaves the pairs of that region out of the value it stands in (the window is recast without it, and the
 * value names the hash of the one it replaces). It may name a window that is final already and that the region has not paid for: losses.c.
 */
#include "clearing/settlement/internal.h"

/* ---- what a region may do ---- */

uint32_t sq_settlement_standing(const struct sq_settlement *s, uint32_t node)
{
    return s->regions[node].standing;
}

int sq_settlement_may_owe(const struct sq_settlement *s, uint32_t debtor, uint32_t creditor)
{
    uint32_t there = s->regions[creditor].standing;
    return debtor == creditor || (s->regions[debtor].standing == SQ_REGION_ACTIVE &&
                                  (there == SQ_REGION_ACTIVE || there == SQ_REGION_SUSPENDED));
}

static int may_become(uint32_t from, uint32_t to)
{
    switch ((enum sq_region_standing)from) {
    case SQ_REGION_ENROLLED:
        return to == SQ_REGION_ACTIVE || to == SQ_REGION_CLOSED;
    case SQ_REGION_ACTIVE:
        return to == SQ_REGION_SUSPENDED || to == SQ_REGION_DEFAULTED || to == SQ_REGION_CLOSED;
    case SQ_REGION_SUSPENDED:
        return to == SQ_REGION_ACTIVE || to == SQ_REGION_DEFAULTED || to == SQ_REGION_CLOSED;
    case SQ_REGION_DEFAULTED:
        return to == SQ_REGION_DEFAULTED || to == SQ_REGION_SUSPENDED || to == SQ_REGION_CLOSED;
    case SQ_REGION_CLOSED:
        return 0;
    }
    return 0;
}

int sq_change_allowed(const struct sq_settlement *s, const struct sq_change *c)
{
    uint32_t from = s->regions[c->node].standing;
    if (c->standing < SQ_REGION_ENROLLED || c->standing > SQ_REGION_CLOSED || !may_become(from, c->standing))
        return 0;
    if (c->unpaid == 0)
        return from != c->standing;
    return c->standing == SQ_REGION_DEFAULTED && sq_loss_possible(s, c->node, c->unpaid);
}

/* ---- wishes ---- */

static uint32_t wishes_for(const struct sq_settlement *s, const struct sq_change *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->wishes.count; i++) {
        const struct sq_support *w = SQ_ROW(&s->wishes, struct sq_support, i);
        n += w->change.node == c->node && w->change.standing == c->standing && w->change.unpaid == c->unpaid;
    }
    return n;
}

int sq_change_wanted(const struct sq_settlement *s, const struct sq_change *c)
{
    return sq_change_allowed(s, c) && wishes_for(s, c) >= sq_agreement_quorum(s->n);
}

size_t sq_changes_wanted(const struct sq_settlement *s, struct sq_change *out)
{
    size_t n = 0;
    for (uint32_t node = 0; node < s->n; node++)
        for (uint32_t i = 0; i < s->wishes.count; i++) {
            const struct sq_change *c = &SQ_ROW(&s->wishes, struct sq_support, i)->change;
            if (c->node != node || !sq_change_wanted(s, c))
                continue;
            out[n++] = *c;
            break; /* two different ones cannot both have two thirds */
        }
    return n;
}

/* What node `by` wants of a region; a newer wish replaces the one before. */
static sq_status wish(struct sq_settlement *s, uint32_t by, const struct sq_change *c, struct sq_error *err)
{
    struct sq_support *w = NULL;
    for (uint32_t i = 0; w == NULL && i < s->wishes.count; i++)
        if (SQ_ROW(&s->wishes, struct sq_support, i)->by == by &&
            SQ_ROW(&s->wishes, struct sq_support, i)->change.node == c->node)
            w = SQ_ROW(&s->wishes, struct sq_support, i);
    if (w == NULL && (w = sq_table_add(&s->wishes, NULL)) == NULL)
        return sq_fail(err, SQ_E_NOMEM, "standing of %s", s->codes[c->node]);
    w->by = by;
    w->change = *c;
    return SQ_OK;
}

void sq_change_apply(struct sq_settlement *s, const struct sq_change *c, uint64_t window)
{
    struct sq_region *r = &s->regions[c->node];
    uint32_t kept = 0;
    r->standing = c->standing;
    r->since_window = window;
    for (uint32_t i = 0; i < s->wishes.count; i++) /* the next change needs new wishes */
        if (SQ_ROW(&s->wishes, struct sq_support, i)->change.node != c->node)
            *SQ_ROW(&s->wishes, struct sq_support, kept++) = *SQ_ROW(&s->wishes, struct sq_support, i);
    s->wishes.count = kept;
}

/* ---- messages ---- */

static sq_status take_change(const struct sq_settlement *s, const char *code, uint32_t standing, uint64_t unpaid,
                             struct sq_change *out, struct sq_error *err)
{
    uint32_t node = sq_code_find(s, code);
    if (node == SQ_ROW_NONE)
        return sq_fail(err, SQ_R_UNKNOWN_NODE, "%.12s", code);
    *out = (struct sq_change){.unpaid = unpaid, .node = node, .standing = standing};
    return SQ_OK;
}

sq_status sq_settlement_stand(struct sq_settlement *s, uint32_t party, sq_bytes body, struct sq_effects *fx,
                              struct sq_error *err)
{
    struct sq_wire_memory memory = sq_effects_memory(fx);
    ProtobufCMessage *opened;
    struct sq_change c = {0};
    sq_status st = sq_wire_open(&sanquan__v1__standing__descriptor, body, &memory, &opened, err);
    if (st != SQ_OK)
        return st;
    const Sanquan__V1__Standing *m = (const Sanquan__V1__Standing *)opened;
    if ((st = take_change(s, m->node, m->standing, m->unpaid_window, &c, err)) != SQ_OK)
        return st;
    struct sq_region *r = &s->regions[c.node];
    size_t size = strlen(m->reason);
    if (m->role < 1 || m->role > 2 || !sq_change_allowed(s, &c))
        return sq_fail(err, SQ_R_STANDING, "%s: from %u to %u, window %" PRIu64 " unpaid", m->node, r->standing,
                       c.standing, c.unpaid);
    if (size == 0 || size > SQ_BREAK_NOTE_MAX)
        return sq_fail(err, SQ_R_NOTE, "%zu bytes", size);
    if (m->role == 1) {
        r->wanted = c.standing;
        r->wanted_unpaid = c.unpaid;
        r->maker = party;
        return SQ_OK;
    }
    if (r->maker == SQ_ROW_NONE || r->wanted != c.standing || r->wanted_unpaid != c.unpaid)
        return sq_fail(err, SQ_R_NOT_ENTERED, "standing of %s", m->node);
    if (r->maker == party)
        return sq_fail(err, SQ_R_SAME_PERSON, "standing of %s", m->node);
    Sanquan__V1__StandingNotice notice;
    sanquan__v1__standing_notice__init(&notice);
    notice.node = m->node;
    notice.standing = c.standing;
    notice.unpaid_window = c.unpaid;
    notice.reason = m->reason;
    r->maker = SQ_ROW_NONE;
    st = wish(s, s->self, &c, err);
    return st != SQ_OK ? st : sq_effects_send_all(fx, SANQUAN__V1__MESSAGE_TYPE__STANDING_NOTICE, &notice.base, err);
}

sq_status sq_region_on_notice(struct sq_settlement *s, uint32_t from, const Sanquan__V1__StandingNotice *m,
                              struct sq_error *err)
{
    struct sq_change c = {0};
    sq_status st = take_change(s, m->node, m->standing, m->unpaid_window, &c, err);
    if (st == SQ_OK && (c.standing < SQ_REGION_ENROLLED || c.standing > SQ_REGION_CLOSED))
        st = sq_fail(err, SQ_R_STANDING, "%s wants %u for %s", s->codes[from], c.standing, m->node);
    return st == SQ_OK ? wish(s, from, &c, err)
                       : st; /* whether it is allowed shows when a value is made: this node may be a window behind */
}

/* ---- views ---- */

void sq_settlement_region(const struct sq_settlement *s, uint32_t node, struct sq_region_view *out)
{
    const struct sq_region *r = &s->regions[node];
    *out = (struct sq_region_view){.standing = (enum sq_region_standing)r->standing,
                                   .since_window = r->since_window,
                                   .guarantee_fen = r->guarantee_fen,
                                   .waiting_for_checker = r->maker != SQ_ROW_NONE};
    for (uint32_t i = 0; i < s->wishes.count; i++) {
        const struct sq_support *w = SQ_ROW(&s->wishes, struct sq_support, i);
        uint32_t n = w->change.node == node ? wishes_for(s, &w->change) : 0;
        if (n <= out->wanted_by)
            continue;
        out->wanted_by = n;
        out->wanted = (enum sq_region_standing)w->change.standing;
        out->wanted_unpaid = w->change.unpaid;
    }
}
