/*
 * An agreement between two regions as the two write it: one YAML file, which four people use: a maker and a checker at each node.
 *
 *     version: 1                # 1, 2, 3 ... of the pair; a version in force replaces the ones before from its first day on
 *     kinds: [compute, model]   # whose vouchers are recognised: compute, model, corpus; 4 to 7 are open
 *     from: 2026-01-01          # first and last day of claims
 *     until: 2026-12-31
 *     rate_ceiling: 30%         # no claim pays more than this of its base, on either side; left out: no ceiling
 *     sides:                    # exactly two
 *       - node: "310000"        # this region's vouchers, redeemed at providers of the other
 *         borne: 20%            # of that the other region bears this share itself; left out: nothing
 *         exposure: 500万       # this region may owe the other at most so much, net, before it is settled; left out: no limit
 *         relaxed: [region, lists]   # what its programmes do not ask of the other's providers: region, tax_region, zone, channel,
 *                               # lists; left out: everything is asked
 *       - node: "370000"
 */
#ifndef SQ_AGREEMENT_YAML_H
#define SQ_AGREEMENT_YAML_H

#include "clearing/base/arena.h"
#include "ops/common/programme_values.h"
#include "proto/sanquan.pb-c.h"

extern const struct sq_word sq_words_relaxed[];

/*
 * Read an agreement's file. *out and what hangs on it live in `arena`; kinds, sides and what is relaxed are ascending there, in whatever
 * order the file has them, so that the same terms are the same bytes.
 * Errors: SQ_E_IO; SQ_E_FULL; SQ_E_CONFIG "path:line: place: reason", also for terms that no node would accept.
 */
SQ_MUST_CHECK sq_status sq_agreement_read(const char *path, struct sq_arena *arena, Sanquan__V1__Agreement **out,
                                          struct sq_error *err);

#endif
