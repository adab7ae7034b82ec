#include "tests/support/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/uscc.h"
#include "clearing/core/invoice.h"

#define FACTS 4u

static size_t fact_count(const struct claims_fact *f)
{
    size_t n = 0;
    while (n < FACTS && f[n].attribute != 0)
        n++;
    return n;
}

/* A set of its own for each list of facts; `memory` holds the columns. */
struct set_memory {
    uint32_t attribute[FACTS];
    int64_t value[FACTS];
};

static void fill_set(Sanquan__V1__FactSet *set, struct set_memory *memory, const struct claims_fact *f)
{
    sanquan__v1__fact_set__init(set);
    set->n_attribute = set->n_value = fact_count(f);
    set->attribute = memory->attribute;
    set->value = memory->value;
    for (size_t i = 0; i < set->n_attribute; i++) {
        memory->attribute[i] = f[i].attribute;
        memory->value[i] = f[i].value;
    }
}

static uint64_t next_serial(const struct world *w, uint32_t node, uint32_t issuer, uint32_t number)
{
    struct sq_programme_view p;
    for (uint32_t i = 0; i < sq_core_programme_count(w->core[node]); i++) {
        sq_core_programme(w->core[node], i, &p);
        if (p.issuer == issuer && p.number == number)
            return p.voucher_count + 1;
    }
    return 1;
}

uint64_t claims_grant(struct world *w, uint32_t node, uint32_t issuer, uint32_t number, const char *holder,
                      const struct claims_grant *g, unsigned *status)
{
    struct claims_grant in = *g;
    char name[32], code[32], *holders[1] = {code};
    uint32_t zero = 0, set_number = 1;
    struct set_memory memory;
    Sanquan__V1__FactSet set, *sets[1] = {&set};
    Sanquan__V1__Grant m;
    sanquan__v1__grant__init(&m);
    snprintf(name, sizeof name, "issuer:%06u", issuer);
    snprintf(code, sizeof code, "%s", holder);
    in.until_day = in.until_day != 0 ? in.until_day : 20261231;
    m.issuer = issuer;
    m.programme = number;
    m.first_serial = next_serial(w, node, issuer, number);
    m.n_face_fen = m.n_holder = m.n_until_day = m.n_holders = 1;
    m.face_fen = &in.face_fen;
    m.holder = &zero;
    m.until_day = &in.until_day;
    m.holders = holders;
    m.n_contract_fen = m.n_approved_fen = m.n_contract_day = m.n_contract_from_day = m.n_contract_until_day =
        m.n_documents = 1;
    m.contract_fen = &in.contract_fen;
    m.approved_fen = &in.approved_fen;
    m.contract_day = &in.contract_day;
    m.contract_from_day = &in.contract_from_day;
    m.contract_until_day = &in.contract_until_day;
    m.documents = &in.documents;
    uint8_t digest[16] = {in.contract};
    m.contract = (ProtobufCBinaryData){16, digest};
    m.n_quota = 1;
    m.quota = &in.quota;
    if (fact_count(in.fact) != 0) {
        fill_set(&set, &memory, in.fact);
        m.n_facts = m.n_fact_sets = 1;
        m.facts = &set_number;
        m.fact_sets = sets;
    }
    unsigned st = world_say(w, node, name, SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base);
    if (status != NULL)
        *status = st;
    return st == 0 ? ((uint64_t)issuer * 10000 + number) * 1000000000u + m.first_serial : 0;
}

/* ---- batches ---- */

struct columns {
    uint64_t voucher[8192], reservation[8192];
    int64_t amount[8192], base[8192], total[8192];
    uint32_t service[8192], day[8192], scenario[8192], documents[8192], facts[8192], bundle[8192];
    int64_t quantity[8192];
    uint8_t invoice[8192 * SQ_INVOICE_CELL], verb[8192], payee[8192], evidence[8192 * 16];
    Sanquan__V1__FactSet set[64], *sets[64];
    struct set_memory memory[64];
    size_t order[8192], set_count;
};

static int by_invoice(const void *a, const void *b, void *context)
{
    const struct claims_row *rows = context;
    const size_t *x = a, *y = b;
    uint64_t i = rows[*x].invoice, k = rows[*y].invoice;
    return i != k ? (i < k ? -1 : 1) : *x < *y ? -1 : 1;
}

