/*
 * What a settlement is made of, and the bytes that come of it: the one function that proposer and voters share.
 *
 *   pairs, funds, kinds --the network's method--> nets, payments, and what is left
 *   changes             --the unpaid windows----> losses
 *
 * What is left is still owed and is in the next window: the kinds that this one does not settle, and what a debtor's funds do not
 * discharge where the method is funds.
 *
 * Invariants: the same content gives the same bytes, on every machine; of each node and kind, its pairs come to its net and what is left.
 */
#include <stdlib.h>

#include "clearing/settlement/internal.h"

/* ---- packing, with memory that one free gives back ---- */

struct parts {
    Sanquan__V1__Settlement settlement;
    Sanquan__V1__Pair *pair, **pairs;
    Sanquan__V1__Position *position, **positions;
    Sanquan__V1__Payment *payment, **payments;
    Sanquan__V1__StandingChange *change, **changes;
    Sanquan__V1__Payment *loss, **losses;
    char (*fund)[16];
    Sanquan__V1__Position *have, **funds;
    Sanquan__V1__Payment *remain, **left;
};

static void parts_free(struct parts *p)
{
    free(p->pair);
    free(p->pairs);
    free(p->position);
    free(p->positions);
    free(p->payment);
    free(p->payments);
    free(p->change);
    free(p->changes);
    free(p->loss);
    free(p->losses);
    free(p->fund);
    free(p->have);
    free(p->funds);
    free(p->remain);
    free(p->left);
}

static int changes_room(struct parts *p, size_t changes, size_t losses)
{
    p->change = calloc(changes + 1, sizeof *p->change);
    p->changes = calloc(changes + 1, sizeof *p->changes);
    p->loss = calloc(losses + 1, sizeof *p->loss);
    p->losses = calloc(losses + 1, sizeof *p->losses);
    p->fund = calloc(losses + 1, sizeof *p->fund);
    return p->change != NULL && p->changes != NULL && p->loss != NULL && p->losses != NULL && p->fund != NULL;
}

static int parts_room(struct parts *p, size_t pairs, size_t positions, size_t payments)
{
    p->pair = calloc(pairs + 1, sizeof *p->pair);
    p->pairs = calloc(pairs + 1, sizeof *p->pairs);
    p->position = calloc(positions + 1, sizeof *p->position);
    p->positions = calloc(positions + 1, sizeof *p->positions);
    p->payment = calloc(payments + 1, sizeof *p->payment);
    p->payments = calloc(payments + 1, sizeof *p->payments);
    return p->pair != NULL && p->pairs != NULL && p->position != NULL && p->positions != NULL && p->payment != NULL &&
           p->payments != NULL;
}

static int left_room(struct parts *p, size_t positions, size_t left)
{
    p->have = calloc(positions + 1, sizeof *p->have);
    p->funds = calloc(positions + 1, sizeof *p->funds);
    p->remain = calloc(left + 1, sizeof *p->remain);
    p->left = calloc(left + 1, sizeof *p->left);
    return p->have != NULL && p->funds != NULL && p->remain != NULL && p->left != NULL;
}

static char hub_name[] = "hub";

static char *payer_name(const struct sq_settlement *s, uint32_t who)
{
    return who == SQ_HUB ? hub_name : s->codes[who];
}

static void put_pairs(const struct sq_settlement *s, struct parts *p, const struct sq_content_pair *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Sanquan__V1__Pair *out = p->pairs[i] = &p->pair[i];
        union {
            const struct sq_stated *in;
            struct sq_stated *out;
        } row = {from[i].row}; /* messages do not say const; packing only reads */
        sanquan__v1__pair__init(out);
        out->debtor = s->codes[from[i].debtor];
        out->creditor = s->codes[from[i].creditor];
        out->first = row.in->first;
        out->last = row.in->last;
        out->hash = (ProtobufCBinaryData){SQ_HASH_SIZE, row.out->hash};
        out->count = row.in->count;
        out->n_total_fen = SQ_KIND_COUNT;
        out->total_fen = row.out->total_fen;
        out->n_carried_fen = sq_carries(row.in) ? SQ_KIND_COUNT : 0;
        out->carried_fen = row.out->carried_fen;
    }
    p->settlement.pairs = p->pairs;
    p->settlement.n_pairs = count;
}

