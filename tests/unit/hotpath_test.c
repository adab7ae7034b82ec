/*
 * What a redemption costs when nothing is new: no memory of its own, no system call, no page. And what its receipt costs when the
 * ledger has grown: no more than before.
 *
 * Counted, not timed. Our own calls of the allocator are counted by wrapping them (the Makefile says how to the linker), those of
 * libraries by the pages that they make the kernel bring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"
#include "tests/support/stand.h"

#define ROWS     8192u
#define WARM_UP  40u
#define GROUP    8u
#define MEASURED 40u /* batches; a multiple of GROUP */
#define VOUCHERS 20000u

/* ---- counting ---- */

static uint64_t allocations, node_hashes;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

void __real_sq_tree_node_hash(const uint8_t left[static SQ_HASH_SIZE], const uint8_t right[static SQ_HASH_SIZE],
                              uint8_t out[static SQ_HASH_SIZE]);
void __wrap_sq_tree_node_hash(const uint8_t left[static SQ_HASH_SIZE], const uint8_t right[static SQ_HASH_SIZE],
                              uint8_t out[static SQ_HASH_SIZE]);

void __wrap_sq_tree_node_hash(const uint8_t left[static SQ_HASH_SIZE], const uint8_t right[static SQ_HASH_SIZE],
                              uint8_t out[static SQ_HASH_SIZE])
{
    node_hashes++;
    __real_sq_tree_node_hash(left, right, out);
}

struct cost {
    uint64_t allocations, faults, reads, writes;
};

static uint64_t io_counter(const char *name)
{
    char line[128];
    uint64_t value = UINT64_MAX;
    size_t n = strlen(name);
    FILE *f = fopen("/proc/self/io", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            value = strtoull(line + n + 1, NULL, 10);
    fclose(f);
    assert_true(value != UINT64_MAX);
    return value;
}

static struct cost cost_now(void)
{
    struct rusage u;
    struct cost c = {.reads = io_counter("syscr"), .writes = io_counter("syscw")};
    getrusage(RUSAGE_SELF, &u);
    c.faults = (uint64_t)u.ru_minflt + (uint64_t)u.ru_majflt;
    c.allocations = allocations;
    return c;
}

/* Shadow memory of the sanitizers has pages of its own. */
static void assert_few_pages(uint64_t faults)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(faults < MEASURED * ROWS / 20);
#else
    (void)faults;
#endif
}

/* ---- what is counted ---- */

struct path {
    struct stand *stand;
    struct sq_ledger *ledger;
    struct sq_signer signer;
    struct sq_keys *keys;
    struct sq_arena arena;
    uint8_t *batch[GROUP];
    uint64_t seq;
    char dir[64], path[80];
};

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    const struct sq_keys *keys = ctx;
    return sq_ed25519_sign(message, keys->log_secret, signature, err);
}

static int begin(void **state)
{
    static const uint8_t network[32] = {7};
    struct path *p = calloc(1, sizeof *p);
    strcpy(p->dir, "/tmp/sanquan-hotpath-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/ledger", p->dir);
    struct sq_ledger_options o = {
        .path = p->path, .origin = "hotpath/310000", .network_id = network, .map_size = 1u << 30};
    assert_int_equal(sq_crypto_init(NULL), SQ_OK);
    assert_int_equal(sq_ledger_create(&o, NULL), SQ_OK);
    assert_int_equal(sq_ledger_open(&o, &p->ledger, NULL), SQ_OK);
    assert_int_equal(sq_keys_new("node:310000", &p->keys, NULL), SQ_OK);
    p->signer = (struct sq_signer){.ctx = p->keys, .sign = sign};
    memcpy(p->signer.public_key, p->keys->log_public, sizeof p->signer.public_key);
    assert_int_equal(sq_arena_init(&p->arena, SQ_STEP_ARENA_SIZE, NULL), SQ_OK);
    for (unsigned i = 0; i < GROUP; i++)
        assert_non_null(p->batch[i] = malloc(MARKET_BATCH_SIZE(ROWS)));
    p->stand = stand_new(VOUCHERS);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct path *p = *state;
    char command[128];
    sq_ledger_close(p->ledger);
    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    int left = system(command);
    stand_free(p->stand);
    sq_arena_free(&p->arena);
    sq_secret_free(p->keys);
    for (unsigned i = 0; i < GROUP; i++)
        free(p->batch[i]);
    free(p);
    return left;
}

static void decide(struct path *p, unsigned batches)
{
    struct sq_effects fx;
    for (unsigned i = 0; i < batches; i++)
        stand_step(p->stand, sq_bytes_of(p->batch[0], market_fill(&p->stand->stream, ROWS, p->batch[0])), &p->arena,
                   &fx);
}

static void append(struct path *p, unsigned groups)
{
    for (unsigned g = 0; g < groups; g++) {
        struct sq_entry entries[GROUP];
        for (unsigned i = 0; i < GROUP; i++)
            entries[i] =
                (struct sq_entry){.seq = ++p->seq,
                                  .now_ms = p->seq,
                                  .type = SANQUAN__V1__MESSAGE_TYPE__BATCH,
                                  .input = sq_bytes_of(p->batch[i], market_fill(&p->stand->stream, ROWS, p->batch[i]))};
        struct sq_commit c = {.entries = entries, .entry_count = GROUP};
        assert_int_equal(sq_ledger_commit(p->ledger, &c, &p->signer, NULL), SQ_OK);
    }
}

