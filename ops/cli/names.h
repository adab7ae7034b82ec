/* Names of participants as people type them, with the reason when one is wrong. */
#ifndef SQ_NAMES_H
#define SQ_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define SQ_WHY_SIZE 200

/* A unified social credit code (GB 32100). 1, or 0 with the reason, translated, in `why`. */
int sq_uscc_explain(const char *code, char why[static SQ_WHY_SIZE]);

/* "node:310000", "issuer:440300", "operator:310000/zhang", "regulator:mof", "provider:USCC", "holder:USCC",
   "evaluator:USCC". The same. */
int sq_name_explain(const char *name, char why[static SQ_WHY_SIZE]);

/* An invoice's number, 20 digits or the 18 of an old one (code and number), as the cell of a message. 1, or 0: it is none. */
int sq_invoice_read(const char *text, uint8_t cell[static 10]);

#endif
