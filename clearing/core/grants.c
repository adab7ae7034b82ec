/*
 * What issuers promise and holders allow: programmes, vouchers, mandates.
 *
 *   voucher   GRANTED -> ACTIVE (a mandate or a first use) -> EXHAUSTED | EXPIRED | REVOKED
 *
 * Invariants: serials of a programme are 1, 2, 3 ... so a voucher is found by its number alone; programmes are known at
 * every node (kind and stacking are needed where invoices are at home), vouchers only at the node of their issuer.
 */
#include "clearing/base/day.h"
#include "clearing/base/uscc.h"
#include "clearing/core/state.h"

/* ---- programmes ---- */

static uint64_t programme_hash(uint32_t issuer, uint32_t number)
{
    /* Looked up several times a redemption: one multiplication spreads these small numbers as well as any hash. */
    return ((uint64_t)issuer * SQ_PROGRAMME_RADIX + number) * 0x9e3779b97f4a7c15u;
}

uint32_t sq_programme_find(const struct sq_core *core, uint32_t issuer, uint32_t number)
{
    struct sq_index_cursor c = {.hash = programme_hash(issuer, number)};
    uint32_t row;
    while ((row = sq_index_next(&core->programme_index, &c)) != SQ_ROW_NONE) {
        const struct sq_programme *p = sq_programme_at(core, row);
        if (p->issuer == issuer && p->number == number)
            break;
    }
    return row;
}

const struct sq_terms *sq_terms_of_day(const struct sq_core *core, const struct sq_programme *p, uint32_t day)
{
    for (uint32_t n = p->terms; n != SQ_ROW_NONE;) {
        const struct sq_terms *t = sq_terms_at(core, n);
        if (day >= t->from_day && day <= t->until_day)
            return t;
        n = t->previous;
    }
    return NULL;
}

/* Room for one programme more: a row, an index entry and a table of vouchers. */
static sq_status reserve_programme(struct sq_core *core, struct sq_error *err)
{
    sq_status st = sq_index_reserve(&core->programme_index, 1, err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->programmes, 1, err);
    if (st != SQ_OK || core->programmes.count < core->voucher_tables)
        return st;
    uint32_t capacity = core->voucher_tables == 0 ? 16 : core->voucher_tables * 2;
    struct sq_table *tables = realloc(core->vouchers, capacity * sizeof *tables);
    if (tables == NULL)
        return sq_fail(err, SQ_E_NOMEM, "programmes");
    for (uint32_t i = core->voucher_tables; i < capacity; i++)
        tables[i] = SQ_TABLE_OF(struct sq_voucher);
    core->vouchers = tables;
    core->voucher_tables = capacity;
    return SQ_OK;
}

