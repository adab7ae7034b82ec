/*
 * A programme as its authors write it: one YAML file. The keys are the fields of the Programme message without their units.
 *
 *     issuer: "310000"          # six-digit code
 *     number: 1                 # 1 to 9999 within the issuer
 *     version: 1                # the next after the one in force
 *     kind: compute             # compute, model, corpus; 4 to 7 are open
 *     title: 智能算力券
 *     from: 2025-07-28          # first and last service day that count
 *     until: 2026-12-31
 *     rate: 30%                 # at most two places behind the point
 *     base: contract            # contract, approved, paid, settled, metered
 *     pool: 6亿                 # yuan, at most two places behind the point, 万 or 亿 behind it
 *     cap_claim: 500万          # and cap_year, cap_total, min_claim; left out: none
 *     services: [rent, api]     # by name or number; left out: all
 *     provider_regions: ["310000", "320000"]   # left out: all of the network
 *     stacking: additive        # or exclusive, which is also meant when it is left out
 *     stack_limit: 100%         # goes with additive
 */
#ifndef SQ_PROGRAMME_YAML_H
#define SQ_PROGRAMME_YAML_H

#include "clearing/base/arena.h"
#include "proto/sanquan.pb-c.h"
#include "proto/status.h"

/*
 * Read and check a programme file. *out and what hangs on it live in `arena`.
 * Errors: SQ_E_IO; SQ_E_FULL; SQ_E_CONFIG "path:line: place: reason", also for terms that no node would accept.
 */
SQ_MUST_CHECK sq_status sq_programme_read(const char *path, struct sq_arena *arena, Sanquan__V1__Programme **out,
                                          struct sq_error *err);

/* Names of service codes: the code of a name (0: none such), and the name of a code (NULL: it has none). */
uint32_t sq_service_code(const char *name);
const char *sq_service_name(uint32_t code);

#endif
