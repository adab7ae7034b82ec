#include "ops/history/proofs.h"

#include <stdlib.h>
#include <string.h>

#include "clearing/core/core.h"
#include "clearing/ledger/tree.h"
#include "peers/crypto.h"

struct checking {
    struct sq_checkpoint checkpoint;
    const struct sq_ledger *ledger;
    struct sq_arena arena; /* one payload */
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static uint64_t u64_of(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static sq_status open_checkpoint(struct checking *c, const char *note, const char *origin,
                                 const uint8_t log_key[static 32], struct sq_error *err)
{
    struct sq_note_key key = {0};
    sq_bytes body;
    uint64_t signers;
    const char *line = origin != NULL ? origin : note;
    strncat(key.name, line,
            origin != NULL                          ? sizeof key.name - 1
            : strcspn(note, "\n") < sizeof key.name ? strcspn(note, "\n")
                                                    : sizeof key.name - 1);
    memcpy(key.key, log_key, sizeof key.key);
    if (sq_note_open(sq_bytes_of(note, strlen(note)), &key, 1, sq_ed25519_check, &body, &signers, err) != SQ_OK ||
        sq_checkpoint_parse(body, &c->checkpoint, err) != SQ_OK)
        return sq_fail_context(err, SQ_E_VERIFY, "checkpoint");
    return strcmp(c->checkpoint.origin, key.name) == 0
               ? SQ_OK
               : sq_fail(err, SQ_E_VERIFY, "checkpoint of %s, not of %s", c->checkpoint.origin, key.name);
}

/* The payload that the ledger holds under this number has the hash of the leaf record. */
static sq_status check_payload(struct checking *c, uint64_t seq, const uint8_t leaf[static SQ_LEAF_SIZE],
                               struct sq_error *err)
{
    sq_bytes payload;
    uint8_t hash[SQ_HASH_SIZE];
    sq_arena_reset(&c->arena);
    sq_status st = sq_ledger_payload(c->ledger, seq, &c->arena, &payload, err);
    if (st != SQ_OK)
        return st;
    sq_sha256(payload.data, payload.size, hash);
    return memcmp(hash, leaf + 24, SQ_HASH_SIZE) == 0
               ? SQ_OK
               : sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": its payload has another hash than its leaf record", seq);
}

static sq_status check_proof(struct checking *c, const json_t *proof, struct sq_error *err)
{
    uint8_t leaf[SQ_LEAF_SIZE], hashes[SQ_PROOF_MAX * SQ_HASH_SIZE], leaf_hash[SQ_HASH_SIZE];
    const char *leaf_hex = text_of(proof, "leaf"), *hex = text_of(proof, "proof");
    uint64_t seq = u64_of(proof, "seq");
    size_t size = strlen(hex) / 2;
    if (strlen(leaf_hex) != 2 * sizeof leaf || sq_unhex(leaf_hex, leaf, sizeof leaf, NULL) != SQ_OK ||
        size > sizeof hashes || strlen(hex) % (2 * SQ_HASH_SIZE) != 0 ||
        (size != 0 && sq_unhex(hex, hashes, size, NULL) != SQ_OK))
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": its leaf record or proof is not whole", seq);
    if (seq == 0 || sq_get_be64(leaf + 8) != seq)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": the leaf record is of entry %" PRIu64, seq,
                       sq_get_be64(leaf + 8));
    sq_tree_leaf_hash(sq_bytes_of(leaf, sizeof leaf), leaf_hash);
    sq_status st = sq_tree_verify_inclusion(seq - 1, c->checkpoint.size, leaf_hash, hashes, size / SQ_HASH_SIZE,
                                            c->checkpoint.root, err);
    if (st == SQ_OK && c->ledger != NULL)
        st = check_payload(c, seq, leaf, err);
    return st == SQ_OK ? SQ_OK : sq_fail_context(err, st, "entry %" PRIu64, seq);
}

/* Proofs ascend by entry. */
static int is_proven(const json_t *proofs, uint64_t seq)
{
    size_t low = 0, high = json_array_size(proofs);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (u64_of(json_array_get(proofs, middle), "seq") < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return u64_of(json_array_get(proofs, low), "seq") == seq && seq != 0;
}

static sq_status check_items(const json_t *items, const json_t *proofs, struct sq_error *err)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        uint64_t seq = u64_of(item, "seq"), decided = u64_of(item, "decided_seq");
        if (!is_proven(proofs, seq) || (decided != 0 && !is_proven(proofs, decided)))
            return sq_fail(err, SQ_E_VERIFY, "an item of entry %" PRIu64 " comes without its proof", seq);
    }
    return SQ_OK;
}

sq_status sq_proofs_check(const json_t *answer, const char *origin, const uint8_t log_key[static 32],
                          const struct sq_ledger *ledger, uint64_t *entries_out, struct sq_error *err)
{
    const json_t *proofs = json_object_get(answer, "proofs");
    struct checking c = {.ledger = ledger};
    size_t i;
    json_t *proof;
    sq_status st = sq_arena_init(&c.arena, SQ_ENTRY_SIZE_MAX, err);
    if (st == SQ_OK)
        st = open_checkpoint(&c, text_of(answer, "checkpoint"), origin, log_key, err);
    if (st == SQ_OK)
        st = check_items(json_object_get(answer, "items"), proofs, err);
    json_array_foreach(proofs, i, proof) if (st == SQ_OK) st = check_proof(&c, proof, err);
    sq_arena_free(&c.arena);
    if (st == SQ_OK)
        *entries_out = json_array_size(proofs);
    return st;
}
