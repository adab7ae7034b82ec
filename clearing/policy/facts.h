/*
 * What is known of a subject: dated (attribute, value) pairs, as a list of rows in a table of the core's.
 *
 * A statement belongs to one issuer, whose programmes alone go by it, or to the node (issuer 0). Where an attribute has one value,
 * an issuer's own statement hides the node's; where it may have several, both count.
 */
#ifndef SQ_FACTS_H
#define SQ_FACTS_H

#include "clearing/base/table.h"
#include "proto/sanquan.pb-c.h"

#define SQ_ATTR(name) ((uint32_t)SANQUAN__V1__ATTRIBUTE__ATTR_##name)
#define SQ_ATTR_LISTS 1000u /* from here on: lists */
#define SQ_ATTR_MAX   9999u
#define SQ_DAY_OPEN   99991231u /* how an open end is kept */

struct sq_fact {
    int64_t value;
    uint32_t attribute, issuer, from_day, until_day; /* the last day counts; until before from: void */
    uint32_t next;                                   /* in the table, or SQ_ROW_NONE */
    uint32_t padding;
};

/* The facts of one subject; `first` is SQ_ROW_NONE where nothing is known. */
struct sq_facts {
    const struct sq_table *table;
    uint32_t first;
};

struct sq_range {
    int64_t low, high; /* both within */
};

/* May an attribute have several values on one day? */
int sq_attr_multiple(uint32_t attribute);

enum sq_match { SQ_UNKNOWN, SQ_OUTSIDE, SQ_WITHIN };

/* Does a value that `issuer` goes by on `day` lie in one of the ranges? *seen: a value that was looked at, the matching one if any. */
enum sq_match sq_facts_match(const struct sq_facts *f, uint32_t issuer, uint32_t attribute, uint32_t day,
                             const struct sq_range *ranges, size_t count, int64_t *seen);

/* Is v in one of the ascending ranges? */
int sq_ranges_hold(const struct sq_range *ranges, size_t count, int64_t v);

#endif
