/* Enrolment: who is let in, with which keys, and that a refusal lets nobody in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/world.h"

#define SH       0u
#define OPERATOR "operator:310000/li"
#define TWO      2u

static int begin(void **state)
{
    *state = world_new(3, SQ_NET_HUB);
    return 0;
}

static int end(void **state)
{
    world_free(*state);
    return 0;
}

/* One to two parties, to be spoilt. */
struct form {
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party party[TWO], *list[TWO];
    char name[TWO][64], node[TWO][8];
    uint8_t key[TWO][32], transport[TWO][32];
};

static void fill(struct form *f, size_t count)
{
    static const char *const names[TWO] = {"holder:12370199TXXXXX132Y", "provider:91310199TXXXXX0015"};
    memset(f, 0, sizeof *f);
    sanquan__v1__enrol__init(&f->m);
    for (size_t i = 0; i < TWO; i++) {
        sanquan__v1__party__init(&f->party[i]);
        strcpy(f->name[i], names[i]);
        strcpy(f->node[i], "310000");
        memset(f->key[i], (int)(0x10 + i), 32);
        memset(f->transport[i], (int)(0x20 + i), 32);
        f->party[i].name = f->name[i];
        f->party[i].node = f->node[i];
        f->party[i].key = (ProtobufCBinaryData){32, f->key[i]};
        f->party[i].transport_key = (ProtobufCBinaryData){32, f->transport[i]};
        f->list[i] = &f->party[i];
    }
    f->m.parties = f->list;
    f->m.n_parties = count;
}

static unsigned enrol(struct world *w, struct form *f)
{
    return world_say(w, SH, OPERATOR, SANQUAN__V1__MESSAGE_TYPE__ENROL, &f->m.base);
}

static int is_enrolled(const struct world *w, const char *name)
{
    uint32_t number = sq_core_party_find(w->core[SH], name);
    return number != SQ_ROW_NONE && sq_core_party(w->core[SH], number)->known_key;
}

static void the_same_again_is_accepted_and_other_keys_are_not(void **state)
{
    struct world *w = *state;
    struct form f;
    fill(&f, TWO);
    assert_int_equal(enrol(w, &f), SQ_OK);
    assert_true(is_enrolled(w, f.name[0]) && is_enrolled(w, f.name[1]));
    assert_int_equal(enrol(w, &f), SQ_OK);
    assert_int_equal(w->answer.count, TWO);
    f.key[0][5] ^= 1;
    assert_int_equal(enrol(w, &f), SQ_R_ALREADY_ENROLLED);
    f.key[0][5] ^= 1;
    f.transport[0][5] ^= 1;
    assert_int_equal(enrol(w, &f), SQ_R_ALREADY_ENROLLED);
    f.party[0].transport_key.len = 0;
    assert_int_equal(enrol(w, &f), SQ_R_ALREADY_ENROLLED);
    assert_int_equal(sq_core_party(w->core[SH], sq_core_party_find(w->core[SH], f.name[0]))->transport_key[5], 0x20);
}

static void each_wrong_enrolment_has_its_number_and_lets_nobody_in(void **state)
{
    struct world *w = *state;
    struct form f;
    uint32_t before = sq_core_party_count(w->core[SH]);
#define WRONG(status, ...)                                                                                             \
    do {                                                                                                               \
        fill(&f, TWO);                                                                                                 \
        __VA_ARGS__;                                                                                                   \
        assert_int_equal(enrol(w, &f), status);                                                                        \
        assert_int_equal(sq_core_party_count(w->core[SH]), before);                                                    \
    } while (0)
    WRONG(SQ_R_BATCH_SIZE, f.m.n_parties = 0);
    WRONG(SQ_R_ORDER, f.list[0] = &f.party[1]; f.list[1] = &f.party[0]);
    WRONG(SQ_R_ORDER, f.list[1] = &f.party[0]);
    WRONG(SQ_R_NOT_PERMITTED, strcpy(f.name[1], "regulator:mof"));
    WRONG(SQ_R_NOT_PERMITTED, strcpy(f.name[1], "provider"));
    WRONG(SQ_R_BAD_USCC, strcpy(f.name[1], "provider:91310199TXXXXX0014"));
    WRONG(SQ_R_WRONG_RECEIVER, strcpy(f.node[1], "370000"));
    WRONG(SQ_R_BAD_KEY, f.party[1].key.len = 31);
    WRONG(SQ_R_BAD_KEY, f.party[1].key.len = 0);
    WRONG(SQ_R_BAD_KEY, f.party[1].transport_key.len = 31);
    WRONG(SQ_R_BAD_KEY, memset(f.transport[1], 0, 32));
    WRONG(SQ_R_BAD_KEY, memcpy(f.transport[1], f.transport[0], 32)); /* one key at two parties */
#undef WRONG
    fill(&f, TWO);
    f.party[0].transport_key.len = f.party[1].transport_key.len =
        0; /* neither opens connections: that is no shared key */
    assert_int_equal(enrol(w, &f), SQ_OK);
}

/* The hub takes a connection for the name its key is listed under: a second name under one key would cut off the first. */
static void no_one_enrols_with_the_transport_key_of_another(void **state)
{
    struct world *w = *state;
    struct form f;
    fill(&f, 1);
    assert_int_equal(enrol(w, &f), SQ_OK);
    fill(&f, TWO);
    f.list[0] = &f.party[1];
    f.m.n_parties = 1;
    memcpy(f.transport[1], f.transport[0], 32); /* the holder's */
    assert_int_equal(enrol(w, &f), SQ_R_BAD_KEY);
    assert_non_null(strstr(w->answer.detail, f.name[0]));
    memcpy(f.transport[1], sq_core_party(w->core[SH], sq_core_party_find(w->core[SH], "node:370000"))->transport_key,
           32);
    assert_int_equal(enrol(w, &f), SQ_R_BAD_KEY);
    assert_false(is_enrolled(w, f.name[1]));
    memset(f.transport[1], 0x77, 32);
    assert_int_equal(enrol(w, &f), SQ_OK);

    /* A core that comes back from its snapshot knows it as well. */
    struct sq_dump d = {0};
    struct sq_core *again;
    sq_core_dump(w->core[SH], &d);
    assert_int_equal(sq_core_new(&again, NULL), SQ_OK);
    assert_int_equal(sq_core_undump(again, sq_bytes_of(d.bytes, d.size), NULL), SQ_OK);
    sq_core_free(w->core[SH]);
    w->core[SH] = again;
    sq_dump_free(&d);
    memcpy(f.transport[1], f.transport[0], 32);
    strcpy(f.name[1], "provider:91440199TXXXXX01X0");
    assert_int_equal(enrol(w, &f), SQ_R_BAD_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_again_is_accepted_and_other_keys_are_not, begin, end),
        cmocka_unit_test_setup_teardown(each_wrong_enrolment_has_its_number_and_lets_nobody_in, begin, end),
        cmocka_unit_test_setup_teardown(no_one_enrols_with_the_transport_key_of_another, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
