/* Base64 of RFC 4648 §4, in its one spelling: padded, no other characters, unused bits zero. */
#ifndef SQ_BASE64_H
#define SQ_BASE64_H

#include <stddef.h>
#include <stdint.h>

#define SQ_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* characters of n bytes, with the zero that ends them */

void sq_base64(const uint8_t *in, size_t size, char *out /* SQ_BASE64_SIZE(size) */);
/* Number of bytes, or -1: wrong characters, length or padding, unused bits that are not zero, more than out_size bytes. */
int sq_unbase64(const char *in, size_t length, uint8_t *out, size_t out_size);

#endif
