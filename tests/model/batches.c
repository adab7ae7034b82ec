/*
 * The acquirer's side of a batch, and what issuers and homes do when they are asked.
 *
 *   row:   REGISTERING (its invoice's home is asked) -> CLEARING (its issuer is asked) -> DONE
 */
#include <stdlib.h>
#include <string.h>

#include "clearing/base/hash.h"
#include "tests/model/internal.h"

void model_batch_free(struct m_batch *b)
{
    sanquan__v1__batch__free_unpacked(b->rows, NULL);
    free(b->stage);
}

static int claims(uint8_t verb)
{
    return verb == SANQUAN__V1__VERB__REDEEM || verb == SANQUAN__V1__VERB__COMMIT;
}

const char *model_issuer_of(const struct model *m, const struct m_row *r)
{
    uint64_t issuer = r->voucher / 1000000000u / 10000u;
    const char *node = issuer <= 999999 ? model_node_of_issuer(m, (uint32_t)issuer) : NULL;
    return node != NULL ? node : "";
}

int model_is_here(const struct model *m, const char *node)
{
    return strcmp(node, m->self) == 0;
}

int model_batch_is_whole(const Sanquan__V1__Batch *b)
{
    return model_batch_shape(b) != SQ_R_BATCH_SIZE && model_batch_shape(b) != SQ_R_COLUMNS;
}

void model_asked(const struct model *m, const Sanquan__V1__Batch *b, size_t i, const char **home, const char **issuer)
{
    struct m_row r = model_row(b, i);
    *home = model_home(m, &r);
    *issuer = model_issuer_of(m, &r);
}

/* ---- what became of rows ---- */

static void note_accepted(struct model *m, const struct m_row *r, const char *seller)
{
    int64_t moves = model_moves(r);
    if (moves == 0)
        return;
    const struct m_programme *p = model_programme_of(m, r->voucher);
    struct model_claim c = {.issuer = p->issuer,
                            .number = p->number,
                            .total_fen = r->total,
                            .base_fen = moves < 0 ? -r->base : r->base,
                            .amount_fen = moves};
    memcpy(c.invoice, r->invoice, 10);
    memcpy(c.seller, seller, sizeof c.seller);
    for (size_t i = 0; i < m->accepted_count; i++)
        if (memcmp(m->accepted[i].invoice, c.invoice, 10) == 0 && m->accepted[i].issuer == c.issuer &&
            m->accepted[i].number == c.number && strcmp(m->accepted[i].seller, c.seller) == 0) {
            m->accepted[i].amount_fen += c.amount_fen;
            m->accepted[i].base_fen += c.base_fen;
            return;
        }
    ADD(m->accepted, c);
}

void model_row_told(struct model *m, struct m_batch *b, size_t i, uint32_t code)
{
    struct m_row r = model_row(b->rows, i);
    b->told[i] = 1;
    b->code[i] = (uint8_t)code;
    if (code != 0) {
        m->totals.items_refused++;
        return;
    }
    m->totals.items_accepted++;
    note_accepted(m, &r, b->provider);
}

static void row_done(struct model *m, struct m_batch *b, size_t i, uint32_t code)
{
    b->stage[i] = M_DONE;
    model_row_told(m, b, i, code);
}

