/* The invoice register against a model that is an array: who has claimed how much of which invoice, and may more be claimed? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/core/invoice.h"
#include "tests/support/random.h"

/* ---- numbers ---- */

static void cell_of(const char *digits, uint8_t cell[SQ_INVOICE_CELL])
{
    memset(cell, 0, SQ_INVOICE_CELL);
    for (int i = 0; i < 20; i++)
        cell[i / 2] |= (uint8_t)((digits[i] - '0') << (i % 2 == 0 ? 4 : 0));
}

static struct sq_invoice_key key_of(const char *digits)
{
    uint8_t cell[SQ_INVOICE_CELL];
    struct sq_invoice_key key;
    cell_of(digits, cell);
    assert_int_equal(sq_invoice_key_of(cell, &key), 1);
    return key;
}

static void a_number_is_twenty_decimal_digits_and_not_all_zeros(void **state)
{
    (void)state;
    uint8_t cell[SQ_INVOICE_CELL];
    struct sq_invoice_key key;
    for (int place = 0; place < 20; place++)
        for (unsigned digit = 0; digit < 16; digit++)
            for (int rest = 0; rest < 2; rest++) {
                memset(cell, rest ? 0x99 : 0x00, sizeof cell);
                uint8_t high = place % 2 == 0 ? (uint8_t)(digit << 4) : cell[place / 2] & 0xf0u;
                uint8_t low = place % 2 == 0 ? cell[place / 2] & 0x0fu : (uint8_t)digit;
                cell[place / 2] = high | low;
                assert_int_equal(sq_invoice_key_of(cell, &key), digit <= 9 && (rest || digit != 0));
            }
}

static void keys_order_as_the_numbers_do(void **state)
{
    (void)state;
    static const char *const ascending[] = {"00000000000000000001", "00010000000000000000", "09999999999999999999",
                                            "23442000000000000009", "24942000000000000000", "24942000000000000010",
                                            "99999999999999999999"};
    for (size_t i = 0; i < sizeof ascending / sizeof *ascending; i++)
        for (size_t k = 0; k < sizeof ascending / sizeof *ascending; k++) {
            struct sq_invoice_key a = key_of(ascending[i]), b = key_of(ascending[k]);
            assert_int_equal(sq_invoice_key_compare(&a, &b), (i > k) - (i < k));
        }
}

