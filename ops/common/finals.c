/*
 * Invariants: nothing here is taken from the core's own sums; a node counts once for a value; votes kept are of windows that are not final.
 */
#include "ops/common/finals.h"

#include <stdlib.h>
#include <string.h>

#include "peers/message.h"

struct precommit {
    uint64_t window;
    uint32_t node, round;
    uint8_t value[SQ_HASH_SIZE];
};

struct sq_finals {
    struct sq_table precommits;
};

sq_status sq_finals_new(struct sq_finals **out, struct sq_error *err)
{
    struct sq_finals *f = calloc(1, sizeof *f);
    if (f == NULL)
        return sq_fail(err, SQ_E_NOMEM, "votes");
    f->precommits = SQ_TABLE_OF(struct precommit);
    *out = f;
    return SQ_OK;
}

void sq_finals_free(struct sq_finals *f)
{
    if (f == NULL)
        return;
    sq_table_free(&f->precommits);
    free(f);
}

/* ---- the certificate ---- */

static int same(const struct precommit *a, const struct precommit *b)
{
    return a->window == b->window && a->node == b->node && a->round == b->round &&
           memcmp(a->value, b->value, SQ_HASH_SIZE) == 0;
}

sq_status sq_finals_vote(struct sq_finals *f, uint32_t from, sq_bytes body, uint64_t seq, struct sq_error *err)
{
    Sanquan__V1__Vote *m = sanquan__v1__vote__unpack(NULL, body.size, body.data);
    if (m == NULL)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": a vote", seq);
    struct precommit wanted = {.window = m->window, .node = from, .round = m->round};
    int counts = m->step == 2 && m->value.len == SQ_HASH_SIZE;
    if (counts)
        memcpy(wanted.value, m->value.data, SQ_HASH_SIZE);
    sanquan__v1__vote__free_unpacked(m, NULL);
    for (uint32_t i = 0; counts && i < f->precommits.count; i++)
        counts = !same(SQ_ROW(&f->precommits, struct precommit, i), &wanted);
    struct precommit *p = counts ? sq_table_add(&f->precommits, NULL) : NULL;
    if (p != NULL)
        *p = wanted;
    return counts && p == NULL ? sq_fail(err, SQ_E_NOMEM, "votes") : SQ_OK;
}

sq_status sq_finals_relay(struct sq_finals *f, const struct sq_core *core, const Sanquan__V1__Relay *m, uint64_t seq,
                          struct sq_error *err)
{
    sq_status st = SQ_OK;
    for (size_t i = 0; st == SQ_OK && i < m->n_votes; i++) {
        struct sq_envelope e;
        uint32_t party = sq_envelope_open(sq_bytes_of(m->votes[i].data, m->votes[i].len), &e, NULL) == SQ_OK
                             ? sq_core_party_find(core, e.sender)
                             : SQ_ROW_NONE;
        const struct sq_party *p = party != SQ_ROW_NONE ? sq_core_party(core, party) : NULL;
        if (p != NULL && p->role == SQ_ROLE_NODE && p->node != sq_core_self(core) &&
            e.type == SANQUAN__V1__MESSAGE_TYPE__VOTE && sq_message_signed_by(&e, sq_core_network_id(core), p->key) &&
            sq_wire_check(&sanquan__v1__vote__descriptor, e.body, NULL) == SQ_OK)
            st = sq_finals_vote(f, p->node, e.body, seq, err);
    }
    return st;
}

