/*
 * A ledger whose file is not what was written: every bit turned over, pages zeroed, exchanged, written to the place of others, the file cut off.
 *
 *     damage --ledger L --directory D --keys K [--every N] [--jobs J]
 *
 * Each damaged copy is opened and read whole. Then it is one of
 *
 *     harmless   it says the same as the sound one, and after one more entry has been committed it still does (bytes that nobody uses)
 *     refused    it cannot be opened                        read       opening went well, reading says that it is damaged
 *     audit      reading noticed nothing, the audit did     signal     the reading process died: loud, and what it read went nowhere
 *     later      the same at first; the next commit, or reading or the audit after it, says that it is damaged
 *
 * or SILENT: it says something else and nothing notices. None may be; and none may hang.
 *
 * --every N takes every Nth bit, and all bits of the two meta pages' heads, from which everything else hangs.
 */
#include <argp.h>
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

#define PAGE     4096u
#define META_END 168u /* bytes of a meta page that LMDB uses */
#define SHOWN    200u /* silent ones that are printed */

enum verdict { HARMLESS, REFUSED, READ, AUDIT, SIGNAL, LATER, SILENT, HUNG, VERDICTS };
enum kind { BIT, ZEROED, EXCHANGED, MISPLACED, CUT, KINDS };

static const char *const verdict_names[VERDICTS] = {"harmless", "refused", "read",   "audit",
                                                    "signal",   "later",   "SILENT", "HUNG"};
static const char *const kind_names[KINDS] = {"bits turned", "pages zeroed", "pages exchanged",
                                              "pages written over others", "cut off"};

struct damage {
    const char *ledger, *directory, *keys;
    uint64_t every;
    unsigned jobs;
    pid_t owner;
    struct state_questions q;
    struct state sound, sound_after; /* as it is; and with one more entry */
    const uint8_t *bytes;
    uint64_t size, pages, first[KINDS + 1]; /* numbers first[k] to first[k + 1] - 1 are damages of kind k */
    uint8_t *file;
    struct place place;
    struct sums {
        uint64_t of[KINDS][VERDICTS], shown;
    } * sums;
};

/* ---- one damage ---- */

static int is_meta(const struct damage *d, uint64_t byte)
{
    (void)d;
    return byte < 2 * PAGE && byte % PAGE < META_END;
}

static enum kind kind_of(const struct damage *d, uint64_t number)
{
    enum kind kind = BIT;
    while (number >= d->first[kind + 1])
        kind++;
    return kind;
}

/* 0: this one is left out. */
static int make(struct damage *d, uint64_t number, char *text, size_t text_size, uint64_t *size)
{
    enum kind kind = kind_of(d, number);
    uint64_t i = number - d->first[kind], a = i / d->pages, b = i % d->pages;
    *size = d->size;
    memcpy(d->file, d->bytes, d->size);
    switch (kind) {
    case BIT:
        if (i % d->every != 0 && !is_meta(d, i / 8))
            return 0;
        d->file[i / 8] ^= (uint8_t)(1u << i % 8);
        snprintf(text, text_size, "page %" PRIu64 " byte %" PRIu64 " bit %" PRIu64, i / 8 / PAGE, i / 8 % PAGE, i % 8);
        return 1;
    case ZEROED:
        memset(d->file + i * PAGE, 0, PAGE);
        snprintf(text, text_size, "page %" PRIu64 " zeroed", i);
        return 1;
    case EXCHANGED:
        if (a >= b)
            return 0;
        memcpy(d->file + a * PAGE, d->bytes + b * PAGE, PAGE);
        memcpy(d->file + b * PAGE, d->bytes + a * PAGE, PAGE);
        snprintf(text, text_size, "pages %" PRIu64 " and %" PRIu64 " exchanged", a, b);
        return 1;
    case MISPLACED: /* a write that went to another page: page a is where b belongs too */
        if (a == b)
            return 0;
        memcpy(d->file + b * PAGE, d->bytes + a * PAGE, PAGE);
        snprintf(text, text_size, "page %" PRIu64 " written over page %" PRIu64, a, b);
        return 1;
    case CUT:
        *size = i * PAGE / 2;
        snprintf(text, text_size, "cut to %" PRIu64 " bytes", *size);
        return 1;
    case KINDS:
        break;
    }
    return 0;
}

static int is_same(const struct state *a, const struct state *b)
{
    return a->seq == b->seq && memcmp(a->hash, b->hash, SQ_HASH_SIZE) == 0;
}

/* One more entry, as a node would write that noticed nothing; then all is read again. */
static enum verdict write_on(struct damage *d, struct sq_ledger *l)
{
    struct sq_ledger_options o = state_options(&d->q, d->place.path);
    struct state now;
    struct sq_error err = {0};
    sq_status st = state_append(&d->q, l, &err);
    sq_ledger_close(l);
    l = NULL;
    if (st == SQ_OK)
        st = sq_ledger_open(&o, &l, &err);
    if (st == SQ_OK)
        st = state_read(&d->q, l, &now, &err);
    sq_ledger_close(l);
    if (st != SQ_OK)
        return LATER;
    return is_same(&now, &d->sound_after)                     ? HARMLESS
           : state_audit(&d->q, d->place.path, &err) != SQ_OK ? LATER
                                                              : SILENT;
}

static enum verdict judge(struct damage *d, uint64_t size)
{
    struct sq_ledger_options o = state_options(&d->q, d->place.path);
    struct sq_ledger *l = NULL;
    struct state now;
    struct sq_error err = {0};
    place_put(&d->place, d->file, size);
    if (sq_ledger_open(&o, &l, &err) != SQ_OK)
        return REFUSED;
    if (state_read(&d->q, l, &now, &err) != SQ_OK) {
        sq_ledger_close(l);
        return READ;
    }
    if (is_same(&now, &d->sound))
        return write_on(d, l);
    sq_ledger_close(l);
    return state_audit(&d->q, d->place.path, &err) != SQ_OK ? AUDIT : SILENT;
}

