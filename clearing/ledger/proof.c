/* Proof files as text: strict, one spelling of every line. */
#include "clearing/ledger/proof.h"

#include <inttypes.h>
#include <stdio.h>

#include "clearing/base/base64.h"

static const char head[] = "c2sp.org/tlog-proof@v1";

/* ---- writing ---- */

/* Room left, and where; after something did not fit `left` is 0 and stays so. */
struct out {
    char *at;
    size_t left;
};

static void put(struct out *o, const char *label, const char *text)
{
    int n = o->left == 0 ? 0 : snprintf(o->at, o->left, "%s%s\n", label, text);
    if (n <= 0 || (size_t)n >= o->left) {
        o->left = 0;
        return;
    }
    o->at += n;
    o->left -= (size_t)n;
}

size_t sq_proof_file_write(const struct sq_proof_file *p, char *out, size_t out_size)
{
    struct out o = {out, out_size};
    char text[SQ_BASE64_SIZE(SQ_PROOF_EXTRA_MAX)];
    put(&o, head, "");
    if (p->extra_size != 0) {
        sq_base64(p->extra, p->extra_size, text);
        put(&o, "extra ", text);
    }
    snprintf(text, sizeof text, "%" PRIu64, p->index);
    put(&o, "index ", text);
    for (size_t i = 0; i < p->hash_count; i++) {
        sq_base64(p->hashes + i * SQ_HASH_SIZE, SQ_HASH_SIZE, text);
        put(&o, "", text);
    }
    put(&o, "", "");
    if (o.left <= p->note.size)
        return 0;
    memcpy(o.at, p->note.data, p->note.size);
    return (size_t)(o.at - out) + p->note.size;
}

/* ---- reading ---- */

struct in {
    const char *at, *end;
};

/* The next line without its newline; NULL: the text ends before one. */
static const char *next_line(struct in *in, size_t *length)
{
    const char *line = in->at, *newline = memchr(in->at, '\n', (size_t)(in->end - in->at));
    if (newline == NULL)
        return NULL;
    *length = (size_t)(newline - line);
    in->at = newline + 1;
    return line;
}

static int begins(const char *line, size_t length, const char *label)
{
    return line != NULL && length > strlen(label) && memcmp(line, label, strlen(label)) == 0;
}

static sq_status bad(struct sq_error *err, const char *what)
{
    return sq_fail(err, SQ_E_FORMAT, "proof file: %s", what);
}

static int read_index(const char *text, size_t length, uint64_t *out)
{
    uint64_t n = 0;
    if (length == 0 || length > 19 || (text[0] == '0' && length > 1))
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    *out = n;
    return 1;
}

sq_status sq_proof_file_parse(sq_bytes text, struct sq_proof_file *out, struct sq_error *err)
{
    struct in in = {(const char *)text.data, (const char *)text.data + text.size};
    size_t length = 0;
    const char *line = next_line(&in, &length);
    out->hash_count = out->extra_size = 0;
    if (line == NULL || length != strlen(head) || memcmp(line, head, length) != 0)
        return bad(err, "its first line is not c2sp.org/tlog-proof@v1");
    line = next_line(&in, &length);
    if (begins(line, length, "extra ")) {
        int n = sq_unbase64(line + 6, length - 6, out->extra, sizeof out->extra);
        if (n < 0)
            return bad(err, "what follows 'extra' is not base64, or too long");
        out->extra_size = (size_t)n;
        line = next_line(&in, &length);
    }
    if (!begins(line, length, "index ") || !read_index(line + 6, length - 6, &out->index))
        return bad(err, "no line 'index' with a plain decimal number");
    while ((line = next_line(&in, &length)) != NULL && length != 0) {
        if (out->hash_count == SQ_PROOF_MAX ||
            sq_unbase64(line, length, out->hashes + out->hash_count * SQ_HASH_SIZE, SQ_HASH_SIZE) != SQ_HASH_SIZE)
            return bad(err, "a line of the proof is not the base64 of 32 bytes, or there are too many");
        out->hash_count++;
    }
    if (line == NULL || in.at == in.end)
        return bad(err, "no checkpoint behind an empty line");
    out->note = sq_bytes_of(in.at, (size_t)(in.end - in.at));
    return SQ_OK;
}

sq_status sq_proof_file_check(const struct sq_proof_file *p, const struct sq_checkpoint *c, const uint8_t **leaf_out,
                              struct sq_error *err)
{
    uint8_t leaf_hash[SQ_HASH_SIZE];
    if (p->extra_size != SQ_LEAF_SIZE || p->extra[0] != 1 || sq_get_be64(p->extra + 8) != p->index + 1)
        return sq_fail(err, SQ_E_VERIFY, "proof file: what is 'extra' is not the leaf record of entry %" PRIu64,
                       p->index + 1);
    sq_tree_leaf_hash(sq_bytes_of(p->extra, p->extra_size), leaf_hash);
    sq_status st = sq_tree_verify_inclusion(p->index, c->size, leaf_hash, p->hashes, p->hash_count, c->root, err);
    if (st == SQ_OK)
        *leaf_out = p->extra;
    return st;
}
