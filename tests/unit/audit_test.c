/* The audit, over ledgers that real keys made: a good one passes, and whatever its own operator or its disk has done to it is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/common/audit.h"
#include "ops/common/books.h"
#include "ops/common/replay.h"
#include "proto/sanquan.pb-c.h"
#include "tests/support/desk.h"
#include "tests/support/random.h"

struct story {
    char dir[64];
    struct desk *d;
    struct desk_people p[3]; /* at Shanghai: own voucher, Guangdong's; at Guangdong: Shanghai's */
};

static int begin(void **state)
{
    struct story *s = calloc(1, sizeof *s);
    s->d = desk_new_in(s->dir, "audit", 3);
    desk_people(s->d, 0, 0, 0, &s->p[0]);
    desk_people(s->d, 0, 2, 1, &s->p[1]);
    desk_people(s->d, 2, 0, 2, &s->p[2]);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct story *s = *state;
    for (int i = 0; i < 3; i++)
        desk_people_free(&s->p[i]);
    desk_free(s->d);
    desk_clear(s->dir);
    free(s);
    return 0;
}

/* Some business: every kind, across regions, refusals among it, two windows, one of them settled. */
static void trade(struct story *s)
{
    const int64_t some[] = {100, 20000, 3000000}, too_much[] = {500, 60000000};
    assert_int_equal(desk_redeem(s->d, &s->p[0], 1, some, 3), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->p[1], 11, some, 3), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->p[2], 21, some, 2), SQ_OK);
    assert_int_equal(desk_redeem(s->d, &s->p[1], 31, too_much, 2), SQ_OK);
    assert_int_equal(s->d->code[1], SQ_R_CAP_CLAIM);
    desk_settle(s->d, 1);
    assert_int_equal(desk_redeem(s->d, &s->p[2], 41, too_much, 1), SQ_OK);
    desk_settle(s->d, 0);
}

static sq_status audit_at(const struct story *s, const char *path, struct sq_audit_report *r, struct sq_error *err)
{
    struct sq_audit_options o = {
        .path = path, .directory = s->d->rig->directory, .threads = 2, .map_size = DESK_MAP_SIZE};
    struct sq_audit *a;
    memset(r, 0, sizeof *r);
    memset(err, 0, sizeof *err);
    sq_status st = sq_audit_open(&o, &a, err);
    if (st != SQ_OK)
        return st;
    st = sq_audit_run(a, r, err);
    sq_audit_free(a);
    return st;
}

static void audit_finds(const struct story *s, uint32_t node, const char *words, uint64_t entry)
{
    struct sq_audit_report r;
    struct sq_error err;
    sq_status st = audit_at(s, s->d->rig->node[node].ledger, &r, &err);
    if (st == SQ_OK || strstr(err.text, words) == NULL || r.bad_entry != entry)
        fail_msg("%s (%s) at entry %" PRIu64 "; wanted '%s' at %" PRIu64, err.text, sq_status_name(st), r.bad_entry,
                 words, entry);
}

static void good_ledgers_pass(void **state)
{
    struct story *s = *state;
    struct sq_audit_report r;
    struct sq_error err;
    trade(s);
    for (uint32_t node = 0; node < 3; node++) {
        if (audit_at(s, s->d->rig->node[node].ledger, &r, &err) != SQ_OK)
            fail_msg("node %u: %s", node, err.text);
        assert_string_equal(r.node, s->d->rig->node[node].code);
        assert_int_equal(r.entries, sq_ledger_seq(s->d->ledger[node]));
        assert_int_equal(r.bad_entry, 0);
        assert_int_equal(r.settlements, 2);
        assert_int_equal(r.open_window, 3);
        assert_true(r.signatures > 10);
    }
    assert_int_equal(audit_at(s, s->d->rig->node[0].ledger, &r, &err), SQ_OK);
    assert_int_equal(r.items,
                     3 + 3 + 2 + 2 +
                         1);      /* two batches at home, one of them across; three answered for Guangdong's provider */
    assert_int_equal(r.links, 4); /* it owes twice and is owed twice */
}

static void messages_not_yet_acknowledged_pass(void **state)
{
    struct story *s = *state;
    struct sq_audit_report r;
    struct sq_error err;
    s->d->keep_unacknowledged = 1;
    trade(s);
    if (audit_at(s, s->d->rig->node[2].ledger, &r, &err) != SQ_OK)
        fail_msg("%s", err.text);
}

/* ---- what an operator could do who has the node's own keys ---- */

struct forgery {
    uint32_t node, type; /* the next entry of this type at this node */
    int part;            /* what is changed */
    uint64_t entry;      /* where it happened; 0: not yet */
    uint8_t copy[65536];
};
enum { INPUT_LAST_BYTE, OUTCOME_LAST_BYTE, OUTCOME_GONE, TIME_BACK, KEPT_ANSWER, KEPT_REQUEST, OUTBOX_BODY };

