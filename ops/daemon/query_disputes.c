/*
 * The answer to "disputes": cases that the asker may see, those that are open first, the newest of each first.
 *
 * Nodes, operators of this node and regulators see all; an issuer those about its vouchers, a provider its own.
 */
#include <jansson.h>
#include <string.h>

#include "ops/daemon/query_parts.h"

#define DISPUTES_LISTED_MAX 500u /* an answer is one message; a ledger's reader sees all of them */

static const char *const states[] = {
    "",       "query",     "answered",  "charged_back", "presented_again", "arbitration",
    "upheld", "dismissed", "withdrawn", "no_such_item"};
static const char *const reasons[] = {"",          "not_rendered", "claimed_twice", "amount", "not_entitled",
                                      "documents", "fraud",        "other"};

static int concerns(const struct sq_party *asker, const struct sq_dispute_view *v)
{
    char issuer[32];
    snprintf(issuer, sizeof issuer, "issuer:%06" PRIu64, v->voucher / 10000000000000u);
    return strcmp(asker->name, issuer) == 0 || strcmp(asker->name, v->provider) == 0;
}

static json_t *case_of(const struct sq_core *core, const struct sq_dispute_view *v)
{
    static const uint8_t none[16];
    char hex[40];
    json_t *o = json_object();
    put_text(o, "node", sq_core_node(core, v->node)->code);
    put_u64(o, "number", v->number);
    put_text(o, "state", states[v->state]);
    put_text(o, "reason", v->reason < sizeof reasons / sizeof *reasons ? reasons[v->reason] : "");
    put_u64(o, "voucher", v->voucher);
    put_text(o, "provider", v->provider);
    sq_hex(v->invoice, 10, hex); /* two digits a byte: its hexadecimal is its number */
    put_text(o, "invoice", hex);
    put_u64(o, "service_day", v->service_day);
    json_object_set_new(o, "amount_fen", json_integer(v->amount_fen));
    json_object_set_new(o, "returned_fen", json_integer(v->returned_fen));
    json_object_set_new(o, "taken_fen", json_integer(v->taken_fen));
    put_u64(o, "deadline_day", v->deadline_day);
    put_u64(o, "opened_ms", v->opened_ms);
    put_u64(o, "since_ms", v->since_ms);
    put_u64(o, "entry", v->entry);
    put_text(o, "note", v->note);
    sq_hex(v->evidence, 16, hex);
    put_text(o, "evidence", memcmp(v->evidence, none, sizeof none) != 0 ? hex : "");
    return o;
}

json_t *sq_query_disputes(const struct sq_daemon *d, const struct sq_party *asker, int sees_all)
{
    json_t *o = json_object(), *a = json_array();
    for (int over = 0; over <= 1; over++)
        for (uint32_t i = sq_core_dispute_count(d->core); i > 0 && json_array_size(a) < DISPUTES_LISTED_MAX; i--) {
            struct sq_dispute_view v;
            sq_core_dispute(d->core, i - 1, &v);
            if ((v.state >= SQ_DISPUTE_UPHELD) == over && (sees_all || concerns(asker, &v)))
                json_array_append_new(a, case_of(d->core, &v));
        }
    json_object_set_new(o, "disputes", a);
    return o;
}
