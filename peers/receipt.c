/* What a receipt proves: the node signed (in the envelope) that this answer belongs to this leaf; the rest is shown here. */
#include "clearing/ledger/ledger.h"
#include "clearing/ledger/tree.h"
#include "peers/client.h"

sq_status sq_receipt_verify(const Sanquan__V1__Receipt *r, const char *log_name,
                            const uint8_t log_key[static SQ_KEY_SIZE], struct sq_error *err)
{
    struct sq_note_key key = {0};
    struct sq_checkpoint c;
    uint8_t leaf_hash[SQ_HASH_SIZE];
    uint64_t verified;
    sq_bytes body;
    if (strlen(log_name) >= sizeof key.name)
        return sq_fail(err, SQ_E_FORMAT, "log name is too long");
    memcpy(key.name, log_name, strlen(log_name));
    memcpy(key.key, log_key, SQ_KEY_SIZE);
    sq_status st = sq_note_open(sq_bytes_of(r->checkpoint, strlen(r->checkpoint)), &key, 1, sq_ed25519_check, &body,
                                &verified, err);
    if (st != SQ_OK)
        return sq_fail_context(err, SQ_E_VERIFY, "checkpoint");
    if (sq_checkpoint_parse(body, &c, err) != SQ_OK)
        return sq_fail_context(err, SQ_E_VERIFY, "checkpoint");
    if (strcmp(c.origin, log_name) != 0)
        return sq_fail(err, SQ_E_VERIFY, "checkpoint of %s, not of %s", c.origin, log_name);
    if (r->leaf.len != SQ_LEAF_SIZE || r->proof.len % SQ_HASH_SIZE != 0 ||
        sq_get_be64(r->leaf.data + 8) != r->index + 1)
        return sq_fail(err, SQ_E_VERIFY, "leaf record or proof has a wrong size, or the leaf is of another entry");
    sq_tree_leaf_hash(sq_bytes_of(r->leaf.data, r->leaf.len), leaf_hash);
    return sq_tree_verify_inclusion(r->index, c.size, leaf_hash, r->proof.data, r->proof.len / SQ_HASH_SIZE, c.root,
                                    err);
}
