/*
 * A ring of chunks between one reader and the workers.
 *
 *   chunk:  FREE -> filled by the reader -> QUEUED -> taken by a worker -> FREE
 *
 * Invariants: a chunk has one owner at a time; `failed` keeps the lowest entry whose signature does not hold, whichever worker meets it.
 */
#include "ops/common/checks.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "peers/message.h"

#define CHUNK_BYTES (4u << 20) /* a few of the largest messages */
#define CHUNK_JOBS  256u /* small messages: some milliseconds of work, so that all cores end at about the same time */
#define THREADS_MAX 64u

_Static_assert(CHUNK_BYTES > SQ_MESSAGE_SIZE_MAX, "the largest message fits an empty chunk");

struct job {
    uint64_t seq;
    size_t at, size;
    uint8_t key[SQ_KEY_SIZE];
};

struct chunk {
    uint8_t *bytes;
    size_t used;
    unsigned count;
    struct job jobs[CHUNK_JOBS];
    struct chunk *next;
};

struct sq_checks {
    uint8_t network_id[32];
    pthread_t threads[THREADS_MAX];
    unsigned thread_count, chunk_count;
    struct chunk *chunks, *filling;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work, freed;
    struct chunk *first, *last, *free;
    unsigned free_count;
    int ending;
    uint64_t good;
    uint64_t failed_seq; /* 0: none */
    struct sq_error failed;
};

static unsigned cores(void)
{
    cpu_set_t set;
    unsigned n = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    return n < THREADS_MAX ? n : THREADS_MAX;
}

static void note_failure(struct sq_checks *c, uint64_t seq, const struct sq_error *why)
{
    if (c->failed_seq != 0 && c->failed_seq <= seq)
        return;
    c->failed_seq = seq;
    c->failed = *why;
}

/* The first job of the chunk that fails; its jobs are in the journal's order. */
static uint64_t check_chunk(const struct sq_checks *c, const struct chunk *chunk, struct sq_error *why)
{
    for (unsigned i = 0; i < chunk->count; i++) {
        const struct job *j = &chunk->jobs[i];
        struct sq_envelope e;
        if (sq_envelope_open(sq_bytes_of(chunk->bytes + j->at, j->size), &e, why) != SQ_OK ||
            sq_message_check(&e, c->network_id, j->key, why) != SQ_OK)
            return j->seq;
    }
    return 0;
}

static void *run(void *arg)
{
    struct sq_checks *c = arg;
    for (;;) {
        struct sq_error why = {0};
        pthread_mutex_lock(&c->mutex);
        while (c->first == NULL && !c->ending)
            pthread_cond_wait(&c->work, &c->mutex);
        struct chunk *chunk = c->first;
        if (chunk != NULL && (c->first = chunk->next) == NULL)
            c->last = NULL;
        pthread_mutex_unlock(&c->mutex);
        if (chunk == NULL)
            return NULL;
        uint64_t bad = check_chunk(c, chunk, &why);
        pthread_mutex_lock(&c->mutex);
        if (bad != 0)
            note_failure(c, bad, &why);
        else
            c->good += chunk->count;
        chunk->next = c->free;
        c->free = chunk;
        c->free_count++;
        pthread_cond_signal(&c->freed);
        pthread_mutex_unlock(&c->mutex);
    }
}

sq_status sq_checks_new(const uint8_t network_id[static 32], unsigned threads, struct sq_checks **out,
                        struct sq_error *err)
{
    struct sq_checks *c = calloc(1, sizeof *c);
    if (c == NULL)
        return sq_fail(err, SQ_E_NOMEM, "signature checks");
    memcpy(c->network_id, network_id, sizeof c->network_id);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->freed, NULL);
    unsigned wanted = threads == 0 ? cores() : threads < THREADS_MAX ? threads : THREADS_MAX;
    c->chunk_count = 2 * wanted + 1;
    c->chunks = calloc(c->chunk_count, sizeof *c->chunks);
    for (unsigned i = 0; c->chunks != NULL && i < c->chunk_count; i++) {
        if ((c->chunks[i].bytes = malloc(CHUNK_BYTES)) == NULL)
            break;
        c->chunks[i].next = c->free;
        c->free = &c->chunks[i];
        c->free_count++;
    }
    while (c->free_count == c->chunk_count && c->thread_count < wanted &&
           pthread_create(&c->threads[c->thread_count], NULL, run, c) == 0)
        c->thread_count++;
    if (c->thread_count == 0) {
        sq_checks_free(c);
        return sq_fail(err, SQ_E_NOMEM, "signature checks");
    }
    *out = c;
    return SQ_OK;
}

void sq_checks_free(struct sq_checks *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->mutex);
    c->ending = 1;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->mutex);
    for (unsigned i = 0; i < c->thread_count; i++)
        pthread_join(c->threads[i], NULL);
    for (unsigned i = 0; c->chunks != NULL && i < c->chunk_count; i++)
        free(c->chunks[i].bytes);
    free(c->chunks);
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->freed);
    free(c);
}

static void hand_over(struct sq_checks *c)
{
    pthread_mutex_lock(&c->mutex);
    c->filling->next = NULL;
    if (c->last != NULL)
        c->last->next = c->filling;
    else
        c->first = c->filling;
    c->last = c->filling;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->mutex);
    c->filling = NULL;
}

static struct chunk *take_free(struct sq_checks *c)
{
    pthread_mutex_lock(&c->mutex);
    while (c->free == NULL)
        pthread_cond_wait(&c->freed, &c->mutex);
    struct chunk *chunk = c->free;
    c->free = chunk->next;
    c->free_count--;
    pthread_mutex_unlock(&c->mutex);
    chunk->used = chunk->count = 0;
    return chunk;
}

sq_status sq_checks_add(struct sq_checks *c, uint64_t seq, sq_bytes envelope, const uint8_t key[static SQ_KEY_SIZE],
                        struct sq_error *err)
{
    if (envelope.size > CHUNK_BYTES)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": a message of %zu bytes", seq, envelope.size);
    if (c->filling != NULL && (c->filling->count == CHUNK_JOBS || CHUNK_BYTES - c->filling->used < envelope.size))
        hand_over(c);
    if (c->filling == NULL)
        c->filling = take_free(c);
    struct chunk *chunk = c->filling;
    struct job *j = &chunk->jobs[chunk->count++];
    *j = (struct job){.seq = seq, .at = chunk->used, .size = envelope.size};
    memcpy(j->key, key, SQ_KEY_SIZE);
    if (envelope.size != 0)
        memcpy(chunk->bytes + chunk->used, envelope.data, envelope.size);
    chunk->used += envelope.size;
    return SQ_OK;
}

sq_status sq_checks_wait(struct sq_checks *c, uint64_t *bad_seq, struct sq_error *err)
{
    if (c->filling != NULL)
        hand_over(c);
    pthread_mutex_lock(&c->mutex);
    while (c->free_count != c->chunk_count)
        pthread_cond_wait(&c->freed, &c->mutex);
    *bad_seq = c->failed_seq;
    struct sq_error failed = c->failed;
    pthread_mutex_unlock(&c->mutex);
    return *bad_seq == 0 ? SQ_OK
                         : sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": %s: %.120s", *bad_seq,
                                   sq_status_text(failed.status), failed.text);
}

uint64_t sq_checks_good(struct sq_checks *c)
{
    pthread_mutex_lock(&c->mutex);
    uint64_t good = c->good;
    pthread_mutex_unlock(&c->mutex);
    return good;
}
