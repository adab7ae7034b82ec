/*
 * The daemon's configuration: one YAML file, every error with file, line and reason.
 *
 *     node: "310000"
 *     directory: /etc/sanquan/directory.yaml
 *     keys: /etc/sanquan/310000.key
 *     passphrase_file: /run/credentials/sanquand/passphrase     # when the key file has one
 *     ledger: /var/lib/sanquan/310000
 *     bind: tcp://0.0.0.0:7310
 *     peers:
 *       - {code: "370000", endpoint: "tcp://10.0.0.2:7310"}
 *     cutoffs:                       # UTC+8, any number (ops/common/schedule.h); left out: only by hand
 *       - "17:00"
 *       - "30 11 * * 1-5 compute"    # Mondays to Fridays 11:30, compute only
 *     map_size_gib: 1024             # largest size of the ledger
 *     start_alone: false             # true: a copy of a ledger serves though its witnesses have not been heard
 *     disk_low_permille: 50          # refuse new work when less of the disk (or map) is free
 *     snapshot_every_items: 12000000
 *     access_log: /var/lib/sanquan/access.log   # who asked the node what; left out: not kept
 *     anchored_logs: ["/var/log/sanquan/console.log"]    # other logs whose hashes go into the journal too
 *     anchor_seconds: 600            # how often; 1 to 86400
 *     metrics: "127.0.0.1:9310"      # where Prometheus may ask for /metrics, on loopback; left out: nowhere
 *     log: info                      # or debug
 */
#ifndef SQ_CONFIG_H
#define SQ_CONFIG_H

#include <stdbool.h>

#include "proto/status.h"

struct sq_config_peer {
    char *code, *endpoint;
};

struct sq_config {
    char *node, *directory, *keys, *passphrase_file, *ledger, *bind, *log, *access_log, *metrics;
    struct sq_config_peer *peers;
    char **cutoffs, **anchored_logs;
    unsigned peers_count, cutoffs_count, anchored_logs_count, anchor_seconds;
    bool start_alone;
    unsigned map_size_gib; /* 0: as ledger.h has it */
    unsigned disk_low_permille, snapshot_every_items;
};

/* Free with sq_config_free. Errors: SQ_E_IO, SQ_E_CONFIG. */
SQ_MUST_CHECK sq_status sq_config_read(const char *path, struct sq_config **out, struct sq_error *err);
void sq_config_free(struct sq_config *c);

/* The first cut-off after now_ms, Unix ms, for the kinds of all that are due then; UINT64_MAX when there is none. */
struct sq_cutoff {
    uint64_t at_ms;
    uint32_t kinds; /* a bit 1 << kind each; 0: all */
};
struct sq_cutoff sq_config_next_cutoff(const struct sq_config *c, uint64_t now_ms);

#endif
