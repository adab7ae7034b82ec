/*
 * Anchors: what a log that is kept beside the ledger held up to some byte, by its hash. From then on it cannot be changed unnoticed.
 *
 * A log only grows. One that was changed or cut short, or was begun anew, is another generation of its name; the anchors of the one
 * before stay what they are.
 */
#include "clearing/core/state.h"

static int name_ok(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return name[0] != '\0' && strlen(name) < sizeof((struct sq_anchor *)0)->name && strspn(name, good) == strlen(name);
}

static struct sq_anchor *find(const struct sq_core *core, const char *name)
{
    for (uint32_t i = 0; i < core->anchors.count; i++) {
        struct sq_anchor *a = SQ_ROW(&core->anchors, struct sq_anchor, i);
        if (strcmp(a->name, name) == 0)
            return a;
    }
    return NULL;
}

sq_status sq_on_anchor(struct sq_step *s, sq_bytes body)
{
    struct sq_core *core = s->core;
    ProtobufCMessage *opened;
    sq_status st = sq_wire_open(&sanquan__v1__anchor__descriptor, body, &s->memory, &opened, s->err);
    if (st != SQ_OK)
        return sq_fail_context(s->err, SQ_E_FORMAT, "anchor");
    const Sanquan__V1__Anchor *m = (const Sanquan__V1__Anchor *)opened;
    struct sq_anchor *a = find(core, m->name);
    uint32_t generation = a != NULL ? a->generation : 0;
    int continues = a != NULL && m->generation == generation && m->size > a->size;
    if (!name_ok(m->name) || m->hash.len != SQ_HASH_SIZE || m->size == 0 ||
        (!continues && m->generation != generation + 1))
        return sq_fail(s->err, SQ_E_FORMAT, "anchor of %.63s, generation %u, does not follow generation %u", m->name,
                       m->generation, generation);
    if (a == NULL && (st = sq_table_reserve(&core->anchors, 1, s->err)) != SQ_OK)
        return st;
    if (a == NULL)
        a = sq_table_add(&core->anchors, NULL);
    memcpy(a->name, m->name, strlen(m->name) + 1);
    a->generation = m->generation;
    a->size = m->size;
    a->entry = s->fx->seq;
    a->at_ms = core->now_ms;
    memcpy(a->hash, m->hash.data, SQ_HASH_SIZE);
    return SQ_OK;
}

const struct sq_anchor *sq_core_anchor(const struct sq_core *core, const char *name)
{
    return find(core, name);
}

uint32_t sq_core_anchor_count(const struct sq_core *core)
{
    return core->anchors.count;
}

const struct sq_anchor *sq_core_anchor_at(const struct sq_core *core, uint32_t i)
{
    return SQ_ROW(&core->anchors, struct sq_anchor, i);
}
