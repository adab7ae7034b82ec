/* Regions that join, are suspended, default and leave: agreed on by two thirds, in force at once everywhere, between windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/debts.h"

#define SH 0u
#define SD 1u
#define GD 2u
#define CQ 3u

static int begin(void **state)
{
    *state = debts_new(4, SQ_NET_HUB);
    return 0;
}

static int end(void **state)
{
    debts_free(*state);
    return 0;
}

static const char *code_of(const struct debts *d, uint32_t node)
{
    return sq_core_node(d->w->core[node], node)->code;
}
static const struct sq_settlement *at(const struct debts *d, uint32_t node)
{
    return sq_core_settlement(d->w->core[node]);
}

static unsigned say_standing(struct debts *d, uint32_t node, const char *person, uint32_t role, uint32_t about,
                             uint32_t standing, uint64_t unpaid)
{
    char name[48], code[8], reason[] = "resolution 7";
    Sanquan__V1__Standing m;
    sanquan__v1__standing__init(&m);
    snprintf(name, sizeof name, "operator:%s/%s", code_of(d, node), person);
    snprintf(code, sizeof code, "%s", code_of(d, about));
    m.node = code;
    m.standing = standing;
    m.unpaid_window = unpaid;
    m.reason = reason;
    m.role = role;
    return world_say(d->w, node, name, SANQUAN__V1__MESSAGE_TYPE__STANDING, &m.base);
}

/* Both operators of these nodes want it. */
static void want(struct debts *d, const uint32_t *nodes, size_t count, uint32_t about, uint32_t standing,
                 uint64_t unpaid)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(say_standing(d, nodes[i], "li", 1, about, standing, unpaid), SQ_OK);
        assert_int_equal(say_standing(d, nodes[i], "zhang", 2, about, standing, unpaid), SQ_OK);
    }
    world_run(d->w);
}

static const uint32_t three[3] = {SH, GD, CQ};

static void is_everywhere(const struct debts *d, uint32_t about, uint32_t standing)
{
    for (uint32_t i = 0; i < d->w->node_count; i++)
        assert_int_equal(sq_settlement_standing(at(d, i), about), standing);
}

static void the_same_value_everywhere(const struct debts *d, uint64_t window)
{
    struct sq_window_view first, other;
    assert_int_equal(sq_settlement_window(at(d, 0), window, &first, NULL), SQ_OK);
    assert_true(first.value.size != 0);
    for (uint32_t i = 1; i < d->w->node_count; i++) {
        assert_int_equal(sq_settlement_window(at(d, i), window, &other, NULL), SQ_OK);
        assert_int_equal(other.value.size, first.value.size);
        assert_memory_equal(other.value.data, first.value.data, first.value.size);
    }
}

/* ---- standing ---- */

