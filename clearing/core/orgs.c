/*
 * Organisations: what is known of them, who controls or is related to whom, and sanctions.
 *
 *   organisation --facts-----> fact, fact ...         newest first
 *                --edges-----> edge <---edges-- organisation     an edge hangs on both its ends
 *                --sanctions-> sanction ...
 *                --accounts--> what it used, by programme
 *
 * Invariants: an organisation is in the table once, whatever roles it plays; rows are never removed, only their days change; an
 * account is watched when its organisation has an edge or a sanction, so that all others cost a decision nothing.
 */
#include "clearing/base/day.h"
#include "clearing/core/state.h"

#define RELATED_SEEN_MAX                                                                                               \
    256u /* organisations looked at before two are held to be related: a web that large is no arm's length */

#define CONTROL_HOPS_MAX 16u /* longer chains of control are circles */

/* ---- organisations ---- */

sq_status sq_orgs_reserve(struct sq_core *core, uint32_t more, struct sq_error *err)
{
    sq_status st = sq_table_reserve(&core->orgs, more, err);
    return st != SQ_OK ? st : sq_index_reserve(&core->org_index, more, err);
}

uint32_t sq_org_find(const struct sq_core *core, const char *uscc)
{
    struct sq_index_cursor c = {.hash = sq_hash_key(uscc, SQ_USCC_LENGTH)};
    uint32_t row;
    while ((row = sq_index_next(&core->org_index, &c)) != SQ_ROW_NONE)
        if (memcmp(sq_org_at(core, row)->code, uscc, SQ_USCC_LENGTH) == 0)
            break;
    return row;
}

uint32_t sq_org_intern(struct sq_core *core, const char *uscc)
{
    uint32_t row = sq_org_find(core, uscc);
    if (row != SQ_ROW_NONE)
        return row;
    struct sq_org *o = sq_table_add(&core->orgs, &row);
    SQ_ASSERT(o != NULL);
    memcpy(o->code, uscc, SQ_USCC_LENGTH);
    o->facts = o->edges = o->sanctions = o->accounts = SQ_ROW_NONE;
    sq_index_put(&core->org_index, sq_hash_key(uscc, SQ_USCC_LENGTH), row);
    return row;
}

struct sq_facts sq_org_facts(const struct sq_core *core, uint32_t org)
{
    return (struct sq_facts){&core->facts, sq_org_at(core, org)->facts};
}

static void watch_accounts(struct sq_core *core, uint32_t org)
{
    for (uint32_t n = sq_org_at(core, org)->accounts; n != SQ_ROW_NONE;) {
        struct sq_account *a = SQ_ROW(&core->accounts, struct sq_account, n);
        a->watched = 1;
        n = a->next_of_org;
    }
}

/* ---- what messages share ---- */

/* Codes of a message, ascending and valid. */
static sq_status check_codes(struct sq_step *s, char *const *codes, size_t count)
{
    if (count == 0 || count > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu organisations; 1 to %u go", count, SQ_BATCH_ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!sq_uscc_valid(codes[i]))
            return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", codes[i]);
        if (i != 0 && strcmp(codes[i - 1], codes[i]) >= 0)
            return sq_refuse(s, SQ_R_ORDER, "%s after %s", codes[i], codes[i - 1]);
    }
    return SQ_OK;
}

static int days_ok(uint32_t from, uint32_t until)
{
    return sq_day_valid(from) && (until == 0 || (sq_day_valid(until) && until >= from));
}

static uint32_t last_day(uint32_t until)
{
    return until == 0 ? SQ_DAY_OPEN : until;
}

/* code -> number for each code of the message */
static sq_status intern_codes(struct sq_step *s, char *const *codes, size_t count, uint32_t **out)
{
    if (SQ_COLUMN(s, *out, count))
        return sq_full(s);
    sq_status st = sq_orgs_reserve(s->core, (uint32_t)count, s->err);
    for (size_t i = 0; st == SQ_OK && i < count; i++)
        (*out)[i] = sq_org_intern(s->core, codes[i]);
    return st;
}

/* ---- FACTS ---- */

