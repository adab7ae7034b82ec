/*
 * The same job by PostgreSQL: row postgres_rps.
 *
 * Batches of 8,192 redemptions, one function call and one transaction a batch, a connection a provider, columns as binary arrays.
 * The rules, tables and indexes are in tests/bench/postgres/. No signature is checked and nothing is encrypted. Afterwards the
 * books must tie out to the fen with what was sent.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/bench/load.h"

#define PROGRAMME  3100000001
#define COLUMNS    12
#define ARRAY_HEAD 20u /* dimensions, flags, type, length, lower bound: be32 each */

static const char usage[] =
    "usage: postgres_bench --host DIR [--sql DIR] [--vouchers N] [--providers N] [--items N] [--seconds S]\n"
    "  --host DIR      where the server's socket is\n"
    "  --sql DIR       schema.sql and redeem.sql (tests/bench/postgres)\n"
    "  --vouchers N    picked uniformly at random (1000000)\n"
    "  --providers N   each on its own connection and thread (2)\n"
    "  --items N       redemptions; 0: no limit (1000000)\n"
    "  --seconds S     or until this time is over; 0: no limit (0)\n";

static const Oid types[COLUMNS] = {23,   20,   1016, 1016, 1016, 1016,
                                   1007, 1016, 1007, 1007, 1007, 2951}; /* int4, int8, int8[], int4[], uuid[] */
static const char call[] = "SELECT redeem($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)";

_Noreturn static void die(const char *what, PGconn *c)
{
    fprintf(stderr, "postgres: %s: %s\n", what, PQerrorMessage(c));
    exit(1);
}

static PGconn *connect_to(const char *host)
{
    const char *const keys[] = {"host", "user", "dbname", NULL}, *const values[] = {host, "postgres", "postgres", NULL};
    PGconn *c = PQconnectdbParams(keys, values, 0);
    if (PQstatus(c) != CONNECTION_OK)
        die(host, c);
    return c;
}

static void execute(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        die(sql, c);
    PQclear(r);
}

/* ---- a batch as binary parameters ---- */

struct batch {
    uint8_t provider[4], id[8];
    uint8_t *column[COLUMNS]; /* from 2 on: arrays */
    int size[COLUMNS];
    uint32_t rows;
    int64_t sum_fen;
};

static uint32_t element_size(unsigned column)
{
    return types[column] == 1016 ? 8 : types[column] == 1007 ? 4 : 16;
}

static uint8_t *cell(struct batch *b, unsigned column, uint32_t i)
{
    uint32_t size = element_size(column);
    return b->column[column] + ARRAY_HEAD + (size_t)i * (size + 4) + 4;
}

/* Arrays of `rows` elements each, with all that does not change from batch to batch. */
static void batch_init(struct batch *b, uint32_t rows)
{
    static const Oid element_of[3] = {20, 23, 2950};
    b->rows = rows;
    for (unsigned k = 2; k < COLUMNS; k++) {
        uint32_t size = element_size(k);
        b->size[k] = (int)(ARRAY_HEAD + rows * (size + 4));
        uint8_t *at = b->column[k] = calloc(1, (size_t)b->size[k]);
        if (at == NULL)
            rig_die("memory", NULL);
        sq_put_be32(at, 1);
        sq_put_be32(at + 8, element_of[size == 8 ? 0 : size == 4 ? 1 : 2]);
        sq_put_be32(at + 12, rows);
        sq_put_be32(at + 16, 1);
        for (uint32_t i = 0; i < rows; i++)
            sq_put_be32(cell(b, k, i) - 4, size);
    }
    b->column[0] = b->provider;
    b->column[1] = b->id;
    b->size[0] = sizeof b->provider;
    b->size[1] = sizeof b->id;
}

static void batch_free(struct batch *b)
{
    for (unsigned k = 2; k < COLUMNS; k++)
        free(b->column[k]);
}

static void put_row(struct batch *b, uint32_t i, const struct market_stream *s, const struct market_row *r)
{
    sq_put_be64(cell(b, 2, i), r->voucher);
    sq_put_be64(cell(b, 3, i), (uint64_t)r->amount_fen);
    sq_put_be64(cell(b, 4, i), (uint64_t)r->base_fen);
    sq_put_be64(cell(b, 5, i), (uint64_t)r->base_fen);
    sq_put_be32(cell(b, 6, i), 26002 + s->province * 10);
    sq_put_be64(cell(b, 7, i), r->invoice_sequence);
    sq_put_be32(cell(b, 8, i), r->service);
    sq_put_be32(cell(b, 9, i), r->scenario);
    sq_put_be32(cell(b, 10, i), s->day);
    sq_put_be64(cell(b, 11, i), r->random);
    sq_put_be64(cell(b, 11, i) + 8, r->voucher);
}

