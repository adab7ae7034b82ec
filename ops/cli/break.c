/*
 * sanquan break: links whose two sides state different things, and what an operator does about one.
 *
 *   looking -> found (the first number that differs) -> closed, when the link has settled and not before
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/settlement/settlement.h"
#include "ops/cli/listing.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

static uint64_t u64_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}
static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

/* A word of the node's, for a person. */
static const char *word(const char *name)
{
    static const char *const names[] = {N_("looking"), N_("found"),     N_("closed"),  N_("open"),
                                        N_("matched"), N_("explained"), N_("adjusted")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return _(names[i]);
    return name;
}

/* ---- break ---- */

static const struct sq_args list_args = {
    sq_listing_options,
    sq_listing_parse,
    NULL,
    N_("List the links of the node whose two sides state different things, with the first number that differs."),
    N_("For operators of the node and for regulators. A break is over when its link has settled.\n"
       "\n"
       "  sanquan break --key zhang.key"),
    1};

static void print_side(const char *who, const json_t *entry)
{
    char text[SQ_TEXT_SIZE];
    if (!json_is_object(entry)) {
        printf(_("    %s has nothing under this number\n"), who);
        return;
    }
    printf(_("    %s: batch %" PRIu64 ", %" PRIu64 " rows"), who, u64_of(entry, "batch"), u64_of(entry, "count"));
    for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++) {
        int64_t fen = json_integer_value(json_array_get(json_object_get(entry, "total_fen"), kind - 1));
        if (fen != 0)
            printf(", %s %s", sq_text_kind(kind), sq_text_yuan(fen, text));
    }
    putchar('\n');
}

static void print_break(const json_t *b)
{
    char opened[SQ_TEXT_SIZE];
    printf(_("%s owes %s: %s, %s, since %s (window %" PRIu64 ", %" PRIu64 " hours)\n"), text_of(b, "debtor"),
           text_of(b, "creditor"), word(text_of(b, "state")), word(text_of(b, "outcome")),
           sq_text_time(u64_of(b, "opened_ms"), opened), u64_of(b, "window"), u64_of(b, "age_ms") / 3600000u);
    if (*text_of(b, "owner") != '\0')
        printf(_("    %s sees to it\n"), text_of(b, "owner"));
    if (*text_of(b, "note") != '\0')
        printf("    %s\n", text_of(b, "note"));
    if (strcmp(text_of(b, "cause"), "entry") == 0) {
        printf(_("    number %" PRIu64 " is the first that differs\n"), u64_of(b, "number"));
        print_side(text_of(b, "debtor"), json_object_get(b, "debtor_entry"));
        print_side(text_of(b, "creditor"), json_object_get(b, "creditor_entry"));
    } else if (strcmp(text_of(b, "cause"), "sums") == 0) {
        puts(_("    every number is the same; a statement adds them up differently"));
    } else if (strcmp(text_of(b, "cause"), "range") == 0) {
        puts(_("    the two sides do not begin at the same number"));
    }
}

static int is_over(const json_t *b)
{
    return strcmp(text_of(b, "state"), "closed") == 0;
}

static void print_breaks(const json_t *list)
{
    size_t i;
    json_t *b;
    json_array_foreach(list, i, b) print_break(b);
}

int sq_cmd_break(struct sq_cli *cli, int argc, char **argv)
{
    static const struct sq_listing breaks = {&list_args, "breaks", is_over, print_breaks};
    return sq_listing_run(cli, argc, argv, &breaks);
}

/* ---- doing something about one ---- */

struct acting {
    char *debtor, *creditor;
    const char *note;
    uint32_t action;
};

enum { KEY_NOTE = 0x100 };

