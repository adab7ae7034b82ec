/*
 * Threads whose work nobody waits for yield to those that somebody does: nice 5 gives them a third of a turn beside one of the others, so
 * that they go on, slowly, on a machine that has no time to spare, and at full speed on one that has. Where it is not allowed, nothing is lost
 * but that.
 */
#ifndef SQ_BACKGROUND_H
#define SQ_BACKGROUND_H

#include <sys/resource.h>
#include <unistd.h>

#define SQ_BACKGROUND_NICE 5

/* The calling thread is such a one from here on. */
static inline void sq_background(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), SQ_BACKGROUND_NICE); /* Linux: of a thread */
}

#endif
