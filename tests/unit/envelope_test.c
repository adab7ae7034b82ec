/* Envelopes: opened whole or not at all, and signed to the last bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers/message.h"
#include "tests/support/messages.h"

static int begin(void **state)
{
    struct sq_arena *a = calloc(1, sizeof *a);
    assert_non_null(a);
    assert_int_equal(sq_arena_init(a, 1u << 20, NULL), SQ_OK);
    *state = a;
    return sq_crypto_init(NULL) != SQ_OK;
}

static int end(void **state)
{
    struct sq_arena *a = *state;
    sq_arena_free(a);
    free(a);
    return 0;
}

struct letter {
    struct sq_header header;
    uint32_t version, algorithm;
    size_t signature_size;
    int no_header;
};

static sq_bytes letter_bytes(struct sq_arena *a, const struct letter *l)
{
    Sanquan__V1__Header h;
    Sanquan__V1__Envelope e;
    char sender[100], receiver[100];
    uint8_t body[] = {0xff, 0xff}, signature[65] = {1};
    sanquan__v1__header__init(&h);
    sanquan__v1__envelope__init(&e);
    snprintf(sender, sizeof sender, "%s", l->header.sender);
    snprintf(receiver, sizeof receiver, "%s", l->header.receiver);
    h.version = l->version;
    h.type = l->header.type;
    h.algorithm = l->algorithm;
    h.sender = sender;
    h.receiver = receiver;
    h.id = l->header.id;
    h.sent_at_ms = l->header.sent_at_ms;
    h.network = 9;
    sq_arena_reset(a);
    sq_bytes header = message_pack(&h.base, a);
    union {
        const uint8_t *in;
        uint8_t *out;
    } bytes = {header.data};
    e.header = (ProtobufCBinaryData){l->no_header ? 0 : header.size, bytes.out};
    e.body = (ProtobufCBinaryData){sizeof body, body};
    e.signature = (ProtobufCBinaryData){l->signature_size, signature};
    return message_pack(&e.base, a);
}

static void envelopes_are_opened_whole_or_not_at_all(void **state)
{
    struct sq_arena *a = *state;
    static const char name48[] = "operator:310000/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                      name49[] = "operator:310000/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const struct letter good = {{SANQUAN__V1__MESSAGE_TYPE__BATCH, name48, "node:310000", 5, 77}, 1, 1, 64, 0};
    const struct {
        sq_status expected;
        struct letter letter;
    } cases[] = {
#define WITH(status, ...)                                                                                              \
    {status, ({                                                                                                        \
         struct letter l = good;                                                                                       \
         __VA_ARGS__;                                                                                                  \
         l;                                                                                                            \
     })}
        WITH(SQ_R_MALFORMED, l.signature_size = 0),
        WITH(SQ_R_MALFORMED, l.signature_size = 63),
        WITH(SQ_R_MALFORMED, l.signature_size = 65),
        WITH(SQ_R_MALFORMED, l.header.sender = name49),
        WITH(SQ_R_MALFORMED, l.header.receiver = name49),
        WITH(SQ_R_UNKNOWN_TYPE, l.no_header = 1),
        WITH(SQ_R_UNKNOWN_TYPE, l.version = 0),
        WITH(SQ_R_UNKNOWN_TYPE, l.version = 2),
        WITH(SQ_R_UNKNOWN_TYPE, l.header.type = 0),
        WITH(SQ_R_UNKNOWN_TYPE, l.header.type = 40),
        WITH(SQ_R_UNKNOWN_TYPE, l.header.type = UINT32_MAX),
        WITH(SQ_R_ALGORITHM, l.algorithm = 0),
        WITH(SQ_R_ALGORITHM, l.algorithm = 2),
#undef WITH
    };
    struct sq_envelope e, before;
    sq_bytes bytes = letter_bytes(a, &good);
    assert_int_equal(sq_envelope_open(bytes, &e, NULL), SQ_OK); /* the body is not looked at */
    assert_string_equal(e.sender, name48);
    assert_string_equal(e.receiver, "node:310000");
    assert_true(e.version == 1 && e.type == SANQUAN__V1__MESSAGE_TYPE__BATCH && e.algorithm == 1 && e.id == 5 &&
                e.sent_at_ms == 77 && e.network == 9);
    assert_true(e.whole.data == bytes.data && e.whole.size == bytes.size && e.body.size == 2 && e.signature.size == 64);
    assert_true(e.header.data > bytes.data && e.header.data + e.header.size < e.body.data);
    before = e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sq_error err = {0};
        assert_int_equal(sq_envelope_open(letter_bytes(a, &cases[i].letter), &e, &err), cases[i].expected);
        assert_memory_equal(&e, &before, sizeof e);
        assert_true(err.text[0] != '\0');
    }
}

static void no_bit_of_a_sealed_envelope_can_be_flipped(void **state)
{
    struct sq_arena *a = *state;
    uint8_t key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE], network[32] = {1, 2, 3}, body[] = {0x09, 7, 0, 0, 0, 0, 0, 0, 0};
    struct sq_wire_memory memory = message_memory(a);
    struct sq_header h = {SANQUAN__V1__MESSAGE_TYPE__HELLO, "regulator:mof", "node:310000", 1, 2};
    struct sq_envelope e;
    sq_bytes sealed;
    sq_ed25519_keypair(key, secret);
    sq_arena_reset(a);
    assert_int_equal(sq_message_seal(&h, sq_bytes_of(body, sizeof body), network, secret, &memory, &sealed, NULL),
                     SQ_OK);
    uint8_t *copy = sq_arena_copy(a, sealed.data, sealed.size);
    assert_int_equal(sq_envelope_open(sq_bytes_of(copy, sealed.size), &e, NULL), SQ_OK);
    assert_int_equal(sq_message_check(&e, network, key, NULL), SQ_OK);
    for (size_t bit = 0; bit < sealed.size * 8; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (sq_envelope_open(sq_bytes_of(copy, sealed.size), &e, NULL) == SQ_OK)
            assert_int_not_equal(sq_message_check(&e, network, key, NULL), SQ_OK);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelopes_are_opened_whole_or_not_at_all),
        cmocka_unit_test(no_bit_of_a_sealed_envelope_can_be_flipped),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
