/*
 * sanquan directory new, sanquan directory show: the file that makes a network, from the public halves of key files.
 *
 * The file is composed in memory and read back by the reader that every node uses, before anything is printed.
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/netting/netting.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"

#define FILES_MAX        4096u
#define HOSTS_MAX        1024u
#define ROUND_TIMEOUT_MS 1000u
#define WITNESS_MS       60000u

struct host { /* --host 440300=440000 */
    char issuer[7], node[7];
};

struct composing {
    const char *network, *netting;
    uint64_t round_timeout_ms, witness_ms;
    struct host hosts[HOSTS_MAX];
    size_t host_count;
    char *files[FILES_MAX];
    size_t file_count;
    struct sq_keys *keys[FILES_MAX];
};

/* ---- options ---- */

enum { KEY_NETWORK = 0x100, KEY_NETTING, KEY_ROUND, KEY_WITNESS, KEY_HOST };

static error_t add_host(struct composing *c, const char *value, const struct argp_state *state)
{
    if (strlen(value) != 13 || value[6] != '=' || strspn(value, "0123456789") != 6 ||
        strspn(value + 7, "0123456789") != 6)
        return sq_args_wrong(state, _("--host %s: write ISSUER=NODE, as in 440300=440000"), value);
    if (c->host_count == HOSTS_MAX)
        return sq_args_wrong(state, _("--host %s: at most %u go"), value, HOSTS_MAX);
    struct host *h = &c->hosts[c->host_count++];
    memcpy(h->issuer, value, 6);
    memcpy(h->node, value + 7, 6);
    return 0;
}

