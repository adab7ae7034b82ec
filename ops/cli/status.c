/* sanquan status: how a node is. */
#include "ops/cli/session.h"
#include "ops/cli/text.h"

static const struct sq_args args = {
    NULL,
    NULL,
    NULL,
    N_("Show how a node is: its journal, the open window, what it has decided, and how its streams to the other nodes "
       "stand."),
    N_("Everybody who is enrolled may ask.\n"
       "\n"
       "  sanquan status --connect 10.0.0.1:7310 --key zhang.key --directory directory.yaml"),
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

static void print_peers(const json_t *peers)
{
    const char *headers[] = {_("other node"), _("last heard"),   _("received"),
                             _("sent"),       _("acknowledged"), _("waiting")};
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    size_t i;
    json_t *p;
    if (json_array_size(peers) == 0)
        return;
    sq_grid_begin(&g, "llrrrr", headers);
    json_array_foreach(peers, i, p)
    {
        sq_grid_put(&g, "%s", text_of(p, "node"));
        if (json_is_true(json_object_get(p, "configured")))
            sq_grid_put(&g, "%s", sq_text_time(u64_of(p, "heard_ms"), text));
        else
            sq_grid_put(&g, "%s", _("not configured"));
        sq_grid_put(&g, "%s", sq_text_count(u64_of(p, "received"), text));
        sq_grid_put(&g, "%s", sq_text_count(u64_of(p, "sent"), text));
        sq_grid_put(&g, "%s", sq_text_count(u64_of(p, "acknowledged"), text));
        sq_grid_put(&g, "%s", sq_text_count(u64_of(p, "unacknowledged"), text));
    }
    putchar('\n');
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
    json_array_foreach(peers, i, p)
    {
        char since[SQ_TEXT_SIZE];
        if (u64_of(p, "overdue_parts") != 0)
            printf(
                _("%s parts of bundles are held for node %s past their time, the first since %s. They stay held until "
                  "it says whether they are spent: get it back into touch with this node.\n"),
                sq_text_count(u64_of(p, "overdue_parts"), text), text_of(p, "node"),
                sq_text_time(u64_of(p, "overdue_since_ms"), since));
        if (u64_of(p, "false_claims") != 0)
            printf(_("Node %s has claimed messages of this node that it cannot show (%s times): ask its operators. "
                     "Nothing "
                     "here has changed by it.\n"),
                   text_of(p, "node"), sq_text_count(u64_of(p, "false_claims"), text));
    }
}

static void print_refused(json_t *refused)
{
    const char *headers[] = {_("rows"), _("refused because")}, *name;
    char text[SQ_TEXT_SIZE];
    struct sq_grid g;
    json_t *n;
    if (json_object_size(refused) == 0)
        return;
    sq_grid_begin(&g, "rl", headers);
    json_object_foreach(refused, name, n)
    {
        sq_grid_put(&g, "%s", sq_text_count((uint64_t)json_integer_value(n), text));
        sq_grid_put(&g, "%s", sq_text_status(name));
    }
    putchar('\n');
    sq_grid_print(&g, stdout);
    sq_grid_end(&g);
}

static void print_status(const json_t *a)
{
    const json_t *t = json_object_get(a, "totals");
    char one[SQ_TEXT_SIZE], two[SQ_TEXT_SIZE], three[SQ_TEXT_SIZE];
    printf(_("node %s of network %s\n"), text_of(a, "node"), text_of(a, "network"));
    printf(_("its time %s (UTC+8); %s entries in the journal; window %" PRIu64 " is open\n"),
           sq_text_time(u64_of(a, "now_ms"), one), sq_text_count(u64_of(a, "seq"), two), u64_of(a, "open_window"));
    printf(_("%" PRIu64 ".%" PRIu64 "%% of the disk is free%s\n"), u64_of(a, "free_permille") / 10,
           u64_of(a, "free_permille") % 10,
           json_is_true(json_object_get(a, "takes_new_work")) ? "" : _("; NEW WORK IS REFUSED until there is more"));
    printf(_("from its providers: %s rows, %s accepted, %s refused; %" PRIu64 " batches wait for an answer\n"),
           sq_text_count(u64_of(t, "items_received"), one), sq_text_count(u64_of(t, "items_accepted"), two),
           sq_text_count(u64_of(t, "items_refused"), three), u64_of(t, "batches_waiting"));
    printf(_("as issuer it decided %s rows; %s messages were turned away\n"),
           sq_text_count(u64_of(t, "items_decided"), one), sq_text_count(u64_of(t, "rejected"), two));
    if (json_is_true(json_object_get(a, "waits_for_witnesses")))
        printf(_("its ledger is a copy: it TAKES NO WORK until more than half of the other nodes have said what they "
                 "know of it\n"));
    const json_t *w = json_object_get(a, "witness");
    if (w != NULL)
        printf(_("witnessed up to entry %s, cosigned by %" PRIu64 " nodes%s\n"),
               sq_text_count(u64_of(w, "witnessed_size"), one), u64_of(w, "cosigned_by"),
               u64_of(w, "forks") != 0 ? _("; A NODE HAS SIGNED TWO HISTORIES: see 'sanquan witnesses'") : "");
    const json_t *c = json_object_get(a, "connections");
    printf(_("connections since its start: %s, of which %s became sessions; %s had an unknown key\n"),
           sq_text_count(u64_of(c, "accepted"), one), sq_text_count(u64_of(c, "established"), two),
           sq_text_count(u64_of(c, "denied"), three));
    print_refused(json_object_get(t, "refused"));
    print_peers(json_object_get(a, "peers"));
}

int sq_cmd_status(struct sq_cli *cli, int argc, char **argv)
{
    return sq_cli_show(cli, &args, argc, argv, "status", NULL, print_status);
}
