/*
 * What the bank has moved, read from its notification. An entry may be one payment, or hold several transactions; either names our
 * reference, or it is somebody else's business and passed over. Everything about a payment that is ours must be plain, or the file is refused
 * whole: a guess about money is worse than a question.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/files/iso.h"

struct reading {
    const char *path, *code;
    uint64_t window;
    struct sq_iso_told *told;
    size_t capacity;
    struct sq_error *err;
};

static sq_status wrong(const struct reading *r, sq_xml_node at, const char *element, const char *value,
                       const char *reason)
{
    return sq_fail(r->err, SQ_E_FORMAT, "%.80s:%u: %s \"%.60s\": %s", r->path, sq_xml_line(at), element, value, reason);
}

/* "1234.56", "1234.5", "1234": yuan to fen; 0 when it is none. Five decimals go by the schema, and those beyond two must be zeros. */
static int read_money(const char *text, int64_t *fen)
{
    size_t whole = strspn(text, "0123456789"), decimals = 0;
    int64_t v = 0;
    if (whole == 0 || whole > 16)
        return 0;
    for (size_t i = 0; i < whole; i++)
        v = v * 10 + (text[i] - '0');
    const char *rest = text + whole;
    if (*rest == '.') {
        decimals = strspn(++rest, "0123456789");
        if (decimals == 0 || decimals > 5)
            return 0;
    }
    for (size_t i = 0; i < 2; i++)
        v = v * 10 + (i < decimals ? rest[i] - '0' : 0);
    for (size_t i = 2; i < decimals; i++)
        if (rest[i] != '0')
            return 0;
    *fen = v;
    return rest[decimals] == '\0';
}

static int by_payment(const void *a, const void *b)
{
    const struct sq_iso_payment *x = a, *y = b;
    int payer = strcmp(x->payer, y->payer), payee = strcmp(x->payee, y->payee);
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (payer == 0 && payee == 0 && x->loss != y->loss)
        return x->loss - y->loss;
    return payer != 0 ? payer : payee != 0 ? payee : x->amount_fen < y->amount_fen ? -1 : x->amount_fen > y->amount_fen;
}

static sq_status keep(struct reading *r, sq_xml_node at, const struct sq_iso_payment *p)
{
    struct sq_iso_told *t = r->told;
    if (t->count == r->capacity) {
        r->capacity = r->capacity == 0 ? 64 : r->capacity * 2;
        struct sq_iso_payment *grown = realloc(t->payments, r->capacity * sizeof *grown);
        if (grown == NULL)
            return sq_fail(r->err, SQ_E_NOMEM, "%s", r->path);
        t->payments = grown;
    }
    t->payments[t->count] = *p;
    t->payments[t->count++].line = sq_xml_line(at);
    return SQ_OK;
}

/* One amount with its direction and reference, from an entry or one of its transactions; `status` is the entry's. */
static sq_status read_payment(struct reading *r, sq_xml_node at, sq_xml_node amount, sq_xml_node direction,
                              sq_xml_node reference, const char *status)
{
    struct sq_iso_payment p;
    char text[64], ours[64];
    uint64_t window = 0;
    int pays;
    if (!sq_xml_text(reference, ours, sizeof ours) || strncmp(ours, "SQ-", 3) != 0) {
        r->told->others++;
        return SQ_OK;
    }
    if (!sq_iso_reference_read(ours, &window, &p))
        return wrong(r, reference, "EndToEndId", ours, "not a reference of this system, though it begins like one");
    pays = strcmp(p.payer, r->code) == 0;
    if (window != r->window) {
        r->told->others++;
        return SQ_OK;
    }
    if (!pays && strcmp(p.payee, r->code) != 0)
        return wrong(r, reference, "EndToEndId", ours, "not a payment of this node");
    if (strcmp(status, "PDNG") == 0 || strcmp(status, "INFO") == 0) {
        r->told->pending++;
        return SQ_OK;
    }
    if (strcmp(status, "BOOK") != 0)
        return wrong(r, at, "Sts", status, "not BOOK, PDNG or INFO");
    if (!sq_xml_attribute(amount, "Ccy", text, sizeof text) || strcmp(text, "CNY") != 0)
        return wrong(r, amount != NULL ? amount : at, "Amt/@Ccy", text, "not CNY");
    if (!sq_xml_text(amount, text, sizeof text) || !read_money(text, &p.amount_fen) || p.amount_fen <= 0)
        return wrong(r, amount, "Amt", text, "not an amount over 0 in whole fen");
    if (!sq_xml_text(direction, text, sizeof text) || strcmp(text, pays ? "DBIT" : "CRDT") != 0)
        return wrong(r, direction != NULL ? direction : at, "CdtDbtInd", text,
                     pays ? "this node pays that: DBIT" : "this node receives that: CRDT");
    return keep(r, reference, &p);
}

/* An entry's transactions add up to it, where each says its amount; what does not is no basis for a confirmation. */
static sq_status check_sum(const struct reading *r, sq_xml_node entry)
{
    char all[64], text[64];
    int64_t sum = 0, fen, whole;
    sq_xml_node amount = sq_xml_child(entry, "Amt");
    if (!sq_xml_text(amount, all, sizeof all) || !read_money(all, &whole))
        return wrong(r, amount != NULL ? amount : entry, "Amt", all, "not an amount in whole fen");
    for (sq_xml_node d = sq_xml_child(entry, "NtryDtls"); d != NULL; d = sq_xml_next(d, "NtryDtls"))
        for (sq_xml_node t = sq_xml_child(d, "TxDtls"); t != NULL; t = sq_xml_next(t, "TxDtls")) {
            sq_xml_node own = sq_xml_child(t, "Amt");
            if (own == NULL)
                return SQ_OK;
            if (!sq_xml_text(own, text, sizeof text) || !read_money(text, &fen) ||
                __builtin_add_overflow(sum, fen, &sum))
                return wrong(r, own, "Amt", text, "not an amount in whole fen");
        }
    return sum == whole ? SQ_OK : wrong(r, amount, "Amt", all, "the transactions of this entry do not add up to it");
}