static error_t parse_new(int key, char *value, struct argp_state *state)
{
    struct composing *c = state->input;
    switch (key) {
    case KEY_NETWORK:
        c->network = value;
        return 0;
    case KEY_NETTING:
        c->netting = value;
        return 0;
    case KEY_ROUND:
        return sq_args_number(value, 50, 600000, &c->round_timeout_ms)
                   ? 0
                   : sq_args_wrong(state, _("--round-timeout-ms %s: 50 to 600000 go"), value);
    case KEY_WITNESS:
        return sq_args_number(value, 0, 86400000, &c->witness_ms) && (c->witness_ms == 0 || c->witness_ms >= 100)
                   ? 0
                   : sq_args_wrong(state, _("--witness-ms %s: 100 to 86400000 go, or 0"), value);
    case KEY_HOST:
        return add_host(c, value, state);
    case ARGP_KEY_ARG:
        if (c->file_count == FILES_MAX)
            return sq_args_wrong(state, _("at most %u key files go"), FILES_MAX);
        c->files[c->file_count++] = value;
        return 0;
    case ARGP_KEY_END:
        return c->network == NULL ? sq_args_wrong(state, _("say what the network is called: --network NAME"))
               : c->file_count == 0
                   ? sq_args_wrong(
                         state, _("say whose keys belong to it: key files of nodes, issuers, operators and regulators"))
                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option new_options[] = {
    {"network", KEY_NETWORK, N_("NAME"), 0, N_("what the network is called; of a-z, 0-9, - _ ."), 0},
    {"netting", KEY_NETTING, N_("METHOD"), 0, N_("hub, bilateral, cycles, funds or gross (hub)"), 0},
    {"round-timeout-ms", KEY_ROUND, "N", 0, N_("first round of the settlement agreement (1000)"), 0},
    {"witness-ms", KEY_WITNESS, "N", 0,
     N_("how often nodes show each other their checkpoints, to be cosigned; 0: never (60000)"), 0},
    {"host", KEY_HOST, N_("ISSUER=NODE"), 0,
     N_("this issuer is hosted by this node; without it an issuer is hosted by the node of its own code"), 0},
    {0},
};
static const struct sq_args new_args = {
    new_options,
    parse_new,
    N_("KEYFILE..."),
    N_("Compose a network's directory from key files, of which only the public halves are read, and print it."),
    N_("All nodes use the same file, byte for byte: its SHA-256 is the network id. Each node needs its own keys, those "
       "of an issuer\n"
       "and those of two operators.\n"
       "\n"
       "  sanquan directory new --network demo --host 440300=440000 *.key > directory.yaml"),
    0};

/* ---- composing ---- */

static const char *code_of(const struct sq_keys *k)
{
    return strchr(k->name, ':') + 1;
}
static int is(const struct sq_keys *k, const char *role)
{
    return strncmp(k->name, role, strlen(role)) == 0;
}

static int by_name(const void *a, const void *b)
{
    struct sq_keys *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static sq_status read_keys(struct composing *c, struct sq_error *err)
{
    for (size_t i = 0; i < c->file_count; i++) {
        sq_status st = sq_keys_read_public(c->files[i], &c->keys[i], err);
        if (st != SQ_OK)
            return st;
        if (!is(c->keys[i], "node:") && !is(c->keys[i], "issuer:") && !is(c->keys[i], "operator:") &&
            !is(c->keys[i], "regulator:"))
            return sq_fail(err, SQ_E_USAGE,
                           "%s: %s does not stand in a directory; an operator enrols providers, holders and evaluators",
                           c->files[i], c->keys[i]->name);
    }
    qsort(c->keys, c->file_count, sizeof c->keys[0], by_name); /* the same files in any order give the same directory */
    return SQ_OK;
}

static int has_node(const struct composing *c, const char *code)
{
    for (size_t i = 0; i < c->file_count; i++)
        if (is(c->keys[i], "node:") && strncmp(code_of(c->keys[i]), code, 6) == 0)
            return 1;
    return 0;
}

/* The node that hosts an issuer, or that an operator works for. */
static const char *home_of(const struct composing *c, const struct sq_keys *k)
{
    for (size_t i = 0; is(k, "issuer:") && i < c->host_count; i++)
        if (strcmp(c->hosts[i].issuer, code_of(k)) == 0)
            return c->hosts[i].node;
    return code_of(k);
}

static sq_status check_homes(const struct composing *c, struct sq_error *err)
{
    for (size_t i = 0; i < c->file_count; i++) {
        const struct sq_keys *k = c->keys[i];
        if ((is(k, "issuer:") || is(k, "operator:")) && !has_node(c, home_of(c, k)))
            return sq_fail(err, SQ_E_USAGE, "%s: there is no key file of node %.6s%s", k->name, home_of(c, k),
                           is(k, "issuer:") ? "; say which node hosts it with --host" : "");
    }
    return SQ_OK;
}

static void put_hex(FILE *f, const char *label, const uint8_t key[static SQ_KEY_SIZE], const char *after)
{
    char hex[2 * SQ_KEY_SIZE + 1];
    sq_hex(key, SQ_KEY_SIZE, hex);
    fprintf(f, "%s: %s%s", label, hex, after);
}

/* "      - {code: "310000", key: ..., transport_key: ...}" */
static void put_member(FILE *f, const char *indent, const char *label, const char *code, const struct sq_keys *k)
{
    fprintf(f, "%s- {%s: \"%s\", ", indent, label, code);
    put_hex(f, "key", k->public_key, ", ");
    put_hex(f, "transport_key", k->transport_public, "}\n");
}

static void put_members(FILE *f, const struct composing *c, const char *node, const char *role)
{
    for (size_t i = 0; i < c->file_count; i++) {
        const struct sq_keys *k = c->keys[i];
        if (!is(k, role) || strncmp(home_of(c, k), node, 6) != 0)
            continue;
        if (is(k, "issuer:"))
            put_member(f, "      ", "code", code_of(k), k);
        else
            put_member(f, "      ", "name", code_of(k) + 7, k);
    }
}

static void put_node(FILE *f, const struct composing *c, const struct sq_keys *k)
{
    fprintf(f, "  - code: \"%s\"\n", code_of(k));
    put_hex(f, "    node_key", k->public_key, "\n");
    put_hex(f, "    log_key", k->log_public, "\n");
    put_hex(f, "    transport_key", k->transport_public, "\n");
    fprintf(f, "    issuers:\n");
    put_members(f, c, code_of(k), "issuer:");
    fprintf(f, "    operators:\n");
    put_members(f, c, code_of(k), "operator:");
}

static void put_directory(FILE *f, const struct composing *c)
{
    int regulators = 0;
    fprintf(f, "network: %s\nnetting: %s\nround_timeout_ms: %" PRIu64 "\n", c->network, c->netting,
            c->round_timeout_ms);
    if (c->witness_ms != 0)
        fprintf(f, "witness_ms: %" PRIu64 "\n", c->witness_ms);
    fputs("nodes:\n", f);
    for (size_t i = 0; i < c->file_count; i++)
        if (is(c->keys[i], "node:"))
            put_node(f, c, c->keys[i]);
    for (size_t i = 0; i < c->file_count; i++)
        if (is(c->keys[i], "regulator:")) {
            fputs(regulators++ == 0 ? "regulators:\n" : "", f);
            put_member(f, "  ", "name", code_of(c->keys[i]), c->keys[i]);
        }
}

static sq_status compose(struct composing *c, char **text, struct sq_directory **d, struct sq_error *err)
{
    size_t size;
    sq_status st = read_keys(c, err);
    if (st == SQ_OK)
        st = check_homes(c, err);
    if (st != SQ_OK)
        return st;
    FILE *f = sq_need(open_memstream(text, &size));
    put_directory(f, c);
    if (fclose(f) != 0)
        return sq_fail(err, SQ_E_NOMEM, "directory");
    return sq_directory_parse(sq_bytes_of(*text, size), "directory", d, err);
}

static json_t *member_names(const Sanquan__V1__Genesis *g, const char *role, const char *node)
{
    json_t *a = json_array();
    for (size_t i = 0; i < g->n_parties; i++)
        if (strncmp(g->parties[i]->name, role, strlen(role)) == 0 &&
            (node == NULL || strcmp(g->parties[i]->node, node) == 0))
            json_array_append_new(a, json_string(g->parties[i]->name));
    return a;
}

static json_t *directory_json(const struct sq_directory *d)
{
    char hex[2 * 32 + 1];
    const Sanquan__V1__Genesis *g = sq_directory_members(d);
    json_t *nodes = json_array();
    sq_hex(sq_directory_network_id(d), 32, hex);
    for (size_t i = 0; i < g->n_nodes; i++)
        json_array_append_new(nodes, json_pack("{s:s, s:o, s:o}", "code", g->nodes[i]->code, "issuers",
                                               member_names(g, "issuer:", g->nodes[i]->code), "operators",
                                               member_names(g, "operator:", g->nodes[i]->code)));
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:o}", "network", sq_directory_network_name(d), "network_id", hex,
                     "netting", sq_netting_name(g->netting_method), "round_timeout_ms", (int)g->round_timeout_ms,
                     "witness_ms", (int)g->witness_ms, "nodes", nodes, "regulators",
                     member_names(g, "regulator:", NULL));
}

int sq_cmd_directory_new(struct sq_cli *cli, int argc, char **argv)
{
    struct composing *c = sq_need(calloc(1, sizeof *c));
    struct sq_error err = {0};
    struct sq_directory *d = NULL;
    char *text = NULL, hex[2 * 32 + 1];
    c->netting = "hub";
    c->round_timeout_ms = ROUND_TIMEOUT_MS;
    c->witness_ms = WITNESS_MS;
    int code = sq_cli_parse(cli, &new_args, argc, argv, c);
    if (code == SQ_PARSED && compose(c, &text, &d, &err) != SQ_OK)
        code = sq_cli_fail(cli, &err);
    if (code == SQ_PARSED) {
        sq_hex(sq_directory_network_id(d), 32, hex);
        if (cli->json)
            sq_cli_json(json_pack("{s:o, s:s}", "directory", directory_json(d), "yaml", text));
        else
            fputs(text, stdout);
        sq_cli_note(cli, _("network id %s"), hex);
        code = SQ_EXIT_DONE;
    }
    for (size_t i = 0; i < c->file_count; i++)
        if (c->keys[i] != NULL)
            sq_secret_free(c->keys[i]);
    sq_directory_free(d);
    free(text);
    free(c);
    return code;
}

/* ---- show ---- */

static error_t parse_show(int key, char *value, struct argp_state *state)
{
    const char **file = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*file != NULL)
            return ARGP_ERR_UNKNOWN;
        *file = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct sq_args show_args = {
    NULL,
    parse_show,
    N_("[FILE]"),
    N_("Show a network's id and members. Without FILE: the one that SANQUAN_DIRECTORY names."),
    N_("  sanquan directory show directory.yaml"),
    0};

static void print_members(const struct sq_directory *d)
{
    const char *headers[] = {_("member"), _("node"), _("public key")};
    const Sanquan__V1__Genesis *g = sq_directory_members(d);
    char hex[2 * SQ_KEY_SIZE + 1];
    struct sq_grid t;
    sq_grid_begin(&t, "lll", headers);
    for (size_t i = 0; i < g->n_nodes; i++) {
        sq_hex(g->nodes[i]->node_key.data, SQ_KEY_SIZE, hex);
        sq_grid_put(&t, "node:%s", g->nodes[i]->code);
        sq_grid_put(&t, "%s", g->nodes[i]->code);
        sq_grid_put(&t, "%s", hex);
    }
    for (size_t i = 0; i < g->n_parties; i++) {
        sq_hex(g->parties[i]->key.data, SQ_KEY_SIZE, hex);
        sq_grid_put(&t, "%s", g->parties[i]->name);
        sq_grid_put(&t, "%s", g->parties[i]->node[0] != '\0' ? g->parties[i]->node : "-");
        sq_grid_put(&t, "%s", hex);
    }
    sq_grid_print(&t, stdout);
    sq_grid_end(&t);
}

int sq_cmd_directory_show(struct sq_cli *cli, int argc, char **argv)
{
    const char *file = NULL;
    struct sq_error err = {0};
    struct sq_directory *d;
    char hex[2 * 32 + 1];
    int code = sq_cli_parse(cli, &show_args, argc, argv, &file);
    if (code != SQ_PARSED)
        return code;
    file = file != NULL ? file : cli->directory;
    if (file == NULL)
        return sq_cli_usage(cli, _("say which directory file"));
    if (sq_directory_read(file, &d, &err) != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json) {
        sq_cli_json(directory_json(d));
    } else {
        sq_hex(sq_directory_network_id(d), 32, hex);
        printf(_("network %s\nid      %s\nnetting %s\n\n"), sq_directory_network_name(d), hex,
               sq_netting_name(sq_directory_members(d)->netting_method));
        print_members(d);
    }
    sq_directory_free(d);
    return SQ_EXIT_DONE;
}
