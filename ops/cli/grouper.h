/* Rows of a provider's file that go together: a row by itself, or all the rows of one bundle. Used by `sanquan submit` and its tests. */
#ifndef SQ_GROUPER_H
#define SQ_GROUPER_H

#include "ops/cli/batch.h"

struct sq_grouper; /* opaque: where reading stands */

/*
 * From where the sheet stands. sheet and problems are borrowed; problems NULL: what is wrong is not told (again).
 * rows_max: rows of a batch, which a bundle must fit into.
 */
struct sq_grouper *sq_grouper_new(struct sq_sheet *sheet, struct sq_problems *problems, uint32_t rows_max);
void sq_grouper_free(struct sq_grouper *g);

/*
 * How many rows the next group has, and the rows, borrowed until the next call; 0 at the end. Rows that are wrong are passed over, and so
 * are all rows of a bundle that has, or may have, one of them.
 */
uint32_t sq_grouper_next(struct sq_grouper *g, const struct sq_item **items);

/* 1: a bundle's number came again after others, so a group that was handed out may not have been all of its bundle. */
int sq_grouper_is_torn(const struct sq_grouper *g);

#endif
