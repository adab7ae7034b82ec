/* sanquan keygen, sanquan key show: a participant's key file, and its public half. */
#include "ops/cli/names.h"
#include "ops/cli/session.h"
#include "peers/keys.h"

/* ---- what both print ---- */

static json_t *hex_json(const uint8_t key[static SQ_KEY_SIZE])
{
    char hex[2 * SQ_KEY_SIZE + 1];
    sq_hex(key, SQ_KEY_SIZE, hex);
    return json_string(hex);
}

static void print_line(const char *label, const uint8_t key[static SQ_KEY_SIZE])
{
    char hex[2 * SQ_KEY_SIZE + 1];
    sq_hex(key, SQ_KEY_SIZE, hex);
    printf("%s: %s\n", label, hex);
}

static void print_public(const struct sq_cli *cli, const struct sq_keys *k, const char *file)
{
    if (cli->json) {
        json_t *o = json_pack("{s:s, s:s, s:o, s:o}", "name", k->name, "file", file, "public", hex_json(k->public_key),
                              "transport_public", hex_json(k->transport_public));
        if (k->has_log)
            json_object_set_new(sq_need(o), "log_public", hex_json(k->log_public));
        sq_cli_json(o);
        return;
    }
    printf("name: %s\n", k->name);
    print_line("public", k->public_key);
    print_line("transport-public", k->transport_public);
    if (k->has_log)
        print_line("log-public", k->log_public);
}

/* ---- keygen ---- */

struct keygen {
    const char *name, *out, *passphrase_file;
    int passphrase;
};

enum { KEY_PASSPHRASE = 0x100, KEY_PASSPHRASE_FILE };

static error_t parse_keygen(int key, char *value, struct argp_state *state)
{
    struct keygen *k = state->input;
    char why[SQ_WHY_SIZE];
    switch (key) {
    case 'o':
        k->out = value;
        return 0;
    case KEY_PASSPHRASE_FILE:
        k->passphrase_file = value;
        return 0;
    case KEY_PASSPHRASE:
        k->passphrase = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (k->name != NULL)
            return ARGP_ERR_UNKNOWN;
        k->name = value;
        return sq_name_explain(value, why) ? 0 : sq_args_wrong(state, "%s: %s", value, why);
    case ARGP_KEY_END:
        return k->name == NULL  ? sq_args_wrong(state, _("say whose keys: a NAME like provider:91310000MA1FL00001"))
               : k->out == NULL ? sq_args_wrong(state, _("say where the keys go: --out FILE"))
                                : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option keygen_options[] = {
    {"out", 'o', N_("FILE"), 0, N_("write the keys here (mode 0600; never over another file)"), 0},
    {"passphrase", KEY_PASSPHRASE, NULL, 0, N_("seal the secret keys under a passphrase, which is asked for"), 0},
    {"passphrase-file", KEY_PASSPHRASE_FILE, N_("FILE"), 0, N_("take the passphrase from this file"), 0},
    {0},
};
static const struct sq_args keygen_args = {
    keygen_options,
    parse_keygen,
    N_("NAME"),
    N_("Make new keys for one participant and print their public half, which others need."),
    N_("NAME is node:CODE, issuer:CODE, operator:CODE/NAME, regulator:NAME, provider:USCC, holder:USCC or "
       "evaluator:USCC.\n"
       "\n"
       "  sanquan keygen operator:310000/zhang --out zhang.key --passphrase"),
    0};

int sq_cmd_keygen(struct sq_cli *cli, int argc, char **argv)
{
    struct keygen k = {0};
    struct sq_error err = {0};
    struct sq_keys *keys = NULL;
    char passphrase[256] = "";
    int code = sq_cli_parse(cli, &keygen_args, argc, argv, &k);
    if (code != SQ_PARSED)
        return code;
    cli->passphrase_file = k.passphrase_file; /* a new key has nothing to do with the one in the environment */
    sq_status st = SQ_OK;
    if (k.passphrase || k.passphrase_file != NULL)
        st = sq_cli_new_passphrase(cli, passphrase, sizeof passphrase, &err);
    if (st == SQ_OK)
        st = sq_keys_new(k.name, &keys, &err);
    if (st == SQ_OK)
        st = sq_keys_write(keys, k.out, passphrase, &err);
    sq_wipe(passphrase, sizeof passphrase);
    if (st == SQ_OK)
        print_public(cli, keys, k.out);
    if (keys != NULL)
        sq_secret_free(keys);
    return st == SQ_OK ? SQ_EXIT_DONE : sq_cli_fail(cli, &err);
}

/* ---- key show ---- */

static error_t parse_show(int key, char *value, struct argp_state *state)
{
    const char **file = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*file != NULL)
            return ARGP_ERR_UNKNOWN;
        *file = value;
        return 0;
    case ARGP_KEY_END:
        return *file == NULL ? sq_args_wrong(state, _("say which key file")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct sq_args show_args = {
    NULL,
    parse_show,
    N_("FILE"),
    N_("Show whose keys a file holds, and their public half. No passphrase is needed."),
    N_("  sanquan key show zhang.key"),
    0};

int sq_cmd_key_show(struct sq_cli *cli, int argc, char **argv)
{
    const char *file = NULL;
    struct sq_error err = {0};
    struct sq_keys *keys;
    int code = sq_cli_parse(cli, &show_args, argc, argv, &file);
    if (code != SQ_PARSED)
        return code;
    if (sq_keys_read_public(file, &keys, &err) != SQ_OK)
        return sq_cli_fail(cli, &err);
    print_public(cli, keys, file);
    sq_secret_free(keys);
    return SQ_EXIT_DONE;
}