static sq_status check_version(struct sq_step *s, const Sanquan__V1__Programme *m, const struct sq_programme *p)
{
    uint32_t in_force = p == NULL ? 0 : p->version;
    if (m->version != in_force + 1)
        return sq_refuse(s, SQ_R_PROGRAMME_VERSION, "programme %06u/%u: version %u after %u", m->issuer, m->number,
                         m->version, in_force);
    if (p != NULL && m->kind != p->kind)
        return sq_refuse(s, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: its kind cannot change", m->issuer, m->number);
    if (p != NULL && m->pool_fen != 0 && m->pool_fen < p->reserved_fen + p->spent_fen)
        return sq_refuse(s, SQ_R_PROGRAMME_TERMS, "programme %06u/%u: pool below what is spent", m->issuer, m->number);
    return SQ_OK;
}

static sq_status put_programme(struct sq_step *s, uint32_t node, const Sanquan__V1__Programme *m)
{
    struct sq_core *core = s->core;
    struct sq_terms *fresh = sq_arena_take(s->fx->arena, sizeof *fresh); /* large: not for the stack */
    if (fresh == NULL)
        return sq_full(s);
    uint32_t row = sq_programme_find(core, m->issuer, m->number), terms;
    sq_status st = sq_terms_compile(m, fresh, &s->why);
    if (st == SQ_OK)
        st = check_version(s, m, row == SQ_ROW_NONE ? NULL : sq_programme_at(core, row));
    if (st != SQ_OK || (st = sq_table_reserve(&core->terms, 1, s->err)) != SQ_OK ||
        (st = reserve_programme(core, s->err)) != SQ_OK)
        return st;
    struct sq_programme *p; /* from here it must succeed */
    if (row != SQ_ROW_NONE) {
        p = sq_programme_at(core, row);
        fresh->previous = p->terms;
    } else {
        p = sq_table_add(&core->programmes, &row);
        *p = (struct sq_programme){.issuer = m->issuer, .number = m->number, .kind = m->kind};
        sq_index_put(&core->programme_index, programme_hash(m->issuer, m->number), row);
    }
    *(struct sq_terms *)sq_table_add(&core->terms, &terms) = *fresh;
    p->terms = terms;
    p->node = node;
    p->version = m->version;
    p->stacking = m->stacking;
    p->stack_limit_bp = m->stack_limit_bp;
    p->pool_fen = m->pool_fen;
    return SQ_OK;
}

/* Does the sender act for this issuer, and is the issuer hosted here? */
static sq_status check_authority(struct sq_step *s, uint32_t issuer)
{
    const struct sq_party *p = sq_party_at(s->core, s->party);
    if (p->role != SQ_ROLE_ISSUER || strtoul(sq_party_code(p), NULL, 10) != issuer ||
        sq_node_of_issuer(s->core, issuer) != s->core->self)
        return sq_refuse(s, SQ_R_NOT_YOUR_ISSUER, "%s for issuer %06u", p->name, issuer);
    return SQ_OK;
}

sq_status sq_on_programme(struct sq_step *s, const Sanquan__V1__Programme *m)
{
    sq_status st = check_authority(s, m->issuer);
    if (st == SQ_OK)
        st = put_programme(s, s->core->self, m);
    if (st == SQ_OK)
        st = sq_effects_send_all(s->fx, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE, &m->base, s->err);
    if (st != SQ_OK)
        return st;
    return sq_answer_accepted(s, 1);
}

sq_status sq_on_programme_notice(struct sq_step *s, uint32_t from, const Sanquan__V1__Programme *m)
{
    if (sq_node_of_issuer(s->core, m->issuer) != from)
        return sq_refuse(s, SQ_R_NOT_YOUR_ISSUER, "programme of issuer %06u", m->issuer);
    return put_programme(s, from, m);
}

/* ---- vouchers ---- */

uint32_t sq_programme_of_voucher(const struct sq_core *core, uint64_t voucher)
{
    uint64_t programme = voucher / SQ_SERIAL_RADIX;
    if (programme / SQ_PROGRAMME_RADIX > 999999)
        return SQ_ROW_NONE;
    return sq_programme_find(core, (uint32_t)(programme / SQ_PROGRAMME_RADIX), (uint32_t)(programme % SQ_PROGRAMME_RADIX));
}

struct sq_voucher *sq_voucher_find(const struct sq_core *core, uint64_t voucher, uint32_t *programme_out)
{
    uint32_t programme = sq_programme_of_voucher(core, voucher);
    uint64_t serial = voucher % SQ_SERIAL_RADIX;
    if (programme == SQ_ROW_NONE || serial == 0 || serial > core->vouchers[programme].count)
        return NULL;
    *programme_out = programme;
    return SQ_ROW(&core->vouchers[programme], struct sq_voucher, (uint32_t)serial - 1);
}

static uint64_t account_hash(uint32_t programme, uint32_t holder)
{
    uint32_t key[2] = {programme, holder};
    return sq_hash_key(key, sizeof key);
}

/* Room must be reserved. */
static uint32_t intern_account(struct sq_core *core, uint32_t programme, uint32_t holder)
{
    uint64_t hash = account_hash(programme, holder);
    struct sq_index_cursor c = {.hash = hash};
    uint32_t row;
    while ((row = sq_index_next(&core->account_index, &c)) != SQ_ROW_NONE) {
        const struct sq_account *a = SQ_ROW(&core->accounts, struct sq_account, row);
        if (a->programme == programme && a->holder == holder)
            return row;
    }
    struct sq_account *a = sq_table_add(&core->accounts, &row);
    SQ_ASSERT(a != NULL);
    struct sq_org *org = sq_org_at(core, sq_party_at(core, holder)->org);
    *a = (struct sq_account){.programme = programme, .holder = holder, .org = sq_party_at(core, holder)->org,
                             .watched = org->edges != SQ_ROW_NONE || org->sanctions != SQ_ROW_NONE,
                             .next_of_org = org->accounts, .year = {.next = SQ_ROW_NONE}};
    org->accounts = row;
    sq_index_put(&core->account_index, hash, row);
    return row;
}

/* holders -> party numbers */
static sq_status find_holders(struct sq_step *s, const Sanquan__V1__Grant *m, uint32_t *party)
{
    for (size_t i = 0; i < m->n_holders; i++) {
        char name[SQ_NAME_SIZE_MAX + 1] = "holder:";
        if (strlen(m->holders[i]) != SQ_USCC_LENGTH)
            return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->holders[i]);
        strcat(name, m->holders[i]);
        party[i] = sq_party_find(s->core, name);
        if (party[i] == SQ_ROW_NONE || !sq_party_at(s->core, party[i])->known_key)
            return sq_refuse(s, SQ_R_UNKNOWN_HOLDER, "%s", m->holders[i]);
    }
    return SQ_OK;
}

