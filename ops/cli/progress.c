#include "ops/cli/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/cli/cli.h"
#include "peers/crypto.h"

struct sq_progress {
    char *path;
    int fd;
    uint64_t line, size; /* lines and bytes that are durable */
    struct sq_chunk *chunks;
    uint64_t count, capacity;
    uint64_t marks[SQ_PROGRESS_MARKS];
    int ended;
};

/* ---- writing ---- */

static sq_status fail_os(const struct sq_progress *p, const char *what, struct sq_error *err)
{
    return sq_fail(err, SQ_E_IO, "%s %s: %s", what, p->path, strerror(errno));
}

/* One line, durable; takes the reference. A line that could not be written whole is taken back. */
static sq_status put_line(struct sq_progress *p, json_t *object, struct sq_error *err)
{
    char *text = sq_need(json_dumps(sq_need(object), JSON_COMPACT));
    size_t size = strlen(text);
    json_decref(object);
    text[size++] = '\n'; /* over the NUL */
    sq_status st = SQ_OK;
    if (pwrite(p->fd, text, size, (off_t)p->size) != (ssize_t)size || fdatasync(p->fd) != 0) {
        st = fail_os(p, "write", err);
        if (ftruncate(p->fd, (off_t)p->size) != 0)
            st = fail_os(p, "write", err);
    } else {
        p->size += size;
        p->line++;
    }
    free(text);
    return st;
}

static json_t *hex_json(const uint8_t hash[static SQ_HASH_SIZE])
{
    char hex[2 * SQ_HASH_SIZE + 1];
    sq_hex(hash, SQ_HASH_SIZE, hex);
    return json_string(hex);
}

static json_t *head_json(const struct sq_progress_head *h)
{
    return json_pack("{s:i, s:s, s:o, s:s, s:s, s:o, s:s}", "sanquan_progress", 1, "command", h->command, "network_id",
                     hex_json(h->network_id), "node", h->node, "sender", h->sender, "input_sha256",
                     hex_json(h->input_hash), "options", h->options);
}

/* The new file's name must survive a crash too. */
static sq_status sync_parent(const struct sq_progress *p, struct sq_error *err)
{
    char *copy = sq_need(strdup(p->path));
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    int failed = fd < 0 || fsync(fd) != 0;
    if (fd >= 0)
        close(fd);
    return failed ? fail_os(p, "sync the directory of", err) : SQ_OK;
}

static json_t *refused_json(const uint32_t refused[static 256])
{
    json_t *o = json_object();
    char code[8];
    for (unsigned i = 0; i < 256; i++)
        if (refused[i] != 0) {
            snprintf(code, sizeof code, "%u", i);
            json_object_set_new(o, code, json_integer(refused[i]));
        }
    return o;
}

static json_t *chunk_json(uint64_t n, const struct sq_chunk *c)
{
    switch (c->state) {
    case SQ_CHUNK_SENT:
        return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "chunk", (json_int_t)n, "id", (json_int_t)c->id,
                         "sent_at_ms", (json_int_t)c->sent_at_ms, "first_line", (json_int_t)c->first_line, "rows",
                         (json_int_t)c->rows, "note", (json_int_t)c->note, "body_sha256", hex_json(c->body_hash));
    case SQ_CHUNK_ANSWERED:
        return json_pack("{s:I, s:I, s:I, s:I, s:o, s:[I, I]}", "answered", (json_int_t)n, "seq", (json_int_t)c->seq,
                         "accepted", (json_int_t)c->accepted, "amount_fen", (json_int_t)c->amount_fen, "refused",
                         refused_json(c->refused), "marks", (json_int_t)c->marks[0], (json_int_t)c->marks[1]);
    case SQ_CHUNK_REFUSED:
        return json_pack("{s:I, s:i}", "refused", (json_int_t)n, "status", (int)c->status);
    case SQ_CHUNK_NONE:
        break;
    }
    return NULL;
}

static int may_become(enum sq_chunk_state from, enum sq_chunk_state to)
{
    switch (to) {
    case SQ_CHUNK_SENT:
        return from != SQ_CHUNK_ANSWERED;
    case SQ_CHUNK_ANSWERED:
    case SQ_CHUNK_REFUSED:
        return from == SQ_CHUNK_SENT;
    case SQ_CHUNK_NONE:
        break;
    }
    return 0;
}

