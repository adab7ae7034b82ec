/*
 * Signed notes and checkpoints as text.
 *
 * Reading is strict: one spelling of base64, decimal without leading zeros, valid UTF-8 without control characters but newline,
 * and the last blank line separates text from signatures.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clearing/base/base64.h"
#include "clearing/ledger/tree.h"

#define DASH           "\xe2\x80\x94 " /* U+2014, space */
#define DASH_SIZE      4u
#define SIGNATURES_MAX 64u

#define TYPE_SIGNATURE   0x01u
#define TYPE_COSIGNATURE 0x04u
#define SIGNATURE_SIZE   68u /* key id, signature */
#define COSIGNATURE_SIZE 76u /* key id, be64 time, signature */
#define TIME_MAX         INT64_MAX

/* ---- checkpoints ---- */

size_t sq_checkpoint_body(const struct sq_checkpoint *c, char *out, size_t out_size)
{
    char root[48];
    sq_base64(c->root, SQ_HASH_SIZE, root);
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
    if (sq_unbase64(line[2], length[2], c.root, sizeof c.root) != SQ_HASH_SIZE)
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

static uint32_t id_of(const char *name, const uint8_t key[static 32], int cosigns)
{
    uint8_t typed[33] = {cosigns ? TYPE_COSIGNATURE : TYPE_SIGNATURE};
    memcpy(typed + 1, key, 32);
    return key_id(name, strlen(name), typed, sizeof typed);
}

uint32_t sq_note_key_id(const char *name, const uint8_t key[static 32])
{
    return id_of(name, key, 0);
}

uint32_t sq_cosigner_key_id(const char *name, const uint8_t key[static 32])
{
    return id_of(name, key, 1);
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
    int n = sq_unbase64(second + 1, strlen(second + 1), typed, sizeof typed);
    if (n != 33 || (typed[0] != TYPE_SIGNATURE && typed[0] != TYPE_COSIGNATURE))
        return bad(err, "note key is not an Ed25519 key");
    memcpy(k.name, vkey, (size_t)(plus - vkey));
    memcpy(k.key, typed + 1, 32);
    k.cosigns = typed[0] == TYPE_COSIGNATURE;
    snprintf(hex, sizeof hex, "%08x", id_of(k.name, k.key, k.cosigns));
    if (memcmp(hex, plus + 1, 8) != 0)
        return bad(err, "note key id does not belong to its name and key");
    *out = k;
    return SQ_OK;
}

size_t sq_note_key_write(const struct sq_note_key *key, char *out, size_t out_size)
{
    uint8_t typed[33] = {key->cosigns ? TYPE_COSIGNATURE : TYPE_SIGNATURE};
    char text[SQ_BASE64_SIZE(sizeof typed)];
    memcpy(typed + 1, key->key, 32);
    sq_base64(typed, sizeof typed, text);
    int n = snprintf(out, out_size, "%s+%08x+%s", key->name, id_of(key->name, key->key, key->cosigns), text);
    return n > 0 && (size_t)n < out_size ? (size_t)n : 0;
}

/* ---- notes ---- */

size_t sq_note_write(const char *body, size_t body_size, const char *name, const uint8_t key[static 32],
                     const uint8_t signature[static 64], char *out, size_t out_size)
{
    uint8_t blob[68];
    char text[96];
    sq_put_be32(blob, sq_note_key_id(name, key));
    memcpy(blob + 4, signature, 64);
    sq_base64(blob, sizeof blob, text);
    int n = snprintf(out, out_size, "%.*s\n" DASH "%s %s\n", (int)body_size, body, name, text);
    return n > 0 && (size_t)n < out_size ? (size_t)n : 0;
}

size_t sq_cosigned_text(uint64_t time_s, sq_bytes body, char *out, size_t out_size)
{
    int n = snprintf(out, out_size, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    if (n <= 0 || (size_t)n >= out_size || out_size - (size_t)n < body.size)
        return 0;
    memcpy(out + n, body.data, body.size);
    return (size_t)n + body.size;
}

sq_status sq_cosignature_read(const char *base64, size_t length, struct sq_cosignature *out, struct sq_error *err)
{
    uint8_t blob[COSIGNATURE_SIZE];
    if (sq_unbase64(base64, length, blob, sizeof blob) != (int)sizeof blob || sq_get_be64(blob + 4) > TIME_MAX)
        return bad(err, "cosignature is not the base64 of key id, time and 64 bytes");
    out->key_id = sq_get_be32(blob);
    out->time_s = sq_get_be64(blob + 4);
    memcpy(out->signature, blob + 12, sizeof out->signature);
    return SQ_OK;
}

size_t sq_note_cosign(char *note, size_t size, size_t room, const char *name, const uint8_t key[static 32],
                      uint64_t time_s, const uint8_t signature[static 64])
{
    uint8_t blob[COSIGNATURE_SIZE];
    char text[SQ_BASE64_SIZE(sizeof blob)];
    sq_put_be32(blob, sq_cosigner_key_id(name, key));
    sq_put_be64(blob + 4, time_s);
    memcpy(blob + 12, signature, 64);
    sq_base64(blob, sizeof blob, text);
    int n = size < room ? snprintf(note + size, room - size, DASH "%s %s\n", name, text) : -1;
    return n > 0 && (size_t)n < room - size ? size + (size_t)n : 0;
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
    uint8_t blob[2560]; /* an unknown signature may be long: ML-DSA-44 has 2,420 bytes */
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
    int n = sq_unbase64(space + 1, (size_t)(line + length - (space + 1)), s->blob, sizeof s->blob);
    if (!name_ok(s->name, s->name_size) || n < 5)
        return 0;
    s->id = sq_get_be32(s->blob);
    s->blob_size = (size_t)n;
    return 1;
}

static int line_verifies(const struct signature_line *s, const struct sq_note_key *key, sq_ed25519_verify verify,
                         sq_bytes body)
{
    char text[SQ_NOTE_SIZE_MAX];
    if (!key->cosigns)
        return s->blob_size == SIGNATURE_SIZE && verify(body, s->blob + 4, key->key);
    if (s->blob_size != COSIGNATURE_SIZE || sq_get_be64(s->blob + 4) > TIME_MAX)
        return 0;
    size_t size = sq_cosigned_text(sq_get_be64(s->blob + 4), body, text, sizeof text);
    return size != 0 && verify(sq_bytes_of(text, size), s->blob + 12, key->key);
}

static sq_status check_line(const struct signature_line *s, const struct sq_note_key *keys, size_t key_count,
                            sq_ed25519_verify verify, sq_bytes body, uint64_t *verified, struct sq_error *err)
{
    for (size_t i = 0; i < key_count; i++) {
        if (strlen(keys[i].name) != s->name_size || memcmp(keys[i].name, s->name, s->name_size) != 0 ||
            id_of(keys[i].name, keys[i].key, keys[i].cosigns) != s->id)
            continue;
        if (!line_verifies(s, &keys[i], verify, body))
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

uint64_t sq_note_cosigned_at(sq_bytes note, const struct sq_note_key *key)
{
    const char *at = (const char *)note.data, *end = at + note.size, *newline;
    for (; (newline = memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1) {
        struct signature_line s;
        if (parse_line(at, (size_t)(newline - at), &s) && s.blob_size == COSIGNATURE_SIZE &&
            s.id == sq_cosigner_key_id(key->name, key->key) && strlen(key->name) == s.name_size &&
            memcmp(key->name, s.name, s.name_size) == 0)
            return sq_get_be64(s.blob + 4);
    }
    return 0;
}
