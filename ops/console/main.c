/*
 * sanquan-console: opens everything it reads from, serves until it is told to stop.
 *
 * Exit: 0 ended as asked; 1 something failed; 2 wrong usage or configuration.
 */
#include <argp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "ops/common/log.h"
#include "ops/console/console.h"

#define EXIT_USAGE 2

const char *argp_program_version = "sanquan-console 1";

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "the console's configuration (YAML)", 0},
    {"check", 'n', NULL, 0, "check everything it reads from, then end", 0},
    {"new-token", 't', NULL, 0, "print a new access token, and the line for the tokens file; needs no configuration",
     0},
    {0},
};

struct arguments {
    const char *config;
    int check, token;
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
    case 't':
        a->token = 1;
        return 0;
    case ARGP_KEY_END:
        if (a->config == NULL && !a->token)
            argp_error(state, "say which configuration: --config FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    options,
    parse,
    NULL,
    "A node's ledger over HTTPS, read-only.\v"
    "Tokens are 64 hexadecimal digits; the tokens file holds their SHA-256 only:\n\n"
    "    tokens:\n"
    "      - {name: \"Li Na\", participant: \"regulator:mof\", sha256: ..., until: 20271231}",
    NULL,
    NULL,
    NULL};

static int new_token(void)
{
    uint8_t random[32], hash[32];
    char token[65], hex[65];
    struct sq_error err;
    if (sq_crypto_init(&err) != SQ_OK) {
        fprintf(stderr, "sanquan-console: %s\n", err.text);
        return EXIT_FAILURE;
    }
    sq_random(random, sizeof random);
    sq_hex(random, sizeof random, token);
    sq_sha256(token, strlen(token), hash);
    sq_hex(hash, sizeof hash, hex);
    printf("token: %s\n  - {name: \"\", participant: \"regulator:\", sha256: %s}\n", token, hex);
    return EXIT_SUCCESS;
}

static sq_status open_directory(struct sq_console *c, struct sq_error *err)
{
    const Sanquan__V1__Genesis *g;
    sq_status st = sq_directory_read(c->settings->directory, &c->directory, err);
    if (st == SQ_OK)
        st = sq_directory_genesis(c->directory, c->settings->node, &g, err);
    if (st != SQ_OK)
        return st;
    sq_log_origin(c->directory, c->settings->node, c->origin);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i]->code, c->settings->node) == 0)
            memcpy(c->log_key, g->nodes[i]->log_key.data, 32);
    return SQ_OK;
}

static sq_status open_all(struct sq_console *c, const char *config, struct sq_error *err)
{
    pthread_mutex_init(&c->access_mutex, NULL);
    sq_status st = sq_crypto_init(err);
    if (st == SQ_OK)
        st = sq_console_settings_read(config, &c->settings, err);
    if (st == SQ_OK)
        st = open_directory(c, err);
    if (st == SQ_OK)
        st = sq_tokens_read(c->settings->tokens, &c->tokens, err);
    if (st == SQ_OK)
        st = sq_pages_read(c->settings, &c->pages, err);
    if (st == SQ_OK)
        st = sq_archive_open(&c->archive, c->settings->ledger, c->origin, sq_directory_network_id(c->directory), err);
    if (st == SQ_OK)
        st = sq_live_open(c, err);
    if (st == SQ_OK && c->settings->access_log != NULL &&
        (c->access_log = fopen(c->settings->access_log, "ae")) == NULL)
        st = sq_fail(err, SQ_E_IO, "%s cannot be written", c->settings->access_log);
    return st;
}

static void close_all(struct sq_console *c)
{
    sq_live_close(&c->live);
    sq_archive_close(&c->archive);
    sq_pages_free(&c->pages);
    sq_tokens_free(&c->tokens);
    sq_directory_free(c->directory);
    sq_console_settings_free(c->settings);
    if (c->access_log != NULL)
        fclose(c->access_log);
}

static int fail(const char *while_doing, sq_status st, const struct sq_error *err)
{
    sq_log(SQ_LOG_ERROR, while_doing, "status=%s reason=\"%s\"", sq_status_name(st), err->text);
    sd_notifyf(0, "STATUS=%s", err->text);
    return st == SQ_E_CONFIG || st == SQ_E_USAGE || st == SQ_E_NOT_FOUND ? EXIT_USAGE : EXIT_FAILURE;
}

static int serve(struct sq_console *c)
{
    struct sq_server *server;
    struct sq_error err = {0};
    sigset_t stop;
    int got;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL); /* before threads start: they inherit it */
    sq_status st = sq_server_start(c, &server, &err);
    if (st != SQ_OK)
        return fail("start", st, &err);
    sq_log(SQ_LOG_INFO, "ready", "address=%s", sq_server_address(server));
    sd_notifyf(0, "READY=1\nSTATUS=serving at %s", sq_server_address(server));
    sigwait(&stop, &got);
    sd_notify(0, "STOPPING=1");
    sq_server_stop(server);
    sq_log(SQ_LOG_INFO, "ended", "requests=%" PRIu64, (uint64_t)atomic_load(&c->counters.requests));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    struct sq_error err = {0};
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &a);
    if (a.token)
        return new_token();
    signal(SIGPIPE, SIG_IGN);
    sq_log_open(SQ_LOG_INFO);
    struct sq_console *c = calloc(1, sizeof *c);
    if (c == NULL)
        return EXIT_FAILURE;
    sq_status st = open_all(c, a.config, &err);
    int code = st != SQ_OK ? fail("start", st, &err) : a.check ? EXIT_SUCCESS : serve(c);
    close_all(c);
    free(c);
    return code;
}
