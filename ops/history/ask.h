/*
 * A question as text, its answer as JSON: the one form that the signed query, the command line and HTTP share.
 *
 *     voucher=3100000001000000017&order=newest&max=25
 *     provider=91310199TXXXXX0015&from=20261101&until=20261201&state=refused&sums=1
 *
 *   conditions   voucher batch window holder provider invoice issuer programme (ISSUER/NUMBER) kind scenario refusal (name or number)
 *                debtor creditor region state (accepted refused waiting granted mandated revoked) least most (fen) from until
 *                (yyyymmdd in UTC+8, or Unix ms) life (1: grants, mandates and revocations too) claims (1: other
 *                nodes' claims on invoices whose home is here too)
 *   form         order (oldest newest), max (1 to 500, 25 unless said), after (SEQ.ROW, where the page before ended), sums (1: the totals
 *                of all that match, and no page), proofs (1)
 */
#ifndef SQ_ASK_H
#define SQ_ASK_H

#include <jansson.h>

#include "ops/history/query.h"

#define SQ_ASK_MAX 500u

struct sq_ask {
    struct sq_filter filter;
    struct sq_query_place after;
    uint32_t max;
    int newest_first, sums, proofs;
};

/* An empty question: the first page of everything. */
void sq_ask_init(struct sq_ask *a);

/* One "key" and its value. SQ_E_USAGE: says which key, which value, and what would go. */
SQ_MUST_CHECK sq_status sq_ask_set(struct sq_ask *a, const char *key, const char *value, struct sq_error *err);

/* "key=value&key=value", with %XX escapes. */
SQ_MUST_CHECK sq_status sq_ask_parse(struct sq_ask *a, const char *text, struct sq_error *err);

/*
 * Whose rows may a participant see in the ledger of node `self`? A provider its own, a holder those of its vouchers, an issuer those
 * of its programmes, another node those in which it is debtor or creditor; the node itself, its operators and regulators all.
 * A question about others is SQ_R_NOT_PERMITTED.
 */
SQ_MUST_CHECK sq_status sq_ask_narrow(struct sq_ask *a, const char *participant, const char *self,
                                      struct sq_error *err);

/*
 * {"ledger": {"entries"}, "items": [...], "after": "SEQ.ROW" when there is more} or {"ledger", "sums"}.
 * With proofs, "proofs": for each entry that items come from or were decided by, ascending, its leaf record, index and inclusion
 * proof, and "checkpoint", the signed note they lead to.
 */
SQ_MUST_CHECK sq_status sq_ask_answer(struct sq_query *q, const struct sq_history *h, const struct sq_ledger *l,
                                      const struct sq_ask *a, json_t **out, struct sq_error *err);

json_t *sq_item_json(const struct sq_item *item);
const char *sq_item_state_name(enum sq_item_state state);

#endif
