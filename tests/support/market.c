#include "tests/support/market.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROGRAMME 1u
#define FACE_FEN 100000000000ll  /* a billion yuan: the measured load never runs dry */
#define HOLDER_VOUCHERS 8192u

static uint64_t next_random(struct market *m)
{
    uint64_t x = m->random; /* xorshift64* (Vigna 2014) */
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    m->random = x;
    return x * 0x2545f4914f6cdd1du;
}

static uint32_t today(void)
{
    time_t now = time(NULL) + 8 * 3600;
    struct tm t;
    gmtime_r(&now, &t);
    return (uint32_t)((t.tm_year + 1900) * 10000 + (t.tm_mon + 1) * 100 + t.tm_mday);
}

static uint64_t voucher_number(const struct market *m, uint32_t serial)
{
    return (strtoull(m->rig->node[m->issuer_node].code, NULL, 10) * 10000u + PROGRAMME) * 1000000000u + serial;
}

static void publish(const struct market *m, struct sq_client *issuer)
{
    Sanquan__V1__Programme p;
    char title[] = "load";
    sanquan__v1__programme__init(&p);
    p.issuer = (uint32_t)strtoul(m->rig->node[m->issuer_node].code, NULL, 10);
    p.number = PROGRAMME;
    p.version = 1;
    p.kind = 1;
    p.title = title;
    p.from_day = 20260101;
    p.until_day = 20991231;
    p.rate_bp = 3000;
    p.base_kind = 1;
    p.pool_fen = INT64_MAX / 4;
    p.cap_claim_fen = 1000000000;
    p.cap_year_fen = INT64_MAX / 4;
    p.cap_total_fen = INT64_MAX / 4;
    rig_say(issuer, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base);
}

