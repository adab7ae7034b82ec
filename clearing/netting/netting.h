/*
 * Netting: obligations in, net positions and payments out. Pure functions of their arguments.
 *
 * Obligations are (debtor, creditor, kind, fen); a negative amount is an obligation the other way.
 * Netting runs within one kind at a time, because budgets are ring-fenced by kind.
 *
 *   gross      every debtor pays every creditor all it owes; nothing is offset
 *   bilateral  each pair's difference is paid by one of the two
 *   hub        each participant's net is paid to, or received from, the settlement account
 *   cycles     obligations are set off around cycles, as much of them as there is any way to; each debtor pays its
 *              creditors what stays
 *   funds      the same with the money the debtors have at hand going round too: as much as can be is discharged, with as
 *              little of that money as that takes; nobody needs more than it has, and what cannot be discharged is still owed
 *
 * For each method and kind, to the fen:  gross = cleared (discharged without money) + money (needed to pay) + left (still owed).
 *
 * What always holds, and is checked at every run: nets sum to zero in each kind; each participant's payments
 * out less payments in, and what it still owes less what it is still owed, are minus its net; no payment is zero or negative;
 * no obligation grows or changes sides; the same set of obligations in any order gives the same bytes.
 * Source: CPMI-IOSCO PFMI, Principle 8 and glossary ("netting", "multilateral net settlement position").
 */
#ifndef SQ_NETTING_H
#define SQ_NETTING_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"
#include "proto/wire.h"

#define SQ_HUB UINT32_MAX

/* Numbers are on the wire (Genesis.netting_method, Settlement.method): never reused. */
enum sq_netting_method { SQ_NET_BILATERAL = 1, SQ_NET_HUB = 2, SQ_NET_CYCLES = 3, SQ_NET_FUNDS = 4, SQ_NET_GROSS = 5 };
#define SQ_NETTING_METHODS 5u

/* "gross", "bilateral", "hub", "cycles", "funds"; NULL for a number that is none. */
const char *sq_netting_name(uint32_t method);
/* 0 when there is no such method. */
uint32_t sq_netting_find(const char *name);

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
    int64_t *
        net_fen; /* [participant * SQ_KIND_COUNT + kind - 1], positive: receives; of all obligations, whatever the method */
    uint32_t participant_count;
    struct sq_payment *payments; /* ascending by kind, payer, payee (SQ_HUB last) */
    size_t payment_count;
    struct sq_obligation
        *left; /* still owed when all payments are made; ascending by kind, debtor, creditor; only with SQ_NET_FUNDS */
    size_t left_count;
    int64_t gross_fen[SQ_KIND_COUNT];   /* sum of obligations before netting, each pair and direction added up first */
    int64_t cleared_fen[SQ_KIND_COUNT]; /* discharged without money */
    int64_t money_fen[SQ_KIND_COUNT];   /* sum of what participants pay out */
    int64_t left_fen[SQ_KIND_COUNT];    /* sum of `left` */
    int64_t paid_fen[SQ_KIND_COUNT];    /* sum of payments; through the hub money is paid in and paid out */
};

/*
 * obligations  borrowed; any order, several of one pair and kind are added up
 * out          owned by the caller; sq_net_result_free
 * SQ_NET_FUNDS takes every debtor to have nothing.
 * Errors: SQ_E_OVERFLOW (a sum leaves int64), SQ_E_NOMEM, SQ_E_FORMAT (kind or participant out of range, no such method),
 *         SQ_E_FULL (more than 2^31 obligations of a kind).
 */
SQ_MUST_CHECK sq_status sq_net(enum sq_netting_method method, const struct sq_obligation *obligations, size_t count,
                               uint32_t participant_count, struct sq_net_result *out, struct sq_error *err);

/*
 * SQ_NET_FUNDS with funds_fen[participant * SQ_KIND_COUNT + kind - 1] >= 0 at hand; borrowed.
 * Errors: as sq_net; SQ_E_FORMAT when funds are negative.
 */
SQ_MUST_CHECK sq_status sq_net_funded(const struct sq_obligation *obligations, size_t count, uint32_t participant_count,
                                      const int64_t *funds_fen, struct sq_net_result *out, struct sq_error *err);
void sq_net_result_free(struct sq_net_result *r);

#endif
