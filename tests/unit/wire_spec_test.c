/* The wire specification says what the code does: its tables and worked examples, read from proto/README.md, against the code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/core/state.h"
#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"
#include "clearing/settlement/settlement.h"
#include "peers/client.h"
#include "peers/message.h"
#include "peers/outbox.h"
#include "tests/support/world.h"

#define CELLS_MAX 8u
#define CELL_SIZE 400u
#define BYTES_MAX 1024u

static char *spec;

static int read_spec(void **state)
{
    (void)state;
    struct sq_error err;
    FILE *f = fopen("proto/README.md", "rb");
    assert_non_null(f); /* tests run in the project's directory */
    spec = calloc(1, 1u << 20);
    assert_non_null(spec);
    size_t n = fread(spec, 1, (1u << 20) - 1, f);
    fclose(f);
    return n == 0 || sq_crypto_init(&err) != SQ_OK;
}

static int drop_spec(void **state)
{
    (void)state;
    free(spec);
    return 0;
}

/* ---- reading the text ---- */

static const char *section(const char *heading)
{
    const char *at = strstr(spec, heading);
    if (at == NULL)
        fail_msg("no \"%s\" in proto/README.md", heading);
    return at;
}

/* The cells of the next table row at or after *at, before the next section; 0 when there is none. Heads and rules are rows too. */
static unsigned next_row(const char **at, char cell[CELLS_MAX][CELL_SIZE])
{
    while (**at != '\0' && **at != '|') {
        *at += strcspn(*at, "\n");
        *at += **at == '\n';
        if (strncmp(*at, "## ", 3) == 0)
            return 0;
    }
    unsigned n = 0;
    while (**at == '|' && n < CELLS_MAX) {
        const char *from = *at + 1 + strspn(*at + 1, " ");
        size_t size = strcspn(from, "|\n");
        if (from[size] != '|')
            break;
        *at = from + size;
        while (size > 0 && from[size - 1] == ' ')
            size--;
        assert_true(size < CELL_SIZE);
        memcpy(cell[n], from, size);
        cell[n++][size] = '\0';
    }
    *at += strcspn(*at, "\n");
    return n;
}

