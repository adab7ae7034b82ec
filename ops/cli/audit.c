/*
 * sanquan audit: everything in a ledger checked again from its journal.
 *
 * The work is done by a child process. liblmdb trusts the pages it maps: where a page is damaged it may read beyond the file or meet its
 * own assertion. Then the child dies, and the parent says near which entry, as it says everything else.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/cli/cli.h"
#include "ops/cli/text.h"
#include "ops/common/audit.h"

#define LOGS_MAX 64

struct audit {
    const char *ledger;
    char **files; /* of receipts; borrowed from argv */
    int file_count;
    char *logs[LOGS_MAX]; /* access logs */
    int log_count;
};

/* What parent and child share. */
struct result {
    volatile uint64_t entry; /* checked so far */
    int opened;
    sq_status status;
    struct sq_error err;
    struct sq_audit_report report;
    uint64_t receipts; /* held against the ledger */
    uint64_t anchors;  /* that the access logs have met */
};

struct progress {
    struct sq_bar bar;
    const struct sq_cli *cli;
    struct result *result;
};

/* ---- the child ---- */

static void on_progress(void *ctx, uint64_t entry, uint64_t last)
{
    struct progress *p = ctx;
    if (entry == 1)
        sq_bar_begin(&p->bar, p->cli, _("Entries"), last);
    sq_bar_at(&p->bar, entry);
    p->result->entry = entry;
}

/* One line of a file of receipts, as `submit --receipts` writes it. */
static sq_status check_receipt(struct sq_audit *audit, const char *line, struct sq_error *err)
{
    json_t *o = json_loads(line, 0, NULL);
    const char *hex = json_string_value(json_object_get(o, "envelope"));
    size_t size = hex != NULL ? strlen(hex) / 2 : 0;
    uint8_t *bytes = sq_need(malloc(size + 1));
    sq_status st = size == 0 || strlen(hex) != 2 * size || sq_unhex(hex, bytes, size, NULL) != SQ_OK
                       ? sq_fail(err, SQ_E_USAGE, "not a receipt")
                       : sq_audit_receipt(audit, sq_bytes_of(bytes, size), err);
    free(bytes);
    json_decref(o);
    return st;
}

static sq_status check_receipts(struct sq_audit *audit, const char *path, struct result *r)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t size = 0, number = 0;
    sq_status st = f != NULL ? SQ_OK : sq_fail(&r->err, SQ_E_IO, "open %s: %s", path, strerror(errno));
    while (st == SQ_OK && getline(&line, &size, f) > 0) {
        number++;
        if ((st = check_receipt(audit, line, &r->err)) != SQ_OK)
            st = sq_fail_context(&r->err, st, "%.100s line %zu", path, number);
        r->receipts += st == SQ_OK;
    }
    if (st == SQ_OK && ferror(f))
        st = sq_fail(&r->err, SQ_E_IO, "read %s", path);
    if (f != NULL)
        fclose(f);
    free(line);
    return st;
}

static void run_audit(const struct sq_cli *cli, const struct audit *a, struct result *r)
{
    struct progress p = {.cli = cli, .result = r};
    struct sq_directory *directory = NULL;
    struct sq_audit *audit = NULL;
    r->status = sq_directory_read(cli->directory, &directory, &r->err);
    struct sq_audit_options o = {
        .path = a->ledger, .directory = directory, .progress = on_progress, .progress_ctx = &p};
    if (r->status == SQ_OK)
        r->status = sq_audit_open(&o, &audit, &r->err);
    if (r->status == SQ_OK) {
        r->opened = 1;
        r->status = sq_audit_run(audit, &r->report, &r->err);
    }
    sq_bar_end(&p.bar);
    for (int i = 0; r->status == SQ_OK && i < a->file_count; i++)
        r->status = check_receipts(audit, a->files[i], r);
    for (int i = 0; r->status == SQ_OK && i < a->log_count; i++) {
        uint64_t held = 0;
        r->status = sq_audit_log(audit, a->logs[i], &held, &r->err);
        r->anchors += held;
    }
    if (r->status == SQ_OK && a->log_count != 0)
        r->status = sq_audit_logs_whole(audit, &r->err);
    sq_audit_free(audit);
    sq_directory_free(directory);
}

/* ---- the parent ---- */