static int whole(size_t cells, size_t n) { return cells == n || cells == 0; }

static sq_status check_grant_columns(struct sq_step *s, const Sanquan__V1__Grant *m, uint32_t programme)
{
    size_t n = m->n_face_fen;
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu vouchers; 1 to %u go", n, SQ_BATCH_ROWS_MAX);
    if (m->n_holder != n || m->n_until_day != n || !whole(m->n_contract_fen, n) || !whole(m->n_approved_fen, n) ||
        !whole(m->n_contract_day, n) || !whole(m->n_contract_from_day, n) || m->n_contract_from_day != m->n_contract_until_day ||
        !whole(m->n_facts, n) || !whole(m->n_documents, n))
        return sq_refuse(s, SQ_R_COLUMNS, "a column of the grant has not %zu rows", n);
    if (!sq_fact_sets_ok(m->fact_sets, m->n_fact_sets, SQ_BATCH_ROWS_MAX, m->facts, m->n_facts))
        return sq_refuse(s, SQ_R_FACT, "a fact set of the grant is not in form, or a row names none");
    if (m->first_serial != (uint64_t)s->core->vouchers[programme].count + 1)
        return sq_refuse(s, SQ_R_SERIAL_GAP, "first serial %" PRIu64 ", next is %u", m->first_serial,
                         s->core->vouchers[programme].count + 1);
    if (m->first_serial + n >= SQ_SERIAL_RADIX)
        return sq_refuse(s, SQ_R_SERIAL_GAP, "programme %06u/%u has no serials left", m->issuer, m->programme);
    return SQ_OK;
}