static sq_bytes changed(struct forgery *f, sq_bytes b)
{
    assert_true(b.size > 0 && b.size <= sizeof f->copy);
    memcpy(f->copy, b.data, b.size);
    f->copy[b.size - 1] ^= 1;
    return sq_bytes_of(f->copy, b.size);
}

static void forge(struct desk *d, uint32_t node, struct sq_commit *c)
{
    struct forgery *f = d->tamper_ctx;
    static struct sq_answer_put answer; /* one forgery at a time */
    static struct sq_outbox_put message;
    if (f->entry != 0 || node != f->node || c->entries[0].type != f->type)
        return;
    f->entry = c->entries[0].seq;
    switch (f->part) {
    case INPUT_LAST_BYTE:
        c->entries[0].input = changed(f, c->entries[0].input);
        break;
    case OUTCOME_LAST_BYTE:
        c->entries[0].outcome = changed(f, c->entries[0].outcome);
        break;
    case OUTCOME_GONE:
        c->entries[0].outcome.size = 0;
        break;
    case TIME_BACK:
        c->entries[0].now_ms -= 100000;
        break;
    case KEPT_ANSWER:
    case KEPT_REQUEST:
        assert_int_equal(c->answer_count, 1);
        answer = c->answers[0];
        if (f->part == KEPT_ANSWER)
            answer.body = changed(f, answer.body);
        else
            answer.request[3] ^= 1;
        c->answers = &answer;
        break;
    case OUTBOX_BODY:
        assert_true(c->outbox_count > 0);
        message = c->outbox[0];
        message.envelope = changed(f, message.envelope); /* the signature's last byte */
        c->outbox = &message;
        c->outbox_count = 1;
        break;
    default:
        fail();
    }
}

static struct forgery *begin_forgery(struct story *s, uint32_t node, uint32_t type, int part)
{
    struct forgery *f = calloc(1, sizeof *f);
    *f = (struct forgery){.node = node, .type = type, .part = part};
    s->d->tamper = forge;
    s->d->tamper_ctx = f;
    return f;
}

