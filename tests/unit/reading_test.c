/* Reading a ledger: every item with its end, a voucher's life in order, and sums that are those of the settlement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/common/reading.h"
#include "proto/sanquan.pb-c.h"
#include "tests/support/desk.h"

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people home, away, guest; /* Shanghai's on its own voucher, Shanghai's on Guangdong's, Guangdong's on Shanghai's */
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    const int64_t some[] = {100, 20000, 3000000}, too_much[] = {500, 60000000};
    strcpy(s->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/sanquan-reading-XXXXXX" : "/tmp/sanquan-reading-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->d = desk_new(s->dir, 3);
    desk_people(s->d, 0, 0, 0, &s->home);
    desk_people(s->d, 0, 2, 1, &s->away);
    desk_people(s->d, 2, 0, 2, &s->guest);
    assert_int_equal(desk_redeem(s->d, &s->home, 1, some, 3), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->away, 11, too_much, 2), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->guest, 21, some, 2), SQ_OK);
    desk_settle(s->d, 1);
    assert_int_equal(desk_redeem(s->d, &s->away, 31, some, 3), SQ_OK);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    char command[128];
    desk_people_free(&s->home);
    desk_people_free(&s->away);
    desk_people_free(&s->guest);
    desk_free(s->d);
    snprintf(command, sizeof command, "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}

static struct sq_reading *open_node(const struct story *s, uint32_t node, uint64_t voucher)
{
    struct sq_reading_options o = {.path = s->d->rig->node[node].ledger, .voucher = voucher, .map_size = DESK_MAP_SIZE};
    struct sq_reading *r;
    struct sq_error err = {0};
    if (sq_reading_open(&o, &r, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return r;
}

struct sums {
    unsigned items, accepted, refused, waiting;
    int64_t fen;
    struct sq_reading_item last;
};

static sq_status add(void *ctx, const struct sq_reading_item *item, struct sq_error *err)
{
    struct sums *s = ctx;
    (void)err;
    s->items++;
    s->accepted += item->state == SQ_READING_ACCEPTED;
    s->refused += item->state == SQ_READING_REFUSED;
    s->waiting += item->state == SQ_READING_WAITS;
    s->fen += item->state == SQ_READING_ACCEPTED ? sq_reading_moves(item) : 0;
    s->last = *item;
    return SQ_OK;
}

static struct sums sum(struct sq_reading *r, struct sq_reading_filter f)
{
    struct sums s = {0};
    struct sq_error err = {0};
    if (sq_reading_items(r, &f, add, &s, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return s;
}

static void each_item_is_shown_with_its_end(void **state)
{
    struct story *s = *state;
    struct sq_reading *r = open_node(s, 0, 0);
    struct sums all = sum(r, (struct sq_reading_filter){0});
    assert_int_equal(all.items, 3 + 2 + 2 + 3);
    assert_int_equal(all.accepted, 3 + 1 + 2 + 3);
    assert_int_equal(all.refused, 1);
    assert_int_equal(all.waiting, 0);

    struct sums refused = sum(r, (struct sq_reading_filter){.refused_only = 1});
    assert_int_equal(refused.items, 1);
    assert_int_equal(refused.last.code, SQ_R_CAP_CLAIM);
    assert_true(refused.last.link == 0 && refused.last.window == 0 && refused.last.done_seq > refused.last.seq);
    assert_int_equal(sum(r, (struct sq_reading_filter){.code = SQ_R_CAP_CLAIM}).items, 1);
    assert_int_equal(sum(r, (struct sq_reading_filter){.code = SQ_R_CAP_YEAR}).items, 0);

    struct sums guest = sum(r, (struct sq_reading_filter){.roles = SQ_READING_DECIDED});
    assert_int_equal(guest.items, 2);
    assert_string_equal(guest.last.provider, strchr(s->guest.provider->name, ':') + 1);
    assert_string_equal(guest.last.holder, strchr(s->guest.holder->name, ':') + 1);
    assert_true(guest.last.acquirer == 2 && guest.last.issuer == 0 && guest.last.link == 1 && guest.last.window == 1);
    sq_reading_free(r);
}

static void filters_take_what_they_say_and_no_more(void **state)
{
    struct story *s = *state;
    struct sq_reading *r = open_node(s, 0, 0);
    assert_int_equal(sum(r, (struct sq_reading_filter){.provider = strchr(s->away.provider->name, ':') + 1}).items, 5);
    assert_int_equal(sum(r, (struct sq_reading_filter){.holder = strchr(s->home.holder->name, ':') + 1}).items, 3);
    assert_int_equal(sum(r, (struct sq_reading_filter){.voucher = s->guest.voucher}).items, 2);
    assert_int_equal(sum(r, (struct sq_reading_filter){.invoice = "26312000000000000012"}).items, 1);
    struct sums one = sum(r, (struct sq_reading_filter){.invoice = "26312000000000000031"});
    assert_int_equal(one.items, 1);
    assert_int_equal(sum(r, (struct sq_reading_filter){.batch = one.last.seq, .batch_node = 0}).items, 3);
    assert_int_equal(sum(r, (struct sq_reading_filter){.batch = one.last.seq, .batch_node = 1}).items, 0);
    assert_int_equal(sum(r, (struct sq_reading_filter){.from_ms = one.last.received_ms}).items, 3);
    assert_int_equal(sum(r, (struct sq_reading_filter){.to_ms = one.last.received_ms}).items, 7);
    sq_reading_free(r);
}

static void items_of_a_window_add_up_to_its_settlement(void **state)
{
    struct story *s = *state;
    struct sq_window_view v;
    assert_int_equal(sq_settlement_window(sq_core_settlement(s->d->core[0]), 1, &v, NULL), SQ_OK);
    Sanquan__V1__Settlement *m = sanquan__v1__settlement__unpack(NULL, v.value.size, v.value.data);
    for (uint32_t node = 0; node < 3; node += 2) {
        struct sq_reading *r = open_node(s, node, 0);
        struct sq_reading_window w;
        int64_t pairs = 0, local = 0;
        for (size_t i = 0; i < m->n_pairs; i++)
            for (size_t k = 0; k < SQ_KIND_COUNT; k++)
                if (strcmp(m->pairs[i]->debtor, s->d->rig->node[node].code) == 0 || strcmp(m->pairs[i]->creditor, s->d->rig->node[node].code) == 0)
                    pairs += m->pairs[i]->total_fen[k];
        assert_int_equal(sq_reading_window(r, 1, &w, NULL), SQ_OK);
        for (size_t k = 0; k < SQ_KIND_COUNT; k++)
            local += w.local_fen[k];
        assert_true(sum(r, (struct sq_reading_filter){.window = 1}).fen == pairs + local);
        assert_true(pairs > 0);
        sq_reading_free(r);
    }
    sanquan__v1__settlement__free_unpacked(m, NULL);
}

static void a_window_is_followed_from_cut_to_settled(void **state)
{
    struct story *s = *state;
    struct sq_reading *r = open_node(s, 0, 0);
    struct sq_reading_window w;
    assert_int_equal(sq_reading_window(r, 1, &w, NULL), SQ_OK);
    assert_int_equal(w.state, SQ_WINDOW_SETTLED);
    assert_true(w.cut.seq < w.final.seq && w.final.seq < w.instructed.seq && w.instructed.seq < w.settled.seq && w.broke.seq == 0);
    assert_true(w.local_count == 3 && w.local_fen[0] == 3020100);
    assert_int_equal(sq_reading_window(r, 2, &w, NULL), SQ_OK);
    assert_int_equal(w.state, SQ_WINDOW_OPEN);
    assert_true(w.cut.seq == 0 && w.local_count == 0);
    assert_int_equal(sq_reading_window(r, 3, &w, NULL), SQ_E_NOT_FOUND);
    struct sums open = sum(r, (struct sq_reading_filter){.window = 2});
    assert_true(open.items == 3 && open.fen == 3020100 && open.last.link == 2);
    sq_reading_free(r);
}

static void a_voucher_tells_its_life_in_order(void **state)
{
    struct story *s = *state;
    struct sq_reading *r = open_node(s, 0, s->guest.voucher);
    const struct sq_reading_life_row *life;
    assert_int_equal(sq_reading_life(r, &life), 2);
    assert_int_equal(life[0].event, SQ_READING_GRANT);
    assert_true(life[0].amount_fen == 100000000 && strcmp(life[0].party, strchr(s->guest.holder->name, ':') + 1) == 0);
    assert_int_equal(life[1].event, SQ_READING_MANDATE);
    assert_true(life[1].amount_fen == 90000000 && life[1].seq > life[0].seq);
    assert_string_equal(life[1].party, strchr(s->guest.provider->name, ':') + 1);
    assert_true(sum(r, (struct sq_reading_filter){.voucher = s->guest.voucher}).last.seq > life[1].seq);
    sq_reading_free(r);
}

static void what_waits_for_another_node_says_so(void **state)
{
    struct story *s = *state;
    struct sq_keys *provider = s->away.provider;
    Sanquan__V1__Batch m;
    uint64_t voucher = s->away.voucher;
    int64_t amount = 300, base = 1000;
    uint32_t service = 101, day = 20260901;
    uint8_t invoice[10] = {0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 0x09, 0x99};
    sanquan__v1__batch__init(&m);
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day = 1;
    m.voucher = &voucher;
    m.amount_fen = &amount;
    m.base_fen = m.invoice_total_fen = &base;
    m.service = &service;
    m.service_day = &day;
    m.invoice = (ProtobufCBinaryData){sizeof invoice, invoice};
    assert_int_equal(desk_say(s->d, 0, provider, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base), 9999); /* not answered yet */
    struct sq_reading *r = open_node(s, 0, 0);
    struct sums waiting = sum(r, (struct sq_reading_filter){.invoice = "26312000000000000999"});
    assert_true(waiting.items == 1 && waiting.waiting == 1 && waiting.last.done_seq == 0 && waiting.last.window == 0);
    sq_reading_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_item_is_shown_with_its_end, begin, end),
        cmocka_unit_test_setup_teardown(filters_take_what_they_say_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(items_of_a_window_add_up_to_its_settlement, begin, end),
        cmocka_unit_test_setup_teardown(a_window_is_followed_from_cut_to_settled, begin, end),
        cmocka_unit_test_setup_teardown(a_voucher_tells_its_life_in_order, begin, end),
        cmocka_unit_test_setup_teardown(what_waits_for_another_node_says_so, begin, end),
    };
    return cmocka_run_group_tests_name("reading", tests, NULL, NULL);
}
