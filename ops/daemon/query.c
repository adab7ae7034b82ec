/*
 * Read-only questions, answered as JSON from the state in memory: names are stable, amounts are integers in fen, times Unix ms.
 *
 *   path                 who may ask                                     answer
 *   status               everyone enrolled                               sequence, open window, totals, peers, disk
 *   programmes           everyone enrolled                               each programme and its budget
 *   windows, window/N    nodes, operators of this node, regulators       states; statements agreed on, nets, payments, signers: query_settlement.c, as all down to breaks
 *   links                nodes, operators of this node, regulators       obligations since the last settled number
 *   account              nodes, operators of this node, regulators       the region's settlement account
 *   regions              nodes, operators of this node, regulators       standing of each region, and what nodes want
 *   caps                 nodes, operators of this node, regulators       net debit caps, what is used of them, alarms
 *   breaks               nodes, operators of this node, regulators       links whose two sides differ, and what was done about it
 *   org/USCC             operators, regulators, issuers here, itself     what was said of an organisation: query_policy.c, as all down to agreements
 *   applications/ISSUER/NUMBER[/AFTER]   the same, the issuer, holders of their own
 *   prefunds             operators, issuers and providers of their own   money in advance
 *   invoice/NUMBER[/FEN] nodes, operators of this node, regulators       what is claimed on it, and what a smaller total would bring back
 *   agreements           nodes, operators of this node, regulators       recognition between regions
 *   disputes             everyone enrolled, of its own items             cases: query_disputes.c
 *   voucher/NUMBER       operators, regulators, its holder, its issuer   what it is and what is left
 *   party/NAME           operators, regulators, the party itself         where it is at home, where its stream stands
 *   witnesses            everyone enrolled                               who holds what against whose log: query_witness.c
 *   proof/SEQ            everyone enrolled                               an entry's place in the log, as a proof file
 *   history?...          everyone enrolled, of its own rows              items and sums: ops/history/ask.h, answered by the historian
 *
 * Each says as_of_entry: the last entry decided when it was made. questions.c tells it when that entry is durable.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/uscc.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/query_parts.h"

#define ANSWER_SIZE_MAX (SQ_MESSAGE_SIZE_MAX - 1024u)

static const char *const voucher_states[] = {"", "granted", "active", "exhausted", "expired", "revoked"};
static const char *const role_names[] = {"",          "node",     "issuer", "operator",
                                         "regulator", "provider", "holder", "evaluator"};

/* ---- answers ---- */

static json_t *totals(const struct sq_core *core)
{
    struct sq_core_totals t;
    json_t *o = json_object(), *refused = json_object();
    sq_core_totals(core, &t);
    put_u64(o, "items_received", t.items_received);
    put_u64(o, "items_accepted", t.items_accepted);
    put_u64(o, "items_refused", t.items_refused);
    put_u64(o, "items_decided", t.items_decided);
    put_u64(o, "batches_waiting", t.batches_waiting);
    put_u64(o, "rejected", t.rejected);
    for (unsigned code = 1; code < 256; code++)
        if (t.refused_by_code[code] != 0)
            put_u64(refused, sq_status_name(code), t.refused_by_code[code]);
    json_object_set_new(o, "refused", refused);
    return o;
}

static json_t *peers(const struct sq_daemon *d)
{
    json_t *a = json_array();
    for (uint32_t node = 0; node < sq_core_node_count(d->core); node++) {
        const struct sq_peer *p = &d->peers[node];
        if (node == sq_core_self(d->core))
            continue;
        json_t *o = json_object();
        put_text(o, "node", code_of(d->core, node));
        json_object_set_new(o, "configured", json_boolean(p->connected));
        put_u64(o, "heard_ms", p->heard_ms);
        put_u64(o, "received", p->durable_in);
        put_u64(o, "sent", p->outbox.sent);
        put_u64(o, "acknowledged", p->outbox.acked);
        put_u64(o, "unacknowledged", p->outbox.durable - p->outbox.acked);
        put_u64(o, "waiting_since_ms", p->waiting_ms);
        put_u64(o, "false_claims", p->false_claims);
        put_overdue(o, d, node, 0);
        json_array_append_new(a, o);
    }
    return a;
}