static sq_status check_grant_row(struct sq_step *s, const Sanquan__V1__Grant *m, size_t i, int64_t *sum)
{
    if (m->holder[i] >= m->n_holders)
        return sq_refuse(s, SQ_R_COLUMNS, "row %zu: holder %u of %zu", i, m->holder[i], m->n_holders);
    if (m->face_fen[i] <= 0 || __builtin_add_overflow(*sum, m->face_fen[i], sum))
        return sq_refuse(s, SQ_R_AMOUNT, "row %zu: face %" PRId64 " fen", i, m->face_fen[i]);
    if (!sq_day_valid(m->until_day[i]))
        return sq_refuse(s, SQ_R_AMOUNT, "row %zu: until_day %u is no day", i, m->until_day[i]);
    if ((m->n_contract_fen != 0 && m->contract_fen[i] < 0) || (m->n_approved_fen != 0 && m->approved_fen[i] < 0))
        return sq_refuse(s, SQ_R_AMOUNT, "row %zu: contract or approved amount", i);
    if (m->n_contract_day != 0 && m->contract_day[i] != 0 && !sq_day_valid(m->contract_day[i]))
        return sq_refuse(s, SQ_R_CONTRACT_TERMS, "row %zu: contract_day %u is no day", i, m->contract_day[i]);
    if (m->n_contract_from_day != 0 && m->contract_from_day[i] != 0 &&
        (!sq_day_valid(m->contract_from_day[i]) || !sq_day_valid(m->contract_until_day[i]) ||
         m->contract_from_day[i] > m->contract_until_day[i]))
        return sq_refuse(s, SQ_R_CONTRACT_TERMS, "row %zu: contract from %u until %u", i, m->contract_from_day[i], m->contract_until_day[i]);
    return SQ_OK;
}

static struct sq_detail detail_of(const Sanquan__V1__Grant *m, size_t i)
{
    struct sq_detail d = {.facts = SQ_ROW_NONE};
    d.contract_fen = m->n_contract_fen != 0 ? m->contract_fen[i] : 0;
    d.contract_day = m->n_contract_day != 0 ? m->contract_day[i] : 0;
    if (m->n_contract_from_day != 0 && m->contract_from_day[i] != 0)
        d.contract_days = sq_day_number(m->contract_until_day[i]) - sq_day_number(m->contract_from_day[i]) + 1;
    return d;
}

/* May this voucher be granted under the terms that are in force today (else the newest)? */
static sq_status judge_grant(struct sq_step *s, const Sanquan__V1__Grant *m, size_t i, const struct sq_terms *t, uint32_t holder)
{
    struct sq_core *core = s->core;
    struct sq_verdict v = {0};
    struct sq_entitlement e;
    uint32_t org = sq_party_at(core, holder)->org, since = sq_day_add_months(core->today, -(int32_t)t->sanction_months);
    struct sq_detail d = detail_of(m, i);
    struct sq_case c = {.step = SQ_CASE_GRANT, .day = core->today, .at_ms = core->now_ms, .amount_fen = m->face_fen[i],
                        .documents = m->n_documents != 0 ? m->documents[i] : 0, .holder_code = sq_org_at(core, org)->code,
                        .holder = sq_org_facts(core, org), .contract_fen = d.contract_fen, .contract_day = d.contract_day,
                        .contract_days = d.contract_days, .voucher = {&core->facts, SQ_ROW_NONE},
                        .declared = sq_declared_of(m->fact_sets, m->n_facts != 0 ? m->facts : NULL, i)};
    c.base_fen = t->base_kind == 1 ? d.contract_fen : t->base_kind == 2 && m->n_approved_fen != 0 ? m->approved_fen[i] : 0;
    if (sq_org_sanctioned(core, org, 1, core->today) ||
        ((t->rules & SQ_RULE_SANCTIONS) && sq_org_was_sanctioned(core, org, t->sanction_causes, since, core->today)))
        v.status = SQ_R_HOLDER_SANCTIONED;
    else if (t->validity_days != 0 && m->until_day[i] > sq_day_add(core->today, (int32_t)t->validity_days))
        v.status = SQ_R_VALIDITY;
    else
        (void)sq_terms_judge(t, &c, &v, &e);
    return v.status == 0 ? SQ_OK : sq_refuse(s, (sq_status)v.status, "row %zu, %s", i, sq_status_text(v.status));
}

