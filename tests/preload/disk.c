/*
 * What a process does to its ledger's disk, written down or made to fail: for LD_PRELOAD.
 *
 *     DISK_TRACE=FILE         every write, sync, renaming and cutting of data.mdb and snapshot is appended to FILE, in the order in which they
 *                             ended. tests/disk/trace.h is what FILE holds.
 *     DISK_FAULT=KIND:N:NAME  the Nth call of KIND on data.mdb fails with errno NAME; N+ fails from the Nth on. KIND: write (pages), sync,
 *                             meta (LMDB's last write of a commit, through a descriptor that syncs by itself), any.
 *
 * One lock around each call and its record: what is recorded earlier ended earlier. stdio's own writes cannot be seen from outside libc, so
 * what a snapshot holds is read back when it is synced.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/disk/trace.h"

#define FDS 1024

enum file { OTHER, PAGES, META, SNAPSHOT };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum file files[FDS];
static int trace_fd = -2; /* -2: not looked yet */
static unsigned long calls, fault_at;
static int fault_on, fault_errno;
static char fault_kind[8];

typedef int (*open_call)(const char *, int, ...);
typedef int (*fd_call)(int);
typedef int (*rename_call)(const char *, const char *);
typedef int (*truncate_call)(int, off_t);
typedef ssize_t (*pwrite_call)(int, const void *, size_t, off_t);
typedef ssize_t (*write_call)(int, const void *, size_t);
typedef ssize_t (*writev_call)(int, const struct iovec *, int);
typedef void *(*mmap_call)(void *, size_t, int, int, int, off_t);

/* ISO C has no cast from what dlsym gives to a function. */
union call {
    void *found;
    open_call open;
    fd_call fd;
    rename_call rename;
    truncate_call truncate;
    pwrite_call pwrite;
    write_call write;
    writev_call writev;
    mmap_call mmap;
};

static union call real(const char *name)
{
    return (union call){dlsym(RTLD_NEXT, name)};
}

static enum file file_of(int fd)
{
    return fd >= 0 && fd < FDS ? files[fd] : OTHER;
}

static void record(uint32_t type, uint64_t offset, const void *data, size_t size)
{
    const char *path = getenv("DISK_TRACE");
    struct trace_head head = {TRACE_MAGIC, type, offset, size};
    union {
        const void *in;
        void *out;
    } bytes = {data};
    struct iovec parts[2] = {{&head, sizeof head}, {bytes.out, size}};
    if (trace_fd == -2)
        trace_fd = path == NULL ? -1 : real("open").open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (trace_fd >= 0 && real("writev").writev(trace_fd, parts, 2) != (ssize_t)(sizeof head + size))
        abort(); /* a trace with a hole in it would prove anything */
}

/* ---- faults ---- */

static void read_fault(void)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}};
    char *text = getenv("DISK_FAULT"), *rest;
    fault_on = text == NULL ? -1 : 1;
    if (text == NULL)
        return;
    size_t kind = strcspn(text, ":");
    if (kind >= sizeof fault_kind || text[kind] == '\0')
        abort();
    memcpy(fault_kind, text, kind);
    fault_at = strtoul(text + kind + 1, &rest, 10);
    if (*rest == '+') {
        fault_on = 2;
        rest++;
    }
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (*rest == ':' && strcmp(rest + 1, errors[i].name) == 0)
            fault_errno = errors[i].number;
    if (fault_errno == 0)
        abort();
}

/* 1, with errno, when this call of `kind` is the one that fails. */
static int fails(const char *kind)
{
    if (fault_on == 0)
        read_fault();
    if (fault_on < 0 || (strcmp(fault_kind, "any") != 0 && strcmp(fault_kind, kind) != 0))
        return 0;
    calls++;
    if (fault_on == 1 ? calls != fault_at : calls < fault_at)
        return 0;
    errno = fault_errno;
    return 1;
}

/* ---- what is watched ---- */

