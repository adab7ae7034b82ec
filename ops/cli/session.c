/*
 * From options to a node that answers.
 *
 * Invariants: a passphrase is wiped where it was read; a numbered message is sent only while this process holds the lock on the key
 * file, so two commands of one person never give two messages one number.
 */
#include "ops/cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include "ops/common/identity.h"

/* ---- passphrases ---- */

/* One line from the terminal, unseen. */
static sq_status passphrase_from_terminal(const char *prompt, char *out, size_t out_size, struct sq_error *err)
{
    struct termios seen, unseen;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &seen) != 0) {
        if (fd >= 0)
            close(fd);
        return sq_fail(err, SQ_E_USAGE,
                       "the key has a passphrase and there is no terminal to ask for it: use --passphrase-file");
    }
    unseen = seen;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    dprintf(fd, "%s", prompt);
    tcsetattr(fd, TCSAFLUSH, &unseen);
    ssize_t n = read(fd, out, out_size); /* a terminal gives whole lines */
    tcsetattr(fd, TCSAFLUSH, &seen);
    dprintf(fd, "\n");
    close(fd);
    if (n <= 0 || out[n - 1] != '\n' || n == 1) {
        sq_wipe(out, out_size);
        return sq_fail(err, SQ_E_USAGE, "no passphrase, or one of more than %zu bytes", out_size - 1);
    }
    out[n - 1] = '\0';
    return SQ_OK;
}

sq_status sq_cli_passphrase(void *ctx, char *out, size_t out_size, struct sq_error *err)
{
    const struct sq_cli *cli = ctx;
    char prompt[400];
    if (cli->passphrase_file != NULL)
        return sq_passphrase_read(cli->passphrase_file, out, out_size, err);
    snprintf(prompt, sizeof prompt, _("Passphrase of %s: "), cli->key != NULL ? cli->key : _("the key file"));
    return passphrase_from_terminal(prompt, out, out_size, err);
}

sq_status sq_cli_new_passphrase(const struct sq_cli *cli, char *out, size_t out_size, struct sq_error *err)
{
    char again[256] = "";
    if (cli->passphrase_file != NULL)
        return sq_passphrase_read(cli->passphrase_file, out, out_size, err);
    sq_status st = passphrase_from_terminal(_("New passphrase: "), out, out_size, err);
    if (st == SQ_OK)
        st = passphrase_from_terminal(_("The same again: "), again, sizeof again, err);
    if (st == SQ_OK && strcmp(out, again) != 0)
        st = sq_fail(err, SQ_E_USAGE, "the two passphrases differ");
    sq_wipe(again, sizeof again);
    return st;
}

/* ---- opening ---- */

static const Sanquan__V1__Node *node_of_issuer(const Sanquan__V1__Genesis *g, const char *issuer)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        for (size_t k = 0; k < g->nodes[i]->n_issuers; k++)
            if (strcmp(g->nodes[i]->issuers[k], issuer) == 0)
                return g->nodes[i];
    return NULL;
}

/* Which node: as asked; else the one that the participant's name tells; else the only one there is. */
static sq_status choose_node(struct sq_session *s, struct sq_error *err)
{
    const Sanquan__V1__Genesis *g = s->genesis;
    const char *name = s->keys->name, *code = strchr(name, ':') + 1;
    char home[7] = "";
    if (s->cli->node != NULL) {
        s->node = sq_identity_node(g, s->cli->node);
        return s->node != NULL
                   ? SQ_OK
                   : sq_fail(err, SQ_E_USAGE, "--node %.20s: no such node in %.120s", s->cli->node, s->cli->directory);
    }
    strncat(home, code, 6);
    if (strncmp(name, "issuer:", 7) == 0)
        s->node = node_of_issuer(g, home);
    else if (strncmp(name, "operator:", 9) == 0 || strncmp(name, "node:", 5) == 0)
        s->node = sq_identity_node(g, home);
    else if (g->n_nodes == 1)
        s->node = g->nodes[0];
    return s->node != NULL ? SQ_OK
                           : sq_fail(err, SQ_E_USAGE, "%s may talk to several nodes: say which with --node", name);
}

static sq_status open_client(struct sq_session *s, unsigned in_flight, struct sq_error *err)
{
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, "%s%.280s", strstr(s->cli->connect, "://") == NULL ? "tcp://" : "",
             s->cli->connect);
    struct sq_client_options o = {.endpoint = endpoint,
                                  .node_code = s->node->code,
                                  .node_transport_key = s->node->transport_key.data,
                                  .node_key = s->node->node_key.data,
                                  .network_id = sq_directory_network_id(s->directory),
                                  .keys = s->keys,
                                  .in_flight = in_flight};
    return sq_client_open(&o, &s->client, err);
}

static sq_status check_options(const struct sq_cli *cli, struct sq_error *err)
{
    const char *missing = cli->directory == NULL ? "--directory FILE"
                          : cli->connect == NULL ? "--connect HOST:PORT"
                          : cli->key == NULL     ? "--key FILE"
                                                 : NULL;
    return missing == NULL
               ? SQ_OK
               : sq_fail(err, SQ_E_USAGE, "%s is missing (or set it in the environment, see --help)", missing);
}

