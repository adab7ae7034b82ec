/*
 * Who a node is: its configuration, the directory, its keys, and that the three belong together.
 *
 * The daemon opens one at every start, `sanquan init` before it makes a ledger.
 */
#ifndef SQ_IDENTITY_H
#define SQ_IDENTITY_H

#include "clearing/core/core.h"
#include "clearing/ledger/ledger.h"
#include "ops/common/config.h"
#include "peers/directory.h"
#include "peers/keys.h"

struct sq_identity {
    struct sq_config *config;
    struct sq_directory *directory;
    const Sanquan__V1__Genesis *genesis; /* of this node; borrowed from directory */
    struct sq_keys *keys;
    char origin[SQ_ORIGIN_SIZE]; /* of its log */
};

/*
 * Close it whatever happened; *out is zeroed first. A passphrase comes from the configured file, or from `ask` when none is
 * configured (NULL: then it is an error).
 * Errors: SQ_E_CONFIG  file, line and reason; or what does not belong together; and those of reading keys.
 */
SQ_MUST_CHECK sq_status sq_identity_open(const char *config_path, sq_keys_ask ask, void *ctx, struct sq_identity *out,
                                         struct sq_error *err);
void sq_identity_close(struct sq_identity *id);

const Sanquan__V1__Node *sq_identity_node(const Sanquan__V1__Genesis *g,
                                          const char *code); /* NULL: not in the directory */

/* How the node's ledger is opened or created, and what signs its checkpoints; both borrow from id. */
struct sq_ledger_options sq_identity_ledger(const struct sq_identity *id);
struct sq_signer sq_log_signer(struct sq_keys *keys);

/* The first entry of an empty ledger: the directory, as the core needs it. `core` is new and has stepped it afterwards. */
SQ_MUST_CHECK sq_status sq_genesis_write(struct sq_ledger *l, struct sq_core *core, const Sanquan__V1__Genesis *g,
                                         const struct sq_signer *log_key, uint64_t now_ms, struct sq_error *err);

#endif
