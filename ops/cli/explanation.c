/*
 * One sq_explain, shown. A reason is of one of two forms: an amount (limit, used before, left), or a value that was looked at; what kind
 * of value it is follows from the rule.
 */
#include "ops/cli/explanation.h"

#include <string.h>

#include "ops/cli/cli.h"
#include "ops/cli/text.h"
#include "proto/sanquan.pb-c.h"

enum value { NUMBER, FEN, DAY, MOMENT };

static const struct rule {
    unsigned status;
    const char *name;
    enum value value;
} rules[] = {
    {SQ_R_VOUCHER_REVOKED, N_("voucher not revoked"), MOMENT},
    {SQ_R_VOUCHER_EXPIRED, N_("voucher's last day"), DAY},
    {SQ_R_SELF_USE, N_("holder is not the provider"), NUMBER},
    {SQ_R_SERVICE_DAY, N_("service day within the programme"), DAY},
    {SQ_R_PROVIDER_REGION, N_("provider's region"), NUMBER},
    {SQ_R_WINDOW_CLOSED, N_("programme takes claims"), MOMENT},
    {SQ_R_SERVICE, N_("service code"), NUMBER},
    {SQ_R_HOLDER_REGION, N_("holder's region"), NUMBER},
    {SQ_R_HOLDER_SECTOR, N_("holder's sector"), NUMBER},
    {SQ_R_HOLDER_CONDITION, N_("condition on the holder"), NUMBER},
    {SQ_R_PROVIDER_LIST, N_("list of providers"), NUMBER},
    {SQ_R_PROVIDER_CONDITION, N_("condition on the provider"), NUMBER},
    {SQ_R_CONTRACT_TERMS, N_("contract's date, term, amount"), NUMBER},
    {SQ_R_VOUCHER_CONDITION, N_("condition on the voucher"), NUMBER},
    {SQ_R_CHANNEL, N_("channel of the order"), NUMBER},
    {SQ_R_FILING, N_("filing number of the model"), NUMBER},
    {SQ_R_CLAIM_CONDITION, N_("condition on the claim"), NUMBER},
    {SQ_R_DOCUMENTS, N_("document"), NUMBER},
    {SQ_R_BELOW_MINIMUM, N_("smallest base"), FEN},
    {SQ_R_METERED, N_("base by metered quantity"), NUMBER},
    {SQ_R_NO_TIER, N_("a tier or rate fits"), FEN},
    {SQ_R_RATE_EXCEEDED, N_("rate times base, or lump sum"), FEN},
    {SQ_R_CAP_CLAIM, N_("cap per claim"), FEN},
    {SQ_R_HOLDER_SANCTIONED, N_("holder under no sanction"), NUMBER},
    {SQ_R_PROVIDER_SANCTIONED, N_("provider under no sanction"), NUMBER},
    {SQ_R_RELATED_PARTY, N_("holder and provider not related"), NUMBER},
    {SQ_R_SUPPORT_PERIOD, N_("support period, first day"), DAY},
    {SQ_R_NO_MANDATE, N_("holder's mandate"), NUMBER},
    {SQ_R_MANDATE_EXPIRED, N_("mandate's last moment"), MOMENT},
    {SQ_R_MANDATE_OVERDRAWN, N_("limit of the mandate"), FEN},
    {SQ_R_VOUCHER_OVERDRAWN, N_("face of the voucher"), FEN},
    {SQ_R_CONTRACT_BASE, N_("bases within the contract"), FEN},
    {SQ_R_QUOTA, N_("quota of the voucher"), NUMBER},
    {SQ_R_CAP_YEAR, N_("yearly cap of the holder"), FEN},
    {SQ_R_CAP_TOTAL, N_("lifetime cap of the holder"), FEN},
    {SQ_R_LIMIT, N_("limit"), FEN},
    {SQ_R_LIMIT_SOFT, N_("usual limit"), FEN},
    {SQ_R_SERVICE_TAKEN, N_("delivery claimed once"), NUMBER},
    {SQ_R_POOL_EXHAUSTED, N_("programme's pool"), FEN},
    {SQ_R_BUNDLE, N_("the other parts of its bundle"), NUMBER},
    {SQ_R_INVOICE_OVERDRAWN, N_("base within the invoice's total"), FEN},
    {SQ_R_STAGE_NOT_FREE, N_("stages of the voucher that are free"), FEN},
    {SQ_R_PAYEE, N_("payee"), NUMBER},
    {SQ_R_EXCLUDED, N_("not together with another programme"), NUMBER},
    {SQ_R_REQUIRED, N_("only together with another programme"), NUMBER},
    {SQ_R_HIGHER_ONLY, N_("higher of two programmes"), FEN},
    {SQ_R_SHARE_LIMIT, N_("share of two programmes"), FEN},
    {SQ_R_NO_AGREEMENT, N_("agreement of the two regions"), NUMBER},
    {SQ_R_AGREEMENT_RATE, N_("rate that the regions agreed on, version"), FEN},
    {SQ_R_AGREEMENT_EXPOSURE, N_("what the region may owe by agreement, version"), FEN},
    {SQ_R_INVOICE_SELLER, N_("one seller an invoice"), NUMBER},
    {SQ_R_INVOICE_TOTAL, N_("one total an invoice"), NUMBER},
    {SQ_R_INVOICE_STACKING, N_("programmes that stack on an invoice"), NUMBER},
    {SQ_R_NET_DEBIT_CAP, N_("region's net debit cap"), FEN},
    {SQ_R_NOT_PREFUNDED, N_("region's settlement account"), FEN},
};

