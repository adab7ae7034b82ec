/*
 * A snapshot: the core's tables as of one entry, so that a restart replays only what came after.
 *
 *   0 "SQSNAP1\0" | 8 be64 seq | 16 payload hash of that entry | 48 be64 size | 56 SHA-256 of the state | 88 state
 *
 * A cache: whatever is wrong with it, the journal is there. It is written beside and renamed, so that a crash leaves the old one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clearing/ledger/ledger.h"

#define MAGIC     "SQSNAP1"
#define HEAD_SIZE 88u

static sq_status fail_os(struct sq_error *err, const char *what, const char *path)
{
    return sq_fail(err, errno == ENOSPC ? SQ_E_FULL : SQ_E_IO, "%s %s: %s", what, path, strerror(errno));
}

/* The head comes last, when the hash is known. 0 when all of it is on the disk. */
static int write_all(FILE *f, uint8_t head[static HEAD_SIZE], const struct sq_dump *state)
{
    struct sq_sha256 hash;
    sq_bytes piece;
    int bad = fwrite(head, HEAD_SIZE, 1, f) != 1;
    sq_sha256_begin(&hash);
    for (size_t i = 0; !bad && sq_dump_piece(state, i, &piece); i++) {
        sq_sha256_add(&hash, piece.data, piece.size);
        bad = piece.size != 0 && fwrite(piece.data, piece.size, 1, f) != 1;
    }
    sq_sha256_end(&hash, head + 56);
    bad = bad || fseek(f, 0, SEEK_SET) != 0 || fwrite(head, HEAD_SIZE, 1, f) != 1 || fflush(f) != 0 ||
          fsync(fileno(f)) != 0;
    return bad ? -1 : 0;
}

sq_status sq_snapshot_write(const char *path, uint64_t seq, const uint8_t payload_hash[static SQ_HASH_SIZE],
                            const struct sq_dump *state, struct sq_error *err)
{
    char fresh[4200], name[4200];
    uint8_t head[HEAD_SIZE] = MAGIC;
    snprintf(name, sizeof name, "%s/snapshot", path);
    snprintf(fresh, sizeof fresh, "%s/snapshot.new", path);
    sq_put_be64(head + 8, seq);
    memcpy(head + 16, payload_hash, SQ_HASH_SIZE);
    sq_put_be64(head + 48, state->size + state->lent_size);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (f == NULL) {
        sq_status st = fail_os(err, "create", fresh);
        if (fd >= 0)
            close(fd);
        return st;
    }
    int bad = write_all(f, head, state) != 0;
    if (fclose(f) != 0 || bad || rename(fresh, name) != 0) {
        sq_status st = fail_os(err, "write", fresh);
        unlink(fresh);
        return st;
    }
    int dir = open(path, O_RDONLY | O_CLOEXEC);
    if (dir < 0 || fsync(dir) != 0) {
        sq_status st = fail_os(err, "sync", path);
        if (dir >= 0)
            close(dir);
        return st;
    }
    close(dir);
    return SQ_OK;
}

static int read_all(int fd, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

sq_status sq_snapshot_read(const char *path, uint64_t *seq_out, uint8_t payload_hash[static SQ_HASH_SIZE],
                           uint8_t **state_out, size_t *size_out, struct sq_error *err)
{
    char name[4200];
    uint8_t head[HEAD_SIZE], hash[SQ_HASH_SIZE], *state = NULL;
    struct stat file;
    snprintf(name, sizeof name, "%s/snapshot", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? sq_fail(err, SQ_E_NOT_FOUND, "no snapshot") : fail_os(err, "open", name);
    sq_status st = SQ_OK;
    if (fstat(fd, &file) != 0 || (uint64_t)file.st_size < HEAD_SIZE || read_all(fd, head, sizeof head) != 0 ||
        memcmp(head, MAGIC, sizeof MAGIC) != 0 || sq_get_be64(head + 48) != (uint64_t)file.st_size - HEAD_SIZE)
        st = sq_fail(err, SQ_E_FORMAT, "%s is not a whole snapshot of this program", name);
    size_t size = st == SQ_OK ? (size_t)file.st_size - HEAD_SIZE : 0;
    if (st == SQ_OK && (state = malloc(size + 1)) == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "snapshot of %zu bytes", size);
    if (st == SQ_OK && read_all(fd, state, size) != 0)
        st = fail_os(err, "read", name);
    close(fd);
    if (st == SQ_OK) {
        sq_sha256(state, size, hash);
        if (memcmp(hash, head + 56, sizeof hash) != 0)
            st = sq_fail(err, SQ_E_CORRUPT, "%s does not have the hash it was written with", name);
    }
    if (st != SQ_OK) {
        free(state);
        return st;
    }
    *seq_out = sq_get_be64(head + 8);
    memcpy(payload_hash, head + 16, SQ_HASH_SIZE);
    *state_out = state;
    *size_out = size;
    return SQ_OK;
}
