/* Anchors of a journal, and the files that they anchor. A file is read once for each generation that it could be. */
#include "ops/common/anchors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/sanquan.pb-c.h"

struct row {
    char name[64];
    uint64_t size, entry;
    uint8_t hash[SQ_HASH_SIZE];
    uint32_t generation;
    uint8_t met, given; /* met: by a file; given: a file of this name was checked */
};

static struct row *row_at(const struct sq_anchors *a, uint32_t i)
{
    return SQ_ROW(&a->rows, struct row, i);
}

void sq_anchors_begin(struct sq_anchors *a)
{
    a->rows = SQ_TABLE_OF(struct row);
}

void sq_anchors_end(struct sq_anchors *a)
{
    sq_table_free(&a->rows);
}

sq_status sq_anchors_note(struct sq_anchors *a, const struct sq_entry *entry, struct sq_error *err)
{
    if (entry->type != SANQUAN__V1__MESSAGE_TYPE__ANCHOR)
        return SQ_OK;
    Sanquan__V1__Anchor *m = sanquan__v1__anchor__unpack(NULL, entry->input.size, entry->input.data);
    struct row *r = m != NULL ? sq_table_add(&a->rows, NULL) : NULL;
    int good = r != NULL && strlen(m->name) < sizeof r->name && m->hash.len == sizeof r->hash;
    if (good) {
        memcpy(r->name, m->name, strlen(m->name) + 1);
        r->size = m->size;
        r->entry = entry->seq;
        r->generation = m->generation;
        memcpy(r->hash, m->hash.data, sizeof r->hash);
    }
    if (m != NULL)
        sanquan__v1__anchor__free_unpacked(m, NULL);
    return good ? SQ_OK : sq_fail(err, r == NULL ? SQ_E_NOMEM : SQ_E_FORMAT, "anchor in entry %" PRIu64, entry->seq);
}

/* Up to `size` bytes of the file into the hash; how many there were. */
static uint64_t hash_on(FILE *f, uint64_t size, struct sq_sha256 *hash)
{
    uint8_t data[65536];
    uint64_t done = 0;
    while (done < size) {
        size_t want = size - done < sizeof data ? (size_t)(size - done) : sizeof data, n = fread(data, 1, want, f);
        if (n == 0)
            break;
        sq_sha256_add(hash, data, n);
        done += n;
    }
    return done;
}

/* The first anchor of this name and generation that the file does not meet; NULL: it meets all. */
static const struct row *first_unmet(struct sq_anchors *a, FILE *f, const char *name, uint32_t generation,
                                     int *too_short)
{
    struct sq_sha256 hash;
    uint64_t done = 0;
    rewind(f);
    sq_sha256_begin(&hash);
    for (uint32_t i = 0; i < a->rows.count; i++) {
        struct row *r = row_at(a, i);
        struct sq_sha256 copy;
        uint8_t now[SQ_HASH_SIZE];
        if (strcmp(r->name, name) != 0 || r->generation != generation)
            continue;
        done += hash_on(f, r->size - done, &hash);
        copy = hash;
        sq_sha256_end(&copy, now);
        *too_short = done < r->size;
        if (*too_short || memcmp(now, r->hash, sizeof now) != 0)
            return r;
    }
    return NULL;
}

static uint64_t mark_met(struct sq_anchors *a, const char *name, uint32_t generation)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < a->rows.count; i++) {
        struct row *r = row_at(a, i);
        if (strcmp(r->name, name) == 0 && r->generation == generation) {
            r->met = 1;
            n++;
        }
    }
    return n;
}

sq_status sq_anchors_check(struct sq_anchors *a, const char *path, uint64_t *held_out, struct sq_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const struct row *unmet = NULL;
    uint32_t generations = 0;
    int too_short = 0;
    for (uint32_t i = 0; i < a->rows.count; i++)
        if (strcmp(row_at(a, i)->name, name) == 0) {
            row_at(a, i)->given = 1;
            generations = row_at(a, i)->generation;
        }
    if (generations == 0)
        return sq_fail(err, SQ_E_NOT_FOUND, "the journal anchors no log that is called %.63s", name);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return sq_fail(err, SQ_E_IO, "open %.200s: %s", path, strerror(errno));
    for (uint32_t g = generations; g >= 1; g--) {
        int is_short = 0;
        const struct row *r = first_unmet(a, f, name, g, &is_short);
        if (r == NULL) {
            fclose(f);
            *held_out = mark_met(a, name, g);
            return SQ_OK;
        }
        if (unmet == NULL) {
            unmet = r;
            too_short = is_short;
        }
    }
    fclose(f);
    return sq_fail(err, SQ_E_VERIFY,
                   too_short
                       ? "%.200s is shorter than the %" PRIu64 " bytes that entry %" PRIu64 " of the journal anchors"
                       : "%.200s: its first %" PRIu64 " bytes are not what entry %" PRIu64 " of the journal anchors",
                   path, unmet->size, unmet->entry);
}

sq_status sq_anchors_whole(const struct sq_anchors *a, struct sq_error *err)
{
    for (uint32_t i = 0; i < a->rows.count; i++) {
        const struct row *r = row_at(a, i);
        if (r->given && !r->met)
            return sq_fail(err, SQ_E_VERIFY,
                           "%.63s was begun anew after entry %" PRIu64
                           " had anchored its generation %u: no file that was given is that one",
                           r->name, r->entry, r->generation);
    }
    return SQ_OK;
}
