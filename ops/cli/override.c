/* sanquan override: for one holder a refusal is lifted, by a named approver and for a reason (可放宽, 一事一议). */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/names.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

#define APPROVER_MAX 100u
#define REASON_MAX   400u

struct lifting {
    uint32_t issuer, number, until_day, limit;
    unsigned refusal;
    char *holder;
    uint64_t voucher;
    int64_t ceiling; /* fen, or of the limit's unit; 0: none */
    const char *approver, *reason;
};

enum {
    KEY_PROGRAMME = 0x100,
    KEY_VOUCHER,
    KEY_LIFT,
    KEY_LIMIT,
    KEY_CEILING,
    KEY_CEILING_UNITS,
    KEY_UNTIL,
    KEY_APPROVER,
    KEY_REASON
};

/* "CAP_YEAR", with SQ_R_ before it or not; 0: no refusal has this name. */
static unsigned refusal_of(const char *text)
{
    char name[60];
    snprintf(name, sizeof name, "%s%.50s", strncmp(text, "SQ_R_", 5) == 0 ? "" : "SQ_R_", text);
    for (unsigned code = 100; code < 256; code++)
        if (strcmp(sq_status_name(code), name) == 0)
            return code;
    return 0;
}

static error_t take_text(const char **to, const char *option, unsigned most, const char *value,
                         const struct argp_state *state)
{
    *to = value;
    return strlen(value) <= most ? 0 : sq_args_wrong(state, _("--%s: at most %u bytes go"), option, most);
}

static error_t check(const struct lifting *x, const struct argp_state *state)
{
    if (x->holder == NULL)
        return sq_args_wrong(state, _("say for which holder"));
    if (x->number == 0)
        return sq_args_wrong(state, _("say under which programme: --programme ISSUER/NUMBER"));
    if (x->refusal == 0 || x->until_day == 0)
        return sq_args_wrong(state, _("--lift and --until are needed"));
    if (x->approver == NULL || *x->approver == '\0' || x->reason == NULL || *x->reason == '\0')
        return sq_args_wrong(state, _("say who approved it and why: --approver TEXT, --reason TEXT"));
    if ((x->refusal == SQ_R_LIMIT_SOFT) != (x->limit != 0))
        return sq_args_wrong(state, _("--limit goes with --lift LIMIT_SOFT, and names the limit by its number"));
    return 0;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct lifting *x = state->input;
    char why[SQ_WHY_SIZE];
    uint64_t n = 0;
    switch (key) {
    case KEY_PROGRAMME:
        return sq_args_take_programme(state, value, &x->issuer, &x->number);
    case KEY_VOUCHER:
        return strlen(value) == 19 && sq_read_number(value, &x->voucher) && x->voucher != 0
                   ? 0
                   : sq_args_wrong(state, _("%s: not a voucher number"), value);
    case KEY_LIFT:
        x->refusal = refusal_of(value);
        return x->refusal != 0 ? 0
                               : sq_args_wrong(state, _("--lift %s: no refusal has this name; one is CAP_YEAR"), value);
    case KEY_LIMIT:
        x->limit = sq_args_number(value, 1, 255, &n) ? (uint32_t)n : 0;
        return x->limit != 0 ? 0 : sq_args_wrong(state, _("--limit %s: limits are numbered 1 to 255"), value);
    case KEY_CEILING:
        return sq_read_yuan(value, &x->ceiling) && x->ceiling > 0
                   ? 0
                   : sq_args_wrong(state, _("--ceiling %s: not an amount in yuan"), value);
    case KEY_CEILING_UNITS:
        if (!sq_args_number(value, 1, 1000000000000000u, &n))
            return sq_args_wrong(state, _("--ceiling-units %s: not a number"), value);
        x->ceiling = (int64_t)n;
        return 0;
    case KEY_UNTIL:
        return sq_read_day(value, &x->until_day) ? 0 : sq_args_wrong(state, _("--until %s: not a day"), value);
    case KEY_APPROVER:
        return take_text(&x->approver, "approver", APPROVER_MAX, value, state);
    case KEY_REASON:
        return take_text(&x->reason, "reason", REASON_MAX, value, state);
    case ARGP_KEY_ARG:
        if (x->holder != NULL)
            return ARGP_ERR_UNKNOWN;
        x->holder = value;
        return sq_uscc_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
    case ARGP_KEY_END:
        return check(x, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"programme", KEY_PROGRAMME, N_("ISSUER/NUMBER"), 0, N_("under this programme"), 0},
    {"voucher", KEY_VOUCHER, N_("NUMBER"), 0, N_("for this voucher alone; left out: all of the holder's"), 0},
    {"lift", KEY_LIFT, N_("REFUSAL"), 0,
     N_("what is lifted, by name: one that the programme calls waivable (CAP_YEAR), or LIMIT_SOFT"), 0},
    {"limit", KEY_LIMIT, N_("NUMBER"), 0, N_("with LIMIT_SOFT: which limit of the programme"), 0},
    {"ceiling", KEY_CEILING, N_("YUAN"), 0, N_("with this use the sum may be at most so much; left out: no ceiling"),
     0},
    {"ceiling-units", KEY_CEILING_UNITS, N_("NUMBER"), 0, N_("the same of a limit that counts items or a quantity"), 0},
    {"until", KEY_UNTIL, N_("DAY"), 0, N_("last day on which it lifts anything"), 0},
    {"approver", KEY_APPROVER, N_("TEXT"), 0, N_("name and office of who approved it"), 0},
    {"reason", KEY_REASON, N_("TEXT"), 0, N_("why"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("HOLDER"),
    N_("Lift a refusal for one holder under a programme, as far as the programme allows it. For issuers."),
    N_("Approver and reason stay in the ledger. The holder's grants and redemptions are not refused for it any more, "
       "until that day and up\n"
       "to the ceiling; 'sanquan explain' shows where it was used.\n"
       "\n"
       "  sanquan override 12370199TXXXXX132Y --programme 310000/1 --lift LIMIT_SOFT --limit 1 --ceiling 2000000 \\\n"
       "      --until 2026-12-31 --approver \"Wang, deputy director\" --reason \"minutes 2026-9\" --key issuer.key"),
    1};

int sq_cmd_override(struct sq_cli *cli, int argc, char **argv)
{
    struct lifting x = {0};
    struct sq_error err = {0};
    Sanquan__V1__Override m;
    int code = sq_cli_parse(cli, &args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__override__init(&m);
    m.issuer = x.issuer;
    m.programme = x.number;
    m.holder = x.holder;
    m.voucher = x.voucher;
    m.refusal = x.refusal;
    m.limit = x.limit;
    m.ceiling = x.ceiling;
    m.until_day = x.until_day;
    m.approver = sq_need(strdup(x.approver));
    m.reason = sq_need(strdup(x.reason));
    sq_status st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__OVERRIDE, &m.base, NULL, &err);
    free(m.approver);
    free(m.reason);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:s, s:I, s:I, s:I}", "holder", x.holder, "lift", sq_status_name(x.refusal),
                              "limit", (json_int_t)x.limit, "ceiling", (json_int_t)x.ceiling, "until_day",
                              (json_int_t)x.until_day));
    else
        puts(_("in force"));
    return SQ_EXIT_DONE;
}