/* The next step of the stream `debtor` -> `creditor`. */
void model_add_step(struct model *m, const char *debtor, const char *creditor, uint64_t batch, const uint32_t *row,
                    const uint8_t *code, size_t n, const Sanquan__V1__Batch *b, struct model_step *out)
{
    struct m_link *l = model_link_to(m, model_is_here(m, debtor) ? creditor : debtor);
    int owes = model_is_here(m, debtor);
    struct model_step step = {0};
    uint8_t before[32] = {0}, result[32], *flat = malloc(n * 5 + 1);
    uint8_t head[16 + 32 + 8 + 6 + 6 + 8 + 32 + 8 + 56] = "sanquan/link/v1", *at = head + 16;
    SQ_ASSERT(flat != NULL);
    for (size_t i = 0; i < n; i++) {
        struct m_row r = model_row(b, i);
        sq_put_be32(flat + 4 * i, row[i]);
        flat[4 * n + i] = code[i];
        if (code[i] != 0 || model_moves(&r) == 0)
            continue;
        step.count++;
        step.total_fen[model_programme_of(m, r.voucher)->kind - 1] += model_moves(&r);
    }
    sq_sha256(flat, n * 5, result);
    free(flat);
    size_t number = owes ? l->owes_count : l->owed_count;
    if (number != 0)
        memcpy(before, owes ? l->owes[number - 1].hash : l->owed[number - 1].hash, 32);
    *out = step;
    if (step.count == 0)
        return;
    memcpy(at, before, 32), at += 32;
    sq_put_be64(at, number + 1), at += 8;
    memcpy(at, debtor, 6), at += 6;
    memcpy(at, creditor, 6), at += 6;
    sq_put_be64(at, batch), at += 8;
    memcpy(at, result, 32), at += 32;
    sq_put_be64(at, step.count), at += 8;
    for (size_t k = 0; k < MODEL_KINDS; k++, at += 8)
        sq_put_be64(at, (uint64_t)step.total_fen[k]);
    sq_sha256(head, sizeof head, step.hash);
    *out = step;
    if (owes)
        ADD(l->owes, step);
    else
        ADD(l->owed, step);
}

/* ---- a provider's batch ---- */

struct m_batch *model_batch_at(struct model *m, uint64_t seq)
{
    for (size_t i = 0; i < m->batch_count; i++)
        if (m->batch[i].seq == seq)
            return &m->batch[i];
    return NULL;
}

/* The answer goes when every row is told of; the batch is forgotten when nobody is asked about it any more. */
void model_answer(struct model *m, struct m_batch *b, struct m_verdict *v)
{
    int coded = 0, told = 1, done = 1;
    for (size_t i = 0; i < b->rows->n_voucher; i++) {
        told &= b->told[i];
        done &= b->stage[i] == M_DONE;
    }
    if (told && !b->answered) {
        b->answered = v->answered = 1;
        v->answer.id = b->id;
        v->answer.seq = b->seq;
        for (size_t i = 0; i < b->rows->n_voucher; i++) {
            struct m_row r = model_row(b->rows, i);
            coded |= b->code[i];
            v->answer.count += b->code[i] == 0;
            v->answer.amount_fen += b->code[i] == 0 ? model_moves(&r) : 0;
        }
        if (coded) {
            v->answer.code.len = b->rows->n_voucher;
            v->answer.code.data = malloc(b->rows->n_voucher);
            SQ_ASSERT(v->answer.code.data != NULL);
            memcpy(v->answer.code.data, b->code, b->rows->n_voucher);
        }
    }
    if (!done)
        return;
    model_batch_free(b);
    memmove(b, b + 1, (size_t)(m->batch + m->batch_count - (b + 1)) * sizeof *b);
    m->batch_count--;
}

/* What a row that is done leaves in the register, when its invoice is at home here. */
void model_claim_ended(struct model *m, const struct m_batch *b, size_t i)
{
    struct m_row r = model_row(b->rows, i);
    int returns = r.verb == SANQUAN__V1__VERB__RETURN, refused = b->code[i] != 0;
    if (!model_is_here(m, model_home(m, &r)))
        return;
    if (returns)
        model_return_end(m, &r, b->provider);
    if ((returns && !refused) || (claims(r.verb) && refused))
        model_give_back(m, &r, b->provider);
}

