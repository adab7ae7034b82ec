/*
 * Invariants: runs follow each other without a gap from entry 1; each says whose journal it is about by the payload hash of its last entry;
 * a file is complete under its name or not there.
 */
#include "ops/history/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_ROWS_USUAL   (1u << 20)
#define RUN_ROWS_MOST    (1u << 23)
#define RUN_SHARE        16u /* a run is a sixteenth of what was there before: a few dozen runs, however long the journal */
#define RUN_ENTRIES_MOST (1u << 20)

struct sq_history {
    char folder[4200];
    const struct sq_ledger *ledger;
    struct sq_run *runs;
    unsigned run_count, run_capacity;
    struct sq_run tail; /* image NULL: nothing settled */
    int tail_lent;      /* to a view: the image is the view's */
    int changed;        /* since the last view */
    int is_view;        /* the runs are another's */
    struct sq_run_builder *builder;
    uint64_t rows;     /* in runs */
    uint32_t run_rows; /* of a run at least */
    int lock_fd;       /* >= 0: this process keeps the files */
};

static sq_status fail_os(struct sq_error *err, const char *what, const char *path)
{
    return sq_fail(err, errno == ENOSPC ? SQ_E_FULL : SQ_E_IO, "%s %s: %s", what, path, strerror(errno));
}

static const struct sq_run *last_run(const struct sq_history *h)
{
    return h->run_count != 0 ? &h->runs[h->run_count - 1] : NULL;
}

static sq_status add_run(struct sq_history *h, const struct sq_run *r, struct sq_error *err)
{
    if (h->runs == NULL || h->run_count == h->run_capacity) {
        unsigned capacity = h->run_capacity == 0 ? 16 : h->run_capacity * 2;
        struct sq_run *grown = realloc(h->runs, capacity * sizeof *grown);
        if (grown == NULL)
            return sq_fail(err, SQ_E_NOMEM, "history");
        h->runs = grown;
        h->run_capacity = capacity;
    }
    h->runs[h->run_count++] = *r;
    h->rows += r->count[SQ_RUN_ROWS];
    h->changed = 1;
    return SQ_OK;
}

static void drop_tail(struct sq_history *h)
{
    if (h->tail_lent)
        h->tail = (struct sq_run){0};
    else
        sq_run_close(&h->tail);
    h->tail_lent = 0;
}

/* ---- files ---- */

static void name_of(const struct sq_history *h, uint64_t first_seq, const char *ending, char out[static 4300])
{
    snprintf(out, 4300, "%s/%016" PRIx64 ".%s", h->folder, first_seq, ending);
}

/* The run that begins at first_seq; SQ_E_NOT_FOUND when there is none that is whole and about this journal. */
static sq_status map_run(const struct sq_history *h, uint64_t first_seq, struct sq_run *out)
{
    char path[4300];
    struct stat file;
    uint8_t leaf[SQ_LEAF_SIZE];
    name_of(h, first_seq, "run", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return SQ_E_NOT_FOUND;
    void *image = fstat(fd, &file) == 0 && file.st_size > 0
                      ? mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, fd, 0)
                      : MAP_FAILED;
    close(fd);
    if (image == MAP_FAILED)
        return SQ_E_NOT_FOUND;
    if (sq_run_open(image, (size_t)file.st_size, 1, out, NULL) != SQ_OK) {
        munmap(image, (size_t)file.st_size);
        return SQ_E_NOT_FOUND;
    }
    if (out->first_seq == first_seq && sq_ledger_leaf(h->ledger, out->last_seq, leaf, NULL) == SQ_OK &&
        memcmp(leaf + 24, out->last_hash, SQ_HASH_SIZE) == 0)
        return SQ_OK;
    sq_run_close(out);
    return SQ_E_NOT_FOUND;
}

static sq_status sync_folder(const struct sq_history *h, struct sq_error *err)
{
    int fd = open(h->folder, O_RDONLY | O_CLOEXEC);
    int bad = fd < 0 || fsync(fd) != 0;
    if (fd >= 0)
        close(fd);
    return bad ? fail_os(err, "sync", h->folder) : SQ_OK;
}

static sq_status write_run(const struct sq_history *h, const uint8_t *image, size_t size, uint64_t first_seq,
                           struct sq_error *err)
{
    char path[4300], fresh[4300];
    name_of(h, first_seq, "run", path);
    name_of(h, first_seq, "new", fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        sq_status st = fail_os(err, "create", fresh);
        if (fd >= 0)
            close(fd);
        return st;
    }
    int bad = fwrite(image, size, 1, f) != 1 || fflush(f) != 0 || fsync(fileno(f)) != 0;
    if (fclose(f) != 0 || bad || rename(fresh, path) != 0) {
        sq_status st = fail_os(err, "write", fresh);
        unlink(fresh);
        return st;
    }
    return sync_folder(h, err);
}

