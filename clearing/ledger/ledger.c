/*
 * Opening, creating, locking and closing.
 *
 *   absent --create--> PATH.new --rename--> empty --open--> open --a commit fails--> poisoned (reopen to learn what happened)
 *
 * Invariants while open: one writer holds PATH/writer.lock; journal and leaf table have the same last key; the file is as long as
 * LMDB's newest meta page says, and the tables are those of that page's transaction.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clearing/ledger/internal.h"

#define FORMAT "sanquan-ledger 2"
#ifdef __SANITIZE_THREAD__ /* leaves a program less room for addresses than this, and in pieces */
#define MAP_SIZE_DEFAULT (1ull << 36)
#else
#define MAP_SIZE_DEFAULT (1ull << 40)
#endif

sq_status(sq_fail_mdb)(struct sq_error *err, int rc, const char *what)
{
    sq_status st = rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT ? SQ_E_FULL
                   : rc == MDB_NOTFOUND                               ? SQ_E_NOT_FOUND
                   : rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND   ? SQ_E_CORRUPT
                                                                      : SQ_E_STORAGE;
    return sq_fail(err, st, "%s: %s", what, mdb_strerror(rc));
}

static sq_status fail_os(struct sq_error *err, const char *what, const char *path)
{
    return sq_fail(err, errno == ENOSPC ? SQ_E_FULL : SQ_E_IO, "%s %s: %s", what, path, strerror(errno));
}

/* ---- the environment ---- */

static sq_status open_env(struct sq_ledger *l, const char *path, struct sq_error *err)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (l->read_only ? MDB_RDONLY : 0u);
    int rc = mdb_env_create(&l->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(l->env, 8);
    if (rc == 0)
        rc = mdb_env_set_mapsize(l->env, l->map_size);
    if (rc == 0)
        rc = mdb_env_open(l->env, path, flags, 0600);
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
        return sq_fail(err, SQ_E_FOREIGN, "%s/data.mdb is not a ledger of this program: %s", path, mdb_strerror(rc));
    if (rc != 0)
        return sq_fail_mdb(err, rc, "open data.mdb");
    return sq_ledger_check_file(l->env, path, err);
}

static sq_status open_tables(struct sq_ledger *l, MDB_txn *txn, struct sq_error *err)
{
    const struct {
        const char *name;
        MDB_dbi *dbi;
    } tables[] = {{"journal", &l->journal}, {"leaf", &l->leaf},     {"tile", &l->tile},
                  {"answer", &l->answer},   {"outbox", &l->outbox}, {"meta", &l->meta}};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        int rc = mdb_dbi_open(txn, tables[i].name, l->read_only ? 0 : MDB_CREATE, tables[i].dbi);
        if (rc == MDB_NOTFOUND)
            return sq_fail(err, SQ_E_FOREIGN, "table %s is missing: not a ledger of this program", tables[i].name);
        if (rc != 0)
            return sq_fail_mdb(err, rc, "open table");
    }
    return SQ_OK;
}

static int put_meta(MDB_txn *txn, MDB_dbi meta, const char *key, const void *data, size_t size)
{
    char name[32];
    snprintf(name, sizeof name, "%s", key);
    union {
        const void *in;
        void *out;
    } value = {data};
    MDB_val k = {strlen(name), name}, v = {size, value.out};
    return mdb_put(txn, meta, &k, &v, 0);
}

static int meta_is(MDB_txn *txn, MDB_dbi meta, const char *key, const void *data, size_t size)
{
    char name[32];
    snprintf(name, sizeof name, "%s", key);
    MDB_val k = {strlen(name), name}, v;
    return mdb_get(txn, meta, &k, &v) == 0 && v.mv_size == size && memcmp(v.mv_data, data, size) == 0;
}

int sq_mark_transaction(MDB_txn *txn, MDB_dbi meta)
{
    uint8_t number[8];
    sq_put_be64(number, mdb_txn_id(txn));
    return put_meta(txn, meta, "transaction", number, sizeof number);
}

/* ---- create ---- */

static sq_status sync_path(const char *path, struct sq_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_os(err, "open", path);
    int rc = fsync(fd);
    close(fd);
    return rc == 0 ? SQ_OK : fail_os(err, "sync", path);
}

