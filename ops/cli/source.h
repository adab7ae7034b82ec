/*
 * Where answers about items come from: a ledger's folder, or a node. The same question brings the same answer from both.
 *
 *   --ledger DIR   open read-only -> history: files as far as they go, the rest in memory -> ops/history/ask.h
 *   a connection   "history?..." as a signed query
 */
#ifndef SQ_SOURCE_H
#define SQ_SOURCE_H

#include "ops/cli/session.h"
#include "ops/common/timeline.h"
#include "ops/history/ask.h"

struct sq_source {
    const struct sq_cli *cli;
    char node[7];                 /* whose ledger it is */
    uint8_t log_key[SQ_KEY_SIZE]; /* as the directory says, or, of a ledger alone, its first entry */
    char origin[SQ_ORIGIN_SIZE];  /* of its log; "": not known */
    struct sq_ledger *ledger;     /* NULL: a node answers */
    struct sq_history *history;
    struct sq_query *query;
    struct sq_session session;
};

/* ledger_path NULL: the connection options say which node. Close it whatever happened. */
SQ_MUST_CHECK sq_status sq_source_open(const struct sq_cli *cli, const char *ledger_path, struct sq_source *s,
                                       struct sq_error *err);
void sq_source_close(struct sq_source *s);

/* Whose ledger it is, and the key that signs its checkpoints, as its first entry says. Errors: SQ_E_CORRUPT. */
SQ_MUST_CHECK sq_status sq_source_identity(const struct sq_ledger *l, char code[static 7],
                                           uint8_t log_key[static SQ_KEY_SIZE], struct sq_error *err);

/* A question as in ops/history/ask.h; *out is a new reference. */
SQ_MUST_CHECK sq_status sq_source_ask(struct sq_source *s, const char *question, json_t **out, struct sq_error *err);

/* Checks the proofs of an answer, and from a ledger the payloads; *entries_out: how many. Errors: SQ_E_VERIFY. */
SQ_MUST_CHECK sq_status sq_source_check(const struct sq_source *s, const json_t *answer, uint64_t *entries_out,
                                        struct sq_error *err);

/* Of a ledger only: its windows and state, by a replay with a bar. */
SQ_MUST_CHECK sq_status sq_source_timeline(const struct sq_source *s, struct sq_timeline **out, struct sq_error *err);

#endif
