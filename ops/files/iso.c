/*
 * Writing. Invariants: references are unique in a window; positions of a kind sum to zero, being sums of payments with two sides.
 */
#include "ops/files/iso.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AMOUNT_MAX_FEN 999999999999999999 /* totalDigits 18 */
#define FOR_BANK(day)  (day) / 10000, (day) / 100 % 100, (day) % 100

/* ---- references, names ---- */

static const char *short_name(const char *who, char out[static 8])
{
    if (strcmp(who, "hub") == 0)
        return "H";
    if (strncmp(who, "fund:", 5) != 0)
        return who;
    snprintf(out, 8, "F%.6s", who + 5);
    return out;
}

void sq_iso_reference(uint64_t window, const struct sq_iso_payment *p, char out[static SQ_ISO_REFERENCE_SIZE])
{
    char payer[8], payee[8];
    snprintf(out, SQ_ISO_REFERENCE_SIZE, "SQ-%" PRIu64 "-%u-%s-%s%s", window, p->kind, short_name(p->payer, payer),
             short_name(p->payee, payee), p->loss ? "-L" : "");
}

static int six_digits(const char *text)
{
    return strlen(text) == 6 && strspn(text, "0123456789") == 6;
}

static int long_name(const char *text, char out[static 12])
{
    if (strcmp(text, "H") == 0)
        strcpy(out, "hub");
    else if (text[0] == 'F' && six_digits(text + 1))
        snprintf(out, 12, "fund:%s", text + 1);
    else if (six_digits(text))
        strcpy(out, text);
    else
        return 0;
    return 1;
}

int sq_iso_reference_read(const char *text, uint64_t *window, struct sq_iso_payment *p)
{
    char payer[8] = "", payee[8] = "", again[SQ_ISO_REFERENCE_SIZE], tail[4] = "";
    unsigned long long number = 0;
    memset(p, 0, sizeof *p);
    if (sscanf(text, "SQ-%19llu-%9u-%7[0-9FH]-%7[0-9FH]%3s", &number, &p->kind, payer, payee, tail) < 4 ||
        !long_name(payer, p->payer) || !long_name(payee, p->payee))
        return 0;
    p->loss = strcmp(tail, "-L") == 0;
    *window = number;
    sq_iso_reference(*window, p, again);
    return strcmp(again, text) == 0 && p->kind >= 1 && p->kind <= SQ_KIND_COUNT; /* one spelling only */
}

int sq_iso_account_ok(const char *text)
{
    size_t size = strlen(text);
    return size >= 1 && size <= 34 &&
           strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == size;
}

int sq_iso_bic_ok(const char *text)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", both[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t size = strlen(text);
    return (size == 8 || size == 11) && strspn(text, both) == size && strspn(text + 4, upper) >= 2;
}

static const struct sq_iso_party *party(const struct sq_iso_window *w, const char *code)
{
    for (size_t i = 0; i < w->party_count; i++)
        if (strcmp(w->parties[i].code, code) == 0)
            return &w->parties[i];
    return NULL;
}

static void put_time(struct sq_xml_out *o, const char *name, uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000) + 8 * 3600; /* UTC+8 */
    struct tm t;
    gmtime_r(&seconds, &t);
    sq_xml_put(o, name, "%04d-%02d-%02dT%02d:%02d:%02d+08:00", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
               t.tm_min, t.tm_sec);
}

static void put_date(struct sq_xml_out *o, const char *name, uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000) + 8 * 3600;
    struct tm t;
    gmtime_r(&seconds, &t);
    sq_xml_put(o, name, "%04d-%02d-%02d", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
}

static void put_account(struct sq_xml_out *o, const char *name, const char *account)
{
    if (account == NULL)
        return;
    sq_xml_open(o, name);
    sq_xml_open(o, "Id");
    sq_xml_open(o, "Othr");
    sq_xml_put(o, "Id", "%s", account);
    sq_xml_close(o);
    sq_xml_close(o);
    sq_xml_put(o, "Ccy", "CNY");
    sq_xml_close(o);
}