static void batch_fill(struct batch *b, unsigned provider, uint64_t id, struct market_stream *s)
{
    sq_put_be32(b->provider, provider);
    sq_put_be64(b->id, id);
    b->sum_fen = 0;
    for (uint32_t i = 0; i < b->rows; i++) {
        struct market_row r = market_next(s);
        put_row(b, i, s, &r);
        b->sum_fen += r.amount_fen;
    }
}

/* The answer's text: "" when all was accepted, else a list of codes; lives until the result is cleared. */
static PGresult *redeem(PGconn *c, const struct batch *b)
{
    static const int binary[COLUMNS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const char *values[COLUMNS];
    for (unsigned k = 0; k < COLUMNS; k++)
        values[k] = (const char *)b->column[k];
    PGresult *r = PQexecPrepared(c, "redeem", COLUMNS, values, b->size, binary, 0);
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        die("redeem", c);
    return r;
}

/* ---- set-up ---- */

static void run_file(PGconn *c, const char *dir, const char *name)
{
    char path[300];
    static char text[1 << 16];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);
    if (n == 0)
        rig_die(path, NULL);
    text[n] = '\0';
    fclose(f);
    execute(c, text);
}

static void prepare(PGconn *c)
{
    PGresult *r = PQprepare(c, "redeem", call, COLUMNS, types);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die("prepare", c);
    PQclear(r);
}

struct settings {
    const char *host, *sql;
    double vouchers, providers, items, seconds;
};