static json_t *connections(const struct sq_daemon *d)
{
    struct sq_hub_counters c;
    json_t *o = json_object();
    sq_hub_counters(d->hub, &c);
    put_u64(o, "accepted", c.accepted);
    put_u64(o, "established", c.established);
    put_u64(o, "denied", c.denied_handshakes);
    put_u64(o, "received", c.received);
    put_u64(o, "sent", c.sent);
    put_u64(o, "dropped", c.dropped_no_identity + c.dropped_shape);
    put_u64(o, "answers_unsent", c.reply_failed);
    put_u64(o, "turned_away", c.no_room);
    return o;
}

static json_t *answer_status(const struct sq_daemon *d)
{
    json_t *o = json_object();
    put_text(o, "node", d->config->node);
    put_text(o, "network", sq_directory_network_name(d->directory));
    put_hash(o, "network_id", sq_directory_network_id(d->directory));
    put_text(o, "log", d->origin);
    put_u64(o, "now_ms", d->now_ms);
    put_u64(o, "seq", sq_ledger_seq(d->ledger));
    put_u64(o, "open_window", sq_settlement_open_window(sq_core_settlement(d->core)));
    put_u64(o, "free_permille", d->free_permille);
    put_u64(o, "parties", sq_core_party_count(d->core));
    json_object_set_new(o, "waits_for_witnesses", json_boolean(!sq_witness_heard_enough(d)));
    json_object_set_new(o, "takes_new_work", json_boolean(d->free_permille >= d->config->disk_low_permille));
    json_object_set_new(o, "totals", totals(d->core));
    json_object_set_new(o, "peers", peers(d));
    json_object_set_new(o, "connections", connections(d));
    sq_query_put_witness(d, o);
    struct sq_window_view w;
    uint64_t open = sq_settlement_open_window(sq_core_settlement(d->core));
    if (open > 1 && sq_settlement_window(sq_core_settlement(d->core), open - 1, &w, NULL) == SQ_OK)
        put_text(o, "last_window_state", sq_query_window_state(w.state));
    return o;
}

static json_t *answer_programmes(const struct sq_daemon *d)
{
    json_t *o = json_object(), *a = json_array();
    for (uint32_t i = 0; i < sq_core_programme_count(d->core); i++) {
        struct sq_programme_view v;
        json_t *p = json_object();
        sq_core_programme(d->core, i, &v);
        put_u64(p, "issuer", v.issuer);
        put_u64(p, "number", v.number);
        put_u64(p, "version", v.version);
        put_u64(p, "kind", v.kind);
        put_text(p, "node", code_of(d->core, v.node));
        put_text(p, "title", v.title);
        put_u64(p, "from_day", v.from_day);
        put_u64(p, "until_day", v.until_day);
        put_u64(p, "rate_bp", v.rate_bp);
        put_fen(p, "pool_fen", v.pool_fen);
        put_fen(p, "granted_fen", v.granted_fen);
        put_fen(p, "reserved_fen", v.reserved_fen);
        put_fen(p, "spent_fen", v.spent_fen);
        put_u64(p, "vouchers", v.voucher_count);
        json_array_append_new(a, p);
    }
    json_object_set_new(o, "programmes", a);
    return o;
}

static json_t *voucher(const struct sq_voucher_view *v)
{
    json_t *o = json_object();
    put_u64(o, "voucher", v->number);
    put_text(o, "holder", v->holder);
    put_text(o, "state", voucher_states[v->state]);
    put_fen(o, "face_fen", v->face_fen);
    put_fen(o, "reserved_fen", v->reserved_fen);
    put_fen(o, "spent_fen", v->spent_fen);
    put_u64(o, "until_day", v->until_day);
    if (v->free_fen >= 0) {
        json_t *stages = json_array();
        for (unsigned i = 0; i < 32; i++)
            if (v->stages_free >> i & 1)
                json_array_append_new(stages, json_integer(i + 1));
        put_fen(o, "free_fen", v->free_fen);
        json_object_set_new(o, "stages_free", stages);
        json_object_set_new(o, "stopped", json_boolean(v->stopped));
        put_fen(o, "back_fen", v->back_fen);
    }
    return o;
}

