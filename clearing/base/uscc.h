/*
 * 统一社会信用代码, the 18-character code of an organisation.
 * Source: GB 32100-2015 (alphabet of 31 characters, weights 3^(i-1) mod 31, check character 18).
 */
#ifndef SQ_USCC_H
#define SQ_USCC_H

#define SQ_USCC_LENGTH 18

/* Exactly 18 characters of the alphabet, digits in places 3 to 8, right check character. */
int sq_uscc_valid(const char *code);

#endif
