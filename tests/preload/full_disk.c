/*
 * A disk that is short of room or full, when the file named by FULL_DISK says so: for LD_PRELOAD.
 *
 *     low     one per cent of the blocks is free
 *     full    nothing can be written, though the disk still says that there is room
 *     else    as it is
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

typedef int (*statvfs_call)(const char *path, struct statvfs *out);
typedef ssize_t (*pwrite_call)(int fd, const void *data, size_t size, off_t at);
typedef ssize_t (*writev_call)(int fd, const struct iovec *parts, int count);

/* ISO C has no cast from what dlsym gives to a function. */
union call {
    void *found;
    statvfs_call statvfs;
    pwrite_call pwrite;
    writev_call writev;
};

static union call real(const char *name)
{
    return (union call){dlsym(RTLD_NEXT, name)};
}

static int says(const char *word)
{
    char text[8] = "";
    const char *path = getenv("FULL_DISK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    return n > 0 && strncmp(text, word, strlen(word)) == 0;
}

static int is_full(void)
{
    if (!says("full"))
        return 0;
    errno = ENOSPC;
    return 1;
}

int statvfs(const char *path, struct statvfs *out)
{
    int rc = real("statvfs").statvfs(path, out);
    out->f_bavail = says("low") ? out->f_blocks / 100 : out->f_blocks;
    return rc;
}

/* liblmdb writes its pages by these two. */
ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return is_full() ? -1 : real("pwrite").pwrite(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return is_full() ? -1 : real("writev").writev(fd, parts, count);
}