static void a_change_takes_two_people_a_node_two_thirds_of_the_nodes_and_the_end_of_a_window(void **state)
{
    struct debts *d = *state;
    assert_int_equal(say_standing(d, SH, "zhang", 2, SD, SQ_REGION_SUSPENDED, 0), SQ_R_NOT_ENTERED);
    assert_int_equal(say_standing(d, SH, "li", 1, SD, SQ_REGION_ACTIVE, 0), SQ_R_STANDING); /* it is */
    assert_int_equal(say_standing(d, SH, "li", 1, SD, SQ_REGION_SUSPENDED, 1), SQ_R_STANDING);
    assert_int_equal(say_standing(d, SH, "li", 1, SD, SQ_REGION_SUSPENDED, 0), SQ_OK);
    assert_int_equal(say_standing(d, SH, "li", 2, SD, SQ_REGION_SUSPENDED, 0), SQ_R_SAME_PERSON);
    assert_int_equal(say_standing(d, SH, "zhang", 2, SD, SQ_REGION_CLOSED, 0), SQ_R_NOT_ENTERED);
    assert_int_equal(say_standing(d, SH, "zhang", 2, SD, SQ_REGION_SUSPENDED, 0), SQ_OK);
    want(d, (const uint32_t[]){GD}, 1, SD, SQ_REGION_SUSPENDED, 0);
    debts_cut(d, SH);
    is_everywhere(d, SD, SQ_REGION_ACTIVE); /* two of four are not more than two thirds */
    want(d, (const uint32_t[]){CQ}, 1, SD, SQ_REGION_SUSPENDED, 0);
    is_everywhere(d, SD, SQ_REGION_ACTIVE); /* and the window goes on as it began */
    struct sq_region_view v;
    sq_settlement_region(at(d, SD), SD, &v);
    assert_true(v.wanted == SQ_REGION_SUSPENDED && v.wanted_by == 3);
    debts_cut(d, SH);
    is_everywhere(d, SD, SQ_REGION_SUSPENDED);
    the_same_value_everywhere(d, 2);
    sq_settlement_region(at(d, SD), SD, &v);
    assert_true(v.since_window == 2 && v.wanted == 0);
    debts_cut(d, SH);
    is_everywhere(d, SD, SQ_REGION_SUSPENDED); /* old wishes change nothing more */
    want(d, three, 3, SD, SQ_REGION_ACTIVE, 0);
    debts_cut(d, SH);
    is_everywhere(d, SD, SQ_REGION_ACTIVE);
}

static void a_suspended_region_owes_nothing_new_while_credits_and_returns_go_through(void **state)
{
    struct debts *d = *state;
    uint64_t voucher = world_voucher(d->w, SD, 370000, 1, d->holder[SD], 100000);
    assert_int_equal(world_mandate(d->w, SD, d->holder[SD], d->provider[SH], voucher, 100000), SQ_OK);
    struct world_row row = {.voucher = voucher,
                            .amount_fen = 700,
                            .base_fen = 700,
                            .total_fen = 700,
                            .invoice = "26312999900000000001",
                            .service_day = 20260901};
    assert_int_equal(world_batch(d->w, SH, d->provider[SH], &row, 1), SQ_OK);
    world_run(d->w);
    want(d, three, 3, SD, SQ_REGION_SUSPENDED, 0);
    debts_cut(d, SH);
    is_everywhere(d, SD, SQ_REGION_SUSPENDED);
    assert_int_equal(debts_owe(d, SD, SH, 100), SQ_R_REGION_STANDING);
    assert_int_equal(debts_owe(d, SH, SD, 200), SQ_OK);
    assert_int_equal(debts_owe(d, SD, SD, 300), SQ_OK); /* its own business */
    row.verb = SANQUAN__V1__VERB__RETURN;
    row.amount_fen = row.base_fen = 300;
    assert_int_equal(world_batch(d->w, SH, d->provider[SH], &row, 1), SQ_OK);
    world_run(d->w);
    assert_int_equal(d->w->answer.status, SQ_OK);
    assert_int_equal(d->w->answer.amount_fen, -300);
    debts_cut(d, SH);
    the_same_value_everywhere(d, 2);
}

