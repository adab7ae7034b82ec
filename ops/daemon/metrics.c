/* Metrics: counted where things happen, written as text by the front, served by a thread that touches nothing but that text. */
#include "ops/daemon/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/common/exposition.h"

#define WRITE_EVERY_MS 1000u
#define BUCKETS        SQ_TIMING_BUCKETS

static const uint64_t upper_us[BUCKETS] = {100, 500, 1000, 2500, 5000, 10000, 50000, 100000, 500000, 1000000, 5000000};
static const struct {
    const char *name, *help;
} families[SQ_TIMINGS] = {
    {"sanquan_decision_seconds", "Time of deciding one message or timer."},
    {"sanquan_commit_seconds", "Time of making a group of entries durable, signatures of its answers included."},
    {"sanquan_answer_seconds", "From a decision to its answer's leaving the node, its commit included."},
};

/* ---- counting ---- */

uint64_t sq_metrics_us(const struct sq_daemon *d)
{
    struct timespec t;
    if (d->metrics == NULL)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void sq_metrics_took(struct sq_daemon *d, enum sq_timing what, uint64_t since_us)
{
    if (d->metrics == NULL || since_us == 0)
        return;
    struct sq_histogram *h = &d->metrics->timing[what];
    uint64_t us = sq_metrics_us(d) - since_us;
    size_t i = 0;
    while (i < BUCKETS && us > upper_us[i])
        i++;
    atomic_fetch_add_explicit(&h->count[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

/* ---- writing ---- */

static void put_histogram(FILE *f, const char *name, const char *help, struct sq_histogram *h)
{
    uint64_t below = 0;
    sq_exposition_family(f, name, "histogram", help);
    for (size_t i = 0; i <= BUCKETS; i++) {
        below += atomic_load_explicit(&h->count[i], memory_order_relaxed);
        if (i < BUCKETS)
            fprintf(f, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)upper_us[i] / 1e6, below);
        else
            fprintf(f, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, below);
    }
    fprintf(f, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name,
            (double)atomic_load_explicit(&h->sum_us, memory_order_relaxed) / 1e6, name, below);
}

static void put_ledger(FILE *f, const struct sq_daemon *d)
{
    uint8_t leaf[SQ_LEAF_SIZE];
    uint64_t seq = sq_ledger_seq(d->ledger);
    sq_exposition_one(f, "sanquan_ledger_entries", "counter", "Entries of the journal.", (double)seq);
    if (seq != 0 && sq_ledger_leaf(d->ledger, seq, leaf, NULL) == SQ_OK)
        sq_exposition_one(f, "sanquan_checkpoint_age_seconds", "gauge",
                          "Since the newest entry, whose checkpoint is the newest.",
                          ((double)d->now_ms - (double)sq_get_be64(leaf + 16)) / 1000);
    sq_exposition_one(f, "sanquan_group_entries", "gauge", "Decided entries that wait for the commit before theirs.",
                      (double)d->filling->entry_count);
    sq_exposition_one(f, "sanquan_group_bytes", "gauge", "Memory of the group that they are in.",
                      (double)d->filling->arena.used);
    sq_exposition_one(f, "sanquan_commits_total", "counter", "Groups that were committed since the start.",
                      (double)atomic_load(&d->commits));
}

static void put_connections(FILE *f, const struct sq_daemon *d)
{
    struct sq_hub_counters c;
    sq_hub_counters(d->hub, &c);
    sq_exposition_one(f, "sanquan_messages_received_total", "counter", "Messages received.", (double)c.received);
    sq_exposition_one(f, "sanquan_messages_sent_total", "counter", "Messages sent.", (double)c.sent);
    sq_exposition_one(f, "sanquan_handshakes_denied_total", "counter", "Connections under a key that nobody has.",
                      (double)c.denied_handshakes);
    sq_exposition_one(f, "sanquan_answers_unsent_total", "counter", "Answers whose connection was gone or full.",
                      (double)c.reply_failed);
}

static void write_text(struct sq_daemon *d)
{
    struct sq_metrics *m = d->metrics;
    char *text = NULL, *json = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (f == NULL)
        return;
    sq_exposition_one(f, "sanquan_up", "gauge", "1 when the node answers.", 1);
    put_ledger(f, d);
    for (size_t i = 0; i < SQ_TIMINGS; i++)
        put_histogram(f, families[i].name, families[i].help, &m->timing[i]);
    put_connections(f, d);
    uint32_t self = sq_core_node(d->core, sq_core_self(d->core))->party;
    json_t *status = sq_query_answer(d, self, "status", &json) == SQ_OK ? json_loads(json, 0, NULL) : NULL;
    if (status != NULL)
        sq_exposition_status(f, status, d->now_ms);
    json_decref(status);
    free(json);
    if (fclose(f) != 0) {
        free(text);
        return;
    }
    pthread_mutex_lock(&m->mutex);
    char *before = m->text;
    m->text = text;
    m->size = size;
    pthread_mutex_unlock(&m->mutex);
    free(before);
}

void sq_metrics_turn(struct sq_daemon *d)
{
    if (d->metrics == NULL || d->now_ms < d->metrics->write_ms)
        return;
    d->metrics->write_ms = d->now_ms + WRITE_EVERY_MS;
    write_text(d);
}
