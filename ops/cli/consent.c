/* sanquan consent: a holder wants the support that comes by itself (免申即享), and allows a provider to draw on it. */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/names.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

struct consenting {
    uint32_t issuer, number, until_day;
    char *provider;
    int64_t limit_fen; /* -1: not given */
    uint64_t until_ms;
};

enum { KEY_PROGRAMME = 0x100, KEY_LIMIT, KEY_UNTIL, KEY_MANDATE_UNTIL };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct consenting *x = state->input;
    char why[SQ_WHY_SIZE];
    switch (key) {
    case KEY_PROGRAMME:
        return sq_args_take_programme(state, value, &x->issuer, &x->number);
    case KEY_LIMIT:
        return sq_read_yuan(value, &x->limit_fen) && x->limit_fen >= 0
                   ? 0
                   : sq_args_wrong(state, _("--limit %s: not an amount in yuan"), value);
    case KEY_UNTIL:
        return sq_read_day(value, &x->until_day) ? 0 : sq_args_wrong(state, _("--until %s: not a day"), value);
    case KEY_MANDATE_UNTIL:
        return sq_read_moment(value, &x->until_ms)
                   ? 0
                   : sq_args_wrong(state, _("--mandate-until %s: neither a day nor a time of Beijing"), value);
    case ARGP_KEY_ARG:
        if (x->provider != NULL)
            return ARGP_ERR_UNKNOWN;
        x->provider = value;
        return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
    case ARGP_KEY_END:
        if (x->provider == NULL)
            return sq_args_wrong(state, _("say which provider may draw on it"));
        if (x->number == 0)
            return sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER"));
        return x->limit_fen < 0 || x->until_day == 0 ? sq_args_wrong(state, _("--limit and --until are needed")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"programme", KEY_PROGRAMME, N_("ISSUER/NUMBER"), 0, N_("under this programme, which must offer it"), 0},
    {"limit", KEY_LIMIT, N_("YUAN"), 0, N_("most that the provider may draw"), 0},
    {"until", KEY_UNTIL, N_("DAY"), 0, N_("last day of the voucher"), 0},
    {"mandate-until", KEY_MANDATE_UNTIL, N_("TIME"), 0,
     N_("last moment at which the provider may draw (that day's end)"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("PROVIDER"),
    N_("Consent to the support that comes by itself (免申即享), and let a provider draw on it. For holders, at the "
       "node of "
       "the programme's issuer."),
    N_("The answer is the voucher's number. It has no face yet: its first use grants it, in the same step, if the "
       "programme's conditions\n"
       "hold for you and nothing stands against you then; nobody applies and nobody decides.\n"
       "\n"
       "  sanquan consent 91310199TXXXXX0015 --programme 310000/1 --limit 50000 --until 2026-12-31 \\\n"
       "      --key holder.key --node 310000"),
    1};

/* The last moment of a day in UTC+8. */
static uint64_t end_of(uint32_t day)
{
    char text[12];
    uint64_t ms = 0;
    snprintf(text, sizeof text, "%u", day);
    return sq_read_moment(text, &ms) ? ms : 0;
}

int sq_cmd_consent(struct sq_cli *cli, int argc, char **argv)
{
    struct consenting x = {.limit_fen = -1};
    struct sq_error err = {0};
    struct sq_told told;
    char voucher[24];
    Sanquan__V1__Consent m;
    int code = sq_cli_parse(cli, &args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__consent__init(&m);
    m.issuer = x.issuer;
    m.programme = x.number;
    m.provider = x.provider;
    m.limit_fen = x.limit_fen;
    m.until_day = x.until_day;
    m.until_ms = x.until_ms != 0 ? x.until_ms : end_of(x.until_day);
    sq_status st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__CONSENT, &m.base, &told, &err);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    snprintf(voucher, sizeof voucher, "%019" PRIu64, told.number);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:s, s:I, s:I, s:I}", "voucher", voucher, "provider", x.provider, "limit_fen",
                              (json_int_t)x.limit_fen, "until_day", (json_int_t)x.until_day, "until_ms",
                              (json_int_t)m.until_ms));
    else
        printf(_("voucher %s; its first use grants it\n"), voucher);
    return SQ_EXIT_DONE;
}
