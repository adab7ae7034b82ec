/* Questions as text: what is understood, what is told back, who may see what, and the thread that answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/ledger/tree.h"
#include "ops/history/historian.h"
#include "ops/history/ask.h"
#include "ops/history/proofs.h"
#include "peers/crypto.h"
#include "tests/support/desk.h"

/* ---- text ---- */

static void every_condition_is_understood(void **state)
{
    (void)state;
    struct sq_ask a;
    struct sq_error err = {0};
    sq_ask_init(&a);
    assert_int_equal(a.max, 25);
    const char *text =
        "voucher=3100000001000000017&batch=12&window=3&holder=12370199TXXXXX132Y&provider=91310199TXXXXX0015&"
        "invoice=26312000000000000001&programme=310000/"
        "1&kind=2&scenario=9&refusal=SQ_R_CAP_YEAR&debtor=310000&creditor=370000&"
        "region=440000&state=refused&least=5&most=700&from=20261101&until=1790000000000&life=1&claims=1&order=newest&"
        "max=100&after=17.3&"
        "sums=1&proofs=1&";
    if (sq_ask_parse(&a, text, &err) != SQ_OK)
        fail_msg("%s", err.text);
    assert_true(a.filter.voucher == 3100000001000000017u && a.filter.batch == 12 && a.filter.window == 3);
    assert_string_equal(a.filter.holder, "12370199TXXXXX132Y");
    assert_string_equal(a.filter.provider, "91310199TXXXXX0015");
    assert_memory_equal(a.filter.invoice, "\x26\x31\x20\x00\x00\x00\x00\x00\x00\x01", 10);
    assert_true(a.filter.issuer == 310000 && a.filter.programme == 1 && a.filter.kind == 2 && a.filter.scenario == 9);
    assert_int_equal(a.filter.code, SQ_R_CAP_YEAR);
    assert_string_equal(a.filter.debtor, "310000");
    assert_string_equal(a.filter.creditor, "370000");
    assert_string_equal(a.filter.region, "440000");
    assert_int_equal(a.filter.state, SQ_ITEM_REFUSED);
    assert_true(a.filter.least_fen == 5 && a.filter.most_fen == 700 && a.filter.life == 1 && a.filter.claims == 1);
    assert_true(a.filter.from_ms == 1793462400000u); /* 2026-11-01 00:00 in UTC+8 is 2026-10-31 16:00 UTC */
    assert_true(a.filter.until_ms == 1790000000000u);
    assert_true(a.newest_first && a.max == 100 && a.after.seq == 17 && a.after.row == 3 && a.sums && a.proofs);
}

static void escapes_and_empty_fields_are_those_of_forms(void **state)
{
    (void)state;
    struct sq_ask a;
    sq_ask_init(&a);
    assert_int_equal(sq_ask_parse(&a, "programme=310000%2f7&provider=&&kind=%33", NULL), SQ_OK);
    assert_true(a.filter.programme == 7 && a.filter.kind == 3 && a.filter.provider[0] == '\0');
    assert_int_equal(sq_ask_parse(&a, "", NULL), SQ_OK);
}

