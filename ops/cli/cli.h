/*
 * The command line's own frame: what every `sanquan COMMAND` has in common. A command is one file with one entry function;
 * main.c holds the table.
 *
 *   main -> language, command -> sq_cli_parse (options, --help) -> the command's work -> sq_cli_* output -> exit code
 *
 * A new command: write ops/cli/NAME.c with sq_cmd_NAME, declare it at the end of this file, put it into the table of main.c,
 * mark its texts with _() or N_(), and give ops/locale/zh_CN.po their Chinese.
 *
 * Results go to standard output, as text for people or, with --json, as one JSON object a run (stable names; amounts are integers
 * in fen, times Unix ms; voucher and invoice numbers are strings, because many readers of JSON round integers over 2^53). Everything
 * else goes to standard error.
 */
#ifndef SQ_CLI_H
#define SQ_CLI_H

#include <argp.h>
#include <jansson.h>
#include <libintl.h>
#include <stdio.h>

#include "proto/status.h"

#define GETTEXT_DOMAIN "sanquan"
#define _(text)        gettext(text)
#define N_(text)       text /* translated where it is printed */

/* Exit codes; `sanquan --help` lists them. */
enum sq_exit {
    SQ_EXIT_DONE = 0,
    SQ_EXIT_REFUSED = 1, /* rules refused all or part of it */
    SQ_EXIT_USAGE = 2,   /* wrong usage, or an input file is wrong */
    SQ_EXIT_NETWORK = 3, /* no connection, or no answer in time */
    SQ_EXIT_VERIFY = 4,  /* something does not verify */
    SQ_EXIT_LOCAL = 5,   /* a file, key or ledger of this machine */
};

/* One run. Strings are borrowed from argv or the environment. */
struct sq_cli {
    const char *command; /* its words: "programme check" */
    int json;
    /* options of commands that talk to a node; NULL: not given */
    const char *directory, *node, *connect, *key, *passphrase_file;
    int timeout_ms; /* of one answer */
};

/* ---- options ---- */

/* What a command says about its own part of the command line. Texts are msgids. */
struct sq_args {
    const struct argp_option *options; /* NULL: none of its own */
    argp_parser_t
        parse; /* state->input is `input` of sq_cli_parse; report mistakes with sq_args_wrong. NULL: no arguments */
    const char *args_doc; /* "NAME" */
    const char *doc;      /* what it does */
    const char *more;     /* what else to know, with an example; lines as they stand, of at most 100 cells */
    int connects;         /* takes the options of a connection too */
};

#define SQ_PARSED (-1)
/* SQ_PARSED, or the exit code: --help was printed, or the usage was wrong and has been reported. */
int sq_cli_parse(struct sq_cli *cli, const struct sq_args *args, int argc, char **argv, void *input);

/* For a parse function, which returns what this returns: reports the mistake. */
error_t sq_args_wrong(const struct argp_state *state, const char *format, ...) SQ_PRINTF(2, 3);

/* A decimal number within bounds; 0 when it is not one. */
int sq_args_number(const char *text, uint64_t least, uint64_t most, uint64_t *out);

/* "maker" 1, "checker" 2, else 0. */
uint32_t sq_args_role(const char *text);
/* "310000/1"; 0 when it is not one. */
int sq_args_programme(const char *text, uint32_t *issuer, uint32_t *number);
/* The same of an option --programme, for a parse function. */
error_t sq_args_take_programme(const struct argp_state *state, const char *value, uint32_t *issuer, uint32_t *number);

/* ---- ending ---- */

enum sq_exit sq_cli_exit_of(sq_status status);

/*
 * Says what happened, with which value, and what to do next: text to standard error, and with --json an object
 * {"error": {"status", "number", "text", "detail"}} to standard output. Returns the exit code.
 */
int sq_cli_fail(const struct sq_cli *cli, const struct sq_error *err);
/* The same with a list of problems beside "error", under "problems"; borrowed, may be NULL. */
int sq_cli_fail_about(const struct sq_cli *cli, const struct sq_error *err, json_t *problems);

/* Wrong usage that only shows after parsing; points at --help. Returns SQ_EXIT_USAGE. */
int sq_cli_usage(const struct sq_cli *cli, const char *format, ...) SQ_PRINTF(2, 3);

/* A line for the person, to standard error; not with --json. */
void sq_cli_note(const struct sq_cli *cli, const char *format, ...) SQ_PRINTF(2, 3);

/* Prints one line of JSON to standard output; takes the reference. */
void sq_cli_json(json_t *object);

/* malloc and friends of a short-lived process: memory, or the program ends with SQ_EXIT_LOCAL. */
void *sq_need(void *memory);

/* ---- what a person sees while waiting: a bar on a terminal, nothing elsewhere ---- */

struct sq_bar {
    int on;
    const char *label; /* translated */
    uint64_t done, total, began_ms, drawn_ms;
};

void sq_bar_begin(struct sq_bar *b, const struct sq_cli *cli, const char *label, uint64_t total);
void sq_bar_at(struct sq_bar *b, uint64_t done);
void sq_bar_end(struct sq_bar *b); /* removes it */

/* ---- the commands ---- */

typedef int (*sq_command_run)(struct sq_cli *cli, int argc,
                              char **argv); /* argv[0] is "sanquan WORDS"; returns the exit code */

int sq_cmd_keygen(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_key_show(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_directory_new(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_directory_show(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_init(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_programme_check(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_programme_try(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_programme_publish(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_programme_list(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_provider_enrol(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_holder_enrol(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_evaluator_enrol(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_org(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_org_facts(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_org_edges(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_org_sanction(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_application(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_application_make(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_application_assess(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_application_allocate(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_consent(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_override(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_voucher(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_prefund(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_prefund_enter(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_measure(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_grant(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_revoke(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_mandate(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_submit(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_status(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_window(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_window_cut(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_confirm(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_net(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_settle_preview(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_settle_certificate(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_settle_verify(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_settle_export(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_payout(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_budget(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_region(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_region_want(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_account(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_account_enter(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_agreement(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_agreement_sign(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_invoice(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_invoice_reverse(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_cap(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_cap_set(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_cap_lift(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_open(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_answer(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_accept(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_charge(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_present(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_arbitrate(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_withdraw(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_dispute_rule(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_calendar(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_break(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_break_take(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_break_explain(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_break_adopt(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_break_agree(struct sq_cli *cli, int argc, char **argv);

int sq_cmd_explain(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_history(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_settle(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_audit(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_index(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_witnesses(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_proof_get(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_proof_verify(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_proof_policy(struct sq_cli *cli, int argc, char **argv);
int sq_cmd_backup(struct sq_cli *cli, int argc, char **argv);

#endif
