/*
 * sanquan proof get, proof verify, proof policy: that an entry is in a node's log, as a file that anybody can check offline.
 *
 *   get      from the node, under its witnessed checkpoint -> checked with the directory's keys -> printed
 *   verify   file and policy alone, no node and no directory
 *   policy   what a directory says, as a policy file: a start for one's own
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/ledger/proof.h"
#include "clearing/ledger/trust.h"
#include "ops/cli/session.h"
#include "ops/cli/text.h"
#include "peers/yaml.h"

/* ---- get ---- */

static error_t parse_get(int key, char *value, struct argp_state *state)
{
    uint64_t *seq = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        return *seq != 0 ? ARGP_ERR_UNKNOWN
               : sq_args_number(value, 1, INT64_MAX, seq)
                   ? 0
                   : sq_args_wrong(state, _("%s: write the entry's number, the receipt's seq"), value);
    case ARGP_KEY_END:
        return *seq != 0 ? 0 : sq_args_wrong(state, _("say which entry"));
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct sq_args get_args = {
    NULL,
    parse_get,
    N_("SEQ"),
    N_("Print the proof that entry SEQ is in a node's log, in the form of C2SP tlog-proof, after checking it."),
    N_("It is under the newest checkpoint that more than half of the other nodes have cosigned, as soon as there is "
       "one that covers the entry; until then under the node's own.\n"
       "\n"
       "  sanquan proof get 1207 --key cloud.key > 1207.tlog-proof"),
    1};

/* The directory as a policy of trust, malloc'd; of the cosigners `needed` must have signed, 0: none. */
static sq_status policy_of(const struct sq_directory *d, size_t needed, char **out, struct sq_error *err)
{
    const Sanquan__V1__Genesis *g = sq_directory_members(d);
    size_t size;
    if (g->n_nodes > SQ_TRUST_WITNESSES_MAX)
        return sq_fail(err, SQ_E_USAGE, "a policy names at most %u witnesses; this network has %zu nodes",
                       SQ_TRUST_WITNESSES_MAX, g->n_nodes);
    FILE *f = sq_need(open_memstream(out, &size));
    for (int cosigns = 0; cosigns < 2; cosigns++)
        for (size_t i = 0; i < g->n_nodes; i++) {
            struct sq_note_key key = {.cosigns = cosigns};
            char vkey[SQ_VKEY_SIZE], origin[SQ_ORIGIN_SIZE];
            sq_log_origin(d, g->nodes[i]->code, origin);
            memcpy(key.name, origin, sizeof origin);
            memcpy(key.key, g->nodes[i]->log_key.data, sizeof key.key);
            SQ_ASSERT(sq_note_key_write(&key, vkey, sizeof vkey) != 0); /* a log's name has at most 71 characters */
            if (cosigns)
                fprintf(f, "witness %s %s\n", g->nodes[i]->code, vkey);
            else
                fprintf(f, "log %s\n", vkey);
        }
    if (needed == 0) {
        fputs("quorum none\n", f);
    } else {
        fprintf(f, "group nodes %zu", needed);
        for (size_t i = 0; i < g->n_nodes; i++)
            fprintf(f, " %s", g->nodes[i]->code);
        fputs("\nquorum nodes\n", f);
    }
    return fclose(f) == 0 ? SQ_OK : sq_fail(err, SQ_E_NOMEM, "policy");
}

struct verified {
    struct sq_proof_file proof;
    struct sq_trusted trusted;
    const uint8_t *leaf;
};

static sq_status verify(sq_bytes file, const struct sq_trust *trust, struct verified *out, struct sq_error *err)
{
    sq_status st = sq_proof_file_parse(file, &out->proof, err);
    if (st == SQ_OK)
        st = sq_trust_check(trust, out->proof.note, sq_ed25519_check, &out->trusted, err);
    return st == SQ_OK ? sq_proof_file_check(&out->proof, &out->trusted.checkpoint, &out->leaf, err) : st;
}

/* What a node sends is shown only when it verifies under the keys of the directory. */
static sq_status check_answer(const struct sq_session *s, const char *text, uint64_t seq, struct verified *v,
                              struct sq_error *err)
{
    struct sq_trust *trust = NULL;
    char *policy = NULL;
    sq_status st = policy_of(s->directory, 0, &policy, err);
    if (st == SQ_OK)
        st = sq_trust_parse(sq_bytes_of(policy, strlen(policy)), &trust, err);
    if (st == SQ_OK)
        st = verify(sq_bytes_of(text, strlen(text)), trust, v, err);
    if (st == SQ_OK && (v->proof.index + 1 != seq || strcmp(v->trusted.checkpoint.origin, s->origin) != 0))
        st = sq_fail(err, SQ_E_VERIFY, "the proof is of another entry or another log");
    sq_trust_free(trust);
    free(policy);
    return st == SQ_E_FORMAT ? sq_fail_context(err, SQ_E_VERIFY, "node's answer") : st;
}

int sq_cmd_proof_get(struct sq_cli *cli, int argc, char **argv)
{
    struct sq_session s;
    struct sq_error err = {0};
    struct verified *v = sq_need(calloc(1, sizeof *v));
    json_t *answer = NULL;
    char path[40], one[SQ_TEXT_SIZE];
    uint64_t seq = 0;
    int code = sq_cli_parse(cli, &get_args, argc, argv, &seq);
    if (code != SQ_PARSED) {
        free(v);
        return code;
    }
    snprintf(path, sizeof path, "proof/%" PRIu64, seq);
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_ask(&s, path, &answer, &err);
    const char *text = json_string_value(json_object_get(answer, "proof"));
    if (st == SQ_OK)
        st = check_answer(&s, text != NULL ? text : "", seq, v, &err);
    sq_session_close(&s);
    if (st != SQ_OK) {
        code = sq_cli_fail(cli, &err);
    } else if (cli->json) {
        sq_cli_json(json_incref(answer));
        code = SQ_EXIT_DONE;
    } else {
        fputs(text, stdout);
        sq_cli_note(cli, _("entry %" PRIu64 " is in a tree of %s entries, cosigned by %zu nodes"), seq,
                    sq_text_count(v->trusted.checkpoint.size, one), v->trusted.witness_count);
        code = SQ_EXIT_DONE;
    }
    json_decref(answer);
    free(v);
    return code;
}

/* ---- verify ---- */

enum { KEY_POLICY = 0x100, KEY_QUORUM, KEY_DIRECTORY };

struct files {
    const char *proof, *policy;
};

static error_t parse_verify(int key, char *value, struct argp_state *state)
{
    struct files *f = state->input;
    switch (key) {
    case KEY_POLICY:
        f->policy = value;
        return 0;
    case ARGP_KEY_ARG:
        if (f->proof != NULL)
            return ARGP_ERR_UNKNOWN;
        f->proof = value;
        return 0;
    case ARGP_KEY_END:
        return f->proof == NULL    ? sq_args_wrong(state, _("say which file"))
               : f->policy == NULL ? sq_args_wrong(state, _("say whom you trust: --policy FILE"))
                                   : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option verify_options[] = {
    {"policy", KEY_POLICY, N_("FILE"), 0, N_("which logs and witnesses are trusted, in the form of C2SP tlog-policy"),
     0},
    {0},
};
static const struct sq_args verify_args = {
    verify_options,
    parse_verify,
    N_("FILE"),
    N_("Check a proof file offline: inclusion, the log's signature, and as many cosignatures as the policy asks."),
    N_("No node, no key and no directory are needed: the file and the policy are enough. 'sanquan proof policy' makes "
       "a policy to begin with.\n"
       "\n"
       "  sanquan proof verify 1207.tlog-proof --policy mof.policy"),
    0};

static json_t *verified_json(const struct verified *v)
{
    char hash[2 * SQ_HASH_SIZE + 1];
    json_t *by = json_array();
    sq_hex(v->leaf + 24, SQ_HASH_SIZE, hash);
    for (size_t i = 0; i < v->trusted.witness_count; i++)
        json_array_append_new(by, json_pack("{s:s, s:I}", "name", v->trusted.witness[i], "time_ms",
                                            (json_int_t)v->trusted.time_s[i] * 1000));
    return json_pack("{s:b, s:s, s:I, s:i, s:I, s:s, s:I, s:o}", "verifies", 1, "log", v->trusted.checkpoint.origin,
                     "seq", (json_int_t)v->proof.index + 1, "type", (int)sq_get_be16(v->leaf + 2), "time_ms",
                     (json_int_t)sq_get_be64(v->leaf + 16), "payload_hash", hash, "size",
                     (json_int_t)v->trusted.checkpoint.size, "cosigned_by", by);
}

static void print_verified(const struct verified *v)
{
    char one[SQ_TEXT_SIZE], two[SQ_TEXT_SIZE];
    printf(_("Entry %" PRIu64 " is in log %s, decided %s (UTC+8), in a tree of %s entries.\n"), v->proof.index + 1,
           v->trusted.checkpoint.origin, sq_text_time(sq_get_be64(v->leaf + 16), one),
           sq_text_count(v->trusted.checkpoint.size, two));
    printf("  %s: ", _("SHA-256 of its payload"));
    for (int i = 0; i < SQ_HASH_SIZE; i++)
        printf("%02x", v->leaf[24 + i]);
    putchar('\n');
    for (size_t i = 0; i < v->trusted.witness_count; i++)
        printf(_("  cosigned by %s at %s\n"), v->trusted.witness[i], sq_text_time(v->trusted.time_s[i] * 1000, one));
}

int sq_cmd_proof_verify(struct sq_cli *cli, int argc, char **argv)
{
    struct files f = {NULL, NULL};
    struct sq_error err = {0};
    struct sq_trust *trust = NULL;
    uint8_t *policy = NULL, *proof = NULL;
    size_t policy_size = 0, proof_size = 0;
    int code = sq_cli_parse(cli, &verify_args, argc, argv, &f);
    if (code != SQ_PARSED)
        return code;
    struct verified *v = sq_need(calloc(1, sizeof *v));
    sq_status st = sq_crypto_init(&err);
    if (st == SQ_OK)
        st = sq_file_read(f.policy, &policy, &policy_size, &err);
    if (st == SQ_OK && (st = sq_trust_parse(sq_bytes_of(policy, policy_size), &trust, &err)) != SQ_OK)
        st = sq_fail_context(&err, SQ_E_CONFIG, "%.100s", f.policy);
    if (st == SQ_OK)
        st = sq_file_read(f.proof, &proof, &proof_size, &err);
    if (st == SQ_OK && (st = verify(sq_bytes_of(proof, proof_size), trust, v, &err)) != SQ_OK)
        st = sq_fail_context(&err, SQ_E_VERIFY, "%.100s", f.proof);
    if (st != SQ_OK)
        code = sq_cli_fail(cli, &err);
    else if (cli->json)
        sq_cli_json(verified_json(v));
    else
        print_verified(v);
    sq_trust_free(trust);
    free(policy);
    free(proof);
    free(v);
    return st == SQ_OK ? SQ_EXIT_DONE : code;
}

/* ---- policy ---- */

struct quorum {
    struct sq_cli *cli;
    uint64_t needed;
    int given;
};

static error_t parse_policy(int key, char *value, struct argp_state *state)
{
    struct quorum *q = state->input;
    switch (key) {
    case KEY_QUORUM:
        q->given = 1;
        return sq_args_number(value, 0, SQ_TRUST_WITNESSES_MAX, &q->needed)
                   ? 0
                   : sq_args_wrong(state, _("--quorum %s: 0 to 62 go"), value);
    case KEY_DIRECTORY:
        q->cli->directory = value;
        return 0;
    case ARGP_KEY_END:
        return q->cli->directory == NULL ? sq_args_wrong(state, _("say which network: --directory FILE")) : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option policy_options[] = {
    {"quorum", KEY_QUORUM, "N", 0, N_("how many witnesses must have cosigned (more than half of the other nodes)"), 0},
    {"directory", KEY_DIRECTORY, N_("FILE"), 0, N_("the network's directory [SANQUAN_DIRECTORY]"), 0},
    {0},
};
static const struct sq_args policy_args = {
    policy_options,
    parse_policy,
    NULL,
    N_("Print a policy of trust: every log of a network, every node as a witness, and how many must have cosigned."),
    N_("A text in the form of C2SP tlog-policy, to be kept by who verifies: what a node says later does not change it. "
       "Edit it to trust other witnesses, or to ask for certain ones.\n"
       "\n"
       "  sanquan proof policy --directory directory.yaml > mof.policy"),
    0};

int sq_cmd_proof_policy(struct sq_cli *cli, int argc, char **argv)
{
    struct quorum q = {.cli = cli};
    struct sq_error err = {0};
    struct sq_directory *d = NULL;
    struct sq_trust *trust = NULL;
    char *text = NULL;
    int code = sq_cli_parse(cli, &policy_args, argc, argv, &q);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_crypto_init(&err);
    if (st == SQ_OK)
        st = sq_directory_read(cli->directory, &d, &err);
    if (st == SQ_OK && !q.given)
        q.needed = (sq_directory_members(d)->n_nodes - 1) / 2 + (sq_directory_members(d)->n_nodes > 1);
    if (st == SQ_OK && q.needed > sq_directory_members(d)->n_nodes)
        st = sq_fail(&err, SQ_E_USAGE, "--quorum %" PRIu64 ": the network has %zu nodes", q.needed,
                     sq_directory_members(d)->n_nodes);
    if (st == SQ_OK)
        st = policy_of(d, q.needed, &text, &err);
    if (st == SQ_OK) /* as its readers will */
        st = sq_trust_parse(sq_bytes_of(text, strlen(text)), &trust, &err);
    if (st != SQ_OK)
        code = sq_cli_fail(cli, &err);
    else if (cli->json)
        sq_cli_json(json_pack("{s:s, s:I}", "policy", text, "quorum", (json_int_t)q.needed));
    else
        fputs(text, stdout);
    sq_trust_free(trust);
    sq_directory_free(d);
    free(text);
    return st == SQ_OK ? SQ_EXIT_DONE : code;
}
