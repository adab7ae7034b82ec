/* Key files: what is written is read, by its owner only, and a damaged file is never taken for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peers/keys.h"

#define NAME "provider:91310199TXXXXX0015"

struct place {
    char dir[64], path[96];
};

static int begin(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    strcpy(p->dir, "/tmp/sanquan-keys-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/a.key", p->dir);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;
    unlink(p->path);
    assert_int_equal(rmdir(p->dir), 0);
    free(p);
    return 0;
}

static struct sq_keys *made(const char *name)
{
    struct sq_keys *k;
    assert_int_equal(sq_keys_new(name, &k, NULL), SQ_OK);
    return k;
}

static void write_keys(const struct place *p, const struct sq_keys *k, const char *passphrase)
{
    struct sq_error err = {0};
    if (sq_keys_write(k, p->path, passphrase, &err) != SQ_OK)
        fail_msg("%s", err.text);
}

static size_t load(const struct place *p, char text[4096])
{
    FILE *f = fopen(p->path, "r");
    assert_non_null(f);
    size_t size = fread(text, 1, 4096, f);
    fclose(f);
    return size;
}

static void store(const struct place *p, const char *text, size_t size)
{
    unlink(p->path); /* some file systems flush a file that is cut to nothing and written anew */
    int fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
}

struct answer { /* what a person types, and how often they were asked */
    const char *text;
    sq_status status;
    int asked;
};

static sq_status ask(void *ctx, char *out, size_t out_size, struct sq_error *err)
{
    struct answer *a = ctx;
    a->asked++;
    if (a->status != SQ_OK)
        return sq_fail(err, a->status, "nobody is here");
    snprintf(out, out_size, "%s", a->text);
    return SQ_OK;
}

static int same_keys(const struct sq_keys *a, const struct sq_keys *b)
{
    return strcmp(a->name, b->name) == 0 && a->has_log == b->has_log &&
           memcmp(a->public_key, b->public_key, SQ_KEY_SIZE) == 0 &&
           memcmp(a->secret, b->secret, SQ_SECRET_SIZE) == 0 &&
           memcmp(a->transport_public, b->transport_public, SQ_KEY_SIZE) == 0 &&
           memcmp(a->transport_secret, b->transport_secret, SQ_KEY_SIZE) == 0 &&
           memcmp(a->log_public, b->log_public, SQ_KEY_SIZE) == 0 &&
           memcmp(a->log_secret, b->log_secret, SQ_SECRET_SIZE) == 0;
}

/* ---- making, writing, reading ---- */

static void keys_of_two_participants_are_all_different(void **state)
{
    (void)state;
    struct sq_keys *a = made(NAME), *node = made("node:310000");
    assert_string_equal(a->name, NAME);
    assert_true(!a->has_log && node->has_log);
    assert_memory_not_equal(a->public_key, node->public_key, SQ_KEY_SIZE);
    assert_memory_not_equal(a->transport_public, node->transport_public, SQ_KEY_SIZE);
    assert_memory_not_equal(node->public_key, node->log_public, SQ_KEY_SIZE); /* a key for each use */
    sq_secret_free(a);
    sq_secret_free(node);
}

static void only_participants_have_keys(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "zhang",       ":",
        "provider:",  ":x",          "node:0123456789012345678901234567890123456789012345",
        "holder:a b", "holder:a\nb", "holder:\xe5\xbc\xa0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sq_keys *k = NULL;
        struct sq_error err = {0};
        if (sq_keys_new(wrong[i], &k, &err) != SQ_E_FORMAT)
            fail_msg("there are keys for \"%s\"", wrong[i]);
        assert_null(k);
        assert_int_equal(err.status, SQ_E_FORMAT);
    }
}

