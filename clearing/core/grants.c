/*
 * What issuers promise and holders allow: vouchers and mandates.
 *
 *   voucher   GRANTED -> ACTIVE (a mandate or a first use) -> EXHAUSTED | EXPIRED | REVOKED
 *
 * Invariants: serials of a programme are 1, 2, 3 ... so a voucher is found by its number alone; vouchers are known only at the node
 * of their issuer. A grant is judged voucher by voucher, each seeing those before it, and taken back whole when one is refused.
 */
#include "clearing/base/day.h"
#include "clearing/base/uscc.h"
#include "clearing/core/rows.h"

/* ---- vouchers ---- */

uint32_t sq_programme_of_voucher(const struct sq_core *core, uint64_t voucher)
{
    uint64_t programme = voucher / SQ_SERIAL_RADIX;
    if (programme / SQ_PROGRAMME_RADIX > 999999)
        return SQ_ROW_NONE;
    return sq_programme_find(core, (uint32_t)(programme / SQ_PROGRAMME_RADIX),
                             (uint32_t)(programme % SQ_PROGRAMME_RADIX));
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

uint32_t sq_account_find(const struct sq_core *core, uint32_t programme, uint32_t holder)
{
    struct sq_index_cursor c = {.hash = account_hash(programme, holder)};
    uint32_t row;
    while ((row = sq_index_next(&core->account_index, &c)) != SQ_ROW_NONE) {
        const struct sq_account *a = SQ_ROW(&core->accounts, struct sq_account, row);
        if (a->programme == programme && a->holder == holder)
            break;
    }
    return row;
}

sq_status sq_accounts_reserve(struct sq_core *core, uint32_t more, struct sq_error *err)
{
    sq_status st = sq_table_reserve(&core->accounts, more, err);
    return st != SQ_OK ? st : sq_index_reserve(&core->account_index, more, err);
}

uint32_t sq_account_intern(struct sq_core *core, uint32_t programme, uint32_t holder)
{
    uint32_t row = sq_account_find(core, programme, holder);
    if (row != SQ_ROW_NONE)
        return row;
    struct sq_account *a = sq_table_add(&core->accounts, &row);
    SQ_ASSERT(a != NULL);
    struct sq_org *org = sq_org_at(core, sq_party_at(core, holder)->org);
    *a = (struct sq_account){.programme = programme,
                             .holder = holder,
                             .org = sq_party_at(core, holder)->org,
                             .watched = org->edges != SQ_ROW_NONE || org->sanctions != SQ_ROW_NONE,
                             .next_of_org = org->accounts,
                             .overrides = SQ_ROW_NONE,
                             .year = {.next = SQ_ROW_NONE}};
    org->accounts = row;
    sq_index_put(&core->account_index, account_hash(programme, holder), row);
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

/* ---- GRANT ---- */

static int whole(size_t cells, size_t n)
{
    return cells == n || cells == 0;
}

static sq_status check_grant_columns(struct sq_step *s, const Sanquan__V1__Grant *m, uint32_t programme)
{
    size_t n = m->n_face_fen;
    if (n == 0 || n > SQ_BATCH_ROWS_MAX)
        return sq_refuse(s, SQ_R_BATCH_SIZE, "%zu vouchers; 1 to %u go", n, SQ_BATCH_ROWS_MAX);
    if (m->n_holder != n || m->n_until_day != n || !whole(m->contract.len, n * 16) || !whole(m->n_contract_fen, n) ||
        !whole(m->n_approved_fen, n) || !whole(m->n_contract_day, n) || !whole(m->n_contract_from_day, n) ||
        m->n_contract_from_day != m->n_contract_until_day || !whole(m->n_quota, n) || !whole(m->n_facts, n) ||
        !whole(m->n_documents, n))
        return sq_refuse(s, SQ_R_COLUMNS, "a column of the grant has not %zu rows", n);
    if (!sq_fact_sets_ok(m->fact_sets, m->n_fact_sets, SQ_BATCH_ROWS_MAX, m->facts, m->n_facts))
        return sq_refuse(s, SQ_R_FACT, "a fact set of the grant is not in form, or a row names none");
    if (m->first_serial != 0 && m->first_serial != (uint64_t)s->core->vouchers[programme].count + 1)
        return sq_refuse(s, SQ_R_SERIAL_GAP, "first serial %" PRIu64 ", next is %u", m->first_serial,
                         s->core->vouchers[programme].count + 1);
    if ((uint64_t)s->core->vouchers[programme].count + n + 1 >= SQ_SERIAL_RADIX)
        return sq_refuse(s, SQ_R_SERIAL_GAP, "programme %06u/%u has no serials left", m->issuer, m->programme);
    return SQ_OK;
}

/* One row of a grant, read out of its columns. */
static sq_status wish_of(struct sq_step *s, const Sanquan__V1__Grant *m, size_t i, const uint32_t *holders,
                         struct sq_wish *w)
{
    if (m->holder[i] >= m->n_holders)
        return sq_refuse(s, SQ_R_COLUMNS, "row %zu: holder %u of %zu", i, m->holder[i], m->n_holders);
    *w = (struct sq_wish){.holder = holders[m->holder[i]],
                          .face_fen = m->face_fen[i],
                          .until_day = m->until_day[i],
                          .documents = m->n_documents != 0 ? m->documents[i] : 0,
                          .facts = sq_declared_of(m->fact_sets, m->n_facts != 0 ? m->facts : NULL, i)};
    w->contract_fen = m->n_contract_fen != 0 ? m->contract_fen[i] : 0;
    w->approved_fen = m->n_approved_fen != 0 ? m->approved_fen[i] : 0;
    w->quota = m->n_quota != 0 ? m->quota[i] : 0;
    w->contract_day = m->n_contract_day != 0 ? m->contract_day[i] : 0;
    w->contract_from_day = m->n_contract_from_day != 0 ? m->contract_from_day[i] : 0;
    w->contract_until_day = m->n_contract_from_day != 0 ? m->contract_until_day[i] : 0;
    if (m->contract.len != 0)
        memcpy(w->contract, m->contract.data + i * 16, 16);
    return SQ_OK;
}

sq_status sq_on_grant(struct sq_step *s, const Sanquan__V1__Grant *m)
{
    struct sq_core *core = s->core;
    sq_status st = sq_check_authority(s, m->issuer);
    if (st != SQ_OK)
        return st;
    uint32_t programme = sq_programme_find(core, m->issuer, m->programme), *holder, facts = 0;
    struct sq_wish *wishes;
    size_t n = m->n_face_fen, done = 0;
    if (programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    if ((st = check_grant_columns(s, m, programme)) != SQ_OK)
        return st;
    if (SQ_COLUMN(s, holder, m->n_holders) || SQ_COLUMN(s, wishes, n))
        return sq_full(s);
    if ((st = find_holders(s, m, holder)) != SQ_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        if ((st = wish_of(s, m, i, holder, &wishes[i])) != SQ_OK)
            return st;
        facts += (uint32_t)wishes[i].facts.count;
    }
    if ((st = sq_vouchers_reserve(core, programme, (uint32_t)n, facts, s->err)) != SQ_OK)
        return st;
    for (; st == SQ_OK && done < n; done++) {
        struct sq_error why;
        st = sq_voucher_grant(core, programme, &wishes[done], &why);
        if (st != SQ_OK) {
            (void)sq_refuse(s, st, "row %zu: %.200s", done, why.text);
            break;
        }
    }
    while (st != SQ_OK && done > 0)
        sq_voucher_take_back(core, programme, &wishes[--done]);
    return st != SQ_OK ? st : sq_answer_accepted(s, n);
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
        sq_status st = sq_check_authority(s, sq_programme_at(s->core, programme)->issuer);
        if (st != SQ_OK)
            return st;
    }
    for (size_t i = 0; i < m->n_voucher; i++) {
        struct sq_voucher *v = sq_voucher_find(s->core, m->voucher[i], &programme);
        if (!v->revoked)
            sq_voucher_revoke(s->core, programme, v);
    }
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

/* Room must be reserved. */
static void put_mandate(struct sq_core *core, struct sq_voucher *v, uint32_t provider, int64_t limit_fen,
                        uint64_t until_ms)
{
    struct sq_mandate *row = find_mandate(core, v, provider);
    if (row == NULL) {
        uint32_t number;
        row = sq_table_add(&core->mandates, &number);
        row->provider = provider;
        row->next = v->mandate;
        v->mandate = number;
    }
    /* A lower limit than what is used already only stops further use. */
    row->limit_fen = limit_fen;
    row->until_ms = until_ms;
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
    for (size_t i = 0; i < m->n_voucher; i++) /* from here it must succeed */
        put_mandate(core, sq_voucher_find(core, m->voucher[i], &programme), provider, m->limit_fen[i], m->until_ms[i]);
    return sq_answer_accepted(s, m->n_voucher);
}

/* ---- CONSENT ---- */

static sq_status check_consent(struct sq_step *s, const Sanquan__V1__Consent *m, uint32_t programme)
{
    struct sq_core *core = s->core;
    const struct sq_programme *p = sq_programme_at(core, programme);
    const struct sq_terms *t = sq_terms_of_day(core, p, core->today);
    uint32_t account = sq_account_find(core, programme, s->party), of;
    if (p->node != core->self)
        return sq_refuse(s, SQ_R_WRONG_RECEIVER, "programme %06u/%u is at home at node %s", m->issuer, m->programme,
                         sq_node_at(core, p->node)->code);
    if (t == NULL || t->auto_face_fen == 0)
        return sq_refuse(s, SQ_R_NOT_OFFERED, "programme %06u/%u grants nothing by itself", m->issuer, m->programme);
    if (!sq_uscc_valid(m->provider))
        return sq_refuse(s, SQ_R_BAD_USCC, "%.40s", m->provider);
    if (m->limit_fen < 0 || !sq_day_valid(m->until_day) || m->until_day < core->today)
        return sq_refuse(s, SQ_R_AMOUNT, "limit %" PRId64 " fen, until_day %u", m->limit_fen, m->until_day);
    if (t->validity_days != 0 && m->until_day > sq_day_add(core->today, (int32_t)t->validity_days))
        return sq_refuse(s, SQ_R_VALIDITY, "until_day %u", m->until_day);
    uint32_t serial = account != SQ_ROW_NONE ? SQ_ROW(&core->accounts, struct sq_account, account)->consented : 0;
    uint64_t number = ((uint64_t)m->issuer * SQ_PROGRAMME_RADIX + m->programme) * SQ_SERIAL_RADIX;
    if (serial != 0 && sq_voucher_alive(core, sq_voucher_find(core, number + serial, &of)))
        return sq_refuse(s, SQ_R_NOT_OFFERED, "voucher %019" PRIu64 " came by consent and is still alive",
                         number + serial);
    if ((uint64_t)core->vouchers[programme].count + 2 >= SQ_SERIAL_RADIX)
        return sq_refuse(s, SQ_R_SERIAL_GAP, "programme %06u/%u has no serials left", m->issuer, m->programme);
    return SQ_OK;
}

sq_status sq_on_consent(struct sq_step *s, const Sanquan__V1__Consent *m)
{
    struct sq_core *core = s->core;
    uint32_t programme = sq_programme_find(core, m->issuer, m->programme), provider;
    if (programme == SQ_ROW_NONE)
        return sq_refuse(s, SQ_R_UNKNOWN_PROGRAMME, "%06u/%u", m->issuer, m->programme);
    sq_status st = check_consent(s, m, programme);
    if (st != SQ_OK || (st = sq_party_intern(core, "provider", m->provider, core->self, &provider, s->err)) != SQ_OK ||
        (st = sq_vouchers_reserve(core, programme, 1, 0, s->err)) != SQ_OK ||
        (st = sq_table_reserve(&core->mandates, 1, s->err)) != SQ_OK)
        return st;
    uint32_t serial = sq_voucher_sleep(core, programme, s->party, m->until_day); /* from here it must succeed */
    put_mandate(core, SQ_ROW(&core->vouchers[programme], struct sq_voucher, serial - 1), provider, m->limit_fen,
                m->until_ms);
    Sanquan__V1__Answer answer;
    sanquan__v1__answer__init(&answer);
    answer.count = 1;
    answer.number = ((uint64_t)m->issuer * SQ_PROGRAMME_RADIX + m->programme) * SQ_SERIAL_RADIX + serial;
    return sq_answer(s, s->party, &answer);
}
