/*
 * A second opinion: what one node's journal means, worked out the slow and obvious way.
 *
 * It reads entries as they lie in the journal, one after another, and decides each again by rules written down here a second
 * time: lists instead of tables, sums taken again at every question, names instead of numbers. It shares the message types and the
 * refusal numbers with the rest (proto/), and SHA-256; nothing of clearing/. Where it and the journal differ, one of the two is wrong.
 *
 * It does not follow the agreement: which value becomes final is the network's affair; what that value may say of this node's links is
 * looked at (model_settled).
 */
#ifndef MODEL_H
#define MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/sanquan.pb-c.h"

#define MODEL_KINDS 7u
#define MODEL_NAME  49

struct model;

struct model_entry { /* as it is stored */
    uint64_t seq, now_ms;
    uint32_t type;
    sq_bytes input, outcome;
};

struct model *model_new(void);
void model_free(struct model *m);

/* Follow one entry. 0; or 1, and `why` says what the journal decided and what it should have. After that the model is of no more use. */
int model_take(struct model *m, const struct model_entry *e, char *why, size_t why_size);

/* Are the columns of equal length? Else no row can be looked at. */
int model_batch_is_whole(const Sanquan__V1__Batch *b);
/* Which nodes have to answer for row i of a batch that this node takes: the invoice's home, and the issuer's ("" when there is none). */
void model_asked(const struct model *m, const Sanquan__V1__Batch *b, size_t i, const char **home, const char **issuer);

/* ---- sums ---- */

struct model_budget {
    uint32_t issuer, number;
    int64_t pool_fen, granted_fen, reserved_fen, spent_fen; /* spent and reserved: summed over every use */
};
size_t model_budget_count(const struct model *m);
void model_budget(const struct model *m, size_t i, struct model_budget *out);

struct model_voucher {
    uint64_t number;
    int64_t face_fen, reserved_fen, spent_fen;
};
size_t model_voucher_count(const struct model *m);
void model_voucher(const struct model *m, size_t i, struct model_voucher *out);

struct model_totals {
    uint64_t items_received, items_accepted, items_refused, items_decided, batches_waiting, rejected;
};
void model_totals(const struct model *m, struct model_totals *out);

/* What is registered here of an invoice, and (money that moved) what was accepted on it as acquirer, both by programme. */
struct model_claim {
    uint8_t invoice[10];
    char seller[19];
    uint32_t issuer, number, stack_limit_bp; /* stack_limit_bp: the strictest it has claimed under; 0: exclusive */
    int64_t total_fen, base_fen, amount_fen;
    int64_t returning_base_fen, returning_fen; /* asked back, and not decided */
};
size_t model_claim_count(const struct model *m);
const struct model_claim *model_claim(const struct model *m, size_t i);
size_t model_accepted_count(const struct model *m);
const struct model_claim *model_accepted(const struct model *m, size_t i);

/* ---- links ---- */

struct model_step {
    uint64_t count;
    int64_t total_fen[MODEL_KINDS];
    uint8_t hash[32];
};
/* Steps of what `debtor` owes `creditor`, one of which owns this journal; number = index + 1. */
size_t model_link(const struct model *m, const char *debtor, const char *creditor, const struct model_step **out);

/*
 * This settlement became final here: its pairs of this node must go on where the last ended, and add up to the items they cover.
 * 0, or 1 with `why`.
 */
int model_settled(struct model *m, const Sanquan__V1__Settlement *value, char *why, size_t why_size);

#endif
