#include "ops/cli/source.h"

#include <string.h>

#include "ops/common/identity.h"
#include "ops/history/proofs.h"

#define STEP_ENTRIES 2000u

/* ---- a ledger ---- */

sq_status sq_source_identity(const struct sq_ledger *l, char code[static 7], uint8_t log_key[static SQ_KEY_SIZE],
                             struct sq_error *err)
{
    struct sq_arena arena;
    struct sq_entry first;
    sq_status st = sq_arena_init(&arena, 16u << 20, err);
    if (st == SQ_OK)
        st = sq_ledger_read(l, 1, &arena, &first, err);
    Sanquan__V1__Genesis *g =
        st == SQ_OK ? sanquan__v1__genesis__unpack(NULL, first.input.size, first.input.data) : NULL;
    const Sanquan__V1__Node *node = g != NULL ? sq_identity_node(g, g->self) : NULL;
    if (st == SQ_OK && (node == NULL || node->log_key.len != SQ_KEY_SIZE))
        st = sq_fail(err, SQ_E_CORRUPT, "the first entry is not a genesis");
    if (st == SQ_OK) {
        snprintf(code, 7, "%.6s", g->self);
        memcpy(log_key, node->log_key.data, SQ_KEY_SIZE);
    }
    if (g != NULL)
        sanquan__v1__genesis__free_unpacked(g, NULL);
    sq_arena_free(&arena);
    return st;
}

/* When a directory is given, it must be the ledger's, and it names the log. */
static sq_status read_directory(struct sq_source *s, const char *ledger_path, struct sq_ledger_options *o,
                                struct sq_error *err)
{
    *o = (struct sq_ledger_options){.path = ledger_path, .read_only = 1};
    if (s->cli->directory == NULL)
        return SQ_OK;
    sq_status st = sq_directory_read(s->cli->directory, &s->session.directory, err);
    if (st == SQ_OK)
        o->network_id = sq_directory_network_id(s->session.directory);
    return st;
}

static sq_status follow(struct sq_source *s, struct sq_error *err)
{
    uint64_t left = 1, end = sq_ledger_seq(s->ledger);
    struct sq_bar bar;
    sq_status st = SQ_OK;
    sq_bar_begin(&bar, s->cli, _("Entries"), end);
    while (st == SQ_OK && left != 0) {
        st = sq_history_follow(s->history, STEP_ENTRIES, &left, err);
        uint64_t at = sq_ledger_seq(s->ledger) - left;
        if (at >= end)
            left = 0; /* what the node writes meanwhile is for the next reader */
        sq_bar_at(&bar, at < end ? at : end);
    }
    sq_bar_end(&bar);
    return st == SQ_OK ? sq_history_settle(s->history, err) : st;
}

static sq_status open_ledger(struct sq_source *s, const char *path, struct sq_error *err)
{
    struct sq_ledger_options o;
    sq_status st = read_directory(s, path, &o, err);
    if (st == SQ_OK)
        st = sq_ledger_open(&o, &s->ledger, err);
    if (st == SQ_OK)
        st = sq_ledger_seq(s->ledger) != 0 ? sq_source_identity(s->ledger, s->node, s->log_key, err)
                                           : sq_fail(err, SQ_E_NOT_FOUND, "%s has no entry yet", path);
    if (st == SQ_OK && s->session.directory != NULL)
        sq_log_origin(s->session.directory, s->node, s->origin);
    if (st == SQ_OK)
        st = sq_history_open(path, s->ledger, 0, &s->history, err);
    if (st == SQ_OK)
        st = follow(s, err);
    return st == SQ_OK ? sq_query_new(s->history, s->ledger, &s->query, err) : st;
}

/* ---- either ---- */

sq_status sq_source_open(const struct sq_cli *cli, const char *ledger_path, struct sq_source *s, struct sq_error *err)
{
    *s = (struct sq_source){.cli = cli, .session = {.cli = cli, .key_lock = -1}};
    if (ledger_path != NULL)
        return open_ledger(s, ledger_path, err);
    sq_status st = sq_session_open(cli, 1, &s->session, err);
    if (st != SQ_OK)
        return st;
    strncat(s->node, s->session.node->code, sizeof s->node - 1);
    memcpy(s->log_key, s->session.node->log_key.data, sizeof s->log_key);
    memcpy(s->origin, s->session.origin, sizeof s->origin);
    return SQ_OK;
}

void sq_source_close(struct sq_source *s)
{
    sq_query_free(s->query);
    sq_history_close(s->history);
    sq_ledger_close(s->ledger);
    sq_session_close(&s->session);
    s->query = NULL;
    s->history = NULL;
    s->ledger = NULL;
}

sq_status sq_source_ask(struct sq_source *s, const char *question, json_t **out, struct sq_error *err)
{
    char path[2100];
    struct sq_ask ask;
    if (s->ledger == NULL) {
        snprintf(path, sizeof path, "history?%s", question);
        return sq_session_ask(&s->session, path, out, err);
    }
    sq_ask_init(&ask);
    sq_status st = sq_ask_parse(&ask, question, err);
    return st == SQ_OK ? sq_ask_answer(s->query, s->history, s->ledger, &ask, out, err) : st;
}

sq_status sq_source_check(const struct sq_source *s, const json_t *answer, uint64_t *entries_out, struct sq_error *err)
{
    return sq_proofs_check(answer, s->origin[0] != '\0' ? s->origin : NULL, s->log_key, s->ledger, entries_out, err);
}

static void on_progress(void *ctx, uint64_t entry, uint64_t last)
{
    struct sq_bar *bar = ctx;
    bar->total = last;
    sq_bar_at(bar, entry);
}

sq_status sq_source_timeline(const struct sq_source *s, struct sq_timeline **out, struct sq_error *err)
{
    struct sq_bar bar;
    sq_bar_begin(&bar, s->cli, _("Entries"), 1);
    sq_status st = sq_timeline_new(s->ledger, on_progress, &bar, out, err);
    sq_bar_end(&bar);
    return st;
}
