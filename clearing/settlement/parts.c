/*
 * A settlement's bytes, part by part: its hash, and how a node that needs them and cannot make them gets them.
 *
 * When all of some hundred nodes owe each other, a settlement is longer than a message may be. Everyone can make it from the statements,
 * so a proposal says only how (values.c), and with which parts. A node that was told other statements cannot make what two thirds
 * have voted for; it asks one of the voters after another for one part after another:
 *
 *   needed --ask a voter--> ASKED --a part comes--> ASKED for the next part of the same voter --the last one--> known
 *                             \--late--> ASKED another voter for the part that is missing
 *
 * Invariants: a part is kept only when its hash is one of those that the wanted hash is made of, so a liar's bytes never are; every
 * honest voter has the bytes, or has had them until they were final and still has them; a node is sent each part once.
 */
#include <stdlib.h>

#include "clearing/settlement/internal.h"

/* ---- parts and their hash ---- */

static uint64_t parts_for(uint64_t size)
{
    return size / SQ_PART_SIZE + (size % SQ_PART_SIZE != 0);
}

static size_t part_size(uint64_t size, uint32_t part)
{
    uint64_t from = (uint64_t)part * SQ_PART_SIZE, left = size - from;
    return left < SQ_PART_SIZE ? (size_t)left : SQ_PART_SIZE;
}

void sq_parts_of(sq_bytes value, struct sq_parts *out)
{
    *out = (struct sq_parts){.size = value.size, .count = (uint32_t)parts_for(value.size)};
    SQ_ASSERT(out->count <= SQ_PARTS_MAX); /* nothing longer is made, or taken */
    for (uint32_t i = 0; i < out->count; i++)
        sq_sha256(value.data + (size_t)i * SQ_PART_SIZE, part_size(value.size, i), out->hash[i]);
}

int sq_parts_read(uint64_t size, const ProtobufCBinaryData *hashes, size_t count, struct sq_parts *out)
{
    if (count == 0 || count > SQ_PARTS_MAX || count != parts_for(size))
        return 0;
    *out = (struct sq_parts){.size = size, .count = (uint32_t)count};
    for (size_t i = 0; i < count; i++) {
        if (hashes[i].len != SQ_HASH_SIZE)
            return 0;
        memcpy(out->hash[i], hashes[i].data, SQ_HASH_SIZE);
    }
    return 1;
}

void sq_parts_hash(const struct sq_parts *p, uint8_t out[static SQ_HASH_SIZE])
{
    static const char tag[] = "sanquan/settlement/v1";
    uint8_t size[8];
    sq_put_be64(size, p->size);
    const struct sq_sha256_part in[] = {
        {tag, sizeof tag}, {size, sizeof size}, {p->hash, (size_t)p->count * SQ_HASH_SIZE}};
    sq_sha256_parts(in, sizeof in / sizeof *in, out);
}

void sq_settlement_hash(sq_bytes value, uint8_t out[static SQ_HASH_SIZE])
{
    struct sq_parts p;
    sq_parts_of(value, &p);
    sq_parts_hash(&p, out);
}

/* ---- asking ---- */

/* The next node, in turn, that has voted for what is wanted, and not only so as to lie: an honest one among them has the bytes. */
static uint32_t next_voter(const struct sq_settlement *s, const struct sq_window *w)
{
    const struct sq_table *votes = &w->agreement.votes;
    for (uint32_t k = 1; k <= s->n; k++) {
        uint32_t node = (w->fetch->asked + k) % s->n;
        for (uint32_t i = 0; node != s->self && i < votes->count; i++) {
            const struct sq_agreement_vote *v = SQ_ROW(votes, struct sq_agreement_vote, i);
            if (v->node == node && !v->nil && memcmp(v->value, w->fetch->hash, SQ_HASH_SIZE) == 0)
                return node;
        }
    }
    return SQ_ROW_NONE;
}