static void grant(const struct market *m, struct sq_client *issuer, uint32_t first, uint32_t n, char *holder)
{
    static int64_t face[HOLDER_VOUCHERS];
    static uint32_t row[HOLDER_VOUCHERS], until[HOLDER_VOUCHERS];
    Sanquan__V1__Grant g;
    char *holders[1] = {holder};
    for (uint32_t i = 0; i < n; i++) {
        face[i] = FACE_FEN;
        until[i] = 20991231;
    }
    sanquan__v1__grant__init(&g);
    g.issuer = (uint32_t)strtoul(m->rig->node[m->issuer_node].code, NULL, 10);
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

static void mandate(const struct market *m, struct sq_client *holder, uint32_t first, uint32_t n, unsigned p)
{
    static uint64_t voucher[HOLDER_VOUCHERS], until[HOLDER_VOUCHERS];
    static int64_t limit[HOLDER_VOUCHERS];
    Sanquan__V1__Mandate d;
    uint32_t count = 0;
    char code[19];
    strcpy(code, m->provider[p].code);
    for (uint32_t i = 0; i < n; i++)
        if ((first + i) % m->provider_count == p) {
            voucher[count] = voucher_number(m, first + i);
            limit[count] = FACE_FEN;
            until[count++] = UINT64_MAX / 2;
        }
    if (count == 0)
        return;
    sanquan__v1__mandate__init(&d);
    d.provider = code;
    d.n_voucher = d.n_limit_fen = d.n_until_ms = count;
    d.voucher = voucher;
    d.limit_fen = limit;
    d.until_ms = until;
    rig_say(holder, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &d.base);
}

static void add_providers(struct market *m, unsigned node)
{
    struct sq_keys *keys[MARKET_PROVIDERS_MAX];
    for (unsigned p = 0; p < m->provider_count; p++) {
        struct market_provider *it = &m->provider[p];
        rig_uscc((unsigned)strtoul(m->rig->node[node].code, NULL, 10) / 10000, 1000 + p, it->code);
        keys[p] = it->keys = rig_keys("provider", it->code);
        it->node = node;
        it->next_invoice = (uint64_t)p * 10000000000u + 1;
    }
    for (unsigned p = 0; p < m->provider_count; p++)
        rig_enrol(m->rig, node, &keys[p], 1);
}

struct market *market_open(const struct rig *rig, unsigned issuer_node, unsigned provider_node, uint32_t vouchers, unsigned providers)
{
    struct market *m = calloc(1, sizeof *m);
    if (m == NULL)
        rig_die("memory", NULL);
    *m = (struct market){.rig = rig, .issuer_node = issuer_node, .voucher_count = vouchers, .provider_count = providers, .random = 42};
    struct sq_client *issuer = rig_client(rig, issuer_node, rig->node[issuer_node].issuer, 1);
    add_providers(m, provider_node);
    publish(m, issuer);
    for (uint32_t done = 0, h = 0; done < vouchers; h++) {
        uint32_t n = vouchers - done < HOLDER_VOUCHERS ? vouchers - done : HOLDER_VOUCHERS;
        char code[19];
        rig_uscc(11, h, code);
        struct sq_keys *keys = rig_keys("holder", code);
        rig_enrol(rig, issuer_node, &keys, 1);
        grant(m, issuer, done + 1, n, code);
        struct sq_client *holder = rig_client(rig, issuer_node, keys, 1);
        for (unsigned p = 0; p < providers; p++)
            mandate(m, holder, done + 1, n, p);
        sq_client_close(holder);
        sq_secret_free(keys);
        done += n;
    }
    sq_client_close(issuer);
    return m;
}

void market_free(struct market *m)
{
    for (unsigned p = 0; p < m->provider_count; p++)
        sq_secret_free(m->provider[p].keys);
    free(m);
}

/* ---- batches ---- */

/* 26 PP 2 SSSSSSSSSSSSSSS, two digits a byte. */
static void put_invoice(unsigned province, uint64_t sequence, uint8_t cell[static 10])
{
    char text[40];
    snprintf(text, sizeof text, "26%02u2%015" PRIu64, province, sequence);
    for (int i = 0; i < 10; i++)
        cell[i] = (uint8_t)((text[2 * i] - '0') << 4 | (text[2 * i + 1] - '0'));
}

static void next_cell(uint8_t cell[static 10])
{
    for (int i = 9; i >= 0; i--) {
        uint8_t low = cell[i] & 15, high = cell[i] >> 4;
        if (++low < 10) {
            cell[i] = (uint8_t)(high << 4 | low);
            return;
        }
        if (++high < 10) {
            cell[i] = (uint8_t)(high << 4);
            return;
        }
        cell[i] = 0;
    }
}

sq_bytes market_batch(struct market *m, unsigned p, uint32_t rows)
{
    static uint64_t voucher[8192];
    static int64_t amount[8192], base[8192];
    static uint32_t service[8192], scenario[8192], day[8192];
    static uint8_t invoice[8192 * 10], evidence[8192 * 16];
    struct market_provider *it = &m->provider[p];
    uint8_t cell[10];
    uint32_t date = today();
    put_invoice((unsigned)strtoul(m->rig->node[it->node].code, NULL, 10) / 10000, it->next_invoice, cell);
    it->next_invoice += rows;
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t r = next_random(m);
        uint32_t slots = (m->voucher_count + m->provider_count - 1 - p) / m->provider_count;
        uint32_t serial = (uint32_t)((r >> 32) * slots >> 32) * m->provider_count + p;
        voucher[i] = voucher_number(m, serial == 0 ? m->provider_count : serial);
        base[i] = 1000 + (int64_t)(r & 0xfffff);
        amount[i] = base[i] * 3 / 10;
        service[i] = 101;
        scenario[i] = (uint32_t)(r & 7) + 1;
        day[i] = date;
        memcpy(invoice + i * 10, cell, 10);
        next_cell(cell);
        memcpy(evidence + i * 16, &r, 8);
        memcpy(evidence + i * 16 + 8, &base[i], 8);
    }
    Sanquan__V1__Batch b;
    sanquan__v1__batch__init(&b);
    b.n_voucher = b.n_amount_fen = b.n_base_fen = b.n_invoice_total_fen = b.n_service = b.n_scenario = b.n_service_day = rows;
    b.voucher = voucher;
    b.amount_fen = amount;
    b.base_fen = b.invoice_total_fen = base;
    b.service = service;
    b.scenario = scenario;
    b.service_day = day;
    b.invoice = (ProtobufCBinaryData){rows * 10u, invoice};
    b.evidence = (ProtobufCBinaryData){rows * 16u, evidence};
    return rig_pack(&b.base);
}
