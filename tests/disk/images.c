/*
 * Every disk that a power cut could have left behind, reopened.
 *
 *     images --trace T --directory D --images N [--seed S] [--ignore-syncs] [--jobs J]
 *
 * The trace is cut at every point. What was synced before it is on the disk; of each 512-byte sector written since, any version may be: none,
 * the first, ..., the last. So an image is: the synced file, and for each sector of the unsynced writes a choice. When few writes are open,
 * all subsets of whole writes are tried; the rest of the images of that point are drawn: prefixes, one write missing, one alone, torn sectors.
 * The file may have grown to any length that its sectors need, or to the longest.
 *
 * Each image is opened as a daemon opens it, read whole, and must be, byte for byte, a state that the ledger had between two commits: not older
 * than what anyone had been told, not newer than what was written. Its snapshot must not be ahead of its journal. Every 64th is written on, every
 * 1024th audited (and the first of each point).
 *
 * --ignore-syncs is the control: the same search over a disk that only pretends to sync must find losses.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/disk/place.h"
#include "tests/disk/state.h"
#include "tests/disk/trace.h"
#include "tests/support/random.h"

#define SECTOR       512u
#define FILE_MAX     (16u << 20)
#define SUBSETS_MOST 8u /* open writes of which every subset is tried */

struct op {
    struct trace_head head;
    const uint8_t *data;
};

struct write { /* of whole or part of sectors, not known to be on the disk */
    uint64_t offset, size;
    const uint8_t *data;
};

struct snapshot {
    const uint8_t *data;
    uint64_t size;
};

struct search {
    const char *trace_path, *directory;
    uint64_t images, seed;
    unsigned jobs;
    int ignore_syncs;
    /* the trace */
    struct op *op;
    size_t op_count, points;
    struct state *state; /* after each commit, in order; state[0] is the empty ledger */
    size_t state_count;
    struct state_questions q;
    /* the point where it is cut */
    uint8_t *synced;
    uint64_t synced_size, acked;
    struct write *open;
    size_t open_count, commits_begun, commits_synced;
    struct snapshot snapshot[3]; /* written; named; named and synced */
    int ledger_named;
    /* one image */
    struct place place;
    pid_t owner;
    uint8_t *file;
    struct dice dice;
    /* sums, shared by all jobs */
    struct sums {
        uint64_t images, violations, audited, written_on, with_snapshot;
    } * sums;
};

/* ---- the trace ---- */

static void load(struct search *s)
{
    struct stat st;
    int fd = open(s->trace_path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(s->trace_path);
        exit(2);
    }
    const uint8_t *all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    int named = 0;
    for (off_t at = 0; at < st.st_size;) {
        struct op *grown = realloc(s->op, (s->op_count + 1) * sizeof *grown);
        if (grown == NULL)
            exit(2);
        s->op = grown;
        struct op *op = &s->op[s->op_count++];
        memcpy(&op->head, all + at, sizeof op->head);
        op->data = all + at + sizeof op->head;
        if (op->head.magic != TRACE_MAGIC) {
            fprintf(stderr, "%s: damaged at byte %lld\n", s->trace_path, (long long)at);
            exit(2);
        }
        at += (off_t)(sizeof op->head + op->head.size);
        s->points += (size_t)named;
        named |= op->head.type == TRACE_LEDGER_NAMED;
    }
}

static int is_write(const struct op *op)
{
    return op->head.type == TRACE_WRITE || op->head.type == TRACE_WRITE_SYNCED;
}

static void put_bytes(uint8_t *file, uint64_t *size, uint64_t offset, const uint8_t *data, uint64_t count)
{
    if (offset + count > FILE_MAX) {
        fprintf(stderr, "a ledger of more than %u bytes\n", FILE_MAX);
        exit(2);
    }
    if (count != 0)
        memcpy(file + offset, data, count);
    if (offset + count > *size)
        *size = offset + count;
}

/* ---- from one point to the next ---- */

static void sync_all(struct search *s)
{
    for (size_t i = 0; i < s->open_count; i++)
        put_bytes(s->synced, &s->synced_size, s->open[i].offset, s->open[i].data, s->open[i].size);
    s->open_count = 0;
}

/* The op has begun: its write may be on the disk already, or a part of it. */
static void begin_op(struct search *s, const struct op *op)
{
    if (!is_write(op))
        return;
    s->open[s->open_count++] = (struct write){op->head.offset, op->head.size, op->data};
    s->commits_begun += op->head.type == TRACE_WRITE_SYNCED;
}