/* Files that none of our runs is from: of another build, of a journal that was restored, half written. */
static void remove_others(const struct sq_history *h)
{
    DIR *d = opendir(h->folder);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[4500];
        int ours = strcmp(e->d_name, "writer.lock") == 0 || e->d_name[0] == '.';
        for (unsigned i = 0; !ours && i < h->run_count; i++) {
            name_of(h, h->runs[i].first_seq, "run", path);
            ours = strcmp(strrchr(path, '/') + 1, e->d_name) == 0;
        }
        snprintf(path, sizeof path, "%s/%s", h->folder, e->d_name);
        if (!ours)
            unlink(path);
    }
    if (d != NULL)
        closedir(d);
}

static int take_lock(const char *folder, sq_status *st, struct sq_error *err)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/writer.lock", folder);
    *st = SQ_OK;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        *st = fail_os(err, "create", folder);
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        *st = fail_os(err, "open", path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

/* ---- opening and closing ---- */

sq_status sq_history_open(const char *ledger_path, const struct sq_ledger *ledger, uint32_t run_rows,
                          struct sq_history **out, struct sq_error *err)
{
    struct sq_history *h = calloc(1, sizeof *h);
    struct sq_run r;
    if (h == NULL)
        return sq_fail(err, SQ_E_NOMEM, "history");
    h->ledger = ledger;
    h->lock_fd = -1;
    h->run_rows = run_rows != 0 ? run_rows : RUN_ROWS_USUAL;
    snprintf(h->folder, sizeof h->folder, "%.4000s/history", ledger_path);
    sq_status st = SQ_OK;
    while (st == SQ_OK && map_run(h, last_run(h) != NULL ? last_run(h)->last_seq + 1 : 1, &r) == SQ_OK)
        st = add_run(h, &r, err);
    if (st == SQ_OK)
        st = sq_run_builder_new(ledger, last_run(h), &h->builder, err);
    if (st == SQ_OK)
        *out = h;
    else
        sq_history_close(h);
    return st;
}

void sq_history_close(struct sq_history *h)
{
    if (h == NULL)
        return;
    for (unsigned i = 0; i < h->run_count && !h->is_view; i++)
        sq_run_close(&h->runs[i]);
    drop_tail(h);
    sq_run_builder_free(h->builder);
    if (h->lock_fd >= 0)
        close(h->lock_fd);
    free(h->runs);
    free(h);
}

sq_status sq_history_write(struct sq_history *h, int *writes_out, struct sq_error *err)
{
    sq_status st;
    if (h->lock_fd < 0) {
        h->lock_fd = take_lock(h->folder, &st, err);
        if (st != SQ_OK)
            return st;
        if (h->lock_fd >= 0)
            remove_others(h);
    }
    *writes_out = h->lock_fd >= 0;
    return SQ_OK;
}

sq_status sq_history_drop(const char *ledger_path, struct sq_error *err)
{
    struct sq_history none = {.lock_fd = -1};
    sq_status st;
    snprintf(none.folder, sizeof none.folder, "%.4000s/history", ledger_path);
    int fd = take_lock(none.folder, &st, err);
    if (fd < 0)
        return st != SQ_OK ? st
                           : sq_fail(err, SQ_E_LOCKED, "%s is being written by another process: stop the node first",
                                     none.folder);
    remove_others(&none);
    close(fd);
    return SQ_OK;
}

/* ---- following the journal ---- */

/* The tail has become a run of its own. */
static sq_status finish_run(struct sq_history *h, struct sq_error *err)
{
    uint8_t *image;
    size_t size;
    struct sq_run r;
    sq_status st = sq_run_builder_image(h->builder, &image, &size, err);
    if (st != SQ_OK)
        return st;
    uint64_t first = last_run(h) != NULL ? last_run(h)->last_seq + 1 : 1;
    if (h->lock_fd >= 0 && (st = write_run(h, image, size, first, err)) == SQ_OK) {
        free(image);
        image = NULL;
        st = map_run(h, first, &r) == SQ_OK
                 ? SQ_OK
                 : sq_fail(err, SQ_E_IO, "%s: the run that was just written cannot be read", h->folder);
    } else if (st == SQ_OK) {
        st = sq_run_open(image, size, 0, &r, err);
    }
    drop_tail(h); /* its entries are in the run now */
    if (st == SQ_OK)
        st = add_run(h, &r, err);
    if (st != SQ_OK) {
        free(image);
        return st;
    }
    sq_run_builder_free(h->builder);
    h->builder = NULL;
    return sq_run_builder_new(h->ledger, last_run(h), &h->builder, err);
}

static uint32_t rows_wanted(const struct sq_history *h)
{
    uint64_t share = h->rows / RUN_SHARE;
    return share < h->run_rows ? h->run_rows : share > RUN_ROWS_MOST ? RUN_ROWS_MOST : (uint32_t)share;
}

int sq_history_due(const struct sq_history *h)
{
    return sq_run_builder_rows(h->builder) >= rows_wanted(h) || sq_run_builder_entries(h->builder) >= RUN_ENTRIES_MOST;
}

static sq_status take_entry(void *ctx, const struct sq_entry *e, struct sq_error *err)
{
    struct sq_history *h = ctx;
    sq_status st = sq_run_builder_add(h->builder, e, err);
    return st == SQ_OK && sq_history_due(h) ? sq_fail(err, SQ_E_FULL, "a run is due") : st;
}

sq_status sq_history_take(struct sq_history *h, uint64_t entries, uint64_t *left_out, struct sq_error *err)
{
    uint64_t next = sq_run_builder_next(h->builder), end = sq_ledger_seq(h->ledger), last = next + entries - 1;
    if (last > end || last < next)
        last = end;
    sq_status st =
        last >= next && !sq_history_due(h) ? sq_ledger_follow(h->ledger, next, last, take_entry, h, err) : SQ_OK;
    *left_out = end - (sq_run_builder_next(h->builder) - 1);
    return st == SQ_E_FULL && sq_history_due(h) ? SQ_OK : st;
}

sq_status sq_history_finish(struct sq_history *h, struct sq_error *err)
{
    return sq_history_due(h) ? finish_run(h, err) : SQ_OK;
}

sq_status sq_history_follow(struct sq_history *h, uint64_t entries, uint64_t *left_out, struct sq_error *err)
{
    uint64_t end = sq_run_builder_next(h->builder) + entries;
    if (end < entries)
        end = UINT64_MAX;
    sq_status st;
    do {
        st = sq_history_take(h, end - sq_run_builder_next(h->builder), left_out, err);
        if (st == SQ_OK)
            st = sq_history_finish(h, err);
    } while (st == SQ_OK && *left_out != 0 && sq_run_builder_next(h->builder) < end);
    return st;
}

sq_status sq_history_settle(struct sq_history *h, struct sq_error *err)
{
    uint64_t last = sq_run_builder_next(h->builder) - 1;
    uint8_t *image;
    size_t size;
    if (h->tail.image != NULL && h->tail.last_seq == last)
        return SQ_OK;
    drop_tail(h);
    h->changed = 1;
    if (last_run(h) != NULL && last_run(h)->last_seq == last)
        return SQ_OK;
    if (last == 0)
        return SQ_OK;
    sq_status st = sq_run_builder_image(h->builder, &image, &size, err);
    if (st == SQ_OK && (st = sq_run_open(image, size, 0, &h->tail, err)) != SQ_OK)
        free(image);
    return st;
}

sq_status sq_history_view(struct sq_history *h, struct sq_history **out, struct sq_error *err)
{
    *out = NULL;
    if (!h->changed)
        return SQ_OK;
    struct sq_history *view = calloc(1, sizeof *view);
    struct sq_run *runs = calloc(h->run_count + 1u, sizeof *runs);
    if (view == NULL || runs == NULL) {
        free(view);
        free(runs);
        return sq_fail(err, SQ_E_NOMEM, "history");
    }
    if (h->run_count != 0)
        memcpy(runs, h->runs, h->run_count * sizeof *runs);
    *view = (struct sq_history){
        .runs = runs, .run_count = h->run_count, .tail = h->tail, .is_view = 1, .lock_fd = -1, .ledger = h->ledger};
    h->tail_lent = h->tail.image != NULL;
    h->changed = 0;
    *out = view;
    return SQ_OK;
}

uint32_t sq_history_tail_rows(const struct sq_history *h)
{
    return sq_run_builder_rows(h->builder);
}

unsigned sq_history_run_count(const struct sq_history *h)
{
    return h->run_count + (h->tail.image != NULL);
}

const struct sq_run *sq_history_run(const struct sq_history *h, unsigned number)
{
    return number < h->run_count ? &h->runs[number] : &h->tail;
}

uint64_t sq_history_seq(const struct sq_history *h)
{
    return h->tail.image != NULL ? h->tail.last_seq : last_run(h) != NULL ? last_run(h)->last_seq : 0;
}

/* ---- checking ---- */

static sq_status feed(void *builder, const struct sq_entry *e, struct sq_error *err)
{
    return sq_run_builder_add(builder, e, err);
}

sq_status sq_history_check(struct sq_history *h, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (unsigned i = 0; st == SQ_OK && i < sq_history_run_count(h); i++) {
        const struct sq_run *r = sq_history_run(h, i);
        struct sq_run_builder *b;
        uint8_t *image = NULL;
        size_t size = 0;
        if ((st = sq_run_builder_new(h->ledger, i > 0 ? sq_history_run(h, i - 1) : NULL, &b, err)) != SQ_OK)
            return st;
        st = sq_ledger_walk(h->ledger, r->first_seq, r->last_seq, feed, b, err);
        if (st == SQ_OK)
            st = sq_run_builder_image(b, &image, &size, err);
        if (st == SQ_OK && (size != r->size || memcmp(image, r->image, size) != 0))
            st = sq_fail(err, SQ_E_VERIFY,
                         "the history of entries %" PRIu64 " to %" PRIu64
                         " is not what the journal makes it: drop it and build it again",
                         r->first_seq, r->last_seq);
        free(image);
        sq_run_builder_free(b);
    }
    return st;
}
