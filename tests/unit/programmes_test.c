/* Every programme file that ships is read and accepted, is marked as illustrative, and says what its reports do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/policy/programme.h"
#include "ops/common/programme_yaml.h"
#include "peers/yaml.h"

#define FOLDER "ops/programmes"

static int is_programme(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static void check_text(const char *path)
{
    uint8_t *data;
    size_t size;
    struct sq_error err;
    static const char mark[] = "# Illustrative, from public reports; not an official text.\n";
    assert_int_equal(sq_file_read(path, &data, &size, &err), SQ_OK);
    assert_true(size > sizeof mark && memcmp(data, mark, sizeof mark - 1) == 0);
    if (memmem(data, size, "# The reports do not say: ", 26) == NULL)
        fail_msg("%s does not say what is unknown", path);
    free(data);
}

static void every_file_is_a_programme_that_a_node_accepts(void **state)
{
    (void)state;
    struct dirent **file;
    int n = scandir(FOLDER, &file, is_programme, alphasort);
    assert_true(n >= 25);
    struct sq_terms *terms = malloc(sizeof *terms);
    uint64_t last = 0;
    for (int i = 0; i < n; i++) {
        char path[400], name[16];
        struct sq_arena arena;
        struct sq_error err;
        Sanquan__V1__Programme *m;
        snprintf(path, sizeof path, FOLDER "/%s", file[i]->d_name);
        assert_int_equal(sq_arena_init(&arena, 1u << 20, &err), SQ_OK);
        if (sq_programme_read(path, &arena, &m, &err) != SQ_OK)
            fail_msg("%s", err.text);
        assert_int_equal(sq_terms_compile(m, terms, &err), SQ_OK);
        check_text(path);
        snprintf(name, sizeof name, "%06u-%u-", m->issuer, m->number);
        if (strncmp(file[i]->d_name, name, strlen(name)) != 0)
            fail_msg("%s holds programme %s", path, name);
        assert_true((uint64_t)m->issuer * 10000 + m->number > last); /* no programme twice */
        last = (uint64_t)m->issuer * 10000 + m->number;
        sq_arena_free(&arena);
        free(file[i]);
    }
    free(file);
    free(terms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_is_a_programme_that_a_node_accepts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
