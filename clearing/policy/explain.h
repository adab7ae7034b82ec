/*
 * Why a decision came out as it did: every rule that was looked at, in order, with the numbers that went in.
 *
 * The decision itself writes it, when it is asked to: the same code decides and explains, so the two cannot differ. When it
 * explains, it goes on after the first refusal, so that every number is shown; the first refusal stays the answer.
 */
#ifndef SQ_EXPLAIN_H
#define SQ_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#define SQ_REASONS_MAX 128

struct sq_reason {
    uint16_t status; /* what it refuses with */
    uint16_t index;  /* of the condition, tier, relation or document; number of the limit; else 0 */
    uint8_t passed;  /* 0 no, 1 yes, 2 only because an override lifts it */
    uint8_t
        is_amount; /* 1: `left` = cap - used bounds what may be asked for. 0: `used` is the value that was looked at */
    uint8_t unit;  /* of cap, used, left where is_amount: enum Unit of the protocol, 1 fen */
    int64_t cap, used, left;
};

struct sq_explain {
    int decided;     /* 1: the row was decided, and all of this is set */
    unsigned status; /* 0 accepted, else the first refusal */
    uint64_t seq;    /* journal entry that decided it */
    uint32_t verb;
    uint32_t issuer, number,
        version;   /* programme, and its version in force on the service day; 0 when none was found */
    uint32_t tier; /* index + 1; 0: the programme's own rate */
    uint32_t rate_bp;
    int64_t lump_fen;             /* instead of the rate, when not 0 */
    int64_t base_fen, amount_fen; /* as asked */
    int64_t entitled_fen;         /* by rate or lump */
    int64_t payable_fen;          /* the most that every amount rule together would let through */
    int has_advance; /* the provider has, or had, money in advance: what of the amount that pays, and what is left of it */
    int64_t advance_fen, advance_left_fen;
    size_t count;
    struct sq_reason reason[SQ_REASONS_MAX]; /* in the order in which they were looked at */
};

/* A decision in progress. `x` is NULL unless it is to be explained; `waived` is NULL unless something can be lifted. */
struct sq_verdict {
    unsigned status;
    struct sq_explain *x;
    /* Does an override lift this refusal? asked and used: of a rule of amount, else 0. */
    int (*waived)(const void *ctx, unsigned status, unsigned index, int64_t asked, int64_t used);
    const void *ctx;
};

/* Written down only when somebody asks: out of the way of the decision. */
void sq_explain_add(struct sq_verdict *v, const struct sq_reason *r);

/* One rule of yes or no. Returns 1 when the decision is over. */
static inline int sq_rule(struct sq_verdict *v, int passed, unsigned status, unsigned index, int64_t value)
{
    int result = passed != 0;
    if (!passed && v->waived != NULL && v->waived(v->ctx, status, index, 0, 0))
        result = 2;
    if (__builtin_expect(v->x != NULL, 0))
        sq_explain_add(
            v, &(struct sq_reason){
                   .status = (uint16_t)status, .index = (uint16_t)index, .passed = (uint8_t)result, .used = value});
    else if (result == 0)
        v->status = status;
    return v->status != 0 && v->x == NULL;
}

/* One rule of amount: `asked` must not be more than cap - used. Returns 1 when the decision is over. */
static inline int sq_rule_amount(struct sq_verdict *v, int64_t asked, int64_t cap, int64_t used, unsigned status,
                                 unsigned index, unsigned unit)
{
    int result = asked <= cap - used;
    if (result == 0 && v->waived != NULL && v->waived(v->ctx, status, index, asked, used))
        result = 2;
    if (__builtin_expect(v->x != NULL, 0))
        sq_explain_add(v, &(struct sq_reason){.status = (uint16_t)status,
                                              .index = (uint16_t)index,
                                              .passed = (uint8_t)result,
                                              .is_amount = 1,
                                              .unit = (uint8_t)unit,
                                              .cap = cap,
                                              .used = used,
                                              .left = cap - used});
    else if (result == 0)
        v->status = status;
    return v->status != 0 && v->x == NULL;
}

#endif
