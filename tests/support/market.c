#include "tests/support/market.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clearing/base/day.h"

#define PROGRAMME           1u
#define FACE_FEN            100000000000ll /* a billion yuan: the measured load never runs dry */
#define HOLDER_VOUCHERS     8192u          /* one grant and one mandate of full size a holder */
#define UNTIL_DAY           20991231u
#define INVOICES_A_PROVIDER 10000000000u

/* ---- rules and vouchers ---- */

static uint32_t issuer_code(const struct rig *rig, unsigned node)
{
    return (uint32_t)strtoul(rig->node[node].code, NULL, 10);
}

static uint64_t voucher_base(uint32_t issuer)
{
    return ((uint64_t)issuer * 10000u + PROGRAMME) * 1000000000u;
}

void market_programme(Sanquan__V1__Programme *p, uint32_t issuer)
{
    static char title[] = "load";
    sanquan__v1__programme__init(p);
    p->issuer = issuer;
    p->number = PROGRAMME;
    p->version = 1;
    p->kind = 1;
    p->title = title;
    p->from_day = 20260101;
    p->until_day = UNTIL_DAY;
    p->rate_bp = 3000;
    p->base_kind = 1;
    p->pool_fen = INT64_MAX / 4;
    p->cap_claim_fen = 1000000000;
    p->cap_year_fen = INT64_MAX / 4;
    p->cap_total_fen = INT64_MAX / 4;
}

static void grant(const struct market *m, struct sq_client *issuer, uint32_t first, uint32_t n, char *holder)
{
    static int64_t face[HOLDER_VOUCHERS];
    static uint32_t row[HOLDER_VOUCHERS], until[HOLDER_VOUCHERS];
    Sanquan__V1__Grant g;
    char *holders[1] = {holder};
    for (uint32_t i = 0; i < n; i++) {
        face[i] = FACE_FEN;
        until[i] = UNTIL_DAY;
    }
    sanquan__v1__grant__init(&g);
    g.issuer = issuer_code(m->rig, m->issuer_node);
    g.programme = PROGRAMME;
    g.first_serial = first;
    g.n_face_fen = g.n_holder = g.n_until_day = n;
    g.face_fen = face;
    g.holder = row;
    g.until_day = until;
    g.n_holders = 1;
    g.holders = holders;
    rig_say(issuer, SANQUAN__V1__MESSAGE_TYPE__GRANT, &g.base);
}

static void mandate(struct market *m, struct sq_client *holder, uint32_t first, uint32_t n, unsigned p)
{
    static uint64_t voucher[HOLDER_VOUCHERS], until[HOLDER_VOUCHERS];
    static int64_t limit[HOLDER_VOUCHERS];
    const struct market_stream *s = &m->provider[p].stream;
    Sanquan__V1__Mandate d;
    size_t count = 0;
    for (uint32_t serial = first; serial < first + n; serial++)
        if (serial % s->step == s->first % s->step) {
            voucher[count] = s->voucher_base + serial;
            limit[count] = FACE_FEN;
            until[count++] = UINT64_MAX / 2;
        }
    if (count == 0)
        return;
    sanquan__v1__mandate__init(&d);
    d.provider = m->provider[p].code;
    d.n_voucher = d.n_limit_fen = d.n_until_ms = count;
    d.voucher = voucher;
    d.limit_fen = limit;
    d.until_ms = until;
    rig_say(holder, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &d.base);
}

/* ---- setting up ---- */

static void add_providers(struct market *m, unsigned node)
{
    struct sq_keys *keys[MARKET_PROVIDERS_MAX];
    uint32_t issuer = issuer_code(m->rig, m->issuer_node), province = issuer_code(m->rig, node) / 10000;
    for (unsigned p = 0; p < m->provider_count; p++) {
        struct market_provider *it = &m->provider[p];
        rig_uscc(province, 1000 + p, it->code);
        keys[p] = it->keys = rig_keys("provider", it->code);
        it->node = node;
        it->stream = market_stream_of(issuer, province, p, m->provider_count, m->voucher_count);
    }
    rig_enrol(m->rig, node, keys, m->provider_count);
}

