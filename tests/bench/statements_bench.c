/*
 * A window in which everyone owes everyone, at one of its nodes, with no network: rows net34_ms and net333_ms.
 *
 * The figure is the time to cut, to state, to take the statements and counterstatements of all others, and to net. What the others
 * say is prepared beforehand; in a network each node does that work for itself, at the same time. The proposal that comes of it, and
 * a voter's check of it from its own books, are timed beside that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/settlement/settlement.h"
#include "proto/sanquan.pb-c.h"
#include "tests/bench/bench.h"
#include "tests/support/rig.h"

/* Nobody signs here, and nobody tells on. */
static const struct sq_post unsigned_post = {.whole = {NULL, 0}};

#define WINDOW     1u
#define PROPOSER   1u /* of window 1 in the first round */
#define VOTER      2u
#define KINDS      3u
#define NOW_MS     1790000000000u
#define ARENA_SIZE (1u << 30)

static const char usage[] = "usage: statements_bench [--repeat N]\n"
                            "  --repeat N   so many times each (3)\n";

struct bytes {
    uint8_t *data;
    size_t size;
};

struct net {
    uint32_t n;
    char (*codes)[7];
    struct sq_link_step *steps;        /* [debtor * n + creditor] */
    struct bytes *statement, *counter; /* [node] */
    struct sq_arena arena;
    uint64_t *peer_next;
    struct sq_out *out;
};

static void must(sq_status st, const struct sq_error *err)
{
    if (st != SQ_OK)
        rig_die("settlement", err);
}

static struct sq_effects effects(struct net *t, uint32_t self)
{
    sq_arena_reset(&t->arena);
    for (uint32_t i = 0; i < t->n; i++)
        t->peer_next[i] = 1;
    return (struct sq_effects){
        .arena = &t->arena, .out = t->out, .peer_next = t->peer_next, .node_count = t->n, .self = self};
}

static struct bytes keep(sq_bytes b)
{
    struct bytes k = {malloc(b.size + 1), b.size};
    if (k.data == NULL)
        rig_die("memory", NULL);
    memcpy(k.data, b.data, b.size);
    return k;
}

/* The first message of this type that a step sent; its bytes live until the next step. */
static sq_bytes sent(const struct sq_effects *fx, uint32_t type)
{
    for (size_t i = 0; i < fx->out_count; i++)
        if (fx->out[i].type == type)
            return fx->out[i].body;
    rig_die("an expected message was not sent", NULL);
}

/* ---- before the clock runs ---- */

static struct sq_settlement *books(const struct net *t, uint32_t self)
{
    struct sq_settlement *s;
    struct sq_error err = {0};
    struct sq_settlement_setup setup = {.codes = (const char(*)[7])t->codes,
                                        .node_count = t->n,
                                        .self = self,
                                        .method = SQ_NET_HUB,
                                        .round_timeout_ms = 60000};
    must(sq_settlement_new(&setup, NOW_MS, &s, &err), &err);
    return s;
}

static void result_hash(uint32_t debtor, uint32_t creditor, uint8_t out[static SQ_HASH_SIZE])
{
    memset(out, 0, SQ_HASH_SIZE);
    sq_put_be32(out, debtor);
    sq_put_be32(out + 4, creditor);
}

/* Everything that `self` owes, one step to each other node. */
static void owe_all(struct net *t, struct sq_settlement *s, uint32_t self)
{
    struct sq_error err = {0};
    uint8_t hash[SQ_HASH_SIZE];
    for (uint32_t creditor = 0; creditor < t->n; creditor++) {
        struct sq_link_step step = {.count = 1};
        for (uint32_t k = 0; k < KINDS; k++)
            step.total_fen[k] = (int64_t)(1 + (self * 7919u + creditor * 104729u + k * 31u) % 1000000u);
        if (creditor == self)
            continue;
        result_hash(self, creditor, hash);
        must(sq_settlement_owe(s, creditor, 1, hash, &step, &err), &err);
        t->steps[(size_t)self * t->n + creditor] = step;
    }
}

static void be_owed_by_all(const struct net *t, struct sq_settlement *s, uint32_t self)
{
    struct sq_error err = {0};
    uint8_t hash[SQ_HASH_SIZE];
    for (uint32_t debtor = 0; debtor < t->n; debtor++)
        if (debtor != self) {
            result_hash(debtor, self, hash);
            must(sq_settlement_owed(s, debtor, 1, hash, &t->steps[(size_t)debtor * t->n + self], &err), &err);
        }
}

static void make_statement(struct net *t, uint32_t self)
{
    struct sq_error err = {0};
    struct sq_settlement *s = books(t, self);
    owe_all(t, s, self);
    struct sq_effects fx = effects(t, self);
    must(sq_settlement_cut(s, WINDOW, NOW_MS, &fx, &err), &err);
    t->statement[self] = keep(sent(&fx, SANQUAN__V1__MESSAGE_TYPE__STATEMENT));
    sq_settlement_free(s);
}

/* What a creditor counterstates is what its debtors stated to it: the rows of all statements, turned over. */
static void make_counterstatements(struct net *t)
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
        c.window = WINDOW;
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
        t->counter[creditor] = keep(packed);
        for (size_t i = 0; i < c.n_rows; i++)
            free(rows[i]);
    }
    for (uint32_t i = 0; i < t->n; i++)
        sanquan__v1__statement__free_unpacked(said[i], NULL);
    free(said);
    free(rows);
}

