/*
 * One connection to one node, as one participant: directory and key read, client open.
 *
 * Everything that a command sends goes through here: numbered requests one at a time with sq_session_say, questions with
 * sq_session_ask. A receipt is believed only after its checkpoint and proof verify.
 */
#ifndef SQ_SESSION_H
#define SQ_SESSION_H

#include "ops/cli/cli.h"
#include "peers/client.h"
#include "peers/directory.h"

struct sq_session {
    const struct sq_cli *cli;
    struct sq_directory *directory;
    const Sanquan__V1__Genesis *genesis;
    const Sanquan__V1__Node *node; /* the one talked to */
    char origin[SQ_ORIGIN_SIZE];   /* of its log */
    struct sq_keys *keys;
    struct sq_client *client;
    int key_lock; /* fd: one process at a time numbers messages of one key; -1 */
};

/* in_flight as in sq_client_options. Close it whatever happened. */
SQ_MUST_CHECK sq_status sq_session_open(const struct sq_cli *cli, unsigned in_flight, struct sq_session *s,
                                        struct sq_error *err);
void sq_session_close(struct sq_session *s);

/* Waits until no other process on this machine sends numbered messages with this key. Called by sq_session_say. */
SQ_MUST_CHECK sq_status sq_session_lock(struct sq_session *s, struct sq_error *err);

/*
 * Send one request, wait for its answer, verify the receipt. A refusal is its status, with the node's detail in err.
 * answer_out (may be NULL) lives until the next call.
 */
SQ_MUST_CHECK sq_status sq_session_say(struct sq_session *s, uint32_t type, const ProtobufCMessage *body,
                                       struct sq_client_answer *answer_out, struct sq_error *err);

/* Canonical bytes, malloc'd. */
SQ_MUST_CHECK sq_status sq_session_pack(const ProtobufCMessage *body, uint8_t **bytes, size_t *size,
                                        struct sq_error *err);

/* Does the answer's receipt verify? A Refusal has none and is SQ_OK here. */
SQ_MUST_CHECK sq_status sq_session_verify(const struct sq_session *s, const struct sq_client_answer *a,
                                          struct sq_error *err);

/* The refusal that an answer is, into err; returns its status. */
sq_status sq_session_refused(const struct sq_client_answer *a, struct sq_error *err);

/*
 * The whole of a command that says one thing: a session opened, the message said, the session closed. What the answer says, without
 * what lives in the session, is in *told (may be NULL).
 */
struct sq_told {
    uint64_t seq, count, number; /* seq: the ledger entry; the others as in Answer */
    int64_t amount_fen;
    char node[7];
};
SQ_MUST_CHECK sq_status sq_cli_tell(const struct sq_cli *cli, uint32_t type, const ProtobufCMessage *body,
                                    struct sq_told *told, struct sq_error *err);

/* A question; *out is a new reference. */
SQ_MUST_CHECK sq_status sq_session_ask(struct sq_session *s, const char *path, json_t **out, struct sq_error *err);

/* The whole of a command that asks one question and shows the answer, or its member `part` (NULL: all of it). Returns an exit code. */
int sq_cli_show(struct sq_cli *cli, const struct sq_args *args, int argc, char **argv, const char *path,
                const char *part, void (*print)(const json_t *));

/* The passphrase of a key file: from `file`, or asked for on the terminal without echo. An sq_keys_ask with ctx = const struct sq_cli *. */
sq_status sq_cli_passphrase(void *cli, char *out, size_t out_size, struct sq_error *err);
/* Asked for twice, for a new key. */
SQ_MUST_CHECK sq_status sq_cli_new_passphrase(const struct sq_cli *cli, char *out, size_t out_size,
                                              struct sq_error *err);

#endif