static struct sq_keys **add_holders(const struct market *m, uint32_t count)
{
    struct sq_keys **keys = calloc(count, sizeof(struct sq_keys *));
    if (keys == NULL)
        rig_die("memory", NULL);
    for (uint32_t h = 0; h < count; h++) {
        char code[19];
        rig_uscc(issuer_code(m->rig, m->issuer_node) / 10000, 100000 + h, code);
        keys[h] = rig_keys("holder", code);
    }
    rig_enrol(m->rig, m->issuer_node, keys, count);
    return keys;
}

/* Each holder's connection is opened while the one before is at work: handshakes cost no time then. */
static void deal_vouchers(struct market *m, struct sq_client *issuer)
{
    uint32_t holders = (m->voucher_count + HOLDER_VOUCHERS - 1) / HOLDER_VOUCHERS;
    struct sq_keys **keys = add_holders(m, holders);
    struct sq_client *next = rig_client(m->rig, m->issuer_node, keys[0], 1);
    for (uint32_t h = 0; h < holders; h++) {
        uint32_t first = h * HOLDER_VOUCHERS + 1, left = m->voucher_count + 1 - first,
                 n = left < HOLDER_VOUCHERS ? left : HOLDER_VOUCHERS;
        struct sq_client *holder = next;
        next = h + 1 < holders ? rig_client(m->rig, m->issuer_node, keys[h + 1], 1) : NULL;
        grant(m, issuer, first, n, strchr(keys[h]->name, ':') + 1);
        for (unsigned p = 0; p < m->provider_count; p++)
            mandate(m, holder, first, n, p);
        sq_client_close(holder);
    }
    for (uint32_t h = 0; h < holders; h++)
        sq_secret_free(keys[h]);
    free(keys);
}

/* Other nodes hear of a programme by a notice; batches that come before it are refused. */
static void await_notice(const struct market *m, unsigned node)
{
    struct sq_client *c = rig_client(m->rig, node, m->rig->node[node].maker, 1);
    struct sq_error err = {0};
    char issuer[32];
    const char *json;
    snprintf(issuer, sizeof issuer, "%" PRIu32, issuer_code(m->rig, m->issuer_node));
    for (double end = rig_seconds() + 60;; poll(NULL, 0, 20)) {
        if (sq_client_query(c, "programmes", 10000, &json, &err) != SQ_OK || rig_seconds() > end)
            rig_die("the programme's notice", &err);
        if (strstr(json, issuer) != NULL)
            break;
    }
    sq_client_close(c);
}

struct market *market_open(const struct rig *rig, unsigned issuer_node, unsigned provider_node, uint32_t vouchers,
                           unsigned providers)
{
    struct market *m = calloc(1, sizeof *m);
    if (m == NULL || providers == 0 || providers > MARKET_PROVIDERS_MAX || vouchers < providers)
        rig_die("market: between 1 and 16 providers, and a voucher for each", NULL);
    *m =
        (struct market){.rig = rig, .issuer_node = issuer_node, .voucher_count = vouchers, .provider_count = providers};
    struct sq_client *issuer = rig_client(rig, issuer_node, rig->node[issuer_node].issuer, 1);
    Sanquan__V1__Programme programme;
    market_programme(&programme, issuer_code(rig, issuer_node));
    rig_say(issuer, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &programme.base);
    add_providers(m, provider_node);
    deal_vouchers(m, issuer);
    sq_client_close(issuer);
    await_notice(m, provider_node);
    return m;
}

void market_free(struct market *m)
{
    for (unsigned p = 0; p < m->provider_count; p++)
        sq_secret_free(m->provider[p].keys);
    free(m);
}

/* ---- batches ---- */

