/*
 * What people write in YAML: a programme ('p' first) or a directory ('d'). What is read out of it is a message that a node would take: it
 * packs into canonical bytes.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "ops/common/programme_yaml.h"
#include "peers/directory.h"
#include "tests/fuzz/fuzz.h"

static void is_canonical(const ProtobufCMessage *message, struct fuzz_memory *m)
{
    struct sq_wire_memory memory = {fuzz_take, m};
    struct sq_error err = {0};
    sq_bytes bytes;
    HOLDS(sq_wire_pack(message, &memory, &bytes, &err) == SQ_OK);
    if (sq_wire_check(message->descriptor, bytes, &err) != SQ_OK) {
        fprintf(stderr, "%s\n", err.text);
        HOLDS(!"what was read is canonical");
    }
}

static void programme(sq_bytes text, struct fuzz_memory *m)
{
    Sanquan__V1__Programme *p = NULL;
    struct sq_error err = {0};
    char path[64];
    int fd = memfd_create("programme", MFD_CLOEXEC);
    HOLDS(fd >= 0 && write(fd, text.data, text.size) == (ssize_t)text.size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    sq_status st = sq_programme_read(path, &m->arena, &p, &err);
    close(fd);
    HOLDS(st == SQ_OK || (err.text[0] != '\0' && p == NULL));
    if (st == SQ_OK)
        is_canonical(&p->base, m);
}

static void directory(sq_bytes text, struct fuzz_memory *m)
{
    struct sq_directory *d = NULL;
    const Sanquan__V1__Genesis *g;
    struct sq_error err = {0};
    sq_status st = sq_directory_parse(text, "directory", &d, &err);
    HOLDS(st == SQ_OK || (err.text[0] != '\0' && d == NULL));
    if (st != SQ_OK)
        return;
    g = sq_directory_members(d);
    HOLDS(g->n_nodes > 0);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const Sanquan__V1__Genesis *own;
        HOLDS(sq_directory_genesis(d, g->nodes[i]->code, &own, &err) == SQ_OK);
        is_canonical(&own->base, m);
    }
    sq_directory_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_memory m;
    if (size < 2 || size > 65536 || sq_crypto_init(NULL) != SQ_OK)
        return 0;
    fuzz_begin(&m, 1u << 20);
    if (data[0] == 'p')
        programme(sq_bytes_of(data + 1, size - 1), &m);
    else if (data[0] == 'd')
        directory(sq_bytes_of(data + 1, size - 1), &m);
    sq_arena_free(&m.arena);
    return 0;
}