static void the_issuers_node_refuses_too_when_an_acquirer_has_not_heard(void **state)
{
    struct debts *d = *state;
    want(d, three, 3, SD, SQ_REGION_SUSPENDED, 0);
    debts_cut(d, SH);
    /* Guangdong's node asks as if it knew of nothing. */
    uint64_t voucher = world_voucher(d->w, SD, 370000, 1, d->holder[SD], 100000);
    int64_t amount = 100, total = 100;
    uint32_t zero = 0, day = 20260901;
    uint8_t invoice[10] = {0x26, 0x44, 0x29, 0x99};
    char provider[19];
    Sanquan__V1__Batch items;
    Sanquan__V1__Clear m;
    sanquan__v1__batch__init(&items);
    sanquan__v1__clear__init(&m);
    memcpy(provider, d->provider[GD], sizeof provider);
    items.voucher = &voucher;
    items.amount_fen = items.base_fen = &amount;
    items.invoice_total_fen = &total;
    items.invoice = (ProtobufCBinaryData){10, invoice};
    items.service = &zero;
    items.service_day = &day;
    items.n_voucher = items.n_amount_fen = items.n_base_fen = items.n_invoice_total_fen = items.n_service =
        items.n_service_day = 1;
    m.batch = 9;
    m.provider = provider;
    m.expires_at_ms = d->w->now_ms + 1000;
    m.received_at_ms = d->w->now_ms;
    m.row = &zero;
    m.n_row = 1;
    m.items = &items;
    world_say(d->w, SD, "node:440000", SANQUAN__V1__MESSAGE_TYPE__CLEAR, &m.base);
    struct world_message *answer = d->w->last[SD][GD];
    assert_non_null(answer);
    Sanquan__V1__Decided *decided = sanquan__v1__decided__unpack(NULL, answer->size, answer->body);
    assert_non_null(decided);
    assert_int_equal(decided->code.data[0], SQ_R_REGION_STANDING);
    sanquan__v1__decided__free_unpacked(decided, NULL);
}

static void a_region_joins_between_windows_and_leaves_for_ever(void **state)
{
    (void)state;
    struct debts *d = debts_new_with(4, SQ_NET_HUB, &(struct world_charter){.enrolled_node = SD + 1});
    is_everywhere(d, SD, SQ_REGION_ENROLLED);
    assert_int_equal(debts_owe(d, SD, SH, 100), SQ_R_REGION_STANDING);
    assert_int_equal(debts_owe(d, SH, SD, 100), SQ_R_REGION_STANDING);
    want(d, three, 3, SD, SQ_REGION_ACTIVE, 0);
    debts_cut(d, SH);
    assert_int_equal(debts_owe(d, SD, SH, 100), SQ_OK);
    want(d, three, 3, SD, SQ_REGION_CLOSED, 0);
    debts_cut(d, SH); /* what it owes is settled in the window that closes it */
    is_everywhere(d, SD, SQ_REGION_CLOSED);
    Sanquan__V1__Settlement *v = debts_value(d, SH, 2);
    assert_int_equal(v->n_pairs, 1);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    assert_int_equal(debts_owe(d, SH, SD, 100), SQ_R_REGION_STANDING);
    assert_int_equal(say_standing(d, SH, "li", 1, SD, SQ_REGION_ACTIVE, 0), SQ_R_STANDING);
    debts_free(d);
}

static void a_proposer_cannot_change_what_two_thirds_do_not_want(void **state)
{
    struct debts *d = *state;
    debts_owe(d, SH, SD, 100);
    /* Shandong, proposer of round 0 of window 1, proposes a value that suspends Shanghai, and settles nothing. */
    Sanquan__V1__Settlement v;
    Sanquan__V1__StandingChange change, *changes[1] = {&change};
    Sanquan__V1__Proposal p;
    char code[8] = "310000";
    uint8_t bytes[64], hash[SQ_HASH_SIZE], pairs[2] = {0};
    ProtobufCBinaryData part = {SQ_HASH_SIZE, hash};
    sanquan__v1__settlement__init(&v);
    sanquan__v1__standing_change__init(&change);
    sanquan__v1__proposal__init(&p);
    change.node = code;
    change.standing = SQ_REGION_SUSPENDED;
    v.window = 1;
    v.method = SQ_NET_HUB;
    v.changes = changes;
    v.n_changes = 1;
    p.size = sanquan__v1__settlement__pack(&v, bytes);
    sq_sha256(bytes, p.size, hash);
    p.window = 1;
    p.value = &v;
    p.pairs = (ProtobufCBinaryData){sizeof pairs, pairs};
    p.parts = &part;
    p.n_parts = 1;
    for (uint32_t node = 0; node < 4; node++)
        if (node != SD)
            assert_int_equal(world_say(d->w, node, "node:370000", SANQUAN__V1__MESSAGE_TYPE__PROPOSAL, &p.base), SQ_OK);
    debts_cut(d, SH);
    debts_wait(d, 60000); /* round 0 is lost, the next proposer is honest */
    for (uint32_t node = 0; node < 4; node++) {
        if (node == SD)
            continue;
        Sanquan__V1__Settlement *agreed = debts_value(d, node, 1);
        assert_non_null(agreed);
        assert_int_equal(agreed->n_changes, 0);
        assert_int_equal(sq_settlement_standing(at(d, node), SH), SQ_REGION_ACTIVE);
        sanquan__v1__settlement__free_unpacked(agreed, NULL);
    }
}

