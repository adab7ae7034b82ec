/*
 * Policies of trust: parsed line by line into a list of names, each of a witness or of a group of earlier names.
 *
 * Invariants: a group's members stand before it and belong to no other group; so a witness counts once, and counting ends.
 */
#include "clearing/ledger/trust.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES_MAX  (SQ_TRUST_WITNESSES_MAX + SQ_TRUST_GROUPS_MAX)
#define FIELDS_MAX (NAMES_MAX + 3u)
#define NO_NAME    NAMES_MAX

struct name {
    char text[128];
    int is_group, in_group;
    size_t key;                    /* of a witness: number of its key */
    size_t needed, first, members; /* of a group: in sq_trust.member */
};

struct sq_trust {
    struct sq_note_key log[SQ_TRUST_LOGS_MAX], witness[SQ_TRUST_WITNESSES_MAX];
    size_t log_count, witness_count, group_count;
    struct name name[NAMES_MAX];
    size_t name_count;
    size_t member[NAMES_MAX], member_count;
    int has_quorum;
    size_t quorum; /* a name, or NO_NAME for none */
};

/* One line, cut into fields in place. */
struct line {
    char *field[FIELDS_MAX];
    size_t count;
    unsigned number;
};

SQ_PRINTF(3, 4)
static sq_status wrong(const struct line *l, struct sq_error *err, const char *format, ...)
{
    char reason[200];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return sq_fail(err, SQ_E_FORMAT, "policy, line %u: %s", l->number, reason);
}

static size_t find(const struct sq_trust *t, const char *text)
{
    for (size_t i = 0; i < t->name_count; i++)
        if (strcmp(t->name[i].text, text) == 0)
            return i;
    return NO_NAME;
}

static sq_status add_name(struct sq_trust *t, const struct line *l, const char *text, struct name **out,
                          struct sq_error *err)
{
    struct name *n = &t->name[t->name_count];
    if (strlen(text) >= sizeof n->text || strcmp(text, "none") == 0 || find(t, text) != NO_NAME)
        return wrong(l, err, "name %.40s is too long, taken, or 'none'", text);
    *n = (struct name){.is_group = 0};
    memcpy(n->text, text, strlen(text) + 1);
    t->name_count++;
    *out = n;
    return SQ_OK;
}

static sq_status read_key(const struct line *l, const char *vkey, int cosigns, const struct sq_note_key *others,
                          size_t count, struct sq_note_key *out, struct sq_error *err)
{
    sq_status st = sq_note_key_parse(vkey, out, err);
    if (st != SQ_OK)
        return wrong(l, err, "%s", "not a verifier key with its own id");
    if (out->cosigns != cosigns)
        return wrong(l, err, "this is a key of %s",
                     out->cosigns ? "a witness, not of a log" : "a log, not of a witness");
    for (size_t i = 0; i < count; i++)
        if (memcmp(others[i].key, out->key, sizeof out->key) == 0)
            return wrong(l, err, "%s", "the same key stands in another line");
    return SQ_OK;
}

static sq_status on_log(struct sq_trust *t, const struct line *l, struct sq_error *err)
{
    if (l->count < 2 || l->count > 3 || t->log_count == SQ_TRUST_LOGS_MAX)
        return wrong(l, err, "write log VKEY [URL], at most %u times", SQ_TRUST_LOGS_MAX);
    sq_status st = read_key(l, l->field[1], 0, t->log, t->log_count, &t->log[t->log_count], err);
    t->log_count += st == SQ_OK;
    return st;
}

static sq_status on_witness(struct sq_trust *t, const struct line *l, struct sq_error *err)
{
    struct name *n;
    if (l->count < 3 || l->count > 4 || t->witness_count == SQ_TRUST_WITNESSES_MAX)
        return wrong(l, err, "write witness NAME VKEY [URL], at most %u times", SQ_TRUST_WITNESSES_MAX);
    sq_status st = read_key(l, l->field[2], 1, t->witness, t->witness_count, &t->witness[t->witness_count], err);
    if (st == SQ_OK)
        st = add_name(t, l, l->field[1], &n, err);
    if (st == SQ_OK)
        n->key = t->witness_count++;
    return st;
}

/* "all", "any" or a number from 1 to n; 0: none of these. */
static size_t read_needed(const char *text, size_t n)
{
    if (strcmp(text, "all") == 0)
        return n;
    if (strcmp(text, "any") == 0)
        return 1;
    if (text[0] < '1' || text[0] > '9' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 3)
        return 0;
    size_t k = strtoul(text, NULL, 10);
    return k <= n ? k : 0;
}

static sq_status on_group(struct sq_trust *t, const struct line *l, struct sq_error *err)
{
    struct name *n;
    size_t members = l->count > 3 ? l->count - 3 : 0, needed = members != 0 ? read_needed(l->field[2], members) : 0;
    if (needed == 0 || t->group_count == SQ_TRUST_GROUPS_MAX)
        return wrong(l, err, "write group NAME all|any|K NAME..., with K from 1 to the number of names");
    const size_t first = t->member_count;
    for (size_t i = 0; i < members; i++) {
        size_t m = find(t, l->field[3 + i]);
        if (m == NO_NAME || t->name[m].in_group)
            return wrong(l, err, "%.40s is not defined above, or is in a group already", l->field[3 + i]);
        t->name[m].in_group = 1;
        t->member[t->member_count++] = m;
    }
    sq_status st = add_name(t, l, l->field[1], &n, err);
    if (st != SQ_OK)
        return st;
    n->is_group = 1;
    n->needed = needed;
    n->first = first;
    n->members = members;
    t->group_count++;
    return SQ_OK;
}

