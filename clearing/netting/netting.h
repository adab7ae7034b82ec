/*
 * Netting: obligations in, net positions and payments out. Pure functions of their arguments.
 *
 * Obligations are (debtor, creditor, kind, fen); a negative amount is an obligation the other way.
 * Netting runs within one kind at a time, because budgets are ring-fenced by kind.
 *
 *   hub        each participant's net is paid to, or received from, the settlement account
 *   bilateral  each pair's difference is paid by one of the two
 *
 * What always holds, and is checked at every run: nets sum to zero in each kind; each participant's payments
 * out less payments in are minus its net; no payment is zero or negative; the same set of obligations in any order gives
 * the same bytes.
 * Source: CPMI-IOSCO PFMI, Principle 8 and glossary ("netting", "multilateral net settlement position").
 */
#ifndef SQ_NETTING_H
#define SQ_NETTING_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"
#include "proto/wire.h"

#define SQ_HUB UINT32_MAX

enum sq_netting_method { SQ_NET_BILATERAL = 1, SQ_NET_HUB = 2 };

struct sq_obligation {
    uint32_t debtor, creditor; /* participant numbers; never equal */
    uint32_t kind;             /* 1..SQ_KIND_COUNT */
    int64_t amount_fen;
};

struct sq_payment {
    uint32_t kind;
    uint32_t payer, payee; /* SQ_HUB for the settlement account */
    int64_t amount_fen;    /* > 0 */
};

struct sq_net_result {
    int64_t *net_fen;      /* [participant * SQ_KIND_COUNT + kind - 1], positive: receives */
    uint32_t participant_count;
    struct sq_payment *payments; /* ascending by kind, payer, payee (SQ_HUB last) */
    size_t payment_count;
    int64_t gross_fen[SQ_KIND_COUNT];  /* sum of bilateral obligations owed before netting, each pair and direction counted once */
    int64_t paid_fen[SQ_KIND_COUNT];   /* sum of payments */
};

/*
 * obligations  borrowed; any order, several of one pair and kind are added up
 * out          owned by the caller; sq_net_result_free
 * Errors: SQ_E_OVERFLOW (a sum leaves int64), SQ_E_NOMEM, SQ_E_FORMAT (kind or participant out of range).
 */
SQ_MUST_CHECK sq_status sq_net(enum sq_netting_method method, const struct sq_obligation *obligations, size_t count,
                               uint32_t participant_count, struct sq_net_result *out, struct sq_error *err);
void sq_net_result_free(struct sq_net_result *r);

#endif
