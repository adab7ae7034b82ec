/*
 * The access log: who asked this node what, when, and how it was answered, a JSON line each. And the anchors of logs: from time to time
 * the hash of each log, as far as it has come, becomes an entry of the journal.
 *
 *   followed log:  OPEN -> read from its beginning, some at a turn -> at the size of the last anchor: the same hash?
 *                       yes -> read on -> at its end, and it has grown, and it is time -> ANCHOR
 *                       no, or it is shorter -> said in the log -> the next generation of its name begins
 *
 * Invariants: a question is answered only when its line is written; an anchor is of bytes that were read.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/common/log.h"
#include "ops/daemon/daemon.h"

#define READ_AT_A_TURN (4u << 20)
#define READ_EVERY_MS  1000u

struct followed {
    const char *path; /* the configuration's */
    char name[64];    /* its last part */
    int fd;           /* -1: not there yet */
    uint64_t read;
    struct sq_sha256 hash;
    uint32_t generation; /* of the anchors to come; 0: not known before the last anchor's size was reached */
};

struct sq_access {
    FILE *own; /* NULL: none is kept */
    struct followed *logs;
    size_t count;
    uint64_t read_ms, anchored_ms;
};

/* ---- the node's own log ---- */

int sq_access_note(struct sq_daemon *d, const char *who, const char *asked, unsigned status)
{
    if (d->access == NULL || d->access->own == NULL)
        return 1;
    json_t *o = json_pack("{s:I, s:s, s:s*, s:i}", "at_ms", (json_int_t)d->now_ms, "participant", who, "path", asked,
                          "status", (int)status);
    char *line = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    int written = line != NULL && fprintf(d->access->own, "%s\n", line) > 0 && fflush(d->access->own) == 0;
    if (!written)
        sq_log(SQ_LOG_ERROR, "access_log", "path=\"%s\" reason=\"%s\"", d->config->access_log, strerror(errno));
    clearerr(d->access->own);
    free(line);
    json_decref(o);
    return written;
}

/* ---- following ---- */

static void begin_again(struct followed *f)
{
    f->read = 0;
    f->generation = 0;
    sq_sha256_begin(&f->hash);
}

static void open_log(struct followed *f)
{
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    begin_again(f);
}

/* Is the path still the file that is open, and no shorter than what was read? Another one is begun from its start. */
static void look_again(struct followed *f)
{
    struct stat open_one, at_path;
    if (fstat(f->fd, &open_one) != 0 || stat(f->path, &at_path) != 0)
        return;
    if (open_one.st_ino == at_path.st_ino && open_one.st_dev == at_path.st_dev && (uint64_t)at_path.st_size >= f->read)
        return;
    close(f->fd);
    open_log(f);
}

static void changed(const struct sq_anchor *a, struct followed *f, const char *how)
{
    sq_log(SQ_LOG_ERROR, "access_log_changed",
           "path=\"%s\" reason=\"it %s what entry %" PRIu64
           " of the journal anchors; keep the old file, see 'sanquan audit --help'\"",
           f->path, how, a->entry);
    f->generation = a->generation + 1;
}

/* At the last anchor's size: is the hash the one that was anchored? */
static void hold_against(const struct sq_core *core, struct followed *f)
{
    const struct sq_anchor *a = sq_core_anchor(core, f->name);
    struct sq_sha256 copy = f->hash;
    uint8_t hash[SQ_HASH_SIZE];
    if (a == NULL) {
        f->generation = 1;
        return;
    }
    sq_sha256_end(&copy, hash);
    if (memcmp(hash, a->hash, sizeof hash) == 0)
        f->generation = a->generation;
    else
        changed(a, f, "is not");
}

/* Some more of the log. 1: its end is reached. */
static int read_on(const struct sq_core *core, struct followed *f)
{
    static const size_t piece = 65536;
    uint8_t data[65536];
    const struct sq_anchor *a = sq_core_anchor(core, f->name);
    uint64_t stop = a != NULL && f->generation == 0 ? a->size : UINT64_MAX, budget = READ_AT_A_TURN;
    while (budget > 0) {
        if (f->generation == 0 && (a == NULL || f->read == stop)) {
            hold_against(core, f);
            stop = UINT64_MAX;
        }
        size_t want = stop - f->read < piece ? (size_t)(stop - f->read) : piece;
        ssize_t n = pread(f->fd, data, want, (off_t)f->read);
        if (n <= 0) {
            if (n == 0 && f->generation == 0 && a != NULL)
                changed(a, f, "ends before");
            return n == 0;
        }
        sq_sha256_add(&f->hash, data, (size_t)n);
        f->read += (uint64_t)n;
        budget = budget > (uint64_t)n ? budget - (uint64_t)n : 0;
    }
    return 0;
}

