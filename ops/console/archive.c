/*
 * The ledger read-only, and its history as far as the node keeps it in files; what came since is followed here, in memory.
 */
#include <string.h>
#include <time.h>

#include "ops/console/console.h"

#define FOLLOW_EVERY_MS 500u
#define FOLLOW_ENTRIES  20000u /* at one request at most: the rest is taken in by the next */

uint64_t sq_console_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

sq_status sq_archive_open(struct sq_archive *a, const char *ledger_path, const char *origin, const uint8_t *network_id,
                          struct sq_error *err)
{
    struct sq_ledger_options o = {.path = ledger_path, .origin = origin, .network_id = network_id, .read_only = 1};
    pthread_mutex_init(&a->mutex, NULL);
    sq_status st = sq_ledger_open(&o, &a->ledger, err);
    if (st == SQ_OK)
        st = sq_history_open(ledger_path, a->ledger, 0, &a->history, err);
    return st;
}

void sq_archive_close(struct sq_archive *a)
{
    sq_query_free(a->query);
    sq_history_close(a->history);
    sq_ledger_close(a->ledger);
}

static sq_status follow(struct sq_archive *a, struct sq_error *err)
{
    uint64_t now = sq_console_now_ms(), left;
    if (a->query != NULL && now - a->followed_at_ms < FOLLOW_EVERY_MS)
        return SQ_OK;
    uint64_t before = sq_history_seq(a->history);
    sq_status st = sq_history_follow(a->history, FOLLOW_ENTRIES, &left, err);
    if (st == SQ_OK)
        st = sq_history_settle(a->history, err);
    if (st == SQ_OK && a->query == NULL)
        st = sq_query_new(a->history, a->ledger, &a->query, err);
    else if (st == SQ_OK && sq_history_seq(a->history) != before)
        st = sq_query_refresh(a->query, a->history, err);
    a->followed_at_ms = now;
    return st;
}

sq_status sq_archive_ask(struct sq_archive *a, const struct sq_ask *ask, json_t **out, struct sq_error *err)
{
    pthread_mutex_lock(&a->mutex);
    sq_status st = follow(a, err);
    if (st == SQ_OK)
        st = sq_ask_answer(a->query, a->history, a->ledger, ask, out, err);
    pthread_mutex_unlock(&a->mutex);
    return st;
}
