/*
 * Agreements between Shanghai (node 0) and Shandong (node 1), for stories.
 */
#ifndef SQ_TEST_PACT_H
#define SQ_TEST_PACT_H

#include "tests/support/story.h"

#define SD 1u /* 370000 */

/* An agreement with the memory of its sides; [0] is Shanghai's. */
struct terms {
    Sanquan__V1__Agreement m;
    Sanquan__V1__Side side[2], *sides[2];
    uint32_t kinds[3], relaxed[2][5];
};

/* Of compute vouchers (kind 1), in 2026, nothing else agreed on. */
static inline void terms(struct terms *t, uint32_t version)
{
    static char name[2][7] = {"310000", "370000"};
    *t = (struct terms){.kinds = {1}};
    sanquan__v1__agreement__init(&t->m);
    t->m.version = version;
    t->m.from_day = 20260101;
    t->m.until_day = 20261231;
    t->m.kinds = t->kinds;
    t->m.n_kinds = 1;
    for (int i = 0; i < 2; i++) {
        sanquan__v1__side__init(&t->side[i]);
        t->side[i].node = name[i];
        t->side[i].relaxed = t->relaxed[i];
        t->sides[i] = &t->side[i];
    }
    t->m.sides = t->sides;
    t->m.n_sides = 2;
}

static inline unsigned say_as(struct story *s, uint32_t node, const char *person, uint32_t role, struct terms *t)
{
    char name[48];
    Sanquan__V1__Agree m;
    sanquan__v1__agree__init(&m);
    m.role = role;
    m.terms = &t->m;
    snprintf(name, sizeof name, "operator:%s/%s", node == SH ? "310000" : "370000", person);
    return world_say(s->w, node, name, SANQUAN__V1__MESSAGE_TYPE__AGREE, &m.base);
}

/* One operator enters it, the other agrees. */
static inline unsigned say(struct story *s, uint32_t node, struct terms *t)
{
    unsigned status = say_as(s, node, "li", 1, t);
    return status == SQ_OK ? say_as(s, node, "zhang", 2, t) : status;
}

static inline void agree(struct story *s, struct terms *t)
{
    assert_int_equal(say(s, SH, t), SQ_OK);
    world_run(s->w);
    assert_int_equal(say(s, SD, t), SQ_OK);
    world_run(s->w);
    assert_int_equal(s->w->peer_status, SQ_OK);
}

#endif
