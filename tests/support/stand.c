#include "tests/support/stand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"

#define ISSUER     310000u
#define NODE       0u
#define GRANT_ROWS 8192u
#define FACE_FEN   100000000000ll

static void must(unsigned status, const char *what)
{
    if (status == SQ_OK)
        return;
    fprintf(stderr, "stand: %s: %s\n", what, sq_status_text(status));
    abort();
}

static void grant(struct world *w, uint32_t first, uint32_t n)
{
    static int64_t face[GRANT_ROWS];
    static uint32_t holder[GRANT_ROWS], until[GRANT_ROWS];
    char code[32], *codes[1] = {code};
    Sanquan__V1__Grant g;
    snprintf(code, sizeof code, "%s", WORLD_HOLDER);
    for (uint32_t i = 0; i < n; i++) {
        face[i] = FACE_FEN;
        until[i] = 20991231;
    }
    sanquan__v1__grant__init(&g);
    g.issuer = ISSUER;
    g.programme = 1;
    g.first_serial = first;
    g.n_face_fen = g.n_holder = g.n_until_day = n;
    g.face_fen = face;
    g.holder = holder;
    g.until_day = until;
    g.n_holders = 1;
    g.holders = codes;
    must(world_say(w, NODE, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__GRANT, &g.base), "grant");
}

static void mandate(struct world *w, const struct market_stream *s, uint32_t first, uint32_t n)
{
    static uint64_t voucher[GRANT_ROWS], until[GRANT_ROWS];
    static int64_t limit[GRANT_ROWS];
    char name[48], code[32];
    Sanquan__V1__Mandate m;
    snprintf(name, sizeof name, "holder:%s", WORLD_HOLDER);
    snprintf(code, sizeof code, "%s", WORLD_PROVIDER);
    for (uint32_t i = 0; i < n; i++) {
        voucher[i] = s->voucher_base + first + i;
        limit[i] = FACE_FEN;
        until[i] = UINT64_MAX / 2;
    }
    sanquan__v1__mandate__init(&m);
    m.provider = code;
    m.n_voucher = m.n_limit_fen = m.n_until_ms = n;
    m.voucher = voucher;
    m.limit_fen = limit;
    m.until_ms = until;
    must(world_say(w, NODE, name, SANQUAN__V1__MESSAGE_TYPE__MANDATE, &m.base), "mandate");
}

struct stand *stand_new(uint32_t vouchers)
{
    struct stand *s = calloc(1, sizeof *s);
    char holder[48];
    Sanquan__V1__Programme p;
    if (s == NULL)
        abort();
    s->world = world_new(1, SQ_NET_HUB);
    s->core = s->world->core[NODE];
    snprintf(s->provider, sizeof s->provider, "provider:%s", WORLD_PROVIDER);
    snprintf(holder, sizeof holder, "holder:%s", WORLD_HOLDER);
    must(world_enrol(s->world, NODE, s->provider), "provider");
    must(world_enrol(s->world, NODE, holder), "holder");
    market_programme(&p, ISSUER);
    must(world_say(s->world, NODE, "issuer:310000", SANQUAN__V1__MESSAGE_TYPE__PROGRAMME, &p.base), "programme");
    s->stream = market_stream_of(ISSUER, ISSUER / 10000, 0, 1, vouchers);
    s->stream.day = sq_day_of_ms(s->world->now_ms);
    for (uint32_t first = 1; first <= vouchers; first += GRANT_ROWS) {
        uint32_t n = vouchers - first + 1 < GRANT_ROWS ? vouchers - first + 1 : GRANT_ROWS;
        grant(s->world, first, n);
        mandate(s->world, &s->stream, first, n);
    }
    return s;
}

void stand_free(struct stand *s)
{
    world_free(s->world);
    free(s);
}

void stand_step(struct stand *s, sq_bytes batch, struct sq_arena *arena, struct sq_effects *fx)
{
    struct sq_envelope e = {.whole = batch,
                            .body = batch,
                            .version = 1,
                            .type = SANQUAN__V1__MESSAGE_TYPE__BATCH,
                            .algorithm = 1,
                            .id = ++s->id};
    struct sq_event event = {s->world->now_ms, e.type, &e, batch};
    struct sq_error err = {0};
    struct sq_core_totals before, after;
    memcpy(e.sender, s->provider, sizeof e.sender);
    memcpy(e.receiver, "node:310000", sizeof "node:310000");
    sq_core_totals(s->core, &before);
    sq_arena_reset(arena);
    must(sq_core_step(s->core, &event, arena, fx, &err), err.text);
    sq_core_totals(s->core, &after);
    if (!fx->append || after.items_refused != before.items_refused || after.items_accepted == before.items_accepted) {
        fprintf(stderr, "stand: a batch was refused, whole or in part\n");
        abort();
    }
}