static void what_is_written_is_read_again(void **state)
{
    const struct place *p = *state;
    static const char *const names[] = {NAME, "node:310000", "operator:310000/zhang", "regulator:mof"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sq_keys *k = made(names[i]), *again = NULL;
        struct stat file;
        struct answer nobody = {"", SQ_E_TIMEOUT, 0};
        write_keys(p, k, i % 2 == 0 ? NULL : "");
        assert_int_equal(stat(p->path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
        assert_int_equal(sq_keys_read(p->path, ask, &nobody, &again, NULL), SQ_OK);
        assert_int_equal(nobody.asked, 0); /* a plain file needs no passphrase */
        assert_true(same_keys(k, again));
        sq_secret_free(k);
        sq_secret_free(again);
        unlink(p->path);
    }
}

static void the_public_half_is_read_without_secrets(void **state)
{
    const struct place *p = *state;
    uint8_t zeros[SQ_SECRET_SIZE] = {0};
    struct sq_keys *k = made("node:310000"), *again = NULL;
    write_keys(p, k, NULL);
    assert_int_equal(sq_keys_read_public(p->path, &again, NULL), SQ_OK);
    assert_string_equal(again->name, k->name);
    assert_memory_equal(again->public_key, k->public_key, SQ_KEY_SIZE);
    assert_memory_equal(again->transport_public, k->transport_public, SQ_KEY_SIZE);
    assert_memory_equal(again->log_public, k->log_public, SQ_KEY_SIZE);
    assert_memory_equal(again->secret, zeros, SQ_SECRET_SIZE);
    assert_memory_equal(again->transport_secret, zeros, SQ_KEY_SIZE);
    assert_memory_equal(again->log_secret, zeros, SQ_SECRET_SIZE);
    sq_secret_free(k);
    sq_secret_free(again);
}

static void a_file_that_is_there_is_never_overwritten(void **state)
{
    const struct place *p = *state;
    struct sq_keys *k = made(NAME);
    struct sq_error err = {0};
    char text[4096];
    store(p, "somebody's", 10);
    assert_int_equal(sq_keys_write(k, p->path, NULL, &err), SQ_E_IO);
    assert_non_null(strstr(err.text, "never overwritten"));
    assert_int_equal(load(p, text), 10);
    assert_memory_equal(text, "somebody's", 10);
    assert_int_equal(sq_keys_write(k, "/nonexistent/a.key", NULL, &err), SQ_E_IO);
    sq_secret_free(k);
}

/* ---- passphrases ---- */

static void a_sealed_file_opens_with_its_passphrase_only(void **state)
{
    const struct place *p = *state;
    struct sq_keys *k = made("node:310000"), *again = NULL;
    struct answer right = {"correct horse", SQ_OK, 0}, wrong = {"correct horsf", SQ_OK, 0},
                  gone = {"", SQ_E_TIMEOUT, 0};
    struct sq_error err = {0};
    char text[4096], hex[2 * SQ_KEY_SIZE + 1];
    write_keys(p, k, "correct horse");
    text[load(p, text)] = '\0';
    sq_hex(k->secret, SQ_KEY_SIZE, hex);
    assert_null(strstr(text, hex));
    assert_null(strstr(text, "secret:"));
    assert_int_equal(sq_keys_read(p->path, ask, &right, &again, NULL), SQ_OK);
    assert_int_equal(right.asked, 1);
    assert_true(same_keys(k, again));
    sq_secret_free(again);
    again = NULL;
    assert_int_equal(sq_keys_read(p->path, ask, &wrong, &again, &err), SQ_E_CRYPTO);
    assert_non_null(strstr(err.text, "passphrase"));
    assert_int_equal(sq_keys_read(p->path, NULL, NULL, &again, &err), SQ_E_CRYPTO);
    assert_int_equal(sq_keys_read(p->path, ask, &gone, &again, &err), SQ_E_TIMEOUT);
    assert_null(again);
    assert_int_equal(sq_keys_read_public(p->path, &again, NULL), SQ_OK); /* this half is for all to see */
    sq_secret_free(again);
    sq_secret_free(k);
}

static void a_passphrase_file_holds_one_line(void **state)
{
    const struct place *p = *state;
    static const struct {
        const char *text;
        size_t size;
        const char *passphrase; /* NULL: refused */
    } cases[] = {
        {"correct horse\n", 14, "correct horse"},
        {"correct horse", 13, "correct horse"},
        {"a\r\n", 3, "a"},
        {" a ", 3, " a "},
        {"", 0, NULL},
        {"\n", 1, NULL},
        {"a\nb\n", 4, NULL},
        {"a\0b", 3, NULL},
        {"0123456789012345", 16, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[16] = "untouched";
        store(p, cases[i].text, cases[i].size);
        assert_int_equal(sq_passphrase_read(p->path, out, sizeof out, NULL),
                         cases[i].passphrase != NULL ? SQ_OK : SQ_E_FORMAT);
        assert_string_equal(out, cases[i].passphrase != NULL ? cases[i].passphrase : "untouched");
    }
    unlink(p->path);
    char out[16];
    assert_int_equal(sq_passphrase_read(p->path, out, sizeof out, NULL), SQ_E_IO);
}

/* ---- files that are not right ---- */

static void a_file_that_others_can_read_is_refused(void **state)
{
    const struct place *p = *state;
    struct sq_keys *k = made(NAME), *again = NULL;
    write_keys(p, k, NULL);
    for (unsigned mode = 0; mode < 0100; mode++) {
        struct sq_error err = {0};
        assert_int_equal(chmod(p->path, 0600 | mode), 0);
        sq_status st = sq_keys_read(p->path, NULL, NULL, &again, &err);
        assert_int_equal(st, mode == 0 ? SQ_OK : SQ_E_CRYPTO);
        if (st == SQ_OK)
            sq_secret_free(again);
        else
            assert_non_null(strstr(err.text, "chmod 600"));
        assert_int_equal(sq_keys_read_public(p->path, &again, NULL), mode == 0 ? SQ_OK : SQ_E_CRYPTO);
        if (mode == 0)
            sq_secret_free(again);
    }
    assert_int_equal(chmod(p->path, 0400), 0);
    assert_int_equal(sq_keys_read(p->path, NULL, NULL, &again, NULL), SQ_OK);
    sq_secret_free(again);
    sq_secret_free(k);
}

static void what_is_no_key_file_is_refused(void **state)
{
    const struct place *p = *state;
    static const char *const wrong[] = {"", "\n", "sanquan-key: v2\n", "sanquan-key: v1\n",
                                        "sanquan-key: v1\nname: " NAME "\n"};
    struct sq_keys *k = NULL;
    char large[4098];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        store(p, wrong[i], strlen(wrong[i]));
        assert_int_equal(sq_keys_read(p->path, NULL, NULL, &k, NULL), SQ_E_FORMAT);
    }
    memset(large, 'a', sizeof large);
    store(p, large, 4097);
    assert_int_equal(sq_keys_read(p->path, NULL, NULL, &k, NULL), SQ_E_FORMAT);
    assert_int_equal(sq_keys_read(p->dir, NULL, NULL, &k, NULL), SQ_E_FORMAT);
    unlink(p->path);
    assert_int_equal(sq_keys_read(p->path, NULL, NULL, &k, NULL), SQ_E_IO);
    assert_null(k);
}

/* What a damaged file may still be: the same keys, perhaps under another name. */
static void is_refused_or_has_the_same_keys(const struct place *p, const struct sq_keys *k, size_t at, size_t name_from,
                                            size_t name_to)
{
    struct sq_keys *again = NULL;
    struct sq_error err = {0};
    sq_status st = sq_keys_read(p->path, NULL, NULL, &again, &err);
    if (st != SQ_OK) {
        assert_null(again);
        assert_int_equal(err.status, st);
        return;
    }
    int renamed = strcmp(again->name, k->name) != 0;
    if (renamed && (at < name_from || at >= name_to))
        fail_msg("byte %zu changes the name to %s", at, again->name);
    memcpy(again->name, k->name, sizeof again->name);
    assert_int_equal(sq_curve_pair_ok(again->transport_secret, k->transport_public), 1);
    memcpy(again->transport_secret, k->transport_secret, SQ_KEY_SIZE); /* five bits of it are never looked at */
    if (!same_keys(k, again))
        fail_msg("byte %zu changes a key", at);
    sq_secret_free(again);
}

static void a_file_damaged_at_any_byte_is_refused_or_has_the_same_keys(void **state)
{
    const struct place *p = *state;
    struct sq_keys *k = made("node:310000");
    char text[4096];
    write_keys(p, k, NULL);
    size_t size = load(p, text), from = (size_t)((char *)memmem(text, size, "name: ", 6) - text) + 6,
           to = from + strlen("node:310000");
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit += 3) {
            text[i] = (char)(text[i] ^ (1 << bit));
            store(p, text, size);
            is_refused_or_has_the_same_keys(p, k, i, from, to);
            text[i] = (char)(text[i] ^ (1 << bit));
        }
        store(p, text, i); /* and cut off here */
        is_refused_or_has_the_same_keys(p, k, i, from, to);
    }
    sq_secret_free(k);
}