static uint32_t next_part(const struct sq_fetch *f)
{
    uint32_t part = 0;
    while (part < f->parts.count && f->have[part])
        part++;
    return part;
}

static sq_status ask(struct sq_window *w, uint32_t node, uint64_t now_ms, struct sq_effects *fx, struct sq_error *err)
{
    Sanquan__V1__Relay m;
    sanquan__v1__relay__init(&m);
    m.window = w->number;
    m.wanted = (ProtobufCBinaryData){SQ_HASH_SIZE, w->fetch->hash};
    m.part = next_part(w->fetch);
    w->fetch->asked = node;
    w->fetch->late_ms = now_ms + SQ_STATEMENTS_LATE_MS;
    return sq_effects_send(fx, node, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base, err);
}

static sq_status ask_next(struct sq_settlement *s, struct sq_window *w, uint64_t now_ms, struct sq_effects *fx,
                          struct sq_error *err)
{
    uint32_t node = next_voter(s, w);
    if (node == SQ_ROW_NONE) {
        sq_fetch_end(w); /* the votes needed were all our own */
        return SQ_OK;
    }
    return ask(w, node, now_ms, fx, err);
}

sq_status sq_fetch_begin(struct sq_settlement *s, struct sq_window *w, const uint8_t hash[static SQ_HASH_SIZE],
                         uint64_t now_ms, struct sq_effects *fx, struct sq_error *err)
{
    if (w->fetch != NULL && memcmp(w->fetch->hash, hash, SQ_HASH_SIZE) == 0)
        return SQ_OK;
    sq_fetch_end(w);
    w->fetch = calloc(1, sizeof *w->fetch);
    if (w->fetch == NULL)
        return sq_fail(err, SQ_E_NOMEM, "parts of a settlement");
    memcpy(w->fetch->hash, hash, SQ_HASH_SIZE);
    w->fetch->asked = s->self;
    return ask_next(s, w, now_ms, fx, err);
}

sq_status sq_fetch_late(struct sq_settlement *s, struct sq_window *w, uint64_t now_ms, struct sq_effects *fx,
                        struct sq_error *err)
{
    return ask_next(s, w, now_ms, fx, err);
}

void sq_fetch_end(struct sq_window *w)
{
    if (w->fetch != NULL)
        free(w->fetch->data.data);
    free(w->fetch);
    w->fetch = NULL;
}

/* ---- hearing ---- */

/* Is this a part of what is wanted that is not here yet? The first one brings the hashes of all. */
static sq_status place_part(struct sq_fetch *f, const struct sq_parts *parts, const Sanquan__V1__SettlementPart *m,
                            struct sq_error *err)
{
    if (f->parts.count == 0) {
        f->data = (struct sq_blob){malloc((size_t)parts->size + 1), (size_t)parts->size};
        if (f->data.data == NULL)
            return sq_fail(err, SQ_E_NOMEM, "settlement of %zu bytes", f->data.size);
        memset(f->data.data, 0, f->data.size);
        f->parts = *parts;
    }
    memcpy(f->data.data + (size_t)m->part * SQ_PART_SIZE, m->data.data, m->data.len);
    f->have[m->part] = 1;
    return SQ_OK;
}

static int is_wanted(const struct sq_fetch *f, const Sanquan__V1__SettlementPart *m, struct sq_parts *parts)
{
    uint8_t hash[SQ_HASH_SIZE];
    if (f == NULL || !sq_parts_read(m->size, m->parts, m->n_parts, parts) || m->part >= parts->count ||
        m->data.len != part_size(m->size, m->part) || f->have[m->part])
        return 0;
    sq_parts_hash(parts, hash);
    if (memcmp(hash, f->hash, SQ_HASH_SIZE) != 0)
        return 0;
    sq_sha256(m->data.data, m->data.len, hash);
    return memcmp(hash, parts->hash[m->part], SQ_HASH_SIZE) == 0;
}