static sq_status sync_parent(const char *path, struct sq_error *err)
{
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        snprintf(parent, sizeof parent, ".");
    else
        slash[slash == parent ? 1 : 0] = '\0';
    return sync_path(parent, err);
}

static sq_status write_first(struct sq_ledger *l, const struct sq_ledger_options *o, const char *path,
                             struct sq_error *err)
{
    MDB_txn *txn;
    sq_status st = open_env(l, path, err);
    if (st != SQ_OK)
        return st;
    int rc = mdb_txn_begin(l->env, NULL, 0, &txn);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "begin");
    if ((st = open_tables(l, txn, err)) != SQ_OK) {
        mdb_txn_abort(txn);
        return st;
    }
    rc = put_meta(txn, l->meta, "format", FORMAT, strlen(FORMAT));
    if (rc == 0)
        rc = put_meta(txn, l->meta, "origin", o->origin, strlen(o->origin));
    if (rc == 0)
        rc = put_meta(txn, l->meta, "network", o->network_id, 32);
    if (rc == 0)
        rc = sq_mark_transaction(txn, l->meta);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return sq_fail_mdb(err, rc, "write meta");
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "commit");
}

/* What an interrupted creation left behind. */
static void remove_new(const char *path)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char file[4200];
    for (size_t i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%s", path, files[i]);
        unlink(file);
    }
    rmdir(path);
}

sq_status sq_ledger_create(const struct sq_ledger_options *o, struct sq_error *err)
{
    char fresh[4096], data[4200];
    struct stat there;
    struct sq_ledger l = {.lock_fd = -1, .map_size = o->map_size != 0 ? o->map_size : MAP_SIZE_DEFAULT};
    if (o->network_id == NULL || strlen(o->origin) == 0 || strlen(o->origin) >= sizeof l.origin)
        return sq_fail(err, SQ_E_USAGE, "a new ledger needs a network id and an origin of at most 127 bytes");
    if (stat(o->path, &there) == 0)
        return sq_fail(err, SQ_E_IO, "%s is there already", o->path);
    snprintf(fresh, sizeof fresh, "%s.new", o->path);
    snprintf(data, sizeof data, "%s/data.mdb", fresh);
    remove_new(fresh);
    if (mkdir(fresh, 0700) != 0)
        return fail_os(err, "create", fresh);
    sq_status st = write_first(&l, o, fresh, err);
    if (l.env != NULL)
        mdb_env_close(l.env);
    if (st == SQ_OK)
        st = sync_path(data, err);
    if (st == SQ_OK)
        st = sync_path(fresh, err);
    if (st == SQ_OK && rename(fresh, o->path) != 0)
        st = fail_os(err, "rename to", o->path);
    return st == SQ_OK ? sync_parent(o->path, err) : st;
}

/* ---- open ---- */

static sq_status take_lock(struct sq_ledger *l, struct sq_error *err)
{
    char path[4200];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(path, sizeof path, "%s/writer.lock", l->path);
    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0)
        return fail_os(err, "open", path);
    if (fcntl(l->lock_fd, F_OFD_SETLK, &whole) != 0)
        return sq_fail(err, SQ_E_LOCKED, "%s is in use by another daemon", l->path);
    return SQ_OK;
}

static uint64_t last_key(MDB_txn *txn, MDB_dbi dbi, int *rc)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    uint64_t seq = 0;
    *rc = mdb_cursor_open(txn, dbi, &cursor);
    if (*rc != 0)
        return 0;
    *rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
    if (*rc == 0 && k.mv_size == 8)
        seq = sq_get_be64(k.mv_data);
    else if (*rc == MDB_NOTFOUND)
        *rc = 0;
    mdb_cursor_close(cursor);
    return seq;
}

sq_status sq_ledger_last(const struct sq_ledger *l, MDB_txn *txn, uint64_t *seq, struct sq_error *err)
{
    int rc;
    *seq = last_key(txn, l->journal, &rc);
    return rc == 0 ? SQ_OK : sq_fail_mdb(err, rc, "find the last entry");
}

