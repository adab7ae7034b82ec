/* The directory file: read as it is meant, sorted as the genesis demands, and refused with the line and the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/base/hash.h"
#include "peers/directory.h"

#define LINES_MAX 64
#define KEYS      32

struct text { /* a file by its lines, from 1 */
    char line[LINES_MAX][200];
    unsigned count;
    char key[KEYS][2 * SQ_KEY_SIZE + 1];
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    assert_true(t->count + 1 < LINES_MAX);
    vsnprintf(t->line[++t->count], sizeof t->line[0], format, args);
    va_end(args);
}

/* Two nodes, not in order; the second hosts a city too. Line numbers are those of the tests below. */
static int begin(void **state)
{
    struct text *t = calloc(1, sizeof *t);
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t public_key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE];
        sq_ed25519_keypair(public_key, secret);
        sq_hex(public_key, SQ_KEY_SIZE, t->key[i]);
    }
    add(t, "network: sanquan-test"); /* 1 */
    add(t, "netting: hub");
    add(t, "round_timeout_ms: 1000");
    add(t, "nodes:");
    add(t, "  - code: \"440000\""); /* 5 */
    add(t, "    node_key: %s", t->key[0]);
    add(t, "    log_key: %s", t->key[1]);
    add(t, "    transport_key: %s", t->key[2]);
    add(t, "    issuers:");
    add(t, "      - code: \"440300\""); /* 10 */
    add(t, "        key: %s", t->key[3]);
    add(t, "      - code: \"440000\"");
    add(t, "        key: %s", t->key[4]);
    add(t, "        transport_key: %s", t->key[5]);
    add(t, "    operators:"); /* 15 */
    add(t, "      - {name: zhang, key: %s}", t->key[6]);
    add(t, "      - {name: li, key: %s, transport_key: %s}", t->key[7], t->key[8]);
    add(t, "  - code: \"310000\"");
    add(t, "    node_key: %s", t->key[9]);
    add(t, "    log_key: %s", t->key[10]); /* 20 */
    add(t, "    transport_key: %s", t->key[11]);
    add(t, "    issuers: [{code: \"310000\", key: %s}]", t->key[12]);
    add(t, "    operators:");
    add(t, "      - {name: zhang, key: %s}", t->key[13]);
    add(t, "      - {name: li, key: %s}", t->key[14]); /* 25 */
    add(t, "regulators:");
    add(t, "  - {name: mof, key: %s}", t->key[15]);
    *state = t;
    return 0;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static size_t whole(const struct text *t, char out[LINES_MAX * 200])
{
    size_t size = 0;
    for (unsigned i = 1; i <= t->count; i++)
        size += (size_t)snprintf(out + size, LINES_MAX * 200 - size, "%s\n", t->line[i]);
    return size;
}

static sq_status parse(const struct text *t, struct sq_directory **d, struct sq_error *err)
{
    char *text = malloc(LINES_MAX * 200);
    size_t size = whole(t, text);
    *d = NULL;
    sq_status st = sq_directory_parse(sq_bytes_of(text, size), "test.yaml", d, err);
    free(text);
    return st;
}

static void is_refused(const struct text *t, unsigned line, const char *reason)
{
    struct sq_directory *d;
    struct sq_error err = {0};
    char begins[32];
    assert_int_equal(parse(t, &d, &err), SQ_E_CONFIG);
    assert_null(d);
    snprintf(begins, sizeof begins, "test.yaml:%u: ", line);
    if (strncmp(err.text, begins, strlen(begins)) != 0 || strstr(err.text, reason) == NULL)
        fail_msg("said \"%s\", expected line %u and \"%s\"", err.text, line, reason);
}

/* ---- what it says ---- */

static void nodes_and_parties_are_sorted_as_the_genesis_demands(void **state)
{
    const struct text *t = *state;
    static const char *const names[] = {"issuer:310000",         "issuer:440000",         "issuer:440300",
                                        "operator:310000/li",    "operator:310000/zhang", "operator:440000/li",
                                        "operator:440000/zhang", "regulator:mof"};
    static const char *const homes[] = {"310000", "440000", "440000", "310000", "310000", "440000", "440000", ""};
    static const int keys[] = {12, 4, 3, 14, 13, 7, 6, 15};
    struct sq_directory *d;
    const Sanquan__V1__Genesis *g;
    uint8_t key[SQ_KEY_SIZE];
    assert_int_equal(parse(t, &d, NULL), SQ_OK);
    assert_int_equal(sq_directory_genesis(d, "440000", &g, NULL), SQ_OK);
    assert_string_equal(g->self, "440000");
    assert_true(g->netting_method == 2 && g->round_timeout_ms == 1000 && g->n_nodes == 2);
    assert_string_equal(g->nodes[0]->code, "310000");
    assert_string_equal(g->nodes[1]->code, "440000");
    assert_int_equal(g->nodes[1]->n_issuers, 2);
    assert_string_equal(g->nodes[1]->issuers[0], "440000");
    assert_string_equal(g->nodes[1]->issuers[1], "440300");
    assert_int_equal(sq_unhex(t->key[2], key, sizeof key, NULL), SQ_OK);
    assert_memory_equal(g->nodes[1]->transport_key.data, key, sizeof key);
    assert_int_equal(g->n_parties, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(g->parties[i]->name, names[i]);
        assert_string_equal(g->parties[i]->node, homes[i]);
        assert_int_equal(sq_unhex(t->key[keys[i]], key, sizeof key, NULL), SQ_OK);
        assert_memory_equal(g->parties[i]->key.data, key, sizeof key);
        assert_int_equal(g->parties[i]->transport_key.len, i == 1 || i == 5 ? SQ_KEY_SIZE : 0);
    }
    sq_directory_free(d);
}