static sq_status read_transaction(struct reading *r, sq_xml_node entry, sq_xml_node t, int alone, const char *status)
{
    sq_xml_node amount = sq_xml_child(t, "Amt"), direction = sq_xml_child(t, "CdtDbtInd");
    return read_payment(r, t, amount == NULL && alone ? sq_xml_child(entry, "Amt") : amount,
                        direction == NULL ? sq_xml_child(entry, "CdtDbtInd") : direction,
                        sq_xml_path(t, "Refs/EndToEndId"), status);
}

/* Of an entry that holds something of ours. */
static sq_status check_entry(const struct reading *r, sq_xml_node entry)
{
    char reversal[8];
    if (sq_xml_text(sq_xml_child(entry, "RvslInd"), reversal, sizeof reversal) &&
        (strcmp(reversal, "true") == 0 || strcmp(reversal, "1") == 0))
        return wrong(r, entry, "RvslInd", reversal,
                     "the bank has taken a payment back: ask it; nothing is confirmed from this file");
    return check_sum(r, entry);
}

static sq_status read_entry(struct reading *r, sq_xml_node entry)
{
    char status[16];
    sq_xml_node sts = sq_xml_child(entry, "Sts"), code = sq_xml_child(sts, "Cd"),
                details = sq_xml_child(entry, "NtryDtls");
    size_t before = r->told->count;
    int any = 0, alone = sq_xml_next(details, "NtryDtls") == NULL &&
                         sq_xml_next(sq_xml_child(details, "TxDtls"), "TxDtls") == NULL;
    sq_status st = SQ_OK;
    if (!sq_xml_text(code != NULL ? code : sts, status, sizeof status)) /* older versions have the code in Sts itself */
        return wrong(r, sts, "Sts", "", "too long");
    for (; st == SQ_OK && details != NULL; details = sq_xml_next(details, "NtryDtls"))
        for (sq_xml_node t = sq_xml_child(details, "TxDtls"); st == SQ_OK && t != NULL; t = sq_xml_next(t, "TxDtls")) {
            any = 1;
            st = read_transaction(r, entry, t, alone, status);
        }
    r->told->others += !any; /* without a reference it can be none of ours */
    return st == SQ_OK && r->told->count != before ? check_entry(r, entry) : st;
}

static sq_status read_all(struct reading *r, const struct sq_xml *x)
{
    static const char prefix[] = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.";
    sq_xml_node root = sq_xml_root(x), body = sq_xml_child(root, "BkToCstmrDbtCdtNtfctn");
    sq_status st = SQ_OK;
    if (!sq_xml_is(root, "Document") || strncmp(sq_xml_namespace(root), prefix, strlen(prefix)) != 0 || body == NULL)
        return wrong(r, root, "Document", sq_xml_namespace(root), "not a camt.054");
    for (sq_xml_node n = sq_xml_child(body, "Ntfctn"); st == SQ_OK && n != NULL; n = sq_xml_next(n, "Ntfctn"))
        for (sq_xml_node e = sq_xml_child(n, "Ntry"); st == SQ_OK && e != NULL; e = sq_xml_next(e, "Ntry"))
            st = read_entry(r, e);
    return st;
}

/* Each payment once. */
static sq_status sort_and_check(const struct reading *r)
{
    struct sq_iso_payment *p = r->told->payments;
    char reference[SQ_ISO_REFERENCE_SIZE];
    if (r->told->count != 0)
        qsort(p, r->told->count, sizeof *p, by_payment);
    for (size_t i = 1; i < r->told->count; i++)
        if (p[i].kind == p[i - 1].kind && p[i].loss == p[i - 1].loss && strcmp(p[i].payer, p[i - 1].payer) == 0 &&
            strcmp(p[i].payee, p[i - 1].payee) == 0) {
            unsigned first = p[i - 1].line < p[i].line ? p[i - 1].line : p[i].line;
            sq_iso_reference(r->window, &p[i], reference);
            return sq_fail(r->err, SQ_E_FORMAT, "%.80s:%u: EndToEndId \"%s\": this payment stands in line %u already",
                           r->path, p[i].line + p[i - 1].line - first, reference, first);
        }
    return SQ_OK;
}

sq_status sq_iso_camt054(sq_bytes bytes, const char *path, uint64_t window, const char *code, struct sq_iso_told *out,
                         struct sq_error *err)
{
    struct sq_iso_told told = {0};
    struct reading r = {.path = path, .code = code, .window = window, .told = &told, .err = err};
    struct sq_xml *x;
    sq_status st = sq_xml_parse(bytes, path, &x, err);
    if (st != SQ_OK)
        return st;
    st = read_all(&r, x);
    sq_xml_free(x);
    if (st == SQ_OK)
        st = sort_and_check(&r);
    if (st != SQ_OK) {
        sq_iso_told_free(&told);
        return st;
    }
    *out = told;
    return SQ_OK;
}

void sq_iso_told_free(struct sq_iso_told *t)
{
    free(t->payments);
    *t = (struct sq_iso_told){0};
}
