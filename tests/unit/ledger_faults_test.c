/*
 * The ledger over a system that fails: the 1st, 2nd, 3rd ... write, sync, opening, renaming and allocation, until a run meets no fault. After each
 * fault it is opened again: what was committed is there, what was not is there whole or not at all, and it goes on.
 *
 * The calls are this program's own, so that liblmdb makes them too; allocations are those of the project's code (--wrap, see the Makefile).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"

/* ---- the system ---- */

enum fault { NONE, WRITE, SYNC, OPEN, RENAME, ALLOCATE };

static struct { /* a system has no argument through which to pass it */
    enum fault kind;
    unsigned left; /* calls until the one that fails */
    int number, met;
} system_fault;

static int fails(enum fault kind)
{
    if (system_fault.kind != kind || system_fault.left == 0 || --system_fault.left != 0)
        return 0;
    system_fault.met = 1;
    errno = system_fault.number;
    return 1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return fails(WRITE) ? -1 : syscall(SYS_pwrite64, fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return fails(WRITE) ? -1 : syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd)
{
    return fails(SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fails(SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
    va_end(more);
    return fails(OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int rename(const char *from, const char *to)
{
    return fails(RENAME) ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails(ALLOCATE) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(ALLOCATE) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails(ALLOCATE) ? NULL : __real_realloc(old, size);
}

/* ---- the ledger ---- */

static const uint8_t network[32] = {3};

struct place {
    char dir[64], path[80], copy[80];
    struct sq_arena arena;
};

static int begin(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/sanquan-faults-XXXXXX" : "/tmp/sanquan-faults-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/ledger", p->dir);
    snprintf(p->copy, sizeof p->copy, "%s/copy", p->dir);
    assert_int_equal(sq_arena_init(&p->arena, 1u << 20, NULL), SQ_OK);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
    sq_arena_free(&p->arena);
    free(p);
    return 0;
}

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    (void)ctx;
    (void)err;
    sq_sha256(message.data, message.size, signature);
    memset(signature + 32, 0, 32);
    return SQ_OK;
}

static struct sq_ledger_options options(const char *path)
{
    return (struct sq_ledger_options){
        .path = path, .origin = "sanquan.test/310000", .network_id = network, .map_size = 32u << 20};
}

static sq_status commit(struct sq_ledger *l, struct sq_error *err)
{
    static const struct sq_signer signer = {.sign = sign};
    static uint8_t large[20000]; /* more than a page: LMDB writes it in one piece with its neighbours */
    uint64_t seq = sq_ledger_seq(l) + 1;
    struct sq_entry e[2] = {{.seq = seq, .now_ms = seq, .type = 14, .input = sq_bytes_of("request", 7)},
                            {.seq = seq + 1, .now_ms = seq, .type = 14, .input = sq_bytes_of(large, sizeof large)}};
    struct sq_answer_put a = {.party = 1, .id = seq, .seq = seq, .body = sq_bytes_of("answer", 6)};
    struct sq_outbox_put m = {.node = 1, .number = seq / 2 + 1, .envelope = sq_bytes_of("message", 7)};
    struct sq_outbox_ack ack = {1, seq / 2};
    struct sq_commit c = {e, 2, &a, 1, &m, 1, &ack, seq > 1};
    return sq_ledger_commit(l, &c, &signer, err);
}

/* The end of a story: what was told to be durable. */
struct told {
    uint64_t entries, copied;
    int made, snapshot;
};

static sq_status count_entry(void *ctx, const struct sq_entry *e, struct sq_error *err)
{
    (void)e;
    (void)err;
    ++*(uint64_t *)ctx;
    return SQ_OK;
}

static sq_status write_snapshot(const struct place *p, uint64_t seq, struct sq_error *err)
{
    uint8_t bytes[3000], hash[SQ_HASH_SIZE] = {(uint8_t)seq};
    memset(bytes, (int)seq, sizeof bytes);
    struct sq_dump state = {.bytes = bytes, .size = sizeof bytes};
    return sq_snapshot_write(p->path, seq, hash, &state, err);
}

/* A life of a ledger; ends at the first thing that goes wrong, as a daemon would. */
static sq_status live(struct place *p, struct told *t, struct sq_error *err)
{
    struct sq_ledger_options o = options(p->path);
    struct sq_ledger *l = NULL;
    sq_status st = access(p->path, F_OK) == 0 ? SQ_OK : sq_ledger_create(&o, err);
    t->made |= st == SQ_OK;
    if (st == SQ_OK)
        st = sq_ledger_open(&o, &l, err);
    for (int i = 0; st == SQ_OK && i < 3; i++) {
        st = commit(l, err);
        if (st == SQ_OK)
            t->entries = sq_ledger_seq(l);
    }
    if (st == SQ_OK)
        st = write_snapshot(p, t->entries, err);
    t->snapshot |= st == SQ_OK;
    if (st == SQ_OK)
        st = sq_ledger_copy(l, p->copy, NULL, NULL, &t->copied, err);
    sq_ledger_close(l);
    return st;
}

static void all_is_there(struct place *p, const char *path, uint64_t told)
{
    struct sq_ledger_options o = options(path);
    struct sq_ledger *l = NULL;
    struct sq_error err = {0};
    uint8_t root[SQ_HASH_SIZE];
    uint64_t seen = 0, size = 0;
    sq_bytes note;
    struct sq_answer kept;
    if (sq_ledger_open(&o, &l, &err) != SQ_OK)
        fail_msg("%s", err.text);
    uint64_t seq = sq_ledger_seq(l);
    assert_true(seq >= told && seq % 2 == 0); /* groups of two, whole */
    assert_int_equal(sq_ledger_walk(l, 1, seq, count_entry, &seen, &err), SQ_OK);
    assert_int_equal(seen, seq);
    assert_int_equal(sq_ledger_root(l, seq, root, &err), SQ_OK);
    sq_arena_reset(&p->arena);
    if (seq != 0) {
        assert_int_equal(sq_ledger_checkpoint(l, &p->arena, &note, &size, &err), SQ_OK);
        assert_int_equal(size, seq);
    }
    for (uint64_t id = 1; id < seq; id += 2)
        assert_int_equal(sq_ledger_answer(l, 1, id, &p->arena, &kept, &err), SQ_OK);
    assert_int_equal(sq_ledger_answer(l, 1, seq + 1, &p->arena, &kept, &err), SQ_E_NOT_FOUND);
    sq_ledger_close(l);
}

static void snapshot_is_whole(struct place *p, int told)
{
    uint64_t seq;
    uint8_t hash[SQ_HASH_SIZE], *bytes = NULL;
    size_t size;
    sq_status st = sq_snapshot_read(p->path, &seq, hash, &bytes, &size, NULL);
    assert_true(st == SQ_OK || (st == SQ_E_NOT_FOUND && !told));
    if (st == SQ_OK)
        assert_true(size == 3000 && bytes[0] == (uint8_t)seq && hash[0] == (uint8_t)seq);
    free(bytes);
}

static void clear(struct place *p)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s/*", p->dir);
    assert_int_equal(system(command), 0);
}

/* Each n from 1 on, until the story ends without having met it. */
static void survives(struct place *p, enum fault kind, int number, unsigned at_least)
{
    unsigned n = 1, refused = 0;
    for (;; n++) {
        struct told t = {0};
        struct sq_error err = {0};
        clear(p);
        system_fault.kind = kind;
        system_fault.left = n;
        system_fault.number = number;
        system_fault.met = 0;
        sq_status st = live(p, &t, &err);
        system_fault.kind = NONE;
        if (!system_fault.met) {
            assert_int_equal(st, SQ_OK);
            break;
        }
        assert_true(st == SQ_OK || err.text[0] != '\0'); /* what may fail without harm may also be passed over */
        refused += st != SQ_OK;
        if (t.made)
            all_is_there(p, p->path, t.entries);
        if (t.made)
            snapshot_is_whole(p, t.snapshot);
        if (t.copied != 0)
            all_is_there(p, p->copy, t.copied);
        /* And on it goes, also to a copy that was begun. */
        st = live(p, &t, &err);
        if (st != SQ_OK)
            fail_msg("after fault %u: %s", n, err.text);
        all_is_there(p, p->path, t.entries);
        all_is_there(p, p->copy, t.copied);
    }
    print_message("%u faults, %u refused\n", n - 1, refused);
    assert_true(n > at_least && refused > at_least / 2);
}

static void every_write_may_fail(void **state)
{
    survives(*state, WRITE, EIO, 20);
}

static void every_write_may_find_the_disk_full(void **state)
{
    survives(*state, WRITE, ENOSPC, 20);
}

static void every_sync_may_fail(void **state)
{
    survives(*state, SYNC, EIO, 10);
}

static void every_file_may_fail_to_open(void **state)
{
    survives(*state, OPEN, EMFILE, 10);
}

static void every_renaming_may_fail(void **state)
{
    survives(*state, RENAME, EIO, 2);
}

static void every_allocation_may_fail(void **state)
{
    survives(*state, ALLOCATE, ENOMEM, 8);
}

/* An error that leaves open what was stored closes the ledger to all that would follow. */
static void after_a_failed_commit_nothing_is_committed_until_it_is_opened_again(void **state)
{
    struct place *p = *state;
    struct sq_ledger_options o = options(p->path);
    struct sq_ledger *l = NULL;
    struct sq_error err = {0};
    assert_int_equal(sq_ledger_create(&o, &err), SQ_OK);
    assert_int_equal(sq_ledger_open(&o, &l, &err), SQ_OK);
    assert_int_equal(commit(l, &err), SQ_OK);
    system_fault.kind = SYNC;
    system_fault.left = 1;
    system_fault.number = EIO;
    assert_int_equal(commit(l, &err), SQ_E_CORRUPT);
    system_fault.kind = NONE;
    assert_non_null(strstr(err.text, "unknown until restart"));
    assert_int_equal(commit(l, &err), SQ_E_STORAGE);
    assert_non_null(strstr(err.text, "restart to learn"));
    assert_int_equal(sq_ledger_seq(l), 2);
    sq_ledger_close(l);
    all_is_there(p, p->path, 2);
}

static void a_reader_cannot_commit(void **state)
{
    struct place *p = *state;
    struct sq_ledger_options o = options(p->path);
    struct sq_ledger *l = NULL;
    struct sq_error err = {0};
    assert_int_equal(sq_ledger_create(&o, &err), SQ_OK);
    o.read_only = 1;
    assert_int_equal(sq_ledger_open(&o, &l, &err), SQ_OK);
    assert_int_equal(commit(l, &err), SQ_E_STORAGE);
    assert_non_null(strstr(err.text, "reading only"));
    sq_ledger_close(l);
    all_is_there(p, p->path, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_write_may_fail, begin, end),
        cmocka_unit_test_setup_teardown(every_write_may_find_the_disk_full, begin, end),
        cmocka_unit_test_setup_teardown(every_sync_may_fail, begin, end),
        cmocka_unit_test_setup_teardown(every_file_may_fail_to_open, begin, end),
        cmocka_unit_test_setup_teardown(every_renaming_may_fail, begin, end),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, begin, end),
        cmocka_unit_test_setup_teardown(after_a_failed_commit_nothing_is_committed_until_it_is_opened_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_reader_cannot_commit, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
