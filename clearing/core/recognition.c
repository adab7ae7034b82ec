/*
 * Recognition: one region's providers redeem the other's vouchers on terms that both have signed.
 *
 *   maker: AGREE --> entered --checker: AGREE--> said here ---+
 *                                                             +--the same bytes--> IN FORCE, on the days it names
 *   AGREED from the other node ----------------> said there --+
 *
 * Invariants: each side says versions 1, 2, 3 ... and never takes back what it has said: two that said different things under one version
 * go on with the next, so both nodes agree on what is in force, whatever crosses on the way;
 * a version in force replaces the ones before from its first day on (so one that is over at once ends the agreement);
 * both nodes have the same sums under a version, because links carry every amount once and in order. What the creditor bears is a
 * function of its sum: floor(sum * borne_bp / 10000), so however claims are cut, rounding never comes to more than a fen.
 */
#include "clearing/base/day.h"
#include "clearing/core/issuer.h"

/* ---- terms ---- */

static sq_status check_side(struct sq_step *s, const Sanquan__V1__Side *side)
{
    if (sq_node_of_code(s->core, side->node) == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_NODE, "%.40s", side->node);
    if (side->borne_bp > 10000 || side->exposure_fen < 0)
        return sq_refuse(s, SQ_R_AGREEMENT, "%s: borne %u bp, exposure %" PRId64 " fen", side->node, side->borne_bp,
                         side->exposure_fen);
    for (size_t i = 0; i < side->n_relaxed; i++) {
        uint32_t a = side->relaxed[i];
        int known = a == SQ_ATTR(REGION) || a == SQ_ATTR(TAX_REGION) || a == SQ_ATTR(ZONE) || a == SQ_ATTR(CHANNEL) ||
                    a == SQ_ATTR_LISTS;
        if (!known || (i != 0 && a <= side->relaxed[i - 1]))
            return sq_refuse(s, SQ_R_AGREEMENT, "%s: attribute %u cannot be relaxed, or is out of order", side->node,
                             a);
    }
    return SQ_OK;
}

static sq_status check_agreement(struct sq_step *s, const Sanquan__V1__Agreement *m, uint32_t *other)
{
    struct sq_core *core = s->core;
    if (m->n_sides != 2 || strcmp(m->sides[0]->node, m->sides[1]->node) >= 0)
        return sq_refuse(s, SQ_R_AGREEMENT, "an agreement has two sides, ascending by node");
    for (size_t i = 0; i < 2; i++) {
        sq_status st = check_side(s, m->sides[i]);
        if (st != SQ_OK)
            return st;
    }
    uint32_t a = sq_node_of_code(core, m->sides[0]->node), b = sq_node_of_code(core, m->sides[1]->node);
    if (a != core->self && b != core->self)
        return sq_refuse(s, SQ_R_AGREEMENT, "this node is no side of it");
    *other = a == core->self ? b : a;
    if (m->n_kinds == 0 || m->rate_ceiling_bp > 10000 || !sq_day_valid(m->from_day) || !sq_day_valid(m->until_day) ||
        m->from_day > m->until_day)
        return sq_refuse(s, SQ_R_AGREEMENT, "kinds, rate ceiling or days");
    for (size_t i = 0; i < m->n_kinds; i++)
        if (m->kinds[i] < 1 || m->kinds[i] > SQ_KIND_COUNT || (i != 0 && m->kinds[i] <= m->kinds[i - 1]))
            return sq_refuse(s, SQ_R_AGREEMENT, "kind %u", m->kinds[i]);
    return SQ_OK;
}

static uint32_t relaxed_bits(const Sanquan__V1__Side *side)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < side->n_relaxed; i++)
        bits |= side->relaxed[i] == SQ_ATTR_LISTS ? SQ_RELAX_LISTS : 1u << side->relaxed[i];
    return bits;
}

static struct sq_recognition *find_version(const struct sq_core *core, uint32_t other, uint32_t version)
{
    for (uint32_t i = 0; i < core->recognitions.count; i++) {
        struct sq_recognition *a = SQ_ROW(&core->recognitions, struct sq_recognition, i);
        if (a->other == other && a->version == version)
            return a;
    }
    return NULL;
}