/* Number + 1 of the set with these facts; rows with the same facts share one. */
static uint32_t set_of(struct columns *c, const struct claims_fact *f)
{
    Sanquan__V1__FactSet *fresh = &c->set[c->set_count];
    if (fact_count(f) == 0)
        return 0;
    for (uint32_t i = 0; i < c->set_count; i++) {
        int same = c->set[i].n_attribute == fact_count(f);
        for (size_t k = 0; same && k < c->set[i].n_attribute; k++)
            same = c->set[i].attribute[k] == f[k].attribute && c->set[i].value[k] == f[k].value;
        if (same)
            return i + 1;
    }
    if (c->set_count == 64)
        abort();
    fill_set(fresh, &c->memory[c->set_count], f);
    c->sets[c->set_count] = fresh;
    return (uint32_t)++c->set_count;
}

static void put_invoice(uint8_t cell[static SQ_INVOICE_CELL], uint64_t invoice)
{
    char digits[21];
    snprintf(digits, sizeof digits, "26312%015" PRIu64, invoice % 1000000000000000u);
    for (size_t k = 0; k < 20; k++)
        cell[k / 2] |= (uint8_t)((digits[k] - '0') << (k % 2 == 0 ? 4 : 0));
}

static void put_row(struct columns *c, size_t at, const struct claims_row *row)
{
    c->voucher[at] = row->voucher;
    c->amount[at] = row->amount_fen;
    c->base[at] = row->base_fen;
    c->total[at] = row->total_fen != 0 ? row->total_fen : row->base_fen;
    c->service[at] = row->service;
    c->day[at] = row->service_day != 0 ? row->service_day : 20260901;
    c->scenario[at] = row->scenario;
    c->documents[at] = row->documents;
    c->facts[at] = set_of(c, row->fact);
    c->verb[at] = row->verb != 0 ? row->verb : (uint8_t)SANQUAN__V1__VERB__REDEEM;
    c->reservation[at] = row->reservation;
    c->quantity[at] = row->quantity;
    c->payee[at] = row->payee;
    c->bundle[at] = row->bundle;
    c->evidence[at * 16] = row->evidence;
    if (row->invoice != 0)
        put_invoice(c->invoice + at * SQ_INVOICE_CELL, row->invoice);
}

static void fill_batch(Sanquan__V1__Batch *m, struct columns *c, const struct world *w, const struct claims_row *rows,
                       size_t count)
{
    sanquan__v1__batch__init(m);
    for (size_t i = 0; i < count; i++)
        c->order[i] = i;
    union {
        const struct claims_row *in;
        void *out;
    } context = {rows}; /* qsort_r's context is not const; it is only read */
    qsort_r(c->order, count, sizeof *c->order, by_invoice, context.out);
    for (size_t i = 0; i < count; i++) {
        put_row(c, i, &rows[c->order[i]]);
        m->n_bundle = c->bundle[i] != 0 ? count : m->n_bundle;
    }
    m->bundle = c->bundle;
    m->voucher = c->voucher;
    m->amount_fen = c->amount;
    m->base_fen = c->base;
    m->invoice = (ProtobufCBinaryData){count * SQ_INVOICE_CELL, c->invoice};
    m->invoice_total_fen = c->total;
    m->service = c->service;
    m->service_day = c->day;
    m->scenario = c->scenario;
    m->documents = c->documents;
    m->facts = c->facts;
    m->verb = (ProtobufCBinaryData){count, c->verb};
    m->reservation = c->reservation;
    m->fact_sets = c->sets;
    m->n_fact_sets = c->set_count;
    m->n_voucher = m->n_amount_fen = m->n_base_fen = m->n_invoice_total_fen = m->n_service = m->n_service_day =
        m->n_reservation = count;
    m->n_scenario = m->n_documents = m->n_facts = m->n_quantity = count;
    m->quantity = c->quantity;
    m->payee = (ProtobufCBinaryData){count, c->payee};
    m->evidence = (ProtobufCBinaryData){count * 16, c->evidence};
    m->reserve_until_ms = w->now_ms + 3600000u;
}

unsigned claims_batch(struct world *w, uint32_t node, const char *provider, const struct claims_row *rows, size_t count,
                      uint8_t *code)
{
    struct columns *c = calloc(1, sizeof *c);
    char name[48];
    Sanquan__V1__Batch m;
    fill_batch(&m, c, w, rows, count);
    snprintf(name, sizeof name, "provider:%s", provider);
    unsigned status = world_say(w, node, name, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base);
    for (size_t i = 0; code != NULL && i < count; i++)
        code[c->order[i]] = w->answer.code_count != 0 ? w->answer.code[i] : 0;
    free(c);
    return status;
}

