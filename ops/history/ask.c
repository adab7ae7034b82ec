#include "ops/history/ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clearing/base/day.h"
#include "clearing/base/uscc.h"
#include "peers/crypto.h"

#define PAGE_USUAL     25u
#define QUERY_TEXT_MAX 2000u

static const char *const state_names[] = {"", "accepted", "refused", "waiting", "granted", "mandated", "revoked"};
static const char *const end_names[] = {"", "claim_refused", "return_accepted", "return_refused"};
#define SQ_PART_NUMBERS (1ull << 62) /* reservations from here on: proto/README.md, "Bundles" */

static const char *const verb_names[] = {"", "redeem", "reserve", "commit", "release", "return"};

const char *sq_item_state_name(enum sq_item_state state)
{
    return state_names[state];
}

/* ---- from text ---- */

void sq_ask_init(struct sq_ask *a)
{
    *a = (struct sq_ask){.max = PAGE_USUAL};
}

static int read_u64(const char *text, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 19)
        return 0;
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

static int read_u32(const char *text, uint32_t *out)
{
    uint64_t v;
    if (!read_u64(text, &v) || v > UINT32_MAX)
        return 0;
    *out = (uint32_t)v;
    return 1;
}

static int read_fen(const char *text, int64_t *out)
{
    uint64_t v;
    if (!read_u64(text, &v) || v > INT64_MAX)
        return 0;
    *out = (int64_t)v;
    return 1;
}

/* A day in UTC+8 (its first moment), or Unix ms. */
static int read_time(const char *text, uint64_t *out)
{
    if (!read_u64(text, out))
        return 0;
    if (strlen(text) != 8)
        return 1;
    uint32_t day = (uint32_t)*out;
    if (!sq_day_valid(day))
        return 0;
    *out = sq_day_end_ms(day) - 86400000u;
    return 1;
}

static int read_code6(const char *text, char out[static 7])
{
    if (strlen(text) != 6 || strspn(text, "0123456789") != 6)
        return 0;
    memcpy(out, text, 7);
    return 1;
}

static int read_uscc(const char *text, char out[static 19])
{
    if (!sq_uscc_valid(text))
        return 0;
    memcpy(out, text, 19);
    return 1;
}

static int read_invoice(const char *text, uint8_t out[static 10])
{
    if (strlen(text) != 20 || strspn(text, "0123456789") != 20)
        return 0;
    for (int i = 0; i < 10; i++)
        out[i] = (uint8_t)((text[2 * i] - '0') << 4 | (text[2 * i + 1] - '0'));
    return 1;
}

static int read_programme(const char *text, uint32_t *issuer, uint32_t *number)
{
    unsigned i, n;
    char rest;
    if (sscanf(text, "%6u/%4u%c", &i, &n, &rest) != 2 || i == 0 || n == 0)
        return 0;
    *issuer = i;
    *number = n;
    return 1;
}

static int read_refusal(const char *text, uint32_t *out)
{
    for (unsigned code = 100; code < 256; code++)
        if (strcmp(sq_status_name(code), text) == 0) {
            *out = code;
            return 1;
        }
    return read_u32(text, out) && *out >= 100 && *out < 256;
}

static int read_state(const char *text, enum sq_item_state *out)
{
    for (unsigned s = SQ_ITEM_ACCEPTED; s <= SQ_ITEM_REVOKED; s++)
        if (strcmp(text, state_names[s]) == 0) {
            *out = (enum sq_item_state)s;
            return 1;
        }
    return 0;
}

static int read_place(const char *text, struct sq_query_place *out)
{
    char rest;
    return sscanf(text, "%" SCNu64 ".%" SCNu32 "%c", &out->seq, &out->row, &rest) == 2 && out->seq != 0;
}

static int read_flag(const char *text, int *out)
{
    if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        return 0;
    *out = text[0] == '1';
    return 1;
}

static int read_order(const char *text, int *newest_first)
{
    *newest_first = strcmp(text, "newest") == 0;
    return *newest_first || strcmp(text, "oldest") == 0;
}