static error_t parse_act(int key, char *value, struct argp_state *state)
{
    struct acting *a = state->input;
    switch (key) {
    case KEY_NOTE:
        a->note = value;
        return 0;
    case ARGP_KEY_ARG:
        if (a->creditor != NULL)
            return ARGP_ERR_UNKNOWN;
        *(a->debtor == NULL ? &a->debtor : &a->creditor) = value;
        return 0;
    case ARGP_KEY_END:
        if (a->creditor == NULL)
            return sq_args_wrong(state, _("say which link: DEBTOR CREDITOR, two node codes"));
        if ((a->action == SQ_BREAK_EXPLAIN || a->action == SQ_BREAK_ADOPT) && *a->note == '\0')
            return sq_args_wrong(state, _("say why: --note TEXT"));
        return strlen(a->note) > SQ_BREAK_NOTE_MAX
                   ? sq_args_wrong(state, _("--note: at most %u bytes go"), SQ_BREAK_NOTE_MAX)
                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option act_options[] = {
    {"note", KEY_NOTE, N_("TEXT"), 0, N_("what is known about it"), 0},
    {0},
};
static const struct sq_args take_args = {act_options,
                                         parse_act,
                                         N_("DEBTOR CREDITOR"),
                                         N_("Take a break over: you see to it from now on. For operators."),
                                         N_("  sanquan break take 310000 370000 --key zhang.key"),
                                         1};
static const struct sq_args explain_args = {
    act_options,
    parse_act,
    N_("DEBTOR CREDITOR"),
    N_("Write down why two sides differ. The link still settles only when they say the same. For its owner."),
    N_("  sanquan break explain 310000 370000 --note \"batch 812 was booked twice\" --key zhang.key"),
    1};
static const struct sq_args adopt_args = {
    act_options,
    parse_act,
    N_("DEBTOR CREDITOR"),
    N_("Ask to take the debtor's next statement of the link as it is. For the break's owner at the creditor."),
    N_("Another operator of the node has to agree: see 'sanquan break agree'.\n"
       "\n"
       "  sanquan break adopt 310000 370000 --note \"our disk lost batch 812; the provider has the receipt\" --key "
       "zhang.key"),
    1};
static const struct sq_args agree_args = {
    act_options,
    parse_act,
    N_("DEBTOR CREDITOR"),
    N_("Agree to take the debtor's next statement of the link as it is. For another operator than the one who asked."),
    N_("  sanquan break agree 310000 370000 --key li.key"),
    1};

static int act(struct sq_cli *cli, int argc, char **argv, uint32_t action, const struct sq_args *args)
{
    struct acting a = {.action = action, .note = ""};
    struct sq_session s;
    struct sq_error err = {0};
    Sanquan__V1__Break m;
    int code = sq_cli_parse(cli, args, argc, argv, &a);
    if (code != SQ_PARSED)
        return code;
    sanquan__v1__break__init(&m);
    m.debtor = a.debtor;
    m.creditor = a.creditor;
    m.action = action;
    m.note = sq_need(strdup(a.note));
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_say(&s, SANQUAN__V1__MESSAGE_TYPE__BREAK, &m.base, NULL, &err);
    sq_session_close(&s);
    free(m.note);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:s, s:i}", "debtor", a.debtor, "creditor", a.creditor, "action", (int)action));
    else
        printf(_("%s to %s: noted\n"), a.debtor, a.creditor);
    return SQ_EXIT_DONE;
}

int sq_cmd_break_take(struct sq_cli *cli, int argc, char **argv)
{
    return act(cli, argc, argv, SQ_BREAK_TAKE, &take_args);
}
int sq_cmd_break_explain(struct sq_cli *cli, int argc, char **argv)
{
    return act(cli, argc, argv, SQ_BREAK_EXPLAIN, &explain_args);
}
int sq_cmd_break_adopt(struct sq_cli *cli, int argc, char **argv)
{
    return act(cli, argc, argv, SQ_BREAK_ADOPT, &adopt_args);
}
int sq_cmd_break_agree(struct sq_cli *cli, int argc, char **argv)
{
    return act(cli, argc, argv, SQ_BREAK_AGREE, &agree_args);
}