static void put_scheme(struct sq_xml_out *o, const char *id)
{
    sq_xml_open(o, "Othr");
    sq_xml_put(o, "Id", "%s", id);
    sq_xml_open(o, "SchmeNm");
    sq_xml_put(o, "Prtry", "GB/T 2260");
    sq_xml_close(o);
    sq_xml_close(o);
}

static sq_status check_amount(int64_t fen, struct sq_error *err)
{
    return fen <= AMOUNT_MAX_FEN
               ? SQ_OK
               : sq_fail(err, SQ_E_OVERFLOW, "%" PRId64 " fen do not fit into the 18 digits of a payment message", fen);
}

/* ---- pacs.029 ---- */

struct position {
    char who[12];
    int64_t fen; /* positive: receives */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct position *)a)->who, ((const struct position *)b)->who);
}

static int add(struct position *p, size_t *count, const char *who, int64_t fen)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(p[i].who, who) == 0)
            return !__builtin_add_overflow(p[i].fen, fen, &p[i].fen);
    snprintf(p[*count].who, sizeof p[*count].who, "%s", who);
    p[(*count)++].fen = fen;
    return 1;
}

/* Each participant's net of one kind, by name, without zeros; the settlement account is one where it keeps or gives something. */
static sq_status positions_of(const struct sq_iso_window *w, uint32_t kind, struct position *out, size_t *count,
                              struct sq_error *err)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < w->payment_count; i++) {
        const struct sq_iso_payment *p = &w->payments[i];
        if (p->kind == kind && (!add(out, &n, p->payer, -p->amount_fen) || !add(out, &n, p->payee, p->amount_fen)))
            return sq_fail(err, SQ_E_OVERFLOW, "kind %u: a position leaves int64 fen", kind);
    }
    for (size_t i = 0; i < n; i++)
        if (out[i].fen != 0)
            out[kept++] = out[i];
    qsort(out, kept, sizeof *out, by_name);
    *count = kept;
    for (size_t i = 0; i < kept; i++) {
        sq_status st = check_amount(out[i].fen < 0 ? -out[i].fen : out[i].fen, err);
        if (st != SQ_OK)
            return st;
    }
    return SQ_OK;
}

static void put_participant(struct sq_xml_out *o, const struct sq_iso_window *w, const char *who)
{
    const struct sq_iso_party *p = party(w, who);
    sq_xml_open(o, "Ptcpt");
    if (p != NULL && p->name != NULL)
        sq_xml_put(o, "Nm", "%s", p->name);
    sq_xml_open(o, "Id");
    sq_xml_open(o, "OrgId");
    if (p != NULL && p->bic != NULL)
        sq_xml_put(o, "AnyBIC", "%s", p->bic);
    else
        put_scheme(o, who);
    sq_xml_close(o);
    sq_xml_close(o);
    sq_xml_close(o);
    put_account(o, "PtcptAcct", p != NULL ? p->account : NULL);
}

static void put_request(struct sq_xml_out *o, const struct sq_iso_window *w, uint32_t kind, const struct position *p,
                        size_t count)
{
    sq_xml_open(o, "SttlmReq");
    sq_xml_put(o, "InstrId", "SQ-%" PRIu64 "-%u", w->window, kind);
    sq_xml_put(o, "SttlmCycl", "%" PRIu64, w->window);
    sq_xml_put(o, "NbOfMvmntRcrds", "%zu", count);
    for (size_t i = 0; i < count; i++) {
        char name[8];
        sq_xml_open(o, "MvmntRcrd");
        sq_xml_put(o, "Id", "SQ-%" PRIu64 "-%u-%s", w->window, kind, short_name(p[i].who, name));
        sq_xml_put(o, "SeqNb", "%zu", i + 1);
        sq_xml_open(o, "Amt");
        sq_xml_put_money(o, "Amt", p[i].fen < 0 ? -p[i].fen : p[i].fen);
        sq_xml_put(o, "CdtDbt", "%s", p[i].fen < 0 ? "DBIT" : "CRDT");
        sq_xml_close(o);
        put_participant(o, w, p[i].who);
        sq_xml_put(o, "Ref", "%.32s", w->hash);
        sq_xml_close(o);
    }
    sq_xml_close(o);
}