static sq_status check_meta(struct sq_ledger *l, MDB_txn *txn, const struct sq_ledger_options *o, struct sq_error *err)
{
    char name[] = "origin", copying[] = "copying";
    MDB_val k = {strlen(name), name}, copying_key = {strlen(copying), copying}, v;
    if (!meta_is(txn, l->meta, "format", FORMAT, strlen(FORMAT)))
        return sq_fail(err, SQ_E_FOREIGN, "%s has another format than %s", l->path, FORMAT);
    if (o->network_id != NULL && !meta_is(txn, l->meta, "network", o->network_id, 32))
        return sq_fail(err, SQ_E_FOREIGN, "%s belongs to another network", l->path);
    if (!o->unfinished && mdb_get(txn, l->meta, &copying_key, &v) == 0)
        return v.mv_size >= 8 && sq_get_be64(v.mv_data) != 0
                   ? sq_fail(err, SQ_E_STORAGE,
                             "%s is a copy that is not whole: bringing it up to date broke off. 'sanquan backup' goes "
                             "on with it; "
                             "'sanquan backup --undo --to %s' takes it back to the %" PRIu64 " entries it had before",
                             l->path, l->path, sq_get_be64(v.mv_data))
                   : sq_fail(err, SQ_E_STORAGE, "%s is a copy that is not whole yet: let 'sanquan backup' finish it",
                             l->path);
    if (mdb_get(txn, l->meta, &k, &v) != 0 || v.mv_size >= sizeof l->origin)
        return sq_fail(err, SQ_E_FOREIGN, "%s has no origin", l->path);
    memcpy(l->origin, v.mv_data, v.mv_size);
    l->is_copy = meta_is(txn, l->meta, "copy", "1", 1);
    if (o->origin != NULL && strcmp(o->origin, l->origin) != 0)
        return sq_fail(err, SQ_E_FOREIGN, "%s is the ledger of %s, not of %s", l->path, l->origin, o->origin);
    return SQ_OK;
}

int sq_ledger_is_copy(const struct sq_ledger *l)
{
    return l->is_copy;
}

/* The tables that LMDB found are those of the file's newest transaction. A writer's own has the number after it. */
static sq_status check_transaction(const struct sq_ledger *l, MDB_txn *txn, struct sq_error *err)
{
    uint8_t newest[8];
    sq_put_be64(newest, mdb_txn_id(txn) - (l->read_only ? 0 : 1));
    return meta_is(txn, l->meta, "transaction", newest, sizeof newest)
               ? SQ_OK
               : sq_fail(err, SQ_E_CORRUPT,
                         "%s: its tables are not those of its last transaction; restore it from a backup", l->path);
}

/*
 * A row of the outbox that is lost leaves a peer waiting for ever: numbers are without a gap, as many as LMDB counts, and each is found by its
 * key, as who sends it looks for it. (Walking does not see that a page says it has fewer rows than lie in it.)
 */
