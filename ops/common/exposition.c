#include "ops/common/exposition.h"

#include <string.h>

void sq_exposition_family(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void sq_exposition_one(FILE *f, const char *name, const char *type, const char *help, double value)
{
    sq_exposition_family(f, name, type, help);
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
    sq_exposition_family(f, "sanquan_items_total", "counter", "Items of this node's providers, by result.");
    fprintf(f, "sanquan_items_total{result=\"accepted\"} %.17g\n", number(totals, "items_accepted"));
    fprintf(f, "sanquan_items_total{result=\"refused\"} %.17g\n", number(totals, "items_refused"));
    sq_exposition_one(f, "sanquan_items_received_total", "counter", "Items received from this node's providers.",
                      number(totals, "items_received"));
    sq_exposition_one(f, "sanquan_items_decided_total", "counter", "Items decided here as issuer.",
                      number(totals, "items_decided"));
    sq_exposition_one(f, "sanquan_batches_waiting", "gauge", "Batches that wait for other nodes.",
                      number(totals, "batches_waiting"));
    sq_exposition_one(f, "sanquan_rejected_total", "counter", "Messages refused before they could be decided.",
                      number(totals, "rejected"));
    sq_exposition_family(f, "sanquan_refusals_total", "counter", "Items refused, by reason.");
    json_object_foreach(same.out, name, count)
        fprintf(f, "sanquan_refusals_total{reason=\"%s\"} %.17g\n", name, json_number_value(count));
}

static void put_peers(FILE *f, const json_t *status, double now_ms)
{
    const json_t *peers = json_object_get(status, "peers");
    sq_exposition_family(f, "sanquan_outbox_unacknowledged", "gauge", "Messages that a peer has not acknowledged.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        fprintf(f, "sanquan_outbox_unacknowledged{peer=\"%s\"} %.17g\n", json_string_value(json_object_get(p, "node")),
                number(p, "unacknowledged"));
    }
    sq_exposition_family(f, "sanquan_false_claims_total", "counter",
                         "Messages of this node that a peer claimed and did not show.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        fprintf(f, "sanquan_false_claims_total{peer=\"%s\"} %.17g\n", json_string_value(json_object_get(p, "node")),
                number(p, "false_claims"));
    }
    sq_exposition_family(f, "sanquan_overdue_parts", "gauge", "Parts of bundles held for a peer past their time.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        fprintf(f, "sanquan_overdue_parts{peer=\"%s\"} %.17g\n", json_string_value(json_object_get(p, "node")),
                number(p, "overdue_parts"));
    }
    sq_exposition_family(f, "sanquan_outbox_age_seconds", "gauge",
                         "Since a peer has last acknowledged something, while messages wait for it; 0: none does.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        double since = number(p, "waiting_since_ms");
        fprintf(f, "sanquan_outbox_age_seconds{peer=\"%s\"} %.3f\n", json_string_value(json_object_get(p, "node")),
                since > 0 ? (now_ms - since) / 1000 : 0.0);
    }
    sq_exposition_family(f, "sanquan_peer_silence_seconds", "gauge", "Since a peer was last heard.");
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *p = json_array_get(peers, i);
        double heard = number(p, "heard_ms");
        if (heard > 0)
            fprintf(f, "sanquan_peer_silence_seconds{peer=\"%s\"} %.3f\n",
                    json_string_value(json_object_get(p, "node")), (now_ms - heard) / 1000);
    }
}

/* The window before the open one: what has become of it. */
static void put_window(FILE *f, const json_t *status)
{
    static const char *const states[] = {"cut",   "stated",     "proposed", "final",
                                         "break", "instructed", "settled",  "defaulted"};
    const char *state = json_string_value(json_object_get(status, "last_window_state"));
    if (state == NULL)
        return;
    sq_exposition_family(f, "sanquan_last_window_state", "gauge",
                         "1 for the state of the newest window that was cut, 0 for the others.");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        fprintf(f, "sanquan_last_window_state{state=\"%s\"} %d\n", states[i], strcmp(states[i], state) == 0);
}

static void put_witness(FILE *f, const json_t *status, uint64_t now_ms)
{
    const json_t *w = json_object_get(status, "witness");
    if (w == NULL)
        return;
    sq_exposition_one(f, "sanquan_witnessed_entries", "gauge",
                      "Entries under the newest checkpoint that more than half of the other nodes have cosigned.",
                      number(w, "witnessed_size"));
    sq_exposition_one(f, "sanquan_cosigned_by", "gauge", "Nodes that have cosigned it.", number(w, "cosigned_by"));
    sq_exposition_one(f, "sanquan_witness_quorum", "gauge", "Nodes that are needed.", number(w, "quorum"));
    sq_exposition_one(f, "sanquan_shown_age_seconds", "gauge",
                      "Since this node's checkpoint was last shown to witnesses.",
                      ((double)now_ms - number(w, "shown_ms")) / 1000);
    sq_exposition_one(f, "sanquan_forks", "gauge", "Nodes that are known to have signed two histories.",
                      number(w, "forks"));
    sq_exposition_one(f, "sanquan_unproven_logs", "gauge",
                      "Nodes whose newest checkpoint was not shown to continue what is known.", number(w, "unproven"));
}

void sq_exposition_status(FILE *f, const json_t *status, uint64_t now_ms)
{
    sq_exposition_one(f, "sanquan_open_window", "gauge", "Number of the open settlement window.",
                      number(status, "open_window"));
    sq_exposition_one(f, "sanquan_free_ratio", "gauge",
                      "Share of the disk, or of the ledger's largest size, that is free.",
                      number(status, "free_permille") / 1000);
    sq_exposition_one(f, "sanquan_takes_new_work", "gauge", "0 when the node refuses new work for want of disk.",
                      json_is_true(json_object_get(status, "takes_new_work")));
    sq_exposition_one(f, "sanquan_parties", "gauge", "Participants known to the node.", number(status, "parties"));
    put_totals(f, status);
    put_peers(f, status, (double)now_ms);
    put_window(f, status);
    put_witness(f, status, now_ms);
}
