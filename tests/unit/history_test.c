/* The history of a ledger: whatever is asked, the answer is what a plain scan of the journal finds, page for page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/history/rows.h"
#include "tests/support/readers.h"

/* ---- against the scan ---- */

/* Every page, one after another, in one order. */
static void read_pages(const struct book *b, const struct sq_filter *f, int newest_first, uint32_t page, struct list *l)
{
    struct sq_query_place place = {0};
    struct sq_error err = {0};
    int more = 1;
    l->count = 0;
    while (more) {
        uint32_t count = 0;
        if (sq_query_items(b->query, f, newest_first, &place, l->item + l->count, page, &count, &more, &err) != SQ_OK)
            fail_msg("%s", err.text);
        assert_true(count <= page && (count == page || !more));
        l->count += count;
    }
}

static void same_items(const struct sq_item *a, const struct sq_item *b)
{
    assert_memory_equal(a, b, sizeof *a);
}

static void answers_equal_the_scan(const struct book *b, const struct sq_filter *f, uint32_t page, struct list *want,
                                   struct list *got)
{
    struct sq_query_sums sums, wanted = {0};
    struct sq_error err = {0};
    scan(b, f, want);
    read_pages(b, f, 0, page, got);
    assert_int_equal(got->count, want->count);
    for (uint32_t i = 0; i < want->count; i++)
        same_items(&got->item[i], &want->item[i]);
    read_pages(b, f, 1, page, got);
    assert_int_equal(got->count, want->count);
    for (uint32_t i = 0; i < want->count; i++)
        same_items(&got->item[i], &want->item[want->count - 1 - i]);
    assert_int_equal(sq_query_sum(b->query, f, &sums, &err), SQ_OK);
    for (uint32_t i = 0; i < want->count; i++) {
        wanted.count[want->item[i].state]++;
        wanted.amount_fen[want->item[i].state] +=
            want->item[i].amount_fen; /* only redemptions here: none is negative */
    }
    for (int k = SQ_ITEM_ACCEPTED; k <= SQ_ITEM_WAITING; k++) {
        assert_int_equal(sums.count[k], wanted.count[k]);
        assert_int_equal(sums.amount_fen[k], wanted.amount_fen[k]);
    }
}

/* A filter of some conditions, taken from an item that is there; or each from another, which they may exclude together. */
static struct sq_filter some_filter(struct dice *dice, const struct list *all)
{
    struct sq_filter f = {.life = (int)dice_below(dice, 2)};
    int of_one = dice_below(dice, 3) != 0;
    const struct sq_item *item = &all->item[dice_below(dice, all->count)];
    for (unsigned i = 1 + dice_below(dice, 3); i > 0; i--) {
        if (!of_one)
            item = &all->item[dice_below(dice, all->count)];
        switch (dice_below(dice, 16)) {
        case 0:
            f.voucher = item->voucher;
            break;
        case 1:
            f.batch = item->batch;
            break;
        case 2:
            f.window = 1 + dice_below(dice, 5);
            break;
        case 3:
            strcpy(f.holder, item->holder);
            break;
        case 4:
            strcpy(f.provider, item->provider);
            break;
        case 5:
            memcpy(f.invoice, item->invoice, 10);
            break;
        case 6:
            f.issuer = (uint32_t)(item->voucher / 10000000000000u);
            break;
        case 7:
            f.programme = (uint32_t)(item->voucher / 1000000000u % 10000u);
            break;
        case 8:
            f.kind = item->kind;
            break;
        case 9:
            f.code = item->code;
            break;
        case 10:
            strcpy(f.debtor, item->debtor);
            break;
        case 11:
            strcpy(f.creditor, item->creditor);
            break;
        case 12:
            strcpy(f.region, item->debtor);
            break;
        case 13:
            f.state = (enum sq_item_state)(SQ_ITEM_ACCEPTED + dice_below(dice, 3));
            break;
        case 14:
            f.least_fen = dice_below(dice, 30000);
            f.most_fen = f.least_fen + dice_below(dice, 30000);
            break;
        default:
            f.from_ms = item->now_ms;
            f.until_ms = item->now_ms + 1 + dice_below(dice, 60000);
            break;
        }
    }
    return f;
}

