/*
 * A programme as its authors write it: one YAML file. The keys are the fields of the Programme message without their units.
 *
 *     issuer: "310000"          # six-digit code
 *     number: 1                 # 1 to 9999 within the issuer
 *     version: 1                # the next after the one in force
 *     kind: compute             # compute, model, corpus; 4 to 7 are open
 *     title: 智能算力券
 *     from: 2025-07-28          # first and last service day that count
 *     until: 2026-12-31         # left out: no end is stated
 *     rate: 30%                 # may be left out where tiers pay; at most two places behind the point
 *     base: contract            # contract, approved, paid, settled, metered
 *     pool: 6亿                 # may be left out; yuan, at most two places behind the point, 万 or 亿 behind it
 *     cap_claim: 500万          # and cap_year, cap_total, min_claim; left out: none
 *     services: [rent, api]     # by name or number; left out: all
 *     provider_regions: ["310000", "320000"]   # left out: all of the network
 *     stacking: additive        # or exclusive, which is also meant when it is left out
 *     stack_limit: 100%         # goes with additive
 *
 * That is a whole programme. What real ones ask for beyond it:
 *
 *     conditions:               # all must hold
 *       - {of: holder, what: region, in: ["310000"]}            # and all below it
 *       - {of: holder, what: sector, in: ["64", "651"]}         # GB/T 4754 prefixes
 *       - {of: provider, what: pflops, in: ["100.."]}           # a..b, a.., ..b
 *       - {of: provider, what: "1001"}                          # is on list 1001
 *       - {of: voucher, what: contract_day, in: ["2023-09-01.."], at: grant}   # or at: redemption; left out: both
 *       - {of: claim, what: service, not_in: [storage, network]}
 *       - {of: claim, what: filing, known_of: provider}         # the provider has this filing number
 *     tiers:                    # where none holds, `rate` is the rate; without `rate` nothing is paid
 *       - {rate: 60%, cap_claim: 500万, when: [{of: holder, what: standing, in: [startup]}]}
 *       - {lump: 100万, when: [{of: voucher, what: grade, in: ["1"]}]}
 *     tier_choice: highest      # of those that hold; left out: the first
 *     limits:                   # a counter for each subject of the scope and each period
 *       - {scope: holder, of: redeemed, period: year, soft: 100万, hard: 200万}   # over soft only by an override
 *       - {scope: holder, of: granted, period: year, hard: 200万}
 *       - {scope: programme, of: granted, counts: count, period: year, hard: 20}
 *       - {scope: voucher, of: redeemed, hard: 3万, when: [{of: claim, what: service, in: [finetune]}]}
 *       - {id: 9, scope: provider, of: redeemed, counts: quantity, hard: 100000}  # id: by position when left out; keep it in later versions
 *     relations:                # to other programmes of the node
 *       - {programme: 410000/1, together: requires}             # or excludes; state: granted or redeemed, scope: holder or contract
 *       - {programme: 410000/2, together: share, limit: 50%}    # or higher; on one contract
 *     unique_contract: issuer   # one voucher a contract: within programme, issuer or node
 *     unique_service: yes       # a delivery record is claimed from one voucher
 *     recognition: agreement    # providers of other regions only under an agreement with theirs; left out: open
 *     pool_at: grant            # what takes up the pool; left out: redemption
 *     unit: card_minutes        # what quantity counts: card_minutes, tokens, records, megabytes
 *     unit_price: 1.20          # base <= quantity / unit_size * unit_price
 *     unit_size: 60
 *     payee: holder             # who is paid: provider, holder, either (then the row says); left out: provider
 *     funders: [{code: 410000, share: 50%}, {code: 410100, share: 50%}]   # the first bears what rounding leaves
 *     allocation: score         # of a pool that is short: first_come, earlier_and_smaller, score, pro_rata
 *     rivals: supplier          # of two applications for one contract: first, supplier, buyer
 *     auto_face: 5万            # 免申即享: who consents has a voucher of this face from its first use on
 *     stages:                   # parts of the face, and what sets them free; all make 100%
 *       - {share: 50%}          # from the grant on
 *       - {share: 40%, trigger: grade}
 *       - {share: 10%, trigger: metric, metric: 7, better: less, change: 20%, after_months: 6}
 *     verdicts: [{grade: 1, action: release}, {grade: 2, action: stop}, {grade: 3, action: take_back, back: 100%}]
 *     evaluators: 1003          # the list on which an evaluator must be
 *     waivable: [CAP_CLAIM]     # refusals that an override may lift
 *     windows:                  # a step without a window is always open
 *       - {step: grant, from: 2026-04-17, until: 2026-05-15, closes: "17:00", every_months: 12}
 *     validity_days: 365        # of a voucher, from its grant
 *     support_months: 12        # from a holder's first service day to its last
 *     grant_documents: [contract, licence]
 *     redeem_documents: [contract, invoice, payment, delivery]
 *     sanction_months: 36       # no grant to who was under a sanction in the months before
 *     sanction_causes: [dishonest]   # left out: whatever its cause
 *     related_hops: 2           # holder and provider not within so many edges of each other
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
