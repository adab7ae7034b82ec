/*
 * Key files: one participant's keys, mode 0600, optionally under a passphrase (Argon2id, XSalsa20-Poly1305).
 *
 * Text, one "name: value" a line:
 *     sanquan-key: v1
 *     name: provider:91310199TXXXXX0015
 *     public: 64 hex            message key, Ed25519
 *     transport-public: 64 hex  CURVE
 *     log-public: 64 hex        nodes only: signs checkpoints
 *     secret: hex               plain; or salt, nonce and sealed lines instead
 * Secrets, in order: message (64 bytes), transport (32), log (64, nodes only).
 */
#ifndef SQ_KEYS_H
#define SQ_KEYS_H

#include "peers/crypto.h"
#include "proto/wire.h"

struct sq_keys { /* lives in sq_secret_new memory */
    char name[SQ_NAME_SIZE_MAX + 1];
    uint8_t public_key[SQ_KEY_SIZE], secret[SQ_SECRET_SIZE];
    uint8_t transport_public[SQ_KEY_SIZE], transport_secret[SQ_KEY_SIZE];
    int has_log;
    uint8_t log_public[SQ_KEY_SIZE], log_secret[SQ_SECRET_SIZE];
};

/* New random keys; a "node:" name gets a log key too. Free with sq_secret_free. */
SQ_MUST_CHECK sq_status sq_keys_new(const char *name, struct sq_keys **out, struct sq_error *err);

/* Refuses to overwrite. passphrase NULL or "": plain. */
SQ_MUST_CHECK sq_status sq_keys_write(const struct sq_keys *keys, const char *path, const char *passphrase,
                                      struct sq_error *err);

/* Refuses a file that group or others can read. passphrase is asked for by `ask` only when the file has one. */
typedef sq_status (*sq_keys_ask)(void *ctx, char *out, size_t out_size, struct sq_error *err);
SQ_MUST_CHECK sq_status sq_keys_read(const char *path, sq_keys_ask ask, void *ctx, struct sq_keys **out,
                                     struct sq_error *err);

/* The one passphrase that a file holds, its line end left out. Errors: SQ_E_IO, SQ_E_FORMAT. */
SQ_MUST_CHECK sq_status sq_passphrase_read(const char *path, char *out, size_t out_size, struct sq_error *err);

/* Only the public half, readable without a passphrase: secrets are zero. */
SQ_MUST_CHECK sq_status sq_keys_read_public(const char *path, struct sq_keys **out, struct sq_error *err);

#endif
