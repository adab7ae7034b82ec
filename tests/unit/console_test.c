/* The console's own files: what it takes as its configuration, its tokens and its pages, and what it refuses, with the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clearing/base/hash.h"
#include "ops/console/console.h"
#include "peers/crypto.h"

#define NOW_MS 1790000000000u

struct folder {
    char path[64], file[128];
};

static int make_folder(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    strcpy(f->path, "/tmp/sanquan-console.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->file, sizeof f->file, "%s/file.yaml", f->path);
    *state = f;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *f = *state;
    char path[128];
    static const char *const names[] = {"file.yaml", "index.html", "app.js", "notes.txt", ".hidden.js"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, names[i]);
        unlink(path);
    }
    rmdir(f->path);
    free(f);
    return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
}

#define WHOLE "node: \"310000\"\ndirectory: d\nledger: l\ntokens: t\npages: p\n"

static void a_configuration_is_read_and_has_a_usual_rate(void **state)
{
    struct folder *f = *state;
    struct sq_console_settings *s;
    write_file(f->file, WHOLE "bind: \"127.0.0.1:0\"\n", 0644);
    assert_int_equal(sq_console_settings_read(f->file, &s, NULL), SQ_OK);
    assert_string_equal(s->node, "310000");
    assert_string_equal(s->bind, "127.0.0.1:0");
    assert_null(s->connect);
    assert_null(s->certificate);
    assert_int_equal(s->requests_a_minute, 600);
    sq_console_settings_free(s);
}

static void a_wrong_configuration_is_refused_with_its_reason(void **state)
{
    struct folder *f = *state;
    static const char *const cases[][2] = {
        {"bind: \"0.0.0.0:8443\"\n", "without a certificate only loopback"}, /* tokens would travel in the clear */
        {"bind: \"127.0.0.1\"\n", "ADDRESS:PORT"},
        {"bind: \"127.0.0.1:99999\"\n", "ADDRESS:PORT"},
        {"bind: \"127.0.0.1:1\"\ncertificate: c\n", "go together"},
        {"bind: \"127.0.0.1:1\"\nconnect: c\n", "go together"},
        {"bind: \"127.0.0.1:1\"\nrequests_a_minute: 100001\n", "1 to 100000"},
        {"bind: \"127.0.0.1:1\"\ncolour: red\n", "colour"},
        {"", "bind"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        struct sq_error err = {0};
        struct sq_console_settings *s = NULL;
        snprintf(text, sizeof text, WHOLE "%s", cases[i][0]);
        write_file(f->file, text, 0644);
        assert_int_equal(sq_console_settings_read(f->file, &s, &err), SQ_E_CONFIG);
        assert_non_null(strstr(err.text, cases[i][1]));
        assert_null(s);
    }
}

static void token_line(const char *token, const char *rest, char *out, size_t size)
{
    uint8_t hash[32];
    char hex[65];
    sq_sha256(token, strlen(token), hash);
    sq_hex(hash, 32, hex);
    snprintf(out, size, "  - {name: \"Li\", sha256: %s, %s}\n", hex, rest);
}

static void a_token_is_found_by_its_hash_until_its_time_is_over(void **state)
{
    struct folder *f = *state;
    char text[1000] = "tokens:\n";
    struct sq_tokens t;
    token_line("first", "participant: \"regulator:mof\"", text + strlen(text), 300);
    token_line("second", "participant: \"provider:91310199TXXXXX0015\", until: 20260901", text + strlen(text), 300);
    write_file(f->file, text, 0600);
    assert_int_equal(sq_tokens_read(f->file, &t, NULL), SQ_OK);
    assert_int_equal(t.count, 2);
    assert_string_equal(sq_tokens_find(&t, "first", NOW_MS)->participant, "regulator:mof");
    assert_string_equal(sq_tokens_find(&t, "second", t.list[1].until_ms - 1)->participant,
                        "provider:91310199TXXXXX0015");
    assert_null(sq_tokens_find(&t, "second", t.list[1].until_ms));
    assert_null(sq_tokens_find(&t, "firs", NOW_MS));
    assert_null(sq_tokens_find(&t, "", NOW_MS));
    sq_tokens_free(&t);
}

static void tokens_that_others_can_read_or_of_nobody_are_refused(void **state)
{
    struct folder *f = *state;
    static const char *const cases[][2] = {{"participant: \"evaluator:x\"", "evaluator:x"},
                                           {"participant: \"root\"", "root"},
                                           {"participant: \"regulator:mof\", until: 20261399", "until"}};
    struct sq_tokens t = {0};
    struct sq_error err = {0};
    char text[400] = "tokens:\n";
    token_line("first", "participant: \"regulator:mof\"", text + strlen(text), 300);
    write_file(f->file, text, 0640);
    assert_int_equal(sq_tokens_read(f->file, &t, &err), SQ_E_CONFIG);
    assert_non_null(strstr(err.text, "chmod 600"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strcpy(text, "tokens:\n");
        token_line("first", cases[i][0], text + strlen(text), 300);
        write_file(f->file, text, 0600);
        assert_int_equal(sq_tokens_read(f->file, &t, &err), SQ_E_CONFIG);
        assert_non_null(strstr(err.text, cases[i][1]));
        assert_int_equal(t.count, 0);
    }
}

static void pages_are_those_of_the_folder_and_nothing_else(void **state)
{
    struct folder *f = *state;
    struct sq_console_settings s = {.pages = f->path};
    struct sq_pages p = {.count = 0};
    struct sq_error err = {0};
    char path[128];
    assert_int_equal(sq_pages_read(&s, &p, &err), SQ_E_CONFIG);
    assert_non_null(strstr(err.text, "index.html"));
    sq_pages_free(&p);
    static const char *const names[] = {"index.html", "app.js", "notes.txt", ".hidden.js"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, names[i]);
        write_file(path, names[i], 0644);
    }
    assert_int_equal(sq_pages_read(&s, &p, NULL), SQ_OK);
    assert_int_equal(p.count, 2);
    assert_string_equal(sq_pages_find(&p, "/")->path, "/index.html");
    assert_string_equal(sq_pages_find(&p, "/app.js")->type, "text/javascript; charset=utf-8");
    static const char *const absent[] = {"/notes.txt", "/.hidden.js",    "/app.js/", "app.js",
                                         "",           "/../index.html", "/APP.JS"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(sq_pages_find(&p, absent[i]));
    sq_pages_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_configuration_is_read_and_has_a_usual_rate, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_wrong_configuration_is_refused_with_its_reason, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_token_is_found_by_its_hash_until_its_time_is_over, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(tokens_that_others_can_read_or_of_nobody_are_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(pages_are_those_of_the_folder_and_nothing_else, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
