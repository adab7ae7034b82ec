/*
 * Signed notes and checkpoints as text.
 *
 * Reading is strict: one spelling of base64, decimal without leading zeros, valid UTF-8 without control characters but newline,
 * and the last blank line separates text from signatures.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clearing/ledger/tree.h"

#define DASH           "\xe2\x80\x94 " /* U+2014, space */
#define DASH_SIZE      4u
#define SIGNATURES_MAX 64u

/* ---- base64, RFC 4648 §4 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64(const uint8_t *in, size_t size, char *out)
{
    for (; size > 0; in += 3, size = size > 3 ? size - 3 : 0) {
        uint32_t v = (uint32_t)in[0] << 16 | (size > 1 ? (uint32_t)in[1] << 8 : 0) | (size > 2 ? in[2] : 0u);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = size > 1 ? alphabet[v >> 6 & 63] : '=';
        *out++ = size > 2 ? alphabet[v & 63] : '=';
    }
    *out = '\0';
}

/* Number of bytes, or -1: wrong characters, length or padding, unused bits that are not zero. */
static int unbase64(const char *in, size_t length, uint8_t *out, size_t out_size)
{
    size_t pad = length >= 1 && in[length - 1] == '=' ? (length >= 2 && in[length - 2] == '=' ? 2 : 1) : 0, n = 0;
    if (length % 4 != 0 || length / 4 * 3 - pad > out_size)
        return -1;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t v = 0;
        size_t here = i + 4 == length ? 4 - pad : 4;
        for (size_t k = 0; k < 4; k++) {
            const char *at = k < here ? memchr(alphabet, in[i + k], 64) : alphabet;
            if (at == NULL)
                return -1;
            v = v << 6 | (uint32_t)(at - alphabet);
        }
        for (size_t k = 0; k + 1 < here; k++)
            out[n++] = (uint8_t)(v >> (16 - 8 * k));
        if ((v & (0xffffffu >> (8 * (here - 1)))) != 0 && here < 4)
            return -1;
    }
    return (int)n;
}

/* ---- checkpoints ---- */

size_t sq_checkpoint_body(const struct sq_checkpoint *c, char *out, size_t out_size)
{
    char root[48];
    base64(c->root, SQ_HASH_SIZE, root);
    int n = snprintf(out, out_size, "%s\n%" PRIu64 "\n%s\n", c->origin, c->size, root);
    return n > 0 && (size_t)n < out_size ? (size_t)n : 0;
}

static sq_status bad(struct sq_error *err, const char *what)
{
    return sq_fail(err, SQ_E_FORMAT, "%s", what);
}

sq_status sq_checkpoint_parse(sq_bytes body, struct sq_checkpoint *out, struct sq_error *err)
{
    const char *text = (const char *)body.data, *end = text + body.size, *line[3];
    size_t length[3];
    struct sq_checkpoint c = {0};
    for (int i = 0; i < 3; i++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (newline == NULL)
            return bad(err, "checkpoint has fewer than three lines");
        line[i] = text;
        length[i] = (size_t)(newline - text);
        text = newline + 1;
    }
    if (length[0] == 0 || length[0] >= sizeof c.origin)
        return bad(err, "checkpoint origin is empty or too long");
    memcpy(c.origin, line[0], length[0]);
    if (length[1] == 0 || length[1] > 19 || (line[1][0] == '0' && length[1] > 1))
        return bad(err, "checkpoint size is not a plain decimal number");
    for (size_t i = 0; i < length[1]; i++) {
        if (line[1][i] < '0' || line[1][i] > '9')
            return bad(err, "checkpoint size is not a plain decimal number");
        c.size = c.size * 10 + (uint64_t)(line[1][i] - '0');
    }
    if (unbase64(line[2], length[2], c.root, sizeof c.root) != SQ_HASH_SIZE)
        return bad(err, "checkpoint root is not the base64 of 32 bytes");
    *out = c;
    return SQ_OK;
}

/* ---- keys ---- */

static uint32_t key_id(const char *name, size_t name_size, const uint8_t *typed, size_t typed_size)
{
    uint8_t hash[SQ_HASH_SIZE];
    const struct sq_sha256_part parts[3] = {{name, name_size}, {"\n", 1}, {typed, typed_size}};
    sq_sha256_parts(parts, 3, hash);
    return sq_get_be32(hash);
}

uint32_t sq_note_key_id(const char *name, const uint8_t key[static 32])
{
    uint8_t typed[33] = {0x01};
    memcpy(typed + 1, key, 32);
    return key_id(name, strlen(name), typed, sizeof typed);
}

static int name_ok(const char *name, size_t size)
{
    if (size == 0)
        return 0;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)name[i] <= ' ' || name[i] == '+' || name[i] == 0x7f)
            return 0;
    return 1;
}