static sq_status check_facts(struct sq_step *s, const Sanquan__V1__Facts *m)
{
    const struct sq_party *p = sq_party_at(s->core, s->party);
    size_t n = m->n_org;
    int own = p->role == SQ_ROLE_ISSUER && strtoul(sq_party_code(p), NULL, 10) == m->issuer;
    if (!own && !(p->role == SQ_ROLE_OPERATOR && m->issuer == 0))
        return sq_refuse(s, SQ_R_NOT_YOUR_ISSUER, "%s for issuer %06u", p->name, m->issuer);
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu statements; 1 to %u go", n, SQ_BATCH_ROWS_MAX);
    if (m->n_attribute != n || m->n_value != n || m->n_from_day != n || m->n_until_day != n)
        return sq_refuse(s, SQ_R_COLUMNS, "org, attribute, value, from_day and until_day");
    sq_status st = check_codes(s, m->orgs, m->n_orgs);
    for (size_t i = 0; st == SQ_OK && i < n; i++) {
        uint32_t a = m->attribute[i];
        int known = (a >= SQ_ATTR(REGION) && a <= SQ_ATTR(STANDARD)) || (a >= 100 && a <= SQ_ATTR_MAX);
        if (m->org[i] >= m->n_orgs)
            return sq_refuse(s, SQ_R_COLUMNS, "row %zu: organisation %u of %zu", i, m->org[i], m->n_orgs);
        if (!known || !days_ok(m->from_day[i], m->until_day[i]))
            return sq_refuse(s, SQ_R_FACT, "row %zu: attribute %u from %u until %u", i, a, m->from_day[i],
                             m->until_day[i]);
    }
    return st;
}

static void state_fact(struct sq_core *core, uint32_t org, uint32_t issuer, uint32_t attribute, int64_t value,
                       uint32_t from, uint32_t until)
{
    struct sq_org *o = sq_org_at(core, org);
    struct sq_fact *same = NULL;
    for (uint32_t n = o->facts; n != SQ_ROW_NONE;) {
        struct sq_fact *f = SQ_ROW(&core->facts, struct sq_fact, n);
        n = f->next;
        if (f->issuer != issuer || f->attribute != attribute)
            continue;
        if (f->value == value)
            same = f;
        else if (!sq_attr_multiple(attribute) && f->until_day >= from)
            f->until_day = sq_day_add(from, -1); /* before its own first day: void */
    }
    if (same != NULL) {
        same->from_day = from;
        same->until_day = until;
        return;
    }
    uint32_t number;
    struct sq_fact *f = sq_table_add(&core->facts, &number);
    SQ_ASSERT(f != NULL);
    *f = (struct sq_fact){.value = value,
                          .attribute = attribute,
                          .issuer = issuer,
                          .from_day = from,
                          .until_day = until,
                          .next = o->facts};
    o->facts = number;
}

sq_status sq_on_facts(struct sq_step *s, const Sanquan__V1__Facts *m)
{
    uint32_t *org;
    sq_status st = check_facts(s, m);
    if (st != SQ_OK || (st = intern_codes(s, m->orgs, m->n_orgs, &org)) != SQ_OK ||
        (st = sq_table_reserve(&s->core->facts, (uint32_t)m->n_org, s->err)) != SQ_OK)
        return st;
    for (size_t i = 0; i < m->n_org; i++) /* from here it must succeed */
        state_fact(s->core, org[m->org[i]], m->issuer, m->attribute[i], m->value[i], m->from_day[i],
                   last_day(m->until_day[i]));
    return sq_answer_accepted(s, m->n_org);
}

/* ---- EDGES ---- */

static sq_status check_edges(struct sq_step *s, const Sanquan__V1__Edges *m)
{
    size_t n = m->n_owner;
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu edges; 1 to %u go", n, SQ_BATCH_ROWS_MAX);
    if (m->n_owned != n || m->n_kind != n || m->n_from_day != n || m->n_until_day != n)
        return sq_refuse(s, SQ_R_COLUMNS, "owner, owned, kind, from_day and until_day");
    sq_status st = check_codes(s, m->orgs, m->n_orgs);
    for (size_t i = 0; st == SQ_OK && i < n; i++) {
        if (m->owner[i] >= m->n_orgs || m->owned[i] >= m->n_orgs || m->owner[i] == m->owned[i])
            return sq_refuse(s, SQ_R_COLUMNS, "row %zu: organisations %u and %u of %zu", i, m->owner[i], m->owned[i],
                             m->n_orgs);
        if (m->kind[i] < 1 || m->kind[i] > 2 || !days_ok(m->from_day[i], m->until_day[i]))
            return sq_refuse(s, SQ_R_FACT, "row %zu: kind %u from %u until %u", i, m->kind[i], m->from_day[i],
                             m->until_day[i]);
    }
    return st;
}

static uint32_t next_edge(const struct sq_edge *e, uint32_t org)
{
    return e->owner == org ? e->next_of_owner : e->next_of_owned;
}

