/*
 * sanquan: the command line. This file chooses the language and the command; each command is a file of its own.
 */
#include <langinfo.h>
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/cli/cli.h"
#include "ops/cli/text.h"
#include "peers/crypto.h"

static const struct sq_command {
    const char *words; /* a group's headline has no run */
    const char *summary;
    sq_command_run run;
} commands[] = {
    {NULL, N_("Keys and network"), NULL},
    {"keygen", N_("make a participant's keys"), sq_cmd_keygen},
    {"key show", N_("show whose keys a file holds, and the public half"), sq_cmd_key_show},
    {"directory new", N_("compose a network's directory from key files"), sq_cmd_directory_new},
    {"directory show", N_("show a network's id and members"), sq_cmd_directory_show},
    {"init", N_("make the ledger of a new node"), sq_cmd_init},
    {NULL, N_("Programmes, organisations and vouchers"), NULL},
    {"programme check", N_("check a programme file"), sq_cmd_programme_check},
    {"programme try", N_("what a programme file would decide about claims; needs no node"), sq_cmd_programme_try},
    {"programme publish", N_("put a programme into force"), sq_cmd_programme_publish},
    {"programme list", N_("programmes and what is left of their pools"), sq_cmd_programme_list},
    {"provider enrol", N_("enrol providers (operator)"), sq_cmd_provider_enrol},
    {"holder enrol", N_("enrol holders (operator)"), sq_cmd_holder_enrol},
    {"evaluator enrol", N_("enrol evaluators of outcomes (operator)"), sq_cmd_evaluator_enrol},
    {"org", N_("what was said of an organisation"), sq_cmd_org},
    {"org facts", N_("state what is known of organisations (issuer, operator)"), sq_cmd_org_facts},
    {"org edges", N_("state who controls or is related to whom (issuer, operator)"), sq_cmd_org_edges},
    {"org sanction", N_("exclude an organisation for a time (issuer, operator, regulator)"), sq_cmd_org_sanction},
    {"application", N_("applications under a programme, and what became of them"), sq_cmd_application},
    {"application make", N_("ask for a voucher (holder)"), sq_cmd_application_make},
    {"application assess", N_("enter what was made of applications (issuer)"), sq_cmd_application_assess},
    {"application allocate", N_("grant what was applied for, as far as the money goes (issuer)"),
     sq_cmd_application_allocate},
    {"grant", N_("grant vouchers (issuer)"), sq_cmd_grant},
    {"revoke", N_("revoke vouchers (issuer)"), sq_cmd_revoke},
    {"mandate", N_("allow providers to draw on vouchers (holder)"), sq_cmd_mandate},
    {"consent", N_("want the support that comes by itself (holder)"), sq_cmd_consent},
    {"override", N_("lift a refusal for one holder, with approver and reason (issuer)"), sq_cmd_override},
    {"voucher", N_("what is left of a voucher, and which of its stages are free"), sq_cmd_voucher},
    {"measure", N_("sign what was measured of a voucher's purpose (evaluator)"), sq_cmd_measure},
    {"prefund", N_("what providers have in advance"), sq_cmd_prefund},
    {"prefund enter", N_("give a provider money in advance, or take it back (issuer)"), sq_cmd_prefund_enter},
    {NULL, N_("Redemption"), NULL},
    {"submit", N_("submit redemptions from a file (provider)"), sq_cmd_submit},
    {"invoice", N_("what is claimed on an invoice, at its home"), sq_cmd_invoice},
    {"invoice reverse", N_("enter a credit note: what it no longer covers comes back (operator)"),
     sq_cmd_invoice_reverse},

    {NULL, N_("Settlement"), NULL},
    {"status", N_("how a node is"), sq_cmd_status},
    {"window", N_("settlement windows: obligations, nets, payments"), sq_cmd_window},
    {"window cut", N_("close the open window (operator)"), sq_cmd_window_cut},
    {"confirm", N_("confirm the bank's payments (maker, then checker)"), sq_cmd_confirm},
    {"settle export", N_("a window's payments for the bank (ISO 20022, CSV)"), sq_cmd_settle_export},
    {"payout", N_("what each provider gets for a window, redemption by redemption"), sq_cmd_payout},
    {"budget", N_("what a programme's budget paid for in a window"), sq_cmd_budget},
    {"settle certificate", N_("a window with its signatures, for those who have no ledger"), sq_cmd_settle_certificate},
    {"settle verify", N_("check such a certificate with the directory alone"), sq_cmd_settle_verify},
    {"settle preview", N_("what each netting method makes of a window"), sq_cmd_settle_preview},
    {"net", N_("try netting methods on a list of obligations; needs no node"), sq_cmd_net},
    {"region", N_("who takes part, and what nodes want"), sq_cmd_region},
    {"region want", N_("say what a region is to become (two people at each node)"), sq_cmd_region_want},
    {"account", N_("the region's settlement account"), sq_cmd_account},
    {"account enter", N_("money paid in or taken out (two operators)"), sq_cmd_account_enter},
    {"agreement", N_("recognition agreements with other regions, and what came under them"), sq_cmd_agreement},
    {"agreement sign", N_("agree with another region (two operators at each node)"), sq_cmd_agreement_sign},
    {"cap", N_("net debit caps between regions, and alarms"), sq_cmd_cap},
    {"cap set", N_("set what a region may come to owe this one (two operators)"), sq_cmd_cap_set},
    {"cap lift", N_("lift a region's cap (two operators)"), sq_cmd_cap_lift},
    {"break", N_("links whose two sides differ"), sq_cmd_break},
    {"break take", N_("see to a break (operator)"), sq_cmd_break_take},
    {"break explain", N_("write down why two sides differ (operator)"), sq_cmd_break_explain},
    {"break adopt", N_("ask to take the debtor's statement (operator of the creditor)"), sq_cmd_break_adopt},
    {"break agree", N_("agree to that (another operator)"), sq_cmd_break_agree},

    {NULL, N_("Cases about items that were paid"), NULL},
    {"dispute", N_("cases, and until when somebody has to speak"), sq_cmd_dispute},
    {"dispute open", N_("ask a provider about an item that it was paid (issuer)"), sq_cmd_dispute_open},
    {"dispute answer", N_("answer a query (provider)"), sq_cmd_dispute_answer},
    {"dispute accept", N_("give in: the money comes back (provider)"), sq_cmd_dispute_accept},
    {"dispute charge", N_("charge back (issuer)"), sq_cmd_dispute_charge},
    {"dispute present", N_("present again what was charged back (provider)"), sq_cmd_dispute_present},
    {"dispute arbitrate", N_("call for arbitration (issuer)"), sq_cmd_dispute_arbitrate},
    {"dispute withdraw", N_("withdraw a case (issuer)"), sq_cmd_dispute_withdraw},
    {"dispute rule", N_("rule on a case (regulator)"), sq_cmd_dispute_rule},
    {"calendar", N_("a year's holidays, by which deadlines count (operator)"), sq_cmd_calendar},

    {NULL, N_("Reading and checking ledgers"), NULL},
    {"history", N_("items, sums, a voucher's life, refusals and positions"), sq_cmd_history},
    {"explain", N_("why a row was accepted or refused, with every number"), sq_cmd_explain},
    {"settle", N_("what a window settled, and who signed"), sq_cmd_settle},
    {"witnesses", N_("who has cosigned a node's checkpoints, and forks that were found"), sq_cmd_witnesses},
    {"proof get", N_("the proof that an entry is in a node's log, as a file"), sq_cmd_proof_get},
    {"proof verify", N_("check a proof file offline, under a policy of trust"), sq_cmd_proof_verify},
    {"proof policy", N_("print a policy of trust from a directory"), sq_cmd_proof_policy},
    {"audit", N_("check a whole ledger from its journal alone"), sq_cmd_audit},
    {"index", N_("build, check or drop what makes reading a ledger fast"), sq_cmd_index},
    {"backup", N_("copy a ledger while its node works"), sq_cmd_backup},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

/* ---- language ---- */

static const char *first_set(const char *const *names)
{
    const char *value = NULL;
    for (; *names != NULL && (value == NULL || *value == '\0'); names++)
        value = getenv(*names);
    return value != NULL ? value : "";
}

/* Beside the program as it is built, or where `make install` puts it. */
static void find_catalogue(void)
{
    char self[PATH_MAX], beside[PATH_MAX + 32];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0)
        return;
    self[size] = '\0';
    const char *dir = dirname(self);
    snprintf(beside, sizeof beside, "%s/locale", dir);
    if (access(beside, R_OK) != 0)
        snprintf(beside, sizeof beside, "%s/../share/locale", dir);
    bindtextdomain(GETTEXT_DOMAIN, beside);
    bind_textdomain_codeset(GETTEXT_DOMAIN, "UTF-8");
    textdomain(GETTEXT_DOMAIN);
}