/* The op has ended. */
static void end_op(struct search *s, const struct op *op)
{
    switch ((enum trace_type)op->head.type) {
    case TRACE_WRITE:
        break;
    case TRACE_WRITE_SYNCED:
        if (s->ignore_syncs)
            break;
        s->open_count--; /* this one; what was written before it without a sync still waits */
        put_bytes(s->synced, &s->synced_size, op->head.offset, op->data, op->head.size);
        s->commits_synced = s->commits_begun;
        break;
    case TRACE_SYNC:
        if (!s->ignore_syncs)
            sync_all(s);
        break;
    case TRACE_CUT:
        fprintf(stderr, "the file was cut, which a ledger never is\n");
        exit(2);
    case TRACE_SNAPSHOT:
        s->snapshot[0] = (struct snapshot){op->data, op->head.size};
        break;
    case TRACE_SNAPSHOT_NAMED:
        s->snapshot[1] = s->snapshot[0];
        break;
    case TRACE_LEDGER_NAMED:
        s->ledger_named = 1;
        break;
    case TRACE_FOLDER_SYNC:
        if (!s->ignore_syncs)
            s->snapshot[2] = s->snapshot[1];
        break;
    case TRACE_ACK:
        s->acked = op->head.offset;
        break;
    }
}

/* ---- one image ---- */

/* Version of a sector: 0 is what was synced, n the n-th open write that touches it. */
static void put_sectors(struct search *s, const struct write *w, int (*take)(struct search *s, void *ctx), void *ctx,
                        uint64_t *size)
{
    for (uint64_t at = w->offset; at < w->offset + w->size;) {
        uint64_t end = (at / SECTOR + 1) * SECTOR;
        end = end > w->offset + w->size ? w->offset + w->size : end;
        if (take(s, ctx))
            put_bytes(s->file, size, at, w->data + (at - w->offset), end - at);
        at = end;
    }
}

static int take_all(struct search *s, void *ctx)
{
    (void)s;
    (void)ctx;
    return 1;
}

static int take_some(struct search *s, void *ctx)
{
    return dice_below(&s->dice, 16) < *(uint32_t *)ctx;
}

static void draw(struct search *s, uint64_t number, uint64_t *size)
{
    size_t n = s->open_count, one = n == 0 ? 0 : dice_below(&s->dice, (uint32_t)n);
    uint32_t sixteenths = dice_below(&s->dice, 17), how = dice_below(&s->dice, 6);
    int all = n <= SUBSETS_MOST && number < 1ull << n;
    for (size_t i = 0; i < n; i++) {
        int whole = all        ? (int)(number >> i & 1)
                    : how == 0 ? i < one  /* in the order in which they were written, up to some point */
                    : how == 1 ? i != one /* all but one */
                    : how == 2 ? i == one
                    : how == 3 ? (int)dice_below(&s->dice, 2)
                               : -1;
        if (how == 4 && !all && i < one)
            whole = 1; /* up to some point, torn from there on */
        if (whole == 1)
            put_sectors(s, &s->open[i], take_all, NULL, size);
        else if (whole < 0)
            put_sectors(s, &s->open[i], take_some, &sixteenths, size);
    }
    for (size_t i = 0; i < n && dice_below(&s->dice, 2); i++) /* the length may be there before the bytes */
        if (s->open[i].offset + s->open[i].size > *size)
            *size = s->open[i].offset + s->open[i].size;
}

static void write_snapshot(struct search *s)
{
    const struct snapshot *v = &s->snapshot[1 + dice_below(&s->dice, 2)];
    unlink(s->place.snapshot);
    if (v->data == NULL)
        return;
    int fd = open(s->place.snapshot, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, v->data, v->size) != (ssize_t)v->size) {
        perror(s->place.snapshot);
        exit(2);
    }
    close(fd);
}

static int is_state(const struct search *s, const struct state *got)
{
    for (size_t i = s->ignore_syncs ? 0 : s->commits_synced; i <= s->commits_begun && i < s->state_count; i++)
        if (got->seq == s->state[i].seq && memcmp(got->hash, s->state[i].hash, SQ_HASH_SIZE) == 0)
            return 1;
    return 0;
}

static sq_status check_snapshot(struct search *s, uint64_t seq, struct sq_error *err)
{
    uint64_t of;
    uint8_t hash[SQ_HASH_SIZE], *state;
    size_t size;
    sq_status st = sq_snapshot_read(s->place.path, &of, hash, &state, &size, err);
    if (st == SQ_E_NOT_FOUND)
        return SQ_OK;
    if (st != SQ_OK)
        return st;
    free(state);
    __atomic_fetch_add(&s->sums->with_snapshot, 1, __ATOMIC_RELAXED);
    return of <= seq ? SQ_OK : sq_fail(err, SQ_E_VERIFY, "snapshot of entry %" PRIu64 ", journal of %" PRIu64, of, seq);
}

