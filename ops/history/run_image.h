/* How a run lies in bytes; for run.c and run_build.c only. */
#ifndef SQ_RUN_IMAGE_H
#define SQ_RUN_IMAGE_H

#include "ops/history/run.h"

#define SQ_ROW_WAITS_CODE 1u /* SQ_ROW_WAITS of clearing/core/core.h, as it stands in journals */

struct sq_image_part {
    const void *data;
    uint32_t count;
};

/* Parts in the order of enum sq_run_part into one malloc'd image. */
SQ_MUST_CHECK sq_status sq_image_make(const struct sq_image_part parts[static SQ_RUN_PARTS], uint64_t first_seq,
                                      uint64_t last_seq, const uint8_t last_hash[static SQ_HASH_SIZE], uint64_t window,
                                      uint8_t **image, size_t *size, struct sq_error *err);

/* Sorts keys ascending and carries values along; equal keys keep their order. 0 when memory is out. */
SQ_MUST_CHECK int sq_run_sort(uint64_t *keys, uint32_t *values, uint32_t count);

#endif