static void forged_entries_are_named(void **state)
{
    static const struct {
        uint32_t node, type;
        int part;
        const char *words;
    } cases[] = {
        {0, SANQUAN__V1__MESSAGE_TYPE__BATCH, INPUT_LAST_BYTE, "signature does not verify"},
        {2, SANQUAN__V1__MESSAGE_TYPE__CLEAR, INPUT_LAST_BYTE, "signature does not verify"},
        {1, SANQUAN__V1__MESSAGE_TYPE__VOTE, INPUT_LAST_BYTE, "signature does not verify"},
        {0, SANQUAN__V1__MESSAGE_TYPE__CONFIRM, INPUT_LAST_BYTE, "signature does not verify"},
        {0, SANQUAN__V1__MESSAGE_TYPE__BATCH, OUTCOME_LAST_BYTE, "comes out otherwise"},
        {2, SANQUAN__V1__MESSAGE_TYPE__CLEAR, OUTCOME_LAST_BYTE, "comes out otherwise"},
        {1, SANQUAN__V1__MESSAGE_TYPE__STATEMENT, OUTCOME_GONE, "comes out otherwise"},
        {0, SANQUAN__V1__MESSAGE_TYPE__DECIDED, TIME_BACK, "its time lies before"},
        {0, SANQUAN__V1__MESSAGE_TYPE__BATCH, KEPT_ANSWER, "kept for repeats"},
        {2, SANQUAN__V1__MESSAGE_TYPE__DECIDED, KEPT_ANSWER, "kept for repeats"},
        {2, SANQUAN__V1__MESSAGE_TYPE__DECIDED, KEPT_REQUEST, "kept for repeats"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct story *s;
        void *fresh;
        begin(&fresh);
        s = fresh;
        struct forgery *f = begin_forgery(s, cases[i].node, cases[i].type, cases[i].part);
        trade(s);
        assert_true(f->entry != 0);
        audit_finds(s, cases[i].node, cases[i].words, f->entry);
        free(f);
        end(&fresh);
    }
    (void)state;
}

static void a_message_in_the_outbox_that_the_node_did_not_sign_is_named(void **state)
{
    struct story *s = *state;
    s->d->keep_unacknowledged = 1;
    struct forgery *f = begin_forgery(s, 0, SANQUAN__V1__MESSAGE_TYPE__BATCH, OUTBOX_BODY);
    const int64_t some[] = {100};
    assert_int_equal(desk_redeem(s->d, &s->p[1], 11, some, 1), SQ_OK);
    assert_true(f->entry != 0);
    audit_finds(s, 0, "is not one that this node signed", 0);
    free(f);
}

static sq_status sign_as_another(void *ctx, sq_bytes message, uint8_t signature[static 64], struct sq_error *err)
{
    return sq_ed25519_sign(message, ((const struct sq_keys *)ctx)->secret, signature, err);
}

static void a_checkpoint_under_another_key_is_named(void **state)
{
    struct story *s = *state;
    trade(s);
    struct sq_signer other = {.ctx = s->p[0].provider, .sign = sign_as_another};
    memcpy(other.public_key, s->p[0].provider->public_key, SQ_KEY_SIZE);
    s->d->signer = &other;
    const int64_t some[] = {100};
    assert_int_equal(desk_redeem(s->d, &s->p[0], 51, some, 1), SQ_OK);
    audit_finds(s, 0, "checkpoint", 0);
}

static void a_ledger_of_another_network_is_refused(void **state)
{
    struct story *s = *state, *other;
    struct sq_audit_report r;
    struct sq_error err;
    void *fresh;
    begin(&fresh);
    other = fresh;
    assert_int_equal(audit_at(s, other->d->rig->node[0].ledger, &r, &err), SQ_E_FOREIGN);
    assert_non_null(strstr(err.text, "another network"));
    end(&fresh);
}

static void entries_missing_after_the_snapshot_are_noticed(void **state)
{
    struct story *s = *state;
    struct sq_dump dump = {0};
    struct sq_entry last;
    const char *path = s->d->rig->node[0].ledger;
    trade(s);
    sq_core_dump(s->d->core[0], &dump);
    sq_arena_reset(&s->d->sealed);
    assert_int_equal(sq_ledger_read(s->d->ledger[0], sq_ledger_seq(s->d->ledger[0]), &s->d->sealed, &last, NULL),
                     SQ_OK);
    assert_int_equal(sq_snapshot_write(path, last.seq, last.payload_hash, &dump, NULL), SQ_OK);
    struct sq_audit_report r;
    struct sq_error err;
    if (audit_at(s, path, &r, &err) != SQ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(r.snapshot, SQ_SNAPSHOT_SAME);

    assert_int_equal(sq_snapshot_write(path, last.seq + 1, last.payload_hash, &dump, NULL), SQ_OK);
    audit_finds(s, 0, "entries are missing at its end", 0);
    dump.bytes[dump.size / 2] ^= 1; /* somewhere in the tables */
    assert_int_equal(sq_snapshot_write(path, last.seq, last.payload_hash, &dump, NULL), SQ_OK);
    audit_finds(s, 0, "the snapshot holds another state", last.seq);
    sq_dump_free(&dump);
}

/* ---- the second books, told lies on their way ---- */

struct lie {
    struct sq_books *books;
    uint32_t hide_type; /* entries of this type and sender are not shown to the books */
    const char *hide_sender;
    uint32_t change_type; /* in what the node sends: this message's byte `change_at` from its end */
    size_t change_at;
    uint8_t copy[4096];
};

static sq_status show(void *ctx, const struct sq_core *core, const struct sq_entry *entry,
                      const struct sq_envelope *envelope, const struct sq_effects *fx, struct sq_error *err)
{
    struct lie *l = ctx;
    struct sq_out out[64];
    struct sq_effects told = *fx;
    if (envelope != NULL && envelope->type == l->hide_type && strcmp(envelope->sender, l->hide_sender) == 0)
        return SQ_OK;
    memcpy(out, fx->out, fx->out_count * sizeof *out);
    told.out = out;
    for (size_t i = 0; i < fx->out_count; i++)
        if (l->change_type != 0 && out[i].kind == SQ_OUT_PEER && out[i].type == l->change_type) {
            memcpy(l->copy, out[i].body.data, out[i].body.size);
            l->copy[out[i].body.size - l->change_at] ^= 1;
            out[i].body.data = l->copy;
        }
    return sq_books_enter(l->books, core, entry, envelope, &told, err);
}

static void books_find(struct story *s, uint32_t node, struct lie *l, const char *words)
{
    struct sq_core *core = NULL;
    struct sq_error err = {0};
    assert_int_equal(sq_books_new(s->d->ledger[node], &l->books, &err), SQ_OK);
    sq_status st = sq_replay(s->d->ledger[node], NULL, sq_ed25519_key_ok, show, l, &core, NULL, &err);
    if (st == SQ_OK)
        st = sq_books_close(l->books, core, &err);
    if (words == NULL && st != SQ_OK)
        fail_msg("%s", err.text);
    if (words != NULL && (st != SQ_E_VERIFY || strstr(err.text, words) == NULL))
        fail_msg("%s: %s; wanted '%s'", sq_status_name(st), err.text, words);
    sq_books_free(l->books);
    sq_core_free(core);
}

static void books_agree_with_the_core_only_when_shown_everything(void **state)
{
    struct story *s = *state;
    trade(s);
    books_find(s, 0, &(struct lie){0}, NULL);
    books_find(s, 0, &(struct lie){.hide_type = SANQUAN__V1__MESSAGE_TYPE__VOTE, .hide_sender = "node:440000"},
               "of 3 precommits");
    books_find(s, 0, &(struct lie){.hide_type = SANQUAN__V1__MESSAGE_TYPE__DECIDED, .hide_sender = "node:440000"},
               "is not what its steps add up to");
    books_find(s, 0, &(struct lie){.hide_type = SANQUAN__V1__MESSAGE_TYPE__CLEAR, .hide_sender = "node:440000"},
               "is not what its steps add up to");
    books_find(s, 0,
               &(struct lie){.hide_type = SANQUAN__V1__MESSAGE_TYPE__BATCH, .hide_sender = s->p[0].provider->name},
               "its accepted rows have");
    /* The last total of a Decided's link; then its count. */
    books_find(s, 2, &(struct lie){.change_type = SANQUAN__V1__MESSAGE_TYPE__DECIDED, .change_at = 8},
               "does not say what its rows add up to");
    books_find(s, 2, &(struct lie){.change_type = SANQUAN__V1__MESSAGE_TYPE__DECIDED, .change_at = 66},
               "does not say what its rows add up to");
}

/* ---- what a disk can do ---- */

static void copy_file(const char *from, const char *to)
{
    char command[1200];
    snprintf(command, sizeof command, "mkdir -p %s && cp --sparse=always %s/data.mdb %s/data.mdb && rm -f %s/lock.mdb",
             to, from, to, to);
    assert_int_equal(system(command), 0);
}

/* 0 it failed in words or by a damaged page, 1 it passed with the same root, 2 it passed with another. LMDB trusts its pages: a child takes the risk. */
static int audit_in_child(const struct story *s, const char *path, const uint8_t root[static 32])
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sq_audit_report r;
        struct sq_error err;
        static const int deadly[] = {SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL};
        for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
            signal(deadly[i], SIG_DFL); /* cmocka would go on with the parent's tests */
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO); /* liblmdb says where its own assertion failed */
        sq_status st = audit_at(s, path, &r, &err);
        if (st != SQ_OK)
            _exit(err.text[0] != '\0' ? 0 : 3);
        _exit(memcmp(r.root, root, 32) == 0 ? 1 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void every_flipped_bit_is_noticed_or_lies_where_nothing_is(void **state)
{
    enum { FLIPS = 400 };
    struct story *s = *state;
    struct dice dice = {2026};
    char path[128], data[160];
    struct sq_audit_report good;
    struct sq_error err;
    struct stat size = {0};
    unsigned noticed = 0, unused = 0;
    trade(s);
    desk_close(s->d);
    snprintf(path, sizeof path, "%s/copy", s->dir);
    snprintf(data, sizeof data, "%s/data.mdb", path);
    copy_file(s->d->rig->node[0].ledger, path);
    assert_int_equal(audit_at(s, path, &good, &err), SQ_OK);
    int fd = open(data, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &size) == 0);
    for (unsigned i = 0; i < FLIPS; i++) {
        /* Evenly over the file's pages, so that each kind of page is hit. */
        off_t at =
            (off_t)((uint64_t)size.st_size * i / FLIPS) + (off_t)dice_below(&dice, (uint32_t)(size.st_size / FLIPS));
        uint8_t byte = 0, flipped;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        flipped = byte ^ (uint8_t)(1u << dice_below(&dice, 8));
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        int result = audit_in_child(s, path, good.root);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        if (result > 1)
            fail_msg("byte %lld: %02x -> %02x passes unnoticed with another answer (%d)", (long long)at, byte, flipped,
                     result);
        *(result == 1 ? &unused : &noticed) += 1;
    }
    close(fd);
    assert_int_equal(audit_at(s, path, &good, &err), SQ_OK);
    assert_true(noticed > FLIPS / 10); /* most of a small file is free space and old pages */
    print_message("# %u of %u flips noticed, %u in unused bytes\n", noticed, FLIPS, unused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_ledgers_pass, begin, end),
        cmocka_unit_test_setup_teardown(messages_not_yet_acknowledged_pass, begin, end),
        cmocka_unit_test(forged_entries_are_named),
        cmocka_unit_test_setup_teardown(a_message_in_the_outbox_that_the_node_did_not_sign_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_checkpoint_under_another_key_is_named, begin, end),
        cmocka_unit_test_setup_teardown(a_ledger_of_another_network_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(entries_missing_after_the_snapshot_are_noticed, begin, end),
        cmocka_unit_test_setup_teardown(books_agree_with_the_core_only_when_shown_everything, begin, end),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed_or_lies_where_nothing_is, begin, end),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
