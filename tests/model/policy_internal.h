#ifndef MODEL_POLICY_INTERNAL_H
#define MODEL_POLICY_INTERNAL_H

#include <string.h>

#include "proto/status.h"
#include "tests/model/policy.h"

#define PM_NAME 20
#define PM_LIST(type, name)                                                                                            \
    type *name;                                                                                                        \
    size_t name##_count, name##_room
void *pm_more(void *rows, size_t count, size_t *room, size_t size);
#define PM_ADD(list, row)                                                                                              \
    ((list) = pm_more((list), list##_count, &list##_room, sizeof *(list)), (list)[list##_count++] = (row))

struct pm_statement {
    char org[PM_NAME];
    uint32_t issuer, attribute, from, until;
    int64_t value;
};

struct pm_tie {
    char owner[PM_NAME], owned[PM_NAME];
    uint32_t kind, from, until;
};

struct pm_ban {
    char org[PM_NAME];
    uint32_t cause, effect, from, until;
};

struct pm_lift {
    char holder[PM_NAME];
    uint32_t programme, refusal, limit, until;
    int64_t ceiling;
};

struct pm_voucher {
    uint64_t number;
    uint32_t programme, given; /* given: the day */
    char holder[PM_NAME], root[PM_NAME];
    struct pm_grant g;
    int revoked;
    const Sanquan__V1__Programme *terms; /* it was granted under; its stages are those */
    uint32_t free, last_day;             /* a bit a stage; the day of the newest release, or of the grant */
    int stopped;
    uint32_t metric[8]; /* that have a baseline */
    int64_t baseline[8];
    size_t baselines;
    uint8_t counted[256]; /* limits of grants that count it */
};

struct pm_use { /* spent, or held until it ends */
    size_t voucher;
    char provider[PM_NAME], root[PM_NAME];
    struct pm_row row; /* what is left of it */
    int held;
    uint64_t ends;
    uint8_t counted[256]; /* limits of redemptions that count it */
};

struct pm_asked { /* an application */
    uint32_t programme, day, score, grade, verdict;
    uint64_t number;
    char holder[PM_NAME];
    int closed;
    struct pm_application a;
};

struct pm_taken { /* back of what a provider was paid on a voucher */
    size_t voucher;
    char provider[PM_NAME];
    int64_t fen;
};

struct pm {
    uint64_t now;
    PM_LIST(const Sanquan__V1__Programme *, terms); /* all versions, in the order in which they came */
    PM_LIST(struct pm_statement, said);
    PM_LIST(struct pm_tie, tie);
    PM_LIST(struct pm_ban, ban);
    PM_LIST(struct pm_lift, lift);
    PM_LIST(struct pm_voucher, voucher);
    PM_LIST(struct pm_use, use);
    PM_LIST(struct pm_taken, taken);
    PM_LIST(struct pm_asked, asked);
};

/* One question about one case. */
struct pm_case {
    const struct pm *m;
    const Sanquan__V1__Programme *p;
    int grant; /* 1 at a grant, 0 at a redemption */
    uint32_t day, region;
    const char *holder, *provider;
    const struct pm_grant *g;
    const struct pm_row *row; /* NULL at a grant */
    int64_t base;
    uint64_t voucher;
};

/* days, by the C library's own calendar */
uint32_t pm_day_of(uint64_t ms);
uint32_t pm_minute_of(uint64_t ms);
uint32_t pm_days_on(uint32_t day, int days);
uint32_t pm_months_on(uint32_t day, int months);
uint32_t pm_days_between(uint32_t first, uint32_t last);

int pm_group_holds(const struct pm_case *c, uint32_t group);
/* The first condition of group 0 that does not hold, as its refusal; 0. */
unsigned pm_conditions(const struct pm_case *c);
int pm_open(const struct pm_case *c);
void pm_root(const struct pm *m, const char *org, uint32_t day, char out[PM_NAME]);
int pm_related(const struct pm *m, const char *a, const char *b, uint32_t hops, uint32_t day);
/* Is the organisation on the list of the issuer on this day? */
int pm_on_list(const struct pm *m, uint32_t issuer, const char *org, uint32_t list, uint32_t day);
struct pm_voucher *pm_voucher_of(const struct pm *m, uint64_t number);
/* What a provider has of a voucher. */
int64_t pm_paid(const struct pm *m, const struct pm_voucher *v, const char *provider);
/* The version in force at a grant of today; the most that it gives; what its pool has left for grants, -1 without one. */
const Sanquan__V1__Programme *pm_terms_today(const struct pm *m, uint32_t programme);
int64_t pm_face_most(struct pm *m, uint32_t programme, const char *holder, const struct pm_grant *g);
int64_t pm_left_for_grants(const struct pm *m, uint32_t programme);
/* Does an override lift it? sum: what there would be with it; -1 where there is no amount. */
int pm_lifted(const struct pm_case *c, unsigned refusal, uint32_t limit, int64_t sum);

#endif
