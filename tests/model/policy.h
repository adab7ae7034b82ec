/*
 * A second opinion on rules, written plainly: it keeps every statement, grant and use that there was, in the order in which they came,
 * and answers each question by walking all of them. It shares no code with the engine; the messages are what both read.
 */
#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "proto/sanquan.pb-c.h"

#define PM_FACTS 4

struct pm;

struct pm_fact {
    uint32_t attribute;
    int64_t value;
};

struct pm_row { /* of a batch */
    uint64_t voucher;
    int64_t amount, base, quantity;
    uint64_t invoice; /* 0 none; each use has its own */
    uint32_t service, day, scenario, documents;
    uint8_t verb, payee, evidence;
    uint64_t reservation;
    struct pm_fact fact[PM_FACTS];
};

struct pm_grant {
    int64_t face, contract, approved, quota;
    uint32_t until, contract_day, contract_from, contract_until, documents;
    uint8_t contract_number;
    struct pm_fact fact[PM_FACTS];
};

struct pm_measurement {
    uint64_t voucher;
    uint32_t stage, grade, metric, day;
    int64_t value;
};

struct pm_application {
    int64_t asked;
    uint32_t side;     /* 1 who buys, 2 who supplies */
    struct pm_grant g; /* without face and last day; approved is the office's */
};

struct pm *pm_new(void);
void pm_free(struct pm *m);
/* Unix ms; never earlier than before. */
void pm_at(struct pm *m, uint64_t now_ms);

/* The message must live as long as the model. Only versions that the node has accepted. */
void pm_programme(struct pm *m, const Sanquan__V1__Programme *p);
void pm_state(struct pm *m, uint32_t issuer, const char *org, uint32_t attribute, int64_t value, uint32_t from,
              uint32_t until);
void pm_edge(struct pm *m, const char *owner, const char *owned, uint32_t kind, uint32_t from, uint32_t until);
void pm_sanction(struct pm *m, const char *org, uint32_t cause, uint32_t effect, uint32_t from, uint32_t until);
void pm_override(struct pm *m, uint32_t programme, const char *holder, uint32_t refusal, uint32_t limit,
                 int64_t ceiling, uint32_t until);
void pm_revoke(struct pm *m, uint64_t voucher);

/* 0 and the voucher exists under `number`, or the refusal. */
unsigned pm_give(struct pm *m, uint32_t programme, const char *holder, uint64_t number, const struct pm_grant *g);
/* 0 and it is done, or the refusal. */
unsigned pm_decide(struct pm *m, const char *provider, uint32_t region, uint64_t reserve_until_ms,
                   const struct pm_row *row);

/* By the organisation that is the evaluator: 0 and it counts, or the refusal. */
unsigned pm_measure(struct pm *m, const char *evaluator, const struct pm_measurement *x);

/* 0 and it is the programme's next, or the refusal. */
unsigned pm_apply(struct pm *m, uint32_t programme, const char *holder, const struct pm_application *a);
unsigned pm_assess(struct pm *m, uint32_t programme, uint64_t application, int64_t approved, uint32_t score,
                   uint32_t grade, uint32_t verdict);
/* A code for each application that was open, in the order of their numbers; how many; 0: none was. `granted`: sum of faces. */
size_t pm_allocate(struct pm *m, uint32_t programme, int64_t budget, uint32_t until, int assessed, uint8_t *code,
                   int64_t *granted);

/* The same question about a fresh use, and nothing is done. */
unsigned pm_would(struct pm *m, const char *provider, uint32_t region, const struct pm_row *row);

/* What the model has: to be compared with the node's books. */
int64_t pm_spent(const struct pm *m, uint64_t voucher);
int64_t pm_reserved(const struct pm *m, uint64_t voucher);
/* What its stages have set free of its face, -1 without stages; what was taken back of it. */
int64_t pm_set_free(const struct pm *m, uint64_t voucher);
int64_t pm_back(const struct pm *m, uint64_t voucher);
int64_t pm_programme_spent(const struct pm *m, uint32_t programme);

#endif