unsigned claims_reverse(struct world *w, const char *acquirer, const char *provider, uint64_t invoice,
                        int64_t total_fen, const struct claims_row *rows, size_t count)
{
    struct columns *c = calloc(1, sizeof *c);
    char node[8], seller[24];
    uint8_t cell[SQ_INVOICE_CELL] = {0}, note[SQ_INVOICE_CELL] = {0};
    Sanquan__V1__Batch returns;
    Sanquan__V1__Reverse m;
    sanquan__v1__reverse__init(&m);
    fill_batch(&returns, c, w, rows, count);
    put_invoice(cell, invoice);
    put_invoice(note, 900000 + invoice);
    snprintf(node, sizeof node, "%s", acquirer);
    snprintf(seller, sizeof seller, "%s", provider);
    m.invoice = (ProtobufCBinaryData){sizeof cell, cell};
    m.credit_note = (ProtobufCBinaryData){sizeof note, note};
    m.total_fen = total_fen;
    if (count != 0) {
        m.acquirer = node;
        m.provider = seller;
        m.returns = &returns;
    }
    unsigned status = world_say(w, 0, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__REVERSE, &m.base);
    free(c);
    return status;
}

unsigned claims_row(struct world *w, uint32_t node, const char *provider, const struct claims_row *row)
{
    uint8_t code = 0;
    unsigned status = claims_batch(w, node, provider, row, 1, &code);
    return status != 0 ? status : code;
}

/* ---- statements ---- */

unsigned claims_state(struct world *w, uint32_t node, const char *party, uint32_t issuer, const char *org,
                      uint32_t attribute, int64_t value, uint32_t from_day, uint32_t until_day)
{
    char code[32], *orgs[1] = {code};
    uint32_t zero = 0;
    Sanquan__V1__Facts m;
    sanquan__v1__facts__init(&m);
    snprintf(code, sizeof code, "%s", org);
    m.issuer = issuer;
    m.orgs = orgs;
    m.n_orgs = m.n_org = m.n_attribute = m.n_value = m.n_from_day = m.n_until_day = 1;
    m.org = &zero;
    m.attribute = &attribute;
    m.value = &value;
    m.from_day = &from_day;
    m.until_day = &until_day;
    return world_say(w, node, party, SANQUAN__V1__MESSAGE_TYPE__FACTS, &m.base);
}

unsigned claims_edge(struct world *w, uint32_t node, const char *party, const char *owner, const char *owned,
                     uint32_t kind, uint32_t from_day, uint32_t until_day)
{
    char first[32], second[32], *orgs[2] = {first, second};
    int swapped = strcmp(owner, owned) > 0;
    uint32_t a = swapped ? 1 : 0, b = swapped ? 0 : 1;
    Sanquan__V1__Edges m;
    sanquan__v1__edges__init(&m);
    snprintf(first, sizeof first, "%s", swapped ? owned : owner);
    snprintf(second, sizeof second, "%s", swapped ? owner : owned);
    m.orgs = orgs;
    m.n_orgs = 2;
    m.n_owner = m.n_owned = m.n_kind = m.n_from_day = m.n_until_day = 1;
    m.owner = &a;
    m.owned = &b;
    m.kind = &kind;
    m.from_day = &from_day;
    m.until_day = &until_day;
    return world_say(w, node, party, SANQUAN__V1__MESSAGE_TYPE__EDGES, &m.base);
}

unsigned claims_sanction(struct world *w, uint32_t node, const char *party, const char *org, uint32_t cause,
                         uint32_t effect, uint32_t from_day, uint32_t until_day)
{
    static char reason[] = "found in an audit";
    char code[32], name[48];
    Sanquan__V1__Sanction m;
    sanquan__v1__sanction__init(&m);
    snprintf(code, sizeof code, "%s", org);
    snprintf(name, sizeof name, "%s", party);
    m.org = code;
    m.cause = cause;
    m.effect = effect;
    m.from_day = from_day;
    m.until_day = until_day;
    m.reason = reason;
    m.authority = name;
    return world_say(w, node, party, SANQUAN__V1__MESSAGE_TYPE__SANCTION, &m.base);
}

void claims_code(char out[static 19], uint32_t region, uint32_t n)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    snprintf(out, 19, "91%06uTX%07u0", region, n);
    for (size_t i = 0; alphabet[i] != '\0'; i++) {
        out[17] = alphabet[i];
        if (sq_uscc_valid(out))
            return;
    }
    abort();
}

void claims_condition(struct claims_condition *k, uint32_t group, uint32_t subject, uint32_t attribute, uint32_t test,
                      const int64_t *ranges, size_t count)
{
    sanquan__v1__condition__init(&k->c);
    k->c.group = group;
    k->c.subject = subject;
    k->c.attribute = attribute;
    k->c.test = test;
    k->c.n_low = k->c.n_high = count;
    for (size_t i = 0; i < count; i++) {
        k->low[i] = ranges[2 * i];
        k->high[i] = ranges[2 * i + 1];
    }
    k->c.low = k->low;
    k->c.high = k->high;
}