sq_status sq_finals_certificate(struct sq_finals *f, const struct sq_core *core, const struct sq_window_view *w,
                                uint64_t seq, struct sq_error *err)
{
    const uint32_t n = sq_core_node_count(core);
    uint32_t votes = 0, kept = 0;
    for (uint32_t i = 0; i < f->precommits.count; i++) {
        const struct precommit *p = SQ_ROW(&f->precommits, struct precommit, i);
        votes += p->window == w->window && p->round == w->round && memcmp(p->value, w->value_hash, SQ_HASH_SIZE) == 0;
    }
    for (uint32_t i = 0; i < f->precommits.count; i++) /* votes of final windows are not needed any more */
        if (SQ_ROW(&f->precommits, struct precommit, i)->window > w->window)
            *SQ_ROW(&f->precommits, struct precommit, kept++) = *SQ_ROW(&f->precommits, struct precommit, i);
    f->precommits.count = kept;
    if (n > 1 && (uint64_t)votes * 3 <= (uint64_t)n * 2)
        return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": window %" PRIu64 " became final with %u of %u precommits",
                       seq, w->window, votes, n);
    return SQ_OK;
}

/* ---- the value ---- */

static uint32_t node_of(const struct sq_core *core, const char *code)
{
    for (uint32_t i = 0; i < sq_core_node_count(core); i++)
        if (strcmp(sq_core_node(core, i)->code, code) == 0)
            return i;
    return SQ_ROW_NONE;
}

static sq_status add_pairs(const struct sq_core *core, const Sanquan__V1__Settlement *m, __int128 *net, uint64_t seq,
                           struct sq_error *err)
{
    for (size_t i = 0; i < m->n_pairs; i++) {
        const Sanquan__V1__Pair *p = m->pairs[i];
        uint32_t debtor = node_of(core, p->debtor), creditor = node_of(core, p->creditor);
        if (debtor == SQ_ROW_NONE || creditor == SQ_ROW_NONE || debtor == creditor || p->n_total_fen != SQ_KIND_COUNT)
            return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": window %" PRIu64 " settles %s to %s, which is no link",
                           seq, m->window, p->debtor, p->creditor);
        for (size_t k = 0; k < SQ_KIND_COUNT; k++) {
            net[(size_t)creditor * SQ_KIND_COUNT + k] += p->total_fen[k];
            net[(size_t)debtor * SQ_KIND_COUNT + k] -= p->total_fen[k];
        }
    }
    return SQ_OK;
}

/* What is left is still owed: of each two nodes and kind once, and no net of this window. */
static sq_status take_left(const struct sq_core *core, const Sanquan__V1__Settlement *m, __int128 *net, uint64_t seq,
                           struct sq_error *err)
{
    for (size_t i = 0; i < m->n_left; i++) {
        const Sanquan__V1__Payment *p = m->left[i];
        uint32_t payer = node_of(core, p->payer), payee = node_of(core, p->payee);
        if (p->amount_fen <= 0 || p->kind < 1 || p->kind > SQ_KIND_COUNT || payer == SQ_ROW_NONE ||
            payee == SQ_ROW_NONE)
            return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": window %" PRIu64 ": what is left %zu is no obligation",
                           seq, m->window, i + 1);
        net[(size_t)payer * SQ_KIND_COUNT + p->kind - 1] += p->amount_fen;
        net[(size_t)payee * SQ_KIND_COUNT + p->kind - 1] -= p->amount_fen;
    }
    return SQ_OK;
}

/* The nets listed are those of the pairs, all of them and no other; then they are taken away again. */
static sq_status take_nets(const struct sq_core *core, const Sanquan__V1__Settlement *m, __int128 *net, uint64_t seq,
                           struct sq_error *err)
{
    for (size_t i = 0; i < m->n_nets; i++) {
        const Sanquan__V1__Position *p = m->nets[i];
        uint32_t node = node_of(core, p->node);
        if (node == SQ_ROW_NONE || p->kind < 1 || p->kind > SQ_KIND_COUNT ||
            net[(size_t)node * SQ_KIND_COUNT + p->kind - 1] != p->net_fen)
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": window %" PRIu64 ": the net of %s in kind %u is not that of its links",
                           seq, m->window, p->node, p->kind);
        net[(size_t)node * SQ_KIND_COUNT + p->kind - 1] = 0;
    }
    for (size_t i = 0; i < (size_t)sq_core_node_count(core) * SQ_KIND_COUNT; i++)
        if (net[i] != 0)
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": window %" PRIu64 ": the net of %s in kind %zu is left out", seq,
                           m->window, sq_core_node(core, (uint32_t)(i / SQ_KIND_COUNT))->code, i % SQ_KIND_COUNT + 1);
    for (size_t i = 0; i < m->n_nets; i++)
        net[(size_t)node_of(core, m->nets[i]->node) * SQ_KIND_COUNT + m->nets[i]->kind - 1] = m->nets[i]->net_fen;
    return SQ_OK;
}

