/*
 * Everything that moves money, said at a desk: Shanghai (node 0) issues, and what concerns a provider is said at its node. What is refused ends the
 * program.
 */
#ifndef SQ_TEST_DEALS_H
#define SQ_TEST_DEALS_H

#include "tests/support/desk.h"

#define DEALS_POOL_FEN 100000000000

/* Shanghai's programme 1: 30 %; half of a face is free at once, the other by grade; grade 3 takes back 40 % of what was paid. */
void deals_publish(struct desk *d);
/* On its list of evaluators; freed with sq_secret_free. */
struct sq_keys *deals_evaluator(struct desk *d);
/* The evaluator gives grade 3. */
void deals_fail(struct desk *d, const struct sq_keys *evaluator, uint64_t voucher);

/* The holder of `whose` voucher lets p's provider draw on it too: that provider on that voucher. Its keys are p's. */
struct desk_people deals_also(struct desk *d, const struct desk_people *whose, const struct desk_people *p);
/* Shandong (node 1) bears 33.33 % of what its providers redeem of Shanghai's compute vouchers. */
void deals_agree(struct desk *d);
/* A provider of Shanghai's has so much in advance under programme 1. */
void deals_prefund(struct desk *d, const struct desk_people *p, int64_t fen);

/* One row each, on an invoice of desk_redeem's numbers, whose base and total are 10/3 of the amount. */
void deals_redeem(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t fen);
void deals_reserve_and_commit(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t held, int64_t fen);
/* A bundle of two rows of the provider's: one on the voucher of each; invoices `invoice` and the one after it. */
void deals_bundle(struct desk *d, const struct desk_people *p, const struct desk_people *also, uint64_t invoice,
                  int64_t fen, int64_t also_fen);
void deals_return(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t fen);
/* A credit note over the whole invoice, on which `fen` were redeemed. */
void deals_cancel_invoice(struct desk *d, const struct desk_people *p, uint64_t invoice, int64_t fen);
/* The office opens its case `number` about an item, and the provider gives in. */
void deals_take_back_by_case(struct desk *d, const struct desk_people *p, uint64_t number, uint64_t invoice,
                             int64_t fen);

#endif
