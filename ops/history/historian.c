/*
 *   keeper:    take some entries -> asked to catch up? -> a run is due? make it (long) -> ...
 *   answerer:  question -> ask the keeper to catch up -> it has, or is in something long -> the newest view -> answer
 *
 * Invariants: the history is the keeper's, views are handed over whole and are the answerer's; a question waits for no piece of the
 * keeper's work that is longer than sorting TAIL_CHEAP_ROWS rows, but for the first view.
 */
#include "ops/history/historian.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/common/background.h"
#include "ops/common/log.h"
#include "ops/history/ask.h"

#define QUEUE            64u
#define STEP_ENTRIES     2u /* between two looks at who asks: a millisecond or two when both are full batches */
#define CATCH_UP_ENTRIES 4096u
#define IDLE_MS          200u
#define SETTLE_EVERY_MS  5000u /* a long tail is sorted again no more often than this */
#define TAIL_CHEAP_ROWS  20000u

struct sq_historian {
    const struct sq_ledger *ledger;
    struct sq_hub *hub;
    char node[7]; /* whose ledger it is */

    struct sq_history *history; /* the keeper's, and the next two */
    uint64_t settled_at_ms;
    int failed; /* it stays behind: said once */

    struct sq_history *view; /* the answerer's; the query is of it */
    struct sq_query *query;

    pthread_t keeper, answerer;
    int keeper_runs, answerer_runs;
    pthread_mutex_t mutex;      /* guards what follows */
    pthread_cond_t asked, kept; /* for the keeper; for the answerer */
    int stop;
    struct sq_history *fresh;   /* the newest view, if the answerer has not taken it */
    uint64_t wanted, caught_up; /* how often the answerer has asked the keeper to catch up, and it has */
    int in_long_work;
    struct sq_historian_question questions[QUEUE];
    struct sq_historian_answer answers[QUEUE];
    unsigned question_count, answer_count;
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- keeping ---- */

static int keeps(struct sq_historian *h, sq_status st, const struct sq_error *err)
{
    if (st != SQ_OK && !h->failed)
        sq_log(SQ_LOG_WARNING, "history", "reason=\"%s\" next=\"sanquan index --rebuild\"", err->text);
    h->failed |= st != SQ_OK;
    return st == SQ_OK;
}

static void hand_over(struct sq_historian *h)
{
    struct sq_history *view, *older = NULL;
    struct sq_error err = {0};
    if (!keeps(h, sq_history_view(h->history, &view, &err), &err) || view == NULL)
        return;
    pthread_mutex_lock(&h->mutex);
    older = h->fresh;
    h->fresh = view;
    pthread_mutex_unlock(&h->mutex);
    sq_history_close(older);
}

static void work_long(struct sq_historian *h, sq_status (*work)(struct sq_history *, struct sq_error *))
{
    struct sq_error err = {0};
    pthread_mutex_lock(&h->mutex);
    h->in_long_work = 1;
    pthread_cond_signal(&h->kept);
    pthread_mutex_unlock(&h->mutex);
    if (keeps(h, work(h->history, &err), &err))
        hand_over(h);
    pthread_mutex_lock(&h->mutex);
    h->in_long_work = 0;
    pthread_mutex_unlock(&h->mutex);
}

/* 1: there is more at once. */
static int follow(struct sq_historian *h)
{
    struct sq_error err = {0};
    uint64_t left = 0;
    if (h->failed || !keeps(h, sq_history_take(h->history, STEP_ENTRIES, &left, &err), &err))
        return 0;
    if (sq_history_due(h->history))
        work_long(h, sq_history_finish);
    return left != 0;
}

static int tail_is_cheap(const struct sq_historian *h)
{
    return sq_history_tail_rows(h->history) <= TAIL_CHEAP_ROWS;
}

/*
 * A short tail is sorted for every question that finds it grown, a long one now and then: under load an answer is complete up to an entry some
 * seconds back, which it names, instead of keeping its asker waiting.
 */
static void catch_up(struct sq_historian *h)
{
    struct sq_error err = {0};
    uint64_t left = 1;
    for (unsigned n = 0; !h->failed && left != 0 && n < CATCH_UP_ENTRIES && tail_is_cheap(h); n += STEP_ENTRIES)
        (void)keeps(h, sq_history_take(h->history, STEP_ENTRIES, &left, &err), &err);
    uint64_t now = now_ms();
    if (tail_is_cheap(h)) {
        if (keeps(h, sq_history_settle(h->history, &err), &err))
            hand_over(h);
    } else if (h->settled_at_ms == 0 || now - h->settled_at_ms >= SETTLE_EVERY_MS) {
        work_long(h, sq_history_settle);
    } else {
        return;
    }
    h->settled_at_ms = now;
}

static void *keep(void *arg)
{
    struct sq_historian *h = arg;
    sq_background();
    pthread_mutex_lock(&h->mutex);
    while (!h->stop) {
        uint64_t wanted = h->wanted;
        int asked = h->caught_up != wanted, more = 0;
        pthread_mutex_unlock(&h->mutex);
        if (asked)
            catch_up(h);
        else
            more = follow(h);
        pthread_mutex_lock(&h->mutex);
        h->caught_up = wanted;
        pthread_cond_signal(&h->kept);
        if (asked || more || h->stop || h->wanted != wanted)
            continue;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)IDLE_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&h->asked, &h->mutex, &until);
    }
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