/* What each node pays and receives is its net; what the settlement account takes in of a kind it pays out. */
static sq_status check_payments(const struct sq_core *core, const Sanquan__V1__Settlement *m, __int128 *net,
                                uint64_t seq, struct sq_error *err)
{
    __int128 account[SQ_KIND_COUNT] = {0};
    for (size_t i = 0; i < m->n_payments; i++) {
        const Sanquan__V1__Payment *p = m->payments[i];
        uint32_t payer = node_of(core, p->payer), payee = node_of(core, p->payee);
        if (p->amount_fen <= 0 || p->kind < 1 || p->kind > SQ_KIND_COUNT ||
            (payer == SQ_ROW_NONE && strcmp(p->payer, "hub") != 0) ||
            (payee == SQ_ROW_NONE && strcmp(p->payee, "hub") != 0))
            return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": window %" PRIu64 ": payment %zu is no payment", seq,
                           m->window, i + 1);
        *(payer != SQ_ROW_NONE ? &net[(size_t)payer * SQ_KIND_COUNT + p->kind - 1] : &account[p->kind - 1]) +=
            p->amount_fen;
        *(payee != SQ_ROW_NONE ? &net[(size_t)payee * SQ_KIND_COUNT + p->kind - 1] : &account[p->kind - 1]) -=
            p->amount_fen;
    }
    for (size_t i = 0; i < (size_t)sq_core_node_count(core) * SQ_KIND_COUNT; i++)
        if (net[i] != 0 || account[i % SQ_KIND_COUNT] != 0)
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": window %" PRIu64 ": payments of kind %zu do not add up to the nets", seq,
                           m->window, i % SQ_KIND_COUNT + 1);
    return SQ_OK;
}

/* Where each debtor's funds bound what it pays, nobody pays more than it has said to hold. */
static sq_status check_funds(const Sanquan__V1__Settlement *m, uint64_t seq, struct sq_error *err)
{
    for (size_t i = 0; m->method == SQ_NET_FUNDS && i < m->n_payments; i++) {
        const Sanquan__V1__Payment *p = m->payments[i];
        int64_t held = strcmp(p->payer, "hub") == 0 ? p->amount_fen : 0;
        for (size_t k = 0; k < m->n_funds; k++)
            if (strcmp(m->funds[k]->node, p->payer) == 0 && m->funds[k]->kind == p->kind)
                held = m->funds[k]->net_fen;
        if (p->amount_fen > held)
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": window %" PRIu64 ": %s pays more of kind %u than it said to hold", seq,
                           m->window, p->payer, p->kind);
    }
    return SQ_OK;
}

/* Freed by the caller with free_value. */
static Sanquan__V1__Settlement *value_of(const struct sq_core *core, uint64_t window)
{
    struct sq_window_view w;
    if (sq_settlement_window(sq_core_settlement(core), window, &w, NULL) != SQ_OK || w.value.size == 0)
        return NULL;
    return sq_settlement_open(w.value);
}

static void free_value(Sanquan__V1__Settlement *m)
{
    if (m != NULL)
        sanquan__v1__settlement__free_unpacked(m, NULL);
}

static int is_fund(const char *payer)
{
    return strncmp(payer, "fund:", 5) == 0;
}