static void put_position(const struct sq_settlement *s, Sanquan__V1__Position *out, size_t cell, int64_t fen)
{
    sanquan__v1__position__init(out);
    out->node = s->codes[cell / SQ_KIND_COUNT];
    out->kind = (uint32_t)(cell % SQ_KIND_COUNT + 1);
    out->net_fen = fen;
}

static void put_nets(const struct sq_settlement *s, struct parts *p, const int64_t *net_fen)
{
    size_t n = 0;
    for (size_t cell = 0; cell < (size_t)s->n * SQ_KIND_COUNT; cell++)
        if (net_fen[cell] != 0) {
            p->positions[n] = &p->position[n];
            put_position(s, &p->position[n++], cell, net_fen[cell]);
        }
    p->settlement.nets = p->positions;
    p->settlement.n_nets = n;
}

static void put_payments(const struct sq_settlement *s, struct parts *p, const struct sq_net_result *net)
{
    for (size_t i = 0; i < net->payment_count; i++) {
        Sanquan__V1__Payment *out = p->payments[i] = &p->payment[i];
        sanquan__v1__payment__init(out);
        out->kind = net->payments[i].kind;
        out->payer = payer_name(s, net->payments[i].payer);
        out->payee = payer_name(s, net->payments[i].payee);
        out->amount_fen = net->payments[i].amount_fen;
    }
    p->settlement.payments = p->payments;
    p->settlement.n_payments = net->payment_count;
}

/* Of those who owe or are owed here, in the kinds that are settled. */
static void put_funds(const struct sq_settlement *s, struct parts *p, const int64_t *funds_fen)
{
    size_t n = 0;
    for (size_t cell = 0; cell < (size_t)s->n * SQ_KIND_COUNT; cell++)
        if (funds_fen[cell] != 0) {
            p->funds[n] = &p->have[n];
            put_position(s, &p->have[n++], cell, funds_fen[cell]);
        }
    p->settlement.funds = p->funds;
    p->settlement.n_funds = n;
}

static void put_left(const struct sq_settlement *s, struct parts *p, const struct sq_obligation *left, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Sanquan__V1__Payment *out = p->left[i] = &p->remain[i];
        sanquan__v1__payment__init(out);
        out->kind = left[i].kind;
        out->payer = s->codes[left[i].debtor];
        out->payee = s->codes[left[i].creditor];
        out->amount_fen = left[i].amount_fen;
    }
    p->settlement.left = p->left;
    p->settlement.n_left = count;
}

static void put_changes(const struct sq_settlement *s, struct parts *p, const struct sq_change *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Sanquan__V1__StandingChange *out = p->changes[i] = &p->change[i];
        sanquan__v1__standing_change__init(out);
        out->node = s->codes[c[i].node];
        out->standing = c[i].standing;
        out->unpaid_window = c[i].unpaid;
    }
    p->settlement.changes = p->changes;
    p->settlement.n_changes = count;
}

static void put_losses(const struct sq_settlement *s, struct parts *p, struct sq_losses *l)
{
    for (uint32_t i = 0; i < l->rows.count; i++) {
        struct sq_loss *row = SQ_ROW(&l->rows, struct sq_loss, i);
        Sanquan__V1__Payment *out = p->losses[i] = &p->loss[i];
        sanquan__v1__payment__init(out);
        out->kind = row->kind;
        out->payer = row->payer >= SQ_FUND_OF ? strcat(strcpy(p->fund[i], "fund:"), s->codes[row->payer - SQ_FUND_OF])
                                              : s->codes[row->payer];
        out->payee = row->payee;
        out->amount_fen = row->amount_fen;
    }
    p->settlement.losses = p->losses;
    p->settlement.n_losses = l->rows.count;
}

void sq_content_free(struct sq_content *c)
{
    free(c->pairs);
    free(c->changes);
}

