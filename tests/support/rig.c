#include "tests/support/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clearing/ledger/ledger.h"

static const char *const codes[RIG_NODES_MAX] = {"310000", "370000", "440000", "500000",
                                                 "510000", "520000", "530000", "610000"};

void rig_die(const char *what, const struct sq_error *err)
{
    fprintf(stderr, "rig: %s: %s\n", what, err != NULL ? err->text : "");
    exit(1);
}

double rig_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- people ---- */

void rig_uscc(unsigned province, unsigned n, char out[static 19])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    static const int weights[17] = {1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28};
    int sum = 0;
    snprintf(out, 19, "91%02u0199T%08u", province % 100, n % 100000000u);
    for (int i = 0; i < 17; i++)
        sum += weights[i] * (int)(strchr(alphabet, out[i]) - alphabet);
    out[17] = alphabet[(31 - sum % 31) % 31];
    out[18] = '\0';
}

struct sq_keys *rig_keys(const char *role, const char *code)
{
    char name[64];
    struct sq_keys *keys;
    struct sq_error err = {0};
    snprintf(name, sizeof name, "%s:%s", role, code);
    if (sq_keys_new(name, &keys, &err) != SQ_OK)
        rig_die(name, &err);
    return keys;
}

/* ---- files ---- */

unsigned rig_free_port(void)
{
    const int on = 1;
    for (unsigned tries = 0; tries < 4096; tries++) {
        unsigned port = 16384 + (unsigned)arc4random_uniform(16384);
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int taken = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
                    bind(fd, (struct sockaddr *)&a, sizeof a) != 0;
        if (fd >= 0)
            close(fd);
        if (!taken)
            return port;
    }
    rig_die("no free port", NULL);
}

static void put_key(FILE *f, const char *name, const uint8_t key[static SQ_KEY_SIZE])
{
    char hex[2 * SQ_KEY_SIZE + 1];
    sq_hex(key, SQ_KEY_SIZE, hex);
    fprintf(f, "%s: %s", name, hex);
}

static void put_party(FILE *f, const char *label, const char *name, const struct sq_keys *k)
{
    fprintf(f, "{%s: \"%s\", ", label, name);
    put_key(f, "key", k->public_key);
    fprintf(f, ", ");
    put_key(f, "transport_key", k->transport_public);
    fprintf(f, "}");
}

static void write_directory(struct rig *r, const char *more)
{
    char path[300];
    struct sq_error err = {0};
    snprintf(path, sizeof path, "%s/directory.yaml", r->dir);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        rig_die(path, NULL);
    fprintf(f, "network: rig\nnetting: hub\nround_timeout_ms: 1000\n%snodes:\n", more);
    for (unsigned i = 0; i < r->node_count; i++) {
        const struct rig_node *n = &r->node[i];
        fprintf(f, "  - code: \"%s\"\n    ", n->code);
        put_key(f, "node_key", n->keys->public_key);
        fprintf(f, "\n    ");
        put_key(f, "log_key", n->keys->log_public);
        fprintf(f, "\n    ");
        put_key(f, "transport_key", n->keys->transport_public);
        fprintf(f, "\n    issuers: [");
        put_party(f, "code", n->code, n->issuer);
        fprintf(f, "]\n    operators: [");
        put_party(f, "name", "li", n->maker);
        fprintf(f, ", ");
        put_party(f, "name", "zhang", n->checker);
        fprintf(f, "]\n");
    }
    fclose(f);
    if (sq_directory_read(path, &r->directory, &err) != SQ_OK)
        rig_die(path, &err);
}

static void write_node(struct rig *r, unsigned i, const char *more)
{
    struct rig_node *n = &r->node[i];
    char path[300], origin[SQ_ORIGIN_SIZE];
    struct sq_error err = {0};
    snprintf(path, sizeof path, "%s/%s.key", r->dir, n->code);
    if (sq_keys_write(n->keys, path, NULL, &err) != SQ_OK)
        rig_die(path, &err);
    FILE *f = fopen(n->config, "w");
    if (f == NULL)
        rig_die(n->config, NULL);
    fprintf(f, "node: \"%s\"\ndirectory: %s/directory.yaml\nkeys: %s\nledger: %s\nbind: %s\n", n->code, r->dir, path,
            n->ledger, n->endpoint);
    if (r->node_count > 1)
        fprintf(f, "peers:\n");
    for (unsigned k = 0; k < r->node_count; k++)
        if (k != i)
            fprintf(f, "  - {code: \"%s\", endpoint: \"%s\"}\n", r->node[k].code, r->node[k].endpoint);
    fprintf(f, "%s", more);
    fclose(f);
    sq_log_origin(r->directory, n->code, origin);
    struct sq_ledger_options o = {.path = n->ledger,
                                  .origin = origin,
                                  .network_id = sq_directory_network_id(r->directory),
                                  .map_size = 256u << 20};
    if (sq_ledger_create(&o, &err) != SQ_OK)
        rig_die(n->ledger, &err);
}