/* This node is the issuer of these rows: decide them one after another, then the one step of what they come to. */
static void decide_here(struct model *m, struct m_batch *b, const uint32_t *row, size_t n)
{
    struct model_step step;
    struct m_asker asker = {b->provider, m->self, b->received_ms, b->rows->reserve_until_ms};
    Sanquan__V1__Batch some = *b->rows;
    uint8_t *code = malloc(n + 1), *verb = malloc(n + 1);
    uint64_t *voucher = malloc(8 * n + 1);
    int64_t *amount = malloc(8 * n + 1);
    SQ_ASSERT(code != NULL && verb != NULL && voucher != NULL && amount != NULL);
    for (size_t k = 0; k < n; k++) {
        struct m_row r = model_row(b->rows, row[k]);
        code[k] = (uint8_t)model_decide(m, &r, &asker);
        verb[k] = r.verb;
        voucher[k] = r.voucher;
        amount[k] = r.amount;
        row_done(m, b, row[k], code[k]);
    }
    m->totals.items_decided += n;
    some.n_voucher = n;
    some.voucher = voucher;
    some.amount_fen = amount;
    some.verb = (ProtobufCBinaryData){n, verb};
    model_add_step(m, m->self, m->self, b->seq, row, code, n, &some, &step);
    for (size_t k = 0; k < n; k++)
        model_claim_ended(m, b, row[k]);
    free(code);
    free(verb);
    free(voucher);
    free(amount);
}

/* Rows that may be cleared now: those of this node's own issuers are decided, for the others their issuers are asked. */
static void clear_rows(struct model *m, struct m_batch *b, const uint8_t *ready)
{
    uint32_t *row = malloc(4 * b->rows->n_voucher + 4);
    size_t n = 0;
    SQ_ASSERT(row != NULL);
    for (uint32_t i = 0; i < b->rows->n_voucher; i++) {
        struct m_row r = model_row(b->rows, i);
        if (ready[i] && model_is_here(m, model_issuer_of(m, &r)))
            row[n++] = i;
    }
    if (n != 0)
        decide_here(m, b, row, n);
    free(row);
}

/* A claim of this provider on this invoice that others have not decided yet, in a batch that waits or in this one. */
static int is_under_way(const struct model *m, const struct m_batch *now, const char *provider, const uint8_t *invoice)
{
    for (size_t i = 0; i < m->batch_count + (now != NULL); i++) {
        const struct m_batch *b = i < m->batch_count ? &m->batch[i] : now;
        for (size_t k = 0; strcmp(b->provider, provider) == 0 && k < b->rows->n_voucher; k++) {
            struct m_row r = model_row(b->rows, k);
            if (claims(r.verb) && b->stage[k] != M_DONE && memcmp(r.invoice, invoice, 10) == 0)
                return 1;
        }
    }
    return 0;
}

static uint32_t row_known(const struct model *m, const struct m_batch *now, const char *provider, const struct m_row *r)
{
    uint32_t refused = model_row_alone(m, r);
    if (refused != 0)
        return refused;
    if (r->reservation >= PART_NUMBERS)
        return SQ_R_RESERVATION_UNKNOWN;
    if (model_issuer_of(m, r)[0] == '\0')
        return SQ_R_UNKNOWN_ISSUER;
    if (model_programme_of(m, r->voucher) == NULL)
        return SQ_R_UNKNOWN_PROGRAMME;
    return r->verb == SANQUAN__V1__VERB__RETURN && is_under_way(m, now, provider, r->invoice) ? SQ_R_RETURN_EXCEEDS : 0;
}

/* All rows are of this node's issuers and homes: registered and decided row by row. */
static void all_here(struct model *m, struct m_batch *b)
{
    size_t n = b->rows->n_voucher;
    struct m_asker asker = {b->provider, m->self, m->now_ms, b->rows->reserve_until_ms};
    struct model_step step;
    uint32_t *row = malloc(4 * n + 4);
    SQ_ASSERT(row != NULL);
    for (size_t i = 0; i < n; i++) {
        struct m_row r = model_row(b->rows, i);
        uint32_t refused = row_known(m, NULL, b->provider, &r);
        row[i] = (uint32_t)i;
        if (refused == 0 && claims(r.verb))
            refused = model_may_claim(m, &r, b->provider);
        if (refused == 0 && r.verb == SANQUAN__V1__VERB__RETURN)
            refused = model_may_return(m, &r, b->provider);
        if (refused == 0)
            refused = model_decide(m, &r, &asker);
        if (refused == 0 && claims(r.verb))
            model_claim_add(m, &r, b->provider);
        if (refused == 0 && r.verb == SANQUAN__V1__VERB__RETURN)
            model_give_back(m, &r, b->provider);
        row_done(m, b, i, refused);
    }
    m->totals.items_decided += n;
    model_add_step(m, m->self, m->self, b->seq, row, b->code, n, b->rows, &step);
    free(row);
}