/* What `batches` of them cost, in steady state. */
static struct cost cost_of(struct path *p, void (*work)(struct path *, unsigned), unsigned warm_up, unsigned count)
{
    work(p, warm_up);
    struct cost before = cost_now();
    work(p, count);
    struct cost after = cost_now();
    return (struct cost){after.allocations - before.allocations, after.faults - before.faults,
                         after.reads - before.reads, after.writes - before.writes};
}

/* ---- tests ---- */

static void deciding_takes_no_memory_a_redemption(void **state)
{
    struct cost c = cost_of(*state, decide, WARM_UP, MEASURED);
    print_message("# note: deciding %u redemptions: %" PRIu64 " allocations, %" PRIu64 " pages\n", MEASURED * ROWS,
                  c.allocations, c.faults);
    assert_true(c.allocations < MEASURED * ROWS / 50); /* the register of invoices grows by chunks */
    assert_few_pages(c.faults);
}

static void appending_takes_no_memory_and_no_write_a_redemption(void **state)
{
    struct cost c = cost_of(*state, append, WARM_UP / GROUP, MEASURED / GROUP);
    print_message("# note: appending %u redemptions: %" PRIu64 " allocations, %" PRIu64 " pages, %" PRIu64 " writes\n",
                  MEASURED * ROWS, c.allocations, c.faults, c.writes);
    assert_true(c.allocations < MEASURED * ROWS / 500);
    assert_few_pages(c.faults);
    assert_true(c.writes < MEASURED * ROWS / 500);
    assert_true(c.reads < MEASURED); /* /proc/self/io itself is read */
}

static void a_proof_does_not_hash_the_tree_again(void **state)
{
    enum { ENTRIES = 5000, A_COMMIT = 100, TILE = 256 };
    struct path *p = *state;
    for (unsigned done = 0; done < ENTRIES; done += A_COMMIT) {
        struct sq_entry entries[A_COMMIT];
        for (unsigned i = 0; i < A_COMMIT; i++)
            entries[i] = (struct sq_entry){.seq = ++p->seq,
                                           .now_ms = p->seq,
                                           .type = SANQUAN__V1__MESSAGE_TYPE__BATCH,
                                           .input = sq_bytes_of(&p->seq, sizeof p->seq)};
        struct sq_commit c = {.entries = entries, .entry_count = A_COMMIT};
        assert_int_equal(sq_ledger_commit(p->ledger, &c, &p->signer, NULL), SQ_OK);
    }
    uint8_t proof[SQ_PROOF_MAX * SQ_HASH_SIZE], root[SQ_HASH_SIZE], leaf[SQ_LEAF_SIZE], leaf_hash[SQ_HASH_SIZE];
    size_t count;
    uint64_t before = node_hashes;
    assert_int_equal(sq_ledger_inclusion(p->ledger, p->seq - 1, p->seq, proof, &count, NULL), SQ_OK);
    uint64_t spent = node_hashes - before;
    print_message("# note: a proof in a tree of %" PRIu64 " entries: %" PRIu64 " node hashes\n", p->seq, spent);
    assert_true(spent < 2 * TILE); /* the last tile, and the tiles on the path above it; not all of them */
    assert_int_equal(sq_ledger_root(p->ledger, p->seq, root, NULL), SQ_OK);
    assert_int_equal(sq_ledger_leaf(p->ledger, p->seq, leaf, NULL), SQ_OK);
    sq_tree_leaf_hash(sq_bytes_of(leaf, sizeof leaf), leaf_hash);
    assert_int_equal(sq_tree_verify_inclusion(p->seq - 1, p->seq, leaf_hash, proof, count, root, NULL), SQ_OK);
}

/* From here on, a system call that is not about memory or the end of the process kills it. */
static int allow_memory_calls_only(void)
{
#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                  ALLOW(SYS_mmap),
                                  ALLOW(SYS_munmap),
                                  ALLOW(SYS_mremap),
                                  ALLOW(SYS_brk),
                                  ALLOW(SYS_madvise),
                                  ALLOW(SYS_exit_group),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
#undef ALLOW
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void deciding_makes_no_system_call(void **state)
{
    struct path *p = *state;
    for (int forbidden = 0; forbidden < 2; forbidden++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (!allow_memory_calls_only())
                syscall(SYS_exit_group, 1);
            decide(p, MEASURED);
            if (forbidden)
                syscall(SYS_getppid);
            syscall(SYS_exit_group, 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (forbidden)
            assert_true(WIFSIGNALED(status)); /* the guard does bite */
        else
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deciding_takes_no_memory_a_redemption),
        cmocka_unit_test(appending_takes_no_memory_and_no_write_a_redemption),
        cmocka_unit_test(a_proof_does_not_hash_the_tree_again),
        cmocka_unit_test(deciding_makes_no_system_call),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
