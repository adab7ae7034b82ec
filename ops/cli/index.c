/*
 * sanquan index: the files that make questions about a ledger's items fast.
 *
 * They are derived from the journal (ops/history): what is missing is built, all can be checked against the journal, dropped and built again.
 * A running node keeps them itself and holds their lock.
 */
#include "clearing/ledger/ledger.h"
#include "ops/cli/cli.h"
#include "ops/cli/text.h"
#include "ops/history/history.h"

#define STEP_ENTRIES 2000u

struct work {
    const char *ledger_path;
    enum { BUILD, REBUILD, CHECK, DROP } what;
    int chosen;
    struct sq_ledger *ledger;
    struct sq_history *history;
};

/* ---- usage ---- */

enum { KEY_LEDGER = 0x100, KEY_REBUILD, KEY_CHECK, KEY_DROP };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct work *w = state->input;
    switch (key) {
    case KEY_LEDGER:
        w->ledger_path = value;
        return 0;
    case KEY_REBUILD:
    case KEY_CHECK:
    case KEY_DROP:
        w->what = key == KEY_REBUILD ? REBUILD : key == KEY_CHECK ? CHECK : DROP;
        return w->chosen++ == 0 ? 0 : sq_args_wrong(state, "%s", _("--rebuild, --check and --drop exclude each other"));
    case ARGP_KEY_END:
        return w->ledger_path == NULL ? sq_args_wrong(state, _("say which ledger: --ledger DIR")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger, or a copy of it"), 0},
    {"rebuild", KEY_REBUILD, NULL, 0, N_("drop all of it and build it again"), 0},
    {"check", KEY_CHECK, NULL, 0, N_("hold every file against the journal; exit code 4 when one differs"), 0},
    {"drop", KEY_DROP, NULL, 0, N_("remove the files"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    NULL,
    N_("Build what is missing of a ledger's index, which makes 'sanquan history' and the console fast."),
    N_("The index lies in DIR/history and is derived from the journal: it can be removed at any time. A running\n"
       "node keeps it by itself; only --check goes while the node runs. The newest entries, less than a file's\n"
       "worth, are read from the journal each time.\n"
       "\n"
       "  sanquan index --ledger /backup/310000\n"
       "  sanquan index --ledger /var/lib/sanquan/310000 --check"),
    0};

/* ---- the work ---- */

static sq_status build(const struct sq_cli *cli, struct work *w, struct sq_error *err)
{
    struct sq_bar bar;
    uint64_t left = 1, end = sq_ledger_seq(w->ledger);
    int writes = 0;
    sq_status st = sq_history_write(w->history, &writes, err);
    if (st == SQ_OK && !writes)
        st = sq_fail(err, SQ_E_LOCKED, "%s/history is kept by another process, which is its node when that runs",
                     w->ledger_path);
    sq_bar_begin(&bar, cli, _("Entries"), end);
    while (st == SQ_OK && left != 0) {
        st = sq_history_follow(w->history, STEP_ENTRIES, &left, err);
        sq_bar_at(&bar, end - (left < end ? left : end));
    }
    sq_bar_end(&bar);
    return st;
}

static sq_status work(const struct sq_cli *cli, struct work *w, struct sq_error *err)
{
    const struct sq_ledger_options o = {.path = w->ledger_path, .read_only = 1};
    sq_status st = sq_ledger_open(&o, &w->ledger, err);
    if (st == SQ_OK && (w->what == REBUILD || w->what == DROP))
        st = sq_history_drop(w->ledger_path, err);
    if (st == SQ_OK)
        st = sq_history_open(w->ledger_path, w->ledger, 0, &w->history, err);
    if (st == SQ_OK && (w->what == BUILD || w->what == REBUILD))
        st = build(cli, w, err);
    return st == SQ_OK && w->what == CHECK ? sq_history_check(w->history, err) : st;
}

static void report(const struct sq_cli *cli, const struct work *w)
{
    char runs[SQ_TEXT_SIZE], entries[SQ_TEXT_SIZE], all[SQ_TEXT_SIZE];
    uint64_t kept = sq_history_seq(w->history), total = sq_ledger_seq(w->ledger);
    unsigned count = sq_history_run_count(w->history);
    if (cli->json)
        sq_cli_json(json_pack("{s:i, s:I, s:I}", "files", (int)count, "entries", (json_int_t)kept, "ledger_entries",
                              (json_int_t)total));
    else if (w->what == DROP)
        printf(_("The index is dropped; 'sanquan index' builds it again.\n"));
    else
        printf(w->what == CHECK ? _("%s files agree with the journal: entries 1 to %s of %s\n")
                                : _("%s files hold entries 1 to %s of %s\n"),
               sq_text_count(count, runs), sq_text_count(kept, entries), sq_text_count(total, all));
}

int sq_cmd_index(struct sq_cli *cli, int argc, char **argv)
{
    struct work w = {.what = BUILD};
    struct sq_error err = {0};
    int code = sq_cli_parse(cli, &args, argc, argv, &w);
    if (code != SQ_PARSED)
        return code;
    sq_status st = work(cli, &w, &err);
    if (st == SQ_OK)
        report(cli, &w);
    sq_history_close(w.history);
    sq_ledger_close(w.ledger);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
