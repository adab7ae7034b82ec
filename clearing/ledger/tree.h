/*
 * The RFC 6962 Merkle tree, and C2SP's way of writing about it. Pure functions; SHA-256.
 *
 * leaf hash SHA-256(0x00 ‖ record), node hash SHA-256(0x01 ‖ left ‖ right), empty root SHA-256("").
 * Source: RFC 9162 §2.1 (same hashes as RFC 6962), C2SP signed-note.md, tlog-checkpoint.md, tlog-cosignature.md.
 */
#ifndef SQ_TREE_H
#define SQ_TREE_H

#include "clearing/base/hash.h"
#include "proto/bytes.h"
#include "proto/status.h"

void sq_tree_leaf_hash(sq_bytes record, uint8_t out[static SQ_HASH_SIZE]);
void sq_tree_node_hash(const uint8_t left[static SQ_HASH_SIZE], const uint8_t right[static SQ_HASH_SIZE],
                       uint8_t out[static SQ_HASH_SIZE]);

/* RFC 9162 §2.1.3.2 and §2.1.4.2. `proof` is hash_count x 32 bytes. SQ_OK or SQ_E_VERIFY. */
SQ_MUST_CHECK sq_status sq_tree_verify_inclusion(uint64_t index, uint64_t size,
                                                 const uint8_t leaf_hash[static SQ_HASH_SIZE], const uint8_t *proof,
                                                 size_t hash_count, const uint8_t root[static SQ_HASH_SIZE],
                                                 struct sq_error *err);
SQ_MUST_CHECK sq_status sq_tree_verify_consistency(uint64_t size1, uint64_t size2,
                                                   const uint8_t root1[static SQ_HASH_SIZE],
                                                   const uint8_t root2[static SQ_HASH_SIZE], const uint8_t *proof,
                                                   size_t hash_count, struct sq_error *err);

/* ---- checkpoints as signed notes ---- */

#define SQ_NOTE_SIZE_MAX     4096  /* with the log's own signature */
#define SQ_COSIGNED_SIZE_MAX 16384 /* with those of witnesses, of which a note has 63 at most */

struct sq_checkpoint {
    char origin[128];
    uint64_t size;
    uint8_t root[SQ_HASH_SIZE];
};

/* The note's body: "origin\nsize\nbase64(root)\n". Returns its length, or 0 when it does not fit. */
size_t sq_checkpoint_body(const struct sq_checkpoint *c, char *out, size_t out_size);
SQ_MUST_CHECK sq_status sq_checkpoint_parse(sq_bytes body, struct sq_checkpoint *out, struct sq_error *err);

/* Checks one Ed25519 signature; the caller brings the library. */
typedef int (*sq_ed25519_verify)(sq_bytes message, const uint8_t signature[static 64], const uint8_t key[static 32]);

/* Key id of an Ed25519 note key: SHA-256(name ‖ "\n" ‖ 0x01 ‖ key)[:4], big-endian. */
uint32_t sq_note_key_id(const char *name, const uint8_t key[static 32]);

/* body ‖ "\n" ‖ "— name base64(id ‖ signature)\n". Returns its length, or 0 when it does not fit. */
size_t sq_note_write(const char *body, size_t body_size, const char *name, const uint8_t key[static 32],
                     const uint8_t signature[static 64], char *out, size_t out_size);

struct sq_note_key {
    char name[128];
    uint8_t key[32];
    int cosigns; /* 0: signs notes (type 0x01); 1: a witness's (type 0x04) */
};
/* "name+hexid+base64(type ‖ key)" <-> key. Writing returns the length, or 0 when it does not fit. */
#define SQ_VKEY_SIZE 192
SQ_MUST_CHECK sq_status sq_note_key_parse(const char *vkey, struct sq_note_key *out, struct sq_error *err);
size_t sq_note_key_write(const struct sq_note_key *key, char *out, size_t out_size);

/*
 * Cosignatures (C2SP tlog-cosignature, Ed25519): "at this time, this is the largest tree of this log that I have seen, and it continues all
 * that I have seen before". Signed is "cosignature/v1\ntime N\n" ‖ the note's body; the signature line holds be64 N ‖ signature.
 */
uint32_t sq_cosigner_key_id(const char *name, const uint8_t key[static 32]);
/* What is signed. Returns its length, or 0 when it does not fit. */
size_t sq_cosigned_text(uint64_t time_s, sq_bytes body, char *out, size_t out_size);
/* What stands behind a witness's name in its line. Errors: SQ_E_FORMAT: not base64 of as many bytes, or a time beyond 2^63 - 1. */
struct sq_cosignature {
    uint32_t key_id;
    uint64_t time_s; /* Unix time */
    uint8_t signature[64];
};
SQ_MUST_CHECK sq_status sq_cosignature_read(const char *base64, size_t length, struct sq_cosignature *out,
                                            struct sq_error *err);
/* Add a witness's line to the note of `size` bytes, in place. Returns the new length, or 0 when it does not fit. */
size_t sq_note_cosign(char *note, size_t size, size_t room, const char *name, const uint8_t key[static 32],
                      uint64_t time_s, const uint8_t signature[static 64]);

/*
 * Open a note: its body and which of `keys` signed or cosigned it (bit i of *verified). Unknown signatures are ignored; a known key
 * with a bad signature, or no known key at all, refuses the whole note.
 * Errors: SQ_E_FORMAT, SQ_E_VERIFY.
 */
SQ_MUST_CHECK sq_status sq_note_open(sq_bytes note, const struct sq_note_key *keys, size_t key_count,
                                     sq_ed25519_verify verify, sq_bytes *body, uint64_t *verified,
                                     struct sq_error *err);

/* The time of this witness's line in a note that was opened with its key; 0: it has none there. */
uint64_t sq_note_cosigned_at(sq_bytes note, const struct sq_note_key *key);

#endif
