/*
 * A signed note, its checkpoint and its key, as texts. Whatever the signatures are, they count: written again, a note with one signature is the
 * note, a checkpoint of three lines the checkpoint.
 */
#include "clearing/ledger/tree.h"
#include "tests/fuzz/fuzz.h"

/* A verifier has no context: the property asks for the signature by its place in the note instead. */
static int accept_all(sq_bytes message, const uint8_t signature[static 64], const uint8_t key[static 32])
{
    (void)key;
    return message.size != 0 && signature != NULL;
}

static const struct sq_note_key key = {.name = "sanquan.test/310000", .key = {1, 2, 3}};

/* The signature's bytes, by a second reading of the base64. */
static void read_signature(const char *text, uint8_t out[static 72])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t have = 0, n = 0;
    for (; *text != '=' && *text != '\n' && n < 72; text++) {
        bits = bits << 6 | (uint32_t)(strchr(alphabet, *text) - alphabet);
        if ((have += 6) >= 8)
            out[n++] = (uint8_t)(bits >> (have -= 8));
    }
}

static void note(sq_bytes text)
{
    sq_bytes body;
    uint64_t verified;
    struct sq_checkpoint c;
    struct sq_error err = {0};
    char again[2 * SQ_NOTE_SIZE_MAX];
    uint8_t blob[72];
    if (sq_note_open(text, &key, 1, accept_all, &body, &verified, &err) != SQ_OK)
        return;
    HOLDS(verified == 1 && body.data == text.data && body.size < text.size);
    const char *line = (const char *)body.data + body.size + 1, *end = (const char *)text.data + text.size;
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    if (newline + 1 == end && text.size < SQ_NOTE_SIZE_MAX) {
        const char *space = memrchr(line, ' ', (size_t)(newline - line));
        HOLDS(space != NULL);
        read_signature(space + 1, blob);
        size_t size =
            sq_note_write((const char *)body.data, body.size, key.name, key.key, blob + 4, again, sizeof again);
        HOLDS(size == text.size && memcmp(again, text.data, size) == 0);
    }
    if (sq_checkpoint_parse(body, &c, &err) == SQ_OK) {
        size_t size = sq_checkpoint_body(&c, again, sizeof again);
        HOLDS(size != 0 && size <= body.size && memcmp(again, body.data, size) == 0);
    }
}

static void note_key(sq_bytes text)
{
    struct sq_note_key k;
    struct sq_error err = {0};
    char vkey[512], id[16];
    if (text.size >= sizeof vkey)
        return;
    memcpy(vkey, text.data, text.size);
    vkey[text.size] = '\0';
    if (sq_note_key_parse(vkey, &k, &err) != SQ_OK)
        return;
    size_t name = strlen(k.name);
    snprintf(id, sizeof id, "+%08x+", sq_note_key_id(k.name, k.key));
    HOLDS(memcmp(vkey, k.name, name) == 0 && memcmp(vkey + name, id, 10) == 0 && strlen(vkey) == name + 10 + 44);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    note(sq_bytes_of(data, size));
    note_key(sq_bytes_of(data, size));
    return 0;
}