struct rig *rig_new_in(const char *dir, const char *daemon, unsigned node_count, const char *more_config,
                       const char *more_directory)
{
    struct rig *r = calloc(1, sizeof *r);
    struct sq_error err = {0};
    char command[300];
    if (r == NULL || node_count > RIG_NODES_MAX || sq_crypto_init(&err) != SQ_OK)
        rig_die("start", &err);
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    snprintf(r->daemon, sizeof r->daemon, "%s", daemon);
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir -p '%s'", dir, dir);
    if (system(command) != 0)
        rig_die(dir, NULL);
    r->node_count = node_count;
    for (unsigned i = 0; i < node_count; i++) {
        struct rig_node *n = &r->node[i];
        char name[32];
        strcpy(n->code, codes[i]);
        snprintf(n->endpoint, sizeof n->endpoint, "tcp://127.0.0.1:%u", rig_free_port());
        snprintf(n->config, sizeof n->config, "%s/%s.yaml", dir, n->code);
        snprintf(n->ledger, sizeof n->ledger, "%s/%s", dir, n->code);
        n->keys = rig_keys("node", n->code);
        n->issuer = rig_keys("issuer", n->code);
        snprintf(name, sizeof name, "%s/li", n->code);
        n->maker = rig_keys("operator", name);
        snprintf(name, sizeof name, "%s/zhang", n->code);
        n->checker = rig_keys("operator", name);
    }
    write_directory(r, more_directory);
    for (unsigned i = 0; i < node_count; i++)
        write_node(r, i, more_config != NULL ? more_config : "");
    return r;
}

struct rig *rig_new(const char *dir, const char *daemon, unsigned node_count, const char *more_config)
{
    return rig_new_in(dir, daemon, node_count, more_config, "");
}

void rig_free(struct rig *r)
{
    for (unsigned i = 0; i < r->node_count; i++) {
        rig_stop(r, i, SIGKILL);
        sq_secret_free(r->node[i].keys);
        sq_secret_free(r->node[i].issuer);
        sq_secret_free(r->node[i].maker);
        sq_secret_free(r->node[i].checker);
    }
    sq_directory_free(r->directory);
    free(r);
}

/* ---- processes ---- */

void rig_start(struct rig *r, unsigned node)
{
    struct rig_node *n = &r->node[node];
    char log[320];
    uint64_t last;
    snprintf(log, sizeof log, "%s/%s.log", r->dir, n->code);
    n->pid = fork();
    if (n->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is cut short takes its nodes along */
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDERR_FILENO);
        execl(r->daemon, r->daemon, "--config", n->config, (char *)NULL);
        _exit(127);
    }
    if (n->pid < 0)
        rig_die("fork", NULL);
    for (double end = rig_seconds() + 600; rig_seconds() < end;) {
        struct sq_client *c = rig_client(r, node, n->maker, 1);
        sq_status st = sq_client_hello(c, 500, &last, NULL);
        sq_client_close(c);
        if (st == SQ_OK)
            return;
        if (waitpid(n->pid, NULL, WNOHANG) == n->pid)
            break;
    }
    fprintf(stderr, "rig: node %s did not start; see %s\n", n->code, log);
    exit(1);
}

void rig_stop(struct rig *r, unsigned node, int signal_number)
{
    struct rig_node *n = &r->node[node];
    if (n->pid == 0)
        return;
    kill(n->pid, signal_number);
    waitpid(n->pid, NULL, 0);
    n->pid = 0;
}

/* ---- talk ---- */

struct sq_client *rig_client(const struct rig *r, unsigned node, const struct sq_keys *keys, unsigned in_flight)
{
    const struct rig_node *n = &r->node[node];
    struct sq_client *c;
    struct sq_error err = {0};
    struct sq_client_options o = {
        n->endpoint, n->code,  n->keys->transport_public, n->keys->public_key, sq_directory_network_id(r->directory),
        keys,        in_flight};
    if (sq_client_open(&o, &c, &err) != SQ_OK)
        rig_die(n->endpoint, &err);
    return c;
}

sq_bytes rig_pack(const ProtobufCMessage *body)
{
    size_t size = protobuf_c_message_get_packed_size(body);
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        rig_die("memory", NULL);
    protobuf_c_message_pack(body, bytes);
    return sq_bytes_of(bytes, size);
}

void rig_say(struct sq_client *c, uint32_t type, const ProtobufCMessage *body)
{
    struct sq_error err = {0};
    struct sq_client_answer answer;
    uint64_t id;
    sq_bytes bytes = rig_pack(body);
    if (sq_client_send(c, type, bytes, &id, &err) != SQ_OK || sq_client_answer(c, 60000, &answer, &err) != SQ_OK)
        rig_die("set-up", &err);
    if (answer.status != 0 || answer.answer->code.len != 0) {
        fprintf(stderr, "rig: message type %u refused: %s\n", type, answer.detail);
        exit(1);
    }
    union {
        const uint8_t *in;
        uint8_t *out;
    } ours = {bytes.data};
    free(ours.out);
}

void rig_enrol(const struct rig *r, unsigned node, struct sq_keys *const *keys, size_t count)
{
    Sanquan__V1__Enrol m;
    Sanquan__V1__Party *party = calloc(count, sizeof *party), **list = calloc(count, sizeof *list);
    char code[7];
    strcpy(code, r->node[node].code);
    sanquan__v1__enrol__init(&m);
    for (size_t i = 0; i < count; i++) {
        list[i] = &party[i];
        sanquan__v1__party__init(&party[i]);
        party[i].name = keys[i]->name;
        party[i].node = code;
        party[i].key = (ProtobufCBinaryData){SQ_KEY_SIZE, keys[i]->public_key};
        party[i].transport_key = (ProtobufCBinaryData){SQ_KEY_SIZE, keys[i]->transport_public};
    }
    m.parties = list;
    m.n_parties = count;
    struct sq_client *c = rig_client(r, node, r->node[node].maker, 1);
    rig_say(c, SANQUAN__V1__MESSAGE_TYPE__ENROL, &m.base);
    sq_client_close(c);
    free(party);
    free(list);
}
