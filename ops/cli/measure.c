/*
 * sanquan measure, sanquan voucher: an evaluator's signed measurement of what a voucher was given for, and how far the voucher has come.
 *
 *   baseline -> stage 1, 2 ... : free | nothing more | taken back
 */
#include <stdlib.h>
#include <string.h>

#include "ops/cli/session.h"
#include "ops/cli/text.h"

#define NOTE_MAX       400u
#define EVIDENCE_BYTES 16u

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static error_t take_voucher(uint64_t *voucher, const char *value, const struct argp_state *state)
{
    if (*voucher != 0)
        return ARGP_ERR_UNKNOWN;
    return strlen(value) == 19 && sq_read_number(value, voucher) && *voucher != 0
               ? 0
               : sq_args_wrong(state, _("%s: not a voucher number"), value);
}

/* ---- voucher ---- */

static error_t parse_voucher(int key, char *value, struct argp_state *state)
{
    uint64_t *voucher = state->input;
    if (key == ARGP_KEY_ARG)
        return take_voucher(voucher, value, state);
    return key == ARGP_KEY_END && *voucher == 0 ? sq_args_wrong(state, _("say which voucher")) : ARGP_ERR_UNKNOWN;
}

static const struct sq_args voucher_args = {
    NULL,
    parse_voucher,
    N_("VOUCHER"),
    N_("Show a voucher: its face, what is reserved and spent, and, where it is paid in stages, how far it has come."),
    N_("For its issuer, its holder, operators of the issuer's node and regulators, at that node. 'sanquan history "
       "--voucher' shows its\n"
       "life.\n"
       "\n"
       "  sanquan voucher 3100000001000000001 --key issuer.key"),
    1};

static const char *state_text(const char *name)
{
    static const char *const states[] = {N_("granted"), N_("active"), N_("exhausted"), N_("expired"), N_("revoked")};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(name, states[i]) == 0)
            return _(states[i]);
    return name;
}

static void print_amount(const json_t *v, const char *label, const char *key)
{
    char text[SQ_TEXT_SIZE];
    printf("%s: %s\n", label, sq_text_money(int_of(v, key), text));
}

static void print_stages(const json_t *v)
{
    size_t i;
    json_t *n;
    print_amount(v, _("set free by its stages"), "free_fen");
    printf("%s:", _("stages that are free"));
    json_array_foreach(json_object_get(v, "stages_free"), i, n)
    {
        printf(" %" JSON_INTEGER_FORMAT, json_integer_value(n));
    }
    putchar('\n');
    if (json_is_true(json_object_get(v, "stopped")))
        puts(_("nothing more is paid"));
    if (int_of(v, "back_fen") != 0)
        print_amount(v, _("taken back"), "back_fen");
}

static void print_voucher(const json_t *v)
{
    char text[SQ_TEXT_SIZE];
    const char *holder = strchr(json_string_value(json_object_get(v, "holder")), ':');
    printf("%s: %s\n", _("holder"), holder != NULL ? holder + 1 : "");
    printf("%s: %s\n", _("state"), state_text(json_string_value(json_object_get(v, "state"))));
    printf("%s: %s\n", _("last day of use"), sq_text_day((uint32_t)int_of(v, "until_day"), text));
    print_amount(v, _("face"), "face_fen");
    print_amount(v, _("reserved"), "reserved_fen");
    print_amount(v, _("spent"), "spent_fen");
    if (json_object_get(v, "free_fen") != NULL)
        print_stages(v);
}

int sq_cmd_voucher(struct sq_cli *cli, int argc, char **argv)
{
    uint64_t voucher = 0;
    char path[40];
    struct sq_session s;
    struct sq_error err = {0};
    json_t *answer = NULL;
    int code = sq_cli_parse(cli, &voucher_args, argc, argv, &voucher);
    if (code != SQ_PARSED)
        return code;
    snprintf(path, sizeof path, "voucher/%" PRIu64, voucher);
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_ask(&s, path, &answer, &err);
    sq_session_close(&s);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    snprintf(path, sizeof path, "%019" PRIu64, voucher);
    json_object_set_new(answer, "voucher", json_string(path)); /* many readers of JSON round integers that large */
    if (cli->json)
        sq_cli_json(json_incref(answer));
    else
        print_voucher(answer);
    json_decref(answer);
    return SQ_EXIT_DONE;
}

/* ---- measure ---- */

struct measuring {
    uint64_t voucher, stage, grade, metric, value;
    int baseline, has_value;
    uint32_t day;
    uint8_t evidence[32];
    int has_evidence;
    const char *note;
};

enum { KEY_STAGE = 0x100, KEY_BASELINE, KEY_GRADE, KEY_METRIC, KEY_VALUE, KEY_DAY, KEY_EVIDENCE, KEY_NOTE };

static error_t take_number(uint64_t *to, uint64_t least, uint64_t most, const char *option, const char *value,
                           const struct argp_state *state)
{
    return sq_args_number(value, least, most, to)
               ? 0
               : sq_args_wrong(state, _("--%s %s: a whole number from %" PRIu64 " to %" PRIu64 " goes here"), option,
                               value, least, most);
}

