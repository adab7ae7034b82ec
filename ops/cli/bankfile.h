/* Files to and from banks, as commands use them. */
#ifndef SQ_BANKFILE_H
#define SQ_BANKFILE_H

#include "ops/cli/cli.h"
#include "ops/files/iso.h"

/* What banks must know of participants: CSV or JSON lines with code, name, account, bic. */
struct sq_bank_parties {
    struct sq_iso_party *rows;
    size_t count;
};
/* Problems are told line by line. Errors: SQ_E_FORMAT, SQ_E_IO. Free it also then. */
SQ_MUST_CHECK sq_status sq_bank_parties_read(const struct sq_cli *cli, const char *path, struct sq_bank_parties *out,
                                             struct sq_error *err);
void sq_bank_parties_free(struct sq_bank_parties *p);

/* The payments of a final window, from the JSON of a node or a ledger: without those that were found not to be made. malloc'd. */
struct sq_iso_payment *sq_bank_payments(const json_t *window, size_t *count);

/* Is the file XML, by its first character? */
int sq_bank_is_xml(const char *path);
/* A camt.054 about payments of `code` in a window: adds {kind, payer, payee, amount_fen} to a list. Errors: SQ_E_FORMAT, SQ_E_IO. */
SQ_MUST_CHECK sq_status sq_bank_read_told(const struct sq_cli *cli, const char *path, uint64_t window, const char *code,
                                          json_t *list, struct sq_error *err);

/* To a file, whole or not at all; path NULL: to standard output. Errors: SQ_E_IO. */
SQ_MUST_CHECK sq_status sq_bank_write(const char *path, const void *bytes, size_t size, struct sq_error *err);

#endif
