/* The text of signed notes: every border of UTF-8, control characters, and the names of keys. Mutants of note.c that nothing else noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "clearing/ledger/tree.h"

#define NAME "sanquan.test/310000"

static int accept(sq_bytes message, const uint8_t signature[static 64], const uint8_t key[static 32])
{
    (void)key;
    return message.size != 0 && signature[0] == 7;
}

static sq_status open_note(const char *body, uint64_t *verified)
{
    const struct sq_note_key key = {.name = NAME};
    const uint8_t signature[64] = {7};
    char note[SQ_NOTE_SIZE_MAX];
    sq_bytes opened;
    size_t size = sq_note_write(body, strlen(body), key.name, key.key, signature, note, sizeof note);
    assert_true(size > strlen(body));
    sq_status st = sq_note_open(sq_bytes_of(note, size), &key, 1, accept, &opened, verified, NULL);
    if (st == SQ_OK)
        assert_true(opened.size == strlen(body) && memcmp(opened.data, body, opened.size) == 0);
    return st;
}

static void text_is_utf_8_without_control_characters_but_newline(void **state)
{
    static const char *const good[] = {
        " ~\n",           "\xc2\x80\n",         "\xc3\xa9\n",         "\xdf\xbf\n",
        "\xe0\xa0\x80\n", "\xe2\x82\xac\n",     "\xed\x9f\xbf\n",     "\xee\x80\x80\n",
        "\xef\xbf\xbf\n", "\xf0\x90\x80\x80\n", "\xf3\xa0\x80\x80\n", "\xf4\x8f\xbf\xbf\n",
        "三券\n"};
    static const char *const bad[] = {"\x01\n",
                                      "\t\n",
                                      "\x1f\n",
                                      "\x7f\n",
                                      "\x80\n",
                                      "\xbf\n",
                                      "\xc0\x80\n",
                                      "\xc1\xbf\n",
                                      "\xc3(\n",
                                      "\xc3\n",
                                      "\xe0\x9f\xbf\n",
                                      "\xe2\x82\n",
                                      "\xe2\x28\xac\n",
                                      "\xed\xa0\x80\n",
                                      "\xef\xbf\xc0\n",
                                      "\xf0\x8f\xbf\xbf\n",
                                      "\xf0\x90\x80\n",
                                      "\xf4\x90\x80\x80\n",
                                      "\xf5\x80\x80\x80\n",
                                      "\xff\n"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t verified = 0;
        if (open_note(good[i], &verified) != SQ_OK || verified != 1)
            fail_msg("text %zu is good", i);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t verified = 0;
        if (open_note(bad[i], &verified) != SQ_E_FORMAT || verified != 0)
            fail_msg("text %zu is bad", i);
    }
}

/* Its id is right, so nothing but the name is wrong with it. */
static sq_status parse(const char *name, struct sq_note_key *out)
{
    const uint8_t key[32] = {0};
    char vkey[256];
    snprintf(vkey, sizeof vkey, "%s+%08x+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", name,
             sq_note_key_id(name, key));
    return sq_note_key_parse(vkey, out, NULL);
}

static void a_key_has_a_name_without_spaces_plus_signs_and_control_characters(void **state)
{
    static const char *const good[] = {"a", "!", "~", NAME, "三券/310000"};
    static const char *const bad[] = {"", " ", "a b", "a\x7f", "a\x1f", "+", "a+b", "\n"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct sq_note_key k;
        assert_int_equal(parse(good[i], &k), SQ_OK);
        assert_string_equal(k.name, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sq_note_key k = {.name = "untouched"};
        assert_int_equal(parse(bad[i], &k), SQ_E_FORMAT);
        assert_string_equal(k.name, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_utf_8_without_control_characters_but_newline),
        cmocka_unit_test(a_key_has_a_name_without_spaces_plus_signs_and_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