static void what_is_not_understood_is_told_with_its_value(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {{"vouchers=1", "there is no condition 'vouchers'"},
                                           {"voucher=1x", "voucher=1x"},
                                           {"voucher=-1", "a voucher number"},
                                           {"provider=91310199TXXXXX0016", "a unified social credit code"},
                                           {"invoice=2631", "20 digits"},
                                           {"kind=8", "1 to 7"},
                                           {"kind=0", "1 to 7"},
                                           {"from=20261301", "yyyymmdd"},
                                           {"state=maybe", "accepted"},
                                           {"order=random", "oldest or newest"},
                                           {"max=501", "1 to 500"},
                                           {"max=0", "1 to 500"},
                                           {"after=0.0", "SEQ.ROW"},
                                           {"after=5", "SEQ.ROW"},
                                           {"sums=2", "0 or 1"},
                                           {"programme=310000", "ISSUER/NUMBER"},
                                           {"refusal=SQ_R_NOTHING", "a refusal's name"},
                                           {"refusal=99", "a refusal's name"},
                                           {"voucher", "key=value"},
                                           {"kind=%3", "hexadecimal"},
                                           {"kind=%00", "hexadecimal"},
                                           {"kind=%zz", "hexadecimal"},
                                           {"issuer=31", "six digits"},
                                           {"debtor=31000a", "six digits"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sq_ask a;
        struct sq_error err = {0};
        sq_ask_init(&a);
        assert_int_equal(sq_ask_parse(&a, wrong[i][0], &err), SQ_E_USAGE);
        if (strstr(err.text, wrong[i][1]) == NULL)
            fail_msg("%s: '%s' does not say '%s'", wrong[i][0], err.text, wrong[i][1]);
    }
    char *text = malloc(3000);
    memset(text, '&', 2999);
    text[2999] = '\0';
    struct sq_ask a;
    sq_ask_init(&a);
    assert_int_equal(sq_ask_parse(&a, text, NULL), SQ_E_USAGE);
    free(text);
}

/* ---- who sees what ---- */

static void each_participant_is_held_to_its_own_rows(void **state)
{
    (void)state;
    struct sq_ask a;
    sq_ask_init(&a);
    assert_int_equal(sq_ask_narrow(&a, "provider:91310199TXXXXX0015", "310000", NULL), SQ_OK);
    assert_string_equal(a.filter.provider, "91310199TXXXXX0015");
    strcpy(a.filter.provider, "91440199TXXXXX01X0");
    assert_int_equal(sq_ask_narrow(&a, "provider:91310199TXXXXX0015", "310000", NULL), SQ_R_NOT_PERMITTED);
    sq_ask_init(&a);
    strcpy(a.filter.provider, "91440199TXXXXX01X0");
    assert_int_equal(sq_ask_narrow(&a, "holder:12370199TXXXXX132Y", "310000", NULL),
                     SQ_OK); /* what that provider drew on its own vouchers */
    assert_string_equal(a.filter.holder, "12370199TXXXXX132Y");
    sq_ask_init(&a);
    assert_int_equal(sq_ask_narrow(&a, "issuer:440300", "310000", NULL), SQ_OK);
    assert_int_equal(a.filter.issuer, 440300);
    a.filter.issuer = 310000;
    assert_int_equal(sq_ask_narrow(&a, "issuer:440300", "310000", NULL), SQ_R_NOT_PERMITTED);
    sq_ask_init(&a);
    assert_int_equal(sq_ask_narrow(&a, "regulator:mof", "310000", NULL), SQ_OK);
    assert_int_equal(sq_ask_narrow(&a, "operator:310000/li", "310000", NULL), SQ_OK);
    assert_int_equal(sq_ask_narrow(&a, "node:310000", "310000", NULL), SQ_OK);
    assert_string_equal(a.filter.region, "");
    assert_int_equal(sq_ask_narrow(&a, "operator:370000/li", "310000", NULL), SQ_R_NOT_PERMITTED);
    assert_int_equal(sq_ask_narrow(&a, "operator:3100001/li", "310000", NULL), SQ_R_NOT_PERMITTED);
    assert_int_equal(sq_ask_narrow(&a, "node:370000", "310000", NULL), SQ_OK);
    assert_string_equal(a.filter.region, "370000");
    strcpy(a.filter.region, "440000");
    assert_int_equal(sq_ask_narrow(&a, "node:370000", "310000", NULL), SQ_R_NOT_PERMITTED);
    sq_ask_init(&a);
    assert_int_equal(sq_ask_narrow(&a, "evaluator:x", "310000", NULL), SQ_R_NOT_PERMITTED);
    assert_int_equal(sq_ask_narrow(&a, "", "310000", NULL), SQ_R_NOT_PERMITTED);
}

/* ---- the historian ---- */

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people p[2];
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    s->d = desk_new_in(s->dir, "ask", 3);
    desk_people(s->d, 0, 0, 0, &s->p[0]);
    desk_people(s->d, 0, 2, 1, &s->p[1]);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    desk_people_free(&s->p[0]);
    desk_people_free(&s->p[1]);
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

static struct sq_historian_answer ask(struct sq_historian *h, const char *from, const char *text)
{
    struct sq_historian_question q = {.nonce = 77};
    struct sq_historian_answer a;
    strcpy(q.from, from);
    strcpy(q.text, text);
    assert_int_equal(sq_historian_ask(h, &q), SQ_OK);
    while (!sq_historian_take(h, &a))
        poll(NULL, 0, 1);
    assert_int_equal(a.nonce, 77);
    assert_string_equal(a.to, from);
    return a;
}

static json_t *answered(struct sq_historian *h, const char *from, const char *text)
{
    struct sq_historian_answer a = ask(h, from, text);
    assert_int_equal(a.status, SQ_OK);
    assert_string_equal(a.detail, "");
    json_t *o = json_loads(a.json, 0, NULL);
    assert_non_null(o);
    free(a.json);
    return o;
}

static void is_refused(struct sq_historian *h, const char *from, const char *text, unsigned status, const char *why)
{
    struct sq_historian_answer a = ask(h, from, text);
    assert_int_equal(a.status, status);
    assert_null(a.json);
    assert_non_null(strstr(a.detail, why));
}

static json_int_t number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void a_question_is_answered_up_to_what_is_durable(void **state)
{
    struct story *s = *state;
    struct sq_historian *h;
    const int64_t some[] = {100, 200, 300};
    const char *provider = s->p[0].provider->name;
    assert_int_equal(desk_redeem(s->d, &s->p[0], 1, some, 3), SQ_OK);
    assert_int_equal(sq_historian_start(s->d->rig->node[0].ledger, s->d->ledger[0], "310000", NULL, &h, NULL), SQ_OK);
    for (int again = 1; again <= 3; again++) {
        char text[64] = "sums=1";
        json_t *o = answered(h, provider, text);
        const json_t *accepted = json_object_get(json_object_get(o, "sums"), "accepted");
        assert_int_equal(number_of(accepted, "count"), 3 * again);
        assert_int_equal(number_of(accepted, "amount_fen"), 600 * again);
        assert_int_equal(number_of(json_object_get(o, "sums"), "moved_count"), 3 * again);
        assert_int_equal(number_of(json_object_get(o, "ledger"), "entries"), sq_ledger_seq(s->d->ledger[0]));
        json_decref(o);
        assert_int_equal(desk_redeem(s->d, &s->p[0], 1 + 10u * (unsigned)again, some, 3), SQ_OK);
    }
    is_refused(h, provider, "provider=91440199TXXXXX01X0", SQ_R_NOT_PERMITTED, "its own rows only");
    is_refused(h, provider, "colour=blue", SQ_R_UNKNOWN_QUERY, "'colour'");
    sq_historian_stop(h);
}

static void unhex(const json_t *o, uint8_t *out, size_t size)
{
    assert_int_equal(sq_unhex(json_string_value(o), out, size, NULL), SQ_OK);
}

static void an_answers_proofs_lead_to_the_signed_checkpoint(void **state)
{
    struct story *s = *state;
    struct sq_historian *h;
    const int64_t some[] = {100, 200, 300};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(desk_redeem(s->d, &s->p[i % 2], 1 + 10 * i, some, 3), SQ_OK);
    assert_int_equal(sq_historian_start(s->d->rig->node[0].ledger, s->d->ledger[0], "310000", NULL, &h, NULL), SQ_OK);
    json_t *o = answered(h, "regulator:mof", "proofs=1&order=newest");
    const json_t *proofs = json_object_get(o, "proofs");
    const char *note = json_string_value(json_object_get(o, "checkpoint"));
    assert_int_equal(json_array_size(json_object_get(o, "items")), 15);
    assert_int_equal(json_array_size(proofs),
                     5 + 2); /* two batches were decided by another region: by entries of their own */
    struct sq_note_key key = {0};
    struct sq_checkpoint checkpoint;
    sq_bytes body;
    uint64_t verified;
    sq_log_origin(s->d->rig->directory, "310000", key.name);
    memcpy(key.key, s->d->rig->node[0].keys->log_public, 32);
    assert_int_equal(sq_note_open(sq_bytes_of(note, strlen(note)), &key, 1, sq_ed25519_check, &body, &verified, NULL),
                     SQ_OK);
    assert_int_equal(sq_checkpoint_parse(body, &checkpoint, NULL), SQ_OK);
    for (size_t i = 0; i < 7; i++) {
        const json_t *p = json_array_get(proofs, i);
        uint8_t leaf[SQ_LEAF_SIZE], hash[32], proof[SQ_PROOF_MAX * 32];
        size_t hashes = strlen(json_string_value(json_object_get(p, "proof"))) / 64;
        unhex(json_object_get(p, "leaf"), leaf, sizeof leaf);
        unhex(json_object_get(p, "proof"), proof, hashes * 32);
        assert_int_equal(sq_get_be64(leaf + 8), number_of(p, "seq"));
        assert_true(i == 0 || number_of(p, "seq") > number_of(json_array_get(proofs, i - 1), "seq"));
        sq_tree_leaf_hash(sq_bytes_of(leaf, sizeof leaf), hash);
        assert_int_equal(sq_tree_verify_inclusion((uint64_t)number_of(p, "index"), checkpoint.size, hash, proof, hashes,
                                                  checkpoint.root, NULL),
                         SQ_OK);
    }
    json_decref(o);
    sq_historian_stop(h);
}

/* One character of the answer's text becomes another, wherever it is. */
static void spoil(json_t *o, const char *key)
{
    char text[8192];
    snprintf(text, sizeof text, "%s", json_string_value(json_object_get(o, key)));
    size_t at = strlen(text) / 2;
    text[at] = text[at] == '7' ? '8' : '7';
    json_object_set_new(o, key, json_string(text));
}

static void an_answer_whose_proofs_were_tampered_with_does_not_verify(void **state)
{
    struct story *s = *state;
    struct sq_historian *h;
    const int64_t some[] = {100, 200, 300};
    char origin[SQ_ORIGIN_SIZE];
    const uint8_t *key = s->d->rig->node[0].keys->log_public;
    const struct sq_ledger *ledger = s->d->ledger[0];
    uint64_t entries = 0;
    struct sq_error err = {0};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(desk_redeem(s->d, &s->p[i % 2], 1 + 10 * i, some, 3), SQ_OK);
    sq_log_origin(s->d->rig->directory, "310000", origin);
    assert_int_equal(sq_historian_start(s->d->rig->node[0].ledger, ledger, "310000", NULL, &h, NULL), SQ_OK);
    json_t *whole = answered(h, "regulator:mof", "proofs=1");
    sq_historian_stop(h);
    assert_int_equal(sq_proofs_check(whole, origin, key, ledger, &entries, &err), SQ_OK);
    assert_int_equal(entries, 7);
    assert_int_equal(sq_proofs_check(whole, NULL, key, NULL, &entries, &err), SQ_OK);
    assert_int_equal(sq_proofs_check(whole, "another/log", key, NULL, &entries, NULL), SQ_E_VERIFY);
    assert_int_equal(sq_proofs_check(whole, origin, s->d->rig->node[1].keys->log_public, NULL, &entries, NULL),
                     SQ_E_VERIFY);
    /* The leaves are this ledger's, not another one's, though the proof is whole. */
    assert_int_not_equal(sq_proofs_check(whole, origin, key, s->d->ledger[1], &entries, NULL), SQ_OK);
    for (int kind = 0; kind < 5; kind++) {
        json_t *o = json_deep_copy(whole), *proofs = json_object_get(o, "proofs"), *third = json_array_get(proofs, 3);
        if (kind == 0)
            spoil(o, "checkpoint");
        else if (kind == 1)
            spoil(third, "leaf");
        else if (kind == 2)
            spoil(third, "proof");
        else if (kind == 3)
            json_array_remove(proofs, 3);
        else
            json_object_set_new(json_array_get(json_object_get(o, "items"), 4), "seq", json_integer(1));
        entries = 99;
        assert_int_equal(sq_proofs_check(o, origin, key, NULL, &entries, &err), SQ_E_VERIFY);
        assert_int_equal(entries, 99);
        json_decref(o);
    }
    json_decref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_condition_is_understood),
        cmocka_unit_test(escapes_and_empty_fields_are_those_of_forms),
        cmocka_unit_test(what_is_not_understood_is_told_with_its_value),
        cmocka_unit_test(each_participant_is_held_to_its_own_rows),
        cmocka_unit_test_setup_teardown(a_question_is_answered_up_to_what_is_durable, begin, end),
        cmocka_unit_test_setup_teardown(an_answers_proofs_lead_to_the_signed_checkpoint, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_whose_proofs_were_tampered_with_does_not_verify, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