int sq_content_room(const struct sq_settlement *s, struct sq_content *c)
{
    c->pairs = malloc(((size_t)s->n * s->n + 1) * sizeof *c->pairs);
    c->changes = malloc((s->n + 1u) * sizeof *c->changes);
    return c->pairs != NULL && c->changes != NULL;
}

int sq_content_defaults(const struct sq_content *c, uint32_t node)
{
    for (size_t i = 0; i < c->change_count; i++)
        if (c->changes[i].node == node && c->changes[i].standing == SQ_REGION_DEFAULTED)
            return 1;
    return 0;
}

static sq_status pack_value(struct parts *p, struct sq_blob *out, struct sq_error *err)
{
    out->size = sanquan__v1__settlement__get_packed_size(&p->settlement);
    if (out->size > SQ_SETTLEMENT_SIZE_MAX)
        return sq_fail(err, SQ_E_FULL, "settlement of %zu bytes", out->size);
    out->data = malloc(out->size + 1);
    if (out->data == NULL)
        return sq_fail(err, SQ_E_NOMEM, "settlement of %zu bytes", out->size);
    sanquan__v1__settlement__pack(&p->settlement, out->data);
    return SQ_OK;
}

/* ---- netting ---- */

static int is_settled(const struct sq_content *c, uint32_t kind)
{
    return c->kinds == 0 || (c->kinds >> kind & 1) != 0;
}

/* Obligations of the kinds that are settled (1), or of the others (0); returns how many. */
static size_t obligations(const struct sq_content *c, int settled, struct sq_obligation *out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->pair_count; i++)
        for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
            if (c->pairs[i].row->total_fen[kind - 1] != 0 && is_settled(c, kind) == settled)
                out[n++] = (struct sq_obligation){c->pairs[i].debtor, c->pairs[i].creditor, kind,
                                                  c->pairs[i].row->total_fen[kind - 1]};
    return n;
}

/* What those that are in a pair have said that they hold. */
static void take_funds(const struct sq_settlement *s, const struct sq_content *c, int64_t *funds_fen)
{
    for (size_t i = 0; i < c->pair_count * 2; i++) {
        uint32_t node = i % 2 == 0 ? c->pairs[i / 2].debtor : c->pairs[i / 2].creditor;
        for (uint32_t kind = 1; kind <= SQ_KIND_COUNT; kind++)
            if (s->method == SQ_NET_FUNDS && is_settled(c, kind))
                funds_fen[(size_t)node * SQ_KIND_COUNT + kind - 1] = c->closing[node].funds_fen[kind - 1];
    }
}

static int by_kind_debtor_creditor(const void *a, const void *b)
{
    const struct sq_obligation *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->debtor != y->debtor)
        return x->debtor < y->debtor ? -1 : 1;
    return x->creditor < y->creditor ? -1 : x->creditor > y->creditor;
}

/* What is worked out of the pairs: by the network's method what is settled, and what stays owed. */
struct worked_out {
    struct sq_net_result net;
    int64_t *funds_fen, *net_fen; /* [node * SQ_KIND_COUNT + kind - 1]; net: of what is settled */
    struct sq_obligation *left;   /* ascending by kind, debtor, creditor */
    size_t left_count;
};

static void worked_out_free(struct worked_out *w)
{
    sq_net_result_free(&w->net);
    free(w->funds_fen);
    free(w->net_fen);
    free(w->left);
}

/* Kinds that are not settled in this window are owed on, net of each two nodes; so is what a debtor's funds do not discharge. */
static void add_left(struct worked_out *w, const struct sq_net_result *others)
{
    for (size_t i = 0; i < w->net.left_count; i++) {
        const struct sq_obligation *o = &w->net.left[i];
        w->left[w->left_count++] = *o;
        w->net_fen[(size_t)o->debtor * SQ_KIND_COUNT + o->kind - 1] += o->amount_fen;
        w->net_fen[(size_t)o->creditor * SQ_KIND_COUNT + o->kind - 1] -= o->amount_fen;
    }
    for (size_t i = 0; i < others->payment_count; i++) {
        const struct sq_payment *p = &others->payments[i];
        w->left[w->left_count++] = (struct sq_obligation){p->payer, p->payee, p->kind, p->amount_fen};
    }
    if (w->left_count != 0)
        qsort(w->left, w->left_count, sizeof *w->left, by_kind_debtor_creditor);
}