sq_status sq_note_key_parse(const char *vkey, struct sq_note_key *out, struct sq_error *err)
{
    const char *plus = strchr(vkey, '+'), *second = plus != NULL ? strchr(plus + 1, '+') : NULL;
    struct sq_note_key k = {0};
    uint8_t typed[64];
    char hex[9];
    if (second == NULL || second - plus != 9 || !name_ok(vkey, (size_t)(plus - vkey)) ||
        (size_t)(plus - vkey) >= sizeof k.name)
        return bad(err, "note key is not name+id+key");
    int n = unbase64(second + 1, strlen(second + 1), typed, sizeof typed);
    if (n != 33 || typed[0] != 0x01)
        return bad(err, "note key is not an Ed25519 key");
    memcpy(k.name, vkey, (size_t)(plus - vkey));
    memcpy(k.key, typed + 1, 32);
    snprintf(hex, sizeof hex, "%08x", sq_note_key_id(k.name, k.key));
    if (memcmp(hex, plus + 1, 8) != 0)
        return bad(err, "note key id does not belong to its name and key");
    *out = k;
    return SQ_OK;
}

/* ---- notes ---- */

size_t sq_note_write(const char *body, size_t body_size, const char *name, const uint8_t key[static 32],
                     const uint8_t signature[static 64], char *out, size_t out_size)
{
    uint8_t blob[68];
    char text[96];
    sq_put_be32(blob, sq_note_key_id(name, key));
    memcpy(blob + 4, signature, 64);
    base64(blob, sizeof blob, text);
    int n = snprintf(out, out_size, "%.*s\n" DASH "%s %s\n", (int)body_size, body, name, text);
    return n > 0 && (size_t)n < out_size ? (size_t)n : 0;
}

/* Valid UTF-8 with no control character but newline. */
static int text_ok(sq_bytes t)
{
    for (size_t i = 0; i < t.size;) {
        uint8_t b = t.data[i];
        size_t more = b < 0x80                 ? 0
                      : b >= 0xc2 && b <= 0xdf ? 1
                      : b >= 0xe0 && b <= 0xef ? 2
                      : b >= 0xf0 && b <= 0xf4 ? 3
                                               : 9;
        if ((b < 0x20 && b != '\n') || b == 0x7f || more == 9 || t.size - i <= more)
            return 0;
        for (size_t k = 1; k <= more; k++)
            if ((t.data[i + k] & 0xc0) != 0x80)
                return 0;
        if ((b == 0xe0 && t.data[i + 1] < 0xa0) || (b == 0xed && t.data[i + 1] > 0x9f) ||
            (b == 0xf0 && t.data[i + 1] < 0x90) || (b == 0xf4 && t.data[i + 1] > 0x8f))
            return 0;
        i += more + 1;
    }
    return 1;
}

struct signature_line {
    const char *name;
    size_t name_size;
    uint32_t id;
    uint8_t blob[512];
    size_t blob_size;
};

static int parse_line(const char *line, size_t length, struct signature_line *s)
{
    if (length <= DASH_SIZE || memcmp(line, DASH, DASH_SIZE) != 0)
        return 0;
    s->name = line + DASH_SIZE;
    const char *space = memchr(s->name, ' ', length - DASH_SIZE);
    if (space == NULL)
        return 0;
    s->name_size = (size_t)(space - s->name);
    int n = unbase64(space + 1, (size_t)(line + length - (space + 1)), s->blob, sizeof s->blob);
    if (!name_ok(s->name, s->name_size) || n < 5)
        return 0;
    s->id = sq_get_be32(s->blob);
    s->blob_size = (size_t)n;
    return 1;
}

static sq_status check_line(const struct signature_line *s, const struct sq_note_key *keys, size_t key_count,
                            sq_ed25519_verify verify, sq_bytes body, uint64_t *verified, struct sq_error *err)
{
    for (size_t i = 0; i < key_count; i++) {
        if (strlen(keys[i].name) != s->name_size || memcmp(keys[i].name, s->name, s->name_size) != 0 ||
            sq_note_key_id(keys[i].name, keys[i].key) != s->id)
            continue;
        if (s->blob_size != 68 || !verify(body, s->blob + 4, keys[i].key))
            return sq_fail(err, SQ_E_VERIFY, "signature of %s does not verify", keys[i].name);
        *verified |= 1ull << i;
    }
    return SQ_OK;
}

sq_status sq_note_open(sq_bytes note, const struct sq_note_key *keys, size_t key_count, sq_ed25519_verify verify,
                       sq_bytes *body, uint64_t *verified, struct sq_error *err)
{
    const char *text = (const char *)note.data, *split = NULL;
    if (key_count > 64 || note.size < 3 || !text_ok(note) || text[note.size - 1] != '\n')
        return bad(err, "note is not text that ends in a newline");
    for (size_t i = 0; i + 1 < note.size; i++)
        if (text[i] == '\n' && text[i + 1] == '\n')
            split = text + i + 1;
    if (split == NULL || split + 1 == text + note.size)
        return bad(err, "note has no signatures");
    *body = sq_bytes_of(note.data, (size_t)(split - text));
    *verified = 0;
    size_t lines = 0;
    for (const char *line = split + 1; line < text + note.size; lines++) {
        const char *newline = memchr(line, '\n', (size_t)(text + note.size - line));
        struct signature_line s;
        if (lines == SIGNATURES_MAX || !parse_line(line, (size_t)(newline - line), &s))
            return bad(err, "note has a malformed signature line, or too many");
        sq_status st = check_line(&s, keys, key_count, verify, *body, verified, err);
        if (st != SQ_OK)
            return st;
        line = newline + 1;
    }
    return *verified != 0 ? SQ_OK : sq_fail(err, SQ_E_VERIFY, "note is signed by none of the known keys");
}
