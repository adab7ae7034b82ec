/*
 * Where the time of a redemption goes, stage by stage: what a node's threads do with a batch, done one after another in this
 * process. CPU time of the thread, so that other work on the machine weighs little; the waiting of the commit is shown beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clearing/ledger/ledger.h"
#include "peers/message.h"
#include "tests/bench/bench.h"
#include "tests/bench/load.h"
#include "tests/support/stand.h"

#define GROUP 16u /* batches a commit */

static const char usage[] = "usage: stages_bench [--dir DIR] [--vouchers N] [--items N]\n"
                            "  --dir DIR      where the ledger is made; its old contents go (build/bench/stages)\n"
                            "  --vouchers N   picked uniformly at random (1000000)\n"
                            "  --items N      redemptions (4000000)\n";

enum stage { SEAL, OPEN, CHECK, DECODE, STEP, COPY, COMMIT, STAGES };
static const char *const names[STAGES] = {"sender: hash, sign, copy",        "envelope: canonical form",
                                          "signature and name: hash, check", "batch: canonical form, unpack",
                                          "step: decode, rules, state",      "copy into the group",
                                          "commit: hash, append, fsync"};

struct stages {
    double cpu[STAGES], commit_wall;
    struct stand *stand;
    struct sq_keys *keys;
    struct sq_ledger *ledger;
    struct sq_signer signer;
    struct sq_arena arena, group;
    struct sq_entry entries[GROUP];
    uint64_t seq, rows;
};

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(sq_status st, const struct sq_error *err)
{
    if (st != SQ_OK)
        rig_die("stages", err);
}

static void *room(void *arena, size_t size)
{
    return sq_arena_room(arena, size);
}

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    const struct sq_keys *keys = ctx;
    return sq_ed25519_sign(message, keys->log_secret, signature, err);
}

static void open_all(struct stages *s, const char *dir, uint32_t vouchers)
{
    struct sq_error err = {0};
    char command[300];
    static const uint8_t network[32] = {7};
    struct sq_ledger_options o = {.path = dir, .origin = "bench/310000", .network_id = network};
    must(sq_crypto_init(&err), &err);
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir -p \"$(dirname '%s')\"", dir, dir);
    if (system(command) != 0)
        rig_die(dir, NULL);
    must(sq_ledger_create(&o, &err), &err);
    must(sq_ledger_open(&o, &s->ledger, &err), &err);
    must(sq_arena_init(&s->arena, SQ_STEP_ARENA_SIZE, &err), &err);
    must(sq_arena_init(&s->group, 64u << 20, &err), &err);
    s->keys = rig_keys("node", "310000");
    s->signer = (struct sq_signer){.ctx = s->keys, .sign = sign};
    memcpy(s->signer.public_key, s->keys->log_public, sizeof s->signer.public_key);
    s->stand = stand_new(vouchers);
}

/* The time since the last call goes to `stage`. */
static void lap(struct stages *s, enum stage stage, double *since)
{
    double now = cpu_now();
    s->cpu[stage] += now - *since;
    *since = now;
}

static void one_batch(struct stages *s, uint8_t *batch, struct sq_entry *entry)
{
    const uint8_t *network = sq_core_network_id(s->stand->core);
    struct sq_wire_memory memory = {room, &s->arena}, group = {room, &s->group};
    struct sq_header header = {SANQUAN__V1__MESSAGE_TYPE__BATCH, s->stand->provider, "node:310000", s->stand->id + 1,
                               1};
    struct sq_error err = {0};
    struct sq_envelope e;
    struct sq_effects fx;
    ProtobufCMessage *m;
    uint8_t hash[SQ_HASH_SIZE], name[SQ_HASH_SIZE];
    sq_bytes body = sq_bytes_of(batch, market_fill(&s->stand->stream, LOAD_ROWS, batch)), sealed;
    double since = cpu_now();
    must(sq_message_seal(&header, body, network, s->keys->secret, &group, &sealed, &err), &err);
    lap(s, SEAL, &since);
    must(sq_envelope_open(sealed, &e, &err), &err);
    lap(s, OPEN, &since);
    sq_sha256(e.body.data, e.body.size, hash);
    must(sq_message_check_shown(&e, hash, network, s->keys->public_key, &err), &err);
    sq_message_name(&e, hash, network, name);
    lap(s, CHECK, &since);
    sq_arena_reset(&s->arena);
    must(sq_wire_open(&sanquan__v1__batch__descriptor, e.body, &memory, &m, &err), &err);
    lap(s, DECODE, &since);
    stand_step(s->stand, e.body, &s->arena, &fx);
    lap(s, STEP, &since);
    *entry = (struct sq_entry){
        .seq = ++s->seq,
        .now_ms = sq_core_now_ms(s->stand->core),
        .type = e.type,
        .input = sq_bytes_of(sq_arena_copy(&s->group, e.whole.data, e.whole.size), e.whole.size),
        .outcome = sq_bytes_of(sq_arena_copy(&s->group, fx.outcome.data, fx.outcome.size), fx.outcome.size)};
    lap(s, COPY, &since);
    s->rows += LOAD_ROWS;
}

static void one_group(struct stages *s, uint8_t *batch)
{
    struct sq_error err = {0};
    sq_arena_reset(&s->group);
    for (unsigned i = 0; i < GROUP; i++)
        one_batch(s, batch, &s->entries[i]);
    struct sq_commit c = {.entries = s->entries, .entry_count = GROUP};
    double since = cpu_now(), wall = rig_seconds();
    must(sq_ledger_commit(s->ledger, &c, &s->signer, &err), &err);
    lap(s, COMMIT, &since);
    s->commit_wall += rig_seconds() - wall;
}

int main(int argc, char **argv)
{
    const char *dir = "build/bench/stages";
    double items = 4000000, vouchers = 1000000;
    const struct bench_option options[] = {{"dir", NULL, &dir}, {"vouchers", &vouchers, NULL}, {"items", &items, NULL}};
    bench_options(argc, argv, options, sizeof options / sizeof *options, usage);
    struct stages *s = calloc(1, sizeof *s);
    uint8_t *batch = malloc(MARKET_BATCH_SIZE(LOAD_ROWS));
    if (s == NULL || batch == NULL)
        rig_die("memory", NULL);
    open_all(s, dir, (uint32_t)vouchers);
    one_group(s, batch); /* pages are touched and tables have grown before it counts */
    memset(s->cpu, 0, sizeof s->cpu);
    s->commit_wall = 0;
    s->rows = 0;
    while ((double)s->rows < items)
        one_group(s, batch);
    for (int i = 0; i < STAGES; i++)
        bench_info("stage_ns", "%-30s %7.1f", names[i], s->cpu[i] * 1e9 / (double)s->rows);
    bench_info("stage_ns", "%-30s %7.1f", "commit: with its waiting", s->commit_wall * 1e9 / (double)s->rows);
    sq_ledger_close(s->ledger);
    stand_free(s->stand);
    return 0;
}