/* One change of a region's standing; what it leaves unpaid is added to `missing`. */
static sq_status check_change(const struct sq_core *core, const Sanquan__V1__Settlement *m,
                              const Sanquan__V1__StandingChange *c, __int128 missing[static SQ_KIND_COUNT],
                              uint64_t seq, struct sq_error *err)
{
    for (size_t k = 0; c->standing == SQ_REGION_DEFAULTED && k < m->n_pairs; k++)
        if (strcmp(m->pairs[k]->debtor, c->node) == 0 || strcmp(m->pairs[k]->creditor, c->node) == 0)
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": window %" PRIu64 " settles a link of %s, which defaults in it", seq,
                           m->window, c->node);
    if (c->unpaid_window == 0)
        return SQ_OK;
    Sanquan__V1__Settlement *unpaid = value_of(core, c->unpaid_window);
    if (unpaid == NULL)
        return sq_fail(err, SQ_E_VERIFY,
                       "entry %" PRIu64 ": window %" PRIu64 " names unpaid window %" PRIu64 ", which is not final", seq,
                       m->window, c->unpaid_window);
    for (size_t k = 0; k < unpaid->n_payments; k++)
        if (strcmp(unpaid->payments[k]->payer, c->node) == 0 && strcmp(unpaid->payments[k]->payee, "hub") == 0)
            missing[unpaid->payments[k]->kind - 1] += unpaid->payments[k]->amount_fen;
    free_value(unpaid);
    return SQ_OK;
}

/* What a region that has not paid was to pay into the settlement account comes from others, to the fen; who defaults here settles nothing here. */
static sq_status check_losses(const struct sq_core *core, const Sanquan__V1__Settlement *m, uint64_t seq,
                              struct sq_error *err)
{
    __int128 missing[SQ_KIND_COUNT] = {0};
    for (size_t i = 0; i < m->n_changes; i++) {
        sq_status st = check_change(core, m, m->changes[i], missing, seq, err);
        if (st != SQ_OK)
            return st;
    }
    for (size_t i = 0; i < m->n_losses; i++) {
        const Sanquan__V1__Payment *p = m->losses[i];
        if (p->amount_fen <= 0 || p->kind < 1 || p->kind > SQ_KIND_COUNT ||
            (!is_fund(p->payer) && node_of(core, p->payer) == SQ_ROW_NONE))
            return sq_fail(err, SQ_E_VERIFY, "entry %" PRIu64 ": window %" PRIu64 ": loss %zu is no payment", seq,
                           m->window, i + 1);
        missing[p->kind - 1] -= strcmp(p->payee, "hub") == 0 ? p->amount_fen : 0;
    }
    for (size_t k = 0; k < SQ_KIND_COUNT; k++)
        if (missing[k] != 0)
            return sq_fail(err, SQ_E_VERIFY,
                           "entry %" PRIu64 ": window %" PRIu64
                           ": what is paid instead of kind %zu is not what was not paid",
                           seq, m->window, k + 1);
    return SQ_OK;
}

sq_status sq_finals_value(const struct sq_core *core, const Sanquan__V1__Settlement *m, uint64_t seq,
                          struct sq_error *err)
{
    __int128 *net = calloc((size_t)sq_core_node_count(core) * SQ_KIND_COUNT, sizeof *net);
    if (net == NULL)
        return sq_fail(err, SQ_E_NOMEM, "nets");
    sq_status st = add_pairs(core, m, net, seq, err);
    if (st == SQ_OK)
        st = take_left(core, m, net, seq, err);
    if (st == SQ_OK)
        st = take_nets(core, m, net, seq, err);
    if (st == SQ_OK)
        st = check_payments(core, m, net, seq, err);
    if (st == SQ_OK)
        st = check_funds(m, seq, err);
    if (st == SQ_OK)
        st = check_losses(core, m, seq, err);
    free(net);
    return st;
}