static int read_max(const char *text, uint32_t *out)
{
    return read_u32(text, out) && *out >= 1 && *out <= SQ_ASK_MAX;
}

sq_status sq_ask_set(struct sq_ask *a, const char *key, const char *value, struct sq_error *err)
{
    struct sq_filter *f = &a->filter;
    const struct {
        const char *key, *wanted;
        int good;
    } keys[] = {
#define KEY(name, wanted, read) {name, wanted, strcmp(key, name) == 0 && (read)}
        KEY("voucher", "a voucher number", read_u64(value, &f->voucher)),
        KEY("batch", "the sequence number of a batch", read_u64(value, &f->batch)),
        KEY("window", "a window's number", read_u64(value, &f->window)),
        KEY("holder", "a unified social credit code", read_uscc(value, f->holder)),
        KEY("provider", "a unified social credit code", read_uscc(value, f->provider)),
        KEY("invoice", "20 digits", read_invoice(value, f->invoice)),
        KEY("issuer", "six digits", read_u32(value, &f->issuer) && strlen(value) == 6),
        KEY("programme", "ISSUER/NUMBER", read_programme(value, &f->issuer, &f->programme)),
        KEY("kind", "1 to 7", read_u32(value, &f->kind) && f->kind >= 1 && f->kind <= SQ_KIND_COUNT),
        KEY("scenario", "a scenario's number", read_u32(value, &f->scenario)),
        KEY("refusal", "a refusal's name or number", read_refusal(value, &f->code)),
        KEY("debtor", "a node's six digits", read_code6(value, f->debtor)),
        KEY("creditor", "a node's six digits", read_code6(value, f->creditor)),
        KEY("region", "a node's six digits", read_code6(value, f->region)),
        KEY("state", "accepted, refused, waiting, granted, mandated or revoked", read_state(value, &f->state)),
        KEY("least", "fen", read_fen(value, &f->least_fen)),
        KEY("most", "fen", read_fen(value, &f->most_fen)),
        KEY("from", "yyyymmdd or Unix ms", read_time(value, &f->from_ms)),
        KEY("until", "yyyymmdd or Unix ms", read_time(value, &f->until_ms)),
        KEY("life", "0 or 1", read_flag(value, &f->life)),
        KEY("claims", "0 or 1", read_flag(value, &f->claims)),
        KEY("order", "oldest or newest", read_order(value, &a->newest_first)),
        KEY("max", "1 to 500", read_max(value, &a->max)),
        KEY("after", "SEQ.ROW of the page before", read_place(value, &a->after)),
        KEY("sums", "0 or 1", read_flag(value, &a->sums)),
        KEY("proofs", "0 or 1", read_flag(value, &a->proofs)),
#undef KEY
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i].key) == 0)
            return keys[i].good ? SQ_OK
                                : sq_fail(err, SQ_E_USAGE, "%s=%.60s: %s is wanted", key, value, keys[i].wanted);
    return sq_fail(err, SQ_E_USAGE, "there is no condition '%.40s'", key);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* In place; 0 when an escape is cut off or stands for NUL. */
static int unescape(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++) {
        if (*text == '%') {
            int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);
            if (low < 0 || (high == 0 && low == 0))
                return 0;
            *to++ = (char)(high << 4 | low);
            text += 2;
        } else {
            *to++ = *text == '+' ? ' ' : *text;
        }
    }
    *to = '\0';
    return 1;
}

