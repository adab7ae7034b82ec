/* The register of invoices that are at home here: a list of claims, a line a programme and invoice. */
#include <string.h>

#include "tests/model/internal.h"

/* Lines of this invoice, one after another: pass -1 first. */
static int next_line(const struct model *m, const uint8_t *invoice, int after)
{
    for (int i = after + 1; i < (int)m->claim_count; i++)
        if (memcmp(m->claim[i].invoice, invoice, 10) == 0)
            return i;
    return -1;
}

static int is_line_of(const struct model_claim *c, const struct m_programme *p)
{
    return c->issuer == p->issuer && c->number == p->number;
}

static uint32_t class_of(const struct m_programme *p)
{
    return p->stacking == 1 ? p->stack_limit_bp : 0;
}

/* Nothing is claimed on it, or all of it was given back: whoever comes next is the first. */
static int is_unclaimed(const struct model *m, const uint8_t *invoice)
{
    for (int i = next_line(m, invoice, -1); i >= 0; i = next_line(m, invoice, i))
        if (m->claim[i].amount_fen != 0 || m->claim[i].base_fen != 0)
            return 0;
    return 1;
}

uint32_t model_may_claim(const struct model *m, const struct m_row *r, const char *seller)
{
    const struct m_programme *p = model_programme_of(m, r->voucher);
    uint32_t limit = class_of(p);
    __int128 amounts = r->amount;
    int64_t base = r->base;
    int others = 0, exclusive = limit == 0, first = next_line(m, r->invoice, -1);
    if (is_unclaimed(m, r->invoice))
        return r->base > r->total || r->amount > r->total ? SQ_R_INVOICE_OVERDRAWN : 0;
    if (strcmp(m->claim[first].seller, seller) != 0)
        return SQ_R_INVOICE_SELLER;
    if (m->claim[first].total_fen != r->total)
        return SQ_R_INVOICE_TOTAL;
    for (int i = first; i >= 0; i = next_line(m, r->invoice, i)) {
        const struct model_claim *c = &m->claim[i];
        amounts += c->amount_fen;
        base += is_line_of(c, p) ? c->base_fen : 0;
        if (c->amount_fen == 0)
            continue;
        others |= !is_line_of(c, p);
        exclusive |= c->stack_limit_bp == 0;
        limit = c->stack_limit_bp < limit ? c->stack_limit_bp : limit;
    }
    if (others && exclusive)
        return SQ_R_INVOICE_STACKING;
    if (amounts * 10000 > (__int128)r->total * (others ? limit : 10000))
        return SQ_R_INVOICE_OVERDRAWN;
    return base > r->total ? SQ_R_INVOICE_OVERDRAWN : 0;
}

/* A programme whose versions stack differently is held to the strictest under which it has claimed. */
static uint32_t stricter(const struct model_claim *c, uint32_t limit)
{
    return c->amount_fen == 0 || limit < c->stack_limit_bp ? limit : c->stack_limit_bp;
}

void model_claim_add(struct model *m, const struct m_row *r, const char *seller)
{
    const struct m_programme *p = model_programme_of(m, r->voucher);
    int fresh = is_unclaimed(m, r->invoice);
    for (int i = next_line(m, r->invoice, -1); fresh && i >= 0; i = next_line(m, r->invoice, i)) {
        memcpy(m->claim[i].seller, seller, sizeof m->claim[i].seller);
        m->claim[i].total_fen = r->total;
    }
    for (int i = next_line(m, r->invoice, -1); i >= 0; i = next_line(m, r->invoice, i))
        if (is_line_of(&m->claim[i], p)) {
            m->claim[i].stack_limit_bp = stricter(&m->claim[i], class_of(p));
            m->claim[i].base_fen += r->base;
            m->claim[i].amount_fen += r->amount;
            return;
        }
    struct model_claim c = {.issuer = p->issuer,
                            .number = p->number,
                            .stack_limit_bp = class_of(p),
                            .total_fen = r->total,
                            .base_fen = r->base,
                            .amount_fen = r->amount};
    memcpy(c.invoice, r->invoice, 10);
    memcpy(c.seller, seller, sizeof c.seller);
    ADD(m->claim, c);
}

static struct model_claim *own_line(const struct model *m, const struct m_row *r, const char *seller)
{
    const struct m_programme *p = model_programme_of(m, r->voucher);
    int first = next_line(m, r->invoice, -1);
    if (first < 0 || strcmp(m->claim[first].seller, seller) != 0)
        return NULL;
    for (int i = first; i >= 0; i = next_line(m, r->invoice, i))
        if (is_line_of(&m->claim[i], p))
            return &m->claim[i];
    return NULL;
}

uint32_t model_may_return(const struct model *m, const struct m_row *r, const char *seller)
{
    const struct model_claim *c = own_line(m, r, seller);
    return c != NULL && r->base + c->returning_base_fen <= c->base_fen && r->amount + c->returning_fen <= c->amount_fen
               ? 0
               : SQ_R_RETURN_EXCEEDS;
}

void model_return_begin(struct model *m, const struct m_row *r, const char *seller)
{
    struct model_claim *c = own_line(m, r, seller);
    c->returning_base_fen += r->base;
    c->returning_fen += r->amount;
}

void model_return_end(struct model *m, const struct m_row *r, const char *seller)
{
    struct model_claim *c = own_line(m, r, seller);
    if (c == NULL)
        return;
    c->returning_base_fen -= r->base < c->returning_base_fen ? r->base : c->returning_base_fen;
    c->returning_fen -= r->amount < c->returning_fen ? r->amount : c->returning_fen;
}

void model_give_back(struct model *m, const struct m_row *r, const char *seller)
{
    struct model_claim *c = own_line(m, r, seller);
    if (c == NULL)
        return;
    c->base_fen -= r->base < c->base_fen ? r->base : c->base_fen;
    c->amount_fen -= r->amount < c->amount_fen ? r->amount : c->amount_fen;
}