sq_status sq_fetch_take(struct sq_settlement *s, struct sq_window *w, uint32_t from,
                        const Sanquan__V1__SettlementPart *m, uint64_t now_ms, struct sq_effects *fx,
                        struct sq_error *err)
{
    struct sq_parts parts;
    uint8_t hash[SQ_HASH_SIZE];
    struct sq_fetch *f = w->fetch;
    if (!is_wanted(f, m, &parts))
        return SQ_OK;
    sq_status st = place_part(f, &parts, m, err);
    if (st != SQ_OK)
        return st;
    if (next_part(f) < f->parts.count)
        return ask(w, from, now_ms, fx, err);
    sq_bytes whole = sq_bytes_of(f->data.data, f->data.size);
    if (sq_value_usable(s, w, whole)) /* or more than a third lie */
        st = sq_value_keep(w, from, whole, hash, err);
    sq_fetch_end(w);
    return st;
}

/* ---- telling ---- */

/* Which parts of it this node has been sent; NULL: it has asked for too many settlements of the window. There is room for a row. */
static struct sq_told *told_to(struct sq_window *w, uint32_t node, const uint8_t wanted[static SQ_HASH_SIZE])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->told.count; i++) {
        struct sq_told *t = SQ_ROW(&w->told, struct sq_told, i);
        if (t->node == node && memcmp(t->hash, wanted, SQ_HASH_SIZE) == 0)
            return t;
        count += t->node == node;
    }
    if (count == SQ_TOLD_MAX)
        return NULL;
    struct sq_told *t = sq_table_add(&w->told, NULL);
    t->node = node;
    memcpy(t->hash, wanted, SQ_HASH_SIZE);
    return t;
}

static sq_status send_part(const struct sq_window *w, uint32_t to, sq_bytes value, uint32_t part, struct sq_effects *fx,
                           struct sq_error *err)
{
    struct sq_parts p;
    ProtobufCBinaryData hashes[SQ_PARTS_MAX];
    Sanquan__V1__Relay m;
    Sanquan__V1__SettlementPart found;
    union {
        const uint8_t *in;
        uint8_t *out;
    } data = {value.data + (size_t)part * SQ_PART_SIZE}; /* messages do not say const; packing only reads */
    sq_parts_of(value, &p);
    for (uint32_t i = 0; i < p.count; i++)
        hashes[i] = (ProtobufCBinaryData){SQ_HASH_SIZE, p.hash[i]};
    sanquan__v1__relay__init(&m);
    sanquan__v1__settlement_part__init(&found);
    found.size = value.size;
    found.parts = hashes;
    found.n_parts = p.count;
    found.part = part;
    found.data = (ProtobufCBinaryData){part_size(value.size, part), data.out};
    m.window = w->number;
    m.found = &found;
    return sq_effects_send(fx, to, SANQUAN__V1__MESSAGE_TYPE__RELAY, &m.base, err);
}

sq_status sq_part_tell(struct sq_settlement *s, struct sq_window *w, uint32_t to,
                       const uint8_t wanted[static SQ_HASH_SIZE], uint32_t part, struct sq_effects *fx,
                       struct sq_error *err)
{
    const struct sq_value *kept = sq_value_find(w, wanted);
    const struct sq_blob *b = w->decided.data != NULL && memcmp(w->agreement.decided, wanted, SQ_HASH_SIZE) == 0
                                  ? &w->decided
                              : kept != NULL ? &kept->bytes
                                             : NULL;
    if (b == NULL || b->data == NULL || part >= parts_for(b->size) || to == s->self)
        return SQ_OK;
    sq_status st = sq_table_reserve(&w->told, 1, err);
    if (st != SQ_OK)
        return st;
    struct sq_told *told = told_to(w, to, wanted);
    if (told == NULL || (told->parts[part / 8] & 1u << part % 8) != 0)
        return SQ_OK;
    told->parts[part / 8] |= (uint8_t)(1u << part % 8);
    return send_part(w, to, sq_bytes_of(b->data, b->size), part, fx, err);
}