struct market_stream market_stream_of(uint32_t issuer, uint32_t province, unsigned p, unsigned providers,
                                      uint32_t vouchers)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct market_stream){.voucher_base = voucher_base(issuer),
                                  .first = p + 1,
                                  .step = providers,
                                  .count = (vouchers - p + providers - 1) / providers,
                                  .province = province,
                                  .day = sq_day_of_ms((uint64_t)now.tv_sec * 1000),
                                  .next_invoice = p * INVOICES_A_PROVIDER + 1,
                                  .dice = {.state = 42 + p}};
}

struct market_row market_next(struct market_stream *s)
{
    uint64_t r = dice_u64(&s->dice);
    struct market_row row = {.voucher = s->voucher_base + s->first + (uint64_t)dice_below(&s->dice, s->count) * s->step,
                             .invoice_sequence = s->next_invoice++,
                             .random = r,
                             .base_fen = 1000 + (int64_t)(r & 0xfffff),
                             .service = 101,
                             .scenario = (uint32_t)(r >> 32 & 7) + 1};
    row.amount_fen = row.base_fen * 3 / 10;
    return row;
}

/* 26 PP 2 SSSSSSSSSSSSSSS, two digits a byte. */
static void put_invoice(uint32_t province, uint64_t sequence, uint8_t cell[static 10])
{
    char text[40];
    snprintf(text, sizeof text, "26%02" PRIu32 "2%015" PRIu64, province, sequence);
    for (int i = 0; i < 10; i++)
        cell[i] = (uint8_t)((text[2 * i] - '0') << 4 | (text[2 * i + 1] - '0'));
}

/* The number that follows. */
static void next_cell(uint8_t cell[static 10])
{
    for (int i = 9; i >= 0; i--) {
        if ((cell[i] & 15) != 9) {
            cell[i]++;
            return;
        }
        if (cell[i] >> 4 != 9) {
            cell[i] = (uint8_t)((cell[i] & 0xf0) + 0x10);
            return;
        }
        cell[i] = 0;
    }
}

/* A packed or bytes field of `size` bytes; returns where they go. */
static uint8_t *column(uint8_t **at, unsigned field, size_t size)
{
    *(*at)++ = (uint8_t)(field << 3 | 2);
    size_t n = size;
    for (; n >= 128; n >>= 7)
        *(*at)++ = (uint8_t)(n | 128u);
    *(*at)++ = (uint8_t)n;
    uint8_t *begin = *at;
    *at += size;
    return begin;
}

static void put_le32(uint8_t *column_begin, size_t i, uint32_t v)
{
    v = htole32(v);
    memcpy(column_begin + 4 * i, &v, sizeof v);
}

static void put_le64(uint8_t *column_begin, size_t i, uint64_t v)
{
    v = htole64(v);
    memcpy(column_begin + 8 * i, &v, sizeof v);
}

size_t market_fill(struct market_stream *s, uint32_t rows, uint8_t *out)
{
    const size_t n = rows;
    uint8_t *at = out, cell[10];
    uint8_t *voucher = column(&at, 1, 8 * n), *amount = column(&at, 2, 8 * n), *base = column(&at, 3, 8 * n),
            *invoice = column(&at, 4, 10 * n), *total = column(&at, 5, 8 * n), *service = column(&at, 6, 4 * n),
            *scenario = column(&at, 7, 4 * n), *day = column(&at, 8, 4 * n), *evidence = column(&at, 9, 16 * n);
    put_invoice(s->province, s->next_invoice, cell);
    for (size_t i = 0; i < n; i++) {
        struct market_row r = market_next(s);
        put_le64(voucher, i, r.voucher);
        put_le64(amount, i, (uint64_t)r.amount_fen);
        put_le64(base, i, (uint64_t)r.base_fen);
        put_le64(total, i, (uint64_t)r.base_fen);
        memcpy(invoice + 10 * i, cell, sizeof cell);
        next_cell(cell);
        put_le32(service, i, r.service);
        put_le32(scenario, i, r.scenario);
        put_le32(day, i, s->day);
        put_le64(evidence, 2 * i, r.random);
        put_le64(evidence, 2 * i + 1, r.voucher);
    }
    return (size_t)(at - out);
}
