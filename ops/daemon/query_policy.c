/*
 * Answers about what offices and regions have said, and what came of it: agreements, organisations, applications, money in advance,
 * invoices. Who may ask is query.c's affair.
 */
#include <jansson.h>
#include <string.h>

#include "ops/common/agreement_yaml.h"
#include "ops/daemon/daemon.h"

/* ---- agreements ---- */

static const char *const agreement_states[] = {"",        "entered",  "said_here", "said_there", "differs",
                                               "to_come", "in_force", "replaced",  "over"};

/* What is not asked of the other region's providers; bit 0 stands for all lists. */
static json_t *relaxed(uint32_t bits)
{
    json_t *a = json_array();
    for (const struct sq_word *w = sq_words_relaxed; w->word != NULL; w++)
        if (bits >> (w->number == SQ_ATTR_LISTS ? 0 : w->number) & 1)
            json_array_append_new(a, json_string(w->word));
    return a;
}

/* used_fen: what the region owes the other, net, and has not settled: what exposure_fen bounds. */
static json_t *side_of(const struct sq_daemon *d, const struct sq_recognition_view *v, int k)
{
    uint32_t node = k == 0 ? sq_core_self(d->core) : v->other, other = k == 0 ? v->other : sq_core_self(d->core);
    struct sq_cap_view used;
    sq_settlement_cap(sq_core_settlement(d->core), node, other, &used);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "node", sq_core_node(d->core, node)->code, "borne_bp",
                     (json_int_t)v->side[k].borne_bp, "exposure_fen", (json_int_t)v->side[k].exposure_fen, "used_fen",
                     (json_int_t)used.used_fen, "redeemed_fen", (json_int_t)v->side[k].gross_fen, "borne_fen",
                     (json_int_t)v->side[k].borne_fen, "relaxed", relaxed(v->side[k].relaxed));
}

static json_t *agreement_of(const struct sq_daemon *d, uint32_t i)
{
    struct sq_recognition_view v;
    json_t *kinds = json_array();
    sq_core_recognition(d->core, i, &v);
    for (uint32_t k = 0; k < SQ_KIND_COUNT; k++)
        if (v.kinds >> k & 1)
            json_array_append_new(kinds, json_integer(k + 1));
    return json_pack("{s:s, s:I, s:s, s:b, s:o, s:I, s:I, s:I, s:[o, o]}", "with", sq_core_node(d->core, v.other)->code,
                     "version", (json_int_t)v.version, "state", agreement_states[v.state], "waiting_for_checker",
                     v.waiting_for_checker, "kinds", kinds, "rate_ceiling_bp", (json_int_t)v.rate_ceiling_bp,
                     "from_day", (json_int_t)v.from_day, "until_day", (json_int_t)v.until_day, "sides",
                     side_of(d, &v, 0), side_of(d, &v, 1));
}

json_t *sq_query_agreements(const struct sq_daemon *d)
{
    json_t *o = json_object(), *a = json_array();
    for (uint32_t i = 0; i < sq_core_recognition_count(d->core); i++)
        json_array_append_new(a, agreement_of(d, i));
    json_object_set_new(o, "agreements", a);
    return o;
}

/* ---- organisations ---- */

/* The word of a number, where it has one. */
static void put_word(json_t *o, const char *key, const struct sq_word *list, uint32_t number)
{
    const char *word = sq_word_of(list, number);
    json_object_set_new(o, key, word != NULL ? json_string(word) : json_null());
}

static void add_fact(void *ctx, const struct sq_org_fact *f)
{
    char text[32];
    json_t *o =
        json_pack("{s:I, s:I, s:s, s:I, s:I, s:I}", "attribute", (json_int_t)f->attribute, "value",
                  (json_int_t)f->value, "text", sq_attribute_text(f->attribute, f->value, text), "issuer",
                  (json_int_t)f->issuer, "from_day", (json_int_t)f->from_day, "until_day", (json_int_t)f->until_day);
    put_word(o, "name", sq_words_attribute, f->attribute);
    json_array_append_new(json_object_get(ctx, "facts"), o);
}

static void add_edge(void *ctx, const struct sq_org_edge *e)
{
    json_array_append_new(json_object_get(ctx, "edges"),
                          json_pack("{s:s, s:s, s:s, s:I, s:I}", "owner", e->owner, "owned", e->owned, "kind",
                                    sq_word_of(sq_words_edge, e->kind), "from_day", (json_int_t)e->from_day,
                                    "until_day", (json_int_t)e->until_day));
}

static void add_sanction(void *ctx, const struct sq_org_sanction *s)
{
    json_t *o = json_pack("{s:s, s:I, s:s, s:I, s:I}", "authority", s->authority, "cause", (json_int_t)s->cause,
                          "effect", sq_word_of(sq_words_effect, s->effect), "from_day", (json_int_t)s->from_day,
                          "until_day", (json_int_t)s->until_day);
    put_word(o, "name", sq_words_cause, s->cause);
    json_array_append_new(json_object_get(ctx, "sanctions"), o);
}

