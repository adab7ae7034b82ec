/* Cosignatures, proof files and policies of trust: against published vectors and the formats' own rules, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/proof.h"
#include "clearing/ledger/trust.h"
#include "peers/crypto.h"

#define VECTORS "../shared/vectors/signed-note.json"
#define LOG     "sanquan-test/310000"

struct signer {
    struct sq_note_key key;
    uint8_t secret[SQ_SECRET_SIZE];
    char vkey[SQ_VKEY_SIZE];
};

/* A log, three witnesses, and a note of the log. */
struct scene {
    struct signer log, witness[3];
    char note[SQ_COSIGNED_SIZE_MAX];
    size_t size;
};

static void make_signer(struct signer *s, const char *name, int cosigns)
{
    strcpy(s->key.name, name);
    s->key.cosigns = cosigns;
    sq_ed25519_keypair(s->key.key, s->secret);
    assert_true(sq_note_key_write(&s->key, s->vkey, sizeof s->vkey) > 0);
}

static sq_bytes body_of(const struct scene *s)
{
    return sq_bytes_of(s->note, (size_t)(strstr(s->note, "\n\n") + 1 - s->note));
}

static void cosign(struct scene *s, const struct signer *w, uint64_t time_s)
{
    char text[SQ_NOTE_SIZE_MAX];
    uint8_t signature[64];
    size_t n = sq_cosigned_text(time_s, body_of(s), text, sizeof text);
    assert_true(n > 0);
    assert_int_equal(sq_ed25519_sign(sq_bytes_of(text, n), w->secret, signature, NULL), SQ_OK);
    s->size = sq_note_cosign(s->note, s->size, sizeof s->note, w->key.name, w->key.key, time_s, signature);
    assert_true(s->size > 0);
}