/* ---- default before finality ---- */

static void a_window_under_review_is_recast_without_a_region_that_defaults(void **state)
{
    (void)state;
    struct debts *d = debts_new_with(4, SQ_NET_HUB, &(struct world_charter){.review_ms = 60000});
    assert_int_equal(debts_owe(d, SD, SH, 1000), SQ_OK);
    assert_int_equal(debts_owe(d, SH, GD, 300), SQ_OK);
    debts_cut(d, SH);
    struct sq_window_view w;
    assert_int_equal(sq_settlement_window(at(d, GD), 1, &w, NULL), SQ_OK);
    assert_int_equal(w.state, SQ_WINDOW_STATED);
    debts_wait(d, 30000);
    want(d, three, 3, SD, SQ_REGION_DEFAULTED, 0);
    debts_wait(d, 31000);
    the_same_value_everywhere(d, 1);
    is_everywhere(d, SD, SQ_REGION_DEFAULTED);
    Sanquan__V1__Settlement *v = debts_value(d, CQ, 1);
    assert_int_equal(v->n_pairs, 1);
    assert_string_equal(v->pairs[0]->debtor, "310000");
    assert_int_equal(v->recast_of.len, SQ_HASH_SIZE);
    assert_int_equal(v->n_changes, 1);
    assert_int_equal(v->n_losses, 0);
    uint8_t recast_of[SQ_HASH_SIZE];
    memcpy(recast_of, v->recast_of.data, sizeof recast_of);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    debts_free(d);
    /* The hash is that of the window as it would have been: the same business without a default. */
    d = debts_new_with(4, SQ_NET_HUB, &(struct world_charter){.review_ms = 60000});
    debts_owe(d, SD, SH, 1000);
    debts_owe(d, SH, GD, 300);
    debts_cut(d, SH);
    debts_wait(d, 61000);
    assert_int_equal(sq_settlement_window(at(d, GD), 1, &w, NULL), SQ_OK);
    assert_memory_equal(w.value_hash, recast_of, sizeof recast_of);
    debts_free(d);
}

/* ---- default after finality ---- */

static unsigned confirm(struct debts *d, uint32_t node, uint64_t window, const char *person, uint32_t role,
                        const Sanquan__V1__Payment *payments, size_t count)
{
    Sanquan__V1__Payment copy[4], *list[4];
    Sanquan__V1__Confirm m;
    char name[48];
    sanquan__v1__confirm__init(&m);
    for (size_t i = 0; i < count; i++) {
        copy[i] = payments[i];
        list[i] = &copy[i];
    }
    snprintf(name, sizeof name, "operator:%s/%s", code_of(d, node), person);
    m.window = window;
    m.role = role;
    m.payments = list;
    m.n_payments = count;
    return world_say(d->w, node, name, SANQUAN__V1__MESSAGE_TYPE__CONFIRM, &m.base);
}

static Sanquan__V1__Payment payment(char *payer, char *payee, int64_t fen)
{
    Sanquan__V1__Payment p;
    sanquan__v1__payment__init(&p);
    p.kind = 1;
    p.payer = payer;
    p.payee = payee;
    p.amount_fen = fen;
    return p;
}

