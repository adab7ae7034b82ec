/* Envelopes signed and checked: one reading of the signed bytes, and nothing else passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/arena.h"
#include "clearing/base/hash.h"
#include "peers/message.h"
#include "proto/sanquan.pb-c.h"

struct desk {
    struct sq_arena arena;
    struct sq_wire_memory memory;
    uint8_t network[32], public_key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE], other_public[SQ_KEY_SIZE],
        other_secret[SQ_SECRET_SIZE];
};

static const struct sq_header header = {SANQUAN__V1__MESSAGE_TYPE__BATCH, "provider:91310199TXXXXX0015", "node:310000",
                                        7, 1790000000000u};
static const uint8_t body_bytes[] = "a body is not looked into here";

static void *take(void *arena, size_t size)
{
    return sq_arena_take(arena, size);
}

static int begin(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    assert_int_equal(sq_arena_init(&d->arena, 4u << 20, NULL), SQ_OK);
    d->memory = (struct sq_wire_memory){take, &d->arena};
    for (uint8_t i = 0; i < 32; i++)
        d->network[i] = (uint8_t)(i + 1);
    sq_ed25519_keypair(d->public_key, d->secret);
    sq_ed25519_keypair(d->other_public, d->other_secret);
    *state = d;
    return 0;
}

static int end(void **state)
{
    struct desk *d = *state;
    sq_arena_free(&d->arena);
    free(d);
    return 0;
}

static sq_bytes body(void)
{
    return sq_bytes_of(body_bytes, sizeof body_bytes - 1);
}

static sq_bytes sealed(struct desk *d, const struct sq_header *h, sq_bytes b)
{
    sq_bytes envelope;
    struct sq_error err = {0};
    if (sq_message_seal(h, b, d->network, d->secret, &d->memory, &envelope, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return envelope;
}

static void what_was_sealed_opens_and_checks(void **state)
{
    struct desk *d = *state;
    struct sq_envelope e;
    sq_bytes bytes = sealed(d, &header, body());
    assert_int_equal(sq_envelope_open(bytes, &e, NULL), SQ_OK);
    assert_int_equal(sq_message_check(&e, d->network, d->public_key, NULL), SQ_OK);
    assert_true(e.type == header.type && e.id == 7 && e.sent_at_ms == 1790000000000u && e.version == 1 &&
                e.algorithm == 1);
    assert_string_equal(e.sender, header.sender);
    assert_string_equal(e.receiver, header.receiver);
    assert_true(e.network == sq_network_prefix(d->network) && e.network == 0x0102030405060708u);
    assert_int_equal(e.body.size, sizeof body_bytes - 1);
    assert_memory_equal(e.body.data, body_bytes, e.body.size);
}

/* Tag with its NUL, network, type, header as it stands, hash of the body: put together here by hand. */
static void the_signed_bytes_are_those_of_the_header_file(void **state)
{
    struct desk *d = *state;
    struct sq_envelope e;
    uint8_t text[512], *at = text;
    assert_int_equal(sq_envelope_open(sealed(d, &header, body()), &e, NULL), SQ_OK);
    memcpy(at, "sanquan/message/v1", 19), at += 19;
    memcpy(at, d->network, 32), at += 32;
    memcpy(at, (const uint8_t[4]){0, 0, 0, SANQUAN__V1__MESSAGE_TYPE__BATCH}, 4), at += 4;
    memcpy(at, e.header.data, e.header.size), at += e.header.size;
    sq_sha256(body_bytes, sizeof body_bytes - 1, at), at += 32;
    assert_int_equal(sq_ed25519_check(sq_bytes_of(text, (size_t)(at - text)), e.signature.data, d->public_key), 1);
}

static void the_same_message_has_the_same_bytes(void **state)
{
    struct desk *d = *state;
    sq_bytes one = sealed(d, &header, body()), two = sealed(d, &header, body());
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.data, two.data, one.size);
}

