/*
 * The machine's limit: what any node must do with a redemption, by one thread, in one process, with no network and no rules.
 *
 * Canonical decode of the batch, SHA-256 of the entry, append and fsync, by the functions that the node itself uses. Reading the
 * prepared batch is part of it, making it is not. What a node reaches is shown as a share of this.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/ledger.h"
#include "tests/bench/bench.h"
#include "tests/bench/load.h"

#define GROUP   16u /* batches a commit, as many as a node takes in one turn of its loop */
#define BATCHES 64u /* different ones, in turn: more than the caches hold */

static const char usage[] = "usage: limit_bench [--dir DIR] [--items N]\n"
                            "  --dir DIR     where the ledger is made; its old contents go (build/bench/limit)\n"
                            "  --items N     redemptions (4000000)\n";

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    const struct sq_keys *keys = ctx;
    return sq_ed25519_sign(message, keys->log_secret, signature, err);
}

struct limit {
    struct sq_ledger *ledger;
    struct sq_signer signer;
    struct sq_arena arena;
    sq_bytes batch[BATCHES];
    uint64_t seq;
};

static void *room(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

static void open_ledger(struct limit *l, const char *dir)
{
    char command[300];
    struct sq_error err = {0};
    uint8_t network[32] = {1};
    struct sq_keys *keys = rig_keys("node", "310000");
    struct sq_ledger_options o = {.path = dir, .origin = "bench/310000", .network_id = network};
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir -p \"$(dirname '%s')\"", dir, dir);
    if (system(command) != 0 || sq_ledger_create(&o, &err) != SQ_OK || sq_ledger_open(&o, &l->ledger, &err) != SQ_OK ||
        sq_arena_init(&l->arena, 4u << 20, &err) != SQ_OK)
        rig_die(dir, &err);
    l->signer = (struct sq_signer){.ctx = keys, .sign = sign};
    memcpy(l->signer.public_key, keys->log_public, sizeof keys->log_public);
}

static void make_batches(struct limit *l)
{
    struct market_stream s = market_stream_of(310000, 31, 0, 1, 1000000);
    for (unsigned i = 0; i < BATCHES; i++) {
        uint8_t *bytes = malloc(MARKET_BATCH_SIZE(LOAD_ROWS));
        if (bytes == NULL)
            rig_die("memory", NULL);
        l->batch[i] = sq_bytes_of(bytes, market_fill(&s, LOAD_ROWS, bytes));
    }
}

/* Returns how many redemptions went through. */
static uint64_t one_group(struct limit *l)
{
    struct sq_entry entries[GROUP];
    struct sq_error err = {0};
    struct sq_wire_memory memory = {room, &l->arena};
    uint64_t rows = 0;
    for (unsigned i = 0; i < GROUP; i++) {
        ProtobufCMessage *m;
        sq_bytes batch = l->batch[l->seq % BATCHES];
        sq_arena_reset(&l->arena);
        if (sq_wire_open(&sanquan__v1__batch__descriptor, batch, &memory, &m, &err) != SQ_OK)
            rig_die("decode", &err);
        rows += ((const Sanquan__V1__Batch *)m)->n_voucher;
        entries[i] = (struct sq_entry){.seq = ++l->seq,
                                       .now_ms = 1790000000000u + l->seq,
                                       .type = SANQUAN__V1__MESSAGE_TYPE__BATCH,
                                       .input = batch};
    }
    struct sq_commit c = {.entries = entries, .entry_count = GROUP};
    if (sq_ledger_commit(l->ledger, &c, &l->signer, &err) != SQ_OK)
        rig_die("commit", &err);
    return rows;
}

int main(int argc, char **argv)
{
    const char *dir = "build/bench/limit";
    double items = 4000000;
    const struct bench_option options[] = {{"dir", NULL, &dir}, {"items", &items, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    struct limit l = {0};
    struct sq_error err = {0};
    if (sq_crypto_init(&err) != SQ_OK)
        rig_die("keys", &err);
    open_ledger(&l, dir);
    make_batches(&l);
    uint64_t done = 0;
    double begin = rig_seconds();
    while ((double)done < items)
        done += one_group(&l);
    bench_row("limit_rps", (double)done / (rig_seconds() - begin));
    sq_ledger_close(l.ledger);
    return 0;
}
