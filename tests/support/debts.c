#include "tests/support/debts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/rig.h"

#define FACE_FEN 10000000000 /* 100 million yuan */

static void must(unsigned status, const char *what)
{
    if (status == SQ_OK)
        return;
    fprintf(stderr, "debts: %s: %s\n", what, sq_status_name(status));
    abort();
}

static uint32_t issuer_of(const struct debts *d, uint32_t node)
{
    return (uint32_t)strtoul(sq_core_node(d->w->core[node], node)->code, NULL, 10);
}

struct debts *debts_new(uint32_t node_count, enum sq_netting_method method)
{
    return debts_new_with(node_count, method, &(struct world_charter){0});
}

struct debts *debts_new_with(uint32_t node_count, enum sq_netting_method method, const struct world_charter *charter)
{
    struct debts *d = calloc(1, sizeof *d);
    d->w = world_new_with(node_count, method, charter);
    for (uint32_t i = 0; i < node_count; i++) {
        char name[48];
        Sanquan__V1__Programme p;
        rig_uscc(31, i + 1, d->provider[i]);
        rig_uscc(37, i + 1, d->holder[i]);
        snprintf(name, sizeof name, "provider:%s", d->provider[i]);
        must(world_enrol(d->w, i, name), "provider");
        snprintf(name, sizeof name, "holder:%s", d->holder[i]);
        must(world_enrol(d->w, i, name), "holder");
        world_programme_init(&p, issuer_of(d, i), 1);
        p.rate_bp = 10000;
        p.pool_fen = FACE_FEN * 1000;
        snprintf(name, sizeof name, "issuer:%06u", issuer_of(d, i));
        must(world_say(d->w, i, name, SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), "programme");
    }
    world_run(d->w);
    return d;
}

void debts_free(struct debts *d)
{
    world_free(d->w);
    free(d);
}

unsigned debts_owe(struct debts *d, uint32_t debtor, uint32_t creditor, int64_t fen)
{
    char invoice[21];
    uint64_t voucher = world_voucher(d->w, debtor, issuer_of(d, debtor), 1, d->holder[debtor], FACE_FEN);
    must(world_mandate(d->w, debtor, d->holder[debtor], d->provider[creditor], voucher, FACE_FEN), "mandate");
    snprintf(invoice, sizeof invoice, "2631200000%010u", ++d->invoices);
    struct world_row row = {.voucher = voucher,
                            .amount_fen = fen,
                            .base_fen = fen,
                            .total_fen = fen,
                            .invoice = invoice,
                            .service_day = 20260901};
    unsigned status = world_batch(d->w, creditor, d->provider[creditor], &row, 1);
    world_run(d->w);
    if (status == SQ_OK)
        status = d->w->answer.status;
    return status == SQ_OK && d->w->answer.code_count != 0 ? d->w->answer.code[0] : status;
}

void debts_wait(struct debts *d, uint64_t for_ms)
{
    for (uint64_t end = d->w->now_ms + for_ms; d->w->now_ms < end;) {
        d->w->now_ms += for_ms < 100 ? for_ms : 100;
        world_run(d->w);
    }
}

void debts_cut(struct debts *d, uint32_t node)
{
    char name[48];
    Sanquan__V1__WindowCut m;
    sanquan__v1__window_cut__init(&m);
    m.window = sq_settlement_open_window(sq_core_settlement(d->w->core[node]));
    snprintf(name, sizeof name, "operator:%s/li", sq_core_node(d->w->core[node], node)->code);
    must(world_say(d->w, node, name, SANQUAN__V1__MESSAGE_TYPE__WINDOW_CUT, &m.base), "cut");
    world_run(d->w);
}

Sanquan__V1__Settlement *debts_value(const struct debts *d, uint32_t node, uint64_t window)
{
    struct sq_window_view v;
    if (sq_settlement_window(sq_core_settlement(d->w->core[node]), window, &v, NULL) != SQ_OK || v.value.size == 0)
        return NULL;
    return sanquan__v1__settlement__unpack(NULL, v.value.size, v.value.data);
}

void debts_final_everywhere(const struct debts *d, uint64_t window)
{
    struct sq_window_view first, other;
    assert_int_equal(sq_settlement_window(sq_core_settlement(d->w->core[0]), window, &first, NULL), SQ_OK);
    assert_true(first.state == SQ_WINDOW_FINAL && first.value.size != 0);
    for (uint32_t i = 1; i < d->w->node_count; i++) {
        assert_int_equal(sq_settlement_window(sq_core_settlement(d->w->core[i]), window, &other, NULL), SQ_OK);
        assert_int_equal(other.value.size, first.value.size);
        assert_memory_equal(other.value.data, first.value.data, first.value.size);
    }
}