static void any_combination_of_conditions_finds_what_a_scan_finds(void **state)
{
    struct story *s = *state;
    struct list *all = malloc(sizeof *all), *want = malloc(sizeof *want), *got = malloc(sizeof *got);
    const struct sq_filter everything = {.life = 1};
    for (int window = 0; window < 3; window++) {
        trade(s, 40);
        desk_settle(s->d, window == 0);
    }
    trade(s, 20);
    for (uint32_t node = 0; node < 3; node++) {
        struct book b;
        open_book(s, node, 50, 0, &b);
        assert_true(sq_history_run_count(b.history) > 3);
        scan(&b, &everything, all);
        answers_equal_the_scan(&b, &everything, 13, want, got);
        unsigned empty = 0;
        for (int i = 0; i < 400; i++) {
            struct sq_filter f = some_filter(&s->dice, all);
            answers_equal_the_scan(&b, &f, 1 + dice_below(&s->dice, 20), want, got);
            empty += want->count == 0;
        }
        assert_true(empty < 300); /* most questions have an answer */
        close_book(&b);
    }
    free(all);
    free(want);
    free(got);
}

/* ---- against the core ---- */

static void fates_are_those_that_the_core_decided(void **state)
{
    struct story *s = *state;
    struct list *l = malloc(sizeof *l);
    trade(s, 60);
    desk_settle(s->d, 0);
    trade(s, 10);
    for (uint32_t node = 0; node < 3; node++) {
        struct book b;
        struct sq_core_totals t;
        struct sq_filter mine = {0}, decided = {.state = SQ_ITEM_ACCEPTED};
        uint64_t refused[256] = {0};
        open_book(s, node, 0, 0, &b);
        sq_core_totals(s->d->core[node], &t);
        strcpy(mine.creditor, s->d->rig->node[node].code);
        scan(&b, &mine, l);
        assert_int_equal(l->count, t.items_received);
        uint64_t accepted = 0;
        for (uint32_t i = 0; i < l->count; i++) {
            assert_true(l->item[i].state != SQ_ITEM_WAITING);
            accepted += l->item[i].state == SQ_ITEM_ACCEPTED;
            refused[l->item[i].code]++;
        }
        assert_int_equal(accepted, t.items_accepted);
        for (unsigned code = 1; code < 256; code++)
            assert_int_equal(refused[code], t.refused_by_code[code]);

        /* What each link has since its settlement is what the items say that no final window covers. */
        for (uint32_t creditor = 0; creditor < 3; creditor++) {
            struct sq_link_view link;
            uint64_t count = 0;
            int64_t fen = 0, want = 0;
            strcpy(decided.debtor, s->d->rig->node[node].code);
            strcpy(decided.creditor, s->d->rig->node[creditor].code);
            scan(&b, &decided, l);
            for (uint32_t i = 0; i < l->count; i++)
                if (!l->item[i].is_final) {
                    assert_int_equal(l->item[i].window, 2);
                    count++;
                    fen += l->item[i].amount_fen;
                }
            sq_settlement_link(sq_core_settlement(s->d->core[node]), node, creditor, &link);
            for (size_t k = 0; k < SQ_KIND_COUNT; k++)
                want += link.last.total_fen[k];
            assert_int_equal(count, link.last.count);
            assert_int_equal(fen, want);
        }
        close_book(&b);
    }
    free(l);
}

static void a_vouchers_life_begins_with_its_grant(void **state)
{
    struct story *s = *state;
    struct book b;
    struct sq_item item[64];
    struct sq_query_place place = {0};
    struct sq_filter f = {.voucher = s->p[0].voucher, .life = 1};
    uint32_t count;
    int more;
    trade(s, 30);
    open_book(s, 0, 0, 0, &b);
    assert_int_equal(sq_query_items(b.query, &f, 0, &place, item, 64, &count, &more, NULL), SQ_OK);
    assert_true(count > 3);
    assert_int_equal(item[0].state, SQ_ITEM_GRANTED);
    assert_int_equal(item[1].state, SQ_ITEM_MANDATED);
    assert_string_equal(item[0].holder, strchr(s->p[0].holder->name, ':') + 1);
    assert_string_equal(item[1].provider, strchr(s->p[0].provider->name, ':') + 1);
    assert_true(item[0].amount_fen == 100000000 && item[1].amount_fen == 90000000 && item[0].seq < item[1].seq);
    assert_true(item[0].until > 20260000 && item[0].until < 21000000 && item[1].until > s->d->now_ms);
    for (uint32_t i = 2; i < count; i++) {
        assert_string_equal(item[i].holder, item[0].holder);
        assert_true(item[i].seq >= item[i - 1].seq);
    }
    close_book(&b);
}

/* ---- a short story with known numbers ---- */

struct sums {
    unsigned items, accepted, refused, waiting;
    struct sq_item last;
};

static sq_status count(void *ctx, const struct sq_item *item, struct sq_error *err)
{
    struct sums *s = ctx;
    (void)err;
    s->items++;
    s->accepted += item->state == SQ_ITEM_ACCEPTED;
    s->refused += item->state == SQ_ITEM_REFUSED;
    s->waiting += item->state == SQ_ITEM_WAITING;
    s->last = *item;
    return SQ_OK;
}