static void losses_are(const struct debts *d, uint64_t window, const char *expected)
{
    char text[400] = "";
    Sanquan__V1__Settlement *v = debts_value(d, CQ, window);
    assert_non_null(v);
    for (size_t i = 0; i < v->n_losses; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s>%s %lld; ", v->losses[i]->payer,
                 v->losses[i]->payee, (long long)v->losses[i]->amount_fen);
    sanquan__v1__settlement__free_unpacked(v, NULL);
    assert_string_equal(text, expected);
}

/* Shandong owes Shanghai 1000 and Guangdong 500, Chongqing owes Shandong 200: it has to pay 1300 into the settlement account. */
static void owe_a_window(struct debts *d)
{
    assert_int_equal(debts_owe(d, SD, SH, 1000), SQ_OK);
    assert_int_equal(debts_owe(d, SD, GD, 500), SQ_OK);
    assert_int_equal(debts_owe(d, CQ, SD, 200), SQ_OK);
    debts_cut(d, SH);
}

static char sd[] = "370000", sh[] = "310000", cq[] = "500000", hub[] = "hub";

static void survivors_pay_in_proportion_to_what_they_were_owed_to_the_fen(void **state)
{
    struct debts *d = *state;
    owe_a_window(d);
    assert_int_equal(say_standing(d, SH, "li", 1, CQ, SQ_REGION_DEFAULTED, 2), SQ_R_STANDING); /* it is not final */
    assert_int_equal(say_standing(d, SH, "li", 1, GD, SQ_REGION_DEFAULTED, 1),
                     SQ_R_STANDING); /* it has nothing to pay */
    want(d, three, 3, SD, SQ_REGION_DEFAULTED, 1);
    debts_cut(d, SH);
    the_same_value_everywhere(d, 2);
    is_everywhere(d, SD, SQ_REGION_DEFAULTED);
    losses_are(
        d, 2,
        "310000>hub 867; 440000>hub 433; "); /* 1300 x 2/3 and 1/3: 866 + 433, and the fen left over to the first */
    struct sq_window_view w;
    assert_int_equal(sq_settlement_window(at(d, SD), 1, &w, NULL), SQ_OK);
    assert_int_equal(w.state, SQ_WINDOW_DEFAULTED);
    const Sanquan__V1__Payment own = payment(sd, hub, 1300);
    assert_int_equal(confirm(d, SD, 1, "li", 1, &own, 1), SQ_R_WINDOW_STATE);
    /* Shanghai's first window is paid as it was agreed; its share is a payment of the second. */
    const Sanquan__V1__Payment first = payment(hub, sh, 1000), shared = payment(sh, hub, 867),
                               wrong = payment(sh, hub, 866);
    assert_int_equal(confirm(d, SH, 1, "li", 1, &first, 1), SQ_OK);
    assert_int_equal(confirm(d, SH, 1, "zhang", 2, &first, 1), SQ_OK);
    assert_int_equal(confirm(d, SH, 2, "li", 1, NULL, 0), SQ_R_CONFIRM_DIFFERS);
    assert_int_equal(confirm(d, SH, 2, "li", 1, &wrong, 1), SQ_R_CONFIRM_DIFFERS);
    assert_int_equal(confirm(d, SH, 2, "li", 1, &shared, 1), SQ_OK);
    assert_int_equal(confirm(d, SH, 2, "zhang", 2, &shared, 1), SQ_OK);
    assert_int_equal(say_standing(d, SH, "li", 1, SD, SQ_REGION_DEFAULTED, 1), SQ_R_STANDING); /* once */
    assert_int_equal(debts_owe(d, SD, SH, 1), SQ_R_REGION_STANDING);
    assert_int_equal(debts_owe(d, SH, SD, 1), SQ_R_REGION_STANDING);
}

