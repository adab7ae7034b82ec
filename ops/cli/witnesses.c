/* sanquan witnesses: who has cosigned a node's checkpoints, and what it holds against the others' logs. */
#include "ops/cli/session.h"
#include "ops/cli/text.h"

static const struct sq_args args = {
    NULL,
    NULL,
    NULL,
    N_("Show who has cosigned a node's checkpoints, how far it has seen the other nodes' logs, and which nodes have "
       "signed two histories."),
    N_("A checkpoint is witnessed when more than half of the other nodes have cosigned it. Of a node that has signed "
       "two histories both checkpoints are shown, each with its signature: keep them, and speak to the regulator.\n"
       "\n"
       "  sanquan witnesses --key mof.key --node 310000"),
    1};

static uint64_t u64_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}
static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

/* How the other node's log stands here. */
static const char *standing(const json_t *n)
{
    return json_object_get(n, "fork") != NULL ? _("TWO HISTORIES")
           : u64_of(n, "unproven_ms") != 0    ? _("not shown to continue")
           : u64_of(n, "seen_size") != 0      ? _("continued")
                                              : _("not seen yet");
}

static void print_nodes(const json_t *nodes)
{
    const char *headers[] = {_("other node"), _("has cosigned up to"), _("at"),     _("is seen up to"),
                             _("at"),         _("heard of up to"),     _("its log")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    const json_t *n;
    sq_grid_begin(&g, "lrlrlrl", headers);
    for (i = 0; (n = json_array_get(nodes, i)) != NULL; i++) {
        if (json_object_get(n, "seen_size") == NULL)
            continue; /* this node itself */
        sq_grid_put(&g, "%s", text_of(n, "node"));
        sq_grid_put(&g, "%s", sq_text_count(u64_of(n, "cosigned_size"), text));
        sq_grid_put(&g, "%s", sq_text_time(u64_of(n, "cosigned_ms"), text));
        sq_grid_put(&g, "%s", sq_text_count(u64_of(n, "seen_size"), text));
        sq_grid_put(&g, "%s", sq_text_time(u64_of(n, "seen_ms"), text));
        sq_grid_put(&g, "%s", sq_text_count(u64_of(n, "heard_size"), text));
        sq_grid_put(&g, "%s", standing(n));
    }
    putchar('\n');
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_fork(const json_t *node, const json_t *fork)
{
    char time[SQ_TEXT_SIZE];
    printf(
        _("\nNode %s has signed two histories (found %s, entry %" PRIu64 " of this node's journal, told by %s):\n\n"),
        text_of(node, "node"), sq_text_time(u64_of(fork, "found_ms"), time), u64_of(fork, "entry"),
        text_of(fork, "told_by"));
    printf("%s\n%s", text_of(fork, "first"), text_of(fork, "second"));
}

static void print_witnesses(const json_t *a)
{
    char one[SQ_TEXT_SIZE], two[SQ_TEXT_SIZE], three[SQ_TEXT_SIZE];
    const json_t *nodes = json_object_get(a, "nodes"), *node;
    if (u64_of(a, "witness_ms") == 0) {
        printf(_("The nodes of this network are no witnesses: its directory has no witness_ms.\n"));
        return;
    }
    printf(
        _("log %s has %s entries; shown up to %s; witnessed up to %s, for which %" PRIu64 " other nodes must cosign\n"),
        text_of(a, "log"), sq_text_count(u64_of(a, "seq"), one), sq_text_count(u64_of(a, "shown_size"), two),
        sq_text_count(u64_of(a, "witnessed_size"), three), u64_of(a, "quorum"));
    print_nodes(nodes);
    for (size_t i = 0; (node = json_array_get(nodes, i)) != NULL; i++) {
        if (json_object_get(node, "fork") != NULL)
            print_fork(node, json_object_get(node, "fork"));
        if (u64_of(node, "accused_ms") != 0)
            printf(_("\nNode %s says that this node has signed two histories.\n"), text_of(node, "node"));
    }
}

int sq_cmd_witnesses(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &args, argc, argv, "witnesses", NULL, print_witnesses);
}