static sq_status write_on(struct search *s, struct sq_ledger **l, struct sq_error *err)
{
    struct sq_ledger_options o = state_options(&s->q, s->place.path);
    struct state now;
    uint64_t before = sq_ledger_seq(*l);
    sq_status st = state_append(&s->q, *l, err);
    sq_ledger_close(*l);
    *l = NULL;
    if (st == SQ_OK)
        st = sq_ledger_open(&o, l, err);
    if (st == SQ_OK)
        st = state_read(&s->q, *l, &now, err);
    if (st == SQ_OK && now.seq != before + 1)
        st = sq_fail(err, SQ_E_VERIFY, "written on, it has %" PRIu64 " entries instead of %" PRIu64, now.seq,
                     before + 1);
    __atomic_fetch_add(&s->sums->written_on, 1, __ATOMIC_RELAXED);
    return st;
}

static sq_status reopen(struct search *s, uint64_t image, int first, struct sq_error *err)
{
    struct sq_ledger_options o = state_options(&s->q, s->place.path);
    struct sq_ledger *l = NULL;
    struct state now;
    sq_status st = sq_ledger_open(&o, &l, err);
    if (st == SQ_OK)
        st = state_read(&s->q, l, &now, err);
    if (st == SQ_OK && now.seq < s->acked)
        st = sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 " was acknowledged; the ledger ends at %" PRIu64, s->acked,
                     now.seq);
    if (st == SQ_OK && !is_state(s, &now))
        st = sq_fail(err, SQ_E_VERIFY, "%" PRIu64 " entries, in a state that the ledger was never in", now.seq);
    if (st == SQ_OK)
        st = check_snapshot(s, now.seq, err);
    if (st == SQ_OK && now.seq > 0 && (first || image % 1024 == 512)) {
        st = state_audit(&s->q, s->place.path, err);
        __atomic_fetch_add(&s->sums->audited, 1, __ATOMIC_RELAXED);
    }
    if (st == SQ_OK && image % 64 == 32)
        st = write_on(s, &l, err);
    sq_ledger_close(l);
    return st;
}

static void try_image(struct search *s, size_t op, uint64_t number, uint64_t image)
{
    struct sq_error err = {0};
    uint64_t size = s->synced_size;
    __atomic_fetch_add(&s->sums->images, 1, __ATOMIC_RELAXED);
    memcpy(s->file, s->synced, s->synced_size);
    uint64_t most = size; /* what nobody wrote reads as zeros */
    for (size_t i = 0; i < s->open_count; i++)
        if (s->open[i].offset + s->open[i].size > most)
            most = s->open[i].offset + s->open[i].size;
    memset(s->file + size, 0, most - size);
    draw(s, number, &size);
    write_snapshot(s);
    place_put(&s->place, s->file, size);
    sq_status st = reopen(s, image, number == 0, &err);
    if (st != SQ_OK && __atomic_fetch_add(&s->sums->violations, 1, __ATOMIC_RELAXED) < 5 && !s->ignore_syncs)
        printf("# image %" PRIu64 ", cut in or after operation %zu, seed %" PRIu64 ": %s\n", image, op, s->seed,
               err.text);
}

/* ---- all ---- */

/* The ledger's states, one after each commit, as the disk without any fault has them. */
static void learn_states(struct search *s)
{
    struct sq_error err = {0};
    uint64_t size = 0;
    s->state = calloc(s->op_count + 1, sizeof *s->state);
    memset(s->file, 0, FILE_MAX);
    for (size_t i = 0; i < s->op_count; i++) {
        const struct op *op = &s->op[i];
        struct sq_ledger *l = NULL;
        if (!is_write(op))
            continue;
        put_bytes(s->file, &size, op->head.offset, op->data, op->head.size);
        if (op->head.type != TRACE_WRITE_SYNCED)
            continue;
        struct sq_ledger_options o = state_options(&s->q, s->place.path);
        place_put(&s->place, s->file, size);
        if (sq_ledger_open(&o, &l, &err) != SQ_OK || state_read(&s->q, l, &s->state[++s->state_count], &err) != SQ_OK)
            state_die("the ledger without any fault", &err);
        sq_ledger_close(l);
    }
    s->state_count++; /* state[0]: before the first commit there is no name under which anyone could open it */
}