static void the_guarantee_fund_pays_first_and_only_as_far_as_it_reaches(void **state)
{
    (void)state;
    struct debts *d =
        debts_new_with(4, SQ_NET_HUB, &(struct world_charter){.loss_rule = SQ_LOSS_FUND, .guarantee_fen = 1000});
    owe_a_window(d);
    want(d, three, 3, SD, SQ_REGION_DEFAULTED, 1);
    debts_cut(d, SH);
    losses_are(d, 2, "fund:370000>hub 1000; 310000>hub 200; 440000>hub 100; ");
    struct sq_region_view v;
    for (uint32_t i = 0; i < 4; i++) {
        sq_settlement_region(at(d, i), SD, &v);
        assert_int_equal(v.guarantee_fen, 0);
    }
    debts_free(d);
}

static void without_a_settlement_account_the_loss_lies_where_it_falls(void **state)
{
    (void)state;
    struct debts *d = debts_new(4, SQ_NET_BILATERAL);
    owe_a_window(d);
    want(d, three, 3, SD, SQ_REGION_DEFAULTED, 1);
    debts_cut(d, SH);
    losses_are(d, 2, "");
    assert_int_equal(confirm(d, SH, 1, "li", 1, NULL, 0), SQ_OK); /* nothing came, and nothing is expected any more */
    assert_int_equal(confirm(d, SH, 1, "zhang", 2, NULL, 0), SQ_OK);
    const Sanquan__V1__Payment own = payment(cq, sd, 200);
    assert_int_equal(confirm(d, CQ, 1, "li", 1, &own, 1), SQ_OK); /* what it was to receive it still gets */
    debts_free(d);
}

static void standings_wishes_and_defaults_are_read_back_from_a_dump(void **state)
{
    struct debts *d = *state;
    struct sq_dump first = {0}, second = {0};
    struct sq_core *copy;
    struct sq_error err = {0};
    owe_a_window(d);
    want(d, three, 3, SD, SQ_REGION_DEFAULTED, 1);
    debts_cut(d, SH);
    want(d, (const uint32_t[]){SH}, 1, CQ, SQ_REGION_SUSPENDED, 0);
    sq_core_dump(d->w->core[GD], &first);
    sq_core_dump_done(d->w->core[GD]);
    assert_int_equal(sq_core_new(&copy, &err), SQ_OK);
    assert_int_equal(sq_core_undump(copy, sq_bytes_of(first.bytes, first.size), &err), SQ_OK);
    sq_core_dump(copy, &second);
    sq_core_dump_done(copy);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.bytes, second.bytes, first.size);
    sq_core_free(d->w->core[GD]);
    d->w->core[GD] = copy;
    want(d, (const uint32_t[]){GD, SD}, 2, CQ, SQ_REGION_SUSPENDED, 0);
    debts_cut(d, SH);
    is_everywhere(d, CQ, SQ_REGION_SUSPENDED);
    sq_dump_free(&first);
    sq_dump_free(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(a_change_takes_two_people_a_node_two_thirds_of_the_nodes_and_the_end_of_a_window),
        STORY(a_suspended_region_owes_nothing_new_while_credits_and_returns_go_through),
        STORY(the_issuers_node_refuses_too_when_an_acquirer_has_not_heard),
        cmocka_unit_test(a_region_joins_between_windows_and_leaves_for_ever),
        STORY(a_proposer_cannot_change_what_two_thirds_do_not_want),
        cmocka_unit_test(a_window_under_review_is_recast_without_a_region_that_defaults),
        STORY(survivors_pay_in_proportion_to_what_they_were_owed_to_the_fen),
        cmocka_unit_test(the_guarantee_fund_pays_first_and_only_as_far_as_it_reaches),
        cmocka_unit_test(without_a_settlement_account_the_loss_lies_where_it_falls),
        STORY(standings_wishes_and_defaults_are_read_back_from_a_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
