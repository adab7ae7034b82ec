/* Shared by the files of this folder only. */
#ifndef MODEL_INTERNAL_H
#define MODEL_INTERNAL_H

#include <inttypes.h>

#include "proto/status.h"
#include "proto/wire.h"
#include "tests/model/model.h"

#define LIST(type, name)                                                                                               \
    type *name;                                                                                                        \
    size_t name##_count, name##_capacity
void *model_grow(void *rows, size_t count, size_t *capacity, size_t row_size);
#define ADD(list, row)                                                                                                 \
    ((list) = model_grow((list), list##_count, &list##_capacity, sizeof *(list)), (list)[list##_count++] = (row))

enum { RESERVED_UNTIL_MAX_DAYS = 90, PAYLOAD_WAITS = 1 };

struct m_party {
    char name[MODEL_NAME], node[7];
    int has_key;
    uint64_t last_id;
};

/* Terms that the model knows: rate, caps, minimum, services, regions, days. It refuses to judge others. */
struct m_terms {
    uint32_t from_day, until_day, rate_bp;
    int64_t cap_claim, cap_year, cap_total, min_claim;
    uint32_t services[64], regions[40];
    size_t service_count, region_count;
};

struct m_programme { /* as the newest version has it */
    uint32_t issuer, number, version, kind, stacking, stack_limit_bp;
    int64_t pool;
    LIST(struct m_terms, terms); /* [version - 1] */
};

struct m_use { /* spent, or (negative) given back */
    char provider[19];
    int64_t fen;
    uint32_t day;
};

struct m_hold {
    char provider[19];
    uint64_t number, until_ms;
    int64_t fen; /* 0: over */
    uint32_t day;
};

struct m_mandate {
    char provider[19];
    int64_t limit;
    uint64_t until_ms;
};

struct m_voucher {
    uint64_t number;
    char holder[19];
    int64_t face;
    uint32_t until_day;
    int revoked;
    LIST(struct m_use, use);
    LIST(struct m_hold, hold);
    LIST(struct m_mandate, mandate);
};

struct m_batch { /* waits for others */
    uint64_t seq, id, received_ms;
    char provider[19];
    Sanquan__V1__Batch *rows;
    uint8_t *stage, *code,
        *told; /* stage: enum m_stage; told: the provider's answer for the row stands; one allocation */
    int answered;
};
/* From M_UNSENT on: of parts of bundles only. */
enum m_stage {
    M_DONE,
    M_NEW,
    M_REGISTERING,
    M_CLEARING,
    M_UNSENT,     /* its invoice is of another node that was not asked yet */
    M_REGISTERED, /* its issuer was not asked yet */
    M_RESERVING,
    M_HELD,
    M_COMMITTING,
    M_RELEASING
};

struct m_link {
    char node[7];
    LIST(struct model_step, owes); /* this node to it */
    LIST(struct model_step, owed);
    uint64_t owes_settled, owed_settled;
};

struct m_host {
    uint32_t issuer;
    char node[7];
};

struct model {
    char self[7];
    uint64_t now_ms, seq;
    LIST(struct m_party, party);
    LIST(struct m_host, host);
    LIST(struct m_link, link); /* every node, in order of codes */
    LIST(struct m_programme, programme);
    LIST(struct m_voucher, voucher);
    LIST(struct model_claim, claim);
    LIST(struct model_claim, accepted);
    LIST(struct m_batch, batch);
    struct model_totals totals;
};

/* What the entry at hand should have come to. */
struct m_verdict {
    uint32_t status;
    int any_status; /* the model does not judge this one */
    uint8_t *code;  /* a byte a row */
    size_t code_count;
    uint32_t *row; /* the rows that the codes are of; NULL: all, in order */
    int answered;  /* an Answer must be among what was sent */
    Sanquan__V1__Answer answer;
    char why[300]; /* the model itself found something wrong */
};
void model_wrong(struct m_verdict *v, const char *format, ...) SQ_PRINTF(2, 3);

/* model.c */
uint32_t model_day(uint64_t ms);
const char *model_node_of_issuer(const struct model *m, uint32_t issuer);
struct m_programme *model_programme(const struct model *m, uint32_t issuer, uint32_t number);
struct m_programme *model_programme_of(const struct model *m, uint64_t voucher);
struct m_voucher *model_voucher_at(const struct model *m, uint64_t number);
struct m_link *model_link_to(const struct model *m, const char *node);

/* rows.c: one row */
struct m_row {
    uint64_t voucher, reservation;
    int64_t amount, base, total;
    const uint8_t *invoice;
    uint32_t service, day, bundle;
    uint8_t verb;
};
struct m_row model_row(const Sanquan__V1__Batch *b, size_t i);
uint32_t model_batch_shape(const Sanquan__V1__Batch *b);
uint32_t model_row_alone(const struct model *m, const struct m_row *r);
/* As the issuer; applies it when it is 0. */
struct m_asker {
    const char *provider, *acquirer;
    uint64_t at_ms, reserve_until_ms; /* at_ms: the moment of the claim */
};
uint32_t model_decide(struct model *m, const struct m_row *r, const struct m_asker *a);
int64_t model_moves(const struct m_row *r); /* fen that the row moves when it is accepted */
const char *model_home(const struct model *m, const struct m_row *r);
int model_is_open(const struct model *m, const struct m_hold *h); /* it holds its amount */
void model_budget_sums(const struct model *m, const struct m_programme *p, int64_t *reserved, int64_t *spent);

/* claims.c: the invoice register */
uint32_t model_may_claim(const struct model *m, const struct m_row *r, const char *seller);
void model_claim_add(struct model *m, const struct m_row *r, const char *seller);
/* A return: may it begin, it begins (and holds its money), it ends. */
uint32_t model_may_return(const struct model *m, const struct m_row *r, const char *seller);
void model_return_begin(struct model *m, const struct m_row *r, const char *seller);
void model_return_end(struct model *m, const struct m_row *r, const char *seller);
void model_give_back(struct model *m, const struct m_row *r, const char *seller);

/* batches.c: the acquirer's side, and what others ask */
void model_on_batch(struct model *m, const char *sender, uint64_t id, const Sanquan__V1__Batch *b, struct m_verdict *v);
void model_on_registered(struct model *m, const char *from, const Sanquan__V1__Registered *b, struct m_verdict *v);
void model_on_decided(struct model *m, const char *from, const Sanquan__V1__Decided *b, struct m_verdict *v);
void model_on_register(struct model *m, const char *from, const Sanquan__V1__Register *b, struct m_verdict *v);
void model_on_unregister(struct model *m, const Sanquan__V1__Unregister *b);
void model_on_clear(struct model *m, const char *from, const Sanquan__V1__Clear *b, struct m_verdict *v);
void model_batch_free(struct m_batch *b);
/* What they share with bundles.c. */
int model_is_here(const struct model *m, const char *node);
const char *model_issuer_of(const struct model *m, const struct m_row *r); /* "" when no node hosts the issuer */
struct m_batch *model_batch_at(struct model *m, uint64_t seq);
void model_row_told(struct model *m, struct m_batch *b, size_t i, uint32_t code);
void model_claim_ended(struct model *m, const struct m_batch *b, size_t i);
void model_add_step(struct model *m, const char *debtor, const char *creditor, uint64_t batch, const uint32_t *row,
                    const uint8_t *code, size_t n, const Sanquan__V1__Batch *b, struct model_step *out);
void model_answer(struct model *m, struct m_batch *b, struct m_verdict *v);

/* bundles.c: rows that go together */
#define PART_NUMBERS (1ull << 62) /* reservations from here on are parts of bundles */
int model_has_bundles(const struct m_batch *b);
void model_bundles_go_on(struct model *m, struct m_batch *b, int is_over);
/* The rows that were told since `told` was copied are what the outcome lists. */
void model_bundles_list(struct m_verdict *v, const struct m_batch *b, const uint8_t *told);
void model_on_bundles_due(struct model *m, uint64_t batch, struct m_verdict *v);

#endif
