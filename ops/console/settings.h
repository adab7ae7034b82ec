/*
 * The console's configuration: one YAML file, every error with file, line and reason.
 *
 *     node: "310000"
 *     directory: /etc/sanquan/directory.yaml
 *     ledger: /var/lib/sanquan/310000          # opened read-only
 *     bind: "0.0.0.0:8443"
 *     certificate: /etc/sanquan/console.crt    # PEM; without one only loopback addresses are served, in the clear
 *     certificate_key: /etc/sanquan/console.key
 *     tokens: /etc/sanquan/tokens.yaml
 *     pages: /usr/local/share/sanquan/console
 *     chart_library: /usr/share/javascript/chart.js/chart.min.js
 *     signature_library: /usr/share/nodejs/tweetnacl/nacl-fast.min.js  # for browsers without Ed25519; may be left out
 *     access_log: /var/log/sanquan/console.log
 *     connect: "tcp://127.0.0.1:7310"          # the node, for what is not in the ledger: windows, budgets, peers
 *     key: /etc/sanquan/console-regulator.key  # of a regulator or an operator of the node
 *     requests_a_minute: 600                   # of one token or address
 */
#ifndef SQ_CONSOLE_SETTINGS_H
#define SQ_CONSOLE_SETTINGS_H

#include "proto/status.h"

struct sq_console_settings {
    char *node, *directory, *ledger, *bind, *certificate, *certificate_key, *tokens, *pages, *chart_library,
        *signature_library, *access_log, *connect, *key;
    unsigned requests_a_minute;
};

/* Free with sq_console_settings_free. Errors: SQ_E_IO, SQ_E_CONFIG. */
SQ_MUST_CHECK sq_status sq_console_settings_read(const char *path, struct sq_console_settings **out,
                                                 struct sq_error *err);
void sq_console_settings_free(struct sq_console_settings *s);

#endif
