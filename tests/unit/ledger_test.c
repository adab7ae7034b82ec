/* The ledger on a real disk: what was committed is there, what is damaged is found, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"
#include "tests/support/random.h"

static uint8_t network[32] = {9, 9, 9};

struct disk {
    char dir[64], path[80];
    struct sq_arena arena;
};

static int begin(void **state)
{
    struct disk *d = calloc(1, sizeof *d);
    strcpy(d->dir, "/tmp/sanquan-ledger-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    snprintf(d->path, sizeof d->path, "%s/ledger", d->dir);
    assert_int_equal(sq_arena_init(&d->arena, 8u << 20, NULL), SQ_OK);
    *state = d;
    return 0;
}

static int end(void **state)
{
    struct disk *d = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", d->dir);
    assert_int_equal(system(command), 0);
    sq_arena_free(&d->arena);
    free(d);
    return 0;
}

static sq_status sign(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    (void)ctx;
    (void)err;
    sq_sha256(message.data, message.size, signature);
    memset(signature + 32, 0x5a, 32);
    return SQ_OK;
}

static const struct sq_signer signer = {NULL, sign, {1, 2, 3}};

static struct sq_ledger_options options(const struct disk *d)
{
    return (struct sq_ledger_options){
        .path = d->path, .origin = "sanquan.test/310000", .network_id = network, .map_size = 256u << 20};
}

static struct sq_ledger *open_ledger(const struct disk *d)
{
    struct sq_ledger_options o = options(d);
    struct sq_ledger *l = NULL;
    struct sq_error err = {0};
    if (access(d->path, F_OK) != 0)
        assert_int_equal(sq_ledger_create(&o, &err), SQ_OK);
    if (sq_ledger_open(&o, &l, &err) != SQ_OK)
        fail_msg("%s", err.text);
    return l;
}

static void append(struct sq_ledger *l, size_t count, size_t size)
{
    struct sq_entry *e = calloc(count, sizeof *e);
    uint8_t *bytes = calloc(1, size + 1);
    char outcome[] = "decided";
    memset(bytes, 0x42, size);
    for (size_t i = 0; i < count; i++)
        e[i] = (struct sq_entry){.seq = sq_ledger_seq(l) + 1 + i,
                                 .now_ms = 1000 + i,
                                 .type = 14,
                                 .input = sq_bytes_of(bytes, size),
                                 .outcome = sq_bytes_of(outcome, sizeof outcome - 1)};
    struct sq_commit c = {.entries = e, .entry_count = count};
    struct sq_error err = {0};
    if (sq_ledger_commit(l, &c, &signer, &err) != SQ_OK)
        fail_msg("%s", err.text);
    free(bytes);
    free(e);
}

static void what_was_committed_is_read_back_after_reopening(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    struct sq_entry e;
    append(l, 3, 100);
    append(l, 1, 600000);
    sq_ledger_close(l);
    l = open_ledger(d);
    assert_int_equal(sq_ledger_seq(l), 4);
    assert_int_equal(sq_ledger_read(l, 4, &d->arena, &e, NULL), SQ_OK);
    assert_int_equal(e.input.size, 600000);
    assert_memory_equal(e.outcome.data, "decided", 7);
    assert_int_equal(sq_ledger_read(l, 5, &d->arena, &e, NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_read(l, 0, &d->arena, &e, NULL), SQ_E_NOT_FOUND);
    sq_ledger_close(l);
}

static void a_second_writer_and_foreign_ledgers_are_refused_with_the_reason(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d), *second = NULL;
    struct sq_ledger_options o = options(d);
    struct sq_error err = {0};
    uint8_t other[32] = {1};
    assert_int_equal(sq_ledger_open(&o, &second, &err), SQ_E_LOCKED);
    o.read_only = 1;
    assert_int_equal(sq_ledger_open(&o, &second, &err), SQ_OK);
    append(l, 2, 10);
    assert_int_equal(sq_ledger_seq(second), 2); /* a reader sees what the writer has made durable */
    sq_ledger_close(second);
    sq_ledger_close(l);
    o = options(d);
    o.network_id = other;
    assert_int_equal(sq_ledger_open(&o, &second, &err), SQ_E_FOREIGN);
    assert_non_null(strstr(err.text, "another network"));
    o = options(d);
    o.origin = "sanquan.test/370000";
    assert_int_equal(sq_ledger_open(&o, &second, &err), SQ_E_FOREIGN);
    assert_non_null(strstr(err.text, "sanquan.test/310000"));
    assert_int_equal(sq_ledger_create(&o, &err), SQ_E_IO);
}