static struct sq_chunk *chunk_at(struct sq_progress *p, uint64_t n)
{
    if (n > p->count)
        return NULL;
    if (n == p->capacity) {
        p->capacity = p->capacity == 0 ? 16 : p->capacity * 2;
        p->chunks = sq_need(realloc(p->chunks, p->capacity * sizeof *p->chunks));
    }
    if (n == p->count)
        p->chunks[p->count++] = (struct sq_chunk){0};
    return &p->chunks[n];
}

static void take_chunk(struct sq_progress *p, struct sq_chunk *to, const struct sq_chunk *c)
{
    *to = *c;
    if (c->state == SQ_CHUNK_ANSWERED)
        memcpy(p->marks, c->marks, sizeof p->marks);
}

sq_status sq_progress_record(struct sq_progress *p, uint64_t n, const struct sq_chunk *c, struct sq_error *err)
{
    const struct sq_chunk *before = sq_progress_chunk(p, n);
    SQ_ASSERT(n <= p->count && may_become(before != NULL ? before->state : SQ_CHUNK_NONE, c->state));
    sq_status st = put_line(p, chunk_json(n, c), err);
    if (st == SQ_OK)
        take_chunk(p, chunk_at(p, n), c);
    return st;
}

sq_status sq_progress_end(struct sq_progress *p, struct sq_error *err)
{
    sq_status st = p->ended ? SQ_OK : put_line(p, json_pack("{s:i}", "end", 1), err);
    p->ended = st == SQ_OK;
    return st;
}

/* ---- reading ---- */

static int take_u64(const json_t *o, const char *key, uint64_t *out)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return 0;
    *out = (uint64_t)json_integer_value(v);
    return 1;
}

static int take_sent(const json_t *o, struct sq_chunk *c)
{
    const char *hash = json_string_value(json_object_get(o, "body_sha256"));
    c->state = SQ_CHUNK_SENT;
    return take_u64(o, "id", &c->id) && take_u64(o, "sent_at_ms", &c->sent_at_ms) &&
           take_u64(o, "first_line", &c->first_line) && take_u64(o, "rows", &c->rows) &&
           take_u64(o, "note", &c->note) && hash != NULL && sq_unhex(hash, c->body_hash, SQ_HASH_SIZE, NULL) == SQ_OK;
}

static int take_answered(json_t *o, struct sq_chunk *c)
{
    json_t *refused = json_object_get(o, "refused"), *value;
    const json_t *marks = json_object_get(o, "marks");
    const char *code;
    c->state = SQ_CHUNK_ANSWERED;
    c->amount_fen = json_integer_value(json_object_get(o, "amount_fen"));
    for (size_t i = 0; i < SQ_PROGRESS_MARKS; i++)
        c->marks[i] = (uint64_t)json_integer_value(json_array_get(marks, i));
    json_object_foreach(refused, code, value)
    {
        unsigned long n = strtoul(code, NULL, 10);
        if (n > 255)
            return 0;
        c->refused[n] = (uint32_t)json_integer_value(value);
    }
    return take_u64(o, "seq", &c->seq) && take_u64(o, "accepted", &c->accepted) && json_is_object(refused);
}

static int take_line(struct sq_progress *p, json_t *o)
{
    static const char *const names[] = {
        [SQ_CHUNK_SENT] = "chunk", [SQ_CHUNK_ANSWERED] = "answered", [SQ_CHUNK_REFUSED] = "refused"};
    uint64_t n, status = 0;
    if (json_object_get(o, "end") != NULL) {
        p->ended = 1;
        return 1;
    }
    unsigned kind = SQ_CHUNK_SENT;
    while (kind <= SQ_CHUNK_REFUSED &&
           !json_is_integer(json_object_get(o, names[kind]))) /* in "answered", "refused" is an object */
        kind++;
    if (kind > SQ_CHUNK_REFUSED || !take_u64(o, names[kind], &n))
        return 0;
    struct sq_chunk *to = chunk_at(p, n), c;
    if (to == NULL || !may_become(to->state, (enum sq_chunk_state)kind))
        return 0;
    c = *to;
    c.state = (enum sq_chunk_state)kind;
    int ok = kind == SQ_CHUNK_SENT       ? take_sent(o, &c)
             : kind == SQ_CHUNK_ANSWERED ? take_answered(o, &c)
                                         : take_u64(o, "status", &status);
    c.status = (unsigned)status;
    if (ok)
        take_chunk(p, to, &c);
    return ok;
}

