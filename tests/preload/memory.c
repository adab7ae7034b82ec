/*
 * A process that runs out of memory: for LD_PRELOAD. MEMORY_FAULT=N: the Nth allocation fails. Once, or from there on with N+.
 *
 * glibc's allocator is called by its inner names, so that nothing here allocates on its way to it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_ulong calls;
static unsigned long fault_at; /* 0: not looked yet */
static int for_ever;

static int fails(void)
{
    unsigned long n = atomic_fetch_add(&calls, 1) + 1;
    if (n == 1) { /* before there is a second thread */
        const char *text = getenv("MEMORY_FAULT");
        char *rest = NULL;
        fault_at = text != NULL ? strtoul(text, &rest, 10) : 0;
        for_ever = rest != NULL && *rest == '+';
        fault_at = fault_at != 0 ? fault_at : ~0ul;
    }
    if (n != fault_at && !(for_ever && n > fault_at))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