static void the_network_is_named_by_the_hash_of_every_byte(void **state)
{
    struct text *t = *state;
    struct sq_directory *d, *other;
    char text[LINES_MAX * 200], origin[SQ_ORIGIN_SIZE];
    uint8_t hash[SQ_HASH_SIZE];
    assert_int_equal(parse(t, &d, NULL), SQ_OK);
    size_t size = whole(t, text);
    sq_sha256(text, size, hash);
    assert_memory_equal(sq_directory_network_id(d), hash, sizeof hash);
    assert_string_equal(sq_directory_network_name(d), "sanquan-test");
    sq_log_origin(d, "310000", origin);
    assert_string_equal(origin, "sanquan-test/310000");
    add(t, "# a remark");
    assert_int_equal(parse(t, &other, NULL), SQ_OK);
    assert_memory_not_equal(sq_directory_network_id(other), hash, sizeof hash);
    sq_directory_free(d);
    sq_directory_free(other);
}

static void each_netting_has_its_number(void **state)
{
    struct text *t = *state;
    static const struct {
        const char *name;
        uint32_t number;
    } methods[] = {{"bilateral", 1}, {"hub", 2}, {"cycles", 3}, {"funds", 4}, {"gross", 5}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct sq_directory *d;
        snprintf(t->line[2], sizeof t->line[2], "netting: %s", methods[i].name);
        assert_int_equal(parse(t, &d, NULL), SQ_OK);
        assert_int_equal(sq_directory_members(d)->netting_method, methods[i].number);
        sq_directory_free(d);
    }
}

static void only_a_node_of_the_directory_has_a_genesis(void **state)
{
    const struct text *t = *state;
    static const char *const strangers[] = {"", "370000", "440300", "31000", "3100000"};
    struct sq_directory *d;
    const Sanquan__V1__Genesis *g = NULL;
    assert_int_equal(parse(t, &d, NULL), SQ_OK);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        assert_int_equal(sq_directory_genesis(d, strangers[i], &g, NULL), SQ_E_CONFIG);
    assert_null(g);
    sq_directory_free(d);
}

