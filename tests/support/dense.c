#include "tests/support/dense.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/sanquan.pb-c.h"
#include "tests/support/rig.h"

#define ARENA_SIZE (1u << 30)

/* Nobody signs here, and nobody tells on. */
static const struct sq_post unsigned_post = {.whole = {NULL, 0}};

void dense_must(sq_status st, const struct sq_error *err)
{
    if (st != SQ_OK)
        rig_die("settlement", err);
}

struct sq_effects dense_effects(struct dense *t, uint32_t self)
{
    sq_arena_reset(&t->arena);
    for (uint32_t i = 0; i < t->n; i++)
        t->peer_next[i] = 1;
    return (struct sq_effects){
        .arena = &t->arena, .out = t->out, .peer_next = t->peer_next, .node_count = t->n, .self = self};
}

struct dense_bytes dense_keep(sq_bytes b)
{
    struct dense_bytes k = {malloc(b.size + 1), b.size};
    if (k.data == NULL)
        rig_die("memory", NULL);
    memcpy(k.data, b.data, b.size);
    return k;
}

/* The first message of this type that a step sent; its bytes live until the next step. */
sq_bytes dense_sent(const struct sq_effects *fx, uint32_t type)
{
    for (size_t i = 0; i < fx->out_count; i++)
        if (fx->out[i].type == type)
            return fx->out[i].body;
    rig_die("an expected message was not sent", NULL);
}

/* ---- before the clock runs ---- */

static struct sq_settlement *empty_books(const struct dense *t, uint32_t self)
{
    struct sq_settlement *s;
    struct sq_error err = {0};
    struct sq_settlement_setup setup = {.codes = (const char(*)[7])t->codes,
                                        .node_count = t->n,
                                        .self = self,
                                        .method = SQ_NET_HUB,
                                        .round_timeout_ms = 60000};
    dense_must(sq_settlement_new(&setup, DENSE_NOW_MS, &s, &err), &err);
    return s;
}

static void result_hash(uint32_t debtor, uint32_t creditor, uint8_t out[static SQ_HASH_SIZE])
{
    memset(out, 0, SQ_HASH_SIZE);
    sq_put_be32(out, debtor);
    sq_put_be32(out + 4, creditor);
}

/* Everything that `self` owes, one step to each other node. */
static void owe_all(struct dense *t, struct sq_settlement *s, uint32_t self)
{
    struct sq_error err = {0};
    uint8_t hash[SQ_HASH_SIZE];
    for (uint32_t creditor = 0; creditor < t->n; creditor++) {
        struct sq_link_step step = {.count = 1};
        for (uint32_t k = 0; k < DENSE_KINDS; k++)
            step.total_fen[k] = (int64_t)(1 + (self * 7919u + creditor * 104729u + k * 31u) % 1000000u);
        if (creditor == self)
            continue;
        result_hash(self, creditor, hash);
        dense_must(sq_settlement_owe(s, creditor, 1, hash, &step, &err), &err);
        t->steps[(size_t)self * t->n + creditor] = step;
    }
}

static void be_owed_by_all(const struct dense *t, struct sq_settlement *s, uint32_t self)
{
    struct sq_error err = {0};
    uint8_t hash[SQ_HASH_SIZE];
    for (uint32_t debtor = 0; debtor < t->n; debtor++)
        if (debtor != self) {
            result_hash(debtor, self, hash);
            dense_must(sq_settlement_owed(s, debtor, 1, hash, &t->steps[(size_t)debtor * t->n + self], &err), &err);
        }
}

static void make_statement(struct dense *t, uint32_t self)
{
    struct sq_error err = {0};
    struct sq_settlement *s = empty_books(t, self);
    owe_all(t, s, self);
    struct sq_effects fx = dense_effects(t, self);
    dense_must(sq_settlement_cut(s, DENSE_WINDOW, 0, DENSE_NOW_MS, &fx, &err), &err);
    t->statement[self] = dense_keep(dense_sent(&fx, SANQUAN__V1__MESSAGE_TYPE__STATEMENT));
    sq_settlement_free(s);
}