static const struct rule *rule_of(unsigned status)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].status == status)
            return &rules[i];
    return NULL;
}

const char *sq_explanation_rule(unsigned status)
{
    const struct rule *rule = rule_of(status);
    return _(rule != NULL ? rule->name : sq_status_text(status));
}

static int is_money(const struct sq_reason *r)
{
    return r->unit == SANQUAN__V1__UNIT__UNIT_FEN || r->unit == SANQUAN__V1__UNIT__UNIT_BASE;
}

static const char *amount_text(const struct sq_reason *r, int64_t amount, char out[static SQ_TEXT_SIZE])
{
    if (is_money(r))
        return sq_text_yuan(amount, out);
    snprintf(out, SQ_TEXT_SIZE, "%" PRId64, amount);
    return out;
}

/* The value that a rule of yes or no looked at; "" where 0 only says that there was none. */
static const char *value_text(const struct sq_reason *r, char out[static SQ_TEXT_SIZE])
{
    const struct rule *rule = rule_of(r->status);
    out[0] = '\0';
    if (r->used == 0 || rule == NULL)
        return out;
    switch (rule->value) {
    case FEN:
        return sq_text_yuan(r->used, out);
    case DAY:
        return sq_text_day((uint32_t)r->used, out);
    case MOMENT:
        return sq_text_time((uint64_t)r->used, out);
    case NUMBER:
        snprintf(out, SQ_TEXT_SIZE, "%" PRId64, r->used);
        break;
    }
    return out;
}

static void put_reason(struct sq_grid *g, const struct sq_explain *x, const struct sq_reason *r)
{
    static const char *const results[] = {N_("refuses"), N_("holds"), N_("lifted by an override")};
    char text[SQ_TEXT_SIZE];
    int decided = x->status != 0 && r->status == x->status && r->passed == 0;
    sq_grid_put(g, "%s", decided ? ">" : "");
    if (r->index != 0)
        sq_grid_put(g, "%s %u", sq_explanation_rule(r->status), r->index);
    else
        sq_grid_put(g, "%s", sq_explanation_rule(r->status));
    if (r->is_amount) {
        sq_grid_put(g, "%s", amount_text(r, r->cap, text));
        sq_grid_put(g, "%s", amount_text(r, r->used, text));
        sq_grid_put(g, "%s", amount_text(r, r->left, text));
        sq_grid_put(g, "%s", "");
    } else {
        for (int i = 0; i < 3; i++)
            sq_grid_put(g, "%s", "");
        sq_grid_put(g, "%s", value_text(r, text));
    }
    sq_grid_put(g, "%s", _(results[r->passed]));
}

