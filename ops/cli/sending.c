#include "ops/cli/sending.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- numbers ---- */

static sq_status ask_next_id(struct sq_sending *s, struct sq_error *err)
{
    uint64_t last;
    sq_status st = sq_session_lock(s->session, err);
    if (st == SQ_OK)
        st = sq_client_hello(s->session->client, s->session->cli->timeout_ms, &last, err);
    if (st == SQ_OK && last + 1 > s->next_id)
        s->next_id = last + 1;
    return st;
}

static sq_status send_waiting(struct sq_sending *s, struct sq_waiting_chunk *w, uint64_t sent_at_ms,
                              struct sq_error *err)
{
    sq_status st =
        sq_client_send_as(s->session->client, w->id, sent_at_ms, s->type, sq_bytes_of(w->body, w->size), err);
    if (st == SQ_E_USAGE)
        return sq_fail(err, SQ_E_VERIFY,
                       _("the node has forgotten messages that it had taken (this one had number %" PRIu64
                         "): has its ledger been put back from a copy?"),
                       w->id);
    if (st == SQ_OK && w->id >= s->next_id)
        s->next_id = w->id + 1;
    return st;
}

/* A number of its own for the chunk: recorded before it is used. */
static sq_status send_under_next(struct sq_sending *s, struct sq_waiting_chunk *w, struct sq_chunk c,
                                 struct sq_error *err)
{
    c.state = SQ_CHUNK_SENT;
    c.id = w->id = s->next_id;
    c.sent_at_ms = now_ms();
    w->again = 0;
    sq_status st = sq_progress_record(s->progress, w->n, &c, err);
    return st == SQ_OK ? send_waiting(s, w, c.sent_at_ms, err) : st;
}

/* ---- answers ---- */

static struct sq_waiting_chunk *find(struct sq_sending *s, uint64_t id)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->waiting[i].id == id && !s->waiting[i].again)
            return &s->waiting[i];
    return NULL;
}

static void drop_work(const struct sq_sending *s, void *work)
{
    if (s->drop != NULL)
        s->drop(work);
    else
        free(work);
}

static void forget(struct sq_sending *s, struct sq_waiting_chunk *w)
{
    free(w->body);
    memmove(w, w + 1, (size_t)(s->waiting + s->count - (w + 1)) * sizeof *w);
    s->count--;
}

/* Without a receipt the number was not used up, and nothing after it can be taken either. */
static sq_status on_refusal(struct sq_sending *s, struct sq_waiting_chunk *w, const struct sq_client_answer *a,
                            struct sq_error *err)
{
    if (a->status == SQ_R_ID_REUSED) {
        w->again = 1;
        return SQ_OK;
    }
    if (a->receipt == NULL)
        return sq_session_refused(a, err);
    struct sq_chunk c = *sq_progress_chunk(s->progress, w->n);
    c.state = SQ_CHUNK_REFUSED;
    c.status = a->status;
    sq_status st = sq_progress_record(s->progress, w->n, &c, err);
    if (st != SQ_OK)
        return st;
    if (w->resumed) {
        w->again = 1; /* what stood in its way then may be mended now */
        w->resumed = 0;
        return SQ_OK;
    }
    if (s->failure.status == SQ_OK)
        sq_session_refused(a, &s->failure);
    drop_work(s, w->work);
    forget(s, w);
    return SQ_OK;
}

static sq_status take_answer(struct sq_sending *s, struct sq_error *err)
{
    struct sq_client_answer a;
    sq_status st = sq_client_answer(s->session->client, s->session->cli->timeout_ms, &a, err);
    if (st == SQ_OK)
        st = sq_session_verify(s->session, &a, err);
    if (st != SQ_OK)
        return st;
    if (a.id == 0)
        return sq_session_refused(&a, err);
    struct sq_waiting_chunk *w = find(s, a.id);
    if (w == NULL)
        return SQ_OK;
    if (a.status != SQ_OK)
        return on_refusal(s, w, &a, err);
    struct sq_chunk c = *sq_progress_chunk(s->progress, w->n);
    void *work = w->work;
    c.state = SQ_CHUNK_ANSWERED;
    w->work = NULL;
    st = s->answered(s->ctx, w->n, work, &a, &c, err);
    if (st == SQ_OK)
        st = sq_progress_record(s->progress, w->n, &c, err);
    if (st == SQ_OK)
        forget(s, w);
    return st;
}