sq_status sq_ask_parse(struct sq_ask *a, const char *text, struct sq_error *err)
{
    char copy[QUERY_TEXT_MAX + 1], *rest = copy, *part;
    if (strlen(text) > QUERY_TEXT_MAX)
        return sq_fail(err, SQ_E_USAGE, "a question of %zu characters; at most %u go", strlen(text), QUERY_TEXT_MAX);
    strcpy(copy, text);
    while ((part = strsep(&rest, "&")) != NULL) {
        if (*part == '\0')
            continue;
        char *value = strchr(part, '=');
        if (value == NULL)
            return sq_fail(err, SQ_E_USAGE, "%.40s: key=value is wanted", part);
        *value++ = '\0';
        if (!unescape(part) || !unescape(value))
            return sq_fail(err, SQ_E_USAGE, "%.40s: %% is followed by two hexadecimal digits, not both 0", part);
        if (*value == '\0')
            continue; /* a form's empty field */
        sq_status st = sq_ask_set(a, part, value, err);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}

/* ---- who may see what ---- */

static sq_status narrow_text(char *wanted, size_t size, const char *own, const char *who, struct sq_error *err)
{
    if (*wanted != '\0' && strcmp(wanted, own) != 0)
        return sq_fail(err, SQ_R_NOT_PERMITTED, "%s sees its own rows only", who);
    snprintf(wanted, size, "%s", own);
    return SQ_OK;
}

sq_status sq_ask_narrow(struct sq_ask *a, const char *participant, const char *self, struct sq_error *err)
{
    const char *code = strchr(participant, ':');
    struct sq_filter *f = &a->filter;
    if (code == NULL)
        return sq_fail(err, SQ_R_NOT_PERMITTED, "%s", participant);
    size_t role = (size_t)(code++ - participant);
    if (strncmp(participant, "provider", role) == 0)
        return narrow_text(f->provider, sizeof f->provider, code, participant, err);
    if (strncmp(participant, "holder", role) == 0)
        return narrow_text(f->holder, sizeof f->holder, code, participant, err);
    if (strncmp(participant, "issuer", role) == 0) {
        uint32_t own = (uint32_t)strtoul(code, NULL, 10);
        if (f->issuer != 0 && f->issuer != own)
            return sq_fail(err, SQ_R_NOT_PERMITTED, "%s sees its own rows only", participant);
        f->issuer = own;
        return SQ_OK;
    }
    if (strncmp(participant, "node", role) == 0 && strcmp(code, self) != 0)
        return narrow_text(f->region, sizeof f->region, code, participant, err);
    if (strncmp(participant, "node", role) == 0 || strncmp(participant, "regulator", role) == 0)
        return SQ_OK;
    if (strncmp(participant, "operator", role) == 0 && strncmp(code, self, strlen(self)) == 0 &&
        code[strlen(self)] == '/')
        return SQ_OK;
    return sq_fail(err, SQ_R_NOT_PERMITTED, "%s", participant);
}

/* ---- to JSON ---- */

static const char *role_of(uint32_t type)
{
    switch (type) {
    case SANQUAN__V1__MESSAGE_TYPE__BATCH:
        return "acquired";
    case SANQUAN__V1__MESSAGE_TYPE__CLEAR:
        return "decided";
    case SANQUAN__V1__MESSAGE_TYPE__REGISTER:
        return "claimed";
    case SANQUAN__V1__MESSAGE_TYPE__UNREGISTER:
        return "ended";
    default:
        return ""; /* said about the voucher */
    }
}

static void put_number(json_t *o, const char *key, uint64_t v)
{
    if (v != 0)
        json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void put_fen(json_t *o, const char *key, int64_t v)
{
    json_object_set_new(o, key, json_integer(v));
}

static void put_text(json_t *o, const char *key, const char *v)
{
    if (*v != '\0')
        json_object_set_new(o, key, json_string(v));
}

static void put_invoice(json_t *o, const uint8_t cell[static 10])
{
    static const uint8_t none[10];
    char hex[21]; /* decimal digits, two a byte, are their own hexadecimal */
    if (memcmp(cell, none, 10) == 0)
        return;
    sq_hex(cell, 10, hex);
    json_object_set_new(o, "invoice", json_string(hex));
}

json_t *sq_item_json(const struct sq_item *item)
{
    json_t *o = json_object();
    char voucher[24];
    snprintf(voucher, sizeof voucher, "%019" PRIu64, item->voucher);
    json_object_set_new(o, "seq", json_integer((json_int_t)item->seq));
    json_object_set_new(o, "row", json_integer(item->row));
    put_number(o, "at_ms", item->now_ms);
    put_text(o, "role", role_of(item->type));
    put_text(o, "state", state_names[item->state]);
    put_text(o, "voucher", voucher);
    put_number(o, "kind", item->kind);
    put_text(o, "provider", item->provider);
    put_text(o, "holder", item->holder);
    put_text(o, "debtor", item->debtor);
    put_text(o, "creditor", item->creditor);
    put_fen(o, "amount_fen", item->amount_fen);
    if (item->verb != 0) {
        put_text(o, "verb", item->verb < sizeof verb_names / sizeof *verb_names ? verb_names[item->verb] : "unknown");
        put_number(o, "batch", item->batch);
        json_object_set_new(o, "batch_row", json_integer(item->batch_row));
        put_fen(o, "base_fen", item->base_fen);
        put_fen(o, "invoice_total_fen", item->total_fen);
        put_invoice(o, item->invoice);
        put_number(o, "service", item->service);
        put_number(o, "scenario", item->scenario);
        put_number(o, "service_day", item->day);
        if (item->reservation >= SQ_PART_NUMBERS)
            json_object_set_new(o, "part_of_bundle", json_true());
        else
            put_number(o, "reservation", item->reservation);
        put_number(o, "bundle", item->bundle);
    }
    if (item->state == SQ_ITEM_GRANTED)
        put_number(o, "until_day", item->until);
    else if (item->state == SQ_ITEM_MANDATED)
        put_number(o, "until_ms", item->until);
    if (item->end != 0)
        put_text(o, "end", item->end < sizeof end_names / sizeof *end_names ? end_names[item->end] : "");
    if (item->code != 0) {
        put_number(o, "refusal", item->code);
        put_text(o, "refusal_name", sq_status_name(item->code));
    }
    put_number(o, "decided_seq", item->decided_seq);
    put_number(o, "decided_ms", item->decided_ms);
    put_number(o, "link", item->link);
    put_number(o, "window", item->window);
    if (item->state == SQ_ITEM_ACCEPTED && item->end == 0 && item->type != SANQUAN__V1__MESSAGE_TYPE__REGISTER)
        json_object_set_new(o, "final", json_boolean(item->is_final));
    return o;
}

static json_t *sums_json(const struct sq_query_sums *s)
{
    json_t *o = json_object(), *kinds = json_array(), *refused = json_object();
    for (unsigned k = SQ_ITEM_ACCEPTED; k <= SQ_ITEM_REVOKED; k++) {
        json_t *one = json_object();
        json_object_set_new(one, "count", json_integer((json_int_t)s->count[k]));
        put_fen(one, "amount_fen", s->amount_fen[k]);
        json_object_set_new(o, state_names[k], one);
    }
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        json_array_append_new(kinds, json_integer(s->accepted_by_kind_fen[k]));
    json_object_set_new(o, "accepted_by_kind_fen", kinds);
    for (unsigned code = 1; code < 256; code++)
        put_number(refused, sq_status_name(code), s->refused_by_code[code]);
    json_object_set_new(o, "refused_by_code", refused);
    put_number(o, "claims", s->claims);
    json_object_set_new(o, "moved_count", json_integer((json_int_t)s->moved_count));
    return o;
}

/* ---- proofs ---- */

static json_t *hex_json(const uint8_t *data, size_t size)
{
    char *text = malloc(2 * size + 1);
    if (text == NULL)
        return NULL;
    sq_hex(data, size, text);
    json_t *o = json_string(text);
    free(text);
    return o;
}

static sq_status add_proof(const struct sq_ledger *l, uint64_t seq, uint64_t size, json_t *proofs, struct sq_error *err)
{
    uint8_t leaf[SQ_LEAF_SIZE], hashes[SQ_PROOF_MAX * SQ_HASH_SIZE];
    size_t count;
    sq_status st = sq_ledger_leaf(l, seq, leaf, err);
    if (st == SQ_OK)
        st = sq_ledger_inclusion(l, seq - 1, size, hashes, &count, err);
    if (st != SQ_OK)
        return st;
    json_t *o = json_object();
    json_object_set_new(o, "seq", json_integer((json_int_t)seq));
    json_object_set_new(o, "leaf", hex_json(leaf, sizeof leaf));
    json_object_set_new(o, "index", json_integer((json_int_t)(seq - 1)));
    json_object_set_new(o, "proof", hex_json(hashes, count * SQ_HASH_SIZE));
    json_array_append_new(proofs, o);
    return SQ_OK;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Entries that items come from, and those that decided them: each once, ascending. */
static sq_status add_proofs(const struct sq_ledger *l, const struct sq_item *items, uint32_t count, json_t *answer,
                            struct sq_error *err)
{
    struct sq_arena arena;
    sq_bytes note;
    uint64_t size, *entries = malloc((2 * (size_t)count + 1) * sizeof *entries);
    json_t *proofs = json_array();
    json_object_set_new(answer, "proofs", proofs);
    sq_status st =
        entries != NULL ? sq_arena_init(&arena, 1u << 16, err) : sq_fail(err, SQ_E_NOMEM, "proofs of %u items", count);
    if (st != SQ_OK) {
        free(entries);
        return st;
    }
    st = sq_ledger_checkpoint(l, &arena, &note, &size, err);
    if (st == SQ_OK)
        json_object_set_new(answer, "checkpoint", json_stringn((const char *)note.data, note.size));
    for (uint32_t i = 0; i < count; i++) {
        entries[2 * i] = items[i].seq;
        entries[2 * i + 1] = items[i].decided_seq != 0 ? items[i].decided_seq : items[i].seq;
    }
    qsort(entries, 2 * (size_t)count, sizeof *entries, ascending);
    for (size_t i = 0; st == SQ_OK && i < 2 * (size_t)count; i++)
        if (i == 0 || entries[i] != entries[i - 1])
            st = add_proof(l, entries[i], size, proofs, err);
    sq_arena_free(&arena);
    free(entries);
    return st;
}

/* ---- the answer ---- */

static sq_status answer_page(struct sq_query *q, const struct sq_ledger *l, const struct sq_ask *a, json_t *answer,
                             struct sq_error *err)
{
    struct sq_item *items = calloc(a->max, sizeof *items);
    struct sq_query_place place = a->after;
    uint32_t count;
    int more;
    if (items == NULL)
        return sq_fail(err, SQ_E_NOMEM, "page of %u items", a->max);
    sq_status st = sq_query_items(q, &a->filter, a->newest_first, &place, items, a->max, &count, &more, err);
    json_t *list = json_array();
    json_object_set_new(answer, "items", list);
    for (uint32_t i = 0; st == SQ_OK && i < count; i++)
        json_array_append_new(list, sq_item_json(&items[i]));
    if (st == SQ_OK && more)
        json_object_set_new(answer, "after", json_sprintf("%" PRIu64 ".%" PRIu32, place.seq, place.row));
    if (st == SQ_OK && a->proofs)
        st = add_proofs(l, items, count, answer, err);
    free(items);
    return st;
}

sq_status sq_ask_answer(struct sq_query *q, const struct sq_history *h, const struct sq_ledger *l,
                        const struct sq_ask *a, json_t **out, struct sq_error *err)
{
    struct sq_query_sums sums;
    json_t *answer = json_object(), *ledger = json_object();
    if (answer == NULL || ledger == NULL)
        return sq_fail(err, SQ_E_NOMEM, "answer");
    json_object_set_new(ledger, "entries", json_integer((json_int_t)sq_history_seq(h)));
    json_object_set_new(answer, "ledger", ledger);
    sq_status st = a->sums ? sq_query_sum(q, &a->filter, &sums, err) : answer_page(q, l, a, answer, err);
    if (st == SQ_OK && a->sums)
        json_object_set_new(answer, "sums", sums_json(&sums));
    if (st == SQ_OK)
        *out = answer;
    else
        json_decref(answer);
    return st;
}