static void prepare(struct net *t, uint32_t n)
{
    struct sq_error err = {0};
    *t = (struct net){.n = n,
                      .codes = calloc(n, 7),
                      .steps = calloc((size_t)n * n, sizeof *t->steps),
                      .statement = calloc(n, sizeof *t->statement),
                      .counter = calloc(n, sizeof *t->counter),
                      .peer_next = calloc(n, 8),
                      .out = calloc(SQ_OUT_MAX, sizeof *t->out)};
    if (t->codes == NULL || t->steps == NULL || t->statement == NULL || t->counter == NULL || t->peer_next == NULL ||
        t->out == NULL)
        rig_die("memory", NULL);
    must(sq_arena_init(&t->arena, ARENA_SIZE, &err), &err);
    for (uint32_t i = 0; i < n; i++)
        snprintf(t->codes[i], 7, "%06" PRIu32, 110000 + i);
    for (uint32_t i = 0; i < n; i++)
        make_statement(t, i);
    make_counterstatements(t);
}

static void release(struct net *t)
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
}

/* ---- measured ---- */

/* One message of `from` to `self`, in a step of its own. */
static sq_status hear(struct net *t, struct sq_settlement *s, uint32_t self, uint32_t from, int counter,
                      struct sq_effects *fx, struct sq_error *err)
{
    const struct bytes *b = counter ? &t->counter[from] : &t->statement[from];
    *fx = effects(t, self);
    return sq_settlement_message(s, &unsigned_post, from,
                                 counter ? SANQUAN__V1__MESSAGE_TYPE__COUNTERSTATEMENT
                                         : SANQUAN__V1__MESSAGE_TYPE__STATEMENT,
                                 sq_bytes_of(b->data, b->size), NOW_MS + 1, fx, err);
}

/* Cut, and hear everyone but for the last counterstatement, after which a proposer would propose. */
static void close_books(struct net *t, struct sq_settlement *s, uint32_t self)
{
    struct sq_error err = {0};
    struct sq_effects fx = effects(t, self);
    must(sq_settlement_cut(s, WINDOW, NOW_MS, &fx, &err), &err);
    for (int counter = 0; counter < 2; counter++)
        for (uint32_t from = 0; from < t->n - (counter ? 1u : 0u); from++)
            if (from != self)
                must(hear(t, s, self, from, counter, &fx, &err), &err);
}

static void net_all(const struct net *t)
{
    struct sq_obligation *o = calloc((size_t)t->n * t->n * KINDS, sizeof *o);
    struct sq_net_result result = {0};
    struct sq_error err = {0};
    size_t count = 0;
    if (o == NULL)
        rig_die("memory", NULL);
    for (uint32_t debtor = 0; debtor < t->n; debtor++)
        for (uint32_t creditor = 0; creditor < t->n; creditor++)
            for (uint32_t k = 0; debtor != creditor && k < KINDS; k++)
                o[count++] = (struct sq_obligation){debtor, creditor, k + 1,
                                                    t->steps[(size_t)debtor * t->n + creditor].total_fen[k]};
    must(sq_net(SQ_NET_HUB, o, count, t->n, &result, &err), &err);
    sq_net_result_free(&result);
    free(o);
}

/* The proposer hears the last one, and the voter gets what it proposes; milliseconds to the vote. */
static void propose(struct net *t, struct sq_settlement *proposer, struct sq_settlement *voter, const char *name)
{
    struct sq_error err = {0};
    struct sq_effects fx;
    if (hear(t, voter, VOTER, t->n - 1, 1, &fx, &err) != SQ_OK)
        rig_die("settlement", &err);
    double begin = rig_seconds();
    if (hear(t, proposer, PROPOSER, t->n - 1, 1, &fx, &err) != SQ_OK) {
        bench_info(name, "its proposal cannot be made: %s", err.text);
        return;
    }
    struct bytes proposal = keep(sent(&fx, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL));
    fx = effects(t, VOTER);
    must(sq_settlement_message(voter, &unsigned_post, PROPOSER, SANQUAN__V1__MESSAGE_TYPE__PROPOSAL,
                               sq_bytes_of(proposal.data, proposal.size), NOW_MS + 2, &fx, &err),
         &err);
    double took = rig_seconds() - begin;
    sq_bytes body = sent(&fx, SANQUAN__V1__MESSAGE_TYPE__VOTE);
    Sanquan__V1__Vote *vote = sanquan__v1__vote__unpack(NULL, body.size, body.data);
    if (vote == NULL || vote->value.len == 0)
        rig_die("the voter does not agree with the proposal", NULL);
    bench_info(name, "proposal of %zu bytes made and voted for in %.1f ms more", proposal.size, took * 1000);
    sanquan__v1__vote__free_unpacked(vote, NULL);
    free(proposal.data);
}

static void once(struct net *t, const char *name)
{
    struct sq_settlement *proposer = books(t, PROPOSER), *voter = books(t, VOTER);
    owe_all(t, proposer, PROPOSER);
    be_owed_by_all(t, proposer, PROPOSER);
    owe_all(t, voter, VOTER);
    be_owed_by_all(t, voter, VOTER);
    close_books(t, voter, VOTER);
    double begin = rig_seconds();
    close_books(t, proposer, PROPOSER);
    net_all(t);
    bench_row(name, (rig_seconds() - begin) * 1000);
    propose(t, proposer, voter, name);
    sq_settlement_free(proposer);
    sq_settlement_free(voter);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {34, 333};
    double repeat = 3;
    const struct bench_option options[] = {{"repeat", &repeat, NULL}};
    bench_options(argc, argv, options, 1, usage);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct net t;
        char name[32];
        prepare(&t, sizes[i]);
        snprintf(name, sizeof name, "net%" PRIu32 "_ms", sizes[i]);
        for (int k = 0; k < (int)repeat; k++)
            once(&t, name);
        release(&t);
    }
    return 0;
}