static void count(struct damage *d, uint64_t number, enum verdict v, const char *text)
{
    __atomic_fetch_add(&d->sums->of[kind_of(d, number)][v], 1, __ATOMIC_RELAXED);
    if ((v == SILENT || v == HUNG) && __atomic_fetch_add(&d->sums->shown, 1, __ATOMIC_RELAXED) < SHOWN)
        printf("# %s: %s\n", verdict_names[v], text);
}

/* ---- all ---- */

static void work(void *ctx, unsigned job, uint64_t from, volatile uint64_t *at)
{
    struct damage *d = ctx;
    place_make(&d->place, d->owner, job + 1);
    for (uint64_t number = from / d->jobs * d->jobs + job; number < d->first[KINDS]; number += d->jobs) {
        char text[128];
        uint64_t size;
        if (number < from || !make(d, number, text, sizeof text, &size))
            continue;
        *at = number;
        count(d, number, judge(d, size), text);
    }
    place_remove(&d->place);
}

static void died(void *ctx, uint64_t number, int signal_number)
{
    struct damage *d = ctx;
    char text[128] = "";
    uint64_t size;
    make(d, number, text, sizeof text, &size);
    count(d, number, signal_number == SIGALRM ? HUNG : SIGNAL, text);
}

static void load(struct damage *d)
{
    char path[4200];
    struct stat st;
    struct sq_error err = {0};
    struct sq_ledger *l = NULL;
    snprintf(path, sizeof path, "%s/data.mdb", d->ledger);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(path);
        exit(2);
    }
    d->size = (uint64_t)st.st_size;
    d->pages = d->size / PAGE;
    d->bytes = mmap(NULL, d->size, PROT_READ, MAP_PRIVATE, fd, 0);
    d->file = malloc(d->size);
    close(fd);
    state_open(&d->q, d->directory, d->ledger);
    state_next(&d->q, d->ledger, d->keys);
    place_make(&d->place, d->owner, 0);
    place_put(&d->place, d->bytes, d->size);
    struct sq_ledger_options o = state_options(&d->q, d->place.path);
    sq_status st_of = sq_ledger_open(&o, &l, &err);
    if (st_of == SQ_OK)
        st_of = state_read(&d->q, l, &d->sound, &err);
    if (st_of == SQ_OK)
        st_of = state_append(&d->q, l, &err);
    if (st_of == SQ_OK)
        st_of = state_read(&d->q, l, &d->sound_after, &err);
    if (st_of == SQ_OK)
        st_of = state_audit(&d->q, d->place.path, &err);
    if (st_of != SQ_OK)
        state_die(d->ledger, &err);
    sq_ledger_close(l);
    place_remove(&d->place);
    const uint64_t of[KINDS] = {d->size * 8, d->pages, d->pages * d->pages, d->pages * d->pages, d->pages * 2};
    for (int k = 0; k < KINDS; k++)
        d->first[k + 1] = d->first[k] + of[k];
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct damage *d = state->input;
    switch (key) {
    case 'l':
        d->ledger = value;
        return 0;
    case 'd':
        d->directory = value;
        return 0;
    case 'k':
        d->keys = value;
        return 0;
    case 'e':
        d->every = strtoull(value, NULL, 10);
        return 0;
    case 'j':
        d->jobs = (unsigned)strtoul(value, NULL, 10);
        return 0;
    case ARGP_KEY_END:
        if (d->ledger == NULL || d->directory == NULL || d->keys == NULL || d->every == 0 || d->jobs == 0 ||
            d->jobs > PLACE_JOBS_MAX)
            argp_error(state, "say --ledger FOLDER, --directory FILE and --keys FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", 'l', "FOLDER", 0, "a sound ledger that nobody has open", 0},
    {"directory", 'd', "FILE", 0, "the network's directory", 0},
    {"keys", 'k', "FILE", 0, "the node's, to write on as it would", 0},
    {"every", 'e', "N", 0, "every Nth bit (1)", 0},
    {"jobs", 'j', "N", 0, "processes (1)", 0},
    {0},
};

int main(int argc, char **argv)
{
    struct damage *d = calloc(1, sizeof *d);
    uint64_t all = 0, bad = 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a process that dies takes no line with it */
    *d = (struct damage){.every = 1, .jobs = 1, .owner = getpid()};
    argp_parse(&(struct argp){options, parse, NULL, "Damage a copy of a ledger in every way, and see who notices.",
                              NULL, NULL, NULL},
               argc, argv, 0, NULL, d);
    d->sums = mmap(NULL, sizeof *d->sums, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    load(d);
    double begin = place_seconds();
    place_run(d->jobs, work, died, d);
    double seconds = place_seconds() - begin;
    for (int k = 0; k < KINDS; k++) {
        printf("%s:", kind_names[k]);
        for (int v = 0; v < VERDICTS; v++) {
            if (d->sums->of[k][v] != 0)
                printf(" %" PRIu64 " %s", d->sums->of[k][v], verdict_names[v]);
            all += d->sums->of[k][v];
        }
        printf("\n");
        bad += d->sums->of[k][SILENT] + d->sums->of[k][HUNG];
    }
    printf("%" PRIu64 " damages of a ledger with %" PRIu64 " entries in %" PRIu64 " pages: %" PRIu64
           " silent or hung (%.0f/s)\n",
           all, d->sound.seq, d->pages, bad, (double)all / seconds);
    state_close(&d->q);
    free(d->file);
    munmap(d->sums, sizeof *d->sums);
    free(d);
    return all == 0 || bad != 0;
}