/* The last version that this side has said. */
static uint32_t last_said(const struct sq_core *core, uint32_t other, int here)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < core->recognitions.count; i++) {
        const struct sq_recognition *a = SQ_ROW(&core->recognitions, struct sq_recognition, i);
        last = a->other == other && (here ? a->said_here : a->said_there) && a->version > last ? a->version : last;
    }
    return last;
}

static int in_force(const struct sq_recognition *a)
{
    return a->said_here && a->said_there && a->same;
}

static void keep_terms(struct sq_core *core, struct sq_recognition *a, const Sanquan__V1__Agreement *m)
{
    int own = strcmp(m->sides[0]->node, sq_node_at(core, core->self)->code) == 0 ? 0 : 1;
    a->kinds = 0;
    for (size_t i = 0; i < m->n_kinds; i++)
        a->kinds |= 1u << (m->kinds[i] - 1);
    a->rate_ceiling_bp = m->rate_ceiling_bp;
    a->from_day = m->from_day;
    a->until_day = m->until_day;
    for (int i = 0; i < 2; i++)
        a->side[i] = (struct sq_recognition_side){m->sides[own ^ i]->exposure_fen, m->sides[own ^ i]->borne_bp,
                                                  relaxed_bits(m->sides[own ^ i])};
}

/* The version must follow what this side has said; what its bytes are; room for its row. */
static sq_status check_version(struct sq_step *s, const Sanquan__V1__Agreement *m, uint32_t other, int here,
                               uint8_t hash[static SQ_HASH_SIZE])
{
    struct sq_core *core = s->core;
    sq_bytes bytes;
    if (m->version != last_said(core, other, here) + 1)
        return sq_refuse(s, SQ_R_AGREEMENT, "version %u; %u was the last", m->version, last_said(core, other, here));
    sq_status st = sq_wire_pack(&m->base, &s->memory, &bytes, s->err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->recognitions, 1, s->err);
    if (st != SQ_OK)
        return st;
    sq_sha256(bytes.data, bytes.size, hash);
    return SQ_OK;
}

/* Find or add; check_version has made room. */
static struct sq_recognition *version_row(struct sq_core *core, uint32_t other, uint32_t version)
{
    struct sq_recognition *row = find_version(core, other, version);
    if (row == NULL) {
        row = sq_table_add(&core->recognitions, NULL);
        *row = (struct sq_recognition){.other = other, .version = version, .maker = SQ_ROW_NONE};
    }
    return row;
}

static void state(struct sq_core *core, struct sq_recognition *a, const Sanquan__V1__Agreement *m,
                  const uint8_t hash[static SQ_HASH_SIZE], int here)
{
    if (!a->said_here && !a->said_there) {
        memcpy(a->hash, hash, SQ_HASH_SIZE);
        keep_terms(core, a, m);
    } else {
        a->same = memcmp(a->hash, hash, SQ_HASH_SIZE) == 0;
    }
    *(here ? &a->said_here : &a->said_there) = 1;
}

sq_status sq_on_agree(struct sq_step *s, const Sanquan__V1__Agree *m)
{
    uint32_t other = SQ_ROW_NONE;
    uint8_t hash[SQ_HASH_SIZE];
    struct sq_recognition *a;
    if (m->terms == NULL || m->role < 1 || m->role > 2)
        return sq_refuse(s, SQ_R_AGREEMENT, "role %u", m->role);
    sq_status st = check_agreement(s, m->terms, &other);
    if (st == SQ_OK)
        st = check_version(s, m->terms, other, 1, hash);
    if (st != SQ_OK)
        return st;
    if (m->role == 1) {
        a = version_row(s->core, other, m->terms->version);
        memcpy(a->entered, hash, SQ_HASH_SIZE);
        a->maker = s->party;
        return sq_answer_accepted(s, 1);
    }
    a = find_version(s->core, other, m->terms->version);
    if (a == NULL || a->maker == SQ_ROW_NONE || memcmp(a->entered, hash, SQ_HASH_SIZE) != 0)
        return sq_refuse(s, SQ_R_NOT_ENTERED, "agreement with %s, version %u", sq_node_at(s->core, other)->code,
                         m->terms->version);
    if (a->maker == s->party)
        return sq_refuse(s, SQ_R_SAME_PERSON, "agreement with %s, version %u", sq_node_at(s->core, other)->code,
                         m->terms->version);
    st = sq_effects_send(s->fx, other, SANQUAN__V1__MESSAGE_TYPE__AGREED, &m->terms->base, s->err);
    if (st != SQ_OK)
        return st;
    a->maker = SQ_ROW_NONE;
    state(s->core, a, m->terms, hash, 1);
    return sq_answer_accepted(s, 1);
}