static void state_edge(struct sq_core *core, uint32_t owner, uint32_t owned, uint32_t kind, uint32_t from,
                       uint32_t until)
{
    for (uint32_t n = sq_org_at(core, owner)->edges; n != SQ_ROW_NONE;) {
        struct sq_edge *e = SQ_ROW(&core->edges, struct sq_edge, n);
        if (e->owner == owner && e->owned == owned && e->kind == kind) {
            e->from_day = from;
            e->until_day = until;
            return;
        }
        n = next_edge(e, owner);
    }
    uint32_t number;
    struct sq_edge *e = sq_table_add(&core->edges, &number);
    SQ_ASSERT(e != NULL);
    *e =
        (struct sq_edge){owner, owned, kind, from, until, sq_org_at(core, owner)->edges, sq_org_at(core, owned)->edges};
    sq_org_at(core, owner)->edges = sq_org_at(core, owned)->edges = number;
    watch_accounts(core, owner);
    watch_accounts(core, owned);
}

sq_status sq_on_edges(struct sq_step *s, const Sanquan__V1__Edges *m)
{
    uint32_t *org;
    sq_status st = check_edges(s, m);
    if (st != SQ_OK || (st = intern_codes(s, m->orgs, m->n_orgs, &org)) != SQ_OK ||
        (st = sq_table_reserve(&s->core->edges, (uint32_t)m->n_owner, s->err)) != SQ_OK)
        return st;
    for (size_t i = 0; i < m->n_owner; i++) /* from here it must succeed */
        state_edge(s->core, org[m->owner[i]], org[m->owned[i]], m->kind[i], m->from_day[i], last_day(m->until_day[i]));
    return sq_answer_accepted(s, m->n_owner);
}

/* Breadth first from a, by edges in either direction; `seen` is the queue too. */
int sq_org_related(const struct sq_core *core, uint32_t a, uint32_t b, uint32_t hops, uint32_t day)
{
    uint32_t seen[RELATED_SEEN_MAX] = {a}, count = 1, begin = 0;
    if (sq_org_at(core, a)->edges == SQ_ROW_NONE || sq_org_at(core, b)->edges == SQ_ROW_NONE)
        return a == b;
    for (uint32_t hop = 0; hop < hops; hop++) {
        uint32_t end = count;
        for (; begin < end; begin++)
            for (uint32_t n = sq_org_at(core, seen[begin])->edges; n != SQ_ROW_NONE;) {
                const struct sq_edge *e = SQ_ROW(&core->edges, struct sq_edge, n);
                uint32_t other = e->owner == seen[begin] ? e->owned : e->owner, k = 0;
                n = next_edge(e, seen[begin]);
                if (day < e->from_day || day > e->until_day)
                    continue;
                if (other == b)
                    return 1;
                while (k < count && seen[k] != other)
                    k++;
                if (k == RELATED_SEEN_MAX)
                    return 1;
                if (k == count)
                    seen[count++] = other;
            }
    }
    return 0;
}

uint32_t sq_org_root(const struct sq_core *core, uint32_t org, uint32_t day)
{
    for (uint32_t hop = 0; hop < CONTROL_HOPS_MAX; hop++) {
        uint32_t owner = SQ_ROW_NONE;
        for (uint32_t n = sq_org_at(core, org)->edges; n != SQ_ROW_NONE && owner == SQ_ROW_NONE;) {
            const struct sq_edge *e = SQ_ROW(&core->edges, struct sq_edge, n);
            n = next_edge(e, org);
            if (e->owned == org && e->kind == 1 && day >= e->from_day && day <= e->until_day)
                owner = e->owner; /* the newest statement comes first */
        }
        if (owner == SQ_ROW_NONE)
            break;
        org = owner;
    }
    return org;
}

/* ---- SANCTION ---- */

static sq_status check_sanction(struct sq_step *s, const Sanquan__V1__Sanction *m)
{
    if (!sq_uscc_valid(m->org))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->org);
    if (m->cause < 1 || m->cause > 32 || m->effect < 1 || m->effect > 2 || !days_ok(m->from_day, m->until_day))
        return sq_refuse(s, SQ_R_FACT, "cause %u, effect %u from %u until %u", m->cause, m->effect, m->from_day,
                         m->until_day);
    if (strlen(m->reason) == 0 || strlen(m->reason) > 200)
        return sq_refuse(s, SQ_R_FACT, "a sanction gives a reason of at most 200 bytes");
    return SQ_OK;
}

/* `authority` may be known here by name only: it speaks at another node. */
static sq_status state_sanction(struct sq_step *s, const Sanquan__V1__Sanction *m, uint32_t authority)
{
    struct sq_core *core = s->core;
    sq_status st = sq_orgs_reserve(core, 1, s->err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->sanctions, 1, s->err);
    if (st != SQ_OK)
        return st;
    uint32_t org = sq_org_intern(core, m->org), number;
    struct sq_sanction *row = NULL;
    for (uint32_t n = sq_org_at(core, org)->sanctions; n != SQ_ROW_NONE;
         n = SQ_ROW(&core->sanctions, struct sq_sanction, n)->next) {
        struct sq_sanction *known = SQ_ROW(&core->sanctions, struct sq_sanction, n);
        if (known->cause == m->cause && known->authority == authority)
            row = known;
    }
    if (row == NULL) {
        row = sq_table_add(&core->sanctions, &number);
        *row = (struct sq_sanction){
            .org = org, .cause = m->cause, .authority = authority, .next = sq_org_at(core, org)->sanctions};
        sq_org_at(core, org)->sanctions = number;
        watch_accounts(core, org);
    }
    row->effect = m->effect;
    row->from_day = m->from_day;
    row->until_day = last_day(m->until_day);
    return SQ_OK;
}

