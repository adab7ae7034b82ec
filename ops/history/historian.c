#include "ops/history/historian.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/common/log.h"
#include "ops/history/ask.h"

#define QUEUE           64u
#define STEP_ENTRIES    8u /* between two looks at the queue: some milliseconds when all are full batches */
#define FOLLOW_MS       5u
#define IDLE_MS         200u
#define SETTLE_EVERY_MS 5000u /* a long tail is sorted again no more often than this */
#define TAIL_CHEAP_ROWS 20000u

struct sq_historian {
    const struct sq_ledger *ledger;
    struct sq_hub *hub;
    char node[7]; /* whose ledger it is */
    struct sq_history *history;
    struct sq_query *query;
    uint64_t settled_at_ms, query_seq; /* the query is of the history at this point */
    unsigned query_runs;
    int failed; /* it stays behind: said once */

    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work;
    int stop;
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

static void give_up(struct sq_historian *h, const struct sq_error *err)
{
    if (!h->failed)
        sq_log(SQ_LOG_WARNING, "history", "reason=\"%s\" next=\"sanquan index --rebuild\"", err->text);
    h->failed = 1;
}

/* ---- following ---- */

/* 1: there is more at once. */
static int follow(struct sq_historian *h)
{
    struct sq_error err = {0};
    uint64_t left = 0;
    if (h->failed)
        return 0;
    if (sq_history_follow(h->history, STEP_ENTRIES, &left, &err) != SQ_OK)
        give_up(h, &err);
    return !h->failed && left != 0;
}

/* What is there is taken in for a few milliseconds at most. */
static sq_status follow_briefly(struct sq_historian *h, struct sq_error *err)
{
    uint64_t end = now_ms() + FOLLOW_MS, left = 1;
    sq_status st = SQ_OK;
    while (st == SQ_OK && left != 0 && !h->failed && now_ms() < end)
        st = sq_history_follow(h->history, STEP_ENTRIES, &left, err);
    return st;
}

/*
 * A short tail is sorted for every question that finds it grown, a long one now and then: under load an answer is complete up to an entry some
 * seconds back, which it names, instead of keeping its asker waiting.
 */
static sq_status catch_up(struct sq_historian *h, struct sq_error *err)
{
    sq_status st = follow_briefly(h, err);
    uint64_t now = now_ms();
    if (st == SQ_OK && (h->query == NULL || sq_history_tail_rows(h->history) <= TAIL_CHEAP_ROWS ||
                        now - h->settled_at_ms >= SETTLE_EVERY_MS)) {
        st = sq_history_settle(h->history, err);
        h->settled_at_ms = now;
    }
    if (st != SQ_OK)
        return st;
    if (h->query == NULL)
        st = sq_query_new(h->history, h->ledger, &h->query, err);
    else if (h->query_seq != sq_history_seq(h->history) || h->query_runs != sq_history_run_count(h->history))
        st = sq_query_refresh(h->query, err);
    h->query_seq = sq_history_seq(h->history);
    h->query_runs = sq_history_run_count(h->history);
    return st;
}

/* ---- answering ---- */

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
        st = catch_up(h, &err);
    if (st == SQ_OK)
        st = sq_ask_answer(h->query, h->history, h->ledger, &ask, &json, &err);
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

static void *run(void *arg)
{
    struct sq_historian *h = arg;
    pthread_mutex_lock(&h->mutex);
    while (!h->stop) {
        if (h->question_count != 0 && h->answer_count < QUEUE) {
            struct sq_historian_question q = h->questions[0];
            struct sq_historian_answer a;
            memmove(h->questions, h->questions + 1, --h->question_count * sizeof q);
            pthread_mutex_unlock(&h->mutex);
            answer(h, &q, &a);
            pthread_mutex_lock(&h->mutex);
            h->answers[h->answer_count++] = a; /* only this thread adds: there is still room */
            if (h->hub != NULL)
                sq_hub_wake(h->hub);
            continue;
        }
        pthread_mutex_unlock(&h->mutex);
        int more = follow(h);
        pthread_mutex_lock(&h->mutex);
        if (more || h->stop || (h->question_count != 0 && h->answer_count < QUEUE))
            continue;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)IDLE_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&h->work, &h->mutex, &until);
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
    pthread_cond_init(&h->work, NULL);
    if (st == SQ_OK && pthread_create(&h->thread, NULL, run, h) != 0)
        st = sq_fail(err, SQ_E_NOMEM, "history thread");
    if (st != SQ_OK) {
        sq_history_close(h->history);
        free(h);
        return st;
    }
    *out = h;
    return SQ_OK;
}

void sq_historian_stop(struct sq_historian *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->mutex);
    h->stop = 1;
    pthread_cond_signal(&h->work);
    pthread_mutex_unlock(&h->mutex);
    pthread_join(h->thread, NULL);
    for (unsigned i = 0; i < h->answer_count; i++)
        free(h->answers[i].json);
    sq_query_free(h->query);
    sq_history_close(h->history);
    pthread_cond_destroy(&h->work);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

unsigned sq_historian_ask(struct sq_historian *h, const struct sq_historian_question *q)
{
    pthread_mutex_lock(&h->mutex);
    unsigned refused = h->question_count == QUEUE ? SQ_R_BUSY : SQ_OK;
    if (refused == SQ_OK) {
        h->questions[h->question_count++] = *q;
        pthread_cond_signal(&h->work);
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
    }
    pthread_mutex_unlock(&h->mutex);
    return there;
}