static int is_number(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* Hexadecimal digits among other characters, until `end`. */
static size_t unhex_some(const char *text, const char *end, uint8_t *out)
{
    char digits[2 * BYTES_MAX + 1];
    size_t n = 0;
    for (; text < end; text++)
        if (strchr("0123456789abcdef", *text) != NULL)
            digits[n++] = *text;
    digits[n] = '\0';
    assert_true(n % 2 == 0 && n <= 2 * BYTES_MAX);
    assert_int_equal(sq_unhex(digits, out, n / 2, NULL), SQ_OK);
    return n / 2;
}

struct bytes {
    uint8_t data[BYTES_MAX];
    size_t size;
};

/* "label   hex" in a block of examples; lines that begin with a space go on. */
static struct bytes example(const char *label)
{
    char line[64];
    struct bytes b;
    snprintf(line, sizeof line, "\n%-16s", label);
    const char *from = section(line) + strlen(line), *end = from;
    do
        end += strcspn(end, "\n") + 1;
    while (*end == ' ');
    b.size = unhex_some(from, end, b.data);
    return b;
}

static void assert_example(const char *label, const void *data, size_t size)
{
    struct bytes b = example(label);
    if (b.size != size)
        print_error("%s: %zu bytes in the text, %zu in the code\n", label, b.size, size);
    assert_int_equal(b.size, size);
    assert_memory_equal(b.data, data, size);
}

/* ---- tables ---- */

static const struct {
    const char *name;
    unsigned number;
    int retry;
    const char *text;
} statuses[] = {
#define ROW(name, number, retry, text) {#name, number, retry, text},
    SQ_STATUS_MAP(ROW)
#undef ROW
};

static void every_refusal_has_its_row_and_every_row_is_a_refusal(void **state)
{
    (void)state;
    char cell[CELLS_MAX][CELL_SIZE];
    const char *at = section("## 15. Refusals");
    size_t i = 0, n = sizeof statuses / sizeof *statuses;
    for (unsigned cells; (cells = next_row(&at, cell)) != 0;) {
        if (!is_number(cell[0]))
            continue;
        while (i < n && statuses[i].number < 100)
            i++;
        assert_true(i < n);
        assert_int_equal(cells, 5);
        assert_int_equal(strtoul(cell[0], NULL, 10), statuses[i].number);
        assert_string_equal(cell[1], statuses[i].name + strlen("SQ_R_"));
        assert_string_equal(cell[2], statuses[i].text);
        assert_string_equal(cell[3], statuses[i].retry ? "yes" : "no");
        assert_true(cell[4][0] != '\0');
        i++;
    }
    assert_int_equal(i, n);
}

static void every_message_type_has_its_row(void **state)
{
    (void)state;
    char cell[CELLS_MAX][CELL_SIZE];
    const char *at = section("## 8. Message types");
    const ProtobufCEnumDescriptor *types = &sanquan__v1__message_type__descriptor;
    unsigned rows = 0;
    while (next_row(&at, cell) != 0) {
        if (!is_number(cell[0]))
            continue;
        uint32_t number = (uint32_t)strtoul(cell[0], NULL, 10);
        const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(types, (int)number);
        assert_non_null(v);
        assert_string_equal(v->name, cell[1]);
        assert_non_null(sq_wire_type(number));
        rows++;
    }
    assert_int_equal(rows, types->n_values - 1); /* all but MESSAGE_NONE */
    assert_null(sq_wire_type(0));
}

/* An empty body from each role: what the table does not list is refused for its role, what it lists for another reason or not at all. */
static void each_type_is_taken_from_the_roles_of_its_row(void **state)
{
    (void)state;
    static const char *const roles[] = {"issuer", "operator", "provider", "holder"};
    char cell[CELLS_MAX][CELL_SIZE], name[4][64] = {"issuer:310000", "operator:310000/li"};
    const char *at = section("## 8. Message types");
    struct world *w = world_new(3, SQ_NET_HUB);
    unsigned listed = 0;
    snprintf(name[2], sizeof name[2], "provider:%s", WORLD_PROVIDER);
    snprintf(name[3], sizeof name[3], "holder:%s", WORLD_HOLDER);
    assert_int_equal(world_enrol(w, 0, name[2]), SQ_OK);
    assert_int_equal(world_enrol(w, 0, name[3]), SQ_OK);
    while (next_row(&at, cell) != 0) {
        uint32_t type = (uint32_t)strtoul(cell[0], NULL, 10);
        if (!is_number(cell[0]) || type < SANQUAN__V1__MESSAGE_TYPE__PROGRAMME ||
            type >= SANQUAN__V1__MESSAGE_TYPE__HELLO_OK)
            continue;
        for (size_t i = 0; i < 4; i++) {
            Sanquan__V1__Hello empty; /* packs to nothing, as an empty message of any type does */
            sanquan__v1__hello__init(&empty);
            unsigned status = world_say(w, 0, name[i], type, &empty.base);
            int refused = status == SQ_R_NOT_PERMITTED && strncmp(w->answer.detail, "message type", 12) == 0;
            int may = type < SANQUAN__V1__MESSAGE_TYPE__PROGRAMME_NOTICE && strstr(cell[2], roles[i]) != NULL;
            if (refused == may)
                print_error("%s from %s: %s\n", cell[1], name[i], w->answer.detail);
            assert_int_equal(refused, !may);
            listed += (unsigned)may;
        }
    }
    assert_true(listed > 10);
    world_free(w);
}

static void every_limit_is_the_one_in_the_code(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned long value;
    } limits[] = {
#define LIMIT(name) {#name, name}
        LIMIT(SQ_MESSAGE_SIZE_MAX), LIMIT(SQ_BATCH_ROWS_MAX), LIMIT(SQ_NAME_SIZE_MAX),     LIMIT(SQ_KIND_COUNT),
        LIMIT(SQ_WIRE_DEPTH_MAX),   LIMIT(SQ_WIRE_CELLS_MAX), LIMIT(SQ_WIRE_ELEMENTS_MAX), LIMIT(SQ_OUTBOX_WINDOW),
#undef LIMIT
    };
    char cell[CELLS_MAX][CELL_SIZE];
    const char *at = section("## 16. Limits");
    size_t found = 0;
    while (next_row(&at, cell) != 0)
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
            if (strcmp(cell[0], limits[i].name) == 0) {
                assert_int_equal(strtoul(cell[1], NULL, 10), limits[i].value);
                found++;
            }
    assert_int_equal(found, sizeof limits / sizeof *limits);
}

