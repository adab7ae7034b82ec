/*
 * What proves that a node has signed two different things where it may sign one.
 *
 * Each proof is two messages under the node's own signature, and both are in the journal of this ledger. A node that is found in the list
 * lies, or was started from an old copy of its ledger: its operators have to say which.
 */
#ifndef SQ_EVIDENCE_H
#define SQ_EVIDENCE_H

#include "clearing/core/core.h"

struct sq_evidence {
    uint64_t window;
    uint32_t round;      /* of votes and proposals; 0 for statements */
    char node[7];        /* who signed */
    const char *what;    /* "proposal", "prevote", "precommit", "statement" or "counterstatement" */
    uint8_t hash[2][32]; /* of the two values, zeros nil; of the bodies of the two statements */
    uint64_t entry[2];   /* of statements: the entries that hold them, by themselves or inside a RELAY; else 0 */
};

/* Those of this window; 0: of all. At most max into out; returns how many there are. Errors: none, but without memory 0. */
size_t sq_evidence_list(const struct sq_core *core, uint64_t window, struct sq_evidence *out, size_t max);

#endif