static error_t check_measuring(const struct measuring *x, const struct argp_state *state)
{
    if (x->voucher == 0)
        return sq_args_wrong(state, _("say which voucher"));
    if (x->baseline == (x->stage != 0))
        return sq_args_wrong(state, _("say what it is: --baseline, or --stage NUMBER"));
    if (x->baseline && (x->metric == 0 || !x->has_value || x->grade != 0))
        return sq_args_wrong(state, _("a baseline has --metric and --value"));
    if (x->stage != 0 && (x->grade != 0) == (x->metric != 0 && x->has_value))
        return sq_args_wrong(state, _("a stage has either --grade, or --metric and --value"));
    if (x->day == 0 || !x->has_evidence)
        return sq_args_wrong(state, _("--day and --evidence are needed"));
    return 0;
}

static error_t parse_measure(int key, char *value, struct argp_state *state)
{
    struct measuring *x = state->input;
    switch (key) {
    case KEY_STAGE:
        return take_number(&x->stage, 1, 8, "stage", value, state);
    case KEY_BASELINE:
        x->baseline = 1;
        return 0;
    case KEY_GRADE:
        return take_number(&x->grade, 1, UINT32_MAX, "grade", value, state);
    case KEY_METRIC:
        return take_number(&x->metric, 1, UINT32_MAX, "metric", value, state);
    case KEY_VALUE:
        x->has_value = 1;
        return take_number(&x->value, 0, 1000000000000000u, "value", value, state);
    case KEY_DAY:
        return sq_read_day(value, &x->day) ? 0 : sq_args_wrong(state, _("--day %s: not a day"), value);
    case KEY_EVIDENCE:
        x->has_evidence = 1;
        return sq_unhex(value, x->evidence, strlen(value) == 64 ? 32 : EVIDENCE_BYTES, NULL) == SQ_OK
                   ? 0
                   : sq_args_wrong(state, _("--evidence: the SHA-256 of the documents, 64 lower-case hexadecimal "
                                            "digits, or the first 32"));
    case KEY_NOTE:
        x->note = value;
        return strlen(value) <= NOTE_MAX ? 0 : sq_args_wrong(state, _("--note: at most %u bytes go"), NOTE_MAX);
    case ARGP_KEY_ARG:
        return take_voucher(&x->voucher, value, state);
    case ARGP_KEY_END:
        return check_measuring(x, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option measure_options[] = {
    {"baseline", KEY_BASELINE, NULL, 0, N_("how it was before: what later measurements are held against"), 0},
    {"stage", KEY_STAGE, N_("NUMBER"), 0, N_("of the programme's stages, the one that comes next"), 0},
    {"grade", KEY_GRADE, N_("NUMBER"), 0, N_("for a stage that waits for a grade; 1 is the best"), 0},
    {"metric", KEY_METRIC, N_("NUMBER"), 0, N_("what was measured, as the programme numbers it"), 0},
    {"value", KEY_VALUE, N_("NUMBER"), 0, N_("what came out"), 0},
    {"day", KEY_DAY, N_("DAY"), 0, N_("on which it was measured"), 0},
    {"evidence", KEY_EVIDENCE, N_("HEX"), 0, N_("SHA-256 of the report"), 0},
    {"note", KEY_NOTE, N_("TEXT"), 0, N_("anything else, for everybody to read"), 0},
    {0},
};
static const struct sq_args measure_args = {
    measure_options,
    parse_measure,
    N_("VOUCHER"),
    N_("Sign what was measured of a voucher's purpose: it sets the next part of its face free, or stops it, or takes "
       "back what was paid. For evaluators on the programme's list, at the issuer's node."),
    N_("'sanquan voucher' shows which stages are free. What is taken back is owed back by the regions whose providers "
       "were paid, in the\n"
       "open window.\n"
       "\n"
       "  sanquan measure 3100000001000000001 --baseline --metric 7 --value 1200 --day 2026-09-01 --evidence "
       "5e88...42d8 "
       "\\\n"
       "      --key evaluator.key --node 310000\n"
       "  sanquan measure 3100000001000000001 --stage 2 --metric 7 --value 900 --day 2027-03-01 --evidence 1b2c...77aa "
       "\\\n"
       "      --key evaluator.key --node 310000\n"
       "  sanquan measure 3100000001000000001 --stage 3 --grade 1 --day 2027-03-01 --evidence 1b2c...77aa --key "
       "evaluator.key --node 310000"),
    1};

int sq_cmd_measure(struct sq_cli *cli, int argc, char **argv)
{
    struct measuring x = {.note = ""};
    struct sq_error err = {0};
    struct sq_told told;
    char voucher[24], money[SQ_TEXT_SIZE];
    Sanquan__V1__Measure m;
    int code = sq_cli_parse(cli, &measure_args, argc, argv, &x);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__measure__init(&m);
    m.voucher = x.voucher;
    m.stage = (uint32_t)x.stage;
    m.grade = (uint32_t)x.grade;
    m.metric = (uint32_t)x.metric;
    m.value = (int64_t)x.value;
    m.day = x.day;
    m.evidence = (ProtobufCBinaryData){EVIDENCE_BYTES, x.evidence};
    m.note = sq_need(strdup(x.note));
    sq_status st = sq_cli_tell(cli, SANQUAN__V1__MESSAGE_TYPE__MEASURE, &m.base, &told, &err);
    free(m.note);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    snprintf(voucher, sizeof voucher, "%019" PRIu64, x.voucher);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:I, s:I}", "voucher", voucher, "stage", (json_int_t)x.stage, "back_fen",
                              (json_int_t)-told.amount_fen));
    else if (told.amount_fen != 0)
        printf(_("taken: %s is owed back\n"), sq_text_money(-told.amount_fen, money));
    else
        printf(_("taken; see 'sanquan voucher %s'\n"), voucher);
    return SQ_EXIT_DONE;
}
