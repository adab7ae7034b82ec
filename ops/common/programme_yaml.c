/*
 * From the YAML file to the Programme message. libcyaml knows the shape of the file (programme_file.h) and sees to unknown and missing keys;
 * all values are text to it, and are read by programme_values.c. What is wrong is told by its place in the file, which finds the line.
 *
 * In the file a tier or limit carries its own conditions ("when"); in the message they are groups of the one list of conditions.
 */
#include "ops/common/programme_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/policy/programme.h"
#include "ops/common/programme_file.h"
#include "ops/common/programme_values.h"
#include "peers/yaml.h"

#define LAST_DAY 21991231u /* where no end is stated */

uint32_t sq_service_code(const char *name)
{
    const struct sq_word *w = sq_words_service;
    while (w->word != NULL && strcmp(w->word, name) != 0)
        w++;
    return w->number;
}

const char *sq_service_name(uint32_t code)
{
    const struct sq_word *w = sq_words_service;
    while (w->word != NULL && w->number != code)
        w++;
    return w->word;
}

/* ---- conditions ---- */

/* The message's condition number k was read from this place of the file: for faults that the check of terms finds. */
struct origin {
    char place[40];
};

struct conditions {
    Sanquan__V1__Condition **list;
    struct origin *origin;
    size_t count;
};

