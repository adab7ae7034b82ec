#include "tests/support/trading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/uscc.h"

#define DAY 20260901u

static const char *code_of(const struct trading *t, uint32_t node)
{
    return sq_core_node(t->w->core[0], node)->code;
}

/* An organisation of no register: region 99 of the node's province, and whatever check character it takes. */
static void organisation(const struct trading *t, uint32_t node, char letter, char out[20])
{
    for (const char *check = "0123456789ABCDEFGHJKLMNPQRTUWXY"; *check != '\0'; check++) {
        snprintf(out, 20, "91%.2s0199TXXXXX%c%02u%c", code_of(t, node), letter, node % 100, *check);
        if (sq_uscc_valid(out))
            return;
    }
    fail_msg("no check character fits %s", out);
}

uint32_t trading_kind(uint32_t debtor)
{
    return 1 + debtor % 3;
}

static void open_shop(struct trading *t, uint32_t node)
{
    char name[48];
    Sanquan__V1__Programme p;
    uint32_t issuer = (uint32_t)strtoul(code_of(t, node), NULL, 10);
    organisation(t, node, 'P', t->provider[node]);
    organisation(t, node, 'H', t->holder[node]);
    snprintf(name, sizeof name, "provider:%s", t->provider[node]);
    assert_int_equal(world_enrol(t->w, node, name), SQ_OK);
    snprintf(name, sizeof name, "holder:%s", t->holder[node]);
    assert_int_equal(world_enrol(t->w, node, name), SQ_OK);
    world_programme_init(&p, issuer, 1);
    p.kind = trading_kind(node);
    snprintf(name, sizeof name, "issuer:%s", code_of(t, node));
    assert_int_equal(world_say(t->w, node, name, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), SQ_OK);
    world_run(t->w);
    t->voucher[node] = world_voucher(t->w, node, issuer, 1, t->holder[node], 90000000);
    assert_true(t->voucher[node] != 0);
}

struct trading *trading_new(uint32_t nodes, enum sq_netting_method method)
{
    struct trading *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->w = world_new(nodes, method);
    for (uint32_t i = 0; i < nodes; i++)
        open_shop(t, i);
    for (uint32_t i = 0; i < nodes; i++)
        for (uint32_t k = 0; k < nodes; k++)
            assert_int_equal(world_mandate(t->w, i, t->holder[i], t->provider[k], t->voucher[i], 10000000), SQ_OK);
    world_run(t->w);
    return t;
}

void trading_free(struct trading *t)
{
    world_free(t->w);
    free(t);
}

void trading_redeem(struct trading *t, uint32_t acquirer, uint32_t issuer, int64_t fen)
{
    char invoice[24];
    uint64_t number = t->invoices++;
    uint32_t home = (uint32_t)(number * 7 % t->w->node_count);
    snprintf(invoice, sizeof invoice, "26%.2s2%015u", code_of(t, home), (unsigned)number + 1);
    struct world_row row = {.voucher = t->voucher[issuer],
                            .amount_fen = fen,
                            .base_fen = 4 * fen,
                            .total_fen = 4 * fen,
                            .invoice = invoice,
                            .service = 1,
                            .service_day = DAY};
    assert_int_equal(world_batch(t->w, acquirer, t->provider[acquirer], &row, 1), SQ_OK);
    t->owed_fen[issuer][acquirer] += fen;
    t->items[issuer][acquirer]++;
}

unsigned trading_cut(struct trading *t, uint32_t node, uint64_t window)
{
    char name[32];
    Sanquan__V1__WindowCut m;
    sanquan__v1__window_cut__init(&m);
    m.window = window;
    snprintf(name, sizeof name, "operator:%s/li", code_of(t, node));
    return world_say(t->w, node, name, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base);
}