/* By which a repeat is told from another message under its id. */
static void a_message_has_one_name_and_no_other_has_it(void **state)
{
    struct desk *d = *state;
    uint8_t at_sealing[SQ_HASH_SIZE], name[SQ_HASH_SIZE], other[SQ_HASH_SIZE], made[512];
    struct sq_envelope e;
    sq_bytes bytes;
    assert_int_equal(
        sq_message_seal_named(&header, body(), d->network, d->secret, &d->memory, &bytes, at_sealing, NULL), SQ_OK);
    assert_int_equal(sq_message_name_of(bytes, d->network, name, NULL), SQ_OK);
    assert_memory_equal(name, at_sealing, sizeof name);

    assert_int_equal(sq_envelope_open(bytes, &e, NULL), SQ_OK); /* the signed bytes and the signature behind them */
    uint8_t *at = made + 19 + 32 + 4;
    memcpy(made, "sanquan/message/v1", 19);
    memcpy(made + 19, d->network, 32);
    sq_put_be32(made + 19 + 32, header.type);
    memcpy(at, e.header.data, e.header.size);
    sq_sha256(e.body.data, e.body.size, at + e.header.size);
    memcpy(at + e.header.size + SQ_HASH_SIZE, e.signature.data, SQ_SIGNATURE_SIZE);
    sq_sha256(made, (size_t)(at - made) + e.header.size + SQ_HASH_SIZE + SQ_SIGNATURE_SIZE, other);
    assert_memory_equal(name, other, sizeof name);

    uint8_t *changed = malloc(bytes.size);
    unsigned opened = 0;
    for (size_t i = 0; i < bytes.size * 8; i++) {
        memcpy(changed, bytes.data, bytes.size);
        changed[i / 8] ^= (uint8_t)(1u << i % 8);
        if (sq_message_name_of(sq_bytes_of(changed, bytes.size), d->network, other, NULL) != SQ_OK)
            continue; /* not an envelope any more */
        assert_memory_not_equal(name, other, sizeof name);
        opened++;
    }
    assert_true(opened > 8 * (SQ_SIGNATURE_SIZE + sizeof body_bytes - 1));
    free(changed);
    assert_int_equal(sq_message_name_of(sq_bytes_of(bytes.data, bytes.size - 1), d->network, name, NULL),
                     SQ_R_MALFORMED);
}

static void another_network_key_or_signer_is_refused(void **state)
{
    struct desk *d = *state;
    struct sq_envelope e;
    struct sq_error err = {0};
    assert_int_equal(sq_envelope_open(sealed(d, &header, body()), &e, NULL), SQ_OK);
    assert_int_equal(sq_message_check(&e, d->network, d->other_public, &err), SQ_R_BAD_SIGNATURE);
    assert_int_equal(err.status, SQ_R_BAD_SIGNATURE);
    for (size_t i = 0; i < 32; i++) { /* the header names eight bytes of the network, the signature binds all */
        uint8_t other[32];
        memcpy(other, d->network, 32);
        other[i] ^= 1;
        assert_int_equal(sq_message_check(&e, other, d->public_key, NULL),
                         i < 8 ? SQ_R_WRONG_NETWORK : SQ_R_BAD_SIGNATURE);
    }
    assert_int_equal(sq_message_check(&e, d->network, d->public_key, NULL), SQ_OK);
}

static int accepted(const struct desk *d, sq_bytes bytes)
{
    struct sq_envelope e;
    return sq_envelope_open(bytes, &e, NULL) == SQ_OK && sq_message_check(&e, d->network, d->public_key, NULL) == SQ_OK;
}

static void one_bit_off_anywhere_is_refused(void **state)
{
    struct desk *d = *state;
    sq_bytes good = sealed(d, &header, body());
    uint8_t *copy = malloc(good.size + 1);
    memcpy(copy, good.data, good.size);
    copy[good.size] = 0;
    assert_true(accepted(d, sq_bytes_of(copy, good.size)));
    for (size_t bit = 0; bit < 8 * good.size; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (accepted(d, sq_bytes_of(copy, good.size)))
            fail_msg("bit %zu of byte %zu may be anything", bit % 8, bit / 8);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size <= good.size + 1; size++)
        assert_int_equal(accepted(d, sq_bytes_of(copy, size)), size == good.size);
    free(copy);
}