static sq_status check_grant(struct sq_step *s, const Sanquan__V1__Grant *m, uint32_t programme, const uint32_t *holder, int64_t *sum)
{
    const struct sq_programme *p = sq_programme_at(s->core, programme);
    const struct sq_terms *t = sq_terms_of_day(s->core, p, s->core->today);
    t = t != NULL ? t : sq_terms_at(s->core, p->terms);
    sq_status st = SQ_OK;
    *sum = p->granted_fen;
    for (size_t i = 0; st == SQ_OK && i < m->n_face_fen; i++) {
        st = check_grant_row(s, m, i, sum);
        if (st == SQ_OK)
            st = judge_grant(s, m, i, t, holder[m->holder[i]]);
    }
    return st;
}

/* Room for the vouchers of a grant and all that hangs on them. */
static sq_status reserve_grant(struct sq_step *s, const Sanquan__V1__Grant *m, uint32_t programme)
{
    struct sq_core *core = s->core;
    uint32_t n = (uint32_t)m->n_face_fen, facts = 0;
    for (size_t i = 0; i < m->n_facts; i++)
        facts += m->facts[i] != 0 ? (uint32_t)m->fact_sets[m->facts[i] - 1]->n_attribute : 0;
    sq_status st = sq_table_reserve(&core->vouchers[programme], n, s->err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->accounts, n, s->err);
    if (st == SQ_OK)
        st = sq_index_reserve(&core->account_index, n, s->err);
    if (st == SQ_OK)
        st = sq_table_reserve(&core->details, n, s->err);
    return st != SQ_OK ? st : sq_table_reserve(&core->facts, facts, s->err);
}

/* Room must be reserved. SQ_ROW_NONE where the grant says nothing more of the voucher. */
static uint32_t add_detail(struct sq_core *core, const Sanquan__V1__Grant *m, size_t i)
{
    struct sq_detail d = detail_of(m, i);
    const Sanquan__V1__FactSet *set = m->n_facts != 0 && m->facts[i] != 0 ? m->fact_sets[m->facts[i] - 1] : NULL;
    uint32_t number;
    if (d.contract_fen == 0 && d.contract_day == 0 && d.contract_days == 0 && set == NULL)
        return SQ_ROW_NONE;
    for (size_t k = 0; set != NULL && k < set->n_attribute; k++) {
        struct sq_fact *f = sq_table_add(&core->facts, &number);
        *f = (struct sq_fact){.value = set->value[k], .attribute = set->attribute[k], .from_day = 0, .until_day = SQ_DAY_OPEN, .next = d.facts};
        d.facts = number;
    }
    *(struct sq_detail *)sq_table_add(&core->details, &number) = d;
    return number;
}

