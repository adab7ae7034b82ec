/* Shared by history.c (usage), history_list.c (items and sums) and history_life.c (a voucher's life) only. */
#ifndef SQ_CLI_HISTORY_H
#define SQ_CLI_HISTORY_H

#include "ops/cli/source.h"
#include "ops/cli/text.h"

struct sq_wish { /* what history was asked for */
    const char *ledger;
    char conditions[1500];     /* "provider=...&window=3": as in ops/history/ask.h, each checked */
    struct sq_ask checked;     /* the same, read */
    char batch_node[7];        /* whose batch --batch means; "": the ledger's node */
    const char *order, *after; /* NULL: oldest, from the beginning */
    uint64_t max, positions;
    int all, sums, csv, proofs, refusals;
};

struct sq_tally { /* what listed items, or all that match, add up to */
    uint64_t items, accepted, refused, waiting, claims;
    int64_t accepted_fen, by_kind_fen[SQ_KIND_COUNT];
    uint64_t by_code[256];
};
void sq_tally_item(struct sq_tally *t, const json_t *item);
void sq_tally_sums(struct sq_tally *t, const json_t *sums);
json_t *sq_tally_json(const struct sq_tally *t);
void sq_tally_print(const struct sq_tally *t);
json_t *sq_counts_json(const uint64_t counts[static 256]);

/* Of an item: what it moved, when accepted; its verb and outcome in the reader's language. */
int64_t sq_item_moved(const json_t *item);
const char *sq_item_verb_text(const json_t *item);
const char *sq_item_outcome_text(const json_t *item);

static inline const char *sq_text_in(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}
static inline uint64_t sq_u64_in(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}
static inline int64_t sq_fen_in(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

SQ_MUST_CHECK sq_status sq_history_list(struct sq_source *s, const struct sq_wish *w, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_history_sums(struct sq_source *s, const struct sq_wish *w, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_history_refusals(struct sq_source *s, const struct sq_wish *w, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_history_life(struct sq_source *s, const struct sq_wish *w, struct sq_error *err);

#endif