/* A signature of one message beside the parts of another. */
static void parts_of_two_messages_do_not_go_together(void **state)
{
    struct desk *d = *state;
    struct sq_header later = header;
    struct sq_envelope one, two, mixed;
    later.id = 8;
    assert_int_equal(sq_envelope_open(sealed(d, &header, body()), &one, NULL), SQ_OK);
    assert_int_equal(sq_envelope_open(sealed(d, &later, sq_bytes_of("another", 7)), &two, NULL), SQ_OK);
    for (unsigned parts = 1; parts < 7; parts++) {
        mixed = one;
        mixed.header = parts & 1 ? two.header : one.header;
        mixed.body = parts & 2 ? two.body : one.body;
        mixed.signature = parts & 4 ? two.signature : one.signature;
        assert_int_equal(sq_message_check(&mixed, d->network, d->public_key, NULL), SQ_R_BAD_SIGNATURE);
    }
    mixed = one;
    mixed.type++;
    assert_int_equal(sq_message_check(&mixed, d->network, d->public_key, NULL), SQ_R_BAD_SIGNATURE);
}

static void an_empty_body_and_the_largest_one_can_be_sent(void **state)
{
    struct desk *d = *state;
    size_t most = SQ_MESSAGE_SIZE_MAX - 512;
    uint8_t *large = calloc(1, most + 1);
    sq_bytes out = {0};
    assert_true(accepted(d, sealed(d, &header, sq_bytes_of("", 0))));
    sq_bytes envelope = sealed(d, &header, sq_bytes_of(large, most));
    assert_true(envelope.size <= SQ_MESSAGE_SIZE_MAX && accepted(d, envelope));
    assert_int_equal(
        sq_message_seal(&header, sq_bytes_of(large, most + 1), d->network, d->secret, &d->memory, &out, NULL),
        SQ_E_FORMAT);
    assert_null(out.data);
    free(large);
}

static void names_of_48_bytes_go_and_longer_ones_do_not(void **state)
{
    struct desk *d = *state;
    char most[SQ_NAME_SIZE_MAX + 1], more[SQ_NAME_SIZE_MAX + 2];
    sq_bytes out = {0};
    memset(most, 'a', sizeof most - 1);
    memset(more, 'a', sizeof more - 1);
    most[sizeof most - 1] = more[sizeof more - 1] = '\0';
    memcpy(most, "provider:", 9);
    struct sq_header h = {header.type, most, most, UINT64_MAX, UINT64_MAX};
    assert_true(accepted(d, sealed(d, &h, body())));
    h.sender = more;
    assert_int_equal(sq_message_seal(&h, body(), d->network, d->secret, &d->memory, &out, NULL), SQ_E_FORMAT);
    h = (struct sq_header){header.type, most, more, 1, 1};
    assert_int_equal(sq_message_seal(&h, body(), d->network, d->secret, &d->memory, &out, NULL), SQ_E_FORMAT);
    assert_null(out.data);
}

static void without_memory_nothing_is_sealed(void **state)
{
    struct desk *d = *state;
    sq_bytes out = {0};
    while (sq_arena_take(&d->arena, 64) != NULL)
        ;
    assert_int_equal(sq_message_seal(&header, body(), d->network, d->secret, &d->memory, &out, NULL), SQ_E_FULL);
    assert_null(out.data);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORY(what_was_sealed_opens_and_checks),
        STORY(the_signed_bytes_are_those_of_the_header_file),
        STORY(the_same_message_has_the_same_bytes),
        STORY(a_message_has_one_name_and_no_other_has_it),
        STORY(another_network_key_or_signer_is_refused),
        STORY(one_bit_off_anywhere_is_refused),
        STORY(parts_of_two_messages_do_not_go_together),
        STORY(an_empty_body_and_the_largest_one_can_be_sent),
        STORY(names_of_48_bytes_go_and_longer_ones_do_not),
        STORY(without_memory_nothing_is_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