sq_status sq_session_open(const struct sq_cli *cli, unsigned in_flight, struct sq_session *s, struct sq_error *err)
{
    union {
        const struct sq_cli *in;
        void *out;
    } ctx = {cli}; /* sq_cli_passphrase only reads it */
    *s = (struct sq_session){.cli = cli, .key_lock = -1};
    sq_status st = check_options(cli, err);
    if (st == SQ_OK)
        st = sq_directory_read(cli->directory, &s->directory, err);
    if (st == SQ_OK) {
        s->genesis = sq_directory_members(s->directory);
        st = sq_keys_read(cli->key, sq_cli_passphrase, ctx.out, &s->keys, err);
    }
    if (st == SQ_OK)
        st = choose_node(s, err);
    if (st != SQ_OK)
        return st;
    sq_log_origin(s->directory, s->node->code, s->origin);
    return open_client(s, in_flight, err);
}

void sq_session_close(struct sq_session *s)
{
    sq_client_close(s->client);
    if (s->keys != NULL)
        sq_secret_free(s->keys);
    sq_directory_free(s->directory);
    if (s->key_lock >= 0)
        close(s->key_lock);
    *s = (struct sq_session){.key_lock = -1};
}

sq_status sq_session_lock(struct sq_session *s, struct sq_error *err)
{
    if (s->key_lock >= 0)
        return SQ_OK;
    int fd = open(s->cli->key, O_RDONLY | O_CLOEXEC), rc;
    if (fd < 0)
        return sq_fail(err, SQ_E_IO, "open %s: %s", s->cli->key, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        sq_cli_note(s->cli, _("Waiting for another command that sends with %s ..."), s->cli->key);
        while ((rc = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
            continue;
        if (rc != 0) {
            close(fd);
            return sq_fail(err, SQ_E_IO, "lock %s: %s", s->cli->key, strerror(errno));
        }
    }
    s->key_lock = fd;
    return SQ_OK;
}

/* ---- talking ---- */

sq_status sq_session_pack(const ProtobufCMessage *body, uint8_t **bytes, size_t *size, struct sq_error *err)
{
    *size = protobuf_c_message_get_packed_size(body);
    *bytes = malloc(*size + 1);
    if (*bytes == NULL)
        return sq_fail(err, SQ_E_NOMEM, "message of %zu bytes", *size);
    protobuf_c_message_pack(body, *bytes);
    return SQ_OK;
}

sq_status sq_session_verify(const struct sq_session *s, const struct sq_client_answer *a, struct sq_error *err)
{
    if (a->receipt == NULL)
        return SQ_OK;
    sq_status st = sq_receipt_verify(a->receipt, s->origin, s->node->log_key.data, err);
    return st == SQ_OK ? SQ_OK : sq_fail_context(err, SQ_E_VERIFY, "receipt of message %" PRIu64, a->id);
}

/* The client puts the status's text before what the node said. */
sq_status sq_session_refused(const struct sq_client_answer *a, struct sq_error *err)
{
    const char *text = sq_status_text(a->status), *detail = a->detail;
    if (strncmp(detail, text, strlen(text)) == 0)
        detail += strlen(text);
    return sq_fail(err, (sq_status)a->status, "%.230s", strncmp(detail, ": ", 2) == 0 ? detail + 2 : detail);
}

sq_status sq_session_say(struct sq_session *s, uint32_t type, const ProtobufCMessage *body,
                         struct sq_client_answer *answer_out, struct sq_error *err)
{
    uint8_t *bytes = NULL;
    size_t size;
    uint64_t id;
    struct sq_client_answer a = {0};
    sq_status st = sq_session_lock(s, err);
    if (st == SQ_OK)
        st = sq_session_pack(body, &bytes, &size, err);
    if (st == SQ_OK)
        st = sq_client_send(s->client, type, sq_bytes_of(bytes, size), &id, err);
    if (st == SQ_OK)
        st = sq_client_answer(s->client, s->cli->timeout_ms, &a, err);
    free(bytes);
    if (st == SQ_OK)
        st = sq_session_verify(s, &a, err);
    if (st == SQ_OK && a.status != SQ_OK)
        st = sq_session_refused(&a, err);
    if (st == SQ_OK && answer_out != NULL)
        *answer_out = a;
    return st;
}

sq_status sq_cli_tell(const struct sq_cli *cli, uint32_t type, const ProtobufCMessage *body, struct sq_told *told,
                      struct sq_error *err)
{
    struct sq_session s;
    struct sq_client_answer a;
    sq_status st = sq_session_open(cli, 1, &s, err);
    if (st == SQ_OK)
        st = sq_session_say(&s, type, body, &a, err);
    if (st == SQ_OK && told != NULL) {
        *told = (struct sq_told){a.answer->seq, a.answer->count, a.answer->number, a.answer->amount_fen, ""};
        snprintf(told->node, sizeof told->node, "%s", s.node->code);
    }
    sq_session_close(&s);
    return st;
}

sq_status sq_session_ask(struct sq_session *s, const char *path, json_t **out, struct sq_error *err)
{
    const char *text;
    json_error_t why;
    sq_status st = sq_client_query(s->client, path, s->cli->timeout_ms, &text, err);
    if (st != SQ_OK)
        return st;
    *out = json_loads(text, 0, &why);
    return *out != NULL ? SQ_OK : sq_fail(err, SQ_E_FORMAT, "answer to %s: %s", path, why.text);
}

int sq_cli_show(struct sq_cli *cli, const struct sq_args *args, int argc, char **argv, const char *path,
                const char *part, void (*print)(const json_t *))
{
    struct sq_session s;
    struct sq_error err = {0};
    json_t *answer = NULL;
    int code = sq_cli_parse(cli, args, argc, argv, NULL);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_ask(&s, path, &answer, &err);
    sq_session_close(&s);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    if (cli->json)
        sq_cli_json(json_incref(answer));
    else
        print(part != NULL ? json_object_get(answer, part) : answer);
    json_decref(answer);
    return SQ_EXIT_DONE;
}
