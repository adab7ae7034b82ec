/*
 * The netting methods side by side over the pairs of one window: computed here, so that looking costs the node nothing.
 *
 *   {"window": 7, "methods": [{"method": "gross", "gross_fen", "cleared_fen", "money_fen", "payments"}, ...]}
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/netting/netting.h"
#include "ops/console/console.h"

#define REGIONS_MAX 1024u

struct work {
    const char *regions[REGIONS_MAX]; /* borrowed from the node's answer */
    uint32_t region_count;
    struct sq_obligation *owed;
    size_t count;
};

static int region_number(struct work *w, const char *code, uint32_t *out)
{
    for (*out = 0; *out < w->region_count; (*out)++)
        if (strcmp(w->regions[*out], code) == 0)
            return 1;
    if (w->region_count == REGIONS_MAX)
        return 0;
    w->regions[w->region_count++] = code;
    return 1;
}

static int by_code(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Regions are numbered in the order of their codes: ties break as in the settlement itself. */
static sq_status number_regions(struct work *w, const json_t *pairs, struct sq_error *err)
{
    uint32_t unused;
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const char *debtor = json_string_value(json_object_get(json_array_get(pairs, i), "debtor"));
        const char *creditor = json_string_value(json_object_get(json_array_get(pairs, i), "creditor"));
        if (debtor == NULL || creditor == NULL || !region_number(w, debtor, &unused) ||
            !region_number(w, creditor, &unused))
            return sq_fail(err, SQ_E_FORMAT, "pair %zu of the node's answer", i);
    }
    qsort(w->regions, w->region_count, sizeof *w->regions, by_code);
    return SQ_OK;
}

static sq_status take_pairs(struct work *w, const json_t *pairs, struct sq_error *err)
{
    sq_status st = number_regions(w, pairs, err);
    w->owed = calloc(json_array_size(pairs) * SQ_KIND_COUNT + 1, sizeof *w->owed);
    if (st == SQ_OK && w->owed == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "%zu pairs", json_array_size(pairs));
    for (size_t i = 0; st == SQ_OK && i < json_array_size(pairs); i++) {
        const json_t *p = json_array_get(pairs, i), *total = json_object_get(p, "total_fen");
        uint32_t debtor, creditor;
        region_number(w, json_string_value(json_object_get(p, "debtor")), &debtor);
        region_number(w, json_string_value(json_object_get(p, "creditor")), &creditor);
        for (uint32_t k = 0; k < SQ_KIND_COUNT; k++) {
            int64_t fen = json_integer_value(json_array_get(total, k));
            if (fen > 0)
                w->owed[w->count++] = (struct sq_obligation){debtor, creditor, k + 1, fen};
            else if (fen < 0 && fen != INT64_MIN) /* returns were more: owed the other way */
                w->owed[w->count++] = (struct sq_obligation){creditor, debtor, k + 1, -fen};
        }
    }
    return st;
}

static sq_status sum_up(const int64_t by_kind[static SQ_KIND_COUNT], json_t *to, const char *key, struct sq_error *err)
{
    int64_t sum = 0;
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        if (__builtin_add_overflow(sum, by_kind[k], &sum))
            return sq_fail(err, SQ_E_OVERFLOW, "%s over all kinds", key);
    json_object_set_new(to, key, json_integer(sum));
    return SQ_OK;
}

static sq_status add_method(const struct work *w, enum sq_netting_method method, json_t *list, struct sq_error *err)
{
    struct sq_net_result r = {0};
    json_t *o = json_object();
    sq_status st = sq_net(method, w->owed, w->count, w->region_count, &r, err);
    json_object_set_new(o, "method", json_string(sq_netting_name(method)));
    if (st == SQ_OK)
        st = sum_up(r.gross_fen, o, "gross_fen", err);
    if (st == SQ_OK)
        st = sum_up(r.cleared_fen, o, "cleared_fen", err);
    if (st == SQ_OK)
        st = sum_up(r.money_fen, o, "money_fen", err);
    json_object_set_new(o, "payments", json_integer((json_int_t)r.payment_count));
    json_array_append_new(list, o);
    sq_net_result_free(&r);
    return st;
}

sq_status sq_preview_ask(struct sq_console *c, const char *window_path, json_t **out, struct sq_error *err)
{
    /* What a region has at hand is its own business: the method that is limited by funds is not among them. */
    static const enum sq_netting_method methods[] = {SQ_NET_GROSS, SQ_NET_BILATERAL, SQ_NET_HUB, SQ_NET_CYCLES};
    json_t *window = NULL, *list = json_array();
    struct work *w = calloc(1, sizeof *w);
    sq_status st = w != NULL ? sq_live_ask(c, window_path, &window, err) : sq_fail(err, SQ_E_NOMEM, "preview");
    const json_t *pairs = json_object_get(window, "pairs");
    if (st == SQ_OK && pairs == NULL)
        st = sq_fail(err, SQ_E_NOT_FOUND, "%s is not agreed on yet: there is nothing to net", window_path);
    if (st == SQ_OK && json_array_size(pairs) < (size_t)json_integer_value(json_object_get(window, "pair_count")))
        st = sq_fail(err, SQ_E_FULL,
                     "%s has more pairs than the node sends at once: sanquan settle preview --ledger shows them",
                     window_path);
    if (st == SQ_OK)
        st = take_pairs(w, pairs, err);
    for (size_t i = 0; st == SQ_OK && i < sizeof methods / sizeof *methods; i++)
        st = add_method(w, methods[i], list, err);
    if (st == SQ_OK)
        *out = json_pack("{s:O, s:O}", "window", json_object_get(window, "window"), "methods", list);
    if (w != NULL)
        free(w->owed);
    free(w);
    json_decref(list);
    json_decref(window);
    return st;
}
