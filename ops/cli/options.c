/*
 * One run's options. glibc's argp does the parsing and lays out --help; its own messages stay silent, because they come from the C
 * library's catalogue, which most machines do not have in Chinese. Ours say the same in the person's language.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cli/cli.h"
#include "ops/cli/text.h"

#define TIMEOUT_DEFAULT_S 30u
#define TIMEOUT_MAX_S     3600u

/* What state->input of the outer parser points to. */
struct run {
    struct sq_cli *cli;
    const struct sq_args *args;
    void *input;
    const struct argp *whole; /* for --help */
    const char *last_argument;
    int reported; /* what is wrong has been said */
};

enum { KEY_DIRECTORY = 0x200, KEY_NODE, KEY_CONNECT, KEY_KEY, KEY_PASSPHRASE_FILE, KEY_TIMEOUT, KEY_JSON };

#define GROUP_CONNECTION 50
#define GROUP_COMMON     60

static const struct argp_option connection_options[] = {
    {NULL, 0, NULL, 0,
     N_("Which node, and who you are (the variable in brackets is used when the option is not given):"),
     GROUP_CONNECTION},
    {"directory", KEY_DIRECTORY, N_("FILE"), 0, N_("the network's directory [SANQUAN_DIRECTORY]"), GROUP_CONNECTION},
    {"node", KEY_NODE, N_("CODE"), 0, N_("the node to talk to; your home node when your key says which [SANQUAN_NODE]"),
     GROUP_CONNECTION},
    {"connect", KEY_CONNECT, N_("HOST:PORT"), 0, N_("where that node listens [SANQUAN_CONNECT]"), GROUP_CONNECTION},
    {"key", KEY_KEY, N_("FILE"), 0, N_("your key file [SANQUAN_KEY]"), GROUP_CONNECTION},
    {"passphrase-file", KEY_PASSPHRASE_FILE, N_("FILE"), 0,
     N_("holds the key file's passphrase; without it you are asked [SANQUAN_PASSPHRASE_FILE]"), GROUP_CONNECTION},
    {"timeout", KEY_TIMEOUT, N_("SECONDS"), 0, N_("how long to wait for an answer (30)"), GROUP_CONNECTION},
    {0},
};
static const struct argp_option common_options[] = {
    {NULL, 0, NULL, 0, N_("Always:"), GROUP_COMMON},
    {"json", KEY_JSON, NULL, 0, N_("print one JSON object (amounts in fen)"), GROUP_COMMON},
    {"help", 'h', NULL, 0, N_("print this help"), GROUP_COMMON},
    {0},
};

/* ---- parsing ---- */

static error_t parse_timeout(struct sq_cli *cli, const char *value, const struct argp_state *state)
{
    uint64_t seconds;
    if (!sq_args_number(value, 1, TIMEOUT_MAX_S, &seconds)) {
        ((struct run *)state->input)->reported = 1;
        return sq_args_wrong(state, _("--timeout %s: seconds are 1 to %u"), value, TIMEOUT_MAX_S);
    }
    cli->timeout_ms = (int)seconds * 1000;
    return 0;
}

