/* Shared by query.c and items.c only. */
#ifndef SQ_QUERY_INTERNAL_H
#define SQ_QUERY_INTERNAL_H

#include <time.h>

#include "ops/history/query.h"

struct sq_network {
    char self[7];
    size_t count;
    struct {
        uint32_t issuer;
        char node[7];
    } hosted[4096];
};

struct sq_open_entry { /* with what is known of its rows */
    uint64_t seq;
    const struct sq_run *run;
    const struct sq_run_entry *head;
    struct sq_rows_of_entry rows;
    uint8_t *code; /* fates as of now */
    uint64_t *link, *decided, *decided_ms, *window;
};

#define SQ_HASHED_KEPT 32768u

struct sq_query {
    const struct sq_history *history;
    const struct sq_ledger *ledger;
    struct sq_arena arena, reply_arena;
    struct sq_network *network;
    struct sq_table programmes; /* struct sq_run_programme, ascending by prefix, newest kept */
    struct sq_table windows;    /* struct sq_final_window */
    struct sq_open_entry open;
    uint64_t hashed[SQ_HASHED_KEPT]; /* entries whose payload was hashed since hashed_since_s */
    time_t hashed_since_s;
};

struct sq_final_window {
    uint64_t number;
    Sanquan__V1__Settlement *value;
};

/* items.c: open an entry; then items of its rows. */
SQ_MUST_CHECK sq_status sq_items_network(struct sq_query *q, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_items_open(struct sq_query *q, const struct sq_run *r, const struct sq_run_entry *head,
                                      struct sq_error *err);
void sq_items_fill(const struct sq_query *q, uint32_t row, struct sq_item *item);
void sq_items_holder(const struct sq_query *q, uint64_t voucher, char out[static 19]);
int sq_items_by_prefix(const void *a, const void *b);

static inline int sq_is_item(uint32_t type)
{
    return type == SANQUAN__V1__MESSAGE_TYPE__BATCH || type == SANQUAN__V1__MESSAGE_TYPE__CLEAR;
}
static inline int sq_is_claim(uint32_t type)
{
    return type == SANQUAN__V1__MESSAGE_TYPE__REGISTER || type == SANQUAN__V1__MESSAGE_TYPE__UNREGISTER;
}

/* Are rows of such an entry asked for? */
static inline int sq_wants_type(const struct sq_filter *f, uint32_t type)
{
    return sq_is_item(type) || (sq_is_claim(type) ? f->claims : f->life);
}

#endif