static void damage(const struct disk *d, off_t at, const void *bytes, size_t size)
{
    char data[128];
    snprintf(data, sizeof data, "%s/data.mdb", d->path);
    int fd = open(data, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t)size);
    close(fd);
}

static sq_status count_entries(void *ctx, const struct sq_entry *e, struct sq_error *err)
{
    (void)e;
    (void)err;
    ++*(uint64_t *)ctx;
    return SQ_OK;
}

/* Where a page of the data file is full of what `append` appends. */
static off_t payload_in(const char *data)
{
    char page[4096];
    off_t at = 0;
    int fd = open(data, O_RDONLY);
    while (read(fd, page, sizeof page) == (ssize_t)sizeof page && !(page[2000] == 0x42 && page[3000] == 0x42))
        at += (off_t)sizeof page;
    close(fd);
    return at;
}

static void who_follows_hashes_what_was_there_and_not_what_this_process_appended(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    struct sq_error err = {0};
    char data[128];
    uint64_t seen = 0;
    append(l, 20, 5000);
    snprintf(data, sizeof data, "%s/data.mdb", d->path);
    off_t at = payload_in(data);
    damage(d, at + 2000, "\x43", 1);
    assert_int_equal(sq_ledger_follow(l, 1, UINT64_MAX, count_entries, &seen, &err), SQ_OK);
    assert_int_equal(seen, 20);
    assert_int_equal(sq_ledger_walk(l, 1, UINT64_MAX, count_entries, &seen, &err), SQ_E_CORRUPT);
    sq_ledger_close(l);
    l = open_ledger(d);
    assert_int_equal(sq_ledger_follow(l, 1, UINT64_MAX, count_entries, &seen, &err), SQ_E_CORRUPT);
    sq_ledger_close(l);
}

static void a_cut_off_a_zeroed_and_a_flipped_file_are_found_out(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    struct sq_ledger_options o = options(d);
    struct sq_error err = {0};
    char data[128], zero[8192] = {0};
    append(l, 20, 5000);
    sq_ledger_close(l);
    snprintf(data, sizeof data, "%s/data.mdb", d->path);
    off_t at = payload_in(data); /* one bit in it will flip */
    int fd = open(data, O_RDONLY);
    off_t length = lseek(fd, 0, SEEK_END);
    close(fd);
    damage(d, at + 2000, "\x43", 1);
    l = open_ledger(d);
    uint64_t seen = 0;
    assert_int_equal(sq_ledger_walk(l, 1, UINT64_MAX, count_entries, &seen, &err), SQ_E_CORRUPT);
    assert_non_null(strstr(err.text, "entry "));
    assert_true(seen < 20);
    sq_ledger_close(l);
    damage(d, at + 2000, "\x42", 1);
    l = open_ledger(d);
    seen = 0;
    assert_int_equal(sq_ledger_walk(l, 1, UINT64_MAX, count_entries, &seen, &err), SQ_OK);
    assert_int_equal(seen, 20);
    sq_ledger_close(l);
    assert_int_equal(truncate(data, length - 8192), 0);
    assert_int_equal(sq_ledger_open(&o, &l, &err), SQ_E_CORRUPT);
    damage(d, 0, zero, sizeof zero);
    assert_int_equal(sq_ledger_open(&o, &l, &err), SQ_E_FOREIGN);
}