/* What a creditor counterstates is what its debtors stated to it: the rows of all statements, turned over. */
static void make_counterstatements(struct dense *t)
{
    Sanquan__V1__Statement **said = calloc(t->n, sizeof(Sanquan__V1__Statement *));
    Sanquan__V1__StatementRow **rows = calloc(t->n, sizeof(Sanquan__V1__StatementRow *));
    if (said == NULL || rows == NULL)
        rig_die("memory", NULL);
    for (uint32_t i = 0; i < t->n; i++)
        said[i] = sanquan__v1__statement__unpack(NULL, t->statement[i].size, t->statement[i].data);
    for (uint32_t creditor = 0; creditor < t->n; creditor++) {
        Sanquan__V1__Counterstatement c;
        sanquan__v1__counterstatement__init(&c);
        c.window = DENSE_WINDOW;
        c.rows = rows;
        for (uint32_t debtor = 0; debtor < t->n; debtor++) {
            if (debtor == creditor)
                continue;
            Sanquan__V1__StatementRow *row = said[debtor]->rows[creditor < debtor ? creditor : creditor - 1];
            rows[c.n_rows] = malloc(sizeof *row);
            *rows[c.n_rows] = *row;
            rows[c.n_rows++]->peer = t->codes[debtor];
        }
        sq_bytes packed = rig_pack(&c.base);
        t->counter[creditor] = dense_keep(packed);
        for (size_t i = 0; i < c.n_rows; i++)
            free(rows[i]);
    }
    for (uint32_t i = 0; i < t->n; i++)
        sanquan__v1__statement__free_unpacked(said[i], NULL);
    free(said);
    free(rows);
}

struct dense *dense_new(uint32_t n)
{
    struct sq_error err = {0};
    struct dense *t = malloc(sizeof *t);
    if (t == NULL)
        rig_die("memory", NULL);
    *t = (struct dense){.n = n,
                        .codes = calloc(n, 7),
                        .steps = calloc((size_t)n * n, sizeof *t->steps),
                        .statement = calloc(n, sizeof *t->statement),
                        .counter = calloc(n, sizeof *t->counter),
                        .peer_next = calloc(n, 8),
                        .out = calloc(SQ_OUT_MAX, sizeof *t->out)};
    if (t->codes == NULL || t->steps == NULL || t->statement == NULL || t->counter == NULL || t->peer_next == NULL ||
        t->out == NULL)
        rig_die("memory", NULL);
    dense_must(sq_arena_init(&t->arena, ARENA_SIZE, &err), &err);
    for (uint32_t i = 0; i < n; i++)
        snprintf(t->codes[i], 7, "%06" PRIu32, 110000 + i);
    for (uint32_t i = 0; i < n; i++)
        make_statement(t, i);
    make_counterstatements(t);
    return t;
}

struct sq_settlement *dense_books(struct dense *t, uint32_t self)
{
    struct sq_settlement *s = empty_books(t, self);
    owe_all(t, s, self);
    be_owed_by_all(t, s, self);
    return s;
}

void dense_free(struct dense *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        free(t->statement[i].data);
        free(t->counter[i].data);
    }
    sq_arena_free(&t->arena);
    free(t->codes);
    free(t->steps);
    free(t->statement);
    free(t->counter);
    free(t->peer_next);
    free(t->out);
    free(t);
}

/* One message of `from` to `self`, in a step of its own. */
sq_status dense_hear(struct dense *t, struct sq_settlement *s, uint32_t self, uint32_t from, int counter,
                     struct sq_effects *fx, struct sq_error *err)
{
    const struct dense_bytes *b = counter ? &t->counter[from] : &t->statement[from];
    *fx = dense_effects(t, self);
    return sq_settlement_message(s, &unsigned_post, from,
                                 counter ? SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT
                                         : SANQUAN__V1__MESSAGE_TYPE__STATEMENT,
                                 sq_bytes_of(b->data, b->size), DENSE_NOW_MS + 1, fx, err);
}

/* Cut, and hear everyone but for the last counterstatement, after which a proposer would propose. */
void dense_close_books(struct dense *t, struct sq_settlement *s, uint32_t self)
{
    struct sq_error err = {0};
    struct sq_effects fx = dense_effects(t, self);
    dense_must(sq_settlement_cut(s, DENSE_WINDOW, 0, DENSE_NOW_MS, &fx, &err), &err);
    for (int counter = 0; counter < 2; counter++)
        for (uint32_t from = 0; from < t->n - (counter ? 1u : 0u); from++)
            if (from != self)
                dense_must(dense_hear(t, s, self, from, counter, &fx, &err), &err);
}