static sq_status check_outbox(const struct sq_ledger *l, MDB_txn *txn, struct sq_error *err)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    MDB_stat rows;
    uint8_t next[12] = {0};
    uint64_t count = 0;
    int whole = 1;
    int rc = mdb_stat(txn, l->outbox, &rows);
    if (rc == 0)
        rc = mdb_cursor_open(txn, l->outbox, &cursor);
    if (rc != 0)
        return sq_fail_mdb(err, rc, "open outbox");
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST); rc == 0 && whole && count <= rows.ms_entries; count++) {
        whole = k.mv_size == sizeof next &&
                (count == 0 || memcmp(k.mv_data, next, 4) > 0 || memcmp(k.mv_data, next, sizeof next) == 0);
        if (whole) {
            memcpy(next, k.mv_data, sizeof next);
            whole = mdb_get(txn, l->outbox, &k, &v) == 0;
            sq_put_be64(next + 4, sq_get_be64(next + 4) + 1);
            rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return sq_fail_mdb(err, rc, "read outbox");
    return whole && count == rows.ms_entries
               ? SQ_OK
               : sq_fail(err, SQ_E_CORRUPT, "%s: messages are missing in its outbox; restore it from a backup",
                         l->path);
}

static sq_status load(struct sq_ledger *l, const struct sq_ledger_options *o, struct sq_error *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(l->env, NULL, l->read_only ? MDB_RDONLY : 0, &txn), dead = 0;
    if (rc != 0)
        return sq_fail_mdb(err, rc, "begin");
    sq_status st = open_tables(l, txn, err);
    if (st == SQ_OK)
        st = check_meta(l, txn, o, err);
    if (st == SQ_OK)
        st = check_transaction(l, txn, err);
    if (st == SQ_OK)
        st = sq_ledger_last(l, txn, &l->seq, err);
    l->seq_at_open = l->seq;
    if (st == SQ_OK) {
        uint64_t leaves = last_key(txn, l->leaf, &rc);
        MDB_stat entries;
        mdb_stat(txn, l->journal, &entries);
        if (rc != 0 || leaves != l->seq || entries.ms_entries != l->seq)
            st = sq_fail(err, SQ_E_CORRUPT,
                         "%s: journal ends at %" PRIu64 " with %zu entries, leaf records at %" PRIu64
                         "; restore it from a backup",
                         l->path, l->seq, entries.ms_entries, leaves);
    }
    if (st == SQ_OK && !o->unfinished) /* a copy's outbox is filled last, and whole only then */
        st = check_outbox(l, txn, err);
    if (st == SQ_OK)
        st = sq_edge_load(l, txn, l->seq, &l->edge, err);
    if (st == SQ_OK)
        rc = mdb_txn_commit(txn); /* keeps the table handles */
    else
        mdb_txn_abort(txn);
    mdb_reader_check(l->env, &dead);
    return st == SQ_OK && rc != 0 ? sq_fail_mdb(err, rc, "commit") : st;
}

sq_status sq_ledger_open(const struct sq_ledger_options *o, struct sq_ledger **out, struct sq_error *err)
{
    struct stat there;
    struct sq_ledger *l;
    if (stat(o->path, &there) != 0)
        return sq_fail(err, SQ_E_NOT_FOUND, "no ledger at %s", o->path);
    l = calloc(1, sizeof *l);
    if (l == NULL)
        return sq_fail(err, SQ_E_NOMEM, "ledger");
    l->lock_fd = -1;
    l->read_only = o->read_only;
    l->map_size = o->map_size != 0 ? o->map_size : MAP_SIZE_DEFAULT;
    l->path = strdup(o->path);
    pthread_mutex_init(&l->mutex, NULL);
    sq_status st = l->path == NULL ? sq_fail(err, SQ_E_NOMEM, "ledger") : l->read_only ? SQ_OK : take_lock(l, err);
    if (st == SQ_OK)
        st = open_env(l, l->path, err);
    if (st == SQ_OK)
        st = load(l, o, err);
    if (st != SQ_OK) {
        sq_ledger_close(l);
        return st;
    }
    *out = l;
    return SQ_OK;
}

void sq_ledger_close(struct sq_ledger *l)
{
    if (l == NULL)
        return;
    if (l->env != NULL)
        mdb_env_close(l->env);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    pthread_mutex_destroy(&l->mutex);
    free(l->path);
    free(l);
}

const char *sq_ledger_origin(const struct sq_ledger *l)
{
    return l->origin;
}

void sq_ledger_housekeep(struct sq_ledger *l)
{
    int dead = 0;
    mdb_reader_check(l->env, &dead);
}

unsigned sq_ledger_free_permille(const struct sq_ledger *l)
{
    struct statvfs disk;
    MDB_envinfo info;
    MDB_stat stat_of;
    mdb_env_info(l->env, &info);
    mdb_env_stat(l->env, &stat_of);
    uint64_t used = ((uint64_t)info.me_last_pgno + 1) * stat_of.ms_psize;
    uint64_t map_free = used >= info.me_mapsize ? 0 : (info.me_mapsize - used) / (info.me_mapsize / 1000 + 1);
    uint64_t disk_free =
        statvfs(l->path, &disk) != 0 || disk.f_blocks == 0 ? 0 : (uint64_t)disk.f_bavail * 1000 / disk.f_blocks;
    return (unsigned)(map_free < disk_free ? map_free : disk_free);
}