sq_status sq_on_sanction(struct sq_step *s, const Sanquan__V1__Sanction *m)
{
    const struct sq_party *p = sq_party_at(s->core, s->party);
    sq_status st = check_sanction(s, m);
    if (st == SQ_OK && strcmp(m->authority, p->name) != 0)
        st = sq_refuse(s, SQ_R_NOT_PERMITTED, "authority is %s, sender %s", m->authority, p->name);
    if (st == SQ_OK)
        st = state_sanction(s, m, s->party);
    if (st == SQ_OK)
        st = sq_effects_send_all(s->fx, SANQUAN__V1__MESSAGE_TYPE__SANCTION_NOTICE, &m->base, s->err);
    return st == SQ_OK ? sq_answer_accepted(s, 1) : st;
}

sq_status sq_on_sanction_notice(struct sq_step *s, uint32_t from, const Sanquan__V1__Sanction *m)
{
    uint32_t authority = sq_party_find(s->core, m->authority);
    sq_status st = check_sanction(s, m);
    if (st != SQ_OK)
        return st;
    if (authority == SQ_ROW_NONE ||
        (sq_party_at(s->core, authority)->node != from && sq_party_at(s->core, authority)->role != SQ_ROLE_REGULATOR))
        return sq_refuse(s, SQ_R_NOT_PERMITTED, "%.60s does not speak at node %s", m->authority,
                         sq_node_at(s->core, from)->code);
    return state_sanction(s, m, authority);
}

int sq_org_sanctioned(const struct sq_core *core, uint32_t org, uint32_t effect, uint32_t day)
{
    for (uint32_t n = sq_org_at(core, org)->sanctions; n != SQ_ROW_NONE;) {
        const struct sq_sanction *x = SQ_ROW(&core->sanctions, struct sq_sanction, n);
        if (x->effect >= effect && day >= x->from_day && day <= x->until_day)
            return 1;
        n = x->next;
    }
    return 0;
}

int sq_org_was_sanctioned(const struct sq_core *core, uint32_t org, uint32_t causes, uint32_t since, uint32_t day)
{
    for (uint32_t n = sq_org_at(core, org)->sanctions; n != SQ_ROW_NONE;) {
        const struct sq_sanction *x = SQ_ROW(&core->sanctions, struct sq_sanction, n);
        if ((causes == 0 || (causes >> (x->cause - 1) & 1)) && day >= x->from_day && since <= x->until_day)
            return 1;
        n = x->next;
    }
    return 0;
}

/* ---- reading ---- */

static uint32_t open_end(uint32_t until)
{
    return until == SQ_DAY_OPEN ? 0 : until;
}

sq_status sq_core_org(const struct sq_core *core, const char *uscc, const struct sq_org_reader *reader)
{
    uint32_t org = sq_org_find(core, uscc);
    if (org == SQ_ROW_NONE)
        return SQ_E_NOT_FOUND;
    const struct sq_org *o = sq_org_at(core, org);
    for (uint32_t n = o->facts; n != SQ_ROW_NONE;) {
        const struct sq_fact *f = SQ_ROW(&core->facts, struct sq_fact, n);
        n = f->next;
        if (f->from_day <= f->until_day)
            reader->fact(reader->ctx,
                         &(struct sq_org_fact){f->attribute, f->issuer, f->from_day, open_end(f->until_day), f->value});
    }
    for (uint32_t n = o->edges; n != SQ_ROW_NONE;) {
        const struct sq_edge *e = SQ_ROW(&core->edges, struct sq_edge, n);
        n = next_edge(e, org);
        reader->edge(reader->ctx,
                     &(struct sq_org_edge){sq_org_at(core, e->owner)->code, sq_org_at(core, e->owned)->code, e->kind,
                                           e->from_day, open_end(e->until_day)});
    }
    for (uint32_t n = o->sanctions; n != SQ_ROW_NONE;) {
        const struct sq_sanction *x = SQ_ROW(&core->sanctions, struct sq_sanction, n);
        n = x->next;
        reader->sanction(reader->ctx, &(struct sq_org_sanction){sq_party_at(core, x->authority)->name, x->cause,
                                                                x->effect, x->from_day, open_end(x->until_day)});
    }
    return SQ_OK;
}
