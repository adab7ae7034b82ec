/*
 * A node in memory on which an issuer's programme is tried: a core of one node that hosts the issuer, with every organisation that is
 * named enrolled on first sight. Nothing is stored, signed or sent. For `programme try` and its tests.
 *
 * Each call is one step of the core at noon (UTC+8) of its day; time does not go back, so an earlier day than the last counts as the last.
 */
#ifndef SQ_TRIAL_H
#define SQ_TRIAL_H

#include "clearing/policy/explain.h"
#include "ops/cli/batch.h"
#include "ops/cli/voucher_row.h"

struct sq_trial; /* opaque */

/* Published at `day`. `terms` is borrowed for the trial's life. Errors: SQ_E_NOMEM; SQ_R_*: the node does not take the programme. */
SQ_MUST_CHECK sq_status sq_trial_new(const Sanquan__V1__Programme *terms, uint32_t day, struct sq_trial **out,
                                     struct sq_error *err);
void sq_trial_free(struct sq_trial *t);

/* A valid code in the issuer's region for an organisation that has no name: n from 1 to 999999. */
void sq_trial_code(uint32_t issuer, uint32_t n, char out[static 19]);

/* What the issuer states of an organisation, from 2000 on without end; none is no error. Errors: SQ_R_FACT and others of FACTS. */
SQ_MUST_CHECK sq_status sq_trial_state(struct sq_trial *t, const char *org, const struct sq_declared_facts *facts,
                                       struct sq_error *err);

struct sq_trial_voucher {
    struct sq_voucher_row row; /* without a contract: each voucher is of one of its own */
    struct sq_declared_facts facts;
};

/* Grants one; *number is what claims name. Errors: SQ_R_* when the node refuses the grant, with what it says. */
SQ_MUST_CHECK sq_status sq_trial_grant(struct sq_trial *t, const struct sq_trial_voucher *v, uint32_t day,
                                       uint64_t *number, struct sq_error *err);

/*
 * Decides one item, as a batch of its own, of this provider, whom the holder has mandated for all of the voucher. *out says why.
 * Errors: SQ_R_* when the batch is refused as a whole; the row's own refusal is out->status.
 */
SQ_MUST_CHECK sq_status sq_trial_claim(struct sq_trial *t, const char *provider, const struct sq_item *item,
                                       struct sq_explain *out, struct sq_error *err);

#endif