static struct sums find(const struct book *b, struct sq_filter f)
{
    struct sums s = {0};
    struct sq_error err = {0};
    if (sq_query_scan(b->query, &f, count, &s, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return s;
}

/* Shanghai's provider on its own voucher and, once too much, on Guangdong's; Guangdong's on Shanghai's; a window; Shanghai's again. */
static void short_story(struct story *s)
{
    const int64_t some[] = {100, 20000, 3000000}, too_much[] = {500, 60000000};
    assert_int_equal(desk_redeem(s->d, &s->p[0], 1, some, 3), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->p[1], 11, too_much, 2), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->p[2], 21, some, 2), SQ_OK);
    desk_settle(s->d, 1);
    assert_int_equal(desk_redeem(s->d, &s->p[1], 31, some, 3), SQ_OK);
}

static void each_item_is_shown_with_its_end(void **state)
{
    struct story *s = *state;
    struct book b;
    short_story(s);
    open_book(s, 0, 0, 0, &b);
    struct sums all = find(&b, (struct sq_filter){0});
    assert_true(all.items == 3 + 2 + 2 + 3 && all.accepted == 3 + 1 + 2 + 3 && all.refused == 1 && all.waiting == 0);

    struct sums refused = find(&b, (struct sq_filter){.state = SQ_ITEM_REFUSED});
    assert_int_equal(refused.items, 1);
    assert_int_equal(refused.last.code, SQ_R_CAP_CLAIM);
    assert_true(refused.last.link == 0 && refused.last.decided_seq > refused.last.seq &&
                refused.last.decided_ms >= refused.last.now_ms);
    assert_int_equal(find(&b, (struct sq_filter){.code = SQ_R_CAP_YEAR}).items, 0);

    struct sums guest = find(&b, (struct sq_filter){.creditor = "440000"});
    assert_int_equal(guest.items, 2);
    assert_true(guest.last.type == SANQUAN__V1__MESSAGE_TYPE__CLEAR && guest.last.link == 1 && guest.last.window == 1 &&
                guest.last.is_final);
    assert_true(guest.last.decided_seq == guest.last.seq && guest.last.decided_ms == guest.last.now_ms);
    struct sums open = find(&b, (struct sq_filter){.window = 2});
    assert_true(open.items == 3 && open.last.link == 2 && !open.last.is_final);
    close_book(&b);
}

/* One redemption of 300 fen on an invoice of this province (two digits, as they look); not delivered yet. */
static void say_amount(struct story *s, const struct desk_people *p, unsigned province, uint8_t number, int64_t amount)
{
    Sanquan__V1__Batch m;
    uint64_t voucher = p->voucher;
    int64_t base = 1000;
    uint32_t service = 101, day = 20260901;
    uint8_t invoice[10] = {0x26, (uint8_t)province, 0x20, 0, 0, 0, 0, 0, 0x09, number};
    sanquan__v1__batch__init(&m);
    m.n_voucher = m.n_amount_fen = m.n_base_fen = m.n_invoice_total_fen = m.n_service = m.n_service_day = 1;
    m.voucher = &voucher;
    m.amount_fen = &amount;
    m.base_fen = m.invoice_total_fen = &base;
    m.service = &service;
    m.service_day = &day;
    m.invoice = (ProtobufCBinaryData){sizeof invoice, invoice};
    assert_int_equal(desk_say(s->d, p->home, p->provider, SANQUAN__V1__MESSAGE_TYPE__BATCH, &m.base),
                     9999); /* not answered yet */
}

static void say_one(struct story *s, const struct desk_people *p, unsigned province, uint8_t number)
{
    say_amount(s, p, province, number, 300);
}

static void what_waits_for_another_node_says_so(void **state)
{
    struct story *s = *state;
    struct book b;
    const struct sq_filter one = {.invoice = {0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 0x09, 0x99}};
    say_one(s, &s->p[1], 0x31, 0x99);
    open_book(s, 0, 0, 0, &b);
    struct sums found = find(&b, one);
    assert_true(found.items == 1 && found.waiting == 1 && found.last.decided_seq == 0 && found.last.decided_ms == 0 &&
                found.last.window == 0);
    close_book(&b);
    desk_run(s->d);
    open_book(s, 0, 0, 0, &b);
    found = find(&b, one);
    assert_true(found.accepted == 1 && found.last.decided_seq > found.last.seq && found.last.link == 1);
    close_book(&b);
}