static error_t parse_connection(int key, char *value, struct argp_state *state)
{
    struct sq_cli *cli = ((struct run *)state->input)->cli;
    switch (key) {
    case KEY_DIRECTORY:
        cli->directory = value;
        return 0;
    case KEY_NODE:
        cli->node = value;
        return 0;
    case KEY_CONNECT:
        cli->connect = value;
        return 0;
    case KEY_KEY:
        cli->key = value;
        return 0;
    case KEY_PASSPHRASE_FILE:
        cli->passphrase_file = value;
        return 0;
    case KEY_TIMEOUT:
        return parse_timeout(cli, value, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_own(int key, char *value, struct argp_state *state)
{
    struct run *run = state->input;
    if (run->args->parse == NULL)
        return ARGP_ERR_UNKNOWN;
    state->input = run->input;
    error_t rc = run->args->parse(key, value, state);
    state->input = run;
    run->reported |= rc != 0 && rc != ARGP_ERR_UNKNOWN;
    return rc;
}

/* What argp itself refused: an option it does not know, one without its value, an argument nobody takes. */
static void report_refused(const struct run *run, const struct argp_state *state)
{
    if (run->last_argument != NULL) /* arguments come after all options */
        sq_args_wrong(state, _("%s: one argument too many"), run->last_argument);
    else
        sq_args_wrong(state, _("%s: no such option here, or its value is missing or not wanted"),
                      state->argv[state->next - 1]);
}

/* Options through argp, which fills lines; what follows is laid out by hand. */
static void print_help(const struct run *run, char *name)
{
    setenv("ARGP_HELP_FMT", "no-dup-args-note", 0);
    argp_help(run->whole, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_PRE_DOC, name);
    printf("\n%s\n", _(run->args->more));
}

static error_t parse_common(int key, char *value, struct argp_state *state)
{
    struct run *run = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (unsigned i = 0; run->whole->children[i].argp != NULL; i++)
            state->child_inputs[i] = run;
        return 0;
    case KEY_JSON:
        run->cli->json = 1;
        return 0;
    case 'h':
        print_help(run, state->argv[0]);
        run->reported = 1;
        return ECANCELED;
    case ARGP_KEY_ARG:
        run->last_argument = value; /* the command's own parser is asked next */
        return ARGP_ERR_UNKNOWN;
    case ARGP_KEY_ERROR:
        if (!run->reported)
            report_refused(run, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void from_environment(struct sq_cli *cli)
{
    cli->directory = getenv("SANQUAN_DIRECTORY");
    cli->node = getenv("SANQUAN_NODE");
    cli->connect = getenv("SANQUAN_CONNECT");
    cli->key = getenv("SANQUAN_KEY");
    cli->passphrase_file = getenv("SANQUAN_PASSPHRASE_FILE");
    cli->timeout_ms = (int)TIMEOUT_DEFAULT_S * 1000;
}

int sq_cli_parse(struct sq_cli *cli, const struct sq_args *args, int argc, char **argv, void *input)
{
    const struct argp own = {args->options, parse_own, NULL, NULL, NULL, NULL, GETTEXT_DOMAIN};
    const struct argp connection = {connection_options, parse_connection, NULL, NULL, NULL, NULL, GETTEXT_DOMAIN};
    const struct argp_child children[] = {{&own, 0, NULL, 0}, {args->connects ? &connection : NULL, 0, NULL, 0}, {0}};
    const struct argp whole = {common_options, parse_common, args->args_doc, args->doc, children, NULL, GETTEXT_DOMAIN};
    struct run run = {.cli = cli, .args = args, .input = input, .whole = &whole};
    from_environment(cli);
    error_t rc = argp_parse(&whole, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &run);
    return rc == 0 ? SQ_PARSED : rc == ECANCELED ? SQ_EXIT_DONE : SQ_EXIT_USAGE;
}

error_t sq_args_wrong(const struct argp_state *state, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", state->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, _("\nSee '%s --help'.\n"), state->name);
    return EINVAL;
}

int sq_args_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    uint64_t n;
    if (!sq_read_number(text, &n) || n < least || n > most)
        return 0;
    *out = n;
    return 1;
}

uint32_t sq_args_role(const char *text)
{
    return strcmp(text, "maker") == 0 ? 1 : strcmp(text, "checker") == 0 ? 2 : 0;
}

int sq_args_programme(const char *text, uint32_t *issuer, uint32_t *number)
{
    char code[7] = "";
    uint64_t i, n;
    if (strlen(text) < 8 || text[6] != '/')
        return 0;
    memcpy(code, text, 6);
    if (!sq_args_number(code, 100000, 999999, &i) || !sq_args_number(text + 7, 1, 9999, &n))
        return 0;
    *issuer = (uint32_t)i;
    *number = (uint32_t)n;
    return 1;
}

error_t sq_args_take_programme(const struct argp_state *state, const char *value, uint32_t *issuer, uint32_t *number)
{
    return sq_args_programme(value, issuer, number)
               ? 0
               : sq_args_wrong(state, _("--programme %s: write ISSUER/NUMBER, as in 310000/1"), value);
}