static json_t *answer_party(const struct sq_daemon *d, uint32_t number)
{
    const struct sq_party *p = sq_core_party(d->core, number);
    json_t *o = json_object();
    put_text(o, "name", p->name);
    put_text(o, "role", role_names[p->role]);
    if (p->node < sq_core_node_count(d->core))
        put_text(o, "node", code_of(d->core, p->node));
    json_object_set_new(o, "enrolled", json_boolean(p->known_key));
    json_object_set_new(o, "suspended", json_boolean(p->suspended));
    put_u64(o, "last_id", p->last_id);
    return o;
}

/* ---- who may ask what ---- */

static int sees_all(const struct sq_daemon *d, const struct sq_party *p)
{
    return p->role == SQ_ROLE_REGULATOR || p->role == SQ_ROLE_NODE ||
           (p->role == SQ_ROLE_OPERATOR && p->node == sq_core_self(d->core));
}

/* A path's decimal number; 0, which is no voucher and no window, for anything else. */
static uint64_t number_of(const char *text)
{
    return strspn(text, "0123456789") == strlen(text) && strlen(text) <= 19 ? strtoull(text, NULL, 10) : 0;
}

static unsigned ask_voucher(const struct sq_daemon *d, const struct sq_party *asker, const char *text, json_t **answer)
{
    char issuer[32];
    struct sq_voucher_view v;
    uint64_t number = number_of(text);
    int found = sq_core_voucher(d->core, number, &v) == SQ_OK;
    snprintf(issuer, sizeof issuer, "issuer:%06" PRIu64, number / 10000000000000u);
    if (!sees_all(d, asker) && strcmp(asker->name, issuer) != 0 && !(found && strcmp(asker->name, v.holder) == 0))
        return SQ_R_NOT_PERMITTED; /* whether it exists is nobody else's business either */
    if (!found)
        return SQ_R_UNKNOWN_VOUCHER;
    *answer = voucher(&v);
    return SQ_OK;
}

/* "ISSUER/NUMBER" or "ISSUER/NUMBER/AFTER" */
static unsigned ask_applications(const struct sq_daemon *d, const struct sq_party *asker, const char *text,
                                 json_t **answer)
{
    uint32_t issuer, number;
    uint64_t after = 0;
    char own[16], rest;
    int parts = sscanf(text, "%6" SCNu32 "/%4" SCNu32 "/%19" SCNu64 "%c", &issuer, &number, &after, &rest);
    if (parts < 2 || parts > 3)
        return SQ_R_UNKNOWN_QUERY;
    snprintf(own, sizeof own, "issuer:%06u", issuer);
    int all = sees_all(d, asker) || strcmp(asker->name, own) == 0;
    if (!all && asker->role != SQ_ROLE_HOLDER)
        return SQ_R_NOT_PERMITTED;
    *answer = sq_query_applications(d, issuer, number, after, all ? NULL : asker->name);
    return SQ_OK;
}

static unsigned ask_prefunds(const struct sq_daemon *d, const struct sq_party *asker, json_t **answer)
{
    if (sees_all(d, asker))
        *answer = sq_query_prefunds(d, 0, NULL);
    else if (asker->role == SQ_ROLE_ISSUER)
        *answer = sq_query_prefunds(d, (uint32_t)number_of(strchr(asker->name, ':') + 1), NULL);
    else if (asker->role == SQ_ROLE_PROVIDER)
        *answer = sq_query_prefunds(d, 0, asker->name);
    else
        return SQ_R_NOT_PERMITTED;
    return SQ_OK;
}

static unsigned ask_org(const struct sq_daemon *d, const struct sq_party *asker, const char *uscc, json_t **answer)
{
    int issuer_here = asker->role == SQ_ROLE_ISSUER && asker->node == sq_core_self(d->core);
    if (!sees_all(d, asker) && !issuer_here && strcmp(strchr(asker->name, ':') + 1, uscc) != 0)
        return SQ_R_NOT_PERMITTED;
    if (!sq_uscc_valid(uscc))
        return SQ_R_BAD_USCC;
    *answer = sq_query_org(d, uscc);
    return *answer != NULL ? SQ_OK : SQ_R_UNKNOWN_SENDER;
}