static sq_status work_out(const struct sq_settlement *s, const struct sq_content *c, struct worked_out *w,
                          struct sq_error *err)
{
    const size_t cells = (size_t)s->n * SQ_KIND_COUNT;
    struct sq_obligation *o = malloc((c->pair_count * SQ_KIND_COUNT + 1) * sizeof *o);
    struct sq_net_result others = {0};
    w->funds_fen = calloc(cells + 1, sizeof *w->funds_fen);
    w->net_fen = malloc((cells + 1) * sizeof *w->net_fen);
    sq_status st = o != NULL && w->funds_fen != NULL && w->net_fen != NULL
                       ? SQ_OK
                       : sq_fail(err, SQ_E_NOMEM, "settlement of %zu pairs", c->pair_count);
    if (st == SQ_OK)
        st = sq_net(SQ_NET_GROSS, o, obligations(c, 0, o), s->n, &others, err);
    if (st == SQ_OK) {
        take_funds(s, c, w->funds_fen);
        size_t n = obligations(c, 1, o);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what it thinks is lost is freed at the end */
        st = s->method == SQ_NET_FUNDS ? sq_net_funded(o, n, s->n, w->funds_fen, &w->net, err)
                                       : sq_net(s->method, o, n, s->n, &w->net, err);
    }
    if (st == SQ_OK && (w->left = malloc((w->net.left_count + others.payment_count + 1) * sizeof *w->left)) == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "settlement of %zu pairs", c->pair_count);
    if (st == SQ_OK) {
        memcpy(w->net_fen, w->net.net_fen, cells * sizeof *w->net_fen);
        add_left(w, &others);
    }
    sq_net_result_free(&others);
    free(o);
    return st;
}

/* ---- all of it ---- */

sq_status sq_content_make(const struct sq_settlement *s, const struct sq_content *c, struct sq_blob *out,
                          struct sq_error *err)
{
    struct sq_losses l = {0};
    struct worked_out w = {.left_count = 0};
    struct parts p = {0};
    sq_status st = work_out(s, c, &w, err);
    if (st == SQ_OK)
        st = sq_losses_new(s, &l, err);
    for (size_t i = 0; st == SQ_OK && i < c->change_count; i++)
        if (c->changes[i].unpaid != 0)
            st = sq_losses_of(s, c->changes[i].node, c->changes[i].unpaid, &l, err);
    const size_t cells = (size_t)s->n * SQ_KIND_COUNT;
    if (st == SQ_OK && (!parts_room(&p, c->pair_count, cells, w.net.payment_count) ||
                        !changes_room(&p, c->change_count, l.rows.count) || !left_room(&p, cells, w.left_count)))
        st = sq_fail(err, SQ_E_NOMEM, "settlement of %zu pairs", c->pair_count);
    if (st == SQ_OK) {
        union {
            const uint8_t *in;
            uint8_t *out;
        } recast_of = {c->recast_of}; /* messages do not say const; packing only reads */
        sanquan__v1__settlement__init(&p.settlement);
        p.settlement.window = c->window;
        p.settlement.method = s->method;
        p.settlement.kinds = c->kinds;
        put_pairs(s, &p, c->pairs, c->pair_count);
        put_nets(s, &p, w.net_fen);
        put_payments(s, &p, &w.net);
        put_changes(s, &p, c->changes, c->change_count);
        put_losses(s, &p, &l);
        put_funds(s, &p, w.funds_fen);
        put_left(s, &p, w.left, w.left_count);
        if (c->recast)
            p.settlement.recast_of = (ProtobufCBinaryData){SQ_HASH_SIZE, recast_of.out};
        st = pack_value(&p, out, err);
    }
    parts_free(&p);
    sq_losses_free(&l);
    worked_out_free(&w);
    return st;
}
