/*
 * Prometheus text format: what the node says of itself, and what the console counts. For loopback, and for tokens.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ops/common/exposition.h"
#include "ops/console/console.h"

static void put_node(FILE *f, struct sq_console *c)
{
    struct sq_error err = {0};
    json_t *status = NULL;
    int up = sq_live_ask(c, "status", &status, &err) == SQ_OK;
    sq_exposition_one(f, "sanquan_up", "gauge", "1 when the node answers.", up);
    if (up)
        sq_exposition_status(f, status, sq_console_now_ms());
    json_decref(status);
}

void sq_metrics_answer(struct sq_console *c, struct sq_reply *out)
{
    char *text = NULL;
    size_t size = 0;
    uint8_t leaf[SQ_LEAF_SIZE];
    FILE *f = open_memstream(&text, &size);
    if (f == NULL) {
        sq_reply_error(out, 500, "NO_MEMORY", "metrics");
        return;
    }
    uint64_t seq = sq_ledger_seq(c->archive.ledger);
    sq_exposition_one(f, "sanquan_ledger_entries", "counter", "Entries of the journal.", (double)seq);
    if (seq != 0 && sq_ledger_leaf(c->archive.ledger, seq, leaf, NULL) == SQ_OK)
        sq_exposition_one(f, "sanquan_checkpoint_age_seconds", "gauge",
                          "Since the newest entry, whose checkpoint is the newest.",
                          ((double)sq_console_now_ms() - (double)sq_get_be64(leaf + 16)) / 1000);
    if (c->live.client != NULL)
        put_node(f, c);
    const struct {
        const char *result;
        uint64_t count;
    } counted[] = {{"all", atomic_load(&c->counters.requests)},
                   {"token_refused", atomic_load(&c->counters.refused_token)},
                   {"rate_refused", atomic_load(&c->counters.refused_rate)},
                   {"scope_refused", atomic_load(&c->counters.refused_scope)},
                   {"not_found", atomic_load(&c->counters.not_found)},
                   {"failed", atomic_load(&c->counters.failed)}};
    sq_exposition_family(f, "sanquan_console_requests_total", "counter",
                         "HTTP requests of the console, all and those that went wrong.");
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        fprintf(f, "sanquan_console_requests_total{result=\"%s\"} %" PRIu64 "\n", counted[i].result, counted[i].count);
    if (fclose(f) != 0 || text == NULL)
        sq_reply_error(out, 500, "NO_MEMORY", "metrics");
    else
        sq_reply_text(out, "text/plain; version=0.0.4; charset=utf-8", text, size);
}
