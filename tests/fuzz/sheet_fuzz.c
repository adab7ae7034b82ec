/* A provider's file of claims, CSV or JSON lines: whatever rows are taken out of it make a canonical batch. */
#include "ops/cli/batch.h"
#include "ops/cli/sheet.h"
#include "proto/sanquan.pb-c.h"
#include "tests/fuzz/fuzz.h"

#define ROWS 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sq_sheet *sheet = NULL;
    struct sq_error err = {0};
    struct sq_row row;
    struct sq_item items[ROWS];
    struct sq_batch_room room;
    uint32_t order[ROWS], count = 0;
    uint64_t line = 0;
    if (size > 65536)
        return 0;
    uint8_t *copy = malloc(size + 1), *body = NULL;
    memcpy(copy, data, size);
    if (sq_sheet_parse(copy, size, "claims.csv", SQ_BATCH_COLUMNS, SQ_BATCH_COLUMN_COUNT, &sheet, &err) != SQ_OK)
        return 0;
    sq_batch_room_begin(&room);
    while (count < ROWS && sq_sheet_next(sheet, &row)) {
        HOLDS(row.line > line); /* each row is met once */
        line = row.line;
        if (sq_item_read(sheet, &row, NULL, &items[count]) && sq_batch_room_take(&room, &items[count]))
            count++;
    }
    sq_batch_room_end(&room);
    if (count > 0) {
        sq_batch_pack(items, count, order, &body, &size);
        HOLDS(sq_wire_check(&sanquan__v1__batch__descriptor, sq_bytes_of(body, size), &err) == SQ_OK);
        for (uint32_t i = 0; i < count; i++)
            HOLDS(order[i] < count);
        free(body);
    }
    sq_sheet_close(sheet);
    return 0;
}
