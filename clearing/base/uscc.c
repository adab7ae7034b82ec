#include "clearing/base/uscc.h"

#include <string.h>

static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY"; /* no I O S V Z */
static const unsigned weight[17] = {1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28};

int sq_uscc_valid(const char *code)
{
    unsigned sum = 0;
    if (strlen(code) != SQ_USCC_LENGTH)
        return 0;
    for (int i = 0; i < 17; i++) {
        const char *at = strchr(alphabet, code[i]);
        if (at == NULL || (i >= 2 && i <= 7 && (code[i] < '0' || code[i] > '9')))
            return 0;
        sum += (unsigned)(at - alphabet) * weight[i];
    }
    /* A remainder of 0 gives 31 - 0 = 31, which is written as 0, not past the alphabet's end. */
    return code[17] == alphabet[(31 - sum % 31) % 31];
}