static void run_in_child(const struct sq_cli *cli, const struct audit *a, struct result *r)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        run_audit(cli, a, r);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        r->status = sq_fail(&r->err, SQ_E_NOMEM, "a process for the audit");
        return;
    }
    if (WIFSIGNALED(status)) {
        r->opened = 1;
        r->report.bad_entry = r->entry + 1;
        r->status =
            sq_fail(&r->err, SQ_E_CORRUPT, "after entry %" PRIu64 " a page of %.120s/data.mdb could not be read (%s)",
                    r->entry, a->ledger, strsignal(WTERMSIG(status)));
    }
}

static const char *const snapshot_names[] = {"none", "unusable", "same"};

static json_t *evidence_json(const struct sq_audit_report *p)
{
    json_t *a = json_array();
    for (size_t i = 0; i < p->evidence && i < SQ_AUDIT_EVIDENCE_MAX; i++)
        json_array_append_new(a, json_pack("{s:s, s:s, s:I, s:i, s:I, s:I}", "node", p->shown[i].node, "what",
                                           p->shown[i].what, "window", (json_int_t)p->shown[i].window, "round",
                                           (int)p->shown[i].round, "first_entry", (json_int_t)p->shown[i].entry[0],
                                           "second_entry", (json_int_t)p->shown[i].entry[1]));
    return a;
}

static void print_evidence(const struct sq_audit_report *p)
{
    char times[SQ_TEXT_SIZE];
    if (p->evidence == 0)
        return;
    printf(_("\nIt proves that nodes signed two different things where they may sign one (%s times):\n"),
           sq_text_count(p->evidence, times));
    for (size_t i = 0; i < p->evidence && i < SQ_AUDIT_EVIDENCE_MAX; i++) {
        const struct sq_evidence *e = &p->shown[i];
        printf(_("  node %s, window %s: %s"), e->node, sq_text_count(e->window, times), e->what);
        if (e->entry[0] != 0)
            printf(_(", in entries %" PRIu64 " and %" PRIu64), e->entry[0], e->entry[1]);
        putchar('\n');
    }
}

static json_t *report_json(const struct result *r)
{
    const struct sq_audit_report *p = &r->report;
    char root[65] = "";
    json_t *o;
    for (int i = 0; i < 32; i++)
        snprintf(root + 2 * i, 3, "%02x", p->root[i]);
    if (r->status == SQ_OK)
        o = json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:o, s:I, s:I}", "verifies", 1,
                      "node", p->node, "entries", (json_int_t)p->entries, "signatures", (json_int_t)p->signatures,
                      "items", (json_int_t)p->items, "links", (json_int_t)p->links, "settlements",
                      (json_int_t)p->settlements, "open_window", (json_int_t)p->open_window, "root", root, "snapshot",
                      snapshot_names[p->snapshot], "receipts", (json_int_t)r->receipts, "evidence_count",
                      (json_int_t)p->evidence, "evidence", evidence_json(p), "witnessed", (json_int_t)p->witnessed,
                      "anchors", (json_int_t)r->anchors);
    else
        o = json_pack("{s:b, s:s, s:I, s:{s:s, s:i, s:s, s:s}}", "verifies", 0, "node", p->node, "entry",
                      (json_int_t)p->bad_entry, "error", "status", sq_status_name(r->status), "number", (int)r->status,
                      "text", sq_status_text(r->status), "detail", r->err.text);
    if (r->status == SQ_OK && p->fork.code[0] != '\0')
        json_object_set_new(o, "fork",
                            json_pack("{s:s, s:I, s:I, s:I}", "node", p->fork.code, "first_size",
                                      (json_int_t)p->fork.first_size, "second_size", (json_int_t)p->fork.second_size,
                                      "entry", (json_int_t)p->fork.entry));
    return o;
}