sq_status sq_on_agreed(struct sq_step *s, uint32_t from, const Sanquan__V1__Agreement *m)
{
    uint32_t other = SQ_ROW_NONE;
    uint8_t hash[SQ_HASH_SIZE];
    sq_status st = check_agreement(s, m, &other);
    if (st == SQ_OK && other != from)
        st = sq_refuse(s, SQ_R_AGREEMENT, "node %s is no side of it", sq_node_at(s->core, from)->code);
    if (st == SQ_OK)
        st = check_version(s, m, other, 0, hash);
    if (st == SQ_OK)
        state(s->core, version_row(s->core, other, m->version), m, hash, 0);
    return st;
}

/* ---- in force ---- */

struct sq_recognition *sq_recognition_in_force(const struct sq_core *core, uint32_t other, uint32_t day)
{
    struct sq_recognition *newest = NULL;
    for (uint32_t i = 0; i < core->recognitions.count; i++) {
        struct sq_recognition *a = SQ_ROW(&core->recognitions, struct sq_recognition, i);
        if (a->other == other && in_force(a) && day >= a->from_day && (newest == NULL || a->version > newest->version))
            newest = a;
    }
    return newest != NULL && day <= newest->until_day ? newest : NULL;
}

int sq_recognition_check(const struct sq_core *core, const struct sq_decision *d, const struct sq_terms *t,
                         uint32_t kind, int64_t amount_fen, int64_t base_fen, struct sq_verdict *v)
{
    const struct sq_recognition *a = d->agreement;
    if (a == NULL || !(a->kinds >> (kind - 1) & 1))
        return t->recognition == 1 && sq_rule(v, 0, SQ_R_NO_AGREEMENT, 0, 0);
    if (a->rate_ceiling_bp != 0 && sq_rule_amount(v, amount_fen, sq_share_floor(base_fen, a->rate_ceiling_bp), 0,
                                                  SQ_R_AGREEMENT_RATE, a->version, 1))
        return 1;
    if (a->side[0].exposure_fen == 0)
        return 0;
    struct sq_room room =
        sq_settlement_room(core->settlement, d->acquirer, a->side[0].exposure_fen, kind, d->total_fen);
    return sq_rule_amount(v, amount_fen, room.cap_fen, room.used_fen, SQ_R_AGREEMENT_EXPOSURE, a->version, 1);
}

/* ---- who bears what ---- */

/* floor, also below zero: returns of what was redeemed under an earlier version may outweigh the rest for a while */
int64_t sq_recognition_share(int64_t sum_fen, uint32_t borne_bp)
{
    __int128 x = (__int128)sum_fen * borne_bp;
    return (int64_t)(x >= 0 ? x / 10000 : -((-x + 9999) / 10000));
}

void sq_recognition_bear(struct sq_recognition *a, int we_owe, const int64_t gross_fen[static SQ_KIND_COUNT],
                         int64_t borne_fen[static SQ_KIND_COUNT])
{
    int64_t *sum = a->sum_fen[we_owe ? 0 : 1];
    uint32_t bp = a->side[we_owe ? 0 : 1].borne_bp;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++) {
        int64_t after;
        int over = __builtin_add_overflow(sum[k], gross_fen[k], &after);
        SQ_ASSERT(!over); /* links refuse sums that large long before */
        borne_fen[k] = a->kinds >> k & 1 ? sq_recognition_share(after, bp) - sq_recognition_share(sum[k], bp) : 0;
        sum[k] = a->kinds >> k & 1 ? after : sum[k];
    }
}

sq_status sq_link_bear(struct sq_step *s, uint32_t creditor, uint32_t day, struct sq_link_step *step,
                       Sanquan__V1__Link *link)
{
    struct sq_recognition *a = creditor != s->core->self ? sq_recognition_in_force(s->core, creditor, day) : NULL;
    int64_t *borne;
    if (a == NULL)
        return SQ_OK;
    if (SQ_COLUMN(s, borne, SQ_KIND_COUNT))
        return sq_full(s);
    sq_recognition_bear(a, 1, step->total_fen, borne);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        step->total_fen[k] -= borne[k];
    link->agreement = a->version;
    link->n_borne_fen = SQ_KIND_COUNT;
    link->borne_fen = borne;
    return SQ_OK;
}