static void some_elsewhere(struct model *m, struct m_batch *b)
{
    size_t n = b->rows->n_voucher;
    uint8_t *ready = calloc(n + 1, 1);
    SQ_ASSERT(ready != NULL);
    memset(b->stage, M_NEW, n);
    for (size_t i = 0; i < n; i++) {
        struct m_row r = model_row(b->rows, i);
        uint32_t refused = row_known(m, b, b->provider, &r);
        uint64_t until_ms = b->rows->reserve_until_ms;
        b->stage[i] = r.bundle != 0 ? M_REGISTERED : M_CLEARING;
        if (refused == 0 && r.bundle != 0 &&
            (until_ms <= m->now_ms || until_ms > m->now_ms + RESERVED_UNTIL_MAX_DAYS * 86400000ull))
            refused = SQ_R_RESERVATION_TERM;
        if (refused == 0 && !model_is_here(m, model_home(m, &r))) {
            b->stage[i] = r.bundle != 0 ? M_UNSENT : M_REGISTERING;
            continue;
        }
        if (refused == 0 && claims(r.verb) && (refused = model_may_claim(m, &r, b->provider)) == 0)
            model_claim_add(m, &r, b->provider);
        if (refused == 0 && r.verb == SANQUAN__V1__VERB__RETURN &&
            (refused = model_may_return(m, &r, b->provider)) == 0)
            model_return_begin(m, &r, b->provider);
        if (refused != 0)
            row_done(m, b, i, refused);
        else
            ready[i] = r.bundle == 0;
    }
    model_bundles_go_on(m, b, 0);
    for (size_t i = 0; i < n; i++)
        if (b->stage[i] == M_UNSENT)
            b->stage[i] = M_REGISTERING;
    clear_rows(m, b, ready);
    free(ready);
}

/* The codes of an outcome: of all rows, or of those named. */
static void put_codes(struct m_verdict *v, const struct m_batch *b, const uint32_t *row, size_t n)
{
    v->code = calloc(n + 1, 1);
    SQ_ASSERT(v->code != NULL);
    v->code_count = n;
    for (size_t k = 0; k < n; k++) {
        size_t i = row != NULL ? row[k] : k;
        v->code[k] = b->told[i] ? b->code[i] : PAYLOAD_WAITS;
    }
}

void model_on_batch(struct model *m, const char *sender, uint64_t id, const Sanquan__V1__Batch *in, struct m_verdict *v)
{
    struct m_batch b = {.seq = m->seq, .id = id, .received_ms = m->now_ms};
    v->status = model_batch_shape(in);
    if (v->status != 0)
        return;
    size_t n = in->n_voucher, size = sanquan__v1__batch__get_packed_size(in);
    uint8_t *copy = malloc(size + 1);
    SQ_ASSERT(copy != NULL && size == sanquan__v1__batch__pack(in, copy));
    b.rows = sanquan__v1__batch__unpack(NULL, size, copy);
    free(copy);
    b.stage = calloc(3 * n + 1, 1);
    SQ_ASSERT(b.rows != NULL && b.stage != NULL);
    b.code = b.stage + n;
    b.told = b.code + n;
    memcpy(b.provider, strchr(sender, ':') + 1, sizeof b.provider - 1);
    m->totals.items_received += n;
    int elsewhere = model_has_bundles(&b);
    for (size_t i = 0; i < n; i++) {
        struct m_row r = model_row(in, i);
        const char *issuer = model_issuer_of(m, &r);
        elsewhere |= (issuer[0] != '\0' && !model_is_here(m, issuer)) || !model_is_here(m, model_home(m, &r));
    }
    if (elsewhere)
        some_elsewhere(m, &b);
    else
        all_here(m, &b);
    put_codes(v, &b, NULL, n);
    ADD(m->batch, b);
    model_answer(m, &m->batch[m->batch_count - 1], v);
}