json_t *sq_query_org(const struct sq_daemon *d, const char *uscc)
{
    json_t *o = json_pack("{s:s, s:[], s:[], s:[]}", "org", uscc, "facts", "edges", "sanctions");
    const struct sq_org_reader reader = {o, add_fact, add_edge, add_sanction};
    return sq_core_org(d->core, uscc, &reader) == SQ_OK ? o : (json_decref(o), NULL);
}

/* ---- applications ---- */

#define APPLICATIONS_LISTED_MAX 2000u /* an answer is one message */

static json_t *application_of(const struct sq_application_view *v)
{
    static const char *const states[] = {"open", "granted", "refused"}; /* enum sq_application_state */
    static const char *const verdicts[] = {"", "eligible", "refused"}, *const sides[] = {"", "buyer", "supplier"};
    char voucher[24];
    snprintf(voucher, sizeof voucher, "%019" PRIu64, v->voucher);
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "application", (json_int_t)v->number,
                     "holder", strchr(v->holder, ':') + 1, "side", sides[v->side], "state", states[v->state], "day",
                     (json_int_t)v->day, "asked_fen", (json_int_t)v->asked_fen, "approved_fen",
                     (json_int_t)v->approved_fen, "score", (json_int_t)v->score, "grade", (json_int_t)v->grade,
                     "verdict", verdicts[v->verdict], "voucher", v->voucher != 0 ? voucher : "");
}

json_t *sq_query_applications(const struct sq_daemon *d, uint32_t issuer, uint32_t number, uint64_t after,
                              const char *holder)
{
    json_t *o = json_object(), *a = json_array();
    struct sq_programme_view p;
    struct sq_application_view v;
    int more = 0;
    for (uint32_t i = 0; i < sq_core_application_count(d->core); i++) {
        sq_core_application_at(d->core, i, &v);
        sq_core_programme(d->core, v.programme, &p);
        if (p.issuer != issuer || p.number != number || v.number <= after ||
            (holder != NULL && strcmp(holder, v.holder) != 0))
            continue;
        more = json_array_size(a) == APPLICATIONS_LISTED_MAX;
        if (more)
            break;
        json_array_append_new(a, application_of(&v));
    }
    json_object_set_new(o, "applications", a);
    json_object_set_new(o, "more", json_boolean(more));
    return o;
}

/* ---- money in advance ---- */

json_t *sq_query_prefunds(const struct sq_daemon *d, uint32_t issuer, const char *provider)
{
    json_t *o = json_object(), *a = json_array();
    struct sq_programme_view p;
    struct sq_prefund_view v;
    for (uint32_t i = 0; i < sq_core_programme_count(d->core); i++) {
        sq_core_programme(d->core, i, &p);
        for (uint32_t k = 0; (issuer == 0 || issuer == p.issuer) && sq_core_prefund_of(d->core, i, k, &v) == SQ_OK; k++)
            if (provider == NULL || strcmp(provider, v.provider) == 0)
                json_array_append_new(a, json_pack("{s:I, s:I, s:s, s:I, s:I, s:I}", "issuer", (json_int_t)p.issuer,
                                                   "programme", (json_int_t)p.number, "provider",
                                                   strchr(v.provider, ':') + 1, "advanced_fen",
                                                   (json_int_t)v.advanced_fen, "drawn_fen", (json_int_t)v.drawn_fen,
                                                   "left_fen", (json_int_t)(v.advanced_fen - v.drawn_fen)));
    }
    json_object_set_new(o, "prefunds", a);
    return o;
}

/* ---- invoices ---- */

static json_t *share_of(const struct sq_invoice_share *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "issuer", (json_int_t)s->issuer, "programme",
                     (json_int_t)s->number, "base_fen", (json_int_t)s->base_fen, "amount_fen",
                     (json_int_t)s->amount_fen, "back_base_fen", (json_int_t)s->back_base_fen, "back_fen",
                     (json_int_t)s->back_fen);
}

json_t *sq_query_invoice(const struct sq_daemon *d, const char *digits, int64_t total_fen)
{
    struct sq_invoice_view v;
    struct sq_invoice_share share[SQ_INVOICE_SHARES_MAX];
    uint8_t cell[10];
    if (strlen(digits) != 20 || sq_unhex(digits, cell, sizeof cell, NULL) != SQ_OK ||
        sq_core_invoice(d->core, cell, total_fen, &v, share, SQ_INVOICE_SHARES_MAX) != SQ_OK)
        return NULL;
    int here = v.home == sq_core_self(d->core);
    json_t *o =
        json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:I}", "invoice", digits, "home", sq_core_node(d->core, v.home)->code,
                  "here", here, "known", here && v.known, "total_fen", (json_int_t)v.total_fen, "limit_bp",
                  (json_int_t)v.limit_bp, "back_fen", (json_int_t)v.back_fen);
    json_t *a = json_array();
    json_object_set_new(o, "provider", json_string(v.seller != NULL ? strchr(v.seller, ':') + 1 : ""));
    json_object_set_new(o, "acquirer", json_string(v.seller != NULL ? sq_core_node(d->core, v.acquirer)->code : ""));
    for (uint32_t i = 0; i < v.shares; i++)
        json_array_append_new(a, share_of(&share[i]));
    json_object_set_new(o, "programmes", a);
    return o;
}
