/*
 * The directory: who is in the network, with which keys. A YAML file that all nodes share byte for byte;
 * SHA-256 of its bytes is the network id.
 *
 *     network: sanquan-demo
 *     netting: hub                  # or bilateral, cycles, funds, gross
 *     round_timeout_ms: 1000
 *     review_ms: 0                  # may be left out: how long a window waits between statements and agreement
 *     witness_ms: 60000             # may be left out: how often nodes show each other their checkpoints; 0 never
 *     prefunded: false              # may be left out; true: a region owes net at most what its settlement account holds
 *     losses: survivors             # may be left out; or fund: a region's guarantee first
 *     nodes:
 *       - code: "310000"
 *         node_key: hex
 *         log_key: hex
 *         transport_key: hex
 *         issuers:   [ {code: "310000", key: hex, transport_key: hex} ]
 *         enrolled: true            # may be left out: not active yet
 *         guarantee_yuan: 1000000   # may be left out
 *         operators: [ {name: zhang, key: hex, transport_key: hex} ]     # two or more: maker and checker
 *     regulators:    [ {name: mof, key: hex, transport_key: hex} ]
 *
 * Refused, with line and reason: unknown keys, codes that are not six digits or appear twice, bad keys, one key in two
 * places, no node, an issuer hosted twice.
 */
#ifndef SQ_DIRECTORY_H
#define SQ_DIRECTORY_H

#include "peers/crypto.h"
#include "proto/sanquan.pb-c.h"
#include "proto/wire.h"

struct sq_directory; /* opaque: owns the parsed file */

SQ_MUST_CHECK sq_status sq_directory_read(const char *path, struct sq_directory **out, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_directory_parse(sq_bytes yaml, const char *path_for_errors, struct sq_directory **out,
                                           struct sq_error *err);
void sq_directory_free(struct sq_directory *d);

const uint8_t *sq_directory_network_id(const struct sq_directory *d); /* 32 bytes */
const char *sq_directory_network_name(const struct sq_directory *d);

/* Name of a node's log, which is its checkpoint origin and its note key's name: "network/code". */
#define SQ_ORIGIN_SIZE 80
void sq_log_origin(const struct sq_directory *d, const char *code, char out[static SQ_ORIGIN_SIZE]);

/* Nodes ascending by code, parties ascending by name; borrowed from d. Its `self` means nothing. */
const Sanquan__V1__Genesis *sq_directory_members(const struct sq_directory *d);

/* The Genesis for the node `self`: everything sorted as the message demands. Borrowed from d (self is set in it). */
SQ_MUST_CHECK sq_status sq_directory_genesis(struct sq_directory *d, const char *self, const Sanquan__V1__Genesis **out,
                                             struct sq_error *err);

#endif