static void put_settlement(struct sq_xml_out *o, const struct sq_iso_window *w)
{
    const struct sq_iso_party *hub = party(w, "hub");
    sq_xml_open(o, "SttlmInf");
    sq_xml_put(o, "SttlmMtd", "CLRG");
    put_account(o, "SttlmAcct", hub != NULL ? hub->account : NULL);
    sq_xml_open(o, "ClrSys");
    sq_xml_put(o, "Prtry", "SANQUAN");
    sq_xml_close(o);
    sq_xml_close(o);
}

static sq_status write_pacs029(struct sq_xml_out *o, const struct sq_iso_window *w, struct position *p,
                               struct sq_error *err)
{
    size_t count, requests = 0;
    __int128 sum = 0;
    sq_status st = SQ_OK;
    for (uint32_t kind = 1; st == SQ_OK && kind <= SQ_KIND_COUNT; kind++) {
        st = positions_of(w, kind, p, &count, err);
        requests += st == SQ_OK && count != 0;
        for (size_t i = 0; st == SQ_OK && i < count; i++)
            sum += p[i].fen < 0 ? -p[i].fen : p[i].fen;
    }
    if (st == SQ_OK && requests == 0)
        return sq_fail(err, SQ_E_FORMAT, "window %" PRIu64 " needs no payment: there is nothing to tell a bank",
                       w->window);
    if (st != SQ_OK || (st = check_amount(sum > INT64_MAX ? INT64_MAX : (int64_t)sum, err)) != SQ_OK)
        return st;
    sq_xml_open(o, "MulSttlmReq");
    sq_xml_open(o, "GrpHdr");
    sq_xml_put(o, "MsgId", "SQ-%" PRIu64 "-%.16s", w->window, w->hash);
    put_time(o, "CreDtTm", w->final_ms);
    sq_xml_put(o, "NbOfSttlmReqs", "%zu", requests);
    sq_xml_put(o, "CtrlSum", "%" PRId64 ".%02d", (int64_t)sum / 100, (int)((int64_t)sum % 100));
    put_settlement(o, w);
    sq_xml_close(o);
    for (uint32_t kind = 1; st == SQ_OK && kind <= SQ_KIND_COUNT; kind++) {
        st = positions_of(w, kind, p, &count, err);
        if (st == SQ_OK && count != 0)
            put_request(o, w, kind, p, count);
    }
    sq_xml_close(o);
    return st;
}

/* Ends the document; after an error its bytes are dropped. */
static sq_status finish(struct sq_xml_out *o, sq_status st, uint8_t **bytes, size_t *size, struct sq_error *err)
{
    uint8_t *made = NULL;
    sq_status ended = sq_xml_end(o, &made, size, st == SQ_OK ? err : NULL);
    if (st == SQ_OK)
        st = ended;
    if (st == SQ_OK)
        *bytes = made;
    else
        free(made);
    return st;
}

sq_status sq_iso_pacs029(const struct sq_iso_window *w, uint8_t **bytes, size_t *size, struct sq_error *err)
{
    struct sq_xml_out *o;
    struct position *p = malloc((w->payment_count * 2 + 1) * sizeof *p);
    if (p == NULL)
        return sq_fail(err, SQ_E_NOMEM, "positions");
    sq_status st = sq_xml_begin("urn:iso:std:iso:20022:tech:xsd:pacs.029.001.02", &o, err);
    if (st == SQ_OK)
        st = finish(o, write_pacs029(o, w, p, err), bytes, size, err);
    free(p);
    return st;
}

/* ---- pacs.009 ---- */

static void put_institution(struct sq_xml_out *o, const struct sq_iso_window *w, const char *name, const char *who)
{
    const struct sq_iso_party *p = party(w, who);
    sq_xml_open(o, name);
    sq_xml_open(o, "FinInstnId");
    if (p != NULL && p->bic != NULL)
        sq_xml_put(o, "BICFI", "%s", p->bic);
    if (p != NULL && p->name != NULL)
        sq_xml_put(o, "Nm", "%s", p->name);
    if (p == NULL || p->bic == NULL)
        put_scheme(o, who);
    sq_xml_close(o);
    sq_xml_close(o);
}

