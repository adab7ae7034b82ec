/*
 * Is the file as LMDB left it? Two questions that LMDB does not ask.
 *
 * Are its two meta pages those of two transactions in a row? LMDB writes transaction N into meta page N mod 2 and believes the page with the
 * larger number: one bit turned over in a number and it would open the state before the last commit, as if nobody had been told of it.
 *
 * Is it as long as what is in it? It is mapped: a page that is used and not there would be a SIGBUS later on.
 *
 * LMDB counts pages that it took and gave back in one transaction, and does not write them, so a sound file may end before its
 * last page. It is sound when every page beyond its end is on LMDB's list of free pages. That list is read here from the file
 * itself, page by page and within its bounds, because asking LMDB for it could touch what is missing.
 *
 *   meta page   16 magic 0xbeefc0de (4) | 20 version 1 (4) | 40 page size (4) | 80 root of the free list (8) | 136 last page (8) | 144 transaction (8)
 *   page        10 flags (2): 1 branch, 2 leaf, 4 overflow | 12 end of node offsets (2) | 16 node offsets (2 each)
 *   node        0 low half (2) | 2 high half (2) | 4 flags (2) | 6 key size (2) | 8 key | value
 *               branch: halves and flags are the child's page. leaf: halves are the value's size; flag 1: the value is the number
 *               of the overflow page where it lies, from byte 16 on
 *   value       count (8) | free pages (8 each)                      all in the machine's own byte order
 * Source: the file format of LMDB 0.9 as Debian 12 has it; lmdb.h tells the machine's byte order and size_t.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clearing/ledger/internal.h"

#define MAGIC      0xbeefc0deu
#define DEPTH_MAX  16u
#define READ_TRIES 8 /* another process may be writing: a list that is being changed is read again */
#define NO_PAGE    UINT64_MAX

struct file {
    int fd;
    uint64_t size, page_size;
};

struct head { /* of a meta page */
    uint64_t transaction, last_page, free_root;
};

static uint64_t get(const uint8_t *at, size_t size)
{
    uint64_t v = 0;
    memcpy(&v, at, size); /* little-endian machines only, as LMDB's files are */
    return v;
}

static int read_at(const struct file *f, uint64_t offset, void *out, size_t size)
{
    return offset + size <= f->size && pread(f->fd, out, size, (off_t)offset) == (ssize_t)size;
}

/* The newer one. 0: one is not a meta page, or they are not of two transactions in a row. Of a file just made, both are of none. */
static int read_head(const struct file *f, struct head *h)
{
    struct head of[2];
    for (uint64_t i = 0; i < 2; i++) {
        uint8_t meta[160];
        if (!read_at(f, i * f->page_size, meta, sizeof meta) || get(meta + 16, 4) != MAGIC || get(meta + 20, 4) != 1)
            return 0;
        of[i] = (struct head){get(meta + 144, 8), get(meta + 136, 8), get(meta + 80, 8)};
    }
    *h = of[of[1].transaction > of[0].transaction];
    if (of[0].transaction == 0 && of[1].transaction == 0)
        return 1;
    uint64_t older = of[of[1].transaction <= of[0].transaction].transaction;
    return of[0].transaction % 2 == 0 && of[1].transaction % 2 == 1 && h->transaction == older + 1;
}

/* Adds up those of the listed pages that lie beyond the file's end. 0: the list is not all there. */
static int count_list(const struct file *f, uint64_t offset, uint64_t size, uint64_t *beyond)
{
    uint8_t cell[8];
    if (size < 8 || !read_at(f, offset, cell, 8))
        return 0;
    uint64_t count = get(cell, 8);
    for (uint64_t i = 1; i <= count; i++) {
        if (i * 8 + 8 > size || !read_at(f, offset + i * 8, cell, 8))
            return 0;
        *beyond += get(cell, 8) >= f->size / f->page_size;
    }
    return 1;
}

static int count_tree(const struct file *f, uint64_t number, unsigned depth, uint64_t *beyond)
{
    uint8_t page[65536], child[8];
    if (depth == DEPTH_MAX || f->page_size > sizeof page || !read_at(f, number * f->page_size, page, f->page_size))
        return 0;
    uint64_t flags = get(page + 10, 2), nodes = (get(page + 12, 2) - 16) / 2;
    if ((flags & 3u) == 0 || nodes > f->page_size / 2)
        return 0;
    for (uint64_t i = 0; i < nodes; i++) {
        uint64_t at = get(page + 16 + 2 * i, 2);
        if (at + 8 > f->page_size)
            return 0;
        uint64_t halves = get(page + at, 4), node_flags = get(page + at + 4, 2), key = get(page + at + 6, 2);
        if (flags & 1u) {
            if (!count_tree(f, halves | node_flags << 32, depth + 1, beyond))
                return 0;
            continue;
        }
        uint64_t offset = number * f->page_size + at + 8 + key;
        if ((node_flags & 1u) && !read_at(f, offset, child, 8))
            return 0;
        if (!count_list(f, (node_flags & 1u) ? get(child, 8) * f->page_size + 16 : offset, halves, beyond))
            return 0;
    }
    return 1;
}

/* NULL: sound. Otherwise what it is; *need: bytes up to LMDB's last page. */
static const char *find_fault(struct file *f, uint64_t *need)
{
    const char *fault = NULL;
    for (int tries = 0; tries < READ_TRIES; tries++) {
        struct stat now;
        struct head before, after;
        uint64_t beyond = 0;
        fault = "is damaged: its two meta pages are not those of two transactions in a row";
        f->size = fstat(f->fd, &now) == 0 ? (uint64_t)now.st_size : 0;
        if (!read_head(f, &before))
            continue;
        *need = (before.last_page + 1) * f->page_size;
        if (f->size >= *need)
            return NULL;
        int whole = before.free_root != NO_PAGE && count_tree(f, before.free_root, 0, &beyond);
        if (whole && beyond == before.last_page + 1 - f->size / f->page_size)
            return NULL;
        fault = "is cut off";
        if (read_head(f, &after) && after.transaction == before.transaction)
            break;
    }
    return fault;
}

sq_status sq_ledger_check_file(MDB_env *env, const char *path, struct sq_error *err)
{
    char data[4096];
    MDB_stat stat_of;
    uint64_t need = 0;
    snprintf(data, sizeof data, "%s/data.mdb", path);
    mdb_env_stat(env, &stat_of);
    struct file f = {.fd = open(data, O_RDONLY | O_CLOEXEC), .page_size = stat_of.ms_psize};
    if (f.fd < 0)
        return sq_fail(err, SQ_E_IO, "open %s: %s", data, strerror(errno));
    const char *fault = find_fault(&f, &need);
    close(f.fd);
    return fault == NULL
               ? SQ_OK
               : sq_fail(err, SQ_E_CORRUPT, "%s %s (%" PRIu64 " bytes of %" PRIu64 "); restore it from a backup", data,
                         fault, f.size, need);
}