unsigned trading_confirm(struct trading *t, uint32_t node, uint64_t window, const char *operator_name, uint32_t role,
                         Sanquan__V1__Payment **payments, size_t count)
{
    char name[48];
    Sanquan__V1__Payment *own[64];
    Sanquan__V1__Confirm m;
    Sanquan__V1__Settlement *s = trading_settlement(t, node, window);
    sanquan__v1__confirm__init(&m);
    m.window = window;
    m.role = role;
    m.payments = payments;
    m.n_payments = count;
    if (payments == NULL) {
        m.payments = own;
        for (size_t i = 0; i < s->n_payments; i++)
            if (strcmp(s->payments[i]->payer, code_of(t, node)) == 0 ||
                strcmp(s->payments[i]->payee, code_of(t, node)) == 0)
                own[m.n_payments++] = s->payments[i];
    }
    snprintf(name, sizeof name, "operator:%s/%s", code_of(t, node), operator_name);
    unsigned status = world_say(t->w, node, name, SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base);
    sanquan__v1__settlement__free_unpacked(s, NULL);
    return status;
}

const struct sq_settlement *trading_side(const struct trading *t, uint32_t node)
{
    return sq_core_settlement(t->w->core[node]);
}

struct sq_window_view trading_window(const struct trading *t, uint32_t node, uint64_t window)
{
    struct sq_window_view v;
    assert_int_equal(sq_settlement_window(trading_side(t, node), window, &v, NULL), SQ_OK);
    return v;
}

static int is_final(const struct trading *t, uint64_t window)
{
    for (uint32_t i = 0; i < t->w->node_count; i++)
        if (!(t->w->down >> i & 1) &&
            (sq_settlement_open_window(trading_side(t, i)) <= window || trading_window(t, i, window).final_ms == 0))
            return 0;
    return 1;
}

void trading_finish(struct trading *t, uint64_t window)
{
    uint64_t began = t->w->now_ms;
    for (world_run(t->w); !is_final(t, window); world_run(t->w)) {
        t->w->now_ms += 100;
        if (t->w->now_ms - began > 600000)
            fail_msg("window %" PRIu64 " is not final after ten minutes", window);
    }
}

Sanquan__V1__Settlement *trading_settlement(const struct trading *t, uint32_t node, uint64_t window)
{
    struct sq_window_view v = trading_window(t, node, window);
    assert_true(v.state >= SQ_WINDOW_FINAL && v.value.size != 0);
    Sanquan__V1__Settlement *s = sanquan__v1__settlement__unpack(NULL, v.value.size, v.value.data);
    assert_non_null(s);
    return s;
}

void trading_agree(const struct trading *t, uint64_t window)
{
    const struct sq_window_view *first = NULL;
    struct sq_window_view v[WORLD_NODES_MAX];
    for (uint32_t i = 0; i < t->w->node_count; i++) {
        if (t->w->down >> i & 1)
            continue;
        v[i] = trading_window(t, i, window);
        assert_true(v[i].state >= SQ_WINDOW_FINAL);
        first = first != NULL ? first : &v[i];
        assert_int_equal(v[i].value.size, first->value.size);
        assert_memory_equal(v[i].value.data, first->value.data, first->value.size);
        assert_memory_equal(v[i].value_hash, first->value_hash, SQ_HASH_SIZE);
        assert_true(3 * v[i].precommits > 2 * t->w->node_count);
    }
}

const Sanquan__V1__Pair *trading_pair(const struct trading *t, const Sanquan__V1__Settlement *s, uint32_t debtor,
                                      uint32_t creditor)
{
    for (size_t i = 0; i < s->n_pairs; i++)
        if (strcmp(s->pairs[i]->debtor, code_of(t, debtor)) == 0 &&
            strcmp(s->pairs[i]->creditor, code_of(t, creditor)) == 0)
            return s->pairs[i];
    return NULL;
}

struct world_message *trading_message(const struct trading *t, uint32_t from, uint32_t to, uint32_t type)
{
    struct world_message *m = t->w->first[from][to];
    while (m != NULL && m->type != type)
        m = m->next;
    return m;
}

void trading_forge(struct world_message *m, const ProtobufCMessage *body)
{
    free(m->body);
    m->size = protobuf_c_message_get_packed_size(body);
    m->body = malloc(m->size + 1);
    assert_non_null(m->body);
    protobuf_c_message_pack(body, m->body);
}
