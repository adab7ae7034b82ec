/*
 * Answers about recognition and what else regions and offices have said: "agreements".
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