static void the_province_is_read_from_all_three_kinds_of_number(void **state)
{
    (void)state;
    static const struct {
        const char *digits;
        uint32_t province;
    } cases[] = {
        {"26312000000000000001", 31}, {"23442000000000000001", 44},
        {"26912000000000000001", 21}, /* Dalian */
        {"26922000000000000001", 33}, {"26932000000000000001", 35},
        {"26942000000000000001", 37}, {"26952000000000000001", 44},
        {"26962000000000000001", 0},  {"26002000000000000001", 0},
        {"26902000000000000001", 0},  {"26832000000000000001", 0},
        {"03100190011112345678", 31},                               /* 12-digit code 031001900111 and number 12345678 */
        {"13702190011112345678", 37}, {"00310019001112345678", 31}, /* 10-digit code, padded */
        {"00910019001112345678", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sq_invoice_key key = key_of(cases[i].digits);
        if (sq_invoice_province(&key) != cases[i].province)
            fail_msg("%s is of %u", cases[i].digits, sq_invoice_province(&key));
    }
}

/* ---- rules, by hand ---- */

#define INVOICE "26312000000000000001"

static struct sq_invoice_claim claim(uint32_t programme, int64_t base, int64_t amount, uint32_t limit)
{
    return (struct sq_invoice_claim){key_of(INVOICE), programme, 7, 100000, base, amount, limit, 0};
}

/* What the register says to the claim; added when it says yes. */
static unsigned ask(struct sq_invoices *r, const struct sq_invoice_claim *c)
{
    struct sq_invoice_cursor cursor = {0};
    unsigned code = sq_invoice_check(r, c, &cursor);
    if (code == SQ_OK)
        assert_int_equal(sq_invoice_add(r, c, &cursor), SQ_OK);
    return code;
}

static unsigned put(struct sq_invoices *r, uint32_t programme, int64_t base, int64_t amount, uint32_t limit)
{
    struct sq_invoice_claim c = claim(programme, base, amount, limit);
    return ask(r, &c);
}

static void take(struct sq_invoices *r, uint32_t programme, int64_t base, int64_t amount)
{
    struct sq_invoice_claim c = claim(programme, base, amount, 0);
    assert_int_equal(sq_invoice_check_return(r, &c), SQ_OK);
    assert_int_equal(sq_invoice_subtract(r, &c), SQ_OK);
}

static int64_t claimed(const struct sq_invoices *r)
{
    struct sq_invoice_key key = key_of(INVOICE);
    return sq_invoice_claimed(r, &key);
}

static int begin(void **state)
{
    struct sq_invoices *r = malloc(sizeof *r);
    sq_invoices_init(r);
    *state = r;
    return 0;
}

static int end(void **state)
{
    sq_invoices_free(*state);
    free(*state);
    return 0;
}

static void parts_of_an_invoice_are_claimed_until_all_of_it_is(void **state)
{
    struct sq_invoices *r = *state;
    assert_true(claimed(r) == -1);
    assert_int_equal(put(r, 1, 100001, 1, 0), SQ_R_INVOICE_OVERDRAWN);
    assert_true(claimed(r) == -1);
    assert_int_equal(put(r, 1, 40000, 12000, 0), SQ_OK);
    assert_int_equal(put(r, 1, 60001, 100, 0), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(put(r, 1, 60000, 18000, 0), SQ_OK);
    assert_int_equal(put(r, 1, 1, 1, 0), SQ_R_INVOICE_OVERDRAWN);
    assert_true(claimed(r) == 30000);
}

static void the_seller_and_the_total_are_those_of_the_first_claim(void **state)
{
    struct sq_invoices *r = *state;
    struct sq_invoice_claim other = claim(1, 10, 3, 0);
    assert_int_equal(put(r, 1, 10, 3, 0), SQ_OK);
    other.seller = 8;
    assert_int_equal(ask(r, &other), SQ_R_INVOICE_SELLER);
    other.seller = 7;
    other.acquirer = 1; /* another node speaks for it */
    assert_int_equal(ask(r, &other), SQ_R_INVOICE_SELLER);
    assert_int_equal(sq_invoice_subtract(r, &other), SQ_OK);
    assert_true(claimed(r) == 3);
    other.acquirer = 0;
    other.total_fen = 99999;
    assert_int_equal(ask(r, &other), SQ_R_INVOICE_TOTAL);
    assert_true(claimed(r) == 3);
}

static void exclusive_programmes_shut_each_other_out(void **state)
{
    struct sq_invoices *r = *state;
    assert_int_equal(put(r, 1, 100, 30, 0), SQ_OK);
    assert_int_equal(put(r, 2, 100, 30, 0), SQ_R_INVOICE_STACKING);
    assert_int_equal(put(r, 2, 100, 30, 10000), SQ_R_INVOICE_STACKING); /* it takes two to stack */
    take(r, 1, 100, 30);
    assert_int_equal(put(r, 2, 100, 30, 10000), SQ_OK);
    assert_int_equal(put(r, 1, 100, 30, 0), SQ_R_INVOICE_STACKING);
    assert_true(claimed(r) == 30);
}

static void programmes_that_stack_stay_within_the_smallest_of_their_limits(void **state)
{
    struct sq_invoices *r = *state;
    assert_int_equal(put(r, 1, 100000, 40000, 9000), SQ_OK);
    assert_int_equal(put(r, 2, 100000, 30001, 7000), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(put(r, 2, 100000, 30000, 7000), SQ_OK);
    assert_int_equal(put(r, 3, 100000, 1, 10000), SQ_R_INVOICE_OVERDRAWN); /* the second's limit holds for the third */
    take(r, 2, 100000, 30000);
    assert_int_equal(put(r, 3, 100000, 50000, 10000), SQ_OK); /* and no longer when it has given all back */
    assert_int_equal(put(r, 3, 0, 1, 10000), SQ_R_INVOICE_OVERDRAWN);
    assert_true(claimed(r) == 90000);
}

static void alone_a_programme_may_subsidise_all_of_it_and_no_more(void **state)
{
    struct sq_invoices *r = *state;
    assert_int_equal(put(r, 1, 10, 100001, 0), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(put(r, 1, 10, 60000, 5000), SQ_OK);
    assert_int_equal(put(r, 1, 10, 40001, 5000), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(put(r, 1, 10, 40000, 5000), SQ_OK);
}

static void no_more_is_given_back_than_was_claimed(void **state)
{
    struct sq_invoices *r = *state;
    struct sq_invoice_claim c = claim(1, 50, 20, 0);
    assert_int_equal(sq_invoice_check_return(r, &c), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(sq_invoice_subtract(r, &c), SQ_OK); /* an unknown invoice is left alone */
    assert_true(claimed(r) == -1);
    assert_int_equal(put(r, 1, 50, 20, 0), SQ_OK);
    for (unsigned fault = 0; fault < 4; fault++) {
        struct sq_invoice_claim wrong = c;
        wrong.base_fen += fault == 0;
        wrong.amount_fen += fault == 1;
        wrong.programme += fault == 2;
        wrong.seller += fault == 3;
        assert_int_equal(sq_invoice_check_return(r, &wrong), SQ_R_RETURN_EXCEEDS);
        assert_true(claimed(r) == 20);
    }
    take(r, 1, 30, 15);
    assert_true(claimed(r) == 5);
    c.amount_fen = 6;
    c.base_fen = 1;
    assert_int_equal(sq_invoice_check_return(r, &c), SQ_R_RETURN_EXCEEDS);
    assert_int_equal(sq_invoice_subtract(r, &c), SQ_OK); /* as far as it goes */
    assert_true(claimed(r) == 0);
}

static void an_invoice_that_was_given_back_whole_is_as_good_as_new(void **state)
{
    struct sq_invoices *r = *state;
    struct sq_invoice_claim other = {key_of(INVOICE), 5, 9, 777, 700, 70, 10000, 0};
    assert_int_equal(put(r, 1, 100, 30, 10000), SQ_OK);
    assert_int_equal(put(r, 2, 100, 30, 10000), SQ_OK);
    take(r, 1, 100, 30);
    assert_int_equal(ask(r, &other), SQ_R_INVOICE_SELLER);
    take(r, 2, 100, 30);
    assert_int_equal(ask(r, &other), SQ_OK); /* its claimant is the seller now, and says the total */
    assert_true(claimed(r) == 70);
    assert_int_equal(put(r, 1, 100, 30, 10000), SQ_R_INVOICE_SELLER);
    other.programme = 1;
    assert_int_equal(ask(r, &other), SQ_OK);
    assert_true(claimed(r) == 140);
}

static void a_programme_that_changes_how_it_stacks_is_held_to_all_it_has_claimed_under(void **state)
{
    struct sq_invoices *r = *state;
    assert_int_equal(put(r, 1, 10, 10, 10000), SQ_OK);
    assert_int_equal(put(r, 1, 10, 10, 0), SQ_OK); /* exclusive from now on */
    assert_int_equal(put(r, 2, 10, 10, 10000), SQ_R_INVOICE_STACKING);
    take(r, 1, 20, 20);
    assert_int_equal(put(r, 1, 10, 10, 8000), SQ_OK); /* nothing is left of that, so this is its class */
    assert_int_equal(put(r, 2, 10, 79991, 10000), SQ_R_INVOICE_OVERDRAWN);
    assert_int_equal(put(r, 2, 10, 79980, 10000), SQ_OK);
    assert_int_equal(put(r, 1, 10, 11, 10000), SQ_R_INVOICE_OVERDRAWN); /* its own older limit holds as well */
    assert_int_equal(put(r, 1, 10, 10, 10000), SQ_OK);
}

/* ---- the model ---- */

#define PROGRAMMES 5u

struct entry { /* one invoice: what each programme has of it */
    uint32_t seller, known;
    int64_t total, base[PROGRAMMES], amount[PROGRAMMES];
    uint32_t limit[PROGRAMMES];
};

static int64_t sum_of(const int64_t fen[PROGRAMMES])
{
    int64_t sum = 0;
    for (uint32_t p = 0; p < PROGRAMMES; p++)
        sum += fen[p];
    return sum;
}

static unsigned expected(const struct entry *e, const struct sq_invoice_claim *c)
{
    int is_new = !e->known || (sum_of(e->amount) == 0 && sum_of(e->base) == 0);
    if (is_new)
        return c->base_fen > c->total_fen || c->amount_fen > c->total_fen ? SQ_R_INVOICE_OVERDRAWN : SQ_OK;
    if (e->seller != c->seller)
        return SQ_R_INVOICE_SELLER;
    if (e->total != c->total_fen)
        return SQ_R_INVOICE_TOTAL;
    int others = 0, exclusive = c->stack_limit_bp == 0;
    int64_t limit = c->stack_limit_bp, sum = sum_of(e->amount) + c->amount_fen;
    for (uint32_t p = 0; p < PROGRAMMES; p++) {
        if (e->amount[p] == 0)
            continue;
        others |= p != c->programme;
        exclusive |= e->limit[p] == 0;
        limit = e->limit[p] < limit ? e->limit[p] : limit;
    }
    if (others && exclusive)
        return SQ_R_INVOICE_STACKING;
    if (sum * 10000 > e->total * (others ? limit : 10000) || e->base[c->programme] + c->base_fen > e->total)
        return SQ_R_INVOICE_OVERDRAWN;
    return SQ_OK;
}

static void model_add(struct entry *e, const struct sq_invoice_claim *c)
{
    uint32_t p = c->programme;
    if (!e->known || (sum_of(e->amount) == 0 && sum_of(e->base) == 0))
        *e = (struct entry){.known = 1, .seller = c->seller, .total = c->total_fen};
    e->limit[p] = e->amount[p] == 0 || c->stack_limit_bp < e->limit[p] ? c->stack_limit_bp : e->limit[p];
    e->base[p] += c->base_fen;
    e->amount[p] += c->amount_fen;
}

static struct sq_invoice_claim drawn(struct dice *d, uint32_t invoice, const struct entry *e)
{
    static const uint32_t limits[] = {0, 3000, 10000, 10000};
    char digits[24];
    snprintf(digits, sizeof digits, "26%02u2%015u", 31 + invoice % 3, invoice * 13);
    struct sq_invoice_claim c = {
        .key = key_of(digits), .programme = dice_below(d, PROGRAMMES), .stack_limit_bp = limits[dice_below(d, 4)]};
    c.seller = dice_below(d, 20) == 0 ? dice_below(d, 3) : e->seller;
    c.total_fen = dice_below(d, 20) == 0 || !e->known ? 1 + dice_below(d, 1000) : e->total;
    c.amount_fen = 1 + dice_below(d, 120);
    c.base_fen = dice_below(d, 300);
    return c;
}

static void one_operation(struct sq_invoices *r, struct entry *e, const struct sq_invoice_claim *c,
                          struct sq_invoice_cursor *cursor, uint32_t die)
{
    uint32_t p = c->programme;
    int fits = e->known && e->seller == c->seller && c->base_fen <= e->base[p] && c->amount_fen <= e->amount[p];
    if (die < 60) {
        unsigned code = sq_invoice_check(r, c, cursor);
        if (code != expected(e, c))
            fail_msg("a claim got %s, the model says %s", sq_status_name(code), sq_status_name(expected(e, c)));
        if (code == SQ_OK) {
            assert_int_equal(sq_invoice_add(r, c, cursor), SQ_OK);
            model_add(e, c);
        }
    } else if (die < 90) {
        assert_int_equal(sq_invoice_check_return(r, c), fits ? SQ_OK : SQ_R_RETURN_EXCEEDS);
        if (fits || die < 63) { /* now and then more than there is: the rest of it goes */
            assert_int_equal(sq_invoice_subtract(r, c), SQ_OK);
            if (e->known && e->seller == c->seller) {
                e->base[p] -= c->base_fen < e->base[p] ? c->base_fen : e->base[p];
                e->amount[p] -= c->amount_fen < e->amount[p] ? c->amount_fen : e->amount[p];
            }
        }
    } else {
        assert_true(sq_invoice_claimed(r, &c->key) == (e->known ? sum_of(e->amount) : -1));
    }
}

static void read_back(struct sq_invoices *r)
{
    struct sq_dump first = {0}, second = {0};
    sq_invoices_dump(r, &first);
    assert_int_equal(first.failed, 0);
    sq_invoices_dump_done(r);
    struct sq_reader in = sq_reader_of(sq_bytes_of(first.bytes, first.size));
    sq_invoices_free(r);
    sq_invoices_init(r);
    assert_int_equal(sq_invoices_undump(r, &in, NULL), SQ_OK);
    assert_true(in.at == in.end);
    sq_invoices_dump(r, &second);
    assert_int_equal(second.size, first.size);
    assert_memory_equal(second.bytes, first.bytes, first.size);
    sq_dump_free(&first);
    sq_dump_free(&second);
}

/* Batches walk the register in ascending order with one cursor, as the core does. */
static void run(struct sq_invoices *r, uint32_t invoices, uint32_t operations, uint32_t batch, uint32_t step)
{
    struct entry *e = calloc(invoices, sizeof *e);
    struct dice d = {invoices};
    assert_non_null(e);
    for (uint32_t done = 0; done < operations;) {
        struct sq_invoice_cursor cursor = {0};
        uint32_t invoice = dice_below(&d, invoices);
        for (uint32_t i = 0; i < batch && invoice < invoices; i++, done++) {
            struct sq_invoice_claim c = drawn(&d, invoice, &e[invoice]);
            one_operation(r, &e[invoice], &c, &cursor, dice_below(&d, 100));
            invoice += dice_below(&d, step + 1);
        }
        if (dice_below(&d, operations / batch / 3) == 0)
            read_back(r);
    }
    for (uint32_t i = 0; i < invoices; i++) {
        struct sq_invoice_claim c = drawn(&d, i, &e[i]);
        assert_true(sq_invoice_claimed(r, &c.key) == (e[i].known ? sum_of(e[i].amount) : -1));
    }
    free(e);
}

static void a_million_operations_on_few_invoices_do_what_the_model_does(void **state)
{
    run(*state, 3000, 1000000, 40, 3);
}

static void operations_on_many_invoices_in_many_chunks_do_what_the_model_does(void **state)
{
    run(*state, 200000, 300000, 2000, 5);
}

/* Descending, so that every chunk is split at its front; and interleaved, so that it is split everywhere. */
static void numbers_in_any_order_are_all_found_again(void **state)
{
    (void)state;
    for (uint32_t order = 0; order < 3; order++) {
        struct sq_invoices r;
        enum { COUNT = 5000 };
        sq_invoices_init(&r);
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t number = order == 0 ? i : order == 1 ? COUNT - 1 - i : i * 1999 % COUNT;
            char digits[24];
            snprintf(digits, sizeof digits, "26312%015u", number);
            struct sq_invoice_claim c = {key_of(digits), 1, 2, 1000, 10, (int64_t)number % 7 + 1, 0, 0};
            assert_int_equal(ask(&r, &c), SQ_OK);
        }
        assert_true(r.rows.count == COUNT);
        for (uint32_t number = 0; number < COUNT + 10; number++) {
            char digits[24];
            snprintf(digits, sizeof digits, "26312%015u", number);
            struct sq_invoice_key key = key_of(digits);
            assert_true(sq_invoice_claimed(&r, &key) == (number < COUNT ? (int64_t)number % 7 + 1 : -1));
        }
        sq_invoices_free(&r);
    }
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_twenty_decimal_digits_and_not_all_zeros),
        cmocka_unit_test(keys_order_as_the_numbers_do),
        cmocka_unit_test(the_province_is_read_from_all_three_kinds_of_number),
        STORY(parts_of_an_invoice_are_claimed_until_all_of_it_is),
        STORY(the_seller_and_the_total_are_those_of_the_first_claim),
        STORY(exclusive_programmes_shut_each_other_out),
        STORY(programmes_that_stack_stay_within_the_smallest_of_their_limits),
        STORY(alone_a_programme_may_subsidise_all_of_it_and_no_more),
        STORY(no_more_is_given_back_than_was_claimed),
        STORY(an_invoice_that_was_given_back_whole_is_as_good_as_new),
        STORY(a_programme_that_changes_how_it_stacks_is_held_to_all_it_has_claimed_under),
        STORY(a_million_operations_on_few_invoices_do_what_the_model_does),
        STORY(operations_on_many_invoices_in_many_chunks_do_what_the_model_does),
        cmocka_unit_test(numbers_in_any_order_are_all_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