static void put_transfer(struct sq_xml_out *o, const struct sq_iso_window *w, const struct sq_iso_payment *p)
{
    const struct sq_iso_party *payer = party(w, p->payer), *payee = party(w, p->payee);
    char reference[SQ_ISO_REFERENCE_SIZE];
    sq_iso_reference(w->window, p, reference);
    sq_xml_open(o, "CdtTrfTxInf");
    sq_xml_open(o, "PmtId");
    sq_xml_put(o, "InstrId", "%s", reference);
    sq_xml_put(o, "EndToEndId", "%s", reference);
    sq_xml_close(o);
    sq_xml_put_money(o, "IntrBkSttlmAmt", p->amount_fen);
    put_date(o, "IntrBkSttlmDt", w->final_ms);
    put_institution(o, w, "Dbtr", p->payer);
    put_account(o, "DbtrAcct", payer != NULL ? payer->account : NULL);
    put_institution(o, w, "Cdtr", p->payee);
    put_account(o, "CdtrAcct", payee != NULL ? payee->account : NULL);
    sq_xml_open(o, "RmtInf");
    sq_xml_put(o, "Ustrd", "SANQUAN window %" PRIu64 " kind %u settlement %.32s", w->window, p->kind, w->hash);
    sq_xml_close(o);
    sq_xml_close(o);
}

static sq_status write_pacs009(struct sq_xml_out *o, const struct sq_iso_window *w, const char *code,
                               struct sq_error *err)
{
    size_t count = 0;
    __int128 sum = 0;
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < w->payment_count; i++)
        if (code == NULL || strcmp(w->payments[i].payer, code) == 0) {
            count++;
            sum += w->payments[i].amount_fen;
            st = check_amount(sum > INT64_MAX ? INT64_MAX : (int64_t)sum, err);
        }
    if (st == SQ_OK && count == 0)
        return sq_fail(err, SQ_E_FORMAT, "window %" PRIu64 ": %s has nothing to pay", w->window,
                       code != NULL ? code : "nobody");
    if (st != SQ_OK)
        return st;
    sq_xml_open(o, "FICdtTrf");
    sq_xml_open(o, "GrpHdr");
    sq_xml_put(o, "MsgId", "SQ-%" PRIu64 "-%.8s-%s", w->window, w->hash, code != NULL ? code : "all");
    put_time(o, "CreDtTm", w->final_ms);
    sq_xml_put(o, "NbOfTxs", "%zu", count);
    sq_xml_put_money(o, "TtlIntrBkSttlmAmt", (int64_t)sum);
    put_date(o, "IntrBkSttlmDt", w->final_ms);
    sq_xml_open(o, "SttlmInf");
    sq_xml_put(o, "SttlmMtd", "CLRG");
    sq_xml_open(o, "ClrSys");
    sq_xml_put(o, "Prtry", "SANQUAN");
    sq_xml_close(o);
    sq_xml_close(o);
    sq_xml_close(o);
    for (size_t i = 0; i < w->payment_count; i++)
        if (code == NULL || strcmp(w->payments[i].payer, code) == 0)
            put_transfer(o, w, &w->payments[i]);
    sq_xml_close(o);
    return SQ_OK;
}

sq_status sq_iso_pacs009(const struct sq_iso_window *w, const char *code, uint8_t **bytes, size_t *size,
                         struct sq_error *err)
{
    struct sq_xml_out *o;
    sq_status st = sq_xml_begin("urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08", &o, err);
    return st == SQ_OK ? finish(o, write_pacs009(o, w, code, err), bytes, size, err) : st;
}

/* ---- camt.053 ---- */

static void put_signed(struct sq_xml_out *o, int64_t fen)
{
    sq_xml_put_money(o, "Amt", fen < 0 ? -fen : fen);
    sq_xml_put(o, "CdtDbtInd", "%s", fen < 0 ? "DBIT" : "CRDT");
}