/* Rows that another node speaks of must wait at it, in this stage. */
static struct m_batch *waiting_at(struct model *m, uint64_t seq, const uint32_t *row, size_t n, size_t codes,
                                  enum m_stage stage, const char *at, struct m_verdict *v)
{
    struct m_batch *b = model_batch_at(m, seq);
    if (b == NULL || n == 0 || n != codes) {
        model_wrong(v, "batch %" PRIu64 " does not wait for %s", seq, at);
        return NULL;
    }
    for (size_t k = 0; k < n; k++) {
        struct m_row r = row[k] < b->rows->n_voucher ? model_row(b->rows, row[k]) : (struct m_row){0};
        const char *asked = r.invoice == NULL        ? ""
                            : stage == M_REGISTERING ? model_home(m, &r)
                                                     : model_issuer_of(m, &r);
        if (r.invoice == NULL || (k != 0 && row[k] <= row[k - 1]) || b->stage[row[k]] != stage ||
            strcmp(asked, at) != 0) {
            model_wrong(v, "batch %" PRIu64 " row %u does not wait for %s", seq, row[k], at);
            return NULL;
        }
    }
    return b;
}

void model_on_registered(struct model *m, const char *from, const Sanquan__V1__Registered *in, struct m_verdict *v)
{
    struct m_batch *b = waiting_at(m, in->batch, in->row, in->n_row, in->code.len, M_REGISTERING, from, v);
    if (b == NULL)
        return;
    uint8_t *ready = calloc(2 * b->rows->n_voucher + 1, 1), *told = ready + b->rows->n_voucher;
    SQ_ASSERT(ready != NULL);
    memcpy(told, b->told, b->rows->n_voucher);
    for (size_t k = 0; k < in->n_row; k++) {
        uint32_t i = in->row[k];
        struct m_row r = model_row(b->rows, i);
        b->stage[i] = r.bundle != 0 ? M_REGISTERED : M_CLEARING;
        if (in->code.data[k] == 0)
            ready[i] = r.bundle == 0;
        else if (told[i])
            b->stage[i] = M_DONE;
        else
            row_done(m, b, i, in->code.data[k]);
    }
    model_bundles_go_on(m, b, 0);
    clear_rows(m, b, ready);
    put_codes(v, b, in->row, in->n_row);
    model_bundles_list(v, b, told);
    free(ready);
    model_answer(m, b, v);
}

void model_on_decided(struct model *m, const char *from, const Sanquan__V1__Decided *in, struct m_verdict *v)
{
    enum m_stage asked = in->verb == 0                            ? M_CLEARING
                         : in->verb == SANQUAN__V1__VERB__RESERVE ? M_RESERVING
                         : in->verb == SANQUAN__V1__VERB__COMMIT  ? M_COMMITTING
                                                                  : M_RELEASING;
    struct m_batch *b = waiting_at(m, in->batch, in->row, in->n_row, in->code.len, asked, from, v);
    struct model_step step;
    if (b == NULL)
        return;
    uint8_t *told = malloc(b->rows->n_voucher + 1);
    SQ_ASSERT(told != NULL);
    memcpy(told, b->told, b->rows->n_voucher);
    Sanquan__V1__Batch some = *b->rows;
    uint8_t *verb = malloc(in->n_row + 1);
    uint64_t *voucher = malloc(8 * in->n_row + 1);
    int64_t *amount = malloc(8 * in->n_row + 1);
    SQ_ASSERT(verb != NULL && voucher != NULL && amount != NULL);
    for (size_t k = 0; k < in->n_row; k++) {
        struct m_row r = model_row(b->rows, in->row[k]);
        verb[k] = in->verb != 0 ? (uint8_t)in->verb : r.verb;
        voucher[k] = r.voucher;
        amount[k] = r.amount;
    }
    some.n_voucher = in->n_row;
    some.voucher = voucher;
    some.amount_fen = amount;
    some.verb = (ProtobufCBinaryData){in->n_row, verb};
    model_add_step(m, from, m->self, in->batch, in->row, in->code.data, in->n_row, &some, &step);
    free(verb);
    free(voucher);
    free(amount);
    const struct m_link *l = model_link_to(m, from);
    if ((in->link != NULL) != (step.count != 0) ||
        (in->link != NULL && (in->link->number != l->owed_count || in->link->count != step.count ||
                              memcmp(in->link->hash.data, step.hash, 32) != 0)))
        model_wrong(v, "the link that %s states is not what its decision comes to", from);
    for (size_t k = 0; k < in->n_row; k++) {
        uint32_t i = in->row[k], refused = in->code.data[k];
        if (asked == M_RESERVING && refused == 0) {
            b->stage[i] = M_HELD;
            continue;
        }
        if (asked == M_COMMITTING && refused != 0)
            model_wrong(v, "%s refuses to spend row %u, which it holds", from, i);
        b->stage[i] = M_DONE;
        if (!told[i])
            model_row_told(m, b, i, refused);
        if (asked == M_CLEARING || (asked == M_RESERVING && refused != 0))
            model_claim_ended(m, b, i);
    }
    model_bundles_go_on(m, b, 0);
    model_bundles_list(v, b, told);
    free(told);
    model_answer(m, b, v);
}

