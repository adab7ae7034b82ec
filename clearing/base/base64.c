#include "clearing/base/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sq_base64(const uint8_t *in, size_t size, char *out)
{
    for (; size > 0; in += 3, size = size > 3 ? size - 3 : 0) {
        uint32_t v = (uint32_t)in[0] << 16 | (size > 1 ? (uint32_t)in[1] << 8 : 0) | (size > 2 ? in[2] : 0u);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = size > 1 ? alphabet[v >> 6 & 63] : '=';
        *out++ = size > 2 ? alphabet[v & 63] : '=';
    }
    *out = '\0';
}

int sq_unbase64(const char *in, size_t length, uint8_t *out, size_t out_size)
{
    size_t pad = length >= 1 && in[length - 1] == '=' ? (length >= 2 && in[length - 2] == '=' ? 2 : 1) : 0, n = 0;
    if (length % 4 != 0 || length / 4 * 3 - pad > out_size)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t v = 0;
        size_t here = i + 4 == length ? 4 - pad : 4;
        for (size_t k = 0; k < 4; k++) {
            const char *at = k < here ? memchr(alphabet, in[i + k], 64) : alphabet;
            if (at == NULL)
                return -1;
            v = v << 6 | (uint32_t)(at - alphabet);
        }
        for (size_t k = 0; k + 1 < here; k++)
            out[n++] = (uint8_t)(v >> (16 - 8 * k));
        if ((v & (0xffffffu >> (8 * (here - 1)))) != 0 && here < 4)
            return -1;
    }
    return (int)n;
}