static void print_report(const struct result *r)
{
    const struct sq_audit_report *p = &r->report;
    static const char *const snapshot_texts[] = {N_("there is none"),
                                                 N_("not usable by this program; nodes pass it over"),
                                                 N_("the same state as the journal makes")};
    const struct {
        const char *label;
        uint64_t n;
    } lines[] = {{N_("entries"), p->entries},
                 {N_("signatures"), p->signatures},
                 {N_("items"), p->items},
                 {N_("steps of link streams"), p->links},
                 {N_("settlements"), p->settlements},
                 {N_("entries that witnesses have cosigned"), p->witnessed},
                 {N_("receipts"), r->receipts},
                 {N_("anchors of access logs"), r->anchors}};
    char n[SQ_TEXT_SIZE];
    printf(_("The ledger of node %s verifies.\n"), p->node);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        printf("  %s: %s\n", _(lines[i].label), sq_text_count(lines[i].n, n));
    if (p->fork.code[0] != '\0')
        printf(_("  Node %s HAS SIGNED TWO HISTORIES: checkpoints of %" PRIu64 " and %" PRIu64
                 " entries that do not go together, see entry %" PRIu64 " of this journal.\n"),
               p->fork.code, p->fork.first_size, p->fork.second_size, p->fork.entry);
    printf("  %s: ", _("root"));
    for (int i = 0; i < 32; i++)
        printf("%02x", p->root[i]);
    printf("\n  %s: %s\n", _("snapshot"), _(snapshot_texts[p->snapshot]));
    print_evidence(p);
}

/* Whatever shows while the ledger is read is something wrong with it, unless this machine ran out of something. */
static int exit_of(const struct result *r)
{
    if (r->status == SQ_E_FOREIGN ||
        (r->opened && r->status != SQ_OK && r->status != SQ_E_NOMEM && r->status != SQ_E_IO && r->status != SQ_E_USAGE))
        return SQ_EXIT_VERIFY;
    return (int)sq_cli_exit_of(r->status);
}

/* ---- usage ---- */

enum { KEY_LEDGER = 0x100, KEY_DIRECTORY, KEY_LOG };

struct input {
    struct sq_cli *cli;
    struct audit *audit;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case KEY_LEDGER:
        in->audit->ledger = value;
        return 0;
    case KEY_DIRECTORY:
        in->cli->directory = value;
        return 0;
    case KEY_LOG:
        if (in->audit->log_count == LOGS_MAX)
            return sq_args_wrong(state, _("at most %d access logs go"), LOGS_MAX);
        in->audit->logs[in->audit->log_count++] = value;
        return 0;
    case ARGP_KEY_ARGS:
        in->audit->files = state->argv + state->next;
        in->audit->file_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        return in->audit->ledger == NULL    ? sq_args_wrong(state, _("say which ledger: --ledger DIR"))
               : in->cli->directory == NULL ? sq_args_wrong(state, _("say which network: --directory FILE"))
                                            : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger, or a copy of it"), 0},
    {"directory", KEY_DIRECTORY, N_("FILE"), 0, N_("the network's directory [SANQUAN_DIRECTORY]"), 0},
    {"access-log", KEY_LOG, N_("FILE"), 0,
     N_("a log whose hashes this journal anchors; may be given again, once for each file that the log has had"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    N_("[RECEIPTS...]"),
    N_("Check a ledger from its journal alone: hashes, tree and signed checkpoint, every signature, every decision, "
       "links, settlements, nets, payments and "
       "certificates."),
    N_("The first thing that is wrong is named with its entry; then the exit code is 4. The node may go on working "
       "meanwhile. 'sanquan backup' "
       "takes a copy. RECEIPTS are files that 'submit --receipts' wrote: each receipt must be of an entry of this "
       "ledger. That shows, too, that nothing was cut off at its end.\n"
       "An access log (access_log and anchored_logs of the node's configuration, the console's among them) is\n"
       "given under the name that it has there; a log that was begun anew has another file for each beginning,\n"
       "in folders of their own.\n"
       "\n"
       "  sanquan audit --ledger /var/lib/sanquan/310000 --directory directory.yaml september.csv.receipts"),
    0};

int sq_cmd_audit(struct sq_cli *cli, int argc, char **argv)
{
    struct audit a = {0};
    int code = sq_cli_parse(cli, &args, argc, argv, &(struct input){cli, &a});
    if (code != SQ_PARSED)
        return code;
    struct result *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED)
        sq_need(NULL);
    run_in_child(cli, &a, r);
    if (r->status != SQ_OK)
        sq_cli_fail(&(struct sq_cli){.command = cli->command}, &r->err);
    else if (!cli->json)
        print_report(r);
    if (cli->json)
        sq_cli_json(report_json(r));
    code = exit_of(r);
    munmap(r, sizeof *r);
    return code;
}