static void a_group_is_stored_whole_or_not_at_all(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    uint8_t root[32], after[32];
    append(l, 5, 50);
    assert_int_equal(sq_ledger_root(l, 5, root, NULL), SQ_OK);
    struct sq_entry e[2] = {{.seq = 6, .type = 14}, {.seq = 8, .type = 14}};
    struct sq_answer_put a = {.party = 1, .id = 1, .seq = 6};
    struct sq_commit c = {.entries = e, .entry_count = 2, .answers = &a, .answer_count = 1};
    struct sq_answer kept;
    assert_int_equal(sq_ledger_commit(l, &c, &signer, NULL), SQ_E_STORAGE);
    assert_int_equal(sq_ledger_seq(l), 5);
    assert_int_equal(sq_ledger_answer(l, 1, 1, &d->arena, &kept, NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_root(l, 5, after, NULL), SQ_OK);
    assert_memory_equal(root, after, 32);
    append(l, 1, 50); /* and the ledger goes on */
    assert_int_equal(sq_ledger_seq(l), 6);
    sq_ledger_close(l);
}

static void answers_and_outbox_are_kept_until_they_are_dropped(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    struct sq_outbox_put put[5], got[8];
    struct sq_answer_put a = {.party = 3, .id = 7, .seq = 1, .request = {8}, .body = sq_bytes_of("answer", 6)};
    struct sq_answer kept;
    size_t count;
    for (uint64_t i = 0; i < 5; i++)
        put[i] = (struct sq_outbox_put){
            .node = i < 4 ? 1 : 2, .number = i < 4 ? i + 1 : 1, .envelope = sq_bytes_of("envelope", 8)};
    struct sq_commit c = {.answers = &a, .answer_count = 1, .outbox = put, .outbox_count = 5};
    assert_int_equal(sq_ledger_commit(l, &c, &signer, NULL), SQ_OK);
    assert_int_equal(sq_ledger_answer(l, 3, 7, &d->arena, &kept, NULL), SQ_OK);
    assert_int_equal(kept.seq, 1);
    assert_int_equal(kept.request[0], 8);
    assert_memory_equal(kept.body.data, "answer", 6);
    assert_int_equal(sq_ledger_outbox(l, 1, 2, 8, &d->arena, got, &count, NULL), SQ_OK);
    assert_int_equal(count, 3);
    assert_int_equal(got[0].number, 2);
    struct sq_outbox_ack ack = {1, 3};
    c = (struct sq_commit){.acks = &ack, .ack_count = 1};
    assert_int_equal(sq_ledger_commit(l, &c, &signer, NULL), SQ_OK);
    assert_int_equal(sq_ledger_outbox(l, 1, 0, 8, &d->arena, got, &count, NULL), SQ_OK);
    assert_int_equal(count, 1);
    assert_int_equal(got[0].number, 4);
    assert_int_equal(sq_ledger_outbox(l, 2, 0, 8, &d->arena, got, &count, NULL), SQ_OK);
    assert_int_equal(count, 1);
    sq_ledger_close(l);
}

static void proofs_from_tiles_verify_at_every_size_across_tile_borders(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    static const size_t grow[] = {1, 1, 1, 200, 52, 1, 1, 300, 65000, 1, 100};
    uint8_t leaf[SQ_LEAF_SIZE], leaf_hash[32], root[32], proof[SQ_PROOF_MAX * 32];
    unsigned random = 1;
    for (size_t i = 0; i < sizeof grow / sizeof *grow; i++) {
        append(l, grow[i], 8);
        uint64_t size = sq_ledger_seq(l), note_size;
        sq_bytes note;
        struct sq_checkpoint c;
        sq_arena_reset(&d->arena);
        assert_int_equal(sq_ledger_checkpoint(l, &d->arena, &note, &note_size, NULL), SQ_OK);
        assert_int_equal(note_size, size);
        assert_int_equal(sq_checkpoint_parse(note, &c, NULL), SQ_OK);
        assert_int_equal(sq_ledger_root(l, size, root, NULL), SQ_OK);
        assert_memory_equal(root, c.root, 32); /* the signed root, by the edge, is the stored root, by the tiles */
        for (int k = 0; k < 40; k++) {
            random = random * 1103515245u + 12345u;
            uint64_t smaller = 1 + (random >> 4) % size, index = (random >> 9) % smaller;
            size_t count;
            assert_int_equal(sq_ledger_leaf(l, index + 1, leaf, NULL), SQ_OK);
            sq_tree_leaf_hash(sq_bytes_of(leaf, sizeof leaf), leaf_hash);
            assert_int_equal(sq_ledger_root(l, smaller, root, NULL), SQ_OK);
            assert_int_equal(sq_ledger_inclusion(l, index, smaller, proof, &count, NULL), SQ_OK);
            assert_int_equal(sq_tree_verify_inclusion(index, smaller, leaf_hash, proof, count, root, NULL), SQ_OK);
        }
    }
    uint64_t size = sq_ledger_seq(l);
    uint8_t before[32];
    assert_int_equal(sq_ledger_root(l, size, before, NULL), SQ_OK);
    sq_ledger_close(l);
    l = open_ledger(d);
    append(l, 1, 8); /* the edge that was rebuilt goes on as the old one */
    assert_int_equal(sq_ledger_root(l, size, root, NULL), SQ_OK);
    assert_memory_equal(before, root, 32);
    struct sq_checkpoint c;
    sq_bytes note;
    assert_int_equal(sq_ledger_checkpoint(l, &d->arena, &note, &size, NULL), SQ_OK);
    assert_int_equal(sq_checkpoint_parse(note, &c, NULL), SQ_OK);
    assert_int_equal(sq_ledger_root(l, size, root, NULL), SQ_OK);
    assert_memory_equal(root, c.root, 32);
    sq_ledger_close(l);
}

static void any_two_trees_of_a_ledger_are_consistent(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    uint8_t proof[SQ_PROOF_MAX * 32], root1[32], root2[32];
    size_t hashes;
    append(l, 600, 20);
    for (uint64_t size2 = 1; size2 <= 600; size2 += size2 < 40 || (size2 > 250 && size2 < 260) ? 1 : 37)
        for (uint64_t size1 = 1; size1 <= size2; size1 += size1 < 40 || (size1 > 250 && size1 < 260) ? 1 : 41) {
            assert_int_equal(sq_ledger_consistency(l, size1, size2, proof, &hashes, NULL), SQ_OK);
            assert_int_equal(sq_ledger_root(l, size1, root1, NULL), SQ_OK);
            assert_int_equal(sq_ledger_root(l, size2, root2, NULL), SQ_OK);
            if (sq_tree_verify_consistency(size1, size2, root1, root2, proof, hashes, NULL) != SQ_OK)
                fail_msg("%" PRIu64 " to %" PRIu64, size1, size2);
            root1[5] ^= 1;
            assert_int_equal(sq_tree_verify_consistency(size1, size2, root1, root2, proof, hashes, NULL), SQ_E_VERIFY);
        }
    assert_int_equal(sq_ledger_consistency(l, 0, 5, proof, &hashes, NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_consistency(l, 6, 5, proof, &hashes, NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_consistency(l, 5, 601, proof, &hashes, NULL), SQ_E_NOT_FOUND);
    sq_ledger_close(l);
}

/* The root over a level's hashes, folded plainly. */
static void fold(uint8_t (*hash)[32], size_t count, uint8_t root[static 32])
{
    if (count == 1) {
        memcpy(root, hash[0], 32);
        return;
    }
    size_t k = 1;
    uint8_t left[32], right[32];
    while (k * 2 < count)
        k *= 2;
    fold(hash, k, left);
    fold(hash + k, count - k, right);
    sq_tree_node_hash(left, right, root);
}

static void tiles_of_every_width_add_up_to_the_root(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    static uint8_t hash[600][32], above[2][32];
    uint8_t root[32], folded[32];
    append(l, 600, 20);
    for (uint64_t n = 0; n < 3; n++)
        assert_int_equal(sq_ledger_tile(l, 0, n, n < 2 ? 256 : 88, hash[n * 256], NULL), SQ_OK);
    fold(hash, 600, folded);
    assert_int_equal(sq_ledger_root(l, 600, root, NULL), SQ_OK);
    assert_memory_equal(folded, root, 32);
    assert_int_equal(sq_ledger_tile(l, 1, 0, 2, above[0], NULL), SQ_OK);
    for (int i = 0; i < 2; i++) {
        fold(hash + i * 256, 256, folded);
        assert_memory_equal(folded, above[i], 32);
    }
    assert_int_equal(sq_ledger_tile(l, 0, 2, 89, hash[0], NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_tile(l, 1, 0, 3, hash[0], NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_tile(l, 0, 0, 0, hash[0], NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_tile(l, 0, 0, 257, hash[0], NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_tile(l, 7, UINT64_MAX, 1, hash[0], NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_ledger_tile(l, 7, UINT64_MAX / 256 - 2, 1, hash[0], NULL), SQ_E_NOT_FOUND);
    sq_ledger_close(l);
}

static void a_full_map_refuses_the_group_and_reading_goes_on(void **state)
{
    struct disk *d = *state;
    struct sq_ledger_options o = options(d);
    struct sq_ledger *l;
    struct sq_entry e;
    static uint8_t big[300000];
    o.map_size = 2u << 20;
    assert_int_equal(sq_ledger_create(&o, NULL), SQ_OK);
    assert_int_equal(sq_ledger_open(&o, &l, NULL), SQ_OK);
    sq_status st = SQ_OK;
    while (st == SQ_OK) {
        struct sq_entry next = {.seq = sq_ledger_seq(l) + 1, .type = 14, .input = sq_bytes_of(big, sizeof big)};
        struct sq_commit c = {.entries = &next, .entry_count = 1};
        st = sq_ledger_commit(l, &c, &signer, NULL);
    }
    assert_int_equal(st, SQ_E_FULL);
    uint64_t seq = sq_ledger_seq(l);
    assert_true(seq >= 2);
    assert_true(sq_ledger_free_permille(l) < 200);
    assert_int_equal(sq_ledger_read(l, seq, &d->arena, &e, NULL), SQ_OK);
    sq_ledger_close(l);
}

static void a_snapshot_is_whole_or_refused(void **state)
{
    struct disk *d = *state;
    struct sq_ledger *l = open_ledger(d);
    uint8_t hash[32] = {5}, got[32], *bytes, state_bytes[1000];
    uint64_t seq;
    size_t size;
    char name[128];
    sq_ledger_close(l);
    for (size_t i = 0; i < sizeof state_bytes; i++)
        state_bytes[i] = (uint8_t)(i * 7);
    struct sq_dump dump = {.borrows = 1};
    sq_dump_put(&dump, state_bytes, 100);
    sq_dump_lend(&dump, state_bytes + 100, 600);
    sq_dump_lend(&dump, state_bytes + 700, 200);
    sq_dump_put(&dump, state_bytes + 900, sizeof state_bytes - 900);
    assert_int_equal(sq_snapshot_read(d->path, &seq, got, &bytes, &size, NULL), SQ_E_NOT_FOUND);
    assert_int_equal(sq_snapshot_write(d->path, 41, hash, &dump, NULL), SQ_OK);
    assert_int_equal(sq_snapshot_read(d->path, &seq, got, &bytes, &size, NULL), SQ_OK);
    assert_int_equal(seq, 41);
    assert_int_equal(size, sizeof state_bytes);
    assert_memory_equal(bytes, state_bytes, size);
    assert_memory_equal(got, hash, 32);
    free(bytes);
    sq_dump_free(&dump);
    snprintf(name, sizeof name, "%s/snapshot", d->path);
    int fd = open(name, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 500), 1);
    assert_int_equal(sq_snapshot_read(d->path, &seq, got, &bytes, &size, NULL), SQ_E_CORRUPT);
    assert_int_equal(ftruncate(fd, 700), 0);
    assert_int_equal(sq_snapshot_read(d->path, &seq, got, &bytes, &size, NULL), SQ_E_FORMAT);
    close(fd);
}

/* Bytes up to the page that LMDB gave out last: of the newer of its two meta pages. */
static uint64_t bytes_given_out(const char *data)
{
    uint64_t newest = 0, last = 0, meta[20];
    int fd = open(data, O_RDONLY);
    for (off_t i = 0; i < 2; i++) {
        assert_int_equal(pread(fd, meta, sizeof meta, i * 4096), sizeof meta);
        if (meta[18] >= newest) {
            newest = meta[18];
            last = meta[17];
        }
    }
    close(fd);
    return (last + 1) * 4096;
}

static uint64_t length_of(const char *data)
{
    int fd = open(data, O_RDONLY);
    off_t length = lseek(fd, 0, SEEK_END);
    close(fd);
    return (uint64_t)length;
}

/* Commits as a daemon makes them: messages of all sizes go into the outbox, and others leave it. */
static void work(struct sq_ledger *l, uint64_t number[2], uint64_t acked[2], struct dice *dice)
{
    struct sq_outbox_put put[8];
    static uint8_t envelope[9300];
    size_t count = dice_below(dice, 8);
    for (size_t i = 0; i < count; i++) {
        uint32_t to = dice_below(dice, 2);
        put[i] = (struct sq_outbox_put){
            .node = to + 1, .number = ++number[to], .envelope = sq_bytes_of(envelope, 200 + dice_below(dice, 9000))};
    }
    for (int i = 0; i < 2; i++)
        acked[i] += dice_below(dice, 3) == 0 ? dice_below(dice, (uint32_t)(number[i] - acked[i] + 1)) : 0;
    struct sq_outbox_ack ack[2] = {{1, acked[0]}, {2, acked[1]}};
    struct sq_entry e = {
        .seq = sq_ledger_seq(l) + 1, .now_ms = 1, .type = 14, .input = sq_bytes_of(envelope, dice_below(dice, 2000))};
    struct sq_commit c = {
        .entries = &e, .entry_count = 1, .outbox = put, .outbox_count = count, .acks = ack, .ack_count = 2};
    assert_int_equal(sq_ledger_commit(l, &c, &signer, NULL), SQ_OK);
}

static void a_file_that_ends_before_pages_that_nobody_uses_is_sound_and_a_page_shorter_is_not(void **state)
{
    struct disk *d = *state;
    struct sq_ledger_options o = options(d);
    struct sq_ledger *l = open_ledger(d);
    struct sq_error err;
    char data[128];
    uint64_t number[2] = {0}, acked[2] = {0}, turn = 0, seen = 0, short_by = 0;
    struct dice dice = {1};
    snprintf(data, sizeof data, "%s/data.mdb", d->path);
    for (; short_by == 0; turn++) { /* until LMDB leaves such pages behind */
        assert_true(turn < 1000);
        work(l, number, acked, &dice);
        short_by = bytes_given_out(data) > length_of(data) ? bytes_given_out(data) - length_of(data) : 0;
    }
    sq_ledger_close(l);
    l = open_ledger(d);
    assert_int_equal(sq_ledger_walk(l, 1, UINT64_MAX, count_entries, &seen, &err), SQ_OK);
    assert_int_equal(seen, turn);
    sq_ledger_close(l);
    assert_int_equal(truncate(data, (off_t)length_of(data) - 4096), 0);
    assert_int_equal(sq_ledger_open(&o, &l, &err), SQ_E_CORRUPT);
    assert_non_null(strstr(err.text, "cut off"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)
        STORY(what_was_committed_is_read_back_after_reopening),
        STORY(a_second_writer_and_foreign_ledgers_are_refused_with_the_reason),
        STORY(who_follows_hashes_what_was_there_and_not_what_this_process_appended),
        STORY(a_cut_off_a_zeroed_and_a_flipped_file_are_found_out),
        STORY(a_file_that_ends_before_pages_that_nobody_uses_is_sound_and_a_page_shorter_is_not),
        STORY(a_group_is_stored_whole_or_not_at_all),
        STORY(answers_and_outbox_are_kept_until_they_are_dropped),
        STORY(proofs_from_tiles_verify_at_every_size_across_tile_borders),
        STORY(any_two_trees_of_a_ledger_are_consistent),
        STORY(tiles_of_every_width_add_up_to_the_root),
        STORY(a_full_map_refuses_the_group_and_reading_goes_on),
        STORY(a_snapshot_is_whole_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
