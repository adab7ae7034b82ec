/*
 * What the parts of the issuer's side share: decide.c (rows become money), check.c (every rule of one use), issue.c (requests of other
 * acquirers), recognition.c (agreements), disputes.c (taking back), home.c (what is explained of an invoice's register).
 */
#ifndef SQ_ISSUER_H
#define SQ_ISSUER_H

#include "clearing/core/rows.h"

/* ---- decide.c: the issuer's side ---- */
struct sq_decision {
    uint32_t acquirer;        /* node */
    uint32_t acquirer_region; /* its code as a number */
    uint32_t provider;        /* party */
    uint32_t provider_org;
    uint64_t at_ms; /* the moment of the claim */
    uint32_t day;   /* in UTC+8 */
    uint64_t reserve_until_ms;
    const struct sq_recognition *agreement; /* with the acquirer's region, or NULL */
    struct sq_explain *explain;             /* NULL, or where the next row says why */
    /* running sums of what was accepted */
    uint64_t count;
    int64_t total_fen[SQ_KIND_COUNT];
};
/* The row of this batch that somebody wants explained; SIZE_MAX: none. */
static inline size_t sq_watched_row(const struct sq_core *core, uint32_t acquirer, uint64_t batch)
{
    return core->watch.out != NULL && core->watch.batch == batch && core->watch.acquirer == acquirer ? core->watch.row
                                                                                                     : SIZE_MAX;
}
/* The watched row came out like this. */
void sq_watch_end(struct sq_core *core, uint64_t seq, uint8_t verb, unsigned status);
int sq_recognition_check(const struct sq_core *core, const struct sq_decision *d, const struct sq_terms *t,
                         uint32_t kind, int64_t amount_fen, int64_t base_fen, struct sq_verdict *v);
struct sq_decision sq_decision_of(const struct sq_core *core, uint32_t acquirer, uint32_t provider, uint64_t at_ms,
                                  uint64_t reserve_until_ms);
/* Room for what `rows` more decisions may add: after this, sq_decide_row cannot run out of memory. */
SQ_MUST_CHECK sq_status sq_decide_reserve(struct sq_core *core, uint32_t rows, struct sq_error *err);
/* Decide one row under its issuer's rules and apply it when it is accepted. 0 or a refusal that changed nothing. */
unsigned sq_decide_row(struct sq_core *core, struct sq_decision *d, const struct sq_rows *r, size_t i);
/* Could the one row be taken back from its provider? 0 or a refusal. */
unsigned sq_reversal_check(struct sq_core *core, uint32_t provider, const struct sq_rows *r);
/* Takes the one row back as far as it is still spent, without its provider; room must be reserved. Returns how much that was. */
int64_t sq_reverse(struct sq_core *core, uint32_t provider, const struct sq_rows *r);
/* While row i is decided, ask the memory for the vouchers and mandates of rows after it. */
void sq_decide_prefetch(const struct sq_core *core, const struct sq_rows *r, size_t i);

/* ---- check.c: every rule of one use; changes nothing ---- */
struct sq_touched {
    struct sq_programme *programme;
    struct sq_voucher *voucher;
    struct sq_mandate *mandate;
    struct sq_account *account;
    uint32_t number; /* of the programme */
};
/* 0, SQ_R_UNKNOWN_PROGRAMME or SQ_R_UNKNOWN_VOUCHER; the mandate is NULL where there is none. */
unsigned sq_find_touched(struct sq_core *core, uint32_t provider, uint64_t voucher, struct sq_touched *t);
/* 0 and what is to be posted, or a refusal. */
unsigned sq_check_use(struct sq_core *core, const struct sq_decision *d, const struct sq_rows *r, size_t i,
                      struct sq_touched *t, struct sq_posting *p);

#endif