static void a_sealed_file_that_was_damaged_does_not_open(void **state)
{
    const struct place *p = *state;
    struct sq_keys *k = made(NAME), *again = NULL;
    static const char *const lines[] = {"\ntransport-public: ", "\nsalt: ", "\nsealed: "};
    struct answer right = {"correct horse", SQ_OK, 0};
    char text[4096];
    write_keys(p, k, "correct horse");
    size_t size = load(p, text);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *at = memmem(text, size, lines[i], strlen(lines[i]));
        assert_non_null(at);
        at += strlen(lines[i]) + 5;
        char was = *at;
        *at = was == '0' ? '1' : '0';
        store(p, text, size);
        assert_int_equal(sq_keys_read(p->path, ask, &right, &again, NULL), SQ_E_CRYPTO);
        *at = 'x';
        store(p, text, size);
        assert_int_equal(sq_keys_read(p->path, ask, &right, &again, NULL), SQ_E_FORMAT);
        *at = was;
    }
    assert_null(again);
    sq_secret_free(k);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(keys_of_two_participants_are_all_different),
        STORY(only_participants_have_keys),
        STORY(what_is_written_is_read_again),
        STORY(the_public_half_is_read_without_secrets),
        STORY(a_file_that_is_there_is_never_overwritten),
        STORY(a_sealed_file_opens_with_its_passphrase_only),
        STORY(a_passphrase_file_holds_one_line),
        STORY(a_file_that_others_can_read_is_refused),
        STORY(what_is_no_key_file_is_refused),
        STORY(a_file_damaged_at_any_byte_is_refused_or_has_the_same_keys),
        STORY(a_sealed_file_that_was_damaged_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