/* ---- canonical form ---- */

static const ProtobufCMessageDescriptor *shape_of(const char *name)
{
    static const ProtobufCMessageDescriptor *const shapes[] = {
        &sanquan__v1__vote__descriptor, &sanquan__v1__registered__descriptor, &sanquan__v1__query__descriptor};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i]->short_name, name) == 0)
            return shapes[i];
    return NULL;
}

static void every_refused_spelling_is_refused_for_the_reason_given(void **state)
{
    (void)state;
    char cell[CELLS_MAX][CELL_SIZE] = {0};
    const char *at = section("## 6. Canonical form"), *good = strstr(at, "`09 0700");
    uint8_t bytes[BYTES_MAX];
    unsigned rows = 0;
    assert_non_null(good);
    size_t size = unhex_some(good + 1, strchr(good + 1, '`'), bytes);
    assert_int_equal(sq_wire_check(shape_of("Vote"), sq_bytes_of(bytes, size), NULL), SQ_OK);
    while (next_row(&at, cell) != 0) {
        struct sq_error err = {0};
        if (cell[1][0] != '`')
            continue;
        const ProtobufCMessageDescriptor *shape = shape_of(cell[0]);
        assert_non_null(shape);
        size = unhex_some(cell[1], cell[1] + strlen(cell[1]), bytes);
        assert_int_equal(sq_wire_check(shape, sq_bytes_of(bytes, size), &err), SQ_R_MALFORMED);
        if (strstr(err.text, cell[2]) == NULL)
            print_error("%s %s: the code says: %s\n", cell[0], cell[1], err.text);
        assert_non_null(strstr(err.text, cell[2]));
        rows++;
    }
    assert_true(rows > 15);
}

/* ---- worked examples ---- */