static int by_low(const void *a, const void *b)
{
    const struct sq_range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

static void put_ranges(struct sq_values *r, const char *place, Sanquan__V1__Condition *out, char **text, unsigned count)
{
    struct sq_range *ranges = sq_values_take(r, (count + 1) * sizeof *ranges);
    out->low = sq_values_take(r, (count + 1) * sizeof *out->low);
    out->high = sq_values_take(r, (count + 1) * sizeof *out->high);
    if (r->st != SQ_OK)
        return;
    for (unsigned i = 0; i < count; i++)
        ranges[i] = sq_value_range(r, place, out->attribute, text[i]);
    qsort(ranges, count, sizeof *ranges, by_low);
    for (unsigned i = 0; i < count; i++) {
        if (i != 0 && ranges[i].low <= ranges[i - 1].high)
            sq_values_fault(r, place, "two of the values overlap");
        out->low[i] = ranges[i].low;
        out->high[i] = ranges[i].high;
    }
    out->n_low = out->n_high = count;
}

static void convert_condition(struct sq_values *r, const char *place, const struct sq_file_condition *c, uint32_t group,
                              Sanquan__V1__Condition *out)
{
    static char one[] = "1", *member[] = {one};
    char at[64];
    sanquan__v1__condition__init(out);
    out->group = group;
    snprintf(at, sizeof at, "%s.of", place);
    out->subject = sq_value_word(r, at, sq_words_subject, c->of, 0);
    snprintf(at, sizeof at, "%s.what", place);
    out->attribute = sq_value_word(r, at, sq_words_attribute, c->what, 0);
    snprintf(at, sizeof at, "%s.at", place);
    out->step = sq_value_word(r, at, sq_words_step, c->at, 0);
    int list = out->attribute >= SQ_ATTR_LISTS && c->in == NULL && c->not_in == NULL && c->known_of == NULL;
    if ((c->in != NULL) + (c->not_in != NULL) + (c->known_of != NULL) + list != 1) {
        sq_values_fault(r, place, "has not exactly one of in, not_in and known_of");
        return;
    }
    if (c->known_of != NULL) {
        snprintf(at, sizeof at, "%s.known_of", place);
        uint32_t of = sq_value_word(r, at, sq_words_subject, c->known_of, 0);
        if (of != SANQUAN__V1__SUBJECT__SUBJECT_HOLDER && of != SANQUAN__V1__SUBJECT__SUBJECT_PROVIDER)
            sq_values_fault(r, at, "is neither holder nor provider");
        out->test = of == SANQUAN__V1__SUBJECT__SUBJECT_HOLDER ? SANQUAN__V1__TEST__TEST_OF_HOLDER
                                                               : SANQUAN__V1__TEST__TEST_OF_PROVIDER;
        return;
    }
    snprintf(at, sizeof at, "%s.%s", place, c->not_in != NULL ? "not_in" : "in");
    out->test = c->not_in != NULL ? SANQUAN__V1__TEST__TEST_NOT_IN : SANQUAN__V1__TEST__TEST_IN;
    if (list)
        put_ranges(r, at, out, member, 1);
    else if (c->not_in != NULL)
        put_ranges(r, at, out, c->not_in, c->not_in_count);
    else
        put_ranges(r, at, out, c->in, c->in_count);
}

static void add_conditions(struct sq_values *r, struct conditions *all, const char *place,
                           const struct sq_file_condition *in, unsigned count, uint32_t group)
{
    for (unsigned i = 0; i < count && r->st == SQ_OK; i++) {
        Sanquan__V1__Condition *out = sq_values_take(r, sizeof *out);
        if (all->count == SQ_TERMS_CONDITIONS_MAX)
            sq_values_fault(r, place, "there are more than 64 conditions in all");
        if (r->st != SQ_OK)
            return;
        struct origin *o = &all->origin[all->count];
        snprintf(o->place, sizeof o->place, "%s[%u]", place, i);
        convert_condition(r, o->place, &in[i], group, out);
        all->list[all->count++] = out;
    }
}

/* ---- the whole ---- */

static void convert_tiers(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m,
                          struct conditions *all, uint32_t *group)
{
    m->tiers = sq_values_take(r, (f->tiers_count + 1) * sizeof *m->tiers);
    for (unsigned i = 0; i < f->tiers_count && r->st == SQ_OK; i++) {
        const struct sq_file_tier *t = &f->tiers[i];
        char place[64];
        Sanquan__V1__Tier *out = sq_values_take(r, sizeof *out);
        if (out == NULL)
            return;
        sanquan__v1__tier__init(out);
        snprintf(place, sizeof place, "tiers[%u].rate", i);
        out->rate_bp = sq_value_share(r, place, t->rate);
        snprintf(place, sizeof place, "tiers[%u].lump", i);
        out->lump_fen = sq_value_money(r, place, t->lump);
        snprintf(place, sizeof place, "tiers[%u].cap_claim", i);
        out->cap_claim_fen = sq_value_money(r, place, t->cap_claim);
        snprintf(place, sizeof place, "tiers[%u].when", i);
        out->group = t->when_count != 0 ? ++*group : 0;
        add_conditions(r, all, place, t->when, t->when_count, out->group);
        m->tiers[m->n_tiers++] = out;
    }
    m->tier_choice = sq_value_word(r, "tier_choice", sq_words_choice, f->tier_choice, 0);
}

/* A limit's amounts are yuan, or plain numbers where it counts something else. */
static int64_t limit_value(struct sq_values *r, const char *place, uint32_t unit, const char *text)
{
    if (unit == SANQUAN__V1__UNIT__UNIT_FEN || unit == SANQUAN__V1__UNIT__UNIT_BASE)
        return sq_value_money(r, place, text);
    return text != NULL ? sq_value_whole(r, place, text) : 0;
}

static void convert_limits(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m,
                           struct conditions *all, uint32_t *group)
{
    m->limits = sq_values_take(r, (f->limits_count + 1) * sizeof *m->limits);
    for (unsigned i = 0; i < f->limits_count && r->st == SQ_OK; i++) {
        const struct sq_file_limit *l = &f->limits[i];
        char place[64];
        Sanquan__V1__Limit *out = sq_values_take(r, sizeof *out);
        if (out == NULL)
            return;
        sanquan__v1__limit__init(out);
        snprintf(place, sizeof place, "limits[%u].id", i);
        out->number = l->id != NULL ? sq_value_whole(r, place, l->id) : i + 1;
        snprintf(place, sizeof place, "limits[%u].scope", i);
        out->scope = sq_value_word(r, place, sq_words_scope, l->scope, 0);
        snprintf(place, sizeof place, "limits[%u].of", i);
        out->step = sq_value_word(r, place, sq_words_state, l->of, 0);
        snprintf(place, sizeof place, "limits[%u].counts", i);
        out->unit = sq_value_word(r, place, sq_words_counted, l->counts, SANQUAN__V1__UNIT__UNIT_FEN);
        snprintf(place, sizeof place, "limits[%u].period", i);
        out->period = sq_value_word(r, place, sq_words_period, l->period, 0);
        snprintf(place, sizeof place, "limits[%u].soft", i);
        out->soft = limit_value(r, place, out->unit, l->soft);
        snprintf(place, sizeof place, "limits[%u].hard", i);
        out->hard = limit_value(r, place, out->unit, l->hard);
        snprintf(place, sizeof place, "limits[%u].when", i);
        out->group = l->when_count != 0 ? ++*group : 0;
        add_conditions(r, all, place, l->when, l->when_count, out->group);
        m->limits[m->n_limits++] = out;
    }
}

/* "310000/2" */
static void convert_programme_name(struct sq_values *r, const char *place, const char *text, Sanquan__V1__Relation *out)
{
    const char *slash = strchr(text, '/');
    char issuer[8] = "";
    if (slash != text + 6) {
        sq_values_fault(r, place, "'%.30s' is no programme, such as 310000/2", text);
        return;
    }
    memcpy(issuer, text, 6);
    out->issuer = sq_value_whole(r, place, issuer);
    out->number = sq_value_whole(r, place, slash + 1);
}

static void convert_relations(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m)
{
    m->relations = sq_values_take(r, (f->relations_count + 1) * sizeof *m->relations);
    for (unsigned i = 0; i < f->relations_count && r->st == SQ_OK; i++) {
        const struct sq_file_relation *in = &f->relations[i];
        char place[64];
        Sanquan__V1__Relation *out = sq_values_take(r, sizeof *out);
        if (out == NULL)
            return;
        sanquan__v1__relation__init(out);
        snprintf(place, sizeof place, "relations[%u].programme", i);
        convert_programme_name(r, place, in->programme, out);
        snprintf(place, sizeof place, "relations[%u].together", i);
        out->together = sq_value_word(r, place, sq_words_together, in->together, 0);
        int states = out->together == SANQUAN__V1__TOGETHER__TOGETHER_EXCLUDES ||
                     out->together == SANQUAN__V1__TOGETHER__TOGETHER_REQUIRES;
        snprintf(place, sizeof place, "relations[%u].state", i);
        out->state = sq_value_word(r, place, sq_words_state, in->state, states ? 1 : 0);
        snprintf(place, sizeof place, "relations[%u].scope", i);
        out->scope = sq_value_word(r, place, sq_words_scope, in->scope,
                                   states ? SANQUAN__V1__SCOPE__SCOPE_HOLDER : SANQUAN__V1__SCOPE__SCOPE_CONTRACT);
        snprintf(place, sizeof place, "relations[%u].limit", i);
        out->limit_bp = sq_value_share(r, place, in->limit);
        m->relations[m->n_relations++] = out;
    }
}

static void convert_funders(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m)
{
    m->funders = sq_values_take(r, (f->funders_count + 1) * sizeof *m->funders);
    for (unsigned i = 0; i < f->funders_count && r->st == SQ_OK; i++) {
        char place[64];
        Sanquan__V1__Funder *out = sq_values_take(r, sizeof *out);
        if (out == NULL)
            return;
        sanquan__v1__funder__init(out);
        snprintf(place, sizeof place, "funders[%u].code", i);
        out->code = sq_value_whole(r, place, f->funders[i].code);
        snprintf(place, sizeof place, "funders[%u].share", i);
        out->share_bp = sq_value_share(r, place, f->funders[i].share);
        m->funders[m->n_funders++] = out;
    }
}

/* A change is a share of the baseline; of what rises it may be more than all of it. */
static uint32_t change_of(struct sq_values *r, const char *place, const char *text)
{
    char *end;
    if (text == NULL || strchr(text, '.') != NULL)
        return sq_value_share(r, place, text);
    unsigned long v = strtoul(text, &end, 10);
    if (strcmp(end, "%") != 0 || v == 0 || v > 10000 || text[0] < '0' || text[0] > '9')
        sq_values_fault(r, place, "'%.30s' is not a share, such as 20%% or 150%%", text);
    return (uint32_t)v * 100;
}

static void convert_stages(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m)
{
    m->stages = sq_values_take(r, (f->stages_count + 1) * sizeof *m->stages);
    for (unsigned i = 0; i < f->stages_count && r->st == SQ_OK; i++) {
        const struct sq_file_stage *g = &f->stages[i];
        char place[64];
        Sanquan__V1__Stage *out = sq_values_take(r, sizeof *out);
        if (out == NULL)
            return;
        sanquan__v1__stage__init(out);
        snprintf(place, sizeof place, "stages[%u].share", i);
        out->share_bp = sq_value_share(r, place, g->share);
        snprintf(place, sizeof place, "stages[%u].trigger", i);
        out->trigger = sq_value_word(r, place, sq_words_trigger, g->trigger, 1);
        snprintf(place, sizeof place, "stages[%u].metric", i);
        out->metric = g->metric != NULL ? sq_value_whole(r, place, g->metric) : 0;
        snprintf(place, sizeof place, "stages[%u].better", i);
        out->better = sq_value_word(r, place, sq_words_better, g->better, 0);
        snprintf(place, sizeof place, "stages[%u].change", i);
        out->change_bp = change_of(r, place, g->change);
        snprintf(place, sizeof place, "stages[%u].after_months", i);
        out->after_months = g->after_months != NULL ? sq_value_whole(r, place, g->after_months) : 0;
        m->stages[m->n_stages++] = out;
    }
    m->verdicts = sq_values_take(r, (f->verdicts_count + 1) * sizeof *m->verdicts);
    for (unsigned i = 0; i < f->verdicts_count && r->st == SQ_OK; i++) {
        char place[64];
        Sanquan__V1__Verdict *out = sq_values_take(r, sizeof *out);
        if (out == NULL)
            return;
        sanquan__v1__verdict__init(out);
        snprintf(place, sizeof place, "verdicts[%u].grade", i);
        out->grade = sq_value_whole(r, place, f->verdicts[i].grade);
        snprintf(place, sizeof place, "verdicts[%u].action", i);
        out->action = sq_value_word(r, place, sq_words_action, f->verdicts[i].action, 0);
        snprintf(place, sizeof place, "verdicts[%u].back", i);
        out->back_bp = sq_value_share(r, place, f->verdicts[i].back);
        m->verdicts[m->n_verdicts++] = out;
    }
    m->evaluators = f->evaluators != NULL ? sq_value_whole(r, "evaluators", f->evaluators) : 0;
}

static void convert_windows(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m)
{
    m->windows = sq_values_take(r, (f->windows_count + 1) * sizeof *m->windows);
    for (unsigned i = 0; i < f->windows_count && r->st == SQ_OK; i++) {
        const struct sq_file_window *w = &f->windows[i];
        char place[64];
        Sanquan__V1__ClaimWindow *out = sq_values_take(r, sizeof *out);
        if (out == NULL)
            return;
        sanquan__v1__claim_window__init(out);
        snprintf(place, sizeof place, "windows[%u].step", i);
        out->step = sq_value_word(r, place, sq_words_step, w->step, 0);
        snprintf(place, sizeof place, "windows[%u].from", i);
        out->from_day = sq_value_day(r, place, w->from);
        snprintf(place, sizeof place, "windows[%u].until", i);
        out->until_day = sq_value_day(r, place, w->until);
        snprintf(place, sizeof place, "windows[%u].closes", i);
        out->closes_minute = sq_value_minute(r, place, w->closes);
        snprintf(place, sizeof place, "windows[%u].every_months", i);
        out->every_months = w->every_months != NULL ? sq_value_whole(r, place, w->every_months) : 0;
        m->windows[m->n_windows++] = out;
    }
}

static void convert_head(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m)
{
    m->issuer = sq_value_whole(r, "issuer", f->issuer);
    m->number = sq_value_whole(r, "number", f->number);
    m->version = sq_value_whole(r, "version", f->version);
    m->kind = sq_value_word(r, "kind", sq_words_kind, f->kind, 0);
    m->title = sq_values_take(r, strlen(f->title) + 1);
    if (m->title != NULL)
        memcpy(m->title, f->title, strlen(f->title) + 1);
    m->from_day = sq_value_day(r, "from", f->from);
    m->until_day = f->until != NULL ? sq_value_day(r, "until", f->until) : LAST_DAY;
    m->rate_bp = sq_value_share(r, "rate", f->rate);
    m->base_kind = sq_value_word(r, "base", sq_words_base, f->base, 0);
    m->pool_fen = sq_value_money(r, "pool", f->pool);
    m->cap_claim_fen = sq_value_money(r, "cap_claim", f->cap_claim);
    m->cap_year_fen = sq_value_money(r, "cap_year", f->cap_year);
    m->cap_total_fen = sq_value_money(r, "cap_total", f->cap_total);
    m->min_claim_fen = sq_value_money(r, "min_claim", f->min_claim);
    m->stacking = sq_value_word(r, "stacking", sq_words_stacking, f->stacking, 0);
    m->stack_limit_bp = sq_value_share(r, "stack_limit", f->stack_limit);
}

static uint32_t whole_or_0(struct sq_values *r, const char *place, const char *text)
{
    return text != NULL ? sq_value_whole(r, place, text) : 0;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

#define WORD_LIST(field, words)                                                                                        \
    (m->n_##field = f->field##_count, m->field = sq_value_words(r, #field, words, f->field, f->field##_count))

static void convert_rest(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m)
{
    WORD_LIST(services, sq_words_service);
    WORD_LIST(provider_regions, sq_words_none);
    WORD_LIST(grant_documents, sq_words_document);
    WORD_LIST(redeem_documents, sq_words_document);
    WORD_LIST(sanction_causes, sq_words_cause);
    m->validity_days = whole_or_0(r, "validity_days", f->validity_days);
    m->support_months = whole_or_0(r, "support_months", f->support_months);
    m->sanction_months = whole_or_0(r, "sanction_months", f->sanction_months);
    m->related_hops = whole_or_0(r, "related_hops", f->related_hops);
    m->unit = sq_value_word(r, "unit", sq_words_unit, f->unit, 0);
    m->unit_price_fen = sq_value_money(r, "unit_price", f->unit_price);
    m->unit_size = f->unit_size != NULL ? sq_value_whole(r, "unit_size", f->unit_size) : f->unit_price != NULL;
    m->unique_contract = sq_value_word(r, "unique_contract", sq_words_contract, f->unique_contract, 0);
    m->unique_service = sq_value_word(r, "unique_service", sq_words_flag, f->unique_service, 0);
    m->recognition = sq_value_word(r, "recognition", sq_words_recognition, f->recognition, 0);
    m->pool_at = sq_value_word(r, "pool_at", sq_words_pool, f->pool_at, 0);
    m->payee = sq_value_word(r, "payee", sq_words_payee, f->payee, 0);
    m->allocation = sq_value_word(r, "allocation", sq_words_allocation, f->allocation, 0);
    m->rivals = sq_value_word(r, "rivals", sq_words_rivals, f->rivals, 0);
    m->auto_face_fen = sq_value_money(r, "auto_face", f->auto_face);
    m->n_waivable = f->waivable_count;
    m->waivable = sq_values_take(r, (f->waivable_count + 1) * sizeof *m->waivable);
    for (unsigned i = 0; i < f->waivable_count && r->st == SQ_OK; i++)
        m->waivable[i] = sq_value_refusal(r, "waivable", f->waivable[i]);
    if (r->st == SQ_OK)
        qsort(m->waivable, m->n_waivable, sizeof *m->waivable, by_number);
}

static void convert(struct sq_values *r, const struct sq_programme_file *f, Sanquan__V1__Programme *m,
                    struct conditions *all)
{
    uint32_t group = 0;
    all->list = sq_values_take(r, SQ_TERMS_CONDITIONS_MAX * sizeof *all->list);
    all->origin = sq_values_take(r, SQ_TERMS_CONDITIONS_MAX * sizeof *all->origin);
    if (r->st != SQ_OK)
        return;
    convert_head(r, f, m);
    convert_rest(r, f, m);
    add_conditions(r, all, "conditions", f->conditions, f->conditions_count, 0);
    convert_tiers(r, f, m, all, &group);
    convert_limits(r, f, m, all, &group);
    convert_relations(r, f, m);
    convert_funders(r, f, m);
    convert_stages(r, f, m);
    convert_windows(r, f, m);
    m->conditions = all->list;
    m->n_conditions = all->count;
}

/* The check of terms speaks of the message: say where in the file that was. */
static void tell_unfit(struct sq_values *r, const struct sq_fault *unfit, const struct conditions *all)
{
    static const struct {
        const char *in_message, *in_file;
    } keys[] = {{"subject", "of"}, {"attribute", "what"}, {"low", "in"},
                {"step", "at"},    {"number", "id"},      {"unit", "counts"}};
    char place[64], *dot;
    size_t condition =
        strncmp(unfit->place, "conditions[", 11) == 0 ? strtoul(unfit->place + 11, NULL, 10) : all->count;
    if (condition < all->count)
        snprintf(place, sizeof place, "%s%s", all->origin[condition].place, strchr(unfit->place, ']') + 1);
    else
        snprintf(place, sizeof place, "%s", unfit->place);
    if (strncmp(place, "limits[", 7) == 0 && strstr(place, "].step") != NULL)
        strcpy(strstr(place, "].step"), "].of");
    dot = strrchr(place, '.');
    dot = dot != NULL && strchr(place, '[') != NULL ? dot + 1 : NULL;
    if (strncmp(place, "windows[", 8) == 0 || strncmp(place, "relations[", 10) == 0)
        dot = NULL; /* they have the message's names */
    for (size_t i = 0; dot != NULL && i < sizeof keys / sizeof *keys; i++)
        if (strcmp(dot, keys[i].in_message) == 0) {
            snprintf(dot, sizeof place - (size_t)(dot - place), "%s", keys[i].in_file);
            break;
        }
    sq_values_fault(r, place, "%s", unfit->why);
}

sq_status sq_programme_read(const char *path, struct sq_arena *arena, Sanquan__V1__Programme **out,
                            struct sq_error *err)
{
    uint8_t *data;
    size_t size;
    void *parsed = NULL;
    struct sq_fault unfit;
    struct conditions all = {0};
    sq_status st = sq_file_read(path, &data, &size, err);
    if (st != SQ_OK)
        return st;
    struct sq_values r = {path, sq_bytes_of(data, size), arena, err, SQ_OK};
    r.st = sq_yaml_parse(r.text, path, &sq_programme_file_schema, &parsed, err);
    Sanquan__V1__Programme *m = r.st == SQ_OK ? sq_values_take(&r, sizeof *m) : NULL;
    if (m != NULL) {
        sanquan__v1__programme__init(m);
        convert(&r, parsed, m, &all);
    }
    if (r.st == SQ_OK && !sq_terms_check(m, &unfit))
        tell_unfit(&r, &unfit, &all);
    if (parsed != NULL)
        sq_yaml_free(&sq_programme_file_schema, parsed);
    free(data);
    if (r.st == SQ_OK)
        *out = m;
    return r.st;
}