static sq_status on_quorum(struct sq_trust *t, const struct line *l, struct sq_error *err)
{
    if (l->count != 2 || t->has_quorum)
        return wrong(l, err, "write quorum NAME, once");
    t->quorum = find(t, l->field[1]);
    if (t->quorum == NO_NAME && strcmp(l->field[1], "none") != 0)
        return wrong(l, err, "%.40s is not defined above", l->field[1]);
    t->has_quorum = 1;
    return SQ_OK;
}

static sq_status on_line(struct sq_trust *t, const struct line *l, struct sq_error *err)
{
    static const struct {
        const char *word;
        sq_status (*take)(struct sq_trust *t, const struct line *l, struct sq_error *err);
    } words[] = {{"log", on_log}, {"witness", on_witness}, {"group", on_group}, {"quorum", on_quorum}};
    if (l->count == 0 || l->field[0][0] == '#')
        return SQ_OK;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(l->field[0], words[i].word) == 0)
            return words[i].take(t, l, err);
    return wrong(l, err, "%.40s is none of log, witness, group, quorum", l->field[0]);
}

static int characters_ok(sq_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < 0x20 && text.data[i] != '\t' && text.data[i] != '\n') || text.data[i] == 0x7f)
            return 0;
    return text.size == 0 || text.data[text.size - 1] == '\n';
}

static sq_status read_lines(struct sq_trust *t, char *text, struct sq_error *err)
{
    struct line l = {.number = 0};
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        char *fields = line, *field;
        l.number++;
        l.count = 0;
        while ((field = strsep(&fields, " \t")) != NULL) {
            if (*field == '\0')
                continue;
            if (l.count != 0 && l.field[0][0] == '#')
                break;
            if (l.count == FIELDS_MAX)
                return wrong(&l, err, "too many words");
            l.field[l.count++] = field;
        }
        sq_status st = on_line(t, &l, err);
        if (st != SQ_OK)
            return st;
    }
    return t->has_quorum ? SQ_OK
                         : sq_fail(err, SQ_E_FORMAT, "policy has no line 'quorum'; write 'quorum none' for none");
}

sq_status sq_trust_parse(sq_bytes text, struct sq_trust **out, struct sq_error *err)
{
    if (text.size > SQ_TRUST_SIZE_MAX || !characters_ok(text))
        return sq_fail(err, SQ_E_FORMAT, "policy is too long, has control characters, or no newline at its end");
    struct sq_trust *t = calloc(1, sizeof *t);
    char *copy = malloc(text.size + 1);
    sq_status st = t == NULL || copy == NULL ? sq_fail(err, SQ_E_NOMEM, "policy") : SQ_OK;
    if (st == SQ_OK) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
        st = read_lines(t, copy, err);
    }
    free(copy);
    if (st == SQ_OK)
        *out = t;
    else
        free(t);
    return st;
}

void sq_trust_free(struct sq_trust *t)
{
    free(t);
}

/* ---- checking ---- */

/* Which names have witnessed, given which keys have cosigned: members stand before their groups, so one pass will do. */
static int quorum_met(const struct sq_trust *t, uint64_t cosigned)
{
    uint8_t has[NAMES_MAX] = {0};
    for (size_t i = 0; i < t->name_count; i++) {
        const struct name *n = &t->name[i];
        size_t count = 0;
        for (size_t k = 0; n->is_group && k < n->members; k++)
            count += has[t->member[n->first + k]];
        has[i] = n->is_group ? count >= n->needed : (cosigned >> n->key & 1) != 0;
    }
    return t->quorum == NO_NAME || has[t->quorum];
}

/* The keys under which a note of this origin may be signed: its log's (two at most), then all witnesses'. */
static size_t keys_for(const struct sq_trust *t, sq_bytes note, struct sq_note_key *keys)
{
    const char *newline = memchr(note.data, '\n', note.size);
    size_t length = newline != NULL ? (size_t)(newline - (const char *)note.data) : 0, n = 0;
    for (size_t i = 0; i < t->log_count && n < 64 - SQ_TRUST_WITNESSES_MAX; i++)
        if (strlen(t->log[i].name) == length && memcmp(t->log[i].name, note.data, length) == 0)
            keys[n++] = t->log[i];
    return n;
}

sq_status sq_trust_check(const struct sq_trust *t, sq_bytes note, sq_ed25519_verify verify, struct sq_trusted *out,
                         struct sq_error *err)
{
    struct sq_note_key keys[64];
    sq_bytes body;
    uint64_t verified;
    size_t logs = keys_for(t, note, keys);
    if (logs == 0)
        return sq_fail(err, SQ_E_VERIFY, "checkpoint is of no log of the policy");
    memcpy(keys + logs, t->witness, t->witness_count * sizeof *keys);
    sq_status st = sq_note_open(note, keys, logs + t->witness_count, verify, &body, &verified, err);
    if (st == SQ_OK)
        st = sq_checkpoint_parse(body, &out->checkpoint, err);
    if (st != SQ_OK)
        return st;
    if ((verified & ((1ull << logs) - 1)) == 0)
        return sq_fail(err, SQ_E_VERIFY, "checkpoint is not signed by its log %s", out->checkpoint.origin);
    out->witness_count = 0;
    for (size_t i = 0; i < t->name_count; i++)
        if (!t->name[i].is_group && (verified >> (logs + t->name[i].key) & 1) != 0) {
            out->time_s[out->witness_count] = sq_note_cosigned_at(note, &t->witness[t->name[i].key]);
            out->witness[out->witness_count++] = t->name[i].text;
        }
    return quorum_met(t, verified >> logs)
               ? SQ_OK
               : sq_fail(err, SQ_E_VERIFY,
                         "checkpoint of %s, size %" PRIu64
                         ", is cosigned by %zu witnesses of the policy: too few for its quorum",
                         out->checkpoint.origin, out->checkpoint.size, out->witness_count);
}