/* ---- asked by others ---- */

void model_on_register(struct model *m, const char *from, const Sanquan__V1__Register *in, struct m_verdict *v)
{
    (void)from;
    v->code = calloc(in->n_row + 1, 1);
    SQ_ASSERT(v->code != NULL);
    v->code_count = in->n_row;
    for (size_t k = 0; k < in->n_row; k++) {
        int back = in->amount_fen[k] < 0;
        struct m_row r = {.voucher = in->voucher[k],
                          .invoice = in->invoice.data + 10 * k,
                          .total = in->invoice_total_fen[k],
                          .verb = SANQUAN__V1__VERB__REDEEM,
                          .amount = back ? -in->amount_fen[k] : in->amount_fen[k],
                          .base = back ? -in->base_fen[k] : in->base_fen[k]};
        v->code[k] = (uint8_t)(model_programme_of(m, r.voucher) == NULL ? SQ_R_UNKNOWN_PROGRAMME
                               : back                                   ? model_may_return(m, &r, in->provider)
                                                                        : model_may_claim(m, &r, in->provider));
        if (v->code[k] == 0 && back)
            model_return_begin(m, &r, in->provider);
        else if (v->code[k] == 0)
            model_claim_add(m, &r, in->provider);
    }
}

void model_on_unregister(struct model *m, const Sanquan__V1__Unregister *in)
{
    for (size_t k = 0; k < in->n_voucher; k++) {
        struct m_row r = {.voucher = in->voucher[k],
                          .invoice = in->invoice.data + 10 * k,
                          .amount = in->amount_fen[k],
                          .base = in->base_fen[k]};
        if (in->end.data[k] != 1)
            model_return_end(m, &r, in->provider);
        if (in->end.data[k] != 3)
            model_give_back(m, &r, in->provider);
    }
}

void model_on_clear(struct model *m, const char *from, const Sanquan__V1__Clear *in, struct m_verdict *v)
{
    struct model_step step;
    size_t n = in->items->n_voucher;
    v->code = calloc(n + 1, 1);
    SQ_ASSERT(v->code != NULL);
    v->code_count = n;
    struct m_asker asker = {in->provider, from, in->received_at_ms < m->now_ms ? in->received_at_ms : m->now_ms,
                            in->items->reserve_until_ms};
    for (size_t i = 0; i < n; i++) {
        struct m_row r = model_row(in->items, i);
        int promised = r.reservation >= PART_NUMBERS && r.verb != SANQUAN__V1__VERB__RESERVE;
        uint32_t refused = !promised && m->now_ms > in->expires_at_ms               ? SQ_R_EXPIRED
                           : !promised && m->now_ms - asker.at_ms > 7 * 86400000ull ? SQ_R_TOO_LATE
                                                                                    : model_row_alone(m, &r);
        if (refused == 0 && !model_is_here(m, model_issuer_of(m, &r)))
            refused = SQ_R_UNKNOWN_VOUCHER;
        v->code[i] = (uint8_t)(refused != 0 ? refused : model_decide(m, &r, &asker));
    }
    m->totals.items_decided += n;
    model_add_step(m, m->self, from, in->batch, in->row, v->code, n, in->items, &step);
}