/* An invoice's home is its region's node, which sees the claims of other nodes' providers on it. */
static void claims_on_an_invoice_are_shown_to_who_asks(void **state)
{
    struct story *s = *state;
    struct book b;
    struct sq_query_sums sums;
    struct sq_filter wide = {.claims = 1},
                     one = {.claims = 1, .invoice = {0x26, 0x37, 0x20, 0, 0, 0, 0, 0, 0x09, 0x01}};
    struct list *want = malloc(sizeof *want), *got = malloc(sizeof *got);
    short_story(s);
    say_one(s, &s->p[0], 0x37, 0x01); /* Shanghai's provider, Shanghai's voucher, an invoice of Shandong */
    desk_run(s->d);
    open_book(s, 1, 0, 0, &b);
    assert_int_equal(find(&b, (struct sq_filter){0}).items, 0);
    struct sums found = find(&b, one);
    assert_true(found.items == 1 && found.accepted == 1 && found.last.type == SANQUAN__V1__MESSAGE_TYPE__REGISTER &&
                found.last.amount_fen == 300);
    assert_true(found.last.decided_seq == found.last.seq && found.last.link == 0 && found.last.window == 0 &&
                !found.last.is_final);
    assert_string_equal(found.last.provider, strchr(s->p[0].provider->name, ':') + 1);
    assert_string_equal(found.last.creditor, "310000");
    for (unsigned i = 0; i < 5; i++) { /* whatever they are looked up by */
        struct sq_filter f = wide;
        if (i == 1)
            strcpy(f.provider, found.last.provider);
        else if (i == 2)
            f.voucher = found.last.voucher;
        else if (i == 3)
            f.batch = found.last.batch;
        else if (i == 4)
            f = one;
        scan(&b, &f, want);
        read_pages(&b, &f, 0, 2, got);
        assert_int_equal(want->count, 1);
        assert_int_equal(got->count, 1);
        same_items(&got->item[0], &want->item[0]);
    }
    assert_int_equal(sq_query_sum(b.query, &wide, &sums, NULL), SQ_OK);
    assert_true(sums.claims == 1 && sums.count[SQ_ITEM_ACCEPTED] == 0 && sums.amount_fen[SQ_ITEM_ACCEPTED] == 0);
    close_book(&b);
    open_book(s, 0, 0, 0, &b);
    assert_int_equal(sq_query_sum(b.query, &wide, &sums, NULL), SQ_OK);
    assert_true(sums.claims == 0 && sums.refused_by_code[SQ_R_CAP_CLAIM] == 1 && sums.count[SQ_ITEM_REFUSED] == 1);
    close_book(&b);
    free(want);
    free(got);
}

static void a_claim_that_its_issuer_refuses_is_shown_with_its_end(void **state)
{
    struct story *s = *state;
    struct book b;
    struct sq_query_sums sums;
    struct sq_filter one = {.claims = 1, .invoice = {0x26, 0x37, 0x20, 0, 0, 0, 0, 0, 0x09, 0x02}};
    struct list *want = malloc(sizeof *want), *got = malloc(sizeof *got);
    say_amount(s, &s->p[0], 0x37, 0x02, 900); /* more than the rate gives of a base of 1000 */
    desk_run(s->d);
    open_book(s, 1, 0, 0, &b);
    struct sums found = find(&b, one);
    assert_true(found.items == 2 && found.last.type == SANQUAN__V1__MESSAGE_TYPE__UNREGISTER);
    assert_true(found.last.end == SQ_CLAIM_REFUSED && found.last.verb == SANQUAN__V1__VERB__REDEEM &&
                found.last.amount_fen == 900 && found.last.base_fen == 1000 && found.last.voucher == s->p[0].voucher);
    assert_string_equal(found.last.provider, strchr(s->p[0].provider->name, ':') + 1);
    scan(&b, &one, want);
    read_pages(&b, &one, 0, 1, got);
    assert_true(want->count == 2 && got->count == 2);
    same_items(&got->item[1], &want->item[1]);
    assert_int_equal(sq_query_sum(b.query, &one, &sums, NULL), SQ_OK);
    assert_true(sums.claims == 1); /* one claim, whatever became of it */
    one.claims = 0;
    assert_int_equal(find(&b, one).items, 0);
    close_book(&b);
    free(want);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_combination_of_conditions_finds_what_a_scan_finds, begin, end),
        cmocka_unit_test_setup_teardown(fates_are_those_that_the_core_decided, begin, end),
        cmocka_unit_test_setup_teardown(a_vouchers_life_begins_with_its_grant, begin, end),
        cmocka_unit_test_setup_teardown(each_item_is_shown_with_its_end, begin, end),
        cmocka_unit_test_setup_teardown(what_waits_for_another_node_says_so, begin, end),
        cmocka_unit_test_setup_teardown(claims_on_an_invoice_are_shown_to_who_asks, begin, end),
        cmocka_unit_test_setup_teardown(a_claim_that_its_issuer_refuses_is_shown_with_its_end, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