sq_status sq_on_grant(struct sq_step *s, const Sanquan__V1__Grant *m)
{
    struct sq_core *core = s->core;
    sq_status st = check_authority(s, m->issuer);
    if (st != SQ_OK)
        return st;
    uint32_t programme = sq_programme_find(core, m->issuer, m->programme), *holder;
    if (programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    if (SQ_COLUMN(s, holder, m->n_holders))
        return sq_full(s);
    int64_t granted = 0;
    if ((st = check_grant_columns(s, m, programme)) != SQ_OK || (st = find_holders(s, m, holder)) != SQ_OK ||
        (st = check_grant(s, m, programme, holder, &granted)) != SQ_OK || (st = reserve_grant(s, m, programme)) != SQ_OK)
        return st;
    for (size_t i = 0; i < m->n_face_fen; i++) { /* from here it must succeed */
        struct sq_voucher *v = sq_table_add(&core->vouchers[programme], NULL);
        *v = (struct sq_voucher){.face_fen = m->face_fen[i], .holder = holder[m->holder[i]],
                                 .account = intern_account(core, programme, holder[m->holder[i]]),
                                 .mandate = SQ_ROW_NONE, .until_day = m->until_day[i], .detail = add_detail(core, m, i)};
    }
    sq_programme_at(core, programme)->granted_fen = granted;
    return sq_answer_accepted(s, m->n_face_fen);
}

sq_status sq_on_revoke(struct sq_step *s, const Sanquan__V1__Revoke *m)
{
    if (m->n_voucher == 0 || m->n_voucher > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu vouchers", m->n_voucher);
    uint32_t programme;
    for (size_t i = 0; i < m->n_voucher; i++) {
        if (i != 0 && m->voucher[i] <= m->voucher[i - 1])
            return sq_refuse(s, SQ_R_ORDER, "row %zu", i);
        if (sq_voucher_find(s->core, m->voucher[i], &programme) == NULL)
            return sq_refuse(s, SQ_R_UNKNOWN_VOUCHER, "%019" PRIu64, m->voucher[i]);
        sq_status st = check_authority(s, sq_programme_at(s->core, programme)->issuer);
        if (st != SQ_OK)
            return st;
    }
    for (size_t i = 0; i < m->n_voucher; i++)
        sq_voucher_find(s->core, m->voucher[i], &programme)->revoked = 1;
    return sq_answer_accepted(s, m->n_voucher);
}

/* ---- mandates ---- */

static struct sq_mandate *find_mandate(struct sq_core *core, const struct sq_voucher *v, uint32_t provider)
{
    for (uint32_t n = v->mandate; n != SQ_ROW_NONE;) {
        struct sq_mandate *m = SQ_ROW(&core->mandates, struct sq_mandate, n);
        if (m->provider == provider)
            return m;
        n = m->next;
    }
    return NULL;
}

static sq_status check_mandate(struct sq_step *s, const Sanquan__V1__Mandate *m)
{
    size_t n = m->n_voucher;
    uint32_t programme;
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu vouchers; 1 to %u go", n, SQ_BATCH_ROWS_MAX);
    if (m->n_limit_fen != n || m->n_until_ms != n)
        return sq_refuse(s, SQ_R_COLUMNS, "voucher, limit_fen and until_ms");
    for (size_t i = 0; i < n; i++) {
        if (i != 0 && m->voucher[i] <= m->voucher[i - 1])
            return sq_refuse(s, SQ_R_ORDER, "row %zu", i);
        const struct sq_voucher *v = sq_voucher_find(s->core, m->voucher[i], &programme);
        if (v == NULL)
            return sq_refuse(s, SQ_R_UNKNOWN_VOUCHER, "%019" PRIu64, m->voucher[i]);
        if (v->holder != s->party)
            return sq_refuse(s, SQ_R_NOT_YOUR_VOUCHER, "%019" PRIu64, m->voucher[i]);
        if (m->limit_fen[i] < 0)
            return sq_refuse(s, SQ_R_AMOUNT, "row %zu: limit %" PRId64 " fen", i, m->limit_fen[i]);
    }
    return SQ_OK;
}

sq_status sq_on_mandate(struct sq_step *s, const Sanquan__V1__Mandate *m)
{
    struct sq_core *core = s->core;
    sq_status st = check_mandate(s, m);
    if (st != SQ_OK)
        return st;
    uint32_t provider, programme;
    if (!sq_uscc_valid(m->provider))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->provider);
    if ((st = sq_party_intern(core, "provider", m->provider, core->self, &provider, s->err)) != SQ_OK ||
        (st = sq_table_reserve(&core->mandates, (uint32_t)m->n_voucher, s->err)) != SQ_OK)
        return st;
    for (size_t i = 0; i < m->n_voucher; i++) { /* from here it must succeed */
        struct sq_voucher *v = sq_voucher_find(core, m->voucher[i], &programme);
        struct sq_mandate *row = find_mandate(core, v, provider);
        if (row == NULL) {
            uint32_t number;
            row = sq_table_add(&core->mandates, &number);
            row->provider = provider;
            row->next = v->mandate;
            v->mandate = number;
        }
        /* A lower limit than what is used already only stops further use. */
        row->limit_fen = m->limit_fen[i];
        row->until_ms = m->until_ms[i];
    }
    return sq_answer_accepted(s, m->n_voucher);
}