static unsigned on_the_way(const struct sq_sending *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->count; i++)
        n += !s->waiting[i].again;
    return n;
}

/* Everything that waits needs another number, and nothing is on the way. */
static sq_status send_again(struct sq_sending *s, struct sq_error *err)
{
    sq_status st = ask_next_id(s, err);
    for (unsigned i = 0; st == SQ_OK && i < s->count; i++)
        st = send_under_next(s, &s->waiting[i], *sq_progress_chunk(s->progress, s->waiting[i].n), err);
    return st;
}

/* Until at most `most` wait, and none of them for another number. After a refusal: until nothing is on the way. */
static sq_status wait_until(struct sq_sending *s, unsigned most, struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (unsigned away = on_the_way(s); st == SQ_OK; away = on_the_way(s)) {
        int failed = s->failure.status != SQ_OK;
        if (failed && away == 0) {
            if (err != NULL)
                *err = s->failure;
            return s->failure.status;
        }
        if (!failed && away == s->count && s->count <= most)
            break;
        st = away != 0 ? take_answer(s, err) : send_again(s, err);
    }
    return st;
}

/* ---- from outside ---- */

static sq_status send_known(struct sq_sending *s, struct sq_waiting_chunk *w, const struct sq_chunk *c,
                            const uint8_t *hash, struct sq_error *err)
{
    if (memcmp(hash, c->body_hash, SQ_HASH_SIZE) != 0)
        return sq_fail(err, SQ_E_VERIFY,
                       _("rows from line %" PRIu64
                         " on give other bytes than those that were sent: finish with the program that began"),
                       c->first_line);
    w->id = c->id;
    return send_waiting(s, w, c->sent_at_ms, err);
}

sq_status sq_sending_put(struct sq_sending *s, uint64_t n, uint64_t first_line, uint64_t rows, uint64_t note,
                         uint8_t *body, size_t size, void *work, struct sq_error *err)
{
    uint8_t hash[SQ_HASH_SIZE];
    const struct sq_chunk *known = sq_progress_chunk(s->progress, n);
    int sent = known != NULL && known->state == SQ_CHUNK_SENT;
    sq_status st = s->next_id == 0 ? ask_next_id(s, err) : SQ_OK;
    if (st == SQ_OK)
        st = wait_until(s, (s->most != 0 ? s->most : SQ_SENDING_MAX) - 1, err);
    if (st == SQ_OK && sent && s->count != 0 && s->waiting[s->count - 1].id >= known->id)
        st = wait_until(s, 0, err); /* numbers go out ascending */
    struct sq_waiting_chunk *w = &s->waiting[s->count];
    if (st != SQ_OK) {
        free(body);
        drop_work(s, work);
        return st;
    }
    s->count++;
    *w = (struct sq_waiting_chunk){.n = n, .body = body, .size = size, .work = work, .resumed = sent};
    sq_sha256(body, size, hash);
    if (sent)
        return send_known(s, w, known, hash, err);
    struct sq_chunk c = {.first_line = first_line, .rows = rows, .note = note};
    memcpy(c.body_hash, hash, sizeof hash);
    return send_under_next(s, w, c, err);
}

sq_status sq_sending_finish(struct sq_sending *s, struct sq_error *err)
{
    return wait_until(s, 0, err);
}

void sq_sending_close(struct sq_sending *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        free(s->waiting[i].body);
        drop_work(s, s->waiting[i].work);
    }
    s->count = 0;
}