/* ---- answering ---- */

/* The newest view that is to be had without waiting long; the first is waited for. */
static sq_status take_view(struct sq_historian *h, struct sq_error *err)
{
    struct sq_history *fresh;
    sq_status st = SQ_OK;
    pthread_mutex_lock(&h->mutex);
    uint64_t wanted = ++h->wanted;
    pthread_cond_signal(&h->asked);
    while (!h->stop && h->caught_up < wanted && !(h->in_long_work && h->view != NULL))
        pthread_cond_wait(&h->kept, &h->mutex);
    fresh = h->fresh;
    h->fresh = NULL;
    pthread_mutex_unlock(&h->mutex);
    if (fresh == NULL)
        return h->view != NULL ? SQ_OK : sq_fail(err, SQ_R_BUSY, "the history is not there yet");
    st = h->query == NULL ? sq_query_new(fresh, h->ledger, &h->query, err) : sq_query_refresh(h->query, fresh, err);
    sq_history_close(h->view);
    h->view = fresh;
    return st;
}

static void answer(struct sq_historian *h, const struct sq_historian_question *q, struct sq_historian_answer *a)
{
    struct sq_ask ask;
    struct sq_error err = {0};
    json_t *json = NULL;
    *a = (struct sq_historian_answer){.route = q->route, .nonce = q->nonce};
    memcpy(a->to, q->from, sizeof a->to);
    sq_ask_init(&ask);
    sq_status st = sq_ask_parse(&ask, q->text, &err);
    if (st == SQ_OK)
        st = sq_ask_narrow(&ask, q->from, h->node, &err);
    if (st == SQ_OK)
        st = take_view(h, &err);
    if (st == SQ_OK)
        st = sq_ask_answer(h->query, h->view, h->ledger, &ask, &json, &err);
    if (st == SQ_OK) {
        a->json = json_dumps(json, JSON_COMPACT);
        a->status = a->json == NULL ? SQ_R_BUSY : SQ_OK;
    } else if (st == SQ_E_USAGE || st >= 100) {
        a->status = st == SQ_E_USAGE ? SQ_R_UNKNOWN_QUERY : st;
        snprintf(a->detail, sizeof a->detail, "%.199s", err.text);
    } else { /* our own trouble: a person must look */
        sq_log(SQ_LOG_ERROR, "history", "status=%s reason=\"%s\"", sq_status_name(st), err.text);
        a->status = SQ_R_BUSY;
    }
    json_decref(json);
    if (a->json != NULL && strlen(a->json) > SQ_MESSAGE_SIZE_MAX - 4096) {
        free(a->json);
        a->json = NULL;
        a->status = SQ_R_ANSWER_SIZE;
    }
}