/*
 * Chinese when the environment asks for any Chinese. A fresh machine has no Chinese locale, only C.UTF-8; gettext still finds our
 * catalogue by LANGUAGE as long as the locale is not plain C. Files and output are UTF-8 everywhere.
 */
static void choose_language(void)
{
    static const char *const variables[] = {"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", NULL};
    const char *wanted = first_set(variables);
    const char *plain = first_set(variables + 1);
    int chinese = strncmp(wanted, "zh", 2) == 0 && strcmp(plain, "C") != 0 && strcmp(plain, "POSIX") != 0;
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    if (setlocale(LC_MESSAGES, "") == NULL || (chinese && strcmp(setlocale(LC_MESSAGES, NULL), "C") == 0))
        setlocale(LC_MESSAGES, "C.UTF-8");
    if (chinese)
        setenv("LANGUAGE", "zh_CN", 1);
    find_catalogue();
}

/* ---- help ---- */

static void print_commands(const char *prefix)
{
    unsigned width = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].run != NULL && strlen(commands[i].words) > width)
            width = (unsigned)strlen(commands[i].words);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].run == NULL && *prefix == '\0')
            printf("\n%s\n", _(commands[i].summary));
        else if (commands[i].run != NULL && strncmp(commands[i].words, prefix, strlen(prefix)) == 0)
            printf("  %-*s  %s\n", (int)width, commands[i].words, _(commands[i].summary));
    }
}