static void print_rules(const struct sq_explain *x)
{
    const char *headers[] = {"", _("rule"), _("limit"), _("used before"), _("left of it"), _("value"), _("result")};
    struct sq_grid g;
    sq_grid_begin(&g, "llrrrrl", headers);
    for (size_t i = 0; i < x->count; i++)
        put_reason(&g, x, &x->reason[i]);
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_entitlement(const struct sq_explain *x)
{
    char rate[SQ_TEXT_SIZE], base[SQ_TEXT_SIZE], fen[SQ_TEXT_SIZE];
    if (x->lump_fen != 0)
        printf(_("  entitled to a lump sum of %s"), sq_text_money(x->entitled_fen, fen));
    else
        printf(_("  entitled to %s of %s = %s, rounded down to the fen"), sq_text_bp(x->rate_bp, rate),
               sq_text_money(x->base_fen, base), sq_text_money(x->entitled_fen, fen));
    if (x->tier != 0)
        printf(_(", by tier %u"), x->tier);
    putchar('\n');
}

void sq_explanation_print(const struct sq_explain *x)
{
    char asked[SQ_TEXT_SIZE], most[SQ_TEXT_SIZE];
    if (x->status == SQ_OK)
        printf("%s\n", _("accepted"));
    else
        printf(_("refused: %s (%s, %u)\n"), _(sq_status_text(x->status)), sq_status_name(x->status), x->status);
    if (x->issuer == 0)
        return; /* it never came to the programme's rules */
    if (x->version == 0)
        printf(_("  programme %06u/%u, not in force on the service day, or not looked at\n"), x->issuer, x->number);
    else
        printf(_("  programme %06u/%u version %u\n"), x->issuer, x->number, x->version);
    if (x->rate_bp != 0 || x->lump_fen != 0)
        print_entitlement(x);
    printf(_("  asked for %s"), sq_text_money(x->amount_fen, asked));
    if (x->payable_fen != INT64_MAX)
        printf(_("; all amount rules together let %s through"), sq_text_money(x->payable_fen, most));
    putchar('\n');
    if (x->has_advance && x->status == SQ_OK)
        printf(_("  of it %s is paid by money in advance; %s of that is left\n"), sq_text_money(x->advance_fen, asked),
               sq_text_money(x->advance_left_fen, most));
    print_rules(x);
}

static json_t *reason_json(const struct sq_reason *r)
{
    static const char *const results[] = {"no", "yes", "lifted"}, *const units[] = {"", "fen", "base_fen", "count",
                                                                                    "quantity"};
    json_t *o = sq_need(json_pack("{s:s, s:i, s:s}", "rule", sq_status_name(r->status), "index", (int)r->index,
                                  "passed", results[r->passed]));
    if (r->is_amount)
        json_object_update_new(
            o, sq_need(json_pack("{s:s, s:I, s:I, s:I}", "unit", units[r->unit < 5 ? r->unit : 0], "limit",
                                 (json_int_t)r->cap, "used", (json_int_t)r->used, "left", (json_int_t)r->left)));
    else
        json_object_set_new(o, "value", json_integer(r->used));
    return o;
}

json_t *sq_explanation_json(const struct sq_explain *x)
{
    json_t *list = sq_need(json_array());
    for (size_t i = 0; i < x->count; i++)
        json_array_append_new(list, reason_json(&x->reason[i]));
    json_t *o = sq_need(json_pack("{s:b, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:o}", "accepted",
                                  x->status == SQ_OK, "status", sq_status_name(x->status), "code", (int)x->status,
                                  "issuer", (int)x->issuer, "programme", (int)x->number, "version", (int)x->version,
                                  "tier", (int)x->tier, "rate_bp", (int)x->rate_bp, "lump_fen", (json_int_t)x->lump_fen,
                                  "base_fen", (json_int_t)x->base_fen, "amount_fen", (json_int_t)x->amount_fen,
                                  "entitled_fen", (json_int_t)x->entitled_fen, "rules", list));
    json_object_set_new(o, "advance_fen", x->has_advance ? json_integer(x->advance_fen) : json_null());
    json_object_set_new(o, "advance_left_fen", x->has_advance ? json_integer(x->advance_left_fen) : json_null());
    json_object_set_new(o, "payable_fen",
                        x->issuer != 0 && x->payable_fen != INT64_MAX ? json_integer(x->payable_fen) : json_null());
    return o;
}
