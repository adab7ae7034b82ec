/* sanquan init: the ledger of a new node, with the directory as its first entry. */
#include <time.h>

#include "ops/cli/session.h"
#include "ops/common/identity.h"

static error_t parse_init(int key, char *value, struct argp_state *state)
{
    const char **config = state->input;
    switch (key) {
    case 'c':
        *config = value;
        return 0;
    case ARGP_KEY_END:
        return *config == NULL ? sq_args_wrong(state, _("say which configuration: --config FILE")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option init_options[] = {
    {"config", 'c', N_("FILE"), 0, N_("the node's configuration (YAML), as sanquand reads it"), 0},
    {0},
};
static const struct sq_args init_args = {
    init_options,
    parse_init,
    NULL,
    N_("Make the ledger of a new node where its configuration says, and journal the network's directory as the first "
       "entry."),
    N_("A ledger that is there already is never touched. Configuration, directory and keys are checked first.\n"
       "\n"
       "  sanquan init --config /etc/sanquan/310000.yaml"),
    0};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A crash between the two steps leaves an empty ledger, whose first entry the daemon writes. */
static sq_status make_ledger(const struct sq_identity *id, struct sq_error *err)
{
    struct sq_ledger_options o = sq_identity_ledger(id);
    struct sq_signer signer = sq_log_signer(id->keys);
    struct sq_ledger *ledger = NULL;
    struct sq_core *core = NULL;
    sq_status st = sq_ledger_create(&o, err);
    if (st == SQ_OK)
        st = sq_ledger_open(&o, &ledger, err);
    if (st == SQ_OK)
        st = sq_core_new(&core, err);
    if (st == SQ_OK) {
        sq_core_set_key_check(core, sq_ed25519_key_ok);
        st = sq_genesis_write(ledger, core, id->genesis, &signer, now_ms(), err);
    }
    sq_core_free(core);
    sq_ledger_close(ledger);
    return st;
}

static void print_made(const struct sq_cli *cli, const struct sq_identity *id)
{
    char hex[2 * 32 + 1];
    sq_hex(sq_directory_network_id(id->directory), 32, hex);
    if (cli->json)
        sq_cli_json(json_pack("{s:s, s:s, s:s, s:s, s:i}", "node", id->config->node, "ledger", id->config->ledger,
                              "log", id->origin, "network_id", hex, "seq", 1));
    else
        printf(_("Ledger of node %s made in %s\nnetwork %s\n"), id->config->node, id->config->ledger, hex);
}

int sq_cmd_init(struct sq_cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    struct sq_error err = {0};
    struct sq_identity id = {0};
    int code = sq_cli_parse(cli, &init_args, argc, argv, &config);
    if (code != SQ_PARSED)
        return code;
    cli->key = NULL; /* the question for a passphrase is about the node's key file */
    cli->passphrase_file = NULL;
    sq_status st = sq_identity_open(config, sq_cli_passphrase, cli, &id, &err);
    if (st == SQ_OK)
        st = make_ledger(&id, &err);
    if (st == SQ_OK)
        print_made(cli, &id);
    sq_identity_close(&id);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}
