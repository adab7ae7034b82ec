/*
 * The history's own threads, so that neither keeping the runs of the ledger nor answering questions about it takes the front's time.
 *
 *   front --question--> queue --answerer: keeper, catch up--> answer --wake--> front sends it
 *
 * The keeper follows the journal and makes runs of it; that costs some twelve per cent of what deciding costs, yields to everything
 * that somebody waits for (background.h), and no question waits for a long piece of it. When it is behind, answers say up to which entry they are
 * complete.
 */
#ifndef SQ_HISTORIAN_H
#define SQ_HISTORIAN_H

#include "clearing/ledger/ledger.h"
#include "peers/hub.h"
#include "proto/status.h"
#include "proto/wire.h"

struct sq_historian;

struct sq_historian_question {
    struct sq_route route;
    char from[SQ_NAME_SIZE_MAX + 1];
    uint64_t nonce;
    char text[2048]; /* as in ops/history/ask.h */
};

struct sq_historian_answer {
    struct sq_route route;
    char to[SQ_NAME_SIZE_MAX + 1];
    uint64_t nonce;
    unsigned status;
    char *json;       /* malloc'd; NULL for a refusal */
    char detail[200]; /* of a refusal: what is wrong with the question; may quote it; or empty */
};

/*
 * `ledger` and `hub` are borrowed; `hub` is woken when an answer is there (NULL: nobody). `node` is the code of the ledger's node.
 */
SQ_MUST_CHECK sq_status sq_historian_start(const char *ledger_path, const struct sq_ledger *ledger, const char *node,
                                           struct sq_hub *hub, struct sq_historian **out, struct sq_error *err);
void sq_historian_stop(struct sq_historian *h);

/* SQ_OK taken (copied), or SQ_R_BUSY. */
unsigned sq_historian_ask(struct sq_historian *h, const struct sq_historian_question *q);
/* 1: an answer; the caller frees its json. */
int sq_historian_take(struct sq_historian *h, struct sq_historian_answer *out);

#endif