/* "NUMBER" or "NUMBER/FEN" */
static json_t *answer_invoice(const struct sq_daemon *d, const char *text)
{
    char digits[21] = "";
    size_t size = strcspn(text, "/");
    const char *fen = text[size] == '/' ? text + size + 1 : NULL;
    if (size != 20 || (fen != NULL && (*fen == '\0' || strspn(fen, "0123456789") != strlen(fen) || strlen(fen) > 15)))
        return NULL;
    memcpy(digits, text, 20);
    return sq_query_invoice(d, digits, fen != NULL ? (int64_t)number_of(fen) : -1);
}

static unsigned ask_party(const struct sq_daemon *d, const struct sq_party *asker, const char *name, json_t **answer)
{
    if (!sees_all(d, asker) && strcmp(asker->name, name) != 0)
        return SQ_R_NOT_PERMITTED;
    uint32_t number = sq_core_party_find(d->core, name);
    if (number == SQ_ROW_NONE)
        return SQ_R_UNKNOWN_SENDER;
    *answer = answer_party(d, number);
    return SQ_OK;
}

static unsigned ask(struct sq_daemon *d, const struct sq_party *asker, const char *path, json_t **answer)
{
    if (strcmp(path, "status") == 0)
        *answer = answer_status(d);
    else if (strcmp(path, "programmes") == 0)
        *answer = answer_programmes(d);
    else if (strcmp(path, "witnesses") == 0)
        *answer = sq_query_witnesses(d);
    else if (strncmp(path, "proof/", 6) == 0)
        *answer = sq_query_proof(d, number_of(path + 6));
    else if (strncmp(path, "voucher/", 8) == 0)
        return ask_voucher(d, asker, path + 8, answer);
    else if (strncmp(path, "party/", 6) == 0)
        return ask_party(d, asker, path + 6, answer);
    else if (strcmp(path, "disputes") == 0)
        *answer = sq_query_disputes(d, asker, sees_all(d, asker));
    else if (strncmp(path, "org/", 4) == 0)
        return ask_org(d, asker, path + 4, answer);
    else if (strncmp(path, "applications/", 13) == 0)
        return ask_applications(d, asker, path + 13, answer);
    else if (strcmp(path, "prefunds") == 0)
        return ask_prefunds(d, asker, answer);
    else if (!sees_all(d, asker))
        return SQ_R_NOT_PERMITTED;
    else if (strncmp(path, "invoice/", 8) == 0)
        *answer = answer_invoice(d, path + 8);
    else if (strcmp(path, "windows") == 0)
        *answer = sq_query_windows(d);
    else if (strcmp(path, "account") == 0)
        *answer = sq_query_account(d);
    else if (strcmp(path, "regions") == 0)
        *answer = sq_query_regions(d);
    else if (strcmp(path, "caps") == 0)
        *answer = sq_query_caps(d);
    else if (strcmp(path, "agreements") == 0)
        *answer = sq_query_agreements(d);
    else if (strcmp(path, "breaks") == 0)
        *answer = sq_query_breaks(d);
    else if (strcmp(path, "links") == 0)
        *answer = sq_query_links(d);
    else if (strncmp(path, "window/", 7) == 0)
        *answer = sq_query_window(d, number_of(path + 7));
    return *answer != NULL ? SQ_OK : SQ_R_UNKNOWN_QUERY;
}

unsigned sq_query_answer(struct sq_daemon *d, uint32_t party, const char *path, char **json)
{
    json_t *answer = NULL;
    unsigned refused = ask(d, sq_core_party(d->core, party), path, &answer);
    if (refused == SQ_OK)
        put_u64(answer, "as_of_entry", sq_core_seq(d->core));
    if (refused == SQ_OK && (*json = json_dumps(answer, JSON_COMPACT)) == NULL)
        refused = SQ_R_BUSY;
    json_decref(answer);
    if (refused == SQ_OK && strlen(*json) > ANSWER_SIZE_MAX) {
        free(*json);
        *json = NULL;
        refused = SQ_R_ANSWER_SIZE;
    }
    return refused;
}
