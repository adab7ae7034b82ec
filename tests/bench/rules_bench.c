/*
 * What one decision costs: the issuer's rules and the moving of all sums, for programmes with more and more rules, on vouchers picked
 * at random from many. Nothing else is in it: no wire, no invoice register, no ledger. CPU time of the thread.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clearing/core/issuer.h"
#include "clearing/core/rows.h"
#include "clearing/core/state.h"
#include "tests/bench/bench.h"
#include "tests/support/claims.h"

static const char usage[] = "usage: rules_bench [--vouchers N] [--items N]\n"
                            "  --vouchers N   of each programme, picked uniformly at random (300000)\n"
                            "  --items N      decisions for each programme (2000000)\n";

enum { ROWS = 4096, HOLDERS = 4096, DAY = 20260901 };

struct bench {
    struct world *w;
    char (*holder)[19];
    uint32_t vouchers;
    uint64_t random;
    /* the columns of one batch */
    uint64_t voucher[ROWS];
    int64_t amount[ROWS], base[ROWS], quantity[ROWS];
    uint32_t service[ROWS], day[ROWS], facts[ROWS], documents[ROWS], scenario[ROWS];
    uint8_t invoice[ROWS * SQ_INVOICE_CELL];
    uint64_t next_invoice;
};

static void die(const char *what)
{
    fprintf(stderr, "rules_bench: %s\n", what);
    exit(1);
}

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* splitmix64 */
static uint64_t next_random(struct bench *b)
{
    uint64_t z = b->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void enrol_all(struct bench *b)
{
    Sanquan__V1__Party *party = calloc(HOLDERS + 1, sizeof *party), **list = calloc(HOLDERS + 1, sizeof *list);
    char(*name)[32] = calloc(HOLDERS + 1, sizeof *name), node[] = "310000";
    uint8_t(*key)[32] = calloc(HOLDERS + 1, sizeof *key);
    Sanquan__V1__Enrol m;
    sanquan__v1__enrol__init(&m);
    for (uint32_t i = 0; i <= HOLDERS; i++) {
        if (i < HOLDERS)
            claims_code(b->holder[i], 310101, i);
        snprintf(name[i], sizeof *name, i < HOLDERS ? "holder:%.18s" : "provider:%.18s",
                 i < HOLDERS ? b->holder[i] : WORLD_PROVIDER);
        memcpy(key[i], name[i], 32);
        sanquan__v1__party__init(&party[i]);
        party[i].name = name[i];
        party[i].node = node;
        party[i].key = (ProtobufCBinaryData){32, key[i]};
        list[i] = &party[i];
    }
    m.parties = list;
    m.n_parties = HOLDERS;
    if (world_say(b->w, 0, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base) != SQ_OK)
        die(b->w->answer.detail);
    m.parties = list + HOLDERS;
    m.n_parties = 1;
    if (world_say(b->w, 0, "operator:310000/li", SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base) != SQ_OK)
        die(b->w->answer.detail);
    free(party);
    free(list);
    free(name);
    free(key);
}

/* Vouchers are dealt to holders in turn; every one gets a mandate for the provider. */
static void grant_all(struct bench *b, uint32_t programme)
{
    static int64_t face[8192];
    static uint32_t holder[8192], until[8192];
    char **holders = calloc(HOLDERS, sizeof *holders);
    struct sq_core *core = b->w->core[0];
    for (uint32_t i = 0; i < HOLDERS; i++)
        holders[i] = b->holder[i];
    for (uint32_t done = 0; done < b->vouchers; done += 8192) {
        Sanquan__V1__Grant m;
        sanquan__v1__grant__init(&m);
        for (uint32_t i = 0; i < 8192; i++) {
            face[i] = 1000000000000;
            holder[i] = i % HOLDERS;
            until[i] = 20261231;
        }
        m.issuer = 310000;
        m.programme = programme;
        m.face_fen = face;
        m.holder = holder;
        m.until_day = until;
        m.n_face_fen = m.n_holder = m.n_until_day = 8192;
        m.holders = holders;
        m.n_holders = HOLDERS;
        if (world_say(b->w, 0, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__GRANT, &m.base) != SQ_OK)
            die(b->w->answer.detail);
    }
    free(holders);
    uint32_t row = sq_programme_find(core, 310000, programme),
             provider = sq_party_find(core, "provider:91310199TXXXXX0015");
    for (uint32_t i = 0; i < core->vouchers[row].count; i++) {
        uint32_t number;
        struct sq_mandate *mandate = sq_table_add(&core->mandates, &number);
        *mandate = (struct sq_mandate){
            .limit_fen = INT64_MAX, .until_ms = UINT64_MAX, .provider = provider, .next = SQ_ROW_NONE};
        SQ_ROW(&core->vouchers[row], struct sq_voucher, i)->mandate = number;
    }
}

static void fill_batch(struct bench *b, uint32_t programme)
{
    for (size_t i = 0; i < ROWS; i++) {
        b->voucher[i] = (3100000000u + (uint64_t)programme) * SQ_SERIAL_RADIX + 1 + next_random(b) % b->vouchers;
        b->amount[i] = 300;
        b->base[i] = 1000;
        b->quantity[i] = 10;
        b->service[i] = 1 + (uint32_t)(next_random(b) % 8);
        b->day[i] = DAY;
        b->facts[i] = 1;
        b->documents[i] = ~0u;
        b->scenario[i] = 1 + (uint32_t)(next_random(b) % 16);
        sq_put_be64(b->invoice + i * SQ_INVOICE_CELL + 2, 0x1000000000000000u);
        for (uint64_t n = b->next_invoice++, k = 0; k < 8; k++, n /= 100)
            b->invoice[i * SQ_INVOICE_CELL + 9 - k] = (uint8_t)(n % 10 | n / 10 % 10 << 4);
    }
}

static double decide_all(struct bench *b, uint32_t programme, uint64_t items, int declares)
{
    struct sq_core *core = b->w->core[0];
    uint32_t attribute[] = {SQ_ATTR(HARDWARE), SQ_ATTR(CHANNEL)};
    int64_t value[] = {1, 5};
    Sanquan__V1__FactSet set, *sets[] = {&set};
    sanquan__v1__fact_set__init(&set);
    set.n_attribute = set.n_value = 2;
    set.attribute = attribute;
    set.value = value;
    struct sq_rows r = {.count = ROWS,
                        .voucher = b->voucher,
                        .amount_fen = b->amount,
                        .base_fen = b->base,
                        .total_fen = b->base,
                        .invoice = b->invoice,
                        .service = b->service,
                        .service_day = b->day};
    if (declares) {
        r.facts = b->facts;
        r.fact_sets = sets;
        r.documents = b->documents;
        r.quantity = b->quantity;
        r.scenario = b->scenario;
    }
    struct sq_decision d = sq_decision_of(core, 0, sq_party_find(core, "provider:91310199TXXXXX0015"), core->now_ms, 0);
    double spent = 0;
    for (uint64_t done = 0; done < items; done += ROWS) {
        fill_batch(b, programme);
        if (sq_decide_reserve(core, ROWS, NULL) != SQ_OK)
            die("memory");
        size_t before = mallinfo2().uordblks;
        double since = cpu_now();
        for (size_t i = 0; i < ROWS; i++) {
            sq_decide_prefetch(core, &r, i);
            unsigned refused = sq_decide_row(core, &d, &r, i);
            if (refused != SQ_OK)
                die(sq_status_name(refused));
        }
        spent += cpu_now() - since;
        if (mallinfo2().uordblks != before)
            die("a decision took memory");
    }
    return spent * 1e9 / (double)((items + ROWS - 1) / ROWS * ROWS);
}

/* ---- programmes ---- */

struct parts {
    struct claims_condition condition[4];
    Sanquan__V1__Condition *conditions[4];
    Sanquan__V1__Tier tier[2], *tiers[2];
    Sanquan__V1__Limit limit[3], *limits[3];
};

static void plain_programme(Sanquan__V1__Programme *p, uint32_t number)
{
    static uint32_t services[] = {1, 2, 3, 4, 5, 6, 7, 8};
    world_programme_init(p, 310000, number);
    p->pool_fen = INT64_MAX / 4;
    p->cap_claim_fen = 1000000;
    p->cap_year_fen = p->cap_total_fen = INT64_MAX / 4;
    p->services = services;
    p->n_services = 8;
}

static void add_conditions(Sanquan__V1__Programme *p, struct parts *k)
{
    claims_condition(&k->condition[0], 0, 1, SQ_ATTR(REGION), 1, (int64_t[]){310000, 319999}, 1);
    claims_condition(&k->condition[1], 0, 4, SQ_ATTR(CHANNEL), 1, (int64_t[]){5, 5}, 1);
    claims_condition(&k->condition[2], 1, 4, SQ_ATTR(HARDWARE), 1, (int64_t[]){1, 1}, 1);
    for (size_t i = 0; i < 3; i++)
        k->conditions[i] = &k->condition[i].c;
    sanquan__v1__tier__init(&k->tier[0]);
    k->tier[0].group = 1;
    k->tier[0].rate_bp = 3000;
    k->tiers[0] = &k->tier[0];
    p->conditions = k->conditions;
    p->n_conditions = 3;
    p->tiers = k->tiers;
    p->n_tiers = 1;
}

static void add_limits(Sanquan__V1__Programme *p, struct parts *k)
{
    static const uint32_t scope[] = {SANQUAN__V1__SCOPE__SCOPE_HOLDER, SANQUAN__V1__SCOPE__SCOPE_SERVICE,
                                     SANQUAN__V1__SCOPE__SCOPE_PROGRAMME};
    for (uint32_t i = 0; i < 3; i++) {
        sanquan__v1__limit__init(&k->limit[i]);
        k->limit[i].number = i + 1;
        k->limit[i].scope = scope[i];
        k->limit[i].unit = SANQUAN__V1__UNIT__UNIT_FEN;
        k->limit[i].step = 2;
        k->limit[i].period = 1;
        k->limit[i].hard = INT64_MAX / 4;
        k->limits[i] = &k->limit[i];
    }
    p->limits = k->limits;
    p->n_limits = 3;
}

int main(int argc, char **argv)
{
    double vouchers = 300000, items = 2000000;
    const struct bench_option options[] = {{"vouchers", &vouchers, NULL}, {"items", &items, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    static struct bench b;
    b = (struct bench){.w = world_new(1, SQ_NET_HUB),
                       .holder = calloc(HOLDERS, sizeof *b.holder),
                       .vouchers = (uint32_t)vouchers,
                       .random = 1};
    enrol_all(&b);
    static const char *const names[] = {"rules_plain_ns", "rules_conditions_ns", "rules_limits_ns"};
    for (uint32_t i = 0; i < 3; i++) {
        Sanquan__V1__Programme p;
        struct parts k;
        plain_programme(&p, i + 1);
        if (i >= 1)
            add_conditions(&p, &k);
        if (i >= 2)
            add_limits(&p, &k);
        if (world_say(b.w, 0, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base) != SQ_OK)
            die(b.w->answer.detail);
        grant_all(&b, i + 1);
        (void)decide_all(&b, i + 1, 100000, i >= 1); /* pages are touched before it counts */
        bench_row(names[i], decide_all(&b, i + 1, (uint64_t)items, i >= 1));
    }
    world_free(b.w);
    free(b.holder);
    return 0;
}