sq_status sq_link_check_borne(struct sq_step *s, uint32_t debtor, const Sanquan__V1__Link *link,
                              struct sq_link_step *step)
{
    struct sq_recognition *a = link->agreement != 0 ? find_version(s->core, debtor, link->agreement) : NULL;
    int64_t borne[SQ_KIND_COUNT] = {0};
    if (link->agreement == 0)
        return link->n_borne_fen == 0 ? SQ_OK : sq_refuse(s, SQ_R_LINK_BROKEN, "borne under no agreement");
    if (a == NULL || !in_force(a) || link->n_borne_fen != SQ_KIND_COUNT)
        return sq_refuse(s, SQ_R_LINK_BROKEN, "agreement %u is not in force", link->agreement);
    struct sq_recognition tried = *a;
    sq_recognition_bear(&tried, 0, step->total_fen, borne);
    if (memcmp(borne, link->borne_fen, sizeof borne) != 0)
        return sq_refuse(s, SQ_R_LINK_BROKEN, "agreement %u: another share is borne here", link->agreement);
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        step->total_fen[k] -= borne[k];
    return SQ_OK;
}

void sq_link_take_borne(struct sq_core *core, uint32_t debtor, const Sanquan__V1__Link *link,
                        const int64_t gross_fen[static SQ_KIND_COUNT])
{
    int64_t borne[SQ_KIND_COUNT];
    if (link != NULL && link->agreement != 0)
        sq_recognition_bear(find_version(core, debtor, link->agreement), 0, gross_fen, borne);
}

/* ---- reading ---- */

static enum sq_recognition_state state_of(const struct sq_core *core, const struct sq_recognition *a)
{
    if (!a->said_here || !a->said_there)
        return a->said_here    ? SQ_RECOGNITION_SAID_HERE
               : a->said_there ? SQ_RECOGNITION_SAID_THERE
                               : SQ_RECOGNITION_ENTERED;
    if (!a->same)
        return SQ_RECOGNITION_DIFFERS;
    if (core->today < a->from_day)
        return SQ_RECOGNITION_TO_COME;
    for (uint32_t i = 0; i < core->recognitions.count; i++) {
        const struct sq_recognition *b = SQ_ROW(&core->recognitions, struct sq_recognition, i);
        if (b->other == a->other && in_force(b) && core->today >= b->from_day && b->version > a->version)
            return SQ_RECOGNITION_REPLACED;
    }
    return core->today > a->until_day ? SQ_RECOGNITION_OVER : SQ_RECOGNITION_APPLIES;
}

uint32_t sq_core_recognition_count(const struct sq_core *core)
{
    return core->recognitions.count;
}

void sq_core_recognition(const struct sq_core *core, uint32_t i, struct sq_recognition_view *out)
{
    const struct sq_recognition *a = SQ_ROW(&core->recognitions, struct sq_recognition, i);
    *out = (struct sq_recognition_view){.other = a->other,
                                        .version = a->version,
                                        .state = state_of(core, a),
                                        .in_force = in_force(a),
                                        .said_here = a->said_here != 0,
                                        .said_there = a->said_there != 0,
                                        .waiting_for_checker = a->maker != SQ_ROW_NONE,
                                        .kinds = a->kinds,
                                        .rate_ceiling_bp = a->rate_ceiling_bp,
                                        .from_day = a->from_day,
                                        .until_day = a->until_day};
    for (int k = 0; k < 2; k++) {
        out->side[k].borne_bp = a->side[k].borne_bp;
        out->side[k].relaxed = a->side[k].relaxed;
        out->side[k].exposure_fen = a->side[k].exposure_fen;
        for (size_t n = 0; n < SQ_KIND_COUNT; n++) {
            out->side[k].gross_fen += a->sum_fen[k][n];
            out->side[k].borne_fen += sq_recognition_share(a->sum_fen[k][n], a->side[k].borne_bp);
        }
    }
}