static int print_help(void)
{
    puts(_("Usage: sanquan COMMAND [OPTION...]\n"
           "Clears, nets and settles compute, model and corpus vouchers (算力券, 模型券, 语料券) across regions."));
    print_commands("");
    puts(_(
        "\nEach command explains itself: sanquan COMMAND --help\n"
        "\nExit codes\n"
        "  0  done\n"
        "  1  rules refused all or some of it\n"
        "  2  wrong usage, or an input file is wrong\n"
        "  3  no connection, or no answer in time\n"
        "  4  something does not verify\n"
        "  5  a file, key or ledger of this machine is not usable\n"
        "\nSANQUAN_DIRECTORY, SANQUAN_NODE, SANQUAN_CONNECT and SANQUAN_KEY stand for the options of the same names."));
    return SQ_EXIT_DONE;
}

/* ---- choosing ---- */

static const struct sq_command *find_command(const char *words)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].run != NULL && strcmp(commands[i].words, words) == 0)
            return &commands[i];
    return NULL;
}

static int is_first_word(const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].run != NULL && strncmp(commands[i].words, word, size) == 0 && commands[i].words[size] == ' ')
            return 1;
    return 0;
}

static int unknown(int argc, char **argv)
{
    if (is_first_word(argv[1])) {
        int asked = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
        char prefix[64];
        if (!asked)
            fprintf(stderr, _("sanquan %s: say which of its commands:\n"), argv[1]);
        snprintf(prefix, sizeof prefix, "%.60s ", argv[1]);
        print_commands(prefix);
        return asked ? SQ_EXIT_DONE : SQ_EXIT_USAGE;
    }
    fprintf(stderr, _("sanquan: there is no command '%s'. See 'sanquan --help'.\n"), argv[1]);
    return SQ_EXIT_USAGE;
}

static int run_command(const struct sq_command *c, int argc, char **argv)
{
    struct sq_cli cli = {.command = c->words};
    struct sq_error err = {0};
    char name[80];
    int words = strchr(c->words, ' ') != NULL ? 2 : 1;
    snprintf(name, sizeof name, "sanquan %s", c->words);
    argv[words] = name;
    if (sq_crypto_init(&err) != SQ_OK)
        return sq_cli_fail(&cli, &err);
    int code = c->run(&cli, argc - words, argv + words);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "sanquan %s: %s\n", c->words, _("the output could not be written"));
        code = code == SQ_EXIT_DONE ? SQ_EXIT_LOCAL : code;
    }
    return code;
}

int main(int argc, char **argv)
{
    const struct sq_command *c = NULL;
    char two[80];
    choose_language();
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return argc < 2 ? SQ_EXIT_USAGE : SQ_EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("sanquan 1");
        return SQ_EXIT_DONE;
    }
    if (argc > 2) {
        snprintf(two, sizeof two, "%.38s %.38s", argv[1], argv[2]);
        c = find_command(two);
    }
    if (c == NULL)
        c = find_command(argv[1]);
    return c != NULL ? run_command(c, argc, argv) : unknown(argc, argv);
}
