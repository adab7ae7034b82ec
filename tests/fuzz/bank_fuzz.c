/*
 * A bank's camt.054. What is told is money between participants of this window, in order; a second reading tells the same; what is refused tells
 * nothing and says why.
 */
#include "ops/files/iso.h"
#include "tests/fuzz/fuzz.h"

static int is_ordered(const struct sq_iso_payment *a, const struct sq_iso_payment *b)
{
    int order = a->kind != b->kind ? (a->kind < b->kind ? -1 : 1) : strcmp(a->payer, b->payer);
    order = order != 0 ? order : strcmp(a->payee, b->payee);
    return order < 0 || (order == 0 && a->amount_fen <= b->amount_fen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sq_iso_told t = {0}, again = {0};
    struct sq_error err = {0};
    sq_status st = sq_iso_camt054(sq_bytes_of(data, size), "bank.xml", 7, "310000", &t, &err);
    if (st != SQ_OK) {
        HOLDS(t.payments == NULL && t.count == 0 && err.text[0] != '\0');
        return 0;
    }
    HOLDS(sq_iso_camt054(sq_bytes_of(data, size), "bank.xml", 7, "310000", &again, &err) == SQ_OK);
    HOLDS(again.count == t.count && again.others == t.others && again.pending == t.pending);
    for (size_t i = 0; i < t.count; i++) {
        const struct sq_iso_payment *p = &t.payments[i];
        char reference[SQ_ISO_REFERENCE_SIZE];
        struct sq_iso_payment read = {0};
        uint64_t window = 0;
        HOLDS(p->amount_fen > 0 && (strcmp(p->payer, "310000") == 0 || strcmp(p->payee, "310000") == 0));
        HOLDS(i == 0 || is_ordered(&t.payments[i - 1], p));
        HOLDS(again.payments[i].amount_fen == p->amount_fen);
        sq_iso_reference(7, p, reference);
        HOLDS(sq_iso_reference_read(reference, &window, &read) && window == 7 && read.kind == p->kind);
    }
    sq_iso_told_free(&t);
    sq_iso_told_free(&again);
    return 0;
}
