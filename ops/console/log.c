/*
 * The transparency log over HTTP, for tools that are there already. No token: there is no business data in the tree.
 *
 *   /checkpoint                           the newest signed note
 *   /tile/L/N and /tile/L/N.p/W           hashes, 32 bytes each
 *   /tile/entries/N and /tile/entries/N.p/W   leaf records, each behind its length (be16)
 *
 * N is in groups of three digits, all but the last with an x: x001/x234/067.
 * Source: C2SP tlog-tiles.md, tlog-checkpoint.md.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/console/console.h"

#define TILE_WIDTH 256u

/* "x001/x234/067", then the end or ".p/": 0 when it is spelled otherwise. */
static int read_index(const char **text, uint64_t *out)
{
    const char *p = *text;
    uint64_t n = 0;
    for (int groups = 0; groups < 6; groups++) {
        int more = *p == 'x';
        p += more;
        for (int i = 0; i < 3; i++, p++) {
            if (*p < '0' || *p > '9')
                return 0;
            n = n * 10 + (uint64_t)(*p - '0');
        }
        if (groups == 0 && more && n == 0)
            return 0; /* a leading x000 is not the one spelling of the number */
        if (!more) {
            *text = p;
            *out = n;
            return 1;
        }
        if (*p++ != '/')
            return 0;
    }
    return 0;
}

static int read_width(const char *text, unsigned *width)
{
    *width = TILE_WIDTH;
    if (*text == '\0')
        return 1;
    if (strncmp(text, ".p/", 3) != 0 || text[3] < '1' || text[3] > '9' ||
        strspn(text + 3, "0123456789") != strlen(text + 3) || strlen(text + 3) > 3)
        return 0;
    *width = (unsigned)strtoul(text + 3, NULL, 10);
    return *width < TILE_WIDTH;
}

static sq_status checkpoint(const struct sq_console *c, struct sq_reply *out, struct sq_error *err)
{
    struct sq_arena arena;
    sq_bytes note;
    uint64_t size;
    sq_status st = sq_arena_init(&arena, 1u << 16, err);
    if (st != SQ_OK)
        return st;
    st = sq_ledger_checkpoint(c->archive.ledger, &arena, &note, &size, err);
    char *copy = st == SQ_OK ? malloc(note.size + 1) : NULL;
    if (st == SQ_OK && copy == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "checkpoint");
    if (st == SQ_OK) {
        memcpy(copy, note.data, note.size);
        sq_reply_text(out, "text/plain; charset=utf-8", copy, note.size);
    }
    sq_arena_free(&arena);
    return st;
}

static sq_status hashes(const struct sq_console *c, unsigned level, uint64_t n, unsigned width, struct sq_reply *out,
                        struct sq_error *err)
{
    uint8_t *data = malloc((size_t)width * SQ_HASH_SIZE);
    if (data == NULL)
        return sq_fail(err, SQ_E_NOMEM, "tile");
    sq_status st = sq_ledger_tile(c->archive.ledger, level, n, width, data, err);
    if (st == SQ_OK)
        sq_reply_text(out, "application/octet-stream", (char *)data, (size_t)width * SQ_HASH_SIZE);
    else
        free(data);
    return st;
}

static sq_status entries(const struct sq_console *c, uint64_t n, unsigned width, struct sq_reply *out,
                         struct sq_error *err)
{
    size_t one = 2 + SQ_LEAF_SIZE;
    uint8_t *data = malloc(width * one);
    sq_status st = data == NULL ? sq_fail(err, SQ_E_NOMEM, "entries") : SQ_OK;
    if (st == SQ_OK && n * TILE_WIDTH + width > sq_ledger_seq(c->archive.ledger))
        st = sq_fail(err, SQ_E_NOT_FOUND, "entries %" PRIu64 " of width %u", n, width);
    for (unsigned i = 0; st == SQ_OK && i < width; i++) {
        sq_put_be16(data + i * one, SQ_LEAF_SIZE);
        st = sq_ledger_leaf(c->archive.ledger, n * TILE_WIDTH + i + 1, data + i * one + 2, err);
    }
    if (st == SQ_OK)
        sq_reply_text(out, "application/octet-stream", (char *)data, width * one);
    else
        free(data);
    return st;
}

static sq_status tile(const struct sq_console *c, const char *path, struct sq_reply *out, struct sq_error *err)
{
    uint64_t n;
    unsigned width, level = 0;
    int of_entries = strncmp(path, "entries/", 8) == 0;
    if (of_entries)
        path += 8;
    else if (path[0] >= '0' && path[0] <= '7' && path[1] == '/')
        level = (unsigned)(path[0] - '0'), path += 2;
    else
        return sq_fail(err, SQ_E_NOT_FOUND, "no such tile");
    if (!read_index(&path, &n) || !read_width(path, &width) || n > UINT64_MAX / TILE_WIDTH / 2)
        return sq_fail(err, SQ_E_NOT_FOUND, "no such tile");
    sq_status st = of_entries ? entries(c, n, width, out, err) : hashes(c, level, n, width, out, err);
    out->cacheable = st == SQ_OK; /* a tile never changes; a partial one only grows under another name */
    return st;
}

int sq_log_answer(struct sq_console *c, const char *path, struct sq_reply *out)
{
    struct sq_error err = {0};
    sq_status st;
    if (strcmp(path, "/checkpoint") == 0)
        st = checkpoint(c, out, &err);
    else if (strncmp(path, "/tile/", 6) == 0)
        st = tile(c, path + 6, out, &err);
    else
        return 0;
    if (st == SQ_E_NOT_FOUND)
        sq_reply_error(out, 404, sq_status_name(st), err.text);
    else if (st != SQ_OK)
        sq_reply_error(out, 500, sq_status_name(st), err.text);
    return 1;
}
