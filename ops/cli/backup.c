/*
 * sanquan backup: a copy of a ledger that can be audited, read, and started from, made while the node works.
 *
 *   copy (clearing/ledger) -> the copy's tree has the root of its checkpoint -> the checkpoint is signed by the node's log key
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/tree.h"
#include "ops/cli/source.h"
#include "ops/cli/text.h"
#include "peers/crypto.h"

struct backup {
    const char *ledger, *to;
    int undo;
    uint64_t entries;
    char node[7];
    uint8_t root[SQ_HASH_SIZE];
};

/* ---- usage ---- */

enum { KEY_LEDGER = 0x100, KEY_TO, KEY_UNDO };

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct backup *b = state->input;
    switch (key) {
    case KEY_LEDGER:
        b->ledger = value;
        return 0;
    case KEY_TO:
        b->to = value;
        return 0;
    case KEY_UNDO:
        b->undo = 1;
        return 0;
    case ARGP_KEY_END:
        if (b->undo)
            return b->to == NULL       ? sq_args_wrong(state, _("say which copy: --to DIR"))
                   : b->ledger != NULL ? sq_args_wrong(state, _("--undo needs no ledger: it works on the copy alone"))
                                       : 0;
        return b->ledger == NULL ? sq_args_wrong(state, _("say which ledger: --ledger DIR"))
               : b->to == NULL   ? sq_args_wrong(state, _("say where to: --to DIR"))
                                 : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"ledger", KEY_LEDGER, N_("DIR"), 0, N_("the ledger; its node may be working"), 0},
    {"to", KEY_TO, N_("DIR"), 0, N_("the copy: a new folder, or an earlier copy, which is brought up to date"), 0},
    {"undo", KEY_UNDO, NULL, 0, N_("bringing the copy up to date broke off: make it what it was before"), 0},
    {0},
};
static const struct sq_args args = {
    options,
    parse,
    NULL,
    N_("Copy a ledger while its node works, and verify the copy."),
    N_("The copy ends at the entry that was the newest when the command began. A run that broke off, or the\n"
       "next day's, goes on with the entries that the copy lacks. It can be audited and read like the ledger,\n"
       "and a node can be started from it when the ledger is lost. If peers have had more from that node than\n"
       "the copy knows, they stop it at its start: nothing is decided twice. Nothing of an earlier copy is\n"
       "touched before the new part is complete: when a run broke off, a later one goes on, and if there is\n"
       "no ledger any more, --undo makes the copy what it was before.\n"
       "\n"
       "  sanquan backup --ledger /var/lib/sanquan/310000 --to /backup/310000\n"
       "  sanquan backup --undo --to /backup/310000\n"
       "  sanquan audit --ledger /backup/310000 --directory directory.yaml"),
    0};

/* ---- the work ---- */

static sq_status on_progress(void *ctx, uint64_t entry, uint64_t last, struct sq_error *err)
{
    struct sq_bar *bar = ctx;
    (void)err;
    bar->total = last;
    sq_bar_at(bar, entry);
    return SQ_OK;
}

static sq_status copy(const struct sq_cli *cli, struct backup *b, struct sq_error *err)
{
    const struct sq_ledger_options o = {.path = b->ledger, .read_only = 1};
    struct sq_ledger *from = NULL;
    struct sq_bar bar;
    sq_status st = sq_ledger_open(&o, &from, err);
    sq_bar_begin(&bar, cli, _("Entries"), 1);
    if (st == SQ_OK)
        st = sq_ledger_copy(from, b->to, on_progress, &bar, &b->entries, err);
    sq_bar_end(&bar);
    sq_ledger_close(from);
    return st;
}

static sq_status check_checkpoint(struct backup *b, const struct sq_ledger *l, const struct sq_note_key *key,
                                  struct sq_error *err)
{
    struct sq_arena arena;
    struct sq_checkpoint checkpoint = {0};
    sq_bytes note, body;
    uint64_t size = 0, signers;
    sq_status st = sq_arena_init(&arena, 1u << 16, err);
    if (st == SQ_OK)
        st = sq_ledger_checkpoint(l, &arena, &note, &size, err);
    if (st == SQ_OK)
        st = sq_note_open(note, key, 1, sq_ed25519_check, &body, &signers, err);
    if (st == SQ_OK)
        st = sq_checkpoint_parse(body, &checkpoint, err);
    if (st == SQ_OK)
        st = sq_ledger_root(l, size, b->root, err);
    if (st == SQ_OK &&
        (size != b->entries || checkpoint.size != size || memcmp(checkpoint.root, b->root, SQ_HASH_SIZE) != 0))
        st = sq_fail(err, SQ_E_VERIFY, "the checkpoint is not that of its %" PRIu64 " entries", b->entries);
    sq_arena_free(&arena);
    return st == SQ_OK ? SQ_OK : sq_fail_context(err, st == SQ_E_FORMAT ? SQ_E_VERIFY : st, "%s", b->to);
}

/* As an outsider opens it: what was just written is read again. */
static sq_status verify(struct backup *b, struct sq_error *err)
{
    const struct sq_ledger_options o = {.path = b->to, .read_only = 1};
    struct sq_ledger *l = NULL;
    struct sq_note_key key = {0};
    sq_status st = sq_ledger_open(&o, &l, err);
    if (st == SQ_OK)
        st = sq_source_identity(l, b->node, key.key, err);
    if (st == SQ_OK) {
        snprintf(key.name, sizeof key.name, "%s", sq_ledger_origin(l));
        st = check_checkpoint(b, l, &key, err);
    }
    sq_ledger_close(l);
    return st;
}

static int undo(struct sq_cli *cli, struct backup *b)
{
    struct sq_error err = {0};
    char n[SQ_TEXT_SIZE];
    if (sq_ledger_copy_undo(b->to, &b->entries, &err) != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:I}", "copy", b->to, "entries", (json_int_t)b->entries));
    else
        printf(_("%s holds its %s entries again, as before the run that broke off.\n"), b->to,
               sq_text_count(b->entries, n));
    return SQ_EXIT_DONE;
}

int sq_cmd_backup(struct sq_cli *cli, int argc, char **argv)
{
    struct backup b = {0};
    struct sq_error err = {0};
    char root[2 * SQ_HASH_SIZE + 1], n[SQ_TEXT_SIZE];
    int code = sq_cli_parse(cli, &args, argc, argv, &b);
    if (code != SQ_PARSED)
        return code;
    if (b.undo)
        return undo(cli, &b);
    sq_status st = copy(cli, &b, &err);
    if (st == SQ_OK)
        st = verify(&b, &err);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    sq_hex(b.root, sizeof b.root, root);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:s, s:I, s:s}", "node", b.node, "copy", b.to, "entries", (json_int_t)b.entries,
                              "root", root));
    else
        printf(_("%s holds the %s entries of node %s up to now, and verifies.\n  root: %s\n"), b.to,
               sq_text_count(b.entries, n), b.node, root);
    return SQ_EXIT_DONE;
}