static int ends_in(const char *path, const char *name)
{
    size_t a = strlen(path), b = strlen(name);
    return a > b && path[a - b - 1] == '/' && strcmp(path + a - b, name) == 0;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    int fd = real("open").open(path, flags, mode);
    if (fd < 0 || fd >= FDS)
        return fd;
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    pthread_mutex_lock(&lock);
    files[fd] = writes && ends_in(path, "data.mdb")       ? ((flags & (O_DSYNC | O_SYNC)) != 0 ? META : PAGES)
                : writes && ends_in(path, "snapshot.new") ? SNAPSHOT
                                                          : OTHER;
    pthread_mutex_unlock(&lock);
    return fd;
}

int close(int fd)
{
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < FDS)
        files[fd] = OTHER;
    pthread_mutex_unlock(&lock);
    return real("close").fd(fd);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    enum file file = file_of(fd);
    if (file != PAGES && file != META)
        return real("pwrite").pwrite(fd, data, size, at);
    pthread_mutex_lock(&lock);
    ssize_t n = fails(file == META ? "meta" : "write") ? -1 : real("pwrite").pwrite(fd, data, size, at);
    if (n > 0)
        record(file == META ? TRACE_WRITE_SYNCED : TRACE_WRITE, (uint64_t)at, data, (size_t)n);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    enum file file = file_of(fd);
    if (file != PAGES && file != META)
        return real("writev").writev(fd, parts, count);
    pthread_mutex_lock(&lock);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = fails("write") ? -1 : real("writev").writev(fd, parts, count);
    ssize_t left = n; /* one record a part: each is a page, or the pages of one large value */
    for (int i = 0; i < count && left > 0; i++) {
        ssize_t size = left < (ssize_t)parts[i].iov_len ? left : (ssize_t)parts[i].iov_len;
        record(file == META ? TRACE_WRITE_SYNCED : TRACE_WRITE, (uint64_t)at, parts[i].iov_base, (size_t)size);
        at += size;
        left -= size;
    }
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t write(int fd, const void *data, size_t size)
{
    enum file file = file_of(fd);
    if (file == PAGES || file == META)
        abort(); /* LMDB 0.9.24 does not; if another does, its writes must be in the trace */
    return real("write").write(fd, data, size);
}

static int sync_file(int fd, const char *call)
{
    enum file file = file_of(fd);
    struct stat s;
    pthread_mutex_lock(&lock);
    int rc = (file == PAGES || file == META) && fails("sync") ? -1 : real(call).fd(fd);
    if (rc == 0 && fstat(fd, &s) == 0) {
        if (file == PAGES || file == META)
            record(TRACE_SYNC, 0, NULL, 0);
        else if (S_ISDIR(s.st_mode))
            record(TRACE_FOLDER_SYNC, 0, NULL, 0);
        else if (file == SNAPSHOT && s.st_size > 0) {
            char name[64]; /* the descriptor is for writing only */
            snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
            int again = real("open").open(name, O_RDONLY | O_CLOEXEC);
            void *now = again < 0 ? MAP_FAILED : mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, again, 0);
            if (now == MAP_FAILED)
                abort();
            record(TRACE_SNAPSHOT, 0, now, (size_t)s.st_size);
            munmap(now, (size_t)s.st_size);
            real("close").fd(again);
        }
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int fdatasync(int fd)
{
    return sync_file(fd, "fdatasync");
}

int fsync(int fd)
{
    return sync_file(fd, "fsync");
}

int ftruncate(int fd, off_t size)
{
    enum file file = file_of(fd);
    pthread_mutex_lock(&lock);
    int rc = real("ftruncate").truncate(fd, size);
    if (rc == 0 && (file == PAGES || file == META))
        record(TRACE_CUT, (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return rc;
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&lock);
    int rc = real("rename").rename(from, to);
    if (rc == 0)
        record(ends_in(to, "snapshot") ? TRACE_SNAPSHOT_NAMED : TRACE_LEDGER_NAMED, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Writes through a mapping are seen by nobody. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    enum file file = file_of(fd);
    if ((file == PAGES || file == META) && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0)
        abort();
    return real("mmap").mmap(at, size, protection, flags, fd, offset);
}