static void *answer_all(void *arg)
{
    struct sq_historian *h = arg;
    pthread_mutex_lock(&h->mutex);
    while (!h->stop) {
        if (h->question_count == 0 || h->answer_count == QUEUE) {
            pthread_cond_wait(&h->kept, &h->mutex);
            continue;
        }
        struct sq_historian_question q = h->questions[0];
        struct sq_historian_answer a;
        memmove(h->questions, h->questions + 1, --h->question_count * sizeof q);
        pthread_mutex_unlock(&h->mutex);
        answer(h, &q, &a);
        pthread_mutex_lock(&h->mutex);
        h->answers[h->answer_count++] = a; /* only this thread adds: there is still room */
        if (h->hub != NULL)
            sq_hub_wake(h->hub);
    }
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

/* ---- from the front ---- */

sq_status sq_historian_start(const char *ledger_path, const struct sq_ledger *ledger, const char *node,
                             struct sq_hub *hub, struct sq_historian **out, struct sq_error *err)
{
    struct sq_historian *h = calloc(1, sizeof *h);
    int writes = 0;
    if (h == NULL)
        return sq_fail(err, SQ_E_NOMEM, "history");
    h->ledger = ledger;
    h->hub = hub;
    snprintf(h->node, sizeof h->node, "%s", node);
    sq_status st = sq_history_open(ledger_path, ledger, 0, &h->history, err);
    if (st == SQ_OK)
        st = sq_history_write(h->history, &writes, err);
    if (st == SQ_OK && !writes)
        sq_log(SQ_LOG_WARNING, "history", "reason=\"another process keeps the runs; this one keeps them in memory\"");
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->asked, NULL);
    pthread_cond_init(&h->kept, NULL);
    h->keeper_runs = st == SQ_OK && pthread_create(&h->keeper, NULL, keep, h) == 0;
    h->answerer_runs = h->keeper_runs && pthread_create(&h->answerer, NULL, answer_all, h) == 0;
    if (st == SQ_OK && !h->answerer_runs)
        st = sq_fail(err, SQ_E_NOMEM, "history threads");
    if (st == SQ_OK)
        *out = h;
    else
        sq_historian_stop(h);
    return st;
}

void sq_historian_stop(struct sq_historian *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->mutex);
    h->stop = 1;
    pthread_cond_signal(&h->asked);
    pthread_cond_signal(&h->kept);
    pthread_mutex_unlock(&h->mutex);
    if (h->keeper_runs)
        pthread_join(h->keeper, NULL);
    if (h->answerer_runs)
        pthread_join(h->answerer, NULL);
    for (unsigned i = 0; i < h->answer_count; i++)
        free(h->answers[i].json);
    sq_query_free(h->query);
    sq_history_close(h->view);
    sq_history_close(h->fresh);
    sq_history_close(h->history);
    pthread_cond_destroy(&h->asked);
    pthread_cond_destroy(&h->kept);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

unsigned sq_historian_ask(struct sq_historian *h, const struct sq_historian_question *q)
{
    pthread_mutex_lock(&h->mutex);
    unsigned refused = h->question_count == QUEUE ? SQ_R_BUSY : SQ_OK;
    if (refused == SQ_OK) {
        h->questions[h->question_count++] = *q;
        pthread_cond_signal(&h->kept);
    }
    pthread_mutex_unlock(&h->mutex);
    return refused;
}

int sq_historian_take(struct sq_historian *h, struct sq_historian_answer *out)
{
    pthread_mutex_lock(&h->mutex);
    int there = h->answer_count != 0;
    if (there) {
        *out = h->answers[0];
        memmove(h->answers, h->answers + 1, --h->answer_count * sizeof *out);
        pthread_cond_signal(&h->kept);
    }
    pthread_mutex_unlock(&h->mutex);
    return there;
}