static void set_up(PGconn *c, const struct settings *o)
{
    char seed[128];
    execute(c, "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    run_file(c, o->sql, "schema.sql");
    run_file(c, o->sql, "redeem.sql");
    snprintf(seed, sizeof seed, "SELECT seed(%llu, %.0f, %.0f)", (unsigned long long)PROGRAMME, o->vouchers,
             o->providers);
    execute(c, seed);
    execute(c, "VACUUM ANALYZE");
    execute(c, "CHECKPOINT");
}

/* ---- do the rules hold there? ---- */

struct books {
    uint64_t items;
    char sum[6][40];
};

static struct books read_books(PGconn *c)
{
    struct books b;
    PGresult *r = PQexec(c, "SELECT * FROM books()");
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        die("books", c);
    b.items = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    for (int i = 0; i < 6; i++)
        snprintf(b.sum[i], sizeof b.sum[i], "%s", PQgetvalue(r, 0, i + 1));
    PQclear(r);
    return b;
}

static void expect_books(PGconn *c, uint64_t items, int64_t sum_fen)
{
    struct books b = read_books(c);
    int ok = b.items == items;
    for (int i = 0; i < 6; i++)
        ok = ok && strtoll(b.sum[i], NULL, 10) == sum_fen;
    if (ok)
        return;
    fprintf(stderr,
            "postgres: the books do not tie out: %" PRIu64 " items for %" PRIu64
            " fen were accepted, but they say %" PRIu64,
            items, (uint64_t)sum_fen, b.items);
    for (int i = 0; i < 6; i++)
        fprintf(stderr, ", %s", b.sum[i]);
    fprintf(stderr, "\n");
    exit(1);
}

static void expect_answer(PGconn *c, const struct batch *b, const char *expected)
{
    PGresult *r = redeem(c, b);
    if (strcmp(PQgetvalue(r, 0, 0), expected) != 0) {
        fprintf(stderr, "postgres: a batch was answered '%s', not '%s'\n", PQgetvalue(r, 0, 0), expected);
        exit(1);
    }
    PQclear(r);
}

/* Good rows are taken, the same batch again changes nothing, and bad rows beside good ones get their codes. */
static int64_t check_rules(PGconn *c, struct market_stream *s)
{
    struct batch b = {0};
    batch_init(&b, 3);
    batch_fill(&b, 0, 1, s);
    expect_answer(c, &b, "");
    expect_answer(c, &b, "");
    int64_t sum = b.sum_fen;
    expect_books(c, 3, sum);
    uint8_t used[8], first[8];
    memcpy(used, cell(&b, 7, 0), sizeof used);
    batch_fill(&b, 0, 2, s);
    memcpy(first, cell(&b, 3, 0), sizeof first);
    memcpy(cell(&b, 7, 1), used, sizeof used);                /* an invoice that was claimed before */
    sq_put_be64(cell(&b, 3, 2), sq_get_be64(cell(&b, 4, 2))); /* an amount of all of its base */
    expect_answer(c, &b, "{NULL,INVOICE_CLAIMED,RATE_EXCEEDED}");
    expect_answer(c, &b, "{NULL,INVOICE_CLAIMED,RATE_EXCEEDED}");
    sum += (int64_t)sq_get_be64(first);
    expect_books(c, 4, sum);
    batch_free(&b);
    return sum;
}

/* ---- load ---- */

struct worker {
    const struct settings *o;
    unsigned provider;
    PGconn *connection;
    struct market_stream stream;
    double begin;
    atomic_uint_fast64_t *claimed;
    uint64_t accepted;
    int64_t sum_fen;
};

static int wanted(const struct worker *w)
{
    if (w->o->seconds != 0 && rig_seconds() > w->begin + w->o->seconds)
        return 0;
    return w->o->items == 0 || (double)atomic_fetch_add(w->claimed, LOAD_ROWS) < w->o->items;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct batch b = {0};
    batch_init(&b, LOAD_ROWS);
    for (uint64_t id = 10; wanted(w); id++) {
        batch_fill(&b, w->provider, id, &w->stream);
        PGresult *r = redeem(w->connection, &b);
        if (!PQgetisnull(r, 0, 0)) {
            fprintf(stderr, "postgres: rows were refused: %.200s\n", PQgetvalue(r, 0, 0));
            exit(1);
        }
        PQclear(r);
        w->accepted += LOAD_ROWS;
        w->sum_fen += b.sum_fen;
    }
    batch_free(&b);
    return NULL;
}

int main(int argc, char **argv)
{
    struct settings o = {NULL, "tests/bench/postgres", 1000000, 2, 1000000, 0};
    const struct bench_option options[] = {{"host", NULL, &o.host},         {"sql", NULL, &o.sql},
                                           {"vouchers", &o.vouchers, NULL}, {"providers", &o.providers, NULL},
                                           {"items", &o.items, NULL},       {"seconds", &o.seconds, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    if (o.host == NULL || o.providers < 1 || o.providers > MARKET_PROVIDERS_MAX || o.vouchers < o.providers) {
        fputs(usage, stderr);
        return 2;
    }
    unsigned providers = (unsigned)o.providers;
    struct worker worker[MARKET_PROVIDERS_MAX];
    pthread_t thread[MARKET_PROVIDERS_MAX];
    atomic_uint_fast64_t claimed = 0;
    PGconn *c = connect_to(o.host);
    set_up(c, &o);
    prepare(c);
    for (unsigned p = 0; p < providers; p++) {
        worker[p] = (struct worker){.o = &o,
                                    .provider = p,
                                    .connection = connect_to(o.host),
                                    .claimed = &claimed,
                                    .stream = market_stream_of(310000, 31, p, providers, (uint32_t)o.vouchers)};
        prepare(worker[p].connection);
    }
    uint64_t checked = 4, accepted = 0;
    int64_t sum_fen = check_rules(c, &worker[0].stream);
    double begin = rig_seconds();
    for (unsigned p = 0; p < providers; p++) {
        worker[p].begin = begin;
        if (pthread_create(&thread[p], NULL, work, &worker[p]) != 0)
            rig_die("thread", NULL);
    }
    for (unsigned p = 0; p < providers; p++) {
        pthread_join(thread[p], NULL);
        accepted += worker[p].accepted;
        sum_fen += worker[p].sum_fen;
    }
    double took = rig_seconds() - begin;
    expect_books(c, accepted + checked, sum_fen);
    bench_row("postgres_rps", (double)accepted / took);
    bench_info("postgres", "%" PRIu64 " redemptions in %.2f s; the books tie out", accepted, took);
    for (unsigned p = 0; p < providers; p++)
        PQfinish(worker[p].connection);
    PQfinish(c);
    return 0;
}
