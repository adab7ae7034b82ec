/*
 * sanquand: one region's node.
 *
 *   starting -> READY=1 -> serving -> (SIGTERM, SIGINT) STOPPING=1 -> what was taken is committed and answered -> 0
 *
 * Exit: 0 ended as asked; 1 something failed (see the log); 2 wrong usage, configuration or ledger: starting again will not help;
 * 74 the ledger could not be read where it lies (SIGBUS: the file is shorter than it was, or its disk fails).
 */
#include <argp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "ops/common/log.h"
#include "ops/daemon/daemon.h"

#define EXIT_USAGE 2
#define EXIT_IO    74

static volatile sig_atomic_t stop_asked;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static void on_bus_error(int signal_number)
{
    static const char text[] =
        "level=error event=sigbus reason=\"the ledger file cannot be read; check the disk, then 'sanquan audit'\"\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(EXIT_IO);
    _exit(EXIT_IO);
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop}, bus = {.sa_handler = on_bus_error},
                     ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGBUS, &bus, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

struct arguments {
    const char *config;
    int check;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'c':
        a->config = value;
        return 0;
    case 'n':
        a->check = 1;
        return 0;
    case ARGP_KEY_END:
        if (a->config == NULL)
            argp_error(state, "say which configuration: --config FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const char *argp_program_version = "sanquand 1";

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "the node's configuration (YAML)", 0},
    {"check", 'n', NULL, 0, "check configuration, directory, keys and ledger, then end", 0},
    {0},
};
static const struct argp parser = {options,
                                   parse,
                                   NULL,
                                   "One region's node of the Sanquan clearing network.\v"
                                   "Log lines go to standard error as key=value. SIGTERM ends cleanly. A new node "
                                   "needs a ledger first: see 'sanquan init --help'.\n\n"
                                   "FILE has node, directory, keys, ledger, bind, and as wanted:\n"
                                   "  peers             [{code: \"370000\", endpoint: \"tcp://10.0.0.2:7310\"}]\n"
                                   "  cutoffs           [\"17:00\"], UTC+8\n"
                                   "  passphrase_file   when the key file has one\n"
                                   "  map_size_gib, disk_low_permille, snapshot_every_items, log (info, debug)\n"
                                   "  metrics           \"127.0.0.1:9310\": GET /metrics, on loopback only\n"
                                   "  access_log        a file: who asked this node what\n"
                                   "  anchored_logs     files whose hashes go into the journal too\n"
                                   "  anchor_seconds    how often (600)\n"
                                   "  start_alone       true: a copy of a ledger serves without its witnesses",
                                   NULL,
                                   NULL,
                                   NULL};

/* Starting again would change nothing. */
static int needs_a_person(sq_status st)
{
    return st == SQ_E_CONFIG || st == SQ_E_USAGE || st == SQ_E_NOT_FOUND || st == SQ_E_FOREIGN;
}

static int fail(const char *while_doing, sq_status st, const struct sq_error *err)
{
    sq_log(SQ_LOG_ERROR, while_doing, "status=%s reason=\"%s\"", sq_status_name(st), err->text);
    sd_notifyf(0, "STATUS=%s", err->text);
    return needs_a_person(st) ? EXIT_USAGE : EXIT_FAILURE;
}

static int serve(struct sq_daemon *d)
{
    struct sq_error err = {0};
    sq_log(SQ_LOG_INFO, "ready", "node=%s endpoint=%s seq=%" PRIu64 " window=%" PRIu64, d->config->node,
           sq_hub_endpoint(d->hub), sq_core_seq(d->core), sq_settlement_open_window(sq_core_settlement(d->core)));
    sd_notifyf(0, "READY=1\nSTATUS=serving at %s", sq_hub_endpoint(d->hub));
    sq_status st = sq_front_run(d, &stop_asked, &err);
    if (st != SQ_OK)
        return fail("failed", st, &err);
    sd_notify(0, "STOPPING=1");
    sq_snapshot_last(d);
    sq_log(SQ_LOG_INFO, "ended", "seq=%" PRIu64, sq_ledger_seq(d->ledger));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    struct sq_error err = {0};
    struct sq_daemon *d = calloc(1, sizeof *d);
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &a);
    catch_signals();
    sq_log_open(SQ_LOG_INFO);
    if (d == NULL)
        return EXIT_FAILURE;
    sq_status st = sq_daemon_open(d, a.config, a.check, &err);
    int code = st != SQ_OK ? fail("start", st, &err) : a.check ? EXIT_SUCCESS : serve(d);
    if (st == SQ_OK && a.check)
        sq_log(SQ_LOG_INFO, "checked", "config=\"%s\"", a.config);
    sq_daemon_close(d);
    free(d);
    return code;
}
