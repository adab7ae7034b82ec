/* YAML files of people: only what the schema asks for, and a reason with its line for everything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peers/yaml.h"

struct item {
    char *name;
    unsigned size;
};
struct shelf {
    char *owner;
    struct item *items;
    unsigned items_count;
};

static const cyaml_schema_field_t item_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct item, name, 1, 8),
    CYAML_FIELD_UINT("size", CYAML_FLAG_OPTIONAL, struct item, size),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t item_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct item, item_fields)};
static const cyaml_schema_field_t shelf_fields[] = {
    CYAML_FIELD_STRING_PTR("owner", CYAML_FLAG_POINTER, struct shelf, owner, 1, 8),
    CYAML_FIELD_SEQUENCE("items", CYAML_FLAG_POINTER, struct shelf, items, &item_schema, 1, 3),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t shelf_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct shelf, shelf_fields)};

static sq_status parse(const char *text, void **out, struct sq_error *err)
{
    *out = NULL;
    return sq_yaml_parse(sq_bytes_of(text, strlen(text)), "shelf.yaml", &shelf_schema, out, err);
}

static void what_the_schema_asks_for_is_read(void **state)
{
    (void)state;
    void *value;
    assert_int_equal(
        parse("# mine\nowner: li\nitems:\n  - name: book\n    size: 7\n  - {name: \"\xe4\xb9\xa6\"}\n", &value, NULL),
        SQ_OK);
    const struct shelf *s = value;
    assert_string_equal(s->owner, "li");
    assert_int_equal(s->items_count, 2);
    assert_string_equal(s->items[0].name, "book");
    assert_int_equal(s->items[0].size, 7);
    assert_string_equal(s->items[1].name, "\xe4\xb9\xa6");
    assert_int_equal(s->items[1].size, 0);
    sq_yaml_free(&shelf_schema, value);
    sq_yaml_free(&shelf_schema, NULL);
}

static void everything_else_is_refused_with_line_field_and_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *begins, *reason;
    } cases[] = {
        {"owner: \"\"\nitems:\n  - name: a\n", "shelf.yaml:1: owner: ", "length"},
        {"owner: li\nitems:\n  - name: a\n  - name: muchtoolong\n", "shelf.yaml:4: name: ", "length"},
        {"owner: li\nitems:\n  - name: a\n    size: big\n", "shelf.yaml:4: size: ", "big"},
        {"owner: li\nitems:\n  - name: a\n    size: -1\n", "shelf.yaml:4: size: ", "-1"},
        {"owner: li\nitems:\n  - name: a\n    size: 4294967296\n", "shelf.yaml:4: size: ", "4294967296"},
        {"owner: li\nitems: []\n", "shelf.yaml:2: items: ", "nsufficient"},
        {"owner: li\nitems:\n  - name: a\n  - name: b\n  - name: c\n  - name: d\n", "shelf.yaml:6: items: ", "xcess"},
        {"owner: [li]\nitems:\n  - name: a\n", "shelf.yaml:1: owner: ", "STRING"},
        {"owner: li\nitems: a\n", "shelf.yaml:2: items: ", "SEQUENCE"},
        {"owner: li\nitems:\n  - name: a\n    colour: red\n", "shelf.yaml:4: ", "Unexpected key: colour"},
        {"owner: li\ncolour: red\nitems:\n  - name: a\n", "shelf.yaml:2: ", "Unexpected key: colour"},
        {"owner: li\nitems:\n  - size: 1\n", "shelf.yaml:3: ", "Missing required mapping field: name"},
        {"owner: li\nowner: zhang\nitems:\n  - name: a\n", "shelf.yaml:", "already seen: owner"},
        {"", "shelf.yaml:", "empty"},
        {"owner: li\nitems:\n\t- name: a\n", "shelf.yaml:", ""},
        {"owner: &a li\nitems:\n  - name: *a\n", "shelf.yaml:", ""}, /* nothing is said twice by reference */
        {"owner: \"\xff\"\nitems:\n  - name: a\n", "shelf.yaml:", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *value;
        struct sq_error err = {0};
        assert_int_equal(parse(cases[i].text, &value, &err), SQ_E_CONFIG);
        assert_null(value);
        if (strncmp(err.text, cases[i].begins, strlen(cases[i].begins)) != 0 ||
            strstr(err.text, cases[i].reason) == NULL)
            fail_msg("case %zu: said \"%s\", expected \"%s...%s\"", i, err.text, cases[i].begins, cases[i].reason);
    }
}

/* References would let one line stand for many. */
static void a_small_file_cannot_become_a_large_one(void **state)
{
    (void)state;
    void *value;
    static const char bomb[] = "owner: li\nitems: &a\n  - &b {name: x}\n  - *b\n";
    assert_int_equal(parse(bomb, &value, NULL), SQ_E_CONFIG);
    assert_null(value);
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    char path[] = "/tmp/sanquan-yaml-XXXXXX";
    int fd = mkstemp(path);
    uint8_t *data = NULL;
    size_t size = 77;
    struct sq_error err = {0};
    assert_true(fd >= 0 && ftruncate(fd, SQ_YAML_SIZE_MAX) == 0);
    assert_int_equal(sq_file_read(path, &data, &size, NULL), SQ_OK);
    assert_int_equal(size, SQ_YAML_SIZE_MAX);
    free(data);
    data = NULL;
    size = 77;
    assert_int_equal(ftruncate(fd, SQ_YAML_SIZE_MAX + 1), 0);
    assert_int_equal(sq_file_read(path, &data, &size, &err), SQ_E_IO);
    assert_non_null(strstr(err.text, "larger"));
    close(fd);
    unlink(path);
    assert_int_equal(sq_file_read(path, &data, &size, &err), SQ_E_IO);
    assert_int_equal(sq_file_read("/tmp", &data, &size, &err), SQ_E_IO);
    assert_null(data);
    assert_int_equal(size, 77);
}

static void a_place_has_a_line(void **state)
{
    (void)state;
    static const char text[] = "# shelf\nowner: li\n\nitems:\n  - name: a\n    size: 1\n  - {name: b,\n     size: 2}\n";
    static const struct {
        const char *place;
        unsigned line;
    } cases[] = {
        {"owner", 2},         {"items[0].name", 5},   {"items[0].size", 6}, {"items[1].size", 8},
        {"items[1].name", 7}, {"items[1].colour", 7}, {"nothing", 2}, /* the longest part that is there: all of it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sq_yaml_line(sq_bytes_of(text, sizeof text - 1), cases[i].place) != cases[i].line)
            fail_msg("%s is on line %u", cases[i].place,
                     sq_yaml_line(sq_bytes_of(text, sizeof text - 1), cases[i].place));
    assert_int_equal(sq_yaml_line(sq_bytes_of("{", 1), "owner"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_schema_asks_for_is_read),
        cmocka_unit_test(everything_else_is_refused_with_line_field_and_reason),
        cmocka_unit_test(a_small_file_cannot_become_a_large_one),
        cmocka_unit_test(a_file_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_place_has_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