static void sign_checkpoint(struct scene *s, const struct sq_checkpoint *c)
{
    char body[512];
    uint8_t signature[64];
    size_t n = sq_checkpoint_body(c, body, sizeof body);
    assert_int_equal(sq_ed25519_sign(sq_bytes_of(body, n), s->log.secret, signature, NULL), SQ_OK);
    s->size = sq_note_write(body, n, LOG, s->log.key.key, signature, s->note, sizeof s->note);
    assert_true(s->size > 0);
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    struct sq_checkpoint c = {.origin = LOG, .size = 4711};
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    make_signer(&s->log, LOG, 0);
    make_signer(&s->witness[0], "sanquan-test/370000", 1);
    make_signer(&s->witness[1], "sanquan-test/440000", 1);
    make_signer(&s->witness[2], "sanquan-test/510000", 1);
    memset(c.root, 0x5a, sizeof c.root);
    sign_checkpoint(s, &c);
    *state = s;
    return 0;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static sq_status open_with(const struct scene *s, const struct signer *w, uint64_t *verified)
{
    const struct sq_note_key keys[2] = {s->log.key, w->key};
    sq_bytes body;
    return sq_note_open(sq_bytes_of(s->note, s->size), keys, 2, sq_ed25519_check, &body, verified, NULL);
}

/* ---- cosignatures ---- */

static json_t *vectors(void)
{
    json_t *all = json_load_file(VECTORS, 0, NULL);
    if (all == NULL)
        print_message("# skip: %s is not there\n", VECTORS);
    return all;
}

static void published_cosignatures_have_their_time_and_others_are_refused(void **state)
{
    (void)state;
    json_t *all = vectors(), *c;
    size_t i;
    json_array_foreach(json_object_get(all, "cosignature_timestamp"), i, c)
    {
        const char *text = json_string_value(json_object_get(c, "base64"));
        struct sq_cosignature out;
        sq_status st = sq_cosignature_read(text, strlen(text), &out, NULL);
        assert_int_equal(st == SQ_OK, json_object_get(c, "time") != NULL);
        if (st != SQ_OK)
            continue;
        assert_int_equal(out.time_s, json_integer_value(json_object_get(c, "time")));
        assert_int_equal(sq_cosignature_read(text, strlen(text) - 4, &out, NULL), SQ_E_FORMAT);
    }
    json_decref(all);
}

static void published_keys_are_read_as_what_they_are_and_written_back_alike(void **state)
{
    (void)state;
    json_t *all = vectors(), *c;
    size_t i;
    json_array_foreach(json_object_get(all, "vkeys"), i, c)
    {
        const char *vkey = json_string_value(json_object_get(c, "vkey"));
        struct sq_note_key key;
        char again[SQ_VKEY_SIZE];
        sq_status st = sq_note_key_parse(vkey, &key, NULL);
        if ((st == SQ_OK) != json_is_true(json_object_get(c, "ok")))
            fail_msg("%s", vkey);
        if (st == SQ_OK) {
            assert_true(sq_note_key_write(&key, again, sizeof again) > 0);
            assert_string_equal(again, vkey);
        }
    }
    json_decref(all);
}

static void a_cosignature_is_over_its_time_and_the_notes_text(void **state)
{
    struct scene *s = *state;
    uint64_t verified;
    cosign(s, &s->witness[0], 1790000000);
    assert_int_equal(open_with(s, &s->witness[0], &verified), SQ_OK);
    assert_int_equal(verified, 3);
    assert_int_equal(sq_note_cosigned_at(sq_bytes_of(s->note, s->size), &s->witness[0].key), 1790000000);
    assert_int_equal(sq_note_cosigned_at(sq_bytes_of(s->note, s->size), &s->witness[1].key), 0);
    char *line = strrchr(s->note, ' ') + 1; /* base64: 4 characters are 3 bytes; the time is bytes 4 to 11 */
    for (size_t at = 8; at < 100; at += 7) {
        char before = line[at];
        line[at] = before == 'A' ? 'B' : 'A';
        assert_int_equal(open_with(s, &s->witness[0], &verified), SQ_E_VERIFY);
        line[at] = before;
    }
}

static void a_log_signature_is_no_cosignature_though_the_key_were_the_same(void **state)
{
    struct scene *s = *state;
    struct signer same = s->log;
    uint64_t verified;
    same.key.cosigns = 1;
    assert_int_equal(open_with(s, &same, &verified), SQ_OK);
    assert_int_equal(verified, 1);
    assert_int_not_equal(sq_note_key_id(LOG, same.key.key), sq_cosigner_key_id(LOG, same.key.key));
}

/* ---- proof files ---- */

static struct sq_proof_file example(const struct scene *s)
{
    struct sq_proof_file p = {.index = 41, .hash_count = 3, .extra_size = SQ_LEAF_SIZE};
    memset(p.hashes, 7, 3 * SQ_HASH_SIZE);
    memset(p.extra, 0, sizeof p.extra);
    p.extra[0] = 1;
    sq_put_be64(p.extra + 8, 42);
    p.note = sq_bytes_of(s->note, s->size);
    return p;
}

static void a_proof_file_is_read_back_as_it_was_written(void **state)
{
    struct scene *s = *state;
    struct sq_proof_file p = example(s), again;
    static char text[SQ_PROOF_FILE_MAX], short_text[100];
    size_t n = sq_proof_file_write(&p, text, sizeof text);
    assert_true(n > 0);
    assert_int_equal(sq_proof_file_parse(sq_bytes_of(text, n), &again, NULL), SQ_OK);
    assert_int_equal(again.index, 41);
    assert_int_equal(again.hash_count, 3);
    assert_memory_equal(again.hashes, p.hashes, 3 * SQ_HASH_SIZE);
    assert_int_equal(again.extra_size, SQ_LEAF_SIZE);
    assert_memory_equal(again.extra, p.extra, SQ_LEAF_SIZE);
    assert_int_equal(again.note.size, s->size);
    assert_memory_equal(again.note.data, s->note, s->size);
    assert_int_equal(sq_proof_file_write(&p, short_text, sizeof short_text), 0);
}

static void published_proof_files_that_are_damaged_are_refused(void **state)
{
    (void)state;
    json_t *all = vectors(), *c;
    size_t i;
    json_array_foreach(json_object_get(all, "tlog_proof_parse_errors"), i, c)
    {
        const char *hex = json_string_value(json_object_get(c, "hex"));
        uint8_t text[512];
        struct sq_proof_file p;
        size_t size = strlen(hex) / 2;
        assert_true(size <= sizeof text);
        assert_int_equal(sq_unhex(hex, text, size, NULL), SQ_OK);
        if (sq_proof_file_parse(sq_bytes_of(text, size), &p, NULL) != SQ_E_FORMAT)
            fail_msg("%s", json_string_value(json_object_get(c, "why")));
    }
    json_decref(all);
}

static void a_proof_holds_for_its_own_entry_and_tree_alone(void **state)
{
    struct scene *s = *state;
    struct sq_proof_file p = example(s);
    struct sq_checkpoint c = {.origin = LOG, .size = 43};
    const uint8_t *leaf;
    /* A tree of 43 leaves is 32 + 8 + 3; leaf 41 is joined by 40, 42, the eight and the thirty-two. */
    p.hash_count = 4;
    memset(p.hashes, 7, sizeof p.hashes);
    sq_tree_leaf_hash(sq_bytes_of(p.extra, SQ_LEAF_SIZE), c.root);
    sq_tree_node_hash(p.hashes, c.root, c.root);
    sq_tree_node_hash(c.root, p.hashes + 32, c.root);
    sq_tree_node_hash(p.hashes + 64, c.root, c.root);
    sq_tree_node_hash(p.hashes + 96, c.root, c.root);
    assert_int_equal(sq_proof_file_check(&p, &c, &leaf, NULL), SQ_OK);
    assert_ptr_equal(leaf, p.extra);
    p.index = 40;
    assert_int_equal(sq_proof_file_check(&p, &c, &leaf, NULL), SQ_E_VERIFY);
    p.index = 41;
    p.extra[30] ^= 1;
    assert_int_equal(sq_proof_file_check(&p, &c, &leaf, NULL), SQ_E_VERIFY);
    p.extra[30] ^= 1;
    c.root[0] ^= 1;
    assert_int_equal(sq_proof_file_check(&p, &c, &leaf, NULL), SQ_E_VERIFY);
}

/* ---- policies ---- */

static sq_status check_under(struct scene *s, const char *rules, size_t *witnesses)
{
    struct sq_trust *t = NULL;
    struct sq_error err = {0};
    static struct sq_trusted out;
    char text[4096];
    snprintf(text, sizeof text,
             "# who is trusted\nlog %s\nwitness A %s\nwitness B\t%s https://b.example\nwitness C %s\n%s", s->log.vkey,
             s->witness[0].vkey, s->witness[1].vkey, s->witness[2].vkey, rules);
    if (sq_trust_parse(sq_bytes_of(text, strlen(text)), &t, &err) != SQ_OK)
        fail_msg("%s", err.text);
    out.witness_count = 99;
    sq_status st = sq_trust_check(t, sq_bytes_of(s->note, s->size), sq_ed25519_check, &out, &err);
    *witnesses = out.witness_count;
    assert_int_equal(out.checkpoint.size, 4711);
    for (size_t i = 0; i < out.witness_count; i++)
        assert_int_equal(out.time_s[i], 1790000000);
    sq_trust_free(t);
    return st;
}

static void a_quorum_is_met_by_as_many_witnesses_as_the_policy_says(void **state)
{
    struct scene *s = *state;
    static const char two_of_three[] = "group all-of-them 2 A B C\nquorum all-of-them\n";
    size_t n;
    assert_int_equal(check_under(s, "quorum none\n", &n), SQ_OK);
    assert_int_equal(check_under(s, two_of_three, &n), SQ_E_VERIFY);
    assert_int_equal(n, 0);
    cosign(s, &s->witness[2], 1790000000);
    assert_int_equal(check_under(s, two_of_three, &n), SQ_E_VERIFY);
    assert_int_equal(n, 1);
    assert_int_equal(check_under(s, "quorum C\n", &n), SQ_OK);
    assert_int_equal(check_under(s, "quorum A\n", &n), SQ_E_VERIFY);
    cosign(s, &s->witness[2], 1790000000); /* one witness twice is one witness */
    assert_int_equal(check_under(s, two_of_three, &n), SQ_E_VERIFY);
    cosign(s, &s->witness[0], 1790000000);
    assert_int_equal(check_under(s, two_of_three, &n), SQ_OK);
    assert_int_equal(n, 2);
    assert_int_equal(check_under(s, "group g all A B C\nquorum g\n", &n), SQ_E_VERIFY);
    assert_int_equal(check_under(s, "group g any B C\ngroup h all A g\nquorum h\n", &n), SQ_OK);
    assert_int_equal(check_under(s, "group g all B C\ngroup h any A g\nquorum h\n", &n), SQ_OK);
    assert_int_equal(check_under(s, "group g all B C\ngroup h all A g\nquorum h\n", &n), SQ_E_VERIFY);
}

static void a_checkpoint_of_another_log_or_without_its_logs_signature_is_not_trusted(void **state)
{
    struct scene *s = *state;
    struct sq_trust *t;
    struct sq_trusted out;
    struct signer other;
    char text[1024];
    cosign(s, &s->witness[0], 1790000000);
    make_signer(&other, "sanquan-test/990000", 0);
    for (int same_name = 0; same_name < 2; same_name++) {
        if (same_name)
            make_signer(&other, LOG, 0);
        snprintf(text, sizeof text, "log %s\nwitness A %s\nquorum A\n", other.vkey, s->witness[0].vkey);
        assert_int_equal(sq_trust_parse(sq_bytes_of(text, strlen(text)), &t, NULL), SQ_OK);
        assert_int_equal(sq_trust_check(t, sq_bytes_of(s->note, s->size), sq_ed25519_check, &out, NULL), SQ_E_VERIFY);
        sq_trust_free(t);
    }
}

static void a_policy_that_breaks_a_rule_is_refused_with_the_line(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *rules, *line;
    } wrong[] = {
        {"", "no line 'quorum'"},
        {"quorum D\n", "line 4"},
        {"quorum A\nquorum A\n", "line 5"},
        {"group g 3 A B\nquorum g\n", "line 4"},
        {"group g 0 A B\nquorum g\n", "line 4"},
        {"group g most A B\nquorum g\n", "line 4"},
        {"group g any\nquorum g\n", "line 4"},
        {"group g any A A\nquorum g\n", "line 4"},
        {"group g any A\ngroup h any A B\nquorum h\n", "line 5"},
        {"group g any h\ngroup h any A\nquorum g\n", "line 4"},
        {"group none any A\nquorum none\n", "line 4"},
        {"group A any B\nquorum A\n", "line 4"},
        {"quorum A B\n", "line 4"},
        {"witnes A\nquorum none\n", "line 4"},
        {"quorum none", "newline"},
        {"quorum\rnone\n", "control"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[2048];
        struct sq_error err = {0};
        struct sq_trust *t = NULL;
        snprintf(text, sizeof text, "log %s\nwitness A %s\nwitness B %s\n%s", s->log.vkey, s->witness[0].vkey,
                 s->witness[1].vkey, wrong[i].rules);
        if (sq_trust_parse(sq_bytes_of(text, strlen(text)), &t, &err) != SQ_E_FORMAT ||
            strstr(err.text, wrong[i].line) == NULL)
            fail_msg("%s -> %s", wrong[i].rules, err.text);
        assert_null(t);
    }
    char text[2048];
    struct sq_trust *t = NULL;
    const char *const keys[][2] = {{s->witness[0].vkey, s->witness[1].vkey}, {s->log.vkey, s->log.vkey}};
    for (size_t i = 0; i < 2; i++) { /* a witness's key for a log; a log's key for a witness */
        snprintf(text, sizeof text, "log %s\nwitness A %s\nquorum A\n", keys[i][0], keys[i][1]);
        assert_int_equal(sq_trust_parse(sq_bytes_of(text, strlen(text)), &t, NULL), SQ_E_FORMAT);
    }
    snprintf(text, sizeof text, "witness A %s\nwitness B %s\nquorum A\n", s->witness[0].vkey, s->witness[0].vkey);
    assert_int_equal(sq_trust_parse(sq_bytes_of(text, strlen(text)), &t, NULL), SQ_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_cosignatures_have_their_time_and_others_are_refused),
        cmocka_unit_test(published_keys_are_read_as_what_they_are_and_written_back_alike),
        cmocka_unit_test_setup_teardown(a_cosignature_is_over_its_time_and_the_notes_text, begin, end),
        cmocka_unit_test_setup_teardown(a_log_signature_is_no_cosignature_though_the_key_were_the_same, begin, end),
        cmocka_unit_test_setup_teardown(a_proof_file_is_read_back_as_it_was_written, begin, end),
        cmocka_unit_test(published_proof_files_that_are_damaged_are_refused),
        cmocka_unit_test_setup_teardown(a_proof_holds_for_its_own_entry_and_tree_alone, begin, end),
        cmocka_unit_test_setup_teardown(a_quorum_is_met_by_as_many_witnesses_as_the_policy_says, begin, end),
        cmocka_unit_test_setup_teardown(a_checkpoint_of_another_log_or_without_its_logs_signature_is_not_trusted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_policy_that_breaks_a_rule_is_refused_with_the_line, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