/* Job j takes every jobs-th image of each point. A point lies within each op and after it. */
static void search(void *ctx, unsigned job, uint64_t from, volatile uint64_t *at)
{
    struct search *s = ctx;
    size_t point = 0;
    uint64_t done = 0;
    place_make(&s->place, s->owner, job + 1);
    s->synced = calloc(1, FILE_MAX);
    s->open = calloc(s->op_count + 1, sizeof *s->open);
    for (size_t i = 0; i < s->op_count; i++) {
        begin_op(s, &s->op[i]);
        if (s->ledger_named) { /* before, nobody was told of this ledger */
            uint64_t until = (uint64_t)((unsigned __int128)s->images * ++point / s->points);
            for (uint64_t n = 0; done < until; n++, done++)
                if (done >= from && n % s->jobs == job) {
                    *at = done;
                    s->dice.state = s->seed ^ point << 32 ^ n;
                    try_image(s, i, n, done);
                }
        }
        end_op(s, &s->op[i]);
    }
    place_remove(&s->place);
    free(s->synced);
    free(s->open);
}

static void died(void *ctx, uint64_t number, int signal_number)
{
    struct search *s = ctx;
    if (!s->ignore_syncs)
        printf("# image %" PRIu64 ", seed %" PRIu64 ": whoever opened it %s\n", number, s->seed,
               signal_number == SIGALRM ? "hung" : strsignal(signal_number));
    __atomic_fetch_add(&s->sums->violations, 1, __ATOMIC_RELAXED);
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct search *s = state->input;
    switch (key) {
    case 't':
        s->trace_path = value;
        return 0;
    case 'd':
        s->directory = value;
        return 0;
    case 'n':
        s->images = strtoull(value, NULL, 10);
        return 0;
    case 's':
        s->seed = strtoull(value, NULL, 10);
        return 0;
    case 'j':
        s->jobs = (unsigned)strtoul(value, NULL, 10);
        return 0;
    case 'i':
        s->ignore_syncs = 1;
        return 0;
    case ARGP_KEY_END:
        if (s->trace_path == NULL || s->directory == NULL || s->jobs == 0)
            argp_error(state, "say --trace FILE and --directory FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"trace", 't', "FILE", 0, "what a daemon wrote, by tests/preload/disk.c", 0},
    {"directory", 'd', "FILE", 0, "the network's directory", 0},
    {"images", 'n', "N", 0, "how many (1000)", 0},
    {"seed", 's', "N", 0, "what is drawn is drawn from it (1)", 0},
    {"jobs", 'j', "N", 0, "processes (1)", 0},
    {"ignore-syncs", 'i', NULL, 0, "the control: no sync does anything; succeeds when that is found out", 0},
    {0},
};

/* The last state of the trace is what the questions are collected from. */
static void ask(struct search *s)
{
    uint64_t size = 0;
    for (size_t i = 0; i < s->op_count; i++)
        if (is_write(&s->op[i]))
            put_bytes(s->file, &size, s->op[i].head.offset, s->op[i].data, s->op[i].head.size);
    place_put(&s->place, s->file, size);
    state_open(&s->q, s->directory, s->place.path);
}

int main(int argc, char **argv)
{
    struct search *s = calloc(1, sizeof *s);
    *s = (struct search){.images = 1000, .seed = 1, .jobs = 1, .owner = getpid()};
    argp_parse(
        &(struct argp){options, parse, NULL, "Reopen what a power cut could leave of a ledger.", NULL, NULL, NULL},
        argc, argv, 0, NULL, s);
    s->sums = mmap(NULL, sizeof *s->sums, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    s->file = calloc(1, FILE_MAX);
    load(s);
    place_make(&s->place, s->owner, 0);
    ask(s);
    learn_states(s);
    place_remove(&s->place);
    double begin = place_seconds();
    place_run(s->jobs, search, died, s);
    double seconds = place_seconds() - begin;
    printf("%" PRIu64 " images of %" PRIu64 " power cuts in %zu commits: %" PRIu64
           " violations (%.0f images/s; %" PRIu64 " with a snapshot, %" PRIu64 " written on, %" PRIu64 " audited)\n",
           s->sums->images, (uint64_t)s->points, s->state_count - 1, s->sums->violations,
           (double)s->sums->images / seconds, s->sums->with_snapshot, s->sums->written_on, s->sums->audited);
    int good = s->sums->images != 0 && (s->sums->violations != 0) == s->ignore_syncs;
    state_close(&s->q);
    free(s->op);
    free(s->state);
    free(s->file);
    munmap(s->sums, sizeof *s->sums);
    free(s);
    return !good;
}