static void *take(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

static sq_bytes pack(struct sq_arena *a, const ProtobufCMessage *m)
{
    struct sq_wire_memory memory = {take, a};
    sq_bytes out = {NULL, 0};
    assert_int_equal(sq_wire_pack(m, &memory, &out, NULL), SQ_OK);
    return out;
}

static sq_bytes example_batch(struct sq_arena *a)
{
    uint64_t voucher[2] = {3100000001000000001u, 3100000001000000001u};
    int64_t amount[2] = {30000, 15000}, base[2] = {100000, 50000}, total[2] = {113000, 56500};
    uint32_t service[2] = {7, 7}, day[2] = {20260901, 20260902};
    uint8_t invoice[20] = {0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 0, 1, 0x26, 0x31, 0x20, 0, 0, 0, 0, 0, 0, 2};
    Sanquan__V1__Batch b;
    sanquan__v1__batch__init(&b);
    b.n_voucher = b.n_amount_fen = b.n_base_fen = b.n_invoice_total_fen = b.n_service = b.n_service_day = 2;
    b.voucher = voucher;
    b.amount_fen = amount;
    b.base_fen = base;
    b.invoice_total_fen = total;
    b.service = service;
    b.service_day = day;
    b.invoice = (ProtobufCBinaryData){sizeof invoice, invoice};
    return pack(a, &b.base);
}

static void the_batch_example_is_what_the_code_signs(void **state)
{
    (void)state;
    struct sq_arena a;
    assert_int_equal(sq_arena_init(&a, 1u << 16, NULL), SQ_OK);
    struct bytes seed = example("seed"), key = example("public key"), network = example("network id"),
                 to_sign = example("signed");
    struct sq_header h = {SANQUAN__V1__MESSAGE_TYPE__BATCH, "provider:91310199TXXXXX0015", "node:310000", 1,
                          1790000000000u};
    struct sq_wire_memory memory = {take, &a};
    uint8_t secret[SQ_SECRET_SIZE], hash[SQ_HASH_SIZE];
    struct sq_envelope e;
    sq_bytes body = example_batch(&a), envelope;
    memcpy(secret, seed.data, 32); /* libsodium's way of keeping a secret: seed, then public key */
    memcpy(secret + 32, key.data, 32);
    assert_int_equal(sq_message_seal(&h, body, network.data, secret, &memory, &envelope, NULL), SQ_OK);
    assert_int_equal(sq_envelope_open(envelope, &e, NULL), SQ_OK);
    assert_int_equal(sq_message_check(&e, network.data, key.data, NULL), SQ_OK);
    sq_sha256(body.data, body.size, hash);
    assert_example("header", e.header.data, e.header.size);
    assert_example("body", body.data, body.size);
    assert_example("body hash", hash, sizeof hash);
    assert_example("signature", e.signature.data, e.signature.size);
    assert_example("envelope", envelope.data, envelope.size);
    uint8_t name[SQ_HASH_SIZE];
    assert_int_equal(sq_message_name_of(sq_bytes_of(envelope.data, envelope.size), network.data, name, NULL), SQ_OK);
    assert_example("name", name, sizeof name);
    /* The bytes that are signed, as the table beside the example lays them out. */
    assert_int_equal(sq_ed25519_check(sq_bytes_of(to_sign.data, to_sign.size), e.signature.data, key.data), 1);
    assert_memory_equal(to_sign.data, "sanquan/message/v1", 19);
    assert_memory_equal(to_sign.data + 19, network.data, 32);
    assert_int_equal(sq_get_be32(to_sign.data + 51), SANQUAN__V1__MESSAGE_TYPE__BATCH);
    assert_memory_equal(to_sign.data + 55, e.header.data, e.header.size);
    assert_memory_equal(to_sign.data + 55 + e.header.size, hash, sizeof hash);
    assert_int_equal(to_sign.size, 55 + e.header.size + sizeof hash);
    sq_arena_free(&a);
}

/* A string of the text between two marks, copied. */
static void checkpoint_text(char out[static SQ_NOTE_SIZE_MAX])
{
    const char *from = section("```\nsanquan-demo/310000\n") + 4, *end = strstr(from, "\n```");
    assert_non_null(end);
    memcpy(out, from, (size_t)(end + 1 - from));
    out[end + 1 - from] = '\0';
}

static void the_receipt_example_verifies_and_its_leaf_is_that_of_the_batch(void **state)
{
    (void)state;
    struct sq_arena a;
    assert_int_equal(sq_arena_init(&a, 1u << 16, NULL), SQ_OK);
    struct bytes key = example("log public key"), leaf = example("leaf"), proof = example("proof"),
                 envelope = example("envelope");
    struct bytes answer = example("answer");
    char note[SQ_NOTE_SIZE_MAX];
    uint8_t hash[SQ_HASH_SIZE], head[SQ_ENTRY_HEAD_SIZE] = {1};
    checkpoint_text(note);
    Sanquan__V1__Receipt r;
    sanquan__v1__receipt__init(&r);
    r.answer = (ProtobufCBinaryData){answer.size, answer.data};
    r.leaf = (ProtobufCBinaryData){leaf.size, leaf.data};
    r.index = 2;
    r.proof = (ProtobufCBinaryData){proof.size, proof.data};
    r.checkpoint = note;
    assert_int_equal(sq_receipt_verify(&r, "sanquan-demo/310000", key.data, NULL), SQ_OK);
    leaf.data[40] ^= 1;
    assert_int_equal(sq_receipt_verify(&r, "sanquan-demo/310000", key.data, NULL), SQ_E_VERIFY);
    leaf.data[40] ^= 1;

    Sanquan__V1__Outcome outcome;
    sanquan__v1__outcome__init(&outcome);
    sq_sha256(answer.data, answer.size, hash);
    outcome.sent = (ProtobufCBinaryData){sizeof hash, hash};
    sq_bytes tail = pack(&a, &outcome.base);
    assert_example("outcome", tail.data, tail.size);
    sq_put_be16(head + 2, SANQUAN__V1__MESSAGE_TYPE__BATCH);
    sq_put_be32(head + 4, (uint32_t)envelope.size);
    sq_put_be64(head + 8, 1790000000100u);
    const struct sq_sha256_part parts[3] = {
        {head, sizeof head}, {envelope.data, envelope.size}, {tail.data, tail.size}};
    sq_sha256_parts(parts, 3, hash);
    assert_example("payload hash", hash, sizeof hash);
    assert_memory_equal(leaf.data + 24, hash, sizeof hash);
    sq_tree_leaf_hash(sq_bytes_of(leaf.data, leaf.size), hash);
    assert_example("leaf hash", hash, sizeof hash);

    Sanquan__V1__Answer m;
    sanquan__v1__answer__init(&m);
    m.id = 1;
    m.count = 2;
    m.amount_fen = 45000;
    m.seq = 3;
    sq_bytes packed = pack(&a, &m.base);
    assert_example("answer", packed.data, packed.size);
    sq_arena_free(&a);
}

static void the_link_example_is_what_the_settlement_chains(void **state)
{
    (void)state;
    struct sq_arena a;
    assert_int_equal(sq_arena_init(&a, 1u << 12, NULL), SQ_OK);
    const char codes[2][7] = {"310000", "370000"};
    struct sq_settlement_setup setup = {codes, 2, 0, SQ_NET_HUB, 1000};
    struct sq_settlement *s;
    struct sq_link_step step = {.count = 1, .total_fen = {30000}};
    const uint32_t row[2] = {0, 1};
    const uint8_t code[2] = {SQ_OK, SQ_R_CAP_CLAIM};
    uint8_t hash[SQ_HASH_SIZE];
    assert_int_equal(sq_settlement_new(&setup, 0, &s, NULL), SQ_OK);
    assert_int_equal(sq_result_hash(row, code, 2, &a, hash, NULL), SQ_OK);
    assert_example("result hash", hash, sizeof hash);
    assert_int_equal(sq_settlement_owe(s, 1, 42, hash, &step, NULL), SQ_OK);
    assert_int_equal(step.number, 1);
    assert_example("link hash", step.hash, sizeof step.hash);
    struct bytes input = example("link input");
    sq_sha256(input.data, input.size, hash);
    assert_example("link hash", hash, sizeof hash);
    sq_settlement_free(s);
    sq_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_its_row_and_every_row_is_a_refusal),
        cmocka_unit_test(every_message_type_has_its_row),
        cmocka_unit_test(each_type_is_taken_from_the_roles_of_its_row),
        cmocka_unit_test(every_limit_is_the_one_in_the_code),
        cmocka_unit_test(every_refused_spelling_is_refused_for_the_reason_given),
        cmocka_unit_test(the_batch_example_is_what_the_code_signs),
        cmocka_unit_test(the_receipt_example_verifies_and_its_leaf_is_that_of_the_batch),
        cmocka_unit_test(the_link_example_is_what_the_settlement_chains),
    };
    return cmocka_run_group_tests(tests, read_spec, drop_spec);
}