static void it_is_read_from_a_file(void **state)
{
    const struct text *t = *state;
    char text[LINES_MAX * 200], path[] = "/tmp/sanquan-directory-XXXXXX";
    struct sq_directory *d = NULL;
    struct sq_error err = {0};
    int fd = mkstemp(path);
    size_t size = whole(t, text);
    assert_true(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
    assert_int_equal(sq_directory_read(path, &d, NULL), SQ_OK);
    assert_string_equal(sq_directory_network_name(d), "sanquan-test");
    sq_directory_free(d);
    d = NULL;
    unlink(path);
    assert_int_equal(sq_directory_read(path, &d, &err), SQ_E_IO);
    assert_non_null(strstr(err.text, path));
    assert_null(d);
    sq_directory_free(NULL);
}

/* ---- what is refused: one line is another, and the reason names that line ---- */

static void one_wrong_line_is_named_with_its_reason(void **state)
{
    struct text *t = *state;
    static const struct {
        unsigned line, named;
        const char *text, *reason;
    } cases[] = {
        {1, 1, "network: Sanquan", "network: only"},
        {1, 1, "network: sanquan/test", "network: only"},
        {1, 1, "network: \"\"", "network"},
        {2, 2, "netting: fund", "netting is"},
        {2, 2, "netting: Hub", "netting is"},
        {3, 3, "round_timeout_ms: 49", "50 to 600000"},
        {3, 3, "round_timeout_ms: 600001", "50 to 600000"},
        {3, 3, "round_timeout_ms: soon", "round_timeout_ms"},
        {3, 3, "round_timeout_ms: -1", "round_timeout_ms"},
        {5, 5, "  - code: \"44000x\"", "not six digits"},
        {5, 5, "  - code: \"040000\"", "not six digits"},
        {5, 5, "  - code: \"4400000\"", "code"},
        {5, 5, "  - code: \"44000\"", "code"},
        {10, 10, "      - code: \"44o300\"", "not six digits"},
        {6, 6, "    node_key: 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
         "lower-case hexadecimal"},
        {6, 6, "    node_key: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeef", "node_key"},
        {7, 7, "    log_key: 9599999999999999999999999999999999999999999999999999999999999999", "usable Ed25519"},
        {11, 11, "        key: 0000000000000000000000000000000000000000000000000000000000000000", "usable Ed25519"},
        {16, 16, "      - {name: Zhang, key: 00}", "key"},
        {18, 18, "  - code: \"440000\"", "node 440000 stands twice"},
        {8, 8, "    transport_keys: x", "transport_keys"},
        {9, 9, "    issuer:", "issuer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text copy = *t;
        snprintf(copy.line[cases[i].line], sizeof copy.line[0], "%s", cases[i].text);
        is_refused(&copy, cases[i].named, cases[i].reason);
    }
}

static void a_name_has_plain_letters_only(void **state)
{
    struct text *t = *state;
    static const char *const wrong[] = {"Zhang", "zhang san", "\xe5\xbc\xa0", "a/b", "a:b"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct text copy = *t;
        snprintf(copy.line[16], sizeof copy.line[0], "      - {name: \"%s\", key: %s}", wrong[i], t->key[6]);
        is_refused(&copy, 16, "only a-z");
        copy = *t;
        snprintf(copy.line[27], sizeof copy.line[0], "  - {name: \"%s\", key: %s}", wrong[i], t->key[6]);
        is_refused(&copy, 27, "only a-z");
    }
}

static void a_key_in_two_places_is_refused_at_the_second(void **state)
{
    struct text *t = *state;
    struct text copy = *t;
    snprintf(copy.line[7], sizeof copy.line[0], "    log_key: %s", t->key[0]);
    is_refused(&copy, 7, "two places");
    copy = *t;
    snprintf(copy.line[19], sizeof copy.line[0], "    node_key: %s", t->key[8]); /* an operator's transport key */
    is_refused(&copy, 19, "two places");
    copy = *t;
    snprintf(copy.line[27], sizeof copy.line[0], "  - {name: mof, key: %s}", t->key[14]);
    is_refused(&copy, 27, "two places");
}

static void a_name_that_stands_twice_is_refused_at_the_second(void **state)
{
    struct text *t = *state;
    struct text copy = *t;
    snprintf(copy.line[22], sizeof copy.line[0],
             "    issuers: [{code: \"310000\", key: %s}, {code: \"440300\", key: %s}]", t->key[12], t->key[20]);
    is_refused(&copy, 22, "issuer:440300 stands twice");
    copy = *t;
    snprintf(copy.line[25], sizeof copy.line[0], "      - {name: zhang, key: %s}", t->key[14]);
    is_refused(&copy, 25, "operator:310000/zhang stands twice");
    copy = *t;
    add(&copy, "  - {name: mof, key: %s}", t->key[21]);
    is_refused(&copy, 28, "regulator:mof stands twice");
}

static void what_is_missing_or_too_little_is_refused(void **state)
{
    struct text *t = *state;
    static const struct {
        unsigned from, to;
        const char *reason;
    } cases[] = {
        {1, 1, "network"},     {2, 2, "netting"},       {3, 3, "round_timeout_ms"}, {6, 6, "node_key"},
        {7, 7, "log_key"},     {8, 8, "transport_key"}, {9, 14, "issuers"},         {11, 11, "key"},
        {15, 17, "operators"}, {17, 17, "operators"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text copy = *t;
        struct sq_directory *d;
        struct sq_error err = {0};
        for (unsigned line = cases[i].from; line <= cases[i].to; line++)
            copy.line[line][0] = '\0';
        assert_int_equal(parse(&copy, &d, &err), SQ_E_CONFIG);
        assert_null(d);
        unsigned named = (unsigned)strtoul(err.text + strlen("test.yaml:"), NULL, 10);
        if (named == 0 || named > t->count + 1)
            fail_msg("said \"%s\" of line %u", err.text, cases[i].from);
    }
    for (unsigned line = 5; line <= 25; line++)
        t->line[line][0] = '\0';
    snprintf(t->line[4], sizeof t->line[4], "nodes: []");
    is_refused(t, 4, "nodes");
}

static void what_is_no_directory_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "\n", "---\n", "[]", "network", "{", "\xff\xfe", "a: &x [*x]\n", "network: &a b\nnetting: *a\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sq_directory *d = NULL;
        struct sq_error err = {0};
        assert_int_equal(sq_directory_parse(sq_bytes_of(wrong[i], strlen(wrong[i])), "test.yaml", &d, &err),
                         SQ_E_CONFIG);
        assert_true(strncmp(err.text, "test.yaml:", 10) == 0);
        assert_null(d);
    }
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(nodes_and_parties_are_sorted_as_the_genesis_demands),
        STORY(the_network_is_named_by_the_hash_of_every_byte),
        STORY(each_netting_has_its_number),
        STORY(only_a_node_of_the_directory_has_a_genesis),
        STORY(it_is_read_from_a_file),
        STORY(one_wrong_line_is_named_with_its_reason),
        STORY(a_name_has_plain_letters_only),
        STORY(a_key_in_two_places_is_refused_at_the_second),
        STORY(a_name_that_stands_twice_is_refused_at_the_second),
        STORY(what_is_missing_or_too_little_is_refused),
        STORY(what_is_no_directory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