/* Which part of the head is another's? NULL: none. */
static const char *differing(json_t *was, json_t *is)
{
    const char *key;
    json_t *value;
    json_object_foreach(is, key, value)
    {
        if (!json_equal(value, json_object_get(was, key)))
            return key;
    }
    return NULL;
}

static sq_status check_head(const struct sq_progress *p, json_t *was, const struct sq_progress_head *head,
                            struct sq_error *err)
{
    json_t *is = sq_need(head_json(head));
    const char *key = differing(was, is);
    sq_status st = SQ_OK;
    if (key != NULL && strcmp(key, "input_sha256") == 0)
        st = sq_fail(err, SQ_E_USAGE, _("the input has changed since %s was begun: bring back the file that was sent"),
                     p->path);
    else if (key != NULL)
        st = sq_fail(err, SQ_E_USAGE, _("%s was begun with another %s: \"%.60s\", not \"%.60s\""), p->path, key,
                     json_string_value(json_object_get(was, key)), json_string_value(json_object_get(is, key)));
    json_decref(is);
    return st;
}

static sq_status take_text(struct sq_progress *p, const char *text, size_t size, const struct sq_progress_head *head,
                           struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (size_t at = 0; st == SQ_OK && at < size;) {
        const char *line = text + at, *end = memchr(line, '\n', size - at);
        if (end == NULL)
            break; /* its writer never knew it durable, so did nothing with it */
        json_t *o = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        p->line++;
        if (o == NULL || (p->line > 1 && !take_line(p, o)))
            st = sq_fail(err, SQ_E_FORMAT, _("%s:%" PRIu64 ": not a line of a progress file"), p->path, p->line);
        else if (p->line == 1)
            st = check_head(p, o, head, err);
        json_decref(o);
        at += (size_t)(end - line) + 1;
        p->size = at;
    }
    return st;
}

static sq_status read_file(struct sq_progress *p, const struct sq_progress_head *head, struct sq_error *err)
{
    struct stat file;
    if (fstat(p->fd, &file) != 0)
        return fail_os(p, "read", err);
    size_t size = (size_t)file.st_size;
    char *text = sq_need(malloc(size + 1));
    sq_status st =
        pread(p->fd, text, size, 0) == (ssize_t)size ? take_text(p, text, size, head, err) : fail_os(p, "read", err);
    free(text);
    if (st == SQ_OK && p->size != size && ftruncate(p->fd, (off_t)p->size) != 0)
        st = fail_os(p, "cut", err);
    if (st == SQ_OK && p->line == 0) {
        st = put_line(p, head_json(head), err);
        if (st == SQ_OK)
            st = sync_parent(p, err);
    }
    return st;
}

sq_status sq_progress_open(const char *input_path, const struct sq_progress_head *head, struct sq_progress **out,
                           struct sq_error *err)
{
    struct sq_progress *p = sq_need(calloc(1, sizeof *p));
    if (asprintf(&p->path, "%s.progress", input_path) < 0)
        p->path = sq_need(NULL);
    p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    sq_status st = SQ_OK;
    if (p->fd < 0)
        st = sq_fail(err, SQ_E_IO, _("cannot keep %s, which makes a broken-off run go on: %s"), p->path,
                     strerror(errno));
    else if (flock(p->fd, LOCK_EX | LOCK_NB) != 0)
        st = errno == EWOULDBLOCK ? sq_fail(err, SQ_E_LOCKED, "%s", p->path) : fail_os(p, "lock", err);
    if (st == SQ_OK)
        st = read_file(p, head, err);
    if (st == SQ_OK)
        *out = p;
    else
        sq_progress_close(p);
    return st;
}

void sq_progress_close(struct sq_progress *p)
{
    if (p == NULL)
        return;
    if (p->fd >= 0)
        close(p->fd);
    free(p->path);
    free(p->chunks);
    free(p);
}

uint64_t sq_progress_chunks(const struct sq_progress *p)
{
    return p->count;
}
const struct sq_chunk *sq_progress_chunk(const struct sq_progress *p, uint64_t n)
{
    return n < p->count ? &p->chunks[n] : NULL;
}
int sq_progress_ended(const struct sq_progress *p)
{
    return p->ended;
}
void sq_progress_marks(const struct sq_progress *p, uint64_t marks[static SQ_PROGRESS_MARKS])
{
    memcpy(marks, p->marks, sizeof p->marks);
}