static void put_day(struct sq_xml_out *o, const char *name, uint32_t day)
{
    sq_xml_open(o, name);
    sq_xml_put(o, "Dt", "%04u-%02u-%02u", FOR_BANK(day));
    sq_xml_close(o);
}

static void put_balance(struct sq_xml_out *o, const char *code, int64_t fen, uint32_t day)
{
    sq_xml_open(o, "Bal");
    sq_xml_open(o, "Tp");
    sq_xml_open(o, "CdOrPrtry");
    sq_xml_put(o, "Cd", "%s", code);
    sq_xml_close(o);
    sq_xml_close(o);
    put_signed(o, fen);
    put_day(o, "Dt", day);
    sq_xml_close(o);
}

static void put_entry(struct sq_xml_out *o, const struct sq_iso_entry *e)
{
    sq_xml_open(o, "Ntry");
    sq_xml_put(o, "NtryRef", "%s", e->reference);
    put_signed(o, e->amount_fen);
    sq_xml_open(o, "Sts");
    sq_xml_put(o, "Cd", "BOOK");
    sq_xml_close(o);
    put_day(o, "BookgDt", e->day);
    sq_xml_open(o, "BkTxCd");
    sq_xml_open(o, "Prtry");
    sq_xml_put(o, "Cd", "%s", e->what);
    sq_xml_put(o, "Issr", "SANQUAN");
    sq_xml_close(o);
    sq_xml_close(o);
    sq_xml_open(o, "NtryDtls");
    sq_xml_open(o, "TxDtls");
    sq_xml_open(o, "Refs");
    sq_xml_put(o, "EndToEndId", "%s", e->end_to_end[0] != '\0' ? e->end_to_end : "NOTPROVIDED");
    sq_xml_close(o);
    if (e->text != NULL) {
        sq_xml_open(o, "RmtInf");
        sq_xml_put(o, "Ustrd", "%s", e->text);
        sq_xml_close(o);
    }
    sq_xml_close(o);
    sq_xml_close(o);
    sq_xml_close(o);
}

static sq_status put_statement(struct sq_xml_out *o, const struct sq_iso_statement *s, struct sq_error *err)
{
    __int128 balance = s->opening_fen;
    for (size_t i = 0; i < s->count; i++)
        balance += s->entries[i].amount_fen;
    if (balance > AMOUNT_MAX_FEN || balance < -AMOUNT_MAX_FEN)
        return sq_fail(err, SQ_E_OVERFLOW, "the balance of %s does not fit into 18 digits", s->account);
    sq_xml_open(o, "Stmt");
    sq_xml_put(o, "Id", "%s", s->id);
    put_account(o, "Acct", s->account);
    put_balance(o, "OPBD", s->opening_fen, s->from_day);
    put_balance(o, "CLBD", (int64_t)balance, s->to_day);
    for (size_t i = 0; i < s->count; i++)
        put_entry(o, &s->entries[i]);
    if (s->owner != NULL)
        sq_xml_put(o, "AddtlStmtInf", "%s", s->owner);
    sq_xml_close(o);
    return SQ_OK;
}

sq_status sq_iso_camt053(const char *message_id, uint64_t at_ms, const struct sq_iso_statement *statements,
                         size_t count, uint8_t **bytes, size_t *size, struct sq_error *err)
{
    struct sq_xml_out *o;
    sq_status st = count != 0 ? sq_xml_begin("urn:iso:std:iso:20022:tech:xsd:camt.053.001.08", &o, err)
                              : sq_fail(err, SQ_E_FORMAT, "there is nothing to state");
    if (st != SQ_OK)
        return st;
    sq_xml_open(o, "BkToCstmrStmt");
    sq_xml_open(o, "GrpHdr");
    sq_xml_put(o, "MsgId", "%s", message_id);
    put_time(o, "CreDtTm", at_ms);
    sq_xml_close(o);
    for (size_t i = 0; st == SQ_OK && i < count; i++)
        st = put_statement(o, &statements[i], err);
    sq_xml_close(o);
    return finish(o, st, bytes, size, err);
}
