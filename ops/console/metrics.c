/*
 * Prometheus text format: what the node says of itself, and what the console counts. For loopback, and for tokens.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/console/console.h"

static void family(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(FILE *f, const char *name, const char *type, const char *help, double value)
{
    family(f, name, type, help);
    fprintf(f, "%s %.17g\n", name, value);
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void put_totals(FILE *f, const json_t *status)
{
    const json_t *totals = json_object_get(status, "totals"), *refused = json_object_get(totals, "refused"), *count;
    const char *name;
    union {
        const json_t *in;
        json_t *out;
    } same = {refused}; /* the loop only reads */
    family(f, "sanquan_items_total", "counter", "Items of this node's providers, by result.");
    fprintf(f, "sanquan_items_total{result=\"accepted\"} %.17g\n", number(totals, "items_accepted"));
    fprintf(f, "sanquan_items_total{result=\"refused\"} %.17g\n", number(totals, "items_refused"));
    one(f, "sanquan_items_received_total", "counter", "Items received from this node's providers.",
        number(totals, "items_received"));
    one(f, "sanquan_items_decided_total", "counter", "Items decided here as issuer.", number(totals, "items_decided"));
    one(f, "sanquan_batches_waiting", "gauge", "Batches that wait for other nodes.", number(totals, "batches_waiting"));
    one(f, "sanquan_rejected_total", "counter", "Messages refused before they could be decided.",
        number(totals, "rejected"));
    family(f, "sanquan_refusals_total", "counter", "Items refused, by reason.");
    json_object_foreach(same.out, name, count)
        fprintf(f, "sanquan_refusals_total{reason=\"%s\"} %.17g\n", name, json_number_value(count));
}

static void put_peers(FILE *f, const json_t *status, double now_ms)
{
    const json_t *peers = json_object_get(status, "peers");
    family(f, "sanquan_outbox_unacknowledged", "gauge", "Messages that a peer has not acknowledged.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        fprintf(f, "sanquan_outbox_unacknowledged{peer=\"%s\"} %.17g\n", json_string_value(json_object_get(p, "node")),
                number(p, "unacknowledged"));
    }
    family(f, "sanquan_false_claims_total", "counter", "Messages of this node that a peer claimed and did not show.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        fprintf(f, "sanquan_false_claims_total{peer=\"%s\"} %.17g\n", json_string_value(json_object_get(p, "node")),
                number(p, "false_claims"));
    }
    family(f, "sanquan_overdue_parts", "gauge", "Parts of bundles held for a peer past their time.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        fprintf(f, "sanquan_overdue_parts{peer=\"%s\"} %.17g\n", json_string_value(json_object_get(p, "node")),
                number(p, "overdue_parts"));
    }
    family(f, "sanquan_peer_silence_seconds", "gauge", "Since a peer was last heard.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        double heard = number(p, "heard_ms");
        if (heard > 0)
            fprintf(f, "sanquan_peer_silence_seconds{peer=\"%s\"} %.3f\n",
                    json_string_value(json_object_get(p, "node")), (now_ms - heard) / 1000);
    }
}

static void put_node(FILE *f, struct sq_console *c)
{
    struct sq_error err = {0};
    json_t *status = NULL;
    int up = sq_live_ask(c, "status", &status, &err) == SQ_OK;
    one(f, "sanquan_up", "gauge", "1 when the node answers.", up);
    if (!up)
        return;
    one(f, "sanquan_open_window", "gauge", "Number of the open settlement window.", number(status, "open_window"));
    one(f, "sanquan_free_ratio", "gauge", "Share of the disk, or of the ledger's largest size, that is free.",
        number(status, "free_permille") / 1000);
    one(f, "sanquan_takes_new_work", "gauge", "0 when the node refuses new work for want of disk.",
        json_is_true(json_object_get(status, "takes_new_work")));
    one(f, "sanquan_parties", "gauge", "Participants known to the node.", number(status, "parties"));
    put_totals(f, status);
    put_peers(f, status, (double)sq_console_now_ms());
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
    one(f, "sanquan_ledger_entries", "counter", "Entries of the journal.", (double)seq);
    if (seq != 0 && sq_ledger_leaf(c->archive.ledger, seq, leaf, NULL) == SQ_OK)
        one(f, "sanquan_checkpoint_age_seconds", "gauge", "Since the newest entry, whose checkpoint is the newest.",
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
    family(f, "sanquan_console_requests_total", "counter",
           "HTTP requests of the console, all and those that went wrong.");
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        fprintf(f, "sanquan_console_requests_total{result=\"%s\"} %" PRIu64 "\n", counted[i].result, counted[i].count);
    if (fclose(f) != 0 || text == NULL)
        sq_reply_error(out, 500, "NO_MEMORY", "metrics");
    else
        sq_reply_text(out, "text/plain; version=0.0.4; charset=utf-8", text, size);
}