static sq_status anchor(struct sq_daemon *d, struct followed *f, struct sq_error *err)
{
    const struct sq_anchor *last = sq_core_anchor(d->core, f->name);
    struct sq_sha256 copy = f->hash;
    uint8_t hash[SQ_HASH_SIZE];
    Sanquan__V1__Anchor m;
    struct sq_wire_memory memory = sq_memory_of(&d->scratch);
    struct sq_effects fx;
    sq_bytes body;
    if (f->generation == 0 || f->read == 0 ||
        (last != NULL && f->generation == last->generation && f->read <= last->size))
        return SQ_OK;
    sq_sha256_end(&copy, hash);
    sanquan__v1__anchor__init(&m);
    m.name = f->name;
    m.generation = f->generation;
    m.size = f->read;
    m.hash = (ProtobufCBinaryData){sizeof hash, hash};
    sq_arena_reset(&d->scratch);
    sq_status st = sq_wire_pack(&m.base, &memory, &body, err);
    if (st != SQ_OK)
        return st;
    struct sq_event event = {d->now_ms, SANQUAN__V1__MESSAGE_TYPE__ANCHOR, NULL, body};
    return sq_front_step(d, &event, body, NULL, &fx, err);
}

/* ---- from outside ---- */

sq_status sq_access_turn(struct sq_daemon *d, struct sq_error *err)
{
    struct sq_access *x = d->access;
    sq_status st = SQ_OK;
    if (x == NULL || d->now_ms < x->read_ms)
        return SQ_OK;
    x->read_ms = d->now_ms + READ_EVERY_MS;
    int is_time = d->now_ms >= x->anchored_ms + d->config->anchor_seconds * 1000ull;
    for (size_t i = 0; st == SQ_OK && i < x->count; i++) {
        struct followed *f = &x->logs[i];
        if (f->fd < 0)
            open_log(f);
        else
            look_again(f);
        if (f->fd >= 0 && read_on(d->core, f) && is_time)
            st = anchor(d, f, err);
    }
    if (is_time)
        x->anchored_ms = d->now_ms;
    return st;
}

static void add(struct sq_access *x, const char *path)
{
    struct followed *f = &x->logs[x->count++];
    const char *slash = strrchr(path, '/');
    *f = (struct followed){.path = path, .fd = -1};
    snprintf(f->name, sizeof f->name, "%s", slash != NULL ? slash + 1 : path);
}

sq_status sq_access_open(struct sq_daemon *d, struct sq_error *err)
{
    const struct sq_config *c = d->config;
    if (c->access_log == NULL && c->anchored_logs_count == 0)
        return SQ_OK;
    struct sq_access *x = d->access = calloc(1, sizeof *x);
    if (x == NULL || (x->logs = calloc(c->anchored_logs_count + 1u, sizeof *x->logs)) == NULL)
        return sq_fail(err, SQ_E_NOMEM, "access log");
    if (c->access_log != NULL) {
        if ((x->own = fopen(c->access_log, "ae")) == NULL)
            return sq_fail(err, SQ_E_CONFIG, "access_log %.200s cannot be written: %s", c->access_log, strerror(errno));
        add(x, c->access_log);
    }
    for (unsigned i = 0; i < c->anchored_logs_count; i++)
        add(x, c->anchored_logs[i]);
    return SQ_OK;
}

void sq_access_close(struct sq_daemon *d)
{
    struct sq_access *x = d->access;
    if (x == NULL)
        return;
    if (x->own != NULL)
        fclose(x->own);
    for (size_t i = 0; i < x->count; i++)
        if (x->logs[i].fd >= 0)
            close(x->logs[i].fd);
    free(x->logs);
    free(x);
}
